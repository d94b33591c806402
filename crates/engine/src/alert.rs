//! Alerts: what a person has to look at, one for each cause.
//!
//! `raise` and `resolve` are for whoever finds a cause, or finds it gone: operations, loops,
//! steps of triggers, monitors. Both write in the transaction of what they report, so that an alert
//! can neither be lost nor be invented. A cause is named by its key, such as `job_failed:job/ID`:
//! while its alert is not resolved, raising it again counts up; after that a new alert is opened
//! that names the one before it. Counting up records no event of its own, because what brought
//! the cause is an event already; a rise in severity and the end of a snooze do.
//!
//! State (acknowledged, assigned, snoozed, resolved) is shared: two people must not work on the
//! same thing without knowing. What has been read is each account's own: one person's glance must
//! not take news from another.
//!
//! Titles never name a person and never repeat what somebody typed; a message that may do either is
//! marked private, stays in the erasable part of its event, and goes when that is erased.

mod action;
pub(crate) mod cause;
mod read;
mod search;
mod undo;
pub(crate) mod watch;

use std::borrow::Cow;
use std::collections::HashMap;

use chancery_event::id::{AccountId, AlertId, EventId};
use chancery_event::types::alert as types;
use chancery_event::{Outcome, Severity, Target, TargetKind, Timestamp, Verdict};
use chancery_store::Tx;
use chancery_store::table::alert::{self, Alert};

use crate::Error;
use crate::scribe::{Draft, Scribe};

pub use action::{Action, SNOOZE_DAYS_MAX, Selection, Settled};
pub use chancery_store::table::alert::search::FACETS;
pub use chancery_store::table::alert::{SEVERITIES, STATES};
pub use search::{AlertFilter, AlertPage, AlertQuery, PAGE_MAX, ShownAlert, Sort};

/// Longest title, in characters; longer ones are cut.
const TITLE_LENGTH_MAX: usize = 200;
/// Longest message, in characters; longer ones are cut.
const MESSAGE_LENGTH_MAX: usize = 2_000;

/// An alert to raise.
#[derive(Clone, Debug)]
pub(crate) struct NewAlert {
    /// The cause: `kind:object`, or whatever tells this cause from others. Names no person.
    pub(crate) key: String,
    /// What it is about, such as `job_failed`.
    pub(crate) kind: Cow<'static, str>,
    /// How severe it is; less than `info` counts as that.
    pub(crate) severity: Severity,
    /// One line that names no person.
    pub(crate) title: String,
    /// What happened and what to do.
    pub(crate) message: String,
    /// The message may be about a person, or repeats what somebody sent.
    pub(crate) private: bool,
    /// What it is about; without a name if that is a person's.
    pub(crate) object: Option<Target>,
    /// What raises it: `job`, `trigger/NAME`, `monitor/NAME`, or a part of the program.
    pub(crate) source: String,
    /// The event that brought the cause; otherwise that of the operation at work.
    pub(crate) cause: Option<EventId>,
    /// How often the cause occurred.
    pub(crate) times: u32,
    /// Whom it rings for: accounts by their identifiers, roles as `role:NAME`; `None`: everybody
    /// who may see it.
    pub(crate) audience: Option<Vec<String>>,
}

impl NewAlert {
    /// An alert without message and object.
    pub(crate) fn new(
        key: impl Into<String>,
        kind: impl Into<Cow<'static, str>>,
        severity: Severity,
        title: impl Into<String>,
    ) -> Self {
        Self {
            key: key.into(),
            kind: kind.into(),
            severity,
            title: title.into(),
            message: String::new(),
            private: false,
            object: None,
            source: "chancery".to_owned(),
            cause: None,
            times: 1,
            audience: None,
        }
    }
}

/// What raising did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Raised {
    /// The alert.
    pub(crate) id: AlertId,
    /// It is a new one; false: it was open already and counted up.
    pub(crate) first: bool,
}

/// Opens an alert for a cause, or counts up the one that is open.
pub(crate) async fn raise(tx: &mut Tx, scribe: &Scribe, new: &NewAlert) -> Result<Raised, Error> {
    // Caused by what brought the cause, whatever operation the scribe writes for.
    let scribe = match new.cause {
        Some(cause) => &Scribe { operation: Some(cause), ..scribe.clone() },
        None => scribe,
    };
    match alert::unresolved(tx, &new.key).await? {
        Some(known) => again(tx, scribe, new, known).await,
        None => open(tx, scribe, new).await,
    }
}

/// Opens alerts for causes that differ from each other, or counts up those that are open: the same
/// as [`raise`] for each, in few statements.
pub(crate) async fn raise_all(tx: &mut Tx, scribe: &Scribe, new: &[NewAlert]) -> Result<(), Error> {
    let keys: Vec<_> = new.iter().map(|new| new.key.as_str()).collect();
    let known = alert::unresolved_of(tx, &keys).await?;
    let mut known: HashMap<_, _> =
        known.into_iter().map(|row| (row.cause_key.clone(), row)).collect();
    let previous = alert::newest_of(tx, &keys).await?;
    let mut rows = Vec::with_capacity(new.len());
    for new in new {
        match known.remove(&new.key) {
            Some(row) => {
                again(tx, scribe, new, row).await?;
            }
            None => rows.push(opened(tx, scribe, new, previous.get(&new.key).copied())?),
        }
    }
    Ok(alert::insert_all(tx, &rows).await?)
}

async fn open(tx: &mut Tx, scribe: &Scribe, new: &NewAlert) -> Result<Raised, Error> {
    let previous = alert::newest(tx, &new.key).await?;
    let row = opened(tx, scribe, new, previous)?;
    alert::insert(tx, &row).await?;
    alert::mark::address(tx, row.id, new.audience.as_deref().unwrap_or_default()).await?;
    Ok(Raised { id: row.id, first: true })
}

/// Records that an alert was raised; answers its row.
fn opened(
    tx: &mut Tx,
    scribe: &Scribe,
    new: &NewAlert,
    previous: Option<AlertId>,
) -> Result<Alert, Error> {
    let id = scribe.environment().id::<AlertId>();
    let now = scribe.now();
    let severity = severity_of(new);
    let title = cut(&one_line(&new.title), TITLE_LENGTH_MAX);
    let message = cut(&new.message, MESSAGE_LENGTH_MAX);
    let raised_event = scribe.record(tx, raised(new, id, previous)?)?;
    Ok(Alert {
        id,
        cause_key: new.key.clone(),
        kind: new.kind.to_string(),
        severity: severity.as_str().to_owned(),
        state: "open".to_owned(),
        title,
        message,
        message_private: new.private,
        object: new.object.as_ref().map(|object| (object.kind.to_string(), object.id.clone())),
        object_name: new.object.as_ref().and_then(|object| object.name.clone()),
        source: new.source.clone(),
        occurrences: i64::from(new.times.max(1)),
        created_at: now,
        last_seen_at: now,
        news_at: now,
        acknowledged: None,
        assigned_to: None,
        assigned_by: None,
        snoozed_until: None,
        snooze_ends_on_change: false,
        resolved_at: None,
        resolved_by: None,
        resolved_because: None,
        previous,
        raised_event,
        last_event: scribe.operation.or(scribe.context.cause),
        addressed: new.audience.is_some(),
        version: 1,
    })
}

/// What the event says that tells of a new alert.
pub(crate) fn raised(
    new: &NewAlert,
    id: AlertId,
    previous: Option<AlertId>,
) -> Result<Draft, Error> {
    let severity = severity_of(new);
    let title = cut(&one_line(&new.title), TITLE_LENGTH_MAX);
    let message = cut(&new.message, MESSAGE_LENGTH_MAX);
    let (public, private) = match (message.is_empty(), new.private) {
        (true, _) => (None, None),
        (false, true) => (None, Some(message)),
        (false, false) => (Some(message), None),
    };
    let payload = types::Raised {
        alert_id: id.to_string(),
        alert_kind: new.kind.clone(),
        title: title.clone(),
        message: public,
        object: new.object.as_ref().map(Target::reference),
        raised_by: Some(new.source.clone()),
        previous_alert: previous,
        private_message: private,
    };
    let mut draft = Draft::new(&payload)?
        .target(Target::new(TargetKind::Alert, id).named(&title))
        .severity(severity);
    if severity >= Severity::Error {
        let reason = Some(new.kind.clone());
        draft = draft.outcome(Outcome { result: Verdict::Failure, reason, message: None });
    }
    if let Some(object) = &new.object {
        draft = draft.target(object.clone());
    }
    Ok(draft)
}

/// The cause has occurred again: counts up, and tells what is new about it.
async fn again(
    tx: &mut Tx,
    scribe: &Scribe,
    new: &NewAlert,
    mut row: Alert,
) -> Result<Raised, Error> {
    let now = scribe.now();
    let severity = severity_of(new);
    row.occurrences += i64::from(new.times.max(1));
    row.last_seen_at = now;
    row.last_event = scribe.operation.or(scribe.context.cause).or(row.last_event);
    // It says what is so now: what was near its end may have reached it.
    if row.kind != new.kind {
        row.news_at = now;
    }
    row.kind = new.kind.to_string();
    row.title = cut(&one_line(&new.title), TITLE_LENGTH_MAX);
    // What was public at first never becomes private: erasing its event would not reach it.
    if !new.message.is_empty() && (row.message_private || !new.private) {
        row.message = cut(&new.message, MESSAGE_LENGTH_MAX);
    }
    let escalated = alert::rank(severity.as_str()) > alert::rank(&row.severity);
    if escalated {
        let payload = types::Escalated {
            alert_id: row.id,
            alert_kind: row.kind.clone().into(),
            old_severity: row.severity.clone().into(),
            new_severity: severity.as_str().into(),
            occurrences: u64::try_from(row.occurrences).unwrap_or(0),
        };
        let mut draft = Draft::new(&payload)?.target(target(&row)).severity(severity);
        if severity >= Severity::Error {
            let reason = Some(row.kind.clone().into());
            draft = draft.outcome(Outcome { result: Verdict::Failure, reason, message: None });
        }
        scribe.record(tx, draft)?;
        severity.as_str().clone_into(&mut row.severity);
        row.news_at = now;
    }
    if row.state == "snoozed" && (escalated || row.snooze_ends_on_change) {
        wake(tx, scribe, &mut row, "changed", now)?;
    }
    match &new.audience {
        Some(more) => alert::mark::address(tx, row.id, more).await?,
        None => row.addressed = false,
    }
    alert::update(tx, &row).await?;
    Ok(Raised { id: row.id, first: false })
}

/// Resolves the alert of a cause that is gone; true if there was one. `reason` is a stable word
/// such as `job_succeeded`.
pub(crate) async fn resolve(
    tx: &mut Tx,
    scribe: &Scribe,
    key: &str,
    reason: &str,
) -> Result<bool, Error> {
    let Some(mut row) = alert::unresolved(tx, key).await? else { return Ok(false) };
    let now = scribe.now();
    let payload = types::Resolved {
        alert_id: row.id,
        alert_kind: row.kind.clone().into(),
        resolved_because: reason.to_owned().into(),
        occurrences: u64::try_from(row.occurrences).unwrap_or(0),
        open_s: u64::try_from(now.since(row.created_at) / Timestamp::SECOND).unwrap_or(0),
    };
    let mut draft = Draft::new(&payload)?.target(target(&row));
    if let Some(object) = object(&row) {
        draft = draft.target(object);
    }
    scribe.record(tx, draft)?;
    "resolved".clone_into(&mut row.state);
    row.resolved_at = Some(now);
    row.resolved_by = None;
    row.resolved_because = Some(reason.to_owned());
    row.snoozed_until = None;
    row.snooze_ends_on_change = false;
    alert::update(tx, &row).await?;
    Ok(true)
}

/// The program gives an alert to somebody, unless somebody has it already; the caller writes the
/// row. It does not count as taken up by a person.
pub(crate) fn give(
    tx: &mut Tx,
    scribe: &Scribe,
    row: &mut Alert,
    to: AccountId,
) -> Result<(), Error> {
    if row.assigned_to.is_some() || row.acknowledged.is_some() {
        return Ok(());
    }
    let payload = types::Assign { alerts: 1, assigned_to: Some(to) };
    scribe.record(tx, Draft::new(&payload)?.target(target(row)))?;
    row.assigned_to = Some(to);
    row.assigned_by = None;
    Ok(())
}

/// Whether a person takes care of an alert: it is acknowledged, assigned, snoozed or resolved by
/// somebody's hand, or its cause is gone.
pub(crate) fn is_taken_up(row: &Alert) -> bool {
    row.state != "open" || row.assigned_by.is_some()
}

/// Ends the snooze of an alert and records it; the caller writes the row.
fn wake(
    tx: &mut Tx,
    scribe: &Scribe,
    row: &mut Alert,
    why: &'static str,
    now: Timestamp,
) -> Result<(), Error> {
    let payload = types::Woken {
        alert_id: row.id,
        alert_kind: row.kind.clone().into(),
        woken_by: why.into(),
    };
    scribe.record(tx, Draft::new(&payload)?.target(target(row)))?;
    awake(row);
    row.news_at = now;
    Ok(())
}

/// The state of an alert that is neither snoozed nor resolved.
fn awake(row: &mut Alert) {
    let state = if row.acknowledged.is_some() { "acknowledged" } else { "open" };
    state.clone_into(&mut row.state);
    row.snoozed_until = None;
    row.snooze_ends_on_change = false;
}

fn severity_of(new: &NewAlert) -> Severity {
    new.severity.max(Severity::Info)
}

fn target(row: &Alert) -> Target {
    Target::new(TargetKind::Alert, row.id).named(&row.title)
}

/// What an alert is about.
fn object(row: &Alert) -> Option<Target> {
    let (kind, id) = row.object.as_ref()?;
    let name = row.object_name.clone();
    Some(Target { kind: TargetKind::parse(kind)?, id: id.clone(), name })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cut(text: &str, most: usize) -> String {
    let text = text.trim();
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text).trim_end()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
