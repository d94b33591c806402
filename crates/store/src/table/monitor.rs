//! What monitors watch: for every object the time of its next look, so that a run reads what is due
//! and nothing else.
//!
//! Objects are certificates, certificates of authorities or API tokens, as the monitor's kind says;
//! [`Watched`] has the statements that differ between them. A row is written in the transaction
//! that records what was found, so that no threshold fires twice.

use std::collections::{HashMap, HashSet};

use chancery_event::Timestamp;
use chancery_event::id::{AccountId, CertificateId, GroupId};

use super::certificate::{self, Certificate, Name};
use crate::{Error, Link, Row, SqlValue, Tx, args};

/// Nothing is left to come.
pub const NEVER: Timestamp = Timestamp::LAST;

/// What a monitor watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Watched {
    /// Every certificate, to its end.
    Certificates,
    /// Certificates that may issue others, to their end.
    Authorities,
    /// API tokens that are not revoked, to their end.
    Tokens,
    /// The same, from their last use.
    TokenUses,
    /// API tokens that are not revoked, from when they were made: a token never changes.
    TokenAges,
    /// Passwords, from when they were set.
    PasswordAges,
    /// Accounts that can sign in, from when they or one of their tokens were last used.
    AccountUses,
    /// Accounts that can sign in and have an end, to that end.
    Accounts,
    /// Passwords that must be changed at some time, to that time.
    Passwords,
}

/// Where an object begins and ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The object.
    pub object: String,
    /// Its beginning.
    pub start: Timestamp,
    /// Its end, or what its thresholds are counted from.
    pub end: Timestamp,
}

/// A watched object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The object.
    pub object: String,
    /// When it is looked at next.
    pub due_at: Timestamp,
    /// Thresholds up to this instant have fired.
    pub handled: Timestamp,
    /// It is silent as long as this object holds.
    pub held_by: Option<String>,
    /// Of the last look.
    pub verdict: String,
    /// When that was.
    pub looked_at: Option<Timestamp>,
}

/// An API token as a monitor sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedToken {
    /// The account it acts for.
    pub account: AccountId,
    /// When it was last used.
    pub used_at: Option<Timestamp>,
    /// When it, or the account it acts for, ends.
    pub ends_at: Option<Timestamp>,
}

impl Watched {
    fn source(self) -> &'static str {
        match self {
            Self::Certificates => {
                "SELECT id, not_before AS start_at, not_after AS end_at FROM certificate
                 WHERE 1 = 1"
            }
            Self::Authorities => {
                "SELECT id, not_before AS start_at, not_after AS end_at FROM certificate
                 WHERE is_ca = 1"
            }
            Self::Tokens => {
                "SELECT id, created_at AS start_at, expires_at AS end_at FROM token
                 WHERE revoked_at IS NULL"
            }
            Self::TokenUses => {
                "SELECT id, created_at AS start_at, COALESCE(used_at, created_at) AS end_at
                 FROM token WHERE revoked_at IS NULL"
            }
            Self::TokenAges => {
                "SELECT id, created_at AS start_at, created_at AS end_at FROM token
                 WHERE revoked_at IS NULL"
            }
            Self::PasswordAges => {
                "SELECT id, password_set_at AS start_at, password_set_at AS end_at FROM account
                 WHERE disabled = 0 AND password_set_at IS NOT NULL"
            }
            Self::AccountUses => {
                "SELECT id, created_at AS start_at, (SELECT MAX(uses.at) FROM (
                     SELECT COALESCE(account.last_login_at, account.created_at) AS at
                     UNION ALL SELECT t.used_at FROM token t WHERE t.account = account.id
                 ) AS uses) AS end_at FROM account WHERE disabled = 0"
            }
            Self::Accounts => {
                "SELECT id, created_at AS start_at, expires_at AS end_at FROM account
                 WHERE disabled = 0 AND expires_at IS NOT NULL"
            }
            Self::Passwords => {
                "SELECT id, COALESCE(password_set_at, created_at) AS start_at,
                 password_ends_at AS end_at FROM account
                 WHERE disabled = 0 AND password_ends_at IS NOT NULL"
            }
        }
    }

    /// How many such objects there are.
    pub async fn count(self, link: &mut Link) -> Result<u64, Error> {
        let sql = match self {
            // Counts that are kept with each change.
            Self::Certificates => {
                "SELECT CAST(COALESCE(SUM(certificates), 0) AS BIGINT) AS n FROM certificate_count
                 WHERE group_id = ''"
            }
            Self::Authorities => {
                "SELECT CAST(COALESCE(SUM(certificates), 0) AS BIGINT) AS n FROM certificate_count
                 WHERE group_id = '' AND is_ca = 1"
            }
            Self::Tokens | Self::TokenUses | Self::TokenAges => {
                "SELECT COUNT(*) AS n FROM token WHERE revoked_at IS NULL"
            }
            Self::PasswordAges => {
                "SELECT COUNT(*) AS n FROM account
                 WHERE disabled = 0 AND password_set_at IS NOT NULL"
            }
            Self::AccountUses => "SELECT COUNT(*) AS n FROM account WHERE disabled = 0",
            Self::Accounts => {
                "SELECT COUNT(*) AS n FROM account
                 WHERE disabled = 0 AND expires_at IS NOT NULL"
            }
            Self::Passwords => {
                "SELECT COUNT(*) AS n FROM account
                 WHERE disabled = 0 AND password_ends_at IS NOT NULL"
            }
        };
        link.number(sql, vec![]).await.map(|n| u64::try_from(n).unwrap_or(0))
    }

    /// The spans of these objects; those that are not there, or not to be watched, are left out.
    pub async fn spans(self, link: &mut Link, ids: &[String]) -> Result<Vec<Span>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!("{} AND id IN ({})", self.source(), places(ids.len()));
        link.rows(sql, ids.iter().map(SqlValue::from).collect()).await?.iter().map(span).collect()
    }

    /// The spans of all such objects, by identifier, behind `after`.
    pub async fn page(
        self,
        link: &mut Link,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Span>, Error> {
        let sql = format!("{} AND id > $1 ORDER BY id LIMIT $2", self.source());
        link.rows(sql, args![after, limit]).await?.iter().map(span).collect()
    }

    /// Objects that ought to be watched by a monitor and are not.
    pub async fn missing(
        self,
        link: &mut Link,
        monitor: &str,
        limit: usize,
    ) -> Result<Vec<Span>, Error> {
        let sql = format!(
            "SELECT s.id, s.start_at, s.end_at FROM ({}) AS s WHERE NOT EXISTS
             (SELECT 1 FROM monitor_watch w WHERE w.monitor = $1 AND w.object = s.id) LIMIT $2",
            self.source()
        );
        link.rows(sql, args![monitor, limit]).await?.iter().map(span).collect()
    }

    /// Objects that a monitor watches although they are gone.
    pub async fn orphans(
        self,
        link: &mut Link,
        monitor: &str,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        let sql = format!(
            "SELECT w.object FROM monitor_watch w WHERE w.monitor = $1 AND NOT EXISTS
             (SELECT 1 FROM ({}) AS s WHERE s.id = w.object) LIMIT $2",
            self.source()
        );
        link.rows(sql, args![monitor, limit]).await?.iter().map(|row| row.text("object")).collect()
    }
}

fn places(count: usize) -> String {
    vec!["?"; count].join(", ")
}

fn span(row: &Row) -> Result<Span, Error> {
    Ok(Span { object: row.text("id")?, start: row.time("start_at")?, end: row.time("end_at")? })
}

const COLUMNS: &str = "object, due_at, handled, held_by, verdict, looked_at";

fn read(row: &Row) -> Result<Watch, Error> {
    Ok(Watch {
        object: row.text("object")?,
        due_at: row.time("due_at")?,
        handled: row.time("handled")?,
        held_by: row.maybe_text("held_by")?,
        verdict: row.text("verdict")?,
        looked_at: row.maybe_time("looked_at")?,
    })
}

/// How many objects a monitor watches.
pub async fn count(link: &mut Link, monitor: &str) -> Result<u64, Error> {
    let sql = "SELECT watched FROM monitor_count WHERE monitor = $1";
    match link.row(sql, args![monitor]).await? {
        Some(row) => row.count("watched"),
        None => Ok(0),
    }
}

/// Counts what a monitor watches row by row, and notes that; answers it.
pub async fn recount(tx: &mut Tx, monitor: &str) -> Result<u64, Error> {
    let sql = "INSERT INTO monitor_count (monitor, watched)
               SELECT $1, COUNT(*) FROM monitor_watch WHERE monitor = $1
               ON CONFLICT (monitor) DO UPDATE SET watched = excluded.watched";
    tx.execute(sql, args![monitor]).await?;
    count(tx, monitor).await
}

/// Notes that a monitor watches so many objects more.
async fn counted(tx: &mut Tx, monitor: &str, more: i64) -> Result<(), Error> {
    if more == 0 {
        return Ok(());
    }
    let sql = "INSERT INTO monitor_count (monitor, watched) VALUES ($1, $2)
               ON CONFLICT (monitor) DO UPDATE
               SET watched = monitor_count.watched + excluded.watched";
    tx.execute(sql, args![monitor, more]).await.map(|_| ())
}

/// What is due at `now`, the longest due first.
pub async fn due(
    link: &mut Link,
    monitor: &str,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Watch>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM monitor_watch WHERE monitor = $1 AND due_at <= $2
         ORDER BY due_at LIMIT $3"
    );
    link.rows(sql, args![monitor, now, limit]).await?.iter().map(read).collect()
}

/// What becomes due in a span of time, in order, behind a place.
pub async fn coming(
    link: &mut Link,
    monitor: &str,
    until: Timestamp,
    after: &(Timestamp, String),
    limit: usize,
) -> Result<Vec<Watch>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM monitor_watch WHERE monitor = $1 AND due_at <= $2
         AND (due_at, object) > ($3, $4) ORDER BY due_at, object LIMIT $5"
    );
    let values = args![monitor, until, after.0, &after.1, limit];
    link.rows(sql, values).await?.iter().map(read).collect()
}

/// What every monitor thinks of one object.
pub async fn of_object(link: &mut Link, object: &str) -> Result<Vec<(String, Watch)>, Error> {
    let sql = format!(
        "SELECT monitor, {COLUMNS} FROM monitor_watch
         WHERE object = $1 AND monitor IN (SELECT name FROM task WHERE class = 'monitor')
         ORDER BY monitor"
    );
    link.rows(sql, args![object])
        .await?
        .iter()
        .map(|row| Ok((row.text("monitor")?, read(row)?)))
        .collect()
}

/// What a monitor knows of some objects.
pub async fn some(
    link: &mut Link,
    monitor: &str,
    objects: &[String],
) -> Result<HashMap<String, Watch>, Error> {
    if objects.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM monitor_watch WHERE monitor = ? AND object IN ({})",
        places(objects.len())
    );
    let values = std::iter::once(SqlValue::from(monitor)).chain(objects.iter().map(SqlValue::from));
    link.rows(sql, values.collect())
        .await?
        .iter()
        .map(|row| read(row).map(|watch| (watch.object.clone(), watch)))
        .collect()
}

/// Those of these objects that another monitor has reported and that are not silent for it.
pub async fn fired_elsewhere(
    link: &mut Link,
    monitor: &str,
    objects: &[String],
) -> Result<HashSet<String>, Error> {
    if objects.is_empty() {
        return Ok(HashSet::new());
    }
    let sql = format!(
        "SELECT object FROM monitor_watch WHERE verdict = 'fired' AND object IN ({})
         AND monitor IN (SELECT name FROM task WHERE class = 'monitor' AND name <> ?)",
        places(objects.len())
    );
    let values = objects.iter().map(SqlValue::from).chain([SqlValue::from(monitor)]);
    link.rows(sql, values.collect()).await?.iter().map(|row| row.text("object")).collect()
}

/// What a monitor has reported and what is not silent for it, by identifier behind `after`.
pub async fn fired(
    link: &mut Link,
    monitor: &str,
    after: &str,
    limit: usize,
) -> Result<Vec<String>, Error> {
    let sql = "SELECT object FROM monitor_watch
               WHERE monitor = $1 AND object > $2 AND verdict = 'fired' ORDER BY object LIMIT $3";
    let rows = link.rows(sql, args![monitor, after, limit]).await?;
    rows.iter().map(|row| row.text("object")).collect()
}

/// Writes rows, new or known; each object once.
pub async fn put(tx: &mut Tx, monitor: &str, watches: &[Watch]) -> Result<(), Error> {
    let mut known = 0;
    for part in watches.chunks(5_000) {
        let sql = format!(
            "SELECT COUNT(*) AS n FROM monitor_watch WHERE monitor = ? AND object IN ({})",
            places(part.len())
        );
        let objects = part.iter().map(|watch| SqlValue::from(&watch.object));
        let values = std::iter::once(SqlValue::from(monitor)).chain(objects).collect();
        known += tx.number(sql, values).await?;
    }
    let all = i64::try_from(watches.len()).unwrap_or(i64::MAX);
    counted(tx, monitor, all - known).await?;
    let rows = watches
        .iter()
        .map(|watch| {
            args![
                monitor,
                &watch.object,
                watch.due_at,
                watch.handled,
                watch.held_by.as_deref(),
                &watch.verdict,
                watch.looked_at
            ]
        })
        .collect();
    let head = format!("INSERT INTO monitor_watch (monitor, {COLUMNS})");
    let tail = "ON CONFLICT (monitor, object) DO UPDATE SET due_at = excluded.due_at,
                handled = excluded.handled, held_by = excluded.held_by,
                verdict = excluded.verdict, looked_at = excluded.looked_at";
    tx.insert_many(&head, tail, rows).await
}

/// Certificates whose silence depends on these: what they replace, and further up through what does
/// not hold itself, such as archived ones.
pub async fn predecessors(link: &mut Link, ids: &[String]) -> Result<Vec<String>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "WITH RECURSIVE up (id, depth) AS (
             SELECT c.id, 1 FROM certificate c WHERE c.replaced_by IN ({})
             UNION
             SELECT c.id, up.depth + 1 FROM up
             JOIN certificate p ON p.id = up.id
             JOIN certificate c ON c.replaced_by = up.id
             WHERE up.depth < 64 AND (p.archived = 1 OR p.status IN ('revoked', 'invalid')
                 OR (p.status = 'untrusted' AND p.issuer_key <> c.issuer_key)))
         SELECT DISTINCT id FROM up",
        places(ids.len())
    );
    let values = ids.iter().map(SqlValue::from).collect();
    link.rows(sql, values).await?.iter().map(|row| row.text("id")).collect()
}

/// Makes due at once what a certificate replaces: it is about to go.
pub(crate) async fn wake_predecessors(tx: &mut Tx, id: CertificateId) -> Result<(), Error> {
    let sql = "UPDATE monitor_watch SET due_at = 0
               WHERE monitor IN (SELECT name FROM task WHERE class = 'monitor')
               AND object IN (SELECT c.id FROM certificate c WHERE c.replaced_by = $1)";
    tx.execute(sql, vec![crate::value::id(id)]).await.map(|_| ())
}

/// Stops watching objects.
pub async fn remove(tx: &mut Tx, monitor: &str, objects: &[String]) -> Result<u64, Error> {
    if objects.is_empty() {
        return Ok(0);
    }
    let sql = format!(
        "DELETE FROM monitor_watch WHERE monitor = ? AND object IN ({})",
        places(objects.len())
    );
    let values = std::iter::once(SqlValue::from(monitor)).chain(objects.iter().map(SqlValue::from));
    let gone = tx.execute(sql, values.collect()).await?;
    counted(tx, monitor, -i64::try_from(gone).unwrap_or(0)).await?;
    Ok(gone)
}

/// Stops watching everything.
pub async fn clear(tx: &mut Tx, monitor: &str) -> Result<(), Error> {
    for sql in [
        "DELETE FROM monitor_watch WHERE monitor = $1",
        "DELETE FROM monitor_count WHERE monitor = $1",
    ] {
        tx.execute(sql, args![monitor]).await?;
    }
    Ok(())
}

/// Makes due at once what these objects keep silent; answers how many.
pub async fn wake(tx: &mut Tx, holders: &[String], now: Timestamp) -> Result<u64, Error> {
    if holders.is_empty() {
        return Ok(0);
    }
    let sql = format!(
        "UPDATE monitor_watch SET due_at = ?, held_by = NULL WHERE held_by IN ({})",
        places(holders.len())
    );
    let values = std::iter::once(SqlValue::from(now)).chain(holders.iter().map(SqlValue::from));
    tx.execute(sql, values.collect()).await
}

/// Makes due at once what the filter of a monitor keeps silent; answers how many.
pub async fn wake_filtered(tx: &mut Tx, monitor: &str, now: Timestamp) -> Result<u64, Error> {
    let sql = "UPDATE monitor_watch SET due_at = $1
               WHERE monitor = $2 AND verdict = 'filtered' AND due_at > $1";
    tx.execute(sql, args![now, monitor]).await
}

/// Certificates with their names and groups, as many as are there.
pub async fn certificates(
    link: &mut Link,
    ids: &[String],
) -> Result<HashMap<String, (Certificate, Vec<Name>, Vec<GroupId>)>, Error> {
    let mut found = HashMap::with_capacity(ids.len());
    if ids.is_empty() {
        return Ok(found);
    }
    let places = places(ids.len());
    let values = || ids.iter().map(SqlValue::from).collect::<Vec<_>>();
    let sql =
        format!("SELECT {} FROM certificate c WHERE c.id IN ({places})", certificate::COLUMNS);
    for row in link.rows(sql, values()).await? {
        let row = certificate::read(&row)?;
        found.insert(row.id.to_string(), (row, Vec::new(), Vec::new()));
    }
    let sql = format!(
        "SELECT certificate, kind, value FROM certificate_name WHERE certificate IN ({places})"
    );
    for row in link.rows(sql, values()).await? {
        if let Some((_, names, _)) = found.get_mut(&row.text("certificate")?) {
            names.push(Name { kind: row.text("kind")?, value: row.text("value")? });
        }
    }
    let sql = format!(
        "SELECT certificate, group_id FROM certificate_in_group WHERE certificate IN ({places})
         ORDER BY certificate, group_id"
    );
    for row in link.rows(sql, values()).await? {
        if let Some((_, _, groups)) = found.get_mut(&row.text("certificate")?) {
            groups.push(row.id("group_id")?);
        }
    }
    Ok(found)
}

/// API tokens, as many as are there.
pub async fn tokens(
    link: &mut Link,
    ids: &[String],
) -> Result<HashMap<String, WatchedToken>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!(
        "SELECT t.id, t.account, t.used_at, t.expires_at, a.expires_at AS account_ends_at
         FROM token t LEFT JOIN account a ON a.id = t.account WHERE t.id IN ({})",
        places(ids.len())
    );
    link.rows(sql, ids.iter().map(SqlValue::from).collect())
        .await?
        .iter()
        .map(|row| {
            let ends = [row.maybe_time("expires_at")?, row.maybe_time("account_ends_at")?];
            let token = WatchedToken {
                account: row.id("account")?,
                used_at: row.maybe_time("used_at")?,
                ends_at: ends.into_iter().flatten().min(),
            };
            Ok((row.text("id")?, token))
        })
        .collect()
}

/// When these accounts end, those of them that have an end.
pub async fn account_ends(
    link: &mut Link,
    ids: &[String],
) -> Result<HashMap<String, Timestamp>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!(
        "SELECT id, expires_at FROM account WHERE expires_at IS NOT NULL AND id IN ({})",
        places(ids.len())
    );
    let rows = link.rows(sql, ids.iter().map(SqlValue::from).collect()).await?;
    rows.iter().map(|row| Ok((row.text("id")?, row.time("expires_at")?))).collect()
}

/// The certificate that takes a certificate's place: the first in the chain of its successors that
/// `holds` accepts.
pub async fn successor(
    link: &mut Link,
    row: &Certificate,
    holds: impl Fn(&Certificate) -> bool,
) -> Result<Option<CertificateId>, Error> {
    let mut next = row.replaced_by;
    // Each link leads to a later end, so there is no circle; the bound is for damaged data.
    for _ in 0..64 {
        let Some(id) = next else { return Ok(None) };
        let Some(found) = certificate::find(link, id).await? else { return Ok(None) };
        if holds(&found) {
            return Ok(Some(id));
        }
        next = found.replaced_by;
    }
    Ok(None)
}
