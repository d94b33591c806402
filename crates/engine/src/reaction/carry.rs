//! Carries out what was planned, inside the caller's transaction.
//!
//! A step that cannot be carried out does not stop the next ones: it is recorded with its reason. A
//! step checks before it writes, so that what it refuses leaves nothing half done. What the store
//! says fails the whole transaction; it is done again. No network here.

use std::borrow::Cow;

use chancery_event::id::{CertificateId, EventId};
use chancery_event::types::certificate as types;
use chancery_event::{LogIndex, Outcome, Severity, Target, TargetKind, Verdict as Result_};
use chancery_store::Tx;
use chancery_store::table::account;
use chancery_store::table::alert as alert_table;
use chancery_store::table::certificate::{self, Certificate};
use chancery_store::table::notification::{self, Call};
use serde_json::{Value, json};

use super::evaluate::{Evaluation, Planned};
use super::step::{Audience, Effect};
use crate::Error;
use crate::alert::{self, NewAlert};
use crate::automation::Class;
use crate::inventory::{self, PlacementRequest, hides, overlay, resolve_placement};
use crate::job;
use crate::scribe::{Draft, Scribe};

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It was done.
    Done,
    /// Everything was so already.
    Unchanged,
    /// The request says otherwise, and has the last word.
    Overridden,
    /// It could not be carried out, and why.
    Failed(String),
    /// It was not tried: too many causes stand behind the event.
    Stopped,
}

impl Ending {
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Unchanged => "unchanged",
            Self::Overridden => "overridden",
            Self::Failed(_) => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// A step that was carried out, or not.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) planned: Planned,
    pub(crate) ending: Ending,
    /// The event that tells of it.
    pub(crate) event: Option<EventId>,
}

/// What the steps of one evaluation are about.
pub(crate) struct Occasion {
    /// The event that the trigger reacted to.
    pub(crate) event: EventId,
    /// The certificate it is about, if it is in the inventory.
    pub(crate) certificate: Option<CertificateId>,
    /// What alerts are about.
    pub(crate) object: Option<Target>,
    /// Its type.
    pub(crate) event_type: &'static str,
    /// Its place in the log, if it is sealed.
    pub(crate) log_index: Option<LogIndex>,
    /// Added to messages: what identifies a certificate that was not let in.
    pub(crate) appendix: Option<String>,
    /// What stands for that certificate in the causes of alerts.
    pub(crate) about: Option<String>,
    /// Its fields, as templates of notifications see them.
    pub(crate) candidate: Option<Value>,
}

/// Carries out all steps of an evaluation but those that place the certificate, whose endings are
/// passed in.
pub(crate) async fn carry(
    tx: &mut Tx,
    scribe: &Scribe,
    occasion: &Occasion,
    evaluation: &Evaluation,
    mut placed: Vec<Option<(Ending, Option<EventId>)>>,
) -> Result<Vec<Step>, Error> {
    let mut steps = Vec::with_capacity(evaluation.planned.len());
    for (position, planned) in evaluation.planned.iter().enumerate() {
        let (ending, event) = match placed.get_mut(position).and_then(Option::take) {
            Some(known) => known,
            None => (one(tx, scribe, occasion, evaluation, &planned.effect).await?, None),
        };
        steps.push(Step { planned: planned.clone(), ending, event });
    }
    Ok(steps)
}

/// The endings of steps that nobody tries.
pub(crate) fn none_of(evaluation: &Evaluation, ending: &Ending) -> Vec<Step> {
    let step =
        |planned: &Planned| Step { planned: planned.clone(), ending: ending.clone(), event: None };
    evaluation.planned.iter().map(step).collect()
}

async fn one(
    tx: &mut Tx,
    scribe: &Scribe,
    occasion: &Occasion,
    evaluation: &Evaluation,
    effect: &Effect,
) -> Result<Ending, Error> {
    let done = match effect {
        Effect::Impossible(reason) => return Ok(Ending::Failed(reason.clone())),
        Effect::Place(_) | Effect::AddGroup(_) => {
            return Ok(Ending::Failed("there is no certificate".to_owned()));
        }
        Effect::Raise { key, kind, severity, title, message } => {
            let kept_out = occasion.about.as_ref().map(|about| format!("{kind}:{about}"));
            let key = kept_out.as_ref().filter(|_| is_fresh(key, kind)).unwrap_or(key);
            let new = NewAlert {
                kind: Cow::Owned(kind.clone()),
                ..new_alert(occasion, evaluation, key, *severity, title, message)
            };
            alert::raise(tx, scribe, &new).await.map(|_| Ending::Done)
        }
        Effect::Resolve { key } => {
            let resolved = resolve(tx, scribe, occasion, key).await;
            resolved.map(|was| if was { Ending::Done } else { Ending::Unchanged })
        }
        Effect::Notify { to, title, message } => {
            let new = new_alert(occasion, evaluation, "", Severity::Info, title, message);
            notify(tx, scribe, occasion, to, new).await
        }
        Effect::Tell { profile, title, message } => {
            tell(tx, scribe, occasion, evaluation, (profile, title, message)).await
        }
        Effect::StartJob(kind) => start(tx, scribe, occasion, evaluation, *kind).await,
    };
    ended(done)
}

/// Whether a key is that of the certificate itself, whose identifier is another one each time that
/// it is sent and kept out.
fn is_fresh(key: &str, kind: &str) -> bool {
    key.strip_prefix(kind).is_some_and(|about| about.starts_with(":certificate/"))
}

/// A refusal ends the step; what the store says fails the transaction.
fn ended(result: Result<Ending, Error>) -> Result<Ending, Error> {
    match result {
        Ok(ending) => Ok(ending),
        Err(Error::Store(error)) => Err(Error::Store(error)),
        Err(error) => Ok(Ending::Failed(error.to_string())),
    }
}

fn new_alert(
    occasion: &Occasion,
    evaluation: &Evaluation,
    key: &str,
    severity: Severity,
    title: &str,
    message: &str,
) -> NewAlert {
    let parts = [Some(message), occasion.appendix.as_deref()];
    let parts: Vec<_> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    NewAlert {
        message: parts.join("\n\n"),
        // Texts are filled with whatever the fields hold.
        private: true,
        object: occasion.object.clone(),
        source: format!("trigger/{}", evaluation.trigger.name),
        ..NewAlert::new(key, "notice", severity, title)
    }
}

/// Resolves the alert of a key; where the key says no more than a kind and the object, also what
/// monitors and the program itself have raised of that kind about it, whose keys are others.
async fn resolve(
    tx: &mut Tx,
    scribe: &Scribe,
    occasion: &Occasion,
    key: &str,
) -> Result<bool, Error> {
    let mut was = alert::resolve(tx, scribe, key, "trigger").await?;
    let certificate = occasion.certificate.map(|id| Target::new(TargetKind::Certificate, id));
    if let (Some(object), Some((kind, about))) =
        (certificate.or_else(|| occasion.object.clone()), key.split_once(':'))
        && about == object.reference()
    {
        was |= alert::cause::resolve_kind(tx, scribe, &object.id, kind, "trigger").await?;
    }
    Ok(was)
}

async fn notify(
    tx: &mut Tx,
    scribe: &Scribe,
    occasion: &Occasion,
    to: &Audience,
    new: NewAlert,
) -> Result<Ending, Error> {
    let account = match to {
        Audience::Role(_) => None,
        Audience::Account(name) => {
            let found = account::by_name(tx, name).await?;
            Some(
                found
                    .ok_or_else(|| Error::invalid("to", format!("there is no account “{name}”")))?,
            )
        }
        Audience::Owner => {
            let row = match occasion.certificate {
                Some(id) => certificate::find(tx, id).await?,
                None => None,
            };
            let owner = match row.and_then(|row| row.owner) {
                Some(owner) => account::find(tx, owner).await?,
                None => None,
            };
            let nobody = || Error::invalid("to", "the certificate has no owner to tell");
            Some(owner.ok_or_else(nobody)?)
        }
    };
    let whom = match &account {
        Some(account) => format!("account/{}", account.id),
        None => to.spelled(),
    };
    let message = match to {
        Audience::Role(role) => format!("For everybody with the role {role}.\n\n{}", new.message),
        _ => new.message,
    };
    // One for what it is about, which counts up; not one for each event.
    let object = occasion.object.as_ref().map(Target::reference).or_else(|| occasion.about.clone());
    let about = object.unwrap_or_else(|| occasion.event.to_string());
    let key = format!("notice:{whom}:{}:{}:{about}", new.source, occasion.event_type);
    let reader = match &account {
        Some(account) => account.id.to_string(),
        None => to.spelled(),
    };
    let new = NewAlert { key, message, audience: Some(vec![reader]), ..new };
    alert::raise(tx, scribe, &new).await?;
    if let Some(account) = account
        && let Some(mut row) = alert_table::unresolved(tx, &new.key).await?
    {
        alert::give(tx, scribe, &mut row, account.id)?;
        alert_table::update(tx, &row).await?;
    }
    Ok(Ending::Done)
}

/// Writes the wish to tell of the event; the herald decides it.
async fn tell(
    tx: &mut Tx,
    scribe: &Scribe,
    occasion: &Occasion,
    evaluation: &Evaluation,
    (profile, title, message): (&str, &str, &str),
) -> Result<Ending, Error> {
    let new = new_alert(occasion, evaluation, "", Severity::Info, title, message);
    let call = Call {
        id: scribe.environment().id(),
        log_index: occasion.log_index,
        event_id: occasion.event,
        event_type: occasion.event_type.to_owned(),
        object: occasion.object.as_ref().map(Target::reference),
        profile: profile.to_owned(),
        trigger: evaluation.trigger.name.clone(),
        title: title.to_owned(),
        message: new.message,
        candidate: occasion.candidate.as_ref().map(Value::to_string),
        state: "waiting".to_owned(),
        outcome: String::new(),
        at: scribe.now(),
        done_at: None,
    };
    notification::insert(tx, &call).await?;
    Ok(Ending::Done)
}

async fn start(
    tx: &mut Tx,
    scribe: &Scribe,
    occasion: &Occasion,
    evaluation: &Evaluation,
    kind: job::Kind,
) -> Result<Ending, Error> {
    let Some(id) = occasion.certificate else {
        return Ok(Ending::Failed("there is no certificate".to_owned()));
    };
    let trigger = &evaluation.trigger;
    let payload = json!({
        "certificate": id.to_string(), "trigger": trigger.name, "version": trigger.version,
    });
    let mut new = job::of_kind(scribe.environment(), &scribe.context, kind, &payload)?;
    new.job.triggered_by = format!("trigger/{}", trigger.name);
    new.unique_key = Some(format!("trigger/{}/{}/{}", occasion.event, trigger.name, kind.as_str()));
    let queued = job::enqueue(tx, scribe, &new).await?;
    Ok(if queued { Ending::Done } else { Ending::Unchanged })
}

/// Resolves the placing steps of an evaluation one by one and puts together what can be done: the
/// wish, and for each step that places whether it is part of it. What `request` says stands above.
pub(crate) async fn wish(
    tx: &mut Tx,
    row: &Certificate,
    evaluation: &Evaluation,
    wish: &mut PlacementRequest,
    request: &PlacementRequest,
) -> Result<Vec<Option<Ending>>, Error> {
    let mut endings = Vec::with_capacity(evaluation.planned.len());
    for planned in &evaluation.planned {
        let own = match &planned.effect {
            Effect::Place(own) => own.clone(),
            Effect::AddGroup(group) => {
                let known = match &wish.groups {
                    Some(groups) => groups.clone(),
                    None => {
                        let groups = certificate::groups(tx, row.id).await?;
                        groups.into_iter().map(|(_, name)| name).collect()
                    }
                };
                let mut groups = known;
                if !groups.iter().any(|known| known.to_lowercase() == group.to_lowercase()) {
                    groups.push(group.clone());
                }
                PlacementRequest { groups: Some(groups), ..PlacementRequest::default() }
            }
            _ => {
                endings.push(None);
                continue;
            }
        };
        let hidden = hides(request, &own);
        let resolved = resolve_placement(tx, row, &own).await.map(|_| Ending::Done);
        let ending = ended(resolved)?;
        if ending == Ending::Done {
            overlay(wish, own);
        }
        let overridden = hidden && ending == Ending::Done;
        endings.push(Some(if overridden { Ending::Overridden } else { ending }));
    }
    Ok(endings)
}

/// Places a certificate of the inventory as an evaluation wants, as one operation
/// `certificate.update`; each step that cannot be part of it ends in a failed one.
pub(crate) async fn place(
    tx: &mut Tx,
    scribe: &Scribe,
    occasion: &Occasion,
    evaluation: &Evaluation,
) -> Result<Vec<Option<(Ending, Option<EventId>)>>, Error> {
    let places =
        |planned: &Planned| matches!(planned.effect, Effect::Place(_) | Effect::AddGroup(_));
    let row = match occasion.certificate {
        Some(id) if evaluation.planned.iter().any(places) => certificate::find(tx, id).await?,
        _ => None,
    };
    let Some(row) = row else { return Ok(Vec::new()) };
    let (mut whole, none) = (PlacementRequest::default(), PlacementRequest::default());
    let mut endings = wish(tx, &row, evaluation, &mut whole, &none).await?;
    let trigger = Class::Trigger.target(&evaluation.trigger.name);
    let mut event = None;
    if !whole.is_empty() {
        match inventory::place(tx, scribe, row.id, None, &whole).await {
            Ok((draft, true)) => event = Some(scribe.record(tx, draft.target(trigger.clone()))?),
            Ok((_, false)) => change(&mut endings, &Ending::Unchanged),
            Err(Error::Store(error)) => return Err(Error::Store(error)),
            Err(error) => change(&mut endings, &Ending::Failed(error.to_string())),
        }
    }
    let mut done = Vec::with_capacity(endings.len());
    for ending in endings {
        done.push(match ending {
            None => None,
            Some(Ending::Failed(reason)) => {
                let draft = Draft::new(&types::Update { certificate: None, changes: Vec::new() })?;
                let mut draft = draft
                    .target(Target::new(TargetKind::Certificate, row.id))
                    .target(trigger.clone())
                    .outcome(Outcome {
                        result: Result_::Failure,
                        reason: Some("invalid".into()),
                        message: None,
                    });
                draft.personal.insert("message".to_owned(), reason.clone().into());
                let failed = scribe.record(tx, draft)?;
                Some((Ending::Failed(reason), Some(failed)))
            }
            Some(ending) => Some((ending, event)),
        });
    }
    Ok(done)
}

fn change(endings: &mut [Option<Ending>], to: &Ending) {
    for ending in endings.iter_mut().flatten().filter(|ending| **ending == Ending::Done) {
        *ending = to.clone();
    }
}
