//! The engine: what an edge holds, how it starts and how it stops.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chancery_event::catalogue::Payload;
use chancery_event::id::NodeId;
use chancery_event::types;
use chancery_event::{Environment, Target, TargetKind, Timestamp};
use chancery_seal::{Signer, Verifier};
use chancery_store::table::setting;
use chancery_store::{Link, Store, Tx, log};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::access::limit::Limiter;
use crate::agenda::Agenda;
use crate::backup::Restored;
use crate::key::{self, KeyError, Keys};
use crate::operation::Operation;
use crate::remembered::known::Known;
use crate::scribe::{Desk, Draft, Scribe};
use crate::sealer::Sealer;
use crate::tenure::Keeper;
use crate::{Context, Error, Health, Permission, Secret};

/// How the engine is to work.
#[derive(Clone)]
pub struct Settings {
    /// Directory of the data: the embedded database and the keys.
    pub data_dir: PathBuf,
    /// The database, where it is not the embedded one.
    pub database: Option<chancery_store::DatabaseUrl>,
    /// Connections for reading from a server at most.
    pub database_connections: u32,
    /// After how long without a sign of life another node does what one did alone; it counts as
    /// vanished after twice that. The same on every node.
    pub takeover: Duration,
    /// What this node is called; `None`: as its machine.
    pub node_name: Option<String>,
    /// Directory under which backups are made that were asked of the running server.
    pub backup_dir: PathBuf,
    /// Where people reach this installation; the `source` of its events.
    pub public_url: String,
    /// Name of the log (C2SP origin); never changes.
    pub log_origin: String,
    /// Opens the log key.
    pub key_passphrase: Option<Secret<String>>,
    /// Store the log key unencrypted if there is no passphrase.
    pub allow_unencrypted_key: bool,
    /// Login name of the first administrator.
    pub admin_name: String,
    /// Password of the first administrator; `None`: one is made and told once.
    pub admin_password: Option<Secret<String>>,
    /// A certificate counts as expiring this many days before its end.
    pub expiring_days: u32,
    /// Operation events of refused uploads identify the certificate.
    pub verbose_audit: bool,
    /// A session ends after this much idleness.
    pub session_idle_minutes: u32,
    /// A session ends after this long whatever happens.
    pub session_lifetime_hours: u32,
    /// What gives power away asks for the password again after this many minutes; 0: never.
    pub session_confirm_minutes: u32,
    /// A password must be changed when it is this many days old; 0: never.
    pub password_days_max: u32,
    /// Logins per minute and client address.
    pub logins_per_minute: u32,
    /// Failed logins per minute and network, of browsers that nobody logged in from before; 0:
    /// unlimited.
    pub failed_logins_per_minute: u32,
    /// Requests per second and credential or address; 0: unlimited.
    pub requests_per_second: u32,
    /// Monitors and schedules are set up and run by the clock. Tests that count events turn it
    /// off.
    pub monitors: bool,
    /// What came of asking triggers is kept this many days.
    pub keep_evaluations_days: u32,
    /// At most so many of them are kept.
    pub keep_evaluations_max: u64,
    /// What sends to destinations; `None`: nothing leaves the house.
    pub sender: Option<Arc<dyn crate::delivery::Sender>>,
    /// Where entries are kept beside the database; `None`: nowhere, and nothing leaves it.
    pub archive: Option<Arc<dyn crate::archive::Archive>>,
    /// The archive is written from the beginning; else once there is a rule of retention.
    pub archive_always: bool,
    /// Deliveries that have ended are kept this many days.
    pub keep_deliveries_days: u32,
    /// The data was put back from a copy, with this loss: it is recorded before anything else is
    /// done, and that the log lacks what this node knows is no reason not to start.
    pub restored: Option<Restored>,
    /// Resolved alerts are kept this many days.
    pub keep_resolved_alerts_days: u32,
    /// Jobs that have ended are kept this many days.
    pub keep_jobs_days: u32,
    /// How many jobs of a queue run at a time, by its name, where it is not as built in.
    pub jobs_at_a_time: std::collections::BTreeMap<String, usize>,
    /// The program finds something wrong with itself when a consumer of the log is more events
    /// behind.
    pub consumer_lag_max: u64,
    /// What says how much room there is on the disc.
    pub room: crate::Room,
}

impl Settings {
    /// Settings for a data directory, everything else as a new installation has it.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let data_dir = data_dir.into();
        Self {
            backup_dir: data_dir.join("backups"),
            archive: Some(Arc::new(crate::archive::Directory::new(data_dir.join("archive")))),
            archive_always: false,
            data_dir,
            database: None,
            database_connections: 8,
            takeover: Duration::from_secs(5),
            node_name: None,
            public_url: "http://127.0.0.1:8080".to_owned(),
            log_origin: "localhost/log".to_owned(),
            key_passphrase: None,
            allow_unencrypted_key: false,
            admin_name: "admin".to_owned(),
            admin_password: None,
            expiring_days: 30,
            verbose_audit: false,
            session_idle_minutes: 60,
            session_lifetime_hours: 12,
            session_confirm_minutes: 10,
            password_days_max: 0,
            logins_per_minute: 30,
            failed_logins_per_minute: 60,
            requests_per_second: 0,
            monitors: true,
            keep_evaluations_days: 400,
            keep_evaluations_max: 1_000_000,
            sender: None,
            keep_deliveries_days: 30,
            restored: None,
            keep_resolved_alerts_days: 400,
            keep_jobs_days: 90,
            jobs_at_a_time: std::collections::BTreeMap::new(),
            consumer_lag_max: 100_000,
            room: crate::Room::default(),
        }
    }
}

impl Settings {
    /// How the store is opened.
    pub fn store(&self) -> chancery_store::Settings {
        match &self.database {
            Some(url) => chancery_store::Settings {
                readers_max: self.database_connections,
                // What a node remembers of the log there is its own.
                kept: Some(self.data_dir.clone()),
                // Frozen in the middle of a transaction, a node holds the row of its lease.
                ..chancery_store::Settings::postgres(url.clone().with_rest_max(self.takeover * 2))
            },
            None => chancery_store::Settings::embedded(&self.data_dir),
        }
    }
}

/// Why the engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The keys.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The keys are not those of the log in the database.
    #[error(
        "the keys in {0} are not those of the log in this database: every node needs the same keys; copy the directory from a node that works, with its passphrase"
    )]
    OtherKeys(PathBuf),
    /// The log in the database lacks what this node knows was sealed.
    #[error(
        "the log in the database has {found} entries and is not the one of which this node knows {known} (the checkpoint {file}): an older copy of the database was put back, it is another one, or it was damaged; chancery verify --data-dir names the place of any damage; chancery restore --in-place compares the two, says what is lost, records it, and lets the log go on"
    )]
    LogLost {
        /// Entries that this node knows were sealed.
        known: u64,
        /// Entries there are.
        found: u64,
        /// Where it knows it from.
        file: PathBuf,
    },
    /// The checkpoint that this node keeps cannot be read.
    #[error("the checkpoint in {path} cannot be read: {what}")]
    Remembered {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] chancery_store::Error),
    /// The first start could not be completed.
    #[error(transparent)]
    Engine(#[from] Error),
}

/// The engine. Cheap to clone; all clones are the same engine.
#[derive(Clone)]
pub struct Engine(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) desk: Arc<Desk>,
    pub(crate) signer: Arc<Signer>,
    pub(crate) health: Arc<Health>,
    /// What this process knows was sealed.
    pub(crate) known: Arc<Known>,
    pub(crate) sealed: watch::Receiver<u64>,
    pub(crate) stop: watch::Sender<bool>,
    /// Set last: what the other loops still record is sealed before the end.
    stop_sealer: watch::Sender<bool>,
    pub(crate) jobs_waiting: Notify,
    pub(crate) status_waiting: Notify,
    /// Counts changes of automation; background loops watch it.
    pub(crate) automation: watch::Sender<u64>,
    /// Counts changes of destinations and what was put back to be sent; the courier watches it.
    pub(crate) destinations: watch::Sender<u64>,
    /// Destinations of which something was put back to be sent, or queued.
    pub(crate) kicked: Mutex<std::collections::BTreeSet<String>>,
    /// Encrypts secrets of destinations.
    pub(crate) secrets_key: Secret<[u8; 32]>,
    /// Every sealed event before this index has been acted on, or passed over.
    pub(crate) dispatched: watch::Sender<u64>,
    /// Signatures on authorities that were checked.
    pub(crate) verified: Arc<chancery_pki::validation::Verified>,
    /// The configuration in force, compiled; see `reaction/snapshot.rs`.
    pub(crate) compiled: Mutex<Option<Arc<crate::reaction::Configuration>>>,
    pub(crate) logins: crate::access::Logins,
    pub(crate) refusals: crate::access::Tally,
    /// Bodies that sources send, and refusals of them that become events.
    pub(crate) intake_bodies: Limiter,
    pub(crate) intake_refusals: Limiter,
    pub(crate) started: Instant,
    pub(crate) sealed_before: crate::node::SealedBefore,
    pub(crate) monitor_memory: crate::monitor::condition::Memory,
    pub(crate) reach_memory: crate::notification::coverage::Memory,
    pub(crate) monitor_ahead: crate::monitor::enrolment::Ahead,
}

/// An engine whose loops do not run yet.
pub(crate) struct Opened {
    pub(crate) engine: Engine,
    pub(crate) sealer: Sealer,
    pub(crate) agenda: Option<Agenda>,
    one_time_password: Option<Secret<String>>,
    stopped: watch::Receiver<bool>,
    sealing_stopped: watch::Receiver<bool>,
}

/// The background loops of a running engine.
#[must_use = "stop it to end the loops in order"]
pub struct Running {
    engine: Engine,
    sealer: JoinHandle<()>,
    loops: Vec<JoinHandle<()>>,
    /// The first administrator's password, if this start made one. Shown once.
    pub one_time_password: Option<Secret<String>>,
    /// This start found a copy of the log of which nobody can tell what it lacks, and recorded that
    /// (`log.restore`): the log goes on after so many entries.
    pub unknown_loss: Option<u64>,
}

/// Figures of the running engine, for metrics and the home page.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Entries a signed checkpoint covers.
    pub log_size: u64,
    /// Events that wait to be sealed.
    pub pending: u64,
    /// When the oldest of them was recorded, by the clock of the node that did.
    pub pending_since: Option<Timestamp>,
    /// Pending events that were ever set aside, by any node.
    pub quarantined: u64,
    /// Events that wait for the projection.
    pub unprojected: u64,
    /// Jobs by state.
    pub jobs: Vec<(String, u64)>,
    /// Destinations by class (`channel`, `forwarder`) and by how it goes with them.
    pub destinations: BTreeMap<(String, &'static str), u64>,
    /// Deliveries that wait and that were given up, by class of their destination and state.
    pub deliveries: BTreeMap<(String, &'static str), u64>,
    /// Certificates in the inventory.
    pub certificates: u64,
    /// Bytes the database takes on disk.
    pub store_bytes: u64,
    /// Seconds since this process started.
    pub uptime_seconds: u64,
}

impl Engine {
    /// Opens the store and the keys, completes the first start, starts the loops.
    ///
    /// # Errors
    /// The data directory, the keys or the schema cannot be used; nothing is left half done.
    pub async fn start(
        settings: Settings,
        environment: Environment,
    ) -> Result<Running, StartError> {
        let Opened { engine, sealer, agenda, one_time_password, stopped, sealing_stopped } =
            Self::open(settings, environment).await?;
        let sealer = tokio::spawn(sealer.run(sealing_stopped));
        let mut loops = vec![
            tokio::spawn(crate::projector::run(
                engine.0.store.clone(),
                engine.0.desk.recent.clone(),
                engine.environment().clone(),
                engine.keeper("projector"),
                engine.0.sealed.clone(),
                stopped.clone(),
            )),
            tokio::spawn(crate::inventory::status::run(engine.clone(), stopped.clone())),
            tokio::spawn(crate::job::runner::run(engine.clone(), stopped.clone())),
            tokio::spawn(crate::reaction::dispatcher::run(engine.clone(), stopped.clone())),
            tokio::spawn(crate::notification::herald::run(engine.clone(), stopped.clone())),
            tokio::spawn(crate::notification::coverage::walk::run(engine.clone(), stopped.clone())),
            tokio::spawn(crate::alert::watch::run(engine.clone(), stopped.clone())),
            tokio::spawn(crate::node::run(engine.clone(), stopped.clone())),
            tokio::spawn(crate::remembered::run(engine.clone(), stopped.clone())),
            tokio::spawn(crate::access::session::sweep(engine.clone(), stopped.clone())),
        ];
        if let Some(sender) = engine.settings().sender.clone() {
            let poller =
                crate::intake::poller::run(engine.clone(), sender.clone(), stopped.clone());
            loops.push(tokio::spawn(poller));
            let courier = crate::delivery::courier::run(engine.clone(), sender, stopped.clone());
            loops.push(tokio::spawn(courier));
        }
        loops.push(tokio::spawn(crate::archive::sight::run(engine.clone(), stopped.clone())));
        if let Some(archive) = engine.archive() {
            let writing = crate::archive::run(engine.clone(), archive, stopped.clone());
            loops.push(tokio::spawn(writing));
        }
        if let Some(agenda) = agenda {
            loops.push(tokio::spawn(crate::agenda::run(engine.clone(), agenda, stopped)));
        }
        let unknown_loss = engine.0.known.unknown_loss();
        Ok(Running { engine, sealer, loops, one_time_password, unknown_loss })
    }

    /// Everything a start does before the loops.
    pub(crate) async fn open(
        settings: Settings,
        environment: Environment,
    ) -> Result<Opened, StartError> {
        check_first(&settings)?;
        let store = Store::open(&settings.store()).await?;
        let keys = keys_of(&store, &settings, &environment).await?;
        let known = crate::remembered::compared(&store, &settings).await?;
        let health = Arc::new(Health::default());
        health.stopped_elsewhere(known.halt().map(|halt| halt.told()));
        let desk = Arc::new(Desk {
            health: health.clone(),
            node: environment.id::<NodeId>(),
            source: Cow::Owned(settings.public_url.clone()),
            pending_key: keys.pending,
            recent: Arc::default(),
            environment,
        });
        let (announce, sealed) = watch::channel(0);
        let (stop, stopped) = watch::channel(false);
        let (stop_sealer, sealing_stopped) = watch::channel(false);
        let sealer = Sealer {
            store: store.clone(),
            desk: desk.clone(),
            signer: Arc::new(keys.signer),
            health: health.clone(),
            known: known.clone(),
            sealed: announce,
            takeover: settings.takeover,
        };
        let engine = Self(Arc::new(Inner {
            logins: crate::access::Logins::new(&settings, keys.browsers),
            settings,
            store,
            desk,
            signer: sealer.signer.clone(),
            health,
            known,
            sealed,
            stop,
            stop_sealer,
            jobs_waiting: Notify::new(),
            status_waiting: Notify::new(),
            automation: watch::channel(0).0,
            destinations: watch::channel(0).0,
            kicked: Mutex::default(),
            secrets_key: keys.secrets,
            dispatched: watch::channel(0).0,
            verified: Arc::default(),
            compiled: Mutex::new(None),
            refusals: crate::access::Tally::new(),
            intake_bodies: Limiter::new(crate::intake::BODIES_PER_MINUTE),
            intake_refusals: Limiter::new(crate::intake::REFUSALS_PER_MINUTE),
            started: Instant::now(),
            sealed_before: crate::node::SealedBefore::default(),
            monitor_memory: crate::monitor::condition::Memory::default(),
            reach_memory: crate::notification::coverage::Memory::default(),
            monitor_ahead: crate::monitor::enrolment::Ahead::default(),
        }));
        engine.note_restored().await?;
        let one_time_password = engine.first_start(keys.created).await?;
        let agenda = engine.first_agenda().await?;
        Ok(Opened { engine, sealer, agenda, one_time_password, stopped, sealing_stopped })
    }

    /// What monitors and schedules have to do, if they run here.
    async fn first_agenda(&self) -> Result<Option<Agenda>, StartError> {
        if !self.settings().monitors {
            return Ok(None);
        }
        self.make_default_automation().await?;
        let mut agenda = Agenda::default();
        // Of several nodes, the one that has the clock sets up what it runs.
        if !self.0.store.is_shared() {
            agenda.sync(self).await?;
        }
        Ok(Some(agenda))
    }

    /// Records that the data was put back, before any loop runs: whoever dies here has lost nothing
    /// of what is known.
    async fn note_restored(&self) -> Result<(), StartError> {
        let environment = self.environment();
        let found = self.0.known.unknown_loss();
        let found = found.map(|log_size| Restored { log_size, published: None });
        let restored = match (&self.settings().restored, found) {
            (Some(said), _) => Some((Context::command_line(environment), said.clone())),
            (None, Some(found)) => Some((Context::system(environment), found)),
            (None, None) => None,
        };
        if let Some((context, restored)) = restored {
            self.note_restore(&context, &restored).await?;
            let known = &self.0.known;
            known.look(&mut self.link().await?).await?;
            self.health().stopped_elsewhere(known.halt().map(|halt| halt.told()));
        }
        Ok(crate::remembered::begin(&self.settings().data_dir)?)
    }

    /// This node's view of a lease.
    pub(crate) fn keeper(&self, name: &'static str) -> Keeper {
        let node = self.0.desk.node.to_string();
        Keeper::new(self.0.store.clone(), name, node, self.settings().takeover)
    }

    /// The token of a lease on a row: it begins with this node, so that whoever finds the node gone
    /// can free what it held.
    pub(crate) fn lease_token(&self) -> String {
        let random = crate::access::session::random_text(self.environment());
        format!("{}/{random}", self.0.desk.node)
    }

    /// The time that leases on rows go by: that of the server, where several nodes share one, and
    /// whatever the clock of this machine shows.
    pub(crate) fn lease_time(&self) -> Timestamp {
        let environment = self.environment();
        let shared = self.0.store.shared_time().filter(|_| !environment.is_simulated());
        shared.unwrap_or_else(|| environment.now())
    }

    /// Microseconds that the clock of this node is ahead of that time.
    pub(crate) fn ahead(&self) -> i64 {
        self.environment().now().since(self.lease_time())
    }

    /// Records the start, and on an empty database what the first start makes.
    async fn first_start(&self, key_created: bool) -> Result<Option<Secret<String>>, Error> {
        let context = Context::system(self.environment());
        if key_created {
            let payload = types::log::KeyCreate {
                origin: self.0.settings.log_origin.clone(),
                key_id: format!("{:08x}", self.verifier().id()),
                algorithm: "ed25519".into(),
            };
            let draft = Draft::new(&payload)?;
            self.note(&context, draft.target(self.log_target())).await?;
        }
        let password = self.bootstrap(&context).await?;
        self.apply_password_age(&context).await?;
        self.node_starts(&context).await?;
        Ok(password)
    }

    /// The log as a target of events.
    pub(crate) fn log_target(&self) -> Target {
        Target::new(TargetKind::Log, &self.0.settings.log_origin)
    }

    /// Records an event that stands alone.
    pub(crate) async fn note(&self, context: &Context, draft: Draft) -> Result<(), Error> {
        let scribe = self.scribe(context);
        self.0
            .store
            .transaction("note", move |tx: &mut Tx| {
                let (scribe, draft) = (scribe.clone(), draft.clone());
                Box::pin(async move { scribe.record(tx, draft).map(|_| ()) })
            })
            .await
    }

    pub(crate) fn scribe(&self, context: &Context) -> Scribe {
        Scribe { desk: self.0.desk.clone(), context: context.clone(), operation: None }
    }

    pub(crate) fn operation<P: Payload>(
        &self,
        context: &Context,
        permission: Permission,
        attempt: &P,
    ) -> Result<Operation, Error> {
        Operation::begin(&self.0.store, &self.0.desk, context, permission, attempt)
    }

    pub(crate) async fn link(&self) -> Result<Link, Error> {
        Ok(self.0.store.read().await?)
    }

    /// Time and randomness.
    pub fn environment(&self) -> &Environment {
        &self.0.desk.environment
    }

    /// How the engine works.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// What the engine knows about its own condition.
    pub fn health(&self) -> &Health {
        &self.0.health
    }

    /// The key that checks this log's checkpoints.
    pub fn verifier(&self) -> &Verifier {
        self.0.signer.verifier()
    }

    /// Changes whenever the sealed part of the log grows; holds its size.
    pub fn sealed(&self) -> watch::Receiver<u64> {
        self.0.sealed.clone()
    }

    /// Waits until everything recorded so far is sealed, at most `limit`.
    pub async fn settle(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut sealed = self.sealed();
        while Instant::now() < deadline {
            sealed.mark_unchanged();
            if let Ok(mut link) = self.link().await {
                let pending = log::is_pending(&mut link).await;
                let state = log::state(&mut link).await;
                if let (Ok(false), Ok(state)) = (pending, state)
                    && state.size == state.signed_size
                    && *sealed.borrow() == state.size
                {
                    return true;
                }
            }
            let _ = tokio::time::timeout(Duration::from_millis(20), sealed.changed()).await;
        }
        false
    }

    /// Waits until everything recorded so far is sealed and has been acted on, and so has what came
    /// of that; at most `limit`.
    pub async fn reacted(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut dispatched = self.0.dispatched.subscribe();
        while Instant::now() < deadline {
            dispatched.mark_unchanged();
            let left = deadline.saturating_duration_since(Instant::now());
            if self.settle(left).await && *dispatched.borrow() >= *self.sealed().borrow() {
                // Acting is done before it is told; what it recorded would be pending by now.
                if self.settle(left).await && *dispatched.borrow() >= *self.sealed().borrow() {
                    return true;
                }
            }
            let _ = tokio::time::timeout(Duration::from_millis(20), dispatched.changed()).await;
        }
        false
    }

    /// Figures of the running engine.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn figures(&self) -> Result<Figures, Error> {
        let (destinations, deliveries) = self.delivery_figures().await?;
        let mut link = self.link().await?;
        let state = log::state(&mut link).await?;
        let projected = log::cursor(&mut link, "projection").await?;
        Ok(Figures {
            log_size: state.signed_size,
            pending: log::pending_count(&mut link).await? + (state.size - state.signed_size),
            pending_since: log::pending(&mut link, 1).await?.first().map(|row| row.recorded_at),
            quarantined: log::quarantined_count(&mut link).await?,
            unprojected: state.signed_size.saturating_sub(projected.0),
            jobs: chancery_store::table::job::counts(&mut link).await?,
            destinations,
            deliveries,
            certificates: u64::try_from(
                chancery_store::table::certificate::count(&mut link).await?,
            )
            .unwrap_or(0),
            store_bytes: self.0.store.size_bytes().await?,
            uptime_seconds: self.0.started.elapsed().as_secs(),
        })
    }
}

/// What can be refused before anything is made.
fn check_first(settings: &Settings) -> Result<(), KeyError> {
    let is_decided = settings.key_passphrase.is_some() || settings.allow_unencrypted_key;
    match (&settings.key_passphrase, Keys::are_in(&settings.data_dir.join("keys"))) {
        (_, true) => Ok(()),
        (Some(passphrase), _) if key::is_short(passphrase) => Err(KeyError::PassphraseShort),
        _ if is_decided => Ok(()),
        _ => Err(KeyError::PassphraseRequired),
    }
}

/// Opens the keys, or makes them with the log. A log has one set of keys: with others, pending
/// events of this node would be taken for forged, and checkpoints would be those of another log.
async fn keys_of(
    store: &Store,
    settings: &Settings,
    environment: &Environment,
) -> Result<Keys, StartError> {
    const NAME: &str = "log.verifier";
    let dir = settings.data_dir.join("keys");
    let known = setting::find(&mut store.read().await?, NAME).await?;
    if known.is_some() && !Keys::are_in(&dir) {
        return Err(StartError::OtherKeys(dir));
    }
    let keys = Keys::open(
        &dir,
        &settings.log_origin,
        settings.key_passphrase.as_ref(),
        settings.allow_unencrypted_key,
        environment,
    )?;
    let own = keys.signer.verifier().to_string();
    let agreed = store.transaction("keys", {
        let own = own.clone();
        move |tx: &mut Tx| {
            let own = own.clone();
            Box::pin(async move {
                // Another node may have been faster since.
                if let Some(known) = setting::find(tx, NAME).await? {
                    return Ok::<_, chancery_store::Error>(known);
                }
                setting::put(tx, NAME, &own).await?;
                Ok(own)
            })
        }
    });
    if agreed.await? == own { Ok(keys) } else { Err(StartError::OtherKeys(dir)) }
}

impl Running {
    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Stops in order: no new work, jobs handed back, the stop recorded, everything sealed.
    ///
    /// # Errors
    /// The stop could not be recorded.
    pub async fn stop(self) -> Result<(), Error> {
        let engine = &self.engine;
        let noted = engine.node_stops().await;
        engine.0.stop.send_replace(true);
        engine.0.jobs_waiting.notify_waiters();
        engine.0.status_waiting.notify_waiters();
        for handle in self.loops {
            let _ = handle.await;
        }
        engine.0.stop_sealer.send_replace(true);
        let _ = self.sealer.await;
        if let Err(error) = crate::remembered::keep(engine).await {
            tracing::warn!(%error, "the newest checkpoint was not written down");
        }
        // Somebody may still be reading; their connections end with the process.
        let _ = tokio::time::timeout(Duration::from_secs(5), engine.0.store.close()).await;
        noted
    }
}
