//! `.unwrap()` and `.expect(…)` in the product say why they cannot fail.

use super::Finding;
use super::files::Document;
use super::source::Source;

const MARK: &str = "Unwrap safety:";

pub fn check(document: &Document) -> Vec<Finding> {
    let Some(source) = &document.source else { return Vec::new() };
    if document.is_test() || document.path.ends_with("build.rs") {
        return Vec::new();
    }
    let message = format!("`.unwrap()` or `.expect(…)` without `// {MARK} …` before it");
    (0..source.code.len())
        .filter(|&line| !source.in_test[line] && panics(&source.code[line]))
        .filter(|&line| !is_justified(source, line))
        .map(|line| Finding::error(document, line + 1, message.clone()))
        .collect()
}

fn panics(code: &str) -> bool {
    code.contains(".unwrap()") || code.contains(".expect(")
}

/// Looks upwards from `line` to the start of its statement, and at the comment above that.
fn is_justified(source: &Source, line: usize) -> bool {
    for above in (0..line).rev() {
        let comment = source.comments[above].trim();
        let code = source.code[above].trim();
        if !comment.is_empty() && comment.contains(MARK) {
            return true;
        }
        if code.is_empty() && comment.is_empty() || code.ends_with([';', '{', '}']) {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Document::new(path, text)).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn bare_unwraps_are_refused() {
        assert_eq!(lines("crates/a/src/a.rs", "fn a() {\n    b().unwrap();\n}\n"), [2]);
        assert_eq!(lines("crates/a/src/a.rs", "fn a() {\n    b().expect(\"c\");\n}\n"), [2]);
        // The justification of another statement does not count.
        let other = "// Unwrap safety: one.\na().unwrap();\nb().unwrap();\n";
        assert_eq!(lines("crates/a/src/a.rs", other), [3]);
    }

    #[test]
    fn justified_ones_pass() {
        let direct = "// Unwrap safety: never empty,\n// by its type.\na().unwrap();\n";
        assert_eq!(lines("crates/a/src/a.rs", direct), [0; 0]);
        let statement = "// Unwrap safety: never empty.\nlet a = b()\n    .c()\n    .unwrap();\n";
        assert_eq!(lines("crates/a/src/a.rs", statement), [0; 0]);
    }

    #[test]
    fn tests_and_text_pass() {
        assert_eq!(lines("crates/a/tests/it/a.rs", "a().unwrap();\n"), [0; 0]);
        let inside = "#[cfg(test)]\nmod tests {\n    fn a() { b().unwrap(); }\n}\n";
        assert_eq!(lines("crates/a/src/a.rs", inside), [0; 0]);
        assert_eq!(lines("crates/a/src/a.rs", "//! Not `a.unwrap()`.\n"), [0; 0]);
        assert_eq!(lines("crates/a/src/a.rs", "a().unwrap_or_default();\n"), [0; 0]);
    }
}
