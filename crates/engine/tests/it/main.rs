//! The engine on a real store.

mod access;
mod automation;
mod configuration;
mod history;
mod inventory;
mod job;
mod nodes;
mod sealer;
mod upload;
