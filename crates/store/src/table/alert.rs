//! Alerts: what a person has to look at, one row for each time that a cause appeared.
//!
//! A cause key has at most one alert that is not resolved: a partial unique index holds that. State
//! is shared by everybody; what has been read is each account's own (`mark`). Lists and counts are
//! in `search`.

pub mod change;
pub mod mark;
pub mod search;
mod text;

use std::collections::HashMap;

use chancery_event::Timestamp;
use chancery_event::id::{AccountId, AlertId, EventId};

use crate::{Error, Link, Row, SqlValue, Tx, args, value};

/// States an alert can be in.
pub const STATES: [&str; 4] = ["open", "acknowledged", "snoozed", "resolved"];
/// Severities an alert can have, lowest first; their rank is the place, from 1.
pub const SEVERITIES: [&str; 4] = ["info", "warning", "error", "critical"];

/// An alert as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Its identifier.
    pub id: AlertId,
    /// What it is one alert for.
    pub cause_key: String,
    /// What it is about, such as `job_failed`.
    pub kind: String,
    /// One of [`SEVERITIES`].
    pub severity: String,
    /// One of [`STATES`].
    pub state: String,
    /// One line that names no person.
    pub title: String,
    /// What happened and what to do.
    pub message: String,
    /// The message may be about a person.
    pub message_private: bool,
    /// Kind and identifier of the object it is about.
    pub object: Option<(String, String)>,
    /// Name of that object, where it is not that of a person.
    pub object_name: Option<String>,
    /// What raised it.
    pub source: String,
    /// How often the cause has occurred.
    pub occurrences: i64,
    /// When the cause was first seen.
    pub created_at: Timestamp,
    /// When the cause was last seen.
    pub last_seen_at: Timestamp,
    /// When there last was something about it that deserves to be read.
    pub news_at: Timestamp,
    /// Who takes care of it, and since when.
    pub acknowledged: Option<(AccountId, Timestamp)>,
    /// Whom it was given to.
    pub assigned_to: Option<AccountId>,
    /// Who gave it to them; `None`: nobody did, or the program.
    pub assigned_by: Option<AccountId>,
    /// Until when it is out of sight at most.
    pub snoozed_until: Option<Timestamp>,
    /// The snooze ends when the cause occurs again.
    pub snooze_ends_on_change: bool,
    /// When it was resolved.
    pub resolved_at: Option<Timestamp>,
    /// Who resolved it; `None`: the cause went away.
    pub resolved_by: Option<AccountId>,
    /// Why it is resolved, as a word.
    pub resolved_because: Option<String>,
    /// The alert of the same cause before it.
    pub previous: Option<AlertId>,
    /// The event `alert.raised`.
    pub raised_event: EventId,
    /// The event that last brought the cause.
    pub last_event: Option<EventId>,
    /// It rings for its audience alone ([`mark::address`]).
    pub addressed: bool,
    /// Counts changes.
    pub version: i64,
}

pub(crate) const COLUMNS: &str = "a.id, a.cause_key, a.kind, a.severity, a.state, a.title, \
    a.message, a.message_private, a.object_kind, a.object_id, a.object_name, a.source, \
    a.occurrences, a.created_at, a.last_seen_at, a.news_at, a.acknowledged_by, a.acknowledged_at, \
    a.assigned_to, a.assigned_by, a.snoozed_until, a.snooze_ends_on_change, a.resolved_at, \
    a.resolved_by, a.resolved_because, a.previous, a.raised_event, a.last_event, \
    a.addressed, a.version";

pub(crate) fn read(row: &Row) -> Result<Alert, Error> {
    let object = row.maybe_text("object_kind")?.zip(row.maybe_text("object_id")?);
    let acknowledged = row.maybe_id("acknowledged_by")?.zip(row.maybe_time("acknowledged_at")?);
    Ok(Alert {
        id: row.id("id")?,
        cause_key: row.text("cause_key")?,
        kind: row.text("kind")?,
        severity: row.text("severity")?,
        state: row.text("state")?,
        title: row.text("title")?,
        message: row.text("message")?,
        message_private: row.flag("message_private")?,
        object,
        object_name: row.maybe_text("object_name")?,
        source: row.text("source")?,
        occurrences: row.int("occurrences")?,
        created_at: row.time("created_at")?,
        last_seen_at: row.time("last_seen_at")?,
        news_at: row.time("news_at")?,
        acknowledged,
        assigned_to: row.maybe_id("assigned_to")?,
        assigned_by: row.maybe_id("assigned_by")?,
        snoozed_until: row.maybe_time("snoozed_until")?,
        snooze_ends_on_change: row.flag("snooze_ends_on_change")?,
        resolved_at: row.maybe_time("resolved_at")?,
        resolved_by: row.maybe_id("resolved_by")?,
        resolved_because: row.maybe_text("resolved_because")?,
        previous: row.maybe_id("previous")?,
        raised_event: row.id("raised_event")?,
        last_event: row.maybe_id("last_event")?,
        addressed: row.flag("addressed")?,
        version: row.int("version")?,
    })
}

/// Place of a severity among [`SEVERITIES`], from 1; 1 for any other word.
pub fn rank(severity: &str) -> i64 {
    let place = SEVERITIES.iter().position(|known| *known == severity).unwrap_or(0);
    i64::try_from(place).unwrap_or(0) + 1
}

/// The alert with this identifier.
pub async fn find(link: &mut Link, id: AlertId) -> Result<Option<Alert>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM alert a WHERE a.id = $1");
    link.row(sql, vec![value::id(id)]).await?.as_ref().map(read).transpose()
}

/// Those of these alerts that exist.
pub async fn several(link: &mut Link, ids: &[AlertId]) -> Result<Vec<Alert>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let places: Vec<_> = (1..=ids.len()).map(|place| format!("${place}")).collect();
    let sql = format!("SELECT {COLUMNS} FROM alert a WHERE a.id IN ({})", places.join(", "));
    let ids = ids.iter().map(|id| value::id(*id)).collect();
    link.rows(sql, ids).await?.iter().map(read).collect()
}

/// The alert of a cause that is not resolved.
pub async fn unresolved(link: &mut Link, key: &str) -> Result<Option<Alert>, Error> {
    let sql =
        format!("SELECT {COLUMNS} FROM alert a WHERE a.cause_key = $1 AND a.resolved_at IS NULL");
    link.row(sql, args![key]).await?.as_ref().map(read).transpose()
}

/// The alerts of these causes that are not resolved.
pub async fn unresolved_of(link: &mut Link, keys: &[&str]) -> Result<Vec<Alert>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM alert a WHERE a.cause_key IN ({}) AND a.resolved_at IS NULL",
        vec!["?"; keys.len()].join(", ")
    );
    let keys = keys.iter().map(|key| SqlValue::from(*key)).collect();
    link.rows(sql, keys).await?.iter().map(read).collect()
}

/// The newest alert of each of these causes that has had one, resolved or not.
pub async fn newest_of(link: &mut Link, keys: &[&str]) -> Result<HashMap<String, AlertId>, Error> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!(
        "SELECT cause_key, id FROM alert WHERE cause_key IN ({}) ORDER BY created_at, id",
        vec!["?"; keys.len()].join(", ")
    );
    let keys = keys.iter().map(|key| SqlValue::from(*key)).collect();
    let rows = link.rows(sql, keys).await?;
    // A later one takes the place of an earlier one.
    rows.iter().map(|row| Ok((row.text("cause_key")?, row.id("id")?))).collect()
}

/// The cause keys with this beginning that have an alert which is not resolved.
pub async fn unresolved_keys(link: &mut Link, prefix: &str) -> Result<Vec<String>, Error> {
    // No character sorts behind this one in any key.
    let sql = "SELECT cause_key FROM alert
               WHERE cause_key >= $1 AND cause_key < $2 AND resolved_at IS NULL ORDER BY cause_key";
    let rows = link.rows(sql, args![prefix, format!("{prefix}\u{10FFFF}")]).await?;
    rows.iter().map(|row| row.text("cause_key")).collect()
}

/// The cause keys of alerts that are not resolved and that this has raised.
pub async fn unresolved_from(link: &mut Link, source: &str) -> Result<Vec<String>, Error> {
    let sql = "SELECT cause_key FROM alert WHERE source = $1 AND resolved_at IS NULL
               ORDER BY cause_key";
    link.rows(sql, args![source]).await?.iter().map(|row| row.text("cause_key")).collect()
}

/// The newest alert of a cause, resolved or not.
pub async fn newest(link: &mut Link, key: &str) -> Result<Option<AlertId>, Error> {
    let sql = "SELECT id FROM alert WHERE cause_key = $1 ORDER BY created_at DESC LIMIT 1";
    link.row(sql, args![key]).await?.map(|row| row.id("id")).transpose()
}

/// Alerts about an object, newest first.
pub async fn about(link: &mut Link, object_id: &str, limit: usize) -> Result<Vec<Alert>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM alert a WHERE a.object_id = $1
         ORDER BY a.created_at DESC, a.id DESC LIMIT $2"
    );
    link.rows(sql, args![object_id, limit]).await?.iter().map(read).collect()
}

/// Alerts about an object that are not resolved, newest first.
pub async fn open_about(
    link: &mut Link,
    object_id: &str,
    limit: usize,
) -> Result<Vec<Alert>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM alert a WHERE a.object_id = $1 AND a.resolved_at IS NULL
         ORDER BY a.created_at DESC, a.id DESC LIMIT $2"
    );
    link.rows(sql, args![object_id, limit]).await?.iter().map(read).collect()
}

/// Inserts an alert.
///
/// # Errors
/// The store refuses; also when its cause has an alert that is not resolved.
pub async fn insert(tx: &mut Tx, alert: &Alert) -> Result<(), Error> {
    insert_all(tx, std::slice::from_ref(alert)).await
}

/// Inserts alerts, in few statements.
///
/// # Errors
/// As [`insert`].
pub async fn insert_all(tx: &mut Tx, alerts: &[Alert]) -> Result<(), Error> {
    let words: Vec<_> = alerts.iter().map(|alert| (alert.id, text::words(alert))).collect();
    let rows = alerts.iter().zip(&words).map(|(alert, (_, words))| inserted(alert, words));
    let head = "INSERT INTO alert (id, cause_key, kind, severity, severity_rank, state, title,
        message, message_private, words, object_kind, object_id, object_name, source, occurrences,
        created_at, last_seen_at, news_at, snooze_ends_on_change, previous, raised_event,
        last_event, addressed, version)";
    tx.insert_many(head, "", rows.collect()).await?;
    text::insert(tx, &words).await
}

fn inserted(alert: &Alert, words: &str) -> Vec<SqlValue> {
    let (kind, id) = match &alert.object {
        Some((kind, id)) => (Some(kind.as_str()), Some(id.as_str())),
        None => (None, None),
    };
    let mut values = vec![value::id(alert.id)];
    values.extend(args![
        &alert.cause_key,
        &alert.kind,
        &alert.severity,
        rank(&alert.severity),
        &alert.state,
        &alert.title,
        &alert.message,
        alert.message_private,
        words,
        kind,
        id,
        alert.object_name.as_deref(),
        &alert.source,
        alert.occurrences,
        alert.created_at,
        alert.last_seen_at,
        alert.news_at,
        alert.snooze_ends_on_change,
        alert.previous.map(|id| id.to_string()),
        alert.raised_event.to_string(),
        alert.last_event.map(|id| id.to_string()),
        alert.addressed,
        alert.version
    ]);
    values
}

/// Writes everything of an alert that changes during its life.
///
/// # Errors
/// [`Error::Conflict`] if its version is not `alert.version` any more.
pub async fn update(tx: &mut Tx, alert: &Alert) -> Result<(), Error> {
    let sql = "UPDATE alert SET severity = $3, severity_rank = $4, state = $5, message = $6,
        message_private = $7, words = $8, occurrences = $9, last_seen_at = $10, news_at = $11,
        acknowledged_by = $12, acknowledged_at = $13, assigned_to = $14, snoozed_until = $15,
        snooze_ends_on_change = $16, resolved_at = $17, resolved_by = $18, resolved_because = $19,
        last_event = $20, title = $21, assigned_by = $22, kind = $23, addressed = $24,
        version = version + 1 WHERE id = $1 AND version = $2";
    let words = text::words(alert);
    let known = text::stored(tx, alert.id).await?;
    let account = |id: Option<AccountId>| SqlValue::from(id.map(|id| id.to_string()));
    let mut values = vec![value::id(alert.id), alert.version.into()];
    values.extend(args![
        &alert.severity,
        rank(&alert.severity),
        &alert.state,
        &alert.message,
        alert.message_private,
        &words,
        alert.occurrences,
        alert.last_seen_at,
        alert.news_at,
        account(alert.acknowledged.map(|(by, _)| by)),
        alert.acknowledged.map(|(_, at)| at),
        account(alert.assigned_to),
        alert.snoozed_until,
        alert.snooze_ends_on_change,
        alert.resolved_at,
        account(alert.resolved_by),
        alert.resolved_because.as_deref(),
        alert.last_event.map(|id| id.to_string()),
        &alert.title,
        account(alert.assigned_by),
        &alert.kind,
        alert.addressed
    ]);
    if tx.execute(sql, values).await? != 1 {
        return Err(Error::Conflict("the alert"));
    }
    if known.as_ref() != Some(&words) {
        text::delete(tx, &[(alert.id, known.unwrap_or_default())]).await?;
        text::insert(tx, &[(alert.id, words)]).await?;
    }
    Ok(())
}

/// Snoozed alerts whose snooze has ended by `now`, the oldest first.
pub async fn snoozes_over(
    link: &mut Link,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Alert>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM alert a WHERE a.state = 'snoozed' AND a.snoozed_until <= $1
         ORDER BY a.snoozed_until LIMIT $2"
    );
    link.rows(sql, args![now, limit]).await?.iter().map(read).collect()
}

/// When the next snooze ends, if any does.
pub async fn next_snooze_end(link: &mut Link) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT MIN(snoozed_until) AS due FROM alert WHERE state = 'snoozed'";
    match link.row(sql, vec![]).await? {
        Some(row) => row.maybe_time("due"),
        None => Ok(None),
    }
}

/// Whether there are alerts that were resolved before a time.
pub async fn any_resolved_before(link: &mut Link, before: Timestamp) -> Result<bool, Error> {
    let sql = "SELECT id FROM alert WHERE resolved_at < $1 LIMIT 1";
    Ok(link.row(sql, args![before]).await?.is_some())
}

/// Deletes alerts that were resolved before a time, the oldest first, `limit` at most; answers how
/// many. Later alerts of the same cause do not name them any more.
pub async fn sweep(tx: &mut Tx, before: Timestamp, limit: usize) -> Result<u64, Error> {
    let old = "SELECT id FROM alert WHERE resolved_at < $1 ORDER BY resolved_at, id LIMIT $2";
    let going = format!("SELECT id, words FROM alert WHERE id IN ({old})");
    let rows = tx.rows(going, args![before, limit]).await?;
    let words: Result<Vec<_>, Error> =
        rows.iter().map(|row| Ok((row.id::<AlertId>("id")?, row.text("words")?))).collect();
    text::delete(tx, &words?).await?;
    let unlink = format!("UPDATE alert SET previous = NULL WHERE previous IN ({old})");
    tx.execute(unlink, args![before, limit]).await?;
    tx.execute(format!("DELETE FROM alert WHERE id IN ({old})"), args![before, limit]).await
}

/// Clears the message of the alert that this event told about, where it may be about a person.
pub async fn erase_message(tx: &mut Tx, raised_event: EventId) -> Result<(), Error> {
    let sql = "UPDATE alert SET message = '', version = version + 1
               WHERE raised_event = $1 AND message_private = 1";
    tx.execute(sql, vec![value::id(raised_event)]).await.map(|_| ())
}
