//! What can never work is refused where it stands; what has come to never work is told.

use chancery_engine::automation::{Class, Edit};
use chancery_engine::configuration::{LabelClass, LabelDraft};
use chancery_engine::{Context, Engine, Error, Settings, Stepped, bench};
use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_event::{Environment, LogIndex};
use chancery_store::Tx;
use chancery_store::log::{self, Sealed};
use chancery_store::table::label;
use chancery_throwaway::on_each_backend;
use serde_json::{Value, json};

use crate::upload::{settings, start};

fn context(engine: &Engine) -> Context {
    Context::command_line(engine.environment())
}

fn put(class: Class, name: &str, body: Value) -> Edit {
    Edit { class, name: name.to_owned(), body: Some(body), enabled: true }
}

/// Saves rules with a trigger that asks all of them.
async fn save(engine: &Engine, types: &[&str], filters: &[&str]) -> Result<i64, Error> {
    let steps = json!([{ "step": "raise_alert", "kind": "x", "title": "x" }]);
    let names: Vec<_> = (0..filters.len()).map(|number| format!("r{number}")).collect();
    let mut edits = vec![put(Class::Action, "x", json!({ "steps": steps }))];
    for (name, filter) in names.iter().zip(filters) {
        edits.push(put(Class::Rule, name, json!({ "filter": filter })));
    }
    let body = json!({ "event_types": types, "rules": names, "actions": ["x"] });
    edits.push(put(Class::Trigger, "t", body));
    engine.apply_automation(&context(engine), None, edits).await
}

on_each_backend!(a_condition_that_nothing_can_meet_is_refused_where_it_stands, 2);
async fn a_condition_that_nothing_can_meet_is_refused_where_it_stands() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let (changed, update) = (&["certificate.status_changed"][..], &["certificate.update"][..]);
    let both = &["certificate.status_changed", "token.create"][..];
    for (types, filters, place, said) in [
        // By itself, whatever triggers use it.
        (update, &["object.path:/a object.path:/b"][..], "rule/r0#/filter", "never hold together"),
        (update, &["object.key_size<1024 object.key_size>4096"], "rule/r0#/filter", "“object.key"),
        (update, &["object.expires<1d object.expires>2d"], "rule/r0#/filter", "never hold"),
        (update, &["severity>=error severity<warning"], "rule/r0#/filter", "never hold"),
        (update, &["object.owner:* -object.owner:*"], "rule/r0#/filter", "never hold"),
        (
            update,
            &["outcome:failure (object.ca:true OR object.cn:a) outcome:success"],
            "rule/r0#/filter",
            "never hold",
        ),
        // A word that there is none of, a value that cannot be compared, a field nothing has.
        (changed, &["detail.new_status:vaild"], "rule/r0#/filter", "valid"),
        (update, &["object.status:vaild"], "rule/r0#/filter", "valid"),
        (update, &["outcome:sucess"], "rule/r0#/filter", "success"),
        (update, &["object.key_size:big"], "rule/r0#/filter", "number"),
        (update, &["object.cn>5"], "rule/r0#/filter", "object.cn"),
        (update, &["detail.nothing:1"], "rule/r0#/filter", "detail.nothing"),
        // Beside the types of the trigger.
        (update, &["-type:certificate.update"], "trigger/t#/rules/0", "certificate.update"),
        (update, &["(type:token.create OR family:token)"], "trigger/t#/rules/0", "certificate"),
        (both, &["type:token.create object.cn:a"], "trigger/t#/rules/0", "certificate.status"),
        (both, &["family:token detail.new_status:valid"], "trigger/t#/rules/0", "can meet this"),
        // Beside another rule of the same trigger.
        (update, &["object.cn:a.example", "object.cn:b.example"], "trigger/t#/rules/1", "r"),
    ] {
        let error = save(engine, types, filters).await.expect_err(filters[0]);
        let Error::Invalid { field, message } = error else { panic!("{filters:?}: {error}") };
        assert_eq!(field, place, "{filters:?}: {message}");
        assert!(message.contains(said), "{filters:?}: {message}");
    }
    for name in ["a", "b"] {
        let draft = LabelDraft { name: name.to_owned(), description: String::new() };
        engine.create_label(&context(engine), LabelClass::Group, draft).await.unwrap();
    }
    for (types, filters) in [
        (update, &["object.name:a object.name:b"][..]),
        (update, &["object.group:a -object.group:b", "object.cn:a* object.cn:*b"]),
        (update, &["object.expires<2d object.expires>1d"]),
        (both, &["type:token.create OR object.cn:a"]),
        (both, &["-object.cn:a"]),
        (changed, &["detail.new_status:valid detail.old_status:invalid,revoked"]),
    ] {
        save(engine, types, filters).await.unwrap_or_else(|error| panic!("{filters:?}: {error}"));
    }
    running.stop().await.unwrap();
}

on_each_backend!(a_trigger_whose_group_has_gone_is_shown_and_told);
async fn a_trigger_whose_group_has_gone_is_shown_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::new("2026-11-21T12:01:00Z".parse().unwrap());
    let environment = Environment::new(clock.clone(), SeededEntropy::new(3));
    let settings = Settings { allow_unencrypted_key: true, ..settings(dir.path()) };
    let mut stepped = Stepped::open(settings, environment).await.unwrap();
    let engine = stepped.engine().clone();
    let own = context(&engine);
    let draft = LabelDraft { name: "web".to_owned(), description: String::new() };
    let group = engine.create_label(&own, LabelClass::Group, draft).await.unwrap();
    let steps = json!([{ "step": "add_group", "group": "web" }]);
    let trigger = json!({ "event_types": ["certificate.update"], "actions": ["place"] });
    let edits = vec![
        put(Class::Action, "place", json!({ "steps": steps })),
        put(Class::Trigger, "place", trigger),
    ];
    engine.apply_automation(&own, None, edits).await.unwrap();
    let refused = engine.delete_label(&own, LabelClass::Group, &group).await.unwrap_err();
    assert!(refused.to_string().contains("action “place”"), "{refused}");
    let mut internal = async || {
        clock.advance(5 * 60 * chancery_event::Timestamp::SECOND);
        stepped.seal().await.unwrap();
        stepped.run_due().await.unwrap();
        stepped.seal().await.unwrap();
        let mut link = bench::store(stepped.engine()).read().await.unwrap();
        let events = log::range(&mut link, LogIndex(0), 10_000).await.unwrap();
        let alerts = events.iter().map(Sealed::event).filter(|event| {
            matches!(&*event.type_name, "alert.raised" | "alert.resolved")
                && event.to_json().to_string().contains("Chancery itself: automation")
        });
        alerts.map(|event| event.type_name.to_string()).collect::<Vec<_>>()
    };
    assert!(internal().await.is_empty());
    assert!(engine.broken_triggers(&own).await.unwrap().is_empty());

    // Somebody with the database takes the group away.
    let id = group.clone();
    bench::store(&engine)
        .transaction("test.gone", move |tx: &mut Tx| {
            let id = id.clone();
            Box::pin(async move { label::delete(tx, label::Class::Group, &id).await })
        })
        .await
        .unwrap();
    let broken = engine.broken_triggers(&own).await.unwrap();
    assert_eq!(broken.len(), 1);
    assert_eq!(broken[0].0, "place");
    assert!(broken[0].1.contains("there is no group “web”"), "{broken:?}");
    assert_eq!(internal().await, ["alert.raised"]);
    let draft = LabelDraft { name: "web".to_owned(), description: String::new() };
    engine.create_label(&own, LabelClass::Group, draft).await.unwrap();
    assert_eq!(internal().await, ["alert.raised", "alert.resolved"]);
}
