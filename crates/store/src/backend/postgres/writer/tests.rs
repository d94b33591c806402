//! A commit whose fate cannot be found out.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chancery_throwaway::server;
use futures::future::join_all;
use sqlx::Connection as _;
use tokio::sync::Semaphore;

use crate::table::setting;
use crate::{DatabaseUrl, Error, Settings, Store, Tx};

/// A wire to the server that can be cut.
struct Wire {
    port: u16,
    ends: Arc<Mutex<Vec<TcpStream>>>,
}

impl Wire {
    fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let ends: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let kept = ends.clone();
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let near = near.unwrap();
                let far = TcpStream::connect(("127.0.0.1", server)).unwrap();
                kept.lock().unwrap().push(near.try_clone().unwrap());
                let pairs = [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)];
                for (mut from, mut to) in pairs {
                    std::thread::spawn(move || std::io::copy(&mut from, &mut to));
                }
            }
        });
        Self { port, ends }
    }

    fn cut(&self) {
        for end in self.ends.lock().unwrap().drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

/// One more in the setting `count`.
async fn count(store: &Store) -> Result<(), Error> {
    store
        .transaction("count", |tx: &mut Tx| {
            Box::pin(async move {
                let read = setting::find(tx, "count").await?;
                let read: i64 = read.map_or(0, |value| value.parse().unwrap());
                setting::put(tx, "count", &(read + 1).to_string()).await
            })
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_group_whose_commit_may_have_happened_is_not_run_again() {
    let server = server();
    let name = server.database(None);
    let wire = Wire::to(server.port());
    let (far, near) = (format!(":{}/", server.port()), format!(":{}/", wire.port));
    let url = server.url(&name).replace(&far, &near);
    let url: DatabaseUrl = url.parse().unwrap();
    let url = url.with_statement_max(Duration::from_secs(120));
    let store = Store::open(&Settings::postgres(url)).await.unwrap();
    // The commit takes until this session lets go: longer than anybody asks what became of it.
    let mut holder = sqlx::PgConnection::connect(&server.url(&name)).await.unwrap();
    sqlx::raw_sql("SELECT pg_advisory_lock(1)").execute(&mut holder).await.unwrap();
    server.sql(
        &name,
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN IF NEW.name = 'slow' THEN PERFORM pg_advisory_xact_lock(1); END IF; RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT OR UPDATE ON setting
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dawdle()",
    );
    let (begun, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let behind = (begun.clone(), gate.clone());
    let slow = store.transaction("slow", move |tx: &mut Tx| {
        let (begun, gate) = behind.clone();
        Box::pin(async move {
            begun.add_permits(1);
            let _open = gate.acquire().await.unwrap();
            setting::put(tx, "first", "1").await
        })
    });
    let last = store.transaction("last", |tx: &mut Tx| {
        Box::pin(async move { setting::put(tx, "slow", "1").await })
    });
    let ask = |sql: &str| server.sql(&name, sql);
    let cut = async {
        gate.add_permits(1);
        let waiting = "SELECT COUNT(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event = 'advisory'";
        while ask(waiting) != "1" {
            tokio::task::yield_now().await;
        }
        wire.cut();
    };
    // The others queue behind one that is at work, so that they are one group.
    let group = async {
        let _begun = begun.acquire().await.unwrap();
        let units = join_all((0..10).map(|_| count(&store)));
        tokio::join!(units, last, cut)
    };
    let (_, (counted, last, ())) = tokio::join!(slow, group);
    for told in counted.iter().chain([&last]) {
        let error = told.as_ref().unwrap_err();
        assert!(error.is_transient() && error.to_string().contains("not known"), "{error}");
    }
    holder.close().await.unwrap();
    while ask("SELECT COUNT(*) FROM setting WHERE name = 'slow'") != "1" {
        tokio::task::yield_now().await;
    }
    assert_eq!(ask("SELECT value FROM setting WHERE name = 'count'"), "10");
    // And the lane works on.
    count(&store).await.unwrap();
    assert_eq!(ask("SELECT value FROM setting WHERE name = 'count'"), "11");
}
