//! What the form asks for each kind of destination: the members of its settings, and its secrets.
//!
//! The engine and the sender check what is typed; this only says how it is asked for.

/// How a member is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// One line.
    Text,
    /// Several lines.
    Area,
    /// A whole number.
    Number,
    /// A box to tick.
    Tick,
    /// One of several words.
    Word(&'static [&'static str]),
    /// One entry a line.
    List,
    /// `Name: value` a line.
    Pairs,
}

/// A member of the settings: name, label, hint.
pub(super) struct Setting(
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) Ask,
);

/// A secret: name, label, hint.
pub(super) struct SecretOf(
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) &'static str,
);

/// A kind.
pub(super) struct Kind {
    pub(super) word: &'static str,
    pub(super) label: &'static str,
    pub(super) about: &'static str,
    pub(super) settings: &'static [Setting],
    pub(super) secrets: &'static [SecretOf],
    /// Events are written in a dialect.
    pub(super) has_dialect: bool,
    /// People read it: it can be a channel.
    pub(super) tells: bool,
}

const CA: Setting = Setting(
    "ca",
    "Certificates of the authority (PEM)",
    "Only for a receiver whose certificate is not of a public authority.",
    Ask::Area,
);
const CLIENT: Setting = Setting(
    "client_certificate",
    "Client certificate (PEM)",
    "Where the receiver asks for one (mutual TLS).",
    Ask::Area,
);
const CONNECT: Setting = Setting(
    "connect_seconds",
    "Seconds for a connection",
    "With its TLS handshake; 10 unless told otherwise, at most 20.",
    Ask::Number,
);
const ANSWER: Setting = Setting(
    "answer_seconds",
    "Seconds for an answer",
    "15 to 30 unless told otherwise, by kind; at most 60.",
    Ask::Number,
);
const CLIENT_KEY: SecretOf =
    SecretOf("client_key", "Key of the client certificate (PEM)", "Not encrypted.");
const PAYLOAD_KEY: SecretOf = SecretOf(
    "payload_key",
    "Payload key",
    "The base64 of 32 bytes: what is sent is encrypted with it (JWE, A256GCM).",
);
const USER: Setting = Setting("username", "User name", "", Ask::Text);
const PASSWORD: SecretOf = SecretOf("password", "Password", "");
const TOKEN: SecretOf = SecretOf("token", "Token", "Sent as a bearer token.");

/// All kinds, in the order in which they are offered.
pub(super) const KINDS: &[Kind] = &[
    Kind {
        word: "webhook",
        label: "Webhook",
        about: "HTTP requests, signed after Standard Webhooks.",
        settings: &[
            Setting("url", "Address", "Such as https://soc.example.org/hooks/chancery.", Ask::Text),
            Setting(
                "signature",
                "Signature",
                "The secret is made here and shown once, unless you give one below.",
                Ask::Word(&["hmac", "ed25519", "none"]),
            ),
            Setting("headers", "More headers", "One a line, as in X-Team: soc.", Ask::Pairs),
            USER,
            CA,
            CLIENT,
            CONNECT,
            ANSWER,
        ],
        secrets: &[
            TOKEN,
            PASSWORD,
            SecretOf("headers", "Secret headers", "One a line, as in X-Api-Key: …. Never shown."),
            SecretOf("url", "Secret address", "Instead of the address, where it holds a key."),
            CLIENT_KEY,
            SecretOf("signing", "Signing secret", "whsec_… or whsk_…; empty: one is made."),
            PAYLOAD_KEY,
        ],
        has_dialect: true,
        tells: true,
    },
    Kind {
        word: "syslog",
        label: "Syslog",
        about: "RFC 5424 over TLS, TCP or UDP, with CEF, LEEF or another dialect inside.",
        settings: &[
            Setting("address", "Host and port", "Such as logs.example.org:6514.", Ask::Text),
            Setting("transport", "Transport", "", Ask::Word(&["tls", "tcp", "udp"])),
            Setting("framing", "Framing", "", Ask::Word(&["octet_counting", "newline"])),
            CA,
            CLIENT,
            CONNECT,
            ANSWER,
        ],
        secrets: &[CLIENT_KEY],
        has_dialect: true,
        tells: false,
    },
    Kind {
        word: "file",
        label: "File",
        about: "One line for each event, rotated by size, in the data directory of the server.",
        settings: &[
            Setting("file", "Name of the file", "Without folders, such as soc.ndjson.", Ask::Text),
            Setting(
                "max_bytes",
                "Rotated at bytes",
                "100,000,000 unless told otherwise.",
                Ask::Number,
            ),
            Setting("keep", "Rotated files kept", "10 unless told otherwise.", Ask::Number),
        ],
        secrets: &[PAYLOAD_KEY],
        has_dialect: true,
        tells: false,
    },
    Kind {
        word: "nats",
        label: "NATS JetStream",
        about: "Published with the event's identifier, acknowledged by the stream.",
        settings: &[
            Setting("address", "Host and port", "Such as nats.example.org:4222.", Ask::Text),
            Setting("subject", "Subject", "{type} becomes the event's type.", Ask::Text),
            Setting("stream", "Stream", "The stream that is expected to take it.", Ask::Text),
            Setting("tls", "TLS", "", Ask::Tick),
            USER,
            CA,
            CLIENT,
            CONNECT,
            ANSWER,
        ],
        secrets: &[PASSWORD, TOKEN, CLIENT_KEY, PAYLOAD_KEY],
        has_dialect: true,
        tells: false,
    },
    Kind {
        word: "email",
        label: "E-mail",
        about: "Messages by SMTP, text and HTML.",
        settings: &[
            Setting(
                "server",
                "Mail server",
                "Host and port, such as smtp.example.org:587.",
                Ask::Text,
            ),
            Setting("security", "Security", "", Ask::Word(&["starttls", "tls", "none"])),
            Setting("from", "From", "The sender's address.", Ask::Text),
            Setting(
                "to",
                "To",
                "One address a line: who gets what names nobody else. A notification names its own.",
                Ask::List,
            ),
            USER,
            CA,
            CONNECT,
            ANSWER,
        ],
        secrets: &[PASSWORD],
        has_dialect: false,
        tells: true,
    },
    Kind {
        word: "slack",
        label: "Slack",
        about: "An incoming webhook of Slack.",
        settings: &[CA, CONNECT, ANSWER],
        secrets: &[SecretOf("url", "Address of the webhook", "It is a secret in itself.")],
        has_dialect: false,
        tells: true,
    },
    Kind {
        word: "teams",
        label: "Microsoft Teams",
        about: "A Workflows webhook that takes Adaptive Cards.",
        settings: &[CA, CONNECT, ANSWER],
        secrets: &[SecretOf("url", "Address of the webhook", "It is a secret in itself.")],
        has_dialect: false,
        tells: true,
    },
    Kind {
        word: "servicenow",
        label: "ServiceNow",
        about: "Event management, a record in a table or an import set, or the Akeyless application.",
        settings: &[
            Setting("url", "Instance", "Such as https://example.service-now.com.", Ask::Text),
            Setting("mode", "As", "", Ask::Word(&["em_event", "table", "import", "akeyless"])),
            Setting(
                "table",
                "Table",
                "For the modes table (incident unless told otherwise) and import.",
                Ask::Text,
            ),
            USER,
            CA,
            CLIENT,
            CONNECT,
            ANSWER,
        ],
        secrets: &[PASSWORD, TOKEN, CLIENT_KEY],
        has_dialect: false,
        tells: true,
    },
];

/// Words of settings that take events: no channel has them, which carries messages.
pub(super) const OF_EVENTS: &[&str] = &["akeyless"];

/// The kind of this word.
pub(super) fn find(word: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.word == word)
}

/// What people call a kind.
pub(super) fn label(word: &str) -> &str {
    find(word).map_or(word, |kind| kind.label)
}
