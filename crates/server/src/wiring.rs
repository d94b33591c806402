//! Puts the edges onto the engine.

use axum::Router;
use chancery_engine::Engine;

use crate::config::Config;

/// Everything that is served.
pub fn router(engine: Engine, config: &Config, demo: bool) -> Router {
    let _ = (engine, config, demo);
    Router::new()
}
