//! What was measured, for people and for programs.

use serde_json::json;

/// One figure, with the plain counterpart measured beside it where there is one.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// The figure.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// The plain counterpart, in the same unit.
    pub plain: Option<f64>,
    /// Median and 99th percentile, where the figure is the 95th of several.
    pub spread: Option<(f64, f64)>,
}

impl Figure {
    /// A figure that stands alone.
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), value, unit, plain: None, spread: None }
    }

    /// The same beside its plain counterpart.
    #[must_use]
    pub fn beside(mut self, plain: f64) -> Self {
        self.plain = Some(plain);
        self
    }

    /// The same with median and 99th percentile: the figure is the 95th.
    #[must_use]
    pub fn within(mut self, spread: (f64, f64)) -> Self {
        self.spread = Some(spread);
        self
    }

    fn ratio(&self) -> Option<f64> {
        self.plain.filter(|plain| *plain > 0.0).map(|plain| self.value / plain)
    }
}

/// The figures of one run. In text, each is printed when it is there: a run takes minutes.
pub struct Report {
    size: u64,
    json: bool,
    figures: Vec<Figure>,
}

impl Report {
    /// An empty report of a run with `size` events.
    pub fn new(size: u64, json: bool) -> Self {
        if !json {
            let _ =
                outln!("{:<58} {:>12} {:<9} {:>10} {:>6}", "", "measured", "", "plain", "ratio");
        }
        Self { size, json, figures: Vec::new() }
    }

    /// A remark that concerns the whole run.
    pub fn note(&self, text: &str) {
        if self.json {
            errln!("{text}");
        } else {
            let _ = outln!("{text}");
        }
    }

    /// Adds figures.
    pub fn add(&mut self, figures: impl IntoIterator<Item = Figure>) {
        for figure in figures {
            if !self.json {
                let plain = figure.plain.map_or_else(String::new, shown);
                let ratio = figure.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}"));
                let value = shown(figure.value);
                let spread = figure.spread.map_or_else(String::new, |(p50, p99)| {
                    format!("  p95; p50 {}, p99 {}", shown(p50), shown(p99))
                });
                let _ = outln!(
                    "{:<58} {value:>12} {:<9} {plain:>10} {ratio:>6}{spread}",
                    figure.name,
                    figure.unit
                );
            }
            self.figures.push(figure);
        }
    }

    /// Prints what has not been printed yet.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn finish(self) -> anyhow::Result<()> {
        if !self.json {
            return Ok(());
        }
        let figures: Vec<_> = self
            .figures
            .iter()
            .map(|f| {
                json!({
                    "name": f.name, "value": f.value, "unit": f.unit,
                    "plain": f.plain, "ratio": f.ratio(),
                    "p50": f.spread.map(|(p50, _)| p50), "p99": f.spread.map(|(_, p99)| p99),
                })
            })
            .collect();
        let report = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "debug_build": cfg!(debug_assertions),
            "size": self.size,
            "figures": figures,
        });
        outln!("{}", serde_json::to_string_pretty(&report)?)?;
        Ok(())
    }
}

/// Three digits or so, thousands apart.
fn shown(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position) % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_shown_with_few_digits() {
        assert_eq!(shown(0.5), "0.50");
        assert_eq!(shown(123.4), "123");
        assert_eq!(shown(1_234.0), "1 234");
        assert_eq!(shown(1_234_567.0), "1 234 567");
    }

    #[test]
    fn a_ratio_needs_something_to_compare_with() {
        assert_eq!(Figure::new("a", 3.0, "x").ratio(), None);
        assert_eq!(Figure::new("a", 3.0, "x").beside(2.0).ratio(), Some(1.5));
        assert_eq!(Figure::new("a", 3.0, "x").beside(0.0).ratio(), None);
    }
}
