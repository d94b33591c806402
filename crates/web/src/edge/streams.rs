//! How many streams are open, by account: each may read the log from its beginning, so nobody opens
//! them without end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chancery_engine::Error;

use super::{Caller, Problem};

/// Streams of one account at a time: many pages in many windows.
const STREAMS_MAX: usize = 50;
/// When whoever is refused may try again, in seconds.
const AGAIN_S: u64 = 30;

/// The streams that are open. The lock is held for one look-up, and never across an await.
#[derive(Clone, Default)]
pub(crate) struct Streams(Arc<Mutex<HashMap<String, usize>>>);

/// One that is open; it counts until it is dropped.
pub(crate) struct Open {
    streams: Streams,
    account: String,
}

impl Streams {
    /// Opens one more.
    ///
    /// # Errors
    /// The account has too many.
    pub(crate) fn open(&self, caller: &Caller) -> Result<Open, Problem> {
        let account = caller.key();
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(account.clone()).or_default();
        if *count >= STREAMS_MAX {
            return Err(Error::RateLimited { seconds: AGAIN_S }.into());
        }
        *count += 1;
        drop(open);
        Ok(Open { streams: self.clone(), account })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.account) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.account);
            }
        }
    }
}
