//! The nodes: which processes run on this database, what each does, how far behind it is.

use axum::response::Response;
use chancery_engine::Permission;
use chancery_engine::node::NodeView;
use maud::{Markup, html};

use super::parts;
use crate::edge::{Access, Routes};
use crate::page::GET;
use crate::page::shell::Shell;
use crate::ui::{self, Column, Icon, Nav, Row, Table, Tone};

pub(super) fn add(routes: &mut Routes) {
    let read = Access::Session(Permission::MetricsRead);
    routes.add(GET, "/administration/nodes", read, show);
}

async fn show(shell: Shell) -> Response {
    shell
        .answer(async {
            let nodes = shell.engine().nodes(shell.context()).await?;
            let running = nodes.iter().filter(|node| node.state == "running").count();
            let subtitle = match running {
                1 => "One node runs on this database.".to_owned(),
                count => format!("{count} nodes run on this database."),
            };
            let events = "/events?filter=type:service.*+or+type:node.*";
            let body = html! {
                (ui::page_header("Administration", &subtitle, html! {
                    (ui::button("Starts, stops, disappearances", events, None, true))
                }))
                (parts(&shell, "/administration/nodes"))
                (table(&nodes, shell.now()))
                p.hint {
                    "Every node answers requests, runs jobs, and serves some of the forwarders and \
                     channels. What only one of them may do at a time it does under a lease; if it \
                     vanishes, another one takes over."
                }
            };
            Ok(shell.page(Nav::Administration, "Nodes", body))
        })
        .await
}

fn state(node: &NodeView) -> Markup {
    match node.state.as_str() {
        "running" => ui::badge(Tone::Good, Icon::Check, "Running"),
        "stopped" => ui::badge(Tone::Neutral, Icon::Deny, "Stopped"),
        _ => ui::badge(Tone::Bad, Icon::Warning, "Vanished"),
    }
}

/// How far a clock is off; what is less than two seconds harms nothing.
fn clock(ahead_ms: i64) -> Markup {
    let seconds = ahead_ms.abs() / 1_000;
    match (seconds, ahead_ms > 0) {
        (0 | 1, _) => html! { "right" },
        (_, true) => ui::badge(Tone::Warning, Icon::Warning, &format!("{seconds} s ahead")),
        (_, false) => ui::badge(Tone::Warning, Icon::Warning, &format!("{seconds} s behind")),
    }
}

/// What it serves beside others that serve the rest.
fn serves(node: &NodeView) -> Markup {
    let all = [
        (node.forwarders, "forwarder"),
        (node.channels, "channel"),
        (node.sources, "source"),
        (node.jobs, "job"),
        (node.runs, "run"),
    ];
    let told = all.iter().filter(|(count, _)| *count > 0).map(|(count, what)| {
        let plural = if *count == 1 { "" } else { "s" };
        format!("{} {what}{plural}", ui::grouped(*count))
    });
    let told: Vec<String> = told.collect();
    html! { span.wrap {
        @if told.is_empty() { span.muted { "—" } } @else { (told.join(", ")) }
    } }
}

fn table(nodes: &[NodeView], now: i64) -> Markup {
    let columns = [
        Column::new("Machine"),
        Column::new("State"),
        Column::new("Alone does"),
        Column::new("Serves"),
        Column::new("Behind").number(),
        Column::new("Clock"),
        Column::new("Last sign of life"),
        Column::new("Started").optional(),
        Column::new("Version").optional(),
    ];
    let rows: Vec<Row> = nodes
        .iter()
        .map(|node| Row {
            href: Some(format!("/events?filter=node:{}", node.id)),
            tone: (node.state == "vanished").then_some(Tone::Bad),
            cells: vec![
                html! { (node.host) @if node.own { " " span.muted { "(answers you)" } } },
                state(node),
                html! { span.wrap {
                    @for lease in &node.leases { (ui::code(lease)) " " }
                    @if node.leases.is_empty() { span.muted { "—" } }
                } },
                serves(node),
                html! { @if node.lag == 0 { "0" } @else { (ui::grouped(node.lag)) } },
                clock(node.clock_ahead_ms),
                ui::relative(node.seen_at.micros(), now),
                ui::date(node.started_at.micros()),
                html! { (node.version) },
            ],
        })
        .collect();
    ui::data_table(&Table {
        id: "nodes",
        caption: "Nodes: those that run first, then the newest",
        columns: &columns,
        rows: &rows,
    })
}
