//! Many rows in few statements, whatever their number.

use chancery_store::{Error, Store, Tx, args};
use chancery_throwaway::on_each_backend;

use crate::store;

async fn insert(store: &Store, count: i64) -> Result<(), Error> {
    store
        .transaction("insert", move |tx: &mut Tx| {
            Box::pin(async move {
                let rows = (0..count)
                    .map(|n| args![format!("name {n:05}"), format!("value {n}")])
                    .collect();
                let head = "INSERT INTO setting (name, value)";
                tx.insert_many(head, "ON CONFLICT DO NOTHING", rows).await
            })
        })
        .await
}

on_each_backend!(every_row_arrives_once_and_in_its_place);

async fn every_row_arrives_once_and_in_its_place() {
    // Around the powers of two and the most that one statement takes.
    for count in [0, 1, 2, 3, 255, 256, 257, 2_047, 2_048, 2_049, 5_000] {
        let (_dir, store) = store().await;
        insert(&store, count).await.unwrap();
        let mut link = store.read().await.unwrap();
        let sql = "SELECT COUNT(*) AS n FROM setting
                   WHERE value = 'value ' || CAST(substr(name, 6) AS INTEGER)";
        assert_eq!(link.number(sql, vec![]).await.unwrap(), count, "of {count} rows");
        let all = link.number("SELECT COUNT(*) AS n FROM setting", vec![]).await.unwrap();
        assert_eq!(all, count);
    }
}

on_each_backend!(the_tail_applies_to_every_statement);

async fn the_tail_applies_to_every_statement() {
    let (_dir, store) = store().await;
    insert(&store, 300).await.unwrap();
    insert(&store, 600).await.unwrap();
    let mut link = store.read().await.unwrap();
    assert_eq!(link.number("SELECT COUNT(*) AS n FROM setting", vec![]).await.unwrap(), 600);
}

on_each_backend!(several_statements_in_one_trip_take_their_own_arguments);

async fn several_statements_in_one_trip_take_their_own_arguments() {
    let (_dir, store) = store().await;
    store
        .transaction("several", |tx: &mut Tx| {
            Box::pin(async move {
                let insert = "INSERT INTO setting (name, value) VALUES (?, ?)";
                let update = "UPDATE setting SET value = ? WHERE name = ?";
                tx.execute_all([
                    (insert.into(), args!["a", "1"]),
                    (insert.into(), args!["b", "2"]),
                    (update.into(), args!["3", "a"]),
                ])
                .await
            })
        })
        .await
        .unwrap();
    let mut link = store.read().await.unwrap();
    let rows = link.rows("SELECT name, value FROM setting ORDER BY name", vec![]).await.unwrap();
    let found: Vec<_> =
        rows.iter().map(|row| (row.text("name").unwrap(), row.text("value").unwrap())).collect();
    assert_eq!(found, [("a".to_owned(), "3".to_owned()), ("b".to_owned(), "2".to_owned())]);
}
