//! Deliveries with a sender that does what the test says, and a clock that the test moves.

mod crash;
mod down;
mod people;
mod saved;
mod stream;

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
    /// It refuses the event with this log index, and takes the others of a batch.
    refuses_of_batch: Mutex<Option<u64>>,
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
    /// Who acted in the events that took effect, as far as each destination was told.
    shown: Mutex<Vec<(String, Option<String>)>>,
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
            let mut refused_events = Vec::new();
            match &parcel.content {
                Content::Events(events) => {
                    let mut indexes: Vec<u64> = events.iter().map(|one| one.index().0).collect();
                    let refused = *receiver.refuses.lock().unwrap();
                    if refused.is_some_and(|index| indexes.contains(&index)) {
                        let error = SendError::new("status", "400");
                        return Sent { status: Some(400), ..Sent::failed(json!({}), error) };
                    }
                    let part = *receiver.refuses_of_batch.lock().unwrap();
                    let place = indexes.iter().position(|index| Some(*index) == part);
                    if let Some(place) = place.filter(|_| indexes.len() > 1) {
                        indexes.remove(place);
                        refused_events.push((place, "not this one".to_owned()));
                    } else if place.is_some() {
                        let error = SendError::new("record_refused", "not this one");
                        return Sent { status: Some(200), ..Sent::failed(json!({}), error) };
                    }
                    let id = parcel.id.to_string();
                    if receiver.effects.lock().unwrap().insert(id, indexes.clone()).is_none() {
                        receiver.order.lock().unwrap().extend(indexes);
                        let who =
                            |one: &Arc<log::Sealed>| one.event().personal()?.actor_name.clone();
                        let told = events.iter().map(|one| (address.name.clone(), who(one)));
                        receiver.shown.lock().unwrap().extend(told);
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
            Sent { status: Some(200), refused_events, ..Sent::default() }
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
        let world = Self::unsealed().await;
        world.stepped.seal().await.unwrap();
        world
    }

    /// One of whose log nothing is sealed yet.
    async fn unsealed() -> Self {
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
        Self { stepped, clock, receiver, context, _dir: dir }
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
