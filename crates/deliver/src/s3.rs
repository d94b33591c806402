//! An archive of the log in a bucket of an S3-compatible store.
//!
//! Requests are signed (AWS Signature Version 4, in the query) by `rusty_s3`, which does no input
//! and output; they go over connections that the engine's door opened, so the address is judged
//! like any other that somebody supplied. Errors name the bucket and what the store said, never a
//! key.

use std::sync::Arc;
use std::time::Duration;

use chancery_engine::archive::{Archive, ArchiveError};
use chancery_engine::delivery::Secrets;
use chancery_engine::net::Network;
use chancery_engine::{Error, Secret};
use futures::future::BoxFuture;
use http::{Method, StatusCode};
use rusty_s3::{Bucket, Credentials, S3Action as _, UrlStyle};

use crate::settings::Settings;
use crate::wire::address::Target;
use crate::wire::http::{ANSWER, Call, Client};
use crate::wire::limits::Limits;
use crate::wire::tls;

/// How long a signed address can be used.
const SIGNED: Duration = Duration::from_secs(300);
/// Tries of one request; what is asked may be asked twice.
const TRIES: u32 = 4;
/// Bytes of an object at most: 256 entries of 64 KiB each, and their lengths.
const OBJECT_MAX: usize = 17 << 20;

/// Where the bucket is, and who asks.
pub struct S3Settings {
    /// Address of the store, such as `https://s3.eu-central-1.amazonaws.com`.
    pub endpoint: String,
    /// Name of the bucket. It must be there.
    pub bucket: String,
    /// Region that requests are signed for.
    pub region: String,
    /// What precedes every path in the bucket; empty: nothing.
    pub prefix: String,
    /// The bucket stands in the path of addresses, not in the name of the host.
    pub path_style: bool,
    /// Identifier of the access key.
    pub access_key_id: String,
    /// The access key.
    pub secret_access_key: Secret<String>,
}

/// An archive in a bucket. Cheap to clone.
#[derive(Clone)]
pub struct S3(Arc<Inner>);

struct Inner {
    client: Client,
    bucket: Bucket,
    credentials: Credentials,
    prefix: String,
    tls: Arc<rustls::ClientConfig>,
}

impl S3 {
    /// An archive over what `network` lets it reach. Nothing is asked yet.
    ///
    /// # Errors
    /// The endpoint is no address, or the name of the bucket cannot be one.
    pub fn new(network: Network, settings: &S3Settings) -> Result<Self, Error> {
        Target::http("archive.s3_endpoint", &settings.endpoint)?;
        let wrong = |what: &str| Error::invalid("archive.s3_endpoint", what.to_owned());
        let endpoint = settings.endpoint.parse().map_err(|_| wrong("an address"))?;
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        let name = &settings.bucket;
        if !(3..=63).contains(&name.len()) || !name.chars().all(good) {
            let message = "3 to 63 lower-case letters, digits, hyphens and points";
            return Err(Error::invalid("archive.s3_bucket", message));
        }
        let style = if settings.path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let bucket = Bucket::new(endpoint, style, name.clone(), settings.region.clone())
            .map_err(|error| wrong(&error.to_string()))?;
        let secret = settings.secret_access_key.expose().clone();
        let none = serde_json::Map::new();
        let tls = tls::config(&Settings::new(&none), &Secrets::default(), true)?;
        let prefix = settings.prefix.trim_matches('/');
        let clean = prefix.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
        if !prefix.is_empty() && !clean {
            return Err(Error::invalid("archive.s3_prefix", "a path such as chancery/log"));
        }
        Ok(Self(Arc::new(Inner {
            client: Client::new(network),
            bucket,
            credentials: Credentials::new(settings.access_key_id.clone(), secret),
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
            tls,
        })))
    }

    fn failed(&self, what: impl Into<String>) -> ArchiveError {
        ArchiveError { place: self.place(), what: what.into() }
    }

    /// Asks until there is an answer that trying again would not change.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: &[u8],
    ) -> Result<(StatusCode, Vec<u8>), ArchiveError> {
        let inner = &self.0;
        let mut last = String::new();
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(Duration::from_millis(200) * 4_u32.pow(attempt - 1)).await;
            }
            let key = format!("{}{path}", inner.prefix);
            let (bucket, credentials) = (&inner.bucket, Some(&inner.credentials));
            let url = match method {
                Method::PUT => bucket.put_object(credentials, &key).sign(SIGNED),
                _ => bucket.get_object(credentials, &key).sign(SIGNED),
            };
            let target = Target::http("archive.s3_endpoint", url.as_str())
                .map_err(|error| self.failed(error.to_string()))?;
            let call = Call {
                owner: ("archive".to_owned(), 0),
                target,
                method: method.clone(),
                headers: Vec::new(),
                body: body.to_vec(),
                tls: inner.tls.clone(),
                secret_headers: Vec::new(),
                path_is_secret: true,
                limits: Limits::of(ANSWER),
            };
            match inner.client.fetch(call, OBJECT_MAX).await {
                Ok((status, bytes)) if !status.is_server_error() => return Ok((status, bytes)),
                Ok((status, bytes)) => last = said(status, &bytes),
                Err(error) => last = error.message,
            }
        }
        Err(self.failed(last))
    }
}

/// What the store said, without what else is in its answer.
fn said(status: StatusCode, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    match code.map(|(code, _)| code.chars().take(60).collect::<String>()) {
        Some(code) => format!("the store answered {status}, {code}"),
        None => format!("the store answered {status}"),
    }
}

/// A store may say 404 also of the bucket; that is no object that is missing.
fn lacks_bucket(body: &[u8]) -> bool {
    String::from_utf8_lossy(body).contains("<Code>NoSuchBucket</Code>")
}

impl Archive for S3 {
    fn put(&self, path: String, bytes: Vec<u8>) -> BoxFuture<'static, Result<(), ArchiveError>> {
        let this = self.clone();
        Box::pin(async move {
            let (status, body) = this.ask(Method::PUT, &path, &bytes).await?;
            if status.is_success() { Ok(()) } else { Err(this.failed(said(status, &body))) }
        })
    }

    fn get(&self, path: String) -> BoxFuture<'static, Result<Option<Vec<u8>>, ArchiveError>> {
        let this = self.clone();
        Box::pin(async move {
            let (status, body) = this.ask(Method::GET, &path, &[]).await?;
            match status {
                StatusCode::OK => Ok(Some(body)),
                StatusCode::NOT_FOUND if !lacks_bucket(&body) => Ok(None),
                status => Err(this.failed(said(status, &body))),
            }
        })
    }

    fn place(&self) -> String {
        let url = self.0.bucket.base_url();
        format!("{}{}", url.as_str(), self.0.prefix)
    }
}
