//! The alerts that monitors raise and resolve, by the key of their cause.

use chancery_event::{Severity, Target};
use chancery_store::Tx;
use chancery_store::table::{alert as table, monitor as watch};

use crate::Error;
use crate::alert::{self, NewAlert, cause};
use crate::scribe::Scribe;

/// Why alerts of a monitor that was deleted are resolved.
const GONE: &str = "monitor_deleted";
/// Objects read at a time.
const FORGOTTEN_MAX: usize = 500;

/// What an alert says.
pub(crate) struct Alarm {
    pub(crate) key: String,
    pub(crate) kind: &'static str,
    pub(crate) severity: Severity,
    pub(crate) title: String,
    pub(crate) message: String,
    pub(crate) object: Option<Target>,
}

/// Raises an alert, or counts up the one that is open for its cause.
pub(crate) async fn raise(
    tx: &mut Tx,
    scribe: &Scribe,
    monitor: &str,
    alarm: Alarm,
) -> Result<(), Error> {
    alert::raise(tx, scribe, &made(monitor, alarm)).await.map(|_| ())
}

/// The same for many, each of another cause.
pub(crate) async fn raise_all(
    tx: &mut Tx,
    scribe: &Scribe,
    monitor: &str,
    alarms: Vec<Alarm>,
) -> Result<(), Error> {
    let new: Vec<_> = alarms.into_iter().map(|alarm| made(monitor, alarm)).collect();
    alert::raise_all(tx, scribe, &new).await
}

/// The alert that an alarm of a monitor becomes.
pub(crate) fn made(monitor: &str, alarm: Alarm) -> NewAlert {
    let mut new = NewAlert::new(alarm.key, alarm.kind, alarm.severity, alarm.title);
    new.message = alarm.message;
    new.object = alarm.object;
    new.source = format!("monitor/{monitor}");
    new
}

/// A certificate has fallen silent for a monitor: its alert goes, unless another monitor has
/// reported it and holds on to that.
pub(crate) async fn silent(
    tx: &mut Tx,
    scribe: &Scribe,
    monitor: &str,
    certificate: &str,
    reason: &str,
) -> Result<(), Error> {
    let ids = [certificate.to_owned()];
    if watch::fired_elsewhere(tx, monitor, &ids).await?.is_empty() {
        cause::end_settled(tx, scribe, certificate, reason).await?;
    }
    Ok(())
}

/// A monitor is gone, and with it what only it has reported.
pub(crate) async fn forget(tx: &mut Tx, scribe: &Scribe, monitor: &str) -> Result<(), Error> {
    let mut after = String::new();
    loop {
        let fired = watch::fired(tx, monitor, &after, FORGOTTEN_MAX).await?;
        let Some(last) = fired.last() else { break };
        after.clone_from(last);
        let elsewhere = watch::fired_elsewhere(tx, monitor, &fired).await?;
        for id in fired.iter().filter(|id| !elsewhere.contains(*id)) {
            cause::end_settled(tx, scribe, id, GONE).await?;
        }
    }
    // Those that are about no certificate: limits, jobs, the program itself.
    for key in table::unresolved_from(tx, &format!("monitor/{monitor}")).await? {
        if !cause::is_of_end(&key) {
            alert::resolve(tx, scribe, &key, GONE).await?;
        }
    }
    Ok(())
}

/// Resolves the alert of a cause that is gone.
pub(crate) async fn resolve(
    tx: &mut Tx,
    scribe: &Scribe,
    key: &str,
    reason: &str,
) -> Result<(), Error> {
    alert::resolve(tx, scribe, key, reason).await.map(|_| ())
}
