//! Certificates of which nobody hears, or not by a message: derived from the inventory and from who
//! is told of what.

use chancery_event::Timestamp;
use chancery_event::id::CertificateId;

use crate::{Error, Link, Row, SqlValue, Tx, args, value};

/// Certificates read at a time at most.
pub const BATCH_MAX: usize = 200;

/// One that is not reached as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The certificate.
    pub certificate: CertificateId,
    /// `nobody`, `fallback` or `bell`.
    pub state: String,
    /// Why, such as `unowned`.
    pub reason: String,
    /// End of the certificate.
    pub not_after: Timestamp,
    /// When it was looked at.
    pub looked_at: Timestamp,
}

/// One with what a list shows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Where it stands.
    pub reach: Reach,
    /// Subject of the certificate.
    pub subject: String,
    /// Its common name, if it has one.
    pub name: Option<String>,
    /// Login name of its owner.
    pub owner: Option<String>,
    /// Its folder.
    pub path: String,
}

/// The next certificates in the order in which they came in: identifier, number, and whether
/// somebody has to hear of it (it is neither archived nor replaced).
pub async fn next(
    link: &mut Link,
    after: i64,
    limit: usize,
) -> Result<Vec<(CertificateId, i64, bool)>, Error> {
    let sql = "SELECT id, number, CASE WHEN archived = 0 AND replaced_by IS NULL THEN 1 ELSE 0 END
               AS counts FROM certificate WHERE number > $1 ORDER BY number LIMIT $2";
    let rows = link.rows(sql, args![after, limit]).await?;
    rows.iter().map(|row| Ok((row.id("id")?, row.int("number")?, row.flag("counts")?))).collect()
}

/// Those of these certificates that there are.
///
/// # Errors
/// The store cannot be read.
pub async fn existing(link: &mut Link, ids: &[CertificateId]) -> Result<Vec<CertificateId>, Error> {
    let mut found = Vec::with_capacity(ids.len());
    for few in ids.chunks(500) {
        let places = vec!["?"; few.len()].join(",");
        let sql = format!("SELECT id FROM certificate WHERE id IN ({places}) ORDER BY id");
        for row in link.rows(sql, few.iter().map(|id| value::id(*id)).collect()).await? {
            found.push(row.id("id")?);
        }
    }
    Ok(found)
}

/// Writes where certificates stand; those that are reached have no row.
pub async fn put(tx: &mut Tx, looked_at: &[CertificateId], rows: &[Reach]) -> Result<(), Error> {
    for chunk in looked_at.chunks(400) {
        let places = vec!["?"; chunk.len()].join(",");
        let sql = format!("DELETE FROM certificate_reach WHERE certificate IN ({places})");
        tx.execute(sql, chunk.iter().map(|id| value::id(*id)).collect()).await?;
    }
    let values = rows.iter().map(|row| {
        let mut values = vec![value::id(row.certificate)];
        values.extend(args![&row.state, &row.reason, row.not_after, row.looked_at]);
        values
    });
    let head = "INSERT INTO certificate_reach (certificate, state, reason, not_after, looked_at)";
    tx.insert_many(head, "ON CONFLICT DO NOTHING", values.collect()).await
}

/// How many stand where: state, reason, count.
pub async fn counts(link: &mut Link) -> Result<Vec<(String, String, u64)>, Error> {
    let sql = "SELECT state, reason, COUNT(*) AS n FROM certificate_reach
               GROUP BY state, reason ORDER BY state, reason";
    let rows = link.rows(sql, vec![]).await?;
    rows.iter().map(|row| Ok((row.text("state")?, row.text("reason")?, row.count("n")?))).collect()
}

/// Which.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// `nobody`, `fallback` or `bell`.
    pub state: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// In this folder, or below it.
    pub path: Option<String>,
    /// Behind this one: its end and its identifier.
    pub after: Option<(Timestamp, CertificateId)>,
}

/// The condition of a query; its values join `values`.
fn conditions(query: &Query, values: &mut Vec<SqlValue>) -> String {
    let mut text = "1 = 1".to_owned();
    if let Some(state) = &query.state {
        text.push_str(" AND r.state = ?");
        values.push(state.as_str().into());
    }
    if let Some(reason) = &query.reason {
        text.push_str(" AND r.reason = ?");
        values.push(reason.as_str().into());
    }
    if let Some(path) = query.path.as_deref().filter(|path| *path != "/") {
        // The folder itself, and everything that begins with it and a slash.
        text.push_str(" AND (c.path = ? OR (c.path >= ? AND c.path < ?))");
        values.extend(args![path, format!("{path}/"), format!("{path}0")]);
    }
    if let Some((end, id)) = &query.after {
        text.push_str(" AND (r.not_after > ? OR (r.not_after = ? AND r.certificate > ?))");
        values.extend(args![*end, *end]);
        values.push(value::id(*id));
    }
    text
}

/// How many fit.
pub async fn count(link: &mut Link, query: &Query) -> Result<u64, Error> {
    let mut values = Vec::new();
    let text = conditions(query, &mut values);
    let sql = format!(
        "SELECT COUNT(*) AS n FROM certificate_reach r
         JOIN certificate c ON c.id = r.certificate WHERE {text}"
    );
    Ok(u64::try_from(link.number(sql, values).await?).unwrap_or(0))
}

/// Those that fit, the first to end in front.
pub async fn page(link: &mut Link, query: &Query, limit: usize) -> Result<Vec<Listed>, Error> {
    let mut values = Vec::new();
    let text = conditions(query, &mut values);
    values.push(limit.into());
    let sql = format!(
        "SELECT r.*, c.subject_dn, c.subject_cn, c.path, a.name AS owner_name
         FROM certificate_reach r JOIN certificate c ON c.id = r.certificate LEFT JOIN account a ON a.id = c.owner
         WHERE {text} ORDER BY r.not_after, r.certificate LIMIT ?"
    );
    link.rows(sql, values).await?.iter().map(listed).collect()
}

fn listed(row: &Row) -> Result<Listed, Error> {
    Ok(Listed {
        reach: Reach {
            certificate: row.id("certificate")?,
            state: row.text("state")?,
            reason: row.text("reason")?,
            not_after: row.time("not_after")?,
            looked_at: row.time("looked_at")?,
        },
        subject: row.text("subject_dn")?,
        name: row.maybe_text("subject_cn")?,
        owner: row.maybe_text("owner_name")?,
        path: row.text("path")?,
    })
}

/// What who is told depends on besides the certificates: a text that changes when any of it does.
pub async fn circumstances(link: &mut Link, now: Timestamp) -> Result<String, Error> {
    let mut parts = Vec::new();
    // Counts and sums that no exchange of rows leaves as they are; times are taken modulo a prime,
    // so that their sum fits.
    for sql in [
        "SELECT COUNT(*) AS a, CAST(coalesce(SUM(version), 0) AS BIGINT) AS b,
         CAST(coalesce(SUM(created_at % 1000000007), 0) AS BIGINT) AS c FROM account",
        "SELECT COUNT(*) AS a, CAST(coalesce(SUM(changed_at % 1000000007), 0) AS BIGINT) AS b,
         coalesce(MAX(changed_at), 0) AS c FROM contact",
        "SELECT COUNT(*) AS a, CAST(coalesce(SUM(last_at % 1000000007), 0) AS BIGINT) AS b,
         coalesce(MAX(last_at), 0) AS c FROM address_state",
        "SELECT COUNT(*) AS a, CAST(coalesce(SUM(version), 0) AS BIGINT) AS b,
         CAST(coalesce(SUM(created_at % 1000000007), 0) AS BIGINT) AS c FROM certificate_group",
        "SELECT COUNT(*) AS a, CAST(coalesce(SUM(version), 0) AS BIGINT) AS b,
         CAST(coalesce(SUM(created_at % 1000000007), 0) AS BIGINT) AS c FROM attribute",
    ] {
        if let Some(row) = link.row(sql, vec![]).await? {
            parts.push(format!("{}.{}.{}", row.int("a")?, row.int("b")?, row.int("c")?));
        }
    }
    let sql = "SELECT name, version, enabled, CASE WHEN failures >= 3 THEN 1 ELSE 0 END AS fails
               FROM destination WHERE class = 'channel' ORDER BY name";
    for row in link.rows(sql, vec![]).await? {
        let (name, version) = (row.text("name")?, row.int("version")?);
        parts.push(format!("{name}.{version}.{}.{}", row.int("enabled")?, row.int("fails")?));
    }
    let sql = "SELECT s.channel FROM address_state s JOIN destination d ON d.name = s.channel
               WHERE s.last_at > coalesce(d.last_success_at, 0)
               GROUP BY s.channel HAVING COUNT(*) >= 3 ORDER BY s.channel";
    for row in link.rows(sql, vec![]).await? {
        parts.push(row.text("channel")?);
    }
    let lapsed = "SELECT COUNT(*) AS n FROM address_state WHERE last_at <= $1";
    let week = now.plus(-7 * Timestamp::DAY);
    parts.push(link.number(lapsed, args![week]).await?.to_string());
    let ended = "SELECT COUNT(*) AS n FROM account WHERE expires_at <= $1";
    parts.push(link.number(ended, args![now]).await?.to_string());
    let revision = super::automation::revision(link).await?;
    parts.push(revision.to_string());
    Ok(parts.join("/"))
}
