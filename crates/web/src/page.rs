//! The pages: one file per page, each with its handlers, what they show and the forms they read.
//!
//! Read in this order: `shell` (what every page has around it and how it fails), `address` (the
//! state in the URL), `typed` (forms that come back as they were), `listing` (what all lists
//! share), then any page. Pages work without scripts: a form posts, is answered with a redirect,
//! and the page behind it shows a notice once.
//!
//! Nothing here queries the store or decides what somebody may do: a page hides what the role may
//! not do, the route refuses it, and the engine refuses it again.

mod account;
mod address;
mod administration;
mod alert;
mod alert_row;
mod alerts;
mod api_docs;
mod asset;
mod automation;
mod catalogue;
mod certificate;
mod certificate_facts;
mod certificates;
mod confirmation;
mod deliveries;
mod event;
mod event_proof;
mod event_row;
mod events;
mod field_doc;
mod form;
mod forwarder;
mod help;
mod home;
mod jobs;
mod listing;
mod live;
mod log_view;
mod login;
mod notice_cookie;
mod notification;
mod past_event;
mod placement;
mod prose;
mod question;
mod refusal;
mod review;
mod saved_view;
mod search;
mod shell;
mod short_list;
mod task;
mod task_form;
mod typed;
mod upload;
mod version_list;

use axum::http::Method;

pub(crate) use refusal::framed;

use crate::edge::Routes;

const GET: Method = Method::GET;
const POST: Method = Method::POST;

/// Adds all pages to the routes. `document` is the OpenAPI description of the API.
pub fn add(routes: &mut Routes, document: &serde_json::Value) {
    login::add(routes);
    home::add(routes);
    asset::add(routes);
    catalogue::add(routes);
    help::add(routes);
    events::add(routes);
    live::add(routes);
    event::add(routes);
    alerts::add(routes);
    alert::add(routes);
    review::add(routes);
    saved_view::add(routes);
    certificates::add(routes);
    upload::add(routes);
    log_view::add(routes);
    jobs::add(routes);
    task::add(routes);
    task_form::add(routes);
    automation::add(routes);
    forwarder::add(routes);
    notification::add(routes);
    deliveries::add(routes);
    certificate::add(routes);
    search::add(routes);
    administration::add(routes);
    account::add(routes);
    api_docs::add(routes, document);
}
