//! Groups, RA profiles, custom attributes and views are set up, used and taken away.

use chancery_engine::configuration::attribute::AttributeDraft;
use chancery_engine::configuration::{LabelClass, LabelDraft};
use chancery_engine::view::NewView;
use chancery_engine::{Context, Error, Role};
use chancery_throwaway::on_each_backend;
use serde_json::json;

use crate::access::{enter, events, secret, told};
use crate::upload::{leaf, start, upload_of};

fn reason<T>(result: Result<T, Error>) -> &'static str {
    result.err().map_or("success", |error| error.reason())
}

fn label(name: &str) -> LabelDraft {
    LabelDraft { name: name.to_owned(), description: "ask Grace about it".to_owned() }
}

on_each_backend!(a_group_and_an_ra_profile_go_from_their_name_to_their_end, 2);

async fn a_group_and_an_ra_profile_go_from_their_name_to_their_end() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let context = Context::command_line(engine.environment());
    let group = LabelClass::Group;
    let create = async |class, name: &str| engine.create_label(&context, class, label(name)).await;
    let update = async |id: &str, version, name: &str| {
        reason(engine.update_label(&context, group, id, Some(version), label(name)).await)
    };
    let id = create(group, " Web ").await.unwrap();
    assert_eq!(reason(create(group, "wEB").await), "name_taken");
    let said = create(group, "web").await.unwrap_err().to_string();
    assert!(said.contains("there is a group of this name already"), "{said}");
    assert_eq!(reason(create(group, "a\u{7}b").await), "invalid");
    let profile = create(LabelClass::RaProfile, "Web").await.unwrap();
    assert_eq!(update(&id, 1, "Web servers").await, "success");
    assert_eq!(update(&id, 1, "x").await, "changed_meanwhile");
    assert_eq!(update(&id, 2, " Web servers").await, "success");
    let groups = engine.labels(&context, group).await.unwrap();
    assert_eq!((groups[0].name.as_str(), groups[0].version), ("Web servers", 2));

    let mut upload = upload_of(leaf("www.example.com"));
    upload.placement.groups = Some(vec!["web servers".to_owned()]);
    upload.placement.ra_profile = Some(profile.clone());
    engine.upload(&context, upload).await.unwrap();
    let refused = engine.delete_label(&context, group, &id).await.unwrap_err();
    assert_eq!(refused.reason(), "in_use");
    assert!(refused.to_string().starts_with("1 certificate carries"), "{refused}");
    let refused = engine.delete_label(&context, LabelClass::RaProfile, &profile).await;
    assert_eq!(reason(refused), "in_use");
    let empty = create(group, "Empty").await.unwrap();
    engine.delete_label(&context, group, &empty).await.unwrap();
    assert_eq!(engine.labels(&context, group).await.unwrap(), groups);

    let viewer = Context { role: Some(Role::Operator), ..context.clone() };
    assert_eq!(reason(engine.create_label(&viewer, group, label("Mine")).await), "forbidden");
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

on_each_backend!(an_attribute_decides_which_values_certificates_take, 2);

async fn an_attribute_decides_which_values_certificates_take() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let context = Context::command_line(engine.environment());
    let draft = |choices: &[&str]| AttributeDraft {
        name: "stage".to_owned(),
        label: String::new(),
        description: String::new(),
        kind: "list".to_owned(),
        choices: choices.iter().map(|&choice| choice.to_owned()).collect(),
        required: false,
    };
    let create = async |choices: &[&str]| engine.create_attribute(&context, draft(choices)).await;
    let id = create(&["test", "production"]).await.unwrap();
    assert_eq!(reason(create(&[]).await), "name_taken");
    let said = create(&[]).await.unwrap_err().to_string();
    assert!(said.contains("there is an attribute of this name already"), "{said}");
    assert_eq!(reason(create(&["a", " "]).await), "invalid");
    let mut upload = upload_of(leaf("www.example.com"));
    upload.placement.attributes.insert("stage".to_owned(), json!(["moon"]));
    let chancery_engine::inventory::UploadAnswer::Done(items) =
        engine.upload(&context, upload.clone()).await.unwrap()
    else {
        panic!("a synchronous upload is done");
    };
    let refused = items[0].result.as_ref().unwrap_err();
    assert!(refused.to_string().starts_with("attributes.stage: “moon”"), "{refused}");

    let update = async |version| {
        let draft = draft(&["test", "moon"]);
        reason(engine.update_attribute(&context, id, Some(version), draft).await)
    };
    assert_eq!(update(1).await, "success");
    assert_eq!(update(1).await, "changed_meanwhile");
    engine.upload(&context, upload).await.unwrap();
    assert_eq!(reason(engine.delete_attribute(&context, id).await), "in_use");
    let attributes = engine.attributes(&context).await.unwrap();
    assert_eq!((attributes[0].label.as_str(), attributes[0].version), ("stage", 2));
    running.stop().await.unwrap();
}

on_each_backend!(views_are_ones_own_unless_shared, 2);

async fn views_are_ones_own_unless_shared() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let machine = Context::command_line(engine.environment());
    let password = running.one_time_password.as_ref().unwrap();
    let admin = enter(engine, "admin", password.expose()).await.unwrap();
    assert!(admin.must_change, "a password that was printed is for one time");
    let new = chancery_engine::access::NewAccount {
        name: "grace".to_owned(),
        display_name: String::new(),
        email: None,
        role: Role::Viewer.to_string(),
        password: Some(secret("correct horse battery")),
        expires_at: None,
    };
    engine.create_account(&machine, new).await.unwrap();
    let grace = enter(engine, "grace", "correct horse battery").await.unwrap();
    let view = |name: &str, shared| NewView {
        list: "events".to_owned(),
        name: name.to_owned(),
        query: "?q=actor:burr".to_owned(),
        shared,
    };
    let own = engine.create_view(&grace.context, view("Burr", false)).await.unwrap();
    let shared = engine.create_view(&grace.context, view("For all", true)).await.unwrap();
    let wrong = NewView { list: "moons".to_owned(), ..view("x", false) };
    assert_eq!(reason(engine.create_view(&grace.context, wrong).await), "invalid");
    assert_eq!(reason(engine.create_view(&machine, view("x", false)).await), "unauthenticated");
    let seen = engine.views(&grace.context, "events").await.unwrap();
    let seen: Vec<_> = seen.iter().map(|v| (v.name.as_str(), v.query.as_str(), v.own)).collect();
    assert_eq!(seen, [("Burr", "q=actor:burr", true), ("For all", "q=actor:burr", true)]);
    let seen = engine.views(&admin.context, "events").await.unwrap();
    assert_eq!(seen.iter().map(|v| (v.id, v.own)).collect::<Vec<_>>(), [(shared, false)]);
    assert!(engine.views(&admin.context, "jobs").await.unwrap().is_empty());

    assert_eq!(reason(engine.delete_view(&admin.context, own).await), "not_found");
    engine.delete_view(&admin.context, shared).await.unwrap();
    engine.delete_view(&grace.context, own).await.unwrap();
    assert!(engine.views(&grace.context, "events").await.unwrap().is_empty());
    for sealed in events(engine, "type:configuration.*").await {
        let entry = String::from_utf8_lossy(&sealed.entry).to_lowercase();
        assert!(!entry.contains("burr"), "{entry}");
    }
    running.stop().await.unwrap();
}

on_each_backend!(who_may_not_search_for_people_does_not_see_whom_others_look_for, 2);

async fn who_may_not_search_for_people_does_not_see_whom_others_look_for() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let machine = Context::command_line(engine.environment());
    let password = running.one_time_password.as_ref().unwrap();
    let admin = enter(engine, "admin", password.expose()).await.unwrap();
    let new = chancery_engine::access::NewAccount {
        name: "vera".to_owned(),
        display_name: String::new(),
        email: None,
        role: Role::Viewer.to_string(),
        password: Some(secret("correct horse battery")),
        expires_at: None,
    };
    engine.create_account(&machine, new).await.unwrap();
    let vera = enter(engine, "vera", "correct horse battery").await.unwrap();
    for (name, list, query) in [
        ("Address", "events", "from=2026-01-01T00:00:00Z&q=outcome%3Afailure+-ip%3A192.0.2.1"),
        ("Unreadable", "events", "q=%28burr"),
        ("By the API", "events", "filter=actor:burr"),
        ("Failures", "events", "q=outcome:failure"),
        ("Her tokens", "tokens", "q=account:burr"),
        ("Her account", "accounts", "q=burr"),
    ] {
        let wish = NewView {
            list: list.to_owned(),
            name: name.to_owned(),
            query: query.to_owned(),
            shared: true,
        };
        engine.create_view(&admin.context, wish).await.unwrap();
    }
    let names = async |context: &Context, list: &str| -> Vec<String> {
        let seen = engine.views(context, list).await.unwrap();
        seen.into_iter().map(|view| view.name).collect()
    };
    assert_eq!(names(&vera.context, "events").await, ["Failures"]);
    for list in ["tokens", "accounts"] {
        assert!(names(&vera.context, list).await.is_empty());
        assert_eq!(names(&admin.context, list).await.len(), 1);
    }
    let all = ["Address", "By the API", "Failures", "Unreadable"];
    assert_eq!(names(&admin.context, "events").await, all);
    running.stop().await.unwrap();
}
