//! Digests, quiet hours and escalation by a clock that the test moves, on both engines.

use std::sync::{Arc, Mutex};

use chancery_engine::alert::{Action, Selection};
use chancery_engine::automation::Class as Automation;
use chancery_engine::configuration::{LabelClass, LabelDraft};
use chancery_engine::delivery::{
    Address, Checked, Class, Content, Definition, DestinationEdit, Message, Parcel, Secrets,
    SendError, Sender, Sent,
};
use chancery_engine::net::Network;
use chancery_engine::notification::{NoticeQuery, Told};
use chancery_engine::{Client, Context, Engine, Error, Role, Settings, Stepped};
use chancery_event::envelope::Authentication;
use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_event::id::AccountId;
use chancery_event::{Environment, Origin, Timestamp};
use chancery_throwaway::{database_of, on_each_backend};
use futures::future::BoxFuture;
use serde_json::{Value, json};

pub(crate) const MINUTE: i64 = 60 * Timestamp::SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;

/// Keeps every message, and refuses whom it is told to: addresses, or a channel altogether.
#[derive(Clone, Default)]
struct Post(Arc<Mutex<Vec<(String, Message)>>>, Arc<Mutex<Vec<String>>>);

impl Sender for Post {
    fn kinds(&self) -> Vec<&'static str> {
        vec!["email", "slack"]
    }

    fn check(&self, _: &Definition, _: &mut Secrets) -> Result<Checked, Error> {
        Ok(Checked { batch_max: 1, ..Checked::default() })
    }

    fn send(&self, address: Arc<Address>, parcel: Parcel) -> BoxFuture<'static, Sent> {
        if let Content::Message(message) = parcel.content {
            let refused = self.1.lock().unwrap();
            if refused.contains(&address.name) {
                let error = SendError::new("connect", "nobody answers");
                return Box::pin(async { Sent::failed(json!({}), error) });
            }
            if refused.contains(&format!("gone:{}", address.name)) {
                let error = SendError { gone: true, ..SendError::new("gone", "410") };
                return Box::pin(async { Sent::failed(json!({}), error) });
            }
            if let Some(one) = message.recipients.iter().find(|one| refused.contains(one)) {
                let error = SendError {
                    refused_recipient: Some(one.clone()),
                    ..SendError::new("recipient_refused", "550")
                };
                return Box::pin(async { Sent::failed(json!({}), error) });
            }
            self.0.lock().unwrap().push((address.name.clone(), *message));
        }
        Box::pin(async { Sent { status: Some(250), ..Sent::default() } })
    }

    fn network(&self) -> Network {
        Network::default()
    }
}

pub(crate) struct World {
    stepped: Option<Stepped>,
    environment: Environment,
    settings: Settings,
    pub(crate) clock: Arc<ManualClock>,
    post: Post,
    pub(crate) context: Context,
    _dir: tempfile::TempDir,
}

impl World {
    /// Starts on a Saturday at noon, with the channels `mail` and `chat`.
    pub(crate) async fn start() -> Self {
        Self::start_with(false).await
    }

    /// The same with monitors, and what else a new installation has.
    pub(crate) async fn start_watching() -> Self {
        Self::start_with(true).await
    }

    async fn start_with(monitors: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::new("2026-11-21T12:00:00Z".parse().unwrap());
        let environment = Environment::new(clock.clone(), SeededEntropy::new(11));
        let post = Post::default();
        let settings = Settings {
            allow_unencrypted_key: true,
            monitors,
            database: database_of(dir.path()).map(|url| url.parse().unwrap()),
            sender: Some(Arc::new(post.clone())),
            ..Settings::new(dir.path())
        };
        let stepped = Stepped::open(settings.clone(), environment.clone()).await.unwrap();
        let context = Context::command_line(stepped.engine().environment());
        let stepped = Some(stepped);
        let mut world = Self { stepped, environment, settings, clock, post, context, _dir: dir };
        for (name, kind) in [("mail", "email"), ("chat", "slack")] {
            let edit = DestinationEdit { body: json!({ "kind": kind }), ..Default::default() };
            let made =
                world.engine().create_destination(&world.context, Class::Channel, name, edit);
            made.await.unwrap();
        }
        world.settle().await;
        world
    }

    /// Ends as a program does that is killed, and starts again.
    pub(crate) async fn restart(&mut self) {
        self.stepped.take().unwrap().kill().await;
        let (settings, environment) = (self.settings.clone(), self.environment.clone());
        self.stepped = Some(Stepped::open(settings, environment).await.unwrap());
    }

    pub(crate) fn engine(&self) -> &Engine {
        self.stepped.as_ref().unwrap().engine()
    }

    pub(crate) fn stepped(&mut self) -> &mut Stepped {
        self.stepped.as_mut().unwrap()
    }

    pub(crate) async fn account(&self, name: &str, role: Role) -> AccountId {
        let new = chancery_engine::access::NewAccount {
            name: name.to_owned(),
            display_name: String::new(),
            email: Some(format!("{name}@example.org")),
            role: role.to_string(),
            password: None,
            expires_at: None,
        };
        self.engine().create_account(&self.context, new).await.unwrap().0
    }

    /// The profile `p`, and a trigger that tells of new groups through it.
    pub(crate) async fn tells(&self, profile: Value) {
        self.tells_through("p", profile).await;
    }

    /// A profile, and a trigger of the same name that tells of new groups through it.
    pub(crate) async fn tells_through(&self, name: &str, profile: Value) {
        let make = async |class, body| {
            self.engine().create_automation(&self.context, class, name, body, true).await.unwrap()
        };
        make(Automation::Profile, profile).await;
        let steps = json!([{ "step": "notify", "profile": name }]);
        make(Automation::Action, json!({ "steps": steps })).await;
        make(Automation::Rule, json!({ "filter": "detail.class:group" })).await;
        let trigger = json!({ "event_types": ["configuration.create"], "rules": [name],
            "actions": [name] });
        make(Automation::Trigger, trigger).await;
    }

    pub(crate) async fn group(&mut self, name: &str) {
        self.new_group(name).await;
        self.settle().await;
    }

    /// Makes a group, and lets nobody look; answers its identifier.
    pub(crate) async fn new_group(&self, name: &str) -> String {
        let draft = LabelDraft { name: name.to_owned(), description: String::new() };
        let made = self.engine().create_label(&self.context, LabelClass::Group, draft);
        made.await.unwrap()
    }

    /// Decides and sends what is due, and seals nothing.
    pub(crate) async fn tell(&mut self) {
        self.stepped().notify().await.unwrap();
        self.stepped().deliver().await.unwrap();
    }

    /// Everything that can be done now.
    pub(crate) async fn settle(&mut self) {
        for _ in 0..3 {
            let stepped = self.stepped();
            stepped.seal().await.unwrap();
            stepped.react().await.unwrap();
            stepped.notify().await.unwrap();
            stepped.deliver().await.unwrap();
        }
    }

    pub(crate) async fn wait(&mut self, micros: i64) {
        self.clock.advance(micros);
        self.settle().await;
    }

    /// From now on the server refuses these people.
    pub(crate) fn refuse(&self, names: &[&str]) {
        let addresses = names.iter().map(|name| format!("{name}@example.org")).collect();
        *self.post.1.lock().unwrap() = addresses;
    }

    /// From now on these channels do not answer, and these addresses are refused; `gone:NAME` is a
    /// channel that says that it is gone.
    pub(crate) fn dead(&self, names: &[&str]) {
        *self.post.1.lock().unwrap() = names.iter().map(|name| (*name).to_owned()).collect();
    }

    pub(crate) fn mails(&self) -> Vec<(String, Message)> {
        self.post.0.lock().unwrap().clone()
    }

    pub(crate) async fn notices(&self, decision: &str) -> Vec<Told> {
        let query = NoticeQuery { decision: Some(decision.to_owned()), ..NoticeQuery::default() };
        self.engine().notices(&self.context, query, 100).await.unwrap()
    }
}

on_each_backend!(a_digest_is_one_message_for_many_and_what_is_excepted_does_not_wait);
async fn a_digest_is_one_message_for_many_and_what_is_excepted_does_not_wait() {
    let mut world = World::start().await;
    world.account("ada", Role::Operator).await;
    world.account("grace", Role::Operator).await;
    world
        .tells(json!({ "recipients": ["role:operator"], "channels": ["mail", "chat"],
            "digest": { "cron": "0 15 * * *", "group_by": "cause", "except": ["critical"] } }))
        .await;
    for name in ["a", "b", "c"] {
        world.group(name).await;
    }
    assert!(world.mails().is_empty());
    let held = world.notices("held").await;
    assert_eq!(held.len(), 12, "three events, two people, two channels");
    assert!(held.iter().all(|one| one.notice.reason == "digest"));
    world.wait(3 * HOUR - Timestamp::SECOND).await;
    assert!(world.mails().is_empty());
    world.wait(2 * Timestamp::SECOND).await;
    let mut mails = world.mails();
    mails.sort_by_key(|(channel, message)| (channel.clone(), message.recipients.clone()));
    let shown: Vec<_> = mails
        .iter()
        .map(|(channel, message)| {
            (channel.as_str(), message.recipients.join(","), &*message.subject)
        })
        .collect();
    let subject = "3 notices: configuration.create";
    assert_eq!(
        shown,
        [
            ("chat", String::new(), subject),
            ("mail", "ada@example.org".to_owned(), subject),
            ("mail", "grace@example.org".to_owned(), subject),
        ]
    );
    assert_eq!(mails[1].1.text.matches("/events/").count(), 3, "{}", mails[1].1.text);
    assert!(world.notices("held").await.is_empty());
    let sent = world.notices("sent").await;
    assert!(sent.iter().all(|one| one.delivery_state.as_deref() == Some("delivered")));
    let carried: std::collections::BTreeSet<_> =
        sent.iter().map(|one| one.notice.delivery).collect();
    assert_eq!(carried.len(), 3, "many decisions, three deliveries");
    world.wait(48 * HOUR).await;
    assert_eq!(world.mails().len(), 3, "nothing is sent twice");
    // Grave ones do not wait: a profile that excepts what new groups are.
    let body = json!({ "recipients": ["role:operator"], "channels": ["mail"],
        "digest": { "cron": "0 15 * * *", "except": ["info"] } });
    let class = Automation::Profile;
    let changed = world.engine().update_automation(&world.context, class, "p", None, body, true);
    changed.await.unwrap();
    world.group("d").await;
    assert_eq!(world.mails().len(), 5, "ada and grace, at once");
}

on_each_backend!(quiet_hours_hold_until_the_morning_and_let_exceptions_through);
async fn quiet_hours_hold_until_the_morning_and_let_exceptions_through() {
    let mut world = World::start().await;
    world.account("ada", Role::Operator).await;
    let quiet = json!({ "from": "11:00", "to": "07:00", "except": ["warning"] });
    let profile = json!({ "recipients": ["account:ada"], "channels": ["bell", "mail"],
        "quiet_hours": quiet });
    world.tells(profile).await;
    world.group("a").await;
    assert!(world.mails().is_empty());
    let sent = world.notices("sent").await;
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].notice.channel, "bell", "the bell wakes nobody");
    let held = world.notices("held").await;
    assert_eq!(held[0].notice.reason, "quiet_hours");
    assert_eq!(held[0].notice.due_at.unwrap().to_string(), "2026-11-22T07:00:00.000000Z");
    world.wait(19 * HOUR + MINUTE).await;
    assert_eq!(world.mails().len(), 1);
    assert!(world.notices("held").await.is_empty());
    // Somebody's own quiet hours count as well, and may end later.
    let id = world.account("grace", Role::Operator).await;
    let contact = chancery_engine::notification::Contact {
        quiet_hours: json!({ "from": "06:00", "to": "09:30" }),
        ..Default::default()
    };
    world.engine().set_contact(&world.context, id, contact).await.unwrap();
    let body = json!({ "recipients": ["account:grace"], "channels": ["mail"] });
    let changed = world.engine().update_automation(
        &world.context,
        Automation::Profile,
        "p",
        None,
        body,
        true,
    );
    changed.await.unwrap();
    world.group("b").await;
    let held = world.notices("held").await;
    assert_eq!(held[0].notice.due_at.unwrap().to_string(), "2026-11-22T09:30:00.000000Z");
    world.wait(3 * HOUR).await;
    assert_eq!(world.mails().len(), 2);
    // Exceptions get through at any hour: it is quiet by the profile now, and news is info.
    let quiet = json!({ "from": "09:00", "to": "07:00", "except": ["info"] });
    let body = json!({ "recipients": ["account:ada"], "channels": ["mail"], "quiet_hours": quiet });
    let changed = world.engine().update_automation(
        &world.context,
        Automation::Profile,
        "p",
        None,
        body,
        true,
    );
    changed.await.unwrap();
    world.group("c").await;
    assert_eq!(world.mails().len(), 3);
}

on_each_backend!(what_nobody_acknowledges_goes_up_level_by_level);
async fn what_nobody_acknowledges_goes_up_level_by_level() {
    let mut world = World::start().await;
    let ada = world.account("ada", Role::Operator).await;
    world.account("chief", Role::Administrator).await;
    let levels = json!([
        { "after": "30m", "recipients": ["account:ada"], "channels": ["chat"] },
        { "after": "1h", "recipients": ["account:chief"] },
    ]);
    world
        .tells(json!({ "recipients": ["account:ada"], "channels": ["mail"], "escalation": levels }))
        .await;
    world.group("a").await;
    assert_eq!(world.mails().len(), 1);
    world.wait(31 * MINUTE).await;
    let mails = world.mails();
    assert_eq!((mails.len(), mails[1].0.as_str()), (2, "chat"));
    assert!(mails[1].1.subject.starts_with("Not acknowledged (level 1)"), "{:?}", mails[1].1);
    world.wait(61 * MINUTE).await;
    assert_eq!(world.mails()[2].1.recipients, ["chief@example.org"]);
    world.wait(24 * HOUR).await;
    assert_eq!(world.mails().len(), 3, "there are two levels");
    // Another one, which somebody takes up.
    world.group("b").await;
    assert_eq!(world.mails().len(), 4);
    let sent = world.notices("sent").await;
    let alert = sent[0].notice.alert.unwrap();
    let selection = Selection::Ids(vec![alert]);
    world.engine().settle_alerts(&of(&world, ada), &selection, &Action::Acknowledge).await.unwrap();
    world.wait(3 * HOUR).await;
    assert_eq!(world.mails().len(), 4, "acknowledged in time");
    let escalations = world.engine().escalations(&world.context, alert).await.unwrap();
    assert_eq!(escalations[0].state, "dropped");
}

on_each_backend!(who_is_given_it_by_hand_has_taken_it_up);
async fn who_is_given_it_by_hand_has_taken_it_up() {
    let mut world = World::start().await;
    let ada = world.account("ada", Role::Operator).await;
    let levels = json!([{ "after": "30m", "recipients": ["account:ada"], "channels": ["chat"] }]);
    world
        .tells(json!({ "recipients": ["account:ada"], "channels": ["bell"], "escalation": levels }))
        .await;
    let alert_of = async |world: &World| world.notices("sent").await[0].notice.alert.unwrap();
    let assign = async |world: &World, alert, to| {
        let selection = Selection::Ids(vec![alert]);
        let action = Action::Assign(to);
        world.engine().settle_alerts(&of(world, ada), &selection, &action).await.unwrap()
    };
    // The bell gave it to her: nobody has said anything about it yet.
    world.group("a").await;
    let alert = alert_of(&world).await;
    let shown = world.engine().alert(&world.context, alert).await.unwrap().alert;
    assert_eq!((shown.assigned_to, shown.assigned_by), (Some(ada), None));
    world.wait(31 * MINUTE).await;
    assert_eq!(world.mails().len(), 1, "the bell's choice is not hers");
    // She takes the next one, which the bell gave her as well.
    world.wait(MINUTE).await;
    world.group("b").await;
    let alert = alert_of(&world).await;
    assert_eq!(assign(&world, alert, Some(ada)).await.changed, [alert]);
    world.wait(3 * HOUR).await;
    assert_eq!(world.mails().len(), 1, "somebody has it");
    let escalations = world.engine().escalations(&world.context, alert).await.unwrap();
    assert_eq!(escalations[0].state, "dropped");
    // Given and taken back: nobody has it.
    world.wait(MINUTE).await;
    world.group("c").await;
    let alert = alert_of(&world).await;
    assign(&world, alert, Some(ada)).await;
    assign(&world, alert, None).await;
    world.wait(3 * HOUR).await;
    assert_eq!(world.mails().len(), 2);
}

on_each_backend!(a_certificate_near_its_end_has_one_alert);
async fn a_certificate_near_its_end_has_one_alert() {
    let mut bench = crate::monitor::Bench::new().await;
    let context = bench.context();
    let leaf = bench.upload("web.example.org", -70, 12).await;
    let authority = bench.upload_authority("Old CA", 20).await;
    let settle = async |bench: &mut crate::monitor::Bench, micros| {
        bench.pass(micros).await;
        bench.react().await;
        bench.notify().await;
        bench.step().await;
    };
    settle(&mut bench, 24 * HOUR).await;
    for (id, name) in [(leaf, "web.example.org"), (authority, "Old CA")] {
        let shown = bench.engine().alerts_about(&context, &id.to_string()).await.unwrap();
        let kinds: Vec<_> = shown.iter().map(|one| one.alert.kind.as_str()).collect();
        assert_eq!(kinds, ["expiring_soon"], "{name}: {shown:?}");
        assert!(shown[0].alert.title.starts_with(&format!("{name} expires on 2027-01-")));
    }
    let alert = bench.engine().alerts_about(&context, &leaf.to_string()).await.unwrap().remove(0);
    let query = NoticeQuery { decision: Some("sent".to_owned()), ..NoticeQuery::default() };
    let told = bench.engine().notices(&context, query, 100).await.unwrap();
    let rung: Vec<_> = told
        .iter()
        .filter(|one| one.notice.alert == Some(alert.alert.id))
        .map(|one| (one.notice.channel.as_str(), one.notice.account))
        .collect();
    // Nobody owns it, so the one administrator of a new installation is told.
    assert_eq!(rung, [("bell", alert.alert.assigned_to)], "the bell rings with what is there");
    assert!(alert.alert.assigned_to.is_some());
    // At its end it is the same alert, and says so.
    settle(&mut bench, 12 * 24 * HOUR).await;
    let shown = bench.engine().alerts_about(&context, &leaf.to_string()).await.unwrap();
    let kinds: Vec<_> = shown.iter().map(|one| (&*one.alert.kind, one.alert.id)).collect();
    assert_eq!(kinds, [("expired", alert.alert.id)]);
    assert!(shown[0].alert.title.starts_with("web.example.org expired on 2027-01-"));
    let found = bench.engine().parse_alert_filter("kind:expired severity:error").unwrap();
    assert_eq!(bench.engine().alert_count(&context, &found).await.unwrap(), 1);
    // When it is replaced, nothing is left over.
    bench.upload("web.example.org", -1, 90).await;
    settle(&mut bench, HOUR).await;
    let shown = bench.engine().alerts_about(&context, &leaf.to_string()).await.unwrap();
    assert!(shown.iter().all(|one| one.alert.state == "resolved"), "{shown:?}");
}

on_each_backend!(a_step_resolves_what_a_monitor_has_raised);
async fn a_step_resolves_what_a_monitor_has_raised() {
    let mut bench = crate::monitor::Bench::new().await;
    let context = bench.context();
    let leaf = bench.upload("web.example.org", -70, 12).await;
    let make = async |class, name: &str, body| {
        bench.engine().create_automation(&context, class, name, body, true).await.unwrap()
    };
    let steps = json!([{ "step": "resolve_alert", "kind": "expiring_soon" }]);
    make(Automation::Action, "settled", json!({ "steps": steps })).await;
    make(Automation::Rule, "moved", json!({ "filter": "object.path:/planned" })).await;
    let trigger = json!({ "event_types": ["certificate.update"], "rules": ["moved"],
        "actions": ["settled"] });
    make(Automation::Trigger, "settled", trigger).await;
    bench.pass(HOUR).await;
    let open = async |bench: &crate::monitor::Bench| {
        let shown = bench.engine().alerts_about(&context, &leaf.to_string()).await.unwrap();
        shown.iter().filter(|one| one.alert.state != "resolved").count()
    };
    assert_eq!(open(&bench).await, 1);
    let wish = chancery_engine::inventory::PlacementRequest {
        path: Some("/planned".to_owned()),
        ..Default::default()
    };
    bench.engine().update_certificate(&context, leaf, None, wish).await.unwrap();
    bench.step().await;
    bench.react().await;
    assert_eq!(open(&bench).await, 0);
}

on_each_backend!(what_a_filter_of_automation_names_is_not_taken_away);
async fn what_a_filter_of_automation_names_is_not_taken_away() {
    let world = World::start().await;
    let (engine, context) = (world.engine(), &world.context);
    let draft = LabelDraft { name: "Prod".to_owned(), description: String::new() };
    let group = engine.create_label(context, LabelClass::Group, draft).await.unwrap();
    let ada = world.account("ada", Role::Operator).await;
    let make = async |class, name: &str, body| {
        engine.create_automation(context, class, name, body, true).await.unwrap()
    };
    let monitor = json!({ "kind": "certificate_expiry", "filter": "path:/a OR group:prod",
        "schedule": { "cron": "0 * * * *" }, "thresholds": ["30d"] });
    make(Automation::Monitor, "production", monitor).await;
    make(Automation::Rule, "hers", json!({ "filter": "object.owner:ada" })).await;
    let refused = engine.delete_label(context, LabelClass::Group, &group).await.unwrap_err();
    assert!(refused.to_string().contains("monitor “production”"), "{refused}");
    let refused = engine.delete_account(context, ada).await.unwrap_err();
    assert!(refused.to_string().contains("rule “hers”"), "{refused}");
    engine.delete_automation(context, Automation::Monitor, "production").await.unwrap();
    engine.delete_automation(context, Automation::Rule, "hers").await.unwrap();
    engine.delete_label(context, LabelClass::Group, &group).await.unwrap();
    engine.delete_account(context, ada).await.unwrap();
}

on_each_backend!(somebody_who_goes_while_it_waits_is_not_told);
async fn somebody_who_goes_while_it_waits_is_not_told() {
    let mut world = World::start().await;
    let ada = world.account("ada", Role::Operator).await;
    world
        .tells(json!({ "recipients": ["role:operator"], "channels": ["mail"],
            "digest": { "cron": "0 15 * * *" } }))
        .await;
    world.group("a").await;
    assert_eq!(world.notices("held").await.len(), 1);
    let change = chancery_engine::access::AccountChange {
        disabled: Some(true),
        ..chancery_engine::access::AccountChange::default()
    };
    world.engine().update_account(&world.context, ada, None, change).await.unwrap();
    world.wait(4 * HOUR).await;
    assert!(world.mails().is_empty());
    let skipped = world.notices("skipped").await;
    assert_eq!(skipped[0].notice.reason, "disabled_account");
    world.group("b").await;
    let skipped = world.notices("skipped").await;
    assert_eq!(skipped[0].notice.reason, "nobody", "a role means those who can log in");
}

/// An account at the API.
pub(crate) fn of(world: &World, account: AccountId) -> Context {
    let environment = world.engine().environment();
    let authentication = Authentication { method: "password".into(), credential: None };
    Context::account(
        environment,
        Origin::Api,
        Client::default(),
        account,
        "ada".to_owned(),
        Role::Operator,
        authentication,
    )
}
