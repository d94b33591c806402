//! What people see of jobs besides one page of them: the named queues, searches by time, and the
//! events that led to a job.

use std::collections::BTreeMap;

use chancery_event::Timestamp;
use chancery_event::filter::{Filter, Schema};
use chancery_event::id::JobId;
use chancery_store::table::job::search::{self, Position};
use chancery_store::table::job::{self, Job};

use super::{LIST_MAX, runner, shown};
use crate::history::{EventQuery, SeenEvent};
use crate::{Context, Engine, Error, Permission};

pub use chancery_store::table::job::search::{
    COUNTED_MAX as JOBS_COUNTED_MAX, Counts, FACETS, STATES,
};

/// Causes that are followed at most: events stop causing each other long before.
const CAUSES_MAX: usize = 16;
/// Jobs of one queue at a time at most.
const AT_A_TIME_MAX: usize = 256;

/// A named queue as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueView {
    /// Its name.
    pub name: &'static str,
    /// How many of its jobs run at a time, whatever the other queues do.
    pub at_a_time: usize,
    /// How many run.
    pub running: u64,
    /// How many wait.
    pub queued: u64,
}

/// Which jobs, newest first.
#[derive(Clone, Debug)]
pub struct JobQuery {
    /// The filter.
    pub filter: Filter,
    /// From before this position.
    pub before: Option<Position>,
    /// The next ones newer than this position: the way back. Counts where `before` is not set.
    pub after: Option<Position>,
    /// Jobs at most; bounded by `LIST_MAX`.
    pub limit: usize,
}

/// A page of jobs with what lists show beside it.
#[derive(Clone, Debug)]
pub struct JobPage {
    /// Newest first.
    pub items: Vec<Job>,
    /// There are newer ones.
    pub newer: bool,
    /// There are older ones.
    pub older: bool,
}

/// Limits of queues as somebody wrote them: `upload=4 import=2`, by name of the queue.
///
/// # Errors
/// What is wrong and what is expected.
pub fn queue_limits(text: &str) -> Result<BTreeMap<String, usize>, String> {
    let mut limits = BTreeMap::new();
    for pair in text.split([' ', ',']).filter(|pair| !pair.is_empty()) {
        let (name, number) = pair.split_once('=').unwrap_or((pair, ""));
        let known: Vec<_> = runner::QUEUES.iter().map(|queue| queue.name).collect();
        if !known.contains(&name) {
            return Err(format!("there is no queue “{name}”; there are {}", known.join(", ")));
        }
        let number = number.parse::<usize>().ok().filter(|n| (1..=AT_A_TIME_MAX).contains(n));
        let refuse = || format!("{name}: a number of jobs between 1 and {AT_A_TIME_MAX}");
        limits.insert(name.to_owned(), number.ok_or_else(refuse)?);
    }
    Ok(limits)
}

impl Engine {
    /// The fields jobs are filtered by.
    pub fn job_schema(&self) -> Schema {
        search::schema()
    }

    /// Reads a search expression for jobs.
    ///
    /// # Errors
    /// It cannot be understood; the error says where and what may have been meant.
    pub fn parse_job_filter(&self, text: &str) -> Result<Filter, Error> {
        Ok(Filter::parse(text, &search::schema())?)
    }

    /// A page of jobs, newest first: their own for who may not see all events, here and in counts.
    ///
    /// # Errors
    /// The caller may not see jobs.
    pub async fn find_jobs(&self, context: &Context, query: &JobQuery) -> Result<JobPage, Error> {
        context.require(Permission::JobRead)?;
        let limit = query.limit.clamp(1, LIST_MAX);
        let upwards = query.before.is_none() && query.after.is_some();
        let from = query.before.or(query.after);
        let (filter, all) = self.jobs_in_sight(context, &query.filter).await?;
        let mut link = self.link().await?;
        let schema = search::schema();
        let mut items =
            self.job_search(&filter, &schema).page(&mut link, from, upwards, limit + 1).await?;
        let more = items.len() > limit;
        let over = items.len().saturating_sub(limit);
        if upwards {
            items.drain(..over);
        } else {
            items.truncate(limit);
        }
        let (newer, older) = if upwards { (more, true) } else { (query.before.is_some(), more) };
        Ok(JobPage { items: items.into_iter().map(|job| shown(job, all)).collect(), newer, older })
    }

    /// How many jobs a filter selects, and the counts of its facets, among the newest
    /// [`JOBS_COUNTED_MAX`].
    ///
    /// # Errors
    /// The caller may not see jobs.
    pub async fn job_counts(&self, context: &Context, filter: &Filter) -> Result<Counts, Error> {
        context.require(Permission::JobRead)?;
        let (filter, _) = self.jobs_in_sight(context, filter).await?;
        let schema = search::schema();
        Ok(self.job_search(&filter, &schema).counts(&mut self.link().await?).await?)
    }

    /// How many jobs a filter selects.
    ///
    /// # Errors
    /// The caller may not see jobs.
    pub async fn job_count(&self, context: &Context, filter: &Filter) -> Result<u64, Error> {
        context.require(Permission::JobRead)?;
        let (filter, _) = self.jobs_in_sight(context, filter).await?;
        let schema = search::schema();
        Ok(self.job_search(&filter, &schema).count(&mut self.link().await?).await?)
    }

    /// How many jobs were asked for in each span of `width_us` microseconds.
    ///
    /// # Errors
    /// The caller may not see jobs.
    pub async fn job_histogram(
        &self,
        context: &Context,
        filter: &Filter,
        (from, to): (Timestamp, Timestamp),
        width_us: i64,
    ) -> Result<Vec<(Timestamp, u64)>, Error> {
        context.require(Permission::JobRead)?;
        let (filter, _) = self.jobs_in_sight(context, filter).await?;
        let schema = search::schema();
        let mut link = self.link().await?;
        Ok(self.job_search(&filter, &schema).histogram(&mut link, from, to, width_us).await?)
    }

    /// The filter over the jobs in sight, and whether those are all.
    async fn jobs_in_sight(
        &self,
        context: &Context,
        filter: &Filter,
    ) -> Result<(Filter, bool), Error> {
        let Some(own) = self.own_jobs_alone(context).await? else {
            return Ok((filter.clone(), true));
        };
        let own = self.parse_job_filter(&format!("by:\"{own}\""))?;
        Ok((Filter::And(vec![own, filter.clone()]), false))
    }

    /// Who the jobs in sight were asked for by, where it is not everybody: who may not see all
    /// events sees their own.
    pub(super) async fn own_jobs_alone(&self, context: &Context) -> Result<Option<String>, Error> {
        if self.sees_all_events(context).await? {
            return Ok(None);
        }
        Ok(Some(super::asked_by(&context.actor)))
    }

    fn job_search<'a>(&self, filter: &'a Filter, schema: &'a Schema) -> search::Search<'a> {
        search::Search { filter, schema, now_us: self.environment().now().micros() }
    }

    /// The named queues with their limits and what is in them.
    ///
    /// # Errors
    /// The caller may not see jobs.
    pub async fn job_queues(&self, context: &Context) -> Result<Vec<QueueView>, Error> {
        context.require(Permission::JobRead)?;
        let counts = job::queue_counts(&mut self.link().await?).await?;
        let count = |name: &str, state: &str| {
            let of = counts.iter().find(|(queue, of, _)| queue == name && of == state);
            of.map_or(0, |(_, _, count)| *count)
        };
        Ok(runner::queues(self.settings())
            .iter()
            .map(|queue| QueueView {
                name: queue.name,
                at_a_time: queue.at_a_time,
                running: count(queue.name, "running"),
                queued: count(queue.name, "queued"),
            })
            .collect())
    }

    /// The events that led to a job, the nearest first: what queued it, what caused that, and so
    /// on. Empty until the first of them is sealed.
    ///
    /// # Errors
    /// There is no such job, or the caller may not see jobs or events.
    pub async fn job_causes(&self, context: &Context, id: JobId) -> Result<Vec<SeenEvent>, Error> {
        self.job(context, id).await?;
        let text = format!("type:job.queued target:\"job/{id}\"");
        let filter = Filter::parse(&text, self.event_schema())?;
        let query = EventQuery { filter, before: None, from: None, limit: 1, oldest_first: true };
        let mut chain = self.events(context, query).await?.events;
        while let Some(cause) = chain.last().and_then(|seen| seen.event.cause) {
            if chain.len() >= CAUSES_MAX {
                break;
            }
            match self.event(context, cause).await {
                Ok(seen) => chain.push(seen),
                // Not sealed yet, or out of the hot tables.
                Err(Error::NotFound { .. }) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(chain)
    }
}

#[cfg(test)]
mod tests {
    use super::queue_limits;

    #[test]
    fn limits_of_queues_are_read_or_refused() {
        let limits = queue_limits("upload=2, import=9").unwrap();
        assert_eq!((limits["upload"], limits["import"]), (2, 9));
        assert!(queue_limits("").unwrap().is_empty());
        for wrong in ["upload", "upload=0", "upload=x", "uplod=2", "upload=257"] {
            assert!(queue_limits(wrong).is_err(), "{wrong}");
        }
    }
}
