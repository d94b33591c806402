//! The search box of every list, with its error pointed at, and the facets beside the list.

use maud::{Markup, html};

use super::{Icon, grouped, icon};

/// What is wrong with a query.
#[derive(Debug, Clone)]
pub struct SearchError<'a> {
    /// Where it starts, in bytes from the start of the query.
    pub position: usize,
    /// How many bytes are concerned; 0 points between two characters.
    pub len: usize,
    /// What is wrong, one sentence.
    pub message: &'a str,
    /// A query that would work, and its address.
    pub suggestion: Option<(&'a str, &'a str)>,
}

/// A search box.
#[derive(Debug, Clone)]
pub struct SearchBox<'a> {
    /// Unique on the page.
    pub id: &'a str,
    /// The address of the list; the query is its parameter `q`.
    pub action: &'a str,
    /// The query as typed.
    pub query: &'a str,
    /// An example of the grammar.
    pub placeholder: &'a str,
    /// What is wrong with it.
    pub error: Option<SearchError<'a>>,
    /// The page that explains the grammar.
    pub help_href: &'a str,
    /// Parameters of the list that a new search keeps (saved view, columns), as name and value.
    pub keep: &'a [(&'a str, &'a str)],
}

/// The box, and below it the query echoed with the offending part underlined.
#[must_use]
pub fn search_box(search: &SearchBox<'_>) -> Markup {
    let trouble = search.error.as_ref().map(|_| format!("{}-error", search.id));
    html! {
        form.search role="search" method="get" action=(search.action) {
            label.visually-hidden for=(search.id) { "Search this list" }
            @for (name, value) in search.keep { input type="hidden" name=(name) value=(value); }
            div.search-line {
                (icon(Icon::Search))
                input id=(search.id) type="search" name="q" value=(search.query) data-search
                    placeholder=(search.placeholder) autocomplete="off" autocapitalize="off"
                    spellcheck="false" aria-invalid=[search.error.as_ref().map(|_| "true")]
                    aria-describedby=[trouble.as_deref()];
                button.primary type="submit" { "Search" }
                a.search-help href=(search.help_href) { "Syntax" }
            }
            @if let Some(error) = &search.error { (echo(search.id, search.query, error)) }
        }
    }
}

fn echo(id: &str, query: &str, error: &SearchError<'_>) -> Markup {
    let start = boundary(query, error.position);
    let end = boundary(query, error.position.saturating_add(error.len)).max(start);
    let (before, rest) = query.split_at(start);
    let (part, after) = rest.split_at(end - start);
    html! {
        div.search-error id={(id) "-error"} role="alert" {
            pre.echo { (before) mark { @if part.is_empty() { "\u{2038}" } @else { (part) } } (after) }
            p {
                (icon(Icon::CrossCircle)) span { (error.message) }
                @if let Some((text, href)) = error.suggestion {
                    span { " Did you mean " a href=(href) { code { (text) } } "?" }
                }
            }
        }
    }
}

/// The nearest character boundary at or before `at`.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// One value of a facet.
#[derive(Debug, Clone)]
pub struct FacetValue<'a> {
    /// The value as shown.
    pub label: &'a str,
    /// How many rows have it.
    pub count: u64,
    /// The list with it, or without it when it is selected.
    pub href: &'a str,
    /// Whether the list is narrowed to it.
    pub selected: bool,
}

/// A field and its most frequent values.
#[derive(Debug, Clone)]
pub struct Facet<'a> {
    /// The field as shown.
    pub label: &'a str,
    /// Its values.
    pub values: &'a [FacetValue<'a>],
    /// How many less frequent values are not among them.
    pub more: usize,
    /// Where all of its values are listed, when there are more.
    pub more_href: Option<&'a str>,
}

/// The facets of a list; each value is a link that narrows or widens it.
#[must_use]
pub fn facet_panel(facets: &[Facet<'_>]) -> Markup {
    html! {
        aside.facets aria-label="Narrow the list" {
            @for facet in facets { (facet_details(facet)) }
        }
    }
}

/// One field of a [`facet_panel`], for lists that put something of their own beside it.
#[must_use]
pub fn facet_details(facet: &Facet<'_>) -> Markup {
    if facet.values.is_empty() && facet.more_href.is_none() {
        return html! {};
    }
    let most = facet.values.iter().map(|value| value.count).max().unwrap_or(0).max(1);
    html! {
        details open {
            summary { (facet.label) }
            ul { @for value in facet.values { (facet_value(value, most)) } }
            @if facet.more > 0 && facet.more_href.is_none() {
                p.hint { "and " (facet.more) " more: search for them" }
            }
            @if let Some(href) = facet.more_href { a.facet-more href=(href) { "All values" } }
        }
    }
}

/// A name that may break behind its dots, slashes and underscores.
#[must_use]
pub fn parted(text: &str) -> Markup {
    html! { @for part in text.split_inclusive(['.', '/', '_']) { (part) wbr; } }
}

fn facet_value(value: &FacetValue<'_>, most: u64) -> Markup {
    let share = (value.count.saturating_mul(100) / most).max(1);
    html! {
        li {
            a.facet href=(value.href) aria-current=[value.selected.then_some("true")] {
                span.facet-label { @if value.selected { (icon(Icon::Check)) } (parted(value.label)) }
                span.count { (grouped(value.count)) }
                svg.facet-bar viewBox="0 0 100 2" preserveAspectRatio="none" aria-hidden="true" {
                    rect width=(share) height="2" {}
                }
                @if value.selected { span.visually-hidden { " (selected: follow to remove)" } }
            }
        }
    }
}
