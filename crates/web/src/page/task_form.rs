//! The form of a monitor or schedule: what it looks at, when, and when it reports. A preview shows
//! the next run times; what is wrong stands at its field.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_engine::automation::Class;
use chancery_engine::job;
use chancery_engine::monitor::{Kind, Timetable};
use chancery_engine::{Error, Permission};
use chancery_event::Timestamp;
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::address::Address;
use super::automation::picker::{Group, Item, Picker, compared};
use super::form::Fields;
use super::shell::Shell;
use super::task::path;
use super::typed::{Typed, sentence};
use super::{GET, POST};
use crate::edge::{Access, Problem, Routes};
use crate::ui::{self, AlertKind, ChoiceOption, Crumb, Field, Nav, Tone};

/// Fields of the form.
const FIELDS: [&str; 15] = [
    "name",
    "title",
    "description",
    "kind",
    "filter",
    "cron",
    "time_zone",
    "thresholds",
    "repeat",
    "suppress_if_replaced",
    "certificates",
    "accounts",
    "storage_mib",
    "valid_until",
    "job_kind",
];

pub(super) fn add(routes: &mut Routes) {
    let write = Access::Session(Permission::AutomationWrite);
    for class in [Class::Monitor, Class::Schedule] {
        let new = format!("{}/new", path(class));
        let one = format!("{}/{{name}}/change", path(class));
        routes.add(GET, &new, write, async move |shell: Shell| {
            shell.answer(page(&shell, class, None, &fresh(class))).await
        });
        routes.add(POST, &new, write, async move |shell: Shell, Fields(typed): Fields| {
            save(&shell, class, None, typed).await
        });
        routes.add(GET, &one, write, async move |shell: Shell, Path(name): Path<String>| {
            shell.answer(change(&shell, class, &name)).await
        });
        routes.add(
            POST,
            &one,
            write,
            async move |shell: Shell, Path(name): Path<String>, Fields(typed): Fields| {
                save(&shell, class, Some(name), typed).await
            },
        );
    }
}

fn fresh(class: Class) -> Typed {
    let typed = Typed::default().or("time_zone", "UTC");
    match class {
        Class::Schedule => typed.or("cron", "30 2 * * SUN"),
        _ => typed
            .or("kind", "certificate_expiry")
            .or("cron", "0 * * * *")
            .or("thresholds", "30d/33%, 14d/20%, 7d/10%, 1d/2%, 0d")
            .or("suppress_if_replaced", "true"),
    }
}

async fn change(shell: &Shell, class: Class, name: &str) -> Result<Response, Problem> {
    let object = shell.engine().task(shell.context(), class, name).await?.object;
    let body = &object.body;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut typed = Typed::default()
        .or("version", object.version.to_string())
        .or("title", text(&body["title"]))
        .or("description", text(&body["description"]));
    let times = if class == Class::Schedule { body } else { &body["schedule"] };
    typed = typed.or("cron", text(&times["cron"])).or("time_zone", text(&times["time_zone"]));
    if class == Class::Schedule {
        typed = typed.or("job_kind", text(&body["job_kind"]));
    } else {
        let list = body["thresholds"].as_array().cloned().unwrap_or_default();
        let list: Vec<_> = list.iter().map(text).collect();
        typed = typed
            .or("kind", text(&body["kind"]))
            .or("filter", text(&body["filter"]))
            .or("thresholds", list.join(", "))
            .or("repeat", text(&body["repeat"]));
        for name in ["certificates", "accounts", "storage_mib"] {
            let limit = body["limits"][name].as_u64();
            typed = typed.or(name, limit.map(|limit| limit.to_string()).unwrap_or_default());
        }
        typed = typed.or("valid_until", text(&body["limits"]["valid_until"]));
        if body["suppress_if_replaced"] != json!(false) {
            typed = typed.or("suppress_if_replaced", "true");
        }
    }
    page(shell, class, Some(name), &typed).await
}

/// The body that the form describes. Only what the kind knows is taken.
fn body(class: Class, typed: &Typed) -> Value {
    let mut body = Map::new();
    for name in ["title", "description"] {
        if let Some(text) = typed.some(name) {
            body.insert(name.to_owned(), text.into());
        }
    }
    let (cron, zone) = (typed.text("cron"), typed.text("time_zone"));
    if class == Class::Schedule {
        body.insert("job_kind".to_owned(), typed.text("job_kind").into());
        body.insert("cron".to_owned(), cron.into());
        body.insert("time_zone".to_owned(), zone.into());
        return Value::Object(body);
    }
    let kind = Kind::parse(typed.text("kind"));
    body.insert("kind".to_owned(), typed.text("kind").into());
    body.insert("schedule".to_owned(), json!({ "cron": cron, "time_zone": zone }));
    if kind.is_some_and(Kind::has_filter) {
        if let Some(filter) = typed.some("filter") {
            body.insert("filter".to_owned(), filter.into());
        }
        let suppress = typed.has("suppress_if_replaced");
        body.insert("suppress_if_replaced".to_owned(), suppress.into());
    }
    if kind.is_some_and(|kind| kind.watched().is_some()) {
        let list = typed.text("thresholds").split([',', '\n', ' ']).map(str::trim);
        let list: Vec<Value> = list.filter(|text| !text.is_empty()).map(Value::from).collect();
        body.insert("thresholds".to_owned(), list.into());
        if let Some(repeat) = typed.some("repeat") {
            body.insert("repeat".to_owned(), repeat.into());
        }
    }
    if kind == Some(Kind::Limits) {
        let mut limits = Map::new();
        for name in ["certificates", "accounts", "storage_mib"] {
            if let Some(text) = typed.some(name) {
                let limit = text.parse::<u64>().map_or(Value::from(text), Value::from);
                limits.insert(name.to_owned(), limit);
            }
        }
        if let Some(end) = typed.some("valid_until") {
            limits.insert("valid_until".to_owned(), end.into());
        }
        body.insert("limits".to_owned(), limits.into());
    }
    Value::Object(body)
}

/// The field of the form that a JSON pointer means.
fn at_field(error: Error) -> Error {
    match error {
        Error::Invalid { field, message } => {
            let mut parts = field.trim_start_matches('/').split('/');
            let first = parts.next().unwrap_or_default();
            let name = match (first, parts.next()) {
                ("schedule" | "limits", Some(name)) => name,
                (first, _) => first,
            };
            Error::Invalid { field: name.to_owned(), message }
        }
        error => error,
    }
}

async fn save(shell: &Shell, class: Class, name: Option<String>, typed: Typed) -> Response {
    shell
        .answer(async {
            // The preview button shows what it would look at and saves nothing.
            if typed.text("do") == "preview" {
                return page(shell, class, name.as_deref(), &typed).await;
            }
            let (engine, context) = (shell.engine(), shell.context());
            let body = body(class, &typed);
            let saved = match &name {
                None => {
                    engine.create_automation(context, class, typed.text("name"), body, true).await
                }
                Some(name) => {
                    let version = typed.text("version").parse().ok();
                    let enabled = engine.task(context, class, name).await?.object.enabled;
                    engine.update_automation(context, class, name, version, body, enabled).await
                }
            };
            match saved {
                Ok(object) => Ok(shell.done(&format!("{}/{}", path(class), object.name), "Saved.")),
                Err(error) => {
                    let typed = typed.refused(at_field(error))?;
                    let mut response = page(shell, class, name.as_deref(), &typed).await?;
                    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
                    Ok(response)
                }
            }
        })
        .await
}

async fn page(
    shell: &Shell,
    class: Class,
    name: Option<&str>,
    typed: &Typed,
) -> Result<Response, Problem> {
    let plural = if class == Class::Schedule { "Schedules" } else { "Monitors" };
    let title = match name {
        Some(name) => format!("Change {name}"),
        None => format!("New {class}"),
    };
    let action = match name {
        Some(name) => format!("{}/{name}/change", path(class)),
        None => format!("{}/new", path(class)),
    };
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: plural, href: Some(path(class)) },
            Crumb { label: &title, href: None },
        ]))
        (ui::page_header(&title, "", html! {}))
        @if let Some(error) = typed.general_error(&FIELDS) { (ui::alert_box(AlertKind::Error, error)) }
        (ui::previewed_form(&action, shell.csrf(), "preview selected", html! {
            input type="hidden" name="version" value=(typed.text("version"));
            @if name.is_none() {
                (ui::field(&Field { required: true, ..typed.field("name", "name", "Name",
                    "Words of a-z and 0-9 joined by “-”. It cannot be changed.") }))
            }
            (ui::field(&typed.field("title", "title", "Title", "")))
            (ui::text_area(&typed.field("description", "description", "What it is for", ""), 2, false))
            @if class == Class::Schedule { (schedule_fields(typed)) } @else { (monitor_fields(shell, typed).await?) }
            (ui::field(&Field { required: true, ..typed.field("cron", "cron", "Runs at",
                "Minute, hour, day of the month, month, day of the week: “0 * * * *” is every hour, “30 6 * * MON-FRI” is 6:30 on working days.") }))
            (ui::field(&Field { required: true, ..typed.field("time-zone", "time_zone", "Time zone", "Such as UTC or Europe/Prague.") }))
            div id="preview" aria-live="polite" {
                (next_times(shell, typed))
            }
            div.actions {
                (ui::submit("Save", Tone::Info))
                button type="submit" name="do" value="preview" formnovalidate { "What would it look at, and when?" }
            }
        }))
    };
    Ok(shell.page(Nav::Jobs, &title, body))
}

/// How many certificates the filter that is typed selects.
async fn selected(shell: &Shell, typed: &Typed) -> Result<Markup, Problem> {
    if !Kind::parse(typed.text("kind")).is_some_and(Kind::has_filter) {
        return Ok(html! {});
    }
    let (engine, text) = (shell.engine(), typed.text("filter"));
    let filter = match engine.parse_certificate_filter(text).await {
        Ok(filter) => filter,
        Err(error) => {
            return Ok(html! { p.unfinished { "Not yet: " (sentence(&error.to_string())) } });
        }
    };
    let count = engine.certificate_count(shell.context(), &filter).await?;
    let list = Address::new("/certificates").with("q", text).to_string();
    Ok(html! {
        p { "It would choose among " a href=(list) { (ui::grouped(count)) @if count == 1 { " certificate" } @else { " certificates" } }
            " of the inventory." }
    })
}

/// The next five run times, of what is typed.
fn next_times(shell: &Shell, typed: &Typed) -> Markup {
    let now = Timestamp::from_micros(shell.now());
    let Ok(timetable) = Timetable::parse(typed.text("cron"), typed.text("time_zone")) else {
        return html! {};
    };
    html! {
        div.field {
            p { "Next runs: " span.muted { (timetable.words()) } }
            ol.plain {
                @for at in timetable.next_times(now, 5) { li { (ui::time(at.micros())) } }
            }
        }
    }
}

fn schedule_fields(typed: &Typed) -> Markup {
    let kinds: Vec<_> = job::Kind::SCHEDULED
        .iter()
        .map(|kind| ChoiceOption { value: kind.as_str(), label: kind.as_str() })
        .collect();
    let field = typed.field("job-kind", "job_kind", "Job", "What it queues.");
    ui::select_field(&Field { required: true, ..field }, &kinds)
}

/// What the filter of a monitor sees.
async fn filter_fields(shell: &Shell) -> Result<Markup, Problem> {
    let schema = shell.engine().certificate_schema().await?;
    let of = |title, custom: bool| {
        let fields = schema.fields().iter();
        let fields = fields.filter(|field| field.name.starts_with("attribute.") == custom);
        let items = fields.map(|field| Item::field(field, compared)).collect();
        Group { title, noun: ("field", "fields"), items, is_open: true, note: html! {} }
    };
    let picker = Picker {
        id: "fields",
        title: "What the filter sees",
        search: ("Search the fields", "path, group, owner …"),
        label: "Fields of certificates",
        into: "filter",
        is_glued: false,
        groups: &[of("The certificate", false), of("Custom attributes", true)],
    };
    Ok(picker.markup())
}

async fn monitor_fields(shell: &Shell, typed: &Typed) -> Result<Markup, Problem> {
    let kinds = Kind::ALL.map(|kind| ChoiceOption { value: kind.as_str(), label: kind.about() });
    let suppress = Field {
        value: "true",
        ..typed.field(
            "suppress",
            "suppress_if_replaced",
            "Certificates that have a successor are not reported",
            "",
        )
    };
    let of = |fits: fn(Kind) -> bool| {
        let kinds: Vec<_> =
            Kind::ALL.into_iter().filter(|kind| fits(*kind)).map(Kind::as_str).collect();
        format!("kind={}", kinds.join(" "))
    };
    let watched = of(|kind| kind.watched().is_some());
    let filtered = of(Kind::has_filter);
    let looks = typed.field("kind", "kind", "Looks at", "");
    let thresholds = typed.field("thresholds", "thresholds", "Thresholds",
        "Before the end: 30d, 12h, 2w, 6mo, 10% of the lifetime; 30d/33% is the shorter of both; 0d at the end, -7d after it. What nobody uses or changes: after the last use or change, as in -90d.");
    Ok(html! {
        (ui::select_field(&Field { required: true, ..looks }, &kinds))
        div.columns data-when=(filtered) {
            div {
                (ui::text_area(&typed.field("filter", "filter", "Only certificates that match",
                    "The language of the search box, such as path:/prod or group:web. Empty: all. Only for monitors of certificates."), 3, true))
                div id="selected" aria-live="polite" { (selected(shell, typed).await?) }
            }
            div { (filter_fields(shell).await?) }
        }
        div.field data-when=(watched) { (ui::field(&thresholds)) }
        div.field data-when=(watched) {
            (ui::field(&typed.field("repeat", "repeat", "Repeat every", "Such as 1d. Empty: each threshold is reported once.")))
        }
        div.field data-when=(filtered) { (ui::check_field(&suppress, typed.has("suppress_if_replaced"))) }
        fieldset.choices.limits data-when="kind=limits" { legend { "Limits" }
            p.hint { "Only for counts: what is reached raises an alert. Empty: no limit." }
            (ui::field(&Field { kind: "number", ..typed.field("certificates", "certificates", "Certificates at most", "") }))
            (ui::field(&Field { kind: "number", ..typed.field("accounts", "accounts", "Accounts at most", "") }))
            (ui::field(&Field { kind: "number", ..typed.field("storage", "storage_mib", "Storage at most, MiB", "") }))
            (ui::field(&typed.field("valid-until", "valid_until", "Agreed on until",
                "A date such as 2027-12-31: that these limits are not in force any more is reported then.")))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_becomes_a_definition_and_its_faults_come_back_to_their_fields() {
        let pairs =
            [("kind", "certificate_expiry"), ("cron", "0 * * * *"), ("thresholds", "30d, 0d")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let made = body(Class::Monitor, &Typed::read(pairs.to_vec()));
        assert_eq!(made["thresholds"], json!(["30d", "0d"]));
        assert_eq!(made["suppress_if_replaced"], false);
        assert!(chancery_engine::monitor::Definition::read(&made).is_ok());
        let field = |pointer: &str| match at_field(Error::invalid(pointer, "x")) {
            Error::Invalid { field, .. } => field,
            other => panic!("{other}"),
        };
        assert_eq!(field("/schedule/cron"), "cron");
        assert_eq!(field("/thresholds/1"), "thresholds");
        assert_eq!(field("/limits/accounts"), "accounts");
    }
}
