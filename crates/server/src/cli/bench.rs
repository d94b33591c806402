//! `chancery bench`.

use clap::{Args, ValueEnum};

/// Measure this machine with throw-away data: recording, sealing, searching, verifying.
///
/// Absolute figures say little about another machine, so each is printed beside the raw speed of
/// the disc and the processor, as a ratio.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "\
Examples:
  chancery bench --quick
  chancery bench --size 1000000 --json > bench.json")]
pub struct BenchArguments {
    /// A short run that shows orders of magnitude.
    #[arg(long, conflicts_with = "size")]
    pub quick: bool,
    /// How many events to work with [default: 100000].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub size: Option<u64>,
    /// Only this part; may be given several times [default: all].
    #[arg(long, value_name = "PART")]
    pub part: Vec<Part>,
    /// Also ask at a hundredth and a tenth of the size: how do answers grow with the log and the
    /// inventory?
    #[arg(long)]
    pub growth: bool,
    /// Where the throw-away data go; the disc under it is what gets measured [default: the current
    /// directory].
    #[arg(long, value_name = "DIR")]
    pub dir: Option<std::path::PathBuf>,
    /// A data directory in which searching and starting are measured; it is filled up to the size,
    /// used again and kept. Not one of a server: made-up events go into its log.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["growth", "database"])]
    pub filled: Option<std::path::PathBuf>,
    /// A database on a PostgreSQL server to measure instead of the embedded one, beside INSERT of
    /// the same rows, and COPY where the URL names a socket of the machine; only writing and
    /// searching. Throw-away schemas are made there.
    #[arg(long, value_name = "URL")]
    pub database: Option<chancery_store::DatabaseUrl>,
    /// How many nodes record on that database, 1 to 8; callers take them in turn.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "database",
        value_parser = clap::value_parser!(u8).range(1..=8))]
    pub nodes: u8,
}

/// A part of the measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Recording, sealing, projecting.
    Writing,
    /// Uploads and imports.
    Inventory,
    /// Uploads over loopback HTTP.
    Http,
    /// Pages, facets, histograms and text search.
    Search,
    /// Lists, facets and bars of an inventory of that size; validation.
    Certificates,
    /// Deliveries, streams in batches, a thousand destinations of which a tenth hang.
    Deliveries,
    /// Verification, start, memory.
    Start,
}
