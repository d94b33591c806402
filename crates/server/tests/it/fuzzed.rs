//! Every parser that meets strangers' bytes, with the corpus of its fuzz target and with mutations
//! of it: none panics, each keeps its promises.
//!
//! `CHANCERY_FULL=1` makes fifty times as many mutations; `CHANCERY_SEED` repeats a run.

#[path = "../../../../fuzz/src/lib.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use chancery_event::environment::{Entropy as _, SeededEntropy};

/// Mutations of each input.
const MUTATIONS: usize = 20;
/// Inputs of a target are smaller than this after any mutation.
const SIZE_MAX: usize = 64 * 1_024;

struct Chance(std::sync::Arc<SeededEntropy>);

impl Chance {
    fn below(&self, bound: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        usize::try_from(u64::from_le_bytes(bytes) % bound.max(1) as u64).unwrap()
    }

    /// A few changes, one after another.
    fn mutated(&self, input: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = input.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let many = self.below(16) + 1;
            match self.below(7) {
                0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                1 if !bytes.is_empty() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
                2 => bytes.truncate(at),
                3 => drop(bytes.drain(at..(at + many).min(bytes.len()))),
                4 => {
                    let part = bytes[at..(at + many).min(bytes.len())].to_vec();
                    bytes.splice(at..at, part);
                }
                5 => {
                    let from = self.below(other.len());
                    let part = other[from..(from + 4 * many).min(other.len())].to_vec();
                    bytes.splice(at..at, part);
                }
                _ => bytes.insert(at.min(bytes.len()), u8::try_from(self.below(256)).unwrap()),
            }
        }
        bytes.truncate(SIZE_MAX);
        bytes
    }
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(paths.len() >= 10, "{target} has hardly any corpus");
    paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn no_parser_breaks_its_promises_on_the_corpus_and_mutations_of_it() {
    let full = std::env::var("CHANCERY_FULL").is_ok_and(|value| value == "1");
    let seed = std::env::var("CHANCERY_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(7);
    let chance = Chance(SeededEntropy::new(seed));
    for (name, run) in targets::TARGETS {
        let corpus = corpus(name);
        let check = |input: &[u8]| {
            let ended = catch_unwind(AssertUnwindSafe(|| run(input)));
            assert!(ended.is_ok(), "{name} (CHANCERY_SEED={seed}): {}", input.escape_ascii());
        };
        for input in &corpus {
            check(input);
            for _ in 0..MUTATIONS * if full { 50 } else { 1 } {
                check(&chance.mutated(input, &corpus[chance.below(corpus.len())]));
            }
        }
    }
}
