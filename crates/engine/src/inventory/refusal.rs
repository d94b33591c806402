//! What of an import does not come in, and why: each certificate leaves a failed upload of its own
//! (`certificate.upload`), as if it had been sent alone. They share the chunk's transaction and are
//! caused by the import.

use chancery_event::types::certificate as types;
use chancery_event::{Target, TargetKind};
use chancery_store::Tx;
use chancery_store::table::certificate;

use super::candidate::Candidate;
use super::entry::Judged;
use super::upload::{AsJob, attempt, format_of};
use super::{Upload, UploadedItem};
use crate::operation::failed;
use crate::scribe::{Draft, Scribe};
use crate::{Error, Settings};

/// What every refusal of an import says.
#[derive(Clone)]
pub(super) struct Refusals {
    shared: types::Upload,
    /// On a second try of a job: when it was queued. What entered since then is its own doing.
    resumed_since: Option<chancery_event::Timestamp>,
    /// Whether the event of what a trigger keeps out identifies the certificate.
    verbose: bool,
}

impl Refusals {
    pub(super) fn new(upload: &Upload, job: Option<&AsJob>, settings: &Settings) -> Self {
        let format = Some(format_of(&upload.bytes).into());
        let shared = types::Upload { format, ..attempt(upload, 1, job) };
        let resumed_since = job.and_then(|job| job.resumed_since);
        Self { shared, resumed_since, verbose: settings.verbose_audit }
    }

    /// The failed upload of one certificate; of one that cannot be read there is no candidate.
    pub(super) fn draft(
        &self,
        candidate: Option<&Candidate>,
        error: &Error,
    ) -> Result<Draft, Error> {
        let mut attempt = self.shared.clone();
        attempt.certificate = match error {
            Error::Ignored { .. } if !self.verbose => None,
            _ => candidate.map(Candidate::presented),
        };
        let mut target = None;
        if let Error::Duplicate { id } = error {
            attempt.duplicate_of = Some(*id);
            target = Some(Target::new(TargetKind::Certificate, *id));
        }
        let mut draft = failed(Draft::new(&attempt)?, error);
        draft.targets.extend(target);
        Ok(draft)
    }

    /// Records that a certificate is in the inventory already, unless an earlier try of the same
    /// job brought it in.
    pub(super) async fn known(
        &self,
        tx: &mut Tx,
        scribe: &Scribe,
        candidate: &Candidate,
        error: &Error,
    ) -> Result<(), Error> {
        if let (Some(since), Error::Duplicate { id }) = (self.resumed_since, error)
            && let Some(row) = certificate::find(tx, *id).await?
            && row.created_at >= since
        {
            return Ok(());
        }
        scribe.record(tx, self.draft(Some(candidate), error)?)?;
        Ok(())
    }

    /// Records what triggers keep out, so that the record of the trigger leads to that one; what is
    /// in the inventory already is a duplicate first.
    pub(super) async fn keep_out(
        &self,
        tx: &mut Tx,
        scribe: &Scribe,
        ignored: &[(usize, Judged)],
    ) -> Result<Vec<UploadedItem>, Error> {
        let mut items = Vec::with_capacity(ignored.len());
        for (position, judged) in ignored {
            let candidate = &judged.candidate;
            let known = certificate::id_of(tx, &candidate.row.fingerprint_sha256).await?;
            let error = match (known, &judged.staged) {
                (Some(id), _) => {
                    let error = Error::Duplicate { id };
                    self.known(tx, scribe, candidate, &error).await?;
                    error
                }
                (None, Some(staged)) => {
                    let trigger = staged.ignored_by().unwrap_or_default().to_owned();
                    let error = Error::Ignored { trigger };
                    let event = scribe.record(tx, self.draft(Some(candidate), &error)?)?;
                    staged.refused(tx, scribe, event, candidate).await?;
                    error
                }
                (None, None) => continue,
            };
            let subject = Some(candidate.row.subject_dn.clone());
            items.push(UploadedItem { position: *position, result: Err(error), subject });
        }
        Ok(items)
    }
}
