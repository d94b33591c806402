//! Who would hear of what, and the canary that shows it.

use axum::http::Method;
use chancery_engine::Role;
use chancery_testkit::{Authority, Mailbox, Manner, Receiver, TestServer};
use serde_json::{Value, json};

use super::browser::Browser;
use super::notifications::World;

/// The page of a certificate that reaches nobody, the home page and the list behind its number.
async fn pages_say_it(server: &TestServer, lost: &str) {
    let mut browser = Browser::sign_in_as(server, Role::Administrator).await;
    let page = browser.get(&format!("/certificates/{lost}")).await.expect(200).text();
    assert!(page.contains("Who will hear of it") && page.contains("nobody owns it"), "{page}");
    for words in [
        ": 30 days before its end, found by",
        ": 14 days or 33% of its life before its end, whichever is shorter, found by",
        ": at its end, found by",
        ": 7 days after its end, found by",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let home = browser.get("/").await.expect(200).text();
    let tile = home.split("/notifications/coverage?state=nobody").nth(1).expect(&home);
    let tile: String = tile.chars().take(300).collect();
    assert!(tile.contains("Reach nobody") && tile.contains(">1<"), "{tile}");
    let page = browser.get("/notifications/coverage?state=nobody").await.expect(200).text();
    assert!(page.contains("lost.example.org") && !page.contains("owned.example.org"), "{page}");
}

#[tokio::test]
async fn coverage_says_who_hears_of_a_certificate_and_counts_those_of_which_nobody_does() {
    let world = World::start().await;
    world.account("ada", "operator", Some("ada@example.org")).await;
    let server = &world.server;
    let estate = async |holds: &dyn Fn(&Value) -> bool| {
        for _ in 0..3_000 {
            let answer = server.get("/api/v1/notifications/coverage").send().await.expect(200);
            let answer = answer.json();
            if answer["complete"] == true && holds(&answer) {
                return answer;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{}", server.get("/api/v1/notifications/coverage").send().await.text());
    };
    let owned = world.owned("owned.example.org", "ada").await;
    let now = server.now();
    let pem = Authority::new("Notify CA", now).leaf("lost.example.org", now, 50).to_pem();
    let sent = server.post("/api/v1/certificates").body("application/x-pem-file", pem);
    let lost = sent.send().await.expect(201).json()["id"].as_str().unwrap().to_owned();
    // No monitor finds ends, and no trigger tells of them.
    let found = estate(&|answer| answer["nobody"] == 2).await;
    assert_eq!(found["reasons"][0]["reason"], "no_monitor");
    let monitor = json!({ "kind": "certificate_expiry",
        "thresholds": ["30d", "14d/33%", "0d", "-7d"],
        "schedule": { "cron": "0 * * * *", "time_zone": "UTC" } });
    world.make("monitors", "ends", monitor).await;
    estate(&|answer| answer["reasons"][0]["reason"] == "no_trigger").await;
    world.make("notification_profiles", "p", json!({ "recipients": ["default"] })).await;
    let steps = json!([{ "step": "notify", "profile": "p" }]);
    world.make("actions", "tell", json!({ "steps": steps })).await;
    let trigger = json!({ "event_types": ["certificate.expiring"], "actions": ["tell"] });
    world.make("triggers", "tell", trigger).await;
    estate(&|answer| answer["nobody"] == 1).await;
    let list = "/api/v1/notifications/unreached?state=nobody&reason=unowned";
    let list = server.get(list).send().await.expect(200).json();
    assert_eq!(list["items"][0]["certificate"], lost, "{list}");
    let of = async |id: &str| {
        let path = format!("/api/v1/certificates/{id}/coverage");
        server.get(&path).send().await.expect(200).json()
    };
    let coverage = of(&owned).await;
    assert_eq!((&coverage["state"], &coverage["reason"]), (&json!("reached"), &json!("")));
    let routes = coverage["routes"].as_array().unwrap();
    let mail = routes.iter().find(|route| route["channel"] == "mail").unwrap();
    assert_eq!((&mail["address"], &mail["open"]), (&json!("ada@example.org"), &json!(true)));
    assert_eq!(mail["tested_at"], Value::Null);
    assert_eq!(of(&lost).await["state"], "nobody");
    // Tested: a trial got through.
    let to = json!({ "recipients": ["ada@example.org"] });
    server.post("/api/v1/channels/mail/test").json(&to).send().await.expect(200);
    let tested = of(&owned).await;
    let routes = tested["routes"].as_array().unwrap();
    let mail = routes.iter().find(|route| route["channel"] == "mail").unwrap();
    assert!(mail["tested_at"].is_string(), "{tested}");
    pages_say_it(server, &lost).await;
    // A channel that is off, an account that is disabled, an owner who comes.
    let off = json!({ "enabled": false });
    server.post("/api/v1/channels/mail/switch").json(&off).send().await.expect(204);
    let found = estate(&|answer| answer["bell"] == 1).await;
    assert_eq!(found["reasons"][0]["reason"], "no_channel", "{found}");
    server.post("/api/v1/channels/mail/switch").json(&json!({ "enabled": true })).send().await;
    let path = format!("/api/v1/certificates/{lost}");
    server.patch(&path).json(&json!({ "owner": "ada" })).send().await.expect(200);
    estate(&|answer| answer["nobody"] == 0 && answer["bell"] == 0).await;
    server.delete(&path).send().await.expect(204);
    world.server.finish().await;
}

async fn run_canary(server: &TestServer) {
    server.post("/api/v1/schedules/canary/run").send().await.expect(200);
    let one_is = |list: &Value| list["items"].as_array().is_some_and(|items| items.len() == 1);
    server.until("/api/v1/certificates?filter=path:/canary", one_is).await;
    server.settle().await;
    server.post("/api/v1/monitors/certificate-expiry/run").send().await.expect(200);
}

async fn events(server: &TestServer, event_type: &str, count: usize) -> Vec<Value> {
    for _ in 0..3_000 {
        let path = format!("/api/v1/events?filter=type:{event_type}");
        let list = server.get(&path).send().await.expect(200).json();
        let items = list["items"].as_array().unwrap();
        if items.len() >= count {
            return items.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{event_type} did not come");
}

#[tokio::test]
async fn the_canary_arrives_through_every_channel_and_its_absence_is_told_by_another() {
    let (mut server, clock) =
        TestServer::start_standing(3, |settings, _| settings.monitors = true).await;
    let (mailbox, receiver) = (Mailbox::start().await, Receiver::plain().await);
    let mail = json!({ "kind": "email", "settings": { "server": mailbox.server(),
        "security": "none", "from": "chancery@example.org" } });
    let chat = json!({ "kind": "webhook", "settings": { "url": receiver.url(),
        "signature": "none" } });
    for (name, body) in [("mail", mail), ("chat", chat)] {
        let new = json!({ "name": name, "body": body });
        server.post("/api/v1/channels").json(&new).send().await.expect(201);
    }
    let me = server.get("/api/v1/me").send().await.expect(200).json();
    let at = format!("/api/v1/accounts/{}/contact", me["id"].as_str().unwrap());
    let contact = json!({ "email": "root@example.org" });
    server.call(Method::PUT, &at).bearer(server.admin()).json(&contact).send().await.expect(204);
    run_canary(&server).await;
    let mails = mailbox.wait_for(1).await;
    assert_eq!(mails[0].recipients, ["root@example.org"]);
    receiver.wait_for(1).await;
    // Judged well, and gone.
    events(&server, "certificate.delete", 1).await;
    let missed = server.get("/api/v1/events?filter=type:canary.missed").send().await.expect(200);
    assert_eq!(missed.json()["items"], json!([]));
    // The chat falls silent.
    receiver.behave(Manner::Status(500, ""));
    run_canary(&server).await;
    mailbox.wait_for(2).await;
    clock.advance(3 * 3_600 * chancery_event::Timestamp::SECOND);
    server.renew().await;
    let missed = events(&server, "canary.missed", 1).await;
    let detail = &missed[0]["event"]["data"]["detail"];
    assert_eq!((&detail["channel"], &detail["because"]), (&json!("chat"), &json!("not_delivered")));
    let told = mailbox.wait_for(3).await;
    let subject = "The canary did not arrive through chat";
    assert!(told.iter().any(|mail| mail.header("Subject") == subject), "by a second path");
    let alerts = server.get("/api/v1/alerts?filter=kind:canary_missed").send().await.expect(200);
    assert_eq!(alerts.json()["items"].as_array().unwrap().len(), 1);
    // It comes back.
    receiver.behave(Manner::Well);
    run_canary(&server).await;
    events(&server, "canary.arrived", 1).await;
    let path = "/api/v1/alerts?filter=kind:canary_missed%20state:resolved";
    let alerts = server.get(path).send().await.expect(200).json();
    assert_eq!(alerts["items"].as_array().unwrap().len(), 1);
    server.finish().await;
}
