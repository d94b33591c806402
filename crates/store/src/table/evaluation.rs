//! What came of asking triggers: one row for each trigger that an event concerned.

pub mod search;

use chancery_event::id::{EvaluationId, EventId};
use chancery_event::{LogIndex, Timestamp};

use crate::{Error, Link, Row, Tx, args, value};

/// One trigger that was asked about one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// Its identifier.
    pub id: EvaluationId,
    /// Place of the event in the log; none if it was asked before the event was sealed.
    pub log_index: Option<LogIndex>,
    /// The event; of an upload that was ignored, the failed operation.
    pub event_id: EventId,
    /// The type that the trigger listened to.
    pub event_type: String,
    /// `kind/id` of the object.
    pub object: Option<String>,
    /// Where the trigger was bound: `platform`, `group/NAME`, …
    pub scope: String,
    /// The trigger.
    pub trigger: String,
    /// Its version.
    pub trigger_version: i64,
    /// Revision of the whole configuration.
    pub revision: i64,
    /// What came of it.
    pub verdict: String,
    /// Some step could not be carried out.
    pub failed: bool,
    /// JSON: rules with every comparison.
    pub explanation: String,
    /// JSON: steps with their results.
    pub steps: String,
    /// Time it took, in microseconds.
    pub took_us: u64,
    /// When it was asked.
    pub at: Timestamp,
}

const COLUMNS: &str = "e.id, e.log_index, e.event_id, e.event_type, e.object, e.scope,
    e.trigger_name, e.trigger_version, e.revision, e.verdict, e.failed, e.explanation, e.steps,
    e.took_us, e.at";

fn read(row: &Row) -> Result<Evaluation, Error> {
    let log_index = row.maybe_int("log_index")?.map(|index| u64::try_from(index).unwrap_or(0));
    Ok(Evaluation {
        id: row.id("id")?,
        log_index: log_index.map(LogIndex),
        event_id: row.id("event_id")?,
        event_type: row.text("event_type")?,
        object: row.maybe_text("object")?,
        scope: row.text("scope")?,
        trigger: row.text("trigger_name")?,
        trigger_version: row.int("trigger_version")?,
        revision: row.int("revision")?,
        verdict: row.text("verdict")?,
        failed: row.flag("failed")?,
        explanation: row.text("explanation")?,
        steps: row.text("steps")?,
        took_us: row.count("took_us")?,
        at: row.time("at")?,
    })
}

/// Inserts evaluations.
///
/// # Errors
/// [`Error::Exists`] if one of these triggers was asked about that sealed event before.
pub async fn insert(tx: &mut Tx, rows: &[Evaluation]) -> Result<(), Error> {
    let head = "INSERT INTO evaluation (id, log_index, event_id, event_type, object, scope,
                trigger_name, trigger_version, revision, verdict, failed, explanation, steps,
                took_us, at)";
    let row = |row: &Evaluation| {
        let mut values = vec![value::id(row.id), row.log_index.into(), value::id(row.event_id)];
        values.extend(args![
            &row.event_type,
            row.object.clone(),
            &row.scope,
            &row.trigger,
            row.trigger_version,
            row.revision,
            &row.verdict,
            row.failed,
            &row.explanation,
            &row.steps,
            row.took_us,
            row.at,
        ]);
        values
    };
    tx.insert_many(head, "", rows.iter().map(row).collect()).await
}

/// One evaluation.
pub async fn find(link: &mut Link, id: EvaluationId) -> Result<Option<Evaluation>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM evaluation e WHERE e.id = $1");
    link.row(sql, vec![value::id(id)]).await?.as_ref().map(read).transpose()
}

/// What was asked about an event, in order.
pub async fn of_event(link: &mut Link, event: EventId) -> Result<Vec<Evaluation>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM evaluation e WHERE e.event_id = $1 ORDER BY e.id");
    link.rows(sql, vec![value::id(event)]).await?.iter().map(read).collect()
}

/// What was asked about sealed events with indexes `from..to`, in order of the log.
pub async fn of_range(
    link: &mut Link,
    from: LogIndex,
    to: LogIndex,
) -> Result<Vec<Evaluation>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM evaluation e WHERE e.log_index >= $1 AND e.log_index < $2
         ORDER BY e.log_index, e.id"
    );
    link.rows(sql, args![from, to]).await?.iter().map(read).collect()
}

/// Puts other words in place of what an evaluation says: its explanation and its steps.
pub async fn retell(tx: &mut Tx, row: &Evaluation) -> Result<(), Error> {
    let sql = "UPDATE evaluation SET explanation = $1, steps = $2 WHERE id = $3";
    let mut values = args![&row.explanation, &row.steps];
    values.push(value::id(row.id));
    tx.execute(sql, values).await.map(|_| ())
}

/// Whether there are so many evaluations that those of the time of an event may have been deleted:
/// none is older than it, and there are `most`.
pub async fn is_full_after(link: &mut Link, index: LogIndex, most: u64) -> Result<bool, Error> {
    let older = "SELECT 1 AS n FROM evaluation WHERE log_index < $1 LIMIT 1";
    if link.row(older, args![index]).await?.is_some() {
        return Ok(false);
    }
    let count = "SELECT COUNT(*) AS n FROM (SELECT 1 FROM evaluation LIMIT $1) AS few";
    let found = link.number(count, args![most]).await?;
    Ok(u64::try_from(found).unwrap_or(0) >= most)
}

/// Deletes what is older than `before` or beyond the newest `most` rows, `limit` rows at most;
/// answers how many.
pub async fn sweep(tx: &mut Tx, before: Timestamp, most: u64, limit: usize) -> Result<u64, Error> {
    let old = "DELETE FROM evaluation WHERE id IN
               (SELECT id FROM evaluation WHERE at < $1 ORDER BY at LIMIT $2)";
    let mut gone = tx.execute(old, args![before, limit]).await?;
    let beyond = "DELETE FROM evaluation WHERE id IN
                  (SELECT id FROM evaluation WHERE id <=
                      (SELECT id FROM evaluation ORDER BY id DESC LIMIT 1 OFFSET $1)
                   ORDER BY id LIMIT $2)";
    gone += tx.execute(beyond, args![most, limit]).await?;
    Ok(gone)
}

/// How often each trigger came to each verdict since a time.
pub async fn verdicts(
    link: &mut Link,
    since: Timestamp,
) -> Result<Vec<(String, String, u64)>, Error> {
    let sql = "SELECT trigger_name, verdict, COUNT(*) AS n FROM evaluation WHERE at >= $1
               GROUP BY trigger_name, verdict ORDER BY trigger_name, verdict";
    let read = |row: &Row| Ok((row.text("trigger_name")?, row.text("verdict")?, row.count("n")?));
    link.rows(sql, args![since]).await?.iter().map(read).collect()
}
