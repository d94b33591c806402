//! The event of a try that begins (`job.started`): in the transaction that leases the job.

use chancery_event::types::job as types;
use chancery_store::Tx;
use chancery_store::table::job::Job;

use super::{context_of, target};
use crate::scribe::Draft;
use crate::{Context, Engine, Error};

/// Records that a try begins, on behalf of whoever asked for the job. A job whose tries are used up
/// is leased to be ended, not to be tried.
pub(super) fn record(tx: &mut Tx, engine: &Engine, job: &Job) -> Result<(), Error> {
    if job.attempts > job.attempts_max {
        return Ok(());
    }
    let context = context_of(job).unwrap_or_else(|| Context::system(engine.environment()));
    let payload = types::Started {
        job_id: job.id,
        job_kind: job.kind.clone().into(),
        attempt: u32::try_from(job.attempts).unwrap_or(0),
    };
    engine.scribe(&context).record(tx, Draft::new(&payload)?.target(target(job)))?;
    Ok(())
}
