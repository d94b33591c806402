//! The plain way to deliver: what a program would do that only posts, signs and keeps one durable
//! row of each attempt. No queue, no retries, no state of a destination.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use chancery_deliver::signature::Key;
use chancery_event::Environment;
use chancery_store::bench::Plain;
use chancery_store::table::delivery::Attempt;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

/// Connections, each with one request under way.
const CONNECTIONS: usize = 64;
/// Rows of one commit at most.
const ROWS_MAX: usize = 512;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

type Row = (Attempt, oneshot::Sender<()>);

/// Posts each body once; bodies per second, each with its row durable before the next is taken by
/// that connection. `model` says what a row looks like.
pub(super) async fn posts(
    dir: &Path,
    address: SocketAddr,
    bodies: Vec<Vec<u8>>,
    model: &Attempt,
) -> Result<f64> {
    let count = bodies.len() as u64;
    let (rows, waiting) = mpsc::channel::<Row>(4 * CONNECTIONS);
    let writing = tokio::spawn(write(Plain::open(dir).await?, waiting));
    let (bodies, next) = (Arc::new(bodies), Arc::new(AtomicU64::new(0)));
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(address).await.context("connect")?;
        stream.set_nodelay(true)?;
        let (bodies, next, rows) = (bodies.clone(), next.clone(), rows.clone());
        tasks.spawn(post(stream, address, bodies, next, rows, model.clone()));
    }
    drop(rows);
    while let Some(ended) = tasks.join_next().await {
        ended.context("a connection")??;
    }
    let rate = crate::bench::per_second(count, started);
    writing.await.context("rows")??;
    Ok(rate)
}

async fn post(
    mut stream: TcpStream,
    address: SocketAddr,
    bodies: Arc<Vec<Vec<u8>>>,
    next: Arc<AtomicU64>,
    rows: mpsc::Sender<Row>,
    model: Attempt,
) -> Result<()> {
    let key = Key::read(SECRET)?;
    let environment = Environment::system();
    let mut answer = vec![0; 4_096];
    loop {
        let turn = usize::try_from(next.fetch_add(1, Ordering::Relaxed))?;
        let Some(body) = bodies.get(turn) else { return Ok(()) };
        let (id, now) = (environment.id(), environment.now());
        let seconds = now.micros() / 1_000_000;
        let text = format!("{id}");
        let signature = key.sign(&text, seconds, body);
        let mut request = format!(
            "POST /hook HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             webhook-id: {text}\r\nwebhook-timestamp: {seconds}\r\n\
             webhook-signature: {signature}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        let sent = Instant::now();
        stream.write_all(&request).await?;
        let length = stream.read(&mut answer).await?;
        let said = answer.get(..length).unwrap_or_default();
        ensure!(said.starts_with(b"HTTP/1.1 204"), "the receiver does not answer as it should");
        let took_us = i64::try_from(sent.elapsed().as_micros())?;
        let row = Attempt { delivery: id, at: now, took_us, ..model.clone() };
        let (written, durable) = oneshot::channel();
        rows.send((row, written)).await.ok().context("the writer has gone")?;
        durable.await.context("the row was not written")?;
    }
}

/// Commits what waits, together.
async fn write(mut plain: Plain, mut waiting: mpsc::Receiver<Row>) -> Result<()> {
    let mut group = Vec::new();
    while waiting.recv_many(&mut group, ROWS_MAX).await > 0 {
        let (rows, told): (Vec<Attempt>, Vec<_>) = group.drain(..).unzip();
        plain.insert_attempts(&rows).await?;
        for one in told {
            // Whoever has gone needs no answer.
            let _ = one.send(());
        }
    }
    Ok(())
}

/// Lines per second that are appended in batches, each batch synchronised.
pub(super) fn lines(path: &Path, entries: &[Vec<u8>], batch: usize) -> Result<f64> {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path)?;
    let started = Instant::now();
    for batch in entries.chunks(batch) {
        let mut bytes = Vec::new();
        for entry in batch {
            bytes.extend_from_slice(entry);
            bytes.push(b'\n');
        }
        file.write_all(&bytes)?;
        file.sync_data()?;
    }
    Ok(crate::bench::per_second(entries.len() as u64, started))
}
