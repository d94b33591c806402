//! What is kept of every evaluation, and how it is found again.
//!
//! An explanation holds every comparison with what was expected and what was there; fields that
//! name who acted are left out of it, because events erase them. Of a certificate that was not let
//! in, no value is kept at all.

use chancery_event::filter::{Filter, Schema};
use chancery_event::id::{EvaluationId, EventId};
use chancery_event::{LogIndex, Timestamp};
use chancery_store::Tx;
use chancery_store::table::evaluation::{self as table, search};
use serde_json::{Value, json};

use super::carry::{Ending, Step};
use super::evaluate::Evaluation;
use crate::{Context, Engine, Error, Permission};

pub use chancery_store::table::evaluation::Evaluation as Row;
pub use chancery_store::table::evaluation::search::FACETS;

/// Fields that events erase.
const ERASABLE: [&str; 2] = ["actor", "ip"];
/// Evaluations of one page at most: a thousand, and one to tell that there are more.
pub const PAGE_MAX: usize = 1_001;
/// Evaluations are counted up to this number.
const COUNT_MAX: u64 = 100_000;

/// What an evaluation was about.
pub(crate) struct Happened<'a> {
    pub(crate) log_index: Option<LogIndex>,
    pub(crate) event_id: EventId,
    pub(crate) event_type: &'a str,
    pub(crate) object: Option<String>,
    pub(crate) revision: i64,
    pub(crate) at: Timestamp,
    /// What was there is not to be kept.
    pub(crate) discreet: bool,
}

/// The row of an evaluation.
pub(crate) fn row(
    id: EvaluationId,
    happened: &Happened<'_>,
    evaluation: &Evaluation,
    steps: &[Step],
) -> Row {
    Row {
        id,
        log_index: happened.log_index,
        event_id: happened.event_id,
        event_type: happened.event_type.to_owned(),
        object: happened.object.clone(),
        scope: evaluation.scope.to_string(),
        trigger: evaluation.trigger.name.clone(),
        trigger_version: evaluation.trigger.version,
        revision: happened.revision,
        verdict: evaluation.verdict.as_str().to_owned(),
        failed: steps.iter().any(|step| matches!(step.ending, Ending::Failed(_))),
        explanation: explanation(evaluation, happened.discreet).to_string(),
        steps: steps_json(steps, happened.discreet).to_string(),
        took_us: evaluation.took_us,
        at: happened.at,
    }
}

/// Gives rows their identifiers anew, so that their order is that of the list: identifiers of the
/// same moment have none by themselves.
pub(crate) fn in_order(rows: &mut [Row]) {
    let mut ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    ids.sort();
    rows.iter_mut().zip(ids).for_each(|(row, id)| row.id = id);
}

/// Rules with every comparison.
pub fn explanation(evaluation: &Evaluation, discreet: bool) -> Value {
    let rules = evaluation.trigger.rules.iter().zip(&evaluation.found).map(|(rule, found)| {
        let mut told = found.to_json();
        withhold(&mut told["reason"], discreet);
        json!({
            "rule": rule.name,
            "version": rule.version,
            "holds": told["holds"].take(),
            "nearly": told["nearly"].take(),
            "reason": told["reason"].take(),
        })
    });
    rules.collect()
}

/// Takes values out that are not to be kept.
fn withhold(reason: &mut Value, discreet: bool) {
    for list in ["and", "or"] {
        if let Some(parts) = reason.get_mut(list).and_then(Value::as_array_mut) {
            parts.iter_mut().for_each(|part| withhold(part, discreet));
        }
    }
    if let Some(part) = reason.get_mut("not") {
        withhold(part, discreet);
    }
    let field = reason.get("field").and_then(Value::as_str).unwrap_or_default().to_owned();
    if (discreet || ERASABLE.contains(&field.as_str()))
        && let Some(actual) = reason.get_mut("actual")
    {
        *actual = json!(null);
    }
}

/// Takes out what evaluations of an event say of its values and those of its object: what they
/// compared with what, and what their steps wrote or told.
pub(crate) async fn erase(tx: &mut Tx, event: EventId) -> Result<(), Error> {
    let unreadable = |error| Error::Internal(format!("an evaluation: {error}"));
    for mut row in table::of_event(tx, event).await? {
        let mut rules: Value = serde_json::from_str(&row.explanation).map_err(unreadable)?;
        for rule in rules.as_array_mut().into_iter().flatten() {
            withhold(&mut rule["reason"], true);
        }
        let mut steps: Value = serde_json::from_str(&row.steps).map_err(unreadable)?;
        for step in steps.as_array_mut().into_iter().flatten() {
            step["does"] = step["step"].take();
            step["step"] = step["does"].clone();
            step["reason"] = Value::Null;
        }
        (row.explanation, row.steps) = (rules.to_string(), steps.to_string());
        table::retell(tx, &row).await?;
    }
    Ok(())
}

fn steps_json(steps: &[Step], discreet: bool) -> Value {
    let told = |step: &Step| match discreet {
        true => step.planned.word.to_owned(),
        false => step.planned.effect.told(),
    };
    let reason = |step: &Step| match &step.ending {
        Ending::Failed(reason) if !discreet => Some(reason.clone()),
        _ => None,
    };
    let json = |step: &Step| {
        json!({
            "action": step.planned.action.0,
            "version": step.planned.action.1,
            "step": step.planned.word,
            "does": told(step),
            "result": step.ending.as_str(),
            "reason": reason(step),
            "event": step.event.map(|id| id.to_string()),
        })
    };
    steps.iter().map(json).collect()
}

/// A question about evaluations.
#[derive(Clone, Debug)]
pub struct EvaluationQuery {
    /// Which.
    pub filter: Filter,
    /// Only what is older than this one.
    pub before: Option<EvaluationId>,
    /// Only what is newer than this one, the nearest of it; `before` counts first.
    pub after: Option<EvaluationId>,
    /// At most so many.
    pub limit: usize,
}

/// A page of evaluations with what lists show beside it.
#[derive(Clone, Debug)]
pub struct EvaluationPage {
    /// Newest first.
    pub items: Vec<Row>,
    /// There are newer ones.
    pub newer: bool,
    /// There are older ones.
    pub older: bool,
}

impl Engine {
    /// Reads a filter of evaluations.
    ///
    /// # Errors
    /// It cannot be understood; the error has the place.
    pub fn parse_evaluation_filter(&self, text: &str) -> Result<Filter, Error> {
        Ok(Filter::parse(text, &evaluation_schema())?)
    }

    /// A page of evaluations, newest first: none for who may not see all events.
    ///
    /// # Errors
    /// The caller may not see them.
    pub async fn evaluations(
        &self,
        context: &Context,
        query: &EvaluationQuery,
    ) -> Result<EvaluationPage, Error> {
        context.require(Permission::AutomationRead)?;
        if !self.sees_all_events(context).await? {
            return Ok(EvaluationPage { items: Vec::new(), newer: false, older: false });
        }
        let schema = evaluation_schema();
        let limit = query.limit.clamp(1, PAGE_MAX - 1);
        let upwards = query.before.is_none() && query.after.is_some();
        let from = query.before.or(query.after).map(|id| id.to_string());
        let mut link = self.link().await?;
        let search = self.search(&query.filter, &schema);
        let mut items = search.page(&mut link, from.as_deref(), upwards, limit + 1).await?;
        let more = items.len() > limit;
        items.truncate(limit);
        let (mut newer, mut older) = (query.before.is_some(), more);
        if upwards {
            items.reverse();
            (newer, older) = (more, true);
        }
        Ok(EvaluationPage { items, newer, older })
    }

    /// How many evaluations a filter selects, 100,000 at most, and the counts of its facets.
    ///
    /// # Errors
    /// The caller may not see them.
    #[allow(clippy::type_complexity)]
    pub async fn evaluation_counts(
        &self,
        context: &Context,
        filter: &Filter,
    ) -> Result<(u64, Vec<(&'static str, Vec<(String, u64)>)>), Error> {
        context.require(Permission::AutomationRead)?;
        if !self.sees_all_events(context).await? {
            return Ok((0, FACETS.iter().map(|field| (*field, Vec::new())).collect()));
        }
        let schema = evaluation_schema();
        let mut link = self.link().await?;
        let search = self.search(filter, &schema);
        let mut facets = Vec::with_capacity(FACETS.len());
        for field in FACETS {
            facets.push((field, search.facet(&mut link, field).await?));
        }
        Ok((search.count(&mut link, COUNT_MAX).await?, facets))
    }

    /// How many evaluations a filter selects.
    ///
    /// # Errors
    /// The caller may not see them.
    pub async fn evaluation_count(&self, context: &Context, filter: &Filter) -> Result<u64, Error> {
        context.require(Permission::AutomationRead)?;
        if !self.sees_all_events(context).await? {
            return Ok(0);
        }
        let schema = evaluation_schema();
        let mut link = self.link().await?;
        Ok(self.search(filter, &schema).count(&mut link, u64::from(u32::MAX)).await?)
    }

    /// How many evaluations fall into each span of `width_us` microseconds.
    ///
    /// # Errors
    /// The caller may not see them.
    pub async fn evaluation_histogram(
        &self,
        context: &Context,
        filter: &Filter,
        (from, to): (Timestamp, Timestamp),
        width_us: i64,
    ) -> Result<Vec<(Timestamp, u64)>, Error> {
        context.require(Permission::AutomationRead)?;
        if !self.sees_all_events(context).await? {
            return Ok(Vec::new());
        }
        let schema = evaluation_schema();
        let mut link = self.link().await?;
        Ok(self.search(filter, &schema).histogram(&mut link, from, to, width_us).await?)
    }

    /// One evaluation.
    ///
    /// # Errors
    /// There is none, it is kept no longer, or the caller may not see its event.
    pub async fn evaluation(&self, context: &Context, id: EvaluationId) -> Result<Row, Error> {
        context.require(Permission::AutomationRead)?;
        let found = table::find(&mut self.link().await?, id).await?;
        let row = found.ok_or_else(|| Error::not_found("evaluation", id))?;
        match self.require_event(context, row.event_id).await {
            Err(Error::NotFound { .. }) => Err(Error::not_found("evaluation", id)),
            may => may.map(|()| row),
        }
    }

    /// What reacted to an event, what did not, and why: in the order in which it was asked.
    ///
    /// # Errors
    /// The caller may not see it.
    pub async fn reactions(&self, context: &Context, event: EventId) -> Result<Vec<Row>, Error> {
        context.require(Permission::AutomationRead)?;
        self.require_event(context, event).await?;
        Ok(table::of_event(&mut self.link().await?, event).await?)
    }

    /// How often each trigger came to each verdict since a time: trigger, verdict, number.
    ///
    /// # Errors
    /// The caller may not see it.
    pub async fn verdicts(
        &self,
        context: &Context,
        since: Timestamp,
    ) -> Result<Vec<(String, String, u64)>, Error> {
        context.require(Permission::AutomationRead)?;
        Ok(table::verdicts(&mut self.link().await?, since).await?)
    }

    fn search<'a>(&self, filter: &'a Filter, schema: &'a Schema) -> search::Search<'a> {
        search::Search { filter, schema, now_us: self.environment().now().micros() }
    }
}

/// The fields evaluations are filtered by.
pub fn evaluation_schema() -> Schema {
    search::schema()
}
