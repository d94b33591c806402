//! The only SQL of Chancery: transactions, tables, the log, cursors, leases, migrations.
//!
//! Callers see one concrete [`Store`]. Everything that changes goes through
//! [`Store::transaction`]: on the embedded engine many units of work share one durable commit
//! (group commit), and every caller is answered only after that commit. Reads go through
//! [`Store::read`] and never wait for writers.
//!
//! Read in this order: [`Store`], [`Tx`], the tables in [`table`], the log in [`log`].
//!
//! What differs between database engines stands in `backend/` alone. Statements elsewhere use only
//! what SQLite and PostgreSQL both take: BIGINT, TEXT, BYTEA/BLOB, upsert, RETURNING. Placeholders
//! are `$n`; in statements with many rows they are `?` in order, which a backend may number.

mod backend;
mod error;
#[cfg(any(test, feature = "faults"))]
mod fault;
mod link;
mod row;
mod transaction;
mod value;
mod writer;

pub mod bench;
pub mod filter_sql;
pub mod log;
pub mod table;
#[cfg(feature = "faults")]
pub mod tamper;

pub use backend::{Settings, Store};
pub use error::Error;
#[cfg(any(test, feature = "faults"))]
pub use fault::{Fault, Tampering};
pub use link::Link;
pub use row::Row;
pub use transaction::{Recorded, Tx};
pub use value::SqlValue;
pub use writer::Lane;
