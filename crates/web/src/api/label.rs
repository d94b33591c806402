//! Groups and RA profiles: named things that certificates belong to.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chancery_engine::configuration::{LabelClass, LabelDraft};
use chancery_engine::{Engine, Permission, row};
use chancery_event::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;

use super::listing::Page;
use super::upload::located;
use super::{Operations, version};
use crate::edge::{Caller, Json, PathOf, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::CertificateRead, routes!(list_groups));
    operations.any(Permission::CertificateRead, routes!(read_group));
    operations.any(Permission::ConfigurationWrite, routes!(create_group));
    operations.any(Permission::ConfigurationWrite, routes!(update_group));
    operations.any(Permission::ConfigurationWrite, routes!(delete_group));
    operations.any(Permission::CertificateRead, routes!(list_ra_profiles));
    operations.any(Permission::CertificateRead, routes!(read_ra_profile));
    operations.any(Permission::ConfigurationWrite, routes!(create_ra_profile));
    operations.any(Permission::ConfigurationWrite, routes!(update_ra_profile));
    operations.any(Permission::ConfigurationWrite, routes!(delete_ra_profile));
}

/// A group or an RA profile.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Label {
    /// Its identifier.
    id: String,
    /// Its name, unique whatever the case.
    #[schema(example = "web")]
    name: String,
    /// What it is for.
    description: String,
    /// Counts changes.
    version: i64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<row::Label> for Label {
    fn from(row: row::Label) -> Self {
        Self {
            id: row.id,
            name: row.name,
            description: row.description,
            version: row.version,
            created_at: row.created_at,
        }
    }
}

/// A group or an RA profile to be made.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "web", "description": "public web servers" }))]
struct LabelWish {
    /// Its name, unique whatever the case.
    name: String,
    /// What it is for.
    #[serde(default)]
    description: String,
}

/// A change. What is absent stays.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({ "description": "public web servers" }))]
struct LabelChange {
    /// Its name.
    name: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// The version that was read; `If-Match` says the same.
    version: Option<i64>,
}

async fn all(engine: &Engine, caller: &Caller, class: LabelClass) -> Result<Vec<Label>, Problem> {
    let rows = engine.labels(caller.context(), class).await?;
    Ok(rows.into_iter().map(Label::from).collect())
}

async fn one(
    engine: &Engine,
    caller: &Caller,
    class: LabelClass,
    id: &str,
) -> Result<Label, Problem> {
    let all = all(engine, caller, class).await?;
    all.into_iter().find(|label| label.id == id).ok_or_else(Problem::not_found)
}

async fn create(
    engine: &Engine,
    caller: &Caller,
    class: LabelClass,
    wish: LabelWish,
    place: &str,
) -> Result<Response, Problem> {
    let draft = LabelDraft { name: wish.name, description: wish.description };
    let id = engine.create_label(caller.context(), class, draft).await?;
    let label = one(engine, caller, class, &id).await?;
    Ok((StatusCode::CREATED, located(&format!("/api/v1/{place}/{id}")), Json(label))
        .into_response())
}

async fn update(
    engine: &Engine,
    caller: &Caller,
    class: LabelClass,
    id: &str,
    headers: &HeaderMap,
    change: LabelChange,
) -> Result<Json<Label>, Problem> {
    let condition = version::if_match(headers)?;
    // What is absent stays as it was read; the version says whether it still is so. Of what is not
    // there, the engine says so, on the record.
    let old = version::present(one(engine, caller, class, id).await)?;
    let version = condition.or(change.version).or(old.as_ref().map(|old| old.version));
    let (name, description) = old.map(|old| (old.name, old.description)).unwrap_or_default();
    let draft = LabelDraft {
        name: change.name.unwrap_or(name),
        description: change.description.unwrap_or(description),
    };
    engine
        .update_label(caller.context(), class, id, version, draft)
        .await
        .map_err(|error| Problem::from(error).under_condition(condition.is_some()))?;
    one(engine, caller, class, id).await.map(Json)
}

/// Groups
#[utoipa::path(get, path = "/api/v1/groups", tag = "configuration",
    responses((status = 200, description = "All groups, by name", body = Page<Label>)))]
async fn list_groups(
    State(engine): State<Engine>,
    caller: Caller,
) -> Result<Json<Page<Label>>, Problem> {
    all(&engine, &caller, LabelClass::Group).await.map(|items| Json(Page::whole(items)))
}

/// One group
#[utoipa::path(get, path = "/api/v1/groups/{id}", tag = "configuration",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The group", body = Label)))]
async fn read_group(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    PathOf(id): PathOf<String>,
) -> Result<Response, Problem> {
    let label = one(&engine, &caller, LabelClass::Group, &id).await?;
    version::tagged(&headers, label.version, &label)
}

/// Make a group
#[utoipa::path(post, path = "/api/v1/groups", tag = "configuration",
    request_body = LabelWish,
    responses((status = 201, description = "The group", body = Label)))]
async fn create_group(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<LabelWish>,
) -> Result<Response, Problem> {
    create(&engine, &caller, LabelClass::Group, wish, "groups").await
}

/// Change a group
#[utoipa::path(patch, path = "/api/v1/groups/{id}", tag = "configuration",
    params(("id" = String, Path, description = "Identifier")),
    request_body = LabelChange,
    responses((status = 200, description = "The group as it is now", body = Label)))]
async fn update_group(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    PathOf(id): PathOf<String>,
    Json(change): Json<LabelChange>,
) -> Result<Json<Label>, Problem> {
    update(&engine, &caller, LabelClass::Group, &id, &headers, change).await
}

/// Delete a group
///
/// Refused while certificates belong to it.
#[utoipa::path(delete, path = "/api/v1/groups/{id}", tag = "configuration",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 204, description = "It is gone")))]
async fn delete_group(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<StatusCode, Problem> {
    engine.delete_label(caller.context(), LabelClass::Group, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// RA profiles
#[utoipa::path(get, path = "/api/v1/ra-profiles", tag = "configuration",
    responses((status = 200, description = "All RA profiles, by name", body = Page<Label>)))]
async fn list_ra_profiles(
    State(engine): State<Engine>,
    caller: Caller,
) -> Result<Json<Page<Label>>, Problem> {
    all(&engine, &caller, LabelClass::RaProfile).await.map(|items| Json(Page::whole(items)))
}

/// One RA profile
#[utoipa::path(get, path = "/api/v1/ra-profiles/{id}", tag = "configuration",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The RA profile", body = Label)))]
async fn read_ra_profile(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    PathOf(id): PathOf<String>,
) -> Result<Response, Problem> {
    let label = one(&engine, &caller, LabelClass::RaProfile, &id).await?;
    version::tagged(&headers, label.version, &label)
}

/// Make an RA profile
#[utoipa::path(post, path = "/api/v1/ra-profiles", tag = "configuration",
    request_body = LabelWish,
    responses((status = 201, description = "The RA profile", body = Label)))]
async fn create_ra_profile(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<LabelWish>,
) -> Result<Response, Problem> {
    create(&engine, &caller, LabelClass::RaProfile, wish, "ra-profiles").await
}

/// Change an RA profile
#[utoipa::path(patch, path = "/api/v1/ra-profiles/{id}", tag = "configuration",
    params(("id" = String, Path, description = "Identifier")),
    request_body = LabelChange,
    responses((status = 200, description = "The RA profile as it is now", body = Label)))]
async fn update_ra_profile(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    PathOf(id): PathOf<String>,
    Json(change): Json<LabelChange>,
) -> Result<Json<Label>, Problem> {
    update(&engine, &caller, LabelClass::RaProfile, &id, &headers, change).await
}

/// Delete an RA profile
///
/// Refused while certificates have it.
#[utoipa::path(delete, path = "/api/v1/ra-profiles/{id}", tag = "configuration",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 204, description = "It is gone")))]
async fn delete_ra_profile(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<StatusCode, Problem> {
    engine.delete_label(caller.context(), LabelClass::RaProfile, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
