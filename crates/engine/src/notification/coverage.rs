//! Routing coverage: who will be told of a certificate, about what, when, through which channel,
//! tested when last; and how many certificates reach nobody.
//!
//! Whom an event would reach is asked of the same functions as live: the triggers over a
//! hypothetical event, the profiles they name over the people as they are. Nothing is sent or
//! counted. For the estate a loop keeps what it found about the end of each certificate: it follows
//! the log for those that changed, and walks all of them when what it depends on did.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chancery_event::id::CertificateId;
use chancery_event::{Event, EventType, LogIndex, Severity, Target, TargetKind, Timestamp};
use chancery_store::table::certificate;
use chancery_store::table::reach::{self as table, Listed, Query, Reach};
use chancery_store::table::{destination, notice};
use chancery_store::{Lane, Link, Tx, log};
use serde_json::json;
use tokio::sync::watch;

use super::book::Profiles;
use super::decide::{Case, Decision, Verdict};
use super::profile::BELL;
use super::query::reason_words;
use super::recipient::Directory;
use crate::automation::{Book, Class, check};
use crate::monitor::{Definition, definition::Kind};
use crate::reaction::configuration::Configuration;
use crate::reaction::happening::{Happening, Subject};
use crate::reaction::{Effect, Verdict as Judged, evaluate};
use crate::{Context, Engine, Error, Permission};

/// Name of the cursor.
const CURSOR: &str = "coverage";
/// Indexes looked through at a time.
const WINDOW: u64 = 16_384;
const EVENTS_MAX: usize = 500;
/// Certificates looked at in one transaction.
const WALK: usize = 200;
/// The failures in a row after which a channel does not count.
const FAILING: i64 = 3;
const TICK: std::time::Duration = std::time::Duration::from_secs(2);

/// Types of events about one certificate that people have to hear of.
const ASKED: [EventType; 4] = [
    EventType::CertificateExpiring,
    EventType::CertificateExpired,
    EventType::CertificateStatusChanged,
    EventType::CertificateReplaced,
];

/// One way by which one recipient would hear of one type of event.
#[derive(Clone, Debug)]
pub struct Route {
    /// The type of event.
    pub event_type: EventType,
    /// The trigger.
    pub trigger: String,
    /// The profile.
    pub profile: String,
    /// What people call whom it reaches; empty: whoever reads the channel.
    pub name: String,
    /// Login name's account.
    pub account: Option<chancery_event::id::AccountId>,
    /// Where mail would go.
    pub address: Option<String>,
    /// The channel.
    pub channel: String,
    /// How the profile leads there.
    pub paths: Vec<String>,
    /// It would arrive, now or later.
    pub is_open: bool,
    /// Why not, or why later; in words, empty for at once.
    pub reason: &'static str,
    /// When the channel got something through last, whatever it was.
    pub tested_at: Option<Timestamp>,
    /// When it got something about this certificate through last.
    pub told_at: Option<Timestamp>,
}

/// Who will be told of a certificate.
#[derive(Clone, Debug)]
pub struct Coverage {
    /// `reached`, `bell`, `fallback` or `nobody`.
    pub state: &'static str,
    /// Why it is not `reached`; in one word.
    pub reason: &'static str,
    /// Every route.
    pub routes: Vec<Route>,
    /// When which threshold of which monitor will be crossed.
    pub ahead: Vec<(Timestamp, String, String)>,
}

/// How many certificates stand where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EstateCoverage {
    /// Certificates of which nobody hears.
    pub nobody: u64,
    /// Those of which only the fallback of a profile hears.
    pub fallback: u64,
    /// Those of which people hear in the bell alone.
    pub bell: u64,
    /// State, reason and count.
    pub reasons: Vec<(String, String, u64)>,
    /// Everything was looked at since the last change.
    pub is_complete: bool,
}

/// Counts of states and reasons.
type Counts = Vec<(String, String, u64)>;
/// So many rows take long enough to count that the first page does not wait for it each time.
const MANY: u64 = 50_000;
/// How long counts of many are good for.
const GOOD: Duration = Duration::from_secs(10);

/// What was counted last, where there was much to count; lost with the process.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<Option<(Instant, Counts)>>);

impl Memory {
    fn known(&self) -> Option<Counts> {
        let memory = self.0.lock().ok()?;
        let (at, counts) = memory.as_ref()?;
        (at.elapsed() < GOOD).then(|| counts.clone())
    }

    fn keep(&self, counts: &Counts) {
        let is_much = counts.iter().map(|(.., count)| count).sum::<u64>() >= MANY;
        if let Ok(mut memory) = self.0.lock() {
            *memory = is_much.then(|| (Instant::now(), counts.clone()));
        }
    }
}

/// What whom to tell depends on, at one time.
pub(crate) struct Survey {
    configuration: Configuration,
    profiles: Profiles,
    directory: Directory,
    now: Timestamp,
}

impl Survey {
    /// Reads it. A channel that fails does not count as one that works.
    pub(crate) async fn read(link: &mut Link, now: Timestamp) -> Result<Self, Error> {
        let book = Book::read(link).await?;
        let around = check::surroundings(link).await?;
        let configuration = Configuration::compile(&book, &around)?;
        let profiles = Profiles::of(&book);
        let directory = Directory::read(link, now).await?;
        Ok(Self { configuration, profiles, directory, now })
    }

    fn fails(&self, channel: &str) -> bool {
        let found = self.directory.channels.get(channel);
        found.is_some_and(|row| row.course.failures >= FAILING)
    }

    /// What would be decided if an event of a type came about now.
    fn asked(&self, event: &Event, subject: &Subject) -> (Vec<Found>, Option<&'static str>) {
        let Some(event_type) = EventType::of(event) else {
            return (Vec::new(), Some("no_trigger"));
        };
        let happening =
            Happening { event, event_type, index: None, subject: Some(subject), now: self.now };
        let evaluations = evaluate(&self.configuration, &happening);
        let ignored = evaluations.iter().any(|one| one.verdict == Judged::Ignored);
        let mut found = Vec::new();
        let mut why = Some(if ignored { "ignored" } else { "no_trigger" });
        for evaluation in &evaluations {
            for planned in &evaluation.planned {
                let Effect::Tell { profile, .. } = &planned.effect else { continue };
                let named = match self.profiles.find(profile) {
                    Some(named) if named.is_enabled => named,
                    _ => {
                        why = Some("profile_off");
                        continue;
                    }
                };
                why = None;
                let case = Case {
                    profile: &named.profile,
                    directory: &self.directory,
                    event,
                    subject: Some(subject),
                    now: self.now,
                    repetition: None,
                    is_urgent: false,
                };
                let trigger = evaluation.trigger.name.clone();
                found.extend(case.decide().into_iter().map(|decision| Found {
                    trigger: trigger.clone(),
                    profile: named.name.clone(),
                    decision,
                }));
            }
        }
        (found, why)
    }

    /// Where a certificate stands: what is the best of its routes at its end.
    fn state(&self, subject: &Subject) -> (&'static str, &'static str) {
        let (found, why) = self.asked(&ending(subject), subject);
        if let Some(why) = why {
            return ("nobody", why);
        }
        let open: Vec<&Found> = found.iter().filter(|one| self.is_open(one)).collect();
        let is_fallback = |one: &Found| {
            let paths = one.decision.person.as_ref().map(|person| person.paths.as_slice());
            paths.is_some_and(|paths| paths.iter().all(|path| path.starts_with("fallback: ")))
        };
        let own: Vec<&&Found> = open.iter().filter(|one| !is_fallback(one)).collect();
        if own.iter().any(|one| one.decision.channel != BELL) {
            return ("reached", "");
        }
        if !own.is_empty() {
            let blocked = self.blocked(&found, subject, |one| one.decision.channel != BELL);
            return ("bell", blocked.unwrap_or("no_channel"));
        }
        let why = self.blocked(&found, subject, |one| !is_fallback(one)).unwrap_or("unowned");
        if open.is_empty() { ("nobody", why) } else { ("fallback", why) }
    }

    fn is_open(&self, found: &Found) -> bool {
        let tells = matches!(found.decision.verdict, Verdict::Send | Verdict::Hold(..));
        tells && !self.fails(&found.decision.channel)
    }

    /// What keeps routes shut: the most telling of their reasons.
    fn blocked(
        &self,
        found: &[Found],
        subject: &Subject,
        wanted: impl Fn(&Found) -> bool,
    ) -> Option<&'static str> {
        let reasons: Vec<&'static str> = found
            .iter()
            .filter(|one| wanted(one))
            .filter_map(|one| match &one.decision.verdict {
                Verdict::Skip(reason) => Some(*reason),
                _ if self.fails(&one.decision.channel) => Some("channel_failing"),
                _ => None,
            })
            .collect();
        let order =
            ["bouncing", "channel_failing", "disabled_account", "channel_off", "no_address"];
        let first = order.into_iter().find(|word| reasons.contains(word));
        first.or((subject.row.owner.is_none()).then_some("unowned"))
    }
}

struct Found {
    trigger: String,
    profile: String,
    decision: Decision,
}

/// A hypothetical event of a type about a certificate.
fn hypothetical(event_type: EventType, subject: &Subject) -> Event {
    let mut event = event_type.example();
    let target = Target::new(TargetKind::Certificate, subject.row.id);
    event.targets = vec![target];
    event
}

/// The event of the last moment: what must not be missed.
fn ending(subject: &Subject) -> Event {
    let mut event = hypothetical(EventType::CertificateExpiring, subject);
    event.severity = Severity::Error;
    for (name, value) in [
        ("days_left", json!(0)),
        ("threshold", json!("0d")),
        ("threshold_s", json!(0)),
        ("repeated", json!(false)),
    ] {
        event.detail.insert(name.to_owned(), value);
    }
    event
}

impl Engine {
    /// Who will be told of a certificate, about what, when, through which channel, tested when.
    ///
    /// # Errors
    /// There is no such certificate, or the caller may not see it.
    pub async fn coverage(&self, context: &Context, id: CertificateId) -> Result<Coverage, Error> {
        context.require(Permission::CertificateRead)?;
        let sees = context.require(Permission::AccountRead).is_ok();
        let mut link = self.link().await?;
        let subject = Subject::read(&mut link, id).await?;
        let subject = subject.ok_or_else(|| Error::not_found("certificate", id))?;
        let now = self.environment().now();
        let survey = Survey::read(&mut link, now).await?;
        let object = format!("certificate/{id}");
        let mut routes = Vec::new();
        for event_type in ASKED {
            let event = match event_type {
                EventType::CertificateExpiring => ending(&subject),
                other => hypothetical(other, &subject),
            };
            for found in survey.asked(&event, &subject).0 {
                routes.push(route(&mut link, &survey, event_type, found, &object, sees).await?);
            }
        }
        let (state, reason) = match counts(&subject) {
            true => survey.state(&subject),
            false => ("reached", ""),
        };
        let ahead = thresholds(&mut link, &subject, now).await?;
        Ok(Coverage { state, reason, routes, ahead })
    }

    /// How many certificates reach nobody, only a fallback, or only the bell.
    ///
    /// # Errors
    /// The caller may not see certificates.
    pub async fn estate_coverage(&self, context: &Context) -> Result<EstateCoverage, Error> {
        context.require(Permission::CertificateRead)?;
        let mut link = self.link().await?;
        let reasons = match self.0.reach_memory.known() {
            Some(known) => known,
            None => {
                let counts = table::counts(&mut link).await?;
                self.0.reach_memory.keep(&counts);
                counts
            }
        };
        let sum = |word: &str| -> u64 {
            reasons.iter().filter(|(state, ..)| state == word).map(|(.., count)| count).sum()
        };
        let walked = chancery_store::table::setting::find(&mut link, WALKED).await?;
        let now = self.environment().now();
        let circumstances = table::circumstances(&mut link, now).await?;
        Ok(EstateCoverage {
            nobody: sum("nobody"),
            fallback: sum("fallback"),
            bell: sum("bell"),
            is_complete: walked.as_deref() == Some(circumstances.as_str()),
            reasons,
        })
    }

    /// Certificates that are not reached as they should be, the first to end in front.
    ///
    /// # Errors
    /// The caller may not see certificates.
    pub async fn unreached(
        &self,
        context: &Context,
        query: &Query,
        limit: usize,
    ) -> Result<Vec<Listed>, Error> {
        context.require(Permission::CertificateRead)?;
        Ok(table::page(&mut self.link().await?, query, limit.clamp(1, 1_001)).await?)
    }
}

/// Whether somebody has to hear of its end.
fn counts(subject: &Subject) -> bool {
    !subject.row.archived
        && subject.row.replaced_by.is_none()
        && subject.row.path != super::canary::FOLDER
}

async fn route(
    link: &mut Link,
    survey: &Survey,
    event_type: EventType,
    found: Found,
    object: &str,
    sees: bool,
) -> Result<Route, Error> {
    let is_open = survey.is_open(&found);
    let Found { trigger, profile, decision } = found;
    let channel = decision.channel;
    let told_at = notice::last_delivered(link, object, &channel).await?;
    let row = destination::find(link, &channel).await?;
    let tested_at = row.and_then(|row| row.course.last_success_at);
    let reason = match &decision.verdict {
        Verdict::Send if !is_open => "the channel fails",
        Verdict::Send => "",
        Verdict::Hold(reason, _) | Verdict::Skip(reason) => reason_words(reason),
    };
    let person = decision.person.as_ref();
    Ok(Route {
        event_type,
        trigger,
        profile,
        name: person.map(|one| one.name.clone()).unwrap_or_default(),
        account: person.and_then(|one| one.account),
        address: person.and_then(|one| one.address.clone()).filter(|_| sees),
        paths: person.map(|one| one.paths.clone()).unwrap_or_default(),
        channel,
        is_open,
        reason,
        tested_at,
        told_at,
    })
}

/// When which thresholds of which monitors will be crossed.
async fn thresholds(
    link: &mut Link,
    subject: &Subject,
    now: Timestamp,
) -> Result<Vec<(Timestamp, String, String)>, Error> {
    let mut ahead = Vec::new();
    let book = Book::read(link).await?;
    for object in book.of_class(Class::Monitor).filter(|object| object.enabled) {
        let Ok(definition) = Definition::read(&object.body) else { continue };
        if definition.kind != Kind::CertificateExpiry {
            continue;
        }
        for threshold in &definition.thresholds {
            let at = threshold.instant(subject.row.not_before, subject.row.not_after);
            if at > now {
                ahead.push((at, object.name.clone(), threshold.to_string()));
            }
        }
    }
    ahead.sort();
    Ok(ahead)
}

/// Setting that names the circumstances under which every certificate was looked at.
const WALKED: &str = "coverage.walked";

/// Keeps coverage until `stop` is set.
pub(crate) async fn run(engine: Engine, mut stop: watch::Receiver<bool>) {
    let mut sealed = engine.sealed();
    let mut keeper = engine.keeper("coverage");
    let mut walk = Walk::default();
    loop {
        sealed.mark_unchanged();
        let more = match keeper.on_duty(walk.round(&engine)).await {
            Ok(Some(Ok(more))) => more,
            Ok(None) => {
                walk = Walk::default();
                false
            }
            Ok(Some(Err(error))) | Err(error) => {
                tracing::error!(%error, "coverage was not looked at");
                walk = Walk::default();
                false
            }
        };
        if *stop.borrow() {
            keeper.give_back().await;
            return;
        }
        if more {
            tokio::task::yield_now().await;
            continue;
        }
        // Another loop than the herald, so that a herald that stands still is found out.
        match keeper.on_duty(super::canary::look(&engine)).await {
            Ok(Some(Ok(_)) | None) => {}
            Ok(Some(Err(error))) | Err(error) => tracing::error!(%error, "the canary was lost"),
        }
        // Coverage is a moment behind: a pause lets many events be one look.
        tokio::select! {
            _ = stop.changed() => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

/// Where the walk over all certificates stands.
#[derive(Default)]
pub(crate) struct Walk {
    /// The circumstances it goes by; `None`: it has not begun.
    circumstances: Option<String>,
    survey: Option<Arc<Survey>>,
    /// Number of the last certificate looked at; `None`: all were.
    at: Option<i64>,
    /// End of the log when the walk began: what came before it is covered by it.
    begun_at: LogIndex,
}

impl Walk {
    /// Looks at what changed; true if there is more.
    pub(crate) async fn round(&mut self, engine: &Engine) -> Result<bool, Error> {
        let mut link = engine.link().await?;
        let now = engine.environment().now();
        let circumstances = table::circumstances(&mut link, now).await?;
        if self.circumstances.as_deref() != Some(circumstances.as_str()) {
            let walked = chancery_store::table::setting::find(&mut link, WALKED).await?;
            self.survey = Some(Arc::new(Survey::read(&mut link, now).await?));
            self.at = (walked.as_deref() != Some(circumstances.as_str())).then_some(0);
            self.begun_at = log::latest_index(&mut link).await?;
            self.circumstances = Some(circumstances.clone());
        }
        let Some(survey) = self.survey.clone() else { return Ok(false) };
        if let Some(at) = self.at {
            let some = table::next(&mut link, at, WALK).await?;
            let last = some.last().map(|(_, number, _)| *number);
            let is_end = some.len() < WALK;
            let found = looked_at(&mut link, &survey, some).await?;
            let cursor = log::cursor(&mut link, CURSOR).await?;
            drop(link);
            let walked = is_end.then_some(circumstances);
            let moved = (is_end && self.begun_at > cursor).then_some((cursor, self.begun_at));
            write(engine, found, walked, moved).await?;
            self.at = last.filter(|_| !is_end);
            return Ok(true);
        }
        drop(link);
        self.follow(engine, &survey).await
    }

    /// Looks at the certificates that the log tells of.
    async fn follow(&mut self, engine: &Engine, survey: &Survey) -> Result<bool, Error> {
        let mut link = engine.link().await?;
        let from = log::cursor(&mut link, CURSOR).await?;
        let size = log::latest_index(&mut link).await?;
        if from >= size {
            return Ok(false);
        }
        let to = LogIndex(size.0.min(from.0 + WINDOW));
        let types: Vec<&str> = EventType::ALL
            .iter()
            .filter(|of| of.info().resource == TargetKind::Certificate)
            .map(|of| of.name())
            .collect();
        let events = log::of_types(&mut link, (from, to), &types, EVENTS_MAX).await?;
        let end = match events.last() {
            Some(last) if events.len() == EVENTS_MAX => LogIndex(last.index().0 + 1),
            _ => to,
        };
        let mut ids: Vec<CertificateId> = events
            .iter()
            .flat_map(|sealed| &sealed.event().targets)
            .filter(|target| target.kind == TargetKind::Certificate)
            .filter_map(|target| target.id.parse().ok())
            .collect();
        ids.sort();
        ids.dedup();
        let mut some = Vec::with_capacity(ids.len());
        for id in ids {
            if certificate::find(&mut link, id).await?.is_some() {
                some.push((id, 0, true));
            }
        }
        let found = looked_at(&mut link, survey, some).await?;
        drop(link);
        write(engine, found, None, Some((from, end))).await?;
        Ok(end < size)
    }
}

type Looked = (Vec<CertificateId>, Vec<Reach>);

async fn looked_at(
    link: &mut Link,
    survey: &Survey,
    some: Vec<(CertificateId, i64, bool)>,
) -> Result<Looked, Error> {
    let (mut ids, mut rows) = (Vec::with_capacity(some.len()), Vec::new());
    for (id, _, counts) in some {
        ids.push(id);
        if !counts {
            continue;
        }
        let Some(subject) = Subject::read(link, id).await? else { continue };
        if !self::counts(&subject) {
            continue;
        }
        let (state, reason) = survey.state(&subject);
        if state != "reached" {
            rows.push(Reach {
                certificate: id,
                state: state.to_owned(),
                reason: reason.to_owned(),
                not_after: subject.row.not_after,
                looked_at: survey.now,
            });
        }
    }
    Ok((ids, rows))
}

async fn write(
    engine: &Engine,
    found: Looked,
    walked: Option<String>,
    moved: Option<(LogIndex, LogIndex)>,
) -> Result<(), Error> {
    let now = engine.environment().now();
    let work = Arc::new((found, walked));
    engine
        .0
        .store
        .transaction_in(Lane::Last, "coverage", move |tx: &mut Tx| {
            let work = work.clone();
            Box::pin(async move {
                let ((ids, rows), walked) = &*work;
                // One that was deleted meanwhile has no row to refer to.
                let mut there = Vec::with_capacity(rows.len());
                for row in rows {
                    if certificate::find(tx, row.certificate).await?.is_some() {
                        there.push(row.clone());
                    }
                }
                table::put(tx, ids, &there).await?;
                if let Some(walked) = walked {
                    chancery_store::table::setting::put(tx, WALKED, walked).await?;
                }
                if let Some((from, to)) = moved {
                    log::move_cursor(tx, CURSOR, from, to, now).await?;
                }
                Ok::<(), Error>(())
            })
        })
        .await
}
