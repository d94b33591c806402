//! Rate limits: a token bucket per key, bounded in memory.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use chancery_event::Timestamp;

/// Keys remembered at most; beyond that, full buckets are forgotten, and if there are none, the
/// fuller half: whoever is refused stays refused.
const KEYS_MAX: usize = 50_000;

/// Allows `per_minute` uses a minute and key, with a burst of the same size.
#[derive(Debug)]
pub struct Limiter {
    per_minute: u32,
    refused: AtomicU64,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Uses left, in millionths.
    level: i64,
    at: Timestamp,
    /// The refusal of this window has been reported.
    reported: bool,
}

/// The answer of a limiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Go on.
    Allowed,
    /// Too much; `first` once per window, so that it can be recorded once.
    Refused {
        /// Seconds until another try makes sense.
        seconds: u64,
        /// This is the first refusal of the window.
        first: bool,
    },
}

impl Limiter {
    /// A limiter; 0 a minute means without limit.
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute, refused: AtomicU64::new(0), buckets: Mutex::new(HashMap::new()) }
    }

    /// How many uses a minute are allowed.
    pub fn per_minute(&self) -> u32 {
        self.per_minute
    }

    /// How many uses were refused so far.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Gives back one use that was taken and is not to count.
    pub fn give_back(&self, key: &str, now: Timestamp) {
        let mut buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(key) {
            let level = self.level(bucket, now).saturating_add(1_000_000);
            bucket.level = level.min(i64::from(self.per_minute) * 1_000_000);
            bucket.at = now;
        }
    }

    /// How many uses of `key` are left at `now`.
    pub fn left(&self, key: &str, now: Timestamp) -> u32 {
        let buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(bucket) = buckets.get(key) else { return self.per_minute };
        let back = now.since(bucket.at).max(0).saturating_mul(i64::from(self.per_minute)) / 60;
        let left = bucket.level.saturating_add(back) / 1_000_000;
        u32::try_from(left).unwrap_or(0).min(self.per_minute)
    }

    /// Takes one use of `key` at `now`.
    pub fn take(&self, key: &str, now: Timestamp) -> Answer {
        const ONE: i64 = 1_000_000;
        if self.per_minute == 0 {
            return Answer::Allowed;
        }
        let full = i64::from(self.per_minute) * ONE;
        // A poisoned lock only means that another thread panicked while counting.
        let mut buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if buckets.len() >= KEYS_MAX && !buckets.contains_key(key) {
            self.make_room(&mut buckets, now);
        }
        let bucket = buckets.entry(key.to_owned()).or_insert(Bucket {
            level: full,
            at: now,
            reported: false,
        });
        bucket.level = self.level(bucket, now);
        bucket.at = now;
        if bucket.level >= ONE {
            bucket.level -= ONE;
            if bucket.level > full / 2 {
                bucket.reported = false;
            }
            return Answer::Allowed;
        }
        self.refused.fetch_add(1, Relaxed);
        let missing = ONE - bucket.level;
        let micros = missing.saturating_mul(60) / i64::from(self.per_minute);
        let seconds = u64::try_from(micros / Timestamp::SECOND + 1).unwrap_or(60);
        Answer::Refused { seconds, first: !std::mem::replace(&mut bucket.reported, true) }
    }

    /// What a bucket holds at `now`: uses come back, as many a minute as are allowed.
    fn level(&self, bucket: &Bucket, now: Timestamp) -> i64 {
        let per_minute = i64::from(self.per_minute);
        let back = now.since(bucket.at).max(0).saturating_mul(per_minute) / 60;
        bucket.level.saturating_add(back).min(per_minute * 1_000_000)
    }

    fn make_room(&self, buckets: &mut HashMap<String, Bucket>, now: Timestamp) {
        let full = i64::from(self.per_minute) * 1_000_000;
        buckets.retain(|_, bucket| self.level(bucket, now) < full);
        if buckets.len() < KEYS_MAX {
            return;
        }
        let mut levels: Vec<i64> = buckets.values().map(|b| self.level(b, now)).collect();
        let (_, middle, _) = levels.select_nth_unstable(KEYS_MAX / 2);
        let (middle, mut places) = (*middle, KEYS_MAX / 2);
        places -= levels.iter().filter(|level| **level < middle).count();
        buckets.retain(|_, bucket| match self.level(bucket, now).cmp(&middle) {
            Ordering::Less => true,
            Ordering::Equal if places > 0 => {
                places -= 1;
                true
            }
            _ => false,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_then_refused_and_time_gives_it_back() {
        let limiter = Limiter::new(3);
        let start = Timestamp::from_micros(1_000_000_000);
        for _ in 0..3 {
            assert_eq!(limiter.take("a", start), Answer::Allowed);
        }
        assert_eq!(limiter.take("a", start), Answer::Refused { seconds: 21, first: true });
        assert_eq!(limiter.take("a", start), Answer::Refused { seconds: 21, first: false });
        assert_eq!(limiter.take("b", start), Answer::Allowed);
        assert_eq!(limiter.take("a", start.plus(21 * Timestamp::SECOND)), Answer::Allowed);
        assert_eq!(limiter.refused(), 2);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_no_more_than_that() {
        let limiter = Limiter::new(2);
        let now = Timestamp::from_micros(1_000_000_000);
        for _ in 0..10 {
            assert_eq!(limiter.take("a", now), Answer::Allowed);
            limiter.give_back("a", now);
        }
        limiter.give_back("a", now);
        limiter.give_back("b", now);
        for _ in 0..2 {
            assert_eq!(limiter.take("a", now), Answer::Allowed);
        }
        assert!(matches!(limiter.take("a", now), Answer::Refused { .. }));
    }

    #[test]
    fn whoever_is_refused_stays_refused_however_many_others_come() {
        let limiter = Limiter::new(3);
        let now = Timestamp::from_micros(1_000_000_000);
        for _ in 0..3 {
            assert_eq!(limiter.take("a", now), Answer::Allowed);
        }
        for other in 0..2 * KEYS_MAX {
            assert_eq!(limiter.take(&other.to_string(), now), Answer::Allowed);
        }
        assert!(matches!(limiter.take("a", now), Answer::Refused { .. }));
        let known = limiter.buckets.lock().unwrap().len();
        assert!(known <= KEYS_MAX, "{known}");
        // Full ones go alone: nobody else is touched.
        let later = now.plus(20 * Timestamp::SECOND + 1);
        limiter.make_room(&mut limiter.buckets.lock().unwrap(), later);
        assert_eq!(limiter.buckets.lock().unwrap().len(), 1, "only “a” has not got all back");
    }
}
