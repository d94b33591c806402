//! Statements of the embedded engine.

use super::Around;

pub(super) const EVENT_WORDS: Around = ("INSERT INTO event_text (rowid, words)", "");

/// A table without content is told what to take out of its index.
pub(super) const DELETE_EVENT_WORDS: Around = (
    "WITH word (id, words) AS (",
    ") INSERT INTO event_text (event_text, rowid, words) SELECT 'delete', id, words FROM word",
);

/// The certificate may be gone again by the end of the commit: then so are its words.
pub(super) const CERTIFICATE_WORDS: Around = (
    "WITH word (id, words) AS (",
    ") INSERT INTO certificate_text (rowid, words)
     SELECT c.number, word.words FROM word JOIN certificate c ON c.id = word.id",
);

pub(super) const DELETE_CERTIFICATE_WORDS: &str = "DELETE FROM certificate_text
     WHERE rowid IN (SELECT number FROM certificate WHERE id = $1)";

pub(super) const REMOVE_PENDING: &str = "DELETE FROM pending_event WHERE seq BETWEEN $1 AND $2";

#[cfg(any(test, feature = "faults"))]
pub(super) fn tampering(how: crate::Tampering) -> &'static str {
    use crate::Tampering::{
        AlteredPending, CopiedPending, EntryBehind, FirstHash, FirstTile, ForgedPending,
        NewestEntry, NewestRoot, NothingBehind, NothingPending, OddPending, ReplayedPending,
        SameTile,
    };
    match how {
        ForgedPending => {
            "INSERT INTO pending_event (event_id, recorded_at, entry) VALUES ('forged', 0, x'00')"
        }
        OddPending => {
            "INSERT INTO pending_event (event_id, recorded_at, entry) VALUES (x'ff', 'soon', 1)"
        }
        AlteredPending(what) => super::altered_pending(what),
        CopiedPending => super::COPIED_PENDING,
        ReplayedPending => super::REPLAYED_PENDING,
        EntryBehind => super::ENTRY_BEHIND,
        NothingBehind => "DELETE FROM event WHERE id = 'behind'",
        NothingPending => "DELETE FROM pending_event",
        NewestEntry => {
            "UPDATE event SET entry = x'7b7d'
             WHERE log_index = (SELECT MAX(log_index) FROM event)"
        }
        FirstHash => {
            "UPDATE log_tile SET hashes = CAST(zeroblob(32) || substr(hashes, 33) AS BLOB)
             WHERE level = 0 AND tile_index = 0"
        }
        FirstTile => "UPDATE log_tile SET level = 99 WHERE level = 0 AND tile_index = 0",
        SameTile => "UPDATE log_tile SET level = 0 WHERE level = 99",
        NewestRoot => {
            "UPDATE log_checkpoint SET root = zeroblob(32)
             WHERE size = (SELECT MAX(size) FROM log_checkpoint)"
        }
    }
}
