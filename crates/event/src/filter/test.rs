//! What one comparison means: the typed form that both interpreters, in memory and SQL, work from.
//! Everything about types, case folding and lists that they must agree on is decided here.

use super::{
    Comparison, FilterError, Literal, Operand, Operator, Order, Place,
    error::Fault,
    schema::{Field, FieldKind, Schema},
};

/// A comparison, typed. "Some value" means: false if there is none.
///
/// `fold` says that values are ASCII-lower-cased before they are compared; the texts in the test
/// are in lower case already.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// There is a value.
    Exists,
    /// There is none.
    Empty,
    /// The number of values stands in this relation to the number.
    Count(Order, i64),
    /// Some value equals one of these. The list may be empty: then nothing does.
    AnyOf {
        /// The values, all of one type.
        values: Vec<Scalar>,
        /// Whether case is ignored.
        fold: bool,
    },
    /// No value equals this one: exactly the negation of `AnyOf`.
    NotEqual {
        /// The value.
        value: Scalar,
        /// Whether case is ignored.
        fold: bool,
    },
    /// Some number or time stands in this relation to the scalar.
    Ordered(Order, Scalar),
    /// Some time is at least now + from and at most now + to (microseconds).
    Within {
        /// Microseconds after now; negative is before.
        from: i64,
        /// Microseconds after now; negative is before.
        to: i64,
    },
    /// Some text contains this one.
    Contains {
        /// The text.
        text: String,
        /// Whether case is ignored.
        fold: bool,
    },
    /// Some text starts with this one.
    StartsWith {
        /// The text.
        text: String,
        /// Whether case is ignored.
        fold: bool,
    },
    /// Some text ends with this one.
    EndsWith {
        /// The text.
        text: String,
        /// Whether case is ignored.
        fold: bool,
    },
    /// Some text matches the regular expression. With `fold` the text is ASCII-lower-cased *and*
    /// the expression ignores case, so that it is the same whether a store keeps the text
    /// lower-cased.
    Matches {
        /// The expression, which is known to compile.
        pattern: String,
        /// Whether case is ignored.
        fold: bool,
    },
}

/// A value in a test.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// Text, a keyword or an id.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A finite number.
    Decimal(f64),
    /// True or false.
    Boolean(bool),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Time(i64),
    /// Microseconds after now; negative is before.
    FromNow(i64),
}

impl Test {
    /// The meaning of a comparison under a schema; fails if the types do not fit.
    pub fn new(comparison: &Comparison, schema: &Schema) -> Result<Test, FilterError> {
        let field = schema.require(&comparison.field).map_err(|fault| fault.at(Place::Tree))?;
        typed(field, comparison).map_err(|fault| fault.at(Place::Tree))
    }
}

fn typed(field: &Field, comparison: &Comparison) -> Result<Test, Fault> {
    let fold = matches!(field.kind, FieldKind::Text);
    let operator = comparison.operator;
    if let (Operator::In, Operand::Many(literals)) = (operator, &comparison.operand) {
        let values: Result<_, _> = literals.iter().map(|literal| scalar(field, literal)).collect();
        return Ok(Test::AnyOf { values: values?, fold });
    }
    match (operator, &comparison.operand) {
        (Operator::Exists, Operand::None) => Ok(Test::Exists),
        (Operator::Empty, Operand::None) => Ok(Test::Empty),
        (_, Operand::One(literal)) => typed_one(field, operator, literal, fold),
        _ => Err(misfit(field, operator)),
    }
}

fn typed_one(
    field: &Field,
    operator: Operator,
    literal: &Literal,
    fold: bool,
) -> Result<Test, Fault> {
    match (operator, literal) {
        (Operator::Equals, _) => Ok(Test::AnyOf { values: vec![scalar(field, literal)?], fold }),
        (Operator::NotEquals, _) => Ok(Test::NotEqual { value: scalar(field, literal)?, fold }),
        (Operator::Count(order), Literal::Integer(number)) => Ok(Test::Count(order, *number)),
        (Operator::WithinNext, Literal::Duration(micros)) if is_time(field) => {
            Ok(Test::Within { from: 0, to: *micros })
        }
        (Operator::WithinLast, Literal::Duration(micros)) if is_time(field) => {
            Ok(Test::Within { from: micros.saturating_neg(), to: 0 })
        }
        (_, Literal::Text(text)) if field.kind.is_textual() => {
            let text = if fold { text.to_ascii_lowercase() } else { text.clone() };
            match (operator, &field.kind) {
                (Operator::Contains, _) => Ok(Test::Contains { text, fold }),
                (Operator::StartsWith, _) => Ok(Test::StartsWith { text, fold }),
                (Operator::EndsWith, _) => Ok(Test::EndsWith { text, fold }),
                (Operator::Matches, _) => {
                    let Literal::Text(pattern) = literal else {
                        return Err(misfit(field, operator));
                    };
                    super::pattern::compiled(pattern, fold)?;
                    Ok(Test::Matches { pattern: pattern.clone(), fold })
                }
                (_, FieldKind::Ordered(words)) => match operator.order() {
                    Some(order) => ranked(field, words.values().unwrap_or_default(), order, &text),
                    None => Err(misfit(field, operator)),
                },
                _ => Err(misfit(field, operator)),
            }
        }
        _ => match operator.order() {
            Some(order) if field.kind.is_ordered() => {
                Ok(Test::Ordered(order, scalar(field, literal)?))
            }
            _ => Err(misfit(field, operator)),
        },
    }
}

/// An order of keywords is the list of those that stand in it: this keeps an index on the word
/// useful.
fn ranked(field: &Field, known: &[String], order: Order, text: &str) -> Result<Test, Fault> {
    let rank = known.iter().position(|value| value == text);
    let rank =
        rank.ok_or_else(|| Fault::new(format!("“{text}” is not a value of {}", field.name)))?;
    let ranked = known.iter().enumerate();
    let fitting = ranked.filter(|(other, _)| order.holds(other.cmp(&rank)));
    let values = fitting.map(|(_, value)| Scalar::Text(value.clone())).collect();
    Ok(Test::AnyOf { values, fold: false })
}

fn scalar(field: &Field, literal: &Literal) -> Result<Scalar, Fault> {
    match (&field.kind, literal) {
        (FieldKind::Text, Literal::Text(text)) => Ok(Scalar::Text(text.to_ascii_lowercase())),
        (FieldKind::Keyword(_) | FieldKind::Ordered(_) | FieldKind::Id, Literal::Text(text)) => {
            Ok(Scalar::Text(text.clone()))
        }
        (FieldKind::Integer, Literal::Integer(number)) => Ok(Scalar::Integer(*number)),
        (FieldKind::Decimal, Literal::Decimal(number)) if number.is_finite() => {
            Ok(Scalar::Decimal(*number))
        }
        (FieldKind::Boolean, Literal::Boolean(flag)) => Ok(Scalar::Boolean(*flag)),
        (FieldKind::Timestamp, Literal::Time(micros)) => Ok(Scalar::Time(*micros)),
        (FieldKind::Timestamp, Literal::FromNow(micros)) => Ok(Scalar::FromNow(*micros)),
        _ => Err(Fault::new(format!("{} is {}", field.name, field.kind.noun()))),
    }
}

fn is_time(field: &Field) -> bool {
    matches!(field.kind, FieldKind::Timestamp)
}

fn misfit(field: &Field, operator: Operator) -> Fault {
    Fault::new(format!(
        "“{}” does not fit {}, which is {}",
        operator.words(),
        field.name,
        field.kind.noun()
    ))
}
