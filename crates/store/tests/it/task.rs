//! A run of a monitor belongs to who holds its lease: whoever lost it writes nothing.

use chancery_event::{Environment, Timestamp};
use chancery_store::table::lease::Term;
use chancery_store::table::setting;
use chancery_store::table::task::{self, Counts, Run};
use chancery_store::{Error, Store, Tx};
use chancery_throwaway::on_each_backend;

use crate::store;

const MINUTE: i64 = 60_000_000;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_micros(1_000_000_000_000 + minute * MINUTE)
}

fn run(minute: i64) -> Run {
    Run {
        id: Environment::system().id(),
        class: "monitor".to_owned(),
        name: "expiry".to_owned(),
        version: 1,
        due_at: None,
        started_at: at(minute),
        ended_at: None,
        state: "running".to_owned(),
        counts: Counts { reasons: "{}".to_owned(), ..Counts::default() },
        message: None,
        job: None,
    }
}

/// Claims the task for a minute; answers the runs that nobody ended, if it could be had.
async fn begin(store: &Store, token: &'static str, run: &Run) -> Option<Vec<Run>> {
    let run = run.clone();
    let begun = store.transaction("begin", move |tx: &mut Tx| {
        let run = run.clone();
        let term = Term::of(run.started_at, task::LEASE);
        Box::pin(async move { task::begin(tx, token, &run, term).await })
    });
    begun.await.unwrap()
}

/// Leaves a mark, and says how far the run is, or that it has ended.
async fn write(store: &Store, token: &'static str, run: &Run, end: bool) -> Result<(), Error> {
    let mut run = run.clone();
    run.counts.fired = 7;
    if end {
        run.state = "succeeded".to_owned();
    }
    store
        .transaction("write", move |tx: &mut Tx| {
            let run = run.clone();
            let term = Term::of(run.started_at, task::LEASE);
            Box::pin(async move {
                setting::put(tx, "mark", token).await?;
                match end {
                    true => task::end(tx, token, &run, at(60)).await,
                    false => task::progress(tx, token, &run, term).await,
                }
            })
        })
        .await
}

on_each_backend!(whoever_lost_a_run_writes_nothing_more);

async fn whoever_lost_a_run_writes_nothing_more() {
    let (_place, store) = store().await;
    let made = store.transaction("put", |tx: &mut Tx| {
        Box::pin(async { task::put(tx, "monitor", "expiry", 1, None, at(0)).await })
    });
    made.await.unwrap();
    let (early, late) = (run(0), run(5));
    assert_eq!(begin(&store, "early", &early).await, Some(Vec::new()));
    assert_eq!(begin(&store, "other", &run(0)).await, None, "somebody is at it");
    write(&store, "early", &early, false).await.unwrap();
    // Its lease ends, and another one takes the task over.
    let broken = begin(&store, "late", &late).await.unwrap();
    assert_eq!(broken.iter().map(|run| run.id).collect::<Vec<_>>(), [early.id]);
    for end in [false, true] {
        let lost = write(&store, "early", &early, end).await;
        assert!(matches!(lost, Err(Error::Conflict(_))), "{end}: {lost:?}");
    }
    write(&store, "late", &late, false).await.unwrap();
    let mut link = store.read().await.unwrap();
    let runs = task::runs(&mut link, "monitor", "expiry", None, 9).await.unwrap();
    let states: Vec<_> = runs.iter().map(|run| (run.id, run.state.as_str())).collect();
    assert_eq!(states, [(late.id, "running"), (early.id, "broken_off")]);
    assert_eq!(setting::find(&mut link, "mark").await.unwrap().as_deref(), Some("late"));
    drop(link);
    write(&store, "late", &late, true).await.unwrap();
    // It is nobody's now, also not that of whoever had it last.
    assert!(write(&store, "late", &late, true).await.is_err());
    let mut link = store.read().await.unwrap();
    let task = task::find(&mut link, "monitor", "expiry").await.unwrap().unwrap();
    assert_eq!((task.next_at, task.is_held(at(5))), (at(60), false));
}
