//! Lists of objects of automation, wherever they are shown: searched, counted, ordered, kept as
//! views, taken out as files, page by page.

use chancery_engine::automation::{Class, Listed, search_schema};
use chancery_event::filter::Schema;
use maud::{Markup, html};

use crate::edge::Problem;
use crate::page::address::Address;
use crate::page::listing::{self, FacetCounts, Narrowed};
use crate::page::saved_view;
use crate::page::shell::Shell;
use crate::page::short_list::{Order, Words, part};
use crate::ui::{self, Column};

/// What a span of time in the address is about.
const SPAN: &str = "changed";
const ORDERS: Words = &[
    ("name", false),
    ("state", false),
    ("changed", true),
    ("last_run", true),
    ("next_run", false),
];

/// How a class is shown.
pub(in crate::page) struct Shown {
    pub(in crate::page) class: Class,
    /// Where its list is.
    pub(in crate::page) root: &'static str,
    /// What one of them is called.
    pub(in crate::page) noun: &'static str,
    /// A search that finds something.
    pub(in crate::page) placeholder: &'static str,
    /// The fields whose values are counted beside the list.
    pub(in crate::page) facets: &'static [&'static str],
}

/// The list as its address narrows and orders it.
pub(in crate::page) struct List<'a> {
    shown: &'a Shown,
    schema: Schema,
    narrowed: Narrowed,
    items: Vec<Listed>,
    order: Order,
}

impl<'a> List<'a> {
    /// Reads what the address of the page asks for.
    pub(in crate::page) async fn read(shell: &Shell, shown: &'a Shown) -> Result<Self, Problem> {
        let schema = search_schema(shown.class);
        let narrowed = Narrowed::read(&shell.address, &schema);
        let text = narrowed.expression(SPAN);
        let mut items = shell.engine().find_automation(shell.context(), shown.class, &text).await?;
        let order = Order::read(&shell.address, ORDERS);
        order.apply(&mut items, |items, word| match word {
            "state" => items.sort_by_key(Listed::state),
            "changed" => items.sort_by_key(|one| one.object.changed_at),
            "last_run" => items.sort_by_key(|one| {
                one.task.as_ref().and_then(|task| Some(task.last.as_ref()?.started_at))
            }),
            "next_run" => {
                items.sort_by_key(|one| one.task.as_ref().and_then(|task| task.next_at));
            }
            _ => {}
        });
        Ok(Self { shown, schema, narrowed, items, order })
    }

    /// Whether there is none at all: nothing was searched for, and nothing is there.
    pub(in crate::page) fn is_empty(&self) -> bool {
        let is_whole = self.narrowed.text.is_empty() && self.narrowed.expression(SPAN).is_empty();
        is_whole && self.items.is_empty()
    }

    /// Buttons that take out what is shown.
    pub(in crate::page) fn exports(&self, shell: &Shell) -> Markup {
        if self.is_empty() {
            return html! {};
        }
        let path = format!("/api/v1/automation/lists/{}/export", self.shown.class.plural());
        listing::exports(shell, &path, &self.narrowed, SPAN)
    }

    /// A column that the list is ordered by: `name`, `state`, `changed`, `last_run`, `next_run`.
    pub(in crate::page) fn column(&self, address: &Address, word: &str, label: &str) -> Column {
        self.order.column(address, word, label)
    }

    /// Search, counts and views around the table of one page; `teach` stands where there is none
    /// at all.
    pub(in crate::page) async fn body(
        &self,
        shell: &Shell,
        teach: Markup,
        table: impl FnOnce(&[Listed]) -> Markup,
    ) -> Result<Markup, Problem> {
        if self.is_empty() {
            return Ok(teach);
        }
        let (shown, address) = (self.shown, &shell.address);
        let id = format!("{}-search", shown.noun);
        let views = saved_view::panel(shell, shown.class.plural()).await?;
        let (range, way) = part(address, self.items.len());
        let counts: Vec<FacetCounts> =
            shown.facets.iter().map(|field| self.counted(field)).collect();
        Ok(html! {
            (self.narrowed.search_box(&id, address, shown.root, shown.placeholder))
            div.with-facets {
                div {
                    @if self.narrowed.error.is_none() {
                        (listing::facets(address, &self.narrowed.filter, &self.schema, &counts))
                    }
                    (views)
                }
                div {
                    @if self.narrowed.error.is_some() {
                        (listing::not_understood())
                    } @else if self.items.is_empty() {
                        (ui::empty_state(&format!("No {} fits", shown.noun), "Take a condition away.",
                            Some(ui::button("Show all", shown.root, None, true))))
                    } @else {
                        (table(&self.items[range]))
                        (way)
                    }
                }
            }
        })
    }

    fn counted(&self, field: &str) -> FacetCounts {
        let values: Vec<String> = self.items.iter().flat_map(|one| one.words(field)).collect();
        FacetCounts::over(field, values.iter().map(String::as_str))
    }
}
