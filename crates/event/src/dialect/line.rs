//! Lines of text: CEF, LEEF 2.0, and syslog (RFC 5424), which can also carry the other two.
//!
//! A line never contains a line break, whatever the event holds: every value is escaped as its
//! format says, or has its control characters replaced where the format has no escape.

use super::facts::{Facts, PRODUCT, PRODUCT_VERSION, millis};
use super::{Rendered, Shown};
use crate::envelope::{Severity, Target};

const TEXT: &str = "text/plain; charset=utf-8";
/// Facility 13: log audit (RFC 5424 §6.2.1).
const FACILITY: u8 = 13;
/// The private enterprise number for documentation (RFC 5612 §2): we have none of our own.
const SD_ID: &str = "chancery@32473";

pub(super) fn rendered(line: String) -> Rendered {
    Rendered::new(TEXT, line.into_bytes())
}

pub(super) fn lines(batch: &[Shown<'_>], one: impl Fn(Shown<'_>) -> String) -> Rendered {
    let mut text = String::new();
    for shown in batch {
        text.push_str(&one(*shown));
        text.push('\n');
    }
    rendered(text)
}

/// The name that a type is told with: in the header of CEF and LEEF, as MSGID of syslog.
fn signature<'a>(facts: &Facts<'a>) -> &'a str {
    &facts.event.type_name
}

/// `CEF:0|vendor|product|version|signature|name|severity|extension`.
pub(super) fn cef(shown: Shown<'_>) -> String {
    let facts = Facts::of(shown);
    let severity = match facts.event.severity {
        Severity::Debug => 0,
        Severity::Info => 3,
        Severity::Warning => 6,
        Severity::Error => 8,
        Severity::Critical => 10,
    };
    let name = facts.info.map_or(signature(&facts), |info| {
        info.description.lines().next().unwrap_or_default().trim_end_matches('.')
    });
    let mut line = String::from("CEF:0");
    for part in [PRODUCT, PRODUCT, PRODUCT_VERSION, signature(&facts), name] {
        line.push('|');
        escaped(&mut line, part, &['|', '\\']);
    }
    line.push_str(&format!("|{severity}|"));
    for (at, (key, value)) in cef_members(&facts).into_iter().enumerate() {
        if at > 0 {
            line.push(' ');
        }
        line.push_str(key);
        line.push('=');
        escaped(&mut line, &value, &['=', '\\']);
    }
    line
}

/// Writes `text` with a backslash before `special` ones; line breaks as `\n`, other control
/// characters as blanks.
fn escaped(line: &mut String, text: &str, special: &[char]) {
    for c in text.chars() {
        match c {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            c if special.contains(&c) => {
                line.push('\\');
                line.push(c);
            }
            c if c.is_control() => line.push(' '),
            c => line.push(c),
        }
    }
}

fn cef_members(facts: &Facts<'_>) -> Vec<(&'static str, String)> {
    let event = facts.event;
    let certificate = facts.certificate().unwrap_or_default();
    let mut members = Vec::new();
    let mut put = |key: &'static str, value: Option<String>| {
        members.extend(value.filter(|value| !value.is_empty()).map(|value| (key, value)));
    };
    let own = |text: Option<&str>| text.map(str::to_owned);
    put("rt", Some(millis(event.time).to_string()));
    put("act", own(event.type_name.rsplit('.').next()));
    put("cat", own(event.type_name.split('.').next()));
    put("outcome", Some(event.outcome.result.to_string()));
    put("reason", facts.because());
    put("suser", own(facts.actor_name()));
    put("suid", own(facts.actor_id()));
    match facts.client_ip() {
        Some(ip) if ip.contains(':') => {
            put("c6a2", own(Some(ip)));
            put("c6a2Label", own(Some("Source IPv6 Address")));
        }
        ip => put("src", own(ip)),
    }
    put("requestClientApplication", own(facts.user_agent()));
    put("dvchost", own(Some(facts.host())));
    put("externalId", Some(event.id.to_string()));
    let labelled = [
        ("cs1", "cs1Label", "Certificate SHA-256", own(certificate.fingerprint)),
        ("cs2", "cs2Label", "Certificate serial number", own(certificate.serial)),
        ("cs3", "cs3Label", "Certificate issuer", own(certificate.issuer)),
        ("cs4", "cs4Label", "Certificate subject", own(certificate.subject)),
        ("cs5", "cs5Label", "Targets", Some(targets(facts))),
        ("cs6", "cs6Label", "Origin", Some(event.origin.to_string())),
        ("cn1", "cn1Label", "Log index", facts.index.map(|index| index.to_string())),
    ];
    for (key, label_key, label, value) in labelled {
        if value.as_ref().is_some_and(|value| !value.is_empty()) {
            put(label_key, own(Some(label)));
            put(key, value);
        }
    }
    if let Some(end) = certificate.not_after {
        put("deviceCustomDate1Label", own(Some("Certificate not after")));
        put("deviceCustomDate1", Some(millis(end).to_string()));
    }
    put("msg", Some(facts.sentence()));
    members
}

fn targets(facts: &Facts<'_>) -> String {
    let targets: Vec<_> = facts.event.targets.iter().map(Target::reference).collect();
    targets.join(" ")
}

/// `LEEF:2.0|vendor|product|version|event|x09|key=value⇥key=value`.
pub(super) fn leef(shown: Shown<'_>) -> String {
    let facts = Facts::of(shown);
    let event = facts.event;
    let severity = match event.severity {
        Severity::Debug => 1,
        Severity::Info => 2,
        Severity::Warning => 5,
        Severity::Error => 8,
        Severity::Critical => 10,
    };
    let certificate = facts.certificate().unwrap_or_default();
    let members = [
        ("devTime", Some(format!("{:.3}", event.time.to_jiff()))),
        ("devTimeFormat", Some("yyyy-MM-dd'T'HH:mm:ss.SSSX".to_owned())),
        ("cat", event.type_name.split('.').next().map(str::to_owned)),
        ("sev", Some(severity.to_string())),
        ("usrName", facts.actor_name().map(str::to_owned)),
        ("src", facts.client_ip().map(str::to_owned)),
        ("outcome", Some(event.outcome.result.to_string())),
        ("reason", facts.because()),
        ("origin", Some(event.origin.to_string())),
        ("eventId", Some(event.id.to_string())),
        ("logIndex", facts.index.map(|index| index.to_string())),
        ("targets", Some(targets(&facts)).filter(|targets| !targets.is_empty())),
        ("certSha256", certificate.fingerprint.map(str::to_owned)),
        ("certSerial", certificate.serial.map(str::to_owned)),
        ("certIssuer", certificate.issuer.map(str::to_owned)),
        ("certSubject", certificate.subject.map(str::to_owned)),
        ("certNotAfter", certificate.not_after.map(|time| time.to_string())),
        ("msg", Some(facts.sentence())),
    ];
    let mut line = String::from("LEEF:2.0");
    for part in [PRODUCT, PRODUCT, PRODUCT_VERSION, signature(&facts), "x09"] {
        line.push('|');
        line.push_str(&part.replace('|', "_"));
    }
    line.push('|');
    let members = members.into_iter().filter_map(|(key, value)| Some((key, value?)));
    for (at, (key, value)) in members.enumerate() {
        if at > 0 {
            line.push('\t');
        }
        line.push_str(key);
        line.push('=');
        // There is no escape: the delimiter and line breaks may not stand in a value.
        line.extend(value.chars().map(|c| if c.is_control() { ' ' } else { c }));
    }
    line
}

/// A line of syslog (RFC 5424 §6) with the event as structured data and `message` as MSG. No
/// framing: that belongs to the transport.
pub fn syslog(shown: Shown<'_>, message: &str) -> String {
    let facts = Facts::of(shown);
    let event = facts.event;
    let priority = u16::from(FACILITY) * 8 + u16::from(facts.syslog_severity());
    // §6.2: printable ASCII of bounded length, or `-`.
    let field = |text: &str, max: usize| {
        let text: String = text.chars().filter(char::is_ascii_graphic).take(max).collect();
        if text.is_empty() { "-".to_owned() } else { text }
    };
    let mut line = format!(
        "<{priority}>1 {} {} chancery - {} [{SD_ID}",
        event.time,
        field(facts.host(), 255),
        field(signature(&facts), 32),
    );
    let certificate = facts.certificate().unwrap_or_default();
    let index = facts.index.map(|index| index.to_string());
    let (id, targets) = (event.id.to_string(), targets(&facts));
    let members = [
        ("id", Some(id.as_str())),
        ("type", Some(event.type_name.as_ref())),
        ("outcome", Some(event.outcome.result.as_str())),
        ("reason", event.outcome.reason.as_deref()),
        ("severity", Some(event.severity.as_str())),
        ("origin", Some(event.origin.as_str())),
        ("actor", facts.actor_name().or(facts.actor_id())),
        ("ip", facts.client_ip()),
        ("index", index.as_deref()),
        ("targets", Some(targets.as_str()).filter(|targets| !targets.is_empty())),
        ("sha256", certificate.fingerprint),
        ("serial", certificate.serial),
        ("issuer", certificate.issuer),
        ("subject", certificate.subject),
    ];
    for (name, value) in members {
        let Some(value) = value else { continue };
        line.push_str(&format!(" {name}=\""));
        // §6.3.3: `"`, `\` and `]` have a backslash before them.
        for c in value.chars() {
            match c {
                '"' | '\\' | ']' => line.extend(['\\', c]),
                c if c.is_control() => line.push(' '),
                c => line.push(c),
            }
        }
        line.push('"');
    }
    line.push_str("] ");
    // §6.4: text in UTF-8 begins with the byte order mark.
    if !message.is_ascii() {
        line.push('\u{FEFF}');
    }
    line.extend(message.chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }));
    line
}

/// A line of syslog whose message is the sentence about the event.
pub(super) fn rfc5424(shown: Shown<'_>) -> String {
    syslog(shown, &crate::sentence::sentence(shown.event))
}
