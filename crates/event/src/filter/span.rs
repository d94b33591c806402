//! The spans of time and numbers that a condition asks for: where a search has to look, and what
//! a list draws bars of.

use super::{Comparison, Filter, Order, Scalar, Schema, Test};

/// Every time there is.
const ALWAYS: (i64, i64) = (i64::MIN, i64::MAX);

impl Order {
    /// The numbers in this relation to another: from the first, up to but not including the second.
    /// Where they are no single span, all.
    pub fn span(self, at: i64) -> (i64, i64) {
        let next = at.saturating_add(1);
        match self {
            Self::Equal => (at, next),
            Self::Less => (i64::MIN, at),
            Self::LessOrEqual => (i64::MIN, next),
            Self::Greater => (next, i64::MAX),
            Self::GreaterOrEqual => (at, i64::MAX),
            Self::NotEqual => ALWAYS,
        }
    }
}

impl Comparison {
    /// The times (µs since 1970, up to but not including the second) that are asked for, if they
    /// are one span, and nothing else is asked. Nothing for what does not fit the schema.
    pub fn times(&self, schema: &Schema, now_us: i64) -> Option<(i64, i64)> {
        let moment = |scalar: &Scalar| match scalar {
            Scalar::Time(at) => Some(*at),
            Scalar::FromNow(after) => Some(now_us.saturating_add(*after)),
            _ => None,
        };
        match Test::new(self, schema).ok()? {
            Test::Ordered(order, scalar) => Some(order.span(moment(&scalar)?)),
            Test::AnyOf { values, .. } => match values.as_slice() {
                [value] => Some(Order::Equal.span(moment(value)?)),
                _ => None,
            },
            Test::Within { from, to } => {
                Some((now_us.saturating_add(from), now_us.saturating_add(to).saturating_add(1)))
            }
            _ => None,
        }
    }
}

impl Filter {
    /// The times (µs since 1970, up to but not including the second) between which a field of
    /// whatever is selected lies; the ends are those of `i64` where nothing bounds them. Only what
    /// has to hold in any case is looked at, not what alternatives have in common.
    pub fn times(&self, field: &str, schema: &Schema, now_us: i64) -> (i64, i64) {
        let parts = match self.clone().normal() {
            Filter::And(parts) => parts,
            one => vec![one],
        };
        let comparisons = parts.iter().filter_map(|part| match part {
            Filter::Comparison(comparison) if comparison.field == field => Some(comparison),
            _ => None,
        });
        comparisons
            .filter_map(|comparison| comparison.times(schema, now_us))
            .fold(ALWAYS, |all, one| (all.0.max(one.0), all.1.min(one.1)))
    }
}
