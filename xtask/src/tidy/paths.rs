//! Paths that the guides quote exist.
//!
//! Guides rot by naming files that have moved. A quoted path is what stands between back-ticks and
//! begins with a folder of the root, or the target of a link without a scheme.

use super::Finding;
use super::files::{Document, Tree};

const GUIDES: [&str; 3] = ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"];
const FOLDERS: [&str; 6] = ["crates/", "docs/", "xtask/", ".ci/", ".cargo/", "fuzz/"];

pub fn check(document: &Document, tree: &Tree) -> Vec<Finding> {
    if !GUIDES.contains(&document.path.as_str()) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut in_fence = false;
    for (index, line) in document.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        }
        if in_fence {
            continue;
        }
        for path in quoted(line).chain(linked(line)) {
            if !tree.has(path) && !is_unlisted(path) {
                let message = format!("`{path}` does not exist");
                findings.push(Finding::error(document, index + 1, message));
            }
        }
    }
    findings
}

fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2).filter(|text| {
        let is_path = FOLDERS.iter().any(|folder| text.starts_with(folder));
        is_path && !text.contains(['<', '*', '{', '…', ' ', ':'])
    })
}

fn linked(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?.split('#').next()?;
        let is_path = !target.is_empty() && !target.contains(':') && !target.starts_with('/');
        is_path.then_some(target)
    })
}

/// Files that tidy does not read (pictures, tables, goldens) are looked up on the disc.
fn is_unlisted(path: &str) -> bool {
    crate::root().join(path).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        let tree = Tree { documents: vec![Document::new("crates/seal/src/tile.rs", "")] };
        let guide = Document::new("CONTRIBUTING.md", text);
        check(&guide, &tree).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn paths_that_are_gone_are_refused() {
        assert_eq!(
            messages("Look at `crates/seal/src/gone.rs`.\n"),
            ["error: CONTRIBUTING.md:1: `crates/seal/src/gone.rs` does not exist"]
        );
        assert_eq!(messages("[this](docs/GONE.md#part)\n").len(), 1);
    }

    #[test]
    fn what_exists_or_is_no_path_passes() {
        assert_eq!(messages("`crates/seal/src/tile.rs` in `crates/seal`\n"), [""; 0]);
        assert_eq!(messages("`crates/event/src/<family>.rs`, [a](https://b.example)\n"), [""; 0]);
        assert_eq!(messages("```\ncat `docs/none`\n```\n"), [""; 0]);
    }
}
