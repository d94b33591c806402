//! `?dialect=`: events in the shape of another system, instead of our records.
//!
//! What a reader may not see is gone from the event before it comes here; a dialect can only leave
//! more out.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use chancery_engine::history::SeenEvent;
use chancery_event::dialect::Rendered;
use chancery_event::{Dialect, Shown};

use crate::edge::Problem;

/// The dialect that is asked for, if one is.
pub(crate) fn asked(name: Option<&str>) -> Result<Option<Dialect>, Problem> {
    name.map(Dialect::named).transpose().map_err(|error| {
        let mut problem = Problem::malformed(error.to_string());
        problem.field = Some("dialect".into());
        problem
    })
}

/// The event as it was seen, for a renderer.
pub(crate) fn shown(seen: &SeenEvent) -> Shown<'_> {
    Shown::sealed(&seen.event, seen.index)
}

/// One event as an answer; CloudEvents in binary mode have their attributes in the headers.
pub(super) fn one(dialect: Dialect, seen: &SeenEvent) -> Response {
    answer(dialect.render(shown(seen)))
}

/// A page of events as an answer.
pub(super) fn batch(dialect: Dialect, events: &[SeenEvent]) -> Response {
    let batch: Vec<Shown<'_>> = events.iter().map(shown).collect();
    answer(dialect.render_batch(&batch))
}

/// One event as a line of an export.
pub(super) fn line(dialect: Dialect, seen: &SeenEvent, out: &mut Vec<u8>) {
    out.extend_from_slice(&dialect.render(shown(seen)).bytes);
    out.push(b'\n');
}

fn answer(rendered: Rendered) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(rendered.media_type));
    for (name, value) in rendered.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
            headers.insert(name, value);
        }
    }
    (headers, rendered.bytes).into_response()
}
