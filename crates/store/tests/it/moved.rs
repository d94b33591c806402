//! A store that was copied to a server is not continued where it was.

use chancery_store::table::setting;
use chancery_store::{Settings, Store, Tx, transfer};
use chancery_throwaway::server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_stays_locked_until_whoever_moved_it_lets_go() {
    let dir = tempfile::tempdir().unwrap();
    let embedded = Settings::embedded(dir.path());
    let store = Store::open(&embedded).await.unwrap();
    let put = store.transaction("put", |tx: &mut Tx| {
        Box::pin(async move { setting::put(tx, "name", "kept").await })
    });
    put.await.unwrap();
    store.close().await;
    let name = server().database(None);
    let to = server().url(&name).parse().unwrap();
    let (_, held) = transfer(&embedded, &to, |_, _| {}).await.unwrap();
    let kept = server().sql(&name, "SELECT value FROM setting WHERE name = 'name'");
    assert_eq!(kept, "kept");
    // Between the end of the copy and the new name of the original, nobody begins here.
    let told = Store::open(&embedded).await.err().unwrap().to_string();
    assert!(told.contains("another process is using"), "{told}");
    drop(held);
    Store::open(&embedded).await.unwrap().close().await;
}
