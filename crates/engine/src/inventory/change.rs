//! Changing, archiving and deleting certificates of the inventory.

use std::sync::Arc;

use chancery_event::id::CertificateId;
use chancery_event::types::Change;
use chancery_event::types::certificate as types;
use chancery_event::types::certificate::CertificateSummary;
use chancery_event::{Outcome, Target, TargetKind, Verdict};
use chancery_store::Tx;
use chancery_store::table::certificate::{self, Certificate};
use serde_json::Value;

use super::{PlacementRequest, candidate, placement};
use crate::alert::cause;
use crate::delivery::ready;
use crate::operation::Done;
use crate::scribe::{Draft, Scribe};
use crate::{Context, Engine, Error, Permission};

/// Longest note, in characters.
const NOTE_MAX: usize = 1_000;

/// A certificate within a transaction, with what events say of it.
struct Subject {
    row: Certificate,
    summary: CertificateSummary,
    target: Target,
}

async fn subject(tx: &mut Tx, id: CertificateId) -> Result<Subject, Error> {
    let row = certificate::find(tx, id).await?;
    let row = row.ok_or_else(|| Error::not_found("certificate", id))?;
    let names = certificate::names(tx, id).await?;
    let person = candidate::names_a_person(&row, &names);
    let summary = candidate::whole_summary(tx, &row, person).await?;
    Ok(Subject { summary, target: candidate::target(&row, person), row })
}

fn check_note(note: Option<&String>) -> Result<(), Error> {
    match note {
        Some(note) if note.chars().count() > NOTE_MAX => {
            Err(Error::invalid("note", format!("at most {NOTE_MAX} characters")))
        }
        _ => Ok(()),
    }
}

/// Changes where a certificate belongs; answers the end of the operation `certificate.update`, and
/// whether anything has changed. With `version`, only if the certificate still has it. Either
/// nothing is written, or all of it.
pub(crate) async fn place(
    tx: &mut Tx,
    scribe: &Scribe,
    id: CertificateId,
    version: Option<i64>,
    wish: &PlacementRequest,
) -> Result<(Draft, bool), Error> {
    let Subject { row, summary, target } = subject(tx, id).await?;
    if version.is_some_and(|version| version != row.version) {
        return Err(chancery_store::Error::Conflict("the certificate").into());
    }
    let resolved = placement::resolve(tx, &row, wish).await?;
    let mut changes = placement::changes(tx, &row, &resolved).await?;
    let changed = !changes.is_empty();
    if changed {
        certificate::update_placement(tx, id, row.version, &resolved.placement).await?;
        placement::write(tx, &row, &resolved).await?;
    }
    if row.trust_anchor != resolved.placement.trust_anchor {
        let (now, cause) = (scribe.now(), scribe.cause());
        certificate::make_self_due(tx, id, now, cause).await?;
        certificate::make_due(tx, &row.subject_key, id, now, cause).await?;
    }
    let values = placement::take_values(&mut changes);
    let payload = types::Update { certificate: Some(summary), changes };
    let draft = with_values(Draft::new(&payload)?, values);
    Ok((draft.target(target), changed))
}

/// Values of custom attributes go into the personal part.
pub(crate) fn with_values(mut draft: Draft, values: Vec<Value>) -> Draft {
    if !values.is_empty() {
        draft.personal.insert("changes".to_owned(), values.into());
    }
    draft
}

/// How a change ends that found everything as it is wished.
fn unchanged() -> Outcome {
    Outcome {
        result: Verdict::Skipped,
        reason: Some("unchanged".into()),
        message: Some("nothing had to change".to_owned()),
    }
}

impl Engine {
    /// Changes where a certificate belongs (operation `certificate.update`). With `version`, only
    /// if the certificate still has it.
    ///
    /// # Errors
    /// There is no such certificate, somebody changed it first, or a value names nothing.
    pub async fn update_certificate(
        &self,
        context: &Context,
        id: CertificateId,
        version: Option<i64>,
        wish: PlacementRequest,
    ) -> Result<(), Error> {
        let attempt = types::Update { certificate: None, changes: Vec::new() };
        let operation = self
            .operation(context, Permission::CertificateWrite, &attempt)?
            .about(Target::new(TargetKind::Certificate, id));
        let checked = self.check_move(context, id, &wish).await;
        let (operation, lives) = ready(operation, checked).await?;
        let wish = Arc::new((wish, lives));
        operation
            .run(move |tx, scribe| {
                let wish = wish.clone();
                Box::pin(async move {
                    let (wish, lives) = &*wish;
                    if let Some(lives) = lives
                        && certificate::find(tx, id).await?.is_some_and(|row| row.path != *lives)
                    {
                        // Moved by somebody else since it was looked at.
                        return Err(chancery_store::Error::Conflict("the certificate").into());
                    }
                    let (draft, changed) = place(tx, scribe, id, version, wish).await?;
                    let draft = if changed { draft } else { draft.outcome(unchanged()) };
                    Ok(Done { value: (), draft })
                })
            })
            .await?;
        self.0.status_waiting.notify_one();
        Ok(())
    }

    /// Whether the caller may move a certificate as wished; answers where it lives, where that must
    /// still be so when it is moved.
    async fn check_move(
        &self,
        context: &Context,
        id: CertificateId,
        wish: &PlacementRequest,
    ) -> Result<Option<String>, Error> {
        let Some(path) = &wish.path else { return Ok(None) };
        let to = placement::path(path)?;
        let row = certificate::find(&mut self.link().await?, id).await?;
        let Some(row) = row else { return Ok(None) };
        let limited = self.require_move(context, &row.path, &to).await?;
        Ok(Some(row.path).filter(|_| limited))
    }

    /// Archives a certificate or takes it back (operations `certificate.archive`,
    /// `certificate.restore`).
    ///
    /// # Errors
    /// There is no such certificate, or it is so already.
    pub async fn archive_certificate(
        &self,
        context: &Context,
        id: CertificateId,
        archived: bool,
        note: Option<String>,
    ) -> Result<(), Error> {
        let operation = if archived {
            let attempt =
                types::Archive { certificate: None, changes: Vec::new(), note: note.clone() };
            self.operation(context, Permission::CertificateWrite, &attempt)?
        } else {
            let attempt =
                types::Restore { certificate: None, changes: Vec::new(), note: note.clone() };
            self.operation(context, Permission::CertificateWrite, &attempt)?
        };
        let operation = operation.about(Target::new(TargetKind::Certificate, id));
        if let Err(error) = check_note(note.as_ref()) {
            return Err(operation.fail(error).await);
        }
        operation
            .run(move |tx, scribe| {
                let note = note.clone();
                Box::pin(async move {
                    let Subject { row, summary, target } = subject(tx, id).await?;
                    if !certificate::archive(tx, id, archived).await? {
                        let (reason, message) = if archived {
                            ("already_archived", "the certificate is archived already")
                        } else {
                            ("not_archived", "the certificate is not archived")
                        };
                        return Err(Error::Conflict { reason, message: message.to_owned() });
                    }
                    if archived {
                        cause::certificate_archived(tx, scribe, &row).await?;
                    }
                    let certificate = Some(summary);
                    let changes = vec![Change {
                        member: "archived".to_owned(),
                        before: Some(row.archived.into()),
                        after: Some(archived.into()),
                    }];
                    let draft = if archived {
                        Draft::new(&types::Archive { certificate, changes, note })?
                    } else {
                        Draft::new(&types::Restore { certificate, changes, note })?
                    };
                    Ok(Done { value: (), draft: draft.target(target) })
                })
            })
            .await
    }

    /// Deletes a certificate for good (operation `certificate.delete`); its events remain.
    ///
    /// # Errors
    /// There is no such certificate.
    pub async fn delete_certificate(
        &self,
        context: &Context,
        id: CertificateId,
        note: Option<String>,
    ) -> Result<(), Error> {
        let attempt = types::Delete { certificate: None, changes: Vec::new(), note: note.clone() };
        let operation = self
            .operation(context, Permission::CertificateDelete, &attempt)?
            .about(Target::new(TargetKind::Certificate, id));
        if let Err(error) = check_note(note.as_ref()) {
            return Err(operation.fail(error).await);
        }
        operation
            .run(move |tx, scribe| {
                let note = note.clone();
                let now = scribe.now();
                Box::pin(async move {
                    let Subject { row, summary, target } = subject(tx, id).await?;
                    if row.is_ca {
                        let cause = scribe.cause();
                        certificate::make_due(tx, &row.subject_key, id, now, cause).await?;
                    }
                    let mut changes = placement::held(tx, &row).await?;
                    let values = placement::take_values(&mut changes);
                    certificate::delete(tx, id).await?;
                    cause::certificate_deleted(tx, scribe, &row).await?;
                    let payload = types::Delete { certificate: Some(summary), changes, note };
                    let draft = with_values(Draft::new(&payload)?, values);
                    Ok(Done { value: (), draft: draft.target(target) })
                })
            })
            .await?;
        self.0.status_waiting.notify_one();
        Ok(())
    }
}
