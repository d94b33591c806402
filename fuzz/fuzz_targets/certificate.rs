//! Any bytes as a certificate, and everything that can be done with it.
#![no_main]

use std::sync::Arc;

use chancery_pki::{Certificate, replacement, signature, validation};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(certificate) = Certificate::parse(bytes) else {
        return;
    };
    let _ = certificate.to_text();
    let _ = certificate.names_a_person();
    let _ = signature::verify(&certificate, &certificate);
    let _ = replacement::replaces(&certificate, &certificate);
    let pool = vec![Arc::new(certificate.clone())];
    let _ = validation::validate(&certificate, &pool, &|_| false, 0, 1);
    let again = Certificate::parse(certificate.der()).expect("what was kept parses again");
    assert_eq!(again.fingerprint_sha256, certificate.fingerprint_sha256);
});
