//! A check of debug builds, and so of every test: a task must have given back the connections that
//! it read with before it waits for a commit.
//!
//! They are few. While one is kept until a commit is done, everybody else waits for the disc as
//! well: as many requests are answered at a time as there are connections.

#[cfg(debug_assertions)]
mod check {
    use std::collections::HashMap;
    use std::sync::{Mutex, PoisonError};

    use tokio::task::Id;

    /// How many connections each task has.
    static READING: Mutex<Option<HashMap<Id, u32>>> = Mutex::new(None);

    fn with<T>(seen: impl FnOnce(&mut HashMap<Id, u32>) -> T) -> T {
        seen(READING.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default())
    }

    /// That a task has a connection for reading; ends when it is dropped.
    pub(crate) struct Reading(Option<Id>);

    impl Reading {
        pub(crate) fn begin() -> Self {
            let task = tokio::task::try_id();
            if let Some(task) = task {
                with(|tasks| *tasks.entry(task).or_default() += 1);
            }
            Self(task)
        }
    }

    impl Drop for Reading {
        fn drop(&mut self) {
            let Some(task) = self.0 else { return };
            with(|tasks| {
                if let Some(count) = tasks.get_mut(&task) {
                    *count -= 1;
                    if *count == 0 {
                        tasks.remove(&task);
                    }
                }
            });
        }
    }

    /// Panics if this task has a connection for reading.
    pub(crate) fn none(what: &str) {
        let reads =
            tokio::task::try_id().is_some_and(|task| with(|tasks| tasks.contains_key(&task)));
        assert!(!reads, "{what}: this task has kept a connection for reading");
    }
}

#[cfg(not(debug_assertions))]
mod check {
    pub(crate) struct Reading;

    impl Reading {
        pub(crate) fn begin() -> Self {
            Self
        }
    }

    pub(crate) fn none(_what: &str) {}
}

pub(crate) use check::{Reading, none};
