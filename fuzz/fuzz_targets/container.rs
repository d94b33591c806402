//! Any bytes as a file of certificates.
#![no_main]

use chancery_pki::container;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(found) = container::read(bytes, Some("x")) {
        assert!(found.iter().any(|item| item.result.is_ok()));
        assert!(found.iter().enumerate().all(|(index, item)| item.index == index));
    }
});
