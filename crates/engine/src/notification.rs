//! Notifications: people are told of what concerns them, and every decision about it is kept.
//!
//! A trigger's step names a profile and leaves a call; the herald decides it. Read in this order:
//! `profile` and `template` (what is configured), `recipient` (who is meant), `decide` (who is told
//! by which channel, when, and who not: pure), `compose` (what they read), `write` (decisions and
//! what follows from them), `release` (what was held and is due), `herald` (the loop). See
//! docs/decisions/0013-notifications.md.
//!
//! Nothing here opens a connection: messages are queued as deliveries.

pub(crate) mod book;
pub(crate) mod canary;
mod check;
pub(crate) mod compose;
mod contact;
pub(crate) mod coverage;
pub(crate) mod decide;
mod default;
mod duplicate;
mod escalation;
mod failure;
pub(crate) mod herald;
mod preview;
pub(crate) mod profile;
mod query;
mod quiet;
pub(crate) mod recipient;
mod release;
mod template;
mod why;
mod write;

pub use chancery_store::table::notice::search::{By as NoticesBy, DECISIONS};
pub use chancery_store::table::notice::{Notice, Query as NoticeQuery};
pub use chancery_store::table::notification::{Call, Escalation, Stream};
pub use chancery_store::table::reach::{Listed as Unreached, Query as ReachQuery};
pub(crate) use check::{check_profile, names};
pub use contact::{Contact, GroupContact, RefusedAddress};
pub use coverage::{Coverage, EstateCoverage, Route};
pub(crate) use default::defaults;
pub use escalation::Step as EscalationStep;
pub use preview::{Preview, PreviewRow, Sending};
pub use profile::{ALL, BELL, Digest, Grouping, LEVELS_MAX, Level, Profile, Recipient, is_address};
pub use query::Told;
pub use quiet::{DAYS, Quiet};
pub(crate) use recipient::receives;
pub use template::{Rendered, Template, example as template_example, fields as template_fields};
pub use why::Why;
