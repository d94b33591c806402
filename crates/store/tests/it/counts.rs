//! Counting what happened in less than an hour: the blocks of the log say it, and only of those
//! that a boundary divides the events are read.

use std::collections::BTreeMap;

use chancery_event::filter::Filter;
use chancery_event::search::schema;
use chancery_event::{LogIndex, Origin, Severity, Timestamp, Verdict};
use chancery_store::log::{self, Sealed};
use chancery_store::{Link, Store, Tx};
use chancery_throwaway::{Backend, on_each_backend, run};

use crate::growth::begin;
use crate::log::{Choice, NOW, Sketch, certificate, environment, project, seal};
use crate::search::{counted, expected, rows_read};

const MINUTE: i64 = 60 * Timestamp::SECOND;

const ASKED: [&str; 9] = [
    "*",
    "time>-40m",
    "time>-40m severity>=warning",
    "time>-70m time<-3m",
    "time:last(30s)",
    "type:certificate.* time<-10m",
    "kind:occurrence time>-20m",
    "origin:ui time>-17m",
    "origin:ui outcome:failure time>-17m",
];

/// A log of one event a second that ends now, in the order of time but for two seconds.
async fn dense(store: &Store, count: u64) {
    let environment = environment(3);
    let mut choice = Choice(11);
    let types = ["certificate.upload", "certificate.uploaded", "session.create", "undotted"];
    let mut sketch = |index: u64| Sketch {
        event_type: choice.of(&types),
        severity: choice.of(Severity::ALL),
        result: choice.of(&[Verdict::Success, Verdict::Success, Verdict::Failure]),
        origin: choice.of(&[Origin::Api, Origin::Ui]),
        time: NOW - i64::try_from(count - index).unwrap() * Timestamp::SECOND
            + i64::try_from(choice.below(2_000_000)).unwrap(),
        actor: None,
        ip: None,
        targets: vec![certificate(choice.below(5))],
        message: None,
    };
    let events = (0..count).map(|index| sketch(index).event(&environment, None)).collect();
    seal(store, 0, events).await;
}

/// Counts and bars are those of the events that are there.
async fn check(link: &mut Link, text: &str, all: &[Sealed]) {
    let filter = Filter::parse(text, schema()).unwrap();
    let expected = expected(&filter, all);
    let found = log::facets(link, &filter, NOW).await.unwrap();
    let groups: BTreeMap<_, _> = found
        .groups
        .into_iter()
        .flat_map(|group| group.values.into_iter().map(move |(v, n)| ((group.field, v), n)))
        .collect();
    assert_eq!(groups, counted(&expected), "{text}");
    assert!(!found.sampled, "{text}");
    for (minutes, number) in [(45, 60), (45, 7), (3, 60), (100, 1)] {
        let from = Timestamp::from_micros(NOW - minutes * MINUTE + 7);
        let to = Timestamp::from_micros(NOW - MINUTE);
        let (bars, sampled) = log::bars(link, &filter, (from, to), number, NOW).await.unwrap();
        assert!(!sampled && bars.len() <= number + 1, "{text}");
        for bar in bars {
            let mut severities: BTreeMap<Severity, u64> = BTreeMap::new();
            for sealed in &expected {
                if (bar.from..bar.to).contains(&sealed.event().time) {
                    *severities.entry(sealed.event().severity).or_default() += 1;
                }
            }
            let severities: Vec<_> = severities.into_iter().collect();
            assert_eq!(bar.by_severity, severities, "{text} {:?}", bar.from);
        }
    }
}

async fn all(store: &Store) -> Vec<Sealed> {
    log::range(&mut store.read().await.unwrap(), LogIndex(0), 10_000).await.unwrap()
}

on_each_backend!(parts_of_hours_are_counted_however_far_the_projection_is, 2);

async fn parts_of_hours_are_counted_however_far_the_projection_is() {
    let (_place, store) = crate::store().await;
    dense(&store, 5_000).await;
    let all = all(&store).await;
    // Nothing, no whole block, whole blocks and a part of one, whole blocks, everything.
    for projected in [0, 100, 2_148, 4_608, 5_000] {
        project(&store, projected).await;
        let mut link = store.read().await.unwrap();
        for text in ASKED {
            check(&mut link, text, &all).await;
        }
    }
    store.close().await;
}

on_each_backend!(what_is_removed_is_taken_out_of_the_counts_of_blocks, 2);

async fn what_is_removed_is_taken_out_of_the_counts_of_blocks() {
    let (_place, store) = crate::store().await;
    dense(&store, 5_000).await;
    project(&store, 5_000).await;
    let run = begin(&store).await.id;
    let gone = |index: u64| (2_800..3_700).contains(&index) || index.is_multiple_of(7);
    let events = all(&store).await;
    let events: Vec<_> = events.into_iter().map(Sealed::into_event).collect();
    let events: Vec<_> = events.into_iter().filter(|(index, _)| gone(index.0)).collect();
    let trimmed = store.transaction("trim", move |tx: &mut Tx| {
        let events = events.clone();
        Box::pin(async move { log::trim(tx, run, 0, &events).await })
    });
    trimmed.await.unwrap();
    let left = all(&store).await;
    assert!(left.iter().all(|sealed| !gone(sealed.index().0)));
    let mut link = store.read().await.unwrap();
    for text in ASKED {
        check(&mut link, text, &left).await;
    }
    let empty = "SELECT COUNT(*) AS n FROM event_block_count
                 WHERE events <= 0 OR (block >= 11 AND block < 14)";
    assert_eq!(link.number(empty, Vec::new()).await.unwrap(), 0, "blocks 11 to 13 are empty");
    drop(link);
    store.close().await;
}

#[test]
fn few_events_are_read_to_count_many() {
    run(Backend::Postgres, 2, async {
        let (_place, store) = crate::store().await;
        dense(&store, 5_000).await;
        project(&store, 5_000).await;
        let mut link = store.read().await.unwrap();
        let filter = Filter::parse("time>-50m", schema()).unwrap();
        let before = rows_read(&mut link).await;
        let found = log::facets(&mut link, &filter, NOW).await.unwrap();
        let read = rows_read(&mut link).await - before;
        // Where the time begins, where its first whole hour does, and the block that is not full.
        let all = all(&store).await;
        assert_eq!(found.count.value, expected(&filter, &all).len() as u64);
        assert!(read < 4 * 256, "{read} of 5000 events were read");
        drop(link);
        store.close().await;
    });
}
