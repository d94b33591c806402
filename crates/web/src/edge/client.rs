//! Where a request comes from: the peer, or what a trusted proxy says.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Once};

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap, header};
use chancery_engine::Client;

/// A proxy that is not trusted was met: said once.
static WARNED: Once = Once::new();

/// Longest user agent that is kept, in characters.
const USER_AGENT_MAX: usize = 256;

/// Which peers are proxies whose `X-Forwarded-For` is believed.
#[derive(Clone)]
pub struct Proxies(Arc<dyn Fn(IpAddr) -> bool + Send + Sync>);

impl Proxies {
    /// Proxies for which `trusted` says yes.
    pub fn new(trusted: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(trusted))
    }

    /// No proxy.
    pub fn none() -> Self {
        Self::new(|_| false)
    }

    fn trust(&self, address: IpAddr) -> bool {
        (self.0)(address)
    }
}

impl std::fmt::Debug for Proxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proxies")
    }
}

/// The peer of a connection, for listeners that have no `ConnectInfo` of their own.
pub type Address = ConnectInfo<SocketAddr>;

/// The client behind a request.
pub(crate) fn client(headers: &HeaderMap, extensions: &Extensions, proxies: &Proxies) -> Client {
    let peer = extensions.get::<Address>().map(|info| info.0.ip().to_canonical());
    let user_agent = headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .map(|text| text.chars().take(USER_AGENT_MAX).collect());
    Client { ip: peer.map(|peer| forwarded(peer, headers, proxies).to_string()), user_agent }
}

/// The first address, from the right, that is not a trusted proxy: everything left of it was
/// written by somebody who is not trusted.
fn forwarded(peer: IpAddr, headers: &HeaderMap, proxies: &Proxies) -> IpAddr {
    let mut address = peer;
    if !proxies.trust(peer) && headers.contains_key("x-forwarded-for") {
        // Behind such a proxy all clients have one address, and share one rate limit.
        WARNED.call_once(|| {
            tracing::warn!(
                %peer,
                "X-Forwarded-For came from a peer that is no trusted proxy, and is ignored: if it \
                 is yours, name it in trusted_proxies"
            );
        });
    }
    let lines: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|v| v.to_str().ok()).collect();
    let mut hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
    while proxies.trust(address) {
        let Some(hop) = hops.next().and_then(parse) else { break };
        address = hop;
    }
    address
}

/// An address as proxies write it: bare, with a port, or in brackets.
fn parse(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.split(']').next()).unwrap_or(text);
    bare.parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(peer: &str, forwarded_for: &[&str], expected: &str) {
        let proxies = Proxies::new(|ip| ip.to_string().starts_with("10."));
        let mut headers = HeaderMap::new();
        for line in forwarded_for {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
        let found = client(&headers, &extensions, &proxies).ip;
        assert_eq!(found.as_deref(), Some(expected), "{peer} {forwarded_for:?}");
    }

    #[test]
    fn only_trusted_proxies_are_believed_and_only_as_far_as_they_reach() {
        check("192.0.2.1", &["198.51.100.7"], "192.0.2.1");
        check("10.0.0.1", &["198.51.100.7"], "198.51.100.7");
        check("10.0.0.1", &["1.2.3.4, 198.51.100.7, 10.0.0.2"], "198.51.100.7");
        check("10.0.0.1", &["1.2.3.4", "198.51.100.7"], "198.51.100.7");
        check("10.0.0.1", &["nonsense"], "10.0.0.1");
        check("10.0.0.1", &[], "10.0.0.1");
        check("::ffff:10.0.0.1", &["[2001:db8::1]:443"], "2001:db8::1");
        check("10.0.0.1", &["198.51.100.7:5000"], "198.51.100.7");
    }

    #[test]
    fn the_user_agent_is_cut() {
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, "x".repeat(1000).parse().unwrap());
        let client = client(&headers, &Extensions::new(), &Proxies::none());
        assert_eq!(client.user_agent.map(|text| text.len()), Some(256));
        assert_eq!(client.ip, None);
    }
}
