//! The interpreter of filters for sets: a condition in SQL that SQLite and PostgreSQL both take.
//!
//! It selects exactly the rows whose objects the interpreter in memory
//! (`chancery_event::filter::compiled`) accepts; a property test holds the two equal. Two rules
//! make it so. Every comparison is wrapped to be true or false, never NULL, so that NOT is plain
//! negation. And the meaning of a comparison comes from `filter::test`, where both interpreters
//! take it from.
//!
//! Values always travel as arguments. Column expressions come from the code of a table, never from
//! people. Text is compared by code points, and only ASCII changes case: in PostgreSQL every text
//! column is declared `COLLATE "C"`.

use chancery_event::filter::pattern::meaning;
use chancery_event::filter::{Compiled, Filter, FilterError, Scalar, Schema, Test, Word};
use thiserror::Error;

use crate::value::SqlValue;

mod implied;
mod pattern;
#[cfg(test)]
mod tests;

pub(crate) use implied::{implied_pieces, implied_words};

/// The SQL dialects; they differ in the regular expressions and in a few functions on text.
///
/// PostgreSQL's regular expressions are its own: `pattern` says there what one means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite with a `REGEXP` function of the `regex` crate and FTS5.
    Sqlite,
    /// PostgreSQL 15 or newer, database encoding UTF-8, text columns with the collation "C".
    Postgres,
}

/// Where the fields of one kind of object are stored.
pub trait Columns {
    /// The fields and their types.
    fn schema(&self) -> &Schema;

    /// Where the field with this canonical name is stored; `None` if nowhere.
    fn column(&self, field: &str) -> Option<Column>;

    /// A condition, never NULL, that the object's text contains all the words, for example
    /// `event.log_index IN (SELECT rowid FROM event_text WHERE event_text MATCH $3)` with
    /// `filter::words::fts5_query`. `None` if the text of these objects is not indexed.
    fn words(&self, words: &[Word], dialect: Dialect, arguments: &mut Arguments) -> Option<String>;
}

/// Where one field is stored. Keywords and ids are stored in their canonical lower case, times as
/// BIGINT microseconds, booleans as BIGINT 0 or 1.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// A column of the row.
    Plain {
        /// An SQL expression, for example `c.not_after`.
        expr: String,
        /// Whether it can be NULL, which is "no value".
        nullable: bool,
    },
    /// A column of text that is stored ASCII-lower-cased, so that an index on it serves.
    Lower {
        /// An SQL expression.
        expr: String,
        /// Whether it can be NULL, which is "no value".
        nullable: bool,
    },
    /// A list in another table.
    Many(ManyColumn),
}

/// A list of values in another table, one row for each.
#[derive(Clone, Debug, PartialEq)]
pub struct ManyColumn {
    /// The table with its alias: `certificate_name n`.
    pub from: String,
    /// The column there that names the object: `n.certificate_id`; never NULL.
    pub inner: String,
    /// The object's column it refers to: `c.id`; never NULL.
    pub outer: String,
    /// The value: `n.value`. A NULL is no value.
    pub expr: String,
    /// Whether the value is text stored ASCII-lower-cased.
    pub lower: bool,
    /// What else a row has to fulfil, with a `?` for each argument: `n.name = ?`.
    pub condition: Option<(String, Vec<SqlValue>)>,
    /// Look at the list of each row, whatever the test: the search begins elsewhere.
    pub each_row: bool,
}

/// A condition with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct SqlFragment {
    /// An SQL condition that is true or false, never NULL, and can stand beside AND and OR.
    pub sql: String,
    /// The values of its placeholders, in order.
    pub args: Vec<SqlValue>,
}

/// Arguments gathered while SQL is written.
#[derive(Debug)]
pub struct Arguments {
    first: usize,
    values: Vec<SqlValue>,
}

/// Why a filter has no SQL.
#[derive(Debug, Error)]
pub enum FilterSqlError {
    /// It does not fit the schema.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// A field of the schema is not stored.
    #[error("the field “{0}” cannot be searched for: it is not stored")]
    NotStored(String),
    /// The text of these objects is not indexed.
    #[error("these objects cannot be searched for words")]
    NoWords,
}

impl Column {
    /// A column that is never NULL.
    pub fn plain(expr: impl Into<String>) -> Self {
        Column::Plain { expr: expr.into(), nullable: false }
    }

    /// A column that can be NULL.
    pub fn nullable(expr: impl Into<String>) -> Self {
        Column::Plain { expr: expr.into(), nullable: true }
    }
}

impl Arguments {
    /// No arguments yet; the first placeholder is `$first`.
    pub fn starting_at(first: usize) -> Self {
        Self { first, values: Vec::new() }
    }

    /// Adds an argument and names its placeholder: `$4`.
    pub fn push(&mut self, value: impl Into<SqlValue>) -> String {
        self.values.push(value.into());
        format!("${}", self.first + self.values.len() - 1)
    }

    /// A condition that every word stands somewhere in `text`, an SQL expression of lower-case
    /// text: for lists that have no index of words. No words: it always holds.
    pub(crate) fn containing(&mut self, words: &[Word], text: &str) -> String {
        let mut condition = String::from("1 = 1");
        for word in words {
            let special = |c| matches!(c, '\\' | '%' | '_');
            let escape = |c: char| if special(c) { vec!['\\', c] } else { vec![c] };
            let token: String = word.token.chars().flat_map(escape).collect();
            let place = self.push(format!("%{token}%"));
            condition.push_str(&format!(" AND {text} LIKE {place} ESCAPE '\\'"));
        }
        condition
    }
}

/// Writes a filter as SQL. Placeholders are numbered from `$first`; `now_us` is in microseconds
/// since 1970-01-01T00:00:00Z.
pub fn compile(
    filter: &Filter,
    columns: &dyn Columns,
    dialect: Dialect,
    now_us: i64,
    first: usize,
) -> Result<SqlFragment, FilterSqlError> {
    // Checks types and limits, so that the recursion below is bounded.
    Compiled::new(filter, columns.schema())?;
    let arguments = Arguments::starting_at(first);
    let mut writer = Writer { columns, dialect, now_us, arguments };
    let sql = writer.filter(filter)?;
    Ok(SqlFragment { sql, args: writer.arguments.values })
}

const TRUE: &str = "1 = 1";
const FALSE: &str = "1 = 0";

struct Writer<'a> {
    columns: &'a dyn Columns,
    dialect: Dialect,
    now_us: i64,
    arguments: Arguments,
}

impl Writer<'_> {
    /// A condition that can stand beside AND and OR.
    fn filter(&mut self, filter: &Filter) -> Result<String, FilterSqlError> {
        match filter {
            Filter::All => Ok(TRUE.to_owned()),
            Filter::And(parts) => self.joined(parts, " AND ", TRUE),
            Filter::Or(parts) => self.joined(parts, " OR ", FALSE),
            Filter::Not(part) => Ok(format!("NOT ({})", self.filter(part)?)),
            Filter::Words(words) if words.is_empty() => Ok(TRUE.to_owned()),
            Filter::Words(words) => {
                let sql = self.columns.words(words, self.dialect, &mut self.arguments);
                sql.map(|sql| format!("({sql})")).ok_or(FilterSqlError::NoWords)
            }
            Filter::Comparison(comparison) => {
                let schema = self.columns.schema();
                let test = Test::new(comparison, schema)?;
                let test = self.dialect.spelled(test)?;
                let field = schema.field(&comparison.field).map_or(&comparison.field, |f| &f.name);
                let column = self.columns.column(field);
                let column = column.ok_or_else(|| FilterSqlError::NotStored(field.clone()))?;
                Ok(match column {
                    Column::Plain { expr, nullable } => self.of_row(&expr, nullable, false, &test),
                    Column::Lower { expr, nullable } => self.of_row(&expr, nullable, true, &test),
                    Column::Many(many) => self.of_list(&many, &test),
                })
            }
        }
    }

    fn joined(&mut self, parts: &[Filter], by: &str, none: &str) -> Result<String, FilterSqlError> {
        if parts.is_empty() {
            return Ok(none.to_owned());
        }
        let parts: Result<Vec<_>, _> = parts.iter().map(|part| self.filter(part)).collect();
        Ok(format!("({})", parts?.join(by)))
    }

    /// A test of a column of the row.
    fn of_row(&mut self, expr: &str, nullable: bool, lower: bool, test: &Test) -> String {
        match (test, nullable) {
            (Test::Exists, true) => format!("{expr} IS NOT NULL"),
            (Test::Empty, true) => format!("{expr} IS NULL"),
            (Test::Exists, false) => TRUE.to_owned(),
            (Test::Empty, false) => FALSE.to_owned(),
            (Test::Count(order, number), _) => {
                let found =
                    if nullable { format!("({expr} IS NOT NULL)") } else { format!("({TRUE})") };
                let number = self.arguments.push(*number);
                format!("CASE WHEN {found} THEN 1 ELSE 0 END {} {number}", order.sign())
            }
            (Test::NotEqual { value, fold }, _) => {
                let equal = Test::AnyOf { values: vec![value.clone()], fold: *fold };
                format!("NOT ({})", self.of_row(expr, nullable, lower, &equal))
            }
            (_, false) => self.of_value(expr, lower, test),
            // FALSE AND NULL is FALSE: with the guard the condition is never NULL.
            (_, true) => format!("({expr} IS NOT NULL AND {})", self.of_value(expr, lower, test)),
        }
    }

    /// A test of a list. Tests that an index on the value answers begin at the list's table; the
    /// others look at the list of each row.
    fn of_list(&mut self, many: &ManyColumn, test: &Test) -> String {
        match test {
            Test::NotEqual { value, fold } => {
                let equal = Test::AnyOf { values: vec![value.clone()], fold: *fold };
                format!("NOT ({})", self.of_list(many, &equal))
            }
            Test::Empty => format!("NOT ({})", self.of_list(many, &Test::Exists)),
            Test::Count(order, number) => {
                let rows = self.rows_of(many);
                let number = self.arguments.push(*number);
                format!("(SELECT COUNT({}) FROM {rows}) {} {number}", many.expr, order.sign())
            }
            Test::Exists => {
                let rows = self.rows_of(many);
                format!("EXISTS (SELECT 1 FROM {rows} AND {} IS NOT NULL)", many.expr)
            }
            Test::AnyOf { .. } | Test::StartsWith { .. } if !many.each_row => {
                let condition = self.list_condition(many);
                let condition = condition.map(|sql| format!("{sql} AND ")).unwrap_or_default();
                let fits = self.of_value(&many.expr, many.lower, test);
                let ManyColumn { from, inner, outer, .. } = many;
                format!("{outer} IN (SELECT {inner} FROM {from} WHERE {condition}{fits})")
            }
            _ => {
                let rows = self.rows_of(many);
                let fits = self.of_value(&many.expr, many.lower, test);
                format!("EXISTS (SELECT 1 FROM {rows} AND {fits})")
            }
        }
    }

    /// The rows of the object's list.
    fn rows_of(&mut self, many: &ManyColumn) -> String {
        let condition = self.list_condition(many);
        let condition = condition.map(|sql| format!(" AND {sql}")).unwrap_or_default();
        format!("{} WHERE {} = {}{condition}", many.from, many.inner, many.outer)
    }

    fn list_condition(&mut self, many: &ManyColumn) -> Option<String> {
        let (condition, values) = many.condition.as_ref()?;
        let mut values = values.iter();
        let mut sql = String::new();
        for (place, piece) in condition.split('?').enumerate() {
            if place > 0 {
                sql.push_str(
                    &self.arguments.push(values.next().cloned().unwrap_or(SqlValue::Null)),
                );
            }
            sql.push_str(piece);
        }
        Some(sql)
    }

    /// A test of one value, NULL only if the value is.
    fn of_value(&mut self, expr: &str, lower: bool, test: &Test) -> String {
        let dialect = self.dialect;
        let text = |fold: bool| dialect.text(expr, fold && !lower);
        match test {
            Test::AnyOf { values, fold } => {
                // Equality is the same under every collation, and any index serves it.
                let expr = if *fold && !lower { text(true) } else { expr.to_owned() };
                let places: Vec<String> = values.iter().map(|value| self.scalar(value)).collect();
                match places.as_slice() {
                    [] => FALSE.to_owned(),
                    [place] => format!("{expr} = {place}"),
                    places => format!("{expr} IN ({})", places.join(", ")),
                }
            }
            Test::Ordered(order, bound) => {
                let bound = self.scalar(bound);
                format!("{expr} {} {bound}", order.sign())
            }
            Test::Within { from, to } => {
                let from = self.arguments.push(self.now_us.saturating_add(*from));
                let to = self.arguments.push(self.now_us.saturating_add(*to));
                format!("({expr} >= {from} AND {expr} <= {to})")
            }
            Test::StartsWith { text: prefix, fold } => self.starts_with(&text(*fold), prefix),
            Test::Contains { text: part, fold } => {
                let expr = text(*fold);
                match dialect {
                    // LIKE ignores case in SQLite; instr does not.
                    Dialect::Sqlite => format!("instr({expr}, {}) > 0", self.arguments.push(part)),
                    // LIKE, because a trigram index serves it.
                    Dialect::Postgres => {
                        let pattern = self.arguments.push(format!("%{}%", like_literal(part)));
                        format!("{expr} LIKE {pattern} ESCAPE '\\'")
                    }
                }
            }
            Test::EndsWith { text: end, fold } => self.ends_with(&text(*fold), end),
            Test::Matches { pattern, fold } => {
                let (expr, place) = (text(*fold), self.arguments.push(pattern));
                dialect.matches(&expr, &place)
            }
            // Unreachable from `of_row` and `of_list`, which answer these themselves.
            Test::Exists | Test::Empty | Test::Count(..) | Test::NotEqual { .. } => {
                FALSE.to_owned()
            }
        }
    }

    /// A range, because an index serves it.
    fn starts_with(&mut self, expr: &str, prefix: &str) -> String {
        let from = self.arguments.push(prefix);
        match after_prefix(prefix) {
            Some(next) => {
                let to = self.arguments.push(next);
                format!("({expr} >= {from} AND {expr} < {to})")
            }
            None => format!("{expr} >= {from}"),
        }
    }

    fn ends_with(&mut self, expr: &str, end: &str) -> String {
        let length = end.chars().count();
        if length == 0 {
            // Holds for every value, and is NULL for none.
            return format!("{expr} = {expr}");
        }
        let end = self.arguments.push(end);
        match self.dialect {
            Dialect::Sqlite => format!("substr({expr}, -{length}) = {end}"),
            Dialect::Postgres => format!("right({expr}, {length}) = {end}"),
        }
    }

    fn scalar(&mut self, scalar: &Scalar) -> String {
        let now_us = self.now_us;
        self.arguments.push(match scalar {
            Scalar::Text(text) => SqlValue::Text(text.clone()),
            Scalar::Integer(number) => SqlValue::Int(*number),
            Scalar::Decimal(number) => SqlValue::Real(*number),
            Scalar::Boolean(flag) => SqlValue::Bool(*flag),
            Scalar::Time(micros) => SqlValue::Int(*micros),
            Scalar::FromNow(micros) => SqlValue::Int(now_us.saturating_add(*micros)),
        })
    }
}

impl Dialect {
    /// A condition that a text matches a regular expression.
    pub fn matches(self, expr: &str, pattern: &str) -> String {
        match self {
            Dialect::Sqlite => format!("{expr} REGEXP {pattern}"),
            Dialect::Postgres => format!("{expr} ~ {pattern}"),
        }
    }

    /// The same test with its regular expression as the engine reads it.
    fn spelled(self, test: Test) -> Result<Test, FilterError> {
        let Test::Matches { pattern, fold } = test else { return Ok(test) };
        let pattern = match self {
            Dialect::Sqlite if fold => format!("(?i){pattern}"),
            Dialect::Sqlite => pattern,
            Dialect::Postgres => pattern::postgres(&meaning(&pattern, fold)?),
        };
        Ok(Test::Matches { pattern, fold })
    }

    /// A text expression, in ASCII lower case if `lower`. The collation is that of its column: an
    /// index serves only what is spelled as the index is.
    pub fn text(self, expr: &str, lower: bool) -> String {
        if lower { format!("lower({expr})") } else { expr.to_owned() }
    }
}

/// The least text that is greater than every text with this prefix; `None` if there is none.
pub(crate) fn after_prefix(prefix: &str) -> Option<String> {
    let mut next = prefix.to_owned();
    while let Some(last) = next.pop() {
        // The characters between U+D7FF and U+E000 do not exist; UTF-8 keeps the order of code
        // points.
        let following = if last == '\u{d7ff}' { 0xe000 } else { u32::from(last) + 1 };
        if let Some(following) = char::from_u32(following) {
            next.push(following);
            return Some(next);
        }
    }
    None
}

/// A text with the signs of LIKE escaped.
fn like_literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '%' | '_') {
            literal.push('\\');
        }
        literal.push(c);
    }
    literal
}
