//! The vocabulary of [`sentence`](super::sentence): templates by type, verbs by their last word.

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
        "class"
            | "ended_by"
            | "ground"
            | "limited"
            | "new_status"
            | "old_status"
            | "state"
            | "status"
            | "stopped_by"
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

type Templates = &'static [&'static str];

/// Type, how it reads when done, how the thing itself is called.
const OPERATIONS: &[(&str, Templates, Templates)] = &[
    (
        "account.password_reset",
        &["{actor} reset the password of {object}"],
        &["Password reset of {object}"],
    ),
    (
        "acme.account.change_key",
        &["an ACME client changed the key of its account"],
        &["Change of an ACME account's key"],
    ),
    (
        "analytics.flush_certificates",
        &["{actor} emptied the tables derived from certificates"],
        &["Emptying of the tables derived from certificates"],
    ),
    (
        "analytics.flush_discovery_events",
        &["{actor} emptied the tables derived from discovery events"],
        &["Emptying of the tables derived from discovery events"],
    ),
    (
        "analytics.flush_events",
        &["{actor} emptied the tables derived from events"],
        &["Emptying of the tables derived from events"],
    ),
    (
        "authority.update_scope",
        &[
            "{actor} changed which authorities serve {scope}",
            "{actor} changed the scope of {object}",
        ],
        &["Change of the scope of {object}"],
    ),
    (
        "backup.create",
        &["{actor} made a backup of {size_bytes:byte|bytes}", "{actor} made a backup"],
        &["Backup"],
    ),
    (
        "bootstrap.authorize_administrator",
        &["{actor} gave the first administrator the role {role}"],
        &["Authorisation of the first administrator"],
    ),
    (
        "bootstrap.create_administrator",
        &[
            "{actor} created the first administrator {login_name}",
            "{actor} created the first administrator",
        ],
        &["Creation of the first administrator"],
    ),
    (
        "bootstrap.create_configuration",
        &["{actor} wrote the first configuration"],
        &["Writing of the first configuration"],
    ),
    (
        "bootstrap.create_grading_policy",
        &["{actor} set up the grading policy {object_name}"],
        &["Set-up of a grading policy"],
    ),
    (
        "bootstrap.create_grading_ruleset",
        &["{actor} set up the grading rules {object_name}"],
        &["Set-up of grading rules"],
    ),
    (
        "bootstrap.create_identity_provider",
        &["{actor} set up the provider of local identities"],
        &["Set-up of the provider of local identities"],
    ),
    (
        "bootstrap.create_password_policy",
        &["{actor} set up the password policy {object_name}"],
        &["Set-up of the password policy"],
    ),
    (
        "certificate.bind",
        &["{actor} bound {object} to the device {device_id}"],
        &["Binding of {object} to a device"],
    ),
    (
        "certificate.enforce_holder_limit",
        &[
            "{actor} revoked {revoked:certificate|certificates} of a holder above the limit of {limit}",
        ],
        &["Enforcing the limit of certificates per holder"],
    ),
    (
        "certificate.export",
        &["{actor} exported {count:certificate|certificates} as {format}"],
        &["Export of certificates"],
    ),
    (
        "certificate.import",
        &["{actor} imported {added} of {count:certificate|certificates}"],
        &["Import of certificates"],
    ),
    (
        "configuration.create",
        &["{actor} created the {class} {object_name}"],
        &["Creation of the {class} {object_name}"],
    ),
    (
        "configuration.update",
        &["{actor} changed the {class} {object_name}"],
        &["Change of the {class} {object_name}"],
    ),
    (
        "configuration.delete",
        &["{actor} deleted the {class} {object_name}"],
        &["Deletion of the {class} {object_name}"],
    ),
    ("authentication_method.approve", &["{actor} accepted {object}"], &["Acceptance of {object}"]),
    (
        "crl.fetch",
        &["{actor} fetched a revocation list from {url}", "{actor} fetched a revocation list"],
        &["Fetching of a revocation list"],
    ),
    (
        "crmp.authenticate",
        &["a card management system proved who it is"],
        &["Authentication of a card management system"],
    ),
    (
        "crmp.describe_profile",
        &["a card management system asked for the fields of the profile {profile}"],
        &["Description of a profile for a card management system"],
    ),
    (
        "crmp.dispatch",
        &["a card management system sent a request"],
        &["A request of a card management system"],
    ),
    (
        "crmp.enroll",
        &["a card management system was given a certificate"],
        &["Enrolment by a card management system"],
    ),
    (
        "crmp.list",
        &["a card management system asked which profiles there are"],
        &["Listing of profiles for a card management system"],
    ),
    (
        "crmp.recover",
        &["a card management system was given an escrowed key"],
        &["Key recovery by a card management system"],
    ),
    (
        "crmp.retrieve",
        &["a card management system asked for the certificates of a holder"],
        &["Search by a card management system"],
    ),
    (
        "crmp.revoke",
        &["a card management system revoked a certificate"],
        &["Revocation by a card management system"],
    ),
    (
        "csr.generate",
        &["{actor} generated a certificate signing request"],
        &["Generation of a certificate signing request"],
    ),
    (
        "csr.submit",
        &["{actor} submitted a certificate signing request"],
        &["Submission of a certificate signing request"],
    ),
    (
        "deployment.delete",
        &["{actor} deleted {object} where it was stored"],
        &["Deletion of {object} where it is stored"],
    ),
    ("deployment.push", &["{actor} deployed {object}"], &["Deployment of {object}"]),
    (
        "deployment.remove",
        &["{actor} took {object} out of service"],
        &["Taking {object} out of service"],
    ),
    (
        "deployment.validate",
        &[
            "{actor} found {object} served at {endpoint}",
            "{actor} validated the deployment of {object}",
        ],
        &["Validation of the deployment of {object}"],
    ),
    ("est.enroll", &["an EST client was given a certificate"], &["Enrolment by EST"]),
    (
        "est.fetch_ca_certificates",
        &["an EST client fetched the authority's certificates"],
        &["Fetching of the authority's certificates by EST"],
    ),
    ("est.reenroll", &["an EST client renewed its certificate"], &["Renewal by EST"]),
    (
        "event.erase",
        &["{actor} erased the personal part of {count:event|events}"],
        &["Erasure of personal data"],
    ),
    ("event.export", &["{actor} exported {count:event|events} as {format}"], &["Export of events"]),
    ("license.check", &["{actor} checked the licence"], &["Check of the licence"]),
    (
        "log.key_create",
        &["{actor} created the {algorithm} key {key_id} of the log {origin}"],
        &["Creation of a key of the log"],
    ),
    (
        "log.verify",
        &["{actor} verified {count:entry|entries} of the log"],
        &["Verification of the log"],
    ),
    (
        "monitor.run",
        &["the monitor {monitor} looked at {evaluated:object|objects} and reported {found}"],
        &["A run of the monitor {monitor}"],
    ),
    ("monitor.start", &["the monitor {monitor} was set up"], &["Set-up of the monitor {monitor}"]),
    (
        "notification.email",
        &["{actor} sent a notice by e-mail to {recipients:recipient|recipients}"],
        &["Sending of a notice by e-mail"],
    ),
    (
        "notification.post",
        &["{actor} sent a notice through a {channel_kind}", "{actor} sent a notice"],
        &["Sending of a notice"],
    ),
    ("request.justify", &["{actor} gave a reason for an access"], &["Justification of an access"]),
    ("request.submit", &["{actor} requested: {workflow}"], &["Request to {workflow}"]),
    (
        "request.template",
        &["{actor} asked for the form of a request"],
        &["Fetching of the form of a request"],
    ),
    (
        "scep.dispatch",
        &["a SCEP client called {scep_operation}", "a SCEP client called"],
        &["A call by SCEP"],
    ),
    (
        "scep.emulate_ndes",
        &["a client used SCEP as with the Windows enrolment service"],
        &["A call by SCEP as with the Windows enrolment service"],
    ),
    ("scep.enroll", &["a SCEP client was given a certificate"], &["Enrolment by SCEP"]),
    (
        "scep.fetch_ca_certificates",
        &["a SCEP client fetched the authority's certificates"],
        &["Fetching of the authority's certificates by SCEP"],
    ),
    (
        "scep.fetch_ra",
        &["the registration authority of a SCEP profile was fetched"],
        &["Fetching of the registration authority of a SCEP profile"],
    ),
    (
        "scep.poll",
        &["a SCEP client asked for its pending certificate"],
        &["Poll for a certificate by SCEP"],
    ),
    ("scep.renew", &["a SCEP client renewed its certificate"], &["Renewal by SCEP"]),
    ("scep.unwrap", &["a SCEP message was unwrapped"], &["Unwrapping of a SCEP message"]),
    (
        "service.start",
        &["the service started, version {program_version}"],
        &["The start of the service"],
    ),
    (
        "service.stop",
        &["the service stopped after {uptime_s:second|seconds}"],
        &["The stop of the service"],
    ),
    ("session.create", &["{actor} logged in"], &["Login as {attempted_name}", "Login"]),
    (
        "team.switch",
        &["{actor} handed what the team {old_team} owned to the team {new_team}"],
        &["Handing over from the team {old_team} to the team {new_team}"],
    ),
    (
        "third_party.enroll",
        &["alignment with a third party issued a certificate"],
        &["Issue for a third party"],
    ),
    (
        "third_party.renew",
        &["alignment with a third party renewed a certificate"],
        &["Renewal for a third party"],
    ),
    (
        "third_party.revoke",
        &["alignment with a third party revoked a certificate"],
        &["Revocation for a third party"],
    ),
];

/// Type, how it reads.
const OCCURRENCES: &[(&str, Templates)] = &[
    ("account.locked", &["{object} was locked after {failed_attempts:failed login|failed logins}"]),
    ("alert.raised", &["an alert was raised: {title}"]),
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
        &[
            "a client was refused: more than {limit:request|requests} for {limited} within {window_s:second|seconds}",
        ],
    ),
    (
        "datasource.ignored",
        &["a data source was passed over because its inputs were empty: {empty_inputs}"],
    ),
    ("deployment.started", &["the deployment of {object} has begun"]),
    (
        "discovery.finished",
        &[
            "the discovery {discovery_name} ended: {status}, {found:certificate|certificates}, {added} of them new",
        ],
    ),
    ("discovery.started", &["the discovery {discovery_name} has begun"]),
    ("event.invalid_pending_seal", &["a pending event whose seal does not fit was set aside"]),
    ("event.unsealed_pending", &["a pending event without a seal was set aside"]),
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
    ("request.expired", &["{object} has expired"]),
    ("schedule.finished", &["the task of the schedule {schedule_name} ended: {state}"]),
    ("secret.rotation_due", &["{object} will be rotated on {due_at}"]),
    ("secret.unrotated", &["{object} has not been rotated for {interval_days:day|days}"]),
    ("secret.unused", &["{object} has not been used for {interval_days:day|days}"]),
    ("session.end", &["the session of {actor} ended: {ended_by}"]),
];
