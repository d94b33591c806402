//! Pages of lists: `{items, next_cursor, previous_cursor}` and a `Link` header (RFC 8288).

use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

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

/// What a list that is read whole can be narrowed by, and which page of it.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FilterParams {
    /// Condition, in the language of the search boxes; everything unless told otherwise.
    filter: Option<String>,
    /// Items of a page, 1 to 1,000; all of them unless told otherwise.
    limit: Option<usize>,
    /// Where to go on: `next_cursor` or `previous_cursor` of an answer.
    cursor: Option<String>,
}

impl FilterParams {
    /// The condition; everything where none is told.
    pub(super) fn filter(&self) -> &str {
        self.filter.as_deref().unwrap_or_default()
    }

    /// The page that is asked for of all that fit. A cursor is the place in the list, which is by
    /// name: what is made or deleted meanwhile moves the others.
    pub(super) fn page<T>(&self, items: impl IntoIterator<Item = T>) -> Result<Page<T>, Problem> {
        let start = match self.cursor.as_deref().unwrap_or_default() {
            "" => 0,
            text => text
                .parse::<usize>()
                .map_err(|_| Problem::invalid("cursor", "take it from the answer before"))?,
        };
        let Some(asked) = self.limit else {
            return Ok(Page::whole(items.into_iter().skip(start).collect()));
        };
        let length = limit(Some(asked))?;
        let mut left = items.into_iter().skip(start);
        let items: Vec<T> = left.by_ref().take(length).collect();
        let end = start + items.len();
        Ok(Page {
            items,
            next_cursor: left.next().map(|_| end.to_string()),
            previous_cursor: (start > 0).then(|| start.saturating_sub(length).to_string()),
        })
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
