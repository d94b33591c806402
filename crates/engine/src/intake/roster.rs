//! Who may send syslog, and as which source: by the address that lines come from, by the client
//! certificate of the connection, or by both. Nobody, unless a source says so.
//!
//! Pure but for [`Engine::syslog_roster`]: listeners ask a copy, which they take anew now and then.
//! Of several sources that fit, one that names the certificate goes before one that does not, and
//! a narrow range of addresses before a wide one.

use std::net::IpAddr;

use chancery_event::dialect::Dialect;
use chancery_event::{Actor, ActorKind, Authentication, Origin};
use chancery_store::table::intake as table;

use super::Sender;
use crate::net::Range;
use crate::{Client, Context, Engine, Error, Role};

/// Addresses or certificates of one source at most.
const LISTED_MAX: usize = 100;

/// The client certificate of a connection, whose chain has been verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// SHA-256 of the certificate, 64 lower-case hexadecimal digits.
    pub fingerprint_sha256: String,
    /// Its common name and DNS names, in lower case.
    pub names: Vec<String>,
}

/// Who may send syslog.
#[derive(Clone, Debug, Default)]
pub struct Roster(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    name: String,
    dialect: Dialect,
    addresses: Vec<Range>,
    certificates: Vec<String>,
}

impl Entry {
    /// How well it fits; `None`: it does not.
    fn fits(&self, address: IpAddr, peer: Option<&Peer>) -> Option<(bool, u32)> {
        let by_certificate = match (self.certificates.is_empty(), peer) {
            (true, _) => false,
            (false, None) => return None,
            (false, Some(peer)) => {
                let named = |listed: &String| {
                    *listed == peer.fingerprint_sha256 || peer.names.contains(listed)
                };
                if !self.certificates.iter().any(named) {
                    return None;
                }
                true
            }
        };
        if self.addresses.is_empty() {
            return by_certificate.then_some((true, 0));
        }
        let inside = self.addresses.iter().filter(|range| range.contains(address));
        inside.map(|range| (by_certificate, range.prefix() + 1)).max()
    }
}

impl Roster {
    /// The source that sends from an address, with a certificate or without.
    fn find(&self, address: IpAddr, peer: Option<&Peer>) -> Option<&Entry> {
        let address = address.to_canonical();
        let fitting = self.0.iter().filter_map(|entry| Some((entry.fits(address, peer)?, entry)));
        // Of two that fit as well, the first by name, always.
        fitting.reduce(|best, other| if other.0 > best.0 { other } else { best }).map(|(_, e)| e)
    }

    /// Whether anybody at this address could be a source, were it to show a certificate.
    pub fn may_be(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|entry| {
            entry.addresses.is_empty()
                || entry.addresses.iter().any(|range| range.contains(address))
        })
    }

    /// Whether nobody may send.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Engine {
    /// Who may send syslog now.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn syslog_roster(&self) -> Result<Roster, Error> {
        let rows = table::all(&mut self.link().await?).await?;
        let mut entries = Vec::new();
        for row in rows.into_iter().filter(|row| row.enabled) {
            let (addresses, certificates) = listed(&row)?;
            let dialect =
                Dialect::named(&row.dialect).map_err(|error| Error::Internal(error.to_string()))?;
            if addresses.is_empty() && certificates.is_empty() {
                continue;
            }
            let addresses = addresses.iter().filter_map(|text| text.parse().ok()).collect();
            entries.push(Entry { name: row.name, dialect, addresses, certificates });
        }
        Ok(Roster(entries))
    }

    /// The sender of lines that come from an address; `None`: nobody who may send.
    pub fn syslog_sender(
        &self,
        roster: &Roster,
        address: IpAddr,
        peer: Option<&Peer>,
    ) -> Option<Sender> {
        let entry = roster.find(address, peer)?;
        let client = Client { ip: Some(address.to_canonical().to_string()), user_agent: None };
        let by_certificate = !entry.certificates.is_empty();
        let method = if by_certificate { "client_certificate" } else { "address" };
        Some(self.known_sender(&entry.name, entry.dialect, client, method))
    }

    /// A source that has shown who it is, by `method`.
    pub(super) fn known_sender(
        &self,
        name: &str,
        dialect: Dialect,
        client: Client,
        method: &'static str,
    ) -> Sender {
        let mut context = Context::anonymous(self.environment(), Origin::Intake, client);
        context.actor = Actor { kind: ActorKind::External, id: Some(name.to_owned()), role: None };
        context.role = Some(Role::Viewer);
        context.authentication = Some(Authentication { method: method.into(), credential: None });
        Sender { name: name.to_owned(), dialect, context }
    }
}

/// What a row lists.
pub(super) fn listed(row: &table::Source) -> Result<(Vec<String>, Vec<String>), Error> {
    let list = |text: &str| {
        serde_json::from_str(text)
            .map_err(|error| Error::Internal(format!("source {}: {error}", row.name)))
    };
    Ok((list(&row.addresses)?, list(&row.certificates)?))
}

/// Ranges as they are kept.
pub(super) fn check_addresses(given: &[String]) -> Result<Vec<String>, Error> {
    if given.len() > LISTED_MAX {
        return Err(Error::invalid("addresses", format!("{LISTED_MAX} at most")));
    }
    let mut kept = Vec::new();
    for text in given {
        let range: Range =
            text.parse().map_err(|_| Error::invalid("addresses", "ranges such as 10.0.0.0/8"))?;
        let text = range.to_string();
        if !kept.contains(&text) {
            kept.push(text);
        }
    }
    Ok(kept)
}

/// Certificates as they are kept: fingerprints, or names.
pub(super) fn check_certificates(given: &[String]) -> Result<Vec<String>, Error> {
    let wrong = || {
        Error::invalid("certificates", "SHA-256 fingerprints, or common or DNS names, 100 at most")
    };
    if given.len() > LISTED_MAX {
        return Err(wrong());
    }
    let mut kept = Vec::new();
    for text in given {
        let text = text.trim().to_lowercase();
        let digits = text.replace(':', "");
        let is_fingerprint =
            digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let name = if is_fingerprint { digits } else { text };
        if name.is_empty() || name.len() > 255 || name.chars().any(char::is_control) {
            return Err(wrong());
        }
        if !kept.contains(&name) {
            kept.push(name);
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, addresses: &[&str], certificates: &[&str]) -> Entry {
        Entry {
            name: name.to_owned(),
            dialect: Dialect::Syslog,
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
            certificates: certificates.iter().map(|text| text.to_string()).collect(),
        }
    }

    #[test]
    fn a_sender_is_the_source_that_fits_best_or_nobody() {
        let roster = Roster(vec![
            entry("both", &["10.0.0.0/8"], &["fw.example.org"]),
            entry("certificate", &[], &["ab"]),
            entry("narrow", &["10.1.0.0/16"], &[]),
            entry("six", &["2001:db8::/32"], &[]),
            entry("wide", &["10.0.0.0/8"], &[]),
        ]);
        let peer = |fingerprint: &str, name: &str| Peer {
            fingerprint_sha256: fingerprint.to_owned(),
            names: vec![name.to_owned()],
        };
        let found = |address: &str, peer: Option<&Peer>| {
            roster.find(address.parse().unwrap(), peer).map(|entry| entry.name.clone())
        };
        let (known, other) = (peer("x", "fw.example.org"), peer("y", "other"));
        for (address, peer, expected) in [
            ("10.2.0.1", None, Some("wide")),
            ("10.1.0.1", None, Some("narrow")),
            ("::ffff:10.1.0.1", None, Some("narrow")),
            ("10.1.0.1", Some(&known), Some("both")),
            ("10.1.0.1", Some(&other), Some("narrow")),
            ("192.0.2.1", Some(&known), None),
            ("192.0.2.1", None, None),
            ("192.0.2.1", Some(&peer("ab", "")), Some("certificate")),
            ("2001:db8::7", None, Some("six")),
            ("2001:db9::7", None, None),
        ] {
            assert_eq!(found(address, peer).as_deref(), expected, "{address} {peer:?}");
        }
        assert!(roster.may_be("192.0.2.1".parse().unwrap()), "it may show a certificate");
        let closed = Roster(vec![entry("wide", &["10.0.0.0/8"], &[])]);
        assert!(!closed.may_be("192.0.2.1".parse().unwrap()));
        assert!(Roster::default().find("127.0.0.1".parse().unwrap(), None).is_none());
    }

    #[test]
    fn lists_are_kept_in_one_spelling_or_refused() {
        let texts = |items: &[&str]| items.iter().map(ToString::to_string).collect::<Vec<_>>();
        let kept = check_addresses(&texts(&["10.1.2.3/8", "10.0.0.0/8", "::1"])).unwrap();
        assert_eq!(kept, ["10.0.0.0/8", "::1/128"]);
        assert!(check_addresses(&texts(&["everybody"])).is_err());
        let colons = vec!["AB:".repeat(31) + "AB", "Fw.Example.org ".to_owned()];
        let kept = check_certificates(&colons).unwrap();
        assert_eq!(kept, ["ab".repeat(32), "fw.example.org".to_owned()]);
        assert!(check_certificates(&texts(&[" "])).is_err());
        assert!(check_certificates(&vec!["x".to_owned(); 101]).is_err());
    }
}
