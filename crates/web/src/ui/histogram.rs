//! The histogram above a list: counts over time, stacked by severity or outcome.
//!
//! Each bar is a link to its span, so it works without scripts; the script adds brushing, which
//! sets the URL parameters `from` and `to` (RFC 3339, UTC). The same numbers stand in a table
//! below, folded away.

use maud::{Markup, html};

use super::Tone;
use super::chart::{ratio, swatch};
use super::moment::{grouped, rfc3339, time};

/// What a layer of the stack stands for.
#[derive(Debug, Clone)]
pub struct Series<'a> {
    /// Its name.
    pub label: &'a str,
    /// Its meaning.
    pub tone: Tone,
}

/// A span of time.
#[derive(Debug, Clone)]
pub struct Bucket<'a> {
    /// Where it starts, µs since 1970; it ends where the next one starts.
    pub start: i64,
    /// The list narrowed to it.
    pub href: &'a str,
    /// One count per series.
    pub counts: &'a [u64],
}

/// A histogram.
#[derive(Debug, Clone)]
pub struct Histogram<'a> {
    /// Unique on the page.
    pub id: &'a str,
    /// What is counted.
    pub label: &'a str,
    /// The layers, the lowest first: put the gravest there, so that it keeps a common base line.
    pub series: &'a [Series<'a>],
    /// The spans, oldest first.
    pub buckets: &'a [Bucket<'a>],
    /// Start of the whole, µs since 1970.
    pub from: i64,
    /// End of the whole, exclusive.
    pub to: i64,
}

/// µs.
const MINUTE: i64 = 60_000_000;
const HEIGHT: f64 = 100.0;
const WIDTH: f64 = 1000.0;

/// The histogram as a figure.
#[must_use]
pub fn histogram(chart: &Histogram<'_>) -> Markup {
    let sums: Vec<u64> = chart.buckets.iter().map(|bucket| bucket.counts.iter().sum()).collect();
    let most = sums.iter().copied().max().unwrap_or(0);
    let total: u64 = sums.iter().sum();
    html! {
        figure.histogram id=(chart.id) {
            figcaption {
                span { strong { (grouped(total)) } " " (chart.label) }
                ul.legend.inline { @for series in chart.series {
                    li class=(series.tone.class()) { (swatch()) span { (series.label) } }
                } }
            }
            div.histogram-plot {
                span.axis-top.muted aria-hidden="true" { (grouped(most)) }
                svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="group"
                    aria-label={(chart.label) " over time"} data-brush data-from=(chart.from)
                    data-to=(chart.to) {
                    (hatch(chart.id))
                    path.grid d="M0 .5H1000M0 50H1000M0 99.5H1000" {}
                    @for (position, bucket) in chart.buckets.iter().enumerate() {
                        (bar(chart, position, bucket, most))
                    }
                }
            }
            div.axis { (time(chart.from)) (time(chart.to)) }
            details.as-table { summary { "Show as a table" } (counts_table(chart, &sums)) }
        }
    }
}

/// Diagonal strokes laid over grave layers, so that they differ by more than colour.
fn hatch(id: &str) -> Markup {
    html! {
        defs {
            pattern id={(id) "-hatch"} width="4" height="4" patternUnits="userSpaceOnUse"
                patternTransform="rotate(45)" {
                rect.hatch-stroke width="1.4" height="4" {}
            }
        }
    }
}

fn bar(chart: &Histogram<'_>, position: usize, bucket: &Bucket<'_>, most: u64) -> Markup {
    let slot = WIDTH / ratio(chart.buckets.len().max(1) as u64, 1);
    let x = slot * ratio(position as u64, 1);
    let width = (slot * 0.82).max(0.5);
    let mut base = HEIGHT;
    let layers: Vec<(f64, f64, Tone, &str, u64)> = chart
        .series
        .iter()
        .zip(bucket.counts)
        .filter(|(_, count)| **count > 0)
        .map(|(series, count)| {
            let height = ratio(*count, most.max(1)) * (HEIGHT - 4.0);
            base -= height;
            (base, height, series.tone, series.label, *count)
        })
        .collect();
    let start = rfc3339(bucket.start).unwrap_or_default();
    let bars = i64::try_from(chart.buckets.len().max(1)).unwrap_or(i64::MAX);
    let shown = if (chart.to - chart.from) / bars < MINUTE { 19 } else { 16 };
    html! {
        a.bar href=(bucket.href) data-start=(bucket.start) {
            title {
                (start.get(..shown).unwrap_or(&start).replace('T', " ")) " UTC"
                @for (_, _, _, label, count) in &layers { ", " (label) " " (count) }
                @if layers.is_empty() { ", none" }
            }
            rect.bar-slot x=(format!("{x:.2}")) y="0" width=(format!("{slot:.2}")) height="100" {}
            @for (y, height, tone, _, _) in &layers {
                rect class={"bar-part " (tone.class())} x=(format!("{x:.2}")) y=(format!("{y:.2}"))
                    width=(format!("{width:.2}")) height=(format!("{height:.2}")) {}
                @if matches!(tone, Tone::Bad | Tone::Critical) {
                    rect fill={"url(#" (chart.id) "-hatch)"} x=(format!("{x:.2}")) y=(format!("{y:.2}"))
                        width=(format!("{width:.2}")) height=(format!("{height:.2}")) {}
                }
            }
        }
    }
}

fn counts_table(chart: &Histogram<'_>, sums: &[u64]) -> Markup {
    html! {
        div.table-wrap.short tabindex="0" role="region" aria-label={(chart.label) ", as a table"} {
            table.plain {
                caption.visually-hidden { (chart.label) " over time" }
                thead { tr {
                    th scope="col" { "From" }
                    @for series in chart.series { th.num scope="col" { (series.label) } }
                    th.num scope="col" { "All" }
                } }
                tbody { @for (bucket, sum) in chart.buckets.iter().zip(sums) {
                    tr {
                        th scope="row" { a href=(bucket.href) { (time(bucket.start)) } }
                        @for count in bucket.counts { td.num { (grouped(*count)) } }
                        td.num { (grouped(*sum)) }
                    }
                } }
            }
        }
    }
}
