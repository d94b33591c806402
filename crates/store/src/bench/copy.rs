//! The fastest way into PostgreSQL: COPY. What the engine is measured against there.

use std::fmt::Write as _;

use crate::sheet::{Held, Sheet};
use crate::{Error, Tx};

/// Writes rows by COPY; `head` is that of an INSERT: `INSERT INTO table (columns)`.
pub(super) async fn rows(tx: &mut Tx, head: &str, rows: &Sheet) -> Result<(), Error> {
    let mut text = String::with_capacity(rows.len() * 600);
    for row in 0..rows.len() {
        for place in 0..rows.width() {
            if place > 0 {
                text.push('\t');
            }
            write(&mut text, rows.value(row, place));
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

/// Rows of an index and words, the words as the text form of a `tsvector`.
pub(super) fn words(rows: &Sheet) -> Sheet {
    let mut quoted = Sheet::new(2, rows.len(), 1_024);
    for row in 0..rows.len() {
        quoted.push(rows.value(row, 0));
        let stored = match rows.value(row, 1) {
            Held::Text(stored) => String::from_utf8_lossy(stored),
            _ => "".into(),
        };
        let words = stored
            .split(' ')
            .map(|word| format!("'{}'", word.replace('\\', "\\\\").replace('\'', "''")));
        quoted.push(&words.collect::<Vec<_>>().join(" "));
    }
    quoted
}

fn write(text: &mut String, value: Held<'_>) {
    // Writing to a String cannot fail.
    let _ = match value {
        Held::Null => write!(text, "\\N"),
        Held::Int(v) => write!(text, "{v}"),
        Held::Real(v) => write!(text, "{v}"),
        Held::Bytes(bytes) => {
            text.push_str("\\\\x");
            for byte in bytes {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                text.push(char::from(DIGITS[usize::from(byte >> 4)]));
                text.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
            Ok(())
        }
        Held::Text(v) => {
            for c in String::from_utf8_lossy(v).chars() {
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
