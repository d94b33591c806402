//! Searching the inventory: fields, pages, facets, expiry histogram.
//!
//! Pages go by the value of the sort field and the identifier, so that nothing is skipped or
//! repeated while others write.

mod object;

pub use object::Searchable;

use chancery_event::Timestamp;
use chancery_event::filter::{Field, FieldKind, Filter, Keywords, Schema, Word};

use super::{COLUMNS, Certificate, read};
use crate::filter_sql::{Arguments, Column, Columns, Dialect, ManyColumn, SqlFragment, compile};
use crate::table::attribute::Attribute;
use crate::{Error, Link, SqlValue, args};

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

/// Where the fields are stored.
struct InventoryColumns<'a> {
    schema: &'a Schema,
    attributes: &'a [Attribute],
}

fn many(from: &str, inner: &str, expr: &str, lower: bool) -> Column {
    Column::Many(ManyColumn {
        from: from.to_owned(),
        inner: inner.to_owned(),
        outer: "c.id".to_owned(),
        expr: expr.to_owned(),
        lower,
        condition: None,
    })
}

impl Columns for InventoryColumns<'_> {
    fn schema(&self) -> &Schema {
        self.schema
    }

    fn column(&self, field: &str) -> Option<Column> {
        Some(match field {
            "expires" => Column::plain("c.not_after"),
            "issued" => Column::plain("c.not_before"),
            "added" => Column::plain("c.created_at"),
            "name" => many("certificate_name n", "n.certificate", "n.value", true),
            "cn" => Column::nullable("c.subject_cn"),
            "subject" => Column::plain("c.subject_dn"),
            "issuer" => Column::plain("c.issuer_dn"),
            "issuer_cn" => Column::nullable("c.issuer_cn"),
            "fingerprint" => Column::plain("c.fingerprint_sha256"),
            "sha1" => Column::plain("c.fingerprint_sha1"),
            "spki" => Column::plain("c.spki_sha256"),
            "eku" => Column::plain("c.extended_key_usage"),
            "ca" => Column::plain("c.is_ca"),
            "demo" => Column::plain("c.demonstration"),
            "replaced" => Column::plain("(CASE WHEN c.replaced_by IS NULL THEN 0 ELSE 1 END)"),
            "owner" => Column::Many(ManyColumn {
                from: "account o".to_owned(),
                inner: "o.id".to_owned(),
                outer: "coalesce(c.owner, '')".to_owned(),
                expr: "o.name".to_owned(),
                lower: true,
                condition: None,
            }),
            "group" => many(
                "certificate_in_group m JOIN certificate_group g ON g.id = m.group_id",
                "m.certificate",
                "g.name",
                false,
            ),
            "ra_profile" => Column::Many(ManyColumn {
                from: "ra_profile r".to_owned(),
                inner: "r.id".to_owned(),
                outer: "coalesce(c.ra_profile, '')".to_owned(),
                expr: "r.name".to_owned(),
                lower: false,
                condition: None,
            }),
            "status"
            | "serial"
            | "id"
            | "key_algorithm"
            | "key_size"
            | "signature_algorithm"
            | "key_usage"
            | "trust_anchor"
            | "archived"
            | "path"
            | "source" => Column::plain(format!("c.{field}")),
            _ => return self.attribute(field),
        })
    }

    fn words(&self, words: &[Word], dialect: Dialect, arguments: &mut Arguments) -> Option<String> {
        let query = arguments.push(dialect.word_query(words));
        let table = "certificate_text";
        let (of, has) = (dialect.words_of(table), dialect.has_words(table, &query));
        Some(format!("c.number IN (SELECT {of} FROM {table} WHERE {has})"))
    }
}

impl InventoryColumns<'_> {
    fn attribute(&self, field: &str) -> Option<Column> {
        let name = field.strip_prefix("attribute.")?;
        let attribute = self.attributes.iter().find(|attribute| attribute.name == name)?;
        let expr = match attribute.kind.as_str() {
            "integer" | "decimal" | "boolean" => "v.number_value",
            "date" | "datetime" => "v.time_value",
            _ => "v.text_value",
        };
        Some(Column::Many(ManyColumn {
            from: "certificate_attribute v".to_owned(),
            inner: "v.certificate".to_owned(),
            outer: "c.id".to_owned(),
            expr: expr.to_owned(),
            lower: false,
            condition: Some(("v.attribute = ?".to_owned(), vec![attribute.id.to_string().into()])),
        }))
    }
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
}

impl Search<'_> {
    fn condition(&self, dialect: Dialect, first: usize) -> Result<SqlFragment, Error> {
        let columns = InventoryColumns { schema: self.schema, attributes: self.attributes };
        let mut names_archived = false;
        self.filter.each_comparison(&mut |comparison| {
            names_archived |= comparison.field == "archived";
        });
        let mut fragment = compile(self.filter, &columns, dialect, self.now_us, first)
            .map_err(|error| Error::Damaged(format!("filter: {error}")))?;
        if !names_archived {
            fragment.sql = format!("c.archived = 0 AND ({})", fragment.sql);
        }
        Ok(fragment)
    }

    /// A page of certificates.
    pub async fn page(
        &self,
        link: &mut Link,
        request: &PageRequest,
    ) -> Result<Vec<Certificate>, Error> {
        let column = request.sort.column();
        let (order, beyond) = if request.descending { ("DESC", "<") } else { ("ASC", ">") };
        let mut values: Vec<SqlValue> = args![request.limit];
        let after = match request.after.clone() {
            Some((value, id)) => {
                values.extend([value, id.into()]);
                // Compared as one, so that the index of the order is entered at the place.
                format!("({column}, c.id) {beyond} ($2, $3) AND")
            }
            None => String::new(),
        };
        let fragment = self.condition(link.dialect(), values.len() + 1)?;
        let sql = format!(
            "SELECT {COLUMNS} FROM certificate c WHERE {after} ({})
             ORDER BY {column} {order}, c.id {order} LIMIT $1",
            fragment.sql
        );
        values.extend(fragment.args);
        link.rows(sql, values).await?.iter().map(read).collect()
    }

    /// How many certificates the filter selects.
    pub async fn count(&self, link: &mut Link) -> Result<u64, Error> {
        let fragment = self.condition(link.dialect(), 1)?;
        let sql = format!("SELECT COUNT(*) AS n FROM certificate c WHERE {}", fragment.sql);
        link.row(sql, fragment.args).await?.map_or(Ok(0), |row| row.count("n"))
    }

    /// Counts by the values of one field: `status`, `key_algorithm`, `issuer_cn`, `source`, `path`,
    /// `group` or `ra_profile`; the 30 most frequent.
    pub async fn facet(&self, link: &mut Link, field: &str) -> Result<Vec<(String, u64)>, Error> {
        let (value, join) = match field {
            "status" => ("c.status", ""),
            "key_algorithm" => ("c.key_algorithm", ""),
            "issuer_cn" => ("coalesce(c.issuer_cn, '')", ""),
            "source" => ("c.source", ""),
            "path" => ("c.path", ""),
            "group" => (
                "g.name",
                "JOIN certificate_in_group m ON m.certificate = c.id
                 JOIN certificate_group g ON g.id = m.group_id",
            ),
            "ra_profile" => ("r.name", "JOIN ra_profile r ON r.id = c.ra_profile"),
            other => return Err(Error::Damaged(format!("{other} is no facet"))),
        };
        let fragment = self.condition(link.dialect(), 1)?;
        let sql = format!(
            "SELECT {value} AS value, COUNT(*) AS n FROM certificate c {join}
             WHERE {} GROUP BY {value} ORDER BY n DESC, value LIMIT 30",
            fragment.sql
        );
        link.rows(sql, fragment.args)
            .await?
            .iter()
            .map(|row| Ok((row.text("value")?, row.count("n")?)))
            .collect()
    }

    /// How many of the selected certificates end in each span of `width` from `from` on.
    pub async fn expiries(
        &self,
        link: &mut Link,
        from: Timestamp,
        to: Timestamp,
        width: i64,
    ) -> Result<Vec<(Timestamp, u64)>, Error> {
        let fragment = self.condition(link.dialect(), 4)?;
        let sql = format!(
            "SELECT $1 + (c.not_after - $1) / $3 * $3 AS at, COUNT(*) AS n FROM certificate c
             WHERE c.not_after >= $1 AND c.not_after < $2 AND ({}) GROUP BY at ORDER BY at",
            fragment.sql
        );
        let mut values: Vec<SqlValue> = args![from, to, width.max(1)];
        values.extend(fragment.args);
        link.rows(sql, values)
            .await?
            .iter()
            .map(|row| Ok((row.time("at")?, row.count("n")?)))
            .collect()
    }
}
