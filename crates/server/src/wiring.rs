//! Puts the edges onto the engine.

use axum::Router;
use chancery_engine::Engine;
use chancery_web::edge::{AppState, Options, Proxies};

use crate::config::Config;

/// Everything that is served.
pub fn router(engine: Engine, config: &Config, demo: bool) -> Router {
    let trusted = config.serving.trusted_proxies.clone();
    let options = Options {
        public_url: config.serving.public_url.as_str().trim_end_matches('/').to_owned(),
        secure_cookies: config.serving.public_url.is_https(),
        trusted_proxies: Proxies::new(move |address| {
            trusted.iter().any(|range| range.contains(address))
        }),
        max_upload_bytes: usize::try_from(config.limits.max_upload_bytes).unwrap_or(usize::MAX),
        demo,
    };
    chancery_web::router(AppState::new(engine, options)).0
}
