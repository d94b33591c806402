//! Name constraints (RFC 5280 section 4.2.1.10): whether a CA may vouch for the names below it.

use std::net::IpAddr;
use std::sync::Arc;

use crate::Certificate;
use crate::certificate::{GeneralName, Kind};

/// The first violation in a path (subject first), as one plain sentence.
pub(super) fn violation(path: &[Arc<Certificate>]) -> Option<String> {
    for (index, issuer) in path.iter().enumerate().skip(1) {
        let Some(constraints) = issuer.name_constraints() else {
            continue;
        };
        for (below, certificate) in path.iter().take(index).enumerate() {
            // Self-issued CAs inside the path are exempt, the subject is not.
            if below > 0 && certificate.self_issued {
                continue;
            }
            for name in names(certificate) {
                let same_kind = |base: &&GeneralName| base.kind == name.kind;
                let refused =
                    constraints.excluded.iter().filter(same_kind).any(|base| covers(base, &name))
                        || (constraints.permitted.iter().any(|base| base.kind == name.kind)
                            && !constraints
                                .permitted
                                .iter()
                                .filter(same_kind)
                                .any(|base| covers(base, &name)));
                if refused {
                    return Some(format!(
                        "the name {} is outside what its issuer “{}” may vouch for",
                        name.value.trim_end().replace('\n', ", "),
                        issuer.subject_dn
                    ));
                }
            }
        }
    }
    None
}

/// Every name of a certificate that constraints apply to; directory names in normal form.
fn names(certificate: &Certificate) -> Vec<GeneralName> {
    let mut names: Vec<GeneralName> =
        certificate.names().iter().filter(|name| name.kind != Kind::Dn).cloned().collect();
    names.extend(
        certificate
            .directory_names()
            .iter()
            .map(|name| GeneralName { kind: Kind::Dn, value: name.clone() }),
    );
    if !certificate.subject_dn.is_empty() {
        names.push(GeneralName { kind: Kind::Dn, value: certificate.subject_normal() });
    }
    if !names.iter().any(|name| name.kind == Kind::Email) {
        names.extend(
            certificate
                .subject_emails
                .iter()
                .map(|mail| GeneralName { kind: Kind::Email, value: mail.clone() }),
        );
    }
    names
}

/// Whether a name lies in the subtree of a base of the same kind.
fn covers(base: &GeneralName, name: &GeneralName) -> bool {
    match base.kind {
        Kind::Dns => domain(&base.value, &name.value),
        Kind::Email => mail(&base.value, &name.value),
        Kind::Uri => host(&name.value).is_some_and(|host| exact_or_below(&base.value, host)),
        Kind::Ip => address(&base.value, &name.value),
        Kind::Dn => name.value.starts_with(&base.value),
        Kind::Other => base.value == name.value,
    }
}

/// The base itself and everything below it; a leading dot asks for something below.
fn domain(base: &str, name: &str) -> bool {
    let (base, name) = (base.to_ascii_lowercase(), name.to_ascii_lowercase());
    let name = name.trim_end_matches('.');
    match name.strip_suffix(base.trim_start_matches('.')) {
        Some("") => !base.starts_with('.'),
        Some(rest) => base.is_empty() || rest.ends_with('.'),
        None => false,
    }
}

/// A host means that host, a leading dot means everything below it.
fn exact_or_below(base: &str, host: &str) -> bool {
    if base.starts_with('.') { domain(base, host) } else { base.eq_ignore_ascii_case(host) }
}

fn mail(base: &str, name: &str) -> bool {
    match (base.rsplit_once('@'), name.rsplit_once('@')) {
        (Some((box_a, host_a)), Some((box_b, host_b))) => {
            box_a == box_b && host_a.eq_ignore_ascii_case(host_b)
        }
        (None, Some((_, host))) => exact_or_below(base, host),
        (_, None) => false,
    }
}

fn host(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Some(host.split(':').next().unwrap_or(host))
}

/// `base` is `address/mask`.
fn address(base: &str, name: &str) -> bool {
    let octets = |text: &str| -> Option<Vec<u8>> {
        Some(match text.parse::<IpAddr>().ok()? {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        })
    };
    let Some((network, mask)) = base.split_once('/') else {
        return false;
    };
    let (Some(network), Some(mask), Some(name)) = (octets(network), octets(mask), octets(name))
    else {
        return false;
    };
    network.len() == name.len()
        && mask.len() == name.len()
        && network
            .iter()
            .zip(&mask)
            .zip(&name)
            .all(|((network, mask), name)| network & mask == name & mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(kind: Kind, value: &str) -> GeneralName {
        GeneralName { kind, value: value.to_owned() }
    }

    #[test]
    fn subtrees_of_each_kind() {
        let cases = [
            (Kind::Dns, "example.org", "example.org", true),
            (Kind::Dns, "example.org", "a.B.Example.org", true),
            (Kind::Dns, "example.org", "badexample.org", false),
            (Kind::Dns, ".example.org", "example.org", false),
            (Kind::Dns, "", "anything.test", true),
            (Kind::Email, "example.org", "a@example.org", true),
            (Kind::Email, "example.org", "a@b.example.org", false),
            (Kind::Email, ".example.org", "a@b.example.org", true),
            (Kind::Email, "a@example.org", "A@example.org", false),
            (Kind::Uri, "example.org", "https://u@example.org:8443/x", true),
            (Kind::Uri, ".example.org", "https://example.org/", false),
            (Kind::Ip, "10.0.0.0/255.0.0.0", "10.9.8.7", true),
            (Kind::Ip, "10.0.0.0/255.0.0.0", "11.9.8.7", false),
            (Kind::Ip, "10.0.0.0/255.0.0.0", "::1", false),
            (Kind::Ip, "0x0a", "10.0.0.1", false),
        ];
        for (kind, base, value, expected) in cases {
            assert_eq!(covers(&name(kind, base), &name(kind, value)), expected, "{base} {value}");
        }
    }
}
