//! Groups, RA profiles, custom attributes and views are set up, used and taken away.

use chancery_engine::configuration::attribute::{AttributeChange, Kind, NewAttribute};
use chancery_engine::configuration::{LabelChange, NewLabel};
use chancery_engine::view::NewView;
use chancery_engine::{Context, Error, Role};
use serde_json::json;

use crate::access::{enter, events, secret, told};
use crate::upload::{leaf, start, upload_of};

fn reason<T>(result: Result<T, Error>) -> &'static str {
    result.err().map_or("success", |error| error.reason())
}

fn label(name: &str) -> NewLabel {
    NewLabel { name: name.to_owned(), description: "ask Grace about it".to_owned() }
}

fn renamed(name: &str) -> LabelChange {
    LabelChange { name: Some(name.to_owned()), description: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_and_an_ra_profile_go_from_their_name_to_their_end() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let context = Context::command_line(engine.environment());
    let group = engine.create_group(&context, label(" Web ")).await.unwrap();
    let id = group.id.parse().unwrap();
    assert_eq!((group.name.as_str(), group.version), ("Web", 1));
    assert_eq!(reason(engine.create_group(&context, label("wEB")).await), "exists");
    assert_eq!(reason(engine.create_group(&context, label("a\u{7}b")).await), "invalid");
    let profile = engine.create_ra_profile(&context, label("Web")).await.unwrap();

    let after = engine.update_group(&context, id, Some(1), renamed("Web servers")).await.unwrap();
    assert_eq!(after.version, 2);
    assert_eq!(engine.group(&context, id).await.unwrap(), after);
    assert_eq!(
        reason(engine.update_group(&context, id, Some(1), renamed("x")).await),
        "changed_meanwhile"
    );
    let same = engine.update_group(&context, id, Some(2), renamed("Web servers")).await.unwrap();
    assert_eq!(same.version, 2, "nothing changed");

    let mut upload = upload_of(leaf("www.example.com"));
    upload.placement.groups = Some(vec!["web servers".to_owned()]);
    upload.placement.ra_profile = Some(profile.id.clone());
    engine.upload(&context, upload).await.unwrap();
    let refused = engine.delete_group(&context, id).await.unwrap_err();
    assert_eq!(
        (refused.reason(), refused.to_string().starts_with("1 certificate carries")),
        ("in_use", true)
    );
    let profile = profile.id.parse().unwrap();
    assert_eq!(reason(engine.delete_ra_profile(&context, profile).await), "in_use");
    let empty = engine.create_group(&context, label("Empty")).await.unwrap();
    engine.delete_group(&context, empty.id.parse().unwrap()).await.unwrap();
    assert_eq!(engine.groups(&context).await.unwrap(), [after]);

    let viewer = Context { role: Some(Role::Operator), ..context.clone() };
    assert_eq!(reason(engine.create_group(&viewer, label("Mine")).await), "forbidden");
    assert_eq!(told(engine, "type:configuration.* outcome:deny").await.len(), 1);
    let updates = events(engine, "type:configuration.update outcome:success").await;
    let change = json!([{ "member": "name", "before": "Web", "after": "Web servers" }]);
    assert_eq!(updates[0].event.detail["changes"], change);
    for sealed in events(engine, "type:configuration.*").await {
        let entry = String::from_utf8_lossy(&sealed.entry);
        assert!(!entry.contains("Grace"), "{entry}");
    }
    let made = events(engine, "type:configuration.create outcome:success").await;
    let personal = &made[0].event.personal().unwrap().detail;
    assert_eq!(personal["changes"][0]["after"], "ask Grace about it");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attribute_decides_which_values_certificates_take() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let context = Context::command_line(engine.environment());
    let new = NewAttribute {
        name: "stage".to_owned(),
        label: String::new(),
        description: String::new(),
        kind: Kind::List,
        choices: vec!["test".to_owned(), "production".to_owned()],
        required: false,
    };
    let made = engine.create_attribute(&context, new.clone()).await.unwrap();
    assert_eq!(made.label, "stage");
    assert_eq!(reason(engine.create_attribute(&context, new).await), "exists");
    let mut upload = upload_of(leaf("www.example.com"));
    upload.placement.attributes.insert("stage".to_owned(), json!(["moon"]));
    let chancery_engine::inventory::UploadAnswer::Done(items) =
        engine.upload(&context, upload.clone()).await.unwrap()
    else {
        panic!("a synchronous upload is done");
    };
    let refused = items[0].result.as_ref().unwrap_err();
    assert!(refused.to_string().starts_with("attributes.stage: “moon”"), "{refused}");

    let choices = Some(vec!["test".to_owned(), "moon".to_owned()]);
    let change = AttributeChange { choices, ..AttributeChange::default() };
    let after = engine.update_attribute(&context, made.id, Some(1), change.clone()).await.unwrap();
    assert_eq!(after.version, 2);
    assert_eq!(
        reason(engine.update_attribute(&context, made.id, Some(1), change).await),
        "changed_meanwhile"
    );
    engine.upload(&context, upload).await.unwrap();
    assert_eq!(reason(engine.delete_attribute(&context, made.id).await), "in_use");
    assert_eq!(engine.attributes(&context).await.unwrap(), [after]);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn views_are_ones_own_unless_shared() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let machine = Context::command_line(engine.environment());
    let password = running.one_time_password.as_ref().unwrap();
    let admin = enter(engine, "admin", password.expose()).await.unwrap();
    let new = chancery_engine::access::NewAccount {
        name: "grace".to_owned(),
        display_name: String::new(),
        email: None,
        role: Role::Viewer,
        password: Some(secret("correct horse battery")),
    };
    engine.create_account(&machine, new).await.unwrap();
    let grace = enter(engine, "grace", "correct horse battery").await.unwrap();
    let view = |name: &str, shared| NewView {
        list: "events".to_owned(),
        name: name.to_owned(),
        query: "?q=actor:ada".to_owned(),
        shared,
    };
    let own = engine.create_view(&grace.context, view("Ada", false)).await.unwrap();
    let shared = engine.create_view(&grace.context, view("For all", true)).await.unwrap();
    let wrong = NewView { list: "moons".to_owned(), ..view("x", false) };
    assert_eq!(reason(engine.create_view(&grace.context, wrong).await), "invalid");
    assert_eq!(reason(engine.create_view(&machine, view("x", false)).await), "unauthenticated");
    let seen = engine.views(&grace.context, "events").await.unwrap();
    let seen: Vec<_> = seen.iter().map(|v| (v.name.as_str(), v.query.as_str(), v.own)).collect();
    assert_eq!(seen, [("Ada", "q=actor:ada", true), ("For all", "q=actor:ada", true)]);
    let seen = engine.views(&admin.context, "events").await.unwrap();
    assert_eq!(seen.iter().map(|v| (v.id, v.own)).collect::<Vec<_>>(), [(shared, false)]);
    assert!(engine.views(&admin.context, "jobs").await.unwrap().is_empty());

    assert_eq!(reason(engine.delete_view(&admin.context, own).await), "not_found");
    engine.delete_view(&admin.context, shared).await.unwrap();
    engine.delete_view(&grace.context, own).await.unwrap();
    assert!(engine.views(&grace.context, "events").await.unwrap().is_empty());
    for sealed in events(engine, "type:configuration.*").await {
        let entry = String::from_utf8_lossy(&sealed.entry).to_lowercase();
        assert!(!entry.contains("ada"), "{entry}");
    }
    running.stop().await.unwrap();
}
