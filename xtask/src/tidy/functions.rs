//! Functions of at most seventy lines, with a list of the longer ones that may only shrink.

use std::collections::BTreeSet;

use super::Finding;
use super::files::{Document, Tree};
use super::source::{Source, block_end};

/// From the line of `fn` to the line of the closing brace, both counted.
const LINES: usize = 70;
/// One `path name` a line; `#` starts a comment.
const RATCHET: &str = "xtask/tidy-functions.txt";

pub fn check(tree: &Tree) -> Vec<Finding> {
    let empty = Document::new(RATCHET, "");
    let list = tree.document(RATCHET).unwrap_or(&empty);
    let known: BTreeSet<&str> = list
        .text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let mut findings = Vec::new();
    let mut used = BTreeSet::new();
    for document in &tree.documents {
        let Some(source) = &document.source else { continue };
        for function in functions(source).into_iter().filter(|function| function.lines > LINES) {
            let key = format!("{} {}", document.path, function.name);
            if !known.contains(key.as_str()) {
                let message =
                    format!("fn {} has {} lines, at most {LINES}", function.name, function.lines);
                findings.push(Finding::error(document, function.line, message));
            }
            used.insert(key);
        }
    }
    for stale in known.into_iter().filter(|known| !used.contains(*known)) {
        let message = format!("`{stale}` is no longer long: take it off the list");
        findings.push(Finding::error(list, 0, message));
    }
    findings
}

struct Function {
    name: String,
    /// Counted from one.
    line: usize,
    lines: usize,
}

fn functions(source: &Source) -> Vec<Function> {
    let mut found = Vec::new();
    for (index, code) in source.code.iter().enumerate() {
        let Some((name, column)) = declared(code) else { continue };
        if let Some(end) = block_end(&source.code, index, column) {
            found.push(Function { name, line: index + 1, lines: end - index + 1 });
        }
    }
    found
}

/// The name of the function that is declared on this line, and the column behind it.
fn declared(code: &str) -> Option<(String, usize)> {
    let at = if code.starts_with("fn ") { 0 } else { code.find(" fn ")? + 1 };
    let name: String = code[at + 3..]
        .trim_start()
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    let column = code[..at].chars().count() + 3;
    (!name.is_empty()).then_some((name, column))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(ratchet: &str, body: usize) -> Vec<String> {
        let text = format!("pub fn long(a: [u8; 2]) {{\n{}}}\n", "    b();\n".repeat(body));
        let documents =
            vec![Document::new("crates/a/src/a.rs", &text), Document::new(RATCHET, ratchet)];
        check(&Tree { documents }).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn long_functions_are_refused() {
        assert_eq!(messages("", 68), [""; 0]);
        assert_eq!(
            messages("", 69),
            ["error: crates/a/src/a.rs:1: fn long has 71 lines, at most 70"]
        );
    }

    #[test]
    fn the_list_may_only_shrink() {
        assert_eq!(messages("# known\ncrates/a/src/a.rs long\n", 69), [""; 0]);
        let stale = messages("crates/a/src/a.rs long\n", 3);
        assert_eq!(stale.len(), 1);
        assert!(stale[0].contains("take it off the list"));
    }

    #[test]
    fn declarations_and_pointers_are_not_functions() {
        let source = Source::read("trait A {\n    fn a();\n}\nstruct B { c: fn(u8) -> u8 }\n");
        assert!(functions(&source).is_empty());
        let source = Source::read("fn a()\nwhere\n    A: B,\n{\n    c();\n}\n");
        assert_eq!(functions(&source)[0].lines, 6);
    }
}
