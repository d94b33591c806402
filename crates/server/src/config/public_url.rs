//! The address under which people and machines reach the server.

use std::fmt;
use std::net::SocketAddr;

use reqwest::Url;

use super::raw::{Raw, Value};
use super::source::Source;

/// `https://chancery.example.org`: scheme, host and perhaps a port, nothing behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    /// Without a slash at the end.
    text: String,
    /// Host, and the port where it is not that of the scheme.
    authority: String,
    is_https: bool,
}

impl PublicUrl {
    /// Parses an address.
    ///
    /// # Errors
    ///
    /// The reason, as the end of a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        let is_https = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(format!("{other} is neither http nor https")),
        };
        let host = url.host_str().ok_or("it has no host")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it holds a user name".into());
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err("nothing may stand behind the host and port".into());
        }
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Ok(Self { text: format!("{}://{authority}", url.scheme()), authority, is_https })
    }

    /// What is assumed when nobody says: the listener itself, `localhost` for all interfaces.
    pub fn of_listener(listen: SocketAddr, is_https: bool) -> Self {
        let host = match listen.ip() {
            address if address.is_unspecified() => "localhost".to_owned(),
            std::net::IpAddr::V6(address) => format!("[{address}]"),
            address => address.to_string(),
        };
        let (scheme, usual) = if is_https { ("https", 443) } else { ("http", 80) };
        let authority = match listen.port() {
            port if port == usual => host,
            port => format!("{host}:{port}"),
        };
        Self { text: format!("{scheme}://{authority}"), authority, is_https }
    }

    /// The address, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host, and the port where it is not that of the scheme: `localhost:8080`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether browsers speak TLS to it; then cookies are marked `Secure`.
    pub fn is_https(&self) -> bool {
        self.is_https
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Value for PublicUrl {
    fn read(raw: &Raw, _: &Source) -> Result<Self, String> {
        Self::parse(raw.text().ok_or_else(String::new)?)
    }

    fn shown(&self) -> String {
        self.text.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_brought_into_one_form() {
        for (given, text, authority) in [
            ("https://C.example/", "https://c.example", "c.example"),
            ("https://c.example:443", "https://c.example", "c.example"),
            ("http://[::1]:8080", "http://[::1]:8080", "[::1]:8080"),
        ] {
            let url = PublicUrl::parse(given).unwrap();
            assert_eq!((url.as_str(), url.authority()), (text, authority));
        }
    }

    #[test]
    fn what_people_cannot_reach_is_refused() {
        for (given, expected) in [
            ("chancery.example", "relative URL"),
            ("ftp://c.example", "neither http nor https"),
            ("https://a@c.example", "user name"),
            ("https://c.example/pki", "nothing may stand behind"),
            ("https://c.example/?a=b", "nothing may stand behind"),
        ] {
            let reason = PublicUrl::parse(given).unwrap_err();
            assert!(reason.contains(expected), "{given}: {reason}");
        }
    }

    #[test]
    fn a_listener_has_an_address() {
        for (listen, is_https, expected) in [
            ("127.0.0.1:8080", false, "http://127.0.0.1:8080"),
            ("0.0.0.0:443", true, "https://localhost"),
            ("[::1]:443", false, "http://[::1]:443"),
            ("[::]:80", false, "http://localhost"),
        ] {
            let url = PublicUrl::of_listener(listen.parse().unwrap(), is_https);
            assert_eq!(url.as_str(), expected);
        }
    }
}
