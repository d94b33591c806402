//! The API and the pages through the real router over a real engine.

mod access;
mod administration;
mod alerts;
mod automation;
mod browser;
mod certificates;
mod channels;
mod confirmation;
mod deliveries;
mod document;
mod event_access;
mod event_scope;
mod events;
mod forms;
mod forwarders;
mod guard;
mod intake;
mod log;
mod monitors;
mod notifications;
mod okta;
mod okta_poll;
mod pages;
mod retention;
mod rights;
