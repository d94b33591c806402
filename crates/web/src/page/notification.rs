//! Notifications: who is told of what, by which means, and what was decided.
//!
//! Read in this order: this file (the overview), `profile` and `profile_form`, `template`, `notice`
//! (every decision, and why). Channels share the pages of forwarders.

mod contact;
pub(super) mod coverage;
pub(super) mod escalation;
mod notice;
mod profile;
mod profile_form;
pub(super) mod stream;
mod template;

pub(super) use notice::table as notice_table;

use axum::response::Response;
use chancery_engine::Permission;
use chancery_engine::automation::Class;
use chancery_engine::delivery::Class as Destination;
use chancery_engine::notification::NoticeQuery;
use chancery_event::Timestamp;
use maud::{Markup, html};

use super::form::Fields;
use super::shell::Shell;
use super::{GET, POST};
use crate::edge::{Access, Problem, Routes};
use crate::ui::{self, AlertKind, Nav, Tone};

/// Decisions of so many days are counted.
const DAYS: i64 = 7;

pub(super) fn add(routes: &mut Routes) {
    let read = Access::Session(Permission::AlertRead);
    routes.add(GET, "/notifications", read, async |shell: Shell| {
        shell.answer(overview(&shell)).await
    });
    let clear = Access::Session(Permission::AccountWrite);
    routes.add(
        POST,
        "/notifications/refused-addresses",
        clear,
        async |shell: Shell, Fields(typed): Fields| {
            shell
                .answer(async {
                    let address = typed.text("address");
                    shell.engine().clear_refused_address(shell.context(), address).await?;
                    let told = "Mail goes to this address again.";
                    Ok(shell.done("/notifications#refused", told))
                })
                .await
        },
    );
    profile::add(routes);
    profile_form::add(routes);
    template::add(routes);
    notice::add(routes);
    stream::add(routes);
    contact::add(routes);
    coverage::add(routes);
}

/// The tabs of notifications.
pub(super) fn places(current: &str) -> Markup {
    let tabs = [
        ("Overview", "/notifications"),
        ("Profiles", "/notifications/profiles"),
        ("Templates", "/notifications/templates"),
        ("Channels", "/channels"),
        ("Notices", "/notifications/notices"),
        ("Coverage", "/notifications/coverage"),
    ];
    let tabs: Vec<ui::Tab<'_>> = tabs
        .iter()
        .map(|(label, href)| ui::Tab { label, href, selected: *href == current, count: None })
        .collect();
    ui::tabs("Notifications", &tabs)
}

async fn overview(shell: &Shell) -> Result<Response, Problem> {
    let (engine, context) = (shell.engine(), shell.context());
    let profiles = engine.automation(context, Class::Profile).await?;
    let sees = shell.may(Permission::ForwarderRead);
    let channels = match sees {
        true => engine.destinations(context, Destination::Channel).await?,
        false => Vec::new(),
    };
    let from = Timestamp::from_micros(shell.now()).plus(-DAYS * Timestamp::DAY);
    let query = NoticeQuery { from: Some(from), ..NoticeQuery::default() };
    let counts = engine.notice_counts(context, query).await?;
    let sum = |word: &str| -> u64 {
        counts.iter().filter(|(decision, ..)| decision == word).map(|(.., count)| count).sum()
    };
    let failing: Vec<&str> = channels
        .iter()
        .filter(|view| view.row.course.failures > 0 || !view.row.enabled)
        .map(|view| view.row.name.as_str())
        .collect();
    let refused = match shell.may(Permission::AccountRead) {
        true => engine.refused_addresses(context).await?,
        false => Vec::new(),
    };
    let skipped: Vec<_> = counts.iter().filter(|(decision, ..)| decision == "skipped").collect();
    let body = html! {
        (ui::page_header("Notifications", "Who is told of what, by which means, and what was decided.", html! {}))
        (places("/notifications"))
        @if sees && channels.is_empty() {
            (ui::alert_box(AlertKind::Warning, "There is no channel: nobody is told outside of the bell. Make one for your mail server, and the default profile tells owners of their certificates."))
        }
        @if !failing.is_empty() {
            (ui::alert_box(AlertKind::Error, &format!("Nothing gets through, or not reliably: {}.", failing.join(", "))))
        }
        (tiles(&[("Told", "sent", sum("sent")), ("Later", "held", sum("held")), ("Not told", "skipped", sum("skipped"))]))
        p.hint { "Decisions of the last " (DAYS) " days, one for each recipient and channel." }
        div.columns {
            (ui::section("profiles", "Profiles", html! { a href="/notifications/profiles" { "All profiles" } }, html! {
                @if profiles.is_empty() { p { "There is no profile: triggers can only ring the bell." } }
                @else { ul { @for object in &profiles { li {
                    a href={"/notifications/profiles/" (object.name)} { (object.title()) }
                    @if !object.enabled { " " span.muted { "(off)" } }
                } } } }
            }))
            @if sees { (ui::section("channels", "Channels", html! { a href="/channels" { "All channels" } }, html! {
                @if channels.is_empty() { p { a href="/channels/new" { "Make a channel" } } }
                @else { p { (channels.len()) (if channels.len() == 1 { " channel, " } else { " channels, " }) (failing.len()) " that fail or are off." } }
            })) }
        }
        @if !skipped.is_empty() { (ui::section("why-not", "Why people were not told", html! {}, html! {
            ul { @for (_, reason, count) in &skipped { li {
                a href={"/notifications/notices?decision=skipped&reason=" (reason)} { (reason.replace('_', " ")) } ": " (count)
            } } }
        })) }
        @if !refused.is_empty() { (ui::section("refused", "Addresses that mail servers refuse", html! {}, html! {
            ul { @for one in &refused { li {
                (one.address) ", since " (ui::time(one.since.micros())) ", by " (one.channel) ": " span.muted { (one.error) }
                @if shell.may(Permission::AccountWrite) {
                    (ui::post_form("/notifications/refused-addresses", shell.csrf(), false, html! {
                        input type="hidden" name="address" value=(one.address);
                        (ui::submit("Send to it again", Tone::Neutral))
                    }))
                }
            } }}
            p.hint { "Nothing is sent to them until their contact data is changed, or somebody who knows that the mailbox works says so here." }
        })) }
    };
    Ok(shell.page(Nav::Notifications, "Notifications", body))
}

/// Counts of decisions, each with the list behind it.
fn tiles(counts: &[(&str, &str, u64)]) -> Markup {
    let texts: Vec<(String, String)> = counts
        .iter()
        .map(|(_, word, count)| {
            (count.to_string(), format!("/notifications/notices?decision={word}"))
        })
        .collect();
    let stats: Vec<ui::Stat<'_>> = counts
        .iter()
        .zip(&texts)
        .map(|((label, ..), (value, href))| ui::Stat {
            label,
            value,
            hint: "",
            href: Some(href),
            tone: Tone::Neutral,
        })
        .collect();
    ui::stat_row(&stats)
}
