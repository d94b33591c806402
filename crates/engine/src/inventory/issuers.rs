//! Judging a certificate: its possible issuers from the inventory, its chain, its status.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use chancery_event::Timestamp;
use chancery_event::id::CertificateId;
use chancery_pki::Certificate as Parsed;
use chancery_pki::validation::{IssuerSource, Validation, Verified, validate};
use chancery_store::Link;
use chancery_store::table::certificate::{self, Certificate, StatusRow};
use serde_json::json;

use super::candidate::{hex, name_key};
use crate::{Engine, Error};

/// Levels of issuers that are looked at.
const DEPTH_MAX: usize = 10;
/// Issuers that one judgement looks at.
const ISSUERS_MAX: usize = 64;
/// A verdict that time alone never changes is looked at again after this long all the same.
const NEVER: i64 = 3_650 * Timestamp::DAY;

/// Certificates that may stand above some others, read from the inventory once.
pub(crate) struct Issuers {
    /// By the key of their subject name.
    by_subject: HashMap<String, Vec<Issuer>>,
    /// Who bears a subject name, and whether it is trusted, as it was when it was read.
    standing: HashMap<String, Vec<(CertificateId, bool)>>,
    /// Their own signatures: this process checks them once, however many stand below them.
    verified: Arc<Verified>,
}

#[derive(Clone)]
struct Issuer {
    row: Arc<Certificate>,
    parsed: Arc<Parsed>,
}

impl Issuers {
    /// None yet.
    pub(crate) fn new(engine: &Engine) -> Self {
        let verified = engine.0.verified.clone();
        Self { by_subject: HashMap::new(), standing: HashMap::new(), verified }
    }

    /// Reads everything that may stand above certificates with these issuer names.
    pub(crate) async fn read(
        &mut self,
        link: &mut Link,
        issuer_keys: impl IntoIterator<Item = String>,
    ) -> Result<(), Error> {
        let mut queue: VecDeque<(String, usize)> =
            issuer_keys.into_iter().map(|key| (key, 0)).collect();
        while let Some((key, depth)) = queue.pop_front() {
            if self.by_subject.contains_key(&key) || depth >= DEPTH_MAX {
                continue;
            }
            let mut found = Vec::new();
            let mut standing = Vec::new();
            for (row, der) in certificate::issuers(link, &key).await? {
                standing.push((row.id, row.trust_anchor));
                let Ok(parsed) = Parsed::parse(&der) else { continue };
                if row.issuer_key != row.subject_key && self.by_subject.len() < ISSUERS_MAX {
                    queue.push_back((row.issuer_key.clone(), depth + 1));
                }
                found.push(Issuer { row: Arc::new(row), parsed: Arc::new(parsed) });
            }
            self.standing.insert(key.clone(), standing);
            self.by_subject.insert(key, found);
        }
        Ok(())
    }

    /// Adds a certificate that is about to enter together with others.
    pub(crate) fn add(&mut self, row: &Certificate, parsed: &Parsed) {
        let issuer = Issuer { row: Arc::new(row.clone()), parsed: Arc::new(parsed.clone()) };
        self.by_subject.entry(row.subject_key.clone()).or_default().push(issuer);
    }

    /// Who bore a subject name, and was trusted, when it was read.
    pub(crate) fn standing(&self, subject_key: &str) -> &[(CertificateId, bool)] {
        self.standing.get(subject_key).map_or(&[], Vec::as_slice)
    }

    /// How many certificates bear this subject name.
    pub(crate) fn count(&self, subject_key: &str) -> usize {
        self.by_subject.get(subject_key).map_or(0, Vec::len)
    }

    /// The verdict on a certificate at `now`.
    pub(crate) fn judge(
        &self,
        row: &Certificate,
        parsed: &Parsed,
        now: Timestamp,
        expiring_days: u32,
    ) -> StatusRow {
        let mut anchors: HashSet<[u8; 32]> = self
            .by_subject
            .values()
            .flatten()
            .filter(|issuer| issuer.row.trust_anchor)
            .map(|issuer| issuer.parsed.fingerprint_sha256)
            .collect();
        if row.trust_anchor {
            anchors.insert(parsed.fingerprint_sha256);
        } else {
            anchors.remove(&parsed.fingerprint_sha256);
        }
        let expiring = i64::from(expiring_days) * Timestamp::DAY;
        let is_anchor = |fingerprint: &[u8; 32]| anchors.contains(fingerprint);
        status_row(&validate(parsed, self, &is_anchor, now.micros(), expiring), now)
    }
}

impl IssuerSource for Issuers {
    /// The key is that of the normal form of a name, in which names are compared.
    fn issuers_of(&self, certificate: &Parsed) -> Vec<Arc<Parsed>> {
        let named = self.by_subject.get(&name_key(&certificate.issuer_normal()));
        named.into_iter().flatten().map(|issuer| issuer.parsed.clone()).collect()
    }

    fn verified(&self) -> Option<&Verified> {
        Some(&self.verified)
    }
}

fn status_row(validation: &Validation, now: Timestamp) -> StatusRow {
    let checks: Vec<_> = validation
        .checks
        .iter()
        .map(|check| {
            json!({ "name": check.name, "result": check.result.as_str(), "reason": check.reason })
        })
        .collect();
    let chain: Vec<_> = validation.chain.iter().map(|fingerprint| hex(fingerprint)).collect();
    let due = validation.next_change.unwrap_or(i64::MAX).min(now.micros().saturating_add(NEVER));
    StatusRow {
        status: validation.status.as_str().to_owned(),
        reason: validation.reason.clone(),
        checks: serde_json::Value::from(checks).to_string(),
        chain: serde_json::Value::from(chain).to_string(),
        at: now,
        due_at: Timestamp::from_micros(due.max(now.micros() + 1)),
    }
}

impl Issuers {
    /// Puts a verdict into a row that is about to be inserted.
    pub(crate) fn judge_into(
        &self,
        row: &mut Certificate,
        parsed: &Parsed,
        now: Timestamp,
        expiring_days: u32,
    ) {
        let verdict = self.judge(row, parsed, now, expiring_days);
        row.status = verdict.status;
        row.status_reason = verdict.reason;
        row.status_checks = verdict.checks;
        row.chain = verdict.chain;
        row.status_at = verdict.at;
        row.status_due_at = verdict.due_at;
    }
}
