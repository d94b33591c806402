//! Certificates that enter: what triggers and requests make of them, and what is very long.

use chancery_engine::Role;
use chancery_testkit::{Authority, TestServer};
use serde_json::{Value, json};

use super::automation::weak;
use super::browser::Browser;

fn leaf(server: &TestServer, name: &str) -> String {
    Authority::new("Entering CA", server.now()).leaf(name, server.now(), 50).to_pem()
}

/// How the step that sets the folder ended.
fn placing(evaluation: &Value) -> &str {
    evaluation["steps"][0]["result"].as_str().unwrap()
}

#[tokio::test]
async fn what_a_form_leaves_empty_is_set_by_triggers_and_what_it_says_is_not() {
    let server = TestServer::start().await;
    weak(&server).await;
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let form = browser.get("/certificates/upload").await.expect(200).text();
    assert!(form.contains("name=\"path\"") && !form.contains("value=\"/\""), "{form}");
    let untouched = [("path", ""), ("owner", ""), ("ra_profile", ""), ("groups", "")];
    for (folder, fields) in [("/prod", &untouched[..]), ("/mine", &[("path", "/mine")])] {
        let pem = leaf(&server, &format!("{}.prod.example", &folder[1..]));
        let sent = browser.upload("/certificates/upload", fields, pem.as_bytes()).await;
        let page = sent.expect(303).header("location").to_owned();
        let entered = server.get(&format!("/api/v1{page}")).send().await.expect(200).json();
        assert_eq!(entered["path"], folder);
    }
    server.settle().await;
    let all = server.get("/api/v1/evaluations").send().await.expect(200).json();
    let ended: Vec<_> = all["items"].as_array().unwrap().iter().map(placing).collect();
    assert_eq!(ended, ["overridden", "done"]);
    let event = all["items"][0]["event"].as_str().unwrap();
    let page = browser.get(&format!("/events/{event}")).await.expect(200).text();
    assert!(page.contains("The upload says otherwise"), "{page}");
    server.finish().await;
}

#[tokio::test]
async fn what_is_too_long_for_an_event_is_cut_in_it_and_nowhere_else() {
    let server = TestServer::start().await;
    let definition = json!({ "name": "note", "label": "Note", "kind": "text" });
    server.post("/api/v1/attributes").json(&definition).send().await.expect(201);
    // Forty thousand bytes of subject, which are the issuer's name as well.
    let authority = Authority::new(&"long ".repeat(8_000), server.now());
    let sent = server.post("/api/v1/certificates").body("text/plain", authority.pem());
    let home = sent.send().await.expect(201).header("location").to_owned();
    for letter in ["🎉", "日"] {
        let note = letter.repeat(10_000);
        let change = json!({ "attributes": { "note": note } });
        let changed = server.patch(&home).json(&change).send().await.expect(200).json();
        assert_eq!(changed["attributes"]["note"], note);
    }
    server.delete(&home).send().await.expect(204);
    server.settle().await;
    let events = server.get("/api/v1/events?filter=type:certificate.*").send().await;
    let events = events.expect(200).json();
    let events = events["items"].as_array().unwrap().iter().map(|item| &item["event"]);
    for name in ["upload", "uploaded", "update", "delete"] {
        let name = format!("certificate.{name}");
        let of_type = |one: &&Value| one["type"] == *name;
        let event = events.clone().find(of_type).unwrap_or_else(|| panic!("{name}"));
        let text = event.to_string();
        assert!(text.contains("bytes in all, SHA-256 "), "{name}: {text:.2000}");
        assert_eq!(event["data"]["outcome"]["result"], "success");
    }
    server.finish().await;
}

#[tokio::test]
async fn custom_attributes_are_read_as_they_are_written() {
    let server = TestServer::start().await;
    let kinds = ["integer", "decimal", "boolean", "date", "datetime", "string", "list"];
    for kind in kinds {
        let definition = json!({ "name": kind, "label": kind, "kind": kind });
        server.post("/api/v1/attributes").json(&definition).send().await.expect(201);
    }
    let values = json!({
        "integer": 5, "decimal": 2.5, "boolean": true, "date": "2026-11-23",
        "datetime": "2026-11-23T09:30:00Z", "string": "a", "list": ["x", "y"],
    });
    let body = json!({ "certificate": leaf(&server, "typed.example"), "attributes": values });
    let entered = server.post("/api/v1/certificates").json(&body).send().await.expect(201);
    let home = entered.header("location").to_owned();
    let read = entered.json()["attributes"].clone();
    for kind in kinds.into_iter().filter(|kind| *kind != "datetime") {
        assert_eq!(read[kind], values[kind], "{read}");
    }
    let same = json!({ "attributes": read });
    let again = server.patch(&home).json(&same).send().await.expect(200).json();
    assert_eq!(again["attributes"], read);
    server.finish().await;
}

#[tokio::test]
async fn what_ends_soon_is_on_the_first_page_whether_it_is_trusted_or_not() {
    let server = TestServer::start().await;
    let soon = Authority::new("Nobody's CA", server.now()).leaf("soon.example", server.now(), 20);
    let sent = server.post("/api/v1/certificates").body("text/plain", soon.to_pem());
    assert_eq!(sent.send().await.expect(201).json()["status"], "incomplete");
    let mut browser = Browser::sign_in_as(&server, Role::Viewer).await;
    let page = browser.get("/").await.expect(200).text();
    let tile = page.split("Expiring").nth(1).unwrap().split("Invalid").next().unwrap();
    assert!(tile.contains(">1<") && tile.contains("nothing takes their place yet"), "{tile}");
    server.finish().await;
}
