//! A receiver of webhooks on the loopback interface, in a thread of its own: it reads a request,
//! counts it and answers, or takes it and never answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

/// What it does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Answers at once.
    Answers,
    /// Never answers.
    Hangs,
}

/// A receiver; it ends when it is dropped.
pub(super) struct Receiver {
    /// Where it listens.
    pub(super) address: SocketAddr,
    requests: Arc<AtomicU64>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Receiver {
    /// Listens from now on.
    pub(super) fn start(manner: Manner) -> Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").context("loopback")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let requests = Arc::new(AtomicU64::new(0));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let counted = requests.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    _ = listen(listener, counted, manner) => {}
                    _ = stopped => {}
                }
            });
        });
        Ok(Self { address, requests, stop: Some(stop), thread: Some(thread) })
    }

    /// The address that forwarders are given.
    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Requests that came so far.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Waits until so many requests have come.
    pub(super) async fn until(&self, count: u64, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        while self.requests() < count {
            let came = self.requests();
            ensure!(Instant::now() < deadline, "{came} of {count} deliveries came in time");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}

async fn listen(
    listener: std::net::TcpListener,
    requests: Arc<AtomicU64>,
    manner: Manner,
) -> Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream, requests.clone(), manner));
    }
}

/// Reads requests one after another until the caller leaves or says what is no request.
async fn serve(mut stream: TcpStream, requests: Arc<AtomicU64>, manner: Manner) {
    let mut buffer = Vec::with_capacity(65_536);
    loop {
        let Some(length) = request(&mut stream, &mut buffer).await else { return };
        buffer.drain(..length);
        requests.fetch_add(1, Ordering::Relaxed);
        if manner == Manner::Hangs {
            // Until the caller has had enough.
            let _ = stream.read(&mut [0; 1]).await;
            return;
        }
        if stream.write_all(ANSWER).await.is_err() {
            return;
        }
    }
}

/// Reads until the buffer begins with one whole request; its length.
async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<usize> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = std::str::from_utf8(buffer.get(..end)?).ok()?;
            let body = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
            });
            let length = end + 4 + body.unwrap_or(0);
            while buffer.len() < length {
                if stream.read_buf(buffer).await.ok()? == 0 {
                    return None;
                }
            }
            return Some(length);
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}
