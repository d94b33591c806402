//! Which nodes there are: each shows that it lives, and says so when another one vanishes.
//!
//! Starting and stopping are events of the node itself (`service.start`, `service.stop`).
//! Disappearing is told by whoever sees it first, by its own clock (`node.vanished`), coming back
//! by the node that was gone (`node.returned`): it may have been frozen, or cut off.
//!
//! On the embedded engine there is one node. A row that was left behind there tells the next start
//! that the last one did not end in order.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use chancery_event::id::NodeId;
use chancery_event::types::log as types;
use chancery_event::{Target, TargetKind, Timestamp};
use chancery_store::table::node::{self as table, Node};
use chancery_store::table::{intake, lease};
use chancery_store::{Lane, Store, Tx, log};
use tokio::sync::watch;

use crate::intake::poller::POLLER;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission};

/// How often a node shows that it lives at least.
const BEAT_MAX: Duration = Duration::from_secs(2);
/// How long one looks whether a node lives: two beats, and some patience.
const WATCH: Duration = Duration::from_secs(5);

/// A node, as people see it.
#[derive(Clone, Debug)]
pub struct NodeView {
    /// Its identifier, new with every start.
    pub id: NodeId,
    /// Name of its machine.
    pub host: String,
    /// Version of the program.
    pub version: String,
    /// `running`, `stopped` or `vanished`.
    pub state: String,
    /// It is the node that answers.
    pub own: bool,
    /// What it alone does at the moment: names of leases.
    pub leases: Vec<String>,
    /// Forwarders that it serves.
    pub forwarders: u64,
    /// Channels that it serves.
    pub channels: u64,
    /// Sources that it fetches from.
    pub sources: u64,
    /// Jobs that it does.
    pub jobs: u64,
    /// Monitors and schedules that it runs at this moment.
    pub runs: u64,
    /// Entries sealed two beats ago or earlier that it did not know of at its last beat.
    pub lag: u64,
    /// Milliseconds that its clock is ahead of the server's, when it last showed that it lives.
    pub clock_ahead_ms: i64,
    /// When it started.
    pub started_at: Timestamp,
    /// When it last showed that it lives, by its own clock.
    pub seen_at: Timestamp,
    /// When it stopped, or was found to be gone.
    pub ended_at: Option<Timestamp>,
}

impl Engine {
    /// The nodes on this database: those that run, and those that ended lately.
    ///
    /// # Errors
    /// The caller may not see figures of the server; the store cannot be read.
    pub async fn nodes(&self, context: &Context) -> Result<Vec<NodeView>, Error> {
        context.require(Permission::MetricsRead)?;
        let mut link = self.link().await?;
        let nodes = table::all(&mut link).await?;
        let leases = lease::all(&mut link).await?;
        // What is sealed now was not there yet when nodes last told what they knew.
        let size = self.0.sealed_before.size(self.beat_interval() * 2);
        let held = table::held(&mut link, self.lease_time()).await?;
        let polled = intake::polled(&mut link).await?;
        let alone = !self.0.store.is_shared();
        let view = |node: Node| {
            let own = node.id == self.0.desk.node;
            let id = node.id.to_string();
            let named = leases.iter().filter(|(_, seen)| seen.holder.as_ref() == Some(&id));
            let leases: Vec<String> = named.map(|(name, _)| name.clone()).collect();
            let held = held.get(&id).copied().unwrap_or_default();
            // All of them under one lease, for which the embedded engine has no need.
            let fetches = own && alone || leases.iter().any(|name| name == POLLER);
            NodeView {
                own,
                forwarders: held.forwarders,
                channels: held.channels,
                sources: if fetches { polled } else { 0 },
                jobs: held.jobs,
                runs: held.runs,
                leases,
                lag: if alone || node.state != "running" {
                    0
                } else {
                    size.saturating_sub(node.log_size)
                },
                clock_ahead_ms: node.ahead / 1_000,
                id: node.id,
                host: node.host,
                version: node.version,
                state: node.state,
                started_at: node.started_at,
                seen_at: if alone && own { self.environment().now() } else { node.seen_at },
                ended_at: node.ended_at,
            }
        };
        Ok(nodes.into_iter().map(view).collect())
    }

    /// Enters this node into the list and records its start.
    pub(crate) async fn node_starts(&self, context: &Context) -> Result<(), Error> {
        let mut link = self.link().await?;
        let size = log::state(&mut link).await?.size;
        let left = table::running(&mut link).await?;
        drop(link);
        let shared = self.0.store.is_shared();
        // A copy of a database names nodes that ran where it was made.
        let copied = self.settings().restored.is_some();
        let now = self.environment().now();
        let payload = types::ServiceStart {
            node_id: self.0.desk.node,
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            schema_version: Some(self.0.store.schema_version()),
            log_size: Some(size),
            clean: (!shared).then_some(left.is_empty()),
        };
        let draft = Draft::new(&payload)?.target(target(self.0.desk.node, &self.host()));
        let node = Node {
            id: self.0.desk.node,
            host: self.host(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state: "running".to_owned(),
            beat: 0,
            log_size: size,
            ahead: self.ahead(),
            started_at: now,
            seen_at: now,
            ended_at: None,
        };
        let scribe = self.scribe(context);
        self.0
            .store
            .transaction("node.start", move |tx: &mut Tx| {
                let (scribe, draft, node, left) =
                    (scribe.clone(), draft.clone(), node.clone(), left.clone());
                Box::pin(async move {
                    if !shared || copied {
                        for gone in left {
                            table::vanish(tx, gone.id, gone.beat, now).await?;
                        }
                    }
                    table::enter(tx, &node).await?;
                    scribe.record(tx, draft).map(|_| ())
                })
            })
            .await
    }

    /// Records that this node stops in order.
    pub(crate) async fn node_stops(&self) -> Result<(), Error> {
        let id = self.0.desk.node;
        let payload = types::ServiceStop {
            node_id: id,
            stopped_by: "signal".into(),
            uptime_s: self.0.started.elapsed().as_secs(),
        };
        let draft = Draft::new(&payload)?.target(target(id, &self.host()));
        let scribe = self.scribe(&Context::system(self.environment()));
        self.0
            .store
            .transaction("node.stop", move |tx: &mut Tx| {
                let (scribe, draft) = (scribe.clone(), draft.clone());
                Box::pin(async move {
                    table::stop(tx, id, scribe.now()).await?;
                    scribe.record(tx, draft).map(|_| ())
                })
            })
            .await
    }
}

fn target(id: NodeId, host: &str) -> Target {
    Target::new(TargetKind::Node, id).named(host)
}

impl Engine {
    /// How often this node shows that it lives.
    fn beat_interval(&self) -> Duration {
        BEAT_MAX.min(self.settings().takeover * 2 / 5)
    }

    /// What this node is called.
    pub(crate) fn host(&self) -> String {
        self.settings().node_name.clone().unwrap_or_else(machine)
    }
}

/// How many entries were sealed some beats ago. A node that knew as many at its last beat is as far
/// as it can be seen to be: its row is as old as that beat, and the log goes on meanwhile.
#[derive(Debug, Default)]
pub(crate) struct SealedBefore(Mutex<VecDeque<(Instant, u64)>>);

impl SealedBefore {
    /// So many are sealed now; what is needed for sizes of `ago` and of later is kept.
    fn note(&self, size: u64, ago: Duration) {
        let Ok(mut known) = self.0.lock() else { return };
        known.push_back((Instant::now(), size));
        while known.get(1).is_some_and(|(at, _)| at.elapsed() >= ago) {
            known.pop_front();
        }
    }

    /// How many were sealed that long ago, as far as this process can know.
    fn size(&self, ago: Duration) -> u64 {
        let Ok(known) = self.0.lock() else { return 0 };
        let old = known.iter().rev().find(|(at, _)| at.elapsed() >= ago);
        old.map_or(0, |(_, size)| *size)
    }
}

/// The name of this machine.
fn machine() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::fs::read_to_string("/etc/hostname"));
    let name = name.unwrap_or_default().trim().to_owned();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

/// Names and hosts of the nodes that work on a database: those whose beat moves while it is watched
/// for a few seconds. A copy of a database names nodes as running that are long gone.
///
/// # Errors
/// The store cannot be read.
pub async fn living(store: &Store) -> Result<Vec<(NodeId, String)>, Error> {
    let before = table::running(&mut store.read().await?).await?;
    if before.is_empty() || !store.is_shared() {
        return Ok(Vec::new());
    }
    tokio::time::sleep(WATCH).await;
    let after = table::running(&mut store.read().await?).await?;
    let lives = |node: &Node| has_moved(&before, node);
    Ok(after.into_iter().filter(lives).map(|node| (node.id, node.host)).collect())
}

/// Whether some node works on a database: answers as soon as one shows that it lives.
pub(crate) async fn lives(store: &Store) -> Result<bool, chancery_store::Error> {
    let before = table::running(&mut store.read().await?).await?;
    if before.is_empty() || !store.is_shared() {
        return Ok(false);
    }
    let end = Instant::now() + WATCH;
    while Instant::now() < end {
        tokio::time::sleep(WATCH / 50).await;
        let after = table::running(&mut store.read().await?).await?;
        if after.iter().any(|node| has_moved(&before, node)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn has_moved(before: &[Node], node: &Node) -> bool {
    let known = before.iter().find(|known| known.id == node.id);
    known.is_none_or(|known| known.beat != node.beat)
}

/// Shows that this node lives and watches the others, until `stop` is set.
pub(crate) async fn run(engine: Engine, mut stop: watch::Receiver<bool>) {
    if !engine.0.store.is_shared() {
        return;
    }
    let beat = engine.beat_interval();
    let mut watched = HashMap::new();
    loop {
        if let Err(error) = round(&engine, &mut watched).await {
            tracing::error!(%error, "this node could not show that it lives");
            // What was not seen is not held against anybody.
            watched.clear();
        }
        if tokio::time::timeout(beat, stop.wait_for(|stop| *stop)).await.is_ok() {
            return;
        }
    }
}

/// The beat of each node, and since when it has been that.
type Watched = HashMap<NodeId, (i64, Instant)>;

async fn round(engine: &Engine, watched: &mut Watched) -> Result<(), Error> {
    beat(engine).await?;
    let size = log::state(&mut engine.link().await?).await?.signed_size;
    engine.0.sealed_before.note(size, engine.beat_interval() * 2);
    let own = engine.0.desk.node;
    // A node whose beat has stood still for so long is gone.
    let patience = engine.settings().takeover * 2;
    let others = table::running(&mut engine.link().await?).await?;
    watched.retain(|id, _| others.iter().any(|node| node.id == *id));
    for node in others.into_iter().filter(|node| node.id != own) {
        match watched.get(&node.id) {
            Some((beat, since)) if *beat == node.beat => {
                if since.elapsed() >= patience {
                    declare_gone(engine, node).await?;
                }
            }
            _ => {
                watched.insert(node.id, (node.beat, Instant::now()));
            }
        }
    }
    Ok(())
}

async fn beat(engine: &Engine) -> Result<(), Error> {
    engine.0.store.look_at_clock().await?;
    let (id, known) = (engine.0.desk.node, (*engine.0.sealed.borrow(), engine.ahead()));
    let now = engine.environment().now();
    let counted = engine.0.store.transaction_in(Lane::First, "node.beat", move |tx: &mut Tx| {
        Box::pin(async move { table::beat(tx, id, known, now).await })
    });
    if counted.await? {
        return Ok(());
    }
    let scribe = engine.scribe(&Context::system(engine.environment()));
    let host = engine.host();
    engine
        .0
        .store
        .transaction("node.return", move |tx: &mut Tx| {
            let (scribe, host) = (scribe.clone(), host.clone());
            Box::pin(async move {
                let Some(since) = table::come_back(tx, id, scribe.now()).await? else {
                    return Ok(());
                };
                let away = scribe.now().since(since) / Timestamp::SECOND;
                let payload = types::NodeReturned {
                    node_id: id,
                    host,
                    away_s: u64::try_from(away).unwrap_or(0),
                };
                let draft = Draft::new(&payload)?.target(target(id, &payload.host));
                scribe.record(tx, draft).map(|_| ())
            })
        })
        .await
}

async fn declare_gone(engine: &Engine, gone: Node) -> Result<(), Error> {
    let scribe = engine.scribe(&Context::system(engine.environment()));
    let finder = engine.0.desk.node;
    tracing::warn!(node = %gone.id, host = gone.host, "a node has vanished");
    engine
        .0
        .store
        .transaction("node.vanish", move |tx: &mut Tx| {
            let (scribe, gone) = (scribe.clone(), gone.clone());
            Box::pin(async move {
                if !table::vanish(tx, gone.id, gone.beat, scribe.now()).await? {
                    return Ok(());
                }
                let payload = types::NodeVanished {
                    node_id: gone.id,
                    host: gone.host.clone(),
                    seen_at: gone.seen_at,
                    found_by: finder,
                };
                let draft = Draft::new(&payload)?.target(target(gone.id, &gone.host));
                scribe.record(tx, draft).map(|_| ())
            })
        })
        .await?;
    engine.0.jobs_waiting.notify_one();
    Ok(())
}
