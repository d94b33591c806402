//! Tasks of the house: `cargo xtask tidy` holds the written rules, `cargo xtask test` runs
//! everything, `cargo xtask tools` installs what the tests drive.
//!
//! Read in this order: `suite` (what `test` does), `tidy` (the rules that are checked by reading
//! the files), `directions` (which crate may know which). Nothing here is part of the product, and
//! nothing here may change a file of the repository.

mod directions;
mod readme;
mod suite;
mod tidy;
mod tools;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
Usage: cargo xtask <task>

  test [--full]   everything that must hold before a change is pushed, cheap steps first;
                  --full also takes the long form of the tests that have one
  tidy [FOLDER]   the rules of the house that are checked by reading the files
  tools           installs what the tests drive: a browser, openssl, axe-core
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["test"] => suite::run(&root(), false),
        ["test", "--full"] => suite::run(&root(), true),
        ["tidy"] => tidy::run(&root()),
        ["tools"] => suite::programs(&root()),
        ["tidy", folder] => tidy::run(Path::new(folder)),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => bail!("no such task: {}\n\n{USAGE}", words.join(" ")),
    }
}

/// The root of the repository: the folder above this crate.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap_or_else(|_| ".".into())
}
