//! X.509: parsing, fields, chains and validation.
