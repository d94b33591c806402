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

use chancery_event::id::Id;

use crate::{Error, Link, Row, SqlValue, value};

/// A page of rows whose identifiers go by time, newest first: those older than one position, or the
/// next ones newer than the other. `select` ends in its condition, whose values are `values`; `id`
/// is the column of the identifier.
async fn newest_first<I: Id>(
    link: &mut Link,
    (select, id): (String, &str),
    mut values: Vec<SqlValue>,
    (before, after): (Option<I>, Option<I>),
    limit: usize,
) -> Result<Vec<Row>, Error> {
    let forwards = after.is_some();
    let mut sql = select;
    for (position, sign) in [(before, "<"), (after, ">")] {
        if let Some(position) = position {
            values.push(value::id(position));
            sql.push_str(&format!(" AND {id} {sign} ${}", values.len()));
        }
    }
    values.push(limit.into());
    let order = if forwards { "ASC" } else { "DESC" };
    sql.push_str(&format!(" ORDER BY {id} {order} LIMIT ${}", values.len()));
    let mut rows = link.rows(sql, values).await?;
    if forwards {
        rows.reverse();
    }
    Ok(rows)
}
