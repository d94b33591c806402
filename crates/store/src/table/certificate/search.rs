//! Searching the inventory: fields, pages, facets, expiry histogram.
//!
//! Pages go by the value of the sort field and the identifier, so that nothing is skipped or
//! repeated while others write.
//!
//! Read in this order: `columns` (where fields are stored), `plan` (a filter taken apart), `source`
//! (where a search begins), `parts` (the same where a test looks within texts), this file (pages),
//! `counts`.

mod columns;
mod counts;
mod object;
mod parts;
mod plan;
mod source;

pub use counts::Facets;
pub use object::Searchable;

use std::collections::HashSet;

use chancery_event::filter::{Field, FieldKind, Filter, Keywords, Schema};
use chancery_event::id::CertificateId;

use self::plan::{Plan, Statement};
use self::source::Source;
use super::{COLUMNS, Certificate, read};
use crate::table::attribute::Attribute;
use crate::{Error, Link, SqlValue, value};

/// Statuses a certificate can have.
pub const STATUSES: [&str; 9] = [
    "valid",
    "expiring",
    "expired",
    "not_yet_valid",
    "invalid",
    "untrusted",
    "incomplete",
    "revoked",
    "unknown",
];

/// The fields certificates are filtered by, the custom attributes among them.
pub fn schema(attributes: &[Attribute]) -> Schema {
    let text = |name: &str, doc: &str| Field::new(name, FieldKind::Text, doc);
    let keyword =
        |name: &str, doc: &str| Field::new(name, FieldKind::Keyword(Keywords::open()), doc);
    let flag = |name: &str, doc: &str| Field::new(name, FieldKind::Boolean, doc);
    let time = |name: &str, doc: &str| Field::new(name, FieldKind::Timestamp, doc);
    let fields = vec![
        Field::new("status", FieldKind::Keyword(Keywords::known(STATUSES)), "Validation status")
            .facet()
            .sortable(),
        time("expires", "End of validity").alias("not_after").sortable(),
        time("issued", "Start of validity").alias("not_before"),
        time("added", "When it entered the inventory").sortable(),
        keyword("name", "A name it is for: DNS name, address, e-mail address").alias("san"),
        text("cn", "Common name of the subject"),
        text("subject", "Subject, as RFC 4514 text").sortable(),
        text("issuer", "Issuer, as RFC 4514 text"),
        text("issuer_cn", "Common name of the issuer").facet(),
        keyword("serial", "Serial number, hexadecimal"),
        keyword("fingerprint", "SHA-256 of its bytes, hexadecimal").alias("sha256"),
        keyword("sha1", "SHA-1 of its bytes, hexadecimal"),
        keyword("spki", "SHA-256 of its public key, hexadecimal"),
        Field::new("id", FieldKind::Id, "Identifier in the inventory"),
        text("key_algorithm", "Such as RSA or EC P-256").alias("key").facet(),
        Field::new("key_size", FieldKind::Integer, "Size of the key, in bits"),
        text("signature_algorithm", "Such as ecdsa-with-SHA256"),
        text("key_usage", "Permitted uses of the key"),
        text("eku", "Extended key usages"),
        flag("ca", "It may issue certificates"),
        flag("trust_anchor", "Chains may end here").alias("anchor"),
        flag("demo", "Made by the demonstration"),
        flag("archived", "Put away; left out unless asked for"),
        flag("replaced", "Another certificate takes its place"),
        keyword("owner", "Login name of who answers for it"),
        text("group", "A group it is in").facet(),
        text("ra_profile", "Its RA profile").alias("profile").facet(),
        text("path", "Its folder, such as /prod/web").alias("folder").facet(),
        keyword("source", "upload, import or demo").facet(),
    ];
    Schema::new("certificate", fields).with_fields(attributes.iter().map(attribute_field))
}

fn attribute_field(attribute: &Attribute) -> Field {
    let kind = match attribute.kind.as_str() {
        "integer" | "decimal" => FieldKind::Decimal,
        "boolean" => FieldKind::Boolean,
        "date" | "datetime" => FieldKind::Timestamp,
        _ => FieldKind::Text,
    };
    Field::new(format!("attribute.{}", attribute.name), kind, attribute.label.clone())
}

/// How a list is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// By the end of validity.
    Expires,
    /// By when it entered the inventory.
    Added,
    /// By subject.
    Subject,
    /// By status.
    Status,
}

impl Sort {
    /// The sort that `text` spells.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "expires" => Self::Expires,
            "added" => Self::Added,
            "subject" => Self::Subject,
            "status" => Self::Status,
            _ => return None,
        })
    }

    /// The one spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expires => "expires",
            Self::Added => "added",
            Self::Subject => "subject",
            Self::Status => "status",
        }
    }

    fn column(self) -> &'static str {
        match self {
            Self::Expires => "c.not_after",
            Self::Added => "c.created_at",
            Self::Subject => "c.subject_dn",
            Self::Status => "c.status",
        }
    }

    /// The column in an expression that no index serves.
    fn apart(self) -> &'static str {
        match self {
            Self::Expires => "(c.not_after + 0)",
            Self::Added => "(c.created_at + 0)",
            Self::Subject => "(c.subject_dn || '')",
            Self::Status => "(c.status || '')",
        }
    }

    /// The value of a row that a following page continues from.
    pub fn value(self, row: &Certificate) -> SqlValue {
        match self {
            Self::Expires => row.not_after.into(),
            Self::Added => row.created_at.into(),
            Self::Subject => (&row.subject_dn).into(),
            Self::Status => (&row.status).into(),
        }
    }
}

/// Which page of certificates.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// The sort field.
    pub sort: Sort,
    /// Descending.
    pub descending: bool,
    /// Continue behind this value and identifier.
    pub after: Option<(SqlValue, String)>,
    /// Rows at most.
    pub limit: usize,
}

/// A filter with what it needs to be run.
pub struct Search<'a> {
    /// The filter.
    pub filter: &'a Filter,
    /// The fields it was parsed with.
    pub schema: &'a Schema,
    /// The attributes of that schema.
    pub attributes: &'a [Attribute],
    /// The present, microseconds since the Unix epoch.
    pub now_us: i64,
    /// What is few and what is many.
    pub bounds: Bounds,
}

/// When a page is found by which way; the pages are the same.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// A source that names fewer certificates than this is used at once; none is asked for more.
    pub many: u64,
    /// Certificates at the place of a page that are looked at before a source is used that names
    /// many: a filter that selects many of them is answered there.
    pub near: u64,
    /// Of sources that name many, one that names fewer than this is used rather than the order.
    pub too_many: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { many: 2_000, near: 10_000, too_many: 200_000 }
    }
}

/// A place between two certificates of a list: value of the sort field, identifier.
type Place = (SqlValue, String);

impl Search<'_> {
    /// A page of certificates.
    ///
    /// # Errors
    /// The filter does not fit the schema, or the store cannot be read.
    pub async fn page(
        &self,
        link: &mut Link,
        request: &PageRequest,
    ) -> Result<Vec<Certificate>, Error> {
        let Bounds { many, near, too_many } = self.bounds;
        let plan = Plan::new(self, link).await?;
        if plan.is_void || request.limit == 0 {
            return Ok(Vec::new());
        }
        let sources = plan.sources();
        let few = plan.fewest(link, &sources, many).await?;
        if let Some((source, named)) = few
            && named < many
        {
            return self.found(&plan, link, source, request).await;
        }
        if sources.is_empty() {
            return self.walk(&plan, link, request, None).await;
        }
        // A run is in the order of the list, and all of it fits at least one condition.
        if let Some(run) = sources.iter().find(|source| source.is_run(request.sort)) {
            let fewest = plan.fewest(link, &sources, near).await?;
            let source =
                fewest.filter(|(_, named)| *named < near).map_or(run, |(source, _)| source);
            return self.found(&plan, link, source, request).await;
        }
        // All that there is names many: some of them may well be here.
        let Some(end) = self.place(link, request).await? else {
            return self.walk(&plan, link, request, None).await;
        };
        let mut rows = self.walk(&plan, link, request, Some(&end)).await?;
        if rows.len() < request.limit {
            let rest = PageRequest {
                after: Some(end),
                limit: request.limit - rows.len(),
                ..request.clone()
            };
            let fewest = plan.fewest(link, &sources, too_many).await?;
            rows.extend(match fewest.filter(|(_, named)| *named < too_many) {
                Some((source, _)) => self.found(&plan, link, source, &rest).await?,
                None => self.walk(&plan, link, &rest, None).await?,
            });
        }
        Ok(rows)
    }

    /// Which of these certificates the filter selects; archived ones only if it names `archived`.
    ///
    /// # Errors
    /// The filter does not fit the schema, or the store cannot be read.
    pub async fn among(
        &self,
        link: &mut Link,
        ids: &[CertificateId],
    ) -> Result<HashSet<CertificateId>, Error> {
        let plan = Plan::new(self, link).await?;
        if plan.is_void || ids.is_empty() {
            return Ok(HashSet::new());
        }
        let mut statement = Statement::default();
        let places: Vec<_> = ids.iter().map(|id| statement.push(value::id(*id))).collect();
        let fits = plan.condition(None, &mut statement)?;
        let sql = format!(
            "SELECT c.id FROM certificate c WHERE c.id IN ({}) AND {fits}",
            places.join(", ")
        );
        link.rows(sql, statement.values).await?.iter().map(|row| row.id("id")).collect()
    }

    /// The place so many certificates further in the order, if there are so many.
    async fn place(&self, link: &mut Link, request: &PageRequest) -> Result<Option<Place>, Error> {
        let mut statement = Statement::default();
        let column = request.sort.column();
        let after = behind(&mut statement, request, column, "c.id");
        let order = order(request);
        let skipped = statement.push(self.bounds.near);
        let sql = format!(
            "SELECT {column} AS v, c.id FROM certificate c WHERE {after}
             ORDER BY {column} {order}, c.id {order} LIMIT 1 OFFSET {skipped}"
        );
        link.row(sql, statement.values)
            .await?
            .map(|row| {
                let value = match request.sort {
                    Sort::Expires | Sort::Added => SqlValue::Int(row.int("v")?),
                    Sort::Subject | Sort::Status => SqlValue::Text(row.text("v")?),
                };
                Ok((value, row.text("id")?))
            })
            .transpose()
    }

    /// The page by the index of its order, up to a place.
    async fn walk(
        &self,
        plan: &Plan<'_>,
        link: &mut Link,
        request: &PageRequest,
        end: Option<&Place>,
    ) -> Result<Vec<Certificate>, Error> {
        let mut statement = Statement::default();
        let column = request.sort.column();
        let mut within = behind(&mut statement, request, column, "c.id");
        if let Some((value, id)) = end {
            let (value, id) = (statement.push(value.clone()), statement.push(id.as_str()));
            let before = if request.descending { ">=" } else { "<=" };
            within = format!("{within} AND ({column}, c.id) {before} ({value}, {id})");
        }
        let fits = plan.condition(None, &mut statement)?;
        let (order, limit) = (order(request), statement.push(request.limit));
        let sql = format!(
            "SELECT {COLUMNS} FROM certificate c WHERE {within} AND {fits}
             ORDER BY {column} {order}, c.id {order} LIMIT {limit}"
        );
        link.rows(sql, statement.values).await?.iter().map(read).collect()
    }

    /// The page among what a source names.
    async fn found(
        &self,
        plan: &Plan<'_>,
        link: &mut Link,
        source: &Source,
        request: &PageRequest,
    ) -> Result<Vec<Certificate>, Error> {
        let mut statement = Statement::default();
        // A run has the order itself; elsewhere the index of the order must not draw the planner.
        let run = source.is_run(request.sort);
        let column = if run { request.sort.column() } else { request.sort.apart() };
        let id = if run { "c.id" } else { "(c.id || '')" };
        let after = behind(&mut statement, request, column, id);
        let fits = plan.condition(Some(source), &mut statement)?;
        let (order, limit) = (order(request), statement.push(request.limit));
        let branches: Vec<String> = source
            .branches
            .iter()
            .map(|branch| {
                let named = statement.spell(&branch.sql, &branch.values);
                format!(
                    "SELECT * FROM (SELECT {column} AS v, c.id AS id FROM certificate c
                     WHERE {named} AND {after} AND {fits}
                     ORDER BY {column} {order}, {id} {order} LIMIT {limit}) AS branch"
                )
            })
            .collect();
        let apart = request.sort.apart();
        let sql = format!(
            "SELECT {COLUMNS} FROM certificate c WHERE c.id IN
             (SELECT id FROM ({}) AS found ORDER BY v {order}, id {order} LIMIT {limit})
             ORDER BY {apart} {order}, (c.id || '') {order}",
            branches.join(" UNION ALL ")
        );
        link.rows(sql, statement.values).await?.iter().map(read).collect()
    }
}

fn order(request: &PageRequest) -> &'static str {
    if request.descending { "DESC" } else { "ASC" }
}

/// The condition to be behind the place where a page continues. Value and identifier are compared
/// as one, so that the index of the order is entered at the place.
fn behind(statement: &mut Statement, request: &PageRequest, column: &str, id: &str) -> String {
    match request.after.clone() {
        Some((value, after)) => {
            let (value, after) = (statement.push(value), statement.push(after));
            let beyond = if request.descending { "<" } else { ">" };
            format!("({column}, {id}) {beyond} ({value}, {after})")
        }
        None => "1 = 1".to_owned(),
    }
}
