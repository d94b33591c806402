//! A filter of certificates taken apart: which of its parts the counts can answer, and what remains
//! for the rows.

use chancery_event::filter::{Comparison, Filter, Literal, Operand, Operator, Order, Scalar, Test};

use super::Search;
use super::columns::{CountColumns, HourColumns, InventoryColumns, KIND};
use super::source::Source;
use crate::filter_sql::{Columns, Dialect, compile};
use crate::{Error, Link, SqlValue, args};

/// With more different counts than this they are not asked: certificates differ too much.
const COUNTS_MAX: i64 = 20_000;

/// A statement being written: its arguments so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Statement {
    pub(super) values: Vec<SqlValue>,
}

impl Statement {
    /// Adds an argument and names its placeholder.
    pub(super) fn push(&mut self, value: impl Into<SqlValue>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// The text with its `?` replaced by placeholders of these values.
    pub(super) fn spell(&mut self, text: &str, values: &[SqlValue]) -> String {
        let mut values = values.iter();
        let mut sql = String::with_capacity(text.len() + 16);
        for (place, piece) in text.split('?').enumerate() {
            if place > 0 {
                sql.push_str(&self.push(values.next().cloned().unwrap_or(SqlValue::Null)));
            }
            sql.push_str(piece);
        }
        sql
    }
}

/// A filter ready to be answered.
pub(super) struct Plan<'a> {
    pub(super) columns: InventoryColumns<'a>,
    pub(super) now_us: i64,
    pub(super) dialect: Dialect,
    /// All of them have to hold. Whether archived ones are left out is one of them.
    pub(super) parts: Vec<Filter>,
    /// The end of validity must lie from the first time up to but not including the second: what
    /// the parts in [`Plan::bounding`] ask for.
    pub(super) times: (i64, i64),
    /// Parts that [`Plan::times`] says all of.
    pub(super) bounding: Vec<usize>,
    /// The kinds that fit and how many certificates are of them; `None`: not asked or not known.
    pub(super) kinds: Option<(Vec<Vec<SqlValue>>, u64)>,
    /// No certificate can be selected.
    pub(super) is_void: bool,
    /// The counts are few enough to be asked.
    pub(super) counted: bool,
}

impl<'a> Plan<'a> {
    pub(super) async fn new(search: &Search<'a>, link: &mut Link) -> Result<Self, Error> {
        let columns = InventoryColumns { schema: search.schema, attributes: search.attributes };
        let mut names_archived = false;
        search.filter.each_comparison(&mut |comparison| {
            let field = search.schema.field(&comparison.field);
            names_archived |= field.is_some_and(|field| field.name == "archived");
        });
        let mut parts = match search.filter.clone().normal() {
            Filter::And(parts) => parts,
            Filter::All => Vec::new(),
            other => vec![other],
        };
        if !names_archived {
            let comparison = Comparison {
                field: "archived".to_owned(),
                operator: Operator::Equals,
                operand: Operand::One(Literal::Boolean(false)),
            };
            parts.push(Filter::Comparison(comparison));
        }
        let now_us = search.now_us;
        let mut plan = Self {
            columns,
            now_us,
            dialect: link.dialect(),
            parts,
            times: (i64::MIN, i64::MAX),
            bounding: Vec::new(),
            kinds: None,
            is_void: false,
            counted: false,
        };
        plan.bound();
        plan.ask_counts(link).await?;
        Ok(plan)
    }

    /// Takes the times out of the parts.
    fn bound(&mut self) {
        for place in 0..self.parts.len() {
            let Some(test) = self.test_of(place, "expires") else { continue };
            let Some((from, to)) = bounds(&test, self.now_us) else { continue };
            self.times = (self.times.0.max(from), self.times.1.min(to));
            self.bounding.push(place);
        }
        self.is_void = self.times.0 >= self.times.1;
    }

    /// What the counts tell before any certificate is looked at.
    async fn ask_counts(&mut self, link: &mut Link) -> Result<(), Error> {
        let sql = "SELECT COUNT(*) AS n FROM
                   (SELECT 1 FROM certificate_count WHERE group_id = '' LIMIT $1) AS few";
        self.counted = link.number(sql, args![COUNTS_MAX + 1]).await? <= COUNTS_MAX;
        if !self.counted {
            return Ok(());
        }
        let counts = CountColumns { schema: self.columns.schema };
        let (known, _) = self.divided(&counts);
        if known.is_empty() {
            return Ok(());
        }
        let mut statement = Statement::default();
        let fits = self.over(&counts, &known, &mut statement)?;
        let kind: Vec<Filter> =
            known.into_iter().filter(|part| self.names_only(part, &KIND)).collect();
        let sql = format!(
            "SELECT CAST(SUM(k.certificates) AS BIGINT) AS n FROM certificate_count k
             WHERE k.group_id = '' AND {fits}"
        );
        self.is_void |= link.number(sql, statement.values).await? == 0;
        if !kind.is_empty() && !self.is_void {
            let mut statement = Statement::default();
            let fits = self.over(&counts, &kind, &mut statement)?;
            self.kinds = super::source::kinds(link, &fits, statement).await?;
        }
        Ok(())
    }

    /// The parts whose fields all have a column there, and whether that is every part.
    pub(super) fn divided(&self, columns: &dyn Columns) -> (Vec<Filter>, bool) {
        let fits = |part: &&Filter| compile(part, columns, self.dialect, self.now_us, 1).is_ok();
        let known: Vec<Filter> = self.parts.iter().filter(fits).cloned().collect();
        let all = known.len() == self.parts.len();
        (known, all)
    }

    /// A condition of these parts over other columns.
    pub(super) fn over(
        &self,
        columns: &dyn Columns,
        parts: &[Filter],
        statement: &mut Statement,
    ) -> Result<String, Error> {
        let first = statement.values.len() + 1;
        let filter = Filter::And(parts.to_vec());
        let fragment = compile(&filter, columns, self.dialect, self.now_us, first)
            .map_err(|error| Error::Damaged(format!("filter: {error}")))?;
        statement.values.extend(fragment.args);
        Ok(fragment.sql)
    }

    /// The parts over the counts by hour, if together with the times they are all.
    pub(super) fn by_hour(&self) -> Option<Vec<Filter>> {
        let hours = HourColumns { schema: self.columns.schema };
        let others = self.parts.iter().enumerate();
        let others = others.filter(|(place, _)| !self.bounding.contains(place));
        let others: Vec<Filter> = others.map(|(_, part)| part.clone()).collect();
        let fits = |part: &Filter| compile(part, &hours, self.dialect, self.now_us, 1).is_ok();
        others.iter().all(fits).then_some(others)
    }

    /// All of the filter that the source has not answered, over `certificate c`.
    pub(super) fn condition(
        &self,
        source: Option<&Source>,
        statement: &mut Statement,
    ) -> Result<String, Error> {
        let answered = source.map_or(&[][..], |source| &source.answers);
        let parts: Vec<Filter> = self
            .parts
            .iter()
            .enumerate()
            .filter(|(place, _)| !answered.contains(place))
            .map(|(_, part)| part.clone())
            .collect();
        self.over(&self.columns, &parts, statement)
    }

    /// What a part asks of a field, if it is a comparison of that field.
    pub(super) fn test_of(&self, place: usize, field: &str) -> Option<Test> {
        let (name, test) = self.test(place)?;
        (name == field).then_some(test)
    }

    /// The canonical name of the field that a part compares, and what it asks of it.
    pub(super) fn test(&self, place: usize) -> Option<(&'a str, Test)> {
        let Filter::Comparison(comparison) = self.parts.get(place)? else { return None };
        self.test_in(comparison)
    }

    /// The canonical name of the field that is compared, and what is asked of it.
    pub(super) fn test_in(&self, comparison: &Comparison) -> Option<(&'a str, Test)> {
        let field = self.columns.schema.field(&comparison.field)?;
        Some((&field.name, Test::new(comparison, self.columns.schema).ok()?))
    }

    /// Whether a part has no words and names these fields only.
    pub(super) fn names_only(&self, part: &Filter, fields: &[&str]) -> bool {
        let each = |parts: &[Filter]| parts.iter().all(|part| self.names_only(part, fields));
        match part {
            Filter::All => true,
            Filter::Words(words) => words.is_empty(),
            Filter::And(parts) | Filter::Or(parts) => each(parts),
            Filter::Not(part) => self.names_only(part, fields),
            Filter::Comparison(comparison) => {
                let field = self.columns.schema.field(&comparison.field);
                field.is_some_and(|field| fields.contains(&field.name.as_str()))
            }
        }
    }
}

/// The one span of time that a test asks for.
pub(super) fn bounds(test: &Test, now_us: i64) -> Option<(i64, i64)> {
    let moment = |scalar: &Scalar| match scalar {
        Scalar::Time(at) => Some(*at),
        Scalar::FromNow(after) => Some(now_us.saturating_add(*after)),
        _ => None,
    };
    match test {
        Test::Ordered(order, scalar) => {
            let at = moment(scalar)?;
            let next = at.saturating_add(1);
            Some(match order {
                Order::Equal => (at, next),
                Order::Less => (i64::MIN, at),
                Order::LessOrEqual => (i64::MIN, next),
                Order::Greater => (next, i64::MAX),
                Order::GreaterOrEqual => (at, i64::MAX),
                Order::NotEqual => return None,
            })
        }
        Test::AnyOf { values, .. } => match values.as_slice() {
            [value] => moment(value).map(|at| (at, at.saturating_add(1))),
            _ => None,
        },
        Test::Within { from, to } => {
            Some((now_us.saturating_add(*from), now_us.saturating_add(*to).saturating_add(1)))
        }
        _ => None,
    }
}
