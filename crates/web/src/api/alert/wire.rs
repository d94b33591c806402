//! Alerts as they travel.

use chancery_engine::alert::{self as engine, ShownAlert};
use chancery_event::Timestamp;
use chancery_event::id::AlertId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// An alert.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(in crate::api) struct Alert {
    /// Its identifier.
    id: String,
    /// `info`, `warning`, `error` or `critical`.
    severity: String,
    /// `ERROR`, `WARN` or `INFO`: the severity in three words.
    level: &'static str,
    /// What it is about.
    #[schema(example = "job_failed")]
    kind: String,
    /// One line.
    title: String,
    /// What happened and what to do; empty where the caller may not see it.
    message: String,
    /// The message may be about a person and was left out.
    message_withheld: bool,
    /// The object it is about, as `kind/id`.
    object: Option<String>,
    /// What people call that object; absent for people.
    object_name: Option<String>,
    /// What raised it.
    source: String,
    /// What it is one alert for.
    cause: String,
    /// How often the cause has occurred.
    occurrences: i64,
    /// When the cause was first seen.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When the cause was last seen.
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Timestamp,
    /// `open`, `acknowledged`, `snoozed` or `resolved`.
    state: String,
    /// The caller has not read it.
    unread: bool,
    /// Login name of who takes care of it.
    acknowledged_by: Option<String>,
    /// Since when.
    #[schema(value_type = Option<String>, format = DateTime)]
    acknowledged_at: Option<Timestamp>,
    /// Login name of whom it was given to.
    assigned_to: Option<String>,
    /// Who gave it to them; absent: nobody did, or the bell of a notification.
    assigned_by: Option<String>,
    /// Until when it is out of sight at most.
    #[schema(value_type = Option<String>, format = DateTime)]
    snoozed_until: Option<Timestamp>,
    /// The snooze ends when the cause occurs again.
    snooze_ends_on_change: bool,
    /// When it was resolved.
    #[schema(value_type = Option<String>, format = DateTime)]
    resolved_at: Option<Timestamp>,
    /// Login name of who resolved it; absent when the cause went away.
    resolved_by: Option<String>,
    /// Why it is resolved, as a word.
    resolved_because: Option<String>,
    /// The alert of the same cause before it.
    previous: Option<String>,
    /// The event that raised it.
    raised_event: String,
    /// The event that last brought its cause.
    last_event: Option<String>,
}

impl Alert {
    /// The columns of an export.
    pub(in crate::api) const COLUMNS: &[&str] = &[
        "id",
        "created_at",
        "last_seen_at",
        "severity",
        "kind",
        "state",
        "title",
        "message",
        "object",
        "object_name",
        "occurrences",
        "acknowledged_by",
        "assigned_to",
        "snoozed_until",
        "resolved_at",
        "resolved_by",
        "resolved_because",
        "source",
        "cause",
        "raised_event",
        "last_event",
    ];
}

impl From<&ShownAlert> for Alert {
    fn from(shown: &ShownAlert) -> Self {
        let row = shown.alert.clone();
        Self {
            id: row.id.to_string(),
            level: shown.level(),
            severity: row.severity,
            kind: row.kind,
            title: row.title,
            message: row.message,
            message_withheld: shown.withheld,
            object: row.object.map(|(kind, id)| format!("{kind}/{id}")),
            object_name: row.object_name,
            source: row.source,
            cause: row.cause_key,
            occurrences: row.occurrences,
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
            state: row.state,
            unread: shown.unread,
            acknowledged_by: row.acknowledged.map(|(by, _)| shown.name_of(by)),
            acknowledged_at: row.acknowledged.map(|(_, at)| at),
            assigned_to: row.assigned_to.map(|id| shown.name_of(id)),
            assigned_by: row.assigned_by.map(|id| shown.name_of(id)),
            snoozed_until: row.snoozed_until,
            snooze_ends_on_change: row.snooze_ends_on_change,
            resolved_at: row.resolved_at,
            resolved_by: row.resolved_by.map(|id| shown.name_of(id)),
            resolved_because: row.resolved_because,
            previous: row.previous.map(|id| id.to_string()),
            raised_event: row.raised_event.to_string(),
            last_event: row.last_event.map(|id| id.to_string()),
        }
    }
}

/// How many alerts are unread.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Unread {
    /// Neither resolved nor snoozed, and not read by the caller.
    pub(super) unread: u64,
}

/// Which alerts: by identifiers or by a condition.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({ "filter": "kind:job_failed" }))]
pub(super) struct AlertSelection {
    /// Identifiers.
    pub(super) ids: Vec<String>,
    /// Condition; what it selects now, up to 10,000.
    pub(super) filter: Option<String>,
}

/// Which alerts to mark.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({ "all": true }))]
pub(super) struct ReadSelection {
    /// Identifiers.
    pub(super) ids: Vec<String>,
    /// Condition.
    pub(super) filter: Option<String>,
    /// Everything there is.
    pub(super) all: bool,
}

/// Whom to give which alerts.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({ "ids": ["01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4"], "assigned_to": "ada" }))]
pub(super) struct Assignment {
    /// Identifiers.
    pub(super) ids: Vec<String>,
    /// Condition.
    pub(super) filter: Option<String>,
    /// Login name, `me` or identifier of an account; absent: nobody.
    pub(super) assigned_to: Option<String>,
}

/// Which alerts to snooze, and until when.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "filter": "kind:chain_broken", "until": "2026-11-28T08:00:00Z" }))]
pub(super) struct Snooze {
    /// Identifiers.
    #[serde(default)]
    pub(super) ids: Vec<String>,
    /// Condition.
    #[serde(default)]
    pub(super) filter: Option<String>,
    /// When they come back at the latest (RFC 3339); within the next 90 days.
    #[schema(value_type = String, format = DateTime)]
    pub(super) until: Timestamp,
    /// They come back earlier when their cause occurs again.
    #[serde(default)]
    pub(super) until_change: bool,
}

/// Which alerts to resolve.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({ "filter": "kind:job_failed", "comment": "the disk was full" }))]
pub(super) struct Closing {
    /// Identifiers.
    pub(super) ids: Vec<String>,
    /// Condition.
    pub(super) filter: Option<String>,
    /// What there is to say about it; kept in the erasable part of the event.
    pub(super) comment: Option<String>,
}

/// What to take back.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "change": "01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4" }))]
pub(super) struct TakingBack {
    /// The change, from `undo` of the answer to it.
    pub(super) change: String,
}

/// What an action changed, and what takes it back.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Settled {
    /// How many alerts it changed.
    count: u64,
    /// Which; empty after marking everything.
    changed: Vec<String>,
    /// Those it had nothing to change at.
    unchanged: Vec<String>,
    /// What takes it back: a path to post to and the body; absent where nothing was changed.
    undo: Option<Undo>,
}

/// A call that takes another one back.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Undo {
    /// Where to post.
    path: String,
    /// What to post.
    #[schema(value_type = Object)]
    body: Value,
}

fn texts(ids: &[AlertId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

impl Settled {
    pub(super) fn of_all(count: u64, read: bool) -> Self {
        let undo = Undo { path: marking(!read), body: json!({ "all": true }) };
        // Unread again is not a sweep, so there is nothing to sweep back.
        let undo = read.then_some(undo);
        Self { count, changed: Vec::new(), unchanged: Vec::new(), undo }
    }

    pub(super) fn of_marks(changed: &[AlertId], read: bool) -> Self {
        let changed = texts(changed);
        let undo = Undo { path: marking(!read), body: json!({ "ids": changed }) };
        let undo = (!changed.is_empty()).then_some(undo);
        Self { count: changed.len() as u64, changed, unchanged: Vec::new(), undo }
    }
}

fn marking(read: bool) -> String {
    format!("/api/v1/alerts/{}", if read { "read" } else { "unread" })
}

impl From<engine::Settled> for Settled {
    fn from(settled: engine::Settled) -> Self {
        let changed = texts(&settled.changed);
        let undo = settled.undo.map(|change| Undo {
            path: "/api/v1/alerts/undo".to_owned(),
            body: json!({ "change": change.to_string() }),
        });
        let unchanged = texts(&settled.unchanged);
        Self { count: changed.len() as u64, changed, unchanged, undo }
    }
}
