//! Certificates to send: a small authority, with keys derived from names.

use chancery_event::Timestamp;
use chancery_pki::Certificate;
use chancery_pki::make::{self, Issuer, Key, Template};

/// Ten days: how old certificates are when they are made.
const AGE: i64 = 10 * Timestamp::DAY;

/// A certification authority for tests.
pub struct Authority {
    certificate: Certificate,
    key: Key,
}

impl Authority {
    /// A self-signed authority with this name, valid from ten days before `now` for ten years.
    pub fn new(name: &str, now: Timestamp) -> Self {
        let now = now.micros();
        let key = Key::from_seed(name.as_bytes()).expect("a key");
        let template = Template::ca(name, now - AGE, now + 3_650 * Timestamp::DAY);
        let der = make::certificate(&template, &key, None).expect("a certificate");
        let certificate = Certificate::parse(&der).expect("a certificate");
        Self { certificate, key }
    }

    /// The authority's own certificate, PEM.
    pub fn pem(&self) -> String {
        self.certificate.to_pem()
    }

    /// A server certificate for `dns`, valid from ten days before `now` for `days` days after it.
    pub fn leaf(&self, dns: &str, now: Timestamp, days: i64) -> Certificate {
        let now = now.micros();
        let key = Key::from_seed(dns.as_bytes()).expect("a key");
        let template = Template::leaf(&[dns], now - AGE, now + days * Timestamp::DAY);
        let issuer = Issuer { certificate: &self.certificate, key: &self.key };
        let der = make::certificate(&template, &key, Some(&issuer)).expect("a certificate");
        Certificate::parse(&der).expect("a certificate")
    }
}
