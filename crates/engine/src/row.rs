//! Rows of the store as the engine hands them out, for the edges, which do not know the store.

pub use chancery_store::log::{Checkpoint, Sealed};
pub use chancery_store::table::alert::Alert;
pub use chancery_store::table::attribute::Attribute;
pub use chancery_store::table::certificate::{Certificate, Name};
pub use chancery_store::table::job::Job;
pub use chancery_store::table::label::Label;
pub use chancery_store::table::task::Run;
pub use chancery_store::table::view::View;
