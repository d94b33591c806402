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

/// Groups with the certificates in them.
pub(super) const IN_GROUP: &str =
    "certificate_group g JOIN certificate_in_group m ON m.group_id = g.id";

/// A condition over `certificate c` that an index answers, with a `?` for each value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Branch {
    pub(super) sql: String,
    pub(super) values: Vec<SqlValue>,
    /// A statement over the same values with a row, or more, for each certificate: it is counted
    /// without gathering all that it names.
    pub(super) rows: Option<String>,
}

impl Branch {
    pub(super) fn new(sql: impl Into<String>, values: Vec<SqlValue>) -> Self {
        Self { sql: sql.into(), values, rows: None }
    }

    /// The certificates whose `column` of `certificate c` is `named` by the rows of a table that
    /// fit.
    pub(super) fn among(
        column: &str,
        named: &str,
        from: &str,
        fits: &str,
        values: Vec<SqlValue>,
    ) -> Self {
        let rows = Some(format!("SELECT 1 FROM {from} WHERE {fits}"));
        Self { sql: format!("{column} IN (SELECT {named} FROM {from} WHERE {fits})"), values, rows }
    }

    /// What is counted to know how many it names.
    pub(super) fn counted(&self) -> String {
        let plain = || format!("SELECT 1 FROM certificate c WHERE {}", self.sql);
        self.rows.clone().unwrap_or_else(plain)
    }
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

    /// What a search of words must find, whatever else.
    pub(super) fn of_words(words: &[Word], dialect: Dialect, answers: Vec<usize>) -> Self {
        let table = "certificate_text";
        let (of, has) = (dialect.words_of(table), dialect.has_words(table, "?"));
        let values = vec![dialect.word_query(words).into()];
        Self::one(Branch::among("c.number", &of, table, &has, values), answers)
    }

    pub(super) fn one(branch: Branch, answers: Vec<usize>) -> Self {
        Self { branches: vec![branch], answers, runs: &[] }
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
        for (place, part) in self.parts.iter().enumerate() {
            sources.extend(self.of_part(part, place));
        }
        sources.extend(self.of_times());
        sources.extend(self.of_kinds());
        sources
    }

    /// The index that a part offers.
    fn of_part(&self, part: &Filter, place: usize) -> Option<Source> {
        match part {
            Filter::Words(words) if !words.is_empty() => {
                Some(Source::of_words(words, self.dialect, vec![place]))
            }
            Filter::Or(parts) => self.of_alternatives(parts, place),
            Filter::Comparison(comparison) => {
                let (field, test) = self.test_in(comparison)?;
                self.of_test(field, &test, place)
                    .or_else(|| self.of_texts(field, &test, part, place))
            }
            _ => None,
        }
    }

    /// What any of several parts names, if each of them has an index.
    fn of_alternatives(&self, parts: &[Filter], place: usize) -> Option<Source> {
        let (mut conditions, mut counted, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let mut answers = vec![place];
        for part in parts {
            let source = match part {
                // The first index of several conditions is enough.
                Filter::And(parts) => {
                    answers.clear();
                    parts.iter().find_map(|part| self.of_part(part, place))?
                }
                part => self.of_part(part, place)?,
            };
            if source.answers.is_empty() {
                answers.clear();
            }
            for branch in source.branches {
                counted.push(format!("SELECT * FROM ({}) AS alternative", branch.counted()));
                conditions.push(format!("({})", branch.sql));
                values.extend(branch.values);
            }
        }
        let few = (1..=BRANCHES_MAX).contains(&conditions.len());
        let (sql, rows) = (conditions.join(" OR "), counted.join(" UNION ALL "));
        let branch = Branch { sql: format!("({sql})"), values, rows: Some(rows) };
        few.then_some(Source::one(branch, answers))
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
                    let named = statement.spell(&branch.counted(), &branch.values);
                    format!("SELECT * FROM ({named} LIMIT {limit}) AS branch")
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
            (i64::MIN, _) => Branch::new("c.not_after < ?", vec![to.into()]),
            (_, i64::MAX) => Branch::new("c.not_after >= ?", vec![from.into()]),
            _ => {
                let values = vec![from.into(), to.into()];
                Branch::new("c.not_after >= ? AND c.not_after < ?", values)
            }
        };
        let answers = self.bounding.clone();
        Some(Source { branches: vec![branch], answers, runs: &[Sort::Expires] })
    }

    fn of_kinds(&self) -> Option<Source> {
        let (kinds, _) = self.kinds.as_ref()?;
        let sql = KIND_COLUMNS.map(|column| format!("c.{column} = ?")).join(" AND ");
        let branches: Vec<Branch> =
            kinds.iter().map(|values| Branch::new(sql.clone(), values.clone())).collect();
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
                let branch = Branch::among("c.id", "m.certificate", IN_GROUP, &fits, values);
                return Some(Source::one(branch, answers));
            }
            "name" => {
                let (fits, values) = self.of_index("n.value", test)?;
                let from = "certificate_name n";
                let branch = Branch::among("c.id", "n.certificate", from, &fits, values);
                return Some(Source::one(branch, answers));
            }
            "issued" => {
                let (from, to) = bounds(test, self.now_us)?;
                let sql = "c.not_before >= ? AND c.not_before < ?";
                let branch = Branch::new(sql, vec![from.into(), to.into()]);
                return Some(Source::one(branch, answers));
            }
            "added" => {
                let (from, to) = bounds(test, self.now_us)?;
                let sql = "c.created_at >= ? AND c.created_at < ?";
                let branch = Branch::new(sql, vec![from.into(), to.into()]);
                return Some(Source { runs: &[Sort::Added], ..Source::one(branch, answers) });
            }
            "archived" if is_true(test) => {
                let source = Source::one(Branch::new("c.archived = 1", Vec::new()), answers);
                return Some(Source { runs: &[Sort::Expires], ..source });
            }
            "replaced" if is_true(test) => {
                let branch = Branch::new("c.replaced_by IS NOT NULL", Vec::new());
                return Some(Source::one(branch, answers));
            }
            field => return self.of_attribute(field, test, answers),
        };
        if let Test::AnyOf { .. } = test {
            let source = self.each_of(&format!("{column} = ?"), test, answers)?;
            return Some(Source { runs, ..source });
        }
        let (sql, values) = self.of_index(column, test)?;
        Some(Source::one(Branch::new(sql, values), answers))
    }

    /// A branch for each value. Each has its certificates in the order of their ends where the
    /// columns of labels are concerned; others say so themselves.
    fn each_of(&self, one: &str, test: &Test, answers: Vec<usize>) -> Option<Source> {
        let Test::AnyOf { values, .. } = test else { return None };
        let mut branches: Vec<Branch> = Vec::new();
        for value in values {
            let branch = Branch::new(one, vec![self.value(value)]);
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
        let fits = format!("v.attribute = ? AND {expr} IS NOT NULL AND {fits}");
        let from = "certificate_attribute v";
        let branch = Branch::among("c.id", "v.certificate", from, &fits, values);
        Some(Source::one(branch, answers))
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
