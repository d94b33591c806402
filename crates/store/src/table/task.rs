//! What runs by the clock: monitors and schedules, one runner at a time, and every run of theirs.
//!
//! A [`Task`] is claimed by writing a lease into its row. A lease that ran out, or that ends later
//! than any lease can (the server's clock was put back), is nobody's.

use chancery_event::Timestamp;
use chancery_event::id::{EventId, JobId};

use super::lease::Term;
use crate::{Error, Link, Row, Tx, args, value};

/// Runs that are kept of each task.
const KEPT: i64 = 1_000;
/// How long a lease lasts, in microseconds.
pub const LEASE: i64 = 60 * Timestamp::SECOND;

/// A monitor or schedule that has been set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// `monitor` or `schedule`.
    pub class: String,
    /// Its name.
    pub name: String,
    /// Version of the definition that it was set up from.
    pub version: i64,
    /// Why it cannot run, if it cannot.
    pub problem: Option<String>,
    /// When it is due next.
    pub next_at: Timestamp,
    /// Until when somebody runs it, in the time that leases go by.
    pub lease_until: Option<Timestamp>,
}

/// One run of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its identifier, and that of the event about it.
    pub id: EventId,
    /// `monitor` or `schedule`.
    pub class: String,
    /// Name of the task.
    pub name: String,
    /// Version of the definition.
    pub version: i64,
    /// When it was due; `None`: somebody asked for it.
    pub due_at: Option<Timestamp>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// `running`, `succeeded`, `failed`, `broken_off` or `refused`.
    pub state: String,
    /// What it counted.
    pub counts: Counts,
    /// What went wrong, or what was found.
    pub message: Option<String>,
    /// The job of a schedule.
    pub job: Option<JobId>,
}

/// What a run of a monitor counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Objects there are.
    pub inventory: u64,
    /// Objects that are watched.
    pub watched: u64,
    /// Objects that were due.
    pub evaluated: u64,
    /// Objects that were reported.
    pub fired: u64,
    /// Reasons for skipping, with counts; JSON.
    pub reasons: String,
    /// Objects that were watched wrongly or not at all, and are put right.
    pub repaired: u64,
}

impl Task {
    /// Whether somebody runs it, at this moment of the time that leases go by.
    pub fn is_held(&self, now: Timestamp) -> bool {
        let latest = Term::of(now, LEASE).latest();
        self.lease_until.is_some_and(|until| until > now && until <= latest)
    }
}

fn read(row: &Row) -> Result<Task, Error> {
    Ok(Task {
        class: row.text("class")?,
        name: row.text("name")?,
        version: row.int("version")?,
        problem: row.maybe_text("problem")?,
        next_at: row.time("next_at")?,
        lease_until: row.maybe_time("lease_until")?,
    })
}

const RUN: &str = "id, class, name, version, due_at, started_at, ended_at, state, inventory, \
    watched, evaluated, fired, reasons, repaired, message, job";

fn read_run(row: &Row) -> Result<Run, Error> {
    Ok(Run {
        id: row.id("id")?,
        class: row.text("class")?,
        name: row.text("name")?,
        version: row.int("version")?,
        due_at: row.maybe_time("due_at")?,
        started_at: row.time("started_at")?,
        ended_at: row.maybe_time("ended_at")?,
        state: row.text("state")?,
        counts: Counts {
            inventory: row.count("inventory")?,
            watched: row.count("watched")?,
            evaluated: row.count("evaluated")?,
            fired: row.count("fired")?,
            reasons: row.text("reasons")?,
            repaired: row.count("repaired")?,
        },
        message: row.maybe_text("message")?,
        job: row.maybe_id("job")?,
    })
}

/// All tasks, by class and name.
pub async fn all(link: &mut Link) -> Result<Vec<Task>, Error> {
    let sql = "SELECT class, name, version, problem, next_at, lease_until FROM task
               ORDER BY class, name";
    link.rows(sql, vec![]).await?.iter().map(read).collect()
}

/// One task.
pub async fn find(link: &mut Link, class: &str, name: &str) -> Result<Option<Task>, Error> {
    let sql = "SELECT class, name, version, problem, next_at, lease_until FROM task
               WHERE class = $1 AND name = $2";
    link.row(sql, args![class, name]).await?.as_ref().map(read).transpose()
}

/// Notes that a task was set up from a version of its definition, or why it cannot be.
pub async fn put(
    tx: &mut Tx,
    class: &str,
    name: &str,
    version: i64,
    problem: Option<&str>,
    next_at: Timestamp,
) -> Result<(), Error> {
    let sql = "INSERT INTO task (class, name, version, problem, next_at)
               VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (class, name) DO UPDATE
               SET version = excluded.version, problem = excluded.problem,
                   next_at = excluded.next_at";
    tx.execute(sql, args![class, name, version, problem, next_at]).await.map(|_| ())
}

/// Forgets a task whose definition is gone. Its runs stay.
pub async fn remove(tx: &mut Tx, class: &str, name: &str) -> Result<(), Error> {
    let sql = "DELETE FROM task WHERE class = $1 AND name = $2";
    tx.execute(sql, args![class, name]).await.map(|_| ())
}

/// Sets when a task is due next.
pub async fn plan(tx: &mut Tx, class: &str, name: &str, next_at: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE task SET next_at = $3 WHERE class = $1 AND name = $2";
    tx.execute(sql, args![class, name, next_at]).await.map(|_| ())
}

/// Claims a task and begins a run of it. Answers runs of it that nobody ended: their runner died.
/// `None`: somebody else runs it.
pub async fn begin(
    tx: &mut Tx,
    token: &str,
    run: &Run,
    term: Term,
) -> Result<Option<Vec<Run>>, Error> {
    let sql = "UPDATE task SET lease = $3, lease_until = $4
               WHERE class = $1 AND name = $2
               AND (lease IS NULL OR lease_until <= $5 OR lease_until > $6)";
    let now = run.started_at;
    let values = args![&run.class, &run.name, token, term.until, term.from, term.latest()];
    if tx.execute(sql, values).await? != 1 {
        return Ok(None);
    }
    let sql = format!(
        "UPDATE task_run SET state = 'broken_off', ended_at = $3
         WHERE class = $1 AND name = $2 AND state = 'running' AND job IS NULL RETURNING {RUN}"
    );
    let broken = tx.execute_returning(sql, args![&run.class, &run.name, now]).await?;
    let broken = broken.iter().map(read_run).collect::<Result<Vec<_>, _>>()?;
    insert_run(tx, run).await?;
    Ok(Some(broken))
}

/// Writes down a run.
pub async fn insert_run(tx: &mut Tx, run: &Run) -> Result<(), Error> {
    let sql = format!(
        "INSERT INTO task_run ({RUN})
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
    );
    let mut values = vec![value::id(run.id)];
    values.extend(args![
        &run.class,
        &run.name,
        run.version,
        run.due_at,
        run.started_at,
        run.ended_at,
        &run.state,
        run.counts.inventory,
        run.counts.watched,
        run.counts.evaluated,
        run.counts.fired,
        &run.counts.reasons,
        run.counts.repaired,
        run.message.as_deref(),
        run.job.map(|job| job.to_string())
    ]);
    tx.execute(sql, values).await.map(|_| ())
}

/// Keeps the claim on a task and notes how far its run is.
///
/// # Errors
/// [`Error::Conflict`] if the lease is lost: nothing of this transaction may be kept.
pub async fn progress(tx: &mut Tx, token: &str, run: &Run, term: Term) -> Result<(), Error> {
    let sql = "UPDATE task SET lease_until = $4 WHERE class = $1 AND name = $2 AND lease = $3";
    if tx.execute(sql, args![&run.class, &run.name, token, term.until]).await? != 1 {
        return Err(Error::Conflict("the task"));
    }
    update_run(tx, run).await
}

/// Ends a run and gives the task back.
///
/// # Errors
/// [`Error::Conflict`] if the lease is lost.
pub async fn end(tx: &mut Tx, token: &str, run: &Run, next_at: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE task SET lease = NULL, lease_until = NULL, next_at = $4
               WHERE class = $1 AND name = $2 AND lease = $3";
    if tx.execute(sql, args![&run.class, &run.name, token, next_at]).await? != 1 {
        return Err(Error::Conflict("the task"));
    }
    update_run(tx, run).await?;
    let sql = "DELETE FROM task_run WHERE class = $1 AND name = $2 AND started_at <
               (SELECT started_at FROM task_run WHERE class = $1 AND name = $2
                ORDER BY started_at DESC LIMIT 1 OFFSET $3)";
    tx.execute(sql, args![&run.class, &run.name, KEPT]).await.map(|_| ())
}

async fn update_run(tx: &mut Tx, run: &Run) -> Result<(), Error> {
    let sql = "UPDATE task_run SET ended_at = $2, state = $3, inventory = $4, watched = $5,
               evaluated = $6, fired = $7, reasons = $8, repaired = $9, message = $10, job = $11
               WHERE id = $1";
    let mut values = vec![value::id(run.id)];
    values.extend(args![
        run.ended_at,
        &run.state,
        run.counts.inventory,
        run.counts.watched,
        run.counts.evaluated,
        run.counts.fired,
        &run.counts.reasons,
        run.counts.repaired,
        run.message.as_deref(),
        run.job.map(|job| job.to_string())
    ]);
    tx.execute(sql, values).await.map(|_| ())
}

/// The run that a job does, if it has not ended.
pub async fn open_run_of_job(link: &mut Link, job: JobId) -> Result<Option<Run>, Error> {
    let sql = format!("SELECT {RUN} FROM task_run WHERE job = $1 AND state = 'running'");
    link.row(sql, vec![value::id(job)]).await?.as_ref().map(read_run).transpose()
}

/// The run of a schedule whose job has not ended.
pub async fn open_run(link: &mut Link, class: &str, name: &str) -> Result<Option<Run>, Error> {
    let sql = format!(
        "SELECT {RUN} FROM task_run WHERE class = $1 AND name = $2 AND state = 'running'
         ORDER BY started_at DESC LIMIT 1"
    );
    link.row(sql, args![class, name]).await?.as_ref().map(read_run).transpose()
}

/// Ends the run of a schedule whose job has ended.
pub async fn end_run(tx: &mut Tx, run: &Run) -> Result<(), Error> {
    update_run(tx, run).await
}

/// Runs of a task, newest first, from before a time.
pub async fn runs(
    link: &mut Link,
    class: &str,
    name: &str,
    before: Option<Timestamp>,
    limit: usize,
) -> Result<Vec<Run>, Error> {
    let sql = format!(
        "SELECT {RUN} FROM task_run WHERE class = $1 AND name = $2 AND started_at < $3
         ORDER BY started_at DESC, id DESC LIMIT $4"
    );
    let before = before.map_or(i64::MAX, Timestamp::micros);
    link.rows(sql, args![class, name, before, limit]).await?.iter().map(read_run).collect()
}

/// The newest run of each task that has ended, by class and name.
pub async fn latest_runs(link: &mut Link) -> Result<Vec<Run>, Error> {
    let columns = RUN.split(", ").map(|column| format!("r.{column}")).collect::<Vec<_>>();
    let sql = format!(
        "SELECT {} FROM task t JOIN task_run r ON r.id =
         (SELECT l.id FROM task_run l WHERE l.class = t.class AND l.name = t.name
          AND l.state IN ('succeeded', 'failed') ORDER BY l.started_at DESC, l.id DESC LIMIT 1)
         ORDER BY r.class, r.name",
        columns.join(", ")
    );
    link.rows(sql, vec![]).await?.iter().map(read_run).collect()
}
