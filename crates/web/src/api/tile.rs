//! The sealed log as C2SP tlog-tiles: checkpoint and hash tiles for everybody, entries for
//! auditors.
//!
//! What was served once never changes for the same address, so everything but the checkpoint may be
//! kept for ever.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use chancery_engine::{Engine, Permission};
use chancery_seal::tile::Resource;
use utoipa_axum::routes;

use super::Operations;
use crate::edge::{Access, Caller, Problem};

const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// Entries are for those who may read them: no shared cache keeps them.
const IMMUTABLE_PRIVATE: &str = "private, max-age=31536000, immutable";
const FRESH: &str = "no-cache";

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.public(routes!(checkpoint));
    operations.public(routes!(verifier_key));
    // Paths of tiles have as many parts as the index has groups of three digits; OpenAPI cannot
    // say so, the C2SP text does.
    operations
        .routes
        .add(Method::GET, "/log/tile/entries/{*rest}", Access::Any(Permission::LogRead), entries)
        .add(Method::GET, "/log/tile/{*rest}", Access::Public, tile);
}

fn answer(media_type: &'static str, caching: &'static str, body: Vec<u8>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static(caching)),
    ];
    (headers, body).into_response()
}

/// The checkpoint of the log
///
/// The newest signed checkpoint (C2SP tlog-checkpoint). Hash tiles are served at
/// `/log/tile/{level}/{index}` to everybody, entry bundles at `/log/tile/entries/{index}` to those
/// with `log:read` (C2SP tlog-tiles).
#[utoipa::path(get, path = "/log/checkpoint", tag = "log",
    responses((status = 200, description = "A signed note", content_type = "text/plain", body = String),
        (status = 404, description = "Nothing is sealed yet")))]
async fn checkpoint(State(engine): State<Engine>) -> Result<Response, Problem> {
    let checkpoint = engine.log_checkpoint().await?.ok_or_else(Problem::not_found)?;
    Ok(answer("text/plain; charset=utf-8", FRESH, checkpoint.note.into_bytes()))
}

/// The key of the log
///
/// The verifier key that checks its checkpoints (C2SP signed-note). Get it by another way too, and
/// compare.
#[utoipa::path(get, path = "/log/vkey", tag = "log",
    responses((status = 200, description = "A verifier key", content_type = "text/plain", body = String)))]
async fn verifier_key(State(engine): State<Engine>) -> Response {
    let line = format!("{}\n", engine.verifier());
    answer("text/plain; charset=utf-8", FRESH, line.into_bytes())
}

async fn tile(State(engine): State<Engine>, Path(rest): Path<String>) -> Result<Response, Problem> {
    let Ok(Resource::Tile(id)) = format!("tile/{rest}").parse() else {
        return Err(Problem::not_found());
    };
    let bytes = engine.log_tile(id).await?.ok_or_else(Problem::not_found)?;
    Ok(answer("application/octet-stream", IMMUTABLE, bytes))
}

async fn entries(
    State(engine): State<Engine>,
    caller: Caller,
    Path(rest): Path<String>,
) -> Result<Response, Problem> {
    let Ok(Resource::Entries(id)) = format!("tile/entries/{rest}").parse() else {
        return Err(Problem::not_found());
    };
    let bundle = engine.log_bundle(caller.context(), id).await?;
    let bytes = bundle.ok_or_else(Problem::not_found)?;
    // A browser would keep them past the end of the session.
    let is_token = caller.context().token_id().is_some();
    let caching = if is_token { IMMUTABLE_PRIVATE } else { "no-store" };
    Ok(answer("application/octet-stream", caching, bytes))
}
