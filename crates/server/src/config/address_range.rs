//! Ranges of addresses in CIDR notation, for the proxies that are trusted.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::raw::{Raw, Value};
use super::source::Source;

/// `10.0.0.0/8`, `2001:db8::/32`, or a single address. IPv4 addresses that arrive mapped into IPv6
/// (`::ffff:10.0.0.1`) are taken for what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    first: IpAddr,
    /// Bits that all addresses of the range share; at most 32 or 128.
    prefix: u32,
}

impl AddressRange {
    /// Whether the address lies in the range. An IPv4 range never holds an IPv6 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4()
            && masked(address, self.prefix) == masked(self.first, self.prefix)
    }

    /// Parses CIDR notation.
    ///
    /// # Errors
    ///
    /// The reason, as the end of a sentence: no address, prefix too long, bits set behind the
    /// prefix.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let first: IpAddr =
            address.parse().map_err(|_| format!("{address:?} is not an IP address"))?;
        let longest = if first.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|prefix| *prefix <= longest)
                .ok_or_else(|| format!("/{digits} is not a prefix between 0 and {longest}"))?,
        };
        let network = masked(first, prefix);
        if network != first {
            return Err(format!(
                "{text} has bits behind its prefix; the range is {network}/{prefix}"
            ));
        }
        Ok(Self { first, prefix })
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

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl Value for AddressRange {
    fn read(raw: &Raw, _: &Source) -> Result<Self, String> {
        Self::parse(raw.text().ok_or_else(String::new)?)
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(range: &str, address: &str, expected: bool) {
        let range = AddressRange::parse(range).unwrap();
        assert_eq!(range.contains(address.parse().unwrap()), expected, "{range} {address}");
    }

    #[test]
    fn addresses_are_found_in_ranges() {
        check("10.0.0.0/8", "10.255.0.1", true);
        check("10.0.0.0/8", "11.0.0.1", false);
        check("10.0.0.0/8", "::ffff:10.1.2.3", true);
        check("192.0.2.7", "192.0.2.7", true);
        check("192.0.2.7", "192.0.2.8", false);
        check("0.0.0.0/0", "203.0.113.9", true);
        check("0.0.0.0/0", "2001:db8::1", false);
        check("2001:db8::/32", "2001:db8:ffff::1", true);
        check("2001:db8::/32", "2001:db9::1", false);
        check("::/0", "2001:db9::1", true);
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for (text, expected) in [
            ("ten", "not an IP address"),
            ("10.0.0.0/33", "between 0 and 32"),
            ("10.0.0.0/x", "between 0 and 32"),
            ("10.0.0.1/8", "the range is 10.0.0.0/8"),
            ("::1/129", "between 0 and 128"),
        ] {
            let reason = AddressRange::parse(text).unwrap_err();
            assert!(reason.contains(expected), "{text}: {reason}");
        }
    }
}
