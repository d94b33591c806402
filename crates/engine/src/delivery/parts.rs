//! A batch of which some events were refused while the others were taken.
//!
//! What was taken is delivered. What was refused becomes a delivery of its own, with the failed
//! attempt on it, which is tried again and given up like any other: nothing that was taken is sent
//! twice. Where order is kept there are no parts: the whole batch failed.

use chancery_event::Timestamp;
use chancery_event::id::DeliveryId;
use chancery_store::table::delivery::Delivery;

use super::{SendError, Sent, carried, track};

/// Makes of a batch that must stay whole a failure, if some of it was refused.
pub(super) fn whole(sent: &mut Sent, ordered: bool) {
    if !ordered || sent.failure.is_some() {
        return;
    }
    if let Some((_, why)) = sent.refused_events.first() {
        sent.failure = Some(SendError::new("record_refused", why.clone()));
        sent.refused_events.clear();
    }
}

/// The delivery of what was refused of `row`, which was tried at `now`; `None` if nothing was.
pub(super) fn refused(
    row: &Delivery,
    sent: &Sent,
    id: DeliveryId,
    now: Timestamp,
    random: u64,
) -> Option<Delivery> {
    if sent.failure.is_some() || row.first_index.is_none() {
        return None;
    }
    let (_, why) = sent.refused_events.first()?;
    let all = carried(row).ok()?.events;
    let mut places: Vec<usize> = sent.refused_events.iter().map(|(place, _)| *place).collect();
    places.sort_unstable();
    places.dedup();
    let indexes: Vec<u64> = places.iter().filter_map(|place| all.get(*place).copied()).collect();
    let first = *indexes.first()?;
    Some(Delivery {
        id,
        destination: row.destination.clone(),
        reason: row.reason.clone(),
        first_index: Some(first),
        last_index: indexes.last().copied(),
        events: indexes.len() as u64,
        event_type: row.event_type.clone().filter(|_| row.first_index == Some(first)),
        content: format!("{{\"events\":{indexes:?}}}"),
        state: "waiting".to_owned(),
        attempts: 1,
        next_at: track::again_at(1, now, random),
        created_at: row.created_at,
        first_attempt_at: Some(now),
        last_attempt_at: Some(now),
        completed_at: None,
        status: row.status,
        error: Some(why.chars().take(500).collect()),
    })
}
