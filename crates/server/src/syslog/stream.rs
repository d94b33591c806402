//! Syslog over TCP and TLS: one task for each connection, which reads on only when what it read is
//! written down.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chancery_engine::intake::Peer;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::Desk;
use super::frame::Buffer;

/// Bytes read at once.
const READ: usize = 64 * 1_024;
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a line may stay half done.
const HALF_DONE: Duration = Duration::from_secs(60);
/// How long a connection may be silent.
const SILENT: Duration = Duration::from_secs(24 * 3_600);
/// Connections from one address at a time.
const FROM_ONE: usize = 64;
/// How long to wait after accepting failed for want of resources.
const BREATH: Duration = Duration::from_millis(500);

type Counts = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// One connection of an address; gives its place back when it goes.
struct Place(Counts, IpAddr);

impl Place {
    fn take(counts: &Counts, address: IpAddr) -> Option<Self> {
        // One number is changed: a panic elsewhere leaves nothing half done.
        let mut all = counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(address).or_default();
        if *count >= FROM_ONE {
            return None;
        }
        *count += 1;
        Some(Self(counts.clone(), address))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.1);
            }
        }
    }
}

/// Accepts connections until the program stops.
pub(super) async fn listen(desk: Desk, listener: TcpListener, acceptor: Option<TlsAcceptor>) {
    let transport = if acceptor.is_some() { "tls" } else { "tcp" };
    let counts = Counts::default();
    let mut stopped = desk.stopped.clone();
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stop| *stop) => break,
        };
        while connections.try_join_next().is_some() {}
        let (stream, peer) = match accepted {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(%error, "a connection of syslog could not be accepted");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        // The semaphore is never closed. While every place is taken, one connection of each
        // listener waits here, unread, and whoever comes behind it in the operating system's queue.
        let place = tokio::select! {
            place = desk.places.clone().acquire_owned() => place,
            _ = stopped.wait_for(|stop| *stop) => break,
        };
        let Ok(place) = place else { break };
        let address = peer.ip().to_canonical();
        let Some(one) = Place::take(&counts, address) else {
            desk.unknown(address, transport, "too many connections from one address").await;
            continue;
        };
        let (desk, acceptor) = (desk.clone(), acceptor.clone());
        connections.spawn(async move {
            let _places = (place, one);
            serve(&desk, stream, address, acceptor, transport).await;
        });
    }
    while connections.join_next().await.is_some() {}
}

async fn serve(
    desk: &Desk,
    stream: TcpStream,
    address: IpAddr,
    acceptor: Option<TlsAcceptor>,
    transport: &'static str,
) {
    let Some(acceptor) = acceptor else {
        return read(desk, stream, address, None, transport).await;
    };
    // Who could be nobody whatever it shows costs no handshake.
    if !desk.roster().await.may_be(address) {
        return desk.unknown(address, transport, "no source sends from this address").await;
    }
    let shaken = match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(shaken)) => shaken,
        Ok(Err(error)) => {
            tracing::debug!(%address, %error, "TLS handshake of syslog failed");
            return desk.unknown(address, transport, "the TLS handshake failed").await;
        }
        Err(_) => return desk.unknown(address, transport, "the TLS handshake took too long").await,
    };
    let certificates = shaken.get_ref().1.peer_certificates();
    let peer = certificates.and_then(<[_]>::first).and_then(|leaf| peer(leaf));
    read(desk, shaken, address, peer, transport).await;
}

/// What a source may know a certificate by.
fn peer(der: &[u8]) -> Option<Peer> {
    let certificate = chancery_pki::Certificate::parse(der).ok()?;
    let fingerprint = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
    let is_dns = |kind| matches!(kind, chancery_pki::certificate::Kind::Dns);
    let dns = certificate.names().iter().filter(|name| is_dns(name.kind));
    let dns = dns.map(|name| name.value.to_lowercase());
    let common = certificate.subject_cn.as_ref().map(|name| name.to_lowercase());
    Some(Peer {
        fingerprint_sha256: fingerprint.as_ref().iter().map(|b| format!("{b:02x}")).collect(),
        names: common.into_iter().chain(dns).collect(),
    })
}

async fn read(
    desk: &Desk,
    mut stream: impl AsyncRead + Unpin,
    address: IpAddr,
    peer: Option<Peer>,
    transport: &'static str,
) {
    let (mut buffer, mut bytes) = (Buffer::default(), vec![0; READ]);
    let mut stopped = desk.stopped.clone();
    let mut half_done = false;
    loop {
        // Asked again for each piece: who is taken off the list is cut off.
        let Some(sender) = desk.sender(address, peer.as_ref()).await else {
            return desk.unknown(address, transport, "no source sends from here").await;
        };
        let patience = if half_done { HALF_DONE } else { SILENT };
        let count = tokio::select! {
            read = tokio::time::timeout(patience, stream.read(&mut bytes)) => match read {
                Ok(Ok(count)) => count,
                Ok(Err(_)) => 0,
                Err(_) => return,
            },
            _ = stopped.wait_for(|stop| *stop) => return,
        };
        let before = buffer.too_long;
        let (lines, lost) = match (count, buffer.push(&bytes[..count])) {
            (0, _) => (buffer.rest().into_iter().collect(), false),
            (_, Ok(lines)) => (lines, false),
            (_, Err(_)) => (Vec::new(), true),
        };
        half_done = buffer.is_half_done();
        if !lines.is_empty() && !desk.take_in(&sender, &lines).await {
            return;
        }
        let too_long = buffer.too_long - before + u64::from(lost);
        if too_long > 0 {
            let why = "a line is longer than 64 KiB, or its length is not one";
            if let Err(error) = desk.engine.refuse_lines(&sender, too_long, why).await {
                tracing::warn!(%error, "refused lines of syslog are not counted");
            }
        }
        if count == 0 || lost {
            return;
        }
    }
}
