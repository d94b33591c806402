//! Failed logins are bounded by network, without locking out who logged in from there before; a
//! password that is set anew settles the alert about a lock.

use std::sync::Arc;

use chancery_engine::{Client, Context, Engine, Role, Running, Settings};
use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_event::{Environment, Timestamp};
use chancery_throwaway::on_each_backend;

use crate::access::{PASSWORD, enter, events, new_account, reason, secret, start, told};
use crate::upload::settings;

const WRONG: &str = "a wrong guess";

async fn bounded(dir: &std::path::Path) -> (Running, Arc<ManualClock>) {
    let clock = ManualClock::new("2026-11-21T09:30:00Z".parse().unwrap());
    let settings = Settings {
        allow_unencrypted_key: true,
        admin_password: Some(secret(PASSWORD)),
        monitors: false,
        logins_per_minute: 0,
        failed_logins_per_minute: 3,
        ..settings(dir)
    };
    let environment = Environment::new(clock.clone(), SeededEntropy::new(7));
    (Engine::start(settings, environment).await.unwrap(), clock)
}

on_each_backend!(a_network_may_fail_so_often_and_browsers_that_are_known_are_not_held_up, 2);

async fn a_network_may_fail_so_often_and_browsers_that_are_known_are_not_held_up() {
    let dir = tempfile::tempdir().unwrap();
    let (running, clock) = bounded(dir.path()).await;
    let engine = running.engine();
    let machine = Context::command_line(engine.environment());
    let new = new_account("grace", Role::Viewer);
    engine.create_account(&machine, new).await.unwrap();
    let from = |host: u8| Client { ip: Some(format!("192.0.2.{host}")), user_agent: None };
    let log_in = async |client: Client, mark: Option<&str>, name: &str, password: &str| {
        engine.log_in_marked(client, mark, name, secret(password)).await
    };
    // What turns out well does not count.
    let mut marks = Vec::new();
    for (host, name) in [(1, "admin"), (2, "grace"), (3, "grace"), (4, "admin"), (5, "admin")] {
        let session = log_in(from(host), None, name, PASSWORD).await.unwrap();
        marks.push(session.mark.expose().clone());
    }
    for host in 11..14 {
        let tried = log_in(from(host), None, "nobody", WRONG).await;
        assert_eq!(reason(tried), "wrong_credentials", "{host}");
    }
    // Another address, another name, and the right password: the network has to wait.
    for (name, password) in [("nobody", WRONG), ("admin", WRONG), ("admin", PASSWORD)] {
        assert_eq!(reason(log_in(from(14), None, name, password).await), "rate_limited");
    }
    let elsewhere = Client { ip: Some("198.51.100.1".to_owned()), user_agent: None };
    assert_eq!(reason(log_in(elsewhere, None, "nobody", WRONG).await), "wrong_credentials");
    // A browser that is known for the account goes on, one that is known for another does not.
    let [ada, grace] = [marks[0].as_str(), marks[1].as_str()];
    assert_eq!(reason(log_in(from(14), Some(ada), "admin", PASSWORD).await), "success");
    assert_eq!(reason(log_in(from(14), Some(ada), "admin", WRONG).await), "wrong_credentials");
    assert_eq!(reason(log_in(from(14), Some(grace), "admin", PASSWORD).await), "rate_limited");
    assert_eq!(
        reason(log_in(from(14), Some("made.up.x"), "admin", PASSWORD).await),
        "rate_limited"
    );

    assert_eq!(engine.rate_limited(), [("login", 0), ("failed_login", 5)]);
    let limited = events(engine, "type:client.rate_limited").await;
    let details: Vec<_> = limited.iter().map(|seen| &seen.event.detail["limited"]).collect();
    assert_eq!(details, ["failed_login"], "once for the window");
    clock.advance(20 * Timestamp::SECOND);
    assert_eq!(reason(log_in(from(14), None, "admin", PASSWORD).await), "success");
    running.stop().await.unwrap();
}

on_each_backend!(a_password_that_is_set_anew_settles_the_alert_about_a_lock, 2);

async fn a_password_that_is_set_anew_settles_the_alert_about_a_lock() {
    let dir = tempfile::tempdir().unwrap();
    let (running, _) = start(dir.path()).await;
    let engine = running.engine();
    let machine = Context::command_line(engine.environment());
    let new = new_account("grace", Role::Viewer);
    let id = engine.create_account(&machine, new).await.unwrap().0;
    for _ in 0..5 {
        assert_eq!(reason(enter(engine, "grace", WRONG).await), "wrong_credentials");
    }
    assert_eq!(told(engine, "type:alert.*").await, ["alert.raised success"]);
    let password = engine.reset_password(&machine, id).await.unwrap();
    enter(engine, "grace", password.expose()).await.unwrap();
    let alerts = told(engine, "type:alert.*").await;
    assert_eq!(alerts, ["alert.raised success", "alert.resolved success"]);
    running.stop().await.unwrap();
}
