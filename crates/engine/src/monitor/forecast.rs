//! What a monitor will report in the days to come, with the inventory and the definition of now:
//! the ends of certificates are known, so the future can be computed.
//!
//! It asks the same course and the same silences as a run does, and changes nothing.

use std::collections::BTreeMap;

use chancery_event::Timestamp;
use chancery_store::table::monitor::{self as table, Watch};

use super::active::{Active, Subject};
use super::definition::Definition;
use super::threshold::Course;
use crate::automation::Class;
use crate::{Context, Engine, Error, Permission};

/// Days that a forecast looks ahead at most.
const DAYS_MAX: u32 = 3_660;
/// Objects read at a time.
const BATCH_MAX: usize = 500;
/// Items listed at most; counts cover everything up to the bound of objects.
const ITEMS_MAX: usize = 500;
/// Objects looked at at most.
const OBJECTS_MAX: usize = 100_000;

/// What will be reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecasted {
    /// When the threshold is crossed; the run that follows reports it.
    pub at: Timestamp,
    /// The object.
    pub object: String,
    /// What people call it; `None`: it is about a person, or has no name.
    pub name: Option<String>,
    /// The threshold, as in the definition.
    pub threshold: String,
    /// Why it will not be reported, as things are now.
    pub silent: Option<&'static str>,
}

/// The days to come of one monitor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// What comes, in order; the first 500.
    pub items: Vec<Forecasted>,
    /// How many will be reported, by day (start of the day, UTC).
    pub by_day: BTreeMap<Timestamp, u64>,
    /// How many will be reported.
    pub fires: u64,
    /// How many will be silent, by reason.
    pub silent: BTreeMap<&'static str, u64>,
    /// Not all objects were looked at: there are too many.
    pub cut: bool,
}

impl Engine {
    /// What a monitor will report in the next `days`.
    ///
    /// # Errors
    /// There is no such monitor, or it watches no objects.
    pub async fn forecast(
        &self,
        context: &Context,
        name: &str,
        days: u32,
    ) -> Result<Forecast, Error> {
        context.require(Permission::AutomationRead)?;
        if days == 0 || days > DAYS_MAX {
            return Err(Error::invalid("days", format!("1 to {DAYS_MAX}")));
        }
        let object = self.task(context, Class::Monitor, name).await?.object;
        let definition = Definition::read(&object.body)?;
        let Some(watched) = definition.kind.watched() else {
            return Ok(Forecast::default());
        };
        let mut link = self.link().await?;
        let active = Active::new(&mut link, name, object.version, definition).await?;
        let now = self.environment().now();
        let until = now.plus(i64::from(days) * Timestamp::DAY);
        let mut forecast = Forecast::default();
        let mut place = (Timestamp::FIRST, String::new());
        let mut seen = 0;
        loop {
            let batch = table::coming(&mut link, name, until, &place, BATCH_MAX).await?;
            let Some(last) = batch.last() else { break };
            place = (last.due_at, last.object.clone());
            seen += batch.len();
            let ids: Vec<_> = batch.iter().map(|watch| watch.object.clone()).collect();
            let spans = watched.spans(&mut link, &ids).await?;
            let of_certificates = active.definition.kind.has_filter();
            let found = match of_certificates {
                true => table::certificates(&mut link, &ids).await?,
                false => std::collections::HashMap::new(),
            };
            let subjects = found
                .into_iter()
                .map(|(id, (row, names, groups))| (id, Subject { row, names, groups }))
                .collect();
            let silences = active.silences(&mut link, &subjects, now).await?;
            for watch in &batch {
                let Some(span) = spans.iter().find(|span| span.object == watch.object) else {
                    continue;
                };
                let course = active.course(span.start, span.end);
                let name = subjects.get(&watch.object).and_then(|s| s.told().1.name);
                let silent = silences.get(&watch.object).map(|silence| silence.reason);
                for (at, position) in crossings(&course, watch, now, until) {
                    let threshold = active.definition.thresholds.get(position);
                    let threshold = threshold.map(ToString::to_string).unwrap_or_default();
                    let object = watch.object.clone();
                    forecast.add(Forecasted { at, object, name: name.clone(), threshold, silent });
                }
            }
            if seen >= OBJECTS_MAX {
                forecast.cut = true;
                break;
            }
        }
        forecast.items.sort_by(|a, b| (a.at, &a.object).cmp(&(b.at, &b.object)));
        forecast.items.truncate(ITEMS_MAX);
        Ok(forecast)
    }
}

/// What an object crosses until a time: what is overdue now as one, then each by itself.
fn crossings(
    course: &Course,
    watch: &Watch,
    now: Timestamp,
    until: Timestamp,
) -> Vec<(Timestamp, usize)> {
    let mut crossings = Vec::new();
    let mut handled = watch.handled;
    if let Some(crossed) = course.crossed(handled, now) {
        crossings.push((now, crossed.threshold));
        handled = crossed.handled;
    }
    while let Some(next) = course.next_after(handled).filter(|next| *next <= until) {
        let Some(crossed) = course.crossed(handled, next) else { break };
        crossings.push((next, crossed.threshold));
        handled = crossed.handled;
    }
    crossings
}

impl Forecast {
    fn add(&mut self, item: Forecasted) {
        match item.silent {
            Some(reason) => *self.silent.entry(reason).or_default() += 1,
            None => {
                let day = item.at.micros().div_euclid(Timestamp::DAY) * Timestamp::DAY;
                *self.by_day.entry(Timestamp::from_micros(day)).or_default() += 1;
                self.fires += 1;
            }
        }
        // Bounded, in an order that is only right once everything is there.
        if self.items.len() < ITEMS_MAX * 20 {
            self.items.push(item);
        }
    }
}
