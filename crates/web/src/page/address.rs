//! The address of a page as state: a path and parameters that links add to, change and take away.

use std::fmt;

use axum::extract::Query;
use axum::http::Uri;

/// A path with parameters, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Address {
    path: String,
    pairs: Vec<(String, String)>,
}

impl Address {
    /// A path without parameters.
    pub(crate) fn new(path: &str) -> Self {
        Self { path: path.to_owned(), pairs: Vec::new() }
    }

    /// A path of ours with its query, as text. What cannot be read is `/`.
    pub(crate) fn parse(text: &str) -> Self {
        text.parse::<Uri>().map_or_else(|_| Self::new("/"), |uri| Self::read(&uri))
    }

    /// The address that was asked for. A query that cannot be read counts as none.
    pub(crate) fn read(uri: &Uri) -> Self {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|query| query.0);
        Self { path: uri.path().to_owned(), pairs: pairs.unwrap_or_default() }
    }

    /// The first value of a parameter that is not empty.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// The value read as something; what cannot be read counts as absent.
    pub(crate) fn parsed<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.value(name)?.parse().ok()
    }

    /// The same address with a parameter set; an empty value takes it away.
    #[must_use]
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut new = self.without(&[name]);
        if !value.is_empty() {
            new.pairs.push((name.to_owned(), value.to_owned()));
        }
        new
    }

    /// The same address without some parameters.
    #[must_use]
    pub(crate) fn without(&self, names: &[&str]) -> Self {
        let kept = self.pairs.iter().filter(|(key, _)| !names.contains(&key.as_str()));
        Self { path: self.path.clone(), pairs: kept.cloned().collect() }
    }

    /// The same parameters under another path.
    #[must_use]
    pub(crate) fn at(&self, path: &str) -> Self {
        Self { path: path.to_owned(), pairs: self.pairs.clone() }
    }

    /// The parameters as text, without `?`.
    pub(crate) fn query(&self) -> String {
        let pairs: Vec<String> = self
            .pairs
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| format!("{}={}", encode(key), encode(value)))
            .collect();
        pairs.join("&")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query = self.query();
        match query.is_empty() {
            true => f.write_str(&self.path),
            false => write!(f, "{}?{query}", self.path),
        }
    }
}

/// Percent-encodes everything but unreserved characters (RFC 3986 §2.3) and a few that are safe in
/// a query and make it readable.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~/:*".contains(&byte);
        if plain {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// What [`encode`] made into text again; what is not UTF-8 is replaced.
pub(crate) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match (first, hex.and_then(|pair| u8::from_str_radix(pair, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_changed_without_losing_the_rest() {
        let uri: Uri = "/events?q=a+b%26c&from=&before=9&x=1".parse().unwrap();
        let address = Address::read(&uri);
        assert_eq!(address.value("q"), Some("a b&c"));
        assert_eq!(address.value("from"), None);
        assert_eq!(address.parsed::<u64>("before"), Some(9));
        let next = address.without(&["before"]).with("q", "type:x");
        assert_eq!(next.to_string(), "/events?x=1&q=type:x");
        assert_eq!(next.with("q", "").without(&["x"]).to_string(), "/events");
    }

    #[test]
    fn what_is_encoded_comes_back() {
        for text in ["", "a b", "ü<&%2", "100%", "%zz", "a;b,c"] {
            assert_eq!(decode(&encode(text)), text);
            assert!(encode(text).is_ascii());
        }
    }
}
