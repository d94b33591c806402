//! Paths and verdicts over certificates made for the purpose.

use super::*;
use crate::make::{self, Issuer, Key, Template};
use crate::time::DAY;

/// A named certificate with its key.
struct Made {
    certificate: Arc<Certificate>,
    key: Key,
}

impl Made {
    fn new(template: &Template, seed: &str, issuer: Option<&Made>) -> Self {
        let key = Key::from_seed(seed.as_bytes()).unwrap();
        let signer =
            issuer.map(|issuer| Issuer { certificate: &issuer.certificate, key: &issuer.key });
        let der = make::certificate(template, &key, signer.as_ref()).unwrap();
        Self { certificate: Arc::new(Certificate::parse(&der).unwrap()), key }
    }

    fn ca(name: &str, end_days: i64, issuer: Option<&Made>) -> Self {
        Self::new(&Template::ca(name, 0, end_days * DAY), name, issuer)
    }

    fn leaf(end_days: i64, issuer: Option<&Made>) -> Self {
        Self::new(&Template::leaf(&["www.example.test"], 10 * DAY, end_days * DAY), "leaf", issuer)
    }
}

fn check(subject: &Made, pool: &[&Made], anchors: &[&Made], day: i64) -> Validation {
    let pool: Vec<Arc<Certificate>> = pool.iter().map(|made| made.certificate.clone()).collect();
    let anchors: Vec<[u8; 32]> =
        anchors.iter().map(|made| made.certificate.fingerprint_sha256).collect();
    let is_anchor = |fingerprint: &[u8; 32]| anchors.contains(fingerprint);
    let verdict = validate(&subject.certificate, &pool, &is_anchor, day * DAY, 30 * DAY);
    let index: IssuerIndex = pool.into_iter().collect();
    let indexed = validate(&subject.certificate, &index, &is_anchor, day * DAY, 30 * DAY);
    assert_eq!(verdict, indexed, "the index finds what the list has");
    let remembering = Remembering { index, verified: Verified::default() };
    for _ in 0..2 {
        let again = validate(&subject.certificate, &remembering, &is_anchor, day * DAY, 30 * DAY);
        assert_eq!(verdict, again, "what is remembered changes no verdict");
    }
    verdict
}

struct Remembering {
    index: IssuerIndex,
    verified: Verified,
}

impl IssuerSource for Remembering {
    fn issuers_of(&self, certificate: &Certificate) -> Vec<Arc<Certificate>> {
        self.index.issuers_of(certificate)
    }

    fn verified(&self) -> Option<&Verified> {
        Some(&self.verified)
    }
}

#[test]
fn keys_that_did_not_sign_are_not_tried_once_the_one_that_did_is_known() {
    // Authorities of one name with keys of their own, as after each renewal with a new key.
    let template = Template::ca("Issuing", 0, 2_000 * DAY);
    let all: Vec<Made> = (0..5).map(|n| Made::new(&template, &format!("key {n}"), None)).collect();
    let signer = all.last().unwrap();
    let below = Made::ca("Below", 1_000, Some(signer));
    let index = all.iter().chain([&below]).map(|made| made.certificate.clone()).collect();
    let source = Remembering { index, verified: Verified::default() };
    let anchor = signer.certificate.fingerprint_sha256;
    let leaf = Made::leaf(100, Some(&below));
    let verdict = validate(&leaf.certificate, &source, &|f| *f == anchor, 50 * DAY, 0);
    assert_eq!(verdict.status, Status::Valid);
    let kept = source.verified.0.lock().unwrap();
    let tried = kept.keys().filter(|(signed, _)| *signed == below.certificate.fingerprint_sha256);
    let tried: Vec<_> = tried.map(|(_, key)| *key).collect();
    assert_eq!(tried, [signer.certificate.spki_sha256]);
}

#[test]
fn a_signature_on_an_authority_is_checked_once_and_those_on_others_are_not_kept() {
    let root = Made::ca("Root", 4_000, None);
    let issuing = Made::ca("Issuing", 2_000, Some(&root));
    let index = [&issuing, &root].into_iter().map(|made| made.certificate.clone()).collect();
    let source = Remembering { index, verified: Verified::default() };
    let anchor = root.certificate.fingerprint_sha256;
    let judge =
        |leaf: &Made| validate(&leaf.certificate, &source, &|f| *f == anchor, 50 * DAY, 0).status;
    for seed in ["one", "two", "three"] {
        let template = Template::leaf(&["www.example.test"], 10 * DAY, 100 * DAY);
        assert_eq!(judge(&Made::new(&template, seed, Some(&issuing))), Status::Valid);
    }
    let kept: Vec<Signed> = source.verified.0.lock().unwrap().keys().copied().collect();
    let expected = (issuing.certificate.fingerprint_sha256, root.certificate.spki_sha256);
    assert_eq!(kept, [expected]);
    // It is what is remembered that counts.
    source.verified.keep(expected, &Err(SignatureError::Bad));
    assert_eq!(judge(&Made::leaf(100, Some(&issuing))), Status::Invalid);
}

#[test]
fn what_is_remembered_lets_nobody_look_further() {
    // More keys under one name than are tried, and the one that signed is not among them.
    let template = Template::ca("Issuing", 0, 2_000 * DAY);
    let all: Vec<Made> =
        (0..140).map(|n| Made::new(&template, &format!("key {n}"), None)).collect();
    let absent = Made::new(&template, "absent", None);
    let below = Made::ca("Below", 1_000, Some(&absent));
    let leaf = Made::leaf(100, Some(&below));
    let pool: Vec<&Made> = all.iter().chain([&below]).collect();
    // Asked again with what was remembered.
    let verdict = check(&leaf, &pool, &[], 50);
    assert_eq!(verdict.status, Status::Unknown, "{}", verdict.reason);
}

#[test]
fn what_is_remembered_is_bounded() {
    let verified = Verified::default();
    for number in 0..=REMEMBERED_MAX as u64 {
        let mut signed = [0; 32];
        signed[..8].copy_from_slice(&number.to_le_bytes());
        verified.keep((signed, [0; 32]), &Err(SignatureError::Bad));
    }
    assert_eq!(verified.count(), 1);
}

#[test]
fn time_alone_walks_through_the_states() {
    let root = Made::ca("Root", 4_000, None);
    let issuing = Made::ca("Issuing", 2_000, Some(&root));
    let leaf = Made::leaf(100, Some(&issuing));
    let at = |day| check(&leaf, &[&issuing, &root], &[&root], day);
    let mut day_us = 0;
    let mut walk = Vec::new();
    loop {
        let pool = vec![issuing.certificate.clone(), root.certificate.clone()];
        let anchor = root.certificate.fingerprint_sha256;
        let verdict = validate(&leaf.certificate, &pool, &|f| *f == anchor, day_us, 30 * DAY);
        walk.push((day_us, verdict.status));
        match verdict.next_change {
            Some(next) => day_us = next,
            None => break,
        }
    }
    assert_eq!(
        walk,
        [
            (0, Status::NotYetValid),
            (10 * DAY, Status::Valid),
            (70 * DAY, Status::Expiring),
            (100 * DAY + 1, Status::Expired),
            (2_000 * DAY + 1, Status::Invalid),
        ]
    );
    let valid = at(50);
    assert_eq!(valid.chain.len(), 3);
    assert_eq!(valid.reason, "it chains to the trust anchor “CN=Root”");
    assert!(valid.checks.iter().all(|check| check.result != CheckResult::Failed));
    assert!(
        valid.checks.iter().any(|c| c.name == "revocation" && c.result == CheckResult::Skipped)
    );
}

#[test]
fn what_is_missing_is_named() {
    let root = Made::ca("Root", 4_000, None);
    let issuing = Made::ca("Issuing", 2_000, Some(&root));
    let leaf = Made::leaf(100, Some(&issuing));
    let alone = check(&leaf, &[], &[&root], 50);
    assert_eq!(alone.status, Status::Incomplete);
    assert_eq!(alone.reason, "issuer “CN=Issuing” is not in the inventory");
    assert_eq!(alone.next_change, Some(100 * DAY + 1));
    let half = check(&leaf, &[&issuing], &[&root], 50);
    assert_eq!(half.reason, "issuer “CN=Root” is not in the inventory");
    assert_eq!(half.chain.len(), 2);
    let untrusted = check(&leaf, &[&issuing, &root], &[], 50);
    assert_eq!(untrusted.status, Status::Untrusted);
    assert!(untrusted.reason.contains("CN=Root"), "{}", untrusted.reason);
    let own = check(&root, &[&root], &[], 50);
    assert_eq!((own.status, own.chain.len()), (Status::Untrusted, 1));
    assert_eq!(check(&root, &[], &[&root], 50).status, Status::Valid);
    let intermediate_anchor = check(&leaf, &[&issuing], &[&issuing], 50);
    assert_eq!(intermediate_anchor.status, Status::Valid);
}

#[test]
fn a_wrong_signature_is_invalid_and_another_key_is_not() {
    let root = Made::ca("Root", 4_000, None);
    let leaf = Made::leaf(100, Some(&root));
    let mut der = leaf.certificate.der().to_vec();
    let last = der.len() - 1;
    der[last] ^= 1;
    let broken = Made {
        certificate: Arc::new(Certificate::parse(&der).unwrap()),
        key: Key::from_seed(b"x").unwrap(),
    };
    let verdict = check(&broken, &[&root], &[&root], 50);
    assert_eq!(verdict.status, Status::Invalid, "{}", verdict.reason);
    let namesake = Made::new(&Template::ca("Root", 0, 4_000 * DAY), "another key", None);
    let verdict = check(&leaf, &[&namesake], &[&namesake], 50);
    assert_eq!(verdict.status, Status::Incomplete, "{}", verdict.reason);
    let verdict = check(&leaf, &[&namesake, &root], &[&root], 50);
    assert_eq!(verdict.status, Status::Valid);
    let mut der = root.certificate.der().to_vec();
    let last = der.len() - 1;
    der[last] ^= 1;
    let broken_root = Made {
        certificate: Arc::new(Certificate::parse(&der).unwrap()),
        key: Key::from_seed(b"x").unwrap(),
    };
    assert_eq!(check(&broken_root, &[], &[], 50).status, Status::Invalid);
}

#[test]
fn an_issuer_must_be_a_ca_within_its_limits() {
    let root = Made::ca("Root", 4_000, None);
    let not_ca = Made::leaf(1_000, Some(&root));
    let below = Made::new(&Template::leaf(&["b.test"], 0, 90 * DAY), "b", Some(&not_ca));
    let verdict = check(&below, &[&not_ca, &root], &[&root], 50);
    assert_eq!(verdict.status, Status::Invalid);
    assert!(verdict.reason.contains("not say it is a CA"), "{}", verdict.reason);

    let mut limited = Template::ca("Limited", 0, 2_000 * DAY);
    limited.path_len = Some(0);
    let limited = Made::new(&limited, "limited", Some(&root));
    let deeper = Made::ca("Deeper", 1_500, Some(&limited));
    let leaf = Made::leaf(100, Some(&deeper));
    let verdict = check(&leaf, &[&limited, &deeper, &root], &[&root], 50);
    assert_eq!(verdict.status, Status::Invalid);
    assert!(verdict.reason.contains("allows 0 CAs below it and has 1"), "{}", verdict.reason);
    let direct = Made::leaf(100, Some(&limited));
    assert_eq!(check(&direct, &[&limited, &root], &[&root], 50).status, Status::Valid);

    let mut constrained = Template::ca("Constrained", 0, 2_000 * DAY);
    constrained.permitted_dns = vec!["other.test".to_owned()];
    let constrained = Made::new(&constrained, "constrained", Some(&root));
    let leaf = Made::leaf(100, Some(&constrained));
    let verdict = check(&leaf, &[&constrained, &root], &[&root], 50);
    assert_eq!(verdict.status, Status::Invalid);
    assert!(verdict.reason.contains("www.example.test"), "{}", verdict.reason);
}

#[test]
fn of_several_paths_the_one_that_is_good_now_is_told() {
    let old_root = Made::ca("Old root", 60, None);
    let new_root = Made::ca("New root", 4_000, None);
    let issuing = Made::ca("Issuing", 2_000, Some(&new_root));
    let cross = Made::ca("Issuing", 2_000, Some(&old_root));
    let leaf = Made::leaf(100, Some(&issuing));
    let pool = [&issuing, &cross, &old_root, &new_root];
    let both = check(&leaf, &pool, &[&old_root, &new_root], 20);
    assert_eq!(both.status, Status::Valid);
    assert_eq!(both.next_change, Some(70 * DAY), "the end of the old root changes nothing");
    let old_only = check(&leaf, &pool, &[&old_root], 20);
    assert_eq!(old_only.status, Status::Valid);
    assert_eq!(old_only.next_change, Some(60 * DAY + 1), "the CA ends before the leaf");
    let after = check(&leaf, &pool, &[&old_root], 65);
    assert!(matches!(after.status, Status::Untrusted | Status::Invalid), "{:?}", after.status);
}

#[test]
fn cycles_and_crowds_end() {
    let (a, b) = (Made::ca("A", 4_000, None), Made::ca("B", 4_000, None));
    let a_by_b = Made::ca("A", 4_000, Some(&b));
    let b_by_a = Made::ca("B", 4_000, Some(&a));
    let leaf = Made::leaf(100, Some(&a));
    let verdict = check(&leaf, &[&a_by_b, &b_by_a], &[], 50);
    assert_eq!(verdict.status, Status::Incomplete, "{}", verdict.reason);

    // Many CAs of one name, each cross-signed: the work is bounded.
    let crowd: Vec<Made> = (0..200)
        .map(|i| Made::new(&Template::ca("A", 0, (100 + i) * DAY), &format!("crowd {i}"), None))
        .collect();
    let mut pool: Vec<&Made> = crowd.iter().collect();
    let verdict = check(&leaf, &pool, &[], 50);
    assert_eq!(verdict.status, Status::Unknown, "{}", verdict.reason);
    pool.push(&a);
    let verdict = check(&leaf, &pool, &[&a], 50);
    assert_eq!(verdict.status, Status::Valid, "the right key comes first: {}", verdict.reason);

    let mut chain = vec![Made::ca("C0", 4_000, None)];
    for level in 1..14 {
        let next = Made::ca(&format!("C{level}"), 4_000, chain.last());
        chain.push(next);
    }
    let pool: Vec<&Made> = chain.iter().collect();
    let leaf = Made::leaf(100, chain.last());
    assert_eq!(check(&leaf, &pool, &[&chain[0]], 50).status, Status::Unknown);
}
