//! The API through the real router over a real engine.

mod access;
mod administration;
mod certificates;
mod document;
mod events;
mod guard;
mod log;
