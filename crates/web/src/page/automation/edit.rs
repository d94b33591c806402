//! Forms that teach: the catalogue beside the choice of events, the fields beside the condition
//! with how many past events it fits, an example of every step and what it can name.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_engine::automation::Class;
use chancery_engine::configuration::LabelClass;
use chancery_engine::reaction::{STEP_KINDS, schema};
use chancery_engine::{Engine, Permission};
use chancery_event::EventType;
use maud::{Markup, html};

use super::names::Names;
use super::{class, form, home_of, href, parts, picker, preview};
use crate::edge::{Access, Problem, Routes};
use crate::page::form::Fields;
use crate::page::shell::Shell;
use crate::page::typed::Typed;
use crate::page::{GET, POST};
use crate::ui::{self, AlertKind, ChoiceOption, Crumb, Field, Nav, Tone};

/// Fields of each form.
const FIELDS: [&str; 12] = [
    "name",
    "title",
    "description",
    "filter",
    "steps",
    "event_types",
    "rules",
    "action0",
    "scope",
    "mode",
    "order",
    "enabled",
];

pub(super) fn add(routes: &mut Routes) {
    let write = Access::Session(Permission::AutomationWrite);
    routes.add(
        GET,
        "/automation/{class}/new",
        write,
        async |shell: Shell, Path(word): Path<String>| {
            shell.answer(show(&shell, &word, None, Typed::default().or("enabled", "1"))).await
        },
    );
    routes.add(
        POST,
        "/automation/{class}/new",
        write,
        async |shell: Shell, Path(word): Path<String>, Fields(typed): Fields| {
            shell.answer(save(&shell, &word, None, typed)).await
        },
    );
    routes.add(
        GET,
        "/automation/{class}/{name}/edit",
        write,
        async |shell: Shell, Path((word, name)): Path<(String, String)>| {
            shell.answer(show(&shell, &word, Some(&name), Typed::default())).await
        },
    );
    routes.add(
        POST,
        "/automation/{class}/{name}/edit",
        write,
        async |shell: Shell, Path((word, name)): Path<(String, String)>, Fields(typed): Fields| {
            shell.answer(save(&shell, &word, Some(&name), typed)).await
        },
    );
}

async fn save(
    shell: &Shell,
    word: &str,
    name: Option<&str>,
    typed: Typed,
) -> Result<Response, Problem> {
    let class = class(word)?;
    let typed = with_step(shell, typed.or("sent", "1")).await?;
    if typed.has("do") {
        return show(shell, word, name, typed).await;
    }
    let (engine, context, enabled) = (shell.engine(), shell.context(), typed.has("enabled"));
    let saved = async {
        let body = form::body(&typed, class)?;
        match name {
            None => {
                engine.create_automation(context, class, typed.text("name"), body, enabled).await
            }
            Some(name) => {
                let version = typed.text("version").parse().ok();
                engine.update_automation(context, class, name, version, body, enabled).await
            }
        }
    };
    match saved.await {
        Ok(object) => Ok(shell.done(&href(class, &object.name), "Saved.")),
        Err(error) => show(shell, word, name, typed.refused(form::placed(error, class))?).await,
    }
}

/// The same form with an example of the step that was asked for.
async fn with_step(shell: &Shell, typed: Typed) -> Result<Typed, Problem> {
    let Some(word) = typed.text("do").strip_prefix("step:") else { return Ok(typed) };
    let Some(step) = Names::read(shell).await?.example(word) else { return Ok(typed) };
    let steps = format!("{}\n\n{step}\n", typed.raw("steps").trim_end());
    Ok(typed.set("steps", steps.trim_start()))
}

async fn show(
    shell: &Shell,
    word: &str,
    name: Option<&str>,
    typed: Typed,
) -> Result<Response, Problem> {
    let class = class(word)?;
    let (typed, version) = match name {
        None => (typed, None),
        Some(name) => {
            let object = shell.engine().automation_object(shell.context(), class, name).await?;
            (form::fill(typed, class, &object.body, object.enabled), Some(object.version))
        }
    };
    let title = match name {
        None => format!("New {class}"),
        Some(name) => format!("Change {name}"),
    };
    let action = match name {
        None => format!("/automation/{word}/new"),
        Some(name) => format!("{}/edit", href(class, name)),
    };
    let own = match class {
        Class::Rule => rule(shell, &typed).await?,
        Class::Action => steps(shell, &typed).await?,
        Class::Scope => scope(shell.engine(), shell, &typed).await?,
        _ => trigger(shell, &typed).await?,
    };
    let framed = |fields: Markup| match class {
        Class::Rule | Class::Trigger => {
            ui::previewed_form(&action, shell.csrf(), "preview fields", fields)
        }
        _ => ui::post_form(&action, shell.csrf(), false, fields),
    };
    let read = typed.some("version").or(version.map(|version| version.to_string()));
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: super::about(class).0, href: Some(&home_of(class)) },
            Crumb { label: &title, href: None },
        ]))
        (ui::page_header(&title, super::about(class).1, html! {}))
        (parts(&home_of(class)))
        @if let Some(error) = typed.general_error(&FIELDS) { (ui::alert_box(AlertKind::Error, error)) }
        (framed(html! {
            @if let Some(version) = &read { input type="hidden" name="version" value=(version); }
            @if name.is_none() {
                (ui::field(&Field { required: true, autocomplete: "off",
                    ..typed.field("name", "name", "Name", "Its identity, which never changes: words of a-z and 0-9 joined by - or . as in weak-keys.") }))
            }
            (ui::field(&typed.field("title", "title", "Title", "What people read.")))
            (ui::text_area(&typed.field("description", "description", "What it is for", ""), 2, false))
            (own)
            (ui::check_field(&Field { id: "enabled", name: "enabled", label: "Enabled", value: "1",
                ..Field::default() }, typed.has("enabled")))
            div.actions { (ui::submit("Save", Tone::Info)) (ui::button("Back", &home_of(class), None, false)) }
        }))
    };
    let mut response = shell.page(Nav::Automation, &title, body);
    if typed.is_refused() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

async fn rule(shell: &Shell, typed: &Typed) -> Result<Markup, Problem> {
    let typed = typed.clone().or("preview_type", EventType::CertificateUploaded.name());
    let chosen = EventType::parse(typed.text("preview_type"));
    let chosen = chosen.unwrap_or(EventType::CertificateUploaded);
    let attributes = shell.engine().attributes(shell.context()).await?;
    let fields = schema(&[chosen], &attributes);
    let preview = match typed.some("filter") {
        Some(text) if !typed.is_refused() => preview::rule(shell, &text, chosen).await?,
        _ => {
            html! { p.muted { "Write a condition, and the past events that it fits are counted here." } }
        }
    };
    let kind = typed.field(
        "preview-type",
        "preview_type",
        "Show fields and past events of",
        "Only for this page: a rule can be used for any type that has its fields.",
    );
    let filter = Field { required: true, ..typed.field("filter", "filter", "Condition",
        "Fields of the event by their name, members of its detail as detail.NAME, the certificate as object.NAME. Parts stand side by side, or with OR; a minus negates.") };
    Ok(html! {
        div.columns {
            div {
                (ui::text_area(&filter, 4, true))
                (ui::select_field(&Field { required: true, ..kind }, &picker::recorded()))
                div.actions { button type="submit" name="do" value="preview" formnovalidate { "How many past events fit?" } }
                div id="preview" aria-live="polite" { (preview) }
            }
            div { (picker::fields(chosen, &fields)) }
        }
    })
}

async fn steps(shell: &Shell, typed: &Typed) -> Result<Markup, Problem> {
    let field = Field { required: true, ..typed.field("steps", "steps", "Steps",
        "TOML, carried out from top to bottom; one that fails does not stop the next. A value can be copied: { from = \"object.cn\" }. Texts can name fields: {object.cn}.") };
    let names = Names::read(shell).await?;
    let button = |step: &str, label: &str| {
        html! { button type="submit" name="do" value={"step:" (step)} formnovalidate { (label) } }
    };
    Ok(html! {
        div.columns {
            div {
                (ui::text_area(&field, 18, true))
                (names.picker())
            }
            fieldset.choices { legend { "Add a step" }
                p.hint { "Each button puts an example behind the steps that are there." }
                dl.steps { @for (word, doc, members) in STEP_KINDS {
                    dt {
                        (button(word, &word.replace('_', " ")))
                        @if word == "notify" { (button("notify.profile", "notify by profile")) }
                    }
                    dd { (doc) "." br; (ui::code(members)) }
                } }
            }
        }
    })
}

async fn scope_choices(engine: &Engine, shell: &Shell) -> Result<Vec<String>, Problem> {
    let mut choices = Vec::new();
    for (class, kind) in [(LabelClass::Group, "group"), (LabelClass::RaProfile, "ra_profile")] {
        let labels = engine.labels(shell.context(), class).await?;
        choices.extend(labels.into_iter().map(|label| format!("{kind}/{}", label.name)));
    }
    Ok(choices)
}

fn options(values: &[String]) -> Vec<ChoiceOption<'_>> {
    values.iter().map(|value| ChoiceOption { value, label: value }).collect()
}

async fn scope(engine: &Engine, shell: &Shell, typed: &Typed) -> Result<Markup, Problem> {
    let choices = scope_choices(engine, shell).await?;
    if choices.is_empty() {
        return Ok(html! {
            p.hint { "There is no group and no RA profile that a scope could be about. Make a "
                a href="/administration/groups" { "group" } " or an "
                a href="/administration/ra-profiles" { "RA profile" } " first." }
        });
    }
    let modes = [
        ChoiceOption { value: "add", label: "add: the scopes behind it are asked as well" },
        ChoiceOption {
            value: "replace",
            label: "replace: for event types it has triggers for, it is the last",
        },
    ];
    let place = Field { required: true, ..typed.field("scope", "scope", "Scope", "") };
    let mode = Field { required: true, ..typed.field("mode", "mode", "Mode", "") };
    Ok(html! { (ui::select_field(&place, &options(&choices))) (ui::select_field(&mode, &modes)) })
}

async fn trigger(shell: &Shell, typed: &Typed) -> Result<Markup, Problem> {
    let (engine, context) = (shell.engine(), shell.context());
    let rules = engine.automation(context, Class::Rule).await?;
    let actions = engine.automation(context, Class::Action).await?;
    let mut scopes = vec!["platform".to_owned()];
    scopes.extend(scope_choices(engine, shell).await?);
    let names: Vec<String> =
        std::iter::once(String::new()).chain(actions.into_iter().map(|one| one.name)).collect();
    let chosen = typed.all("rules");
    let place = Field {
        required: true,
        ..typed.field(
            "scope",
            "scope",
            "Bound to",
            "Groups and RA profiles only where the catalogue allows it for the type.",
        )
    };
    let order = Field {
        kind: "number",
        ..typed.field("order", "order", "Order", "The least is asked first within its scope.")
    };
    let preview = match typed.all("event_types").is_empty() || typed.is_refused() {
        true => {
            html! { p.muted { "Choose events, and what it would have made of the past is shown here." } }
        }
        false => preview::trigger(shell, typed).await?,
    };
    Ok(html! {
        (picker::types(typed))
        fieldset { legend { "Rules" }
            p.hint { "All of them must hold; none holds always. " a href="/automation/rules/new" { "Make a rule" } }
            @if !typed.error("rules").is_empty() { p.field-error { (typed.error("rules")) } }
            @for rule in &rules {
                (ui::check_field(&Field { id: &format!("rule-{}", rule.name), name: "rules", value: &rule.name,
                    label: rule.title(), hint: &form::filter_text(&rule.body["filter"]), ..Field::default() },
                    chosen.contains(&rule.name)))
            }
        }
        fieldset { legend { "Actions" }
            p.hint { "Carried out in this order. " a href="/automation/actions/new" { "Make an action" } }
            @for number in 0..form::places(typed) {
                @let id = format!("action{number}");
                @let label = if number == 0 { "First".to_owned() } else { format!("Then ({})", number + 1) };
                (ui::select_field(&typed.field(&id, &id, &label, ""), &options(&names)))
            }
        }
        (ui::check_field(&Field { id: "ignore", name: "ignore", label: "Ignore", value: "1",
            hint: "Keeps the scope's other triggers from running; an uploaded certificate is kept out of the inventory.",
            ..Field::default() }, typed.has("ignore")))
        (ui::select_field(&place, &options(&scopes)))
        (ui::field(&order))
        div.actions { button type="submit" name="do" value="preview" formnovalidate { "What would it have done?" } }
        div id="preview" aria-live="polite" { (preview) }
    })
}
