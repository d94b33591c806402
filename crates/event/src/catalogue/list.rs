//! The declarations of all event types.
//!
//! An entry reads: variant, name, payload { kind, version, severity / severity on failure, kind of
//! object, whether this version records it, where it can be overridden; other systems' codes with
//! the outcomes they are used for }. Outcomes: `S`uccess, `F`ailure, `W`arning, or `Any`.

use super::declare::Stage;
use super::{DialectName, Kind, Outcomes, Payload, Scope, Shape, System, TypeInfo, normalise};
use crate::envelope::{Severity, TargetKind};
use crate::types::{self, Declared};

catalogue! {
    // The inventory.
    CertificateUpload "certificate.upload" certificate::Upload {
        Operation 1 Info / Warning Certificate Produced; Horizon "LIFECYCLE-IMPORT" SF }
    CertificateUploaded "certificate.uploaded" certificate::Uploaded {
        Occurrence 1 Info Certificate Produced; Czertainly "certificate_uploaded" Any }
    CertificateDiscovered "certificate.discovered" certificate::Discovered {
        Occurrence 1 Info Certificate Planned overridden by Discovery;
        Czertainly "certificate_discovered" Any }
    CertificateStatusChanged "certificate.status_changed" certificate::StatusChanged {
        Occurrence 1 Info Certificate Produced overridden by RaProfile Group;
        Czertainly "certificate_status_changed" Any }
    CertificateUpdate "certificate.update" certificate::Update {
        Operation 1 Info / Warning Certificate Produced; Horizon "LIFECYCLE-UPDATE" SF }
    CertificateArchive "certificate.archive" certificate::Archive {
        Operation 1 Info / Warning Certificate Produced }
    CertificateRestore "certificate.restore" certificate::Restore {
        Operation 1 Info / Warning Certificate Produced }
    CertificateDelete "certificate.delete" certificate::Delete {
        Operation 1 Warning / Error Certificate Produced; Okta "pki.cert.lifecycle.delete" Any }
    CertificateReplaced "certificate.replaced" certificate::Replaced {
        Occurrence 1 Info Certificate Produced }
    CertificateImport "certificate.import" certificate::Import {
        Operation 1 Info / Error Certificate Produced }
    CertificateExport "certificate.export" certificate::Export {
        Operation 1 Info / Warning Certificate Produced }

    // The life of a certificate.
    CsrGenerate "csr.generate" lifecycle::CsrGenerate { Operation 1 Info / Error Request Planned;
        Qcecuring "CSR_GENERATED" Any }
    CsrSubmit "csr.submit" lifecycle::CsrSubmit { Operation 1 Info / Error Request Planned;
        Qcecuring "CSR_SUBMITTED" Any }
    CertificateIssuanceStarted "certificate.issuance_started" lifecycle::IssuanceStarted {
        Occurrence 1 Info Certificate Planned; Qcecuring "ISSUANCE_INITIATED" Any }
    CertificateIssue "certificate.issue" lifecycle::Issue {
        Operation 1 Info / Error Certificate Planned; Horizon "LIFECYCLE-ENROLL" SF;
        Akeyless "certificate-error" F; Okta "pki.cert.issue" Any; Qcecuring "ISSUANCE_COMPLETED" S;
        Qcecuring "ISSUANCE_FAILED" F; Qcecuring "ISSUE_CERT" Any }
    CertificateRenewalStarted "certificate.renewal_started" lifecycle::RenewalStarted {
        Occurrence 1 Info Certificate Planned; Qcecuring "RENEWAL_INITIATED" Any }
    CertificateRenew "certificate.renew" lifecycle::Renew {
        Operation 1 Info / Error Certificate Planned; Horizon "LIFECYCLE-RENEW" SF;
        Okta "pki.cert.renew" Any; Qcecuring "RENEWAL_COMPLETED" S; Qcecuring "RENEWAL_FAILED" F;
        Qcecuring "RENEW_CERT" Any }
    CertificateRekey "certificate.rekey" lifecycle::Rekey {
        Operation 1 Info / Error Certificate Planned }
    CertificateRevocationStarted "certificate.revocation_started" lifecycle::RevocationStarted {
        Occurrence 1 Info Certificate Planned; Qcecuring "REVOCATION_INITIATED" Any }
    CertificateRevoke "certificate.revoke" lifecycle::Revoke {
        Operation 1 Warning / Error Certificate Planned; Horizon "LIFECYCLE-REVOKE" SF;
        Okta "pki.cert.lifecycle.revoke" Any; Okta "pki.cert.revoke" Any;
        Qcecuring "REVOCATION_COMPLETED" S; Qcecuring "REVOCATION_FAILED" F;
        Qcecuring "REVOKE_CERT" Any }
    CertificateActionPerformed "certificate.action_performed" lifecycle::ActionPerformed {
        Occurrence 1 Info / Error Certificate Planned overridden by RaProfile Group;
        Czertainly "certificate_action_performed" Any }
    CertificateHold "certificate.hold" lifecycle::Hold {
        Operation 1 Warning / Error Certificate Planned; Okta "pki.cert.lifecycle.hold" Any }
    CertificateSuspend "certificate.suspend" lifecycle::Suspend {
        Operation 1 Warning / Error Certificate Planned; Okta "pki.cert.lifecycle.suspend" Any }
    CertificateActivate "certificate.activate" lifecycle::Activate {
        Operation 1 Info / Error Certificate Planned; Okta "pki.cert.lifecycle.activate" Any }
    CertificateBind "certificate.bind" lifecycle::Bind {
        Operation 1 Info / Error Certificate Planned; Okta "pki.cert.bind" Any }
    CertificateEscrow "certificate.escrow" lifecycle::Escrow {
        Operation 1 Info / Error Certificate Planned; Horizon "LIFECYCLE-ESCROW" SF }
    CertificateRecover "certificate.recover" lifecycle::Recover {
        Operation 1 Warning / Error Certificate Planned; Horizon "LIFECYCLE-RECOVER" SF }
    CertificateMigrate "certificate.migrate" lifecycle::Migrate {
        Operation 1 Info / Error Certificate Planned; Horizon "LIFECYCLE-MIGRATE" SF }
    CertificateEnforceHolderLimit "certificate.enforce_holder_limit" lifecycle::HolderLimitEnforce {
        Operation 1 Info / Error Certificate Planned; Horizon "LIFECYCLE-MAX-CERT-PER-HOLDER" F;
        Horizon "EST-REVOKE-ON-RENEW" SF deprecated; Horizon "SCEP-REVOKE-ON-RENEW" SF deprecated }
    CertificateGradingStarted "certificate.grading_started" lifecycle::GradingStarted {
        Occurrence 1 Debug Certificate Planned; Horizon "GRADING-START" S }
    CertificateGrade "certificate.grade" lifecycle::Grade {
        Operation 1 Info / Error Certificate Planned; Horizon "GRADING-END" S;
        Horizon "GRADING-ERROR" F }
    CertificateExpiring "certificate.expiring" lifecycle::Expiring {
        Monitoring 1 Warning Certificate Produced overridden by RaProfile Group;
        Czertainly "certificate_expiring" Any; Akeyless "certificate-pending-expiration" Any;
        Qcecuring "EXPIRING_SOON" Any }
    CertificateExpired "certificate.expired" lifecycle::Expired {
        Monitoring 1 Error Certificate Produced; Akeyless "certificate-expired" Any }
    CertificateReportedExpiring "certificate.reported_expiring" lifecycle::ReportedExpiring {
        Occurrence 1 Warning Certificate Planned; Akeyless "injector-cert" Any }

    // On the way to where certificates are served, and to people.
    DeploymentStarted "deployment.started" deployment::Started {
        Occurrence 1 Info Certificate Planned; Qcecuring "DEPLOYMENT_INITIATED" Any }
    DeploymentPush "deployment.push" deployment::Push {
        Operation 1 Info / Error Certificate Planned; Horizon "TRIGGER-PUSH" SFW;
        Akeyless "certificate-provisioning-success" S;
        Akeyless "certificate-provisioning-failure" F; Qcecuring "DEPLOYMENT_COMPLETED" S;
        Qcecuring "DEPLOYMENT_FAILED" F }
    DeploymentValidate "deployment.validate" deployment::Validate {
        Operation 1 Info / Error Certificate Planned; Qcecuring "DEPLOYMENT_VALIDATED" S;
        Qcecuring "VALIDATE_DEPLOYMENT" Any }
    DeploymentRemove "deployment.remove" deployment::Remove {
        Operation 1 Info / Error Certificate Planned; Horizon "TRIGGER-REMOVE" SFW }
    DeploymentDelete "deployment.delete" deployment::Delete {
        Operation 1 Info / Error Certificate Planned; Horizon "TRIGGER-DELETE" SFW }
    NotificationEmail "notification.email" deployment::NotificationEmail {
        Operation 1 Info / Error Destination Produced; Horizon "TRIGGER-EMAIL" SFW }
    NotificationPost "notification.post" deployment::NotificationPost {
        Operation 1 Info / Error Destination Produced; Horizon "TRIGGER-NOTIFICATION" SFW }
    ThirdPartyConnect "third_party.connect" deployment::ThirdPartyConnect {
        Operation 1 Info / Warning ThirdParty Produced; Horizon "THIRD-PARTY-CONNECTOR" W }
    ThirdPartyEnroll "third_party.enroll" deployment::SyncEnroll {
        Operation 1 Info / Error ThirdParty Planned; Horizon "SYNC-ENROLL" SFW }
    ThirdPartyRenew "third_party.renew" deployment::SyncRenew {
        Operation 1 Info / Error ThirdParty Planned; Horizon "SYNC-RENEW" SFW }
    ThirdPartyRevoke "third_party.revoke" deployment::SyncRevoke {
        Operation 1 Info / Error ThirdParty Planned; Horizon "SYNC-REVOKE" SFW }
    DatasourceIgnored "datasource.ignored" deployment::DatasourceIgnored {
        Occurrence 1 Warning Configuration Planned; Horizon "DATASOURCE-IGNORED" W }

    // Authorities.
    AuthorityAdd "authority.add" authority::Add { Operation 1 Info / Error Authority Planned;
        Okta "pki.ca.add" Any }
    AuthorityDelete "authority.delete" authority::Delete {
        Operation 1 Warning / Error Authority Planned; Okta "pki.ca.delete" Any }
    AuthorityRenew "authority.renew" authority::Renew { Operation 1 Info / Error Authority Planned;
        Okta "pki.ca.renew" Any }
    AuthorityExpiring "authority.expiring" authority::Expiring {
        Monitoring 1 Warning Authority Produced; Okta "pki.ca.expiration.warn" Any }
    AuthorityUpdateScope "authority.update_scope" authority::ScopeUpdate {
        Operation 1 Info / Error Authority Planned; Okta "pki.ca.scope.mapping.update" Any }
    AuthoritySync "authority.sync" authority::Sync { Operation 1 Info / Error Authority Planned;
        Horizon "CA-CERT-SYNC" SFW }
    AuthorityRefresh "authority.refresh" authority::Refresh {
        Operation 1 Info / Error Authority Planned; Qcecuring "CA_REFRESH" Any }
    AuthorityConnect "authority.connect" authority::Connect {
        Operation 1 Info / Error Authority Planned; Horizon "PKI-CONNECTOR" F;
        Horizon "ACTOR" F deprecated }
    CrlFetch "crl.fetch" authority::CrlFetch { Operation 1 Info / Error Crl Planned;
        Horizon "CA-CRL-UPDATE" SFW; Okta "pki.cert.crl_download_failure" F }
    LicenseCheck "license.check" authority::LicenseCheck {
        Operation 1 Info / Error Configuration Produced; Horizon "LICENSE-ERROR" F }
    LicenseLimitReached "license.limit_reached" authority::LicenseLimitReached {
        Occurrence 1 Error Configuration Produced; Horizon "LICENSE-LIMIT-REACHED" F }

    // Discovery.
    DiscoveryStarted "discovery.started" discovery::Started { Occurrence 1 Info Discovery Planned;
        Qcecuring "DISCOVERY_STARTED" Any }
    DiscoveryFinished "discovery.finished" discovery::Finished {
        Occurrence 1 Info / Error Discovery Planned; Czertainly "discovery_finished" Any;
        Qcecuring "DISCOVERY_COMPLETED" S; Qcecuring "DISCOVERY_FAILED" F }

    // Requests and approvals.
    RequestSubmit "request.submit" request::Submit { Operation 1 Info / Warning Request Planned;
        Horizon "REQUEST-SUBMIT" SF; Akeyless "request-access" Any }
    RequestApprove "request.approve" request::Approve { Operation 1 Info / Warning Request Planned;
        Horizon "REQUEST-APPROVE" SF; Akeyless "access-request-approved" Any }
    RequestDeny "request.deny" request::Deny { Operation 1 Info / Warning Request Planned;
        Horizon "REQUEST-DENY" SF; Akeyless "access-request-denied" Any }
    RequestCancel "request.cancel" request::Cancel { Operation 1 Info / Warning Request Planned;
        Horizon "REQUEST-CANCEL" SF }
    RequestTemplate "request.template" request::Template {
        Operation 1 Debug / Warning Request Planned; Horizon "REQUEST-TEMPLATE" SF }
    RequestExpired "request.expired" request::Expired { Occurrence 1 Info Request Planned;
        Akeyless "access-request-expired" Any }
    RequestJustify "request.justify" request::Justify { Operation 1 Info / Warning Request Planned;
        Akeyless "apply-justification" Any }
    ApprovalRequested "approval.requested" request::ApprovalRequested {
        Occurrence 1 Info Approval Planned; Czertainly "approval_requested" Any }
    ApprovalClosed "approval.closed" request::ApprovalClosed { Occurrence 1 Info Approval Planned;
        Czertainly "approval_closed" Any }

    // ACME.
    AcmeAccountChangeKey "acme.account.change_key" protocol::AcmeAccountChangeKey {
        Operation 1 Info / Warning Protocol Planned; Horizon "ACME-ACCOUNT-KEY-CHANGE" SF }
    AcmeAccountRegister "acme.account.register" protocol::AcmeAccountRegister {
        Operation 1 Info / Warning Protocol Planned; Horizon "ACME-ACCOUNT-REGISTER" F }
    AcmeAccountUpdate "acme.account.update" protocol::AcmeAccountUpdate {
        Operation 1 Info / Warning Protocol Planned; Horizon "ACME-ACCOUNT-UPDATE" F }
    AcmeAuthorizationDeactivate "acme.authorization.deactivate" protocol::AcmeAuthorizationDeactivate {
        Operation 1 Info / Warning Protocol Planned; Horizon "ACME-AUTHORIZATION-DEACTIVATE" F }
    AcmeChallengeRequest "acme.challenge.request" protocol::AcmeChallengeRequest {
        Operation 1 Info / Warning Protocol Planned; Horizon "ACME-CHALLENGE-REQUEST-VERIFY" SFW }
    AcmeChallengeVerify "acme.challenge.verify" protocol::AcmeChallengeVerify {
        Operation 1 Info / Warning Protocol Planned; Horizon "ACME-CHALLENGE-VERIFY" SFW }
    AcmeOrderCreate "acme.order.create" protocol::AcmeOrderCreate {
        Operation 1 Info / Warning Protocol Planned; Horizon "ACME-ORDER-NEW" SF }
    AcmeOrderUpdate "acme.order.update" protocol::AcmeOrderUpdate {
        Operation 1 Info / Warning Protocol Planned; Horizon "ACME-ORDER-UPDATE" SF }
    AcmeOrderFinalize "acme.order.finalize" protocol::AcmeOrderFinalize {
        Operation 1 Info / Warning Protocol Planned; Horizon "ACME-ORDER-FINALIZE" SF }
    AcmeCertificateDownload "acme.certificate.download" protocol::AcmeCertificateDownload {
        Operation 1 Info / Warning Protocol Planned; Horizon "ACME-ORDER-CERTIFICATE" SF }
    AcmeCertificateRevoke "acme.certificate.revoke" protocol::AcmeCertificateRevoke {
        Operation 1 Info / Warning Protocol Planned; Horizon "ACME-REVOKE" SFW }

    // EST.
    EstFetchCaCertificates "est.fetch_ca_certificates" protocol::EstFetchCaCertificates {
        Operation 1 Info / Warning Protocol Planned; Horizon "EST-CACERTS" F }
    EstEnroll "est.enroll" protocol::EstEnroll { Operation 1 Info / Warning Protocol Planned;
        Horizon "EST-SIMPLE-ENROLL" SFW }
    EstReenroll "est.reenroll" protocol::EstReenroll { Operation 1 Info / Warning Protocol Planned;
        Horizon "EST-SIMPLE-REENROLL" SFW }

    // SCEP.
    ScepEnroll "scep.enroll" protocol::ScepEnroll { Operation 1 Info / Warning Protocol Planned;
        Horizon "SCEP-ENROLL" SF }
    ScepRenew "scep.renew" protocol::ScepRenew { Operation 1 Info / Warning Protocol Planned;
        Horizon "SCEP-RENEW" SF }
    ScepPoll "scep.poll" protocol::ScepPoll { Operation 1 Info / Warning Protocol Planned;
        Horizon "SCEP-GET-CERT-INITIAL" SF }
    ScepFetchCaCertificates "scep.fetch_ca_certificates" protocol::ScepFetchCaCertificates {
        Operation 1 Info / Warning Protocol Planned; Horizon "SCEP-GET-CA-CERT" SF }
    ScepFetchRa "scep.fetch_ra" protocol::ScepFetchRa { Operation 1 Info / Warning Protocol Planned;
        Horizon "SCEP-GET-RA" SF }
    ScepEmulateNdes "scep.emulate_ndes" protocol::ScepEmulateNdes {
        Operation 1 Info / Warning Protocol Planned; Horizon "SCEP-NDES-EMULATION" SF }
    ScepDispatch "scep.dispatch" protocol::ScepDispatch {
        Operation 1 Info / Warning Protocol Planned; Horizon "SCEP-PKI-CLIENT" SF }
    ScepUnwrap "scep.unwrap" protocol::ScepUnwrap { Operation 1 Info / Warning Protocol Planned;
        Horizon "SCEP-PKI-OPERATION" SF }

    // CRMP.
    CrmpAuthenticate "crmp.authenticate" protocol::CrmpAuthenticate {
        Operation 1 Info / Warning Protocol Planned; Horizon "CRMP-AUTHENTICATION" SF }
    CrmpDispatch "crmp.dispatch" protocol::CrmpDispatch {
        Operation 1 Info / Warning Protocol Planned; Horizon "CRMP-BAD-REQUEST" F }
    CrmpEnroll "crmp.enroll" protocol::CrmpEnroll { Operation 1 Info / Warning Protocol Planned;
        Horizon "CRMP-ENROLL" SF }
    CrmpList "crmp.list" protocol::CrmpList { Operation 1 Info / Warning Protocol Planned;
        Horizon "CRMP-LIST" SF }
    CrmpDescribeProfile "crmp.describe_profile" protocol::CrmpDescribeProfile {
        Operation 1 Info / Warning Protocol Planned; Horizon "CRMP-PROFILE-PROPERTIES" SF }
    CrmpRecover "crmp.recover" protocol::CrmpRecover { Operation 1 Info / Warning Protocol Planned;
        Horizon "CRMP-RECOVER" SF }
    CrmpRetrieve "crmp.retrieve" protocol::CrmpRetrieve {
        Operation 1 Info / Warning Protocol Planned; Horizon "CRMP-RETRIEVE" SFW }
    CrmpRevoke "crmp.revoke" protocol::CrmpRevoke { Operation 1 Info / Warning Protocol Planned;
        Horizon "CRMP-REVOKE" SFW }

    // Accounts and access.
    SessionCreate "session.create" account::SessionCreate {
        Operation 1 Info / Warning Session Produced; Horizon "SEC-AUTHENTICATION" SF }
    SessionConfirm "session.confirm" account::SessionConfirm {
        Operation 1 Info / Warning Session Produced }
    SessionEnd "session.end" account::SessionEnd { Occurrence 1 Info Session Produced }
    AccountCreate "account.create" account::Create { Operation 1 Info / Warning Account Produced;
        Horizon "SEC-LOCAL-IDENTITY-ADD" SF; Qcecuring "USER_CREATED" Any }
    AccountUpdate "account.update" account::Update { Operation 1 Info / Warning Account Produced;
        Horizon "SEC-LOCAL-IDENTITY-UPDATE" SF; Qcecuring "USER_UPDATED" Any }
    AccountDelete "account.delete" account::Delete { Operation 1 Warning / Warning Account Produced;
        Horizon "SEC-LOCAL-IDENTITY-DELETE" SF; Qcecuring "USER_DELETED" Any }
    AccountPasswordReset "account.password_reset" account::PasswordReset {
        Operation 1 Warning / Warning Account Produced; Horizon "SEC-LOCAL-IDENTITY-RESET" SF;
        Akeyless "password-reset" Any }
    AccountExport "account.export" account::Export {
        Operation 1 Info / Warning Account Produced }
    AccountLocked "account.locked" account::Locked { Occurrence 1 Warning Account Produced;
        Akeyless "multi-auth-failure" Any; Akeyless "locked-user" Any }
    AccountUnlock "account.unlock" account::Unlock { Operation 1 Info / Warning Account Produced;
        Akeyless "unlocked-user" Any }
    ClientRateLimited "client.rate_limited" account::ClientRateLimited {
        Occurrence 1 Warning Other Produced; Akeyless "rate-limiting" Any }
    AccessDenied "access.denied" account::AccessDenied {
        Occurrence 1 Warning / Warning Other Produced }
    ClientCountReached "client.count_reached" account::ClientCountReached {
        Occurrence 1 Warning Other Produced; Akeyless "usage-report" Any }
    TokenCreate "token.create" account::TokenCreate { Operation 1 Info / Warning Token Produced }
    TokenRevoke "token.revoke" account::TokenRevoke { Operation 1 Info / Warning Token Produced }
    TokenExport "token.export" account::TokenExport {
        Operation 1 Info / Warning Token Produced }
    AuthenticationMethodRotate "authentication_method.rotate" account::MethodRotate {
        Operation 1 Info / Error AuthenticationMethod Planned; Akeyless "uid-rotation-failure" F }
    AuthenticationMethodExpiring "authentication_method.expiring" account::MethodExpiring {
        Monitoring 1 Warning AuthenticationMethod Produced;
        Akeyless "auth-method-pending-expiration" Any }
    AuthenticationMethodExpired "authentication_method.expired" account::MethodExpired {
        Monitoring 1 Error AuthenticationMethod Produced; Akeyless "auth-method-expired" Any }
    AuthenticationMethodApprove "authentication_method.approve" account::MethodApprove {
        Operation 1 Info / Warning AuthenticationMethod Planned;
        Akeyless "email-auth-method-approved" S }

    // Who may do what.
    AuthorizationCreate "authorization.create" security::AuthorizationCreate {
        Operation 1 Info / Warning Configuration Planned; Horizon "SEC-AUTHORIZATION-ADD" SF }
    AuthorizationUpdate "authorization.update" security::AuthorizationUpdate {
        Operation 1 Info / Warning Configuration Planned; Horizon "SEC-AUTHORIZATION-UPDATE" SF }
    AuthorizationDelete "authorization.delete" security::AuthorizationDelete {
        Operation 1 Info / Warning Configuration Planned; Horizon "SEC-AUTHORIZATION-DELETE" SF }
    CredentialsCreate "credentials.create" security::CredentialsCreate {
        Operation 1 Info / Warning Configuration Planned; Horizon "SEC-CREDENTIALS-ADD" SF }
    CredentialsUpdate "credentials.update" security::CredentialsUpdate {
        Operation 1 Info / Warning Configuration Planned; Horizon "SEC-CREDENTIALS-UPDATE" SF }
    CredentialsDelete "credentials.delete" security::CredentialsDelete {
        Operation 1 Info / Warning Configuration Planned; Horizon "SEC-CREDENTIALS-DELETE" SF }
    IdentityProviderCreate "identity_provider.create" security::IdentityProviderCreate {
        Operation 1 Info / Warning Configuration Planned; Horizon "SEC-IDENTITY-PROVIDER-ADD" SF }
    IdentityProviderUpdate "identity_provider.update" security::IdentityProviderUpdate {
        Operation 1 Info / Warning Configuration Planned;
        Horizon "SEC-IDENTITY-PROVIDER-UPDATE" SF }
    IdentityProviderDelete "identity_provider.delete" security::IdentityProviderDelete {
        Operation 1 Info / Warning Configuration Planned;
        Horizon "SEC-IDENTITY-PROVIDER-DELETE" SF }
    PasswordPolicyCreate "password_policy.create" security::PasswordPolicyCreate {
        Operation 1 Info / Warning Configuration Planned; Horizon "SEC-PASSWORD-POLICY-ADD" SF }
    PasswordPolicyUpdate "password_policy.update" security::PasswordPolicyUpdate {
        Operation 1 Info / Warning Configuration Planned; Horizon "SEC-PASSWORD-POLICY-UPDATE" SF }
    PasswordPolicyDelete "password_policy.delete" security::PasswordPolicyDelete {
        Operation 1 Info / Warning Configuration Planned; Horizon "SEC-PASSWORD-POLICY-DELETE" SF }
    RoleCreate "role.create" security::RoleCreate { Operation 1 Info / Warning Role Planned;
        Horizon "SEC-ROLE-ADD" SF }
    RoleUpdate "role.update" security::RoleUpdate { Operation 1 Info / Warning Role Planned;
        Horizon "SEC-ROLE-UPDATE" SF }
    RoleDelete "role.delete" security::RoleDelete { Operation 1 Info / Warning Role Planned;
        Horizon "SEC-ROLE-DELETE" SF }
    ScimProfileCreate "scim_profile.create" security::ScimProfileCreate {
        Operation 1 Info / Warning Configuration Planned; Horizon "SEC-SCIM-PROFILE-ADD" SF }
    ScimProfileUpdate "scim_profile.update" security::ScimProfileUpdate {
        Operation 1 Info / Warning Configuration Planned; Horizon "SEC-SCIM-PROFILE-UPDATE" SF }
    ScimProfileDelete "scim_profile.delete" security::ScimProfileDelete {
        Operation 1 Info / Warning Configuration Planned; Horizon "SEC-SCIM-PROFILE-DELETE" SF }
    TeamCreate "team.create" security::TeamCreate { Operation 1 Info / Warning Team Planned;
        Horizon "SEC-TEAM-ADD" SF }
    TeamUpdate "team.update" security::TeamUpdate { Operation 1 Info / Warning Team Planned;
        Horizon "SEC-TEAM-UPDATE" SF }
    TeamDelete "team.delete" security::TeamDelete { Operation 1 Info / Warning Team Planned;
        Horizon "SEC-TEAM-DELETE" SF }
    TeamSwitch "team.switch" security::TeamSwitch { Operation 1 Info / Warning Team Planned;
        Horizon "SEC-TEAM-SWITCH" SF; Horizon "TEAM-SWITCH" SF deprecated }

    // How events act.
    TriggerStopped "trigger.stopped" trigger::Stopped { Occurrence 1 Warning Trigger Produced }
    EvaluationExport "evaluation.export" trigger::Export {
        Operation 1 Info / Warning Trigger Produced }

    // What leaves the house.
    DeliveryFailing "delivery.failing" delivery::Failing {
        Occurrence 1 Warning Destination Produced }
    DeliveryRecovered "delivery.recovered" delivery::Recovered {
        Occurrence 1 Info Destination Produced }
    DeliveryExhausted "delivery.exhausted" delivery::Exhausted {
        Occurrence 1 Error Destination Produced }
    DeliveryResend "delivery.resend" delivery::Resend {
        Operation 1 Info / Warning Destination Produced }
    DeliveryRecover "delivery.recover" delivery::Recover {
        Operation 1 Info / Warning Destination Produced }
    DeliveryExport "delivery.export" delivery::Export {
        Operation 1 Info / Warning Destination Produced }
    DestinationDisabled "destination.disabled" delivery::Disabled {
        Occurrence 1 Error Destination Produced }
    RecipientRefused "recipient.refused" delivery::RecipientRefused {
        Occurrence 1 Warning Destination Produced }
    NotificationEscalated "notification.escalated" delivery::NotificationEscalated {
        Occurrence 1 Warning Alert Produced }
    NotificationExport "notification.export" delivery::NoticeExport {
        Operation 1 Info / Warning Alert Produced }
    CanaryMissed "canary.missed" delivery::CanaryMissed {
        Monitoring 1 Error Destination Produced }
    CanaryArrived "canary.arrived" delivery::CanaryArrived {
        Monitoring 1 Info Destination Produced }
    ForwarderLagging "forwarder.lagging" delivery::Lagging {
        Occurrence 1 Warning Destination Produced }
    ForwarderCaughtUp "forwarder.caught_up" delivery::CaughtUp {
        Occurrence 1 Info Destination Produced }
    ForwarderReplay "forwarder.replay" delivery::Replay {
        Operation 1 Info / Warning Destination Produced }
    ForwarderExport "forwarder.export" delivery::ForwarderExport {
        Operation 1 Info / Warning Destination Produced }

    // Configuration and the first start.
    ConfigurationCreate "configuration.create" configuration::Create {
        Operation 1 Info / Warning Configuration Produced; Horizon "CONF-ADD" SF;
        Qcecuring "CONFIG_CREATED" Any }
    ConfigurationUpdate "configuration.update" configuration::Update {
        Operation 1 Info / Warning Configuration Produced; Horizon "CONF-UPDATE" SF;
        Qcecuring "CONFIG_UPDATED" Any }
    ConfigurationDelete "configuration.delete" configuration::Delete {
        Operation 1 Info / Warning Configuration Produced; Horizon "CONF-DELETE" SF;
        Qcecuring "CONFIG_DELETED" Any }
    ConfigurationTest "configuration.test" configuration::Test {
        Operation 1 Info / Warning Configuration Produced; Horizon "CONF-TEST" SF }
    ConfigurationExport "configuration.export" configuration::Export {
        Operation 1 Info / Warning Configuration Produced }
    BootstrapCreateAdministrator "bootstrap.create_administrator" bootstrap::CreateAdministrator {
        Operation 1 Info / Critical Account Produced; Horizon "BOOTSTRAP-ADMINISTRATOR-ACCOUNT" SF }
    BootstrapAuthorizeAdministrator "bootstrap.authorize_administrator" bootstrap::AuthorizeAdministrator {
        Operation 1 Info / Critical Account Produced;
        Horizon "BOOTSTRAP-ADMINISTRATOR-PRINCIPAL" SF }
    BootstrapCreateConfiguration "bootstrap.create_configuration" bootstrap::CreateConfiguration {
        Operation 1 Info / Critical Configuration Produced;
        Horizon "BOOTSTRAP-SYSTEM-CONFIGURATION" SF }
    BootstrapCreateIdentityProvider "bootstrap.create_identity_provider" bootstrap::CreateIdentityProvider {
        Operation 1 Info / Critical Configuration Produced;
        Horizon "BOOTSTRAP-LOCAL-IDENTITY-PROVIDER" SF }
    BootstrapCreatePasswordPolicy "bootstrap.create_password_policy" bootstrap::CreatePasswordPolicy {
        Operation 1 Info / Critical Configuration Produced; Horizon "BOOTSTRAP-PASSWORD-POLICY" SF }
    BootstrapCreateGradingPolicy "bootstrap.create_grading_policy" bootstrap::CreateGradingPolicy {
        Operation 1 Info / Critical Configuration Planned; Horizon "BOOTSTRAP-GRADING-POLICY" SF }
    BootstrapCreateGradingRuleset "bootstrap.create_grading_ruleset" bootstrap::CreateGradingRuleset {
        Operation 1 Info / Critical Configuration Planned; Horizon "BOOTSTRAP-GRADING-RULESET" SF }

    // Jobs, schedules, monitors.
    JobQueued "job.queued" job::Queued { Occurrence 1 Debug Job Produced; Qcecuring "QUEUED" Any }
    JobStarted "job.started" job::Started { Occurrence 1 Debug Job Produced;
        Qcecuring "RUNNING" Any }
    JobFinished "job.finished" job::Finished { Occurrence 1 Info / Error Job Produced;
        Qcecuring "SUCCESS" S; Qcecuring "FAILED" F }
    JobRetry "job.retry" job::Retry { Operation 1 Info / Warning Job Produced }
    JobCancel "job.cancel" job::Cancel { Operation 1 Info / Warning Job Produced }
    JobExport "job.export" job::Export { Operation 1 Info / Warning Job Produced }
    ScheduleStart "schedule.start" job::ScheduleStart { Operation 1 Debug / Error Schedule Produced;
        Horizon "SCHEDULED-TASK-RUN" SF }
    ScheduleFinished "schedule.finished" job::ScheduleFinished {
        Occurrence 1 Info / Error Schedule Produced; Czertainly "scheduled_job_finished" Any;
        Horizon "SCHEDULED-TASK-COMPLETE" SF }
    MonitorStart "monitor.start" job::MonitorStart { Operation 1 Debug / Error Monitor Produced;
        Horizon "INTERNAL-MONITOR-INIT" F }
    MonitorRun "monitor.run" job::MonitorRun { Operation 1 Debug / Error Monitor Produced;
        Horizon "INTERNAL-MONITOR-RUN" S }
    AnalyticsFlushCertificates "analytics.flush_certificates" job::FlushCertificates {
        Operation 1 Info / Error Other Planned; Horizon "ANALYTICS-CERTIFICATES-FLUSH" SF }
    AnalyticsFlushDiscoveryEvents "analytics.flush_discovery_events" job::FlushDiscoveryEvents {
        Operation 1 Info / Error Other Planned; Horizon "ANALYTICS-DISCOVERY-EVENTS-FLUSH" SF }
    AnalyticsFlushEvents "analytics.flush_events" job::FlushEvents {
        Operation 1 Info / Error Other Planned; Horizon "ANALYTICS-EVENTS-FLUSH" SF }

    // Alerts.
    AlertRaised "alert.raised" alert::Raised { Occurrence 1 Warning / Error Alert Produced;
        Qcecuring "ERROR" F; Qcecuring "WARN" W }
    AlertEscalated "alert.escalated" alert::Escalated { Occurrence 1 Warning / Error Alert Produced }
    AlertWoken "alert.woken" alert::Woken { Occurrence 1 Info Alert Produced }
    AlertResolved "alert.resolved" alert::Resolved { Occurrence 1 Info Alert Produced }
    AlertRead "alert.read" alert::Read { Operation 1 Debug / Info Alert Produced }
    AlertAcknowledge "alert.acknowledge" alert::Acknowledge {
        Operation 1 Info / Warning Alert Produced }
    AlertAssign "alert.assign" alert::Assign { Operation 1 Info / Warning Alert Produced }
    AlertSnooze "alert.snooze" alert::Snooze { Operation 1 Info / Warning Alert Produced }
    AlertResolve "alert.resolve" alert::Resolve { Operation 1 Info / Warning Alert Produced }
    AlertReopen "alert.reopen" alert::Reopen { Operation 1 Info / Warning Alert Produced }
    AlertExport "alert.export" alert::Export { Operation 1 Info / Warning Alert Produced }

    // Secrets and gateways.
    SecretRotationDue "secret.rotation_due" secret::RotationDue { Monitoring 1 Info Secret Planned;
        Akeyless "next-automatic-rotation" Any }
    SecretRotate "secret.rotate" secret::Rotate { Operation 1 Info / Error Secret Planned;
        Akeyless "rotated-secret-success" S; Akeyless "rotated-secret-failure" F;
        Akeyless "rotated-secret-partial-failure" W }
    SecretSync "secret.sync" secret::Sync { Operation 1 Info / Error Secret Planned;
        Akeyless "secret-sync" F }
    SecretProduce "secret.produce" secret::Produce { Operation 1 Info / Error Secret Planned;
        Akeyless "dynamic-secret-failure" F }
    SecretUpdate "secret.update" secret::Update { Operation 1 Info / Warning Secret Planned;
        Akeyless "static-secret-updated" S }
    SecretUnused "secret.unused" secret::Unused { Monitoring 1 Warning Secret Produced;
        Akeyless "usage_unused" Any }
    SecretUnrotated "secret.unrotated" secret::Unrotated { Monitoring 1 Warning Secret Produced;
        Akeyless "usage_unrotated" Any }
    GatewayInactive "gateway.inactive" secret::GatewayInactive { Occurrence 1 Error Gateway Planned;
        Akeyless "gateway-inactive" Any }
    GatewayCertificateExpiring "gateway.certificate_expiring" secret::GatewayCertificateExpiring {
        Monitoring 1 Warning Gateway Planned; Akeyless "gateway-certificate-about-to-expire" Any }
    GatewayCertificateExpired "gateway.certificate_expired" secret::GatewayCertificateExpired {
        Monitoring 1 Error Gateway Planned; Akeyless "gateway-certificate-expired" Any }

    // Other systems.
    IntakeReceived "intake.received" intake::Received {
        Occurrence 1 Info / Error ThirdParty Produced }
    IntakeRefused "intake.refused" intake::Refused {
        Occurrence 1 Warning / Warning ThirdParty Produced }

    // The service and its log.
    ServiceStart "service.start" log::ServiceStart { Operation 1 Info / Critical Node Produced;
        Horizon "SERVICE-START" SF }
    ServiceStop "service.stop" log::ServiceStop { Operation 1 Info / Error Node Produced;
        Horizon "SERVICE-STOP" S }
    EventUnsealedPending "event.unsealed_pending" log::UnsealedPending {
        Occurrence 1 Critical Event Produced; Horizon "UNSEALED-PENDING-EVENT" FW }
    EventInvalidPendingSeal "event.invalid_pending_seal" log::InvalidPendingSeal {
        Occurrence 1 Critical Event Produced; Horizon "INVALID-SEAL-PENDING-EVENT" FW }
    EventErase "event.erase" log::EventErase { Operation 1 Warning / Error Event Produced }
    EventExport "event.export" log::EventExport { Operation 1 Info / Warning Event Produced }
    LogKeyCreate "log.key_create" log::KeyCreate { Operation 1 Warning / Critical Log Produced }
    LogSealStopped "log.seal_stopped" log::SealStopped { Occurrence 1 Critical Log Produced }
    NodeVanished "node.vanished" log::NodeVanished { Occurrence 1 Error Node Produced }
    NodeReturned "node.returned" log::NodeReturned { Occurrence 1 Warning Node Produced }
    LogRestore "log.restore" log::Restore { Operation 1 Warning / Critical Log Produced }
    LogVerify "log.verify" log::Verify { Operation 1 Info / Critical Log Produced }
    RetentionRun "retention.run" log::RetentionRun {
        Operation 1 Warning / Error Configuration Produced }
    LegalHoldPlace "legal_hold.place" log::HoldPlace {
        Operation 1 Warning / Error Configuration Produced }
    LegalHoldRelease "legal_hold.release" log::HoldRelease {
        Operation 1 Warning / Error Configuration Produced }
    BackupCreate "backup.create" log::BackupCreate { Operation 1 Info / Error Other Produced }
}
