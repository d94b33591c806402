//! The rules of the house that can be checked by reading files.
//!
//! Every rule is a function from a [`Document`] (or from the whole [`Tree`]) to findings, and has a
//! test that shows it failing on a bad sample. Rules work on text: `source` separates code,
//! comments and strings first, so that no rule has to know how Rust is quoted. A rule must never
//! change a file, and must never depend on the order in which files are read.

mod files;
mod functions;
mod integration;
mod layout;
mod modules;
mod paths;
mod source;
mod spelling;
mod sql;
mod unwraps;
mod words;

use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};
use files::{Document, Tree};

/// One place where a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    path: String,
    /// Counted from one; zero when the finding is about the whole file.
    line: usize,
    message: String,
    /// A warning is printed and does not fail the run.
    warning: bool,
}

impl Finding {
    fn error(document: &Document, line: usize, message: impl Into<String>) -> Self {
        Self { path: document.path.clone(), line, message: message.into(), warning: false }
    }

    fn warning(document: &Document, line: usize, message: impl Into<String>) -> Self {
        Self { warning: true, ..Self::error(document, line, message) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.warning { "warning" } else { "error" };
        match self.line {
            0 => write!(f, "{kind}: {}: {}", self.path, self.message),
            line => write!(f, "{kind}: {}:{line}: {}", self.path, self.message),
        }
    }
}

/// Checks every file of the repository under `root` and prints what it finds.
pub fn run(root: &Path) -> Result<()> {
    let tree = Tree::read(root)?;
    let findings = check(&tree);
    for finding in &findings {
        eprintln!("{finding}");
    }
    let errors = findings.iter().filter(|finding| !finding.warning).count();
    let warnings = findings.len() - errors;
    let read = tree.documents.len();
    if errors > 0 {
        bail!("tidy: {errors} errors and {warnings} warnings in {read} files");
    }
    println!("tidy: {read} files, no errors, {warnings} warnings");
    Ok(())
}

fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for document in &tree.documents {
        findings.extend(layout::check(document));
        findings.extend(modules::check(document));
        findings.extend(unwraps::check(document));
        findings.extend(words::check_marks(document));
        findings.extend(spelling::check(document));
        findings.extend(sql::check(document));
        findings.extend(paths::check(document, tree));
    }
    findings.extend(functions::check(tree));
    findings.extend(integration::check(tree));
    findings.extend(words::check(tree));
    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let tree = Tree::read(&crate::root()).unwrap();
        let errors: Vec<String> = check(&tree)
            .iter()
            .filter(|finding| !finding.warning)
            .map(Finding::to_string)
            .collect();
        assert!(errors.is_empty(), "\n{}", errors.join("\n"));
    }

    #[test]
    fn a_finding_names_its_place() {
        let document = Document::new("crates/seal/src/tile.rs", "");
        let finding = Finding::error(&document, 7, "too wide");
        assert_eq!(finding.to_string(), "error: crates/seal/src/tile.rs:7: too wide");
        let finding = Finding::warning(&document, 0, "long");
        assert_eq!(finding.to_string(), "warning: crates/seal/src/tile.rs: long");
    }

    #[test]
    fn every_rule_is_run() {
        let long = format!("fn long() {{\n{}}}\n", "    work();\n".repeat(80));
        let samples = [
            ("crates/a/src/a.rs", "//! A.\nfn a() {} \n", "space at the end"),
            ("crates/a/src/a.rs", "fn a() {}\n", "starts with `//!`"),
            ("crates/a/src/a.rs", "//! A.\nfn a() { b().unwrap(); }\n", "Unwrap safety"),
            ("crates/a/src/a.rs", "//! A.\n// TODO: later\n", "issue"),
            ("crates/a/src/a.rs", "//! The color.\n", "colour"),
            ("crates/a/src/a.rs", "//! A.\nconst A: &str = \"SELECT 1\";\n", "SQL"),
            ("CONTRIBUTING.md", "See `crates/none/here.rs`.\n", "does not exist"),
            ("crates/a/src/a.rs", &format!("//! A.\n{long}"), "82 lines"),
            ("crates/a/tests/it/lost.rs", "//! A.\n", "main.rs"),
            ("crates/a/src/helper.rs", "//! A.\n", "noun"),
        ];
        for (path, text, expected) in samples {
            let tree = Tree { documents: vec![Document::new(path, text)] };
            let findings = check(&tree);
            assert!(
                findings.iter().any(|finding| finding.message.contains(expected)),
                "{path} gave {findings:?}, expected {expected}"
            );
        }
    }
}
