//! Ranges of addresses in CIDR notation.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// `10.0.0.0/8`, `2001:db8::/32`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    first: IpAddr,
    /// Bits that all addresses of the range share; at most 32 or 128.
    prefix: u32,
}

impl Range {
    pub(super) const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u32) -> Self {
        Self { first: IpAddr::V4(std::net::Ipv4Addr::new(a, b, c, d)), prefix }
    }

    pub(super) const fn v6(parts: [u16; 8], prefix: u32) -> Self {
        let [a, b, c, d, e, f, g, h] = parts;
        Self { first: IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h)), prefix }
    }

    /// Bits that all addresses of the range share.
    pub fn prefix(&self) -> u32 {
        self.prefix
    }

    /// Whether the address lies in the range. An IPv4 range never holds an IPv6 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4()
            && masked(address, self.prefix) == masked(self.first, self.prefix)
    }
}

fn masked(address: IpAddr, prefix: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            IpAddr::V4((u32::from(address) & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(address) & mask))
        }
    }
}

/// Text that is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is no range of addresses such as 10.0.0.0/8")]
pub struct InvalidRange(pub String);

impl FromStr for Range {
    type Err = InvalidRange;

    fn from_str(text: &str) -> Result<Self, InvalidRange> {
        let invalid = || InvalidRange(text.to_owned());
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let first: IpAddr = address.parse().map_err(|_| invalid())?;
        let longest = if first.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(digits) => digits.parse().ok().filter(|n| *n <= longest).ok_or_else(invalid)?,
        };
        let first = masked(first, prefix);
        Ok(Self { first, prefix })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}
