//! What is asked about a certificate: whom an event that has not happened would reach, by the
//! monitors, triggers, profiles, people and channels as they are. Nothing is sent or counted.

use std::sync::{Arc, LazyLock, Mutex};

use chancery_event::{Event, EventType, Severity, Target, TargetKind, Timestamp};
use chancery_store::Link;
use chancery_store::table::automation;
use serde_json::json;

use crate::Error;
use crate::automation::{Book, Class, check};
use crate::monitor::active::Active;
use crate::monitor::{Definition, definition::Kind};
use crate::notification::book::Profiles;
use crate::notification::decide::{Case, Decision, Verdict};
use crate::notification::profile::BELL;
use crate::notification::recipient::Directory;
use crate::reaction::configuration::{Configuration, Surroundings};
use crate::reaction::happening::{Happening, Subject};
use crate::reaction::{Effect, Verdict as Judged, evaluate};

/// The failures in a row after which a channel does not count.
const FAILING: i64 = 3;

/// The part of it that somebody configured, compiled.
pub(super) struct Compiled {
    revision: i64,
    around: Surroundings,
    configuration: Configuration,
    profiles: Profiles,
    /// The monitors that find ends.
    monitors: Vec<Active>,
}

impl Compiled {
    async fn read(link: &mut Link, around: Surroundings) -> Result<Self, Error> {
        let book = Book::read(link).await?;
        let configuration = Configuration::compile(&book, &around)?;
        let profiles = Profiles::of(&book);
        let mut monitors = Vec::new();
        for object in book.of_class(Class::Monitor).filter(|object| object.enabled) {
            let Ok(definition) = Definition::read(&object.body) else { continue };
            if definition.kind == Kind::CertificateExpiry && !definition.thresholds.is_empty() {
                let active = Active::new(link, &object.name, object.version, definition);
                monitors.push(active.await?);
            }
        }
        Ok(Self { revision: book.revision, around, configuration, profiles, monitors })
    }
}

/// What was compiled last; lost with the process.
#[derive(Default)]
pub(crate) struct Press(Mutex<Option<Arc<Compiled>>>);

impl Press {
    /// What is configured now: compiled before, unless it changed since.
    async fn compiled(&self, link: &mut Link) -> Result<Arc<Compiled>, Error> {
        let revision = automation::revision(link).await?;
        let around = check::surroundings(link).await?;
        let known = self.0.lock().ok().and_then(|known| known.clone());
        if let Some(known) = known.filter(|one| one.revision == revision && one.around == around) {
            return Ok(known);
        }
        let compiled = Arc::new(Compiled::read(link, around).await?);
        if let Ok(mut known) = self.0.lock() {
            *known = Some(compiled.clone());
        }
        Ok(compiled)
    }
}

/// What whom to tell depends on, at one time.
pub(crate) struct Survey {
    compiled: Arc<Compiled>,
    pub(super) directory: Directory,
    pub(super) now: Timestamp,
}

impl Survey {
    /// Reads it. A channel that fails does not count as one that works.
    pub(crate) async fn read(
        press: &Press,
        link: &mut Link,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let compiled = press.compiled(link).await?;
        let directory = Directory::read(link, now).await?;
        Ok(Self { compiled, directory, now })
    }

    fn fails(&self, channel: &str) -> bool {
        let found = self.directory.channels.get(channel);
        found.is_some_and(|row| row.course.failures >= FAILING)
            || self.directory.suspects.contains(channel)
    }

    /// The monitors that will find the end of a certificate: their filters are asked as of then.
    fn watching<'s>(&'s self, subject: &Subject) -> impl Iterator<Item = &'s Active> {
        let at = subject.row.not_after;
        self.compiled.monitors.iter().filter(move |monitor| monitor.covers(subject, at))
    }

    /// When which thresholds of which monitors will be crossed.
    pub(super) fn thresholds(&self, subject: &Subject) -> Vec<(Timestamp, String, String)> {
        let mut ahead = Vec::new();
        for monitor in self.watching(subject) {
            for threshold in &monitor.definition.thresholds {
                let at = threshold.instant(subject.row.not_before, subject.row.not_after);
                if at > self.now {
                    ahead.push((at, monitor.name.clone(), threshold.to_string()));
                }
            }
        }
        ahead.sort();
        ahead
    }

    /// What would be decided if an event of a type came about, by the people of now.
    pub(super) fn asked(
        &self,
        event: &Event,
        subject: &Subject,
    ) -> (Vec<Found>, Option<&'static str>) {
        let Some(event_type) = EventType::of(event) else {
            return (Vec::new(), Some("no_trigger"));
        };
        // What tells of an end is asked as of the end: a rule may count days.
        let status = match event_type {
            EventType::CertificateExpiring => Some("expiring"),
            EventType::CertificateExpired => Some("expired"),
            _ => None,
        };
        let is_end = status.is_some();
        let mut then = subject.clone();
        if let Some(status) = status
            .filter(|_| matches!(subject.row.status.as_str(), "valid" | "expiring" | "expired"))
        {
            status.clone_into(&mut then.row.status);
        }
        let (subject, at) = (&then, if is_end { subject.row.not_after } else { self.now });
        let mut event = event.clone();
        event.time = at;
        let event = &event;
        let happening =
            Happening { event, event_type, index: None, subject: Some(subject), now: at };
        let evaluations = evaluate(&self.compiled.configuration, &happening);
        let ignored = evaluations.iter().any(|one| one.verdict == Judged::Ignored);
        let mut found = Vec::new();
        let mut why = Some(if ignored { "ignored" } else { "no_trigger" });
        for evaluation in &evaluations {
            for planned in &evaluation.planned {
                let Effect::Tell { profile, .. } = &planned.effect else { continue };
                let named = match self.compiled.profiles.find(profile) {
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
    pub(super) fn state(&self, subject: &Subject) -> (&'static str, &'static str) {
        if self.watching(subject).next().is_none() {
            return ("nobody", "no_monitor");
        }
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

    pub(super) fn is_open(&self, found: &Found) -> bool {
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

/// One recipient and channel that an event would reach.
pub(super) struct Found {
    pub(super) trigger: String,
    pub(super) profile: String,
    pub(super) decision: Decision,
}

/// A hypothetical event of a type about a certificate.
pub(super) fn hypothetical(event_type: EventType, subject: &Subject) -> Event {
    let mut event = event_type.example();
    let target = Target::new(TargetKind::Certificate, subject.row.id);
    event.targets = vec![target];
    event
}

/// The event of the last moment, about no certificate yet: an example is made from its schema, and
/// every certificate asks for this one.
static ENDING: LazyLock<Event> = LazyLock::new(|| {
    let mut event = EventType::CertificateExpiring.example();
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
});

/// The event of the last moment: what must not be missed.
pub(super) fn ending(subject: &Subject) -> Event {
    let target = Target::new(TargetKind::Certificate, subject.row.id);
    Event { targets: vec![target], ..ENDING.clone() }
}
