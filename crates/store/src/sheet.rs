//! Rows in one piece of memory: what a statement has answered, and what is to be inserted.
//!
//! A row of the log has some twenty values. As values of their own they would be as many
//! allocations, made on one thread and given back on another, which once cost more than writing the
//! row. Nothing here knows SQL or an engine.

use std::cmp::Ordering;

use chancery_event::Timestamp;
use chancery_event::id::{Id, LogIndex};

use crate::SqlValue;

/// A value, lent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Held<'a> {
    /// NULL.
    Null,
    /// BIGINT.
    Int(i64),
    /// DOUBLE PRECISION.
    Real(f64),
    /// TEXT; a database may call any bytes text.
    Text(&'a [u8]),
    /// BLOB or BYTEA.
    Bytes(&'a [u8]),
}

macro_rules! from {
    ($($source:ty => |$v:ident| $value:expr;)+) => {$(
        impl<'a> From<$source> for Held<'a> {
            fn from($v: $source) -> Self {
                $value
            }
        }
    )+};
}

from! {
    i64 => |v| Self::Int(v);
    &'a [u8; 32] => |v| Self::Bytes(v);
    LogIndex => |v| Self::Int(i64::try_from(v.0).unwrap_or(i64::MAX));
    Timestamp => |v| Self::Int(v.micros());
    &'a str => |v| Self::Text(v.as_bytes());
    &'a String => |v| Self::Text(v.as_bytes());
    &'a [u8] => |v| Self::Bytes(v);
}

impl<'a, T: Into<Self>> From<Option<T>> for Held<'a> {
    fn from(v: Option<T>) -> Self {
        v.map_or(Self::Null, Into::into)
    }
}

impl Held<'_> {
    /// The same with memory of its own. Text that is none becomes bytes: whoever reads the column
    /// says whether it is damaged.
    pub(crate) fn kept(self) -> SqlValue {
        match self {
            Self::Null => SqlValue::Null,
            Self::Int(v) => SqlValue::Int(v),
            Self::Real(v) => SqlValue::Real(v),
            Self::Text(v) => match std::str::from_utf8(v) {
                Ok(text) => SqlValue::Text(text.to_owned()),
                Err(_) => SqlValue::Bytes(v.to_vec()),
            },
            Self::Bytes(v) => SqlValue::Bytes(v.to_vec()),
        }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Int(_) | Self::Real(_) => 1,
            Self::Text(_) => 2,
            Self::Bytes(_) => 3,
        }
    }

    fn order(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(&b),
            (Self::Text(a), Self::Text(b)) | (Self::Bytes(a), Self::Bytes(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

#[derive(Clone, Copy)]
enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(usize, usize),
    Bytes(usize, usize),
}

/// Rows of equal width.
#[derive(Clone, Default)]
pub(crate) struct Sheet {
    width: usize,
    cells: Vec<Cell>,
    bytes: Vec<u8>,
}

impl Sheet {
    /// No rows yet; room for so many, with so many bytes of texts in each.
    pub(crate) fn new(width: usize, rows: usize, row_bytes: usize) -> Self {
        let cells = Vec::with_capacity(width * rows);
        Self { width, cells, bytes: Vec::with_capacity(rows * row_bytes) }
    }

    /// Values in a row.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Bytes of texts so far.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        debug_assert!(self.cells.len().is_multiple_of(self.width.max(1)), "half a row");
        self.cells.len() / self.width.max(1)
    }

    /// Adds a value; rows fill one after another.
    pub(crate) fn push<'v>(&mut self, value: impl Into<Held<'v>>) {
        let cell = match value.into() {
            Held::Null => Cell::Null,
            Held::Int(v) => Cell::Int(v),
            Held::Real(v) => Cell::Real(v),
            Held::Text(v) => {
                let (start, end) = self.keep(v);
                Cell::Text(start, end)
            }
            Held::Bytes(v) => {
                let (start, end) = self.keep(v);
                Cell::Bytes(start, end)
            }
        };
        self.cells.push(cell);
    }

    /// Adds an identifier: TEXT, hyphenated.
    pub(crate) fn push_id(&mut self, id: impl Id) {
        let mut text = [0; 36];
        self.push(&*id.uuid().as_hyphenated().encode_lower(&mut text));
    }

    /// Adds an identifier, or NULL.
    pub(crate) fn push_maybe_id(&mut self, id: Option<impl Id>) {
        match id {
            Some(id) => self.push_id(id),
            None => self.push(Held::Null),
        }
    }

    /// Adds a text with its ASCII letters lowered.
    pub(crate) fn push_lowered(&mut self, text: &str) {
        let start = self.bytes.len();
        self.bytes.extend(text.bytes().map(|byte| byte.to_ascii_lowercase()));
        self.cells.push(Cell::Text(start, self.bytes.len()));
    }

    fn keep(&mut self, bytes: &[u8]) -> (usize, usize) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        (start, self.bytes.len())
    }

    /// The value in a row and a place, both from 0; NULL where there is none.
    pub(crate) fn value(&self, row: usize, place: usize) -> Held<'_> {
        self.held(self.cells.get(row * self.width + place).copied().unwrap_or(Cell::Null))
    }

    fn held(&self, cell: Cell) -> Held<'_> {
        match cell {
            Cell::Null => Held::Null,
            Cell::Int(v) => Held::Int(v),
            Cell::Real(v) => Held::Real(v),
            Cell::Text(start, end) => Held::Text(self.bytes.get(start..end).unwrap_or_default()),
            Cell::Bytes(start, end) => Held::Bytes(self.bytes.get(start..end).unwrap_or_default()),
        }
    }

    /// Sorts the rows by their values.
    pub(crate) fn sort(&mut self) {
        let mut rows: Vec<&[Cell]> = self.cells.chunks_exact(self.width.max(1)).collect();
        rows.sort_unstable_by(|a, b| {
            let orders = a.iter().zip(*b).map(|(a, b)| self.held(*a).order(self.held(*b)));
            orders.fold(Ordering::Equal, Ordering::then)
        });
        self.cells = rows.concat();
    }

    /// Some of the rows as values of their own.
    pub(crate) fn to_rows(&self, from: usize, count: usize) -> Vec<Vec<SqlValue>> {
        let row = |cells: &[Cell]| cells.iter().map(|cell| self.held(*cell).kept()).collect();
        self.cells.chunks_exact(self.width.max(1)).skip(from).take(count).map(row).collect()
    }
}

/// Rows of a sheet of [`Sheets`]: few enough that its memory is used again, and stays near.
const ROWS_MAX: usize = 256;

/// Many rows, in sheets of moderate size.
pub(crate) struct Sheets {
    width: usize,
    row_bytes: usize,
    sheets: Vec<Sheet>,
}

impl Sheets {
    /// No rows yet; about so many bytes of texts in each.
    pub(crate) fn new(width: usize, row_bytes: usize) -> Self {
        Self { width, row_bytes, sheets: Vec::new() }
    }

    /// The sheet that takes the next row, of `left` that are still to come.
    pub(crate) fn next(&mut self, left: usize) -> &mut Sheet {
        if self.sheets.last().is_none_or(|sheet| sheet.len() >= ROWS_MAX) {
            self.sheets.push(Sheet::new(self.width, left.min(ROWS_MAX), self.row_bytes));
        }
        let last = self.sheets.len() - 1;
        &mut self.sheets[last]
    }

    /// The sheets, in order.
    pub(crate) fn all(&self) -> &[Sheet] {
        &self.sheets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet() -> Sheet {
        let mut sheet = Sheet::new(2, 4, 8);
        for (text, number) in [("b", 1), ("a", 9), ("ab", 2), ("a", 3)] {
            sheet.push(text);
            sheet.push(number);
        }
        sheet
    }

    #[test]
    fn values_come_back_as_they_went_in() {
        let mut sheet = sheet();
        sheet.push(&[1_u8, 255][..]);
        sheet.push(None::<&str>);
        sheet.push_lowered("É-ABc");
        sheet.push(Held::Text(&[0xff]));
        assert_eq!((sheet.len(), sheet.width()), (6, 2));
        assert_eq!(sheet.value(2, 0), Held::Text(b"ab"));
        assert_eq!(sheet.value(9, 0), Held::Null);
        let rows = sheet.to_rows(0, 9);
        assert_eq!(sheet.to_rows(1, 2), rows[1..3]);
        assert_eq!(rows[0], [SqlValue::from("b"), SqlValue::Int(1)]);
        assert_eq!(rows[4], [SqlValue::Bytes(vec![1, 255]), SqlValue::Null]);
        assert_eq!(rows[5], [SqlValue::from("É-abc"), SqlValue::Bytes(vec![0xff])]);
    }

    #[test]
    fn rows_are_sorted_by_each_value_in_turn() {
        let mut sheet = sheet();
        sheet.sort();
        let sorted: Vec<_> = (0..4).map(|row| (sheet.value(row, 0), sheet.value(row, 1))).collect();
        let expected = [("a", 3), ("a", 9), ("ab", 2), ("b", 1)];
        assert_eq!(sorted, expected.map(|(text, n)| (Held::from(text), Held::Int(n))));
    }
}
