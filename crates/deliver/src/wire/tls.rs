//! TLS towards receivers: the machine's trust anchors or given ones, and a client certificate.
//!
//! There is no switch that turns the check off: who has a private authority gives its certificate.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use chancery_engine::Error;
use chancery_engine::delivery::{Secrets, SendError};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::settings::{Settings, place};

/// Why settings of TLS are refused.
const IN_CLEAR: &str = "nothing is encrypted on this connection: choose TLS, or leave this out";

static MACHINE: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
    let mut store = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = store.add_parsable_certificates(found.certs);
    tracing::debug!(added, "trust anchors of the machine");
    Arc::new(store)
});

/// The trust anchors given in PEM, or those of the machine.
fn roots(field: &str, ca: Option<&str>) -> Result<Arc<RootCertStore>, Error> {
    let Some(pem) = ca else { return Ok(MACHINE.clone()) };
    let mut store = RootCertStore::empty();
    for certificate in certificates(field, pem)? {
        store
            .add(certificate)
            .map_err(|error| Error::invalid(field, format!("no trust anchor: {error}")))?;
    }
    Ok(Arc::new(store))
}

/// A configuration with these trust anchors and without a client certificate.
pub(crate) fn with_roots(field: &str, ca: Option<&str>) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Internal(format!("TLS: {error}")))?
        .with_root_certificates(roots(field, ca)?)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The configuration that settings and secrets ask for: `ca` (PEM) instead of the machine's
/// anchors, `client_certificate` (PEM) with the secret `client_key` (PEM). Where nothing is
/// encrypted they are refused: nobody shall believe that they protect anything.
pub(crate) fn config(
    settings: &Settings<'_>,
    secrets: &Secrets,
    is_encrypted: bool,
) -> Result<Arc<ClientConfig>, Error> {
    if !is_encrypted {
        let unused = ["ca", "client_certificate"];
        let unused = unused.into_iter().find(|name| settings.text(name).is_ok_and(|t| t.is_some()));
        if let Some(name) = unused {
            return Err(Error::invalid(place(name), IN_CLEAR));
        }
        if secrets.find("client_key").is_some() {
            return Err(Error::invalid("secrets/client_key", IN_CLEAR));
        }
    }
    let roots = roots("settings/ca", settings.text("ca")?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Internal(format!("TLS: {error}")))?
        .with_root_certificates(roots);
    let config = match (settings.text("client_certificate")?, secrets.find("client_key")) {
        (None, None) => builder.with_no_client_auth(),
        (Some(pem), Some(key)) => {
            let chain = certificates("settings/client_certificate", pem)?;
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| {
                Error::invalid("secrets/client_key", "a private key in PEM, not encrypted")
            })?;
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                Error::invalid(
                    "secrets/client_key",
                    format!("no pair with the certificate: {error}"),
                )
            })?
        }
        (Some(_), None) => {
            return Err(Error::invalid("secrets/client_key", "the certificate needs its key"));
        }
        (None, Some(_)) => {
            let message = "the key needs its certificate";
            return Err(Error::invalid("settings/client_certificate", message));
        }
    };
    Ok(Arc::new(config))
}

fn certificates(field: &str, pem: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match read {
        Ok(list) if !list.is_empty() => Ok(list),
        _ => Err(Error::invalid(field, "certificates in PEM")),
    }
}

/// Shakes hands over an open connection, within `limit`.
pub(crate) async fn wrap(
    stream: TcpStream,
    host: &str,
    config: Arc<ClientConfig>,
    limit: Duration,
) -> Result<TlsStream<TcpStream>, SendError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(bare)
        .map_err(|_| SendError::new("tls", format!("{host} is no name that TLS can check")))?;
    let shaking = TlsConnector::from(config).connect(name, stream);
    match tokio::time::timeout(limit, shaking).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(SendError::new("tls", format!("TLS with {host}: {error}"))),
        Err(_) => Err(SendError::new("timeout", format!("{host} does not finish the handshake"))),
    }
}
