//! Whom the bell rings for: whom a step names, and everybody who may see it where it names nobody.

use std::time::Duration;

use chancery_engine::access::NewAccount;
use chancery_engine::alert::{Action, AlertQuery, Selection, Sort};
use chancery_engine::automation::{Class, Edit};
use chancery_engine::inventory::{PlacementRequest, UploadAnswer};
use chancery_engine::{Client, Context, Engine, Role};
use chancery_event::id::CertificateId;
use chancery_event::{Authentication, Origin};
use chancery_throwaway::on_each_backend;
use serde_json::{Value, json};

use crate::upload::{leaf, start, upload_of};

const LIMIT: Duration = Duration::from_secs(60);

async fn reader(engine: &Engine, name: &str, role: Role) -> Context {
    let new = NewAccount {
        name: name.to_owned(),
        display_name: String::new(),
        email: None,
        role: role.to_string(),
        password: None,
        expires_at: None,
    };
    let own = Context::command_line(engine.environment());
    let id = engine.create_account(&own, new).await.unwrap().0;
    let authentication = Authentication { method: "password".into(), credential: None };
    let (environment, client) = (engine.environment(), Client::default());
    Context::account(environment, Origin::Api, client, id, name.to_owned(), role, authentication)
}

async fn moved(engine: &Engine, id: CertificateId, wish: PlacementRequest) {
    let own = Context::command_line(engine.environment());
    engine.update_certificate(&own, id, None, wish).await.unwrap();
    assert!(engine.reacted(LIMIT).await);
}

/// How many alerts each has not read, by the bell and by the list.
async fn unread(engine: &Engine, readers: &[&Context]) -> Vec<u64> {
    let mut counts = Vec::new();
    for reader in readers {
        let bell = engine.unread_alerts(reader, 100).await.unwrap();
        let query = AlertQuery {
            filter: engine.parse_alert_filter("unread:true").unwrap(),
            sort: Sort::Created,
            descending: true,
            cursor: None,
            limit: 10,
        };
        let list = engine.alerts(reader, &query).await.unwrap().items;
        assert_eq!(bell, list.len() as u64);
        assert!(list.iter().all(|shown| shown.unread));
        counts.push(bell);
    }
    counts
}

/// For each folder a trigger that tells somebody of what is moved there.
async fn notices(engine: &Engine) {
    let own = Context::command_line(engine.environment());
    let put = |class, name: &str, body: Value| Edit {
        class,
        name: name.to_owned(),
        body: Some(body),
        enabled: true,
    };
    let mut edits = Vec::new();
    for (name, step) in [
        ("role", json!({ "step": "notify", "to": "role:operator", "title": "for operators" })),
        ("owner", json!({ "step": "notify", "to": "owner", "title": "for its owner" })),
        ("one", json!({ "step": "notify", "to": "account:vic", "title": "for one" })),
        ("nobody", json!({ "step": "raise_alert", "kind": "x", "title": "for everybody" })),
        ("profile", json!({ "step": "notify", "profile": "p", "title": "by a profile" })),
    ] {
        edits.push(put(Class::Action, name, json!({ "steps": [step] })));
        let filter = format!("object.path:/{name} detail.changes.member:path");
        edits.push(put(Class::Rule, name, json!({ "filter": filter })));
        let body = json!({ "event_types": ["certificate.update"], "rules": [name],
            "actions": [name] });
        edits.push(put(Class::Trigger, name, body));
    }
    let profile = json!({ "recipients": ["account:ada", "account:owen"], "channels": ["bell"] });
    edits.push(put(Class::Profile, "p", profile));
    engine.apply_automation(&own, None, edits).await.unwrap();
}

on_each_backend!(a_notice_rings_for_whom_the_step_names, 2);
async fn a_notice_rings_for_whom_the_step_names() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let own = Context::command_line(engine.environment());
    let ada = reader(engine, "ada", Role::Operator).await;
    let vic = reader(engine, "vic", Role::Viewer).await;
    let owen = reader(engine, "owen", Role::Viewer).await;
    let all = [&ada, &vic, &owen];
    notices(engine).await;
    let answer = engine.upload(&own, upload_of(leaf("www.example.com"))).await.unwrap();
    let UploadAnswer::Done(mut items) = answer else { panic!("a synchronous upload is done") };
    let id = items.remove(0).result.unwrap();
    let owner = PlacementRequest { owner: Some("owen".to_owned()), ..PlacementRequest::default() };
    moved(engine, id, owner).await;
    assert_eq!(unread(engine, &all).await, [0, 0, 0]);
    let mut expected = [0, 0, 0];
    for (path, rings) in
        [("role", [1, 0, 0]), ("owner", [0, 0, 1]), ("one", [0, 1, 0]), ("nobody", [1, 1, 1])]
    {
        let path = Some(format!("/{path}"));
        moved(engine, id, PlacementRequest { path, ..PlacementRequest::default() }).await;
        expected.iter_mut().zip(rings).for_each(|(sum, ring)| *sum += ring);
        assert_eq!(unread(engine, &all).await, expected, "{rings:?}");
    }
    // A profile decides whom it tells; the herald does that behind the dispatcher.
    let path = Some("/profile".to_owned());
    moved(engine, id, PlacementRequest { path, ..PlacementRequest::default() }).await;
    let deadline = std::time::Instant::now() + LIMIT;
    while engine.unread_alerts(&ada, 100).await.unwrap() == expected[0] {
        assert!(std::time::Instant::now() < deadline);
        engine.reacted(Duration::from_millis(50)).await;
    }
    (expected[0], expected[2]) = (expected[0] + 1, expected[2] + 1);
    assert_eq!(unread(engine, &all).await, expected);

    // Everybody finds all of them in the list; who is given one hears of it; who wants one unread
    // has it.
    let query = AlertQuery {
        filter: engine.parse_alert_filter("title:\"for operators\"").unwrap(),
        sort: Sort::Created,
        descending: true,
        cursor: None,
        limit: 10,
    };
    let seen = engine.alerts(&vic, &query).await.unwrap().items;
    assert!(seen.len() == 1 && !seen[0].unread);
    let this = Selection::Ids(vec![seen[0].alert.id]);
    engine.settle_alerts(&ada, &this, &Action::Assign(vic.account_id())).await.unwrap();
    assert_eq!(unread(engine, &all).await, [expected[0] - 1, expected[1] + 1, expected[2]]);
    engine.mark_alerts(&owen, &this, false).await.unwrap();
    assert_eq!(unread(engine, &all).await[2], expected[2] + 1);
    engine.mark_all_alerts_read(&owen).await.unwrap();
    assert_eq!(unread(engine, &all).await[2], 0);
    running.stop().await.unwrap();
}
