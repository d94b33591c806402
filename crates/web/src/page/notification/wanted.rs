//! Profiles and templates by words: of their names, their titles and what they say.

use chancery_engine::automation::Object;
use maud::{Markup, html};

use crate::page::address::Address;
use crate::ui::{self, SearchBox};

/// Those that have all the words of the search.
pub(super) fn found(address: &Address, objects: Vec<Object>) -> Vec<Object> {
    let text = address.value("q").unwrap_or_default().to_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    let fits = |object: &Object| {
        let said = format!("{} {}", object.name, object.body).to_lowercase();
        words.iter().all(|word| said.contains(word))
    };
    objects.into_iter().filter(fits).collect()
}

/// The box above the list at `here`.
pub(super) fn search(address: &Address, id: &str, here: &str, placeholder: &str) -> Markup {
    ui::search_box(&SearchBox {
        id,
        action: here,
        query: address.value("q").unwrap_or_default(),
        placeholder,
        error: None,
        help_href: "/help/search",
        keep: &[],
    })
}

/// What stands in place of a list that nothing of fits.
pub(super) fn nothing(noun: &str, here: &str) -> Markup {
    html! {
        (ui::empty_state(&format!("No {noun} fits"), "Every word has to occur in its name, its title or what it says.",
            Some(ui::button("Show all", here, None, true))))
    }
}
