//! Regular expressions: both engines find with them what the interpreter in memory finds.

use super::draw::PATTERNS;
use super::*;

fn titled(title: &str) -> Thing {
    let (title, kind) = (Some(title.to_owned()), Some(title.to_owned()));
    Thing { title, kind, ..Thing::default() }
}

/// The rows that a pattern selects on an engine are those that the interpreter in memory selects.
fn check(database: &mut Database, things: &[Thing], field: &str, pattern: &str) {
    let columns = Things::new();
    let filter = one(field, Operator::Matches, Literal::Text(pattern.to_owned()));
    let compiled = filter.compile(&columns.0).unwrap();
    let held = (0..).zip(things).filter(|(_, thing)| compiled.holds(*thing, NOW));
    let expected: Vec<i64> = held.map(|(id, _)| id).collect();
    assert_eq!(database.selected(&filter, &columns), expected, "{field} {pattern}");
}

#[test]
fn every_pattern_means_the_same_on_each_engine() {
    let short = [
        "",
        "a web",
        "web-1",
        "aweb",
        "A\nweb\n",
        "\r\nb\r",
        "été",
        "ÉTÉ 12",
        "K",
        "٣",
        "_b",
        "a.b*c",
        "[\\^-]",
        "\u{10ffff}",
        "\u{2028}a",
        "b b\nb",
    ];
    let long = [1, 255, 256, 299, 300, 301, 600, 601].map(|length| titled(&"b".repeat(length)));
    let things: Vec<Thing> = short.into_iter().map(titled).chain(long).collect();
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let mut database = Database::open(dialect);
        database.fill(&things);
        for pattern in PATTERNS {
            check(&mut database, &things, "title", pattern);
            check(&mut database, &things, "kind", pattern);
        }
    }
}

/// PostgreSQL refuses what is too complex for it. What is accepted here never is.
#[test]
fn the_largest_patterns_run() {
    let things = [titled(&"web".repeat(300)), titled(&"ab".repeat(300))];
    let mut database = Database::open(Dialect::Postgres);
    database.fill(&things);
    let edges = r"\B[a-w]".repeat(24);
    let large = [
        r"(?:(?:ab|ac|[a-y]d)?){166}",
        r"(?:(?:ab|ac|[a-y]d)*){166}",
        r"^.{1,900}$",
        r"(?:[a-y]{0,31}\s){30}",
        r"(?:\w|b){20}",
        r"(?:\b){250}",
        &edges,
    ];
    for pattern in large {
        check(&mut database, &things, "title", pattern);
    }
    let larger = ["(?:(?:ab|ac|[a-y]d)?){300}", ".{1,2000}", &r"\b".repeat(40)].map(str::to_owned);
    for pattern in larger {
        let filter = one("title", Operator::Matches, Literal::Text(pattern));
        let error = filter.compile(&Things::new().0).unwrap_err().to_string();
        assert!(error.ends_with("is not a usable regular expression: it is too large"), "{error}");
    }
}
