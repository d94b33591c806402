//! Searching jobs: fields, pages, counts, histogram. Newest first, by when they were asked for and
//! their identifier, so that nothing is skipped or repeated while others write.

use std::collections::BTreeMap;

use chancery_event::Timestamp;
use chancery_event::filter::{Field, FieldKind, Filter, Keywords, Schema, Word};
use chancery_event::id::JobId;

use super::{COLUMNS, Job, read};
use crate::filter_sql::{Arguments, Column, Columns, Dialect, SqlFragment, compile};
use crate::{Error, Link, SqlValue, args, value};

/// Fields that lists offer with counts.
pub const FACETS: [&str; 3] = ["state", "kind", "queue"];
/// States of a job.
pub const STATES: [&str; 5] = ["queued", "running", "success", "failed", "cancelled"];
/// Jobs that counts look at, the newest ones.
pub const COUNTED_MAX: u64 = 20_000;

/// The fields jobs are filtered by.
pub fn schema() -> Schema {
    let open = || FieldKind::Keyword(Keywords::open());
    let time = |name: &str, doc: &str| Field::new(name, FieldKind::Timestamp, doc);
    let number = |name: &str, doc: &str| Field::new(name, FieldKind::Integer, doc);
    Schema::new(
        "job",
        vec![
            Field::new("state", FieldKind::Keyword(Keywords::known(STATES)), "State")
                .alias("status")
                .facet(),
            Field::new("kind", open(), "What it does, such as certificate.import")
                .alias("type")
                .facet(),
            Field::new("queue", open(), "The queue it waits in").facet(),
            Field::new("name", FieldKind::Text, "What people call it"),
            Field::new("by", open(), "Who or what asked for it, as kind/id: schedule/nightly")
                .alias("triggered_by"),
            time("asked", "When it was asked for").alias("scheduled"),
            time("due", "Not before this time").alias("run_at"),
            time("started", "When it began"),
            time("ended", "When it ended").alias("completed"),
            number("attempts", "Tries so far").alias("tries"),
            number("took", "From its start to its end, in milliseconds").alias("duration"),
            Field::new("id", FieldKind::Id, "Its identifier"),
        ],
    )
}

struct JobColumns<'a>(&'a Schema);

impl Columns for JobColumns<'_> {
    fn schema(&self) -> &Schema {
        self.0
    }

    fn column(&self, field: &str) -> Option<Column> {
        Some(match field {
            "state" | "kind" | "queue" | "name" | "attempts" | "id" => {
                Column::plain(format!("j.{field}"))
            }
            "by" => Column::plain("j.triggered_by"),
            "asked" => Column::plain("j.scheduled_at"),
            "due" => Column::plain("j.run_at"),
            "started" => Column::nullable("j.started_at"),
            "ended" => Column::nullable("j.completed_at"),
            "took" => Column::nullable("((j.completed_at - j.started_at) / 1000)"),
            _ => return None,
        })
    }

    fn words(&self, words: &[Word], _: Dialect, arguments: &mut Arguments) -> Option<String> {
        // Their words are those of the name, the kind and who asked.
        let text = "lower(j.name || ' ' || j.kind || ' ' || j.triggered_by)";
        Some(arguments.containing(words, text))
    }
}

/// A filter with what it needs to be run.
pub struct Search<'a> {
    /// The filter.
    pub filter: &'a Filter,
    /// The fields it was parsed with.
    pub schema: &'a Schema,
    /// The present, microseconds since the Unix epoch.
    pub now_us: i64,
}

/// A place in the list: when the job was asked for, and which it is.
pub type Position = (Timestamp, JobId);

/// How many jobs a filter selects, among the newest that are looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many, [`COUNTED_MAX`] at most.
    pub all: u64,
    /// For each of [`FACETS`], its values with their counts, the most frequent first.
    pub facets: Vec<(&'static str, Vec<(String, u64)>)>,
}

impl Search<'_> {
    fn condition(&self, dialect: Dialect, first: usize) -> Result<SqlFragment, Error> {
        compile(self.filter, &JobColumns(self.schema), dialect, self.now_us, first)
            .map_err(|error| Error::Damaged(format!("filter: {error}")))
    }

    /// A page, newest first: from before a position, or, with `upwards`, the next ones newer than
    /// it.
    pub async fn page(
        &self,
        link: &mut Link,
        from: Option<Position>,
        upwards: bool,
        limit: usize,
    ) -> Result<Vec<Job>, Error> {
        let mut values: Vec<SqlValue> = args![limit];
        let (sign, order) = if upwards { (">", "ASC") } else { ("<", "DESC") };
        let beyond = match from {
            Some((at, id)) => {
                values.extend([at.into(), value::id(id)]);
                format!("(j.scheduled_at, j.id) {sign} ($2, $3) AND")
            }
            None => String::new(),
        };
        let fragment = self.condition(link.dialect(), values.len() + 1)?;
        let sql = format!(
            "SELECT {COLUMNS} FROM job j WHERE {beyond} ({})
             ORDER BY j.scheduled_at {order}, j.id {order} LIMIT $1",
            fragment.sql
        );
        values.extend(fragment.args);
        let mut jobs: Vec<Job> =
            link.rows(sql, values).await?.iter().map(read).collect::<Result<_, _>>()?;
        if upwards {
            jobs.reverse();
        }
        Ok(jobs)
    }

    /// Counts of what the filter selects, among the newest [`COUNTED_MAX`] that it does.
    pub async fn counts(&self, link: &mut Link) -> Result<Counts, Error> {
        let fragment = self.condition(link.dialect(), 2)?;
        let sql = format!(
            "SELECT state, kind, queue, COUNT(*) AS n FROM (
                 SELECT j.state, j.kind, j.queue FROM job j WHERE {}
                 ORDER BY j.scheduled_at DESC, j.id DESC LIMIT $1) few
             GROUP BY state, kind, queue",
            fragment.sql
        );
        let mut values: Vec<SqlValue> = args![COUNTED_MAX];
        values.extend(fragment.args);
        let mut by: [BTreeMap<String, u64>; 3] = Default::default();
        let mut all = 0;
        for row in link.rows(sql, values).await? {
            let count = row.count("n")?;
            all += count;
            for (values, field) in by.iter_mut().zip(FACETS) {
                *values.entry(row.text(field)?).or_default() += count;
            }
        }
        let mut facets = Vec::with_capacity(FACETS.len());
        for (field, values) in FACETS.into_iter().zip(by) {
            let mut values: Vec<_> = values.into_iter().collect();
            values.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            facets.push((field, values));
        }
        Ok(Counts { all, facets })
    }

    /// How many the filter selects.
    pub async fn count(&self, link: &mut Link) -> Result<u64, Error> {
        let fragment = self.condition(link.dialect(), 1)?;
        let sql = format!("SELECT COUNT(*) AS n FROM job j WHERE {}", fragment.sql);
        link.row(sql, fragment.args).await?.map_or(Ok(0), |row| row.count("n"))
    }

    /// How many were asked for in each span of `width` microseconds from `from` to `to`.
    pub async fn histogram(
        &self,
        link: &mut Link,
        from: Timestamp,
        to: Timestamp,
        width: i64,
    ) -> Result<Vec<(Timestamp, u64)>, Error> {
        let fragment = self.condition(link.dialect(), 4)?;
        let sql = format!(
            "SELECT $1 + (j.scheduled_at - $1) / $3 * $3 AS span, COUNT(*) AS n FROM job j
             WHERE j.scheduled_at >= $1 AND j.scheduled_at < $2 AND ({}) GROUP BY span
             ORDER BY span",
            fragment.sql
        );
        let mut values: Vec<SqlValue> = args![from, to, width.max(1)];
        values.extend(fragment.args);
        let read = |row: &crate::Row| Ok((row.time("span")?, row.count("n")?));
        link.rows(sql, values).await?.iter().map(read).collect()
    }
}
