//! Where a search begins: the log itself, or an index that names few events.
//!
//! The planner of the database does not know how values are distributed, so it is not asked. Each
//! index that a filter offers is asked how many events it names, up to a bound; the search begins
//! at the one that names fewest, and looks at the other conditions on the rows it finds.

use chancery_event::filter::{Comparison, Filter, Literal, Operand, Operator, Test};

use super::columns::EventColumns;
use super::plan::{Plan, Span};
use super::refused;
use super::words::Way;
use crate::filter_sql::{Dialect, compile, implied_words};
use crate::{Error, Link, SqlValue, args};

/// Of more classes than this the search is better begun at the log itself.
const CLASSES_MAX: usize = 40;

/// Where a search begins. The numbers are places in [`Plan::parts`]; one that is not there: the
/// source follows from a part and does not answer it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    /// Every event of the span.
    Log,
    /// The classes that fit.
    Class,
    /// The events of the asked time.
    Time,
    /// The one event with this identifier.
    Id(usize, String),
    /// A key of the event: name and value.
    Key(usize, &'static str, String),
    /// A target.
    Target(usize, String),
    /// Words, as a query of the full-text index, and how they are found there.
    Words(usize, String, Way),
}

/// In which order events are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    NewestFirst,
    OldestFirst,
    /// The newest, in whichever order costs least: for counting.
    Newest,
}

impl Found {
    pub(super) fn order(self) -> &'static str {
        if self == Self::OldestFirst { "ASC" } else { "DESC" }
    }
}

impl Plan {
    /// Where to begin in this span, and how many events are named there: no index is asked beyond
    /// `many`, which stands for that many or more. `projected`: whether all of the span is.
    pub(super) async fn source(
        &self,
        link: &mut Link,
        span: Span,
        projected: bool,
        many: u64,
    ) -> Result<(Source, u64), Error> {
        let length = span.1.saturating_sub(span.0);
        let mut best = (Source::Log, many.min(length));
        for mut source in self.sources(projected) {
            let named = match &mut source {
                Source::Words(_, query, way) if self.dialect == Dialect::Postgres => {
                    let (named, found) = self.number_with(link, query, span, many).await?;
                    *way = found;
                    named
                }
                _ => {
                    let (sql, values) = self.number_named(&source, span, many);
                    link.row(sql, values).await?.map_or(Ok(0), |row| row.count("n"))?
                }
            };
            let long = best.0 == Source::Log && length >= many && source != Source::Time;
            if named < best.1 || long {
                best = (source, named);
            }
            if best.1 == 0 {
                break;
            }
        }
        Ok(best)
    }

    /// The indexes that the filter offers, the most telling first.
    fn sources(&self, projected: bool) -> Vec<Source> {
        let mut sources = Vec::new();
        for (place, part) in self.parts.iter().enumerate() {
            match part {
                Filter::Words(words) if projected => {
                    sources.push(Source::Words(
                        place,
                        self.dialect.word_query(words),
                        Way::InOrder,
                    ));
                }
                Filter::Comparison(comparison) => {
                    sources.extend(source_of(comparison, place, projected));
                    if projected {
                        sources.extend(implied(comparison, self.dialect));
                    }
                }
                _ => {}
            }
        }
        // Words after the others: counting them costs most.
        sources.sort_by_key(|source| matches!(source, Source::Words(..)));
        if self.class.as_ref().is_some_and(|part| part.classes.len() <= CLASSES_MAX) {
            sources.push(Source::Class);
        }
        if self.is_bounded_in_time() {
            sources.push(Source::Time);
        }
        sources
    }

    fn number_named(
        &self,
        source: &Source,
        (low, high): Span,
        many: u64,
    ) -> (String, Vec<SqlValue>) {
        let mut values = args![low, high, many];
        let named = match source {
            Source::Log => "SELECT 1 WHERE 1 = 0".to_owned(),
            Source::Class => self.branches("1", None, "", &mut values).join(" UNION ALL "),
            Source::Time => {
                // All of that time is looked at, wherever in the log it is. In order, so that a
                // server makes no map of all rows of that time before it counts the first few.
                let (from, to) = self.time_places(&mut values);
                format!(
                    "SELECT 1 FROM event e WHERE e.time >= {from} AND e.time < {to}
                     AND $1 <= $2 ORDER BY e.time LIMIT $3"
                )
            }
            Source::Id(_, id) => {
                let id = push(&mut values, id.as_str());
                format!(
                    "SELECT 1 FROM event e WHERE e.id = {id}
                     AND (e.log_index + 0) >= $1 AND (e.log_index + 0) < $2 LIMIT $3"
                )
            }
            Source::Key(_, name, value) => {
                let (name, value) = (push(&mut values, *name), push(&mut values, value.as_str()));
                format!(
                    "SELECT 1 FROM event_key k WHERE k.name = {name} AND k.value = {value}
                     AND k.log_index >= $1 AND k.log_index < $2 LIMIT $3"
                )
            }
            Source::Target(_, reference) => {
                let reference = push(&mut values, reference.as_str());
                format!(
                    "SELECT 1 FROM event_target t WHERE t.reference = {reference}
                     AND t.log_index >= $1 AND t.log_index < $2 LIMIT $3"
                )
            }
            Source::Words(_, query, _) => {
                let query = push(&mut values, query.as_str());
                let (of, has) = self.words(&query);
                format!(
                    "SELECT 1 FROM event_text WHERE {has} AND {of} >= $1 AND {of} < $2 LIMIT $3"
                )
            }
        };
        (
            format!("SELECT COUNT(*) AS n FROM (SELECT * FROM ({named}) AS named LIMIT $3) AS few"),
            values,
        )
    }

    /// The statement that finds events of a span: `select` are expressions over `event e`.
    pub(super) fn statement(
        &self,
        source: &Source,
        select: &str,
        (low, high): Span,
        found: Found,
        limit: usize,
    ) -> Result<(String, Vec<SqlValue>), Error> {
        let mut values = args![low, high, limit];
        let order = found.order();
        let fits = self.condition(source, &mut values)?;
        let beside = "(e.log_index + 0) >= $1 AND (e.log_index + 0) < $2";
        let sql = match source {
            Source::Log => format!(
                "SELECT {select} FROM event e WHERE e.log_index >= $1 AND e.log_index < $2
                 AND {fits} ORDER BY e.log_index {order} LIMIT $3"
            ),
            Source::Class => {
                let branches = self.branches("e.log_index", Some(order), &fits, &mut values);
                let question = format!(
                    "SELECT log_index FROM ({}) AS found ORDER BY log_index {order} LIMIT $3",
                    branches.join(" UNION ALL ")
                );
                format!(
                    "SELECT {select} FROM event e WHERE {} ORDER BY e.log_index {order}",
                    self.dialect.among_few("e.log_index", &question)
                )
            }
            Source::Time => {
                let (from, to) = self.time_places(&mut values);
                let by = if found == Found::Newest { "e.time" } else { "(e.log_index + 0)" };
                format!(
                    "SELECT {select} FROM event e WHERE e.time >= {from} AND e.time < {to}
                     AND {beside} AND {fits} ORDER BY {by} {order} LIMIT $3"
                )
            }
            Source::Id(_, id) => {
                let id = push(&mut values, id.as_str());
                format!(
                    "SELECT {select} FROM event e WHERE e.id = {id} AND {beside} AND {fits}
                     LIMIT $3"
                )
            }
            Source::Key(_, name, value) => {
                let (name, value) = (push(&mut values, *name), push(&mut values, value.as_str()));
                let named = format!("k.name = {name} AND k.value = {value}");
                joined(select, "event_key k", "k.log_index", order, &fits, &named)
            }
            Source::Target(_, reference) => {
                let reference = push(&mut values, reference.as_str());
                let named = format!("t.reference = {reference}");
                joined(select, "event_target t", "t.log_index", order, &fits, &named)
            }
            Source::Words(_, query, way) => {
                self.with_words(query, way, select, (order, &fits), &mut values)
            }
        };
        Ok((sql, values))
    }

    /// The column of the text index that names the event, and the condition that it has the words
    /// of the query at a place.
    pub(super) fn words(&self, query: &str) -> (String, String) {
        (self.dialect.words_of("event_text"), self.dialect.has_words("event_text", query))
    }

    /// One statement for each class, over the index of classes.
    fn branches(
        &self,
        select: &str,
        order: Option<&str>,
        fits: &str,
        values: &mut Vec<SqlValue>,
    ) -> Vec<String> {
        let classes = self.class.iter().flat_map(|part| &part.classes);
        let order = order.map(|order| format!("ORDER BY e.log_index {order}")).unwrap_or_default();
        let and = if fits.is_empty() { "" } else { "AND" };
        classes
            .map(|class| {
                let type_name = push(values, class.type_name.as_str());
                let severity = push(values, class.severity.as_str());
                let result = push(values, class.result.as_str());
                format!(
                    "SELECT * FROM (SELECT {select} FROM event e WHERE e.type = {type_name}
                     AND e.severity = {severity} AND e.result = {result}
                     AND e.log_index >= $1 AND e.log_index < $2 {and} {fits} {order} LIMIT $3)
                     AS branch"
                )
            })
            .collect()
    }

    fn time_places(&self, values: &mut Vec<SqlValue>) -> (String, String) {
        (push(values, self.times.0), push(values, self.times.1))
    }

    /// All of the filter that the source has not answered.
    pub(super) fn condition(
        &self,
        source: &Source,
        values: &mut Vec<SqlValue>,
    ) -> Result<String, Error> {
        let answered = match source {
            Source::Id(place, _)
            | Source::Key(place, _, _)
            | Source::Target(place, _)
            | Source::Words(place, ..) => Some(*place),
            Source::Log | Source::Class | Source::Time => None,
        };
        let mut sql = Vec::new();
        let mut plain = Vec::new();
        if let (Some(part), true) = (&self.class, *source != Source::Class) {
            plain.push(part.filter.clone());
        }
        for (place, part) in self.parts.iter().enumerate() {
            if Some(place) == answered {
                continue;
            }
            match part {
                Filter::Words(words) if !words.is_empty() => {
                    let query = push(values, self.dialect.word_query(words));
                    let (of, has) = self.words(&query);
                    sql.push(format!(
                        "EXISTS (SELECT 1 FROM event_text WHERE {has} AND {of} = e.log_index)"
                    ));
                }
                Filter::Comparison(comparison) => match target(comparison) {
                    Some(reference) => {
                        let reference = push(values, reference);
                        sql.push(format!(
                            "EXISTS (SELECT 1 FROM event_target t
                             WHERE t.reference = {reference} AND t.log_index = e.log_index)"
                        ));
                    }
                    None => plain.push(part.clone()),
                },
                _ => plain.push(part.clone()),
            }
        }
        if self.is_bounded_in_time() && *source != Source::Time {
            let (from, to) = self.time_places(values);
            sql.push(format!("(e.time + 0) >= {from} AND (e.time + 0) < {to}"));
        }
        if !plain.is_empty() {
            let first = values.len() + 1;
            let filter = Filter::And(plain);
            let fragment = compile(&filter, &EventColumns, self.dialect, self.now_us, first)
                .map_err(refused)?;
            sql.push(fragment.sql);
            values.extend(fragment.args);
        }
        if sql.is_empty() {
            sql.push("1 = 1".to_owned());
        }
        Ok(sql.join(" AND "))
    }
}

/// Events found by way of another table. The order of the tables is the order of the work.
pub(super) fn joined(
    select: &str,
    table: &str,
    index: &str,
    order: &str,
    fits: &str,
    named: &str,
) -> String {
    format!(
        "SELECT {select} FROM {table} CROSS JOIN event e
         WHERE {named} AND {index} >= $1 AND {index} < $2 AND e.log_index = {index} AND {fits}
         ORDER BY {index} {order} LIMIT $3"
    )
}

pub(super) fn push(values: &mut Vec<SqlValue>, value: impl Into<SqlValue>) -> String {
    values.push(value.into());
    format!("${}", values.len())
}

/// The text that a field must equal.
fn equal_text(comparison: &Comparison) -> Option<&str> {
    match (comparison.operator, &comparison.operand) {
        (Operator::Equals, Operand::One(Literal::Text(text))) => Some(text),
        _ => None,
    }
}

/// The words that an event must have whose subject or reason is so. They answer no part.
fn implied(comparison: &Comparison, dialect: Dialect) -> Option<Source> {
    if !matches!(comparison.field.as_str(), "subject" | "reason") {
        return None;
    }
    let test = Test::new(comparison, chancery_event::search::schema()).ok()?;
    let words = implied_words(&test);
    (!words.is_empty()).then(|| Source::Words(usize::MAX, dialect.word_query(&words), Way::InOrder))
}

fn target(comparison: &Comparison) -> Option<&str> {
    if comparison.field == "target" { equal_text(comparison) } else { None }
}

fn source_of(comparison: &Comparison, place: usize, projected: bool) -> Option<Source> {
    let text = equal_text(comparison)?.to_owned();
    let key = match comparison.field.as_str() {
        "id" => return Some(Source::Id(place, text)),
        _ if !projected => return None,
        "target" => return Some(Source::Target(place, text)),
        "actor" => "actor_name",
        "actor_id" => "actor_id",
        "ip" => "client_ip",
        "transaction" => "transaction",
        "cause" => "cause",
        _ => return None,
    };
    Some(Source::Key(place, key, text))
}
