//! Templates: the list, one of them on a real past event, and the form.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_engine::automation::{Class, Listed, Object};
use chancery_engine::notification::{template_example, template_fields};
use chancery_engine::{Error, Permission};
use chancery_event::EventType;
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::{places, profile};
use crate::edge::{Access, Problem, Routes};
use crate::page::automation::list::{List, Shown};
use crate::page::form::Fields;
use crate::page::past_event;
use crate::page::question::Question;
use crate::page::shell::Shell;
use crate::page::typed::Typed;
use crate::page::version_list;
use crate::page::{GET, POST};
use crate::ui::{self, AlertKind, Column, Crumb, Field, Icon, Nav, Row, Table, Tone};

const CLASS: Class = Class::Template;
const FIELDS: [&str; 7] =
    ["name", "title", "description", "event_types", "subject", "text", "html"];

pub(super) fn add(routes: &mut Routes) {
    let read = Access::Session(Permission::AutomationRead);
    let write = Access::Session(Permission::AutomationWrite);
    routes.add(GET, "/notifications/templates", read, async |shell: Shell| {
        shell.answer(list(&shell)).await
    });
    routes.add(GET, "/notifications/templates/new", write, async |shell: Shell| {
        let example = template_example();
        let text = |name: &str| example[name].as_str().unwrap_or_default().to_owned();
        let typed = Typed::default()
            .or("subject", text("subject"))
            .or("text", text("text"))
            .or("enabled", "1");
        shell.answer(form(&shell, None, typed)).await
    });
    routes.add(
        POST,
        "/notifications/templates/new",
        write,
        async |shell: Shell, Fields(typed): Fields| shell.answer(save(&shell, None, typed)).await,
    );
    routes.add(
        GET,
        "/notifications/templates/{name}",
        read,
        async |shell: Shell, Path(name): Path<String>| shell.answer(one(&shell, &name)).await,
    );
    routes.add(
        GET,
        "/notifications/templates/{name}/edit",
        write,
        async |shell: Shell, Path(name): Path<String>| shell.answer(edit(&shell, &name)).await,
    );
    routes.add(
        POST,
        "/notifications/templates/{name}/edit",
        write,
        async |shell: Shell, Path(name): Path<String>, Fields(typed): Fields| {
            shell.answer(save(&shell, Some(&name), typed)).await
        },
    );
    routes.add(
        GET,
        "/notifications/templates/{name}/delete",
        write,
        async |shell: Shell, Path(name): Path<String>| {
            let action = format!("{}/delete", href(&name));
            question(&action).page(&shell, Nav::Notifications, &href(&name))
        },
    );
    routes.add(
        POST,
        "/notifications/templates/{name}/delete",
        write,
        async |shell: Shell, Path(name): Path<String>, _: Fields| {
            shell
                .answer(async {
                    shell.engine().delete_automation(shell.context(), CLASS, &name).await?;
                    Ok(shell.done("/notifications/templates", "The template is deleted."))
                })
                .await
        },
    );
}

fn href(name: &str) -> String {
    format!("/notifications/templates/{name}")
}

fn question(action: &str) -> Question<'_> {
    Question {
        id: "delete-dialog",
        trigger: "Delete…",
        title: "Delete this template?",
        text: "Its versions stay on record. It cannot go while a profile uses it.",
        action,
        submit: "Delete the template",
        is_final: true,
        fields: None,
    }
}

const SHOWN: Shown = Shown {
    class: CLASS,
    root: "/notifications/templates",
    noun: "template",
    placeholder: "event_type:certificate.expiring object.owner",
    facets: &["state", "event_type"],
};

async fn list(shell: &Shell) -> Result<Response, Problem> {
    let list = List::read(shell, &SHOWN).await?;
    let columns = [
        list.column(&shell.address, "name", "Template"),
        Column::new("Subject"),
        Column::new("For").optional(),
        list.column(&shell.address, "state", "State"),
    ];
    let row = |object: &Object| Row {
        href: Some(href(&object.name)),
        tone: None,
        cells: vec![
            html! { (object.title()) },
            ui::code(object.body["subject"].as_str().unwrap_or_default()),
            html! { (types(&object.body)) },
            profile::state(object),
        ],
    };
    let table = |templates: &[Listed]| {
        let rows: Vec<Row> = templates.iter().map(|listed| row(&listed.object)).collect();
        ui::data_table(&Table {
            id: "templates",
            caption: "Templates",
            columns: &columns,
            rows: &rows,
        })
    };
    let new = || ui::button("New template", "/notifications/templates/new", Some(Icon::Plus), true);
    let may = shell.may(Permission::AutomationWrite);
    let teach = ui::empty_state(
        "No template of your own",
        "The built-in one says what happened, which certificate it is about, until when it is valid, and links to the event and its alert. Write one where that is too much or too little.",
        may.then(new),
    );
    let about = "A template says how a notice reads. A profile without one uses the built-in one.";
    let found = list.body(shell, teach, table).await?;
    let body = html! {
        (ui::page_header("Templates", about, html! {
            (list.exports(shell))
            @if may && !list.is_empty() { (new()) }
        }))
        (places("/notifications/templates"))
        (found)
    };
    Ok(shell.page(Nav::Notifications, "Templates", body))
}

fn types(body: &Value) -> String {
    match profile::joined(&body["event_types"]) {
        all if all.is_empty() => "all events".to_owned(),
        some => some,
    }
}

async fn one(shell: &Shell, name: &str) -> Result<Response, Problem> {
    let (engine, context) = (shell.engine(), shell.context());
    let object = engine.automation_object(context, CLASS, name).await?;
    let text = |member: &str| object.body[member].as_str().unwrap_or_default().to_owned();
    let versions = engine.automation_versions(context, CLASS, name).await?;
    let on = shell.address.value(past_event::NAME).unwrap_or_default();
    let preview = preview(shell, Some(name), &object.body, on).await;
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: "Templates", href: Some("/notifications/templates") },
            Crumb { label: object.title(), href: None },
        ]))
        (ui::page_header(object.title(), object.description(), html! {
            (profile::state(&object))
            @if shell.may(Permission::AutomationWrite) {
                (ui::button("Change", &format!("{}/edit", href(name)), None, true))
                (question(&format!("{}/delete", href(name))).dialog(shell))
            }
        }))
        @if !object.enabled {
            (ui::alert_box(AlertKind::Info, "It is switched off: profiles that name it use the built-in text."))
        }
        div.columns {
            (ui::section("says", "What it says", html! {}, html! {
                (ui::key_values(&[("Name", ui::code(name)), ("For", html! { (types(&object.body)) }),
                    ("Version", html! { (object.version) }), ("Subject", ui::code(&text("subject")))]))
                (ui::json_block("template-text", "Text", &text("text")))
                @if !text("html").is_empty() { (ui::json_block("template-html", "HTML", &text("html"))) }
            }))
            (version_list::section(&profile::of_objects(&versions)))
        }
        (ui::section("preview", "On a past event", html! {}, html! {
            (preview)
            @if shell.may(Permission::AccountRead) { (past_event::form(&href(name), on)) }
        }))
    };
    Ok(shell.page(Nav::Notifications, object.title(), body))
}

/// What a body comes to on a past event, and who would read it: the recipients of a profile that
/// names the template, or else whom the event concerns.
async fn preview(shell: &Shell, template: Option<&str>, body: &Value, on: &str) -> Markup {
    if !shell.may(Permission::AccountRead) {
        return html! { p.muted { "Those who may see accounts see it filled." } };
    }
    let filled = async {
        let profile = match template {
            Some(name) => used_by(shell, name).await?,
            None => None,
        };
        let event = past_event::named(shell, on).await?;
        let (engine, context) = (shell.engine(), shell.context());
        let name = profile.as_deref();
        let asked = engine.preview_notification(context, name, None, Some(body.clone()), event);
        Ok::<_, Error>((asked.await?, profile))
    };
    match filled.await {
        Ok((preview, profile)) => html! {
            p.hint {
                @match &profile {
                    Some(name) => { "With the recipients of the profile " a href=(profile::href(name)) { (name) } ", which uses it." }
                    None => { "No profile uses it: with those whom the event concerns." }
                }
            }
            (profile::shown(&preview))
        },
        Err(error) => ui::alert_box(AlertKind::Error, &error.to_string()),
    }
}

/// A profile that names a template: one that is on before one that is off.
async fn used_by(shell: &Shell, template: &str) -> Result<Option<String>, Error> {
    let profiles = shell.engine().automation(shell.context(), Class::Profile).await?;
    let names = |one: &&Object| one.body["template"].as_str() == Some(template);
    let used = profiles.iter().filter(names).min_by_key(|one| !one.enabled);
    Ok(used.map(|one| one.name.clone()))
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn fill(body: &Value) -> Typed {
    let text = |member: &str| body[member].as_str().unwrap_or_default().to_owned();
    let types: Vec<String> = body["event_types"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one.as_str().map(str::to_owned))
        .collect();
    ["title", "description", "subject", "text", "html"]
        .into_iter()
        .fold(Typed::default(), |typed, member| typed.or(member, text(member)))
        .or("event_types", types.join("\n"))
}

fn body(typed: &Typed) -> Value {
    let mut body = Map::new();
    for member in ["title", "description", "html"] {
        if let Some(text) = typed.some(member) {
            body.insert(member.to_owned(), text.into());
        }
    }
    let types = lines(typed.text("event_types"));
    if !types.is_empty() {
        body.insert("event_types".to_owned(), json!(types));
    }
    body.insert("subject".to_owned(), typed.text("subject").into());
    body.insert("text".to_owned(), typed.text("text").replace("\r\n", "\n").into());
    Value::Object(body)
}

/// A fault of the body as one of a field.
fn placed(error: Error) -> Error {
    match error {
        Error::Invalid { field, message } => {
            let field = field.trim_start_matches('/');
            Error::invalid(field.split('/').next().unwrap_or_default().to_owned(), message)
        }
        error => error,
    }
}

async fn edit(shell: &Shell, name: &str) -> Result<Response, Problem> {
    let object = shell.engine().automation_object(shell.context(), CLASS, name).await?;
    let mut typed = fill(&object.body).or("version", object.version.to_string());
    if object.enabled {
        typed = typed.or("enabled", "1");
    }
    form(shell, Some(name), typed).await
}

async fn save(shell: &Shell, name: Option<&str>, typed: Typed) -> Result<Response, Problem> {
    if typed.has("do") {
        return form(shell, name, typed).await;
    }
    let (engine, context, enabled) = (shell.engine(), shell.context(), typed.has("enabled"));
    let wanted = name.map_or_else(|| typed.text("name").to_owned(), str::to_owned);
    let body = body(&typed);
    let saved = match name {
        None => engine.create_automation(context, CLASS, &wanted, body, enabled).await,
        Some(name) => {
            let version = typed.text("version").parse().ok();
            engine.update_automation(context, CLASS, name, version, body, enabled).await
        }
    };
    match saved {
        Ok(_) => Ok(shell.done(&href(&wanted), "Saved.")),
        Err(error) => form(shell, name, typed.refused(placed(error))?).await,
    }
}

async fn form(shell: &Shell, name: Option<&str>, typed: Typed) -> Result<Response, Problem> {
    let title = name.map_or_else(|| "New template".to_owned(), |name| format!("Change {name}"));
    let action = match name {
        None => "/notifications/templates/new".to_owned(),
        Some(name) => format!("{}/edit", href(name)),
    };
    let types: Vec<EventType> =
        lines(typed.text("event_types")).iter().filter_map(|name| EventType::parse(name)).collect();
    let attributes = shell.engine().attributes(shell.context()).await?;
    let shown = if types.is_empty() { vec![EventType::CertificateExpiring] } else { types };
    let fields = template_fields(&shown, &attributes);
    let preview = match typed.is_refused() {
        true => html! {},
        false => preview(shell, name, &body(&typed), typed.text(past_event::NAME)).await,
    };
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: "Templates", href: Some("/notifications/templates") },
            Crumb { label: &title, href: None },
        ]))
        (ui::page_header(&title, "{{ a.name }} stands for a value, {% if a.name %}…{% endif %} for what is there only sometimes.", html! {}))
        @if let Some(error) = typed.general_error(&FIELDS) { (ui::alert_box(AlertKind::Error, error)) }
        (ui::previewed_form(&action, shell.csrf(), "preview", html! {
            @if let Some(version) = typed.some("version") { input type="hidden" name="version" value=(version); }
            @if name.is_none() {
                (ui::field(&Field { required: true, autocomplete: "off",
                    ..typed.field("name", "name", "Name", "Its identity, which never changes: words of a-z and 0-9 joined by - or . as in short-mail.") }))
            }
            (ui::field(&typed.field("title", "title", "Title", "What people read.")))
            (ui::text_area(&typed.field("description", "description", "What it is for", ""), 2, false))
            div.columns {
                div {
                    (ui::text_area(&typed.field("event-types", "event_types", "For events of these types", "One a line. Empty: for all; then only fields that some type has are checked."), 3, true))
                    (ui::field(&Field { required: true, ..typed.field("subject", "subject", "Subject", "One line.") }))
                    (ui::text_area(&Field { required: true, ..typed.field("text", "text", "Text", "Plain text. Chats show it below the subject.") }, 16, true))
                    (ui::text_area(&typed.field("html", "html", "HTML", "For mail. Empty: made of the text."), 6, true))
                    (past_event::field(typed.text(past_event::NAME)))
                    div.actions { button type="submit" name="do" value="preview" formnovalidate { "How does it read?" } }
                    div id="preview" aria-live="polite" { (preview) }
                }
                (known(&fields, &shown))
            }
            (ui::check_field(&Field { value: "1", ..typed.field("enabled", "enabled", "Switched on", "Switched off, profiles that name it use the built-in text.") }, typed.has("enabled")))
            div.actions { (ui::submit("Save", Tone::Info)) (ui::button("Back", "/notifications/templates", None, false)) }
        }))
    };
    let mut response = shell.page(Nav::Notifications, &title, body);
    if typed.is_refused() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

/// The names that a template may use.
fn known(fields: &[(String, String)], types: &[EventType]) -> Markup {
    let names: Vec<&str> = types.iter().map(|one| one.name()).collect();
    html! { section.sheet aria-labelledby="names-title" {
        h2 id="names-title" { "Names" }
        p.hint { "What there is for " (names.join(", ")) ". Anything else is refused when you save." }
        div.field-list tabindex="0" role="region" aria-label="Names that a template can use" {
            dl { @for (name, doc) in fields { div {
                dt { code.break { (name) } }
                dd { (doc) }
            } } }
        }
    } }
}
