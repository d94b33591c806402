//! Certificates of the inventory: lists, one by one, changes.

mod wire;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use chancery_engine::inventory::PlacementRequest;
use chancery_engine::inventory::search::{CertificateFilter, CertificateQuery, Sort};
use chancery_engine::{Engine, Permission};
use chancery_event::Timestamp;
use chancery_event::id::CertificateId;
use serde::Deserialize;
use serde_json::Value;
use utoipa_axum::routes;

use wire::CertificateChange;
pub(super) use wire::{CertificateDetail, CertificateSummary, detail};

use super::facet::{Bars, FacetGroup, Facets, FilterParams, check_span, check_within};
use super::listing::{Page, limit};
use super::wire::{MaybeJson, Note};
use super::{Operations, event, version};
use crate::edge::{AppState, Caller, Json, Params, PathOf, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::CertificateRead, routes!(list_certificates));
    operations.any(Permission::CertificateRead, routes!(search_certificates));
    operations.any(Permission::CertificateRead, routes!(certificate_facets));
    operations.any(Permission::CertificateRead, routes!(certificate_histogram));
    operations.any(Permission::CertificateRead, routes!(read_certificate));
    operations.any(Permission::CertificateWrite, routes!(update_certificate));
    operations.any(Permission::CertificateDelete, routes!(delete_certificate));
    operations.any(Permission::CertificateWrite, routes!(archive_certificate));
    operations.any(Permission::CertificateWrite, routes!(restore_certificate));
    operations.any(Permission::CertificateRead, routes!(certificate_der));
    operations.any(Permission::CertificateRead, routes!(certificate_pem));
    operations.any(Permission::EventRead, routes!(certificate_events));
}

/// What lists of certificates are asked with.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParams {
    /// Condition, such as `expires<30d status:valid owner:alice`.
    #[param(example = "expires<30d")]
    filter: Option<String>,
    /// `expires` (unless told otherwise), `added`, `subject` or `status`; a leading `-` turns the
    /// order round. What is made or deleted between two pages neither skips nor repeats anything
    /// else. The status of a certificate may change while one reads: in that order the certificate
    /// itself may then come twice or not at all.
    #[param(example = "-added")]
    sort: Option<String>,
    /// Items of a page, 1 to 1000; 50 unless told otherwise.
    #[serde(deserialize_with = "super::listing::number")]
    limit: Option<usize>,
    /// From `next_cursor` or `previous_cursor`.
    cursor: Option<String>,
}

/// Reads the filter of certificates.
pub(super) async fn filter(
    engine: &Engine,
    text: Option<&str>,
) -> Result<CertificateFilter, Problem> {
    Ok(engine.parse_certificate_filter(text.unwrap_or_default().trim()).await?)
}

/// The order asked for, and whether it is descending; by expiry unless told otherwise.
pub(super) fn sort(text: Option<&str>) -> Result<(Sort, bool), Problem> {
    let text = text.filter(|text| !text.is_empty()).unwrap_or("expires");
    let (name, descending) = match text.strip_prefix('-') {
        Some(name) => (name, true),
        None => (text, false),
    };
    let sort = Sort::parse(name)
        .ok_or_else(|| Problem::invalid("sort", "one of expires, added, subject, status"))?;
    Ok((sort, descending))
}

/// Certificates
///
/// A page of the inventory, by expiry unless told otherwise. Archived certificates are listed when
/// the filter asks for them (`archived:true`).
#[utoipa::path(get, path = "/api/v1/certificates", tag = "certificates",
    params(ListParams),
    responses((status = 200, description = "A page", body = Page<CertificateSummary>)))]
async fn list_certificates(
    State(engine): State<Engine>,
    caller: Caller,
    uri: Uri,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    let filter = filter(&engine, params.filter.as_deref()).await?;
    let search = CertificateSearch {
        filter: None,
        sort: params.sort,
        limit: params.limit,
        cursor: params.cursor,
    };
    Ok(page(&engine, &caller, filter, search).await?.answer(&uri))
}

async fn page(
    engine: &Engine,
    caller: &Caller,
    filter: CertificateFilter,
    search: CertificateSearch,
) -> Result<Page<CertificateSummary>, Problem> {
    let (sort, descending) = sort(search.sort.as_deref())?;
    let query = CertificateQuery {
        filter,
        sort,
        descending,
        cursor: search.cursor.filter(|cursor| !cursor.is_empty()),
        limit: limit(search.limit)?,
    };
    let page = engine.certificates(caller.context(), &query).await?;
    let items = page.items.iter().map(CertificateSummary::from).collect();
    Ok(Page { items, next_cursor: page.next, previous_cursor: page.previous })
}

/// A search with the filter as a tree.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({
    "filter": { "field": "status", "op": "equals", "value": "valid" },
    "sort": "-added",
    "limit": 50
}))]
struct CertificateSearch {
    /// The condition as a tree; absent: everything.
    #[schema(value_type = Option<Object>)]
    filter: Option<Value>,
    /// As in the list of certificates: `expires` (unless told otherwise), `added`, `subject` or
    /// `status`; a leading `-` turns the order round.
    sort: Option<String>,
    /// Items of a page, 1 to 1000; 50 unless told otherwise.
    limit: Option<usize>,
    /// From `next_cursor` or `previous_cursor`.
    cursor: Option<String>,
}

/// Search certificates
///
/// As the list of certificates, with the filter as a JSON tree.
#[utoipa::path(post, path = "/api/v1/certificates/search", tag = "certificates",
    request_body = CertificateSearch,
    responses((status = 200, description = "A page", body = Page<CertificateSummary>)))]
async fn search_certificates(
    State(engine): State<Engine>,
    caller: Caller,
    Json(mut search): Json<CertificateSearch>,
) -> Result<Json<Page<CertificateSummary>>, Problem> {
    let filter = match search.filter.take() {
        Some(tree) => engine.certificate_filter(&tree).await?,
        None => filter(&engine, None).await?,
    };
    Ok(Json(page(&engine, &caller, filter, search).await?))
}

/// Facets of certificates
///
/// How many of the certificates that fit the filter have each status, owner, group and so on.
#[utoipa::path(get, path = "/api/v1/certificates/facets", tag = "certificates",
    params(FilterParams),
    responses((status = 200, description = "Counts by field and value", body = Facets)))]
async fn certificate_facets(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<FilterParams>,
) -> Result<Json<Facets>, Problem> {
    let filter = filter(&engine, params.filter.as_deref()).await?;
    let found = engine.certificate_facets(caller.context(), &filter).await?;
    let groups = found.groups.into_iter();
    let groups = groups.map(|(field, values)| FacetGroup::new(field, values)).collect();
    Ok(Json(Facets { groups, sampled: found.sampled }))
}

/// Spans of time.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct HistogramParams {
    /// Condition, such as `status:valid`.
    filter: Option<String>,
    /// From this time on (RFC 3339); now unless told otherwise.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Until before this time; a year after `from` unless told otherwise.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// Days of a span, 1 to 366; 7 unless told otherwise.
    days: Option<i64>,
}

/// Expiry of certificates
///
/// How many of the certificates that fit the filter end in each span of time; spans without any are
/// left out.
#[utoipa::path(get, path = "/api/v1/certificates/histogram", tag = "certificates",
    params(HistogramParams),
    responses((status = 200, description = "Counts by span of time", body = Bars)))]
async fn certificate_histogram(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<HistogramParams>,
) -> Result<Json<Bars>, Problem> {
    let filter = filter(&engine, params.filter.as_deref()).await?;
    let from = params.from.unwrap_or_else(|| engine.environment().now());
    let to = params.to.unwrap_or_else(|| from.plus(365 * Timestamp::DAY));
    check_span(from, to)?;
    let width = check_within("days", params.days.unwrap_or(7), 1..=366)? * Timestamp::DAY;
    let found = engine.certificate_expiries(caller.context(), &filter, from, to, width).await?;
    Ok(Json(Bars::new(found.into_iter().map(|(at, count)| (at, at.plus(width), count)))))
}

/// One certificate
///
/// With its names, groups, attributes, the checks of its validation and its chain. Also found by
/// its SHA-256 fingerprint.
#[utoipa::path(get, path = "/api/v1/certificates/{id}", tag = "certificates",
    params(("id" = String, Path, description = "Identifier, or SHA-256 fingerprint")),
    responses((status = 200, description = "The certificate", body = CertificateDetail,
            headers(("ETag" = String, description = "Send it as `If-Match` to change it"))),
        (status = 304, description = "Not changed since the ETag in `If-None-Match`")))]
async fn read_certificate(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    PathOf(id): PathOf<String>,
) -> Result<Response, Problem> {
    let id = resolve(&engine, &caller, &id).await?;
    let view = engine.certificate(caller.context(), id).await?;
    version::tagged(&headers, view.row.version, &detail(view))
}

/// The identifier that a text is, or that stands behind a fingerprint.
async fn resolve(engine: &Engine, caller: &Caller, text: &str) -> Result<CertificateId, Problem> {
    let digits = text.chars().filter(char::is_ascii_hexdigit).count();
    if digits == 64 {
        let found = engine.certificate_id_by_fingerprint(caller.context(), text).await?;
        return found.ok_or_else(Problem::not_found);
    }
    crate::edge::path_of(text)
}

/// Change a certificate
///
/// Changes where it belongs. What is absent stays, `null` clears. With `If-Match` (or `version`),
/// only if nobody changed it meanwhile.
#[utoipa::path(patch, path = "/api/v1/certificates/{id}", tag = "certificates",
    params(("id" = String, Path, description = "Identifier"),
        ("If-Match" = Option<String>, Header, description = "The ETag that was read")),
    request_body = CertificateChange,
    responses((status = 200, description = "The certificate as it is now", body = CertificateDetail)))]
async fn update_certificate(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    PathOf(id): PathOf<CertificateId>,
    Json(change): Json<CertificateChange>,
) -> Result<Response, Problem> {
    let condition = version::if_match(&headers)?;
    let is_conditional = condition.is_some();
    let version = condition.or(change.version);
    let wish = PlacementRequest::from(change);
    engine
        .update_certificate(caller.context(), id, version, wish)
        .await
        .map_err(|error| Problem::from(error).under_condition(is_conditional))?;
    answer(&engine, &caller, id).await
}

/// The certificate as it is now.
async fn answer(engine: &Engine, caller: &Caller, id: CertificateId) -> Result<Response, Problem> {
    let view = engine.certificate(caller.context(), id).await?;
    version::tagged(&HeaderMap::new(), view.row.version, &detail(view))
}

/// Why a deletion.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct NoteParams {
    /// Kept in the event.
    note: Option<String>,
}

/// Delete a certificate
///
/// For good; its events remain. To put it out of sight, archive it.
#[utoipa::path(delete, path = "/api/v1/certificates/{id}", tag = "certificates",
    params(("id" = String, Path, description = "Identifier"), NoteParams),
    responses((status = 204, description = "It is gone")))]
async fn delete_certificate(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<CertificateId>,
    Params(params): Params<NoteParams>,
) -> Result<StatusCode, Problem> {
    engine.delete_certificate(caller.context(), id, params.note).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Archive a certificate
///
/// Out of sight, kept, no longer watched.
#[utoipa::path(post, path = "/api/v1/certificates/{id}/archive", tag = "certificates",
    params(("id" = String, Path, description = "Identifier")),
    request_body(content = Option<Note>, description = "May be left out"),
    responses((status = 200, description = "The certificate as it is now", body = CertificateDetail)))]
async fn archive_certificate(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<CertificateId>,
    MaybeJson(note): MaybeJson<Note>,
) -> Result<Response, Problem> {
    engine.archive_certificate(caller.context(), id, true, note.note).await?;
    answer(&engine, &caller, id).await
}

/// Restore a certificate
///
/// Takes it back from the archive.
#[utoipa::path(post, path = "/api/v1/certificates/{id}/restore", tag = "certificates",
    params(("id" = String, Path, description = "Identifier")),
    request_body(content = Option<Note>, description = "May be left out"),
    responses((status = 200, description = "The certificate as it is now", body = CertificateDetail)))]
async fn restore_certificate(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<CertificateId>,
    MaybeJson(note): MaybeJson<Note>,
) -> Result<Response, Problem> {
    engine.archive_certificate(caller.context(), id, false, note.note).await?;
    answer(&engine, &caller, id).await
}

/// The bytes of a certificate
///
/// DER, exactly as they came in.
#[utoipa::path(get, path = "/api/v1/certificates/{id}/der", tag = "certificates",
    params(("id" = String, Path, description = "Identifier, or SHA-256 fingerprint")),
    responses((status = 200, description = "DER", content_type = "application/pkix-cert", body = super::wire::Binary)))]
async fn certificate_der(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<Response, Problem> {
    let id = resolve(&engine, &caller, &id).await?;
    let view = engine.certificate(caller.context(), id).await?;
    Ok(file("application/pkix-cert", &format!("{id}.cer"), view.der))
}

/// A certificate as PEM
#[utoipa::path(get, path = "/api/v1/certificates/{id}/pem", tag = "certificates",
    params(("id" = String, Path, description = "Identifier, or SHA-256 fingerprint")),
    responses((status = 200, description = "PEM", content_type = "application/x-pem-file", body = String)))]
async fn certificate_pem(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<Response, Problem> {
    let id = resolve(&engine, &caller, &id).await?;
    let view = engine.certificate(caller.context(), id).await?;
    let pem = wire::pem(&view.der).into_bytes();
    Ok(file("application/x-pem-file", &format!("{id}.pem"), pem))
}

/// A file to be kept by the client.
pub(super) fn file(media_type: &'static str, name: &str, bytes: Vec<u8>) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    let disposition = format!("attachment; filename=\"{name}\"");
    if let Ok(value) = HeaderValue::from_str(&disposition) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    (headers, bytes).into_response()
}

/// Events of a certificate
///
/// Everything that happened to it, newest first unless told otherwise.
#[utoipa::path(get, path = "/api/v1/certificates/{id}/events", tag = "certificates",
    params(("id" = String, Path, description = "Identifier"), event::ListParams),
    responses((status = 200, description = "A page", body = Page<event::EventRecord>)))]
async fn certificate_events(
    State(state): State<AppState>,
    caller: Caller,
    uri: Uri,
    PathOf(id): PathOf<CertificateId>,
    Params(params): Params<event::ListParams>,
) -> Result<Response, Problem> {
    event::list(&state.engine, &caller, &uri, params, Some(("certificate", id.to_string()))).await
}
