//! A question before something is done: a dialog on the page, and a page of its own for those
//! without scripts. Both send the same form to the same address.

use axum::response::Response;
use maud::{Markup, html};

use super::shell::Shell;
use crate::ui::{self, Confirm, Field, Nav, Tone};

/// A question.
pub(super) struct Question<'a> {
    /// Unique on the page.
    pub(super) id: &'a str,
    /// The button on the page.
    pub(super) trigger: &'a str,
    /// The question.
    pub(super) title: &'a str,
    /// What will happen.
    pub(super) text: &'a str,
    /// Where the answer goes; the same address asks, for those without scripts.
    pub(super) action: &'a str,
    /// The button that does it.
    pub(super) submit: &'a str,
    /// Whether it cannot be taken back.
    pub(super) is_final: bool,
    /// More fields.
    pub(super) fields: Option<Markup>,
}

impl Question<'_> {
    fn tone(&self) -> Tone {
        if self.is_final { Tone::Bad } else { Tone::Info }
    }

    /// The button and its dialog.
    pub(super) fn dialog(&self, shell: &Shell) -> Markup {
        ui::confirm(&Confirm {
            id: self.id,
            trigger: self.trigger,
            fallback_href: self.action,
            title: self.title,
            text: self.text,
            action: self.action,
            csrf: shell.csrf(),
            submit: self.submit,
            tone: self.tone(),
            fields: self.fields.clone(),
        })
    }

    /// The page that asks the same.
    pub(super) fn page(&self, shell: &Shell, place: Nav, back: &str) -> Response {
        let body = html! {
            (ui::page_header(self.title, self.text, html! {}))
            (ui::post_form(self.action, shell.csrf(), false, html! {
                @if let Some(fields) = &self.fields { (fields) }
                div.actions {
                    (ui::submit(self.submit, self.tone())) (ui::button("Cancel", back, None, false))
                }
            }))
        };
        shell.page(place, self.title, body)
    }
}

/// A field for a note that is kept in the event. `id` keeps several of them on one page apart.
pub(super) fn note(id: &str) -> Markup {
    ui::field(&Field {
        id,
        name: "note",
        label: "Note",
        hint: "Why; it is kept in the event.",
        ..Field::default()
    })
}
