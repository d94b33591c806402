//! How long it is kept what came of asking triggers: so many of them, so many days, and nothing of
//! an event that was erased.

use chancery_engine::automation::Class;
use chancery_engine::configuration::{LabelClass, LabelDraft};
use chancery_engine::inventory::PlacementRequest;
use chancery_engine::{Context, Role};
use chancery_event::Timestamp;
use chancery_event::filter::Filter;
use chancery_event::id::EventId;
use chancery_throwaway::on_each_backend;
use serde_json::json;

use crate::access::new_account;
use crate::monitor::Bench;
use crate::reaction::{save, trigger};

/// What is kept, oldest first: the events that were looked at.
async fn kept(bench: &Bench) -> Vec<EventId> {
    let (engine, context) = (bench.engine(), bench.context());
    let count = engine.evaluation_count(&context, &Filter::All).await.unwrap();
    let query = chancery_engine::reaction::record::EvaluationQuery {
        filter: Filter::All,
        before: None,
        after: None,
        limit: 100,
    };
    let items = engine.evaluations(&context, &query).await.unwrap().items;
    assert_eq!(items.len() as u64, count);
    items.into_iter().rev().map(|row| row.event_id).collect()
}

/// Makes groups and deletes them, and lets the trigger look at each of that.
async fn groups(bench: &mut Bench, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let draft = LabelDraft { name: format!("group {number}"), description: String::new() };
        let context = bench.context();
        let engine = bench.engine();
        let id = engine.create_label(&context, LabelClass::Group, draft).await.unwrap();
        engine.delete_label(&context, LabelClass::Group, &id).await.unwrap();
        bench.clock.advance(Timestamp::SECOND);
    }
    bench.step().await;
    bench.react().await;
}

on_each_backend!(evaluations_are_kept_so_many_and_so_long, 2);

async fn evaluations_are_kept_so_many_and_so_long() {
    let mut bench = Bench::new().await;
    bench
        .restart_with(|settings| {
            settings.keep_evaluations_max = 5;
            settings.keep_evaluations_days = 30;
        })
        .await;
    let (engine, context) = (bench.engine().clone(), bench.context());
    let make = async |class, body| {
        engine.create_automation(&context, class, "g", body, true).await.unwrap();
    };
    make(Class::Rule, json!({ "filter": "detail.class:group" })).await;
    let steps = json!([{ "step": "raise_alert", "kind": "group", "title": "a group" }]);
    make(Class::Action, json!({ "steps": steps })).await;
    let types = json!(["configuration.delete"]);
    make(Class::Trigger, json!({ "event_types": types, "rules": ["g"], "actions": ["g"] })).await;
    bench.step().await;
    bench.react().await;
    assert!(kept(&bench).await.is_empty());
    groups(&mut bench, 0..5).await;
    assert_eq!(bench.sweep_evaluations().await, 0, "as many as may be");
    groups(&mut bench, 5..8).await;
    assert_eq!(kept(&bench).await.len(), 8);
    assert_eq!(bench.sweep_evaluations().await, 3);
    let made = bench.events("configuration.delete").await;
    let made: Vec<_> = made.iter().map(|event| event.id).collect();
    assert_eq!(kept(&bench).await, made[3..], "the oldest go");
    bench.clock.advance(29 * Timestamp::DAY);
    assert_eq!(bench.sweep_evaluations().await, 0);
    groups(&mut bench, 8..9).await;
    bench.clock.advance(2 * Timestamp::DAY);
    assert_eq!(bench.sweep_evaluations().await, 5, "they are thirty days old");
    assert_eq!(kept(&bench).await.len(), 1, "the one of two days ago");
}

on_each_backend!(what_is_erased_of_an_event_goes_from_its_evaluations, 2);

async fn what_is_erased_of_an_event_goes_from_its_evaluations() {
    let mut bench = Bench::new().await;
    let context = bench.context();
    let ada = new_account("ada", Role::Operator);
    bench.engine().create_account(&context, ada).await.unwrap();
    let steps = json!([
        { "step": "notify", "to": "owner", "title": "{object.cn} is yours" },
        { "step": "set_path", "path": "/of/{object.owner}" },
    ]);
    let rule = json!({ "filter": "object.owner:ada -object.cn:other.example" });
    let objects = [
        (Class::Rule, "hers", rule),
        (Class::Action, "tell", json!({ "steps": steps })),
        (Class::Trigger, "hers", trigger(&["certificate.update"], &["hers"], &["tell"])),
    ];
    save(bench.engine(), &objects).await.unwrap();
    let id = bench.upload("ada-laptop.example", -30, 300).await;
    let owned = PlacementRequest { owner: Some("ada".to_owned()), ..Default::default() };
    let person = Context { name: Some("Grace".to_owned()), ..context.clone() };
    bench.engine().update_certificate(&person, id, None, owned).await.unwrap();
    bench.step().await;
    bench.react().await;
    let event = bench.events("certificate.update").await.remove(0);
    let engine = bench.engine();
    let told = async || {
        let mut rows = engine.reactions(&context, event.id).await.unwrap();
        rows.retain(|row| row.trigger == "hers");
        assert_eq!(rows.len(), 1);
        rows.remove(0)
    };
    let before = told().await;
    assert_eq!(before.verdict, "matched");
    for text in ["ada-laptop.example", "/of/ada"] {
        let all = format!("{} {}", before.explanation, before.steps);
        assert!(all.contains(text), "{text}: {all}");
    }
    engine.erase_personal(&context, event.id, "request").await.unwrap();
    let after = told().await;
    let all = format!("{} {}", after.explanation, after.steps);
    assert!(!all.contains("laptop") && !all.contains("/of/"), "{all}");
    // What was asked, what came of it and what was done stays.
    assert!(after.explanation.contains("other.example") && after.verdict == "matched", "{all}");
    let steps: serde_json::Value = serde_json::from_str(&after.steps).unwrap();
    let done = |step: &serde_json::Value| (step["step"].clone(), step["result"].clone());
    let done: Vec<_> = steps.as_array().unwrap().iter().map(done).collect();
    assert_eq!(done, [(json!("notify"), json!("done")), (json!("set_path"), json!("done"))]);
}
