//! What forms of automation choose from: types of events and the fields that conditions see, each
//! with what the catalogue says of it.

use chancery_event::EventType;
use chancery_event::filter::Schema;
use maud::{Markup, html};

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

/// The fields that conditions on a type see. A click puts one into the condition.
pub(super) fn fields(of: EventType, schema: &Schema) -> Markup {
    let parts =
        [("The certificate", "object."), ("The detail of the event", "detail."), ("The event", "")];
    let part_of = |name: &str| parts.iter().position(|(_, prefix)| name.starts_with(prefix));
    html! {
        section.fields aria-labelledby="fields-title" {
            h2 id="fields-title" { "What a condition sees" }
            div.field data-script-only hidden {
                label.visually-hidden for="narrow-fields" { "Search the fields" }
                input id="narrow-fields" type="search" placeholder="expires, owner, status …"
                    autocomplete="off" data-narrows="fields";
            }
            div.field-list id="fields" tabindex="0" role="region" aria-label={"Fields of " (of.name())} {
                @for (place, (title, _)) in parts.iter().enumerate() {
                    @let list: Vec<_> =
                        schema.fields().iter().filter(|field| part_of(&field.name) == Some(place)).collect();
                    @if !list.is_empty() {
                        details open {
                            summary { (title) " " span.muted { (list.len()) " fields" } }
                            dl { @for field in list {
                                div data-item {
                                    dt { code data-insert={(field.name) ":"} data-into="filter" { (field.name) }
                                        " " span.muted { (field.kind.noun()) } }
                                    dd { (field.doc) }
                                }
                            } }
                        }
                    }
                }
            }
        }
    }
}
