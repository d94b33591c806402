//! A filter taken apart: what it asks of the class, of time, of the place in the log, and the rest.

use chancery_event::filter::{
    Comparison, Compiled, Filter, Literal, Operand, Operator, Order, Scalar, Test,
};
use chancery_event::search::{schema, target_kind};

use super::class::{self, Class, concerns_class, names_classes, only};
use super::columns::HourColumns;
use super::refused;
use crate::filter_sql::{Dialect, SqlFragment, compile};
use crate::log::projection;
use crate::{Error, Link, args};

/// A part of the log: from the first index, up to but not including the second.
pub(super) type Span = (u64, u64);

/// The longest span there is.
const WHOLE: Span = (0, i64::MAX as u64);
/// The longest time there is, from the first moment up to but not including the second.
const ALWAYS: (i64, i64) = (i64::MIN, i64::MAX);

/// The parts of a filter that the class alone decides.
#[derive(Clone)]
pub(super) struct ClassPart {
    /// They together, in fields that have columns.
    pub(super) filter: Filter,
    /// The classes for which they hold.
    pub(super) classes: Vec<Class>,
}

/// A filter ready to be answered. All that a search does is planned from one reading of how far the
/// log is: what is sealed or projected later is not seen, so nothing is seen twice.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) compiled: Compiled,
    pub(super) now_us: i64,
    pub(super) dialect: Dialect,
    /// How far the log is sealed.
    pub(super) sealed: u64,
    /// How far of that is projected.
    pub(super) projected: u64,
    /// Whether the filter needs targets or words, which lag behind.
    pub(super) lags: bool,
    /// When the events must have happened.
    pub(super) times: (i64, i64),
    /// Which part of the log they must be in.
    pub(super) indexes: Span,
    pub(super) class: Option<ClassPart>,
    /// All other parts; all of them have to hold.
    pub(super) parts: Vec<Filter>,
}

impl Plan {
    pub(super) async fn new(link: &mut Link, filter: &Filter, now_us: i64) -> Result<Self, Error> {
        let compiled = filter.compile(schema()).map_err(|error| refused(error.into()))?;
        let sql = "SELECT s.signed_size, c.next_index FROM log_state s
                   LEFT JOIN log_cursor c ON c.name = $1 WHERE s.one = 1";
        let row = link.row(sql, args![projection::CURSOR]).await?;
        let row =
            row.ok_or_else(|| Error::Damaged("the state of the log is missing".to_owned()))?;
        let sealed = row.count("signed_size")?;
        let projected = u64::try_from(row.maybe_int("next_index")?.unwrap_or(0)).unwrap_or(0);
        let mut plan = Self {
            compiled,
            now_us,
            dialect: link.dialect(),
            sealed,
            projected: projected.min(sealed),
            lags: lags(filter),
            times: ALWAYS,
            indexes: WHOLE,
            class: None,
            parts: Vec::new(),
        };
        // Read after the state: there may be more classes than the sealed events have, never fewer.
        let classes = if names_classes(filter) { class::all(link).await? } else { Vec::new() };
        let mut of_class = Vec::new();
        for part in conjuncts(filter.clone().normal()) {
            if let Some((from, to)) = times(&part, now_us) {
                plan.between(from, to);
            } else if let Some((from, to)) = index_bounds(&part) {
                plan.indexes = (plan.indexes.0.max(from), plan.indexes.1.min(to));
            } else if concerns_class(&part) {
                of_class.push(part);
            } else {
                plan.parts.push(references(class::over_columns(part, &classes)?));
            }
        }
        if !of_class.is_empty() {
            let filter = Filter::And(of_class);
            let found = class::matching(&filter, &classes)?;
            let filter = class::over_columns(filter, &classes)?;
            plan.class = Some(ClassPart { filter, classes: found });
        }
        Ok(plan)
    }

    /// Asks for a time besides: from the first moment, up to but not including the second.
    pub(super) fn between(&mut self, from: i64, to: i64) {
        self.times = (self.times.0.max(from), self.times.1.min(to));
    }

    pub(super) fn is_bounded_in_time(&self) -> bool {
        self.times != ALWAYS
    }

    /// Whether no event can be selected.
    pub(super) fn is_void(&self) -> bool {
        self.times.0 >= self.times.1
            || self.class.as_ref().is_some_and(|part| part.classes.is_empty())
    }

    /// The part of a span that is projected, and the part that is not.
    pub(super) fn divided(&self, (low, high): Span) -> (Span, Span) {
        let (low, high) = (low.max(self.indexes.0), high.min(self.indexes.1).min(self.sealed));
        ((low, high.min(self.projected)), (low.max(self.projected), high))
    }

    /// The filter over the hourly counts but for its time, if they can answer it.
    pub(super) fn over_hours(&self, first: usize) -> Option<SqlFragment> {
        let counted = ["type", "severity", "outcome", "family", "kind", "origin"];
        if self.indexes != WHOLE || !self.parts.iter().all(|part| only(part, &counted)) {
            return None;
        }
        let class = self.class.iter().map(|part| part.filter.clone());
        let filter = Filter::And(class.chain(self.parts.iter().cloned()).collect());
        compile(&filter, &HourColumns, self.dialect, self.now_us, first).ok()
    }

    /// The part of a projected span in which the events of the asked time are.
    pub(super) async fn narrowed(&self, link: &mut Link, span: Span) -> Result<Span, Error> {
        if !self.is_bounded_in_time() || span.0 >= span.1 {
            return Ok(span);
        }
        let hour = chancery_event::Timestamp::HOUR;
        let from = self.times.0.div_euclid(hour).saturating_mul(hour);
        let sql = "SELECT MIN(first_index) AS low, MAX(last_index) AS high FROM event_span
                   WHERE hour >= $1 AND hour < $2";
        let found = link.row(sql, args![from, self.times.1]).await?;
        let Some(row) = found else { return Ok((span.0, span.0)) };
        let index = |found: Option<i64>| found.and_then(|index| u64::try_from(index).ok());
        match (index(row.maybe_int("low")?), index(row.maybe_int("high")?)) {
            (Some(low), Some(high)) => Ok((span.0.max(low), span.1.min(high + 1))),
            _ => Ok((span.0, span.0)),
        }
    }
}

impl Plan {
    /// The part of a projected span in which the counts per day know of events that fit, where they
    /// know all that is asked: what is rare by its origin is not looked for everywhere.
    pub(super) async fn within_days(&self, link: &mut Link, span: Span) -> Result<Span, Error> {
        let Some(fragment) = self.over_hours(1).filter(|_| !self.parts.is_empty()) else {
            return Ok(span);
        };
        let sql = format!(
            "SELECT MIN(h.day) AS low, MAX(h.day) AS high FROM event_day h WHERE {}",
            fragment.sql
        );
        let found = link.row(sql, fragment.args).await?;
        let Some(row) = found else { return Ok((span.0, span.0)) };
        let (Some(low), Some(high)) = (row.maybe_int("low")?, row.maybe_int("high")?) else {
            return Ok((span.0, span.0));
        };
        let mut days = self.clone();
        days.between(low, high.saturating_add(chancery_event::Timestamp::DAY));
        days.narrowed(link, span).await
    }
}

/// Whether a filter needs a projection that lags behind the log.
fn lags(filter: &Filter) -> bool {
    match filter {
        Filter::All => false,
        Filter::Words(_) => true,
        Filter::And(parts) | Filter::Or(parts) => parts.iter().any(lags),
        Filter::Not(part) => lags(part),
        Filter::Comparison(comparison) => {
            comparison.field == "target" || target_kind(&comparison.field).is_some()
        }
    }
}

/// The parts of a filter in normal form that all have to hold.
fn conjuncts(filter: Filter) -> Vec<Filter> {
    match filter {
        Filter::And(parts) => parts,
        Filter::All => Vec::new(),
        other => vec![other],
    }
}

/// A comparison of this field.
fn comparison_of<'a>(part: &'a Filter, field: &str) -> Option<&'a Comparison> {
    match part {
        Filter::Comparison(comparison) if comparison.field == field => Some(comparison),
        _ => None,
    }
}

/// The time that a comparison asks for, if it asks for one span of it.
fn times(part: &Filter, now_us: i64) -> Option<(i64, i64)> {
    comparison_of(part, "time")?.times(schema(), now_us)
}

/// The part of the log that a comparison asks for, if it asks for one.
fn index_bounds(part: &Filter) -> Option<Span> {
    let number = |scalar: &Scalar| match scalar {
        Scalar::Integer(number) => Some(*number),
        _ => None,
    };
    let test = Test::new(comparison_of(part, "index")?, schema()).ok()?;
    let (from, to) = match test {
        Test::Ordered(order, scalar) => order.span(number(&scalar)?),
        Test::AnyOf { values, .. } => match values.as_slice() {
            [value] => Order::Equal.span(number(value)?),
            _ => return None,
        },
        _ => return None,
    };
    let index = |number: i64| u64::try_from(number.max(0)).unwrap_or(0);
    Some((index(from), index(to)))
}

/// The same filter, identifiers of targets of one kind written as `kind/id`: that is indexed.
fn references(filter: Filter) -> Filter {
    let each = |parts: Vec<Filter>| parts.into_iter().map(references).collect();
    match filter {
        Filter::And(parts) => Filter::And(each(parts)),
        Filter::Or(parts) => Filter::Or(each(parts)),
        Filter::Not(part) => Filter::Not(Box::new(references(*part))),
        Filter::Comparison(comparison) => Filter::Comparison(reference(comparison)),
        other => other,
    }
}

fn reference(comparison: Comparison) -> Comparison {
    use Operator::{Equals, In, NotEquals, StartsWith};
    let Some(kind) = target_kind(&comparison.field) else { return comparison };
    if !matches!(comparison.operator, Equals | NotEquals | In | StartsWith) {
        return comparison;
    }
    let prefixed = |literal: Literal| match literal {
        Literal::Text(id) => Literal::Text(format!("{kind}/{id}")),
        other => other,
    };
    let operand = match comparison.operand {
        Operand::One(literal) => Operand::One(prefixed(literal)),
        Operand::Many(literals) => Operand::Many(literals.into_iter().map(prefixed).collect()),
        Operand::None => Operand::None,
    };
    Comparison { field: "target".to_owned(), operator: comparison.operator, operand }
}
