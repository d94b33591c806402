//! What every handler can reach.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;
use chancery_engine::Engine;
use chancery_engine::access::Limiter;

use super::Proxies;
use super::figures::HttpFigures;
use super::streams::Streams;

/// How the edge is to work.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where people reach this installation, such as `https://chancery.example`; no slash at the
    /// end.
    pub public_url: String,
    /// The session cookie is `__Host-` and `Secure`; false on plain http alone.
    pub secure_cookies: bool,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Proxies,
    /// Longest upload, in bytes.
    pub max_upload_bytes: usize,
    /// This is a demonstration.
    pub demo: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            public_url: "http://127.0.0.1:8080".to_owned(),
            secure_cookies: false,
            trusted_proxies: Proxies::none(),
            max_upload_bytes: 64 * 1024 * 1024,
            demo: false,
        }
    }
}

/// What every handler can reach. It is cloned for every layer around a route, so it is one pointer.
#[derive(Clone)]
pub struct AppState(Arc<Parts>);

/// What an [`AppState`] points to.
pub struct Parts {
    /// The engine.
    pub engine: Engine,
    /// How the edge is to work.
    pub options: Arc<Options>,
    pub(crate) figures: Arc<HttpFigures>,
    pub(crate) limiter: Arc<Limiter>,
    pub(crate) streams: Streams,
}

impl AppState {
    /// State for an engine.
    pub fn new(engine: Engine, options: Options) -> Self {
        let per_minute = engine.settings().requests_per_second.saturating_mul(60);
        Self(Arc::new(Parts {
            engine,
            options: Arc::new(options),
            figures: Arc::new(HttpFigures::new()),
            limiter: Arc::new(Limiter::new(per_minute)),
            streams: Streams::default(),
        }))
    }
}

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl FromRef<AppState> for Engine {
    fn from_ref(state: &AppState) -> Self {
        state.engine.clone()
    }
}

impl FromRef<AppState> for Arc<Options> {
    fn from_ref(state: &AppState) -> Self {
        state.options.clone()
    }
}
