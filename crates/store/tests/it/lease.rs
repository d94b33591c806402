//! A job belongs to who holds its lease, and to nobody else.

use chancery_event::id::JobId;
use chancery_event::{Environment, Timestamp};
use chancery_store::table::job::{self, Job, Lease, NewJob};
use chancery_store::table::lease::Term;
use chancery_store::{Error, Store, Tx};
use chancery_throwaway::on_each_backend;

use crate::store;

const MINUTE: i64 = 60_000_000;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_micros(1_000_000_000_000 + minute * MINUTE)
}

async fn enqueue(store: &Store) -> JobId {
    let id = Environment::system().id();
    let job = Job {
        id,
        kind: "certificate_import".to_owned(),
        queue: "bulk".to_owned(),
        name: "an import".to_owned(),
        state: String::new(),
        payload: "{}".to_owned(),
        result: None,
        error: None,
        attempts: 0,
        attempts_max: 3,
        done: 0,
        total: 0,
        triggered_by: "system".to_owned(),
        context: "{}".to_owned(),
        scheduled_at: at(0),
        run_at: at(0),
        started_at: None,
        completed_at: None,
    };
    let new = NewJob { job, input: Some(vec![1, 2, 3]), unique_key: None };
    let queued = store.transaction("enqueue", move |tx: &mut Tx| {
        let new = new.clone();
        Box::pin(async move { job::enqueue(tx, &new).await })
    });
    assert!(queued.await.unwrap());
    id
}

/// Leases for two minutes.
fn term(minute: i64) -> Term {
    Term { from: at(minute), until: at(minute + 2) }
}

async fn lease(store: &Store, token: &'static str, minute: i64) -> Vec<Lease> {
    let leased = store.transaction("lease", move |tx: &mut Tx| {
        Box::pin(
            async move { job::lease(tx, ("bulk", &[]), 8, token, at(minute), term(minute)).await },
        )
    });
    leased.await.unwrap()
}

async fn succeed(store: &Store, lease: Lease) -> Result<(), Error> {
    let lease = std::sync::Arc::new(lease);
    store
        .transaction("succeed", move |tx: &mut Tx| {
            let lease = lease.clone();
            Box::pin(async move { job::succeed(tx, &lease, "{}", at(9)).await })
        })
        .await
}

on_each_backend!(a_job_is_leased_once_as_long_as_its_lease_holds);

async fn a_job_is_leased_once_as_long_as_its_lease_holds() {
    let (_dir, store) = store().await;
    let id = enqueue(&store).await;
    let (one, other) = tokio::join!(lease(&store, "one", 1), lease(&store, "other", 1));
    assert_eq!((one.len(), other.len()), (1, 0));
    assert_eq!(one[0].job().id, id);
    assert!(lease(&store, "other", 2).await.is_empty());
    succeed(&store, one.into_iter().next().unwrap()).await.unwrap();
    assert!(lease(&store, "other", 30).await.is_empty(), "a job that ended is not run again");
    let mut link = store.read().await.unwrap();
    assert_eq!(job::find(&mut link, id).await.unwrap().unwrap().state, "success");
    assert_eq!(job::input(&mut link, id).await.unwrap(), None);
}

on_each_backend!(who_let_the_lease_run_out_cannot_end_the_job_of_its_new_holder);

async fn who_let_the_lease_run_out_cannot_end_the_job_of_its_new_holder() {
    let (_dir, store) = store().await;
    let id = enqueue(&store).await;
    let late = lease(&store, "late", 1).await.into_iter().next().unwrap();
    let next = lease(&store, "next", 4).await.into_iter().next().unwrap();
    assert_eq!(next.job().attempts, 2);
    assert!(matches!(succeed(&store, late).await, Err(Error::Conflict("the job"))));
    succeed(&store, next).await.unwrap();
    let mut link = store.read().await.unwrap();
    assert_eq!(job::find(&mut link, id).await.unwrap().unwrap().state, "success");
}

on_each_backend!(a_cancelled_job_refuses_its_holder);

async fn a_cancelled_job_refuses_its_holder() {
    let (_dir, store) = store().await;
    let id = enqueue(&store).await;
    let held = lease(&store, "one", 1).await.into_iter().next().unwrap();
    let cancelled = store.transaction("cancel", move |tx: &mut Tx| {
        Box::pin(async move { job::cancel(tx, id, at(2)).await })
    });
    assert!(cancelled.await.unwrap());
    assert!(matches!(succeed(&store, held).await, Err(Error::Conflict("the job"))));
    let mut link = store.read().await.unwrap();
    assert_eq!(job::find(&mut link, id).await.unwrap().unwrap().state, "cancelled");
}

on_each_backend!(a_job_has_begun_when_its_last_try_did);

async fn a_job_has_begun_when_its_last_try_did() {
    let (_dir, store) = store().await;
    let id = enqueue(&store).await;
    let started = async || {
        let mut link = store.read().await.unwrap();
        job::find(&mut link, id).await.unwrap().unwrap().started_at
    };
    let first = lease(&store, "one", 1).await.remove(0);
    assert_eq!(first.job().started_at, Some(at(1)));
    // The program was down for three hours, and somebody takes the job over.
    let second = lease(&store, "two", 181).await.remove(0);
    assert_eq!((second.job().started_at, started().await), (Some(at(181)), Some(at(181))));
    let mut link = store.read().await.unwrap();
    let none = (at(0), String::new());
    let stuck = job::late(&mut link, at(0), at(61), &none, 9).await.unwrap();
    assert!(stuck.is_empty(), "{stuck:?}");
    drop(link);
    let second = std::sync::Arc::new(second);
    let handed_back = store.transaction("hand back", move |tx: &mut Tx| {
        let second = second.clone();
        Box::pin(async move { job::hand_back(tx, &second).await })
    });
    handed_back.await.unwrap();
    assert_eq!(started().await, None, "as if that try had not begun");
    let third = lease(&store, "three", 200).await.remove(0);
    assert_eq!((third.job().attempts, third.job().started_at), (2, Some(at(200))));
}
