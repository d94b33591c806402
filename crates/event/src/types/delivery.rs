//! What leaves the house: how it goes with destinations and deliveries.

use super::Word;
use crate::id::{AlertId, DeliveryId};
use crate::time::Timestamp;

payloads! {
    /// An attempt at a delivery failed where the last one had got through. Said once, not for each
    /// attempt.
    Failing {
        /// Name of the destination.
        destination: String,
        /// How it sends, such as `webhook`.
        destination_kind: Word,
        /// The delivery.
        delivery_id: DeliveryId,
        /// Status of the answer, if there was one.
        http_status: Option<u16>,
        /// Why it failed, in one word.
        failure: Word,
    }

    /// A delivery got through after attempts had failed.
    Recovered {
        /// Name of the destination.
        destination: String,
        /// How it sends, such as `webhook`.
        destination_kind: Word,
        /// The delivery that got through.
        delivery_id: DeliveryId,
        /// How many attempts in a row had failed.
        failures: u32,
        /// When the first of them was.
        failing_since: Option<Timestamp>,
    }

    /// Deliveries were given up after attempts over days. They are kept, and can be sent again.
    Exhausted {
        /// Name of the destination.
        destination: String,
        /// How it sends, such as `webhook`.
        destination_kind: Word,
        /// The first of them.
        delivery_id: DeliveryId,
        /// How many there were.
        deliveries: u32,
        /// How many attempts the first took.
        attempts: u32,
    }

    /// A destination was switched off, because nothing got through to it for days, or because it
    /// asked for that.
    Disabled {
        /// Name of the destination.
        destination: String,
        /// How it sends, such as `webhook`.
        destination_kind: Word,
        /// Why: `failing` or `gone`.
        because: Word,
        /// How many attempts in a row had failed.
        failures: u32,
        /// When the first of them was.
        failing_since: Option<Timestamp>,
    }

    /// A mail server refused a recipient for good. Said once, until the address is taken again.
    RecipientRefused {
        /// Name of the channel.
        destination: String,
    }
    personal {
        /// The address.
        recipient_address,
    }

    /// Nobody acknowledged an alert in time: the next ones were told.
    NotificationEscalated {
        /// The alert.
        alert_id: AlertId,
        /// The notification profile.
        profile: String,
        /// Which level, from 1.
        level: u32,
        /// How many were told.
        told: u32,
    }

    /// The canary's message did not arrive through a channel in time.
    CanaryMissed {
        /// Name of the channel; `bell` for the program's own.
        channel: String,
        /// How long it was waited for, in seconds.
        waited_s: u64,
        /// Why, in one word, such as `not_delivered` or `not_told`.
        because: Word,
    }

    /// The canary's message arrives through a channel again.
    CanaryArrived {
        /// Name of the channel; `bell` for the program's own.
        channel: String,
    }

    /// A forwarder is far behind the log.
    Lagging {
        /// Name of the forwarder.
        destination: String,
        /// Log index that it has come to.
        next_index: u64,
        /// Size of the log.
        log_size: u64,
        /// Age of the oldest event that it has not sent, in seconds.
        lag_s: u64,
    }

    /// A forwarder that was far behind has caught up.
    CaughtUp {
        /// Name of the forwarder.
        destination: String,
        /// Log index that it has come to.
        next_index: u64,
    }

    /// A delivery was put back to be sent once more.
    Resend {
        /// The delivery.
        delivery_id: Option<DeliveryId>,
        /// Name of the destination.
        destination: Option<String>,
        /// State it was in.
        old_state: Option<Word>,
    }

    /// The deliveries of a destination that had been given up were put back to be sent.
    Recover {
        /// Name of the destination.
        destination: String,
        /// Those made at this time or later.
        since: Timestamp,
        /// How many there were.
        deliveries: Option<u64>,
    }

    /// Decisions about notifications were handed out as a file.
    NoticeExport {
        /// `csv` or `ndjson`.
        format: Word,
        /// How many were exported.
        count: u64,
        /// Whether a query chose them; without one they were all that the caller may see.
        filtered: bool,
    }
    personal {
        /// The query that chose them, as text; it may name people.
        query,
    }

    /// The list of deliveries was handed out as a file.
    Export {
        /// `csv` or `ndjson`.
        format: Word,
        /// How many were exported.
        count: u64,
        /// Whether a query chose them; without one they were all that the caller may see.
        filtered: bool,
    }
    personal {
        /// The query that chose them, as text; it may name people.
        query,
    }

    /// The list of forwarders was handed out as a file.
    ForwarderExport {
        /// `csv` or `ndjson`.
        format: Word,
        /// How many were exported.
        count: u64,
        /// Whether a query chose them; without one they were all that the caller may see.
        filtered: bool,
    }
    personal {
        /// The query that chose them, as text; it may name people.
        query,
    }

    /// Events of the log were put in the queue of a forwarder once more.
    Replay {
        /// Name of the forwarder.
        destination: String,
        /// From this log index on.
        from_index: u64,
        /// Up to this log index, which is not part of it any more.
        to_index: Option<u64>,
        /// How many deliveries were made of them.
        deliveries: Option<u64>,
    }
}
