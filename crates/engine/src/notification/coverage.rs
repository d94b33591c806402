//! Routing coverage: who will be told of a certificate, about what, when, through which channel,
//! tested when last; and how many certificates reach nobody.
//!
//! Whom an event would reach is asked of the same functions as live (`survey`): the monitors that
//! would find it, the triggers over a hypothetical event, the profiles they name over the people as
//! they are. For the estate a loop (`walk`) keeps what it found about the end of each certificate.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use chancery_event::id::{AccountId, CertificateId};
use chancery_event::{EventType, Timestamp};
use chancery_store::table::notice;
use chancery_store::table::reach::{self as table, Listed, Query};

use self::survey::{Found, Survey};
use super::decide::Verdict;
use super::query::reason_words;
use crate::reaction::happening::Subject;
use crate::{Context, Engine, Error, Permission};

mod survey;
pub(crate) mod walk;

/// Routes shown of one certificate at most.
const ROUTES_MAX: usize = 200;

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
    /// When the channel got something through last, whatever it was: a trial counts.
    pub tested_at: Option<Timestamp>,
    /// When it got something about this certificate through last.
    pub told_at: Option<Timestamp>,
}

/// Who will be told of a certificate.
#[derive(Clone, Debug)]
pub struct Coverage {
    /// `reached`, `bell`, `fallback`, `nobody`; `not_counted` where nobody has to hear of it,
    /// because it is archived or replaced.
    pub state: &'static str,
    /// Why it is not `reached`; in one word.
    pub reason: &'static str,
    /// The routes, the first of them where there are many.
    pub routes: Vec<Route>,
    /// How many more there are.
    pub more: usize,
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

/// What was counted last, where there was much to count, and compiled last; lost with the process.
#[derive(Default)]
pub(crate) struct Memory {
    counts: Mutex<Option<(Instant, Counts)>>,
    press: survey::Press,
}

impl Memory {
    fn known(&self) -> Option<Counts> {
        let memory = self.counts.lock().ok()?;
        let (at, counts) = memory.as_ref()?;
        (at.elapsed() < GOOD).then(|| counts.clone())
    }

    fn keep(&self, counts: &Counts) {
        let is_much = counts.iter().map(|(.., count)| count).sum::<u64>() >= MANY;
        if let Ok(mut memory) = self.counts.lock() {
            *memory = is_much.then(|| (Instant::now(), counts.clone()));
        }
    }
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
        let survey = Survey::read(&self.0.reach_memory.press, &mut link, now).await?;
        let mut found = Vec::new();
        for event_type in ASKED {
            let event = match event_type {
                EventType::CertificateExpiring => survey::ending(&subject),
                other => survey::hypothetical(other, &subject),
            };
            let asked = survey.asked(&event, &subject).0;
            found.extend(asked.into_iter().map(|one| (event_type, one)));
        }
        let mut routes: Vec<Route> =
            found.into_iter().map(|(of, one)| route(&survey, of, one, sees)).collect();
        if !sees {
            routes = counted(routes, context.account_id());
        }
        let more = routes.len().saturating_sub(ROUTES_MAX);
        routes.truncate(ROUTES_MAX);
        let mut told = HashMap::new();
        for route in &mut routes {
            let at = match told.get(&route.channel) {
                Some(at) => *at,
                None => {
                    let object = format!("certificate/{id}");
                    let at = notice::last_delivered(&mut link, &object, &route.channel).await?;
                    told.insert(route.channel.clone(), at);
                    at
                }
            };
            route.told_at = at;
        }
        let (state, reason) = match counts(&subject) {
            true => survey.state(&subject),
            false => ("not_counted", ""),
        };
        let ahead = survey.thresholds(&subject);
        Ok(Coverage { state, reason, routes, more, ahead })
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
        let walked = chancery_store::table::setting::find(&mut link, walk::WALKED).await?;
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

    /// How many certificates that fit are not reached as they should be.
    ///
    /// # Errors
    /// The caller may not see certificates.
    pub async fn unreached_count(&self, context: &Context, query: &Query) -> Result<u64, Error> {
        context.require(Permission::CertificateRead)?;
        Ok(table::count(&mut self.link().await?, query).await?)
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

fn route(survey: &Survey, event_type: EventType, found: Found, sees: bool) -> Route {
    let is_open = survey.is_open(&found);
    let Found { trigger, profile, decision } = found;
    let channel = decision.channel;
    let row = survey.directory.channels.get(&channel);
    let reason = match &decision.verdict {
        Verdict::Send if !is_open => "the channel fails",
        Verdict::Send => "",
        Verdict::Hold(reason, _) | Verdict::Skip(reason) => reason_words(reason),
    };
    let person = decision.person.as_ref();
    Route {
        event_type,
        trigger,
        profile,
        name: person.map(|one| one.name.clone()).unwrap_or_default(),
        account: person.and_then(|one| one.account),
        address: person.and_then(|one| one.address.clone()).filter(|_| sees),
        paths: person.map(|one| one.paths.clone()).unwrap_or_default(),
        tested_at: row.and_then(|row| row.course.last_success_at.max(row.course.tested_at)),
        told_at: None,
        channel,
        is_open,
        reason,
    }
}

/// The routes as somebody sees them who may not see accounts: their own, and how many others there
/// are. Names and paths may be addresses.
fn counted(routes: Vec<Route>, own: Option<AccountId>) -> Vec<Route> {
    let mut shown = Vec::new();
    let mut others: BTreeMap<_, (Route, usize)> = BTreeMap::new();
    for route in routes {
        let is_channel = route.account.is_none() && route.paths.is_empty();
        if is_channel || (own.is_some() && route.account == own) {
            shown.push(route);
            continue;
        }
        let key = (
            (route.event_type.name(), route.trigger.clone(), route.profile.clone()),
            (route.channel.clone(), route.is_open, route.reason),
        );
        others.entry(key).or_insert((route, 0)).1 += 1;
    }
    shown.extend(others.into_values().map(|(route, count)| Route {
        name: if count == 1 { "1 recipient".to_owned() } else { format!("{count} recipients") },
        account: None,
        address: None,
        paths: Vec::new(),
        ..route
    }));
    shown
}
