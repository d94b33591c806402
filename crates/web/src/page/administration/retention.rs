//! Retention: rules by which events leave the database, what they would remove, legal holds, runs.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_engine::Permission;
use chancery_engine::retention::{self, Count, Hold, HoldDraft, Preview, Rule, RuleDraft, Run};
use maud::{Markup, html};

use super::parts;
use crate::edge::{Access, Problem, Routes};
use crate::page::form::Fields;
use crate::page::shell::Shell;
use crate::page::typed::Typed;
use crate::page::{GET, POST};
use crate::ui::{self, AlertKind, ChoiceOption, Column, Field, Icon, Nav, Row, Table, Tone};

const PATH: &str = "/administration/retention";
/// Runs that are shown.
const RUNS: usize = 50;

pub(super) fn add(routes: &mut Routes) {
    let write = Access::Session(Permission::RetentionWrite);
    routes.add(GET, PATH, Access::Session(Permission::RetentionRead), show);
    routes.add(POST, "/administration/retention/rules", write, create);
    routes.add(POST, "/administration/retention/rules/{name}", write, change);
    routes.add(GET, "/administration/retention/rules/{name}", write, edit);
    routes.add(POST, "/administration/retention/holds", write, place);
    routes.add(POST, "/administration/retention/holds/{name}", write, release);
    routes.add(POST, "/administration/retention/run", write, run);
}

/// What somebody has typed, and what a rule would do.
#[derive(Default)]
struct Asked {
    rule: Typed,
    hold: Typed,
    preview: Option<Preview>,
    /// The rule that is being changed.
    editing: Option<String>,
}

impl Asked {
    fn rule(rule: Typed) -> Self {
        Self { rule, ..Self::default() }
    }
}

async fn show(shell: Shell) -> Response {
    let typed = Typed::default().or("basis", "event").or("after_days", "400");
    shell.answer(view(&shell, &Asked::rule(typed))).await
}

async fn edit(shell: Shell, Path(name): Path<String>) -> Response {
    shell
        .answer(async {
            let rule = shell.engine().retention_rule(shell.context(), &name).await?;
            let typed = Typed::default()
                .set("name", &*rule.name)
                .set("filter", &*rule.filter)
                .set("basis", &*rule.basis)
                .set("after_days", rule.after_days.to_string())
                .set("version", rule.version.to_string());
            let asked = Asked { editing: Some(name), ..Asked::rule(typed) };
            view(&shell, &asked).await
        })
        .await
}

async fn view(shell: &Shell, asked: &Asked) -> Result<Response, Problem> {
    let (engine, context) = (shell.engine(), shell.context());
    let rules = engine.retention_rules(context).await?;
    let holds = engine.legal_holds(context).await?;
    let runs = engine.retention_runs(context, RUNS).await?;
    let write = shell.may(Permission::RetentionWrite);
    let body = html! {
        (ui::page_header("Administration", "Which events leave the database, and which are held.", html! {
            (ui::button("Runs and holds as events", "/events?filter=type:retention.*+or+type:legal_hold.*", None, true))
        }))
        (parts(shell, PATH))
        (archive(shell))
        (ui::section("rules", "Rules", html! {
            @if write && rules.iter().any(|rule| rule.enabled) {
                form.inline method="post" action="/administration/retention/run" {
                    (ui::csrf_input(shell.csrf()))
                    button type="submit" { "Run all now" }
                }
            }
        }, html! {
            @if rules.is_empty() {
                (ui::empty_state("No rules", "Every event stays in the database. A rule removes events some time after they happened, or after their certificate has expired. They stay in the sealed log and in the archive, and every proof stays valid; what they said about people is gone.", None))
            } @else { (rule_table(shell, &rules)) }
        }))
        @if write {
            @let title = if asked.editing.is_some() { "Change the rule" } else { "New rule" };
            (ui::section("new-rule", title, html! {}, rule_form(shell, asked)))
        }
        (ui::section("holds", "Legal holds", html! {}, html! {
            @if holds.is_empty() {
                p.muted { "Nothing is held." }
            } @else { (hold_table(shell, &holds)) }
            @if write { (hold_form(shell, &asked.hold)) }
        }))
        (ui::section("runs", "Runs", html! {}, html! {
            @if runs.is_empty() {
                p.muted { "No rule was followed yet. The schedule “retention” does it once a day." }
            } @else { (run_table(&runs, shell.now())) }
        }))
    };
    let mut response = shell.page(Nav::Administration, "Retention", body);
    if asked.rule.is_refused() || asked.hold.is_refused() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

fn archive(shell: &Shell) -> Markup {
    match shell.engine().archive_place() {
        Some(place) => html! { p { "Entries are kept in the archive " (ui::code(&place)) "." } },
        None => ui::alert_box(
            AlertKind::Warning,
            "No archive is set, so nothing can leave the database: several nodes need \
             archive.directory on a file system they share, or a bucket (archive.s3_…).",
        ),
    }
}

fn rule_table(shell: &Shell, rules: &[Rule]) -> Markup {
    let columns = [
        Column::new("Name"),
        Column::new("State"),
        Column::new("Removes"),
        Column::new("Changed").optional(),
        Column::new("Action"),
    ];
    let write = shell.may(Permission::RetentionWrite);
    let rows: Vec<Row> = rules
        .iter()
        .map(|rule| {
            let state = if rule.enabled {
                ui::badge(Tone::Good, Icon::Check, "Followed")
            } else {
                ui::badge(Tone::Neutral, Icon::Deny, "Disabled")
            };
            let toggle =
                if rule.enabled { ("disable", "Disable") } else { ("enable", "Enable") };
            Row {
                href: None,
                tone: None,
                cells: vec![
                    html! {
                        @if write { a href={(PATH) "/rules/" (rule.name)} { (rule.name) } }
                        @else { (rule.name) }
                    },
                    state,
                    html! { (retention::sentence(rule)) },
                    ui::relative(rule.changed_at.micros(), shell.now()),
                    html! { @if write {
                        form.inline method="post" action={(PATH) "/rules/" (rule.name)} {
                            (ui::csrf_input(shell.csrf()))
                            @for (value, label) in [("preview", "Preview"), toggle, ("delete", "Delete")] {
                                button type="submit" name="do" value=(value) {
                                    (label) span.visually-hidden { " " (rule.name) }
                                }
                            }
                        }
                    } },
                ],
            }
        })
        .collect();
    ui::data_table(&Table {
        id: "rule-list",
        caption: "Rules of retention, by name",
        columns: &columns,
        rows: &rows,
    })
}

fn rule_form(shell: &Shell, asked: &Asked) -> Markup {
    let typed = &asked.rule;
    let name = Field {
        required: true,
        autocomplete: "off",
        ..typed.field("name", "name", "Name", "Lower-case letters, digits and hyphens.")
    };
    let filter = typed.field(
        "filter",
        "filter",
        "Which events",
        "As in the search for events; empty: every event.",
    );
    let basis = Field { required: true, ..typed.field("basis", "basis", "Days count from", "") };
    let days = Field {
        required: true,
        kind: "number",
        ..typed.field("after_days", "after_days", "Days", "1 to 36500.")
    };
    let choices = [
        ChoiceOption { value: "event", label: "the time of the event" },
        ChoiceOption { value: "expiry", label: "the expiry of the certificate it is about" },
    ];
    html! {
        @if let Some(error) = typed.general_error(&["name", "filter", "basis", "after_days"]) {
            (ui::alert_box(AlertKind::Error, error))
        }
        @if let Some(preview) = &asked.preview { (told(preview)) }
        (ui::post_form("/administration/retention/rules", shell.csrf(), false, html! {
            @if asked.editing.is_some() {
                input type="hidden" name="editing" value="yes";
                input type="hidden" name="version" value=(typed.text("version"));
            }
            (ui::field(&name))
            (ui::field(&filter))
            (ui::select_field(&basis, &choices))
            (ui::field(&days))
            div.actions {
                button type="submit" name="do" value="preview" { "Preview" }
                (ui::submit("Save rule", Tone::Info))
            }
        }))
    }
}

/// What a rule would do.
fn told(preview: &Preview) -> Markup {
    let more = if preview.at_least { "at least " } else { "" };
    let mut text =
        format!("{}. Would remove {more}{} events", preview.sentence, ui::grouped(preview.events));
    if let Some(oldest) = preview.oldest {
        let day: String = oldest.to_string().chars().take(10).collect();
        text.push_str(&format!(", the oldest from {day}"));
    }
    text.push('.');
    if preview.held > 0 {
        let held = ui::grouped(preview.held);
        text.push_str(&format!(" {held} more are kept by legal holds."));
    }
    if preview.waiting > 0 {
        let waiting = ui::grouped(preview.waiting);
        text.push_str(&format!(" {waiting} more stay until nobody needs them."));
        if let Some(limit) = preview.limits.first() {
            let (who, index) = (&limit.who, limit.index);
            text.push_str(&format!(" In the way: {who}, at index {index}."));
        }
    }
    if preview.archive.is_none() {
        text.push_str(" No archive is set, so nothing goes.");
    }
    ui::alert_box(AlertKind::Info, &text)
}

fn hold_table(shell: &Shell, holds: &[Hold]) -> Markup {
    let columns = [
        Column::new("Name"),
        Column::new("State"),
        Column::new("Holds"),
        Column::new("Why"),
        Column::new("By").optional(),
        Column::new("Since"),
        Column::new("Action"),
    ];
    let now = shell.now();
    let rows: Vec<Row> = holds
        .iter()
        .map(|hold| {
            let lasts = hold.released_at.is_none();
            let state = match hold.released_at {
                None => ui::badge(Tone::Warning, Icon::Hourglass, "Lasts"),
                Some(_) => ui::badge(Tone::Neutral, Icon::Check, "Ended"),
            };
            Row {
                href: None,
                tone: None,
                cells: vec![
                    html! { (hold.name) },
                    state,
                    html! { (ui::code(&hold.filter)) },
                    html! { (hold.reason) },
                    html! { (hold.placed_by) },
                    html! {
                        (ui::relative(hold.placed_at.micros(), now))
                        @if let Some(at) = hold.released_at {
                            " until " (ui::relative(at.micros(), now))
                        }
                    },
                    html! { @if lasts && shell.may(Permission::RetentionWrite) {
                        form.inline method="post" action={(PATH) "/holds/" (hold.name)} {
                            (ui::csrf_input(shell.csrf()))
                            button type="submit" {
                                "End" span.visually-hidden { " " (hold.name) }
                            }
                        }
                    } },
                ],
            }
        })
        .collect();
    ui::data_table(&Table {
        id: "hold-list",
        caption: "Legal holds: those that last first",
        columns: &columns,
        rows: &rows,
    })
}

fn hold_form(shell: &Shell, typed: &Typed) -> Markup {
    let name = Field {
        required: true,
        autocomplete: "off",
        ..typed.field("hold-name", "name", "Name", "Such as the number of a case.")
    };
    let filter =
        typed.field("hold-filter", "filter", "Which events", "As in the search; * for all.");
    let certificate = typed.field(
        "hold-certificate",
        "certificate",
        "Or a certificate",
        "Its identifier: every event about it.",
    );
    let reason = Field { required: true, ..typed.field("hold-reason", "reason", "Why", "") };
    html! {
        details open[typed.is_refused()] {
            summary { "Place a hold" }
            @if let Some(error) = typed.general_error(&["name", "filter", "certificate", "reason"]) {
                (ui::alert_box(AlertKind::Error, error))
            }
            (ui::post_form("/administration/retention/holds", shell.csrf(), false, html! {
                (ui::field(&name))
                (ui::field(&filter))
                (ui::field(&certificate))
                (ui::field(&reason))
                div.actions { (ui::submit("Place hold", Tone::Info)) }
            }))
        }
    }
}

fn run_table(runs: &[Run], now: i64) -> Markup {
    let columns = [
        Column::new("Rule"),
        Column::new("State"),
        Column::new("Removed").number(),
        Column::new("Held").number(),
        Column::new("Entries"),
        Column::new("Began"),
    ];
    let rows: Vec<Row> = runs
        .iter()
        .map(|run| {
            let state = match run.state.as_str() {
                "succeeded" => ui::badge(Tone::Good, Icon::Check, "Done"),
                "running" => ui::badge(Tone::Notice, Icon::Hourglass, "At work"),
                _ => ui::badge(Tone::Bad, Icon::Warning, "Failed"),
            };
            let span = match (run.first_index, run.last_index) {
                (Some(first), Some(last)) => format!("{first} to {last}"),
                _ => "—".to_owned(),
            };
            Row {
                href: run.ended_at.map(|_| format!("/events/{}", run.id)),
                tone: (run.state == "failed").then_some(Tone::Bad),
                cells: vec![
                    html! { (run.rule) " " span.muted { "version " (run.rule_version) } },
                    html! {
                        (state)
                        @if let Some(message) = &run.message { p.muted { (message) } }
                    },
                    html! { (ui::grouped(run.removed)) },
                    html! { (ui::grouped(run.held)) },
                    html! { (span) },
                    ui::relative(run.started_at.micros(), now),
                ],
            }
        })
        .collect();
    ui::data_table(&Table {
        id: "run-list",
        caption: "Runs, the newest first",
        columns: &columns,
        rows: &rows,
    })
}

fn draft(typed: &Typed, enabled: bool) -> RuleDraft {
    RuleDraft {
        name: typed.text("name").trim().to_owned(),
        filter: typed.text("filter").trim().to_owned(),
        basis: typed.text("basis").to_owned(),
        after_days: typed.text("after_days").trim().parse().unwrap_or(0),
        enabled,
    }
}

async fn create(shell: Shell, Fields(typed): Fields) -> Response {
    shell
        .answer(async {
            let (engine, context) = (shell.engine(), shell.context());
            let editing = typed.has("editing").then(|| typed.text("name").to_owned());
            if typed.text("do") == "preview" {
                let tried = engine.preview_retention(context, &draft(&typed, true)).await;
                let asked = match tried {
                    Ok(preview) => {
                        Asked { rule: typed, preview: Some(preview), editing, ..Asked::default() }
                    }
                    Err(error) => {
                        Asked { rule: typed.refused(error)?, editing, ..Asked::default() }
                    }
                };
                return view(&shell, &asked).await;
            }
            let saved = if let Some(name) = &editing {
                let before = engine.retention_rule(context, name).await?;
                let version = typed.text("version").parse().ok();
                let draft = draft(&typed, before.enabled);
                engine.update_retention_rule(context, version, draft).await
            } else {
                engine.create_retention_rule(context, draft(&typed, true)).await
            };
            match saved {
                Ok(_) => Ok(shell.done(PATH, "The rule is saved.")),
                Err(error) => {
                    let asked = Asked { editing, ..Asked::rule(typed.refused(error)?) };
                    view(&shell, &asked).await
                }
            }
        })
        .await
}

async fn change(shell: Shell, Path(name): Path<String>, Fields(typed): Fields) -> Response {
    shell
        .answer(async {
            let (engine, context) = (shell.engine(), shell.context());
            if typed.text("do") == "delete" {
                engine.delete_retention_rule(context, &name).await?;
                return Ok(shell.done(PATH, "The rule is gone; what it removed stays removed."));
            }
            let rule = engine.retention_rule(context, &name).await?;
            let mut draft = RuleDraft {
                name: rule.name.clone(),
                filter: rule.filter.clone(),
                basis: rule.basis.clone(),
                after_days: rule.after_days,
                enabled: rule.enabled,
            };
            if typed.text("do") == "preview" {
                let preview = engine.preview_retention(context, &draft).await?;
                let filled = Typed::default()
                    .set("name", &*rule.name)
                    .set("filter", &*rule.filter)
                    .set("basis", &*rule.basis)
                    .set("after_days", rule.after_days.to_string())
                    .set("version", rule.version.to_string());
                let asked =
                    Asked { preview: Some(preview), editing: Some(name), ..Asked::rule(filled) };
                return view(&shell, &asked).await;
            }
            draft.enabled = typed.text("do") == "enable";
            engine.update_retention_rule(context, Some(rule.version), draft).await?;
            Ok(shell.done(PATH, "The rule is changed."))
        })
        .await
}

async fn place(shell: Shell, Fields(typed): Fields) -> Response {
    shell
        .answer(async {
            let draft = HoldDraft {
                name: typed.text("name").trim().to_owned(),
                filter: typed.text("filter").trim().to_owned(),
                certificate: typed.text("certificate").trim().to_owned(),
                reason: typed.text("reason").to_owned(),
            };
            match shell.engine().place_legal_hold(shell.context(), draft).await {
                Ok(placed) => Ok(shell.done(PATH, &held(placed.events))),
                Err(error) => {
                    let rule = Typed::default().or("basis", "event").or("after_days", "400");
                    let asked = Asked { rule, hold: typed.refused(error)?, ..Asked::default() };
                    view(&shell, &asked).await
                }
            }
        })
        .await
}

/// What a hold that was placed names at once.
fn held(events: Option<Count>) -> String {
    let more = |at_least| if at_least { "at least " } else { "" };
    match events {
        None => "The hold is placed.".to_owned(),
        Some(Count { value: 0, .. }) => {
            "The hold is placed. It names no event now, only what may come.".to_owned()
        }
        Some(Count { value: 1, at_least: false }) => {
            "The hold is placed. It names one event now.".to_owned()
        }
        Some(Count { value, at_least }) => {
            let count = ui::grouped(value);
            format!("The hold is placed. It names {}{count} events now.", more(at_least))
        }
    }
}

async fn release(shell: Shell, Path(name): Path<String>) -> Response {
    shell
        .answer(async {
            shell.engine().release_legal_hold(shell.context(), &name).await?;
            Ok(shell.done(PATH, "The hold has ended."))
        })
        .await
}

async fn run(shell: Shell) -> Response {
    shell
        .answer(async {
            let job = shell.engine().queue_retention(shell.context()).await?;
            Ok(shell.done(&format!("/jobs/{job}"), "The rules are being followed."))
        })
        .await
}
