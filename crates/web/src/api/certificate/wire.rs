//! Certificates as the API tells them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_engine::inventory::{CertificateView, PlacementRequest};
use chancery_engine::row;
use chancery_event::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::wire::{Named, clearable};

/// A certificate as lists tell it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct CertificateSummary {
    /// Its identifier.
    id: String,
    /// Subject, RFC 4514.
    #[schema(example = "CN=www.example.org,O=Example")]
    subject: String,
    /// Common name of the subject.
    subject_cn: Option<String>,
    /// Issuer, RFC 4514.
    issuer: String,
    /// Serial number, lower-case hex.
    serial: String,
    /// SHA-256 of the bytes, lower-case hex.
    fingerprint_sha256: String,
    /// Valid from.
    #[schema(value_type = String, format = DateTime)]
    not_before: Timestamp,
    /// Valid until.
    #[schema(value_type = String, format = DateTime)]
    not_after: Timestamp,
    /// Such as `RSA` or `EC P-256`.
    key_algorithm: String,
    /// Bits; 0: not known.
    key_size: i64,
    /// Such as `ecdsa-with-SHA256`.
    signature_algorithm: String,
    /// May issue certificates.
    is_ca: bool,
    /// Chains may end here.
    trust_anchor: bool,
    /// Validation status, such as `valid`, `expiring`, `expired`, `invalid`.
    #[schema(example = "valid")]
    status: String,
    /// Why, in one sentence.
    status_reason: String,
    /// Out of sight, kept.
    archived: bool,
    /// Folder.
    #[schema(example = "/prod/web")]
    path: String,
    /// By which way it came in: `upload`, `import` or `demo`.
    source: String,
    /// Its successor.
    replaced_by: Option<String>,
    /// When it entered the inventory.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Counts changes.
    version: i64,
}

impl CertificateSummary {
    /// Columns of the CSV export.
    pub(crate) const COLUMNS: &[&str] = &[
        "id",
        "subject",
        "issuer",
        "serial",
        "fingerprint_sha256",
        "not_before",
        "not_after",
        "key_algorithm",
        "key_size",
        "signature_algorithm",
        "status",
        "status_reason",
        "archived",
        "path",
        "source",
        "created_at",
    ];

    /// Cells of the CSV export.
    pub(crate) fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.subject.clone(),
            self.issuer.clone(),
            self.serial.clone(),
            self.fingerprint_sha256.clone(),
            self.not_before.to_string(),
            self.not_after.to_string(),
            self.key_algorithm.clone(),
            self.key_size.to_string(),
            self.signature_algorithm.clone(),
            self.status.clone(),
            self.status_reason.clone(),
            self.archived.to_string(),
            self.path.clone(),
            self.source.clone(),
            self.created_at.to_string(),
        ]
    }
}

impl From<&row::Certificate> for CertificateSummary {
    fn from(row: &row::Certificate) -> Self {
        Self {
            id: row.id.to_string(),
            subject: row.subject_dn.clone(),
            subject_cn: row.subject_cn.clone(),
            issuer: row.issuer_dn.clone(),
            serial: row.serial.clone(),
            fingerprint_sha256: row.fingerprint_sha256.clone(),
            not_before: row.not_before,
            not_after: row.not_after,
            key_algorithm: row.key_algorithm.clone(),
            key_size: row.key_size,
            signature_algorithm: row.signature_algorithm.clone(),
            is_ca: row.is_ca,
            trust_anchor: row.trust_anchor,
            status: row.status.clone(),
            status_reason: row.status_reason.clone(),
            archived: row.archived,
            path: row.path.clone(),
            source: row.source.clone(),
            replaced_by: row.replaced_by.map(|id| id.to_string()),
            created_at: row.created_at,
            version: row.version,
        }
    }
}

/// A certificate, whole.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct CertificateDetail {
    #[serde(flatten)]
    summary: CertificateSummary,
    /// SHA-1 of the bytes, lower-case hex.
    fingerprint_sha1: String,
    /// SHA-256 of the public key info, hex.
    spki_sha256: String,
    /// Subject key identifier, hex.
    subject_key_id: Option<String>,
    /// Authority key identifier, hex.
    authority_key_id: Option<String>,
    /// Key usages.
    key_usage: Vec<String>,
    /// Extended key usages.
    extended_key_usage: Vec<String>,
    /// Subject alternative names.
    names: Vec<SubjectName>,
    /// Its groups.
    groups: Vec<Named>,
    /// Who answers for it.
    owner: Option<Named>,
    /// Its RA profile.
    ra_profile: Option<Named>,
    /// Values of custom attributes by name, as a change takes them.
    #[schema(value_type = Object, example = json!({ "cost_centre": "4711" }))]
    attributes: BTreeMap<String, Value>,
    /// Every check of its validation.
    checks: Vec<CertificateCheck>,
    /// When the status was computed.
    #[schema(value_type = String, format = DateTime)]
    status_at: Timestamp,
    /// From itself upwards, as far as the chain goes.
    chain: Vec<ChainEntry>,
    /// What it replaces.
    replaces: Vec<Named>,
    /// How its successor came about: `renewal`, `rekey` or `replacement`.
    replacement_kind: Option<String>,
    /// Certificates of the inventory that name it as their issuer; 100001 are more than 100000.
    issued: u64,
    /// The certificate, PEM.
    pem: String,
}

/// A subject alternative name.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct SubjectName {
    /// `dns`, `ip`, `email`, `uri`, `dn` or `other`.
    kind: String,
    /// The name.
    value: String,
}

/// One check of a validation.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct CertificateCheck {
    /// Which check.
    name: String,
    /// `passed`, `failed`, `skipped` or `unknown`.
    result: String,
    /// One sentence.
    reason: String,
}

/// One certificate of a chain.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct ChainEntry {
    /// Its identifier, if it is still in the inventory.
    id: Option<String>,
    /// SHA-256, lower-case hex.
    fingerprint_sha256: String,
    /// What people call it.
    subject: String,
    /// Its own status.
    status: Option<String>,
    /// Valid until.
    #[schema(value_type = Option<String>, format = DateTime)]
    not_after: Option<Timestamp>,
}

/// A view of the engine as the API tells it.
pub(crate) fn detail(view: CertificateView) -> CertificateDetail {
    let row = &view.row;
    let list = |text: &str| -> Vec<String> {
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    CertificateDetail {
        summary: row.into(),
        fingerprint_sha1: row.fingerprint_sha1.clone(),
        spki_sha256: row.spki_sha256.clone(),
        subject_key_id: row.subject_key_id.clone(),
        authority_key_id: row.authority_key_id.clone(),
        key_usage: list(&row.key_usage),
        extended_key_usage: list(&row.extended_key_usage),
        names: view
            .names
            .into_iter()
            .map(|name| SubjectName { kind: name.kind, value: name.value })
            .collect(),
        groups: view.groups.into_iter().map(|(id, name)| Named::new(id, name)).collect(),
        owner: row.owner.map(|id| Named::new(id, view.owner_name.clone().unwrap_or_default())),
        ra_profile: row
            .ra_profile
            .map(|id| Named::new(id, view.ra_profile_name.clone().unwrap_or_default())),
        attributes: view.attributes.into_iter().map(|entry| (entry.name, entry.json)).collect(),
        checks: view
            .checks
            .into_iter()
            .map(|check| CertificateCheck {
                name: check.name,
                result: check.result,
                reason: check.reason,
            })
            .collect(),
        status_at: row.status_at,
        chain: view
            .chain
            .into_iter()
            .map(|link| ChainEntry {
                id: link.id.map(|id| id.to_string()),
                fingerprint_sha256: link.fingerprint,
                subject: link.subject,
                status: link.status,
                not_after: link.not_after,
            })
            .collect(),
        replaces: view.replaces.into_iter().map(|(id, title)| Named::new(id, title)).collect(),
        replacement_kind: row.replacement_kind.clone(),
        issued: view.issued,
        pem: pem(&view.der),
    }
}

/// PEM (RFC 7468 §5) of a certificate.
pub(super) fn pem(der: &[u8]) -> String {
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let text = STANDARD.encode(der);
    for line in text.as_bytes().chunks(64) {
        pem.extend(line.iter().copied().map(char::from));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

/// A change of a certificate. What is absent stays, null clears.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({
    "owner": "alice",
    "groups": ["web"],
    "path": "/prod/web",
    "attributes": { "cost_centre": "4711" }
}))]
pub(crate) struct CertificateChange {
    /// Login name or identifier of an account.
    #[serde(deserialize_with = "clearable")]
    owner: Option<String>,
    /// Names or identifiers of groups; replaces all.
    groups: Option<Vec<String>>,
    /// Name or identifier of an RA profile.
    #[serde(deserialize_with = "clearable")]
    ra_profile: Option<String>,
    /// Folder.
    path: Option<String>,
    /// Values of custom attributes by name; null clears one.
    #[schema(value_type = Object)]
    attributes: BTreeMap<String, Value>,
    /// Chains may end here.
    trust_anchor: Option<bool>,
    /// The version that was read; `If-Match` says the same.
    pub(super) version: Option<i64>,
}

impl From<CertificateChange> for PlacementRequest {
    fn from(change: CertificateChange) -> Self {
        Self {
            owner: change.owner,
            groups: change.groups,
            ra_profile: change.ra_profile,
            path: change.path,
            attributes: change.attributes,
            trust_anchor: change.trust_anchor,
        }
    }
}
