//! Whether one certificate follows another: so that an old one need not be renewed again, and a new
//! one is known as its successor although nobody linked the two.

use crate::Certificate;
use crate::certificate::Kind;

/// How a certificate follows another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// Same names, same issuer, same key.
    Renewal,
    /// Same names, same issuer, another key.
    Rekey,
    /// Same names and key from another issuer.
    Replacement,
}

/// Names for comparison: alternative names sorted and folded; without any, the subject's normal
/// form.
fn identity(certificate: &Certificate) -> Vec<(Option<Kind>, String)> {
    let mut names: Vec<(Option<Kind>, String)> = certificate
        .names()
        .iter()
        .map(|name| {
            let value = match name.kind {
                Kind::Dns => name.value.trim_end_matches('.').to_ascii_lowercase(),
                Kind::Email | Kind::Dn => name.value.to_lowercase(),
                _ => name.value.clone(),
            };
            (Some(name.kind), value)
        })
        .collect();
    if names.is_empty() {
        return vec![(None, certificate.subject_normal())];
    }
    names.sort();
    names.dedup();
    names
}

/// How `newer` follows `older`; `None` if it does not.
///
/// It follows if it is for the same set of names (or the same subject where neither has names), is
/// another certificate, ends later, and has the same issuer or the same key. An empty subject
/// without names identifies nothing and follows nothing but by the same key.
pub fn replaces(newer: &Certificate, older: &Certificate) -> Option<Relation> {
    if newer.fingerprint_sha256 == older.fingerprint_sha256
        || newer.not_after <= older.not_after
        || newer.is_ca() != older.is_ca()
        || newer.is_precertificate()
    {
        return None;
    }
    let same_key = newer.spki_sha256 == older.spki_sha256;
    let same_issuer =
        newer.issuer_der() == older.issuer_der() || newer.issuer_normal() == older.issuer_normal();
    let names = identity(newer);
    let names_nothing = names.iter().all(|(kind, value)| kind.is_none() && value.is_empty());
    if (names_nothing && !same_key) || names != identity(older) {
        return None;
    }
    match (same_issuer, same_key) {
        (true, true) => Some(Relation::Renewal),
        (true, false) => Some(Relation::Rekey),
        (false, true) => Some(Relation::Replacement),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::make::{self, Issuer, Key, Template};
    use crate::time::DAY;

    fn key(seed: &str) -> Key {
        Key::from_seed(seed.as_bytes()).unwrap()
    }

    fn made(template: &Template, key: &Key, issuer: Option<&Issuer<'_>>) -> Certificate {
        Certificate::parse(&make::certificate(template, key, issuer).unwrap()).unwrap()
    }

    #[test]
    fn each_relation_and_what_is_none() {
        let (key_a, key_b, key_1, key_2) = (key("a"), key("b"), key("1"), key("2"));
        let ca_a = made(&Template::ca("A", 0, 4_000 * DAY), &key_a, None);
        let ca_b = made(&Template::ca("B", 0, 4_000 * DAY), &key_b, None);
        let from_a = Issuer { certificate: &ca_a, key: &key_a };
        let from_b = Issuer { certificate: &ca_b, key: &key_b };
        let leaf = |dns: &[&str], end: i64| Template::leaf(dns, end - 90 * DAY, end);
        let old = made(&leaf(&["x.test", "y.test"], 100 * DAY), &key_1, Some(&from_a));
        let cases = [
            (&["Y.test", "x.test"][..], 200, &key_1, &from_a, Some(Relation::Renewal)),
            (&["y.test", "x.test"], 200, &key_2, &from_a, Some(Relation::Rekey)),
            (&["y.test", "x.test"], 200, &key_1, &from_b, Some(Relation::Replacement)),
            (&["y.test", "x.test"], 200, &key_2, &from_b, None),
            (&["y.test"], 200, &key_1, &from_a, None),
            (&["y.test", "x.test", "z.test"], 200, &key_1, &from_a, None),
            (&["y.test", "x.test"], 99, &key_1, &from_a, None),
        ];
        for (dns, end, key, issuer, expected) in cases {
            let new = made(&leaf(dns, end * DAY), key, Some(issuer));
            assert_eq!(replaces(&new, &old), expected, "{dns:?} {end}");
        }
        assert_eq!(replaces(&old, &old), None);
        let next_ca = made(&Template::ca("a", 0, 5_000 * DAY), &key_2, None);
        assert_eq!(replaces(&next_ca, &ca_a), Some(Relation::Rekey), "names differ in case only");
        assert_eq!(replaces(&next_ca, &ca_b), None);
    }
}
