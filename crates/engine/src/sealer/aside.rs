//! What is set aside instead of being sealed: what somebody else wrote, and what is there already.

use std::collections::HashSet;
use std::sync::Arc;

use aws_lc_rs::digest;
use chancery_event::types;
use chancery_event::{Outcome, Target, TargetKind};
use chancery_store::Tx;
use chancery_store::log::{self, Indexed, Quarantine, QuarantineReason};

use super::stop::Trouble;
use super::{BATCH_MAX, Sealer};
use crate::Error;
use crate::alert::cause;
use crate::scribe::Draft;
use crate::tenure::Standing;

impl Sealer {
    /// Sets aside what the log has already, or what waits twice; answers how many, or why nothing
    /// could be sealed if that is not it. The log refuses a second event of one identifier, so
    /// nobody has to look for them before.
    pub(super) async fn set_aside_known(
        &self,
        size: u64,
        trouble: Trouble,
        standing: &Standing,
    ) -> Result<usize, Trouble> {
        let mut link = self.store.read().await?;
        let sound = self.check(log::pending(&mut link, BATCH_MAX).await?, size)?.events;
        let ids: Vec<String> = sound.iter().map(|sound| sound.row.event_id().into()).collect();
        let mut known = log::sealed_ids(&mut link, &ids).await?;
        drop(link);
        let bad: Vec<_> = sound
            .into_iter()
            .zip(ids)
            .filter_map(|(sound, id)| (!known.insert(id)).then_some(sound.row))
            .map(|row| Quarantine { row, reason: QuarantineReason::Duplicate })
            .collect();
        if bad.is_empty() {
            return Err(trouble);
        }
        let count = bad.len();
        self.set_aside(bad, standing).await?;
        Ok(count)
    }

    /// Sets rows aside and records that it happened, in one transaction.
    pub(super) async fn set_aside(
        &self,
        bad: Vec<Quarantine>,
        standing: &Standing,
    ) -> Result<(), Error> {
        let scribe = self.scribe();
        let work = Arc::new((bad, scribe, standing.clone()));
        let rows = self
            .store
            .transaction("seal.quarantine", move |tx: &mut Tx| {
                let work = work.clone();
                Box::pin(async move {
                    let (bad, scribe, standing) = &*work;
                    standing.keep(tx).await?;
                    log::quarantine(tx, bad, scribe.now()).await?;
                    let mut event = None;
                    for quarantined in bad {
                        event = Some(scribe.record(tx, alarm(quarantined)?)?);
                    }
                    cause::quarantined(tx, scribe, bad.len(), event).await?;
                    Ok::<_, Error>(log::quarantined_count(tx).await?)
                })
            })
            .await?;
        self.health.sets_aside(rows);
        Ok(())
    }

    /// Whether an event was removed from the database, or, where the log is in parts and none of
    /// them knows the identifiers of the others, waits twice or is in the log.
    pub(super) async fn repeats(&self, events: &[Indexed]) -> Result<bool, Error> {
        let mut link = self.store.read().await?;
        let ids: Vec<_> = events.iter().map(|indexed| indexed.event.id).collect();
        if log::any_removed(&mut link, &ids).await? {
            return Ok(true);
        }
        if !self.store.is_shared() {
            return Ok(false);
        }
        let mut seen = HashSet::with_capacity(ids.len());
        if !ids.iter().all(|id| seen.insert(*id)) {
            return Ok(true);
        }
        Ok(log::any_sealed(&mut link, &ids).await?)
    }
}

fn alarm(quarantined: &Quarantine) -> Result<Draft, Error> {
    let Quarantine { row, reason } = quarantined;
    let event_id = row.event_id().parse().ok();
    let seq = u64::try_from(row.seq).unwrap_or(0);
    let digest = digest::digest(&digest::SHA256, row.entry());
    let bytes_sha256 = Some(crate::inventory::hex(digest.as_ref()));
    let draft = match reason {
        QuarantineReason::Unsealed => {
            Draft::new(&types::log::UnsealedPending { event_id, row: seq, bytes_sha256 })?
        }
        QuarantineReason::InvalidSeal
        | QuarantineReason::Unreadable
        | QuarantineReason::Duplicate => {
            Draft::new(&types::log::InvalidPendingSeal { event_id, row: seq, bytes_sha256 })?
        }
    };
    let name: String = row.event_id().chars().take(100).collect();
    let what = match reason {
        QuarantineReason::Duplicate => "an event with this identifier was recorded before",
        _ => "a pending event was not written by this program",
    };
    let outcome = Outcome::failure(reason.as_str(), what);
    Ok(draft.outcome(outcome).target(Target::new(TargetKind::Event, name)))
}
