//! Runs that look for certificates.

use super::Word;
use crate::id::AccountId;

payloads! {
    /// A discovery has begun.
    Started {
        /// The discovery.
        discovery_id: String,
        /// Its name.
        discovery_name: String,
    }

    /// A discovery has ended, well or not.
    Finished {
        /// The discovery.
        discovery_id: String,
        /// Its name.
        discovery_name: String,
        /// Account that started it.
        started_by: Option<AccountId>,
        /// Connector or scanner that ran it.
        connector_name: Option<String>,
        /// Status it ended in: `completed`, `failed` or `warning`.
        status: Word,
        /// How many certificates were seen.
        found: u64,
        /// How many of them were new.
        added: u64,
    }
}
