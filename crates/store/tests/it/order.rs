//! Transactions that commit late, on several connections: what they recorded is sealed, once, and
//! the indexes of the log have no gap.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chancery_event::id::EventId;
use chancery_event::{Environment, Event, LogIndex, Origin, Severity, Timestamp, Verdict};
use chancery_seal::hash::Hash;
use chancery_store::log::{self, Checkpoint, Indexed, Sequence};
use chancery_store::table::lease;
use chancery_store::{Database, Error, Lane, Recorded, Store, Tx};
use chancery_throwaway::{Backend, on_each_backend};
use tokio::sync::Barrier;

use crate::Place;
use crate::log::{NOW, Sketch, certificate};

fn event(environment: &Environment, number: u64) -> Event {
    let sketch = Sketch {
        event_type: "certificate.upload",
        severity: Severity::Info,
        result: Verdict::Success,
        origin: Origin::Api,
        time: NOW,
        actor: None,
        ip: None,
        targets: vec![certificate(number)],
        message: None,
    };
    sketch.event(environment, None)
}

fn recorded(environment: &Environment, number: u64) -> (EventId, Recorded) {
    let event = event(environment, number);
    let entry = event.entry(environment.random()).unwrap();
    let recorded = Recorded {
        event_id: event.id,
        recorded_at: Timestamp::from_micros(NOW),
        entry: entry.bytes,
        part: entry.personal.map(|part| (part.salt, part.part)),
        seal: [0; 32],
    };
    (event.id, recorded)
}

/// Records an event in a transaction that stays open until the barrier, and a while longer.
async fn record(
    store: &Store,
    environment: &Environment,
    number: u64,
    wait: Option<Arc<Barrier>>,
) -> EventId {
    let (id, recorded) = recorded(environment, number);
    // Who is run again has met the others already.
    let again = AtomicBool::new(false);
    let unit = store.transaction("record", move |tx: &mut Tx| {
        let wait = wait.clone().filter(|_| !again.swap(true, Ordering::SeqCst));
        let recorded = recorded.clone();
        Box::pin(async move {
            // Takes its number in `pending_event` now, and commits when the barrier lets it.
            let sql = "INSERT INTO pending_event (event_id, recorded_at, entry, seal)
                       VALUES ($1, $2, $3, $4)";
            let id = recorded.event_id.to_string();
            let args = chancery_store::args![id, NOW, recorded.entry, recorded.seal];
            tx.execute(sql, args).await?;
            if let Some(wait) = wait {
                wait.wait().await;
            }
            Ok::<(), Error>(())
        })
    });
    unit.await.unwrap();
    id
}

/// Seals what is pending, as the sealer does; answers how many.
async fn seal(store: &Store, limit: usize) -> usize {
    let mut link = store.read().await.unwrap();
    let state = log::state(&mut link).await.unwrap();
    let rows = log::pending(&mut link, limit).await.unwrap();
    drop(link);
    let count = rows.len();
    let events: Vec<Indexed> = rows
        .into_iter()
        .zip(state.size..)
        .map(|(row, index)| {
            let event = Arc::new(Event::open(row.entry(), None).unwrap());
            Indexed { row, index: LogIndex(index), event }
        })
        .collect();
    let at = Timestamp::from_micros(NOW);
    let sequence = Arc::new(Sequence::new(state.size, &events, &[], at));
    let size = state.size + count as u64;
    let sealed = store.transaction_in(Lane::First, "seal.sequence", move |tx: &mut Tx| {
        let sequence = sequence.clone();
        Box::pin(async move {
            log::sequence(tx, &sequence).await?;
            let note = "none".to_owned();
            let checkpoint = Checkpoint { size, root: Hash([0; 32]), note, signed_at: at };
            log::publish(tx, state.signed_size, &checkpoint).await
        })
    });
    sealed.await.unwrap();
    count
}

async fn sealed(store: &Store) -> Vec<EventId> {
    let mut link = store.read().await.unwrap();
    let events = log::range(&mut link, LogIndex(0), 10_000).await.unwrap();
    let indexes: Vec<u64> = events.iter().map(|sealed| sealed.index().0).collect();
    assert_eq!(indexes, (0..events.len() as u64).collect::<Vec<_>>(), "the log is dense");
    events.iter().map(|sealed| sealed.event().id).collect()
}

on_each_backend!(an_event_that_commits_late_is_sealed_late_and_never_skipped, 2);

async fn an_event_that_commits_late_is_sealed_late_and_never_skipped() {
    let place = Place::new().await;
    let environment = Environment::system();
    // Nodes of their own, where several can be; one store else.
    let nodes = match Backend::current() {
        Backend::Embedded => vec![place.open().await],
        Backend::Postgres => {
            let mut nodes = Vec::new();
            let mut settings = place.settings();
            if let Database::Postgres(url) = settings.database {
                // The late ones rest until the others are done.
                let url = url.with_rest_max(Duration::from_secs(600));
                settings.database = Database::Postgres(url);
            }
            for _ in 0..4 {
                nodes.push(Store::open(&settings).await.unwrap());
            }
            nodes
        }
    };
    let first = &nodes[0];
    let mut expected = BTreeSet::new();
    for round in 0..6_u64 {
        let mut late = Vec::new();
        // On the embedded engine a transaction that waits keeps all others waiting.
        let slow = if nodes.len() > 1 { nodes.len() - 1 } else { 0 };
        let barrier = Arc::new(Barrier::new(slow + 1));
        for (place, node) in nodes[1..].iter().enumerate() {
            let (node, environment) = (node.clone(), environment.clone());
            let (barrier, number) = (Some(barrier.clone()), round * 100 + place as u64);
            late.push(tokio::spawn(
                async move { record(&node, &environment, number, barrier).await },
            ));
        }
        if slow > 0 {
            waiting(first, slow).await;
        }
        // Others record and commit behind them, and are sealed meanwhile.
        for number in 0..5 {
            expected.insert(record(first, &environment, round * 100 + 50 + number, None).await);
        }
        assert_eq!(seal(first, 3).await, 3);
        barrier.wait().await;
        for late in late {
            expected.insert(late.await.unwrap());
        }
        // The late ones now stand before rows that were read already.
        seal(&nodes[nodes.len() - 1], 4).await;
    }
    while seal(first, 3).await > 0 {}
    let found = sealed(first).await;
    assert_eq!(found.len(), expected.len());
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
}

/// Waits until so many transactions are open with a row that nobody can see yet.
async fn waiting(store: &Store, transactions: usize) {
    let sql = "SELECT COUNT(*) AS n FROM pg_stat_activity
               WHERE datname = current_database() AND state = 'idle in transaction'
               AND backend_xid IS NOT NULL";
    let most = tokio::time::Instant::now() + Duration::from_secs(60);
    while store.read().await.unwrap().number(sql, vec![]).await.unwrap() < transactions as i64 {
        assert!(tokio::time::Instant::now() < most, "the slow transactions did not begin");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

on_each_backend!(who_lost_the_lease_writes_nothing_under_it);

async fn who_lost_the_lease_writes_nothing_under_it() {
    let (_place, store) = crate::store().await;
    let take = async |node: &'static str| {
        let seen = lease::look(&mut store.read().await.unwrap(), "sealer").await.unwrap();
        let taken = store.transaction_in(Lane::First, "seal.take", move |tx: &mut Tx| {
            let seen = seen.clone();
            Box::pin(async move { lease::take(tx, "sealer", node, seen.as_ref()).await })
        });
        taken.await.unwrap().unwrap()
    };
    let under = async |tenure: &lease::Tenure, value: &'static str| {
        let tenure = tenure.clone();
        let done = store.transaction_in(Lane::First, "seal.sequence", move |tx: &mut Tx| {
            let tenure = tenure.clone();
            Box::pin(async move {
                lease::keep(tx, &tenure).await?;
                chancery_store::table::setting::put(tx, "effect", value).await
            })
        });
        done.await
    };
    let first = take("first").await;
    under(&first, "of the first").await.unwrap();
    let second = take("second").await;
    assert!(second.token() > first.token());
    assert!(matches!(under(&first, "late").await, Err(Error::Conflict("the lease"))));
    under(&second, "of the second").await.unwrap();
    let mut link = store.read().await.unwrap();
    let effect = chancery_store::table::setting::find(&mut link, "effect").await.unwrap();
    assert_eq!(effect.as_deref(), Some("of the second"));
    drop(link);
    let given = store.transaction_in(Lane::First, "seal.give_back", move |tx: &mut Tx| {
        let second = second.clone();
        Box::pin(async move { lease::give_back(tx, &second).await })
    });
    given.await.unwrap();
    let seen = lease::look(&mut store.read().await.unwrap(), "sealer").await.unwrap().unwrap();
    assert_eq!((seen.holder, seen.token), (None, 2));
}
