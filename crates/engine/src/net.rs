//! The one door out of the house: every connection to an address that a user supplied is opened
//! here and nowhere else.
//!
//! A name is resolved once; every address it has is judged after that, at the moment of connecting;
//! and the connection goes to an address that was judged, never through a second resolution. So a
//! name that changes what it points to between the check and the connection gains nothing. The same
//! function is asked when a destination is saved, when it is tried out and when it is sent to.
//!
//! `judge` is pure; the resolver is a parameter, so that tests can lie. TLS, HTTP and everything
//! else above a connection belongs to the crate that sends. Nothing here may ever follow a
//! redirect.

pub mod judge;
pub mod range;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::net::{TcpStream, UdpSocket};

pub use judge::judge;
pub use range::Range;

/// How long resolving a name may take.
const RESOLVE_MAX: Duration = Duration::from_secs(5);
/// How long one connection may take to be made.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 16;

/// Why nothing was connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// The name has no address.
    #[error("{host} cannot be resolved: {what}")]
    Unresolved {
        /// What was asked for.
        host: String,
        /// What the resolver said.
        what: String,
    },
    /// An address of the name may not be reached.
    #[error(
        "{host} leads to {address}, {reason}: such addresses are refused unless network.allowed_addresses lists them"
    )]
    Refused {
        /// What was asked for.
        host: String,
        /// The address that was refused.
        address: IpAddr,
        /// What kind of address it is.
        reason: &'static str,
    },
    /// None of the addresses answered.
    #[error("cannot connect to {host} port {port}: {what}")]
    Unreachable {
        /// What was asked for.
        host: String,
        /// The port.
        port: u16,
        /// What the last address said.
        what: String,
    },
}

/// Turns names into addresses.
pub trait Resolver: Send + Sync + 'static {
    /// All addresses of `host`.
    fn resolve(&self, host: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>>;
}

/// The machine's own resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, host: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// What may be reached, and how names are resolved. Cheap to clone.
#[derive(Clone)]
pub struct Network {
    allowed: Arc<[Range]>,
    resolver: Arc<dyn Resolver>,
    connect_max: Duration,
}

impl Default for Network {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Network {
    /// Public addresses, and those in `allowed`.
    pub fn new(allowed: Vec<Range>) -> Self {
        Self::with_resolver(allowed, Arc::new(SystemResolver))
    }

    /// The same with another resolver.
    pub fn with_resolver(allowed: Vec<Range>, resolver: Arc<dyn Resolver>) -> Self {
        Self { allowed: allowed.into(), resolver, connect_max: CONNECT_MAX }
    }

    /// The addresses of `host`, all of which may be reached.
    ///
    /// # Errors
    /// It has none, or one of them may not be reached: a name that mixes both is not trusted.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, NetError> {
        let found = self.resolve(host).await?;
        for address in &found {
            if let Err(reason) = judge(*address, &self.allowed) {
                let host = host.to_owned();
                return Err(NetError::Refused { host, address: *address, reason });
            }
        }
        Ok(found)
    }

    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, NetError> {
        let unresolved = |what: String| NetError::Unresolved { host: host.to_owned(), what };
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(vec![address.to_canonical()]);
        }
        if host.is_empty() || host.len() > 253 || host.contains(|c: char| c.is_control()) {
            return Err(unresolved("it is no name of a host".to_owned()));
        }
        let asked = tokio::time::timeout(RESOLVE_MAX, self.resolver.resolve(host.to_owned()));
        let mut found: Vec<IpAddr> = match asked.await {
            Ok(Ok(found)) => found.into_iter().map(|address| address.to_canonical()).collect(),
            Ok(Err(error)) => return Err(unresolved(error.to_string())),
            Err(_) => return Err(unresolved("the resolver does not answer".to_owned())),
        };
        let mut seen = std::collections::HashSet::new();
        found.retain(|address| seen.insert(*address));
        if found.is_empty() {
            return Err(unresolved("it has no address".to_owned()));
        }
        Ok(found)
    }

    /// A connection to `host`, by an address that was judged a moment ago.
    ///
    /// # Errors
    /// It has no address, one that may not be reached, or none that answers in time.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, NetError> {
        let addresses = self.addresses(host).await?;
        let mut last = "nothing was tried".to_owned();
        for address in addresses.into_iter().take(ADDRESSES_MAX) {
            let connecting = TcpStream::connect(SocketAddr::new(address, port));
            match tokio::time::timeout(self.connect_max, connecting).await {
                Ok(Ok(stream)) => {
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => last = error.to_string(),
                Err(_) => last = "no answer in time".to_owned(),
            }
        }
        Err(NetError::Unreachable { host: host.to_owned(), port, what: last })
    }

    /// A socket for datagrams to `host`, by an address that was judged a moment ago.
    ///
    /// # Errors
    /// As [`Network::connect`].
    pub async fn datagrams(&self, host: &str, port: u16) -> Result<UdpSocket, NetError> {
        let addresses = self.addresses(host).await?;
        let mut last = "nothing was tried".to_owned();
        for address in addresses.into_iter().take(ADDRESSES_MAX) {
            let own: SocketAddr = match address {
                IpAddr::V4(_) => SocketAddr::from(([0, 0, 0, 0], 0)),
                IpAddr::V6(_) => SocketAddr::from(([0u16; 8], 0)),
            };
            let opened = async {
                let socket = UdpSocket::bind(own).await?;
                socket.connect(SocketAddr::new(address, port)).await?;
                Ok::<_, std::io::Error>(socket)
            };
            match opened.await {
                Ok(socket) => return Ok(socket),
                Err(error) => last = error.to_string(),
            }
        }
        Err(NetError::Unreachable { host: host.to_owned(), port, what: last })
    }
}

#[cfg(test)]
mod tests;
