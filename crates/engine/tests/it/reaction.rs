//! Triggers act on events, before and after certificates enter, and every decision is kept.

use std::time::Duration;

use chancery_engine::automation::{Class, Edit};
use chancery_engine::configuration::{LabelClass, LabelDraft};
use chancery_engine::inventory::{PlacementRequest, UploadAnswer, UploadMode};
use chancery_engine::reaction::record::{EvaluationQuery, Row};
use chancery_engine::reaction::trial::{Trial, TrialEdit};
use chancery_engine::{Context, Engine, Error, Running, Settings};
use chancery_event::Environment;
use chancery_event::id::CertificateId;
use chancery_store::Fault;
use chancery_throwaway::on_each_backend;
use serde_json::{Value, json};

use crate::access::{events, told};
use crate::upload::{leaf, start, upload_of};

const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn context(engine: &Engine) -> Context {
    Context::command_line(engine.environment())
}

/// Saves objects as one revision.
pub(crate) async fn save(engine: &Engine, objects: &[(Class, &str, Value)]) -> Result<i64, Error> {
    let edit = |(class, name, body): &(Class, &str, Value)| Edit {
        class: *class,
        name: (*name).to_owned(),
        body: Some(body.clone()),
        enabled: true,
    };
    engine.apply_automation(&context(engine), None, objects.iter().map(edit).collect()).await
}

pub(crate) fn trigger(types: &[&str], rules: &[&str], actions: &[&str]) -> Value {
    json!({ "event_types": types, "rules": rules, "actions": actions })
}

pub(crate) fn rule(filter: &str) -> Value {
    json!({ "filter": filter })
}

pub(crate) fn action(steps: Value) -> Value {
    json!({ "steps": steps })
}

pub(crate) async fn group(engine: &Engine, class: LabelClass, name: &str) {
    let draft = LabelDraft { name: name.to_owned(), description: String::new() };
    engine.create_label(&context(engine), class, draft).await.unwrap();
}

async fn uploaded(engine: &Engine, name: &str) -> Result<CertificateId, Error> {
    let UploadAnswer::Done(mut items) =
        engine.upload(&context(engine), upload_of(leaf(name))).await.unwrap()
    else {
        panic!("a synchronous upload is done");
    };
    items.remove(0).result
}

pub(crate) async fn moved(engine: &Engine, id: CertificateId, path: &str) {
    let wish = PlacementRequest { path: Some(path.to_owned()), ..PlacementRequest::default() };
    engine.update_certificate(&context(engine), id, None, wish).await.unwrap();
}

/// Everything that was kept, oldest first.
pub(crate) async fn kept(engine: &Engine, filter: &str) -> Vec<Row> {
    assert!(engine.reacted(LIMIT).await);
    let filter = engine.parse_evaluation_filter(filter).unwrap();
    let query = EvaluationQuery { filter, before: None, after: None, limit: 1_000 };
    let mut items = engine.evaluations(&context(engine), &query).await.unwrap().items;
    items.reverse();
    items
}

fn verdicts(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| format!("{} {} {}", row.scope, row.trigger, row.verdict)).collect()
}

pub(crate) async fn running() -> (tempfile::TempDir, Running) {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    (dir, running)
}

chancery_throwaway::on_each_backend!(a_trigger_places_a_certificate_and_says_why, 2);

async fn a_trigger_places_a_certificate_and_says_why() {
    let (_dir, running) = running().await;
    let engine = running.engine();
    group(engine, LabelClass::Group, "Web").await;
    let steps = json!([
        { "step": "add_group", "group": "web" },
        { "step": "set_owner", "owner": { "from": "object.path" } },
        { "step": "set_path", "path": "/seen/{object.cn}" },
        { "step": "raise_alert", "kind": "moved", "title": "{object.cn} was moved" },
        { "step": "start_job", "job": "certificate.validate" },
    ]);
    let objects = [
        (Class::Rule, "prod", rule("object.path:/prod detail.changes.member:path")),
        (Class::Action, "place", action(steps)),
        (Class::Trigger, "t", trigger(&["certificate.update"], &["prod"], &["place"])),
    ];
    assert_eq!(save(engine, &objects).await.unwrap(), 1);
    let id = uploaded(engine, "www.example.com").await.unwrap();
    moved(engine, id, "/prod").await;
    let rows = kept(engine, "trigger:t").await;
    assert_eq!(verdicts(&rows[..1]), ["platform t matched"]);
    let steps: Value = serde_json::from_str(&rows[0].steps).unwrap();
    let told: Vec<_> = steps.as_array().unwrap().iter().map(|s| s["result"].clone()).collect();
    assert_eq!(told, ["done", "failed", "done", "done", "done"], "{steps}");
    assert!(steps[1]["reason"].as_str().unwrap().contains("no account"), "{steps}");
    assert!(rows[0].failed);
    let why: Value = serde_json::from_str(&rows[0].explanation).unwrap();
    assert_eq!(why[0]["reason"]["and"][0]["actual"], json!(["/prod"]), "{why}");
    let view = engine.certificate(&context(engine), id).await.unwrap();
    assert_eq!((view.row.path.as_str(), view.groups.len()), ("/seen/www.example.com", 1));
    // Its own change is looked at as well, and is not what the rule wants.
    assert_eq!(verdicts(&rows[1..])[0], "platform t nearly");
    let changed = events(engine, "type:certificate.update origin:trigger outcome:success").await;
    let event = &changed[0].event;
    assert_eq!((event.cause, event.depth), (Some(rows[0].event_id), 1));
    assert!(event.targets.iter().any(|target| target.reference() == "trigger/t"));
    let alert = events(engine, "type:alert.raised origin:trigger").await;
    assert_eq!(alert[0].event.detail["title"], "www.example.com was moved");
    let refused = engine.labels(&context(engine), LabelClass::Group).await.unwrap();
    let refused = engine.delete_label(&context(engine), LabelClass::Group, &refused[0].id).await;
    assert!(refused.unwrap_err().to_string().contains("action “place”"));
    running.stop().await.unwrap();
}

/// What is kept out of the inventory has no owner, and no job can be about it.
async fn kept_out_has_no_owner_and_no_job(engine: &Engine) {
    for step in [
        json!({ "step": "start_job", "job": "certificate.validate" }),
        json!({ "step": "notify", "to": "owner", "title": "x" }),
    ] {
        let kept_out =
            json!({ "event_types": ["certificate.uploaded"], "actions": ["b"], "ignore": true });
        let objects =
            [(Class::Action, "b", action(json!([step]))), (Class::Trigger, "k", kept_out)];
        let error = save(engine, &objects).await.unwrap_err();
        let Error::Invalid { field, message } = error else { panic!("{error}") };
        assert_eq!(field, "trigger/k#/actions/0", "{message}");
    }
}

chancery_throwaway::on_each_backend!(what_can_never_work_is_refused_at_its_place, 2);

async fn what_can_never_work_is_refused_at_its_place() {
    let (_dir, running) = running().await;
    let engine = running.engine();
    let update = "certificate.update";
    let place = action(json!([{ "step": "set_path", "path": "/x" }]));
    let base = [
        (Class::Rule, "r", rule("object.cn:a")),
        (Class::Action, "a", place.clone()),
        (Class::Trigger, "t", trigger(&[update], &["r"], &["a"])),
    ];
    save(engine, &base).await.unwrap();
    let bound = |kind: &str| json!({ "event_types": [update], "actions": ["a"], "scope": { "kind": kind, "name": "x" } });
    let cases = [
        ((Class::Rule, "r", rule("object.nothing:a")), "rule/r#/filter"),
        ((Class::Rule, "r", json!({ "filter": "", "extra": 1 })), "rule/r#/extra"),
        ((Class::Rule, "r", rule("object.key_size:big")), "rule/r#/filter"),
        ((Class::Rule, "r", rule("detail.old_status:valid")), "trigger/t#/rules/0"),
        ((Class::Rule, "r", rule("type:token.create")), "trigger/t#/rules/0"),
        ((Class::Action, "a", json!({ "steps": [] })), "action/a#/steps"),
        ((Class::Action, "a", action(json!([{ "step": "fly" }]))), "action/a#/steps/0/step"),
        (
            (Class::Action, "a", action(json!([{ "step": "add_group", "group": "none" }]))),
            "action/a#/steps/0/group",
        ),
        (
            (Class::Action, "a", action(json!([{ "step": "set_attribute", "attribute": "x" }]))),
            "action/a#/steps/0/attribute",
        ),
        (
            (
                Class::Action,
                "a",
                action(json!([{ "step": "set_owner", "owner": { "from": "x" } }])),
            ),
            "action/a#/steps/0/owner/from",
        ),
        (
            (Class::Action, "a", action(json!([{ "step": "start_job", "job": "x" }]))),
            "action/a#/steps/0/job",
        ),
        ((Class::Trigger, "t", trigger(&["nothing"], &[], &["a"])), "trigger/t#/event_types/0"),
        ((Class::Trigger, "t", trigger(&[update], &["x"], &["a"])), "trigger/t#/rules/0"),
        ((Class::Trigger, "t", trigger(&[update], &[], &[])), "trigger/t#/actions"),
        ((Class::Trigger, "t", trigger(&["token.create"], &[], &["a"])), "trigger/t#/actions/0"),
        ((Class::Trigger, "t", bound("group")), "trigger/t#/scope"),
        (
            (Class::Scope, "s", json!({ "kind": "group", "name": "x", "mode": "add" })),
            "scope/s#/name",
        ),
    ];
    for (object, place) in cases {
        let error = save(engine, std::slice::from_ref(&object)).await.unwrap_err();
        let Error::Invalid { field, message } = error else { panic!("{object:?}: {error}") };
        assert_eq!(field, place, "{object:?}: {message}");
    }
    kept_out_has_no_owner_and_no_job(engine).await;
    let referred = engine.delete_automation(&context(engine), Class::Action, "a").await;
    assert_eq!(referred.unwrap_err().to_string(), "trigger/t refers to it");
    assert_eq!(engine.automation_book(&context(engine)).await.unwrap().revision, 1);
    running.stop().await.unwrap();
}

chancery_throwaway::on_each_backend!(an_upload_is_ignored_or_placed_before_it_enters, 2);

async fn an_upload_is_ignored_or_placed_before_it_enters() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        allow_unencrypted_key: true,
        verbose_audit: false,
        // An alert of theirs may come first.
        monitors: false,
        database: chancery_throwaway::database_of(dir.path()).map(|url| url.parse().unwrap()),
        ..Settings::new(dir.path())
    };
    let running = Engine::start(settings, Environment::system()).await.unwrap();
    let engine = running.engine();
    let notify = json!([{ "step": "notify", "to": "role:operator", "title": "kept out" }]);
    let place = json!([{ "step": "set_path", "path": "/triggers" }]);
    let uploads = ["certificate.uploaded"];
    let mut ignore = trigger(&uploads, &["test"], &["tell"]);
    ignore["ignore"] = json!(true);
    save(
        engine,
        &[
            (Class::Rule, "test", rule("object.cn:*.test")),
            (Class::Action, "tell", action(notify)),
            (Class::Action, "place", action(place)),
            (Class::Trigger, "no-tests", ignore),
            (Class::Trigger, "place", trigger(&uploads, &[], &["place"])),
        ],
    )
    .await
    .unwrap();
    let refused = uploaded(engine, "secret-name.test").await.unwrap_err();
    assert!(matches!(&refused, Error::Ignored { trigger } if trigger == "no-tests"), "{refused}");
    let id = uploaded(engine, "www.example.com").await.unwrap();
    let mut upload = upload_of(leaf("b.example.com"));
    upload.placement.path = Some("/request".to_owned());
    upload.mode = UploadMode::Async;
    engine.upload(&context(engine), upload).await.unwrap();

    let rows = kept(engine, "type:certificate.uploaded").await;
    let first: Vec<_> = verdicts(&rows[..4]);
    assert_eq!(first[..2], ["platform no-tests ignored", "platform place not_reached"]);
    assert_eq!(first[2..], ["platform no-tests nearly", "platform place matched"]);
    let failed = events(engine, "type:certificate.upload outcome:failure").await;
    assert_eq!(failed[0].event.id, rows[0].event_id);
    assert_eq!(failed[0].event.outcome.reason.as_deref(), Some("ignored"));
    let quiet = format!("{}{}{:?}", rows[0].explanation, rows[0].steps, failed[0].event);
    assert!(!quiet.contains("secret-name"), "{quiet}");
    let alerts = events(engine, "type:alert.raised").await;
    let told = alerts[0].event.personal().unwrap().detail["private_message"].to_string();
    assert!(told.contains("CN=secret-name.test") && told.contains("fingerprint"), "{told}");
    assert_eq!(engine.certificate(&context(engine), id).await.unwrap().row.path, "/triggers");
    let found = async || {
        let filter = engine.parse_evaluation_filter("trigger:place verdict:matched").unwrap();
        let query = EvaluationQuery { filter, before: None, after: None, limit: 10 };
        engine.evaluations(&context(engine), &query).await.unwrap().items
    };
    let deadline = std::time::Instant::now() + LIMIT;
    while found().await.len() < 2 && std::time::Instant::now() < deadline {
        engine.reacted(Duration::from_millis(100)).await;
    }
    let object = found().await[0].object.clone().unwrap();
    let id = object.strip_prefix("certificate/").unwrap().parse().unwrap();
    let view = engine.certificate(&context(engine), id).await.unwrap();
    assert_eq!(view.row.path, "/request", "what the request says has the last word");
    running.stop().await.unwrap();
}

chancery_throwaway::on_each_backend!(an_import_asks_the_same_triggers, 2);

async fn an_import_asks_the_same_triggers() {
    let (_dir, running) = running().await;
    let engine = running.engine();
    let ignore =
        json!({ "event_types": ["certificate.uploaded"], "rules": ["odd"], "ignore": true });
    let rule = rule(r"object.cn~[13579]\.example$");
    save(engine, &[(Class::Rule, "odd", rule), (Class::Trigger, "no-odd", ignore)]).await.unwrap();
    let pem: String = (0..120)
        .map(|number| {
            use base64::Engine as _;
            let der = leaf(&format!("n{number}.example"));
            let text = base64::engine::general_purpose::STANDARD.encode(der);
            format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
        })
        .collect();
    let UploadAnswer::Done(items) =
        engine.upload(&context(engine), upload_of(pem.into_bytes())).await.unwrap()
    else {
        panic!("a synchronous upload is done");
    };
    let ignored = items.iter().filter(|item| matches!(item.result, Err(Error::Ignored { .. })));
    assert_eq!((items.len(), ignored.count()), (120, 60));
    let rows = kept(engine, "trigger:no-odd").await;
    assert_eq!(rows.iter().filter(|row| row.verdict == "ignored").count(), 60);
    assert!(rows.iter().filter(|row| row.verdict == "ignored").all(|row| row.object.is_none()));
    let import = events(engine, "type:certificate.import").await;
    assert_eq!(import[0].event.detail["ignored"], 60);
    running.stop().await.unwrap();
}

/// Makes the status of a certificate change; the verdicts on that change.
async fn flip(engine: &Engine, id: CertificateId, anchor: bool) -> Vec<String> {
    let known = events(engine, "type:certificate.status_changed").await.len();
    let wish = PlacementRequest { trust_anchor: Some(anchor), ..PlacementRequest::default() };
    engine.update_certificate(&context(engine), id, None, wish).await.unwrap();
    let changed = || engine.parse_evaluation_filter("").unwrap();
    let query = || EvaluationQuery { filter: changed(), before: None, after: None, limit: 100 };
    let deadline = std::time::Instant::now() + LIMIT;
    loop {
        assert!(engine.reacted(LIMIT).await);
        let items = engine.evaluations(&context(engine), &query()).await.unwrap().items;
        let changes = events(engine, "type:certificate.status_changed").await.len();
        let asked = items.iter().map(|row| row.event_id).collect::<std::collections::HashSet<_>>();
        if changes > known && asked.len() == changes {
            let newest = items[0].event_id;
            let mut rows: Vec<_> = items.into_iter().filter(|row| row.event_id == newest).collect();
            rows.reverse();
            return verdicts(&rows);
        }
        assert!(std::time::Instant::now() < deadline);
    }
}

chancery_throwaway::on_each_backend!(scopes_add_up_and_one_that_replaces_ends_the_list, 2);

async fn scopes_add_up_and_one_that_replaces_ends_the_list() {
    let (_dir, running) = running().await;
    let engine = running.engine();
    for name in ["B", "a"] {
        group(engine, LabelClass::Group, name).await;
    }
    group(engine, LabelClass::RaProfile, "p").await;
    let id = uploaded(engine, "www.example.com").await.unwrap();
    let wish = PlacementRequest {
        groups: Some(vec!["a".to_owned(), "b".to_owned()]),
        ra_profile: Some("p".to_owned()),
        ..PlacementRequest::default()
    };
    engine.update_certificate(&context(engine), id, None, wish).await.unwrap();
    let raise = json!([{ "step": "raise_alert", "kind": "x", "title": "x" }]);
    let bound = |kind: &str, name: Option<&str>, ignore: bool, order: i64| {
        json!({ "event_types": ["certificate.status_changed"], "actions": ["x"], "ignore": ignore,
            "scope": { "kind": kind, "name": name }, "order": order })
    };
    save(
        engine,
        &[
            (Class::Action, "x", action(raise)),
            (Class::Trigger, "on-a.2", bound("group", Some("A"), false, 2)),
            (Class::Trigger, "on-a.1", bound("group", Some("a"), false, 1)),
            (Class::Trigger, "on-b.ignore", bound("group", Some("b"), true, 9)),
            (Class::Trigger, "on-b", bound("group", Some("b"), false, 0)),
            (Class::Trigger, "on-p", bound("ra_profile", Some("p"), false, 0)),
            (Class::Trigger, "all", bound("platform", None, false, 0)),
        ],
    )
    .await
    .unwrap();
    assert_eq!(
        flip(engine, id, true).await,
        [
            "group/a on-a.1 matched",
            "group/a on-a.2 matched",
            "group/B on-b.ignore ignored",
            "group/B on-b not_reached",
            "ra_profile/p on-p matched",
            "platform all matched",
        ]
    );
    let replace = json!({ "kind": "group", "name": "B", "mode": "replace" });
    save(engine, &[(Class::Scope, "b", replace)]).await.unwrap();
    assert_eq!(flip(engine, id, false).await.last().unwrap(), "group/B on-b not_reached");
    running.stop().await.unwrap();
}

chancery_throwaway::on_each_backend!(triggers_that_feed_each_other_are_stopped, 2);

async fn triggers_that_feed_each_other_are_stopped() {
    let (_dir, running) = running().await;
    let engine = running.engine();
    let mine = ["certificate.update", "trigger.stopped"];
    let there = json!([{ "step": "set_path", "path": "/a{object.path}" }]);
    let object = [
        (Class::Action, "move", action(there)),
        (Class::Trigger, "round", trigger(&mine[..1], &[], &["move"])),
    ];
    save(engine, &object).await.unwrap();
    let id = uploaded(engine, "www.example.com").await.unwrap();
    moved(engine, id, "/x").await;
    assert!(engine.reacted(LIMIT).await);
    let depths: Vec<_> =
        events(engine, "type:certificate.update").await.iter().map(|e| e.event.depth).collect();
    assert_eq!(depths.iter().max(), Some(&8), "{depths:?}");
    assert_eq!(told(engine, "type:trigger.stopped").await.len(), 1);
    let rows = kept(engine, "trigger:round").await;
    assert!(rows.last().unwrap().steps.contains("\"stopped\""), "{:?}", rows.last());
    running.stop().await.unwrap();
}

chancery_throwaway::on_each_backend!(
    a_lost_answer_of_the_store_makes_nothing_happen_twice_or_never,
    2
);

async fn a_lost_answer_of_the_store_makes_nothing_happen_twice_or_never() {
    let (_dir, running) = running().await;
    let engine = running.engine();
    let raise = json!([{ "step": "raise_alert", "kind": "x", "key": "one", "title": "x" }]);
    save(
        engine,
        &[
            (Class::Action, "x", action(raise)),
            (Class::Trigger, "x", trigger(&["certificate.update"], &[], &["x"])),
        ],
    )
    .await
    .unwrap();
    let id = uploaded(engine, "www.example.com").await.unwrap();
    for (number, fault) in
        [Fault::NotPersisted, Fault::Persisted, Fault::NotPersisted].into_iter().enumerate()
    {
        chancery_engine::bench::store(engine).inject("dispatch", fault);
        moved(engine, id, &format!("/{number}")).await;
        let deadline = std::time::Instant::now() + LIMIT;
        while kept(engine, "trigger:x").await.len() <= number {
            assert!(std::time::Instant::now() < deadline, "{fault:?} lost an event");
        }
        assert_eq!(kept(engine, "trigger:x").await.len(), number + 1, "{fault:?}");
    }
    let raised = told(engine, "type:alert.raised").await;
    assert_eq!(raised.len(), 1, "one alert that counted up: {raised:?}");
    running.stop().await.unwrap();
}

chancery_throwaway::on_each_backend!(a_change_is_compared_with_what_is_saved_over_history, 2);

async fn a_change_is_compared_with_what_is_saved_over_history() {
    let (_dir, running) = running().await;
    let engine = running.engine();
    let raise = json!([{ "step": "raise_alert", "kind": "x", "title": "x" }]);
    save(
        engine,
        &[
            (Class::Rule, "r", rule("object.cn:a.example")),
            (Class::Action, "x", action(raise)),
            (Class::Trigger, "t", trigger(&["certificate.update"], &["r"], &["x"])),
        ],
    )
    .await
    .unwrap();
    for name in ["a.example", "b.example"] {
        let id = uploaded(engine, name).await.unwrap();
        moved(engine, id, "/x").await;
    }
    assert!(engine.reacted(LIMIT).await);
    let edit = TrialEdit {
        class: "rule".to_owned(),
        name: "r".to_owned(),
        body: Some(rule("object.cn:b.example")),
        enabled: true,
    };
    let trial = Trial { edits: vec![edit], compare: true, ..Trial::default() };
    let tried = engine.back_test(&context(engine), trial).await.unwrap().unwrap();
    assert_eq!((tried.concerned, tried.differing), (2, 2));
    let verdict = |side: &Option<chancery_engine::reaction::trial::Sample>| {
        side.as_ref().map(|sample| sample.verdict.clone())
    };
    let told: Vec<_> =
        tried.differences.iter().map(|d| (verdict(&d.before), verdict(&d.after))).collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(told, [(some("matched"), some("nearly")), (some("nearly"), some("matched"))]);
    let preview = engine
        .preview_rule(
            &context(engine),
            &json!("object.cn:b.example"),
            &[chancery_event::EventType::CertificateUpdate],
            1_000,
        )
        .await
        .unwrap();
    assert_eq!(preview.verdicts["preview.trigger"]["matched"], 1);
    running.stop().await.unwrap();
}

/// Rules of whose events one stands for many, and what makes them look at each: a comparison that
/// always holds.
const COARSE: [&str; 6] = [
    "outcome:failure",
    "outcome:failure origin:api",
    "-outcome:success severity>=warning kind:operation",
    "origin:cli OR reason:*",
    "family:certificate subject_kind:certificate actor_kind:system outcome:failure",
    "-(reason:duplicate OR type:certificate.upload)",
];

on_each_backend!(events_that_are_alike_are_decided_as_one_by_one, 2);

async fn events_that_are_alike_are_decided_as_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let raise = json!([{ "step": "raise_alert", "kind": "x", "title": "{type} {id}" }]);
    save(engine, &[(Class::Action, "x", action(raise))]).await.unwrap();
    let ders: Vec<_> = (0..30).map(|number| leaf(&format!("{number}.example"))).collect();
    for round in 0..2 {
        for number in 0..40 {
            let upload = upload_of(ders[number % 30].clone());
            let answer = engine.upload(&context(engine), upload).await.unwrap();
            let UploadAnswer::Done(mut items) = answer else { panic!("done") };
            let done = items.remove(0).result;
            assert_eq!(done.is_ok(), round == 0 && number < 30, "the others are there already");
            if let Ok(id) = done {
                moved(engine, id, "/a").await;
            }
        }
    }
    assert!(engine.reacted(LIMIT).await);
    let types = ["certificate.upload", "certificate.update", "certificate.uploaded"];
    let with = |filter: &str| {
        let edit = |class: &str, name: &str, body| TrialEdit {
            class: class.to_owned(),
            name: name.to_owned(),
            body: Some(body),
            enabled: true,
        };
        let body = trigger(&types, &["r"], &["x"]);
        vec![edit("rule", "r", rule(filter)), edit("trigger", "t", body)]
    };
    let tried = async |filter: &str, compare: bool| {
        let trigger = (!compare).then(|| "t".to_owned());
        let trial = Trial { trigger, edits: with(filter), compare, ..Trial::default() };
        let mut tried = engine.back_test(&context(engine), trial).await.unwrap().unwrap();
        // What trying itself records comes behind.
        (tried.took_us, tried.events) = (0, 0);
        tried
    };
    for filter in COARSE {
        let (coarse, fine) = (tried(filter, false).await, format!("({filter}) index>=0"));
        assert!(!coarse.verdicts.is_empty() && coarse.concerned >= 140, "{filter} {coarse:?}");
        assert_eq!(coarse, tried(&fine, false).await, "{filter}");
    }
    // Against something that is saved: what differs is told event by event.
    let saved = [
        (Class::Rule, "r", rule("outcome:failure")),
        (Class::Trigger, "t", trigger(&types, &["r"], &["x"])),
    ];
    save(engine, &saved).await.unwrap();
    for filter in COARSE {
        let (coarse, fine) = (tried(filter, true).await, format!("({filter}) index>=0"));
        assert_eq!(coarse, tried(&fine, true).await, "{filter}");
    }
    // One trigger alone is compared with itself, whatever else is saved.
    let other = [(Class::Trigger, "other", trigger(&types, &[], &["x"]))];
    save(engine, &other).await.unwrap();
    let trial =
        |edits| Trial { trigger: Some("t".to_owned()), edits, compare: true, ..Trial::default() };
    let same = engine.back_test(&context(engine), trial(Vec::new())).await.unwrap().unwrap();
    assert_eq!((same.differing, same.concerned > 0), (0, true), "{:?}", same.differences);
    let changed = engine.back_test(&context(engine), trial(with("outcome:success"))).await;
    assert!(changed.unwrap().unwrap().differing > 100);
    running.stop().await.unwrap();
}
