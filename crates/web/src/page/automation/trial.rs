//! Trying triggers out: on one event, with every comparison, and on any part of recorded history.

use std::collections::BTreeMap;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_engine::automation::Class;
use chancery_engine::reaction::trial::{Difference, Sample, Trial, Tried};
use chancery_engine::reaction::{Evaluation, record};
use chancery_engine::{Error, Permission};
use chancery_event::Timestamp;
use chancery_event::id::EventId;
use maud::{Markup, html};

use super::{href, one, parts, reason};
use crate::edge::{Access, Problem, Routes};
use crate::page::form::Fields;
use crate::page::past_event;
use crate::page::shell::Shell;
use crate::page::typed::Typed;
use crate::page::{GET, POST};
use crate::ui::{self, AlertKind, ChoiceOption, Crumb, Field, Icon, Nav, Tone};

/// Samples shown of each kind.
const SHOWN: usize = 10;
/// Where a trigger is tried on one event.
const ONE: &str = "/automation/trial";
/// Fields of that form.
const FIELDS: [&str; 2] = ["event", "trigger"];
/// Fields of the form for a part of history.
pub(super) const STRETCH: [&str; 3] = ["days", "from", "to"];

pub(super) fn add(routes: &mut Routes) {
    let tries = Access::Session(Permission::AutomationTry);
    routes.add(GET, ONE, tries, async |shell: Shell| {
        let typed = FIELDS.into_iter().fold(Typed::default(), |typed, name| {
            typed.set(name, shell.address.value(name).unwrap_or_default())
        });
        shell.answer(async { page(&shell, &typed, html! {}).await }).await
    });
    routes.add(POST, ONE, tries, async |shell: Shell, Fields(typed): Fields| {
        shell.answer(try_one(&shell, typed)).await
    });
    routes.add(
        POST,
        "/automation/triggers/{name}/back-test",
        tries,
        async |shell: Shell, Path(name): Path<String>, Fields(typed): Fields| {
            shell.answer(back_test(&shell, &name, typed)).await
        },
    );
}

/// The address at which a trigger is tried on one event.
pub(in crate::page) fn address(event: Option<EventId>, trigger: Option<&str>) -> String {
    let address = crate::page::address::Address::new(ONE);
    let address = match event {
        Some(event) => address.with("event", &event.to_string()),
        None => address,
    };
    match trigger {
        Some(trigger) => address.with("trigger", trigger).to_string(),
        None => address.to_string(),
    }
}

async fn page(shell: &Shell, typed: &Typed, told: Markup) -> Result<Response, Problem> {
    let triggers = shell.engine().automation(shell.context(), Class::Trigger).await?;
    let choices: Vec<_> = triggers
        .iter()
        .map(|trigger| ChoiceOption { value: &trigger.name, label: trigger.title() })
        .collect();
    let hint = "Its log index or its identifier.";
    let event = Field { required: true, ..typed.field("event", "event", "Event", hint) };
    let trigger = Field { required: true, ..typed.field("trigger", "trigger", "Trigger", "") };
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: "Triggers", href: Some("/automation") },
            Crumb { label: "On one event", href: None },
        ]))
        (ui::page_header("Try a trigger on one event", "What it would make of an event that is on record, and why. \
            Nothing is carried out.", html! {}))
        (parts("/automation"))
        @if let Some(error) = typed.general_error(&FIELDS) { (ui::alert_box(AlertKind::Error, error)) }
        @if choices.is_empty() { p.muted { "There is no trigger yet." } } @else {
            (ui::post_form(ONE, shell.csrf(), false, html! {
                (ui::field(&event))
                (ui::select_field(&trigger, &choices))
                div.actions { button.primary type="submit" { "Try" } }
            }))
        }
        (told)
    };
    let mut response = shell.page(Nav::Automation, "Try a trigger", body);
    if typed.is_refused() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

async fn try_one(shell: &Shell, typed: Typed) -> Result<Response, Problem> {
    let tried = async {
        let named = past_event::named(shell, typed.text("event")).await?;
        let event = named.ok_or_else(|| Error::invalid("event", "which one?"))?;
        let found = shell.engine().dry_run(shell.context(), typed.text("trigger"), &[], event);
        Ok::<_, Error>((event, found.await?))
    };
    match tried.await {
        Ok((event, evaluations)) => page(shell, &typed, on_one(event, &evaluations)).await,
        Err(Error::NotFound { what }) => {
            let field = if what.starts_with("trigger") { "trigger" } else { "event" };
            let refusal = Error::invalid(field, format!("there is no {what}"));
            page(shell, &typed.refused(refusal)?, html! {}).await
        }
        Err(error) => page(shell, &typed.refused(error)?, html! {}).await,
    }
}

/// What a trigger makes of one event.
fn on_one(event: EventId, evaluations: &[Evaluation]) -> Markup {
    let link = html! { a href={"/events/" (event)} { "The event" } };
    ui::section(
        "tried",
        "What came of trying",
        link,
        html! {
            @if evaluations.is_empty() {
                p { "The trigger does not listen to events like this one, or is bound to something else." }
            }
            @for evaluation in evaluations {
                @let trigger = &evaluation.trigger;
                p {
                    (reason::verdict(evaluation.verdict.as_str())) " "
                    a href=(href(Class::Trigger, &trigger.name)) { (trigger.name) }
                    " " span.muted { "version " (trigger.version) ", " (evaluation.scope) }
                }
                (reason::explanation(&record::explanation(evaluation, false), evaluation.verdict.as_str()))
                @if evaluation.planned.is_empty() { p.muted { "No step would follow." } }
                @else { ul.plain { @for planned in &evaluation.planned { li {
                    (ui::badge(Tone::Info, Icon::Next, "Would follow")) " " (planned.effect.told()) " "
                    span.muted { a href=(href(Class::Action, &planned.action.0)) { (planned.action.0) }
                        " version " (planned.action.1) }
                } } } }
            }
        },
    )
}

/// The form for a part of history.
pub(super) fn form(shell: &Shell, name: &str, typed: &Typed) -> Markup {
    ui::post_form(
        &format!("/automation/triggers/{name}/back-test"),
        shell.csrf(),
        false,
        html! {
            p.hint { "Asks the trigger about recorded events, with certificates as they are now. Nothing is carried out. "
                a href=(address(None, Some(name))) { "Try it on one event" } }
            (span(typed))
            div.actions { button type="submit" { "Try" } }
        },
    )
}

/// The fields for a part of history.
pub(super) fn span(typed: &Typed) -> Markup {
    let days = typed.clone().or("days", "30");
    let field = Field { required: true, ..days.field("days", "days", "Over the last", "") };
    let spans =
        [("1", "day"), ("7", "7 days"), ("30", "30 days"), ("365", "year"), ("0", "whole log")];
    let choices = spans.map(|(value, label)| ChoiceOption { value, label });
    let hint = "In place of that: a time such as 2026-11-01T00:00:00Z.";
    let from = typed.field("from", "from", "From", hint);
    let to = typed.field("to", "to", "To", "Before this time; empty: now.");
    html! {
        (ui::select_field(&field, &choices))
        div.columns { div { (ui::field(&from)) } div { (ui::field(&to)) } }
    }
}

/// The stretch that somebody asked for.
pub(super) fn stretch(
    shell: &Shell,
    typed: &Typed,
) -> Result<(Option<Timestamp>, Option<Timestamp>), Error> {
    let moment = |name: &str| match typed.some(name) {
        None => Ok(None),
        Some(text) => text
            .parse::<Timestamp>()
            .map(Some)
            .map_err(|_| Error::invalid(name, "a time such as 2026-11-01T00:00:00Z")),
    };
    let (from, to) = (moment("from")?, moment("to")?);
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Err(Error::invalid("to", "it must be after the beginning"));
    }
    if from.is_some() {
        return Ok((from, to));
    }
    let days = typed.text("days").parse::<i64>().unwrap_or(30).clamp(0, 36_500);
    let end = to.map_or(shell.now(), Timestamp::micros);
    Ok(((days > 0).then(|| Timestamp::from_micros(end - days * Timestamp::DAY)), to))
}

async fn back_test(shell: &Shell, name: &str, typed: Typed) -> Result<Response, Problem> {
    let class = Class::Trigger.plural();
    let (from, to) = match stretch(shell, &typed) {
        Ok(stretch) => stretch,
        Err(error) => {
            return one::view(shell, class, name, html! {}, typed.refused(error)?).await;
        }
    };
    let trial = Trial { trigger: Some(name.to_owned()), from, to, ..Trial::default() };
    match shell.engine().back_test(shell.context(), trial).await? {
        Ok(tried) => one::view(shell, class, name, told(&tried), typed).await,
        Err(job) => {
            let notice = "History is long: a job looks through it. Its result is shown here.";
            Ok(shell.done(&format!("/jobs/{job}"), notice))
        }
    }
}

/// What a back-test found.
pub(in crate::page) fn told(tried: &Tried) -> Markup {
    let rate = match tried.took_us {
        0 => tried.events,
        took => tried.events.saturating_mul(1_000_000) / took,
    };
    ui::section(
        "tried",
        "What came of trying",
        html! {},
        html! {
            p {
                (ui::grouped(tried.events)) " events, of them " (ui::grouped(tried.concerned))
                " of its types. " span.muted { (ui::grouped(rate)) " events a second." }
            }
            @match tried.verdicts.len() {
                0 | 1 => { @for counts in tried.verdicts.values() { (verdicts(counts)) } }
                _ => { @for (name, counts) in &tried.verdicts { h3 { (name) } (verdicts(counts)) } }
            }
            (samples("Newest that match", &tried.samples))
            (samples("Newest that nearly match", &tried.near))
            (differences(tried))
        },
    )
}

fn verdicts(counts: &BTreeMap<String, u64>) -> Markup {
    html! { ul.plain { @for (word, count) in counts { li { (reason::verdict(word)) " " (ui::grouped(*count)) } } } }
}

fn samples(title: &str, list: &[Sample]) -> Markup {
    html! { @if !list.is_empty() {
        h3 { (title) }
        ul.plain { @for sample in list.iter().rev().take(SHOWN) { li { (event(sample))
            @if !sample.steps.is_empty() { " — " (sample.steps.join("; ")) }
        } } }
    } }
}

fn event(sample: &Sample) -> Markup {
    html! {
        a href={"/events/" (sample.event)} { (sample.event_type) }
        @if let Some(subject) = &sample.subject { " " (subject) }
    }
}

/// Where a change makes a difference.
fn differences(tried: &Tried) -> Markup {
    let side = |sample: &Option<Sample>| match sample {
        Some(sample) => reason::verdict(&sample.verdict),
        None => html! { span.muted { "not asked" } },
    };
    let of = |one: &Difference| one.after.clone().or_else(|| one.before.clone());
    let steps = |title: &str, steps: &[String]| {
        html! { @if !steps.is_empty() { div { span.muted { (title) } " " (steps.join("; ")) } } }
    };
    html! {
        @if tried.differing > 0 {
            h3 { (ui::grouped(tried.differing)) @if tried.differing == 1 { " verdict differs" } @else { " verdicts differ" }
                " from what is saved" }
            p.hint { "Where only the steps differ, they are named." }
            ul.plain { @for one in tried.differences.iter().rev().take(SHOWN) { @if let Some(sample) = of(one) {
                li {
                    (event(&sample)) " — " (sample.trigger) ": " (side(&one.before)) " → " (side(&one.after))
                    (steps("Only as saved:", &one.steps_before))
                    (steps("Only with the change:", &one.steps_after))
                }
            } } }
        } @else if tried.compared { p { "No verdict differs from what is saved, and no step." } }
        @if !tried.not_compared.is_empty() {
            h3 { "Changed as well, and not compared with history" }
            ul.plain { @for one in &tried.not_compared {
                li { (one.class.replace('_', " ")) " " strong { (one.name) } " " span.muted { (one.why) } }
            } }
        }
    }
}
