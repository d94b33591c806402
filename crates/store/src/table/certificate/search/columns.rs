//! Where the fields of certificates are stored.
//!
//! Which index a statement uses is decided in [`super::source`], not by the planner, which knows no
//! more of the distribution of values than that there are indexes. So conditions wrap their columns
//! in expressions that change nothing and that no index serves, and look at the lists of each row.

use chancery_event::filter::{Schema, Word};

use crate::filter_sql::{Arguments, Column, Columns, Dialect, ManyColumn};
use crate::table::attribute::Attribute;

/// The columns of `certificate c` and of the tables that hang on it.
pub(super) struct InventoryColumns<'a> {
    pub(super) schema: &'a Schema,
    pub(super) attributes: &'a [Attribute],
}

/// The columns of the counts, `certificate_count k`.
pub(super) struct CountColumns<'a> {
    pub(super) schema: &'a Schema,
}

/// The columns of the counts by hour, `certificate_hour h`.
pub(super) struct HourColumns<'a> {
    pub(super) schema: &'a Schema,
}

fn many(from: &str, inner: &str, outer: &str, expr: &str, lower: bool) -> Column {
    Column::Many(ManyColumn {
        from: from.to_owned(),
        inner: inner.to_owned(),
        outer: outer.to_owned(),
        expr: expr.to_owned(),
        lower,
        condition: None,
        each_row: true,
    })
}

impl Columns for InventoryColumns<'_> {
    fn schema(&self) -> &Schema {
        self.schema
    }

    fn column(&self, field: &str) -> Option<Column> {
        Some(match field {
            "expires" => Column::plain("(c.not_after + 0)"),
            "issued" => Column::plain("(c.not_before + 0)"),
            "added" => Column::plain("(c.created_at + 0)"),
            "name" => many("certificate_name n", "n.certificate", "c.id", "n.value", true),
            "cn" => Column::nullable("(c.subject_cn || '')"),
            "subject" => Column::plain("(c.subject_dn || '')"),
            "issuer" => Column::plain("c.issuer_dn"),
            "issuer_cn" => Column::nullable("(c.issuer_cn || '')"),
            "fingerprint" => Column::plain("(c.fingerprint_sha256 || '')"),
            "sha1" => Column::plain("(c.fingerprint_sha1 || '')"),
            "spki" => Column::plain("(c.spki_sha256 || '')"),
            "eku" => Column::plain("(c.extended_key_usage || '')"),
            "ca" => Column::plain("(c.is_ca + 0)"),
            "demo" => Column::plain("(c.demonstration + 0)"),
            "replaced" => {
                Column::plain("(CASE WHEN (c.replaced_by || '') IS NULL THEN 0 ELSE 1 END)")
            }
            "owner" => many("account o", "o.id", "coalesce(c.owner, '')", "o.name", true),
            "group" => many(
                "certificate_in_group m JOIN certificate_group g ON g.id = m.group_id",
                "m.certificate",
                "c.id",
                "g.name",
                false,
            ),
            "ra_profile" => {
                many("ra_profile r", "r.id", "coalesce(c.ra_profile, '')", "r.name", false)
            }
            "key_size" | "trust_anchor" | "archived" => Column::plain(format!("(c.{field} + 0)")),
            "status"
            | "serial"
            | "id"
            | "key_algorithm"
            | "signature_algorithm"
            | "key_usage"
            | "path"
            | "source" => Column::plain(format!("(c.{field} || '')")),
            _ => return self.attribute(field),
        })
    }

    /// In the texts themselves: a question to the index for each row costs far more, the more so
    /// the more certificates have the word. Where a search begins with words, `source` asks it.
    fn words(&self, words: &[Word], dialect: Dialect, arguments: &mut Arguments) -> Option<String> {
        if dialect == Dialect::Postgres {
            // Its text table is asked for one row by its key.
            let query = arguments.push(dialect.word_query(words));
            let table = "certificate_text";
            let (of, has) = (dialect.words_of(table), dialect.has_words(table, &query));
            return Some(format!("EXISTS (SELECT 1 FROM {table} WHERE {of} = c.number AND {has})"));
        }
        let names = "SELECT group_concat(n.value, ' ') FROM certificate_name n
             WHERE n.certificate = c.id";
        let text = format!(
            "lower(c.subject_dn || ' ' || c.issuer_dn || ' ' || c.serial || ' ' ||
             c.fingerprint_sha256 || ' ' || coalesce(({names}), ''))"
        );
        let held = words.iter().map(|word| {
            // A token is letters and digits, so that nothing in it means something else.
            let end = if word.prefix { String::new() } else { format!("(?:{BETWEEN}|$)") };
            let pattern = format!("(?:^|{BETWEEN}){}{end}", word.token);
            dialect.matches(&text, &arguments.push(pattern))
        });
        Some(held.collect::<Vec<_>>().join(" AND "))
    }
}

/// What stands between two tokens, as a regular expression: ASCII but letters and digits.
const BETWEEN: &str = r"[\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]";

impl InventoryColumns<'_> {
    /// The definition behind a field such as `attribute.cost`, and the column of its values.
    pub(super) fn definition(&self, field: &str) -> Option<(&Attribute, &'static str)> {
        let name = field.strip_prefix("attribute.")?;
        let attribute = self.attributes.iter().find(|attribute| attribute.name == name)?;
        let expr = match attribute.kind.as_str() {
            "integer" | "decimal" | "boolean" => "v.number_value",
            "date" | "datetime" => "v.time_value",
            _ => "v.text_value",
        };
        Some((attribute, expr))
    }

    fn attribute(&self, field: &str) -> Option<Column> {
        let (attribute, expr) = self.definition(field)?;
        Some(Column::Many(ManyColumn {
            from: "certificate_attribute v".to_owned(),
            inner: "v.certificate".to_owned(),
            outer: "c.id".to_owned(),
            expr: expr.to_owned(),
            lower: false,
            condition: Some(("v.attribute = ?".to_owned(), vec![attribute.id.to_string().into()])),
            each_row: true,
        }))
    }
}

/// The fields that make the kind of a certificate: `certificate_by_kind` begins with them.
pub(super) const KIND: [&str; 9] = [
    "key_algorithm",
    "key_size",
    "signature_algorithm",
    "key_usage",
    "eku",
    "source",
    "ca",
    "trust_anchor",
    "demo",
];
/// The columns of the kind, in the order of the index.
pub(super) const KIND_COLUMNS: [&str; 9] = [
    "key_algorithm",
    "key_size",
    "signature_algorithm",
    "key_usage",
    "extended_key_usage",
    "source",
    "is_ca",
    "trust_anchor",
    "demonstration",
];

impl Columns for CountColumns<'_> {
    fn schema(&self) -> &Schema {
        self.schema
    }

    fn column(&self, field: &str) -> Option<Column> {
        Some(match field {
            "eku" => Column::plain("k.extended_key_usage"),
            "ca" => Column::plain("k.is_ca"),
            "demo" => Column::plain("k.demonstration"),
            "issuer_cn" => Column::nullable("nullif(k.issuer_cn, '')"),
            "ra_profile" => many("ra_profile r", "r.id", "k.ra_profile", "r.name", false),
            "status"
            | "archived"
            | "replaced"
            | "key_algorithm"
            | "key_size"
            | "signature_algorithm"
            | "key_usage"
            | "source"
            | "trust_anchor" => Column::plain(format!("k.{field}")),
            _ => return None,
        })
    }

    fn words(&self, _: &[Word], _: Dialect, _: &mut Arguments) -> Option<String> {
        None
    }
}

impl Columns for HourColumns<'_> {
    fn schema(&self) -> &Schema {
        self.schema
    }

    fn column(&self, field: &str) -> Option<Column> {
        matches!(field, "status" | "archived" | "replaced")
            .then(|| Column::plain(format!("h.{field}")))
    }

    fn words(&self, _: &[Word], _: Dialect, _: &mut Arguments) -> Option<String> {
        None
    }
}
