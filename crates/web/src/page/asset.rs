//! The files that pages load.

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::GET;
use super::shell::Shell;
use crate::edge::{Access, Problem, Routes};
use crate::ui::assets;

pub(super) fn add(routes: &mut Routes) {
    routes.add(GET, "/assets/{name}", Access::Public, asset);
    routes.add(GET, "/favicon.ico", Access::Public, favicon);
}

async fn favicon() -> Redirect {
    Redirect::temporary(&assets::asset_url("favicon.svg"))
}

async fn asset(shell: Shell, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = assets::lookup(&name) else { return Problem::not_found().page() };
    let cache = HeaderValue::from_static(asset.cache_control(shell.address.value("v")));
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known.is_some_and(|tags| tags.contains(&asset.etag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, asset.media_type)], asset.bytes.into_owned()).into_response()
    };
    response.headers_mut().insert(header::CACHE_CONTROL, cache);
    if let Ok(tag) = HeaderValue::from_str(&asset.etag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
