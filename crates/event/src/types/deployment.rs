//! Certificates on their way to where they are served, and notices on their way to people.

use super::Word;
use super::certificate::CertificateSummary;

payloads! {
    /// The push of a certificate to where it is served has begun.
    Started: CertificateSummary {
        /// Where it goes.
        destination_id: String,
    }

    /// A certificate was pushed to where it is served.
    Push: Option<CertificateSummary> {
        /// Where it went.
        destination_id: Option<String>,
        /// What kind of place that is, such as `nginx` or `key_vault`.
        destination_kind: Option<Word>,
        /// How many attempts it took.
        attempts: Option<u32>,
        /// How long it took, in milliseconds.
        duration_ms: Option<u64>,
    }

    /// It was checked that an endpoint serves the certificate that it should.
    Validate: Option<CertificateSummary> {
        /// The endpoint, such as `www.example.com:443`.
        endpoint: Option<String>,
        /// SHA-256 of the certificate it serves, 64 lower-case hexadecimal digits.
        served_fingerprint_sha256: Option<String>,
    }

    /// A place that serves a certificate was told to stop using it.
    Remove: Option<CertificateSummary> {
        /// Where it was served.
        destination_id: Option<String>,
    }

    /// A certificate stored with a third party was deleted there.
    Delete: Option<CertificateSummary> {
        /// Where it was stored.
        destination_id: Option<String>,
    }

    /// A notice was sent by e-mail.
    NotificationEmail {
        /// The channel that sent it.
        channel_id: Option<String>,
        /// Name of the template.
        template: Option<String>,
        /// How many it went to.
        recipients: u32,
        /// How many attempts it took.
        attempts: Option<u32>,
    }
    personal {
        /// The addresses it went to, separated by commas.
        recipient_addresses,
    }

    /// A notice was sent to a chat, a webhook or another service.
    NotificationPost {
        /// The channel that sent it.
        channel_id: Option<String>,
        /// What kind of channel, such as `webhook`.
        channel_kind: Option<Word>,
        /// Status of the HTTP answer.
        http_status: Option<u16>,
        /// How many attempts it took.
        attempts: Option<u32>,
    }

    /// A connection to a third party was set up or tried.
    ThirdPartyConnect {
        /// The third party.
        third_party_id: Option<String>,
        /// What kind it is, such as `load_balancer`.
        third_party_kind: Option<Word>,
    }

    /// The alignment with a third party brought about an issue.
    SyncEnroll {
        /// The third party.
        third_party_id: Option<String>,
        /// Its name of the object.
        container: Option<String>,
    }

    /// The alignment with a third party brought about a renewal.
    SyncRenew: Option<CertificateSummary> {
        /// The third party.
        third_party_id: Option<String>,
        /// Its name of the object.
        container: Option<String>,
    }

    /// The alignment with a third party brought about a revocation.
    SyncRevoke: Option<CertificateSummary> {
        /// The third party.
        third_party_id: Option<String>,
        /// Its name of the object.
        container: Option<String>,
    }

    /// A data source was passed over because its inputs came to nothing.
    DatasourceIgnored {
        /// The data source.
        datasource_id: String,
        /// Names of the inputs that were empty.
        empty_inputs: Vec<String>,
    }
}
