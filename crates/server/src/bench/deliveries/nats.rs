//! A NATS server with JetStream beside the measurement, where the machine has one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// A server that ends when it is dropped.
pub(super) struct Server {
    /// Where it listens.
    pub(super) address: SocketAddr,
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts one with a stream for `chancery.>`; `None` where there is no such program.
pub(super) fn start(dir: &Path) -> Result<Option<Server>> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let path = std::env::var("PATH").unwrap_or_default();
    let spawned = Command::new("nats-server")
        .args(["-js", "-a", "127.0.0.1", "-p", &address.port().to_string(), "-sd"])
        .arg(dir)
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let child = match spawned {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context("nats-server"),
    };
    let server = Server { address, child };
    server.make_stream()?;
    Ok(Some(server))
}

impl Server {
    fn make_stream(&self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        let stream = loop {
            match TcpStream::connect(self.address) {
                Ok(stream) => break stream,
                Err(error) => ensure!(Instant::now() < deadline, "nats-server: {error}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let body = r#"{"name":"BENCH","subjects":["chancery.>"]}"#;
        let text = format!(
            "CONNECT {{\"verbose\":false}}\r\nSUB made 1\r\n\
             PUB $JS.API.STREAM.CREATE.BENCH made {}\r\n{body}\r\n",
            body.len()
        );
        (&stream).write_all(text.as_bytes())?;
        let mut lines = BufReader::new(&stream).lines();
        while let Some(line) = lines.next() {
            if line?.starts_with("MSG made ") {
                let answer = lines.next().context("an answer")??;
                ensure!(!answer.contains("\"error\""), "JetStream makes no stream: {answer}");
                return Ok(());
            }
        }
        bail!("nats-server hung up")
    }
}
