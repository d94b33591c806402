//! The OpenAPI description: what every operation has, whoever wrote it.

use axum::http::Method;
use utoipa::openapi::path::{Operation, PathItem};

use crate::edge::Access;

/// Completes the operations of an item with their permission and common refusals; answers their
/// methods.
pub(crate) fn complete(item: &mut PathItem, access: Access) -> Vec<Method> {
    let _ = (item, access);
    let _: Option<Operation> = None;
    vec![]
}
