//! Events of other systems that came in.
//!
//! What the other system says stands in the personal part, because nobody knows what is about
//! people in it; the sealed detail holds what events are found by.

use super::Word;
use crate::time::Timestamp;

payloads! {
    /// An event of another system was taken in. Outcome and severity are those that the other
    /// system tells; the time of the event is when it came in.
    Received {
        /// Name of the source that it came from.
        source: String,
        /// The dialect that the source speaks, such as `okta`.
        system: Word,
        /// What the other system calls it, as it came.
        code: String,
        /// The type of ours that means the same; absent when the code is not known.
        means: Option<String>,
        /// The other system's identifier of the event.
        foreign_id: Option<String>,
        /// When it happened, as the other system says.
        happened_at: Option<Timestamp>,
        /// How many certificates it names.
        named: u32,
        /// How many of these are in the inventory; they are among the targets.
        linked: u32,
        /// SHA-256 fingerprints, or serial numbers with issuers, of those that are not.
        unknown_certificates: Vec<String>,
        /// Size of the event as it came, in bytes.
        body_bytes: u64,
    }
    personal {
        /// What or why, in the other system's words.
        message,
        /// What it is about, in the other system's words.
        about,
        /// Address of the client there.
        client_address,
        /// The event as it came, where it has at most 32 KiB.
        body,
    }

    /// What a source sent could not be taken in.
    Refused {
        /// Name of the source.
        source: String,
        /// The dialect that the source speaks.
        system: Word,
        /// Size of what was sent, in bytes.
        body_bytes: u64,
        /// How many bodies of this source have been refused so far, this one included.
        refused: u64,
    }
    personal {
        /// What was wrong with it; may repeat what was sent.
        problem,
    }
}
