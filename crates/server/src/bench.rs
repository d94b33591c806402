//! `chancery bench`: what this machine does, measured with throw-away data in one run.
//!
//! Every figure that has a plain counterpart is printed beside it, with the ratio: the counterpart
//! writes the very rows that the engine wrote, into the same tables with the same durability, and
//! does nothing else. Nothing of this touches a real data directory.

mod certificates;
mod deliveries;
mod http;
mod inventory;
mod report;
mod sample;
mod search;
mod start;
mod writing;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use chancery_engine::{Engine, Running, Settings};
use chancery_event::Environment;
use chancery_store::DatabaseUrl;
use clap::ValueEnum as _;

pub use report::{Figure, Report};

use crate::cli::bench::{BenchArguments, Part};

/// What to measure, and where.
pub(crate) struct Plan {
    /// Directory of the throw-away data; removed at the end.
    root: PathBuf,
    /// Events to work with.
    size: u64,
    /// Where throw-away schemas are made instead.
    database: Option<DatabaseUrl>,
    /// How many nodes record.
    nodes: usize,
}

/// Where an engine is started: a directory, and where that is wanted a schema on a server.
#[derive(Clone, Default)]
pub(crate) struct Place {
    dir: PathBuf,
    database: Option<DatabaseUrl>,
}

impl Plan {
    /// An empty directory for one part of the run.
    fn dir(&self, name: &str) -> Result<PathBuf> {
        let dir = self.root.join(name);
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(dir)
    }

    /// An empty place for one part of the run.
    async fn place(&self, name: &str) -> Result<Place> {
        let dir = self.dir(name)?;
        let Some(url) = &self.database else { return Ok(Place { dir, database: None }) };
        let made = chancery_store::bench::throw_away(url, &schema(name)).await?;
        Ok(Place { dir, database: Some(made) })
    }

    /// Removes what a place has on a server.
    async fn remove(&self, name: &str) -> Result<()> {
        match &self.database {
            Some(url) => Ok(chancery_store::bench::remove(url, &schema(name)).await?),
            None => Ok(()),
        }
    }
}

fn schema(name: &str) -> String {
    format!("chancery_bench_{}_{}", std::process::id(), name.replace('-', "_"))
}

impl Drop for Plan {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

/// Measures and prints.
///
/// # Errors
/// The directory cannot be written, or a part of the run failed.
pub async fn run(arguments: &BenchArguments, json: bool) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("signals")?;
    tokio::select! {
        // Whichever ends first, the throw-away data go with it.
        measured = measure(arguments, json) => measured,
        _ = terminate.recv() => bail!("it was told to stop"),
        _ = tokio::signal::ctrl_c() => bail!("it was interrupted"),
    }
}

async fn measure(arguments: &BenchArguments, json: bool) -> Result<()> {
    let size = arguments.size.unwrap_or(if arguments.quick { 10_000 } else { 100_000 }).max(1_000);
    let parent = match &arguments.dir {
        Some(dir) => dir.clone(),
        None => std::env::current_dir().context("the current directory")?,
    };
    ensure!(parent.is_dir(), "there is no directory {}", parent.display());
    let root = parent.join(format!("chancery-bench-{}", std::process::id()));
    let plan = Plan {
        root,
        size,
        database: arguments.database.clone(),
        nodes: usize::from(arguments.nodes.max(1)),
    };
    let mut report = Report::new(size, json);
    if cfg!(debug_assertions) {
        report.note("This is a debug build: the figures say nothing. Build with --release.");
    }
    report.add(start::disc(&plan.dir("disc")?)?);
    let wanted = |part| arguments.part.is_empty() || arguments.part.contains(&part);
    if plan.database.is_some() {
        check_for_server(arguments)?;
        return on_server(&plan, &wanted, report).await;
    }
    let mut dir = PathBuf::new();
    if wanted(Part::Writing) {
        dir = writing::measure(&plan, &mut report).await?;
    }
    let sizes = match arguments.growth {
        true => vec![(size / 100).max(1_000), (size / 10).max(1_000), size],
        false => vec![size],
    };
    if wanted(Part::Inventory) {
        inventory::measure(&plan, &mut report).await?;
    }
    if wanted(Part::Http) {
        http::measure(&plan, &mut report).await?;
    }
    if wanted(Part::Deliveries) {
        deliveries::measure(&plan, &mut report).await?;
    }
    if wanted(Part::Search) || wanted(Part::Start) {
        if let Some(filled) = &arguments.filled {
            dir = filled.clone();
            std::fs::create_dir_all(&dir)
                .with_context(|| format!("cannot make {}", dir.display()))?;
        } else if arguments.growth || !wanted(Part::Writing) {
            dir = plan.dir("filled")?;
        }
        for size in &sizes {
            writing::fill(&Place { dir: dir.clone(), database: None }, *size).await?;
            if wanted(Part::Start) {
                start::measure(&dir, *size == plan.size, &mut report).await?;
            }
            if wanted(Part::Search) {
                search::measure(&Place { dir: dir.clone(), database: None }, &mut report).await?;
            }
        }
        if arguments.filled.is_none() {
            std::fs::remove_dir_all(&dir)?;
        }
    }
    if wanted(Part::Certificates) {
        for size in sizes {
            certificates::measure(&plan, size, &mut report).await?;
        }
    }
    report.finish()
}

/// Whether all that is asked for is measured on a server.
fn check_for_server(arguments: &BenchArguments) -> Result<()> {
    let here = [Part::Writing, Part::Search];
    if let Some(part) = arguments.part.iter().find(|part| !here.contains(part)) {
        let part = part.to_possible_value().map(|value| value.get_name().to_owned());
        bail!(
            "--part {} is not measured on a server: --database takes writing and search",
            part.unwrap_or_default()
        );
    }
    ensure!(!arguments.growth, "--growth is not measured on a server");
    Ok(())
}

/// What is measured on a server.
async fn on_server(plan: &Plan, wanted: &dyn Fn(Part) -> bool, mut report: Report) -> Result<()> {
    let work = async {
        if wanted(Part::Writing) {
            writing::measure(plan, &mut report).await?;
        }
        if wanted(Part::Search) {
            let place = plan.place("filled").await?;
            writing::fill(&place, plan.size).await?;
            search::measure(&place, &mut report).await?;
        }
        Ok::<(), anyhow::Error>(())
    };
    let measured = work.await;
    let mut removed = Ok(());
    for name in writing::names().chain(["filled".to_owned()]) {
        removed = removed.and(plan.remove(&name).await);
    }
    // What failed first says why the removal did.
    measured?;
    removed?;
    report.finish()
}

/// Starts an engine on `place`, and further nodes on its database.
async fn start_nodes(place: &Place, nodes: usize) -> Result<Vec<Running>> {
    let mut running = vec![start_at(place).await?];
    for number in 1..nodes {
        let dir = place.dir.join(format!("node-{number}"));
        let keys = dir.join("keys");
        std::fs::create_dir_all(&keys)?;
        for file in std::fs::read_dir(place.dir.join("keys"))? {
            let file = file?;
            std::fs::copy(file.path(), keys.join(file.file_name()))?;
        }
        running.push(start_at(&Place { dir, database: place.database.clone() }).await?);
    }
    Ok(running)
}

/// Starts an engine on `dir`.
async fn start(dir: &Path) -> Result<Running> {
    start_at(&Place { dir: dir.to_owned(), database: None }).await
}

/// Starts an engine at a place.
async fn start_at(place: &Place) -> Result<Running> {
    let database = place.database.clone();
    let settings = Settings { allow_unencrypted_key: true, database, ..Settings::new(&place.dir) };
    Engine::start(settings, Environment::system()).await.context("the engine does not start")
}

/// Runs `work` for `callers` at once until each has taken its turns: `turns` in all.
async fn concurrently<F, W>(callers: usize, turns: u64, work: W) -> Result<()>
where
    W: Fn(u64) -> F + Send + Sync + 'static,
    F: Future<Output = Result<()>> + Send,
{
    let work = Arc::new(work);
    let next = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..callers {
        let (work, next) = (work.clone(), next.clone());
        tasks.spawn(async move {
            loop {
                let turn = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if turn >= turns {
                    return Ok::<(), anyhow::Error>(());
                }
                work(turn).await?;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.context("a caller")??;
    }
    Ok(())
}

/// How many per second, when `count` took the time since `started`.
fn per_second(count: u64, started: std::time::Instant) -> f64 {
    real(count) / started.elapsed().as_secs_f64().max(1e-9)
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn real(count: u64) -> f64 {
    count as f64
}
