//! Searching alerts: fields, pages, facets, counts.
//!
//! Pages go by the value of the sort field and the identifier, so that nothing is skipped or
//! repeated while others write. Resolved alerts are left out unless the filter asks by `state` or
//! `resolved`; a partial index then serves the list however many resolved ones there are.

use std::collections::{BTreeMap, HashSet};

use chancery_event::Timestamp;
use chancery_event::filter::{Field, FieldKind, Filter, Keywords, Schema, Word};
use chancery_event::id::AccountId;

use super::{Alert, COLUMNS, SEVERITIES, STATES, mark, read, text};
use crate::filter_sql::{Arguments, Column, Columns, Dialect, ManyColumn, SqlFragment, compile};
use crate::{Error, Link, SqlValue, args, value};

/// Fields that lists offer with counts.
pub const FACETS: [&str; 5] = ["state", "severity", "kind", "object_kind", "source"];

/// The fields alerts are filtered by.
pub fn schema() -> Schema {
    let text = |name: &str, doc: &str| Field::new(name, FieldKind::Text, doc);
    let open = || FieldKind::Keyword(Keywords::open());
    let time = |name: &str, doc: &str| Field::new(name, FieldKind::Timestamp, doc);
    let severities = Keywords::known(SEVERITIES).alias("warn", "warning");
    Schema::new(
        "alert",
        vec![
            Field::new("state", FieldKind::Keyword(Keywords::known(STATES)), "State").facet(),
            Field::new("severity", FieldKind::Ordered(severities), "How severe it is")
                .facet()
                .sortable(),
            Field::new("kind", open(), "What it is about, such as job_failed")
                .alias("type")
                .facet(),
            text("title", "Title"),
            Field::new("object_kind", open(), "Kind of object it is about").facet(),
            Field::new("object", open(), "Identifier of the object it is about"),
            text("object_name", "Name of the object it is about"),
            Field::new("source", open(), "What raised it").facet(),
            Field::new("occurrences", FieldKind::Integer, "How often its cause has occurred")
                .alias("count"),
            time("created", "When its cause was first seen").alias("first_seen").sortable(),
            time("seen", "When its cause was last seen").alias("last_seen").sortable(),
            time("snoozed_until", "When its snooze ends"),
            time("resolved", "When it was resolved"),
            time("acknowledged", "When it was acknowledged"),
            Field::new("assigned_to", open(), "Login name of whom it was given to")
                .alias("assignee"),
            Field::new("acknowledged_by", open(), "Login name of who acknowledged it"),
            Field::new("unread", FieldKind::Boolean, "You have not read it"),
            Field::new("cause", open(), "Its cause key, as in job_failed:job/…"),
            Field::new("id", FieldKind::Id, "Its identifier"),
        ],
    )
}

struct AlertColumns<'a> {
    schema: &'a Schema,
    /// A condition for `unread`, its arguments written as literals.
    unread: String,
    /// Words that stand in few alerts.
    rare: HashSet<Word>,
}

fn account(column: &str) -> Column {
    Column::Many(ManyColumn {
        from: "account o".to_owned(),
        inner: "o.id".to_owned(),
        outer: format!("coalesce({column}, '')"),
        expr: "o.name".to_owned(),
        lower: true,
        condition: None,
        each_row: false,
    })
}

impl Columns for AlertColumns<'_> {
    fn schema(&self) -> &Schema {
        self.schema
    }

    fn column(&self, field: &str) -> Option<Column> {
        Some(match field {
            "state" | "severity" | "kind" | "title" | "source" | "occurrences" | "id" => {
                Column::plain(format!("a.{field}"))
            }
            "object_kind" | "object_name" | "snoozed_until" => {
                Column::nullable(format!("a.{field}"))
            }
            "object" => Column::nullable("a.object_id"),
            "created" => Column::plain("a.created_at"),
            "seen" => Column::plain("a.last_seen_at"),
            "resolved" => Column::nullable("a.resolved_at"),
            "acknowledged" => Column::nullable("a.acknowledged_at"),
            "assigned_to" => account("a.assigned_to"),
            "acknowledged_by" => account("a.acknowledged_by"),
            "unread" => Column::plain(self.unread.clone()),
            "cause" => Column::plain("a.cause_key"),
            _ => return None,
        })
    }

    fn words(&self, words: &[Word], _: Dialect, arguments: &mut Arguments) -> Option<String> {
        let parts = words.iter().map(|word| {
            if self.rare.contains(word) {
                let (from, to) = text::ends(word);
                let (from, to) = (arguments.push(from), arguments.push(to));
                return format!(
                    "a.id IN (SELECT w.alert FROM alert_word w WHERE w.word >= {from} AND w.word <= {to})"
                );
            }
            let token: String = word
                .token
                .chars()
                .flat_map(|c| if matches!(c, '\\' | '%' | '_') { vec!['\\', c] } else { vec![c] })
                .collect();
            let end = if word.prefix { "" } else { " " };
            let place = arguments.push(format!("% {token}{end}%"));
            format!("a.words LIKE {place} ESCAPE '\\'")
        });
        let parts: Vec<_> = parts.collect();
        Some(if parts.is_empty() { "1 = 1".to_owned() } else { parts.join(" AND ") })
    }
}

/// How a list is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// By when the cause was first seen.
    Created,
    /// By when the cause was last seen.
    Seen,
    /// By severity.
    Severity,
}

impl Sort {
    /// The sort that `text` spells.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Created, Self::Seen, Self::Severity].into_iter().find(|sort| sort.as_str() == text)
    }

    /// The one spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Seen => "seen",
            Self::Severity => "severity",
        }
    }

    fn column(self) -> &'static str {
        match self {
            Self::Created => "a.created_at",
            Self::Seen => "a.last_seen_at",
            Self::Severity => "a.severity_rank",
        }
    }

    /// The value of a row that a following page continues from.
    pub fn value(self, row: &Alert) -> i64 {
        match self {
            Self::Created => row.created_at.micros(),
            Self::Seen => row.last_seen_at.micros(),
            Self::Severity => super::rank(&row.severity),
        }
    }
}

/// Which page of alerts.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// The sort field.
    pub sort: Sort,
    /// Descending.
    pub descending: bool,
    /// Continue behind this value and identifier.
    pub after: Option<(i64, String)>,
    /// Rows at most.
    pub limit: usize,
}

/// A filter with what it needs to be run.
pub struct Search<'a> {
    /// The filter.
    pub filter: &'a Filter,
    /// The fields it was parsed with.
    pub schema: &'a Schema,
    /// Who reads; decides what `unread` means. `None`: everything counts as unread.
    pub reader: Option<AccountId>,
    /// The present, microseconds since the Unix epoch.
    pub now_us: i64,
}

struct Prepared {
    from: String,
    fragment: SqlFragment,
}

impl Search<'_> {
    async fn prepare(&self, link: &mut Link, first: usize) -> Result<Prepared, Error> {
        let (mut of_state, mut of_reading) = (false, false);
        self.filter.each_comparison(&mut |comparison| {
            of_state |= matches!(comparison.field.as_str(), "state" | "resolved");
            of_reading |= comparison.field == "unread";
        });
        let (mut from, mut unread, mut before) = ("alert a".to_owned(), "1".to_owned(), Vec::new());
        if let (true, Some(account)) = (of_reading, self.reader) {
            let (until, _) = mark::reader(link, account).await?;
            from = format!(
                "alert a LEFT JOIN alert_mark m ON m.alert = a.id AND m.account = ${first}"
            );
            let (own, until_place) = (format!("${first}"), format!("${}", first + 1));
            let condition = mark::unread_condition(&own, &until_place);
            unread = format!("(CASE WHEN {condition} THEN 1 ELSE 0 END)");
            before = vec![value::id(account), until.into()];
        }
        let rare = text::rare(link, self.filter).await?;
        let columns = AlertColumns { schema: self.schema, unread, rare };
        let dialect = link.dialect();
        let mut fragment =
            compile(self.filter, &columns, dialect, self.now_us, first + before.len())
                .map_err(|error| Error::Damaged(format!("filter: {error}")))?;
        if !of_state {
            fragment.sql = format!("a.resolved_at IS NULL AND ({})", fragment.sql);
        }
        fragment.args.splice(0..0, before);
        Ok(Prepared { from, fragment })
    }

    /// A page of alerts.
    pub async fn page(&self, link: &mut Link, request: &PageRequest) -> Result<Vec<Alert>, Error> {
        let column = request.sort.column();
        let (order, beyond) = if request.descending { ("DESC", "<") } else { ("ASC", ">") };
        let mut values: Vec<SqlValue> = args![request.limit];
        let after = match request.after.clone() {
            Some((value, id)) => {
                values.extend(args![value, id]);
                format!("({column}, a.id) {beyond} ($2, $3) AND")
            }
            None => String::new(),
        };
        let Prepared { from, fragment } = self.prepare(link, values.len() + 1).await?;
        let sql = format!(
            "SELECT {COLUMNS} FROM {from} WHERE {after} ({})
             ORDER BY {column} {order}, a.id {order} LIMIT $1",
            fragment.sql
        );
        values.extend(fragment.args);
        link.rows(sql, values).await?.iter().map(read).collect()
    }

    /// How many alerts the filter selects.
    pub async fn count(&self, link: &mut Link) -> Result<u64, Error> {
        let Prepared { from, fragment } = self.prepare(link, 1).await?;
        let sql = format!("SELECT COUNT(*) AS n FROM {from} WHERE {}", fragment.sql);
        link.row(sql, fragment.args).await?.map_or(Ok(0), |row| row.count("n"))
    }

    /// Counts by the values of each of [`FACETS`]; the 30 most frequent of each.
    pub async fn facets(
        &self,
        link: &mut Link,
    ) -> Result<Vec<(&'static str, Vec<(String, u64)>)>, Error> {
        let Prepared { from, fragment } = self.prepare(link, 1).await?;
        let columns: Vec<_> = FACETS.iter().map(|field| format!("a.{field}")).collect();
        let columns = columns.join(", ");
        // All fields in one pass: their combinations are few.
        let sql = format!(
            "SELECT {columns}, COUNT(*) AS n FROM {from} WHERE {} GROUP BY {columns}",
            fragment.sql
        );
        let rows = link.rows(sql, fragment.args).await?;
        let mut groups = Vec::with_capacity(FACETS.len());
        for field in FACETS {
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            for row in &rows {
                let value = row.maybe_text(field)?.unwrap_or_default();
                *counts.entry(value).or_default() += row.count("n")?;
            }
            let mut counts: Vec<_> = counts.into_iter().collect();
            counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            counts.truncate(30);
            groups.push((field, counts));
        }
        Ok(groups)
    }

    /// How many of the selected alerts were raised in each span of `width` from `from` on.
    pub async fn raised(
        &self,
        link: &mut Link,
        from: Timestamp,
        to: Timestamp,
        width: i64,
    ) -> Result<Vec<(Timestamp, u64)>, Error> {
        let prepared = self.prepare(link, 4).await?;
        let sql = format!(
            "SELECT $1 + (a.created_at - $1) / $3 * $3 AS span, COUNT(*) AS n FROM {}
             WHERE a.created_at >= $1 AND a.created_at < $2 AND ({}) GROUP BY span ORDER BY span",
            prepared.from, prepared.fragment.sql
        );
        let mut values: Vec<SqlValue> = args![from, to, width.max(1)];
        values.extend(prepared.fragment.args);
        let rows = link.rows(sql, values).await?;
        rows.iter().map(|row| Ok((row.time("span")?, row.count("n")?))).collect()
    }
}
