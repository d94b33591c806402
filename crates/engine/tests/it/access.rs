//! Accounts are made, changed, locked and deleted; sessions begin and end; all of it is recorded.

use std::sync::Arc;
use std::time::Duration;

use chancery_engine::access::{AccountChange, Credential, Identity, NewAccount, NewToken};
use chancery_engine::delivery::Class;
use chancery_engine::history::{EventQuery, SeenEvent};
use chancery_engine::{Client, Context, Engine, Error, Role, Running, Secret, Settings};
use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_event::id::AccountId;
use chancery_event::{Environment, Origin, Timestamp};
use chancery_store::Fault;
use chancery_throwaway::on_each_backend;

use crate::upload::settings;

pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

pub(crate) async fn start(dir: &std::path::Path) -> (Running, Arc<ManualClock>) {
    let clock = ManualClock::new("2026-11-21T09:30:00Z".parse().unwrap());
    let environment = Environment::new(clock.clone(), SeededEntropy::new(7));
    let settings = Settings {
        allow_unencrypted_key: true,
        admin_password: Some(secret(PASSWORD)),
        monitors: false,
        ..settings(dir)
    };
    (Engine::start(settings, environment).await.unwrap(), clock)
}

/// Begins a session and comes back with it.
pub(crate) async fn enter(engine: &Engine, name: &str, password: &str) -> Result<Identity, Error> {
    let session = engine.log_in(Client::default(), name, secret(password)).await?;
    come_back(engine, &session.cookie).await
}

pub(crate) async fn come_back(engine: &Engine, cookie: &Secret<String>) -> Result<Identity, Error> {
    let credential = Credential::Cookie(cookie.clone());
    engine.authenticate(&credential, Origin::Ui, Client::default()).await
}

pub(crate) fn new_account(name: &str, role: Role) -> NewAccount {
    NewAccount {
        name: name.to_owned(),
        display_name: "Grace Hopper".to_owned(),
        email: Some("grace@example.org".to_owned()),
        role: role.to_string(),
        password: Some(secret(PASSWORD)),
        expires_at: None,
    }
}

pub(crate) async fn events(engine: &Engine, text: &str) -> Vec<SeenEvent> {
    assert!(engine.settle(Duration::from_secs(60)).await);
    let filter = engine.parse_event_filter(text).unwrap();
    let query = EventQuery { filter, before: None, from: None, limit: 1_000, oldest_first: true };
    engine.events(&Context::command_line(engine.environment()), query).await.unwrap().events
}

/// `type result reason` of each event that a filter finds.
pub(crate) async fn told(engine: &Engine, text: &str) -> Vec<String> {
    let line = |sealed: &SeenEvent| {
        let event = &sealed.event;
        let reason = event.outcome.reason.as_deref().map_or(String::new(), |r| format!(" {r}"));
        format!("{} {}{reason}", event.type_name, event.outcome.result)
    };
    events(engine, text).await.iter().map(line).collect()
}

fn role(role: Role) -> AccountChange {
    AccountChange { role: Some(role.to_string()), ..AccountChange::default() }
}

fn disabled(disabled: bool) -> AccountChange {
    AccountChange { disabled: Some(disabled), ..AccountChange::default() }
}

pub(crate) fn reason<T>(result: Result<T, Error>) -> &'static str {
    result.err().map_or("success", |error| error.reason())
}

on_each_backend!(an_account_lives_from_its_first_password_to_its_deletion, 2);

async fn an_account_lives_from_its_first_password_to_its_deletion() {
    let dir = tempfile::tempdir().unwrap();
    let (running, _) = start(dir.path()).await;
    let engine = running.engine();
    let admin = enter(engine, "admin", PASSWORD).await.unwrap();
    let new = NewAccount { password: None, ..new_account(" Grace ", Role::Operator) };
    let (id, generated) = engine.create_account(&admin.context, new.clone()).await.unwrap();
    let made = engine.account(&admin.context, id).await.unwrap();
    assert_eq!((made.name.as_str(), made.role.as_str()), ("grace", "operator"));
    assert_eq!(reason(engine.create_account(&admin.context, new).await), "name_taken");
    let generated = generated.unwrap();
    let grace = enter(engine, "GRACE", generated.expose()).await.unwrap();
    assert!(grace.must_change);
    assert_eq!(grace.role, Role::Operator);

    // What an account may do changes with the next request, and logging in is no change to it.
    let seen = Some(made.version);
    engine.update_account(&admin.context, id, seen, role(Role::Auditor)).await.unwrap();
    assert_eq!(engine.account(&admin.context, id).await.unwrap().version, made.version + 1);
    let stale = engine.update_account(&admin.context, id, seen, role(Role::Viewer)).await;
    assert_eq!(reason(stale), "changed_meanwhile");
    let again = engine.log_in(Client::default(), "grace", generated.clone()).await.unwrap();
    assert_eq!(come_back(engine, &again.cookie).await.unwrap().role, Role::Auditor);

    engine.update_account(&admin.context, id, None, disabled(true)).await.unwrap();
    assert_eq!(reason(come_back(engine, &again.cookie).await), "unauthenticated");
    assert_eq!(reason(enter(engine, "grace", generated.expose()).await), "wrong_credentials");
    engine.update_account(&admin.context, id, None, disabled(false)).await.unwrap();
    assert_eq!(reason(come_back(engine, &again.cookie).await), "unauthenticated");

    engine.delete_account(&admin.context, id).await.unwrap();
    assert_eq!(reason(engine.delete_account(&admin.context, id).await), "not_found");
    assert_eq!(engine.accounts(&admin.context).await.unwrap().len(), 1);
    assert_eq!(
        told(engine, "type:account.*").await,
        [
            "account.create success",
            "account.create failure name_taken",
            "account.update success",
            "account.update failure changed_meanwhile",
            "account.update success",
            "account.update success",
            "account.delete success",
            "account.delete failure not_found",
        ]
    );
    assert_eq!(told(engine, "type:session.end").await.len(), 2);
    for sealed in events(engine, "type:*").await {
        let entry = String::from_utf8_lossy(&sealed.entry).to_lowercase();
        assert!(!entry.contains("grace"), "{entry}");
    }
    running.stop().await.unwrap();
}

on_each_backend!(there_is_always_an_administrator_and_nobody_shuts_themselves_out, 2);

async fn there_is_always_an_administrator_and_nobody_shuts_themselves_out() {
    let dir = tempfile::tempdir().unwrap();
    let (running, _) = start(dir.path()).await;
    let engine = running.engine();
    let admin = enter(engine, "admin", PASSWORD).await.unwrap();
    let own = admin.account;
    let context = &admin.context;
    assert_eq!(
        reason(engine.update_account(context, own, None, role(Role::Viewer)).await),
        "own_rights"
    );
    assert_eq!(
        reason(engine.update_account(context, own, None, disabled(true)).await),
        "own_rights"
    );
    assert_eq!(reason(engine.delete_account(context, own).await), "own_account");
    assert_eq!(reason(engine.reset_password(context, own).await), "own_account");

    let machine = Context::command_line(engine.environment());
    let last = "last_administrator";
    assert_eq!(reason(engine.update_account(&machine, own, None, role(Role::Viewer)).await), last);
    assert_eq!(reason(engine.update_account(&machine, own, None, disabled(true)).await), last);
    assert_eq!(reason(engine.delete_account(&machine, own).await), last);

    let new = new_account("second", Role::Administrator);
    let second = engine.create_account(context, new).await.unwrap().0;
    engine.update_account(context, second, None, disabled(true)).await.unwrap();
    assert_eq!(reason(engine.delete_account(&machine, own).await), last, "disabled does not count");
    engine.update_account(context, second, None, disabled(false)).await.unwrap();
    engine.delete_account(&machine, own).await.unwrap();
    assert_eq!(told(engine, "type:account.* reason:own_account").await.len(), 2);
    assert_eq!(told(engine, "type:account.* reason:own_rights").await.len(), 2);
    assert_eq!(told(engine, "type:account.* reason:last_administrator").await.len(), 4);
    running.stop().await.unwrap();
}

on_each_backend!(who_owns_certificates_cannot_be_deleted, 2);

async fn who_owns_certificates_cannot_be_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let (running, _) = start(dir.path()).await;
    let engine = running.engine();
    let machine = Context::command_line(engine.environment());
    let new = new_account("grace", Role::Operator);
    let id = engine.create_account(&machine, new).await.unwrap().0;
    let mut upload = crate::upload::upload_of(crate::upload::leaf("www.example.com"));
    upload.placement.owner = Some("grace".to_owned());
    engine.upload(&machine, upload).await.unwrap();
    let refused = engine.delete_account(&machine, id).await.unwrap_err();
    assert_eq!(refused.reason(), "in_use");
    assert!(refused.to_string().contains("1 certificate;"), "{refused}");
    running.stop().await.unwrap();
}

on_each_backend!(a_password_changed_by_its_owner_ends_other_sessions_and_guessing_locks, 2);

async fn a_password_changed_by_its_owner_ends_other_sessions_and_guessing_locks() {
    let dir = tempfile::tempdir().unwrap();
    let (running, clock) = start(dir.path()).await;
    let engine = running.engine();
    let machine = Context::command_line(engine.environment());
    let new = new_account("grace", Role::Viewer);
    let id = engine.create_account(&machine, new).await.unwrap().0;
    let other = engine.log_in(Client::default(), "grace", secret(PASSWORD)).await.unwrap();
    let grace = enter(engine, "grace", PASSWORD).await.unwrap();
    let change = async |current: &str, new: &str| {
        reason(engine.change_own_password(&grace.context, secret(current), secret(new)).await)
    };
    assert_eq!(change(PASSWORD, "short").await, "invalid");
    assert_eq!(change(PASSWORD, PASSWORD).await, "invalid");
    assert_eq!(change(PASSWORD, "grace, this is long").await, "invalid");
    assert_eq!(engine.sessions(&grace.context).await.unwrap().len(), 2);
    assert_eq!(change(PASSWORD, "another one, longer").await, "success");
    assert_eq!(reason(come_back(engine, &other.cookie).await), "unauthenticated");
    let sessions = engine.sessions(&grace.context).await.unwrap();
    assert_eq!(sessions.iter().map(|s| s.present).collect::<Vec<_>>(), [true]);
    assert!(!enter(engine, "grace", "another one, longer").await.unwrap().must_change);

    for _ in 0..5 {
        assert_eq!(change("a wrong guess", "yet another one").await, "invalid");
    }
    assert_eq!(change("another one, longer", "yet another one").await, "locked");
    assert_eq!(reason(enter(engine, "grace", "another one, longer").await), "locked");
    assert!(engine.account(&machine, id).await.unwrap().locked_until.is_some());
    engine.unlock_account(&machine, id).await.unwrap();
    assert_eq!(reason(engine.unlock_account(&machine, id).await), "not_locked");
    enter(engine, "grace", "another one, longer").await.unwrap();

    // A lock opens by itself too.
    for _ in 0..5 {
        assert_eq!(reason(enter(engine, "grace", "a wrong guess").await), "wrong_credentials");
    }
    assert_eq!(reason(enter(engine, "grace", "another one, longer").await), "locked");
    clock.advance(15 * 60 * Timestamp::SECOND);
    enter(engine, "grace", "another one, longer").await.unwrap();
    assert_eq!(told(engine, "type:account.locked").await.len(), 2);
    assert_eq!(
        told(engine, "type:account.unlock").await,
        ["account.unlock success", "account.unlock failure not_locked"]
    );
    running.stop().await.unwrap();
}

on_each_backend!(an_account_with_an_end_is_closed_at_it, 2);

async fn an_account_with_an_end_is_closed_at_it() {
    let dir = tempfile::tempdir().unwrap();
    let (running, clock) = start(dir.path()).await;
    let engine = running.engine();
    let admin = enter(engine, "admin", PASSWORD).await.unwrap();
    let now = engine.environment().now();
    let until = |hours: i64| Some(now.plus(hours * Timestamp::HOUR));
    let ends = |end: Option<Timestamp>| AccountChange {
        expires_at: Some(end),
        ..AccountChange::default()
    };
    let past = NewAccount { expires_at: until(-1), ..new_account("ada", Role::Viewer) };
    assert_eq!(reason(engine.create_account(&admin.context, past).await), "invalid");
    let new = NewAccount { expires_at: until(9), ..new_account("grace", Role::Viewer) };
    let id = engine.create_account(&admin.context, new).await.unwrap().0;
    let session = engine.log_in(Client::default(), "grace", secret(PASSWORD)).await.unwrap();
    assert_eq!(Some(session.expires_at), until(9), "no session outlasts its account");
    let wish = || NewToken {
        name: "feed".to_owned(),
        account: Some(id.to_string()),
        role: Some(Role::Viewer.to_string()),
        days: 30,
    };
    let token = engine.create_token(&admin.context, wish()).await.unwrap();
    assert_eq!(Some(token.expires_at), until(9), "no token either");
    // An end that is brought forward counts for what is open.
    engine.update_account(&admin.context, id, None, ends(until(2))).await.unwrap();
    let grace = come_back(engine, &session.cookie).await.unwrap();
    assert_eq!(Some(engine.sessions(&grace.context).await.unwrap()[0].expires_at), until(2));
    clock.advance(2 * Timestamp::HOUR);
    let bearer = Credential::Bearer(token.secret);
    let by_token = engine.authenticate(&bearer, Origin::Api, Client::default()).await;
    assert_eq!(reason(by_token), "unauthenticated");
    assert_eq!(reason(come_back(engine, &session.cookie).await), "unauthenticated");
    assert_eq!(reason(enter(engine, "grace", PASSWORD).await), "wrong_credentials");
    let admin = enter(engine, "admin", PASSWORD).await.unwrap();
    assert_eq!(reason(engine.create_token(&admin.context, wish()).await), "expired");
    engine.update_account(&admin.context, id, None, ends(None)).await.unwrap();
    enter(engine, "grace", PASSWORD).await.unwrap();
    let changes = events(engine, "type:account.update").await;
    assert!(changes.iter().all(|seen| seen.event.detail["changed"][0] == "expires_at"));

    // An administrator with an end is not one to count on.
    let own = admin.context.account_id().unwrap();
    let machine = Context::command_line(engine.environment());
    let last = engine.update_account(&machine, own, None, ends(until(90))).await;
    assert_eq!(reason(last), "last_administrator");
    running.stop().await.unwrap();
}

on_each_backend!(a_password_of_some_age_must_be_changed, 2);

async fn a_password_of_some_age_must_be_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (running, clock) = start(dir.path()).await;
    let machine = Context::command_line(running.engine().environment());
    let new = new_account("grace", Role::Viewer);
    let id = running.engine().create_account(&machine, new).await.unwrap().0;
    clock.advance(10 * Timestamp::DAY);
    assert!(!enter(running.engine(), "grace", PASSWORD).await.unwrap().must_change);
    let mut settings = running.engine().settings().clone();
    let environment = running.engine().environment().clone();
    running.stop().await.unwrap();
    // The setting counts for the passwords that are there, too.
    settings.password_days_max = 30;
    let running = Engine::start(settings, environment).await.unwrap();
    let engine = running.engine();
    let set_at = engine.account(&machine, id).await.unwrap().password_set_at.unwrap();
    let ends_at = engine.account(&machine, id).await.unwrap().password_ends_at;
    assert_eq!(ends_at, Some(set_at.plus(30 * Timestamp::DAY)));
    assert_eq!(told(engine, "type:account.update").await.len(), 2, "of two accounts");
    let session = engine.log_in(Client::default(), "grace", secret(PASSWORD)).await.unwrap();
    assert!(!session.must_change);
    clock.advance(20 * Timestamp::DAY);
    let session = engine.log_in(Client::default(), "grace", secret(PASSWORD)).await.unwrap();
    let grace = come_back(engine, &session.cookie).await.unwrap();
    assert!(session.must_change && grace.must_change && grace.password_over);
    let (old, new) = (secret(PASSWORD), secret("another one, longer"));
    engine.change_own_password(&grace.context, old, new).await.unwrap();
    let grace = come_back(engine, &session.cookie).await.unwrap();
    assert!(!grace.must_change && !grace.password_over);
    let ends_at = engine.account(&machine, id).await.unwrap().password_ends_at;
    assert_eq!(ends_at, Some(engine.environment().now().plus(30 * Timestamp::DAY)));
    running.stop().await.unwrap();
}

on_each_backend!(a_reset_password_must_be_changed_and_ends_every_session, 2);

async fn a_reset_password_must_be_changed_and_ends_every_session() {
    let dir = tempfile::tempdir().unwrap();
    let (running, _) = start(dir.path()).await;
    let engine = running.engine();
    let admin = enter(engine, "admin", PASSWORD).await.unwrap();
    let new = new_account("grace", Role::Viewer);
    let id = engine.create_account(&admin.context, new).await.unwrap().0;
    let session = engine.log_in(Client::default(), "grace", secret(PASSWORD)).await.unwrap();
    let nobody = engine.environment().id::<AccountId>();
    assert_eq!(reason(engine.reset_password(&admin.context, nobody).await), "not_found");
    assert!(come_back(engine, &session.cookie).await.is_ok());
    let generated = engine.reset_password(&admin.context, id).await.unwrap();
    assert_eq!(reason(come_back(engine, &session.cookie).await), "unauthenticated");
    assert_eq!(reason(enter(engine, "grace", PASSWORD).await), "wrong_credentials");
    assert!(enter(engine, "grace", generated.expose()).await.unwrap().must_change);
    let reset = events(engine, "type:account.password_reset outcome:success").await;
    assert_eq!(reset[0].event.detail["sessions_ended"], 1);
    assert_eq!(reset[0].event.detail["reset_by"], "administrator");
    running.stop().await.unwrap();
}

on_each_backend!(without_the_permission_every_attempt_is_denied_and_recorded, 2);

async fn without_the_permission_every_attempt_is_denied_and_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let (running, _) = start(dir.path()).await;
    let engine = running.engine();
    let machine = Context::command_line(engine.environment());
    for role in [Role::Operator, Role::Auditor, Role::Viewer] {
        let context = Context { role: Some(role), ..machine.clone() };
        let id = engine.environment().id();
        let new = NewAccount { name: "Ä".to_owned(), ..new_account("x", Role::Viewer) };
        assert_eq!(reason(engine.create_account(&context, new).await), "forbidden");
        assert_eq!(
            reason(engine.update_account(&context, id, None, disabled(true)).await),
            "forbidden"
        );
        assert_eq!(reason(engine.delete_account(&context, id).await), "forbidden");
        assert_eq!(reason(engine.reset_password(&context, id).await), "forbidden");
        assert_eq!(reason(engine.unlock_account(&context, id).await), "forbidden");
        let read = reason(engine.accounts(&context).await);
        assert_eq!(read, if role == Role::Viewer { "forbidden" } else { "success" });
    }
    assert_eq!(told(engine, "type:account.* outcome:deny").await.len(), 15);
    for (name, email) in
        [("", None), ("a b", None), ("ä", None), ("ada", Some("nowhere")), ("ada", Some("a b@c"))]
    {
        let email = email.map(str::to_owned);
        let new = NewAccount { email, ..new_account(name, Role::Viewer) };
        assert_eq!(reason(engine.create_account(&machine, new).await), "invalid", "{name}");
    }
    running.stop().await.unwrap();
}

on_each_backend!(a_lock_counts_for_guesses_that_were_under_way, 2);

async fn a_lock_counts_for_guesses_that_were_under_way() {
    let dir = tempfile::tempdir().unwrap();
    let (running, _) = start(dir.path()).await;
    let engine = running.engine();
    let machine = Context::command_line(engine.environment());
    let id = engine.create_account(&machine, new_account("grace", Role::Viewer)).await.unwrap().0;
    // All of them find the account open; the right one is the last to be checked.
    let guess = |number: usize| {
        let password = if number == 24 { PASSWORD } else { "a wrong guess" };
        let client = Client { ip: Some(format!("192.0.2.{number}")), ..Client::default() };
        engine.log_in(client, "grace", secret(password))
    };
    let answers = futures::future::join_all((0..25).map(guess)).await;
    assert!(answers.iter().all(Result::is_err), "the right one came behind the lock");
    assert_eq!(answers.into_iter().last().unwrap().err().unwrap().reason(), "locked");
    assert!(engine.account(&machine, id).await.unwrap().locked_until.is_some());
    assert_eq!(told(engine, "type:account.locked").await.len(), 1, "one lock, however many tries");
    running.stop().await.unwrap();
}

on_each_backend!(an_account_logs_in_is_locked_and_unlocked, 2);

async fn an_account_logs_in_is_locked_and_unlocked() {
    let dir = tempfile::tempdir().unwrap();
    let (running, _) = start(dir.path()).await;
    let engine = running.engine();
    let system = Context::command_line(engine.environment());
    let new = NewAccount {
        name: "Grace".to_owned(),
        display_name: String::new(),
        email: Some("grace@example.org".to_owned()),
        role: Role::Operator.to_string(),
        password: Some(secret("correct horse battery")),
        expires_at: None,
    };
    let (id, generated) = engine.create_account(&system, new.clone()).await.unwrap();
    assert!(generated.is_none());
    assert_eq!(engine.create_account(&system, new).await.err().unwrap().reason(), "name_taken");

    let log_in =
        |password: &'static str| engine.log_in(Client::default(), "grace", secret(password));
    let session = log_in("correct horse battery").await.unwrap();
    let cookie = Credential::Cookie(session.cookie);
    let identity = engine.authenticate(&cookie, Origin::Ui, Client::default()).await.unwrap();
    assert_eq!((identity.name.as_str(), identity.role), ("grace", Role::Operator));

    for _ in 0..5 {
        assert_eq!(log_in("wrong").await.err().unwrap().reason(), "wrong_credentials");
    }
    assert_eq!(log_in("correct horse battery").await.err().unwrap().reason(), "locked");
    engine.unlock_account(&system, id).await.unwrap();
    log_in("correct horse battery").await.unwrap();

    let role = |role: Role| Some(role.to_string());
    let new =
        NewToken { name: "script".to_owned(), account: None, role: role(Role::Viewer), days: 1 };
    let too_much = NewToken { role: role(Role::Administrator), ..new.clone() };
    let refused = engine.create_token(&identity.context, too_much).await;
    assert_eq!(refused.err().unwrap().reason(), "invalid");
    let token = engine.create_token(&identity.context, new).await.unwrap();
    let bearer = Credential::Bearer(token.secret);
    let by_token = engine.authenticate(&bearer, Origin::Api, Client::default()).await.unwrap();
    assert_eq!(by_token.role, Role::Viewer);
    engine.revoke_token(&identity.context, token.id).await.unwrap();
    let revoked = engine.authenticate(&bearer, Origin::Api, Client::default()).await;
    assert_eq!(revoked.err().unwrap().reason(), "unauthenticated");

    let disable = AccountChange { disabled: Some(true), ..AccountChange::default() };
    engine.update_account(&system, id, None, disable.clone()).await.unwrap();
    let ended = engine.authenticate(&cookie, Origin::Ui, Client::default()).await;
    assert_eq!(ended.err().unwrap().reason(), "unauthenticated");
    let admin = engine.accounts(&system).await.unwrap().remove(0);
    let last = engine.update_account(&system, admin.id, None, disable).await;
    assert_eq!(last.err().unwrap().reason(), "last_administrator");
    running.stop().await.unwrap();
}

on_each_backend!(what_is_refused_before_it_begins_is_recorded_all_the_same, 2);

async fn what_is_refused_before_it_begins_is_recorded_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (running, _) = start(dir.path()).await;
    let engine = running.engine();
    let machine = Context::command_line(engine.environment());
    let viewer = Context { role: Some(Role::Viewer), ..machine.clone() };
    let nobodys = engine.environment().id();
    assert_eq!(reason(engine.end_session(&machine, nobodys).await), "not_found");
    assert_eq!(reason(engine.queue_log_verification(&viewer).await), "forbidden");
    let class = Class::Channel;
    for (name, hours) in [("nowhere", 1), ("nowhere", 721)] {
        let rotated = engine.rotate_signing_secret(&viewer, class, name, hours).await;
        assert_eq!(reason(rotated), "forbidden");
    }
    let rotated = engine.rotate_signing_secret(&machine, class, "nowhere", 1).await;
    assert_eq!(reason(rotated), "not_found");
    assert_eq!(told(engine, "type:session.end").await, ["session.end failure not_found"]);
    assert_eq!(told(engine, "type:log.verify").await, ["log.verify deny forbidden"]);
    assert_eq!(
        told(engine, "type:configuration.update").await,
        [
            "configuration.update deny forbidden",
            "configuration.update deny forbidden",
            "configuration.update failure not_found"
        ]
    );
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_of_one_network_share_their_sign_ins() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        allow_unencrypted_key: true,
        admin_password: Some(secret(PASSWORD)),
        monitors: false,
        logins_per_minute: 1,
        ..Settings::new(dir.path())
    };
    let running = Engine::start(settings, Environment::system()).await.unwrap();
    let log_in = async |ip: &str| {
        let client = Client { ip: Some(ip.to_owned()), user_agent: None };
        reason(running.engine().log_in(client, "admin", secret(PASSWORD)).await)
    };
    assert_eq!(log_in("2001:db8:1:2::1").await, "success");
    assert_eq!(log_in("2001:db8:1:2::2").await, "rate_limited");
    assert_eq!(log_in("2001:db8:1:3::1").await, "success");
    running.stop().await.unwrap();
}

on_each_backend!(who_reads_is_let_in_while_nothing_can_be_written, 2);

async fn who_reads_is_let_in_while_nothing_can_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let (running, clock) = start(dir.path()).await;
    let engine = running.engine();
    let session = engine.log_in(Client::default(), "admin", secret(PASSWORD)).await.unwrap();
    let admin = come_back(engine, &session.cookie).await.unwrap();
    let wish = NewToken {
        name: "feed".to_owned(),
        account: None,
        role: Some(Role::Viewer.to_string()),
        days: 30,
    };
    let bearer =
        Credential::Bearer(engine.create_token(&admin.context, wish).await.unwrap().secret);
    let seen = engine.sessions(&admin.context).await.unwrap()[0].seen_at;
    let store = chancery_engine::bench::store(engine);
    clock.advance(120 * Timestamp::SECOND);
    for name in ["token.used", "session.seen"] {
        store.inject(name, Fault::NotPersisted);
    }
    engine.authenticate(&bearer, Origin::Api, Client::default()).await.unwrap();
    let admin = come_back(engine, &session.cookie).await.unwrap();
    assert_eq!(engine.sessions(&admin.context).await.unwrap()[0].seen_at, seen, "it was not");
    come_back(engine, &session.cookie).await.unwrap();
    let now = engine.environment().now();
    assert_eq!(engine.sessions(&admin.context).await.unwrap()[0].seen_at, now, "the next one is");
    running.stop().await.unwrap();
}
