//! How events act.

use super::Word;
use crate::id::EventId;

payloads! {
    /// Triggers would have acted on an event, and did not: too many causes stand behind it.
    Stopped {
        /// The event that they would have acted on.
        event_id: EventId,
        /// Its type.
        event_type: Word,
        /// How many causes stand behind it.
        event_depth: u16,
        /// Names of the triggers.
        triggers: Vec<String>,
    }

    /// Records of what triggers made of events were taken out as a file.
    Export {
        /// `ndjson` or `csv`.
        format: Word,
        /// How many were exported.
        count: u64,
        /// Whether a query chose them; without one they were all.
        filtered: bool,
    }
    personal {
        /// The query that chose them, as text; it may name people.
        query,
    }
}
