//! Brings a schema up to date, step by step; refuses a schema from the future.
//!
//! The engines have the same steps under the same numbers. Each step is a transaction of its own:
//! a program that dies in between leaves the database at a step that it, and the version before
//! it, know.
//!
//! The database keeps a checksum of each step. A program that knows other statements under the same
//! number does not start: its tables are not those that are there.

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};

use crate::filter_sql::Dialect;
use crate::{Error, Link};

/// One step: its number and its statements.
pub(crate) type Step = (i64, &'static str);

/// Names the lock that one node holds while it brings the schema up to date.
const TURN: &str = "SELECT pg_advisory_lock(7234806139)";
const TURN_OVER: &str = "SELECT pg_advisory_unlock(7234806139) AS n";

const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_step (
    number BIGINT PRIMARY KEY, applied_at BIGINT NOT NULL, checksum TEXT NOT NULL)";

/// Names the statements of one step more, which a process that a test runs knows.
#[cfg(feature = "faults")]
const LATER: &str = "LATER_STEP_OF_CHANCERY";

/// The newest step that this program knows of these.
pub(crate) fn newest(steps: &'static [Step]) -> i64 {
    known(steps).last().map_or(0, |step| step.0)
}

/// The steps that this program knows.
fn known(steps: &'static [Step]) -> Cow<'static, [Step]> {
    #[cfg(feature = "faults")]
    if let Ok(later) = std::env::var(LATER) {
        let number = steps.last().map_or(0, |step| step.0) + 1;
        let later = (number, &*Box::leak(later.into_boxed_str()));
        return steps.iter().copied().chain([later]).collect();
    }
    Cow::Borrowed(steps)
}

/// SHA-256 of the statements of a step, in hexadecimal digits.
fn checksum(statements: &str) -> String {
    let sum = digest(&SHA256, statements.as_bytes());
    sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Runs the steps that are missing, each in a transaction of its own. Of several nodes that start
/// together one does it, and the others wait.
pub(crate) async fn migrate(link: &mut Link, steps: &'static [Step]) -> Result<(), Error> {
    if link.dialect() == Dialect::Sqlite {
        return apply(link, steps).await;
    }
    // As a script, which may take as long as the steps of another node do.
    link.script(TURN).await?;
    let applied = apply(link, steps).await;
    let given_back = link.row(TURN_OVER, Vec::new()).await;
    applied.and(given_back.map(|_| ()))
}

async fn apply(link: &mut Link, steps: &'static [Step]) -> Result<(), Error> {
    link.script(TABLE).await?;
    let steps = known(steps);
    let found = compare(link, &steps).await?;
    for (number, statements) in steps.iter().filter(|step| step.0 > found) {
        link.script("BEGIN").await?;
        let applied = async {
            link.script(statements).await?;
            let sql = "INSERT INTO schema_step (number, applied_at, checksum) VALUES ($1, $2, $3)";
            let now = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |passed| i64::try_from(passed.as_micros()).unwrap_or(0));
            link.execute(sql, crate::args![*number, now, checksum(statements)]).await?;
            link.script("COMMIT").await
        }
        .await;
        if let Err(error) = applied {
            let _ = link.script("ROLLBACK").await;
            return Err(error);
        }
        tracing::info!(step = number, "schema step applied");
    }
    Ok(())
}

/// Refuses a schema that is not exactly the one this program knows; changes nothing.
pub(crate) async fn check(link: &mut Link, steps: &'static [Step]) -> Result<(), Error> {
    let steps = known(steps);
    let found = compare(link, &steps).await?;
    let known = steps.last().map_or(0, |step| step.0);
    if found == known { Ok(()) } else { Err(Error::UnknownSchema { found, known }) }
}

/// The newest step of the database, after comparing those that it has with those that are known.
async fn compare(link: &mut Link, steps: &[Step]) -> Result<i64, Error> {
    let rows = link.rows("SELECT * FROM schema_step ORDER BY number", Vec::new()).await?;
    let mut found = 0;
    let mut changed = None;
    for row in rows {
        found = row.int("number")?;
        let Some((number, statements)) = steps.iter().find(|step| step.0 == found) else {
            continue;
        };
        // Before there were checksums there was no such column.
        let same = row.text("checksum").is_ok_and(|kept| kept == checksum(statements));
        changed = changed.or((!same).then_some(*number));
    }
    let known = steps.last().map_or(0, |step| step.0);
    if found > known {
        return Err(Error::UnknownSchema { found, known });
    }
    changed.map_or(Ok(found), |number| Err(Error::ChangedStep { number }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chancery_throwaway::server;

    use crate::backend::postgres::Limits;
    use crate::{Settings, Store};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_node_waits_for_the_steps_of_another_one_longer_than_for_an_answer() {
        let name = server().database(None);
        let settings = Settings::postgres(server().url(&name).parse().unwrap());
        let answer_max = Limits::default().answer();
        let seconds = answer_max.as_secs() + 2;
        let (database, began) = (name.clone(), std::time::Instant::now());
        let other = tokio::task::spawn_blocking(move || {
            let sql = format!("SELECT pg_advisory_lock(7234806139), pg_sleep({seconds})");
            server().sql(&database, &sql);
        });
        let held = "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND granted";
        while server().sql(&name, held) == "0" {
            tokio::task::yield_now().await;
        }
        Store::open(&settings).await.unwrap().close().await;
        assert!(began.elapsed() > answer_max + Duration::from_secs(1));
        other.await.unwrap();
    }
}
