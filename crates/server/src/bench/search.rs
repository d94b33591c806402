//! What a reader waits for: pages, facets, histograms and text search over the events of the run,
//! and the proof of one event.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use chancery_engine::history::EventQuery;
use chancery_engine::{Context, Engine, bench};
use chancery_event::filter::Filter;
use chancery_event::{LogIndex, Timestamp};

use super::sample::Sample;
use super::{Figure, Place, Report};

/// Questions of each kind; fewer where they take long.
const TURNS: usize = 60;
/// How long the questions of one kind may take together.
const PATIENCE: Duration = Duration::from_secs(4);
/// Every declared field, alone and together; `{…}` stands for what the event in the middle of the
/// log has.
const QUERIES: [&str; 27] = [
    "",
    "type:certificate.uploaded severity:info",
    "severity>=warning",
    "outcome:failure",
    "kind:operation -type:certificate.*",
    "origin:ui",
    "time>-1h",
    LATELY.0,
    "time>-1h severity>=error",
    "actor:bench",
    "actor:nobody",
    "ip:192.0.2.7",
    "ip:192.0.2.8",
    "id:{id}",
    "certificate:{certificate}",
    "subject:{host}",
    "subject:*{host}*",
    "reason:*",
    "transaction:{id}",
    "index<1000",
    "node:nowhere",
    "\"example\"",
    "\"{host}\"",
    "certificate measured",
    "type:certificate.uploaded \"measured\"",
    "\"measured\" severity>=error",
    "{part}* type:certificate.uploaded",
];

/// What is asked of a short time, whose bars are of seconds, and that time; all others have bars of
/// half a day.
const LATELY: (&str, i64) = ("time>-5m", 5 * 60 * Timestamp::SECOND);
/// What bars are asked of.
const MONTH: i64 = 30 * Timestamp::DAY;

/// Asks in the directory that holds all events.
pub(super) async fn measure(place: &Place, report: &mut Report) -> Result<()> {
    let running = super::start_at(place).await?;
    let engine = running.engine().clone();
    let context = bench::context(engine.environment());
    super::writing::settled(&engine).await?;
    let size = engine.figures().await?.log_size;
    let bytes = bench::store(&engine).size_bytes().await?;
    report.note(&format!("— {size} events, {} MB —", bytes / 1_000_000));
    let middle = engine.event_at(&context, LogIndex(size / 2)).await?.event;
    let subject = middle.subject().context("the events of a run have a subject")?;
    let host = subject.name.clone().context("the events of a run have a name")?;
    let plain = plainly(&engine, &host).await?;
    for text in QUERIES {
        let text = text
            .replace("{host}", &host)
            .replace("{part}", host.split('.').next().unwrap_or_default())
            .replace("{id}", &middle.id.to_string())
            .replace("{certificate}", &subject.id);
        let filter = engine.parse_event_filter(&text)?;
        let what = if text.is_empty() { "everything" } else { &text };
        let beside = |figure: Figure, plain: Option<f64>| match plain.filter(|_| text.is_empty()) {
            Some(plain) => figure.beside(plain),
            None => figure,
        };
        let (mut pages, number) = pages(&engine, &context, &filter).await?;
        let figure = pages.figure(format!("page, {what} ({number}) [{size}]"));
        report.add([match plain[2].filter(|_| text == format!("\"{host}\"")) {
            Some(plain) => figure.beside(plain),
            None => figure,
        }]);
        let mut facets = repeated(async || {
            engine.event_facets(&context, &filter).await?;
            Ok(())
        })
        .await?;
        report
            .add([beside(facets.figure(format!("… count and facets, {what} [{size}]")), plain[0])]);
        let mut bars = repeated(async || {
            let now = engine.environment().now();
            let from = now.plus(-if text == LATELY.0 { LATELY.1 } else { MONTH });
            engine.event_bars(&context, &filter, (from, now), 60).await?;
            Ok(())
        })
        .await?;
        report.add([beside(bars.figure(format!("… histogram, {what} [{size}]")), plain[1])]);
    }
    proofs(&engine, &context, size, report).await?;
    report.add(super::start::memory("under load"));
    running.stop().await.context("stop")
}

async fn repeated(mut once: impl AsyncFnMut() -> Result<()>) -> Result<Sample> {
    let mut sample = Sample::default();
    once().await?;
    let begun = Instant::now();
    for _ in 0..TURNS {
        let started = Instant::now();
        once().await?;
        sample.push(started.elapsed());
        if begun.elapsed() > PATIENCE {
            break;
        }
    }
    Ok(sample)
}

async fn pages(engine: &Engine, context: &Context, filter: &Filter) -> Result<(Sample, usize)> {
    let mut found = 0;
    let sample = repeated(async || {
        let query = EventQuery {
            filter: filter.clone(),
            before: None,
            from: None,
            limit: 50,
            oldest_first: false,
        };
        found = engine.events(context, query).await?.events.len();
        Ok(())
    })
    .await?;
    Ok((sample, found))
}

/// Proofs of events all over the log.
async fn proofs(engine: &Engine, context: &Context, size: u64, report: &mut Report) -> Result<()> {
    let mut sample = Sample::default();
    for turn in 0..200_u64 {
        let index = LogIndex(turn * 7_919_003 % size);
        let id = engine.event_at(context, index).await?.event.id;
        let started = Instant::now();
        engine.proof(context, id).await?;
        sample.push(started.elapsed());
    }
    report.add([sample.figure(format!("inclusion proof [{size}]"))]);
    Ok(())
}

/// The same questions in plain SQL: facets, histogram, text; milliseconds, nothing for one that
/// took longer than the store allows.
async fn plainly(engine: &Engine, text: &str) -> Result<[Option<f64>; 3]> {
    let mut link = bench::store(engine).read().await?;
    let since = engine.environment().now().plus(-30 * Timestamp::DAY);
    let took = chancery_store::bench::event_questions(&mut link, since, text).await?;
    Ok(took.map(|took| took.map(|took| took.as_secs_f64() * 1e3)))
}
