//! Where the fields of events are stored.

use chancery_event::filter::words::fts5_query;
use chancery_event::filter::{Filter, Schema, Word};
use chancery_event::search::schema;

use crate::filter_sql::{Arguments, Column, Columns, Dialect, ManyColumn};

/// The columns of `event e` and its projections.
pub(super) struct EventColumns;

/// The columns of the hourly counts, `event_hour h`: few, and none that lags differently.
pub(super) struct HourColumns;

impl Columns for EventColumns {
    fn schema(&self) -> &Schema {
        schema()
    }

    fn column(&self, field: &str) -> Option<Column> {
        Some(match field {
            "type" => Column::plain("e.type"),
            "severity" => Column::plain("e.severity"),
            "outcome" => Column::plain("e.result"),
            "reason" => Column::nullable("e.reason"),
            "origin" => Column::plain("e.origin"),
            "time" => Column::plain("e.time"),
            "index" => Column::plain("e.log_index"),
            "id" => Column::plain("e.id"),
            "actor_kind" => Column::plain("e.actor_kind"),
            "subject" => Column::nullable("e.subject_name"),
            "subject_kind" => Column::nullable("e.subject_kind"),
            "node" => Column::plain("e.node"),
            "actor" => key("actor_name"),
            "actor_id" => key("actor_id"),
            "ip" => key("client_ip"),
            "transaction" => key("transaction"),
            "cause" => key("cause"),
            "target" => Column::Many(ManyColumn {
                from: "event_target t".to_owned(),
                inner: "t.log_index".to_owned(),
                outer: "e.log_index".to_owned(),
                expr: "t.reference".to_owned(),
                lower: true,
                condition: None,
            }),
            _ => return None,
        })
    }

    fn words(&self, words: &[Word], _: Dialect, arguments: &mut Arguments) -> Option<String> {
        let query = arguments.push(fts5_query(words));
        Some(format!(
            "e.log_index IN (SELECT rowid FROM event_text WHERE event_text MATCH {query})"
        ))
    }
}

fn key(name: &str) -> Column {
    Column::Many(ManyColumn {
        from: "event_key k".to_owned(),
        inner: "k.log_index".to_owned(),
        outer: "e.log_index".to_owned(),
        expr: "k.value".to_owned(),
        lower: true,
        condition: Some(("k.name = ?".to_owned(), vec![name.into()])),
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

/// Whether a filter needs a projection that lags behind the log.
pub(super) fn lags(filter: &Filter) -> bool {
    match filter {
        Filter::All => false,
        Filter::Words(_) => true,
        Filter::And(parts) | Filter::Or(parts) => parts.iter().any(lags),
        Filter::Not(part) => lags(part),
        Filter::Comparison(comparison) => matches!(
            comparison.field.as_str(),
            "actor" | "actor_id" | "ip" | "transaction" | "cause" | "target"
        ),
    }
}
