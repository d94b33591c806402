//! What gives power away asks a session for the password again when it was given some time ago.

use chancery_engine::access::{AccountChange, Credential, NewToken};
use chancery_engine::history::EventAccess;
use chancery_engine::{Client, Context, Engine, Error, Role};
use chancery_event::id::AccountId;
use chancery_event::{Origin, Timestamp};
use chancery_throwaway::on_each_backend;

use crate::access::{PASSWORD, come_back, enter, new_account, reason, secret, start, told};

const MINUTE: i64 = 60 * Timestamp::SECOND;

fn token() -> NewToken {
    NewToken { name: "feed".to_owned(), account: None, role: None, days: 1 }
}

/// What becomes of everything that gives power away, for an account that is there.
async fn powers(
    engine: &Engine,
    context: &Context,
    id: AccountId,
    name: &str,
) -> Vec<&'static str> {
    let change = |role: Option<Role>, disabled: Option<bool>| AccountChange {
        role: role.map(|role| role.to_string()),
        disabled,
        ..AccountChange::default()
    };
    let update = async |change| reason(engine.update_account(context, id, None, change).await);
    let of = engine.account(context, id).await.unwrap().role;
    let other = if of == "viewer" { Role::Auditor } else { Role::Viewer };
    let sees = EventAccess { events: "all".to_owned(), ..EventAccess::default() };
    assert_eq!(update(change(None, Some(true))).await, "success", "taking power away is not asked");
    vec![
        reason(engine.create_token(context, token()).await),
        reason(engine.create_account(context, new_account(name, Role::Viewer)).await),
        update(change(Some(other), None)).await,
        update(change(None, Some(false))).await,
        reason(engine.reset_password(context, id).await),
        reason(engine.set_event_access(context, id, None, sees).await),
    ]
}

on_each_backend!(what_gives_power_away_asks_for_the_password_again, 2);

async fn what_gives_power_away_asks_for_the_password_again() {
    let dir = tempfile::tempdir().unwrap();
    let (running, clock) = start(dir.path()).await;
    let engine = running.engine();
    let machine = Context::command_line(engine.environment());
    let new = new_account("grace", Role::Viewer);
    let grace = engine.create_account(&machine, new).await.unwrap().0;
    let session = engine.log_in(Client::default(), "admin", secret(PASSWORD)).await.unwrap();
    let admin = come_back(engine, &session.cookie).await.unwrap().context;
    let bearer = engine.create_token(&admin, token()).await.unwrap().secret;
    clock.advance(10 * MINUTE - 1);
    assert_eq!(powers(engine, &admin, grace, "one").await, ["success"; 6]);
    clock.advance(1);
    assert!(engine.confirmation_is_due(&admin));
    assert_eq!(powers(engine, &admin, grace, "two").await, ["confirmation_due"; 6]);
    let named =
        AccountChange { display_name: Some("Grace".to_owned()), ..AccountChange::default() };
    engine.update_account(&admin, grace, None, named).await.unwrap();
    assert!(engine.accounts(&admin).await.unwrap().iter().all(|account| account.name != "two"));

    // A session that is used all the time is asked as well; tokens and the command line are not.
    let admin = come_back(engine, &session.cookie).await.unwrap().context;
    assert!(engine.confirmation_is_due(&admin));
    let credential = Credential::Bearer(bearer);
    let program = engine.authenticate(&credential, Origin::Api, Client::default()).await.unwrap();
    assert_eq!(powers(engine, &program.context, grace, "three").await, ["success"; 6]);
    let refused = engine.confirm_session(&program.context, secret(PASSWORD)).await;
    assert_eq!(reason(refused), "no_session");
    assert_eq!(reason(engine.reset_password(&machine, grace).await), "success");

    let wrong = engine.confirm_session(&admin, secret("a wrong guess")).await.unwrap_err();
    assert!(matches!(&wrong, Error::Invalid { field, .. } if field == "password"), "{wrong}");
    engine.confirm_session(&admin, secret(PASSWORD)).await.unwrap();
    let admin = come_back(engine, &session.cookie).await.unwrap().context;
    assert_eq!(powers(engine, &admin, grace, "four").await, ["success"; 6]);
    assert_eq!(
        told(engine, "type:session.confirm").await,
        [
            "session.confirm failure no_session",
            "session.confirm failure invalid",
            "session.confirm success",
        ]
    );
    let denied = told(engine, "reason:confirmation_due").await;
    assert_eq!(denied.len(), 6, "each is on record: {denied:?}");
    assert!(denied.iter().all(|line| line.contains(" deny ")), "{denied:?}");
    running.stop().await.unwrap();
}

on_each_backend!(guessing_at_the_question_locks_as_guessing_at_the_login_does, 2);

async fn guessing_at_the_question_locks_as_guessing_at_the_login_does() {
    let dir = tempfile::tempdir().unwrap();
    let (running, clock) = start(dir.path()).await;
    let engine = running.engine();
    let admin = enter(engine, "admin", PASSWORD).await.unwrap().context;
    clock.advance(20 * MINUTE);
    for _ in 0..5 {
        let wrong = engine.confirm_session(&admin, secret("a wrong guess")).await;
        assert_eq!(reason(wrong), "invalid");
    }
    assert_eq!(reason(engine.confirm_session(&admin, secret(PASSWORD)).await), "locked");
    assert_eq!(reason(enter(engine, "admin", PASSWORD).await), "locked");
    clock.advance(15 * MINUTE);
    engine.confirm_session(&admin, secret(PASSWORD)).await.unwrap();
    // A password that is changed was given, too.
    clock.advance(20 * MINUTE);
    let (old, new) = (secret(PASSWORD), secret("another one, longer"));
    let session = engine.log_in(Client::default(), "admin", secret(PASSWORD)).await.unwrap();
    clock.advance(11 * MINUTE);
    let admin = come_back(engine, &session.cookie).await.unwrap().context;
    engine.change_own_password(&admin, old, new).await.unwrap();
    let admin = come_back(engine, &session.cookie).await.unwrap().context;
    assert!(!engine.confirmation_is_due(&admin));
    running.stop().await.unwrap();
}
