//! Why a filter held or did not: the report shown to people and kept with every trigger decision.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::{
    Compiled, Nearness, Object, Operator, Value,
    compiled::{NEVER, Node, Prepared},
    json::operator_name,
    literal::time_text,
    words::occurs,
};

/// Actual values of one comparison that are kept; a certificate may have thousands of names.
const ACTUAL_MAX: usize = 20;
/// Characters kept of one actual value.
const ACTUAL_CHARS_MAX: usize = 200;

/// The report on one evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Whether the filter held.
    pub holds: bool,
    /// Whether it did not, but would have if one single comparison had come out otherwise.
    pub nearly: bool,
    /// The tree of the filter with what was found.
    pub reason: Reason,
}

/// What was found for one part of a filter.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// Holds for everything.
    All,
    /// All parts were needed.
    And {
        /// Whether all held.
        holds: bool,
        /// One report for each part, in order.
        parts: Vec<Reason>,
    },
    /// One part was enough.
    Or {
        /// Whether one held.
        holds: bool,
        /// One report for each part, in order.
        parts: Vec<Reason>,
    },
    /// The part was not to hold.
    Not {
        /// Whether it did not.
        holds: bool,
        /// The report of the part itself.
        part: Box<Reason>,
    },
    /// One comparison.
    Comparison {
        /// Whether it held.
        holds: bool,
        /// The field's canonical name.
        field: Arc<str>,
        /// How it was compared.
        operator: Operator,
        /// The comparison in the text spelling.
        text: Arc<str>,
        /// The operand, relative times resolved; `None` for `exists` and `empty`.
        expected: Option<Arc<str>>,
        /// The values found, at most 20, each at most 200 characters.
        actual: Vec<String>,
        /// How many values there were.
        actual_count: usize,
    },
    /// A word search.
    Words {
        /// Whether all occurred.
        holds: bool,
        /// The words, a prefix with its `*`.
        expected: Vec<String>,
        /// Those that did not occur.
        missing: Vec<String>,
    },
}

impl Compiled {
    /// Evaluates every comparison, also those that no longer matter, and reports what was found.
    /// `explain(..).holds` is the same as `holds(..)`.
    pub fn explain(&self, object: &dyn Object, now_us: i64) -> Explanation {
        let reason = self.root.explain(object, now_us);
        let holds = reason.holds();
        Explanation { holds, nearly: reason.distance(true) == 1, reason }
    }
}

impl Node {
    fn explain(&self, object: &dyn Object, now_us: i64) -> Reason {
        let each = |parts: &[Node]| -> Vec<Reason> {
            parts.iter().map(|part| part.explain(object, now_us)).collect()
        };
        match self {
            Node::All => Reason::All,
            Node::And(parts) => {
                let parts = each(parts);
                Reason::And { holds: parts.iter().all(Reason::holds), parts }
            }
            Node::Or(parts) => {
                let parts = each(parts);
                Reason::Or { holds: parts.iter().any(Reason::holds), parts }
            }
            Node::Not(part) => {
                let part = Box::new(part.explain(object, now_us));
                Reason::Not { holds: !part.holds(), part }
            }
            Node::Words(words) => {
                let texts = object.texts();
                let shown = |word: &super::Word| {
                    format!("{}{}", word.token, if word.prefix { "*" } else { "" })
                };
                let missing: Vec<String> =
                    words.iter().filter(|word| !occurs(word, &texts)).map(shown).collect();
                let expected = words.iter().map(shown).collect();
                Reason::Words { holds: missing.is_empty(), expected, missing }
            }
            Node::Comparison(prepared) => comparison(prepared, object, now_us),
        }
    }
}

fn comparison(prepared: &Prepared, object: &dyn Object, now_us: i64) -> Reason {
    let values = object.values(&prepared.comparison.field);
    let values = values.as_slice();
    Reason::Comparison {
        holds: prepared.holds(values, now_us),
        field: prepared.field.clone(),
        operator: prepared.comparison.operator,
        text: prepared.spelling.clone(),
        expected: prepared.expected(now_us),
        actual: values.iter().take(ACTUAL_MAX).map(shown).collect(),
        actual_count: values.len(),
    }
}

fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) if text.chars().nth(ACTUAL_CHARS_MAX).is_some() => {
            let head: String = text.chars().take(ACTUAL_CHARS_MAX - 1).collect();
            format!("{head}…")
        }
        Value::Text(text) => text.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Decimal(number) => number.to_string(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Time(micros) => time_text(*micros),
    }
}

impl Reason {
    /// Whether this part held.
    pub fn holds(&self) -> bool {
        match self {
            Reason::All => true,
            Reason::And { holds, .. }
            | Reason::Or { holds, .. }
            | Reason::Not { holds, .. }
            | Reason::Comparison { holds, .. }
            | Reason::Words { holds, .. } => *holds,
        }
    }

    /// The number of comparisons that would have to come out otherwise for this part to be
    /// `wanted`.
    fn distance(&self, wanted: bool) -> usize {
        let sum =
            |parts: &[Reason]| parts.iter().map(|p| p.distance(wanted)).sum::<usize>().min(NEVER);
        let least =
            |parts: &[Reason]| parts.iter().map(|p| p.distance(wanted)).min().unwrap_or(NEVER);
        match (self, wanted) {
            (Reason::All, true) => 0,
            (Reason::All, false) => NEVER,
            (Reason::And { parts, .. }, true) | (Reason::Or { parts, .. }, false) => sum(parts),
            (Reason::And { parts, .. }, false) | (Reason::Or { parts, .. }, true) => least(parts),
            (Reason::Not { part, .. }, _) => part.distance(!wanted),
            (Reason::Comparison { holds, .. } | Reason::Words { holds, .. }, _) => {
                usize::from(*holds != wanted)
            }
        }
    }

    /// The comparisons and word searches, in order, without the tree around them.
    pub fn leaves(&self) -> Vec<&Reason> {
        match self {
            Reason::All => Vec::new(),
            Reason::And { parts, .. } | Reason::Or { parts, .. } => {
                parts.iter().flat_map(Reason::leaves).collect()
            }
            Reason::Not { part, .. } => part.leaves(),
            leaf => vec![leaf],
        }
    }

    fn to_json(&self) -> Json {
        let each = |parts: &[Reason]| parts.iter().map(Reason::to_json).collect::<Vec<_>>();
        match self {
            Reason::All => json!({ "all": true, "holds": true }),
            Reason::And { holds, parts } => json!({ "and": each(parts), "holds": holds }),
            Reason::Or { holds, parts } => json!({ "or": each(parts), "holds": holds }),
            Reason::Not { holds, part } => json!({ "not": part.to_json(), "holds": holds }),
            Reason::Comparison { holds, field, operator, text, expected, actual, actual_count } => {
                json!({
                    "field": **field, "op": operator_name(*operator), "text": **text,
                    "expected": expected.as_deref(),
                    "actual": actual, "actual_count": actual_count, "holds": holds,
                })
            }
            Reason::Words { holds, expected, missing } => {
                json!({ "words": expected, "missing": missing, "holds": holds })
            }
        }
    }
}

impl Explanation {
    /// How near the object was.
    pub fn nearness(&self) -> Nearness {
        match (self.holds, self.nearly) {
            (true, _) => Nearness::Holds,
            (false, true) => Nearness::Nearly,
            (false, false) => Nearness::Far,
        }
    }

    /// The report as JSON: the shape of the filter's JSON spelling, each part with `holds`.
    pub fn to_json(&self) -> Json {
        json!({ "holds": self.holds, "nearly": self.nearly, "reason": self.reason.to_json() })
    }
}
