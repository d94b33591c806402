//! General names (RFC 5280 section 4.2.1.6): who or what a certificate is for.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::name;
use crate::asn1::{self, Element};
use crate::oid;

/// The kind of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A DNS name, possibly with a wildcard label.
    Dns,
    /// An IP address.
    Ip,
    /// A mail address.
    Email,
    /// A URI.
    Uri,
    /// A distinguished name, as RFC 4514 text.
    Dn,
    /// Anything else: the type as dotted identifier, `:` and a readable value or hexadecimal
    /// digits.
    Other,
}

impl Kind {
    /// The word used in storage and interfaces: `dns`, `ip`, `email`, `uri`, `dn`, `other`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Ip => "ip",
            Self::Email => "email",
            Self::Uri => "uri",
            Self::Dn => "dn",
            Self::Other => "other",
        }
    }
}

/// One subject alternative name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GeneralName {
    /// What kind of name it is.
    pub kind: Kind,
    /// The name as text. DNS names keep the letter case they were issued with.
    pub value: String,
}

impl GeneralName {
    fn new(kind: Kind, value: impl Into<String>) -> Self {
        Self { kind, value: value.into() }
    }
}

/// Reads one GeneralName. Bytes that do not fit the kind are shown in hexadecimal digits.
pub(crate) fn read(element: &Element<'_>) -> GeneralName {
    match element.tag {
        0x82 => GeneralName::new(Kind::Dns, text(element.content)),
        0x81 => GeneralName::new(Kind::Email, text(element.content)),
        0x86 => GeneralName::new(Kind::Uri, text(element.content)),
        0x87 => GeneralName::new(Kind::Ip, address(element.content)),
        0xa4 => {
            let inner = element.inside().any("").ok();
            let value = inner.map(|inner| name::read(&inner).text).unwrap_or_default();
            GeneralName::new(Kind::Dn, value)
        }
        0x88 => {
            GeneralName::new(Kind::Other, format!("registeredID:{}", oid::dotted(element.content)))
        }
        0xa0 => other(element),
        tag => GeneralName::new(Kind::Other, format!("0x{tag:02x}:{}", asn1::hex(element.content))),
    }
}

/// Reads the base of a name constraint; an address constraint becomes `address/mask`, and a
/// directory name its normal form, since these are compared and not shown.
pub(crate) fn read_constraint(element: &Element<'_>) -> GeneralName {
    match element.tag {
        0x87 if matches!(element.content.len(), 8 | 32) => {
            let (base, mask) = element.content.split_at(element.content.len() / 2);
            GeneralName::new(Kind::Ip, format!("{}/{}", address(base), address(mask)))
        }
        0xa4 => {
            let inner = element.inside().any("").map(|inner| name::normal_form(inner.raw));
            GeneralName::new(Kind::Dn, inner.unwrap_or_default())
        }
        _ => read(element),
    }
}

fn other(element: &Element<'_>) -> GeneralName {
    let mut inside = element.inside();
    let kind = inside.optional(asn1::OBJECT_IDENTIFIER).map_or(&[][..], |kind| kind.content);
    let value = inside.optional(0xa0).and_then(|wrapped| wrapped.inside().any("").ok());
    if kind == oid::SMTP_UTF8_MAILBOX.as_bytes()
        && let Some(value) = &value
    {
        return GeneralName::new(Kind::Email, text(value.content));
    }
    let label = if kind == oid::USER_PRINCIPAL_NAME.as_bytes() {
        "UPN".to_owned()
    } else {
        oid::dotted(kind)
    };
    let shown = match value.map(|value| (name::string(&value), value)) {
        Some((Some((text, _)), _)) => text,
        Some((None, value)) => asn1::hex(value.raw),
        None => asn1::hex(element.content),
    };
    GeneralName::new(Kind::Other, format!("{label}:{shown}"))
}

fn text(content: &[u8]) -> String {
    std::str::from_utf8(content).map_or_else(|_| name::latin(content), str::to_owned)
}

fn address(content: &[u8]) -> String {
    if let Ok(octets) = <[u8; 4]>::try_from(content) {
        return Ipv4Addr::from(octets).to_string();
    }
    if let Ok(octets) = <[u8; 16]>::try_from(content) {
        return Ipv6Addr::from(octets).to_string();
    }
    format!("0x{}", asn1::hex(content))
}
