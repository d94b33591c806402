//! Events of this process on their way from the scribe through the sealer to the projector.
//!
//! Sealer and projector would otherwise read back as JSON what this process wrote a moment ago,
//! which costs more than sealing itself. This is a short cut and nothing else: what is not here
//! (after a restart, when there is too much, when another process wrote it) is opened from the
//! store. It must never be the source of bytes that are hashed or sealed, and nobody may wait for
//! anything to be in it.
//!
//! A pending row is matched by its seal, after the sealer has found that the seal is the one of the
//! row's bytes: then these are the very bytes that the event here became.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chancery_event::{Event, LogIndex};

/// Events kept at most, in each of the two places. An event takes about three kilobytes.
const EVENTS_MAX: usize = 16_384;

/// The seal of a pending event.
type Seal = [u8; 32];

/// The events under way. Each place has a lock of its own, held for a few instructions.
#[derive(Default)]
pub(crate) struct Recent {
    recorded: Mutex<Recorded>,
    sealed: Mutex<VecDeque<(LogIndex, Arc<Event>)>>,
}

/// Events by their pending seal, the oldest forgotten first. Units that are not committed leave
/// theirs behind, which is why there is an order.
#[derive(Default)]
struct Recorded {
    events: HashMap<Seal, Arc<Event>>,
    order: VecDeque<Seal>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is one insertion or removal: a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recent {
    /// Keeps an event that was just written out under `seal`.
    pub(crate) fn recorded(&self, seal: Seal, event: Event) {
        let mut recorded = lock(&self.recorded);
        recorded.events.insert(seal, Arc::new(event));
        recorded.order.push_back(seal);
        let forgotten = if recorded.order.len() > EVENTS_MAX {
            recorded.order.pop_front().and_then(|oldest| recorded.events.remove(&oldest))
        } else {
            None
        };
        // An event takes a while to take apart.
        drop(recorded);
        drop(forgotten);
    }

    /// Hands out the event that was recorded under `seal`, once.
    pub(crate) fn take(&self, seal: &Seal) -> Option<Arc<Event>> {
        lock(&self.recorded).events.remove(seal)
    }

    /// Keeps events that a signed checkpoint covers by now, for the projector. They follow each
    /// other in the log.
    pub(crate) fn sealed(&self, events: impl ExactSizeIterator<Item = (LogIndex, Arc<Event>)>) {
        let mut events = events.peekable();
        let Some(&(first, _)) = events.peek() else { return };
        let mut sealed = lock(&self.sealed);
        let follows = sealed.back().is_none_or(|(last, _)| last.0 + 1 == first.0);
        // Never a gap: what is left out here the projector reads from the store.
        if follows && sealed.len() + events.len() <= EVENTS_MAX {
            sealed.extend(events);
        }
    }

    /// Hands out events from `from` on without a gap, `limit` at most, once; none if `from` is not
    /// here. What lies before `from` is forgotten.
    pub(crate) fn next(&self, from: LogIndex, limit: usize) -> Vec<(LogIndex, Arc<Event>)> {
        let mut sealed = lock(&self.sealed);
        let passed = sealed.iter().take_while(|(index, _)| *index < from).count();
        sealed.drain(..passed);
        if sealed.front().is_none_or(|(first, _)| *first != from) {
            return Vec::new();
        }
        let count = sealed.len().min(limit);
        sealed.drain(..count).collect()
    }

    /// The first sealed event that is here: up to it the projector has to read from the store.
    pub(crate) fn first(&self) -> Option<LogIndex> {
        lock(&self.sealed).front().map(|(first, _)| *first)
    }
}

#[cfg(test)]
mod tests {
    use chancery_event::catalogue::EventType;

    use super::*;

    fn events(from: u64, to: u64) -> Vec<(LogIndex, Arc<Event>)> {
        let event = Arc::new(EventType::CertificateUpload.example());
        (from..to).map(|index| (LogIndex(index), event.clone())).collect()
    }

    fn indexes(events: &[(LogIndex, Arc<Event>)]) -> Vec<u64> {
        events.iter().map(|(index, _)| index.0).collect()
    }

    #[test]
    fn an_event_is_handed_out_once_and_only_for_its_seal() {
        let recent = Recent::default();
        recent.recorded([1; 32], EventType::CertificateUpload.example());
        assert!(recent.take(&[2; 32]).is_none());
        assert!(recent.take(&[1; 32]).is_some());
        assert!(recent.take(&[1; 32]).is_none());
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten_the_oldest_first() {
        let recent = Recent::default();
        for number in 0..=EVENTS_MAX {
            let mut seal = [0; 32];
            seal[..8].copy_from_slice(&number.to_be_bytes());
            recent.recorded(seal, EventType::CertificateUpload.example());
        }
        assert!(recent.take(&[0; 32]).is_none());
        let mut last = [0; 32];
        last[..8].copy_from_slice(&EVENTS_MAX.to_be_bytes());
        assert!(recent.take(&last).is_some());
    }

    #[test]
    fn sealed_events_come_in_order_without_a_gap() {
        let recent = Recent::default();
        recent.sealed(events(5, 8).into_iter());
        recent.sealed(events(8, 10).into_iter());
        assert_eq!(recent.first(), Some(LogIndex(5)));
        // The cursor stands before what is here: the store has to be asked.
        assert!(recent.next(LogIndex(3), 10).is_empty());
        assert_eq!(indexes(&recent.next(LogIndex(6), 3)), [6, 7, 8]);
        assert_eq!(indexes(&recent.next(LogIndex(9), 3)), [9]);
        assert_eq!(recent.first(), None);
    }

    #[test]
    fn there_is_never_a_gap() {
        let recent = Recent::default();
        recent.sealed(events(0, 3).into_iter());
        recent.sealed(events(7, 9).into_iter());
        assert_eq!(indexes(&recent.next(LogIndex(0), 10)), [0, 1, 2]);
        recent.sealed(events(9, 11).into_iter());
        assert!(recent.next(LogIndex(3), 10).is_empty());
        assert_eq!(recent.first(), Some(LogIndex(9)));
        assert_eq!(indexes(&recent.next(LogIndex(9), 10)), [9, 10]);
    }
}
