//! How much room there is on the disc: a parameter, so that tests can bring about that there is
//! none.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Bytes that are free, and bytes in all, where a directory is.
pub type Space = (u64, u64);

type Ask = dyn Fn(&Path) -> Option<Space> + Send + Sync;

/// What says how much room a directory has.
#[derive(Clone)]
pub struct Room(Arc<Ask>);

impl Room {
    /// One that answers as `ask` does; `None`: it cannot be said.
    pub fn new(ask: impl Fn(&Path) -> Option<Space> + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    /// The room where a directory is.
    pub(crate) fn of(&self, directory: &Path) -> Option<Space> {
        (self.0)(directory)
    }
}

impl Default for Room {
    /// What the operating system says.
    fn default() -> Self {
        Self::new(|directory| {
            let found = rustix::fs::statvfs(directory).ok()?;
            Some((found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize))
        })
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Room")
    }
}
