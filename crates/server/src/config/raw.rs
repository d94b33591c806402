//! A value before it is understood, and how each kind of setting is read from it.
//!
//! A file has types, variables and flags are text; [`Value`] reads both. The error is the reason,
//! or nothing when the sentence "expected …" of the setting says it all.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::from_folder_of;
use super::source::Source;

/// What a source holds for one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Raw {
    /// From a file in quotes, or from a variable or flag.
    Text(String),
    /// A number of the file.
    Integer(i128),
    /// `true` or `false` of the file.
    Boolean(bool),
    /// An array of the file.
    List(Vec<Raw>),
    /// Something no setting is: a date, a fraction.
    Other(String),
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Other(text) => f.write_str(text),
            Self::List(list) => {
                let items: Vec<String> = list.iter().map(Self::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
        }
    }
}

impl Raw {
    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.trim()),
            _ => None,
        }
    }

    /// A whole number, from a number or from digits; `_` may group them.
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Integer(number) => u64::try_from(*number).ok(),
            Self::Text(text) => text.trim().replace('_', "").parse().ok(),
            _ => None,
        }
    }

    /// Bytes: a number, or a number with `KiB`, `MiB` or `GiB`.
    pub fn bytes(&self) -> Option<u64> {
        if let Some(number) = self.number() {
            return Some(number);
        }
        let text = self.text()?;
        let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
        let (digits, shift) = units
            .into_iter()
            .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?.trim_end(), shift)))?;
        let number: u64 = digits.parse().ok()?;
        number.checked_mul(1 << shift)
    }
}

/// A type that a setting can have.
pub trait Value: Sized {
    /// Understands a raw value. An empty reason means that "expected …" is enough.
    fn read(raw: &Raw, source: &Source) -> Result<Self, String>;
    /// The value as `config check` shows it.
    fn shown(&self) -> String;
}

impl Value for bool {
    fn read(raw: &Raw, _: &Source) -> Result<Self, String> {
        match raw {
            Raw::Boolean(value) => Ok(*value),
            Raw::Text(text) => text.trim().parse().map_err(|_| String::new()),
            _ => Err(String::new()),
        }
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Value for String {
    fn read(raw: &Raw, _: &Source) -> Result<Self, String> {
        raw.text().filter(|text| !text.is_empty()).map(str::to_owned).ok_or_else(String::new)
    }

    fn shown(&self) -> String {
        self.clone()
    }
}

impl Value for SocketAddr {
    fn read(raw: &Raw, _: &Source) -> Result<Self, String> {
        let text = raw.text().ok_or_else(String::new)?;
        text.parse().map_err(|_| match text.parse::<u16>() {
            Ok(port) => format!("a port alone does not say which interface: 127.0.0.1:{port}"),
            Err(_) => String::new(),
        })
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Value for PathBuf {
    fn read(raw: &Raw, source: &Source) -> Result<Self, String> {
        let text = raw.text().filter(|text| !text.is_empty()).ok_or_else(String::new)?;
        Ok(match source {
            Source::File { path, .. } => from_folder_of(path, text),
            _ => text.into(),
        })
    }

    fn shown(&self) -> String {
        self.display().to_string()
    }
}

/// In a file an array, elsewhere text with commas.
impl<T: Value> Value for Vec<T> {
    fn read(raw: &Raw, source: &Source) -> Result<Self, String> {
        match raw {
            Raw::List(list) => list.iter().map(|item| T::read(item, source)).collect(),
            Raw::Text(text) => text
                .split(',')
                .filter(|item| !item.trim().is_empty())
                .map(|item| T::read(&Raw::Text(item.to_owned()), source))
                .collect(),
            _ => Err(String::new()),
        }
    }

    fn shown(&self) -> String {
        self.iter().map(T::shown).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Raw {
        Raw::Text(text.to_owned())
    }

    #[test]
    fn bytes_have_units() {
        for (given, bytes) in
            [("1024", Some(1024)), ("16 MiB", Some(16 << 20)), ("2KiB", Some(2048))]
        {
            assert_eq!(text(given).bytes(), bytes, "{given}");
        }
        for given in ["", "MiB", "16 MB", "-1", "99999999999999 GiB"] {
            assert_eq!(text(given).bytes(), None, "{given}");
        }
        assert_eq!(Raw::Integer(-1).bytes(), None);
        assert_eq!(Raw::Integer(7).bytes(), Some(7));
    }

    #[test]
    fn a_port_alone_gets_a_hint() {
        let reason = SocketAddr::read(&text("8080"), &Source::Default).unwrap_err();
        assert!(reason.contains("127.0.0.1:8080"), "{reason}");
    }

    #[test]
    fn paths_of_a_file_start_at_its_folder() {
        let file = Source::File { path: "/etc/chancery/chancery.toml".into(), line: 1 };
        assert_eq!(
            PathBuf::read(&text("key.pem"), &file).unwrap(),
            PathBuf::from("/etc/chancery/key.pem")
        );
        assert_eq!(PathBuf::read(&text("/key.pem"), &file).unwrap(), PathBuf::from("/key.pem"));
        let flag = Source::Flag("--tls-key".into());
        assert_eq!(PathBuf::read(&text("key.pem"), &flag).unwrap(), PathBuf::from("key.pem"));
    }
}
