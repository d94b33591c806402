//! Certificates of the inventory: what lists read in one row, the original bytes beside it.

mod batch;
mod placement;
pub mod search;
mod status;
mod text;

pub use batch::{NewCertificate, insert_all};
pub use placement::{
    AttributeValue, Placement, attributes, attributes_of, groups, put_attributes, put_groups,
    update_placement,
};
pub use status::{
    Due, ISSUED_COUNTED, StatusRow, any_without_chain, bearers, due, issued_by, issuers,
    link_replacement, make_due, make_page_due, make_self_due, related, replaced_by, standing,
    update_status,
};
pub(crate) use text::Texts;

use std::borrow::Cow;
use std::collections::HashSet;

use chancery_event::Timestamp;
use chancery_event::id::{AccountId, CertificateId, RaProfileId};

use crate::transaction::values_statement;
use crate::{Error, Link, Row, SqlValue, Tx, args, value};

/// Names of a certificate that are inserted together with its row.
const NAMES_AT_ONCE: usize = 16;

/// A certificate as stored, without its bytes, names, groups and attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its identifier.
    pub id: CertificateId,
    /// SHA-256 of the bytes, lower-case hex.
    pub fingerprint_sha256: String,
    /// SHA-1 of the bytes, lower-case hex.
    pub fingerprint_sha1: String,
    /// Serial number, lower-case hex.
    pub serial: String,
    /// Subject, RFC 4514.
    pub subject_dn: String,
    /// Common name of the subject.
    pub subject_cn: Option<String>,
    /// Issuer, RFC 4514.
    pub issuer_dn: String,
    /// Common name of the issuer.
    pub issuer_cn: Option<String>,
    /// Finds the certificates of a subject by name, whatever its spelling.
    pub subject_key: String,
    /// The same for the issuer.
    pub issuer_key: String,
    /// Subject key identifier, hex.
    pub subject_key_id: Option<String>,
    /// Authority key identifier, hex.
    pub authority_key_id: Option<String>,
    /// SHA-256 of the public key info, hex.
    pub spki_sha256: String,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// Such as `RSA` or `EC P-256`.
    pub key_algorithm: String,
    /// Bits; 0: not known.
    pub key_size: i64,
    /// Such as `ecdsa-with-SHA256`.
    pub signature_algorithm: String,
    /// May issue certificates.
    pub is_ca: bool,
    /// Subject and issuer are the same name.
    pub self_issued: bool,
    /// Comma-separated.
    pub key_usage: String,
    /// Comma-separated.
    pub extended_key_usage: String,
    /// Chains may end here.
    pub trust_anchor: bool,
    /// Made by the demonstration.
    pub demonstration: bool,
    /// Validation status.
    pub status: String,
    /// Why, in one sentence.
    pub status_reason: String,
    /// JSON: every check.
    pub status_checks: String,
    /// JSON array of fingerprints.
    pub chain: String,
    /// When it was computed.
    pub status_at: Timestamp,
    /// When time alone may change it.
    pub status_due_at: Timestamp,
    /// Out of sight, kept.
    pub archived: bool,
    /// Who answers for it.
    pub owner: Option<AccountId>,
    /// Its RA profile.
    pub ra_profile: Option<RaProfileId>,
    /// Folder.
    pub path: String,
    /// `upload`, `import` or `demo`.
    pub source: String,
    /// Its successor.
    pub replaced_by: Option<CertificateId>,
    /// `renewal`, `rekey` or `replacement`.
    pub replacement_kind: Option<String>,
    /// When it entered the inventory.
    pub created_at: Timestamp,
    /// Counts changes, for optimistic locking and ETags.
    pub version: i64,
}

/// A subject alternative name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// `dns`, `ip`, `email`, `uri`, `dn` or `other`.
    pub kind: String,
    /// Lower-case.
    pub value: String,
}

pub(crate) const COLUMNS: &str = "c.id, c.fingerprint_sha256, c.fingerprint_sha1, c.serial, \
    c.subject_dn, c.subject_cn, c.issuer_dn, c.issuer_cn, c.subject_key, c.issuer_key, \
    c.subject_key_id, c.authority_key_id, c.spki_sha256, c.not_before, c.not_after, \
    c.key_algorithm, c.key_size, c.signature_algorithm, c.is_ca, c.self_issued, c.key_usage, \
    c.extended_key_usage, c.trust_anchor, c.demonstration, c.status, c.status_reason, \
    c.status_checks, c.chain, c.status_at, c.status_due_at, c.archived, c.owner, c.ra_profile, \
    c.path, c.source, c.replaced_by, c.replacement_kind, c.created_at, c.version";

pub(crate) fn read(row: &Row) -> Result<Certificate, Error> {
    Ok(Certificate {
        id: row.id("id")?,
        fingerprint_sha256: row.text("fingerprint_sha256")?,
        fingerprint_sha1: row.text("fingerprint_sha1")?,
        serial: row.text("serial")?,
        subject_dn: row.text("subject_dn")?,
        subject_cn: row.maybe_text("subject_cn")?,
        issuer_dn: row.text("issuer_dn")?,
        issuer_cn: row.maybe_text("issuer_cn")?,
        subject_key: row.text("subject_key")?,
        issuer_key: row.text("issuer_key")?,
        subject_key_id: row.maybe_text("subject_key_id")?,
        authority_key_id: row.maybe_text("authority_key_id")?,
        spki_sha256: row.text("spki_sha256")?,
        not_before: row.time("not_before")?,
        not_after: row.time("not_after")?,
        key_algorithm: row.text("key_algorithm")?,
        key_size: row.int("key_size")?,
        signature_algorithm: row.text("signature_algorithm")?,
        is_ca: row.flag("is_ca")?,
        self_issued: row.flag("self_issued")?,
        key_usage: row.text("key_usage")?,
        extended_key_usage: row.text("extended_key_usage")?,
        trust_anchor: row.flag("trust_anchor")?,
        demonstration: row.flag("demonstration")?,
        status: row.text("status")?,
        status_reason: row.text("status_reason")?,
        status_checks: row.text("status_checks")?,
        chain: row.text("chain")?,
        status_at: row.time("status_at")?,
        status_due_at: row.time("status_due_at")?,
        archived: row.flag("archived")?,
        owner: row.maybe_id("owner")?,
        ra_profile: row.maybe_id("ra_profile")?,
        path: row.text("path")?,
        source: row.text("source")?,
        replaced_by: row.maybe_id("replaced_by")?,
        replacement_kind: row.maybe_text("replacement_kind")?,
        created_at: row.time("created_at")?,
        version: row.int("version")?,
    })
}

fn values(c: &Certificate) -> Vec<SqlValue> {
    let mut values = vec![value::id(c.id)];
    values.extend(args![
        &c.fingerprint_sha256,
        &c.fingerprint_sha1,
        &c.serial,
        &c.subject_dn,
        c.subject_cn.as_deref(),
        &c.issuer_dn,
        c.issuer_cn.as_deref(),
        &c.subject_key,
        &c.issuer_key,
        c.subject_key_id.as_deref(),
        c.authority_key_id.as_deref(),
        &c.spki_sha256,
        c.not_before,
        c.not_after,
        &c.key_algorithm,
        c.key_size,
        &c.signature_algorithm,
        c.is_ca,
        c.self_issued,
        &c.key_usage,
        &c.extended_key_usage,
        c.trust_anchor,
        c.demonstration,
        &c.status,
        &c.status_reason,
        &c.status_checks,
        &c.chain,
        c.status_at,
        c.status_due_at,
        c.archived,
        c.owner.map(|id| id.to_string()),
        c.ra_profile.map(|id| id.to_string()),
        &c.path,
        &c.source,
        c.replaced_by.map(|id| id.to_string()),
        c.replacement_kind.as_deref(),
        c.created_at,
        c.version
    ]);
    values
}

/// Certificates that live in a folder or below it, the newest first.
pub async fn in_folder(
    link: &mut Link,
    folder: &str,
    limit: usize,
) -> Result<Vec<CertificateId>, Error> {
    let folder = folder.trim_end_matches('/').to_ascii_lowercase();
    // Behind everything that begins with the folder and a slash: `0` follows `/`.
    let (first, behind) = (format!("{folder}/"), format!("{folder}0"));
    let sql = "SELECT id FROM certificate
               WHERE lower(path) = $1 OR (lower(path) >= $2 AND lower(path) < $3)
               ORDER BY id DESC LIMIT $4";
    let own = if folder.is_empty() { "/".to_owned() } else { folder };
    let rows = link.rows(sql, args![own, first, behind, limit]).await?;
    rows.iter().map(|row| row.id("id")).collect()
}

/// Inserts a certificate with its bytes and names. It is due for validation at once if not exactly
/// `issuers_known` certificates (counted as [`bearers`] does) bear its issuer's name by now.
///
/// # Errors
/// [`Error::Exists`] if the fingerprint is in the inventory.
pub async fn insert(
    tx: &mut Tx,
    certificate: &Certificate,
    der: &[u8],
    names: &[Name],
    issuers_known: usize,
) -> Result<(), Error> {
    let id = certificate.id.to_string();
    let head = format!("INSERT INTO certificate ({})", COLUMNS.replace("c.", ""));
    let values = values(certificate);
    let row = values_statement(&head, "", values.len(), 1);
    let bytes = "INSERT INTO certificate_der (certificate, der) VALUES (?, ?)";
    let mut statements = vec![(Cow::Owned(row), values), (Cow::Borrowed(bytes), args![&id, der])];
    // Few enough names for one statement; what is beyond goes the general way.
    let (few, more) = names.split_at(names.len().min(NAMES_AT_ONCE));
    let head = "INSERT INTO certificate_name (certificate, kind, value)";
    let tail = "ON CONFLICT DO NOTHING";
    let of = |name: &Name| args![&id, &name.kind, &name.value];
    if !few.is_empty() {
        let insert = values_statement(head, tail, 3, few.len());
        statements.push((Cow::Owned(insert), few.iter().flat_map(of).collect()));
    }
    let due = "UPDATE certificate SET status_due_at = ? WHERE id = ? AND ? <>
               (SELECT COUNT(*) FROM
               (SELECT 1 AS one FROM certificate WHERE subject_key = ? AND id <> ?
               LIMIT 32) AS few)";
    let issuer = &certificate.issuer_key;
    let arguments = args![certificate.created_at, &id, issuers_known, issuer, &id];
    statements.push((Cow::Borrowed(due), arguments));
    tx.execute_all(statements).await?;
    text::insert(tx, certificate, names);
    tx.insert_many(head, tail, more.iter().map(of).collect()).await
}

/// The certificate with this identifier.
pub async fn find(link: &mut Link, id: CertificateId) -> Result<Option<Certificate>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM certificate c WHERE c.id = $1");
    link.row(sql, vec![value::id(id)]).await?.as_ref().map(read).transpose()
}

/// The certificate with this SHA-256 fingerprint, lower-case hex.
pub async fn by_fingerprint(link: &mut Link, hex: &str) -> Result<Option<Certificate>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM certificate c WHERE c.fingerprint_sha256 = $1");
    link.row(sql, args![hex]).await?.as_ref().map(read).transpose()
}

/// The identifier behind a fingerprint: the cheap question of every upload.
pub async fn id_of(link: &mut Link, fingerprint: &str) -> Result<Option<CertificateId>, Error> {
    let sql = "SELECT id FROM certificate WHERE fingerprint_sha256 = $1";
    link.row(sql, args![fingerprint]).await?.map(|row| row.id("id")).transpose()
}

/// The certificates with this SHA-1 fingerprint, two at most: which one is meant is not known then.
pub async fn ids_of_sha1(link: &mut Link, fingerprint: &str) -> Result<Vec<CertificateId>, Error> {
    let sql = "SELECT id FROM certificate WHERE fingerprint_sha1 = $1 LIMIT 2";
    link.rows(sql, args![fingerprint]).await?.iter().map(|row| row.id("id")).collect()
}

/// The identifiers behind several fingerprints; those that are not there are left out.
pub async fn ids_of(
    link: &mut Link,
    fingerprints: &[String],
) -> Result<Vec<(String, CertificateId)>, Error> {
    if fingerprints.is_empty() {
        return Ok(Vec::new());
    }
    let places = vec!["?"; fingerprints.len()];
    let sql = format!(
        "SELECT fingerprint_sha256, id FROM certificate WHERE fingerprint_sha256 IN ({})",
        places.join(", ")
    );
    link.rows(sql, fingerprints.iter().map(SqlValue::from).collect())
        .await?
        .iter()
        .map(|row| Ok((row.text("fingerprint_sha256")?, row.id("id")?)))
        .collect()
}

/// Which of these alternative names some certificate of the inventory has.
pub async fn names_in_use(link: &mut Link, names: &[&str]) -> Result<HashSet<String>, Error> {
    if names.is_empty() {
        return Ok(HashSet::new());
    }
    let places = vec!["?"; names.len()].join(", ");
    let sql = format!("SELECT DISTINCT value FROM certificate_name WHERE value IN ({places})");
    let values = names.iter().map(|&name| SqlValue::from(name)).collect();
    link.rows(sql, values).await?.iter().map(|row| row.text("value")).collect()
}

/// The original bytes.
pub async fn der(link: &mut Link, id: CertificateId) -> Result<Option<Vec<u8>>, Error> {
    let sql = "SELECT der FROM certificate_der WHERE certificate = $1";
    link.row(sql, vec![value::id(id)]).await?.map(|row| row.bytes("der")).transpose()
}

/// Subject alternative names.
pub async fn names(link: &mut Link, id: CertificateId) -> Result<Vec<Name>, Error> {
    let sql =
        "SELECT kind, value FROM certificate_name WHERE certificate = $1 ORDER BY kind, value";
    link.rows(sql, vec![value::id(id)])
        .await?
        .iter()
        .map(|row| Ok(Name { kind: row.text("kind")?, value: row.text("value")? }))
        .collect()
}

/// How many certificates the inventory holds.
pub async fn count(link: &mut Link) -> Result<i64, Error> {
    let sql = "SELECT CAST(SUM(certificates) AS BIGINT) AS n FROM certificate_hour";
    link.number(sql, vec![]).await
}

/// Archives a certificate or takes it back; false if it was so already or somebody changed it.
pub async fn archive(tx: &mut Tx, id: CertificateId, archived: bool) -> Result<bool, Error> {
    let sql = "UPDATE certificate SET archived = $2, version = version + 1
               WHERE id = $1 AND archived <> $2";
    Ok(tx.execute(sql, vec![value::id(id), archived.into()]).await? == 1)
}

/// Deletes a certificate with everything that hangs on it; true if it was there. What it replaced
/// is replaced by its own successor from now on, if it has one.
pub async fn delete(tx: &mut Tx, id: CertificateId) -> Result<bool, Error> {
    super::monitor::wake_predecessors(tx, id).await?;
    let sql = "UPDATE certificate SET
               replacement_kind = CASE WHEN
                   (SELECT s.replaced_by FROM certificate s WHERE s.id = $1) IS NULL
                   THEN NULL ELSE replacement_kind END,
               replaced_by = (SELECT s.replaced_by FROM certificate s WHERE s.id = $1)
               WHERE replaced_by = $1";
    tx.execute(sql, vec![value::id(id)]).await?;
    text::delete(tx, id).await?;
    Ok(tx.execute("DELETE FROM certificate WHERE id = $1", vec![value::id(id)]).await? == 1)
}
