//! Groups and RA profiles: two lists of the same shape.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_engine::Permission;
use chancery_engine::configuration::{LabelClass, LabelDraft};
use chancery_engine::row::Label;
use maud::{Markup, html};

use super::parts;
use crate::edge::{Access, Problem, Routes};
use crate::page::address::Address;
use crate::page::form::Fields;
use crate::page::shell::Shell;
use crate::page::typed::Typed;
use crate::page::{GET, POST};
use crate::ui::{self, AlertKind, Column, Crumb, Field, Nav, Row, Table, Tone};

/// What tells the two lists apart.
#[derive(Clone, Copy)]
struct Words {
    class: LabelClass,
    path: &'static str,
    title: &'static str,
    one: &'static str,
    about: &'static str,
    field: &'static str,
}

const GROUPS: Words = Words {
    class: LabelClass::Group,
    path: "/administration/groups",
    title: "Groups",
    one: "group",
    about: "A certificate can be in several groups. Triggers and permissions will bind to them.",
    field: "group",
};
const PROFILES: Words = Words {
    class: LabelClass::RaProfile,
    path: "/administration/ra-profiles",
    title: "RA profiles",
    one: "RA profile",
    about: "Under which rules a certificate was issued. A certificate has one or none.",
    field: "ra_profile",
};

pub(super) fn add(routes: &mut Routes) {
    add_class(routes, GROUPS);
    add_class(routes, PROFILES);
}

fn add_class(routes: &mut Routes, words: Words) {
    let read = Access::Session(Permission::CertificateRead);
    let write = Access::Session(Permission::ConfigurationWrite);
    let one = format!("{}/{{id}}", words.path);
    routes.add(GET, words.path, read, async move |shell: Shell| {
        shell.answer(list(&shell, words, &Typed::default())).await
    });
    routes.add(POST, words.path, write, async move |shell: Shell, Fields(typed): Fields| {
        create(&shell, words, typed).await
    });
    routes.add(GET, &one, write, async move |shell: Shell, Path(id): Path<String>| {
        shell.answer(page(&shell, words, &id, Typed::default())).await
    });
    routes.add(
        POST,
        &one,
        write,
        async move |shell: Shell, Path(id): Path<String>, Fields(typed): Fields| {
            save(&shell, words, &id, typed).await
        },
    );
    routes.add(
        POST,
        &format!("{one}/delete"),
        write,
        async move |shell: Shell, Path(id): Path<String>, _: Fields| {
            delete(&shell, words, &id).await
        },
    );
}

async fn list(shell: &Shell, words: Words, typed: &Typed) -> Result<Response, Problem> {
    let labels = shell.engine().labels(shell.context(), words.class).await?;
    let may = shell.may(Permission::ConfigurationWrite);
    let columns = [
        Column::new("Name"),
        Column::new("What it is for"),
        Column::new("Certificates"),
        Column::new("Made").optional(),
    ];
    let rows: Vec<Row> = labels
        .iter()
        .map(|label| {
            let query = format!("{}:\"{}\"", words.field, label.name.replace('"', "\\\""));
            let certificates = Address::new("/certificates").with("q", &query).to_string();
            Row {
                href: may.then(|| format!("{}/{}", words.path, label.id)),
                tone: None,
                cells: vec![
                    html! { (label.name) },
                    html! { (label.description) },
                    html! { a href=(certificates) { "Show" } },
                    ui::date(label.created_at.micros()),
                ],
            }
        })
        .collect();
    let title = format!("New {}", words.one);
    let body = html! {
        (ui::page_header("Administration", words.about, html! {}))
        (parts(shell, words.path))
        @if labels.is_empty() {
            (ui::empty_state(&format!("No {}s yet", words.one), words.about, None))
        } @else {
            (ui::data_table(&Table {
                id: "labels",
                caption: words.title,
                columns: &columns,
                rows: &rows,
            }))
        }
        @if may { (ui::section("new", &title, html! {}, form(shell, words.path, "Make", typed))) }
    };
    Ok(refused(shell.page(Nav::Administration, words.title, body), typed))
}

fn refused(mut response: Response, typed: &Typed) -> Response {
    if typed.is_refused() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    response
}

fn form(shell: &Shell, action: &str, verb: &str, typed: &Typed) -> Markup {
    let name = Field { required: true, ..typed.field("name", "name", "Name", "") };
    let about = typed.field("description", "description", "What it is for", "");
    html! {
        @if let Some(error) = typed.general_error(&["name", "description"]) {
            (ui::alert_box(AlertKind::Error, error))
        }
        (ui::post_form(action, shell.csrf(), false, html! {
            input type="hidden" name="version" value=(typed.text("version"));
            (ui::field(&name)) (ui::text_area(&about, 2, false))
            div.actions { (ui::submit(verb, Tone::Info)) }
        }))
    }
}

fn draft(typed: &Typed) -> LabelDraft {
    LabelDraft {
        name: typed.text("name").to_owned(),
        description: typed.text("description").to_owned(),
    }
}

async fn create(shell: &Shell, words: Words, typed: Typed) -> Response {
    shell
        .answer(async {
            let made =
                shell.engine().create_label(shell.context(), words.class, draft(&typed)).await;
            match made {
                Ok(_) => Ok(shell.done(words.path, &format!("The {} is made.", words.one))),
                Err(error) => list(shell, words, &typed.refused(error)?).await,
            }
        })
        .await
}

async fn find(shell: &Shell, words: Words, id: &str) -> Result<Label, Problem> {
    let labels = shell.engine().labels(shell.context(), words.class).await?;
    labels.into_iter().find(|label| label.id == id).ok_or_else(Problem::not_found)
}

async fn page(shell: &Shell, words: Words, id: &str, typed: Typed) -> Result<Response, Problem> {
    let label = find(shell, words, id).await?;
    let typed = typed
        .or("name", label.name.clone())
        .or("description", label.description.clone())
        .or("version", label.version.to_string());
    let action = format!("{}/{id}", words.path);
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: words.title, href: Some(words.path) },
            Crumb { label: &label.name, href: None },
        ]))
        (ui::page_header(&label.name, "", html! {
            @if words.class == LabelClass::Group {
                (ui::button("Members and contact", &format!("{action}/contact"), None, false))
            }
            form method="post" action={(action) "/delete"} {
                (ui::csrf_input(shell.csrf()))
                button.danger-line type="submit" { "Delete" }
            }
        }))
        (parts(shell, words.path))
        (ui::section("change", "Change", html! {}, form(shell, &action, "Save", &typed)))
    };
    Ok(refused(shell.page(Nav::Administration, &label.name, body), &typed))
}

async fn save(shell: &Shell, words: Words, id: &str, typed: Typed) -> Response {
    shell
        .answer(async {
            let version = typed.text("version").parse().ok();
            let (context, draft) = (shell.context(), draft(&typed));
            match shell.engine().update_label(context, words.class, id, version, draft).await {
                Ok(()) => Ok(shell.done(words.path, "Saved.")),
                Err(error) => page(shell, words, id, typed.refused(error)?).await,
            }
        })
        .await
}

async fn delete(shell: &Shell, words: Words, id: &str) -> Response {
    shell
        .answer(async {
            match shell.engine().delete_label(shell.context(), words.class, id).await {
                Ok(()) => Ok(shell.done(words.path, &format!("The {} is deleted.", words.one))),
                Err(error) => page(shell, words, id, Typed::default().refused(error)?).await,
            }
        })
        .await
}
