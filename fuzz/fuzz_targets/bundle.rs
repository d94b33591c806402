//! Any bytes as an entry bundle: what decodes is encoded to the same bytes.
#![no_main]

use chancery_seal::{BundleId, bundle};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&width, rest)) = bytes.split_first() else { return };
    let Ok(id) = BundleId::new(0, u16::from(width).max(1)) else { return };
    if let Ok(entries) = bundle::decode(id, rest) {
        assert_eq!(bundle::encode(entries).expect("it was decoded"), rest);
    }
});
