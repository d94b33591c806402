//! The function behind `REGEXP` in SQLite: regular expressions of the `regex` crate, the ones that
//! the interpreter in memory has.

use regex::Regex;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

type Refused = Box<dyn std::error::Error + Send + Sync>;

/// Defines it on a connection. NULL matches nothing; a pattern is compiled once for a statement.
pub(super) fn define(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("regexp", 2, flags, |call| {
        let pattern = call.get_or_create_aux(0, |value| -> Result<Regex, Refused> {
            Ok(Regex::new(value.as_str()?)?)
        })?;
        let text = call
            .get_raw(1)
            .as_str_or_null()
            .map_err(|error| rusqlite::Error::UserFunctionError(Box::new(error)))?;
        Ok(text.map(|text| pattern.is_match(text)))
    })
}
