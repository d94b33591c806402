//! A server with forwarders, and programs of other makes beside it.

use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chancery_engine::configuration::{LabelClass, LabelDraft};
use chancery_engine::delivery::{Class, DeliveryQuery, DestinationEdit, Saved, Sent};
use chancery_engine::{Context, Error};
use chancery_testkit::TestServer;
use serde_json::{Value, json};

pub struct World {
    pub server: TestServer,
    pub context: Context,
}

impl World {
    pub async fn start() -> Self {
        let server = TestServer::start().await;
        let context = Context::command_line(server.engine().environment());
        Self { server, context }
    }

    /// A forwarder of groups that are made.
    pub async fn forwarder(
        &self,
        kind: &str,
        settings: Value,
        secrets: &[(&str, &str)],
        more: Value,
    ) -> Result<Saved, Error> {
        let mut body = json!({ "kind": kind, "settings": settings,
            "select": { "event_types": ["configuration.create"], "filter": "detail.class:group" } });
        if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
            body.extend(more.clone());
        }
        let pairs = secrets.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let edit = DestinationEdit { body, secrets: pairs.collect(), ..DestinationEdit::default() };
        self.server.engine().create_destination(&self.context, Class::Forwarder, "it", edit).await
    }

    pub async fn group(&self, name: &str) {
        let draft = LabelDraft { name: name.to_owned(), description: String::new() };
        let made = self.server.engine().create_label(&self.context, LabelClass::Group, draft);
        made.await.unwrap();
    }

    /// Gives the forwarder other settings.
    pub async fn update(&self, settings: Value) {
        let engine = self.server.engine();
        let view = engine.destination(&self.context, Class::Forwarder, "it").await.unwrap();
        let mut body = view.definition.body();
        body["settings"] = settings;
        let edit = DestinationEdit { body, ..DestinationEdit::default() };
        let saved = engine.update_destination(&self.context, Class::Forwarder, "it", None, edit);
        saved.await.unwrap();
    }

    /// Addresses that are refused for good.
    pub async fn bouncing(&self) -> Vec<String> {
        let path = "/api/v1/notifications/refused-addresses";
        let found = self.server.get(path).send().await.expect(200).json();
        let items = found["items"].as_array().unwrap();
        items.iter().map(|item| item["address"].as_str().unwrap().to_owned()).collect()
    }

    pub async fn try_out(&self) -> Sent {
        let engine = self.server.engine();
        engine.try_destination(&self.context, Class::Forwarder, "it").await.unwrap()
    }

    /// Waits until so many deliveries got through; answers the attempts of the newest.
    pub async fn delivered(&self, count: usize) {
        let query = DeliveryQuery { state: Some("delivered".into()), ..DeliveryQuery::default() };
        for _ in 0..3_000 {
            let engine = self.server.engine();
            let rows = engine.deliveries(&self.context, query.clone(), 1_000).await.unwrap();
            if rows.len() >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let all =
            self.server.engine().deliveries(&self.context, DeliveryQuery::default(), 10).await;
        panic!("not delivered: {all:?}");
    }
}

/// A program that ends with the test.
pub struct Program(Child);

impl Program {
    pub fn start(program: &str, arguments: &[&str], out: Option<&Path>) -> Self {
        let stdout = match out {
            Some(path) => std::fs::File::create(path).unwrap().into(),
            None => Stdio::null(),
        };
        let path = std::env::var("PATH").unwrap_or_default();
        let child = Command::new(program)
            .args(arguments)
            .env("PATH", format!("{path}:/usr/sbin:/sbin"))
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap_or_else(|error| {
            panic!("{program}: {error}; `cargo xtask test` installs what tests drive")
        }))
    }

    fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that nobody else has, neither of TCP nor of UDP, for as long as these are kept.
pub fn free_port() -> (TcpListener, UdpSocket) {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        if let Ok(datagrams) = UdpSocket::bind(listener.local_addr().unwrap()) {
            return (listener, datagrams);
        }
    }
}

/// Starts a program that listens on ports of TCP, and waits until it does. It ends where somebody
/// else has taken one of them meanwhile: then it is started on others.
pub async fn serving<const N: usize>(start: impl Fn([u16; N]) -> Program) -> (Program, [u16; N]) {
    for _ in 0..3 {
        // None is given up before all are drawn: the same number would come again.
        let kept = [(); N].map(|()| free_port());
        let ports = kept.each_ref().map(|(port, _)| port.local_addr().unwrap().port());
        drop(kept);
        let mut program = start(ports);
        if listens(&mut program, &ports).await {
            return (program, ports);
        }
    }
    panic!("the program does not listen");
}

/// Waits until a program listens on all these ports; it does not if it ends.
async fn listens(program: &mut Program, ports: &[u16]) -> bool {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    for port in ports {
        while !answers(*port).await {
            if program.has_ended() || tokio::time::Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    !program.has_ended()
}

async fn answers(port: u16) -> bool {
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
    // Who asks from the very port that nobody has is answered by itself.
    stream.is_ok_and(|stream| stream.local_addr().ok() != stream.peer_addr().ok())
}

/// Waits until a file says what it should.
pub async fn said(path: &Path, holds: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    for _ in 0..3_000 {
        text = std::fs::read_to_string(path).unwrap_or_default();
        if holds(&text) {
            return text;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{}: {text}", path.display());
}

/// Where `cargo xtask test` puts Python packages.
pub fn python_packages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/dialects")
}
