//! One event: one sentence, who and where, its targets, its cause and what followed, what changed,
//! its raw text, and its proof.

use axum::extract::{Path, Query};
use axum::response::Response;
use chancery_engine::history::{EventQuery, SeenEvent};
use chancery_engine::notification::NoticeQuery;
use chancery_engine::{Error, Permission};
use chancery_event::catalogue::OutcomeClass;
use chancery_event::envelope::PersonalPart;
use chancery_event::filter::Filter;
use chancery_event::id::EventId;
use chancery_event::{Dialect, Event, EventType, LogIndex, Timestamp};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::form::Fields;
use super::prose::prose;
use super::shell::Shell;
use super::typed::sentence;
use super::{GET, POST, automation, catalogue, event_proof, event_row, field_doc};
use crate::api::dialect;
use crate::edge::{Access, Problem, Routes, path_of};
use crate::ui::{self, AlertKind, Change, ChoiceOption, Confirm, Crumb, Field, Nav, Tab, Tone};

/// Consequences shown at most.
const FOLLOWING: usize = 8;

pub(super) fn add(routes: &mut Routes) {
    let access = Access::Session(Permission::EventRead);
    let erase_access = Access::Session(Permission::PersonalErase);
    routes.add(GET, "/events/{id}", access, show);
    routes.add(GET, "/events/{id}/erase", erase_access, ask);
    routes.add(POST, "/events/{id}/erase", erase_access, erase);
}

/// What the address of an event may hold.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Shape {
    /// The dialect that the raw text is shown in.
    dialect: Option<String>,
}

async fn show(shell: Shell, Path(id): Path<String>, Query(shape): Query<Shape>) -> Response {
    shell.answer(view(&shell, &id, shape.dialect.as_deref())).await
}

/// By identifier, or by log index.
async fn find(shell: &Shell, text: &str) -> Result<SeenEvent, Problem> {
    let (engine, context) = (shell.engine(), shell.context());
    Ok(match text.parse::<LogIndex>() {
        Ok(index) => engine.event_at(context, index).await?,
        Err(_) => engine.event(context, path_of::<EventId>(text)?).await?,
    })
}

async fn view(shell: &Shell, text: &str, shape: Option<&str>) -> Result<Response, Problem> {
    let dialect = dialect::asked(shape)?;
    let seen = find(shell, text).await?;
    let event = &seen.event;
    let title = chancery_event::sentence(event);
    let proof = event_proof::panel(shell, &seen).await?;
    let related = related(shell, &seen).await?;
    let reactions = shell.engine().reactions(shell.context(), event.id).await?;
    let about = NoticeQuery { event: Some(event.id), ..NoticeQuery::default() };
    let told = match shell.may(Permission::AlertRead) {
        true => shell.engine().notices(shell.context(), about, 100).await?,
        false => Vec::new(),
    };
    let sent = match shell.may(Permission::ForwarderRead) {
        true => Some(shell.engine().deliveries_of_event(shell.context(), seen.index).await?),
        false => None,
    };
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: "Events", href: Some("/events") },
            Crumb { label: &event.type_name, href: None },
        ]))
        (ui::page_header(&title, "", html! {
            (ui::severity(event.severity.as_str())) (ui::outcome(event.outcome.result.as_str()))
        }))
        (removed(&seen, shell.now()))
        div.columns {
            (ui::section("facts", "What, when, who", html! {}, facts(event, &seen)))
            (ui::section("targets", "About", html! {}, targets(event)))
        }
        (changes(event))
        (ui::section("detail", "Detail", html! {
            a href={"/catalogue/" (event.type_name)} { "About this type" }
        }, detail(event)))
        (related)
        (ui::section("reactions", "What reacted, what did not and why", html! {
            @if shell.may(Permission::AutomationTry) {
                a href=(automation::trial::address(Some(event.id), None)) { "Try a trigger on it" }
            }
        }, automation::reason::reactions(&reactions)))
        (ui::section("told", "Who was told, who was not and why",
            html! { a href={"/notifications/why?event=" (event.id)} { "Why was I, or not?" } }, html! {
            @if told.is_empty() { p.muted { "No trigger told anybody of it through a profile." } }
            @else { (super::notification::notice_table("told", &told)) }
        }))
        @if let Some(sent) = &sent {
            (ui::section("sent", "Where it was forwarded", html! { a href="/deliveries" { "Deliveries" } }, html! {
                @if sent.is_empty() { p.muted { "No forwarder that you may see carried it, or it is not kept any more." } }
                @else { (super::deliveries::table("event-deliveries", sent)) }
            }))
        }
        div.columns {
            (ui::section("personal", "About people", html! {}, personal(shell, event)))
            (ui::section("dialects", "What other systems call it", html! {}, dialects(event)))
        }
        (proof)
        (ui::section("raw", "Raw", html! {}, raw(&seen, dialect)))
    };
    Ok(shell.page(Nav::Events, &title, body))
}

/// By what the event was removed from the database, if it was.
fn removed(seen: &SeenEvent, now: i64) -> Markup {
    let Some(removal) = &seen.removed else { return html! {} };
    let text = format!(
        "this event was removed from the database. The rule “{}” removes {}. It is shown out of the \
         archive, byte for byte as it was sealed, and its proof holds as before; lists and counts no \
         longer have it, and what it said about people is gone.",
        removal.rule, removal.rule_text
    );
    html! {
        (ui::alert_box(AlertKind::Info, &text))
        p {
            a href={"/events/" (removal.run)} { "The run that removed it" }
            ", " (ui::relative(removal.at.micros(), now))
        }
    }
}

fn facts(event: &Event, seen: &SeenEvent) -> Markup {
    let reason = html! {
        (ui::outcome(event.outcome.result.as_str()))
        @if let Some(reason) = &event.outcome.reason { " " (ui::code(reason)) }
        @if let Some(message) = &event.outcome.message { p { (sentence(message)) } }
    };
    let mut pairs = vec![
        ("Outcome", reason),
        ("When", ui::time(event.time.micros())),
        (
            "Who",
            html! {
                (event_row::actor(event))
                @if let Some(role) = &event.actor.role { " " span.muted { (role) } }
            },
        ),
        ("By way of", html! { (event.origin.as_str()) }),
    ];
    if let Some(authentication) = &event.authentication {
        pairs.push(("Proved by", html! { (authentication.method) }));
    }
    pairs.push((
        "Type",
        html! {
            a href={"/catalogue/" (event.type_name)} { (ui::code(&event.type_name)) }
        },
    ));
    if let Some(transaction) = event.transaction {
        let text = transaction.to_string();
        pairs.push((
            "Transaction",
            html! { a href={"/events?q=transaction:" (text)} { (ui::code(&text)) } },
        ));
    }
    if let Some(cause) = event.cause {
        let text = cause.to_string();
        pairs.push(("Cause", html! { a href={"/events/" (text)} { (ui::code(&text)) } }));
    }
    if seen.removed.is_none() {
        pairs.push(("Sealed", ui::time(seen.sealed_at.micros())));
    }
    pairs.push(("Identifier", ui::code(&event.id.to_string())));
    ui::key_values(&pairs)
}

fn targets(event: &Event) -> Markup {
    html! {
        @if event.targets.is_empty() { p.muted { "Nothing in particular." } }
        ul.plain { @for target in &event.targets {
            @let name = event_row::target_name(event, target);
            li {
                @match event_row::target_href(target) {
                    Some(href) => a href=(href) { (name) },
                    None => (name),
                }
                " " span.muted { (target.kind.as_str().replace('_', " ")) }
                " · " a href={"/events?q=target:\"" (target.reference()) "\""} { "its events" }
            }
        } }
    }
}

/// A value for people: texts without quotes, everything else as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().map(plain).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// A member of the detail for people: times as times, and what has a page as a link.
fn shown(name: &str, value: &Value) -> Markup {
    let text = plain(value);
    let list = match name {
        "certificate_id" => Some("/certificates"),
        "job_id" => Some("/jobs"),
        "account_id" => Some("/administration/accounts"),
        _ => None,
    };
    match (list, value.as_str().and_then(|text| text.parse::<Timestamp>().ok())) {
        (Some(list), _) => html! { a href={(list) "/" (text)} { (text) } },
        (None, Some(at)) => ui::time(at.micros()),
        (None, None) => html! { (text) },
    }
}

/// What changed: the member `changes` that every type about a change has.
fn changes(event: &Event) -> Markup {
    let Some(Value::Array(list)) = event.detail.get("changes") else { return html! {} };
    let rows: Vec<(String, Option<String>, Option<String>)> = list
        .iter()
        .map(|change| {
            let side = |name: &str| change.get(name).filter(|value| !value.is_null()).map(plain);
            (plain(&change["member"]), side("before"), side("after"))
        })
        .collect();
    if rows.is_empty() {
        return html! {};
    }
    let changes: Vec<Change<'_>> = rows
        .iter()
        .map(|(field, before, after)| Change {
            field,
            before: before.as_deref(),
            after: after.as_deref(),
        })
        .collect();
    ui::section("changes", "What changed", html! {}, ui::diff_table("What changed", &changes))
}

fn detail(event: &Event) -> Markup {
    let docs = EventType::of(event).map(field_doc::of).unwrap_or_default();
    let doc = |name: &str| {
        docs.iter().find(|field| field.name == name).map_or("", |field| field.doc.as_str())
    };
    let members: Vec<_> = event.detail.iter().filter(|(name, _)| *name != "changes").collect();
    html! {
        @if members.is_empty() { p.muted { "The type has no further members here." } }
        @else {
            div.table-wrap tabindex="0" role="group" aria-label="Detail" { table.plain {
                thead { tr { th scope="col" { "Member" } th scope="col" { "Value" } th scope="col" { "Meaning" } } }
                tbody { @for (name, value) in members {
                    tr {
                        th scope="row" { (ui::code(name)) }
                        td.break { (shown(name, value)) }
                        td.muted { (prose(doc(name))) }
                    }
                } }
            } }
        }
    }
}

/// Events that a search expression finds, the oldest first, without one.
async fn others(shell: &Shell, text: &str, but: EventId) -> Result<Vec<SeenEvent>, Problem> {
    let filter = Filter::parse(text, shell.engine().event_schema()).map_err(Error::from)?;
    let query =
        EventQuery { filter, before: None, from: None, limit: FOLLOWING + 1, oldest_first: true };
    let mut events = shell.engine().events(shell.context(), query).await?.events;
    events.retain(|other| other.event.id != but);
    events.truncate(FOLLOWING);
    Ok(events)
}

async fn related(shell: &Shell, seen: &SeenEvent) -> Result<Markup, Problem> {
    let event = &seen.event;
    // A cause that is not there any more, or not to be seen, is only named above.
    let cause = match event.cause {
        Some(cause) => shell.engine().event(shell.context(), cause).await.ok(),
        None => None,
    };
    let followed = others(shell, &format!("cause:{}", event.id), event.id).await?;
    let beside = match event.transaction {
        Some(transaction) => others(shell, &format!("transaction:{transaction}"), event.id).await?,
        None => Vec::new(),
    };
    let parts = [
        ("cause", "What brought it about", cause.into_iter().collect::<Vec<_>>(), None),
        ("followed", "What followed from it", followed, Some(format!("cause:{}", event.id))),
        (
            "beside",
            "Of the same request",
            beside,
            event.transaction.map(|transaction| format!("transaction:{transaction}")),
        ),
    ];
    Ok(html! { @for (id, title, events, query) in &parts { @if !events.is_empty() {
        @let all = html! { @if let Some(query) = query { a href={"/events?q=" (query)} { "As a list" } } };
        (ui::section(id, title, all, event_row::story(events)))
    } } })
}

fn personal(shell: &Shell, event: &Event) -> Markup {
    let may_read = shell.may(Permission::PersonalRead);
    let reference = event.id.to_string();
    match &event.personal {
        PersonalPart::None => html! { p.muted { "Nothing in this event is about a person." } },
        PersonalPart::Committed(_) if !may_read => html! {
            p { "Your role does not show names and addresses of people." }
        },
        PersonalPart::Committed(commitment) => html! {
            p { "It was erased. The commitment is left, so that every proof still holds." }
            p.break { (ui::code(commitment)) }
        },
        PersonalPart::Clear(personal) => {
            let members = personal_members(personal);
            html! {
                dl.kv { @for (name, value) in &members {
                    div { dt { (name) } dd.break { (value) } }
                } }
                @if shell.may(Permission::PersonalErase) { (confirm(shell, &reference)) }
            }
        }
    }
}

fn personal_members(personal: &chancery_event::Personal) -> Vec<(String, String)> {
    let fixed = [
        ("Login name", &personal.actor_name),
        ("Address", &personal.client_ip),
        ("Client", &personal.user_agent),
        ("Session", &personal.session),
    ];
    let mut members: Vec<(String, String)> = fixed
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
        .collect();
    members.extend(personal.targets.iter().map(|(target, name)| (target.clone(), name.clone())));
    members.extend(personal.detail.iter().map(|(name, value)| (name.clone(), plain(value))));
    members
}

fn ground_field() -> Markup {
    let field = Field {
        id: "ground",
        name: "ground",
        label: "Ground",
        value: "request",
        hint: "It is kept in the event of the erasure.",
        required: true,
        ..Field::default()
    };
    let choice = |value, label| ChoiceOption { value, label };
    ui::select_field(
        &field,
        &[
            choice("request", "The person asked for it"),
            choice("retention", "The time it may be kept has passed"),
            choice("mistake", "It should not have been recorded"),
        ],
    )
}

fn confirm(shell: &Shell, id: &str) -> Markup {
    let action = format!("/events/{id}/erase");
    ui::confirm(&Confirm {
        id: "erase-dialog",
        trigger: "Erase personal data…",
        fallback_href: &action,
        title: "Erase what is about people in this event?",
        text: "Names and addresses go for good. The sealed bytes and all proofs stay as they are.",
        action: &action,
        csrf: shell.csrf(),
        submit: "Erase",
        tone: Tone::Bad,
        fields: Some(ground_field()),
    })
}

async fn ask(shell: Shell, Path(id): Path<String>) -> Response {
    shell
        .answer(async {
            let seen = find(&shell, &id).await?;
            let id = seen.event.id.to_string();
            let body = html! {
                (ui::page_header("Erase what is about people in this event?",
                    &chancery_event::sentence(&seen.event), html! {}))
                p { "Names and addresses go for good. The sealed bytes and all proofs stay as they are." }
                (ui::post_form(&format!("/events/{id}/erase"), shell.csrf(), false, html! {
                    (ground_field())
                    div.actions { (ui::submit("Erase", Tone::Bad)) (ui::button("Cancel", &format!("/events/{id}"), None, false)) }
                }))
            };
            Ok(shell.page(Nav::Events, "Erase personal data", body))
        })
        .await
}

async fn erase(shell: Shell, Path(id): Path<String>, Fields(typed): Fields) -> Response {
    shell
        .answer(async {
            let id = path_of::<EventId>(&id)?;
            shell.engine().erase_personal(shell.context(), id, typed.text("ground")).await?;
            Ok(shell
                .done(&format!("/events/{id}"), "What was about people in this event is erased."))
        })
        .await
}

/// The event in one dialect, closed unless one was asked for, with links to the others.
fn raw(seen: &SeenEvent, asked: Option<Dialect>) -> Markup {
    let dialect = asked.unwrap_or(Dialect::CloudEvents);
    let rendered = dialect.render(dialect::shown(seen));
    let mut text = rendered.headers.iter().fold(String::new(), |mut text, (name, value)| {
        text.push_str(&format!("{name}: {value}\n"));
        text
    });
    if !text.is_empty() {
        text.push('\n');
    }
    match serde_json::from_slice::<Value>(&rendered.bytes) {
        Ok(value) => text.push_str(&serde_json::to_string_pretty(&value).unwrap_or_default()),
        Err(_) => text.push_str(&rendered.text()),
    }
    let shapes = Dialect::ALL.iter().map(|other| {
        (other.label(), format!("/events/{}?dialect={other}#raw", seen.event.id), *other == dialect)
    });
    let shapes: Vec<_> = shapes.collect();
    let tabs: Vec<Tab<'_>> = shapes
        .iter()
        .map(|(label, href, selected)| Tab { label, href, count: None, selected: *selected })
        .collect();
    html! {
        details open[asked.is_some()] {
            summary { (dialect.label()) }
            (ui::tabs("Dialects", &tabs))
            (ui::json_block("raw-json", dialect.label(), &text))
            p { a href={"/api/v1/events/" (seen.event.id) "?dialect=" (dialect)} { "This shape from the API" } }
        }
    }
}

fn dialects(event: &Event) -> Markup {
    let Some(event_type) = EventType::of(event) else {
        return html! { p.muted { "A newer version of the program wrote this type." } };
    };
    let class = OutcomeClass::of(&event.outcome, event.severity);
    let names: Vec<_> =
        event_type.info().dialects.iter().filter(|name| name.outcomes.contains(class)).collect();
    html! {
        @if names.is_empty() { p.muted { "No system we know has a name for it." } }
        dl.kv { @for name in names {
            div { dt { (catalogue::system_name(name.system)) } dd { (ui::code(name.code)) } }
        } }
    }
}
