//! Who waits for a commit has given back the connections that it read with.

use chancery_store::{Error, Store, Tx};
use chancery_throwaway::on_each_backend;

async fn commit_nothing(store: &Store) -> Result<(), Error> {
    store.transaction("nothing", |_: &mut Tx| Box::pin(async { Ok(()) })).await
}

on_each_backend!(a_task_that_reads_does_not_wait_for_a_commit);

async fn a_task_that_reads_does_not_wait_for_a_commit() {
    let (_place, store) = crate::store().await;
    let keeping = store.clone();
    let kept = tokio::spawn(async move {
        let _link = keeping.read().await.unwrap();
        commit_nothing(&keeping).await
    });
    assert!(kept.await.is_err_and(|error| error.is_panic()), "it waited with a connection");
    let giving = store.clone();
    let given_back = tokio::spawn(async move {
        drop(giving.read().await.unwrap());
        commit_nothing(&giving).await
    });
    given_back.await.unwrap().unwrap();
    store.close().await;
}
