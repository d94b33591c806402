//! Rules by which events leave the database, legal holds that keep them, and runs.

use chancery_event::id::EventId;
use chancery_event::{LogIndex, Timestamp};

use super::setting;
use crate::log::HOLDS;
use crate::{Error, Link, Row, Tx, args, value};

/// Runs that are kept whose events are still told of are kept as well; others up to this number.
const KEPT: i64 = 10_000;

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its identity.
    pub name: String,
    /// Counts its changes, from 1.
    pub version: i64,
    /// Whether it is followed.
    pub enabled: bool,
    /// Which events, in the condition language; empty: all.
    pub filter: String,
    /// `event`: days count from the event; `expiry`: from the end of its certificate.
    pub basis: String,
    /// Days after that.
    pub after_days: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub changed_at: Timestamp,
}

/// What no rule removes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its identity.
    pub name: String,
    /// Which events.
    pub filter: String,
    /// Why.
    pub reason: String,
    /// Kind and identifier of who placed it.
    pub placed_by: String,
    /// Since when.
    pub placed_at: Timestamp,
    /// Kind and identifier of who ended it.
    pub released_by: Option<String>,
    /// When it ended; `None`: it lasts.
    pub released_at: Option<Timestamp>,
}

/// A run of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its identifier, and that of the event about it.
    pub id: EventId,
    /// Name of the rule.
    pub rule: String,
    /// Its version.
    pub rule_version: i64,
    /// What it said, in a sentence.
    pub rule_text: String,
    /// `running`, `succeeded` or `failed`.
    pub state: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Events removed.
    pub removed: u64,
    /// Events that holds kept.
    pub held: u64,
    /// The first that it removed.
    pub first_index: Option<LogIndex>,
    /// The last that it removed.
    pub last_index: Option<LogIndex>,
    /// Why it failed.
    pub message: Option<String>,
}

impl Run {
    /// One that has just begun, for a rule in a version, with what it says.
    pub fn begun(id: EventId, rule: (&str, i64), rule_text: &str, started_at: Timestamp) -> Self {
        Self {
            id,
            rule: rule.0.to_owned(),
            rule_version: rule.1,
            rule_text: rule_text.to_owned(),
            state: "running".to_owned(),
            started_at,
            ended_at: None,
            removed: 0,
            held: 0,
            first_index: None,
            last_index: None,
            message: None,
        }
    }
}

const RULE: &str = "name, version, enabled, filter, basis, after_days, created_at, changed_at";
const HOLD: &str = "name, filter, reason, placed_by, placed_at, released_by, released_at";
const RUN: &str = "id, rule, rule_version, rule_text, state, started_at, ended_at, removed, held, \
    first_index, last_index, message";

fn read_rule(row: &Row) -> Result<Rule, Error> {
    Ok(Rule {
        name: row.text("name")?,
        version: row.int("version")?,
        enabled: row.flag("enabled")?,
        filter: row.text("filter")?,
        basis: row.text("basis")?,
        after_days: u32::try_from(row.count("after_days")?).unwrap_or(u32::MAX),
        created_at: row.time("created_at")?,
        changed_at: row.time("changed_at")?,
    })
}

fn read_hold(row: &Row) -> Result<Hold, Error> {
    Ok(Hold {
        name: row.text("name")?,
        filter: row.text("filter")?,
        reason: row.text("reason")?,
        placed_by: row.text("placed_by")?,
        placed_at: row.time("placed_at")?,
        released_by: row.maybe_text("released_by")?,
        released_at: row.maybe_time("released_at")?,
    })
}

fn read_run(row: &Row) -> Result<Run, Error> {
    let index = |name: &str| -> Result<Option<LogIndex>, Error> {
        let found = row.maybe_int(name)?.and_then(|index| u64::try_from(index).ok());
        Ok(found.map(LogIndex))
    };
    Ok(Run {
        id: row.id("id")?,
        rule: row.text("rule")?,
        rule_version: row.int("rule_version")?,
        rule_text: row.text("rule_text")?,
        state: row.text("state")?,
        started_at: row.time("started_at")?,
        ended_at: row.maybe_time("ended_at")?,
        removed: row.count("removed")?,
        held: row.count("held")?,
        first_index: index("first_index")?,
        last_index: index("last_index")?,
        message: row.maybe_text("message")?,
    })
}

/// All rules, by name.
pub async fn rules(link: &mut Link) -> Result<Vec<Rule>, Error> {
    let sql = format!("SELECT {RULE} FROM retention_rule ORDER BY name");
    link.rows(sql, Vec::new()).await?.iter().map(read_rule).collect()
}

/// One rule.
pub async fn rule(link: &mut Link, name: &str) -> Result<Option<Rule>, Error> {
    let sql = format!("SELECT {RULE} FROM retention_rule WHERE name = $1");
    link.row(sql, args![name]).await?.as_ref().map(read_rule).transpose()
}

/// Makes a rule or changes it.
pub async fn put_rule(tx: &mut Tx, rule: &Rule) -> Result<(), Error> {
    let sql = format!(
        "INSERT INTO retention_rule ({RULE}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (name) DO UPDATE SET version = excluded.version, enabled = excluded.enabled,
         filter = excluded.filter, basis = excluded.basis, after_days = excluded.after_days,
         changed_at = excluded.changed_at"
    );
    let values = args![
        &rule.name,
        rule.version,
        rule.enabled,
        &rule.filter,
        &rule.basis,
        i64::from(rule.after_days),
        rule.created_at,
        rule.changed_at
    ];
    tx.execute(sql, values).await.map(|_| ())
}

/// Deletes a rule; false if there is none. Its runs stay.
pub async fn delete_rule(tx: &mut Tx, name: &str) -> Result<bool, Error> {
    Ok(tx.execute("DELETE FROM retention_rule WHERE name = $1", args![name]).await? > 0)
}

/// All legal holds: those that last first, then the newest.
pub async fn holds(link: &mut Link) -> Result<Vec<Hold>, Error> {
    let sql = format!(
        "SELECT {HOLD} FROM legal_hold
         ORDER BY CASE WHEN released_at IS NULL THEN 0 ELSE 1 END, placed_at DESC, name"
    );
    link.rows(sql, Vec::new()).await?.iter().map(read_hold).collect()
}

/// The legal holds that last, and the revision by which removing is checked against them.
pub async fn lasting_holds(link: &mut Link) -> Result<(Vec<Hold>, i64), Error> {
    // In this order: a hold that comes in between makes the revision too old, never too new.
    let revision = crate::log::holds_revision(link).await?;
    let sql = format!("SELECT {HOLD} FROM legal_hold WHERE released_at IS NULL ORDER BY name");
    let holds =
        link.rows(sql, Vec::new()).await?.iter().map(read_hold).collect::<Result<_, _>>()?;
    Ok((holds, revision))
}

async fn count_up(tx: &mut Tx) -> Result<(), Error> {
    let revision = crate::log::holds_revision(tx).await?;
    setting::put(tx, HOLDS, &(revision + 1).to_string()).await
}

/// Places a hold.
pub async fn place(tx: &mut Tx, hold: &Hold) -> Result<(), Error> {
    let sql = format!("INSERT INTO legal_hold ({HOLD}) VALUES ($1, $2, $3, $4, $5, $6, $7)");
    let values = args![
        &hold.name,
        &hold.filter,
        &hold.reason,
        &hold.placed_by,
        hold.placed_at,
        hold.released_by.as_deref(),
        hold.released_at
    ];
    tx.execute(sql, values).await?;
    count_up(tx).await
}

/// Ends a hold; `None` if there is none that lasts.
pub async fn release(
    tx: &mut Tx,
    name: &str,
    by: &str,
    now: Timestamp,
) -> Result<Option<Hold>, Error> {
    let sql = format!(
        "UPDATE legal_hold SET released_by = $2, released_at = $3
         WHERE name = $1 AND released_at IS NULL RETURNING {HOLD}"
    );
    let rows = tx.execute_returning(sql, args![name, by, now]).await?;
    count_up(tx).await?;
    rows.first().map(read_hold).transpose()
}

/// Writes down that a run begins.
pub async fn begin(tx: &mut Tx, run: &Run) -> Result<(), Error> {
    let sql = format!(
        "INSERT INTO retention_run ({RUN})
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
    );
    let mut values = vec![value::id(run.id)];
    values.extend(args![
        &run.rule,
        run.rule_version,
        &run.rule_text,
        &run.state,
        run.started_at,
        run.ended_at,
        run.removed,
        run.held,
        run.first_index,
        run.last_index,
        run.message.as_deref()
    ]);
    tx.execute(sql, values).await?;
    // What removed something is told of for ever.
    let sql = "DELETE FROM retention_run WHERE removed = 0 AND state <> 'running' AND started_at <
               (SELECT started_at FROM retention_run WHERE removed = 0
                ORDER BY started_at DESC LIMIT 1 OFFSET $1)";
    tx.execute(sql, args![KEPT]).await.map(|_| ())
}

/// Refuses if a run is over: who took over from its runner has said so. On a server the run stays
/// as it is until the transaction has ended.
pub(crate) async fn still_runs(link: &mut Link, run: EventId) -> Result<(), Error> {
    let sql = format!(
        "SELECT COUNT(*) AS n FROM (SELECT id FROM retention_run
         WHERE id = $1 AND state = 'running' {}) AS open",
        link.dialect().sharing()
    );
    match link.number(sql, vec![value::id(run)]).await? {
        1 => Ok(()),
        _ => Err(OVER),
    }
}

/// Somebody ended the run, whose runner was taken for dead.
const OVER: Error = Error::Conflict("the run of retention");

/// Writes down how far a run is, or how it ended.
///
/// # Errors
/// [`Error::Conflict`] if somebody ended it: nothing of this transaction may be kept.
pub async fn note(tx: &mut Tx, run: &Run) -> Result<(), Error> {
    let sql = "UPDATE retention_run SET state = $2, ended_at = $3, removed = $4, held = $5,
               first_index = $6, last_index = $7, message = $8
               WHERE id = $1 AND state = 'running'";
    let mut values = vec![value::id(run.id)];
    values.extend(args![
        &run.state,
        run.ended_at,
        run.removed,
        run.held,
        run.first_index,
        run.last_index,
        run.message.as_deref()
    ]);
    match tx.execute(sql, values).await? {
        1 => Ok(()),
        _ => Err(OVER),
    }
}

/// Ends runs that nobody ended: their runner died. Answers them.
pub async fn end_broken(tx: &mut Tx, now: Timestamp) -> Result<Vec<Run>, Error> {
    let sql = format!("SELECT {RUN} FROM retention_run WHERE state = 'running' ORDER BY id");
    let found = tx.rows(sql, Vec::new()).await?;
    let mut runs = found.iter().map(read_run).collect::<Result<Vec<_>, _>>()?;
    for run in &mut runs {
        // It died before it could write down what it removed last.
        let (removed, first, last) = crate::log::removed_by(tx, run.id).await?;
        (run.removed, run.first_index, run.last_index) = (removed, first, last);
        (run.state, run.ended_at) = ("failed".to_owned(), Some(now));
        run.message = Some("it broke off".to_owned());
        note(tx, run).await?;
    }
    Ok(runs)
}

/// Runs, newest first.
pub async fn runs(link: &mut Link, limit: usize) -> Result<Vec<Run>, Error> {
    let sql = format!("SELECT {RUN} FROM retention_run ORDER BY started_at DESC, id DESC LIMIT $1");
    link.rows(sql, args![limit]).await?.iter().map(read_run).collect()
}

/// The first log index that somebody still needs, and who: consumers with a cursor, destinations,
/// deliveries that wait, notifications that are not decided, held back or may go up a level. Behind
/// the smallest of them nothing may be removed.
pub async fn needed(link: &mut Link) -> Result<Vec<(String, LogIndex)>, Error> {
    let sql = "SELECT 'the ' || name AS who, next_index AS place FROM log_cursor
               UNION ALL
               SELECT class || ' ' || name, next_index FROM destination WHERE class = 'forwarder'
               UNION ALL
               SELECT 'a delivery to ' || destination, MIN(first_index) FROM delivery
               WHERE state = 'waiting' AND first_index IS NOT NULL GROUP BY destination
               UNION ALL
               SELECT 'a notification through ' || profile, MIN(place) FROM (
                   SELECT profile, coalesce(log_index, (SELECT e.log_index FROM event e
                       WHERE e.id = c.event_id)) AS place
                   FROM notification_call c WHERE state = 'waiting' OR id IN (
                       SELECT call FROM escalation WHERE state = 'waiting')
                   UNION ALL
                   SELECT profile, coalesce(log_index, (SELECT e.log_index FROM event e
                       WHERE e.id = n.event_id)) FROM notice n WHERE decision = 'held') AS open
               WHERE place IS NOT NULL GROUP BY profile
               ORDER BY place, who";
    let rows = link.rows(sql, Vec::new()).await?;
    rows.iter().map(|row| Ok((row.text("who")?, LogIndex(row.count("place")?)))).collect()
}

/// When certificates end, by identifier; those that are not in the inventory are left out.
pub async fn ends_of(link: &mut Link, ids: &[String]) -> Result<Vec<(String, Timestamp)>, Error> {
    let mut found = Vec::new();
    for chunk in ids.chunks(500) {
        let places = vec!["?"; chunk.len()].join(",");
        let sql = format!("SELECT id, not_after FROM certificate WHERE id IN ({places})");
        let values = chunk.iter().map(|id| id.as_str().into()).collect();
        for row in &link.rows(sql, values).await? {
            found.push((row.text("id")?, row.time("not_after")?));
        }
    }
    Ok(found)
}
