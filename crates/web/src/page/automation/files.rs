//! Automation as a file: downloaded, and a file planned, compared with history and applied, by the
//! functions that the API and `chancery config` use.
//!
//! The text of a file travels in the form, so that nothing has to be chosen twice. Applying asks
//! first, and the answer holds for the revision that the question was about.

use axum::http::StatusCode;
use axum::response::Response;
use chancery_engine::automation::file::{self, Planned};
use chancery_engine::{Error, Permission};
use maud::{Markup, html};

use super::{parts, plan, trial};
use crate::edge::{Access, CsrfMultipart, Problem, Routes};
use crate::page::GET;
use crate::page::POST;
use crate::page::shell::Shell;
use crate::page::typed::Typed;
use crate::ui::{self, AlertKind, Crumb, Field, FileDrop, Icon, Nav, Tone};

/// The page.
const HOME: &str = "/automation/files";
/// Where a file is applied.
const APPLY: &str = "/automation/files/apply";
/// Fields of the form that show what is wrong with them.
const FIELDS: [&str; 4] = ["file", "days", "from", "to"];
/// Lines shown before and behind one with a fault.
const AROUND: usize = 2;

pub(super) fn add(routes: &mut Routes) {
    let read = Access::Session(Permission::AutomationRead);
    let tries = Access::Session(Permission::AutomationTry);
    let write = Access::Session(Permission::AutomationWrite);
    routes.add(GET, HOME, read, async |shell: Shell| shell.answer(begin(&shell)).await);
    routes.add_upload(POST, HOME, tries, async |shell: Shell, sent: CsrfMultipart| {
        shell.answer(look(&shell, sent)).await
    });
    routes.add_upload(POST, APPLY, write, async |shell: Shell, sent: CsrfMultipart| {
        shell.answer(apply(&shell, sent)).await
    });
}

/// The page as it opens: empty, or with what counts now to go on from.
async fn begin(shell: &Shell) -> Result<Response, Problem> {
    let typed = match shell.address.value("begin") {
        Some("present") => Typed::default().set("file_text", present(shell).await?.0),
        _ => Typed::default(),
    };
    view(shell, &typed, html! {}).await
}

/// What counts now as a file, and its revision.
async fn present(shell: &Shell) -> Result<(String, i64), Problem> {
    let book = shell.engine().automation_book(shell.context()).await?;
    Ok((file::write(&book)?, book.revision))
}

/// The form with the text of the file that was chosen, or else of the one that was pasted.
fn read(sent: CsrfMultipart) -> Result<Typed, Problem> {
    let typed = Typed::read(sent.fields);
    let text = match sent.files.first() {
        None => typed.raw("file_text").to_owned(),
        Some(part) => match String::from_utf8(part.bytes.to_vec()) {
            Ok(text) => text,
            Err(_) => {
                let message = "this file is no text; files of automation are TOML in UTF-8";
                return typed.refused(Error::invalid("file", message));
            }
        },
    };
    // Forms send line breaks in the spelling of the network.
    let typed = typed.set("file_text", text.replace("\r\n", "\n"));
    if typed.text("file_text").is_empty() {
        return typed.refused(Error::invalid("file", "choose a file, or paste one"));
    }
    Ok(typed)
}

async fn planned(shell: &Shell, typed: &Typed) -> Result<(i64, Vec<Planned>), Error> {
    let (text, prune) = (typed.raw("file_text"), typed.has("prune"));
    shell.engine().plan_automation(shell.context(), text, prune).await
}

/// What a file would change, or would have made of the past. Changes nothing.
async fn look(shell: &Shell, sent: CsrfMultipart) -> Result<Response, Problem> {
    let typed = read(sent)?;
    if typed.is_refused() {
        return view(shell, &typed, html! {}).await;
    }
    if typed.text("do") == "behaviour" {
        return behaviour(shell, typed).await;
    }
    match planned(shell, &typed).await {
        Ok((revision, planned)) => {
            let told = told(shell, revision, &planned).await?;
            view(shell, &typed, told).await
        }
        Err(error) => view(shell, &typed.refused(in_file(error))?, html! {}).await,
    }
}

async fn told(shell: &Shell, revision: i64, planned: &[Planned]) -> Result<Markup, Problem> {
    let table = plan::table(shell, revision, planned).await?;
    let aside = html! { span.muted { "Against revision " (revision) } };
    Ok(ui::section(
        "plan",
        "What the file would change",
        aside,
        html! {
            @if planned.is_empty() { p { "Nothing would change: all that the file says is so already." } }
            @else { p { (plan::counted(planned)) ". Nothing is changed yet." } (table) }
        },
    ))
}

async fn behaviour(shell: &Shell, typed: Typed) -> Result<Response, Problem> {
    let (text, prune) = (typed.raw("file_text"), typed.has("prune"));
    let compared = async {
        let stretch = trial::stretch(shell, &typed)?;
        shell.engine().compare_automation(shell.context(), text, prune, stretch).await
    };
    match compared.await {
        Ok(Ok(tried)) => {
            let told = trial::told(&tried);
            view(shell, &typed, told).await
        }
        Ok(Err(job)) => {
            let notice = "History is long: a job looks through it. Its result is shown here.";
            Ok(shell.done(&format!("/jobs/{job}"), notice))
        }
        Err(error) => view(shell, &typed.refused(in_file(error))?, html! {}).await,
    }
}

/// Asks, and with the answer applies the file.
async fn apply(shell: &Shell, sent: CsrfMultipart) -> Result<Response, Problem> {
    let typed = read(sent)?;
    if typed.is_refused() {
        return view(shell, &typed, html! {}).await;
    }
    if !typed.has("sure") {
        return match planned(shell, &typed).await {
            Ok((revision, planned)) if planned.is_empty() => {
                let told = told(shell, revision, &planned).await?;
                view(shell, &typed, told).await
            }
            Ok((revision, planned)) => question(shell, &typed, revision, &planned).await,
            Err(error) => view(shell, &typed.refused(in_file(error))?, html! {}).await,
        };
    }
    let (text, prune) = (typed.raw("file_text"), typed.has("prune"));
    let applied = async {
        let revision = Some(typed.version("revision")?);
        shell.engine().apply_automation_file(shell.context(), text, prune, revision).await
    };
    match applied.await {
        Ok((revision, planned)) => {
            let changes = plan::changes(planned.len());
            Ok(shell.done(HOME, &format!("Applied: {changes}; revision {revision}.")))
        }
        Err(error) => view(shell, &typed.refused(in_file(error))?, html! {}).await,
    }
}

/// A fault of an object as one of the file, which is the field it stands in.
fn in_file(error: Error) -> Error {
    match error {
        error if error.reason() == "changed_meanwhile" => {
            let message = "somebody changed the automation after you were asked: see what the file \
                           would change now, and apply it then";
            Error::invalid("revision", message)
        }
        Error::Invalid { field, message } => match field.split_once('#') {
            Some((object, pointer)) => {
                let object = object.replacen('/', " ", 1).replace('_', " ");
                let place = pointer.trim_start_matches('/');
                let place = if place.is_empty() { object } else { format!("{object}, {place}") };
                Error::invalid("file", format!("{message} ({place})"))
            }
            None => Error::Invalid { field, message },
        },
        error => error,
    }
}

async fn question(
    shell: &Shell,
    typed: &Typed,
    revision: i64,
    planned: &[Planned],
) -> Result<Response, Problem> {
    let table = plan::table(shell, revision, planned).await?;
    let deletes = planned.iter().any(|one| one.edit.body.is_none());
    let words = format!("{}. All of it is one revision, or nothing.", plan::counted(planned));
    let tone = if deletes { Tone::Bad } else { Tone::Info };
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: "Files", href: Some(HOME) },
            Crumb { label: "Apply", href: None },
        ]))
        (ui::page_header("Apply this file?", &words, html! {}))
        (table)
        (ui::post_form(APPLY, shell.csrf(), true, html! {
            input type="hidden" name="file_text" value=(typed.raw("file_text"));
            input type="hidden" name="revision" value=(revision);
            input type="hidden" name="sure" value="1";
            @if typed.has("prune") { input type="hidden" name="prune" value="1"; }
            div.actions {
                (ui::submit(&format!("Apply {}", plan::changes(planned.len())), tone))
                button type="submit" name="do" value="plan" formaction=(HOME) { "Back to the file" }
            }
        }))
    };
    Ok(shell.page(Nav::Automation, "Apply this file?", body))
}

async fn view(shell: &Shell, typed: &Typed, told: Markup) -> Result<Response, Problem> {
    let (text, revision) = present(shell).await?;
    let words = "Everything that counts as one TOML file: for review, for version control, for another installation.";
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: "Triggers", href: Some("/automation") },
            Crumb { label: "Files", href: None },
        ]))
        (ui::page_header("Automation as a file", words, html! {
            a.button href="/api/v1/automation/export?format=toml" download="automation.toml" {
                (ui::icon(Icon::Download)) span { "Download" }
            }
        }))
        (parts(HOME))
        @if let Some(error) = typed.general_error(&FIELDS) { (ui::alert_box(AlertKind::Error, error)) }
        (told)
        @if shell.may(Permission::AutomationTry) {
            (ui::section("file-section", "Bring a file", html! {
                a href={(HOME) "?begin=present"} { "Begin with what counts now" }
            }, form(shell, typed)))
        } @else {
            p.muted { "Operators, auditors and administrators see here what a file would change; administrators apply it." }
        }
        (ui::section("present", "What counts now", html! { span.muted { "Revision " (revision) } }, html! {
            details { summary { "Show it" } (ui::json_block("present-toml", "automation.toml", &text)) }
        }))
    };
    let mut response = shell.page(Nav::Automation, "Automation as a file", body);
    if typed.is_refused() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

fn form(shell: &Shell, typed: &Typed) -> Markup {
    let error = typed.error("file");
    let prune = Field {
        id: "prune",
        name: "prune",
        label: "What the file does not have is deleted",
        value: "1",
        hint: "Otherwise it stays as it is.",
        ..Field::default()
    };
    ui::post_form(
        HOME,
        shell.csrf(),
        true,
        html! {
            (ui::file_drop(&FileDrop {
                id: "file",
                name: "file",
                label: "Drop a file here, or choose one",
                hint: "TOML, as it is downloaded here; it takes the place of the text below.",
                accept: ".toml",
                multiple: false,
                paste: "or paste its text",
                placeholder: "[rule.weak-keys]\nfilter = \"object.key_size<2048\"",
                rows: 14,
                text: typed.raw("file_text"),
                error,
            }))
            @if let Some(line) = line_of(error) { (excerpt(typed.raw("file_text"), line)) }
            (ui::check_field(&prune, typed.has("prune")))
            div.actions {
                (ui::submit("What would it change?", Tone::Info))
                @if shell.may(Permission::AutomationWrite) {
                    button type="submit" formaction=(APPLY) { "Apply…" }
                }
            }
            fieldset.choices { legend { "Its behaviour on recorded history" }
                p.hint { "Asks the triggers about recorded events twice, as they are saved and with the file, and tells where they \
                    come to something else." }
                (trial::span(typed))
                div.actions { button type="submit" name="do" value="behaviour" { "What would have gone differently?" } }
            }
        },
    )
}

/// The line that a message names.
fn line_of(message: &str) -> Option<usize> {
    message.strip_prefix("Line ")?.split(':').next()?.parse().ok()
}

/// A line of the file and those around it, numbered.
fn excerpt(text: &str, wrong: usize) -> Markup {
    let first = wrong.saturating_sub(AROUND).max(1);
    let lines = text.lines().enumerate().map(|(place, line)| (place + 1, line));
    let lines: Vec<_> =
        lines.skip(first - 1).take_while(|(number, _)| *number <= wrong + AROUND).collect();
    html! {
        pre.excerpt tabindex="0" role="group" aria-label={"The file around line " (wrong)} {
            @for (number, line) in lines {
                @if number == wrong { strong { "→ " (number) "  " (line) } } @else { "  " (number) "  " (line) }
                "\n"
            }
        }
    }
}
