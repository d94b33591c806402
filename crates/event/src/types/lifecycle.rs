//! The life of a certificate: requested, issued, renewed, held, revoked, expired.

use super::Word;
use super::certificate::CertificateSummary;
use crate::id::{CertificateId, JobId};
use crate::time::Timestamp;

payloads! {
    /// A certificate signing request was made, together with its key.
    CsrGenerate {
        /// Identifier of the signing request.
        csr_id: Option<String>,
        /// Key algorithm with its size or curve, such as `rsa-2048` or `ec-p256`.
        key_algorithm: Option<String>,
        /// SHA-256 of the SubjectPublicKeyInfo, 64 lower-case hexadecimal digits.
        key_sha256: Option<String>,
    }

    /// A certificate signing request was handed to an authority.
    CsrSubmit {
        /// Identifier of the signing request.
        csr_id: Option<String>,
        /// The authority it went to.
        authority_id: Option<String>,
        /// The authority's own identifier of the request.
        external_request_id: Option<String>,
    }

    /// A certificate was asked of an authority, and issued or not.
    Issue: Option<CertificateSummary> {
        /// The request that led to it.
        request_id: Option<String>,
        /// The authority's own identifier of the request.
        external_request_id: Option<String>,
        /// How long it took, in milliseconds.
        duration_ms: Option<u64>,
    }

    /// A certificate was replaced by one with the same names before its end.
    Renew: Option<CertificateSummary> {
        /// The new certificate; absent when there is none.
        successor_id: Option<CertificateId>,
        /// The request that led to it.
        request_id: Option<String>,
        /// Whether a trigger or schedule started it rather than a person.
        automatic: bool,
        /// How long it took, in milliseconds.
        duration_ms: Option<u64>,
    }

    /// A certificate was replaced by one with the same names and a new key.
    Rekey: Option<CertificateSummary> {
        /// The new certificate; absent when there is none.
        successor_id: Option<CertificateId>,
        /// The request that led to it.
        request_id: Option<String>,
    }

    /// A certificate was declared invalid for good.
    Revoke: Option<CertificateSummary> {
        /// Reason as in RFC 5280 §5.3.1, such as `keyCompromise`.
        revocation_reason: Word,
        /// From when it counts as revoked.
        revoked_at: Option<Timestamp>,
        /// The request that led to it.
        request_id: Option<String>,
    }

    /// The issuing of a certificate has begun; its end is a `certificate.issue`.
    IssuanceStarted {
        /// The request that led to it.
        request_id: Option<String>,
        /// The authority that is to issue.
        authority_id: Option<String>,
    }

    /// The renewal of a certificate has begun; its end is a `certificate.renew`.
    RenewalStarted: CertificateSummary {
        /// Whether a trigger or schedule started it rather than a person.
        automatic: bool,
    }

    /// The revocation of a certificate has begun; its end is a `certificate.revoke`.
    RevocationStarted: CertificateSummary {
        /// Reason as in RFC 5280 §5.3.1, such as `keyCompromise`.
        revocation_reason: Word,
    }

    /// An issue, renewal, rekey or revocation of a certificate has ended, well or not.
    ActionPerformed: Option<CertificateSummary> {
        /// `issue`, `renew`, `rekey` or `revoke`.
        action: Word,
        /// State of the certificate afterwards, such as `issued`.
        state: Option<Word>,
        /// What went wrong, as one sentence.
        error_message: Option<String>,
    }

    /// A certificate was put on hold: revoked in a way that can be taken back.
    Hold: Option<CertificateSummary> {
        /// From when it counts as held.
        held_at: Option<Timestamp>,
    }

    /// A certificate was suspended because what it belongs to was deactivated.
    Suspend: Option<CertificateSummary> {
        /// What it belongs to, as `kind/id`.
        bound_to: Option<String>,
    }

    /// A held, suspended or not yet active certificate was put into force.
    Activate: Option<CertificateSummary> {
        /// State before, such as `on_hold`.
        old_state: Option<Word>,
    }

    /// A certificate was bound to a device.
    Bind: Option<CertificateSummary> {
        /// The device.
        device_id: String,
    }

    /// The private key of a certificate was put in escrow.
    Escrow: Option<CertificateSummary> {
        /// The vault that keeps it.
        vault_id: Option<String>,
    }

    /// The private key of a certificate was given back from escrow.
    Recover: Option<CertificateSummary> {
        /// The vault that kept it.
        vault_id: Option<String>,
        /// The request that led to it.
        request_id: Option<String>,
    }

    /// A certificate that was only known was taken under a managed profile.
    Migrate: Option<CertificateSummary> {
        /// Name of the profile before.
        old_profile: Option<String>,
        /// Name of the profile after.
        new_profile: Option<String>,
    }

    /// The limit of certificates for one holder was enforced by revoking those above it.
    HolderLimitEnforce: Option<CertificateSummary> {
        /// How many the holder may have.
        limit: u32,
        /// How many the holder had.
        held: u32,
        /// How many were revoked.
        revoked: u32,
    }
    personal {
        /// Who holds them.
        holder,
    }

    /// The grading of a certificate has begun.
    GradingStarted: CertificateSummary {
        /// The grading policy.
        policy: String,
    }

    /// A certificate was graded by a policy.
    Grade: Option<CertificateSummary> {
        /// The grading policy.
        policy: String,
        /// The grade given, such as `A`.
        grade: Option<String>,
    }

    /// A monitor found that a certificate without a valid replacement nears its end.
    Expiring: CertificateSummary {
        /// Name of the monitor.
        monitor: String,
        /// Version of its definition.
        monitor_version: i64,
        /// The threshold that was crossed, as in the definition, such as `30d/33%`.
        threshold: String,
        /// The same for this certificate, in seconds before the end; negative: after.
        threshold_s: i64,
        /// Thresholds that were crossed since the last look and are covered by this event.
        passed: Vec<String>,
        /// Whether this event repeats one for the same threshold.
        repeated: bool,
        /// Time left, in whole days; negative after the end.
        days_left: i32,
    }

    /// A monitor found that a certificate has passed its end.
    Expired: CertificateSummary {
        /// Name of the monitor.
        monitor: String,
        /// Version of its definition.
        monitor_version: i64,
        /// The threshold that was crossed, as in the definition, such as `0d`.
        threshold: String,
        /// Thresholds that were crossed since the last look and are covered by this event.
        passed: Vec<String>,
        /// Whether this event repeats one for the same threshold.
        repeated: bool,
        /// A valid replacement, when there is one.
        successor_id: Option<CertificateId>,
        /// Time since the end, in whole days.
        days_since: i32,
    }

    /// A client outside reported a certificate that nears its end.
    ReportedExpiring {
        /// SHA-256 of its DER, 64 lower-case hexadecimal digits.
        fingerprint_sha256: String,
        /// End of validity.
        not_after: Timestamp,
        /// The threshold that was crossed, in seconds before the end.
        threshold_s: i64,
        /// The client that reported it.
        client_id: String,
        /// Where that client runs, such as a name space.
        location: Option<String>,
        /// The job that took the report in.
        job_id: Option<JobId>,
    }
}
