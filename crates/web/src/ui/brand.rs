//! The mark of the house: a wax seal with a C whose opening holds a small hash tree.

use maud::{Markup, PreEscaped, html};

/// Scalloped rim of the seal: twelve lobes round (32, 32).
fn rim() -> String {
    use std::fmt::Write as _;
    let lobes = 14_u32;
    let point = |step: f64, radius: f64| {
        let angle = step * std::f64::consts::TAU / f64::from(lobes);
        (32.0 + radius * angle.sin(), 32.0 - radius * angle.cos())
    };
    let (x, y) = point(-0.5, 27.5);
    let mut path = format!("M{x:.1} {y:.1}");
    for lobe in 0..lobes {
        let (cx, cy) = point(f64::from(lobe), 33.5);
        let (x, y) = point(f64::from(lobe) + 0.5, 27.5);
        // Unwrap safety: writing to a String cannot fail; the result is dropped, not unwrapped.
        let _ = write!(path, "Q{cx:.1} {cy:.1} {x:.1} {y:.1}");
    }
    path.push('Z');
    path
}

/// The seal as inline SVG, 32 px unless CSS says otherwise; decorative, the name stands beside it.
#[must_use]
pub fn seal_logo() -> Markup {
    html! {
        svg.seal-logo viewBox="0 0 64 64" width="32" height="32" aria-hidden="true" focusable="false" {
            path.seal-wax d=(rim()) {}
            circle.seal-ring cx="32" cy="32" r="22.5" {}
            path.seal-letter d="M41.5 22.2A14 14 0 1 0 41.5 41.8" {}
            path.seal-tree d="M33 32h4.500M37.500 27.5v9M37.5 27.5h3.500M37.5 36.5h3.500" {}
            circle.seal-node cx="32" cy="32" r="2.4" {}
            circle.seal-node cx="42.4" cy="27.5" r="2.1" {}
            circle.seal-node cx="42.4" cy="36.5" r="2.1" {}
        }
    }
}

/// The same mark as a stand-alone file with its own colours; `assets/favicon.svg` holds exactly
/// this.
#[must_use]
pub fn favicon_svg() -> String {
    let markup: PreEscaped<String> = html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" {
            path d=(rim()) fill="#7d1f3f" {}
            circle cx="32" cy="32" r="22.5" fill="none" stroke="#c9798f" stroke-width="1.5" {}
            path d="M41.5 22.2A14 14 0 1 0 41.5 41.8" fill="none" stroke="#fff"
                stroke-width="5" stroke-linecap="round" {}
            path d="M33 32h4.500M37.500 27.5v9M37.5 27.5h3.500M37.5 36.5h3.500" fill="none" stroke="#fff"
                stroke-width="1.6" {}
            circle cx="32" cy="32" r="2.6" fill="#fff" {}
            circle cx="42.4" cy="27.5" r="2.3" fill="#fff" {}
            circle cx="42.4" cy="36.5" r="2.3" fill="#fff" {}
        }
    };
    let mut text = markup.into_string();
    text.push('\n');
    text
}
