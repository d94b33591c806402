//! Several nodes as processes on one database, each behind a wire of its own that can be cut.
//!
//! The wire is a relay on loopback between a node and the server: it can be open, cut (both ends
//! notice), silent in either direction or both (what was sent arrives when it is open again), or
//! lose what it is given, for ever on connections that it had (nobody notices until they wait).
//!
//! A node can also be struck at a certain commit: see [`Fleet::arm`].

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use chancery_engine::{Engine, Running, Settings};
use chancery_event::Environment;
use chancery_throwaway::Server;
use reqwest::Client;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const ORIGIN: &str = "fleet.example/log";
/// Everything that the fleet does by itself is done after this long at the latest.
const PATIENCE: Duration = Duration::from_secs(60);

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
    /// Carries nothing in either direction.
    Silent,
    /// Takes everything and carries nothing, and never again what was open then: as where a
    /// firewall has forgotten a connection.
    Hole,
}

impl Wire {
    fn holds(self, way: Way) -> bool {
        match self {
            Self::Mute => way == Way::ToServer,
            Self::Deaf => way == Way::ToNode,
            Self::Silent => true,
            Self::Open | Self::Cut | Self::Hole => false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    ToServer,
    ToNode,
}

/// What the nodes of a fleet are told beside where they are.
#[derive(Clone, Default)]
pub struct Manner {
    /// Variables, as `CHANCERY_TAKEOVER_SECONDS`.
    pub variables: Vec<(&'static str, String)>,
}

impl Manner {
    /// Nodes that miss each other soon, and wait for the database briefly: what would take a minute
    /// takes seconds.
    pub fn quick() -> Self {
        Self::default()
            .with("CHANCERY_TAKEOVER_SECONDS", "1")
            .with("CHANCERY_DATABASE_TIMEOUT_SECONDS", "4")
    }

    /// The same, with one more variable.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }
}

/// A node, whether it runs or not.
pub struct Node {
    dir: PathBuf,
    database: String,
    wire: watch::Sender<Wire>,
    child: Option<Child>,
    manner: Manner,
    /// Where it listens; another place after each start.
    pub url: Arc<RwLock<String>>,
}

/// Nodes on a server of their own.
pub struct Fleet {
    /// The server.
    pub server: Arc<Server>,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// A token of an administrator.
    pub token: String,
    database: String,
    folder: tempfile::TempDir,
}

impl Fleet {
    /// Starts a server and so many nodes.
    pub async fn start(count: usize) -> Self {
        Self::on(Arc::new(Server::start()), count, Manner::default()).await
    }

    /// Starts so many nodes on a database of their own.
    pub async fn on(server: Arc<Server>, count: usize, manner: Manner) -> Self {
        let database = server.database(None);
        let folder = tempfile::tempdir().unwrap();
        let armed = folder.path().join("armed").display().to_string();
        let manner = manner.with("FAULT_IN_CHANCERY", armed);
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
            let (manner, url) = (manner.clone(), Arc::default());
            let mut node = Node { dir, database, wire, child: None, manner, url };
            node.start();
            nodes.push(node);
        }
        Self { server, nodes, token, database: url, folder }
    }

    fn armed(&self) -> PathBuf {
        self.folder.path().join("armed")
    }

    /// Strikes the first node that comes to a certain commit: `UNIT before|after WHAT`. The unit is
    /// the name of a transaction; what is done there is `kill`, `freeze`, or `hold` until
    /// [`Fleet::release`].
    pub fn arm(&self, what: &str) {
        let _ = std::fs::remove_file(self.armed().with_extension("go"));
        let draft = self.folder.path().join("draft");
        std::fs::write(&draft, what).unwrap();
        std::fs::rename(draft, self.armed()).unwrap();
    }

    /// Waits until a node has come to where it was to be struck.
    pub async fn struck(&self) {
        let came = async {
            while self.armed().exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let came = tokio::time::timeout(PATIENCE, came).await;
        came.unwrap_or_else(|_| panic!("nobody came there: {}", self.complaints()));
    }

    /// Waits until a node has come to where it was to be struck, and was; answers which.
    pub async fn victim(&mut self, is: fn(&mut Node) -> bool) -> usize {
        self.struck().await;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(found) = self.nodes.iter_mut().position(is) {
                return found;
            }
            assert!(tokio::time::Instant::now() < deadline, "nobody was struck");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Lets a node go on that holds a commit.
    pub fn release(&self) {
        std::fs::write(self.armed().with_extension("go"), "").unwrap();
    }

    /// The nodes as one of them tells, if it does.
    pub async fn told(&self, by: usize) -> Option<Vec<Value>> {
        let connection = Client::builder().timeout(Duration::from_secs(2)).build().unwrap();
        let url = format!("{}/api/v1/nodes", self.nodes[by].url.read().unwrap().clone());
        let answer = connection.get(url).bearer_auth(&self.token).send().await.ok()?;
        let told: Value = serde_json::from_str(&answer.text().await.ok()?).ok()?;
        told["items"].as_array().cloned()
    }

    /// Waits for what nodes tell of themselves and of each other.
    async fn until<T>(&self, what: &str, seen: impl Fn(usize, &[Value]) -> Option<T>) -> T {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            for by in 0..self.nodes.len() {
                let Some(told) = self.told(by).await else { continue };
                if let Some(seen) = seen(by, &told) {
                    return seen;
                }
            }
            assert!(tokio::time::Instant::now() < deadline, "{what}: {}", self.complaints());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The identifier of a node that runs, and that nobody takes for gone any more.
    pub async fn id(&self, node: usize) -> String {
        self.until("a node does not know itself", |by, told| {
            let own = told.iter().find(|node| node["own"] == true && node["state"] == "running")?;
            (by == node).then(|| own["id"].as_str().unwrap().to_owned())
        })
        .await
    }

    /// The node that seals.
    pub async fn sealer(&self) -> usize {
        self.until("nobody seals", |by, told| {
            let own = told.iter().find(|node| node["own"] == true)?;
            own["leases"].as_array()?.iter().any(|lease| lease == "sealer").then_some(by)
        })
        .await
    }

    /// Waits until others have declared a node gone.
    pub async fn missed(&self, id: &str) {
        self.until("nobody misses the node", |_, told| {
            let gone = |node: &&Value| node["id"] == id && node["state"] == "vanished";
            told.iter().find(gone).map(|_| ())
        })
        .await;
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
            takeover: Duration::from_secs(1),
            ..Settings::new(&self.nodes[0].dir)
        };
        Engine::start(settings, Environment::system()).await.unwrap()
    }

    /// What the nodes wrote on their standard error, for a test that fails.
    pub fn complaints(&self) -> String {
        let read = |node: &Node| {
            let text = std::fs::read_to_string(node.dir.with_extension("err")).unwrap_or_default();
            let from = text.len().saturating_sub(40_000);
            format!("--- {}\n{}\n", node.dir.display(), text.get(from..).unwrap_or_default())
        };
        self.nodes.iter().map(read).collect()
    }
}

fn program(dir: &Path, database: &str, manner: &Manner) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chancery"));
    command
        .env_clear()
        .env("CHANCERY_DATA_DIR", dir)
        .env("CHANCERY_DATABASE", database)
        .env("CHANCERY_LISTEN", "127.0.0.1:0")
        .env("CHANCERY_LOG_ORIGIN", ORIGIN)
        .env("CHANCERY_LOG_ALLOW_UNENCRYPTED_KEY", "true")
        .env("CHANCERY_ADMIN_PASSWORD", "correct-horse-battery-staple-9")
        .envs(manner.variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null());
    command
}

fn token(dir: &Path, database: &str) -> String {
    let made = program(dir, database, &Manner::default())
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
    fn program(&self) -> Command {
        program(&self.dir, &self.database, &self.manner)
    }

    /// Tells it one thing more with its next start.
    pub fn tell(&mut self, name: &'static str, value: &str) {
        self.manner = self.manner.clone().with(name, value);
    }

    /// Whether its process has ended by itself.
    pub fn is_dead(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_some())
    }

    /// Whether its process is stopped.
    pub fn is_frozen(&mut self) -> bool {
        let Some(child) = &self.child else { return false };
        let told = std::fs::read_to_string(format!("/proc/{}/stat", child.id()));
        // The state stands behind the name, which is in parentheses.
        told.is_ok_and(|told| told.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T")))
    }

    /// Starts it, and waits until it listens.
    pub fn start(&mut self) {
        let errors = self.dir.with_extension("err");
        let log = File::options().create(true).append(true).open(&errors).unwrap();
        let mut child =
            self.program().arg("serve").stdout(Stdio::piped()).stderr(log).spawn().unwrap();
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
        let ended = self.program().args(arguments).output().unwrap();
        assert!(!ended.status.success(), "{arguments:?}: {ended:?}");
        String::from_utf8(ended.stderr).unwrap()
    }

    /// Runs a command on its data; answers what it prints.
    pub fn command(&self, arguments: &[&str]) -> String {
        let ended = self.program().args(arguments).output().unwrap();
        assert!(ended.status.success(), "{arguments:?}: {ended:?}");
        String::from_utf8(ended.stdout).unwrap()
    }

    /// Takes away what it knows of the log: what is left are its keys.
    pub fn forget(&self) {
        for file in std::fs::read_dir(&self.dir).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with("checkpoint") {
                std::fs::remove_file(path).unwrap();
            }
        }
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
                if *state.borrow() == Wire::Hole {
                    return forgotten(near).await;
                }
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                let ((near_out, near_in), (far_out, far_in)) =
                    (near.into_split(), far.into_split());
                tokio::select! {
                    () = pump(near_out, far_in, state.clone(), Way::ToServer) => {}
                    () = pump(far_out, near_in, state, Way::ToNode) => {}
                }
            });
        }
    });
    (wire, own)
}

/// Keeps a connection open and does nothing with it, whatever the other end does.
async fn forgotten<T>(_connection: T) {
    std::future::pending().await
}

/// Carries bytes one way until either end closes or the wire is cut; rests while it is silent that
/// way, and for ever once they were lost.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut state: watch::Receiver<Wire>,
    way: Way,
) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let now = *state.borrow_and_update();
        match now {
            Wire::Cut => return,
            Wire::Hole => return forgotten((from, to)).await,
            _ => {}
        }
        if now.holds(way) {
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
