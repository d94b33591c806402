//! Groups of units: what stays, what is undone, who is answered how.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use futures::future::join_all;
use tokio::sync::Semaphore;

use crate::table::setting;
use crate::{Error, Lane, Settings, Store, Tx, args};

async fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&Settings::embedded(dir.path())).await.unwrap();
    (dir, store)
}

/// What a unit of these tests does after it has written its setting.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Well,
    Refusing,
    Panicking,
    /// Leaves a reference that the commit, not the statement, refuses.
    BreakingTheCommit,
}

/// Runs units that are all queued before the writer takes the first of them: one that commits alone
/// keeps it busy until then.
async fn queued<F: Future>(store: &Store, units: F) -> F::Output {
    let (begun, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (at_work, release) = (begun.clone(), go.clone());
    let gate = store.transaction_in(Lane::Behind, "gate", move |_: &mut Tx| {
        let (at_work, release) = (at_work.clone(), release.clone());
        Box::pin(async move {
            at_work.add_permits(1);
            drop(release.acquire().await);
            Ok::<(), Error>(())
        })
    });
    let units = async {
        drop(begun.acquire().await);
        let mut units = std::pin::pin!(units);
        // Polled once, so that they are queued.
        let early = futures::poll!(&mut units);
        go.add_permits(1);
        match early {
            Poll::Ready(done) => done,
            Poll::Pending => units.await,
        }
    };
    let (gate, done) = futures::join!(gate, units);
    gate.unwrap();
    done
}

/// Runs one unit for each end; all of them are queued before the writer takes the first.
async fn run(store: &Store, ends: &[End]) -> Vec<Result<usize, Error>> {
    let units = ends.iter().enumerate().map(|(number, &end)| {
        store.transaction("unit", move |tx: &mut Tx| {
            Box::pin(async move {
                write(tx, &format!("unit {number}")).await?;
                match end {
                    End::Well => {}
                    End::Refusing => return Err(Error::Conflict("the unit")),
                    End::Panicking => panic!("the unit panics, as it is to"),
                    End::BreakingTheCommit => break_the_commit(tx).await?,
                }
                Ok(number)
            })
        })
    });
    queued(store, join_all(units)).await
}

async fn break_the_commit(tx: &mut Tx) -> Result<(), Error> {
    tx.execute("PRAGMA defer_foreign_keys = ON", vec![]).await?;
    let sql = "INSERT INTO certificate_der (certificate, der) VALUES ($1, $2)";
    tx.execute(sql, args!["nobody", vec![1_u8]]).await.map(|_| ())
}

async fn write(tx: &mut Tx, name: &str) -> Result<(), Error> {
    let sql = "INSERT INTO setting (name, value) VALUES ($1, $2)";
    tx.execute(sql, args![name, "written"]).await.map(|_| ())
}

async fn written(store: &Store) -> Vec<String> {
    let mut link = store.read().await.unwrap();
    let sql = "SELECT name FROM setting ORDER BY name";
    let rows = link.rows(sql, vec![]).await.unwrap();
    rows.iter().map(|row| row.text("name").unwrap()).collect()
}

#[tokio::test]
async fn a_unit_that_refuses_is_undone_alone() {
    let (_dir, store) = store().await;
    let answers = run(&store, &[End::Well, End::Refusing, End::Well]).await;
    assert!(matches!(&answers[..], [Ok(0), Err(Error::Conflict("the unit")), Ok(2)]));
    assert_eq!(written(&store).await, ["unit 0", "unit 2"]);
}

#[tokio::test]
async fn what_a_failure_undoes_is_done_again_once_however_many_fail() {
    let (_dir, store) = store().await;
    let runs: Arc<[AtomicUsize; 6]> = Arc::default();
    let units = (0..6).map(|number: usize| {
        let runs = runs.clone();
        store.transaction("unit", move |tx: &mut Tx| {
            runs[number].fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                write(tx, &format!("unit {number}")).await?;
                if [1, 3, 5].contains(&number) {
                    Ok(number)
                } else {
                    Err(Error::Conflict("the unit"))
                }
            })
        })
    });
    let answers = queued(&store, join_all(units)).await;
    let answers: Vec<_> = answers.into_iter().map(Result::ok).collect();
    assert_eq!(answers, [None, Some(1), None, Some(3), None, Some(5)]);
    assert_eq!(written(&store).await, ["unit 1", "unit 3", "unit 5"]);
    // The first failed before anything was kept, the third took the second with it.
    let runs: Vec<usize> = runs.iter().map(|runs| runs.load(Ordering::Relaxed)).collect();
    assert_eq!(runs, [1, 2, 1, 1, 1, 1]);
}

#[tokio::test]
async fn a_unit_that_panics_is_undone_alone_and_the_writer_goes_on() {
    let (_dir, store) = store().await;
    let answers = run(&store, &[End::Panicking, End::Well]).await;
    assert!(matches!(&answers[..], [Err(Error::BrokeOff(_)), Ok(1)]), "{answers:?}");
    assert_eq!(written(&store).await, ["unit 1"]);
    assert!(matches!(&run(&store, &[End::Well]).await[..], [Ok(0)]));
}

/// As when the disc is full: SQLite undoes the transaction, whatever the unit makes of it.
#[tokio::test]
async fn nothing_is_written_by_itself_once_the_database_has_undone_the_transaction() {
    let (_dir, store) = store().await;
    let well = |name: &'static str| {
        store.transaction("unit", move |tx: &mut Tx| Box::pin(write(tx, name)))
    };
    let undone = store.transaction("unit", |tx: &mut Tx| {
        Box::pin(async move {
            write(tx, "undone").await?;
            tx.link.execute("ROLLBACK", vec![]).await?;
            let refused = write(tx, "behind it").await;
            assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
            Ok::<(), Error>(())
        })
    });
    let all = async { futures::join!(well("before"), undone, well("after")) };
    let (before, undone, after) = queued(&store, all).await;
    assert!(matches!(before, Err(Error::Commit(_))), "{before:?}");
    assert!(matches!(undone, Err(Error::Commit(_))), "{undone:?}");
    assert!(after.is_ok(), "it was in no group that failed: {after:?}");
    assert_eq!(written(&store).await, ["after"]);
}

#[tokio::test]
async fn when_the_commit_fails_every_unit_is_told_and_nothing_stays() {
    let (_dir, store) = store().await;
    let ends = [End::Well, End::BreakingTheCommit, End::Well, End::Refusing];
    let answers = run(&store, &ends).await;
    for answer in &answers[..3] {
        assert!(matches!(answer, Err(Error::Commit(_))), "{answer:?}");
    }
    // Who refused keeps the reason of the refusal.
    assert!(matches!(answers[3], Err(Error::Conflict("the unit"))));
    assert_eq!(written(&store).await, [""; 0]);
    // The next group starts afresh.
    assert!(matches!(&run(&store, &[End::Well]).await[..], [Ok(0)]));
    assert_eq!(written(&store).await, ["unit 0"]);
}

#[tokio::test]
async fn readers_never_see_what_is_not_committed() {
    let (_dir, store) = store().await;
    let reading = store.clone();
    let unit = store.transaction("unit", move |tx: &mut Tx| {
        let reading = reading.clone();
        Box::pin(async move {
            write(tx, "unit").await?;
            // From another connection, while this unit is at work.
            let before = setting::find(&mut reading.read().await?, "unit").await?;
            let own = setting::find(tx, "unit").await?;
            Ok::<_, Error>((before, own))
        })
    });
    let (before, own) = unit.await.unwrap();
    assert_eq!((before, own.as_deref()), (None, Some("written")));
    assert_eq!(written(&store).await, ["unit"]);
}

#[tokio::test]
async fn callers_that_went_away_do_not_hold_up_the_others() {
    let (_dir, store) = store().await;
    let store = Arc::new(store);
    let leaving =
        store.transaction("unit", |tx: &mut Tx| Box::pin(async move { write(tx, "left").await }));
    // Polled once, so that its unit is queued, then dropped.
    assert!(futures::FutureExt::now_or_never(leaving).is_none());
    assert!(matches!(&run(&store, &[End::Well]).await[..], [Ok(0)]));
    assert_eq!(written(&store).await, ["left", "unit 0"]);
}

#[tokio::test]
async fn the_sealer_goes_first_and_the_projector_last() {
    let (_dir, store) = store().await;
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    // All are queued before the writer takes the first.
    let lanes = [Lane::Last, Lane::Common, Lane::First, Lane::Common, Lane::Last, Lane::First];
    let units = lanes.into_iter().map(|lane| {
        let order = order.clone();
        store.transaction_in(lane, "unit", move |_: &mut Tx| {
            order.lock().unwrap().push(lane);
            Box::pin(async { Ok::<(), Error>(()) })
        })
    });
    assert!(queued(&store, join_all(units)).await.iter().all(Result::is_ok));
    let expected = [Lane::First, Lane::First, Lane::Common, Lane::Common, Lane::Last, Lane::Last];
    assert_eq!(*order.lock().unwrap(), expected);
}

#[tokio::test]
async fn the_sealer_shares_its_commit_but_not_the_failure_of_others() {
    let (_dir, store) = store().await;
    let runs = Arc::new(AtomicUsize::new(0));
    for lane in [Lane::First, Lane::Step] {
        let counted = runs.clone();
        let sealing = store.transaction_in(lane, "unit", move |tx: &mut Tx| {
            counted.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move { write(tx, &format!("{lane:?}")).await })
        });
        let breaking = store.transaction("unit", |tx: &mut Tx| {
            Box::pin(async move {
                write(tx, "broken").await?;
                break_the_commit(tx).await
            })
        });
        let both = async { futures::join!(sealing, breaking) };
        let (sealed, broken) = queued(&store, both).await;
        assert!(matches!(sealed, Ok(())), "{sealed:?}");
        assert!(matches!(broken, Err(Error::Commit(_))), "{broken:?}");
    }
    // Each shared the commit that failed, and was done again alone.
    assert_eq!(runs.load(Ordering::Relaxed), 4);
    assert_eq!(written(&store).await, ["First", "Step"]);
}

#[tokio::test]
async fn only_what_nobody_is_answered_for_commits_before_it_is_durable() {
    let (_dir, store) = store().await;
    let synchronous = |lane| {
        store.transaction_in(lane, "unit", |tx: &mut Tx| {
            Box::pin(async move {
                let row = tx.row("SELECT synchronous AS n FROM pragma_synchronous", vec![]).await?;
                row.map_or(Ok(0), |row| row.int("n"))
            })
        })
    };
    let (normal, full) = (1, 2);
    for (lane, expected) in [
        (Lane::Step, normal),
        (Lane::First, full),
        (Lane::Behind, normal),
        (Lane::Behind, normal),
        (Lane::Last, full),
        (Lane::Behind, normal),
        (Lane::Common, full),
        (Lane::Step, normal),
    ] {
        assert_eq!(synchronous(lane).await.unwrap(), expected, "{lane:?}");
    }
    // Queued together they share one commit, and it is durable.
    let both = async { futures::join!(synchronous(Lane::Step), synchronous(Lane::Common)) };
    let (step, common) = queued(&store, both).await;
    assert_eq!((step.unwrap(), common.unwrap()), (full, full));
}

#[tokio::test]
async fn what_waits_in_any_lane_is_done_before_the_store_closes() {
    let (_dir, store) = store().await;
    let units = [Lane::Last, Lane::Common, Lane::First].map(|lane| {
        store.transaction_in(lane, "unit", move |tx: &mut Tx| {
            Box::pin(async move { write(tx, &format!("{lane:?}")).await })
        })
    });
    let mut units = Box::pin(join_all(units));
    assert!(futures::FutureExt::now_or_never(&mut units).is_none());
    store.close().await;
    assert!(units.await.iter().all(Result::is_ok));
    let late = store.transaction_in(Lane::First, "unit", |tx: &mut Tx| {
        Box::pin(async move { write(tx, "late").await })
    });
    assert!(matches!(late.await, Err(Error::Closed)));
}
