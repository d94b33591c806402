//! Small blocks every page uses: headers, sections, tiles, messages, tabs, pagers, progress.

use maud::{Markup, html};

use super::{Icon, Tone, grouped, icon};

/// The top of a page: title, what it is about, and its actions (usually [`button`]s).
#[must_use]
pub fn page_header(title: &str, subtitle: &str, actions: Markup) -> Markup {
    html! {
        header.page-header {
            div {
                h1 { (title) }
                @if !subtitle.is_empty() { p.subtitle { (subtitle) } }
            }
            div.actions { (actions) }
        }
    }
}

/// A titled part of a page on its own sheet. `id` names it for links and for partial refresh.
#[must_use]
pub fn section(id: &str, title: &str, aside: Markup, body: Markup) -> Markup {
    html! {
        section.sheet id=(id) aria-labelledby={(id) "-title"} {
            div.sheet-head { h2 id={(id) "-title"} { (title) } div.sheet-aside { (aside) } }
            (body)
        }
    }
}

/// A link that looks like a button; `primary` for the one main action of a page.
#[must_use]
pub fn button(label: &str, href: &str, mark: Option<Icon>, primary: bool) -> Markup {
    html! {
        a.button.primary[primary] href=(href) {
            @if let Some(mark) = mark { (icon(mark)) }
            span { (label) }
        }
    }
}

/// A number on the home page or above a list.
#[derive(Debug, Clone)]
pub struct Stat<'a> {
    /// What is counted.
    pub label: &'a str,
    /// The number, formatted.
    pub value: &'a str,
    /// One short line below.
    pub hint: &'a str,
    /// Where the counted things are listed.
    pub href: Option<&'a str>,
    /// What the number means; shown with a mark beside the label.
    pub tone: Tone,
}

/// One number as a tile.
#[must_use]
pub fn stat_tile(stat: &Stat<'_>) -> Markup {
    let mark = match stat.tone {
        Tone::Neutral => None,
        Tone::Info => Some(Icon::Info),
        Tone::Good => Some(Icon::CheckCircle),
        Tone::Notice => Some(Icon::Bell),
        Tone::Warning => Some(Icon::Warning),
        Tone::Bad => Some(Icon::CrossCircle),
        Tone::Critical => Some(Icon::Critical),
        Tone::Seal => Some(Icon::Seal),
    };
    let inner = html! {
        span.stat-label { @if let Some(mark) = mark { (icon(mark)) } (stat.label) }
        span.stat-value { (stat.value) }
        @if !stat.hint.is_empty() { span.stat-hint { (stat.hint) } }
    };
    html! {
        @match stat.href {
            Some(href) => a class={"stat " (stat.tone.class())} href=(href) { (inner) },
            None => div class={"stat " (stat.tone.class())} { (inner) },
        }
    }
}

/// Tiles side by side.
#[must_use]
pub fn stat_row(stats: &[Stat<'_>]) -> Markup {
    html! { div.stat-row { @for stat in stats { (stat_tile(stat)) } } }
}

/// A question that a page answers first.
#[derive(Debug, Clone)]
pub struct Answered<'a> {
    /// The question, without its mark.
    pub question: &'a str,
    /// What the answer means.
    pub tone: Tone,
    /// Its mark.
    pub mark: Icon,
    /// The answer.
    pub answer: Markup,
}

/// Questions with their answers, side by side at the top of a page.
#[must_use]
pub fn answers(label: &str, all: &[Answered<'_>]) -> Markup {
    html! {
        dl.answers aria-label=(label) {
            @for one in all {
                div class=(one.tone.class()) {
                    dt { (icon(one.mark)) (one.question) }
                    dd { (one.answer) }
                }
            }
        }
    }
}

/// What to show where there is nothing: why it is empty, and one thing to do about it.
#[must_use]
pub fn empty_state(title: &str, text: &str, action: Option<Markup>) -> Markup {
    html! {
        div.empty {
            svg.empty-art viewBox="0 0 96 64" width="96" height="64" aria-hidden="true" focusable="false" {
                path d="M22 6h44v40H22zM30 16h28M30 23h28M30 30h16" {}
                circle cx="66" cy="44" r="11" {}
                circle cx="66" cy="44" r="6.500" {}
            }
            p.empty-title { (title) }
            p { (text) }
            @if let Some(action) = action { div.empty-action { (action) } }
        }
    }
}

/// The kinds of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertKind {
    /// Something to know.
    Info,
    /// It worked.
    Success,
    /// Be careful.
    Warning,
    /// It did not work.
    Error,
}

/// A message in the page. Errors and warnings are announced at once, others politely.
#[must_use]
pub fn alert_box(kind: AlertKind, text: &str) -> Markup {
    let (tone, mark, word, role) = match kind {
        AlertKind::Info => (Tone::Info, Icon::Info, "Note", "status"),
        AlertKind::Success => (Tone::Good, Icon::CheckCircle, "Done", "status"),
        AlertKind::Warning => (Tone::Warning, Icon::Warning, "Warning", "alert"),
        AlertKind::Error => (Tone::Bad, Icon::CrossCircle, "Error", "alert"),
    };
    html! {
        div class={"message " (tone.class())} role=(role) {
            (icon(mark)) p { strong { (word) ": " } (text) }
        }
    }
}

/// One step of the way to a page.
#[derive(Debug, Clone)]
pub struct Crumb<'a> {
    /// Its name.
    pub label: &'a str,
    /// Its address; the last one has none.
    pub href: Option<&'a str>,
}

/// Where the page lies.
#[must_use]
pub fn breadcrumbs(crumbs: &[Crumb<'_>]) -> Markup {
    html! {
        nav.crumbs aria-label="Breadcrumbs" {
            ol { @for crumb in crumbs {
                li { @match crumb.href {
                    Some(href) => a href=(href) { (crumb.label) },
                    None => span aria-current="page" { (crumb.label) },
                } }
            } }
        }
    }
}

/// One of several views of the same thing.
#[derive(Debug, Clone)]
pub struct Tab<'a> {
    /// Its name.
    pub label: &'a str,
    /// Its address.
    pub href: &'a str,
    /// How many things it holds, if that is known.
    pub count: Option<u64>,
    /// Whether it is the one shown.
    pub selected: bool,
}

/// Views as links: the address holds the state.
#[must_use]
pub fn tabs(label: &str, tabs: &[Tab<'_>]) -> Markup {
    html! {
        nav.tabs aria-label=(label) {
            @for tab in tabs {
                a href=(tab.href) aria-current=[tab.selected.then_some("page")] {
                    (tab.label)
                    @if let Some(count) = tab.count { " " span.count { (grouped(count)) } }
                }
            }
        }
    }
}

/// Keyset paging: newer and older, with what is shown in between (`1–50 of about 12,400`).
#[must_use]
pub fn pager(previous: Option<&str>, next: Option<&str>, shown: &str) -> Markup {
    html! {
        nav.pager aria-label="Pages" {
            @match previous {
                Some(href) => a.button rel="prev" href=(href) { (icon(Icon::Previous)) span { "Newer" } },
                None => span.button.off aria-disabled="true" { (icon(Icon::Previous)) span { "Newer" } },
            }
            span.muted { (shown) }
            @match next {
                Some(href) => a.button rel="next" href=(href) { span { "Older" } (icon(Icon::Next)) },
                None => span.button.off aria-disabled="true" { span { "Older" } (icon(Icon::Next)) },
            }
        }
    }
}

/// How far something is. Without a total it is shown as under way.
#[must_use]
pub fn progress(label: &str, value: u64, total: Option<u64>) -> Markup {
    html! {
        div.progress {
            span.progress-label aria-hidden="true" { (label) }
            @match total {
                Some(total) => {
                    progress max=(total.max(1)) value=(value.min(total)) aria-label=(label) {}
                    span.muted { (grouped(value)) " of " (grouped(total)) }
                }
                None => {
                    progress aria-label=(label) {}
                    span.muted { (grouped(value)) " so far" }
                }
            }
        }
    }
}

/// The mark on counts that stopped at a bound.
#[must_use]
pub fn sampled(text: &str) -> Markup {
    html! { p.sampled { (icon(Icon::Info)) span { strong { "Sampled. " } (text) } } }
}

/// A short code, name or path in the monospaced face.
#[must_use]
pub fn code(text: &str) -> Markup {
    html! { code { (text) } }
}
