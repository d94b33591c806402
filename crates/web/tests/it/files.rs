//! The page for files of automation: downloaded, planned, compared with history, applied, refused.

use axum::http::Method;
use chancery_engine::Role;
use chancery_testkit::{Answer, TestServer};
use serde_json::{Value, json};
use std::time::Duration;

use super::automation::{upload, weak};
use super::browser::{Browser, form};

const HOME: &str = "/automation/files";
const APPLY: &str = "/automation/files/apply";

/// A rule, an action and a trigger, and a certificate that they placed.
async fn world() -> TestServer {
    let server = TestServer::start().await;
    weak(&server).await;
    upload(&server, "www.prod.example").await;
    assert!(server.engine().reacted(Duration::from_secs(60)).await);
    server.settle().await;
    server
}

async fn exported(server: &TestServer) -> String {
    server.get("/api/v1/automation/export").send().await.expect(200).text()
}

/// Sends the form with a text in its box and no file.
async fn paste(session: &mut Browser<'_>, path: &str, text: &str, more: &[(&str, &str)]) -> Answer {
    // As browsers send line breaks.
    let text = text.replace('\n', "\r\n");
    let mut fields = vec![("file_text", text.as_str()), ("days", "0")];
    fields.extend_from_slice(more);
    session.send_file(path, &fields, ("file", ""), b"").await
}

/// Objects that history says nothing about, and with them a step that is another one.
const BESIDE: &str = r#"
[rule.unused]
filter = "severity:info"

[notification_template.short]
subject = "S"
text = "T"

[notification_profile.quiet]
recipients = ["owner"]

[trigger.off]
enabled = false
event_types = ["certificate.update"]
actions = ["place"]

[monitor.early]
kind = "certificate_expiry"
thresholds = ["60d"]
schedule = { cron = "0 6 * * *", time_zone = "UTC" }

[schedule.nightly]
job_kind = "log.verify"
cron = "0 2 * * *"
time_zone = "UTC"

[action.place]
[[action.place.steps]]
step = "set_path"
path = "/other"
[[action.place.steps]]
step = "raise_alert"
kind = "prod"
title = "{object.cn} came in"
message = "Look at it."
"#;

/// Answers the question of a page.
async fn answer(session: &mut Browser<'_>, asked: &str) -> Answer {
    let fields = form(asked, APPLY);
    let fields: Vec<_> = fields
        .iter()
        .filter(|(name, _)| name != "csrf")
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    session.send_file(APPLY, &fields, ("file", ""), b"").await
}

#[tokio::test]
async fn a_file_is_downloaded_planned_compared_and_applied() {
    let server = world().await;
    let before = exported(&server).await;
    let other = before.replace("*.prod.example", "*.test.example");
    let mut session = Browser::sign_in_as(&server, Role::Administrator).await;
    let page = session.get("/automation").await.expect(200).text();
    assert!(page.contains("href=\"/automation/files\""), "{page}");
    let page = session.get(HOME).await.expect(200).text();
    let download = "href=\"/api/v1/automation/export?format=toml\" download=\"automation.toml\"";
    assert!(page.contains(download) && page.contains("*.prod.example"), "{page}");
    let begun = session.get("/automation/files?begin=present").await.expect(200).text();
    let fields = form(&begun, HOME);
    let text = fields.iter().find(|(name, _)| name == "file_text").unwrap();
    assert_eq!(text.1.trim_start_matches('\n'), before);
    let same = paste(&mut session, HOME, &before, &[]).await.expect(200).text();
    assert!(same.contains("Nothing would change"), "{same}");

    // A file that is chosen takes the place of the text, and stays in the form.
    let fields = [("file_text", "no file"), ("do", "plan")];
    let file = ("file", "automation.toml");
    let plan = session.send_file(HOME, &fields, file, other.as_bytes()).await.expect(200).text();
    assert!(plan.contains("1 change: 1 changed") && plan.contains("rule prod"), "{plan}");
    assert!(plan.contains("<del>object.cn:*.prod.example</del>"), "{plan}");
    assert!(plan.contains("<ins>object.cn:*.test.example</ins>"), "{plan}");
    let kept = form(&plan, HOME);
    assert!(kept.iter().any(|(name, text)| name == "file_text" && text.contains("*.test.example")));
    // Without pruning nothing goes, with it everything else.
    let rule = "[rule.prod]\nfilter = \"object.cn:*.prod.example\"\n";
    let kept = paste(&mut session, HOME, rule, &[]).await.expect(200).text();
    assert!(kept.contains("Nothing would change"), "{kept}");
    let pruned =
        paste(&mut session, HOME, "[rule.new]\nfilter = \"severity:info\"\n", &[("prune", "1")]);
    let pruned = pruned.await.expect(200).text();
    assert!(pruned.contains("4 changes: 1 new, 3 deleted"), "{pruned}");

    let told = paste(&mut session, HOME, &other, &[("do", "behaviour")]).await.expect(200).text();
    assert!(told.contains("1 verdict differs from") && told.contains("prod"), "{told}");
    let later = [("do", "behaviour"), ("from", "2100-01-01T00:00:00Z")];
    let later = paste(&mut session, HOME, &other, &later).await.expect(200).text();
    assert!(later.contains("0 events") && later.contains("No verdict differs"), "{later}");

    // Asked about, and only then done.
    let asked = paste(&mut session, APPLY, &other, &[]).await.expect(200).text();
    assert!(asked.contains("Apply this file?") && asked.contains("Apply 1 change"), "{asked}");
    assert_eq!(exported(&server).await, before);
    let done = answer(&mut session, &asked).await;
    let done = session.follow(done).await.expect(200).text();
    assert!(done.contains("Applied: 1 change; revision "), "{done}");
    assert_eq!(exported(&server).await, other);
    server.finish().await;
}

#[tokio::test]
async fn an_answer_holds_for_the_revision_that_was_asked_about() {
    let server = world().await;
    let mut session = Browser::sign_in_as(&server, Role::Administrator).await;
    session.get(HOME).await.expect(200);
    let asked = paste(&mut session, APPLY, "", &[("prune", "1")]).await.expect(422).text();
    assert!(
        asked.contains("Choose a file, or paste one"),
        "an empty file deletes nothing: {asked}"
    );
    let wanted = "[rule.prod]\nfilter = \"object.cn:*.test.example\"\n";
    let asked = paste(&mut session, APPLY, wanted, &[]).await.expect(200).text();
    let change = json!({ "body": { "filter": "object.cn:*.example" } });
    let call = server.call(Method::PUT, "/api/v1/automation/rules/prod").bearer(server.admin());
    call.json(&change).send().await.expect(200);
    let late = answer(&mut session, &asked).await.expect(422).text();
    assert!(late.contains("Somebody changed the automation after you were asked"), "{late}");
    assert!(exported(&server).await.contains("object.cn:*.example"));
    // An answer to no question does nothing either.
    let bare = paste(&mut session, APPLY, wanted, &[("sure", "1")]).await.expect(422).text();
    assert!(bare.contains("load the page again"), "{bare}");
    server.finish().await;
}

#[tokio::test]
async fn what_is_wrong_stands_at_the_file_with_its_line_and_nothing_changes() {
    let server = world().await;
    let before = exported(&server).await;
    let mut session = Browser::sign_in_as(&server, Role::Administrator).await;
    session.get(HOME).await.expect(200);
    let trigger = "# Ours\n\n[trigger.x]\nevent_types = [\"certificate.update\"]\nactions = [\n  \"no\",\n]\n";
    for (text, said, line) in [
        ("[rule.a]\nfilter = \n", "Line 2: ", Some("→ 2  filter = ")),
        ("[rule.a]\nfilter = \"object.colour:red\"\n", "Line 2: ", Some("→ 2  filter")),
        (trigger, "Line 6: there is no action “no” (trigger x, actions/0)", Some("→ 6")),
        (
            "[rule.a]\nfilter = \"severity:info\"\nenabled = 1\n",
            "Line 3: expected true or false",
            Some("→ 3"),
        ),
        ("[colour.a]\n", "There is no class “colour”", None),
        ("rule:\n  a:\n    filter: x\n", "This is YAML", None),
        (" \n", "Choose a file, or paste one", None),
    ] {
        for (path, what) in [(HOME, "plan"), (HOME, "behaviour"), (APPLY, "apply")] {
            let wrong = paste(&mut session, path, text, &[("do", what)]).await.expect(422).text();
            assert!(wrong.contains("id=\"file-error\"") && wrong.contains(said), "{text}: {wrong}");
            assert!(wrong.contains("aria-invalid=\"true\""), "{wrong}");
            assert!(line.is_none_or(|line| wrong.contains(line)), "{text}: {wrong}");
        }
    }
    let bytes = session.send_file(HOME, &[], ("file", "a.toml"), b"\xff\xfe").await.expect(422);
    assert!(bytes.text().contains("This file is no text"), "{}", bytes.text());
    for (from, to, said) in [
        ("yesterday", "", "A time such as"),
        ("", "soon", "A time such as"),
        ("2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z", "after the beginning"),
    ] {
        let span = [("do", "behaviour"), ("from", from), ("to", to)];
        let wrong = paste(&mut session, HOME, &before, &span).await.expect(422).text();
        assert!(wrong.contains(said) && !wrong.contains("id=\"file-error\""), "{wrong}");
    }
    assert_eq!(exported(&server).await, before);
    // The API names the same line.
    let plan =
        server.post("/api/v1/automation/plan").json(&json!({ "toml": trigger })).send().await;
    let plan: Value = plan.expect(422).json();
    assert_eq!(plan["field"], "trigger/x#/actions/0");
    assert!(plan["detail"].as_str().unwrap().contains("line 6: there is no action “no”"), "{plan}");
    server.finish().await;
}

#[tokio::test]
async fn everybody_sees_what_their_role_allows() {
    let server = world().await;
    let before = exported(&server).await;
    let other = before.replace("*.prod.example", "*.test.example");
    let forms = "name=\"file_text\"";
    let apply = "formaction=\"/automation/files/apply\"";
    let mut viewer = Browser::sign_in_as(&server, Role::Viewer).await;
    let page = viewer.get(HOME).await.expect(200).text();
    assert!(page.contains("download=\"automation.toml\"") && !page.contains(forms), "{page}");
    assert!(page.contains("administrators apply it"), "{page}");
    viewer.open("/api/v1/automation/export?format=toml").await;
    for path in [HOME, APPLY] {
        paste(&mut viewer, path, &other, &[]).await.expect(403);
    }
    for role in [Role::Auditor, Role::Operator] {
        let mut session = Browser::sign_in_as(&server, role).await;
        let page = session.get(HOME).await.expect(200).text();
        assert!(page.contains(forms) && !page.contains(apply), "{role}: {page}");
        let plan = paste(&mut session, HOME, &other, &[]).await.expect(200).text();
        assert!(plan.contains("1 change"), "{role}: {plan}");
        paste(&mut session, HOME, &other, &[("do", "behaviour")]).await.expect(200);
        for more in [&[][..], &[("sure", "1"), ("revision", "3")]] {
            paste(&mut session, APPLY, &other, more).await.expect(403);
        }
    }
    assert_eq!(exported(&server).await, before);
    server.finish().await;
}

#[tokio::test]
async fn steps_that_differ_and_what_history_says_nothing_about_are_named() {
    let server = world().await;
    let asked = json!({ "toml": BESIDE });
    let diff = server.post("/api/v1/automation/diff").json(&asked).send().await.expect(200).json();
    let named: Vec<_> = diff["not_compared"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| ["class", "name", "why"].map(|member| one[member].as_str().unwrap()))
        .collect();
    assert_eq!(
        named,
        [
            ["monitor", "early", "monitors run by the clock, not on events"],
            ["notification_profile", "quiet", "profiles decide about notices, not about events"],
            ["notification_template", "short", "templates say how notices read"],
            ["rule", "unused", "no trigger that was asked uses it"],
            ["schedule", "nightly", "schedules run by the clock, not on events"],
            ["trigger", "off", "it is off"],
        ]
    );
    assert_eq!((&diff["differing"], &diff["compared"]), (&json!(1), &json!(true)), "{diff}");
    let one = &diff["differences"][0];
    assert_eq!(
        (&one["before"]["verdict"], &one["after"]["verdict"]),
        (&json!("matched"), &json!("matched"))
    );
    let alert = "raises an alert (warning): www.prod.example came in, with another message";
    assert_eq!(one["steps_before"], json!(["sets the folder to “/prod”", alert]));
    assert_eq!(one["steps_after"], json!(["sets the folder to “/other”", alert]));

    // The page says the same, and so does that of a job.
    let mut session = Browser::sign_in_as(&server, Role::Administrator).await;
    session.get(HOME).await.expect(200);
    let page = paste(&mut session, HOME, BESIDE, &[("do", "behaviour")]).await.expect(200).text();
    let steps = "</span> sets the folder to “/other”; raises an alert";
    assert!(page.contains("Only with the change:") && page.contains(steps), "{page}");
    assert!(page.contains("Only as saved:</span> sets the folder to “/prod”; raises"), "{page}");
    assert!(page.contains("<li>monitor <strong>early</strong>"), "{page}");
    assert!(page.contains("<li>notification profile <strong>quiet</strong>"), "{page}");
    let body = json!({ "job_kind": "log.verify", "cron": "0 2 * * *", "time_zone": "UTC" });
    let change = json!({ "class": "schedule", "name": "nightly", "body": body });
    let asked = json!({ "changes": [change], "compare": true, "queued": true });
    let queued = server.post("/api/v1/automation/back-test").json(&asked).send().await;
    let id = queued.expect(202).json()["job"].as_str().unwrap().to_owned();
    super::alerts::ended(&server, id.parse().unwrap()).await;
    let job = session.get(&format!("/jobs/{id}")).await.expect(200).text();
    assert!(
        job.contains("No verdict differs") && job.contains("<strong>nightly</strong>"),
        "{job}"
    );
    server.finish().await;
}

#[tokio::test]
async fn what_is_compared_is_not_named_as_left_out() {
    let server = world().await;
    let diff = async |asked: Value| {
        let answer = server.post("/api/v1/automation/diff").json(&asked).send().await;
        answer.expect(200).json()
    };
    // What the file does not have goes, and that is compared as well.
    let pruned = diff(json!({ "toml": "", "prune": true })).await;
    assert_eq!(
        (&pruned["differing"], &pruned["not_compared"]),
        (&json!(1), &json!([])),
        "{pruned}"
    );
    assert_eq!(pruned["differences"][0]["after"], Value::Null);
    assert_eq!(pruned["differences"][0]["steps_before"], Value::Null, "the verdict says it");
    let same = diff(json!({ "toml": exported(&server).await })).await;
    assert_eq!((&same["differing"], &same["not_compared"]), (&json!(0), &json!([])), "{same}");
    // Where one trigger alone is asked, the others are left out.
    let off = |name: &str| {
        json!({ "class": "trigger", "name": name,
        "body": { "event_types": ["certificate.uploaded"], "actions": ["place"] } })
    };
    let asked = json!({ "changes": [off("prod"), off("second")], "compare": true });
    let alone = server.post("/api/v1/automation/triggers/prod/back-test").json(&asked).send().await;
    let left = &alone.expect(200).json()["not_compared"];
    let why = "another trigger alone was asked";
    assert_eq!(*left, json!([{ "class": "trigger", "name": "second", "why": why }]));
    server.finish().await;
}
