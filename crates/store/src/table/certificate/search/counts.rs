//! Counting certificates: totals, facets, how many end when.
//!
//! Where the filter concerns only what the counts have, they answer, whatever the size of the
//! inventory. Otherwise what an index names is counted, up to a bound, or else the certificates
//! that entered last; the answer says so.

use std::collections::BTreeMap;

use chancery_event::Timestamp;

use super::Search;
use super::columns::{CountColumns, HourColumns};
use super::plan::{Plan, Statement};
use crate::{Error, Link, Row, args};

/// Certificates that are counted one by one at most where an index names them.
const NAMED_MAX: u64 = 10_000;
/// Of the certificates that entered last, so many are looked at where no index names few.
const SCAN_MAX: i64 = 10_000;
/// Values of a facet at most.
const VALUES_MAX: usize = 30;
const HOUR: i64 = Timestamp::HOUR;

/// Fields with their values and counts, most frequent first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facets {
    /// By field.
    pub groups: Vec<(&'static str, Vec<(String, u64)>)>,
    /// How many certificates were counted.
    pub count: u64,
    /// Only some of the certificates were counted: there may be more.
    pub sampled: bool,
}

/// The facets that are a column of the row, with that column here and in the counts.
const COLUMNS: [(&str, &str); 5] = [
    ("status", "status"),
    ("key_algorithm", "key_algorithm"),
    ("issuer_cn", "issuer_cn"),
    ("ra_profile", "ra_profile"),
    ("source", "source"),
];

/// Certificates to count one by one.
struct Sample {
    /// A statement of their identifiers.
    sql: String,
    sampled: bool,
}

impl Search<'_> {
    /// How many certificates the filter selects, exactly: it may look at all of them.
    ///
    /// # Errors
    /// The filter does not fit the schema, or the store cannot be read.
    pub async fn count(&self, link: &mut Link) -> Result<u64, Error> {
        let plan = Plan::new(self, link).await?;
        if let Some(count) = plan.by_counts(link).await? {
            return Ok(count);
        }
        let sources = plan.sources();
        let fewest = plan.fewest(link, &sources, self.bounds.too_many).await?;
        let source =
            fewest.filter(|(_, named)| *named < self.bounds.too_many).map(|(source, _)| source);
        let mut statement = Statement::default();
        let fits = plan.condition(source, &mut statement)?;
        let branches = match source {
            Some(source) => source.branches.clone(),
            None => vec![super::source::Branch::new("1 = 1", Vec::new())],
        };
        let counts: Vec<String> = branches
            .iter()
            .map(|branch| {
                let named = statement.spell(&branch.sql, &branch.values);
                format!("SELECT COUNT(*) AS n FROM certificate c WHERE {named} AND {fits}")
            })
            .collect();
        let sql = format!(
            "SELECT CAST(SUM(n) AS BIGINT) AS n FROM ({}) AS branch",
            counts.join(" UNION ALL ")
        );
        link.row(sql, statement.values).await?.map_or(Ok(0), |row| row.count("n"))
    }

    /// Counts by `status`, `key_algorithm`, `issuer_cn`, `group`, `ra_profile` and `source`; the
    /// most frequent values of each. Where counting all would take long, of some.
    ///
    /// # Errors
    /// As [`Search::count`].
    pub async fn facets(&self, link: &mut Link) -> Result<Facets, Error> {
        let plan = Plan::new(self, link).await?;
        let mut facets = Facets::default();
        if plan.is_void {
            return Ok(facets);
        }
        let counts = CountColumns { schema: self.schema };
        let (known, all) = plan.divided(&counts);
        if plan.counted && all {
            let mut statement = Statement::default();
            let fits = plan.over(&counts, &known, &mut statement)?;
            for (field, column) in COLUMNS {
                let sql = format!(
                    "SELECT {column} AS value, CAST(SUM(certificates) AS BIGINT) AS n FROM certificate_count k
                     WHERE k.group_id = '' AND {fits} GROUP BY 1 HAVING SUM(certificates) > 0
                     ORDER BY 2 DESC, 1 LIMIT {VALUES_MAX}"
                );
                let rows = link.rows(sql, statement.values.clone()).await?;
                facets.groups.push((field, values(&rows)?));
            }
            let sql = format!(
                "SELECT k.group_id AS value, CAST(SUM(k.certificates) AS BIGINT) AS n FROM certificate_count k
                 WHERE k.group_id <> '' AND {fits} GROUP BY 1 HAVING SUM(k.certificates) > 0
                 ORDER BY 2 DESC, 1 LIMIT {VALUES_MAX}"
            );
            let rows = link.rows(sql, statement.values).await?;
            facets.groups.push(("group", values(&rows)?));
        } else {
            let mut statement = Statement::default();
            let sample = plan.sample(link, &mut statement).await?;
            facets.sampled = sample.sampled;
            facets.groups = sampled(link, &sample.sql, statement).await?;
        }
        let statuses = facets.groups.iter().find(|(field, _)| *field == "status");
        facets.count = statuses.map_or(0, |(_, values)| values.iter().map(|(_, n)| n).sum());
        named(link, &mut facets).await?;
        Ok(facets)
    }

    /// How many of the selected certificates end in each span of `width` from `from` on. Where
    /// spans are whole hours the counts answer; otherwise some are counted one by one.
    ///
    /// # Errors
    /// As [`Search::count`].
    pub async fn expiries(
        &self,
        link: &mut Link,
        from: Timestamp,
        to: Timestamp,
        width: i64,
    ) -> Result<Vec<(Timestamp, u64)>, Error> {
        let plan = Plan::new(self, link).await?;
        let (start, width) = (from.micros(), width.max(1));
        let (low, high) = (start.max(plan.times.0), to.micros().min(plan.times.1));
        if plan.is_void || low >= high {
            return Ok(Vec::new());
        }
        let mut bars: BTreeMap<i64, u64> = BTreeMap::new();
        let hourly = start % HOUR == 0 && width % HOUR == 0 && plan.by_hour().is_some();
        if hourly {
            for (at, n) in plan.hours(link, low, high).await? {
                *bars.entry(start + (at - start).div_euclid(width) * width).or_default() += n;
            }
        } else {
            let mut statement = Statement::default();
            let sample = plan.sample(link, &mut statement).await?;
            let (start, width) = (statement.push(start), statement.push(width));
            let (low, high) = (statement.push(low), statement.push(high));
            let sql = format!(
                "SELECT {start} + (c.not_after - {start}) / {width} * {width} AS at,
                 COUNT(*) AS n FROM ({}) AS few CROSS JOIN certificate c
                 WHERE c.id = few.id AND (c.not_after + 0) >= {low}
                 AND (c.not_after + 0) < {high} GROUP BY 1",
                sample.sql
            );
            for row in link.rows(sql, statement.values).await? {
                *bars.entry(row.int("at")?).or_default() += row.count("n")?;
            }
        }
        Ok(bars.into_iter().map(|(at, n)| (Timestamp::from_micros(at), n)).collect())
    }
}

impl Plan<'_> {
    /// The number by the counts, if they tell.
    async fn by_counts(&self, link: &mut Link) -> Result<Option<u64>, Error> {
        if self.is_void {
            return Ok(Some(0));
        }
        let counts = CountColumns { schema: self.columns.schema };
        let (known, all) = self.divided(&counts);
        if all && self.counted {
            let mut statement = Statement::default();
            let fits = self.over(&counts, &known, &mut statement)?;
            let sql = format!(
                "SELECT CAST(SUM(k.certificates) AS BIGINT) AS n FROM certificate_count k
                 WHERE k.group_id = '' AND {fits}"
            );
            let count = link.number(sql, statement.values).await?;
            return Ok(Some(u64::try_from(count).unwrap_or(0)));
        }
        if self.by_hour().is_some() {
            let (from, to) = self.times;
            let hours = self.hours(link, from, to).await?;
            return Ok(Some(hours.into_iter().map(|(_, n)| n).sum()));
        }
        Ok(None)
    }

    /// How many end in each hour of a time: whole hours by their counts, what is cut off at the
    /// ends from the index.
    async fn hours(&self, link: &mut Link, from: i64, to: i64) -> Result<Vec<(i64, u64)>, Error> {
        let ceiling = |at: i64| -(at.saturating_neg().div_euclid(HOUR)) * HOUR;
        let first = if from == i64::MIN { from } else { ceiling(from) };
        let last = if to == i64::MAX { to } else { to.div_euclid(HOUR) * HOUR };
        let mut found = Vec::new();
        if first < last {
            let columns = HourColumns { schema: self.columns.schema };
            let mut statement = Statement { values: args![first, last] };
            let parts = self.by_hour().unwrap_or_default();
            let fits = self.over(&columns, &parts, &mut statement)?;
            let sql = format!(
                "SELECT h.hour AS at, CAST(SUM(h.certificates) AS BIGINT) AS n FROM certificate_hour h
                 WHERE h.hour >= $1 AND h.hour < $2 AND {fits} GROUP BY h.hour"
            );
            for row in link.rows(sql, statement.values).await? {
                found.push((row.int("at")?, row.count("n")?));
            }
        }
        let edges = if first < last { [(from, first), (last, to)] } else { [(from, to), (0, 0)] };
        for (from, to) in edges.into_iter().filter(|(from, to)| from < to) {
            let mut statement = Statement { values: args![from, to] };
            let fits = self.condition(None, &mut statement)?;
            let sql = format!(
                "SELECT c.not_after AS at, COUNT(*) AS n FROM certificate c
                 WHERE c.not_after >= $1 AND c.not_after < $2 AND {fits} GROUP BY c.not_after"
            );
            for row in link.rows(sql, statement.values).await? {
                found.push((row.int("at")?, row.count("n")?));
            }
        }
        Ok(found)
    }

    /// The certificates to count one by one.
    async fn sample(&self, link: &mut Link, statement: &mut Statement) -> Result<Sample, Error> {
        let sources = self.sources();
        if let Some((source, named)) = self.fewest(link, &sources, NAMED_MAX).await?
            && named < NAMED_MAX
        {
            let fits = self.condition(Some(source), statement)?;
            let branches: Vec<String> = source
                .branches
                .iter()
                .map(|branch| {
                    let named = statement.spell(&branch.sql, &branch.values);
                    format!("SELECT c.id AS id FROM certificate c WHERE {named} AND {fits}")
                })
                .collect();
            return Ok(Sample { sql: branches.join(" UNION ALL "), sampled: false });
        }
        let newest = "SELECT MAX(number) AS n FROM certificate";
        let low = link.number(newest, Vec::new()).await? - SCAN_MAX;
        let fits = self.condition(None, statement)?;
        let place = statement.push(low);
        let sql =
            format!("SELECT c.id AS id FROM certificate c WHERE c.number > {place} AND {fits}");
        let older = "SELECT COUNT(*) AS n FROM (SELECT 1 FROM certificate WHERE number <= $1 LIMIT 1) AS one";
        let sampled = link.number(older, args![low]).await? > 0;
        Ok(Sample { sql, sampled })
    }
}

fn values(rows: &[Row]) -> Result<Vec<(String, u64)>, Error> {
    rows.iter().map(|row| Ok((row.text("value")?, row.count("n")?))).collect()
}

/// The facets of the certificates of a sample; labels by their identifiers.
async fn sampled(
    link: &mut Link,
    sample: &str,
    statement: Statement,
) -> Result<Vec<(&'static str, Vec<(String, u64)>)>, Error> {
    let sql = format!(
        "SELECT c.status, c.key_algorithm, coalesce(c.issuer_cn, '') AS issuer_cn,
         coalesce(c.ra_profile, '') AS ra_profile, c.source, COUNT(*) AS n
         FROM ({sample}) AS few CROSS JOIN certificate c WHERE c.id = few.id
         GROUP BY 1, 2, 3, 4, 5"
    );
    let rows = link.rows(sql, statement.values.clone()).await?;
    let mut groups = Vec::with_capacity(COLUMNS.len() + 1);
    for (field, column) in COLUMNS {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for row in &rows {
            *counts.entry(row.text(column)?).or_default() += row.count("n")?;
        }
        let mut values: Vec<_> = counts.into_iter().collect();
        values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        values.truncate(VALUES_MAX);
        groups.push((field, values));
    }
    let sql = format!(
        "SELECT m.group_id AS value, COUNT(*) AS n FROM ({sample}) AS few
         CROSS JOIN certificate_in_group m WHERE m.certificate = few.id
         GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {VALUES_MAX}"
    );
    groups.push(("group", values(&link.rows(sql, statement.values).await?)?));
    Ok(groups)
}

/// Names for the identifiers of labels; what has no label is left out.
async fn named(link: &mut Link, facets: &mut Facets) -> Result<(), Error> {
    for (field, values) in &mut facets.groups {
        let table = match *field {
            "ra_profile" => "ra_profile",
            "group" => "certificate_group",
            _ => continue,
        };
        values.retain(|(id, _)| !id.is_empty());
        for (value, _) in values.iter_mut() {
            let sql = format!("SELECT name FROM {table} WHERE id = $1");
            if let Some(row) = link.row(sql, args![value.as_str()]).await? {
                *value = row.text("name")?;
            }
        }
    }
    Ok(())
}
