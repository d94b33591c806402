//! The connections that read: some at most, opened when first needed, lent one at a time.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection::Connection;
use crate::Error;

/// How long to wait for one that is free.
const PATIENCE: Duration = Duration::from_secs(10);

/// All of them.
pub(crate) struct Readers {
    file: PathBuf,
    most: u32,
    free: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

/// One that is lent; it goes back when it is dropped.
pub(crate) struct Lent {
    /// `None` only while it is being dropped.
    connection: Option<Connection>,
    from: Arc<Readers>,
    _permit: OwnedSemaphorePermit,
}

impl Readers {
    pub(crate) fn new(file: PathBuf, most: u32) -> Self {
        let most = most.max(1);
        let free = Arc::new(Semaphore::new(most as usize));
        Self { file, most, free, idle: Mutex::default() }
    }

    /// Lends a connection.
    ///
    /// # Errors
    /// None came free in time, or the file cannot be opened.
    pub(crate) async fn lend(self: &Arc<Self>) -> Result<Lent, Error> {
        let permit = match self.free.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(tokio::sync::TryAcquireError::Closed) => return Err(Error::Closed),
            Err(tokio::sync::TryAcquireError::NoPermits) => self.wait().await?,
        };
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => super::open_reader(&self.file)?,
        };
        Ok(Lent { connection: Some(connection), from: self.clone(), _permit: permit })
    }

    async fn wait(&self) -> Result<OwnedSemaphorePermit, Error> {
        match tokio::time::timeout(PATIENCE, self.free.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(Error::Closed),
            Err(_) => {
                let what = format!("no connection came free within {} s", PATIENCE.as_secs());
                Err(Error::Unavailable(what))
            }
        }
    }

    /// Closes all, once those that are lent are back.
    pub(crate) async fn close(&self) {
        if let Ok(all) = self.free.acquire_many(self.most).await {
            self.free.close();
            drop(all);
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Lent {
    /// The connection.
    pub(crate) fn connection(&mut self) -> Result<&mut Connection, Error> {
        self.connection.as_mut().ok_or(Error::Closed)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // One that was left in a transaction would keep an old view of the data, and the log of
        // the database from being cut.
        if let Some(mut connection) = self.connection.take()
            && connection.is_between_transactions()
        {
            self.from.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}
