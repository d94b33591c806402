//! Bulk import: many certificates in few transactions, one operation for all of them.
//!
//! Each certificate that enters has its own occurrence, with the import's transaction, and each
//! that does not its own failed upload (`refusal`). A crash in the middle loses nothing: what was
//! committed is in, and when the job is taken over, what is in counts as a duplicate. An import
//! that ends early says how far it had come.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chancery_event::id::{CertificateId, JobId};
use chancery_event::types::certificate as types;
use chancery_event::{Target, TargetKind};
use chancery_pki::container::{self, Found};
use chancery_store::Tx;
use chancery_store::table::{certificate, job::Job};
use serde_json::{Value, json};

use super::candidate::Candidate;
use super::entry::Judged;
use super::issuers::Issuers;
use super::refusal::Refusals;
use super::upload::{AsJob, format_of, unreadable};
use super::{PlacementRequest, Source, Upload, UploadMode, UploadedItem, entry, placement, upload};
use crate::job::{JobError, Progress};
use crate::operation::{Done, Operation};
use crate::reaction::stage::{Staged, Wanted};
use crate::scribe::{Draft, Scribe};
use crate::{Context, Engine, Error, Permission};

/// Certificates that enter in one transaction at most.
const CHUNK: usize = 512;

/// Certificates that the result of a job lists at most.
const LISTED: usize = 1_000;

/// What became of an import.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    count: u64,
    added: u64,
    duplicates: u64,
    invalid: u64,
    ignored: u64,
}

impl Counts {
    /// An import that has come so far.
    fn of(self, import: types::Import) -> types::Import {
        let Self { count: _, added, duplicates, invalid, ignored } = self;
        types::Import { added, duplicates, invalid, ignored, ..import }
    }
}

/// A certificate that may enter, with its position.
type Entrant = (usize, Candidate);

/// A chunk that only has to be written.
#[derive(Default)]
struct Prepared {
    /// What does not enter, and why.
    refused: Vec<UploadedItem>,
    /// The events about that.
    refusals: Vec<Draft>,
    /// What a trigger keeps out.
    ignored: Vec<(usize, Judged)>,
    entrants: Vec<(usize, Judged)>,
}

impl Engine {
    /// Reads what was sent and imports it (operation `certificate.import`).
    async fn import(
        &self,
        context: &Context,
        upload: &Upload,
        job: &AsJob,
        progress: &Progress,
    ) -> Result<Vec<UploadedItem>, Error> {
        let error = match upload::read(upload).await {
            Ok(Ok(found)) => {
                return self.import_found(context, upload, found, Some(job), progress).await;
            }
            Ok(Err(unread)) => unreadable(&unread),
            Err(error) => error,
        };
        let attempt = types::Import { format: None, ..attempt(upload, 0, Some(job.id)) };
        Err(self.operation(context, Permission::CertificateWrite, &attempt)?.fail(error).await)
    }

    /// Imports certificates that were read already (operation `certificate.import`).
    pub(crate) async fn import_found(
        &self,
        context: &Context,
        upload: &Upload,
        found: Vec<Found>,
        job: Option<&AsJob>,
        progress: &Progress,
    ) -> Result<Vec<UploadedItem>, Error> {
        let mut attempt = attempt(upload, found.len(), job.map(|job| job.id));
        let refusals = Refusals::new(upload, job, self.settings());
        let mut operation = self.operation(context, Permission::CertificateWrite, &attempt)?;
        if let Err(error) = context.require(Permission::CertificateWrite) {
            return Err(operation.fail(error).await);
        }
        let total = found.len() as u64;
        let mut items = Vec::with_capacity(found.len());
        let mut rest = found.into_iter();
        let mut next = || rest.by_ref().take(CHUNK).collect::<Vec<_>>();
        // While one chunk is written, the signatures of the next are checked.
        let mut prepared = self.prepare_chunk(context, upload, next(), &refusals).await;
        loop {
            let chunk = match prepared {
                Ok(chunk) => chunk,
                Err(error) => return Err(operation.fail(error).await),
            };
            let following = next();
            let last = following.is_empty();
            let (done, ready) = tokio::join!(
                self.enter_all(context, chunk, &operation, &refusals),
                self.prepare_chunk(context, upload, following, &refusals)
            );
            match done {
                Ok(done) => items.extend(done),
                Err((error, entered)) => {
                    operation.came_to(&types::Import { added: attempt.added + entered, ..attempt });
                    return Err(operation.fail(error).await);
                }
            }
            attempt = count(&items).of(attempt);
            operation.came_to(&attempt);
            if let Err(error) = progress.report(items.len() as u64, total).await {
                return Err(operation.fail(error).await);
            }
            if last {
                break;
            }
            prepared = ready;
        }
        record_import(operation, attempt).await?;
        Ok(items)
    }

    /// Judges one chunk and asks the triggers.
    async fn prepare_chunk(
        &self,
        context: &Context,
        upload: &Upload,
        chunk: Vec<Found>,
        refusals: &Refusals,
    ) -> Result<Prepared, Error> {
        if chunk.is_empty() {
            return Ok(Prepared::default());
        }
        let required = placement::required(&mut self.link().await?).await?;
        let (mut entrants, refused) = self.candidates(upload, chunk);
        let wish = upload.placement.clone();
        let issuers = self.issuers_for(&entrants, &wish).await?;
        let (now, expiring_days) = (self.environment().now(), self.settings().expiring_days);
        let mut link = self.link().await?;
        let configuration = self.configuration(&mut link).await?;
        let wanted = match entrants.first() {
            Some((_, first)) => {
                Wanted::read(&mut link, &configuration, &first.row, &wish).await?.map(Arc::new)
            }
            None => None,
        };
        drop(link);
        let issuers = Arc::new(issuers);
        let scribe = self.scribe(context);
        let second = entrants.split_off(entrants.len() / 2);
        // Checking signatures is most of the work: in two halves, side by side.
        let judging = [entrants, second].map(|half: Vec<Entrant>| {
            let (issuers, wish) = (issuers.clone(), wish.clone());
            let (configuration, scribe) = (configuration.clone(), scribe.clone());
            let wanted = wanted.clone();
            tokio::task::spawn_blocking(move || {
                let judge = |(position, candidate)| {
                    let wish = wish.clone();
                    let mut judged = Judged::new(candidate, wish, &issuers, now, expiring_days);
                    let candidate = &judged.candidate;
                    judged.staged =
                        Staged::ask(&configuration, &scribe, candidate, wanted.as_deref())?;
                    Ok((position, judged))
                };
                half.into_iter().map(judge).collect::<Result<Vec<_>, Error>>()
            })
        });
        let mut prepared = Prepared::default();
        for item in refused {
            prepared.refuse(refusals, None, item)?;
        }
        for half in judging {
            let judged = half.await;
            let judged = judged.map_err(|error| Error::Internal(format!("import: {error}")))??;
            for (position, judged) in judged {
                // What triggers place is complete or not once they have placed it.
                if judged.staged.is_none()
                    && let Err(error) = placement::complete(&required, &judged.wish)
                {
                    let subject = Some(judged.candidate.parsed.subject_dn.clone());
                    let item = UploadedItem { position, result: Err(error), subject };
                    prepared.refuse(refusals, Some(&judged.candidate), item)?;
                    continue;
                }
                let kept_out = |staged: &Staged| staged.ignored_by().is_some();
                match judged.staged.as_ref().is_some_and(kept_out) {
                    true => prepared.ignored.push((position, judged)),
                    false => prepared.entrants.push((position, judged)),
                }
            }
        }
        Ok(prepared)
    }

    /// What of a chunk can be read, and what cannot.
    fn candidates(&self, upload: &Upload, chunk: Vec<Found>) -> (Vec<Entrant>, Vec<UploadedItem>) {
        let format = format_of(&upload.bytes);
        let mut entrants = Vec::with_capacity(chunk.len());
        let mut refused = Vec::new();
        for found in chunk {
            let position = found.index;
            match found.result {
                Ok(parsed) => {
                    let environment = self.environment();
                    let candidate = Candidate::new(parsed, format, upload.source, environment);
                    entrants.push((position, candidate));
                }
                Err(broken) => refused.push(broken_at(position, broken)),
            }
        }
        (entrants, refused)
    }

    /// Issuers of a chunk: from the inventory, and from the chunk itself.
    async fn issuers_for(
        &self,
        entrants: &[Entrant],
        wish: &PlacementRequest,
    ) -> Result<Issuers, Error> {
        let mut link = self.link().await?;
        let mut issuers = Issuers::new(self);
        let mut keys: Vec<_> =
            entrants.iter().map(|(_, candidate)| candidate.row.issuer_key.clone()).collect();
        keys.sort();
        keys.dedup();
        issuers.read(&mut link, keys).await?;
        for (_, candidate) in entrants.iter().filter(|(_, candidate)| candidate.row.is_ca) {
            let mut row = candidate.row.clone();
            row.trust_anchor = wish.trust_anchor.unwrap_or(false);
            issuers.add(&row, &candidate.parsed);
        }
        Ok(issuers)
    }

    /// Writes one chunk. Where that fails: how many entered all the same.
    async fn enter_all(
        &self,
        context: &Context,
        chunk: Prepared,
        operation: &Operation,
        refusals: &Refusals,
    ) -> Result<Vec<UploadedItem>, (Error, u64)> {
        let Prepared { refused: mut items, refusals: drafts, ignored, entrants } = chunk;
        let any_ca = entrants.iter().any(|(_, judged)| judged.candidate.row.is_ca);
        let acts = entrants.iter().chain(&ignored).any(|(_, judged)| judged.staged.is_some());
        // What the import leads to is caused by its event.
        let caused = Scribe { operation: Some(operation.event()), ..self.scribe(context) };
        let (scribe, refusals) = (self.scribe(context), refusals.clone());
        let work = Arc::new((entrants, ignored, drafts, refusals));
        let written = work.clone();
        let result = self
            .0
            .store
            .transaction("import.chunk", move |tx: &mut Tx| {
                let (work, scribe, caused) = (work.clone(), scribe.clone(), caused.clone());
                Box::pin(async move {
                    let (entrants, ignored, drafts, refusals) = &*work;
                    for draft in drafts {
                        caused.record(tx, draft.clone())?;
                    }
                    let mut items = enter_chunk(tx, &scribe, &caused, entrants, refusals).await?;
                    items.extend(refusals.keep_out(tx, &caused, ignored).await?);
                    Ok::<_, Error>(items)
                })
            })
            .await;
        match result {
            Ok(entered) => items.extend(entered),
            Err(error) => {
                let entered = if error.leaves_doubt() { self.entered(&written.0).await } else { 0 };
                return Err((error, entered));
            }
        }
        if any_ca {
            self.0.status_waiting.notify_one();
        }
        if acts {
            self.0.jobs_waiting.notify_one();
        }
        items.sort_by_key(|item| item.position);
        Ok(items)
    }

    /// How many of these are in, where nobody knows what became of their transaction. The question
    /// waits behind that one, as the record of a failure does.
    async fn entered(&self, entrants: &[(usize, Judged)]) -> u64 {
        let rows = || entrants.iter().map(|(_, judged)| &judged.candidate.row);
        let fingerprints: Vec<_> = rows().map(|row| row.fingerprint_sha256.clone()).collect();
        let ids: HashSet<_> = rows().map(|row| row.id).collect();
        let fingerprints = Arc::new(fingerprints);
        let found = self
            .0
            .store
            .transaction("import.doubt", move |tx: &mut Tx| {
                let fingerprints = fingerprints.clone();
                Box::pin(
                    async move { Ok::<_, Error>(certificate::ids_of(tx, &fingerprints).await?) },
                )
            })
            .await;
        // Where this cannot be told, the failure cannot be recorded either.
        let found = found.unwrap_or_default();
        found.iter().filter(|(_, id)| ids.contains(id)).count() as u64
    }
}

impl Prepared {
    /// One that does not enter, with its event.
    fn refuse(
        &mut self,
        refusals: &Refusals,
        candidate: Option<&Candidate>,
        item: UploadedItem,
    ) -> Result<(), Error> {
        if let Err(error) = &item.result {
            self.refusals.push(refusals.draft(candidate, error)?);
        }
        self.refused.push(item);
        Ok(())
    }
}

/// What an import's event says before anything came in.
fn attempt(upload: &Upload, count: usize, job: Option<JobId>) -> types::Import {
    types::Import {
        format: Some(format_of(&upload.bytes).into()),
        size_bytes: upload.bytes.len() as u64,
        count: count as u64,
        added: 0,
        duplicates: 0,
        invalid: 0,
        ignored: 0,
        job_id: job,
    }
}

async fn enter_chunk(
    tx: &mut Tx,
    scribe: &Scribe,
    caused: &Scribe,
    entrants: &[(usize, Judged)],
    refusals: &Refusals,
) -> Result<Vec<UploadedItem>, Error> {
    let rows = || entrants.iter().map(|(_, judged)| &judged.candidate);
    let fingerprints: Vec<_> = rows().map(|c| c.row.fingerprint_sha256.clone()).collect();
    let mut known: HashMap<String, CertificateId> =
        certificate::ids_of(tx, &fingerprints).await?.into_iter().collect();
    // Most certificates of an import are related to nothing: one question tells which.
    let names: Vec<&str> = rows().filter_map(first_name).collect();
    let mut named: HashSet<String> = certificate::names_in_use(tx, &names).await?;
    let mut items = Vec::with_capacity(entrants.len());
    // Those that nothing is asked about, one after another, enter together.
    let mut together: Vec<&Judged> = Vec::with_capacity(entrants.len());
    for (position, judged) in entrants {
        let candidate = &judged.candidate;
        let fingerprint = &candidate.row.fingerprint_sha256;
        let result = match known.get(fingerprint) {
            Some(&id) => {
                let error = Error::Duplicate { id };
                refusals.known(tx, caused, candidate, &error).await?;
                Err(error)
            }
            None => {
                let may_relate = first_name(candidate).is_none_or(|name| named.contains(name));
                let id = if may_relate || !judged.is_plain() {
                    entry::enter_together(tx, scribe, &std::mem::take(&mut together)).await?;
                    entry::enter(tx, scribe, judged, may_relate).await?.id
                } else {
                    together.push(judged);
                    candidate.row.id
                };
                known.insert(fingerprint.clone(), id);
                named.extend(candidate.names.iter().map(|name| name.value.clone()));
                Ok(id)
            }
        };
        let subject = Some(candidate.row.subject_dn.clone());
        items.push(UploadedItem { position: *position, result, subject });
    }
    entry::enter_together(tx, scribe, &together).await?;
    Ok(items)
}

/// The name by which related certificates are looked for.
fn first_name(candidate: &Candidate) -> Option<&str> {
    candidate.names.first().map(|name| name.value.as_str())
}

/// A certificate of an import that cannot be read.
fn broken_at(position: usize, reason: container::Broken) -> UploadedItem {
    let error = container::ContainerError::Broken { index: position, reason };
    UploadedItem { position, result: Err(unreadable(&error)), subject: None }
}

/// Records how an import ended.
async fn record_import(operation: Operation, payload: types::Import) -> Result<(), Error> {
    let target = payload.job_id.map(|id| Target::new(TargetKind::Job, id));
    operation
        .run(move |_, _| {
            let (payload, target) = (payload.clone(), target.clone());
            Box::pin(async move {
                let draft = Draft::new(&payload)?;
                let draft = match target {
                    Some(target) => draft.target(target),
                    None => draft,
                };
                Ok(Done { value: (), draft })
            })
        })
        .await
}

fn count(items: &[UploadedItem]) -> Counts {
    let mut counts = Counts { count: items.len() as u64, ..Counts::default() };
    for item in items {
        match &item.result {
            Ok(_) => counts.added += 1,
            Err(Error::Duplicate { .. }) => counts.duplicates += 1,
            Err(Error::Ignored { .. }) => counts.ignored += 1,
            Err(_) => counts.invalid += 1,
        }
    }
    counts
}

/// Works off an asynchronous upload: one operation for each certificate, as when synchronous.
pub(crate) async fn run_upload(
    engine: &Engine,
    context: Context,
    job: &Job,
    input: Vec<u8>,
    progress: &Progress,
) -> Result<Value, JobError> {
    let upload = upload_of(job, input, Source::Upload)?;
    let as_job = AsJob::of(job);
    let work = engine.process_upload(&context, &upload, Some(&as_job), progress);
    result(&work.await.map_err(JobError::of)?)
}

/// Works off an import.
pub(crate) async fn run_import(
    engine: &Engine,
    context: Context,
    job: &Job,
    input: Vec<u8>,
    progress: &Progress,
) -> Result<Value, JobError> {
    let upload = upload_of(job, input, Source::Import)?;
    let imported = engine.import(&context, &upload, &AsJob::of(job), progress).await;
    result(&imported.map_err(JobError::of)?)
}

fn upload_of(job: &Job, bytes: Vec<u8>, source: Source) -> Result<Upload, JobError> {
    let damaged = |_| JobError { retry: false, message: "the payload is damaged".to_owned() };
    let payload: Value = serde_json::from_str(&job.payload).map_err(damaged)?;
    let placement = serde_json::from_value(payload["placement"].clone()).map_err(damaged)?;
    Ok(Upload { bytes, password: None, placement, mode: UploadMode::Sync, source })
}

/// What the job answers; it has failed if the one certificate that was sent did not come in, or
/// each of several was refused. Of several, what is in already or is kept out by a trigger is no
/// failure.
fn result(items: &[UploadedItem]) -> Result<Value, JobError> {
    let counts = count(items);
    let mut errors = items.iter().filter_map(|item| item.result.as_ref().err());
    let known = counts.duplicates + counts.ignored;
    if counts.added == 0
        && (known == 0 || items.len() == 1)
        && let Some(first) = errors.next()
    {
        let message = match items {
            [_] => first.to_string(),
            _ => format!("none of {} certificates came in; the first: {first}", items.len()),
        };
        let retry = first.is_transient() || errors.any(Error::is_transient);
        return Err(JobError { retry, message });
    }
    // What did not come in is what somebody has to know: it goes first.
    let (entered, refused): (Vec<_>, Vec<_>) = items.iter().partition(|item| item.result.is_ok());
    let listed: Vec<_> = refused
        .into_iter()
        .chain(entered)
        .take(LISTED)
        .map(|item| match &item.result {
            Ok(id) => json!({ "position": item.position, "certificate": id.to_string() }),
            Err(error) => json!({
                "position": item.position, "error": error.reason(), "message": error.to_string(),
            }),
        })
        .collect();
    Ok(json!({
        "count": counts.count,
        "added": counts.added,
        "duplicates": counts.duplicates,
        "invalid": counts.invalid,
        "ignored": counts.ignored,
        "items": listed,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(position: usize) -> UploadedItem {
        let result = Err(Error::invalid("owner", "it is required"));
        UploadedItem { position, result, subject: None }
    }

    #[test]
    fn a_job_of_which_nothing_came_in_has_failed() {
        let error = result(&[refused(0), refused(1)]).unwrap_err();
        assert!(error.message.starts_with("none of 2 certificates came in"), "{}", error.message);
        assert!(!error.retry);
        let id = "01890000-0000-7000-8000-000000000001".parse().unwrap();
        let known =
            || UploadedItem { position: 2, result: Err(Error::Duplicate { id }), subject: None };
        assert!(result(&[refused(0), known()]).is_ok(), "one of them is in");
        assert!(result(&[known()]).is_err(), "the one that was sent did not come in");
        assert!(result(&[]).is_ok());
    }
}
