//! How sessions end that nobody logs out of: by time, or because their account changed. Each end is
//! an event (`session.end`), in the transaction that ends the session.

use std::time::Duration;

use chancery_event::id::{AccountId, SessionId};
use chancery_event::types::account as types;
use chancery_event::{Target, TargetKind, Timestamp};
use chancery_store::Tx;
use chancery_store::table::{idempotency, session};
use tokio::sync::watch;

use crate::scribe::{Draft, Scribe};
use crate::{Context, Engine, Error};

/// Sessions that one round of the sweep ends at most; the next one is right behind.
const SWEEP_MAX: usize = 500;

/// Sessions of one account at a time.
const SESSIONS_MAX: usize = 100;

/// Removes what is over: sessions, each with its event, stored answers to idempotent requests, and
/// old jobs.
pub(crate) async fn sweep(engine: Engine, mut stop: watch::Receiver<bool>) {
    loop {
        match sweep_once(&engine).await {
            Ok(SWEEP_MAX) => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "what is over was not removed"),
        }
        let stopping = *stop.borrow();
        if let Err(error) = engine.tell_refusals(stopping).await {
            tracing::warn!(%error, "refusals that were counted were not recorded");
        }
        if let Err(error) = crate::job::retention::sweep(&engine).await {
            tracing::warn!(%error, "old jobs were not removed");
        }
        if stopping {
            return;
        }
        tokio::select! {
            _ = stop.changed() => {}
            () = tokio::time::sleep(Duration::from_secs(300)) => {}
        }
    }
}

/// One round; answers how many sessions it ended.
pub(crate) async fn sweep_once(engine: &Engine) -> Result<usize, Error> {
    let scribe = engine.scribe(&Context::system(engine.environment()));
    let now = engine.environment().now();
    let idle = i64::from(engine.settings().session_idle_minutes) * 60 * Timestamp::SECOND;
    engine
        .0
        .store
        .transaction("sweep", move |tx: &mut Tx| {
            let scribe = scribe.clone();
            Box::pin(async move {
                let over = session::over(tx, now, now.plus(-idle), SWEEP_MAX).await?;
                for session in &over {
                    let how = if session.expires_at <= now { "expired" } else { "idle" };
                    end(tx, &scribe, session, how).await?;
                }
                let day_ago = now.plus(-Timestamp::DAY);
                idempotency::delete_before(tx, day_ago).await?;
                Ok::<usize, Error>(over.len())
            })
        })
        .await
}

/// Ends a session and records it (`session.end`).
async fn end(
    tx: &mut Tx,
    scribe: &Scribe,
    session: &session::Session,
    ended_by: &'static str,
) -> Result<(), Error> {
    session::delete(tx, session.id).await?;
    let payload = types::SessionEnd {
        account_id: Some(session.account),
        ended_by: ended_by.into(),
        started_at: Some(session.created_at),
    };
    let draft = Draft::new(&payload)?
        .target(Target::new(TargetKind::Session, session.id))
        .target(Target::new(TargetKind::Account, session.account));
    scribe.record(tx, draft).map(|_| ())
}

/// Ends the oldest sessions of an account that has too many, to make room for one.
pub(super) async fn make_room(
    tx: &mut Tx,
    scribe: &Scribe,
    account: AccountId,
) -> Result<(), Error> {
    let held = session::of_account(tx, account).await?;
    for oldest in held.iter().skip(SESSIONS_MAX - 1) {
        end(tx, scribe, oldest, "revoked").await?;
    }
    Ok(())
}

/// Ends all sessions of an account but `keep`; answers how many.
pub(crate) async fn end_all(
    tx: &mut Tx,
    scribe: &Scribe,
    account: AccountId,
    keep: Option<SessionId>,
    ended_by: &'static str,
) -> Result<u32, Error> {
    let mut ended = 0;
    for session in session::of_account(tx, account).await? {
        if Some(session.id) != keep {
            end(tx, scribe, &session, ended_by).await?;
            ended += 1;
        }
    }
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use chancery_event::Environment;
    use chancery_event::environment::{ManualClock, SeededEntropy};
    use chancery_store::log;
    use chancery_store::table::account;

    use super::*;
    use crate::access::Credential;
    use crate::{Client, Secret, Settings};

    chancery_throwaway::on_each_backend!(idle_and_expired_sessions_end_with_an_event_each, 2);

    async fn idle_and_expired_sessions_end_with_an_event_each() {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::new("2026-11-21T09:30:00Z".parse().unwrap());
        let environment = Environment::new(clock.clone(), SeededEntropy::new(5));
        let settings = Settings {
            allow_unencrypted_key: true,
            admin_password: Some(Secret::new("correct horse battery".to_owned())),
            session_idle_minutes: 60,
            session_lifetime_hours: 2,
            database: chancery_throwaway::database_of(dir.path()).map(|url| url.parse().unwrap()),
            monitors: false,
            ..Settings::new(dir.path())
        };
        let password = settings.admin_password.clone().unwrap();
        let running = Engine::start(settings, environment).await.unwrap();
        let engine = running.engine();
        let busy = engine.log_in(Client::default(), "admin", password.clone()).await.unwrap();
        engine.log_in(Client::default(), "admin", password).await.unwrap();
        let credential = Credential::Cookie(busy.cookie);
        let origin = chancery_event::Origin::Ui;
        let minutes = |n: i64| n * 60 * Timestamp::SECOND;
        sweep_once(engine).await.unwrap();
        clock.advance(minutes(59));
        engine.authenticate(&credential, origin, Client::default()).await.unwrap();
        clock.advance(minutes(1));
        sweep_once(engine).await.unwrap();
        clock.advance(minutes(57));
        engine.authenticate(&credential, origin, Client::default()).await.unwrap();
        clock.advance(minutes(3));
        assert!(engine.authenticate(&credential, origin, Client::default()).await.is_err());
        sweep_once(engine).await.unwrap();
        assert!(engine.settle(Duration::from_secs(60)).await);
        let mut link = engine.link().await.unwrap();
        let events = log::range(&mut link, chancery_event::LogIndex(0), 1_000).await.unwrap();
        let ends: Vec<_> = events
            .iter()
            .filter(|sealed| sealed.event().type_name == "session.end")
            .map(|sealed| sealed.event().detail["ended_by"].as_str().unwrap())
            .collect();
        assert_eq!(ends, ["idle", "expired"]);
        drop(link);
        running.stop().await.unwrap();
    }

    chancery_throwaway::on_each_backend!(an_account_has_so_many_sessions_and_the_oldest_go, 2);

    async fn an_account_has_so_many_sessions_and_the_oldest_go() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings {
            allow_unencrypted_key: true,
            admin_password: Some(Secret::new("correct horse battery".to_owned())),
            database: chancery_throwaway::database_of(dir.path()).map(|url| url.parse().unwrap()),
            monitors: false,
            ..Settings::new(dir.path())
        };
        let password = settings.admin_password.clone().unwrap();
        let running = Engine::start(settings, Environment::system()).await.unwrap();
        let engine = running.engine();
        engine.log_in(Client::default(), "admin", password.clone()).await.unwrap();
        let mut link = engine.link().await.unwrap();
        let account = account::by_name(&mut link, "admin").await.unwrap().unwrap().id;
        let first = session::of_account(&mut link, account).await.unwrap().remove(0);
        drop(link);
        // Made behind the engine's back: a hundred passwords take their time.
        let environment = engine.environment().clone();
        let made = engine.0.store.transaction("more", move |tx: &mut Tx| {
            let (first, environment) = (first.clone(), environment.clone());
            Box::pin(async move {
                for n in 1..SESSIONS_MAX as i64 {
                    let row = session::Session {
                        id: environment.id(),
                        secret_hash: environment.random(),
                        created_at: first.created_at.plus(n - 1_000_000),
                        ..first.clone()
                    };
                    session::insert(tx, &row).await?;
                }
                Ok::<(), Error>(())
            })
        });
        made.await.unwrap();
        let newest = engine.log_in(Client::default(), "admin", password).await.unwrap();
        let origin = chancery_event::Origin::Ui;
        let credential = Credential::Cookie(newest.cookie);
        engine.authenticate(&credential, origin, Client::default()).await.unwrap();
        let mut link = engine.link().await.unwrap();
        let rows = session::of_account(&mut link, account).await.unwrap();
        assert_eq!(rows.len(), SESSIONS_MAX);
        let oldest = rows.last().unwrap().created_at;
        assert!(rows.iter().all(|row| row.created_at >= oldest));
        drop(link);
        assert!(engine.settle(Duration::from_secs(60)).await);
        let mut link = engine.link().await.unwrap();
        let events = log::range(&mut link, chancery_event::LogIndex(0), 1_000).await.unwrap();
        let ends = events.iter().filter(|sealed| sealed.event().type_name == "session.end");
        assert_eq!(ends.count(), 1, "the end of the one that made room is an event");
        drop(link);
        running.stop().await.unwrap();
    }
}
