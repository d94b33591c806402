//! Small charts as SVG: sparkline, donut, validity bar. Each says in words what it draws.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::Tone;
use super::moment::{date, distance, grouped};

/// A line of values, oldest first, with `label` saying what they are; its last value is written
/// beside it.
#[must_use]
pub fn sparkline(label: &str, values: &[u64]) -> Markup {
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    let last = values.last().copied().unwrap_or(0);
    let steps = values.len().saturating_sub(1).max(1);
    let mut line = String::new();
    for (position, value) in values.iter().enumerate() {
        let x = ratio(position as u64, steps as u64) * 96.0 + 2.0;
        let y = 22.0 - ratio(*value, most) * 20.0;
        // Unwrap safety: writing to a String cannot fail; the result is dropped.
        let _ = write!(line, "{}{x:.1} {y:.1}", if position == 0 { 'M' } else { 'L' });
    }
    let end_y = 22.0 - ratio(last, most) * 20.0;
    html! {
        span.spark {
            svg viewBox="0 0 100 24" width="100" height="24" role="img" {
                title { (label) ": " (values.len()) " values, highest " (most) ", last " (last) }
                @if values.len() > 1 {
                    path.spark-area d={(line) "L98 24L2 24Z"} {}
                    path.spark-line d=(line) {}
                }
                circle.spark-end cx="98" cy=(format!("{end_y:.1}")) r="2" {}
            }
            span.num { (grouped(last)) }
        }
    }
}

/// A part of a whole.
#[derive(Debug, Clone)]
pub struct Slice<'a> {
    /// Its name.
    pub label: &'a str,
    /// How many.
    pub count: u64,
    /// Its meaning.
    pub tone: Tone,
    /// Where they are listed.
    pub href: Option<&'a str>,
}

/// Parts of a whole as a ring, with the legend that says the same in text.
#[must_use]
pub fn donut(label: &str, slices: &[Slice<'_>]) -> Markup {
    let total: u64 = slices.iter().map(|slice| slice.count).sum();
    let mut turned = 0.0;
    let arcs: Vec<(f64, f64)> = slices
        .iter()
        .map(|slice| {
            let start = turned;
            turned += ratio(slice.count, total.max(1)) * 100.0;
            (start, turned - start)
        })
        .collect();
    html! {
        div.donut {
            svg viewBox="0 0 42 42" width="132" height="132" role="img" {
                title { (label) ": " (grouped(total)) " in all" }
                circle.donut-ground cx="21" cy="21" r="15.915" {}
                @for (slice, (start, share)) in slices.iter().zip(&arcs) {
                    @if slice.count > 0 {
                        // The circumference is 100, so shares are percentages; the gap keeps arcs
                        // apart.
                        circle class={"donut-arc " (slice.tone.class())} cx="21" cy="21" r="15.915"
                            stroke-dasharray=(format!("{:.2} {:.2}", gapped(*share), 100.0 - gapped(*share)))
                            stroke-dashoffset=(format!("{:.2}", 25.0 - start)) {
                            title { (slice.label) ": " (grouped(slice.count)) }
                        }
                    }
                }
                text.donut-total x="21" y="22.5" text-anchor="middle" { (grouped(total)) }
                text.donut-label x="21" y="27" text-anchor="middle" { "in all" }
            }
            ul.legend {
                @for slice in slices {
                    li class=(slice.tone.class()) {
                        (swatch())
                        @match slice.href {
                            Some(href) => a href=(href) { (slice.label) },
                            None => span { (slice.label) },
                        }
                        span.num { (grouped(slice.count)) }
                        span.muted { (share_text(slice.count, total)) }
                    }
                }
            }
        }
    }
}

/// The validity of a certificate as a bar with today marked; all in µs since 1970.
#[must_use]
pub fn validity_bar(not_before: i64, not_after: i64, now: i64, expiring_from: i64) -> Markup {
    let whole = (not_after - not_before).max(1);
    let at = |moment: i64| {
        let part = (moment - not_before).clamp(0, whole);
        ratio(part.unsigned_abs(), whole.unsigned_abs()) * 400.0
    };
    let (tone, words) = match () {
        () if now < not_before => (Tone::Info, format!("Starts {}", distance(not_before, now))),
        () if now >= not_after => (Tone::Bad, format!("Expired {}", distance(not_after, now))),
        () if now >= expiring_from => {
            (Tone::Warning, format!("Expires {}", distance(not_after, now)))
        }
        () => (Tone::Good, format!("Expires {}", distance(not_after, now))),
    };
    let (today, late) = (at(now), at(expiring_from));
    html! {
        div class={"validity " (tone.class())} {
            svg viewBox="0 0 400 14" preserveAspectRatio="none" role="img" {
                title { (words) }
                rect.validity-ground x="0" y="4" width="400" height="6" {}
                rect.validity-late x=(format!("{late:.1}")) y="4" height="6"
                    width=(format!("{:.1}", 400.0 - late)) {}
                rect.validity-spent x="0" y="4" width=(format!("{today:.1}")) height="6" {}
                rect.validity-now x=(format!("{:.1}", (today - 1.0).clamp(0.0, 398.0))) y="0" width="2"
                    height="14" {}
            }
            div.validity-ends { (date(not_before)) strong { (words) } (date(not_after)) }
        }
    }
}

pub(super) fn swatch() -> Markup {
    html! { svg.swatch viewBox="0 0 10 10" width="10" height="10" aria-hidden="true" { rect width="10" height="10" rx="2" {} } }
}

/// A share in whole percent that never calls something nothing, or not quite all, all.
fn share_text(part: u64, whole: u64) -> String {
    let share = ratio(part, whole.max(1)) * 100.0;
    match share {
        _ if part > 0 && share < 1.0 => "< 1 %".to_owned(),
        _ if part < whole && share > 99.0 => "> 99 %".to_owned(),
        _ => format!("{share:.0} %"),
    }
}

fn gapped(share: f64) -> f64 {
    if share > 2.0 { share - 0.8 } else { share }
}

/// `part / whole` as a number for geometry; precision beyond 2⁵³ does not matter on a screen.
#[allow(clippy::cast_precision_loss)]
pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
