//! What is said of a transaction by its number and by what it recorded.

use chancery_throwaway::server;

use super::super::super::session::Kind;
use super::*;
use crate::{Settings, Store};

#[tokio::test]
async fn a_number_that_was_given_out_again_speaks_for_nobody_else() {
    let server = server();
    let name = server.database(None);
    let url = server.url(&name).parse().unwrap();
    let store = Store::open(&Settings::postgres(server.url(&name).parse().unwrap())).await.unwrap();
    let session = Session::new(&url, Kind::Working);
    let mut link = connect(&session).await.ok().unwrap();
    let origin = link.server().unwrap().origin();
    let event = |text: &str| text.parse::<EventId>().unwrap();
    let ours = "01a200c3-6aab-7b73-947b-ef09f833d298";
    let (ours, other) = (event(ours), event("01a200c3-6aab-7b73-947b-ef09f833d299"));
    let ask = |sql: &str| server.sql(&name, sql);
    let committed = ask(&format!(
        "INSERT INTO pending_event (event_id, recorded_at, entry)
         VALUES ('{}', 0, '\\x00') RETURNING pg_current_xact_id()",
        ours
    ));
    let undone = ask("BEGIN; INSERT INTO setting (name, value) VALUES ('a', 'b')
         RETURNING pg_current_xact_id(); ROLLBACK");
    let number = |said: &str| said.lines().find(|l| l.parse::<u64>().is_ok()).unwrap().to_owned();
    let (committed, undone) = (number(&committed), number(&undone));
    for (number, event, fate) in [
        (&committed, Some(ours), Fate::Committed),
        // The server gave the number out again after a crash: ours is not there.
        (&committed, Some(other), Fate::Undone),
        (&committed, None, Fate::Unknown),
        (&undone, Some(other), Fate::Undone),
        (&undone, None, Fate::Undone),
    ] {
        let mark = Mark { number: number.clone(), event };
        assert_eq!(of(&session, &mark, &origin).await, fate, "{mark:?}");
        assert_eq!(of(&session, &mark, "another server").await, Fate::Unknown);
    }
    store.close().await;
}
