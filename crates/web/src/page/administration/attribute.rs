//! Definitions of custom attributes.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_engine::configuration::attribute::{AttributeDraft, KINDS};
use chancery_engine::row::Attribute;
use chancery_engine::{Error, Permission};
use chancery_event::id::AttributeId;
use maud::{Markup, html};

use super::parts;
use crate::edge::{Access, Problem, Routes, path_of};
use crate::page::form::Fields;
use crate::page::shell::Shell;
use crate::page::typed::Typed;
use crate::page::{GET, POST};
use crate::ui::{self, AlertKind, ChoiceOption, Column, Crumb, Field, Nav, Row, Table, Tone};

const PATH: &str = "/administration/attributes";
const ABOUT: &str =
    "What else you want to know of a certificate, with a type. Search them as attribute.<name>.";
const FIELDS: &[&str] = &["name", "label", "description", "kind", "choices", "required"];

pub(super) fn add(routes: &mut Routes) {
    let write = Access::Session(Permission::ConfigurationWrite);
    routes.add(GET, PATH, Access::Session(Permission::CertificateRead), show);
    routes.add(POST, PATH, write, create);
    routes.add(GET, "/administration/attributes/{id}", write, one);
    routes.add(POST, "/administration/attributes/{id}", write, save);
    routes.add(POST, "/administration/attributes/{id}/delete", write, delete);
}

async fn show(shell: Shell) -> Response {
    shell.answer(list(&shell, &Typed::default().or("kind", "string"))).await
}

async fn list(shell: &Shell, typed: &Typed) -> Result<Response, Problem> {
    let attributes = shell.engine().attributes(shell.context()).await?;
    let may = shell.may(Permission::ConfigurationWrite);
    let columns = [
        Column::new("Label"),
        Column::new("Name in filters"),
        Column::new("Kind"),
        Column::new("Required").optional(),
        Column::new("Choices").optional(),
        Column::new("What it is for").optional(),
    ];
    let rows: Vec<Row> = attributes
        .iter()
        .map(|attribute| Row {
            href: may.then(|| format!("{PATH}/{}", attribute.id)),
            tone: None,
            cells: vec![
                html! { (attribute.label) },
                ui::code(&format!("attribute.{}", attribute.name)),
                html! { (attribute.kind) },
                html! { @if attribute.required { "yes" } },
                html! { (attribute.choices.join(", ")) },
                html! { (attribute.description) },
            ],
        })
        .collect();
    let body = html! {
        (ui::page_header("Administration", ABOUT, html! {}))
        (parts(shell, PATH))
        @if attributes.is_empty() { (ui::empty_state("No custom attributes yet", ABOUT, None)) }
        @else {
            (ui::data_table(&Table { id: "attributes", caption: "Custom attributes, by name", columns: &columns, rows: &rows }))
        }
        @if may { (ui::section("new", "New attribute", html! {}, form(shell, PATH, typed, true))) }
    };
    Ok(refused(shell.page(Nav::Administration, "Attributes", body), typed))
}

fn refused(mut response: Response, typed: &Typed) -> Response {
    if typed.is_refused() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    response
}

/// Name and kind are for ever: they are asked for once.
fn form(shell: &Shell, action: &str, typed: &Typed, is_new: bool) -> Markup {
    let name = Field {
        required: true,
        ..typed.field(
            "name",
            "name",
            "Name",
            "Lower-case letters, digits and _; it cannot be changed.",
        )
    };
    let label = typed.field("label", "label", "Label", "What people read; the name if empty.");
    let about = typed.field("description", "description", "What it is for", "");
    let kind =
        Field { required: true, ..typed.field("kind", "kind", "Kind", "It cannot be changed.") };
    let kinds: Vec<ChoiceOption<'_>> =
        KINDS.iter().map(|kind| ChoiceOption { value: kind, label: kind }).collect();
    let choices = typed.field(
        "choices",
        "choices",
        "Choices",
        "For a list: one on each line; empty permits any.",
    );
    let required = Field {
        value: "1",
        ..typed.field(
            "required",
            "required",
            "Every new certificate needs a value",
            "Certificates that are in the inventory already stay as they are.",
        )
    };
    html! {
        @if let Some(error) = typed.general_error(FIELDS) {
            (ui::alert_box(AlertKind::Error, error))
        }
        (ui::post_form(action, shell.csrf(), false, html! {
            @if is_new { (ui::field(&name)) (ui::select_field(&kind, &kinds)) }
            @else {
                input type="hidden" name="version" value=(typed.text("version"));
                input type="hidden" name="name" value=(typed.text("name"));
                input type="hidden" name="kind" value=(typed.text("kind"));
            }
            (ui::field(&label)) (ui::text_area(&about, 2, false))
            @if is_new || typed.text("kind") == "list" { (ui::text_area(&choices, 4, false)) }
            (ui::check_field(&required, typed.text("required") == "1"))
            div.actions { (ui::submit(if is_new { "Make" } else { "Save" }, Tone::Info)) }
        }))
    }
}

fn draft(typed: &Typed) -> AttributeDraft {
    let lines = typed.raw("choices").lines().map(|line| line.trim().to_owned());
    AttributeDraft {
        name: typed.text("name").to_owned(),
        label: typed.text("label").to_owned(),
        description: typed.text("description").to_owned(),
        kind: typed.text("kind").to_owned(),
        choices: lines.filter(|line| !line.is_empty()).collect(),
        required: typed.text("required") == "1",
    }
}

async fn create(shell: Shell, Fields(typed): Fields) -> Response {
    shell
        .answer(async {
            match shell.engine().create_attribute(shell.context(), draft(&typed)).await {
                Ok(_) => Ok(shell.done(PATH, "The attribute is made.")),
                Err(error) => list(&shell, &typed.refused(error)?).await,
            }
        })
        .await
}

async fn find(shell: &Shell, id: AttributeId) -> Result<Attribute, Problem> {
    let all = shell.engine().attributes(shell.context()).await?;
    let found = all.into_iter().find(|attribute| attribute.id == id);
    Ok(found.ok_or_else(|| Error::not_found("attribute", id))?)
}

async fn one(shell: Shell, Path(id): Path<String>) -> Response {
    shell.answer(async { page(&shell, path_of(&id)?, Typed::default()).await }).await
}

async fn page(shell: &Shell, id: AttributeId, typed: Typed) -> Result<Response, Problem> {
    let attribute = find(shell, id).await?;
    // A box that is not ticked does not come in; the version, which always does, tells that the
    // form was sent.
    let ticked = attribute.required && !typed.has("version");
    let typed = typed
        .or("name", attribute.name.clone())
        .or("kind", attribute.kind.clone())
        .or("label", attribute.label.clone())
        .or("description", attribute.description.clone())
        .or("choices", attribute.choices.join("\n"))
        .or("required", if ticked { "1" } else { "" })
        .or("version", attribute.version.to_string());
    let action = format!("{PATH}/{id}");
    let subtitle = format!("attribute.{}, {}", attribute.name, attribute.kind);
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: "Attributes", href: Some(PATH) },
            Crumb { label: &attribute.label, href: None },
        ]))
        (ui::page_header(&attribute.label, &subtitle, html! {
            form method="post" action={(action) "/delete"} {
                (ui::csrf_input(shell.csrf()))
                button.danger-line type="submit" { "Delete" }
            }
        }))
        (parts(shell, PATH))
        (ui::section("change", "Change", html! {}, form(shell, &action, &typed, false)))
    };
    Ok(refused(shell.page(Nav::Administration, &attribute.label, body), &typed))
}

async fn save(shell: Shell, Path(id): Path<String>, Fields(typed): Fields) -> Response {
    shell
        .answer(async {
            let id: AttributeId = path_of(&id)?;
            let version = typed.text("version").parse().ok();
            let draft = draft(&typed);
            match shell.engine().update_attribute(shell.context(), id, version, draft).await {
                Ok(()) => Ok(shell.done(PATH, "Saved.")),
                Err(error) => page(&shell, id, typed.refused(error)?).await,
            }
        })
        .await
}

async fn delete(shell: Shell, Path(id): Path<String>, _: Fields) -> Response {
    shell
        .answer(async {
            let id: AttributeId = path_of(&id)?;
            match shell.engine().delete_attribute(shell.context(), id).await {
                Ok(()) => Ok(shell.done(PATH, "The attribute is deleted.")),
                Err(error) => page(&shell, id, Typed::default().refused(error)?).await,
            }
        })
        .await
}
