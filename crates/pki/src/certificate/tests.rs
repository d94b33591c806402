//! Certificates of the system's trust store, and mutated ones.

use super::*;

fn bundle() -> Vec<Vec<u8>> {
    let pem = std::fs::read_to_string("/etc/ssl/certs/ca-certificates.crt").expect("trust store");
    pem.split("-----BEGIN CERTIFICATE-----")
        .skip(1)
        .map(|block| {
            let body: String = block.split("-----END").next().unwrap().split_whitespace().collect();
            STANDARD.decode(body).unwrap()
        })
        .collect()
}

#[test]
fn every_root_of_the_system_parses_and_verifies_itself() {
    let all = bundle();
    assert!(all.len() >= 100, "only {} certificates", all.len());
    let mut failed = Vec::new();
    for der in &all {
        let certificate = Certificate::parse(der).unwrap();
        assert_eq!(certificate.der(), der.as_slice());
        assert!(certificate.is_ca() && certificate.self_issued, "{}", certificate.subject_dn);
        assert!(certificate.key_size.is_some());
        assert!(!certificate.signature_algorithm.contains('.'));
        assert!(certificate.not_after > certificate.not_before);
        if let Err(error) = crate::signature::verify(&certificate, &certificate) {
            failed.push(format!("{}: {error}", certificate.subject_dn));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
