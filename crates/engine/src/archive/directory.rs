//! An archive in a directory, on this machine or on a file system that all nodes share.
//!
//! A file is written beside its place, put on the disc, and renamed: what has the name of a tile is
//! one. Crash here: a file whose name begins with `.` stays behind and is written over.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use futures::future::BoxFuture;

use super::{Archive, ArchiveError};

/// An archive in a directory.
#[derive(Clone, Debug)]
pub struct Directory(PathBuf);

impl Directory {
    /// The archive in `path`, which is made when something is first written.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    fn failed(&self, error: impl std::fmt::Display) -> ArchiveError {
        ArchiveError { place: self.place(), what: error.to_string() }
    }
}

fn write(root: &Path, path: &str, bytes: &[u8]) -> io::Result<()> {
    let place = root.join(path);
    let folder = place.parent().unwrap_or(root);
    let name = place.file_name().map(|name| name.to_string_lossy().into_owned());
    let beside = folder.join(format!(".{}", name.unwrap_or_default()));
    if !folder.is_dir() {
        fs::create_dir_all(folder)?;
        // The names of new folders are to last as well.
        let mut above = folder;
        while let Some(parent) = above.parent().filter(|_| above != root) {
            File::open(parent)?.sync_all()?;
            above = parent;
        }
    }
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, &place)?;
    File::open(folder)?.sync_all()
}

impl Archive for Directory {
    fn put(&self, path: String, bytes: Vec<u8>) -> BoxFuture<'static, Result<(), ArchiveError>> {
        let this = self.clone();
        Box::pin(async move {
            let root = this.0.clone();
            let written = tokio::task::spawn_blocking(move || write(&root, &path, &bytes)).await;
            written.map_err(|error| this.failed(error))?.map_err(|error| this.failed(error))
        })
    }

    fn get(&self, path: String) -> BoxFuture<'static, Result<Option<Vec<u8>>, ArchiveError>> {
        let this = self.clone();
        Box::pin(async move {
            match tokio::fs::read(this.0.join(path)).await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(this.failed(error)),
            }
        })
    }

    fn place(&self) -> String {
        self.0.display().to_string()
    }
}
