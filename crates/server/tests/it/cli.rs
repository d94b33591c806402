//! The commands as people and scripts use them.

use crate::installation::Installation;

#[test]
fn usage_is_told_with_status_two() {
    let installation = Installation::new();
    for arguments in [&["nonsense"][..], &["token"], &["verify", "--export", "a", "--proof", "b"]] {
        let run = installation.run(arguments);
        assert_eq!(run.status, 2, "{arguments:?} {run:?}");
    }
}

#[test]
fn a_server_must_be_named_and_be_there() {
    let installation = Installation::new();
    let run = installation.run(&["events", "list"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.err.contains("CHANCERY_URL"), "{run:?}");
    let run = installation.run(&["events", "list", "--server", "http://127.0.0.1:9"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.err.contains("cannot reach http://127.0.0.1:9"), "{run:?}");
}

#[test]
fn tokens_without_a_server() {
    let installation = Installation::new();
    let run = installation.run(&["token", "create", "first", "--role", "auditor"]).well();
    assert!(run.out.starts_with("chy_") && run.out.lines().count() == 1, "{run:?}");
    assert!(run.err.contains("working directly in the data directory"), "{run:?}");
    let run = installation.run(&["token", "create", "second", "--json"]).well();
    let second = run.document();
    let list = installation.run(&["token", "list", "--json"]).well().document();
    let names: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|item| item["name"].clone()).collect();
    assert_eq!(names, ["second", "first"]);
    assert!(!list.to_string().contains(second["token"].as_str().unwrap()));

    let id = second["id"].as_str().unwrap();
    installation.run(&["token", "revoke", id]).well();
    let run = installation.run(&["token", "revoke", id]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.err.contains("revoked already"), "{run:?}");
    let run = installation.run(&["token", "list"]).well();
    assert!(run.out.contains("revoked") && run.out.contains("auditor"), "{run:?}");

    let run = installation.run(&["token", "create", "x", "--role", "emperor"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.err.contains("administrator, operator, auditor, viewer"), "{run:?}");
    // Every one of these is in the log.
    let (status, document) = installation.verify();
    assert_eq!(status, 0, "{document:#}");
}

#[test]
fn a_backup_is_a_data_directory_that_goes_on() {
    let installation = Installation::prepared();
    let copy = Installation::new();
    let destination = copy.data_dir_text();
    let running = crate::installation::Server::start(&installation);
    let run = installation.run(&["backup", &destination]).well();
    assert!(run.out.contains("Verified:"), "{run:?}");
    drop(running);

    use std::os::unix::fs::MetadataExt as _;
    let mode = |path: &str| {
        std::fs::metadata(copy.data_dir().join(path)).unwrap().mode() & 0o777
    };
    assert_eq!((mode("keys/log.json"), mode("")), (0o600, 0o700));

    let before = copy.verify().1;
    // A restore is a start: the same log goes on.
    copy.token("auditor");
    let after = copy.verify().1;
    assert_eq!(before["key"], after["key"]);
    assert!(after["size"].as_u64() > before["size"].as_u64(), "{before:#} {after:#}");

    let run = installation.run(&["backup", &destination]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.err.contains("is not empty"), "{run:?}");
    let nothing = Installation::new();
    let target = nothing.beside("copy");
    let run = nothing.run(&["backup", target.to_str().unwrap()]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(!target.exists());
}

#[test]
fn a_backup_of_a_damaged_log_says_so() {
    use chancery_store::tamper::{Damage, tamper};
    let installation = Installation::prepared();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(tamper(&installation.data_dir(), Damage::Entry(77))).unwrap();
    let target = installation.beside("copy");
    let run = installation.run(&["backup", target.to_str().unwrap(), "--json"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert_eq!(run.document()["verification"]["fault"]["index"], 77);
}

#[test]
fn the_catalogue_needs_no_server() {
    let installation = Installation::new();
    let run = installation.run(&["catalogue", "list", "token."]).well();
    assert!(run.out.contains("token.create"), "{run:?}");
    let run = installation.run(&["catalogue", "show", "nonsense"]);
    assert_eq!(run.status, 1, "{run:?}");
}
