//! Two heralds at once, as when a node wakes that lost its lease while it was frozen.

use chancery_event::Environment;
use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_store::table::delivery;
use serde_json::{Value, json};

use super::*;
use crate::automation::Class;
use crate::configuration::{LabelClass, LabelDraft};
use crate::delivery::{
    Address, Checked, Class as Destinations, Definition, DestinationEdit, Parcel, Secrets, Sender,
    Sent,
};
use crate::net::Network;
use crate::{Context, Settings, Stepped};

struct Silent;

impl Sender for Silent {
    fn kinds(&self) -> Vec<&'static str> {
        vec!["email"]
    }

    fn check(&self, _: &Definition, _: &mut Secrets) -> Result<Checked, Error> {
        Ok(Checked { batch_max: 1, ..Checked::default() })
    }

    fn send(&self, _: Arc<Address>, _: Parcel) -> futures::future::BoxFuture<'static, Sent> {
        Box::pin(async { Sent::default() })
    }

    fn network(&self) -> Network {
        Network::default()
    }
}

/// An engine that keeps what came of asking one trigger, for thirty days, and its clock.
async fn opened(dir: &tempfile::TempDir) -> (Stepped, Arc<ManualClock>) {
    let clock = ManualClock::new("2026-11-21T12:00:00Z".parse().unwrap());
    let environment = Environment::new(clock.clone(), SeededEntropy::new(5));
    let database = chancery_throwaway::database_of(dir.path());
    let settings = Settings {
        allow_unencrypted_key: true,
        monitors: false,
        keep_evaluations_days: 30,
        keep_evaluations_max: 1,
        database: database.map(|url| url.parse().unwrap()),
        sender: Some(Arc::new(Silent)),
        ..Settings::new(dir.path())
    };
    (Stepped::open(settings, environment).await.unwrap(), clock)
}

async fn deliveries(engine: &Engine) -> usize {
    delivery::oldest(&mut engine.link().await.unwrap(), "mail", 100).await.unwrap().len()
}

chancery_throwaway::on_each_backend!(what_was_held_is_sent_once_although_two_heralds_prepared_it);
async fn what_was_held_is_sent_once_although_two_heralds_prepared_it() {
    let dir = tempfile::tempdir().unwrap();
    let (mut stepped, clock) = opened(&dir).await;
    let engine = stepped.engine().clone();
    let context = Context::command_line(engine.environment());
    let edit = DestinationEdit { body: json!({ "kind": "email" }), ..Default::default() };
    engine.create_destination(&context, Destinations::Channel, "mail", edit).await.unwrap();
    let make = async |class, body: Value| {
        engine.create_automation(&context, class, "p", body, true).await.unwrap()
    };
    let profile = json!({ "recipients": ["address:a@example.org", "address:b@example.org"],
        "channels": ["mail"], "digest": { "cron": "0 15 * * *" } });
    make(Class::Profile, profile).await;
    make(Class::Action, json!({ "steps": [{ "step": "notify", "profile": "p" }] })).await;
    let trigger = json!({ "event_types": ["configuration.create"], "actions": ["p"] });
    make(Class::Trigger, trigger).await;
    let draft = LabelDraft { name: "x".to_owned(), description: String::new() };
    engine.create_label(&context, LabelClass::Group, draft).await.unwrap();
    stepped.seal().await.unwrap();
    stepped.react().await.unwrap();
    stepped.notify().await.unwrap();
    assert_eq!(deliveries(&engine).await, 0);
    clock.advance(4 * 3_600 * Timestamp::SECOND);
    let (mut frozen, mut awake) = (Herald::default(), Herald::default());
    let old = frozen.prepare(&engine).await.unwrap().unwrap();
    while awake.round(&engine).await.unwrap() {}
    assert_eq!(deliveries(&engine).await, 2);
    for work in old {
        frozen.write(&engine, Arc::new(work)).await.unwrap();
    }
    assert_eq!(deliveries(&engine).await, 2, "whoever comes late finds nothing left");
}

chancery_throwaway::on_each_backend!(more_than_a_page_of_what_was_held_is_one_message);
async fn more_than_a_page_of_what_was_held_is_one_message() {
    const EVENTS: usize = 510;
    let dir = tempfile::tempdir().unwrap();
    let (mut stepped, clock) = opened(&dir).await;
    let engine = stepped.engine().clone();
    let context = Context::command_line(engine.environment());
    let edit = DestinationEdit { body: json!({ "kind": "email" }), ..Default::default() };
    engine.create_destination(&context, Destinations::Channel, "mail", edit).await.unwrap();
    let make = async |class, body: Value| {
        engine.create_automation(&context, class, "p", body, true).await.unwrap()
    };
    let profile = json!({ "recipients": ["address:a@example.org"], "channels": ["mail"],
        "digest": { "cron": "0 15 * * *" } });
    make(Class::Profile, profile).await;
    make(Class::Action, json!({ "steps": [{ "step": "notify", "profile": "p" }] })).await;
    make(Class::Trigger, json!({ "event_types": ["configuration.create"], "actions": ["p"] }))
        .await;
    for number in 0..EVENTS {
        let draft = LabelDraft { name: format!("g{number}"), description: String::new() };
        engine.create_label(&context, LabelClass::Group, draft).await.unwrap();
    }
    stepped.seal().await.unwrap();
    stepped.react().await.unwrap();
    stepped.notify().await.unwrap();
    let count = async |decision: &str| {
        let query = notice::Query { decision: Some(decision.to_owned()), ..Default::default() };
        notice::page(&mut engine.link().await.unwrap(), &query, 2_000).await.unwrap().len()
    };
    let held = count("held").await;
    assert!(held >= EVENTS, "{held}");
    clock.advance(4 * 3_600 * Timestamp::SECOND);
    let mut herald = Herald::default();
    while herald.round(&engine).await.unwrap() {}
    assert_eq!((count("held").await, count("sent").await), (0, held));
    let mut link = engine.link().await.unwrap();
    let rows = delivery::oldest(&mut link, "mail", 10).await.unwrap();
    assert_eq!(rows.len(), 1, "one message");
    let more = format!("{}", held - super::super::compose::DIGEST_MAX);
    assert!(rows[0].content.contains(&more), "the others are counted: {more}");
}

chancery_throwaway::on_each_backend!(what_was_swept_is_not_known_any_more);
async fn what_was_swept_is_not_known_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let (mut stepped, clock) = opened(&dir).await;
    let engine = stepped.engine().clone();
    let context = Context::command_line(engine.environment());
    let steps = json!([{ "step": "raise_alert", "kind": "x", "title": "x" }]);
    let make = async |class, body: Value| {
        engine.create_automation(&context, class, "p", body, true).await.unwrap()
    };
    make(Class::Action, json!({ "steps": steps })).await;
    let listens = json!({ "event_types": ["configuration.create"], "actions": ["p"] });
    make(Class::Trigger, listens).await;
    for name in ["x", "y"] {
        let draft = LabelDraft { name: name.to_owned(), description: String::new() };
        engine.create_label(&context, LabelClass::Group, draft).await.unwrap();
    }
    stepped.seal().await.unwrap();
    stepped.react().await.unwrap();
    let mut link = engine.link().await.unwrap();
    let rows = chancery_store::table::evaluation::of_range(
        &mut link,
        chancery_event::LogIndex(0),
        chancery_event::LogIndex(1_000),
    );
    let rows = rows.await.unwrap();
    let (first, last) = (rows.first().unwrap().event_id, rows.last().unwrap().event_id);
    let person = chancery_store::table::account::all(&mut link).await.unwrap()[0].id;
    drop(link);
    let ask = async |event| {
        let why = engine.why_told(&context, event, person).await.unwrap();
        (why.answer.join(" "), why.knows_triggers)
    };
    let held = "The trigger p held, and has no step that tells through a profile.";
    assert_eq!(ask(first).await, (held.to_owned(), true));
    crate::reaction::dispatcher::sweep(&engine).await.unwrap();
    let (said, knows) = ask(first).await;
    assert!(said.contains("Nobody was told") && said.contains("not known any more"), "{said}");
    assert!(!knows && ask(last).await.1, "the newest one is kept");
    clock.advance(31 * Timestamp::DAY);
    crate::reaction::dispatcher::sweep(&engine).await.unwrap();
    sweep(&engine).await.unwrap();
    let (said, knows) = ask(last).await;
    assert!(said.contains("kept for 30 days") && !knows, "{said}");
}
