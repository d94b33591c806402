//! Calls (wishes to tell of an event through a profile), repetitions, escalations.

use chancery_event::id::{AlertId, EscalationId, EventId, NotificationId};
use chancery_event::{LogIndex, Timestamp};

use crate::{Error, Link, Row, Tx, args, value};

/// A wish to tell of an event through a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its identifier.
    pub id: NotificationId,
    /// Place of the event in the log; none if it was not sealed yet.
    pub log_index: Option<LogIndex>,
    /// The event.
    pub event_id: EventId,
    /// Its type.
    pub event_type: String,
    /// `kind/id` of what it is about.
    pub object: Option<String>,
    /// Name of the profile.
    pub profile: String,
    /// The trigger that wishes it, or `canary`.
    pub trigger: String,
    /// What the step says besides: one line.
    pub title: String,
    /// What the step says besides.
    pub message: String,
    /// JSON: the fields of a certificate that was not let in, by their names in the inventory.
    pub candidate: Option<String>,
    /// `waiting` or `done`.
    pub state: String,
    /// Why nobody was asked; empty: it was decided.
    pub outcome: String,
    /// When it was wished.
    pub at: Timestamp,
    /// When it was decided.
    pub done_at: Option<Timestamp>,
}

fn read(row: &Row) -> Result<Call, Error> {
    let log_index = row.maybe_int("log_index")?.map(|index| u64::try_from(index).unwrap_or(0));
    Ok(Call {
        id: row.id("id")?,
        log_index: log_index.map(LogIndex),
        event_id: row.id("event_id")?,
        event_type: row.text("event_type")?,
        object: row.maybe_text("object")?,
        profile: row.text("profile")?,
        trigger: row.text("trigger_name")?,
        title: row.text("title")?,
        message: row.text("message")?,
        candidate: row.maybe_text("candidate")?,
        state: row.text("state")?,
        outcome: row.text("outcome")?,
        at: row.time("at")?,
        done_at: row.maybe_time("done_at")?,
    })
}

/// Inserts a call.
pub async fn insert(tx: &mut Tx, row: &Call) -> Result<(), Error> {
    let sql = "INSERT INTO notification_call (id, log_index, event_id, event_type, object, profile,
               trigger_name, title, message, candidate, state, outcome, at, done_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    let mut values = vec![value::id(row.id), row.log_index.map(|index| index.0).into()];
    values.push(value::id(row.event_id));
    values.extend(args![&row.event_type, row.object.as_deref(), &row.profile, &row.trigger]);
    values.extend(args![&row.title, &row.message, row.candidate.as_deref(), &row.state]);
    values.extend(args![&row.outcome, row.at, row.done_at]);
    tx.execute(sql, values).await.map(|_| ())
}

/// Calls that wait, in order.
pub async fn waiting(link: &mut Link, limit: usize) -> Result<Vec<Call>, Error> {
    let sql = "SELECT * FROM notification_call WHERE state = 'waiting' ORDER BY id LIMIT $1";
    link.rows(sql, args![limit]).await?.iter().map(read).collect()
}

/// One call.
pub async fn find(link: &mut Link, id: NotificationId) -> Result<Option<Call>, Error> {
    let sql = "SELECT * FROM notification_call WHERE id = $1";
    link.row(sql, vec![value::id(id)]).await?.as_ref().map(read).transpose()
}

/// The calls of an event.
pub async fn of_event(link: &mut Link, event: EventId) -> Result<Vec<Call>, Error> {
    let sql = "SELECT * FROM notification_call WHERE event_id = $1 ORDER BY id LIMIT 200";
    link.rows(sql, vec![value::id(event)]).await?.iter().map(read).collect()
}

/// Ends a call that waits; false if somebody else ended it.
pub async fn end(
    tx: &mut Tx,
    id: NotificationId,
    outcome: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    let sql = "UPDATE notification_call SET state = 'done', outcome = $2, done_at = $3
               WHERE id = $1 AND state = 'waiting'";
    let mut values = vec![value::id(id)];
    values.extend(args![outcome, now]);
    Ok(tx.execute(sql, values).await? == 1)
}

/// Deletes calls and escalations that ended before a time, and streams that are to be forgotten by
/// now; answers how many. A call that a held decision or a waiting escalation refers to stays.
pub async fn sweep(
    tx: &mut Tx,
    before: Timestamp,
    now: Timestamp,
    most: usize,
) -> Result<u64, Error> {
    let sql = "DELETE FROM notification_call WHERE id IN (SELECT c.id FROM notification_call c
               WHERE c.at < $1 AND c.state = 'done'
               AND NOT EXISTS (SELECT 1 FROM escalation e
                               WHERE e.call = c.id AND e.state = 'waiting')
               AND NOT EXISTS (SELECT 1 FROM notice n
                               WHERE n.call = c.id AND n.decision = 'held')
               ORDER BY c.at LIMIT $2)";
    let calls = tx.execute(sql, args![before, most]).await?;
    let sql = "DELETE FROM notice_stream WHERE (profile, object, event_type, threshold) IN
               (SELECT profile, object, event_type, threshold FROM notice_stream
                WHERE forget_at < $1 ORDER BY forget_at LIMIT $2)";
    let streams = tx.execute(sql, args![now, most]).await?;
    let sql = "DELETE FROM escalation WHERE id IN (SELECT id FROM escalation
               WHERE state <> 'waiting' AND due_at < $1 ORDER BY due_at LIMIT $2)";
    let levels = tx.execute(sql, args![before, most]).await?;
    Ok(calls + streams + levels)
}

/// Repetitions of one thing that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The profile.
    pub profile: String,
    /// `kind/id` of what goes on.
    pub object: String,
    /// Type of the events.
    pub event_type: String,
    /// Threshold of a monitoring event; empty: none.
    pub threshold: String,
    /// Frequency and repetitions it was counted under.
    pub policy: String,
    /// How often it was told.
    pub sent: i64,
    /// When it was told first.
    pub first_at: Timestamp,
    /// When it was told last.
    pub last_at: Timestamp,
    /// When it came up last, told or not.
    pub seen_at: Timestamp,
    /// When it is forgotten unless it comes up again.
    pub forget_at: Timestamp,
}

fn read_stream(row: &Row) -> Result<Stream, Error> {
    Ok(Stream {
        profile: row.text("profile")?,
        object: row.text("object")?,
        event_type: row.text("event_type")?,
        threshold: row.text("threshold")?,
        policy: row.text("policy")?,
        sent: row.int("sent")?,
        first_at: row.time("first_at")?,
        last_at: row.time("last_at")?,
        seen_at: row.time("seen_at")?,
        forget_at: row.time("forget_at")?,
    })
}

/// One stream.
pub async fn stream(
    link: &mut Link,
    profile: &str,
    object: &str,
    event_type: &str,
    threshold: &str,
) -> Result<Option<Stream>, Error> {
    let sql = "SELECT * FROM notice_stream WHERE profile = $1 AND object = $2 AND event_type = $3
               AND threshold = $4";
    let found = link.row(sql, args![profile, object, event_type, threshold]).await?;
    found.as_ref().map(read_stream).transpose()
}

/// The streams about an object.
pub async fn streams_of(link: &mut Link, object: &str) -> Result<Vec<Stream>, Error> {
    let sql = "SELECT * FROM notice_stream WHERE object = $1
               ORDER BY profile, event_type, threshold LIMIT 500";
    link.rows(sql, args![object]).await?.iter().map(read_stream).collect()
}

/// Writes a stream.
pub async fn put_stream(tx: &mut Tx, row: &Stream) -> Result<(), Error> {
    let sql = "INSERT INTO notice_stream (profile, object, event_type, threshold, policy, sent,
               first_at, last_at, seen_at, forget_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
               ON CONFLICT (profile, object, event_type, threshold) DO UPDATE SET
               policy = excluded.policy, sent = excluded.sent, first_at = excluded.first_at,
               last_at = excluded.last_at, seen_at = excluded.seen_at,
               forget_at = excluded.forget_at";
    let mut values = args![&row.profile, &row.object, &row.event_type, &row.threshold, &row.policy];
    values.extend(args![row.sent, row.first_at, row.last_at, row.seen_at, row.forget_at]);
    tx.execute(sql, values).await.map(|_| ())
}

/// Forgets the repetitions about an object, of one profile or of all; answers how many.
pub async fn reset_streams(tx: &mut Tx, object: &str, profile: Option<&str>) -> Result<u64, Error> {
    match profile {
        Some(profile) => {
            let sql = "DELETE FROM notice_stream WHERE object = $1 AND profile = $2";
            tx.execute(sql, args![object, profile]).await
        }
        None => tx.execute("DELETE FROM notice_stream WHERE object = $1", args![object]).await,
    }
}

/// An alert that must be acknowledged by a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// Its identifier.
    pub id: EscalationId,
    /// The call that it began with.
    pub call: NotificationId,
    /// The alert.
    pub alert: AlertId,
    /// The profile.
    pub profile: String,
    /// Which level comes, from 1.
    pub level: i64,
    /// When.
    pub due_at: Timestamp,
    /// `waiting`, `told` or `dropped`.
    pub state: String,
}

fn read_escalation(row: &Row) -> Result<Escalation, Error> {
    Ok(Escalation {
        id: row.id("id")?,
        call: row.id("call")?,
        alert: row.id("alert")?,
        profile: row.text("profile")?,
        level: row.int("level")?,
        due_at: row.time("due_at")?,
        state: row.text("state")?,
    })
}

/// Whether an alert has an escalation of a profile that waits.
pub async fn escalates(link: &mut Link, alert: AlertId, profile: &str) -> Result<bool, Error> {
    let sql = "SELECT COUNT(*) AS n FROM escalation WHERE alert = $1 AND profile = $2
               AND state = 'waiting'";
    let mut values = vec![value::id(alert)];
    values.extend(args![profile]);
    Ok(link.number(sql, values).await? > 0)
}

/// Inserts an escalation.
pub async fn escalate(tx: &mut Tx, row: &Escalation) -> Result<(), Error> {
    let sql = "INSERT INTO escalation (id, call, alert, profile, level, due_at, state)
               VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let mut values = vec![value::id(row.id), value::id(row.call), value::id(row.alert)];
    values.extend(args![&row.profile, row.level, row.due_at, &row.state]);
    tx.execute(sql, values).await.map(|_| ())
}

/// Escalations that are due.
pub async fn escalations_due(
    link: &mut Link,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Escalation>, Error> {
    let sql = "SELECT * FROM escalation WHERE state = 'waiting' AND due_at <= $1
               ORDER BY due_at, id LIMIT $2";
    link.rows(sql, args![now, limit]).await?.iter().map(read_escalation).collect()
}

/// The escalations of an alert, by level.
pub async fn escalations_of(link: &mut Link, alert: AlertId) -> Result<Vec<Escalation>, Error> {
    let sql = "SELECT * FROM escalation WHERE alert = $1 ORDER BY due_at, level LIMIT 100";
    link.rows(sql, vec![value::id(alert)]).await?.iter().map(read_escalation).collect()
}

/// Ends an escalation: `told` or `dropped`; false if it did not wait any more.
pub async fn end_escalation(
    tx: &mut Tx,
    id: EscalationId,
    state: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    let sql = "UPDATE escalation SET state = $2, ended_at = $3 WHERE id = $1 AND state = 'waiting'";
    let mut values = vec![value::id(id)];
    values.extend(args![state, now]);
    Ok(tx.execute(sql, values).await? == 1)
}
