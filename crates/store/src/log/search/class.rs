//! Classes of events: type, severity and result together.
//!
//! A log of any size has a few hundred of them, and they can be read off the index by stepping from
//! one to the next. So a condition on type, family, kind, severity and outcome becomes a list of
//! classes, decided by the interpreter in memory.

use chancery_event::catalogue::Kind;
use chancery_event::filter::{Comparison, Filter, Literal, Object, Operand, Operator, Values};
use chancery_event::search::{family_of, kind_of, schema};

use super::refused;
use crate::{Error, Link};

/// Type, severity and result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) type_name: String,
    pub(super) severity: String,
    pub(super) result: String,
}

impl Object for Class {
    fn values(&self, field: &str) -> Values<'_> {
        match field {
            "type" => self.type_name.as_str().into(),
            "severity" => self.severity.as_str().into(),
            "outcome" => self.result.as_str().into(),
            "family" => family_of(&self.type_name).into(),
            "kind" => kind_of(&self.type_name).map(Kind::as_str).into(),
            _ => Values::None,
        }
    }
}

const FIELDS: [&str; 5] = ["type", "severity", "outcome", "family", "kind"];

/// Whether the filter asks something of the class and of nothing else.
pub(super) fn concerns_class(filter: &Filter) -> bool {
    names_classes(filter) && only(filter, &FIELDS)
}

/// Whether the filter has no words and names these fields only.
pub(super) fn only(filter: &Filter, fields: &[&str]) -> bool {
    match filter {
        Filter::All => true,
        Filter::Words(words) => words.is_empty(),
        Filter::And(parts) | Filter::Or(parts) => parts.iter().all(|part| only(part, fields)),
        Filter::Not(part) => only(part, fields),
        Filter::Comparison(comparison) => fields.contains(&comparison.field.as_str()),
    }
}

/// All classes that events have, sealed or not. Each step to the next is one look into the index,
/// however many events there are between.
pub(super) async fn all(link: &mut Link) -> Result<Vec<Class>, Error> {
    let sql = "WITH RECURSIVE t (type) AS (
             SELECT MIN(e.type) FROM event e
             UNION ALL
             SELECT (SELECT MIN(e.type) FROM event e WHERE e.type > t.type)
             FROM t WHERE t.type IS NOT NULL
         ), s (type, severity) AS (
             SELECT t.type, (SELECT MIN(e.severity) FROM event e WHERE e.type = t.type)
             FROM t WHERE t.type IS NOT NULL
             UNION ALL
             SELECT s.type, (SELECT MIN(e.severity) FROM event e
                             WHERE e.type = s.type AND e.severity > s.severity)
             FROM s WHERE s.severity IS NOT NULL
         ), r (type, severity, result) AS (
             SELECT s.type, s.severity, (SELECT MIN(e.result) FROM event e
                 WHERE e.type = s.type AND e.severity = s.severity)
             FROM s WHERE s.severity IS NOT NULL
             UNION ALL
             SELECT r.type, r.severity, (SELECT MIN(e.result) FROM event e
                 WHERE e.type = r.type AND e.severity = r.severity AND e.result > r.result)
             FROM r WHERE r.result IS NOT NULL
         ) SELECT type, severity, result FROM r WHERE result IS NOT NULL
         ORDER BY type, severity, result";
    link.rows(sql, vec![])
        .await?
        .iter()
        .map(|row| {
            Ok(Class {
                type_name: row.text("type")?,
                severity: row.text("severity")?,
                result: row.text("result")?,
            })
        })
        .collect()
}

/// The classes for which a filter that concerns nothing else holds.
pub(super) fn matching(filter: &Filter, classes: &[Class]) -> Result<Vec<Class>, Error> {
    let compiled = filter.compile(schema()).map_err(|error| refused(error.into()))?;
    Ok(classes.iter().filter(|class| compiled.holds(*class, 0)).cloned().collect())
}

/// The same condition on these classes, without the fields that no column has: `family` and `kind`
/// become lists of types.
pub(super) fn over_columns(filter: Filter, classes: &[Class]) -> Result<Filter, Error> {
    let each = |parts: Vec<Filter>| -> Result<Vec<Filter>, Error> {
        parts.into_iter().map(|part| over_columns(part, classes)).collect()
    };
    Ok(match filter {
        Filter::And(parts) => Filter::And(each(parts)?),
        Filter::Or(parts) => Filter::Or(each(parts)?),
        Filter::Not(part) => Filter::Not(Box::new(over_columns(*part, classes)?)),
        Filter::Comparison(comparison)
            if matches!(comparison.field.as_str(), "family" | "kind") =>
        {
            let found = matching(&Filter::Comparison(comparison), classes)?;
            let mut names: Vec<String> = found.into_iter().map(|class| class.type_name).collect();
            names.dedup();
            Filter::Comparison(Comparison {
                field: "type".to_owned(),
                operator: Operator::In,
                operand: Operand::Many(names.into_iter().map(Literal::Text).collect()),
            })
        }
        other => other,
    })
}

/// Whether a filter asks something of the class.
pub(super) fn names_classes(filter: &Filter) -> bool {
    let mut named = false;
    filter.each_comparison(&mut |comparison| {
        named |= FIELDS.contains(&comparison.field.as_str());
    });
    named
}
