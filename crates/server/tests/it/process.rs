//! The real program as a process, on a data directory of its own.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use chancery_engine::access::NewToken;
use chancery_engine::{Context, Engine, Role, Settings};
use chancery_event::Environment;

/// A running server. Ended with SIGKILL when dropped.
pub(crate) struct Process {
    child: Child,
    /// Where it listens, such as `http://127.0.0.1:40123`.
    pub(crate) url: String,
}

/// The origin of the logs of tests.
pub(crate) const ORIGIN: &str = "chancery.test/log";

/// Prepares a data directory and answers a bearer token of an administrator.
pub(crate) async fn prepare(dir: &Path) -> String {
    let settings = Settings {
        log_origin: ORIGIN.to_owned(),
        allow_unencrypted_key: true,
        admin_password: Some("correct horse battery".to_owned().into()),
        database: chancery_throwaway::database_of(dir).map(|url| url.parse().unwrap()),
        ..Settings::new(dir)
    };
    let running = Engine::start(settings, Environment::system()).await.unwrap();
    let engine = running.engine();
    let context = Context::command_line(engine.environment());
    let admin = engine.accounts(&context).await.unwrap().remove(0);
    let new = NewToken {
        name: "test".to_owned(),
        account: Some(admin.id.to_string()),
        role: Some(Role::Administrator.to_string()),
        days: 1,
    };
    let token = engine.create_token(&context, new).await.unwrap();
    running.stop().await.unwrap();
    token.secret.expose().clone()
}

impl Process {
    /// Starts the server on a prepared directory and waits until it tells where it listens.
    pub(crate) fn start(dir: &Path) -> Self {
        Self::start_with(dir, &[])
    }

    /// The same with more arguments.
    pub(crate) fn start_with(dir: &Path, more: &[&str]) -> Self {
        Self::start_in(dir, more, &[])
    }

    /// The same with more variables as well.
    pub(crate) fn start_in(dir: &Path, more: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_chancery"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(dir)
            .args(["--set", &format!("log.origin={ORIGIN}")])
            .args(["--set", "log.allow_unencrypted_key=true"])
            .args(more)
            .envs(chancery_throwaway::database_of(dir).map(|url| ("CHANCERY_DATABASE", url)))
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = loop {
            let line = lines.next().expect("the server tells where it listens").unwrap();
            if let Some((_, url)) = line.split_once("listens on ") {
                break url.to_owned();
            }
        };
        // What it prints later must have somewhere to go.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url }
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }
}

/// Has the program verify the log of a directory; answers whether it holds.
pub(crate) fn verify(dir: &Path) -> bool {
    let verified = Command::new(env!("CARGO_BIN_EXE_chancery"))
        .args(["verify"])
        .env("CHANCERY_DATA_DIR", dir)
        .envs(chancery_throwaway::database_of(dir).map(|url| ("CHANCERY_DATABASE", url)))
        .output()
        .unwrap();
    println!("{}", String::from_utf8_lossy(&verified.stdout));
    eprintln!("{}", String::from_utf8_lossy(&verified.stderr));
    verified.status.success()
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
