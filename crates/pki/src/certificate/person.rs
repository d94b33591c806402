//! Whether a certificate names a person.
//!
//! Nothing in a certificate says so, and what is taken for a machine is written where nobody can
//! erase it. So doubts count as a person: a mailbox of a role is withheld as well.

/// Attributes of a person: mail address, surname, given name, initials, pseudonym; as RFC 4514 text
/// writes them here and elsewhere, lower-case.
const OF_A_PERSON: &[&str] = &[
    "emailaddress",
    "e",
    "email",
    "1.2.840.113549.1.9.1",
    "sn",
    "surname",
    "2.5.4.4",
    "gn",
    "givenname",
    "2.5.4.42",
    "initials",
    "2.5.4.43",
    "pseudonym",
    "2.5.4.65",
];

/// Whether a certificate with this subject (RFC 4514 text) names a person: the subject has an
/// attribute of a person, or the certificate is for mail (`for_mail`: a mail address among its
/// alternative names, or the usage) and is not that of an authority. One with a DNS name is a
/// machine's.
pub fn names_a_person(subject: &str, for_mail: bool, has_dns_name: bool, is_ca: bool) -> bool {
    !has_dns_name && (dn_names_a_person(subject) || (for_mail && !is_ca))
}

/// Whether a distinguished name (RFC 4514 text) has an attribute that persons have, or a mail
/// address as a common name or user id.
pub fn dn_names_a_person(dn: &str) -> bool {
    parts(dn).any(|part| {
        let (kind, value) = part.split_once('=').unwrap_or((part, ""));
        let kind = kind.trim().to_ascii_lowercase();
        OF_A_PERSON.contains(&kind.as_str())
            || (matches!(kind.as_str(), "cn" | "uid") && value.contains('@'))
    })
}

/// The attributes, cut at each `,` and `+` that no backslash stands before (RFC 4514 section 2.4).
fn parts(dn: &str) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    dn.split(move |character: char| {
        let cuts = matches!(character, ',' | '+') && !escaped;
        escaped = character == '\\' && !escaped;
        cuts
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_people_are_told_from_others() {
        let check = |dn: &str, expected: bool| assert_eq!(dn_names_a_person(dn), expected, "{dn}");
        check("CN=Ada Byron+emailAddress=ada@example.org,O=Example", true);
        check("C=GB,SN=Byron,GN=Ada,CN=Ada Byron", true);
        check("1.2.840.113549.1.9.1=#1603612e62,CN=x", true);
        check("CN=ada@example.org", true);
        check("UID=ada@example.org,DC=example", true);
        check("CN=www.example.org,O=Example\\, SN=no", false);
        check("CN=a\\\\,SN=Byron", true);
        check("CN=Example Root CA,O=Example Ltd,C=GB,serialNumber=7", false);
        check("O=a@b", false);
        check("", false);
    }

    #[test]
    fn authorities_and_machines_are_not_taken_for_people() {
        let check = |subject: &str, mail: bool, dns: bool, ca: bool, expected: bool| {
            assert_eq!(names_a_person(subject, mail, dns, ca), expected, "{subject}");
        };
        check("CN=Ada", true, false, false, true);
        check("CN=Example CA", true, false, true, false);
        check("CN=Ada,emailAddress=ada@example.org", false, false, true, true);
        check("CN=www,emailAddress=hostmaster@example.org", false, true, false, false);
        check("GN=Ada,SN=Byron", false, false, false, true);
    }
}
