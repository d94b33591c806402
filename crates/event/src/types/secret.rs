//! Secrets that are rotated and synchronised, and the gateways in other networks.

use super::Word;
use crate::time::Timestamp;

payloads! {
    /// A monitor found that the automatic rotation of a secret or key is near.
    RotationDue {
        /// The secret.
        secret_id: String,
        /// When it will be rotated.
        due_at: Timestamp,
        /// The threshold that was crossed, in seconds before.
        threshold_s: i64,
    }

    /// A secret was rotated by its schedule, wholly, in part or not.
    Rotate {
        /// The secret.
        secret_id: Option<String>,
        /// How many places took the new value.
        updated: Option<u32>,
        /// How many did not.
        failed: Option<u32>,
    }

    /// A secret was carried over to an outside store.
    Sync {
        /// The secret.
        secret_id: Option<String>,
        /// The outside store.
        destination_id: Option<String>,
    }

    /// A secret was to be produced on demand.
    Produce {
        /// The secret.
        secret_id: Option<String>,
        /// What produces it, such as `postgresql`.
        producer_kind: Option<Word>,
    }

    /// The value of a kept secret was written.
    Update {
        /// The secret.
        secret_id: Option<String>,
        /// Version of the value, from 1.
        secret_version: Option<u32>,
    }

    /// A monitor found a secret that nobody has used or changed for long.
    Unused {
        /// The secret.
        secret_id: String,
        /// What it is, such as `token`.
        secret_kind: Word,
        /// When it was last used.
        last_used_at: Option<Timestamp>,
        /// The interval that has passed, in days.
        interval_days: u32,
    }

    /// A monitor found a secret that has not been rotated for long.
    Unrotated {
        /// The secret; of a password, the account.
        secret_id: String,
        /// What it is, such as `token`.
        secret_kind: Word,
        /// When it was last rotated.
        last_rotated_at: Option<Timestamp>,
        /// The interval that has passed, in days.
        interval_days: u32,
    }

    /// A gateway no longer reports.
    GatewayInactive {
        /// The gateway.
        gateway_id: String,
        /// Where it is reached.
        url: Option<String>,
        /// When it last reported.
        last_seen_at: Option<Timestamp>,
    }

    /// A monitor found that a certificate kept on a gateway nears its end.
    GatewayCertificateExpiring {
        /// The gateway.
        gateway_id: String,
        /// Name of the certificate in the gateway's store.
        entry_name: String,
        /// Its common name.
        common_name: Option<String>,
        /// End of validity.
        not_after: Timestamp,
    }

    /// A monitor found that a certificate kept on a gateway has passed its end.
    GatewayCertificateExpired {
        /// The gateway.
        gateway_id: String,
        /// Name of the certificate in the gateway's store.
        entry_name: String,
        /// Its common name.
        common_name: Option<String>,
        /// End of validity.
        not_after: Timestamp,
    }
}
