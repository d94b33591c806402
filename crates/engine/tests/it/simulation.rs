//! Years of an estate in seconds: a virtual clock, a seed, the real engine on a real store.
//!
//! Certificates are renewed in time, late or never; some are archived, restored, deleted; the
//! program is killed and stays down for days; the clock jumps and comes back; definitions change.
//! After every run of the monitor the whole inventory is held against a model that computes by
//! itself, from dates alone:
//!
//! - no missed threshold: who has crossed one has been reported for it or for a more pressing one;
//! - no threshold twice for one certificate, however often it was named;
//! - no expired certificate without an open alert, and none for what is silent;
//! - no effect without a record: every alert and every run has its event, every mark too.
//!
//! A seed that fails is printed; `CHANCERY_SEED=n` runs it alone. `CHANCERY_FULL=1` runs 200 seeds
//! of a year with 1,000 certificates; `CHANCERY_SEEDS=a..b` some of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use chancery_engine::automation::Class;
use chancery_engine::inventory::UploadAnswer;
use chancery_engine::{Context, Settings, Stepped};
use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_event::id::CertificateId;
use chancery_event::{Environment, LogIndex, Timestamp};
use chancery_pki::make::{self, Key, Template};
use chancery_store::log;
use chancery_store::table::alert;
use serde_json::json;

use crate::upload::upload_of;

const DAY: i64 = Timestamp::DAY;
const HOUR: i64 = Timestamp::HOUR;
const MONITOR: &str = "certificate-expiry";
/// Threshold lists that the definition changes between; days and share as the model computes them.
const LISTS: [&[(&str, i64, i64)]; 3] = [
    &[("30d/33%", 30, 33), ("14d/20%", 14, 20), ("7d/10%", 7, 10), ("1d/2%", 1, 2), ("0d", 0, 100)],
    &[("30d/33%", 30, 33), ("7d/10%", 7, 10), ("3d/5%", 3, 5), ("0d", 0, 100)],
    &[("21d/25%", 21, 25), ("1d/2%", 1, 2), ("0d", 0, 100)],
];

/// Numbers from a seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: i64) -> i64 {
        i64::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn one_in(&mut self, count: i64) -> bool {
        self.below(count) == 0
    }
}

/// A certificate as the model knows it.
struct Known {
    start: Timestamp,
    end: Timestamp,
    service: usize,
    archived: bool,
    /// End of the threshold reported last: as an instant.
    reported: Timestamp,
    told: HashSet<String>,
}

struct Service {
    life_days: i64,
    /// Renewed when this share of the life is left, in percent; 0: never.
    renews_at: i64,
    certificates: Vec<CertificateId>,
    generation: u64,
}

struct World {
    seed: u64,
    chance: Chance,
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
    environment: Environment,
    stepped: Option<Stepped>,
    key: Key,
    services: Vec<Service>,
    known: HashMap<CertificateId, Known>,
    list: usize,
    read: LogIndex,
    runs: u64,
    /// The run that ended since the last check.
    last_run: Option<chancery_event::Event>,
    events: u64,
    raised: u64,
}

fn settings(dir: &std::path::Path) -> Settings {
    Settings { allow_unencrypted_key: true, ..Settings::new(dir) }
}

impl World {
    async fn new(seed: u64, services: usize) -> Self {
        let memory = std::path::Path::new("/dev/shm");
        let dir = match memory.is_dir() {
            true => tempfile::tempdir_in(memory).unwrap(),
            false => tempfile::tempdir().unwrap(),
        };
        let clock = ManualClock::new("2027-01-01T00:00:00Z".parse().unwrap());
        let environment = Environment::new(clock.clone(), SeededEntropy::new(seed));
        let stepped = Stepped::open(settings(dir.path()), environment.clone()).await.unwrap();
        let mut world = Self {
            seed,
            chance: Chance(seed),
            dir,
            clock,
            environment,
            stepped: Some(stepped),
            key: Key::from_seed(b"simulation").unwrap(),
            services: Vec::new(),
            known: HashMap::new(),
            list: 0,
            read: LogIndex(0),
            runs: 0,
            last_run: None,
            events: 0,
            raised: 0,
        };
        // What is not looked at here would only take time.
        for (class, name) in [
            (Class::Monitor, "token-expiry"),
            (Class::Monitor, "token-unused"),
            (Class::Monitor, "account-unused"),
            (Class::Monitor, "limits"),
            (Class::Monitor, "jobs"),
            (Class::Monitor, "internal"),
            (Class::Schedule, "validation-sweep"),
            (Class::Schedule, "log-verification"),
            (Class::Schedule, "canary"),
            (Class::Trigger, "canary"),
            (Class::Trigger, "tell-of-expiry"),
        ] {
            let (engine, context) = (world.engine(), world.context());
            engine.delete_automation(&context, class, name).await.unwrap();
        }
        let mut first = Vec::new();
        for number in 0..services {
            let life_days =
                [398, 200, 100, 47, 47][usize::try_from(world.chance.below(5)).unwrap()];
            let renews_at =
                [0, 5, 15, 30, 33, 33, 40][usize::try_from(world.chance.below(7)).unwrap()];
            world.services.push(Service {
                life_days,
                renews_at,
                certificates: Vec::new(),
                generation: 0,
            });
            let age = world.chance.below(life_days * 24 + 48);
            first.push((number, world.now().plus(-age * HOUR)));
        }
        world.issue(first).await;
        world
    }

    fn now(&self) -> Timestamp {
        self.environment.now()
    }

    fn context(&self) -> Context {
        Context::command_line(&self.environment)
    }

    fn engine(&self) -> &chancery_engine::Engine {
        self.stepped.as_ref().unwrap().engine()
    }

    /// New certificates for services, from a time on, in one upload.
    async fn issue(&mut self, list: Vec<(usize, Timestamp)>) {
        if list.is_empty() {
            return;
        }
        let mut pem = String::new();
        let mut made = Vec::new();
        for (number, start) in list {
            let service = &mut self.services[number];
            service.generation += 1;
            // Dates of certificates have whole seconds.
            let second = Timestamp::SECOND;
            let start = Timestamp::from_micros(start.micros().div_euclid(second) * second);
            let end = start.plus(service.life_days * DAY);
            let name = format!("service-{number}.example.com");
            let mut template = Template::leaf(&[&name], start.micros(), end.micros());
            let serial = format!("{} {number} {}", self.seed, service.generation);
            template.serial = make::serial(serial.as_bytes());
            let der = make::certificate(&template, &self.key, None).unwrap();
            pem.push_str(&chancery_pki::Certificate::parse(&der).unwrap().to_pem());
            made.push((number, start, end));
        }
        let (engine, context) = (self.engine(), self.context());
        let answer = engine.upload(&context, upload_of(pem.into_bytes())).await.unwrap();
        let UploadAnswer::Done(items) = answer else { panic!("a synchronous upload is done") };
        assert_eq!(items.len(), made.len());
        for (item, (service, start, end)) in items.into_iter().zip(made) {
            let id = item.result.unwrap();
            self.services[service].certificates.push(id);
            let known = Known {
                start,
                end,
                service,
                archived: false,
                reported: Timestamp::FIRST,
                told: HashSet::new(),
            };
            self.known.insert(id, known);
        }
    }

    /// A certificate is silent if it is put away, or if its service has one that ends later and is
    /// not put away.
    fn is_silent(&self, id: CertificateId) -> bool {
        let known = &self.known[&id];
        let later = |other: &CertificateId| {
            let other = &self.known[other];
            other.end > known.end && !other.archived
        };
        known.archived || self.services[known.service].certificates.iter().any(later)
    }

    /// What happens in the estate by itself.
    async fn live(&mut self) {
        let now = self.now();
        let mut renewals = Vec::new();
        for (number, service) in self.services.iter().enumerate() {
            let newest = service.certificates.iter().max_by_key(|id| self.known[*id].end);
            let Some(newest) = newest else { continue };
            let end = self.known[newest].end;
            let left = end.since(now) * 100 / (service.life_days * DAY);
            if service.renews_at > 0 && left < service.renews_at {
                renewals.push(number);
            }
        }
        // Some renewals fail and are tried again at the next step.
        renewals.retain(|_| !self.chance.one_in(4));
        if self.chance.one_in(20) {
            let late = usize::try_from(self.chance.below(self.services.len() as i64)).unwrap();
            renewals.push(late);
            renewals.sort_unstable();
            renewals.dedup();
        }
        let list = renewals.into_iter().map(|number| (number, now.plus(-HOUR))).collect();
        self.issue(list).await;
        if self.chance.one_in(10) {
            self.meddle().await;
        }
    }

    /// Somebody archives, restores or deletes a certificate.
    async fn meddle(&mut self) {
        let number = usize::try_from(self.chance.below(self.services.len() as i64)).unwrap();
        let list = self.services[number].certificates.clone();
        if list.is_empty() {
            return;
        }
        let id = list[usize::try_from(self.chance.below(list.len() as i64)).unwrap()];
        let (engine, context) = (self.engine().clone(), self.context());
        if self.chance.one_in(4) && list.len() > 1 {
            engine.delete_certificate(&context, id, None).await.unwrap();
            self.services[number].certificates.retain(|other| *other != id);
            self.known.remove(&id);
        } else {
            let archived = !self.known[&id].archived;
            engine.archive_certificate(&context, id, archived, None).await.unwrap();
            self.known.get_mut(&id).unwrap().archived = archived;
        }
    }

    /// Somebody changes the definition.
    async fn change(&mut self) {
        self.list = usize::try_from(self.chance.below(LISTS.len() as i64)).unwrap();
        let thresholds: Vec<_> = LISTS[self.list].iter().map(|(text, _, _)| *text).collect();
        let cron = if self.chance.one_in(2) { "0 * * * *" } else { "0 */3 * * *" };
        let body = json!({
            "kind": "certificate_expiry",
            "schedule": { "cron": cron, "time_zone": "Europe/Prague" },
            "thresholds": thresholds,
        });
        let (engine, context) = (self.engine(), self.context());
        engine
            .update_automation(&context, Class::Monitor, MONITOR, None, body, true)
            .await
            .unwrap();
    }

    /// The program dies and stays down for a while.
    async fn outage(&mut self) {
        // Sometimes before what was done is sealed.
        if self.chance.one_in(2) {
            self.stepped.as_ref().unwrap().seal().await.unwrap();
        }
        self.stepped.take().unwrap().kill().await;
        let hours = if self.chance.one_in(3) { self.chance.below(20 * 24) } else { 1 };
        self.clock.advance(hours * HOUR);
        let settings = settings(self.dir.path());
        let stepped = Stepped::open(settings, self.environment.clone()).await.unwrap();
        self.stepped = Some(stepped);
    }

    async fn step(&mut self) {
        self.live().await;
        match self.chance.below(60) {
            0 | 1 => self.outage().await,
            2 => self.change().await,
            _ => {}
        }
        self.settle().await;
        if self.chance.one_in(150) {
            // The clock is wrong for a while.
            let jump = (self.chance.below(40) - 15) * DAY;
            self.clock.advance(jump);
            self.settle().await;
            self.clock.advance(HOUR - jump);
            self.settle().await;
        }
    }

    /// Everything that is due happens, and the model is held against it.
    async fn settle(&mut self) {
        let stepped = self.stepped.as_mut().unwrap();
        stepped.judge().await.unwrap();
        stepped.seal().await.unwrap();
        stepped.run_due().await.unwrap();
        stepped.seal().await.unwrap();
        self.last_run = None;
        self.read_log().await;
        self.check().await;
    }

    async fn read_log(&mut self) {
        let store = chancery_engine::bench::store(self.engine());
        let mut link = store.read().await.unwrap();
        loop {
            let events = log::range(&mut link, self.read, 4_096).await.unwrap();
            let Some(last) = events.last() else { return };
            self.read = LogIndex(last.index().0 + 1);
            self.events += events.len() as u64;
            for sealed in &events {
                let event = sealed.event();
                match event.type_name.as_ref() {
                    "certificate.expiring" | "certificate.expired" => self.hear(event),
                    "monitor.run" if event.detail["monitor"] == MONITOR => {
                        self.runs += 1;
                        if event.outcome.result.as_str() != "abandoned" {
                            self.last_run = Some(event.clone());
                        }
                    }
                    "alert.raised" => self.raised += 1,
                    _ => {}
                }
            }
        }
    }

    fn hear(&mut self, event: &chancery_event::Event) {
        let seed = self.seed;
        let id: CertificateId = event.detail["certificate_id"].as_str().unwrap().parse().unwrap();
        let Some(known) = self.known.get_mut(&id) else { return };
        let thresholds = std::iter::once(&event.detail["threshold"])
            .chain(event.detail["passed"].as_array().unwrap());
        for threshold in thresholds {
            let text = threshold.as_str().unwrap();
            assert!(known.told.insert(text.to_owned()), "seed {seed}: {text} twice for {id}");
        }
        let text = event.detail["threshold"].as_str().unwrap();
        let all = LISTS.iter().flat_map(|list| list.iter());
        let (_, days, percent) = all.into_iter().find(|(t, _, _)| *t == text).unwrap();
        known.reported = known.reported.max(instant(known, *days, *percent));
    }

    /// Holds the inventory against the model, if the monitor has just run.
    async fn check(&self) {
        let seed = self.seed;
        let now = self.now();
        // By its event, not by its time: a clock that jumps shows some times twice.
        let Some(run) = &self.last_run else { return };
        assert_eq!(run.outcome.result.as_str(), "success", "seed {seed}: {run:?}");
        let count = |name: &str| run.detail[name].as_u64().unwrap();
        assert_eq!(count("watched"), count("inventory"), "seed {seed} at {now}");
        assert_eq!(count("inventory"), self.known.len() as u64, "seed {seed} at {now}");
        assert_eq!(count("repaired"), 0, "seed {seed} at {now}");
        let store = chancery_engine::bench::store(self.engine());
        let mut link = store.read().await.unwrap();
        let open: HashSet<String> =
            alert::unresolved_keys(&mut link, "certificate/").await.unwrap().into_iter().collect();
        for (id, known) in &self.known {
            let alarmed = open.contains(&format!("certificate/{id}/expiry"));
            if self.is_silent(*id) {
                assert!(!alarmed, "seed {seed} at {now}: an alert for {id}, which is silent");
                continue;
            }
            let crossed = LISTS[self.list]
                .iter()
                .map(|(_, days, percent)| instant(known, *days, *percent))
                .filter(|at| *at <= now)
                .max();
            if let Some(crossed) = crossed {
                let reported = known.reported;
                assert!(reported >= crossed, "seed {seed} at {now}: {id} missed {crossed}");
            }
            if known.end <= now {
                assert!(alarmed, "seed {seed} at {now}: {id} has expired without an alert");
            }
        }
        for key in &open {
            let id = key.split('/').nth(1).unwrap().parse().unwrap();
            assert!(
                self.known.contains_key(&id),
                "seed {seed} at {now}: an alert for what is gone"
            );
        }
    }

    /// No effect without a record.
    async fn finish(mut self) -> (u64, u64, u64) {
        self.settle().await;
        let store = chancery_engine::bench::store(self.engine());
        let mut link = store.read().await.unwrap();
        let rows = chancery_store::bench::alerts(&mut link).await.unwrap();
        assert_eq!(u64::try_from(rows).unwrap(), self.raised, "seed {}", self.seed);
        let silent = chancery_store::bench::unrecorded_runs(&mut link).await.unwrap();
        assert_eq!(silent, 0, "seed {}", self.seed);
        drop(link);
        self.stepped.take().unwrap().kill().await;
        (self.runs, self.events, self.known.len() as u64)
    }
}

/// The model's own arithmetic.
fn instant(known: &Known, days: i64, percent: i64) -> Timestamp {
    let life = known.end.since(known.start);
    let share = i64::try_from(i128::from(life) * i128::from(percent) / 100).unwrap();
    known.end.plus(-(days * DAY).min(share))
}

async fn simulate(seed: u64, days: i64, services: usize) -> (u64, u64, u64) {
    let mut world = World::new(seed, services).await;
    let end = world.now().plus(days * DAY);
    while world.now() < end {
        let hours = 1 + world.chance.below(12);
        world.clock.advance(hours * HOUR);
        world.step().await;
    }
    world.finish().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_estate_lives_and_nothing_is_missed_or_told_twice() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let full = std::env::var_os("CHANCERY_FULL").is_some();
    let (days, services) = if full { (365, 1_000) } else { (120, 25) };
    let all = if full { 1..201 } else { 1..4 };
    let seeds = match (number("CHANCERY_SEED"), std::env::var("CHANCERY_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, Ok(text)) => {
            let (from, to) = text.split_once("..").unwrap();
            from.parse().unwrap()..to.parse().unwrap()
        }
        (None, Err(_)) => all,
    };
    for seed in seeds {
        let started = Instant::now();
        let (runs, events, certificates) = simulate(seed, days, services).await;
        println!(
            "seed {seed}: {days} days, {services} services, {certificates} certificates, {runs} \
             runs, {events} events, {:.1} s",
            started.elapsed().as_secs_f64()
        );
        assert!(runs > 100, "the monitor runs");
    }
}
