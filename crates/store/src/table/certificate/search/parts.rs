//! Where a search begins whose test looks within texts: for a part, an end, a regular expression.
//!
//! No order of an index answers such a test. Subjects, names and issuers are found by the words and
//! the grams of words that the test implies. What has few different values is looked through value
//! by value; of the rest an index is read from one end to the other, which costs a fiftieth of
//! looking at the certificates themselves.

use chancery_event::filter::{Filter, Schema, Test, Word};

use super::super::text::{GramsOf, implied_grams};
use super::plan::Plan;
use super::source::{Branch, IN_GROUP, Source};
use crate::SqlValue;
use crate::filter_sql::{Arguments, Column, Columns, Dialect, compile, implied_words};

/// One field, wherever its text stands.
struct One<'a> {
    schema: &'a Schema,
    column: Column,
}

impl Columns for One<'_> {
    fn schema(&self) -> &Schema {
        self.schema
    }

    fn column(&self, _: &str) -> Option<Column> {
        Some(self.column.clone())
    }

    fn words(&self, _: &[Word], _: Dialect, _: &mut Arguments) -> Option<String> {
        None
    }
}

impl Plan<'_> {
    /// The source of `part`, a comparison, that tests the text of a field.
    pub(super) fn of_texts(
        &self,
        field: &str,
        test: &Test,
        part: &Filter,
        place: usize,
    ) -> Option<Source> {
        let grams_of = match field {
            "subject" | "cn" | "name" => Some(GramsOf::Subject),
            "issuer" => Some(GramsOf::Issuer),
            _ => None,
        };
        // A common name stands in the subject as that spells it: its words may be others there.
        let mut words = match field {
            "subject" | "name" | "issuer" | "serial" | "fingerprint" => implied_words(test),
            _ => Vec::new(),
        };
        words.extend(grams_of.into_iter().flat_map(|of| implied_grams(test, of)));
        if !words.is_empty() {
            return Some(Source::of_words(&words, self.dialect, Vec::new()));
        }
        let within = matches!(
            test,
            Test::Contains { .. }
                | Test::StartsWith { .. }
                | Test::EndsWith { .. }
                | Test::Matches { .. }
        );
        let branch = within.then(|| self.read_through(field, part)).flatten()?;
        Some(Source::one(branch, vec![place]))
    }

    /// All values of the field, looked at one after another.
    fn read_through(&self, field: &str, part: &Filter) -> Option<Branch> {
        let fits = |column: Column| self.fits(part, column);
        let lower = |expr: &str| Column::Lower { expr: expr.to_owned(), nullable: false };
        Some(match field {
            "owner" => {
                let (fits, values) = fits(lower("o.name"))?;
                let sql = format!("c.owner IN (SELECT o.id FROM account o WHERE {fits})");
                Branch::new(sql, values)
            }
            "ra_profile" => {
                let (fits, values) = fits(Column::plain("r.name"))?;
                let sql = format!("c.ra_profile IN (SELECT r.id FROM ra_profile r WHERE {fits})");
                Branch::new(sql, values)
            }
            "group" => {
                let (fits, values) = fits(Column::plain("g.name"))?;
                Branch::among("c.id", "m.certificate", IN_GROUP, &fits, values)
            }
            "path" | "issuer_cn" => {
                let (fits, values) = fits(lower("v.value"))?;
                different(field, &fits, values)
            }
            "subject" => self.each("subject_dn", part)?,
            "serial" => self.each("serial", part)?,
            "fingerprint" => self.each("fingerprint_sha256", part)?,
            "sha1" => self.each("fingerprint_sha1", part)?,
            "spki" => self.each("spki_sha256", part)?,
            "name" => {
                let (fits, values) = fits(lower("n.value"))?;
                Branch::among("c.id", "n.certificate", "certificate_name n", &fits, values)
            }
            field => {
                let (attribute, expr) = self.columns.definition(field)?;
                let (fits, mut values) = fits(Column::plain(expr))?;
                values.insert(0, attribute.id.to_string().into());
                let fits = format!("v.attribute = ? AND {expr} IS NOT NULL AND {fits}");
                Branch::among("c.id", "v.certificate", "certificate_attribute v", &fits, values)
            }
        })
    }

    /// Every certificate, by the index of a column.
    fn each(&self, column: &str, part: &Filter) -> Option<Branch> {
        let (fits, values) = self.fits(part, Column::plain(format!("s.{column}")))?;
        Some(Branch::among("c.number", "s.number", "certificate s", &fits, values))
    }

    /// The comparison of another column, with a `?` for each value.
    fn fits(&self, part: &Filter, column: Column) -> Option<(String, Vec<SqlValue>)> {
        let one = One { schema: self.columns.schema, column };
        let fragment = compile(part, &one, self.dialect, self.now_us, 1).ok()?;
        let (mut sql, mut values) = (String::new(), Vec::new());
        for (place, piece) in fragment.sql.split('$').enumerate() {
            if place == 0 {
                sql.push_str(piece);
                continue;
            }
            let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = piece.split_at_checked(digits)?;
            let number: usize = number.parse().ok()?;
            values.push(fragment.args.get(number.checked_sub(1)?)?.clone());
            sql.push('?');
            sql.push_str(rest);
        }
        Some((sql, values))
    }
}

/// The certificates with one of the different values of a column that fit, by the index that
/// begins with it, lower-case: from each value to the next, however many certificates have it.
fn different(column: &str, fits: &str, values: Vec<SqlValue>) -> Branch {
    let next = |from: &str| {
        format!(
            "(SELECT MIN(lower(s.{column})) FROM certificate s WHERE lower(s.{column}) > {from})"
        )
    };
    let (first, next) = (next("''"), next("v.value"));
    let sql = format!(
        "lower(c.{column}) IN (WITH RECURSIVE v (value) AS (SELECT {first} UNION ALL
         SELECT {next} FROM v WHERE v.value IS NOT NULL)
         SELECT v.value FROM v WHERE v.value IS NOT NULL AND {fits})"
    );
    Branch::new(sql, values)
}
