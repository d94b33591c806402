//! Jobs, schedules and monitors.

use super::Word;
use crate::id::{AccountId, JobId};
use crate::time::Timestamp;

payloads! {
    /// A job waits for its turn.
    Queued {
        /// The job.
        job_id: JobId,
        /// What it does, such as `certificate.upload`.
        job_kind: Word,
    }

    /// A job has begun.
    Started {
        /// The job.
        job_id: JobId,
        /// What it does, such as `certificate.upload`.
        job_kind: Word,
        /// Which attempt, from 1.
        attempt: u32,
    }

    /// A job has ended, well or not: no attempt is left to make.
    Finished {
        /// The job.
        job_id: JobId,
        /// What it does, such as `certificate.upload`.
        job_kind: Word,
        /// State it ended in: `succeeded`, `failed` or `cancelled`.
        state: Word,
        /// How many attempts were made.
        attempts: u32,
        /// When it was queued.
        queued_at: Timestamp,
        /// From when its last try began to its end, in milliseconds.
        duration_ms: u64,
        /// Account that started it.
        started_by: Option<AccountId>,
        /// How many items it worked on.
        items: Option<u64>,
        /// How many of them failed.
        items_failed: Option<u64>,
    }

    /// A job that had failed was put back in the queue.
    Retry {
        /// The job.
        job_id: Option<JobId>,
        /// What it does, such as `certificate.upload`.
        job_kind: Option<Word>,
        /// How many attempts had been made.
        attempts: Option<u32>,
    }

    /// A job was cancelled before its end.
    Cancel {
        /// The job.
        job_id: Option<JobId>,
        /// What it does, such as `certificate.upload`.
        job_kind: Option<Word>,
        /// State it was in: `queued` or `running`.
        old_state: Option<Word>,
    }

    /// A schedule was due and its task was started.
    ScheduleStart {
        /// The schedule.
        schedule_id: Option<String>,
        /// What its task is, such as `report`.
        job_kind: Word,
        /// When it was due.
        due_at: Option<Timestamp>,
        /// The job that does it.
        job_id: Option<JobId>,
    }

    /// The task of a schedule has ended, well or not.
    ScheduleFinished {
        /// The schedule.
        schedule_id: String,
        /// Name of the schedule.
        schedule_name: String,
        /// What its task is, such as `report`.
        job_kind: Word,
        /// State it ended in: `succeeded` or `failed`.
        state: Word,
        /// From its start to its end, in milliseconds.
        duration_ms: Option<u64>,
    }

    /// A monitor was set up from its configuration.
    MonitorStart {
        /// Name of the monitor.
        monitor: String,
        /// Version of its definition.
        monitor_version: i64,
        /// What it watches, such as `certificate_expiry`.
        monitor_kind: Option<Word>,
        /// How many objects it watches from now on.
        watched: Option<u64>,
    }

    /// A monitor looked at what it watches.
    MonitorRun {
        /// Name of the monitor.
        monitor: String,
        /// Version of its definition.
        monitor_version: Option<i64>,
        /// When it was due; absent when somebody asked for it.
        due_at: Option<Timestamp>,
        /// How many objects there are to watch.
        inventory: u64,
        /// How many of them it watches; the time of each was compared with the present.
        watched: u64,
        /// How many of them were due, and evaluated one by one.
        evaluated: u64,
        /// How many of them it reported.
        found: u64,
        /// How many it skipped.
        skipped: u64,
        /// Reasons for skipping, each with its count, such as `archived: 12`.
        skipped_because: Vec<String>,
        /// Objects that should have been watched and were not, or the other way round; put right.
        repaired: u64,
        /// How long it took, in milliseconds.
        duration_ms: u64,
    }

    /// Local tables derived from certificates were emptied to be built anew.
    FlushCertificates {
        /// How many rows were removed.
        rows: Option<u64>,
    }

    /// Local tables derived from discovery events were emptied to be built anew.
    FlushDiscoveryEvents {
        /// How many rows were removed.
        rows: Option<u64>,
    }

    /// Local tables derived from events were emptied to be built anew.
    FlushEvents {
        /// How many rows were removed.
        rows: Option<u64>,
    }

    /// Jobs were taken out as a file.
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
