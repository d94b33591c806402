//! The sealed log for people: what it says of itself, how to check it, and the condition of the
//! program.

use axum::response::Response;
use chancery_engine::history::{EventQuery, SeenEvent};
use chancery_engine::row::Checkpoint;
use chancery_engine::{Error, Figures, Permission};
use chancery_event::Event;
use chancery_event::filter::Filter;
use maud::{Markup, html};

use super::shell::Shell;
use super::{GET, POST, event_row};
use crate::edge::{Access, Problem, Routes};
use crate::ui::{self, AlertKind, Icon, Nav, Stat, Tone};

pub(super) fn add(routes: &mut Routes) {
    routes.add(GET, "/log-view", Access::Session(Permission::EventRead), show);
    routes.add(POST, "/log-view/verify", Access::Session(Permission::LogVerify), verify);
}

async fn show(shell: Shell) -> Response {
    shell.answer(view(&shell, None)).await
}

async fn verify(shell: Shell) -> Response {
    shell
        .answer(async {
            if !shell.engine().verifies_at_once().await? {
                let id = shell.engine().queue_log_verification(shell.context()).await?;
                let notice = format!("The log is being verified; the job {id} tells how far it is.");
                return Ok(shell.done("/log-view", &notice));
            }
            match shell.engine().verify_log(shell.context()).await {
                Ok(report) => {
                    let notice = format!(
                        "All {} entries were read back and hashed in {} ms; they lead to the signed root {}.",
                        ui::grouped(report.count), report.duration_ms, report.root
                    );
                    Ok(shell.done("/log-view", &notice))
                }
                Err(Error::LogDamaged(what)) => view(&shell, Some(&what)).await,
                Err(error) => Err(error.into()),
            }
        })
        .await
}

async fn view(shell: &Shell, damage: Option<&str>) -> Result<Response, Problem> {
    let engine = shell.engine();
    let checkpoint = engine.log_checkpoint().await?;
    let figures = engine.figures().await?;
    let verified = newest(shell, "type:log.verify").await?;
    let restored = newest(shell, "type:log.restore outcome:success").await?;
    let running = at_work(shell).await?;
    let body = html! {
        (ui::page_header("Sealed log", "Every event, in one order, under a signature. Anybody can check it without trusting this server.", html! {
            @if shell.may(Permission::LogVerify) {
                form method="post" action="/log-view/verify" {
                    (ui::csrf_input(shell.csrf()))
                    button.primary type="submit" { (ui::icon(Icon::Seal)) span { "Verify now" } }
                }
            }
        }))
        @if let Some(damage) = damage {
            (ui::alert_box(AlertKind::Error, &format!("The log does not verify: {damage}.")))
        }
        @if let Some(newest) = restored.first() { (gap(&newest.event)) }
        (running)
        (tiles(shell, checkpoint.as_ref(), &figures))
        div.columns {
            (ui::section("checkpoint", "Checkpoint", html! {}, note(checkpoint.as_ref())))
            (ui::section("health", "Condition", html! {}, findings(shell)))
        }
        @if !restored.is_empty() {
            (ui::section("restored", "Put back from a copy", html! {}, event_row::story(&restored)))
        }
        (ui::section("key", "Key", html! {}, key(shell)))
        (ui::section("how", "Check it yourself", html! {}, how(shell)))
        (ui::section("verifications", "Verifications on this server", html! {
            a href="/events?q=type:log.verify" { "All" }
        }, html! {
            @if verified.is_empty() { p.muted { "None yet." } } @else { (event_row::story(&verified)) }
        }))
    };
    Ok(shell.page(Nav::Log, "Sealed log", body))
}

async fn newest(shell: &Shell, filter: &str) -> Result<Vec<SeenEvent>, Problem> {
    let filter = Filter::parse(filter, shell.engine().event_schema()).map_err(Error::from)?;
    let query = EventQuery { filter, before: None, from: None, limit: 5, oldest_first: false };
    Ok(shell.engine().events(shell.context(), query).await?.events)
}

/// What was lost when the data was put back, as far as it is known.
fn gap(restored: &Event) -> Markup {
    let number = |name: &str| restored.detail.get(name).and_then(serde_json::Value::as_u64);
    let from = ui::grouped(number("log_size").unwrap_or(0));
    let told = match number("lost") {
        Some(0) => return html! {},
        Some(lost) => format!(
            "The data was put back from a copy that lacked published entries ({} from index {from} on). Other events have these indexes now: to whoever keeps a checkpoint of before, the log has forked there.",
            ui::grouped(lost)
        ),
        None => format!(
            "The data was put back from a copy, and nobody said how far the log had been. It goes on from index {from}; if anything was published behind that before, it is lost, and to whoever keeps a checkpoint of it the log has forked there."
        ),
    };
    ui::alert_box(AlertKind::Warning, &told)
}

/// Verifications that wait or run, and how far they are.
async fn at_work(shell: &Shell) -> Result<Markup, Problem> {
    let mut found = Vec::new();
    for state in ["running", "queued"] {
        let kind = Some("log.verify");
        found.extend(shell.engine().jobs(shell.context(), Some(state), kind, None, 5).await?);
    }
    Ok(html! { @for job in &found {
        p.notice role="status" {
            a href=(format!("/jobs/{}", job.id)) { "Verification of the log" }
            @if job.state == "queued" { " waits for its turn." }
            @else {
                ": " (ui::grouped(u64::try_from(job.done).unwrap_or(0))) " of "
                (ui::grouped(u64::try_from(job.total).unwrap_or(0))) " entries "
                progress value=(job.done) max=(job.total.max(1)) aria-label="Entries verified" {}
            }
        }
    } })
}

fn tiles(shell: &Shell, checkpoint: Option<&Checkpoint>, figures: &Figures) -> Markup {
    let size = checkpoint.map_or(0, |checkpoint| checkpoint.size);
    let age = checkpoint.map_or_else(
        || "none yet".to_owned(),
        |checkpoint| ui::distance(checkpoint.signed_at.micros(), shell.now()),
    );
    let quarantined = figures.quarantined;
    let tone = if quarantined == 0 { Tone::Good } else { Tone::Critical };
    let stats = [
        Stat {
            label: "Entries under seal",
            value: &ui::grouped(size),
            hint: "signed and provable",
            href: Some("/events"),
            tone: Tone::Seal,
        },
        Stat {
            label: "Last checkpoint",
            value: &age,
            hint: "signed when something happens",
            href: None,
            tone: Tone::Neutral,
        },
        Stat {
            label: "Wait to be sealed",
            value: &ui::grouped(figures.pending),
            hint: "recorded, not sealed yet",
            href: None,
            tone: Tone::Neutral,
        },
        Stat {
            label: "Quarantined",
            value: &ui::grouped(quarantined),
            hint: "pending events not written by this program",
            href: None,
            tone,
        },
    ];
    ui::stat_row(&stats)
}

/// The newest checkpoint as it was signed.
fn note(checkpoint: Option<&Checkpoint>) -> Markup {
    html! { @match checkpoint {
        Some(checkpoint) => {
            p { "Signed " (ui::time(checkpoint.signed_at.micros())) "." }
            (ui::json_block("checkpoint-text", "Signed note (C2SP tlog-checkpoint)", &checkpoint.note))
        }
        None => p.muted { "Nothing has been sealed yet." }
    } }
}

fn findings(shell: &Shell) -> Markup {
    html! {
        ul.plain { @for finding in shell.engine().health().findings() {
            li {
                @if finding.good { (ui::badge(Tone::Good, Icon::CheckCircle, finding.part)) }
                @else { (ui::badge(Tone::Critical, Icon::Critical, finding.part)) }
                " " (super::typed::sentence(&finding.message))
            }
        } }
    }
}

fn key(shell: &Shell) -> Markup {
    let verifier = shell.engine().verifier();
    html! {
        (ui::key_values(&[
            ("Origin", ui::code(&shell.engine().settings().log_origin)),
            ("Key identifier", ui::code(&format!("{:08x}", verifier.id()))),
        ]))
        (ui::json_block("verifier-key", "Verifier key (signed note)", &verifier.to_string()))
        p.hint { "Keep it somewhere else than on this server: whoever has it can tell a forged log." }
    }
}

fn how(shell: &Shell) -> Markup {
    let base = shell.state.options.public_url.trim_end_matches('/');
    let command = format!("chancery verify --url {base}/log --key '{}'", shell.engine().verifier());
    html! {
        p { "The log is served as C2SP tlog-tiles. Tools of that standard read it, and so does this program:" }
        (ui::json_block("verify-command", "Shell", &command))
        div.table-wrap tabindex="0" role="group" aria-label="Addresses of the log" { table.plain {
            thead { tr { th scope="col" { "Address" } th scope="col" { "What" } th scope="col" { "For whom" } } }
            tbody {
                tr { td { a href="/log/checkpoint" { (ui::code("/log/checkpoint")) } } td { "the newest signed checkpoint" } td { "everybody" } }
                tr { td { (ui::code("/log/tile/<level>/<index>")) } td { "hashes of the tree" } td { "everybody" } }
                tr { td { (ui::code("/log/tile/entries/<index>")) } td { "the sealed entries, without anything about people" } td { "auditors" } }
            }
        } }
        p.hint { "One event is proved by the two files on its page, off-line." }
    }
}
