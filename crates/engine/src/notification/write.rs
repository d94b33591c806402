//! What was decided, written: decisions, deliveries, alerts, repetitions, escalations, in the
//! transaction that ends the calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use chancery_event::id::{AccountId, AlertId, DeliveryId, EscalationId, NotificationId};
use chancery_event::types::delivery as types;
use chancery_event::{Origin, Target, TargetKind, Timestamp};
use chancery_store::Tx;
use chancery_store::log::Sealed;
use chancery_store::table::alert::{self as alerts, Alert};
use chancery_store::table::notice::{self, Notice};
use chancery_store::table::notification::{self, Call, Escalation, Stream};

use super::book::{Named, Profiles};
use super::compose::{self, Notified};
use super::decide::{self, Decision, Verdict};
use super::herald::Channels;
use super::profile::BELL;
use super::recipient::{Directory, Person};
use super::release::Bundle;
use crate::alert::cause::TOLD;
use crate::alert::{self, NewAlert};
use crate::delivery::{self, Message};
use crate::reaction::Subject;
use crate::scribe::Draft;
use crate::{Context, Engine, Error};

/// A call with its event and object.
pub(crate) struct Case {
    pub(crate) call: Call,
    pub(crate) sealed: Sealed,
    pub(crate) subject: Option<Subject>,
}

/// What became of those whom a profile names first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    /// Somebody is told, now or later.
    Told,
    /// They know it: it is told of less often.
    Repeats,
    /// Nobody can be told: all the more reason for the levels.
    Nobody,
}

impl First {
    fn escalates(self) -> bool {
        self != Self::Repeats
    }
}

/// Channels to wake after the commit.
#[derive(Default)]
pub(crate) struct Woken {
    pub(crate) channels: Channels,
}

/// One transaction's work.
pub(crate) struct Work {
    pub(crate) engine: Engine,
    pub(crate) profiles: Arc<Profiles>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) cases: Vec<Case>,
    /// Calls that end without a decision: why, and the profile.
    pub(crate) outcomes: Vec<(NotificationId, &'static str, String)>,
    pub(crate) escalated: Vec<(Escalation, Option<Case>)>,
    pub(crate) bundle: Option<Bundle>,
    pub(crate) now: Timestamp,
}

impl Work {
    /// The same circumstances with nothing to do.
    pub(crate) fn empty(&self) -> Self {
        Self {
            engine: self.engine.clone(),
            profiles: self.profiles.clone(),
            directory: self.directory.clone(),
            cases: Vec::new(),
            outcomes: Vec::new(),
            escalated: Vec::new(),
            bundle: None,
            now: self.now,
        }
    }

    /// Whether there is anything to do.
    pub(crate) fn is_begun(&self) -> bool {
        let is_idle =
            self.cases.is_empty() && self.outcomes.is_empty() && self.escalated.is_empty();
        !is_idle || self.bundle.is_some()
    }

    /// Decides and writes everything.
    pub(crate) async fn carry_out(&self, tx: &mut Tx) -> Result<Woken, Error> {
        let mut woken = Woken::default();
        for (id, outcome, profile) in &self.outcomes {
            if notification::end(tx, *id, outcome, self.now).await? {
                self.given_up(tx, profile, &outcome.replace('_', " ")).await?;
            }
        }
        for case in &self.cases {
            self.decide(tx, case, &mut woken).await?;
        }
        for (level, case) in &self.escalated {
            self.escalate(tx, level, case.as_ref(), &mut woken).await?;
        }
        if let Some(bundle) = &self.bundle {
            self.release(tx, bundle, &mut woken).await?;
        }
        Ok(woken)
    }

    async fn decide(&self, tx: &mut Tx, case: &Case, woken: &mut Woken) -> Result<(), Error> {
        let named = match self.profiles.find(&case.call.profile) {
            None => return self.end(tx, case, "profile_missing").await,
            Some(named) if !named.is_enabled => return self.end(tx, case, "profile_off").await,
            Some(named) => named,
        };
        if !notification::end(tx, case.call.id, "", self.now).await? {
            return Ok(());
        }
        let event = case.sealed.event();
        let open = alert::cause::open_of(tx, event).await?;
        let link = open.as_ref().map(|row| row.id);
        // The bell rings with the alert that the event has raised itself, and not with a second one
        // for the same cause. Words of the action's own have an alert of their own.
        let has_words = !(case.call.title.is_empty() && case.call.message.is_empty());
        let joined = open.filter(|_| !has_words);
        let resolved_at = match &joined {
            Some(row) => resolved_before(tx, row).await?,
            None => resolved_at(tx, &alert_key(&named.name, event)).await?,
        };
        let stream = self.stream(tx, named, case).await?;
        let repetition = decide::repetition(&named.profile, stream.as_ref(), resolved_at, self.now);
        let question = decide::Case {
            profile: &named.profile,
            directory: &self.directory,
            event,
            subject: case.subject.as_ref(),
            now: self.now,
            repetition,
            is_urgent: false,
        };
        let mut decisions = question.decide();
        // Whom it reaches is asked before what they know already: that another profile told them is
        // no reason to leave out this one's levels.
        let tells = decisions.iter().any(Decision::tells);
        let first = match tells {
            true => First::Told,
            false if decide::reaches(&decisions) => First::Repeats,
            false => First::Nobody,
        };
        self.without_duplicates(tx, case, &mut decisions).await?;
        let alert = self.raise(tx, named, case, &decisions, joined, first).await?;
        // Where no bell rings, messages link to what is open all the same.
        self.write(tx, named, case, decisions, 0, alert.or(link), woken).await?;
        self.count(tx, named, case, stream, resolved_at, tells).await?;
        match (named.profile.escalation.first(), alert) {
            (Some(level), Some(alert)) if first.escalates() => {
                if notification::escalates(tx, alert, &named.name).await? {
                    return Ok(());
                }
                self.plan(tx, named, case.call.id, alert, 1, level.after).await
            }
            _ => Ok(()),
        }
    }

    async fn end(&self, tx: &mut Tx, case: &Case, outcome: &str) -> Result<(), Error> {
        notification::end(tx, case.call.id, outcome, self.now).await.map(|_| ()).map_err(Into::into)
    }

    async fn stream(
        &self,
        tx: &mut Tx,
        named: &Named,
        case: &Case,
    ) -> Result<Option<Stream>, Error> {
        if named.profile.frequency.is_none() && named.profile.repetitions.is_none() {
            return Ok(None);
        }
        let event = case.sealed.event();
        let (object, threshold) = (object_of(&case.call), decide::threshold(event));
        Ok(notification::stream(tx, &named.name, &object, &event.type_name, &threshold).await?)
    }

    /// Counts what was told, and what came up without being told.
    async fn count(
        &self,
        tx: &mut Tx,
        named: &Named,
        case: &Case,
        stream: Option<Stream>,
        resolved_at: Option<Timestamp>,
        tells: bool,
    ) -> Result<(), Error> {
        let profile = &named.profile;
        if profile.frequency.is_none() && profile.repetitions.is_none() {
            return Ok(());
        }
        let event = case.sealed.event();
        let forget_at = self.now.plus(decide::forgotten_after(profile));
        let known =
            stream.filter(|stream| !decide::begins_anew(profile, stream, resolved_at, self.now));
        let row = match (known, tells) {
            (Some(known), true) => Stream {
                sent: known.sent + 1,
                last_at: self.now,
                seen_at: self.now,
                forget_at,
                ..known
            },
            (Some(known), false) => Stream { seen_at: self.now, forget_at, ..known },
            (None, false) => return Ok(()),
            (None, true) => Stream {
                profile: named.name.clone(),
                object: object_of(&case.call),
                event_type: event.type_name.to_string(),
                threshold: decide::threshold(event),
                policy: profile.policy(),
                sent: 1,
                first_at: self.now,
                last_at: self.now,
                seen_at: self.now,
                forget_at,
            },
        };
        Ok(notification::put_stream(tx, &row).await?)
    }

    fn notified(
        &self,
        named: &Named,
        case: &Case,
        channel: &str,
        person: Option<&Person>,
    ) -> Notified {
        let mut notified = notified(
            &self.engine,
            (&named.name, &case.call.trigger, channel),
            (&case.call.title, &case.call.message),
            &case.sealed,
            case.subject.clone(),
            person,
        );
        notified.candidate = candidate(&case.call);
        notified
    }

    /// Raises the alert of a notification, if the bell or an escalation needs one.
    async fn raise(
        &self,
        tx: &mut Tx,
        named: &Named,
        case: &Case,
        decisions: &[Decision],
        joined: Option<Alert>,
        first: First,
    ) -> Result<Option<AlertId>, Error> {
        let rings = |one: &&Decision| one.channel == BELL && one.verdict == Verdict::Send;
        let ringing: Vec<_> = decisions.iter().filter(rings).collect();
        if ringing.is_empty() && (named.profile.escalation.is_empty() || !first.escalates()) {
            return Ok(None);
        }
        let event = case.sealed.event();
        let scribe = self.engine.scribe(&on_behalf(&self.engine, event));
        let only = match ringing.as_slice() {
            [only] => only.person.as_ref().and_then(|person| person.account),
            _ => None,
        };
        if let Some(mut row) = joined {
            if let Some(account) = only {
                alert::give(tx, &scribe, &mut row, account)?;
            }
            // Whoever has read it was told of an earlier threshold.
            if !ringing.is_empty() && row.occurrences > 1 {
                row.news_at = self.now;
            }
            alerts::update(tx, &row).await?;
            return Ok(Some(row.id));
        }
        let plain = case.sealed.without_personal();
        let title = match case.call.title.as_str() {
            "" => chancery_event::sentence::sentence(plain.event()),
            title => title.to_owned(),
        };
        let names: Vec<&str> =
            ringing.iter().filter_map(|one| one.person.as_ref()).map(|p| p.name.as_str()).collect();
        let accounts = ringing.iter().filter_map(|one| one.person.as_ref()?.account);
        let readers = accounts.map(|id| id.to_string()).collect();
        let mut message = case.call.message.clone();
        if first == First::Nobody {
            message = format!("Nobody could be told of it at first.\n\n{message}");
            message.truncate(message.trim_end().len());
        }
        if !names.is_empty() {
            message = format!("For {}.\n\n{message}", names.join(", ")).trim_end().to_owned();
        }
        let new = NewAlert {
            message,
            private: true,
            object: event.subject().map(|target| Target { name: None, ..target.clone() }),
            source: format!("profile/{}", named.name),
            audience: Some(readers),
            cause: Some(event.id),
            ..NewAlert::new(alert_key(&named.name, event), TOLD, event.severity, title)
        };
        let raised = alert::raise(tx, &scribe, &new).await?;
        if let Some(account) = only
            && raised.first
            && let Some(mut row) = alerts::find(tx, raised.id).await?
        {
            alert::give(tx, &scribe, &mut row, account)?;
            alerts::update(tx, &row).await?;
        }
        Ok(Some(raised.id))
    }

    async fn plan(
        &self,
        tx: &mut Tx,
        named: &Named,
        call: NotificationId,
        alert: AlertId,
        level: i64,
        after: i64,
    ) -> Result<(), Error> {
        let row = Escalation {
            id: self.engine.environment().id::<EscalationId>(),
            call,
            alert,
            profile: named.name.clone(),
            level,
            due_at: self.now.plus(after),
            state: "waiting".to_owned(),
        };
        Ok(notification::escalate(tx, &row).await?)
    }

    /// Goes up one level, unless somebody has taken the alert up.
    async fn escalate(
        &self,
        tx: &mut Tx,
        level: &Escalation,
        case: Option<&Case>,
        woken: &mut Woken,
    ) -> Result<(), Error> {
        let row = alerts::find(tx, level.alert).await?;
        let is_open = row.is_some_and(|row| !alert::is_taken_up(&row));
        let named = self.profiles.find(&level.profile).filter(|named| named.is_enabled);
        let place = usize::try_from(level.level - 1).unwrap_or(usize::MAX);
        let (Some(case), Some(named), true) = (case, named, is_open) else {
            notification::end_escalation(tx, level.id, "dropped", self.now).await?;
            return Ok(());
        };
        let Some(wish) = named.profile.escalation.get(place) else {
            notification::end_escalation(tx, level.id, "dropped", self.now).await?;
            return Ok(());
        };
        if !notification::end_escalation(tx, level.id, "told", self.now).await? {
            return Ok(());
        }
        let question = decide::Case {
            profile: &named.profile,
            directory: &self.directory,
            event: case.sealed.event(),
            subject: case.subject.as_ref(),
            now: self.now,
            repetition: None,
            is_urgent: true,
        };
        let mut decisions = question.escalate(&wish.recipients, &wish.channels);
        self.once_each(&mut decisions);
        let sent = decisions.iter().filter(|one| one.verdict == Verdict::Send);
        let payload = types::NotificationEscalated {
            alert_id: level.alert,
            profile: named.name.clone(),
            level: u32::try_from(level.level).unwrap_or(u32::MAX),
            told: u32::try_from(sent.count()).unwrap_or(u32::MAX),
        };
        let target = Target::new(TargetKind::Alert, level.alert);
        let scribe = self.engine.scribe(&on_behalf(&self.engine, case.sealed.event()));
        scribe.record(tx, Draft::new(&payload)?.target(target))?;
        self.write(tx, named, case, decisions, level.level, Some(level.alert), woken).await?;
        match named.profile.escalation.get(place + 1) {
            Some(next) => {
                let call = case.call.id;
                self.plan(tx, named, call, level.alert, level.level + 1, next.after).await
            }
            None => Ok(()),
        }
    }

    /// Writes decisions with their deliveries.
    #[allow(clippy::too_many_arguments)] // Each is a part of one decision.
    async fn write(
        &self,
        tx: &mut Tx,
        named: &Named,
        case: &Case,
        decisions: Vec<Decision>,
        level: i64,
        alert: Option<AlertId>,
        woken: &mut Woken,
    ) -> Result<(), Error> {
        let mut shared: BTreeMap<String, DeliveryId> = BTreeMap::new();
        let mut rows = Vec::with_capacity(decisions.len());
        let mut problem = None;
        for channel in shared_channels(&decisions, |channel| self.directory.is_shared(channel)) {
            let people: Vec<&Person> = decisions
                .iter()
                .filter(|one| one.channel == channel && one.verdict == Verdict::Send)
                .filter_map(|one| one.person.as_ref())
                .collect();
            let mut notified = self.notified(named, case, &channel, people.first().copied());
            notified.alert = alert;
            let kind = self.kind(&channel);
            let composed = compose::one(&named.template, &notified, kind, &mentions(&people));
            problem = problem.or(composed.problem);
            let message = raised_to(composed.message, level);
            let id = self.engine.environment().id::<DeliveryId>();
            self.send(tx, id, &channel, &message, woken).await?;
            shared.insert(channel, id);
        }
        for decision in decisions {
            let person = decision.person.as_ref();
            let delivery = match (&decision.verdict, shared.get(&decision.channel)) {
                (Verdict::Send, Some(delivery)) => Some(*delivery),
                (Verdict::Send, None) if decision.channel != BELL => {
                    let mut notified = self.notified(named, case, &decision.channel, person);
                    notified.alert = alert;
                    let composed = compose::one(&named.template, &notified, "email", &[]);
                    problem = problem.or(composed.problem);
                    let mut message = composed.message;
                    message.recipients =
                        person.and_then(|person| person.address.clone()).into_iter().collect();
                    let message = raised_to(message, level);
                    let id = self.engine.environment().id::<DeliveryId>();
                    self.send(tx, id, &decision.channel, &message, woken).await?;
                    Some(id)
                }
                _ => None,
            };
            rows.push(self.row(named, case, &decision, level, alert, delivery));
        }
        if named.lacks_template || problem.is_some() {
            for row in rows.iter_mut().filter(|row| row.delivery.is_some()) {
                "template".clone_into(&mut row.reason);
            }
        }
        let is_sent = rows.iter().any(|row| row.delivery.is_some());
        notice::insert(tx, &rows).await?;
        match is_sent {
            true => self.template_told(tx, named, case.sealed.event().id, problem).await,
            false => Ok(()),
        }
    }

    pub(super) fn kind(&self, channel: &str) -> &str {
        self.directory.channels.get(channel).map_or("", |one| one.kind.as_str())
    }

    pub(super) async fn send(
        &self,
        tx: &mut Tx,
        id: DeliveryId,
        channel: &str,
        message: &Message,
        woken: &mut Woken,
    ) -> Result<(), Error> {
        delivery::enqueue(tx, id, channel, "message", message, self.now).await?;
        woken.channels.insert(channel.to_owned());
        Ok(())
    }

    fn row(
        &self,
        named: &Named,
        case: &Case,
        decision: &Decision,
        level: i64,
        alert: Option<AlertId>,
        delivery: Option<DeliveryId>,
    ) -> Notice {
        let event = case.sealed.event();
        let (word, reason, due_at) = match decision.verdict {
            Verdict::Send => ("sent", "", None),
            Verdict::Hold(reason, at) => ("held", reason, Some(at)),
            Verdict::Skip(reason) => ("skipped", reason, None),
        };
        let person = decision.person.as_ref();
        let (account, address) = whom(person, &decision.channel);
        let paths = person.map(|person| person.paths.clone()).unwrap_or_default();
        let grouping = named.profile.digest.as_ref().map(|digest| digest.group_by);
        let heading = grouping.map(|by| decide::heading(by, event, case.subject.as_ref()));
        Notice {
            id: self.engine.environment().id(),
            call: case.call.id,
            log_index: Some(case.sealed.index()),
            event_id: event.id,
            event_type: event.type_name.to_string(),
            object: case.call.object.clone(),
            severity: event.severity.as_str().to_owned(),
            profile: named.name.clone(),
            profile_version: named.version,
            level,
            account,
            address: address.map(str::to_owned),
            channel: decision.channel.clone(),
            paths: serde_json::Value::from(paths).to_string(),
            decision: word.to_owned(),
            reason: reason.to_owned(),
            due_at,
            heading: heading.unwrap_or_else(|| event.type_name.to_string()),
            delivery,
            alert,
            at: self.now,
        }
    }
}

/// An event as it is shown to somebody.
pub(crate) fn notified(
    engine: &Engine,
    (profile, trigger, channel): (&str, &str, &str),
    (title, message): (&str, &str),
    sealed: &Sealed,
    subject: Option<Subject>,
    person: Option<&Person>,
) -> Notified {
    let name = person.map(|person| person.name.clone()).unwrap_or_default();
    let address = person.and_then(|person| person.address.clone()).unwrap_or_default();
    Notified {
        event: sealed.without_personal().event().clone(),
        index: Some(sealed.index()),
        subject,
        candidate: None,
        title: title.to_owned(),
        message: message.to_owned(),
        recipient: (name, address),
        names: [profile.to_owned(), trigger.to_owned(), channel.to_owned()],
        alert: None,
        public_url: engine.settings().public_url.clone(),
    }
}

/// The certificate that was not let in and that a call is about, if it is about one.
pub(super) fn candidate(call: &Call) -> Option<serde_json::Value> {
    serde_json::from_str(call.candidate.as_deref()?).ok()
}

/// Account and address that a decision is kept under: mail goes to an address, the bell to an
/// account.
pub(super) fn whom<'a>(
    person: Option<&'a Person>,
    channel: &str,
) -> (Option<AccountId>, Option<&'a str>) {
    let Some(person) = person else { return (None, None) };
    let address = (channel != BELL).then_some(person.address.as_deref()).flatten();
    (person.account, address)
}

/// Channels of which everybody reads the same message, and that have something to send.
fn shared_channels(decisions: &[Decision], is_shared: impl Fn(&str) -> bool) -> Vec<String> {
    let mut channels: Vec<String> = decisions
        .iter()
        .filter(|one| one.verdict == Verdict::Send && is_shared(&one.channel))
        .map(|one| one.channel.clone())
        .collect();
    channels.sort();
    channels.dedup();
    channels
}

/// How a chat mentions people: by their handle where they have one.
pub(super) fn mentions(people: &[&Person]) -> Vec<String> {
    let of = |person: &&Person| person.chat.clone().unwrap_or_else(|| person.name.clone());
    people.iter().map(of).collect()
}

/// A message of an escalation says so.
fn raised_to(mut message: Message, level: i64) -> Message {
    if level > 0 {
        message.subject = format!("Not acknowledged (level {level}): {}", message.subject);
    }
    message
}

fn object_of(call: &Call) -> String {
    call.object.clone().unwrap_or_default()
}

/// Key of the alert of a notification.
pub(super) fn alert_key(profile: &str, event: &chancery_event::Event) -> String {
    let object = event.subject().map_or_else(|| event.id.to_string(), Target::reference);
    format!("notification:{profile}:{}:{object}", event.type_name)
}

/// When the newest alert of a key was resolved, if it is.
async fn resolved_at(tx: &mut Tx, key: &str) -> Result<Option<Timestamp>, Error> {
    match alerts::newest(tx, key).await? {
        Some(id) => Ok(alerts::find(tx, id).await?.and_then(|row| row.resolved_at)),
        None => Ok(None),
    }
}

/// When the alert before this one, of the same cause, was resolved.
async fn resolved_before(tx: &mut Tx, row: &Alert) -> Result<Option<Timestamp>, Error> {
    match row.previous {
        Some(id) => Ok(alerts::find(tx, id).await?.and_then(|row| row.resolved_at)),
        None => Ok(None),
    }
}

/// On whose behalf the herald writes: the program's, caused by the event.
pub(super) fn on_behalf(engine: &Engine, event: &chancery_event::Event) -> Context {
    Context {
        origin: Origin::Trigger,
        transaction: event.transaction.unwrap_or_else(|| engine.environment().id()),
        cause: Some(event.id),
        depth: event.depth.saturating_add(1),
        ..Context::system(engine.environment())
    }
}
