//! The live stream of events (server-sent events): sealed events by log index, from a cursor.
//!
//! Each stream has its own position and reads the log when it has grown. A slow reader only falls
//! behind for itself: nothing is buffered for it, and nobody waits for it.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use chancery_engine::history::EventQuery;
use chancery_engine::{Engine, Permission};
use chancery_event::filter::Filter;
use chancery_event::id::LogIndex;
use futures::stream::{self, Stream, StreamExt as _};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use utoipa_axum::routes;

use super::Operations;
use super::event::{self, EventRecord};
use crate::edge::streams::Open;
use crate::edge::{AppState, Caller, Params, Problem};

/// Events read at once.
const BATCH: usize = 100;
/// Silence after which a comment is sent, so that proxies keep the connection.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// After this long a stream ends, so that its reader comes back and proves again who they are.
pub(crate) const STREAM_MAX: Duration = Duration::from_secs(15 * 60);

/// Adds the operation.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::EventRead, routes!(stream_events));
}

/// Which events, from where on.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StreamParams {
    /// Condition, such as `severity>=warning`.
    filter: Option<String>,
    /// From this log index on; from now on unless told otherwise. `Last-Event-ID` wins.
    #[param(value_type = Option<u64>)]
    from: Option<u64>,
}

/// Events as they are sealed
///
/// Server-sent events: `id` is the log index, `event` the type, `data` the event as in lists. After
/// a break, send `Last-Event-ID` and nothing is missed; the first frame has an `id` alone. Comments
/// keep the connection alive. Every quarter of an hour the stream ends and has to be asked for
/// again.
#[utoipa::path(get, path = "/api/v1/events/stream", tag = "events",
    params(StreamParams, ("Last-Event-ID" = Option<u64>, Header,
        description = "The last log index that was seen")),
    responses((status = 200, description = "A stream",
        content_type = "text/event-stream", body = String)))]
async fn stream_events(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    Params(params): Params<StreamParams>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let open = state.streams.open(&caller)?;
    let engine = state.engine.clone();
    let filter = event::filter(&engine, params.filter.as_deref())?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let next = match last {
        Some(text) => text
            .trim()
            .parse::<u64>()
            .map(|last| last.saturating_add(1))
            .map_err(|_| Problem::malformed("Last-Event-ID is no log index"))?,
        None => params.from.unwrap_or_else(|| *engine.sealed().borrow()),
    };
    // Behind the end of the log: it is another one, or one that was put back from a backup. Waiting
    // there would be silence.
    let size = engine.log_checkpoint().await?.map_or(0, |checkpoint| checkpoint.size);
    if next > size.max(*engine.sealed().borrow()) {
        let field = if last.is_some() { "Last-Event-ID" } else { "from" };
        return Err(Problem::invalid(field, format!("the log ends before {size}; begin anew")));
    }
    let reader = Reader {
        sealed: engine.sealed(),
        engine,
        caller,
        filter,
        next,
        batch: Vec::new(),
        until: Instant::now() + STREAM_MAX,
        _open: open,
    };
    let begin = stream::iter(beginning(next).map(Ok));
    let events = stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok(event), reader))
    });
    Ok(Sse::new(begin.chain(events)).keep_alive(KeepAlive::new().interval(HEARTBEAT).text("alive")))
}

/// What a stream begins with: an identifier and nothing else, so that a reader who is cut off
/// before the first event goes on where the stream began.
pub(crate) fn beginning(next: u64) -> Option<Event> {
    Some(Event::default().id(next.checked_sub(1)?.to_string()))
}

/// One stream: where it is, and what it has read ahead (in reverse order).
struct Reader {
    engine: Engine,
    caller: Caller,
    filter: Filter,
    sealed: watch::Receiver<u64>,
    /// The first index that was not looked at.
    next: u64,
    batch: Vec<EventRecord>,
    until: Instant,
    _open: Open,
}

impl Reader {
    /// The next event; `None` ends the stream: its time is over, its reader may read no longer, the
    /// server stops, or the store cannot be read.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(record) = self.batch.pop() {
                return record.to_sse();
            }
            if Instant::now() >= self.until {
                return None;
            }
            let size = *self.sealed.borrow_and_update();
            if self.next < size {
                self.read(size).await.ok()?;
            } else {
                timeout_at(self.until, self.sealed.changed()).await.ok()?.ok()?;
            }
        }
    }

    /// Reads ahead, up to the sealed size that was seen before: what is sealed meanwhile is read
    /// in the next round.
    async fn read(&mut self, size: u64) -> Result<(), chancery_engine::Error> {
        let query = EventQuery {
            filter: self.filter.clone(),
            before: Some(LogIndex(size)),
            from: Some(LogIndex(self.next)),
            limit: BATCH,
            oldest_first: true,
        };
        // Who was shut out or demoted since it began reads no further.
        let context = self.engine.as_of_now(self.caller.context()).await?;
        let page = self.engine.events(&context, query).await?;
        self.next = match page.events.last() {
            Some(last) if page.more => last.index.0 + 1,
            _ => size,
        };
        self.batch = page.events.iter().rev().map(EventRecord::from).collect();
        Ok(())
    }
}
