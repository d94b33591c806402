//! Sealed events: lists, one by one, proofs, erasure.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response, sse};
use chancery_engine::history::{EventQuery, SeenEvent};
use chancery_engine::{Engine, Permission};
use chancery_event::cursor::LogCursor;
use chancery_event::filter::Filter;
use chancery_event::id::LogIndex;
use chancery_event::{Timestamp, sentence};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::routes;

use super::listing::{Page, limit, no_cursor};
use super::{Operations, certificate, dialect};
use crate::edge::{Caller, Json, Params, PathOf, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::EventRead, routes!(list_events));
    operations.any(Permission::EventRead, routes!(search_events));
    operations.any(Permission::EventRead, routes!(read_event));
    operations.any(Permission::EventRead, routes!(event_entry));
    operations.any(Permission::EventRead, routes!(event_proof));
    operations.any(Permission::PersonalErase, routes!(erase_event));
}

/// A sealed event.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct EventRecord {
    /// Its position in the sealed log, from 0.
    #[schema(value_type = u64)]
    log_index: LogIndex,
    /// When it got that position.
    #[schema(value_type = String, format = DateTime)]
    sealed_at: Timestamp,
    /// What happened, in one sentence; not to be parsed.
    #[schema(example = "alice uploaded the certificate www.example.org")]
    sentence: String,
    /// The event: CloudEvents 1.0, structured mode. Its schema is that of its type.
    #[schema(value_type = Object)]
    event: Value,
    /// By what it was removed from the database; it comes from the archive then, `sealed_at` is the
    /// time of the event, and what it said about people is gone. Absent: it is in the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<RemovedBy>,
}

/// The run of a rule of retention that removed an event.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct RemovedBy {
    /// Name of the rule.
    rule: String,
    /// The run, and the event about it.
    run: String,
    /// When the run began.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl From<&SeenEvent> for EventRecord {
    fn from(seen: &SeenEvent) -> Self {
        Self {
            log_index: seen.index,
            sealed_at: seen.sealed_at,
            sentence: sentence(&seen.event),
            event: seen.event.to_json(),
            removed: seen.removed.as_ref().map(|removal| RemovedBy {
                rule: removal.rule.clone(),
                run: removal.run.to_string(),
                at: removal.at,
            }),
        }
    }
}

impl EventRecord {
    /// Columns of the CSV export.
    pub(super) const COLUMNS: &[&str] = &[
        "log_index",
        "time",
        "type",
        "severity",
        "result",
        "reason",
        "actor",
        "origin",
        "subject",
        "sentence",
        "id",
    ];

    /// Cells of the CSV export.
    pub(super) fn cells(&self) -> Vec<String> {
        let text = |pointer: &str| {
            let found = self.event.pointer(pointer).and_then(Value::as_str);
            found.unwrap_or_default().to_owned()
        };
        let actor = match text("/data/personal/actor_name") {
            name if name.is_empty() => text("/data/actor/id"),
            name => name,
        };
        vec![
            self.log_index.to_string(),
            text("/time"),
            text("/type"),
            text("/data/severity"),
            text("/data/outcome/result"),
            text("/data/outcome/reason"),
            actor,
            text("/data/origin"),
            text("/subject"),
            self.sentence.clone(),
            text("/id"),
        ]
    }

    /// The event as the live stream tells it.
    pub(super) fn to_sse(&self) -> Option<sse::Event> {
        let name = self.event.get("type").and_then(Value::as_str).unwrap_or_default();
        sse::Event::default().id(self.log_index.to_string()).event(name).json_data(self).ok()
    }
}

/// What lists of events are asked with.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParams {
    /// Condition, such as `type:certificate.* outcome:failure time>2026-11-01`.
    #[param(example = "type:certificate.* outcome:failure")]
    pub(super) filter: Option<String>,
    /// How the filter is written: `text` (unless told otherwise) or `scim` (RFC 7644).
    spelling: Option<String>,
    /// `newest` (unless told otherwise) or `oldest` first.
    order: Option<String>,
    /// Items of a page, 1 to 1000; 50 unless told otherwise.
    #[serde(deserialize_with = "super::listing::number")]
    limit: Option<usize>,
    /// From `next_cursor` or `previous_cursor`.
    cursor: Option<String>,
    /// Shape of the events: `cloudevents`, `okta`, `ocsf` and so on; the pages before and after are
    /// then in the `Link` header alone.
    #[param(example = "ocsf")]
    dialect: Option<String>,
}

/// Reads the filter of events.
pub(super) fn filter(engine: &Engine, text: Option<&str>) -> Result<Filter, Problem> {
    let text = text.unwrap_or_default().trim();
    if text.is_empty() {
        return Ok(Filter::All);
    }
    Ok(Filter::parse(text, engine.event_schema())?)
}

fn oldest_first(order: Option<&str>) -> Result<bool, Problem> {
    match order.unwrap_or("newest") {
        "newest" => Ok(false),
        "oldest" => Ok(true),
        _ => Err(Problem::invalid("order", "`newest` or `oldest`")),
    }
}

/// Events
///
/// A page of sealed events, newest first unless told otherwise. Names and addresses of people are
/// there for those with `personal:read`; others see the commitment to them.
#[utoipa::path(get, path = "/api/v1/events", tag = "events",
    params(ListParams),
    responses((status = 200, description = "A page", body = Page<EventRecord>)))]
async fn list_events(
    State(engine): State<Engine>,
    caller: Caller,
    uri: Uri,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    list(&engine, &caller, &uri, params, None).await
}

/// A page of events, of those about one object if it is given.
pub(super) async fn list(
    engine: &Engine,
    caller: &Caller,
    uri: &Uri,
    params: ListParams,
    about: Option<(&str, String)>,
) -> Result<Response, Problem> {
    let mut filter = match params.spelling.as_deref().unwrap_or("text") {
        "text" => filter(engine, params.filter.as_deref())?,
        "scim" => {
            let text = params.filter.as_deref().unwrap_or_default();
            Filter::from_scim(text, engine.event_schema())?
        }
        _ => return Err(Problem::invalid("spelling", "`text` or `scim`")),
    };
    if let Some((kind, id)) = about {
        let text = format!("target:\"{kind}/{id}\"");
        let is_about = Filter::parse(&text, engine.event_schema())?;
        filter = Filter::and(vec![is_about, filter]);
    }
    let search = EventSearch {
        order: params.order,
        limit: params.limit,
        cursor: params.cursor,
        ..EventSearch::default()
    };
    let dialect = dialect::asked(params.dialect.as_deref())?;
    let page = page(engine, caller, filter, search).await?;
    Ok(match dialect {
        Some(dialect) => (page.links(uri), dialect::batch(dialect, &page.items)).into_response(),
        None => page.map(|seen| EventRecord::from(seen)).answer(uri),
    })
}

async fn page(
    engine: &Engine,
    caller: &Caller,
    filter: Filter,
    search: EventSearch,
) -> Result<Page<SeenEvent>, Problem> {
    let oldest_first = oldest_first(search.order.as_deref())?;
    let cursor: Option<LogCursor> = match search.cursor.as_deref().unwrap_or_default() {
        "" => None,
        text => Some(text.parse().map_err(no_cursor)?),
    };
    let ascending = match cursor {
        None => oldest_first,
        Some(cursor) => matches!(cursor, LogCursor::After(_)),
    };
    let (before, from) = match cursor {
        None => (None, None),
        Some(LogCursor::Before(index)) => (Some(index), None),
        Some(LogCursor::After(index)) => (None, Some(LogIndex(index.0.saturating_add(1)))),
    };
    let limit = limit(search.limit)?;
    let query = EventQuery { filter, before, from, limit, oldest_first: ascending };
    let mut found = engine.events(caller.context(), query).await?;
    let forward = ascending == oldest_first;
    if !forward {
        found.events.reverse();
    }
    // In the direction that was read there is more if the engine says so; in the other one there is
    // what the cursor came from.
    let (has_next, has_previous) =
        if forward { (found.more, cursor.is_some()) } else { (true, found.more) };
    let to_next =
        |index| if oldest_first { LogCursor::After(index) } else { LogCursor::Before(index) };
    let to_previous =
        |index| if oldest_first { LogCursor::Before(index) } else { LogCursor::After(index) };
    let (first, last) = (found.events.first(), found.events.last());
    Ok(Page {
        next_cursor: last.filter(|_| has_next).map(|seen| to_next(seen.index).to_string()),
        previous_cursor: first
            .filter(|_| has_previous)
            .map(|seen| to_previous(seen.index).to_string()),
        items: found.events,
    })
}

/// A search with the filter as a tree.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({
    "filter": { "field": "severity", "op": "equals", "value": "error" },
    "order": "newest",
    "limit": 50
}))]
struct EventSearch {
    /// The condition as a tree; absent: everything.
    #[schema(value_type = Option<Object>)]
    filter: Option<Value>,
    /// `newest` (unless told otherwise) or `oldest` first.
    order: Option<String>,
    /// Items of a page, 1 to 1000; 50 unless told otherwise.
    limit: Option<usize>,
    /// From `next_cursor` or `previous_cursor`.
    cursor: Option<String>,
}

/// Search events
///
/// As the list of events, with the filter as a JSON tree.
#[utoipa::path(post, path = "/api/v1/events/search", tag = "events",
    request_body = EventSearch,
    responses((status = 200, description = "A page", body = Page<EventRecord>)))]
async fn search_events(
    State(engine): State<Engine>,
    caller: Caller,
    Json(mut search): Json<EventSearch>,
) -> Result<Json<Page<EventRecord>>, Problem> {
    let filter = match search.filter.take() {
        Some(tree) => Filter::from_json(&tree, engine.event_schema())?,
        None => Filter::All,
    };
    let page = page(&engine, &caller, filter, search).await?;
    Ok(Json(page.map(|seen| EventRecord::from(seen))))
}

/// One event
///
/// A moment after it was recorded, an event is sealed; until then it is not found.
#[utoipa::path(get, path = "/api/v1/events/{id}", tag = "events",
    params(("id" = String, Path, description = "Identifier, or log index"), EventParams),
    responses((status = 200, description = "The event", body = EventRecord)))]
async fn read_event(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    Params(params): Params<EventParams>,
) -> Result<Response, Problem> {
    let dialect = dialect::asked(params.dialect.as_deref())?;
    let seen = find(&engine, &caller, &id).await?;
    Ok(match dialect {
        Some(dialect) => dialect::one(dialect, &seen),
        None => Json(EventRecord::from(&seen)).into_response(),
    })
}

/// How one event is told.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventParams {
    /// Shape of the event: `cloudevents`, `okta`, `ocsf` and so on; absent: our record of it.
    #[param(example = "okta")]
    dialect: Option<String>,
}

/// The event with this identifier or log index.
async fn find(engine: &Engine, caller: &Caller, text: &str) -> Result<SeenEvent, Problem> {
    Ok(match text.parse::<LogIndex>() {
        Ok(index) => engine.event_at(caller.context(), index).await?,
        Err(_) => engine.event(caller.context(), crate::edge::path_of(text)?).await?,
    })
}

/// The sealed bytes of an event
///
/// Its leaf hash is SHA-256 over a zero byte and these bytes (RFC 6962 §2.1).
#[utoipa::path(get, path = "/api/v1/events/{id}/entry", tag = "events",
    params(("id" = String, Path, description = "Identifier, or log index")),
    responses((status = 200, description = "Canonical JSON (RFC 8785), as it was sealed",
        content_type = "application/octet-stream", body = super::wire::Binary)))]
async fn event_entry(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<Response, Problem> {
    let seen = find(&engine, &caller, &id).await?;
    let name = format!("{}.entry.json", seen.index);
    Ok(certificate::file("application/octet-stream", &name, seen.entry))
}

/// The proof of an event
///
/// A C2SP tlog-proof: with the sealed bytes and the log's key, anybody can check off-line that the
/// event is in the log (`chancery verify`).
#[utoipa::path(get, path = "/api/v1/events/{id}/proof", tag = "events",
    params(("id" = String, Path, description = "Identifier, or log index")),
    responses((status = 200, description = "The proof", content_type = "text/plain", body = String)))]
async fn event_proof(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<Response, Problem> {
    let seen = find(&engine, &caller, &id).await?;
    let proof = engine.proof(caller.context(), seen.event.id).await?;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, plain)], proof).into_response())
}

/// Why a personal part is erased.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "ground": "request" }))]
struct Erasure {
    /// On what ground: a word of lower-case letters, digits and `_`, kept in the event of the
    /// erasure.
    ground: String,
}

/// Erase the personal part of an event
///
/// Names and addresses of people go for good; the sealed bytes and every proof stay valid.
#[utoipa::path(post, path = "/api/v1/events/{id}/erase", tag = "events",
    params(("id" = String, Path, description = "Identifier, or log index")),
    request_body = Erasure,
    responses((status = 204, description = "It is gone")))]
async fn erase_event(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    Json(erasure): Json<Erasure>,
) -> Result<StatusCode, Problem> {
    let id = match id.parse::<LogIndex>() {
        Ok(index) => engine.event_at(caller.context(), index).await?.event.id,
        Err(_) => crate::edge::path_of(&id)?,
    };
    engine.erase_personal(caller.context(), id, &erasure.ground).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Headers of an answer that streams.
pub(super) fn streamed(media_type: &'static str, file_name: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    if let Some(name) = file_name
        && let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""))
    {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    headers
}
