//! The schema of the embedded engine in PostgreSQL's words. Only for the test that holds the steps
//! of both engines equal, and for writing the next one (`UPDATE=1`).

use std::path::Path;

/// What stands at the head of every step.
const HEAD: &str =
    "-- Written from the step of the same number in migrations/sqlite, with UPDATE=1 cargo test -p
-- chancery-store. BYTEA for BLOB, identities for row numbers, TSVECTOR for full text, and on every
-- TEXT the collation \"C\": text is ordered by code points, and only ASCII changes case.

";

/// What is not mechanical: the rows of an index that SQLite keeps behind it by itself, and what
/// only several nodes need.
const BY_HAND: [(&str, &str); 12] = [
    ("ON event (type, severity, result);", "ON event (type, severity, result, log_index);"),
    (
        "CREATE TABLE lease (",
        "-- Has no rows: transactions that met others before lock it, one at a time, as they begin.\n\
         CREATE TABLE turn (one BIGINT);\n\nCREATE TABLE lease (",
    ),
    // One row for everybody would be one that all nodes wait for: each session counts in the rows
    // of its shard, and whoever reads sums over them.
    ("    certificates        BIGINT NOT NULL,           -- may have fallen to 0\n", COUNT_SHARD),
    (
        "demonstration, issuer_cn, ra_profile)\n);",
        "demonstration, issuer_cn, ra_profile, shard)\n);",
    ),
    ("    certificates BIGINT NOT NULL,\n    PRIMARY KEY (hour", HOUR_SHARD),
    ("replaced)\n);", "replaced, shard)\n);"),
    (
        "WHERE certificates = 0\n        AND hour",
        "WHERE certificates = 0\n        AND shard = pg_backend_pid() % 8 AND hour",
    ),
    // What grows with the log is divided by its index. A unique index would have to have the index
    // in it; the sealer sees to it that no event comes twice.
    ("cleared by erasure\n);\nCREATE UNIQUE INDEX event_by_id", EVENT_PARTS),
    ("    PRIMARY KEY (reference, log_index)\n);", TARGET_PARTS),
    ("    PRIMARY KEY (name, value, log_index)\n);", KEY_PARTS),
    (
        "CREATE TABLE event_text (\n    id    BIGINT NOT NULL PRIMARY KEY,\n    words TSVECTOR NOT \
         NULL\n);",
        "CREATE TABLE event_text (\n    id    BIGINT NOT NULL PRIMARY KEY,\n    words TSVECTOR NOT \
         NULL\n) PARTITION BY RANGE (id);",
    ),
    ("-- a range of log indexes. The embedded engine has none.", "-- a range of log indexes."),
];

const EVENT_PARTS: &str =
    "cleared by erasure\n) PARTITION BY RANGE (log_index);\nCREATE INDEX event_by_id";
const TARGET_PARTS: &str =
    "    PRIMARY KEY (reference, log_index)\n) PARTITION BY RANGE (log_index);";
const KEY_PARTS: &str =
    "    PRIMARY KEY (name, value, log_index)\n) PARTITION BY RANGE (log_index);";

const COUNT_SHARD: &str =
    "    certificates        BIGINT NOT NULL,           -- summed over its shards; one may be below 0
    shard               BIGINT NOT NULL DEFAULT pg_backend_pid() % 8, -- a session counts in one
";

const HOUR_SHARD: &str =
    "    certificates BIGINT NOT NULL,                  -- summed over its shards; one may be below 0
    shard        BIGINT NOT NULL DEFAULT pg_backend_pid() % 8,
    PRIMARY KEY (hour";

/// Triggers as functions. Their statements are the same, but an upsert names its key there.
fn triggers(text: &str) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("CREATE TRIGGER ") {
        let (before, trigger) = rest.split_at(start);
        let (trigger, after) = trigger.split_once("\nEND;\n").unwrap();
        let (head, body) = trigger.split_once(" BEGIN\n").unwrap();
        let name = head.split_whitespace().nth(2).unwrap();
        let head = head.replace(" IS NOT NEW.", " IS DISTINCT FROM NEW.");
        let (event, condition) = match head.split_once("WHEN ") {
            Some((event, condition)) => (event.trim_end(), format!("\n    WHEN ({condition})")),
            None => (head.as_str(), String::new()),
        };
        let answer = match (event.contains("BEFORE"), event.contains("DELETE")) {
            (true, true) => "OLD",
            (true, false) => "NEW",
            (false, _) => "NULL",
        };
        let statements: Vec<String> = body.split(";\n").map(upsert).collect();
        let body = statements.join(";\n");
        let body = body.trim_end().trim_end_matches(';');
        done.push_str(before);
        done.push_str(&format!(
            "CREATE FUNCTION {name}() RETURNS TRIGGER LANGUAGE plpgsql AS $$\nBEGIN\n{body};\n    \
             RETURN {answer};\nEND;\n$$;\n{event}\n    FOR EACH ROW{condition}\n    EXECUTE \
             FUNCTION {name}();\n"
        ));
        rest = after;
    }
    done + rest
}

fn upsert(statement: &str) -> String {
    let Some(table) = statement.split("INSERT INTO ").nth(1) else { return statement.to_owned() };
    let table = table.split([' ', '\n']).next().unwrap();
    statement
        .replace(
            "ON CONFLICT DO UPDATE",
            &format!("ON CONFLICT ON CONSTRAINT {table}_pkey\n        DO UPDATE"),
        )
        .replace("= certificates + ", &format!("= {table}.certificates + "))
}

fn translated(sqlite: &str) -> String {
    let mut text = HEAD.to_owned();
    let mut lines = sqlite.lines();
    while let Some(line) = lines.next() {
        let (code, comment) = match line.split_once("--") {
            Some((code, comment)) => (code, Some(comment)),
            None => (line, None),
        };
        if let Some(table) = code.strip_prefix("CREATE VIRTUAL TABLE ") {
            let table = table.split_whitespace().next().unwrap();
            lines.by_ref().find(|line| line.starts_with(");")).unwrap();
            text.push_str(&format!(
                "CREATE TABLE {table} (\n    id    BIGINT NOT NULL PRIMARY KEY,\n    words TSVECTOR \
                 NOT NULL\n);\nCREATE INDEX {table}_by_word ON {table} USING gin (words);\n"
            ));
            continue;
        }
        let identity = "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY";
        let code = code
            .replace("INTEGER PRIMARY KEY AUTOINCREMENT", identity)
            .replace(
                "number              INTEGER NOT NULL PRIMARY KEY",
                &format!("number {identity}"),
            )
            .replace("INTEGER NOT NULL PRIMARY KEY", "BIGINT NOT NULL PRIMARY KEY")
            .replace(" BLOB", " BYTEA")
            .replace(") WITHOUT ROWID;", ");")
            .replace(" TEXT", " TEXT COLLATE \"C\"");
        assert!(!code.contains("INTEGER"), "BIGINT is the type of numbers: {line}");
        match comment {
            None => text.push_str(&code),
            // In its column, as far as there is room.
            Some(comment) => {
                let (code, width) = (format!("{} ", code.trim_end()), line.find("--").unwrap());
                let code = if code == " " { String::new() } else { code };
                text.push_str(&format!("{code:<width$}--{comment}"));
            }
        }
        text.push('\n');
    }
    text = triggers(&text);
    for (sqlite, postgres) in BY_HAND {
        text = text.replace(sqlite, postgres);
    }
    text
}

#[test]
fn the_steps_of_both_engines_say_the_same() {
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    for file in std::fs::read_dir(migrations.join("sqlite")).unwrap() {
        let file = file.unwrap();
        let expected = translated(&std::fs::read_to_string(file.path()).unwrap());
        let written = migrations.join("postgres").join(file.file_name());
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&written, &expected).unwrap();
        }
        let found = std::fs::read_to_string(&written).unwrap_or_default();
        assert!(found == expected, "{}: write it with UPDATE=1", written.display());
    }
}
