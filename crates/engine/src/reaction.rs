//! How events act: triggers ask their rules and carry out their actions, and every decision, also
//! the one not to act, is explained and kept.
//!
//! Read in this order: `definition` and `step` (what the objects say), `field` (what conditions
//! see), `configuration` (one revision, compiled), `happening`, `evaluate` (the one function),
//! `carry` (doing what was planned), `record` (what is kept), `dispatcher` (live), `stage` (before
//! a certificate enters), `trial`, `difference`, `coarse` and `fine` (dry run and back-test). See
//! docs/decisions/0008-reactions.md.

pub mod ahead;
pub(crate) mod body;
pub(crate) mod carry;
mod coarse;
pub(crate) mod configuration;
mod definition;
mod difference;
pub(crate) mod dispatcher;
mod evaluate;
pub(crate) mod field;
mod fine;
pub(crate) mod happening;
mod possible;
pub mod record;
pub(crate) mod reference;
pub(crate) mod snapshot;
pub(crate) mod stage;
mod step;
mod text;
pub mod trial;

pub use configuration::{Configuration, Trigger, UsedAction, UsedRule};
pub use definition::{ScopeBody, ScopeKind, ScopeRef, TriggerBody};
pub use evaluate::{Evaluation, Planned, Verdict, evaluate};
pub use field::{all as all_fields, detail_fields, schema};
pub use happening::{Happening, Subject};
pub(crate) use possible::possible;
pub use step::{Audience, Effect, KINDS as STEP_KINDS, STEPS_MAX, Source, Step};
pub use text::Text;
