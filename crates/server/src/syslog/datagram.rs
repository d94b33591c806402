//! Syslog over UDP: one task reads, another writes down; between them a queue that is bounded in
//! number and in bytes. What finds no room is counted by source and told every second.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chancery_engine::intake::Sender;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Desk;
use super::frame::{LINE_MAX, text};

/// Lines that wait.
const WAITING_MAX: usize = 20_000;
/// Bytes that wait.
const BYTES_MAX: usize = 16 << 20;
/// Lines that are written down together.
const TOGETHER: usize = 1_000;
/// How often is told what was dropped.
const TELL: Duration = Duration::from_secs(1);

type Dropped = Arc<Mutex<BTreeMap<String, (Sender, u64)>>>;

struct Waiting {
    sender: Sender,
    line: String,
}

/// Begins to listen on a socket.
pub(super) fn listen(desk: Desk, socket: UdpSocket) -> [JoinHandle<()>; 3] {
    let (queue, waiting) = mpsc::channel(WAITING_MAX);
    let (bytes, dropped) = (Arc::new(AtomicUsize::new(0)), Dropped::default());
    [
        tokio::spawn(read(desk.clone(), socket, queue, bytes.clone(), dropped.clone())),
        tokio::spawn(write(desk.clone(), waiting, bytes)),
        tokio::spawn(tell(desk, dropped)),
    ]
}

async fn read(
    desk: Desk,
    socket: UdpSocket,
    queue: mpsc::Sender<Waiting>,
    waiting_bytes: Arc<AtomicUsize>,
    dropped: Dropped,
) {
    let mut buffer = vec![0; LINE_MAX];
    let mut stopped = desk.stopped.clone();
    loop {
        let (count, peer) = tokio::select! {
            received = socket.recv_from(&mut buffer) => match received {
                Ok(received) => received,
                // An ICMP answer to something else; the socket is as good as before.
                Err(_) => continue,
            },
            _ = stopped.wait_for(|stop| *stop) => return,
        };
        let address = peer.ip().to_canonical();
        let Some(sender) = desk.sender(address, None).await else {
            desk.unknown(address, "udp", "no source sends from here").await;
            continue;
        };
        // RFC 5426 §3.1: one datagram is one message.
        let line = text(&buffer[..count]);
        if line.trim().is_empty() {
            continue;
        }
        let size = line.len();
        let room = waiting_bytes.load(Ordering::Relaxed) + size <= BYTES_MAX;
        waiting_bytes.fetch_add(size, Ordering::Relaxed);
        let name = sender.name().to_owned();
        let kept = sender.clone();
        if room && queue.try_send(Waiting { sender, line }).is_ok() {
            continue;
        }
        waiting_bytes.fetch_sub(size, Ordering::Relaxed);
        // Whole entries are changed: a panic elsewhere leaves nothing half done.
        let mut all = dropped.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(name).or_insert((kept, 0)).1 += 1;
    }
}

/// Writes down what waits, the lines of one sender together. Ends when the reader has ended and
/// nothing waits.
async fn write(desk: Desk, mut queue: mpsc::Receiver<Waiting>, waiting_bytes: Arc<AtomicUsize>) {
    let mut batch = Vec::with_capacity(TOGETHER);
    while queue.recv_many(&mut batch, TOGETHER).await > 0 {
        let mut by_sender: BTreeMap<(String, Option<String>), (Sender, Vec<String>)> =
            BTreeMap::new();
        let mut bytes = 0;
        for Waiting { sender, line } in batch.drain(..) {
            bytes += line.len();
            let key = (sender.name().to_owned(), sender.address().map(str::to_owned));
            by_sender.entry(key).or_insert((sender, Vec::new())).1.push(line);
        }
        for (sender, lines) in by_sender.values() {
            if !desk.take_in(sender, lines).await {
                return;
            }
        }
        waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

async fn tell(desk: Desk, dropped: Dropped) {
    let mut stopped = desk.stopped.clone();
    loop {
        let stops = tokio::time::timeout(TELL, stopped.wait_for(|stop| *stop)).await.is_ok();
        let all = std::mem::take(&mut *dropped.lock().unwrap_or_else(PoisonError::into_inner));
        for (name, (sender, count)) in all {
            if let Err(error) = desk.engine.note_dropped_lines(&sender, count).await {
                tracing::warn!(%error, source = name, count, "dropped lines are not counted");
                let mut again = dropped.lock().unwrap_or_else(PoisonError::into_inner);
                again.entry(name).or_insert((sender, 0)).1 += count;
            }
        }
        if stops {
            return;
        }
    }
}
