//! Which addresses a user-supplied destination may lead to.
//!
//! Refused is everything that is not a public unicast address (the registries of IANA for special
//! purposes, RFC 6890), everything that carries another address inside, and what clouds use for
//! their metadata. Pure: no names, no sockets.

use std::net::{IpAddr, Ipv6Addr};

use super::Range;

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u32) -> Range {
    Range::v4(a, b, c, d, prefix)
}

const V4: [(Range, &str); 16] = [
    (v4(0, 0, 0, 0, 8), "an address of this machine"),
    (v4(10, 0, 0, 0, 8), "a private address"),
    (v4(100, 64, 0, 0, 10), "an address shared behind a carrier's NAT"),
    (v4(127, 0, 0, 0, 8), "a loopback address"),
    (v4(169, 254, 0, 0, 16), "a link-local address"),
    (v4(172, 16, 0, 0, 12), "a private address"),
    (v4(192, 0, 0, 0, 24), "an address for protocols"),
    (v4(192, 0, 2, 0, 24), "an address for documentation"),
    (v4(192, 88, 99, 0, 24), "a relay of 6to4"),
    (v4(192, 168, 0, 0, 16), "a private address"),
    (v4(198, 18, 0, 0, 15), "an address for measuring networks"),
    (v4(198, 51, 100, 0, 24), "an address for documentation"),
    (v4(203, 0, 113, 0, 24), "an address for documentation"),
    (v4(224, 0, 0, 0, 4), "a multicast address"),
    (v4(240, 0, 0, 0, 4), "a reserved address"),
    // Not in any registry: the machine's host in one large cloud.
    (v4(168, 63, 129, 16, 32), "a cloud's address for metadata"),
];

/// Within what is public in IPv6.
const V6: [(Range, &str); 5] = [
    (Range::v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), "an address of Teredo"),
    (Range::v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), "an address for protocols"),
    (Range::v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), "an address for documentation"),
    (Range::v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), "an address of 6to4"),
    (Range::v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), "an address for documentation"),
];

/// Outside of it, only to say what it is.
const V6_SPECIAL: [(Range, &str); 8] = [
    (Range::v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "a loopback address"),
    (Range::v6([0, 0, 0, 0, 0, 0, 0, 0], 96), "an address that embeds an IPv4 address"),
    (Range::v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 32), "an address translated by NAT64"),
    (Range::v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), "an address for discarding"),
    (Range::v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), "a private address"),
    (Range::v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "a link-local address"),
    (Range::v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "a private address"),
    (Range::v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "a multicast address"),
];
const PUBLIC_V6: Range = Range::v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// Whether an address may be reached.
///
/// # Errors
/// What kind of address it is, as the end of a sentence.
pub fn judge(address: IpAddr, allowed: &[Range]) -> Result<(), &'static str> {
    // IPv4 in the clothes of IPv6 (`::ffff:10.0.0.1`) is what it is.
    let address = address.to_canonical();
    if allowed.iter().any(|range| range.contains(address)) {
        return Ok(());
    }
    let within = |table: &[(Range, &'static str)]| {
        table.iter().find(|(range, _)| range.contains(address)).map(|(_, reason)| *reason)
    };
    match address {
        IpAddr::V4(_) => within(&V4).map_or(Ok(()), Err),
        IpAddr::V6(_) if !PUBLIC_V6.contains(address) => {
            Err(within(&V6_SPECIAL).unwrap_or("a reserved address"))
        }
        IpAddr::V6(v6) if is_isatap(v6) => Err("an address that embeds an IPv4 address"),
        IpAddr::V6(_) => within(&V6).map_or(Ok(()), Err),
    }
}

/// RFC 5214 §6.1: the interface identifier is `[02]00:5efe` and an IPv4 address.
fn is_isatap(address: Ipv6Addr) -> bool {
    let [_, _, _, _, flags, marker, _, _] = address.segments();
    marker == 0x5efe && flags & !0x0300 == 0
}
