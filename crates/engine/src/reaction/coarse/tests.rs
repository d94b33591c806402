//! Very many groups: more than one statement takes.

use std::collections::BTreeMap;

use chancery_event::Outcome;
use chancery_event::types::certificate as types;
use chancery_store::Tx;
use serde_json::json;

use crate::automation::{Class, Edit};
use crate::reaction::trial::{Trial, TrialEdit, Tried};
use crate::scribe::Draft;
use crate::{Context, Engine, Settings};

/// As many reasons, and so as many groups.
const REASONS: usize = 450;

async fn fail(engine: &Engine) {
    let scribe = engine.scribe(&Context::system(engine.environment()));
    engine
        .0
        .store
        .transaction("trial", move |tx: &mut Tx| {
            let scribe = scribe.clone();
            Box::pin(async move {
                // Each reason twice, far from each other.
                for number in (0..REASONS).chain(0..REASONS) {
                    let payload =
                        types::Archive { certificate: None, changes: Vec::new(), note: None };
                    let outcome = Outcome::failure(format!("r{number}"), "");
                    scribe.record(tx, Draft::new(&payload)?.outcome(outcome))?;
                }
                Ok::<(), crate::Error>(())
            })
        })
        .await
        .unwrap();
    assert!(engine.settle(std::time::Duration::from_secs(60)).await);
}

async fn tried(engine: &Engine, filter: &str, compare: bool) -> Tried {
    let edit = |class: &str, name: &str, body| TrialEdit {
        class: class.to_owned(),
        name: name.to_owned(),
        body: Some(body),
        enabled: true,
    };
    let trigger =
        json!({ "event_types": ["certificate.archive"], "rules": ["r"], "actions": ["x"] });
    let edits = vec![edit("rule", "r", json!({ "filter": filter })), edit("trigger", "t", trigger)];
    let trial = Trial { edits, compare, ..Trial::default() };
    let context = Context::command_line(engine.environment());
    let mut tried = engine.back_test(&context, trial).await.unwrap().unwrap();
    (tried.took_us, tried.events) = (0, 0);
    tried
}

chancery_throwaway::on_each_backend!(hundreds_of_groups_are_counted_as_one_by_one);

async fn hundreds_of_groups_are_counted_as_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        allow_unencrypted_key: true,
        monitors: false,
        database: chancery_throwaway::database_of(dir.path()).map(|url| url.parse().unwrap()),
        ..Settings::new(dir.path())
    };
    let environment = chancery_event::Environment::system();
    let running = Engine::start(settings, environment).await.unwrap();
    let engine = running.engine();
    let steps = json!([{ "step": "raise_alert", "kind": "x", "title": "{reason}" }]);
    let put = |class, name: &str, body| Edit { class, name: name.to_owned(), body, enabled: true };
    let edits = vec![put(Class::Action, "x", Some(json!({ "steps": steps })))];
    let context = Context::command_line(engine.environment());
    engine.apply_automation(&context, None, edits).await.unwrap();
    fail(engine).await;
    let all = 2 * REASONS as u64;
    for (filter, matched) in [("-reason:r7", all - 2), ("reason:r7 OR reason:r8", 4)] {
        let (coarse, fine) = (tried(engine, filter, false).await, format!("({filter}) index>=0"));
        let mut expected = BTreeMap::from([("matched".to_owned(), matched)]);
        expected.insert("nearly".to_owned(), all - matched);
        assert_eq!((coarse.concerned, &coarse.verdicts["t"]), (all, &expected), "{filter}");
        assert_eq!(coarse, tried(engine, &fine, false).await, "{filter}");
        let beside = tried(engine, filter, true).await;
        assert_eq!((beside.differing, beside.concerned), (matched, all), "{filter}");
        assert_eq!(beside, tried(engine, &fine, true).await, "{filter}");
    }
    running.stop().await.unwrap();
}
