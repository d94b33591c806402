//! What a person has to look at, and what people do about it.
//!
//! Titles are written by the program and never name a person or repeat what somebody typed; a
//! message that may do either stands in the personal part.

use super::Word;
use crate::id::{AccountId, AlertId};
use crate::time::Timestamp;

payloads! {
    /// An alert was raised for a person to look at.
    Raised {
        /// Identifier of the alert.
        alert_id: String,
        /// What it is about, such as `job_failed`.
        alert_kind: Word,
        /// Its title, one line; names no person.
        title: String,
        /// What happened and what to do, where it is not about a person.
        message: Option<String>,
        /// The object it is about, as `kind/id`.
        object: Option<String>,
        /// What raised it: `job`, `trigger/NAME`, `monitor/NAME` or a part of the program.
        raised_by: Option<String>,
        /// The alert of the same cause before it, when the cause has come back.
        previous_alert: Option<AlertId>,
    }
    personal {
        /// What happened and what to do, where it may be about a person.
        private_message,
    }

    /// An open alert has become more severe, because its cause has.
    Escalated {
        /// Identifier of the alert.
        alert_id: AlertId,
        /// What it is about, such as `job_failed`.
        alert_kind: Word,
        /// How severe it was.
        old_severity: Word,
        /// How severe it is.
        new_severity: Word,
        /// How often its cause has occurred.
        occurrences: u64,
    }

    /// A snoozed alert is back among those that need somebody.
    Woken {
        /// Identifier of the alert.
        alert_id: AlertId,
        /// What it is about, such as `job_failed`.
        alert_kind: Word,
        /// Why: `time_over`, or `changed` when its cause has occurred again.
        woken_by: Word,
    }

    /// The cause of an alert is gone: it was resolved without anybody's doing.
    Resolved {
        /// Identifier of the alert.
        alert_id: AlertId,
        /// What it is about, such as `job_failed`.
        alert_kind: Word,
        /// Why the cause is gone, such as `job_succeeded`.
        resolved_because: Word,
        /// How often its cause had occurred.
        occurrences: u64,
        /// How long it was open, in seconds.
        open_s: u64,
    }

    /// Alerts were marked as read, or as unread, by the account that reads them.
    Read {
        /// How many alerts.
        alerts: u64,
        /// What they count as now: `read` or `unread`.
        marked_as: Word,
        /// Everything there was at this time, not single alerts.
        everything: bool,
    }

    /// Somebody said that they have seen alerts and take care of them, or took that back.
    Acknowledge {
        /// How many alerts.
        alerts: u64,
        /// What they count as now: `acknowledged` or `unacknowledged`.
        marked_as: Word,
    }

    /// Alerts were given to somebody to deal with, or to nobody.
    Assign {
        /// How many alerts.
        alerts: u64,
        /// Account they were given to; absent: nobody.
        assigned_to: Option<AccountId>,
    }

    /// Alerts were put out of sight for a while, or brought back before its end.
    Snooze {
        /// How many alerts.
        alerts: u64,
        /// Until when at most; absent: the snooze was ended.
        until: Option<Timestamp>,
        /// It ends earlier when the cause occurs again.
        until_change: bool,
    }

    /// Somebody declared alerts dealt with.
    Resolve {
        /// How many alerts.
        alerts: u64,
    }
    personal {
        /// What they said about it.
        comment,
    }

    /// Resolved alerts were opened again.
    Reopen {
        /// How many alerts.
        alerts: u64,
    }

    /// Alerts were taken out as a file.
    Export {
        /// `ndjson` or `csv`.
        format: Word,
        /// How many were exported.
        count: u64,
        /// Whether a query chose them; without one they were all.
        filtered: bool,
    }
    personal {
        /// The query that chose them, as text; it may name people.
        query,
    }
}
