//! The REST API and the server-rendered pages.
//!
//! [`router`] is everything this crate serves, over one engine. Read `edge` first: it decides who
//! may call what and how a refusal looks. No SQL here and no rules: handlers parse, call one
//! operation of the engine, and write down the answer.

pub mod api;
pub mod edge;
pub mod page;
pub mod ui;

use axum::Router;

use edge::{AppState, RouteInfo, Routes};

/// All routes over one engine, with everything around them, and the table of what was declared.
pub fn router(state: AppState) -> (Router, Vec<RouteInfo>) {
    let mut routes = Routes::new(state);
    let document = api::add(&mut routes);
    page::add(&mut routes, &document);
    routes.finish()
}
