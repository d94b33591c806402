//! Sizes that are accepted from outside, and how long jobs are kept.

use std::collections::BTreeMap;

use super::reader::Reader;
use super::setting::Setting;

/// The settings of this section.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "limits.max_upload_bytes",
        default: "16 MiB",
        expected: "bytes between 1 KiB and 1 GiB, such as 16 MiB",
        meaning: "Largest body of a request, so the largest file that can be uploaded.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "limits.jobs_at_a_time",
        default: "none: each queue has its own",
        expected: "queues with a number each, such as upload=4 import=2",
        meaning: "How many jobs of a queue run at a time on each node; the page of jobs shows the queues.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "limits.keep_jobs_days",
        default: "90",
        expected: "days between 1 and 3650",
        meaning: "Jobs that have ended are kept so many days; one that failed can be tried again for 30 of them at most.",
        flag: None,
        is_secret: false,
    },
];

/// Sizes that are accepted from outside.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest body of a request, in bytes.
    pub max_upload_bytes: u64,
    /// How many jobs of a queue run at a time, where it is not as built in.
    pub jobs_at_a_time: BTreeMap<String, usize>,
    /// Jobs that have ended are kept this many days.
    pub keep_jobs_days: u32,
}

impl Limits {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let text: Option<String> = reader.optional("limits.jobs_at_a_time");
        let jobs_at_a_time = match chancery_engine::job::queue_limits(text.as_deref().unwrap_or(""))
        {
            Ok(limits) => limits,
            Err(reason) => {
                reader.refuse("limits.jobs_at_a_time", &reason);
                BTreeMap::new()
            }
        };
        Self {
            max_upload_bytes: reader.bytes("limits.max_upload_bytes", 16 << 20, 1 << 10..=1 << 30),
            jobs_at_a_time,
            keep_jobs_days: reader.number("limits.keep_jobs_days", 90, 1..=3_650) as u32,
        }
    }
}
