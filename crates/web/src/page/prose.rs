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

/// A dotted name or a path as code that breaks behind its dots, slashes and underscores.
pub(super) fn parted(text: &str) -> Markup {
    html! { code { (crate::ui::parted(text)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_break_behind_its_parts() {
        let text = parted("a.b_<c>").into_string();
        assert_eq!(text, "<code>a.<wbr>b_<wbr>&lt;c&gt;<wbr></code>");
    }

    #[test]
    fn what_stands_between_back_quotes_is_code_and_nothing_is_markup() {
        let text = prose("one of `a` or `<b>`").into_string();
        assert_eq!(text, "one of <code>a</code> or <code>&lt;b&gt;</code>");
    }
}
