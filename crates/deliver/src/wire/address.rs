//! Addresses of receivers, taken apart: scheme, host, port, path.

use chancery_engine::Error;
use http::Uri;

/// Where to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// TLS from the first byte.
    pub(crate) tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Path and query; `/` at least.
    pub(crate) path: String,
}

impl Target {
    /// Reads an address of HTTP.
    pub(crate) fn http(field: &str, text: &str) -> Result<Self, Error> {
        let wrong = |what: &str| Error::invalid(field, what.to_owned());
        if text.len() > 4_096 || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(wrong("an address without blanks, of at most 4,096 characters"));
        }
        if text.contains('#') {
            return Err(wrong("an address without a fragment (#…)"));
        }
        let uri: Uri =
            text.parse().map_err(|_| wrong("an address such as https://example.org/hook"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("an address that begins with https:// (or http://)")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("an address with a host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong(
                "no name and password in the address: they have members of their own",
            ));
        }
        let host = authority.host().to_owned();
        if host.is_empty() {
            return Err(wrong("an address with a host"));
        }
        let port = match authority.port_u16() {
            Some(port) if port > 0 => port,
            None if authority.as_str() == host => {
                if tls {
                    443
                } else {
                    80
                }
            }
            _ => return Err(wrong("a port between 1 and 65535")),
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { tls, host, port, path })
    }

    /// Reads `host:port`.
    pub(crate) fn plain(
        field: &str,
        text: &str,
        default_port: u16,
        tls: bool,
    ) -> Result<Self, Error> {
        let wrong = || Error::invalid(field, "a host and a port, such as logs.example.org:6514");
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or_else(wrong)?;
            (host, rest.strip_prefix(':'))
        } else if text.matches(':').count() > 1 {
            (text, None)
        } else {
            text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
        };
        let port = match port {
            None => default_port,
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?,
        };
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || host.len() > 253 || !host.chars().all(good) {
            return Err(wrong());
        }
        Ok(Self { tls, host: host.to_owned(), port, path: "/".to_owned() })
    }

    /// The value of the `host` header.
    pub(crate) fn host_header(&self) -> String {
        let standard = if self.tls { 443 } else { 80 };
        match self.port == standard {
            true => self.host.clone(),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// Scheme, host and port: what people may always see.
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.host_header())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart_and_others_refused() {
        let read = Target::http("url", "https://example.org/hook?a=b").unwrap();
        assert_eq!((read.tls, read.host.as_str(), read.port), (true, "example.org", 443));
        assert_eq!((read.path.as_str(), read.host_header().as_str()), ("/hook?a=b", "example.org"));
        let read = Target::http("url", "http://[::1]:8080").unwrap();
        assert_eq!((read.host.as_str(), read.port, read.path.as_str()), ("[::1]", 8080, "/"));
        for text in [
            "",
            "example.org",
            "ftp://example.org",
            "https://",
            "https://ada:pw@example.org/",
            "https://example.org/#x",
            "https://exa mple.org",
            "//example.org",
            "https:///x",
            "file:///etc/passwd",
            "gopher://x",
            "https://example.org:99999/",
        ] {
            assert!(Target::http("url", text).is_err(), "{text}");
        }
        let read = Target::plain("address", "logs.example.org", 6514, true).unwrap();
        assert_eq!((read.host.as_str(), read.port), ("logs.example.org", 6514));
        assert_eq!(Target::plain("a", "[::1]:514", 1, false).unwrap().host, "::1");
        for text in ["", ":514", "a:b", "a:0", "a b:1", "a/b:1"] {
            assert!(Target::plain("address", text, 514, false).is_err(), "{text}");
        }
    }
}
