//! The log: pending events, sealed events, tiles, checkpoints, cursors.
//!
//! An event is *recorded* when its row in `pending_event` commits together with the change it tells
//! of. It is *sealed* when [`sequence`] has given it its index and a signed checkpoint covers it
//! ([`publish`]). Only the sealer calls these two. Everybody else reads [`Sealed`] events, by
//! index.
//!
//! Crash between the two: the entries have indexes, no checkpoint covers them yet; the sealer
//! finishes with `publish` when it starts again.

mod alike;
mod audit;
mod cursor;
mod part;
mod pending;
mod personal;
mod projection;
mod sealed;
mod search;
mod sequence;
mod statistics;
mod tile;
mod trim;

pub use alike::{Alike, Group, alike, newest_of};
pub use audit::{Audited, audit, surplus};
pub use cursor::{cursor, cursors, move_cursor};
pub(crate) use part::make_room;
pub use part::{Part, WIDTH as PART_WIDTH, drop_part, newest_time, parts, set_width};
pub(crate) use pending::insert_pending;
pub use pending::{
    PendingRow, Quarantine, QuarantineReason, any_removed, any_sealed, is_pending, is_recorded,
    pending, pending_count, quarantine, quarantined_count, sealed_ids,
};
pub use personal::erase;
pub use projection::{Projection, project};
pub(crate) use projection::{Rows, write_rows};
pub use sealed::{
    Glance, Sealed, at_indexes, by_id, by_index, entries, entry_of, entry_rows, first_since,
    glances, latest_index, latest_time, newest_of_types, of_types, of_types_bare, range,
};
pub use search::{
    ACTORS_COUNTED, Bucket, Count, Counted, EventPage, FacetGroup, PageRequest, actors, bars,
    count, facets, page,
};

pub use sequence::{Checkpoint, Indexed, Sequence, State, checkpoint, publish, sequence, state};
pub(crate) use sequence::{EVENT_HEAD, EVENT_ROWS, EVENT_WIDTH, push_event};
pub use statistics::analyze;
pub use tile::{tile, tiles};
pub(crate) use trim::{HOLDS, holds_revision};
pub use trim::{Removal, removal, removed_bounds, removed_by, removed_index, removed_spans, trim};
