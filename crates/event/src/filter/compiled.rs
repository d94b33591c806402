//! The interpreter for one object. A [`Compiled`] filter is prepared once (types checked, regular
//! expressions built) and then evaluated on any number of objects; evaluating is total and pure.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use regex::Regex;

use super::{
    Comparison, Filter, FilterError, Literal, Object, Operand, Order, Place, Scalar, Schema, Test,
    Value, Word,
    error::Fault,
    text,
    words::{all_occur, starts_with_folded},
};

/// A filter that is ready to be evaluated.
#[derive(Clone, Debug)]
pub struct Compiled {
    pub(super) root: Node,
}

/// How near an object is to a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nearness {
    /// The filter holds.
    Holds,
    /// It does not, but would if one single comparison had come out otherwise.
    Nearly,
    /// Neither.
    Far,
}

/// The distance of a constant that cannot change.
pub(super) const NEVER: usize = usize::MAX / 4;

/// The tree with each comparison prepared.
#[derive(Clone, Debug)]
pub(super) enum Node {
    All,
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Comparison(Box<Prepared>),
    Words(Vec<Word>),
}

/// A comparison with all that evaluating it needs.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub comparison: Comparison,
    pub test: Test,
    /// The name of the field, for explanations.
    pub field: Arc<str>,
    /// The comparison in the text spelling, for explanations.
    pub spelling: Arc<str>,
    /// The operand, for explanations, where it is one that is the same at all times.
    operand: Option<Arc<str>>,
    regex: Option<Regex>,
}

impl Compiled {
    /// Prepares a filter; fails if a comparison does not fit the schema or the filter exceeds
    /// limits.
    pub fn new(filter: &Filter, schema: &Schema) -> Result<Self, FilterError> {
        filter.within_limits().map_err(|message| Fault::new(message).at(Place::Tree))?;
        Ok(Self { root: prepare(filter, schema)? })
    }

    /// The fields it looks at, by canonical name; `None` if it looks for words as well.
    pub fn fields(&self) -> Option<BTreeSet<&str>> {
        let mut fields = BTreeSet::new();
        self.root.gather(&mut fields).then_some(fields)
    }

    /// Whether the filter holds for the object at the time `now_us` (microseconds since 1970 UTC).
    pub fn holds(&self, object: &dyn Object, now_us: i64) -> bool {
        self.root.holds(object, now_us)
    }

    /// What [`Compiled::explain`] says of the object, without its report: nothing is written down.
    pub fn nearness(&self, object: &dyn Object, now_us: i64) -> Nearness {
        match self.root.distances(object, now_us).0 {
            0 => Nearness::Holds,
            1 => Nearness::Nearly,
            _ => Nearness::Far,
        }
    }
}

fn prepare(filter: &Filter, schema: &Schema) -> Result<Node, FilterError> {
    let each = |parts: &[Filter]| -> Result<Vec<Node>, FilterError> {
        parts.iter().map(|part| prepare(part, schema)).collect()
    };
    Ok(match filter {
        Filter::All => Node::All,
        Filter::And(parts) => Node::And(each(parts)?),
        Filter::Or(parts) => Node::Or(each(parts)?),
        Filter::Not(part) => Node::Not(Box::new(prepare(part, schema)?)),
        Filter::Words(words) => Node::Words(words.clone()),
        Filter::Comparison(comparison) => {
            let test = Test::new(comparison, schema)?;
            let regex = match &test {
                Test::Matches { pattern, fold } => Some(
                    super::pattern::compiled(pattern, *fold)
                        .map_err(|fault| fault.at(Place::Tree))?,
                ),
                _ => None,
            };
            let mut comparison = comparison.clone();
            if let Some(field) = schema.field(&comparison.field) {
                comparison.field.clone_from(&field.name);
            }
            let mut spelling = String::new();
            text::comparison_text(&comparison, &mut spelling);
            let (field, spelling) = (comparison.field.as_str().into(), spelling.into());
            // Told from now on, it is another one at each evaluation.
            let operand = match &comparison.operand {
                Operand::One(Literal::FromNow(_)) | Operand::Many(_) | Operand::None => None,
                Operand::One(literal) => Some(super::literal::plain_text(literal).into()),
            };
            let prepared = Prepared { comparison, test, field, spelling, operand, regex };
            Node::Comparison(Box::new(prepared))
        }
    })
}

/// Puts the distances of two parts together.
type Join = fn((usize, usize), (usize, usize)) -> (usize, usize);

impl Node {
    /// Gathers the fields; false: it looks for words.
    fn gather<'a>(&'a self, fields: &mut BTreeSet<&'a str>) -> bool {
        match self {
            Node::All => true,
            Node::And(parts) | Node::Or(parts) => parts.iter().all(|part| part.gather(fields)),
            Node::Not(part) => part.gather(fields),
            Node::Words(_) => false,
            Node::Comparison(prepared) => {
                fields.insert(&prepared.comparison.field);
                true
            }
        }
    }

    /// How many comparisons would have to come out otherwise for this part to hold, and how many
    /// for it not to.
    fn distances(&self, object: &dyn Object, now_us: i64) -> (usize, usize) {
        let leaf = |holds: bool| (usize::from(!holds), usize::from(holds));
        let each = |parts: &[Node], start: (usize, usize), join: Join| {
            parts.iter().fold(start, |sofar, part| join(sofar, part.distances(object, now_us)))
        };
        match self {
            Node::All => (0, NEVER),
            Node::And(parts) => {
                each(parts, (0, NEVER), |a, b| ((a.0 + b.0).min(NEVER), a.1.min(b.1)))
            }
            Node::Or(parts) => {
                each(parts, (NEVER, 0), |a, b| (a.0.min(b.0), (a.1 + b.1).min(NEVER)))
            }
            Node::Not(part) => {
                let (holds, fails) = part.distances(object, now_us);
                (fails, holds)
            }
            Node::Words(words) => leaf(all_occur(words, &object.texts())),
            Node::Comparison(prepared) => {
                let values = object.values(&prepared.comparison.field);
                leaf(prepared.holds(values.as_slice(), now_us))
            }
        }
    }

    fn holds(&self, object: &dyn Object, now_us: i64) -> bool {
        match self {
            Node::All => true,
            Node::And(parts) => parts.iter().all(|part| part.holds(object, now_us)),
            Node::Or(parts) => parts.iter().any(|part| part.holds(object, now_us)),
            Node::Not(part) => !part.holds(object, now_us),
            Node::Words(words) => all_occur(words, &object.texts()),
            Node::Comparison(prepared) => {
                prepared.holds(object.values(&prepared.comparison.field).as_slice(), now_us)
            }
        }
    }
}

impl Prepared {
    /// Whether the comparison holds for a field with these values.
    pub fn holds(&self, values: &[Value<'_>], now_us: i64) -> bool {
        let any = |fits: &dyn Fn(&Value<'_>) -> bool| values.iter().any(fits);
        match &self.test {
            Test::Exists => !values.is_empty(),
            Test::Empty => values.is_empty(),
            Test::Count(order, number) => {
                order.holds(i64::try_from(values.len()).unwrap_or(i64::MAX).cmp(number))
            }
            Test::AnyOf { values: wanted, fold } => any(&|value| {
                wanted.iter().any(|wanted| stands(Order::Equal, value, wanted, *fold, now_us))
            }),
            Test::NotEqual { value: unwanted, fold } => {
                !any(&|value| stands(Order::Equal, value, unwanted, *fold, now_us))
            }
            Test::Ordered(order, bound) => {
                any(&|value| stands(*order, value, bound, false, now_us))
            }
            Test::Within { from, to } => {
                let (from, to) = (now_us.saturating_add(*from), now_us.saturating_add(*to));
                any(&|value| matches!(value, Value::Time(at) if (from..=to).contains(at)))
            }
            Test::Contains { text, fold } => {
                any_text(values, |value| folded(value, *fold).contains(text))
            }
            Test::StartsWith { text, fold: true } => {
                any_text(values, |value| starts_with_folded(value, text))
            }
            Test::StartsWith { text, fold: false } => {
                any_text(values, |value| value.starts_with(text))
            }
            Test::EndsWith { text, fold } => {
                any_text(values, |value| folded(value, *fold).ends_with(text))
            }
            Test::Matches { fold, .. } => self.regex.as_ref().is_some_and(|regex| {
                any_text(values, |value| regex.is_match(&folded(value, *fold)))
            }),
        }
    }

    /// The operand as a person reads it, relative times resolved.
    pub fn expected(&self, now_us: i64) -> Option<Arc<str>> {
        if let Some(operand) = &self.operand {
            return Some(operand.clone());
        }
        let shown = |literal: &Literal| match literal {
            Literal::FromNow(micros) => super::literal::time_text(now_us.saturating_add(*micros)),
            other => super::literal::plain_text(other),
        };
        match &self.comparison.operand {
            Operand::None => None,
            Operand::One(literal) => Some(shown(literal).into()),
            Operand::Many(literals) => {
                Some(literals.iter().map(shown).collect::<Vec<_>>().join(", ").into())
            }
        }
    }
}

fn any_text(values: &[Value<'_>], fits: impl Fn(&str) -> bool) -> bool {
    values.iter().any(|value| matches!(value, Value::Text(text) if fits(text)))
}

/// The text in ASCII lower case if `fold`; a text without capitals is not copied.
fn folded(text: &str, fold: bool) -> Cow<'_, str> {
    match fold && text.bytes().any(|b| b.is_ascii_uppercase()) {
        true => Cow::Owned(text.to_ascii_lowercase()),
        false => Cow::Borrowed(text),
    }
}

/// Whether a value stands in a relation to a scalar of the same type; false for different types.
fn stands(order: Order, value: &Value<'_>, scalar: &Scalar, fold: bool, now_us: i64) -> bool {
    match (value, scalar) {
        (Value::Text(text), Scalar::Text(wanted)) => match fold {
            true => text.eq_ignore_ascii_case(wanted),
            false => text == wanted,
        },
        (Value::Integer(number), Scalar::Integer(wanted)) => order.holds(number.cmp(wanted)),
        (Value::Decimal(number), Scalar::Decimal(wanted)) => {
            number.partial_cmp(wanted).is_some_and(|found| order.holds(found))
        }
        (Value::Boolean(flag), Scalar::Boolean(wanted)) => order.holds(flag.cmp(wanted)),
        (Value::Time(at), Scalar::Time(wanted)) => order.holds(at.cmp(wanted)),
        (Value::Time(at), Scalar::FromNow(micros)) => {
            order.holds(at.cmp(&now_us.saturating_add(*micros)))
        }
        _ => false,
    }
}
