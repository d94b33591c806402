//! Who vouches for a certificate: every path to an anchor is looked for, the best one is told with
//! reasons.
//!
//! Three steps: [`path`](self) explores issuers (bounded, safe against cycles), `verdict` judges
//! one path at one moment, and [`validate`] picks the best path and finds the next moment at which
//! time alone changes the verdict. Revocation is not looked at here; the check says so instead of
//! keeping silent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::Certificate;
use crate::signature::{SignatureError, Strength};

mod constraints;
mod path;
mod verdict;

/// What is known about a certificate, worst to tell first where several hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Good, and not near its end.
    Valid,
    /// Good, and ends soon.
    Expiring,
    /// Its end has passed.
    Expired,
    /// Its start has not come.
    NotYetValid,
    /// Broken: a wrong signature, an issuer that may not issue, a constraint that is violated.
    Invalid,
    /// The chain is whole and ends at a root nobody made an anchor.
    Untrusted,
    /// An issuer is missing.
    Incomplete,
    /// Revoked; never given by this crate, which does not look at revocation.
    Revoked,
    /// It cannot be told, as when an algorithm is not supported.
    Unknown,
}

impl Status {
    /// The word used in storage and interfaces.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expiring => "expiring",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Invalid => "invalid",
            Self::Untrusted => "untrusted",
            Self::Incomplete => "incomplete",
            Self::Revoked => "revoked",
            Self::Unknown => "unknown",
        }
    }
}

/// How one check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CheckResult {
    /// Looked at, and good.
    Passed,
    /// Looked at, and bad.
    Failed,
    /// Not looked at, for the reason given.
    Skipped,
    /// Looked at without an answer.
    Unknown,
}

impl CheckResult {
    /// The word used in storage and interfaces.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Unknown => "unknown",
        }
    }
}

/// One check with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// `validity`, `chain`, `signature`, `ca`, `path_length`, `name_constraints`,
    /// `critical_extensions`,
    /// `anchor`, `revocation`.
    pub name: &'static str,
    /// How it ended.
    pub result: CheckResult,
    /// One plain sentence.
    pub reason: String,
}

/// The verdict on one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validation {
    /// What is known.
    pub status: Status,
    /// Why, in one plain sentence.
    pub reason: String,
    /// Every check that was made.
    pub checks: Vec<Check>,
    /// SHA-256 fingerprints from the certificate itself towards the anchor, as far as the path
    /// goes.
    pub chain: Vec<[u8; 32]>,
    /// The first later moment (microseconds since the epoch) at which time alone changes the
    /// status.
    pub next_change: Option<i64>,
}

/// Where issuers come from.
pub trait IssuerSource {
    /// Certificates that may have issued this one: those whose subject is its issuer (the same
    /// bytes, or the same [`Certificate::subject_normal`]). Others do no harm; they are left out.
    fn issuers_of(&self, certificate: &Certificate) -> Vec<Arc<Certificate>>;

    /// Where signatures on issuers are remembered, if they are: what stands above one certificate
    /// mostly stands above the next one, too.
    fn verified(&self) -> Option<&Verified> {
        None
    }
}

/// Signatures that are remembered at most; before one more, all are forgotten.
const REMEMBERED_MAX: usize = 10_000;

/// Signatures on certificates of authorities that were checked before, good ones and bad ones.
/// Those on others are not remembered: each is asked about once.
#[derive(Debug, Default)]
pub struct Verified(Mutex<HashMap<Signed, Outcome>>);

/// Fingerprint of what was signed, and hash of the key that did or did not.
type Signed = ([u8; 32], [u8; 32]);
type Outcome = Result<Strength, SignatureError>;

impl Verified {
    /// How many signatures are remembered.
    pub fn count(&self) -> usize {
        self.0.lock().map_or(0, |kept| kept.len())
    }

    fn find(&self, signed: &Signed) -> Option<Outcome> {
        self.0.lock().ok()?.get(signed).cloned()
    }

    fn keep(&self, signed: Signed, outcome: &Outcome) {
        // A poisoned lock only means that another thread panicked: then nothing is remembered.
        if let Ok(mut kept) = self.0.lock() {
            if kept.len() >= REMEMBERED_MAX {
                kept.clear();
            }
            kept.insert(signed, outcome.clone());
        }
    }
}

impl IssuerSource for [Arc<Certificate>] {
    fn issuers_of(&self, certificate: &Certificate) -> Vec<Arc<Certificate>> {
        self.iter().filter(|issuer| certificate.is_named_issuer(issuer)).cloned().collect()
    }
}

impl IssuerSource for Vec<Arc<Certificate>> {
    fn issuers_of(&self, certificate: &Certificate) -> Vec<Arc<Certificate>> {
        self.as_slice().issuers_of(certificate)
    }
}

/// Issuers in memory, found by their names without going through all of them.
#[derive(Debug, Clone, Default)]
pub struct IssuerIndex {
    by_subject: HashMap<String, Vec<Arc<Certificate>>>,
}

impl IssuerIndex {
    /// Adds one certificate; those that are neither CA nor self-issued issue nothing worth finding,
    /// but are kept too, so that a verdict can say why they may not issue.
    pub fn add(&mut self, certificate: Arc<Certificate>) {
        self.by_subject.entry(certificate.subject_normal()).or_default().push(certificate);
    }
}

impl FromIterator<Arc<Certificate>> for IssuerIndex {
    fn from_iter<Source: IntoIterator<Item = Arc<Certificate>>>(source: Source) -> Self {
        let mut index = Self::default();
        source.into_iter().for_each(|certificate| index.add(certificate));
        index
    }
}

impl IssuerSource for IssuerIndex {
    fn issuers_of(&self, certificate: &Certificate) -> Vec<Arc<Certificate>> {
        self.by_subject.get(&certificate.issuer_normal()).cloned().unwrap_or_default()
    }
}

/// Judges `subject` at the moment `at`.
///
/// `is_anchor` says of a SHA-256 fingerprint whether it is a trust anchor; an anchor ends a path,
/// also when it is no root. `expiring_before_us` is how long before its end (microseconds) a
/// certificate counts as expiring; 0 for never.
pub fn validate(
    subject: &Certificate,
    candidates: &dyn IssuerSource,
    is_anchor: &dyn Fn(&[u8; 32]) -> bool,
    at: i64,
    expiring_before_us: i64,
) -> Validation {
    let paths = path::explore(subject, candidates, is_anchor);
    let best = |at: i64| {
        paths.iter().map(|path| (path, verdict::judge(path, at, expiring_before_us))).min_by_key(
            |(path, verdict)| (verdict.rank(), path.end_rank(), path.certificates.len()),
        )
    };
    let Some((path, verdict)) = best(at) else {
        // `explore` always returns at least the certificate alone; this keeps the function total.
        return Validation {
            status: Status::Unknown,
            reason: "no path could be explored".to_owned(),
            checks: Vec::new(),
            chain: Vec::new(),
            next_change: None,
        };
    };
    let mut moments: Vec<i64> = paths
        .iter()
        .flat_map(|path| &path.certificates)
        .flat_map(|certificate| {
            let end = certificate.not_after.saturating_add(1);
            [certificate.not_before, end, certificate.not_after.saturating_sub(expiring_before_us)]
        })
        .filter(|moment| *moment > at)
        .collect();
    moments.sort_unstable();
    moments.dedup();
    let next_change = moments
        .into_iter()
        .find(|moment| best(*moment).is_none_or(|(_, later)| later.status != verdict.status));
    Validation {
        status: verdict.status,
        reason: verdict.reason,
        checks: verdict.checks,
        chain: path.certificates.iter().map(|certificate| certificate.fingerprint_sha256).collect(),
        next_change,
    }
}

#[cfg(test)]
mod tests;
