//! Files made by the `openssl` command. A missing command fails the test.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder with a CA, two leaves and their keys.
pub struct Folder {
    pub folder: tempfile::TempDir,
}

impl Folder {
    pub fn new() -> Self {
        let made = Self { folder: tempfile::tempdir().unwrap() };
        made.run("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 3650 -subj /C=DE/O=Test/CN=CA");
        for name in ["one", "two"] {
            made.run(&format!(
                "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.csr \
                 -subj /CN={name}.test -addext subjectAltName=DNS:{name}.test"
            ));
            made.run(&format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 90 -out {name}.pem \
                 -copy_extensions copyall"
            ));
        }
        made
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).unwrap()
    }

    pub fn run(&self, arguments: &str) {
        run(self.folder.path(), arguments);
    }
}

fn run(folder: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .output()
        .expect("the openssl command must be installed to run these tests");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments}: {error}");
}
