//! Deliveries to a fast receiver with every attempt on record, streams in batches, and a thousand
//! destinations of which a tenth hang.
//!
//! Receivers live in threads of their own in this process and take their share of its processors.
//! What is compared with: the same posts, signed, with one durable row each and nothing else; the
//! same lines in a file; the same thousand destinations with none that hangs.

mod nats;
mod plain;
mod receiver;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use chancery_deliver::Senders;
use chancery_engine::configuration::{LabelClass, LabelDraft};
use chancery_engine::delivery::{Class, DeliveryQuery, DestinationEdit};
use chancery_engine::net::Network;
use chancery_engine::{Context, Engine, Running, Settings, bench};
use chancery_event::{Environment, LogIndex};
use chancery_store::log;
use chancery_store::table::delivery::Attempt;
use serde_json::{Value, json};

use super::sample::Sample;
use super::{Figure, Plan, Report};
use receiver::{Manner, Receiver};

/// What forwarders select: what [`bench::record`] records.
const SELECTED: &str = "certificate.uploaded";
/// Events of one batch.
const BATCH: usize = 1_000;
/// Events that each of many destinations gets.
const EACH: u64 = 20;
/// Longest wait for anything.
const LIMIT: Duration = Duration::from_secs(300);

/// Measures all of it.
pub(super) async fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    streams(plan, report).await?;
    let many = if plan.size < 10_000 { 100 } else { 1_000 };
    let healthy = crowd(&plan.dir("crowd-well")?, many, 0).await?;
    let hanging = crowd(&plan.dir("crowd-hanging")?, many, many / 10).await?;
    let who = format!("{many} destinations, {} hang", many / 10);
    let Crowd { seconds, mut quiet, mut busy } = hanging;
    let Crowd { seconds: well, busy: mut beside, .. } = healthy;
    let count = (many - many / 10) * EACH;
    report.add([
        Figure::new(format!("{who}: the others have {EACH} each"), seconds, "s")
            .beside(well * super::real(many - many / 10) / super::real(many)),
        Figure::new("… deliveries to those others", super::real(count) / seconds, "/s")
            .beside(super::real(many * EACH) / well),
        Figure::new("… an operation meanwhile, median", busy.percentile_ms(50), "ms")
            .beside(beside.percentile_ms(50)),
        Figure::new("… an operation meanwhile, 95th", busy.percentile_ms(95), "ms")
            .beside(beside.percentile_ms(95)),
        Figure::new("… an operation, nothing to deliver, median", quiet.percentile_ms(50), "ms"),
    ]);
    report.add(super::start::memory("after deliveries"));
    report.add(super::start::peak());
    Ok(())
}

async fn start(dir: &Path) -> Result<Running> {
    let here = ["127.0.0.1/32"].map(str::parse).into_iter().collect::<Result<Vec<_>, _>>();
    let network = Network::new(here.ok().context("a range of addresses")?);
    let settings = Settings {
        allow_unencrypted_key: true,
        sender: Some(Arc::new(Senders::new(network, dir.join("forwarders")))),
        ..Settings::new(dir)
    };
    Engine::start(settings, Environment::system()).await.context("the engine does not start")
}

/// Makes a forwarder of the events of [`bench::record`].
async fn forward(
    engine: &Engine,
    name: &str,
    kind: &str,
    settings: Value,
    (start, batch): (Option<u64>, Option<usize>),
) -> Result<()> {
    let context = Context::command_line(engine.environment());
    let mut body = json!({ "kind": kind, "settings": settings,
        "select": { "event_types": [SELECTED] } });
    if let Some(batch) = batch {
        body["batch_max"] = batch.into();
    }
    let edit = DestinationEdit { body, start, ..DestinationEdit::default() };
    engine.create_destination(&context, Class::Forwarder, name, edit).await?;
    Ok(())
}

/// One forwarder at a time, over events that are in the log already.
async fn streams(plan: &Plan, report: &mut Report) -> Result<()> {
    let singles = plan.size.min(20_000);
    let dir = plan.dir("deliveries")?;
    let running = start(&dir).await?;
    let engine = running.engine().clone();
    let recording = bench::context(engine.environment());
    let first = log::latest_index(&mut bench::store(&engine).read().await?).await?.0;
    for _ in 0..plan.size.div_ceil(1_000) {
        bench::record(&engine, &recording, 1_000).await?;
    }
    super::writing::settled(&engine).await?;
    let size = *engine.sealed().borrow();
    let last = start_of(&engine, size, singles).await?;
    let receiver = Receiver::start(Manner::Answers)?;
    let hook = json!({ "url": receiver.url() });
    let before = super::start::processor_seconds();
    let started = Instant::now();
    forward(&engine, "single", "webhook", hook, (Some(last), None)).await?;
    drained(&engine, "single", size).await?;
    let rate = super::per_second(singles, started);
    let spent = super::start::processor_seconds() - before;
    ensure!(receiver.requests() == singles, "{} requests came", receiver.requests());
    let model = attempt(&engine).await?;
    let rates = batches(plan, &engine, (first, size), &receiver, report).await?;
    report.add(super::start::memory("after streams"));
    report.add(super::start::peak());

    // From here on the measurement itself holds all events in memory.
    let entries = entries(&engine, first, size).await?;
    let bodies = entries.iter().rev().take(usize::try_from(singles)?).cloned().collect();
    let before = super::start::processor_seconds();
    let posts = plain::posts(&plan.dir("plain-posts")?, receiver.address, bodies, &model).await?;
    let plain_spent = super::start::processor_seconds() - before;
    let bodies = entries.chunks(BATCH).map(<[Vec<u8>]>::concat).collect();
    let beside = plan.dir("plain-batches")?;
    let batched = plain::posts(&beside, receiver.address, bodies, &model).await?;
    let batched = batched * super::real(BATCH as u64);
    let lines = plain::lines(&plan.dir("plain-lines")?.join("plain.ndjson"), &entries, BATCH)?;
    let each = |seconds: f64| seconds * 1e6 / super::real(singles);
    report.add([
        Figure::new("deliveries, one event each, attempts on record", rate, "/s").beside(posts),
        Figure::new("… processor time of a delivery, receiver's too", each(spent), "µs")
            .beside(each(plain_spent)),
        Figure::new(format!("webhook, batches of {BATCH}"), rates.webhook, "events/s")
            .beside(batched),
        Figure::new(format!("NDJSON file, batches of {BATCH}, synced"), rates.file, "events/s")
            .beside(lines),
    ]);
    if let Some(nats) = rates.nats {
        report.add([Figure::new(format!("NATS, batches of {BATCH}, acked"), nats, "events/s")]);
    }
    running.stop().await.context("stop")
}

/// The index from which on the log has `count` of the events that forwarders select.
async fn start_of(engine: &Engine, size: u64, count: u64) -> Result<u64> {
    // The program itself records a few meanwhile.
    let from = LogIndex(size.saturating_sub(count + 1_000));
    let mut link = bench::store(engine).read().await?;
    let found = log::of_types(&mut link, (from, LogIndex(size)), &[SELECTED], usize::MAX >> 1);
    let found = found.await?;
    let at = found.len().checked_sub(usize::try_from(count)?).context("too few events")?;
    Ok(found.get(at).context("an event")?.index().0)
}

/// The bytes of the events that forwarders select.
async fn entries(engine: &Engine, first: u64, size: u64) -> Result<Vec<Vec<u8>>> {
    let mut link = bench::store(engine).read().await?;
    let (mut from, mut entries) = (first, Vec::new());
    while from < size {
        let range = (LogIndex(from), LogIndex((from + 1_000).min(size)));
        let found = log::of_types(&mut link, range, &[SELECTED], 1_000).await?;
        entries.extend(found.iter().map(|one| one.entry().to_vec()));
        from += 1_000;
    }
    Ok(entries)
}

/// Events per second of streams in batches.
struct Rates {
    webhook: f64,
    file: f64,
    nats: Option<f64>,
}

/// Streams of batches, each with a forwarder of its own over the whole of it.
async fn batches(
    plan: &Plan,
    engine: &Engine,
    (first, size): (u64, u64),
    receiver: &Receiver,
    report: &mut Report,
) -> Result<Rates> {
    let server = nats::start(&plan.dir("nats")?)?;
    let stream = async |kind: &str, settings: Value| {
        let started = Instant::now();
        forward(engine, kind, kind, settings, (Some(first), Some(BATCH))).await?;
        drained(engine, kind, size).await?;
        Ok::<_, anyhow::Error>(super::per_second(plan.size, started))
    };
    let webhook = stream("webhook", json!({ "url": receiver.url() })).await?;
    let file = stream("file", json!({ "file": "bench" })).await?;
    let nats = match server {
        None => {
            report.note("nats-server is not on this machine: JetStream was not measured");
            None
        }
        Some(server) => {
            let address = server.address.to_string();
            let settings = json!({ "address": address, "subject": "chancery.events" });
            Some(stream("nats", settings).await?)
        }
    };
    Ok(Rates { webhook, file, nats })
}

/// Waits until a forwarder has looked at the log up to `size` and nothing waits.
async fn drained(engine: &Engine, name: &str, size: u64) -> Result<()> {
    let context = Context::command_line(engine.environment());
    let deadline = Instant::now() + LIMIT;
    loop {
        let view = engine.destination(&context, Class::Forwarder, name).await?;
        let why = view.row.course.last_error.unwrap_or_default();
        ensure!(view.row.course.failures == 0, "deliveries to {name} fail: {why}");
        if view.row.next_index.0 >= size && view.backlog.waiting == 0 {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{name} does not come to the end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// An attempt as the engine keeps it.
async fn attempt(engine: &Engine) -> Result<Attempt> {
    let context = Context::command_line(engine.environment());
    let newest = engine.deliveries(&context, DeliveryQuery::default(), 1).await?;
    let newest = newest.first().context("a delivery")?;
    let mut attempts = engine.delivery(&context, newest.id).await?.attempts;
    attempts.pop().context("an attempt")
}

/// What came of many destinations.
struct Crowd {
    /// Until those that answer had everything.
    seconds: f64,
    /// Operations before anything was delivered.
    quiet: Sample,
    /// Operations while it was.
    busy: Sample,
}

/// Makes `many` destinations of which `hanging` never answer, records what all of them get, and
/// waits until the others have it.
async fn crowd(dir: &Path, many: u64, hanging: u64) -> Result<Crowd> {
    let running = start(dir).await?;
    let engine = running.engine().clone();
    let (well, badly) = (Receiver::start(Manner::Answers)?, Receiver::start(Manner::Hangs)?);
    for number in 0..many {
        let hangs = hanging > 0 && number % (many / hanging) == 0;
        let url = if hangs { badly.url() } else { well.url() };
        let name = format!("d{number}");
        forward(&engine, &name, "webhook", json!({ "url": url }), (None, None)).await?;
    }
    super::writing::settled(&engine).await?;
    let mut quiet = Sample::default();
    for number in 0..200 {
        quiet.push(operation(&engine, &format!("quiet {number}")).await?);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let (probed, until) = (engine.clone(), stop.clone());
    let probing = tokio::spawn(async move {
        let mut sample = Sample::default();
        let mut number = 0;
        while !until.load(Ordering::Relaxed) {
            sample.push(operation(&probed, &format!("busy {number}")).await?);
            number += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok::<_, anyhow::Error>(sample)
    });
    let recording = bench::context(engine.environment());
    let started = Instant::now();
    bench::record(&engine, &recording, usize::try_from(EACH)?).await?;
    well.until((many - hanging) * EACH, LIMIT).await?;
    let seconds = started.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    let busy = probing.await.context("operations")??;
    // Who hangs would be waited for.
    drop(badly);
    running.stop().await.context("stop")?;
    Ok(Crowd { seconds, quiet, busy })
}

/// How long an operation takes until it is durable and answered.
async fn operation(engine: &Engine, name: &str) -> Result<Duration> {
    let context = Context::command_line(engine.environment());
    let draft = LabelDraft { name: name.to_owned(), description: String::new() };
    let started = Instant::now();
    engine.create_label(&context, LabelClass::Group, draft).await?;
    Ok(started.elapsed())
}
