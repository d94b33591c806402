//! A store that was copied to a server is not continued where it was.

use chancery_store::table::setting;
use chancery_store::{DatabaseUrl, Settings, Store, Tx, transfer};
use chancery_throwaway::server;

use crate::inventory::{each_atom_finds, filled};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_found_as_before_by_everything_that_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let embedded = Settings::embedded(dir.path());
    let store = Store::open(&embedded).await.unwrap();
    let (world, all) = filled(&store, 40).await;
    each_atom_finds(&store, &world, &all).await;
    store.close().await;
    let url: DatabaseUrl = server().url(&server().database(None)).parse().unwrap();
    drop(transfer(&embedded, &url, |_, _| {}).await.unwrap());
    let moved = Store::open(&Settings::postgres(url)).await.unwrap();
    each_atom_finds(&moved, &world, &all).await;
    moved.close().await;
}
