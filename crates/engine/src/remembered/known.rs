//! What this process knows was sealed, and whether the database still has it.
//!
//! A database may lose its end under running nodes: a standby that lagged is promoted, somebody
//! puts an older copy back. The log that goes on there is another one. So the newest checkpoint is
//! kept in memory, and nothing is signed, nor written down as the newest, that does not continue
//! it. A node that finds a loss stays stopped until the right database is back or the loss is
//! recorded and the node started again: what it holds in memory belongs to the lost log.

use std::sync::Mutex;

use chancery_seal::Hash;
use chancery_store::{Link, log};

use super::{Losses, losses};
use crate::Error;
use crate::sealer::halt::{self, Halt};
use crate::sealer::stored_edge;

/// What this process knows, shared by the sealer and by who writes it down.
#[derive(Debug, Default)]
pub(crate) struct Known {
    memory: Mutex<Memory>,
    unknown_loss: Option<u64>,
}

#[derive(Debug, Default)]
struct Memory {
    newest: Option<log::Checkpoint>,
    missing: Option<Missing>,
    halt: Option<Halt>,
}

/// That the database lacks what was sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// The newest checkpoint that is known: size and root.
    pub(crate) known: (u64, Hash),
    /// Sealed entries that the database has.
    pub(crate) found: u64,
    /// This node knows it by itself, not by another one's notice.
    pub(crate) own: bool,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let who = if self.own { "this node" } else { "another node" };
        write!(
            f,
            "the log in the database has {} sealed entries and is not the one of which {who} knows {}: an older copy of the database, or a standby that lacked the end, has taken its place. Nothing is sealed meanwhile. Bring the right database back; or stop every node and run chancery restore --in-place, which says what is lost, records it and lets the log go on",
            self.found, self.known.0
        )
    }
}

impl Known {
    /// From the database, after it was compared with what was written down.
    pub(crate) async fn of(link: &mut Link, unknown_loss: Option<u64>) -> Result<Self, Error> {
        let known = Self { unknown_loss, ..Self::default() };
        known.look(link).await?;
        Ok(known)
    }

    /// The size of the log at the start, if it was a copy of which nobody could tell what it lacks.
    pub(crate) fn unknown_loss(&self) -> Option<u64> {
        self.unknown_loss
    }

    /// The newest checkpoint: size and root.
    pub(crate) fn newest(&self) -> Option<(u64, Hash)> {
        let memory = self.memory.lock().ok()?;
        memory.newest.as_ref().map(|newest| (newest.size, newest.root))
    }

    /// The newest checkpoint as it was signed.
    pub(crate) fn checkpoint(&self) -> Option<log::Checkpoint> {
        self.memory.lock().ok()?.newest.clone()
    }

    /// A checkpoint that continues what is known was committed.
    pub(crate) fn learn(&self, newest: &log::Checkpoint) {
        if let Ok(mut memory) = self.memory.lock()
            && memory.newest.as_ref().is_none_or(|known| known.size < newest.size)
        {
            memory.newest = Some(newest.clone());
        }
    }

    /// What the last look found missing.
    pub(crate) fn missing(&self) -> Option<Missing> {
        self.memory.lock().ok()?.missing.clone()
    }

    /// The notice that the last look found.
    pub(crate) fn halt(&self) -> Option<Halt> {
        self.memory.lock().ok()?.halt.clone()
    }

    /// There is a notice now.
    pub(crate) fn halted(&self, halt: &Halt) {
        if let Ok(mut memory) = self.memory.lock() {
            memory.halt.get_or_insert_with(|| halt.clone());
        }
    }

    /// The notice was taken away.
    pub(crate) fn no_halt(&self) {
        if let Ok(mut memory) = self.memory.lock() {
            memory.halt = None;
        }
    }

    /// What is missing from a log with this many sealed entries, if that can be told cheaply, or if
    /// another node has sealed since.
    pub(crate) async fn lacks(
        &self,
        link: &mut Link,
        signed_size: u64,
    ) -> Result<Option<Missing>, Error> {
        if let Some(missing) = self.missing() {
            return Ok(Some(missing));
        }
        match self.newest() {
            Some(known) if known.0 != signed_size => missing(link, known, true).await,
            _ => Ok(None),
        }
    }

    /// What is missing from a log whose root over `size` entries is this.
    pub(crate) fn lacks_root(&self, size: u64, root: &Hash) -> Option<Missing> {
        let known = self.newest()?;
        let other = known.0 > size || known.0 == size && known.1 != *root;
        other.then_some(Missing { known, found: size, own: true })
    }

    /// Compares the database with what is known, and learns what continues it.
    pub(crate) async fn look(&self, link: &mut Link) -> Result<(), Error> {
        let newest = log::checkpoint(link).await?;
        let halt = halt::find(link).await?;
        let mut lost = match (self.newest(), &newest) {
            (Some(known), Some(newest)) if (newest.size, newest.root) == known => None,
            (Some(known), _) => missing(link, known, true).await?,
            (None, _) => None,
        };
        if lost.is_none()
            && let Some((size, root)) = halt.as_ref().and_then(Halt::known)
            && !losses(link).await?.excuse(size, &root, &Losses::default())
        {
            lost = missing(link, (size, root), false).await?;
        }
        if let Some(newest) = newest.filter(|_| lost.as_ref().is_none_or(|lost| !lost.own)) {
            self.learn(&newest);
        }
        if let Ok(mut memory) = self.memory.lock() {
            memory.missing = lost;
            memory.halt = halt;
        }
        Ok(())
    }
}

async fn missing(link: &mut Link, known: (u64, Hash), own: bool) -> Result<Option<Missing>, Error> {
    let found = log::state(link).await?.signed_size;
    let holds = known.0 <= found && stored_edge(link, known.0).await?.root() == known.1;
    Ok((!holds).then_some(Missing { known, found, own }))
}
