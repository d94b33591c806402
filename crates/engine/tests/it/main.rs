//! The engine on a real store.

mod access;
mod automation;
mod configuration;
mod history;
mod inventory;
mod job;
mod monitor;
mod schedule;
mod sealer;
mod simulation;
mod sweep;
mod upload;
