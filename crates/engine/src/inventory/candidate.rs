//! A certificate that was presented and is not in the inventory yet.

use aws_lc_rs::digest;
use chancery_event::id::CertificateId;
use chancery_event::types::certificate::{CertificateSummary, PresentedCertificate};
use chancery_event::{Environment, Target, TargetKind, Timestamp};
use chancery_pki::Certificate as Parsed;
use chancery_pki::certificate;
use chancery_store::Link;
use chancery_store::table::certificate::{self as table, Certificate, Name};
use chancery_store::table::label::{self, Class};

use super::Source;
use crate::Error;

/// A presented certificate, parsed, with the row it would get.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The certificate.
    pub parsed: Parsed,
    /// What was sent: `pem`, `der`, `pkcs7` or `pkcs12`.
    pub format: &'static str,
    /// The row it would get; its placement and status are not decided yet.
    pub row: Certificate,
    /// Subject alternative names, lower-case.
    pub names: Vec<Name>,
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// The key of a name, from its normal form: names that are compared as the same have one key.
pub(super) fn name_key(normal: &str) -> String {
    hex(digest::digest(&digest::SHA256, normal.as_bytes()).as_ref())
}

impl Candidate {
    /// A candidate from a parsed certificate.
    pub(crate) fn new(
        parsed: Parsed,
        format: &'static str,
        source: Source,
        environment: &Environment,
    ) -> Self {
        let now = environment.now();
        let mut names: Vec<Name> = parsed
            .names()
            .iter()
            .map(|name| Name {
                kind: name.kind.as_str().to_owned(),
                value: name.value.to_lowercase(),
            })
            .collect();
        names.sort();
        names.dedup();
        let row = Certificate {
            id: environment.id::<CertificateId>(),
            fingerprint_sha256: hex(&parsed.fingerprint_sha256),
            fingerprint_sha1: hex(&parsed.fingerprint_sha1),
            serial: parsed.serial.clone(),
            subject_dn: parsed.subject_dn.clone(),
            subject_cn: parsed.subject_cn.clone(),
            issuer_dn: parsed.issuer_dn.clone(),
            issuer_cn: parsed.issuer_cn.clone(),
            subject_key: name_key(&parsed.subject_normal()),
            issuer_key: name_key(&parsed.issuer_normal()),
            subject_key_id: parsed.subject_key_id().map(hex),
            authority_key_id: parsed.authority_key_id().map(hex),
            spki_sha256: hex(&parsed.spki_sha256),
            not_before: Timestamp::from_micros(parsed.not_before),
            not_after: Timestamp::from_micros(parsed.not_after),
            key_algorithm: key_algorithm(&parsed),
            key_size: parsed.key_size.map_or(0, i64::from),
            signature_algorithm: parsed.signature_algorithm.clone(),
            is_ca: parsed.is_ca(),
            self_issued: parsed.self_issued,
            key_usage: parsed.key_usage().unwrap_or_default().join(","),
            extended_key_usage: parsed.extended_key_usage().join(","),
            trust_anchor: false,
            demonstration: source == Source::Demonstration,
            status: "unknown".to_owned(),
            status_reason: String::new(),
            status_checks: "[]".to_owned(),
            chain: "[]".to_owned(),
            status_at: now,
            status_due_at: now,
            archived: false,
            owner: None,
            ra_profile: None,
            path: "/".to_owned(),
            source: source.as_str().to_owned(),
            replaced_by: None,
            replacement_kind: None,
            created_at: now,
            version: 1,
        };
        Self { parsed, format, row, names }
    }

    /// What the operation's event says of it while it is not in the inventory.
    pub(crate) fn presented(&self) -> PresentedCertificate {
        let presented = PresentedCertificate {
            fingerprint_sha256: self.row.fingerprint_sha256.clone(),
            serial_number: self.row.serial.clone(),
            subject_dn: Some(self.row.subject_dn.clone()),
            issuer_dn: Some(self.row.issuer_dn.clone()),
            not_before: self.row.not_before,
            not_after: self.row.not_after,
            person_dn: None,
            person_issuer_dn: None,
        };
        let presented =
            if self.parsed.names_a_person() { presented.of_a_person() } else { presented };
        let by_a_person = certificate::dn_names_a_person(&self.row.issuer_dn);
        if by_a_person { presented.by_a_person() } else { presented }
    }
}

/// `RSA`, `EC P-256`, `Ed25519` …: the algorithm with its curve where it has one.
fn key_algorithm(parsed: &Parsed) -> String {
    match &parsed.curve {
        Some(curve) if parsed.key_algorithm == "EC" => format!("EC {curve}"),
        _ => parsed.key_algorithm.clone(),
    }
}

/// Whether a row is about a person: an S/MIME certificate, say. Its names are personal data.
pub(crate) fn names_a_person(row: &Certificate, names: &[Name]) -> bool {
    let for_mail = names.iter().any(|name| name.kind == "email")
        || row.extended_key_usage.to_ascii_lowercase().contains("emailprotection");
    let has_dns_name = names.iter().any(|name| name.kind == "dns");
    certificate::names_a_person(&row.subject_dn, for_mail, has_dns_name, row.is_ca)
}

/// What events say of a certificate of the inventory, with what other tables know of it.
pub(crate) async fn whole_summary(
    link: &mut Link,
    row: &Certificate,
    person: bool,
) -> Result<CertificateSummary, Error> {
    let mut summary = summary(row, person);
    summary.group_ids = table::groups(link, row.id).await?.into_iter().map(|(id, _)| id).collect();
    summary.ra_profile = profile_name(link, row).await?;
    Ok(summary)
}

/// The name of the RA profile of a certificate, if it has one.
pub(crate) async fn profile_name(
    link: &mut Link,
    row: &Certificate,
) -> Result<Option<String>, Error> {
    let Some(id) = row.ra_profile else { return Ok(None) };
    let found = label::find(link, Class::RaProfile, &id.to_string()).await?;
    Ok(found.map(|label| label.name))
}

/// What events say of a certificate of the inventory, as far as its row tells.
pub(crate) fn summary(row: &Certificate, person: bool) -> CertificateSummary {
    let summary = CertificateSummary {
        certificate_id: row.id,
        fingerprint_sha256: row.fingerprint_sha256.clone(),
        serial_number: row.serial.clone(),
        subject_dn: Some(row.subject_dn.clone()),
        issuer_dn: Some(row.issuer_dn.clone()),
        not_before: row.not_before,
        not_after: row.not_after,
        authority_id: None,
        ra_profile_id: row.ra_profile,
        ra_profile: None,
        group_ids: Vec::new(),
        person_dn: None,
        person_issuer_dn: None,
    };
    let summary = if person { summary.of_a_person() } else { summary };
    let by_a_person = certificate::dn_names_a_person(&row.issuer_dn);
    if by_a_person { summary.by_a_person() } else { summary }
}

/// What people call a certificate.
pub(crate) fn title(row: &Certificate) -> &str {
    match &row.subject_cn {
        Some(name) if !name.is_empty() => name,
        _ if !row.subject_dn.is_empty() => &row.subject_dn,
        _ => &row.fingerprint_sha256,
    }
}

/// A certificate as the target of an event; the name of one about a person stays out of it.
pub(crate) fn target(row: &Certificate, person: bool) -> Target {
    let target = Target::new(TargetKind::Certificate, row.id);
    if person { target } else { target.named(title(row)) }
}
