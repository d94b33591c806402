//! The catalogue of event types: what this program records, and what other systems call it.

use std::collections::BTreeMap;

use axum::extract::Path;
use axum::response::Response;
use chancery_engine::Permission;
use chancery_event::EventType;
use chancery_event::catalogue::System;
use maud::{Markup, html};

use super::address::Address;
use super::prose::{parted, prose};
use super::shell::Shell;
use super::{GET, field_doc};
use crate::edge::{Access, Problem, Routes};
use crate::ui::{
    self, Column, Crumb, Facet, FacetValue, Icon, Nav, Row, SearchBox, Stat, Table, Tone,
};

pub(super) fn add(routes: &mut Routes) {
    let access = Access::Session(Permission::EventRead);
    routes.add(GET, "/catalogue", access, list);
    routes.add(GET, "/catalogue/{name}", access, one);
}

/// What the list is narrowed to.
struct Narrowing<'a> {
    words: Vec<String>,
    produced: Option<bool>,
    family: Option<&'a str>,
    system: Option<System>,
}

impl<'a> Narrowing<'a> {
    fn read(address: &'a Address) -> Self {
        let words = address.value("q").unwrap_or_default().to_lowercase();
        Self {
            words: words.split_whitespace().map(str::to_owned).collect(),
            produced: match address.value("produced") {
                Some("yes") => Some(true),
                Some("no") => Some(false),
                _ => None,
            },
            family: address.value("family"),
            system: address.value("system").and_then(System::parse),
        }
    }

    fn takes(&self, event_type: EventType) -> bool {
        let info = event_type.info();
        let mut text = format!("{} {}", info.name, info.description).to_lowercase();
        for dialect in info.dialects {
            text.push(' ');
            text.push_str(&dialect.code.to_lowercase());
        }
        self.words.iter().all(|word| text.contains(word.as_str()))
            && self.produced.is_none_or(|produced| info.produced == produced)
            && self.family.is_none_or(|family| event_type.family() == family)
            && self.system.is_none_or(|system| info.dialects.iter().any(|d| d.system == system))
    }
}

async fn list(shell: Shell) -> Response {
    let address = &shell.address;
    let narrowing = Narrowing::read(address);
    let found: Vec<EventType> =
        EventType::ALL.iter().copied().filter(|one| narrowing.takes(*one)).collect();
    let produced = EventType::ALL.iter().filter(|one| one.info().produced).count();
    let subtitle = format!(
        "{} types of event; this version records {produced} of them.",
        EventType::ALL.len()
    );
    let keep: Vec<(&str, &str)> = ["produced", "family", "system"]
        .into_iter()
        .filter_map(|name| Some((name, address.value(name)?)))
        .collect();
    let body = html! {
        (ui::page_header("Catalogue", &subtitle, html! {}))
        (systems())
        (ui::search_box(&SearchBox {
            id: "catalogue-search",
            action: "/catalogue",
            query: address.value("q").unwrap_or_default(),
            placeholder: "renew, EST-ENROLL, certificate.…",
            error: None,
            help_href: "/help/search",
            keep: &keep,
        }))
        div.with-facets {
            (facets(address, &found))
            @if found.is_empty() {
                (ui::empty_state("No type of event fits", "Codes of other systems are found too.",
                    Some(ui::button("Show all", "/catalogue", None, true))))
            } @else { (table(&found)) }
        }
    };
    shell.page(Nav::Catalogue, "Catalogue", body)
}

/// Codes of a system: how many are recorded, and how many there are.
fn coverage(system: System) -> (u64, u64) {
    let mut codes: BTreeMap<&str, bool> = BTreeMap::new();
    for event_type in EventType::ALL {
        let info = event_type.info();
        for dialect in info.dialects.iter().filter(|dialect| dialect.system == system) {
            *codes.entry(dialect.code).or_default() |= info.produced;
        }
    }
    let produced = codes.values().filter(|produced| **produced).count();
    (produced as u64, codes.len() as u64)
}

pub(super) fn system_name(system: System) -> &'static str {
    match system {
        System::Czertainly => "CZERTAINLY",
        System::Horizon => "Horizon",
        System::Akeyless => "Akeyless",
        System::Okta => "Okta",
        System::Qcecuring => "QCecuring",
    }
}

fn systems() -> Markup {
    html! {
        div.stat-row { @for system in System::ALL.iter().copied() {
            @let (produced, all) = coverage(system);
            (ui::stat_tile(&Stat {
                label: system_name(system),
                value: &format!("{produced} of {all}"),
                hint: "codes produced",
                href: Some(&format!("/catalogue?system={}", system.as_str())),
                tone: Tone::Neutral,
            }))
        } }
    }
}

/// A facet: label, parameter, and its values with their labels and counts.
type Group<'a> = (&'a str, &'a str, Vec<(&'a str, &'a str, u64)>);

fn facets(address: &Address, found: &[EventType]) -> Markup {
    let mut families: BTreeMap<&str, u64> = BTreeMap::new();
    for event_type in found {
        *families.entry(event_type.family()).or_default() += 1;
    }
    let produced = found.iter().filter(|one| one.info().produced).count() as u64;
    let of_system = |system: System| {
        let known = |one: &&EventType| one.info().dialects.iter().any(|d| d.system == system);
        found.iter().filter(known).count() as u64
    };
    let groups: Vec<Group<'_>> = vec![
        (
            "Produced",
            "produced",
            vec![
                ("yes", "Recorded by this version", produced),
                ("no", "Known, not recorded yet", found.len() as u64 - produced),
            ],
        ),
        ("Family", "family", families.iter().map(|(name, count)| (*name, *name, *count)).collect()),
        (
            "System",
            "system",
            System::ALL.iter().map(|s| (s.as_str(), system_name(*s), of_system(*s))).collect(),
        ),
    ];
    let hrefs: Vec<Vec<String>> = groups
        .iter()
        .map(|(_, name, values)| {
            let chosen = address.value(name);
            let href = |value: &str| match chosen == Some(value) {
                true => address.without(&[name]).to_string(),
                false => address.with(name, value).to_string(),
            };
            values.iter().map(|(value, _, _)| href(value)).collect()
        })
        .collect();
    let values: Vec<Vec<FacetValue<'_>>> = groups
        .iter()
        .zip(&hrefs)
        .map(|((_, name, values), hrefs)| {
            let shown = values.iter().zip(hrefs).map(|((value, label, count), href)| FacetValue {
                label,
                count: *count,
                href,
                selected: address.value(name) == Some(*value),
            });
            shown.filter(|value| value.count > 0 || value.selected).collect()
        })
        .collect();
    let facets: Vec<Facet<'_>> = groups
        .iter()
        .zip(&values)
        .map(|((label, _, _), values)| Facet { label, values, more: 0, more_href: None })
        .collect();
    ui::facet_panel(&facets)
}

fn table(found: &[EventType]) -> Markup {
    let columns = [
        Column::new("Event type"),
        Column::new("What it records"),
        Column::new("Severity"),
        Column::new("Recorded").optional(),
        Column::new("Other systems' codes").optional(),
    ];
    let rows: Vec<Row> = found
        .iter()
        .map(|event_type| {
            let info = event_type.info();
            Row {
                href: Some(format!("/catalogue/{}", info.name)),
                tone: None,
                cells: vec![
                    parted(info.name),
                    prose(&first_sentence(info.description)),
                    ui::severity(info.severity.as_str()),
                    recorded(info.produced),
                    html! { span.wrap { @for dialect in info.dialects {
                        (parted(dialect.code)) " "
                    } } },
                ],
            }
        })
        .collect();
    ui::data_table(&Table {
        id: "types",
        caption: "Types of event",
        columns: &columns,
        rows: &rows,
    })
}

fn recorded(produced: bool) -> Markup {
    match produced {
        true => ui::badge(Tone::Good, Icon::Check, "Yes"),
        false => ui::badge(Tone::Neutral, Icon::Skip, "Not yet"),
    }
}

fn first_sentence(text: &str) -> String {
    let text = text.replace('\n', " ");
    let end = text.find(". ").map_or(text.len(), |at| at + 1);
    text.get(..end).unwrap_or(&text).trim().to_owned()
}

async fn one(shell: Shell, Path(name): Path<String>) -> Response {
    let found = EventType::parse(&name).filter(|found| found.name() == name);
    let Some(event_type) = found else {
        let detail = format!("there is no event type {name} in the catalogue");
        return shell.failed(&Problem::not_found().with_detail(detail));
    };
    shell.page(Nav::Catalogue, event_type.name(), detail(event_type))
}

fn detail(event_type: EventType) -> Markup {
    let info = event_type.info();
    let events = format!("/events?q=type:{}", info.name);
    let schema = serde_json::to_string_pretty(&event_type.schema()).unwrap_or_default();
    let example = event_type.example();
    let json = serde_json::to_string_pretty(&example.to_json()).unwrap_or_default();
    let scopes: Vec<&str> = std::iter::once("platform")
        .chain(info.overridden_by.iter().map(|scope| scope.as_str()))
        .collect();
    html! {
        (ui::breadcrumbs(&[
            Crumb { label: "Catalogue", href: Some("/catalogue") },
            Crumb { label: info.name, href: None },
        ]))
        (ui::page_header(info.name, &info.description.replace('\n', " "), html! {
            @if info.produced { (ui::button("Events of this type", &events, Some(Icon::Events), true)) }
        }))
        @if !info.produced {
            (ui::alert_box(ui::AlertKind::Info,
                "This version of the program knows the type but does not record it yet."))
        }
        div.columns {
            (ui::section("facts", "Facts", html! {}, ui::key_values(&[
                ("Kind", html! { (info.kind.as_str()) }),
                ("Severity", ui::severity(info.severity.as_str())),
                ("Severity on failure", ui::severity(info.severity_on_failure.as_str())),
                ("About", html! { (info.resource.as_str().replace('_', " ")) }),
                ("Found by a monitor", html! { @if info.monitoring { "yes" } @else { "no" } }),
                ("Triggers bind at", html! { (scopes.join(", ").replace('_', " ")) }),
                ("Recorded", recorded(info.produced)),
                ("Version", html! { (info.version) }),
            ])))
            (ui::section("dialects", "What other systems call it", html! {}, dialects(event_type)))
        }
        (ui::section("fields", "Fields", html! {}, fields(event_type)))
        (ui::section("example", "Example", html! {}, html! {
            p { (chancery_event::sentence(&example)) "." }
            (ui::json_block("example-json", "CloudEvents 1.0", &json))
        }))
        (ui::section("schema", "Schema", html! {}, html! {
            details { summary { "JSON Schema 2020-12" } (ui::json_block("schema-json", "JSON Schema", &schema)) }
        }))
    }
}

fn dialects(event_type: EventType) -> Markup {
    let dialects = event_type.info().dialects;
    html! {
        @if dialects.is_empty() { p.muted { "No system we know has a name for it." } }
        @else {
            div.table-wrap tabindex="0" role="group" aria-label="Names in other systems" { table.plain {
                thead { tr { th scope="col" { "System" } th scope="col" { "Code" } th scope="col" { "Used for" } } }
                tbody { @for dialect in dialects { tr {
                    td { (system_name(dialect.system)) }
                    td { (ui::code(dialect.code)) @if dialect.deprecated { " " span.muted { "given up" } } }
                    td { (dialect.outcomes.words().replace(',', ", ")) }
                } } }
            } }
        }
    }
}

fn fields(event_type: EventType) -> Markup {
    let fields = field_doc::of(event_type);
    html! {
        @if fields.is_empty() { p.muted { "The type has no members of its own; the envelope says it all." } }
        @else {
            div.table-wrap tabindex="0" role="group" aria-label="Members" { table.plain {
                thead { tr { th scope="col" { "Member" } th scope="col" { "Type" } th scope="col" { "Meaning" } } }
                tbody { @for field in &fields { tr {
                    th scope="row" { (ui::code(&field.name)) }
                    td { (field.kind) @if !field.required { " " span.muted { "optional" } } }
                    td {
                        (prose(&field.doc))
                        @if field.personal { " " (ui::badge(Tone::Notice, Icon::User, "about a person, erasable")) }
                    }
                } } }
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_cut_after_its_first_sentence() {
        assert_eq!(first_sentence("One thing. Another."), "One thing.");
        assert_eq!(first_sentence("One\nthing"), "One thing");
    }

    #[test]
    fn codes_are_counted_once() {
        for &system in System::ALL {
            let (produced, all) = coverage(system);
            assert!(produced <= all && all > 0, "{system:?}");
        }
    }
}
