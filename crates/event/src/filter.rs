//! The one condition language: a typed tree of comparisons under and / or / not.
//!
//! Event search, inventory search, trigger rules, forwarder selection, monitor scope, saved views
//! and notification routing all use [`Filter`]. Read in this order: [`schema`] (which fields
//! exist), this file (the tree), `parse` and `text` (the spelling for people), `json` (the spelling
//! for the API), `scim` (the spelling of RFC 7644), [`mod@test`] (what one comparison means, shared
//! by both interpreters), [`compiled`] (the interpreter for one object), [`explanation`] and `span`
//! (which times are asked for). The interpreter for sets, SQL, lives in the store.
//!
//! # Meaning, defined once
//!
//! * A comparison on a field without a value is **false**, never "unknown". The exceptions say so
//!   in their name: `empty` is true, `count` counts zero, and `not equals` is true.
//! * `Not` is plain negation of a true or a false. `not equals` is exactly `Not(equals)`.
//! * A field may hold several values. A comparison holds if it holds for **any** of them; hence
//!   `not equals` and `not in` hold if **none** is equal; `empty` is "no value", `exists` its
//!   negation.
//! * Text is compared without regard to ASCII case; ids and keywords are canonically lower case and
//!   are compared exactly.
//! * Durations are relative to the `now` passed in. They know no calendar: a day is 24 hours, a
//!   month (`mo`) 30 days, a year (`y`) 365 days.
//! * A bare date (`2026-11-21`, UTC) means the whole day: `time:2026-11-21` is within it,
//!   `time<=2026-11-21` includes it, `time>2026-11-21` begins after it.
//! * Words search text for tokens: maximal runs of ASCII letters and digits and of non-ASCII
//!   characters, ASCII-lower-cased. All of them must occur, in any order.
//!
//! Nothing here reads a clock, does I/O or panics, whatever the input.

use std::fmt;

pub mod compiled;
mod contradiction;
pub mod error;
pub mod explanation;
mod json;
mod literal;
mod parse;
pub mod pattern;
mod resolve;
pub mod schema;
mod scim;
mod span;
pub mod test;
mod text;
pub mod value;
pub mod words;

#[cfg(test)]
mod tests;

pub use compiled::{Compiled, Nearness};
pub use contradiction::contradiction;
pub use error::{FilterError, Place};
pub use explanation::{Explanation, Reason};
pub use schema::{Field, FieldKind, Keywords, Schema, nearest};
pub use test::{Scalar, Test};
pub use value::{Object, Value, Values};
pub use words::Word;

/// The longest text spelling that is read, in bytes.
pub const TEXT_BYTES_MAX: usize = 4096;
/// The deepest nesting of and / or / not, counted in levels of the tree.
pub const DEPTH_MAX: usize = 32;
/// The most comparisons (word searches included) in one filter.
pub const COMPARISONS_MAX: usize = 256;
/// The most values in one `in` list.
pub const LIST_MAX: usize = 1000;
/// The most words in one word search.
pub const WORDS_MAX: usize = 64;
/// The longest single text value, in bytes.
pub const VALUE_BYTES_MAX: usize = 4096;

/// A condition over one object: the tree that all spellings parse to.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Filter {
    /// Holds for every object.
    #[default]
    All,
    /// Holds if every part holds; with no part it holds.
    And(Vec<Filter>),
    /// Holds if some part holds; with no part it does not.
    Or(Vec<Filter>),
    /// Holds if the part does not.
    Not(Box<Filter>),
    /// A comparison of one field.
    Comparison(Comparison),
    /// Holds if every word occurs in the object's text.
    Words(Vec<Word>),
}

/// One field compared with something.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The canonical name of the field.
    pub field: String,
    /// How it is compared.
    pub operator: Operator,
    /// What it is compared with; its shape follows from the operator.
    pub operand: Operand,
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Some value equals the operand.
    Equals,
    /// No value equals the operand.
    NotEquals,
    /// Some value is less (numbers, times, ordered keywords).
    Less,
    /// Some value is less or equal.
    LessOrEqual,
    /// Some value is greater.
    Greater,
    /// Some value is greater or equal.
    GreaterOrEqual,
    /// Some value equals one of the list.
    In,
    /// Some value contains the text.
    Contains,
    /// Some value starts with the text.
    StartsWith,
    /// Some value ends with the text.
    EndsWith,
    /// Some value matches the regular expression somewhere (syntax of the `regex` crate).
    Matches,
    /// There is a value.
    Exists,
    /// There is no value.
    Empty,
    /// Some time lies between now and now + duration, both included.
    WithinNext,
    /// Some time lies between now - duration and now, both included.
    WithinLast,
    /// The number of values stands in this relation to the operand.
    Count(Order),
}

/// A relation of two ordered things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// What a field is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// Nothing: `exists` and `empty`.
    None,
    /// One value.
    One(Literal),
    /// A list: `in`.
    Many(Vec<Literal>),
}

/// A value written in a filter.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// Text, a keyword, an id, or a regular expression.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A finite number.
    Decimal(f64),
    /// True or false.
    Boolean(bool),
    /// A point in time, in microseconds since 1970-01-01T00:00:00Z.
    Time(i64),
    /// A point in time, in microseconds after now; negative is before.
    FromNow(i64),
    /// A length of time in microseconds, not negative: `within next`, `within last`.
    Duration(i64),
}

impl Filter {
    /// Whether what it holds of changes as time passes: it compares with now.
    pub fn is_relative(&self) -> bool {
        let of = |literal: &Literal| matches!(literal, Literal::FromNow(_) | Literal::Duration(_));
        match self {
            Self::All | Self::Words(_) => false,
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::is_relative),
            Self::Not(part) => part.is_relative(),
            Self::Comparison(comparison) => match &comparison.operand {
                Operand::None => false,
                Operand::One(one) => of(one),
                Operand::Many(several) => several.iter().any(of),
            },
        }
    }
}

impl Order {
    /// Whether two things compared as `found` stand in this relation.
    pub fn holds(self, found: std::cmp::Ordering) -> bool {
        match self {
            Order::Equal => found.is_eq(),
            Order::NotEqual => found.is_ne(),
            Order::Less => found.is_lt(),
            Order::LessOrEqual => found.is_le(),
            Order::Greater => found.is_gt(),
            Order::GreaterOrEqual => found.is_ge(),
        }
    }

    /// The sign, which is the same in the text spelling and (but for `!=`, also `<>`) in SQL.
    pub fn sign(self) -> &'static str {
        match self {
            Order::Equal => "=",
            Order::NotEqual => "!=",
            Order::Less => "<",
            Order::LessOrEqual => "<=",
            Order::Greater => ">",
            Order::GreaterOrEqual => ">=",
        }
    }
}

impl Operator {
    /// The relation an ordering operator asks for; `None` for the others.
    pub fn order(self) -> Option<Order> {
        match self {
            Operator::Less => Some(Order::Less),
            Operator::LessOrEqual => Some(Order::LessOrEqual),
            Operator::Greater => Some(Order::Greater),
            Operator::GreaterOrEqual => Some(Order::GreaterOrEqual),
            _ => None,
        }
    }

    /// The words a person is shown for the operator.
    pub fn words(self) -> &'static str {
        match self {
            Operator::Equals => "equals",
            Operator::NotEquals => "does not equal",
            Operator::Less => "is less than",
            Operator::LessOrEqual => "is at most",
            Operator::Greater => "is greater than",
            Operator::GreaterOrEqual => "is at least",
            Operator::In => "is one of",
            Operator::Contains => "contains",
            Operator::StartsWith => "starts with",
            Operator::EndsWith => "ends with",
            Operator::Matches => "matches",
            Operator::Exists => "has a value",
            Operator::Empty => "has no value",
            Operator::WithinNext => "is within the next",
            Operator::WithinLast => "is within the last",
            Operator::Count(_) => "has a number of values",
        }
    }
}

impl Comparison {
    /// A comparison with one literal.
    pub fn one(field: impl Into<String>, operator: Operator, literal: Literal) -> Self {
        Self { field: field.into(), operator, operand: Operand::One(literal) }
    }

    /// A comparison without an operand: `exists` or `empty`.
    pub fn bare(field: impl Into<String>, operator: Operator) -> Self {
        Self { field: field.into(), operator, operand: Operand::None }
    }
}

impl Filter {
    /// Reads the text spelling; field names, keywords and values are resolved against the schema.
    ///
    /// The result is in normal form (see [`Filter::normal`]).
    pub fn parse(text: &str, schema: &Schema) -> Result<Filter, FilterError> {
        parse::parse(text, schema)
    }

    /// Reads the JSON spelling; errors carry a JSON pointer (RFC 6901).
    pub fn from_json(json: &serde_json::Value, schema: &Schema) -> Result<Filter, FilterError> {
        json::from_json(json, schema)
    }

    /// The JSON spelling. `from_json` of it is this filter's normal form.
    pub fn to_json(&self) -> serde_json::Value {
        json::to_json(self)
    }

    /// Reads the SCIM spelling (RFC 7644 §3.4.2.2); errors carry a place in the text.
    pub fn from_scim(text: &str, schema: &Schema) -> Result<Filter, FilterError> {
        scim::from_scim(text, schema)
    }

    /// The SCIM spelling. `from_scim` of it is this filter's normal form with each `in` spread into
    /// an `or` of equalities. Fails for what SCIM cannot say: words, regular expressions, counts,
    /// times relative to now, field names that are no attribute names.
    pub fn to_scim(&self) -> Result<String, FilterError> {
        scim::to_scim(self)
    }

    /// The canonical text spelling. `parse` of it is this filter's normal form, as long as it is at
    /// most [`TEXT_BYTES_MAX`] bytes long; a longer filter only has its JSON spelling.
    pub fn to_text(&self) -> String {
        text::to_text(self)
    }

    /// Prepares the filter for [`Compiled::holds`]; fails if a comparison does not fit the schema.
    pub fn compile(&self, schema: &Schema) -> Result<Compiled, FilterError> {
        Compiled::new(self, schema)
    }

    /// An and / or of exactly these parts, in normal form.
    pub fn and(parts: Vec<Filter>) -> Filter {
        Filter::And(parts).normal()
    }

    /// The negation, in normal form.
    pub fn negate(self) -> Filter {
        Filter::Not(Box::new(self)).normal()
    }

    /// The same condition in normal form: no and inside an and, no or inside an or, none of them
    /// with fewer than two parts, the words of one and gathered in its first word search,
    /// `not exists` written `empty`, an `in` of one value written `equals`.
    pub fn normal(self) -> Filter {
        match self {
            Filter::And(parts) => normal_and(parts),
            Filter::Or(parts) => {
                let mut flat = Vec::with_capacity(parts.len());
                for part in parts {
                    match part.normal() {
                        Filter::Or(inner) => flat.extend(inner),
                        other => flat.push(other),
                    }
                }
                match flat.len() {
                    0 => Filter::Not(Box::new(Filter::All)),
                    1 => flat.remove(0),
                    _ => Filter::Or(flat),
                }
            }
            Filter::Not(part) => match part.normal() {
                Filter::Comparison(c) if c.operator == Operator::Exists => {
                    Filter::Comparison(Comparison { operator: Operator::Empty, ..c })
                }
                other => Filter::Not(Box::new(other)),
            },
            Filter::Comparison(Comparison {
                field,
                operator: Operator::In,
                operand: Operand::Many(mut values),
            }) if values.len() == 1 => {
                Filter::Comparison(Comparison::one(field, Operator::Equals, values.remove(0)))
            }
            Filter::Words(words) if words.is_empty() => Filter::All,
            other => other,
        }
    }

    /// The number of comparisons and word searches in the tree.
    pub fn comparisons(&self) -> usize {
        match self {
            Filter::All => 0,
            Filter::And(parts) | Filter::Or(parts) => parts.iter().map(Filter::comparisons).sum(),
            Filter::Not(part) => part.comparisons(),
            Filter::Comparison(_) | Filter::Words(_) => 1,
        }
    }

    /// Calls `see` with every comparison, in order. Useful to learn which fields a filter reads.
    pub fn each_comparison<'a>(&'a self, see: &mut dyn FnMut(&'a Comparison)) {
        match self {
            Filter::All | Filter::Words(_) => {}
            Filter::And(parts) | Filter::Or(parts) => {
                parts.iter().for_each(|part| part.each_comparison(see));
            }
            Filter::Not(part) => part.each_comparison(see),
            Filter::Comparison(comparison) => see(comparison),
        }
    }

    /// Fails if the tree is deeper or has more comparisons than allowed; looks no deeper than
    /// allowed.
    pub(crate) fn within_limits(&self) -> Result<(), String> {
        if self.deeper_than(DEPTH_MAX) {
            return Err(format!("the filter is nested more than {DEPTH_MAX} levels deep"));
        }
        if self.comparisons() > COMPARISONS_MAX {
            return Err(format!("the filter has more than {COMPARISONS_MAX} comparisons"));
        }
        self.lists_within_limits()
    }

    fn lists_within_limits(&self) -> Result<(), String> {
        match self {
            Filter::And(parts) | Filter::Or(parts) => {
                parts.iter().try_for_each(Filter::lists_within_limits)
            }
            Filter::Not(part) => part.lists_within_limits(),
            Filter::Words(words) if words.len() > WORDS_MAX => {
                Err(format!("the filter searches for more than {WORDS_MAX} words"))
            }
            Filter::Comparison(Comparison { operand: Operand::Many(list), .. })
                if list.len() > LIST_MAX =>
            {
                Err(format!("a list has more than {LIST_MAX} values"))
            }
            Filter::All | Filter::Comparison(_) | Filter::Words(_) => Ok(()),
        }
    }

    fn deeper_than(&self, levels: usize) -> bool {
        match self {
            Filter::All | Filter::Comparison(_) | Filter::Words(_) => false,
            _ if levels == 0 => true,
            Filter::And(parts) | Filter::Or(parts) => {
                parts.iter().any(|p| p.deeper_than(levels - 1))
            }
            Filter::Not(part) => part.deeper_than(levels - 1),
        }
    }
}

fn normal_and(parts: Vec<Filter>) -> Filter {
    let mut flat: Vec<Filter> = Vec::with_capacity(parts.len());
    for part in parts {
        match part.normal() {
            Filter::And(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    let mut gathered: Vec<Filter> = Vec::with_capacity(flat.len());
    let mut place_of_words = None;
    for part in flat {
        match (part, place_of_words) {
            (Filter::Words(more), Some(place)) => {
                if let Some(Filter::Words(words)) = gathered.get_mut::<usize>(place) {
                    words.extend(more);
                }
            }
            (part, _) => {
                if matches!(part, Filter::Words(_)) {
                    place_of_words = Some(gathered.len());
                }
                gathered.push(part);
            }
        }
    }
    match gathered.len() {
        0 => Filter::All,
        1 => gathered.remove(0),
        _ => Filter::And(gathered),
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}
