//! A receiver of webhooks that behaves as a test wants: well, or badly in every way.
//!
//! It speaks HTTP/1.1 over plain TCP or TLS, by hand: what a library would not do is the point.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rcgen::{CertifiedIssuer, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// How it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// `200`, at once.
    Well,
    /// With this status and these headers.
    Status(u16, &'static str),
    /// With this status, these headers (each with its line end) and this body.
    Says(u16, String, String),
    /// The challenge of an Okta event hook, as the receiver of one answers it.
    Verifies,
    /// It takes what is sent and never answers.
    Silent,
    /// The head, and then a body without end.
    Endless,
    /// A length that is not true.
    Liar,
    /// It closes as soon as it has the request.
    Closes,
    /// What is no HTTP.
    Nonsense,
    /// A byte of the answer every second.
    Slow,
}

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// Method and path.
    pub line: String,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Body.
    pub body: Vec<u8>,
    /// The client showed a certificate.
    pub client_certificate: bool,
}

#[derive(Default)]
struct Shared {
    received: Mutex<Vec<Received>>,
    manner: Mutex<Option<Manner>>,
    connections: std::sync::atomic::AtomicUsize,
}

/// What a server of another make needs for TLS on the loopback interface, PEM.
pub struct TlsFiles {
    /// The authority.
    pub ca: String,
    /// The server's certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
    /// The certificate of a client, for `client.example.org`.
    pub client: String,
    /// Its key.
    pub client_key: String,
}

impl TlsFiles {
    /// Under a new authority.
    pub fn make() -> Self {
        let authority = authority();
        let (certificate, key) = loopback(&authority);
        let client_key = KeyPair::generate().expect("a key");
        let client = rcgen::CertificateParams::new(vec!["client.example.org".to_owned()])
            .expect("parameters")
            .signed_by(&client_key, &authority)
            .expect("a certificate");
        Self {
            ca: authority.pem(),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            client: client.pem(),
            client_key: client_key.serialize_pem(),
        }
    }
}

/// A receiver on the loopback interface.
pub struct Receiver {
    /// Port.
    pub port: u16,
    /// Certificate of the authority that it trusts and is trusted by, PEM; empty without TLS.
    pub ca: String,
    /// A client certificate of that authority, and its key, PEM.
    pub client: (String, String),
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    /// Without TLS.
    pub async fn plain() -> Self {
        Self::start(None, String::new(), Default::default()).await
    }

    /// With TLS, under an authority of its own; a client certificate is demanded with `mutual`.
    pub async fn tls(mutual: bool) -> Self {
        let authority = authority();
        let ca = authority.pem();
        let (certificate, key) = loopback(&authority);
        let client_key = KeyPair::generate().expect("a key");
        let client = rcgen::CertificateParams::new(vec!["chancery".to_owned()])
            .expect("parameters")
            .signed_by(&client_key, &authority)
            .expect("a certificate");
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = if mutual {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der().clone()).expect("a root");
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        } else {
            builder.with_no_client_auth()
        };
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config =
            builder.with_single_cert(vec![certificate.der().clone()], der).expect("a pair");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::start(Some(acceptor), ca, (client.pem(), client_key.serialize_pem())).await
    }

    async fn start(tls: Option<TlsAcceptor>, ca: String, client: (String, String)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared::default());
        let told = shared.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                told.connections.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let (shared, tls) = (told.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, &shared, false).await,
                        Some(tls) => {
                            let Ok(stream) = tls.accept(stream).await else { return };
                            let shown = stream.get_ref().1.peer_certificates().is_some();
                            serve(stream, &shared, shown).await;
                        }
                    }
                });
            }
        });
        Self { port, ca, client, shared, task }
    }

    /// Its address.
    pub fn url(&self) -> String {
        let scheme = if self.ca.is_empty() { "http" } else { "https" };
        format!("{scheme}://127.0.0.1:{}/hook", self.port)
    }

    /// From now on it answers like this.
    pub fn behave(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap_or_else(PoisonError::into_inner) = Some(manner);
    }

    /// What came so far.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Connections that were made.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// Waits until so many requests have come.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        for _ in 0..6_000 {
            let received = self.received();
            if received.len() >= count {
                return received;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} of {count} requests came", self.received().len());
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(parameters, key).expect("an authority")
}

/// A certificate for this machine, and its key.
fn loopback(authority: &CertifiedIssuer<'static, KeyPair>) -> (rcgen::Certificate, KeyPair) {
    let mut parameters =
        rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    let address = std::net::IpAddr::from([127, 0, 0, 1]);
    parameters.subject_alt_names.push(rcgen::SanType::IpAddress(address));
    let key = KeyPair::generate().expect("a key");
    let certificate = parameters.signed_by(&key, authority).expect("a certificate");
    (certificate, key)
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, shared: &Shared, shown: bool) {
    let mut buffer = Vec::new();
    loop {
        let Some(mut request) = read(&mut stream, &mut buffer).await else { return };
        request.client_certificate = shown;
        let challenge = request.headers.get("x-okta-verification-challenge").cloned();
        shared.received.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        let manner = shared.manner.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let manner = match manner.unwrap_or(Manner::Well) {
            Manner::Verifies => {
                let challenge = challenge.unwrap_or_default();
                let body = format!("{{\"verification\": \"{challenge}\"}}");
                Manner::Says(200, String::new(), body)
            }
            manner => manner,
        };
        if !answer(&mut stream, &manner).await {
            return;
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Option<Received> {
    let mut part = [0; 16_384];
    let head_end = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        let count = stream.read(&mut part).await.ok().filter(|count| *count > 0)?;
        buffer.extend_from_slice(&part[..count]);
    };
    let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
    buffer.drain(..head_end + 4);
    let mut lines = head.split("\r\n");
    let mut request = Received { line: lines.next()?.to_owned(), ..Received::default() };
    for line in lines {
        let (name, value) = line.split_once(':')?;
        request.headers.insert(name.trim().to_lowercase(), value.trim().to_owned());
    }
    let length = request.headers.get("content-length").and_then(|text| text.parse().ok());
    let length: usize = length.unwrap_or(0);
    while buffer.len() < length {
        let count = stream.read(&mut part).await.ok().filter(|count| *count > 0)?;
        buffer.extend_from_slice(&part[..count]);
    }
    request.body = buffer.drain(..length).collect();
    Some(request)
}

/// Answers; false: the connection is done with.
async fn answer(stream: &mut (impl AsyncWrite + Unpin), manner: &Manner) -> bool {
    let text = match manner {
        Manner::Well => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_owned(),
        Manner::Status(status, headers) => {
            format!("HTTP/1.1 {status} Said\r\n{headers}content-length: 0\r\n\r\n")
        }
        Manner::Says(status, headers, body) => format!(
            "HTTP/1.1 {status} Said\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        ),
        Manner::Silent => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            return false;
        }
        Manner::Endless => {
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            if stream.write_all(head.as_bytes()).await.is_err() {
                return false;
            }
            let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
            while stream.write_all(chunk.as_bytes()).await.is_ok() {}
            return false;
        }
        Manner::Liar => {
            let lie = "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nshort";
            let _ = stream.write_all(lie.as_bytes()).await;
            let _ = stream.flush().await;
            return false;
        }
        Manner::Closes | Manner::Verifies => return false,
        Manner::Nonsense => "220 mail.example.org ESMTP\r\n\r\n".to_owned(),
        Manner::Slow => {
            for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n" {
                if stream.write_all(&[*byte]).await.is_err() || stream.flush().await.is_err() {
                    return false;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            return true;
        }
    };
    stream.write_all(text.as_bytes()).await.is_ok() && stream.flush().await.is_ok()
}
