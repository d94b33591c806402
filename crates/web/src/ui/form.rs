//! Forms: labelled fields with hint and error, file drop with a place to paste, confirmation.
//!
//! Every form that changes something carries the CSRF token ([`csrf_input`]); [`post_form`] puts it
//! in.

use maud::{Markup, html};

use super::{Icon, Tone, icon};

/// The hidden token of the session; the server refuses a POST without it.
#[must_use]
pub fn csrf_input(csrf: &str) -> Markup {
    html! { input type="hidden" name="csrf" value=(csrf); }
}

/// A form that changes something. `multipart` for files.
#[must_use]
pub fn post_form(action: &str, csrf: &str, multipart: bool, body: Markup) -> Markup {
    html! {
        form.form method="post" action=(action) enctype=[multipart.then_some("multipart/form-data")] {
            (csrf_input(csrf)) (body)
        }
    }
}

/// A form that changes something, and that shows in the element `preview` what it would do while it
/// is filled in. Without scripts a button with the name `do` and the value `preview` does that.
#[must_use]
pub fn previewed_form(action: &str, csrf: &str, preview: &str, body: Markup) -> Markup {
    html! {
        form.form method="post" action=(action) data-preview=(preview) { (csrf_input(csrf)) (body) }
    }
}

/// What all fields have.
#[derive(Debug, Clone, Default)]
pub struct Field<'a> {
    /// Unique on the page.
    pub id: &'a str,
    /// Name in the form.
    pub name: &'a str,
    /// What it is.
    pub label: &'a str,
    /// What is in it.
    pub value: &'a str,
    /// `type` of the input: `text` (also when empty), `email`, `password`, `number`, `url`, `date`.
    pub kind: &'a str,
    /// How to fill it in.
    pub hint: &'a str,
    /// What is wrong with it; empty when nothing is.
    pub error: &'a str,
    /// Whether it must be filled in.
    pub required: bool,
    /// `autocomplete` token; empty when there is none.
    pub autocomplete: &'a str,
}

impl Field<'_> {
    fn described_by(&self) -> Option<String> {
        let hint = (!self.hint.is_empty()).then(|| format!("{}-hint", self.id));
        let error = (!self.error.is_empty()).then(|| format!("{}-error", self.id));
        let ids: Vec<String> = hint.into_iter().chain(error).collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    }

    fn invalid(&self) -> Option<&'static str> {
        (!self.error.is_empty()).then_some("true")
    }

    fn framed(&self, control: Markup) -> Markup {
        html! {
            div.field.invalid[!self.error.is_empty()] {
                label for=(self.id) {
                    (self.label) @if !self.required { " " span.muted { "(optional)" } }
                }
                (control)
                @if !self.hint.is_empty() { p.hint id={(self.id) "-hint"} { (self.hint) } }
                @if !self.error.is_empty() {
                    p.field-error id={(self.id) "-error"} {
                        (icon(Icon::CrossCircle)) span { (self.error) }
                    }
                }
            }
        }
    }
}

/// A one-line field.
#[must_use]
pub fn field(field: &Field<'_>) -> Markup {
    let kind = if field.kind.is_empty() { "text" } else { field.kind };
    let autocomplete = (!field.autocomplete.is_empty()).then_some(field.autocomplete);
    // A secret that was typed is never part of a page, also where the form comes back refused.
    let value = if kind == "password" { "" } else { field.value };
    field.framed(html! {
        input id=(field.id) type=(kind) name=(field.name) value=(value)
            required[field.required] autocomplete=[autocomplete]
            aria-describedby=[field.described_by()] aria-invalid=[field.invalid()];
    })
}

/// A field of several lines, in the monospaced face when `code`.
#[must_use]
pub fn text_area(field: &Field<'_>, rows: u8, code: bool) -> Markup {
    field.framed(html! {
        textarea.code[code] id=(field.id) name=(field.name) rows=(rows) required[field.required]
            spellcheck=[code.then_some("false")] aria-describedby=[field.described_by()]
            aria-invalid=[field.invalid()] { (field.value) }
    })
}

/// One choice of a select.
#[derive(Debug, Clone)]
pub struct ChoiceOption<'a> {
    /// Value in the form.
    pub value: &'a str,
    /// As shown.
    pub label: &'a str,
}

/// A field with choices; `field.value` is the chosen one.
#[must_use]
pub fn select_field(field: &Field<'_>, options: &[ChoiceOption<'_>]) -> Markup {
    field.framed(html! {
        select id=(field.id) name=(field.name) required[field.required]
            aria-describedby=[field.described_by()] aria-invalid=[field.invalid()] {
            @for option in options {
                option value=(option.value) selected[option.value == field.value] { (option.label) }
            }
        }
    })
}

/// A box to tick; `field.value` is what is sent when it is.
#[must_use]
pub fn check_field(field: &Field<'_>, checked: bool) -> Markup {
    html! {
        div.field.check {
            input id=(field.id) type="checkbox" name=(field.name) value=(field.value) checked[checked]
                aria-describedby=[field.described_by()];
            label for=(field.id) { (field.label) }
            @if !field.hint.is_empty() { p.hint id={(field.id) "-hint"} { (field.hint) } }
        }
    }
}

/// A place for files, by choosing, dropping or pasting.
#[derive(Debug, Clone)]
pub struct FileDrop<'a> {
    /// Unique on the page.
    pub id: &'a str,
    /// Name of the file part; the pasted text is `<name>_text`.
    pub name: &'a str,
    /// What to bring.
    pub label: &'a str,
    /// Which kinds are understood.
    pub hint: &'a str,
    /// `accept` attribute.
    pub accept: &'a str,
    /// Whether several may come at once.
    pub multiple: bool,
    /// What may be pasted in place of a file.
    pub paste: &'a str,
    /// An example of it.
    pub placeholder: &'a str,
    /// Lines to paste into.
    pub rows: u8,
    /// The text that was pasted before, when the form comes back.
    pub text: &'a str,
    /// What is wrong with it; empty when nothing is.
    pub error: &'a str,
}

/// The place.
#[must_use]
pub fn file_drop(drop: &FileDrop<'_>) -> Markup {
    let is_wrong = !drop.error.is_empty();
    let hint = format!("{}-hint", drop.id);
    let error = format!("{}-error", drop.id);
    let described_by = if is_wrong { format!("{hint} {error}") } else { hint.clone() };
    html! {
        div.drop data-drop {
            div.drop-zone {
                (icon(Icon::Upload))
                label for=(drop.id) { (drop.label) }
                input id=(drop.id) type="file" name=(drop.name) accept=(drop.accept)
                    multiple[drop.multiple] aria-describedby=(described_by);
                p.hint id=(hint) { (drop.hint) }
                output.drop-names for=(drop.id) {}
            }
            label for={(drop.id) "-text"} { (drop.paste) }
            textarea.code id={(drop.id) "-text"} name={(drop.name) "_text"} rows=(drop.rows)
                spellcheck="false" placeholder=(drop.placeholder)
                aria-describedby=[is_wrong.then_some(&error)] aria-invalid=[is_wrong.then_some("true")] {
                // The first line break behind the tag is none of the text.
                "\n" (drop.text)
            }
            @if is_wrong {
                p.field-error id=(error) { (icon(Icon::CrossCircle)) span { (drop.error) } }
            }
        }
    }
}

/// The button that sends a form. The tone is [`Tone::Info`] for the usual one, [`Tone::Bad`] for
/// one that cannot be taken back.
#[must_use]
pub fn submit(label: &str, tone: Tone) -> Markup {
    html! { button.primary.danger[matches!(tone, Tone::Bad | Tone::Critical)] type="submit" { (label) } }
}

/// A question before something is done.
#[derive(Debug, Clone)]
pub struct Confirm<'a> {
    /// Unique on the page.
    pub id: &'a str,
    /// The button on the page.
    pub trigger: &'a str,
    /// The page that asks the same, for those without scripts.
    pub fallback_href: &'a str,
    /// The question.
    pub title: &'a str,
    /// What will happen.
    pub text: &'a str,
    /// Where the answer goes.
    pub action: &'a str,
    /// The session's token.
    pub csrf: &'a str,
    /// The button that does it: the verb, not "OK".
    pub submit: &'a str,
    /// [`Tone::Bad`] when it cannot be taken back.
    pub tone: Tone,
    /// More fields (a reason), or nothing.
    pub fields: Option<Markup>,
}

/// The button and its dialog.
#[must_use]
pub fn confirm(confirm: &Confirm<'_>) -> Markup {
    let danger = matches!(confirm.tone, Tone::Bad | Tone::Critical);
    html! {
        a.button.danger-line[danger] href=(confirm.fallback_href) data-opens=(confirm.id) {
            span { (confirm.trigger) }
        }
        dialog id=(confirm.id) aria-labelledby={(confirm.id) "-title"} {
            form.form method="post" action=(confirm.action) {
                (csrf_input(confirm.csrf))
                h2 id={(confirm.id) "-title"} { (confirm.title) }
                p { (confirm.text) }
                @if let Some(fields) = &confirm.fields { (fields) }
                div.dialog-actions {
                    button type="button" data-closes { "Cancel" }
                    (submit(confirm.submit, confirm.tone))
                }
            }
        }
    }
}
