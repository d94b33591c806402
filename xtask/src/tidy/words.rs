//! Words that are refused: reminders without an issue, and names that say nothing.

use super::Finding;
use super::files::{Document, Tree};

/// One `word: reason` a line; `#` starts a comment. The list may be missing.
const LIST: &str = "xtask/tidy-words.txt";
/// Names of files and folders that hide what is inside.
const EMPTY_NAMES: [&str; 9] =
    ["util", "utils", "helper", "helpers", "manager", "common", "misc", "shared", "prelude"];
/// Reminders. Each needs the number of an issue: `(#12)`.
const MARKS: [&str; 3] = ["TODO", "FIXME", "XXX"];

/// Reminders of one file.
pub fn check_marks(document: &Document) -> Vec<Finding> {
    let lines: Vec<String> = match (&document.source, document.kind()) {
        (Some(source), _) => source.comments.clone(),
        // Between back-ticks a guide may speak about the word itself.
        (None, "md") => document.text.lines().map(outside_ticks).collect(),
        (None, _) => document.text.lines().map(str::to_owned).collect(),
    };
    let is_rule_of_its_own = document.path.starts_with("xtask/");
    let mut findings = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let mark = MARKS.iter().find(|mark| is_bare(line, mark));
        if let Some(mark) = mark.filter(|_| !is_rule_of_its_own) {
            let message = format!("{mark} without an issue: write {mark}(#number), or do it");
            findings.push(Finding::error(document, index + 1, message));
        }
    }
    findings
}

fn outside_ticks(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

fn is_bare(line: &str, mark: &str) -> bool {
    line.match_indices(mark).any(|(at, _)| {
        let joins = |c: char| c.is_alphanumeric() || c == '_';
        let before = line[..at].chars().next_back().is_some_and(joins);
        let rest = &line[at + mark.len()..];
        let number = rest.strip_prefix("(#").and_then(|rest| rest.split_once(')'));
        let is_numbered =
            number.is_some_and(|(n, _)| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()));
        !before && !rest.chars().next().is_some_and(joins) && !is_numbered
    })
}

/// Names of files, and the words of the list.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for document in tree.documents.iter().filter(|document| document.kind() == "rs") {
        let mut parts = document.path.trim_end_matches(".rs").split('/');
        if let Some(name) = parts.find(|part| EMPTY_NAMES.contains(part)) {
            let message = format!("`{name}` says nothing: name it by the noun or verb it holds");
            findings.push(Finding::error(document, 0, message));
        }
    }
    let Some(list) = tree.document(LIST) else { return findings };
    let entries: Vec<(&str, &str)> = list
        .text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(": "))
        .collect();
    for document in tree.documents.iter().filter(|document| !document.path.starts_with("xtask/")) {
        for (index, line) in document.text.lines().enumerate() {
            let line = line.to_lowercase();
            for (word, reason) in entries.iter().filter(|(word, _)| line.contains(word)) {
                let message = format!("`{word}`: {reason}");
                findings.push(Finding::error(document, index + 1, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(path: &str, text: &str) -> usize {
        check_marks(&Document::new(path, text)).len()
    }

    #[test]
    fn reminders_need_an_issue() {
        assert_eq!(marks("crates/a/src/a.rs", "// TODO: later\n"), 1);
        assert_eq!(marks("crates/a/src/a.rs", "// FIXME(me) later\n"), 1);
        assert_eq!(marks("crates/a/src/a.rs", "// TODO(#): later\n"), 1);
        assert_eq!(marks("web/a.js", "// TODO later\n"), 1);
        assert_eq!(marks("crates/a/src/a.rs", "// TODO(#12): later\n"), 0);
        assert_eq!(marks("crates/a/src/a.rs", "a(\"TODO\"); // MASTODON\n"), 0);
        assert_eq!(marks("docs/A.md", "Write `TODO(#12)`.\n"), 0);
    }

    #[test]
    fn names_that_say_nothing_are_refused() {
        for path in ["crates/a/src/util.rs", "crates/a/src/common/b.rs"] {
            let tree = Tree { documents: vec![Document::new(path, "")] };
            assert_eq!(check(&tree).len(), 1, "{path}");
        }
        let tree = Tree { documents: vec![Document::new("crates/a/src/utilisation.rs", "")] };
        assert_eq!(check(&tree).len(), 0);
    }

    #[test]
    fn words_of_the_list_are_refused() {
        let documents = vec![
            Document::new(LIST, "# words\nblacklist: say deny list\n"),
            Document::new("docs/A.md", "The Blacklist.\n"),
        ];
        let findings = check(&Tree { documents });
        assert_eq!(findings[0].to_string(), "error: docs/A.md:1: `blacklist`: say deny list");
        assert_eq!(findings.len(), 1);
    }
}
