//! Searching a log: the same events whether SQL or the interpreter in memory finds them, however far
//! the projection is behind, on whatever page.

use chancery_throwaway::{Backend, on_each_backend, run};
use std::collections::BTreeMap;

use chancery_event::filter::Filter;
use chancery_event::search::{Searchable, family_of, schema};
use chancery_event::{LogIndex, Origin, Severity, Target, TargetKind, Timestamp, Verdict};
use chancery_store::log::{self, PageRequest, Sealed};
use chancery_store::{Link, Store, Tx};

use crate::Place;
use crate::log::{Choice, NOW, Sketch, certificate, environment, project, seal};

const ATOMS: &[&str] = &[
    "type:certificate.upload",
    "type:certificate.upload,session.create,job.finished",
    "type:certificate.*",
    "type!=session.create",
    "type:LIFECYCLE-IMPORT",
    "family:certificate",
    "family:*i*",
    "kind:occurrence",
    "kind:*",
    "-kind:*",
    "severity>=warning",
    "severity:info",
    "severity<error",
    "outcome:failure",
    "outcome:success,deny",
    "reason:duplicate",
    "-reason:*",
    "reason:*",
    "reason:duplicate,nothing",
    "node:nowhere",
    "origin:ui",
    "origin!=api",
    "time>-3h",
    "time<-90m",
    "time:last(2h)",
    "time:2026-11-21",
    "time:2026-11-21T06:00:00Z..2026-11-21T08:00:00Z",
    "time<=2026-11-21T07:00:00Z",
    "index<100",
    "index:5..60",
    "index!=40",
    "actor:ada",
    "actor:AD*",
    "-actor:*",
    "actor_id:account-ada",
    "actor_kind:system",
    "actor_kind:system,anonymous",
    "actor_kind:*",
    "ip:192.0.2.1",
    "ip:192.0.2.*",
    "ip:\"2001:DB8::1\"",
    "subject:*host-3*",
    "subject_kind:certificate",
    "target:certificate/00000000-0000-7000-8000-000000000003",
    "certificate:00000000-0000-7000-8000-000000000004",
    "certificate:00000000-0000-7000-8000-000000000001,00000000-0000-7000-8000-000000000002",
    "certificate:00000000*",
    "certificate:*02",
    "certificate!=00000000-0000-7000-8000-000000000003",
    "-certificate:*",
    "log:localhost/Log",
    "count(target)>1",
    "count(certificate)=2",
    "odd",
    "made up",
    "numb*",
    "nowhere",
    "transaction:*",
    "cause:*",
    "*",
];

fn sketch(index: u64, choice: &mut Choice) -> Sketch {
    let types = [
        "certificate.upload",
        "certificate.uploaded",
        "certificate.status_changed",
        "session.create",
        "job.finished",
        "elsewhere.happened",
        "undotted",
    ];
    let mut targets = vec![certificate(choice.below(5))];
    match choice.below(4) {
        0 => targets.push(certificate(choice.below(5))),
        1 => targets.push(Target::new(TargetKind::Log, "localhost/Log")),
        2 => targets.clear(),
        _ => {}
    }
    Sketch {
        event_type: choice.of(&types),
        severity: choice.of(Severity::ALL),
        result: choice.of(&[Verdict::Success, Verdict::Success, Verdict::Failure, Verdict::Deny]),
        origin: choice.of(&[Origin::Api, Origin::Ui, Origin::Schedule]),
        // Not quite in order, as clocks are not.
        time: NOW - Timestamp::HOUR * 6
            + i64::try_from(index).unwrap() * 70_000_000
            + i64::try_from(choice.below(4_000)).unwrap() * Timestamp::SECOND,
        actor: choice.of(&[Some("Ada"), Some("grace"), None]),
        ip: choice
            .of(&[Some("192.0.2.1"), Some("192.0.2.2"), Some("2001:DB8::1"), None])
            .map(str::to_owned),
        targets,
        message: Some(format!(
            "made up number {}",
            if index.is_multiple_of(3) { "odd" } else { "Even" }
        )),
    }
}

fn filter(choice: &mut Choice, depth: u64) -> Filter {
    match choice.below(if depth == 0 { 1 } else { 8 }) {
        0..3 => Filter::parse(choice.of(ATOMS), schema()).unwrap(),
        3..6 => Filter::And((0..2 + choice.below(2)).map(|_| filter(choice, depth - 1)).collect()),
        6 => Filter::Or((0..2).map(|_| filter(choice, depth - 1)).collect()),
        _ => Filter::Not(Box::new(filter(choice, depth - 1))),
    }
}

/// A log of `count` events of which the first `projected` are, and all sealed but the last 10.
async fn opened(place: &Place, count: u64, projected: u64) -> (Store, Vec<Sealed>) {
    let store = place.open().await;
    let environment = environment(3);
    let mut choice = Choice(11);
    let mut cause = None;
    let mut events = Vec::new();
    for index in 0..count {
        let event = sketch(index, &mut choice).event(&environment, cause);
        cause = (index % 2 == 0).then_some(event.id);
        events.push(event);
    }
    seal(&store, 0, events).await;
    project(&store, projected).await;
    let all = log::range(&mut store.read().await.unwrap(), LogIndex(0), 10_000).await.unwrap();
    (store, all)
}

pub(crate) fn expected<'a>(filter: &Filter, all: &'a [Sealed]) -> Vec<&'a Sealed> {
    let compiled = filter.compile(schema()).unwrap();
    let holds = |sealed: &&Sealed| {
        compiled.holds(&Searchable { event: sealed.event(), index: sealed.index() }, NOW)
    };
    all.iter().filter(holds).collect()
}

/// All pages, one after the other.
async fn paged(link: &mut Link, filter: &Filter, limit: usize, oldest_first: bool) -> Vec<u64> {
    let mut found: Vec<u64> = Vec::new();
    loop {
        let last = found.last().copied();
        let request = PageRequest {
            before: last.filter(|_| !oldest_first).map(LogIndex),
            from: last.filter(|_| oldest_first).map(|last| LogIndex(last + 1)),
            oldest_first,
            limit,
        };
        let page = log::page(link, filter, request, NOW).await.unwrap();
        assert!(page.events.len() <= limit);
        found.extend(page.events.iter().map(|sealed| sealed.index().0));
        if !page.more {
            return found;
        }
        assert_eq!(page.events.len(), limit);
    }
}

pub(crate) type Counts = BTreeMap<(&'static str, String), u64>;

pub(crate) fn counted(events: &[&Sealed]) -> Counts {
    let mut counts = Counts::new();
    for sealed in events {
        let event = sealed.event();
        let values = [
            ("type", Some(event.type_name.as_ref())),
            ("severity", Some(event.severity.as_str())),
            ("outcome", Some(event.outcome.result.as_str())),
            ("origin", Some(event.origin.as_str())),
            ("family", family_of(&event.type_name)),
        ];
        for (field, value) in values {
            if let Some(value) = value {
                *counts.entry((field, value.to_owned())).or_default() += 1;
            }
        }
    }
    counts
}

fn actors(events: &[&Sealed]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for sealed in events {
        if let Some(name) = sealed.event().personal().and_then(|part| part.actor_name.clone()) {
            *counts.entry(name).or_default() += 1;
        }
    }
    counts
}

async fn check(link: &mut Link, filter: &Filter, all: &[Sealed], choice: &mut Choice) {
    let told = filter.to_text();
    let expected = expected(filter, all);
    let indexes: Vec<u64> = expected.iter().map(|sealed| sealed.index().0).collect();
    let limit = choice.of(&[1, 7, 50, 1_000]).max(expected.len() / 8);
    assert_eq!(paged(link, filter, limit, true).await, indexes, "{told}");
    let mut newest = paged(link, filter, limit, false).await;
    newest.reverse();
    assert_eq!(newest, indexes, "newest first: {told}");

    let counted_at_once = log::facets(link, filter, NOW).await.unwrap();
    let log::Counted { groups, sampled, .. } = counted_at_once;
    let groups: Counts = groups
        .into_iter()
        .flat_map(|g| g.values.into_iter().map(move |(value, n)| ((g.field, value), n)))
        .collect();
    assert_eq!(groups, counted(&expected), "facets: {told}");
    assert!(!sampled, "{told}");
    let (names, sampled) = log::actors(link, filter, NOW).await.unwrap();
    assert_eq!((actors(&expected), false), (names.into_iter().collect(), sampled), "{told}");
    let count = log::count(link, filter, NOW).await.unwrap();
    assert_eq!((count.value, count.at_least), (indexes.len() as u64, false), "{told}");
    assert_eq!(counted_at_once.count, count, "{told}");

    let from = NOW - Timestamp::HOUR * 6 + i64::try_from(choice.below(5_000)).unwrap() * 1_000_000;
    let to = from + choice.of(&[Timestamp::HOUR, 4 * Timestamp::HOUR, 40 * Timestamp::HOUR]);
    let (from, to) = (Timestamp::from_micros(from), Timestamp::from_micros(to));
    let (bars, sampled) = log::bars(link, filter, (from, to), 8, NOW).await.unwrap();
    assert!(!sampled, "{told}");
    assert!(bars[0].from <= from && bars.last().unwrap().to >= to);
    for bar in bars {
        let within =
            expected.iter().filter(|sealed| (bar.from..bar.to).contains(&sealed.event().time));
        let mut severities: BTreeMap<Severity, u64> = BTreeMap::new();
        within.for_each(|sealed| *severities.entry(sealed.event().severity).or_default() += 1);
        assert_eq!(bar.by_severity, severities.into_iter().collect::<Vec<_>>(), "{told}");
    }
}

on_each_backend!(sql_and_memory_find_the_same_events_however_far_the_projection_is, 2);

async fn sql_and_memory_find_the_same_events_however_far_the_projection_is() {
    for projected in [0, 170, 400] {
        let place = Place::new().await;
        let (store, all) = opened(&place, 400, projected).await;
        assert_eq!(all.len(), 400);
        let mut link = store.read().await.unwrap();
        let mut choice = Choice(projected + 1);
        for text in ATOMS {
            let filter = Filter::parse(text, schema()).unwrap();
            check(&mut link, &filter, &all, &mut choice).await;
        }
        for _ in 0..60 {
            let filter = filter(&mut choice, 3);
            check(&mut link, &filter, &all, &mut choice).await;
        }
    }
}

/// Rows of the log that statements of this session have read so far.
pub(crate) async fn rows_read(link: &mut Link) -> i64 {
    rows_read_of(link, "event_p%").await
}

/// Rows of tables whose names begin so that statements of this session have read so far.
async fn rows_read_of(link: &mut Link, tables: &str) -> i64 {
    link.rows("SELECT pg_stat_force_next_flush()", vec![]).await.unwrap();
    let sql = "SELECT CAST(SUM(seq_tup_read + COALESCE(idx_tup_fetch, 0)) AS BIGINT) AS n
               FROM pg_stat_user_tables WHERE relname LIKE $1";
    link.row(sql, vec![tables.into()]).await.unwrap().unwrap().int("n").unwrap()
}

#[test]
fn few_events_are_looked_up_one_by_one_however_many_a_planner_expects() {
    run(Backend::Postgres, 2, async {
        let place = Place::new().await;
        let store = place.open().await;
        let environment = environment(3);
        let mut choice = Choice(11);
        let mut event = |index| {
            let message = Some(format!("number x{index}"));
            Sketch { message, ..sketch(index, &mut choice) }.event(&environment, None)
        };
        let events: Vec<_> = (0..600).map(&mut event).collect();
        seal(&store, 0, events).await;
        project(&store, 590).await;
        let mut link = store.read().await.unwrap();
        // As it is where the beginning of a word is taken for one of very many events: any other
        // join costs less, and reads the log from its end until it has enough.
        link.rows("SET enable_nestloop = off", vec![]).await.unwrap();
        let before = rows_read(&mut link).await;
        let filter = Filter::parse("x77* index<1000", schema()).unwrap();
        assert_eq!(paged(&mut link, &filter, 50, false).await, [77]);
        let read = rows_read(&mut link).await - before;
        assert!(read < 100, "{read} of 600 events were read");

        // What was found while it was counted is not looked for once more.
        let before = rows_read_of(&mut link, "event_text%").await;
        let filter = Filter::parse("x1* index<590", schema()).unwrap();
        assert_eq!(log::count(&mut link, &filter, NOW).await.unwrap().value, 111);
        let read = rows_read_of(&mut link, "event_text%").await - before;
        assert!(read <= 590, "the words of 590 events were read {read} times");
    });
}

on_each_backend!(whether_all_actors_were_counted_is_told, 2);

async fn whether_all_actors_were_counted_is_told() {
    for projected in [0, 2_400] {
        let place = Place::new().await;
        let (store, all) = opened(&place, 2_400, projected).await;
        let mut link = store.read().await.unwrap();
        let newest: Vec<&Sealed> = all.iter().rev().take(log::ACTORS_COUNTED).collect();
        let (names, sampled) = log::actors(&mut link, &Filter::All, NOW).await.unwrap();
        assert!(sampled, "{projected}");
        assert_eq!(names.into_iter().collect::<BTreeMap<_, _>>(), actors(&newest), "{projected}");
        let few = Filter::parse("outcome:failure", schema()).unwrap();
        let (names, sampled) = log::actors(&mut link, &few, NOW).await.unwrap();
        let expected = expected(&few, &all);
        assert!(!sampled && expected.len() < log::ACTORS_COUNTED, "{projected}");
        assert_eq!(names.into_iter().collect::<BTreeMap<_, _>>(), actors(&expected), "{projected}");
    }
}

on_each_backend!(what_is_erased_is_found_no_more_even_if_it_was_read_to_be_projected_before, 2);

async fn what_is_erased_is_found_no_more_even_if_it_was_read_to_be_projected_before() {
    let place = Place::new().await;
    let (store, all) = opened(&place, 20, 10).await;
    let by_person = Filter::parse("actor:ada", schema()).unwrap();
    let of_ada = expected(&by_person, &all);
    let [first, .., last] = of_ada.as_slice() else { panic!("too few events of one person") };
    assert!(first.index().0 < 10 && last.index().0 >= 10);
    for index in [first.index(), last.index()] {
        let erased = store
            .transaction("erase", move |tx: &mut Tx| {
                Box::pin(async move { log::erase(tx, index).await })
            })
            .await;
        assert!(erased.unwrap());
    }
    // The projection goes on with what it had read before the erasure.
    let link = store.read().await.unwrap();
    let stale: Vec<_> = all[10..].iter().cloned().map(log::Sealed::into_event).collect();
    let stale = std::sync::Arc::new(log::Projection::new(link.dialect(), LogIndex(10), &stale));
    store
        .transaction("project", move |tx: &mut Tx| {
            let stale = stale.clone();
            Box::pin(async move { log::project(tx, &stale, Timestamp::from_micros(NOW)).await })
        })
        .await
        .unwrap();
    let mut link = store.read().await.unwrap();
    let found = paged(&mut link, &by_person, 100, true).await;
    let left: Vec<u64> = of_ada.iter().map(|sealed| sealed.index().0).collect();
    assert_eq!(found, left[1..left.len() - 1]);
    let sql = "SELECT COUNT(*) AS n FROM event_key WHERE log_index = $1
               AND name IN ('actor_name', 'client_ip')";
    for index in [first.index(), last.index()] {
        let keys = link.number(sql, chancery_store::args![index]).await.unwrap();
        assert_eq!(keys, 0, "keys of {index}");
    }
}
