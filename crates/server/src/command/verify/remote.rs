//! A log that is served: C2SP tlog-tiles over HTTP.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use chancery_seal::tile::TILE_WIDTH;
use chancery_seal::{BundleId, Resource, TileId, Verifier, bundle};
use reqwest::{StatusCode, Url};

use super::content;
use super::source::{Fetch, Fetched};
use super::trust::{Key, KeySource};
use crate::cli::GlobalArguments;
use crate::client;

/// Largest answer that is taken: a full bundle of the longest entries.
const ANSWER_BYTES_MAX: usize = 256 * (65_535 + 2);
/// Tries of one request before it counts as failed.
const TRIES: u32 = 3;

/// The address of a log.
pub(super) struct Remote {
    http: reqwest::Client,
    base: Url,
    token: Option<String>,
}

impl Remote {
    /// The log at `url`. The token is for the server that was named, and goes nowhere else.
    pub(super) fn new(global: &GlobalArguments, url: &str) -> Result<Self> {
        let mut base = client::address(url)?;
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let server = global.server.as_deref().map(client::address).transpose()?;
        let is_there = server.is_some_and(|server| server.origin() == base.origin());
        let token = global.token.clone().filter(|_| is_there);
        Ok(Self { http: client::http()?, base, token })
    }

    /// The key that the log states for itself.
    pub(super) async fn key(&self) -> Result<Key> {
        let bytes = self.bytes("vkey").await?;
        let bytes = bytes.with_context(|| {
            let hint = self.hint();
            format!("{}vkey is not served: name the key of the log with --key{hint}", self.base)
        })?;
        let text = String::from_utf8_lossy(&bytes);
        let verifier: Verifier =
            text.trim().parse().with_context(|| format!("{}vkey is no verifier key", self.base))?;
        Ok(Key::new(vec![verifier], KeySource::Fetched))
    }

    /// Where the log is, if somebody gave the address of a server of ours.
    fn hint(&self) -> String {
        match self.base.path().ends_with("/log/") {
            true => String::new(),
            false => format!("; the log of a Chancery server is at {}log", self.base),
        }
    }

    /// What is served at `path`; `None` where there is nothing.
    async fn bytes(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let mut wait = Duration::from_millis(200);
        for attempt in 1.. {
            match self.attempt(path).await {
                Ok(answer) => return Ok(answer),
                Err(Attempt::Final(error)) => return Err(error),
                Err(Attempt::Again(error)) if attempt == TRIES => return Err(error),
                Err(Attempt::Again(_)) => tokio::time::sleep(wait).await,
            }
            wait *= 4;
        }
        bail!("{path} was not fetched")
    }

    async fn attempt(&self, path: &str) -> Result<Option<Vec<u8>>, Attempt> {
        let url = self.base.join(path).map_err(|error| Attempt::Final(error.into()))?;
        let mut request = self.http.get(url.clone());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let again = |error: reqwest::Error| Attempt::Again(client::unreachable(&url, error));
        let mut response = request.send().await.map_err(again)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(None),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let how = match self.token {
                    Some(_) => "the token given may not read it",
                    None => "entries are read with the token of an auditor (CHANCERY_TOKEN)",
                };
                return Err(Attempt::Final(anyhow!("{url}: {}: {how}", response.status())));
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(Attempt::Again(client::refusal(&url, response).await));
            }
            _ => return Err(Attempt::Final(client::refusal(&url, response).await)),
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(again)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > ANSWER_BYTES_MAX {
                return Err(Attempt::Final(anyhow!("{url}: the answer is too long for a log")));
            }
        }
        Ok(Some(bytes))
    }

    /// What is served under the name `id`, or else under `wider`, the full version of the same.
    async fn either(&self, id: Resource, wider: Option<Resource>) -> Result<Option<Vec<u8>>> {
        match (self.bytes(&id.to_string()).await?, wider) {
            // Partial tiles may be deleted once the full one is there (C2SP tlog-tiles).
            (None, Some(wider)) => self.bytes(&wider.to_string()).await,
            (found, _) => Ok(found),
        }
    }
}

enum Attempt {
    Again(anyhow::Error),
    Final(anyhow::Error),
}

impl Fetch for Remote {
    fn name(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }

    async fn checkpoint(&self) -> Result<Option<Vec<u8>>> {
        let found = self.bytes(&Resource::Checkpoint.to_string()).await?;
        let (base, hint) = (&self.base, self.hint());
        ensure!(found.is_some(), "there is no log at {base}: {base}checkpoint is not served{hint}");
        Ok(found)
    }

    async fn tile(&self, id: TileId) -> Result<Option<Vec<u8>>> {
        let wider = (!id.is_full()).then(|| Resource::Tile(id.full()));
        self.either(Resource::Tile(id), wider).await
    }

    async fn bundle(&self, id: BundleId) -> Result<Option<Fetched>> {
        let wider = (!id.is_full()).then(|| Resource::Entries(id.full()));
        let found = self.either(Resource::Entries(id), wider).await?;
        Ok(found.map(|mut bytes| {
            // What is too short stays as it is and is found so.
            if let Ok(trimmed) = bundle::trim(id, &bytes) {
                let length = trimmed.len();
                bytes.truncate(length);
            }
            content::read(id.index() * u64::from(TILE_WIDTH), bytes)
        }))
    }
}
