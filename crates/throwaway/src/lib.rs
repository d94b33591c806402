//! Private throw-away PostgreSQL servers, from the programs that the system has installed.
//!
//! [`server`] is the one server of a test process: made when it is first asked for, on loopback, in
//! a directory of its own, durable (`fsync` on), gone with the process however that ends. A test
//! takes a [`Server::database`] of its own. Tests that stop or restart a server start their own
//! with [`Server::start`].
//!
//! The server sorts text by a language, not by code points, as a server in an office may: what we
//! rely on must be written into our own schema.
//!
//! Only tests use this crate: it panics where a test has to fail. It never touches a server that it
//! did not start.

mod harness;
mod questions;
mod wire;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

pub use harness::{Backend, Database, WANTED, database_of, run};
pub use questions::{LATER_STEP, OTHER_STEP};
pub use wire::Wire;

/// What to do where there is no PostgreSQL.
pub const MISSING: &str = "PostgreSQL is not installed (15 or later): apt-get install postgresql";

const PASSWORD: &str = "throw-away";
/// Who owns the databases and connects to them: a user as any other, who may do nothing else.
pub const OWNER: &str = "plain";

/// Starts the server, waits until whoever started it is gone, and removes every trace of it.
const SUPERVISOR: &str = r#"
"$1/pg_ctl" -D "$2/data" -w -t 60 -l "$2/log" -o "$3" start > /dev/null || {
    cat "$2/log"; rm -rf "$2"; exit 1; }
echo ready
cat > /dev/null
"$1/pg_ctl" -D "$2/data" -m immediate -w stop > /dev/null 2>&1
rm -rf "$2"
"#;

/// How a server is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// In order; sessions are ended.
    Fast,
    /// As a crash: the next start recovers from the log.
    Immediate,
}

/// A running server.
pub struct Server {
    programs: PathBuf,
    dir: PathBuf,
    port: u16,
    owner: Option<(u32, u32)>,
    databases: AtomicU32,
    making: Mutex<()>,
    /// Closing it ends the supervisor, and with it the server.
    _leash: ChildStdin,
}

/// The server of this process.
///
/// # Panics
/// If PostgreSQL is not installed or does not start.
pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

/// Names the folder of another server's programs (`initdb`, `pg_ctl`, `postgres`), so that the
/// suites can be run against a version that Debian does not have.
pub const PROGRAMS: &str = "CHANCERY_TEST_POSTGRES";

/// Where the programs are that [`PROGRAMS`] names, or else those of the newest PostgreSQL that
/// Debian installed; `None`: there is none of version 15 or later.
///
/// # Panics
/// If [`PROGRAMS`] names a folder without them.
pub fn programs() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(PROGRAMS).map(PathBuf::from) {
        assert!(named.join("initdb").exists(), "{PROGRAMS}: there is no initdb in {named:?}");
        return Some(named);
    }
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| {
            let path = version.ok()?.path();
            let number = path.file_name()?.to_str()?.parse().ok()?;
            let programs = path.join("bin");
            (number >= 15 && programs.join("initdb").exists()).then_some((number, programs))
        })
        .collect();
    found.sort();
    found.pop().map(|(_, programs)| programs)
}

/// User and group that the server runs as: it refuses to be root.
fn owner() -> Option<(u32, u32)> {
    let is_root = fs::read_to_string("/proc/self/status")
        .unwrap_or_default()
        .lines()
        .any(|line| line.starts_with("Uid:\t0\t"));
    if !is_root {
        return None;
    }
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let fields: Vec<&str> = accounts
        .lines()
        .find(|line| line.starts_with("postgres:"))
        .unwrap_or_else(|| panic!("there is no user postgres: {MISSING}"))
        .split(':')
        .collect();
    Some((fields[2].parse().unwrap(), fields[3].parse().unwrap()))
}

impl Server {
    /// Starts a server of its own.
    ///
    /// # Panics
    /// If PostgreSQL is not installed or does not start.
    pub fn start() -> Self {
        let programs = programs().unwrap_or_else(|| panic!("{MISSING}"));
        let owner = owner();
        let mut complaint = String::new();
        // A port that is free now may be taken a moment later.
        for _ in 0..5 {
            match Self::try_start(&programs, owner) {
                Ok(server) => return server,
                Err(said) => complaint = said,
            }
        }
        panic!("the PostgreSQL server does not start: {complaint}");
    }

    fn try_start(programs: &Path, owner: Option<(u32, u32)>) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("chancery-postgres-{}-{count}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        fs::create_dir_all(&dir).map_err(|error| error.to_string())?;
        fs::write(dir.join("password"), PASSWORD).map_err(|error| error.to_string())?;
        if let Some((user, group)) = owner {
            chown(&dir, Some(user), Some(group)).map_err(|error| error.to_string())?;
        }
        let made = as_owner(Command::new(programs.join("initdb")), owner)
            .args(["--username=postgres", "--auth=password", "--encoding=UTF8", "--no-sync"])
            .args(["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en"])
            .arg(format!("--pwfile={}", dir.join("password").display()))
            .arg("-D")
            .arg(dir.join("data"))
            .output()
            .map_err(|error| error.to_string())?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned());
        }
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        drop(listener);
        let options = format!(
            "-p {port} -k {} -c listen_addresses=127.0.0.1 -c max_connections=300 \
             -c shared_buffers=128MB -c fsync=on -c full_page_writes=on -c max_wal_size=2GB",
            dir.display()
        );
        let leash = supervise(programs, &dir, &options, owner)?;
        let server = Self {
            programs: programs.to_owned(),
            dir,
            port,
            owner,
            databases: AtomicU32::new(0),
            making: Mutex::new(()),
            _leash: leash,
        };
        server.sql("postgres", &format!("CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'"));
        Ok(server)
    }

    /// The address of a database on this server, for its owner: no administrator.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{OWNER}:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// Variables by which the server's own programs reach it, as its administrator.
    pub fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("PGHOST", "127.0.0.1".to_owned()),
            ("PGPORT", self.port.to_string()),
            ("PGUSER", "postgres".to_owned()),
            ("PGPASSWORD", PASSWORD.to_owned()),
        ]
    }

    /// The port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes a database, empty or as a copy of `template`, which nobody may be using; answers its
    /// name.
    pub fn database(&self, template: Option<&str>) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.make(&name, template);
        name
    }

    /// Makes a database of this name.
    pub fn make(&self, name: &str, template: Option<&str>) {
        // The server copies one at a time.
        let turn = self.making.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let template = template.unwrap_or("template0");
        let like = ["--encoding=UTF8", "--owner", OWNER, "--template", template, name];
        self.run("createdb", &like);
        drop(turn);
    }

    /// Drops a database, whoever is using it.
    pub fn remove(&self, name: &str) {
        self.run("dropdb", &["--force", "--if-exists", name]);
    }

    /// Lets two databases change names; whoever is connected to them is cut off, and finds the other
    /// one when it comes back.
    pub fn swap(&self, one: &str, other: &str) {
        let turn = self.making.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        for name in [one, other] {
            self.sql("postgres", &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
        }
        let between = format!("{one}_between");
        for (from, to) in [(one, between.as_str()), (other, one), (&between, other)] {
            let cut = format!(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{from}'"
            );
            self.sql("postgres", &cut);
            self.sql("postgres", &format!("ALTER DATABASE {from} RENAME TO {to}"));
        }
        for name in [one, other] {
            self.sql("postgres", &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"));
        }
        drop(turn);
    }

    /// Runs statements and answers what they print.
    pub fn sql(&self, database: &str, statements: &str) -> String {
        let more = ["--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"];
        self.run("psql", &[&more[..], &["--dbname", database, "--command", statements]].concat())
    }

    /// Writes a database to a file, as its administrator would.
    pub fn dump(&self, name: &str, file: &Path) {
        self.run("pg_dump", &["--format=custom", "--file", &file.display().to_string(), name]);
    }

    /// Puts a dump into an empty database.
    pub fn load(&self, name: &str, file: &Path) {
        let more = ["--exit-on-error", "--dbname", name];
        self.run("pg_restore", &[&more[..], &[&file.display().to_string()]].concat());
    }

    /// Lets the server encrypt, with a certificate and its key in PEM.
    pub fn encrypt(&self, certificate: &str, key: &str) {
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = self.dir.join("data").join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            if let Some((user, group)) = self.owner {
                chown(&path, Some(user), Some(group)).unwrap();
            }
        }
        self.sql("postgres", "ALTER SYSTEM SET ssl = on");
        self.restart(Stop::Fast);
    }

    /// Stops the server and starts it again as a standby of nobody: it can be read, and waits for a
    /// primary that never comes.
    pub fn demote(&self) {
        self.stop(Stop::Fast);
        let signal = self.dir.join("data").join("standby.signal");
        fs::write(&signal, "").unwrap();
        if let Some((user, group)) = self.owner {
            chown(&signal, Some(user), Some(group)).unwrap();
        }
        self.resume();
    }

    /// Stops the server, copies all that is on its disc, and starts it again.
    pub fn keep(&self) {
        self.stop(Stop::Fast);
        self.copy("data", "kept");
        self.resume();
    }

    /// Stops the server as a crash does whose disc has lost everything written since
    /// [`Server::keep`], and starts it again.
    pub fn fall_back(&self) {
        self.stop(Stop::Immediate);
        self.copy("kept", "data");
        self.resume();
    }

    fn copy(&self, from: &str, to: &str) {
        let [from, to] = [from, to].map(|name| self.dir.join(name));
        if to.exists() {
            fs::remove_dir_all(&to).unwrap();
        }
        let done = Command::new("cp").arg("--archive").args([&from, &to]).status().unwrap();
        assert!(done.success(), "cp {}", from.display());
    }

    /// Stops the server and starts it again.
    pub fn restart(&self, how: Stop) {
        self.stop(how);
        self.resume();
    }

    /// Stops the server.
    pub fn stop(&self, how: Stop) {
        let mode = if how == Stop::Fast { "fast" } else { "immediate" };
        assert!(self.try_control(&["-m", mode, "stop"]), "pg_ctl stop");
    }

    /// Starts the server after a stop, at the same address.
    pub fn resume(&self) {
        let options = fs::read_to_string(self.dir.join("options")).unwrap();
        let log = self.dir.join("log").display().to_string();
        // After a crash every file is synchronised first, which takes long on a busy disc.
        let start = ["-t", "300", "-l", &log, "-o", &options, "start"];
        // Somebody may have its port for a moment: a connection that went out while nobody had it.
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.try_control(&start) {
            assert!(Instant::now() < deadline, "pg_ctl start: see {log}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn try_control(&self, arguments: &[&str]) -> bool {
        let done = as_owner(Command::new(self.programs.join("pg_ctl")), self.owner)
            .arg("-D")
            .arg(self.dir.join("data"))
            .arg("-w")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status();
        done.unwrap().success()
    }

    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let done = Command::new(self.programs.join(program))
            .args(["--host=127.0.0.1", "--username=postgres", "--no-password"])
            .arg(format!("--port={}", self.port))
            .args(arguments)
            .env("PGPASSWORD", PASSWORD)
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{program} {arguments:?}: {complaint}");
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }
}

fn as_owner(mut command: Command, owner: Option<(u32, u32)>) -> Command {
    if let Some((user, group)) = owner {
        command.uid(user).gid(group).current_dir("/");
    }
    command
}

/// Starts the supervisor and waits until the server answers.
fn supervise(
    programs: &Path,
    dir: &Path,
    options: &str,
    owner: Option<(u32, u32)>,
) -> Result<ChildStdin, String> {
    fs::write(dir.join("options"), options).map_err(|error| error.to_string())?;
    let mut child: Child = as_owner(Command::new("/bin/sh"), owner)
        .args(["-c", SUPERVISOR, "supervisor"])
        .arg(programs)
        .arg(dir)
        .arg(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // Ctrl-C in a terminal is for the test; the end of the leash is for the server.
        .process_group(0)
        .spawn()
        .map_err(|error| error.to_string())?;
    let leash = child.stdin.take().ok_or("the supervisor has no input")?;
    let mut said = BufReader::new(child.stdout.take().ok_or("the supervisor has no output")?);
    let mut line = String::new();
    said.read_line(&mut line).map_err(|error| error.to_string())?;
    if line.trim() == "ready" {
        return Ok(leash);
    }
    let _ = said.read_to_string(&mut line);
    Err(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_keeps_what_was_committed_over_a_crash_and_leaves_nothing_behind() {
        let server = Server::start();
        let name = server.database(None);
        server.sql(&name, "CREATE TABLE kept (n BIGINT); INSERT INTO kept VALUES (7)");
        server.restart(Stop::Immediate);
        assert_eq!(server.sql(&name, "SELECT n FROM kept"), "7");
        let copy = server.database(Some(&name));
        assert_eq!(server.sql(&copy, "SELECT n FROM kept"), "7");
        let (dir, port) = (server.dir.clone(), server.port);
        drop(server);
        let mut looks = 0;
        while dir.exists() && looks < 600 {
            looks += 1;
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert!(!dir.exists(), "{} is still there", dir.display());
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    }
}
