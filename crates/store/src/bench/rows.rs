//! Rows that no operation made, and counts across tables, for measurements and simulations.

use std::ops::Range;

use chancery_event::Timestamp;

use crate::{Error, Link, Tx, args};

/// Certificates that exist as rows only, `$1..$2`, of which every one ends at `$3` and later, a
/// minute apart.
const ROWS: &str = "INSERT INTO certificate (id, fingerprint_sha256, fingerprint_sha1, serial,
    subject_dn, subject_cn, issuer_dn, subject_key, issuer_key, spki_sha256, not_before, not_after,
    key_algorithm, key_size, signature_algorithm, is_ca, self_issued, key_usage,
    extended_key_usage, trust_anchor, demonstration, status, status_reason, status_checks, chain,
    status_at, status_due_at, archived, path, source, created_at, version)
    WITH RECURSIVE n (i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2)
    SELECT printf('01937f0e-%04x-7000-8000-%012x', i / 65536, i), printf('%064x', i),
    printf('%040x', i), printf('%x', i), 'CN=host-' || i, 'host-' || i, 'CN=CA',
    printf('%064x', i), printf('%064x', 0), printf('%064x', i), $3 - 34387200000000,
    $3 + (i - $1) * 60000000, 'EC P-256', 256, 'ecdsa-with-SHA256', 0, 0, '', '', 0, 0, 'valid',
    '', '[]', '[]', $4, $3 + 864000000000000, 0, '/', 'import', $4, 1 FROM n";

/// Their bytes, none: they are counted with them.
const BYTES: &str = "INSERT INTO certificate_der (certificate, der)
    WITH RECURSIVE n (i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2)
    SELECT printf('01937f0e-%04x-7000-8000-%012x', i / 65536, i), x'' FROM n";

/// Adds certificates that exist as rows only, of which the first ends at `ends_at` and each next
/// one a minute later; answers how many.
///
/// # Errors
/// The store refuses them.
pub async fn fill(
    tx: &mut Tx,
    numbers: Range<i64>,
    ends_at: Timestamp,
    now: Timestamp,
) -> Result<u64, Error> {
    let added = tx.execute(ROWS, args![numbers.start, numbers.end, ends_at, now]).await?;
    tx.execute(BYTES, args![numbers.start, numbers.end]).await?;
    Ok(added)
}

/// How many alerts there are, resolved or not.
///
/// # Errors
/// The store cannot be read.
pub async fn alerts(link: &mut Link) -> Result<i64, Error> {
    link.number("SELECT COUNT(*) AS n FROM alert", Vec::new()).await
}

/// How many runs of monitors have ended without an event of theirs in the log.
///
/// # Errors
/// The store cannot be read.
pub async fn unrecorded_runs(link: &mut Link) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) AS n FROM task_run r WHERE r.class = 'monitor'
               AND r.state <> 'running' AND NOT EXISTS (SELECT 1 FROM event e WHERE e.id = r.id)";
    link.number(sql, Vec::new()).await
}

/// How many jobs there are.
///
/// # Errors
/// The store cannot be read.
pub async fn jobs(link: &mut Link) -> Result<i64, Error> {
    link.number("SELECT COUNT(*) AS n FROM job", Vec::new()).await
}
