//! Lists of decisions, and their counts: by members, and by a filter like every other list.

use chancery_event::filter::{Field, FieldKind, Filter, Keywords, Schema, Word};
use chancery_event::id::{AccountId, DeliveryId, EventId, NoticeId};
use chancery_event::{EventType, Severity, Timestamp};

use super::{COLUMNS, Notice, read};
use crate::filter_sql::{Arguments, Column, Columns, Dialect, compile};
use crate::table::newest_first;
use crate::{Error, Link, SqlValue, value};

/// Values of a column that are counted at most.
const VALUES_MAX: usize = 50;
/// The words of a decision.
pub const DECISIONS: [&str; 3] = ["sent", "held", "skipped"];

/// Which decisions.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Of this event.
    pub event: Option<EventId>,
    /// About this object, as `kind/id`.
    pub object: Option<String>,
    /// For this account.
    pub account: Option<AccountId>,
    /// By this profile.
    pub profile: Option<String>,
    /// By this channel.
    pub channel: Option<String>,
    /// `sent`, `held` or `skipped`.
    pub decision: Option<String>,
    /// Why it was held or skipped.
    pub reason: Option<String>,
    /// Carried by this delivery.
    pub delivery: Option<DeliveryId>,
    /// Made at this time or later.
    pub from: Option<Timestamp>,
    /// Made before this time.
    pub to: Option<Timestamp>,
    /// Which fit this filter over [`schema`], with the time that its spans count from.
    pub filter: Option<(Filter, Timestamp)>,
    /// Older than this one.
    pub before: Option<NoticeId>,
    /// Newer than this one.
    pub after: Option<NoticeId>,
}

/// The fields decisions are filtered by.
pub fn schema() -> Schema {
    let open = || FieldKind::Keyword(Keywords::open());
    let known = |words: &[&'static str]| FieldKind::Keyword(Keywords::known(words.iter().copied()));
    let types = Keywords::known(EventType::ALL.iter().map(|event_type| event_type.name()));
    let severities = Keywords::known(Severity::ALL.iter().map(|severity| severity.as_str()));
    let time = |name: &str, doc: &str| Field::new(name, FieldKind::Timestamp, doc);
    Schema::new(
        "notice",
        vec![
            Field::new("decision", known(&DECISIONS), "Whether somebody was told"),
            Field::new("reason", open(), "Why not, or not yet, such as no_address"),
            Field::new("account", open(), "Login name of whom it is for").alias("whom"),
            Field::new("address", FieldKind::Text, "Mail address it goes to"),
            Field::new("channel", open(), "Name of the channel, or bell"),
            Field::new("profile", open(), "Name of the profile"),
            Field::new("type", FieldKind::Keyword(types), "Type of the event"),
            Field::new("severity", FieldKind::Keyword(severities), "Severity of the event"),
            Field::new("object", open(), "What it is about, as kind/id"),
            Field::new("level", FieldKind::Integer, "0: at once; n: the n-th level of escalation"),
            Field::new("index", FieldKind::Integer, "Log index of the event"),
            Field::new("event", FieldKind::Id, "The event"),
            time("at", "When it was decided").alias("decided"),
            time("due", "Until when it is held"),
            Field::new("id", FieldKind::Id, "Its identifier"),
        ],
    )
}

struct NoticeColumns<'a>(&'a Schema);

/// The login name of whom a decision is for.
const LOGIN: &str = "(SELECT a.name FROM account a WHERE a.id = n.account)";

impl Columns for NoticeColumns<'_> {
    fn schema(&self) -> &Schema {
        self.0
    }

    fn column(&self, field: &str) -> Option<Column> {
        Some(match field {
            "decision" | "reason" | "channel" | "profile" | "severity" | "level" | "at" | "id" => {
                Column::plain(format!("n.{field}"))
            }
            "address" | "object" => Column::nullable(format!("n.{field}")),
            "account" => Column::nullable(LOGIN),
            "type" => Column::plain("n.event_type"),
            "index" => Column::nullable("n.log_index"),
            "event" => Column::plain("n.event_id"),
            "due" => Column::nullable("n.due_at"),
            _ => return None,
        })
    }

    fn words(&self, words: &[Word], _: Dialect, arguments: &mut Arguments) -> Option<String> {
        // Their words are those of whom, of the channel, the profile, the type and the object.
        let text = format!(
            "lower(coalesce({LOGIN}, '') || ' ' || coalesce(n.address, '') || ' ' || n.channel
             || ' ' || n.profile || ' ' || n.event_type || ' ' || coalesce(n.object, ''))"
        );
        Some(arguments.containing(words, &text))
    }
}

/// The condition of a query without its place in the list; its values join `values`.
fn conditions(
    query: &Query,
    dialect: Dialect,
    values: &mut Vec<SqlValue>,
) -> Result<String, Error> {
    let mut parts: Vec<String> = Vec::new();
    let mut also = |values: &mut Vec<SqlValue>, condition: &str, value: Option<SqlValue>| {
        if let Some(value) = value {
            values.push(value);
            parts.push(format!("n.{condition} ${}", values.len()));
        }
    };
    let texts = |text: &Option<String>| text.as_deref().map(SqlValue::from);
    also(values, "event_id =", query.event.map(value::id));
    also(values, "object =", texts(&query.object));
    also(values, "account =", query.account.map(value::id));
    also(values, "profile =", texts(&query.profile));
    also(values, "channel =", texts(&query.channel));
    also(values, "decision =", texts(&query.decision));
    also(values, "reason =", texts(&query.reason));
    also(values, "delivery =", query.delivery.map(value::id));
    also(values, "at >=", query.from.map(SqlValue::from));
    also(values, "at <", query.to.map(SqlValue::from));
    if let Some((filter, now)) = &query.filter {
        let schema = schema();
        let columns = NoticeColumns(&schema);
        let fragment = compile(filter, &columns, dialect, now.micros(), values.len() + 1)
            .map_err(|error| Error::Damaged(format!("filter: {error}")))?;
        parts.push(format!("({})", fragment.sql));
        values.extend(fragment.args);
    }
    Ok(if parts.is_empty() { "1 = 1".to_owned() } else { parts.join(" AND ") })
}

/// Decisions that fit, newest first: those older than one position, or the next ones newer than
/// the other.
pub async fn page(link: &mut Link, query: &Query, limit: usize) -> Result<Vec<Notice>, Error> {
    let mut values = Vec::new();
    let text = conditions(query, link.dialect(), &mut values)?;
    let select = (format!("SELECT {COLUMNS} FROM notice n WHERE {text}"), "n.id");
    let between = (query.before, query.after);
    newest_first(link, select, values, between, limit).await?.iter().map(read).collect()
}

/// How many decisions of each kind fit: decision, reason, count.
pub async fn counts(link: &mut Link, query: &Query) -> Result<Vec<(String, String, u64)>, Error> {
    let mut values = Vec::new();
    let text = conditions(query, link.dialect(), &mut values)?;
    let sql = format!(
        "SELECT n.decision, n.reason, COUNT(*) AS n FROM notice n WHERE {text}
         GROUP BY n.decision, n.reason ORDER BY n.decision, n.reason"
    );
    let rows = link.rows(sql, values).await?;
    rows.iter()
        .map(|row| Ok((row.text("decision")?, row.text("reason")?, row.count("n")?)))
        .collect()
}

/// What decisions are told apart by in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The profile.
    Profile,
    /// The channel.
    Channel,
}

/// How many decisions that fit there are of each profile or channel, the most frequent first.
pub async fn tally(link: &mut Link, query: &Query, by: By) -> Result<Vec<(String, u64)>, Error> {
    let column = match by {
        By::Profile => "profile",
        By::Channel => "channel",
    };
    let mut values: Vec<SqlValue> = vec![VALUES_MAX.into()];
    let text = conditions(query, link.dialect(), &mut values)?;
    let sql = format!(
        "SELECT n.{column} AS word, COUNT(*) AS n FROM notice n WHERE {text}
         GROUP BY n.{column} ORDER BY COUNT(*) DESC, n.{column} LIMIT $1"
    );
    let rows = link.rows(sql, values).await?;
    rows.iter().map(|row| Ok((row.text("word")?, row.count("n")?))).collect()
}
