//! Checkpoints (C2SP tlog-checkpoint): the signed statement of a log's size and root.
//!
//! [`Checkpoint`] is the statement, [`Trust`] says which keys may make it. A checkpoint's text has
//! one spelling only; a parser that accepts a second one would break signatures when it prints it
//! again.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::hash::Hash;
use crate::key::{Attestation, KeyKind, SignError, Signer, Verifier, is_note_text};
use crate::note::{Note, NoteError};

/// Why a checkpoint is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CheckpointError {
    /// It is not a note, or not signed by the keys it should be signed by.
    #[error("the checkpoint is not a note signed by a known key")]
    Note(#[from] NoteError),
    /// The origin line is empty, missing or has control characters.
    #[error("the checkpoint has no origin")]
    Origin,
    /// The size line is not a decimal number without leading zeroes, below 2^64.
    #[error("the checkpoint has a malformed size")]
    Size,
    /// The root line is not canonical base64 of 32 bytes.
    #[error("the checkpoint has a malformed root")]
    Root,
    /// An extension line is empty or has control characters.
    #[error("the checkpoint has a malformed extension line")]
    Extension,
    /// It belongs to another log.
    #[error("the checkpoint is of the log {0}")]
    ForeignOrigin(String),
    /// None of the keys of the log has signed (witnesses do not count).
    #[error("the checkpoint is not signed by the log")]
    NotByLog,
    /// Too few witnesses have cosigned.
    #[error("{found} witnesses have cosigned the checkpoint where {needed} are needed")]
    TooFewWitnesses {
        /// Witnesses that have cosigned.
        found: usize,
        /// Witnesses that must have.
        needed: usize,
    },
    /// A signature cannot be made.
    #[error("the checkpoint cannot be signed")]
    Sign(#[from] SignError),
}

/// Size and root of a log at one moment. `Display` and `FromStr` are the note text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    extensions: Vec<String>,
}

/// Whether `line` may be a line of a checkpoint: not empty, no control characters.
fn is_line(line: &str) -> bool {
    !line.is_empty() && !line.bytes().any(|byte| byte < b' ')
}

impl Checkpoint {
    /// A checkpoint of the log `origin` with `size` entries.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Origin`].
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, CheckpointError> {
        if !is_line(origin) {
            return Err(CheckpointError::Origin);
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions: Vec::new() })
    }

    /// The same with extension lines (the specification advises against them).
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Extension`].
    pub fn with_extensions(mut self, lines: Vec<String>) -> Result<Self, CheckpointError> {
        if !lines.iter().all(|line| is_line(line)) {
            return Err(CheckpointError::Extension);
        }
        self.extensions = lines;
        Ok(self)
    }

    /// Name of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root of the tree of that size.
    pub fn root(&self) -> &Hash {
        &self.root
    }

    /// Extension lines without their newlines.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// The note of this checkpoint, signed by `signers` in this order.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Sign`] or [`CheckpointError::Note`] (too long).
    pub fn sign(&self, signers: &[&Signer]) -> Result<Note, CheckpointError> {
        let mut note = Note::new(self.to_string())?;
        for signer in signers {
            note.add(signer.sign(note.text())?);
        }
        Ok(note)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, self.root)?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// A decimal `u64` without sign and without leading zeroes.
pub(crate) fn parse_number(text: &str) -> Option<u64> {
    let canonical =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        if !is_note_text(text) {
            return Err(CheckpointError::Note(NoteError::Text));
        }
        let body = text.strip_suffix('\n').unwrap_or(text);
        let mut lines = body.split('\n');
        let origin = lines.next().filter(|line| is_line(line)).ok_or(CheckpointError::Origin)?;
        let size = lines.next().and_then(parse_number).ok_or(CheckpointError::Size)?;
        let root = lines.next().and_then(|line| line.parse().ok()).ok_or(CheckpointError::Root)?;
        Self::new(origin, size, root)?.with_extensions(lines.map(str::to_owned).collect())
    }
}

/// Whom to believe about a log: its origin, its keys, and how many of which witnesses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    origin: String,
    log_keys: Vec<Verifier>,
    witnesses: Vec<Verifier>,
    witnesses_min: usize,
}

/// A checkpoint that [`Trust::open`] has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The statement.
    pub checkpoint: Checkpoint,
    /// Valid signatures by the log's keys, at least one.
    pub by_log: Vec<Attestation>,
    /// Valid cosignatures by known witnesses.
    pub by_witnesses: Vec<Attestation>,
}

impl Trust {
    /// Trusts `log_keys` to speak for the log `origin`. Several keys serve key rotation.
    pub fn new(origin: &str, log_keys: Vec<Verifier>) -> Self {
        Self { origin: origin.to_owned(), log_keys, witnesses: Vec::new(), witnesses_min: 0 }
    }

    /// Demands cosignatures by at least `witnesses_min` of these witnesses. Keys that are not
    /// cosignature keys and repeated public keys are left out, so that nobody counts twice.
    #[must_use]
    pub fn with_witnesses(mut self, witnesses: Vec<Verifier>, witnesses_min: usize) -> Self {
        self.witnesses = Vec::new();
        for witness in witnesses {
            let known =
                self.witnesses.iter().any(|other| other.public_key() == witness.public_key());
            if witness.kind() == KeyKind::CosignatureV1 && !known {
                self.witnesses.push(witness);
            }
        }
        self.witnesses_min = witnesses_min;
        self
    }

    /// Name of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Parses and checks a signed checkpoint.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] when malformed, of another log, not signed by the log, wrongly signed by
    /// any known key, or cosigned by too few witnesses.
    pub fn open(&self, note: &[u8]) -> Result<Opened, CheckpointError> {
        let note = Note::parse(note)?;
        // Signatures come first: nothing of an unsigned text is looked at.
        let said = note.verify(self.log_keys.iter().chain(&self.witnesses))?;
        let is_log = |said: &Attestation| {
            self.log_keys.iter().any(|key| key.id() == said.id && key.name() == said.name)
        };
        let (by_log, by_witnesses): (Vec<_>, Vec<_>) = said.into_iter().partition(is_log);
        let checkpoint: Checkpoint = note.text().parse()?;
        if checkpoint.origin != self.origin {
            return Err(CheckpointError::ForeignOrigin(checkpoint.origin));
        }
        if by_log.is_empty() {
            return Err(CheckpointError::NotByLog);
        }
        if by_witnesses.len() < self.witnesses_min {
            let (found, needed) = (by_witnesses.len(), self.witnesses_min);
            return Err(CheckpointError::TooFewWitnesses { found, needed });
        }
        Ok(Opened { checkpoint, by_log, by_witnesses })
    }
}

#[cfg(test)]
mod tests;
