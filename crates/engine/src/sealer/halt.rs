//! The notice that sealing has stopped, for all nodes of a database: who found it, and why.
//!
//! Only the node that seals, or one that knows more of the log than the database has, sees that
//! something is wrong. The notice is a row, so that every node tells the same, and so that no node
//! that knows less goes on where another one knows that the log lacks its end. Whoever seals again
//! takes it away, and so does the record of a loss (`restore --in-place`).

use chancery_event::Timestamp;
use chancery_seal::Hash;
use chancery_store::table::setting;
use chancery_store::{Link, Tx};
use serde::{Deserialize, Serialize};

/// Name of the setting.
const NAME: &str = "log.stopped";

/// That sealing has stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Halt {
    /// The node that found it.
    pub(crate) node: String,
    /// When, in microseconds, by its clock.
    pub(crate) at: i64,
    /// Why: a word, as the event has it.
    pub(crate) stopped_by: String,
    /// Why, for people.
    pub(crate) why: String,
    /// The newest checkpoint that node knows, if the database lacks what it covers: its size.
    known_size: Option<u64>,
    /// Its root, as checkpoints write it.
    known_root: Option<String>,
}

impl Halt {
    pub(crate) fn new(
        node: String,
        at: Timestamp,
        (stopped_by, why): (&str, String),
        known: Option<(u64, Hash)>,
    ) -> Self {
        let known_size = known.map(|(size, _)| size);
        let known_root = known.map(|(_, root)| root.to_string());
        let stopped_by = stopped_by.to_owned();
        Self { node, at: at.micros(), stopped_by, why, known_size, known_root }
    }

    /// One sentence, for people.
    pub(crate) fn told(&self) -> String {
        format!("{} (found by the node {})", self.why, self.node)
    }

    /// What was sealed and the database lacks.
    pub(crate) fn known(&self) -> Option<(u64, Hash)> {
        Some((self.known_size?, self.known_root.as_ref()?.parse().ok()?))
    }
}

/// The notice, if there is one.
pub(crate) async fn find(link: &mut Link) -> Result<Option<Halt>, chancery_store::Error> {
    let found = setting::find(link, NAME).await?;
    let damaged = |error| chancery_store::Error::Damaged(format!("the setting {NAME}: {error}"));
    found.map(|text| serde_json::from_str(&text).map_err(damaged)).transpose()
}

/// Puts a notice up. False: there is one that says the same, or that the log lost its end, which
/// stays.
pub(crate) async fn put(tx: &mut Tx, halt: &Halt) -> Result<bool, chancery_store::Error> {
    let found = find(tx).await?;
    if found.is_some_and(|found| found.stopped_by == halt.stopped_by || found.known_size.is_some())
    {
        return Ok(false);
    }
    let text = serde_json::to_string(halt)
        .map_err(|error| chancery_store::Error::Damaged(error.to_string()))?;
    setting::put(tx, NAME, &text).await.map(|()| true)
}

/// Takes the notice away.
pub(crate) async fn remove(tx: &mut Tx) -> Result<(), chancery_store::Error> {
    setting::remove(tx, NAME).await
}
