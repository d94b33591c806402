//! The causes that the program itself raises alerts for, and when each is gone.
//!
//! | kind | gone when |
//! |---|---|
//! | `job_failed` | the job succeeded or was cancelled |
//! | `account_locked` | it is unlocked, logged in, deleted, or its lock ended |
//! | `certificate_status` (invalid, revoked) | the status is good, it was replaced, or it left |
//! | `chain_broken`, one for an issuer | none of its certificates is without chain or trust |
//! | `log_seal_stopped` | sealing works again |
//! | `backup_failed` | a backup succeeded |
//! | `store_refused` | never by itself: what was refused did not happen |
//! | `log_lost` | never by itself: what was lost is nowhere in this log |
//! | `event_quarantined` | never by itself: a person must look |
//!
//! Whatever is open about a certificate alone goes with it when it is deleted.

use chancery_event::id::{AccountId, EventId, JobId};
use chancery_event::{Event, Severity, Target, TargetKind, Timestamp};
use chancery_store::table::alert::{self as table, Alert};
use chancery_store::table::certificate::{self, Certificate};
use chancery_store::table::job::Job;
use chancery_store::{Link, Tx, log};

use super::{NewAlert, raise, resolve};
use crate::Error;
use crate::inventory::candidate;
use crate::job::Kind;
use crate::scribe::Scribe;

/// Kind of an alert by which a notification profile rings the bell.
pub(crate) const TOLD: &str = "notification";
/// Kind of an alert by which a step tells somebody in the bell.
pub(crate) const NOTICE: &str = "notice";
/// Events that tell of the end of a certificate.
const ENDS: [&str; 3] = ["certificate.expiring", "certificate.expired", "authority.expiring"];
/// Open alerts about one object that are looked at.
const OPEN_MAX: usize = 50;
/// Cause of an alert that sealing has stopped.
pub(crate) const SEAL_STOPPED: &str = "log_seal_stopped";
/// Cause of an alert about pending events that were set aside.
const QUARANTINED: &str = "event_quarantined";
/// Cause of an alert about backups that fail.
const BACKUP_FAILED: &str = "backup_failed";
/// Cause of an alert that the end of the log was lost, or may have been.
const LOG_LOST: &str = "log_lost";
/// Cause of an alert that the store refused writes.
const STORE_REFUSED: &str = "store_refused";
/// Kind of an alert that certificates of an issuer have lost their chain.
const CHAIN_BROKEN: &str = "chain_broken";
/// Beginning of the causes of alerts about locked accounts.
pub(crate) const ACCOUNT_LOCKED: &str = "account_locked:account/";

/// The cause of an alert that a certificate ends.
pub(crate) fn expiry_key(certificate: &str) -> String {
    format!("certificate/{certificate}/expiry")
}

/// The cause of an alert that a token, an account or a password ends; `method` is the kind.
pub(crate) fn method_key(method: &str, id: &str) -> String {
    format!("{method}/{id}/expiry")
}

fn job_key(id: JobId) -> String {
    format!("job_failed:job/{id}")
}

/// A job has failed for good. What somebody sent and could not be used is a warning, everything
/// else an error.
pub(crate) async fn job_failed(
    tx: &mut Tx,
    scribe: &Scribe,
    job: &Job,
    reason: &str,
    message: &str,
    cause: EventId,
) -> Result<(), Error> {
    // The backup itself raised an alert, one for however many jobs.
    if Kind::parse(&job.kind) == Some(Kind::BackupCreate) && reason == "job_failed" {
        return Ok(());
    }
    let of_input =
        matches!(Kind::parse(&job.kind), Some(Kind::CertificateUpload | Kind::CertificateImport));
    let refused = of_input && reason == "job_failed" && job.attempts < job.attempts_max;
    let severity = if refused { Severity::Warning } else { Severity::Error };
    let new = NewAlert {
        message: message.to_owned(),
        private: true,
        object: Some(Target::new(TargetKind::Job, job.id).named(&job.name)),
        source: "job".to_owned(),
        cause: Some(cause),
        ..NewAlert::new(job_key(job.id), "job_failed", severity, format!("{} failed", job.name))
    };
    raise(tx, scribe, &new).await.map(|_| ())
}

/// A job has ended otherwise: `job_succeeded` or `job_cancelled`.
pub(crate) async fn job_settled(
    tx: &mut Tx,
    scribe: &Scribe,
    id: JobId,
    reason: &str,
) -> Result<(), Error> {
    resolve(tx, scribe, &job_key(id), reason).await.map(|_| ())
}

/// Failed logins have locked an account.
pub(crate) async fn account_locked(
    tx: &mut Tx,
    scribe: &Scribe,
    id: AccountId,
    name: &str,
    failures: i64,
    cause: EventId,
) -> Result<(), Error> {
    let title = "An account was locked after failed logins";
    let new = NewAlert {
        message: format!(
            "{failures} failed logins in a row locked {name}. If it was not {name}, somebody is \
             trying passwords: look at the addresses in the events of the account."
        ),
        private: true,
        object: Some(Target::new(TargetKind::Account, id)),
        source: "access".to_owned(),
        cause: Some(cause),
        ..NewAlert::new(format!("{ACCOUNT_LOCKED}{id}"), "account_locked", Severity::Warning, title)
    };
    raise(tx, scribe, &new).await.map(|_| ())
}

/// An account is not locked any more, because of `reason`.
pub(crate) async fn account_unlocked(
    tx: &mut Tx,
    scribe: &Scribe,
    id: AccountId,
    reason: &str,
) -> Result<(), Error> {
    resolve(tx, scribe, &format!("{ACCOUNT_LOCKED}{id}"), reason).await.map(|_| ())
}

/// Sealing has stopped.
pub(crate) async fn seal_stopped(
    tx: &mut Tx,
    scribe: &Scribe,
    log: Target,
    why: &str,
    cause: EventId,
) -> Result<(), Error> {
    let new = NewAlert {
        message: format!(
            "{why}. Events are still recorded, but none is sealed until the log has been put \
             right. Verify it off-line, and restore it from a backup if it was changed."
        ),
        object: Some(log),
        source: "sealer".to_owned(),
        cause: Some(cause),
        ..NewAlert::new(SEAL_STOPPED, "log_seal_stopped", Severity::Critical, "Sealing has stopped")
    };
    raise(tx, scribe, &new).await.map(|_| ())
}

/// How many pending events were set aside, as long as somebody has to find out who wrote them.
pub(crate) async fn quarantined_waiting(link: &mut Link) -> Result<u64, Error> {
    match table::unresolved(link, QUARANTINED).await? {
        Some(_) => Ok(log::quarantined_count(link).await?),
        None => Ok(0),
    }
}

/// Pending events were set aside.
pub(crate) async fn quarantined(
    tx: &mut Tx,
    scribe: &Scribe,
    count: usize,
    cause: Option<EventId>,
) -> Result<(), Error> {
    let title = "Pending events were not written by this program";
    let new = NewAlert {
        message: "Rows without a valid seal, or copies of events that are recorded already, stood \
                  among the events that wait to be sealed. They were set aside as evidence and \
                  are not in the log. Somebody or something else writes to the database: find out \
                  who, then resolve this alert."
            .to_owned(),
        source: "sealer".to_owned(),
        cause,
        times: u32::try_from(count).unwrap_or(u32::MAX),
        ..NewAlert::new(QUARANTINED, "event_quarantined", Severity::Critical, title)
    };
    raise(tx, scribe, &new).await.map(|_| ())
}

/// A backup has failed.
pub(crate) async fn backup_failed(
    tx: &mut Tx,
    scribe: &Scribe,
    why: &str,
    cause: EventId,
) -> Result<(), Error> {
    let new = NewAlert {
        message: format!(
            "{why}. Until a backup succeeds, what has come in since the last one is in one place \
             only."
        ),
        // It names directories of this machine.
        private: true,
        source: "backup".to_owned(),
        cause: Some(cause),
        ..NewAlert::new(BACKUP_FAILED, "backup_failed", Severity::Error, "A backup failed")
    };
    raise(tx, scribe, &new).await.map(|_| ())
}

/// A backup has succeeded.
pub(crate) async fn backup_made(tx: &mut Tx, scribe: &Scribe) -> Result<(), Error> {
    resolve(tx, scribe, BACKUP_FAILED, "backup_succeeded").await.map(|_| ())
}

/// The data was put back from a copy that lacked `lost` entries of the end of the log; with `None`
/// nobody knows whether it lacked any.
pub(crate) async fn log_lost(
    tx: &mut Tx,
    scribe: &Scribe,
    log: Target,
    from: u64,
    lost: Option<u64>,
) -> Result<(), Error> {
    let goes_on = format!("The log was put back from a copy and goes on after {from} entries");
    let (severity, title, message) = match lost {
        None => (
            Severity::Warning,
            "Whether the end of the log was lost is not known",
            format!(
                "{goes_on}; nobody compared it with what had been published. Ask those who keep \
                 checkpoints of the log, or look at what was sent and exported, whether something \
                 later is known; do again what is missing, then resolve this alert."
            ),
        ),
        Some(lost) => (
            Severity::Error,
            "The end of the log was lost",
            format!(
                "{goes_on}: {} in it no more, and what they told of is as it was before them. Look \
                 for them where they were sent or exported, do again what is missing, then resolve \
                 this alert.",
                match lost {
                    1 => "one published event is".to_owned(),
                    _ => format!("{lost} published events are"),
                }
            ),
        ),
    };
    let new = NewAlert {
        message,
        object: Some(log),
        source: "restore".to_owned(),
        ..NewAlert::new(LOG_LOST, "log_lost", severity, title)
    };
    raise(tx, scribe, &new).await.map(|_| ())
}

/// The store refused writes, and takes them again: before, nobody could write this down.
pub(crate) async fn store_refused(
    tx: &mut Tx,
    scribe: &Scribe,
    since: Timestamp,
    why: &str,
) -> Result<(), Error> {
    let new = NewAlert {
        message: format!(
            "From {since} on the store refused writes: {why}. What was asked for in that time did not \
             happen, and whoever asked got an error. It takes writes again; find out why it did not, \
             then resolve this alert."
        ),
        source: "store".to_owned(),
        ..NewAlert::new(STORE_REFUSED, "store_refused", Severity::Error, "The store refused writes")
    };
    raise(tx, scribe, &new).await.map(|_| ())
}

/// The alert that is open because of an event: the one it raised or counted up, or that of the same
/// end of a certificate. Words that people were told directly are none.
pub(crate) async fn open_of(tx: &mut Tx, event: &Event) -> Result<Option<Alert>, Error> {
    let Some(object) = event.subject() else { return Ok(None) };
    let text = |name: &str| event.detail.get(name).and_then(|value| value.as_str());
    let end = match event.type_name.as_ref() {
        name if ENDS.contains(&name) => Some(expiry_key(&object.id)),
        "authentication_method.expiring" | "authentication_method.expired" => {
            text("method_kind").zip(text("method_id")).map(|(method, id)| method_key(method, id))
        }
        _ => None,
    };
    let fits = |row: &Alert| {
        !matches!(row.kind.as_str(), TOLD | NOTICE)
            && (end.as_deref() == Some(&row.cause_key) || row.last_event == Some(event.id))
    };
    let open = chancery_store::table::alert::open_about(tx, &object.id, OPEN_MAX).await?;
    Ok(open.into_iter().find(fits))
}

/// Whether a key is that of the end of a certificate.
pub(crate) fn is_of_end(key: &str) -> bool {
    key.starts_with("certificate/") && key.ends_with("/expiry")
}

/// Nobody has to look at the end of a certificate any more: resolves the alert about it, and what
/// profiles and steps have told of it by alerts of their own.
pub(crate) async fn end_settled(
    tx: &mut Tx,
    scribe: &Scribe,
    certificate: &str,
    reason: &str,
) -> Result<(), Error> {
    let told = |row: &Alert| {
        matches!(row.kind.as_str(), TOLD | NOTICE)
            && row.cause_key.split(':').any(|part| ENDS.contains(&part))
    };
    for row in chancery_store::table::alert::open_about(tx, certificate, OPEN_MAX).await? {
        if is_of_end(&row.cause_key) || told(&row) {
            resolve(tx, scribe, &row.cause_key, reason).await?;
        }
    }
    Ok(())
}

/// Resolves the open alerts of a kind about an object; true if there were any.
pub(crate) async fn resolve_kind(
    tx: &mut Tx,
    scribe: &Scribe,
    object: &str,
    kind: &str,
    reason: &str,
) -> Result<bool, Error> {
    let mut was = false;
    for row in chancery_store::table::alert::open_about(tx, object, OPEN_MAX).await? {
        if row.kind == kind {
            was |= resolve(tx, scribe, &row.cause_key, reason).await?;
        }
    }
    Ok(was)
}

fn certificate_key(row: &Certificate) -> String {
    format!("certificate_status:certificate/{}", row.id)
}

fn chain_key(issuer_key: &str) -> String {
    format!("{CHAIN_BROKEN}:issuer/{issuer_key}")
}

/// Statuses that come from what stands above a certificate: their cause is one for all
/// certificates of the issuer.
fn is_of_chain(status: &str) -> bool {
    matches!(status, "untrusted" | "incomplete")
}

/// A certificate went from one status to another. Raises where a good status turned bad; the end
/// of validity belongs to the monitors.
pub(crate) async fn certificate_status(
    tx: &mut Tx,
    scribe: &Scribe,
    row: &Certificate,
    person: bool,
    (new_status, why): (&str, &str),
    cause: EventId,
) -> Result<(), Error> {
    if matches!(new_status, "valid" | "expiring" | "expired" | "not_yet_valid") {
        resolve(tx, scribe, &certificate_key(row), "status_good").await?;
    }
    let was_good = matches!(row.status.as_str(), "valid" | "expiring");
    if !was_good || row.archived || row.replaced_by.is_some() {
        return Ok(());
    }
    let new = if is_of_chain(new_status) {
        let what = if new_status == "untrusted" { "their trust" } else { "their chain" };
        let issuer = row.issuer_cn.as_deref().unwrap_or(&row.issuer_dn);
        NewAlert {
            message: format!(
                "{why}. Upload the certificates that are missing above them, or mark a trust \
                 anchor; every certificate is judged again at once."
            ),
            object: Some(candidate::target(row, person)),
            ..NewAlert::new(
                chain_key(&row.issuer_key),
                CHAIN_BROKEN,
                Severity::Warning,
                format!("Certificates issued by {issuer} lost {what}"),
            )
        }
    } else if matches!(new_status, "invalid" | "revoked") {
        let name = row.subject_cn.as_deref().filter(|_| !person).unwrap_or("A certificate");
        NewAlert {
            message: format!("{why}. Replace it where it is in use."),
            object: Some(candidate::target(row, person)),
            ..NewAlert::new(
                certificate_key(row),
                "certificate_status",
                Severity::Error,
                format!("{name} is {new_status}"),
            )
        }
    } else {
        return Ok(());
    };
    let source = "validation".to_owned();
    let new = NewAlert { source, private: person, cause: Some(cause), ..new };
    raise(tx, scribe, &new).await.map(|_| ())
}

/// After certificates of an issuer changed: resolves the alert about their chain if none of them
/// is without any more.
pub(crate) async fn chain_settled(
    tx: &mut Tx,
    scribe: &Scribe,
    issuer_key: &str,
) -> Result<(), Error> {
    let key = chain_key(issuer_key);
    if chancery_store::table::alert::unresolved(tx, &key).await?.is_none() {
        return Ok(());
    }
    if !certificate::any_without_chain(tx, issuer_key).await? {
        resolve(tx, scribe, &key, "chain_complete").await?;
    }
    Ok(())
}

/// Another certificate takes the place of one.
pub(crate) async fn certificate_replaced(
    tx: &mut Tx,
    scribe: &Scribe,
    row: &Certificate,
) -> Result<(), Error> {
    resolve(tx, scribe, &certificate_key(row), "replaced").await.map(|_| ())
}

/// A certificate was archived.
pub(crate) async fn certificate_archived(
    tx: &mut Tx,
    scribe: &Scribe,
    row: &Certificate,
) -> Result<(), Error> {
    resolve(tx, scribe, &certificate_key(row), "certificate_archived").await?;
    chain_settled(tx, scribe, &row.issuer_key).await
}

/// A certificate was deleted: nothing that is said of it alone matters any more.
pub(crate) async fn certificate_deleted(
    tx: &mut Tx,
    scribe: &Scribe,
    row: &Certificate,
) -> Result<(), Error> {
    let id = row.id.to_string();
    let mut goes_on = true;
    while goes_on {
        goes_on = false;
        for alert in chancery_store::table::alert::open_about(tx, &id, OPEN_MAX).await? {
            // That of a chain is about all certificates of the issuer.
            goes_on |= alert.kind != CHAIN_BROKEN
                && resolve(tx, scribe, &alert.cause_key, "certificate_deleted").await?;
        }
    }
    chain_settled(tx, scribe, &row.issuer_key).await
}
