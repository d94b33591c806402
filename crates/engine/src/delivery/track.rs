//! The state machine of one destination: retries, circuit breaker, switching off. Pure: no clock,
//! no store, no network; the random number is passed in.
//!
//! - After an attempt that failed the delivery waits: 5 s, 30 s, 2 min, 10 min, 30 min, 1 h, 2 h,
//!   then every 3 h, each ±20 %. [`DEADLINE`] after its first attempt it is dead; it is kept.
//! - After [`TOLD`] failures in a row `delivery.failing` is recorded.
//! - After [`TRIP`] failures in a row the breaker opens: nothing is sent for 30 s, doubling up to
//!   30 min, then one delivery as a probe: the oldest where order is kept, otherwise the one that
//!   waits longest for its turn, so that one that is refused holds up no other.
//! - After a success the breaker closes, and everything that waits is due at once.
//! - After [`GIVE_UP`] of nothing but failures, or the receiver's word 410, the destination is
//!   switched off; what waits stays.
//!
//! A recipient who is refused for good ends the delivery and says nothing about the destination.
//!
//! The time of a delivery begins with its first attempt: what was never tried does not grow older
//! while the breaker is open.

use chancery_event::Timestamp;
use chancery_store::table::delivery::Delivery;
use chancery_store::table::destination::Course;

use super::Sent;

/// Failures in a row after which it is said that a destination fails.
pub(super) const TOLD: i64 = 3;
/// Failures in a row that open the breaker.
const TRIP: i64 = 5;
/// A delivery is tried for this long: three days and six hours.
const DEADLINE: i64 = 78 * HOUR;
/// A destination that fails for this long is switched off: five days.
const GIVE_UP: i64 = 120 * HOUR;
/// The breaker stays open so long at first, and at most.
const OPEN: i64 = 30 * Timestamp::SECOND;
const OPEN_MAX: i64 = 30 * MINUTE;
/// A receiver may ask for a pause of so long at most.
const RETRY_AFTER_MAX: i64 = 24 * HOUR;
const MINUTE: i64 = 60 * Timestamp::SECOND;
const HOUR: i64 = 60 * MINUTE;

const DELAYS: [i64; 8] = [
    5 * Timestamp::SECOND,
    30 * Timestamp::SECOND,
    2 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
];

/// What an attempt meant for its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing new.
    None,
    /// It is to be said that deliveries fail.
    Failing,
    /// Deliveries get through again, after so many failures since a time.
    Recovered(i64, Option<Timestamp>),
    /// It is to be switched off, for this reason.
    Off(&'static str),
}

/// Waits ±20 %, by a random number.
fn jittered(delay: i64, random: u64) -> i64 {
    let share = i64::try_from(random % 401).unwrap_or(200) - 200;
    delay + delay / 1_000 * share
}

/// When a delivery is tried again after so many attempts.
pub(super) fn again_at(attempts: i64, now: Timestamp, random: u64) -> Timestamp {
    let step = usize::try_from(attempts - 1).unwrap_or(0).min(DELAYS.len() - 1);
    now.plus(jittered(DELAYS[step], random))
}

/// Books an attempt on its delivery and its destination.
pub(super) fn book(
    row: &mut Delivery,
    course: &mut Course,
    trips: &mut u32,
    sent: &Sent,
    now: Timestamp,
    random: u64,
) -> Turn {
    row.attempts += 1;
    row.first_attempt_at.get_or_insert(now);
    row.last_attempt_at = Some(now);
    row.status = sent.status.map(i64::from);
    course.last_attempt_at = Some(now);
    let Some(failure) = &sent.failure else {
        row.state = "delivered".to_owned();
        row.completed_at = Some(now);
        row.error = None;
        let before = (course.failures, course.failing_since);
        *trips = 0;
        course.failures = 0;
        course.failing_since = None;
        course.open_until = None;
        course.last_success_at = Some(now);
        course.last_error = None;
        return match before {
            (failures, since) if failures >= TOLD => Turn::Recovered(failures, since),
            _ => Turn::None,
        };
    };
    let message: String = failure.message.chars().take(500).collect();
    row.error = Some(message.clone());
    if failure.refused_recipient.is_some() {
        row.state = "dead".to_owned();
        row.completed_at = Some(now);
        return Turn::None;
    }
    let asked = failure.retry_after_s.unwrap_or(0).clamp(0, RETRY_AFTER_MAX / Timestamp::SECOND);
    let asked = asked * Timestamp::SECOND;
    row.next_at = again_at(row.attempts, now, random).max(now.plus(asked));
    let began = row.first_attempt_at.unwrap_or(now);
    if now.since(began) >= DEADLINE {
        row.state = "dead".to_owned();
        row.completed_at = Some(now);
    }
    failed(course, trips, message, failure.gone, asked, now, random)
}

fn failed(
    course: &mut Course,
    trips: &mut u32,
    message: String,
    gone: bool,
    asked: i64,
    now: Timestamp,
    random: u64,
) -> Turn {
    course.failures += 1;
    let since = *course.failing_since.get_or_insert(now);
    course.last_error = Some(message);
    let was_open = course.open_until.is_some_and(|until| until > now);
    if course.failures >= TRIP && !was_open {
        let open = OPEN.saturating_mul(1 << (*trips).min(16)).min(OPEN_MAX);
        *trips = trips.saturating_add(1);
        course.open_until = Some(now.plus(jittered(open, random).max(asked.min(HOUR))));
    } else if asked > 0 && !was_open {
        course.open_until = Some(now.plus(asked.min(HOUR)));
    }
    if gone {
        return Turn::Off("gone");
    }
    if now.since(since) >= GIVE_UP {
        return Turn::Off("failing");
    }
    if course.failures == TOLD { Turn::Failing } else { Turn::None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::SendError;

    fn row(now: Timestamp) -> Delivery {
        Delivery {
            id: "01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4".parse().unwrap(),
            destination: "soc".to_owned(),
            reason: "log".to_owned(),
            first_index: Some(1),
            last_index: Some(1),
            events: 1,
            event_type: None,
            content: "{}".to_owned(),
            state: "waiting".to_owned(),
            attempts: 0,
            next_at: now,
            created_at: now,
            first_attempt_at: None,
            last_attempt_at: None,
            completed_at: None,
            status: None,
            error: None,
        }
    }

    fn failure() -> Sent {
        Sent { failure: Some(SendError::new("status", "503")), ..Sent::default() }
    }

    #[test]
    fn a_delivery_is_tried_for_three_days_and_longer_and_then_dies() {
        let start = Timestamp::from_micros(0);
        let (mut row, mut course, mut trips) = (row(start), Course::default(), 0);
        let mut now = start;
        while row.state == "waiting" {
            now = row.next_at;
            book(&mut row, &mut course, &mut trips, &failure(), now, 200);
        }
        let hours = now.since(start) / HOUR;
        assert!((78..=82).contains(&hours), "{hours}");
        assert!((30..=36).contains(&row.attempts), "{}", row.attempts);
        assert_eq!(row.error.as_deref(), Some("503"));
    }

    #[test]
    fn waits_spread_by_a_fifth_and_follow_what_the_receiver_asks_for() {
        for random in [0, 200, 400] {
            let waited = jittered(HOUR, random);
            assert!((HOUR * 8 / 10..=HOUR * 12 / 10).contains(&waited), "{waited}");
        }
        let now = Timestamp::from_micros(0);
        let (mut row, mut course, mut trips) = (row(now), Course::default(), 0);
        let asked = SendError { retry_after_s: Some(3_000), ..SendError::new("status", "429") };
        let sent = Sent { failure: Some(asked), ..Sent::default() };
        book(&mut row, &mut course, &mut trips, &sent, now, 0);
        assert_eq!(row.next_at.since(now), 3_000 * Timestamp::SECOND);
        assert_eq!(course.open_until, Some(row.next_at), "nothing else is sent meanwhile");
    }

    #[test]
    fn the_breaker_opens_longer_each_time_and_a_success_closes_it() {
        let mut now = Timestamp::from_micros(0);
        let (mut course, mut trips) = (Course::default(), 0);
        let mut turns = Vec::new();
        let mut fail = |now, course: &mut Course, trips: &mut u32| {
            let mut row = row(now);
            turns.push(book(&mut row, course, trips, &failure(), now, 200));
        };
        for _ in 0..4 {
            fail(now, &mut course, &mut trips);
        }
        assert_eq!(course.open_until, None);
        fail(now, &mut course, &mut trips);
        let mut opened = Vec::new();
        for _ in 0..9 {
            let until = course.open_until.unwrap();
            opened.push(until.since(now) / Timestamp::SECOND);
            now = until;
            fail(now, &mut course, &mut trips);
        }
        assert_eq!(opened, [30, 60, 120, 240, 480, 960, 1_800, 1_800, 1_800]);
        assert_eq!(turns.iter().filter(|turn| **turn == Turn::Failing).count(), 1);
        let mut row = row(now);
        let turn = book(&mut row, &mut course, &mut trips, &Sent::default(), now, 200);
        assert_eq!(turn, Turn::Recovered(14, Some(Timestamp::from_micros(0))));
        assert_eq!((course.failures, course.open_until, trips), (0, None, 0));
    }

    #[test]
    fn a_destination_is_switched_off_after_five_days_or_when_it_says_so() {
        let start = Timestamp::from_micros(0);
        let (mut course, mut trips) = (Course::default(), 0);
        let mut at = |hours: i64, sent: &Sent| {
            let now = start.plus(hours * HOUR);
            book(&mut row(now), &mut course, &mut trips, sent, now, 200)
        };
        at(0, &failure());
        assert_eq!(at(119, &failure()), Turn::None);
        assert_eq!(at(120, &failure()), Turn::Off("failing"));
        let gone = SendError { gone: true, ..SendError::new("gone", "410") };
        let gone = Sent { failure: Some(gone), ..Sent::default() };
        assert_eq!(at(121, &gone), Turn::Off("gone"));
    }
}
