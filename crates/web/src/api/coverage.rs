//! Routing coverage: who will be told of a certificate, and how many certificates reach nobody.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use chancery_engine::notification;
use chancery_engine::{Engine, Permission};
use chancery_event::Timestamp;
use chancery_event::id::CertificateId;
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;

use super::Operations;
use super::listing::{Page, limit, open_timed, timed};
use crate::edge::{Caller, Json, Params, PathOf, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::CertificateRead, routes!(read_coverage));
    operations.any(Permission::CertificateRead, routes!(read_estate_coverage));
    operations.any(Permission::CertificateRead, routes!(list_unreached));
}

/// One way by which somebody would hear of one type of event.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct RouteShown {
    /// The type of event.
    event_type: String,
    /// The trigger.
    trigger: String,
    /// The profile.
    profile: String,
    /// What people call whom it reaches; empty: whoever reads the channel.
    name: String,
    /// Identifier of the account.
    account: Option<String>,
    /// Where mail would go; for those who may see accounts.
    address: Option<String>,
    /// The channel, or `bell`.
    channel: String,
    /// How the profile leads there.
    paths: Vec<String>,
    /// It would arrive, now or later.
    open: bool,
    /// Why not, or why later.
    reason: &'static str,
    /// When the channel got something through last.
    #[schema(value_type = Option<String>, format = DateTime)]
    tested_at: Option<Timestamp>,
    /// When it got something about this certificate through last.
    #[schema(value_type = Option<String>, format = DateTime)]
    told_at: Option<Timestamp>,
}

/// A threshold that will be crossed.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct AheadShown {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The monitor that finds it.
    monitor: String,
    /// The threshold.
    threshold: String,
}

/// Who will be told of a certificate.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct CoverageShown {
    /// `reached`, `bell` (only the bell), `fallback` (only the fallback of a profile) or `nobody`;
    /// `not_counted` for one that is archived or replaced.
    state: &'static str,
    /// Why it is not `reached`, in one word, such as `unowned`.
    reason: &'static str,
    /// The routes; without the permission to see accounts one's own, and how many others there are.
    routes: Vec<RouteShown>,
    /// How many routes there are besides.
    more: usize,
    /// When which threshold will be crossed.
    ahead: Vec<AheadShown>,
}

/// Who will be told of a certificate
///
/// About what, when, through which channel, tested when last: by the triggers, profiles, people and
/// channels as they are now.
#[utoipa::path(get, path = "/api/v1/certificates/{id}/coverage", tag = "notifications",
    params(("id" = String, Path, description = "Identifier of the certificate")),
    responses((status = 200, description = "Its routes", body = CoverageShown)))]
async fn read_coverage(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<CertificateId>,
) -> Result<Json<CoverageShown>, Problem> {
    let coverage = engine.coverage(caller.context(), id).await?;
    let route = |route: notification::Route| RouteShown {
        event_type: route.event_type.name().to_owned(),
        trigger: route.trigger,
        profile: route.profile,
        name: route.name,
        account: route.account.map(|id| id.to_string()),
        address: route.address,
        channel: route.channel,
        paths: route.paths,
        open: route.is_open,
        reason: route.reason,
        tested_at: route.tested_at,
        told_at: route.told_at,
    };
    let ahead = |(at, monitor, threshold)| AheadShown { at, monitor, threshold };
    Ok(Json(CoverageShown {
        state: coverage.state,
        reason: coverage.reason,
        routes: coverage.routes.into_iter().map(route).collect(),
        more: coverage.more,
        ahead: coverage.ahead.into_iter().map(ahead).collect(),
    }))
}

/// How many certificates stand where, and why.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct ReachCount {
    /// `nobody`, `fallback` or `bell`.
    state: String,
    /// Why, in one word.
    reason: String,
    /// How many.
    count: u64,
}

/// How many certificates reach nobody.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct EstateShown {
    /// Nobody hears of their end.
    nobody: u64,
    /// Only the fallback of a profile does.
    fallback: u64,
    /// People hear in the bell alone.
    bell: u64,
    /// Everything was looked at since the last change; false: it is being looked at.
    complete: bool,
    /// By state and reason.
    reasons: Vec<ReachCount>,
}

/// How many certificates reach nobody
#[utoipa::path(get, path = "/api/v1/notifications/coverage", tag = "notifications",
    responses((status = 200, description = "Counts", body = EstateShown)))]
async fn read_estate_coverage(
    State(engine): State<Engine>,
    caller: Caller,
) -> Result<Json<EstateShown>, Problem> {
    let estate = engine.estate_coverage(caller.context()).await?;
    let count = |(state, reason, count)| ReachCount { state, reason, count };
    Ok(Json(EstateShown {
        nobody: estate.nobody,
        fallback: estate.fallback,
        bell: estate.bell,
        complete: estate.is_complete,
        reasons: estate.reasons.into_iter().map(count).collect(),
    }))
}

/// Which certificates.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ReachParams {
    /// `nobody`, `fallback` or `bell`.
    state: Option<String>,
    /// Why, in one word, such as `unowned`.
    reason: Option<String>,
    /// In this folder, or below it.
    path: Option<String>,
    /// How many, 1 to 1,000; 50 unless told otherwise.
    #[serde(deserialize_with = "super::listing::number")]
    limit: Option<usize>,
    /// Where the page before this one ended.
    cursor: Option<String>,
}

/// A certificate that is not reached as it should be.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(super) struct UnreachedShown {
    /// Its identifier.
    certificate: String,
    /// Its subject.
    subject: String,
    /// Login name of its owner.
    owner: Option<String>,
    /// Its folder.
    path: String,
    /// `nobody`, `fallback` or `bell`.
    state: String,
    /// Why, in one word.
    reason: String,
    /// Its end.
    #[schema(value_type = String, format = DateTime)]
    not_after: Timestamp,
}

impl UnreachedShown {
    /// What an export as CSV shows, in this order.
    pub(super) const COLUMNS: &'static [&'static str] =
        &["certificate", "subject", "owner", "path", "state", "reason", "not_after"];
}

impl From<notification::Unreached> for UnreachedShown {
    fn from(row: notification::Unreached) -> Self {
        Self {
            certificate: row.reach.certificate.to_string(),
            subject: row.subject,
            owner: row.owner,
            path: row.path,
            state: row.reach.state,
            reason: row.reach.reason,
            not_after: row.reach.not_after,
        }
    }
}

/// Certificates that are not reached
///
/// Those whose end nobody hears of, or not by a message; the first to end in front.
#[utoipa::path(get, path = "/api/v1/notifications/unreached", tag = "notifications",
    params(ReachParams),
    responses((status = 200, description = "By their end", body = Page<UnreachedShown>)))]
async fn list_unreached(
    State(engine): State<Engine>,
    caller: Caller,
    uri: Uri,
    Params(params): Params<ReachParams>,
) -> Result<Response, Problem> {
    let limit = limit(params.limit)?;
    let after = open_timed(params.cursor.as_deref())?;
    let query = notification::ReachQuery {
        state: params.state,
        reason: params.reason,
        path: params.path,
        after,
    };
    let mut rows = engine.unreached(caller.context(), &query, limit + 1).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let cursor = |row: &notification::Unreached| timed(row.reach.not_after, row.reach.certificate);
    let next_cursor = rows.last().filter(|_| more).map(cursor);
    let items = rows.into_iter().map(UnreachedShown::from).collect();
    Ok(Page { items, next_cursor, previous_cursor: None }.answer(&uri))
}
