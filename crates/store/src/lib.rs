//! The only SQL: transactions, tables, the log, cursors, leases, migrations.

pub mod filter_sql;
pub mod value;
