//! Whom certificates reach, and the canary, by a clock that the test moves, on both engines.

use chancery_engine::access::AccountChange;
use chancery_engine::alert::{AlertQuery, ShownAlert, Sort};
use chancery_engine::automation::Class as Automation;
use chancery_engine::inventory::{PlacementRequest, UploadAnswer};
use chancery_engine::notification::{Contact, Coverage, EstateCoverage};
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
    pub(crate) async fn owned(&self, name: &str, days: i64, owner: AccountId) -> CertificateId {
        self.aged(name, (-1, days), owner).await
    }

    /// One that began and ends so many days from now.
    pub(crate) async fn aged(
        &self,
        name: &str,
        (from, until): (i64, i64),
        owner: AccountId,
    ) -> CertificateId {
        let key = Key::from_seed(name.as_bytes()).unwrap();
        let now = self.engine().environment().now();
        let at = |days: i64| now.plus(days * Timestamp::DAY).micros();
        let template = Template::leaf(&[name], at(from), at(until));
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

    pub(crate) async fn replace(&self, class: Automation, name: &str, body: Value, enabled: bool) {
        let changed =
            self.engine().update_automation(&self.context, class, name, None, body, enabled);
        changed.await.unwrap();
    }

    /// Lets monitors run that are due, and everything that comes of it happen.
    pub(crate) async fn pass(&mut self, micros: i64) {
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

on_each_backend!(quiet_hours_and_digests_do_not_hold_a_canary);
async fn quiet_hours_and_digests_do_not_hold_a_canary() {
    let mut world = World::start_watching().await;
    let ada = world.account("ada", Role::Administrator).await;
    let quiet = json!({ "from": "11:00", "to": "10:00" });
    let contact = Contact { quiet_hours: quiet.clone(), ..Contact::default() };
    world.engine().set_contact(&world.context, ada, contact).await.unwrap();
    world.stepped().cover().await.unwrap();
    world.stepped().put_canary().await.unwrap();
    world.pass(61 * MINUTE).await;
    let arrived: Vec<_> = world.mails().into_iter().map(|(channel, _)| channel).collect();
    assert!(arrived.contains(&"mail".to_owned()), "at once: {arrived:?}");
    world.pass(3 * HOUR).await;
    assert_eq!(world.alerts("kind:canary_missed").await, 0, "it arrived everywhere");
    // Nor do those of its profile.
    let slow = json!({ "recipients": ["role:administrator"], "channels": ["all"],
        "quiet_hours": quiet, "digest": { "cron": "0 8 * * MON" } });
    world.replace(Automation::Profile, "canary", slow, true).await;
    world.stepped().put_canary().await.unwrap();
    world.pass(61 * MINUTE).await;
    world.pass(3 * HOUR).await;
    assert_eq!(world.alerts("kind:canary_missed").await, 0);
    assert_eq!(world.canaries().await, 0);
    // A real certificate waits as it should.
    let told = world.mails().len();
    world.aged("www.example.org", (-200, 20), ada).await;
    world.pass(61 * MINUTE).await;
    assert_eq!(world.mails().len(), told);
    assert!(world.notices("held").await.iter().any(|one| one.notice.reason == "quiet_hours"));
}

on_each_backend!(every_message_links_to_its_event_and_to_the_alert_that_is_open);
async fn every_message_links_to_its_event_and_to_the_alert_that_is_open() {
    let mut world = World::start_watching().await;
    let ada = world.account("ada", Role::Operator).await;
    // No bell and no levels: nothing raises an alert but the end itself.
    let only_mail = json!({ "recipients": ["owner"], "channels": ["mail"] });
    world.replace(Automation::Profile, "default", only_mail, true).await;
    world.aged("one.example.org", (-200, 20), ada).await;
    world.pass(61 * MINUTE).await;
    let open = |found: Vec<ShownAlert>| found.into_iter().map(|one| one.alert.id).next();
    let alert_of = async |world: &World, cn: &str| {
        let query = format!("kind:expiring_soon {cn}");
        let filter = world.engine().parse_alert_filter(&query).unwrap();
        let query =
            AlertQuery { filter, sort: Sort::Created, descending: true, cursor: None, limit: 10 };
        open(world.engine().alerts(&world.context, &query).await.unwrap().items).unwrap()
    };
    let mail = world.mails().pop().unwrap().1;
    let alert = alert_of(&world, "one.example.org").await;
    assert!(mail.text.contains(&format!("/alerts/{alert}")), "{}", mail.text);
    assert_eq!(world.notices("sent").await[0].notice.alert, Some(alert));
    // A template that names no link leads there all the same, and says nothing twice.
    let template = json!({ "subject": "x", "text": "Look: {{ links.event }}",
        "html": "<html><body><p>{{ title }}</p></body></html>" });
    let class = Automation::Template;
    let made = world.engine().create_automation(&world.context, class, "t", template, true);
    made.await.unwrap();
    let short = json!({ "recipients": ["owner"], "channels": ["mail", "chat"], "template": "t" });
    world.replace(Automation::Profile, "default", short, true).await;
    world.aged("two.example.org", (-200, 20), ada).await;
    world.pass(61 * MINUTE).await;
    let alert = format!("/alerts/{}", alert_of(&world, "two.example.org").await);
    let mails = world.mails();
    for (channel, message) in &mails[mails.len() - 2..] {
        assert!(message.text.starts_with("Look: "), "{channel}: {message:?}");
        assert_eq!(message.text.matches("/events/").count(), 1, "{channel}: {}", message.text);
        assert_eq!(message.text.matches(&alert).count(), 1, "{channel}: {}", message.text);
        if let Some(html) = &message.html {
            assert!(html.contains("/events/") && html.contains(&alert), "{html}");
            assert!(html.ends_with("</p></body></html>"), "{html}");
        }
    }
}

on_each_backend!(each_administrator_hears_by_themselves_and_once_that_a_channel_was_switched_off);
async fn each_administrator_hears_by_themselves_and_once_that_a_channel_was_switched_off() {
    let mut world = World::start().await;
    for name in ["ada", "bob", "cleo", "dora"] {
        let id = world.account(name, Role::Administrator).await;
        if name == "cleo" {
            let email = Some("ada@example.org".to_owned());
            let contact = Contact { email, ..Contact::default() };
            world.engine().set_contact(&world.context, id, contact).await.unwrap();
        }
        if name == "dora" {
            let end = world.engine().environment().now().plus(HOUR);
            let change = AccountChange { expires_at: Some(Some(end)), ..AccountChange::default() };
            world.engine().update_account(&world.context, id, None, change).await.unwrap();
        }
    }
    world.wait(2 * HOUR).await;
    world.tells(json!({ "recipients": ["role:administrator"], "channels": ["chat"] })).await;
    // The mailbox of one of them is not there.
    world.dead(&["gone:chat", "bob@example.org"]);
    world.group("a").await;
    assert_eq!(world.alerts("kind:destination_disabled").await, 1);
    let told: Vec<_> = world.mails().into_iter().map(|(_, mail)| mail.recipients).collect();
    assert_eq!(told, [["ada@example.org"]], "once, and whatever becomes of the others");
}

on_each_backend!(every_reason_for_which_an_end_is_not_heard_of_is_told_apart);
async fn every_reason_for_which_an_end_is_not_heard_of_is_told_apart() {
    let mut world = World::start_watching().await;
    let ada = world.account("ada", Role::Operator).await;
    world.account("chief", Role::Administrator).await;
    let id = world.owned("www.example.org", 50, ada).await;
    let stands = async |world: &mut World, state: &str, reason: &str| {
        let estate = world.estate().await;
        assert_eq!(estate.reasons, [(state.to_owned(), reason.to_owned(), 1)]);
        let (nobody, fallback, bell) = (estate.nobody, estate.fallback, estate.bell);
        let one = |word: &str| u64::from(state == word);
        assert_eq!((nobody, fallback, bell), (one("nobody"), one("fallback"), one("bell")));
        let coverage = world.coverage(id).await;
        assert_eq!((coverage.state, coverage.reason), (state, reason));
    };
    assert_eq!(world.estate().await.reasons, []);
    // Its owner cannot log in: only the fallback hears.
    let disabled = |is| AccountChange { disabled: Some(is), ..AccountChange::default() };
    world.engine().update_account(&world.context, ada, None, disabled(true)).await.unwrap();
    stands(&mut world, "fallback", "disabled_account").await;
    let owner = json!({ "recipients": ["owner"], "channels": ["mail"] });
    world.replace(Automation::Profile, "default", owner.clone(), true).await;
    stands(&mut world, "nobody", "disabled_account").await;
    world.engine().update_account(&world.context, ada, None, disabled(false)).await.unwrap();
    assert_eq!(world.estate().await.reasons, []);
    // The mail server does not know the owner.
    world.tells(json!({ "recipients": ["account:ada"], "channels": ["mail"] })).await;
    world.refuse(&["ada"]);
    world.group("a").await;
    stands(&mut world, "nobody", "bouncing").await;
    let address = "ada@example.org";
    world.engine().clear_refused_address(&world.context, address).await.unwrap();
    // The profile is off, and then a trigger ignores the event.
    world.replace(Automation::Profile, "default", owner.clone(), false).await;
    stands(&mut world, "nobody", "profile_off").await;
    world.replace(Automation::Profile, "default", owner, true).await;
    let ignore = json!({ "event_types": ["certificate.expiring"], "ignore": true });
    let class = Automation::Trigger;
    world.engine().create_automation(&world.context, class, "hush", ignore, true).await.unwrap();
    stands(&mut world, "nobody", "ignored").await;
    world.engine().delete_automation(&world.context, class, "hush").await.unwrap();
    assert_eq!(world.estate().await.reasons, []);
}
