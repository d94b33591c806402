//! The tables besides the log: one file per table, with its row type and its statements.

pub mod account;
pub mod alert;
pub mod attribute;
pub mod automation;
pub mod certificate;
pub mod contact;
pub mod delivery;
pub mod destination;
pub mod evaluation;
pub mod event_access;
pub mod forwarder_access;
pub mod idempotency;
pub mod intake;
pub mod job;
pub mod label;
pub mod lease;
pub mod monitor;
pub mod node;
pub mod notice;
pub mod notification;
pub mod reach;
pub mod retention;
pub mod session;
pub mod setting;
pub mod task;
pub mod token;
pub mod view;

use crate::{Error, Link, Row, SqlValue};

/// A page of rows whose identifiers go by time, newest first: those older than one position, or the
/// next ones newer than the other. `select` ends in its condition, whose values are `values`.
async fn newest_first(
    link: &mut Link,
    select: &str,
    mut values: Vec<SqlValue>,
    (before, after): (Option<SqlValue>, Option<SqlValue>),
    limit: usize,
) -> Result<Vec<Row>, Error> {
    let forwards = after.is_some();
    let mut sql = select.to_owned();
    for (position, condition) in [(before, " AND id < ?"), (after, " AND id > ?")] {
        if let Some(position) = position {
            sql.push_str(condition);
            values.push(position);
        }
    }
    sql.push_str(if forwards { " ORDER BY id ASC LIMIT ?" } else { " ORDER BY id DESC LIMIT ?" });
    values.push(limit.into());
    let mut rows = link.rows(sql, values).await?;
    if forwards {
        rows.reverse();
    }
    Ok(rows)
}
