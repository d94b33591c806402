//! The export of certificates that are not reached: what their list shows, narrowed in the same
//! way.

use axum::extract::State;
use axum::response::Response;
use chancery_engine::notification::ReachQuery;
use chancery_engine::{Engine, Permission};
use serde::Deserialize;
use utoipa_axum::routes;

use super::list::{Read, pages, record};
use super::{Format, still};
use crate::api::coverage::UnreachedShown;
use crate::api::{Operations, listing};
use crate::edge::{Caller, Params, Problem};

/// Adds the operation.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::Export, routes!(export_unreached));
}

/// Which certificates, and how.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct UnreachedExportParams {
    /// `ndjson` (unless told otherwise) or `csv`.
    #[param(example = "csv")]
    format: Option<String>,
    /// `nobody`, `fallback` or `bell`.
    state: Option<String>,
    /// Why, in one word, such as `unowned`.
    reason: Option<String>,
    /// In this folder, or below it.
    path: Option<String>,
}

impl UnreachedExportParams {
    /// What is told of it.
    fn text(&self) -> String {
        let given = [("state", &self.state), ("reason", &self.reason), ("path", &self.path)];
        let words = given.iter().filter_map(|(name, word)| {
            let word = word.as_deref()?;
            Some(format!("{name}:{word}"))
        });
        // That they are not reached is a condition as well.
        std::iter::once("reached:no".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
    }
}

/// Export certificates that are not reached
///
/// All that fit, the first to end in front.
#[utoipa::path(get, path = "/api/v1/notifications/unreached/export", tag = "notifications",
    params(UnreachedExportParams),
    responses((status = 200, description = "Rows as they are read",
        content((String = "application/x-ndjson"), (String = "text/csv")))))]
async fn export_unreached(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<UnreachedExportParams>,
) -> Result<Response, Problem> {
    let format = Format::parse(params.format.as_deref())?;
    let text = params.text();
    let UnreachedExportParams { state, reason, path, .. } = params;
    let query = ReachQuery { state, reason, path, after: None };
    let count = engine.unreached_count(caller.context(), &query).await?;
    let told = record(format, count, text);
    engine.record_certificate_export(caller.context(), told).await?;
    let context = caller.context().clone();
    let read: Read<UnreachedShown, _> = Box::new(move |after| {
        let (engine, context) = (engine.clone(), context.clone());
        let query = ReachQuery { after, ..query.clone() };
        Box::pin(async move {
            let context = still(&engine, &context).await?;
            let rows = engine.unreached(&context, &query, listing::LIMIT_MAX).await?;
            let full = rows.len() == listing::LIMIT_MAX;
            let next = rows.last().filter(|_| full);
            let next = next.map(|row| (row.reach.not_after, row.reach.certificate));
            Ok((rows.into_iter().map(UnreachedShown::from).collect(), next))
        })
    });
    Ok(pages(format, "unreached", UnreachedShown::COLUMNS, read))
}
