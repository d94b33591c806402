//! The OpenAPI description: its head, and what every operation has whoever wrote it.

use std::sync::Arc;

use axum::http::{HeaderValue, Method, header};
use axum::response::IntoResponse;
use serde_json::json;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn, PathItem};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{Components, ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::edge::{Access, PROBLEM_JSON, Problem, Routes};

/// Where the description is served.
const PATH: &str = "/api/v1/openapi.json";

/// The refusals that any operation may answer with: status, name of the component, when.
const REFUSALS: &[(&str, &str, &str)] = &[
    ("400", "Malformed", "The request or its filter cannot be read"),
    ("401", "Unauthenticated", "Nobody proved who they are, or the credentials are wrong"),
    ("403", "Forbidden", "The role does not have the permission"),
    ("404", "NotFound", "There is no such object"),
    ("409", "Conflict", "The state of the object forbids it, or it is there already"),
    ("412", "PreconditionFailed", "Somebody else changed the object after it was read"),
    ("413", "TooLarge", "The body is too long"),
    ("422", "Refused", "Understood, and refused: a field or an upload cannot be accepted"),
    ("429", "RateLimited", "Too many requests; `Retry-After` tells when to try again"),
    (
        "503",
        "Unavailable",
        "The database is away, or it took too long; `Retry-After` tells when to try again. A \
         change that was under way may have been made",
    ),
    ("507", "StorageFull", "Storage is full; nothing was written"),
];

/// The description without operations.
pub(super) fn base() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Chancery")
        .version("1")
        .description(Some(
            "Certificates, their events, and the sealed log of everything that happened.\n\n\
             Authenticate with `Authorization: Bearer <token>`. Errors are problem documents \
             (RFC 9457). Lists answer `{items, next_cursor, previous_cursor}` and a `Link` header. \
             Writes take an `Idempotency-Key`: the same request with the same key is done once, \
             and a repetition gets the first answer with `Idempotency-Replayed: true`. Answers of \
             429 and 5xx are not kept. A key belongs to the account, and is remembered for \
             24 hours. If the server ended before it answered, a repetition is told 409 \
             (`in_progress`) until 300 seconds after the first request; then the request is done \
             again: look first whether the first one was. Times are RFC 3339 in UTC.",
        ))
        .build();
    let mut schemas = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut schemas);
    let mut components = Components::new();
    components.schemas.extend(schemas);
    for (_, name, when) in REFUSALS {
        components.responses.insert((*name).to_owned(), RefOr::T(refusal(when)));
    }
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("chy_…").build();
    let cookie = ApiKey::Cookie(ApiKeyValue::new("__Host-chancery"));
    components.security_schemes.insert("bearer".to_owned(), SecurityScheme::Http(bearer).into());
    components.security_schemes.insert("session".to_owned(), SecurityScheme::ApiKey(cookie).into());
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}

fn refusal(when: &str) -> Response {
    let content =
        ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
    ResponseBuilder::new().description(when).content(PROBLEM_JSON, content).build()
}

/// Completes the operations of an item with their permission and common refusals; answers their
/// methods.
pub(crate) fn complete(item: &mut PathItem, access: Access) -> Vec<Method> {
    let slots = [
        (Method::GET, &mut item.get),
        (Method::POST, &mut item.post),
        (Method::PATCH, &mut item.patch),
        (Method::PUT, &mut item.put),
        (Method::DELETE, &mut item.delete),
    ];
    let mut methods = Vec::new();
    for (method, slot) in slots {
        if let Some(operation) = slot {
            describe(operation, &method, access);
            methods.push(method);
        }
    }
    methods
}

fn describe(operation: &mut Operation, method: &Method, access: Access) {
    let permission = access.permission().map(|permission| permission.as_str());
    let said = match permission {
        Some(permission) => format!("Permission: `{permission}`."),
        None => "Open to everybody.".to_owned(),
    };
    operation.description = Some(match operation.description.take() {
        Some(text) => format!("{}\n\n{said}", text.trim_end()),
        None => said,
    });
    let extensions = operation.extensions.get_or_insert_with(Extensions::default);
    extensions.insert("x-permission".to_owned(), json!(permission));
    operation.security = Some(match permission {
        Some(_) => ["bearer", "session"]
            .map(|scheme| SecurityRequirement::new(scheme, Vec::<String>::new()))
            .to_vec(),
        None => Vec::new(),
    });
    let is_write = *method != Method::GET;
    let has_object = operation.parameters.iter().flatten().any(|parameter| {
        matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Path)
    });
    for (status, name, _) in REFUSALS {
        let applies = match *status {
            "401" | "403" => permission.is_some(),
            "404" => has_object,
            "409" | "422" | "507" => is_write,
            "412" => *method == Method::PATCH,
            "413" => operation.request_body.is_some(),
            _ => true,
        };
        if applies {
            let reference = RefOr::Ref(Ref::from_response_name(*name));
            operation.responses.responses.entry((*status).to_owned()).or_insert(reference);
        }
    }
    if is_write {
        operation.parameters.get_or_insert_default().push(RefOr::T(idempotency_key()));
    }
}

fn idempotency_key() -> Parameter {
    let mut parameter = Parameter::new("Idempotency-Key");
    parameter.parameter_in = ParameterIn::Header;
    parameter.required = Required::False;
    parameter.description = Some(
        "1 to 255 characters; for 24 hours a repeated request gets the first answer".to_owned(),
    );
    parameter.schema = Some(ObjectBuilder::new().schema_type(Type::String).build().into());
    parameter
}

/// Serves the description, and answers it.
pub(super) fn add(routes: &mut Routes, document: &OpenApi) -> serde_json::Value {
    let text: Arc<str> = text(document).into();
    let value = serde_json::from_str(&text).unwrap_or_default();
    let serve = move || async move {
        let json = HeaderValue::from_static("application/json");
        ([(header::CONTENT_TYPE, json)], text.to_string()).into_response()
    };
    routes.add(Method::GET, PATH, Access::Public, serve);
    value
}

fn text(document: &OpenApi) -> String {
    // Unwrap safety: the description is made of strings and maps of strings.
    let mut text = document.to_pretty_json().expect("the description is JSON");
    text.push('\n');
    text
}
