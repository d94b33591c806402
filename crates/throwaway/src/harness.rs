//! The same test on each engine.
//!
//! A test names itself to [`crate::on_each_backend!`] and asks, where it opens its store, which
//! [`Backend`] is meant. The answer belongs to the thread of the test.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};

use crate::{Server, server};

/// Which engine a test is to run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The embedded one.
    Embedded,
    /// A PostgreSQL server.
    Postgres,
}

thread_local! {
    static BACKEND: Cell<Backend> = Cell::new(Backend::wanted());
    static DATABASES: RefCell<HashMap<PathBuf, Database>> = RefCell::default();
}

/// Names the engine of tests that do not say which they want: `postgres`.
pub const WANTED: &str = "CHANCERY_TEST_BACKEND";

impl Backend {
    /// What the environment asks for.
    fn wanted() -> Self {
        match std::env::var(WANTED).as_deref() {
            Ok("postgres") => Self::Postgres,
            Ok(other) if other != "embedded" => panic!("{WANTED} is postgres or embedded: {other}"),
            _ => Self::Embedded,
        }
    }

    /// The engine that the test of this thread is to run on.
    pub fn current() -> Self {
        BACKEND.get()
    }
}

/// A database that is dropped with this value.
pub struct Database {
    server: &'static Server,
    name: String,
}

impl Database {
    /// A copy of the database `template` on the server of this process.
    pub fn like(template: &str) -> Self {
        Self { server: server(), name: server().database(Some(template)) }
    }

    /// Its address.
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.server.remove(&self.name);
    }
}

/// The address of the database that belongs to a directory, the same whenever it is asked for;
/// `None` where the test is to run on the embedded engine. It is dropped with the test's thread.
pub fn database_of(dir: &Path) -> Option<String> {
    if Backend::current() == Backend::Embedded {
        return None;
    }
    DATABASES.with_borrow_mut(|databases| {
        let database =
            databases.entry(dir.to_owned()).or_insert_with(|| Database::like("template0"));
        Some(database.url())
    })
}

/// Runs a test on one engine, on a runtime of its own with one thread, or several.
///
/// # Panics
/// If the test does.
pub fn run(backend: Backend, threads: usize, test: impl Future<Output = ()>) {
    let mut runtime = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    BACKEND.set(backend);
    runtime.worker_threads(threads).enable_all().build().unwrap().block_on(test);
}

/// Makes one test for each engine from the asynchronous function named:
/// `on_each_backend!(what_it_shows);`, or with several threads,
/// `on_each_backend!(what_it_shows, 2);`.
#[macro_export]
macro_rules! on_each_backend {
    ($test:ident) => {
        $crate::on_each_backend!($test, 1);
    };
    ($test:ident, $threads:literal) => {
        mod $test {
            #[test]
            fn embedded() {
                $crate::run($crate::Backend::Embedded, $threads, super::$test());
            }

            #[test]
            fn postgres() {
                $crate::run($crate::Backend::Postgres, $threads, super::$test());
            }
        }
    };
}
