//! The past event that a profile, a template or a trigger is tried on: which one somebody names, the field that
//! asks for it, and what is said of the one that was taken.

use chancery_engine::Error;
use chancery_engine::notification::Preview;
use chancery_event::LogIndex;
use chancery_event::id::EventId;
use maud::{Markup, html};

use crate::page::shell::Shell;
use crate::ui::{self, Field, Tone};

/// The parameter, and the field of a form.
pub(super) const NAME: &str = "event";
const HINT: &str = "Its log index or its identifier. Empty: the newest one that fits.";

/// The event that is named by its log index or its identifier; `None`: none is.
pub(super) async fn named(shell: &Shell, text: &str) -> Result<Option<EventId>, Error> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let (engine, context) = (shell.engine(), shell.context());
    let missing = || Error::invalid(NAME, "no event has this log index or identifier");
    let found = match (text.parse::<LogIndex>(), text.parse::<EventId>()) {
        (Ok(index), _) => engine.event_at(context, index).await,
        (_, Ok(id)) => engine.event(context, id).await,
        (Err(_), Err(_)) => return Err(missing()),
    };
    match found {
        Ok(seen) => Ok(Some(seen.event.id)),
        Err(Error::NotFound { .. }) => Err(missing()),
        Err(error) => Err(error),
    }
}

/// The field that asks for it; its error is shown where the preview stands.
pub(super) fn field(value: &str) -> Markup {
    let field = Field {
        id: "past-event",
        name: NAME,
        label: "Tried on this event",
        hint: HINT,
        value,
        ..Field::default()
    };
    ui::field(&field)
}

/// A form of its own, for the page at `here`.
pub(super) fn form(here: &str, value: &str) -> Markup {
    html! {
        form.form method="get" action={(here) "#preview"} {
            (field(value))
            div.actions { (ui::submit("Try it on this one", Tone::Neutral)) }
        }
    }
}

/// Which event it was tried on.
pub(super) fn said(preview: &Preview) -> Markup {
    match preview.index {
        Some(index) => html! {
            "Tried on " a href={"/events/" (preview.event)} { (preview.event_type) ", index " (index) }
        },
        None => {
            html! { "Tried on an example of " (preview.event_type) ": there is none in the log yet" }
        }
    }
}
