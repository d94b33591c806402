//! Arguments reach their places, values come back as they are, errors are told apart.

use super::Connection;
use crate::{Error, SqlValue};

fn opened() -> Connection {
    let mut connection = Connection::in_memory().unwrap();
    connection.script("CREATE TABLE thing (id INTEGER PRIMARY KEY, value ANY)").unwrap();
    connection
}

fn one(connection: &mut Connection, sql: &'static str, args: &[SqlValue]) -> SqlValue {
    let (rows, _) = connection.run(sql.into(), args).unwrap();
    rows[0].value("n").unwrap().kept()
}

#[test]
fn numbered_arguments_go_to_every_place_with_their_number() {
    let mut connection = opened();
    let sql = "SELECT $2 || $1 || $2 AS n";
    for _ in 0..2 {
        assert_eq!(one(&mut connection, sql, &["a".into(), "b".into()]), SqlValue::from("bab"));
    }
    assert_eq!(
        one(&mut connection, "SELECT ? || ? AS n", &["a".into(), "b".into()]),
        SqlValue::from("ab")
    );
}

#[test]
fn an_argument_that_is_missing_is_an_error_and_not_null() {
    let mut connection = opened();
    let told = connection.run("SELECT $1 AS n, $2".into(), &[SqlValue::Int(1)]);
    assert!(matches!(told, Err(Error::Database { .. })), "{:?}", told.err());
}

#[test]
fn values_come_back_as_they_went() {
    let mut connection = opened();
    for value in [
        SqlValue::Null,
        SqlValue::Int(i64::MIN),
        SqlValue::Real(0.1),
        SqlValue::Text("é\0x".to_owned()),
        SqlValue::Bytes(vec![0, 255]),
    ] {
        let args = [value.clone()];
        assert_eq!(one(&mut connection, "SELECT $1 AS n", &args), value);
    }
    assert_eq!(one(&mut connection, "SELECT $1 AS n", &[SqlValue::Bool(true)]), SqlValue::Int(1));
}

#[test]
fn rows_changed_are_counted_and_a_duplicate_is_told_as_such() {
    let mut connection = opened();
    let sql = "INSERT INTO thing (id, value) VALUES ($1, $2), ($1 + 1, $2)";
    assert_eq!(connection.run(sql.into(), &[SqlValue::Int(1), "x".into()]).unwrap().1, 2);
    let again = connection.run(sql.into(), &[SqlValue::Int(2), "x".into()]);
    assert!(matches!(again, Err(Error::Exists(_))), "{:?}", again.err());
    let sql = "UPDATE thing SET value = 'y' WHERE id > $1 RETURNING id AS n";
    let (rows, changed) = connection.run(sql.into(), &[SqlValue::Int(0)]).unwrap();
    assert_eq!((rows.len(), changed), (2, 2));
}

#[test]
fn regular_expressions_are_those_of_the_crate() {
    let mut connection = opened();
    let sql = "SELECT $1 REGEXP $2 AS n";
    assert_eq!(
        one(&mut connection, sql, &["web-12".into(), r"^web-\d+$".into()]),
        SqlValue::Int(1)
    );
    assert_eq!(one(&mut connection, sql, &["web-x".into(), r"^web-\d+$".into()]), SqlValue::Int(0));
    assert_eq!(one(&mut connection, sql, &[SqlValue::Null, "x".into()]), SqlValue::Null);
    assert!(connection.run(sql.into(), &["x".into(), "(".into()]).is_err());
}

#[test]
fn bytes_that_are_called_text_and_are_none_stay_readable() {
    let mut connection = opened();
    let found = one(&mut connection, "SELECT CAST(x'ff00' AS TEXT) AS n", &[]);
    assert_eq!(found, SqlValue::Bytes(vec![0xff, 0]));
}

#[test]
fn a_question_without_end_is_broken_off_and_the_next_one_is_answered() {
    let mut connection = opened();
    connection.limit(std::time::Duration::from_millis(20)).unwrap();
    let endless = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)
                   SELECT COUNT(*) AS n FROM c";
    let broken = connection.run(endless.into(), &[]);
    assert!(matches!(broken, Err(Error::Unavailable(_))), "{:?}", broken.err());
    assert_eq!(one(&mut connection, "SELECT 7 AS n", &[]), SqlValue::Int(7));
}
