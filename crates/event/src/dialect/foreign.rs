//! Events of other systems, as far as they are understood.
//!
//! Reading is tolerant about what it does not know and strict about what it needs: a code that the
//! catalogue does not have is kept as it came, a body without any code is refused with the reason.
//! Everything here comes from outside: texts are cut to bounded lengths, nothing is believed.

use serde_json::{Map, Value};

use crate::catalogue::EventType;
use crate::envelope::{Severity, Verdict};
use crate::time::Timestamp;

/// Longest text that is taken over, in bytes.
pub(super) const TEXT_MAX: usize = 1_024;
/// Events of one body at most.
pub const BATCH_MAX: usize = 1_000;
/// How deep certificates are looked for.
const DEPTH_MAX: usize = 12;
/// Certificates of one event at most.
const CERTIFICATES_MAX: usize = 32;

/// An event of another system.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreign {
    /// What the other system calls it, as it came; 1 to 1,024 bytes without control characters.
    pub code: String,
    /// The type of ours that means the same, where there is one.
    pub meaning: Option<EventType>,
    /// The other system's identifier of the event, where it has one.
    pub id: Option<String>,
    /// When it happened, where the other system says so.
    pub time: Option<Timestamp>,
    /// How it ended; success where nothing says otherwise.
    pub result: Verdict,
    /// How much it matters there; `None` where nothing tells.
    pub severity: Option<Severity>,
    /// What or why, in the other system's words; may be about people.
    pub message: Option<String>,
    /// Who acted there; about a person.
    pub actor: Option<String>,
    /// Address of the client there; about a person.
    pub client_ip: Option<String>,
    /// What it is about there; may be about a person.
    pub subject: Option<String>,
    /// Certificates that it names.
    pub certificates: Vec<NamedCertificate>,
    /// The event as it came: compact JSON, or the line.
    pub body: String,
}

/// A certificate as another system names it. One that has neither a fingerprint nor both issuer and
/// serial number is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedCertificate {
    /// SHA-256 of its DER, 64 lower-case hexadecimal digits.
    pub fingerprint_sha256: Option<String>,
    /// SHA-1 of its DER, 40 lower-case hexadecimal digits: what older systems go by. Two
    /// certificates can be made to share one.
    pub fingerprint_sha1: Option<String>,
    /// Serial number, lower-case hexadecimal without separators and leading zeros.
    pub serial_number: Option<String>,
    /// Issuer, as the other system writes it.
    pub issuer_dn: Option<String>,
    /// Subject, as the other system writes it; may be about a person.
    pub subject_dn: Option<String>,
}

/// A body that cannot be read as events.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is not text in UTF-8.
    #[error("the body is not text in UTF-8")]
    Encoding,
    /// It is not JSON.
    #[error("the body is not JSON: {0}")]
    Json(String),
    /// It has another shape.
    #[error("event {}: {message}", .position + 1)]
    Shape {
        /// Which event of the body, from 0.
        position: usize,
        /// What is missing or wrong.
        message: String,
    },
    /// There are too many events in it.
    #[error("the body has {0} events; at most {BATCH_MAX} are taken at once")]
    TooMany(usize),
    /// The dialect is only written, never read.
    #[error("attributes are in headers: read it together with them")]
    Headers,
}

impl Foreign {
    /// An event with this code, about which nothing else is known.
    pub(super) fn new(code: &str, meaning: Option<EventType>, body: String) -> Option<Self> {
        let code = bounded(code)?;
        Some(Self {
            code,
            meaning,
            id: None,
            time: None,
            result: Verdict::Success,
            severity: None,
            message: None,
            actor: None,
            client_ip: None,
            subject: None,
            certificates: Vec::new(),
            body,
        })
    }
}

/// A text from outside: without control characters, not empty, and not too long.
pub(super) fn bounded(text: &str) -> Option<String> {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let clean = clean.trim();
    let mut end = clean.len().min(TEXT_MAX);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    (end > 0).then(|| clean[..end].to_owned())
}

/// The certificates that are named anywhere in `value`: objects with a fingerprint (SHA-256 or
/// SHA-1, told by its length), or with an issuer and a serial number, under any of the names that
/// systems use.
pub(super) fn certificates(value: &Value) -> Vec<NamedCertificate> {
    let mut found = Vec::new();
    walk(value, 0, &mut found);
    found
}

fn walk(value: &Value, depth: usize, found: &mut Vec<NamedCertificate>) {
    if depth > DEPTH_MAX || found.len() >= CERTIFICATES_MAX {
        return;
    }
    match value {
        Value::Object(members) => {
            let named = named(members);
            if let Some(named) = named.filter(|named| !found.contains(named)) {
                found.push(named);
            }
            members.values().for_each(|member| walk(member, depth + 1, found));
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, depth + 1, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The certificate that one object names by its own members.
fn named(members: &Map<String, Value>) -> Option<NamedCertificate> {
    let mut certificate = NamedCertificate::default();
    for (name, value) in members {
        let Some(text) = value.as_str().filter(|text| text.len() <= TEXT_MAX) else { continue };
        let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        match name.to_ascii_lowercase().as_str() {
            "fingerprint"
            | "fingerprintsha256"
            | "sha256fingerprint"
            | "certsha256"
            | "sha256"
            | "fingerprintsha1"
            | "sha1fingerprint"
            | "sha1"
            | "thumbprintsha1"
            | "thumbprint"
            | "certificatethumbprint"
            | "thumbprintsha256"
            | "cs1" => {
                let hex = hex(text).unwrap_or_default();
                match hex.len() {
                    64 => certificate.fingerprint_sha256 = Some(hex),
                    40 => certificate.fingerprint_sha1 = Some(hex),
                    _ => {}
                }
            }
            "serialnumber"
            | "serial"
            | "certificateserial"
            | "certserial"
            | "certificateserialnumber"
            | "x509serial"
            | "cs2" => {
                certificate.serial_number = serial(text).or(certificate.serial_number);
            }
            "issuer" | "issuerdn" | "issuername" | "certificateissuer" | "certissuer"
            | "x509issuer" | "cs3" => certificate.issuer_dn = bounded(text),
            "subjectdn"
            | "subject"
            | "certificatedn"
            | "certificatesubjectdn"
            | "certsubject"
            | "cs4" => certificate.subject_dn = bounded(text).filter(|text| text.contains('=')),
            _ => {}
        }
    }
    let issuer = members.get("issuer").and_then(|issuer| issuer.get("distinguished_name"));
    if let Some(issuer) = issuer.and_then(Value::as_str) {
        certificate.issuer_dn = bounded(issuer);
    }
    let is_one = certificate.fingerprint_sha256.is_some()
        || certificate.fingerprint_sha1.is_some()
        || certificate.serial_number.is_some() && certificate.issuer_dn.is_some();
    is_one.then_some(certificate)
}

/// Hexadecimal digits in lower case, separators left out; nothing if there is anything else.
fn hex(text: &str) -> Option<String> {
    let named = ["sha256:", "SHA256:", "sha1:", "SHA1:"];
    let text = named.iter().find_map(|name| text.strip_prefix(name)).unwrap_or(text);
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | ' ' | '-')).collect::<String>();
    let fits = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit());
    fits.then(|| digits.to_ascii_lowercase())
}

/// A serial number without leading zeros: how many there are is a matter of taste.
pub fn serial(text: &str) -> Option<String> {
    let text = text.strip_prefix("0x").or(text.strip_prefix("0X")).unwrap_or(text);
    let digits = hex(text).filter(|digits| digits.len() <= 64)?;
    let digits = digits.trim_start_matches('0');
    Some(if digits.is_empty() { "0".to_owned() } else { digits.to_owned() })
}
