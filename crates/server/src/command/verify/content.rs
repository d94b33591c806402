//! What the bytes of an entry must be beside being sealed: an event.

use chancery_event::{Event, PersonalPart};
use chancery_seal::bundle::Entries;

use super::source::{Fetched, Finding};

/// The bundle whose first entry has the index `first`, with its entries read as events.
pub(super) fn read(first: u64, bytes: Vec<u8>) -> Fetched {
    let mut fetched = Fetched::default();
    for (index, entry) in (first..).zip(Entries::new(&bytes)) {
        // A bundle that breaks off is found by its hashes.
        let Ok(entry) = entry else { break };
        fetched.entries += 1;
        match Event::open(entry, None) {
            Ok(event) => {
                fetched.erased += u64::from(matches!(event.personal, PersonalPart::Committed(_)));
            }
            Err(error) => {
                fetched
                    .findings
                    .push(Finding { index, what: format!("{:#}", anyhow::Error::new(error)) });
            }
        }
    }
    fetched.bytes = bytes;
    fetched
}
