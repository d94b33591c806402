//! The live tail of the list of events: rows as server-sent events, from a log index on; and word
//! that alerts have changed, for the bell and the list of alerts.
//!
//! Every stream has its own position: a slow reader falls behind for itself alone, and after a
//! break `Last-Event-ID` brings it back to where it was.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use chancery_engine::history::{EventQuery, SeenEvent};
use chancery_engine::{Error, Permission};
use chancery_event::LogIndex;
use chancery_event::filter::Filter;
use futures::stream::{self, Stream, StreamExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::shell::Shell;
use super::{GET, event_row};
use crate::api::{STREAM_MAX, beginning};
use crate::edge::streams::Open;
use crate::edge::{Access, Problem, Routes};
use crate::ui;

/// Events read at once.
const BATCH: usize = 100;
/// Silence after which a comment is sent, so that proxies keep the connection.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub(super) fn add(routes: &mut Routes) {
    routes.add(GET, "/events/live", Access::Session(Permission::EventRead), rows);
    routes.add(GET, "/alerts/live", Access::Session(Permission::AlertRead), alerts);
}

/// Where a stream begins: behind what a broken one told last, where the page that opens it ends, or
/// now; with what tells of growth from there on.
fn beginning_of(shell: &Shell, headers: &HeaderMap) -> (u64, watch::Receiver<u64>) {
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    let sealed = shell.engine().sealed();
    let size = *sealed.borrow();
    let asked = seen.map(|index| index.saturating_add(1)).or(shell.address.parsed("from"));
    (asked.unwrap_or(size).min(size), sealed)
}

/// Says `alerts` whenever events about alerts are sealed; what has changed the page asks for itself.
async fn alerts(shell: Shell, headers: HeaderMap) -> Response {
    let filter = match shell.engine().parse_event_filter("type:alert.*") {
        Ok(filter) => filter,
        Err(error) => return Problem::from(error).into_response(),
    };
    let open = match shell.state.streams.open(&shell.caller) {
        Ok(open) => open,
        Err(problem) => return problem.into_response(),
    };
    let (next, sealed) = beginning_of(&shell, &headers);
    let until = Instant::now() + STREAM_MAX;
    let batch = VecDeque::new();
    let reader = Reader { next, sealed, filter, shell, until, batch, _open: open };
    let events = stream::unfold(reader, |mut reader| async move {
        let size = reader.changed().await?;
        let last = size.saturating_sub(1).to_string();
        let event = Event::default().event("alerts").id(last).data("changed");
        Some((Ok::<Event, Infallible>(event), reader))
    });
    streamed(next, events)
}

async fn rows(shell: Shell, headers: HeaderMap) -> Response {
    let text = shell.address.value("q").unwrap_or_default();
    let filter = match shell.engine().parse_event_filter(text) {
        Ok(filter) => filter,
        Err(error) => return Problem::from(error).into_response(),
    };
    let open = match shell.state.streams.open(&shell.caller) {
        Ok(open) => open,
        Err(problem) => return problem.into_response(),
    };
    let (next, sealed) = beginning_of(&shell, &headers);
    let reader = Reader {
        next,
        sealed,
        filter,
        shell,
        until: Instant::now() + STREAM_MAX,
        batch: VecDeque::new(),
        _open: open,
    };
    let events = stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok::<Event, Infallible>(event), reader))
    });
    streamed(next, events)
}

fn streamed(
    next: u64,
    events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static,
) -> Response {
    let events = stream::iter(beginning(next).map(Ok)).chain(events);
    let mut response =
        Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response();
    let plain = HeaderValue::from_static("no");
    response.headers_mut().insert("x-accel-buffering", plain);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

struct Reader {
    shell: Shell,
    filter: Filter,
    sealed: watch::Receiver<u64>,
    /// The first index that was not looked at.
    next: u64,
    /// When the stream ends.
    until: Instant,
    batch: VecDeque<SeenEvent>,
    _open: Open,
}

impl Reader {
    /// Waits until something fits; answers the size of the log then. `None` ends the stream.
    async fn changed(&mut self) -> Option<u64> {
        loop {
            let size = *self.sealed.borrow_and_update();
            while self.next < size && Instant::now() < self.until {
                self.read(size).await.ok()?;
                if !self.batch.is_empty() {
                    // One word stands for everything up to here.
                    self.batch.clear();
                    self.next = size;
                    return Some(size);
                }
            }
            self.grown().await?;
        }
    }

    /// The next row; `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(seen) = self.batch.pop_front() {
                let row = ui::data_row(&event_row::columns(), &event_row::row(&seen));
                let event = Event::default().event("row").id(seen.index.to_string());
                return Some(event.data(row.into_string()));
            }
            let size = *self.sealed.borrow_and_update();
            if Instant::now() >= self.until {
                return None;
            } else if self.next < size {
                self.read(size).await.ok()?;
            } else {
                self.grown().await?;
            }
        }
    }

    /// Waits until the log has grown; `None` when the stream has lasted long enough.
    async fn grown(&mut self) -> Option<()> {
        timeout_at(self.until, self.sealed.changed()).await.ok()?.ok()
    }

    async fn read(&mut self, size: u64) -> Result<(), Error> {
        let query = EventQuery {
            filter: self.filter.clone(),
            before: Some(LogIndex(size)),
            from: Some(LogIndex(self.next)),
            limit: BATCH,
            oldest_first: true,
        };
        // Who was signed out since it began reads no further.
        let context = self.shell.engine().as_of_now(self.shell.context()).await?;
        let page = self.shell.engine().events(&context, query).await?;
        self.next = match page.events.last() {
            Some(last) if page.more => last.index.0 + 1,
            _ => size,
        };
        self.batch = page.events.into();
        Ok(())
    }
}
