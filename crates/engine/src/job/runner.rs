//! stub
pub(crate) async fn run(_e: crate::Engine, _s: tokio::sync::watch::Receiver<bool>) {}
