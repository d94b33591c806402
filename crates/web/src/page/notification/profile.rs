//! Profiles: the list, one of them with whom it would tell of a past event, and trying it out.

use axum::extract::Path;
use axum::response::Response;
use chancery_engine::automation::{Class, Listed, Object};
use chancery_engine::notification::{NoticeQuery, Preview, PreviewRow};
use chancery_engine::{Error, Permission};
use maud::{Markup, html};
use serde_json::Value;

use super::places;
use crate::edge::{Access, Problem, Routes};
use crate::page::automation::list::{List, Shown};
use crate::page::form::Fields;
use crate::page::past_event;
use crate::page::question::Question;
use crate::page::shell::Shell;
use crate::page::version_list::{self, Version};
use crate::page::{GET, POST};
use crate::ui::{self, AlertKind, Column, Crumb, Icon, Nav, Row, Table, Tone};

const CLASS: Class = Class::Profile;
/// Decisions shown on the page of a profile.
const RECENT: usize = 20;

pub(super) fn add(routes: &mut Routes) {
    let read = Access::Session(Permission::AutomationRead);
    let write = Access::Session(Permission::AutomationWrite);
    routes.add(GET, "/notifications/profiles", read, async |shell: Shell| {
        shell.answer(list(&shell)).await
    });
    routes.add(
        GET,
        "/notifications/profiles/{name}",
        read,
        async |shell: Shell, Path(name): Path<String>| shell.answer(one(&shell, &name)).await,
    );
    routes.add(
        POST,
        "/notifications/profiles/{name}/test",
        write,
        async |shell: Shell, Path(name): Path<String>, _: Fields| {
            shell.answer(test(&shell, &name)).await
        },
    );
    routes.add(
        GET,
        "/notifications/profiles/{name}/delete",
        write,
        async |shell: Shell, Path(name): Path<String>| {
            let (action, back) = (at(&name, "delete"), href(&name));
            question(&action).page(&shell, Nav::Notifications, &back)
        },
    );
    routes.add(
        POST,
        "/notifications/profiles/{name}/delete",
        write,
        async |shell: Shell, Path(name): Path<String>, _: Fields| {
            shell
                .answer(async {
                    shell.engine().delete_automation(shell.context(), CLASS, &name).await?;
                    Ok(shell.done("/notifications/profiles", "The profile is deleted."))
                })
                .await
        },
    );
}

pub(super) fn href(name: &str) -> String {
    format!("/notifications/profiles/{name}")
}

fn at(name: &str, what: &str) -> String {
    format!("/notifications/profiles/{name}/{what}")
}

fn question(action: &str) -> Question<'_> {
    Question {
        id: "delete-dialog",
        trigger: "Delete…",
        title: "Delete this profile?",
        text: "Its versions stay on record. It cannot go while an action tells through it.",
        action,
        submit: "Delete the profile",
        is_final: true,
        fields: None,
    }
}

/// Texts of a list, joined.
pub(super) fn joined(value: &Value) -> String {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

fn channels(body: &Value) -> String {
    match joined(&body["channels"]) {
        empty if empty.is_empty() => "the bell and every mail channel".to_owned(),
        some => some,
    }
}

const SHOWN: Shown = Shown {
    class: CLASS,
    root: "/notifications/profiles",
    noun: "profile",
    placeholder: "recipient:role:operator channel:mail",
    facets: &["state", "recipient", "channel"],
};

async fn list(shell: &Shell) -> Result<Response, Problem> {
    let list = List::read(shell, &SHOWN).await?;
    let columns = [
        list.column(&shell.address, "name", "Profile"),
        Column::new("Tells"),
        Column::new("By"),
        Column::new("How often").optional(),
        list.column(&shell.address, "state", "State"),
    ];
    let row = |object: &Object| Row {
        href: Some(href(&object.name)),
        tone: None,
        cells: vec![
            html! { (object.title()) },
            html! { (joined(&object.body["recipients"])) },
            html! { (channels(&object.body)) },
            html! { (often(&object.body)) },
            state(object),
        ],
    };
    let table = |profiles: &[Listed]| {
        let rows: Vec<Row> = profiles.iter().map(|listed| row(&listed.object)).collect();
        let caption = "Notification profiles";
        ui::data_table(&Table { id: "profiles", caption, columns: &columns, rows: &rows })
    };
    let new = || ui::button("New profile", "/notifications/profiles/new", Some(Icon::Plus), true);
    let may = shell.may(Permission::AutomationWrite);
    let teach = ui::empty_state(
        "No profile yet",
        "Make one, and name it in the step notify of an action: the triggers of that action tell through it.",
        may.then(new),
    );
    let about = "A profile says who is told, by which channels, how often, and who comes next. The step notify of an action names one.";
    let found = list.body(shell, teach, table).await?;
    let body = html! {
        (ui::page_header("Notification profiles", about, html! {
            (list.exports(shell))
            @if may && !list.is_empty() { (new()) }
        }))
        (places("/notifications/profiles"))
        (found)
    };
    Ok(shell.page(Nav::Notifications, "Notification profiles", body))
}

/// How often a profile tells of the same thing.
fn often(body: &Value) -> String {
    let mut parts = Vec::new();
    if let Some(frequency) = body["frequency"].as_str() {
        parts.push(format!("not within {frequency}"));
    }
    if let Some(most) = body["repetitions"].as_i64() {
        parts.push(format!("at most {most} times"));
    }
    if let Some(cron) = body["digest"]["cron"].as_str() {
        parts.push(format!("as a digest ({cron})"));
    }
    if parts.is_empty() { "each time, at once".to_owned() } else { parts.join(", ") }
}

pub(super) fn state(object: &Object) -> Markup {
    match object.enabled {
        true => ui::badge(Tone::Good, Icon::Check, "On"),
        false => ui::badge(Tone::Neutral, Icon::Deny, "Off"),
    }
}

async fn one(shell: &Shell, name: &str) -> Result<Response, Problem> {
    let (engine, context) = (shell.engine(), shell.context());
    let object = engine.automation_object(context, CLASS, name).await?;
    let versions = engine.automation_versions(context, CLASS, name).await?;
    let query = NoticeQuery { profile: Some(name.to_owned()), ..NoticeQuery::default() };
    let recent = engine.notices(context, query, RECENT).await?;
    let sees = shell.may(Permission::AccountRead);
    let on = shell.address.value(past_event::NAME).unwrap_or_default();
    let preview = match sees {
        true => Some(preview(shell, name, on).await),
        false => None,
    };
    let may = shell.may(Permission::AutomationWrite);
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: "Notification profiles", href: Some("/notifications/profiles") },
            Crumb { label: object.title(), href: None },
        ]))
        (ui::page_header(object.title(), object.description(), html! {
            (state(&object))
            @if may {
                form method="post" action=(at(name, "test")) { (ui::csrf_input(shell.csrf()))
                    button.primary type="submit" { "Send me a trial" } }
                (ui::button("Change", &at(name, "edit"), None, false))
                (question(&at(name, "delete")).dialog(shell))
            }
        }))
        div.columns {
            (ui::section("says", "What it says", html! {}, says(&object)))
            (version_list::section(&of_objects(&versions)))
        }
        @if let Some(preview) = preview {
            (ui::section("preview", "Whom it would tell now", html! {}, html! {
                @match preview {
                    Ok(preview) => (shown(&preview)),
                    Err(error) => (ui::alert_box(AlertKind::Error, &error.to_string())),
                }
                (past_event::form(&href(name), on))
            }))
        }
        (ui::section("recent", "Newest decisions",
            html! { a href={"/notifications/notices?profile=" (name)} { "All of them" } },
            html! {
                @if recent.is_empty() { p.muted { "Nothing was decided yet: no trigger told through it." } }
                @else { (super::notice::table("recent-notices", &recent)) }
            }))
    };
    Ok(shell.page(Nav::Notifications, object.title(), body))
}

async fn preview(shell: &Shell, name: &str, on: &str) -> Result<Preview, Error> {
    let event = past_event::named(shell, on).await?;
    let (engine, context) = (shell.engine(), shell.context());
    engine.preview_notification(context, Some(name), None, None, event).await
}

/// The versions of an object, as their list shows them.
pub(super) fn of_objects(versions: &[Object]) -> Vec<Version<'_>> {
    versions
        .iter()
        .map(|one| Version {
            number: one.version,
            enabled: one.enabled,
            body: &one.body,
            at: one.changed_at,
            by: one.changed_by.as_deref(),
        })
        .collect()
}

fn says(object: &Object) -> Markup {
    let body = &object.body;
    let text = |value: &Value| value.as_str().unwrap_or("—").to_owned();
    let mut pairs = vec![
        ("Name", ui::code(&object.name)),
        ("Tells", html! { (joined(&body["recipients"])) }),
        ("By", html! { (channels(body)) }),
        ("How often", html! { (often(body)) }),
    ];
    let fallback = joined(&body["fallback"]);
    if !fallback.is_empty() {
        pairs.push(("If it reaches nobody", html! { (fallback) }));
    }
    pairs.push((
        "Template",
        match body["template"].as_str() {
            Some(name) => html! { a href={"/notifications/templates/" (name)} { (name) } },
            None => html! { "the built-in one" },
        },
    ));
    if body["quiet_hours"].is_object() {
        pairs.push(("Quiet", html! { (quiet_words(&body["quiet_hours"])) }));
    }
    let levels = body["escalation"].as_array().cloned().unwrap_or_default();
    if !levels.is_empty() {
        pairs.push((
            "Not acknowledged",
            html! { ol { @for level in &levels { li {
                "after " (text(&level["after"])) ": " (joined(&level["recipients"]))
            } } } },
        ));
    }
    ui::key_values(&pairs)
}

/// Quiet hours in words.
fn quiet_words(quiet: &Value) -> String {
    let mut parts = Vec::new();
    let (days, whole_days) = (joined(&quiet["days"]), joined(&quiet["whole_days"]));
    if let (Some(from), Some(to)) = (quiet["from"].as_str(), quiet["to"].as_str()) {
        let on = if days.is_empty() { String::new() } else { format!(" on {days}") };
        parts.push(format!("{from} to {to}{on}"));
    }
    if !whole_days.is_empty() {
        parts.push(format!("all day on {whole_days}"));
    }
    let except = joined(&quiet["except"]);
    let except = if except.is_empty() { except } else { format!("; except {except}") };
    let zone = quiet["time_zone"].as_str().unwrap_or("UTC");
    format!("{} ({zone}){except}", parts.join("; "))
}

/// What a preview shows: the message, and everybody who would be told or not.
pub(super) fn shown(preview: &Preview) -> Markup {
    let columns = [
        Column::new("Whom"),
        Column::new("By"),
        Column::new("Because").optional(),
        Column::new("Now"),
    ];
    let rows: Vec<Row> = preview
        .rows
        .iter()
        .map(|row| Row {
            href: None,
            tone: (row.decision == "skip").then_some(Tone::Warning),
            cells: vec![
                html! { (whom(row)) @if let Some(address) = &row.address { " " span.muted { (address) } } },
                html! { (row.channel) },
                html! { (row.paths.join("; ")) },
                decided(row),
            ],
        })
        .collect();
    html! {
        p.hint { (past_event::said(preview)) ", with the people as they are now. Nothing was sent." }
        (ui::data_table(&Table { id: "preview-recipients", caption: "Recipients", columns: &columns, rows: &rows }))
        p { strong { (preview.message.subject) } }
        pre.message tabindex="0" aria-label="Text of the message" { (preview.message.text) }
    }
}

fn whom(row: &PreviewRow) -> String {
    match row.name.as_str() {
        "" if row.reason.is_empty() => "Everybody who reads it".to_owned(),
        "" => "Nobody".to_owned(),
        name => name.to_owned(),
    }
}

fn decided(row: &PreviewRow) -> Markup {
    match row.decision {
        "send" => ui::badge(Tone::Good, Icon::Check, "Told"),
        "hold" => html! {
            (ui::badge(Tone::Info, Icon::Hourglass, "Later")) " "
            @if let Some(at) = row.due_at { (ui::time(at.micros())) }
        },
        _ => {
            html! { (ui::badge(Tone::Warning, Icon::Deny, "Not told")) " " span.muted { (row.reason) } }
        }
    }
}

async fn test(shell: &Shell, name: &str) -> Result<Response, Problem> {
    let sent = shell.engine().try_profile(shell.context(), name, None).await;
    let notice = match sent {
        Ok(sent) if sent.is_empty() => "It has no channel to send through but the bell.".to_owned(),
        Ok(sent) => {
            let names: Vec<&str> = sent.iter().map(|one| one.channel.as_str()).collect();
            format!("A trial is on its way through {}.", names.join(", "))
        }
        Err(error @ Error::Conflict { .. }) => {
            format!("Nothing was sent: {error}.")
        }
        Err(error) => return Err(error.into()),
    };
    Ok(shell.done(&href(name), &notice))
}
