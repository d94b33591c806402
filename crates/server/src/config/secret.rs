//! A text that must not be seen: no `Debug`, no `Display`, no `Serialize`, wiped when dropped.

use zeroize::Zeroizing;

/// A password or passphrase. Only [`Secret::expose`] gives the text, so every use can be found.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}
