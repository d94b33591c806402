//! Certificates that foreign events name, looked up in the inventory: by fingerprint, SHA-256
//! before SHA-1, else by serial number and issuer. Nothing enters the inventory here.

use chancery_event::Target;
use chancery_event::dialect::NamedCertificate;
use chancery_event::id::CertificateId;
use chancery_store::Link;
use chancery_store::table::{certificate, intake as table};

use crate::Error;
use crate::inventory::candidate;

/// Those of the inventory as targets, and what the others are called: fingerprint, or serial number
/// and issuer.
pub(super) async fn certificates(
    link: &mut Link,
    named: &[NamedCertificate],
) -> Result<(Vec<Target>, Vec<String>), Error> {
    let (mut targets, mut unknown): (Vec<Target>, Vec<String>) = (Vec::new(), Vec::new());
    for one in named {
        match find(link, one).await? {
            Some(id) => {
                let Some(row) = certificate::find(link, id).await? else { continue };
                let names = certificate::names(link, id).await?;
                let person = candidate::names_a_person(&row, &names);
                let target = candidate::target(&row, person);
                if !targets.contains(&target) {
                    targets.push(target);
                }
            }
            None => unknown.push(called(one)),
        }
    }
    Ok((targets, unknown))
}

async fn find(link: &mut Link, named: &NamedCertificate) -> Result<Option<CertificateId>, Error> {
    if let Some(fingerprint) = &named.fingerprint_sha256
        && let Some(id) = certificate::id_of(link, fingerprint).await?
    {
        return Ok(Some(id));
    }
    if let Some(fingerprint) = &named.fingerprint_sha1
        && let [id] = *certificate::ids_of_sha1(link, fingerprint).await?
    {
        return Ok(Some(id));
    }
    let (Some(serial), Some(issuer)) = (&named.serial_number, &named.issuer_dn) else {
        return Ok(None);
    };
    // The inventory has whole bytes.
    let whole = format!("0{serial}");
    let wanted = parts(issuer);
    let mut found = table::by_serial(link, serial, &whole).await?;
    found.retain(|(_, issuer)| parts(issuer) == wanted);
    Ok(match found.as_slice() {
        [(id, _)] => Some(*id),
        // None, or which of several is not known.
        _ => None,
    })
}

/// A distinguished name as the set of its parts: systems differ in order, blanks and case.
fn parts(dn: &str) -> Vec<String> {
    let (mut parts, mut part, mut escaped) = (Vec::new(), String::new(), false);
    for c in dn.chars() {
        match c {
            c if escaped => {
                part.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            ',' | '/' | ';' => parts.push(std::mem::take(&mut part)),
            c => part.push(c),
        }
    }
    parts.push(part);
    let clean = |part: String| {
        let (name, value) = part.split_once('=').unwrap_or(("", &part));
        format!("{}={}", name.trim(), value.trim()).to_lowercase()
    };
    let mut parts: Vec<String> =
        parts.into_iter().filter(|part| !part.trim().is_empty()).map(clean).collect();
    parts.sort_unstable();
    parts
}

fn called(named: &NamedCertificate) -> String {
    let short = |text: &Option<String>| -> String {
        text.iter().flat_map(|text| text.chars()).take(200).collect()
    };
    match named.fingerprint_sha256.as_ref().or(named.fingerprint_sha1.as_ref()) {
        Some(fingerprint) => fingerprint.clone(),
        None => format!("{} {}", short(&named.serial_number), short(&named.issuer_dn)),
    }
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn names_are_the_same_in_any_order_and_case() {
        assert_eq!(parts("CN=a\\, b,O=X, C=GB"), parts("c=gb, o=x , cn=A\\, B"));
        assert_eq!(parts("/C=GB/O=X/CN=y"), parts("CN=y,O=X,C=GB"));
        assert_ne!(parts("CN=a,O=X"), parts("CN=a,O=Y"));
    }
}
