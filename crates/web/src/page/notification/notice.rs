//! Every decision about a notification, and why somebody was told of an event, or was not.

use axum::response::Response;
use chancery_engine::Permission;
use chancery_engine::notification::{NoticeQuery, NoticesBy, Told};
use chancery_event::id::{AccountId, EventId};
use maud::{Markup, html};

use super::{places, stream};
use crate::edge::{Access, Problem, Routes};
use crate::page::address::Address;
use crate::page::certificates::{Way, pages};
use crate::page::listing::{self, CURSORS, Narrowed, toggles};
use crate::page::shell::Shell;
use crate::page::{GET, saved_view};
use crate::ui::{self, ChoiceOption, Column, Crumb, Field, Icon, Nav, Row, Table, Tone};

const PAGE: usize = 50;
/// What a search may look like.
const PLACEHOLDER: &str = "decision:skipped channel:mail account:ada at:last7d";
/// Parameters that narrow the list.
const NARROWING: [&str; 10] =
    ["q", "decision", "reason", "profile", "channel", "object", "event", "account", "from", "to"];

pub(super) fn add(routes: &mut Routes) {
    let read = Access::Session(Permission::AlertRead);
    routes.add(GET, "/notifications/notices", read, async |shell: Shell| {
        shell.answer(list(&shell)).await
    });
    routes
        .add(GET, "/notifications/why", read, async |shell: Shell| shell.answer(why(&shell)).await);
}

fn query(shell: &Shell) -> NoticeQuery {
    let address = &shell.address;
    let text = |name: &str| address.value(name).map(str::to_owned);
    NoticeQuery {
        event: address.parsed("event"),
        object: text("object"),
        account: address.parsed("account"),
        profile: text("profile"),
        channel: text("channel"),
        decision: text("decision"),
        reason: text("reason"),
        delivery: address.parsed("delivery"),
        from: address.parsed("from"),
        to: address.parsed("to"),
        filter: None,
        before: address.parsed("before"),
        after: address.parsed("after"),
    }
}

/// The address of the export of what the list shows.
fn export(address: &Address, format: &str) -> String {
    let mut to = Address::new("/api/v1/notices/export").with("format", format);
    for name in NARROWING {
        if let Some(value) = address.value(name) {
            to = to.with(if name == "q" { "filter" } else { name }, value);
        }
    }
    to.to_string()
}

async fn list(shell: &Shell) -> Result<Response, Problem> {
    let (engine, context, address) = (shell.engine(), shell.context(), &shell.address);
    let narrowed = Narrowed::read(address, &engine.notice_schema());
    let views = saved_view::panel(shell, "notices").await?;
    let search =
        narrowed.search_box("notice-search", address, "/notifications/notices", PLACEHOLDER);
    if narrowed.error.is_some() {
        let body = html! { (header(shell)) (search) (listing::not_understood()) (views) };
        return Ok(shell.page(Nav::Notifications, "Notices", body));
    }
    let filter = engine.parse_notice_filter(&narrowed.text)?;
    let query = NoticeQuery { filter, ..query(shell) };
    let newer = query.after.is_some() && query.before.is_none();
    let mut rows = engine.notices(context, query.clone(), PAGE + 1).await?;
    let more = rows.len() > PAGE;
    if newer {
        rows.drain(..rows.len().saturating_sub(PAGE));
    } else {
        rows.truncate(PAGE);
    }
    let facets = facets(shell, &query).await?;
    let at = |name: &str, row: Option<&Told>, is_there: bool| {
        let row = row.filter(|_| is_there)?;
        Some(address.without(CURSORS).with(name, &row.notice.id.to_string()).to_string())
    };
    let (has_newer, has_older) = if newer { (more, true) } else { (query.before.is_some(), more) };
    let way = Way {
        previous: at("after", rows.first(), has_newer),
        next: at("before", rows.last(), has_older),
    };
    let is_narrow = NARROWING.iter().any(|name| address.value(name).is_some());
    let words = format!("{} shown", rows.len());
    let body = html! {
        (header(shell))
        (search)
        @if let Some(object) = address.value("object") {
            div.narrowed {
                "About " code { (object) } " alone. "
                a href=(address.without(&["object"]).without(CURSORS)) { "show all" } " "
                (stream::button(shell, object, address.value("profile"), &address.to_string()))
            }
        }
        div.with-facets {
            div { (facets) (views) }
            div {
                @if rows.is_empty() {
                    (ui::empty_state("No notice here", "A trigger whose action tells through a profile leaves a decision for each recipient and channel.",
                        Some(if is_narrow { ui::button("Show all notices", "/notifications/notices", None, true) }
                            else { ui::button("Profiles", "/notifications/profiles", None, true) })))
                } @else { (table("notices", &rows)) (pages(address, &way, &words)) }
            }
        }
    };
    Ok(shell.page(Nav::Notifications, "Notices", body))
}

fn header(shell: &Shell) -> Markup {
    let address = &shell.address;
    html! {
        (ui::page_header("Notices", "Every decision to tell somebody or not, newest first: one for each recipient and channel.",
            html! {
                @if shell.may(Permission::Export) {
                    (ui::button("CSV", &export(address, "csv"), Some(Icon::Download), false))
                    (ui::button("NDJSON", &export(address, "ndjson"), Some(Icon::Download), false))
                }
                (ui::button("Why was I, or not?", "/notifications/why", None, false))
            }))
        (places("/notifications/notices"))
    }
}

/// What narrows the list: each facet counts as if it alone were not set.
async fn facets(shell: &Shell, query: &NoticeQuery) -> Result<Markup, Problem> {
    let (engine, context) = (shell.engine(), shell.context());
    let query = NoticeQuery { before: None, after: None, ..query.clone() };
    let counted = NoticeQuery { decision: None, reason: None, ..query.clone() };
    let counts = engine.notice_counts(context, counted).await?;
    let by = async |by: NoticesBy, query: NoticeQuery| {
        let tally = engine.notice_tally(context, query, by).await?;
        let values = tally.into_iter().map(|(word, count)| (word.clone(), word, count));
        Ok::<_, Problem>(values.collect::<Vec<_>>())
    };
    let channels = by(NoticesBy::Channel, NoticeQuery { channel: None, ..query.clone() }).await?;
    let profiles = by(NoticesBy::Profile, NoticeQuery { profile: None, ..query }).await?;
    let address = shell.address.without(CURSORS);
    let mut decisions: Vec<(String, String, u64)> = Vec::new();
    let mut reasons: Vec<(String, String, u64)> = Vec::new();
    for (decision, reason, count) in &counts {
        match decisions.iter_mut().find(|(word, ..)| word == decision) {
            Some((.., sum)) => *sum += count,
            None => decisions.push((decision.clone(), words(decision).to_owned(), *count)),
        }
        let wanted = shell.address.value("decision").is_none_or(|only| only == decision);
        if !reason.is_empty() && wanted {
            reasons.push((reason.clone(), reason.replace('_', " "), *count));
        }
    }
    Ok(html! { aside.facets aria-label="Narrow the list" {
        (toggles(&address, "decision", "Decision", &decisions))
        (toggles(&address, "reason", "Why not, or not yet", &reasons))
        (toggles(&address, "channel", "Channel", &channels))
        (toggles(&address, "profile", "Profile", &profiles))
    } })
}

fn words(decision: &str) -> &'static str {
    match decision {
        "sent" => "Told",
        "held" => "Later",
        _ => "Not told",
    }
}

/// What was decided.
fn state(told: &Told) -> Markup {
    match (told.notice.decision.as_str(), told.delivery_state.as_deref()) {
        ("sent", Some("dead")) => ui::badge(Tone::Bad, Icon::CrossCircle, "Given up"),
        ("sent", Some("waiting")) => ui::badge(Tone::Info, Icon::Hourglass, "On its way"),
        ("sent", _) => ui::badge(Tone::Good, Icon::Check, "Told"),
        ("held", _) => ui::badge(Tone::Info, Icon::Hourglass, "Later"),
        _ => ui::badge(Tone::Neutral, Icon::Deny, "Not told"),
    }
}

/// Decisions.
pub(in crate::page) fn table(id: &str, rows: &[Told]) -> Markup {
    let columns = [
        Column::new("Whom"),
        Column::new("By"),
        Column::new("Event"),
        Column::new("Decision"),
        Column::new("Why").optional(),
        Column::new("When"),
    ];
    let rows: Vec<Row> = rows
        .iter()
        .map(|told| {
            let notice = &told.notice;
            let whom = told.account_name.clone().or_else(|| notice.address.clone());
            Row {
                href: Some(format!("/events/{}", notice.event_id)),
                tone: (told.delivery_state.as_deref() == Some("dead")).then_some(Tone::Bad),
                cells: vec![
                    html! { (whom.unwrap_or_else(|| "—".to_owned())) },
                    html! { (notice.channel) },
                    html! {
                        (notice.event_type)
                        @if notice.level > 0 { " " span.muted { "escalation, level " (notice.level) } }
                    },
                    state(told),
                    html! {
                        @if told.reason().is_empty() { span.muted { (told.paths().join("; ")) } }
                        @else { (told.reason()) }
                        @if let Some(at) = notice.due_at { " (" (ui::time(at.micros())) ")" }
                    },
                    ui::time(notice.at.micros()),
                ],
            }
        })
        .collect();
    ui::data_table(&Table {
        id,
        caption: "Decisions, newest first",
        columns: &columns,
        rows: &rows,
    })
}

/// Asks which event.
fn ask(shell: &Shell) -> Response {
    let field = Field {
        id: "event",
        name: "event",
        label: "Event",
        hint: "Its identifier, as on the page of the event and in every message.",
        required: true,
        ..Field::default()
    };
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: "Notices", href: Some("/notifications/notices") },
            Crumb { label: "Why", href: None },
        ]))
        (ui::page_header("Why was I told, or why not?", "Of any event, answered from what was recorded when it happened.", html! {}))
        form.form method="get" action="/notifications/why" {
            (ui::field(&field))
            div.actions { button.primary type="submit" { "Ask" } }
        }
    };
    shell.page(Nav::Notifications, "Why", body)
}

async fn why(shell: &Shell) -> Result<Response, Problem> {
    let (engine, context) = (shell.engine(), shell.context());
    let Some(event) = shell.address.parsed::<EventId>("event") else { return Ok(ask(shell)) };
    let sees = shell.may(Permission::AccountRead);
    let asked: Option<AccountId> = shell.address.parsed("account");
    let person = asked.or(context.account_id());
    let person = person.ok_or_else(Problem::not_found)?;
    let why = engine.why_told(context, event, person).await?;
    let accounts = if sees { engine.accounts(context).await? } else { Vec::new() };
    let ids: Vec<String> = accounts.iter().map(|account| account.id.to_string()).collect();
    let options: Vec<ChoiceOption<'_>> = accounts
        .iter()
        .zip(&ids)
        .map(|(account, id)| ChoiceOption { value: id, label: &account.name })
        .collect();
    let (here, event_text) = (person.to_string(), event.to_string());
    let own = context.account_id() == Some(person);
    let title = if own { "Why was I told, or why not?" } else { "Why were they told, or why not?" };
    let field = Field {
        id: "account",
        name: "account",
        label: "Person",
        value: &here,
        required: true,
        ..Field::default()
    };
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: "Notices", href: Some("/notifications/notices") },
            Crumb { label: "Why", href: None },
        ]))
        (ui::page_header(title, "Answered from what was recorded when it happened.", html! {}))
        @if sees {
            form.form method="get" action="/notifications/why" {
                input type="hidden" name="event" value=(event_text);
                (ui::select_field(&field, &options))
                div.actions { button type="submit" { "Ask" } }
            }
        }
        (ui::section("answer", "Answer", html! { a href={"/events/" (event)} { "The event" } }, html! {
            ul { @for sentence in &why.answer { li { (sentence) } } }
        }))
        @if !why.told.is_empty() {
            (ui::section("decisions", "Decisions", html! {}, table("why-notices", &why.told)))
        }
        (ui::section("triggers", "Triggers that looked at it", html! {}, html! {
            @if !why.knows_triggers { p.muted { "That is not known any more." } }
            @else if why.triggers.is_empty() { p.muted { "None." } }
            @else { ul { @for (trigger, verdict) in &why.triggers { li {
                a href={"/automation/triggers/" (trigger)} { (trigger) } ": " (verdict.replace('_', " "))
            } } } }
        }))
    };
    Ok(shell.page(Nav::Notifications, "Why", body))
}
