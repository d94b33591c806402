//! Pages of lists: `{items, next_cursor, previous_cursor}` and a `Link` header (RFC 8288).

use std::str::FromStr;

use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use chancery_event::Timestamp;
use chancery_event::cursor::{self, Cursor, CursorError};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::edge::{Json, Problem};

/// Items of a page unless asked for otherwise.
pub(super) const LIMIT_DEFAULT: usize = 50;
/// Items of a page at most.
pub(super) const LIMIT_MAX: usize = 1_000;

/// How many items are asked for.
pub(super) fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked.unwrap_or(LIMIT_DEFAULT) {
        limit @ 1..=LIMIT_MAX => Ok(limit),
        _ => Err(Problem::invalid("limit", format!("between 1 and {LIMIT_MAX}"))),
    }
}

/// The same as a parameter of the query reads it.
pub(super) fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<usize>, D::Error> {
    let refused = |_| D::Error::custom(format!("a whole number from 1 to {LIMIT_MAX}"));
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| text.parse().map_err(refused)).transpose()
}

/// What a list that is read whole can be narrowed by, and which page of it.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FilterParams {
    /// Condition, in the language of the search boxes; everything unless told otherwise.
    filter: Option<String>,
    /// Items of a page, 1 to 1,000; all of them unless told otherwise.
    #[serde(deserialize_with = "number")]
    limit: Option<usize>,
    /// Where to go on: `next_cursor` or `previous_cursor` of an answer.
    cursor: Option<String>,
}

impl FilterParams {
    /// The condition; everything where none is told.
    pub(super) fn filter(&self) -> &str {
        self.filter.as_deref().unwrap_or_default()
    }

    /// The page that is asked for of all that fit, in the order of their places. A cursor names the
    /// place that a page goes on from, whether or not somebody is there still: what is made or
    /// deleted meanwhile neither skips nor repeats anything else.
    pub(super) fn page<T>(
        &self,
        items: impl IntoIterator<Item = T>,
        place: impl Fn(&T) -> Place,
    ) -> Result<Page<T>, Problem> {
        let mut all: Vec<(Place, T)> = items.into_iter().map(|item| (place(&item), item)).collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        let from = match self.cursor.as_deref().unwrap_or_default() {
            "" => None,
            text => Some(open_cursor(text)?),
        };
        let length = match self.limit {
            Some(asked) => limit(Some(asked))?,
            None => all.len(),
        };
        let (start, end) = match &from {
            None => (0, length),
            Some((last, false)) => {
                let start = all.partition_point(|(place, _)| place <= last);
                (start, start.saturating_add(length))
            }
            Some((first, true)) => {
                let end = all.partition_point(|(place, _)| place < first);
                (end.saturating_sub(length), end)
            }
        };
        let end = end.min(all.len());
        let (has_next, has_previous) = (end < all.len(), start > 0);
        all.truncate(end);
        let shown = all.split_off(start);
        let (first, last) = (shown.first(), shown.last());
        let previous = first.filter(|_| has_previous).map(|(place, _)| place.clone());
        let next = last.filter(|_| has_next).map(|(place, _)| place.clone());
        Ok(Page {
            next_cursor: next.map(|place| cursor_at(place, false)),
            previous_cursor: previous.map(|place| cursor_at(place, true)),
            items: shown.into_iter().map(|(_, item)| item).collect(),
        })
    }
}

/// What a list is ordered by: no two items have the same, and an item keeps its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(String);

impl Place {
    /// By a name that is one's own.
    pub(super) fn named(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The newest first.
    pub(super) fn newest_first(made_at: Timestamp, id: &str) -> Self {
        Self(format!("{:020} {id}", i64::MAX - made_at.micros().max(0)))
    }
}

/// The cursor of a place; its way is before the place or behind it.
fn cursor_at(Place(place): Place, backwards: bool) -> String {
    let value = cursor::Value::Text(place);
    Cursor { order: String::new(), value, id: String::new(), backwards }.to_string()
}

/// What a page goes on from: a place, and whether the page before it is meant.
fn open_cursor(text: &str) -> Result<(Place, bool), Problem> {
    let cursor: Cursor = text.parse().map_err(no_cursor)?;
    match cursor.value {
        cursor::Value::Text(place) => Ok((Place(place), cursor.backwards)),
        cursor::Value::Number(_) => Err(no_cursor(CursorError)),
    }
}

/// What asks for a page behind something that no answer named.
pub(super) fn no_cursor(error: CursorError) -> Problem {
    Problem::invalid("cursor", error)
}

/// The cursor of a list that is ordered by time, and by identifier among those of one time.
pub(super) fn timed(at: Timestamp, id: impl ToString) -> String {
    let value = cursor::Value::Number(at.micros());
    Cursor { order: String::new(), value, id: id.to_string(), backwards: false }.to_string()
}

/// What such a cursor names; an empty one is none.
pub(super) fn open_timed<I: FromStr>(
    cursor: Option<&str>,
) -> Result<Option<(Timestamp, I)>, Problem> {
    let Some(text) = cursor.filter(|text| !text.is_empty()) else { return Ok(None) };
    let cursor: Cursor = text.parse().map_err(no_cursor)?;
    match (cursor.value, cursor.id.parse()) {
        (cursor::Value::Number(micros), Ok(id)) => Ok(Some((Timestamp::from_micros(micros), id))),
        _ => Err(no_cursor(CursorError)),
    }
}

/// One page of a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Page<T> {
    /// What is on this page.
    pub(super) items: Vec<T>,
    /// Send it as `cursor` to get the page after this one; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_cursor: Option<String>,
    /// The same for the page before this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) previous_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A list that is one page.
    pub(super) fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None, previous_cursor: None }
    }
}

impl<T> Page<T> {
    /// The same page with each item told in another way.
    pub(super) fn map<U>(self, tell: impl Fn(&T) -> U) -> Page<U> {
        let Self { items, next_cursor, previous_cursor } = self;
        Page { items: items.iter().map(tell).collect(), next_cursor, previous_cursor }
    }

    /// Links to the neighbours of this page.
    pub(super) fn links(&self, uri: &Uri) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let neighbours = [("next", &self.next_cursor), ("prev", &self.previous_cursor)];
        for (relation, cursor) in neighbours {
            let Some(cursor) = cursor else { continue };
            let link = format!("<{}>; rel=\"{relation}\"", with_cursor(uri, cursor));
            if let Ok(value) = HeaderValue::from_str(&link) {
                headers.append(header::LINK, value);
            }
        }
        headers
    }
}

impl<T: Serialize> Page<T> {
    /// The answer, with links to the neighbours of this page.
    pub(super) fn answer(self, uri: &Uri) -> Response {
        (self.links(uri), Json(self)).into_response()
    }
}

/// The same address at another cursor. Cursors are of unreserved characters.
fn with_cursor(uri: &Uri, cursor: &str) -> String {
    let kept: Vec<&str> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && *pair != "cursor" && !pair.starts_with("cursor="))
        .collect();
    let joint = if kept.is_empty() { "" } else { "&" };
    format!("{}?{}{joint}cursor={cursor}", uri.path(), kept.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_keep_the_rest_of_the_query() {
        let check = |uri: &str, expected: &str| {
            assert_eq!(with_cursor(&uri.parse().unwrap(), "c1"), expected);
        };
        check("/a", "/a?cursor=c1");
        check("/a?limit=5&cursor=old&filter=x%20y", "/a?limit=5&filter=x%20y&cursor=c1");
        check("/a?cursors=1", "/a?cursors=1&cursor=c1");
    }

    #[test]
    fn limits_are_bounded() {
        assert_eq!(limit(None).unwrap(), 50);
        assert_eq!(limit(Some(1000)).unwrap(), 1000);
        assert!(limit(Some(0)).is_err());
        assert!(limit(Some(1001)).is_err());
    }
}
