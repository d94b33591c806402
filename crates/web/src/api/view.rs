//! Saved views: a name for the query of a list.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chancery_engine::view::{LISTS, NewView, SavedView};
use chancery_engine::{Engine, Permission};
use chancery_event::id::ViewId;
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;

use super::Operations;
use super::listing::Page;
use super::upload::located;
use crate::edge::{Caller, Json, Params, PathOf, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::OwnWrite, routes!(list_views));
    operations.any(Permission::OwnWrite, routes!(read_view));
    operations.any(Permission::OwnWrite, routes!(create_view));
    operations.any(Permission::OwnWrite, routes!(delete_view));
}

/// A saved view.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct View {
    /// Its identifier.
    id: String,
    /// The list it is of.
    list: String,
    /// What people call it.
    name: String,
    /// The query string of the list's address, without `?`.
    #[schema(example = "filter=outcome:failure")]
    query: String,
    /// Others see it too.
    shared: bool,
    /// It is the caller's own.
    own: bool,
}

fn view(list: &str, saved: SavedView) -> View {
    View {
        id: saved.id.to_string(),
        list: list.to_owned(),
        name: saved.name,
        query: saved.query,
        shared: saved.shared,
        own: saved.own,
    }
}

/// Which views.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ViewParams {
    /// `events`, `certificates`, `jobs`, `alerts`, `deliveries`, `evaluations`, `accounts` or
    /// `tokens`; all of them unless told otherwise.
    list: Option<String>,
}

/// A view to be saved.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "list": "events", "name": "Failures", "query": "filter=outcome:failure", "shared": false
}))]
struct ViewWish {
    /// `events`, `certificates`, `jobs`, `alerts`, `deliveries`, `evaluations`, `accounts` or
    /// `tokens`.
    list: String,
    /// What people call it.
    name: String,
    /// The query string of the list's address, without `?`.
    query: String,
    /// Others see it too.
    #[serde(default)]
    shared: bool,
}

/// Saved views
///
/// One's own, and those that others share: of lists that one may read, and without those that
/// search for people unless one may do so.
#[utoipa::path(get, path = "/api/v1/views", tag = "views",
    params(ViewParams),
    responses((status = 200, description = "By list and name", body = Page<View>)))]
async fn list_views(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<ViewParams>,
) -> Result<Json<Page<View>>, Problem> {
    let mut items = Vec::new();
    if let Some(other) = params.list.as_deref().filter(|list| !LISTS.contains(list)) {
        let message = format!("{other:?} is none of {}", LISTS.join(", "));
        return Err(Problem::invalid("list", message));
    }
    for list in LISTS {
        if params.list.as_deref().is_none_or(|wanted| wanted == list) {
            let views = engine.views(caller.context(), list).await?;
            items.extend(views.into_iter().map(|saved| view(list, saved)));
        }
    }
    Ok(Json(Page::whole(items)))
}

/// One saved view
#[utoipa::path(get, path = "/api/v1/views/{id}", tag = "views",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The view", body = View)))]
async fn read_view(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<ViewId>,
) -> Result<Json<View>, Problem> {
    for list in LISTS {
        let views = engine.views(caller.context(), list).await?;
        if let Some(saved) = views.into_iter().find(|saved| saved.id == id) {
            return Ok(Json(view(list, saved)));
        }
    }
    Err(Problem::not_found())
}

/// Save a view
#[utoipa::path(post, path = "/api/v1/views", tag = "views",
    request_body = ViewWish,
    responses((status = 201, description = "The view", body = View)))]
async fn create_view(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<ViewWish>,
) -> Result<Response, Problem> {
    let list = wish.list.clone();
    let new = NewView { list: wish.list, name: wish.name, query: wish.query, shared: wish.shared };
    let id = engine.create_view(caller.context(), new).await?;
    let views = engine.views(caller.context(), &list).await?;
    let saved = views.into_iter().find(|saved| saved.id == id).ok_or_else(Problem::internal)?;
    let location = located(&format!("/api/v1/views/{id}"));
    Ok((StatusCode::CREATED, location, Json(view(&list, saved))).into_response())
}

/// Delete a view
///
/// One's own.
#[utoipa::path(delete, path = "/api/v1/views/{id}", tag = "views",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 204, description = "It is gone")))]
async fn delete_view(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<ViewId>,
) -> Result<StatusCode, Problem> {
    engine.delete_view(caller.context(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}
