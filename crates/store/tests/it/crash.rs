//! A server that crashes in the middle of a commit, and what it says of that afterwards.

use std::sync::Arc;
use std::time::Duration;

use chancery_event::Environment;
use chancery_store::table::setting;
use chancery_store::{DatabaseUrl, Recorded, Settings, Store, Tx};
use chancery_throwaway::Server;

/// A commit takes a long while when it sets `slow`.
const DAWDLE: &str = "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF NEW.name = 'slow' THEN PERFORM pg_sleep(100); END IF; RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT OR UPDATE ON setting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dawdle()";
/// The number of the transaction whose commit is under way.
const UNDER_WAY: &str = "SELECT backend_xid FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event = 'PgSleep'";

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_commit_that_a_crash_swallowed_is_not_taken_for_another() {
    let server = Server::start();
    let name = server.database(None);
    let url: DatabaseUrl = server.url(&name).parse().unwrap();
    // It asks what became of a commit for as long as the server may need to come back.
    let url = url.with_statement_max(Duration::from_secs(120));
    let store = Store::open(&Settings::postgres(url)).await.unwrap();
    // What is on the disc from here on is lost with the crash, what makes commits slow as well.
    server.keep();
    server.sql(&name, DAWDLE);
    let environment = Environment::system();
    let event = Arc::new(Recorded {
        event_id: environment.id(),
        recorded_at: environment.now(),
        entry: vec![0],
        part: None,
        seal: [0; 32],
    });
    let recorded = event.clone();
    let slow = store.transaction("slow", move |tx: &mut Tx| {
        let recorded = recorded.clone();
        Box::pin(async move {
            tx.record(recorded);
            setting::put(tx, "slow", "1").await
        })
    });
    let crash = async {
        let number = loop {
            let number = server.sql(&name, UNDER_WAY);
            if !number.is_empty() {
                break number.parse::<u64>().unwrap();
            }
            tokio::task::yield_now().await;
        };
        server.fall_back();
        // Others commit until the number has been given out again.
        let mut last = 0;
        while last <= number {
            last = server.sql(&name, "SELECT pg_current_xact_id()").parse().unwrap();
        }
        number
    };
    let (done, number) = tokio::join!(slow, crash);
    let said = server.sql(&name, &format!("SELECT pg_xact_status(CAST('{number}' AS xid8))"));
    assert_eq!(said, "committed", "of another transaction");
    done.unwrap();
    let there = |sql: &str| server.sql(&name, &format!("SELECT COUNT(*) FROM {sql}"));
    assert_eq!(there("setting WHERE name = 'slow'"), "1");
    assert_eq!(there(&format!("pending_event WHERE event_id = '{}'", event.event_id)), "1");
    store.close().await;
}
