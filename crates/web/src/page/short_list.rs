//! Lists that are read whole, because there are few of them and most of what they show is not
//! stored: their order, and one page of them at a time.

use std::ops::Range;

use maud::{Markup, html};

use super::address::Address;
use super::certificates::{Way, pages};
use super::listing::CURSORS;
use crate::ui::{Column, Direction};

/// Items on a page.
const PAGE: usize = 50;

/// Words that a list can be ordered by, the first unless told otherwise, and whether a first click
/// on a column shows the largest first.
pub(super) type Words = &'static [(&'static str, bool)];

/// The order that an address asks for.
#[derive(Clone, Copy)]
pub(super) struct Order {
    words: Words,
    /// One of the words.
    pub(super) word: &'static str,
    descending: bool,
}

impl Order {
    /// Reads parameter `sort`; an unknown word is the first.
    pub(super) fn read(address: &Address, words: Words) -> Self {
        let text = address.value("sort").unwrap_or_default();
        let (word, descending) = match text.strip_prefix('-') {
            Some(word) => (word, true),
            None => (text, false),
        };
        match words.iter().find(|(known, _)| *known == word) {
            Some((word, _)) => Self { words, word, descending },
            None => {
                Self { words, word: words.first().map_or("", |(word, _)| word), descending: false }
            }
        }
    }

    /// Turns what `sort` has put into ascending order, where that was asked for.
    pub(super) fn apply<T>(self, items: &mut [T], sort: impl FnOnce(&mut [T], &str)) {
        sort(items, self.word);
        if self.descending {
            items.reverse();
        }
    }

    /// A column that the list is ordered by.
    pub(super) fn column(self, address: &Address, word: &str, label: &str) -> Column {
        let current = (self.word == word).then_some(match self.descending {
            true => Direction::Descending,
            false => Direction::Ascending,
        });
        let largest_first = self.words.iter().any(|(known, first)| *known == word && *first);
        let turned = if current.is_some() { !self.descending } else { largest_first };
        let text = format!("{}{word}", if turned { "-" } else { "" });
        let href = address.without(CURSORS).with("sort", &text).to_string();
        Column::new(label).sorted(&href, current)
    }
}

/// Which of `len` items the page shows, and the way to its neighbours.
pub(super) fn part(address: &Address, len: usize) -> (Range<usize>, Markup) {
    let start = address.parsed::<usize>("cursor").unwrap_or(0).min(len.saturating_sub(1));
    let end = (start + PAGE).min(len);
    if len <= PAGE {
        return (start..end, html! {});
    }
    let at = |place: usize| address.without(CURSORS).with("cursor", &place.to_string()).to_string();
    let way = Way {
        previous: (start > 0).then(|| at(start.saturating_sub(PAGE))),
        next: (end < len).then(|| at(end)),
    };
    let words = format!("{}–{} of {}", start + 1, end, len);
    (start..end, pages(address, &way, &words))
}
