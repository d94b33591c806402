//! The stylesheet keeps its promises: contrast, and no class a block uses is left unstyled by
//! mistake.

use std::collections::HashMap;

const CSS: &str = include_str!("../../../assets/app.css");

/// Colours by name, as (light, dark).
fn palette() -> HashMap<&'static str, [[f64; 3]; 2]> {
    CSS.lines()
        .filter_map(|line| {
            let (name, rest) = line.trim().strip_prefix("--")?.split_once(": light-dark(")?;
            let (light, dark) = rest.strip_suffix(");")?.split_once(", ")?;
            Some((name, [rgb(light), rgb(dark)]))
        })
        .collect()
}

fn rgb(text: &str) -> [f64; 3] {
    let part = |at: usize| f64::from(u8::from_str_radix(&text[at..at + 2], 16).expect("hex"));
    [part(1), part(3), part(5)]
}

/// WCAG 2.2 relative luminance.
fn luminance(colour: [f64; 3]) -> f64 {
    let [r, g, b] = colour.map(|part| {
        let part = part / 255.0;
        if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn text_and_ground_keep_their_contrast_in_both_themes() {
    let palette = palette();
    let mut pairs = vec![
        ("rail-ink", "rail", 4.5),
        ("rail-strong", "rail-on", 4.5),
        ("on-action", "action", 4.5),
        ("on-action", "action-hover", 4.5),
        ("on-action", "danger", 4.5),
        ("seal-ink", "ground", 4.5),
        ("bad-ink", "sheet", 4.5),
        ("warning-ink", "ground", 4.5),
        ("good-ink", "sheet", 4.5),
        // Non-text: edges of controls, focus rings and chart parts against what they lie on (WCAG
        // 1.4.11).
        ("line-strong", "sheet", 3.0),
        ("focus", "sheet", 3.0),
        ("focus", "ground", 3.0),
    ];
    for ground in ["ground", "sheet", "sunk", "hover"] {
        pairs.extend(["ink", "muted", "link"].map(|ink| (ink, ground, 4.5)));
    }
    const TONES: [(&str, &str); 8] = [
        ("neutral-ink", "neutral-wash"),
        ("info-ink", "info-wash"),
        ("good-ink", "good-wash"),
        ("notice-ink", "notice-wash"),
        ("warning-ink", "warning-wash"),
        ("bad-ink", "bad-wash"),
        ("critical-ink", "critical-wash"),
        ("seal-ink", "seal-wash"),
    ];
    pairs.extend(TONES.map(|(ink, wash)| (ink, wash, 4.5)));
    let mut short = Vec::new();
    for (ink, ground, least) in pairs {
        for (theme, position) in [("light", 0), ("dark", 1)] {
            let got = contrast(palette[ink][position], palette[ground][position]);
            if got < least {
                short.push(format!("{ink} on {ground} ({theme}): {got:.2} < {least}"));
            }
        }
    }
    assert!(short.is_empty(), "{}", short.join("\n"));
}

#[test]
fn every_class_of_the_gallery_is_styled_or_known_to_the_script() {
    let script = include_str!("../../../assets/app.js");
    for page in super::pages() {
        for (_, attributes) in super::tags(&page) {
            for class in super::value(&attributes, "class").unwrap_or("").split_whitespace() {
                let known =
                    CSS.contains(&format!(".{class}")) || script.contains(&format!("'.{class}'"));
                assert!(known || UNSTYLED.contains(&class), ".{class} is not styled");
            }
        }
    }
}

/// Hooks that need no look of their own.
const UNSTYLED: [&str; 7] =
    ["plain", "invalid", "changed", "added", "removed", "zone-switch", "version"];

#[test]
fn every_variable_used_is_defined() {
    for part in CSS.split("var(").skip(1) {
        let name = part.split([')', ',']).next().unwrap_or("");
        assert!(CSS.contains(&format!("{name}: ")), "{name} is not defined");
    }
    assert!(!CSS.contains("@import") && !CSS.contains("url("), "nothing is fetched from elsewhere");
}
