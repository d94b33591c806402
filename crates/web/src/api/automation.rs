//! Automation: rules, actions, triggers, scopes, monitors, schedules; files of them; trying out.

mod file;
mod trial;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use chancery_engine::automation::{Class, Listed, Object};
use chancery_engine::reaction::{STEP_KINDS, all_fields, schema};
use chancery_engine::{Engine, Permission};
use chancery_event::{EventType, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::routes;

use super::listing::{FilterParams, Page, Place};
use super::upload::located;
use super::{Operations, version};
use crate::edge::{Caller, Json, Params, PathOf, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::AutomationRead, routes!(list_objects));
    operations.any(Permission::AutomationWrite, routes!(create_object));
    operations.any(Permission::AutomationRead, routes!(read_object));
    operations.any(Permission::AutomationWrite, routes!(update_object));
    operations.any(Permission::AutomationWrite, routes!(delete_object));
    operations.any(Permission::AutomationRead, routes!(list_versions));
    operations.any(Permission::AutomationRead, routes!(list_fields));
    operations.any(Permission::AutomationRead, routes!(list_steps));
    file::add(operations);
    trial::add(operations);
}

/// An object of automation.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(super) struct AutomationObject {
    /// `rule`, `action`, `trigger`, `scope`, `monitor` or `schedule`.
    class: &'static str,
    /// Its identity within the class; never changes.
    #[schema(example = "weak-keys")]
    name: String,
    /// Counts its changes.
    version: i64,
    /// Revision of the whole configuration that this version came with.
    revision: i64,
    /// Whether it counts.
    enabled: bool,
    /// What it says; null in the version that deleted it. See the guide to automation.
    #[schema(value_type = Option<Object>)]
    body: Value,
    /// When this version was made.
    #[schema(value_type = String, format = DateTime)]
    changed_at: Timestamp,
    /// Identifier of the account that made it; absent: the program.
    changed_by: Option<String>,
    /// What keeps it from working: a trigger whose references have gone, a monitor that cannot run.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl From<Object> for AutomationObject {
    fn from(object: Object) -> Self {
        Self {
            class: object.class.as_str(),
            name: object.name,
            version: object.version,
            revision: object.revision,
            enabled: object.enabled,
            body: object.body,
            changed_at: object.changed_at,
            changed_by: object.changed_by,
            problem: None,
        }
    }
}

impl From<Listed> for AutomationObject {
    fn from(listed: Listed) -> Self {
        Self { problem: listed.problem, ..Self::from(listed.object) }
    }
}

fn enabled() -> bool {
    true
}

/// An object to be made.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "weak-keys", "body": { "filter": "object.key_size<2048" } }))]
struct NewObject {
    /// Words of `a-z` and `0-9` joined by `-` or `.`.
    name: String,
    /// What it says.
    #[schema(value_type = Object)]
    body: Value,
    /// Whether it counts.
    #[serde(default = "enabled")]
    enabled: bool,
}

/// What an object is to say.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "body": { "filter": "object.key_size<3072" } }))]
struct ObjectChange {
    /// What it says.
    #[schema(value_type = Object)]
    body: Value,
    /// Whether it counts; absent: as it is.
    #[serde(default)]
    enabled: Option<bool>,
    /// The version that was read; `If-Match` says the same.
    #[serde(default)]
    version: Option<i64>,
}

/// The class that a path names.
pub(super) fn class(word: &str) -> Result<Class, Problem> {
    Class::ALL.into_iter().find(|class| class.plural() == word).ok_or_else(Problem::not_found)
}

/// Objects of automation
#[utoipa::path(get, path = "/api/v1/automation/{class}", tag = "automation",
    params(("class" = String, Path, description = "`rules`, `actions`, `triggers`, `scopes`, `monitors`, `schedules`, `notification_profiles` or `notification_templates`"),
        FilterParams),
    responses((status = 200, description = "Those of the class that fit, by name", body = Page<AutomationObject>)))]
async fn list_objects(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(word): PathOf<String>,
    uri: Uri,
    Params(params): Params<FilterParams>,
) -> Result<Response, Problem> {
    let found = engine.find_automation(caller.context(), class(&word)?, params.filter()).await?;
    let items = found.into_iter().map(AutomationObject::from);
    Ok(params.page(items, |one: &AutomationObject| Place::named(&one.name))?.answer(&uri))
}

/// Make an object of automation
///
/// What can never work is refused; `field` is a JSON pointer into the body.
#[utoipa::path(post, path = "/api/v1/automation/{class}", tag = "automation",
    params(("class" = String, Path, description = "`rules`, `actions`, `triggers`, `scopes`, `monitors`, `schedules`, `notification_profiles` or `notification_templates`")),
    request_body = NewObject,
    responses((status = 201, description = "The object", body = AutomationObject)))]
async fn create_object(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(word): PathOf<String>,
    Json(new): Json<NewObject>,
) -> Result<Response, Problem> {
    let class = class(&word)?;
    let made =
        engine.create_automation(caller.context(), class, &new.name, new.body, new.enabled).await?;
    let place = format!("/api/v1/automation/{}/{}", class.plural(), made.name);
    Ok((StatusCode::CREATED, located(&place), Json(AutomationObject::from(made))).into_response())
}

/// One object of automation
#[utoipa::path(get, path = "/api/v1/automation/{class}/{name}", tag = "automation",
    params(("class" = String, Path, description = "Class, in the plural"),
        ("name" = String, Path, description = "Name")),
    responses((status = 200, description = "The version that counts", body = AutomationObject)))]
async fn read_object(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    Path((word, name)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let class = class(&word)?;
    let object = engine.automation_object(caller.context(), class, &name).await?;
    let version = object.version;
    let problem = match class {
        Class::Trigger => {
            let broken = engine.broken_triggers(caller.context()).await?;
            broken.into_iter().find(|(broken, _)| *broken == name).map(|(_, why)| why)
        }
        _ => None,
    };
    let object = AutomationObject { problem, ..object.into() };
    version::tagged(&headers, version, &object)
}

/// Change an object of automation
///
/// The whole body is replaced; a new version counts from now on.
#[utoipa::path(put, path = "/api/v1/automation/{class}/{name}", tag = "automation",
    params(("class" = String, Path, description = "Class, in the plural"),
        ("name" = String, Path, description = "Name")),
    request_body = ObjectChange,
    responses((status = 200, description = "The object as it is now", body = AutomationObject)))]
async fn update_object(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    Path((word, name)): Path<(String, String)>,
    Json(change): Json<ObjectChange>,
) -> Result<Json<AutomationObject>, Problem> {
    let condition = version::if_match(&headers)?;
    let version = condition.or(change.version);
    let class = class(&word)?;
    let changed = engine
        .update_automation(caller.context(), class, &name, version, change.body, change.enabled)
        .await
        .map_err(|error| Problem::from(error).under_condition(condition.is_some()))?;
    Ok(Json(changed.into()))
}

/// Delete an object of automation
///
/// Refused while another one refers to it. Its versions stay.
#[utoipa::path(delete, path = "/api/v1/automation/{class}/{name}", tag = "automation",
    params(("class" = String, Path, description = "Class, in the plural"),
        ("name" = String, Path, description = "Name")),
    responses((status = 204, description = "It counts no more")))]
async fn delete_object(
    State(engine): State<Engine>,
    caller: Caller,
    Path((word, name)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    engine.delete_automation(caller.context(), class(&word)?, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Versions of an object of automation
#[utoipa::path(get, path = "/api/v1/automation/{class}/{name}/versions", tag = "automation",
    params(("class" = String, Path, description = "Class, in the plural"),
        ("name" = String, Path, description = "Name")),
    responses((status = 200, description = "Newest first", body = Page<AutomationObject>)))]
async fn list_versions(
    State(engine): State<Engine>,
    caller: Caller,
    Path((word, name)): Path<(String, String)>,
) -> Result<Json<Page<AutomationObject>>, Problem> {
    let versions = engine.automation_versions(caller.context(), class(&word)?, &name).await?;
    Ok(Json(Page::whole(versions.into_iter().map(AutomationObject::from).collect())))
}

/// Which fields.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FieldParams {
    /// Types of events, joined by commas; all of them unless told otherwise.
    types: Option<String>,
}

/// A field that conditions can name.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct AutomationField {
    /// Its name in filters.
    #[schema(example = "object.key_size")]
    name: String,
    /// What its values are.
    #[schema(example = "a whole number")]
    kind: &'static str,
    /// What it says.
    description: String,
}

/// Fields of conditions
///
/// Those of events, the members of their details as `detail.NAME`, and those of the certificate as
/// `object.NAME`.
#[utoipa::path(get, path = "/api/v1/automation/fields", tag = "automation",
    params(FieldParams),
    responses((status = 200, description = "The fields", body = Page<AutomationField>)))]
async fn list_fields(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<FieldParams>,
) -> Result<Json<Page<AutomationField>>, Problem> {
    let attributes = engine.attributes(caller.context()).await?;
    let schema = match params.types.as_deref().filter(|text| !text.is_empty()) {
        None => all_fields(&attributes),
        Some(text) => schema(&event_types(text)?, &attributes),
    };
    let field = |field: &chancery_event::filter::Field| AutomationField {
        name: field.name.clone(),
        kind: field.kind.noun(),
        description: field.doc.clone(),
    };
    Ok(Json(Page::whole(schema.fields().iter().map(field).collect())))
}

/// Types of events, joined by commas.
fn event_types(text: &str) -> Result<Vec<EventType>, Problem> {
    let parse = |name: &str| {
        EventType::parse(name.trim()).ok_or_else(|| {
            Problem::invalid("types", format!("the catalogue has no type “{}”", name.trim()))
        })
    };
    text.split(',').map(parse).collect()
}

/// A step that actions can have.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct StepKind {
    /// Its word.
    #[schema(example = "set_owner")]
    step: &'static str,
    /// What it does.
    description: &'static str,
    /// Its members; those with `?` may be absent.
    members: &'static str,
}

/// Steps of actions
#[utoipa::path(get, path = "/api/v1/automation/steps", tag = "automation",
    responses((status = 200, description = "The steps", body = Page<StepKind>)))]
async fn list_steps(_caller: Caller) -> Json<Page<StepKind>> {
    let steps = STEP_KINDS.iter().map(|(step, description, members)| StepKind {
        step,
        description,
        members,
    });
    Json(Page::whole(steps.collect()))
}
