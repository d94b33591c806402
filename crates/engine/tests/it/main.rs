//! The engine on a real store.

mod access;
mod automation;
mod configuration;
mod history;
mod inventory;
mod job;
mod sealer;
mod upload;
