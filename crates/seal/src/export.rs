//! Exports: a part of a log in one file of JSON lines that can be verified off-line.
//!
//! ```text
//! {"format":"chancery-export/1","origin":…,"first":…,"last":…,"filter":…,"key":…,
//!  "checkpoint":"<signed note>","proof":"range",
//!  "range_proof":{"start":…,"end":…,"size":…,"hashes":[…]}}
//! {"log_index":…,"leaf":"<base64>","entry":"<sealed bytes>","event":{…}}
//! …
//! {"end":true,"events":…}
//! ```
//!
//! The first line is a [`Header`], every other but the last a [`Line`], the last an [`End`]: a file
//! that was cut off has none. There are three kinds of proof. `range`: the lines are consecutive
//! entries, and `range_proof` ([`RangeProof`]) leads from them to the root of the checkpoint;
//! nothing in between can have been left out. `each`: the lines are what a filter selected, and
//! each has its own `inclusion` (hashes upwards, as in a tlog-proof); each is proven to be in the
//! log, that there are no others is not. `none`: nothing is proven. An export without lines is of
//! the kind `each`.
//!
//! `entry` holds the sealed bytes as a JSON string. `event` is the same event for people and other
//! programs, with its personal part where the reader may see it; this module never looks at it.
//! With
//! `salt` (base64 of 32 bytes) that part can be held against its commitment. `key` is the verifier
//! key; it is a convenience and must never be trusted for being in the file.

mod verify;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::hash::Hash;
use crate::note::{Note, NoteError};
use crate::range::RangeProof;

pub use verify::{ExportError, Reader, Verified};

/// The first member of the first line.
pub const FORMAT: &str = "chancery-export/1";

/// Longest line in bytes that is looked at: an entry and its event, with room for escapes.
pub const LINE_MAX: usize = 4_000_000;

/// What an export proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Its lines are consecutive, and this leads to the root of the checkpoint.
    Range(RangeProof),
    /// Each line has a proof of its own.
    Each,
    /// Nothing.
    None,
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Name of the log.
    pub origin: String,
    /// Log index of the first line, `None` when there are none or it was not known.
    pub first: Option<u64>,
    /// Log index of the last line, itself included.
    pub last: Option<u64>,
    /// What selected the lines, in the language of the search box; `None`: everything.
    pub filter: Option<String>,
    /// The verifier key of the log; never to be trusted for being here.
    pub key: Option<String>,
    /// The signed checkpoint that the proofs lead to.
    pub checkpoint: Note,
    /// What is proven.
    pub proof: Proof,
}

/// A line with one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Index of the entry.
    pub log_index: u64,
    /// Its leaf hash. Not trusted; with it a changed entry is found by its index.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_hash")]
    pub leaf: Option<Hash>,
    /// Its inclusion proof, lowest sibling first, where the export proves each line.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_hashes")]
    pub inclusion: Option<Vec<Hash>>,
    /// Salt of the commitment to the personal part, where `event` shows that part: base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// The sealed bytes.
    pub entry: String,
    /// The event as an API shows it.
    #[serde(default)]
    pub event: Value,
}

/// The last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Always true.
    pub end: bool,
    /// Number of lines between the first and this one.
    pub events: u64,
}

/// Why a line is not one of an export.
#[derive(Debug, Error)]
pub enum FormatError {
    /// Not JSON, or a member is missing or of the wrong kind.
    #[error("it is not as it should be")]
    Json(#[from] serde_json::Error),
    /// The file does not begin with a header.
    #[error("it does not begin with “format”: “{FORMAT}”")]
    Format,
    /// The checkpoint is not a note.
    #[error("the checkpoint is malformed")]
    Note(#[from] NoteError),
    /// The word for the proof is unknown, or the range proof is missing.
    #[error("the proof is none that is known")]
    Proof,
    /// The range that is proven has no entries, or ends before it begins.
    #[error("the range that it proves is empty")]
    EmptyRange,
    /// A hash is not base64 of 32 bytes.
    #[error("a hash is malformed")]
    Hash,
    /// Too long to be looked at.
    #[error("it is longer than {LINE_MAX} bytes")]
    TooLong,
}

/// The header as JSON has it.
#[derive(Serialize, Deserialize)]
struct WireHeader {
    format: String,
    origin: String,
    first: Option<u64>,
    last: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    checkpoint: String,
    proof: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range_proof: Option<WireRange>,
}

#[derive(Serialize, Deserialize)]
struct WireRange {
    start: u64,
    end: u64,
    size: u64,
    hashes: Vec<String>,
}

impl Header {
    /// The line, without its newline.
    pub fn to_line(&self) -> String {
        let (proof, range_proof) = match &self.proof {
            Proof::Range(range) => {
                let hashes = range.hashes.iter().map(Hash::to_string).collect();
                let RangeProof { start, end, size, .. } = *range;
                ("range", Some(WireRange { start, end, size, hashes }))
            }
            Proof::Each => ("each", None),
            Proof::None => ("none", None),
        };
        line(&WireHeader {
            format: FORMAT.to_owned(),
            origin: self.origin.clone(),
            first: self.first,
            last: self.last,
            filter: self.filter.clone(),
            key: self.key.clone(),
            checkpoint: self.checkpoint.to_string(),
            proof: proof.to_owned(),
            range_proof,
        })
    }

    /// Reads the first line.
    ///
    /// # Errors
    ///
    /// [`FormatError`].
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        check_length(text)?;
        // What names another format is told so, not that it lacks members.
        let members: BTreeMap<String, Value> =
            serde_json::from_str(text).map_err(|_| FormatError::Format)?;
        if members.get("format").and_then(Value::as_str) != Some(FORMAT) {
            return Err(FormatError::Format);
        }
        let wire: WireHeader = serde_json::from_str(text)?;
        let proof = match (wire.proof.as_str(), wire.range_proof) {
            ("range", Some(range)) => {
                if range.start >= range.end {
                    return Err(FormatError::EmptyRange);
                }
                let hashes = range.hashes.iter().map(|hash| hash.parse()).collect::<Result<_, _>>();
                let hashes = hashes.map_err(|_| FormatError::Hash)?;
                Proof::Range(RangeProof {
                    start: range.start,
                    end: range.end,
                    size: range.size,
                    hashes,
                })
            }
            ("each", None) => Proof::Each,
            ("none", None) => Proof::None,
            _ => return Err(FormatError::Proof),
        };
        Ok(Self {
            origin: wire.origin,
            first: wire.first,
            last: wire.last,
            filter: wire.filter,
            key: wire.key,
            checkpoint: wire.checkpoint.parse()?,
            proof,
        })
    }
}

impl Line {
    /// The line, without its newline.
    pub fn to_line(&self) -> String {
        line(self)
    }

    /// Reads a line.
    ///
    /// # Errors
    ///
    /// [`FormatError`].
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        check_length(text)?;
        Ok(serde_json::from_str(text)?)
    }

    /// The salt, if there is one of 32 bytes.
    pub fn salt_bytes(&self) -> Option<[u8; 32]> {
        STANDARD.decode(self.salt.as_ref()?).ok()?.try_into().ok()
    }
}

impl End {
    /// The last line behind `events` lines.
    pub fn after(events: u64) -> Self {
        Self { end: true, events }
    }

    /// The line, without its newline.
    pub fn to_line(self) -> String {
        line(&self)
    }

    fn parse(text: &str) -> Option<Self> {
        // A line with an entry never has so few bytes, and most of the work is saved.
        (text.len() < 200).then(|| serde_json::from_str(text).ok())?.filter(|end: &Self| end.end)
    }
}

fn check_length(text: &str) -> Result<(), FormatError> {
    if text.len() > LINE_MAX { Err(FormatError::TooLong) } else { Ok(()) }
}

fn line<T: Serialize>(value: &T) -> String {
    // Unwrap safety: these types have text keys and no maps that could fail.
    serde_json::to_string(value).expect("plain values become JSON")
}

/// One hash as base64.
mod optional_hash {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    use crate::hash::Hash;

    pub(super) fn serialize<S: Serializer>(hash: &Option<Hash>, to: S) -> Result<S::Ok, S::Error> {
        match hash {
            Some(hash) => to.collect_str(hash),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Hash>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

/// Several hashes as base64.
mod optional_hashes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    use crate::hash::Hash;

    pub(super) fn serialize<S: Serializer>(
        hashes: &Option<Vec<Hash>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match hashes {
            Some(hashes) => to.collect_seq(hashes.iter().map(Hash::to_string)),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Vec<Hash>>, D::Error> {
        let texts = Option::<Vec<String>>::deserialize(from)?;
        let parse = |text: String| text.parse().map_err(D::Error::custom);
        texts.map(|texts| texts.into_iter().map(parse).collect()).transpose()
    }
}

#[cfg(test)]
mod tests;
