//! Uploading certificates: choose, drop or paste; say where they belong; see what became of each.

use axum::http::StatusCode;
use axum::response::Response;
use chancery_engine::inventory::{Source, Upload, UploadAnswer, UploadMode, UploadedItem};
use chancery_engine::{Error, Permission, Secret};
use chancery_event::id::JobId;
use maud::{Markup, html};

use super::placement::{Choices, FIELDS};
use super::shell::Shell;
use super::typed::{Typed, sentence};
use super::{GET, POST};
use crate::edge::{Access, CsrfMultipart, Problem, Routes};
use crate::ui::{
    self, AlertKind, ChoiceOption, Column, Crumb, Field, FileDrop, Icon, Nav, Row, Table, Tone,
};

pub(super) fn add(routes: &mut Routes) {
    let access = Access::Session(Permission::CertificateWrite);
    routes.add(GET, "/certificates/upload", access, form);
    routes.add_upload(POST, "/certificates/upload", access, send);
}

async fn form(shell: Shell) -> Response {
    shell.answer(view(&shell, &Typed::default())).await
}

async fn view(shell: &Shell, typed: &Typed) -> Result<Response, Problem> {
    let choices = Choices::read(shell).await?;
    let password = Field {
        id: "password",
        name: "password",
        label: "Password of a PKCS #12 file",
        kind: "password",
        autocomplete: "off",
        hint: "It is used once and kept nowhere. A file that holds a private key is refused whole.",
        error: typed.error("password"),
        ..Field::default()
    };
    let mode = Field {
        required: true,
        ..typed.field(
            "mode",
            "mode",
            "How",
            "A job is for thousands of certificates: the answer comes at once.",
        )
    };
    let modes = [
        ChoiceOption { value: "sync", label: "Now, and show what became of each" },
        ChoiceOption { value: "async", label: "As a job" },
    ];
    let mebibytes = shell.state.options.max_upload_bytes / (1024 * 1024);
    let hint = format!("PEM, DER, PKCS #7, PKCS #12; several at once; up to {mebibytes} MiB.");
    let mut known = FIELDS.to_vec();
    known.push("password");
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: "Certificates", href: Some("/certificates") },
            Crumb { label: "Upload", href: None },
        ]))
        (ui::page_header("Upload certificates", "Each one is judged, enters the inventory, and is watched from then on.", html! {}))
        @if let Some(error) = typed.general_error(&known) {
            (ui::alert_box(AlertKind::Error, error))
        }
        (ui::post_form("/certificates/upload", shell.csrf(), true, html! {
            div.columns {
                (ui::section("files", "Files", html! {}, html! {
                    (ui::file_drop(&FileDrop {
                        id: "files-input",
                        name: "files",
                        label: "Drop certificates here, or choose files",
                        hint: &hint,
                        accept: ".pem,.crt,.cer,.der,.p7b,.p7c,.p12,.pfx",
                        multiple: true,
                        paste: "or paste PEM text",
                        placeholder: "-----BEGIN CERTIFICATE-----",
                        rows: 4,
                        text: typed.raw("files_text"),
                        error: "",
                    }))
                    (ui::field(&password)) (ui::select_field(&mode, &modes))
                }))
                (ui::section("placement", "Where they belong", html! {}, html! {
                    p.hint { "What is left empty, triggers may set." }
                    (choices.markup(typed))
                }))
            }
            div.actions { (ui::submit("Upload", Tone::Info)) (ui::button("Cancel", "/certificates", None, false)) }
        }))
    };
    let mut response = shell.page(Nav::Certificates, "Upload certificates", body);
    if typed.is_refused() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

/// What became of one file.
struct FileResult {
    name: String,
    result: Result<UploadAnswer, Error>,
}

async fn send(shell: Shell, sent: CsrfMultipart) -> Response {
    let typed = Typed::read(sent.fields.clone());
    shell
        .answer(async {
            let mut files: Vec<(String, Vec<u8>)> = sent
                .files
                .iter()
                .filter(|file| file.field == "files")
                .map(|file| (file.file_name.clone(), file.bytes.to_vec()))
                .collect();
            if let Some(text) = sent.text("files_text").filter(|text| !text.trim().is_empty()) {
                files.push(("pasted text".to_owned(), text.as_bytes().to_vec()));
            }
            if files.is_empty() {
                let error = Error::invalid("files", "choose a file, or paste a certificate");
                return view(&shell, &typed.refused(error)?).await;
            }
            let placement = Choices::read(&shell).await?.first_wish(&typed);
            let password = Some(typed.raw("password")).filter(|text| !text.is_empty());
            let mut results = Vec::with_capacity(files.len());
            for (name, bytes) in files {
                let upload = Upload {
                    bytes,
                    password: password.map(|text| Secret::new(text.to_owned())),
                    placement: placement.clone(),
                    mode: if typed.text("mode") == "async" {
                        UploadMode::Async
                    } else {
                        UploadMode::Sync
                    },
                    source: Source::Upload,
                };
                let result = shell.engine().upload(shell.context(), upload).await;
                if let Err(error @ Error::Invalid { .. }) = result {
                    return view(&shell, &typed.refused(error)?).await;
                }
                results.push(FileResult { name, result });
            }
            answer(&shell, results, typed).await
        })
        .await
}

async fn answer(
    shell: &Shell,
    results: Vec<FileResult>,
    typed: Typed,
) -> Result<Response, Problem> {
    if let [FileResult { result: Ok(UploadAnswer::Queued(job)), .. }] = results.as_slice() {
        return Ok(shell.done(&format!("/jobs/{job}"), "The upload is a job now."));
    }
    if results.len() == 1
        && let Some(FileResult {
            result: Err(error @ (Error::Unreadable { .. } | Error::Conflict { .. })),
            ..
        }) = results.first()
    {
        let again = Error::Unreadable { reason: "unreadable", message: error.to_string() };
        return view(shell, &typed.refused(again)?).await;
    }
    if let [FileResult { result: Ok(UploadAnswer::Done(items)), .. }] = results.as_slice()
        && let [UploadedItem { result: Ok(id), .. }] = items.as_slice()
    {
        return Ok(
            shell.done(&format!("/certificates/{id}"), "The certificate is in the inventory.")
        );
    }
    Ok(shell.page(Nav::Certificates, "What became of the upload", outcome(&results)))
}

fn outcome(results: &[FileResult]) -> Markup {
    let (mut entered, mut refused) = (0_u64, 0_u64);
    let mut rows = Vec::new();
    for file in results {
        match &file.result {
            Ok(UploadAnswer::Done(items)) => {
                for item in items {
                    if item.result.is_ok() {
                        entered += 1
                    } else {
                        refused += 1
                    }
                    rows.push(item_row(&file.name, item));
                }
            }
            Ok(UploadAnswer::Queued(job)) => rows.push(job_row(&file.name, *job)),
            Err(error) => {
                refused += 1;
                rows.push(plain_row(&file.name, html! { span.muted { "—" } }, refusal(error)));
            }
        }
    }
    let words = format!("{} entered, {} did not.", ui::grouped(entered), ui::grouped(refused));
    let columns =
        [Column::new("Certificate"), Column::new("From"), Column::new("What became of it")];
    html! {
        (ui::breadcrumbs(&[
            Crumb { label: "Certificates", href: Some("/certificates") },
            Crumb { label: "Upload", href: Some("/certificates/upload") },
            Crumb { label: "Result", href: None },
        ]))
        (ui::page_header("What became of the upload", &words, html! {
            (ui::button("Upload more", "/certificates/upload", Some(Icon::Upload), false))
            (ui::button("All certificates", "/certificates", None, true))
        }))
        (ui::data_table(&Table { id: "uploaded", caption: "Certificates of the upload", columns: &columns, rows: &rows }))
    }
}

fn item_row(file: &str, item: &UploadedItem) -> Row {
    let subject = match item.subject.as_deref() {
        Some(subject) if !subject.is_empty() => html! { (subject) },
        _ => html! { "certificate " (item.position + 1) },
    };
    match &item.result {
        Ok(id) => Row {
            href: Some(format!("/certificates/{id}")),
            tone: None,
            cells: vec![
                subject,
                html! { (file) },
                ui::badge(Tone::Good, Icon::Check, "In the inventory"),
            ],
        },
        Err(Error::Duplicate { id }) => Row {
            href: Some(format!("/certificates/{id}")),
            tone: None,
            cells: vec![
                subject,
                html! { (file) },
                ui::badge(Tone::Notice, Icon::Skip, "Was there already"),
            ],
        },
        Err(error) => plain_row(file, subject, refusal(error)),
    }
}

fn plain_row(file: &str, subject: Markup, what: Markup) -> Row {
    Row { href: None, tone: Some(Tone::Bad), cells: vec![subject, html! { (file) }, what] }
}

fn job_row(file: &str, job: JobId) -> Row {
    Row {
        href: Some(format!("/jobs/{job}")),
        tone: None,
        cells: vec![html! { "job" }, html! { (file) }, ui::job_state("queued")],
    }
}

fn refusal(error: &Error) -> Markup {
    let text = match error {
        Error::Store(_) | Error::Internal(_) => "the server failed; it was logged".to_owned(),
        other => other.to_string(),
    };
    html! { (ui::badge(Tone::Bad, Icon::CrossCircle, "Refused")) " " (sentence(&text)) }
}
