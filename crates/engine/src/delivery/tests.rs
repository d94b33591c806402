//! Deliveries with a sender that does what the test says, and a clock that the test moves.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_event::{Environment, EventType, LogIndex};
use chancery_store::log;
use serde_json::json;

use super::courier::Courier;
use super::*;
use crate::configuration::{LabelClass, LabelDraft};
use crate::{Context, Engine, Settings, Stepped};

const HOUR: i64 = 3_600 * Timestamp::SECOND;

/// A receiver that is up or down, and takes each identifier in once.
#[derive(Default)]
struct Receiver {
    down: AtomicBool,
    /// Attempts whose answer is lost after they took effect.
    lose_answers: AtomicUsize,
    gone: AtomicBool,
    /// It refuses the event with this log index.
    refuses: Mutex<Option<u64>>,
    /// Where an attempt stops: 1 before it takes effect, 2 before it is answered; and whether one
    /// has come there.
    gate: AtomicUsize,
    at_gate: AtomicBool,
    /// It refuses every recipient for good.
    bounces: AtomicBool,
    /// The sender refuses its definition.
    unusable: AtomicBool,
    /// What took effect: identifier to log indexes.
    effects: Mutex<BTreeMap<String, Vec<u64>>>,
    messages: Mutex<Vec<String>>,
    calls: AtomicUsize,
    order: Mutex<Vec<u64>>,
}

impl Receiver {
    /// Waits at a gate while it is closed.
    async fn pass(&self, gate: usize) {
        while self.gate.load(Ordering::SeqCst) == gate {
            self.at_gate.store(true, Ordering::SeqCst);
            tokio::task::yield_now().await;
        }
    }

    fn indexes(&self) -> Vec<u64> {
        let mut all: Vec<u64> = self.effects.lock().unwrap().values().flatten().copied().collect();
        all.sort_unstable();
        all
    }
}

struct Fake(Arc<Receiver>);

impl Sender for Fake {
    fn kinds(&self) -> Vec<&'static str> {
        vec!["fake", "email", "webhook"]
    }

    fn check(&self, definition: &Definition, secrets: &mut Secrets) -> Result<Checked, Error> {
        if definition.settings.contains_key("bad") || self.0.unusable.load(Ordering::SeqCst) {
            return Err(Error::invalid("settings/bad", "it is bad"));
        }
        if secrets.find("signing").is_none() {
            secrets.set("signing", "made here");
        }
        let host = definition.settings.get("host").and_then(Value::as_str).unwrap_or("8.8.8.8");
        Ok(Checked {
            hosts: vec![("settings/host".to_owned(), host.to_owned(), 443)],
            endpoint: host.to_owned(),
            batch_max: 1,
        })
    }

    fn send(&self, address: Arc<Address>, parcel: Parcel) -> BoxFuture<'static, Sent> {
        let receiver = self.0.clone();
        Box::pin(async move {
            receiver.calls.fetch_add(1, Ordering::SeqCst);
            receiver.pass(1).await;
            tokio::task::yield_now().await;
            if receiver.down.load(Ordering::SeqCst) && address.name != "chat" {
                return Sent::failed(json!({}), SendError::new("connect", "nobody answers"));
            }
            if receiver.gone.load(Ordering::SeqCst) {
                let gone = SendError { gone: true, ..SendError::new("gone", "410") };
                return Sent { status: Some(410), ..Sent::failed(json!({}), gone) };
            }
            match &parcel.content {
                Content::Events(events) => {
                    let indexes: Vec<u64> = events.iter().map(|one| one.index().0).collect();
                    let refused = *receiver.refuses.lock().unwrap();
                    if refused.is_some_and(|index| indexes.contains(&index)) {
                        let error = SendError::new("status", "400");
                        return Sent { status: Some(400), ..Sent::failed(json!({}), error) };
                    }
                    let id = parcel.id.to_string();
                    if receiver.effects.lock().unwrap().insert(id, indexes.clone()).is_none() {
                        receiver.order.lock().unwrap().extend(indexes);
                    }
                }
                Content::Message(message) if receiver.bounces.load(Ordering::SeqCst) => {
                    let mut error = SendError::new("recipient", "550 no such user");
                    error.refused_recipient = message.recipients.first().cloned();
                    return Sent::failed(json!({}), error);
                }
                Content::Message(message) => {
                    receiver.messages.lock().unwrap().push(message.subject.clone());
                }
            }
            receiver.pass(2).await;
            tokio::task::yield_now().await;
            let left = receiver.lose_answers.load(Ordering::SeqCst);
            if left > 0 {
                receiver.lose_answers.store(left - 1, Ordering::SeqCst);
                return Sent::failed(json!({}), SendError::new("timeout", "no answer"));
            }
            Sent { status: Some(200), ..Sent::default() }
        })
    }

    fn network(&self) -> Network {
        Network::default()
    }
}

struct World {
    stepped: Stepped,
    clock: Arc<ManualClock>,
    receiver: Arc<Receiver>,
    context: Context,
    _dir: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::new("2026-11-21T00:00:00Z".parse().unwrap());
        let environment = Environment::new(clock.clone(), SeededEntropy::new(7));
        let receiver = Arc::new(Receiver::default());
        let mut settings = Settings::new(dir.path());
        let database = chancery_throwaway::database_of(dir.path());
        settings.database = database.map(|url| url.parse().unwrap());
        settings.allow_unencrypted_key = true;
        settings.monitors = false;
        settings.sender = Some(Arc::new(Fake(receiver.clone())));
        let stepped = Stepped::open(settings, environment).await.unwrap();
        let context = Context::command_line(stepped.engine().environment());
        let world = Self { stepped, clock, receiver, context, _dir: dir };
        world.stepped.seal().await.unwrap();
        world
    }

    fn engine(&self) -> &Engine {
        self.stepped.engine()
    }

    fn courier(&self) -> Courier {
        Courier::new(self.engine().clone(), Arc::new(Fake(self.receiver.clone())))
    }

    async fn forwarder(&self, name: &str, body: Value) {
        let edit = DestinationEdit { body, ..DestinationEdit::default() };
        let made = self.engine().create_destination(&self.context, Class::Forwarder, name, edit);
        made.await.unwrap();
        self.stepped.seal().await.unwrap();
    }

    /// Makes an event that forwarders of groups select; answers the size of the log.
    async fn event(&self, number: usize) -> u64 {
        let draft = LabelDraft { name: format!("group {number}"), description: String::new() };
        self.engine().create_label(&self.context, LabelClass::Group, draft).await.unwrap();
        self.stepped.seal().await.unwrap();
        self.size().await
    }

    async fn size(&self) -> u64 {
        log::latest_index(&mut self.engine().link().await.unwrap()).await.unwrap().0
    }

    /// Log indexes of the events that a selection of groups selects.
    async fn selected(&self) -> Vec<u64> {
        let mut link = self.engine().link().await.unwrap();
        let all = log::range(&mut link, LogIndex(0), 10_000).await.unwrap();
        all.iter()
            .filter(|one| one.event().type_name == EventType::ConfigurationCreate.name())
            .filter(|one| one.event().detail["class"] == "group")
            .map(|one| one.index().0)
            .collect()
    }

    async fn count(&self, event_type: EventType) -> usize {
        let mut link = self.engine().link().await.unwrap();
        let range = (LogIndex(0), LogIndex(1_000_000));
        self.stepped.seal().await.unwrap();
        log::of_types(&mut link, range, &[event_type.name()], 10_000).await.unwrap().len()
    }

    /// Whether there is an alert of this key that is not resolved.
    async fn is_open(&self, key: &str) -> bool {
        let mut link = self.engine().link().await.unwrap();
        chancery_store::table::alert::unresolved(&mut link, key).await.unwrap().is_some()
    }

    async fn one(&self, name: &str) -> DestinationView {
        self.engine().destination(&self.context, Class::Forwarder, name).await.unwrap()
    }
}

fn groups() -> Value {
    json!({ "kind": "fake", "select": { "event_types": ["configuration.create"],
        "filter": "detail.class:group" } })
}

/// Rounds until nothing is left to do now.
async fn settle(courier: &mut Courier) {
    for _ in 0..2_000 {
        let more = courier.round().await.unwrap();
        courier.land().await.unwrap();
        if !more && !courier.round().await.unwrap() {
            return;
        }
    }
    panic!("the courier does not come to rest");
}

chancery_throwaway::on_each_backend!(a_receiver_that_is_down_for_three_days_loses_nothing);

async fn a_receiver_that_is_down_for_three_days_loses_nothing() {
    let world = World::new().await;
    world.forwarder("soc", groups()).await;
    let mut courier = world.courier();
    world.event(0).await;
    settle(&mut courier).await;
    assert_eq!(world.receiver.indexes(), world.selected().await);
    world.receiver.down.store(true, Ordering::SeqCst);
    // An event every hour for 72 hours, and the courier wakes every five minutes.
    for step in 0..72 * 12 {
        if step % 12 == 0 {
            world.event(1 + step / 12).await;
        }
        world.clock.advance(HOUR / 12);
        settle(&mut courier).await;
    }
    let calls = world.receiver.calls.load(Ordering::SeqCst);
    assert!(calls < 400, "the breaker holds calls back: {calls}");
    let view = world.one("soc").await;
    assert_eq!((view.backlog.waiting, view.backlog.dead), (72, 0));
    assert!(view.row.enabled && view.row.course.lagging);
    assert_eq!(world.count(EventType::DeliveryFailing).await, 1, "said once");
    assert_eq!(world.count(EventType::ForwarderLagging).await, 1);
    world.receiver.down.store(false, Ordering::SeqCst);
    world.clock.advance(HOUR);
    settle(&mut courier).await;
    assert_eq!(world.receiver.indexes(), world.selected().await, "everything, each once");
    assert_eq!(world.count(EventType::DeliveryRecovered).await, 1);
    world.clock.advance(HOUR);
    settle(&mut courier).await;
    assert_eq!(world.count(EventType::ForwarderCaughtUp).await, 1);
    assert_eq!(world.one("soc").await.backlog.waiting, 0);
}

chancery_throwaway::on_each_backend!(one_that_is_refused_holds_up_no_other);

async fn one_that_is_refused_holds_up_no_other() {
    let world = World::new().await;
    world.forwarder("soc", groups()).await;
    let mut courier = world.courier();
    *world.receiver.refuses.lock().unwrap() = Some(world.event(0).await - 1);
    while world.one("soc").await.row.course.open_until.is_none() {
        settle(&mut courier).await;
        world.clock.advance(HOUR / 2);
    }
    world.event(1).await;
    for _ in 0..3 {
        world.clock.advance(HOUR / 2);
        settle(&mut courier).await;
    }
    assert_eq!(world.receiver.indexes().len(), 1, "the second one got through");
    let view = world.one("soc").await;
    assert_eq!((view.backlog.waiting, view.row.course.open_until), (1, None));
}

chancery_throwaway::on_each_backend!(what_an_address_of_before_said_counts_for_nothing);

async fn what_an_address_of_before_said_counts_for_nothing() {
    let world = World::new().await;
    world.forwarder("soc", groups()).await;
    let mut courier = world.courier();
    world.receiver.gone.store(true, Ordering::SeqCst);
    world.event(0).await;
    // The attempt is under way when the address is corrected, and ends with 410 after that.
    while world.receiver.calls.load(Ordering::SeqCst) == 0 {
        courier.round().await.unwrap();
        tokio::task::yield_now().await;
    }
    let edit = DestinationEdit { body: groups(), ..DestinationEdit::default() };
    let (engine, class) = (world.engine(), Class::Forwarder);
    engine.update_destination(&world.context, class, "soc", None, edit).await.unwrap();
    world.receiver.gone.store(false, Ordering::SeqCst);
    settle(&mut courier).await;
    let view = world.one("soc").await;
    assert!(view.row.enabled, "the corrected address was never gone");
    assert_eq!((world.receiver.indexes(), view.backlog.waiting), (world.selected().await, 0));
}

chancery_throwaway::on_each_backend!(one_that_cannot_be_set_up_is_an_alert_until_it_can);

async fn one_that_cannot_be_set_up_is_an_alert_until_it_can() {
    let world = World::new().await;
    world.forwarder("soc", groups()).await;
    world.receiver.unusable.store(true, Ordering::SeqCst);
    let mut courier = world.courier();
    settle(&mut courier).await;
    let key = receipt::unusable_key("soc");
    assert!(world.is_open(&key).await);
    world.receiver.unusable.store(false, Ordering::SeqCst);
    world.clock.advance(HOUR);
    settle(&mut courier).await;
    assert!(!world.is_open(&key).await);
}

chancery_throwaway::on_each_backend!(what_is_said_of_one_that_cannot_work_ends_with_it);

async fn what_is_said_of_one_that_cannot_work_ends_with_it() {
    let world = World::new().await;
    let (engine, context, class) = (world.engine(), &world.context, Class::Forwarder);
    world.forwarder("soc", groups()).await;
    world.receiver.unusable.store(true, Ordering::SeqCst);
    let mut courier = world.courier();
    settle(&mut courier).await;
    let key = receipt::unusable_key("soc");
    assert!(world.is_open(&key).await);
    engine.switch_destination(context, class, "soc", false).await.unwrap();
    assert!(!world.is_open(&key).await, "it is not tried any more");
    // Off and on without a round of the courier between: it is told anew.
    world.clock.advance(Timestamp::SECOND);
    engine.switch_destination(context, class, "soc", true).await.unwrap();
    settle(&mut courier).await;
    assert!(world.is_open(&key).await, "it still cannot work");
    engine.delete_destination(context, class, "soc").await.unwrap();
    assert!(!world.is_open(&key).await, "it is gone");
    settle(&mut courier).await;
    world.receiver.unusable.store(false, Ordering::SeqCst);
    world.forwarder("soc", groups()).await;
    world.receiver.unusable.store(true, Ordering::SeqCst);
    settle(&mut courier).await;
    assert!(world.is_open(&key).await, "another of the same name");
}

chancery_throwaway::on_each_backend!(a_change_ends_the_alert_that_deliveries_fail);

async fn a_change_ends_the_alert_that_deliveries_fail() {
    let world = World::new().await;
    let (engine, context, class) = (world.engine(), &world.context, Class::Forwarder);
    let key = receipt::failing_key("soc");
    world.forwarder("soc", groups()).await;
    let mut courier = world.courier();
    world.receiver.down.store(true, Ordering::SeqCst);
    world.event(1).await;
    for change in 0..3 {
        // Three attempts, hours apart, each up to a fifth later.
        for _ in 0..12 {
            settle(&mut courier).await;
            world.clock.advance(HOUR);
        }
        assert!(world.is_open(&key).await, "change {change}");
        match change {
            0 => {
                let edit = DestinationEdit { body: groups(), ..DestinationEdit::default() };
                engine.update_destination(context, class, "soc", None, edit).await.map(|_| ())
            }
            1 => engine.switch_destination(context, class, "soc", false).await,
            _ => engine.delete_destination(context, class, "soc").await,
        }
        .unwrap();
        assert!(!world.is_open(&key).await, "change {change} forgets its failures");
        settle(&mut courier).await;
        if change == 1 {
            engine.switch_destination(context, class, "soc", true).await.unwrap();
        }
    }
}

chancery_throwaway::on_each_backend!(a_trial_tells_which_addresses_are_taken);

async fn a_trial_tells_which_addresses_are_taken() {
    let world = World::new().await;
    let (engine, context) = (world.engine(), &world.context);
    let edit = DestinationEdit { body: json!({ "kind": "email" }), ..DestinationEdit::default() };
    engine.create_destination(context, Class::Channel, "mail", edit).await.unwrap();
    let refused = async || {
        let mut link = engine.link().await.unwrap();
        let rows = chancery_store::table::contact::refused(&mut link).await.unwrap();
        rows.into_iter().map(|row| row.address).collect::<Vec<_>>()
    };
    let to = || vec!["ada@example.org".to_owned()];
    world.receiver.bounces.store(true, Ordering::SeqCst);
    assert!(engine.try_channel(context, "mail", to()).await.unwrap().failure.is_some());
    assert_eq!(refused().await, to());
    assert_eq!(world.count(EventType::RecipientRefused).await, 1);
    world.receiver.bounces.store(false, Ordering::SeqCst);
    assert!(engine.try_channel(context, "mail", to()).await.unwrap().failure.is_none());
    assert!(refused().await.is_empty(), "it takes mail again");
    let many = (0..21).map(|number| format!("a{number}@example.org")).collect();
    let before = world.count(EventType::ConfigurationTest).await;
    assert!(engine.try_channel(context, "mail", many).await.is_err());
    assert_eq!(world.count(EventType::ConfigurationTest).await, before + 1, "a failed attempt");
}

chancery_throwaway::on_each_backend!(
    what_is_down_for_longer_is_switched_off_and_kept_and_can_be_recovered
);

async fn what_is_down_for_longer_is_switched_off_and_kept_and_can_be_recovered() {
    let world = World::new().await;
    world.forwarder("soc", groups()).await;
    let chat = DestinationEdit { body: json!({ "kind": "webhook" }), ..DestinationEdit::default() };
    let made = world.engine().create_destination(&world.context, Class::Channel, "chat", chat);
    made.await.unwrap();
    let mut courier = world.courier();
    world.receiver.down.store(true, Ordering::SeqCst);
    let since = world.engine().environment().now();
    world.event(1).await;
    world.event(2).await;
    for step in 0..121 * 4 {
        if step % 96 == 95 {
            world.event(3 + step).await;
        }
        world.clock.advance(HOUR / 4);
        settle(&mut courier).await;
    }
    let view = world.one("soc").await;
    assert_eq!(*world.receiver.messages.lock().unwrap(), ["The destination soc was switched off"]);
    assert!(world.is_open(&receipt::given_up_key("soc")).await);
    assert!(!view.row.enabled, "switched off after five days");
    assert_eq!(view.row.disabled_because.as_deref(), Some("failing"));
    assert_eq!(view.backlog.dead + view.backlog.waiting, 7, "nothing is gone");
    assert!(view.backlog.dead >= 1);
    assert_eq!(world.count(EventType::DestinationDisabled).await, 1);
    assert!(world.count(EventType::DeliveryExhausted).await >= 1);
    let calls = world.receiver.calls.load(Ordering::SeqCst);
    world.clock.advance(10 * HOUR);
    settle(&mut courier).await;
    assert_eq!(world.receiver.calls.load(Ordering::SeqCst), calls, "nothing is sent any more");
    world.receiver.down.store(false, Ordering::SeqCst);
    let (engine, class) = (world.engine(), Class::Forwarder);
    engine.switch_destination(&world.context, class, "soc", true).await.unwrap();
    let count = engine.recover_deliveries(&world.context, class, "soc", since).await.unwrap();
    assert!(count >= 1);
    assert!(!world.is_open(&receipt::given_up_key("soc")).await, "all of it is sent again");
    settle(&mut courier).await;
    assert_eq!(world.receiver.indexes(), world.selected().await);
}

chancery_throwaway::on_each_backend!(a_crash_anywhere_leaves_each_event_with_one_effect);

async fn a_crash_anywhere_leaves_each_event_with_one_effect() {
    // Dropped after so many polls of one round; then another node takes over.
    for polls in 0..60 {
        let world = World::new().await;
        world.forwarder("soc", groups()).await;
        for number in 0..3 {
            world.event(number).await;
        }
        world.receiver.lose_answers.store(polls % 3, Ordering::SeqCst);
        let mut first = world.courier();
        {
            let work = async {
                settle(&mut first).await;
            };
            let mut work = Box::pin(work);
            for _ in 0..polls {
                let once = futures::poll!(work.as_mut());
                if once.is_ready() {
                    break;
                }
                // What the store does goes on beside it.
                tokio::time::sleep(std::time::Duration::from_micros(200)).await;
            }
        }
        drop(first);
        let mut second = world.courier();
        settle(&mut second).await;
        world.clock.advance(2 * 60 * Timestamp::SECOND);
        settle(&mut second).await;
        world.clock.advance(2 * 60 * Timestamp::SECOND);
        settle(&mut second).await;
        let expected = world.selected().await;
        assert_eq!(world.receiver.indexes(), expected, "after {polls} polls");
        assert_eq!(world.one("soc").await.backlog.waiting, 0, "after {polls} polls");
    }
}

chancery_throwaway::on_each_backend!(a_crash_at_each_step_leaves_each_event_with_one_effect);

async fn a_crash_at_each_step_leaves_each_event_with_one_effect() {
    for step in ["leased", "made", "sending", "sent", "answered", "booked"] {
        let world = World::new().await;
        world.forwarder("soc", groups()).await;
        let receiver = &world.receiver;
        let gate = match step {
            "made" | "sending" => 1,
            "sent" => 2,
            _ => 0,
        };
        receiver.gate.store(gate, Ordering::SeqCst);
        let mut first = world.courier();
        if step == "leased" {
            first.round().await.unwrap();
        }
        for number in 0..3 {
            world.event(number).await;
        }
        let rows = async |state: Option<&str>| {
            let state = state.map(str::to_owned);
            let query = DeliveryQuery { state, ..DeliveryQuery::default() };
            world.engine().deliveries(&world.context, query, 10).await.unwrap().len()
        };
        let has_come = async || match step {
            "leased" => true,
            "made" => rows(None).await == 3,
            "sending" | "sent" => receiver.at_gate.load(Ordering::SeqCst),
            "answered" => !receiver.effects.lock().unwrap().is_empty(),
            _ => rows(Some("delivered")).await > 0,
        };
        if step != "leased" {
            let mut work = Box::pin(settle(&mut first));
            while !has_come().await {
                let _ = futures::poll!(work.as_mut());
                tokio::task::yield_now().await;
            }
        }
        drop(first);
        let before = (rows(Some("delivered")).await, receiver.effects.lock().unwrap().len());
        match step {
            "leased" | "made" | "sending" => assert_eq!(before, (0, 0), "{step}"),
            "sent" => assert!(before.0 == 0 && before.1 > 0, "sent, and not booked: {before:?}"),
            "booked" => assert!(before.0 > 0, "{before:?}"),
            _ => {}
        }
        receiver.gate.store(0, Ordering::SeqCst);
        let mut second = world.courier();
        for _ in 0..3 {
            world.clock.advance(2 * 60 * Timestamp::SECOND);
            settle(&mut second).await;
        }
        assert_eq!(receiver.indexes(), world.selected().await, "{step}");
        assert_eq!(world.one("soc").await.backlog.waiting, 0, "{step}");
        if step == "sent" {
            let calls = receiver.calls.load(Ordering::SeqCst);
            assert!(calls > 3, "what was not booked is sent again: {calls}");
        }
    }
}

chancery_throwaway::on_each_backend!(
    a_commit_that_fails_is_made_good_whether_or_not_it_was_persisted
);

async fn a_commit_that_fails_is_made_good_whether_or_not_it_was_persisted() {
    use chancery_store::Fault;
    for name in ["delivery.lease", "delivery.fan_out", "delivery.book", "delivery.place"] {
        for fault in [Fault::NotPersisted, Fault::Persisted] {
            let world = World::new().await;
            world.forwarder("soc", groups()).await;
            world.event(1).await;
            world.event(2).await;
            world.engine().0.store.inject(name, fault);
            let mut courier = world.courier();
            for _ in 0..20 {
                if courier.round().await.is_err() {
                    courier = world.courier();
                    world.clock.advance(2 * 60 * Timestamp::SECOND);
                }
                if courier.land().await.is_err() {
                    courier = world.courier();
                    world.clock.advance(2 * 60 * Timestamp::SECOND);
                }
            }
            assert_eq!(world.receiver.indexes(), world.selected().await, "{name} {fault:?}");
            assert_eq!(world.one("soc").await.backlog.waiting, 0, "{name} {fault:?}");
        }
    }
}

chancery_throwaway::on_each_backend!(a_node_that_lost_its_lease_books_nothing);

async fn a_node_that_lost_its_lease_books_nothing() {
    let world = World::new().await;
    world.forwarder("soc", groups()).await;
    world.event(1).await;
    let mut first = world.courier();
    first.round().await.unwrap();
    first.round().await.unwrap();
    world.clock.advance(2 * 60 * Timestamp::SECOND);
    let mut second = world.courier();
    settle(&mut second).await;
    let before = world.one("soc").await;
    first.land().await.unwrap();
    assert_eq!(world.one("soc").await.row, before.row, "the late receipt is not kept");
    assert_eq!(world.receiver.indexes(), world.selected().await);
}

chancery_throwaway::on_each_backend!(in_order_means_that_a_failure_holds_up_what_follows);

async fn in_order_means_that_a_failure_holds_up_what_follows() {
    let world = World::new().await;
    let mut body = groups();
    body["ordered"] = json!(true);
    world.forwarder("soc", body).await;
    for number in 0..12 {
        world.event(number).await;
    }
    let selected = world.selected().await;
    let mut courier = world.courier();
    // Each of three is refused once, without effect, and nothing behind it overtakes it.
    for refused in [selected[0], selected[3], selected[4]] {
        *world.receiver.refuses.lock().unwrap() = Some(refused);
        settle(&mut courier).await;
        let order = world.receiver.order.lock().unwrap().clone();
        assert!(order.iter().all(|index| *index < refused), "{order:?} overtook {refused}");
        *world.receiver.refuses.lock().unwrap() = None;
        world.receiver.lose_answers.store(1, Ordering::SeqCst);
        for _ in 0..2 {
            world.clock.advance(60 * Timestamp::SECOND);
            courier.round().await.unwrap();
            courier.land().await.unwrap();
        }
    }
    for _ in 0..40 {
        settle(&mut courier).await;
        world.clock.advance(60 * Timestamp::SECOND);
    }
    let order = world.receiver.order.lock().unwrap().clone();
    assert_eq!(order, selected);
}

chancery_throwaway::on_each_backend!(a_receiver_that_is_gone_is_not_called_again);

async fn a_receiver_that_is_gone_is_not_called_again() {
    let world = World::new().await;
    world.forwarder("soc", groups()).await;
    world.event(1).await;
    world.receiver.gone.store(true, Ordering::SeqCst);
    let mut courier = world.courier();
    settle(&mut courier).await;
    let view = world.one("soc").await;
    assert_eq!(view.row.disabled_because.as_deref(), Some("gone"));
    assert_eq!((view.backlog.waiting, world.receiver.calls.load(Ordering::SeqCst)), (1, 1));
}

chancery_throwaway::on_each_backend!(a_periodic_one_sends_batches_at_its_hours);

async fn a_periodic_one_sends_batches_at_its_hours() {
    let world = World::new().await;
    let mut body = groups();
    body["runner"] = json!("periodic");
    body["every_hours"] = json!(3);
    body["batch_max"] = json!(100);
    world.forwarder("soc", body).await;
    let mut courier = world.courier();
    for number in 0..5 {
        world.event(number).await;
        settle(&mut courier).await;
    }
    assert!(world.receiver.indexes().is_empty(), "not yet");
    world.clock.advance(3 * HOUR);
    settle(&mut courier).await;
    assert_eq!(world.receiver.effects.lock().unwrap().len(), 1, "one batch");
    assert_eq!(world.receiver.indexes(), world.selected().await);
    world.event(9).await;
    settle(&mut courier).await;
    assert_eq!(world.receiver.effects.lock().unwrap().len(), 1);
    world.clock.advance(3 * HOUR);
    settle(&mut courier).await;
    assert_eq!(world.receiver.effects.lock().unwrap().len(), 2);
}

chancery_throwaway::on_each_backend!(a_replay_sends_again_from_an_index);

async fn a_replay_sends_again_from_an_index() {
    let world = World::new().await;
    world.forwarder("soc", groups()).await;
    let mut courier = world.courier();
    for number in 0..4 {
        world.event(number).await;
    }
    settle(&mut courier).await;
    let selected = world.selected().await;
    let replay = async |from: u64, to: Option<u64>| {
        world.engine().replay_forwarder(&world.context, "soc", from, to).await
    };
    assert_eq!(replay(selected[2], None).await.unwrap(), 0, "nothing has left the database");
    settle(&mut courier).await;
    let mut times: HashMap<u64, usize> = HashMap::new();
    for index in world.receiver.indexes() {
        *times.entry(index).or_default() += 1;
    }
    assert_eq!(selected.iter().map(|index| times[index]).collect::<Vec<_>>(), [1, 1, 2, 2]);
    let beyond = replay(1_000_000, None).await;
    assert!(matches!(beyond, Err(Error::Invalid { field, .. }) if field == "from_index"));
    for to in [selected[1], 1_000_000] {
        let beyond = replay(selected[1], Some(to)).await;
        assert!(matches!(beyond, Err(Error::Invalid { field, .. }) if field == "to_index"));
    }
}

chancery_throwaway::on_each_backend!(a_part_of_the_log_is_sent_again_and_then_it_goes_on);

async fn a_part_of_the_log_is_sent_again_and_then_it_goes_on() {
    let world = World::new().await;
    world.forwarder("soc", groups()).await;
    let mut courier = world.courier();
    for number in 0..6 {
        world.event(number).await;
    }
    settle(&mut courier).await;
    let selected = world.selected().await;
    let (from, to) = (selected[1], selected[3]);
    world.engine().replay_forwarder(&world.context, "soc", from, Some(to)).await.unwrap();
    // What comes meanwhile is sent after it; a courier that begins anew goes on with it.
    world.event(6).await;
    let mut courier = world.courier();
    settle(&mut courier).await;
    let selected = world.selected().await;
    let sent = world.receiver.indexes();
    let times = |index: u64| sent.iter().filter(|one| **one == index).count();
    let times: Vec<usize> = selected.iter().map(|index| times(*index)).collect();
    assert_eq!(times, [1, 2, 2, 1, 1, 1, 1]);
    let view = world.one("soc").await;
    assert_eq!((view.row.replay, view.backlog.waiting), (None, 0));
    let query = DeliveryQuery { reason: Some("replay".to_owned()), ..DeliveryQuery::default() };
    assert_eq!(world.engine().deliveries(&world.context, query, 10).await.unwrap().len(), 2);
    world.event(7).await;
    settle(&mut courier).await;
    assert_eq!(world.receiver.indexes().len(), 10, "and it goes on");
}

chancery_throwaway::on_each_backend!(neither_trials_nor_what_a_namesake_left_are_sent_again);

async fn neither_trials_nor_what_a_namesake_left_are_sent_again() {
    let world = World::new().await;
    let (engine, context, class) = (world.engine(), &world.context, Class::Forwarder);
    world.forwarder("soc", groups()).await;
    let mut courier = world.courier();
    world.receiver.down.store(true, Ordering::SeqCst);
    world.event(1).await;
    settle(&mut courier).await;
    let tried = engine.try_destination(context, class, "soc").await.unwrap();
    assert!(tried.failure.is_some());
    let trials = DeliveryQuery { reason: Some("test".to_owned()), ..DeliveryQuery::default() };
    let trial = engine.deliveries(context, trials, 1).await.unwrap().remove(0);
    assert_eq!(trial.first_index, world.selected().await.last().copied(), "one that it selects");
    assert_eq!(world.one("soc").await.backlog.dead, 0, "a trial is no dead letter");
    world.clock.advance(HOUR);
    engine.delete_destination(context, class, "soc").await.unwrap();
    world.clock.advance(HOUR);
    world.forwarder("soc", groups()).await;
    settle(&mut courier).await;
    world.receiver.down.store(false, Ordering::SeqCst);
    assert_eq!(world.one("soc").await.backlog.dead, 0, "what another one left");
    let since = Timestamp::from_micros(0);
    assert_eq!(engine.recover_deliveries(context, class, "soc", since).await.unwrap(), 0);
    let rows = engine.deliveries(context, DeliveryQuery::default(), 10).await.unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        let refused = engine.resend_delivery(context, row.id).await.unwrap_err();
        let expected = if row.reason == "test" { "trial" } else { "destination_gone" };
        assert_eq!(refused.reason(), expected, "{row:?}");
    }
    settle(&mut courier).await;
    assert!(world.receiver.indexes().is_empty());
}

chancery_throwaway::on_each_backend!(an_event_tells_where_it_went);

async fn an_event_tells_where_it_went() {
    let world = World::new().await;
    let mut batched = groups();
    batched["batch_max"] = json!(10);
    world.forwarder("many", batched).await;
    world.forwarder("one", groups()).await;
    for number in 0..4 {
        world.event(number).await;
        let draft = LabelDraft { name: format!("p{number}"), description: String::new() };
        let other = world.engine().create_label(&world.context, LabelClass::RaProfile, draft);
        other.await.unwrap();
    }
    settle(&mut world.courier()).await;
    let all = world.selected().await;
    let of = async |index: u64| {
        let found = world.engine().deliveries_of_event(&world.context, LogIndex(index)).await;
        let mut names: Vec<String> =
            found.unwrap().into_iter().map(|row| row.destination).collect();
        names.sort();
        names
    };
    for index in &all {
        assert_eq!(of(*index).await, ["many", "one"], "{index}");
    }
    // In between, within the span of the batch, lies what it does not carry.
    let between = (all[0]..all[3]).find(|index| !all.contains(index)).unwrap();
    assert!(of(between).await.is_empty());
}

chancery_throwaway::on_each_backend!(one_delivery_is_sent_again_under_its_identifier);

async fn one_delivery_is_sent_again_under_its_identifier() {
    let world = World::new().await;
    world.forwarder("soc", groups()).await;
    world.event(1).await;
    let mut courier = world.courier();
    settle(&mut courier).await;
    let query = DeliveryQuery::default();
    let rows = world.engine().deliveries(&world.context, query, 10).await.unwrap();
    assert_eq!((rows.len(), rows[0].state.as_str()), (1, "delivered"));
    world.engine().resend_delivery(&world.context, rows[0].id).await.unwrap();
    settle(&mut courier).await;
    assert_eq!(world.receiver.calls.load(Ordering::SeqCst), 2);
    assert_eq!(world.receiver.effects.lock().unwrap().len(), 1, "the same identifier");
    let (row, attempts) = world.engine().delivery(&world.context, rows[0].id).await.unwrap();
    assert_eq!((row.attempts, attempts.len()), (2, 2));
}

chancery_throwaway::on_each_backend!(what_cannot_work_is_refused_when_it_is_saved);

async fn what_cannot_work_is_refused_when_it_is_saved() {
    let world = World::new().await;
    let refused = async |name: &str, body: Value| {
        let edit = DestinationEdit { body, ..DestinationEdit::default() };
        match world.engine().create_destination(&world.context, Class::Forwarder, name, edit).await
        {
            Err(Error::Invalid { field, .. }) => field,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("it was saved"),
        }
    };
    assert_eq!(refused("Bad Name", groups()).await, "name");
    assert_eq!(refused("soc", json!({ "kind": "pigeon" })).await, "kind");
    assert_eq!(
        refused("soc", json!({ "kind": "fake", "settings": { "bad": 1 } })).await,
        "settings/bad"
    );
    for host in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "::ffff:10.0.0.1"] {
        let body = json!({ "kind": "fake", "settings": { "host": host } });
        assert_eq!(refused("soc", body).await, "settings/host", "{host}");
    }
    assert_eq!(world.count(EventType::ConfigurationCreate).await, 8, "every failure is an event");
}

chancery_throwaway::on_each_backend!(secrets_are_kept_apart_and_made_ones_shown_once);

async fn secrets_are_kept_apart_and_made_ones_shown_once() {
    let world = World::new().await;
    let mut edit = DestinationEdit { body: groups(), ..DestinationEdit::default() };
    edit.secrets.insert("token".to_owned(), "very-secret-token".to_owned());
    let (engine, class) = (world.engine(), Class::Forwarder);
    let made = engine.create_destination(&world.context, class, "soc", edit).await.unwrap();
    assert_eq!(made.generated, [("signing".to_owned(), "made here".to_owned())]);
    let view = world.one("soc").await;
    assert_eq!(view.secrets, ["signing", "token"]);
    assert!(!format!("{view:?}").contains("very-secret"));
    // Changing something else keeps them; nothing is made again.
    let mut edit = DestinationEdit { body: groups(), ..DestinationEdit::default() };
    edit.body["title"] = json!("The SOC");
    let saved =
        engine.update_destination(&world.context, class, "soc", Some(1), edit).await.unwrap();
    assert_eq!((saved.version, saved.generated.len()), (2, 0));
    let stale = DestinationEdit { body: groups(), ..DestinationEdit::default() };
    let stale = engine.update_destination(&world.context, class, "soc", Some(1), stale).await;
    assert!(stale.is_err(), "somebody changed it first");
    world.stepped.seal().await.unwrap();
    let mut link = engine.link().await.unwrap();
    for sealed in log::range(&mut link, LogIndex(0), 1_000).await.unwrap() {
        let text = format!("{:?}", sealed.event());
        assert!(!text.contains("very-secret") && !text.contains("made here"), "{text}");
    }
    let versions = engine.destination_versions(&world.context, class, "soc").await.unwrap();
    assert_eq!(versions.len(), 2);
    engine.delete_destination(&world.context, class, "soc").await.unwrap();
    assert!(engine.destination(&world.context, class, "soc").await.is_err());
}

chancery_throwaway::on_each_backend!(a_secret_stays_with_the_receiver_it_was_given_for);

async fn a_secret_stays_with_the_receiver_it_was_given_for() {
    let world = World::new().await;
    let (engine, context, class) = (world.engine(), &world.context, Class::Forwarder);
    let edit = |host: &str, secret: Option<&str>| {
        let mut edit = DestinationEdit { body: groups(), ..DestinationEdit::default() };
        edit.body["settings"] = json!({ "host": host });
        edit.secrets =
            secret.map(|secret| ("token".to_owned(), secret.to_owned())).into_iter().collect();
        edit
    };
    let made = engine.create_destination(context, class, "soc", edit("8.8.8.8", Some("x")));
    made.await.unwrap();
    let update =
        async |edit| match engine.update_destination(context, class, "soc", None, edit).await {
            Err(Error::Invalid { field, .. }) => Some(field),
            Err(other) => panic!("{other:?}"),
            Ok(_) => None,
        };
    assert_eq!(update(edit("8.8.8.8", None)).await, None, "the same receiver");
    let elsewhere = update(edit("1.1.1.1", None)).await;
    assert_eq!(elsewhere.as_deref(), Some("secrets/token"));
    assert_eq!(world.one("soc").await.endpoint, "8.8.8.8");
    assert_eq!(update(edit("1.1.1.1", Some("y"))).await, None, "given once more");
    assert_eq!(update(edit("8.8.4.4", Some(""))).await, None, "or taken away");
    assert_eq!(world.one("soc").await.secrets, ["signing"]);
}

chancery_throwaway::on_each_backend!(a_message_is_delivered_and_leaves_the_event_of_a_notice);

async fn a_message_is_delivered_and_leaves_the_event_of_a_notice() {
    let world = World::new().await;
    let mut body = groups();
    body["kind"] = json!("email");
    body["settings"] = json!({ "to": ["ada@example.org"] });
    world.forwarder("mail", body).await;
    let trial = world.engine().try_destination(&world.context, Class::Forwarder, "mail").await;
    assert!(trial.unwrap().failure.is_none());
    assert_eq!(world.receiver.messages.lock().unwrap().len(), 1);
    assert_eq!(world.count(EventType::NotificationEmail).await, 1);
    assert_eq!(world.count(EventType::ConfigurationTest).await, 1);
}
