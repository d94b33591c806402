//! What forms of automation choose from: types of events, and beside a box what can be put into it,
//! such as the fields that conditions see, each with what the catalogue says of it.

use chancery_event::EventType;
use chancery_event::filter::{Field as Seen, Schema};
use maud::{Markup, html};

use crate::page::prose::prose;
use crate::page::typed::Typed;
use crate::ui::{self, ChoiceOption, Field};

/// Types that this program records, for a choice of one.
pub(super) fn recorded() -> Vec<ChoiceOption<'static>> {
    let mut types: Vec<_> = EventType::ALL.iter().filter(|of| of.info().produced).collect();
    types.sort_by_key(|of| of.name());
    types.into_iter().map(|of| ChoiceOption { value: of.name(), label: of.name() }).collect()
}

/// Types of events by family: those that this program records, the others behind them.
pub(super) fn types(typed: &Typed) -> Markup {
    let chosen = typed.all("event_types");
    let mut families: Vec<&str> = EventType::ALL.iter().map(|of| of.family()).collect();
    families.sort_unstable_by_key(|family| (*family != "certificate", *family));
    families.dedup();
    let of = |family: Option<&str>, recorded: bool| -> Vec<EventType> {
        let all = EventType::ALL.iter().copied();
        all.filter(|of| of.info().produced == recorded)
            .filter(|of| family.is_none_or(|family| of.family() == family))
            .collect()
    };
    html! {
        fieldset.types { legend { "Events" }
            p.hint { "A trigger listens to one type or more. " a href="/catalogue" { "The catalogue" } }
            @if !typed.error("event_types").is_empty() { p.field-error { (typed.error("event_types")) } }
            div.field data-script-only hidden {
                label.visually-hidden for="narrow-types" { "Search the types of events" }
                input id="narrow-types" type="search" placeholder="expiring, upload, job …"
                    autocomplete="off" data-narrows="type-list";
            }
            div id="type-list" {
                @for family in families {
                    @let list = of(Some(family), true);
                    @if !list.is_empty() { (group(&family.replace('_', " "), &list, &chosen, family == "certificate")) }
                }
                (group("not recorded by this version yet", &of(None, false), &chosen, false))
            }
        }
    }
}

fn group(label: &str, of: &[EventType], chosen: &[String], open: bool) -> Markup {
    let is_chosen = |of: &EventType| chosen.iter().any(|name| name == of.name());
    let ticked = of.iter().filter(|of| is_chosen(of)).count();
    html! {
        details open[ticked > 0 || (open && chosen.is_empty())] {
            summary { (label) " " span.muted {
                (of.len()) @if of.len() == 1 { " type" } @else { " types" }
                @if ticked > 0 { ", " (ticked) " chosen" }
            } }
            div.type-grid {
                @for of in of {
                    div data-item {
                        (ui::check_field(&Field { id: &format!("type-{}", of.name()), name: "event_types",
                            value: of.name(), label: of.name(),
                            hint: &of.info().description.replace('\n', " ").replace('`', ""), ..Field::default() },
                            is_chosen(of)))
                    }
                }
            }
        }
    }
}

/// Something that a click puts into a box.
pub(in crate::page) struct Item {
    /// What is put in.
    pub(in crate::page) insert: String,
    /// As it is shown.
    pub(in crate::page) shown: String,
    /// What kind of thing it is; may be empty.
    pub(in crate::page) kind: String,
    /// What it means; may be empty.
    pub(in crate::page) doc: String,
}

impl Item {
    /// A field, put in as `spelled` says.
    pub(in crate::page) fn field(field: &Seen, spelled: fn(&str) -> String) -> Self {
        Self {
            insert: spelled(&field.name),
            shown: field.name.clone(),
            kind: field.kind.noun().to_owned(),
            doc: field.doc.clone(),
        }
    }
}

/// Items of one kind.
pub(in crate::page) struct Group {
    pub(in crate::page) title: &'static str,
    /// What one of them is, and what several are.
    pub(in crate::page) noun: (&'static str, &'static str),
    pub(in crate::page) items: Vec<Item>,
    /// Whether it is open at first.
    pub(in crate::page) is_open: bool,
    /// What is said below them.
    pub(in crate::page) note: Markup,
}

/// Items beside a box, in groups, with a search over all of them.
pub(in crate::page) struct Picker<'a> {
    /// Unique on the page.
    pub(in crate::page) id: &'a str,
    pub(in crate::page) title: &'a str,
    /// What the search is over, and examples of it.
    pub(in crate::page) search: (&'a str, &'a str),
    /// What the list is, for those who cannot see it.
    pub(in crate::page) label: &'a str,
    /// The box.
    pub(in crate::page) into: &'a str,
    /// Whether what is put in stands right behind what is there.
    pub(in crate::page) is_glued: bool,
    pub(in crate::page) groups: &'a [Group],
}

impl Picker<'_> {
    /// The items. Without scripts they are read and typed.
    pub(in crate::page) fn markup(&self) -> Markup {
        let (title, narrow) = (format!("{}-title", self.id), format!("narrow-{}", self.id));
        html! {
            section.fields aria-labelledby=(title) {
                h2 id=(title) { (self.title) }
                div.field data-script-only hidden {
                    label.visually-hidden for=(narrow) { (self.search.0) }
                    input id=(narrow) type="search" placeholder=(self.search.1)
                        autocomplete="off" data-narrows=(self.id);
                }
                div.field-list id=(self.id) tabindex="0" role="region" aria-label=(self.label) {
                    @for group in self.groups.iter().filter(|group| !group.items.is_empty()) {
                        details open[group.is_open] {
                            summary { (group.title) " " span.muted {
                                (group.items.len()) " "
                                @if group.items.len() == 1 { (group.noun.0) } @else { (group.noun.1) }
                            } }
                            dl { @for item in &group.items { div data-item { (self.item(item)) } } }
                            (group.note)
                        }
                    }
                }
            }
        }
    }

    fn item(&self, item: &Item) -> Markup {
        html! {
            dt { code data-insert=(item.insert) data-into=(self.into) data-glued[self.is_glued] { (item.shown) }
                @if !item.kind.is_empty() { " " span.muted { (item.kind) } } }
            dd { (prose(&item.doc)) }
        }
    }
}

/// The fields of events and of the certificate that they are about, by what they are part of.
pub(super) fn groups(schema: &Schema, is_open: bool, spelled: fn(&str) -> String) -> Vec<Group> {
    let parts =
        [("The certificate", "object."), ("The detail of the event", "detail."), ("The event", "")];
    let part_of = |name: &str| parts.iter().position(|(_, prefix)| name.starts_with(prefix));
    let of = |place: usize| {
        let fields = schema.fields().iter().filter(|field| part_of(&field.name) == Some(place));
        fields.map(|field| Item::field(field, spelled)).collect()
    };
    let noun = ("field", "fields");
    let group = |(place, (title, _)): (usize, (&'static str, &str))| Group {
        title,
        noun,
        items: of(place),
        is_open,
        note: html! {},
    };
    parts.into_iter().enumerate().map(group).collect()
}

/// A field as a condition begins with it.
pub(in crate::page) fn compared(name: &str) -> String {
    format!("{name}:")
}

/// The fields that conditions on a type see. A click puts one into the condition.
pub(super) fn fields(of: EventType, schema: &Schema) -> Markup {
    Picker {
        id: "fields",
        title: "What a condition sees",
        search: ("Search the fields", "expires, owner, status …"),
        label: &format!("Fields of {}", of.name()),
        into: "filter",
        is_glued: false,
        groups: &groups(schema, true, compared),
    }
    .markup()
}
