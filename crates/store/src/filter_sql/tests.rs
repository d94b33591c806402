//! The two interpreters select the same rows: random objects, random filters, real databases.

mod draw;
mod patterns;

use std::{borrow::Cow, cell::RefCell};

use chancery_event::filter::{
    Comparison, Field, FieldKind, Keywords, Literal, Object, Operand, Operator, Order, Values,
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};

use self::draw::{filter, object, one};
use super::*;
use crate::Link;
use crate::backend::{postgres, sqlite};
use crate::link::Inner;

const NOW: i64 = 1_000_000;

#[derive(Clone, Debug, Default)]
struct Thing {
    title: Option<String>,
    host: String,
    kind: Option<String>,
    severity: Option<String>,
    size: Option<i64>,
    score: Option<f64>,
    flag: Option<bool>,
    at: Option<i64>,
    ident: String,
    names: Vec<String>,
    labels: Vec<String>,
    ports: Vec<i64>,
    colours: Vec<String>,
    body: String,
}

impl Object for Thing {
    fn values(&self, field: &str) -> Values<'_> {
        match field {
            "title" => self.title.as_ref().into(),
            "host" => (&self.host).into(),
            "kind" => self.kind.as_ref().into(),
            "severity" => self.severity.as_ref().into(),
            "size" => self.size.into(),
            "score" => self.score.into(),
            "flag" => self.flag.into(),
            "at" => self.at.map_or(Values::None, Values::time),
            "ident" => (&self.ident).into(),
            "names" => self.names.iter().collect(),
            "labels" => self.labels.iter().collect(),
            "ports" => self.ports.iter().copied().collect(),
            "attribute.colour" => self.colours.iter().collect(),
            _ => Values::None,
        }
    }

    fn texts(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.body)]
    }
}

struct Things(Schema);

impl Things {
    fn new() -> Self {
        let severities = Keywords::known(["info", "warning", "error"]);
        let field = |name: &str, kind| Field::new(name, kind, "");
        Self(Schema::new(
            "thing",
            vec![
                field("title", FieldKind::Text),
                field("host", FieldKind::Text),
                field("kind", FieldKind::Keyword(Keywords::open())),
                field("severity", FieldKind::Ordered(severities)),
                field("size", FieldKind::Integer),
                field("score", FieldKind::Decimal),
                field("flag", FieldKind::Boolean),
                field("at", FieldKind::Timestamp),
                field("ident", FieldKind::Id),
                field("names", FieldKind::Text),
                field("labels", FieldKind::Keyword(Keywords::open())),
                field("ports", FieldKind::Integer),
                field("attribute.colour", FieldKind::Text),
                field("nowhere", FieldKind::Text),
            ],
        ))
    }
}

impl Columns for Things {
    fn schema(&self) -> &Schema {
        &self.0
    }

    fn column(&self, field: &str) -> Option<Column> {
        let many = |table: &str, lower| ManyColumn {
            from: format!("{table} v"),
            inner: "v.thing_id".to_owned(),
            outer: "t.id".to_owned(),
            expr: "v.value".to_owned(),
            lower,
            condition: None,
            each_row: false,
        };
        Some(match field {
            "host" => Column::Lower { expr: "t.host".to_owned(), nullable: false },
            "ident" => Column::plain("t.ident"),
            "names" => Column::Many(many("thing_name", false)),
            "labels" => Column::Many(many("thing_label", true)),
            "ports" => Column::Many(many("thing_port", false)),
            "attribute.colour" => Column::Many(ManyColumn {
                condition: Some(("v.name = ?".to_owned(), vec!["colour".into()])),
                each_row: false,
                ..many("thing_attribute", false)
            }),
            "nowhere" => return None,
            plain => Column::nullable(format!("t.{plain}")),
        })
    }

    fn words(&self, words: &[Word], dialect: Dialect, arguments: &mut Arguments) -> Option<String> {
        let query = arguments.push(dialect.word_query(words));
        let (of, has) = (dialect.words_of("thing_text"), dialect.has_words("thing_text", &query));
        Some(format!("t.id IN (SELECT {of} FROM thing_text WHERE {has})"))
    }
}

const TABLES: &str = "
    CREATE TABLE thing (id BIGINT PRIMARY KEY, title TEXT, host TEXT NOT NULL, kind TEXT, severity TEXT,
        size BIGINT, score REAL, flag BOOLEAN, at BIGINT, ident TEXT NOT NULL);
    CREATE TABLE thing_name (thing_id BIGINT NOT NULL, value TEXT);
    CREATE TABLE thing_label (thing_id BIGINT NOT NULL, value TEXT NOT NULL);
    CREATE INDEX thing_label_value ON thing_label (value, thing_id);
    CREATE TABLE thing_port (thing_id BIGINT NOT NULL, value BIGINT NOT NULL);
    CREATE TABLE thing_attribute (thing_id BIGINT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL);
    CREATE VIRTUAL TABLE thing_text USING fts5 (body, tokenize = 'ascii');
";

/// The same in PostgreSQL.
fn tables_of_postgres() -> String {
    let (tables, _) = TABLES.split_once("CREATE VIRTUAL TABLE").unwrap();
    let tables = tables.replace("TEXT", "TEXT COLLATE \"C\"");
    let tables = tables.replace("REAL", "DOUBLE PRECISION").replace("BOOLEAN", "BIGINT");
    format!("{tables} CREATE TABLE thing_text (id BIGINT PRIMARY KEY, words TSVECTOR NOT NULL)")
}

struct Database {
    runtime: tokio::runtime::Runtime,
    link: Link,
    _kept: Option<chancery_throwaway::Database>,
}

impl Database {
    fn open(dialect: Dialect) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (inner, kept) = match dialect {
            Dialect::Sqlite => {
                let mut connection = sqlite::Connection::in_memory().unwrap();
                connection.script(TABLES).unwrap();
                (Inner::Own(Box::new(connection)), None)
            }
            Dialect::Postgres => {
                let database = chancery_throwaway::Database::like("template0");
                let options: PgConnectOptions = database.url().parse().unwrap();
                let mut connection = runtime.block_on(options.connect()).unwrap();
                let tables = sqlx::raw_sql(AssertSqlSafe(tables_of_postgres()));
                runtime.block_on(tables.execute(&mut connection)).unwrap();
                (
                    Inner::Postgres(Box::new(postgres::Connection::own(
                        connection,
                        "".into(),
                        postgres::Limits::default(),
                    ))),
                    Some(database),
                )
            }
        };
        Self { runtime, link: Link::own(inner), _kept: kept }
    }

    fn rows(&mut self, sql: &str, args: &[SqlValue]) -> Vec<crate::Row> {
        let found = self.runtime.block_on(self.link.rows(sql.to_owned(), args.to_vec()));
        found.unwrap_or_else(|error| panic!("{error:?}: {sql} {args:?}"))
    }

    fn fill(&mut self, things: &[Thing]) {
        let tables =
            ["thing", "thing_name", "thing_label", "thing_port", "thing_attribute", "thing_text"];
        tables.iter().for_each(|table| drop(self.rows(&format!("DELETE FROM {table}"), &[])));
        for (id, thing) in things.iter().enumerate() {
            let id = SqlValue::Int(id as i64);
            let row: [SqlValue; 10] = [
                id.clone(),
                thing.title.clone().into(),
                thing.host.to_ascii_lowercase().into(),
                thing.kind.clone().into(),
                thing.severity.clone().into(),
                thing.size.into(),
                thing.score.into(),
                thing.flag.into(),
                thing.at.into(),
                (&thing.ident).into(),
            ];
            self.rows("INSERT INTO thing VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)", &row);
            // A NULL in a list is no value.
            self.rows("INSERT INTO thing_name VALUES ($1, NULL)", std::slice::from_ref(&id));
            for (table, values) in [("thing_name", &thing.names), ("thing_label", &thing.labels)] {
                for value in values {
                    self.rows(
                        &format!("INSERT INTO {table} VALUES ($1, $2)"),
                        &[id.clone(), value.into()],
                    );
                }
            }
            for port in &thing.ports {
                self.rows("INSERT INTO thing_port VALUES ($1, $2)", &[id.clone(), (*port).into()]);
            }
            let colours = thing.colours.iter().map(|colour| ("colour", colour));
            for (name, value) in colours.chain([("other", &thing.host)]) {
                let row = [id.clone(), name.into(), value.into()];
                self.rows("INSERT INTO thing_attribute VALUES ($1, $2, $3)", &row);
            }
            let dialect = self.link.dialect();
            let row = [id, (&*dialect.stored_words(&thing.body)).into()];
            let sql = match dialect {
                Dialect::Sqlite => "INSERT INTO thing_text (rowid, body) VALUES ($1, $2)",
                Dialect::Postgres => {
                    "INSERT INTO thing_text (id, words)
                     VALUES ($1, array_to_tsvector(string_to_array($2, ' ')))"
                }
            };
            self.rows(sql, &row);
        }
    }

    /// The ids of the rows that a filter selects; checks that its SQL is never NULL.
    fn selected(&mut self, filter: &Filter, columns: &Things) -> Vec<i64> {
        let dialect = self.link.dialect();
        let SqlFragment { sql, args } = compile(filter, columns, dialect, NOW, 1).unwrap();
        let unknown = self.rows(&format!("SELECT t.id FROM thing t WHERE ({sql}) IS NULL"), &args);
        assert_eq!(unknown.len(), 0, "{sql} is NULL for {} rows", unknown.len());
        let found =
            self.rows(&format!("SELECT t.id FROM thing t WHERE {sql} ORDER BY t.id"), &args);
        found.iter().map(|row| row.int("id").unwrap()).collect()
    }
}

thread_local! {
    static DATABASE: RefCell<Option<Database>> = const { RefCell::new(None) };
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2500) })]

    #[test]
    fn both_interpreters_select_the_same(things in vec(object(), 1..7), filters in vec(filter(), 4)) {
        let columns = Things::new();
        DATABASE.with_borrow_mut(|database| {
            let database = database.get_or_insert_with(|| Database::open(Dialect::Sqlite));
            database.fill(&things);
            for filter in &filters {
                let compiled = filter.compile(&columns.0).unwrap();
                let held = |thing: &Thing| compiled.holds(thing, NOW);
                let expected: Vec<i64> =
                    things.iter().zip(0..).filter(|(thing, _)| held(thing)).map(|(_, id)| id).collect();
                let sql = compile(filter, &columns, Dialect::Sqlite, NOW, 1);
                prop_assert_eq!(database.selected(filter, &columns), expected, "{} {:?}", filter, sql);
            }
            Ok(())
        })?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn both_interpreters_select_the_same_in_postgres(
        things in vec(object(), 1..7),
        filters in vec(filter(), 8),
    ) {
        let columns = Things::new();
        DATABASE.with_borrow_mut(|database| {
            let database = database.get_or_insert_with(|| Database::open(Dialect::Postgres));
            database.fill(&things);
            for filter in &filters {
                let compiled = filter.compile(&columns.0).unwrap();
                let held = |thing: &Thing| compiled.holds(thing, NOW);
                let expected: Vec<i64> =
                    things.iter().zip(0..).filter(|(thing, _)| held(thing)).map(|(_, id)| id).collect();
                let sql = compile(filter, &columns, Dialect::Postgres, NOW, 1);
                prop_assert_eq!(database.selected(filter, &columns), expected, "{} {:?}", filter, sql);
            }
            Ok(())
        })?;
    }
}

fn sql(text: &str, dialect: Dialect) -> SqlFragment {
    let columns = Things::new();
    let filter = Filter::parse(text, &columns.0).unwrap();
    compile(&filter, &columns, dialect, NOW, 3).unwrap()
}

#[test]
fn sql_of_each_kind_of_comparison() {
    let check = |text: &str, sqlite: &str, postgres: &str| {
        assert_eq!(sql(text, Dialect::Sqlite).sql, sqlite, "{text}");
        let postgres = if postgres.is_empty() { sqlite } else { postgres };
        assert_eq!(sql(text, Dialect::Postgres).sql, postgres, "{text}");
    };
    check("", "1 = 1", "");
    check("ident:a", "t.ident = $3", "");
    check("host:A", "t.host = $3", "");
    check(
        "title:A",
        "(t.title IS NOT NULL AND lower(t.title) = $3)",
        "(t.title IS NOT NULL AND lower(t.title) = $3)",
    );
    check("kind!=a", "NOT ((t.kind IS NOT NULL AND t.kind = $3))", "");
    check("severity>=warning", "(t.severity IS NOT NULL AND t.severity IN ($3, $4))", "");
    check("ident:ab*", "(t.ident >= $3 AND t.ident < $4)", "(t.ident >= $3 AND t.ident < $4)");
    check("host:*a*", "instr(t.host, $3) > 0", "t.host LIKE $3 ESCAPE '\\'");
    check("host:*été", "substr(t.host, -3) = $3", "right(t.host, 3) = $3");
    check("ident~a", "t.ident REGEXP $3", "t.ident ~ $3");
    check("at:next(3s)", "(t.at IS NOT NULL AND (t.at >= $3 AND t.at <= $4))", "");
    check("-size:*", "t.size IS NULL", "");
    check(
        "labels:a,b",
        "t.id IN (SELECT v.thing_id FROM thing_label v WHERE v.value IN ($3, $4))",
        "",
    );
    check(
        "ports>5",
        "EXISTS (SELECT 1 FROM thing_port v WHERE v.thing_id = t.id AND v.value > $3)",
        "",
    );
    check(
        "count(names)>2",
        "(SELECT COUNT(v.value) FROM thing_name v WHERE v.thing_id = t.id) > $3",
        "",
    );
    check(
        "attribute.colour:*",
        "EXISTS (SELECT 1 FROM thing_attribute v WHERE v.thing_id = t.id AND v.name = $3 \
         AND v.value IS NOT NULL)",
        "",
    );
    check(
        "size:1 OR -flag:yes",
        "((t.size IS NOT NULL AND t.size = $3) OR NOT ((t.flag IS NOT NULL AND t.flag = $4)))",
        "",
    );
}

#[test]
fn arguments_carry_every_value() {
    let args = |text: &str, dialect| sql(text, dialect).args;
    let text = |text: &str| SqlValue::Text(text.to_owned());
    assert_eq!(args("host:*50%_\\*", Dialect::Postgres), [text("%50\\%\\_\\\\%")]);
    assert_eq!(args("host:*50%*", Dialect::Sqlite), [text("50%")]);
    assert_eq!(args("title~Ab", Dialect::Sqlite), [text("(?i)Ab")]);
    assert_eq!(args("kind:a\u{d7ff}*", Dialect::Sqlite), [text("a\u{d7ff}"), text("a\u{e000}")]);
    assert_eq!(args("kind:a\u{10ffff}*", Dialect::Sqlite), [text("a\u{10ffff}"), text("b")]);
    assert_eq!(args("kind:\u{10ffff}*", Dialect::Sqlite), [text("\u{10ffff}")]);
    assert_eq!(args("flag:yes", Dialect::Sqlite), [SqlValue::Bool(true)]);
    assert_eq!(args("at<3s", Dialect::Sqlite), [SqlValue::Int(NOW + 3_000_000)]);
    assert_eq!(args("attribute.colour:Red", Dialect::Sqlite), [text("colour"), text("red")]);
}

#[test]
fn what_is_not_stored_is_an_error() {
    let columns = Things::new();
    let filter = Filter::parse("nowhere:a", &columns.0).unwrap();
    let error = compile(&filter, &columns, Dialect::Sqlite, NOW, 1).unwrap_err();
    assert_eq!(error.to_string(), "the field “nowhere” cannot be searched for: it is not stored");
    let ill = one("size", Operator::Contains, Literal::Text("5".to_owned()));
    assert!(matches!(
        compile(&ill, &columns, Dialect::Sqlite, NOW, 1),
        Err(FilterSqlError::Filter(_))
    ));
}

#[test]
fn indexes_serve_lists() {
    let mut database = Database::open(Dialect::Sqlite);
    for text in ["labels:a", "labels:ab*", "labels:a,b"] {
        let SqlFragment { sql, args } = sql(text, Dialect::Sqlite);
        // The arguments begin at $3.
        let args = [vec![SqlValue::Null; 2], args].concat();
        let plan = database
            .rows(&format!("EXPLAIN QUERY PLAN SELECT t.id FROM thing t WHERE {sql}"), &args);
        let plan: Vec<String> = plan.iter().map(|row| row.text("detail").unwrap()).collect();
        let served = plan.iter().any(|step| step.contains("thing_label_value"));
        assert!(served && !plan.iter().any(|step| step.contains("SCAN")), "{text}: {plan:?}");
    }
}

#[test]
fn the_largest_filter_runs() {
    let columns = Things::new();
    let mut deep =
        Filter::And((0..200).map(|n| one("size", Operator::Less, Literal::Integer(n))).collect());
    for level in 0..31 {
        let more = one("title", Operator::Contains, Literal::Text(format!("level {level}")));
        deep = if level % 2 == 0 {
            Filter::Or(vec![more, deep])
        } else {
            Filter::And(vec![more, deep])
        };
    }
    let words = (0..64).map(|n| Word { token: format!("w{n}"), prefix: n % 2 == 0 }).collect();
    let none = Filter::Not(Box::new(Filter::Words(words)));
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let mut database = Database::open(dialect);
        database.fill(&[Thing::default()]);
        assert_eq!(database.selected(&deep, &columns), [] as [i64; 0], "{dialect:?}");
        assert_eq!(database.selected(&none, &columns), [0], "{dialect:?}");
    }
}
