//! Listeners for syslog: where lines come in. Who may send them is said by each source.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::problem::Problem;
use super::reader::Reader;
use super::setting::Setting;

/// The settings of this section.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "syslog.udp",
        default: "none",
        expected: "addresses with ports such as 0.0.0.0:514",
        meaning: "Listens for syslog over UDP there. Who may send is said by each source.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "syslog.tcp",
        default: "none",
        expected: "addresses with ports such as 0.0.0.0:601",
        meaning: "Listens for syslog over TCP there, in both framings.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "syslog.tls",
        default: "none",
        expected: "addresses with ports such as 0.0.0.0:6514",
        meaning: "Listens for syslog over TLS there.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "syslog.certificate",
        default: "that of tls.certificate",
        expected: "the path of a PEM file",
        meaning: "Certificate chain of the listeners for syslog over TLS, leaf first.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "syslog.key",
        default: "that of tls.key",
        expected: "the path of a PEM file",
        meaning: "Private key of the listeners for syslog over TLS.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "syslog.client_ca",
        default: "none: no client certificate is asked for",
        expected: "the path of a PEM file",
        meaning: "Authorities of client certificates of senders; a sender may show one.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "syslog.connections_max",
        default: "256",
        expected: "a number between 1 and 65536",
        meaning: "Connections of senders of syslog at a time, over TCP and TLS together.",
        flag: None,
        is_secret: false,
    },
];

/// Where lines come in.
#[derive(Debug, Clone)]
pub struct Syslog {
    /// Addresses for UDP.
    pub udp: Vec<SocketAddr>,
    /// Addresses for TCP.
    pub tcp: Vec<SocketAddr>,
    /// Addresses for TLS.
    pub tls: Vec<SocketAddr>,
    /// Certificate and key of the TLS listeners, where they are not those of the server.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Authorities of client certificates.
    pub client_ca: Option<PathBuf>,
    /// Connections at a time.
    pub connections_max: usize,
}

impl Syslog {
    pub(super) fn read(reader: &mut Reader, server_has_tls: bool) -> Self {
        let udp = reader.value("syslog.udp", Vec::new());
        let tcp = reader.value("syslog.tcp", Vec::new());
        let tls: Vec<SocketAddr> = reader.value("syslog.tls", Vec::new());
        let certificate: Option<PathBuf> = reader.optional("syslog.certificate");
        let key: Option<PathBuf> = reader.optional("syslog.key");
        let client_ca = reader.optional("syslog.client_ca");
        let connections_max = reader.number("syslog.connections_max", 256, 1..=65_536) as usize;
        let mut report = |key: &'static str, message: &str| {
            if let Some(source) = reader.source(key) {
                let place = source.to_string();
                reader.report(Problem { place, message: message.to_owned() });
            }
        };
        let identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => {
                report("syslog.certificate", "syslog.certificate is set and syslog.key is not");
                None
            }
            (None, Some(_)) => {
                report("syslog.key", "syslog.key is set and syslog.certificate is not");
                None
            }
        };
        if !tls.is_empty() && identity.is_none() && !server_has_tls {
            report("syslog.tls", "TLS needs a certificate: set syslog.certificate and syslog.key");
        }
        Self { udp, tcp, tls, identity, client_ca, connections_max }
    }

    /// Whether there is no listener.
    pub fn is_empty(&self) -> bool {
        self.udp.is_empty() && self.tcp.is_empty() && self.tls.is_empty()
    }
}
