//! Who of several nodes does what only one may do: takes a lease, keeps it alive, notices its loss.
//!
//! On the embedded engine there is no other node, and nothing here asks the store.
//!
//! A node that is frozen past its lease does not notice. So what must not be done by two is fenced
//! in its own transaction: the sealer's and the validator's by the lease (`lease::keep`), the
//! projector's and the dispatcher's by the cursor that they move, the agenda's by the task that
//! they claim. Nothing is done under a lease beside the store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_store::table::lease::{self, Seen, Tenure};
use chancery_store::{Lane, Store, Tx};

use crate::Error;

/// How often a holder shows that it lives at least, if nothing else it does shows it.
const BEAT_MAX: Duration = Duration::from_secs(1);

/// How long a node leaves a lease to others that it gave back because it cannot do the work: longer
/// than any of them sleeps between two looks.
const REST: Duration = Duration::from_secs(5);

/// What a node may do now.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    /// There is no other node.
    Alone,
    /// It holds the lease.
    Holder(Arc<Tenure>),
    /// Another node does.
    Other,
}

impl Standing {
    /// Fences a transaction under the lease; to be called in it.
    pub(crate) async fn keep(&self, tx: &mut Tx) -> Result<(), chancery_store::Error> {
        match self {
            Self::Alone => Ok(()),
            Self::Holder(tenure) => lease::keep(tx, tenure).await,
            Self::Other => Err(chancery_store::Error::Conflict("the lease")),
        }
    }
}

/// One lease, from the point of view of one node.
pub(crate) struct Keeper {
    store: Store,
    name: &'static str,
    node: String,
    /// A lease whose beat has stood still for so long is taken over.
    patience: Duration,
    tenure: Option<Arc<Tenure>>,
    kept_at: Instant,
    watched: Option<(Seen, Instant)>,
    /// Until when it does not take the lease.
    rests: Option<Instant>,
}

impl Keeper {
    /// Where this node stands with a lease that it takes over when its holder has shown no life for
    /// `patience`.
    pub(crate) fn new(store: Store, name: &'static str, node: String, patience: Duration) -> Self {
        let kept_at = Instant::now();
        Self { store, name, node, patience, tenure: None, kept_at, watched: None, rests: None }
    }

    /// The name of a transaction about it; the sealer's have names of their own.
    fn unit(&self, of_sealer: &'static str, of_others: &'static str) -> &'static str {
        if self.name == "sealer" { of_sealer } else { of_others }
    }

    /// How often a holder shows that it lives.
    fn beat(&self) -> Duration {
        BEAT_MAX.min(self.patience / 5)
    }

    /// Where this node stands, after taking the lease if that is due.
    pub(crate) async fn standing(&mut self) -> Result<Standing, Error> {
        if !self.store.is_shared() {
            return Ok(Standing::Alone);
        }
        if let Some(tenure) = &self.tenure {
            return if self.kept_at.elapsed() < self.beat() {
                Ok(Standing::Holder(tenure.clone()))
            } else {
                self.keep().await
            };
        }
        if self.rests.is_some_and(|until| Instant::now() < until) {
            return Ok(Standing::Other);
        }
        let seen = lease::look(&mut self.store.read().await?, self.name).await?;
        if !self.is_free(seen.as_ref()) {
            return Ok(Standing::Other);
        }
        self.take(seen).await
    }

    /// Does what one node at a time does, and shows meanwhile that it lives; `None` if that is
    /// another node's, or became so in the middle: what was not committed is dropped then. Work
    /// that meets an event that this node cannot read is left to another.
    pub(crate) async fn on_duty<T>(
        &mut self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<Option<Result<T, Error>>, Error> {
        match self.standing().await? {
            Standing::Alone => return Ok(Some(work.await)),
            Standing::Other => return Ok(None),
            Standing::Holder(_) => {}
        }
        let beat = self.beat();
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => {
                    if done.as_ref().is_err_and(Error::is_unreadable) {
                        self.give_way().await;
                    }
                    return Ok(Some(done));
                }
                () = tokio::time::sleep(beat) => {}
            }
            // A store that is away tells the work itself.
            if matches!(self.keep().await, Ok(Standing::Other)) {
                return Ok(None);
            }
        }
    }

    /// Forgets the lease: something done under it was refused.
    pub(crate) fn lost(&mut self) {
        self.tenure = None;
        self.watched = None;
    }

    /// Gives the lease back for a while: a node of a newer version may be able to do what this one
    /// cannot.
    pub(crate) async fn give_way(&mut self) {
        self.give_back().await;
        self.rests = Some(Instant::now() + REST);
    }

    /// Gives the lease back at the end, so that the next node need not wait.
    pub(crate) async fn give_back(&mut self) {
        let Some(tenure) = self.tenure.take() else { return };
        let unit = self.unit("seal.give_back", "lease.give_back");
        let given = self.store.transaction_in(Lane::First, unit, move |tx: &mut Tx| {
            let tenure = tenure.clone();
            Box::pin(async move { lease::give_back(tx, &tenure).await })
        });
        if let Err(error) = given.await {
            tracing::warn!(%error, lease = self.name, "the lease was not given back");
        }
    }

    /// Whether nobody holds it, or its holder has shown no life for long enough.
    fn is_free(&mut self, seen: Option<&Seen>) -> bool {
        let Some(seen) = seen else { return true };
        if seen.holder.is_none() {
            return true;
        }
        match &self.watched {
            Some((watched, since)) if watched == seen => since.elapsed() >= self.patience,
            _ => {
                self.watched = Some((seen.clone(), Instant::now()));
                false
            }
        }
    }

    async fn take(&mut self, seen: Option<Seen>) -> Result<Standing, Error> {
        let (name, node) = (self.name, self.node.clone());
        let unit = self.unit("seal.take", "lease.take");
        let taken = self.store.transaction_in(Lane::First, unit, move |tx: &mut Tx| {
            let (node, seen) = (node.clone(), seen.clone());
            Box::pin(async move { lease::take(tx, name, &node, seen.as_ref()).await })
        });
        let Some(tenure) = taken.await? else {
            self.watched = None;
            return Ok(Standing::Other);
        };
        tracing::info!(lease = self.name, token = tenure.token(), "this node holds the lease");
        let tenure = Arc::new(tenure);
        self.tenure = Some(tenure.clone());
        self.kept_at = Instant::now();
        self.watched = None;
        Ok(Standing::Holder(tenure))
    }

    async fn keep(&mut self) -> Result<Standing, Error> {
        let Some(tenure) = self.tenure.clone() else { return Ok(Standing::Other) };
        let kept = tenure.clone();
        let unit = self.unit("seal.keep", "lease.keep");
        let store = self.store.clone();
        // In a task of its own: the work that it is kept for may be reading.
        let kept = tokio::spawn(async move {
            let keep = store.transaction_in(Lane::First, unit, move |tx: &mut Tx| {
                let kept = kept.clone();
                Box::pin(async move { lease::keep(tx, &kept).await })
            });
            keep.await
        });
        let kept = kept.await.map_err(|error| Error::Internal(format!("lease: {error}")))?;
        match kept {
            Ok(()) => {
                self.kept_at = Instant::now();
                Ok(Standing::Holder(tenure))
            }
            Err(chancery_store::Error::Conflict(_)) => {
                tracing::warn!(lease = self.name, "another node took the lease");
                self.lost();
                Ok(Standing::Other)
            }
            Err(error) => Err(error.into()),
        }
    }
}
