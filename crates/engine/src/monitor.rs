//! Monitors: scheduled checks that turn state into events.
//!
//! A monitor watches objects, each with the time of its next look, and a run reads only what is
//! due: its cost is that of what has to be told. Everything that enters is enrolled from the sealed
//! log, and every run counts what it watches against what there is. A threshold fires once for each
//! object: event, alert and mark share a transaction.
//!
//! Read in this order: `threshold` and `timetable` (pure), `definition`, `defaults`, `active`,
//! `enrolment`, `run`, `certificate`, `token`, `condition`, `forecast`, `view`. The clock itself is
//! in `agenda.rs`.

pub(crate) mod active;
pub(crate) mod alarm;
mod certificate;
pub(crate) mod condition;
pub(crate) mod defaults;
pub(crate) mod definition;
pub(crate) mod enrolment;
mod forecast;
pub(crate) mod run;
mod tally;
mod threshold;
pub(crate) mod timetable;
mod token;
mod view;

use chancery_store::Link;

use crate::Error;
use crate::automation::Object;
use crate::reaction::configuration::Surroundings;

pub use definition::{Definition, Kind, Limits};
pub(crate) use forecast::Lookout;
pub use forecast::{Forecast, Forecasted};
pub use threshold::Threshold;
pub use timetable::{Timetable, TimetableError, time_of_day};
pub use view::{Outlook, TaskView, Watchfulness};

/// Refuses a definition that cannot run.
///
/// # Errors
/// [`Error::Invalid`] whose field is a JSON pointer into the body.
pub(crate) async fn check(
    link: &mut Link,
    object: &Object,
    around: &Surroundings,
) -> Result<(), Error> {
    let definition = Definition::read(&object.body)?;
    let active = active::Active::new(link, &object.name, object.version, definition).await?;
    let missing = active.filter().and_then(|filter| around.lacks(filter, ""));
    missing.map_or(Ok(()), |why| Err(Error::invalid("/filter", why)))
}
