//! `chancery sources` and `chancery events show --dialect`, against a running server.

use std::io::Write as _;
use std::process::Stdio;

use crate::installation::{Installation, Server};

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
        let mut all = vec!["sources", "poll", "okta-production"];
        all.extend(arguments);
        let mut child = server
            .client(&token, &all)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(token_text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
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
