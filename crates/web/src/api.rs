//! The REST API under `/api/v1`, the sealed log under `/log/`, health and figures.
//!
//! A handler parses, calls one operation of the engine and writes down the answer; wire types are
//! structs of their own, next to the handlers that use them. Every operation is documented where it
//! is written; `document` adds what all of them share, and a golden file holds the whole
//! description. Names and shapes on the wire only ever grow.
//!
//! Read `listing` (pages of lists), `version` (ETags) and `certificate` first; the others are like
//! it.

mod account;
mod alert;
mod attribute;
mod automation;
mod certificate;
mod channel;
mod contact;
mod coverage;
mod delivery;
mod destination;
pub(crate) mod dialect;
pub(crate) mod document;
mod escalation;
mod evaluation;
mod event;
mod event_access;
mod event_count;
mod event_type;
mod export;
mod facet;
mod forwarder;
mod health;
mod intake;
mod intake_source;
mod job;
mod label;
mod listing;
mod log;
mod me;
mod metrics;
mod node;
mod notification;
pub(crate) mod okta;
mod retention;
mod session;
mod stream;
mod task;
mod tile;
mod token;
mod upload;
mod version;
mod view;
mod wire;

use chancery_engine::Permission;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::UtoipaMethodRouter;

use crate::edge::{Access, AppState, Routes};

pub(crate) use stream::{STREAM_MAX, beginning};

/// Gathers operations of the API with their description.
pub(crate) struct Operations<'a> {
    routes: &'a mut Routes,
    document: OpenApi,
}

impl Operations<'_> {
    /// An operation that asks for a permission.
    fn any(&mut self, permission: Permission, operation: UtoipaMethodRouter<AppState>) {
        let access = Access::Any(permission);
        self.routes.operation(&mut self.document, access, false, operation);
    }

    /// The same with a body as long as an upload.
    fn upload(&mut self, permission: Permission, operation: UtoipaMethodRouter<AppState>) {
        self.routes.operation(&mut self.document, Access::Any(permission), true, operation);
    }

    /// An operation open to everybody.
    fn public(&mut self, operation: UtoipaMethodRouter<AppState>) {
        self.routes.operation(&mut self.document, Access::Public, false, operation);
    }
}

/// Adds the API to the routes; answers its OpenAPI description.
pub fn add(routes: &mut Routes) -> serde_json::Value {
    let mut operations = Operations { routes, document: document::base() };
    certificate::add(&mut operations);
    upload::add(&mut operations);
    event::add(&mut operations);
    event_count::add(&mut operations);
    stream::add(&mut operations);
    export::add(&mut operations);
    event_type::add(&mut operations);
    alert::add(&mut operations);
    job::add(&mut operations);
    task::add(&mut operations);
    token::add(&mut operations);
    account::add(&mut operations);
    label::add(&mut operations);
    attribute::add(&mut operations);
    intake_source::add(&mut operations);
    automation::add(&mut operations);
    evaluation::add(&mut operations);
    event_access::add(&mut operations);
    forwarder::add(&mut operations);
    channel::add(&mut operations);
    delivery::add(&mut operations);
    notification::add(&mut operations);
    contact::add(&mut operations);
    coverage::add(&mut operations);
    escalation::add(&mut operations);
    view::add(&mut operations);
    me::add(&mut operations);
    session::add(&mut operations);
    log::add(&mut operations);
    tile::add(&mut operations);
    health::add(&mut operations);
    metrics::add(&mut operations);
    node::add(&mut operations);
    retention::add(&mut operations);
    let Operations { routes, document } = operations;
    okta::add(routes);
    intake::add(routes);
    document::add(routes, &document)
}
