//! The only SQL of Chancery: transactions, tables, the log, cursors, leases, migrations.
//!
//! Callers see one concrete [`Store`]. Everything that changes goes through
//! [`Store::transaction`]: on the embedded engine many units of work share one durable commit
//! (group commit), and every caller is answered only after that commit. Reads go through
//! [`Store::read`] and never wait for writers.
//!
//! Read in this order: [`Store`], [`Tx`], the tables in [`table`], the log in [`log`].
//!
//! # One SQL for both engines
//!
//! The whole suite runs on SQLite and on PostgreSQL. A statement is written once if it keeps to
//! this; the few that cannot stand in `statement/`, one file for each engine.
//!
//! - **Types**: BIGINT, TEXT, BLOB, DOUBLE PRECISION. Times are microseconds, identifiers are TEXT,
//!   booleans are BIGINT 0 or 1: `WHERE disabled = 0`, and as an expression
//!   `CASE WHEN … THEN 1 ELSE 0 END`. INTEGER only for a row number that the engine gives.
//! - **Placeholders** are `$n`, or `?` in order where their number varies; never both in one
//!   statement. An argument must have its column's type: NULL fits any, a number fits no TEXT.
//! - **Many rows** go through [`Tx::insert_many`], several statements through
//!   [`Tx::execute_all`]. One call to `execute` takes one statement.
//! - **Upsert** names its columns: `ON CONFLICT (a, b) DO UPDATE SET n = excluded.n`, with the
//!   table before a column's own value: `t.n + excluded.n`. `ON CONFLICT DO NOTHING` and RETURNING
//!   are in both. No `INSERT OR …`, `REPLACE`, `rowid`, `GLOB`, `PRAGMA`, `x'00'`.
//! - **Sums**: `CAST(SUM(n) AS BIGINT)`. COUNT, MIN and MAX need nothing.
//! - **Queries within FROM** have a name, and it is no word of SQL (`few`, not `some`).
//! - **Text** is compared by code points and `lower()` changes ASCII only, on both. Arguments are
//!   lowered in Rust (`to_ascii_lowercase`), because `lower($1)` would follow the server's
//!   language. LIKE ignores case on one of them only: use ranges, or the filter.
//! - **Locks**: units run as if alone on both. A statement that takes rows for itself (a queue)
//!   ends in `dialect().leaving_taken()`.
//! - **A unit may run again** from its beginning, and goes on after a statement of it failed.
//!
//! A new table: `migrations/sqlite/NNNN_name.sql`, one line in `STEPS` of both engines, and
//! `UPDATE=1 cargo test -p chancery-store`, which writes the same step for PostgreSQL. Its tests
//! begin with `on_each_backend!(their_name);` and take their store from `crate::store()`.

mod backend;
mod error;
#[cfg(any(test, feature = "faults"))]
mod fault;
mod lent;
mod link;
mod row;
mod sheet;
mod statement;
mod transaction;
mod transfer;
mod value;
mod writer;

pub mod bench;
pub mod filter_sql;
pub mod log;
pub mod table;
#[cfg(feature = "faults")]
pub mod tamper;

pub use backend::{Database, DatabaseUrl, Settings, Store};
pub use error::Error;
#[cfg(any(test, feature = "faults"))]
pub use fault::{Altered, Fault, Tampering, Trouble};
pub use link::Link;
pub use row::Row;
pub use transaction::{Recorded, Tx};
pub use transfer::{Held, Transferred, transfer};
pub use value::SqlValue;
pub use writer::Lane;
