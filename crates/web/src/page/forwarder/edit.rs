//! The form of a forwarder (which events, when, where to) or a channel (where to).
//!
//! Fields are named as the members are placed (`settings/url`), so that a refusal stands where it
//! belongs.

use std::collections::BTreeMap;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_engine::Error;
use chancery_engine::delivery::{DestinationEdit, DestinationView, Matches};
use chancery_event::Severity;
use chancery_event::dialect::Dialect;
use chancery_event::sentence::sentence;
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::Shelf;
use super::kind::{self, Ask, KINDS, Kind, Setting};
use crate::edge::{Access, Problem, Routes};
use crate::page::form::Fields;
use crate::page::shell::Shell;
use crate::page::typed::Typed;
use crate::page::{GET, POST};
use crate::ui::{self, AlertKind, ChoiceOption, Crumb, Field, Tone};

/// Object classes that locations are given for: member, label, hint.
const LOCATIONS: [(&str, &str, &str); 4] = [
    (
        "items",
        "Items",
        "Certificates and what else is kept: /prod/* for a folder, /prod/shop for one. One a line.",
    ),
    ("auth_methods", "Authentication methods", "Accounts and tokens. One a line."),
    ("targets", "Targets", "Systems outside. One a line."),
    ("gateways", "Gateways", "One a line."),
];

pub(super) fn add(routes: &mut Routes, shelf: &'static Shelf) {
    let write = Access::Session(shelf.write);
    let (new, edit) = (shelf.one("new"), shelf.at("{name}", "edit"));
    routes.add(GET, &new, write, async move |shell: Shell| {
        let kind = shell.address.value("kind").map(str::to_owned);
        shell
            .answer(async {
                match kind.as_deref().and_then(|word| offered(shelf, word)) {
                    Some(kind) => {
                        let typed = Typed::default().or("enabled", "1").or("path", "/");
                        form(&shell, shelf, kind, None, typed)
                    }
                    None => Ok(choose(&shell, shelf)),
                }
            })
            .await
    });
    routes.add(POST, &new, write, async move |shell: Shell, Fields(typed): Fields| {
        shell.answer(save(&shell, shelf, None, typed)).await
    });
    routes.add(GET, &edit, write, async move |shell: Shell, Path(name): Path<String>| {
        shell
            .answer(async {
                let view = shell.engine().destination(shell.context(), shelf.class, &name).await?;
                let kind = kind::find(&view.row.kind).ok_or_else(Problem::not_found)?;
                let typed = fill(&view, kind);
                form(&shell, shelf, kind, Some(&name), typed)
            })
            .await
    });
    routes.add(
        POST,
        &edit,
        write,
        async move |shell: Shell, Path(name): Path<String>, Fields(typed): Fields| {
            shell.answer(save(&shell, shelf, Some(&name), typed)).await
        },
    );
}

/// A kind that a shelf has.
fn offered(shelf: &Shelf, word: &str) -> Option<&'static Kind> {
    kind::find(word).filter(|kind| kind.tells || !shelf.is_channels())
}

/// The page that asks which kind.
fn choose(shell: &Shell, shelf: &Shelf) -> Response {
    let title = format!("New {}", shelf.noun);
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: shelf.plural, href: Some(shelf.root) },
            Crumb { label: "New", href: None },
        ]))
        (ui::page_header(&title, "Where to? The kind cannot be changed later.", html! {}))
        ul.kinds {
            @for kind in KINDS.iter().filter(|kind| offered(shelf, kind.word).is_some()) {
                li {
                    a href={(shelf.root) "/new?kind=" (kind.word)} { (kind.label) }
                    p.muted { (kind.about) }
                }
            }
        }
    };
    shell.page(shelf.nav, &title, body)
}

/// Shows secrets that were made, this once.
pub(super) fn told_once(
    shell: &Shell,
    shelf: &Shelf,
    name: &str,
    generated: &[(String, String)],
) -> Response {
    let body = html! {
        (ui::page_header("Keep this secret", "It is shown now and never again.", html! {}))
        @for (secret, value) in generated {
            (ui::section(secret, secret, html! {}, ui::code(value)))
        }
        div.actions { (ui::button("Done", &shelf.one(name), None, true)) }
    };
    let mut response = shell.page(shelf.nav, "Keep this secret", body);
    let never = axum::http::HeaderValue::from_static("no-store");
    response.headers_mut().insert(axum::http::header::CACHE_CONTROL, never);
    response
}

/// A log index as people type it.
fn index(text: &str) -> Result<u64, Error> {
    text.trim().parse().map_err(|_| Error::invalid("start", "a number without separators"))
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// What was typed as the body of a destination.
fn body(typed: &Typed, shelf: &Shelf, kind: &Kind) -> Result<Value, Error> {
    let mut settings = Map::new();
    for Setting(name, _, _, ask) in kind.settings {
        let field = format!("settings/{name}");
        let text = typed.text(&field);
        let value = match ask {
            Ask::Tick => json!(typed.has(&field)),
            _ if text.is_empty() => continue,
            Ask::Text | Ask::Area | Ask::Word(_) => json!(text),
            Ask::Number => match text.parse::<i64>() {
                Ok(number) => json!(number),
                Err(_) => return Err(Error::invalid(field, "a whole number")),
            },
            Ask::List => json!(lines(text)),
            Ask::Pairs => pairs(&field, text)?,
        };
        settings.insert((*name).to_owned(), value);
    }
    if shelf.is_channels() {
        return Ok(json!({
            "kind": kind.word,
            "title": typed.text("title"),
            "description": typed.text("description"),
            "settings": settings,
        }));
    }
    let mut locations = Map::new();
    for (name, ..) in LOCATIONS {
        let listed = lines(typed.text(&format!("select/locations/{name}")));
        locations.insert(name.to_owned(), json!(listed));
    }
    let number = |name: &str| match typed.text(name) {
        "" => Ok(Value::Null),
        text => text
            .parse::<i64>()
            .map(Value::from)
            .map_err(|_| Error::invalid(name.to_owned(), "a whole number")),
    };
    let periodic = typed.text("runner") == "periodic";
    Ok(json!({
        "kind": kind.word,
        "title": typed.text("title"),
        "description": typed.text("description"),
        "path": typed.text("path"),
        "select": {
            "event_types": lines(typed.text("select/event_types")),
            "severities": typed.all("select/severities"),
            "filter": typed.text("select/filter"),
            "locations": locations,
        },
        "runner": if periodic { "periodic" } else { "immediate" },
        "every_hours": if periodic { number("every_hours")? } else { Value::Null },
        "batch_max": number("batch_max")?,
        "ordered": typed.has("ordered"),
        "dialect": typed.some("dialect"),
        "personal": typed.has("personal"),
        "settings": settings,
    }))
}

fn pairs(field: &str, text: &str) -> Result<Value, Error> {
    let mut members = Map::new();
    for line in lines(text) {
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| Error::invalid(field.to_owned(), "one a line, as in X-Team: soc"))?;
        members.insert(name.trim().to_owned(), json!(value.trim()));
    }
    Ok(Value::Object(members))
}

/// The form of a destination as it is.
fn fill(view: &DestinationView, kind: &Kind) -> Typed {
    let definition = &view.definition;
    let select = &definition.select;
    let tick = |typed: Typed, name: &str, is: bool| if is { typed.or(name, "1") } else { typed };
    let mut typed = Typed::default()
        .or("title", &definition.title)
        .or("description", &definition.description)
        .or("path", &definition.path)
        .or("select/event_types", select.event_types.join("\n"))
        .or_all("select/severities", select.severities.clone())
        .or("select/filter", &select.filter)
        .or("every_hours", definition.every_hours.map_or(String::new(), |n| n.to_string()))
        .or("batch_max", definition.batch_max.map_or(String::new(), |n| n.to_string()))
        .or("dialect", definition.dialect.clone().unwrap_or_default())
        .or("version", view.row.version.to_string());
    let periodic = definition.every_hours.is_some();
    typed = typed.or("runner", if periodic { "periodic" } else { "immediate" });
    typed = tick(typed, "ordered", definition.ordered);
    typed = tick(typed, "personal", definition.personal);
    typed = tick(typed, "enabled", view.row.enabled);
    let locations = &select.locations;
    let lists =
        [&locations.items, &locations.auth_methods, &locations.targets, &locations.gateways];
    for ((name, ..), list) in LOCATIONS.iter().zip(lists) {
        typed = typed.or(&format!("select/locations/{name}"), list.join("\n"));
    }
    for Setting(name, ..) in kind.settings {
        let field = format!("settings/{name}");
        typed = match definition.settings.get(*name) {
            None | Some(Value::Null | Value::Bool(false)) => typed,
            Some(Value::Bool(true)) => typed.or(&field, "1"),
            Some(Value::String(text)) => typed.or(&field, text),
            Some(Value::Array(items)) => {
                let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
                typed.or(&field, items.join("\n"))
            }
            Some(Value::Object(members)) => {
                let shown = |(name, value): (&String, &Value)| {
                    format!("{name}: {}", value.as_str().unwrap_or_default())
                };
                typed.or(&field, members.iter().map(shown).collect::<Vec<_>>().join("\n"))
            }
            Some(value) => typed.or(&field, value.to_string()),
        };
    }
    typed
}

async fn save(
    shell: &Shell,
    shelf: &Shelf,
    name: Option<&str>,
    typed: Typed,
) -> Result<Response, Problem> {
    let (engine, context) = (shell.engine(), shell.context());
    let kind = match name {
        None => offered(shelf, typed.text("kind")),
        Some(name) => {
            let view = engine.destination(context, shelf.class, name).await?;
            kind::find(&view.row.kind)
        }
    };
    let kind = kind.ok_or_else(Problem::not_found)?;
    if typed.has("preview") && !shelf.is_channels() {
        return preview(shell, shelf, kind, name, typed).await;
    }
    let wanted = name.map_or_else(|| typed.text("name").to_owned(), str::to_owned);
    let saved = async {
        let mut secrets = BTreeMap::new();
        for secret in kind.secrets {
            let field = format!("secrets/{}", secret.0);
            let gone = typed.has(&format!("{field}/gone"));
            match typed.some(&field) {
                Some(value) => secrets.insert(secret.0.to_owned(), value),
                None if gone => secrets.insert(secret.0.to_owned(), String::new()),
                None => None,
            };
        }
        let edit = DestinationEdit {
            body: body(&typed, shelf, kind)?,
            secrets,
            enabled: Some(typed.has("enabled")),
            start: typed.some("start").map(|text| index(&text)).transpose()?,
        };
        match name {
            None => engine.create_destination(context, shelf.class, &wanted, edit).await,
            Some(name) => {
                let version = typed.text("version").parse().ok();
                engine.update_destination(context, shelf.class, name, version, edit).await
            }
        }
    };
    match saved.await {
        Ok(saved) if saved.generated.is_empty() => Ok(shell.done(&shelf.one(&wanted), "Saved.")),
        Ok(saved) => Ok(told_once(shell, shelf, &wanted, &saved.generated)),
        Err(error) => form(shell, shelf, kind, name, typed.refused(placed(error))?),
    }
}

/// Shows how much the selection that was typed would have got; nothing is saved.
async fn preview(
    shell: &Shell,
    shelf: &Shelf,
    kind: &Kind,
    name: Option<&str>,
    typed: Typed,
) -> Result<Response, Problem> {
    let asked = async {
        let body = body(&typed, shelf, kind)?;
        shell.engine().preview_forwarder(shell.context(), &body).await
    };
    match asked.await {
        Ok(found) => form_with(shell, shelf, kind, name, typed, Some(&found)),
        Err(error) => form(shell, shelf, kind, name, typed.refused(placed(error))?),
    }
}

/// What a selection would have got.
fn matched(found: &Matches) -> Markup {
    let count = |count: u64| match count {
        1 => "1 event".to_owned(),
        count => format!("{} events", ui::grouped(count)),
    };
    html! {
        div.preview role="status" {
            p { "This selection would have got " strong { (count(found.last_day)) } " of the last 24 hours and "
                strong { (count(found.last_week)) } " of the last 7 days."
                @if let Some(since) = found.since { " Only what came since " (ui::time(since.micros())) " was looked at." } }
            @if !found.samples.is_empty() {
                p { "The newest:" }
                ul { @for sealed in &found.samples { li {
                    a href={"/events/" (sealed.event().id)} { (sentence(sealed.event())) }
                    " " span.muted { (sealed.event().type_name) ", " (ui::time(sealed.event().time.micros())) }
                } } }
            }
            p.hint { "Nothing is saved yet." }
        }
    }
}

/// An entry of a list stands in one field with the others.
fn placed(error: Error) -> Error {
    match error {
        Error::Invalid { field, message } => {
            let whole = match field.rsplit_once('/') {
                Some((list, entry)) if entry.bytes().all(|byte| byte.is_ascii_digit()) => list,
                _ => field.as_str(),
            };
            let whole = match whole.strip_prefix("settings/headers/") {
                Some(_) => "settings/headers",
                None => whole,
            };
            Error::Invalid { field: whole.to_owned(), message }
        }
        error => error,
    }
}

fn form(
    shell: &Shell,
    shelf: &Shelf,
    kind: &Kind,
    name: Option<&str>,
    typed: Typed,
) -> Result<Response, Problem> {
    form_with(shell, shelf, kind, name, typed, None)
}

fn form_with(
    shell: &Shell,
    shelf: &Shelf,
    kind: &Kind,
    name: Option<&str>,
    typed: Typed,
    found: Option<&Matches>,
) -> Result<Response, Problem> {
    let title = match name {
        None => format!("New {}: {}", shelf.noun, kind.label),
        Some(name) => format!("Change {name}"),
    };
    let action = match name {
        None => shelf.one("new"),
        Some(name) => shelf.at(name, "edit"),
    };
    let known = known_fields(kind);
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: shelf.plural, href: Some(shelf.root) },
            Crumb { label: &title, href: None },
        ]))
        (ui::page_header(&title, kind.about, html! {}))
        @if let Some(error) = typed.general_error(&known) { (ui::alert_box(AlertKind::Error, error)) }
        (ui::post_form(&action, shell.csrf(), false, html! {
            input type="hidden" name="kind" value=(kind.word);
            @if let Some(version) = typed.some("version") { input type="hidden" name="version" value=(version); }
            @if name.is_none() {
                (ui::field(&Field { required: true, autocomplete: "off",
                    ..typed.field("name", "name", "Name", "Its identity, which never changes: words of a-z and 0-9 joined by - or . as in soc-webhook.") }))
            }
            (ui::field(&typed.field("title", "title", "Title", "What people read.")))
            (ui::text_area(&typed.field("description", "description", "What it is for", ""), 2, false))
            (ui::section("where", "Where to", html! {}, where_to(&typed, shelf, kind)))
            (ui::section("secrets", "Secrets", html! {}, secrets(&typed, kind, name.is_some())))
            @if shelf.is_channels() { (switched_on(&typed)) } @else {
                (ui::section("which", "Which events", html! {}, html! {
                    (which(&typed))
                    @if let Some(found) = found { (matched(found)) }
                    button.button type="submit" name="preview" value="1" formnovalidate
                        formaction={(action) "#which"} { "How much would it get?" }
                }))
                (ui::section("when", "When and how", html! {}, when(&typed, kind, name.is_none())))
            }
            div.actions { (ui::submit("Save", Tone::Info)) (ui::button("Back", shelf.root, None, false)) }
        }))
    };
    let mut response = shell.page(shelf.nav, &title, body);
    if typed.is_refused() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

fn known_fields(kind: &Kind) -> Vec<String> {
    let plain = [
        "name",
        "title",
        "description",
        "path",
        "select/event_types",
        "select/severities",
        "select/filter",
        "runner",
        "every_hours",
        "batch_max",
        "dialect",
        "start",
    ];
    let mut known: Vec<String> = plain.map(str::to_owned).into();
    known.extend(LOCATIONS.iter().map(|(name, ..)| format!("select/locations/{name}")));
    known.extend(kind.settings.iter().map(|setting| format!("settings/{}", setting.0)));
    known.extend(kind.secrets.iter().map(|secret| format!("secrets/{}", secret.0)));
    known
}

/// The identifier of a field on the page.
fn id_of(name: &str) -> String {
    name.replace(['/', '_'], "-")
}

fn where_to(typed: &Typed, shelf: &Shelf, kind: &Kind) -> Markup {
    html! {
        @for Setting(name, label, hint, ask) in kind.settings {
            @let field = format!("settings/{name}");
            @let id = id_of(&field);
            @let shown = typed.field(&id, &field, label, hint);
            @match ask {
                Ask::Text => (ui::field(&shown)),
                Ask::Number => (ui::field(&Field { kind: "number", ..shown })),
                Ask::Area => (ui::text_area(&shown, 3, true)),
                Ask::List | Ask::Pairs => (ui::text_area(&shown, 3, false)),
                Ask::Tick => (ui::check_field(&Field { value: "1", ..shown }, typed.has(&field))),
                Ask::Word(words) => {
                    @let fits = |word: &&str| !shelf.is_channels() || !kind::OF_EVENTS.contains(word);
                    @let words: Vec<&str> = words.iter().copied().filter(fits).collect();
                    (ui::select_field(&shown, &choices(&words)))
                }
            }
        }
    }
}

fn choices<'a>(words: &'a [&'a str]) -> Vec<ChoiceOption<'a>> {
    words.iter().map(|word| ChoiceOption { value: word, label: word }).collect()
}

fn secrets(typed: &Typed, kind: &Kind, exists: bool) -> Markup {
    html! {
        p.hint { "Kept encrypted and never shown again." @if exists { " What is left empty stays as it is." } }
        @for secret in kind.secrets {
            @let field = format!("secrets/{}", secret.0);
            @let id = id_of(&field);
            @let shown = Field { id: &id, name: &field, label: secret.1, hint: secret.2, error: typed.error(&field),
                autocomplete: "off", ..Field::default() };
            @if matches!(secret.0, "client_key" | "headers") { (ui::text_area(&shown, 3, true)) }
            @else { (ui::field(&Field { kind: "password", autocomplete: "new-password", ..shown })) }
            @if exists {
                @let gone = format!("{field}/gone");
                @let gone_id = id_of(&gone);
                @let gone_label = format!("Take away: {}", secret.1);
                (ui::check_field(&Field { id: &gone_id, name: &gone, label: &gone_label, value: "1",
                    ..Field::default() }, false))
            }
        }
    }
}

fn which(typed: &Typed) -> Markup {
    let chosen = typed.all("select/severities");
    html! {
        (ui::text_area(&typed.field("select-event-types", "select/event_types", "Event types", "One a line; certificate.* for a whole family. Empty: all."), 4, true))
        fieldset {
            legend { "Severities" }
            p.hint { "None ticked: all." }
            @for severity in Severity::ALL {
                @let id = format!("severity-{}", severity.as_str());
                (ui::check_field(&Field { id: &id, name: "select/severities", label: severity.as_str(),
                    value: severity.as_str(), ..Field::default() },
                    chosen.iter().any(|one| one == severity.as_str())))
            }
        }
        (ui::text_area(&typed.field("select-filter", "select/filter", "Filter", "As in the search of events, with detail.NAME and object.NAME besides. Empty: none."), 2, true))
        p.hint { "Where the objects live. All empty: anywhere." }
        @for (name, label, hint) in LOCATIONS {
            @let field = format!("select/locations/{name}");
            @let id = id_of(&field);
            (ui::text_area(&typed.field(&id, &field, label, hint), 2, true))
        }
    }
}

fn when(typed: &Typed, kind: &Kind, is_new: bool) -> Markup {
    let runners = [
        ChoiceOption { value: "immediate", label: "As soon as events are sealed" },
        ChoiceOption { value: "periodic", label: "Every few hours, in batches" },
    ];
    let mut dialects = vec![ChoiceOption { value: "", label: "As the kind does" }];
    // What stands in headers is for kinds that have them.
    let has_headers = matches!(kind.word, "webhook" | "nats");
    let usable = |one: &&Dialect| has_headers || **one != Dialect::CloudEventsBinary;
    dialects.extend(
        Dialect::ALL
            .iter()
            .filter(usable)
            .map(|one| ChoiceOption { value: one.name(), label: one.label() }),
    );
    html! {
        (ui::select_field(&typed.field("runner", "runner", "When", ""), &runners))
        (ui::field(&Field { kind: "number", ..typed.field("every-hours", "every_hours", "Every so many hours", "1 to 24, where it sends in batches.") }))
        (ui::field(&Field { kind: "number", ..typed.field("batch-max", "batch_max", "Events of one delivery at most", "Empty: as the kind does.") }))
        @if kind.has_dialect { (ui::select_field(&typed.field("dialect", "dialect", "Dialect", "How events are written."), &dialects)) }
        (ui::check_field(&Field { id: "ordered", name: "ordered", label: "In order", value: "1", hint: "One after another; a failure holds up what follows.", ..Field::default() }, typed.has("ordered")))
        (ui::check_field(&Field { id: "personal", name: "personal", label: "With names and addresses of people", value: "1", hint: "Otherwise they are left out.", ..Field::default() }, typed.has("personal")))
        (ui::field(&Field { required: true, ..typed.field("path", "path", "Folder", "Where it lives, such as /prod; permissions can be given by folder.") }))
        @if is_new { (ui::field(&Field { kind: "number", ..typed.field("start", "start", "Begin at log index", "Empty: with what comes from now on; 0: with the whole log.") })) }
        (switched_on(typed))
    }
}

fn switched_on(typed: &Typed) -> Markup {
    let field = Field {
        id: "enabled",
        name: "enabled",
        label: "Switched on",
        value: "1",
        ..Field::default()
    };
    ui::check_field(&field, typed.has("enabled"))
}
