//! A real S3-compatible store on loopback, with a bucket that the test can look into: moto, with
//! signatures checked by the library of AWS. `cargo xtask tools` puts both under `target/tools`.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use reqwest::{Client, Method};

/// Where `cargo xtask tools` puts the store.
const FOLDER: &str = "target/tools/s3";
const PROGRAM: &str = include_str!("bucket.py");

/// A bucket. The store goes with this value.
pub struct Bucket {
    child: Child,
    port: u16,
}

impl Bucket {
    /// Name of the bucket.
    pub const NAME: &str = "chancery-test";
    /// The access key that may use it.
    pub const KEY: &str = "AKIDEXAMPLE";
    /// Its secret.
    pub const SECRET: &str = "s3cr3t-that-nobody-sees";

    /// Starts a store with an empty bucket.
    ///
    /// # Panics
    /// The store is not installed.
    pub async fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let folder: PathBuf = root.join(FOLDER);
        assert!(folder.join("moto").is_dir(), "{FOLDER} is missing: cargo xtask tools");
        let mut child = Command::new("python3")
            .args(["-S", "-c", PROGRAM, Self::KEY, Self::SECRET])
            .env("PYTHONPATH", folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("the store tells its port");
        let bucket = Self { child, port };
        bucket.call(Method::PUT, "", Vec::new()).await;
        bucket
    }

    /// The address of the store.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What an object holds.
    pub async fn read(&self, path: &str) -> Vec<u8> {
        self.call(Method::GET, path, Vec::new()).await
    }

    /// What an object holds, if there is one.
    pub async fn find(&self, path: &str) -> Option<Vec<u8>> {
        let answer = self.sent(Method::GET, path, Vec::new()).await;
        let answer = answer.error_for_status().ok()?;
        Some(answer.bytes().await.unwrap().to_vec())
    }

    /// Puts other bytes in place of an object.
    pub async fn write(&self, path: &str, bytes: Vec<u8>) {
        self.call(Method::PUT, path, bytes).await;
    }

    async fn call(&self, method: Method, path: &str, bytes: Vec<u8>) -> Vec<u8> {
        let answer = self.sent(method, path, bytes).await.error_for_status().unwrap();
        answer.bytes().await.unwrap().to_vec()
    }

    async fn sent(&self, method: Method, path: &str, bytes: Vec<u8>) -> reqwest::Response {
        let url = format!("{}/{}/{path}", self.endpoint(), Self::NAME);
        let sent = Client::new().request(method, url.trim_end_matches('/')).header("x-test", "1");
        // The store shows objects to nobody without a name; it does not check this one.
        let name = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, \
                    SignedHeaders=host, Signature=0";
        let sent = sent.header("authorization", name);
        let sent = sent.header("content-type", "application/octet-stream").body(bytes);
        sent.send().await.unwrap()
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
