//! Which files are looked at: those git tracks, and new ones it does not ignore.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::source::Source;

/// Text files by the end of their name. Tables, lock files and goldens are left alone.
const KINDS: [&str; 13] = [
    "rs",
    "md",
    "toml",
    "css",
    "js",
    "html",
    "sql",
    "sh",
    "yml",
    "yaml",
    "svg",
    "txt",
    "gitignore",
];

/// One text file.
#[derive(Debug)]
pub struct Document {
    /// Relative to the root of the repository, with `/` between the parts.
    pub path: String,
    pub text: String,
    /// The text with code, comments and strings told apart; only for Rust.
    pub source: Option<Source>,
}

impl Document {
    pub fn new(path: &str, text: &str) -> Self {
        let source = path.ends_with(".rs").then(|| Source::read(text));
        Self { path: path.to_owned(), text: text.to_owned(), source }
    }

    /// The end of the file name, without the dot; empty for files such as `.ci/run`.
    pub fn kind(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.rsplit_once('.').map_or("", |(_, kind)| kind)
    }

    /// Code that only runs in tests: test files, and the crate of test equipment.
    pub fn is_test(&self) -> bool {
        let under = |folder: &str| self.path.contains(folder);
        self.path.ends_with("/tests.rs")
            || under("/tests/")
            || self.path.starts_with("fuzz/")
            || under("/benches/")
            || self.path.starts_with("crates/testkit/")
            || self.path.starts_with("crates/throwaway/")
    }
}

/// All files of the repository.
#[derive(Debug)]
pub struct Tree {
    pub documents: Vec<Document>,
}

impl Tree {
    pub fn read(root: &Path) -> Result<Self> {
        let output = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("cannot run git")?;
        ensure!(output.status.success(), "git ls-files failed in {}", root.display());
        let list = String::from_utf8(output.stdout).context("a path is not UTF-8")?;
        let mut documents = Vec::new();
        for path in list.split('\0').filter(|path| is_looked_at(path)) {
            // A file that is deleted but still in the index is simply no longer there.
            let Ok(bytes) = std::fs::read(root.join(path)) else { continue };
            let text = String::from_utf8(bytes).with_context(|| format!("{path} is not UTF-8"))?;
            documents.push(Document::new(path, &text));
        }
        Ok(Self { documents })
    }

    pub fn document(&self, path: &str) -> Option<&Document> {
        self.documents.iter().find(|document| document.path == path)
    }

    /// Whether a file or folder of this name exists among the files that are looked at.
    pub fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let folder = format!("{path}/");
        self.documents.iter().any(|d| d.path == path || d.path.starts_with(&folder))
    }
}

fn is_looked_at(path: &str) -> bool {
    if path.is_empty() || path.split('/').any(|part| part == "golden") {
        return false;
    }
    let name = path.rsplit('/').next().unwrap_or_default();
    if path.starts_with(".ci/") || name == "LICENSE" {
        return name != "LICENSE";
    }
    name.rsplit_once('.').is_some_and(|(_, kind)| KINDS.contains(&kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goldens_tables_and_locks_are_left_alone() {
        for path in ["crates/event/golden/a.json", "catalogue/a.tsv", "Cargo.lock", "LICENSE", ""] {
            assert!(!is_looked_at(path), "{path}");
        }
        for path in ["crates/event/src/lib.rs", ".ci/run", "README.md", ".gitignore"] {
            assert!(is_looked_at(path), "{path}");
        }
    }

    #[test]
    fn tests_are_told_from_the_product() {
        for path in ["crates/a/src/b/tests.rs", "crates/a/tests/it/b.rs", "crates/testkit/src/a.rs"]
        {
            assert!(Document::new(path, "").is_test(), "{path}");
        }
        assert!(!Document::new("crates/a/src/contests.rs", "").is_test());
    }

    #[test]
    fn folders_are_found() {
        let tree = Tree { documents: vec![Document::new("crates/a/src/lib.rs", "")] };
        assert!(tree.has("crates/a"));
        assert!(tree.has("crates/a/src/"));
        assert!(!tree.has("crates/a/sr"));
    }
}
