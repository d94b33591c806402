//! Listeners for syslog: lines come in over UDP, TCP and TLS, and become events of their sources.
//!
//! Who may send is the engine's business (`Roster`); here are sockets and bounds. Read `frame`
//! (bytes become lines: pure), `datagram` (UDP), `stream` (TCP and TLS).
//!
//! - A connection reads on only when what it read is written down: a sender over TCP is held back,
//!   not dropped. It has one buffer of bounded size.
//! - UDP cannot hold anybody back. Lines wait in a queue bounded in number and bytes; what finds no
//!   room is counted, and told by the source.
//! - Who is no source is not read from; a few of them a minute become events, the rest is counted.
//!
//! Every node of several listens for itself.

mod datagram;
mod frame;
mod stream;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use chancery_engine::Engine;
use chancery_engine::intake::{Peer, Roster, Sender};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::config;

/// A copy of who may send is taken anew after this long.
const ROSTER_AGE: Duration = Duration::from_secs(1);
/// A write that failed is tried again after this long, for as long as the program runs.
const AGAIN: Duration = Duration::from_secs(1);

/// The listeners of one process. Dropping it ends them at once.
pub struct Listeners {
    /// Where each listens, and over what: ports that were left to the system are known here.
    pub addresses: Vec<(&'static str, SocketAddr)>,
    tasks: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

/// What all listeners share.
#[derive(Clone)]
struct Desk {
    engine: Engine,
    roster: Arc<Mutex<(Roster, Option<Instant>)>>,
    stopped: watch::Receiver<bool>,
    places: Arc<Semaphore>,
}

/// Sockets that are bound and not yet listened to.
pub struct Bound {
    udp: Vec<UdpSocket>,
    tcp: Vec<TcpListener>,
    tls: Vec<TcpListener>,
    acceptor: Option<tokio_rustls::TlsAcceptor>,
    connections_max: usize,
}

/// Binds what the configuration names, before anything else is made.
///
/// # Errors
/// An address cannot be bound, or the files of TLS cannot be used.
pub async fn bind(config: &config::Syslog, server: Option<&config::Tls>) -> Result<Bound> {
    let cannot = |address: &SocketAddr| format!("cannot listen for syslog on {address}");
    let mut udp = Vec::new();
    for address in &config.udp {
        udp.push(UdpSocket::bind(address).await.with_context(|| cannot(address))?);
    }
    let (mut tcp, mut tls) = (Vec::new(), Vec::new());
    for address in &config.tcp {
        tcp.push(TcpListener::bind(address).await.with_context(|| cannot(address))?);
    }
    for address in &config.tls {
        tls.push(TcpListener::bind(address).await.with_context(|| cannot(address))?);
    }
    let acceptor = match config.tls.is_empty() {
        true => None,
        false => Some(acceptor(config, server).context("syslog over TLS")?),
    };
    Ok(Bound { udp, tcp, tls, acceptor, connections_max: config.connections_max })
}

fn acceptor(
    config: &config::Syslog,
    server: Option<&config::Tls>,
) -> Result<tokio_rustls::TlsAcceptor> {
    let (certificate, key) = match (&config.identity, server) {
        (Some((certificate, key)), _) => (certificate, key),
        (None, Some(tls)) => (&tls.certificate, &tls.key),
        (None, None) => anyhow::bail!("there is no certificate"),
    };
    // The same checks and words as for the listener of the pages.
    crate::tls::Identity::load(certificate, key, std::time::SystemTime::now())?;
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    let builder = match &config.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            let named = || format!("{}: no certificates in PEM", path.display());
            for certificate in CertificateDer::pem_file_iter(path).with_context(named)? {
                roots.add(certificate.with_context(named)?).with_context(named)?;
            }
            // A sender that shows none is known by its address, where its source allows that.
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                .allow_unauthenticated()
                .build()
                .with_context(named)?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    Ok(Arc::new(builder.with_single_cert(chain, key)?).into())
}

impl Bound {
    /// Begins to listen.
    ///
    /// # Errors
    /// A socket does not tell its address.
    pub fn listen(self, engine: Engine) -> Result<Listeners> {
        let (stop, stopped) = watch::channel(false);
        let desk = Desk {
            engine,
            roster: Arc::default(),
            stopped,
            places: Arc::new(Semaphore::new(self.connections_max)),
        };
        let (mut addresses, mut tasks) = (Vec::new(), Vec::new());
        for socket in self.udp {
            addresses.push(("udp", socket.local_addr()?));
            tasks.extend(datagram::listen(desk.clone(), socket));
        }
        for listener in self.tcp {
            addresses.push(("tcp", listener.local_addr()?));
            tasks.push(tokio::spawn(stream::listen(desk.clone(), listener, None)));
        }
        for listener in self.tls {
            addresses.push(("tls", listener.local_addr()?));
            let acceptor = self.acceptor.clone();
            tasks.push(tokio::spawn(stream::listen(desk.clone(), listener, acceptor)));
        }
        Ok(Listeners { addresses, tasks, stop })
    }
}

impl Listeners {
    /// Ends listening: what was read is written down first, for a few seconds at most.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        let all = futures::future::join_all(std::mem::take(&mut self.tasks));
        let _ = tokio::time::timeout(Duration::from_secs(5), all).await;
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Desk {
    /// Who may send, at most a second old. What cannot be read anew stays.
    async fn roster(&self) -> Roster {
        let (known, at) = {
            // Whole values are swapped: a panic elsewhere leaves nothing half done.
            let roster = self.roster.lock().unwrap_or_else(PoisonError::into_inner);
            (roster.0.clone(), roster.1)
        };
        if at.is_some_and(|at| at.elapsed() < ROSTER_AGE) {
            return known;
        }
        let read = match self.engine.syslog_roster().await {
            Ok(read) => read,
            Err(error) => {
                tracing::warn!(%error, "who may send syslog could not be read");
                known
            }
        };
        *self.roster.lock().unwrap_or_else(PoisonError::into_inner) =
            (read.clone(), Some(Instant::now()));
        read
    }

    /// The source at an address.
    async fn sender(&self, address: IpAddr, peer: Option<&Peer>) -> Option<Sender> {
        let roster = self.roster().await;
        self.engine.syslog_sender(&roster, address, peer)
    }

    async fn unknown(&self, address: IpAddr, transport: &'static str, why: &'static str) {
        if let Err(error) = self.engine.note_unknown_sender(address, transport, why).await {
            tracing::warn!(%error, %address, "a refused sender of syslog is not recorded");
        }
    }

    /// Writes lines down, for as long as it takes; false: the program stops and they are not.
    async fn take_in(&self, sender: &Sender, lines: &[String]) -> bool {
        let mut stopped = self.stopped.clone();
        loop {
            match self.engine.take_in_lines(sender, lines).await {
                Ok(_) => return true,
                Err(error) => {
                    tracing::warn!(%error, source = sender.name(), "lines of syslog wait");
                }
            }
            let stops = tokio::time::timeout(AGAIN, stopped.wait_for(|stop| *stop)).await;
            if stops.is_ok() {
                return false;
            }
        }
    }
}
