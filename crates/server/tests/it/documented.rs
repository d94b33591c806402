//! The commands of the guides about PostgreSQL, run as they stand there, by an administrator of the
//! server and for a user who may do no more than the guides say.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chancery_throwaway::{Server, programs};
use reqwest::Client;
use serde_json::Value;

use crate::process::{ORIGIN, Process};
use crate::victim::leaf;

const PASSWORD: &str = "of-the-nodes";

/// The lines of the block of a guide that has this line.
pub(crate) fn block(guide: &str, line: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(guide);
    let text = std::fs::read_to_string(path).unwrap();
    let blocks = text.split("\n```").skip(1).step_by(2);
    let mut found = blocks.filter(|block| block.lines().any(|of| of.starts_with(line)));
    let found = found.next().unwrap_or_else(|| panic!("{guide} has no {line}"));
    // Behind the three signs stands what the block is written in.
    found.split_once('\n').unwrap().1.to_owned()
}

/// What stands in the guides for what somebody has.
struct Site {
    server: Server,
    dir: tempfile::TempDir,
    url: String,
}

impl Site {
    fn new() -> Self {
        let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
        for name in ["data", "backup"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let written = block("POSTGRESQL.md", "database = ");
        let url = written.lines().find_map(|line| line.strip_prefix("database = ")).unwrap();
        let place = format!("127.0.0.1:{}", server.port());
        let url = url.trim_matches('"').replace("db.example.org", &place);
        // Encryption has its own tests.
        let url = url.replace("?sslmode=verify-full", "");
        std::fs::write(dir.path().join("password"), PASSWORD).unwrap();
        Self { server, dir, url }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs lines of a guide; what they ask for is answered from `input`. Answers what they print.
    fn run(&self, lines: &str, listens: &str, input: &str) -> String {
        let lines = lines
            .replace("/backup/2026-11-21", &self.path("backup").display().to_string())
            .replace("/var/lib/chancery", &self.path("data").display().to_string())
            .replace("https://chancery.example.org", listens);
        let own = Path::new(env!("CARGO_BIN_EXE_chancery")).parent().unwrap().to_owned();
        let path = std::env::var("PATH").unwrap_or_default();
        let path = [own.display().to_string(), programs().unwrap().display().to_string(), path];
        // Without a terminal a password is read from what is given.
        let mut child = Command::new("setsid")
            .args(["--wait", "sh", "-e", "-c", &lines])
            .current_dir(self.path("backup"))
            .envs(self.server.variables())
            .envs(self.settings())
            .env("DATABASE_URL", self.url.replace("chancery@", "postgres@"))
            .env("PATH", path.join(":"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{lines}");
        String::from_utf8(done.stdout).unwrap()
    }

    /// What the guides put into the configuration.
    fn settings(&self) -> [(&'static str, String); 6] {
        [
            ("CHANCERY_DATABASE", self.url.clone()),
            ("CHANCERY_DATABASE_PASSWORD_FILE", self.path("password").display().to_string()),
            ("CHANCERY_DATA_DIR", self.path("data").display().to_string()),
            ("CHANCERY_LOG_ORIGIN", ORIGIN.to_owned()),
            ("CHANCERY_LOG_ALLOW_UNENCRYPTED_KEY", "true".to_owned()),
            ("CHANCERY_ADMIN_PASSWORD", "correct-horse-battery-staple-9".to_owned()),
        ]
    }

    fn program(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chancery"));
        let done = command.args(arguments).envs(self.settings()).output().unwrap();
        assert!(done.status.success(), "{arguments:?}: {done:?}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    fn start(&self) -> Process {
        let settings = self.settings();
        let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, &**value)).collect();
        Process::start_in(&self.path("data"), &[], &settings)
    }
}

async fn upload(url: &str, token: &str, names: std::ops::Range<u32>) {
    for number in names {
        let (der, _) = leaf(&format!("documented-{number}.example.com"));
        let sent = Client::new().post(format!("{url}/api/v1/certificates")).bearer_auth(token);
        let sent = sent.header("content-type", "application/octet-stream").body(der).send().await;
        assert_eq!(sent.unwrap().status().as_u16(), 201);
    }
}

async fn certificates(url: &str, token: &str) -> usize {
    let sent = Client::new().get(format!("{url}/api/v1/certificates")).bearer_auth(token);
    let answer: Value = sent.send().await.unwrap().json().await.unwrap();
    answer["items"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_set_up_dumped_and_put_back_as_the_guides_say() {
    let site = Site::new();
    let twice = format!("{PASSWORD}\n{PASSWORD}\n");
    site.run(&block("POSTGRESQL.md", "createuser"), "", &twice);
    let token = site.program(&["token", "create", "documented", "--role", "administrator"]);
    let node = site.start();
    upload(&node.url, &token, 0..4).await;
    // Nothing here is done by an administrator of the server.
    assert!(!site.server.is_privileged("chancery"));
    assert!(site.server.serves_only("chancery"));
    site.run(&block("BACKUP.md", "pg_dump"), &node.url, "");
    upload(&node.url, &token, 4..6).await;
    node.stop();

    let restoring = block("BACKUP.md", "pg_restore");
    let (restoring, starting) = restoring.split_once("systemctl start").unwrap();
    assert!(starting.starts_with(" chancery"), "{starting}");
    // What the guide calls the newest checkpoint that anybody has.
    let told = site.run(restoring, "", "");
    // What was uploaded after the dump is not in it, and that is said.
    assert!(told.contains("The database is as it was put back: the log goes on after"), "{told}");
    assert!(told.contains("that had been published are lost, from index"), "{told}");
    let node = site.start();
    assert_eq!(certificates(&node.url, &token).await, 4);
    upload(&node.url, &token, 6..8).await;
    node.stop();
    assert!(site.program(&["verify"]).contains("log"));
}
