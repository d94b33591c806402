//! Who may use a data directory.

use chancery_store::table::setting;
use chancery_store::{Error, Settings, Store, Tx};

use crate::store;

#[tokio::test]
async fn a_second_writer_is_refused_and_a_reader_is_not() {
    let (place, store) = store().await;
    let settings = place.settings();
    let refused = Store::open(&settings).await.err().map(|error| error.to_string());
    assert!(refused.as_deref().is_some_and(|text| text.contains("another process")), "{refused:?}");
    store
        .transaction("put", |tx: &mut Tx| Box::pin(setting::put(tx, "name", "value")))
        .await
        .unwrap();
    let reader = Store::open_to_read(&settings).await.unwrap();
    let mut link = reader.read().await.unwrap();
    assert_eq!(setting::find(&mut link, "name").await.unwrap().as_deref(), Some("value"));
    let written = reader.transaction("put", |tx: &mut Tx| Box::pin(setting::put(tx, "a", "b")));
    assert!(matches!(written.await, Err(Error::ReadOnly)));
}

#[tokio::test]
async fn a_directory_without_a_database_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let refused = Store::open_to_read(&Settings::embedded(dir.path())).await;
    assert!(matches!(refused, Err(Error::Path { .. })));
    assert!(!dir.path().join("chancery.db").exists(), "looking must not make a database");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("chancery.db");
    std::fs::write(&file, "nonsense ".repeat(1_000)).unwrap();
    let settings = Settings::embedded(dir.path());
    let read = Store::open_to_read(&settings).await.err();
    for refused in [read, Store::open(&settings).await.err()] {
        let Some(Error::Path { path, what }) = refused else { panic!("{refused:?}") };
        assert_eq!(path, file);
        assert!(what.contains("not a database"), "{what}");
    }
}
