//! Objects of automation are made, changed, taken back, and every version stays.

use chancery_engine::automation::{Class, Edit};
use chancery_engine::{Context, Error, Role};
use chancery_throwaway::on_each_backend;
use serde_json::json;

use crate::access::events;
use crate::upload::start;

fn reason<T>(result: Result<T, Error>) -> &'static str {
    result.err().map_or("success", |error| error.reason())
}

on_each_backend!(an_object_has_versions_and_the_configuration_has_revisions, 2);

async fn an_object_has_versions_and_the_configuration_has_revisions() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let context = Context::command_line(engine.environment());
    let class = Class::Monitor;
    let first = json!({ "kind": "jobs", "schedule": { "cron": "0 * * * *" } });
    let second =
        json!({ "kind": "jobs", "schedule": { "cron": "0 * * * *" }, "title": "Ask Grace" });
    let create = async |name: &str| {
        engine.create_automation(&context, class, name, first.clone(), true).await
    };
    let made = create("expiring").await.unwrap();
    assert_eq!((made.version, made.revision, made.enabled), (1, 1, true));
    assert_eq!(reason(create("expiring").await), "name_taken");
    assert_eq!(reason(create("Expiring").await), "invalid");
    let update = async |version, enabled| {
        let body = second.clone();
        engine.update_automation(&context, class, "expiring", version, body, enabled).await
    };
    assert_eq!(reason(update(Some(7), true).await), "changed_meanwhile");
    let changed = update(Some(1), true).await.unwrap();
    assert_eq!((changed.version, changed.revision), (2, 2));
    assert_eq!(update(Some(2), true).await.unwrap().version, 2, "nothing changed");
    assert_eq!(update(None, false).await.unwrap().version, 3, "switching off is a change");
    engine.delete_automation(&context, class, "expiring").await.unwrap();
    assert_eq!(reason(update(None, true).await), "not_found");
    assert_eq!(create("expiring").await.unwrap().version, 5, "numbers are never used again");

    let versions = engine.automation_versions(&context, class, "expiring").await.unwrap();
    let told: Vec<_> = versions.iter().map(|v| (v.version, v.revision, v.body.clone())).collect();
    assert_eq!(told[1], (4, 4, json!(null)));
    assert_eq!(told[3], (2, 2, second.clone()));
    let then = engine.automation_at(&context, 2).await.unwrap();
    assert_eq!(then.find(class, "expiring").unwrap().body, second);
    assert!(engine.automation_at(&context, 4).await.unwrap().objects.is_empty());

    let changes = events(engine, "type:configuration.update outcome:success").await;
    let sealed = serde_json::to_string(&changes[0].event.detail).unwrap();
    assert!(!sealed.contains("Grace"), "what people write is erasable: {sealed}");
    running.stop().await.unwrap();
}

on_each_backend!(many_changes_are_one_revision_or_nothing, 2);

async fn many_changes_are_one_revision_or_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let context = Context::command_line(engine.environment());
    let edit = |name: &str, body| Edit {
        class: Class::Monitor,
        name: name.to_owned(),
        body,
        enabled: true,
    };
    let body = || Some(json!({ "kind": "jobs", "schedule": { "cron": "0 * * * *" } }));
    let apply = async |revision, edits| engine.apply_automation(&context, revision, edits).await;
    assert_eq!(apply(Some(0), vec![edit("a", body()), edit("b", body())]).await.unwrap(), 1);
    assert_eq!(reason(apply(Some(0), vec![edit("a", None)]).await), "changed_meanwhile");
    assert_eq!(reason(apply(None, vec![edit("a", None), edit("a", body())]).await), "invalid");
    assert_eq!(reason(apply(None, vec![edit("a", None), edit("c", None)]).await), "not_found");
    assert_eq!(engine.automation(&context, Class::Monitor).await.unwrap().len(), 2);
    assert_eq!(apply(Some(1), vec![edit("a", None), edit("b", body())]).await.unwrap(), 2);
    let left = engine.automation(&context, Class::Monitor).await.unwrap();
    assert_eq!((left.len(), left[0].version), (1, 1), "what stays the same has no new version");

    let operator = Context { role: Some(Role::Operator), ..context.clone() };
    let body = json!({});
    let refused = engine.create_automation(&operator, Class::Rule, "x", body, true).await;
    assert_eq!(reason(refused), "forbidden");
    running.stop().await.unwrap();
}
