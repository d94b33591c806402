//! The vocabulary of [`sentence`](super::sentence): templates by type, verbs by their last word.

use super::operations::OPERATIONS;

/// How an operation reads.
#[derive(Clone, Copy)]
pub(super) struct Phrase {
    /// Templates for when it was done, the fullest first.
    pub(super) done: &'static [&'static str],
    /// Templates for the thing itself, to go before “failed”, the fullest first.
    pub(super) noun: &'static [&'static str],
}

/// Whether the member `name` holds a stable word, whose underscores are spaces to people.
pub(super) fn is_word(name: &str) -> bool {
    matches!(
        name,
        "alert_kind"
            | "class"
            | "ended_by"
            | "ground"
            | "limited"
            | "new_status"
            | "old_status"
            | "resolved_because"
            | "state"
            | "status"
            | "stopped_by"
            | "woken_by"
            | "workflow"
    )
}

/// Past tense and noun of the last part of an operation's name.
pub(super) fn verb(word: &str) -> Option<(&'static str, &'static str)> {
    Some(match word {
        "activate" => ("put into force", "Activation"),
        "add" => ("added", "Addition"),
        "approve" => ("approved", "Approval"),
        "archive" => ("archived", "Archiving"),
        "cancel" => ("cancelled", "Cancelling"),
        "connect" => ("connected to", "Connection"),
        "create" => ("created", "Creation"),
        "deactivate" => ("gave up", "Deactivation"),
        "delete" => ("deleted", "Deletion"),
        "deny" => ("refused", "Refusal"),
        "download" => ("fetched", "Download"),
        "enroll" => ("asked for", "Enrolment"),
        "escrow" => ("put in escrow the key of", "Key escrow"),
        "export" => ("exported", "Export"),
        "finalize" => ("completed", "Completion"),
        "generate" => ("generated", "Generation"),
        "grade" => ("graded", "Grading"),
        "hold" => ("put on hold", "Hold"),
        "import" => ("imported", "Import"),
        "issue" => ("issued", "Issue"),
        "migrate" => ("took under management", "Migration"),
        "produce" => ("produced", "Production"),
        "recover" => ("recovered the key of", "Key recovery"),
        "refresh" => ("refreshed", "Refresh"),
        "register" => ("registered", "Registration"),
        "rekey" => ("renewed with a new key", "Rekeying"),
        "renew" => ("renewed", "Renewal"),
        "request" => ("asked to verify", "Verification request"),
        "restore" => ("restored", "Restoring"),
        "retry" => ("put back in the queue", "Retry"),
        "revoke" => ("revoked", "Revocation"),
        "rotate" => ("rotated", "Rotation"),
        "start" => ("started", "Start"),
        "stop" => ("stopped", "Stop"),
        "submit" => ("submitted", "Submission"),
        "suspend" => ("suspended", "Suspension"),
        "switch" => ("handed over", "Handing over"),
        "sync" => ("synchronised", "Synchronisation"),
        "test" => ("tried out", "Trial"),
        "unlock" => ("unlocked", "Unlocking"),
        "update" => ("changed", "Change"),
        "upload" => ("uploaded", "Upload"),
        "validate" => ("validated", "Validation"),
        "verify" => ("verified", "Verification"),
        _ => return None,
    })
}

/// The phrase of an operation whose name alone does not read well.
pub(super) fn operations(type_name: &str) -> Option<Phrase> {
    let (_, done, noun) = OPERATIONS.iter().find(|(name, ..)| *name == type_name)?;
    Some(Phrase { done, noun })
}

/// Templates of an occurrence, the fullest first.
pub(super) fn occurrences(type_name: &str) -> &'static [&'static str] {
    OCCURRENCES.iter().find(|(name, _)| *name == type_name).map_or(&[], |(_, templates)| templates)
}

/// Alternatives of a sentence, the fullest first.
pub(super) type Templates = &'static [&'static str];

/// Type, how it reads.
const OCCURRENCES: &[(&str, Templates)] = &[
    ("access.denied", &["{actor} was refused {method} {route} ({refused:time|times})"]),
    ("account.locked", &["{object} was locked after {failed_attempts:failed login|failed logins}"]),
    ("alert.escalated", &["an alert went from {old_severity} to {new_severity}: {alert_kind}"]),
    ("alert.raised", &["an alert was raised: {title}"]),
    ("alert.resolved", &["an alert was resolved by itself: {resolved_because}"]),
    ("alert.woken", &["a snoozed alert is back: {woken_by}"]),
    ("approval.closed", &["an approval to {action} ended: {status}"]),
    ("approval.requested", &["an approval to {action} waits for a decision"]),
    ("authentication_method.expired", &["{object} has expired"]),
    ("authentication_method.expiring", &["{object} expires on {expires_at}"]),
    ("authority.expiring", &["the authority {subject_dn} expires on {not_after}"]),
    ("certificate.action_performed", &["an action on {object} has ended: {action}"]),
    (
        "certificate.discovered",
        &["{object} was discovered at {location}", "{object} was discovered by {discovery_name}"],
    ),
    ("certificate.expired", &["{object} expired on {not_after}"]),
    ("certificate.expiring", &["{object} expires in {days_left:day|days}"]),
    ("certificate.grading_started", &["the grading of {object} has begun"]),
    ("canary.arrived", &["the canary's message arrives through {channel} again"]),
    (
        "canary.missed",
        &["the canary's message did not arrive through {channel} within {waited_s} s: {because}"],
    ),
    ("certificate.issuance_started", &["the issue of a certificate has begun"]),
    ("certificate.renewal_started", &["the renewal of {object} has begun"]),
    (
        "certificate.replaced",
        &["{object} is replaced by another that lasts until {successor_not_after}"],
    ),
    (
        "certificate.reported_expiring",
        &["a client reported a certificate that expires on {not_after}"],
    ),
    ("certificate.revocation_started", &["the revocation of {object} has begun"]),
    ("certificate.status_changed", &["{object} went from {old_status} to {new_status}"]),
    ("certificate.uploaded", &["{object} has entered the inventory"]),
    ("client.count_reached", &["the number of clients has reached {limit}"]),
    (
        "client.rate_limited",
        &["a client was refused: more than {limit:request|requests} for {limited} in {window_s} s"],
    ),
    (
        "datasource.ignored",
        &["a data source was passed over because its inputs were empty: {empty_inputs}"],
    ),
    (
        "delivery.exhausted",
        &["deliveries to {destination} were given up after attempts over days: {deliveries}"],
    ),
    (
        "delivery.failing",
        &[
            "deliveries to {destination} fail: {failure} ({http_status})",
            "deliveries to {destination} fail: {failure}",
        ],
    ),
    (
        "delivery.recovered",
        &[
            "deliveries to {destination} get through again after {failures:failed attempt|failed attempts}",
        ],
    ),
    ("deployment.started", &["the deployment of {object} has begun"]),
    ("destination.disabled", &["the destination {destination} was switched off: {because}"]),
    (
        "discovery.finished",
        &["the discovery {discovery_name} ended: {status}, {added} new of {found} certificates"],
    ),
    ("discovery.started", &["the discovery {discovery_name} has begun"]),
    ("event.invalid_pending_seal", &["a pending event whose seal does not fit was set aside"]),
    ("event.unsealed_pending", &["a pending event without a seal was set aside"]),
    ("forwarder.caught_up", &["the forwarder {destination} has caught up with the log"]),
    ("forwarder.lagging", &["the forwarder {destination} is {lag_s} s behind the log"]),
    (
        "gateway.certificate_expired",
        &["the certificate {entry_name} of {object} expired on {not_after}"],
    ),
    (
        "gateway.certificate_expiring",
        &["the certificate {entry_name} of {object} expires on {not_after}"],
    ),
    ("gateway.inactive", &["{object} no longer reports"]),
    ("job.finished", &["the job {job_kind} ended after {attempts:attempt|attempts}: {state}"]),
    ("job.queued", &["the job {job_kind} waits for its turn"]),
    ("job.started", &["the job {job_kind} has begun"]),
    ("license.limit_reached", &["the licensed number of {counted} is reached: {limit}"]),
    ("log.seal_stopped", &["sealing has stopped: {stopped_by}"]),
    ("node.returned", &["the node on {host} is back after {away_s:second|seconds}"]),
    ("node.vanished", &["the node on {host} has vanished"]),
    (
        "notification.escalated",
        &["nobody acknowledged {object} in time: level {level} of {profile} was told"],
    ),
    ("recipient.refused", &["the mail server of {destination} refuses a recipient"]),
    ("request.expired", &["{object} has expired"]),
    ("schedule.finished", &["the task of the schedule {schedule_name} ended: {state}"]),
    ("secret.rotation_due", &["{object} will be rotated on {due_at}"]),
    ("secret.unrotated", &["{object} has not been rotated for {interval_days:day|days}"]),
    ("secret.unused", &["{object} has not been used for {interval_days:day|days}"]),
    ("intake.received", &["{source} told of {code}"]),
    ("intake.refused", &["what {source} sent could not be read"]),
    ("session.end", &["the session of {actor} ended: {ended_by}"]),
    (
        "trigger.stopped",
        &[
            "triggers did not act on {event_type}: {event_depth:cause stands|causes stand} behind it",
        ],
    ),
];
