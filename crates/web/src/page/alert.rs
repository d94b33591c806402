//! One alert: what it says, what it is about, its history, and what can be done about it. Also the
//! one form target of all alert actions, and the way back from each.

use axum::extract::Path;
use axum::response::Response;
use chancery_engine::Permission;
use chancery_engine::alert::{Action, SNOOZE_DAYS_MAX, Selection, ShownAlert};
use chancery_engine::history::EventQuery;
use chancery_event::Timestamp;
use chancery_event::filter::Filter;
use chancery_event::id::{AlertId, EventId};
use maud::{Markup, html};

use super::address::Address;
use super::form::Fields;
use super::shell::{Shell, own_path};
use super::typed::{Typed, sentence};
use super::{GET, POST, alert_row, event_row};
use crate::edge::{Access, Problem, Routes, path_of};
use crate::ui::{self, AlertKind, ChoiceOption, Crumb, Field, Icon, Nav, Tone};

/// Spans for snoozing: value in seconds, and how it reads.
pub(super) const SNOOZES: [(&str, &str); 6] = [
    ("3600", "1 hour"),
    ("14400", "4 hours"),
    ("86400", "1 day"),
    ("604800", "1 week"),
    ("2592000", "30 days"),
    ("7776000", "90 days"),
];
/// Alerts that the address of a page names at most, to mark them otherwise again.
const UNDO_MAX: usize = 100;

pub(super) fn add(routes: &mut Routes) {
    let read = Access::Session(Permission::AlertRead);
    routes.add(GET, "/alerts/{id}", read, one);
    // What one has read is one's own; the engine asks for alert:write where it is needed.
    routes.add(POST, "/alerts/settle", Access::Session(Permission::OwnWrite), settle);
}

async fn one(shell: Shell, Path(id): Path<String>) -> Response {
    shell
        .answer(async {
            let shown = shell.engine().alert(shell.context(), path_of::<AlertId>(&id)?).await?;
            view(&shell, &shown).await
        })
        .await
}

async fn view(shell: &Shell, shown: &ShownAlert) -> Result<Response, Problem> {
    let alert = &shown.alert;
    let events = history(shell, alert.id).await?;
    let levels = super::notification::escalation::section(shell, alert.id).await?;
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: "Alerts", href: Some("/alerts") },
            Crumb { label: &alert.title, href: None },
        ]))
        (ui::page_header(&alert.title, "", html! { (quick(shell, shown)) }))
        @if let Some(undo) = offered(shell) { (undo) }
        div.columns {
            div {
                (ui::section("message", "What happened", html! { (ui::severity(&alert.severity)) }, message(shown)))
                (ui::section("facts", "Facts", html! {}, facts(shown)))
                (levels)
            }
            div {
                @if shell.may(Permission::AlertWrite) { (actions(shell, shown).await?) }
                (ui::section("story", "Story", html! {}, html! {
                    @if events.is_empty() { p.muted { "Nothing is sealed yet." } } @else { (event_row::story(&events)) }
                }))
            }
        }
    };
    Ok(shell.page(Nav::Alerts, &alert.title, body))
}

async fn history(
    shell: &Shell,
    id: AlertId,
) -> Result<Vec<chancery_engine::history::SeenEvent>, Problem> {
    let filter = Filter::parse(&format!("target:\"alert/{id}\""), shell.engine().event_schema())
        .map_err(chancery_engine::Error::from)?;
    let query = EventQuery { filter, before: None, from: None, limit: 100, oldest_first: true };
    Ok(shell.engine().events(shell.context(), query).await?.events)
}

/// What most people come for, at the top.
fn quick(shell: &Shell, shown: &ShownAlert) -> Markup {
    let alert = &shown.alert;
    let mut buttons = Vec::new();
    if shell.may(Permission::AlertWrite) {
        match alert.state.as_str() {
            "resolved" => buttons.push(("reopen", "Reopen", true)),
            "snoozed" => buttons.push(("wake", "End the snooze", true)),
            "acknowledged" => buttons.push(("unacknowledge", "Take back", false)),
            _ => buttons.push(("acknowledge", "Acknowledge", true)),
        }
    }
    let mark =
        if shown.unread { ("read", "Mark read", false) } else { ("unread", "Mark unread", false) };
    buttons.push(mark);
    html! { @for (action, label, primary) in buttons {
        (form(shell, alert.id, html! {
            button.primary[primary] type="submit" name="action" value=(action) { (label) }
        }))
    } }
}

/// A form about this one alert that comes back to its page.
fn form(shell: &Shell, id: AlertId, body: Markup) -> Markup {
    html! {
        form.inline method="post" action="/alerts/settle" {
            (ui::csrf_input(shell.csrf()))
            input type="hidden" name="id" value=(id);
            input type="hidden" name="back" value={"/alerts/" (id)};
            (body)
        }
    }
}

fn message(shown: &ShownAlert) -> Markup {
    let alert = &shown.alert;
    html! {
        @if shown.withheld {
            p.muted { "What happened may be about a person; it is shown to those who may see that." }
        } @else if alert.message.is_empty() {
            p.muted { "There is no more to say than the title." }
        } @else { p { (sentence(&alert.message)) } }
        @if alert.object.is_some() { p { "It is about the " (alert_row::object(shown)) "." } }
    }
}

fn facts(shown: &ShownAlert) -> Markup {
    let alert = &shown.alert;
    let none = || html! { span.muted { "—" } };
    let event = |id: &str, words: &str| html! { a href={"/events/" (id)} { (words) } };
    let acknowledged = match alert.acknowledged {
        Some((by, at)) => html! { (shown.name_of(by)) ", " (ui::time(at.micros())) },
        None => none(),
    };
    let snoozed = match alert.snoozed_until.filter(|_| alert.state == "snoozed") {
        Some(until) => html! {
            (ui::time(until.micros())) @if alert.snooze_ends_on_change { ", or when it occurs again" }
        },
        None => none(),
    };
    let resolved = match (alert.resolved_at, alert.resolved_by) {
        (Some(at), Some(by)) => html! { (ui::time(at.micros())) " by " (shown.name_of(by)) },
        (Some(at), None) => html! {
            (ui::time(at.micros())) " by itself: "
            (alert.resolved_because.as_deref().unwrap_or_default().replace('_', " "))
        },
        (None, _) => none(),
    };
    let again = Address::new("/alerts").with(
        "q",
        &format!("cause:\"{}\" state:open,acknowledged,snoozed,resolved", alert.cause_key),
    );
    let mut pairs = vec![
        ("State", alert_row::state(shown)),
        ("Severity", html! { (ui::severity(&alert.severity)) " " span.muted { (shown.level()) } }),
        ("Type", ui::code(&alert.kind)),
        (
            "Occurred",
            html! { (alert.occurrences) @if alert.occurrences == 1 { " time" } @else { " times" } },
        ),
        ("First seen", ui::time(alert.created_at.micros())),
        ("Last seen", ui::time(alert.last_seen_at.micros())),
        ("Acknowledged by", acknowledged),
        (
            "Assigned to",
            match alert.assigned_to {
                Some(id) => html! { (shown.name_of(id))
                    @match alert.assigned_by {
                        Some(by) => { " by " (shown.name_of(by)) }
                        None => { span.muted { " by the bell" } }
                    }
                },
                None => none(),
            },
        ),
        ("Snoozed until", snoozed),
        ("Resolved", resolved),
        ("Raised by", html! { (alert.source) }),
        ("Raised with", event(&alert.raised_event.to_string(), "the event")),
        ("Cause", html! { (ui::code(&alert.cause_key)) " " a href=(again) { "all alerts of it" } }),
    ];
    if let Some(last) = alert.last_event {
        pairs.push(("Last brought by", event(&last.to_string(), "the event")));
    }
    if let Some(previous) = alert.previous {
        pairs.push((
            "Came back after",
            html! { a href={"/alerts/" (previous)} { "the alert before" } },
        ));
    }
    pairs.push(("Identifier", ui::code(&alert.id.to_string())));
    ui::key_values(&pairs)
}

async fn actions(shell: &Shell, shown: &ShownAlert) -> Result<Markup, Problem> {
    let alert = &shown.alert;
    if alert.resolved_at.is_some() {
        return Ok(html! {});
    }
    let accounts = match shell.may(Permission::AccountRead) {
        true => shell.engine().accounts(shell.context()).await?,
        false => Vec::new(),
    };
    let names: Vec<(String, String)> = accounts
        .iter()
        .filter(|account| !account.disabled)
        .map(|account| (account.id.to_string(), account.name.clone()))
        .collect();
    let present = alert.assigned_to.map(|id| id.to_string()).unwrap_or_default();
    let mut options = vec![ChoiceOption { value: "", label: "nobody" }];
    options.extend(names.iter().map(|(value, label)| ChoiceOption { value, label }));
    let whom = Field {
        id: "assignee",
        name: "to",
        label: "Assign to",
        value: &present,
        hint: "Whoever waits for somebody to take it up is told no more.",
        ..Field::default()
    };
    let span = Field {
        id: "snooze-for",
        name: "for",
        label: "Snooze for",
        value: "86400",
        required: true,
        hint: "It comes back by itself, at the latest then.",
        ..Field::default()
    };
    let spans = SNOOZES.map(|(value, label)| ChoiceOption { value, label });
    let change = Field {
        id: "until-change",
        name: "until_change",
        label: "or until its cause occurs again",
        value: "1",
        ..Field::default()
    };
    let comment = Field {
        id: "comment",
        name: "comment",
        label: "Comment",
        hint: "What was done; kept in the event, erasable.",
        ..Field::default()
    };
    let block = |body: Markup| form(shell, alert.id, body);
    Ok(ui::section(
        "actions",
        "What to do",
        html! {},
        html! {
            div.form {
                (block(html! { (ui::select_field(&whom, &options))
                    button type="submit" name="action" value="assign" { "Assign" } }))
                (block(html! { (ui::select_field(&span, &spans)) (ui::check_field(&change, true))
                    button type="submit" name="action" value="snooze" { "Snooze" } }))
                (block(html! { (ui::field(&comment))
                    button.primary type="submit" name="action" value="resolve" { "Resolve" } }))
            }
        },
    ))
}

/// Seconds from now on that a form asks for; too long ones the engine refuses.
fn until(shell: &Shell, typed: &Typed) -> Result<Timestamp, Problem> {
    let most = SNOOZE_DAYS_MAX * 86_400;
    let seconds = typed.text("for").parse::<i64>().ok().filter(|s| (1..=most).contains(s));
    let seconds =
        seconds.ok_or_else(|| Problem::invalid("for", "one of the spans that are offered"))?;
    Ok(Timestamp::from_micros(shell.now() + seconds * Timestamp::SECOND))
}

async fn action(shell: &Shell, typed: &Typed) -> Result<Action, Problem> {
    Ok(match typed.text("action") {
        "acknowledge" => Action::Acknowledge,
        "unacknowledge" => Action::Unacknowledge,
        "mine" => Action::Assign(shell.context().account_id()),
        "assign" => Action::Assign(match typed.some("to") {
            Some(to) => Some(shell.engine().assignee(shell.context(), &to).await?),
            None => None,
        }),
        "snooze" => {
            Action::Snooze { until: until(shell, typed)?, until_change: typed.has("until_change") }
        }
        "wake" => Action::Wake,
        "resolve" => Action::Resolve { comment: typed.some("comment") },
        "reopen" => Action::Reopen,
        _ => return Err(Problem::malformed("there is no such action")),
    })
}

fn selection(shell: &Shell, typed: &Typed) -> Result<Selection, Problem> {
    if typed.text("scope") == "filter" {
        return Ok(Selection::Filter(shell.engine().parse_alert_filter(typed.text("filter"))?));
    }
    let ids: Result<Vec<AlertId>, _> =
        typed.all("id").iter().flat_map(|all| all.split(',')).map(str::parse).collect();
    Ok(Selection::Ids(ids.map_err(|_| Problem::malformed("an identifier cannot be read"))?))
}

async fn settle(shell: Shell, Fields(typed): Fields) -> Response {
    shell.answer(settled(&shell, &typed)).await
}

async fn settled(shell: &Shell, typed: &Typed) -> Result<Response, Problem> {
    let (engine, context) = (shell.engine(), shell.context());
    let back = Address::parse(own_path(typed.text("back"))).without(&["undo", "of"]);
    let asked = typed.text("action");
    if matches!(asked, "read" | "unread") {
        let read = asked == "read";
        let (count, of) = if typed.text("scope") == "all" {
            let count = match read {
                true => engine.mark_all_alerts_read(context).await?,
                false => engine.unmark_all_alerts_read(context).await?,
            };
            (count, "all".to_owned())
        } else {
            let changed = engine.mark_alerts(context, &selection(shell, typed)?, read).await?;
            (changed.len() as u64, joined(&changed))
        };
        let undo = if read { "unread" } else { "read" };
        let offer = count > 0 && !of.is_empty() && (of != "all" || read);
        let to = if offer { back.with("undo", undo).with("of", &of) } else { back };
        return Ok(shell.done(&to.to_string(), &told(count, &format!("marked as {asked}"))));
    }
    if asked == "change" {
        let change = typed.text("id").parse();
        let change = change.map_err(|_| Problem::malformed("the change cannot be read"))?;
        let undone = engine.undo_alerts(context, change).await?;
        let notice = told(undone.changed.len() as u64, "as before");
        return Ok(shell.done(&offering(back, undone.undo).to_string(), &notice));
    }
    let selection = selection(shell, typed)?;
    if matches!(&selection, Selection::Ids(ids) if ids.is_empty()) {
        return Ok(shell.done(&back.to_string(), "No alert was selected; tick some first."));
    }
    let action = action(shell, typed).await?;
    let settled = engine.settle_alerts(context, &selection, &action).await?;
    let count = settled.changed.len() as u64;
    let to = offering(back, settled.undo);
    let word = match action {
        Action::Acknowledge => "acknowledged",
        Action::Unacknowledge => "not acknowledged any more",
        Action::Assign(Some(_)) => "assigned",
        Action::Assign(None) => "assigned to nobody",
        Action::Snooze { .. } => "snoozed",
        Action::Wake => "back",
        Action::Resolve { .. } => "resolved",
        Action::Reopen => "open again",
    };
    Ok(shell.done(&to.to_string(), &told(count, word)))
}

/// A page that offers to take a change back, if there was one.
fn offering(back: Address, change: Option<EventId>) -> Address {
    match change {
        Some(change) => back.with("undo", "change").with("of", &change.to_string()),
        None => back,
    }
}

fn told(count: u64, what: &str) -> String {
    match count {
        0 => "Nothing had to change.".to_owned(),
        1 => format!("1 alert is {what}."),
        count => format!("{} alerts are {what}.", ui::grouped(count)),
    }
}

/// Identifiers for an address; nothing when there are too many for one.
fn joined(ids: &[AlertId]) -> String {
    if ids.len() > UNDO_MAX {
        return String::new();
    }
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// The way back from the change before this page, if its address names one.
pub(super) fn offered(shell: &Shell) -> Option<Markup> {
    let address = &shell.address;
    let (undo, of) = (address.value("undo")?, address.value("of")?);
    let known = ["read", "unread", "change"];
    let undo = known.into_iter().find(|known| *known == undo)?;
    let back = address.without(&["undo", "of"]).to_string();
    Some(html! {
        div.message class={"message " (Tone::Info.class())} role="status" {
            (ui::icon(Icon::Refresh))
            form.inline method="post" action="/alerts/settle" {
                (ui::csrf_input(shell.csrf()))
                @if of == "all" { input type="hidden" name="scope" value="all"; }
                @else { input type="hidden" name="id" value=(of); }
                input type="hidden" name="back" value=(back);
                span { "Was that a mistake? " }
                button type="submit" name="action" value=(undo) { "Undo" }
            }
        }
    })
}

/// Alerts about an object, on its page; nothing when there are none.
pub(super) async fn about(shell: &Shell, object_id: &str) -> Result<Markup, Problem> {
    if !shell.may(Permission::AlertRead) {
        return Ok(html! {});
    }
    let found = shell.engine().alerts_about(shell.context(), object_id).await?;
    let open = found.iter().filter(|shown| shown.alert.resolved_at.is_none()).count();
    Ok(html! { @if !found.is_empty() {
        (ui::section("alerts", "Alerts", html! {}, html! {
            @if open == 0 { (ui::alert_box(AlertKind::Success, "All of them are resolved.")) }
            (alert_row::table("object-alerts", "Alerts about this, newest first", &found))
        }))
    } })
}
