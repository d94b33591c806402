//! How old the oldest is that a destination has not sent.

use chancery_event::{LogIndex, Timestamp};
use chancery_store::table::delivery as table;
use chancery_store::table::destination::Destination;
use chancery_store::{Link, log};

use crate::Error;

/// The age, in microseconds, of the oldest that waits for a destination: of an event since it was
/// sealed, because deliveries of one that is slow are made late; of what is sent again, or sent
/// every few hours, since its delivery was made. Nothing is older than the destination.
pub(super) async fn of(
    link: &mut Link,
    row: &Destination,
    waiting: u64,
    size: u64,
    now: Timestamp,
) -> Result<i64, Error> {
    let oldest = match waiting {
        0 => None,
        _ => table::oldest(link, &row.name, 1).await?.pop(),
    };
    let mut since = oldest.as_ref().map(|oldest| oldest.created_at);
    let is_first_time = oldest.as_ref().is_some_and(|oldest| oldest.reason == "log");
    let mut indexes: Vec<u64> = Vec::new();
    if row.batch_at.is_none() {
        indexes.extend(oldest.and_then(|oldest| oldest.first_index).filter(|_| is_first_time));
    }
    // While it sends again, what is new waits behind that.
    indexes.extend(row.replay.map(|(_, resume)| resume.0).filter(|resume| *resume < size));
    for index in indexes {
        // What left the database is older than what waits can be.
        let Some(sealed) = log::by_index(link, LogIndex(index)).await? else { continue };
        let at = sealed.sealed_at().max(row.created_at);
        since = Some(since.map_or(at, |since| since.min(at)));
    }
    Ok(since.map_or(0, |since| now.since(since).max(0)))
}
