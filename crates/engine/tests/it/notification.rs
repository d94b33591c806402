//! Digests, quiet hours and escalation by a clock that the test moves, on both engines.

use std::sync::{Arc, Mutex};

use chancery_engine::alert::{Action, Selection};
use chancery_engine::automation::Class as Automation;
use chancery_engine::configuration::{LabelClass, LabelDraft};
use chancery_engine::delivery::{
    Address, Checked, Class, Content, Definition, DestinationEdit, Message, Parcel, Secrets,
    Sender, Sent,
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

const MINUTE: i64 = 60 * Timestamp::SECOND;
const HOUR: i64 = 60 * MINUTE;

/// Keeps every message.
#[derive(Clone, Default)]
struct Post(Arc<Mutex<Vec<(String, Message)>>>);

impl Sender for Post {
    fn kinds(&self) -> Vec<&'static str> {
        vec!["email", "slack"]
    }

    fn check(&self, _: &Definition, _: &mut Secrets) -> Result<Checked, Error> {
        Ok(Checked { batch_max: 1, ..Checked::default() })
    }

    fn send(&self, address: Arc<Address>, parcel: Parcel) -> BoxFuture<'static, Sent> {
        if let Content::Message(message) = parcel.content {
            self.0.lock().unwrap().push((address.name.clone(), message));
        }
        Box::pin(async { Sent { status: Some(250), ..Sent::default() } })
    }

    fn network(&self) -> Network {
        Network::default()
    }
}

struct World {
    stepped: Stepped,
    clock: Arc<ManualClock>,
    post: Post,
    context: Context,
    _dir: tempfile::TempDir,
}

impl World {
    /// Starts on a Saturday at noon, with the channels `mail` and `chat`.
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::new("2026-11-21T12:00:00Z".parse().unwrap());
        let environment = Environment::new(clock.clone(), SeededEntropy::new(11));
        let post = Post::default();
        let settings = Settings {
            allow_unencrypted_key: true,
            monitors: false,
            database: database_of(dir.path()).map(|url| url.parse().unwrap()),
            sender: Some(Arc::new(post.clone())),
            ..Settings::new(dir.path())
        };
        let stepped = Stepped::open(settings, environment).await.unwrap();
        let context = Context::command_line(stepped.engine().environment());
        let mut world = Self { stepped, clock, post, context, _dir: dir };
        for (name, kind) in [("mail", "email"), ("chat", "slack")] {
            let edit = DestinationEdit { body: json!({ "kind": kind }), ..Default::default() };
            let made =
                world.engine().create_destination(&world.context, Class::Channel, name, edit);
            made.await.unwrap();
        }
        world.settle().await;
        world
    }

    fn engine(&self) -> &Engine {
        self.stepped.engine()
    }

    async fn account(&self, name: &str, role: Role) -> AccountId {
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

    /// A profile, and a trigger that tells of new groups through it.
    async fn tells(&self, profile: Value) {
        let make = async |class, name: &str, body| {
            self.engine().create_automation(&self.context, class, name, body, true).await.unwrap()
        };
        make(Automation::Profile, "p", profile).await;
        let steps = json!([{ "step": "notify", "profile": "p" }]);
        make(Automation::Action, "tell", json!({ "steps": steps })).await;
        make(Automation::Rule, "group", json!({ "filter": "detail.class:group" })).await;
        let trigger = json!({ "event_types": ["configuration.create"], "rules": ["group"],
            "actions": ["tell"] });
        make(Automation::Trigger, "tell", trigger).await;
    }

    async fn group(&mut self, name: &str) {
        let draft = LabelDraft { name: name.to_owned(), description: String::new() };
        self.engine().create_label(&self.context, LabelClass::Group, draft).await.unwrap();
        self.settle().await;
    }

    /// Everything that can be done now.
    async fn settle(&mut self) {
        for _ in 0..3 {
            self.stepped.seal().await.unwrap();
            self.stepped.react().await.unwrap();
            self.stepped.notify().await.unwrap();
            self.stepped.deliver().await.unwrap();
        }
    }

    async fn wait(&mut self, micros: i64) {
        self.clock.advance(micros);
        self.settle().await;
    }

    fn mails(&self) -> Vec<(String, Message)> {
        self.post.0.lock().unwrap().clone()
    }

    async fn notices(&self, decision: &str) -> Vec<Told> {
        let query = NoticeQuery { decision: Some(decision.to_owned()), ..NoticeQuery::default() };
        self.engine().notices(&self.context, query, 100).await.unwrap()
    }
}

on_each_backend!(a_digest_is_one_message_for_many_and_grave_ones_do_not_wait);
async fn a_digest_is_one_message_for_many_and_grave_ones_do_not_wait() {
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
    // The address goes while it waits: that is found out when it is due.
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
fn of(world: &World, account: AccountId) -> Context {
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
