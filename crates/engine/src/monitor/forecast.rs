//! What a monitor will report in the days to come, with the inventory and the definition of now:
//! the ends of certificates are known, so the future can be computed.
//!
//! It asks the same course and the same silences as a run does, drafts the same events, and changes
//! nothing. `reaction::ahead` asks the triggers about them.

use std::collections::{BTreeMap, HashMap};

use chancery_event::Timestamp;
use chancery_store::Link;
use chancery_store::table::monitor::{self as table, Span, Watch, Watched};

use super::active::{Active, Subject};
use super::definition::Definition;
use super::threshold::{Course, Crossed};
use super::timetable::Timetable;
use super::{alarm, certificate, token};
use crate::alert::NewAlert;
use crate::automation::Class;
use crate::scribe::Draft;
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
        let mut lookout = Lookout::new(&active, watched, now, until, None);
        let mut forecast = Forecast::default();
        while let Some(batch) = lookout.next(&mut link).await? {
            for coming in batch {
                let threshold = active.definition.thresholds.get(coming.crossed.threshold);
                forecast.add(Forecasted {
                    at: coming.at,
                    object: coming.object,
                    name: coming.name,
                    threshold: threshold.map(ToString::to_string).unwrap_or_default(),
                    silent: coming.silent,
                });
            }
        }
        forecast.cut = lookout.cut;
        forecast.items.sort_by(|a, b| (a.at, &a.object).cmp(&(b.at, &b.object)));
        forecast.items.truncate(ITEMS_MAX);
        Ok(forecast)
    }
}

/// Something that a monitor will come to.
pub(crate) struct Coming {
    /// When: of the crossing, or of the run that follows it.
    pub(crate) at: Timestamp,
    pub(crate) object: String,
    /// What people call it, unless that is about a person.
    pub(crate) name: Option<String>,
    pub(crate) crossed: Crossed,
    /// Why it will not be reported, as things are now.
    pub(crate) silent: Option<&'static str>,
    /// The event that the run will record; none where nothing is reported, or runs were not asked
    /// for.
    pub(crate) draft: Option<Draft>,
    /// The alert that it will raise, or count up.
    pub(crate) alert: Option<NewAlert>,
}

/// Looks ahead for one monitor, batch by batch.
pub(crate) struct Lookout<'a> {
    active: &'a Active,
    watched: Watched,
    now: Timestamp,
    until: Timestamp,
    /// Its runs: what is crossed between two of them is reported as one. Without it every crossing
    /// counts by itself.
    runs: Option<&'a Timetable>,
    /// It is not as it is saved: what is kept of its objects does not tell when they are due.
    is_draft: bool,
    place: (Timestamp, String),
    seen: usize,
    /// There are more objects than are looked at.
    pub(crate) cut: bool,
}

impl<'a> Lookout<'a> {
    pub(crate) fn new(
        active: &'a Active,
        watched: Watched,
        now: Timestamp,
        until: Timestamp,
        runs: Option<&'a Timetable>,
    ) -> Self {
        let place = (Timestamp::FIRST, String::new());
        Self { active, watched, now, until, runs, is_draft: false, place, seen: 0, cut: false }
    }

    /// The same for a monitor that is not saved as it is here.
    pub(crate) fn of_draft(self) -> Self {
        Self { is_draft: true, ..self }
    }

    /// The next objects, with when they are due; some of them may not be due until the end. Empty:
    /// that was all.
    async fn page(&mut self, link: &mut Link) -> Result<Vec<Watch>, Error> {
        let name = &self.active.name;
        if !self.is_draft {
            let page = table::coming(link, name, self.until, &self.place, BATCH_MAX).await?;
            if let Some(last) = page.last() {
                self.place = (last.due_at, last.object.clone());
            }
            return Ok(page);
        }
        let spans = self.watched.page(link, &self.place.1, BATCH_MAX).await?;
        if let Some(last) = spans.last() {
            self.place.1.clone_from(&last.object);
        }
        let ids: Vec<_> = spans.iter().map(|span| span.object.clone()).collect();
        let known = table::some(link, name, &ids).await?;
        let watch = |span: &Span| self.active.watch(span, known.get(&span.object), self.now);
        Ok(spans.iter().map(watch).collect())
    }

    /// The next batch; `None`: that was all.
    pub(crate) async fn next(&mut self, link: &mut Link) -> Result<Option<Vec<Coming>>, Error> {
        let (active, now) = (self.active, self.now);
        if self.seen >= OBJECTS_MAX {
            self.cut = true;
            return Ok(None);
        }
        let mut batch = self.page(link).await?;
        if batch.is_empty() {
            return Ok(None);
        }
        self.seen += batch.len();
        batch.retain(|watch| watch.due_at <= self.until);
        let ids: Vec<_> = batch.iter().map(|watch| watch.object.clone()).collect();
        let spans = self.watched.spans(link, &ids).await?;
        let of_certificates = active.definition.kind.has_filter();
        let found = match of_certificates {
            true => table::certificates(link, &ids).await?,
            false => HashMap::new(),
        };
        let tokens = match of_certificates {
            true => HashMap::new(),
            false => token::credentials(link, active.definition.kind, &ids, &spans).await?,
        };
        let spans: HashMap<_, _> = spans.iter().map(|span| (span.object.as_str(), span)).collect();
        let subjects: HashMap<_, _> = found
            .into_iter()
            .map(|(id, (row, names, groups))| {
                (id, Subject { row, names, groups, ra_profile: None })
            })
            .collect();
        let silences = active.silences(link, &subjects, now).await?;
        let mut coming = Vec::new();
        for watch in &batch {
            let Some(span) = spans.get(watch.object.as_str()) else { continue };
            let course = active.course(span.start, span.end);
            let subject = subjects.get(&watch.object);
            let name = subject.and_then(|subject| subject.told().1.name);
            let silent = silences.get(&watch.object).map(|silence| silence.reason);
            for (at, crossed) in self.crossings(&course, watch) {
                let token = tokens.get(&watch.object);
                let ended = || token.and_then(|of| token::silence(active.definition.kind, of, at));
                let silent = silent.or_else(ended);
                let draft = match (self.runs, silent, subject, token) {
                    (None, ..) | (_, Some(_), ..) => None,
                    (_, _, Some(of), _) => Some(certificate::draft(active, of, &crossed, at)?),
                    (_, _, _, Some(of)) => Some(token::draft(active, span, of, &crossed, at)?),
                    _ => None,
                };
                let kind = active.definition.kind;
                let alarm = match (&draft, subject) {
                    (None, _) => None,
                    (Some(_), Some(of)) => Some(certificate::alarm_of(of, at)),
                    (Some(_), None) => {
                        (!kind.looks_back()).then(|| token::alarm_of(kind, span, at))
                    }
                };
                let alert = alarm.map(|alarm| alarm::made(&active.name, alarm));
                let (object, name) = (watch.object.clone(), name.clone());
                coming.push(Coming { at, object, name, crossed, silent, draft, alert });
            }
        }
        Ok(Some(coming))
    }

    /// What an object crosses until the end: what is overdue now as one, then each by itself or as
    /// the runs find it.
    fn crossings(&self, course: &Course, watch: &Watch) -> Vec<(Timestamp, Crossed)> {
        let mut crossings = Vec::new();
        let mut handled = watch.handled;
        let found_at = |at: Timestamp| match self.runs {
            // A run at the very instant finds it.
            Some(runs) => runs.next_after(at.plus(-1)).unwrap_or(Timestamp::LAST),
            None => at,
        };
        let overdue = course.next_after(handled).is_some_and(|next| next <= self.now);
        let mut next = if overdue { Some(self.now) } else { course.next_after(handled) };
        while let Some(at) = next.map(found_at).filter(|at| *at <= self.until) {
            let Some(crossed) = course.crossed(handled, at) else { break };
            handled = crossed.handled;
            crossings.push((at, crossed));
            next = course.next_after(handled);
        }
        crossings
    }
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
