//! Entry bundles: up to 256 entries, each behind its length as a big-endian `u16` (C2SP
//! tlog-tiles).
//!
//! Decoding must never drop bytes silently: a bundle that is cut short or has more entries than its
//! name says is an error that tells at which entry it went wrong.

use thiserror::Error;

use crate::tile::{BundleId, TILE_WIDTH};

/// Longest entry in bytes.
pub const ENTRY_MAX: usize = u16::MAX as usize;

/// Why entries cannot be bundled, or a bundle cannot be taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BundleError {
    /// An entry has more than 65,535 bytes.
    #[error("entry {position} of the bundle has {length} bytes, more than 65,535")]
    EntryTooLong {
        /// Position within the bundle.
        position: u16,
        /// Length of the entry in bytes.
        length: usize,
    },
    /// More than 256 entries for one bundle.
    #[error("a bundle holds at most 256 entries")]
    TooManyEntries,
    /// The bytes end before the entry at this position does.
    #[error("the bundle ends within or before its entry {position}")]
    Truncated {
        /// Position within the bundle of the entry that is cut off or missing.
        position: u16,
    },
    /// Bytes follow where the bundle should end.
    #[error("the bundle goes on after its {position} entries")]
    Surplus {
        /// Number of entries that the bundle should have.
        position: u16,
    },
}

/// Appends one entry to the bytes of a bundle.
///
/// # Errors
///
/// [`BundleError::EntryTooLong`], naming position 0, when the entry has more than 65,535 bytes.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), BundleError> {
    let length = u16::try_from(entry.len())
        .map_err(|_| BundleError::EntryTooLong { position: 0, length: entry.len() })?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// Encodes up to 256 entries as one bundle.
///
/// # Errors
///
/// [`BundleError::EntryTooLong`] or [`BundleError::TooManyEntries`].
pub fn encode<B: AsRef<[u8]>>(
    entries: impl IntoIterator<Item = B>,
) -> Result<Vec<u8>, BundleError> {
    let mut bundle = Vec::new();
    for (position, entry) in (0u16..).zip(entries) {
        if position == TILE_WIDTH {
            return Err(BundleError::TooManyEntries);
        }
        let entry = entry.as_ref();
        push_entry(&mut bundle, entry)
            .map_err(|_| BundleError::EntryTooLong { position, length: entry.len() })?;
    }
    Ok(bundle)
}

/// The entries of a bundle of exactly `id.width()` entries.
///
/// # Errors
///
/// [`BundleError::Truncated`] or [`BundleError::Surplus`].
pub fn decode(id: BundleId, bundle: &[u8]) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Entries::new(bundle);
    let mut decoded = Vec::with_capacity(usize::from(id.width()));
    for position in 0..id.width() {
        match entries.next() {
            Some(entry) => decoded.push(entry?),
            None => return Err(BundleError::Truncated { position }),
        }
    }
    if entries.rest.is_empty() {
        Ok(decoded)
    } else {
        Err(BundleError::Surplus { position: id.width() })
    }
}

/// The first `id.width()` entries of a bundle that may be a wider version of the one named.
///
/// # Errors
///
/// [`BundleError::Truncated`] when there are fewer entries than named, or the wider rest is
/// malformed.
pub fn decode_prefix(id: BundleId, bundle: &[u8]) -> Result<Vec<&[u8]>, BundleError> {
    let mut decoded = Entries::new(bundle).collect::<Result<Vec<_>, _>>()?;
    let count = u16::try_from(decoded.len()).ok().filter(|count| *count <= TILE_WIDTH);
    let count = count.ok_or(BundleError::Surplus { position: TILE_WIDTH })?;
    if count < id.width() {
        return Err(BundleError::Truncated { position: count });
    }
    decoded.truncate(usize::from(id.width()));
    Ok(decoded)
}

/// Cuts a bundle that may be a wider version of the one named down to the named entries.
///
/// # Errors
///
/// [`BundleError::Truncated`] when there are fewer entries than named.
pub fn trim(id: BundleId, bundle: &[u8]) -> Result<&[u8], BundleError> {
    let mut entries = Entries::new(bundle);
    for position in 0..id.width() {
        entries.next().ok_or(BundleError::Truncated { position })??;
    }
    Ok(&bundle[..bundle.len() - entries.rest.len()])
}

/// Walks over the entries of a bundle; ends after the first error.
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    rest: &'a [u8],
    position: u16,
}

impl<'a> Entries<'a> {
    /// Starts at the first entry of `bundle`.
    pub fn new(bundle: &'a [u8]) -> Self {
        Self { rest: bundle, position: 0 }
    }

    /// The bytes behind the entries walked over so far.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn split(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.rest.split_first_chunk::<2>()?;
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        self.rest = rest;
        self.position = self.position.saturating_add(1);
        Some(entry)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<&'a [u8], BundleError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = self.split();
        if entry.is_none() {
            self.rest = &[];
        }
        Some(entry.ok_or(BundleError::Truncated { position: self.position }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(width: u16) -> BundleId {
        BundleId::new(0, width).unwrap()
    }

    #[test]
    fn golden_bytes() {
        let bundle = encode([&b"ab"[..], b"", b"c"]).unwrap();
        assert_eq!(bundle, [0, 2, b'a', b'b', 0, 0, 0, 1, b'c']);
        assert_eq!(decode(id(3), &bundle), Ok(vec![&b"ab"[..], b"", b"c"]));
        assert_eq!(decode_prefix(id(2), &bundle), Ok(vec![&b"ab"[..], b""]));
        assert_eq!(trim(id(2), &bundle), Ok(&bundle[..6]));
        assert_eq!(trim(id(3), &bundle), Ok(&bundle[..]));
        assert_eq!(trim(id(4), &bundle), Err(BundleError::Truncated { position: 3 }));
    }

    #[test]
    fn every_cut_is_noticed() {
        let bundle = encode([&b"ab"[..], b"", b"c"]).unwrap();
        for (length, position) in [(0, 0), (1, 0), (3, 0), (4, 1), (5, 1), (6, 2), (8, 2)] {
            let cut = &bundle[..length];
            assert_eq!(decode(id(3), cut), Err(BundleError::Truncated { position }), "{length}");
            assert_eq!(decode_prefix(id(3), cut), Err(BundleError::Truncated { position }));
        }
        assert_eq!(decode(id(2), &bundle), Err(BundleError::Surplus { position: 2 }));
        let mut torn = bundle.clone();
        torn.push(0);
        assert_eq!(decode_prefix(id(2), &torn), Err(BundleError::Truncated { position: 3 }));
    }

    #[test]
    fn limits() {
        let long = vec![1u8; ENTRY_MAX + 1];
        assert_eq!(
            encode([&b""[..], &long]),
            Err(BundleError::EntryTooLong { position: 1, length: 65_536 })
        );
        let longest = encode([&long[1..]]).unwrap();
        assert_eq!(decode(id(1), &longest), Ok(vec![&long[1..]]));
        assert!(encode(vec![b""; 256]).is_ok());
        assert_eq!(encode(vec![b""; 257]), Err(BundleError::TooManyEntries));
        let wide = vec![0u8; 2 * 257];
        assert_eq!(decode_prefix(id(256), &wide), Err(BundleError::Surplus { position: 256 }));
    }
}
