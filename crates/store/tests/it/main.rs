//! The store through its public surface, on a real database.

mod counts;
mod crash;
mod cursor;
mod growth;
mod insert;
mod inventory;
mod lease;
mod log;
mod moved;
mod notice;
mod order;
mod place;
#[cfg(debug_assertions)]
mod reading;
mod search;
mod server;
mod session;
mod sheets;
mod speed;
mod task;
mod upgrade;

use chancery_store::{Settings, Store};
use chancery_throwaway::{Backend, Database};

/// Where a store of a test is; gone with this value.
pub(crate) struct Place {
    pub(crate) dir: tempfile::TempDir,
    database: Option<Database>,
}

impl Place {
    /// An empty place on the engine that the test is to run on.
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = match Backend::current() {
            Backend::Embedded => None,
            Backend::Postgres => Some(database().await),
        };
        Self { dir, database }
    }

    pub(crate) fn settings(&self) -> Settings {
        match &self.database {
            None => Settings::embedded(self.dir.path()),
            Some(database) => Settings::postgres(database.url().parse().unwrap()),
        }
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.settings()).await.unwrap()
    }
}

/// A database with our schema.
pub(crate) async fn database() -> Database {
    static TEMPLATE: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    let template = "template_of_store";
    let made = TEMPLATE.get_or_init(|| async {
        chancery_throwaway::server().make(template, None);
        let settings =
            Settings::postgres(chancery_throwaway::server().url(template).parse().unwrap());
        Store::open(&settings).await.unwrap().close().await;
    });
    made.await;
    Database::like(template)
}

/// A store in a place of its own.
pub(crate) async fn store() -> (Place, Store) {
    let place = Place::new().await;
    let store = place.open().await;
    (place, store)
}
