//! The bare disc, verification of everything, the way from start to ready, and memory.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use chancery_engine::bench;

use super::{Figure, Report};

/// How many small durable appends the disc takes: the ceiling of everything that commits one by
/// one.
pub(super) fn disc(dir: &Path) -> Result<[Figure; 1]> {
    let mut file = std::fs::File::create(dir.join("append"))?;
    let (started, mut appends) = (Instant::now(), 0_u32);
    while started.elapsed() < Duration::from_secs(1) {
        file.write_all(&[7; 4_096])?;
        file.sync_data()?;
        appends += 1;
    }
    let rate = f64::from(appends) / started.elapsed().as_secs_f64();
    Ok([Figure::new("durable appends of 4 KiB, one after another", rate, "/s")])
}

/// Starts an engine on `dir`; verifies the log if `whole`.
pub(super) async fn measure(dir: &Path, whole: bool, report: &mut Report) -> Result<()> {
    let started = Instant::now();
    let running = super::start(dir).await?;
    let ready = started.elapsed().as_secs_f64() * 1_000.0;
    let engine = running.engine();
    let size = engine.figures().await?.log_size;
    report.add([Figure::new(format!("start to ready [{size}]"), ready, "ms")]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    report.add(memory("idle"));
    if whole {
        let context = bench::context(engine.environment());
        let started = Instant::now();
        let size = engine.verify_log(&context).await?.count;
        let rate = super::per_second(size, started);
        report.add([Figure::new(format!("full verification, {size} entries"), rate, "entries/s")]);
    }
    running.stop().await.context("stop")
}

/// Resident memory of this process, in megabytes, where the system tells: its own, and pages of the
/// database that are mapped, which the system takes back when it needs them.
pub(super) fn memory(when: &str) -> Vec<Figure> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let parts = [("RssAnon:", "memory"), ("RssFile:", "mapped pages of files")];
    let figure = |(key, name): (&str, &str)| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(Figure::new(format!("{name}, {when}"), kib * 1_024.0 / 1e6, "MB"))
    };
    parts.into_iter().filter_map(figure).collect()
}

/// The most memory that this process had at any time, where the system tells.
pub(super) fn peak() -> Option<Figure> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(Figure::new("memory, most at any time, with mapped files", kib * 1_024.0 / 1e6, "MB"))
}

/// Processor time that this process has taken, in seconds to the hundredth; 0 where the system does
/// not tell.
pub(super) fn processor_seconds() -> f64 {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return 0.0 };
    // proc(5): the name may hold anything; after it, user and system time are fields 14 and 15.
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks =
        after.split_whitespace().skip(11).take(2).filter_map(|text| text.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}
