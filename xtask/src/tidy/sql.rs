//! SQL lives in `crates/store` and nowhere else.

use super::Finding;
use super::files::Document;

/// Beginnings of statements, as they are written in this house: in capitals.
const STATEMENTS: [&str; 6] =
    ["SELECT ", "INSERT INTO ", "DELETE FROM ", "CREATE TABLE ", "ALTER TABLE ", "DROP TABLE "];

/// The store, and the servers that its tests start.
const HOLDERS: [&str; 2] = ["crates/store/", "crates/throwaway/"];

pub fn check(document: &Document) -> Vec<Finding> {
    let Some(source) = &document.source else { return Vec::new() };
    if !document.path.starts_with("crates/")
        || HOLDERS.iter().any(|holder| document.path.starts_with(holder))
    {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for line in 0..source.code.len() {
        let text = &source.strings[line];
        let words = STATEMENTS.iter().find(|words| text.contains(*words)).map(|words| words.trim());
        let code = &source.code[line];
        let driver = ["sqlx", "rusqlite"].into_iter().find(|d| code.contains(&format!("{d}::")));
        if let Some(what) = words.or(driver) {
            let message = format!("{what}: SQL belongs to crates/store alone");
            findings.push(Finding::error(document, line + 1, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Document::new(path, text)).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn statements_outside_the_store_are_refused() {
        assert_eq!(lines("crates/web/src/a.rs", "a(\"\n  SELECT x FROM y\");\n"), [2]);
        assert_eq!(lines("crates/engine/src/a.rs", "a(\"INSERT INTO b VALUES (1)\");\n"), [1]);
        assert_eq!(lines("crates/engine/src/a.rs", "use sqlx::Row;\n"), [1]);
    }

    #[test]
    fn the_store_and_comments_pass() {
        assert_eq!(lines("crates/store/src/a.rs", "a(\"SELECT 1\");\n"), [0; 0]);
        assert_eq!(lines("crates/web/src/a.rs", "// SELECT 1, sqlx::query\n"), [0; 0]);
        assert_eq!(lines("crates/web/src/a.rs", "a(\"Select one\");\n"), [0; 0]);
    }
}
