//! Events of other systems come in: sources that may send, and what becomes of what they send.
//!
//! Each source has a name, a dialect and a secret of its own, of which a hash is kept. What it
//! sends becomes events of the type `intake.received`, never of a type of ours: nobody outside can
//! make this log say that something happened here. All events of one body, the notes that they are
//! there and the figures of the source are one transaction: a body is taken in whole or not at all,
//! and sending it again changes nothing.
//!
//! Read `intake/source.rs` (setting up), then this file (taking in), then `intake/link.rs`
//! (certificates that events name). Lines of syslog come by `intake/roster.rs` (who sends them) and
//! `intake/line.rs`; `intake/poll.rs` and `intake/poller.rs` fetch from systems that do not send.

mod line;
mod link;
mod poll;
pub(crate) mod poller;
mod roster;
mod source;

use chancery_event::catalogue::EventType;
use chancery_event::dialect::{Dialect, Foreign, Unreadable};
use chancery_event::types::intake as types;
use chancery_event::{Outcome, Severity, Target, TargetKind, Timestamp, Verdict};
use chancery_store::Tx;
use chancery_store::table::intake::{self as table, Tally};

use crate::access::Answer;
use crate::scribe::{Draft, Scribe};
use crate::{Client, Context, Engine, Error};

pub use poll::PollWish;
pub use roster::{Peer, Roster};
pub use source::{CreatedSource, NewSource, PollView, SourceChange, SourceView};

/// How long it is known that an event is there already, in days.
pub const SEEN_DAYS: i64 = 180;
/// How long two events that are the same in every byte count as one that was sent twice, where
/// neither an identifier nor a time tells them apart, in minutes.
pub const SAME_MINUTES: i64 = 5;
/// Bodies a minute and source.
pub const BODIES_PER_MINUTE: u32 = 600;
/// The longest event that is kept as it came, in bytes.
const BODY_KEPT_MAX: usize = 32 * 1_024;
/// Refusals of a source that become events of their own, a minute.
pub(crate) const REFUSALS_PER_MINUTE: u32 = 5;

/// A source that has shown its secret. Only the engine makes one.
#[derive(Clone, Debug)]
pub struct Sender {
    name: String,
    dialect: Dialect,
    context: Context,
}

impl Sender {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address it sends from, where that is known.
    pub fn address(&self) -> Option<&str> {
        self.context.client.ip.as_deref()
    }

    /// What it speaks.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }
}

/// What became of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Events that are new.
    pub accepted: u64,
    /// Events that were there already, or that came from here.
    pub repeated: u64,
    /// Those of the new ones whose code is not known.
    pub unknown: u64,
}

impl Engine {
    /// The source with this name, if the secret is its own and it may send.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], whatever is wrong; [`Error::RateLimited`] for too many bodies.
    pub async fn sender(&self, name: &str, secret: &str, client: Client) -> Result<Sender, Error> {
        let found = table::find(&mut self.link().await?, name).await?;
        let given = crate::access::sha256(secret);
        let row = found.filter(|row| row.enabled).ok_or(Error::Unauthenticated)?;
        // Hashes are compared: how long that takes tells nothing of the secret.
        if row.secret_hash != given {
            return Err(Error::Unauthenticated);
        }
        let dialect = Dialect::named(&row.dialect).map_err(|e| Error::Internal(e.to_string()))?;
        let now = self.environment().now();
        if let Answer::Refused { seconds, .. } = self.0.intake_bodies.take(name, now) {
            return Err(Error::RateLimited { seconds });
        }
        Ok(self.known_sender(&row.name, dialect, client, "source_secret"))
    }

    /// Takes in the events of one body: all of them, or none.
    ///
    /// # Errors
    /// The store cannot be written; nothing was taken in then.
    pub async fn take_in(&self, sender: &Sender, events: Vec<Foreign>) -> Result<Taken, Error> {
        let (sender, scribe) = (sender.clone(), self.scribe(&sender.context));
        let events = std::sync::Arc::new(events);
        self.0
            .store
            .transaction("intake.take", move |tx: &mut Tx| {
                let (sender, scribe, events) = (sender.clone(), scribe.clone(), events.clone());
                Box::pin(
                    async move { take_all(tx, &scribe, &sender, &events, Undated::Briefly).await },
                )
            })
            .await
    }

    /// Records that a body could not be read: counted always, as an event a few times a minute.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn refuse_body(
        &self,
        sender: &Sender,
        problem: &Unreadable,
        bytes: usize,
    ) -> Result<(), Error> {
        self.refuse(sender, Refused { count: 1, bytes, problem: problem.to_string(), ..MALFORMED })
            .await
    }

    /// Whether another refusal of a source becomes an event of its own this minute.
    fn tells_refusal(&self, sender: &Sender) -> bool {
        self.0.intake_refusals.take(&sender.name, self.environment().now()) == Answer::Allowed
    }

    async fn refuse(&self, sender: &Sender, refused: Refused) -> Result<(), Error> {
        let told = self.tells_refusal(sender);
        let (sender, scribe) = (sender.clone(), self.scribe(&sender.context));
        self.0
            .store
            .transaction("intake.refuse", move |tx: &mut Tx| {
                let (sender, scribe, refused) = (sender.clone(), scribe.clone(), refused.clone());
                Box::pin(async move { refuse(tx, &scribe, &sender, &refused, told).await })
            })
            .await
    }
}

/// What was not taken in.
#[derive(Clone, Debug)]
struct Refused {
    /// Stable word.
    reason: &'static str,
    /// Bodies or lines.
    count: i64,
    bytes: usize,
    problem: String,
}

/// It could not be read.
const MALFORMED: Refused =
    Refused { reason: "malformed", count: 0, bytes: 0, problem: String::new() };

async fn refuse(
    tx: &mut Tx,
    scribe: &Scribe,
    sender: &Sender,
    refused: &Refused,
    told: bool,
) -> Result<(), Error> {
    let problem: String = refused.problem.chars().take(500).collect();
    let found = table::find(tx, &sender.name).await?;
    let mut before = found.as_ref().map_or(0, |source| source.refused);
    if refused.reason == MALFORMED.reason {
        table::refused(tx, &sender.name, refused.count, &problem, scribe.now()).await?;
    } else {
        before = found.map_or(0, |source| source.dropped);
        table::dropped(tx, &sender.name, refused.count).await?;
    }
    if !told {
        return Ok(());
    }
    let payload = types::Refused {
        source: sender.name.clone(),
        system: sender.dialect.name().into(),
        body_bytes: refused.bytes as u64,
        refused: u64::try_from(before + refused.count).unwrap_or(0),
        problem: Some(problem),
    };
    let outcome =
        Outcome { result: Verdict::Failure, reason: Some(refused.reason.into()), message: None };
    let draft = Draft::new(&payload)?.target(target(&sender.name)).outcome(outcome);
    scribe.record(tx, draft).map(|_| ())
}

/// A source as the target of an event.
pub(crate) fn target(name: &str) -> Target {
    Target::new(TargetKind::ThirdParty, name).named(name)
}

/// What an event without an identifier of its source is known by: all of it, if it says when it
/// happened. What holds if it does not even say that:
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Undated {
    /// The same again within [`SAME_MINUTES`] is a sender's repetition; later it is news.
    Briefly,
    /// Two that are the same are two events.
    Never,
}

/// Takes in events, and counts them.
async fn take_all(
    tx: &mut Tx,
    scribe: &Scribe,
    sender: &Sender,
    events: &[Foreign],
    undated: Undated,
) -> Result<Taken, Error> {
    let now = scribe.now();
    let mut tally = Tally::default();
    for event in events {
        take(tx, scribe, sender, event, undated, &mut tally).await?;
    }
    table::forget_before(tx, now.plus(-SEEN_DAYS * Timestamp::DAY)).await?;
    table::count(tx, &sender.name, tally, now).await?;
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    Ok(Taken {
        accepted: count(tally.accepted),
        repeated: count(tally.repeated),
        unknown: count(tally.unknown),
    })
}

/// Takes in one event.
async fn take(
    tx: &mut Tx,
    scribe: &Scribe,
    sender: &Sender,
    event: &Foreign,
    undated: Undated,
    tally: &mut Tally,
) -> Result<(), Error> {
    // What was sent out from here and comes back is not news.
    let own = event.id.as_ref().is_some_and(|id| {
        id.strip_prefix(&*scribe.desk.source).is_some_and(|rest| rest.starts_with(' '))
    });
    let is_undated = event.id.is_none() && event.time.is_none();
    let key = crate::access::sha256(event.id.as_deref().unwrap_or(&event.body));
    let now = scribe.now();
    let back = match is_undated {
        true => SAME_MINUTES * 60 * Timestamp::SECOND,
        false => SEEN_DAYS * Timestamp::DAY,
    };
    let is_news = match is_undated && undated == Undated::Never {
        _ if own => false,
        true => true,
        false => table::note(tx, &sender.name, key, now.plus(-back), now).await?,
    };
    if !is_news {
        tally.repeated += 1;
        return Ok(());
    }
    tally.accepted += 1;
    tally.unknown += i64::from(event.meaning.is_none());
    let (linked, unknown) = link::certificates(tx, &event.certificates).await?;
    let payload = types::Received {
        source: sender.name.clone(),
        system: sender.dialect.name().into(),
        code: event.code.clone(),
        means: event.meaning.map(|meaning| meaning.name().to_owned()),
        foreign_id: event.id.clone(),
        happened_at: event.time,
        named: u32::try_from(event.certificates.len()).unwrap_or(u32::MAX),
        linked: u32::try_from(linked.len()).unwrap_or(u32::MAX),
        unknown_certificates: unknown,
        body_bytes: event.body.len() as u64,
        message: event.message.clone(),
        about: event.subject.clone(),
        client_address: event.client_ip.clone(),
        body: Some(event.body.clone()).filter(|body| body.len() <= BODY_KEPT_MAX),
    };
    let mut draft = Draft::new(&payload)?.target(target(&sender.name)).outcome(outcome(event));
    for linked in linked {
        draft = draft.target(linked);
    }
    let draft = draft.severity(severity(event));
    // Who acted there, by name: it is found as actors are, and erased as they are.
    let mut scribe = scribe.clone();
    scribe.context.name = event.actor.clone();
    scribe.record(tx, draft).map(|_| ())
}

/// As the other system tells it; its words stand in the personal part.
fn outcome(event: &Foreign) -> Outcome {
    let reason = match event.result {
        Verdict::Success | Verdict::Allow => None,
        _ => Some("reported".into()),
    };
    Outcome { result: event.result, reason, message: None }
}

fn severity(event: &Foreign) -> Severity {
    let ours = |meaning: EventType| {
        let outcome = Outcome { result: event.result, reason: None, message: None };
        meaning.info().severity_of(&outcome)
    };
    event.severity.or(event.meaning.map(ours)).unwrap_or(Severity::Info)
}
