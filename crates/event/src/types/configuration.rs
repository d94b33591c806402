//! Objects of configuration: groups, RA profiles, custom attributes, saved views and later ones.
//!
//! One type per operation, whatever the class: the class stands in the detail and the kind of the
//! first target says the same.

use super::{Change, Word};

payloads! {
    /// An object of configuration was created: a group, an RA profile, a custom attribute, a view.
    Create {
        /// `group`, `ra_profile`, `attribute`, `view` or a later class.
        class: Word,
        /// Identifier it was given; absent when it was not created.
        object_id: Option<String>,
        /// Its name.
        object_name: Option<String>,
        /// What it was created with, member by member; never a secret.
        changes: Vec<Change>,
    }

    /// An object of configuration was changed.
    Update {
        /// `group`, `ra_profile`, `attribute`, `view` or a later class.
        class: Word,
        /// Its identifier.
        object_id: Option<String>,
        /// Its name, after the change.
        object_name: Option<String>,
        /// What changed, member by member; never a secret.
        changes: Vec<Change>,
    }

    /// An object of configuration was deleted.
    Delete {
        /// `group`, `ra_profile`, `attribute`, `view` or a later class.
        class: Word,
        /// Its identifier.
        object_id: Option<String>,
        /// The name it had.
        object_name: Option<String>,
        /// How many certificates carried it.
        certificates: Option<u64>,
    }

    /// An object of configuration was tried out without effect on others.
    Test {
        /// `channel`, `trigger` or a later class.
        class: Word,
        /// Its identifier.
        object_id: Option<String>,
        /// Its name.
        object_name: Option<String>,
    }

    /// The list of the objects of a class was handed out as a file, without secrets.
    Export {
        /// `trigger`, `monitor`, `channel` or another class.
        class: Word,
        /// `csv` or `ndjson`.
        format: Word,
        /// How many were exported.
        count: u64,
        /// Whether a query chose them; without one they were all that there are.
        filtered: bool,
    }
    personal {
        /// The query that chose them, as text; it may name people.
        query,
    }
}
