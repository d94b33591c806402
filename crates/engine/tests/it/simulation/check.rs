//! What monitors must have done, whenever they have run.

use std::collections::HashSet;

use chancery_event::id::{CertificateId, TokenId};
use chancery_event::{Event, LogIndex, Timestamp};
use chancery_store::table::{alert, monitor};
use chancery_store::{bench, log};

use super::model::{AUTHORITIES, NARROW, TOKENS, Told, lead_of};
use super::setup::{EVERY, OF_AUTHORITIES, OF_TOKENS, REPEAT_DAYS, SOME};
use super::world::World;

impl World {
    /// Reads what has been sealed since the last time, each event once.
    pub(super) async fn read_log(&mut self) {
        let from = self.read;
        let mut link = self.store().read().await.unwrap();
        loop {
            let events = log::range(&mut link, self.read, 4_096).await.unwrap();
            let Some(last) = events.last() else { break };
            self.read = LogIndex(last.index().0 + 1);
            self.events += events.len() as u64;
            for sealed in &events {
                let event = sealed.event();
                match event.type_name.as_ref() {
                    "certificate.expiring" | "certificate.expired" | "authority.expiring" => {
                        self.hear_of_certificate(event);
                    }
                    "authentication_method.expiring" | "authentication_method.expired" => {
                        self.hear_of_token(event);
                    }
                    "monitor.run" => {
                        self.runs += 1;
                        if event.outcome.result.as_str() != "abandoned" {
                            let name = event.detail["monitor"].as_str().unwrap().to_owned();
                            self.ended.insert(name, event.clone());
                        }
                    }
                    "alert.raised" => self.raised += 1,
                    _ => {}
                }
            }
            self.hear_of_reactions(&events);
        }
        drop(link);
        self.check_reactions(from).await;
    }

    fn hear_of_certificate(&mut self, event: &Event) {
        let seed = self.seed;
        let text = |name: &str| event.detail[name].as_str().unwrap();
        let id: CertificateId = text("certificate_id").parse().unwrap();
        let Some(known) = self.known.get_mut(&id) else { return };
        let (start, end, name) = (known.start, known.end, text("monitor"));
        let told = known.told.entry(name.to_owned()).or_default();
        hear(told, event, (start, end), &format!("seed {seed}: {name}: {id}"));
    }

    fn hear_of_token(&mut self, event: &Event) {
        let seed = self.seed;
        let id: TokenId = event.detail["method_id"].as_str().unwrap().parse().unwrap();
        let token = self.tokens.get_mut(&id).unwrap();
        let what = format!("seed {seed}: token {id}");
        if event.type_name.ends_with(".expired") {
            assert!(!token.expired, "{what}: twice expired");
            token.expired = true;
            token.told.reported = Some(token.end);
        } else {
            hear(&mut token.told, event, (token.start, token.end), &what);
        }
    }

    /// Holds everything against the model, as far as monitors have just run.
    pub(super) async fn check(&mut self) {
        // By their events, not by their times: a clock that jumps shows some times twice. What was
        // crossed is counted up to the run: the program may have died behind it.
        let ended = std::mem::take(&mut self.ended);
        for (name, run) in &ended {
            self.check_run(name, run);
        }
        let mut link = self.store().read().await.unwrap();
        if let Some(run) = ended.get(EVERY) {
            let keys = alert::unresolved_keys(&mut link, "certificate/").await.unwrap();
            self.check_alerts(&keys.into_iter().collect(), run.time);
        }
        if let Some(run) = ended.get(OF_TOKENS) {
            let keys = alert::unresolved_keys(&mut link, "token/").await.unwrap();
            self.check_tokens(&keys.into_iter().collect(), run.time);
        }
    }

    fn check_run(&self, name: &str, run: &Event) {
        let (seed, now) = (self.seed, run.time);
        let what = format!("seed {seed} at {now}: {name}");
        assert_eq!(run.outcome.result.as_str(), "success", "{what}: {run:?}");
        let count = |name: &str| run.detail[name].as_u64().unwrap();
        let there = match name {
            OF_AUTHORITIES => self.known.values().filter(|known| known.is_ca).count(),
            OF_TOKENS => self.tokens.values().filter(|token| !token.revoked).count(),
            _ => self.known.len(),
        };
        assert_eq!((count("inventory"), count("watched")), (there as u64, there as u64), "{what}");
        assert_eq!(count("repaired"), 0, "{what}");
        let list = match name {
            EVERY => self.setup.list(),
            SOME => NARROW,
            OF_AUTHORITIES => AUTHORITIES,
            _ => return,
        };
        let (latest, none) = (self.latest(), Told::default());
        for (id, known) in &self.known {
            let looks = match name {
                SOME => self.setup.looks && known.in_prod,
                OF_AUTHORITIES => known.is_ca,
                _ => true,
            };
            if !looks || known.archived || latest[known.service] > Some(known.end) {
                continue;
            }
            let told = known.told.get(name).unwrap_or(&none);
            if let Some(missed) = told.missed(list, (known.start, known.end), now) {
                panic!("{what}: {id} missed {missed}");
            }
        }
    }

    /// One alert for each end that somebody has to look at, and none for others.
    fn check_alerts(&self, open: &HashSet<String>, now: Timestamp) {
        let (seed, latest) = (self.seed, self.latest());
        for (id, known) in &self.known {
            let alarmed = open.contains(&format!("certificate/{id}/expiry"));
            let silent = known.archived || latest[known.service] > Some(known.end);
            if silent {
                assert!(!alarmed, "seed {seed} at {now}: an alert for {id}, which is silent");
            } else if known.end <= now {
                assert!(alarmed, "seed {seed} at {now}: {id} has expired without an alert");
            }
            if alarmed {
                assert!(!known.told.is_empty(), "seed {seed} at {now}: {id} without an event");
            }
        }
        for key in open {
            let id = key.split('/').nth(1).unwrap().parse().unwrap();
            assert!(
                self.known.contains_key(&id),
                "seed {seed} at {now}: an alert for what is gone: {id}"
            );
        }
    }

    fn check_tokens(&self, open: &HashSet<String>, now: Timestamp) {
        let seed = self.seed;
        for (id, token) in &self.tokens {
            let alarmed = open.contains(&format!("token/{id}/expiry"));
            let what = format!("seed {seed} at {now}: token {id}");
            if token.revoked {
                assert!(!alarmed, "{what}: an alert for one that is revoked");
                continue;
            }
            if let Some(missed) = token.told.missed(TOKENS, (token.start, token.end), now) {
                panic!("{what} missed {missed}");
            }
            assert_eq!(alarmed, token.told.reported.is_some(), "{what}: alert and event");
        }
    }

    /// No effect without a record, over everything there is.
    pub(super) async fn account_for_everything(&mut self) {
        let seed = self.seed;
        let mut link = self.store().read().await.unwrap();
        let rows = bench::alerts(&mut link).await.unwrap();
        assert_eq!(u64::try_from(rows).unwrap(), self.raised, "seed {seed}: alerts");
        let silent = bench::unrecorded_runs(&mut link).await.unwrap();
        assert_eq!(silent, 0, "seed {seed}: runs");
        let jobs = bench::jobs(&mut link).await.unwrap();
        assert_eq!(u64::try_from(jobs).unwrap(), self.reactions.jobs, "seed {seed}: jobs");
        let ids: Vec<_> = self.known.keys().map(CertificateId::to_string).collect();
        for part in ids.chunks(1_000) {
            for (row, _, groups) in monitor::certificates(&mut link, part).await.unwrap().values() {
                let known = &self.known[&row.id];
                let path = if known.in_prod { "/prod" } else { "/" };
                assert_eq!(row.path, path, "seed {seed}: {}", row.id);
                let late = self.reactions.late.contains(&row.id);
                assert_eq!(!groups.is_empty(), late, "seed {seed}: groups of {}", row.id);
                assert_eq!(row.archived, known.archived, "seed {seed}: {}", row.id);
            }
        }
    }
}

/// Notes what was said of an object; nothing may be said twice.
fn hear(told: &mut Told, event: &Event, (start, end): (Timestamp, Timestamp), what: &str) {
    let text = event.detail["threshold"].as_str().unwrap();
    let instant = lead_of(text).instant(start, end);
    if event.detail.get("repeated").and_then(serde_json::Value::as_bool) == Some(true) {
        let number = event.time.since(instant) / (REPEAT_DAYS * Timestamp::DAY);
        assert!(told.repeats.insert((text.to_owned(), number)), "{what}: {text} repeated twice");
        return;
    }
    let passed = event.detail["passed"].as_array().unwrap();
    for threshold in passed.iter().map(|passed| passed.as_str().unwrap()).chain([text]) {
        assert!(told.thresholds.insert(threshold.to_owned()), "{what}: {threshold} twice");
    }
    told.reported = told.reported.max(Some(instant));
}
