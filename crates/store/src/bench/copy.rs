//! The fastest way into PostgreSQL: COPY. What the engine is measured against there.

use std::fmt::Write as _;

use crate::{Error, SqlValue, Tx};

/// Writes rows by COPY; `head` is that of an INSERT: `INSERT INTO table (columns)`.
pub(super) async fn rows(tx: &mut Tx, head: &str, rows: &[Vec<SqlValue>]) -> Result<(), Error> {
    let mut text = String::with_capacity(rows.len() * 600);
    for row in rows {
        for (place, value) in row.iter().enumerate() {
            if place > 0 {
                text.push('\t');
            }
            write(&mut text, value);
        }
        text.push('\n');
    }
    let table = head.trim_start_matches("INSERT INTO ");
    let sql = format!("COPY {table} FROM STDIN");
    match tx.link.server() {
        Some(connection) => connection.copy(&sql, text.into_bytes()).await,
        None => Err(Error::NotHere("COPY is PostgreSQL's")),
    }
}

/// The words of a text as the text form of a `tsvector`.
pub(super) fn words(stored: &str) -> String {
    let quoted = stored
        .split(' ')
        .map(|word| format!("'{}'", word.replace('\\', "\\\\").replace('\'', "''")));
    quoted.collect::<Vec<_>>().join(" ")
}

fn write(text: &mut String, value: &SqlValue) {
    // Writing to a String cannot fail.
    let _ = match value {
        SqlValue::Null => write!(text, "\\N"),
        SqlValue::Int(v) => write!(text, "{v}"),
        SqlValue::Real(v) => write!(text, "{v}"),
        SqlValue::Bool(v) => write!(text, "{}", i64::from(*v)),
        SqlValue::Bytes(bytes) => {
            text.push_str("\\\\x");
            for byte in bytes {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                text.push(char::from(DIGITS[usize::from(byte >> 4)]));
                text.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
            Ok(())
        }
        SqlValue::Text(v) => {
            for c in v.chars() {
                match c {
                    '\\' => text.push_str("\\\\"),
                    '\t' => text.push_str("\\t"),
                    '\n' => text.push_str("\\n"),
                    '\r' => text.push_str("\\r"),
                    '\0' => text.push('\u{2400}'),
                    c => text.push(c),
                }
            }
            Ok(())
        }
    };
}
