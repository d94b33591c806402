//! Deliveries: everything that leaves the house, for forwarders and notification channels alike.
//!
//! A destination is a standing wish to send somewhere; a delivery is one event, batch or message
//! for one destination; an attempt is one try. The engine keeps the state and the rules; how bytes
//! are made and sent is a [`Sender`]'s business, which lives in a crate above. See
//! `docs/decisions/0010-deliveries.md`.
//!
//! Read in this order: `definition` (what a destination says), `change` (how it is saved), `window`
//! and `fan_out` (sealed events become deliveries), `track` (the state machine of one destination:
//! pure), `courier` (the loop), `receipt` (what came of attempts, in one transaction), `query`.
//!
//! No operation ever waits for an external system: the courier reads the sealed log at each
//! destination's own cursor, and sends outside of transactions. What crosses the network is sent at
//! least once, under an identifier that never changes.

mod access;
mod again;
mod change;
pub(crate) mod courier;
mod definition;
mod fan_out;
mod flight;
mod lag;
mod parts;
mod prepare;
mod preview;
mod query;
mod receipt;
mod search;
mod second_path;
mod secrets;
mod selection;
mod served;
mod track;
mod trial;
mod window;

use std::any::Any;
use std::sync::{Arc, OnceLock};

use chancery_event::id::DeliveryId;
use chancery_event::{Severity, Timestamp};
use chancery_store::Tx;
use chancery_store::log::Sealed;
use chancery_store::table::delivery as table;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;
use crate::net::Network;

pub use access::{ForwarderAccess, Reach};
pub use chancery_store::table::delivery::search::{
    Query as DeliveryQuery, REASONS as DELIVERY_REASONS, STATES as DELIVERY_STATES,
};
pub use chancery_store::table::delivery::{Attempt, Delivery};
pub use chancery_store::table::destination::{Course, Destination};
pub(crate) use change::ready;
pub use change::{DestinationEdit, Generated, Saved};
pub(crate) use definition::check_path;
pub use definition::{Definition, Locations, Runner, Selection};
pub(crate) use prepare::filtering_by;
pub use preview::Matches;
pub use query::{Backlog, DeliveryView, DestinationView, MessageView};
pub use secrets::Secrets;

/// Why something is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A standing stream of events.
    Forwarder,
    /// A means of telling people.
    Channel,
}

impl Class {
    /// The one spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forwarder => "forwarder",
            Self::Channel => "channel",
        }
    }
}

/// A message for people, as a channel carries it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// One line.
    pub subject: String,
    /// The whole as plain text.
    pub text: String,
    /// The whole as HTML, where there is such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// Whom it goes to, where the channel has addresses of its own: mail addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
    /// How severe what it tells is: the word of a [`Severity`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// Where to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Lines of the text that lead somewhere of their own: their numbers, from 0, and where to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub line_links: Vec<(usize, String)>,
    /// Names and values that are shown in a table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<(String, String)>,
    /// The event that it tells of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The type of that event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// How that event came out: `success`, `failure`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The page of the alert that tells the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_link: Option<String>,
    /// The profile by which it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// How many causes stand behind what is told of it being sent.
    #[serde(default)]
    pub depth: u16,
    /// The object that it tells about: messages of one type about one object replace each other
    /// at the receiver, where it knows such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What people call that object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_name: Option<String>,
    /// Whom a chat is to mention, where it has a markup for that: handles and names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<String>,
}

impl Message {
    /// The message that a trial of a destination sends.
    pub fn trial(destination: &str) -> Self {
        Self {
            subject: format!("Chancery: trial of {destination}"),
            text: format!(
                "Somebody tried out the destination {destination}. If you read this, it works."
            ),
            severity: Some(Severity::Info.as_str().to_owned()),
            ..Self::default()
        }
    }
}

/// What a delivery carries.
#[derive(Clone, Debug)]
pub enum Content {
    /// Sealed events, in the order of the log.
    Events(Vec<Arc<Sealed>>),
    /// A message for people.
    Message(Box<Message>),
}

/// One delivery as it is handed to a sender.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// Never changes, however often it is sent.
    pub id: DeliveryId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When this attempt is made.
    pub now: Timestamp,
    /// Which attempt, from 1.
    pub attempt: i64,
    /// What it carries.
    pub content: Content,
    /// Where people reach this installation.
    pub public_url: String,
}

/// What a sender makes of a destination once, and not again for each attempt.
#[derive(Default)]
pub struct Made(OnceLock<Arc<dyn Any + Send + Sync>>);

impl Made {
    /// What was made before, or what `make` makes now.
    ///
    /// # Errors
    /// Those of `make`; it is asked again the next time.
    pub fn or_make<T, E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E>
    where
        T: Any + Send + Sync,
    {
        if let Some(made) = self.0.get().cloned().and_then(|made| made.downcast().ok()) {
            return Ok(made);
        }
        let made = Arc::new(make()?);
        // Somebody else may have been faster: theirs is as good.
        let _ = self.0.set(made.clone());
        Ok(made)
    }
}

/// A destination as it is handed to a sender.
pub struct Address {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: i64,
    /// What it says.
    pub definition: Definition,
    /// Its secrets.
    pub secrets: Secrets,
    /// What its sender made of it.
    pub made: Made,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendError {
    /// Stable word: `timeout`, `status`, `refused_address`, `tls`, …
    pub word: &'static str,
    /// For people; holds no secret and no body.
    pub message: String,
    /// The receiver asked not to be called before so many seconds have passed.
    pub retry_after_s: Option<i64>,
    /// The receiver asked not to be called any more.
    pub gone: bool,
    /// Whom it went to was refused for good; the receiver itself works.
    pub refused_recipient: Option<String>,
    /// Whom it went to takes nothing for now, such as a mailbox that is full; the receiver itself
    /// works.
    pub is_recipient_busy: bool,
}

impl SendError {
    /// A failure that the next attempt may not meet.
    pub fn new(word: &'static str, message: impl Into<String>) -> Self {
        Self {
            word,
            message: message.into(),
            retry_after_s: None,
            gone: false,
            refused_recipient: None,
            is_recipient_busy: false,
        }
    }
}

/// What came of an attempt.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// Why it failed, if it did.
    pub failure: Option<SendError>,
    /// Status of the answer, where the wire has such.
    pub status: Option<u16>,
    /// Head of what was sent, secrets left out.
    pub request: Value,
    /// Head of what came back.
    pub response: Value,
    /// Addresses that were refused for good while others were taken, and what was said.
    pub refused: Vec<(String, String)>,
    /// Events that were refused while others were taken: their places among those sent, and why.
    pub refused_events: Vec<(usize, String)>,
}

impl Sent {
    /// An attempt that never got as far as an answer.
    pub fn failed(request: Value, failure: SendError) -> Self {
        Self { failure: Some(failure), request, ..Self::default() }
    }
}

/// What a sender found when it checked a definition.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// Where it will connect to: the member that says so, the host, the port.
    pub hosts: Vec<(String, String, u16)>,
    /// What people may see of the address; holds no secret.
    pub endpoint: String,
    /// Events of one delivery at most, where the definition says nothing.
    pub batch_max: usize,
}

/// Something to be fetched, once, with `GET`.
#[derive(Clone)]
pub struct Fetch {
    /// Who fetches, and its version: connections are kept for it alone.
    pub owner: (String, i64),
    /// The whole address.
    pub url: String,
    /// Headers; may hold secrets, and is never shown.
    pub headers: Vec<(String, String)>,
    /// Trust anchors instead of the machine's, PEM.
    pub ca: Option<String>,
    /// Bytes of the answer at most.
    pub body_max: usize,
}

/// What came of fetching.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    /// Status of the answer.
    pub status: u16,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Fetched {
    /// The values of a header.
    pub fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(one, _)| one == name).map(|(_, value)| value.as_str())
    }
}

/// An address that something can be fetched from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// TLS from the first byte.
    pub tls: bool,
    /// Host, as it stands in the address.
    pub host: String,
    /// Scheme, host, and the port where it is not the standard one.
    pub origin: String,
    /// Path and query.
    pub path: String,
}

/// Makes bytes of parcels and sends them: the crate above.
pub trait Sender: Send + Sync + 'static {
    /// Kinds of destinations it knows.
    fn kinds(&self) -> Vec<&'static str>;

    /// Looks at a definition before it is saved. May add secrets that are made, not given.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the member that cannot be accepted.
    fn check(&self, definition: &Definition, secrets: &mut Secrets) -> Result<Checked, Error>;

    /// One attempt. Ends within its own time limits; never follows where it is sent on to.
    fn send(&self, address: Arc<Address>, parcel: Parcel) -> BoxFuture<'static, Sent>;

    /// Asks a receiver, before it is saved, whether it wants what it will be sent, where its kind
    /// has a way to ask; `challenge` cannot be guessed.
    fn verify(
        &self,
        _: Arc<Address>,
        _challenge: String,
    ) -> BoxFuture<'static, Result<(), SendError>> {
        Box::pin(async { Ok(()) })
    }

    /// What it will use to reach addresses.
    fn network(&self) -> Network;

    /// Takes an address apart; `ca` is looked at as well.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `field`: nothing can be fetched from there.
    fn origin(&self, field: &str, url: &str, ca: Option<&str>) -> Result<Origin, Error> {
        let _ = (url, ca);
        Err(Error::invalid(field, "nothing can be fetched here"))
    }

    /// Fetches once, within time limits of its own; never follows where it is sent on to.
    fn fetch(&self, _: Fetch) -> BoxFuture<'static, Result<Fetched, SendError>> {
        Box::pin(async { Err(SendError::new("configuration", "nothing can be fetched here")) })
    }

    /// The verifying key that belongs to a destination's signing secret, where there is one.
    fn public_key(&self, _: &Definition, _: &Secrets) -> Option<String> {
        None
    }
}

/// Queues a message for a destination, in the transaction of what it tells of. Whoever does this
/// wakes the courier after the commit ([`crate::Engine::wake_courier_for`]).
pub async fn enqueue(
    tx: &mut Tx,
    id: DeliveryId,
    destination: &str,
    reason: &str,
    message: &Message,
    now: Timestamp,
) -> Result<(), Error> {
    let content = serde_json::to_string(&serde_json::json!({ "message": message }))
        .map_err(|error| Error::Internal(format!("message: {error}")))?;
    let row = Delivery {
        id,
        destination: destination.to_owned(),
        reason: reason.to_owned(),
        first_index: None,
        last_index: None,
        events: 0,
        event_type: None,
        content,
        state: "waiting".to_owned(),
        attempts: 0,
        next_at: now,
        created_at: now,
        first_attempt_at: None,
        last_attempt_at: None,
        completed_at: None,
        status: None,
        error: None,
    };
    table::insert(tx, std::slice::from_ref(&row)).await?;
    Ok(())
}

/// What a row carries.
#[derive(Deserialize)]
struct Carried {
    #[serde(default)]
    events: Vec<u64>,
    #[serde(default)]
    message: Option<Message>,
}

fn carried(row: &Delivery) -> Result<Carried, Error> {
    serde_json::from_str(&row.content)
        .map_err(|error| Error::Internal(format!("content of delivery {}: {error}", row.id)))
}

#[cfg(test)]
mod tests;
