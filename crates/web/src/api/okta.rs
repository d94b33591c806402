//! `GET /okta/api/v1/logs`, and the same at `/api/v1/logs`: the sealed log for collectors written
//! for the Okta System Log.
//!
//! *Polling* is a request without `until`, ascending: it follows the log in the order of sealing,
//! which loses nothing, its `since` counts from when events were sealed, and there is always a link
//! to go on with. *Bounded* is a request with `until` or descending: its times are when things
//! happened, and the last page has no link. `filter` and `q` look at the events as they are
//! answered, so nobody finds what they may not see. A page looks at a bounded number of events: it
//! may be short, or empty, and still have a link.

mod condition;
pub(crate) mod fault;

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use axum::response::{IntoResponse, Response};
use chancery_engine::Permission;
use chancery_engine::access::{Answer, Limiter};
use chancery_engine::history::{EventQuery, SeenEvent};
use chancery_event::filter::Filter;
use chancery_event::{Dialect, LogIndex, Timestamp};
use serde_json::Value;

use super::dialect;
use crate::edge::{Access, AppState, Caller, FOR_OKTA, Routes};
use condition::Condition;
use fault::Fault;

/// Calls a minute and account.
const CALLS_PER_MINUTE: u32 = 120;
/// Events of a page unless asked for otherwise, and at most.
const LIMIT: (usize, usize) = (100, 1_000);
/// Events that one call looks at.
const LOOKED_AT_MAX: usize = 10_000;
/// `since` unless told otherwise: so long before `until`.
const SINCE: i64 = 7 * Timestamp::DAY;
/// The earliest `since` that is accepted: so long ago.
const SINCE_MAX: i64 = 180 * Timestamp::DAY;

/// Adds the route. It is not part of the described API: its description is the other system's.
pub(super) fn add(routes: &mut Routes) {
    let calls = Arc::new(Limiter::new(CALLS_PER_MINUTE));
    for path in FOR_OKTA {
        let calls = calls.clone();
        let handler = move |State(state): State<AppState>, caller: Caller, uri: Uri| {
            let calls = calls.clone();
            async move { answer(&state, &caller, &uri, &calls).await }
        };
        routes.add(Method::GET, path, Access::Any(Permission::EventRead), handler);
    }
}

async fn answer(state: &AppState, caller: &Caller, uri: &Uri, calls: &Limiter) -> Response {
    let now = state.engine.environment().now();
    let key = caller.key();
    let rate = |left: u32, seconds: u64| {
        let reset = now.micros() / 1_000_000 + i64::try_from(seconds).unwrap_or(60);
        [
            ("x-rate-limit-limit", CALLS_PER_MINUTE.to_string()),
            ("x-rate-limit-remaining", left.to_string()),
            ("x-rate-limit-reset", reset.to_string()),
        ]
    };
    let (mut response, rate) = match calls.take(&key, now) {
        Answer::Refused { seconds, .. } => (Fault::too_many().into_response(), rate(0, seconds)),
        Answer::Allowed => {
            let found = page(state, caller, uri, now).await;
            (found.unwrap_or_else(Fault::into_response), rate(calls.left(&key, now), 60))
        }
    };
    for (name, value) in rate {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// What a call asks for.
struct Call {
    since: Timestamp,
    until: Option<Timestamp>,
    /// The next log index to look at.
    after: Option<u64>,
    condition: Condition,
    limit: usize,
    descending: bool,
}

impl Call {
    fn parse(uri: &Uri, now: Timestamp) -> Result<Self, Fault> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| Fault::validation("query"))?;
        let mut known: [Option<String>; 7] = Default::default();
        const NAMES: [&str; 7] = ["since", "until", "after", "filter", "q", "limit", "sortOrder"];
        for (name, value) in pairs {
            let place = NAMES.iter().position(|known| *known == name);
            // A parameter that is not known is passed over, as there.
            let Some(place) = place else { continue };
            if known[place].replace(value).is_some() {
                return Err(Fault::validation(NAMES[place]));
            }
        }
        let [since, until, after, filter, words, limit, order] = known;
        let time = |name, text: Option<String>| {
            let read =
                |text: String| text.parse::<Timestamp>().map_err(|_| Fault::validation(name));
            text.map(read).transpose()
        };
        let until = time("until", until)?;
        let asked = time("since", since)?;
        if asked.is_some() && after.is_some() {
            return Err(Fault::validation("since and after exclude each other"));
        }
        if asked.is_some_and(|since| now.since(since) > SINCE_MAX || Some(since) > until.or(asked))
        {
            return Err(Fault::validation("since"));
        }
        let limit =
            limit.map_or(Ok(LIMIT.0), |text| text.parse().map_err(|_| Fault::validation("limit")));
        let after = after.map(|text| cursor(&text)).transpose()?;
        let began = after.and_then(|(_, since)| since);
        Ok(Self {
            since: asked.or(began).unwrap_or(until.unwrap_or(now).plus(-SINCE)),
            until,
            after: after.map(|(index, _)| index),
            condition: Condition::parse(filter.as_deref(), words.as_deref())?,
            limit: limit
                .ok()
                .filter(|limit| *limit <= LIMIT.1)
                .ok_or(Fault::validation("limit"))?,
            descending: match order.as_deref().unwrap_or("ASCENDING") {
                "ASCENDING" => false,
                "DESCENDING" => true,
                _ => return Err(Fault::validation("sortOrder")),
            },
        })
    }

    fn is_polling(&self) -> bool {
        self.until.is_none() && !self.descending
    }

    /// The bounds on when things happened, which polling has not.
    fn filter(&self) -> Result<Filter, Fault> {
        if self.is_polling() {
            return Ok(Filter::All);
        }
        let mut text = format!("time>=\"{}\"", self.since);
        if let Some(until) = self.until {
            text.push_str(&format!(" time<\"{until}\""));
        }
        Filter::parse(&text, chancery_event::search::schema())
            .map_err(|_| Fault::validation("until"))
    }
}

/// The log index to go on at; behind a dot, in microseconds, `since` of a bounded search.
fn cursor(text: &str) -> Result<(u64, Option<Timestamp>), Fault> {
    let read = || {
        let (index, since) = match text.strip_prefix('x')?.split_once('.') {
            Some((index, since)) => (index, Some(since.parse().ok()?)),
            None => (text.strip_prefix('x')?, None),
        };
        Some((index.parse().ok()?, since.map(Timestamp::from_micros)))
    };
    read().ok_or(Fault::validation("after"))
}

async fn page(
    state: &AppState,
    caller: &Caller,
    uri: &Uri,
    now: Timestamp,
) -> Result<Response, Fault> {
    let call = Call::parse(uri, now)?;
    let engine = &state.engine;
    let begin = match call.after {
        Some(index) => Some(index),
        None if call.is_polling() => Some(engine.sealed_since(caller.context(), call.since).await?),
        None => None,
    };
    let filter = call.filter()?;
    let (mut found, mut next, mut looked_at) = (Vec::new(), begin, 0);
    let mut more = true;
    while more && found.len() < call.limit && looked_at < LOOKED_AT_MAX {
        let query = EventQuery {
            filter: filter.clone(),
            before: next.filter(|_| call.descending).map(LogIndex),
            from: next.filter(|_| !call.descending).map(LogIndex),
            limit: (call.limit - found.len()).max(100).min(LIMIT.1),
            oldest_first: !call.descending,
        };
        let page = engine.events(caller.context(), query).await?;
        more = page.more;
        for (place, seen) in page.events.iter().enumerate() {
            looked_at += 1;
            next = Some(if call.descending { seen.index.0 } else { seen.index.0 + 1 });
            found.extend(told(&call, seen, now));
            if found.len() == call.limit {
                more = page.more || place + 1 < page.events.len();
                break;
            }
        }
    }
    if !call.is_polling() {
        sort(&mut found, call.descending);
    }
    let next = match next {
        Some(next) if more || call.is_polling() => Some(next),
        _ => None,
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let base = state.options.public_url.trim_end_matches('/');
    let whole = uri.path_and_query().map_or("/", |whole| whole.as_str());
    link(&mut headers, &format!("{base}{whole}"), "self");
    if let Some(next) = next {
        // A clock may have gone back between two events: both bounds hold on each page.
        let after = match call.is_polling() {
            true => format!("x{next}"),
            false => format!("x{next}.{}", call.since.micros()),
        };
        link(&mut headers, &format!("{base}{}", going_on(uri, &after)), "next");
    }
    Ok((headers, Value::Array(found).to_string()).into_response())
}

/// The event as it is answered, where it is one that is asked for.
fn told(call: &Call, seen: &SeenEvent, now: Timestamp) -> Option<Value> {
    let rendered = Dialect::Okta.render(dialect::shown(seen));
    let value = serde_json::from_slice(&rendered.bytes).ok()?;
    call.condition.holds(&value, now).then_some(value)
}

/// Within a page, the order is that of when things happened; those of one millisecond keep that of
/// the log, which is the order they are in already.
fn sort(events: &mut [Value], descending: bool) {
    let published = |event: &Value| event["published"].as_str().unwrap_or_default().to_owned();
    events.sort_by(|one, other| {
        let order = published(one).cmp(&published(other));
        if descending { order.reverse() } else { order }
    });
}

fn link(headers: &mut HeaderMap, address: &str, relation: &str) {
    if let Ok(value) = HeaderValue::from_str(&format!("<{address}>; rel=\"{relation}\"")) {
        headers.append(header::LINK, value);
    }
}

/// The same address behind what was answered.
fn going_on(uri: &Uri, after: &str) -> String {
    let query = uri.query().unwrap_or_default();
    let other = |pair: &&str| {
        !pair.is_empty() && !pair.starts_with("after=") && !pair.starts_with("since=")
    };
    let mut pairs: Vec<&str> = query.split('&').filter(other).collect();
    let after = format!("after={after}");
    pairs.push(&after);
    format!("{}?{}", uri.path(), pairs.join("&"))
}
