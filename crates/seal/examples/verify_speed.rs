//! Measures how fast a log is built and verified on one core.
//!
//! `cargo run --release -p chancery-seal --example verify_speed [entries]`

use std::borrow::Cow;
use std::convert::Infallible;
use std::error::Error;
use std::time::Instant;

use chancery_seal::checkpoint::{Checkpoint, Trust};
use chancery_seal::hash::leaf_hash;
use chancery_seal::key::Signer;
use chancery_seal::range::{Exported, range_proof, verify_entries};
use chancery_seal::tile::{BundleId, TileId};
use chancery_seal::tree::Edge;
use chancery_seal::verify::{LogSource, verify_log};
use chancery_seal::{Hash, TileSource, bundle};

/// Bytes of an entry.
const ENTRY: usize = 600;

/// Tiles in memory; entries are made up as they are asked for.
struct Log {
    tiles: std::collections::HashMap<TileId, Vec<u8>>,
    bundle: Vec<u8>,
    checkpoint: Vec<u8>,
}

impl TileSource for Log {
    type Error = Infallible;

    fn tile(&self, id: TileId) -> Result<Option<Cow<'_, [u8]>>, Infallible> {
        self.tiles.tile(id)
    }
}

impl LogSource for Log {
    fn checkpoint(&self) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(Some(self.checkpoint.clone()))
    }

    fn bundle(&self, id: BundleId) -> Result<Option<Cow<'_, [u8]>>, Infallible> {
        let bytes = usize::from(id.width()) * (ENTRY + 2);
        Ok(self.bundle.get(..bytes).map(Cow::Borrowed))
    }
}

fn report(what: &str, count: usize, since: Instant) {
    let seconds = since.elapsed().as_secs_f64();
    println!("{what:<28} {:>10.0} /s   ({count} in {seconds:.3} s)", count as f64 / seconds);
}

fn main() -> Result<(), Box<dyn Error>> {
    let count: usize = std::env::args().nth(1).map_or(Ok(2_000_000), |text| text.parse())?;

    // The same 256 entries over and over: the work is the same as with different ones.
    let entries: Vec<Vec<u8>> =
        (0..256).map(|n| (0..ENTRY).map(|at| (at * 7 + n) as u8).collect()).collect();
    let start = Instant::now();
    let leaves: Vec<Hash> = (0..count).map(|n| leaf_hash(&entries[n % 256])).collect();
    report("leaf hashes, 600 bytes", count, start);

    let start = Instant::now();
    let mut edge = Edge::empty();
    let full = edge.append_many(leaves);
    report("appends", count, start);

    let start = Instant::now();
    let root = edge.root();
    println!("{:<28} {:>10.0} us", "root of the edge", start.elapsed().as_secs_f64() * 1e6);

    let signer = Signer::from_seed("example.com/log", &[1; 32])?;
    let checkpoint = Checkpoint::new("example.com/log", edge.size(), root)?;
    let log = Log {
        tiles: full
            .into_iter()
            .chain(edge.partial_tiles())
            .map(|tile| (tile.id, tile.bytes))
            .collect(),
        bundle: bundle::encode(&entries)?,
        checkpoint: checkpoint.sign(&[&signer])?.to_string().into_bytes(),
    };
    let trust = Trust::new("example.com/log", vec![signer.verifier().clone()]);
    let start = Instant::now();
    verify_log(&log, &trust, |_| {})?;
    report("entries verified (log)", count, start);

    let (from, to) = (edge.size() / 10, edge.size());
    let proof = range_proof(&log, from, to, edge.size())?;
    let export = (from..to).map(|n| {
        let entry = &entries[(n % 256) as usize];
        Ok::<_, Infallible>(Exported { entry, leaf: None })
    });
    let start = Instant::now();
    verify_entries(&proof, &root, export, |_| {})?;
    report("entries verified (export)", (to - from) as usize, start);
    Ok(())
}
