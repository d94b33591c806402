//! Integration tests of the event crate, in one binary.

mod catalogue;
mod dialect;
mod foreign;
mod golden;
mod payload;
mod speed;

use std::path::{Path, PathBuf};

/// The folder of this crate.
fn crate_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a kept file with what it should hold; with `UPDATE=1` writes it instead.
fn check_kept(path: &Path, expected: &str) {
    if updating() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, expected).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == expected,
        "{} is not current: run `UPDATE=1 cargo test -p chancery-event`, look at the difference, \
         and commit it only if the type is not released yet",
        path.display()
    );
}

fn updating() -> bool {
    std::env::var_os("UPDATE").is_some_and(|value| value == "1")
}
