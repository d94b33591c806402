//! Searching evaluations: fields, pages, counts, histogram. Newest first, by identifier.

use chancery_event::filter::{Field, FieldKind, Filter, Keywords, Schema, Word};
use chancery_event::{EventType, Timestamp};

use super::{COLUMNS, Evaluation, read};
use crate::filter_sql::{Arguments, Column, Columns, Dialect, SqlFragment, compile};
use crate::{Error, Link, SqlValue, args};

/// Fields that lists offer with counts.
pub const FACETS: [&str; 4] = ["verdict", "trigger", "type", "scope"];
/// What can come of asking a trigger.
const VERDICTS: [&str; 5] = ["matched", "ignored", "nearly", "not_matched", "not_reached"];

/// The fields evaluations are filtered by.
pub fn schema() -> Schema {
    let open = || FieldKind::Keyword(Keywords::open());
    let types = Keywords::known(EventType::ALL.iter().map(|event_type| event_type.name()));
    let verdicts = FieldKind::Keyword(Keywords::known(VERDICTS));
    Schema::new(
        "evaluation",
        vec![
            Field::new("verdict", verdicts, "What came of it").alias("result").facet(),
            Field::new("trigger", open(), "Name of the trigger").facet(),
            Field::new("type", FieldKind::Keyword(types), "Type of the event").facet(),
            Field::new("scope", open(), "platform, group/NAME, ra_profile/NAME").facet(),
            Field::new("object", open(), "What the event is about, as kind/id"),
            Field::new("event", FieldKind::Id, "Identifier of the event"),
            Field::new("id", FieldKind::Id, "Identifier of the evaluation"),
            Field::new("at", FieldKind::Timestamp, "When it was asked").alias("time"),
            Field::new("version", FieldKind::Integer, "Version of the trigger"),
            Field::new("revision", FieldKind::Integer, "Revision of the whole configuration"),
            Field::new("failed", FieldKind::Boolean, "Some step could not be carried out"),
            Field::new("took", FieldKind::Integer, "Microseconds it took"),
        ],
    )
}

struct EvaluationColumns<'a>(&'a Schema);

impl Columns for EvaluationColumns<'_> {
    fn schema(&self) -> &Schema {
        self.0
    }

    fn column(&self, field: &str) -> Option<Column> {
        Some(match field {
            "verdict" | "id" | "at" | "revision" | "failed" => Column::plain(format!("e.{field}")),
            "scope" => Column::plain("lower(e.scope)"),
            "trigger" => Column::plain("e.trigger_name"),
            "type" => Column::plain("e.event_type"),
            "event" => Column::plain("e.event_id"),
            "version" => Column::plain("e.trigger_version"),
            "took" => Column::plain("e.took_us"),
            "object" => Column::nullable("e.object"),
            _ => return None,
        })
    }

    fn words(&self, words: &[Word], _: Dialect, arguments: &mut Arguments) -> Option<String> {
        // Their words are those of the trigger's name, the object and the scope.
        let text = "lower(e.trigger_name || ' ' || e.scope || ' ' || coalesce(e.object, ''))";
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

impl Search<'_> {
    fn condition(&self, dialect: Dialect, first: usize) -> Result<SqlFragment, Error> {
        compile(self.filter, &EvaluationColumns(self.schema), dialect, self.now_us, first)
            .map_err(|error| Error::Damaged(format!("filter: {error}")))
    }

    /// A page from an identifier on, which is not on it: towards older ones, newest first, or with
    /// `upwards` towards newer ones, oldest first.
    pub async fn page(
        &self,
        link: &mut Link,
        from: Option<&str>,
        upwards: bool,
        limit: usize,
    ) -> Result<Vec<Evaluation>, Error> {
        let mut values: Vec<SqlValue> = args![limit];
        let (sign, order) = if upwards { (">", "ASC") } else { ("<", "DESC") };
        let beyond = match from {
            Some(id) => {
                values.push(id.into());
                format!("e.id {sign} $2 AND")
            }
            None => String::new(),
        };
        let fragment = self.condition(link.dialect(), values.len() + 1)?;
        let sql = format!(
            "SELECT {COLUMNS} FROM evaluation e WHERE {beyond} ({})
             ORDER BY e.id {order} LIMIT $1",
            fragment.sql
        );
        values.extend(fragment.args);
        link.rows(sql, values).await?.iter().map(read).collect()
    }

    /// How many the filter selects, counting to `most`.
    pub async fn count(&self, link: &mut Link, most: u64) -> Result<u64, Error> {
        let fragment = self.condition(link.dialect(), 2)?;
        let sql = format!(
            "SELECT COUNT(*) AS n FROM (SELECT 1 FROM evaluation e WHERE {} LIMIT $1) few",
            fragment.sql
        );
        let mut values: Vec<SqlValue> = args![most];
        values.extend(fragment.args);
        link.row(sql, values).await?.map_or(Ok(0), |row| row.count("n"))
    }

    /// Counts by the values of one of [`FACETS`]; the 30 most frequent.
    pub async fn facet(&self, link: &mut Link, field: &str) -> Result<Vec<(String, u64)>, Error> {
        let column = match field {
            "verdict" => "e.verdict",
            "trigger" => "e.trigger_name",
            "type" => "e.event_type",
            "scope" => "e.scope",
            other => return Err(Error::Damaged(format!("{other} is no facet"))),
        };
        let fragment = self.condition(link.dialect(), 1)?;
        let sql = format!(
            "SELECT {column} AS value, COUNT(*) AS n FROM evaluation e WHERE {}
             GROUP BY {column} ORDER BY n DESC, value LIMIT 30",
            fragment.sql
        );
        let read = |row: &crate::Row| Ok((row.text("value")?, row.count("n")?));
        link.rows(sql, fragment.args).await?.iter().map(read).collect()
    }

    /// How many there are in each span of `width` microseconds from `from` to `to`.
    pub async fn histogram(
        &self,
        link: &mut Link,
        from: Timestamp,
        to: Timestamp,
        width: i64,
    ) -> Result<Vec<(Timestamp, u64)>, Error> {
        let fragment = self.condition(link.dialect(), 4)?;
        let sql = format!(
            "SELECT $1 + (e.at - $1) / $3 * $3 AS span, COUNT(*) AS n FROM evaluation e
             WHERE e.at >= $1 AND e.at < $2 AND ({}) GROUP BY span ORDER BY span",
            fragment.sql
        );
        let mut values: Vec<SqlValue> = args![from, to, width.max(1)];
        values.extend(fragment.args);
        let read = |row: &crate::Row| Ok((row.time("span")?, row.count("n")?));
        link.rows(sql, values).await?.iter().map(read).collect()
    }
}
