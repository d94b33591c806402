//! Which crate may know which, checked against `cargo metadata`.
//!
//! The edges are those of ARCHITECTURE.md. A new edge is a decision, not an accident: it is made by
//! changing the table below, in a commit of its own.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// A crate and the crates of ours it may use. Lower layers first.
const EDGES: [(&str, &[&str]); 11] = [
    ("throwaway", &[]),
    ("event", &[]),
    ("seal", &[]),
    ("pki", &[]),
    ("store", &["event", "seal"]),
    ("engine", &["store", "pki", "seal", "event"]),
    ("protocol", &["engine", "pki", "seal", "event"]),
    ("deliver", &["engine", "pki", "seal", "event"]),
    ("web", &["engine", "pki", "seal", "event"]),
    ("server", &["protocol", "web", "deliver", "engine", "store", "pki", "seal", "event"]),
    (
        "testkit",
        &["protocol", "web", "deliver", "engine", "store", "pki", "seal", "event", "throwaway"],
    ),
];

/// The edges among the three that face the world: they never see each other, not even in tests.
const FACES: [&str; 3] = ["protocol", "web", "deliver"];
/// Crates that do no input and output, and what would let them.
const PURE: [&str; 3] = ["event", "seal", "pki"];
const IMPURE: [&str; 6] = ["tokio", "sqlx", "axum", "reqwest", "hyper", "rusqlite"];
const PREFIX: &str = "chancery-";

/// A line for every dependency that goes the wrong way in the workspace under `root`.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root)
        .output()
        .context("cannot run cargo metadata")?;
    let message = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo metadata failed: {message}");
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    Ok(violations(&metadata))
}

fn violations(metadata: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for package in array(&metadata["packages"]) {
        let name = text(&package["name"]);
        let short = name.strip_prefix(PREFIX).unwrap_or(name);
        if short != "xtask" && !EDGES.iter().any(|(known, _)| *known == short) {
            found.push(format!("{name} has no place in the table of directions"));
        }
        for dependency in array(&package["dependencies"]) {
            let to = text(&dependency["name"]);
            let is_test_only = dependency["kind"].as_str() == Some("dev");
            let reason = match to.strip_prefix(PREFIX) {
                Some(ours) => refused_edge(short, ours, is_test_only),
                None => refused_library(short, to, is_test_only),
            };
            if let Some(reason) = reason {
                found.push(format!("{name} may not depend on {to}: {reason}"));
            }
        }
    }
    found
}

fn refused_edge(from: &str, to: &str, is_test_only: bool) -> Option<&'static str> {
    if to == "testkit" {
        return (!is_test_only).then_some("test equipment is a dev-dependency");
    }
    if FACES.contains(&from) && FACES.contains(&to) {
        return Some("what faces the world never sees each other");
    }
    let is_allowed = allowed(from).contains(&to);
    // Tests may reach further down, never up.
    let is_lower = position(to) < position(from) && from != "xtask";
    let passes = is_allowed || is_test_only && is_lower;
    (!passes).then_some("it is not an edge of the table of directions")
}

fn refused_library(from: &str, to: &str, is_test_only: bool) -> Option<&'static str> {
    if is_test_only {
        return None;
    }
    if PURE.contains(&from) && IMPURE.contains(&to) {
        return Some("this crate does no input and output");
    }
    (["sqlx", "rusqlite"].contains(&to) && from != "store")
        .then_some("SQL belongs to the store alone")
}

fn allowed(from: &str) -> &'static [&'static str] {
    EDGES.iter().find(|(name, _)| *name == from).map_or(&[], |(_, to)| to)
}

fn position(name: &str) -> usize {
    EDGES.iter().position(|(known, _)| *known == name).unwrap_or(usize::MAX)
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_workspace_keeps_its_directions() {
        let found = check(&crate::root()).unwrap();
        assert!(found.is_empty(), "\n{}", found.join("\n"));
    }

    fn with(from: &str, to: &str, kind: Option<&str>) -> usize {
        let dependency = json!({ "name": to, "kind": kind });
        let package = json!({ "name": from, "dependencies": [dependency] });
        violations(&json!({ "packages": [package] })).len()
    }

    #[test]
    fn edges_outside_the_table_are_refused() {
        for (from, to) in [
            ("chancery-event", "chancery-seal"),
            ("chancery-store", "chancery-pki"),
            ("chancery-engine", "chancery-web"),
            ("chancery-web", "chancery-store"),
            ("chancery-web", "chancery-protocol"),
            ("chancery-web", "chancery-testkit"),
            ("chancery-testkit", "chancery-server"),
            ("chancery-engine", "chancery-server"),
            ("xtask", "chancery-event"),
        ] {
            assert_eq!(with(from, to, None), 1, "{from} -> {to}");
        }
        assert_eq!(with("chancery-web", "chancery-deliver", Some("dev")), 1);
        assert_eq!(with("chancery-store", "chancery-engine", Some("dev")), 1);
        assert_eq!(with("chancery-unknown", "serde", None), 1);
    }

    #[test]
    fn edges_of_the_table_pass() {
        for (from, to) in [
            ("chancery-server", "chancery-store"),
            ("chancery-web", "chancery-engine"),
            ("chancery-store", "chancery-seal"),
            ("chancery-testkit", "chancery-engine"),
        ] {
            assert_eq!(with(from, to, None), 0, "{from} -> {to}");
        }
        assert_eq!(with("chancery-event", "chancery-testkit", Some("dev")), 0);
        assert_eq!(with("chancery-web", "chancery-store", Some("dev")), 0);
    }

    #[test]
    fn pure_crates_stay_pure() {
        assert_eq!(with("chancery-seal", "tokio", None), 1);
        assert_eq!(with("chancery-pki", "reqwest", None), 1);
        assert_eq!(with("chancery-seal", "tokio", Some("dev")), 0);
        assert_eq!(with("chancery-web", "sqlx", None), 1);
        assert_eq!(with("chancery-store", "sqlx", None), 0);
        assert_eq!(with("chancery-engine", "rusqlite", None), 1);
    }
}
