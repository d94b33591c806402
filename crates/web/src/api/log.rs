//! Verifying the log on the server, and backups.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chancery_engine::{Engine, Permission};
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;

use super::Operations;
use super::upload::{Queued, queued};
use crate::edge::{Caller, Json, Params, Problem};

/// Adds the operation.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::LogVerify, routes!(verify_log));
    operations.any(Permission::Backup, routes!(create_backup));
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

/// How to verify.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct VerifyParams {
    /// `sync` waits for the result; `async` queues a job. Unless told otherwise, a log of up to
    /// 100,000 entries is waited for.
    mode: Option<String>,
}

/// Verify the log
///
/// Reads every entry, every tile and the checkpoint back from the store and recomputes the tree. A
/// fault is answered with the problem `log_damaged`. A long log becomes a job that tells its
/// progress; it fails if the log has a fault. What a server says of itself proves nothing to
/// others: they run `chancery verify` over `/log/`.
#[utoipa::path(post, path = "/api/v1/log/verify", tag = "log",
    params(VerifyParams),
    responses(
        (status = 200, description = "The log holds", body = LogReport),
        (status = 202, description = "The log is being verified; see the job", body = Queued)))]
async fn verify_log(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<VerifyParams>,
) -> Result<Response, Problem> {
    let queue = match params.mode.as_deref() {
        Some("sync") => false,
        Some("async") => true,
        None => !engine.verifies_at_once().await?,
        Some(_) => return Err(Problem::invalid("mode", "`sync` or `async`")),
    };
    if queue {
        return Ok(queued(engine.queue_log_verification(caller.context()).await?));
    }
    let report = engine.verify_log(caller.context()).await?;
    let report =
        LogReport { entries: report.count, root: report.root, duration_ms: report.duration_ms };
    Ok(Json(report).into_response())
}

/// Make a backup
///
/// Queues a job that writes a consistent copy of the data directory, keys included, into a new
/// directory on the server; the result of the job names it. Where that is, is a setting.
#[utoipa::path(post, path = "/api/v1/backups", tag = "log",
    responses((status = 202, description = "It is being made; see the job", body = Queued)))]
async fn create_backup(State(engine): State<Engine>, caller: Caller) -> Result<Response, Problem> {
    Ok(queued(engine.queue_backup(caller.context()).await?))
}
