//! What a reader waits for: pages, facets, histograms and text search over the events of the run.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use chancery_engine::bench;
use chancery_engine::history::EventQuery;
use chancery_event::{LogIndex, Timestamp};

use super::sample::Sample;
use super::{Figure, Report};

/// Questions of each kind.
const TURNS: usize = 60;
/// What people type, and what it shows of the store: nothing, one indexed column, a word that all
/// events have, a word that one event has, text and column.
const QUERIES: [&str; 5] = [
    "",
    "type:certificate.uploaded severity:info",
    "\"example\"",
    "\"{host}\"",
    "type:certificate.uploaded \"measured\"",
];

/// Asks in the directory that holds all events.
pub(super) async fn measure(dir: &Path, report: &mut Report) -> Result<()> {
    let running = super::start(dir).await?;
    let engine = running.engine().clone();
    let context = bench::context(engine.environment());
    super::writing::settled(&engine).await?;
    let size = engine.figures().await?.log_size;
    let middle = engine.event_at(&context, LogIndex(size / 2)).await?;
    let host = middle.event.subject().and_then(|subject| subject.name.clone());
    let host = host.context("the events of a run have a name")?;
    let now = engine.environment().now();
    for text in QUERIES {
        let text = text.replace("{host}", &host);
        let (mut pages, mut facets, mut histograms) = <(Sample, Sample, Sample)>::default();
        let filter = engine.parse_event_filter(&text)?;
        for _ in 0..TURNS {
            let query = EventQuery {
                filter: filter.clone(),
                before: None,
                from: None,
                limit: 50,
                oldest_first: false,
            };
            let started = Instant::now();
            let page = engine.events(&context, query).await?;
            pages.push(started.elapsed());
            anyhow::ensure!(!page.events.is_empty(), "“{text}” finds nothing");
            let started = Instant::now();
            engine.event_facets(&context, &filter).await?;
            facets.push(started.elapsed());
            let started = Instant::now();
            let from = now.plus(-30 * Timestamp::DAY);
            engine.event_histogram(&context, &filter, from, now, 60).await?;
            histograms.push(started.elapsed());
        }
        let what = if text.is_empty() { "everything" } else { &text };
        for (name, mut sample) in [("page", pages), ("facets", facets), ("histogram", histograms)] {
            for percent in [50, 95] {
                let name = format!("{name} p{percent}, {what}");
                report.add([Figure::new(name, sample.percentile_ms(percent), "ms")]);
            }
        }
    }
    running.stop().await.context("stop")
}
