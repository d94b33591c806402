//! What nobody uses is told again after each time that it was used, and not once it has ended; what
//! nobody changes, after each change.

use chancery_engine::access::{Credential, NewToken};
use chancery_engine::automation::Class;
use chancery_engine::{Client, Context, Role, Secret};
use chancery_event::id::AccountId;
use chancery_event::{Authentication, Event, Origin, Timestamp};
use chancery_throwaway::on_each_backend;
use serde_json::json;

use crate::access::new_account;
use crate::monitor::Bench;

const DAY: i64 = Timestamp::DAY;
const HOUR: i64 = Timestamp::HOUR;

/// `secret.unused` of one object.
async fn unused(bench: &Bench, id: &str) -> Vec<Event> {
    let mut events = bench.events("secret.unused").await;
    events.retain(|event| event.detail["secret_id"] == id);
    events
}

/// Days pass, with a run of what is due in each.
async fn days(bench: &mut Bench, days: i64) {
    for _ in 0..days {
        bench.pass(DAY).await;
    }
}

async fn use_token(bench: &Bench, secret: &Secret<String>) {
    let credential = Credential::Bearer(secret.clone());
    let used = bench.engine().authenticate(&credential, Origin::Api, Client::default());
    used.await.unwrap();
}

/// An account of an operator, and a token of it that lasts so many days.
async fn token(bench: &Bench, lasts: u32) -> (AccountId, String, Secret<String>) {
    let (engine, machine) = (bench.engine(), bench.context());
    let id = engine.create_account(&machine, new_account("grace", Role::Operator)).await.unwrap().0;
    let authentication = Authentication { method: "password".into(), credential: None };
    let environment = engine.environment();
    let client = Client::default();
    let context = Context {
        proved_at: Some(environment.now()),
        ..Context::account(
            environment,
            Origin::Ui,
            client,
            id,
            "grace".to_owned(),
            Role::Operator,
            authentication,
        )
    };
    let new = NewToken { name: "ci".to_owned(), account: None, role: None, days: lasts };
    let made = engine.create_token(&context, new).await.unwrap();
    (id, made.id.to_string(), made.secret)
}

on_each_backend!(a_second_time_without_use_is_told_as_well, 2);

async fn a_second_time_without_use_is_told_as_well() {
    let mut bench = Bench::new().await;
    let (account, id, secret) = token(&bench, 365).await;
    days(&mut bench, 91).await;
    assert_eq!(unused(&bench, &id).await.len(), 1);
    assert_eq!(unused(&bench, &account.to_string()).await.len(), 1);
    use_token(&bench, &secret).await;
    let used = bench.now();
    days(&mut bench, 89).await;
    assert_eq!(unused(&bench, &id).await.len(), 1, "that is not ninety days");
    days(&mut bench, 2).await;
    let told = unused(&bench, &id).await;
    assert_eq!(told.len(), 2);
    assert_eq!(told[1].detail["last_used_at"], json!(used.to_string()));
    assert_eq!(unused(&bench, &account.to_string()).await.len(), 2, "the account by its token");
    days(&mut bench, 30).await;
    assert_eq!(unused(&bench, &id).await.len(), 2, "once each time");
}

on_each_backend!(what_has_ended_is_not_unused, 2);

async fn what_has_ended_is_not_unused() {
    let mut bench = Bench::new().await;
    let (account, id, _) = token(&bench, 30).await;
    let (engine, machine) = (bench.engine().clone(), bench.context());
    let ends = bench.now().plus(60 * DAY);
    let change = chancery_engine::access::AccountChange {
        expires_at: Some(Some(ends)),
        ..Default::default()
    };
    engine.update_account(&machine, account, None, change).await.unwrap();
    bench.pass(HOUR).await;
    for name in ["token-unused", "account-unused"] {
        let forecast = engine.forecast(&machine, name, 100).await.unwrap();
        assert!(forecast.silent["past_end"] >= 1, "{name}: {forecast:?}");
    }
    days(&mut bench, 95).await;
    assert!(unused(&bench, &id).await.is_empty(), "the token cannot be used any more");
    assert!(unused(&bench, &account.to_string()).await.is_empty(), "nor the account");
    // The account goes on: from now on it is unused.
    let change =
        chancery_engine::access::AccountChange { expires_at: Some(None), ..Default::default() };
    engine.update_account(&machine, account, None, change).await.unwrap();
    days(&mut bench, 2).await;
    assert_eq!(unused(&bench, &account.to_string()).await.len(), 1);
}

on_each_backend!(what_nobody_changes_is_told, 2);

async fn what_nobody_changes_is_told() {
    let mut bench = Bench::new().await;
    let machine = bench.context();
    let daily = json!({ "cron": "15 6 * * *", "time_zone": "UTC" });
    let body = |thresholds: &[&str]| json!({ "kind": "password_unchanged", "schedule": daily, "thresholds": thresholds });
    let engine = bench.engine().clone();
    let make = async |body| {
        engine.create_automation(&machine, Class::Monitor, "passwords", body, true).await
    };
    let refused = make(body(&["90d"])).await.unwrap_err();
    assert!(refused.to_string().contains("after the last change"), "{refused}");
    make(body(&["-40d"])).await.unwrap();
    let (account, id, _) = token(&bench, 365).await;
    let owner = Some(account.to_string());
    let new = NewToken { name: "short".to_owned(), account: owner, role: None, days: 30 };
    let short = engine.create_token(&machine, new).await.unwrap().id.to_string();
    let told = async |bench: &Bench, id: &str| {
        let mut events = bench.events("secret.unrotated").await;
        events.retain(|event| event.detail["secret_id"] == id);
        let of = |event: &Event| {
            let detail = &event.detail;
            assert!(detail["last_rotated_at"].is_string());
            format!("{} {}", detail["secret_kind"].as_str().unwrap(), detail["interval_days"])
        };
        events.iter().map(of).collect::<Vec<_>>()
    };
    let other = engine.create_account(&machine, new_account("ada", Role::Viewer)).await.unwrap().0;
    let (grace, ada) = (account.to_string(), other.to_string());
    bench.pass(39 * DAY).await;
    assert!(told(&bench, &grace).await.is_empty());
    bench.pass(2 * DAY).await;
    for id in [&grace, &ada] {
        assert_eq!(told(&bench, id).await, ["password 40"]);
    }
    engine.reset_password(&machine, other).await.unwrap();
    bench.pass(39 * DAY).await;
    assert_eq!(told(&bench, &ada).await.len(), 1, "it was changed");
    bench.pass(2 * DAY).await;
    assert_eq!((told(&bench, &ada).await.len(), told(&bench, &grace).await.len()), (2, 1));
    bench.pass(10 * DAY).await;
    assert_eq!(told(&bench, &id).await, ["token 90"]);
    assert!(told(&bench, &short).await.is_empty(), "what has ended need not be changed");
}
