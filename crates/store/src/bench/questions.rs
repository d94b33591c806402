//! The plain way to ask: what a program without counts, plans and text index would do.

use std::time::{Duration, Instant};

use crate::filter_sql::Dialect;
use crate::{Error, SqlValue, Tx, args};

/// A refusal after so long is the limit of a question and no fault of the database.
const LONG: Duration = Duration::from_secs(10);

/// Total and facets of all certificates, as a program without counts of its own asks for them.
///
/// # Errors
/// The store cannot be read.
pub async fn certificate_facets(link: &mut crate::Link) -> Result<(), Error> {
    let from = "FROM certificate WHERE archived = 0";
    link.number(format!("SELECT COUNT(*) AS n {from}"), vec![]).await?;
    for column in ["status", "key_algorithm", "issuer_cn", "ra_profile", "source"] {
        let sql = format!(
            "SELECT {column} AS value, COUNT(*) AS n {from} GROUP BY 1 ORDER BY 2 DESC LIMIT 30"
        );
        link.rows(sql, vec![]).await?;
    }
    Ok(())
}

/// Facets, hourly bars of 30 days and a text search of all events, as a program without counts and
/// text index asks for them; answers how long each took, or nothing for one that took longer than
/// the store lets a question take.
///
/// # Errors
/// The store cannot be read.
pub async fn event_questions(
    link: &mut crate::Link,
    since: chancery_event::Timestamp,
    text: &str,
) -> Result<[Option<Duration>; 3], Error> {
    let questions: [(&str, Vec<SqlValue>); 3] = [
        (
            "SELECT type, severity, result, origin, COUNT(*) AS n FROM event
             GROUP BY 1, 2, 3, 4",
            vec![],
        ),
        (
            "SELECT time / 3600000000 AS hour, severity, COUNT(*) AS n FROM event
             WHERE time >= $1 GROUP BY 1, 2",
            args![since],
        ),
        (
            match link.dialect() {
                Dialect::Sqlite => {
                    "SELECT log_index FROM event WHERE instr(entry, CAST($1 AS BLOB)) > 0
                     ORDER BY log_index DESC LIMIT 50"
                }
                Dialect::Postgres => {
                    "SELECT log_index FROM event
                     WHERE position(convert_to($1, 'UTF8') IN entry) > 0
                     ORDER BY log_index DESC LIMIT 50"
                }
            },
            args![text],
        ),
    ];
    let mut took = [None; 3];
    for (took, (sql, values)) in took.iter_mut().zip(questions) {
        let started = Instant::now();
        match link.rows(sql, values).await {
            Ok(_) => *took = Some(started.elapsed()),
            Err(Error::Unavailable(_)) if started.elapsed() >= LONG => {}
            Err(error) => return Err(error),
        }
    }
    Ok(took)
}

/// Takes back what is known of some certificates that expire soon, so that validation finds that
/// they crossed a threshold; answers of how many.
///
/// # Errors
/// The store refuses.
pub async fn make_due(store: &crate::Store, count: u64) -> Result<u64, Error> {
    store
        .transaction("bench.due", move |tx: &mut Tx| {
            Box::pin(async move {
                let sql = "UPDATE certificate SET status = 'valid', status_due_at = 0
                           WHERE number IN (SELECT number FROM certificate
                           WHERE status = 'expiring' AND archived = 0 LIMIT $1)";
                tx.execute(sql, args![count]).await
            })
        })
        .await
}
