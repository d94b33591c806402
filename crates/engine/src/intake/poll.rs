//! What is fetched from a source: checked when it is saved, by the rules that hold when it is
//! fetched. `intake/poller.rs` fetches.

use chancery_event::Timestamp;
use chancery_event::dialect::Dialect;
use serde::{Deserialize, Serialize};

use crate::delivery::Secrets;
use crate::{Engine, Error, Secret};

/// Name of the secret that a token is kept under.
const TOKEN: &str = "token";
/// How often is asked, in seconds, unless a person says otherwise.
pub(super) const EVERY_S: u32 = 60;
/// A first poll begins so long before it is set up.
const BACK: i64 = Timestamp::DAY;

/// What a person wants to be fetched. In a change, what is absent stays as it was; an empty text
/// takes the filter, or the trust anchors, away.
#[derive(Clone, Default)]
pub struct PollWish {
    /// The address of the other system, without `/api/v1/logs`.
    pub url: String,
    /// Its filter (SCIM), such as `eventType sw "pki."`.
    pub filter: Option<String>,
    /// How often is asked, 10 to 86,400 seconds; at first 60 unless told otherwise.
    pub every_s: Option<u32>,
    /// Since when; a day ago unless told otherwise. Later changes go on where fetching is.
    pub since: Option<Timestamp>,
    /// Trust anchors instead of the machine's, PEM.
    pub ca: Option<String>,
    /// Its API token. `None`: the one that is kept.
    pub token: Option<Secret<String>>,
}

/// What is fetched, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Poll {
    pub(super) url: String,
    #[serde(default)]
    pub(super) filter: Option<String>,
    pub(super) every_s: u32,
    pub(super) since: Timestamp,
    #[serde(default)]
    pub(super) ca: Option<String>,
}

impl PollWish {
    /// The wish with what it does not say taken from what there was.
    pub(super) fn over(mut self, before: &Poll) -> Self {
        self.filter = self.filter.or_else(|| before.filter.clone());
        self.every_s = self.every_s.or(Some(before.every_s));
        self.since = self.since.or(Some(before.since));
        self.ca = self.ca.or_else(|| before.ca.clone());
        self
    }
}

impl Poll {
    pub(super) fn read(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|error| Error::Internal(format!("poll: {error}")))
    }

    pub(super) fn written(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|error| Error::Internal(format!("poll: {error}")))
    }

    /// Path and query of the first page from `since` on.
    pub(super) fn first(&self, since: Timestamp) -> String {
        // To the millisecond, as the other system writes it: the first 23 characters of ours.
        let since: String = since.to_string().chars().take(23).collect();
        let mut path = format!("/api/v1/logs?sortOrder=ASCENDING&limit=500&since={since}Z");
        if let Some(filter) = &self.filter {
            path.push_str("&filter=");
            for byte in filter.bytes() {
                match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                        path.push(char::from(byte));
                    }
                    other => path.push_str(&format!("%{other:02X}")),
                }
            }
        }
        path
    }
}

/// The name that secrets of a source are bound to; no destination can have it.
fn bound_to(name: &str) -> String {
    format!("source/{name}")
}

impl Engine {
    /// What is to be kept of a wish: checked, and its token encrypted. `kept` is the token there
    /// is.
    pub(super) async fn checked_poll(
        &self,
        name: &str,
        dialect: Dialect,
        wish: &PollWish,
        kept: Option<&[u8]>,
    ) -> Result<(Poll, Vec<u8>), Error> {
        if dialect != Dialect::Okta {
            return Err(Error::invalid("poll", "only sources that speak okta are fetched from"));
        }
        let sender = self.settings().sender.clone();
        let sender = sender.ok_or_else(|| Error::invalid("poll", "nothing is fetched here"))?;
        let url = wish.url.trim().trim_end_matches('/').to_owned();
        let ca = wish.ca.clone().filter(|text| !text.trim().is_empty());
        let origin = sender.origin("poll/url", &url, ca.as_deref())?;
        if origin.path.contains('?') {
            return Err(Error::invalid("poll/url", "an address without a query"));
        }
        let is_here = matches!(origin.host.as_str(), "127.0.0.1" | "[::1]" | "localhost");
        if !origin.tls && !is_here {
            return Err(Error::invalid("poll/url", "https://: the token goes with every request"));
        }
        sender
            .network()
            .addresses(&origin.host)
            .await
            .map_err(|error| Error::invalid("poll/url", error.to_string()))?;
        let every_s = wish.every_s.unwrap_or(EVERY_S);
        if !(10..=86_400).contains(&every_s) {
            return Err(Error::invalid("poll/every_s", "10 to 86400 seconds"));
        }
        let filter = wish.filter.as_deref().map(str::trim).filter(|text| !text.is_empty());
        if filter.is_some_and(|text| text.len() > 2_000) {
            return Err(Error::invalid("poll/filter", "at most 2,000 bytes"));
        }
        let now = self.environment().now();
        let since = wish.since.unwrap_or_else(|| now.plus(-BACK));
        if since > now {
            return Err(Error::invalid("poll/since", "a time that has been"));
        }
        let mut secrets = Secrets::open(kept, &self.0.secrets_key, &bound_to(name))?;
        if let Some(token) = &wish.token {
            let text = token.expose().trim();
            if text.len() > 1_024 || !text.bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
                return Err(Error::invalid("poll/token", "printable ASCII without blanks"));
            }
            secrets.set(TOKEN, text);
        }
        let sealed = secrets.sealed(&self.0.secrets_key, &bound_to(name), self.environment())?;
        let sealed = sealed.ok_or_else(|| Error::invalid("poll/token", "a token is needed"))?;
        Ok((Poll { url, filter: filter.map(str::to_owned), every_s, since, ca }, sealed))
    }

    /// The token that a source is fetched from with.
    pub(super) fn poll_token(
        &self,
        name: &str,
        sealed: Option<&[u8]>,
    ) -> Result<Secret<String>, Error> {
        let secrets = Secrets::open(sealed, &self.0.secrets_key, &bound_to(name))?;
        let token = secrets.find(TOKEN).unwrap_or_default().to_owned();
        Ok(Secret::new(token))
    }
}
