//! The runner: leases jobs that are due and does them, each queue within its own limit.
//!
//! The loop takes no input (invariant 7): a signal, a timer and the end of a job wake the same
//! code. A job runs in a task of its own, so that a panic in it is a failed job and no more. While
//! it runs its lease is renewed; if the program dies the lease runs out, and whoever comes next
//! takes the job over. A job whose tries are used up by that has failed: it may be what kills the
//! program.
//!
//! Stopping gives running jobs some time, then hands them back uncounted.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use chancery_event::{ActorKind, Timestamp};
use chancery_store::Tx;
use chancery_store::table::account;
use chancery_store::table::job::{self, Job, Lease};
use chancery_store::table::lease::Term;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::ending::{self, Ending};
use super::starting;
use super::{JobError, Kind, Progress, context_of};
use crate::{Context, Engine, Error, Role, Settings};

/// How long a lease lasts, in microseconds.
pub(super) const LEASE: i64 = 60 * Timestamp::SECOND;
/// How long the loop sleeps at most.
const TICK: Duration = Duration::from_secs(5);
/// How long it sleeps at least, so that a failing store is not asked without end.
const PAUSE: Duration = Duration::from_millis(50);

/// A queue, and how many of its jobs run at a time on one node. What takes long shares its queue
/// with nothing else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    pub(super) name: &'static str,
    pub(super) at_a_time: usize,
}

pub(super) const QUEUES: [Queue; 8] = [
    Queue { name: "upload", at_a_time: 4 },
    Queue { name: "import", at_a_time: 1 },
    Queue { name: "verification", at_a_time: 1 },
    Queue { name: "backup", at_a_time: 1 },
    Queue { name: "canary", at_a_time: 1 },
    Queue { name: "retention", at_a_time: 1 },
    Queue { name: "validation", at_a_time: 2 },
    Queue { name: "back_test", at_a_time: 1 },
];

/// The queues with their limits as the settings have them.
pub(super) fn queues(settings: &Settings) -> Vec<Queue> {
    QUEUES
        .iter()
        .map(|queue| Queue {
            at_a_time: settings.jobs_at_a_time.get(queue.name).copied().unwrap_or(queue.at_a_time),
            ..*queue
        })
        .collect()
}

/// Whether a queue is served.
#[cfg(test)]
pub(super) fn has_queue(name: &str) -> bool {
    QUEUES.iter().any(|queue| queue.name == name)
}

/// How a runner paces itself.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Between two renewals of a lease.
    heartbeat: Duration,
    /// What running jobs get when the program stops.
    grace: Duration,
}

/// What does the work of a job.
type Work =
    Arc<dyn Fn(Errand) -> BoxFuture<'static, Result<Value, JobError>> + Send + Sync + 'static>;

/// A job to do.
struct Errand {
    engine: Engine,
    context: Context,
    job: Job,
    input: Vec<u8>,
    progress: Progress,
}

/// Runs jobs until `stop` is set and none is running any more.
pub(crate) async fn run(engine: Engine, stop: watch::Receiver<bool>) {
    let pace = Pace { heartbeat: Duration::from_secs(20), grace: Duration::from_secs(10) };
    let work: Work = Arc::new(|errand| Box::pin(execute(errand)));
    let queues = queues(engine.settings());
    Runner::new(engine, stop, queues, pace, work).run().await;
}

/// Does what is due, and ends when nothing more is: for [`crate::Stepped`].
pub(crate) async fn work_off(engine: &Engine) -> Result<(), Error> {
    let (_going_on, stop) = watch::channel(false);
    let pace = Pace { heartbeat: Duration::from_secs(20), grace: Duration::ZERO };
    let work: Work = Arc::new(|errand| Box::pin(execute(errand)));
    let queues = queues(engine.settings());
    let mut runner = Runner::new(engine.clone(), stop, queues, pace, work);
    loop {
        runner.round().await?;
        match runner.running.join_next().await {
            Some(ended) => runner.ended(ended),
            None => return Ok(()),
        }
    }
}

/// Does what a job is for.
async fn execute(errand: Errand) -> Result<Value, JobError> {
    let Errand { engine, context, job, input, progress } = errand;
    match Kind::parse(&job.kind) {
        Some(Kind::CertificateUpload) => {
            crate::inventory::bulk::run_upload(&engine, context, &job, input, &progress).await
        }
        Some(Kind::CertificateImport) => {
            crate::inventory::bulk::run_import(&engine, context, &job, input, &progress).await
        }
        Some(Kind::CertificateValidate) => {
            crate::inventory::status::run_job(&engine, context.cause, &job, &progress).await
        }
        Some(Kind::LogVerify) => engine.run_verification(&context, &progress).await,
        Some(Kind::BackupCreate) => engine.run_backup(&context, &job).await,
        Some(Kind::Canary) => engine.run_canary(&context).await,
        Some(Kind::BackTest) => {
            crate::reaction::trial::run_job(&engine, context, &job, &progress).await
        }
        Some(Kind::RetentionRun) => engine.run_retention(&context, &progress).await,
        None => Err(JobError {
            retry: false,
            message: format!("this program does not know jobs of the kind {}", job.kind),
        }),
    }
}

struct Runner {
    engine: Engine,
    stop: watch::Receiver<bool>,
    queues: Arc<[Queue]>,
    pace: Pace,
    work: Work,
    /// Tasks at work; each answers the place of its queue.
    running: JoinSet<usize>,
    /// How many are at work, by queue.
    busy: Vec<usize>,
}

impl Runner {
    fn new(
        engine: Engine,
        stop: watch::Receiver<bool>,
        queues: impl Into<Vec<Queue>>,
        pace: Pace,
        work: Work,
    ) -> Self {
        let queues: Arc<[Queue]> = queues.into().into();
        let busy = vec![0; queues.len()];
        Self { engine, stop, queues, pace, work, running: JoinSet::new(), busy }
    }

    async fn run(mut self) {
        let mut stop = self.stop.clone();
        while !*stop.borrow() {
            let sleep = match self.round().await {
                Ok(due) => self.until(due),
                Err(error) => {
                    tracing::error!(%error, "jobs could not be leased");
                    TICK
                }
            };
            let inner = self.engine.0.clone();
            tokio::select! {
                _ = stop.changed() => {}
                () = inner.jobs_waiting.notified() => {}
                Some(ended) = self.running.join_next() => self.ended(ended),
                () = tokio::time::sleep(sleep) => {}
            }
        }
        // The tasks watch `stop` themselves.
        while let Some(ended) = self.running.join_next().await {
            self.ended(ended);
        }
    }

    fn ended(&mut self, ended: Result<usize, tokio::task::JoinError>) {
        match ended {
            Ok(place) => {
                if let Some(busy) = self.busy.get_mut(place) {
                    *busy = busy.saturating_sub(1);
                }
            }
            // A task only watches over the one that works; nothing in it is expected to panic.
            Err(error) => tracing::error!(%error, "the watch over a job broke off"),
        }
    }

    /// Leases what is due and has room, and starts it; answers when something more becomes due.
    async fn round(&mut self) -> Result<Option<Timestamp>, Error> {
        let mut next: Option<Timestamp> = None;
        for (place, queue) in self.queues.clone().iter().enumerate() {
            // The end of one of its jobs wakes the loop when there is no room.
            while let Some(room) = self.room(place, queue) {
                let ahead = self.engine.ahead();
                let mut link = self.engine.link().await?;
                let due = job::next_due(&mut link, (queue.name, self.kinds()), ahead).await?;
                drop(link);
                let now = self.engine.environment().now();
                if due.is_none_or(|due| due > now) {
                    next = next.into_iter().chain(due).min();
                    break;
                }
                let leases = self.lease(queue.name, room).await?;
                if leases.is_empty() {
                    // Somebody else was quicker.
                    next = Some(now);
                    break;
                }
                for lease in leases {
                    self.start(place, lease);
                }
            }
        }
        Ok(next)
    }

    /// The kinds of jobs that it takes; none: all. Where other nodes may be newer, what it does not
    /// know is left to them. Alone it takes that too, and says that it does not know it.
    fn kinds(&self) -> &'static [&'static str] {
        static KNOWN: LazyLock<Vec<&'static str>> =
            LazyLock::new(|| Kind::ALL.into_iter().map(Kind::as_str).collect());
        if self.engine.0.store.is_shared() { &KNOWN } else { &[] }
    }

    /// How many more of a queue's jobs may run, if any.
    fn room(&self, place: usize, queue: &Queue) -> Option<usize> {
        let busy = self.busy.get(place).copied().unwrap_or(0);
        queue.at_a_time.checked_sub(busy).filter(|room| *room > 0)
    }

    fn start(&mut self, place: usize, lease: Lease) {
        if let Some(busy) = self.busy.get_mut(place) {
            *busy += 1;
        }
        let watch = Watch {
            engine: self.engine.clone(),
            stop: self.stop.clone(),
            pace: self.pace,
            work: self.work.clone(),
            lease: Arc::new(lease),
        };
        self.running.spawn(async move {
            watch.over().await;
            place
        });
    }

    async fn lease(&self, queue: &'static str, room: usize) -> Result<Vec<Lease>, Error> {
        let token = self.engine.lease_token();
        let now = self.engine.environment().now();
        let term = Term::of(self.engine.lease_time(), LEASE);
        let (engine, kinds) = (self.engine.clone(), self.kinds());
        self.engine
            .0
            .store
            .transaction("job.lease", move |tx: &mut Tx| {
                let (token, engine) = (token.clone(), engine.clone());
                Box::pin(async move {
                    let leases = job::lease(tx, (queue, kinds), room, &token, now, term).await?;
                    for lease in &leases {
                        starting::record(tx, &engine, lease.job())?;
                    }
                    Ok(leases)
                })
            })
            .await
    }

    fn until(&self, due: Option<Timestamp>) -> Duration {
        let Some(due) = due else { return TICK };
        let micros = due.since(self.engine.environment().now());
        Duration::from_micros(u64::try_from(micros).unwrap_or(0)).clamp(PAUSE, TICK)
    }
}

/// One try of one job.
struct Watch {
    engine: Engine,
    stop: watch::Receiver<bool>,
    pace: Pace,
    work: Work,
    lease: Arc<Lease>,
}

impl Watch {
    /// Does the job and writes how it ended.
    async fn over(self) {
        let ending = self.attempt().await;
        let job = self.lease.job();
        if let Ending::Failure { message, .. } | Ending::Again(message) = &ending {
            tracing::warn!(job = %job.id, kind = job.kind, attempt = job.attempts, message, "a job failed");
        }
        if let Err(error) = ending::write(&self.engine, &self.lease, ending).await {
            // Its lease runs out, and it is done again.
            tracing::error!(job = %job.id, %error, "the end of a job was not written");
        }
    }

    async fn attempt(&self) -> Ending {
        let job = self.lease.job();
        if job.attempts > job.attempts_max {
            let message = format!("it was broken off {} times", job.attempts_max);
            return Ending::Failure { reason: "broken_off", message };
        }
        let errand = match self.errand().await {
            Ok(errand) => errand,
            Err(error) => return Ending::failed(job, error),
        };
        let mut task = tokio::spawn((self.work)(errand));
        let cut_short = tokio::select! {
            done = &mut task => return ended(job, done),
            cut_short = self.until_cut_short() => cut_short,
        };
        task.abort();
        match task.await {
            // It came to its end while it was being cut short.
            Ok(done) => ended(job, Ok(done)),
            Err(_) => cut_short,
        }
    }

    async fn errand(&self) -> Result<Errand, JobError> {
        let job = self.lease.job().clone();
        let mut link = self.engine.link().await.map_err(JobError::of)?;
        let input = job::input(&mut link, job.id).await.map_err(|e| JobError::of(e.into()))?;
        let context = context_of(&job).ok_or_else(|| JobError {
            retry: false,
            message: "on whose behalf it runs cannot be read".to_owned(),
        })?;
        let context = as_of_now(&mut link, context, self.engine.environment().now()).await?;
        let progress = Progress::of(self.engine.clone(), self.lease.clone());
        let engine = self.engine.clone();
        Ok(Errand { engine, context, job, input: input.unwrap_or_default(), progress })
    }

    /// Renews the lease until it is lost, or until the program has stopped for long enough.
    async fn until_cut_short(&self) -> Ending {
        let mut stop = self.stop.clone();
        let grace = self.pace.grace;
        let mut stopped = Box::pin(async move {
            // An error means that the engine is gone, which is stopping too.
            let _ = stop.wait_for(|stop| *stop).await;
            tokio::time::sleep(grace).await;
        });
        loop {
            tokio::select! {
                () = &mut stopped => return Ending::HandedBack,
                () = tokio::time::sleep(self.pace.heartbeat) => {}
            }
            match self.renew().await {
                Ok(()) => {}
                Err(Error::Store(chancery_store::Error::Conflict(_))) => return Ending::Lost,
                Err(error) => {
                    let job = self.lease.job().id;
                    tracing::warn!(%job, %error, "the lease of a job was not renewed");
                }
            }
        }
    }

    async fn renew(&self) -> Result<(), Error> {
        let lease = self.lease.clone();
        let until = self.engine.lease_time().plus(LEASE);
        self.engine
            .0
            .store
            .transaction("job.renew", move |tx: &mut Tx| {
                let lease = lease.clone();
                Box::pin(async move { Ok(job::extend(tx, &lease, until).await?) })
            })
            .await
    }
}

fn ended(job: &Job, done: Result<Result<Value, JobError>, tokio::task::JoinError>) -> Ending {
    match done {
        Ok(Ok(result)) => Ending::Success(result),
        Ok(Err(error)) => Ending::failed(job, error),
        Err(error) => {
            tracing::error!(job = %job.id, %error, "a job panicked");
            let message = "the program has a fault; its log says more".to_owned();
            Ending::Failure { reason: "internal", message }
        }
    }
}

/// The context with what its account may do today: power that was taken away since is gone.
async fn as_of_now(
    link: &mut chancery_store::Link,
    mut context: Context,
    now: Timestamp,
) -> Result<Context, JobError> {
    if context.actor.kind != ActorKind::Account {
        return Ok(context);
    }
    let found = match context.account_id() {
        Some(id) => account::find(link, id).await.map_err(|e| JobError::of(e.into()))?,
        None => None,
    };
    let may =
        |row: &account::Account| !row.disabled && !crate::access::is_over(row.expires_at, now);
    let role = found.filter(may).and_then(|row| Role::parse(&row.role));
    let Some(today) = role else {
        let message = "the account that asked for it may not act any more".to_owned();
        return Err(JobError { retry: false, message });
    };
    context.role = context.role.map(|then| if today.covers(then) { then } else { today });
    Ok(context)
}

#[cfg(test)]
mod tests;
