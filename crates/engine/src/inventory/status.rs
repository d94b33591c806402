//! Keeps every certificate's status true: when time passes a boundary, and when something above it
//! in a chain changes.
//!
//! The loop takes no input: it asks the store what is due. Everything that may change a verdict
//! makes the certificates it concerns due. What is due already cannot be made so, while a verdict
//! on it is being reached: so a verdict is written only if the issuers still are who they were.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chancery_event::id::{CertificateId, EventId};
use chancery_event::types::certificate as types;
use chancery_event::{Severity, Timestamp};
use chancery_pki::Certificate as Parsed;
use chancery_store::Tx;
use chancery_store::table::certificate::{self, Certificate, Due, StatusRow};
use chancery_store::table::job::Job;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};

use super::candidate;
use super::issuers::Issuers;
use crate::alert::cause;
use crate::job::JobError;
use crate::scribe::{Draft, Scribe};
use crate::tenure::Standing;
use crate::{Context, Engine, Error};

/// Certificates judged in one transaction at most.
const BATCH_MAX: usize = 256;
/// Certificates that one round judges at most: while the verdicts on some are written, the next are
/// judged.
const ROUND_MAX: usize = 4 * BATCH_MAX;
/// Certificates that a sweep makes due in one transaction.
const SWEEP_MAX: usize = 2_000;
const TICK: Duration = Duration::from_secs(1);

/// Judges what is due until `stop` is set.
pub(crate) async fn run(engine: Engine, mut stop: watch::Receiver<bool>) {
    let mut keeper = engine.keeper("validator");
    loop {
        let duty = async {
            let standing = keeper.standing().await?;
            keeper.on_duty(round(&engine, &standing)).await
        };
        match duty.await {
            Ok(Some(Ok(count))) if count == ROUND_MAX && !*stop.borrow() => continue,
            Ok(Some(Ok(_)) | None) => {}
            Ok(Some(Err(error))) | Err(error) => tracing::error!(%error, "validation failed"),
        }
        if *stop.borrow() {
            keeper.give_back().await;
            return;
        }
        tokio::select! {
            () = engine.0.status_waiting.notified() => {}
            _ = stop.changed() => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

/// One round; answers how many certificates were judged.
pub(crate) async fn round(engine: &Engine, standing: &Standing) -> Result<usize, Error> {
    let Waiting { due, issuers, now } = waiting(engine).await?;
    let count = due.len();
    let mut due = due.into_iter();
    let mut next = || {
        let batch: Vec<Due> = due.by_ref().take(BATCH_MAX).collect();
        (!batch.is_empty()).then(|| judge(engine, batch, issuers.clone(), now))
    };
    let mut judging = next();
    while let Some(task) = judging {
        let verdicts =
            task.await.map_err(|error| Error::Internal(format!("validation: {error}")))?;
        judging = next();
        settle(engine, Judged { issuers: issuers.clone(), verdicts }, standing).await?;
    }
    Ok(count)
}

/// Certificates that are due, with the issuers of all.
struct Waiting {
    due: Vec<Due>,
    issuers: Arc<Issuers>,
    now: Timestamp,
}

/// Reads what is due, as much as one round takes.
async fn waiting(engine: &Engine) -> Result<Waiting, Error> {
    let now = engine.environment().now();
    let mut link = engine.link().await?;
    let due = certificate::due(&mut link, now, ROUND_MAX).await?;
    let mut issuers = Issuers::new(engine);
    let mut keys: Vec<_> = due.iter().map(|due| due.row.issuer_key.clone()).collect();
    keys.sort();
    keys.dedup();
    issuers.read(&mut link, keys).await?;
    Ok(Waiting { due, issuers: Arc::new(issuers), now })
}

/// A certificate as it was read, the verdict on it, and the event that made it due.
type Verdict = (Certificate, StatusRow, Option<EventId>);

/// Verdicts on a batch, and the issuers that they rest on.
struct Judged {
    issuers: Arc<Issuers>,
    verdicts: Vec<Verdict>,
}

/// Begins to judge a batch. Signatures are checked: not on the threads that answer requests.
fn judge(
    engine: &Engine,
    batch: Vec<Due>,
    issuers: Arc<Issuers>,
    now: Timestamp,
) -> JoinHandle<Vec<Verdict>> {
    let expiring_days = engine.settings().expiring_days;
    spawn_blocking(move || {
        let verdicts = batch.into_iter().map(|due| verdict(due, &issuers, now, expiring_days));
        verdicts.collect()
    })
}

fn verdict(due: Due, issuers: &Issuers, now: Timestamp, expiring_days: u32) -> Verdict {
    let Due { row, der, cause } = due;
    let verdict = match Parsed::parse(&der) {
        Ok(parsed) => issuers.judge(&row, &parsed, now, expiring_days),
        Err(error) => unreadable(&error.to_string(), now),
    };
    (row, verdict, cause)
}

/// Writes verdicts; those that rest on issuers that have changed meanwhile are left due.
async fn settle(engine: &Engine, judged: Judged, standing: &Standing) -> Result<(), Error> {
    let scribe = engine.scribe(&Context::system(engine.environment()));
    let work = Arc::new((judged, standing.clone()));
    engine
        .0
        .store
        .transaction("certificate.status", move |tx: &mut Tx| {
            let (work, scribe) = (work.clone(), scribe.clone());
            Box::pin(async move {
                let (judged, standing) = &*work;
                standing.keep(tx).await?;
                let mut settled = BTreeSet::new();
                let mut unchanged: HashMap<&str, bool> = HashMap::new();
                for (row, verdict, cause) in &judged.verdicts {
                    let key = row.issuer_key.as_str();
                    let unchanged = match unchanged.entry(key) {
                        Entry::Occupied(known) => *known.get(),
                        Entry::Vacant(place) => {
                            let now = certificate::standing(tx, key).await?;
                            *place.insert(now == judged.issuers.standing(key))
                        }
                    };
                    if !unchanged {
                        continue;
                    }
                    let scribe = scribe.because_of(*cause, scribe.context.depth);
                    apply(tx, &scribe, row, verdict).await?;
                    if row.status != verdict.status {
                        settled.insert(key);
                    }
                }
                for issuer in settled {
                    cause::chain_settled(tx, &scribe, issuer).await?;
                }
                Ok::<(), Error>(())
            })
        })
        .await
}

/// Makes every certificate due, some at a time, so that the loop judges all of them anew (the job
/// `certificate.validate`).
async fn sweep(
    engine: &Engine,
    cause: Option<EventId>,
    progress: &crate::job::Progress,
) -> Result<serde_json::Value, Error> {
    let (mut after, mut count) = (String::new(), 0_u64);
    let total = certificate::count(&mut engine.link().await?).await?;
    let total = u64::try_from(total).unwrap_or(0);
    loop {
        let now = engine.environment().now();
        let start = after.clone();
        let made = engine.0.store.transaction("certificate.sweep", move |tx: &mut Tx| {
            let start = start.clone();
            Box::pin(async move {
                Ok::<_, Error>(certificate::make_page_due(tx, &start, now, cause, SWEEP_MAX).await?)
            })
        });
        let Some((last, made)) = made.await? else { break };
        (after, count) = (last, count + made);
        engine.0.status_waiting.notify_one();
        progress.report(count, total.max(count)).await?;
    }
    Ok(serde_json::json!({ "count": count }))
}

async fn apply(
    tx: &mut Tx,
    scribe: &Scribe,
    read: &Certificate,
    verdict: &StatusRow,
) -> Result<(), Error> {
    // The certificate may have changed or gone since it was read.
    let Some(row) = certificate::find(tx, read.id).await? else { return Ok(()) };
    if row.trust_anchor != read.trust_anchor {
        return Ok(());
    }
    certificate::update_status(tx, row.id, verdict).await?;
    if row.status == verdict.status {
        return Ok(());
    }
    let names = certificate::names(tx, row.id).await?;
    let person = candidate::names_a_person(&row, &names);
    let summary = candidate::whole_summary(tx, &row, person).await?;
    let payload = types::StatusChanged {
        certificate: summary,
        old_status: row.status.clone().into(),
        new_status: verdict.status.clone().into(),
        reason: deciding_check(&verdict.checks).map(Into::into),
    };
    let draft = Draft::new(&payload)?
        .target(candidate::target(&row, person))
        .severity(severity(&verdict.status));
    let event = scribe.record(tx, draft)?;
    if row.is_ca {
        certificate::make_due(tx, &row.subject_key, row.id, verdict.at, Some(event)).await?;
    }
    let verdict = (verdict.status.as_str(), verdict.reason.as_str());
    cause::certificate_status(tx, scribe, &row, person, verdict, event).await
}

/// The name of the check that decided, as the reason word.
fn deciding_check(checks: &str) -> Option<String> {
    let checks: Vec<serde_json::Value> = serde_json::from_str(checks).ok()?;
    checks
        .iter()
        .find(|check| matches!(check["result"].as_str(), Some("failed" | "unknown")))
        .and_then(|check| check["name"].as_str())
        .map(str::to_owned)
}

fn severity(status: &str) -> Severity {
    match status {
        "valid" => Severity::Info,
        "expiring" | "not_yet_valid" | "incomplete" | "untrusted" | "unknown" => Severity::Warning,
        _ => Severity::Error,
    }
}

fn unreadable(why: &str, now: Timestamp) -> StatusRow {
    StatusRow {
        status: "unknown".to_owned(),
        reason: format!("the stored certificate cannot be read: {why}"),
        checks: "[]".to_owned(),
        chain: "[]".to_owned(),
        at: now,
        due_at: now.plus(3_650 * Timestamp::DAY),
    }
}

/// Works off a job that has certificates checked again: the one that its payload names, or all; the
/// background loop does it, and what it finds is caused by the event `cause`.
pub(crate) async fn run_job(
    engine: &Engine,
    cause: Option<EventId>,
    job: &Job,
    progress: &crate::job::Progress,
) -> Result<Value, JobError> {
    let payload: Value = serde_json::from_str(&job.payload).unwrap_or_default();
    if payload["certificate"].is_null() {
        return sweep(engine, cause, progress).await.map_err(JobError::of);
    }
    let id = payload["certificate"].as_str().and_then(|id| id.parse::<CertificateId>().ok());
    let message = "the payload names no certificate that could be one".to_owned();
    let id = id.ok_or(JobError { retry: false, message })?;
    let now = engine.environment().now();
    let due = engine.0.store.transaction("job.validate", move |tx: &mut Tx| {
        Box::pin(
            async move { Ok::<(), Error>(certificate::make_self_due(tx, id, now, cause).await?) },
        )
    });
    due.await.map_err(JobError::of)?;
    engine.0.status_waiting.notify_one();
    Ok(payload)
}

#[cfg(test)]
mod tests;
