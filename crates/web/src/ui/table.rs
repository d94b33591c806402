//! Tables of rows: sticky header, sortable by link, rows reached by keys (j, k, Enter), cards on a
//! phone.

use maud::{Markup, html};

use super::{Icon, Tone, icon};

/// How the cells of a column sit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Align {
    /// Text.
    #[default]
    Start,
    /// Numbers, tabular.
    End,
}

/// Which way a column is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// Sorting by a column.
#[derive(Debug, Clone)]
pub struct Sort {
    /// The address of the list sorted by this column (the other way when it is sorted already).
    pub href: String,
    /// How it is sorted now.
    pub current: Option<Direction>,
}

/// A column.
#[derive(Debug, Clone, Default)]
pub struct Column {
    /// Its heading; on a phone the label of each cell.
    pub label: String,
    /// How its cells sit.
    pub align: Align,
    /// Sorting by it, if that is possible.
    pub sort: Option<Sort>,
    /// Dropped on narrow screens.
    pub optional: bool,
}

impl Column {
    /// A column of text.
    #[must_use]
    pub fn new(label: &str) -> Self {
        Self { label: label.to_owned(), ..Self::default() }
    }

    /// The same, holding numbers.
    #[must_use]
    pub fn number(mut self) -> Self {
        self.align = Align::End;
        self
    }

    /// The same, dropped on narrow screens.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// The same, sortable at `href`, sorted `current`ly or not.
    #[must_use]
    pub fn sorted(mut self, href: &str, current: Option<Direction>) -> Self {
        self.sort = Some(Sort { href: href.to_owned(), current });
        self
    }

    fn class(&self) -> Option<&'static str> {
        match (self.align, self.optional) {
            (Align::Start, false) => None,
            (Align::Start, true) => Some("optional"),
            (Align::End, false) => Some("num"),
            (Align::End, true) => Some("num optional"),
        }
    }
}

/// A row; its first cell becomes the link when `href` is set.
#[derive(Debug, Clone)]
pub struct Row {
    /// Where the row leads.
    pub href: Option<String>,
    /// A mark at the edge of the row; say the same in a cell.
    pub tone: Option<Tone>,
    /// One cell per column.
    pub cells: Vec<Markup>,
}

/// A table.
#[derive(Debug, Clone)]
pub struct Table<'a> {
    /// Its id; the live bar and partial refresh aim at it.
    pub id: &'a str,
    /// What it lists, for those who cannot see it.
    pub caption: &'a str,
    /// The columns.
    pub columns: &'a [Column],
    /// The rows.
    pub rows: &'a [Row],
}

/// The table. For a live list, put [`super::live_region`] above it.
#[must_use]
pub fn data_table(table: &Table<'_>) -> Markup {
    html! {
        div.table-wrap {
            table.data id=(table.id) role="table" data-keys {
                caption.visually-hidden { (table.caption) }
                thead role="rowgroup" {
                    tr role="row" { @for column in table.columns { (head(column)) } }
                }
                tbody role="rowgroup" {
                    @for row in table.rows { (data_row(table.columns, row)) }
                }
            }
        }
    }
}

fn head(column: &Column) -> Markup {
    let Some(sort) = &column.sort else {
        return html! { th role="columnheader" scope="col" class=[column.class()] { (column.label) } };
    };
    let (order, mark) = match sort.current {
        None => (None, None),
        Some(Direction::Ascending) => (Some("ascending"), Some(Icon::Up)),
        Some(Direction::Descending) => (Some("descending"), Some(Icon::Down)),
    };
    html! {
        th role="columnheader" scope="col" class=[column.class()] aria-sort=[order] {
            a.sort href=(sort.href) { (column.label) @if let Some(mark) = mark { (icon(mark)) } }
        }
    }
}

/// One row as [`data_table`] writes it; live streams send this to be put on top.
#[must_use]
pub fn data_row(columns: &[Column], row: &Row) -> Markup {
    html! {
        tr role="row" class=[row.tone.map(Tone::class)] data-href=[row.href.as_deref()] {
            @for (position, (cell, column)) in row.cells.iter().zip(columns).enumerate() {
                td role="cell" class=[column.class()] data-label=(column.label) {
                    @match (&row.href, position) {
                        (Some(href), 0) => a.row-link href=(href) { (cell) },
                        _ => (cell),
                    }
                }
            }
        }
    }
}
