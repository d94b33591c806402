//! The operation guard (invariants 1, 2 and 6): every attempted operation ends in exactly one
//! completion event, whatever path it leaves by.
//!
//! [`Operation::run`] does the work and records the success in one transaction. If the work or its
//! commit fails, the failure is recorded in a transaction of its own before the caller is answered;
//! if even that cannot be recorded, the operation has not happened and the caller is told so. Where
//! what became of the commit is not known, that transaction looks first: an operation that has
//! happened did not fail. An operation that is dropped without having been run records that it was
//! abandoned. The work runs in a task of its own: a caller that goes away does not cut it in half.

use std::sync::{Arc, Mutex};

use chancery_event::catalogue::{EventType, Payload};
use chancery_event::id::EventId;
use chancery_event::{Outcome, Target, Verdict};
use chancery_store::{Store, Tx, log};
use futures::future::BoxFuture;

use crate::scribe::{Desk, Draft, Scribe};
use crate::{Context, Error, Permission};

/// What a successful operation answers and records.
pub(crate) struct Done<T> {
    pub(crate) value: T,
    pub(crate) draft: Draft,
}

/// An operation that has begun and must end.
#[must_use = "an operation that is not run records that it was abandoned"]
pub(crate) struct Operation {
    store: Store,
    scribe: Scribe,
    id: EventId,
    /// What is recorded if the operation does not succeed.
    attempt: Option<Draft>,
    permission: Permission,
}

impl Operation {
    /// Begins an operation. `attempt` says what was tried, for the event of a failure.
    pub(crate) fn begin<P: Payload>(
        store: &Store,
        desk: &Arc<Desk>,
        context: &Context,
        permission: Permission,
        attempt: &P,
    ) -> Result<Self, Error> {
        let id: EventId = desk.environment.id();
        let draft = Draft::new(attempt)?;
        let scribe = Scribe { desk: desk.clone(), context: context.clone(), operation: Some(id) };
        Ok(Self { store: store.clone(), scribe, id, attempt: Some(draft), permission })
    }

    /// The operation's own event, which is recorded when it ends.
    pub(crate) fn event(&self) -> EventId {
        self.id
    }

    /// Says anew what was tried, for the event of a failure: how far it has come meanwhile.
    pub(crate) fn came_to<P: Payload>(&mut self, attempt: &P) {
        if let Some(kept) = &mut self.attempt {
            kept.detail = attempt.detail();
        }
    }

    /// Names an object that the operation is about, for the event of a failure.
    pub(crate) fn about(mut self, target: Target) -> Self {
        if let Some(attempt) = self.attempt.take() {
            self.attempt = Some(attempt.target(target));
        }
        self
    }

    /// Does the work, and records how it ended, in one transaction if it ended well.
    ///
    /// # Errors
    /// What the work answers; or that nothing could be written.
    pub(crate) async fn run<T, F>(self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'a> Fn(&'a mut Tx, &'a Scribe) -> BoxFuture<'a, Result<Done<T>, Error>>
            + Send
            + Sync
            + 'static,
    {
        self.store.expect_not_reading("an operation");
        let task = tokio::spawn(self.run_to_the_end(work));
        task.await.map_err(|error| Error::Internal(format!("operation: {error}")))?
    }

    async fn run_to_the_end<T, F>(mut self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'a> Fn(&'a mut Tx, &'a Scribe) -> BoxFuture<'a, Result<Done<T>, Error>>
            + Send
            + Sync
            + 'static,
    {
        if let Err(error) = self.scribe.context.require(self.permission) {
            return Err(self.fail(error).await);
        }
        let Some(attempt) = &self.attempt else {
            return Err(Error::Internal("an operation ends once".to_owned()));
        };
        let (name, id) = (attempt.event_type.name(), self.id);
        let work = Arc::new(work);
        let scribe = Arc::new(self.scribe.clone());
        let answer = Arc::new(Mutex::new(None));
        let kept = answer.clone();
        let result = self
            .store
            .transaction(name, move |tx: &mut Tx| {
                let (work, scribe, kept) = (work.clone(), scribe.clone(), kept.clone());
                Box::pin(async move {
                    let done = work(tx, &scribe).await?;
                    tx.record(scribe.completion(id, done.draft)?);
                    if let Ok(mut kept) = kept.lock() {
                        *kept = Some(done.value);
                    }
                    Ok::<(), Error>(())
                })
            })
            .await;
        let error = match result {
            Ok(()) => None,
            Err(error) => {
                if error.is_transient() {
                    let at = self.scribe.now();
                    self.scribe.desk.health.refuses_writes(at, error.to_string());
                }
                let nothing: Arc<Note> = Arc::new(|_, _, _| Box::pin(async { Ok(()) }));
                match self.end(&error, nothing).await {
                    Ended::Well => None,
                    Ended::Failed => Some(error),
                }
            }
        };
        if let Some(error) = error {
            return Err(error);
        }
        self.attempt = None;
        self.scribe.desk.health.takes_writes();
        let value = answer.lock().ok().and_then(|mut answer| answer.take());
        value.ok_or_else(|| Error::Internal("an operation without an answer".to_owned()))
    }

    /// Records that the operation failed, and hands the error back.
    pub(crate) async fn fail(self, error: Error) -> Error {
        self.fail_noting(error, |_, _, _| Box::pin(async { Ok(()) })).await
    }

    /// As [`Operation::fail`]; `note` writes what belongs to the failure into its transaction. It
    /// gets the operation's own event.
    pub(crate) async fn fail_noting<F>(mut self, error: Error, note: F) -> Error
    where
        F: for<'a> Fn(&'a mut Tx, &'a Scribe, EventId) -> BoxFuture<'a, Result<(), Error>>
            + Send
            + Sync
            + 'static,
    {
        self.end(&error, Arc::new(note)).await;
        error
    }

    /// Records the failure; or finds that the operation has happened.
    async fn end(&mut self, error: &Error, note: Arc<Note>) -> Ended {
        let Some(attempt) = self.attempt.take() else { return Ended::Failed };
        let attempt = failed(attempt, error);
        let doubt = error.leaves_doubt();
        record_end(&self.store, &self.scribe, self.id, attempt, note, doubt).await
    }
}

/// What was tried, ended by an error. A message that repeats what somebody typed goes into the
/// personal part.
pub(crate) fn failed(mut attempt: Draft, error: &Error) -> Draft {
    let verdict = match error {
        Error::Forbidden { .. } | Error::Unauthenticated | Error::ConfirmationDue => Verdict::Deny,
        Error::RateLimited { .. } => Verdict::RateLimit,
        _ => Verdict::Failure,
    };
    let message = if error.quotes_input() {
        attempt.personal.insert("message".to_owned(), error.to_string().into());
        None
    } else {
        Some(error.to_string())
    };
    attempt.outcome(Outcome { result: verdict, reason: Some(error.reason().into()), message })
}

impl Drop for Operation {
    fn drop(&mut self) {
        let Some(attempt) = self.attempt.take() else { return };
        let outcome = Outcome {
            result: Verdict::Abandoned,
            reason: Some("abandoned".into()),
            message: Some("the operation ended without a result".to_owned()),
        };
        let (store, scribe, id) = (self.store.clone(), self.scribe.clone(), self.id);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let nothing: Arc<Note> = Arc::new(|_, _, _| Box::pin(async { Ok(()) }));
                record_end(&store, &scribe, id, attempt.outcome(outcome), nothing, false).await;
            });
        }
    }
}

/// Writes what belongs to a failure.
type Note = dyn for<'a> Fn(&'a mut Tx, &'a Scribe, EventId) -> BoxFuture<'a, Result<(), Error>>
    + Send
    + Sync;

/// How an operation ended whose success was not answered.
#[derive(Clone, Copy, PartialEq)]
enum Ended {
    /// It has happened: its event is there.
    Well,
    Failed,
}

/// Records the end of an operation that changed nothing, unless there is a doubt and its event is
/// there. If that cannot be recorded either, nothing has happened, and the log of the process says
/// why.
async fn record_end(
    store: &Store,
    scribe: &Scribe,
    id: EventId,
    draft: Draft,
    note: Arc<Note>,
    doubt: bool,
) -> Ended {
    let name: EventType = draft.event_type;
    let recorded = match scribe.completion(id, draft) {
        Ok(recorded) => recorded,
        Err(error) => {
            tracing::error!(operation = name.name(), %error, "the end of an operation has no event");
            return Ended::Failed;
        }
    };
    let scribe = scribe.clone();
    let written = store
        .transaction("operation.end", move |tx: &mut Tx| {
            let (recorded, scribe, note) = (recorded.clone(), scribe.clone(), note.clone());
            Box::pin(async move {
                if doubt && log::is_recorded(tx, id).await? {
                    return Ok(Ended::Well);
                }
                note(tx, &scribe, id).await?;
                tx.record(recorded);
                Ok::<Ended, Error>(Ended::Failed)
            })
        })
        .await;
    written.unwrap_or_else(|error| {
        tracing::error!(operation = name.name(), %error, "the end of an operation was not recorded");
        Ended::Failed
    })
}

#[cfg(test)]
mod tests;
