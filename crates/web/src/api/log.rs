//! Verifying the log on the server.

use axum::extract::State;
use chancery_engine::{Engine, Permission};
use serde::Serialize;
use utoipa_axum::routes;

use super::Operations;
use crate::edge::{Caller, Json, Problem};

/// Adds the operation.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::LogVerify, routes!(verify_log));
}

/// What a verification found.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct LogReport {
    /// Entries that were checked.
    entries: u64,
    /// Root hash of the tree over them, base64.
    root: String,
    /// How long it took, in milliseconds.
    duration_ms: u64,
}

/// Verify the log
///
/// Reads every entry, every tile and the checkpoint back from the store and recomputes the tree. A
/// fault is answered with the problem `log_damaged`. What a server says of itself proves nothing to
/// others: they run `chancery verify` over `/log/`.
#[utoipa::path(post, path = "/api/v1/log/verify", tag = "log",
    responses((status = 200, description = "The log holds", body = LogReport)))]
async fn verify_log(
    State(engine): State<Engine>,
    caller: Caller,
) -> Result<Json<LogReport>, Problem> {
    let report = engine.verify_log(caller.context()).await?;
    Ok(Json(LogReport {
        entries: report.count,
        root: report.root,
        duration_ms: report.duration_ms,
    }))
}
