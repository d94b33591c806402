//! The rules of Chancery: operations, sealing, inventory, access, jobs, background loops.
//!
//! Edges (API, pages, command line, protocols) authenticate, build a [`Context`] and call one
//! operation of the [`Engine`]. An operation authorises, changes state and records its events in
//! one transaction; see `operation.rs` for the guard that makes this so.
//!
//! Read in this order: [`Engine`], [`Context`], `operation.rs`, `sealer.rs`, then the operations by
//! subject: `inventory`, `access`, `configuration`, `job`, `history`.
//!
//! Types of this crate derive no `Serialize`: wire formats belong to the edges.

pub mod access;
pub mod alert;
pub mod archive;
pub mod automation;
pub mod backup;
pub mod bench;
pub mod configuration;
pub mod delivery;
pub mod history;
pub mod idempotency;
pub mod intake;
pub mod inventory;
pub mod job;
pub mod key;
pub mod monitor;
pub mod net;
pub mod notification;
pub mod reaction;
pub mod retention;
pub mod row;
pub mod schedule;
pub mod view;

mod agenda;
mod context;
mod demonstration;
mod engine;
mod error;
mod health;
pub mod node;
mod operation;
mod permission;
mod projector;
mod recent;
pub mod remembered;
mod room;
mod scribe;
mod sealer;
mod secret;
mod stepped;
mod tenure;

pub use context::{Client, Context};
pub use engine::{Engine, Figures, Running, Settings, StartError};
pub use error::Error;
pub use health::{Finding, Health};
pub use permission::{Permission, Role};
pub use room::{Room, Space};
pub use secret::Secret;
pub use stepped::Stepped;
