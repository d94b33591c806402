//! The sealed log, its keys and checks; the service itself and its copies.

use super::Word;
use crate::id::{EventId, NodeId};
use crate::time::Timestamp;

payloads! {
    /// A node started and can serve.
    ServiceStart {
        /// The node.
        node_id: NodeId,
        /// Version of the program.
        program_version: String,
        /// Version of the store's schema.
        schema_version: Option<u32>,
        /// Size of the sealed log when it started, in entries.
        log_size: Option<u64>,
        /// Whether the last stop left everything in order.
        clean: Option<bool>,
    }

    /// A node stopped because it was told to.
    ServiceStop {
        /// The node.
        node_id: NodeId,
        /// What told it: `signal`, `command` or `fault`.
        stopped_by: Word,
        /// How long it had run, in seconds.
        uptime_s: u64,
    }

    /// A node has shown no life for a while: it ended without saying so, is frozen, or is cut off
    /// from the database. Others do its work.
    NodeVanished {
        /// The node.
        node_id: NodeId,
        /// Name of its machine.
        host: String,
        /// When it last showed that it lives, by its own clock.
        seen_at: Timestamp,
        /// The node that noticed.
        found_by: NodeId,
    }

    /// A node that had vanished shows life again. What it alone had done is done by others.
    NodeReturned {
        /// The node.
        node_id: NodeId,
        /// Name of its machine.
        host: String,
        /// How long it had counted as gone, in seconds.
        away_s: u64,
    }

    /// A recorded event waited to be sealed without the mark that proves where it comes from. It
    /// was set aside.
    UnsealedPending {
        /// The event, when its identifier could be read.
        event_id: Option<EventId>,
        /// Row of the store that was set aside.
        row: u64,
        /// SHA-256 of its bytes, 64 lower-case hexadecimal digits.
        bytes_sha256: Option<String>,
    }

    /// A recorded event waited to be sealed with a mark that does not fit its bytes. It was set
    /// aside.
    InvalidPendingSeal {
        /// The event, when its identifier could be read.
        event_id: Option<EventId>,
        /// Row of the store that was set aside.
        row: u64,
        /// SHA-256 of its bytes, 64 lower-case hexadecimal digits.
        bytes_sha256: Option<String>,
    }

    /// The personal part of events was erased; the sealed log did not change.
    EventErase {
        /// How many events lost their personal part.
        count: u64,
        /// Log index of the first of them.
        first_index: Option<u64>,
        /// Log index of the last of them.
        last_index: Option<u64>,
        /// On which ground, such as `retention` or `request`.
        ground: Word,
    }
    personal {
        /// The query that chose them, as text; it may name people.
        query,
    }

    /// Events were taken out as a file.
    EventExport {
        /// `json`, `ndjson`, `csv` or a dialect.
        format: Word,
        /// How many events were exported.
        count: u64,
        /// Log index of the first of them.
        first_index: Option<u64>,
        /// Log index of the last of them.
        last_index: Option<u64>,
        /// Whether a query chose them; without one they were all.
        filtered: bool,
        /// Whether personal parts were in clear.
        with_personal: bool,
    }
    personal {
        /// The query that chose them, as text; it may name people.
        query,
    }

    /// A key that signs checkpoints of the log was created.
    KeyCreate {
        /// Name of the log in its checkpoints.
        origin: String,
        /// Key identifier as in a signed note, 8 lower-case hexadecimal digits.
        key_id: String,
        /// Algorithm, such as `ed25519`.
        algorithm: Word,
    }

    /// The sealer stopped: what it read back is not what it had sealed, or it failed again and
    /// again.
    SealStopped {
        /// Why: `root_mismatch`, `entry_missing`, `tree_damaged`, `log_lost` where the database
        /// lacks what is known to have been sealed, `unreadable` for an event of a newer version
        /// that no node can read, or `store` for a failure that did not pass.
        stopped_by: Word,
        /// Size of the log at its last good checkpoint, in entries.
        log_size: u64,
        /// Root hash it expected, 64 lower-case hexadecimal digits.
        expected_root: Option<String>,
        /// Root hash it computed, 64 lower-case hexadecimal digits.
        computed_root: Option<String>,
    }

    /// The log was verified from its bytes.
    Verify {
        /// Log index of the first entry that was checked.
        first_index: u64,
        /// How many entries were checked.
        count: u64,
        /// Size of the log that the checkpoint speaks of, in entries.
        log_size: u64,
        /// Root hash, 64 lower-case hexadecimal digits.
        root: Option<String>,
        /// How long it took, in milliseconds.
        duration_ms: u64,
    }

    /// The data was put back from a copy, and the log goes on from there.
    Restore {
        /// Size of the sealed log in the copy, in entries: the log goes on from here.
        log_size: u64,
        /// Size of the newest checkpoint that is known to have been published, in entries.
        published_size: Option<u64>,
        /// Its root hash, 64 lower-case hexadecimal digits.
        published_root: Option<String>,
        /// How many published entries the copy does not have. They are lost, and other events take
        /// their indexes; absent when no published checkpoint was named.
        lost: Option<u64>,
    }

    /// A rule of retention was followed: events were removed from the database. They stay in the
    /// sealed log and in the archive.
    RetentionRun {
        /// Name of the rule.
        rule: String,
        /// Its version.
        rule_version: i64,
        /// From what its days count: `event` or `expiry`.
        basis: Word,
        /// How many days after that events are removed.
        after_days: u32,
        /// How many events were removed.
        removed: u64,
        /// How many events legal holds kept.
        held: u64,
        /// Log index of the first event that was removed.
        first_index: Option<u64>,
        /// Log index of the last event that was removed.
        last_index: Option<u64>,
        /// Where the entries are now, without credentials.
        archive: Option<String>,
    }
    personal {
        /// The filter of the rule, as text; it may name people.
        query,
    }

    /// A legal hold was placed: no rule of retention removes what it names.
    HoldPlace {
        /// Name of the hold.
        hold: String,
    }
    personal {
        /// Which events it holds, as a filter; it may name people.
        query,
        /// Why.
        note,
    }

    /// A legal hold was ended: rules of retention may remove what it had kept.
    HoldRelease {
        /// Name of the hold.
        hold: String,
        /// Since when it had lasted.
        placed_at: Option<Timestamp>,
    }

    /// A copy of the store was made.
    BackupCreate {
        /// Size of the copy, in bytes.
        size_bytes: Option<u64>,
        /// SHA-256 of the copy, 64 lower-case hexadecimal digits.
        bytes_sha256: Option<String>,
        /// Size of the sealed log in it, in entries.
        log_size: Option<u64>,
        /// When the store was as in the copy.
        as_of: Option<Timestamp>,
    }
}
