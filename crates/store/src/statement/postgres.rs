//! Statements of PostgreSQL.
//!
//! Words are split by our own tokenizer, not by a text search configuration of the server: the same
//! words are found on both engines, and no server's dictionary changes that.

use std::collections::BTreeSet;

use chancery_event::filter::Word;
use chancery_event::filter::words::tokens;

use super::Around;
use crate::backend::postgres::storable;

/// Bytes of a word that are told apart; the server takes no longer ones.
const WORD_MAX: usize = 2_046;

pub(super) const EVENT_WORDS: Around = (
    "WITH word (id, words) AS (",
    ") INSERT INTO event_text (id, words)
     SELECT id, array_to_tsvector(string_to_array(words, ' ')) FROM word",
);

pub(super) const DELETE_EVENT_WORDS: Around = (
    "WITH word (id, words) AS (",
    ") DELETE FROM event_text USING word WHERE event_text.id = word.id",
);

/// The certificate may be gone again by the end of the commit: then so are its words.
pub(super) const CERTIFICATE_WORDS: Around = (
    "WITH word (id, words) AS (",
    ") INSERT INTO certificate_text (id, words)
     SELECT c.number, array_to_tsvector(string_to_array(word.words, ' '))
     FROM word JOIN certificate c ON c.id = word.id",
);

pub(super) const DELETE_CERTIFICATE_WORDS: &str = "DELETE FROM certificate_text
     WHERE id IN (SELECT number FROM certificate WHERE id = $1)";

pub(super) const REMOVE_PENDING: Around = (
    "WITH gone (seq) AS (",
    ") DELETE FROM pending_event USING gone WHERE pending_event.seq = gone.seq",
);

fn cut(word: &str) -> &str {
    if word.len() <= WORD_MAX {
        return word;
    }
    let end = (0..=WORD_MAX).rev().find(|at| word.is_char_boundary(*at)).unwrap_or(0);
    &word[..end]
}

/// The words of a text, each once, with spaces between.
pub(super) fn stored_words(text: &str) -> String {
    let words: BTreeSet<String> = tokens(text).map(|word| cut(word).to_ascii_lowercase()).collect();
    words.into_iter().collect::<Vec<_>>().join(" ")
}

/// The question after words as a `tsquery` is written.
pub(super) fn word_query(words: &[Word]) -> String {
    let quoted = words.iter().map(|word| {
        let token = storable(cut(&word.token).replace('\\', "\\\\").replace('\'', "''"));
        let star = if word.prefix { ":*" } else { "" };
        format!("'{token}'{star}")
    });
    quoted.collect::<Vec<_>>().join(" & ")
}

#[cfg(any(test, feature = "faults"))]
pub(super) fn tampering(how: crate::Tampering) -> &'static str {
    use crate::Tampering::{
        AlteredPending, CopiedPending, EntryBehind, FirstHash, FirstTile, ForgedPending,
        NewestEntry, NewestRoot, NothingBehind, NothingPending, OddPending, ReplayedPending,
        SameTile,
    };
    match how {
        ForgedPending => {
            "INSERT INTO pending_event (event_id, recorded_at, entry)
             VALUES ('forged', 0, '\\x00'::bytea)"
        }
        // Its columns take nothing else.
        OddPending => {
            "INSERT INTO pending_event (event_id, recorded_at, entry)
             VALUES ('odd', 0, '\\x00'::bytea)"
        }
        AlteredPending(what) => super::altered_pending(what),
        CopiedPending => super::COPIED_PENDING,
        ReplayedPending => super::REPLAYED_PENDING,
        EntryBehind => super::ENTRY_BEHIND,
        NothingBehind => "DELETE FROM event WHERE id = 'behind'",
        NothingPending => "DELETE FROM pending_event",
        NewestEntry => {
            "UPDATE event SET entry = '\\x7b7d'::bytea
             WHERE log_index = (SELECT MAX(log_index) FROM event)"
        }
        FirstHash => {
            "UPDATE log_tile SET hashes = decode(repeat('00', 32), 'hex') || substr(hashes, 33)
             WHERE level = 0 AND tile_index = 0"
        }
        FirstTile => "UPDATE log_tile SET level = 99 WHERE level = 0 AND tile_index = 0",
        SameTile => "UPDATE log_tile SET level = 0 WHERE level = 99",
        NewestRoot => {
            "UPDATE log_checkpoint SET root = decode(repeat('00', 32), 'hex')
             WHERE size = (SELECT MAX(size) FROM log_checkpoint)"
        }
    }
}
