//! The store through its public surface, on a real database.

mod cursor;
mod insert;
mod inventory;
mod lease;
mod log;
mod place;
mod search;
mod speed;

use chancery_store::{Settings, Store};

/// A store in a directory of its own.
pub(crate) async fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&Settings::embedded(dir.path())).await.unwrap();
    (dir, store)
}
