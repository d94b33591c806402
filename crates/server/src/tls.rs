//! TLS in front of the server: loading certificate and key, and a listener that shakes hands.
//!
//! Handshakes run in tasks of their own with a time limit, so a peer that dawdles delays nobody. A
//! connection that fails its handshake is dropped and logged at debug level: on an open port that
//! is ordinary noise. The listener must never log what a peer sent.
//!
//! `serving::serve` takes it as it takes a listener without TLS.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::serve::Listener;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// How long a peer may take for its handshake.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// Handshakes at the same time; further connections wait in the queue of the operating system.
const HANDSHAKES_MAX: usize = 512;
/// How long to wait after accepting failed for want of resources, such as file descriptors.
const BREATH: Duration = Duration::from_millis(500);

/// Why TLS cannot be served.
#[derive(Debug)]
pub enum TlsError {
    /// The file cannot be read.
    Unreadable {
        /// The setting that names it.
        setting: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not PEM.
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong, as a phrase.
        reason: String,
    },
    /// The file holds no certificate.
    NoCertificate(PathBuf),
    /// The file holds no private key.
    NoKey(PathBuf),
    /// Certificate and key are not a pair, or of a kind that cannot be served.
    Refused {
        /// The file of the chain.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { setting, path, .. } => {
                write!(f, "cannot read {}, which {setting} names", path.display())
            }
            Self::Malformed { path, reason } => write!(f, "{}: {reason}", path.display()),
            Self::NoCertificate(path) => write!(
                f,
                "{} holds no certificate: a PEM block BEGIN CERTIFICATE is expected",
                path.display()
            ),
            Self::NoKey(path) => write!(
                f,
                "{} holds no private key that is readable without a passphrase: a PEM block \
                 BEGIN PRIVATE KEY, BEGIN RSA PRIVATE KEY or BEGIN EC PRIVATE KEY is expected",
                path.display()
            ),
            Self::Refused { certificate, key, source } => {
                let what = match source {
                    rustls::Error::InconsistentKeys(_) => "does not belong to",
                    _ => "cannot be used with",
                };
                write!(
                    f,
                    "the key in {} {what} the first certificate in {}",
                    key.display(),
                    certificate.display()
                )
            }
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            Self::Refused { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Certificate and key, ready to be served.
#[derive(Debug, Clone)]
pub struct Identity {
    /// TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN.
    pub config: Arc<ServerConfig>,
    /// What is served all the same and somebody should know, such as an expired certificate.
    pub warnings: Vec<String>,
}

impl Identity {
    /// Reads the chain (leaf first) and the key from PEM files. `now` decides what has expired.
    ///
    /// # Errors
    ///
    /// See [`TlsError`]. An expired certificate is a warning: serving it is better than silence.
    pub fn load(certificate: &Path, key: &Path, now: SystemTime) -> Result<Self, TlsError> {
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unreadable("tls.certificate", certificate, error))?;
        let Some(leaf) = chain.first() else {
            return Err(TlsError::NoCertificate(certificate.into()));
        };
        let warnings = doubts(leaf, certificate, now);
        let private = PrivateKeyDer::from_pem_file(key).map_err(|error| match error {
            pem::Error::NoItemsFound => TlsError::NoKey(key.into()),
            other => unreadable("tls.key", key, other),
        })?;
        let refused =
            |source| TlsError::Refused { certificate: certificate.into(), key: key.into(), source };
        let mut config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(refused)?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(refused)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), warnings })
    }
}

fn unreadable(setting: &'static str, path: &Path, error: pem::Error) -> TlsError {
    match error {
        pem::Error::Io(source) => TlsError::Unreadable { setting, path: path.into(), source },
        other => TlsError::Malformed { path: path.into(), reason: other.to_string() },
    }
}

/// A leaf that cannot be parsed here is left to the TLS library, which refuses it with its reason.
fn doubts(leaf: &CertificateDer<'_>, path: &Path, now: SystemTime) -> Vec<String> {
    let Ok(parsed) = Certificate::from_der(leaf) else { return Vec::new() };
    let validity = parsed.tbs_certificate().validity();
    let (from, until) = (validity.not_before, validity.not_after);
    let path = path.display();
    if now > until.to_system_time() {
        return vec![format!("the certificate in {path} expired at {until}")];
    }
    if now < from.to_system_time() {
        return vec![format!("the certificate in {path} is not valid before {from}")];
    }
    Vec::new()
}

/// A listener whose connections have finished their TLS handshake.
///
/// Owns the task that accepts; dropping the listener ends it, and with it the handshakes that have
/// begun are let run out.
#[derive(Debug)]
pub struct TlsListener {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl TlsListener {
    /// Starts to accept connections on a bound listener. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// That the address of the listener cannot be told.
    pub fn start(listener: TcpListener, config: Arc<ServerConfig>) -> io::Result<Self> {
        Self::with_handshake_time(listener, config, HANDSHAKE_TIME)
    }

    fn with_handshake_time(
        listener: TcpListener,
        config: Arc<ServerConfig>,
        limit: Duration,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        // A bound of one: what is ready waits in its own task, not in a queue.
        let (sender, ready) = mpsc::channel(1);
        let accepting = tokio::spawn(accept_all(listener, config.into(), limit, sender));
        Ok(Self { ready, address, accepting })
    }
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // The accepting task ends only with the runtime; there is nothing left to accept.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}

type Ready = mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>;

async fn accept_all(listener: TcpListener, acceptor: TlsAcceptor, limit: Duration, ready: Ready) {
    let places = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        // The semaphore is never closed, so this ends only when a place is free.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(connection) => connection,
            Err(error) if is_of_peer(&error) => continue,
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        let (acceptor, ready) = (acceptor.clone(), ready.clone());
        tokio::spawn(async move {
            let handshake = tokio::time::timeout(limit, acceptor.accept(stream)).await;
            drop(place);
            match handshake {
                // A closed channel means that the server is stopping.
                Ok(Ok(stream)) => drop(ready.send((stream, peer)).await),
                Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
                Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
            }
        });
    }
}

/// The peer went away between connecting and being accepted; the next one is not concerned.
fn is_of_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests;
