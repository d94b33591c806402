//! What triggers must have made of each event, and what must have come of that.
//!
//! The model goes through the sealed events in their order and says which triggers were to be
//! asked, with which verdict, and what was to happen. The records of the program and the events
//! that were caused on behalf of triggers must say the same, no more and no less.

use std::collections::{BTreeMap, HashMap, HashSet};

use chancery_event::id::{CertificateId, EventId};
use chancery_event::{Event, LogIndex, Origin, TargetKind};
use chancery_store::log::Sealed;
use chancery_store::table::alert;
use chancery_store::table::evaluation::{self, Evaluation};
use serde_json::Value;

use super::model::Certificates;
use super::setup::{Bound, Pressing, Setup};
use super::world::{World, is_lab, is_placed};

/// A trigger that was asked: scope, name, verdict.
type Asked = (&'static str, &'static str, &'static str);

/// What the model knows of triggers.
#[derive(Default)]
pub(super) struct Reactions {
    /// Revision of the configuration.
    pub(super) revision: i64,
    /// Uploads that were kept out and whose events have not been seen yet: who was asked.
    kept_out: Vec<Vec<Asked>>,
    /// Who was asked before a certificate entered.
    staged: HashMap<CertificateId, Vec<Asked>>,
    /// Who was asked about events that are not sealed when that happens.
    before: Vec<(EventId, Vec<Asked>)>,
    /// Who was to be asked about sealed events.
    asked: BTreeMap<u64, Vec<Asked>>,
    /// What was to happen because of an event: types of events.
    expected: HashMap<EventId, Vec<&'static str>>,
    /// What has happened on behalf of triggers.
    happened: HashMap<EventId, Vec<String>>,
    /// Certificates that a trigger has put into the group.
    pub(super) late: HashSet<CertificateId>,
    /// Keys of alerts that triggers have raised and not resolved.
    open: HashSet<String>,
    /// Jobs that were queued.
    pub(super) jobs: u64,
    evaluations: u64,
    effects: u64,
    refused: u64,
}

impl Reactions {
    /// A certificate has entered: the triggers on uploads were asked with this configuration.
    pub(super) fn entered(&mut self, id: CertificateId, number: usize, setup: &Setup) {
        self.staged.insert(id, on_upload(number, setup));
    }

    /// A certificate was kept out.
    pub(super) fn refused(&mut self, number: usize, setup: &Setup) {
        self.kept_out.push(on_upload(number, setup));
    }

    pub(super) fn told(&self) -> String {
        format!(
            "{} evaluations, {} effects of triggers, {} kept out",
            self.evaluations, self.effects, self.refused
        )
    }

    fn hear(&mut self, sealed: &Sealed, known: &Certificates, setup: &Setup) {
        let event = sealed.event();
        // What profiles make of a call in the bell is theirs, not that of a step.
        let told = event.detail.get("raised_by").and_then(Value::as_str);
        let by_profile = told.is_some_and(|source| source.starts_with("profile/"));
        if event.origin == Origin::Trigger && !by_profile && event.type_name != "alert.assign" {
            let cause = event.cause.unwrap_or(event.id);
            self.happened.entry(cause).or_default().push(event.type_name.to_string());
            self.effects += 1;
        }
        match event.type_name.as_ref() {
            "job.queued" => self.jobs += 1,
            "certificate.uploaded" => {
                let asked = self.staged.remove(&certificate_of(event)).unwrap();
                self.before.push((event.id, asked));
            }
            "certificate.upload" if event.outcome.reason.as_deref() == Some("ignored") => {
                let asked = self.kept_out.pop().expect("one that was to be kept out");
                self.before.push((event.id, asked));
                self.expect(event.id, "alert.raised");
                self.refused += 1;
            }
            "certificate.expiring"
            | "certificate.expired"
            | "certificate.replaced"
            | "authority.expiring"
            | "authentication_method.expiring"
            | "authentication_method.expired" => {
                let asked = self.dispatched(event, known, setup);
                if !asked.is_empty() {
                    self.asked.insert(sealed.index().0, asked);
                }
            }
            _ => {}
        }
    }

    /// A certificate is deleted, and with it what triggers have raised about it.
    pub(super) fn forget(&mut self, id: CertificateId) {
        for kind in ["pressing", "late"] {
            self.open.remove(&format!("{kind}:certificate/{id}"));
        }
    }

    fn expect(&mut self, event: EventId, effect: &'static str) {
        self.expected.entry(event).or_default().push(effect);
    }

    fn raise(&mut self, event: EventId, key: String) {
        if self.open.insert(key) {
            self.expect(event, "alert.raised");
        }
    }

    /// Who is asked about a sealed event; what they do is noted.
    fn dispatched(&mut self, event: &Event, known: &Certificates, setup: &Setup) -> Vec<Asked> {
        let type_name = event.type_name.as_ref();
        let mut asked = Vec::new();
        if !type_name.starts_with("certificate.") {
            return vec![("platform", "tell-of-expiry", "matched")];
        }
        let id = certificate_of(event);
        let subject = known.get(&id);
        if type_name == "certificate.expiring"
            && subject.is_some()
            && self.late.contains(&id)
            && setup.late != Bound::Paused
        {
            asked.push(("group/late", "late", "matched"));
            self.raise(event.id, format!("late:certificate/{id}"));
            if setup.late == Bound::Replaces {
                return asked;
            }
        }
        if type_name == "certificate.replaced" {
            if setup.settled {
                asked.push(("platform", "settled", "matched"));
                if self.open.remove(&format!("pressing:certificate/{id}")) {
                    self.expect(event.id, "alert.resolved");
                }
            }
            return asked;
        }
        if let Some(pressing) = setup.pressing {
            let in_prod = subject.is_some_and(|known| known.in_prod);
            let crossed = event.detail["threshold"] == "7d/10%";
            let parts: &[bool] = match pressing {
                Pressing::Everything => &[],
                Pressing::Threshold => &[crossed],
                Pressing::Prod => &[in_prod],
                Pressing::Two => &[in_prod, crossed],
            };
            let verdict = match parts.iter().filter(|holds| !**holds).count() {
                0 => "matched",
                1 => "nearly",
                _ => "not_matched",
            };
            asked.push(("platform", "pressing", verdict));
            if verdict == "matched" {
                if subject.is_some() && self.late.insert(id) {
                    self.expect(event.id, "certificate.update");
                }
                self.raise(event.id, format!("pressing:certificate/{id}"));
                if subject.is_some() {
                    self.expect(event.id, "job.queued");
                }
            }
        }
        asked.push(("platform", "tell-of-expiry", "matched"));
        asked
    }
}

/// Who is asked before a certificate enters.
fn on_upload(number: usize, setup: &Setup) -> Vec<Asked> {
    let mut asked = Vec::new();
    let kept_out = setup.keep_out && is_lab(number);
    if setup.keep_out {
        asked.push(("platform", "keep-out", if kept_out { "ignored" } else { "nearly" }));
    }
    if setup.place {
        let verdict = match (kept_out, is_placed(number)) {
            (true, _) => "not_reached",
            (false, true) => "matched",
            (false, false) => "nearly",
        };
        asked.push(("platform", "place", verdict));
    }
    asked
}

/// The certificate that an event is about.
fn certificate_of(event: &Event) -> CertificateId {
    let target = event.targets.iter().find(|target| target.kind == TargetKind::Certificate);
    target.unwrap().id.parse().unwrap()
}

fn same(row: &Evaluation, (scope, trigger, verdict): &Asked) -> bool {
    (row.scope.as_str(), row.trigger.as_str(), row.verdict.as_str()) == (*scope, *trigger, *verdict)
}

impl World {
    pub(super) fn hear_of_reactions(&mut self, events: &[Sealed]) {
        for sealed in events {
            self.reactions.hear(sealed, &self.known, &self.setup);
        }
    }

    /// Holds what was recorded since `from` against the model.
    pub(super) async fn check_reactions(&mut self, from: LogIndex) {
        let (seed, now, to) = (self.seed, self.now(), self.read);
        let store = chancery_engine::bench::store(self.stepped.as_ref().unwrap().engine());
        let mut link = store.read().await.unwrap();
        let reactions = &mut self.reactions;
        assert!(reactions.kept_out.is_empty(), "seed {seed} at {now}: a refusal without an event");
        let mut rows: BTreeMap<u64, Vec<Evaluation>> = BTreeMap::new();
        for row in evaluation::of_range(&mut link, from, to).await.unwrap() {
            assert_eq!(row.revision, reactions.revision, "seed {seed} at {now}: {row:?}");
            rows.entry(row.log_index.unwrap().0).or_default().push(row);
        }
        let asked = std::mem::take(&mut reactions.asked);
        let indexes: Vec<_> = asked.keys().chain(rows.keys()).copied().collect();
        for index in indexes {
            let (asked, rows) = (asked.get(&index), rows.get(&index));
            let (Some(asked), Some(rows)) = (asked, rows) else {
                panic!("seed {seed} at {now}: event {index}: asked {asked:?}, kept {rows:?}");
            };
            assert!(
                asked.len() == rows.len() && rows.iter().zip(asked).all(|(row, a)| same(row, a)),
                "seed {seed} at {now}: event {index}: asked {asked:?}, kept {rows:?}"
            );
        }
        let mut all: Vec<_> = rows.into_values().flatten().collect();
        for (event, asked) in std::mem::take(&mut reactions.before) {
            let rows = evaluation::of_event(&mut link, event).await.unwrap();
            assert!(
                asked.len() == rows.len() && rows.iter().zip(&asked).all(|(row, a)| same(row, a)),
                "seed {seed} at {now}: event {event}: asked {asked:?}, kept {rows:?}"
            );
            all.extend(rows);
        }
        reactions.evaluations += all.len() as u64;
        let expected = std::mem::take(&mut reactions.expected);
        let mut happened = std::mem::take(&mut reactions.happened);
        for (event, mut expected) in expected {
            let mut happened = happened.remove(&event).unwrap_or_default();
            expected.sort_unstable();
            happened.sort_unstable();
            assert_eq!(happened, expected, "seed {seed} at {now}: because of {event}");
            check_steps(&all, event, &expected, seed);
        }
        assert!(happened.is_empty(), "seed {seed} at {now}: without a record: {happened:?}");
        let mut open = HashSet::new();
        for prefix in ["pressing:", "late:"] {
            open.extend(alert::unresolved_keys(&mut link, prefix).await.unwrap());
        }
        assert_eq!(open, reactions.open, "seed {seed} at {now}: alerts of triggers");
    }
}

/// What the record of an event says was done is what has happened.
fn check_steps(rows: &[Evaluation], event: EventId, happened: &[&str], seed: u64) {
    let mut done: HashMap<&str, usize> = HashMap::new();
    let steps: Vec<Value> = rows
        .iter()
        .filter(|row| row.event_id == event)
        .flat_map(|row| serde_json::from_str::<Vec<Value>>(&row.steps).unwrap())
        .collect();
    for step in steps.iter().filter(|step| step["result"] == "done") {
        let effect = match step["step"].as_str().unwrap() {
            "add_group" => "certificate.update",
            "start_job" => "job.queued",
            "resolve_alert" => "alert.resolved",
            // An alert that is open counts up, which is no event of its own.
            _ => continue,
        };
        *done.entry(effect).or_default() += 1;
    }
    for effect in ["certificate.update", "job.queued", "alert.resolved"] {
        let times = happened.iter().filter(|one| **one == effect).count();
        let told = done.get(effect).copied().unwrap_or(0);
        assert_eq!(told, times, "seed {seed}: {effect} because of {event}: {steps:?}");
    }
}
