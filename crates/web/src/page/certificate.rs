//! One certificate: who answers for it, what happened, what is next; its state and why, what it
//! says, its chain, where it belongs, and its story.

mod outlook;

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chancery_engine::history::{EventPage, EventQuery};
use chancery_engine::inventory::CertificateView;
use chancery_engine::{Error, Permission};
use chancery_event::Timestamp;
use chancery_event::filter::Filter;
use chancery_event::id::CertificateId;
use chancery_pki::Certificate as Parsed;
use maud::{Markup, html};

use super::certificate_facts as facts;
use super::form::Fields;
use super::notification::{coverage, stream};
use super::placement::{Choices, FIELDS};
use super::question::{Question, note};
use super::shell::{Shell, see_other};
use super::typed::{Typed, sentence};
use super::{GET, POST, alert, certificates, event_row};
use crate::edge::{Access, Problem, Routes, path_of};
use crate::ui::{self, AlertKind, Crumb, Icon, Nav, TimelineItem, Tone};

/// Events of the story on the page at most.
const STORY: usize = 100;

pub(super) fn add(routes: &mut Routes) {
    let session = Access::Session;
    let (read, write) = (Permission::CertificateRead, Permission::CertificateWrite);
    let delete_access = session(Permission::CertificateDelete);
    routes.add(GET, "/certificates/{id}", session(read), show);
    routes.add(GET, "/certificates/{id}/edit", session(write), edit);
    routes.add(POST, "/certificates/{id}/edit", session(write), save);
    routes.add(GET, "/certificates/{id}/archive", session(write), ask_archive);
    routes.add(POST, "/certificates/{id}/archive", session(write), archive);
    routes.add(POST, "/certificates/{id}/restore", session(write), restore);
    routes.add(GET, "/certificates/{id}/delete", delete_access, ask_delete);
    routes.add(POST, "/certificates/{id}/delete", delete_access, delete);
    routes.add(GET, "/certificates/{id}/pem", session(read), pem);
    routes.add(GET, "/certificates/{id}/der", session(read), der);
}

/// By identifier, or by fingerprint.
async fn find(shell: &Shell, text: &str) -> Result<CertificateView, Problem> {
    let (engine, context) = (shell.engine(), shell.context());
    let id = match text.parse::<CertificateId>() {
        Ok(id) => id,
        Err(_) => engine
            .certificate_id_by_fingerprint(context, text)
            .await?
            .ok_or_else(|| Problem::not_found().with_detail("there is no such certificate"))?,
    };
    Ok(engine.certificate(context, id).await?)
}

async fn show(shell: Shell, Path(id): Path<String>) -> Response {
    shell
        .answer(async {
            let view = find(&shell, &id).await?;
            let story = story_events(&shell, view.row.id).await?;
            let alerts = alert::about(&shell, &view.row.id.to_string()).await?;
            let coverage = shell.engine().coverage(shell.context(), view.row.id).await?;
            let coverage = coverage::section(&coverage);
            let object = format!("certificate/{}", view.row.id);
            let here = format!("/certificates/{}", view.row.id);
            let told = stream::section(&shell, &object, &here).await;
            Ok(page(&shell, &view, &story, &html! { (coverage) (told) (alerts) }))
        })
        .await
}

/// The newest events of its story, and whether there are older ones.
async fn story_events(shell: &Shell, id: CertificateId) -> Result<EventPage, Problem> {
    let text = format!("target:\"certificate/{id}\"");
    let filter = Filter::parse(&text, shell.engine().event_schema()).map_err(Error::from)?;
    let query = EventQuery { filter, before: None, from: None, limit: STORY, oldest_first: false };
    Ok(shell.engine().events(shell.context(), query).await?)
}

fn page(shell: &Shell, view: &CertificateView, story: &EventPage, besides: &Markup) -> Response {
    let row = &view.row;
    let title = certificates::title(row);
    let parsed = Parsed::parse(&view.der).ok();
    let expiring_days = i64::from(shell.engine().settings().expiring_days);
    let (from, until) = (row.not_before.micros(), row.not_after.micros());
    let late = until - expiring_days * Timestamp::DAY;
    let issuer = row.issuer_cn.as_deref().filter(|_| !row.self_issued);
    let subtitle = match issuer {
        Some(issuer) => format!("Issued by {issuer}, {}", certificates::key(row)),
        None => format!("Issued by itself, {}", certificates::key(row)),
    };
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: "Certificates", href: Some("/certificates") },
            Crumb { label: title, href: None },
        ]))
        (ui::page_header(title, &subtitle, actions(shell, view)))
        @if row.archived {
            (ui::alert_box(AlertKind::Info, "This certificate is archived: lists leave it out unless asked for it."))
        }
        (outlook::answers(shell, view, &story.events))
        div.columns {
            (ui::section("status", "Status", certificates::status(row), html! {
                (ui::validity_bar(from, until, shell.now(), late))
                p { (sentence(&row.status_reason)) }
                (facts::checks(view))
            }))
            (ui::section("belongs", "Where it belongs", edit_link(shell, view), facts::placement(view)))
        }
        div.columns {
            (ui::section("names", "What it is for", html! {}, facts::names(view)))
            (ui::section("chain", "Chain", html! {}, facts::chain(view)))
        }
        div.columns {
            (ui::section("identity", "Identity", html! {}, facts::identity(view)))
            (ui::section("key", "Key and use", html! {}, facts::key(view, parsed.as_ref())))
        }
        (besides)
        (ui::section("story", "Story", html! {
            a href=(list_of_events(row.id)) { "As a list" }
        }, timeline(shell, view, story)))
        @if let Some(parsed) = &parsed {
            (ui::section("extensions", "Extensions", html! {}, facts::extensions(parsed)))
        }
    };
    shell.page(Nav::Certificates, title, body)
}

fn edit_link(shell: &Shell, view: &CertificateView) -> Markup {
    html! {
        @if shell.may(Permission::CertificateWrite) {
            a href={"/certificates/" (view.row.id) "/edit"} { "Change" }
        }
    }
}

fn actions(shell: &Shell, view: &CertificateView) -> Markup {
    let id = view.row.id;
    let (archive, delete) =
        (format!("/certificates/{id}/archive"), format!("/certificates/{id}/delete"));
    html! {
        (ui::button("PEM", &format!("/certificates/{id}/pem"), Some(Icon::Download), false))
        (ui::button("DER", &format!("/certificates/{id}/der"), Some(Icon::Download), false))
        @if shell.may(Permission::CertificateWrite) {
            @if view.row.archived {
                form method="post" action={"/certificates/" (id) "/restore"} {
                    (ui::csrf_input(shell.csrf()))
                    button type="submit" { "Take back" }
                }
            } @else { (archive_question(&archive).dialog(shell)) }
        }
        @if shell.may(Permission::CertificateDelete) { (delete_question(&delete).dialog(shell)) }
    }
}

fn archive_question(action: &str) -> Question<'_> {
    Question {
        id: "archive-dialog",
        trigger: "Archive…",
        title: "Archive this certificate?",
        text: "Lists leave it out unless asked for it. It can be taken back.",
        action,
        submit: "Archive",
        is_final: false,
        fields: Some(note("archive-note")),
    }
}

fn delete_question(action: &str) -> Question<'_> {
    Question {
        id: "delete-dialog",
        trigger: "Delete…",
        title: "Delete this certificate for good?",
        text: "It leaves the inventory and is watched no longer. Its events stay in the log.",
        action,
        submit: "Delete",
        is_final: true,
        fields: Some(note("delete-note")),
    }
}

fn list_of_events(id: CertificateId) -> String {
    format!("/events?q=target:%22certificate/{id}%22")
}

/// From what is still to come back to the first event, or as far as the page goes.
fn timeline(shell: &Shell, view: &CertificateView, story: &EventPage) -> Markup {
    let events = &story.events;
    let hrefs: Vec<String> =
        events.iter().map(|seen| format!("/events/{}", seen.event.id)).collect();
    let ahead = view.row.not_after.micros() > shell.now();
    let end = TimelineItem {
        at: view.row.not_after.micros(),
        mark: Icon::Hourglass,
        sentence: html! { "Expires " (ui::relative(view.row.not_after.micros(), shell.now())) },
        href: None,
        tone: Tone::Warning,
        ahead: true,
    };
    let mut items: Vec<TimelineItem<'_>> = Vec::with_capacity(events.len() + 1);
    items.extend(ahead.then_some(end));
    items.extend(events.iter().zip(&hrefs).map(|(seen, href)| {
        let (mark, tone) = event_row::mark(&seen.event);
        TimelineItem {
            at: seen.event.time.micros(),
            mark,
            sentence: html! { (chancery_event::sentence(&seen.event)) },
            href: Some(href),
            tone,
            ahead: false,
        }
    }));
    html! {
        @if events.is_empty() { p.muted { "Its events are being sealed; look again in a moment." } }
        (ui::timeline(&items))
        @if story.more {
            p.muted {
                "These are the newest " (events.len()) " events. "
                a href=(list_of_events(view.row.id)) { "Older ones stand in the list." }
            }
        }
    }
}

/// What the certificate has now, for the form.
fn present(view: &CertificateView, typed: Typed) -> Typed {
    let mut typed = typed
        .or("version", view.row.version.to_string())
        .or("owner", view.owner_name.clone().unwrap_or_default())
        .or("ra_profile", view.ra_profile_name.clone().unwrap_or_default())
        .or("path", view.row.path.clone())
        .or("trust_anchor", if view.row.trust_anchor { "1" } else { "" })
        .or_all("groups", view.groups.iter().map(|(_, name)| name.clone()).collect());
    for attribute in &view.attributes {
        let name = format!("attributes.{}", attribute.name);
        typed = typed.or_all(&name, attribute.values.clone());
    }
    typed
}

async fn edit(shell: Shell, Path(id): Path<String>) -> Response {
    shell
        .answer(async {
            let view = find(&shell, &id).await?;
            edit_page(&shell, &view, present(&view, Typed::default())).await
        })
        .await
}

async fn edit_page(
    shell: &Shell,
    view: &CertificateView,
    typed: Typed,
) -> Result<Response, Problem> {
    let choices = Choices::read(shell).await?;
    let id = view.row.id.to_string();
    let (home, title) = (format!("/certificates/{id}"), certificates::title(&view.row));
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: "Certificates", href: Some("/certificates") },
            Crumb { label: title, href: Some(&home) },
            Crumb { label: "Change", href: None },
        ]))
        (ui::page_header("Where it belongs", title, html! {}))
        @if let Some(error) = typed.general_error(FIELDS) {
            (ui::alert_box(AlertKind::Error, error))
        }
        (ui::post_form(&format!("/certificates/{id}/edit"), shell.csrf(), false, html! {
            input type="hidden" name="version" value=(typed.text("version"));
            (choices.markup(&typed))
            div.actions { (ui::submit("Save", Tone::Info)) (ui::button("Cancel", &home, None, false)) }
        }))
    };
    let mut response = shell.page(Nav::Certificates, title, body);
    if typed.is_refused() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

async fn save(shell: Shell, Path(id): Path<String>, Fields(typed): Fields) -> Response {
    shell
        .answer(async {
            let id = path_of::<CertificateId>(&id)?;
            let wish = Choices::read(&shell).await?.wish(&typed);
            let version = typed.text("version").parse().ok();
            let saved = shell.engine().update_certificate(shell.context(), id, version, wish).await;
            match saved {
                Ok(()) => Ok(shell.done(&format!("/certificates/{id}"), "Saved.")),
                Err(error) => {
                    let view = find(&shell, &id.to_string()).await?;
                    edit_page(&shell, &view, typed.refused(error)?).await
                }
            }
        })
        .await
}

async fn ask_archive(shell: Shell, Path(id): Path<String>) -> Response {
    ask(&shell, &id, "archive", archive_question).await
}

async fn ask_delete(shell: Shell, Path(id): Path<String>) -> Response {
    ask(&shell, &id, "delete", delete_question).await
}

async fn ask(shell: &Shell, id: &str, verb: &str, make: fn(&str) -> Question<'_>) -> Response {
    shell
        .answer(async {
            let view = find(shell, id).await?;
            let home = format!("/certificates/{}", view.row.id);
            let action = format!("{home}/{verb}");
            Ok(make(&action).page(shell, Nav::Certificates, &home))
        })
        .await
}

async fn archive(shell: Shell, Path(id): Path<String>, Fields(typed): Fields) -> Response {
    put_away(&shell, &id, true, typed.some("note"), "Archived.").await
}

async fn restore(shell: Shell, Path(id): Path<String>, Fields(typed): Fields) -> Response {
    put_away(&shell, &id, false, typed.some("note"), "Taken back.").await
}

async fn put_away(
    shell: &Shell,
    id: &str,
    archived: bool,
    note: Option<String>,
    notice: &str,
) -> Response {
    shell
        .answer(async {
            let id = path_of::<CertificateId>(id)?;
            shell.engine().archive_certificate(shell.context(), id, archived, note).await?;
            Ok(shell.done(&format!("/certificates/{id}"), notice))
        })
        .await
}

async fn delete(shell: Shell, Path(id): Path<String>, Fields(typed): Fields) -> Response {
    shell
        .answer(async {
            let id = path_of::<CertificateId>(&id)?;
            shell.engine().delete_certificate(shell.context(), id, typed.some("note")).await?;
            Ok(shell
                .done("/certificates", "The certificate is deleted. Its events stay in the log."))
        })
        .await
}

async fn pem(shell: Shell, Path(id): Path<String>) -> Response {
    shell
        .answer(async {
            let view = find(&shell, &id).await?;
            let parsed = Parsed::parse(&view.der).map_err(|_| Problem::internal())?;
            let bytes = parsed.to_pem().into_bytes();
            Ok(file("application/x-pem-file", &view.row.fingerprint_sha256, "pem", bytes))
        })
        .await
}

async fn der(shell: Shell, Path(id): Path<String>) -> Response {
    shell
        .answer(async {
            let view = find(&shell, &id).await?;
            Ok(file("application/pkix-cert", &view.row.fingerprint_sha256, "cer", view.der))
        })
        .await
}

/// A download. The name is made of the fingerprint: nothing in it comes from the certificate.
fn file(media_type: &'static str, fingerprint: &str, extension: &str, bytes: Vec<u8>) -> Response {
    let name = fingerprint.get(..16).unwrap_or(fingerprint);
    let disposition = format!("attachment; filename=\"{name}.{extension}\"");
    let Ok(disposition) = HeaderValue::from_str(&disposition) else {
        return see_other("/certificates");
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    (headers, bytes).into_response()
}
