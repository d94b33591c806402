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
}
