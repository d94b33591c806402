//! Payloads: what is sealed, and what is kept apart as personal.

use chancery_event::catalogue::Payload;
use chancery_event::id::{CertificateId, Id};
use chancery_event::types::certificate::{Archive, CertificateSummary, StatusChanged, Upload};
use chancery_event::types::{account, lifecycle};
use chancery_event::{EventType, Timestamp};
use serde_json::json;

fn summary() -> CertificateSummary {
    CertificateSummary {
        certificate_id: CertificateId::from_uuid(uuid::Uuid::from_u128(7)),
        fingerprint_sha256: "ab".repeat(32),
        serial_number: "0a".to_owned(),
        subject_dn: Some("CN=Grace Example".to_owned()),
        issuer_dn: Some("CN=Example CA".to_owned()),
        not_before: Timestamp::from_micros(0),
        not_after: Timestamp::from_micros(Timestamp::DAY),
        authority_id: None,
        ra_profile_id: None,
        ra_profile: None,
        group_ids: Vec::new(),
        person_dn: None,
        person_issuer_dn: None,
    }
}

#[test]
fn the_subject_of_a_person_moves_to_the_personal_part() {
    let status = |certificate| StatusChanged {
        certificate,
        old_status: "valid".into(),
        new_status: "expired".into(),
        reason: None,
    };
    let server = status(summary());
    assert_eq!(server.detail()["subject_dn"], "CN=Grace Example");
    assert!(server.personal().is_empty());
    let person = status(summary().of_a_person().of_a_person());
    assert!(!person.detail().contains_key("subject_dn"));
    assert_eq!(json!(person.personal()), json!({"subject_dn": "CN=Grace Example"}));
    assert_eq!(StatusChanged::TYPE, EventType::CertificateStatusChanged);
    assert_eq!(person.detail()["issuer_dn"], "CN=Example CA");

    // Whoever signs for oneself is named twice; an authority may be a person, too.
    let own = CertificateSummary { issuer_dn: summary().subject_dn, ..summary() };
    let own = status(own.of_a_person());
    assert!(!json!(own.detail()).to_string().contains("Grace"), "{:?}", own.detail());
    assert_eq!(own.personal()["issuer_dn"], "CN=Grace Example");
    let by_grace = status(summary().by_a_person());
    assert!(!by_grace.detail().contains_key("issuer_dn"));
    assert_eq!(json!(by_grace.personal()), json!({"issuer_dn": "CN=Example CA"}));

    let both = lifecycle::HolderLimitEnforce {
        certificate: Some(summary().of_a_person()),
        limit: 2,
        held: 3,
        revoked: 1,
        holder: Some("grace".to_owned()),
    };
    let expected = json!({"subject_dn": "CN=Grace Example", "holder": "grace"});
    assert_eq!(json!(Payload::personal(&both)), expected);
}

#[test]
fn absent_members_are_left_out() {
    let upload = Upload {
        certificate: None,
        certificate_id: None,
        format: None,
        size_bytes: 3,
        count: 0,
        mode: "sync".into(),
        job_id: None,
        duplicate_of: None,
    };
    let expected = json!({"size_bytes": 3, "count": 0, "mode": "sync"});
    assert_eq!(json!(upload.detail()), expected);
    assert_eq!(EventType::CertificateUpload.normalise(&upload.detail()).unwrap(), upload.detail());
    assert!(EventType::CertificateUpload.normalise(&serde_json::Map::new()).is_err());
    let archive =
        Archive { certificate: None, changes: Vec::new(), note: Some("asked by Grace".to_owned()) };
    assert!(archive.detail().is_empty());
    assert_eq!(json!(archive.personal()), json!({"note": "asked by Grace"}));
}

#[test]
fn names_of_people_are_never_sealed() {
    let login = account::SessionCreate {
        account_id: None,
        method: "password".into(),
        expires_at: None,
        failed_attempts: Some(1),
        attempted_name: Some("grace".to_owned()),
    };
    assert!(!json!(login.detail()).to_string().contains("grace"));
    assert_eq!(json!(login.personal()), json!({"attempted_name": "grace"}));
}
