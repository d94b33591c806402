//! Notifications: every decision, why somebody was told or not, previews and trials. Profiles and
//! templates are objects of automation.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use chancery_engine::notification::{self, DECISIONS, NoticeQuery, Told};
use chancery_engine::{Engine, Permission};
use chancery_event::Timestamp;
use chancery_event::id::{AccountId, EventId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::routes;

use super::Operations;
use super::listing::{Page, limit};
use crate::edge::{Caller, Json, Params, PathOf, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::AlertRead, routes!(list_notices));
    operations.any(Permission::AlertRead, routes!(count_notices));
    operations.any(Permission::AlertRead, routes!(why_notice));
    operations.any(Permission::AlertWrite, routes!(reset_notices));
    operations.any(Permission::AccountRead, routes!(preview_notification));
    operations.any(Permission::AutomationWrite, routes!(try_profile));
    operations.any(Permission::AccountRead, routes!(list_refused_addresses));
    operations.any(Permission::AccountWrite, routes!(clear_refused_address));
}

/// One decision: whether one recipient is told by one channel, and why not.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(super) struct NoticeShown {
    /// Its identifier.
    id: String,
    /// The event.
    event: String,
    /// Type of the event.
    event_type: String,
    /// Its place in the log.
    log_index: Option<u64>,
    /// What it is about, as `kind/id`.
    object: Option<String>,
    /// Its severity.
    severity: String,
    /// The notification profile.
    profile: String,
    /// Version of the profile.
    profile_version: i64,
    /// 0: at once; n: the n-th level of escalation.
    level: i64,
    /// Whom: identifier of the account.
    account: Option<String>,
    /// Whom: login name.
    account_name: Option<String>,
    /// Mail address it goes to.
    address: Option<String>,
    /// Name of the channel, or `bell`.
    channel: String,
    /// How the profile leads to them.
    paths: Vec<String>,
    /// `sent`, `held` or `skipped`.
    decision: String,
    /// Why it is held or skipped, in one word.
    reason: String,
    /// The same in words.
    reason_text: String,
    /// Until when it is held.
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<Timestamp>,
    /// The delivery that carries it.
    delivery: Option<String>,
    /// State of the delivery: `waiting`, `delivered`, `dead`.
    delivery_state: Option<String>,
    /// The alert that tells the same.
    alert: Option<String>,
    /// When it was decided.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl NoticeShown {
    /// The columns of an export.
    pub(super) const COLUMNS: &[&str] = &[
        "id",
        "at",
        "decision",
        "reason",
        "reason_text",
        "account_name",
        "address",
        "channel",
        "profile",
        "profile_version",
        "level",
        "severity",
        "event_type",
        "event",
        "log_index",
        "object",
        "due_at",
        "delivery",
        "delivery_state",
        "alert",
    ];
}

impl From<Told> for NoticeShown {
    fn from(told: Told) -> Self {
        let (paths, reason_text) = (told.paths(), told.reason().to_owned());
        let notice = told.notice;
        Self {
            id: notice.id.to_string(),
            event: notice.event_id.to_string(),
            event_type: notice.event_type,
            log_index: notice.log_index.map(|index| index.0),
            object: notice.object,
            severity: notice.severity,
            profile: notice.profile,
            profile_version: notice.profile_version,
            level: notice.level,
            account: notice.account.map(|id| id.to_string()),
            account_name: told.account_name,
            address: notice.address,
            channel: notice.channel,
            paths,
            decision: notice.decision,
            reason: notice.reason,
            reason_text,
            due_at: notice.due_at,
            delivery: notice.delivery.map(|id| id.to_string()),
            delivery_state: told.delivery_state,
            alert: notice.alert.map(|id| id.to_string()),
            at: notice.at,
        }
    }
}

/// Which decisions.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct NoticeParams {
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
    /// How many, 1 to 1,000; 50 unless told otherwise.
    #[serde(deserialize_with = "super::listing::number")]
    limit: Option<usize>,
    /// Where the page before this one ended.
    cursor: Option<String>,
}

/// Refuses a decision that there is none of.
pub(super) fn check_decision(word: Option<&str>) -> Result<(), Problem> {
    match word.filter(|word| !DECISIONS.contains(word)) {
        None => Ok(()),
        Some(word) => {
            let message = format!("{word} is none of {}", DECISIONS.join(", "));
            Err(Problem::invalid("decision", message))
        }
    }
}

fn query(engine: &Engine, params: &NoticeParams) -> Result<NoticeQuery, Problem> {
    check_decision(params.decision.as_deref())?;
    let before = match params.cursor.as_deref() {
        None => None,
        Some(text) => Some(text.parse().map_err(|error| Problem::invalid("cursor", error))?),
    };
    Ok(NoticeQuery {
        event: params.event,
        object: params.object.clone(),
        account: params.account,
        profile: params.profile.clone(),
        channel: params.channel.clone(),
        decision: params.decision.clone(),
        reason: params.reason.clone(),
        delivery: None,
        from: params.from,
        to: params.to,
        filter: engine.parse_notice_filter(params.filter.as_deref().unwrap_or_default())?,
        before,
        after: None,
    })
}

/// Decisions about notifications
///
/// Whether somebody was told of an event by a channel, and why not. Viewers see those about
/// themselves.
#[utoipa::path(get, path = "/api/v1/notices", tag = "notifications",
    params(NoticeParams),
    responses((status = 200, description = "Newest first", body = Page<NoticeShown>)))]
async fn list_notices(
    State(engine): State<Engine>,
    caller: Caller,
    uri: Uri,
    Params(params): Params<NoticeParams>,
) -> Result<Response, Problem> {
    let limit = limit(params.limit)?;
    let mut rows = engine.notices(caller.context(), query(&engine, &params)?, limit + 1).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| more).map(|row| row.notice.id.to_string());
    let items = rows.into_iter().map(NoticeShown::from).collect();
    Ok(Page { items, next_cursor, previous_cursor: None }.answer(&uri))
}

/// How many decisions of a kind there are.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct NoticeCount {
    /// `sent`, `held` or `skipped`.
    decision: String,
    /// Why; empty: it was sent.
    reason: String,
    /// How many.
    count: u64,
}

/// Counts of decisions
#[utoipa::path(get, path = "/api/v1/notices/counts", tag = "notifications",
    params(NoticeParams),
    responses((status = 200, description = "By decision and reason", body = Page<NoticeCount>)))]
async fn count_notices(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<NoticeParams>,
) -> Result<Json<Page<NoticeCount>>, Problem> {
    let counts = engine.notice_counts(caller.context(), query(&engine, &params)?).await?;
    let counts =
        counts.into_iter().map(|(decision, reason, count)| NoticeCount { decision, reason, count });
    Ok(Json(Page::whole(counts.collect())))
}

/// Which event and person.
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WhyParams {
    /// The event.
    #[param(value_type = String)]
    event: EventId,
    /// The account; absent: the caller.
    #[param(value_type = Option<String>)]
    account: Option<AccountId>,
}

/// Why somebody was told of an event, or was not.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct WhyShown {
    /// The answer, a sentence each.
    answer: Vec<String>,
    /// The decisions about the person.
    notices: Vec<NoticeShown>,
    /// The profiles that were asked.
    profiles: Vec<String>,
    /// The triggers that looked at the event, with what came of each.
    triggers: Vec<TriggerVerdict>,
}

/// A trigger and what came of asking it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct TriggerVerdict {
    /// Its name.
    trigger: String,
    /// `matched`, `not_matched`, `nearly`, `ignored` or `not_reached`.
    verdict: String,
}

/// Why was I told, or why not?
///
/// From records alone: the triggers that looked at the event, the profiles they told through, and
/// what was decided about the person.
#[utoipa::path(get, path = "/api/v1/notices/why", tag = "notifications",
    params(WhyParams),
    responses((status = 200, description = "The answer", body = WhyShown)))]
async fn why_notice(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<WhyParams>,
) -> Result<Json<WhyShown>, Problem> {
    let own = caller.context().account_id();
    let account = params.account.or(own);
    let account = account.ok_or_else(|| Problem::invalid("account", "whose?".to_owned()))?;
    let why = engine.why_told(caller.context(), params.event, account).await?;
    let verdict = |(trigger, verdict)| TriggerVerdict { trigger, verdict };
    Ok(Json(WhyShown {
        answer: why.answer,
        notices: why.told.into_iter().map(NoticeShown::from).collect(),
        profiles: why.calls.into_iter().map(|call| call.profile).collect(),
        triggers: why.triggers.into_iter().map(verdict).collect(),
    }))
}

/// What is to begin anew.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Reset {
    /// What it is about, as `kind/id`, such as `certificate/ID`.
    object: String,
    /// Of this profile alone.
    #[serde(default)]
    profile: Option<String>,
}

/// How many.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct ResetDone {
    /// Streams of repetitions that begin anew.
    streams: u64,
}

/// Let repetitions begin anew
///
/// Frequency and number of repetitions of an object are forgotten: what comes next is told.
#[utoipa::path(post, path = "/api/v1/notices/reset", tag = "notifications",
    request_body = Reset,
    responses((status = 200, description = "How many", body = ResetDone)))]
async fn reset_notices(
    State(engine): State<Engine>,
    caller: Caller,
    Json(reset): Json<Reset>,
) -> Result<Json<ResetDone>, Problem> {
    let streams =
        engine.reset_notice_streams(caller.context(), &reset.object, reset.profile).await?;
    Ok(Json(ResetDone { streams }))
}

/// What is to be tried out.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
struct PreviewWish {
    /// A profile that is saved.
    profile: Option<String>,
    /// A profile that is not saved.
    #[schema(value_type = Option<Object>)]
    body: Option<Value>,
    /// A template that is not saved.
    #[schema(value_type = Option<Object>)]
    template: Option<Value>,
    /// The event; absent: the newest that fits, or an example.
    #[schema(value_type = Option<String>)]
    event: Option<EventId>,
}

/// What a profile would make of an event.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct PreviewShown {
    /// The event.
    event: String,
    /// Its type.
    event_type: String,
    /// One line.
    subject: String,
    /// Plain text.
    text: String,
    /// HTML, where the template has such.
    html: Option<String>,
    /// Who would be told, who not, and why.
    recipients: Vec<PreviewRecipient>,
}

/// One recipient and channel.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct PreviewRecipient {
    /// What people call them; empty: the channel itself.
    name: String,
    /// Identifier of the account.
    account: Option<String>,
    /// Where mail would go.
    address: Option<String>,
    /// The channel.
    channel: String,
    /// How the profile leads there.
    paths: Vec<String>,
    /// `send`, `hold` or `skip`.
    decision: &'static str,
    /// Why, in words.
    reason: &'static str,
    /// Until when it would be held.
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<Timestamp>,
}

/// Preview a notification
///
/// What a profile would make of a past event: the message, and everybody who would be told or not.
/// Nothing is sent.
#[utoipa::path(post, path = "/api/v1/notifications/preview", tag = "notifications",
    request_body = PreviewWish,
    responses((status = 200, description = "The message and its recipients", body = PreviewShown)))]
async fn preview_notification(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<PreviewWish>,
) -> Result<Json<PreviewShown>, Problem> {
    let name = wish.profile.as_deref();
    let (body, template) = (wish.body, wish.template);
    let preview =
        engine.preview_notification(caller.context(), name, body, template, wish.event).await?;
    let recipient = |row: notification::PreviewRow| PreviewRecipient {
        name: row.name,
        account: row.account.map(|id| id.to_string()),
        address: row.address,
        channel: row.channel,
        paths: row.paths,
        decision: row.decision,
        reason: row.reason,
        due_at: row.due_at,
    };
    Ok(Json(PreviewShown {
        event: preview.event.to_string(),
        event_type: preview.event_type,
        subject: preview.message.subject,
        text: preview.message.text,
        html: preview.message.html,
        recipients: preview.rows.into_iter().map(recipient).collect(),
    }))
}

/// On which event.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
struct TrialOn {
    /// The event; absent: the newest that fits, or an example.
    #[schema(value_type = Option<String>)]
    event: Option<EventId>,
}

/// A message that was queued.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct TrialSent {
    /// The delivery.
    delivery: String,
    /// The channel.
    channel: String,
    /// The address.
    address: Option<String>,
}

/// Send a trial of a profile
///
/// What it would make of a past event, to the caller alone, through each of its channels.
#[utoipa::path(post, path = "/api/v1/notifications/profiles/{name}/test", tag = "notifications",
    params(("name" = String, Path, description = "Name of the profile")),
    request_body = TrialOn,
    responses((status = 200, description = "What was queued", body = Page<TrialSent>)))]
async fn try_profile(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
    Json(wish): Json<TrialOn>,
) -> Result<Json<Page<TrialSent>>, Problem> {
    let sent = engine.try_profile(caller.context(), &name, wish.event).await?;
    let shown = sent.into_iter().map(|one| TrialSent {
        delivery: one.delivery.to_string(),
        channel: one.channel,
        address: one.address,
    });
    Ok(Json(Page::whole(shown.collect())))
}

/// A mail address that a server refuses.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct RefusedAddressShown {
    /// The address.
    address: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// How often.
    refusals: i64,
    /// By the server of which channel.
    channel: String,
    /// What came back.
    error: String,
}

/// Mail addresses that are refused
///
/// A mail server said that they are not there. Nothing is sent to them until their contact data is
/// changed, a message gets through, or somebody takes them off this list.
#[utoipa::path(get, path = "/api/v1/notifications/refused-addresses", tag = "notifications",
    responses((status = 200, description = "By address", body = Page<RefusedAddressShown>)))]
async fn list_refused_addresses(
    State(engine): State<Engine>,
    caller: Caller,
) -> Result<Json<Page<RefusedAddressShown>>, Problem> {
    let rows = engine.refused_addresses(caller.context()).await?;
    let shown = rows.into_iter().map(|row| RefusedAddressShown {
        address: row.address,
        since: row.since,
        refusals: row.refusals,
        channel: row.channel,
        error: row.error,
    });
    Ok(Json(Page::whole(shown.collect())))
}

/// Let mail go to an address again
///
/// Takes it off the list of refused addresses: its mailbox was put right.
#[utoipa::path(delete, path = "/api/v1/notifications/refused-addresses/{address}",
    tag = "notifications",
    params(("address" = String, Path, description = "The address")),
    responses((status = 204, description = "The next message is sent to it")))]
async fn clear_refused_address(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(address): PathOf<String>,
) -> Result<StatusCode, Problem> {
    engine.clear_refused_address(caller.context(), &address).await?;
    Ok(StatusCode::NO_CONTENT)
}
