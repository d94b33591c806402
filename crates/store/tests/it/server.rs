//! What only a server can do: be wrong in some way, lose against other nodes, go away, come back.

use std::sync::Arc;
use std::time::Duration;

use chancery_store::table::setting;
use chancery_store::{Error, Lane, Settings, Store, Tx, args};
use chancery_throwaway::{Server, Stop, server};
use futures::future::join_all;

fn settings(server: &Server, database: &str) -> Settings {
    Settings::postgres(server.url(database).parse().unwrap())
}

async fn refused(settings: &Settings) -> String {
    match Store::open(settings).await {
        Ok(_) => panic!("it opened"),
        Err(error) => error.to_string(),
    }
}

async fn put(store: &Store, name: &str, value: &str) -> Result<(), Error> {
    let (name, value) = (name.to_owned(), value.to_owned());
    store
        .transaction("put", move |tx: &mut Tx| {
            let (name, value) = (name.clone(), value.clone());
            Box::pin(async move { setting::put(tx, &name, &value).await })
        })
        .await
}

async fn number(store: &Store, name: &str) -> i64 {
    let found = setting::find(&mut store.read().await.unwrap(), name).await.unwrap();
    found.map_or(0, |value| value.parse().unwrap())
}

#[tokio::test]
async fn what_is_wrong_with_a_server_is_said_with_what_to_do() {
    let server = server();
    let says = async |settings: &Settings, words: &[&str]| {
        let told = refused(settings).await;
        for word in words {
            assert!(told.contains(word), "{told}");
        }
        assert!(!told.contains("throw-away"), "no password: {told}");
    };
    says(
        &settings(server, "nowhere"),
        &[
            "nowhere at 127.0.0.1",
            "does not exist",
            "createdb --encoding=UTF8 --template=template0 --owner=plain nowhere",
        ],
    )
    .await;
    let url = server.url("postgres").replace("throw-away", "wrong");
    let wrong = Settings::postgres(url.parse().unwrap());
    says(&wrong, &["password authentication failed", "database_password_file"]).await;
    let url = "postgres://nobody@127.0.0.1:1/none";
    says(&Settings::postgres(url.parse().unwrap()), &["none at 127.0.0.1:1", "running"]).await;

    server.sql(
        "postgres",
        "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0
        LOCALE_PROVIDER libc",
    );
    says(&settings(server, "latin"), &["LATIN1", "UTF8", "createdb"]).await;

    let name = server.database(None);
    server
        .sql("postgres", &format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    says(&settings(server, &name), &["only be read", "default_transaction_read_only"]).await;

    let name = server.database(None);
    server.sql("postgres", &format!("ALTER DATABASE {name} SET synchronous_commit = off"));
    says(&settings(server, &name), &["synchronous_commit"]).await;

    let name = server.database(None);
    server.sql(&name, "CREATE ROLE guest LOGIN PASSWORD 'throw-away'");
    let url = server.url(&name).replace("plain:throw", "guest:throw");
    says(&Settings::postgres(url.parse().unwrap()), &["guest may not make tables", "GRANT"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_goes_on_while_a_newer_one_takes_the_next_step() {
    let name = server().database(None);
    let settings = settings(server(), &name);
    let old = Store::open(&settings).await.unwrap();
    // Its statements are prepared by now.
    put(&old, "count", "1").await.unwrap();
    assert_eq!(number(&old, "count").await, 1);
    // A newer program adds, and takes nothing away: the rule for steps.
    server().sql(
        &name,
        "BEGIN; ALTER TABLE setting ADD COLUMN note TEXT; CREATE TABLE later (id BIGINT);
         INSERT INTO schema_step VALUES (9000, 0, ''); COMMIT",
    );
    put(&old, "count", "2").await.unwrap();
    assert_eq!(number(&old, "count").await, 2);
    // What it cannot know about it does not touch; started anew, it would not begin.
    let told = refused(&settings).await;
    assert!(told.contains("9000") && told.contains("newer"), "{told}");
    assert_eq!(number(&old, "count").await, 2);
}

#[tokio::test]
async fn a_schema_of_the_future_is_refused() {
    let name = server().database(None);
    let settings = settings(server(), &name);
    let refused_to_read = Store::open_to_read(&settings).await.err().unwrap().to_string();
    assert!(refused_to_read.contains("no Chancery"), "{refused_to_read}");
    Store::open(&settings).await.unwrap().close().await;
    Store::open_to_read(&settings).await.unwrap();
    server().sql(&name, "INSERT INTO schema_step VALUES (9000, 0, '')");
    let told = refused(&settings).await;
    assert!(told.contains("schema 9000"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_together_make_one_schema() {
    let name = server().database(None);
    let settings = settings(server(), &name);
    let opened = join_all((0..4).map(|_| Store::open(&settings))).await;
    for store in opened {
        store.unwrap().close().await;
    }
    let steps = server().sql(&name, "SELECT COUNT(*) = MAX(number) FROM schema_step");
    assert_eq!(steps, "t");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_of_several_nodes_that_meet_lose_nothing() {
    let name = server().database(None);
    let settings = settings(server(), &name);
    let nodes = [Store::open(&settings).await.unwrap(), Store::open(&settings).await.unwrap()];
    let added = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    // Reads and writes of the same two rows, crosswise: whoever does not run as if alone loses one.
    let count = async |node: &Store, way: usize| {
        let names = if way == 0 { ["a", "b"] } else { ["b", "a"] };
        let added = added.clone();
        let unit = node.transaction("count", move |tx: &mut Tx| {
            added.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Box::pin(async move {
                let read = setting::find(tx, names[0]).await?;
                let read: i64 = read.map_or(0, |value| value.parse().unwrap());
                setting::put(tx, names[1], &(read + 1).to_string()).await?;
                let read = setting::find(tx, "all").await?;
                let read: i64 = read.map_or(0, |value| value.parse().unwrap());
                setting::put(tx, "all", &(read + 1).to_string()).await
            })
        });
        unit.await.unwrap();
    };
    let units = (0..100).map(|n| count(&nodes[n % 2], n / 2 % 2));
    join_all(units).await;
    assert_eq!(number(&nodes[0], "all").await, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_goes_on_after_a_statement_that_failed_as_on_the_embedded_engine() {
    let name = server().database(None);
    let store = Store::open(&settings(server(), &name)).await.unwrap();
    put(&store, "taken", "1").await.unwrap();
    let unit = store.transaction("unit", |tx: &mut Tx| {
        Box::pin(async move {
            setting::put(tx, "before", "1").await?;
            let sql = "INSERT INTO setting (name, value) VALUES ($1, $2)";
            let refused = tx.execute(sql, args!["taken", "2"]).await;
            assert!(matches!(refused, Err(Error::Exists(_))), "{refused:?}");
            setting::put(tx, "after", "1").await?;
            setting::find(tx, "taken").await
        })
    });
    assert_eq!(unit.await.unwrap().as_deref(), Some("1"));
    assert_eq!((number(&store, "before").await, number(&store, "after").await), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_comes_back_with_its_server_and_says_so_meanwhile() {
    let server = Server::start();
    let name = server.database(None);
    let store = Store::open(&settings(&server, &name)).await.unwrap();
    for (round, how) in [Stop::Fast, Stop::Immediate].into_iter().enumerate() {
        put(&store, "round", &round.to_string()).await.unwrap();
        server.restart(how);
        // Rested connections are dead now; nobody is to notice.
        put(&store, "round", &(round + 10).to_string()).await.unwrap();
        server.stop(how);
        let gone = put(&store, "round", "lost").await;
        assert!(gone.as_ref().is_err_and(Error::is_transient), "{gone:?}");
        let gone = async { setting::find(&mut store.read().await?, "round").await }.await;
        assert!(gone.as_ref().is_err_and(Error::is_transient), "{gone:?}");
        server.resume();
        put(&store, "back", &round.to_string()).await.unwrap();
        let mut tries = 0;
        let value = loop {
            let found = match store.read().await {
                Ok(mut link) => setting::find(&mut link, "round").await,
                Err(error) => Err(error),
            };
            match found {
                Ok(found) => break found,
                Err(error) => assert!(error.is_transient() && tries < 20, "{error:?}"),
            }
            tries += 1;
        };
        assert_eq!(value, Some((round + 10).to_string()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_ended_in_the_middle_costs_nobody_their_work() {
    let name = server().database(None);
    let store = Store::open(&settings(server(), &name)).await.unwrap();
    let ended = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (database, once) = (name.clone(), ended.clone());
    let unit = store.transaction("unit", move |tx: &mut Tx| {
        let (database, once) = (database.clone(), once.clone());
        Box::pin(async move {
            setting::put(tx, "kept", "1").await?;
            if !once.swap(true, std::sync::atomic::Ordering::Relaxed) {
                let sql = format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE datname = '{database}' AND backend_xid IS NOT NULL"
                );
                server().sql("postgres", &sql);
            }
            setting::put(tx, "kept", "2").await
        })
    });
    tokio::time::timeout(Duration::from_secs(30), unit).await.unwrap().unwrap();
    assert!(ended.load(std::sync::atomic::Ordering::Relaxed));
    assert_eq!(number(&store, "kept").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_hears_of_commits_of_another() {
    let name = server().database(None);
    let settings = settings(server(), &name);
    let (here, there) =
        (Store::open(&settings).await.unwrap(), Store::open(&settings).await.unwrap());
    let mut heard = there.committed();
    let mut tries = 0;
    loop {
        heard.mark_unchanged();
        let unit = here.transaction_in(Lane::First, "seal.take", |tx: &mut Tx| {
            Box::pin(async move { setting::put(tx, "sealed", "1").await })
        });
        unit.await.unwrap();
        // The first may come before the other listens.
        if tokio::time::timeout(Duration::from_secs(2), heard.changed()).await.is_ok() {
            break;
        }
        tries += 1;
        assert!(tries < 5, "nothing was heard");
    }
}
