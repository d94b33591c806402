//! Which kind is sent how: the one [`Sender`] that the engine is given.

use std::path::PathBuf;
use std::sync::Arc;

use chancery_engine::Error;
use chancery_engine::delivery::{
    Address, Checked, Definition, Fetch, Fetched, Origin, Parcel, Secrets, SendError, Sender, Sent,
};
use chancery_engine::net::Network;
use futures::future::BoxFuture;
use serde_json::Value;

use crate::sender::{email, file, nats, servicenow, slack, syslog, teams, webhook};
use crate::wire::address::Target;
use crate::wire::http::{ANSWER, Call, Client};
use crate::wire::limits::Limits;
use crate::wire::tls;

/// All senders over one network.
#[derive(Clone)]
pub struct Senders(Arc<Inner>);

struct Inner {
    client: Client,
    directory: PathBuf,
}

impl Senders {
    /// Senders that reach what `network` lets them, and write files in `directory`.
    pub fn new(network: Network, directory: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Inner { client: Client::new(network), directory: directory.into() }))
    }
}

/// The secrets that a kind uses. What it would not use is refused: nobody shall believe that
/// something is signed or encrypted when it is not.
fn secrets_of(kind: &str) -> &'static [&'static str] {
    match kind {
        "webhook" => &[
            "signing",
            "signing_previous",
            "signing_previous_until",
            "token",
            "password",
            "headers",
            "url",
            "client_key",
            "payload_key",
        ],
        "syslog" => &["client_key"],
        "file" => &["payload_key"],
        "nats" => &["password", "token", "client_key", "payload_key"],
        "email" => &["password"],
        "slack" | "teams" => &["url"],
        "servicenow" => &["password", "token", "client_key"],
        _ => &[],
    }
}

impl Sender for Senders {
    fn kinds(&self) -> Vec<&'static str> {
        vec!["webhook", "syslog", "file", "nats", "email", "slack", "teams", "servicenow"]
    }

    fn check(&self, definition: &Definition, secrets: &mut Secrets) -> Result<Checked, Error> {
        let known = secrets_of(&definition.kind);
        if let Some(other) = secrets.names().iter().find(|name| !known.contains(&name.as_str())) {
            let message = match known {
                [] => format!("{} has no secrets", definition.kind),
                _ => format!("{} knows {}", definition.kind, known.join(", ")),
            };
            return Err(Error::invalid(format!("secrets/{other}"), message));
        }
        match definition.kind.as_str() {
            "webhook" => webhook::check(definition, secrets),
            "syslog" => syslog::check(definition, secrets),
            "file" => file::check(definition, secrets, &self.0.directory),
            "nats" => nats::check(definition, secrets),
            "email" => email::check(definition, secrets),
            "slack" | "teams" => slack::check(definition, secrets),
            "servicenow" => servicenow::check(definition, secrets),
            other => Err(Error::invalid("kind", format!("{other} is no kind of destination"))),
        }
    }

    fn send(&self, address: Arc<Address>, parcel: Parcel) -> BoxFuture<'static, Sent> {
        let inner = self.0.clone();
        Box::pin(async move {
            let client = &inner.client;
            match address.definition.kind.as_str() {
                "webhook" => webhook::send(client, &address, &parcel).await,
                "syslog" => syslog::send(client.network(), &address, &parcel).await,
                "file" => file::send(&inner.directory, &address, &parcel).await,
                "nats" => nats::send(client.network(), &address, &parcel).await,
                "email" => email::send(client.network(), &address, &parcel).await,
                "slack" => slack::send(client, &address, &parcel).await,
                "teams" => teams::send(client, &address, &parcel).await,
                "servicenow" => servicenow::send(client, &address, &parcel).await,
                other => {
                    let message = format!("{other} is no kind of destination");
                    Sent::failed(Value::Null, SendError::new("configuration", message))
                }
            }
        })
    }

    fn verify(
        &self,
        address: Arc<Address>,
        challenge: String,
    ) -> BoxFuture<'static, Result<(), SendError>> {
        let inner = self.0.clone();
        Box::pin(async move {
            match address.definition.kind.as_str() {
                "webhook" => webhook::verify(&inner.client, &address, challenge).await,
                _ => Ok(()),
            }
        })
    }

    fn network(&self) -> Network {
        self.0.client.network().clone()
    }

    fn origin(&self, field: &str, url: &str, ca: Option<&str>) -> Result<Origin, Error> {
        let target = Target::http(field, url)?;
        tls::with_roots("poll/ca", ca)?;
        let origin = target.origin();
        Ok(Origin { tls: target.tls, host: target.host, origin, path: target.path })
    }

    fn fetch(&self, fetch: Fetch) -> BoxFuture<'static, Result<Fetched, SendError>> {
        let inner = self.0.clone();
        Box::pin(async move {
            let wrong = |error: Error| SendError::new("configuration", error.to_string());
            let call = Call {
                owner: fetch.owner,
                target: Target::http("poll/url", &fetch.url).map_err(wrong)?,
                method: http::Method::GET,
                headers: Vec::new(),
                secret_headers: fetch.headers,
                body: Vec::new(),
                tls: tls::with_roots("poll/ca", fetch.ca.as_deref()).map_err(wrong)?,
                path_is_secret: false,
                limits: Limits::of(ANSWER),
            };
            inner.client.fetch_page(call, fetch.body_max).await
        })
    }

    fn public_key(&self, definition: &Definition, secrets: &Secrets) -> Option<String> {
        (definition.kind == "webhook").then(|| webhook::public_key(secrets)).flatten()
    }
}
