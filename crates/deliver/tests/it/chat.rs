//! Slack, Teams and ServiceNow: what they are sent, by a receiver in their place.

use std::sync::Arc;

use chancery_deliver::Senders;
use chancery_engine::Error;
use chancery_engine::delivery::{
    Address, Class, Content, Definition, DestinationEdit, Message, Parcel, Secrets, Sender as _,
};
use chancery_engine::net::Network;
use chancery_event::Environment;
use chancery_testkit::{Manner, Received, Receiver};
use serde_json::{Value, json};

use crate::world::World;

fn json_of(received: &Received) -> Value {
    serde_json::from_slice(&received.body).unwrap()
}

#[tokio::test]
async fn slack_gets_blocks_and_its_address_is_a_secret() {
    let world = World::start().await;
    let receiver = Receiver::plain().await;
    let url = receiver.url();
    world.forwarder("slack", json!({}), &[("url", &url)], json!({})).await.unwrap();
    world.group("a <b> & c").await;
    let card = json_of(&receiver.wait_for(1).await[0]);
    assert_eq!(card["blocks"][0]["type"], "section");
    let text = card.to_string();
    assert!(text.contains("a &lt;b&gt; &amp; c") && !text.contains("<b>"), "{text}");
    let sent = world.try_out().await;
    assert!(!sent.request.to_string().contains("/hook"), "{}", sent.request);
    world.server.finish().await;
}

#[tokio::test]
async fn teams_gets_an_adaptive_card() {
    let world = World::start().await;
    let receiver = Receiver::plain().await;
    let url = receiver.url();
    world.forwarder("teams", json!({}), &[("url", &url)], json!({})).await.unwrap();
    world.group("web").await;
    let card = json_of(&receiver.wait_for(1).await[0]);
    let content = &card["attachments"][0]["content"];
    assert_eq!((&content["type"], &content["version"]), (&json!("AdaptiveCard"), &json!("1.4")));
    assert_eq!(content["body"][1]["type"], "FactSet");
    world.server.finish().await;
}

#[tokio::test]
async fn a_card_of_several_events_leads_to_each() {
    let world = World::start().await;
    let receiver = Receiver::plain().await;
    let url = receiver.url();
    let batches = json!({ "batch_max": 10 });
    world.forwarder("teams", json!({}), &[("url", &url)], batches).await.unwrap();
    for name in ["one", "two", "three"] {
        world.group(name).await;
    }
    for _ in 0..1_000 {
        let path = "/api/v1/deliveries?state=delivered";
        let rows = world.server.get(path).send().await.expect(200).json();
        let events = rows["items"].as_array().unwrap().iter().map(|row| row["events"].as_u64());
        if events.map(Option::unwrap).sum::<u64>() == 3 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let before = receiver.received().len();
    // Sent again, they come as one card.
    world.server.engine().replay_forwarder(&world.context, "it", 0, None).await.unwrap();
    let card = json_of(&receiver.wait_for(before + 1).await[before]);
    let content = &card["attachments"][0]["content"];
    let sets = content["body"].as_array().unwrap().iter().filter(|one| one["type"] == "ActionSet");
    let links: std::collections::BTreeSet<String> =
        sets.map(|set| set["actions"][0]["url"].as_str().unwrap().to_owned()).collect();
    assert_eq!(links.len(), 3, "{card}");
    assert!(links.iter().all(|link| link.contains("/events/")), "{links:?}");
    assert_eq!(content["actions"], json!([]), "{card}");
    world.server.finish().await;
}

#[tokio::test]
async fn servicenow_gets_events_or_records() {
    for (mode, line) in [
        ("em_event", "POST /hook/api/global/em/jsonv2 HTTP/1.1"),
        ("table", "POST /hook/api/now/table/incident HTTP/1.1"),
        ("akeyless", "POST /hook/akeyless-events/ HTTP/1.1"),
    ] {
        let world = World::start().await;
        let receiver = Receiver::plain().await;
        let settings = json!({ "url": receiver.url(), "mode": mode, "username": "chancery" });
        let secrets = [("password", "secret")];
        world.forwarder("servicenow", settings, &secrets, json!({})).await.unwrap();
        world.group("web").await;
        let received = receiver.wait_for(1).await.remove(0);
        assert_eq!(received.line, line);
        let body = json_of(&received);
        match mode {
            "em_event" => {
                let record = &body["records"][0];
                assert_eq!(record["type"], "configuration.create");
                assert_eq!(record["severity"], "5");
                assert!(record["additional_info"].as_str().unwrap().contains("event_id"));
            }
            "table" => assert!(body["short_description"].as_str().unwrap().contains("web")),
            _ => assert!(body["Akeyless_Events"].is_object()),
        }
        world.server.finish().await;
    }
}

#[tokio::test]
async fn a_record_that_servicenow_refuses_is_sent_again_and_no_other() {
    let world = World::start().await;
    let receiver = Receiver::plain().await;
    let settings = json!({ "url": receiver.url(), "mode": "em_event" });
    world.forwarder("servicenow", settings, &[("token", "x")], json!({})).await.unwrap();
    for name in ["one", "two", "three"] {
        world.group(name).await;
    }
    // One by one or together, as they fell.
    let delivered = async |query: &str, count: u64| {
        for _ in 0..1_000 {
            let path = format!("/api/v1/deliveries?state=delivered&limit=10{query}");
            let rows = world.server.get(&path).send().await.expect(200).json();
            let rows = rows["items"].as_array().unwrap().clone();
            if rows.iter().map(|row| row["events"].as_u64().unwrap()).sum::<u64>() >= count {
                return rows;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{count} events were not delivered");
    };
    delivered("", 3).await;
    let before = receiver.received().len();
    // Sent again, they come as one batch; the third is refused within an answer of success.
    // The answer is a long one, with every column of each record.
    let column = "x".repeat(30_000);
    let said = json!({ "records": [{ "__status": "success", "description": column },
        { "__status": "success", "description": column },
        { "description": column, "__status": "failure",
            "__error": { "message": "no such node", "reason": "secret" } }] });
    assert!(said.to_string().len() > 65_536);
    receiver.behave(Manner::Says(200, String::new(), said.to_string()));
    world.server.engine().replay_forwarder(&world.context, "it", 0, None).await.unwrap();
    let batch = json_of(&receiver.wait_for(before + 1).await[before]);
    receiver.behave(Manner::Well);
    let records = batch["records"].as_array().unwrap();
    assert_eq!(records.len(), 3);
    let again = json_of(&receiver.wait_for(before + 2).await[before + 1]);
    assert_eq!(again["records"], json!([records[2]]), "the one that was refused");
    let rows = delivered("&reason=replay", 4).await;
    let of = |events: u64| rows.iter().find(|row| row["events"] == events).unwrap();
    let (whole, part) = (of(3), of(1));
    assert_eq!((&whole["state"], &whole["attempts"]), (&json!("delivered"), &json!(1)));
    let told = whole["error"].as_str().unwrap();
    assert!(told.contains(part["id"].as_str().unwrap()), "{told}");
    assert_eq!((&part["state"], &part["attempts"]), (&json!("delivered"), &json!(2)));
    let path = format!("/api/v1/deliveries/{}", part["id"].as_str().unwrap());
    let shown = world.server.get(&path).send().await.expect(200).json();
    assert!(shown.to_string().contains("ServiceNow took the request and not the record"));
    assert!(!shown.to_string().contains("no such node"), "their words are not repeated: {shown}");
    world.server.finish().await;
}

#[tokio::test]
async fn an_answer_of_success_that_names_an_error_is_a_failure() {
    let world = World::start().await;
    let receiver = Receiver::plain().await;
    let url = receiver.url();
    let modes = ["em_event", "table", "import"];
    for (mode, said, taken) in [
        (
            "em_event",
            json!({ "result": { "Default Bulk Endpoint": "1 events were inserted" } }),
            true,
        ),
        ("em_event", json!({ "records": [{ "__status": "success" }] }), true),
        ("em_event", json!({ "records": [{ "__status": "failure", "__error": {} }] }), false),
        ("em_event", json!({ "error": "the whole was refused", "reason": null }), false),
        ("table", json!({ "result": { "sys_id": "1", "status": "error" } }), true),
        ("table", json!({ "error": { "message": "no rights" }, "status": "failure" }), false),
        ("import", json!({ "import_set": "I1", "result": [{ "status": "inserted" }] }), true),
        (
            "import",
            json!({ "result": [{ "status": "updated" }, { "status": "error",
                "error_message": "no transform map" }] }),
            false,
        ),
    ] {
        assert!(modes.contains(&mode));
        receiver.behave(Manner::Says(201, String::new(), said.to_string()));
        let mut settings = json!({ "url": url, "mode": mode });
        if mode != "em_event" {
            settings["table"] = "u_events".into();
        }
        if taken && said["result"]["Default Bulk Endpoint"].is_string() {
            world.forwarder("servicenow", settings, &[("token", "x")], json!({})).await.unwrap();
        } else {
            world.update(settings).await;
        }
        let sent = world.try_out().await;
        let word = sent.failure.map(|failure| failure.word);
        let expected = if taken { None } else { Some("record_refused") };
        assert_eq!((word, sent.status), (expected, Some(201)), "{mode} {said}");
    }
    let last = receiver.received().pop().unwrap();
    assert!(last.line.starts_with("POST /hook/api/now/import/u_events "), "{}", last.line);
    world.server.finish().await;
}

#[tokio::test]
async fn an_answer_of_servicenow_that_does_not_end_confirms_nothing() {
    let world = World::start().await;
    let receiver = Receiver::plain().await;
    let settings = json!({ "url": receiver.url(), "answer_seconds": 60 });
    world.forwarder("servicenow", settings, &[("token", "x")], json!({})).await.unwrap();
    for (mode, manner) in [
        ("em_event", Manner::Liar),
        ("em_event", Manner::Endless),
        ("import", Manner::Liar),
        ("akeyless", Manner::Liar),
        ("table", Manner::Liar),
    ] {
        receiver.behave(manner.clone());
        let url = receiver.url();
        let mut settings = json!({ "url": url, "mode": mode, "answer_seconds": 60 });
        if mode == "import" {
            settings["table"] = "u_events".into();
        }
        world.update(settings).await;
        let sent = world.try_out().await;
        let word = sent.failure.map(|failure| failure.word);
        assert_eq!((word, sent.status), (Some("unconfirmed"), Some(200)), "{mode} {manner:?}");
    }
    world.server.finish().await;
}

/// Sends messages for people as a channel of this kind does; answers the bodies that came.
async fn messages(
    kind: &str,
    settings: Value,
    secret: (&str, &str),
    all: &[Message],
) -> Vec<Value> {
    let receiver = Receiver::plain().await;
    let (mut settings, mut secrets) = (settings, Secrets::default());
    match secret {
        ("url", _) => secrets.set("url", receiver.url()),
        (name, value) => {
            settings["url"] = receiver.url().into();
            secrets.set(name, value);
        }
    }
    let definition = Definition::read(&json!({ "kind": kind, "settings": settings })).unwrap();
    let network = Network::new(vec!["127.0.0.1/32".parse().unwrap()]);
    let senders = Senders::new(network, std::env::temp_dir());
    senders.check(&definition, &mut secrets).unwrap();
    let address = Arc::new(Address {
        name: "chat".to_owned(),
        version: 1,
        definition,
        secrets,
        made: Default::default(),
    });
    let environment = Environment::system();
    for message in all {
        let parcel = Parcel {
            id: environment.id(),
            created_at: "2026-11-21T09:30:00Z".parse().unwrap(),
            now: environment.now(),
            attempt: 1,
            content: Content::Message(Box::new(message.clone())),
            public_url: "https://chancery.example.org".to_owned(),
        };
        let sent = senders.send(address.clone(), parcel).await;
        assert_eq!((sent.failure, sent.status), (None, Some(200)), "{kind}");
    }
    receiver.wait_for(all.len()).await.iter().map(json_of).collect()
}

/// A notice about one certificate.
fn notice(event_type: &str, severity: &str) -> Message {
    Message {
        subject: format!("{event_type} <b> & [x](https://evil.example)"),
        text: "It ends in 3 days.\nRenew it.".to_owned(),
        severity: Some(severity.to_owned()),
        link: Some("https://chancery.example.org/events/1".to_owned()),
        alert_link: Some("https://chancery.example.org/alerts/2".to_owned()),
        profile: Some("on-call".to_owned()),
        outcome: Some("success".to_owned()),
        object_name: Some("www.example.org".to_owned()),
        facts: vec![("Owner".to_owned(), "ada".to_owned())],
        event: Some("01890000-0000-7000-8000-000000000001".to_owned()),
        event_type: Some(event_type.to_owned()),
        key: Some("certificate/c1".to_owned()),
        mentions: vec!["<@U024BE7LH>".to_owned()],
        ..Message::default()
    }
}

#[tokio::test]
async fn a_channel_of_slack_tells_whom_of_what_and_where_to_go_on() {
    let told = [notice("certificate.expiring", "critical")];
    let card = messages("slack", json!({}), ("url", ""), &told).await.remove(0);
    let text = card["blocks"][0]["text"]["text"].as_str().unwrap();
    assert!(text.starts_with(":red_circle: *certificate.expiring &lt;b&gt; &amp; "), "{text}");
    assert!(text.contains("For <@U024BE7LH>") && text.contains("It ends in 3 days."), "{text}");
    assert_eq!(card["blocks"][1]["fields"][0]["text"], "*Owner*\nada");
    let link = "<https://chancery.example.org/events/1|Open in Chancery> · \
                <https://chancery.example.org/alerts/2|Open the alert>";
    assert_eq!(card["blocks"][2]["elements"][0]["text"], link);
}

#[tokio::test]
async fn a_channel_of_teams_tells_the_same_as_a_card() {
    let mut told = notice("certificate.expiring", "critical");
    told.text.push_str("\nhttps://chancery.example.org/alerts/2");
    let card = messages("teams", json!({}), ("url", ""), &[told]).await.remove(0);
    let content = &card["attachments"][0]["content"];
    let title = &content["body"][0]["inlines"][0];
    assert_eq!(title["color"], "attention");
    assert!(title["text"].as_str().unwrap().ends_with("(critical)"), "{title}");
    assert_eq!(content["body"][1]["inlines"][0]["text"], "It ends in 3 days.");
    let alert = "https://chancery.example.org/alerts/2";
    let line = &content["body"][3]["inlines"][0];
    assert_eq!((&line["text"], &line["selectAction"]["url"]), (&json!(alert), &json!(alert)));
    assert_eq!(content["body"][4]["facts"], json!([{ "title": "Owner", "value": "ada" }]));
    let buttons = content["actions"].as_array().unwrap().iter();
    let buttons: Vec<_> = buttons.map(|one| (&one["title"], &one["url"])).collect();
    let event = json!("https://chancery.example.org/events/1");
    let wanted = [(&json!("Open in Chancery"), &event), (&json!("Open the alert"), &json!(alert))];
    assert_eq!(buttons, wanted);
}

#[tokio::test]
async fn a_channel_of_servicenow_keeps_notices_about_one_object_apart() {
    let told = [
        notice("certificate.expiring", "critical"),
        notice("certificate.changed", "info"),
        notice("certificate.expiring", "warning"),
        Message { key: Some("alert/a1".to_owned()), ..notice("alert.raised", "error") },
        Message { key: Some("alert/a1".to_owned()), ..notice("alert.resolved", "info") },
        Message { key: None, event_type: None, object_name: None, ..notice("digest", "info") },
    ];
    let bodies = messages("servicenow", json!({}), ("token", "x"), &told).await;
    let records: Vec<&Value> = bodies.iter().map(|body| &body["records"][0]).collect();
    let key = |at: usize| records[at]["message_key"].as_str().unwrap();
    assert_ne!(key(0), key(1), "an info about a certificate is not the end of a critical one");
    assert_eq!(key(0), key(2), "the same thing again is one alert there");
    assert_eq!(key(3), key(4), "what is over closes what it ends");
    assert_eq!(
        (&records[4]["severity"], &records[4]["resolution_state"]),
        (&json!("0"), &json!("Closing"))
    );
    assert!(key(5).len() > 30 && key(5) != key(0), "a digest is about nothing else");
    let first = records[0];
    assert_eq!((&first["severity"], &first["type"]), (&json!("1"), &json!("certificate.expiring")));
    assert_eq!(first["time_of_event"], "2026-11-21 09:30:00");
    assert!(first["description"].as_str().unwrap().contains("It ends in 3 days."));
    let info: Value = serde_json::from_str(first["additional_info"].as_str().unwrap()).unwrap();
    assert_eq!(info["link"], "https://chancery.example.org/events/1");
    assert_eq!(info["alert"], "https://chancery.example.org/alerts/2");
    assert_eq!((&info["profile"], &info["object"]), (&json!("on-call"), &json!("certificate/c1")));
    for (member, value) in [
        ("resource", "www.example.org"),
        ("node", "www.example.org"),
        ("metric_name", "certificate"),
        ("event_class", "https://chancery.example.org"),
    ] {
        assert_eq!(first[member], value, "{member}");
    }
    // What is about no certificate is this program's.
    assert_eq!(records[3]["node"], "https://chancery.example.org");
    assert_eq!(records[5]["resource"], "on-call", "a digest is about its profile");
}

#[tokio::test]
async fn a_channel_of_servicenow_closes_what_was_told_of_the_end_of_a_certificate() {
    let failed =
        Message { outcome: Some("failure".to_owned()), ..notice("certificate.delete", "error") };
    let told = [
        notice("certificate.expiring", "warning"),
        notice("certificate.expired", "error"),
        Message { key: Some("authority/c1".to_owned()), ..notice("authority.expiring", "warning") },
        failed,
        notice("certificate.replaced", "info"),
        notice("certificate.archive", "info"),
        notice("certificate.delete", "warning"),
    ];
    let bodies = messages("servicenow", json!({}), ("token", "x"), &told).await;
    let of = |at: usize| bodies[at]["records"].as_array().unwrap();
    let opened: Vec<&Value> = (0..3).map(|at| &of(at)[0]["message_key"]).collect();
    assert_eq!(of(3).len(), 1, "what failed ends nothing");
    for at in 4..7 {
        let (own, closing) = of(at).split_first().unwrap();
        assert_ne!(own["severity"], "0", "it is told of itself as well");
        let keys: Vec<&Value> = closing.iter().map(|one| &one["message_key"]).collect();
        assert_eq!(keys, opened, "{at}");
        let is_over = |one: &Value| one["severity"] == "0" && one["resolution_state"] == "Closing";
        assert!(closing.iter().all(is_over), "{closing:?}");
    }
}

#[tokio::test]
async fn a_channel_of_servicenow_makes_records_of_tables() {
    let told = [notice("certificate.expiring", "critical"), notice("certificate.changed", "info")];
    let settings = json!({ "mode": "table", "table": "incident" });
    let records = messages("servicenow", settings, ("token", "x"), &told).await;
    let first = &records[0];
    assert!(first["short_description"].as_str().unwrap().starts_with("certificate.expiring"));
    let text = first["description"].as_str().unwrap();
    for part in ["It ends in 3 days.", "Owner: ada", "https://chancery.example.org/events/1"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!((&first["urgency"], &records[1]["urgency"]), (&json!("1"), &json!("3")));
    assert_ne!(first["correlation_id"], records[1]["correlation_id"]);
    let settings = json!({ "mode": "import", "table": "u_notices" });
    let record = messages("servicenow", settings, ("token", "x"), &told[..1]).await.remove(0);
    assert_eq!(record["urgency"], Value::Null, "a table of their own has no such member");
}

#[tokio::test]
async fn a_channel_of_each_kind_is_saved_and_tried_out() {
    for (kind, settings, secret) in [
        ("slack", json!({}), "url"),
        ("teams", json!({}), "url"),
        ("servicenow", json!({ "mode": "em_event" }), "token"),
    ] {
        let world = World::start().await;
        let receiver = Receiver::plain().await;
        let mut settings = settings;
        let value = if secret == "url" { receiver.url() } else { "x".to_owned() };
        if secret != "url" {
            settings["url"] = receiver.url().into();
        }
        let edit = |settings: &Value| DestinationEdit {
            body: json!({ "kind": kind, "settings": settings }),
            secrets: [(secret.to_owned(), value.clone())].into(),
            ..DestinationEdit::default()
        };
        let engine = world.server.engine();
        let save = |edit| engine.create_destination(&world.context, Class::Channel, "chat", edit);
        if kind == "servicenow" {
            // Their endpoint takes events: a message would be an empty body there.
            settings["mode"] = "akeyless".into();
            let refused = save(edit(&settings)).await.err();
            assert!(
                matches!(refused, Some(Error::Invalid { ref field, .. }) if field == "settings/mode"),
                "{refused:?}"
            );
            settings["mode"] = "em_event".into();
        }
        save(edit(&settings)).await.unwrap();
        let sent = engine.try_destination(&world.context, Class::Channel, "chat").await.unwrap();
        assert_eq!(sent.failure, None, "{kind}");
        let came = receiver.wait_for(1).await.remove(0);
        assert!(json_of(&came).to_string().contains("trial of chat"), "{kind}: {came:?}");
        world.server.finish().await;
    }
}
