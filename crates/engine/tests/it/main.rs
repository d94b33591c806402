//! The engine on a real store.

mod access;
mod ahead;
mod alert;
mod automation;
mod bulk;
mod configuration;
mod covered;
mod delivery;
mod history;
mod intake;
mod inventory;
mod job;
mod lost;
mod monitor;
mod nodes;
mod notification;
mod notified;
mod reaction;
mod reaction_figures;
mod remembered;
mod retention;
mod schedule;
mod sealer;
mod simulation;
mod sweep;
mod upload;
