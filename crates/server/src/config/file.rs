//! The TOML file, flattened to dotted keys that remember their line.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problem;
use super::raw::Raw;
use super::source::Source;

/// A key of the file with its value.
pub struct Entry {
    pub key: String,
    pub raw: Raw,
    pub source: Source,
}

/// Every entry of the file, or what is wrong with its syntax.
pub fn read(path: &Path) -> Result<Vec<Entry>, Vec<Problem>> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot be read: {error}");
        vec![Problem { place: path.display().to_string(), message }]
    })?;
    let (table, errors) = DeTable::parse_recoverable(&text);
    if !errors.is_empty() {
        return Err(errors.iter().map(|error| syntax(path, &text, error)).collect());
    }
    let file = File { path, text: &text };
    let mut entries = Vec::new();
    file.flatten(table.get_ref(), "", &mut entries);
    entries.sort_by(|a: &Entry, b: &Entry| a.source.cmp(&b.source));
    Ok(entries)
}

fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> Problem {
    let line = line(text, error.span());
    let message = error.message().replace('\n', ", ");
    Problem { place: format!("{}:{line}", path.display()), message: format!("TOML: {message}") }
}

fn line(text: &str, span: Option<Range<usize>>) -> usize {
    let end = span.map_or(0, |span| span.start).min(text.len());
    text.as_bytes()[..end].iter().filter(|byte| **byte == b'\n').count() + 1
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn flatten(&self, table: &DeTable<'_>, prefix: &str, entries: &mut Vec<Entry>) {
        for (name, value) in table {
            let key = format!("{prefix}{}", name.get_ref());
            match value.get_ref() {
                // An empty table is kept, so that an unknown section is noticed.
                DeValue::Table(inner) if !inner.is_empty() => {
                    self.flatten(inner, &format!("{key}."), entries);
                }
                DeValue::Table(_) => entries.push(self.entry(key, name, Raw::Other("{}".into()))),
                other => entries.push(self.entry(key, name, raw(other))),
            }
        }
    }

    fn entry(&self, key: String, name: &Spanned<impl Sized>, raw: Raw) -> Entry {
        let line = line(self.text, Some(name.span()));
        Entry { key, raw, source: Source::File { path: self.path.to_owned(), line } }
    }
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Raw::Other(number.to_string()), Raw::Integer),
        DeValue::Boolean(value) => Raw::Boolean(*value),
        DeValue::Array(items) => Raw::List(items.iter().map(|item| raw(item.get_ref())).collect()),
        DeValue::Float(number) => Raw::Other(number.to_string()),
        DeValue::Datetime(time) => Raw::Other(time.to_string()),
        DeValue::Table(_) => Raw::Other("{…}".into()),
    }
}
