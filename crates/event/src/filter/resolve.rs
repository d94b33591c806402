//! From a field, an operator and text to a typed comparison. All spellings come through here, so
//! that a value means the same whichever way it was written.

use super::{
    Comparison, Filter, LIST_MAX, Literal, Operand, Operator, Order, VALUE_BYTES_MAX,
    error::Fault,
    literal::{self, Moment},
    pattern,
    schema::{Field, FieldKind},
};

/// Equality with one value: usually `equals`, but a keyword alias may stand for several values
/// (`in`) and a bare date for a day (`and` of two bounds).
pub(super) fn equals(field: &Field, text: &str) -> Result<Filter, Fault> {
    let one = |literal| Ok(comparison(field, Operator::Equals, literal));
    check_text(text)?;
    match &field.kind {
        FieldKind::Text => one(Literal::Text(text.to_owned())),
        FieldKind::Id => one(Literal::Text(text.to_ascii_lowercase())),
        FieldKind::Keyword(words) | FieldKind::Ordered(words) => {
            let values = words.resolve(&field.name, text)?;
            let values = values.into_iter().map(Literal::Text).collect();
            Ok(many(field, values).normal())
        }
        FieldKind::Integer => one(Literal::Integer(literal::integer(text)?)),
        FieldKind::Decimal => one(Literal::Decimal(literal::decimal(text)?)),
        FieldKind::Boolean => one(Literal::Boolean(literal::boolean(text)?)),
        FieldKind::Timestamp => match literal::moment(text)? {
            Moment::Exact(moment) => match moment.literal() {
                Literal::FromNow(_) => Err(Fault::new(format!(
                    "{} never equals a relative time exactly; use <, > or {}:next(…)",
                    field.name, field.name
                ))),
                exact => one(exact),
            },
            Moment::Day(first, next) => Ok(Filter::And(vec![
                comparison(field, Operator::GreaterOrEqual, Literal::Time(first)),
                comparison(field, Operator::Less, Literal::Time(next)),
            ])),
        },
    }
}

/// Equality with one of several values.
pub(super) fn one_of(field: &Field, parts: Vec<Filter>) -> Result<Filter, Fault> {
    let mut equal = Vec::new();
    let mut others = Vec::new();
    for part in parts {
        match part {
            Filter::Comparison(Comparison { operator: Operator::Equals, operand, .. }) => {
                if let Operand::One(literal) = operand {
                    equal.push(literal);
                }
            }
            Filter::Comparison(Comparison { operator: Operator::In, operand, .. }) => {
                if let Operand::Many(literals) = operand {
                    equal.extend(literals);
                }
            }
            other => others.push(other),
        }
    }
    if equal.len() > LIST_MAX {
        return Err(Fault::new(format!("the list has more than {LIST_MAX} values")));
    }
    if !equal.is_empty() {
        others.insert(0, many(field, equal));
    }
    if others.is_empty() {
        return Err(Fault::new("the list has no values"));
    }
    Ok(Filter::Or(others).normal())
}

/// The negation of an equality: `not equals` where there is one value, `Not` otherwise.
pub(super) fn negated(filter: Filter) -> Filter {
    match filter {
        Filter::Comparison(c) if c.operator == Operator::Equals => {
            Filter::Comparison(Comparison { operator: Operator::NotEquals, ..c })
        }
        other => other.negate(),
    }
}

/// Less, greater and so on.
pub(super) fn ordered(field: &Field, operator: Operator, text: &str) -> Result<Filter, Fault> {
    let one = |literal| Ok(comparison(field, operator, literal));
    check_text(text)?;
    match &field.kind {
        FieldKind::Integer => one(Literal::Integer(literal::integer(text)?)),
        FieldKind::Decimal => one(Literal::Decimal(literal::decimal(text)?)),
        FieldKind::Ordered(words) => {
            let mut values = words.resolve(&field.name, text)?;
            if values.len() != 1 {
                return Err(Fault::new(format!(
                    "“{text}” stands for several values of {}",
                    field.name
                )));
            }
            one(Literal::Text(values.remove(0)))
        }
        FieldKind::Timestamp => match literal::moment(text)? {
            Moment::Exact(moment) => one(moment.literal()),
            Moment::Day(first, next) => Ok(match operator {
                Operator::Greater => {
                    comparison(field, Operator::GreaterOrEqual, Literal::Time(next))
                }
                Operator::LessOrEqual => comparison(field, Operator::Less, Literal::Time(next)),
                _ => comparison(field, operator, Literal::Time(first)),
            }),
        },
        FieldKind::Text | FieldKind::Keyword(_) | FieldKind::Id | FieldKind::Boolean => {
            Err(Fault::new(format!("{} has no order: it is {}", field.name, field.kind.noun())))
        }
    }
}

/// `from..to`, both included; either may be missing, not both.
pub(super) fn range(field: &Field, from: &str, to: &str) -> Result<Filter, Fault> {
    let mut parts = Vec::new();
    if !from.is_empty() {
        parts.push(ordered(field, Operator::GreaterOrEqual, from)?);
    }
    if !to.is_empty() {
        parts.push(ordered(field, Operator::LessOrEqual, to)?);
    }
    match parts.is_empty() {
        true => Err(Fault::new("a range needs a beginning or an end")),
        false => Ok(Filter::and(parts)),
    }
}

/// Contains, starts with, ends with, matches.
pub(super) fn textual(field: &Field, operator: Operator, text: &str) -> Result<Filter, Fault> {
    check_text(text)?;
    if !field.kind.is_textual() {
        return Err(Fault::new(format!(
            "{} {} nothing: it is {}",
            field.name,
            operator.words(),
            field.kind.noun()
        )));
    }
    if operator == Operator::Matches {
        pattern::compiled(text, matches!(field.kind, FieldKind::Text))?;
        return Ok(comparison(field, operator, Literal::Text(text.to_owned())));
    }
    let text = match &field.kind {
        FieldKind::Text => text.to_owned(),
        _ => text.to_ascii_lowercase(),
    };
    if let (FieldKind::Keyword(words) | FieldKind::Ordered(words), Operator::StartsWith) =
        (&field.kind, operator)
    {
        words.check_prefix(&field.name, &text)?;
    }
    Ok(comparison(field, operator, Literal::Text(text)))
}

/// Within next, within last.
pub(super) fn within(field: &Field, operator: Operator, text: &str) -> Result<Filter, Fault> {
    if !matches!(field.kind, FieldKind::Timestamp) {
        return Err(Fault::new(format!(
            "{} is not a time, it is {}",
            field.name,
            field.kind.noun()
        )));
    }
    match literal::duration(text) {
        Some(micros) => Ok(comparison(field, operator, Literal::Duration(micros))),
        None => Err(Fault::new(format!("“{text}” is not a duration; write 30d, 12h or 1h30m"))),
    }
}

/// Count of values.
pub(super) fn count(field: &Field, order: Order, text: &str) -> Result<Filter, Fault> {
    let number = literal::integer(text)?;
    Ok(comparison(field, Operator::Count(order), Literal::Integer(number)))
}

/// Exists, empty.
pub(super) fn bare(field: &Field, operator: Operator) -> Filter {
    Filter::Comparison(Comparison::bare(field.name.clone(), operator))
}

fn comparison(field: &Field, operator: Operator, literal: Literal) -> Filter {
    Filter::Comparison(Comparison::one(field.name.clone(), operator, literal))
}

fn many(field: &Field, literals: Vec<Literal>) -> Filter {
    Filter::Comparison(Comparison {
        field: field.name.clone(),
        operator: Operator::In,
        operand: Operand::Many(literals),
    })
}

fn check_text(text: &str) -> Result<(), Fault> {
    if text.len() > VALUE_BYTES_MAX {
        return Err(Fault::new(format!("the value is longer than {VALUE_BYTES_MAX} bytes")));
    }
    // PostgreSQL stores no NUL in text, and SQLite's functions stop at it.
    if text.contains('\0') {
        return Err(Fault::new("the value contains a NUL character"));
    }
    Ok(())
}
