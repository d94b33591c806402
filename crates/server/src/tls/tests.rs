//! Loading with every way to fail, and connections over loopback.

use std::fs;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use axum::serve::ListenerExt;
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;

use super::*;

/// A directory with `chain.pem` and `key.pem`.
struct Place {
    folder: TempDir,
    pem: String,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let place = Self { folder, pem };
        place.write("chain.pem", &place.pem);
        place.write("key.pem", &key.serialize_pem());
        place
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn load(&self) -> Result<Identity, TlsError> {
        self.load_at(SystemTime::now())
    }

    fn load_at(&self, now: SystemTime) -> Result<Identity, TlsError> {
        let path = |name: &str| self.folder.path().join(name);
        Identity::load(&path("chain.pem"), &path("key.pem"), now)
    }

    /// The message of the refusal, with the directory taken out.
    fn refusal(&self) -> String {
        let folder = format!("{}/", self.folder.path().display());
        self.load().unwrap_err().to_string().replace(&folder, "")
    }

    async fn listener(&self, limit: Duration) -> TlsListener {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        TlsListener::with_handshake_time(socket, self.load().unwrap().config, limit).unwrap()
    }

    fn client(&self) -> reqwest::Client {
        let trusted = reqwest::Certificate::from_pem(self.pem.as_bytes()).unwrap();
        reqwest::Client::builder().tls_certs_only([trusted]).no_proxy().build().unwrap()
    }
}

/// Serves the address of the peer as text.
fn serve(listener: TlsListener) -> SocketAddr {
    let address = listener.local_addr().unwrap();
    let peer = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() };
    let router = Router::new().route("/peer", get(peer));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener.tap_io(|_| {}), service).await });
    address
}

#[tokio::test]
async fn a_client_that_trusts_the_certificate_is_served_and_known() {
    let place = Place::new();
    let address = serve(place.listener(HANDSHAKE_TIME).await);
    let url = format!("https://localhost:{}/peer", address.port());
    let client = place.client();
    let response = client.get(url).send().await.unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    let peer: SocketAddr = response.text().await.unwrap().parse().unwrap();
    assert!(peer.ip().is_loopback() && peer.port() != address.port());
}

#[tokio::test]
async fn peers_that_dawdle_or_talk_nonsense_hold_nobody_up() {
    let place = Place::new();
    let address = serve(place.listener(HANDSHAKE_TIME).await);
    let _silent = TcpStream::connect(address).await.unwrap();
    let plain = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(plain.get(format!("http://{address}/peer")).send().await.is_err());
    let url = format!("https://localhost:{}/peer", address.port());
    assert!(place.client().get(url).send().await.unwrap().status().is_success());
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_ended() {
    let place = Place::new();
    let listener = place.listener(Duration::from_millis(20)).await;
    let mut silent = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    // The server closes: the read ends without a byte.
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn dropping_the_listener_closes_the_port() {
    let place = Place::new();
    let mut listener = place.listener(HANDSHAKE_TIME).await;
    let address = listener.address;
    let accepting = std::mem::replace(&mut listener.accepting, tokio::spawn(async {}));
    accepting.abort();
    assert!(accepting.await.unwrap_err().is_cancelled());
    assert!(TcpStream::connect(address).await.is_err());
}

#[test]
fn a_good_pair_loads_without_a_word() {
    assert_eq!(Place::new().load().unwrap().warnings, [""; 0]);
}

#[test]
fn files_that_are_missing_are_named() {
    let place = Place::new();
    fs::remove_file(place.folder.path().join("key.pem")).unwrap();
    assert_eq!(place.refusal(), "cannot read key.pem, which tls.key names");
    fs::remove_file(place.folder.path().join("chain.pem")).unwrap();
    assert_eq!(place.refusal(), "cannot read chain.pem, which tls.certificate names");
}

#[test]
fn files_without_the_right_thing_in_them_are_named() {
    let place = Place::new();
    place.write("key.pem", &place.pem);
    assert!(place.refusal().starts_with("key.pem holds no private key"), "{}", place.refusal());
    place.write("chain.pem", "nothing\n");
    let refusal = place.refusal();
    assert!(refusal.starts_with("chain.pem holds no certificate"), "{refusal}");
    let half = place.pem.replace("-----END CERTIFICATE-----", "");
    place.write("chain.pem", &half);
    assert!(place.refusal().starts_with("chain.pem: "), "{}", place.refusal());
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let place = Place::new();
    place.write("key.pem", &KeyPair::generate().unwrap().serialize_pem());
    assert_eq!(
        place.refusal(),
        "the key in key.pem does not belong to the first certificate in chain.pem"
    );
}

#[test]
fn certificates_out_of_their_time_are_served_with_a_warning() {
    let place = Place::new();
    // The certificates of the test are valid from 1975 to 4096.
    let year = Duration::from_secs(31_556_952);
    let late = place.load_at(SystemTime::UNIX_EPOCH + 2_200 * year).unwrap();
    assert!(late.warnings[0].contains("expired at 4096-"), "{:?}", late.warnings);
    let early = place.load_at(SystemTime::UNIX_EPOCH + year).unwrap();
    assert!(early.warnings[0].contains("is not valid before 1975-"), "{:?}", early.warnings);
}
