//! The state machine of one destination: retries, circuit breaker, switching off. Pure: no clock,
//! no store, no network; the random number is passed in.
//!
//! - After an attempt that failed the delivery waits: 5 s, 30 s, 2 min, 10 min, 30 min, 1 h, 2 h,
//!   then every 3 h, each ±20 %. [`DEADLINE`] after its first attempt it is dead; it is kept.
//! - After [`TOLD`] failures in a row `delivery.failing` is recorded.
//! - After [`TRIP`] failures in a row the breaker opens: nothing is sent for 30 s, doubling up to
//!   30 min, then one delivery as a probe: the oldest where order is kept, otherwise the one that
//!   waits longest for its turn, so that one that is refused holds up no other.
//! - A receiver that asks for a pause (`Retry-After`) gets it, up to a day: nothing at all is sent
//!   to it before, whether the breaker is open or not, and whatever else was under way.
//! - After a success the breaker closes, and everything that waits is due at once.
//! - After [`GIVE_UP`] of nothing but failures, or the receiver's word 410, the destination is
//!   switched off; what waits stays.
//!
//! A recipient who is refused for good ends a message and says nothing about the destination; one
//! who takes nothing for now has it wait. Events of a forwarder go where the forwarder says: there
//! both are failures like any other, or nobody would hear of it.
//!
//! A receiver that answers 429 is left alone for a while. That is no failure as long as something
//! got through within [`THROTTLED`].
//!
//! The time of a delivery begins with its first attempt: what was never tried does not grow older
//! while the breaker is open.

use chancery_event::Timestamp;
use chancery_store::table::delivery::Delivery;
use chancery_store::table::destination::Course;

use super::Sent;

/// RFC 6585 §4.
const TOO_MANY_REQUESTS: u16 = 429;
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
/// A receiver that takes nothing for so long for being asked too often fails.
const THROTTLED: i64 = 15 * MINUTE;
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

/// What the breaker of one destination knows beside its course. Lost with the node: until when
/// nothing is sent is in the course, and with the node goes all that was under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Breaker {
    /// How often it opened since the last success.
    pub(super) trips: u32,
    /// Until when the receiver asked to be left alone.
    pub(super) asked_until: Option<Timestamp>,
}

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
    breaker: &mut Breaker,
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
        breaker.trips = 0;
        course.failures = 0;
        course.failing_since = None;
        // One that was under way when another one was asked to wait takes nothing back of that.
        let is_open = course.open_until.is_some();
        course.open_until = breaker.asked_until.filter(|until| is_open && *until > now);
        course.last_success_at = Some(now);
        course.last_error = None;
        return match before {
            (failures, since) if failures >= TOLD => Turn::Recovered(failures, since),
            _ => Turn::None,
        };
    };
    let message: String = failure.message.chars().take(500).collect();
    row.error = Some(message.clone());
    let is_message = row.first_index.is_none();
    if is_message && failure.refused_recipient.is_some() {
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
    if is_message && failure.is_recipient_busy {
        return Turn::None;
    }
    if sent.status == Some(TOO_MANY_REQUESTS) && is_lively(course, now) {
        let pause = if asked > 0 { asked } else { jittered(DELAYS[0], random) };
        leave_alone(course, breaker, now.plus(pause));
        return Turn::None;
    }
    failed(course, breaker, message, failure.gone, asked, now, random)
}

/// Whether something got through of late.
fn is_lively(course: &Course, now: Timestamp) -> bool {
    let lively = course.last_success_at.is_some_and(|at| now.since(at) < THROTTLED);
    lively && course.failures == 0
}

/// Nothing is sent before a time.
fn leave_alone(course: &mut Course, breaker: &mut Breaker, until: Timestamp) {
    breaker.asked_until = breaker.asked_until.max(Some(until));
    course.open_until = course.open_until.max(Some(until));
}

fn failed(
    course: &mut Course,
    breaker: &mut Breaker,
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
        let open = OPEN.saturating_mul(1 << breaker.trips.min(16)).min(OPEN_MAX);
        breaker.trips = breaker.trips.saturating_add(1);
        course.open_until = Some(now.plus(jittered(open, random)));
    }
    if asked > 0 {
        leave_alone(course, breaker, now.plus(asked));
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
        let (mut row, mut course, mut breaker) =
            (row(start), Course::default(), Breaker::default());
        let mut now = start;
        while row.state == "waiting" {
            now = row.next_at;
            book(&mut row, &mut course, &mut breaker, &failure(), now, 200);
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
        let (mut row, mut course, mut breaker) = (row(now), Course::default(), Breaker::default());
        book(&mut row, &mut course, &mut breaker, &asked(3_000), now, 0);
        assert_eq!(row.next_at.since(now), 3_000 * Timestamp::SECOND);
        assert_eq!(course.open_until, Some(row.next_at), "nothing else is sent meanwhile");
    }

    fn asked(seconds: i64) -> Sent {
        let asked = SendError { retry_after_s: Some(seconds), ..SendError::new("status", "429") };
        Sent { failure: Some(asked), ..Sent::default() }
    }

    #[test]
    fn a_wish_to_wait_is_kept_up_to_a_day_whatever_the_breaker_says() {
        let start = Timestamp::from_micros(0);
        for (wish, kept) in [(6 * HOUR, 6 * HOUR), (30 * HOUR, 24 * HOUR)] {
            for failures in 0..8 {
                let (mut course, mut breaker) = (Course::default(), Breaker::default());
                let mut fail = |sent: &Sent, now| {
                    book(&mut row(now), &mut course, &mut breaker, sent, now, 200);
                    course.open_until
                };
                // The sixth and later ones are under way when the breaker opens.
                for _ in 0..failures {
                    fail(&failure(), start);
                }
                let asked = asked(wish / Timestamp::SECOND);
                assert_eq!(fail(&asked, start), Some(start.plus(kept)), "after {failures}");
                let later = start.plus(Timestamp::SECOND);
                assert_eq!(fail(&failure(), later), Some(start.plus(kept)), "after {failures}");
                // Nor is it taken back by one that was under way and got through.
                book(&mut row(later), &mut course, &mut breaker, &Sent::default(), later, 200);
                assert_eq!((course.open_until, course.failures), (Some(start.plus(kept)), 0));
                let over = start.plus(kept);
                book(&mut row(over), &mut course, &mut breaker, &Sent::default(), over, 200);
                assert_eq!(course.open_until, None, "what is sent then ends it");
            }
        }
    }

    #[test]
    fn one_recipient_says_nothing_about_a_channel_and_all_about_a_forwarder() {
        let now = Timestamp::from_micros(0);
        let gone = SendError {
            refused_recipient: Some("ada@example.org".to_owned()),
            ..SendError::new("recipient_refused", "550 5.1.1")
        };
        let full =
            SendError { is_recipient_busy: true, ..SendError::new("recipient_busy", "452 4.2.2") };
        for (error, state) in [(gone, "dead"), (full, "waiting")] {
            let sent = Sent { failure: Some(error), ..Sent::default() };
            let (mut course, mut breaker) = (Course::default(), Breaker::default());
            for _ in 0..TRIP {
                let mut message = Delivery { first_index: None, ..row(now) };
                let turn = book(&mut message, &mut course, &mut breaker, &sent, now, 200);
                assert_eq!((turn, &*message.state), (Turn::None, state));
                assert_eq!((course.failures, course.open_until), (0, None));
            }
            for failures in 1..=TRIP {
                let mut events = row(now);
                let turn = book(&mut events, &mut course, &mut breaker, &sent, now, 200);
                let told = if failures == TOLD { Turn::Failing } else { Turn::None };
                assert_eq!((turn, &*events.state, course.failures), (told, "waiting", failures));
            }
            assert!(course.open_until.is_some());
        }
    }

    #[test]
    fn one_that_asks_for_slowness_fails_when_nothing_gets_through_for_long() {
        let start = Timestamp::from_micros(0);
        let (mut course, mut breaker) = (Course::default(), Breaker::default());
        let mut at = |seconds: i64, status: Option<u16>, course: &mut Course| {
            let now = start.plus(seconds * Timestamp::SECOND);
            let failure = status.map(|_| SendError::new("status", "429"));
            let sent = Sent { failure, status, ..Sent::default() };
            book(&mut row(now), course, &mut breaker, &sent, now, 200)
        };
        at(0, None, &mut course);
        for second in 1..=20 {
            assert_eq!(at(second, Some(429), &mut course), Turn::None);
            let open = course.open_until.unwrap().since(start) / Timestamp::SECOND;
            assert_eq!((course.failures, open), (0, second + 5));
        }
        at(30, None, &mut course);
        assert_eq!(course.open_until, None);
        let turns = [931, 932, 933].map(|second| at(second, Some(429), &mut course));
        assert_eq!(turns, [Turn::None, Turn::None, Turn::Failing]);
    }

    #[test]
    fn the_breaker_opens_longer_each_time_and_a_success_closes_it() {
        let mut now = Timestamp::from_micros(0);
        let (mut course, mut breaker) = (Course::default(), Breaker::default());
        let mut turns = Vec::new();
        let mut fail = |now, course: &mut Course, breaker: &mut Breaker| {
            let mut row = row(now);
            turns.push(book(&mut row, course, breaker, &failure(), now, 200));
        };
        for _ in 0..4 {
            fail(now, &mut course, &mut breaker);
        }
        assert_eq!(course.open_until, None);
        fail(now, &mut course, &mut breaker);
        let mut opened = Vec::new();
        for _ in 0..9 {
            let until = course.open_until.unwrap();
            opened.push(until.since(now) / Timestamp::SECOND);
            now = until;
            fail(now, &mut course, &mut breaker);
        }
        assert_eq!(opened, [30, 60, 120, 240, 480, 960, 1_800, 1_800, 1_800]);
        assert_eq!(turns.iter().filter(|turn| **turn == Turn::Failing).count(), 1);
        let mut row = row(now);
        let turn = book(&mut row, &mut course, &mut breaker, &Sent::default(), now, 200);
        assert_eq!(turn, Turn::Recovered(14, Some(Timestamp::from_micros(0))));
        assert_eq!((course.failures, course.open_until, breaker.trips), (0, None, 0));
    }

    #[test]
    fn a_destination_is_switched_off_after_five_days_or_when_it_says_so() {
        let start = Timestamp::from_micros(0);
        let (mut course, mut breaker) = (Course::default(), Breaker::default());
        let mut at = |hours: i64, sent: &Sent| {
            let now = start.plus(hours * HOUR);
            book(&mut row(now), &mut course, &mut breaker, sent, now, 200)
        };
        at(0, &failure());
        assert_eq!(at(119, &failure()), Turn::None);
        assert_eq!(at(120, &failure()), Turn::Off("failing"));
        let gone = SendError { gone: true, ..SendError::new("gone", "410") };
        let gone = Sent { failure: Some(gone), ..Sent::default() };
        assert_eq!(at(121, &gone), Turn::Off("gone"));
    }
}
