//! Several nodes as processes on one database, each behind a wire of its own that can be cut.
//!
//! The wire is a relay on loopback between a node and the server: it can be open, cut (both ends
//! notice) or silent in either direction (nobody notices until they wait).

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, RwLock};

use chancery_engine::{Engine, Running, Settings};
use chancery_event::Environment;
use chancery_throwaway::Server;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const ORIGIN: &str = "fleet.example/log";

/// What a wire does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Carries everything.
    Open,
    /// Ends connections and refuses new ones.
    Cut,
    /// Carries nothing towards the server.
    Mute,
    /// Carries nothing towards the node.
    Deaf,
}

/// A node, whether it runs or not.
pub struct Node {
    dir: PathBuf,
    database: String,
    wire: watch::Sender<Wire>,
    child: Option<Child>,
    /// Where it listens; another place after each start.
    pub url: Arc<RwLock<String>>,
}

/// Nodes on a server of their own.
pub struct Fleet {
    /// The server.
    pub server: Server,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// A token of an administrator.
    pub token: String,
    database: String,
    _folder: tempfile::TempDir,
}

impl Fleet {
    /// Starts a server and so many nodes.
    pub async fn start(count: usize) -> Self {
        let server = Server::start();
        let database = server.database(None);
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().join("0");
        let url = server.url(&database);
        let token = token(&first, &url);
        let mut nodes = Vec::new();
        for number in 0..count {
            let dir = folder.path().join(number.to_string());
            if number > 0 {
                copy_keys(&first, &dir);
            }
            let (wire, port) = relay(server.port()).await;
            let database = url.replace(&format!(":{}/", server.port()), &format!(":{port}/"));
            let mut node = Node { dir, database, wire, child: None, url: Arc::default() };
            node.start();
            nodes.push(node);
        }
        Self { server, nodes, token, database: url, _folder: folder }
    }

    /// The database that the nodes are on.
    pub fn database(&self) -> String {
        self.database.rsplit('/').next().unwrap().to_owned()
    }

    /// Sends the nodes to another database with their next start.
    pub fn move_to(&mut self, name: &str) {
        let old = format!("/{}", self.database());
        let new = format!("/{name}");
        self.database = self.database.replace(&old, &new);
        for node in &mut self.nodes {
            node.database = node.database.replace(&old, &new);
        }
    }

    /// Stops the nodes in order, and answers an engine in this process on their database.
    pub async fn ended(&mut self) -> Running {
        for node in &mut self.nodes {
            node.stop();
        }
        let settings = Settings {
            log_origin: ORIGIN.to_owned(),
            allow_unencrypted_key: true,
            database: Some(self.database.parse().unwrap()),
            ..Settings::new(&self.nodes[0].dir)
        };
        Engine::start(settings, Environment::system()).await.unwrap()
    }

    /// What the nodes wrote on their standard error, for a test that fails.
    pub fn complaints(&self) -> String {
        let read = |node: &Node| {
            let text = std::fs::read_to_string(node.dir.with_extension("err")).unwrap_or_default();
            let from = text.len().saturating_sub(4_000);
            format!("--- {}\n{}\n", node.dir.display(), text.get(from..).unwrap_or_default())
        };
        self.nodes.iter().map(read).collect()
    }
}

fn program(dir: &Path, database: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chancery"));
    command
        .env_clear()
        .env("CHANCERY_DATA_DIR", dir)
        .env("CHANCERY_DATABASE", database)
        .env("CHANCERY_LISTEN", "127.0.0.1:0")
        .env("CHANCERY_LOG_ORIGIN", ORIGIN)
        .env("CHANCERY_LOG_ALLOW_UNENCRYPTED_KEY", "true")
        .env("CHANCERY_ADMIN_PASSWORD", "correct-horse-battery-staple-9")
        .stdin(Stdio::null());
    command
}

fn token(dir: &Path, database: &str) -> String {
    let made = program(dir, database)
        .args(["token", "create", "fleet", "--role", "administrator"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

fn copy_keys(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.join("keys")).unwrap();
    for file in std::fs::read_dir(from.join("keys")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join("keys").join(file.file_name())).unwrap();
    }
}

impl Node {
    /// Starts it, and waits until it listens.
    pub fn start(&mut self) {
        let errors = self.dir.with_extension("err");
        let log = File::options().create(true).append(true).open(&errors).unwrap();
        let mut child = program(&self.dir, &self.database)
            .arg("serve")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = loop {
            let Some(line) = lines.next() else {
                panic!("the node has ended: {}", std::fs::read_to_string(errors).unwrap());
            };
            if let Some((_, url)) = line.unwrap().split_once("listens on ") {
                break url.to_owned();
            }
        };
        // What it prints later must not block it.
        std::thread::spawn(move || lines.for_each(drop));
        *self.url.write().unwrap() = url;
        self.child = Some(child);
    }

    /// Starts it where it is to be refused; answers what it says.
    pub fn refused(&self) -> String {
        self.fails(&["serve"])
    }

    /// Runs a command that has to fail; answers what it complains about.
    pub fn fails(&self, arguments: &[&str]) -> String {
        let ended = program(&self.dir, &self.database).args(arguments).output().unwrap();
        assert!(!ended.status.success(), "{arguments:?}: {ended:?}");
        String::from_utf8(ended.stderr).unwrap()
    }

    /// Runs a command on its data; answers what it prints.
    pub fn command(&self, arguments: &[&str]) -> String {
        let ended = program(&self.dir, &self.database).args(arguments).output().unwrap();
        assert!(ended.status.success(), "{arguments:?}: {ended:?}");
        String::from_utf8(ended.stdout).unwrap()
    }

    /// SIGKILL: no chance to finish anything.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// SIGTERM, and waits until it has stopped.
    pub fn stop(&mut self) {
        self.signal("-TERM");
        if let Some(mut child) = self.child.take() {
            assert!(child.wait().unwrap().success(), "{}", self.dir.display());
        }
    }

    /// Freezes it where it stands.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Sets what its wire does.
    pub fn wire(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }

    fn signal(&self, signal: &str) {
        if let Some(child) = &self.child {
            let pid = child.id().to_string();
            assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A frozen process is killed as well.
        self.kill();
    }
}

/// Relays connections to a port; answers what controls it, and its own port.
async fn relay(port: u16) -> (watch::Sender<Wire>, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    let (wire, state) = watch::channel(Wire::Open);
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            if *state.borrow() == Wire::Cut {
                continue;
            }
            let state = state.clone();
            tokio::spawn(async move {
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                let ((near_out, near_in), (far_out, far_in)) =
                    (near.into_split(), far.into_split());
                tokio::select! {
                    () = pump(near_out, far_in, state.clone(), Wire::Mute) => {}
                    () = pump(far_out, near_in, state, Wire::Deaf) => {}
                }
            });
        }
    });
    (wire, own)
}

/// Carries bytes one way until either end closes or the wire is cut; rests while it is `silent`.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut state: watch::Receiver<Wire>,
    silent: Wire,
) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let now = *state.borrow_and_update();
        if now == Wire::Cut {
            return;
        }
        if now == silent {
            if state.changed().await.is_err() {
                return;
            }
            continue;
        }
        let count = tokio::select! {
            changed = state.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
            count = from.read(&mut buffer) => count,
        };
        match count {
            Ok(count) if count > 0 => {
                if to.write_all(&buffer[..count]).await.is_err() {
                    return;
                }
            }
            _ => return,
        }
    }
}
