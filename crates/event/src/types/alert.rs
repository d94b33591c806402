//! What a person has to look at.

use super::Word;

payloads! {
    /// An alert was raised for a person to look at.
    Raised {
        /// Identifier of the alert.
        alert_id: String,
        /// What it is about, such as `renewal_failed`.
        alert_kind: Word,
        /// Its title, one line.
        title: String,
        /// The object it is about, as `kind/id`.
        object: Option<String>,
    }
}
