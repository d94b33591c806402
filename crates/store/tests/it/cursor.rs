//! A cursor moves only for who knows where it stands.

use chancery_event::{LogIndex, Timestamp};
use chancery_store::{Error, Store, Tx, log, table};
use chancery_throwaway::on_each_backend;

use crate::store;

/// Moves the cursor and leaves an effect behind, in one unit.
async fn consume(store: &Store, from: u64, to: u64) -> Result<(), Error> {
    store
        .transaction("consume", move |tx: &mut Tx| {
            Box::pin(async move {
                table::setting::put(tx, &format!("effect {from}"), "done").await?;
                let at = Timestamp::from_micros(1);
                log::move_cursor(tx, "consumer", LogIndex(from), LogIndex(to), at).await
            })
        })
        .await
}

on_each_backend!(of_two_consumers_at_the_same_place_one_moves_on);

async fn of_two_consumers_at_the_same_place_one_moves_on() {
    let (_dir, store) = store().await;
    consume(&store, 0, 10).await.unwrap();
    let (one, other) = tokio::join!(consume(&store, 10, 20), consume(&store, 10, 25));
    one.unwrap();
    assert!(matches!(other, Err(Error::Conflict("the cursor"))));
    let mut link = store.read().await.unwrap();
    assert_eq!(log::cursor(&mut link, "consumer").await.unwrap(), LogIndex(20));
    assert_eq!(log::cursor(&mut link, "another").await.unwrap(), LogIndex(0));
}

on_each_backend!(effects_of_a_consumer_that_lost_its_place_do_not_stay);

async fn effects_of_a_consumer_that_lost_its_place_do_not_stay() {
    let (_dir, store) = store().await;
    consume(&store, 0, 10).await.unwrap();
    consume(&store, 5, 15).await.unwrap_err();
    let mut link = store.read().await.unwrap();
    assert_eq!(table::setting::find(&mut link, "effect 5").await.unwrap(), None);
    assert_eq!(log::cursor(&mut link, "consumer").await.unwrap(), LogIndex(10));
}
