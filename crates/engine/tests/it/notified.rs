//! That nobody misses a notice, and nobody gets it twice: through several profiles, digests, quiet
//! hours, changes on the way, by a clock that the test moves, on both engines.

use chancery_engine::access::AccountChange;
use chancery_engine::alert::{AlertQuery, Sort};
use chancery_engine::automation::Class as Automation;
use chancery_engine::configuration::LabelClass;
use chancery_engine::notification::Contact;
use chancery_engine::{Role, bench};
use chancery_store::Tampering;
use chancery_store::table::contact;
use chancery_throwaway::on_each_backend;
use serde_json::{Value, json};

use crate::notification::{HOUR, MINUTE, World};

const DAY: i64 = 24 * HOUR;

impl World {
    async fn change(&self, profile: &str, body: Value) {
        let class = Automation::Profile;
        let changed =
            self.engine().update_automation(&self.context, class, profile, None, body, true);
        changed.await.unwrap();
    }

    async fn reasons(&self) -> Vec<(String, String)> {
        let skipped = self.notices("skipped").await;
        let mut reasons: Vec<_> = skipped
            .iter()
            .map(|one| (one.notice.profile.clone(), one.notice.reason.clone()))
            .collect();
        reasons.sort();
        reasons
    }

    pub(crate) async fn alerts(&self, filter: &str) -> usize {
        let query = AlertQuery {
            filter: self.engine().parse_alert_filter(filter).unwrap(),
            sort: Sort::Created,
            descending: true,
            cursor: None,
            limit: 100,
        };
        self.engine().alerts(&self.context, &query).await.unwrap().items.len()
    }
}

fn of(profile: &str, reason: &str) -> (String, String) {
    (profile.to_owned(), reason.to_owned())
}

on_each_backend!(an_address_stays_an_address_whoever_says_it_is_theirs);
async fn an_address_stays_an_address_whoever_says_it_is_theirs() {
    let mut world = World::start().await;
    let viewer = world.account("eve", Role::Viewer).await;
    world.tells(json!({ "recipients": ["address:pki@example.org"], "channels": ["mail"] })).await;
    let contact = Contact {
        email: Some("pki@example.org".to_owned()),
        quiet_hours: json!({ "from": "00:00", "to": "23:59" }),
        ..Contact::default()
    };
    world.engine().set_contact(&world.context, viewer, contact).await.unwrap();
    world.group("a").await;
    let mails = world.mails();
    assert_eq!(mails.len(), 1, "somebody's quiet hours are their own");
    assert_eq!(mails[0].1.recipients, ["pki@example.org"]);
    let sent = world.notices("sent").await;
    assert_eq!((sent[0].notice.account, sent[0].notice.reason.as_str()), (None, ""));
    let change = AccountChange { disabled: Some(true), ..AccountChange::default() };
    world.engine().update_account(&world.context, viewer, None, change).await.unwrap();
    world.group("b").await;
    assert_eq!(world.mails().len(), 2, "nor does their end silence the address");
}

on_each_backend!(an_address_and_its_account_are_told_once_and_at_once);
async fn an_address_and_its_account_are_told_once_and_at_once() {
    let mut world = World::start().await;
    let ada = world.account("ada", Role::Operator).await;
    let quiet = json!({ "from": "00:00", "to": "23:59" });
    let contact = Contact { quiet_hours: quiet, ..Contact::default() };
    world.engine().set_contact(&world.context, ada, contact).await.unwrap();
    let recipients = json!(["account:ada", "address:ada@example.org"]);
    world.tells(json!({ "recipients": recipients, "channels": ["mail"] })).await;
    world.group("a").await;
    assert_eq!(world.mails().len(), 1, "the address does not wait");
    world.wait(2 * DAY).await;
    assert_eq!(world.mails().len(), 1);
    assert_eq!(world.reasons().await, [of("p", "duplicate")]);
}

on_each_backend!(what_only_waits_silences_nothing_that_is_sent_now);
async fn what_only_waits_silences_nothing_that_is_sent_now() {
    let mut world = World::start().await;
    world.account("ada", Role::Operator).await;
    let weekly = json!({ "cron": "0 8 * * MON" });
    let digest = |cron: &Value| json!({ "recipients": ["account:ada"], "channels": ["mail"], "digest": cron });
    world.tells_through("a", digest(&weekly)).await;
    let at_once = json!({ "recipients": ["account:ada"], "channels": ["mail"] });
    world.tells_through("b", at_once).await;
    world.group("x").await;
    assert_eq!(world.mails().len(), 1, "at once");
    assert_eq!(world.reasons().await, [of("a", "duplicate")]);
    world.wait(8 * DAY).await;
    assert_eq!(world.mails().len(), 1, "and not again");
    // Two digests: the earlier tells, and if it is switched off, the later does.
    world.change("b", digest(&json!({ "cron": "0 12 * * *" }))).await;
    world.group("y").await;
    assert_eq!(world.notices("held").await.len(), 2);
    world.wait(DAY).await;
    assert_eq!(world.mails().len(), 2);
    world.wait(8 * DAY).await;
    assert_eq!(world.mails().len(), 2, "the other one was told of it already");
    world.group("z").await;
    let body = digest(&json!({ "cron": "0 12 * * *" }));
    let off = world.engine().update_automation(
        &world.context,
        Automation::Profile,
        "b",
        None,
        body,
        false,
    );
    off.await.unwrap();
    world.wait(DAY).await;
    assert_eq!(world.mails().len(), 2);
    world.wait(8 * DAY).await;
    assert_eq!(world.mails().len(), 3, "the one that is left tells");
}

on_each_backend!(levels_begin_although_another_profile_told_already);
async fn levels_begin_although_another_profile_told_already() {
    let mut world = World::start().await;
    world.account("ada", Role::Operator).await;
    world.account("chief", Role::Administrator).await;
    let plain = json!({ "recipients": ["account:ada"], "channels": ["mail"] });
    world.tells_through("a", plain).await;
    let levels = json!([{ "after": "30m", "recipients": ["account:chief"] }]);
    let on_call = json!({ "recipients": ["account:ada"], "channels": ["mail"],
        "escalation": levels });
    world.tells_through("b", on_call).await;
    world.group("x").await;
    assert_eq!(world.mails().len(), 1, "ada is told once");
    assert_eq!(world.reasons().await, [of("b", "duplicate")]);
    world.wait(31 * MINUTE).await;
    let mails = world.mails();
    assert_eq!(mails.len(), 2, "and the chief when she does not answer");
    assert_eq!(mails[1].1.recipients, ["chief@example.org"]);
}

on_each_backend!(what_waited_keeps_the_words_of_its_action_and_whom_it_is_for);
async fn what_waited_keeps_the_words_of_its_action_and_whom_it_is_for() {
    let mut world = World::start().await;
    let ada = world.account("ada", Role::Operator).await;
    let contact = Contact { chat: Some("<@U1>".to_owned()), ..Contact::default() };
    world.engine().set_contact(&world.context, ada, contact).await.unwrap();
    let template = json!({ "subject": "{{ trigger }}: {{ title }}", "text": "{{ message }}" });
    let class = Automation::Template;
    let made = world.engine().create_automation(&world.context, class, "t", template, true);
    made.await.unwrap();
    let quiet = json!({ "from": "11:00", "to": "07:00" });
    world
        .tells(json!({ "recipients": ["account:ada"], "channels": ["mail", "chat"],
            "template": "t", "quiet_hours": quiet }))
        .await;
    let steps = json!([{ "step": "notify", "profile": "p", "title": "A new group",
        "message": "Look after it." }]);
    let body = json!({ "steps": steps });
    let class = Automation::Action;
    let changed = world.engine().update_automation(&world.context, class, "p", None, body, true);
    changed.await.unwrap();
    world.group("x").await;
    assert!(world.mails().is_empty());
    world.wait(20 * HOUR).await;
    let mut mails = world.mails();
    mails.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(mails.len(), 2);
    for (channel, message) in &mails {
        assert_eq!(message.subject, "p: A new group", "{channel}");
        let (words, links) = message.text.split_once("\n\n").unwrap();
        assert_eq!(words, "Look after it.", "{channel}");
        assert!(links.contains("/events/"), "{channel}: {links}");
    }
    assert_eq!(mails[0].1.mentions, ["<@U1>"], "the chat says whom it is for");
    // A digest of several mentions them as well.
    world.clock.advance(4 * HOUR);
    world.group("y").await;
    world.group("z").await;
    world.wait(20 * HOUR).await;
    let digest = world.mails().into_iter().rfind(|(channel, _)| channel == "chat").unwrap().1;
    assert!(digest.subject.starts_with("2 notices"), "{digest:?}");
    assert_eq!(digest.mentions, ["<@U1>"]);
    assert_eq!(digest.text.matches("A new group").count(), 2, "{}", digest.text);
}

on_each_backend!(a_digest_is_one_message_however_many_it_tells_of);
async fn a_digest_is_one_message_however_many_it_tells_of() {
    let mut world = World::start().await;
    for number in 0..30 {
        world.account(&format!("ada{number}"), Role::Operator).await;
    }
    world
        .tells(json!({ "recipients": ["role:operator"], "channels": ["chat"],
            "digest": { "cron": "0 15 * * *" } }))
        .await;
    for number in 0..40 {
        world.new_group(&format!("g{number}")).await;
    }
    world.settle().await;
    world.wait(4 * HOUR).await;
    let mails = world.mails();
    assert_eq!(mails.len(), 1, "1,200 decisions, one message");
    assert!(mails[0].1.subject.starts_with("40 notices"), "{}", mails[0].1.subject);
    assert_eq!(mails[0].1.mentions.len(), 30);
    assert!(world.notices("held").await.is_empty());
}

on_each_backend!(who_was_deleted_while_it_waited_is_not_told_and_leaves_nothing);
async fn who_was_deleted_while_it_waited_is_not_told_and_leaves_nothing() {
    let mut world = World::start().await;
    let ada = world.account("ada", Role::Operator).await;
    let contact = Contact { email: Some("a@example.org".to_owned()), ..Contact::default() };
    world.engine().set_contact(&world.context, ada, contact).await.unwrap();
    world
        .tells(json!({ "recipients": ["role:operator"], "channels": ["mail"],
            "digest": { "cron": "0 15 * * *" } }))
        .await;
    let group = world.new_group("x").await;
    let list = Contact { email: Some("x@example.org".to_owned()), ..Contact::default() };
    let id = group.parse().unwrap();
    world.engine().set_group_contact(&world.context, id, list, Vec::new()).await.unwrap();
    world.settle().await;
    assert_eq!(world.notices("held").await.len(), 1);
    world.engine().delete_account(&world.context, ada).await.unwrap();
    let deleted = world.engine().delete_label(&world.context, LabelClass::Group, &group);
    deleted.await.unwrap();
    world.wait(4 * HOUR).await;
    assert!(world.mails().is_empty(), "{:?}", world.mails());
    assert_eq!(world.reasons().await, [of("p", "disabled_account")]);
    let mut link = bench::store(world.engine()).read().await.unwrap();
    assert!(contact::all(&mut link).await.unwrap().is_empty(), "contact data goes as well");
}

on_each_backend!(another_digest_or_other_quiet_hours_count_for_what_waits);
async fn another_digest_or_other_quiet_hours_count_for_what_waits() {
    let mut world = World::start().await;
    let ada = world.account("ada", Role::Operator).await;
    let with = |rest: Value| {
        let mut body = json!({ "recipients": ["account:ada"], "channels": ["mail"] });
        body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        body
    };
    world.tells(with(json!({ "digest": { "cron": "0 8 1 * *" } }))).await;
    world.group("a").await;
    world.change("p", with(json!({ "digest": { "cron": "0 15 * * *" } }))).await;
    world.settle().await;
    let due = world.notices("held").await[0].notice.due_at.unwrap().to_string();
    assert_eq!(due, "2026-11-21T15:00:00.000000Z", "daily, from now on");
    world.change("p", with(json!({}))).await;
    world.settle().await;
    assert_eq!(world.mails().len(), 1, "nothing holds it any more");
    // Somebody's own hours.
    let quiet = |from: &str, to: &str| Contact {
        quiet_hours: json!({ "from": from, "to": to }),
        ..Contact::default()
    };
    world.engine().set_contact(&world.context, ada, quiet("11:00", "23:00")).await.unwrap();
    world.group("b").await;
    assert_eq!(world.notices("held").await.len(), 1);
    world.engine().set_contact(&world.context, ada, quiet("22:00", "23:00")).await.unwrap();
    world.settle().await;
    assert_eq!(world.mails().len(), 2);
}

on_each_backend!(hours_that_leave_no_time_keep_nothing_back);
async fn hours_that_leave_no_time_keep_nothing_back() {
    let mut world = World::start().await;
    let ada = world.account("ada", Role::Operator).await;
    let contact =
        Contact { quiet_hours: json!({ "from": "07:00", "to": "22:00" }), ..Contact::default() };
    world.engine().set_contact(&world.context, ada, contact).await.unwrap();
    world
        .tells(json!({ "recipients": ["account:ada"], "channels": ["mail"],
            "quiet_hours": { "from": "22:00", "to": "07:00" } }))
        .await;
    world.group("a").await;
    assert_eq!(world.mails().len(), 1);
}

on_each_backend!(a_level_sends_an_address_one_message);
async fn a_level_sends_an_address_one_message() {
    let mut world = World::start().await;
    world.account("ada", Role::Operator).await;
    let grace = world.account("grace", Role::Operator).await;
    let same = Contact { email: Some("ada@example.org".to_owned()), ..Contact::default() };
    world.engine().set_contact(&world.context, grace, same).await.unwrap();
    let people = json!(["role:operator", "address:ada@example.org"]);
    let levels = json!([{ "after": "30m", "recipients": people }]);
    world
        .tells(json!({ "recipients": ["account:ada"], "channels": ["mail"], "escalation": levels }))
        .await;
    world.group("a").await;
    world.wait(31 * MINUTE).await;
    assert_eq!(world.mails().len(), 2, "{:?}", world.mails());
}

on_each_backend!(what_cannot_be_read_stands_in_nobodys_way);
async fn what_cannot_be_read_stands_in_nobodys_way() {
    let mut world = World::start().await;
    world.account("ada", Role::Operator).await;
    world
        .tells(json!({ "recipients": ["account:ada"], "channels": ["mail"],
            "digest": { "cron": "0 15 * * *" } }))
        .await;
    world.group("a").await;
    world.group("b").await;
    bench::store(world.engine()).tamper(Tampering::NewestEntry).await.unwrap();
    world.clock.advance(4 * HOUR);
    world.tell().await;
    let held = world.notices("held").await;
    assert!(held.is_empty(), "{held:?}");
    assert_eq!(world.mails().len(), 1, "the other one is told of");
    assert_eq!(world.reasons().await, [of("p", "failed")]);
    assert_eq!(world.alerts("kind:notification_failed").await, 1, "and somebody hears of it");
}

on_each_backend!(who_was_refused_is_tried_again_after_a_week);
async fn who_was_refused_is_tried_again_after_a_week() {
    let mut world = World::start().await;
    world.account("ada", Role::Operator).await;
    world.account("grace", Role::Operator).await;
    world.tells(json!({ "recipients": ["role:operator"], "channels": ["mail"] })).await;
    world.refuse(&["ada"]);
    world.group("a").await;
    world.refuse(&[]);
    world.group("b").await;
    let to_ada = |world: &World| {
        let mails = world.mails();
        mails.iter().filter(|(_, mail)| mail.recipients == ["ada@example.org"]).count()
    };
    assert_eq!((world.mails().len(), to_ada(&world)), (2, 0));
    assert_eq!(world.reasons().await, [of("p", "bouncing")]);
    world.wait(7 * DAY).await;
    world.group("c").await;
    assert_eq!(to_ada(&world), 1, "a refusal does not last for ever");
}

on_each_backend!(a_server_that_refuses_everybody_makes_nobody_bounce);
async fn a_server_that_refuses_everybody_makes_nobody_bounce() {
    let mut world = World::start().await;
    let names = ["ada", "grace", "mary"];
    for name in names {
        world.account(name, Role::Operator).await;
    }
    world.tells(json!({ "recipients": ["role:operator"], "channels": ["mail"] })).await;
    world.refuse(&names);
    world.group("a").await;
    assert!(world.mails().is_empty());
    world.refuse(&[]);
    world.group("b").await;
    assert_eq!(world.mails().len(), 3, "it was not the people");
    assert!(world.notices("skipped").await.is_empty());
}

on_each_backend!(a_template_that_fails_is_an_alert_until_it_works);
async fn a_template_that_fails_is_an_alert_until_it_works() {
    let mut world = World::start().await;
    world.account("ada", Role::Operator).await;
    let class = Automation::Template;
    let body = |text: &str| json!({ "subject": "x", "text": text });
    // It can be filled from the examples, and not from what comes.
    let text = "{% if detail.object_name %}{{ event.index - detail.object_name }}{% endif %}";
    let made = world.engine().create_automation(&world.context, class, "t", body(text), true);
    made.await.unwrap();
    let profile = json!({ "recipients": ["account:ada"], "channels": ["mail"], "template": "t" });
    world.tells(profile).await;
    world.group("a").await;
    assert!(world.mails()[0].1.text.contains("/events/"), "the built-in one stands in");
    assert_eq!(world.notices("sent").await[0].notice.reason, "template");
    assert_eq!(world.alerts("kind:template_failed -state:resolved").await, 1);
    let change = async |text: &str, on: bool| {
        let body = body(text);
        let changed = world.engine().update_automation(&world.context, class, "t", None, body, on);
        changed.await.unwrap();
    };
    change("{{ title }}", true).await;
    // Decisions of one moment stand in no order.
    world.wait(chancery_event::Timestamp::SECOND).await;
    world.group("b").await;
    assert_eq!(world.alerts("kind:template_failed -state:resolved").await, 0);
    assert_eq!(world.notices("sent").await[0].notice.reason, "");
}
