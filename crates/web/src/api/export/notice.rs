//! The export of decisions about notifications: what their list shows, narrowed in the same way.

use axum::extract::State;
use axum::response::Response;
use chancery_engine::history::Exported;
use chancery_engine::notification::NoticeQuery;
use chancery_engine::{Engine, Permission};
use chancery_event::Timestamp;
use chancery_event::id::{AccountId, EventId};
use serde::Deserialize;
use utoipa_axum::routes;

use super::list::{Read, pages, record};
use super::{Format, still};
use crate::api::notification::{NoticeShown, check_decision};
use crate::api::{Operations, listing};
use crate::edge::{Caller, Params, Problem};

/// Adds the operation.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::Export, routes!(export_notices));
}

/// Which decisions, and how.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct NoticeExportParams {
    /// `ndjson` (unless told otherwise) or `csv`.
    #[param(example = "csv")]
    format: Option<String>,
    /// Condition over the fields of decisions, such as `decision:skipped channel:mail`.
    filter: Option<String>,
    /// Of this event.
    #[param(value_type = Option<String>)]
    event: Option<EventId>,
    /// About this object, as `kind/id`.
    object: Option<String>,
    /// For this account, by its identifier.
    #[param(value_type = Option<String>)]
    account: Option<AccountId>,
    /// By this profile.
    profile: Option<String>,
    /// By this channel.
    channel: Option<String>,
    /// `sent`, `held` or `skipped`.
    decision: Option<String>,
    /// Why, in one word, such as `no_address`.
    reason: Option<String>,
    /// Made at this time or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Made before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
}

impl NoticeExportParams {
    fn query(self, engine: &Engine) -> Result<NoticeQuery, Problem> {
        check_decision(self.decision.as_deref())?;
        Ok(NoticeQuery {
            event: self.event,
            object: self.object,
            account: self.account,
            profile: self.profile,
            channel: self.channel,
            decision: self.decision,
            reason: self.reason,
            from: self.from,
            to: self.to,
            filter: engine.parse_notice_filter(self.filter.as_deref().unwrap_or_default())?,
            ..NoticeQuery::default()
        })
    }

    /// What is told of it.
    fn text(&self) -> String {
        let equal = [
            ("event", self.event.map(|id| id.to_string())),
            ("object", self.object.clone()),
            ("account", self.account.map(|id| id.to_string())),
            ("profile", self.profile.clone()),
            ("channel", self.channel.clone()),
            ("decision", self.decision.clone()),
            ("reason", self.reason.clone()),
        ];
        let words = equal.into_iter().filter_map(|(name, word)| Some(format!("{name}:{}", word?)));
        let from = self.from.map(|at| format!("at>={at}"));
        let to = self.to.map(|at| format!("at<{at}"));
        let filter = self.filter.clone().filter(|text| !text.trim().is_empty());
        words.chain(from).chain(to).chain(filter).collect::<Vec<_>>().join(" ")
    }
}

/// Export decisions about notifications
///
/// All that fit and that one may see, newest first.
#[utoipa::path(get, path = "/api/v1/notices/export", tag = "notifications",
    params(NoticeExportParams),
    responses((status = 200, description = "Rows as they are read",
        content((String = "application/x-ndjson"), (String = "text/csv")))))]
async fn export_notices(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<NoticeExportParams>,
) -> Result<Response, Problem> {
    let format = Format::parse(params.format.as_deref())?;
    let text = params.text();
    let query = params.query(&engine)?;
    let counts = engine.notice_counts(caller.context(), query.clone()).await?;
    let count = counts.iter().map(|(.., count)| count).sum();
    let told = record(format, count, text);
    engine.record_list_export(caller.context(), Exported::Notices, told).await?;
    let context = caller.context().clone();
    let read: Read<NoticeShown, _> = Box::new(move |before| {
        let (engine, context) = (engine.clone(), context.clone());
        let query = NoticeQuery { before, ..query.clone() };
        Box::pin(async move {
            let context = still(&engine, &context).await?;
            let rows = engine.notices(&context, query, listing::LIMIT_MAX).await?;
            let full = rows.len() == listing::LIMIT_MAX;
            let next = rows.last().filter(|_| full).map(|row| row.notice.id);
            Ok((rows.into_iter().map(NoticeShown::from).collect(), next))
        })
    });
    Ok(pages(format, "notices", NoticeShown::COLUMNS, read))
}
