//! The upload operation: every attempt is recorded, whatever comes of it.

use std::sync::Arc;

use chancery_event::id::{CertificateId, JobId};
use chancery_event::types::certificate as types;
use chancery_event::{Target, TargetKind, Timestamp};
use chancery_pki::container::{self, ContainerError, Found};
use chancery_store::table::certificate;
use chancery_store::table::job::Job;
use tokio::sync::Semaphore;

use super::candidate::{self, Candidate};
use super::issuers::Issuers;
use super::{Source, Upload, UploadAnswer, UploadMode, UploadedItem, entry};
use crate::job::{Kind, Progress};
use crate::operation::Done;
use crate::reaction::stage::{Staged, Wanted};
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission};

/// Certificates in one upload that are processed one operation each; more become one import.
pub(crate) const SINGLE_MAX: usize = 100;

/// Containers that are read on threads of their own at a time: PKCS#12 may take a core for seconds.
static READERS: Semaphore = Semaphore::const_new(2);

/// The largest container that is read without a thread of its own: a chain or two.
const AT_ONCE_BYTES: usize = 16 * 1024;

/// The job that an upload is processed as.
pub(crate) struct AsJob {
    /// Its identifier.
    pub(crate) id: JobId,
    /// On a second try: when the job was queued. What entered since then is its own doing.
    pub(crate) resumed_since: Option<Timestamp>,
}

impl AsJob {
    /// That job, on this try.
    pub(crate) fn of(job: &Job) -> Self {
        Self { id: job.id, resumed_since: (job.attempts > 1).then_some(job.scheduled_at) }
    }
}

impl Engine {
    /// Brings certificates into the inventory (operation `certificate.upload`, one for each).
    ///
    /// # Errors
    /// What was sent cannot be read at all, or the caller may not upload. What concerns a single
    /// certificate of several stands in its item.
    pub async fn upload(&self, context: &Context, upload: Upload) -> Result<UploadAnswer, Error> {
        if upload.mode == UploadMode::Async {
            let mut attempt = attempt(&upload, 0, None);
            attempt.mode = "async".into();
            return match self.queue_upload(context, upload).await {
                Ok(job) => Ok(UploadAnswer::Queued(job)),
                Err(error) => Err(self.refused(context, &attempt, error).await),
            };
        }
        let progress = Progress::none();
        let items = self.process_upload(context, &upload, None, &progress).await?;
        Ok(UploadAnswer::Done(items))
    }

    /// Records an upload whose request an edge could not read (operation `certificate.upload`,
    /// failed): the reason is that of its answer, the message what was wrong.
    pub async fn refuse_upload(
        &self,
        context: &Context,
        size_bytes: u64,
        reason: &'static str,
        message: String,
    ) {
        let attempt = types::Upload {
            certificate: None,
            certificate_id: None,
            format: None,
            size_bytes,
            count: 0,
            mode: "sync".into(),
            job_id: None,
            duplicate_of: None,
        };
        self.refused(context, &attempt, Error::Unreadable { reason, message }).await;
    }

    async fn refused(&self, context: &Context, attempt: &types::Upload, error: Error) -> Error {
        match self.operation(context, Permission::CertificateWrite, attempt) {
            Ok(operation) => operation.fail(error).await,
            Err(_) => error,
        }
    }

    /// Processes an upload: at once for a caller, or as a job.
    pub(crate) async fn process_upload(
        &self,
        context: &Context,
        upload: &Upload,
        job: Option<&AsJob>,
        progress: &Progress,
    ) -> Result<Vec<UploadedItem>, Error> {
        let found = self.read_upload(context, upload, job).await?;
        if found.len() > SINGLE_MAX {
            return self.import_found(context, upload, found, job, progress).await;
        }
        let total = found.len() as u64;
        let mut items = Vec::with_capacity(found.len());
        for one in found {
            items.push(self.upload_one(context, upload, job, one).await);
            progress.report(items.len() as u64, total).await?;
        }
        Ok(items)
    }

    /// Reads what was sent; a failure is a failed operation.
    async fn read_upload(
        &self,
        context: &Context,
        upload: &Upload,
        job: Option<&AsJob>,
    ) -> Result<Vec<Found>, Error> {
        let attempt = attempt(upload, 0, job);
        if let Err(error) = context.require(Permission::CertificateWrite) {
            let operation = self.operation(context, Permission::CertificateWrite, &attempt)?;
            return Err(operation.fail(error).await);
        }
        match read(upload).await? {
            Ok(found) => Ok(found),
            Err(error) => {
                let operation = self.operation(context, Permission::CertificateWrite, &attempt)?;
                Err(operation.fail(unreadable(&error)).await)
            }
        }
    }

    async fn upload_one(
        &self,
        context: &Context,
        upload: &Upload,
        job: Option<&AsJob>,
        found: Found,
    ) -> UploadedItem {
        let position = found.index;
        let subject = found.result.as_ref().ok().map(|parsed| parsed.subject_dn.clone());
        // In a box, so that not every caller's future has room for all of it.
        let result = Box::pin(self.upload_found(context, upload, job, found)).await;
        UploadedItem { position, result, subject }
    }

    async fn upload_found(
        &self,
        context: &Context,
        upload: &Upload,
        job: Option<&AsJob>,
        found: Found,
    ) -> Result<CertificateId, Error> {
        let mut attempt = attempt(upload, 1, job);
        let parsed = match found.result {
            Ok(parsed) => parsed,
            Err(broken) => {
                let operation = self.operation(context, Permission::CertificateWrite, &attempt)?;
                let reason = ContainerError::Broken { index: found.index, reason: broken };
                return Err(operation.fail(unreadable(&reason)).await);
            }
        };
        let format = format_of(&upload.bytes);
        let candidate = Candidate::new(parsed, format, upload.source, self.environment());
        attempt.format = Some(format.into());
        let mut link = self.link().await?;
        let fingerprint = &candidate.row.fingerprint_sha256;
        let known = certificate::id_of(&mut link, fingerprint).await?;
        if let (Some(id), Some(since)) = (known, job.and_then(|job| job.resumed_since))
            && let Some(row) = certificate::find(&mut link, id).await?
            && row.created_at >= since
        {
            // An earlier try of this job was cut off behind this certificate: its operation has
            // ended, and recorded so.
            return Ok(id);
        }
        if let Some(id) = known {
            drop(link);
            // A duplicate is told before any trigger is asked: there is nothing to categorise.
            attempt.certificate = Some(candidate.presented());
            attempt.duplicate_of = known;
            let operation = self.operation(context, Permission::CertificateWrite, &attempt)?;
            let operation = operation.about(Target::new(TargetKind::Certificate, id));
            return Err(operation.fail(Error::Duplicate { id }).await);
        }
        let mut issuers = Issuers::new(self);
        issuers.read(&mut link, [candidate.row.issuer_key.clone()]).await?;
        let configuration = self.configuration(&mut link).await?;
        let wanted =
            Wanted::read(&mut link, &configuration, &candidate.row, &upload.placement).await;
        drop(link);
        let wanted = match wanted {
            Ok(wanted) => wanted,
            Err(error) => {
                attempt.certificate = Some(candidate.presented());
                let operation = self.operation(context, Permission::CertificateWrite, &attempt)?;
                return Err(operation.fail(error).await);
            }
        };
        let (now, expiring_days) = (self.environment().now(), self.settings().expiring_days);
        let wish = upload.placement.clone();
        let mut judged = entry::Judged::new(candidate, wish, &issuers, now, expiring_days);
        let scribe = self.scribe(context);
        judged.staged = Staged::ask(&configuration, &scribe, &judged.candidate, wanted.as_ref())?;
        if let Some(trigger) = judged.staged.as_ref().and_then(Staged::ignored_by) {
            let trigger = trigger.to_owned();
            return Err(self.keep_out(context, judged, attempt, trigger).await?);
        }
        attempt.certificate = Some(judged.candidate.presented());
        let operation = self.operation(context, Permission::CertificateWrite, &attempt)?;
        self.run_upload_one(operation, judged, attempt).await
    }

    /// A trigger keeps the certificate out: the failed operation and the evaluation are recorded
    /// together. Neither keeps the certificate's details, unless the audit is to be verbose.
    async fn keep_out(
        &self,
        context: &Context,
        judged: entry::Judged,
        mut attempt: types::Upload,
        trigger: String,
    ) -> Result<Error, Error> {
        if self.settings().verbose_audit {
            attempt.certificate = Some(judged.candidate.presented());
        }
        let operation = self.operation(context, Permission::CertificateWrite, &attempt)?;
        let judged = Arc::new(judged);
        let refused = operation
            .fail_noting(Error::Ignored { trigger }, move |tx, scribe, event| {
                let judged = judged.clone();
                Box::pin(async move {
                    match &judged.staged {
                        Some(staged) => staged.refused(tx, scribe, event, &judged.candidate).await,
                        None => Ok(()),
                    }
                })
            })
            .await;
        self.0.jobs_waiting.notify_one();
        Ok(refused)
    }

    async fn run_upload_one(
        &self,
        operation: crate::operation::Operation,
        judged: entry::Judged,
        attempt: types::Upload,
    ) -> Result<CertificateId, Error> {
        let is_ca = judged.candidate.row.is_ca;
        let acts = judged.staged.is_some();
        let work = Arc::new((judged, attempt));
        let id = operation
            .run(move |tx, scribe| {
                let work = work.clone();
                Box::pin(async move {
                    let (judged, attempt) = &*work;
                    let row = entry::enter(tx, scribe, judged, true).await?;
                    let payload = types::Upload { certificate_id: Some(row.id), ..attempt.clone() };
                    let person = judged.candidate.parsed.names_a_person();
                    let draft = Draft::new(&payload)?.target(candidate::target(&row, person));
                    Ok(Done { value: row.id, draft })
                })
            })
            .await?;
        if is_ca {
            self.0.status_waiting.notify_one();
        }
        if acts {
            self.0.jobs_waiting.notify_one();
        }
        Ok(id)
    }

    /// Queues the upload as a job, and records that it was taken.
    async fn queue_upload(&self, context: &Context, upload: Upload) -> Result<JobId, Error> {
        context.require(Permission::CertificateWrite)?;
        if upload.password.is_some() {
            // A password must not lie in the queue.
            return Err(Error::invalid(
                "password",
                "an upload with a password must be synchronous",
            ));
        }
        if upload.bytes.is_empty() {
            return Err(unreadable(&ContainerError::Empty));
        }
        let kind = match upload.source {
            Source::Import => Kind::CertificateImport,
            Source::Upload | Source::Demonstration => Kind::CertificateUpload,
        };
        let job = crate::job::new(self, context, kind, &upload.placement, upload.bytes)?;
        let id = job.job.id;
        let scribe = self.scribe(context);
        self.0
            .store
            .transaction("upload.queue", move |tx| {
                let (scribe, job) = (scribe.clone(), job.clone());
                Box::pin(async move { crate::job::enqueue_new(tx, &scribe, &job).await })
            })
            .await?;
        self.0.jobs_waiting.notify_one();
        Ok(id)
    }
}

/// Reads a container. What takes long is read on a thread of its own; what takes less than the way
/// there and back is read here.
pub(super) async fn read(upload: &Upload) -> Result<Result<Vec<Found>, ContainerError>, Error> {
    if upload.password.is_none()
        && upload.bytes.len() <= AT_ONCE_BYTES
        && let Some(read) = container::read_at_once(&upload.bytes)
    {
        return Ok(read);
    }
    // The semaphore is never closed. The permit goes with the work, which outlasts its caller.
    let permit = READERS.acquire().await.ok();
    let (bytes, password) = (upload.bytes.clone(), upload.password.clone());
    tokio::task::spawn_blocking(move || {
        let read =
            container::read(&bytes, password.as_ref().map(|secret| secret.expose().as_str()));
        drop(permit);
        read
    })
    .await
    .map_err(|error| Error::Internal(format!("upload: {error}")))
}

/// What an upload's event says before anything is known of its certificates.
pub(super) fn attempt(upload: &Upload, count: u32, job: Option<&AsJob>) -> types::Upload {
    types::Upload {
        certificate: None,
        certificate_id: None,
        format: None,
        size_bytes: upload.bytes.len() as u64,
        count,
        mode: if job.is_some() { "async" } else { "sync" }.into(),
        job_id: job.map(|job| job.id),
        duplicate_of: None,
    }
}

/// What was sent, judged by its first bytes; it is known to be readable.
pub(crate) fn format_of(bytes: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(65_536)]);
    if text.contains("-----BEGIN PKCS") || text.contains("-----BEGIN CMS") {
        return "pkcs7";
    }
    if text.contains("-----BEGIN") {
        return "pem";
    }
    // PFX (RFC 7292 §4) begins with SEQUENCE { INTEGER 3, a ContentInfo with OID pkcs7 (RFC 2315).
    const PKCS7_OID: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07];
    let head = &bytes[..bytes.len().min(32)];
    let oid = head.windows(PKCS7_OID.len()).position(|window| window == PKCS7_OID);
    match oid {
        Some(_) if head.windows(3).any(|window| window == [2, 1, 3]) => "pkcs12",
        Some(_) => "pkcs7",
        None => "der",
    }
}

/// A container that cannot be read, as the engine's refusal.
pub(crate) fn unreadable(error: &ContainerError) -> Error {
    let reason = match error {
        ContainerError::Empty => "empty",
        ContainerError::TooLarge { .. } => "too_large",
        ContainerError::TooMany => "too_many",
        ContainerError::PrivateKey { .. } => "private_key",
        ContainerError::NotACertificate { .. }
        | ContainerError::UnknownFormat { .. }
        | ContainerError::NoCertificates => "no_certificate",
        ContainerError::Broken { .. } | ContainerError::Structure { .. } => "malformed",
        ContainerError::PasswordMissing => "password_missing",
        ContainerError::PasswordWrong => "password_wrong",
        ContainerError::Pkcs12(_) => "pkcs12",
    };
    Error::Unreadable { reason, message: error.to_string() }
}
