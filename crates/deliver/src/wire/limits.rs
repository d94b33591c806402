//! Time limits of an attempt, which a destination may set within bounds.
//!
//! | setting | |
//! |---|---|
//! | `connect_seconds` | for connection and TLS handshake together; 10, at most 20 |
//! | `answer_seconds` | for each answer that is waited for; at most 60 |
//!
//! Whatever is set, the engine ends an attempt that takes longer than a minute and a half.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_engine::Error;
use chancery_engine::delivery::SendError;
use chancery_engine::net::Network;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::address::Target;
use super::http::refused;
use super::tls;
use crate::settings::Settings;

const CONNECT: i64 = 10;
const CONNECT_MAX: i64 = 20;
const ANSWER_MAX: i64 = 60;

/// How long a receiver is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// From the first packet to the end of the handshake.
    pub(crate) connect: Duration,
    /// From what was sent to what is answered.
    pub(crate) answer: Duration,
}

impl Limits {
    /// Where nothing is said: `answer` in seconds.
    pub(crate) fn of(answer: i64) -> Self {
        Self { connect: seconds(CONNECT), answer: seconds(answer) }
    }

    /// Reads them; `answer` in seconds where nothing is said.
    pub(crate) fn read(settings: &Settings<'_>, answer: i64) -> Result<Self, Error> {
        let connect = settings.number("connect_seconds", CONNECT, (1, CONNECT_MAX))?;
        let answer = settings.number("answer_seconds", answer, (1, ANSWER_MAX))?;
        Ok(Self { connect: seconds(connect), answer: seconds(answer) })
    }

    /// Opens a connection.
    pub(crate) async fn connect(
        self,
        network: &Network,
        target: &Target,
    ) -> Result<TcpStream, SendError> {
        let connecting = network.connect(&target.host, target.port);
        match tokio::time::timeout(self.connect, connecting).await {
            Ok(opened) => opened.map_err(refused),
            Err(_) => {
                let message =
                    format!("{}:{} takes no connection in time", target.host, target.port);
                Err(SendError::new("timeout", message))
            }
        }
    }

    /// Opens a connection and shakes hands.
    pub(crate) async fn connect_tls(
        self,
        network: &Network,
        target: &Target,
        config: Arc<ClientConfig>,
    ) -> Result<TlsStream<TcpStream>, SendError> {
        let started = Instant::now();
        let stream = self.connect(network, target).await?;
        let left = self.connect.saturating_sub(started.elapsed());
        tls::wrap(stream, &target.host, config, left).await
    }
}

fn seconds(count: i64) -> Duration {
    Duration::from_secs(count.unsigned_abs())
}
