//! A log of made-up events, sealed and projected without an engine.

use std::borrow::Cow;

use chancery_event::catalogue::EventType;
use chancery_event::envelope::{Event, Personal, PersonalPart};
use chancery_event::environment::SeededEntropy;
use chancery_event::id::EventId;
use chancery_event::{
    Actor, ActorKind, Clock, Entropy, Environment, LogIndex, Origin, Outcome, Severity, Target,
    TargetKind, Timestamp, Verdict,
};
use chancery_seal::hash::Hash;
use chancery_store::log::{self, Checkpoint, Indexed, Projection, Sealed, Sequence};
use chancery_store::{Error, Store, Tx};

/// 2026-11-21T09:30:00Z.
pub const NOW: i64 = 1_795_253_400_000_000;

/// A repeatable source of choices.
pub struct Choice(pub u64);

impl Choice {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    pub fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

struct Fixed(Timestamp);

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        self.0
    }
}

struct Shared(std::sync::Arc<SeededEntropy>);

impl Entropy for Shared {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }
}

/// Identifiers that repeat from run to run.
pub fn environment(seed: u64) -> Environment {
    let entropy = Shared(SeededEntropy::new(seed));
    Environment::new(
        std::sync::Arc::new(Fixed(Timestamp::from_micros(NOW))),
        std::sync::Arc::new(entropy),
    )
}

/// What one made-up event is like.
pub struct Sketch {
    pub event_type: &'static str,
    pub severity: Severity,
    pub result: Verdict,
    pub origin: Origin,
    pub time: i64,
    pub actor: Option<&'static str>,
    pub ip: Option<String>,
    pub targets: Vec<Target>,
    pub message: Option<String>,
}

impl Sketch {
    pub fn event(self, environment: &Environment, cause: Option<EventId>) -> Event {
        let example = EventType::parse(self.event_type).map(EventType::example);
        let base = example.unwrap_or_else(|| EventType::CertificateUpload.example());
        let personal = Personal {
            actor_name: self.actor.map(str::to_owned),
            client_ip: self.ip,
            ..Personal::default()
        };
        Event {
            id: environment.id(),
            type_name: Cow::Borrowed(self.event_type),
            time: Timestamp::from_micros(self.time),
            severity: self.severity,
            outcome: Outcome {
                result: self.result,
                reason: (self.result == Verdict::Failure).then(|| "duplicate".into()),
                message: self.message,
            },
            origin: self.origin,
            actor: Actor {
                kind: if self.actor.is_some() { ActorKind::Account } else { ActorKind::System },
                id: self.actor.map(|name| format!("account-{name}")),
                role: None,
            },
            transaction: Some(environment.id()),
            cause,
            targets: self.targets,
            personal: if personal.is_empty() {
                PersonalPart::None
            } else {
                PersonalPart::Clear(personal)
            },
            ..base
        }
    }
}

/// Seals events behind `from`; the tree is of no interest here.
pub async fn seal(store: &Store, from: u64, events: Vec<Event>) {
    let made = environment(from);
    let rows: Vec<_> = events
        .into_iter()
        .zip(from..)
        .map(|(event, index)| {
            let entry = event.entry(made.random()).unwrap();
            let part = entry.personal.map(|part| (part.salt, part.part));
            let seq = i64::try_from(index).unwrap() + 1;
            (seq, LogIndex(index), event, entry.bytes, part)
        })
        .collect();
    let rows = std::sync::Arc::new(rows);
    let to = from + rows.len() as u64;
    store
        .transaction("seal", move |tx: &mut Tx| {
            let rows = rows.clone();
            Box::pin(async move {
                let mut pending = Vec::new();
                for (seq, _, event, entry, part) in rows.iter() {
                    let (salt, part) = part.clone().unzip();
                    let id = event.id.to_string();
                    pending.push(chancery_store::args![*seq, id, NOW, entry.clone(), salt, part]);
                }
                let head =
                    "INSERT INTO pending_event (seq, event_id, recorded_at, entry, salt, part)";
                tx.insert_many(head, "", pending).await?;
                let pending = log::pending(tx, rows.len()).await?;
                let indexed: Vec<_> = pending
                    .into_iter()
                    .zip(rows.iter())
                    .map(|(row, (seq, index, event, ..))| {
                        assert_eq!(row.seq, *seq);
                        Indexed { row, index: *index, event: event.clone().into() }
                    })
                    .collect();
                let now = Timestamp::from_micros(NOW);
                let sequence = Sequence::new(from, &indexed, &[], now);
                log::sequence(tx, &sequence).await?;
                let checkpoint = Checkpoint {
                    size: to,
                    root: Hash([0; 32]),
                    note: "none".to_owned(),
                    signed_at: Timestamp::from_micros(NOW),
                };
                log::publish(tx, from, &checkpoint).await
            })
        })
        .await
        .unwrap();
}

/// Projects everything before `to`.
pub async fn project(store: &Store, to: u64) {
    loop {
        let mut link = store.read().await.unwrap();
        let from = log::cursor(&mut link, "projection").await.unwrap();
        if from.0 >= to {
            return;
        }
        let count = usize::try_from((to - from.0).min(2_048)).unwrap();
        let events: Vec<_> = log::range(&mut link, from, count).await.unwrap();
        let events: Vec<_> = events.into_iter().map(Sealed::into_event).collect();
        let dialect = link.dialect();
        drop(link);
        store
            .transaction("project", move |tx: &mut Tx| {
                let events = events.clone();
                Box::pin(async move {
                    let projection = Projection::new(dialect, from, &events);
                    log::project(tx, &projection, Timestamp::from_micros(NOW)).await?;
                    Ok::<(), Error>(())
                })
            })
            .await
            .unwrap();
    }
}

/// A target that is a certificate.
pub fn certificate(number: u64) -> Target {
    let id = format!("00000000-0000-7000-8000-{number:012}");
    Target::new(TargetKind::Certificate, id).named(format!("CN=host-{number}.example.com"))
}
