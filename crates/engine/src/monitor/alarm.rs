//! The alerts that monitors raise and resolve, by the key of their cause.

use chancery_event::{Severity, Target};
use chancery_store::Tx;

use crate::Error;
use crate::alert::{self, NewAlert};
use crate::scribe::Scribe;

/// The cause of an alert that a certificate ends.
pub(crate) fn expiry_key(certificate: &str) -> String {
    format!("certificate/{certificate}/expiry")
}

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

fn made(monitor: &str, alarm: Alarm) -> NewAlert {
    let mut new = NewAlert::new(alarm.key, alarm.kind, alarm.severity, alarm.title);
    new.message = alarm.message;
    new.object = alarm.object;
    new.source = format!("monitor/{monitor}");
    new
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
