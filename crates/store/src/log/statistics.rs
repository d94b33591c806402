//! Statistics of the newest part of the log, on a server.
//!
//! Without them a planner takes any condition to fit a few of many rows, and makes a map of all
//! that fit before it answers with the first: a hundred milliseconds for a million events. A server
//! looks after them itself, but a minute late at best, and a part can be filled in that time.

use chancery_event::LogIndex;

use super::part::{TABLES, parts, script};
use crate::{Error, Store};

/// Has the server look at what is in the newest part that has events, if those behind `since` are a
/// quarter of it; false if they are not, and on the embedded engine, which needs none.
///
/// # Errors
/// The server does not do it.
pub async fn analyze(store: &Store, since: LogIndex) -> Result<bool, Error> {
    if !store.is_shared() {
        return Ok(false);
    }
    let mut link = store.read().await?;
    let size = super::state(&mut link).await?.size;
    let newest = parts(&mut link).await?.into_iter().rev().find(|part| part.first < size);
    drop(link);
    let Some(part) = newest else { return Ok(false) };
    if (size.saturating_sub(since.0)) < (size - part.first).div_ceil(4) {
        return Ok(false);
    }
    let tables = TABLES.map(|(table, _)| part.of(table)).join(", ");
    let mut link = store.alone().await?;
    let done = script(&mut link, &format!("ANALYZE {tables}")).await;
    link.close().await?;
    done.map(|()| true)
}
