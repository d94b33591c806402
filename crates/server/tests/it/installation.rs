//! A data directory, the program working on it, and a server running there.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use chancery_engine::access::NewToken;
use chancery_engine::{Client, Context, Engine, Role, Running, Secret, Settings};
use chancery_event::{Authentication, Environment, Origin};
use chancery_store::Store;
use chancery_store::table::account;
use serde_json::Value;
use tempfile::TempDir;

/// Name of the log in these tests.
pub const ORIGIN: &str = "test.example/log";
/// Password of the first administrator.
pub const PASSWORD: &str = "correct-horse-battery-staple-9";
/// Entries that a prepared log has at least: more than one tile.
pub const PREPARED: u64 = 300;
/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The program with nothing of this process's environment.
pub fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chancery"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    for (name, value) in [
        ("CHANCERY_ADMIN_PASSWORD", PASSWORD),
        ("CHANCERY_LOG_ALLOW_UNENCRYPTED_KEY", "true"),
        ("CHANCERY_LISTEN", "127.0.0.1:0"),
        ("CHANCERY_PUBLIC_URL", "http://test.example"),
    ] {
        command.env(name, value);
    }
    command
}

/// What a run of the program gave.
#[derive(Debug)]
pub struct Run {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Run {
    fn of(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The document on standard output.
    #[track_caller]
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The run, if it went well.
    #[track_caller]
    pub fn well(self) -> Self {
        assert_eq!(self.status, 0, "{self:?}");
        self
    }
}

/// A data directory that goes with the test.
pub struct Installation {
    folder: TempDir,
}

impl Installation {
    /// An empty one.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// One whose log has more than [`PREPARED`] entries, personal parts among them.
    pub fn prepared() -> Self {
        static PREPARED: OnceLock<Installation> = OnceLock::new();
        let copy = Self::new();
        copy_all(&PREPARED.get_or_init(prepare).data_dir(), &copy.data_dir());
        copy
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A path beside the data directory.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Takes away what it remembers of the log: it starts as a copy, compared with nothing.
    pub fn forget(&self) {
        std::fs::remove_file(self.data_dir().join("checkpoint")).unwrap();
    }

    pub fn data_dir_text(&self) -> String {
        self.data_dir().display().to_string()
    }

    pub fn settings(&self) -> Settings {
        let mut settings = Settings::new(self.data_dir());
        settings.log_origin = ORIGIN.to_owned();
        settings.public_url = "http://test.example".to_owned();
        settings.allow_unencrypted_key = true;
        settings.admin_password = Some(Secret::new(PASSWORD.to_owned()));
        settings
    }

    /// The engine on this directory, in this process.
    pub async fn engine(&self) -> Running {
        Engine::start(self.settings(), Environment::system()).await.unwrap()
    }

    /// Runs the program on this directory.
    pub fn run(&self, arguments: &[&str]) -> Run {
        let output = program(arguments).env("CHANCERY_DATA_DIR", self.data_dir()).output();
        Run::of(output.unwrap())
    }

    /// Runs lines of a shell that use the program on this directory.
    pub fn shell(&self, lines: &str) -> Run {
        let own = Path::new(env!("CARGO_BIN_EXE_chancery")).parent().unwrap().display();
        let path = format!("{own}:{}", std::env::var("PATH").unwrap_or_default());
        // With the settings of every other run.
        let chancery = program(&["-e", "-c", lines]);
        let mut shell = Command::new("sh");
        shell.args(chancery.get_args()).env_clear().stdin(Stdio::null());
        shell.envs(chancery.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Run::of(shell.env("PATH", path).output().unwrap())
    }

    /// A token, made before a server runs.
    pub fn token(&self, role: &str) -> String {
        let run = self.run(&["token", "create", "test", "--role", role]).well();
        run.out.trim().to_owned()
    }

    /// The answer of `chancery verify --json` on this directory.
    pub fn verify(&self) -> (i32, Value) {
        let run = self.run(&["verify", "--json"]);
        (run.status, run.document())
    }
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn prepare() -> Installation {
    let installation = Installation::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let running = installation.engine().await;
        let engine = running.engine();
        let store = chancery_store::Settings::embedded(installation.data_dir());
        let store = Store::open_to_read(&store).await.unwrap();
        let admin = account::all(&mut store.read().await.unwrap()).await.unwrap().remove(0);
        let client = Client { ip: Some("192.0.2.7".into()), user_agent: Some("test".into()) };
        let context = Context::account(
            engine.environment(),
            Origin::Api,
            client,
            admin.id,
            admin.name.clone(),
            Role::Administrator,
            Authentication { method: "password".into(), credential: None },
        );
        for number in 0..PREPARED {
            let name = format!("token {number}");
            let new = NewToken { name, account: None, role: None, days: 1 };
            engine.create_token(&context, new).await.unwrap();
        }
        assert!(engine.settle(PATIENCE).await);
        running.stop().await.unwrap();
    });
    // The database of this process may still be closing its files; those of a process that has
    // ended stay as they are.
    let settled = Installation::new();
    installation.run(&["backup", &settled.data_dir_text()]).well();
    // With what it remembers of its log it is an original, and no copy.
    runtime.block_on(async {
        let store = chancery_store::Settings::embedded(settled.data_dir());
        let store = Store::open_to_read(&store).await.unwrap();
        let mut link = store.read().await.unwrap();
        let newest = chancery_store::log::checkpoint(&mut link).await.unwrap().unwrap();
        std::fs::write(settled.data_dir().join("checkpoint"), newest.note).unwrap();
        drop(link);
        store.close().await;
    });
    settled
}

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    pub url: String,
}

impl Server {
    /// Starts one on the directory and waits until it listens.
    pub fn start(installation: &Installation) -> Self {
        Self::start_with(installation, &[])
    }

    /// The same with settings.
    pub fn start_with(installation: &Installation, settings: &[&str]) -> Self {
        let sets = settings.iter().flat_map(|setting| ["--set", setting]);
        let mut child = program(&["serve"])
            .args(sets)
            .env("CHANCERY_DATA_DIR", installation.data_dir())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = loop {
            let line = lines.next().expect("the server ended before it listened").unwrap();
            if let Some((_, url)) = line.split_once(" listens on ") {
                break url.to_owned();
            }
        };
        // Keeps reading, so that the server never waits for somebody to read.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url }
    }

    /// The program as a client of this server.
    pub fn client(&self, token: &str, arguments: &[&str]) -> Command {
        let mut command = program(arguments);
        command.env("CHANCERY_URL", &self.url).env("CHANCERY_TOKEN", token);
        command
    }

    pub fn run(&self, token: &str, arguments: &[&str]) -> Run {
        Run::of(self.client(token, arguments).output().unwrap())
    }

    /// Lines of a shell that use the program as a client of this server.
    pub fn shell(&self, token: &str, lines: &str) -> Run {
        let own = Path::new(env!("CARGO_BIN_EXE_chancery")).parent().unwrap().display();
        let path = format!("{own}:{}", std::env::var("PATH").unwrap_or_default());
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", lines]).env_clear().env("PATH", path).stdin(Stdio::null());
        shell.env("CHANCERY_URL", &self.url).env("CHANCERY_TOKEN", token);
        Run::of(shell.output().unwrap())
    }

    /// Tells the server to stop and waits until it has.
    pub fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return;
            }
            assert!(Instant::now() < deadline, "the server does not stop");
            std::thread::yield_now();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
