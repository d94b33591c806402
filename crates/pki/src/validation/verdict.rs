//! Judging one path at one moment: the checks of RFC 5280 section 6.1 that matter to an inventory,
//! each with its reason.

use super::path::{End, Path};
use super::{Check, CheckResult, Status, constraints};
use crate::Certificate;
use crate::signature::Strength;
use crate::time;

/// The judgement of one path.
pub(super) struct Verdict {
    pub status: Status,
    pub reason: String,
    pub checks: Vec<Check>,
}

impl Verdict {
    /// Lower is better: how much one would like this path to be the truth.
    pub fn rank(&self) -> u8 {
        match self.status {
            Status::Valid => 0,
            Status::Expiring => 1,
            Status::NotYetValid => 2,
            Status::Expired => 3,
            Status::Untrusted => 4,
            Status::Invalid => 5,
            Status::Unknown => 6,
            Status::Incomplete | Status::Revoked => 7,
        }
    }
}

fn named(certificate: &Certificate) -> String {
    if certificate.subject_dn.is_empty() {
        format!("“{}”", certificate.title())
    } else {
        format!("“{}”", certificate.subject_dn)
    }
}

/// Gathers checks, and the first that decides the status.
struct Judge {
    checks: Vec<Check>,
    decided: Option<(Status, String)>,
}

impl Judge {
    fn note(&mut self, name: &'static str, result: CheckResult, reason: impl Into<String>) {
        self.checks.push(Check { name, result, reason: reason.into() });
    }

    fn fail(&mut self, name: &'static str, status: Status, reason: String) {
        let result = match status {
            Status::Unknown | Status::Incomplete => CheckResult::Unknown,
            _ => CheckResult::Failed,
        };
        self.note(name, result, reason.clone());
        // Expired and not-yet-valid outrank what is merely missing; broken outranks everything.
        let weight = |status: Status| match status {
            Status::Invalid => 0,
            Status::Expired | Status::NotYetValid => 1,
            _ => 2,
        };
        if self.decided.as_ref().is_none_or(|(known, _)| weight(status) < weight(*known)) {
            self.decided = Some((status, reason));
        }
    }
}

/// Judges a path. `expiring_before_us` as in [`super::validate`].
pub(super) fn judge(path: &Path, at: i64, expiring_before_us: i64) -> Verdict {
    let mut judge = Judge { checks: Vec::with_capacity(10), decided: None };
    let Some((subject, issuers)) = path.certificates.split_first() else {
        return Verdict {
            status: Status::Unknown,
            reason: "the path is empty".to_owned(),
            checks: judge.checks,
        };
    };
    own_dates(&mut judge, subject, at);
    chain(&mut judge, path);
    signatures(&mut judge, path);
    issuer_dates(&mut judge, issuers, at);
    rights(&mut judge, issuers);
    path_lengths(&mut judge, path);
    match constraints::violation(&path.certificates) {
        Some(reason) => judge.fail("name_constraints", Status::Invalid, reason),
        None => {
            judge.note("name_constraints", CheckResult::Passed, "no name constraint is violated")
        }
    }
    critical_extensions(&mut judge, path);
    judge.note("revocation", CheckResult::Skipped, "revocation is not checked here");
    let near = subject.not_after.saturating_sub(expiring_before_us);
    let (status, reason) = match judge.decided.take() {
        Some(decided) => decided,
        None if expiring_before_us > 0 && at >= near && !subject.has_no_expiry() => {
            (Status::Expiring, format!("it ends on {}", time::text(subject.not_after)))
        }
        None => {
            let anchor = path.certificates.last().map_or_else(String::new, |last| named(last));
            (Status::Valid, format!("it chains to the trust anchor {anchor}"))
        }
    };
    Verdict { status, reason, checks: judge.checks }
}

fn own_dates(judge: &mut Judge, subject: &Certificate, at: i64) {
    if at < subject.not_before {
        let reason = format!("it is not valid before {}", time::text(subject.not_before));
        judge.fail("validity", Status::NotYetValid, reason);
    } else if at > subject.not_after {
        judge.fail(
            "validity",
            Status::Expired,
            format!("it ended on {}", time::text(subject.not_after)),
        );
    } else if subject.has_no_expiry() {
        judge.note("validity", CheckResult::Passed, "it has no end");
    } else {
        judge.note(
            "validity",
            CheckResult::Passed,
            format!("it ends on {}", time::text(subject.not_after)),
        );
    }
}

fn chain(judge: &mut Judge, path: &Path) {
    let Some(last) = path.certificates.last() else {
        return;
    };
    let issuer = if last.issuer_dn.is_empty() { "(no name)" } else { last.issuer_dn.as_str() };
    match &path.end {
        End::Anchor => {
            judge.note("chain", CheckResult::Passed, "the chain is complete");
            judge.note("anchor", CheckResult::Passed, format!("{} is a trust anchor", named(last)));
        }
        End::Root => {
            judge.note("chain", CheckResult::Passed, "the chain is complete");
            let reason = if path.certificates.len() == 1 {
                "it is signed by itself and is not a trust anchor".to_owned()
            } else {
                format!("the chain ends at {}, which is not a trust anchor", named(last))
            };
            judge.fail("anchor", Status::Untrusted, reason);
        }
        End::Missing => {
            let reason = format!("issuer “{issuer}” is not in the inventory");
            judge.fail("chain", Status::Incomplete, reason);
        }
        End::OtherKey => {
            let reason = format!(
                "issuer “{issuer}” is in the inventory only with keys that did not sign {}",
                named(last)
            );
            judge.fail("chain", Status::Incomplete, reason);
        }
        End::BadSignature => {
            let reason =
                format!("the signature of {} was not made by its issuer “{issuer}”", named(last));
            judge.fail("signature", Status::Invalid, reason);
        }
        End::Unsupported(what) => {
            let reason = format!("the signature of {} cannot be checked: {what}", named(last));
            judge.fail("signature", Status::Unknown, reason);
        }
        End::Bounds => {
            let reason = "the chain is too long or has too many branches to explore".to_owned();
            judge.fail("chain", Status::Unknown, reason);
        }
    }
}

fn signatures(judge: &mut Judge, path: &Path) {
    if path.signatures.is_empty() {
        return;
    }
    let weak = path.signatures.iter().position(|strength| *strength == Strength::Weak);
    match weak.and_then(|index| path.certificates.get(index)) {
        Some(certificate) => {
            let reason = format!(
                "every signature verifies, but that of {} is weak ({})",
                named(certificate),
                certificate.signature_algorithm
            );
            judge.note("signature", CheckResult::Passed, reason);
        }
        None => {
            judge.note("signature", CheckResult::Passed, "every signature in the chain verifies")
        }
    }
}

fn issuer_dates(judge: &mut Judge, issuers: &[std::sync::Arc<Certificate>], at: i64) {
    for issuer in issuers {
        if at > issuer.not_after {
            let reason =
                format!("its issuer {} ended on {}", named(issuer), time::text(issuer.not_after));
            judge.fail("issuer_validity", Status::Invalid, reason);
            return;
        }
        if at < issuer.not_before {
            let reason = format!(
                "its issuer {} is not valid before {}",
                named(issuer),
                time::text(issuer.not_before)
            );
            judge.fail("issuer_validity", Status::Invalid, reason);
            return;
        }
    }
    if let Some(first) = issuers.iter().min_by_key(|issuer| issuer.not_after) {
        let reason = format!("every issuer is valid until {}", time::text(first.not_after));
        judge.note("issuer_validity", CheckResult::Passed, reason);
    }
}

fn rights(judge: &mut Judge, issuers: &[std::sync::Arc<Certificate>]) {
    for issuer in issuers {
        // Roots of version 1 cannot say that they are a CA; being the last of the chain says it.
        let old_root = issuer.version < 3 && issuer.self_issued;
        let failure = if !issuer.is_ca() && !old_root {
            let why = if issuer.has_basic_constraints() {
                "says it is not"
            } else {
                "does not say it is"
            };
            Some(format!("its issuer {} {why} a CA", named(issuer)))
        } else if issuer.key_usage().is_some_and(|usage| !usage.contains(&"keyCertSign")) {
            Some(format!("the key of its issuer {} may not sign certificates", named(issuer)))
        } else {
            None
        };
        if let Some(reason) = failure {
            judge.fail("ca", Status::Invalid, reason);
            return;
        }
    }
    if !issuers.is_empty() {
        judge.note("ca", CheckResult::Passed, "every issuer is a CA and may sign certificates");
    }
}

fn path_lengths(judge: &mut Judge, path: &Path) {
    // CAs between an issuer and the subject, those that issued themselves not counted (RFC 5280,
    // 4.2.1.9).
    let mut between = 0u32;
    for issuer in path.certificates.iter().skip(1) {
        if let Some(limit) = issuer.path_len()
            && between > limit
        {
            let reason = format!("{} allows {limit} CAs below it and has {between}", named(issuer));
            judge.fail("path_length", Status::Invalid, reason);
            return;
        }
        if !issuer.self_issued {
            between += 1;
        }
    }
    if path.certificates.len() > 1 {
        judge.note("path_length", CheckResult::Passed, "no path length is exceeded");
    }
}

fn critical_extensions(judge: &mut Judge, path: &Path) {
    let mut passed = true;
    for (index, certificate) in path.certificates.iter().enumerate() {
        if certificate.is_precertificate() {
            let reason = if index == 0 {
                "it is a precertificate, which nobody may accept as a certificate".to_owned()
            } else {
                format!("its issuer {} is a precertificate", named(certificate))
            };
            judge.fail("critical_extensions", Status::Invalid, reason);
            return;
        }
        for (kind, known) in certificate.unprocessed_critical_extensions() {
            passed = false;
            match known {
                Some(name) => {
                    let reason = format!(
                        "the critical extension {name} of {} is not looked at",
                        named(certificate)
                    );
                    judge.note("critical_extensions", CheckResult::Skipped, reason);
                }
                None => {
                    let reason =
                        format!("{} has the unknown critical extension {kind}", named(certificate));
                    judge.fail("critical_extensions", Status::Unknown, reason);
                }
            }
        }
    }
    if passed {
        let reason = "every critical extension is understood";
        judge.note("critical_extensions", CheckResult::Passed, reason);
    }
}
