//! The engine on a real store.

mod access;
mod alert;
mod automation;
mod bulk;
mod configuration;
mod history;
mod inventory;
mod job;
mod nodes;
mod sealer;
mod upload;
