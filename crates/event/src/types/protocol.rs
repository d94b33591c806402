//! Requests that came in by ACME, EST, SCEP or CRMP.

use super::Word;

/// Payloads of requests of one protocol, which share most of what there is to tell.
macro_rules! requests {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident { $($(#[$meta:meta])+ $field:ident: $type:ty,)* }
    )+) => {
        payloads! {$(
            $(#[doc = $doc])+
            $name {
                /// Name of the protocol's profile that was addressed.
                profile: Option<String>,
                $($(#[$meta])+ $field: $type,)*
                /// The protocol's own word for an error, such as `badCSR` or `badMessageCheck`.
                protocol_error: Option<String>,
            }
        )+}
    };
}

requests! {
    /// An ACME client asked for another key of its account (RFC 8555 §7.3.5).
    AcmeAccountChangeKey {
        /// The ACME account.
        acme_account_id: Option<String>,
        /// Thumbprint of the new key (RFC 7638), base64url.
        key_thumbprint: Option<String>,
    }
    /// An ACME client asked for an account (RFC 8555 §7.3).
    AcmeAccountRegister {
        /// The ACME account.
        acme_account_id: Option<String>,
        /// Whether it was bound to an account outside.
        external_binding: bool,
    }
    /// An ACME client asked to change its account (RFC 8555 §7.3.2).
    AcmeAccountUpdate {
        /// The ACME account.
        acme_account_id: Option<String>,
        /// Names of the members that were to change.
        changed: Vec<String>,
    }
    /// An ACME client asked to give up an authorisation (RFC 8555 §7.5.2).
    AcmeAuthorizationDeactivate {
        /// The ACME authorisation.
        authorization_id: Option<String>,
    }
    /// An ACME client said that a challenge is ready (RFC 8555 §7.5.1).
    AcmeChallengeRequest {
        /// The ACME authorisation.
        authorization_id: Option<String>,
        /// `http-01`, `dns-01`, `tls-alpn-01` or a later one.
        challenge: Word,
        /// The identifier to be proved, such as `www.example.com`.
        identifier: Option<String>,
    }
    /// An ACME challenge was verified by asking for its answer (RFC 8555 §8).
    AcmeChallengeVerify {
        /// The ACME authorisation.
        authorization_id: Option<String>,
        /// `http-01`, `dns-01`, `tls-alpn-01` or a later one.
        challenge: Word,
        /// The identifier to be proved, such as `www.example.com`.
        identifier: Option<String>,
        /// Which attempt, from 1.
        attempt: Option<u32>,
    }
    /// An ACME client asked for an order (RFC 8555 §7.4).
    AcmeOrderCreate {
        /// The ACME order.
        order_id: Option<String>,
        /// The identifiers it is for.
        identifiers: Vec<String>,
    }
    /// An ACME order moved to another state (RFC 8555 §7.1.6).
    AcmeOrderUpdate {
        /// The ACME order.
        order_id: Option<String>,
        /// State before.
        old_state: Option<Word>,
        /// State after.
        new_state: Option<Word>,
    }
    /// An ACME client sent the signing request of its order (RFC 8555 §7.4).
    AcmeOrderFinalize {
        /// The ACME order.
        order_id: Option<String>,
        /// The identifiers in the signing request.
        identifiers: Vec<String>,
    }
    /// An ACME client fetched its certificate (RFC 8555 §7.4.2).
    AcmeCertificateDownload {
        /// The ACME order.
        order_id: Option<String>,
        /// SHA-256 of the certificate's DER, 64 lower-case hexadecimal digits.
        fingerprint_sha256: Option<String>,
    }
    /// An ACME client asked to revoke a certificate (RFC 8555 §7.6).
    AcmeCertificateRevoke {
        /// SHA-256 of the certificate's DER, 64 lower-case hexadecimal digits.
        fingerprint_sha256: Option<String>,
        /// Reason as in RFC 5280 §5.3.1, such as `keyCompromise`.
        revocation_reason: Option<Word>,
    }

    /// An EST client asked for the certificates of the authority (RFC 7030 §4.1).
    EstFetchCaCertificates {
        /// How many certificates were in the answer.
        count: Option<u32>,
    }
    /// An EST client asked for a certificate (RFC 7030 §4.2.1).
    EstEnroll {
        /// SHA-256 of the certificate's DER, 64 lower-case hexadecimal digits.
        fingerprint_sha256: Option<String>,
    }
    /// An EST client asked for a certificate in place of its own (RFC 7030 §4.2.2).
    EstReenroll {
        /// SHA-256 of the new certificate's DER, 64 lower-case hexadecimal digits.
        fingerprint_sha256: Option<String>,
        /// SHA-256 of the old certificate's DER, 64 lower-case hexadecimal digits.
        old_fingerprint_sha256: Option<String>,
    }

    /// A SCEP client asked for a certificate (RFC 8894 §3.3.1, PKCSReq).
    ScepEnroll {
        /// The client's transaction identifier.
        scep_transaction: Option<String>,
        /// SHA-256 of the certificate's DER, 64 lower-case hexadecimal digits.
        fingerprint_sha256: Option<String>,
    }
    /// A SCEP client asked for a certificate in place of its own (RFC 8894 §3.3.1, RenewalReq).
    ScepRenew {
        /// The client's transaction identifier.
        scep_transaction: Option<String>,
        /// SHA-256 of the new certificate's DER, 64 lower-case hexadecimal digits.
        fingerprint_sha256: Option<String>,
        /// SHA-256 of the old certificate's DER, 64 lower-case hexadecimal digits.
        old_fingerprint_sha256: Option<String>,
    }
    /// A SCEP client asked for a pending certificate (RFC 8894 §3.3.3, CertPoll).
    ScepPoll {
        /// The client's transaction identifier.
        scep_transaction: Option<String>,
    }
    /// A SCEP client asked for the certificates of the authority (RFC 8894 §4.2).
    ScepFetchCaCertificates {
        /// How many certificates were in the answer.
        count: Option<u32>,
    }
    /// The registration authority of a SCEP profile was asked for.
    ScepFetchRa {
        /// The authority.
        authority_id: Option<String>,
    }
    /// A client used SCEP through the addresses of the Windows enrolment service.
    ScepEmulateNdes {
        /// Path that was used, such as `mscep_admin`.
        endpoint: Option<String>,
    }
    /// A call of the SCEP endpoint was handed to its operation.
    ScepDispatch {
        /// The operation that was named, such as `PKIOperation`.
        scep_operation: Option<String>,
    }
    /// A SCEP message was unwrapped: signature, encryption, kind (RFC 8894 §3.2).
    ScepUnwrap {
        /// The client's transaction identifier.
        scep_transaction: Option<String>,
        /// Kind of the message, such as `PKCSReq`.
        message_kind: Option<Word>,
    }

    /// A card management system proved who it is.
    CrmpAuthenticate {
        /// SHA-256 of the client certificate's DER, 64 lower-case hexadecimal digits.
        fingerprint_sha256: Option<String>,
    }
    /// A card management system sent what cannot be understood.
    CrmpDispatch {
        /// The action that was named.
        crmp_action: Option<String>,
    }
    /// A card management system asked for a certificate.
    CrmpEnroll {
        /// Whether the key was made here rather than on the card.
        central_key: bool,
        /// SHA-256 of the certificate's DER, 64 lower-case hexadecimal digits.
        fingerprint_sha256: Option<String>,
    }
    /// A card management system asked which profiles there are.
    CrmpList {
        /// How many profiles were in the answer.
        count: Option<u32>,
    }
    /// A card management system asked for the fields of a profile.
    CrmpDescribeProfile {
        /// How many fields were in the answer.
        count: Option<u32>,
    }
    /// A card management system asked for an escrowed key.
    CrmpRecover {
        /// SHA-256 of the certificate's DER, 64 lower-case hexadecimal digits.
        fingerprint_sha256: Option<String>,
    }
    /// A card management system asked for the certificates of a holder.
    CrmpRetrieve {
        /// How many certificates were in the answer.
        count: Option<u32>,
    }
    /// A card management system asked to revoke a certificate.
    CrmpRevoke {
        /// SHA-256 of the certificate's DER, 64 lower-case hexadecimal digits.
        fingerprint_sha256: Option<String>,
        /// Reason as in RFC 5280 §5.3.1, such as `keyCompromise`.
        revocation_reason: Option<Word>,
    }
}
