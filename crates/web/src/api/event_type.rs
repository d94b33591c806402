//! The catalogue of event types.

use chancery_engine::Permission;
use chancery_event::EventType;
use chancery_event::catalogue::System;
use serde::Serialize;
use serde_json::Value;
use utoipa_axum::routes;

use super::Operations;
use super::listing::Page;
use crate::edge::{Json, PathOf, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::EventRead, routes!(list_event_types));
    operations.any(Permission::EventRead, routes!(read_event_type));
}

/// An entry of the catalogue.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct TypeEntry {
    /// Dotted name.
    #[schema(example = "certificate.upload")]
    name: &'static str,
    /// `operation`, `occurrence` or `monitoring`.
    kind: &'static str,
    /// Version of the payload.
    version: u16,
    /// How much it matters when it went well or came about.
    severity: &'static str,
    /// How much it matters when it failed.
    severity_on_failure: &'static str,
    /// What kind of object it is about.
    resource: &'static str,
    /// What it records.
    description: &'static str,
    /// Where triggers on it can be bound besides the platform.
    overridden_by: Vec<&'static str>,
    /// Whether a monitor finds it.
    monitoring: bool,
    /// Whether this version of the program records it.
    produced: bool,
    /// What other systems call it.
    dialects: Vec<Dialect>,
}

/// What another system calls events of a type.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Dialect {
    /// The other system.
    #[schema(example = "horizon")]
    system: &'static str,
    /// Its code.
    code: &'static str,
    /// The outcomes it stands for: `any`, or some of `success,failure,warning`.
    outcomes: String,
    /// Whether that system has given the code up.
    deprecated: bool,
}

/// An entry of the catalogue, with the schema of its events.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct TypeDetail {
    #[serde(flatten)]
    entry: TypeEntry,
    /// JSON Schema (2020-12) of a whole event.
    #[schema(value_type = Object)]
    schema: Value,
    /// A plausible event.
    #[schema(value_type = Object)]
    example: Value,
}

fn entry(event_type: EventType) -> TypeEntry {
    let info = event_type.info();
    let dialects = info
        .dialects
        .iter()
        .map(|name| Dialect {
            system: System::as_str(name.system),
            code: name.code,
            outcomes: name.outcomes.words(),
            deprecated: name.deprecated,
        })
        .collect();
    TypeEntry {
        name: info.name,
        kind: info.kind.as_str(),
        version: info.version,
        severity: info.severity.as_str(),
        severity_on_failure: info.severity_on_failure.as_str(),
        resource: info.resource.as_str(),
        description: info.description,
        overridden_by: info.overridden_by.iter().map(|scope| scope.as_str()).collect(),
        monitoring: info.monitoring,
        produced: info.produced,
        dialects,
    }
}

/// Event types
///
/// The whole catalogue, on one page.
#[utoipa::path(get, path = "/api/v1/event-types", tag = "event types",
    responses((status = 200, description = "The catalogue", body = Page<TypeEntry>)))]
async fn list_event_types() -> Json<Page<TypeEntry>> {
    Json(Page::whole(EventType::ALL.iter().copied().map(entry).collect()))
}

/// One event type
///
/// By its name or by the code another system has for it.
#[utoipa::path(get, path = "/api/v1/event-types/{name}", tag = "event types",
    params(("name" = String, Path, description = "Dotted name, or code of another system")),
    responses((status = 200, description = "The entry with its schema", body = TypeDetail)))]
async fn read_event_type(PathOf(name): PathOf<String>) -> Result<Json<TypeDetail>, Problem> {
    let event_type = EventType::parse(&name).ok_or_else(Problem::not_found)?;
    Ok(Json(TypeDetail {
        entry: entry(event_type),
        schema: event_type.schema(),
        example: event_type.example().to_json(),
    }))
}
