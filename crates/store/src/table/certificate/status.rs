//! Validation status, chains and replacement links.

use chancery_event::Timestamp;
use chancery_event::id::{CertificateId, EventId};

use super::{COLUMNS, Certificate, Name, read};
use crate::{Error, Link, Row, Tx, args, value};

/// A validation verdict as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusRow {
    /// The status.
    pub status: String,
    /// Why, in one sentence.
    pub reason: String,
    /// JSON: every check.
    pub checks: String,
    /// JSON array of fingerprints.
    pub chain: String,
    /// When it was computed.
    pub at: Timestamp,
    /// When time alone may change it.
    pub due_at: Timestamp,
}

/// A certificate with its bytes: what chains are built from.
pub type WithDer = (Certificate, Vec<u8>);

/// A certificate that is to be judged again.
#[derive(Clone, Debug)]
pub struct Due {
    /// As stored.
    pub row: Certificate,
    /// Its bytes.
    pub der: Vec<u8>,
    /// The event that made it due; `None`: time did.
    pub cause: Option<EventId>,
}

/// Certificates whose subject name has this key, with their bytes; CA certificates first, 32 at
/// most.
pub async fn issuers(link: &mut Link, subject_key: &str) -> Result<Vec<WithDer>, Error> {
    // Every upload asks this. Compared with a bare parameter, SQLite prepares the statement anew
    // each time, in case it is 0 or 1: its planner takes these for frequent values.
    let sql = format!(
        "SELECT {COLUMNS}, d.der FROM certificate c
         JOIN certificate_der d ON d.certificate = c.id
         WHERE c.subject_key = $1 || '' ORDER BY c.is_ca DESC, c.not_after DESC, c.id LIMIT 32"
    );
    link.rows(sql, args![subject_key])
        .await?
        .iter()
        .map(|row| Ok((read(row)?, row.bytes("der")?)))
        .collect()
}

/// Which certificates bear this subject name, as [`issuers`] reads them, and which of them are
/// trusted.
pub async fn standing(
    link: &mut Link,
    subject_key: &str,
) -> Result<Vec<(CertificateId, bool)>, Error> {
    let sql = "SELECT id, trust_anchor FROM certificate
               WHERE subject_key = $1 ORDER BY is_ca DESC, not_after DESC, id LIMIT 32";
    link.rows(sql, args![subject_key])
        .await?
        .iter()
        .map(|row| Ok((row.id("id")?, row.flag("trust_anchor")?)))
        .collect()
}

/// Certificates whose status may have changed by time alone, the longest due first, with their
/// bytes.
pub async fn due(link: &mut Link, now: Timestamp, limit: usize) -> Result<Vec<Due>, Error> {
    let sql = format!(
        "SELECT {COLUMNS}, d.der, c.status_cause FROM certificate c
         JOIN certificate_der d ON d.certificate = c.id
         WHERE c.status_due_at <= $1 ORDER BY c.status_due_at LIMIT $2"
    );
    let due = |row: &Row| -> Result<Due, Error> {
        let cause = row.maybe_text("status_cause")?.and_then(|id| id.parse().ok());
        Ok(Due { row: read(row)?, der: row.bytes("der")?, cause })
    };
    link.rows(sql, args![now, limit]).await?.iter().map(due).collect()
}

/// Writes a verdict.
pub async fn update_status(tx: &mut Tx, id: CertificateId, row: &StatusRow) -> Result<(), Error> {
    let sql = "UPDATE certificate SET status = $2, status_reason = $3, status_checks = $4,
               chain = $5, status_at = $6, status_due_at = $7, status_cause = NULL,
               version = version + CASE WHEN status = $2 THEN 0 ELSE 1 END WHERE id = $1";
    let mut values = vec![value::id(id)];
    values.extend(args![&row.status, &row.reason, &row.checks, &row.chain, row.at, row.due_at]);
    tx.execute(sql, values).await.map(|_| ())
}

/// Marks everything that names this subject as its issuer to be validated again, because of the
/// event `cause`; returns how many.
pub async fn make_due(
    tx: &mut Tx,
    subject_key: &str,
    except: CertificateId,
    at: Timestamp,
    cause: Option<EventId>,
) -> Result<u64, Error> {
    let sql = "UPDATE certificate SET status_due_at = $3, status_cause = $4
               WHERE issuer_key = $1 AND id <> $2 AND status_due_at > $3";
    let cause = cause.map(|cause| cause.to_string());
    tx.execute(sql, vec![subject_key.into(), value::id(except), at.into(), cause.into()]).await
}

/// Marks the certificates behind an identifier, in order, to be validated again, because of the
/// event `cause`; answers the last
/// one and how many, `None` at the end.
pub async fn make_page_due(
    tx: &mut Tx,
    after: &str,
    at: Timestamp,
    cause: Option<EventId>,
    limit: usize,
) -> Result<Option<(String, u64)>, Error> {
    let sql = "SELECT MAX(id) AS last, COUNT(*) AS n FROM
               (SELECT id FROM certificate WHERE id > $1 ORDER BY id LIMIT $2) AS page";
    let Some(row) = tx.row(sql, args![after, limit]).await? else { return Ok(None) };
    let Some(last) = row.maybe_text("last")? else { return Ok(None) };
    let sql = "UPDATE certificate SET status_due_at = $3, status_cause = $4
               WHERE id > $1 AND id <= $2 AND status_due_at > $3";
    let cause = cause.map(|cause| cause.to_string());
    tx.execute(sql, args![after, &last, at, cause]).await?;
    Ok(Some((last, row.count("n")?)))
}

/// Notes that `older` is replaced by `newer`; false if it was replaced already.
pub async fn link_replacement(
    tx: &mut Tx,
    older: CertificateId,
    newer: CertificateId,
    kind: &str,
) -> Result<bool, Error> {
    let sql = "UPDATE certificate SET replaced_by = $2, replacement_kind = $3,
               version = version + 1 WHERE id = $1 AND replaced_by IS NULL";
    let values = vec![value::id(older), value::id(newer), kind.into()];
    Ok(tx.execute(sql, values).await? == 1)
}

/// Marks one certificate to be validated again.
pub async fn make_self_due(
    tx: &mut Tx,
    id: CertificateId,
    at: Timestamp,
    cause: Option<EventId>,
) -> Result<(), Error> {
    let sql = "UPDATE certificate SET status_due_at = $2, status_cause = $3 WHERE id = $1";
    let cause = cause.map(|cause| cause.to_string());
    tx.execute(sql, vec![value::id(id), at.into(), cause.into()]).await.map(|_| ())
}

/// How many certificates bear this subject name, counted to 32 as [`issuers`] reads them.
pub async fn bearers(link: &mut Link, subject_key: &str) -> Result<usize, Error> {
    let sql = "SELECT COUNT(*) AS n FROM
               (SELECT 1 AS one FROM certificate WHERE subject_key = $1 LIMIT 32) AS few";
    Ok(usize::try_from(link.number(sql, args![subject_key]).await?).unwrap_or(0))
}

/// Certificates that may replace or be replaced by one with this row and these names: same names,
/// same subject or same key. The newest 32 of each kind, with their bytes.
pub async fn related(
    link: &mut Link,
    row: &Certificate,
    names: &[Name],
) -> Result<Vec<WithDer>, Error> {
    let id = row.id.to_string();
    // The names are a set: who has all of them has the first.
    let by_name = match names.first() {
        Some(name) => {
            let sql = "SELECT n.certificate AS id FROM certificate_name n
                       WHERE n.value = $1 AND n.certificate <> $2 LIMIT 256";
            link.rows(sql, args![&name.value, &id]).await?
        }
        None => {
            let sql = "SELECT c.id FROM certificate c WHERE c.subject_key = $1 AND c.id <> $2
                       ORDER BY c.not_after DESC LIMIT 32";
            link.rows(sql, args![&row.subject_key, &id]).await?
        }
    };
    let mut related = Vec::new();
    for found in by_name {
        let id: CertificateId = found.id("id")?;
        let sql = format!(
            "SELECT {COLUMNS}, d.der FROM certificate c
             JOIN certificate_der d ON d.certificate = c.id WHERE c.id = $1"
        );
        if let Some(row) = link.row(sql, vec![value::id(id)]).await? {
            related.push((read(&row)?, row.bytes("der")?));
        }
    }
    related.sort_by_key(|(row, _)| std::cmp::Reverse(row.not_after));
    related.truncate(32);
    Ok(related)
}

/// Certificates that this one replaces, newest first.
pub async fn replaced_by(link: &mut Link, id: CertificateId) -> Result<Vec<Certificate>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM certificate c WHERE c.replaced_by = $1
         ORDER BY c.not_after DESC LIMIT 32"
    );
    link.rows(sql, vec![value::id(id)]).await?.iter().map(read).collect()
}

/// Certificates that are counted below one issuer at most.
pub const ISSUED_COUNTED: u64 = 100_000;

/// How many certificates name this subject as their issuer, besides itself where it does
/// (`is_own`). One more than [`ISSUED_COUNTED`] says that there are more than that.
pub async fn issued_by(link: &mut Link, subject_key: &str, is_own: bool) -> Result<u64, Error> {
    // The index alone answers; what an authority has issued may be most of the inventory.
    let sql = "SELECT COUNT(*) AS n FROM
               (SELECT 1 AS one FROM certificate WHERE issuer_key = $1 LIMIT $2) AS few";
    let most = ISSUED_COUNTED + 1 + u64::from(is_own);
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let count = link.number(sql, args![subject_key, most]).await? - i64::from(is_own);
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Whether a certificate of an issuer that is in use has no chain, or one that nobody trusts.
pub async fn any_without_chain(link: &mut Link, issuer_key: &str) -> Result<bool, Error> {
    let sql = "SELECT 1 AS n FROM certificate WHERE issuer_key = $1
               AND status IN ('untrusted', 'incomplete') AND archived = 0
               AND replaced_by IS NULL LIMIT 1";
    Ok(link.number(sql, vec![issuer_key.into()]).await? == 1)
}
