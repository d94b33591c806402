//! `chancery sources` and `chancery events show --dialect`, against a running server.

use std::io::Write as _;
use std::process::Stdio;

use chancery_testkit::{Manner, Receiver};

use crate::installation::{Installation, Server};

/// Says what a source is fetched from; whether that went well, and what was said.
fn poll(
    server: &Server,
    token: &str,
    source: &str,
    arguments: &[&str],
    typed: &str,
) -> (bool, String) {
    let all: Vec<&str> =
        ["sources", "poll", source].into_iter().chain(arguments.iter().copied()).collect();
    let mut child = server
        .client(token, &all)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who keeps the token, or is refused before, does not read one.
    let _ = child.stdin.take().unwrap().write_all(typed.as_bytes());
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn sources_are_made_changed_and_listed() {
    let installation = Installation::new();
    let token = installation.token("administrator");
    let server = Server::start(&installation);
    let run = |arguments: &[&str]| server.run(&token, arguments);
    let made = run(&["sources", "add", "firewall", "cef"]).well();
    assert!(made.out.starts_with("chi_") && made.out.lines().count() == 1, "{made:?}");
    assert!(made.err.contains("/intake/firewall"), "{made:?}");
    run(&["sources", "syslog", "firewall", "--address", "10.1.2.3/16"]).well();
    run(&["sources", "syslog", "firewall", "--certificate", "FW.example.org"]).well();
    let refused = run(&["sources", "syslog", "firewall", "--address", "everybody"]);
    assert_eq!(refused.status, 1, "{refused:?}");
    assert!(refused.err.contains("addresses"), "{refused:?}");
    let list = run(&["sources", "list", "--json"]).well().document();
    assert_eq!(list[0]["addresses"][0], "10.1.0.0/16", "{list}");
    assert_eq!(list[0]["certificates"][0], "fw.example.org", "{list}");
    run(&["sources", "syslog", "firewall", "--nobody"]).well();
    run(&["sources", "disable", "firewall"]).well();
    let list = run(&["sources", "list"]).well();
    assert!(list.out.contains("firewall") && list.out.contains("disabled"), "{list:?}");
    let again = run(&["sources", "renew", "firewall"]).well();
    assert!(again.out.starts_with("chi_") && again.out != made.out, "{again:?}");

    run(&["sources", "add", "okta-production", "okta"]).well();
    let poll = |arguments: &[&str], token_text: &str| {
        poll(&server, &token, "okta-production", arguments, token_text)
    };
    for (address, token_text, field) in [
        ("https://127.0.0.1:9", "abc\n", "poll/url"),
        ("https://localhost.:9", "abc\n", "poll/url"),
        ("http://example.org", "abc\n", "poll/url"),
        ("https://[::ffff:10.0.0.1]", "abc\n", "poll/url"),
        ("ftp://example.org", "abc\n", "poll/url"),
    ] {
        let (well, err) = poll(&[address], token_text);
        assert!(!well && err.contains(field), "{address}: {err}");
    }
    run(&["sources", "poll", "okta-production", "--stop"]).well();
    run(&["sources", "delete", "firewall"]).well();
    let gone = run(&["sources", "enable", "firewall"]);
    assert_eq!(gone.status, 1, "{gone:?}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_said_of_fetching_stays_and_can_be_taken_away() {
    let installation = Installation::new();
    let token = installation.token("administrator");
    let server = Server::start_with(&installation, &["network.allowed_addresses=127.0.0.1"]);
    let receiver = Receiver::tls(false).await;
    receiver.behave(Manner::Says(200, String::new(), "[]".to_owned()));
    let ca = installation.beside("ca.pem");
    std::fs::write(&ca, &receiver.ca).unwrap();
    let ca = ca.to_str().unwrap();
    let url = format!("https://127.0.0.1:{}", receiver.port);
    server.run(&token, &["sources", "add", "okta", "okta"]).well();
    let poll = |arguments: &[&str]| {
        let (well, err) =
            poll(&server, &token, "okta", &[&[&*url], arguments].concat(), "00secret\n");
        let list = server.run(&token, &["sources", "list", "--json"]).well().document();
        (well, err, list[0]["poll"].clone())
    };
    let filter = "eventType sw \"pki.\"";
    let (well, err, told) = poll(&["--ca", ca, "--filter", filter, "--every", "86400"]);
    assert!(well, "{err}");
    let of = |told: &serde_json::Value| {
        (told["has_ca"].clone(), told["filter"].clone(), told["every_s"].clone())
    };
    assert_eq!(of(&told), (true.into(), filter.into(), 86_400.into()));
    let (well, err, told) = poll(&["--keep-token", "--every", "3600"]);
    assert!(well, "{err}");
    assert_eq!(of(&told), (true.into(), filter.into(), 3_600.into()));
    let (well, err, _) = poll(&["--keep-token", "--ca", "/no/such/file"]);
    assert!(!well && err.contains("cannot read /no/such/file"), "{err}");
    let (well, err, told) = poll(&["--keep-token", "--no-ca", "--filter", ""]);
    assert!(well, "{err}");
    assert_eq!(of(&told), (false.into(), serde_json::Value::Null, 3_600.into()));
    server.stop();
}

#[test]
fn an_event_is_shown_in_every_dialect() {
    let installation = Installation::new();
    let token = installation.token("administrator");
    let server = Server::start(&installation);
    let run = |arguments: &[&str]| server.run(&token, arguments);
    for (dialect, mark) in [
        ("cloudevents", "\"specversion\""),
        ("okta", "\"eventType\""),
        ("okta-hook", "event_hook"),
        ("akeyless", "Akeyless_Events"),
        ("horizon", "\"code\""),
        ("czertainly", "notificationData"),
        ("qcecuring", "\"action\""),
        ("ocsf", "\"class_uid\""),
        ("ecs", "@timestamp"),
        ("cef", "CEF:0|"),
        ("leef", "LEEF:2.0|"),
        ("rfc5424", "[chancery@32473 "),
    ] {
        let shown = run(&["events", "show", "0", "--dialect", dialect]).well();
        assert!(shown.out.contains(mark), "{dialect}: {shown:?}");
    }
    let unknown = run(&["events", "show", "0", "--dialect", "klingon"]);
    assert_ne!(unknown.status, 0, "{unknown:?}");
    assert!(unknown.err.contains("cloudevents"), "it tells which there are: {unknown:?}");
    server.stop();
}
