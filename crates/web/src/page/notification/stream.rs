//! How often an object was told of, by profile; and letting that begin anew.

use axum::response::Response;
use chancery_engine::Permission;
use maud::{Markup, html};

use crate::edge::{Access, Problem, Routes};
use crate::page::POST;
use crate::page::form::Fields;
use crate::page::shell::{Shell, own_path};
use crate::ui::{self, Column, Row, Table};

const ACTION: &str = "/notifications/notices/reset";

pub(super) fn add(routes: &mut Routes) {
    let write = Access::Session(Permission::AlertWrite);
    routes.add(POST, ACTION, write, async |shell: Shell, Fields(typed): Fields| {
        let (object, profile) = (typed.text("object").to_owned(), typed.some("profile"));
        let back = own_path(typed.text("back")).to_owned();
        shell.answer(reset(&shell, &object, profile, &back)).await
    });
}

async fn reset(
    shell: &Shell,
    object: &str,
    profile: Option<String>,
    back: &str,
) -> Result<Response, Problem> {
    let count = shell.engine().reset_notice_streams(shell.context(), object, profile).await?;
    let notice = match count {
        0 => "Nothing was counted: what comes is told as it is.".to_owned(),
        1 => "It begins anew: the next one is told.".to_owned(),
        count => format!("They begin anew: the next one of each of {count} is told."),
    };
    Ok(shell.done(back, &notice))
}

/// A button that lets what is counted about an object begin anew, of one profile or of all.
pub(super) fn button(shell: &Shell, object: &str, profile: Option<&str>, back: &str) -> Markup {
    if !shell.may(Permission::AlertWrite) {
        return html! {};
    }
    html! {
        form.inline method="post" action=(ACTION) {
            (ui::csrf_input(shell.csrf()))
            input type="hidden" name="object" value=(object);
            @if let Some(profile) = profile { input type="hidden" name="profile" value=(profile); }
            input type="hidden" name="back" value=(back);
            button type="submit" { @if profile.is_some() { "Begin anew" } @else { "Let repetitions begin anew" } }
        }
    }
}

/// The section on the page of a certificate; nothing where nothing is counted, or the reader may
/// not see it.
pub(in crate::page) async fn section(shell: &Shell, object: &str, here: &str) -> Markup {
    let streams = match shell.may(Permission::AlertRead) {
        true => shell.engine().notice_streams(shell.context(), object).await.unwrap_or_default(),
        false => Vec::new(),
    };
    if streams.is_empty() {
        return html! {};
    }
    let columns = [
        Column::new("Profile"),
        Column::new("About"),
        Column::new("Told").number(),
        Column::new("Last"),
        Column::new("Anew"),
    ];
    let rows: Vec<Row> = streams
        .iter()
        .map(|stream| Row {
            href: None,
            tone: None,
            cells: vec![
                html! { a href={"/notifications/profiles/" (stream.profile)} { (stream.profile) } },
                html! {
                    (stream.event_type)
                    @if !stream.threshold.is_empty() { " " span.muted { (stream.threshold) } }
                },
                html! { (stream.sent) },
                ui::time(stream.last_at.micros()),
                button(shell, object, Some(&stream.profile), here),
            ],
        })
        .collect();
    ui::section(
        "repetitions",
        "How often it was told",
        button(shell, object, None, here),
        html! {
            p.hint { "Profiles that tell of the same thing less often, or not more often than so, count it here." }
            (ui::data_table(&Table { id: "streams", caption: "Repetitions, by profile", columns: &columns, rows: &rows }))
        },
    )
}
