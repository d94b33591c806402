//! Whom a profile means, how often it tells of the same thing, and under which headings: by a clock
//! that the test moves, on both engines.

use chancery_engine::Role;
use chancery_engine::access::AccountChange;
use chancery_engine::alert::{Action, Selection};
use chancery_engine::automation::Class as Automation;
use chancery_engine::inventory::PlacementRequest;
use chancery_event::Timestamp;
use chancery_event::id::CertificateId;
use chancery_throwaway::on_each_backend;
use serde_json::{Value, json};

use crate::notification::{HOUR, MINUTE, World, of};

impl World {
    /// A profile `p`, and a trigger that tells of events of a type through it.
    async fn tells_of(&self, event_type: &str, profile: Value) {
        let make = async |class, body| {
            self.engine().create_automation(&self.context, class, "p", body, true).await.unwrap()
        };
        make(Automation::Profile, profile).await;
        let steps = json!([{ "step": "notify", "profile": "p" }]);
        make(Automation::Action, json!({ "steps": steps })).await;
        make(Automation::Trigger, json!({ "event_types": [event_type], "actions": ["p"] })).await;
    }

    /// The same thing comes up again: the certificate moves to another folder.
    async fn moves(&mut self, id: CertificateId, folder: &str) {
        let wish = PlacementRequest { path: Some(folder.to_owned()), ..Default::default() };
        self.engine().update_certificate(&self.context, id, None, wish).await.unwrap();
        self.settle().await;
    }

    /// How often mail was sent and how often it was not, and why not.
    async fn told(&self) -> (usize, Vec<String>) {
        let skipped = self.notices("skipped").await;
        let reasons = skipped.iter().filter(|one| one.notice.channel == "mail");
        let sent = self.mails().iter().filter(|(channel, _)| channel == "mail").count();
        (sent, reasons.map(|one| one.notice.reason.clone()).collect())
    }
}

on_each_backend!(the_same_thing_is_told_again_after_the_frequency_and_when_its_alert_was_resolved);
async fn the_same_thing_is_told_again_after_the_frequency_and_when_its_alert_was_resolved() {
    let mut world = World::start().await;
    let ada = world.account("ada", Role::Operator).await;
    let id = world.owned("www.example.org", 50, ada).await;
    world.settle().await;
    let profile = json!({ "recipients": ["owner"], "channels": ["bell", "mail"],
        "frequency": "24h" });
    world.tells_of("certificate.update", profile).await;
    world.moves(id, "/a").await;
    assert_eq!(world.told().await, (1, vec![]));
    world.wait(23 * HOUR).await;
    world.moves(id, "/b").await;
    assert_eq!(world.told().await, (1, vec!["frequency".to_owned()]));
    world.wait(HOUR + MINUTE).await;
    world.moves(id, "/c").await;
    assert_eq!(world.told().await.0, 2, "a day has passed since it was told");
    // Whoever resolves the alert wants to hear of it when it comes back.
    world.wait(HOUR).await;
    world.moves(id, "/d").await;
    assert_eq!(world.told().await.0, 2);
    let sent = world.notices("sent").await;
    let alert = sent.iter().find_map(|one| one.notice.alert).unwrap();
    let (reader, selection) = (of(&world, ada), Selection::Ids(vec![alert]));
    let resolve =
        world.engine().settle_alerts(&reader, &selection, &Action::Resolve { comment: None });
    assert_eq!(resolve.await.unwrap().changed, [alert]);
    world.wait(MINUTE).await;
    world.moves(id, "/e").await;
    assert_eq!(world.told().await.0, 3, "it came back");
    world.moves(id, "/f").await;
    assert_eq!(world.told().await.0, 3, "and is counted anew");
}

on_each_backend!(another_threshold_is_another_thing);
async fn another_threshold_is_another_thing() {
    let mut world = World::start_watching().await;
    let ada = world.account("ada", Role::Operator).await;
    let once = json!({ "recipients": ["owner"], "channels": ["mail"], "repetitions": 1 });
    world.replace(Automation::Profile, "default", once, true).await;
    let often = json!({ "kind": "certificate_expiry", "thresholds": ["10d", "5d"],
        "repeat": "1d", "schedule": { "cron": "5 * * * *", "time_zone": "UTC" } });
    world.replace(Automation::Monitor, "certificate-expiry", often, true).await;
    world.aged("www.example.org", (-200, 9), ada).await;
    world.pass(61 * MINUTE).await;
    world.pass(61 * MINUTE).await;
    assert_eq!(world.told().await, (1, vec![]), "ten days before");
    world.pass(25 * HOUR).await;
    let (sent, reasons) = world.told().await;
    assert_eq!((sent, reasons), (1, vec!["repetitions".to_owned()]), "the same one, repeated");
    world.pass(3 * 24 * HOUR).await;
    assert_eq!(world.told().await.0, 2, "five days before: something else");
    let thresholds: Vec<String> = {
        let object = world.notices("sent").await[0].notice.object.clone().unwrap();
        let streams = world.engine().notice_streams(&world.context, &object).await.unwrap();
        streams.into_iter().map(|one| one.threshold).collect()
    };
    assert_eq!(thresholds, ["10d", "5d"]);
}

on_each_backend!(nobody_by_name_is_whoever_reads_the_channel);
async fn nobody_by_name_is_whoever_reads_the_channel() {
    let mut world = World::start().await;
    world.account("ada", Role::Operator).await;
    world.tells(json!({ "recipients": ["none"], "channels": ["chat", "mail", "bell"] })).await;
    world.group("a").await;
    let mails = world.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].0, "chat");
    assert!(mails[0].1.recipients.is_empty() && mails[0].1.mentions.is_empty());
    let sent = world.notices("sent").await;
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!((&sent[0].notice.account, &sent[0].notice.address), (&None, &None));
}

on_each_backend!(what_is_not_about_a_certificate_concerns_whom_it_is_about_and_who_did_it);
async fn what_is_not_about_a_certificate_concerns_whom_it_is_about_and_who_did_it() {
    let mut world = World::start().await;
    let ada = world.account("ada", Role::Operator).await;
    let grace = world.account("grace", Role::Administrator).await;
    world.account("mary", Role::Administrator).await;
    let profile = json!({ "recipients": ["default"], "channels": ["mail"] });
    world.tells_of("account.update", profile).await;
    let mut caller = of(&world, grace);
    caller.role = Some(Role::Administrator);
    let change = AccountChange { display_name: Some("Ada".to_owned()), ..AccountChange::default() };
    world.engine().update_account(&caller, ada, None, change).await.unwrap();
    world.settle().await;
    let mut told: Vec<_> =
        world.mails().into_iter().map(|(_, mail)| mail.recipients.join(",")).collect();
    told.sort();
    assert_eq!(told, ["ada@example.org", "grace@example.org"]);
    let sent = world.notices("sent").await;
    let paths_of = |account| {
        let one = sent.iter().find(|one| one.notice.account == Some(account));
        one.map(|one| one.paths()).unwrap_or_default()
    };
    assert_eq!(paths_of(ada), ["default: about them"]);
    assert_eq!(paths_of(grace), ["default: did it"]);
}

on_each_backend!(a_digest_stands_under_the_owners_or_the_teams_of_what_it_tells_of);
async fn a_digest_stands_under_the_owners_or_the_teams_of_what_it_tells_of() {
    let mut world = World::start().await;
    let ada = world.account("ada", Role::Operator).await;
    let grace = world.account("grace", Role::Operator).await;
    world.account("chief", Role::Administrator).await;
    world.new_group("Web").await;
    let profile = |by: &str| {
        json!({ "recipients": ["account:chief"], "channels": ["mail"],
            "digest": { "cron": "0 15 * * *", "group_by": by } })
    };
    let mut ids = Vec::new();
    for (name, owner) in [("one", ada), ("two", ada), ("three", grace)] {
        ids.push(world.owned(&format!("{name}.example.org"), 50, owner).await);
    }
    let wish = PlacementRequest { groups: Some(vec!["Web".to_owned()]), ..Default::default() };
    world.engine().update_certificate(&world.context, ids[0], None, wish).await.unwrap();
    world.settle().await;
    world.tells_of("certificate.update", profile("owner")).await;
    for id in &ids {
        world.moves(*id, "/a").await;
    }
    world.wait(4 * HOUR).await;
    let mail = world.mails().pop().unwrap().1;
    assert_eq!(mail.subject, "3 notices under 2 headings");
    assert!(mail.text.contains("ada (2)\n") && mail.text.contains("grace (1)\n"), "{}", mail.text);
    world.replace(Automation::Profile, "p", profile("team"), true).await;
    for id in &ids {
        world.moves(*id, "/b").await;
    }
    world.wait(24 * 3_600 * Timestamp::SECOND).await;
    let mails = world.mails();
    assert_eq!(mails.len(), 2, "{mails:?}");
    let text = &mails[1].1.text;
    assert!(text.contains("Web (1)\n") && text.contains("no group (2)\n"), "{text}");
}
