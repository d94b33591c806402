//! Lists of alerts, and what a reader may see of one.

use std::borrow::Cow;
use std::collections::HashMap;

use chancery_event::Timestamp;
use chancery_event::cursor::{Cursor, Value};
use chancery_event::filter::{Filter, Schema};
use chancery_event::id::{AccountId, AlertId};
use chancery_store::Link;
use chancery_store::table::account;
use chancery_store::table::alert::search::{PageRequest, Search, schema};
use chancery_store::table::alert::{self, Alert, mark};

use crate::{Context, Engine, Error, Permission};

pub use chancery_store::table::alert::search::Sort;

/// Alerts on one page at most.
pub const PAGE_MAX: usize = 1_000;
/// Alerts about one object that are shown with it.
const ABOUT_MAX: usize = 20;

/// A search expression for alerts.
#[derive(Clone, Debug)]
pub struct AlertFilter {
    filter: Filter,
    schema: Schema,
}

/// Which alerts.
#[derive(Clone, Debug)]
pub struct AlertQuery {
    /// The filter.
    pub filter: AlertFilter,
    /// The sort field.
    pub sort: Sort,
    /// Descending.
    pub descending: bool,
    /// Where to continue: [`AlertPage::next`] or [`AlertPage::previous`] of a page.
    pub cursor: Option<String>,
    /// Alerts at most; bounded by [`PAGE_MAX`].
    pub limit: usize,
}

/// An alert as one reader sees it.
#[derive(Clone, Debug)]
pub struct ShownAlert {
    /// The alert; without its message where that may be about a person and the reader may not see
    /// such things.
    pub alert: Alert,
    /// The reader has not read it.
    pub unread: bool,
    /// The message was left out.
    pub withheld: bool,
    /// Login names of accounts that occur in it, as they are now.
    pub names: HashMap<AccountId, String>,
}

/// A page of alerts.
#[derive(Clone, Debug)]
pub struct AlertPage {
    /// The alerts.
    pub items: Vec<ShownAlert>,
    /// Where the next page continues, if there is one.
    pub next: Option<String>,
    /// Where the page before it begins, if there is one.
    pub previous: Option<String>,
}

impl AlertFilter {
    /// The filter itself.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// A filter over the fields of alerts.
    pub(crate) fn of(filter: Filter) -> Self {
        Self { filter, schema: schema() }
    }

    /// The same of what the caller may see.
    pub(super) async fn in_sight(
        &self,
        engine: &Engine,
        context: &Context,
    ) -> Result<Cow<'_, Self>, Error> {
        Ok(match engine.alert_scope(context).await? {
            None => Cow::Borrowed(self),
            Some(scope) => Cow::Owned(Self::of(Filter::And(vec![scope, self.filter.clone()]))),
        })
    }

    pub(crate) fn search(&self, engine: &Engine, context: &Context) -> Search<'_> {
        Search {
            filter: &self.filter,
            schema: &self.schema,
            reader: context.account_id(),
            now_us: engine.environment().now().micros(),
        }
    }
}

impl ShownAlert {
    /// Login name of an account that occurs in the alert; its identifier when it is gone.
    pub fn name_of(&self, id: AccountId) -> String {
        self.names.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// The word of the reference for its severity: `ERROR`, `WARN` or `INFO`.
    pub fn level(&self) -> &'static str {
        match self.alert.severity.as_str() {
            "critical" | "error" => "ERROR",
            "warning" => "WARN",
            _ => "INFO",
        }
    }
}

impl Engine {
    /// The fields alerts are filtered by.
    pub fn alert_schema(&self) -> Schema {
        schema()
    }

    /// Reads a search expression for alerts.
    ///
    /// # Errors
    /// It cannot be understood; the error says where and what may have been meant.
    pub fn parse_alert_filter(&self, text: &str) -> Result<AlertFilter, Error> {
        Ok(AlertFilter::of(Filter::parse(text, &schema())?))
    }

    /// A page of alerts. Resolved ones are left out unless the filter names `state` or `resolved`.
    ///
    /// # Errors
    /// The caller may not see alerts, or the cursor is not one of ours.
    pub async fn alerts(&self, context: &Context, query: &AlertQuery) -> Result<AlertPage, Error> {
        context.require(Permission::AlertRead)?;
        let limit = query.limit.clamp(1, PAGE_MAX);
        let place =
            query.cursor.as_deref().map(|text| open_cursor(text, query.sort)).transpose()?;
        let (has_begun, backwards) = (place.is_some(), place.as_ref().is_some_and(|p| p.2));
        let request = PageRequest {
            sort: query.sort,
            descending: query.descending != backwards,
            after: place.map(|(value, id, _)| (value, id)),
            limit: limit + 1,
        };
        let filter = query.filter.in_sight(self, context).await?;
        let mut link = self.link().await?;
        let mut rows = filter.search(self, context).page(&mut link, &request).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        if backwards {
            rows.reverse();
        }
        let (is_last, is_first) = if backwards { (false, !more) } else { (!more, !has_begun) };
        let next = rows.last().filter(|_| !is_last).map(|row| cursor_at(row, query.sort, false));
        let previous =
            rows.first().filter(|_| !is_first).map(|row| cursor_at(row, query.sort, true));
        Ok(AlertPage { items: shown(&mut link, context, rows).await?, next, previous })
    }

    /// One alert.
    ///
    /// # Errors
    /// There is none with this identifier.
    pub async fn alert(&self, context: &Context, id: AlertId) -> Result<ShownAlert, Error> {
        context.require(Permission::AlertRead)?;
        let sight = self.alerts_in_sight(context, &[id]).await?;
        let mut link = self.link().await?;
        let found = alert::find(&mut link, id).await?.filter(|_| sight.contains(&id));
        let row = found.ok_or_else(|| Error::not_found("alert", id))?;
        let mut items = shown(&mut link, context, vec![row]).await?;
        items.pop().ok_or_else(|| Error::not_found("alert", id))
    }

    /// The newest alerts about an object, resolved ones too.
    ///
    /// # Errors
    /// The caller may not see alerts.
    pub async fn alerts_about(
        &self,
        context: &Context,
        object_id: &str,
    ) -> Result<Vec<ShownAlert>, Error> {
        context.require(Permission::AlertRead)?;
        let mut rows = alert::about(&mut self.link().await?, object_id, ABOUT_MAX).await?;
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let sight = self.alerts_in_sight(context, &ids).await?;
        rows.retain(|row| sight.contains(&row.id));
        shown(&mut self.link().await?, context, rows).await
    }

    /// How many alerts a filter selects.
    ///
    /// # Errors
    /// The caller may not see alerts.
    pub async fn alert_count(&self, context: &Context, filter: &AlertFilter) -> Result<u64, Error> {
        context.require(Permission::AlertRead)?;
        let filter = filter.in_sight(self, context).await?;
        Ok(filter.search(self, context).count(&mut self.link().await?).await?)
    }

    /// Counts of the selected alerts by the values of [`super::FACETS`].
    ///
    /// # Errors
    /// The caller may not see alerts.
    pub async fn alert_facets(
        &self,
        context: &Context,
        filter: &AlertFilter,
    ) -> Result<Vec<(&'static str, Vec<(String, u64)>)>, Error> {
        context.require(Permission::AlertRead)?;
        let filter = filter.in_sight(self, context).await?;
        Ok(filter.search(self, context).facets(&mut self.link().await?).await?)
    }

    /// How many of the selected alerts were raised in each span of `width` microseconds; spans
    /// without any are left out.
    ///
    /// # Errors
    /// The caller may not see alerts.
    pub async fn alert_times(
        &self,
        context: &Context,
        filter: &AlertFilter,
        from: Timestamp,
        to: Timestamp,
        width: i64,
    ) -> Result<Vec<(Timestamp, u64)>, Error> {
        context.require(Permission::AlertRead)?;
        let filter = filter.in_sight(self, context).await?;
        let search = filter.search(self, context);
        Ok(search.raised(&mut self.link().await?, from, to, width).await?)
    }

    /// How many alerts that are neither resolved nor snoozed the caller has not read, counted up to
    /// `most`; 0 for callers without an account.
    ///
    /// # Errors
    /// The caller may not see alerts.
    pub async fn unread_alerts(&self, context: &Context, most: u64) -> Result<u64, Error> {
        context.require(Permission::AlertRead)?;
        let Some(own) = context.account_id() else { return Ok(0) };
        if !self.sees_all_events(context).await? {
            let unread = self.parse_alert_filter("unread:true state:open,acknowledged")?;
            return Ok(self.alert_count(context, &unread).await?.min(most));
        }
        Ok(mark::unread_count(&mut self.link().await?, own, most).await?)
    }
}

async fn shown(
    link: &mut Link,
    context: &Context,
    rows: Vec<Alert>,
) -> Result<Vec<ShownAlert>, Error> {
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let unread = match context.account_id() {
        Some(own) => mark::unread_among(link, own, &ids).await?,
        None => ids,
    };
    let personal = context.may(Permission::PersonalRead);
    let mut known: HashMap<AccountId, String> = HashMap::new();
    let mut items = Vec::with_capacity(rows.len());
    for mut row in rows {
        let mut names = HashMap::new();
        let by = row.acknowledged.map(|(by, _)| by);
        for id in
            by.into_iter().chain(row.assigned_to).chain(row.assigned_by).chain(row.resolved_by)
        {
            if !known.contains_key(&id)
                && let Some(found) = account::find(link, id).await?
            {
                known.insert(id, found.name);
            }
            names.extend(known.get(&id).map(|name| (id, name.clone())));
        }
        let withheld = row.message_private && !personal && !row.message.is_empty();
        if withheld {
            row.message.clear();
        }
        let unread = unread.contains(&row.id);
        items.push(ShownAlert { alert: row, unread, withheld, names });
    }
    Ok(items)
}

/// Where a page goes on from an alert.
fn cursor_at(row: &Alert, sort: Sort, backwards: bool) -> String {
    let value = Value::Number(sort.value(row));
    Cursor { order: sort.as_str().to_owned(), value, id: row.id.to_string(), backwards }.to_string()
}

/// Value, identifier, and whether the page before is meant.
fn open_cursor(text: &str, sort: Sort) -> Result<(i64, String, bool), Error> {
    let refuse = || Error::invalid("cursor", "it is not a cursor of this list and sort order");
    let cursor: Cursor = text.parse().map_err(|_| refuse())?;
    let id: AlertId = cursor.id.parse().map_err(|_| refuse())?;
    match cursor.value {
        Value::Number(value) if cursor.order == sort.as_str() => {
            Ok((value, id.to_string(), cursor.backwards))
        }
        _ => Err(refuse()),
    }
}
