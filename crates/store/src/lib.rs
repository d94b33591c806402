//! The only SQL: transactions, tables, the log, cursors, leases, migrations.
