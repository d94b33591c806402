//! Where the fields of events are stored.
//!
//! Conditions look at the row of the event wherever it has the value; the projections of keys only
//! serve to find rows. So erasure is seen at once, and only targets and words lag behind the log.
//!
//! Which index a statement uses is decided in [`super::source`], not by the planner, which knows no
//! more of the distribution of values than that there are indexes. Where a condition must not draw
//! an index in, its column is wrapped in an expression that changes nothing.

use chancery_event::filter::{Schema, Word};
use chancery_event::search::{schema, target_kind};

use crate::filter_sql::{Arguments, Column, Columns, Dialect, ManyColumn};

/// The columns of `event e` and its projections.
pub(super) struct EventColumns;

/// The columns of the hourly counts, `event_hour h`.
pub(super) struct HourColumns;

impl Columns for EventColumns {
    fn schema(&self) -> &Schema {
        schema()
    }

    fn column(&self, field: &str) -> Option<Column> {
        Some(match field {
            "type" => Column::plain("(e.type || '')"),
            "severity" => Column::plain("e.severity"),
            "outcome" => Column::plain("e.result"),
            "reason" => Column::nullable("lower(e.reason)"),
            "origin" => Column::plain("e.origin"),
            "time" => Column::plain("(e.time + 0)"),
            "index" => Column::plain("(e.log_index + 0)"),
            "id" => Column::plain("(e.id || '')"),
            "actor" => Column::nullable("lower(e.actor_name)"),
            "actor_kind" => Column::plain("e.actor_kind"),
            "actor_id" => Column::nullable("lower(e.actor_id)"),
            "ip" => Column::nullable("lower(e.client_ip)"),
            "subject" => Column::nullable("e.subject_name"),
            "subject_kind" => Column::nullable("e.subject_kind"),
            "transaction" => Column::nullable("e.transaction_id"),
            "cause" => Column::nullable("e.cause"),
            "node" => Column::plain("e.node"),
            "target" => targets("t.reference".to_owned(), None),
            kind => {
                let prefix = format!("{}/", target_kind(kind)?);
                let after = format!("{}0", target_kind(kind)?);
                targets(format!("substr(t.reference, {})", prefix.len() + 1), Some((prefix, after)))
            }
        })
    }

    fn words(&self, words: &[Word], dialect: Dialect, arguments: &mut Arguments) -> Option<String> {
        let query = arguments.push(dialect.word_query(words));
        let table = "event_text";
        let (of, has) = (dialect.words_of(table), dialect.has_words(table, &query));
        Some(format!("(e.log_index + 0) IN (SELECT {of} FROM {table} WHERE {has})"))
    }
}

/// The targets of an event; `within` are the bounds of the references of one kind.
fn targets(expr: String, within: Option<(String, String)>) -> Column {
    Column::Many(ManyColumn {
        from: "event_target t".to_owned(),
        inner: "t.log_index".to_owned(),
        outer: "(e.log_index + 0)".to_owned(),
        expr,
        lower: true,
        condition: within.map(|(from, to)| {
            ("t.reference >= ? AND t.reference < ?".to_owned(), vec![from.into(), to.into()])
        }),
        each_row: false,
    })
}

impl Columns for HourColumns {
    fn schema(&self) -> &Schema {
        schema()
    }

    fn column(&self, field: &str) -> Option<Column> {
        Some(match field {
            "type" => Column::plain("h.type"),
            "severity" => Column::plain("h.severity"),
            "outcome" => Column::plain("h.result"),
            "origin" => Column::plain("h.origin"),
            _ => return None,
        })
    }

    fn words(&self, _: &[Word], _: Dialect, _: &mut Arguments) -> Option<String> {
        None
    }
}
