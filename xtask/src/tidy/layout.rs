//! Length of files and lines, and white space.

use super::Finding;
use super::files::Document;

/// Lines of a source file above which it is refused, and above which it is worth a look.
const SOURCE_LINES: (usize, usize) = (700, 400);
/// The same for tests, which are longer and flatter.
const TEST_LINES: (usize, usize) = (1_000, 700);
/// Columns of a line; tests and SQL hold data and pages hold markup, which may be wider: nothing
/// wraps them by itself.
const COLUMNS: usize = 100;
const DATA_COLUMNS: usize = 120;

pub fn check(document: &Document) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(length(document));
    for (index, line) in document.text.split('\n').enumerate() {
        let number = index + 1;
        if line.ends_with([' ', '\t', '\r']) {
            findings.push(Finding::error(document, number, "space at the end of the line"));
        }
        if line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ") {
            findings.push(Finding::error(document, number, "an unresolved merge"));
        }
        if line.contains('\t') {
            findings.push(Finding::error(document, number, "a tab: indent with spaces"));
        }
        let columns = columns(document, index, line);
        let most = if holds_data(document) { DATA_COLUMNS } else { COLUMNS };
        if columns > most {
            let message = format!("{columns} columns, at most {most}");
            findings.push(Finding::error(document, number, message));
        }
    }
    if !document.text.is_empty() && !document.text.ends_with('\n') {
        let last = document.text.lines().count();
        findings.push(Finding::error(document, last, "no line end at the end of the file"));
    } else if document.text.ends_with("\n\n") {
        let last = document.text.lines().count();
        findings.push(Finding::error(document, last, "empty lines at the end of the file"));
    }
    findings
}

fn holds_data(document: &Document) -> bool {
    let pages = ["crates/web/src/ui", "crates/web/src/page"];
    document.is_test()
        || document.kind() == "sql"
        || pages.iter().any(|folder| document.path.starts_with(folder))
}

fn length(document: &Document) -> Option<Finding> {
    if !matches!(document.kind(), "rs" | "css" | "js" | "html" | "sql") {
        return None;
    }
    let (fail, warn) = if document.is_test() { TEST_LINES } else { SOURCE_LINES };
    let lines = document.text.lines().count();
    if lines > fail {
        let message = format!("{lines} lines, at most {fail}: split it along its nouns");
        return Some(Finding::error(document, 0, message));
    }
    (lines > warn)
        .then(|| Finding::warning(document, 0, format!("{lines} lines, worth splitting at {warn}")))
}

/// How many columns a line takes. Addresses are not counted, nor is the content of a string, for
/// neither can be broken without becoming harder to find. Prose and tables wrap as they like.
fn columns(document: &Document, index: usize, line: &str) -> usize {
    if !matches!(document.kind(), "rs" | "sql") || line.contains("://") {
        return 0;
    }
    let all = line.chars().count();
    let Some(source) = &document.source else { return all };
    let text = source.strings.get(index).map_or(0, |text| text.trim().chars().count());
    all - text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        check(&Document::new(path, text)).iter().map(Finding::to_string).collect()
    }

    fn refuses(path: &str, text: &str, expected: &str) {
        let messages = messages(path, text);
        assert!(messages.iter().any(|m| m.contains(expected)), "{expected}: {messages:?}");
    }

    #[test]
    fn long_files_fail_and_longish_ones_warn() {
        refuses("crates/a/src/a.rs", &"a();\n".repeat(701), "error: crates/a/src/a.rs: 701 lines");
        refuses("crates/a/src/a.rs", &"a();\n".repeat(401), "warning: crates/a/src/a.rs: 401");
        refuses("crates/a/src/a/tests.rs", &"a();\n".repeat(1_001), "error");
        assert_eq!(messages("crates/a/src/a.rs", &"a();\n".repeat(400)), [""; 0]);
        assert_eq!(messages("README.md", &"a\n".repeat(2_000)), [""; 0]);
    }

    #[test]
    fn wide_lines_fail() {
        refuses("crates/a/src/a.rs", &format!("// {}\n", "a".repeat(98)), "101 columns");
        assert_eq!(messages("crates/a/src/a.rs", &format!("// {}\n", "a".repeat(97))), [""; 0]);
    }

    #[test]
    fn strings_and_addresses_may_be_wide() {
        let string = format!("a(\"{}\");\n", "b".repeat(120));
        assert_eq!(messages("crates/a/src/a.rs", &string), [""; 0]);
        let address = format!("//! See <https://example.com/{}>\n", "b".repeat(120));
        assert_eq!(messages("crates/a/src/a.rs", &address), [""; 0]);
        assert_eq!(messages("README.md", &format!("{}\n", "a ".repeat(99).trim())), [""; 0]);
    }

    #[test]
    fn unresolved_merges_fail() {
        refuses("README.md", "<<<<<<< HEAD\na\n", "unresolved merge");
        refuses("README.md", "a\n>>>>>>> other\n", "unresolved merge");
    }

    #[test]
    fn white_space_is_clean() {
        refuses("README.md", "a \n", "space at the end");
        refuses("README.md", "a\r\n", "space at the end");
        refuses("crates/a/src/a.rs", "\ta();\n", "tab");
        refuses("README.md", "a", "no line end");
        refuses("README.md", "a\n\n", "empty lines");
        assert_eq!(messages("README.md", "a\n"), [""; 0]);
    }
}
