//! Monitors and schedules: how they stand, one with its runs and what it will report.

use std::collections::BTreeMap;

use axum::extract::Path;
use axum::response::Response;
use chancery_engine::Permission;
use chancery_engine::automation::{Class, Listed};
use chancery_engine::monitor::{Definition, Forecast, TaskView, Watchfulness};
use chancery_engine::row::Run;
use chancery_event::Timestamp;
use maud::{Markup, html};

use super::automation::list::{List, Shown};
use super::certificates::{Way, pages};
use super::form::Fields;
use super::listing::CURSORS;
use super::question::Question;
use super::shell::Shell;
use super::typed::sentence;
use super::{GET, POST};
use crate::edge::{Access, Problem, Routes};
use crate::ui::{self, AlertKind, Column, Crumb, Icon, Nav, Row, Tab, Table, Tone};

/// Runs on a page.
const RUNS: usize = 25;
/// How far the page looks ahead, in days.
const DAYS: u32 = 30;
/// Crossings listed.
const LISTED: usize = 12;

pub(super) fn add(routes: &mut Routes) {
    let session = Access::Session;
    let (read, run, write) =
        (Permission::AutomationRead, Permission::JobWrite, Permission::AutomationWrite);
    for class in [Class::Monitor, Class::Schedule] {
        let base = path(class);
        let one = format!("{base}/{{name}}");
        routes.add(GET, base, session(read), async move |shell: Shell| {
            shell.answer(list(&shell, class)).await
        });
        routes.add(
            GET,
            &one,
            session(read),
            async move |shell: Shell, Path(name): Path<String>| {
                shell.answer(view(&shell, class, &name)).await
            },
        );
        routes.add(
            POST,
            &format!("{one}/run"),
            session(run),
            async move |shell: Shell, Path(name): Path<String>, _: Fields| {
                run_now(&shell, class, &name).await
            },
        );
        for (word, paused) in [("pause", true), ("resume", false)] {
            routes.add(
                POST,
                &format!("{one}/{word}"),
                session(write),
                async move |shell: Shell, Path(name): Path<String>, _: Fields| {
                    pause(&shell, class, &name, paused).await
                },
            );
        }
        routes.add(
            GET,
            &format!("{one}/delete"),
            session(write),
            async move |shell: Shell, Path(name): Path<String>| {
                let back = format!("{}/{name}", path(class));
                let action = format!("{back}/delete");
                delete_question(class, &action).page(&shell, Nav::Jobs, &back)
            },
        );
        routes.add(
            POST,
            &format!("{one}/delete"),
            session(write),
            async move |shell: Shell, Path(name): Path<String>, _: Fields| {
                delete(&shell, class, &name).await
            },
        );
    }
}

/// Where the pages of a class are.
pub(super) fn path(class: Class) -> &'static str {
    if class == Class::Schedule { "/schedules" } else { "/monitors" }
}

/// The places that belong together.
pub(super) fn places(current: &str) -> Markup {
    let tab = |label, href| Tab { label, href, count: None, selected: href == current };
    let all = [tab("Jobs", "/jobs"), tab("Monitors", "/monitors"), tab("Schedules", "/schedules")];
    ui::tabs("What runs in the background", &all)
}

fn words(class: Class) -> (&'static str, &'static str) {
    match class {
        Class::Schedule => ("Schedules", "What queues a job by the clock."),
        _ => ("Monitors", "What looks by the clock whether something has to be told."),
    }
}

const MONITORS: Shown = Shown {
    class: Class::Monitor,
    root: "/monitors",
    noun: "monitor",
    placeholder: "state:failed,missing kind:certificate_expiry",
    facets: &["state", "kind"],
};

const SCHEDULES: Shown = Shown {
    class: Class::Schedule,
    root: "/schedules",
    noun: "schedule",
    placeholder: "job:log.verify next_run<1d",
    facets: &["state", "job"],
};

async fn list(shell: &Shell, class: Class) -> Result<Response, Problem> {
    let shown = if class == Class::Schedule { &SCHEDULES } else { &MONITORS };
    let list = List::read(shell, shown).await?;
    let watching = match class {
        Class::Monitor => Some(shell.engine().watchfulness(shell.context()).await?),
        _ => None,
    };
    let (title, about) = words(class);
    let column = |word, label| list.column(&shell.address, word, label);
    let columns = [
        column("name", "Name"),
        column("state", "State"),
        column("last_run", "Last run"),
        Column::new("Found").optional(),
        column("next_run", "Next run"),
    ];
    let teach = ui::empty_state(&format!("No {}", class.plural()), about, None);
    let table = |tasks: &[Listed]| {
        let rows: Vec<Row> = tasks
            .iter()
            .filter_map(|listed| listed.task.as_ref())
            .map(|task| row(task, class))
            .collect();
        ui::data_table(&Table { id: "tasks", caption: title, columns: &columns, rows: &rows })
    };
    let found = list.body(shell, teach, table).await?;
    let body = html! {
        (ui::page_header(title, about, html! {
            (list.exports(shell))
            @if shell.may(Permission::AutomationWrite) {
                (ui::button("New", &format!("{}/new", path(class)), Some(Icon::Plus), false))
            }
        }))
        (places(path(class)))
        @if let Some(watching) = &watching { (watched(watching)) }
        (found)
    };
    Ok(shell.page(Nav::Jobs, title, body))
}

fn row(task: &TaskView, class: Class) -> Row {
    Row {
        href: Some(format!("{}/{}", path(class), task.object.name)),
        tone: is_bad(task).then_some(Tone::Bad),
        cells: vec![
            html! { (task.object.title()) },
            state(task),
            moment(task.last.as_ref().map(|run| run.started_at)),
            task.last.as_ref().map_or_else(|| html! { "—" }, |run| found(run, class)),
            moment(task.next_at),
        ],
    }
}

/// Whether the ends of certificates are being watched, in one line, and what else is wrong.
pub(super) fn watched(watched: &Watchfulness) -> Markup {
    let (tone, icon, role, word) = match (watched.bad, watched.unknown) {
        (true, _) => (Tone::Bad, Icon::CrossCircle, "alert", "Not watched"),
        (false, true) => (Tone::Info, Icon::Info, "status", "Waiting for the first run"),
        (false, false) => (Tone::Good, Icon::CheckCircle, "status", "Watched"),
    };
    html! {
        div class={"message " (tone.class())} id="watching" role=(role) {
            (ui::icon(icon)) p { strong { (word) ": " }
                "certificates, " (watched.sentence.trim_end_matches('.')) "." }
        }
        @for wrong in watched.gaps.iter().chain(&watched.findings) {
            (ui::alert_box(AlertKind::Error, &sentence(wrong)))
        }
    }
}

fn is_bad(task: &TaskView) -> bool {
    let failed = task.last.as_ref().is_some_and(|run| run.state == "failed");
    task.problem.is_some() || task.missing || failed
}

fn state(task: &TaskView) -> Markup {
    if task.problem.is_some() {
        ui::badge(Tone::Critical, Icon::Warning, "cannot run")
    } else if task.missing {
        ui::badge(Tone::Critical, Icon::Warning, "missing")
    } else if task.running {
        ui::badge(Tone::Info, Icon::Refresh, "running")
    } else if !task.object.enabled {
        ui::badge(Tone::Neutral, Icon::Clock, "paused")
    } else if task.last.as_ref().is_some_and(|run| run.state == "failed") {
        ui::badge(Tone::Bad, Icon::Warning, "failed")
    } else {
        ui::badge(Tone::Good, Icon::Check, "on time")
    }
}

fn moment(at: Option<Timestamp>) -> Markup {
    match at {
        Some(at) => ui::time(at.micros()),
        None => html! { span.muted { "—" } },
    }
}

fn found(run: &Run, class: Class) -> Markup {
    let counts = &run.counts;
    html! {
        @if class == Class::Schedule {
            @if let Some(job) = run.job { a href={"/jobs/" (job)} { "the job" } } @else { (run.state) }
        } @else if run.state == "failed" {
            (run.message.as_deref().unwrap_or("it failed"))
        } @else {
            (ui::grouped(counts.fired)) " of " (ui::grouped(counts.watched))
            @if !reasons(run).is_empty() { span.muted { " · " (reasons(run)) } }
        }
    }
}

/// Reasons for silence, in words.
fn reasons(run: &Run) -> String {
    let found: BTreeMap<String, u64> =
        serde_json::from_str(&run.counts.reasons).unwrap_or_default();
    let text = |(reason, count): (&String, &u64)| {
        format!("{} {}", ui::grouped(*count), reason.replace('_', " "))
    };
    found.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn delete_question(class: Class, action: &str) -> Question<'_> {
    let title = match class {
        Class::Schedule => "Delete this schedule?",
        _ => "Delete this monitor?",
    };
    Question {
        id: "delete-dialog",
        trigger: "Delete…",
        title,
        text: "It does not run any more. Its runs and versions stay on record.",
        action,
        submit: "Delete",
        is_final: true,
        fields: None,
    }
}

async fn view(shell: &Shell, class: Class, name: &str) -> Result<Response, Problem> {
    let (engine, context) = (shell.engine(), shell.context());
    let task = engine.task(context, class, name).await?;
    let before = shell.address.value("before").and_then(|text| text.parse().ok());
    let before = before.map(Timestamp::from_micros);
    let mut runs = engine.task_runs(context, class, name, before, RUNS + 1).await?;
    let more = runs.len() > RUNS;
    runs.truncate(RUNS);
    let definition = Definition::read(&task.object.body).ok();
    let watches = definition.as_ref().is_some_and(|found| found.kind.watched().is_some());
    let forecast = match watches && task.problem.is_none() {
        true => Some(engine.forecast(context, name, DAYS).await?),
        false => None,
    };
    let here = format!("{}/{name}", path(class));
    let (title, _) = words(class);
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: title, href: Some(path(class)) },
            Crumb { label: name, href: None },
        ]))
        (ui::page_header(task.object.title(), task.object.description(), actions(shell, &task, &here)))
        @if let Some(problem) = &task.problem { (ui::alert_box(AlertKind::Error, &sentence(problem))) }
        @if task.missing { (ui::alert_box(AlertKind::Error, "It was due and has not run.")) }
        div.columns {
            (ui::section("state", "State", html! {}, facts(&task, definition.as_ref())))
            @if let Some(forecast) = &forecast { (coming(definition.as_ref(), forecast)) }
        }
        (ui::section("runs", "Runs", html! {}, html! {
            (history(class, &runs))
            @if more || before.is_some() { (further(shell, &runs, more)) }
        }))
        (ui::section("definition", "Definition", html! {}, ui::json_block(
            "definition-json",
            "Definition",
            &serde_json::to_string_pretty(&task.object.body).unwrap_or_default(),
        )))
    };
    Ok(shell.page(Nav::Jobs, task.object.title(), body))
}

fn actions(shell: &Shell, task: &TaskView, here: &str) -> Markup {
    let (word, label) = match task.object.enabled {
        true => ("pause", "Pause"),
        false => ("resume", "Resume"),
    };
    let action = format!("{here}/delete");
    html! {
        @if may_run(shell, task) && task.problem.is_none() {
            form method="post" action={(here) "/run"} {
                (ui::csrf_input(shell.csrf()))
                button.primary type="submit" { (ui::icon(Icon::Refresh)) span { "Run now" } }
            }
        }
        @if shell.may(Permission::AutomationWrite) {
            (ui::button("Change", &format!("{here}/change"), None, false))
            form method="post" action={(here) "/" (word)} {
                (ui::csrf_input(shell.csrf()))
                button type="submit" { (label) }
            }
            (delete_question(task.object.class, &action).dialog(shell))
        }
    }
}

/// Whether somebody may run it now: the job of a schedule acts for them.
fn may_run(shell: &Shell, task: &TaskView) -> bool {
    let needed = match task.object.class {
        Class::Schedule => match chancery_engine::schedule::Definition::read(&task.object.body) {
            Ok(found) => found.job_kind.permission(),
            Err(_) => return false,
        },
        _ => Permission::JobWrite,
    };
    shell.may(Permission::JobWrite) && shell.may(needed)
}

fn facts(task: &TaskView, definition: Option<&Definition>) -> Markup {
    let timetable = match definition {
        Some(definition) => Some(definition.timetable.clone()),
        None => {
            let found = chancery_engine::schedule::Definition::read(&task.object.body).ok();
            found.map(|found| found.timetable)
        }
    };
    let mut pairs = vec![("State", state(task)), ("Next run", moment(task.next_at))];
    if let Some(timetable) = &timetable {
        pairs.push(("Runs", html! {
            code { (timetable.cron()) } " " (timetable.time_zone()) br; span.muted { (timetable.words()) }
        }));
    }
    if let Some(definition) = definition {
        pairs.push(("Looks at", html! { (definition.kind.about()) }));
        if let Some(filter) = &definition.filter {
            pairs.push(("Only", html! { code { (filter) } }));
        }
        let thresholds: Vec<_> = definition.thresholds.iter().map(ToString::to_string).collect();
        if !thresholds.is_empty() {
            pairs.push(("Thresholds", html! { (thresholds.join(", ")) }));
        }
        if let Some((repeat, _)) = &definition.repeat {
            pairs.push(("Repeated every", html! { (repeat) }));
        }
        if definition.kind.has_filter() {
            let text = if definition.suppress_if_replaced {
                "are not reported"
            } else {
                "are reported too"
            };
            pairs.push(("Replaced ones", html! { (text) }));
        }
    }
    pairs.push(("Version", html! { (task.object.version) }));
    ui::key_values(&pairs)
}

fn coming(definition: Option<&Definition>, forecast: &Forecast) -> Markup {
    let of_certificates = definition.is_some_and(|found| found.kind.has_filter());
    let fires = forecast.items.iter().filter(|item| item.silent.is_none());
    let by_day: Vec<u64> = forecast.by_day.values().copied().collect();
    let silent: u64 = forecast.silent.values().sum();
    ui::section(
        "forecast",
        &format!("The next {DAYS} days"),
        html! {},
        html! {
            p {
                (ui::grouped(forecast.fires)) " to be reported"
                @if silent > 0 { ", " (ui::grouped(silent)) " silent as things are now" }
                "." @if forecast.cut { " There are more objects than were looked at." }
            }
            @if by_day.len() > 1 { (ui::sparkline("Reports by day", &by_day)) }
            ul.plain {
                @for item in fires.take(LISTED) {
                    li {
                        (ui::date(item.at.micros())) " "
                        @let name = item.name.as_deref().unwrap_or(&item.object);
                        @if of_certificates { a href={"/certificates/" (item.object)} { (name) } }
                        @else { (name) }
                        " " span.muted { (item.threshold) }
                    }
                }
            }
        },
    )
}

fn history(class: Class, runs: &[Run]) -> Markup {
    let columns = [
        Column::new("Began"),
        Column::new("State"),
        Column::new("Took").optional(),
        Column::new("Evaluated").number().optional(),
        Column::new("Found"),
        Column::new("Asked for").optional(),
    ];
    let rows: Vec<Row> = runs
        .iter()
        .map(|run| Row {
            href: Some(format!("/events/{}", run.id)),
            tone: matches!(run.state.as_str(), "failed" | "broken_off").then_some(Tone::Bad),
            cells: vec![
                ui::time(run.started_at.micros()),
                html! { (run.state.replace('_', " ")) },
                html! { (took(run)) },
                html! { (ui::grouped(run.counts.evaluated)) },
                found(run, class),
                html! { @if run.due_at.is_some() { "by the clock" } @else { "by somebody" } },
            ],
        })
        .collect();
    html! {
        @if runs.is_empty() { p.muted { "It has not run yet." } }
        @else {
            (ui::data_table(&Table {
                id: "run-list",
                caption: "Runs, newest first",
                columns: &columns,
                rows: &rows,
            }))
        }
    }
}

/// The way to older runs, and back to the newest.
fn further(shell: &Shell, runs: &[Run], more: bool) -> Markup {
    let older = runs.last().filter(|_| more).map(|last| {
        let before = last.started_at.micros().to_string();
        shell.address.without(CURSORS).with("before", &before).to_string()
    });
    let words = format!("{} shown", runs.len());
    pages(&shell.address, &Way { previous: None, next: older }, &words)
}

fn took(run: &Run) -> String {
    match run.ended_at.map(|ended| ended.since(run.started_at) / 1_000) {
        None => "—".to_owned(),
        Some(millis) if millis < 1_000 => format!("{millis} ms"),
        Some(millis) => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
    }
}

async fn run_now(shell: &Shell, class: Class, name: &str) -> Response {
    shell
        .answer(async {
            let run = shell.engine().run_task(shell.context(), class, name).await?;
            let notice = match class {
                Class::Schedule => "The job is queued.".to_owned(),
                _ => format!("It has run: {} reported.", ui::grouped(run.counts.fired)),
            };
            Ok(shell.done(&format!("{}/{name}", path(class)), &notice))
        })
        .await
}

async fn pause(shell: &Shell, class: Class, name: &str, paused: bool) -> Response {
    shell
        .answer(async {
            shell.engine().pause_task(shell.context(), class, name, paused).await?;
            let notice = if paused { "It is paused." } else { "It goes on." };
            Ok(shell.done(&format!("{}/{name}", path(class)), notice))
        })
        .await
}

async fn delete(shell: &Shell, class: Class, name: &str) -> Response {
    shell
        .answer(async {
            shell.engine().delete_automation(shell.context(), class, name).await?;
            Ok(shell.done(path(class), "It is deleted."))
        })
        .await
}
