//! Verification of an export, line by line, in memory for one line.
//!
//! The proof of a range stands only at its end; until then nothing of the lines is proven, so a
//! caller must not act on what it sees in `each` before [`Reader::verify`] has answered.

use thiserror::Error;

use super::{End, FormatError, Header, Line, Proof};
use crate::checkpoint::{CheckpointError, Opened, Trust};
use crate::hash::leaf_hash;
use crate::proof::{ProofFault, verify_inclusion};
use crate::range::{Exported, RangeFault, RangeProof, verify_entries};

/// Why an export is refused. `E` is the error of the source of lines.
#[derive(Debug, Error)]
pub enum ExportError<E> {
    /// A line is not one of an export.
    #[error("line {line} of the export is malformed")]
    Format {
        /// Number of the line, counted from 1.
        line: u64,
        /// Index of the entry that must stand there, where that is known.
        index: Option<u64>,
        /// What is wrong with it.
        #[source]
        source: FormatError,
    },
    /// There is no line at all.
    #[error("the export is empty")]
    Empty,
    /// The checkpoint is not to be trusted.
    #[error("the checkpoint of the export is refused")]
    Checkpoint(#[source] CheckpointError),
    /// A line has not the index that must come here.
    #[error("line {line} has the log index {found} where {expected} must follow")]
    Order {
        /// Number of the line, counted from 1.
        line: u64,
        /// The index that must come, or the least one that may.
        expected: u64,
        /// The index that is there.
        found: u64,
    },
    /// An entry does not have the leaf hash beside it.
    #[error("entry {index} is not the one that was exported: it does not have its leaf hash")]
    Entry {
        /// Its index.
        index: u64,
    },
    /// An entry is not proven to be in the log.
    #[error("entry {index} is not proven to be in the log")]
    Inclusion {
        /// Its index.
        index: u64,
        /// What is wrong with its proof; `None`: it has none.
        #[source]
        source: Option<ProofFault>,
    },
    /// The entries together are not those of the log.
    #[error("the entries {first} to {last} are not those of the log")]
    Range {
        /// First index of the range.
        first: u64,
        /// Last index of the range.
        last: u64,
        /// What is wrong.
        #[source]
        source: ProofFault,
    },
    /// An entry is missing at the end.
    #[error("entry {index} is missing")]
    Missing {
        /// Its index.
        index: u64,
    },
    /// The file ends without its last line.
    #[error("the export is cut off behind {events} events")]
    CutOff {
        /// Lines that are there.
        events: u64,
        /// Index of the first entry that is missing, where that is known.
        index: Option<u64>,
    },
    /// The last line counts other than there are.
    #[error("the export says it has {stated} events; it has {found}")]
    Count {
        /// What it says.
        stated: u64,
        /// What there are.
        found: u64,
    },
    /// Something follows behind the last line.
    #[error("line {line} follows behind the end of the export")]
    Surplus {
        /// Number of the line, counted from 1.
        line: u64,
    },
    /// The caller refuses the content of an entry.
    #[error("entry {index}: {what}")]
    Content {
        /// Its index.
        index: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The export proves nothing.
    #[error("the export has no proofs: it cannot be verified")]
    Unproven,
    /// The source of lines failed.
    #[error("reading the export failed")]
    Source(#[source] E),
}

impl<E> ExportError<E> {
    /// Index of the faulty entry, where that can be said.
    pub fn index(&self) -> Option<u64> {
        match self {
            Self::Entry { index }
            | Self::Inclusion { index, .. }
            | Self::Missing { index }
            | Self::Content { index, .. } => Some(*index),
            Self::Order { expected, .. } => Some(*expected),
            Self::Format { index, .. } | Self::CutOff { index, .. } => *index,
            _ => None,
        }
    }
}

/// What a verified export holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Its checkpoint.
    pub opened: Opened,
    /// How many events it has.
    pub events: u64,
}

/// An export whose first line has been read.
#[derive(Debug)]
pub struct Reader<I> {
    header: Header,
    lines: I,
    /// Number of the line read last, counted from 1.
    line: u64,
    end: Option<End>,
}

impl<E, I: Iterator<Item = Result<String, E>>> Reader<I> {
    /// Reads the first line; `lines` come without their newlines.
    ///
    /// # Errors
    ///
    /// [`ExportError::Empty`], [`ExportError::Format`] or [`ExportError::Source`].
    pub fn open(mut lines: I) -> Result<Self, ExportError<E>> {
        let first = lines.next().ok_or(ExportError::Empty)?.map_err(ExportError::Source)?;
        let header = Header::parse(&first).map_err(|source| ExportError::Format {
            line: 1,
            index: None,
            source,
        })?;
        Ok(Self { header, lines, line: 1, end: None })
    }

    /// The first line; nothing in it is proven.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Checks every line. `each` sees the lines whose bytes have the leaf hash beside them, and may
    /// refuse one with a reason; `progress` is told now and then how many are done.
    ///
    /// # Errors
    ///
    /// [`ExportError`].
    pub fn verify(
        mut self,
        trust: &Trust,
        mut each: impl FnMut(&Line) -> Result<(), String>,
        mut progress: impl FnMut(u64),
    ) -> Result<Verified, ExportError<E>> {
        let note = self.header.checkpoint.to_string();
        let opened = trust.open(note.as_bytes()).map_err(ExportError::Checkpoint)?;
        let proof = std::mem::replace(&mut self.header.proof, Proof::None);
        let found = match &proof {
            Proof::None => return Err(ExportError::Unproven),
            Proof::Range(proof) => self.verify_range(proof, &opened, &mut each, &mut progress)?,
            Proof::Each => self.verify_each(&opened, &mut each, &mut progress)?,
        };
        // A range ends where its proof does: the end line may still be to come.
        if self.end.is_none() && self.next()?.is_some() {
            return Err(ExportError::Surplus { line: self.line });
        }
        let Some(End { events: stated, .. }) = self.end else {
            return Err(ExportError::CutOff { events: found, index: None });
        };
        if stated != found {
            return Err(ExportError::Count { stated, found });
        }
        match self.lines.next() {
            None => Ok(Verified { opened, events: found }),
            Some(Ok(_)) => Err(ExportError::Surplus { line: self.line + 1 }),
            Some(Err(error)) => Err(ExportError::Source(error)),
        }
    }

    fn verify_range(
        &mut self,
        proof: &RangeProof,
        opened: &Opened,
        each: &mut impl FnMut(&Line) -> Result<(), String>,
        progress: &mut impl FnMut(u64),
    ) -> Result<u64, ExportError<E>> {
        let (first, last) = (proof.start, proof.end.saturating_sub(1));
        let of_range = |source| ExportError::Range { first, last, source };
        if proof.size != opened.checkpoint.size() {
            return Err(of_range(ProofFault::OutOfRange));
        }
        let mut expected = proof.start;
        let entries = std::iter::from_fn(|| {
            let line = match self.next() {
                Ok(line) => line?,
                Err(ExportError::Format { line, source, .. }) => {
                    let index = Some(expected);
                    return Some(Err(ExportError::Format { line, index, source }));
                }
                Err(error) => return Some(Err(error)),
            };
            if line.log_index != expected {
                let found = line.log_index;
                return Some(Err(ExportError::Order { line: self.line, expected, found }));
            }
            expected += 1;
            let judged = judge(&line, each);
            Some(judged.map(|()| Exported { entry: line.entry.into_bytes(), leaf: None }))
        });
        match verify_entries(proof, opened.checkpoint.root(), entries, progress) {
            Ok(()) => Ok(proof.end - proof.start),
            Err(RangeFault::Proof(source)) => Err(of_range(source)),
            Err(RangeFault::Missing { index }) if self.end.is_some() => {
                Err(ExportError::Missing { index })
            }
            Err(RangeFault::Missing { index }) => {
                Err(ExportError::CutOff { events: index - proof.start, index: Some(index) })
            }
            Err(RangeFault::Surplus { .. }) => Err(ExportError::Surplus { line: self.line }),
            Err(RangeFault::Entry { index }) => Err(ExportError::Entry { index }),
            Err(RangeFault::Source(error)) => Err(error),
        }
    }

    fn verify_each(
        &mut self,
        opened: &Opened,
        each: &mut impl FnMut(&Line) -> Result<(), String>,
        progress: &mut impl FnMut(u64),
    ) -> Result<u64, ExportError<E>> {
        let (size, root) = (opened.checkpoint.size(), opened.checkpoint.root());
        let (mut events, mut least) = (0, 0);
        while let Some(line) = self.next()? {
            let index = line.log_index;
            if index < least {
                return Err(ExportError::Order { line: self.line, expected: least, found: index });
            }
            least = index.saturating_add(1);
            judge(&line, each)?;
            let hashes = line.inclusion.as_deref();
            let hashes = hashes.ok_or(ExportError::Inclusion { index, source: None })?;
            verify_inclusion(&leaf_hash(line.entry.as_bytes()), index, size, hashes, root)
                .map_err(|source| ExportError::Inclusion { index, source: Some(source) })?;
            events += 1;
            progress(events);
        }
        Ok(events)
    }

    /// The next line with an entry; `None` at the end line, and where the file ends.
    fn next(&mut self) -> Result<Option<Line>, ExportError<E>> {
        if self.end.is_some() {
            return Ok(None);
        }
        let Some(text) = self.lines.next().transpose().map_err(ExportError::Source)? else {
            return Ok(None);
        };
        self.line += 1;
        if let Some(end) = End::parse(&text) {
            self.end = Some(end);
            return Ok(None);
        }
        let line = self.line;
        let malformed = |source| ExportError::Format { line, index: None, source };
        Line::parse(&text).map(Some).map_err(malformed)
    }
}

fn judge<E>(
    line: &Line,
    each: &mut impl FnMut(&Line) -> Result<(), String>,
) -> Result<(), ExportError<E>> {
    let index = line.log_index;
    if line.leaf.is_some_and(|stated| stated != leaf_hash(line.entry.as_bytes())) {
        return Err(ExportError::Entry { index });
    }
    each(line).map_err(|what| ExportError::Content { index, what })
}
