//! Definitions of custom attributes.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chancery_engine::configuration::attribute::AttributeDraft;
use chancery_engine::{Engine, Permission, row};
use chancery_event::Timestamp;
use chancery_event::id::AttributeId;
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;

use super::listing::Page;
use super::upload::located;
use super::{Operations, version};
use crate::edge::{Caller, Json, PathOf, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::CertificateRead, routes!(list_attributes));
    operations.any(Permission::CertificateRead, routes!(read_attribute));
    operations.any(Permission::ConfigurationWrite, routes!(create_attribute));
    operations.any(Permission::ConfigurationWrite, routes!(update_attribute));
    operations.any(Permission::ConfigurationWrite, routes!(delete_attribute));
}

/// A definition of a custom attribute.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Attribute {
    /// Its identifier.
    id: String,
    /// Lower-case word, used as `attribute.<name>` in filters.
    #[schema(example = "cost_centre")]
    name: String,
    /// What people read.
    label: String,
    /// What it is for.
    description: String,
    /// `string`, `text`, `integer`, `decimal`, `boolean`, `date`, `datetime` or `list`.
    kind: String,
    /// Permitted values of a list; empty: any.
    choices: Vec<String>,
    /// Certificates that enter must have a value, and it cannot be taken away.
    required: bool,
    /// Counts changes.
    version: i64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<row::Attribute> for Attribute {
    fn from(row: row::Attribute) -> Self {
        Self {
            id: row.id.to_string(),
            name: row.name,
            label: row.label,
            description: row.description,
            kind: row.kind,
            choices: row.choices,
            required: row.required,
            version: row.version,
            created_at: row.created_at,
        }
    }
}

/// A definition to be made.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "environment",
    "label": "Environment",
    "kind": "list",
    "choices": ["production", "test"]
}))]
struct AttributeWish {
    /// Lower-case word; cannot be changed.
    name: String,
    /// What people read; the name unless told otherwise.
    #[serde(default)]
    label: Option<String>,
    /// What it is for.
    #[serde(default)]
    description: String,
    /// `string`, `text`, `integer`, `decimal`, `boolean`, `date`, `datetime` or `list`; cannot be
    /// changed.
    kind: String,
    /// Permitted values of a list; empty: any.
    #[serde(default)]
    choices: Vec<String>,
    /// Certificates that enter must have a value. Those that are there stay as they are.
    #[serde(default)]
    required: bool,
}

/// A change. What is absent stays.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({ "choices": ["production", "staging", "test"] }))]
struct AttributeChange {
    /// What people read.
    label: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// Permitted values of a list; replaces all.
    choices: Option<Vec<String>>,
    /// Certificates that enter must have a value.
    required: Option<bool>,
    /// The version that was read; `If-Match` says the same.
    version: Option<i64>,
}

async fn all(engine: &Engine, caller: &Caller) -> Result<Vec<Attribute>, Problem> {
    let rows = engine.attributes(caller.context()).await?;
    Ok(rows.into_iter().map(Attribute::from).collect())
}

async fn one(engine: &Engine, caller: &Caller, id: AttributeId) -> Result<Attribute, Problem> {
    let id = id.to_string();
    let all = all(engine, caller).await?;
    all.into_iter().find(|attribute| attribute.id == id).ok_or_else(Problem::not_found)
}

/// Custom attributes
#[utoipa::path(get, path = "/api/v1/attributes", tag = "configuration",
    responses((status = 200, description = "All definitions, by name", body = Page<Attribute>)))]
async fn list_attributes(
    State(engine): State<Engine>,
    caller: Caller,
) -> Result<Json<Page<Attribute>>, Problem> {
    all(&engine, &caller).await.map(|items| Json(Page::whole(items)))
}

/// Define a custom attribute
#[utoipa::path(post, path = "/api/v1/attributes", tag = "configuration",
    request_body = AttributeWish,
    responses((status = 201, description = "The definition", body = Attribute)))]
async fn create_attribute(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<AttributeWish>,
) -> Result<Response, Problem> {
    let draft = AttributeDraft {
        label: wish.label.unwrap_or_else(|| wish.name.clone()),
        name: wish.name,
        description: wish.description,
        kind: wish.kind,
        choices: wish.choices,
        required: wish.required,
    };
    let id = engine.create_attribute(caller.context(), draft).await?;
    let attribute = one(&engine, &caller, id).await?;
    let location = located(&format!("/api/v1/attributes/{id}"));
    Ok((StatusCode::CREATED, location, Json(attribute)).into_response())
}

/// One custom attribute
#[utoipa::path(get, path = "/api/v1/attributes/{id}", tag = "configuration",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The definition", body = Attribute)))]
async fn read_attribute(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    PathOf(id): PathOf<AttributeId>,
) -> Result<Response, Problem> {
    let attribute = one(&engine, &caller, id).await?;
    version::tagged(&headers, attribute.version, &attribute)
}

/// Change a custom attribute
#[utoipa::path(patch, path = "/api/v1/attributes/{id}", tag = "configuration",
    params(("id" = String, Path, description = "Identifier")),
    request_body = AttributeChange,
    responses((status = 200, description = "The definition as it is now", body = Attribute)))]
async fn update_attribute(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    PathOf(id): PathOf<AttributeId>,
    Json(change): Json<AttributeChange>,
) -> Result<Json<Attribute>, Problem> {
    let condition = version::if_match(&headers)?;
    // As with groups: of what is not there, the engine says so, on the record.
    let old = version::present(one(&engine, &caller, id).await)?;
    let version = condition.or(change.version).or(old.as_ref().map(|old| old.version));
    let (label, description, choices, required) =
        old.map(|old| (old.label, old.description, old.choices, old.required)).unwrap_or_default();
    let draft = AttributeDraft {
        name: String::new(),
        label: change.label.unwrap_or(label),
        description: change.description.unwrap_or(description),
        kind: String::new(),
        choices: change.choices.unwrap_or(choices),
        required: change.required.unwrap_or(required),
    };
    engine
        .update_attribute(caller.context(), id, version, draft)
        .await
        .map_err(|error| Problem::from(error).under_condition(condition.is_some()))?;
    one(&engine, &caller, id).await.map(Json)
}

/// Delete a custom attribute
///
/// Refused while certificates have values of it.
#[utoipa::path(delete, path = "/api/v1/attributes/{id}", tag = "configuration",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 204, description = "It is gone")))]
async fn delete_attribute(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<AttributeId>,
) -> Result<StatusCode, Problem> {
    engine.delete_attribute(caller.context(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}
