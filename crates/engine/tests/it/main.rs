//! The engine on a real store.

mod history;
mod inventory;
mod upload;
