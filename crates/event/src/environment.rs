//! Time and randomness as parameters (invariant 8): a test or a simulation hands in its own.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use uuid::Builder;

use crate::id::Id;
use crate::time::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The present, UTC.
    fn now(&self) -> Timestamp;

    /// Whether somebody moves it by hand, so that its time has nothing to do with anybody else's.
    fn is_simulated(&self) -> bool {
        false
    }
}

/// Gives random bytes.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `bytes` with random bytes, fit for keys and salts.
    fn fill(&self, bytes: &mut [u8]);

    /// Fills `bytes` with random bytes that need only be unlike all others: for identifiers, never
    /// for keys, nonces, tokens or salts.
    fn fill_unlike(&self, bytes: &mut [u8]) {
        self.fill(bytes);
    }
}

/// The clock and the source of randomness that a running program uses.
#[derive(Clone)]
pub struct Environment {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

impl Environment {
    /// The machine's clock and the operating system's randomness.
    pub fn system() -> Self {
        Self { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) }
    }

    /// An environment from parts.
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { clock, entropy }
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether time is what a test or a simulation makes it.
    pub fn is_simulated(&self) -> bool {
        self.clock.is_simulated()
    }

    /// `N` random bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }

    /// A new identifier: UUID version 7 of the present and ten random bytes.
    pub fn id<T: Id>(&self) -> T {
        let millis = u64::try_from(self.now().micros().max(0) / 1_000).unwrap_or(0);
        let mut random = [0; 10];
        self.entropy.fill_unlike(&mut random);
        T::from_uuid(Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
    }
}

struct SystemEntropy;

/// Bytes that a thread draws at a time for identifiers: an event has some, and each call has a
/// fixed price. Nothing secret is taken from here: whoever copies a machine copies this stock.
const DRAWN_BYTES: usize = 1_024;

/// Random bytes that were drawn and not handed out yet.
struct Drawn {
    bytes: [u8; DRAWN_BYTES],
    used: usize,
}

thread_local! {
    static DRAWN: RefCell<Drawn> =
        const { RefCell::new(Drawn { bytes: [0; DRAWN_BYTES], used: DRAWN_BYTES }) };
}

impl Drawn {
    /// The next bytes; `None`: too many to be kept in stock.
    fn take(&mut self, count: usize) -> Option<&mut [u8]> {
        if count > 64 {
            return None;
        }
        if DRAWN_BYTES - self.used < count {
            draw(&mut self.bytes);
            self.used = 0;
        }
        let start = self.used;
        self.used += count;
        self.bytes.get_mut(start..self.used)
    }
}

fn draw(bytes: &mut [u8]) {
    // Seeded by the operating system, without a call to it for every salt and identifier.
    // Unwrap safety: without randomness no key, salt or token is safe; stopping is the only
    // answer.
    aws_lc_rs::rand::fill(bytes).expect("the operating system gives randomness");
}

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        draw(bytes);
    }

    fn fill_unlike(&self, bytes: &mut [u8]) {
        DRAWN.with_borrow_mut(|drawn| match drawn.take(bytes.len()) {
            Some(random) => {
                bytes.copy_from_slice(random);
                // Handed out once: it must not be found here again.
                random.fill(0);
            }
            None => draw(bytes),
        });
    }
}

/// A clock that stands still until it is moved. For tests and simulations.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(start.micros())))
    }

    /// Moves the clock by `micros`; negative moves it back.
    pub fn advance(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }

    fn is_simulated(&self) -> bool {
        true
    }
}

/// Repeatable bytes from a seed (SplitMix64). For tests and simulations; never for secrets.
#[derive(Debug)]
pub struct SeededEntropy(AtomicU64);

impl SeededEntropy {
    /// The stream that belongs to `seed`.
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let step = 0x9E37_79B9_7F4A_7C15_u64;
            let mut z = self.0.fetch_add(step, Ordering::SeqCst).wrapping_add(step);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^= z >> 31;
            chunk.copy_from_slice(&z.to_le_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_bytes_are_handed_out_once_whatever_their_number() {
        let entropy = SystemEntropy;
        let mut seen = std::collections::HashSet::new();
        for _ in 0..500 {
            for count in [16, 10, 32, 64, 65, 2_000] {
                let mut bytes = vec![0; count];
                entropy.fill_unlike(&mut bytes);
                assert!(bytes.iter().any(|byte| *byte != 0));
                assert!(seen.insert(bytes[..10].to_vec()), "the same ten bytes again");
            }
        }
    }

    #[test]
    fn what_is_secret_does_not_come_from_the_stock() {
        let environment = Environment::system();
        let used = || DRAWN.with_borrow(|drawn| drawn.used);
        let _: crate::id::EventId = environment.id();
        let before = used();
        let (nonce, key): ([u8; 12], [u8; 32]) = (environment.random(), environment.random());
        assert_eq!(used(), before);
        assert!(nonce.iter().chain(&key).any(|byte| *byte != 0));
        let _: crate::id::EventId = environment.id();
        assert_ne!(used(), before);
    }
}
