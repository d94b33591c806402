//! What people see of jobs besides one page of them: the named queues, searches by time, and the
//! events that led to a job.

use std::collections::BTreeMap;

use chancery_event::Timestamp;
use chancery_event::filter::Filter;
use chancery_event::id::JobId;
use chancery_store::table::job::{self, Job, JobFilter};

use super::{LIST_MAX, runner, shown};
use crate::history::{EventQuery, SeenEvent};
use crate::{Context, Engine, Error, Permission};

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
#[derive(Clone, Debug, Default)]
pub struct JobQuery {
    /// In this state.
    pub state: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// In this queue.
    pub queue: Option<String>,
    /// Asked for at this time or later.
    pub from: Option<Timestamp>,
    /// Asked for before this time.
    pub to: Option<Timestamp>,
    /// From before this position.
    pub before: Option<(Timestamp, JobId)>,
    /// The next ones newer than this position: the way back.
    pub after: Option<(Timestamp, JobId)>,
    /// Jobs at most.
    pub limit: usize,
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
    /// Jobs, newest first.
    ///
    /// # Errors
    /// The caller may not see jobs.
    pub async fn find_jobs(&self, context: &Context, query: &JobQuery) -> Result<Vec<Job>, Error> {
        context.require(Permission::JobRead)?;
        let filter = JobFilter {
            state: query.state.as_deref(),
            kind: query.kind.as_deref(),
            queue: query.queue.as_deref(),
            from: query.from,
            to: query.to,
            before: query.before,
            after: query.after,
        };
        let limit = query.limit.clamp(1, LIST_MAX);
        let found = job::search(&mut self.link().await?, &filter, limit).await?;
        Ok(found.into_iter().map(shown).collect())
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
