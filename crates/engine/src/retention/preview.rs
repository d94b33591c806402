//! What a rule would remove now. Nothing is changed by asking.

use chancery_event::filter::Filter;
use chancery_event::{LogIndex, Timestamp};
use chancery_store::log::{self, PageRequest};
use chancery_store::table::retention::Rule;

use super::select::{Selector, limits};
use super::{Basis, Limit, RuleDraft};
use crate::{Context, Engine, Error, Permission};

/// Events that are looked at where they have to be judged one by one.
const LOOKED_AT: usize = 20_000;
const PAGE: usize = 1_000;

/// What a rule would remove.
#[derive(Clone, Debug)]
pub struct Preview {
    /// What the rule says.
    pub sentence: String,
    /// Events that would go.
    pub events: u64,
    /// Counting stopped there: it may be more.
    pub at_least: bool,
    /// Events that legal holds keep, of those that were counted.
    pub held: u64,
    /// Events that the rule reaches and that somebody still needs.
    pub waiting: u64,
    /// Time of the oldest that would go.
    pub oldest: Option<Timestamp>,
    /// Time of the newest that would go, where it is known.
    pub newest: Option<Timestamp>,
    /// Who needs which events still, the one in the way first.
    pub limits: Vec<Limit>,
    /// Where entries are kept; `None`: no archive is set, and nothing goes.
    pub archive: Option<String>,
}

impl Engine {
    /// What a rule would remove if it ran now.
    ///
    /// # Errors
    /// The caller may not see rules, or not all events; the rule cannot work.
    pub async fn preview_retention(
        &self,
        context: &Context,
        draft: &RuleDraft,
    ) -> Result<Preview, Error> {
        context.require(Permission::RetentionRead)?;
        // How many events fit a filter, and when they were, is told by it.
        self.require_all_events(context).await?;
        if Basis::parse(&draft.basis).is_none() {
            return Err(Error::invalid("basis", "event or expiry"));
        }
        draft.check_days()?;
        let now = self.environment().now();
        let rule = Rule {
            name: draft.name.clone(),
            version: 0,
            enabled: true,
            filter: draft.filter.trim().to_owned(),
            basis: draft.basis.clone(),
            after_days: draft.after_days,
            created_at: now,
            changed_at: now,
        };
        let mut link = self.link().await?;
        let selector = Selector::new(self, &mut link, &rule, false).await?;
        let mut preview = Preview {
            sentence: super::sentence(&rule),
            events: 0,
            at_least: false,
            held: 0,
            waiting: 0,
            oldest: None,
            newest: None,
            limits: limits(&mut link, false).await?,
            archive: self.archive_place(),
        };
        if rule.basis == Basis::Event.as_str() {
            self.count_at_once(&mut link, &selector, &mut preview).await?;
        } else {
            self.count_one_by_one(&mut link, &selector, &mut preview).await?;
        }
        Ok(preview)
    }

    async fn count_at_once(
        &self,
        link: &mut chancery_store::Link,
        selector: &Selector,
        preview: &mut Preview,
    ) -> Result<(), Error> {
        let now = self.environment().now().micros();
        let before = self.parse_event_filter(&format!("index<{}", selector.cut.0))?;
        let holds = selector.holds.filters.iter().map(|(_, filter)| filter.clone());
        let held = Filter::Or(holds.collect());
        let reached = vec![selector.filter.clone(), before];
        let all = log::count(link, &selector.filter, now).await?;
        let within = log::count(link, &Filter::And(reached.clone()), now).await?;
        let mut going = reached.clone();
        let (mut kept, mut at_least) = (0, within.at_least || all.at_least);
        if !selector.holds.filters.is_empty() {
            going.push(Filter::Not(Box::new(held.clone())));
            let mut holding = reached;
            holding.push(held);
            let counted = log::count(link, &Filter::And(holding), now).await?;
            kept = counted.value;
            at_least |= counted.at_least;
        }
        preview.events = within.value.saturating_sub(kept);
        preview.held = kept;
        preview.waiting = all.value.saturating_sub(within.value);
        preview.at_least = at_least;
        let going = Filter::And(going);
        for oldest_first in [true, false] {
            let request = PageRequest { oldest_first, limit: 1, ..PageRequest::default() };
            let page = log::page(link, &going, request, now).await?;
            let time = page.events.first().map(|sealed| sealed.event().time);
            if oldest_first { preview.oldest = time } else { preview.newest = time }
        }
        Ok(())
    }

    async fn count_one_by_one(
        &self,
        link: &mut chancery_store::Link,
        selector: &Selector,
        preview: &mut Preview,
    ) -> Result<(), Error> {
        let mut from = LogIndex(0);
        let mut looked = 0;
        loop {
            let batch = selector.next(link, from, PAGE).await?;
            preview.held += batch.held;
            preview.events += batch.chosen.len() as u64;
            for sealed in &batch.chosen {
                let time = sealed.event().time;
                preview.oldest = Some(preview.oldest.map_or(time, |oldest| oldest.min(time)));
                preview.newest = Some(preview.newest.map_or(time, |newest| newest.max(time)));
            }
            looked += PAGE;
            match batch.next {
                Some(next) if looked < LOOKED_AT => from = next,
                more => {
                    preview.at_least = more.is_some();
                    return Ok(());
                }
            }
        }
    }
}
