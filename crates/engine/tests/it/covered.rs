//! Whom certificates reach, and the canary, by a clock that the test moves, on both engines.

use chancery_engine::automation::Class as Automation;
use chancery_engine::inventory::{PlacementRequest, UploadAnswer};
use chancery_engine::notification::{Coverage, EstateCoverage};
use chancery_engine::{Role, bench};
use chancery_event::Timestamp;
use chancery_event::id::{AccountId, CertificateId};
use chancery_pki::make::{self, Key, Template};
use chancery_store::Fault;
use chancery_store::table::certificate;
use chancery_throwaway::on_each_backend;
use serde_json::{Value, json};

use crate::notification::{HOUR, MINUTE, World, of};
use crate::upload::upload_of;

impl World {
    /// A certificate that ends after so many days, with an owner.
    async fn owned(&self, name: &str, days: i64, owner: AccountId) -> CertificateId {
        let key = Key::from_seed(name.as_bytes()).unwrap();
        let now = self.engine().environment().now();
        let at = |days: i64| now.plus(days * Timestamp::DAY).micros();
        let template = Template::leaf(&[name], at(-1), at(days));
        let der = make::certificate(&template, &key, None).unwrap();
        let answer = self.engine().upload(&self.context, upload_of(der)).await.unwrap();
        let UploadAnswer::Done(items) = answer else { panic!("a synchronous upload is done") };
        let id = *items[0].result.as_ref().unwrap();
        let change = PlacementRequest { owner: Some(owner.to_string()), ..Default::default() };
        self.engine().update_certificate(&self.context, id, None, change).await.unwrap();
        id
    }

    async fn estate(&mut self) -> EstateCoverage {
        self.settle().await;
        self.stepped().cover().await.unwrap();
        let estate = self.engine().estate_coverage(&self.context).await.unwrap();
        assert!(estate.is_complete);
        estate
    }

    async fn coverage(&self, id: CertificateId) -> Coverage {
        self.engine().coverage(&self.context, id).await.unwrap()
    }

    async fn replace(&self, class: Automation, name: &str, body: Value, enabled: bool) {
        let changed =
            self.engine().update_automation(&self.context, class, name, None, body, enabled);
        changed.await.unwrap();
    }

    /// Lets monitors run that are due, and everything that comes of it happen.
    async fn pass(&mut self, micros: i64) {
        self.clock.advance(micros);
        self.stepped().judge().await.unwrap();
        self.settle().await;
        self.stepped().run_due().await.unwrap();
        self.settle().await;
        self.stepped().cover().await.unwrap();
        self.settle().await;
    }

    async fn canaries(&self) -> usize {
        let mut link = bench::store(self.engine()).read().await.unwrap();
        certificate::in_folder(&mut link, "/canary", 100).await.unwrap().len()
    }
}

fn monitor(filter: Option<&str>) -> Value {
    let mut body = json!({ "kind": "certificate_expiry", "thresholds": ["30d", "1d"],
        "schedule": { "cron": "5 * * * *", "time_zone": "UTC" } });
    if let Some(filter) = filter {
        body["filter"] = filter.into();
    }
    body
}

on_each_backend!(an_end_that_no_monitor_finds_reaches_nobody);
async fn an_end_that_no_monitor_finds_reaches_nobody() {
    let mut world = World::start_watching().await;
    let ada = world.account("ada", Role::Operator).await;
    let id = world.owned("www.example.org", 50, ada).await;
    assert_eq!(world.estate().await.nobody, 0);
    let coverage = world.coverage(id).await;
    assert_eq!(coverage.state, "reached");
    assert!(!coverage.ahead.is_empty());
    let name = "certificate-expiry";
    world.replace(Automation::Monitor, name, monitor(Some("path:/prod")), true).await;
    let estate = world.estate().await;
    assert_eq!(estate.reasons, [("nobody".to_owned(), "no_monitor".to_owned(), 1)]);
    let coverage = world.coverage(id).await;
    assert_eq!((coverage.state, coverage.reason), ("nobody", "no_monitor"));
    assert!(coverage.ahead.is_empty(), "{:?}", coverage.ahead);
    world.replace(Automation::Monitor, name, monitor(Some("path:/")), true).await;
    assert_eq!(world.estate().await.nobody, 0);
    world.replace(Automation::Monitor, name, monitor(None), false).await;
    assert_eq!(world.estate().await.nobody, 1);
}

on_each_backend!(a_rule_that_counts_days_is_asked_as_of_the_end);
async fn a_rule_that_counts_days_is_asked_as_of_the_end() {
    let mut world = World::start_watching().await;
    let ada = world.account("ada", Role::Operator).await;
    world.owned("www.example.org", 300, ada).await;
    let class = Automation::Rule;
    let rule = json!({ "filter": "object.expires<30d" });
    world.engine().create_automation(&world.context, class, "near", rule, true).await.unwrap();
    let trigger = json!({ "event_types": ["certificate.expiring"], "rules": ["near"],
        "actions": ["tell-whom-it-concerns"] });
    world.replace(Automation::Trigger, "tell-of-expiry", trigger, true).await;
    let estate = world.estate().await;
    assert_eq!(estate.nobody, 0, "{estate:?}");
    let trigger = json!({ "event_types": ["certificate.expiring"], "rules": ["canary"],
        "actions": ["tell-whom-it-concerns"] });
    world.replace(Automation::Trigger, "tell-of-expiry", trigger, true).await;
    assert_eq!(world.estate().await.nobody, 1, "and one that does not hold then is not");
}

on_each_backend!(what_need_not_be_heard_of_is_not_counted_and_people_are_for_those_who_see_them);
async fn what_need_not_be_heard_of_is_not_counted_and_people_are_for_those_who_see_them() {
    let mut world = World::start_watching().await;
    let ada = world.account("ada", Role::Operator).await;
    let eve = world.account("eve", Role::Viewer).await;
    let id = world.owned("www.example.org", 50, ada).await;
    world.estate().await;
    let all = world.coverage(id).await;
    assert!(all.routes.iter().any(|route| route.address.as_deref() == Some("ada@example.org")));
    let mut viewer = of(&world, eve);
    viewer.role = Some(Role::Viewer);
    let seen = world.engine().coverage(&viewer, id).await.unwrap();
    assert_eq!(seen.state, all.state);
    for route in &seen.routes {
        assert!(route.account.is_none() && route.address.is_none() && route.paths.is_empty());
        assert!(!route.name.contains("ada"), "{route:?}");
    }
    assert!(seen.routes.iter().any(|route| route.name == "1 recipient"), "{:?}", seen.routes);
    world.engine().archive_certificate(&world.context, id, true, None).await.unwrap();
    assert_eq!(world.coverage(id).await.state, "not_counted");
    assert_eq!(world.estate().await.nobody, 0);
}

on_each_backend!(a_server_that_refuses_everybody_is_a_channel_that_fails);
async fn a_server_that_refuses_everybody_is_a_channel_that_fails() {
    let mut world = World::start_watching().await;
    let mut last = None;
    for name in ["ada", "grace", "mary"] {
        last = Some(world.account(name, Role::Operator).await);
    }
    let chat = chancery_engine::delivery::Class::Channel;
    world.engine().switch_destination(&world.context, chat, "chat", false).await.unwrap();
    world.owned("www.example.org", 50, last.unwrap()).await;
    assert_eq!(world.estate().await.bell, 0);
    let profile = json!({ "recipients": ["role:operator"], "channels": ["mail"] });
    world.tells(profile).await;
    world.refuse(&["ada", "grace", "mary"]);
    world.group("a").await;
    let estate = world.estate().await;
    assert_eq!(estate.reasons, [("bell".to_owned(), "channel_failing".to_owned(), 1)]);
}

on_each_backend!(a_canary_under_way_is_judged_before_the_next_one);
async fn a_canary_under_way_is_judged_before_the_next_one() {
    let mut world = World::start_watching().await;
    world.account("ada", Role::Administrator).await;
    world.account("grace", Role::Administrator).await;
    // Somebody watches from now on: only that time counts.
    world.stepped().cover().await.unwrap();
    world.dead(&["chat"]);
    let put = world.stepped().put_canary().await.unwrap();
    assert!(put["certificate"].is_string(), "{put}");
    world.pass(61 * MINUTE).await;
    assert_eq!(world.mails().len(), 2, "by mail it arrives: {:?}", world.mails());
    let again = world.stepped().put_canary().await.unwrap();
    assert_eq!(again, json!({ "skipped": "one is under way" }));
    // One of those who are told by the second path has no mailbox any more.
    world.dead(&["chat", "ada@example.org"]);
    world.pass(61 * MINUTE).await;
    assert_eq!(world.alerts("kind:canary_missed").await, 1);
    let told = world.mails();
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told[2].1.subject, "The canary did not arrive through chat");
    assert_eq!(told[2].1.recipients, ["grace@example.org"], "each by themselves");
    assert_eq!(world.canaries().await, 0);
    // The next one arrives.
    world.dead(&[]);
    world.stepped().put_canary().await.unwrap();
    world.pass(61 * MINUTE).await;
    assert_eq!(world.alerts("kind:canary_missed -state:resolved").await, 0);
    assert_eq!(world.canaries().await, 0);
}

on_each_backend!(a_time_in_which_nobody_worked_is_no_alarm);
async fn a_time_in_which_nobody_worked_is_no_alarm() {
    let mut world = World::start_watching().await;
    world.account("ada", Role::Administrator).await;
    world.stepped().put_canary().await.unwrap();
    world.clock.advance(5 * HOUR);
    world.restart().await;
    world.stepped().cover().await.unwrap();
    assert_eq!(world.alerts("kind:canary_missed").await, 0, "nothing could arrive yet");
    world.pass(MINUTE).await;
    world.pass(HOUR).await;
    assert_eq!(world.alerts("kind:canary_missed").await, 0);
    assert_eq!(world.canaries().await, 0, "it arrived everywhere");
}

on_each_backend!(channels_that_its_profile_does_not_name_are_not_missed);
async fn channels_that_its_profile_does_not_name_are_not_missed() {
    let mut world = World::start_watching().await;
    world.account("ada", Role::Administrator).await;
    let narrow = json!({ "recipients": ["role:administrator"], "channels": ["bell", "mail"] });
    world.replace(Automation::Profile, "canary", narrow, true).await;
    world.stepped().put_canary().await.unwrap();
    world.pass(61 * MINUTE).await;
    world.pass(3 * HOUR).await;
    assert_eq!(world.alerts("kind:canary_missed").await, 0);
    assert_eq!(world.canaries().await, 0);
}

on_each_backend!(a_program_that_ended_leaves_no_canary_behind);
async fn a_program_that_ended_leaves_no_canary_behind() {
    let mut world = World::start_watching().await;
    let ada = world.account("ada", Role::Administrator).await;
    bench::store(world.engine()).inject("canary.put", Fault::NotPersisted);
    world.stepped().put_canary().await.unwrap_err();
    assert_eq!(world.canaries().await, 1, "in the inventory, and nobody knows");
    world.restart().await;
    world.stepped().cover().await.unwrap();
    world.clock.advance(11 * MINUTE);
    world.stepped().cover().await.unwrap();
    assert_eq!(world.canaries().await, 0);
    // What somebody else put there stays.
    let id = world.owned("www.example.org", 50, ada).await;
    let change = PlacementRequest { path: Some("/canary".to_owned()), ..Default::default() };
    world.engine().update_certificate(&world.context, id, None, change).await.unwrap();
    world.stepped().put_canary().await.unwrap();
    world.pass(61 * MINUTE).await;
    world.pass(3 * HOUR).await;
    assert_eq!(world.canaries().await, 1);
}
