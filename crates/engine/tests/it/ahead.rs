//! Fast-forward is held against what then happens: the same engine, the same clock, one day after the
//! other.

use std::collections::{BTreeMap, BTreeSet};

use chancery_engine::Context;
use chancery_engine::Role;
use chancery_engine::access::NewAccount;
use chancery_engine::automation::{Class, Edit};
use chancery_engine::inventory::PlacementRequest;
use chancery_engine::notification::NoticeQuery;
use chancery_engine::reaction::ahead::{Ahead, AheadItem};
use chancery_engine::reaction::record::EvaluationQuery;
use chancery_engine::reaction::trial::TrialEdit;
use chancery_event::{TargetKind, Timestamp};
use serde_json::{Value, json};

use crate::monitor::Bench;

const HOUR: i64 = Timestamp::HOUR;

async fn save(bench: &Bench, objects: &[(Class, &str, Value)]) {
    let edit = |(class, name, body): &(Class, &str, Value)| Edit {
        class: *class,
        name: (*name).to_owned(),
        body: Some(body.clone()),
        enabled: true,
    };
    let edits = objects.iter().map(edit).collect();
    bench.engine().apply_automation(&bench.context(), None, edits).await.unwrap();
}

/// Triggers of every verdict on what monitors report.
async fn automate(bench: &Bench) {
    let ends = ["certificate.expiring", "certificate.expired"];
    let notify = |to: &str| {
        json!({ "steps": [
        { "step": "notify", "to": to, "title": "{object.cn} ends", "message": "{detail.threshold}" },
        { "step": "raise_alert", "kind": "ends", "severity": "info", "title": "{object.cn}" } ] })
    };
    let on = |types: &[&str], rules: &[&str], actions: &[&str], ignore: bool| json!({ "event_types": types, "rules": rules, "actions": actions, "ignore": ignore });
    save(
        bench,
        &[
            (Class::Rule, "soon", json!({ "filter": "object.expires<8d" })),
            (Class::Rule, "over", json!({ "filter": "object.status:expired" })),
            (Class::Rule, "quiet", json!({ "filter": "object.cn:quiet.example detail.days_left>1" })),
            (
                Class::Action,
                "plain",
                json!({ "steps": [{ "step": "notify", "to": "account:ada",
                    "title": "{detail.subject_dn} ends" }] }),
            ),
            (Class::Action, "owner", notify("owner")),
            (Class::Action, "operators", notify("role:operator")),
            (Class::Trigger, "soon", on(&ends, &["soon"], &["owner"], false)),
            (Class::Trigger, "over", on(&["certificate.expired"], &["over"], &["operators"], false)),
            (Class::Trigger, "quiet", on(&["certificate.expiring"], &["quiet"], &[], true)),
            (Class::Trigger, "authorities", on(&["authority.expiring"], &[], &["plain"], false)),
            (Class::Rule, "of-end", json!({ "filter": "detail.alert_kind:expiring_soon,ends" })),
            (
                Class::Action,
                "echo",
                json!({ "steps": [{ "step": "raise_alert", "kind": "echo", "severity": "info",
                    "title": "echo of {detail.alert_kind}", "key": "{id}" }] }),
            ),
            (Class::Trigger, "echo", on(&["alert.raised"], &["of-end"], &["echo"], false)),
            (
                Class::Monitor,
                "certificate-expiry",
                json!({ "kind": "certificate_expiry", "thresholds": ["30d/33%", "7d", "6d", "0d", "-2d"],
                    "schedule": { "cron": "0 6 */2 * *", "time_zone": "Europe/Prague" } }),
            ),
            (
                Class::Monitor,
                "authority-expiry",
                json!({ "kind": "authority_expiry", "thresholds": ["6mo", "3mo", "1mo"],
                    "schedule": { "cron": "0 7 * * *", "time_zone": "UTC" } }),
            ),
        ],
    )
    .await;
}

type Told = BTreeMap<(String, String, String, String), u64>;

/// What was foretold: time and type of each event with its object, and what triggers do about it.
fn foretold(ahead: &Ahead) -> (Told, Told) {
    let (mut events, mut reactions) = (Told::new(), Told::new());
    for item in &ahead.items {
        let threshold = item.threshold.clone().unwrap_or_default();
        let event = (item.at.to_string(), item.event_type.clone(), item.object.clone(), threshold);
        if item.event_type != "alert.raised" {
            *events.entry(event).or_default() += 1;
        }
        for reaction in &item.reactions {
            let steps = reaction.steps.join("; ");
            let (trigger, verdict) = (reaction.trigger.clone(), reaction.verdict.clone());
            *reactions.entry((item.event_type.clone(), trigger, verdict, steps)).or_default() += 1;
        }
    }
    (events, reactions)
}

/// What happened.
async fn happened(
    bench: &Bench,
    since: Timestamp,
) -> (Told, Told, BTreeMap<(String, String), u64>) {
    let (mut events, mut reactions, mut verdicts) = (Told::new(), Told::new(), BTreeMap::new());
    for event_type in ["certificate.expiring", "certificate.expired", "authority.expiring"] {
        for event in bench.events(event_type).await.into_iter().filter(|event| event.time > since) {
            let is_certificate = |kind: TargetKind| kind == TargetKind::Certificate;
            let of = event.targets.iter().find(|target| is_certificate(target.kind)).unwrap();
            let threshold = event.detail["threshold"].as_str().unwrap_or_default().to_owned();
            let told = (event.time.to_string(), event_type.to_owned(), of.id.clone(), threshold);
            *events.entry(told).or_default() += 1;
        }
    }
    let engine = bench.engine();
    let filter = engine.parse_evaluation_filter("").unwrap();
    let query = EvaluationQuery { filter, before: None, after: None, limit: 1_000 };
    let rows = engine.evaluations(&bench.context(), &query).await.unwrap().items;
    for row in rows.into_iter().filter(|row| row.at > since) {
        *verdicts.entry((row.trigger.clone(), row.verdict.clone())).or_insert(0) += 1;
        if matches!(row.verdict.as_str(), "matched" | "ignored") {
            let steps: Value = serde_json::from_str(&row.steps).unwrap();
            let does = |step: &Value| step["does"].as_str().unwrap().to_owned();
            let steps: Vec<_> = steps.as_array().unwrap().iter().map(does).collect();
            let told = (row.event_type, row.trigger, row.verdict, steps.join("; "));
            *reactions.entry(told).or_default() += 1;
        }
    }
    (events, reactions, verdicts)
}

/// Of how many events a profile has told somebody who is not the owner.
async fn told_without_owner(bench: &Bench, since: Timestamp) -> u64 {
    let query = NoticeQuery { decision: Some("sent".to_owned()), ..NoticeQuery::default() };
    let told = bench.engine().notices(&bench.context(), query, 1_000).await.unwrap();
    let told: BTreeSet<_> = told
        .into_iter()
        .filter(|one| one.notice.at > since && !one.notice.paths.contains("owner"))
        .map(|one| one.notice.event_id)
        .collect();
    told.len() as u64
}

/// Certificates near their end: some that ada owns, one that a trigger ignores, one with a
/// successor.
async fn estate(bench: &Bench) {
    for (number, days) in [1, 3, 6, 7, 9, 15, 20, 29, 33, 41, 55].into_iter().enumerate() {
        let id = bench.upload(&format!("host{number}.example"), -60, days).await;
        if number % 2 == 0 {
            let owned =
                PlacementRequest { owner: Some("ada".to_owned()), ..PlacementRequest::default() };
            bench.engine().update_certificate(&bench.context(), id, None, owned).await.unwrap();
        }
    }
    bench.upload("quiet.example", -60, 12).await;
    bench.upload_authority("Ending CA", 25).await;
    bench.upload("twice.example", -60, 10).await;
    bench.upload("twice.example", -1, 300).await;
}

chancery_throwaway::on_each_backend!(what_is_foretold_is_what_then_happens);

async fn what_is_foretold_is_what_then_happens() {
    let mut bench = Bench::new().await;
    let ada = NewAccount {
        name: "ada".to_owned(),
        display_name: "Ada".to_owned(),
        email: None,
        role: Role::Operator.to_string(),
        password: None,
        expires_at: None,
    };
    bench.engine().create_account(&bench.context(), ada).await.unwrap();
    automate(&bench).await;
    estate(&bench).await;
    bench.step().await;
    bench.react().await;

    let since = bench.now();
    let context: Context = bench.context();
    let ahead = bench.engine().fast_forward(&context, 40, &[]).await.unwrap();
    assert!(!ahead.cut && ahead.items.len() as u64 == ahead.events + ahead.caused, "{ahead:?}");
    assert!(ahead.reach.contains_key("account:ada") && ahead.reach.contains_key("role:operator"));
    assert!(ahead.unheard > 0 && !ahead.undeliverable.is_empty());
    assert!(ahead.silent["replaced"] >= 1, "{:?}", ahead.silent);

    // From run to run: at six in Prague, whatever that is in UTC, and at seven in UTC.
    bench.pass(HOUR / 2).await;
    for _ in 0..40 {
        for hours in [4, 2, 18] {
            bench.pass(hours * HOUR).await;
            bench.react().await;
            bench.notify().await;
        }
    }
    // The trigger of a new installation tells the administrator of what nobody owns.
    let told = told_without_owner(&bench, since).await;
    assert!(told > 0);
    assert_eq!(ahead.reach.get("account:admin"), Some(&told), "{:?}", ahead.reach);
    assert_eq!(ahead.channels.keys().collect::<Vec<_>>(), ["bell"]);
    let (events, reactions, mut verdicts) = happened(&bench, since).await;
    // Alerts of other kinds (the program looks at itself) are not foretold.
    verdicts.retain(|(trigger, verdict), _| trigger != "echo" || verdict == "matched");
    assert!(verdicts[&("echo".to_owned(), "matched".to_owned())] > 8, "{verdicts:?}");
    let (told_events, told_reactions) = foretold(&ahead);
    assert_eq!(told_events, events);
    assert_eq!(told_reactions, reactions);
    let told_verdicts: BTreeMap<_, _> = ahead
        .verdicts
        .iter()
        .flat_map(|(trigger, of)| {
            of.iter().map(move |(verdict, n)| ((trigger.clone(), verdict.clone()), *n))
        })
        .filter(|((trigger, verdict), _)| trigger != "echo" || verdict == "matched")
        .collect();
    assert_eq!(told_verdicts, verdicts);
    for verdict in ["matched", "ignored", "nearly", "not_reached"] {
        assert!(verdicts.keys().any(|(_, found)| found == verdict), "{verdict}: {verdicts:?}");
    }
    let tried = bench.events("configuration.test").await;
    assert_eq!(tried.len(), 1, "only the fact is kept");
}

chancery_throwaway::on_each_backend!(days_that_cannot_be_looked_ahead_are_refused);

async fn days_that_cannot_be_looked_ahead_are_refused() {
    let bench = Bench::new().await;
    for days in [0, 4_000] {
        let refused = bench.engine().fast_forward(&bench.context(), days, &[]).await.unwrap_err();
        assert_eq!(refused.reason(), "invalid");
    }
}

chancery_throwaway::on_each_backend!(a_monitor_that_is_not_saved_is_foretold_as_it_would_be);

async fn a_monitor_that_is_not_saved_is_foretold_as_it_would_be() {
    let mut bench = Bench::new().await;
    for (number, days) in [5, 20, 45, 70, 130, 400].into_iter().enumerate() {
        bench.upload(&format!("host{number}.example"), -60, days).await;
    }
    bench.step().await;
    let context = bench.context();
    let daily = json!({ "cron": "0 6 * * *", "time_zone": "UTC" });
    let monitor = |thresholds: &[&str]| json!({ "kind": "certificate_expiry", "thresholds": thresholds, "schedule": daily });
    let saved = bench.engine().fast_forward(&context, 30, &[]).await.unwrap();
    let changes = [("certificate-expiry", monitor(&["90d", "3d"])), ("second", monitor(&["60d"]))];
    let edits = changes.clone().map(|(name, body)| TrialEdit {
        class: "monitor".to_owned(),
        name: name.to_owned(),
        body: Some(body),
        enabled: true,
    });
    let draft = bench.engine().fast_forward(&context, 30, &edits).await.unwrap();
    assert_eq!(bench.engine().fast_forward(&context, 30, &[]).await.unwrap(), saved, "a try");
    save(&bench, &changes.map(|(name, body)| (Class::Monitor, name, body))).await;
    bench.step().await;
    let then = bench.engine().fast_forward(&context, 30, &[]).await.unwrap();
    let told = |ahead: &Ahead| -> BTreeSet<_> {
        let of = |item: &AheadItem| {
            let threshold = item.threshold.clone().unwrap_or_default();
            (item.at, item.monitor.clone(), item.event_type.clone(), item.object.clone(), threshold)
        };
        ahead.items.iter().map(of).collect()
    };
    let monitors: BTreeSet<_> = draft.items.iter().map(|item| item.monitor.as_str()).collect();
    assert!(monitors.contains("second") && monitors.contains("certificate-expiry"), "{draft:?}");
    assert_ne!(told(&draft), told(&saved));
    assert_eq!(told(&draft), told(&then));
}
