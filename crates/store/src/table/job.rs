//! Jobs: queued in the transaction of what asked for them, run under a lease.
//!
//! A [`Lease`] is needed to report progress, finish, fail or extend: without it there is no method.
//! A lease that ran out is taken over by the next runner; its old holder finds its token refused.

pub mod search;

use chancery_event::Timestamp;
use chancery_event::id::JobId;

use super::lease::Term;
use crate::{Error, Link, Row, SqlValue, Tx, args, value};

/// A job as stored, without its input.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its identifier.
    pub id: JobId,
    /// What it does.
    pub kind: String,
    /// The queue it waits in.
    pub queue: String,
    /// What people call it.
    pub name: String,
    /// `queued`, `running`, `success`, `failed` or `cancelled`.
    pub state: String,
    /// JSON, shown to people.
    pub payload: String,
    /// JSON.
    pub result: Option<String>,
    /// Why it failed, the last time it did.
    pub error: Option<String>,
    /// Tries so far.
    pub attempts: i64,
    /// Tries at most.
    pub attempts_max: i64,
    /// Progress: steps done.
    pub done: i64,
    /// Progress: steps in all; 0: not known.
    pub total: i64,
    /// `kind/id` of the actor.
    pub triggered_by: String,
    /// JSON: on whose behalf, origin, cause, depth; an empty object once nobody needs it.
    pub context: String,
    /// When it was asked for.
    pub scheduled_at: Timestamp,
    /// Not before this time.
    pub run_at: Timestamp,
    /// When the last try began; `None`: none has, or the one that had was handed back.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
}

/// What is kept of the context of a job that will not run any more: it names people and addresses.
const FORGOTTEN: &str = "{}";

impl Job {
    /// Whether what it worked on, and for whom, is not kept any more.
    pub fn is_forgotten(&self) -> bool {
        self.context == FORGOTTEN
    }
}

/// A job to queue.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// The job; state, attempts, progress and times of the run are ignored.
    pub job: Job,
    /// Bytes it works on.
    pub input: Option<Vec<u8>>,
    /// At most one job with this key exists.
    pub unique_key: Option<String>,
}

/// The right to run one job until a time.
#[derive(Debug)]
pub struct Lease {
    job: Job,
    token: String,
}

impl Lease {
    /// The job.
    pub fn job(&self) -> &Job {
        &self.job
    }
}

const COLUMNS: &str = "id, kind, queue, name, state, payload, result, error, attempts, \
    attempts_max, done, total, triggered_by, context, scheduled_at, run_at, started_at, completed_at";

fn read(row: &Row) -> Result<Job, Error> {
    Ok(Job {
        id: row.id("id")?,
        kind: row.text("kind")?,
        queue: row.text("queue")?,
        name: row.text("name")?,
        state: row.text("state")?,
        payload: row.text("payload")?,
        result: row.maybe_text("result")?,
        error: row.maybe_text("error")?,
        attempts: row.int("attempts")?,
        attempts_max: row.int("attempts_max")?,
        done: row.int("done")?,
        total: row.int("total")?,
        triggered_by: row.text("triggered_by")?,
        context: row.text("context")?,
        scheduled_at: row.time("scheduled_at")?,
        run_at: row.time("run_at")?,
        started_at: row.maybe_time("started_at")?,
        completed_at: row.maybe_time("completed_at")?,
    })
}

/// Queues a job; false if one with its unique key exists.
pub async fn enqueue(tx: &mut Tx, new: &NewJob) -> Result<bool, Error> {
    let job = &new.job;
    let mut values = vec![value::id(job.id)];
    values.extend(args![
        &job.kind,
        &job.queue,
        &job.name,
        &job.payload,
        new.input.as_deref(),
        job.attempts_max,
        job.total,
        new.unique_key.as_deref(),
        &job.triggered_by,
        &job.context,
        job.scheduled_at,
        job.run_at
    ]);
    let sql = "INSERT INTO job (id, kind, queue, name, state, payload, input, attempts,
               attempts_max, done, total, unique_key, triggered_by, context, scheduled_at, run_at)
               VALUES ($1, $2, $3, $4, 'queued', $5, $6, 0, $7, 0, $8, $9, $10, $11, $12, $13)
               ON CONFLICT DO NOTHING";
    Ok(tx.execute(sql, values).await? == 1)
}

/// The job with this identifier.
pub async fn find(link: &mut Link, id: JobId) -> Result<Option<Job>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM job WHERE id = $1");
    link.row(sql, vec![value::id(id)]).await?.as_ref().map(read).transpose()
}

/// The bytes a job works on.
pub async fn input(link: &mut Link, id: JobId) -> Result<Option<Vec<u8>>, Error> {
    let sql = "SELECT input FROM job WHERE id = $1";
    match link.row(sql, vec![value::id(id)]).await? {
        Some(row) => row.maybe_bytes("input"),
        None => Ok(None),
    }
}

/// Jobs, newest first, optionally in one state, of one kind or asked for by one, from before a
/// position.
pub async fn page(
    link: &mut Link,
    (state, kind, asked_by): (Option<&str>, Option<&str>, Option<&str>),
    before: Option<(Timestamp, JobId)>,
    limit: usize,
) -> Result<Vec<Job>, Error> {
    let (time, id) =
        before.map_or((i64::MAX, String::from("~")), |(t, i)| (t.micros(), i.to_string()));
    let sql = format!(
        "SELECT {COLUMNS} FROM job WHERE ($1 = '' OR state = $1) AND ($2 = '' OR kind = $2)
         AND ($6 = '' OR triggered_by = $6)
         AND (scheduled_at < $3 OR (scheduled_at = $3 AND id < $4))
         ORDER BY scheduled_at DESC, id DESC LIMIT $5"
    );
    let word = |word: Option<&str>| word.unwrap_or("").to_owned();
    let values = args![word(state), word(kind), time, id, limit, word(asked_by)];
    link.rows(sql, values).await?.iter().map(read).collect()
}

/// How many jobs are in each state.
pub async fn counts(link: &mut Link) -> Result<Vec<(String, u64)>, Error> {
    link.rows("SELECT state, COUNT(*) AS n FROM job GROUP BY state ORDER BY state", vec![])
        .await?
        .iter()
        .map(|row| Ok((row.text("state")?, row.count("n")?)))
        .collect()
}

/// Leases up to `limit` jobs of a queue that are due at `now`, or whose holder's lease ran out; if
/// any `kinds` are given, only those.
pub async fn lease(
    tx: &mut Tx,
    (queue, kinds): (&str, &[&str]),
    limit: usize,
    token: &str,
    now: Timestamp,
    term: Term,
) -> Result<Vec<Lease>, Error> {
    let leaving = tx.dialect().leaving_taken();
    let (of_kinds, named) = of_kinds(kinds, 7);
    let sql = format!(
        "UPDATE job SET state = 'running', lease = $3, lease_until = $5,
         started_at = $4, attempts = attempts + 1
         WHERE id IN (
             SELECT id FROM job WHERE queue = $1 AND run_at <= $4
             AND (state = 'queued' OR (state = 'running' AND lease_until <= $6)) {of_kinds}
             ORDER BY run_at LIMIT $2 {leaving})
         RETURNING {COLUMNS}"
    );
    let mut values = args![queue, limit, token, now, term.until, term.from];
    values.extend(named);
    tx.execute_returning(sql, values)
        .await?
        .iter()
        .map(|row| Ok(Lease { job: read(row)?, token: token.to_owned() }))
        .collect()
}

/// A condition on the kind of a job, with its values from the place `first` on; none without kinds.
fn of_kinds(kinds: &[&str], first: usize) -> (String, Vec<SqlValue>) {
    if kinds.is_empty() {
        return (String::new(), Vec::new());
    }
    let places: Vec<String> =
        (first..first + kinds.len()).map(|place| format!("${place}")).collect();
    let values = kinds.iter().map(|kind| SqlValue::from(*kind)).collect();
    (format!("AND kind IN ({})", places.join(", ")), values)
}

/// When the next job of a queue becomes due, if any waits, by a clock that is so many microseconds
/// ahead of the time that leases go by; if any `kinds` are given, only those count.
pub async fn next_due(
    link: &mut Link,
    (queue, kinds): (&str, &[&str]),
    ahead: i64,
) -> Result<Option<Timestamp>, Error> {
    let (of_kinds, named) = of_kinds(kinds, 3);
    let sql = format!(
        "SELECT MIN(CASE WHEN state = 'running' THEN lease_until + $2 ELSE run_at END) AS due
         FROM job WHERE queue = $1 AND state IN ('queued', 'running') {of_kinds}"
    );
    let mut values = args![queue, ahead];
    values.extend(named);
    match link.row(sql, values).await? {
        Some(row) => row.maybe_time("due"),
        None => Ok(None),
    }
}

/// Jobs that were due before `late` and still wait, or began before `stuck` and still run; the
/// longest first, behind a place.
pub async fn late(
    link: &mut Link,
    late: Timestamp,
    stuck: Timestamp,
    after: &(Timestamp, String),
    limit: usize,
) -> Result<Vec<Job>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM job WHERE state IN ('queued', 'running')
         AND ((state = 'queued' AND run_at < $1) OR (state = 'running' AND started_at < $2))
         AND (run_at, id) > ($3, $4) ORDER BY run_at, id LIMIT $5"
    );
    let values = args![late, stuck, after.0, &after.1, limit];
    link.rows(sql, values).await?.iter().map(read).collect()
}

/// Schedules whose newest job that has ended failed for good, if that was asked for at `since` or
/// later and not before the schedule was last changed: names of schedules. One that is gone or
/// paused is not among them.
pub async fn failed_schedules(link: &mut Link, since: Timestamp) -> Result<Vec<String>, Error> {
    let sql = "SELECT DISTINCT j.triggered_by FROM job j WHERE j.state = 'failed'
               AND j.scheduled_at >= $1 AND j.triggered_by >= 'schedule/'
               AND j.triggered_by < 'schedule0' AND EXISTS (
                   SELECT 1 FROM automation a WHERE a.class = 'schedule' AND a.enabled = 1
                   AND j.triggered_by = 'schedule/' || a.name
                   AND j.scheduled_at >= a.changed_at)
               AND NOT EXISTS (
                   SELECT 1 FROM job k WHERE k.state = 'success' AND k.scheduled_at > j.scheduled_at
                   AND k.triggered_by = j.triggered_by)
               ORDER BY j.triggered_by";
    let rows = link.rows(sql, args![since]).await?;
    let name = |text: String| text.trim_start_matches("schedule/").to_owned();
    rows.iter().map(|row| row.text("triggered_by").map(name)).collect()
}

/// Whether [`forget`] or [`sweep`] has something to do.
pub async fn any_over(link: &mut Link, failed: Timestamp, ended: Timestamp) -> Result<bool, Error> {
    let sql = "SELECT 1 AS n FROM job WHERE state = 'failed' AND scheduled_at < $1
               AND completed_at < $1 AND context <> '{}'
               UNION ALL SELECT 1 AS n FROM job WHERE state IN ('success', 'failed', 'cancelled')
               AND scheduled_at < $2 AND completed_at < $2 LIMIT 1";
    Ok(link.number(sql, args![failed, ended]).await? == 1)
}

/// Drops what jobs worked on, and for whom, that failed before a time: they cannot be tried again
/// from then on. Answers how many.
pub async fn forget(tx: &mut Tx, before: Timestamp, limit: usize) -> Result<u64, Error> {
    let sql = "UPDATE job SET input = NULL, context = '{}' WHERE id IN (
               SELECT id FROM job WHERE state = 'failed' AND scheduled_at < $1
               AND completed_at < $1 AND context <> '{}' LIMIT $2)";
    tx.execute(sql, args![before, limit]).await
}

/// Deletes jobs that ended before a time; answers which, and whether they had failed.
pub async fn sweep(
    tx: &mut Tx,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<(JobId, bool)>, Error> {
    let sql = "DELETE FROM job WHERE id IN (
               SELECT id FROM job WHERE state IN ('success', 'failed', 'cancelled')
               AND scheduled_at < $1 AND completed_at < $1 LIMIT $2) RETURNING id, state";
    tx.execute_returning(sql, args![before, limit])
        .await?
        .iter()
        .map(|row| Ok((row.id("id")?, row.text("state")? == "failed")))
        .collect()
}

async fn held(tx: &mut Tx, lease: &Lease, set: &str, more: Vec<SqlValue>) -> Result<(), Error> {
    let mut values = vec![value::id(lease.job.id), (&lease.token).into()];
    values.extend(more);
    let sql = format!("UPDATE job SET {set} WHERE id = $1 AND lease = $2 AND state = 'running'");
    if tx.execute(sql, values).await? == 1 { Ok(()) } else { Err(Error::Conflict("the job")) }
}

/// Reports progress and keeps the lease alive.
///
/// # Errors
/// [`Error::Conflict`] if the lease is lost: the job was taken over or cancelled.
pub async fn progress(
    tx: &mut Tx,
    lease: &Lease,
    done: u64,
    total: u64,
    until: Timestamp,
) -> Result<(), Error> {
    held(tx, lease, "done = $3, total = $4, lease_until = $5", args![done, total, until]).await
}

/// Keeps the lease alive.
///
/// # Errors
/// [`Error::Conflict`] if the lease is lost: the job was taken over or cancelled.
pub async fn extend(tx: &mut Tx, lease: &Lease, until: Timestamp) -> Result<(), Error> {
    held(tx, lease, "lease_until = $3", args![until]).await
}

/// Hands the job back to its queue as if this try had not begun.
///
/// # Errors
/// [`Error::Conflict`] if the lease is lost.
pub async fn hand_back(tx: &mut Tx, lease: &Lease) -> Result<(), Error> {
    let set = "state = 'queued', attempts = attempts - 1, started_at = NULL, lease = NULL,
               lease_until = NULL";
    held(tx, lease, set, args![]).await
}

/// Ends the job well; its input and context are dropped.
///
/// # Errors
/// [`Error::Conflict`] if the lease is lost.
pub async fn succeed(
    tx: &mut Tx,
    lease: &Lease,
    result: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let set = "state = 'success', result = $3, error = NULL, completed_at = $4, lease = NULL,
               lease_until = NULL, input = NULL, context = '{}'";
    held(tx, lease, set, args![result, now]).await
}

/// Ends the job for good as failed.
///
/// # Errors
/// [`Error::Conflict`] if the lease is lost.
pub async fn fail(tx: &mut Tx, lease: &Lease, error: &str, now: Timestamp) -> Result<(), Error> {
    let set = "state = 'failed', error = $3, completed_at = $4, lease = NULL, lease_until = NULL";
    held(tx, lease, set, args![error, now]).await
}

/// Puts the job back to be tried again at `run_at`.
///
/// # Errors
/// [`Error::Conflict`] if the lease is lost.
pub async fn retry_later(
    tx: &mut Tx,
    lease: &Lease,
    error: &str,
    run_at: Timestamp,
) -> Result<(), Error> {
    let set = "state = 'queued', error = $3, run_at = $4, lease = NULL, lease_until = NULL";
    held(tx, lease, set, args![error, run_at]).await
}

/// Cancels a job that has not ended, and drops its input and context; true if there was one.
pub async fn cancel(tx: &mut Tx, id: JobId, now: Timestamp) -> Result<bool, Error> {
    let sql = "UPDATE job SET state = 'cancelled', completed_at = $2, lease = NULL,
               lease_until = NULL, input = NULL, context = '{}'
               WHERE id = $1 AND state IN ('queued', 'running')";
    Ok(tx.execute(sql, vec![value::id(id), now.into()]).await? == 1)
}

/// Queues a failed job again, with its attempts counted anew; true if there was one that is not
/// forgotten.
pub async fn retry(tx: &mut Tx, id: JobId, now: Timestamp) -> Result<bool, Error> {
    let sql = "UPDATE job SET state = 'queued', attempts = 0, done = 0, run_at = $2,
               started_at = NULL, completed_at = NULL
               WHERE id = $1 AND state = 'failed' AND context <> '{}'";
    Ok(tx.execute(sql, vec![value::id(id), now.into()]).await? == 1)
}

/// How many jobs wait and run in each queue: name, state, count.
pub async fn queue_counts(link: &mut Link) -> Result<Vec<(String, String, u64)>, Error> {
    let sql = "SELECT queue, state, COUNT(*) AS n FROM job WHERE state IN ('queued', 'running')
               GROUP BY queue, state ORDER BY queue, state";
    let rows = link.rows(sql, vec![]).await?;
    rows.iter().map(|row| Ok((row.text("queue")?, row.text("state")?, row.count("n")?))).collect()
}
