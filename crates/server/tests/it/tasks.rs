//! What runs by the clock and in the background, on the command line.

use crate::installation::{Installation, Server};

#[test]
fn monitors_are_listed_run_paused_and_resumed() {
    let installation = Installation::new();
    let token = installation.token("administrator");
    let server = Server::start(&installation);
    let run = |arguments: &[&str]| server.run(&token, &[&["monitors"], arguments].concat());
    let all = run(&["list"]).well().out;
    assert!(all.starts_with("MONITOR") && all.contains("certificate-expiry"), "{all}");
    let ran = run(&["run", "certificate-expiry"]).well().out;
    assert!(ran.starts_with("succeeded: ") && ran.contains(" reported"), "{ran}");
    assert_eq!(run(&["pause", "certificate-expiry"]).well().out, "certificate-expiry: paused\n");
    let paused = run(&["list", "state:off", "--json"]).well().document();
    assert_eq!(paused.as_array().map(Vec::len), Some(1), "{paused}");
    assert_eq!(paused[0]["name"], "certificate-expiry");
    let resumed = run(&["resume", "certificate-expiry", "--json"]).well().document();
    assert_eq!(resumed["paused"], false, "{resumed}");
    let wrong = run(&["list", "colour:red"]);
    assert!(wrong.status == 1 && wrong.err.contains("colour"), "{wrong:?}");
    let unknown = run(&["pause", "nobody"]);
    assert!(unknown.status == 1 && unknown.err.contains("nobody"), "{unknown:?}");
    server.stop();
}

#[test]
fn schedules_queue_jobs_that_are_waited_for_shown_and_tried_again() {
    let installation = Installation::new();
    let token = installation.token("administrator");
    let blocked = installation.beside("file");
    std::fs::write(&blocked, "no directory").unwrap();
    let wish = format!("backup_dir={}", blocked.join("backups").display());
    let server = Server::start_with(&installation, &[&wish]);
    let run = |arguments: &[&str]| server.run(&token, arguments);
    let listed = run(&["schedules", "list", "job:log.verify"]).well().out;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let waited = run(&["schedules", "run", "log-verification", "--wait", "--json"]).well();
    assert_eq!(waited.err, "", "progress is shown on terminals alone");
    let job = waited.document();
    assert_eq!((&job["state"], &job["kind"]), (&"success".into(), &"log.verify".into()));
    let id = job["id"].as_str().unwrap();
    let shown = run(&["jobs", "show", id]).well().out;
    assert!(shown.contains("schedule/log-verification") && shown.contains(id), "{shown}");
    let list = run(&["jobs", "list", "by:schedule/log-verification"]).well().out;
    assert!(list.contains(id) && list.contains("log.verify"), "{list}");
    let over = run(&["jobs", "cancel", id]);
    assert!(over.status == 1 && !over.err.is_empty(), "{over:?}");
    assert_eq!(
        run(&["schedules", "pause", "log-verification"]).well().out,
        "log-verification: paused\n"
    );
    run(&["schedules", "resume", "log-verification"]).well();
    // A job that fails is told by the exit status, and can be tried again.
    let failing = run(&["backup"]);
    assert_eq!(failing.status, 1, "{failing:?}");
    let failed = run(&["jobs", "list", "state:failed", "-n", "1", "--json"]).well().document();
    let id = failed[0]["id"].as_str().unwrap();
    let again = run(&["jobs", "retry", id]).well().out;
    assert!(again.starts_with(id), "{again}");
    server.stop();
}
