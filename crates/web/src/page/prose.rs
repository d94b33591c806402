//! Texts of the program's own documentation as pages show them.

use maud::{Markup, html};

/// A text in which what stands between back quotes is code.
pub(super) fn prose(text: &str) -> Markup {
    let text = text.replace('\n', " ");
    html! {
        @for (place, part) in text.split('`').enumerate() {
            @if place % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_back_quotes_is_code_and_nothing_is_markup() {
        let text = prose("one of `a` or `<b>`").into_string();
        assert_eq!(text, "one of <code>a</code> or <code>&lt;b&gt;</code>");
    }
}
