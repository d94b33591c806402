//! A look at certificates that are due: reported, silent with a reason, or not due any more. One
//! transaction for a batch: the events, the alerts and the marks stand or fall together.

use std::collections::HashMap;

use chancery_event::types::{authority, lifecycle};
use chancery_event::{Outcome, Severity, Target, TargetKind, Timestamp};
use chancery_store::Tx;
use chancery_store::table::monitor::{self as table, Watch};

use super::active::{Active, Silence, Subject, subjects, was_silent};
use super::alarm::{self, Alarm};
use super::definition::Kind;
use super::tally::Tally;
use super::threshold::Crossed;
use crate::Error;
use crate::alert::cause::expiry_key;
use crate::scribe::{Draft, Scribe};

/// Looks at a batch.
pub(super) async fn look(
    tx: &mut Tx,
    scribe: &Scribe,
    active: &Active,
    batch: Vec<Watch>,
    now: Timestamp,
    tally: &mut Tally,
) -> Result<(), Error> {
    let ids: Vec<_> = batch.iter().map(|watch| watch.object.clone()).collect();
    let found = subjects(tx, &ids).await?;
    let silences = active.silences(tx, &found, now).await?;
    let (mut keep, mut gone) = (Vec::with_capacity(batch.len()), Vec::new());
    let mut alarms = Vec::new();
    for mut watch in batch {
        tally.evaluated += 1;
        let Some(subject) = found.get(&watch.object) else {
            tally.skip("gone");
            gone.push(watch.object);
            continue;
        };
        let course = active.course(subject.row.not_before, subject.row.not_after);
        watch.looked_at = Some(now);
        if let Some(silence) = silences.get(&watch.object) {
            hush(tx, scribe, &active.name, &mut watch, silence).await?;
            // What is silent has not been reported: if it must speak again, it does so at once.
            let held_back = course.crossed(watch.handled, now).is_some();
            let again = active.looks_again(silence, now).filter(|_| held_back);
            let next = course.next_after(now).into_iter().chain(again).min();
            watch.due_at = next.unwrap_or(table::NEVER);
            tally.skip(silence.reason);
        } else if let Some(crossed) = course.crossed(watch.handled, now) {
            scribe.record(tx, draft(active, subject, &crossed, now)?)?;
            alarms.push(alarm_of(subject, now));
            "fired".clone_into(&mut watch.verdict);
            watch.held_by = None;
            watch.handled = crossed.handled;
            watch.due_at = course.next_after(crossed.handled).unwrap_or(table::NEVER);
            tally.fired += 1;
        } else {
            let reported = course.crossed(Timestamp::FIRST, watch.handled.min(now));
            if was_silent(&watch) && reported.is_some() {
                // Its thresholds have fired before it fell silent: no event, but the alert is back.
                alarms.push(alarm_of(subject, now));
                "fired".clone_into(&mut watch.verdict);
            } else if was_silent(&watch) {
                watch.verdict.clear();
            }
            watch.held_by = None;
            watch.due_at = course.next_after(watch.handled).unwrap_or(table::NEVER);
            tally.skip("not_due");
        }
        keep.push(watch);
    }
    alarm::raise_all(tx, scribe, &active.name, alarms).await?;
    table::put(tx, &active.name, &keep).await?;
    table::remove(tx, &active.name, &gone).await?;
    Ok(())
}

/// Looks whether certificates that were reported have fallen silent, between two runs.
pub(super) async fn settle(
    tx: &mut Tx,
    scribe: &Scribe,
    active: &Active,
    watches: &mut HashMap<String, Watch>,
    now: Timestamp,
) -> Result<(), Error> {
    let fired = watches.values().filter(|watch| watch.verdict == "fired");
    let ids: Vec<_> = fired.map(|watch| watch.object.clone()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let found = subjects(tx, &ids).await?;
    let silences = active.silences(tx, &found, now).await?;
    for (id, silence) in &silences {
        if let Some(watch) = watches.get_mut(id) {
            hush(tx, scribe, &active.name, watch, silence).await?;
        }
    }
    Ok(())
}

/// Notes that a certificate is silent, and resolves its alert.
async fn hush(
    tx: &mut Tx,
    scribe: &Scribe,
    monitor: &str,
    watch: &mut Watch,
    silence: &Silence,
) -> Result<(), Error> {
    if watch.verdict == "fired" {
        alarm::silent(tx, scribe, monitor, &watch.object, silence.reason).await?;
    }
    silence.reason.clone_into(&mut watch.verdict);
    watch.held_by.clone_from(&silence.held_by);
    Ok(())
}

fn days(micros: i64) -> i32 {
    i32::try_from(micros.div_euclid(Timestamp::DAY)).unwrap_or(i32::MAX)
}

/// The event of a threshold that was crossed, as a run at `now` records it.
pub(super) fn draft(
    active: &Active,
    subject: &Subject,
    crossed: &Crossed,
    now: Timestamp,
) -> Result<Draft, Error> {
    if active.definition.kind == Kind::AuthorityExpiry {
        return authority(active, subject, crossed, now);
    }
    let (certificate, target) = subject.told();
    let row = &subject.row;
    let (threshold, passed) = spelled(active, crossed);
    let monitor = active.name.clone();
    let left = row.not_after.since(now);
    let draft = if left > 0 {
        Draft::new(&lifecycle::Expiring {
            certificate,
            monitor,
            monitor_version: active.version,
            threshold,
            threshold_s: row.not_after.since(crossed.instant) / Timestamp::SECOND,
            passed,
            repeated: crossed.repeated,
            days_left: days(left),
        })?
    } else {
        Draft::new(&lifecycle::Expired {
            certificate,
            monitor,
            monitor_version: active.version,
            threshold,
            passed,
            repeated: crossed.repeated,
            successor_id: row.replaced_by,
            days_since: days(-left),
        })?
    };
    Ok(draft.target(target))
}

/// The alert of a certificate that ends: one, also where it is watched as that of an authority too.
pub(super) fn alarm_of(subject: &Subject, now: Timestamp) -> Alarm {
    let (_, target) = subject.told();
    let row = &subject.row;
    let left = row.not_after.since(now);
    // A week, or a tenth of its life: nobody may be waiting for the automation any more.
    let life = row.not_after.since(row.not_before);
    let pressing = left <= (7 * Timestamp::DAY).min(life / 10);
    let severity = if pressing { Severity::Error } else { Severity::Warning };
    let kind = if left > 0 { "expiring_soon" } else { "expired" };
    let name = target.name.clone().unwrap_or_else(|| "A certificate of a person".to_owned());
    // The day, not how far away it is: the title stays while time passes.
    let end = row.not_after.to_string();
    let day = end.get(..10).unwrap_or(&end);
    let title = match left > 0 {
        true => format!("{name} expires on {day}"),
        false => format!("{name} expired on {day}"),
    };
    let message = "Nothing in the inventory takes its place. Renew it and upload the successor; \
                   the alert resolves itself when that is known."
        .to_owned();
    let key = expiry_key(&row.id.to_string());
    Alarm { key, kind, severity, title, message, object: Some(target) }
}

/// The authority that a certificate is for, as far as the inventory knows it.
fn authority(
    active: &Active,
    subject: &Subject,
    crossed: &Crossed,
    now: Timestamp,
) -> Result<Draft, Error> {
    let (_, certificate) = subject.told();
    let row = &subject.row;
    let (threshold, passed) = spelled(active, crossed);
    let months = active.definition.thresholds.get(crossed.threshold).and_then(|t| t.months());
    let payload = authority::Expiring {
        authority_id: None,
        certificate_id: row.id,
        subject_dn: row.subject_dn.clone(),
        not_after: row.not_after,
        threshold,
        threshold_months: months,
        passed,
        monitor: active.name.clone(),
        monitor_version: active.version,
    };
    let reason = match months {
        _ if now >= row.not_after => "EXPIRED".to_owned(),
        Some(1) => "EXPIRING_1_MONTH".to_owned(),
        Some(months) => format!("EXPIRING_{months}_MONTHS"),
        None => "EXPIRING".to_owned(),
    };
    let outcome = Outcome { reason: Some(reason.into()), ..Outcome::success() };
    let target = Target {
        kind: TargetKind::Authority,
        id: row.id.to_string(),
        name: certificate.name.clone(),
    };
    Ok(Draft::new(&payload)?.outcome(outcome).target(target).target(certificate))
}

fn spelled(active: &Active, crossed: &Crossed) -> (String, Vec<String>) {
    let text = |position: &usize| {
        active.definition.thresholds.get(*position).map(ToString::to_string).unwrap_or_default()
    };
    (text(&crossed.threshold), crossed.passed.iter().map(text).collect())
}
