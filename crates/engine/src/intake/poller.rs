//! Fetches from sources that do not send: the Okta System Log, page after page.
//!
//! One node at a time fetches. What a page held, the place behind it and how it went are one
//! transaction, fenced by the turn that the page was fetched in: a node that lost the lease, or a
//! person who changed the source meanwhile, makes it void, and the page is fetched again. So
//! nothing is lost, and what comes twice is known by its identifier.
//!
//! The place is the `next` link of the page, and only as a path: a link that leads to another host
//! is never followed, because the token would go there. No network call is made in a transaction.

use std::sync::Arc;
use std::time::Duration;

use chancery_event::dialect::{Dialect, Foreign, Unreadable};
use chancery_event::types::deployment::ThirdPartyConnect;
use chancery_event::{Outcome, Severity, Timestamp, Verdict};
use chancery_store::Tx;
use chancery_store::table::intake::{self as table, PollCourse, Source};
use futures::stream::{self, StreamExt as _};
use serde_json::Value;
use tokio::sync::watch;

use super::poll::Poll;
use super::{MALFORMED, Refused, Sender, Undated, refuse, take_all, target};
use crate::alert::{self, NewAlert};
use crate::delivery::{Fetch, Fetched, SendError, Sender as Sends};
use crate::scribe::{Draft, Scribe};
use crate::{Client, Engine, Error};

/// How often is looked what is due.
const TICK: Duration = Duration::from_secs(1);
/// Sources that are fetched from at a time.
const AT_A_TIME: usize = 8;
/// Pages of one source in one round.
const PAGES_MAX: usize = 50;
/// Bytes of a page.
const PAGE_BYTES_MAX: usize = 16 << 20;
/// Failures in a row after which it is said that a source cannot be fetched from.
const TOLD: i64 = 3;
/// The lease under which one node does it.
pub(crate) const POLLER: &str = "poller";
/// Waits after failures.
const DELAYS_S: [i64; 5] = [5, 15, 60, 300, 600];
/// The longest pause that another system may ask for.
const PAUSE_MAX_S: i64 = 900;
/// A place that is not taken any more is left for this long before the last answer.
const OVERLAP: i64 = 10 * 60 * Timestamp::SECOND;

/// Works until `stop` is set.
pub(crate) async fn run(engine: Engine, sender: Arc<dyn Sends>, mut stop: watch::Receiver<bool>) {
    let mut keeper = engine.keeper(POLLER);
    loop {
        match keeper.on_duty(round(&engine, &sender, &stop)).await {
            Ok(None | Some(Ok(()))) => {}
            Ok(Some(Err(error))) | Err(error) => {
                tracing::error!(%error, "sources could not be fetched from");
            }
        }
        if tokio::time::timeout(TICK, stop.wait_for(|stop| *stop)).await.is_ok() {
            keeper.give_back().await;
            return;
        }
    }
}

/// Fetches from everything that is due.
async fn round(
    engine: &Engine,
    sender: &Arc<dyn Sends>,
    stop: &watch::Receiver<bool>,
) -> Result<(), Error> {
    let due = table::due(&mut engine.link().await?, engine.environment().now()).await?;
    let each = |name: String| async move {
        if let Err(error) = fetch_all(engine, sender, &name, stop).await {
            tracing::error!(%error, source = name, "a source could not be fetched from");
        }
    };
    stream::iter(due).for_each_concurrent(AT_A_TIME, each).await;
    Ok(())
}

/// What a page said.
enum Page {
    /// Its body, where to go on, and how long to wait with that, in seconds.
    Events(Vec<u8>, Option<String>, i64),
    /// The other system wants to be left alone for so many seconds.
    Pause(i64),
    /// It failed, for this reason; true: the place is not taken any more.
    Failed(&'static str, String, bool),
}

async fn fetch_all(
    engine: &Engine,
    sender: &Arc<dyn Sends>,
    name: &str,
    stop: &watch::Receiver<bool>,
) -> Result<(), Error> {
    for _ in 0..PAGES_MAX {
        if *stop.borrow() {
            return Ok(());
        }
        let Some(row) = table::find(&mut engine.link().await?, name).await? else { return Ok(()) };
        let (Some(text), true) = (&row.poll, row.enabled) else { return Ok(()) };
        let poll = Poll::read(text)?;
        let path = match &row.course.next {
            Some(next) => next.clone(),
            None => poll.first(begin(&row.course, &poll)),
        };
        let page = match engine.poll_token(name, row.poll_secrets.as_deref()) {
            Ok(token) => {
                let fetch = Fetch {
                    owner: (format!("source/{name}"), 0),
                    url: format!("{}{path}", poll.url),
                    headers: vec![
                        ("authorization".to_owned(), format!("SSWS {}", token.expose())),
                        ("accept".to_owned(), "application/json".to_owned()),
                    ],
                    ca: poll.ca.clone(),
                    body_max: PAGE_BYTES_MAX,
                };
                understood(sender.fetch(fetch).await, &poll.url, engine.environment().now())
            }
            Err(error) => Page::Failed("configuration", error.to_string(), false),
        };
        if !book(engine, row, &poll, path, page).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Since when, where there is no place to go on from: shortly before the newest event that came,
/// because pages may be far behind the time at which they are fetched.
fn begin(course: &PollCourse, poll: &Poll) -> Timestamp {
    match course.newest_at {
        // A clock that is ahead there must not make us skip anything.
        Some(newest) => {
            let newest = course.done_at.map_or(newest, |done| newest.min(done));
            newest.plus(-OVERLAP).max(poll.since)
        }
        None => poll.since,
    }
}

fn understood(answer: Result<Fetched, SendError>, base: &str, now: Timestamp) -> Page {
    let fetched = match answer {
        Ok(fetched) => fetched,
        Err(error) => return Page::Failed(error.word, error.message, false),
    };
    let number = |name: &str| fetched.header(name).next()?.trim().parse::<i64>().ok();
    let reset = number("x-rate-limit-reset").map(|at| at - now.micros() / 1_000_000);
    match fetched.status {
        200 => {
            let spent = number("x-rate-limit-remaining").is_some_and(|left| left <= 1);
            let wait = if spent { reset.unwrap_or(60).clamp(0, PAUSE_MAX_S) } else { 0 };
            match next(&fetched, base) {
                Ok(next) => Page::Events(fetched.body, next, wait),
                Err(message) => Page::Failed("link", message, false),
            }
        }
        429 => {
            let asked = number("retry-after").or(reset).unwrap_or(60);
            Page::Pause(asked.clamp(1, PAUSE_MAX_S))
        }
        status @ (401 | 403) => {
            Page::Failed("unauthorized", format!("the token was refused ({status})"), false)
        }
        status @ (400 | 404) => {
            Page::Failed("status", format!("the request was refused ({status})"), true)
        }
        status => Page::Failed("status", format!("it answered {status}"), false),
    }
}

/// The path of the `next` link (RFC 8288), which must lead to where the page came from.
fn next(fetched: &Fetched, base: &str) -> Result<Option<String>, String> {
    for value in fetched.header("link") {
        for link in value.split(",<").flat_map(|part| part.split(", <")) {
            let Some((address, parameters)) = link.trim_start_matches(['<', ' ']).split_once('>')
            else {
                continue;
            };
            let is_next = parameters
                .split(';')
                .any(|parameter| matches!(parameter.trim(), "rel=\"next\"" | "rel=next"));
            if !is_next {
                continue;
            }
            let path = address.strip_prefix(base).filter(|path| path.starts_with("/api/v1/logs"));
            return match path {
                Some(path) if path.len() <= 8_192 => Ok(Some(path.to_owned())),
                _ => Err(format!("its next page is not below {base}, and is not followed")),
            };
        }
    }
    Ok(None)
}

/// Books the page that is at `path`; true if the next one is to be fetched at once.
async fn book(
    engine: &Engine,
    row: Source,
    poll: &Poll,
    path: String,
    page: Page,
) -> Result<bool, Error> {
    let sender = engine.known_sender(&row.name, Dialect::Okta, Client::default(), "poll");
    let scribe = engine.scribe(&sender.context);
    let (row, place, page) = (Arc::new(row), Arc::new((path, poll.every_s)), Arc::new(page));
    let booked = engine.0.store.transaction("intake.poll", move |tx: &mut Tx| {
        let (scribe, sender) = (scribe.clone(), sender.clone());
        let (row, place, page) = (row.clone(), place.clone(), page.clone());
        Box::pin(async move { write(tx, &scribe, &sender, &row, &place, &page).await })
    });
    match booked.await {
        // Somebody else booked meanwhile: what was fetched is fetched again.
        Err(Error::Store(chancery_store::Error::Conflict(_))) => Ok(false),
        other => other,
    }
}

async fn write(
    tx: &mut Tx,
    scribe: &Scribe,
    sender: &Sender,
    row: &Source,
    (path, every_s): &(String, u32),
    page: &Page,
) -> Result<bool, Error> {
    let now = scribe.now();
    let later = |seconds: i64| Some(now.plus(seconds * Timestamp::SECOND));
    let mut course = row.course.clone();
    let went = match page {
        Page::Events(body, next, wait) => match each(body) {
            Ok(found) => {
                let some = !found.is_empty();
                found.book(tx, scribe, sender).await?;
                let newest = found.events.iter().filter_map(|event| event.time).max();
                course.newest_at = newest.max(course.newest_at);
                // A page that leads to itself has nothing new by now.
                let leads_on = next.as_ref().is_some_and(|next| next != path);
                course.next = next.clone().or(course.next);
                course.done_at = Some(now);
                let at_once = some && leads_on && *wait == 0;
                course.due_at = later(if at_once { 0 } else { i64::from(*every_s).max(*wait) });
                Ok(at_once)
            }
            // It is no page of events: it stays in the way until somebody looks.
            Err(problem) => {
                unreadable(tx, scribe, sender, &problem, (1, body.len())).await?;
                // What it says may repeat what came, and more people see this.
                Err(("malformed", "a page of it cannot be read".to_owned()))
            }
        },
        Page::Pause(seconds) => {
            course.due_at = later(*seconds);
            return keep(tx, row, &course).await.map(|()| false);
        }
        Page::Failed(word, message, begin_again) => {
            if *begin_again {
                course.next = None;
            }
            Err((*word, message.clone()))
        }
    };
    match went {
        Ok(at_once) => {
            let before = std::mem::take(&mut course.failing);
            course.error = None;
            keep(tx, row, &course).await?;
            if before >= TOLD || row.course.done_at.is_none() {
                told(tx, scribe, row, None).await?;
            }
            Ok(at_once)
        }
        Err((word, message)) => {
            course.failing += 1;
            let step = usize::try_from(course.failing - 1).unwrap_or(0).min(DELAYS_S.len() - 1);
            course.due_at = later(DELAYS_S[step]);
            let message: String = message.chars().take(500).collect();
            course.error = Some(message.clone());
            keep(tx, row, &course).await?;
            if course.failing == TOLD {
                told(tx, scribe, row, Some((word, &message))).await?;
            }
            Ok(false)
        }
    }
}

/// What a page held.
struct Read {
    events: Vec<Foreign>,
    /// Why others cannot be read, each with its length.
    problems: Vec<(Unreadable, usize)>,
}

/// The events of a page, and why the others of it cannot be read: one of them keeps nothing else
/// away.
fn each(body: &[u8]) -> Result<Read, Unreadable> {
    let problem = match Dialect::Okta.parse(body) {
        Ok(events) => return Ok(Read { events, problems: Vec::new() }),
        Err(problem) => problem,
    };
    let Ok(Value::Array(items)) = serde_json::from_slice(body) else { return Err(problem) };
    let (mut events, mut problems) = (Vec::new(), Vec::new());
    for (position, item) in items.into_iter().enumerate() {
        let text = Value::Array(vec![item]).to_string();
        match Dialect::Okta.parse(text.as_bytes()) {
            Ok(found) => events.extend(found),
            Err(Unreadable::Shape { message, .. }) => {
                problems.push((Unreadable::Shape { position, message }, text.len()));
            }
            Err(problem) => problems.push((problem, text.len())),
        }
    }
    Ok(Read { events, problems })
}

impl Read {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.problems.is_empty()
    }

    /// Takes in what can be read, and tells of the others once.
    async fn book(&self, tx: &mut Tx, scribe: &Scribe, sender: &Sender) -> Result<(), Error> {
        take_all(tx, scribe, sender, &self.events, Undated::Briefly).await?;
        let Some((first, bytes)) = self.problems.first() else { return Ok(()) };
        let count = i64::try_from(self.problems.len()).unwrap_or(i64::MAX);
        unreadable(tx, scribe, sender, first, (count, *bytes)).await
    }
}

async fn unreadable(
    tx: &mut Tx,
    scribe: &Scribe,
    sender: &Sender,
    problem: &Unreadable,
    (count, bytes): (i64, usize),
) -> Result<(), Error> {
    let refused = Refused { count, bytes, problem: problem.to_string(), ..MALFORMED };
    refuse(tx, scribe, sender, &refused, true).await
}

async fn keep(tx: &mut Tx, row: &Source, course: &PollCourse) -> Result<(), Error> {
    if table::book(tx, &row.name, course).await? {
        return Ok(());
    }
    Err(Error::Store(chancery_store::Error::Conflict("the turn of the source")))
}

/// Cause of the alert that a source cannot be fetched from.
pub(super) fn failing_key(name: &str) -> String {
    format!("source_failing:third_party/{name}")
}

/// Records that a source can be fetched from, or cannot, and raises or resolves its alert.
async fn told(
    tx: &mut Tx,
    scribe: &Scribe,
    row: &Source,
    failure: Option<(&'static str, &str)>,
) -> Result<(), Error> {
    let payload = ThirdPartyConnect {
        third_party_id: Some(row.name.clone()),
        third_party_kind: Some(row.dialect.clone().into()),
    };
    let outcome = match failure {
        None => Outcome::success(),
        Some((word, _)) => {
            Outcome { result: Verdict::Failure, reason: Some(word.into()), message: None }
        }
    };
    let draft = Draft::new(&payload)?.target(target(&row.name)).outcome(outcome);
    let cause = scribe.record(tx, draft)?;
    let Some((_, message)) = failure else {
        return alert::resolve(tx, scribe, &failing_key(&row.name), "connected").await.map(|_| ());
    };
    let new = NewAlert {
        message: format!(
            "{message}. It goes on where it was as soon as the other system answers; what that \
             keeps no longer by then is lost."
        ),
        object: Some(target(&row.name)),
        source: "intake".to_owned(),
        cause: Some(cause),
        ..NewAlert::new(
            failing_key(&row.name),
            "source_failing",
            Severity::Warning,
            format!("Events of {} cannot be fetched", row.name),
        )
    };
    alert::raise(tx, scribe, &new).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)]) -> Fetched {
        let headers = headers.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
        Fetched { status, headers, body: b"[]".to_vec() }
    }

    #[test]
    fn the_next_page_is_followed_only_to_where_the_first_came_from() {
        let base = "https://example.okta.com";
        let link = |value: &str| next(&answer(200, &[("link", value)]), base);
        let own = "<https://example.okta.com/api/v1/logs?x=1>; rel=\"self\"";
        let next = "<https://example.okta.com/api/v1/logs?after=1,2&limit=500>; rel=\"next\"";
        let path = Some("/api/v1/logs?after=1,2&limit=500".to_owned());
        assert_eq!(link(next), Ok(path.clone()));
        assert_eq!(link(&format!("{own}, {next}")), Ok(path));
        assert_eq!(link(own), Ok(None));
        for elsewhere in [
            "https://evil.example/api/v1/logs",
            "https://example.okta.com.evil.example/api/v1/logs",
            "https://example.okta.com@evil.example/api/v1/logs",
            "http://example.okta.com/api/v1/logs",
            "//evil.example/api/v1/logs",
            "https://example.okta.com/other",
        ] {
            assert!(link(&format!("<{elsewhere}>; rel=\"next\"")).is_err(), "{elsewhere}");
        }
    }

    #[test]
    fn the_other_system_says_how_long_to_wait() {
        let now = Timestamp::from_micros(1_000 * Timestamp::SECOND);
        let page = |status, headers: &[(&str, &str)]| {
            understood(Ok(answer(status, headers)), "https://x", now)
        };
        let wait = |page| match page {
            Page::Events(_, _, wait) => wait,
            Page::Pause(seconds) => -seconds,
            Page::Failed(..) => 0,
        };
        let reset = ("x-rate-limit-reset", "1030");
        assert_eq!(wait(page(200, &[("x-rate-limit-remaining", "50"), reset])), 0);
        assert_eq!(wait(page(200, &[("x-rate-limit-remaining", "0"), reset])), 30);
        assert_eq!(wait(page(429, &[reset])), -30);
        assert_eq!(wait(page(429, &[("retry-after", "7"), reset])), -7);
        assert_eq!(wait(page(429, &[("x-rate-limit-reset", "99999999")])), -PAUSE_MAX_S);
        assert_eq!(wait(page(429, &[])), -60);
        assert!(matches!(page(401, &[]), Page::Failed("unauthorized", _, false)));
        assert!(matches!(page(400, &[]), Page::Failed("status", _, true)));
        assert!(matches!(page(302, &[]), Page::Failed("status", _, false)));
    }
}
