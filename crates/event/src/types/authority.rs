//! Certification authorities, their revocation lists, and what the program is entitled to.

use super::{Change, Word};
use crate::id::CertificateId;
use crate::time::Timestamp;

payloads! {
    /// An authority, or the chain of one, was added.
    Add {
        /// Identifier it was given.
        authority_id: Option<String>,
        /// `root`, `intermediate` or `registration`.
        authority_kind: Option<Word>,
        /// Subject as RFC 4514 text.
        subject_dn: Option<String>,
        /// Issuer as RFC 4514 text.
        issuer_dn: Option<String>,
        /// Start of validity.
        not_before: Option<Timestamp>,
        /// End of validity.
        not_after: Option<Timestamp>,
    }

    /// An authority, or the chain of one, was removed.
    Delete {
        /// The authority.
        authority_id: Option<String>,
        /// Subject as RFC 4514 text.
        subject_dn: Option<String>,
    }

    /// One or more certificates of an authority were renewed.
    Renew {
        /// The authority.
        authority_id: Option<String>,
        /// SHA-256 of the certificate before, 64 lower-case hexadecimal digits.
        old_fingerprint_sha256: Option<String>,
        /// SHA-256 of the certificate after, 64 lower-case hexadecimal digits.
        new_fingerprint_sha256: Option<String>,
        /// End of the new certificate's validity.
        not_after: Option<Timestamp>,
    }

    /// A monitor found that the certificate of an authority nears its end.
    Expiring {
        /// The authority; absent when only its certificate is known.
        authority_id: Option<String>,
        /// Its certificate in the inventory.
        certificate_id: CertificateId,
        /// Subject as RFC 4514 text.
        subject_dn: String,
        /// End of validity.
        not_after: Timestamp,
        /// The threshold that was crossed, as in the definition, such as `6mo`.
        threshold: String,
        /// The same in months before the end, where it was given in months.
        threshold_months: Option<u32>,
        /// Thresholds that were crossed since the last look and are covered by this event.
        passed: Vec<String>,
        /// Name of the monitor.
        monitor: String,
        /// Version of its definition.
        monitor_version: i64,
    }

    /// Which authorities serve a purpose was changed.
    ScopeUpdate {
        /// The purpose.
        scope: String,
        /// What changed, member by member.
        changes: Vec<Change>,
    }

    /// The state of an authority was carried over to the certificates that it issued.
    Sync {
        /// The authority.
        authority_id: Option<String>,
        /// How many certificates changed their status.
        changed: u64,
    }

    /// The certificates, revocation list and inventory of an authority were fetched anew.
    Refresh {
        /// The authority.
        authority_id: Option<String>,
        /// How many certificates were new.
        added: Option<u64>,
        /// How long it took, in milliseconds.
        duration_ms: Option<u64>,
    }

    /// A connection to the system behind an authority was set up or tried.
    Connect {
        /// The authority.
        authority_id: Option<String>,
        /// What kind of system, such as `adcs`.
        connector_kind: Option<Word>,
    }

    /// A revocation list was fetched, verified and kept.
    CrlFetch {
        /// The authority that issues it.
        authority_id: Option<String>,
        /// Where it was fetched.
        url: Option<String>,
        /// Status of the HTTP answer.
        http_status: Option<u16>,
        /// Its number (RFC 5280 §5.2.3), lower-case hexadecimal.
        crl_number: Option<String>,
        /// When its successor is promised.
        next_update: Option<Timestamp>,
        /// How many entries it has.
        entries: Option<u64>,
    }

    /// It was checked whether the limits that were agreed on are still in force; recorded when
    /// that changes.
    LicenseCheck {
        /// What was checked: `validity`.
        check: Word,
        /// Until when they were agreed on.
        valid_until: Option<Timestamp>,
    }

    /// A count that the licence bounds has reached its bound.
    LicenseLimitReached {
        /// What is counted, such as `certificates`.
        counted: Word,
        /// How many there are.
        count: u64,
        /// The bound.
        limit: u64,
    }
}
