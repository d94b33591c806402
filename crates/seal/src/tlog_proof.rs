//! The C2SP tlog-proof: one file that proves off-line that an entry is in the log.
//!
//! It holds the index, the inclusion proof and the checkpoint with its signatures, and optionally
//! extra data. The extra data is not authenticated and must never be trusted for being in the
//! proof.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::checkpoint::{CheckpointError, Opened, Trust, parse_number};
use crate::hash::{Hash, leaf_hash};
use crate::note::{NOTE_MAX, Note, NoteError};
use crate::proof::{ProofFault, verify_inclusion};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// Longest extra data in bytes.
pub const EXTRA_MAX: usize = 1_000_000;
/// A tree of 64-bit size is not deeper than this.
const HASHES_MAX: usize = 64;

/// Why a tlog-proof is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TlogProofError {
    /// Too long to be looked at.
    #[error("the proof is too large")]
    TooLarge,
    /// The first line is another one.
    #[error("the proof does not begin with {FIRST_LINE}")]
    FirstLine,
    /// The extra line is not canonical base64, or empty.
    #[error("the extra line of the proof is malformed")]
    Extra,
    /// The index line is missing or malformed.
    #[error("the index line of the proof is malformed")]
    Index,
    /// A hash line is malformed, or there are more than 64.
    #[error("hash line {line} of the proof is malformed")]
    HashLine {
        /// Number of the line, counted from 1 behind the index line.
        line: usize,
    },
    /// The checkpoint is missing or not a note.
    #[error("the checkpoint of the proof is malformed")]
    Note(#[from] NoteError),
    /// The checkpoint is not to be trusted.
    #[error("the checkpoint of the proof is refused")]
    Checkpoint(#[from] CheckpointError),
    /// The entry is not where the proof says.
    #[error("the proof does not lead from the entry to the checkpoint")]
    Inclusion(#[from] ProofFault),
}

/// A proof that something is in the log. `Display` and `FromStr` are its exact text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    extra: Option<Vec<u8>>,
    index: u64,
    hashes: Vec<Hash>,
    checkpoint: Note,
}

impl TlogProof {
    /// A proof for the entry at `index` with the inclusion proof `hashes` in the tree of
    /// `checkpoint`.
    ///
    /// # Errors
    ///
    /// [`TlogProofError::Note`] when the checkpoint has no signature, [`TlogProofError::HashLine`]
    /// when there are more than 64 hashes.
    pub fn new(index: u64, hashes: Vec<Hash>, checkpoint: Note) -> Result<Self, TlogProofError> {
        if checkpoint.signatures().is_empty() {
            return Err(NoteError::Unsigned.into());
        }
        if hashes.len() > HASHES_MAX {
            return Err(TlogProofError::HashLine { line: HASHES_MAX + 1 });
        }
        Ok(Self { extra: None, index, hashes, checkpoint })
    }

    /// The same with extra data; empty data is no data.
    ///
    /// # Errors
    ///
    /// [`TlogProofError::TooLarge`] above [`EXTRA_MAX`] bytes.
    pub fn with_extra(mut self, extra: Vec<u8>) -> Result<Self, TlogProofError> {
        if extra.len() > EXTRA_MAX {
            return Err(TlogProofError::TooLarge);
        }
        self.extra = (!extra.is_empty()).then_some(extra);
        Ok(self)
    }

    /// Extra data; not authenticated.
    pub fn extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// Index of the entry; to be believed after [`TlogProof::verify`] only.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The inclusion proof, lowest sibling first.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The signed checkpoint; to be believed after [`TlogProof::verify`] only.
    pub fn checkpoint(&self) -> &Note {
        &self.checkpoint
    }

    /// Checks that `entry` is in the log that `trust` describes, at [`TlogProof::index`].
    ///
    /// # Errors
    ///
    /// [`TlogProofError::Checkpoint`] or [`TlogProofError::Inclusion`].
    pub fn verify(&self, entry: &[u8], trust: &Trust) -> Result<Opened, TlogProofError> {
        let opened = trust.open(self.checkpoint.to_string().as_bytes())?;
        let (size, root) = (opened.checkpoint.size(), opened.checkpoint.root());
        verify_inclusion(&leaf_hash(entry), self.index, size, &self.hashes, root)?;
        Ok(opened)
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for TlogProof {
    type Err = TlogProofError;

    fn from_str(text: &str) -> Result<Self, TlogProofError> {
        if text.len() > NOTE_MAX + EXTRA_MAX * 4 / 3 + 10_000 {
            return Err(TlogProofError::TooLarge);
        }
        let rest = text.strip_prefix(FIRST_LINE).and_then(|rest| rest.strip_prefix('\n'));
        let mut rest = rest.ok_or(TlogProofError::FirstLine)?;
        let mut extra = None;
        if let Some(line) = rest.strip_prefix("extra ") {
            let (encoded, behind) = line.split_once('\n').ok_or(TlogProofError::Extra)?;
            let decoded = STANDARD.decode(encoded).map_err(|_| TlogProofError::Extra)?;
            if decoded.is_empty() {
                return Err(TlogProofError::Extra);
            }
            extra = Some(decoded);
            rest = behind;
        }
        let index = rest.strip_prefix("index ").and_then(|line| line.split_once('\n'));
        let (index, mut rest) = index.ok_or(TlogProofError::Index)?;
        let index = parse_number(index).ok_or(TlogProofError::Index)?;
        let mut hashes = Vec::new();
        loop {
            let malformed = TlogProofError::HashLine { line: hashes.len() + 1 };
            let Some((line, behind)) = rest.split_once('\n') else { return Err(malformed) };
            rest = behind;
            if line.is_empty() {
                break;
            }
            match line.parse() {
                Ok(hash) if hashes.len() < HASHES_MAX => hashes.push(hash),
                _ => return Err(malformed),
            }
        }
        let proof = Self::new(index, hashes, rest.parse()?)?;
        proof.with_extra(extra.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
