//! `chancery bench`: what the guides tell people to run measures what it says, on each engine.

use chancery_throwaway::server;
use serde_json::Value;

use crate::installation::Installation;

/// Runs it with a thousand events; answers the names of what was measured, with their figures.
fn measured(dir: &std::path::Path, arguments: &[&str]) -> Vec<(String, f64)> {
    let installation = Installation::new();
    let dir = dir.display().to_string();
    let run = installation
        .run(&[&["bench", "--json", "--size", "1000", "--dir", &dir], arguments].concat());
    assert_eq!(run.status, 0, "{run:?}");
    let report: Value = serde_json::from_str(&run.out).unwrap();
    let figures = report["figures"].as_array().unwrap();
    let figure = |figure: &Value| {
        (figure["name"].as_str().unwrap().to_owned(), figure["value"].as_f64().unwrap())
    };
    figures.iter().map(figure).collect()
}

fn has(figures: &[(String, f64)], start: &str) -> bool {
    figures.iter().any(|(what, value)| what.starts_with(start) && *value > 0.0)
}

#[test]
fn the_embedded_engine_is_measured_and_nothing_stays() {
    let dir = tempfile::tempdir().unwrap();
    let parts = ["--part", "writing", "--part", "http", "--part", "search", "--part", "start"];
    let figures = measured(dir.path(), &parts);
    for start in [
        "events durable, 100 ×",
        "… sealed and searchable, 1 ×",
        "seal lag after commit, p99",
        "uploads over HTTP",
        "events over HTTP, one a request, 1024",
        "page, everything (50)",
        "… count and facets, actor:bench",
        "… histogram, everything",
        "inclusion proof",
        "start to ready",
    ] {
        assert!(has(&figures, start), "{start}: {figures:?}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_directory_that_is_filled_is_measured_again_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let filled = dir.path().join("filled").display().to_string();
    for _ in 0..2 {
        let figures = measured(dir.path(), &["--part", "search", "--filled", &filled]);
        assert!(has(&figures, "page, everything (50) [10"), "{figures:?}");
    }
    assert!(dir.path().join("filled/chancery.db").exists());
}

#[test]
fn a_server_is_measured_and_what_is_not_measured_there_is_refused() {
    let (dir, name) = (tempfile::tempdir().unwrap(), server().database(None));
    let url = server().url(&name);
    let on_it = ["--database", &url, "--part", "writing", "--part", "search"];
    let figures = measured(dir.path(), &on_it);
    for start in ["… sealed and searchable, 1000 ×", "… beside single INSERTs", "page, everything"]
    {
        assert!(has(&figures, start), "{start}: {figures:?}");
    }
    let left = server().sql(&name, "\\dn");
    assert!(!left.contains("chancery_bench"), "{left}");

    let installation = Installation::new();
    for (part, said) in [("http", "--part http is not measured"), ("start", "--part start")] {
        let run = installation.run(&["bench", "--database", &url, "--part", part]);
        assert_eq!(run.status, 1, "{run:?}");
        assert!(run.err.contains(said), "{run:?}");
    }
}
