//! Signed notes (C2SP signed-note): a text and the signatures under it.
//!
//! A parsed note proves nothing. Its text must never be acted on before [`Note::verify`] has
//! accepted it with keys that the caller chose.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::key::{Attestation, Verifier, is_key_name, is_note_text};

/// Longest note in bytes that is looked at.
pub const NOTE_MAX: usize = 1_000_000;
/// Most signatures that are looked at.
pub const SIGNATURES_MAX: usize = 100;

/// Why a note is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoteError {
    /// More than [`NOTE_MAX`] bytes or [`SIGNATURES_MAX`] signatures.
    #[error("the note is too large")]
    TooLarge,
    /// Not UTF-8, a control character, or no newline at the end.
    #[error("the note is not text")]
    Text,
    /// There is no blank line followed by signature lines.
    #[error("the note has no signatures")]
    Unsigned,
    /// A signature line is malformed.
    #[error("signature line {line} of the note is malformed")]
    SignatureLine {
        /// Number of the line, counted from 1 behind the blank line.
        line: usize,
    },
    /// A known key is named, but the signature is not its own.
    #[error("the signature of {name} is wrong")]
    WrongSignature {
        /// Name of the key.
        name: String,
    },
    /// No known key has signed.
    #[error("no known key has signed the note")]
    NoKnownKey,
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    name: String,
    id: u32,
    bytes: Vec<u8>,
}

impl Signature {
    /// The caller vouches for the name.
    pub(crate) fn by_key(name: &str, id: u32, bytes: Vec<u8>) -> Self {
        Self { name: name.to_owned(), id, bytes }
    }

    /// Name of the key that is said to have signed.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Key id of that key.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The signature without key id.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Parses a line without its newline; `None` when malformed.
    fn parse(line: &str) -> Option<Self> {
        let (name, signature) = line.strip_prefix("— ")?.split_once(' ')?;
        if !is_key_name(name) {
            return None;
        }
        let decoded = STANDARD.decode(signature).ok()?;
        let (id, bytes) = decoded.split_first_chunk::<4>()?;
        if bytes.is_empty() {
            return None;
        }
        Some(Self::by_key(name, u32::from_be_bytes(*id), bytes.to_vec()))
    }
}

impl fmt::Display for Signature {
    /// The line without its newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.id.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.bytes);
        write!(f, "— {} {}", self.name, STANDARD.encode(bytes))
    }
}

/// A text with signatures. `Display` and `FromStr` are its exact bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

impl Note {
    /// A note without signatures yet.
    ///
    /// # Errors
    ///
    /// [`NoteError::Text`] or [`NoteError::TooLarge`].
    pub fn new(text: impl Into<String>) -> Result<Self, NoteError> {
        let text = text.into();
        if text.len() > NOTE_MAX {
            return Err(NoteError::TooLarge);
        }
        if !is_note_text(&text) {
            return Err(NoteError::Text);
        }
        Ok(Self { text, signatures: Vec::new() })
    }

    /// Parses a note with at least one signature.
    ///
    /// # Errors
    ///
    /// [`NoteError`] other than the two about keys.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_MAX {
            return Err(NoteError::TooLarge);
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::Text)?;
        if !is_note_text(note) {
            return Err(NoteError::Text);
        }
        let split = note.rfind("\n\n").ok_or(NoteError::Unsigned)?;
        let (text, block) = (&note[..=split], &note[split + 2..]);
        if block.is_empty() {
            return Err(NoteError::Unsigned);
        }
        let mut signatures = Vec::new();
        for (line, content) in block.lines().enumerate() {
            if line == SIGNATURES_MAX {
                return Err(NoteError::TooLarge);
            }
            let signature =
                Signature::parse(content).ok_or(NoteError::SignatureLine { line: line + 1 })?;
            signatures.push(signature);
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The text, up to and including its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures in the order of their lines.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Adds a signature, in place of an earlier one by the same key.
    pub fn add(&mut self, signature: Signature) {
        self.signatures.retain(|old| old.id != signature.id || old.name != signature.name);
        self.signatures.push(signature);
    }

    /// Checks the signatures of known keys and ignores all others. Each key speaks at most once in
    /// the result.
    ///
    /// # Errors
    ///
    /// [`NoteError::WrongSignature`] when any signature that names a known key is not valid, and
    /// [`NoteError::NoKnownKey`] when none names one.
    pub fn verify<'a>(
        &self,
        known: impl IntoIterator<Item = &'a Verifier>,
    ) -> Result<Vec<Attestation>, NoteError> {
        let known: Vec<&Verifier> = known.into_iter().collect();
        let mut valid: Vec<Attestation> = Vec::new();
        for signature in &self.signatures {
            let mut matching =
                known.iter().filter(|verifier| verifier.matches(signature)).peekable();
            if matching.peek().is_none() {
                continue;
            }
            let said = matching.find_map(|verifier| verifier.verify(&self.text, signature));
            let said =
                said.ok_or_else(|| NoteError::WrongSignature { name: signature.name.clone() })?;
            if !valid.iter().any(|other| other.id == said.id && other.name == said.name) {
                valid.push(said);
            }
        }
        if valid.is_empty() { Err(NoteError::NoKnownKey) } else { Ok(valid) }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        Self::parse(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Signer;

    /// The example of the signed-note specification.
    const EXAMPLE_KEY: &str =
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const EXAMPLE: &str = "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

    #[test]
    fn the_example_of_the_specification() {
        let key: Verifier = EXAMPLE_KEY.parse().unwrap();
        let note: Note = EXAMPLE.parse().unwrap();
        assert_eq!(note.text(), "This is an example message.\n");
        assert_eq!(note.verify([&key]).unwrap().len(), 1);
        assert_eq!(note.to_string(), EXAMPLE);
        let changed: Note = EXAMPLE.replace("an", "no").parse().unwrap();
        let name = "example.com/foo".to_owned();
        assert_eq!(changed.verify([&key]), Err(NoteError::WrongSignature { name }));
    }

    #[test]
    fn unknown_keys_are_ignored() {
        let ours = Signer::from_seed("ours", &[1; 32]).unwrap();
        let theirs = Signer::from_seed("theirs", &[2; 32]).unwrap();
        let impostor = Signer::from_seed("ours", &[3; 32]).unwrap();
        let mut note = Note::new("a\n\nb\n").unwrap();
        note.add(theirs.sign(note.text()).unwrap());
        note.add(impostor.sign(note.text()).unwrap());
        assert_eq!(note.verify([ours.verifier()]), Err(NoteError::NoKnownKey));
        note.add(ours.sign(note.text()).unwrap());
        note.add(ours.sign(note.text()).unwrap());
        let note: Note = note.to_string().parse().unwrap();
        assert_eq!(note.signatures().len(), 3);
        assert_eq!(note.text(), "a\n\nb\n");
        let said = note.verify([ours.verifier()]).unwrap();
        assert_eq!(said.len(), 1);
        assert_eq!(said[0].name, "ours");
        assert_eq!(note.verify([ours.verifier(), theirs.verifier()]).unwrap().len(), 2);
        assert_eq!(note.verify([]), Err(NoteError::NoKnownKey));
    }

    #[test]
    fn a_second_signature_by_the_same_key_must_be_right_too() {
        let ours = Signer::from_seed("ours", &[1; 32]).unwrap();
        let right = ours.sign("a\n").unwrap();
        let wrong = ours.sign("b\n").unwrap();
        let note: Note = format!("a\n\n{right}\n{wrong}\n").parse().unwrap();
        assert!(matches!(note.verify([ours.verifier()]), Err(NoteError::WrongSignature { .. })));
        let note: Note = format!("a\n\n{right}\n{right}\n").parse().unwrap();
        assert_eq!(note.verify([ours.verifier()]).unwrap().len(), 1);
    }

    #[test]
    fn malformed_notes() {
        let line = EXAMPLE.lines().last().unwrap();
        let many = format!("a\n\n{}", format!("{line}\n").repeat(101));
        let large = "a".repeat(NOTE_MAX + 1);
        let sign = |line: usize| NoteError::SignatureLine { line };
        for (note, error) in [
            ("", NoteError::Text),
            ("a", NoteError::Text),
            ("a\n", NoteError::Unsigned),
            ("a\n\n", NoteError::Unsigned),
            (&format!("a\n{line}\n"), NoteError::Unsigned),
            (&format!("a\n\n{line}"), NoteError::Text),
            (&format!("a\r\n\n{line}\n"), NoteError::Text),
            (&format!("a\0\n\n{line}\n"), NoteError::Text),
            (&format!("a\n\n{line}\n\n"), NoteError::Unsigned),
            (&format!("a\n\n{line}\nx\n"), sign(2)),
            (&format!("a\n\n {line}\n"), sign(1)),
            (&format!("a\n\n{line} \n"), sign(1)),
            (&format!("a\n\n{line}=\n"), sign(1)),
            ("a\n\n— a b\n", sign(1)),
            ("a\n\n— a\n", sign(1)),
            ("a\n\n— a AAAAAA==\n", sign(1)),
            ("a\n\n— a+b AAAAAAAA\n", sign(1)),
            ("a\n\n—  AAAAAAAA\n", sign(1)),
            ("a\n\n- a AAAAAAAA\n", sign(1)),
            (&many, NoteError::TooLarge),
            (&large, NoteError::TooLarge),
        ] {
            assert_eq!(note.parse::<Note>(), Err(error), "{}", &note[..note.len().min(200)]);
        }
        assert_eq!(Note::parse(b"a\xff\n\n"), Err(NoteError::Text));
        assert_eq!(Note::new("a"), Err(NoteError::Text));
        assert_eq!(Note::new("a\tb\n"), Err(NoteError::Text));
    }
}
