//! What an event is: identifiers, time, the envelope, the catalogue of types, the canonical bytes
//! that get sealed, and the one condition language.
//!
//! This crate is pure: no input or output, no clock of its own (time and randomness come in through
//! [`Environment`]), no SQL. Everything that other crates store, seal, search or send is defined
//! here once.
//!
//! Read in this order: [`id`], [`time`], [`envelope`], [`entry`], [`catalogue`], [`dialect`],
//! [`filter`].

pub mod canonical;
pub mod catalogue;
pub mod cursor;
pub mod dialect;
pub mod entry;
pub mod envelope;
pub mod environment;
pub mod filter;
pub mod id;
pub mod search;
pub mod sentence;
pub mod time;
pub mod types;

pub use catalogue::{EventType, Payload};
pub use dialect::{Dialect, Shown};
pub use entry::{Entry, EntryError, OpenError, ReadError, SaltedPart};
pub use envelope::{
    Actor, ActorKind, Authentication, Event, Origin, Outcome, Personal, PersonalPart, Reason,
    Severity, Target, TargetKind, Verdict,
};
pub use environment::{Clock, Entropy, Environment};
pub use id::LogIndex;
pub use sentence::sentence;
pub use time::Timestamp;
