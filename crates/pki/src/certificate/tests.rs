//! Certificates of the system's trust store, compared with another reader, and certificates made
//! odd.

use der::{Decode as _, Encode as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::asn1;
use crate::encode::{self, element, sequence};
use crate::make::{self, Key, Template};
use crate::time::DAY;

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

#[test]
fn another_reader_sees_the_same() {
    for der in bundle() {
        let ours = Certificate::parse(&der).unwrap();
        let theirs = x509_cert::Certificate::from_der(&der).unwrap();
        let tbs = theirs.tbs_certificate();
        let seconds = |time: x509_cert::time::Time| {
            i64::try_from(time.to_unix_duration().as_secs()).unwrap() * time::SECOND
        };
        assert_eq!(ours.not_before, seconds(tbs.validity().not_before), "{}", ours.subject_dn);
        assert_eq!(ours.not_after, seconds(tbs.validity().not_after), "{}", ours.subject_dn);
        let serial = tbs.serial_number().as_bytes();
        let serial = if serial[0] == 0 && serial.len() > 1 && serial[1] >= 0x80 {
            &serial[1..]
        } else {
            serial
        };
        assert_eq!(ours.serial, asn1::hex(serial));
        assert_eq!(ours.subject_der(), tbs.subject().to_der().unwrap());
        assert_eq!(ours.issuer_der(), tbs.issuer().to_der().unwrap());
        assert_eq!(ours.spki_der(), tbs.subject_public_key_info().to_der().unwrap());
        let extensions = tbs.extensions().map_or(&[][..], |list| list.as_slice());
        let listed = ours.extensions();
        assert_eq!(listed.len(), extensions.len());
        for (ours, theirs) in listed.iter().zip(extensions) {
            assert_eq!(ours.oid, theirs.extn_id.to_string());
            assert_eq!(ours.critical, theirs.critical);
            assert_eq!(ours.hex, asn1::hex(theirs.extn_value.as_bytes()));
        }
    }
}

/// A certificate built field by field; the signature is empty.
struct Raw {
    version: Vec<u8>,
    serial: Vec<u8>,
    dates: [Vec<u8>; 2],
    subject: Vec<u8>,
    extensions: Vec<u8>,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            version: element(0xa0, &element(2, &[2])),
            serial: vec![1],
            dates: [element(0x17, b"260101000000Z"), element(0x17, b"270101000000Z")],
            subject: sequence(&[]),
            extensions: Vec::new(),
        }
    }
}

impl Raw {
    fn der(&self) -> Vec<u8> {
        let algorithm = sequence(&[element(6, &[0x2a, 3])]);
        let mut tbs = vec![
            self.version.clone(),
            element(2, &self.serial),
            algorithm.clone(),
            sequence(&[]),
            sequence(&self.dates),
            self.subject.clone(),
            sequence(&[algorithm.clone(), encode::bit_string(&[1, 2])]),
        ];
        if !self.extensions.is_empty() {
            tbs.push(element(0xa3, &self.extensions));
        }
        sequence(&[sequence(&tbs), algorithm, encode::bit_string(&[])])
    }

    fn read(&self) -> Certificate {
        Certificate::parse(&self.der()).unwrap()
    }
}

#[test]
fn the_bare_skeleton_is_enough() {
    let plain = Raw::default().read();
    assert_eq!(plain.warnings, Vec::<String>::new());
    assert_eq!((plain.subject_dn.as_str(), plain.title()), ("", "01"));
    assert_eq!(
        (plain.signature_algorithm.as_str(), plain.key_algorithm.as_str()),
        ("1.2.3", "1.2.3")
    );
    assert!(plain.self_issued && !plain.is_ca() && plain.key_usage().is_none());
    assert!(plain.to_text().contains("Serial number: 01"));
}

#[test]
fn odd_serial_numbers_are_kept_as_they_are() {
    for (octets, shown, warning) in [
        (&[0xff, 0x85][..], "ff85", Some("negative")),
        (&[0], "00", Some("zero")),
        (&[], "", Some("zero")),
        (&[0, 0, 5], "000005", Some("shortest")),
        (&[0, 0x85], "85", None),
        (&[0x7f; 30], &"7f".repeat(30), Some("longer than 20")),
    ] {
        let read = Raw { serial: octets.to_vec(), ..Raw::default() }.read();
        assert_eq!(read.serial, shown);
        assert_eq!(read.serial_negative, warning == Some("negative"));
        let told = warning.is_none_or(|text| read.warnings.iter().any(|line| line.contains(text)));
        assert!(told, "{octets:?} {:?}", read.warnings);
    }
}

#[test]
fn odd_versions_dates_and_names_are_read() {
    let eighth = Raw { version: element(0xa0, &element(2, &[7])), ..Raw::default() }.read();
    assert_eq!((eighth.version, eighth.warnings.len()), (8, 1));
    let first = Raw { version: Vec::new(), ..Raw::default() }.read();
    assert_eq!((first.version, first.warnings.len()), (1, 0));
    let endless = [element(0x17, b"2601010000Z"), element(0x18, b"99991231235959Z")];
    let endless = Raw { dates: endless, ..Raw::default() }.read();
    assert!(endless.has_no_expiry());
    assert_eq!(endless.warnings.len(), 1, "{:?}", endless.warnings);
    let unreadable = [element(0x17, b"260101000000Z"), element(0x17, b"soon")];
    let unreadable = Raw { dates: unreadable, ..Raw::default() }.read();
    assert_eq!(unreadable.not_after, 0, "what cannot be read counts as ended, not as endless");
    let strange =
        sequence(&[element(0x31, &sequence(&[element(6, &[0x55, 4, 3]), element(3, &[0, 1])]))]);
    let strange = Raw { subject: strange, ..Raw::default() }.read();
    assert_eq!(strange.subject_dn, "CN=#03020001");
}

#[test]
fn broken_and_unknown_extensions_lose_only_themselves() {
    let extension = |kind: &[u8], value: &[u8]| sequence(&[element(6, kind), element(4, value)]);
    let names =
        sequence(&[element(0x82, b"a.test"), element(0x87, &[10, 0, 0, 1]), element(0x87, &[1])]);
    let list = sequence(&[
        extension(&[0x55, 0x1d, 0x13], b"junk"),
        extension(&[0x2a, 9], &element(12, b"hello")),
        element(0x30, &[6, 1]),
        extension(&[0x55, 0x1d, 0x11], &names),
        extension(&[0x55, 0x1d, 0x11], &sequence(&[element(0x82, b"b.test")])),
    ]);
    let read = Raw { extensions: list, ..Raw::default() }.read();
    let found: Vec<String> =
        read.names().iter().map(|n| format!("{}:{}", n.kind.as_str(), n.value)).collect();
    assert_eq!(found, ["dns:a.test", "ip:10.0.0.1", "ip:0x01"]);
    assert_eq!(read.warnings.len(), 3, "{:?}", read.warnings);
    let listed = read.extensions();
    assert_eq!(listed.len(), 4);
    assert_eq!(listed[1].readable.as_deref(), Some("hello"));
    let nonsense = Raw { extensions: vec![0x30, 0x85], ..Raw::default() }.read();
    assert_eq!(nonsense.warnings.len(), 1);
}

#[test]
fn what_is_no_certificate_is_refused_with_the_offset() {
    let der = Raw::default().der();
    let error = Certificate::parse(&der[..der.len() - 1]).unwrap_err();
    assert_eq!((error.offset, error.expected), (0, "a certificate (SEQUENCE)"));
    let tbs_offset = 2;
    let error = Certificate::parse(&sequence(&[element(4, &[])])).unwrap_err();
    assert_eq!(error.offset, tbs_offset);
    let trailing = [der.clone(), vec![0, 0]].concat();
    let read = Certificate::parse(&trailing).unwrap();
    assert_eq!(read.der(), der);
    assert_eq!(read.warnings, ["2 bytes after the certificate were ignored"]);
}

#[test]
fn who_names_a_person() {
    let key = Key::from_seed(b"person").unwrap();
    let made = |template: &Template| {
        Certificate::parse(&make::certificate(template, &key, None).unwrap()).unwrap()
    };
    let mut person = Template::leaf(&[], 0, DAY);
    person.subject = vec![("CN".to_owned(), "Ada".to_owned())];
    person.emails = vec!["ada@example.test".to_owned()];
    assert!(made(&person).names_a_person());
    person.emails.clear();
    person.subject.push(("emailAddress".to_owned(), "ada@example.test".to_owned()));
    assert!(made(&person).names_a_person());
    assert!(!made(&Template::leaf(&["www.test"], 0, DAY)).names_a_person());
    assert!(!made(&Template::ca("CA", 0, DAY)).names_a_person());
}
