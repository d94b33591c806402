//! One destination as this node serves it: what of its deliveries is in memory, how many attempts
//! are under way, and how many more may be.
//!
//! Nothing is sent here. What waits is read from the store when what is in memory is used up; what
//! was just made of the log is kept, so that it need not be read again.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use chancery_event::id::DeliveryId;
use chancery_event::{LogIndex, Timestamp};
use chancery_store::log::Sealed;
use chancery_store::table::delivery::{self as table, Delivery};
use chancery_store::table::destination::{Course, Destination};

use super::Address;
use super::selection::Selector;
use super::track::Breaker;
use crate::{Engine, Error};

/// Deliveries read from the store at a time.
const READ_MAX: usize = 512;
/// Attempts under way at one destination.
const WINDOW_MAX: usize = 64;
const WINDOW_FIRST: usize = 4;
/// Attempts at one destination that are under way or not booked yet.
const UNBOOKED_MAX: usize = 1_024;

/// A delivery in memory, with its events where they are at hand, as its destination is shown them.
#[derive(Clone)]
pub(super) struct Item {
    pub(super) row: Delivery,
    pub(super) events: Option<Vec<Arc<Sealed>>>,
}

/// One destination as it is served.
pub(super) struct Track {
    pub(super) row: Destination,
    pub(super) address: Arc<Address>,
    pub(super) selector: Arc<Selector>,
    pub(super) batch_max: usize,
    /// The log has been looked through before this index.
    pub(super) seen: u64,
    pub(super) queue: VecDeque<Item>,
    /// Attempts that are not booked yet.
    pub(super) flying: HashSet<DeliveryId>,
    /// How many of them are under way.
    pub(super) in_the_air: usize,
    /// How many of them failed.
    pub(super) failed: usize,
    window: usize,
    pub(super) breaker: Breaker,
    /// Everything due in the store is in the queue or under way.
    pub(super) complete: bool,
    /// When something in the store becomes due.
    pub(super) due_at: Option<Timestamp>,
    /// Deliveries that wait, about.
    pub(super) waiting: u64,
}

impl Track {
    /// One that nothing is in memory of yet; about so many deliveries wait for it in the store.
    pub(super) fn new(
        row: Destination,
        address: Address,
        selector: Selector,
        batch_max: usize,
        waiting: u64,
    ) -> Self {
        Self {
            seen: row.next_index.0,
            address: Arc::new(address),
            selector: Arc::new(selector),
            batch_max,
            queue: VecDeque::new(),
            flying: HashSet::new(),
            in_the_air: 0,
            failed: 0,
            window: WINDOW_FIRST,
            breaker: Breaker {
                trips: u32::try_from(row.course.failures / 5).unwrap_or(0).min(6),
                asked_until: None,
            },
            complete: false,
            due_at: None,
            waiting,
            row,
        }
    }

    pub(super) fn course(&self) -> &Course {
        &self.row.course
    }

    /// Takes up the row as it is now; with `anew`, what waits is read from the store again.
    pub(super) fn take_up(&mut self, row: Destination, anew: bool) {
        if row.next_index < self.row.next_index {
            self.seen = row.next_index.0;
        } else {
            self.seen = self.seen.max(row.next_index.0);
        }
        if anew || row.changed_at != self.row.changed_at {
            self.queue.clear();
            self.complete = false;
        }
        if row.course.open_until.is_none() {
            // Somebody changed the destination: what was asked before counts no more.
            self.breaker.asked_until = None;
        }
        self.row = row;
    }

    /// Where the cursor stands after everything before `end` was looked at: an end of what is sent
    /// again leads to where it was before.
    pub(super) fn place_after(&self, end: u64) -> u64 {
        match self.row.replay {
            Some((to, resume)) if self.sends_again() && end >= to.0 => resume.0.max(end),
            _ => end,
        }
    }

    /// Whether what is read next was read before.
    pub(super) fn sends_again(&self) -> bool {
        self.row.replay.is_some_and(|(to, _)| self.seen < to.0)
    }

    /// The index that is read up to.
    pub(super) fn reads_to(&self, size: u64) -> u64 {
        match self.row.replay {
            Some((to, _)) if self.sends_again() => to.0.min(size),
            _ => size,
        }
    }

    /// Moves in memory as the cursor moved in the store.
    pub(super) fn moved(&mut self, to: LogIndex) {
        self.row.next_index = to;
        self.seen = self.seen.max(to.0);
        if self.row.replay.is_some_and(|(_, resume)| to >= resume) {
            self.row.replay = None;
        }
    }

    /// Attempts that may be started now.
    pub(super) fn room(&self, now: Timestamp) -> usize {
        let most: usize = match self.row.course.open_until {
            Some(until) if until > now => 0,
            // A probe.
            Some(_) => 1,
            None if self.address.definition.ordered => 1,
            None if self.row.course.failures > 0 || self.failed > 0 => 2,
            None => {
                let unbooked = UNBOOKED_MAX.saturating_sub(self.flying.len());
                return self.window.saturating_sub(self.in_the_air).min(unbooked);
            }
        };
        most.saturating_sub(self.flying.len())
    }

    /// An attempt ended, well or not.
    pub(super) fn landed(&mut self, well: bool) {
        self.in_the_air = self.in_the_air.saturating_sub(1);
        self.failed += usize::from(!well);
        self.window = if well { (self.window + 1).min(WINDOW_MAX) } else { WINDOW_FIRST / 2 };
    }
}

/// Reads deliveries that are due into the queue.
pub(super) async fn fill(engine: &Engine, track: &mut Track, now: Timestamp) -> Result<(), Error> {
    let mut link = engine.link().await?;
    let most = READ_MAX + track.flying.len();
    let in_order = track.address.definition.ordered;
    let probe = track.row.course.open_until.is_some();
    let rows = match (in_order, probe) {
        (true, _) => table::in_log_order(&mut link, &track.row.name, most).await?,
        // What waits longest for its turn: one delivery that is never taken must not be every
        // probe. That the receiver asked for a wait is in the breaker, which is not closed before.
        (false, true) => table::waiting(&mut link, &track.row.name, Timestamp::LAST, most).await?,
        (false, false) => table::waiting(&mut link, &track.row.name, now, most).await?,
    };
    let all = rows.len() < most;
    let flying = &track.flying;
    let mut later = None;
    for row in rows.into_iter().filter(|row| !flying.contains(&row.id)) {
        // In order, what is not due yet holds up what follows; a probe is not asked to wait.
        if in_order && !probe && row.next_at > now {
            later = Some(row.next_at);
            break;
        }
        track.queue.push_back(Item { row, events: None });
        if probe {
            break;
        }
    }
    track.complete = all && !probe;
    if track.queue.is_empty() {
        track.complete = true;
        track.due_at = match later {
            Some(later) => Some(later),
            None => table::next_due(&mut link, &track.row.name).await?.filter(|due| *due > now),
        };
    } else if all && !probe {
        track.due_at = table::next_later(&mut link, &track.row.name, now).await?;
    }
    Ok(())
}
