//! What all lists share: the search expression with its error, the span of time, and facets whose
//! values are links that narrow and widen.

use chancery_engine::Permission;
use chancery_event::Timestamp;
use chancery_event::filter::error::Place;
use chancery_event::filter::{Comparison, Filter, FilterError, Literal, Operator, Schema};
use maud::{Markup, html};

use super::address::Address;
use super::shell::Shell;
use super::typed::sentence;
use crate::ui::{
    self, Bucket, Facet, FacetValue, Histogram, Icon, SearchBox, SearchError, Series, Tone,
};

/// Parameters that say which page of a list is shown; every change of the list drops them.
pub(super) const CURSORS: &[&str] = &["before", "after", "cursor"];

/// Bars are of so much time at least, µs.
const SPAN_MIN: i64 = 1_000;

/// A facet of a list that is narrowed by parameters: each value (word, label, count) sets the
/// parameter, or takes it away again. The address is that of the list without its cursors.
pub(super) fn toggles<T: AsRef<str>>(
    address: &Address,
    name: &str,
    label: &str,
    values: &[(T, T, u64)],
) -> Markup {
    let is_set = |value: &T| address.value(name) == Some(value.as_ref());
    let hrefs: Vec<String> = values
        .iter()
        .map(|(value, ..)| match is_set(value) {
            true => address.without(&[name]).to_string(),
            false => address.with(name, value.as_ref()).to_string(),
        })
        .collect();
    let values: Vec<FacetValue<'_>> = values
        .iter()
        .zip(&hrefs)
        .map(|((value, label, count), href)| FacetValue {
            label: label.as_ref(),
            count: *count,
            href,
            selected: is_set(value),
        })
        .collect();
    ui::facet_details(&Facet { label, values: &values, more: 0, more_href: None })
}

/// What a list is narrowed to, as its address says.
pub(super) struct Narrowed {
    /// The expression as typed.
    pub(super) text: String,
    /// The expression; everything where it cannot be understood.
    pub(super) filter: Filter,
    /// Why it cannot be understood.
    pub(super) error: Option<FilterError>,
    /// The span of time, µs since 1970; the end is not in it.
    pub(super) from: Option<i64>,
    pub(super) to: Option<i64>,
}

impl Narrowed {
    /// Reads parameters `q`, `from` and `to`.
    pub(super) fn read(address: &Address, schema: &Schema) -> Self {
        let text = address.value("q").unwrap_or_default().trim().to_owned();
        let (filter, error) = match Filter::parse(&text, schema) {
            Ok(filter) => (filter, None),
            Err(error) => (Filter::All, Some(error)),
        };
        let moment = |name: &str| address.parsed::<Timestamp>(name).map(Timestamp::micros);
        Self { text, filter, error, from: moment("from"), to: moment("to") }
    }

    /// The condition with the span of time, which is about `field`.
    pub(super) fn condition(&self, field: &str) -> Filter {
        let bound =
            |operator, at| Filter::Comparison(Comparison::one(field, operator, Literal::Time(at)));
        let mut parts = vec![self.filter.clone()];
        parts.extend(self.from.map(|from| bound(Operator::GreaterOrEqual, from)));
        parts.extend(self.to.map(|to| bound(Operator::Less, to)));
        Filter::and(parts)
    }

    /// The span that bars are of, and whether it is the one that is asked for: `field` is about
    /// what has happened, so it ends now at the latest, and begins `open` (µs) before its end where
    /// nothing says when it does.
    pub(super) fn past(
        &self,
        field: &str,
        schema: &Schema,
        now: i64,
        open: i64,
    ) -> ((i64, i64), bool) {
        let (from, to) = self.condition(field).times(field, schema, now);
        let asked = from != i64::MIN || to != i64::MAX;
        let to = if self.to.is_some() { to } else { to.min(now + Timestamp::SECOND) };
        let to = to.max(SPAN_MIN);
        // Nothing has happened before 1970.
        let from = if from == i64::MIN { to - open } else { from };
        ((from.clamp(0, to - SPAN_MIN), to), asked)
    }

    /// The condition as an expression; everything where it cannot be understood.
    pub(super) fn expression(&self, field: &str) -> String {
        text(&self.condition(field))
    }

    /// The box, with the fault pointed at and a query that would work.
    pub(super) fn search_box(
        &self,
        id: &str,
        address: &Address,
        action: &str,
        placeholder: &str,
    ) -> Markup {
        let (position, len) = match self.error.as_ref().map(|error| &error.place) {
            Some(Place::Text { offset, length }) => (*offset, *length),
            _ => (0, 0),
        };
        let message = self.error.as_ref().map(|error| sentence(&error.message)).unwrap_or_default();
        let better = self.error.as_ref().and_then(|error| {
            let word = error.suggestion.as_deref()?;
            let (before, rest) = self.text.split_at_checked(position)?;
            Some(format!("{before}{word}{}", rest.get(len..)?))
        });
        let href =
            better.as_deref().map(|text| address.without(CURSORS).with("q", text).to_string());
        let suggestion = better.as_deref().zip(href.as_deref());
        let kept = [
            "from",
            "to",
            "sort",
            "destination",
            "state",
            "reason",
            "event_type",
            "decision",
            "channel",
            "profile",
            "object",
            "event",
            "account",
        ];
        let keep: Vec<(&str, &str)> =
            kept.into_iter().filter_map(|name| Some((name, address.value(name)?))).collect();
        let error = self.error.as_ref();
        html! {
            (ui::search_box(&SearchBox {
                id,
                action,
                query: &self.text,
                placeholder,
                error: error.map(|_| SearchError { position, len, message: &message, suggestion }),
                help_href: "/help/search",
                keep: &keep,
            }))
            @for (name, at) in [("from", self.from), ("to", self.to)] {
                @if let Some(text) = address.value(name).filter(|_| at.is_none()) {
                    p.narrowed {
                        "The time " code { (text) } " cannot be read, and is left out. "
                        a href=(address.without(&[name]).without(CURSORS)) { "take it away" }
                    }
                }
            }
            @if self.from.is_some() || self.to.is_some() {
                p.narrowed {
                    "Narrowed to the time "
                    @if let Some(from) = self.from { "from " (ui::time(from)) " " }
                    @if let Some(to) = self.to { "to " (ui::time(to)) " " }
                    a href=(address.without(&["from", "to"]).without(CURSORS)) { "show all times" }
                }
            }
        }
    }
}

/// What stands in place of a list whose expression cannot be understood.
pub(super) fn not_understood() -> Markup {
    html! {
        p.hint {
            "Nothing is listed until the search can be understood. "
            a href="/help/search" { "How to search" }
        }
    }
}

/// Values of a facet that are shown; the rest is told by its number.
const VALUES_SHOWN: usize = 12;

/// A field with its values and how often each occurs.
pub(super) struct FacetCounts {
    pub(super) field: String,
    pub(super) label: String,
    pub(super) values: Vec<(String, u64)>,
}

impl FacetCounts {
    /// The values of a field over a list that is one page, the most frequent first.
    pub(super) fn over<'a>(field: &str, values: impl Iterator<Item = &'a str>) -> Self {
        let mut counts = std::collections::BTreeMap::<&str, u64>::new();
        for value in values {
            *counts.entry(value).or_default() += 1;
        }
        let mut values: Vec<(String, u64)> =
            counts.into_iter().map(|(value, count)| (value.to_owned(), count)).collect();
        values.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Self { field: field.to_owned(), label: label(field), values }
    }
}

/// Facets beside a list whose expression is `filter`.
pub(super) fn facets(
    address: &Address,
    filter: &Filter,
    schema: &Schema,
    groups: &[FacetCounts],
) -> Markup {
    let address = address.without(CURSORS);
    let links: Vec<Vec<(String, bool)>> = groups
        .iter()
        .map(|group| {
            let link = |value: &str| {
                let condition = equals(&group.field, value, schema)?;
                let is_chosen = parts(filter).contains(&&condition);
                let narrowed = if is_chosen {
                    taken_away(filter, &condition)
                } else {
                    added(filter, condition)
                };
                Some((address.with("q", &text(&narrowed)).to_string(), is_chosen))
            };
            let none = || (address.to_string(), false);
            group.values.iter().map(|(value, _)| link(value).unwrap_or_else(none)).collect()
        })
        .collect();
    let values: Vec<Vec<FacetValue<'_>>> = groups
        .iter()
        .zip(&links)
        .map(|(group, links)| {
            let values = group.values.iter().zip(links);
            let values = values.map(|((value, count), (href, selected))| FacetValue {
                label: if value.is_empty() { "(none)" } else { value },
                count: *count,
                href,
                selected: *selected,
            });
            values.take(VALUES_SHOWN).collect()
        })
        .collect();
    let facets: Vec<Facet<'_>> = groups
        .iter()
        .zip(&values)
        .filter(|(_, values)| !values.is_empty())
        .map(|(group, values)| Facet {
            label: &group.label,
            values,
            more: group.values.len().saturating_sub(VALUES_SHOWN),
            more_href: None,
        })
        .collect();
    ui::facet_panel(&facets)
}

/// Bars of a histogram of one series.
pub(super) const BARS: i64 = 60;

/// A histogram of one series over a span of time, in microseconds since 1970.
pub(super) struct Bars<'a> {
    pub(super) id: &'a str,
    pub(super) label: &'a str,
    pub(super) series: &'a str,
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) width: i64,
}

/// The bars, each a link that narrows `address` to its span; `found` counts by the start of a span.
pub(super) fn bars(of: &Bars<'_>, address: &Address, found: &[(Timestamp, u64)]) -> Markup {
    let address = address.without(CURSORS);
    let moment = |at: i64| ui::rfc3339(at).unwrap_or_default();
    let starts: Vec<i64> = (0..BARS).map(|bar| of.from + bar * of.width).collect();
    let counts: Vec<Vec<u64>> = starts
        .iter()
        .map(|start| {
            let found = found.iter().find(|(at, _)| at.micros() == *start);
            vec![found.map_or(0, |(_, count)| *count)]
        })
        .collect();
    let hrefs: Vec<String> = starts
        .iter()
        .map(|start| {
            let narrowed = address.with("from", &moment(*start));
            narrowed.with("to", &moment(start + of.width)).to_string()
        })
        .collect();
    let buckets: Vec<Bucket<'_>> = starts
        .iter()
        .zip(&hrefs)
        .zip(&counts)
        .map(|((start, href), counts)| Bucket { start: *start, href, counts })
        .collect();
    ui::histogram(&Histogram {
        id: of.id,
        label: of.label,
        series: &[Series { label: of.series, tone: Tone::Info }],
        buckets: &buckets,
        from: of.from,
        to: of.to,
    })
}

/// Buttons that take out everything the list shows: its search and its span of time, which is about
/// `field`.
pub(super) fn exports(shell: &Shell, path: &str, narrowed: &Narrowed, field: &str) -> Markup {
    if !shell.may(Permission::Export) || narrowed.error.is_some() {
        return html! {};
    }
    let condition = narrowed.expression(field);
    let href = |format: &str| {
        let address = Address::new(path).with("filter", &condition).with("format", format);
        address.to_string()
    };
    html! {
        (ui::button("CSV", &href("csv"), Some(Icon::Download), false))
        (ui::button("NDJSON", &href("ndjson"), Some(Icon::Download), false))
    }
}

/// The condition that a field has this value, as the schema understands it.
fn equals(field: &str, value: &str, schema: &Schema) -> Option<Filter> {
    if value.is_empty() {
        return Filter::parse(&format!("-{field}:*"), schema).ok();
    }
    let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
    Filter::parse(&format!("{field}:\"{quoted}\""), schema).ok()
}

fn parts(filter: &Filter) -> Vec<&Filter> {
    match filter {
        Filter::And(parts) => parts.iter().collect(),
        one => vec![one],
    }
}

fn taken_away(filter: &Filter, condition: &Filter) -> Filter {
    Filter::and(parts(filter).into_iter().filter(|part| *part != condition).cloned().collect())
}

fn added(filter: &Filter, condition: Filter) -> Filter {
    match filter {
        Filter::All => condition,
        filter => Filter::and(vec![filter.clone(), condition]),
    }
}

fn text(filter: &Filter) -> String {
    match filter {
        Filter::All => String::new(),
        Filter::And(parts) if parts.is_empty() => String::new(),
        filter => filter.to_text(),
    }
}

/// A count that may have stopped counting.
pub(super) fn counted(value: u64, at_least: bool) -> String {
    match at_least {
        true => format!("more than {}", ui::grouped(value)),
        false => ui::grouped(value),
    }
}

/// Words of a field for people: `key_algorithm` is `Key algorithm`.
pub(super) fn label(field: &str) -> String {
    let text = field.rsplit_once('.').map_or(field, |(_, last)| last).replace('_', " ");
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().collect::<String>());
    first.unwrap_or_default() + letters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(query: &str, field: &str, value: &str) -> (String, bool) {
        let schema = chancery_event::search::schema();
        let filter = Filter::parse(query, schema).unwrap();
        let condition = equals(field, value, schema).unwrap();
        let chosen = parts(&filter).contains(&&condition);
        let new = match chosen {
            true => taken_away(&filter, &condition),
            false => added(&filter, condition),
        };
        (text(&new), chosen)
    }

    #[test]
    fn a_facet_narrows_and_widens() {
        assert_eq!(links("", "outcome", "failure"), ("outcome:failure".into(), false));
        assert_eq!(links("outcome:failure", "outcome", "failure"), (String::new(), true));
        let (text, chosen) = links("renew outcome:failure", "outcome", "failure");
        assert_eq!((text.as_str(), chosen), ("renew", true));
        let (text, chosen) = links("renew", "type", "certificate.upload");
        assert_eq!((text.as_str(), chosen), ("renew type:certificate.upload", false));
    }

    #[test]
    fn fields_have_words() {
        assert_eq!(label("key_algorithm"), "Key algorithm");
        assert_eq!(label("attribute.cost_centre"), "Cost centre");
    }
}
