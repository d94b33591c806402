//! Uploads: one certificate or many, in whatever container they come.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_engine::inventory::{
    PlacementRequest, Source, Upload, UploadAnswer, UploadMode, UploadedItem,
};
use chancery_engine::{Engine, Error, Permission, Secret};
use chancery_event::id::JobId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::routes;

use super::Operations;
use super::certificate::detail;
use super::version;
use super::wire::Binary;
use crate::edge::{Caller, Json, Params, Problem, Raw};

/// Media types of bodies that are certificates themselves.
const RAW: &[&str] = &[
    "application/x-pem-file",
    "application/pem-certificate-chain",
    "application/pkix-cert",
    "application/pkcs7-mime",
    "application/x-pkcs7-certificates",
    "application/x-pkcs12",
    "application/octet-stream",
    "text/plain",
];

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.upload(Permission::CertificateWrite, routes!(upload_certificates));
}

/// How certificates are uploaded; placement is for bodies that are not JSON.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct UploadParams {
    /// `sync` (unless told otherwise): answered when done. `async`: answered with a job.
    #[param(example = "async")]
    mode: Option<String>,
    /// Login name or identifier of the owner.
    owner: Option<String>,
    /// Names or identifiers of groups, separated by commas.
    groups: Option<String>,
    /// Name or identifier of an RA profile.
    ra_profile: Option<String>,
    /// Folder.
    path: Option<String>,
    /// Values of custom attributes, as a JSON object.
    attributes: Option<String>,
    /// Chains may end here.
    trust_anchor: Option<bool>,
}

/// An upload as JSON.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "certificate": "-----BEGIN CERTIFICATE-----\nMIIB…\n-----END CERTIFICATE-----\n",
    "owner": "alice",
    "groups": ["web"],
    "path": "/prod/web"
}))]
struct UploadBody {
    /// PEM, or base64 of DER, PKCS#7 or PKCS#12.
    certificate: String,
    /// Opens PKCS#12.
    #[serde(default)]
    password: Option<String>,
    /// Login name or identifier of the owner.
    #[serde(default)]
    owner: Option<String>,
    /// Names or identifiers of groups.
    #[serde(default)]
    groups: Option<Vec<String>>,
    /// Name or identifier of an RA profile.
    #[serde(default)]
    ra_profile: Option<String>,
    /// Folder.
    #[serde(default)]
    path: Option<String>,
    /// Values of custom attributes by name.
    #[serde(default)]
    #[schema(value_type = Object)]
    attributes: BTreeMap<String, Value>,
    /// Chains may end here.
    #[serde(default)]
    trust_anchor: Option<bool>,
}

/// What became of an upload of several certificates.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct UploadReport {
    /// How many entered the inventory.
    accepted: usize,
    /// How many did not.
    refused: usize,
    /// One for each certificate, in order.
    items: Vec<UploadItem>,
}

/// What is answered when everything that was sent has entered.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only described: the answers are built from its parts")]
enum Entered {
    /// One certificate.
    One(Box<super::certificate::CertificateDetail>),
    /// Several.
    Several(UploadReport),
}

/// What became of one certificate.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct UploadItem {
    /// Position in what was sent, from 0.
    position: usize,
    /// Its subject, where it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// Its identifier, if it entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Why it did not enter.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

/// A job that was queued.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Queued {
    /// The job; see `/api/v1/jobs/{id}`.
    job: String,
}

/// Upload certificates
///
/// PEM (one or many), DER, PKCS#7 or PKCS#12, recognised by its bytes; or JSON. Private keys are
/// refused and never kept. One certificate is answered with itself, several with a list.
#[utoipa::path(post, path = "/api/v1/certificates", tag = "certificates",
    params(UploadParams),
    request_body(
        content(
            (UploadBody = "application/json"),
            (String = "application/x-pem-file"),
            (String = "text/plain"),
            (Binary = "application/pkix-cert"),
            (String = "application/pem-certificate-chain"),
            (Binary = "application/pkcs7-mime"),
            (Binary = "application/x-pkcs7-certificates"),
            (Binary = "application/x-pkcs12"),
            (Binary = "application/octet-stream"),
        )),
    responses(
        (status = 201, description = "In the inventory: one certificate as it is there, several as a report",
            body = Entered,
            headers(("Location" = String, description = "The certificate, if it is one"))),
        (status = 207, description = "Several certificates: not all entered", body = UploadReport),
        (status = 409, description = "The inventory has it already; several: all of them, with the members of a report",
            body = Problem, content_type = "application/problem+json"),
        (status = 202, description = "Asynchronous: a job was queued", body = Queued,
            headers(("Location" = String, description = "The job"))),
        (status = 415, description = "The media type is not one of those above",
            content_type = "application/problem+json", body = Problem)))]
async fn upload_certificates(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    Params(params): Params<UploadParams>,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let size = body.len() as u64;
    let upload = match read(&headers, params, body) {
        Ok(upload) => upload,
        Err(problem) => {
            // Somebody tried to upload: that is an attempt, whatever became of it.
            let said = problem.detail.clone().unwrap_or_else(|| problem.title.to_owned());
            engine.refuse_upload(caller.context(), size, problem.reason(), said).await;
            return Err(problem);
        }
    };
    match engine.upload(caller.context(), upload).await? {
        UploadAnswer::Queued(job) => Ok(queued(job)),
        UploadAnswer::Done(mut items) if items.len() == 1 => match items.remove(0).result {
            Ok(id) => {
                let view = engine.certificate(caller.context(), id).await?;
                let version = view.row.version;
                let tagged = version::tagged(&HeaderMap::new(), version, &detail(view))?;
                let location = located(&format!("/api/v1/certificates/{id}"));
                Ok((StatusCode::CREATED, location, tagged).into_response())
            }
            Err(error) => Err(error.into()),
        },
        UploadAnswer::Done(items) => Ok(several(items)),
    }
}

fn read(headers: &HeaderMap, params: UploadParams, body: Bytes) -> Result<Upload, Problem> {
    let mode = match params.mode.as_deref().unwrap_or("sync") {
        "sync" => UploadMode::Sync,
        "async" => UploadMode::Async,
        _ => return Err(Problem::invalid("mode", "`sync` or `async`")),
    };
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split(';').next())
        .map(|text| text.trim().to_ascii_lowercase())
        .unwrap_or_default();
    if media_type == "application/json" {
        return from_json(&body, mode);
    }
    if !RAW.contains(&media_type.as_str()) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "The media type is not known",
        )
        .with_detail(format!("send application/json or one of {}", RAW.join(", "))));
    }
    let attributes = match params.attributes.as_deref() {
        None | Some("") => BTreeMap::new(),
        Some(text) => serde_json::from_str(text)
            .map_err(|error| Problem::invalid("attributes", format!("a JSON object: {error}")))?,
    };
    let names = |text: String| {
        text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
    };
    let placement = PlacementRequest {
        owner: params.owner,
        groups: params.groups.map(names),
        ra_profile: params.ra_profile,
        path: params.path,
        attributes,
        trust_anchor: params.trust_anchor,
    };
    Ok(Upload { bytes: body.to_vec(), password: None, placement, mode, source: Source::Upload })
}

fn from_json(body: &Bytes, mode: UploadMode) -> Result<Upload, Problem> {
    crate::edge::no_list(body)?;
    let body: UploadBody = serde_json::from_slice(body).map_err(|error| {
        let detail = format!("the body: {error}");
        match error.is_data() {
            // Understood, and refused: a member that is not known, or of another type.
            true => Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid",
                "A field cannot be accepted",
            )
            .with_detail(detail),
            false => Problem::malformed(detail),
        }
    })?;
    let bytes = if body.certificate.contains("-----BEGIN") {
        body.certificate.into_bytes()
    } else {
        let text: String = body.certificate.split_whitespace().collect();
        STANDARD
            .decode(text)
            .map_err(|_| Problem::invalid("certificate", "PEM, or base64 of the bytes"))?
    };
    let placement = PlacementRequest {
        owner: body.owner,
        groups: body.groups,
        ra_profile: body.ra_profile,
        path: body.path,
        attributes: body.attributes,
        trust_anchor: body.trust_anchor,
    };
    let password = body.password.map(Secret::new);
    Ok(Upload { bytes, password, placement, mode, source: Source::Upload })
}

pub(super) fn queued(job: JobId) -> Response {
    let location = located(&format!("/api/v1/jobs/{job}"));
    (StatusCode::ACCEPTED, location, Json(Queued { job: job.to_string() })).into_response()
}

/// A `Location` header.
pub(super) fn located(path: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(path) {
        headers.insert(header::LOCATION, value);
    }
    headers
}

/// 201 when all have entered, 409 when the inventory had all of them already, 207 for what lies
/// between.
fn several(items: Vec<UploadedItem>) -> Response {
    let is_known = |item: &UploadedItem| matches!(item.result, Err(Error::Duplicate { .. }));
    let all_known = items.iter().all(is_known);
    let items: Vec<UploadItem> = items
        .into_iter()
        .map(|item| {
            let (id, problem) = match item.result {
                Ok(id) => (Some(id.to_string()), None),
                Err(error) => (None, Some(Problem::from(error))),
            };
            UploadItem { position: item.position, subject: item.subject, id, problem }
        })
        .collect();
    let accepted = items.iter().filter(|item| item.id.is_some()).count();
    let refused = items.len() - accepted;
    let report = UploadReport { accepted, refused, items };
    if all_known {
        return Problem::new(
            StatusCode::CONFLICT,
            "duplicate",
            "The inventory has all of these certificates already",
        )
        .with_members(&report);
    }
    let status = if refused == 0 { StatusCode::CREATED } else { StatusCode::MULTI_STATUS };
    (status, Json(report)).into_response()
}
