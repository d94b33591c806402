//! The few statements that differ between the engines, one file for each engine.
//!
//! A statement belongs here only if no text does for both. See the rules in the crate's
//! documentation.

mod postgres;
mod sqlite;

use std::borrow::Cow;

use chancery_event::filter::Word;
use chancery_event::filter::words::fts5_query;

use crate::filter_sql::Dialect;
use crate::{Error, Tx, args};

/// Damage for tests that is the same on both engines.
#[cfg(any(test, feature = "faults"))]
const COPIED_PENDING: &str =
    "INSERT INTO pending_event (event_id, recorded_at, entry, salt, part, seal)
    SELECT event_id, recorded_at, entry, salt, part, seal FROM pending_event
    WHERE seq = (SELECT MAX(seq) FROM pending_event)";
#[cfg(any(test, feature = "faults"))]
fn altered_pending(what: crate::Altered) -> &'static str {
    use crate::Altered::{Entry, Identifier, NoPart, Part, Salt, Time};
    // The identifier of an event of this century begins with a zero.
    match what {
        Identifier => {
            "UPDATE pending_event SET event_id = replace(event_id, '0', '1')
             WHERE seq = (SELECT MAX(seq) FROM pending_event)"
        }
        Time => {
            "UPDATE pending_event SET recorded_at = recorded_at + 1
             WHERE seq = (SELECT MAX(seq) FROM pending_event)"
        }
        Entry => {
            "UPDATE pending_event SET entry = substr(entry, 1, length(entry) - 1)
             WHERE seq = (SELECT MAX(seq) FROM pending_event)"
        }
        // Other bytes, as many.
        Salt => {
            "UPDATE pending_event SET salt = seal
             WHERE seq = (SELECT MAX(seq) FROM pending_event) AND salt IS NOT NULL"
        }
        Part => {
            "UPDATE pending_event SET part = substr(part, 1, length(part) - 1)
             WHERE seq = (SELECT MAX(seq) FROM pending_event) AND part IS NOT NULL"
        }
        NoPart => {
            "UPDATE pending_event SET salt = NULL, part = NULL
             WHERE seq = (SELECT MAX(seq) FROM pending_event) AND part IS NOT NULL"
        }
    }
}
#[cfg(any(test, feature = "faults"))]
const REPLAYED_PENDING: &str =
    "INSERT INTO pending_event (event_id, recorded_at, entry, salt, part, seal)
    SELECT q.event_id, q.recorded_at, q.entry, e.salt, e.part, q.seal FROM quarantined_event q
    JOIN event e ON e.id = q.event_id LIMIT 1";
#[cfg(any(test, feature = "faults"))]
const ENTRY_BEHIND: &str = "INSERT INTO event (log_index, id, type, severity, result, origin, time,
    sealed_at, actor_kind, node, entry)
    SELECT (SELECT size FROM log_state), 'behind', type, severity, result, origin, time,
    sealed_at, actor_kind, node, entry FROM event WHERE log_index = 0";

/// What stands before and behind the rows of [`crate::Tx::insert_many`].
pub(crate) type Around = (&'static str, &'static str);

impl Dialect {
    /// Inserts words of events: rows of log index and words, the words from [`Self::stored_words`].
    pub(crate) fn event_words(self) -> Around {
        match self {
            Self::Sqlite => sqlite::EVENT_WORDS,
            Self::Postgres => postgres::EVENT_WORDS,
        }
    }

    /// Takes words of events out of the text index: rows of log index and words, the very words
    /// that were put in.
    pub(crate) fn delete_event_words(self) -> Around {
        match self {
            Self::Sqlite => sqlite::DELETE_EVENT_WORDS,
            Self::Postgres => postgres::DELETE_EVENT_WORDS,
        }
    }

    /// Inserts words of certificates: rows of identifier and words.
    pub(crate) fn certificate_words(self) -> Around {
        match self {
            Self::Sqlite => sqlite::CERTIFICATE_WORDS,
            Self::Postgres => postgres::CERTIFICATE_WORDS,
        }
    }

    /// Deletes the words of the certificate with the identifier `$1`.
    pub(crate) fn delete_certificate_words(self) -> &'static str {
        match self {
            Self::Sqlite => sqlite::DELETE_CERTIFICATE_WORDS,
            Self::Postgres => postgres::DELETE_CERTIFICATE_WORDS,
        }
    }

    /// A text as its words are handed to the text index.
    pub(crate) fn stored_words(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Sqlite => Cow::Borrowed(text),
            Self::Postgres => Cow::Owned(postgres::stored_words(text)),
        }
    }

    /// The question after words, as an argument of [`Self::has_words`].
    pub(crate) fn word_query(self, words: &[Word]) -> String {
        match self {
            Self::Sqlite => fts5_query(words),
            Self::Postgres => postgres::word_query(words),
        }
    }

    /// A condition on a text table: its row has the words asked for by the argument at `place`.
    pub(crate) fn has_words(self, table: &str, place: &str) -> String {
        match self {
            Self::Sqlite => format!("{table} MATCH {place}"),
            Self::Postgres => format!("{table}.words @@ CAST({place} AS tsquery)"),
        }
    }

    /// The same of each row for itself, never by the index of words: that one of a server answers
    /// with all rows of the table before the first can be looked at.
    pub(crate) fn each_has_words(self, table: &str, place: &str) -> String {
        match self {
            Self::Sqlite => self.has_words(table, place),
            Self::Postgres => format!("ts_match_vq({table}.words, CAST({place} AS tsquery))"),
        }
    }

    /// The column of a text table that names what the words are of.
    pub(crate) fn words_of(self, table: &str) -> String {
        match self {
            Self::Sqlite => format!("{table}.rowid"),
            Self::Postgres => format!("{table}.id"),
        }
    }

    /// A condition that `column` has one of the few values that a question answers. The planner of
    /// a server takes such a question for one of many rows, and would read the whole table.
    pub(crate) fn among_few(self, column: &str, question: &str) -> String {
        match self {
            Self::Sqlite => format!("{column} IN ({question})"),
            Self::Postgres => format!("{column} = ANY (ARRAY({question}))"),
        }
    }

    /// Rows of `outer`, each with the rows of a table, `e`, that fit it, `max` at most. They are
    /// looked for one after the other: no planner is to read the table for all of them at once.
    pub(crate) fn each_with(self, outer: &str, table: &str, fits: &str, max: u64) -> String {
        match self {
            Self::Sqlite => format!("{outer} CROSS JOIN {table} AS e WHERE {fits}"),
            Self::Postgres => format!(
                "{outer} CROSS JOIN LATERAL (
                     SELECT * FROM {table} AS e WHERE {fits} LIMIT {max}) AS e"
            ),
        }
    }

    /// What a statement that takes rows for itself ends in: rows that another transaction is about
    /// to take are left to it.
    pub(crate) fn leaving_taken(self) -> &'static str {
        match self {
            // There is one writer.
            Self::Sqlite => "",
            Self::Postgres => "FOR UPDATE SKIP LOCKED",
        }
    }

    /// What a statement ends in whose rows nobody may change until the transaction has ended.
    pub(crate) fn sharing(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => "FOR SHARE",
        }
    }

    /// What is stored where a text is to be stored.
    pub(crate) fn storable(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Postgres if text.contains('\0') => {
                Cow::Owned(crate::backend::postgres::storable(text.to_owned()))
            }
            _ => Cow::Borrowed(text),
        }
    }

    /// Damage for tests.
    #[cfg(any(test, feature = "faults"))]
    pub(crate) fn tampering(self, how: crate::Tampering) -> &'static str {
        match self {
            Self::Sqlite => sqlite::tampering(how),
            Self::Postgres => postgres::tampering(how),
        }
    }
}

impl Tx {
    /// Removes pending rows and no others; answers how many were there.
    pub(crate) async fn remove_pending(
        &mut self,
        seqs: impl Iterator<Item = i64> + Clone,
    ) -> Result<u64, Error> {
        let (Some(first), Some(last)) = (seqs.clone().min(), seqs.clone().max()) else {
            return Ok(0);
        };
        match self.dialect() {
            // Rows were read in order of arrival without a gap that is not quarantined by now, and
            // with one writer no row arrives behind another.
            Dialect::Sqlite => self.execute(sqlite::REMOVE_PENDING, args![first, last]).await,
            // A row with a lower number may be committed later: it must stay.
            Dialect::Postgres => {
                let (head, tail) = postgres::REMOVE_PENDING;
                self.link.insert_rows(head, tail, seqs.map(|seq| args![seq]).collect()).await
            }
        }
    }
}
