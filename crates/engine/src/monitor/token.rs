//! A look at what people and programs sign in with: API tokens, accounts and passwords near or past
//! their end, tokens and accounts that are unused for long.

use std::collections::HashMap;

use chancery_event::types::{account, secret};
use chancery_event::{Severity, Target, TargetKind, Timestamp};
use chancery_store::table::monitor::{self as table, Span, Watch, Watched, WatchedToken};
use chancery_store::{Link, Tx};

use super::active::{Active, was_silent};
use super::alarm::{self, Alarm};
use super::definition::Kind;
use super::tally::Tally;
use super::threshold::{Crossed, Threshold};
use crate::Error;
use crate::alert::cause::method_key;
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
    let watched = active.definition.kind.watched().unwrap_or(Watched::Tokens);
    let spans = watched.spans(tx, &ids).await?;
    let credentials = credentials(tx, active.definition.kind, &ids, &spans).await?;
    let (mut keep, mut gone) = (Vec::new(), Vec::new());
    for mut watch in batch {
        tally.evaluated += 1;
        let span = spans.iter().find(|span| span.object == watch.object);
        let (Some(span), Some(token)) = (span, credentials.get(&watch.object)) else {
            tally.skip("gone");
            settle(tx, scribe, active, &watch.object, None, now).await?;
            gone.push(watch.object);
            continue;
        };
        watch.looked_at = Some(now);
        if let Some(reason) = silence(active.definition.kind, token, now) {
            tally.skip(reason);
            reason.clone_into(&mut watch.verdict);
            // Moving the end records an event, which makes it due again.
            watch.due_at = table::NEVER;
            keep.push(watch);
            continue;
        }
        if was_silent(&watch) {
            watch.verdict.clear();
        }
        let course = active.course(span.start, span.end);
        match course.crossed(watch.handled, now) {
            None => tally.skip("not_due"),
            Some(crossed) => {
                let draft = draft(active, span, token, &crossed, now)?;
                scribe.record(tx, draft)?;
                if !active.definition.kind.looks_back() {
                    let alarm = alarm_of(active.definition.kind, span, now);
                    alarm::raise(tx, scribe, &active.name, alarm).await?;
                }
                "fired".clone_into(&mut watch.verdict);
                watch.handled = crossed.handled;
                tally.fired += 1;
            }
        }
        watch.due_at = active.next_look(span, watch.handled, now);
        keep.push(watch);
    }
    table::put(tx, &active.name, &keep).await?;
    table::remove(tx, &active.name, &gone).await?;
    Ok(())
}

/// Why something that is unused or unchanged is not told: what has ended cannot be used.
pub(super) fn silence(kind: Kind, of: &WatchedToken, at: Timestamp) -> Option<&'static str> {
    let ended = of.ends_at.is_some_and(|end| end <= at);
    (kind.looks_back() && ended).then_some("past_end")
}

/// Resolves the alert of something that has no end near any more: it was renewed, or it is gone.
pub(super) async fn settle(
    tx: &mut Tx,
    scribe: &Scribe,
    active: &Active,
    object: &str,
    span: Option<&Span>,
    now: Timestamp,
) -> Result<(), Error> {
    let kind = active.definition.kind;
    let is_near =
        |span: &Span| active.course(span.start, span.end).crossed(Timestamp::FIRST, now).is_some();
    if kind.looks_back() || span.is_some_and(is_near) {
        return Ok(());
    }
    let reason = if span.is_some() { "renewed" } else { "gone" };
    alarm::resolve(tx, scribe, &method_key(kind.method(), object), reason).await
}

/// The alert about an end. It names nobody.
pub(super) fn alarm_of(kind: Kind, span: &Span, now: Timestamp) -> Alarm {
    let end = span.end.to_string();
    let day = end.get(..10).unwrap_or(&end);
    let left = span.end.since(now);
    let (of, message) = match kind.method() {
        "token" => (
            TargetKind::Token,
            "Whatever signs in with it will be refused. Make a new one, put it where this one is \
             used, and revoke this one.",
        ),
        "password" => (
            TargetKind::Account,
            "Whoever uses the account has to choose a new password by then; until they have, they \
             can do nothing else.",
        ),
        _ => (
            TargetKind::Account,
            "The account cannot be used from then on. Move its end, or delete it when nobody needs \
             it.",
        ),
    };
    let title = match (kind.method(), left > 0) {
        ("token", true) => format!("An API token expires on {day}"),
        ("token", false) => format!("An API token expired on {day}"),
        ("password", true) => format!("A password has to be changed by {day}"),
        ("password", false) => format!("A password had to be changed by {day}"),
        (_, true) => format!("An account ends on {day}"),
        (_, false) => format!("An account ended on {day}"),
    };
    let pressing = left <= 7 * Timestamp::DAY;
    Alarm {
        key: method_key(kind.method(), &span.object),
        kind: if left > 0 { "expiring_soon" } else { "expired" },
        severity: if pressing { Severity::Error } else { Severity::Warning },
        title,
        message: message.to_owned(),
        object: Some(Target::new(of, &span.object)),
    }
}

/// What a monitor of this kind has to know of its objects besides their spans.
pub(super) async fn credentials(
    link: &mut Link,
    kind: Kind,
    ids: &[String],
    spans: &[Span],
) -> Result<HashMap<String, WatchedToken>, Error> {
    if kind.method() == "token" {
        return Ok(table::tokens(link, ids).await?);
    }
    let ends = match kind.looks_back() {
        true => table::account_ends(link, ids).await?,
        false => HashMap::new(),
    };
    let of = |span: &Span| {
        let account = span.object.parse().ok()?;
        // Never used: its span ends where it begins.
        let used_at = (kind == Kind::AccountUnused && span.end != span.start).then_some(span.end);
        let ends_at = ends.get(&span.object).copied();
        Some((span.object.clone(), WatchedToken { account, used_at, ends_at }))
    };
    Ok(spans.iter().filter_map(of).collect())
}

/// The event about a token, an account or a password.
pub(super) fn draft(
    active: &Active,
    span: &Span,
    token: &WatchedToken,
    crossed: &Crossed,
    now: Timestamp,
) -> Result<Draft, Error> {
    let threshold = |position: usize| active.definition.thresholds.get(position);
    let text = |position: usize| threshold(position).map(ToString::to_string).unwrap_or_default();
    let method = active.definition.kind.method();
    let kind = method.into();
    let (id, account_id) = (span.object.clone(), Some(token.account));
    let days = threshold(crossed.threshold).and_then(Threshold::days_after);
    let draft = if active.definition.kind.is_about_use() {
        Draft::new(&secret::Unused {
            secret_id: id,
            secret_kind: kind,
            last_used_at: token.used_at,
            interval_days: days.unwrap_or(0),
        })?
    } else if active.definition.kind.is_about_age() {
        Draft::new(&secret::Unrotated {
            secret_id: id,
            secret_kind: kind,
            last_rotated_at: Some(span.start),
            interval_days: days.unwrap_or(0),
        })?
    } else if now < span.end {
        Draft::new(&account::MethodExpiring {
            method_id: id,
            method_kind: kind,
            account_id,
            expires_at: span.end,
            threshold: text(crossed.threshold),
            threshold_s: span.end.since(crossed.instant) / Timestamp::SECOND,
            passed: crossed.passed.iter().map(|position| text(*position)).collect(),
        })?
    } else {
        Draft::new(&account::MethodExpired {
            method_id: id,
            method_kind: kind,
            account_id,
            expires_at: span.end,
        })?
    };
    let draft = match method {
        "token" => draft.target(Target::new(TargetKind::Token, &span.object)),
        _ => draft,
    };
    Ok(draft.target(Target::new(TargetKind::Account, token.account)))
}
