//! Channels through the API and the pages: made, tried out with a real mail server, switched, gone.

use axum::http::Method;
use chancery_engine::Role;
use chancery_testkit::{Mailbox, Manner, Receiver, TestServer};
use serde_json::{Value, json};

use super::browser::Browser;

fn mail(mailbox: &Mailbox) -> Value {
    json!({ "kind": "email", "title": "Post", "settings": {
        "server": mailbox.server(), "security": "none", "from": "chancery@example.org" } })
}

#[tokio::test]
async fn a_channel_is_made_tried_out_switched_and_deleted() {
    let server = TestServer::start().await;
    let mailbox = Mailbox::start().await;
    let new = json!({ "name": "mail", "body": mail(&mailbox) });
    server.post("/api/v1/channels").json(&new).send().await.expect(201);
    let shown = server.get("/api/v1/channels/mail").send().await.expect(200).json();
    assert_eq!((&shown["kind"], &shown["enabled"]), (&json!("email"), &json!(true)));
    assert_eq!(shown["body"], mail(&mailbox), "nothing of a stream in it");
    let to = json!({ "recipients": ["ada@example.org"] });
    let trial = server.post("/api/v1/channels/mail/test").json(&to).send().await.expect(200);
    assert_eq!(trial.json()["delivered"], true);
    let mails = mailbox.wait_for(1).await;
    assert_eq!(mails[0].recipients, ["ada@example.org"]);
    assert!(mails[0].header("Subject").contains("trial of mail"), "{}", mails[0].raw);
    assert!(mails[0].text().contains("it works"));
    // Nobody to send it to: the answer says so.
    let nobody = server.post("/api/v1/channels/mail/test").json(&json!({})).send().await;
    assert_eq!(nobody.expect(200).json()["failure"], "recipients");
    let off = json!({ "enabled": false });
    server.post("/api/v1/channels/mail/switch").json(&off).send().await.expect(204);
    let list = server.get("/api/v1/channels").send().await.expect(200).json();
    assert_eq!(list["items"][0]["disabled_because"], "by_hand");
    let forwarders = server.get("/api/v1/forwarders").send().await.expect(200).json();
    assert!(forwarders["items"].as_array().unwrap().is_empty(), "a channel is no forwarder");
    server.get("/api/v1/forwarders/mail").send().await.expect(404);
    server.delete("/api/v1/channels/mail").send().await.expect(204);
    server.get("/api/v1/channels/mail").send().await.expect(404);
    server.finish().await;
}

#[tokio::test]
async fn what_belongs_to_streams_is_refused_and_only_administrators_change_channels() {
    let server = TestServer::start().await;
    for (body, field) in [
        (json!({ "kind": "syslog", "settings": { "address": "127.0.0.1:1" } }), "kind"),
        (json!({ "kind": "email", "personal": true, "settings": {} }), "personal"),
        (json!({ "kind": "email", "settings": { "from": "x" } }), "settings/server"),
        (
            json!({ "kind": "email", "settings": { "server": "127.0.0.1:1", "from": "x" } }),
            "settings/from",
        ),
    ] {
        let new = json!({ "name": "mail", "body": body });
        let refused = server.post("/api/v1/channels").json(&new).send().await.expect(422).json();
        assert_eq!(refused["field"], field, "{refused}");
    }
    let operator = server.token(Role::Operator).await;
    let new = json!({ "name": "mail", "body": { "kind": "slack" } });
    server
        .call(Method::POST, "/api/v1/channels")
        .bearer(&operator)
        .json(&new)
        .send()
        .await
        .expect(403);
    server.call(Method::GET, "/api/v1/channels").bearer(&operator).send().await.expect(200);
    let viewer = server.token(Role::Viewer).await;
    server.call(Method::GET, "/api/v1/channels").bearer(&viewer).send().await.expect(403);
    server.finish().await;
}

#[tokio::test]
async fn the_form_of_a_channel_asks_only_where_to_and_shows_what_is_refused() {
    let server = TestServer::start().await;
    let receiver = Receiver::plain().await;
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let choose = browser.get("/channels/new").await.expect(200).text();
    assert!(choose.contains("kind=email") && !choose.contains("kind=syslog"), "{choose}");
    let form = browser.get("/channels/new?kind=webhook").await.expect(200).text();
    assert!(form.contains("settings/url") && !form.contains("select/event_types"));
    // A channel carries messages, and this mode takes events.
    let form = browser.get("/channels/new?kind=servicenow").await.expect(200).text();
    assert!(form.contains("value=\"em_event\"") && !form.contains("value=\"akeyless\""), "{form}");
    let form = browser.get("/forwarders/new?kind=servicenow").await.expect(200).text();
    assert!(form.contains("value=\"akeyless\""), "{form}");
    let wrong = [("kind", "webhook"), ("name", "chat"), ("settings/url", "ftp://x")];
    let refused = browser.post("/channels/new", &wrong).await.expect(422).text();
    assert!(refused.contains("settings-url-error"), "{refused}");
    let url = receiver.url();
    let right = [
        ("kind", "webhook"),
        ("name", "chat"),
        ("settings/url", &url),
        ("settings/signature", "none"),
        ("enabled", "1"),
    ];
    browser.post("/channels/new", &right).await.expect(303);
    browser.post("/channels/chat/test", &[]).await.expect(303);
    let page = browser.get("/channels/chat").await.expect(200).text();
    assert!(page.contains("got through") && !page.contains("Replay"), "{page}");
    let body: Value = serde_json::from_slice(&receiver.wait_for(1).await[0].body).unwrap();
    assert_eq!(body["subject"], "Chancery: trial of chat");
    receiver.behave(Manner::Status(500, ""));
    browser.post("/channels/chat/test", &[]).await.expect(303);
    let page = browser.get("/channels/chat").await.expect(200).text();
    assert!(page.contains("The trial failed"), "{page}");
    assert!(browser.get("/notifications").await.expect(200).text().contains("1 channel"));
    server.finish().await;
}
