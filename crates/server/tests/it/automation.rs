//! `chancery config export | plan | diff | apply` against a running server, as a script uses it.

use chancery_engine::automation::file::read;

use crate::installation::{Installation, Server};

/// A rule on logins and tokens, an action, a trigger.
const FIRST: &str = r#"
[rule.failed]
filter = "outcome:success"

[action.warn]
[[action.warn.steps]]
step = "raise_alert"
kind = "token_made"
title = "A token was made"

[trigger.tokens]
event_types = ["token.create"]
rules = ["failed"]
actions = ["warn"]
"#;

#[test]
fn a_configuration_is_exported_planned_compared_and_applied() {
    let installation = Installation::prepared();
    let (admin, viewer) = (installation.token("administrator"), installation.token("viewer"));
    let server = Server::start(&installation);
    let file = installation.beside("automation.toml");
    let path = file.to_str().unwrap();
    let run = |arguments: &[&str]| server.run(&admin, arguments);

    // What is written out changes nothing when it is read.
    let exported = run(&["config", "export"]).well().out;
    run(&["config", "export", "--output", path]).well();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), exported);
    assert!(read(&exported).unwrap().len() > 10, "{exported}");
    let plan = run(&["config", "plan", path]).well();
    assert!(plan.out.starts_with("Nothing would change; revision "), "{plan:?}");

    // More objects: planned, compared with history, and only then applied.
    std::fs::write(&file, FIRST).unwrap();
    let plan = run(&["config", "plan", path]).well();
    for line in ["create  rule     failed", "create  action   warn", "create  trigger  tokens"] {
        assert!(plan.out.contains(line), "{plan:?}");
    }
    let before = run(&["config", "plan", path, "--json"]).well().document();
    let diff = run(&["config", "diff", path]).well();
    // The 300 tokens of the prepared log, and those of this test.
    assert!(diff.out.contains("302 of them concern a trigger; 302 verdicts differ"), "{diff:?}");
    assert!(diff.out.contains("token.create"), "{diff:?}");
    let later = run(&["config", "diff", path, "--from", "2100-01-01T00:00:00Z", "--json"]).well();
    assert_eq!(later.document()["differing"], 0);
    let applied = run(&["config", "apply", path]).well();
    assert!(applied.out.contains("create  trigger  tokens"), "{applied:?}");
    let again = run(&["config", "apply", path]).well();
    assert!(again.out.starts_with("Nothing changed; revision "), "{again:?}");
    let after = run(&["config", "plan", path, "--json"]).well().document();
    assert_eq!(after["revision"].as_i64(), before["revision"].as_i64().map(|n| n + 1));

    // A change shows its members, and what it would have done otherwise.
    std::fs::write(&file, FIRST.replace("outcome:success", "outcome:failure")).unwrap();
    let plan = run(&["config", "plan", path]).well();
    assert!(plan.out.contains("update  rule   failed  filter"), "{plan:?}");
    let diff = run(&["config", "diff", path]).well();
    assert!(diff.out.contains("302 verdicts differ"), "{diff:?}");

    // With --prune what the file does not have goes, and nothing half.
    let pruned = run(&["config", "apply", path, "--prune"]).well();
    assert!(pruned.out.contains("delete  monitor") && pruned.out.contains("update  rule"));
    let left = run(&["config", "export"]).well().out;
    assert_eq!(read(&left).unwrap().len(), 3, "{left}");

    // Who may only look applies nothing.
    let refused = server.run(&viewer, &["config", "apply", path]);
    assert_eq!(refused.status, 1, "{refused:?}");
    assert!(refused.err.contains("automation:write"), "{refused:?}");
}

#[test]
fn steps_that_differ_and_what_was_not_compared_are_told() {
    let installation = Installation::prepared();
    let admin = installation.token("administrator");
    let server = Server::start(&installation);
    let file = installation.beside("steps.toml");
    let path = file.to_str().unwrap();
    std::fs::write(&file, FIRST).unwrap();
    server.run(&admin, &["config", "apply", path]).well();
    let monitor = "[monitor.early]\nkind = \"certificate_expiry\"\nthresholds = [\"60d\"]\n\
                   schedule = { cron = \"0 6 * * *\", time_zone = \"UTC\" }\n";
    std::fs::write(&file, monitor).unwrap();
    let alone = server.run(&admin, &["config", "diff", path]).well().out;
    assert!(alone.contains("; 0 verdicts differ."), "{alone}");
    assert!(alone.contains("Changed as well, and not compared with history:"), "{alone}");
    assert!(alone.contains("monitor  early  monitors run by the clock"), "{alone}");
    let title = FIRST.replace("A token was made", "Somebody made a token");
    std::fs::write(&file, format!("{title}{monitor}")).unwrap();
    let both = server.run(&admin, &["config", "diff", path]).well().out;
    let (before, after) = ("(warning): A token was made", "(warning): Somebody made a token");
    let line = format!("matched: raises an alert {before}  matched: raises an alert {after}");
    assert!(both.contains(&line) && both.contains("monitor  early"), "{both}");
    std::fs::write(&file, &title).unwrap();
    let one = server.run(&admin, &["config", "diff", path]).well().out;
    assert!(one.contains(&line) && !one.contains("not compared"), "{one}");
}

#[test]
fn a_file_that_cannot_work_is_refused_at_its_place_and_changes_nothing() {
    let installation = Installation::prepared();
    let admin = installation.token("administrator");
    let server = Server::start(&installation);
    let file = installation.beside("broken.toml");
    let path = file.to_str().unwrap();
    let before = server.run(&admin, &["config", "export"]).well().out;
    for (text, said) in [
        (FIRST.replace("[\"warn\"]", "[\"other\"]"), "trigger/tokens#/actions/0"),
        (FIRST.replace("[\"warn\"]", "[\"other\"]"), "line 14: there is no action “other”"),
        (FIRST.replace("outcome:success", "outcome:sucess"), "rule/failed#/filter"),
        (FIRST.replace("[rule.failed]", "[rule.failed"), "line 2"),
        ("rule:\n  failed:\n    filter: outcome:success\n".to_owned(), "YAML"),
    ] {
        std::fs::write(&file, text).unwrap();
        for command in ["plan", "diff", "apply"] {
            let run = server.run(&admin, &["config", command, path]);
            assert_eq!(run.status, 1, "{command}: {run:?}");
            assert!(run.err.contains(said), "{command}: {run:?}");
        }
    }
    assert_eq!(server.run(&admin, &["config", "export"]).well().out, before);
    let missing = server.run(&admin, &["config", "plan", "/nowhere.toml"]);
    assert!(missing.status == 1 && missing.err.contains("/nowhere.toml"), "{missing:?}");
}
