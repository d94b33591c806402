//! The levels of an alert: who was told because nobody took it up, and who is told next.

use axum::extract::State;
use chancery_engine::notification::EscalationStep;
use chancery_engine::{Engine, Permission};
use chancery_event::Timestamp;
use chancery_event::id::AlertId;
use serde::Serialize;
use utoipa_axum::routes;

use super::Operations;
use super::listing::Page;
use crate::edge::{Caller, Json, PathOf, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::AlertRead, routes!(list_escalations));
}

/// One level of an alert.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct EscalationShown {
    /// The profile.
    profile: String,
    /// Which level, from 1.
    level: i64,
    /// `told`, `waiting` (it is the next one), `ahead` (it comes after that one) or `dropped`
    /// (somebody took the alert up, or the profile has no such level any more).
    state: String,
    /// When it is or was due.
    #[schema(value_type = String, format = DateTime)]
    due_at: Timestamp,
    /// Whom the profile names, as it spells them.
    recipients: Vec<String>,
    /// Who was told, or would be told now, with the channel: for those who may see accounts.
    people: Vec<String>,
}

impl From<EscalationStep> for EscalationShown {
    fn from(step: EscalationStep) -> Self {
        let EscalationStep { profile, level, state, due_at, recipients, people } = step;
        Self { profile, level, state, due_at, recipients, people }
    }
}

/// The levels of an alert
///
/// Who was told because nobody acknowledged, assigned, snoozed or resolved it in time, who is told
/// next, and when. Empty where no profile that told of it has levels.
#[utoipa::path(get, path = "/api/v1/alerts/{id}/escalations", tag = "alerts",
    params(("id" = String, Path, description = "The alert")),
    responses((status = 200, description = "By time and level", body = Page<EscalationShown>)))]
async fn list_escalations(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<AlertId>,
) -> Result<Json<Page<EscalationShown>>, Problem> {
    let steps = engine.escalation_steps(caller.context(), id).await?;
    Ok(Json(Page::whole(steps.into_iter().map(EscalationShown::from).collect())))
}
