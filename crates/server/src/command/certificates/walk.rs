//! The files below a directory, each once: links are followed, loops are not.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

/// Directories within each other at most.
const DEPTH_MAX: usize = 64;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Files of a size that is read, by path.
    pub(super) files: Vec<PathBuf>,
    /// Files that are too large.
    pub(super) large: Vec<String>,
    /// Files without a byte.
    pub(super) empty: u64,
    /// Further names of files that were found already.
    pub(super) again: u64,
    /// Directories that were not looked into: too many are around them.
    pub(super) deep: Vec<String>,
    /// What could not be looked at, and why.
    pub(super) unreadable: Vec<String>,
}

/// Looks through `directory`; files larger than `bytes_max` are named and left out.
pub(super) fn files(directory: &Path, bytes_max: u64) -> Result<Found> {
    let metadata = fs::metadata(directory)
        .with_context(|| format!("cannot read the directory {}", directory.display()))?;
    ensure!(metadata.is_dir(), "{} is not a directory: use upload", directory.display());
    let mut found = Found::default();
    // By device and number: the same file under two names is read once.
    let mut seen = HashSet::from([(metadata.dev(), metadata.ino())]);
    let mut waiting = vec![(directory.to_owned(), 0)];
    while let Some((directory, depth)) = waiting.pop() {
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) => {
                found.unreadable.push(format!("{}: {error}", directory.display()));
                continue;
            }
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
        // Names behind each other first, because the stack turns them round.
        paths.sort_by(|a, b| b.cmp(a));
        for path in paths {
            // Follows links; a broken one is an error here.
            let metadata = match fs::metadata(&path) {
                Ok(metadata) => metadata,
                Err(error) => {
                    found.unreadable.push(format!("{}: {error}", path.display()));
                    continue;
                }
            };
            if seen.insert((metadata.dev(), metadata.ino())) {
                match metadata.is_dir() {
                    true if depth < DEPTH_MAX => waiting.push((path, depth + 1)),
                    true => found.deep.push(path.display().to_string()),
                    false => found.take(path, &metadata, bytes_max),
                }
            } else if metadata.is_file() {
                found.again += 1;
            }
        }
    }
    found.files.sort();
    Ok(found)
}

impl Found {
    fn take(&mut self, path: PathBuf, metadata: &fs::Metadata, bytes_max: u64) {
        match metadata.len() {
            _ if !metadata.is_file() => {}
            0 => self.empty += 1,
            bytes if bytes > bytes_max => self.large.push(path.display().to_string()),
            _ => self.files.push(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn every_file_is_found_once_and_loops_end() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("a/b")).unwrap();
        for name in ["a/1.pem", "a/b/2.pem", "3.pem"] {
            fs::write(root.join(name), "x").unwrap();
        }
        fs::write(root.join("empty"), "").unwrap();
        fs::write(root.join("large"), [0; 11]).unwrap();
        symlink(root, root.join("a/b/loop")).unwrap();
        symlink(root.join("3.pem"), root.join("a/again.pem")).unwrap();
        symlink("nowhere", root.join("broken")).unwrap();
        let found = files(root, 10).unwrap();
        let mut names: Vec<_> =
            found.files.iter().map(|path| fs::canonicalize(path).unwrap()).collect();
        names.sort();
        let root = fs::canonicalize(root).unwrap();
        let expected: Vec<_> =
            ["3.pem", "a/1.pem", "a/b/2.pem"].iter().map(|name| root.join(name)).collect();
        assert_eq!(names, expected);
        assert_eq!(found.large, [root.join("large").display().to_string()]);
        assert_eq!((found.empty, found.again, found.unreadable.len()), (1, 1, 1));
        assert!(found.deep.is_empty());
        assert!(files(&root.join("3.pem"), 10).is_err());
        assert!(files(&root.join("none"), 10).is_err());
    }

    #[test]
    fn directories_that_are_too_deep_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let deepest = folder.path().join(vec!["d"; DEPTH_MAX].join("/"));
        fs::create_dir_all(deepest.join("below")).unwrap();
        for place in [&deepest, &deepest.join("below")] {
            fs::write(place.join("1.pem"), "x").unwrap();
        }
        let found = files(folder.path(), 10).unwrap();
        assert_eq!(found.files, [deepest.join("1.pem")]);
        assert_eq!(found.deep, [deepest.join("below").display().to_string()]);
    }
}
