//! How long it is kept what came of asking triggers: so many of them, and so many days.

use chancery_engine::automation::Class;
use chancery_engine::configuration::{LabelClass, LabelDraft};
use chancery_event::Timestamp;
use chancery_event::filter::Filter;
use chancery_event::id::EventId;
use chancery_throwaway::on_each_backend;
use serde_json::json;

use crate::monitor::Bench;

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
