//! The program as a process of its own that can be killed, and uploads to it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chancery_engine::{Engine, Running, Settings};
use chancery_event::Environment;
use chancery_pki::make::{self, Key, Template};
use reqwest::{Client, Response};

const ORIGIN: &str = "hard.example/log";
const DAY: i64 = 86_400_000_000;

fn program(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chancery"));
    command
        .env_clear()
        .env("CHANCERY_DATA_DIR", data_dir)
        .env("CHANCERY_LISTEN", "127.0.0.1:0")
        .env("CHANCERY_LOG_ORIGIN", ORIGIN)
        .env("CHANCERY_PUBLIC_URL", "http://hard.example")
        .env("CHANCERY_LOG_ALLOW_UNENCRYPTED_KEY", "true")
        .env("CHANCERY_ADMIN_PASSWORD", "correct-horse-battery-staple-9")
        .stdin(Stdio::null());
    command
}

/// The engine in this process, on a directory where no server runs.
pub async fn engine(data_dir: &Path) -> Running {
    let mut settings = Settings::new(data_dir);
    settings.log_origin = ORIGIN.to_owned();
    settings.public_url = "http://hard.example".to_owned();
    settings.allow_unencrypted_key = true;
    Engine::start(settings, Environment::system()).await.unwrap()
}

/// A running server. Dropped, it is killed.
pub struct Server {
    child: Child,
    url: String,
    token: String,
}

impl Server {
    /// Makes a token on the directory, for all servers that will run there.
    pub fn token(data_dir: &Path) -> String {
        Self::token_with(data_dir, &[])
    }

    /// The same with other settings, by the names of their variables.
    pub fn token_with(data_dir: &Path, settings: &[(&str, String)]) -> String {
        let made = program(data_dir)
            .envs(settings.iter().cloned())
            .args(["token", "create", "hard", "--role", "administrator"])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    }

    /// Starts one and waits until it listens.
    pub fn start(data_dir: &Path, token: &str) -> Self {
        Self::start_with(data_dir, token, &[])
    }

    /// The same with other settings, by the names of their variables.
    pub fn start_with(data_dir: &Path, token: &str, settings: &[(&str, String)]) -> Self {
        let log = std::fs::File::create(errors(data_dir)).unwrap();
        let mut program = program(data_dir);
        program.envs(settings.iter().cloned()).arg("serve");
        let mut child = program.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = loop {
            let Some(line) = lines.next() else {
                let log = std::fs::read_to_string(errors(data_dir)).unwrap();
                panic!("the server has ended: {log}");
            };
            if let Some((_, url)) = line.unwrap().split_once("listens on ") {
                break url.to_owned();
            }
        };
        // What it prints later must not block it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url, token: token.to_owned() }
    }

    /// Starts one and sends SIGKILL after a time, wherever it is then. Answers whether it listened.
    pub fn kill_start(data_dir: &Path, after: Duration) -> bool {
        let out = data_dir.with_extension("out");
        let log = std::fs::File::create(errors(data_dir)).unwrap();
        let mut program = program(data_dir);
        program.arg("serve").stdout(std::fs::File::create(&out).unwrap()).stderr(log);
        let mut child = program.spawn().unwrap();
        std::thread::sleep(after);
        child.kill().unwrap();
        let status = child.wait().unwrap();
        let log = std::fs::read_to_string(errors(data_dir)).unwrap();
        assert_eq!(status.code(), None, "it ended by itself: {log}");
        std::fs::read_to_string(out).unwrap().contains("listens on ")
    }

    /// A client that can be handed to a task.
    pub fn client(&self) -> Caller {
        let (url, token) = (self.url.clone(), self.token.clone());
        Caller { client: Client::new(), url, token }
    }

    /// SIGKILL: no chance to finish anything.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the server's standard error goes: beside the data, and on the same disc.
fn errors(data_dir: &Path) -> PathBuf {
    data_dir.with_extension("err")
}

/// Sends requests to one server.
#[derive(Clone)]
pub struct Caller {
    client: Client,
    url: String,
    token: String,
}

impl Caller {
    pub async fn upload(&self, der: Vec<u8>, query: &str) -> reqwest::Result<Response> {
        let url = format!("{}/api/v1/certificates{query}", self.url);
        let request = self.client.post(url).bearer_auth(&self.token);
        request.header("content-type", "application/octet-stream").body(der).send().await
    }

    pub async fn post(&self, path: &str, body: &serde_json::Value) -> reqwest::Result<Response> {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.token);
        request.json(body).send().await
    }

    pub async fn get(&self, path: &str) -> reqwest::Result<Response> {
        self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token).send().await
    }
}

/// A certificate of this name, and its fingerprint as the inventory writes it.
pub fn leaf(name: &str) -> (Vec<u8>, String) {
    let now = Environment::system().now().micros();
    let key = Key::from_seed(name.as_bytes()).unwrap();
    let template = Template::leaf(&[name], now - DAY, now + 90 * DAY);
    let der = make::certificate(&template, &key, None).unwrap();
    let parsed = chancery_pki::Certificate::parse(&der).unwrap();
    let fingerprint = parsed.fingerprint_sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    (der, fingerprint)
}
