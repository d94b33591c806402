//! Automation: lists of triggers, rules, actions and scopes, each with its own page and a form that
//! teaches; what was decided, and why.
//!
//! Read in this order: this file with `list` (the lists), `form` (what a form becomes), `edit` (the forms, with
//! `picker`, `names` and `preview`), `one` (the page of an object), `history` (evaluations), `reason` (how they
//! are told), `ahead` (the days to come), `files` (all of it as a file, with `plan`).

mod ahead;
mod edit;
mod files;
mod form;
mod history;
pub(super) mod list;
mod names;
mod one;
pub(super) mod picker;
mod plan;
mod preview;
pub(super) mod reason;
pub(super) mod trial;

use axum::extract::Path;
use axum::response::Response;
use chancery_engine::Permission;
use chancery_engine::automation::{Class, Listed, Object};
use chancery_event::Timestamp;
use maud::{Markup, html};

use self::list::{List, Shown};
use super::GET;
use super::address::Address;
use super::shell::Shell;
use crate::edge::{Access, Problem, Routes};
use crate::ui::{self, Column, Icon, Nav, Row, Tab, Table, Tone};

/// The classes that have pages here.
const CLASSES: [Class; 4] = [Class::Trigger, Class::Rule, Class::Action, Class::Scope];
/// Verdicts are counted over this many days.
const DAYS: i64 = 30;

pub(super) fn add(routes: &mut Routes) {
    let read = Access::Session(Permission::AutomationRead);
    routes.add(GET, "/automation", read, async |shell: Shell| {
        shell.answer(list(&shell, Class::Trigger)).await
    });
    history::add(routes);
    ahead::add(routes);
    files::add(routes);
    routes.add(GET, "/automation/{class}", read, async |shell: Shell, Path(word): Path<String>| {
        shell.answer(async { list(&shell, class(&word)?).await }).await
    });
    edit::add(routes);
    one::add(routes);
    trial::add(routes);
}

/// The class that a path names.
fn class(word: &str) -> Result<Class, Problem> {
    CLASSES.into_iter().find(|class| class.plural() == word).ok_or_else(Problem::not_found)
}

/// The parts of automation.
fn parts(current: &str) -> Markup {
    let places = [
        ("Triggers", "/automation"),
        ("Rules", "/automation/rules"),
        ("Actions", "/automation/actions"),
        ("Scopes", "/automation/scopes"),
        ("History", "/automation/history"),
        ("Days to come", "/automation/ahead"),
        ("Files", "/automation/files"),
    ];
    let tabs: Vec<Tab<'_>> = places
        .into_iter()
        .map(|(label, href)| Tab { label, href, count: None, selected: href == current })
        .collect();
    ui::tabs("Automation", &tabs)
}

/// The address of a class's list.
fn home_of(class: Class) -> String {
    match class {
        Class::Trigger => "/automation".to_owned(),
        class => format!("/automation/{}", class.plural()),
    }
}

/// The address of an object.
pub(super) fn href(class: Class, name: &str) -> String {
    format!("/automation/{}/{name}", class.plural())
}

fn about(class: Class) -> (&'static str, &'static str) {
    match class {
        Class::Rule => (
            "Rules",
            "A rule is a named condition on an event and on the certificate it is about. Triggers \
             use it by its name.",
        ),
        Class::Action => (
            "Actions",
            "An action is a named list of steps: place a certificate, raise an alert, tell somebody, \
             start a job.",
        ),
        Class::Scope => (
            "Scopes",
            "Triggers of groups, RA profile and platform add up. A scope here can be the last that \
             is asked.",
        ),
        _ => (
            "Triggers",
            "A trigger listens to types of events. When its rules hold, it carries out its actions, \
             or keeps a certificate out.",
        ),
    }
}

fn shown(class: Class) -> &'static Shown {
    const RULES: Shown = Shown {
        class: Class::Rule,
        root: "/automation/rules",
        noun: "rule",
        placeholder: "key_size changed>-7d",
        facets: &["state"],
    };
    const ACTIONS: Shown = Shown {
        class: Class::Action,
        root: "/automation/actions",
        noun: "action",
        placeholder: "step:notify state:on",
        facets: &["state", "step"],
    };
    const SCOPES: Shown = Shown {
        class: Class::Scope,
        root: "/automation/scopes",
        noun: "scope",
        placeholder: "mode:replace",
        facets: &["state", "scope", "mode"],
    };
    const TRIGGERS: Shown = Shown {
        class: Class::Trigger,
        root: "/automation",
        noun: "trigger",
        placeholder: "state:broken action:warn event_type:certificate.*",
        facets: &["state", "event_type", "scope", "action"],
    };
    match class {
        Class::Rule => &RULES,
        Class::Action => &ACTIONS,
        Class::Scope => &SCOPES,
        _ => &TRIGGERS,
    }
}

async fn list(shell: &Shell, class: Class) -> Result<Response, Problem> {
    let (engine, context) = (shell.engine(), shell.context());
    let list = List::read(shell, shown(class)).await?;
    let since = Timestamp::from_micros(shell.now() - DAYS * Timestamp::DAY);
    let counts = match class {
        Class::Trigger => engine.verdicts(context, since).await?,
        _ => Vec::new(),
    };
    let (title, words) = about(class);
    let new = format!("/automation/{}/new", class.plural());
    let button = shell
        .may(Permission::AutomationWrite)
        .then(|| ui::button(&format!("New {class}"), &new, Some(Icon::Plus), true));
    let teach =
        ui::empty_state(&format!("No {} yet", class.plural()), empty(class), button.clone());
    let found = list
        .body(shell, teach, |objects| table(&list, &shell.address, class, objects, &counts))
        .await?;
    let body = html! {
        (ui::page_header("Automation", words, html! {
            (list.exports(shell))
            @if let Some(button) = &button { (button) }
        }))
        (parts(&home_of(class)))
        (found)
    };
    Ok(shell.page(Nav::Automation, title, body))
}

fn empty(class: Class) -> &'static str {
    match class {
        Class::Rule => {
            "Write one such as object.key_size<2048 and see at once how many past events it fits."
        }
        Class::Action => {
            "Make one that sets an owner or raises an alert, then let a trigger use it."
        }
        Class::Scope => {
            "Without one, the triggers of every scope are asked: groups by name, RA profile, platform."
        }
        _ => {
            "Make a rule and an action first. Then choose the events that lead from one to the other."
        }
    }
}

fn state(object: &Object) -> Markup {
    match object.enabled {
        true => ui::badge(Tone::Good, Icon::Check, "Enabled"),
        false => ui::badge(Tone::Neutral, Icon::Deny, "Off"),
    }
}

fn table(
    list: &List<'_>,
    address: &Address,
    class: Class,
    objects: &[Listed],
    counts: &[(String, String, u64)],
) -> Markup {
    let mut columns = vec![list.column(address, "name", "Name"), Column::new(what(class))];
    if class == Class::Trigger {
        columns.extend([
            Column::new("Bound to").optional(),
            Column::new("Matched").number(),
            Column::new("Nearly").number().optional(),
        ]);
    }
    columns.push(list.column(address, "state", "State"));
    columns.push(list.column(address, "changed", "Changed").optional());
    let count = |name: &str, verdicts: &[&str]| {
        let of = counts.iter().filter(|(trigger, verdict, _)| {
            trigger == name && verdicts.contains(&verdict.as_str())
        });
        ui::grouped(of.map(|(_, _, n)| n).sum())
    };
    let rows: Vec<Row> = objects
        .iter()
        .map(|listed| {
            let object = &listed.object;
            let mut cells = vec![
                html! { (object.title()) @if object.title() != object.name { " " span.muted { (object.name) } } },
                summary(object),
            ];
            if class == Class::Trigger {
                cells.push(html! { (form::scope_text(&object.body["scope"])) });
                cells.push(html! { (count(&object.name, &["matched", "ignored"])) });
                cells.push(html! { (count(&object.name, &["nearly"])) });
            }
            cells.push(match &listed.problem {
                Some(_) => ui::badge(Tone::Critical, Icon::Warning, "Cannot work"),
                None => state(object),
            });
            cells.push(ui::date(object.changed_at.micros()));
            let tone = listed.problem.is_some().then_some(Tone::Bad);
            Row { href: Some(href(class, &object.name)), tone, cells }
        })
        .collect();
    html! {
        (ui::data_table(&Table { id: "objects", caption: about(class).0, columns: &columns, rows: &rows }))
        @if class == Class::Trigger { p.hint { "Counts are of the last " (DAYS) " days." } }
    }
}

fn what(class: Class) -> &'static str {
    match class {
        Class::Rule => "Condition",
        Class::Action => "Steps",
        Class::Scope => "How it goes together",
        _ => "When and what",
    }
}

/// One line that says what an object does.
fn summary(object: &Object) -> Markup {
    let body = &object.body;
    let names = |member: &str| form::texts(&body[member]).join(", ");
    match object.class {
        Class::Rule => html! { (ui::code(&form::filter_text(&body["filter"]))) },
        Class::Action => {
            let steps = body["steps"].as_array().into_iter().flatten();
            let words: Vec<_> = steps.filter_map(|step| step["step"].as_str()).collect();
            html! { (words.join(", ").replace('_', " ")) }
        }
        Class::Scope => {
            let mode = body["mode"].as_str().unwrap_or("add");
            html! { (form::scope_text(body)) ": " (mode) }
        }
        _ => html! {
            "On " (ui::parted(&names("event_types")))
            @if !form::texts(&body["rules"]).is_empty() { ", if " (names("rules")) }
            ": " @if body["ignore"] == true { strong { "ignore" } " " }
            (names("actions"))
        },
    }
}
