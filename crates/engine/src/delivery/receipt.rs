//! What came of attempts: booked in one transaction with what it means for the destination, the
//! events and the alerts about it. A destination whose lease was lost keeps nothing of it: whoever
//! serves it now sends again, under the same identifier.

use std::collections::HashMap;
use std::sync::Arc;

use chancery_event::types::{delivery as types, deployment};
use chancery_event::{Outcome, Severity, Target, TargetKind, Timestamp, Verdict};
use chancery_store::Tx;
use chancery_store::table::contact;
use chancery_store::table::delivery::{self as table, Attempt, Delivery};
use chancery_store::table::destination::{self, Course};

use super::courier::{AHEAD_MAX, Courier, Done};
use super::track::{self, Breaker, Turn};
use super::{Sent, carried, lag, parts, second_path};
use crate::alert::{self, NewAlert};
use crate::scribe::{Draft, Scribe};
use crate::{Context, Error};

/// How often it is looked whether a forwarder lags.
const LOOK: i64 = 30 * Timestamp::SECOND;
/// A forwarder lags if what it has not sent is older than this.
const LAG: i64 = 900 * Timestamp::SECOND;

/// Key of the alert that deliveries to a destination fail.
pub(super) fn failing_key(name: &str) -> String {
    format!("destination_failing:destination/{name}")
}

/// Key of the alert that a destination cannot be set up.
pub(super) fn unusable_key(name: &str) -> String {
    format!("destination_unusable:destination/{name}")
}

/// Key of the alert that deliveries to a destination were given up.
pub(super) fn given_up_key(name: &str) -> String {
    format!("delivery_given_up:destination/{name}")
}

/// Key of the alert that a destination was switched off.
pub(super) fn disabled_key(name: &str) -> String {
    format!("destination_disabled:destination/{name}")
}

/// What came of writing pages.
pub(super) struct Booked {
    /// Destinations whose lease was lost: nothing about them was written.
    lost: Vec<String>,
}

/// What is to be written about one destination.
pub(super) struct Page {
    name: String,
    kind: String,
    course: Course,
    rows: Vec<Delivery>,
    /// Deliveries of what was refused of batches; they are among the rows as well.
    parts: Vec<Delivery>,
    /// Attempts that failed as a whole.
    failed: usize,
    attempts: Vec<Attempt>,
    turns: Vec<(Turn, usize)>,
    words: Vec<&'static str>,
    /// Mail addresses that were refused for good, and what was said.
    refused: Vec<(String, String)>,
    /// Mail addresses that were taken.
    accepted: Vec<String>,
}

impl Page {
    fn new(name: String, kind: String, course: Course) -> Self {
        Self {
            name,
            kind,
            course,
            rows: Vec::new(),
            parts: Vec::new(),
            failed: 0,
            attempts: Vec::new(),
            turns: Vec::new(),
            words: Vec::new(),
            refused: Vec::new(),
            accepted: Vec::new(),
        }
    }

    /// Takes up the delivery of what was refused of the last one, with that attempt.
    fn refused_part(&mut self, part: Delivery) {
        let made = self.attempts.last().cloned();
        self.attempts.extend(made.map(|made| Attempt {
            delivery: part.id,
            number: 1,
            outcome: "failed".to_owned(),
            error: part.error.clone(),
            ..made
        }));
        self.words.push("record_refused");
        self.parts.push(part.clone());
        self.rows.push(part);
    }

    /// Takes up which mail addresses an attempt found taken or refused.
    fn addresses(&mut self, row: &Delivery, sent: &Sent) {
        if let Some(failure) = &sent.failure {
            let refused = failure.refused_recipient.iter();
            self.refused.extend(refused.map(|one| (one.clone(), failure.message.clone())));
        } else if self.kind == "email" && row.first_index.is_none() {
            let message = carried(row).ok().and_then(|carried| carried.message);
            let taken = message.into_iter().flat_map(|message| message.recipients);
            let refused = |one: &String| sent.refused.iter().any(|(address, _)| address == one);
            self.accepted.extend(taken.filter(|one| !refused(one)));
        }
        self.refused.extend(sent.refused.iter().cloned());
    }
}

impl Courier {
    /// Writes what came of attempts; independent of the loop, which goes on meanwhile.
    pub(super) fn write(
        &self,
        pages: Arc<Vec<Page>>,
    ) -> impl Future<Output = Result<Booked, Error>> + Send + 'static {
        let (engine, token) = (self.engine.clone(), self.token.clone());
        async move {
            let scribe = engine.scribe(&Context::system(engine.environment()));
            let store = engine.0.store.clone();
            let public_url = engine.settings().public_url.clone();
            let (lost, told): (Vec<String>, Vec<String>) = store
                .transaction("delivery.book", move |tx: &mut Tx| {
                    let (pages, token, scribe) = (pages.clone(), token.clone(), scribe.clone());
                    let public_url = public_url.clone();
                    Box::pin(async move {
                        let (mut lost, mut told) = (Vec::new(), Vec::new());
                        for page in pages.iter() {
                            if destination::book(tx, &page.name, &token, &page.course).await? {
                                told.extend(write(tx, &scribe, page, &public_url).await?);
                            } else {
                                lost.push(page.name.clone());
                            }
                        }
                        Ok::<_, Error>((lost, told))
                    })
                })
                .await?;
            for channel in told {
                engine.wake_courier_for(&channel);
            }
            Ok(Booked { lost })
        }
    }

    /// Takes up in memory what was written.
    pub(super) fn take_up(&mut self, pages: &[Page], booked: Booked) {
        for page in pages {
            let Some(track) = self.tracks.get_mut(&page.name) else { continue };
            track.row.course = page.course.clone();
            track.failed = track.failed.saturating_sub(page.failed);
            track.waiting += page.parts.len() as u64;
            for row in &page.rows {
                track.flying.remove(&row.id);
                match row.state.as_str() {
                    "waiting" => {
                        let due = track.due_at.map_or(row.next_at, |due| due.min(row.next_at));
                        track.due_at = Some(due);
                        if track.address.definition.ordered {
                            // What follows it stays behind it: the queue is read anew.
                            track.queue.clear();
                            track.complete = false;
                        }
                    }
                    _ => track.waiting = track.waiting.saturating_sub(1),
                }
            }
            for (turn, _) in &page.turns {
                match turn {
                    Turn::Recovered(..) => {
                        track.complete = false;
                        track.due_at = None;
                    }
                    Turn::Off(_) => {
                        self.tracks.remove(&page.name);
                        break;
                    }
                    Turn::None | Turn::Failing => {}
                }
            }
        }
        for name in booked.lost {
            self.tracks.remove(&name);
        }
    }

    pub(super) fn pages(&mut self, done: Vec<Done>) -> Vec<Page> {
        let node = self.engine.0.desk.node.to_string();
        let mut pages: HashMap<String, Page> = HashMap::new();
        for one in done {
            // It was lost meanwhile: sent again by whoever serves it now.
            let Some(track) = self.tracks.get_mut(&one.track) else { continue };
            let (mut row, mut sent) = (one.row, one.sent);
            parts::whole(&mut sent, track.address.definition.ordered);
            let is_of_before = one.version != track.row.version;
            if is_of_before && sent.failure.is_some() {
                // It was changed meanwhile. What another address refused counts for nothing: the
                // delivery waits as if it had not been tried.
                track.flying.remove(&row.id);
                track.failed = track.failed.saturating_sub(1);
                track.complete = false;
                continue;
            }
            let page = pages.entry(one.track.clone()).or_insert_with(|| {
                Page::new(one.track.clone(), track.row.kind.clone(), track.course().clone())
            });
            let random = u64::from_le_bytes(self.engine.environment().random());
            let turn = if is_of_before {
                // Taken by where it went before the change, like all that ended a moment earlier:
                // sent again, it would be there twice. It says nothing about how it goes with the
                // destination as it is now.
                let (mut course, mut breaker) = (page.course.clone(), Breaker::default());
                track::book(&mut row, &mut course, &mut breaker, &sent, one.at, random);
                Turn::None
            } else {
                let (course, breaker) = (&mut page.course, &mut track.breaker);
                track::book(&mut row, course, breaker, &sent, one.at, random)
            };
            let part = parts::refused(&row, &sent, self.engine.environment().id(), one.at, random);
            if let Some(part) = &part {
                row.error = Some(format!("{} were refused: delivery {}", part.events, part.id));
            }
            let failure = sent.failure.as_ref();
            page.failed += usize::from(failure.is_some());
            page.attempts.push(Attempt {
                delivery: row.id,
                number: row.attempts,
                at: one.at,
                took_us: one.took_us,
                outcome: if failure.is_none() { "delivered" } else { "failed" }.to_owned(),
                status: sent.status.map(i64::from),
                request: sent.request.to_string(),
                response: sent.response.to_string(),
                error: row.error.clone(),
                node: node.clone(),
            });
            page.words.push(failure.map_or("", |failure| failure.word));
            if !is_of_before {
                page.addresses(&row, &sent);
            }
            if turn != Turn::None {
                page.turns.push((turn, page.rows.len()));
            }
            page.rows.push(row);
            if let Some(part) = part {
                page.refused_part(part);
            }
        }
        pages.into_values().collect()
    }

    /// Raises and resolves alerts of destinations that cannot be set up at all: nothing is tried
    /// for them, so nothing else would tell.
    pub(super) async fn tell_whether_it_works(
        &self,
        works: &[(String, (Timestamp, Option<String>))],
    ) -> Result<(), Error> {
        if works.is_empty() {
            return Ok(());
        }
        let works = works.to_vec();
        let scribe = self.engine.scribe(&Context::system(self.engine.environment()));
        self.engine
            .0
            .store
            .transaction("delivery.works", move |tx: &mut Tx| {
                let (works, scribe) = (works.clone(), scribe.clone());
                Box::pin(async move {
                    for (name, (_, problem)) in works {
                        let key = unusable_key(&name);
                        let Some(problem) = problem else {
                            alert::resolve(tx, &scribe, &key, "works").await?;
                            continue;
                        };
                        let new = NewAlert {
                            message: format!(
                                "It cannot be set up: {problem}. Nothing is sent; nothing is lost."
                            ),
                            object: Some(target(&name)),
                            source: "deliveries".to_owned(),
                            ..NewAlert::new(
                                key,
                                "destination_failing",
                                Severity::Error,
                                format!("The destination {name} cannot work"),
                            )
                        };
                        alert::raise(tx, &scribe, &new).await?;
                    }
                    Ok::<(), Error>(())
                })
            })
            .await
    }

    /// Says that forwarders are behind, or have caught up.
    pub(super) async fn look_for_lag(&mut self) -> Result<(), Error> {
        let now = self.engine.environment().now();
        if self.lag_looked_at.is_some_and(|at| now.since(at) < LOOK) {
            return Ok(());
        }
        self.lag_looked_at = Some(now);
        self.all_booked().await?;
        let mut link = self.engine.link().await?;
        let size = chancery_store::log::latest_index(&mut link).await?.0;
        let mut news = Vec::new();
        for (name, track) in &mut self.tracks {
            if track.row.class != "forwarder" {
                continue;
            }
            // What waits is counted by and by; now and then it is looked up.
            track.waiting = table::waiting_count(&mut link, name, AHEAD_MAX).await?;
            let lag = lag::of(&mut link, &track.row, track.waiting, size, now).await?;
            let lags = lag >= LAG;
            if lags != track.row.course.lagging {
                track.row.course.lagging = lags;
                news.push((name.clone(), track.row.course.clone(), track.seen, lag));
            }
        }
        drop(link);
        if news.is_empty() {
            return Ok(());
        }
        let token = self.token.clone();
        let scribe = self.engine.scribe(&Context::system(self.engine.environment()));
        let store = self.engine.0.store.clone();
        store
            .transaction("delivery.lag", move |tx: &mut Tx| {
                let (news, token, scribe) = (news.clone(), token.clone(), scribe.clone());
                Box::pin(async move {
                    for (name, course, next_index, lag) in news {
                        if destination::book(tx, &name, &token, &course).await? {
                            lag_told(tx, &scribe, &name, course.lagging, next_index, size, lag)?;
                        }
                    }
                    Ok::<(), Error>(())
                })
            })
            .await
    }
}

fn lag_told(
    tx: &mut Tx,
    scribe: &Scribe,
    name: &str,
    lags: bool,
    next_index: u64,
    log_size: u64,
    lag: i64,
) -> Result<(), Error> {
    let destination = name.to_owned();
    let draft = if lags {
        let lag_s = u64::try_from(lag / Timestamp::SECOND).unwrap_or(0);
        Draft::new(&types::Lagging { destination, next_index, log_size, lag_s })?
    } else {
        Draft::new(&types::CaughtUp { destination, next_index })?
    };
    scribe.record(tx, draft.target(target(name))).map(|_| ())
}

/// A destination as the target of an event.
pub(super) fn target(name: &str) -> Target {
    Target::new(TargetKind::Destination, name).named(name)
}

/// Answers the channels that something was queued for.
async fn write(
    tx: &mut Tx,
    scribe: &Scribe,
    page: &Page,
    public_url: &str,
) -> Result<Vec<String>, Error> {
    table::insert(tx, &page.parts).await?;
    table::book(tx, &page.rows).await?;
    table::add_attempts(tx, &page.attempts).await?;
    let mut woken = Vec::new();
    for (turn, place) in &page.turns {
        let Some(row) = page.rows.get(*place) else { continue };
        if let Turn::Off(because) = turn {
            woken.extend(switched_off(tx, scribe, page, because, public_url).await?);
        } else {
            told(tx, scribe, page, *turn, row, page.words[*place]).await?;
        }
    }
    let dead: Vec<&Delivery> = page.rows.iter().filter(|row| row.state == "dead").collect();
    if let Some(first) = dead.first() {
        let payload = types::Exhausted {
            destination: page.name.clone(),
            destination_kind: page.kind.clone().into(),
            delivery_id: first.id,
            deliveries: u32::try_from(dead.len()).unwrap_or(u32::MAX),
            attempts: u32::try_from(first.attempts).unwrap_or(u32::MAX),
        };
        let cause = scribe.record(tx, Draft::new(&payload)?.target(target(&page.name)))?;
        // Who was refused for good is told of by itself.
        let mut ended = page.rows.iter().zip(&page.words).filter(|(row, _)| row.state == "dead");
        if ended.any(|(_, word)| *word != "recipient_refused") {
            let new = NewAlert {
                message: "A delivery was tried for three days and given up. It is kept: put right \
                          what is wrong, then send again what was given up."
                    .to_owned(),
                object: Some(target(&page.name)),
                source: "deliveries".to_owned(),
                cause: Some(cause),
                ..NewAlert::new(
                    given_up_key(&page.name),
                    "delivery_given_up",
                    Severity::Warning,
                    format!("Deliveries to {} were given up", page.name),
                )
            };
            alert::raise(tx, scribe, &new).await?;
        }
    }
    for (row, word) in page.rows.iter().zip(&page.words) {
        if row.state != "waiting" && row.first_index.is_none() {
            noticed(tx, scribe, page, row, word)?;
        }
    }
    addresses_told(tx, scribe, page).await?;
    Ok(woken)
}

/// Keeps which addresses were refused for good, and which are taken again.
async fn addresses_told(tx: &mut Tx, scribe: &Scribe, page: &Page) -> Result<(), Error> {
    for (address, error) in &page.refused {
        if contact::refuse(tx, address, &page.name, error, scribe.now()).await? {
            refused_told(tx, scribe, page, address)?;
        }
    }
    for address in &page.accepted {
        contact::accept(tx, address).await?;
    }
    Ok(())
}

/// Records what an attempt meant for its destination, and raises or resolves its alerts.
async fn told(
    tx: &mut Tx,
    scribe: &Scribe,
    page: &Page,
    turn: Turn,
    row: &Delivery,
    word: &'static str,
) -> Result<(), Error> {
    let (name, kind) = (&page.name, &page.kind);
    let (destination, destination_kind) = (name.clone(), kind.clone().into());
    match turn {
        // One that is switched off is told of by itself.
        Turn::None | Turn::Off(_) => Ok(()),
        Turn::Failing => {
            let payload = types::Failing {
                destination,
                destination_kind,
                delivery_id: row.id,
                http_status: row.status.and_then(|status| u16::try_from(status).ok()),
                failure: if word.is_empty() { "status" } else { word }.into(),
            };
            let cause = scribe.record(tx, Draft::new(&payload)?.target(target(name)))?;
            let new = NewAlert {
                message: format!(
                    "{}. It is tried again over three days; nothing is lost until then.",
                    row.error.as_deref().unwrap_or("The attempt failed")
                ),
                object: Some(target(name)),
                source: "deliveries".to_owned(),
                cause: Some(cause),
                ..NewAlert::new(
                    failing_key(name),
                    "destination_failing",
                    Severity::Warning,
                    format!("Deliveries to {name} fail"),
                )
            };
            alert::raise(tx, scribe, &new).await.map(|_| ())
        }
        Turn::Recovered(failures, failing_since) => {
            table::hasten(tx, name, scribe.now()).await?;
            let payload = types::Recovered {
                destination,
                destination_kind,
                delivery_id: row.id,
                failures: u32::try_from(failures).unwrap_or(u32::MAX),
                failing_since,
            };
            scribe.record(tx, Draft::new(&payload)?.target(target(name)))?;
            alert::resolve(tx, scribe, &failing_key(name), "delivered").await.map(|_| ())
        }
    }
}

/// Switches a destination off, and says so: here, and through channels that work. Answers those.
async fn switched_off(
    tx: &mut Tx,
    scribe: &Scribe,
    page: &Page,
    because: &'static str,
    public_url: &str,
) -> Result<Vec<String>, Error> {
    let (name, destination) = (&page.name, page.name.clone());
    let destination_kind = page.kind.clone().into();

    if !destination::disable(tx, name, because, scribe.now()).await? {
        return Ok(Vec::new());
    }
    let payload = types::Disabled {
        destination,
        destination_kind,
        because: because.into(),
        failures: u32::try_from(page.course.failures).unwrap_or(u32::MAX),
        failing_since: page.course.failing_since,
    };
    let cause = scribe.record(tx, Draft::new(&payload)?.target(target(name)))?;
    let why = match because {
        "gone" => "The receiver answered that it is gone (410)".to_owned(),
        _ => format!(
            "Nothing got through to it for days: {}",
            page.course.last_error.as_deref().unwrap_or("every attempt failed")
        ),
    };
    let new = NewAlert {
        message: format!("{why}. What waits for it is kept. Put it right and switch it on again."),
        object: Some(target(name)),
        source: "deliveries".to_owned(),
        cause: Some(cause),
        ..NewAlert::new(
            disabled_key(name),
            "destination_disabled",
            Severity::Error,
            format!("The destination {name} was switched off"),
        )
    };
    let raised = alert::raise(tx, scribe, &new).await?;
    alert::resolve(tx, scribe, &failing_key(name), "disabled").await?;
    let words = (new.title, new.message);
    second_path::tell(tx, scribe, name, words, raised.id, public_url).await
}

/// Records that a notice was sent, or could not be.
fn noticed(
    tx: &mut Tx,
    scribe: &Scribe,
    page: &Page,
    row: &Delivery,
    word: &'static str,
) -> Result<(), Error> {
    let Some(message) = carried(row)?.message else { return Ok(()) };
    let outcome = match row.state.as_str() {
        "delivered" => Outcome::success(),
        _ => Outcome {
            result: Verdict::Failure,
            reason: Some(if word.is_empty() { "exhausted".into() } else { word.into() }),
            message: None,
        },
    };
    let channel_id = Some(page.name.clone());
    let attempts = u32::try_from(row.attempts).ok();
    let draft = if page.kind == "email" {
        let addresses = message.recipients.join(", ");
        Draft::new(&deployment::NotificationEmail {
            channel_id,
            template: None,
            recipients: u32::try_from(message.recipients.len()).unwrap_or(u32::MAX),
            attempts,
            recipient_addresses: Some(addresses).filter(|text| !text.is_empty()),
        })?
    } else {
        Draft::new(&deployment::NotificationPost {
            channel_id,
            channel_kind: Some(page.kind.clone().into()),
            http_status: row.status.and_then(|status| u16::try_from(status).ok()),
            attempts,
        })?
    };
    // What is told of sending a message has that message's cause behind it: a trigger that tells of
    // it cannot feed itself (invariant 13).
    let cause = message.event.as_deref().and_then(|event| event.parse().ok());
    let scribe = scribe.because_of(cause, message.depth);
    scribe.record(tx, draft.outcome(outcome).target(target(&page.name))).map(|_| ())
}

/// Says that an address is refused for good: once, until it is taken again.
fn refused_told(tx: &mut Tx, scribe: &Scribe, page: &Page, address: &str) -> Result<(), Error> {
    let payload = types::RecipientRefused {
        destination: page.name.clone(),
        recipient_address: Some(address.to_owned()),
    };
    scribe.record(tx, Draft::new(&payload)?.target(target(&page.name))).map(|_| ())
}

/// Keeps a trial: its row as it ended, its one attempt, and that a notice was sent.
pub(super) async fn trial(
    tx: &mut Tx,
    scribe: &Scribe,
    row: &mut Delivery,
    sent: &Sent,
    (at, took): (Timestamp, std::time::Duration),
    node: String,
    kind: Option<String>,
) -> Result<(), Error> {
    let failure = sent.failure.as_ref();
    row.state = "waiting".to_owned();
    table::insert(tx, std::slice::from_ref(row)).await?;
    row.state = if failure.is_none() { "delivered" } else { "dead" }.to_owned();
    row.attempts = 1;
    row.first_attempt_at = Some(at);
    row.last_attempt_at = Some(at);
    row.completed_at = Some(at);
    row.status = sent.status.map(i64::from);
    row.error = failure.map(|failure| failure.message.chars().take(500).collect());
    table::book(tx, std::slice::from_ref(row)).await?;
    let attempt = Attempt {
        delivery: row.id,
        number: 1,
        at,
        took_us: i64::try_from(took.as_micros()).unwrap_or(i64::MAX),
        outcome: if failure.is_none() { "delivered" } else { "failed" }.to_owned(),
        status: row.status,
        request: sent.request.to_string(),
        response: sent.response.to_string(),
        error: row.error.clone(),
        node,
    };
    table::add_attempts(tx, std::slice::from_ref(&attempt)).await?;
    let mut page = Page::new(row.destination.clone(), kind.unwrap_or_default(), Course::default());
    if row.first_index.is_some() {
        return Ok(());
    }
    page.addresses(row, sent);
    noticed(tx, scribe, &page, row, failure.map_or("", |failure| failure.word))?;
    addresses_told(tx, scribe, &page).await
}

/// The event of a trial with how it ended.
pub(super) fn outcome(draft: Draft, sent: &Sent) -> Draft {
    match &sent.failure {
        None => draft,
        Some(failure) => draft.outcome(Outcome {
            result: Verdict::Failure,
            reason: Some(failure.word.into()),
            message: None,
        }),
    }
}
