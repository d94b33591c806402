//! Why somebody was told of an event, or was not: through addresses and channels that name nobody,
//! and after the records have gone.

use chancery_engine::Role;
use chancery_event::Timestamp;
use chancery_testkit::{Receiver, TestServer};
use serde_json::json;

use super::browser::Browser;
use super::notifications::World;

/// What the API answers about an event and an account.
async fn asked(server: &TestServer, event: &str, account: &str) -> String {
    let path = format!("/api/v1/notices/why?event={event}&account={account}");
    server.get(&path).send().await.expect(200).json()["answer"].to_string()
}

#[tokio::test]
async fn mail_to_an_address_that_is_theirs_and_posts_that_name_nobody_are_not_denied() {
    let world = World::start().await;
    let ada = world.account("ada", "operator", Some("Ada@Example.org")).await;
    let grace = world.account("grace", "viewer", Some("grace@example.org")).await;
    let bob = world.account("bob", "viewer", Some("bob@example.org")).await;
    let group = json!({ "name": "Web" });
    let group = world.server.post("/api/v1/groups").json(&group).send().await.expect(201).json();
    let put = |path: String, body: serde_json::Value| {
        let call = world.server.call(axum::http::Method::PUT, &path);
        call.bearer(world.server.admin()).json(&body).send()
    };
    let at = format!("/api/v1/groups/{}/contact", group["id"].as_str().unwrap());
    put(at, json!({ "email": "Grace@Example.org" })).await.expect(204);
    let receiver = Receiver::plain().await;
    let body = json!({ "kind": "webhook",
        "settings": { "url": receiver.url(), "signature": "none" } });
    let new = json!({ "name": "chat", "body": body });
    world.server.post("/api/v1/channels").json(&new).send().await.expect(201);
    let profile = json!({ "recipients": ["address:ada@example.org", "group:web"],
        "channels": ["mail"] });
    world.tells_of(json!(["certificate.update"]), "p", profile).await;
    let post = json!({ "recipients": ["none"], "channels": ["chat"] });
    world.tells_of(json!(["certificate.update"]), "post", post).await;
    world.owned("www.example.org", "ada").await;
    let done = |items: &[serde_json::Value]| {
        items.len() == 3 && items.iter().all(|one| one["delivery_state"] == "delivered")
    };
    let sent = world.notices("decision=sent", done).await;
    let event = sent[0]["event"].as_str().unwrap();
    for (account, path) in [(&ada, "address:ada@example.org"), (&grace, "group:web")] {
        let answer = asked(&world.server, event, account).await;
        let words = format!("was told by mail through the profile p ({path}), and it got through");
        assert!(answer.contains(&words), "{answer}");
        assert!(answer.contains("It was posted to chat through the profile post"), "{answer}");
        assert!(!answer.contains("not among"), "{answer}");
    }
    let answer = asked(&world.server, event, &bob).await;
    assert!(answer.contains("bob is not among its recipients (3 decisions"), "{answer}");
    assert!(answer.contains("posted to chat through the profile post, for whoever"), "{answer}");
    // Entering an address shows nobody what it was sent.
    let mut session = Browser::sign_in_as(&world.server, Role::Viewer).await;
    let contact = [("email", "ada@example.org"), ("chat", "")];
    session.post("/account/contact", &contact).await.expect(303);
    let page = session.get(&format!("/notifications/why?event={event}")).await.expect(200).text();
    assert!(page.contains("is not among its recipients"), "{page}");
    world.server.finish().await;
}

#[tokio::test]
async fn after_the_records_have_gone_it_says_so() {
    let change = |settings: &mut chancery_engine::Settings, _: &mut _| {
        settings.keep_evaluations_days = 30;
    };
    let (server, clock) = TestServer::start_standing(13, change).await;
    let mut world = World::over(server).await;
    let ada = world.account("ada", "operator", Some("ada@example.org")).await;
    let profile = json!({ "recipients": ["address:board@example.org"], "channels": ["mail"] });
    world.tells_of(json!(["certificate.update"]), "p", profile).await;
    world.owned("www.example.org", "ada").await;
    let done =
        |items: &[serde_json::Value]| items.len() == 1 && items[0]["delivery_state"] == "delivered";
    let event = world.notices("decision=sent", done).await[0]["event"].as_str().unwrap().to_owned();
    let answer = asked(&world.server, &event, &ada).await;
    assert!(answer.contains("ada is not among its recipients"), "{answer}");
    world.server.settle().await;
    clock.advance(31 * Timestamp::DAY);
    world.server.renew().await;
    let answer = asked(&world.server, &event, &ada).await;
    assert!(answer.contains("kept for 30 days, and the event is older"), "{answer}");
    assert!(!answer.contains("not among") && !answer.contains("nobody was told"), "{answer}");
    let mut browser = Browser::sign_in_as(&world.server, Role::Administrator).await;
    let page = format!("/notifications/why?event={event}&account={ada}");
    let page = browser.get(&page).await.expect(200).text();
    assert!(page.contains("kept for 30 days, and the event is older"), "{page}");
    world.server.finish().await;
}
