//! What a database remembers of the steps of its schema.

use chancery_store::{Error, Store, Tx};
use chancery_throwaway::on_each_backend;

use crate::{Place, store};

on_each_backend!(a_step_that_was_another_one_is_refused, 2);

async fn a_step_that_was_another_one_is_refused() {
    let (place, store) = store().await;
    let changed = store.transaction("change", |tx: &mut Tx| {
        let sql = "UPDATE schema_step SET checksum = 'of other statements' WHERE number = 1";
        Box::pin(async move { tx.execute(sql, Vec::new()).await })
    });
    let changed: Result<u64, Error> = changed.await;
    assert_eq!(changed.unwrap(), 1);
    store.close().await;
    for told in refused(&place).await {
        assert!(told.contains("step 1 of the schema"), "{told}");
        assert!(told.contains("start the program that made it"), "{told}");
    }
}

on_each_backend!(a_database_from_before_there_were_checksums_is_refused_as_well, 2);

async fn a_database_from_before_there_were_checksums_is_refused_as_well() {
    let (place, store) = store().await;
    let changed = store.transaction("change", |tx: &mut Tx| {
        let sql = "ALTER TABLE schema_step DROP COLUMN checksum";
        Box::pin(async move { tx.execute(sql, Vec::new()).await.map(|_| ()) })
    });
    let changed: Result<(), Error> = changed.await;
    changed.unwrap();
    store.close().await;
    for told in refused(&place).await {
        assert!(told.contains("step 1 of the schema"), "{told}");
    }
}

/// What is said where the database is opened for writing, and for reading.
async fn refused(place: &Place) -> [String; 2] {
    let settings = place.settings();
    let (to_write, to_read) = (Store::open(&settings).await, Store::open_to_read(&settings).await);
    [to_write, to_read].map(|opened| match opened {
        Ok(_) => panic!("it opened"),
        Err(error) => error.to_string(),
    })
}
