//! The page of one object: what it says, its versions, when it matched and nearly matched.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_engine::Permission;
use chancery_engine::automation::{Class, Object};
use chancery_engine::reaction::record::EvaluationQuery;
use maud::{Markup, html};

use super::{class, form, history, home_of, href, parts, state, trial};
use crate::edge::{Access, Problem, Routes};
use crate::page::address::Address;
use crate::page::form::Fields;
use crate::page::question::Question;
use crate::page::shell::Shell;
use crate::page::typed::Typed;
use crate::page::{GET, POST};
use crate::ui::{self, AlertKind, Column, Crumb, Icon, Nav, Row, Table, Tone};

/// Evaluations shown of each kind.
const SHOWN: usize = 10;

pub(super) fn add(routes: &mut Routes) {
    let read = Access::Session(Permission::AutomationRead);
    let write = Access::Session(Permission::AutomationWrite);
    routes.add(
        GET,
        "/automation/{class}/{name}",
        read,
        async |shell: Shell, Path((word, name)): Path<(String, String)>| {
            shell.answer(view(&shell, &word, &name, html! {}, Typed::default())).await
        },
    );
    routes.add(
        GET,
        "/automation/{class}/{name}/delete",
        write,
        async |shell: Shell, Path((word, name)): Path<(String, String)>| {
            shell
                .answer(async {
                    let class = class(&word)?;
                    let back = href(class, &name);
                    let action = format!("{back}/delete");
                    Ok(delete_question(class, &action).page(&shell, Nav::Automation, &back))
                })
                .await
        },
    );
    routes.add(
        POST,
        "/automation/{class}/{name}/delete",
        write,
        async |shell: Shell, Path((word, name)): Path<(String, String)>, _: Fields| {
            shell.answer(delete(&shell, &word, &name)).await
        },
    );
}

pub(super) async fn view(
    shell: &Shell,
    word: &str,
    name: &str,
    tried: Markup,
    typed: Typed,
) -> Result<Response, Problem> {
    let class = class(word)?;
    let (engine, context) = (shell.engine(), shell.context());
    let object = engine.automation_object(context, class, name).await?;
    let versions = engine.automation_versions(context, class, name).await?;
    let own = href(class, name);
    let delete = format!("{own}/delete");
    let plural = super::about(class).0;
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: plural, href: Some(&home_of(class)) },
            Crumb { label: object.title(), href: None },
        ]))
        (ui::page_header(object.title(), object.description(), html! {
            (state(&object))
            @if shell.may(Permission::AutomationWrite) {
                (ui::button("Change", &format!("{own}/edit"), Some(Icon::Administration), true))
                (delete_question(class, &delete).dialog(shell))
            }
        }))
        (parts(&home_of(class)))
        @if let Some(error) = typed.general_error(&trial::STRETCH) { (ui::alert_box(AlertKind::Error, error)) }
        div.columns {
            (ui::section("says", "What it says", html! {}, definition(&object)))
            (ui::section("versions", "Versions", html! {}, version_table(&versions)))
        }
        @if let Some(why) = problem(shell, &object).await? {
            (ui::alert_box(AlertKind::Error,
                &format!("This trigger does not work: {why}")))
        }
        @if class == Class::Trigger {
            (tried)
            @if shell.may(Permission::AutomationTry) {
                (ui::section("try", "Try it on recorded history", html! {}, trial::form(shell, name, &typed)))
            }
            (evaluations(shell, name, "matched", "When it matched",
                &["verdict:matched", "verdict:ignored"]).await?)
            (evaluations(shell, name, "nearly", "When it nearly matched", &["verdict:nearly"]).await?)
        } @else { (ui::section("users", "Used by", html! {}, users(shell, &object).await?)) }
    };
    let mut response = shell.page(Nav::Automation, object.title(), body);
    if typed.is_refused() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

/// What keeps a trigger that counts from working, if something has come to.
async fn problem(shell: &Shell, object: &Object) -> Result<Option<String>, Problem> {
    if object.class != Class::Trigger || !object.enabled {
        return Ok(None);
    }
    let broken = shell.engine().broken_triggers(shell.context()).await?;
    Ok(broken.into_iter().find(|(name, _)| *name == object.name).map(|(_, why)| why))
}

fn links(class: Class, names: &[String]) -> Markup {
    html! { @for (place, name) in names.iter().enumerate() {
        @if place > 0 { ", " } a href=(href(class, name)) { (name) }
    } }
}

fn definition(object: &Object) -> Markup {
    let body = &object.body;
    let mut pairs = vec![("Name", ui::code(&object.name))];
    match object.class {
        Class::Rule => pairs.push(("Condition", ui::code(&form::filter_text(&body["filter"])))),
        Class::Action => {
            let text = form::steps_text(&body["steps"]);
            return html! { (ui::key_values(&pairs)) (ui::json_block("steps-text", "Steps", &text)) };
        }
        Class::Scope => pairs.extend([
            ("Scope", html! { (form::scope_text(body)) }),
            ("Mode", html! { (body["mode"].as_str().unwrap_or("add")) }),
        ]),
        _ => {
            let types = form::texts(&body["event_types"]);
            let rules = form::texts(&body["rules"]);
            pairs.extend([
                ("Listens to", html! { @for (place, name) in types.iter().enumerate() {
                    @if place > 0 { ", " } a href={"/catalogue/" (name)} { (name) }
                } }),
                ("If", html! { @if rules.is_empty() { "always" } @else { (links(Class::Rule, &rules)) } }),
                ("Then", html! {
                    @if body["ignore"] == true { strong { "ignore" } " " }
                    (links(Class::Action, &form::texts(&body["actions"])))
                }),
                ("Bound to", html! { (form::scope_text(&body["scope"])) }),
                ("Order", html! { (body["order"].as_i64().unwrap_or(0)) }),
            ]);
        }
    }
    ui::key_values(&pairs)
}

fn version_table(versions: &[Object]) -> Markup {
    let columns = [
        Column::new("Version").number(),
        Column::new("Made"),
        Column::new("State"),
        Column::new("Revision").number().optional(),
    ];
    let rows: Vec<Row> = versions
        .iter()
        .map(|version| Row {
            href: None,
            tone: None,
            cells: vec![
                html! { (version.version) },
                ui::time(version.changed_at.micros()),
                if version.body.is_null() {
                    ui::badge(Tone::Neutral, Icon::Cross, "Deleted")
                } else {
                    state(version)
                },
                html! { (version.revision) },
            ],
        })
        .collect();
    ui::data_table(&Table {
        id: "versions",
        caption: "Versions, newest first",
        columns: &columns,
        rows: &rows,
    })
}

/// Who refers to a rule or an action.
async fn users(shell: &Shell, object: &Object) -> Result<Markup, Problem> {
    let member = match object.class {
        Class::Rule => "rules",
        Class::Action => "actions",
        _ => return Ok(html! { p.muted { "Nothing refers to scopes." } }),
    };
    let triggers = shell.engine().automation(shell.context(), Class::Trigger).await?;
    let names: Vec<String> = triggers
        .into_iter()
        .filter(|trigger| form::texts(&trigger.body[member]).contains(&object.name))
        .map(|trigger| trigger.name)
        .collect();
    Ok(html! {
        @if names.is_empty() { p.muted { "No trigger uses it yet." } }
        @else { p { (links(Class::Trigger, &names)) } }
    })
}

async fn evaluations(
    shell: &Shell,
    name: &str,
    id: &str,
    title: &str,
    verdicts: &[&str],
) -> Result<Markup, Problem> {
    let engine = shell.engine();
    let text = format!("trigger:\"{name}\" ({})", verdicts.join(" OR "));
    let filter = engine.parse_evaluation_filter(&text)?;
    let query = EvaluationQuery { filter, before: None, after: None, limit: SHOWN };
    let page = engine.evaluations(shell.context(), &query).await?;
    let all = Address::new("/automation/history").with("q", &text).to_string();
    Ok(ui::section(
        id,
        title,
        html! { a href=(all) { "All of them" } },
        html! {
            @if page.items.is_empty() { p.muted { "Not yet." } }
            @else { (history::table(&page.items, shell.now())) }
        },
    ))
}

fn delete_question(class: Class, action: &str) -> Question<'_> {
    let (title, text) = match class {
        Class::Rule => ("Delete this rule?", "Its versions stay on record."),
        Class::Action => ("Delete this action?", "Its versions stay on record."),
        Class::Scope => (
            "Delete this scope's setting?",
            "Its triggers are asked beside those of the other scopes again.",
        ),
        _ => (
            "Delete this trigger?",
            "It does not act any more. Its versions and decisions stay on record.",
        ),
    };
    Question {
        id: "delete-dialog",
        trigger: "Delete…",
        title,
        text,
        action,
        submit: "Delete",
        is_final: true,
        fields: None,
    }
}

async fn delete(shell: &Shell, word: &str, name: &str) -> Result<Response, Problem> {
    let class = class(word)?;
    match shell.engine().delete_automation(shell.context(), class, name).await {
        Ok(()) => Ok(shell.done(&home_of(class), &format!("The {class} is deleted."))),
        Err(error) => view(shell, word, name, html! {}, Typed::default().refused(error)?).await,
    }
}
