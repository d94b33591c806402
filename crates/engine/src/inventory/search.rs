//! Lists of certificates.

use chancery_event::Timestamp;
use chancery_event::cursor::{self, Cursor};
use chancery_event::filter::{Filter, Schema};
use chancery_event::id::CertificateId;
use chancery_store::SqlValue;
use chancery_store::table::attribute::{self, Attribute};
use chancery_store::table::certificate::Certificate;
use chancery_store::table::certificate::search::{Bounds, PageRequest, Search, schema};
use serde_json::Value;

use crate::{Context, Engine, Error, Permission};

pub use chancery_store::table::certificate::search::{Facets, STATUSES, Sort};

/// Certificates on one page at most.
pub const PAGE_MAX: usize = 1_000;
/// Fields that lists offer with counts.
pub const FACETS: [&str; 6] =
    ["status", "key_algorithm", "issuer_cn", "group", "ra_profile", "source"];

/// A search expression with the fields it was parsed with.
#[derive(Clone, Debug)]
pub struct CertificateFilter {
    filter: Filter,
    schema: Schema,
    attributes: Vec<Attribute>,
}

/// Which certificates.
#[derive(Clone, Debug)]
pub struct CertificateQuery {
    /// The filter.
    pub filter: CertificateFilter,
    /// The sort field.
    pub sort: Sort,
    /// Descending.
    pub descending: bool,
    /// Where to continue: [`CertificatePage::next`] or [`CertificatePage::previous`] of a page.
    pub cursor: Option<String>,
    /// Certificates at most; bounded by [`PAGE_MAX`].
    pub limit: usize,
}

/// A page of certificates.
#[derive(Clone, Debug)]
pub struct CertificatePage {
    /// The certificates.
    pub items: Vec<Certificate>,
    /// Where the next page continues, if there is one.
    pub next: Option<String>,
    /// Where the page before it begins, if there is one. It is read backwards from the first row
    /// of this page, so that nothing is skipped or repeated on the way back either.
    pub previous: Option<String>,
}

impl CertificateFilter {
    /// The filter itself.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    fn search(&self, engine: &Engine) -> Search<'_> {
        Search {
            filter: &self.filter,
            schema: &self.schema,
            attributes: &self.attributes,
            now_us: engine.environment().now().micros(),
            bounds: Bounds::default(),
        }
    }
}

impl Engine {
    /// The fields certificates are filtered by, the custom attributes among them.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn certificate_schema(&self) -> Result<Schema, Error> {
        Ok(schema(&attribute::all(&mut self.link().await?).await?))
    }

    /// Reads a search expression for certificates.
    ///
    /// # Errors
    /// It cannot be understood; the error says where and what may have been meant.
    pub async fn parse_certificate_filter(&self, text: &str) -> Result<CertificateFilter, Error> {
        let attributes = attribute::all(&mut self.link().await?).await?;
        let schema = schema(&attributes);
        let filter = Filter::parse(text, &schema)?;
        Ok(CertificateFilter { filter, schema, attributes })
    }

    /// As [`Engine::parse_certificate_filter`], for the JSON spelling.
    ///
    /// # Errors
    /// It cannot be understood; the error says where.
    pub async fn certificate_filter(&self, tree: &Value) -> Result<CertificateFilter, Error> {
        let attributes = attribute::all(&mut self.link().await?).await?;
        let schema = schema(&attributes);
        let filter = Filter::from_json(tree, &schema)?;
        Ok(CertificateFilter { filter, schema, attributes })
    }

    /// A page of certificates. Archived ones are left out unless the filter names `archived`.
    ///
    /// # Errors
    /// The caller may not see certificates, or the cursor is not one of ours.
    pub async fn certificates(
        &self,
        context: &Context,
        query: &CertificateQuery,
    ) -> Result<CertificatePage, Error> {
        context.require(Permission::CertificateRead)?;
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
        let mut items = query.filter.search(self).page(&mut self.link().await?, &request).await?;
        let more = items.len() > limit;
        items.truncate(limit);
        if backwards {
            items.reverse();
        }
        let (is_last, is_first) = if backwards { (false, !more) } else { (!more, !has_begun) };
        let at = |row: Option<&Certificate>, backwards: bool, is_end: bool| {
            row.filter(|_| !is_end).map(|row| cursor_at(row, query.sort, backwards))
        };
        let next = at(items.last(), false, is_last);
        let previous = at(items.first(), true, is_first);
        Ok(CertificatePage { items, next, previous })
    }

    /// How many certificates a filter selects, exactly: it may look at all of them.
    ///
    /// # Errors
    /// The caller may not see certificates.
    pub async fn certificate_count(
        &self,
        context: &Context,
        filter: &CertificateFilter,
    ) -> Result<u64, Error> {
        context.require(Permission::CertificateRead)?;
        Ok(filter.search(self).count(&mut self.link().await?).await?)
    }

    /// Counts of the selected certificates by the values of [`FACETS`].
    ///
    /// # Errors
    /// The caller may not see certificates.
    pub async fn certificate_facets(
        &self,
        context: &Context,
        filter: &CertificateFilter,
    ) -> Result<Facets, Error> {
        context.require(Permission::CertificateRead)?;
        let mut found = filter.search(self).facets(&mut self.link().await?).await?;
        found.groups.sort_by_key(|(field, _)| FACETS.iter().position(|facet| facet == field));
        Ok(found)
    }

    /// How many of the selected certificates end in each span of `width` microseconds; spans
    /// without any are left out. Spans of whole hours that begin with one are counted exactly for
    /// filters of status, end and replacement; other filters may count a sample.
    ///
    /// # Errors
    /// The caller may not see certificates.
    pub async fn certificate_expiries(
        &self,
        context: &Context,
        filter: &CertificateFilter,
        from: Timestamp,
        to: Timestamp,
        width: i64,
    ) -> Result<Vec<(Timestamp, u64)>, Error> {
        context.require(Permission::CertificateRead)?;
        let mut link = self.link().await?;
        Ok(filter.search(self).expiries(&mut link, from, to, width).await?)
    }
}

/// Where a page goes on from a certificate.
fn cursor_at(row: &Certificate, sort: Sort, backwards: bool) -> String {
    let value = match sort.value(row) {
        SqlValue::Int(number) => cursor::Value::Number(number),
        SqlValue::Text(text) => cursor::Value::Text(text),
        _ => cursor::Value::Text(String::new()),
    };
    Cursor { order: sort.as_str().to_owned(), value, id: row.id.to_string(), backwards }.to_string()
}

fn open_cursor(text: &str, sort: Sort) -> Result<(SqlValue, String, bool), Error> {
    let refuse = || Error::invalid("cursor", "it is not a cursor of this list and sort order");
    let cursor: Cursor = text.parse().map_err(|_| refuse())?;
    let id: CertificateId = cursor.id.parse().map_err(|_| refuse())?;
    let is_of_time = matches!(sort, Sort::Expires | Sort::Added);
    let value = match cursor.value {
        cursor::Value::Number(number) if is_of_time => SqlValue::Int(number),
        cursor::Value::Text(text) if !is_of_time => SqlValue::Text(text),
        _ => return Err(refuse()),
    };
    if cursor.order != sort.as_str() {
        return Err(refuse());
    }
    Ok((value, id.to_string(), cursor.backwards))
}
