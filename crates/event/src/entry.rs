//! The two shapes of an event outside memory: CloudEvents JSON, and the entry that gets sealed.
//!
//! [`Event::to_json`] and [`Event::from_json`] are the native JSON (CloudEvents 1.0, structured
//! mode). [`Event::entry`] makes the bytes that enter the log: the canonical JSON of the event in
//! which the personal part is replaced by `SHA-256(salt ‖ JCS(part))`; the part and its salt are
//! handed back apart, to be kept where they can be erased. [`Event::open`] puts them together.
//!
//! Personal data must never leave this module inside [`Entry::bytes`] (invariant 10), and the bytes
//! of an event must never depend on anything but the event and the salt.

mod abridge;
mod quick;
mod read;
mod write;

use aws_lc_rs::digest;

use crate::canonical::CanonicalError;
use crate::envelope::{Event, Personal, PersonalPart};

pub use read::ReadError;
pub(crate) use write::Native;

/// The largest entry, in bytes: its length must fit the 16 bits of a tlog-tiles entry bundle.
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// What an event becomes when it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The canonical bytes that get sealed; UTF-8 JSON without personal data.
    pub bytes: Vec<u8>,
    /// The personal part and its salt, where the event has one in clear.
    pub personal: Option<SaltedPart>,
}

/// A personal part with the salt of its commitment. Whoever has both can prove what was committed;
/// once both are gone the commitment tells nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct SaltedPart {
    /// 32 random bytes, used for this event only.
    pub salt: [u8; 32],
    /// Canonical JSON of the [`Personal`] part.
    pub part: Vec<u8>,
}

impl std::fmt::Debug for SaltedPart {
    /// Shows no personal data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SaltedPart({} bytes)", self.part.len())
    }
}

impl SaltedPart {
    /// `sha256:` and 64 hexadecimal digits of SHA-256(salt ‖ part).
    pub fn commitment(&self) -> String {
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(&self.salt);
        hash.update(&self.part);
        let mut text = String::with_capacity(COMMITMENT_PREFIX.len() + 64);
        text.push_str(COMMITMENT_PREFIX);
        for byte in hash.finish().as_ref() {
            for digit in [byte >> 4, byte & 0xF] {
                text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
            }
        }
        text
    }
}

const COMMITMENT_PREFIX: &str = "sha256:";

/// Whether `text` is a commitment: `sha256:` and 64 lower-case hexadecimal digits.
pub fn is_commitment(text: &str) -> bool {
    text.strip_prefix(COMMITMENT_PREFIX).is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// An event that cannot become an entry. The operation that made it must not happen (invariant 6).
/// One that is too large can: see [`Event::fitting_entry`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// A number in the event has no canonical form.
    #[error("the event has no canonical form")]
    Number(#[from] CanonicalError),
    /// The entry does not fit.
    #[error("the entry has {bytes} bytes; at most 65535 fit")]
    TooLarge {
        /// Its size in bytes.
        bytes: usize,
    },
    /// The personal part does not fit.
    #[error("the personal part has {bytes} bytes; at most 65535 fit")]
    PersonalTooLarge {
        /// Its size in bytes.
        bytes: usize,
    },
    /// The event carries a commitment that is none.
    #[error("“{0}” is not a commitment: expected sha256: and 64 hexadecimal digits")]
    Commitment(String),
}

/// An entry that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The bytes are no event.
    #[error("the entry is not an event")]
    Read(#[from] ReadError),
    /// The personal part is not the one that was committed.
    #[error("the personal part does not match the commitment {commitment}")]
    Mismatch {
        /// The commitment in the entry.
        commitment: String,
    },
    /// A personal part was given for an entry that commits to none.
    #[error("the entry commits to no personal part")]
    Uncommitted,
    /// The entry holds personal data in clear, which no entry of ours does.
    #[error("the entry holds personal data in clear")]
    Clear,
    /// The personal part matches its commitment but is not one we can read.
    #[error("the personal part is not readable")]
    Part(#[source] serde_json::Error),
}

impl Event {
    /// The entry of this event. `salt` must be random and used once; it is not used when the event
    /// has no personal part in clear. An event whose personal part is already committed keeps its
    /// commitment.
    ///
    /// # Errors
    /// [`EntryError`]: a number without canonical form, or too many bytes.
    pub fn entry(&self, salt: [u8; 32]) -> Result<Entry, EntryError> {
        let (personal, commitment) = match &self.personal {
            PersonalPart::None => (None, None),
            PersonalPart::Clear(part) if part.is_empty() => (None, None),
            PersonalPart::Clear(part) => {
                let part = SaltedPart { salt, part: write::personal(part)? };
                let commitment = part.commitment();
                (Some(part), Some(commitment))
            }
            PersonalPart::Committed(text) if is_commitment(text) => (None, Some(text.clone())),
            PersonalPart::Committed(text) => return Err(EntryError::Commitment(text.clone())),
        };
        if let Some(SaltedPart { part, .. }) = &personal
            && part.len() > ENTRY_BYTES_MAX
        {
            return Err(EntryError::PersonalTooLarge { bytes: part.len() });
        }
        let bytes = write::event(self, commitment.as_deref())?;
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(EntryError::TooLarge { bytes: bytes.len() });
        }
        Ok(Entry { bytes, personal })
    }

    /// The event of an entry: in clear when its personal part is given, committed otherwise.
    ///
    /// # Errors
    /// [`OpenError`]: the bytes are no event, or the part is not the one committed to.
    pub fn open(bytes: &[u8], personal: Option<&SaltedPart>) -> Result<Self, OpenError> {
        let mut event = Self::from_slice(bytes)?;
        if matches!(event.personal, PersonalPart::Clear(_)) {
            return Err(OpenError::Clear);
        }
        if let Some(part) = personal {
            event.reveal(part)?;
        }
        Ok(event)
    }

    /// Puts the personal part in the place of its commitment, which is answered.
    ///
    /// # Errors
    /// [`OpenError`]: the event commits to no part or to another, or the part cannot be read.
    pub fn reveal(&mut self, part: &SaltedPart) -> Result<String, OpenError> {
        let PersonalPart::Committed(commitment) = &self.personal else {
            return Err(OpenError::Uncommitted);
        };
        let commitment = commitment.clone();
        if part.commitment() != commitment {
            return Err(OpenError::Mismatch { commitment });
        }
        let part: Personal = serde_json::from_slice(&part.part).map_err(OpenError::Part)?;
        self.personal = PersonalPart::Clear(part);
        Ok(commitment)
    }
}

#[cfg(test)]
mod tests;
