//! Where a search of the inventory begins: the order of the list itself, or an index that names few
//! certificates.
//!
//! The planner of the database does not know how values are distributed, so it is not asked. Each
//! index that a filter offers is asked how many certificates it names, up to a bound.

use chancery_event::filter::words::Word;
use chancery_event::filter::{Filter, Scalar, Test};

use super::Sort;
use super::columns::{KIND, KIND_COLUMNS};
use super::plan::{Plan, Statement, bounds};
use crate::filter_sql::Dialect;
use crate::{Error, Link, SqlValue};

/// Runs of an index that are joined at most; with more, the search begins elsewhere.
const BRANCHES_MAX: usize = 40;

/// A condition over `certificate c` that an index answers, with a `?` for each value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Branch {
    pub(super) sql: String,
    pub(super) values: Vec<SqlValue>,
}

/// An index that names some of the certificates, and among them all that fit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Source {
    /// No certificate is in two of them.
    pub(super) branches: Vec<Branch>,
    /// The parts of the plan that are answered with it.
    pub(super) answers: Vec<usize>,
    /// In each branch the index has the certificates in these orders.
    runs: &'static [Sort],
}

impl Source {
    pub(super) fn is_run(&self, sort: Sort) -> bool {
        self.runs.contains(&sort)
    }

    /// What a search of words must find, whatever else: it answers no part.
    fn of_words(words: &[Word], dialect: Dialect, answers: Vec<usize>) -> Self {
        let table = "certificate_text";
        let (of, has) = (dialect.words_of(table), dialect.has_words(table, "?"));
        let sql = format!("c.number IN (SELECT {of} FROM {table} WHERE {has})");
        Self::one(sql, vec![dialect.word_query(words).into()], answers)
    }

    fn one(sql: impl Into<String>, values: Vec<SqlValue>, answers: Vec<usize>) -> Self {
        Self { branches: vec![Branch { sql: sql.into(), values }], answers, runs: &[] }
    }
}

/// The kinds of certificates that fit a condition over `certificate_count k`, and how many
/// certificates are of them; `None` if they are too many kinds.
pub(super) async fn kinds(
    link: &mut Link,
    fits: &str,
    mut statement: Statement,
) -> Result<Option<(Vec<Vec<SqlValue>>, u64)>, Error> {
    let limit = statement.push(BRANCHES_MAX + 1);
    let columns = KIND_COLUMNS.map(|column| format!("k.{column}")).join(", ");
    let sql = format!(
        "SELECT {columns}, CAST(SUM(k.certificates) AS BIGINT) AS n FROM certificate_count k
         WHERE k.group_id = '' AND {fits} GROUP BY {columns} HAVING SUM(k.certificates) > 0
         LIMIT {limit}"
    );
    let rows = link.rows(sql, statement.values).await?;
    if rows.len() > BRANCHES_MAX {
        return Ok(None);
    }
    let (mut kinds, mut number) = (Vec::with_capacity(rows.len()), 0);
    for row in &rows {
        number += row.count("n")?;
        let value = |column: &&str| match *column {
            "key_size" | "is_ca" | "trust_anchor" | "demonstration" => {
                row.int(column).map(SqlValue::Int)
            }
            column => row.text(column).map(SqlValue::Text),
        };
        kinds.push(KIND_COLUMNS.iter().map(value).collect::<Result<_, _>>()?);
    }
    Ok(Some((kinds, number)))
}

impl Plan<'_> {
    /// The indexes that the filter offers.
    pub(super) fn sources(&self) -> Vec<Source> {
        let mut sources = Vec::new();
        for place in 0..self.parts.len() {
            if let Filter::Words(words) = &self.parts[place] {
                if !words.is_empty() {
                    sources.push(Source::of_words(words, self.dialect, vec![place]));
                }
                continue;
            }
            let Some((field, test)) = self.test(place) else { continue };
            sources.extend(self.of_test(field, &test, place));
        }
        sources.extend(self.of_times());
        sources.extend(self.of_kinds());
        sources
    }

    /// Of these sources the one that names fewest, with how many; no index is asked beyond `many`,
    /// which stands for that many or more.
    pub(super) async fn fewest<'s>(
        &self,
        link: &mut Link,
        sources: &'s [Source],
        many: u64,
    ) -> Result<Option<(&'s Source, u64)>, Error> {
        let mut best: Option<(&Source, u64)> = None;
        for source in sources {
            let mut statement = Statement::default();
            let limit = statement.push(many);
            let branches: Vec<String> = source
                .branches
                .iter()
                .map(|branch| {
                    let named = statement.spell(&branch.sql, &branch.values);
                    format!(
                        "SELECT * FROM (SELECT 1 FROM certificate c WHERE {named} LIMIT {limit})
                         AS branch"
                    )
                })
                .collect();
            let sql = format!(
                "SELECT COUNT(*) AS n FROM (SELECT * FROM ({}) AS named LIMIT {limit}) AS few",
                branches.join(" UNION ALL ")
            );
            let named =
                link.row(sql, statement.values).await?.map_or(Ok(0), |row| row.count("n"))?;
            if best.is_none_or(|(_, fewest)| named < fewest) {
                best = Some((source, named));
            }
            if named == 0 {
                break;
            }
        }
        Ok(best)
    }

    /// The certificates that end in the asked time.
    fn of_times(&self) -> Option<Source> {
        let (from, to) = self.times;
        let branch = match self.times {
            (i64::MIN, i64::MAX) => return None,
            (i64::MIN, _) => Branch { sql: "c.not_after < ?".to_owned(), values: vec![to.into()] },
            (_, i64::MAX) => {
                Branch { sql: "c.not_after >= ?".to_owned(), values: vec![from.into()] }
            }
            _ => Branch {
                sql: "c.not_after >= ? AND c.not_after < ?".to_owned(),
                values: vec![from.into(), to.into()],
            },
        };
        let answers = self.bounding.clone();
        Some(Source { branches: vec![branch], answers, runs: &[Sort::Expires] })
    }

    fn of_kinds(&self) -> Option<Source> {
        let (kinds, _) = self.kinds.as_ref()?;
        let sql = KIND_COLUMNS.map(|column| format!("c.{column} = ?")).join(" AND ");
        let branches: Vec<Branch> = kinds
            .iter()
            .map(|values| Branch { sql: sql.clone(), values: values.clone() })
            .collect();
        let answers: Vec<usize> = (0..self.parts.len())
            .filter(|place| self.names_only(&self.parts[*place], &KIND))
            .collect();
        (!branches.is_empty()).then_some(Source { branches, answers, runs: &[Sort::Expires] })
    }

    fn of_test(&self, field: &str, test: &Test, place: usize) -> Option<Source> {
        let answers = vec![place];
        let (column, runs): (&str, &'static [Sort]) = match field {
            "id" => ("c.id", &[]),
            "fingerprint" => ("c.fingerprint_sha256", &[]),
            "sha1" => ("c.fingerprint_sha1", &[]),
            "serial" => ("c.serial", &[]),
            "spki" => ("c.spki_sha256", &[]),
            "cn" => ("lower(c.subject_cn)", &[]),
            "issuer_cn" => ("lower(c.issuer_cn)", &[Sort::Expires]),
            "path" => ("lower(c.path)", &[Sort::Expires]),
            "status" => ("c.status", &[Sort::Expires, Sort::Status]),
            "owner" => {
                let one = "c.owner = (SELECT o.id FROM account o WHERE o.name = ?)";
                return self.each_of(one, test, answers);
            }
            "ra_profile" => {
                let one = "c.ra_profile =
                    (SELECT r.id FROM ra_profile r WHERE lower(r.name) = ?)";
                return self.each_of(one, test, answers);
            }
            "group" => {
                let (fits, values) = self.of_index("lower(g.name)", test)?;
                let sql = format!(
                    "c.id IN (SELECT m.certificate FROM certificate_group g
                     JOIN certificate_in_group m ON m.group_id = g.id WHERE {fits})"
                );
                return Some(Source::one(sql, values, answers));
            }
            "name" => {
                let Some((fits, values)) = self.of_index("n.value", test) else {
                    return implied(test, self.dialect);
                };
                let sql =
                    format!("c.id IN (SELECT n.certificate FROM certificate_name n WHERE {fits})");
                return Some(Source::one(sql, values, answers));
            }
            "issued" => {
                let (from, to) = bounds(test, self.now_us)?;
                let sql = "c.not_before >= ? AND c.not_before < ?";
                return Some(Source::one(sql, vec![from.into(), to.into()], answers));
            }
            "added" => {
                let (from, to) = bounds(test, self.now_us)?;
                let sql = "c.created_at >= ? AND c.created_at < ?";
                let source = Source::one(sql, vec![from.into(), to.into()], answers);
                return Some(Source { runs: &[Sort::Added], ..source });
            }
            "archived" if is_true(test) => {
                let source = Source::one("c.archived = 1", Vec::new(), answers);
                return Some(Source { runs: &[Sort::Expires], ..source });
            }
            "replaced" if is_true(test) => {
                return Some(Source::one("c.replaced_by IS NOT NULL", Vec::new(), answers));
            }
            "subject" | "issuer" => return implied(test, self.dialect),
            field => return self.of_attribute(field, test, answers),
        };
        if let Test::AnyOf { .. } = test {
            let source = self.each_of(&format!("{column} = ?"), test, answers)?;
            return Some(Source { runs, ..source });
        }
        match self.of_index(column, test) {
            Some((sql, values)) => Some(Source::one(sql, values, answers)),
            None if matches!(field, "serial" | "fingerprint") => implied(test, self.dialect),
            None => None,
        }
    }

    /// A branch for each value. Each has its certificates in the order of their ends where the
    /// columns of labels are concerned; others say so themselves.
    fn each_of(&self, one: &str, test: &Test, answers: Vec<usize>) -> Option<Source> {
        let Test::AnyOf { values, .. } = test else { return None };
        let mut branches: Vec<Branch> = Vec::new();
        for value in values {
            let branch = Branch { sql: one.to_owned(), values: vec![self.value(value)] };
            if !branches.contains(&branch) {
                branches.push(branch);
            }
        }
        let few = (1..=BRANCHES_MAX).contains(&branches.len());
        few.then_some(Source { branches, answers, runs: &[Sort::Expires] })
    }

    /// Equality or a prefix, as an index on the expression answers it.
    fn of_index(&self, expr: &str, test: &Test) -> Option<(String, Vec<SqlValue>)> {
        match test {
            Test::AnyOf { values, .. } if !values.is_empty() && values.len() <= 200 => {
                let places = vec!["?"; values.len()].join(", ");
                let values = values.iter().map(|value| self.value(value)).collect();
                Some((format!("{expr} IN ({places})"), values))
            }
            Test::StartsWith { text, .. } if !text.is_empty() => {
                let next = crate::filter_sql::after_prefix(text)?;
                let values = vec![text.as_str().into(), next.into()];
                Some((format!("{expr} >= ? AND {expr} < ?"), values))
            }
            _ => None,
        }
    }

    fn of_attribute(&self, field: &str, test: &Test, answers: Vec<usize>) -> Option<Source> {
        let (attribute, expr) = self.columns.definition(field)?;
        let (fits, mut values) = match test {
            Test::Ordered(order, bound) => {
                (format!("{expr} {} ?", order.sign()), vec![self.value(bound)])
            }
            Test::Within { .. } => {
                let (from, to) = bounds(test, self.now_us)?;
                (format!("{expr} >= ? AND {expr} < ?"), vec![from.into(), to.into()])
            }
            Test::AnyOf { .. } | Test::StartsWith { .. } if expr == "v.text_value" => {
                self.of_index("lower(v.text_value)", test)?
            }
            Test::AnyOf { .. } => self.of_index(expr, test)?,
            _ => return None,
        };
        values.insert(0, attribute.id.to_string().into());
        let sql = format!(
            "c.id IN (SELECT v.certificate FROM certificate_attribute v
             WHERE v.attribute = ? AND {expr} IS NOT NULL AND {fits})"
        );
        Some(Source::one(sql, values, answers))
    }

    fn value(&self, scalar: &Scalar) -> SqlValue {
        match scalar {
            Scalar::Text(text) => text.as_str().into(),
            Scalar::Integer(number) | Scalar::Time(number) => (*number).into(),
            Scalar::Decimal(number) => (*number).into(),
            Scalar::Boolean(flag) => (*flag).into(),
            Scalar::FromNow(after) => self.now_us.saturating_add(*after).into(),
        }
    }
}

fn is_true(test: &Test) -> bool {
    matches!(test, Test::AnyOf { values, .. } if values.as_slice() == [Scalar::Boolean(true)])
}

/// What a test of a text that is searched by words implies.
fn implied(test: &Test, dialect: Dialect) -> Option<Source> {
    let words = crate::filter_sql::implied_words(test);
    (!words.is_empty()).then(|| Source::of_words(&words, dialect, Vec::new()))
}
