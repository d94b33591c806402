//! Every module says what it is for, first thing.

use super::Finding;
use super::files::Document;

pub fn check(document: &Document) -> Option<Finding> {
    if document.kind() != "rs" {
        return None;
    }
    let first = document.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let documented = first.starts_with("//!") && first.len() > 4;
    (!documented).then(|| {
        let message = "a module starts with `//!`: what it is for, and what it must never do";
        Finding::error(document, 1, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> bool {
        check(&Document::new("crates/a/src/a.rs", text)).is_some()
    }

    #[test]
    fn modules_without_a_word_are_refused() {
        assert!(refused("use std::fmt;\n"));
        assert!(refused("// A comment is not documentation.\n"));
        assert!(refused("//!\nuse std::fmt;\n"));
        assert!(refused(""));
        assert!(!refused("//! Tiles of the log.\n"));
    }
}
