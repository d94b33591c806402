//! Sources through the pages: made, changed, fetched from, given a new secret, disabled, deleted.

use axum::http::Method;
use chancery_engine::Role;
use chancery_testkit::{Manner, Receiver, TestServer};
use serde_json::{Value, json};

use crate::browser::Browser;

const PATH: &str = "/administration/sources";

async fn source(server: &TestServer, name: &str) -> Value {
    let path = format!("/api/v1/intake-sources/{name}");
    server.get(&path).send().await.expect(200).json()
}

/// What a page shows once.
fn secret(page: &str) -> String {
    let rest = page.split("chi_").nth(1).unwrap_or_else(|| panic!("{page}"));
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
    format!("chi_{}", &rest[..end.unwrap()])
}

/// Whether something sent with a secret is taken in.
async fn sends(server: &TestServer, name: &str, secret: &str) -> u16 {
    let body = r#"{"specversion":"1.0","id":"1","source":"/ci","type":"com.example.built"}"#;
    let call = server.call(Method::POST, &format!("/intake/{name}"));
    let call = call.header("authorization", &format!("Bearer {secret}"));
    call.body("application/cloudevents+json", body).send().await.status.as_u16()
}

#[tokio::test]
async fn a_source_is_made_renewed_disabled_and_deleted_on_its_page() {
    let server = TestServer::start().await;
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let empty = browser.get(PATH).await.expect(200).text();
    assert!(empty.contains("No sources") && empty.contains("Make source"), "{empty}");
    for (name, dialect, part) in
        [("Bad Name", "cloudevents", "name-error"), ("builds", "klingon", "dialect-error")]
    {
        let form = [("name", name), ("dialect", dialect)];
        let refused = browser.post(PATH, &form).await.expect(422).text();
        assert!(refused.contains(part), "{part}: {refused}");
    }
    let form = [("name", "builds"), ("dialect", "cloudevents")];
    let made = browser.post(PATH, &form).await.expect(200);
    assert_eq!(made.header("cache-control"), "no-store");
    let first = secret(&made.text());
    assert!(made.text().contains("/intake/builds"), "{}", made.text());
    assert_eq!(sends(&server, "builds", &first).await, 200);
    let list = browser.get(PATH).await.expect(200).text();
    assert!(list.contains("builds") && !list.contains(&first), "shown once: {list}");
    let at = format!("{PATH}/builds");
    // Neither is done by one click: the page asks first, in a dialog and on a page of its own.
    for (word, title) in
        [("renew", "Replace the secret of builds?"), ("delete", "Delete the source builds?")]
    {
        let dialog = format!("<dialog id=\"{word}-builds\"");
        let (_, dialog) = list.split_once(&dialog).unwrap_or_else(|| panic!("{word}: {list}"));
        assert!(dialog.contains(title) && dialog.contains("data-closes"), "{dialog}");
        let page = browser.get(&format!("{at}/{word}")).await.expect(200).text();
        assert!(page.contains(title) && page.contains("Cancel"), "{page}");
        browser.post(&at, &[("do", word)]).await.expect(422);
        browser.get(&format!("{PATH}/nothing/{word}")).await.expect(404);
    }
    assert_eq!(sends(&server, "builds", &first).await, 200, "nothing was done yet");
    let renewed = browser.post(&format!("{at}/renew"), &[]).await.expect(200).text();
    let second = secret(&renewed);
    assert_eq!(sends(&server, "builds", &first).await, 401, "the old one ends at once");
    assert_eq!(sends(&server, "builds", &second).await, 200);
    browser.post(&at, &[("do", "disable")]).await.expect(303);
    assert_eq!(sends(&server, "builds", &second).await, 401);
    assert!(browser.get(PATH).await.expect(200).text().contains("Disabled"));
    browser.post(&at, &[("do", "something")]).await.expect(422);
    assert_eq!(source(&server, "builds").await["enabled"], false, "nothing was done");
    browser.post(&at, &[("do", "enable")]).await.expect(303);
    assert_eq!(sends(&server, "builds", &second).await, 200);
    browser.post(&format!("{at}/delete"), &[]).await.expect(303);
    assert_eq!(sends(&server, "builds", &second).await, 401);
    server.get("/api/v1/intake-sources/builds").send().await.expect(404);
    server.settle().await;
    let told = server.get("/api/v1/events?filter=third_party:builds%20type:configuration.*");
    let told = told.send().await.expect(200).text();
    assert!(!told.contains(&first) && !told.contains(&second), "no secret in the log");
    // Those who may look cannot change.
    let mut auditor = Browser::sign_in_as(&server, Role::Auditor).await;
    let seen = auditor.get(PATH).await.expect(200).text();
    assert!(!seen.contains("Make source"), "{seen}");
    auditor.post(PATH, &form).await.expect(403);
    auditor.get(&format!("{at}/delete")).await.expect(403);
    auditor.post(&format!("{at}/delete"), &[]).await.expect(403);
    server.finish().await;
}

/// The source once it was answered since it was like this.
async fn answered(server: &TestServer, before: &Value) -> Value {
    for _ in 0..3_000 {
        let now = source(server, "okta").await;
        let at = &now["poll"]["answered_at"];
        if at.is_string() && *at != before["poll"]["answered_at"] {
            return now;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{}", source(server, "okta").await);
}

#[tokio::test]
async fn what_a_form_does_not_show_stays_when_it_is_saved() {
    let server = TestServer::start().await;
    let receiver = Receiver::tls(false).await;
    receiver.behave(Manner::Says(200, String::new(), "[]".to_owned()));
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let form = [("name", "okta"), ("dialect", "okta")];
    browser.get(PATH).await.expect(200);
    browser.post(PATH, &form).await.expect(200);
    let at = format!("{PATH}/okta/edit");
    let blank = browser.get(&at).await.expect(200).text();
    assert!(!blank.contains("Take the trust anchors away"), "there are none: {blank}");
    let url = format!("https://127.0.0.1:{}", receiver.port);
    let save = |more: &[(&'static str, &'static str)]| {
        let mut form = vec![("addresses", ""), ("certificates", ""), ("poll/url", url.as_str())];
        form.extend(more);
        form
    };
    let refused = save(&[("poll/token", "00secret"), ("poll/every_s", "3")]);
    let refused = browser.post(&at, &refused).await.expect(422).text();
    assert!(refused.contains("every-error") && !refused.contains("00secret"), "{refused}");
    let mut first = save(&[
        ("poll/token", "00secret"),
        ("poll/filter", "eventType sw \"pki.\""),
        ("poll/every_s", "86400"),
    ]);
    first.push(("poll/ca", receiver.ca.as_str()));
    browser.post(&at, &first).await.expect(303);
    let made = answered(&server, &Value::Null).await;
    assert_eq!(made["poll"]["has_ca"], true);
    let edit = browser.get(&at).await.expect(200).text();
    assert!(edit.contains("Take the trust anchors away"), "{edit}");
    assert!(!edit.contains("00secret") && edit.contains("eventType sw"), "{edit}");
    // The form as it is filled, with another range: fetching goes on under the same authority.
    let mut again = save(&[("poll/filter", "eventType sw \"pki.\""), ("poll/every_s", "86400")]);
    again[0].1 = "10.0.0.0/8";
    browser.post(&at, &again).await.expect(303);
    let kept = answered(&server, &made).await;
    assert_eq!((&kept["poll"]["has_ca"], &kept["poll"]["failures"]), (&json!(true), &json!(0)));
    assert_eq!(kept["addresses"], json!(["10.0.0.0/8"]));
    // Over the API what is absent stays as well.
    let wish = json!({ "poll": { "url": url } });
    server.patch("/api/v1/intake-sources/okta").json(&wish).send().await.expect(204);
    let kept = answered(&server, &kept).await;
    assert_eq!(kept["poll"]["has_ca"], true);
    assert_eq!(kept["poll"]["filter"], "eventType sw \"pki.\"");
    assert_eq!(kept["poll"]["every_s"], 86_400);
    let asked = receiver.received().last().unwrap().line.clone();
    assert!(asked.contains("filter=eventType%20sw"), "{asked}");
    // Empty takes away: the filter by its field, the trust anchors by their tick.
    let gone = save(&[("poll/filter", ""), ("poll/every_s", ""), ("poll/ca/gone", "1")]);
    browser.post(&at, &gone).await.expect(303);
    let changed = source(&server, "okta").await;
    assert_eq!(
        (&changed["poll"]["has_ca"], &changed["poll"]["filter"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(changed["poll"]["every_s"], 86_400);
    let nothing = [("addresses", ""), ("certificates", ""), ("poll/url", "")];
    browser.post(&at, &nothing).await.expect(303);
    assert_eq!(source(&server, "okta").await["poll"], Value::Null);
    server.finish().await;
}
