//! Live, dry run, back-test and fast-forward say the same, over configurations and certificates
//! from a seed: every kind of step, every scope, triggers that ignore, orders, scopes that replace.
//!
//! Two installations live through the same. In one the triggers are saved, and act; in the other
//! none is, and they are tried out. Each certificate meets one event that triggers listen to, so
//! that what they do to it changes no later answer. `CHANCERY_SEED=n` runs one seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use chancery_engine::access::NewAccount;
use chancery_engine::automation::{Class, Edit};
use chancery_engine::configuration::attribute::AttributeDraft;
use chancery_engine::configuration::{LabelClass, LabelDraft};
use chancery_engine::inventory::{PlacementRequest, Upload, UploadAnswer};
use chancery_engine::reaction::record::Row;
use chancery_engine::reaction::trial::{Trial, TrialEdit};
use chancery_engine::{Context, Engine, Error, Role, Settings, Stepped, bench};
use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_event::id::{CertificateId, EventId};
use chancery_event::{Environment, LogIndex, Timestamp};
use chancery_pki::make::{self, Key, Template};
use chancery_store::log;
use chancery_throwaway::on_each_backend;
use serde_json::{Value, json};

use crate::access::new_account;
use crate::upload::{settings, upload_of};

const DAY: i64 = Timestamp::DAY;
const CERTIFICATES: usize = 24;
const TRIGGERS: usize = 30;

/// Numbers from a seed (a linear congruential generator; its upper bits).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// Where somebody wants a certificate to belong.
    fn wish(&mut self) -> PlacementRequest {
        let groups = ["B", "a", "c"].iter().filter(|_| self.one_in(2));
        PlacementRequest {
            groups: Some(groups.map(|name| (*name).to_owned()).collect()),
            ra_profile: self.one_in(2).then(|| self.of(&["p", "q"]).to_string()),
            owner: self.one_in(2).then(|| "ada".to_owned()),
            path: Some(self.of(&["/prod", "/test", "/"]).to_string()),
            attributes: BTreeMap::from([("team".to_owned(), json!(self.of(&["x", "y"])))]),
            ..PlacementRequest::default()
        }
    }
}

/// One installation.
struct Twin {
    stepped: Stepped,
    clock: Arc<ManualClock>,
    context: Context,
    ids: Vec<CertificateId>,
    _dir: tempfile::TempDir,
}

fn name(number: usize) -> String {
    format!("{}{number}.example", if number.is_multiple_of(3) { "web" } else { "db" })
}

/// The certificates of both: some end soon, some late.
fn ders(seed: u64, now: Timestamp) -> Vec<Vec<u8>> {
    let of = |number: usize| {
        let key = Key::from_seed(format!("{seed} {number}").as_bytes()).unwrap();
        let days = [33, 36, 90, 300][number % 4];
        let end = now.plus(days * DAY + i64::try_from(number).unwrap() * Timestamp::HOUR);
        let start = now.plus(-30 * DAY);
        let template = Template::leaf(&[&name(number)], start.micros(), end.micros());
        make::certificate(&template, &key, None).unwrap()
    };
    (0..CERTIFICATES).map(of).collect()
}

impl Twin {
    async fn new(seed: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::new("2026-11-21T12:10:00Z".parse().unwrap());
        let environment = Environment::new(clock.clone(), SeededEntropy::new(seed));
        let settings = Settings { allow_unencrypted_key: true, ..settings(dir.path()) };
        let stepped = Stepped::open(settings, environment.clone()).await.unwrap();
        let context = Context::command_line(&environment);
        let twin = Self { stepped, clock, context, ids: Vec::new(), _dir: dir };
        twin.furnish().await;
        twin
    }

    fn engine(&self) -> &Engine {
        self.stepped.engine()
    }

    async fn furnish(&self) {
        let (engine, context) = (self.engine(), &self.context);
        for (class, names) in
            [(LabelClass::Group, ["B", "a", "c"].as_slice()), (LabelClass::RaProfile, &["p", "q"])]
        {
            for name in names {
                let draft = LabelDraft { name: (*name).to_owned(), description: String::new() };
                engine.create_label(context, class, draft).await.unwrap();
            }
        }
        let draft = AttributeDraft {
            name: "team".to_owned(),
            label: "Team".to_owned(),
            description: String::new(),
            kind: "string".to_owned(),
            choices: Vec::new(),
            required: false,
        };
        engine.create_attribute(context, draft).await.unwrap();
        let new = NewAccount { password: None, ..new_account("ada", Role::Operator) };
        engine.create_account(context, new).await.unwrap();
        let put =
            |class, name: &str| Edit { class, name: name.to_owned(), body: None, enabled: true };
        let gone = vec![put(Class::Trigger, "tell-of-expiry"), put(Class::Trigger, "canary")];
        engine.apply_automation(context, None, gone).await.unwrap();
    }

    /// Uploads one; `None`: a trigger kept it out.
    async fn upload(&self, der: &[u8], placement: PlacementRequest) -> Option<CertificateId> {
        let upload = Upload { placement, ..upload_of(der.to_vec()) };
        let answer = self.engine().upload(&self.context, upload).await.unwrap();
        let UploadAnswer::Done(mut items) = answer else { panic!("a synchronous upload is done") };
        match items.remove(0).result {
            Ok(id) => Some(id),
            Err(Error::Ignored { .. }) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Puts every certificate somewhere.
    async fn place(&self, seed: u64) {
        let mut chance = Chance(seed);
        for id in &self.ids {
            let wish = chance.wish();
            self.engine().update_certificate(&self.context, *id, None, wish).await.unwrap();
        }
    }

    /// One thing that happens to a certificate, at a time of its own.
    async fn happen(&self, number: usize) {
        let (engine, id) = (self.engine(), self.ids[number]);
        self.clock.advance(Timestamp::SECOND);
        if number.is_multiple_of(4) {
            engine.archive_certificate(&self.context, id, true, None).await.unwrap();
        } else {
            let wish = PlacementRequest { trust_anchor: Some(true), ..PlacementRequest::default() };
            engine.update_certificate(&self.context, id, None, wish).await.unwrap();
            self.stepped.judge().await.unwrap();
        }
        self.stepped.seal().await.unwrap();
    }

    /// The newest event of one of these types, with its time.
    async fn newest(&self, types: &[&str]) -> (EventId, Timestamp) {
        let mut link = bench::store(self.engine()).read().await.unwrap();
        let to = log::latest_index(&mut link).await.unwrap();
        let found = log::newest_of_types(&mut link, (LogIndex(0), to), types).await.unwrap();
        let sealed = found.unwrap();
        (sealed.event().id, sealed.event().time)
    }

    async fn reactions(&self, event: EventId) -> Vec<Row> {
        self.engine().reactions(&self.context, event).await.unwrap()
    }
}

fn edit(class: Class, name: String, body: Value) -> Edit {
    Edit { class, name, body: Some(body), enabled: true }
}

/// What conditions look at.
const ATOMS: [&str; 15] = [
    "object.cn:web*",
    "object.name:*.example",
    "object.key_size>=256",
    "object.expires<70d",
    "-object.trust_anchor:true",
    "outcome:success",
    "actor_kind:system",
    "origin:cli",
    "severity>=warning",
    "object.path:/prod",
    "object.owner:ada",
    "object.attribute.team:x",
    "-object.group:c",
    "object.group:b",
    "object.ra_profile:p",
];

fn steps(chance: &mut Chance, can_place: bool) -> Vec<Value> {
    let place = [
        json!({ "step": "set_groups", "groups": ["c"] }),
        json!({ "step": "set_groups", "groups": { "from": "object.group" } }),
        json!({ "step": "add_group", "group": "a" }),
        json!({ "step": "set_ra_profile", "ra_profile": "q" }),
        json!({ "step": "set_owner", "owner": "ada" }),
        json!({ "step": "set_owner", "owner": { "from": "object.owner" } }),
        json!({ "step": "set_path", "path": "/seen/{object.cn}" }),
        json!({ "step": "set_attribute", "attribute": "team", "value": { "from": "object.cn" } }),
        json!({ "step": "set_attribute", "attribute": "team" }),
    ];
    let other = [
        json!({ "step": "raise_alert", "kind": "seen", "severity": "error",
            "title": "{object.cn} {type}", "message": "{object.path}" }),
        json!({ "step": "raise_alert", "kind": "own", "key": "{object.cn}", "title": "own" }),
        json!({ "step": "resolve_alert", "kind": "seen" }),
        json!({ "step": "notify", "to": "role:operator", "title": "{object.cn}" }),
        json!({ "step": "notify", "profile": "default", "message": "{object.key_size}" }),
    ];
    let more = [
        json!({ "step": "notify", "to": "owner", "title": "yours" }),
        json!({ "step": "start_job", "job": "certificate.validate" }),
    ];
    (0..=chance.below(3))
        .map(|_| match (can_place, chance.below(4)) {
            (true, 0 | 1) => chance.of(&place).clone(),
            (true, 2) => chance.of(&more).clone(),
            _ => chance.of(&other).clone(),
        })
        .collect()
}

/// Triggers on these types, with all they refer to.
fn configuration(chance: &mut Chance, types: &[&[&str]], scoped: bool) -> Vec<Edit> {
    let mut edits = Vec::new();
    for number in 0..TRIGGERS {
        let types = *chance.of(types);
        let ignore = chance.one_in(6);
        let mut rules = Vec::new();
        for part in 0..chance.below(3) {
            let parts: Vec<_> = (0..=chance.below(3)).map(|_| *chance.of(&ATOMS)).collect();
            let join = if chance.one_in(2) { " " } else { " OR " };
            let rule = format!("r{number}.{part}");
            edits.push(edit(Class::Rule, rule.clone(), json!({ "filter": parts.join(join) })));
            rules.push(rule);
        }
        let steps = steps(chance, !ignore);
        edits.push(edit(Class::Action, format!("a{number}"), json!({ "steps": steps })));
        let mut body = json!({ "event_types": types, "rules": rules, "ignore": ignore,
            "actions": [format!("a{number}")], "order": chance.below(3) });
        let may_be_bound =
            |of: &&str| matches!(*of, "certificate.status_changed" | "certificate.expiring");
        if scoped && types.iter().all(may_be_bound) && !chance.one_in(3) {
            body["scope"] = match chance.below(2) {
                0 => json!({ "kind": "group", "name": chance.of(&["B", "a", "c"]) }),
                _ => json!({ "kind": "ra_profile", "name": chance.of(&["p", "q"]) }),
            };
        }
        edits.push(edit(Class::Trigger, format!("t{number}"), body));
    }
    if scoped {
        for (kind, name) in [("group", "a"), ("group", "c"), ("ra_profile", "p")] {
            let mode = if chance.one_in(2) { "replace" } else { "add" };
            let body = json!({ "kind": kind, "name": name, "mode": mode });
            edits.push(edit(Class::Scope, format!("{kind}.{name}").replace('_', "-"), body));
        }
    }
    edits
}

fn tried(edits: &[Edit]) -> Vec<TrialEdit> {
    let one = |edit: &Edit| TrialEdit {
        class: edit.class.as_str().to_owned(),
        name: edit.name.clone(),
        body: edit.body.clone(),
        enabled: edit.enabled,
    };
    edits.iter().map(one).collect()
}

/// Trigger, verdict, what its steps do.
type Said = BTreeMap<String, (String, Vec<String>)>;

fn said_live(rows: &[Row]) -> Said {
    let does = |row: &Row| {
        let steps: Vec<Value> = serde_json::from_str(&row.steps).unwrap();
        steps.iter().map(|step| step["does"].as_str().unwrap().to_owned()).collect()
    };
    rows.iter().map(|row| (row.trigger.clone(), (row.verdict.clone(), does(row)))).collect()
}

/// What a back-test says of the one event at a time.
async fn said_after(twin: &Twin, edits: &[Edit], at: Timestamp) -> Said {
    let trial =
        Trial { edits: tried(edits), from: Some(at), to: Some(at.plus(1)), ..Trial::default() };
    let tried = twin.engine().back_test(&twin.context, trial).await.unwrap().unwrap();
    let mut said = Said::new();
    for (trigger, verdicts) in &tried.verdicts {
        let (verdict, times) = verdicts.iter().next().unwrap();
        assert_eq!((verdicts.len(), *times), (1, 1), "{trigger}: one event at {at}");
        said.insert(trigger.clone(), (verdict.clone(), Vec::new()));
    }
    for sample in tried.samples {
        said.get_mut(&sample.trigger).unwrap().1 = sample.steps;
    }
    said
}

/// Every trigger by itself on one event; one that an ignoring one shut out would have been reached.
async fn hold_dry_runs(twin: &Twin, edits: &[Edit], event: EventId, live: &Said) {
    let edits = tried(edits);
    for (trigger, (verdict, steps)) in live {
        let dry = twin.engine().dry_run(&twin.context, trigger, &edits, event).await.unwrap();
        assert_eq!(dry.len(), 1, "{trigger}");
        if verdict != "not_reached" {
            let told: Vec<_> = dry[0].planned.iter().map(|one| one.effect.told()).collect();
            assert_eq!((dry[0].verdict.as_str(), &told), (&**verdict, steps), "{trigger}");
        }
    }
}

/// Without what differs between two installations: identifiers.
fn same(live: &Said, after: &Said, one: CertificateId, other: CertificateId, what: &str) {
    let (one, other) = (one.to_string(), other.to_string());
    let plain = |said: &Said| format!("{said:#?}").replace(&one, "ID").replace(&other, "ID");
    assert_eq!(plain(live), plain(after), "{what}");
}

/// Uploads: asked before anything enters.
async fn uploads(seed: u64, chance: &mut Chance) -> usize {
    let (mut live, mut still) = (Twin::new(seed).await, Twin::new(seed).await);
    let edits = configuration(chance, &[&["certificate.uploaded"]], false);
    live.engine().apply_automation(&live.context, None, edits.clone()).await.unwrap();
    let (mut held, mut wishes) = (0, Chance(seed));
    for (number, der) in ders(seed, live.engine().environment().now()).iter().enumerate() {
        let mut ids = [None, None];
        let wish = match number % 4 {
            0 => PlacementRequest::default(),
            _ => wishes.wish(),
        };
        for (twin, id) in [&mut live, &mut still].into_iter().zip(&mut ids) {
            twin.clock.advance(Timestamp::SECOND);
            *id = twin.upload(der, wish.clone()).await;
            twin.stepped.seal().await.unwrap();
        }
        let types =
            if ids[0].is_some() { ["certificate.uploaded"] } else { ["certificate.upload"] };
        let (event, _) = live.newest(&types).await;
        let (other, at) = still.newest(&["certificate.uploaded"]).await;
        let was = said_live(&live.reactions(event).await);
        let would = said_after(&still, &edits, at).await;
        let verdicts = |said: &Said| {
            said.iter().map(|(name, (verdict, _))| format!("{name} {verdict}")).collect::<Vec<_>>()
        };
        assert_eq!(verdicts(&was), verdicts(&would), "seed {seed}: upload {number}");
        // What was kept out is not told in the record.
        if let [Some(one), Some(two)] = ids {
            same(&was, &would, one, two, &format!("seed {seed}: upload {number}"));
            hold_dry_runs(&still, &edits, other, &would).await;
        }
        held += was.values().filter(|(v, _)| v == "matched" || v == "ignored").count();
    }
    held
}

/// Changes of what is in the inventory, in every scope.
async fn changes(seed: u64, chance: &mut Chance) -> usize {
    let (mut live, mut still) = (Twin::new(seed).await, Twin::new(seed).await);
    for twin in [&mut live, &mut still] {
        for der in ders(seed, twin.engine().environment().now()) {
            let id = twin.upload(&der, PlacementRequest::default()).await.unwrap();
            twin.ids.push(id);
        }
        twin.place(seed).await;
        twin.stepped.judge().await.unwrap();
        twin.stepped.seal().await.unwrap();
        twin.stepped.react().await.unwrap();
    }
    let types: [&[&str]; 3] = [
        &["certificate.status_changed"],
        &["certificate.archive"],
        &["certificate.status_changed", "certificate.archive"],
    ];
    let edits = configuration(chance, &types, true);
    live.engine().apply_automation(&live.context, None, edits.clone()).await.unwrap();
    let mut held = 0;
    for number in 0..CERTIFICATES {
        live.happen(number).await;
        still.happen(number).await;
        live.stepped.react().await.unwrap();
        live.stepped.seal().await.unwrap();
        let types = ["certificate.status_changed", "certificate.archive"];
        let (event, _) = live.newest(&types).await;
        let (other, at) = still.newest(&types).await;
        let rows = live.reactions(event).await;
        let (was, would) = (said_live(&rows), said_after(&still, &edits, at).await);
        let (one, two) = (live.ids[number], still.ids[number]);
        same(&was, &would, one, two, &format!("seed {seed}: change {number}"));
        if number.is_multiple_of(5) {
            hold_dry_runs(&still, &edits, other, &would).await;
        }
        held += was.values().filter(|(v, _)| v == "matched" || v == "ignored").count();
    }
    // All of it at once, and beside nothing that is saved.
    let whole = |compare| Trial { edits: tried(&edits), compare, ..Trial::default() };
    let plain = still.engine().back_test(&still.context, whole(false)).await.unwrap().unwrap();
    let beside = still.engine().back_test(&still.context, whole(true)).await.unwrap().unwrap();
    assert_eq!(plain.verdicts, beside.verdicts, "seed {seed}");
    assert_eq!((&plain.samples, &plain.near), (&beside.samples, &beside.near), "seed {seed}");
    assert_eq!(beside.differing, held as u64, "seed {seed}: nothing of it happens without them");
    held
}

/// The days to come, and then those days.
async fn days_to_come(seed: u64, chance: &mut Chance) -> usize {
    let mut live = Twin::new(seed).await;
    for der in ders(seed, live.engine().environment().now()) {
        let id = live.upload(&der, PlacementRequest::default()).await.unwrap();
        live.ids.push(id);
    }
    live.place(seed).await;
    live.stepped.judge().await.unwrap();
    live.stepped.seal().await.unwrap();
    live.stepped.run_due().await.unwrap();
    live.stepped.seal().await.unwrap();
    live.stepped.react().await.unwrap();
    let types: [&[&str]; 2] =
        [&["certificate.expiring"], &["certificate.expiring", "certificate.expired"]];
    let edits = configuration(chance, &types, true);
    live.engine().apply_automation(&live.context, None, edits).await.unwrap();
    // Until each has crossed its first threshold at most: what triggers do to it comes after.
    let ahead = live.engine().fast_forward(&live.context, 15, &[]).await.unwrap();
    let name = |object: &str| live.ids.iter().position(|id| object.contains(&id.to_string()));
    let mut foreseen: Vec<_> = ahead
        .items
        .iter()
        .filter(|item| item.event_type == "certificate.expiring")
        .flat_map(|item| item.reactions.iter().map(|one| (name(&item.object), one)))
        .map(|(number, one)| (number, one.trigger.clone(), one.verdict.clone(), one.steps.clone()))
        .collect();
    let start = live.engine().environment().now();
    let mut came = Vec::new();
    while live.engine().environment().now() < start.plus(15 * DAY) {
        live.clock.advance(Timestamp::HOUR);
        live.stepped.run_due().await.unwrap();
        live.stepped.seal().await.unwrap();
        live.stepped.react().await.unwrap();
        live.stepped.seal().await.unwrap();
    }
    let mut link = bench::store(live.engine()).read().await.unwrap();
    let to = log::latest_index(&mut link).await.unwrap();
    let types = ["certificate.expiring"];
    for sealed in log::of_types(&mut link, (LogIndex(0), to), &types, 1_000).await.unwrap() {
        let event = sealed.event();
        let number = name(&event.subject().unwrap().id);
        for (trigger, (verdict, steps)) in said_live(&live.reactions(event.id).await) {
            if verdict == "matched" || verdict == "ignored" {
                came.push((number, trigger, verdict, steps));
            }
        }
    }
    foreseen.sort();
    came.sort();
    assert_eq!(foreseen, came, "seed {seed}");
    came.len()
}

on_each_backend!(live_dry_run_back_test_and_fast_forward_say_the_same, 2);
async fn live_dry_run_back_test_and_fast_forward_say_the_same() {
    let one = std::env::var("CHANCERY_SEED").ok().map(|text| text.parse::<u64>().unwrap());
    let full = std::env::var_os("CHANCERY_FULL").is_some();
    let seeds = match one {
        Some(seed) => seed..seed + 1,
        None if full => 1..21,
        None => 1..3,
    };
    let mut held = [0; 3];
    for seed in seeds {
        let mut chance = Chance(seed);
        held[0] += uploads(seed, &mut chance).await;
        held[1] += changes(seed, &mut chance).await;
        held[2] += days_to_come(seed, &mut chance).await;
    }
    println!("{held:?} verdicts that had effects");
    assert!(one.is_some() || held.iter().all(|count| *count > 20), "{held:?}");
}
