//! The engine on a real store.

mod history;
mod upload;
