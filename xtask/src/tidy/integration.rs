//! One integration binary per crate, and every file of it included.
//!
//! A file that nobody includes is a test that nobody runs. Several binaries link everything again.

use super::Finding;
use super::files::Tree;

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for document in tree.documents.iter().filter(|document| document.kind() == "rs") {
        let Some((owner, below)) = document.path.split_once("/tests/") else { continue };
        if owner.ends_with("/src") || owner.contains("/src/") || below == "it/main.rs" {
            continue;
        }
        let Some(below) = below.strip_prefix("it/") else {
            let message = "integration tests live in one binary, under tests/it/";
            findings.push(Finding::error(document, 0, message));
            continue;
        };
        // Folders are included by the module they belong to, which is looked at itself.
        let name = match below.split_once('/') {
            None => below.trim_end_matches(".rs"),
            Some((folder, "mod.rs")) => folder,
            Some(_) => continue,
        };
        let main = format!("{owner}/tests/it/main.rs");
        let declaration = format!("mod {name};");
        let is_included = tree
            .document(&main)
            .and_then(|document| document.source.as_ref())
            .is_some_and(|source| source.code.iter().any(|line| line.trim() == declaration));
        if !is_included {
            findings.push(Finding::error(document, 0, format!("{main} lacks `{declaration}`")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::files::Document;
    use super::*;

    fn messages(files: &[(&str, &str)]) -> Vec<String> {
        let documents = files.iter().map(|(path, text)| Document::new(path, text)).collect();
        check(&Tree { documents }).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn a_file_that_is_not_included_is_refused() {
        let main = ("crates/a/tests/it/main.rs", "//! It.\nmod known;\n// mod lost;\n");
        assert_eq!(messages(&[main, ("crates/a/tests/it/known.rs", "")]), [""; 0]);
        let lost = messages(&[main, ("crates/a/tests/it/lost.rs", "")]);
        assert!(lost[0].contains("lacks `mod lost;`"), "{lost:?}");
        let folder = messages(&[main, ("crates/a/tests/it/other/mod.rs", "")]);
        assert!(folder[0].contains("lacks `mod other;`"), "{folder:?}");
    }

    #[test]
    fn a_second_binary_is_refused() {
        let second = messages(&[("crates/a/tests/second.rs", "")]);
        assert!(second[0].contains("one binary"), "{second:?}");
        assert_eq!(messages(&[("crates/a/src/b/tests/c.rs", "")]), [""; 0]);
    }
}
