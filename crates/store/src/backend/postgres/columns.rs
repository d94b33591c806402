//! Many rows as few arguments: one array for each column.
//!
//! A statement with thousands of placeholders costs more to bind and plan than its rows cost to
//! write; `unnest` takes the same rows as one array a column, under one statement text.

use sqlx::Arguments as _;
use sqlx::postgres::PgArguments;

use super::connection::storable;
use crate::{Error, SqlValue};

/// Rows, turned on their side.
pub(super) struct Columns(Vec<Column>);

enum Column {
    /// NULL in every row: of whichever type the table says.
    Null,
    Ints(Vec<Option<i64>>),
    Reals(Vec<Option<f64>>),
    Texts(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

fn mixed() -> Error {
    Error::Damaged("a column of rows to insert has values of several types".to_owned())
}

impl Column {
    /// An empty column for values like this one.
    fn like(value: &SqlValue, rows: usize) -> Self {
        match value {
            SqlValue::Null => Self::Null,
            SqlValue::Int(_) | SqlValue::Bool(_) => Self::Ints(Vec::with_capacity(rows)),
            SqlValue::Real(_) => Self::Reals(Vec::with_capacity(rows)),
            SqlValue::Text(_) => Self::Texts(Vec::with_capacity(rows)),
            SqlValue::Bytes(_) => Self::Bytes(Vec::with_capacity(rows)),
        }
    }

    fn push(&mut self, value: SqlValue) -> Result<(), Error> {
        match (self, value) {
            (Self::Null, SqlValue::Null) => {}
            (Self::Ints(all), SqlValue::Null) => all.push(None),
            (Self::Ints(all), SqlValue::Int(v)) => all.push(Some(v)),
            (Self::Ints(all), SqlValue::Bool(v)) => all.push(Some(v.into())),
            (Self::Reals(all), SqlValue::Null) => all.push(None),
            (Self::Reals(all), SqlValue::Real(v)) => all.push(Some(v)),
            (Self::Texts(all), SqlValue::Null) => all.push(None),
            (Self::Texts(all), SqlValue::Text(v)) => all.push(Some(storable(v))),
            (Self::Bytes(all), SqlValue::Null) => all.push(None),
            (Self::Bytes(all), SqlValue::Bytes(v)) => all.push(Some(v)),
            _ => return Err(mixed()),
        }
        Ok(())
    }
}

impl Columns {
    /// Turns rows of equal width; there is at least one.
    pub(super) fn of(rows: Vec<Vec<SqlValue>>) -> Result<Self, Error> {
        let width = rows.first().map_or(0, Vec::len);
        let mut columns: Vec<Column> = (0..width)
            .map(|place| {
                let known = rows.iter().map(|row| row.get(place)).find_map(|value| match value {
                    None | Some(SqlValue::Null) => None,
                    known => known,
                });
                known.map_or(Column::Null, |value| Column::like(value, rows.len()))
            })
            .collect();
        for row in rows {
            if row.len() != width {
                return Err(mixed());
            }
            for (column, value) in columns.iter_mut().zip(row) {
                column.push(value)?;
            }
        }
        Ok(Self(columns))
    }

    /// The statement, with a placeholder for each column that has values.
    pub(super) fn statement(&self, head: &str, tail: &str) -> String {
        let (mut select, mut names, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for column in &self.0 {
            if matches!(column, Column::Null) {
                select.push("NULL".to_owned());
                continue;
            }
            let number = places.len() + 1;
            select.push(format!("given.c{number}"));
            names.push(format!("c{number}"));
            places.push(format!("${number}"));
        }
        format!(
            "{head} SELECT {} FROM unnest({}) AS given ({}) {tail}",
            select.join(", "),
            places.join(", "),
            names.join(", ")
        )
    }

    pub(super) fn bind(self) -> Result<PgArguments, Error> {
        let mut bound = PgArguments::default();
        for column in self.0 {
            match column {
                Column::Null => Ok(()),
                Column::Ints(all) => bound.add(all),
                Column::Reals(all) => bound.add(all),
                Column::Texts(all) => bound.add(all),
                Column::Bytes(all) => bound.add(all),
            }
            .map_err(|error| Error::Damaged(format!("argument: {error}")))?;
        }
        Ok(bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;

    #[test]
    fn a_column_without_values_is_left_to_the_table() {
        let rows = vec![args![1_i64, "a", None::<i64>], args![2_i64, None::<String>, None::<i64>]];
        let columns = Columns::of(rows).unwrap();
        assert_eq!(
            columns.statement("INSERT INTO t (a, b, c)", "ON CONFLICT DO NOTHING"),
            "INSERT INTO t (a, b, c) SELECT given.c1, given.c2, NULL \
             FROM unnest($1, $2) AS given (c1, c2) ON CONFLICT DO NOTHING"
        );
        columns.bind().unwrap();
    }

    #[test]
    fn rows_that_do_not_fit_together_are_refused() {
        assert!(Columns::of(vec![args![1_i64], args!["a"]]).is_err());
        assert!(Columns::of(vec![args![1_i64], args![1_i64, 2_i64]]).is_err());
    }
}
