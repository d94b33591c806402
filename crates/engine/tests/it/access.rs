//! Accounts, sessions, lockout, tokens.

use chancery_engine::access::{AccountChange, Credential, NewAccount, NewToken};
use chancery_engine::{Client, Context, Role, Secret};
use chancery_event::Origin;

use crate::upload::start;

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_logs_in_is_locked_and_unlocked() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let system = Context::command_line(engine.environment());
    let new = NewAccount {
        name: "Grace".to_owned(),
        display_name: String::new(),
        email: Some("grace@example.org".to_owned()),
        role: Role::Operator,
        password: Some(secret("correct horse battery")),
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

    let new =
        NewToken { name: "script".to_owned(), account: None, role: Some(Role::Viewer), days: 1 };
    let too_much = NewToken { role: Some(Role::Administrator), ..new.clone() };
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
