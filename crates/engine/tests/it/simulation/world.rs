//! The estate: what lives in it, what people do to it, and what goes wrong.

use std::collections::HashMap;
use std::sync::Arc;

use chancery_engine::access::NewToken;
use chancery_engine::automation::{Class, Edit};
use chancery_engine::configuration::{LabelClass, LabelDraft};
use chancery_engine::inventory::UploadAnswer;
use chancery_engine::{Context, Engine, Error, Settings, Stepped, bench};
use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_event::id::{AccountId, CertificateId};
use chancery_event::{Environment, LogIndex, Timestamp};
use chancery_pki::make::{self, Key, Template};
use chancery_store::{Store, Trouble, log};
use chancery_throwaway::database_of;

use super::Chance;
use super::model::{Certificates, Known, Service, Token, Tokens, latest};
use super::react::Reactions;
use super::setup::{EVERY, OF_AUTHORITIES, OF_TOKENS, Setup};
use crate::upload::upload_of;

const DAY: i64 = Timestamp::DAY;
const HOUR: i64 = Timestamp::HOUR;
/// After it a claim on a run that nobody ended has run out, and a run that failed is tried again.
const RETRY: i64 = 6 * 60 * Timestamp::SECOND;

/// What a service is called by its number; some are authorities, some belong to a laboratory.
pub(super) fn name_of(number: usize) -> String {
    match number {
        _ if is_ca(number) => format!("Authority {number}"),
        _ if is_lab(number) => format!("lab-{number}.example.com"),
        _ => format!("service-{number}.example.com"),
    }
}

pub(super) fn is_lab(number: usize) -> bool {
    number % 40 == 39
}

fn is_ca(number: usize) -> bool {
    number % 50 == 25
}

/// Whether the trigger that places finds it.
pub(super) fn is_placed(number: usize) -> bool {
    number.is_multiple_of(10) && !is_lab(number) && !is_ca(number)
}

pub(super) struct World {
    pub(super) seed: u64,
    pub(super) chance: Chance,
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
    environment: Environment,
    pub(super) stepped: Option<Stepped>,
    key: Key,
    account: AccountId,
    pub(super) setup: Setup,
    applied: Vec<Edit>,
    pub(super) services: Vec<Service>,
    pub(super) known: Certificates,
    pub(super) tokens: Tokens,
    pub(super) reactions: Reactions,
    /// Everything before it has been held against the model.
    pub(super) read: LogIndex,
    /// Runs that ended since the last check, by monitor.
    pub(super) ended: HashMap<String, chancery_event::Event>,
    pub(super) runs: u64,
    pub(super) events: u64,
    pub(super) raised: u64,
    outages: u64,
}

fn settings(dir: &std::path::Path) -> Settings {
    let database = database_of(dir).map(|url| url.parse().unwrap());
    Settings { allow_unencrypted_key: true, database, ..Settings::new(dir) }
}

impl World {
    pub(super) async fn new(seed: u64, services: usize) -> Self {
        let memory = std::path::Path::new("/dev/shm");
        let dir = match memory.is_dir() {
            true => tempfile::tempdir_in(memory).unwrap(),
            false => tempfile::tempdir().unwrap(),
        };
        let clock = ManualClock::new("2027-01-01T00:00:00Z".parse().unwrap());
        let environment = Environment::new(clock.clone(), SeededEntropy::new(seed));
        let stepped = Stepped::open(settings(dir.path()), environment.clone()).await.unwrap();
        let context = Context::command_line(&environment);
        let account = stepped.engine().accounts(&context).await.unwrap().remove(0).id;
        let mut world = Self {
            seed,
            chance: Chance(seed),
            dir,
            clock,
            environment,
            stepped: Some(stepped),
            key: Key::from_seed(b"simulation").unwrap(),
            account,
            setup: Setup::FIRST,
            applied: Vec::new(),
            services: Vec::new(),
            known: HashMap::new(),
            tokens: HashMap::new(),
            reactions: Reactions::default(),
            read: LogIndex(0),
            ended: HashMap::new(),
            runs: 0,
            events: 0,
            raised: 0,
            outages: 0,
        };
        world.furnish().await;
        world.settle_in(services).await;
        world
    }

    /// What is not looked at here would only take time; what is, is set up.
    async fn furnish(&mut self) {
        let (engine, context) = (self.engine().clone(), self.context());
        let draft = LabelDraft { name: "late".to_owned(), description: String::new() };
        engine.create_label(&context, LabelClass::Group, draft).await.unwrap();
        let book = engine.automation_book(&context).await.unwrap();
        for (class, name) in book.objects.keys() {
            let kept = [EVERY, OF_AUTHORITIES, OF_TOKENS].contains(&name.as_str());
            let clock = matches!(class, Class::Monitor | Class::Schedule) && !kept;
            if clock || (*class == Class::Trigger && name == "canary") {
                engine.delete_automation(&context, *class, name).await.unwrap();
            }
        }
        self.apply().await;
    }

    /// The first certificates and tokens, of every age.
    async fn settle_in(&mut self, services: usize) {
        let mut first = Vec::new();
        for number in 0..services {
            let life_days = match is_ca(number) {
                true => [730, 1_095][self.chance.place(2)],
                false => [398, 200, 100, 47, 47][self.chance.place(5)],
            };
            let renews_at = [0, 5, 15, 30, 33, 33, 40][self.chance.place(7)];
            let service = Service { life_days, renews_at, certificates: Vec::new(), generation: 0 };
            self.services.push(service);
            let age = self.chance.below(life_days * 24 + 48);
            first.push((number, self.now().plus(-age * HOUR)));
        }
        self.issue(first).await;
        for _ in 0..10 {
            self.give_token().await;
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.environment.now()
    }

    pub(super) fn context(&self) -> Context {
        Context::command_line(&self.environment)
    }

    pub(super) fn engine(&self) -> &Engine {
        self.stepped.as_ref().unwrap().engine()
    }

    pub(super) fn store(&self) -> &Store {
        bench::store(self.engine())
    }

    /// Saves what differs from what was saved last.
    async fn apply(&mut self) {
        let edits = self.setup.edits();
        let new: Vec<_> = edits.iter().filter(|e| !self.applied.contains(e)).cloned().collect();
        if !new.is_empty() {
            let (engine, context) = (self.engine(), self.context());
            let revision = engine.apply_automation(&context, None, new).await.unwrap();
            self.reactions.revision = revision;
        }
        self.applied = edits;
    }

    /// New certificates for services, from a time on, in one upload; what is refused because the
    /// store is away does not come in.
    async fn issue(&mut self, list: Vec<(usize, Timestamp)>) {
        if list.is_empty() {
            return;
        }
        let mut pem = String::new();
        let mut made = Vec::new();
        for (number, start) in list {
            // Dates of certificates have whole seconds.
            let second = Timestamp::SECOND;
            let start = Timestamp::from_micros(start.micros().div_euclid(second) * second);
            let service = &mut self.services[number];
            service.generation += 1;
            let end = start.plus(service.life_days * DAY);
            let (name, dates) = (name_of(number), (start.micros(), end.micros()));
            let mut template = match is_ca(number) {
                true => Template::ca(&name, dates.0, dates.1),
                false => Template::leaf(&[&name], dates.0, dates.1),
            };
            let serial = format!("{} {number} {}", self.seed, service.generation);
            template.serial = make::serial(serial.as_bytes());
            let der = make::certificate(&template, &self.key, None).unwrap();
            pem.push_str(&chancery_pki::Certificate::parse(&der).unwrap().to_pem());
            made.push((number, start, end));
        }
        let (engine, context) = (self.engine(), self.context());
        let items = match engine.upload(&context, upload_of(pem.into_bytes())).await {
            Ok(UploadAnswer::Done(items)) => items,
            Ok(UploadAnswer::Queued(_)) => panic!("a synchronous upload is done"),
            Err(error) => return assert!(error.is_transient(), "seed {}: {error}", self.seed),
        };
        assert_eq!(items.len(), made.len());
        for (item, (number, start, end)) in items.into_iter().zip(made) {
            let kept_out = self.setup.keep_out && is_lab(number);
            match item.result {
                Ok(id) => {
                    assert!(!kept_out, "seed {}: {id} was to be kept out", self.seed);
                    self.entered(id, number, (start, end));
                }
                Err(Error::Ignored { .. }) if kept_out => {
                    self.reactions.refused(number, &self.setup);
                }
                Err(error) => assert!(error.is_transient(), "seed {}: {error}", self.seed),
            }
        }
    }

    fn entered(&mut self, id: CertificateId, number: usize, (start, end): (Timestamp, Timestamp)) {
        self.services[number].certificates.push(id);
        let in_prod = self.setup.place && is_placed(number);
        self.reactions.entered(id, number, &self.setup);
        let known = Known {
            start,
            end,
            service: number,
            archived: false,
            in_prod,
            is_ca: is_ca(number),
            told: HashMap::new(),
        };
        self.known.insert(id, known);
    }

    async fn give_token(&mut self) {
        let days = [30, 90, 366][self.chance.place(3)];
        let new = NewToken {
            name: "script".to_owned(),
            account: Some(self.account.to_string()),
            role: Some("viewer".to_owned()),
            days,
        };
        let start = self.now();
        let made = self.engine().create_token(&self.context(), new).await;
        match made {
            Ok(made) => {
                let token = Token {
                    start,
                    end: made.expires_at,
                    revoked: false,
                    told: super::model::Told::default(),
                    expired: false,
                };
                self.tokens.insert(made.id, token);
            }
            Err(error) => assert!(error.is_transient(), "seed {}: {error}", self.seed),
        }
    }

    /// What happens in the estate by itself.
    async fn live(&mut self) {
        let now = self.now();
        let ends = latest_of_all(&self.services, &self.known);
        let mut renewals = Vec::new();
        for (number, service) in self.services.iter().enumerate() {
            let Some(end) = ends[number] else { continue };
            let left = end.since(now) * 100 / (service.life_days * DAY);
            if service.renews_at > 0 && left < service.renews_at {
                renewals.push(number);
            }
        }
        // Some renewals fail and are tried again at the next step; who is kept out tries seldom.
        let keep_out = self.setup.keep_out;
        renewals.retain(|number| match keep_out && is_lab(*number) {
            true => self.chance.one_in(40),
            false => !self.chance.one_in(4),
        });
        if self.chance.one_in(20) {
            renewals.push(self.chance.place(self.services.len()));
            renewals.sort_unstable();
            renewals.dedup();
        }
        let list = renewals.into_iter().map(|number| (number, now.plus(-HOUR))).collect();
        self.issue(list).await;
        if self.chance.one_in(10) {
            self.meddle().await;
        }
        if self.chance.one_in(60) {
            self.give_token().await;
        }
        if self.chance.one_in(120) {
            self.revoke().await;
        }
    }

    /// Somebody archives, restores or deletes a certificate.
    async fn meddle(&mut self) {
        let number = self.chance.place(self.services.len());
        let list = self.services[number].certificates.clone();
        if list.is_empty() {
            return;
        }
        let id = list[self.chance.place(list.len())];
        let (engine, context) = (self.engine().clone(), self.context());
        if self.chance.one_in(4) && list.len() > 1 {
            if engine.delete_certificate(&context, id, None).await.is_ok() {
                self.services[number].certificates.retain(|other| *other != id);
                self.known.remove(&id);
                self.reactions.forget(id);
            }
        } else {
            let archived = !self.known[&id].archived;
            if engine.archive_certificate(&context, id, archived, None).await.is_ok() {
                self.known.get_mut(&id).unwrap().archived = archived;
            }
        }
    }

    async fn revoke(&mut self) {
        let mut live: Vec<_> = self.tokens.iter().filter(|(_, token)| !token.revoked).collect();
        live.sort_by_key(|(id, _)| **id);
        if live.is_empty() {
            return;
        }
        let id = *live[self.chance.place(live.len())].0;
        if self.engine().revoke_token(&self.context(), id).await.is_ok() {
            self.tokens.get_mut(&id).unwrap().revoked = true;
        }
    }

    /// The program dies and stays down for a while.
    async fn crash(&mut self) {
        // Before what was done is sealed, before anybody has reacted to it, or later.
        let stepped = self.stepped.as_mut().unwrap();
        match self.chance.below(4) {
            0 => {}
            1 => stepped.seal().await.unwrap(),
            2 => {
                stepped.judge().await.unwrap();
                stepped.seal().await.unwrap();
                stepped.run_due().await.unwrap();
            }
            _ => {
                stepped.seal().await.unwrap();
                stepped.run_due().await.unwrap();
                stepped.seal().await.unwrap();
                stepped.react().await.unwrap();
            }
        }
        self.stepped.take().unwrap().kill().await;
        let hours = if self.chance.one_in(3) { self.chance.below(20 * 24) } else { 1 };
        self.clock.advance(hours * HOUR);
        let settings = settings(self.dir.path());
        let stepped = Stepped::open(settings, self.environment.clone()).await.unwrap();
        self.stepped = Some(stepped);
    }

    /// The store is away for hours or days; people and loops try all the same.
    async fn outage(&mut self) {
        self.outages += 1;
        let before = (self.known.len(), self.tokens.len());
        self.store().suffer(Trouble::Outage);
        for _ in 0..1 + self.chance.below(3) {
            self.clock.advance((1 + self.chance.below(30)) * HOUR);
            self.live().await;
            let stepped = self.stepped.as_mut().unwrap();
            assert!(stepped.judge().await.is_err() && stepped.run_due().await.is_err());
            assert!(stepped.seal().await.is_err() && stepped.react().await.is_err());
        }
        assert_eq!(before, (self.known.len(), self.tokens.len()), "nothing comes in");
        self.store().suffer(Trouble::None);
    }

    pub(super) async fn step(&mut self) {
        let hours = 1 + self.chance.below(12);
        self.clock.advance(hours * HOUR);
        self.live().await;
        match self.chance.below(80) {
            0 | 1 => self.crash().await,
            2 => {
                self.setup.change_monitors(&mut self.chance);
                self.apply().await;
            }
            3 | 4 => {
                self.setup.change_triggers(&mut self.chance);
                self.apply().await;
            }
            5 => self.outage().await,
            6 | 7 => self.stumble().await,
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

    /// Some transactions fail, or succeed and nobody hears of it.
    async fn stumble(&mut self) {
        self.outages += 1;
        let trouble = Trouble::Flaky { one_in: 5, seed: self.chance.next() };
        self.store().suffer(trouble);
        for _ in 0..4 {
            // Which of them fail does not matter: whatever is left is done afterwards.
            let _ = self.round().await;
            self.clock.advance(RETRY);
        }
        self.store().suffer(Trouble::None);
        self.clock.advance(RETRY);
    }

    /// Everything that is due happens, until nothing follows from it any more.
    async fn round(&mut self) -> Result<(), Error> {
        let stepped = self.stepped.as_mut().unwrap();
        stepped.judge().await?;
        stepped.seal().await?;
        stepped.run_due().await?;
        loop {
            stepped.seal().await?;
            let before = sealed(bench::store(stepped.engine())).await?;
            stepped.react().await?;
            stepped.notify().await?;
            stepped.seal().await?;
            if sealed(bench::store(stepped.engine())).await? == before {
                return Ok(());
            }
        }
    }

    async fn settle(&mut self) {
        self.round().await.unwrap();
        self.read_log().await;
        self.check().await;
    }

    /// What it came to, in words.
    pub(super) async fn finish(mut self) -> String {
        self.settle().await;
        self.account_for_everything().await;
        self.stepped.take().unwrap().kill().await;
        assert!(self.runs > 100, "seed {}: the monitors run", self.seed);
        let reacted = self.reactions.told();
        format!(
            "{} certificates, {} tokens, {} runs, {} events, {reacted}, {} outages",
            self.known.len(),
            self.tokens.len(),
            self.runs,
            self.events,
            self.outages
        )
    }
}

async fn sealed(store: &Store) -> Result<LogIndex, Error> {
    Ok(log::latest_index(&mut store.read().await?).await?)
}

/// The end of the newest certificate of each service, put away or not.
fn latest_of_all(services: &[Service], known: &Certificates) -> Vec<Option<Timestamp>> {
    let of = |service: &Service| service.certificates.iter().map(|id| known[id].end).max();
    services.iter().map(of).collect()
}

impl World {
    /// The end up to which certificates of each service are silent.
    pub(super) fn latest(&self) -> Vec<Option<Timestamp>> {
        latest(&self.services, &self.known)
    }
}
