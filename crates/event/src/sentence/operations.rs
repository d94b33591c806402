//! How operations read whose name alone does not tell.

use super::words::Templates;

/// Type, how it reads when done, how the thing itself is called.
pub(super) const OPERATIONS: &[(&str, Templates, Templates)] = &[
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
        "alert.acknowledge",
        &["{actor} marked {alerts:alert|alerts} as {marked_as}"],
        &["Acknowledgement of alerts"],
    ),
    (
        "alert.assign",
        &[
            "{actor} gave {alerts:alert|alerts} to the account {assigned_to}",
            "{actor} took {alerts:alert|alerts} from whom they were given to",
        ],
        &["Assignment of alerts"],
    ),
    (
        "alert.read",
        &["{actor} marked {alerts:alert|alerts} as {marked_as}"],
        &["Marking alerts as read"],
    ),
    ("alert.reopen", &["{actor} opened {alerts:alert|alerts} again"], &["Reopening of alerts"]),
    (
        "alert.resolve",
        &["{actor} declared {alerts:alert|alerts} dealt with"],
        &["Resolving of alerts"],
    ),
    (
        "alert.snooze",
        &[
            "{actor} snoozed {alerts:alert|alerts} until {until}",
            "{actor} brought back {alerts:snoozed alert|snoozed alerts}",
        ],
        &["Snoozing of alerts"],
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
        "delivery.recover",
        &[
            "{actor} put back {deliveries:failed delivery|failed deliveries} to {destination}",
            "{actor} put back the failed deliveries to {destination}",
        ],
        &["Sending once more what {destination} did not get"],
    ),
    (
        "delivery.resend",
        &["{actor} put back a delivery to {destination}", "{actor} put back a delivery"],
        &["Sending a delivery once more"],
    ),
    (
        "forwarder.replay",
        &[
            "{actor} replayed the log to {destination} from {from_index}: {deliveries:delivery|deliveries}",
            "{actor} replayed the log to {destination} from {from_index}",
        ],
        &["Replay of the log to {destination}"],
    ),
    (
        "log.restore",
        &[
            "{actor} put the data back from a backup of {log_size:entry|entries}; {lost:published entry|published entries} lost",
            "{actor} put the data back from a backup of {log_size:entry|entries}",
        ],
        &["Restoring of the data from a backup"],
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
    ("alert.export", &["{actor} exported {count:alert|alerts} as {format}"], &["Export of alerts"]),
    (
        "account.export",
        &["{actor} exported {count:account|accounts} as {format}"],
        &["Export of accounts"],
    ),
    ("token.export", &["{actor} exported {count:token|tokens} as {format}"], &["Export of tokens"]),
    (
        "delivery.export",
        &["{actor} exported {count:delivery|deliveries} as {format}"],
        &["Export of deliveries"],
    ),
    (
        "configuration.export",
        &["{actor} exported {count:object|objects} of configuration as {format}"],
        &["Export of configuration"],
    ),
    (
        "forwarder.export",
        &["{actor} exported {count:forwarder|forwarders} as {format}"],
        &["Export of forwarders"],
    ),
    ("job.export", &["{actor} exported {count:job|jobs} as {format}"], &["Export of jobs"]),
    (
        "evaluation.export",
        &["{actor} exported {count:record|records} of triggers as {format}"],
        &["Export of what triggers made of events"],
    ),
    (
        "notification.export",
        &["{actor} exported {count:decision|decisions} about notifications as {format}"],
        &["Export of decisions about notifications"],
    ),
    (
        "license.check",
        &["the agreed limits are in force until {valid_until}", "the agreed limits are in force"],
        &["Check whether the agreed limits are in force"],
    ),
    (
        "log.key_create",
        &["{actor} created the {algorithm} key {key_id} of the log {origin}"],
        &["Creation of a key of the log"],
    ),
    (
        "legal_hold.place",
        &["{actor} placed the legal hold {hold}"],
        &["Placing of the legal hold {hold}"],
    ),
    (
        "legal_hold.release",
        &["{actor} ended the legal hold {hold}"],
        &["Ending of the legal hold {hold}"],
    ),
    (
        "retention.run",
        &["{actor} removed {removed:event|events} from the database by the rule {rule}"],
        &["Removal of events from the database by the rule {rule}"],
    ),
    (
        "log.verify",
        &["{actor} verified {count:entry|entries} of the log"],
        &["Verification of the log"],
    ),
    (
        "monitor.run",
        &[
            "the monitor {monitor} watched {watched:object|objects}, evaluated {evaluated} and reported {found}",
        ],
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
    (
        "session.confirm",
        &["{actor} gave the password once more"],
        &["The password given once more"],
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
