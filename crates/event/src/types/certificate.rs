//! Certificates entering, changing in, and leaving the inventory.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Change, PersonalMembers, Word};
use crate::id::{CertificateId, GroupId, JobId, RaProfileId};
use crate::time::Timestamp;

/// What every event about a certificate of the inventory tells about it, as it was then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateSummary {
    /// Its identifier in the inventory.
    pub certificate_id: CertificateId,
    /// SHA-256 of its DER, 64 lower-case hexadecimal digits.
    pub fingerprint_sha256: String,
    /// Serial number, lower-case hexadecimal without separators.
    pub serial_number: String,
    /// Subject as RFC 4514 text; in the personal part instead when it names a person.
    pub subject_dn: Option<String>,
    /// Issuer as RFC 4514 text; in the personal part instead when it names a person.
    pub issuer_dn: Option<String>,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// Identifier of the issuing authority, where it is one of ours; this version has no
    /// authorities of its own, and never says one.
    pub authority_id: Option<String>,
    /// Identifier of its RA profile.
    pub ra_profile_id: Option<RaProfileId>,
    /// Name of its RA profile.
    pub ra_profile: Option<String>,
    /// Identifiers of its groups.
    #[serde(default)]
    pub group_ids: Vec<GroupId>,
    /// Subject as RFC 4514 text, when it names a person; never part of the JSON.
    #[serde(skip)]
    pub person_dn: Option<String>,
    /// Issuer as RFC 4514 text, when it names a person; never part of the JSON.
    #[serde(skip)]
    pub person_issuer_dn: Option<String>,
}

/// Moves what names a person from the sealed detail to the personal part.
macro_rules! withhold {
    ($name:ident) => {
        impl $name {
            /// The same certificate, which names a person: its subject leaves the sealed detail
            /// for the personal part, and its issuer with it if that is the same name. The name of
            /// the target must move too.
            #[must_use]
            pub fn of_a_person(mut self) -> Self {
                let is_own_issuer = self.issuer_dn.is_some() && self.issuer_dn == self.subject_dn;
                self.person_dn = self.subject_dn.take().or(self.person_dn);
                if is_own_issuer { self.by_a_person() } else { self }
            }

            /// The same certificate, whose issuer names a person.
            #[must_use]
            pub fn by_a_person(mut self) -> Self {
                self.person_issuer_dn = self.issuer_dn.take().or(self.person_issuer_dn);
                self
            }
        }

        impl PersonalMembers for $name {
            const MEMBERS: &'static [(&'static str, &'static str)] = &[
                ("subject_dn", "Subject as RFC 4514 text, when it names a person."),
                ("issuer_dn", "Issuer as RFC 4514 text, when it names a person."),
            ];

            fn add_personal(&self, members: &mut Map<String, Value>) {
                let parts =
                    [("subject_dn", &self.person_dn), ("issuer_dn", &self.person_issuer_dn)];
                for (name, text) in parts {
                    if let Some(text) = text {
                        members.insert(name.to_owned(), text.as_str().into());
                    }
                }
            }
        }
    };
}

withhold!(CertificateSummary);
withhold!(PresentedCertificate);

/// What is known of a certificate that was presented, whether or not it entered the inventory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PresentedCertificate {
    /// SHA-256 of its DER, 64 lower-case hexadecimal digits.
    pub fingerprint_sha256: String,
    /// Serial number, lower-case hexadecimal without separators.
    pub serial_number: String,
    /// Subject as RFC 4514 text; in the personal part instead when it names a person.
    pub subject_dn: Option<String>,
    /// Issuer as RFC 4514 text; in the personal part instead when it names a person.
    pub issuer_dn: Option<String>,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// Subject as RFC 4514 text, when it names a person; never part of the JSON.
    #[serde(skip)]
    pub person_dn: Option<String>,
    /// Issuer as RFC 4514 text, when it names a person; never part of the JSON.
    #[serde(skip)]
    pub person_issuer_dn: Option<String>,
}

payloads! {
    /// Somebody tried to bring a certificate into the inventory. Recorded for every attempt,
    /// whatever came of it.
    Upload: Option<PresentedCertificate> {
        /// Identifier it was given; absent when it did not enter the inventory.
        certificate_id: Option<CertificateId>,
        /// What was sent: `pem`, `der`, `pkcs7` or `pkcs12`; absent when it could not be told.
        format: Option<Word>,
        /// Size of what was sent, in bytes.
        size_bytes: u64,
        /// Number of certificates in what was sent.
        count: u32,
        /// `sync`, or `async` when a job did the work after the answer.
        mode: Word,
        /// The job that did the work, for `async`.
        job_id: Option<JobId>,
        /// The certificate of the inventory with the same fingerprint, when there is one.
        duplicate_of: Option<CertificateId>,
    }

    /// A certificate was uploaded and has entered the inventory.
    Uploaded: CertificateSummary {
        /// What was sent: `pem`, `der`, `pkcs7` or `pkcs12`.
        format: Word,
        /// Validation status on entry.
        status: Word,
        /// Key algorithm with its size or curve, such as `rsa-2048` or `ec-p256`.
        key_algorithm: Option<String>,
        /// What the request and triggers gave it on entry, member by member, without a value
        /// before: owner, RA profile, path, trust, groups, attributes. Absent when it entered as
        /// it is. Owners are given by their identifier.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changes: Vec<Change>,
    }

    /// A discovery has found a certificate that was not in the inventory.
    Discovered: CertificateSummary {
        /// The discovery that found it.
        discovery_id: String,
        /// Name of that discovery.
        discovery_name: String,
        /// Connector or scanner that found it.
        connector_name: Option<String>,
        /// Where it was found, such as `www.example.com:443`.
        location: Option<String>,
    }

    /// The validation status of a certificate has become another.
    StatusChanged: CertificateSummary {
        /// Status before: `valid`, `expiring`, `expired`, `not_yet_valid`, `invalid`, `untrusted`,
        /// `incomplete`, `revoked` or `unknown`.
        old_status: Word,
        /// Status now, of the same words.
        new_status: Word,
        /// The check that decided, such as `chain` or `signature`; absent when every check passed.
        reason: Option<Word>,
    }

    /// Somebody changed what the inventory says about a certificate: owner, groups, RA profile,
    /// path, attributes or trust. The certificate itself cannot change.
    Update: Option<CertificateSummary> {
        /// What changed, member by member. Owners are given by their identifier.
        changes: Vec<Change>,
    }

    /// A certificate was put away: kept, but no longer watched or listed.
    Archive: Option<CertificateSummary> {
        /// What changed: whether it is put away.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changes: Vec<Change>,
    }
    personal {
        /// Why, in the words of who did it.
        note,
    }

    /// An archived certificate was taken back into use.
    Restore: Option<CertificateSummary> {
        /// What changed: whether it is put away.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changes: Vec<Change>,
    }
    personal {
        /// Why, in the words of who did it.
        note,
    }

    /// A certificate was removed from the inventory for good; its events remain.
    Delete: Option<CertificateSummary> {
        /// What it had, member by member: where it belonged, its attributes, its status. Owners are
        /// given by their identifier.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changes: Vec<Change>,
    }
    personal {
        /// Why, in the words of who did it.
        note,
    }

    /// A certificate of the inventory was found to replace another.
    Replaced: CertificateSummary {
        /// The certificate that takes its place.
        successor_id: CertificateId,
        /// SHA-256 of the successor's DER, 64 lower-case hexadecimal digits.
        successor_fingerprint_sha256: String,
        /// End of the successor's validity.
        successor_not_after: Timestamp,
        /// How it was found: `renewal` for a known link, `same_names` or `same_key` for inference.
        found_by: Word,
    }

    /// Many certificates were brought into the inventory at once. Each that entered has its own
    /// `certificate.uploaded`, and each that did not its own failed `certificate.upload`, with this
    /// event's transaction. Where it ended early, the numbers say what had come in by then.
    Import {
        /// What was sent: `pem`, `der`, `pkcs7`, `pkcs12`, `zip` or `directory`.
        format: Option<Word>,
        /// Size of what was sent, in bytes.
        size_bytes: u64,
        /// Number of certificates found in it.
        count: u64,
        /// How many entered the inventory.
        added: u64,
        /// How many were there already.
        duplicates: u64,
        /// How many could not be read.
        invalid: u64,
        /// How many an ignore trigger kept out.
        ignored: u64,
        /// The job that did the work.
        job_id: Option<JobId>,
    }

    /// Certificates were taken out of the inventory as a file; the inventory did not change.
    Export {
        /// `pem`, `der`, `pkcs7`, `csv` or `json`.
        format: Word,
        /// How many were exported.
        count: u64,
        /// Whether a query chose them; without one they were named or all.
        filtered: bool,
    }
    personal {
        /// The query that chose them, as text; it may name people.
        query,
    }
}
