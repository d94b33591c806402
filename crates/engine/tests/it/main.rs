//! The engine on a real store.

mod upload;
