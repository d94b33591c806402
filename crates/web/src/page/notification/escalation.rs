//! The levels of an alert on its page: who is told next, and when, unless somebody takes it up.

use chancery_engine::notification::EscalationStep;
use chancery_event::id::AlertId;
use maud::{Markup, html};

use crate::edge::Problem;
use crate::page::shell::Shell;
use crate::ui::{self, Column, Icon, Row, Table, Tone};

/// The section; nothing where no profile that told of it has levels.
pub(in crate::page) async fn section(shell: &Shell, alert: AlertId) -> Result<Markup, Problem> {
    let steps = shell.engine().escalation_steps(shell.context(), alert).await?;
    if steps.is_empty() {
        return Ok(html! {});
    }
    let columns = [
        Column::new("Level").number(),
        Column::new("State"),
        Column::new("When"),
        Column::new("Whom"),
        Column::new("Profile").optional(),
    ];
    let rows: Vec<Row> = steps.iter().map(row).collect();
    let next = steps.iter().find(|step| step.state == "waiting");
    Ok(ui::section(
        "escalation",
        "Who is told next",
        html! {},
        html! {
            p.hint {
                @match next {
                    Some(step) => { "Nobody has taken it up: level " (step.level) " is told " (ui::time(step.due_at.micros())) " unless somebody acknowledges, assigns, snoozes or resolves it before." }
                    None => { "Nobody is told any more." }
                }
            }
            (ui::data_table(&Table { id: "levels", caption: "Levels, by time", columns: &columns, rows: &rows }))
        },
    ))
}

fn row(step: &EscalationStep) -> Row {
    let whom = match step.people.is_empty() {
        true => step.recipients.join(", "),
        false => step.people.join(", "),
    };
    Row {
        href: None,
        tone: None,
        cells: vec![
            html! { (step.level) },
            state(&step.state),
            ui::time(step.due_at.micros()),
            html! { (if whom.is_empty() { "—" } else { &whom }) },
            html! { a href={"/notifications/profiles/" (step.profile)} { (step.profile) } },
        ],
    }
}

fn state(word: &str) -> Markup {
    match word {
        "told" => ui::badge(Tone::Good, Icon::Check, "Told"),
        "waiting" => ui::badge(Tone::Warning, Icon::Hourglass, "Next"),
        "ahead" => ui::badge(Tone::Neutral, Icon::Hourglass, "After that"),
        _ => ui::badge(Tone::Neutral, Icon::Deny, "Not needed"),
    }
}
