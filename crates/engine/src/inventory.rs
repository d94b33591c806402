//! The inventory: certificates come in, are judged, placed, watched, archived, deleted.
//!
//! Read in this order: `candidate` (what an upload presents), `entry` (how it enters; triggers are
//! asked before, see `reaction::stage`), `upload`, `bulk` and `refusal` (the operations), `issuers`
//! and `status` (what is known of it), `change`, `read`.

pub(crate) mod bulk;
pub(crate) mod candidate;
mod change;
mod entry;
mod issuers;
mod overlay;
pub(crate) mod placement;
mod read;
mod refusal;
pub mod search;
pub(crate) mod status;
mod upload;

use std::collections::BTreeMap;

use chancery_event::id::{CertificateId, JobId};

use crate::{Error, Secret};

pub use candidate::Candidate;
pub(crate) use candidate::{
    hex, names_a_person as about_a_person, summary as certificate_summary,
    target as certificate_target,
};
pub(crate) use change::{place, with_values};
pub(crate) use overlay::{hides, overlay};
pub(crate) use placement::{path, resolve as resolve_placement};

/// What events say of a certificate with these names, and itself as their target: its subject stays
/// out of both if it names a person.
pub(crate) fn summary_of(
    row: &chancery_store::table::certificate::Certificate,
    names: &[chancery_store::table::certificate::Name],
) -> (chancery_event::types::certificate::CertificateSummary, chancery_event::Target) {
    let person = candidate::names_a_person(row, names);
    (candidate::summary(row, person), candidate::target(row, person))
}
pub use read::{AttributeEntry, CertificateView, ChainLink, CheckView, ISSUED_COUNTED};

/// How an upload is processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadMode {
    /// The answer comes when every certificate is in the inventory or refused.
    Sync,
    /// The answer comes at once and names a job.
    Async,
}

/// By which way certificates come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Somebody uploaded them.
    Upload,
    /// A bulk import.
    Import,
    /// The demonstration made them.
    Demonstration,
}

impl Source {
    /// The word in the inventory.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Import => "import",
            Self::Demonstration => "demo",
        }
    }

    /// The source that `text` spells.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Upload, Self::Import, Self::Demonstration].into_iter().find(|s| s.as_str() == text)
    }
}

/// Certificates to bring in, as they were sent.
#[derive(Clone)]
pub struct Upload {
    /// PEM, DER, PKCS#7 or PKCS#12.
    pub bytes: Vec<u8>,
    /// Opens PKCS#12.
    pub password: Option<Secret<String>>,
    /// Where they belong.
    pub placement: PlacementRequest,
    /// How to answer.
    pub mode: UploadMode,
    /// By which way they come.
    pub source: Source,
}

/// Where a certificate is to belong. What is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PlacementRequest {
    /// Login name or identifier of an account; empty clears.
    pub owner: Option<String>,
    /// Names or identifiers of groups; replaces all.
    pub groups: Option<Vec<String>>,
    /// Name or identifier of an RA profile; empty clears.
    pub ra_profile: Option<String>,
    /// Folder, such as `/prod/web`.
    pub path: Option<String>,
    /// Values of custom attributes by name; null clears.
    pub attributes: BTreeMap<String, serde_json::Value>,
    /// Chains may end here.
    pub trust_anchor: Option<bool>,
}

impl PlacementRequest {
    /// Nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What became of one certificate of an upload.
#[derive(Debug)]
pub struct UploadedItem {
    /// Position in what was sent, from 0.
    pub position: usize,
    /// Its identifier, or why it was refused.
    pub result: Result<CertificateId, Error>,
    /// Its subject, where it could be read.
    pub subject: Option<String>,
}

/// The answer to an upload.
#[derive(Debug)]
pub enum UploadAnswer {
    /// Processed: one item for each certificate.
    Done(Vec<UploadedItem>),
    /// A job will process it.
    Queued(JobId),
}
