//! The settings as they came out, for `config check`.

use serde::Serialize;

use super::source::Source;

/// One setting, its value as text, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// The key, such as `tls.certificate`.
    pub key: &'static str,
    /// The value; `(set)` for a secret; `None` when it is absent and has no default.
    pub value: Option<String>,
    /// The origin of the value.
    pub source: Source,
}

/// The same for `--json`.
#[derive(Debug, Serialize)]
pub struct EffectiveDocument<'a> {
    key: &'static str,
    value: Option<&'a str>,
    source: String,
}

impl Effective {
    /// The document for `--json`.
    pub fn document(&self) -> EffectiveDocument<'_> {
        let source = self.source.to_string();
        EffectiveDocument { key: self.key, value: self.value.as_deref(), source }
    }
}
