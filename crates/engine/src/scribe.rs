//! Writes events: fills the envelope from the context, commits to the personal part, seals the
//! pending row.

use std::borrow::Cow;
use std::sync::Arc;

use aws_lc_rs::hmac;
use chancery_event::catalogue::{EventType, Payload};
use chancery_event::envelope::PersonalPart;
use chancery_event::id::{EventId, NodeId};
use chancery_event::{Environment, Event, Outcome, Severity, Target, Timestamp, Verdict};
use chancery_seal::hash::Hash;
use chancery_seal::leaf_hash;
use chancery_store::{Recorded, Tx};
use serde_json::{Map, Value};

use crate::recent::Recent;
use crate::{Context, Error, Health};

/// What every event of this installation shares.
pub(crate) struct Desk {
    pub(crate) environment: Environment,
    pub(crate) source: Cow<'static, str>,
    pub(crate) node: NodeId,
    pub(crate) pending_key: hmac::Key,
    pub(crate) health: Arc<Health>,
    pub(crate) recent: Arc<Recent>,
}

/// Which form the seal of a pending event has.
const SEAL_FORM: &[u8] = b"chancery pending event 1\n";

impl Desk {
    /// The seal of a pending event: HMAC-SHA-256 over everything in its row, its bytes by their
    /// leaf hash, which the sealer needs anyway. [`SEAL_FORM`] stands before: whoever changes what
    /// goes in changes it too, and goes on taking the form before for a release.
    pub(crate) fn pending_seal(
        &self,
        event_id: &str,
        recorded_at: Timestamp,
        leaf: &Hash,
        part: Option<(&[u8; 32], &[u8])>,
    ) -> hmac::Tag {
        let mut mac = hmac::Context::with_key(&self.pending_key);
        mac.update(SEAL_FORM);
        mac.update(&(event_id.len() as u64).to_be_bytes());
        mac.update(event_id.as_bytes());
        mac.update(&recorded_at.micros().to_be_bytes());
        mac.update(&leaf.0);
        if let Some((salt, part)) = part {
            mac.update(salt);
            mac.update(part);
        }
        mac.sign()
    }

    /// An event ready to be recorded; texts that are too long for an entry are cut in it.
    pub(crate) fn recorded(&self, mut event: Event) -> Result<Recorded, Error> {
        // Without a personal part in clear there is nothing to salt.
        let salted = matches!(event.personal, PersonalPart::Clear(_));
        let salt = if salted { self.environment.random() } else { [0; 32] };
        let entry = event
            .fitting_entry(salt)
            .map_err(|error| Error::Internal(format!("event {}: {error}", event.type_name)))?;
        let part = entry.personal.map(|personal| (personal.salt, personal.part));
        let recorded_at = self.environment.now();
        let id = event.id.to_string();
        let signed = part.as_ref().map(|(salt, part)| (salt, &**part));
        let tag = self.pending_seal(&id, recorded_at, &leaf_hash(&entry.bytes), signed);
        let mut seal = [0; 32];
        seal.copy_from_slice(tag.as_ref());
        let event_id = event.id;
        self.recent.recorded(seal, event);
        Ok(Recorded { event_id, recorded_at, entry: entry.bytes, part, seal })
    }
}

/// An event as an operation describes it.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) event_type: EventType,
    pub(crate) outcome: Outcome,
    pub(crate) severity: Option<Severity>,
    pub(crate) targets: Vec<Target>,
    pub(crate) detail: Map<String, Value>,
    /// Names of targets that are people, by `kind/id`.
    pub(crate) names: Vec<(String, String)>,
    pub(crate) personal: Map<String, Value>,
}

impl Draft {
    /// A draft of the payload's type.
    pub(crate) fn new<P: Payload>(payload: &P) -> Result<Self, Error> {
        Ok(Self {
            event_type: P::TYPE,
            outcome: Outcome::success(),
            severity: None,
            targets: Vec::new(),
            detail: payload.detail(),
            names: Vec::new(),
            personal: Payload::personal(payload),
        })
    }

    #[must_use]
    pub(crate) fn target(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }

    /// Adds a person as target: the name goes into the personal part.
    #[must_use]
    pub(crate) fn person(mut self, target: Target, name: impl Into<String>) -> Self {
        self.names.push((target.reference(), name.into()));
        self.targets.push(target);
        self
    }

    #[must_use]
    pub(crate) fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    #[must_use]
    pub(crate) fn severity(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }
}

/// Records the events of one operation, on behalf of one context.
#[derive(Clone)]
pub(crate) struct Scribe {
    pub(crate) desk: Arc<Desk>,
    pub(crate) context: Context,
    /// The operation's own event: everything else it records is caused by it.
    pub(crate) operation: Option<EventId>,
}

impl Scribe {
    pub(crate) fn environment(&self) -> &Environment {
        &self.desk.environment
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.desk.environment.now()
    }

    /// The event that whatever is recorded here comes of.
    pub(crate) fn cause(&self) -> Option<EventId> {
        self.operation.or(self.context.cause)
    }

    /// The same scribe, for what an event recorded before has caused outside of any operation;
    /// behind that event stand `depth` others (invariant 9). Without a cause it is the same.
    pub(crate) fn because_of(&self, cause: Option<EventId>, depth: u16) -> Self {
        let mut scribe = self.clone();
        if cause.is_some() {
            scribe.operation = None;
            scribe.context.cause = cause;
            scribe.context.depth = depth.saturating_add(1);
        }
        scribe
    }

    /// Records an occurrence within the operation.
    pub(crate) fn record(&self, tx: &mut Tx, draft: Draft) -> Result<EventId, Error> {
        self.record_as(tx, self.desk.environment.id(), draft)
    }

    /// Records an occurrence under an identifier that was made before.
    pub(crate) fn record_as(
        &self,
        tx: &mut Tx,
        id: EventId,
        draft: Draft,
    ) -> Result<EventId, Error> {
        tx.record(self.desk.recorded(self.occurrence(id, draft))?);
        Ok(id)
    }

    /// An occurrence within the operation, as it would be recorded.
    pub(crate) fn occurrence(&self, id: EventId, draft: Draft) -> Event {
        let (cause, depth) = match self.operation {
            Some(operation) => (Some(operation), self.context.depth.saturating_add(1)),
            None => (self.context.cause, self.context.depth),
        };
        self.event(id, draft, cause, depth)
    }

    /// The operation's own event.
    pub(crate) fn completion(&self, id: EventId, draft: Draft) -> Result<Recorded, Error> {
        let event = self.event(id, draft, self.context.cause, self.context.depth);
        self.desk.recorded(event)
    }

    fn event(&self, id: EventId, draft: Draft, cause: Option<EventId>, depth: u16) -> Event {
        let info = draft.event_type.info();
        let failed = matches!(draft.outcome.result, Verdict::Failure | Verdict::Deny);
        let mut personal = self.context.personal();
        personal.targets.extend(draft.names);
        personal.detail = draft.personal;
        Event {
            id,
            source: self.desk.source.clone(),
            type_name: Cow::Borrowed(info.name),
            type_version: info.version,
            time: self.now(),
            severity: draft.severity.unwrap_or(if failed {
                info.severity_on_failure
            } else {
                info.severity
            }),
            outcome: draft.outcome,
            actor: self.context.actor.clone(),
            authentication: self.context.authentication.clone(),
            origin: self.context.origin,
            transaction: Some(self.context.transaction),
            cause,
            depth,
            targets: draft.targets,
            node: self.desk.node,
            detail: draft.detail,
            personal: if personal.is_empty() {
                PersonalPart::None
            } else {
                PersonalPart::Clear(personal)
            },
        }
    }
}
