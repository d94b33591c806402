//! How sessions begin: what is between us and the server, whose rights they have, and where a name
//! leads to.

use std::time::Duration;

use chancery_store::table::setting;
use chancery_store::{Error, Settings, Store, Tx};
use chancery_throwaway::{Server, Wire, server};

fn settings(url: &str) -> Settings {
    Settings::postgres(url.parse().unwrap())
}

async fn refused(url: &str) -> String {
    match Store::open(&settings(url)).await {
        Ok(_) => panic!("it opened"),
        Err(error) => error.to_string(),
    }
}

async fn put(store: &Store, value: &'static str) -> Result<(), Error> {
    store
        .transaction("put", move |tx: &mut Tx| {
            Box::pin(async move { setting::put(tx, "name", value).await })
        })
        .await
}

async fn found(store: &Store) -> Result<Option<String>, Error> {
    setting::find(&mut store.read().await?, "name").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_drops_what_sessions_ask_for_is_refused() {
    let name = server().database(None);
    let wire = Wire::to(server().port());
    let url = wire.url(&server().url(&name), server().port());
    let store = Store::open(&settings(&url)).await.unwrap();
    put(&store, "before").await.unwrap();
    wire.forget_options();
    let told = refused(&url).await;
    assert!(told.contains("pooler") && told.contains("statement_timeout"), "{told}");
    // Also where it comes in between later: nothing runs without the guarantees it relies on.
    wire.cut();
    let gone = put(&store, "after").await;
    assert!(gone.as_ref().is_err_and(Error::is_transient), "{gone:?}");
    assert!(found(&store).await.is_err());
    let kept = server().sql(&name, "SELECT value FROM setting WHERE name = 'name'");
    assert_eq!(kept, "before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_run_as_if_alone_whatever_a_session_was_told() {
    let name = server().database(None);
    let store = Store::open(&settings(&server().url(&name))).await.unwrap();
    // What a pooler hands from one client to the next.
    let spoilt = store.transaction("spoil", |tx: &mut Tx| {
        Box::pin(async move {
            let sql = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED";
            tx.execute(sql, Vec::new()).await
        })
    });
    spoilt.await.unwrap();
    let asked = store.transaction("ask", |tx: &mut Tx| {
        Box::pin(async move {
            let sql = "SELECT current_setting('transaction_isolation') AS isolation";
            let row = tx.execute_returning(sql.to_owned(), Vec::new()).await?;
            row[0].text("isolation")
        })
    });
    assert_eq!(asked.await.unwrap(), "serializable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_whose_rights_would_fail_some_day_is_told_at_the_start() {
    let name = server().database(None);
    let owner = server().url(&name);
    Store::open(&settings(&owner)).await.unwrap().close().await;
    let as_user = |user: &str| owner.replace("plain:throw", &format!("{user}:throw"));
    server().sql(
        &name,
        &format!(
            "CREATE ROLE {name}_worker LOGIN PASSWORD 'throw-away';
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}_worker"
        ),
    );
    let worker = as_user(&format!("{name}_worker"));
    let told = refused(&worker).await;
    assert!(told.contains("GRANT CREATE, USAGE ON SCHEMA public"), "{told}");
    server().sql(&name, &format!("GRANT CREATE, USAGE ON SCHEMA public TO {name}_worker"));
    let told = refused(&worker).await;
    assert!(told.contains("does not own the table event"), "{told}");
    give(&name, &format!("{name}_worker"));
    server().sql(&name, &format!("REVOKE DELETE ON setting FROM {name}_worker"));
    let told = refused(&worker).await;
    assert!(told.contains("read and write the table setting"), "{told}");
    server().sql(&name, &format!("GRANT DELETE ON setting TO {name}_worker"));
    let store = Store::open(&settings(&worker)).await.unwrap();
    put(&store, "it works").await.unwrap();
    assert_eq!(found(&store).await.unwrap().as_deref(), Some("it works"));
    store.close().await;
}

/// Makes a role the owner of all tables of a database.
fn give(name: &str, role: &str) {
    let lines = "SELECT format('ALTER TABLE %I OWNER TO ', relname) FROM pg_class
                 WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace";
    let lines = server().sql(name, lines);
    let lines: Vec<String> = lines.lines().map(|line| format!("{line} {role}")).collect();
    server().sql(name, &lines.join(";"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_an_administrator_loaded_are_given_with_the_command_that_is_told() {
    let name = server().database(None);
    let owner = server().url(&name);
    Store::open(&settings(&owner)).await.unwrap().close().await;
    let role = format!("{name}_node");
    let make = format!("CREATE ROLE {role} LOGIN PASSWORD 'throw-away'");
    server().sql(&name, &format!("{make}; GRANT CREATE, USAGE ON SCHEMA public TO {role}"));
    // The first administrator of a server, whose things cannot be reassigned.
    let administrator =
        server().sql(&name, "SELECT quote_ident(rolname) FROM pg_authid WHERE oid = 10");
    give(&name, administrator.trim());
    let node = owner.replace("plain:throw", &format!("{role}:throw"));
    let reads = Store::open_to_read(&settings(&node)).await.err().unwrap().to_string();
    assert!(
        reads.contains("may not read the table") && !reads.contains("database error"),
        "{reads}"
    );
    let serves = refused(&node).await;
    assert!(serves.contains("does not own the table event"), "{serves}");
    for told in [reads, serves] {
        let (_, command) = told.split_once("DO $$").unwrap();
        let (command, _) = command.split_once("END $$").unwrap();
        server().sql(&name, &format!("DO $${command}END $$"));
    }
    Store::open_to_read(&settings(&node)).await.unwrap().close().await;
    let store = Store::open(&settings(&node)).await.unwrap();
    put(&store, "it works").await.unwrap();
    store.close().await;
    let left = "SELECT COUNT(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace
                AND pg_get_userbyid(relowner) <> ";
    assert_eq!(
        server().sql(&name, &format!("{left} '{role}' AND relkind IN ('r', 'p', 'S')")),
        "0"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_with_too_few_connections_is_told_how_many_are_needed() {
    let name = server().database(None);
    let role = format!("{name}_few");
    let make = format!("CREATE ROLE {role} LOGIN PASSWORD 'throw-away' CONNECTION LIMIT 0");
    server().sql(&name, &make);
    let told = refused(&server().url(&name).replace("plain:throw", &format!("{role}:throw"))).await;
    for part in ["too many connections for role", "database_connections", "CONNECTION LIMIT"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("is the server running"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_leads_to_a_standby_for_a_moment_costs_a_moment() {
    let (primary, standby) = (server(), Server::start());
    let name = primary.database(None);
    standby.make(&name, None);
    for url in [primary.url(&name), standby.url(&name)] {
        Store::open(&settings(&url)).await.unwrap().close().await;
    }
    standby.demote();
    let told = refused(&standby.url(&name)).await;
    assert!(told.contains("read-only replica"), "{told}");

    let wire = Wire::to(primary.port());
    let url = wire.url(&primary.url(&name), primary.port());
    let store = Store::open(&settings(&url)).await.unwrap();
    put(&store, "one").await.unwrap();
    wire.lead_to(standby.port());
    wire.cut();
    let gone = put(&store, "two").await;
    assert!(gone.as_ref().is_err_and(Error::is_transient), "{gone:?}");
    // What an older copy would answer is not read as if it were the newest.
    assert!(found(&store).await.is_err());
    wire.lead_to(primary.port());
    let back = async {
        while put(&store, "three").await.is_err() {}
        while found(&store).await.ok().flatten().as_deref() != Some("three") {}
    };
    tokio::time::timeout(Duration::from_secs(60), back).await.expect("it finds the way back");
    store.close().await;
}

#[tokio::test]
async fn a_server_that_is_too_old_is_refused() {
    let name = server().database(None);
    let wire = Wire::to(server().port());
    let url = wire.url(&server().url(&name), server().port());
    // As a server of an earlier version would say it, as a number and as text.
    let number: i64 = server().sql(&name, "SHOW server_version_num").parse().unwrap();
    wire.rewrite(&number.to_be_bytes(), &140_009_i64.to_be_bytes());
    let text = server().sql(&name, "SHOW server_version");
    let old = format!("{:1$}", "14.9", text.len());
    wire.rewrite(text.as_bytes(), old.as_bytes());
    let told = refused(&url).await;
    assert!(told.contains("PostgreSQL 14.9") && told.contains("version 15 or later"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_connect_to_the_database_is_told_what_to_grant() {
    let name = server().database(None);
    let statements = format!(
        "CREATE ROLE {name}_stranger LOGIN PASSWORD 'throw-away';
         REVOKE CONNECT ON DATABASE {name} FROM PUBLIC"
    );
    server().sql(&name, &statements);
    let url = server().url(&name).replace("plain:throw", &format!("{name}_stranger:throw"));
    let told = refused(&url).await;
    assert!(told.contains("permission denied for database"), "{told}");
    assert!(told.contains("grant the user CONNECT"), "{told}");
    let nowhere = refused("postgres://plain@no-such-host.invalid/rolls").await;
    assert!(nowhere.contains("do host and port fit?"), "{nowhere}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_certificate_of_a_server_is_verified_where_that_is_asked_for() {
    let server = Server::start();
    let name = server.database(None);
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    server.encrypt(&made.cert.pem(), &made.signing_key.serialize_pem());
    let authority = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(authority.path(), made.cert.pem()).unwrap();
    let address = server.url(&name);
    let named = address.replace("127.0.0.1", "localhost");
    let with =
        |url: &str| format!("{url}?sslmode=verify-full&sslrootcert={}", authority.path().display());
    // Of an authority that nobody here knows, and of another name.
    for url in [format!("{named}?sslmode=verify-full"), with(&address)] {
        let told = refused(&url).await;
        assert!(told.contains("encrypted connection is refused"), "{told}");
        assert!(told.contains("sslrootcert=FILE"), "{told}");
    }
    let store = Store::open(&settings(&with(&named))).await.unwrap();
    put(&store, "it works").await.unwrap();
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                     WHERE application_name = 'chancery'";
    assert_eq!(server.sql(&name, encrypted), "t");
    store.close().await;
}
