//! Events of this process on their way from the scribe through the sealer to those who read each
//! sealed one: the projector and the monitors.
//!
//! They would otherwise read back as JSON what this process wrote a moment ago, which costs more
//! than sealing itself. This is a short cut and nothing else: what is not here
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
    sealed: Mutex<SealedEvents>,
}

/// Who reads every sealed event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Makes the projections of the log.
    Projector,
    /// Enrols objects with the monitors.
    Monitors,
}

/// Sealed events that a reader has still before it.
struct SealedEvents {
    events: VecDeque<(LogIndex, Arc<Event>)>,
    /// Where each [`Reader`] stands; who does not read here stands behind everything.
    positions: [LogIndex; 2],
}

impl Default for SealedEvents {
    fn default() -> Self {
        Self { events: VecDeque::new(), positions: [LogIndex(u64::MAX); 2] }
    }
}

impl SealedEvents {
    /// Takes out what lies before `to`.
    fn pass(&mut self, to: LogIndex) -> Vec<(LogIndex, Arc<Event>)> {
        let passed = self.events.iter().take_while(|(index, _)| *index < to).count();
        self.events.drain(..passed).collect()
    }
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

    /// Keeps events that a signed checkpoint covers by now, for the readers. They follow each other
    /// in the log.
    pub(crate) fn sealed(&self, events: impl ExactSizeIterator<Item = (LogIndex, Arc<Event>)>) {
        let mut events = events.peekable();
        let Some(&(first, _)) = events.peek() else { return };
        let mut sealed = lock(&self.sealed);
        let mut forgotten = Vec::new();
        if sealed.events.len() + events.len() > EVENTS_MAX {
            // One reader that is stuck must not take this from the other.
            let [one, other] = sealed.positions;
            forgotten = sealed.pass(if one == LogIndex(u64::MAX) { other } else { one.max(other) });
        }
        let follows = sealed.events.back().is_none_or(|(last, _)| last.0 + 1 == first.0);
        // Never a gap: what is left out here a reader gets from the store.
        if follows && sealed.events.len() + events.len() <= EVENTS_MAX {
            sealed.events.extend(events);
        }
        drop(sealed);
        drop(forgotten);
    }

    /// Hands out events from `from` on without a gap, `limit` at most; none if `from` is not here.
    /// `reader` will not ask for what lies before `from` again.
    pub(crate) fn next(
        &self,
        reader: Reader,
        from: LogIndex,
        limit: usize,
    ) -> Vec<(LogIndex, Arc<Event>)> {
        let mut sealed = lock(&self.sealed);
        sealed.positions[reader as usize] = from;
        let [one, other] = sealed.positions;
        let forgotten = sealed.pass(one.min(other));
        let first = sealed.events.front().map_or(u64::MAX, |(first, _)| first.0);
        let found = match from.0.checked_sub(first).map(usize::try_from) {
            Some(Ok(skipped)) => sealed.events.iter().skip(skipped).take(limit).cloned().collect(),
            _ => Vec::new(),
        };
        drop(sealed);
        drop(forgotten);
        found
    }

    /// `reader` does not read on this node at present.
    pub(crate) fn leave(&self, reader: Reader) {
        self.next(reader, LogIndex(u64::MAX), 0);
    }

    /// The first sealed event that is here: up to it a reader has to ask the store.
    pub(crate) fn first(&self) -> Option<LogIndex> {
        lock(&self.sealed).events.front().map(|(first, _)| *first)
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
        let next = |from, limit| recent.next(Reader::Projector, LogIndex(from), limit);
        // The cursor stands before what is here: the store has to be asked.
        assert!(next(3, 10).is_empty());
        assert_eq!(indexes(&next(6, 3)), [6, 7, 8]);
        assert_eq!(recent.first(), Some(LogIndex(6)));
        assert_eq!(indexes(&next(9, 3)), [9]);
        assert!(next(10, 3).is_empty());
        assert_eq!(recent.first(), None);
    }

    #[test]
    fn each_reader_gets_every_event() {
        let recent = Recent::default();
        recent.sealed(events(0, 4).into_iter());
        let next = |reader, from| indexes(&recent.next(reader, LogIndex(from), 2));
        assert_eq!(next(Reader::Monitors, 0), [0, 1]);
        assert_eq!(next(Reader::Projector, 0), [0, 1]);
        assert_eq!(next(Reader::Projector, 2), [2, 3]);
        assert_eq!(next(Reader::Projector, 4), [0_u64; 0]);
        assert_eq!(next(Reader::Monitors, 2), [2, 3]);
        assert_eq!(recent.first(), Some(LogIndex(2)));
        recent.leave(Reader::Monitors);
        assert_eq!(recent.first(), None);
    }

    #[test]
    fn a_reader_that_is_stuck_does_not_stop_the_other() {
        let recent = Recent::default();
        let most = EVENTS_MAX as u64;
        recent.sealed(events(0, most).into_iter());
        assert_eq!(indexes(&recent.next(Reader::Monitors, LogIndex(0), 1)), [0]);
        assert!(recent.next(Reader::Projector, LogIndex(most), 1).is_empty());
        recent.sealed(events(most, most + 2).into_iter());
        assert_eq!(indexes(&recent.next(Reader::Projector, LogIndex(most), 1)), [most]);
        assert!(recent.next(Reader::Monitors, LogIndex(1), 1).is_empty());
    }

    #[test]
    fn there_is_never_a_gap() {
        let recent = Recent::default();
        let next = |from| indexes(&recent.next(Reader::Projector, LogIndex(from), 10));
        recent.sealed(events(0, 3).into_iter());
        recent.sealed(events(7, 9).into_iter());
        assert_eq!(next(0), [0, 1, 2]);
        assert!(next(3).is_empty());
        recent.sealed(events(9, 11).into_iter());
        assert!(next(3).is_empty());
        assert_eq!(recent.first(), Some(LogIndex(9)));
        assert_eq!(next(9), [9, 10]);
    }
}
