//! Jobs: what runs in the background, how far it is, what became of it.

use axum::extract::Path;
use axum::response::Response;
use chancery_engine::Permission;
use chancery_engine::history::EventQuery;
use chancery_engine::job::{JOBS_COUNTED_MAX, JobPage, JobQuery, Kind, QueueView};
use chancery_engine::reaction::trial::Tried;
use chancery_engine::row::Job;
use chancery_event::Timestamp;
use chancery_event::filter::Filter;
use chancery_event::id::JobId;
use maud::{Markup, html};

use super::address::Address;
use super::certificates::{Way, pages};
use super::form::Fields;
use super::listing::{self, BARS, Bars, CURSORS, FacetCounts, Narrowed};
use super::question::Question;
use super::shell::Shell;
use super::typed::sentence;
use super::{GET, POST, event_row, saved_view};
use crate::edge::{Access, Problem, Routes, path_of};
use crate::ui::{self, AlertKind, Column, Crumb, Icon, Nav, Row, Table, Tone};

/// Jobs on a page.
const PAGE: usize = 50;
const PLACEHOLDER: &str = "state:failed kind:certificate.import asked:last(7d) took>60000";

pub(super) fn add(routes: &mut Routes) {
    let (read, write) =
        (Access::Session(Permission::JobRead), Access::Session(Permission::JobWrite));
    routes.add(GET, "/jobs", read, show);
    routes.add(GET, "/jobs/{id}", read, one);
    routes.add(POST, "/jobs/{id}/retry", write, retry);
    routes.add(GET, "/jobs/{id}/cancel", write, ask_cancel);
    routes.add(POST, "/jobs/{id}/cancel", write, cancel);
}

async fn show(shell: Shell) -> Response {
    shell.answer(list(&shell)).await
}

/// A position in the list: `<µs>.<id>` of a job.
fn position(text: &str) -> Option<(Timestamp, JobId)> {
    let (at, id) = text.split_once('.')?;
    Some((Timestamp::from_micros(at.parse().ok()?), id.parse().ok()?))
}

async fn list(shell: &Shell) -> Result<Response, Problem> {
    let (engine, context, address) = (shell.engine(), shell.context(), &shell.address);
    let schema = engine.job_schema();
    let narrowed = Narrowed::read(address, &schema);
    let views = saved_view::panel(shell, "jobs").await?;
    let exports = listing::exports(shell, "/api/v1/jobs/export", &narrowed, "asked");
    let head = html! {
        (ui::page_header("Jobs", "What is done in the background, newest first.", exports))
        (super::task::places("/jobs"))
        (narrowed.search_box("job-search", address, "/jobs", PLACEHOLDER))
    };
    if narrowed.error.is_some() {
        let body = html! { (head) (listing::not_understood()) (views) };
        return Ok(shell.page(Nav::Jobs, "Jobs", body));
    }
    let filter = narrowed.condition("asked");
    let query = JobQuery {
        filter: filter.clone(),
        before: address.value("before").and_then(position),
        after: address.value("after").and_then(position),
        limit: PAGE,
    };
    let ((from, to), _) = narrowed.past("asked", &schema, shell.now(), 30 * Timestamp::DAY);
    let width = ((to - from) / BARS).max(1);
    let span = (Timestamp::from_micros(from), Timestamp::from_micros(to));
    let (page, counts, bars, queues) = tokio::try_join!(
        engine.find_jobs(context, &query),
        engine.job_counts(context, &filter),
        engine.job_histogram(context, &filter, span, width),
        engine.job_queues(context),
    )?;
    let running = page.items.iter().any(|job| matches!(job.state.as_str(), "queued" | "running"));
    let more = counts.all >= JOBS_COUNTED_MAX;
    let words = format!("{} shown of {}", page.items.len(), listing::counted(counts.all, more));
    let plot =
        Bars { id: "job-histogram", label: "jobs asked for", series: "Jobs", from, to, width };
    let group = |(field, values): (&str, Vec<(String, u64)>)| FacetCounts {
        label: listing::label(field),
        field: field.to_owned(),
        values,
    };
    let groups: Vec<FacetCounts> = counts.facets.into_iter().map(group).collect();
    let body = html! {
        (head)
        (listing::bars(&plot, address, &bars))
        div.with-facets {
            div {
                (listing::facets(address, &narrowed.filter, &schema, &groups))
                @if more { (ui::sampled("Counts are of the newest 20,000 that fit.")) }
                (at_work(&queues))
                (views)
            }
            div id="job-list" data-refresh=[running.then_some("5")] {
                @if page.items.is_empty() {
                    (ui::empty_state("No job here", "Large uploads run as jobs. They are kept here with what became of them.",
                        jobs_action(shell)))
                } @else {
                    (table("jobs", &page.items, shell.now()))
                    (pages(address, &beside(address, &page), &words))
                }
            }
        }
    };
    Ok(shell.page(Nav::Jobs, "Jobs", body))
}

/// The pages beside one.
fn beside(address: &Address, page: &JobPage) -> Way {
    let at = |name: &str, job: Option<&Job>, is_there: bool| {
        let job = job.filter(|_| is_there)?;
        let position = format!("{}.{}", job.scheduled_at.micros(), job.id);
        Some(address.without(CURSORS).with(name, &position).to_string())
    };
    Way {
        previous: at("after", page.items.first(), page.newer),
        next: at("before", page.items.last(), page.older),
    }
}

/// One thing to do where no job is listed.
fn jobs_action(shell: &Shell) -> Option<Markup> {
    let is_narrowed = ["q", "from", "to", "before", "after"]
        .iter()
        .any(|name| shell.address.value(name).is_some());
    if is_narrowed {
        return Some(ui::button("Show all jobs", "/jobs", None, true));
    }
    let upload =
        || ui::button("Upload certificates", "/certificates/upload", Some(Icon::Upload), true);
    shell.may(Permission::CertificateWrite).then(upload)
}

/// The queues: how much of each is at work, whatever the search.
fn at_work(queues: &[QueueView]) -> Markup {
    html! {
        aside.facets aria-label="Queues at work" { details open { summary { "At work now" } ul {
            @for queue in queues {
                li { (queue.name) " " span.muted {
                    (queue.running) " of " (queue.at_a_time) " run, " (queue.queued) " wait"
                } }
            }
        } } }
    }
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn progress(job: &Job) -> Markup {
    html! {
        @if job.total > 0 { (ui::progress(&job.name, count(job.done), Some(count(job.total)))) }
        @else if job.state == "running" { (ui::progress(&job.name, count(job.done), None)) }
        @else { span.muted { "—" } }
    }
}

fn duration(job: &Job, now: i64) -> String {
    // What waits for another try takes no time.
    let started = job.started_at.filter(|_| job.state != "queued");
    let Some(started) = started else { return "—".to_owned() };
    let end = job.completed_at.map_or(now, Timestamp::micros);
    let millis = (end - started.micros()).max(0) / 1_000;
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..90_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        _ => format!("{} min", millis / 60_000),
    }
}

/// A job that has been running for longer than this takes long: ten minutes.
pub(super) const LONG: i64 = 600 * Timestamp::SECOND;

/// Whether a job has been running for so long that somebody should look.
pub(super) fn takes_long(job: &Job, now: i64) -> bool {
    job.state == "running" && job.started_at.is_some_and(|at| now - at.micros() > LONG)
}

/// Who or what asked for a job, in a word or two; people by the page of the job alone.
fn asker(job: &Job) -> &str {
    match job.triggered_by.split_once('/') {
        Some(("account", _)) => "an account",
        _ => &job.triggered_by,
    }
}

/// A table of jobs.
pub(super) fn table(id: &str, jobs: &[Job], now: i64) -> Markup {
    let columns = [
        Column::new("Job, type"),
        Column::new("State"),
        Column::new("Progress"),
        Column::new("Asked for, by"),
        Column::new("Took").optional(),
        Column::new("Tries").number().optional(),
    ];
    let rows: Vec<Row> = jobs
        .iter()
        .map(|job| Row {
            href: Some(format!("/jobs/{}", job.id)),
            tone: match job.state.as_str() {
                "failed" => Some(Tone::Bad),
                _ if takes_long(job, now) => Some(Tone::Warning),
                _ => None,
            },
            cells: vec![
                html! { (job.name) div.muted { code { (ui::parted(&job.kind)) } } },
                html! { span {
                    (ui::job_state(&job.state))
                    @if takes_long(job, now) { " " (ui::badge(Tone::Warning, Icon::Hourglass, "Takes long")) }
                } },
                progress(job),
                html! { (ui::time(job.scheduled_at.micros())) div.muted { (ui::parted(asker(job))) } },
                html! { (duration(job, now)) },
                html! { (job.attempts) " of " (job.attempts_max) },
            ],
        })
        .collect();
    ui::data_table(&Table { id, caption: "Jobs, newest first", columns: &columns, rows: &rows })
}

async fn one(shell: Shell, Path(id): Path<String>) -> Response {
    shell
        .answer(async {
            let job = shell.engine().job(shell.context(), path_of::<JobId>(&id)?).await?;
            view(&shell, &job).await
        })
        .await
}

fn cancel_question(action: &str) -> Question<'_> {
    Question {
        id: "cancel-dialog",
        trigger: "Cancel the job…",
        title: "Cancel this job?",
        text: "What it did already stays.",
        action,
        submit: "Cancel the job",
        is_final: true,
        fields: None,
    }
}

async fn view(shell: &Shell, job: &Job) -> Result<Response, Problem> {
    let text = format!("target:\"job/{}\"", job.id);
    let filter = Filter::parse(&text, shell.engine().event_schema())
        .map_err(chancery_engine::Error::from)?;
    let query = EventQuery { filter, before: None, from: None, limit: 50, oldest_first: true };
    let events = shell.engine().events(shell.context(), query).await?.events;
    let causes = match shell.may(Permission::EventRead) {
        true => shell.engine().job_causes(shell.context(), job.id).await?,
        false => Vec::new(),
    };
    let alerts = super::alert::about(shell, &job.id.to_string()).await?;
    let action = format!("/jobs/{}/cancel", job.id);
    let is_open = matches!(job.state.as_str(), "queued" | "running");
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: "Jobs", href: Some("/jobs") },
            Crumb { label: &job.name, href: None },
        ]))
        (ui::page_header(&job.name, &job.kind, html! {
            @if shell.may(Permission::JobWrite) && job.state == "failed" {
                form method="post" action={"/jobs/" (job.id) "/retry"} {
                    (ui::csrf_input(shell.csrf()))
                    button.primary type="submit" { (ui::icon(Icon::Refresh)) span { "Try again" } }
                }
            }
            @if shell.may(Permission::JobWrite) && is_open {
                (cancel_question(&action).dialog(shell))
            }
        }))
        @if let Some(error) = &job.error { (ui::alert_box(AlertKind::Error, &sentence(error))) }
        div.columns {
            div id="job-state" data-refresh=[is_open.then_some("3")] {
                (ui::section("state", "State", html! {}, facts(job, shell.now())))
            }
            (ui::section("story", "Story", html! {}, html! {
                @if events.is_empty() { p.muted { "Nothing is sealed yet." } } @else { (event_row::story(&events)) }
            }))
        }
        (alerts)
        @if !causes.is_empty() {
            (ui::section("causes", "What led to it", html! {}, html! {
                p.hint { "The nearest cause first; each was brought about by the one below it." }
                (event_row::story(&causes))
            }))
        }
        (ui::section("payload", "What it was asked", html! {},
            ui::json_block("payload-json", "Payload", &pretty(&job.payload))))
        @if let Some(result) = &job.result {
            @if let Some(tried) = tried(job, result) { (super::automation::trial::told(&tried)) }
            (ui::section("result", "What came of it", html! {},
                ui::json_block("result-json", "Result", &pretty(result))))
        }
    };
    Ok(shell.page(Nav::Jobs, &job.name, body))
}

/// What a back-test found.
fn tried(job: &Job, result: &str) -> Option<Tried> {
    (job.kind == Kind::BackTest.as_str()).then(|| serde_json::from_str(result).ok()).flatten()
}

fn pretty(json: &str) -> String {
    let value = serde_json::from_str::<serde_json::Value>(json);
    value.and_then(|value| serde_json::to_string_pretty(&value)).unwrap_or_else(|_| json.to_owned())
}

fn facts(job: &Job, now: i64) -> Markup {
    let moment = |at: Option<Timestamp>| match at {
        Some(at) => ui::time(at.micros()),
        None => html! { span.muted { "—" } },
    };
    let by = match job.triggered_by.split_once('/') {
        Some(("account", id)) => {
            html! { a href={"/administration/accounts/" (id)} { "an account" } }
        }
        Some(("schedule", name)) => html! { a href={"/schedules/" (name)} { (job.triggered_by) } },
        Some(("trigger", name)) => {
            html! { a href={"/automation/triggers/" (name)} { (job.triggered_by) } }
        }
        _ => html! { (job.triggered_by) },
    };
    let mut pairs = vec![
        (
            "State",
            html! { (ui::job_state(&job.state)) " " span.muted { (job.state.to_ascii_uppercase()) } },
        ),
        ("Kind", ui::code(&job.kind)),
        ("Progress", progress(job)),
        ("Tries", html! { (job.attempts) " of " (job.attempts_max) }),
        ("Asked for", ui::time(job.scheduled_at.micros())),
        ("Not before", ui::time(job.run_at.micros())),
        ("Last begun", moment(job.started_at)),
        ("Ended", moment(job.completed_at)),
        ("Took", html! { (duration(job, now)) }),
        ("Asked by", by),
        ("Queue", html! { (job.queue) }),
        ("Identifier", ui::code(&job.id.to_string())),
    ];
    for (label, name) in [
        ("Authority", "authority_id"),
        ("Issued certificate", "issued_certificate_id"),
        ("Request at the authority", "external_request_id"),
    ] {
        if let Some(value) = told(job, name) {
            pairs.push((label, ui::code(&value)));
        }
    }
    ui::key_values(&pairs)
}

/// A member of a job's result, or of what it was asked.
fn told(job: &Job, name: &str) -> Option<String> {
    let read = |text: &str| {
        let value = serde_json::from_str::<serde_json::Value>(text).ok()?;
        value[name].as_str().map(str::to_owned)
    };
    job.result.as_deref().and_then(read).or_else(|| read(&job.payload))
}

async fn retry(shell: Shell, Path(id): Path<String>, _: Fields) -> Response {
    shell
        .answer(async {
            shell.engine().retry_job(shell.context(), path_of::<JobId>(&id)?).await?;
            Ok(shell.done(&format!("/jobs/{id}"), "The job is queued again."))
        })
        .await
}

async fn ask_cancel(shell: Shell, Path(id): Path<String>) -> Response {
    shell
        .answer(async {
            let id = path_of::<JobId>(&id)?;
            let (action, back) = (format!("/jobs/{id}/cancel"), format!("/jobs/{id}"));
            Ok(cancel_question(&action).page(&shell, Nav::Jobs, &back))
        })
        .await
}

async fn cancel(shell: Shell, Path(id): Path<String>, _: Fields) -> Response {
    shell
        .answer(async {
            shell.engine().cancel_job(shell.context(), path_of::<JobId>(&id)?).await?;
            Ok(shell.done(&format!("/jobs/{id}"), "The job is cancelled."))
        })
        .await
}
