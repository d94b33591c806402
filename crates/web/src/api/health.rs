//! Health: is the process alive, and does it do its work.

use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chancery_engine::{Engine, Finding};
use serde::Serialize;
use utoipa_axum::routes;

use super::Operations;
use crate::edge::Json;

/// How long the store may take to be read.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// When it is worth asking again, for those that look at it.
const RETRY_SECONDS: &str = "5";

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.public(routes!(live));
    operations.public(routes!(ready));
}

/// Whether the server is well.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Health {
    /// `ok` or `failing`.
    status: &'static str,
    /// What was looked at.
    findings: Vec<HealthFinding>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct HealthFinding {
    /// Which part: `log`, `store`, `pending_events`, `archive`, `node` for one that is stopping, or
    /// `version` for one that cannot read what a newer one recorded.
    part: &'static str,
    /// As it should be.
    good: bool,
    /// One sentence.
    message: String,
}

/// Alive
///
/// The process answers. Restart it when it does not.
#[utoipa::path(get, path = "/health/live", tag = "health",
    responses((status = 200, description = "It does", body = Health)))]
async fn live() -> Json<Health> {
    Json(Health { status: "ok", findings: Vec::new() })
}

/// What everybody may know of a finding: details name files and entries, and stand in the log of
/// the program.
fn sentence(finding: Finding) -> String {
    match (finding.good, finding.part) {
        (false, "log") => "sealing has stopped; the program's own log says why".to_owned(),
        (false, "archive") => {
            "this node does not see the archive; the program's own log says why".to_owned()
        }
        (false, "store") => "the store refuses writes; the program's own log says why".to_owned(),
        _ => finding.message,
    }
}

/// Ready
///
/// The log is being sealed and the store takes writes. Sentences tell what is wrong, never more.
#[utoipa::path(get, path = "/health/ready", tag = "health",
    responses((status = 200, description = "All is as it should be", body = Health),
        (status = 503, description = "Something is not", body = Health)))]
async fn ready(State(engine): State<Engine>) -> Response {
    let mut findings: Vec<HealthFinding> = engine
        .health()
        .findings()
        .into_iter()
        .map(|finding| HealthFinding {
            part: finding.part,
            good: finding.good,
            message: sentence(finding),
        })
        .collect();
    if engine.health().is_leaving() {
        let message = "this node is stopping".to_owned();
        findings.push(HealthFinding { part: "node", good: false, message });
    }
    // A quarantined event is an alarm for people, and no reason to send requests elsewhere; nor is
    // an archive that is not seen, which few requests need.
    let for_people = ["pending_events", "archive"];
    let works = findings.iter().all(|finding| finding.good || for_people.contains(&finding.part));
    // One row, since this is open to everybody. Balancers wait for seconds, and a server that is
    // silent for longer than that.
    let reads = match tokio::time::timeout(ANSWER_MAX, engine.log_checkpoint()).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => {
            tracing::error!(%error, "the store cannot be read");
            false
        }
        Err(_) => {
            tracing::error!(seconds = ANSWER_MAX.as_secs(), "the store does not answer");
            false
        }
    };
    if !reads {
        let message = "the store cannot be read".to_owned();
        findings.retain(|finding| finding.part != "store");
        findings.push(HealthFinding { part: "store", good: false, message });
    }
    if works && reads {
        return Json(Health { status: "ok", findings }).into_response();
    }
    let condition = Health { status: "failing", findings };
    let again = [(header::RETRY_AFTER, RETRY_SECONDS)];
    (StatusCode::SERVICE_UNAVAILABLE, again, Json(condition)).into_response()
}
