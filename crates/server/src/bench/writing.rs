//! Events per second that are recorded, sealed and projected, beside a plain insertion of the same
//! rows; and how long an event waits for its checkpoint meanwhile.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use chancery_engine::{Context, Engine, bench};
use chancery_event::LogIndex;
use chancery_store::DatabaseUrl;
use chancery_store::bench::{Plain, Way};
use chancery_store::log::{self, Sealed};

use super::sample::Sample;
use super::{Figure, Place, Plan, Report, concurrently};

/// Connections of the plain insertion of single events.
const CONNECTIONS_MAX: usize = 32;

/// How the events of a run arrive.
#[derive(Clone, Copy)]
struct Load {
    /// Callers at once, each waiting for its own durable commit.
    callers: usize,
    /// Events in each caller's unit.
    unit: usize,
    events: u64,
}

/// Measures each kind of load in a directory of its own; answers the last one, which holds all
/// events of the plan.
pub(super) async fn measure(plan: &Plan, report: &mut Report) -> Result<PathBuf> {
    let mut dir = PathBuf::new();
    for load in loads(plan.size) {
        dir = measure_one(plan, report, load).await?;
    }
    Ok(dir)
}

fn loads(size: u64) -> [Load; 5] {
    [
        Load { callers: 1, unit: 1, events: (size / 20).clamp(500, 5_000) },
        Load { callers: 100, unit: 1, events: (size / 2).min(50_000) },
        Load { callers: 1_000, unit: 1, events: size.min(100_000) },
        Load { callers: 1, unit: 100, events: (size / 2).min(50_000) },
        Load { callers: 1, unit: 1_000, events: size },
    ]
}

/// Names of all places that [`measure`] makes.
pub(super) fn names() -> impl Iterator<Item = String> {
    loads(0).into_iter().flat_map(|Load { callers, unit, .. }| {
        ["write", "plain", "copy", "single"].map(|kind| format!("{kind}-{callers}-{unit}"))
    })
}

async fn measure_one(plan: &Plan, report: &mut Report, load: Load) -> Result<PathBuf> {
    let place = plan.place(&format!("write-{}-{}", load.callers, load.unit)).await?;
    let running = super::start_nodes(&place, plan.nodes).await?;
    let engines: Vec<Engine> = running.iter().map(|node| node.engine().clone()).collect();
    let engine = engines.first().context("there is a node")?.clone();
    let first = log::latest_index(&mut bench::store(&engine).read().await?).await?;
    let before = super::start::processor_seconds();
    let (rate, acknowledged, mut lag) = drive(&engines, load).await?;
    let spent = super::start::processor_seconds() - before;
    let batch = load.callers * load.unit;
    let rows = rows(&engine, first, load.events.min(50_000)).await?;
    for node in running {
        node.stop().await.context("stop")?;
    }
    let beside = plan.place(&format!("plain-{}-{}", load.callers, load.unit)).await?;
    let before = super::start::processor_seconds();
    let plain_rate = plain(&beside, &rows, batch, Way::Insert).await?;
    let plain_spent = super::start::processor_seconds() - before;
    let Load { callers, unit, .. } = load;
    let who = format!("{callers} × units of {unit}");
    report.add([
        Figure::new(format!("events durable, {who}"), acknowledged, "events/s"),
        Figure::new(format!("… sealed and searchable, {who}"), rate, "events/s").beside(plain_rate),
        Figure::new(
            format!("… processor time of an event, {who}"),
            spent * 1e6 / super::real(load.events),
            "µs",
        )
        .beside(plain_spent * 1e6 / super::real(rows.len() as u64)),
        Figure::new(format!("seal lag after commit, median, {who}"), lag.percentile_ms(50), "ms"),
        Figure::new(format!("seal lag after commit, p99, {who}"), lag.percentile_ms(99), "ms"),
    ]);
    // Over TCP the driver lets small packets be held back (RFC 896): each COPY then waits 40 ms for
    // an acknowledgement, which says nothing about COPY.
    let by_socket = plan.database.as_ref().is_some_and(DatabaseUrl::is_socket);
    if by_socket && batch >= 100 {
        let beside = plan.place(&format!("copy-{callers}-{unit}")).await?;
        let copied = plain(&beside, &rows, batch, Way::Copy).await?;
        let what = format!("… beside COPY, {who}");
        report.add([Figure::new(what, rate, "events/s").beside(copied)]);
    }
    if plan.database.is_some() && callers > 1 {
        let beside = plan.place(&format!("single-{callers}-{unit}")).await?;
        let connections = callers.min(CONNECTIONS_MAX);
        let single = singly(&beside, rows, connections).await?;
        let what = format!("… beside single INSERTs on {connections} connections, {who}");
        report.add([Figure::new(what, rate, "events/s").beside(single)]);
    }
    Ok(place.dir)
}

/// Brings a directory to so many events, without measuring.
pub(super) async fn fill(place: &Place, size: u64) -> Result<()> {
    let running = super::start_at(place).await?;
    let engine = running.engine();
    let context = bench::context(engine.environment());
    let have = engine.figures().await?.log_size;
    for unit in 0..size.saturating_sub(have).div_ceil(1_000) {
        bench::record(engine, &context, 1_000).await?;
        // What is recorded faster than it is sealed and projected would pile up.
        if unit % 100 == 99 {
            settled(engine).await?;
        }
    }
    settled(engine).await?;
    running.stop().await.context("stop")
}

/// Events per second until all are searchable, until all are durable, and the seal lag.
async fn drive(engines: &[Engine], load: Load) -> Result<(f64, f64, Sample)> {
    let engine = engines.first().context("there is a node")?;
    let context = Arc::new(bench::context(engine.environment()));
    let stop = Arc::new(AtomicBool::new(false));
    let prober = tokio::spawn(probe(engine.clone(), context.clone(), stop.clone()));
    let started = Instant::now();
    let recording = engines.to_vec();
    let turns = load.events / load.unit as u64;
    concurrently(load.callers, turns, move |turn| {
        let node = usize::try_from(turn).unwrap_or(0) % recording.len();
        let (engine, context) = (recording.get(node).cloned(), context.clone());
        async move {
            let engine = engine.context("there is a node")?;
            Ok(bench::record(&engine, &context, load.unit).await.map(|_| ())?)
        }
    })
    .await?;
    let acknowledged = super::per_second(load.events, started);
    stop.store(true, Ordering::Relaxed);
    settled(engine).await?;
    let rate = super::per_second(load.events, started);
    Ok((rate, acknowledged, prober.await.context("probe")??))
}

/// Records single events beside the load and takes the time from each commit to its checkpoint.
pub(super) async fn probe(
    engine: Engine,
    context: Arc<Context>,
    stop: Arc<AtomicBool>,
) -> Result<Sample> {
    let mut sample = Sample::default();
    let mut sealed = engine.sealed();
    while !stop.load(Ordering::Relaxed) {
        let ids = bench::record(&engine, &context, 1).await?;
        let committed = Instant::now();
        let id = *ids.first().context("an event has an identifier")?;
        loop {
            sealed.mark_unchanged();
            let mut link = bench::store(&engine).read().await?;
            if log::by_id(&mut link, id).await?.is_some() {
                break;
            }
            drop(link);
            sealed.changed().await?;
        }
        sample.push(committed.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(sample)
}

/// Waits until everything recorded is sealed and projected.
pub(super) async fn settled(engine: &Engine) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(600);
    anyhow::ensure!(engine.settle(Duration::from_secs(600)).await, "the log does not settle");
    loop {
        let mut link = bench::store(engine).read().await?;
        if chancery_store::bench::projected(&mut link).await?
            >= log::latest_index(&mut link).await?
        {
            return Ok(());
        }
        drop(link);
        anyhow::ensure!(Instant::now() < deadline, "the projection does not catch up");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn rows(engine: &Engine, first: LogIndex, count: u64) -> Result<Vec<Sealed>> {
    let mut link = bench::store(engine).read().await?;
    Ok(log::range(&mut link, first, usize::try_from(count)?).await?)
}

/// Rows per second of the plain insertion.
async fn plain(place: &Place, rows: &[Sealed], batch: usize, way: Way) -> Result<f64> {
    let settings = match &place.database {
        Some(url) => chancery_store::Settings::postgres(url.clone()),
        None => chancery_store::Settings::embedded(&place.dir),
    };
    let mut plain = Plain::of(&settings, way).await?;
    let started = Instant::now();
    for batch in rows.chunks(batch) {
        plain.insert_events(batch).await?;
    }
    Ok(super::per_second(rows.len() as u64, started))
}

/// Rows per second where each is inserted by itself, with its own durable commit, on connections
/// side by side: what pgbench does with such a transaction.
async fn singly(place: &Place, rows: Vec<Sealed>, connections: usize) -> Result<f64> {
    let url = place.database.clone().context("a database on a server")?;
    let settings = chancery_store::Settings::postgres(url);
    let mut plain = Vec::new();
    for _ in 0..connections {
        plain.push(Plain::of(&settings, Way::Insert).await?);
    }
    let rows = Arc::new(rows);
    // The first one makes the part of the log that the others write to.
    if let (Some(plain), Some(first)) = (plain.first_mut(), rows.first()) {
        plain.insert_events(std::slice::from_ref(first)).await?;
    }
    let started = Instant::now();
    let mut working = tokio::task::JoinSet::new();
    for (number, mut plain) in plain.into_iter().enumerate() {
        let rows = rows.clone();
        working.spawn(async move {
            for row in rows.iter().skip(1 + number).step_by(connections) {
                plain.insert_events(std::slice::from_ref(row)).await?;
            }
            Ok::<(), chancery_store::Error>(())
        });
    }
    while let Some(done) = working.join_next().await {
        done.context("insert")??;
    }
    Ok(super::per_second(rows.len() as u64, started))
}
