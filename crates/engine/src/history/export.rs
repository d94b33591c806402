//! Exports of events that can be verified off-line ([`chancery_seal::export`]).
//!
//! Everything that is exported is covered by one signed checkpoint, read at the beginning. Without
//! a filter the export is a range, proven as a whole; with one, each event is proven by itself.
//! Memory is bounded by one page of events.

use std::collections::{BTreeSet, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_event::LogIndex;
use chancery_event::filter::Filter;
use chancery_seal::export::{End, Header, Line, Proof};
use chancery_seal::{Note, TileId, leaf_hash, proof, range};
use chancery_store::log;

use super::{EventQuery, ExportRecord, PAGE_MAX, SeenEvent};
use crate::{Context, Engine, Error, Permission};

/// An export under way: call [`EventExport::page`] until it answers `None`.
pub struct EventExport {
    engine: Engine,
    context: Context,
    filter: Filter,
    /// All events of the range: it is proven as one.
    whole: bool,
    header: Option<Header>,
    /// The next index to look at, and the one behind the last.
    next: u64,
    end: u64,
    /// Size of the tree that the proofs lead to.
    size: u64,
    events: u64,
    is_finished: bool,
}

impl Engine {
    /// Begins an export of the events `first..=last` that `filter` selects, and records it
    /// (operation `event.export`) before anything is given out. Without bounds, everything sealed.
    ///
    /// # Errors
    /// The caller may not export or not search so, nothing is sealed yet, the range is not within
    /// the log, or the store cannot be read.
    pub async fn export_events(
        &self,
        context: &Context,
        filter: Filter,
        first: Option<u64>,
        last: Option<u64>,
    ) -> Result<EventExport, Error> {
        super::may_search(context, &filter)?;
        let checkpoint = self.log_checkpoint().await?;
        let checkpoint = checkpoint.ok_or_else(|| Error::not_found("checkpoint", "newest"))?;
        let size = checkpoint.size;
        let (next, end) = bounds(first, last, size)?;
        let query = filter.to_text();
        // A range is proven whole; who may not see all of it gets each event by itself.
        let is_scoped = self.event_scope(context).await?.is_some();
        let whole = filter == Filter::All && !is_scoped;
        let count = match whole {
            true => end - next,
            false => self.count_within(context, &filter, next, end).await?,
        };
        let record = ExportRecord {
            format: "jsonl",
            count,
            query: query.clone(),
            range: Some((LogIndex(next), LogIndex(end - 1))),
        };
        self.record_event_export(context, record).await?;
        let proof = if whole {
            let tiles = self.tiles(range::tiles_for_range(next, end, size)).await?;
            Proof::Range(range::range_proof(&tiles, next, end, size).map_err(|e| damaged(&e))?)
        } else {
            Proof::Each
        };
        let header = Header {
            origin: self.settings().log_origin.clone(),
            first: whole.then_some(next),
            last: whole.then(|| end - 1),
            filter: (!whole).then_some(query),
            key: Some(self.verifier().to_string()),
            checkpoint: Note::parse(checkpoint.note.as_bytes()).map_err(|e| damaged(&e))?,
            proof,
        };
        Ok(EventExport {
            engine: self.clone(),
            context: context.clone(),
            filter,
            whole,
            header: Some(header),
            next,
            end,
            size,
            events: 0,
            is_finished: false,
        })
    }

    /// How many of the entries `next..end` a filter selects, of those that retention has left in
    /// the database.
    ///
    /// # Errors
    /// As [`Engine::event_count`].
    pub async fn count_within(
        &self,
        context: &Context,
        filter: &Filter,
        next: u64,
        end: u64,
    ) -> Result<u64, Error> {
        if *filter == Filter::All && self.event_scope(context).await?.is_none() {
            let removed = log::removed_spans(&mut self.link().await?, next, end).await?;
            let removed: u64 = removed.iter().map(|(first, last)| last - first + 1).sum();
            return Ok(end.saturating_sub(next + removed));
        }
        let last = end.saturating_sub(1);
        let range = self.parse_event_filter(&format!("index>={next} index<={last}"))?;
        let both = Filter::And(vec![filter.clone(), range]);
        Ok(self.event_count(context, &both).await?.value)
    }

    async fn tiles(
        &self,
        wanted: impl IntoIterator<Item = TileId>,
    ) -> Result<HashMap<TileId, Vec<u8>>, Error> {
        let wanted: Vec<TileId> = wanted.into_iter().collect();
        let keys = wanted.iter().map(|tile| (tile.level(), tile.index())).collect();
        let stored = log::tiles(&mut self.link().await?, keys).await?;
        let found = wanted.into_iter().filter_map(|tile| {
            let hashes = stored.get(&(tile.level(), tile.index()))?;
            Some((tile, hashes.get(..tile.byte_len())?.to_vec()))
        });
        Ok(found.collect())
    }
}

/// The entries `first..=last` of a log of `size`, as a half-open range; without bounds, all.
///
/// # Errors
/// They are not within the log.
pub fn bounds(first: Option<u64>, last: Option<u64>, size: u64) -> Result<(u64, u64), Error> {
    let next = first.unwrap_or(0);
    let end = last.map_or(size, |last| last.saturating_add(1));
    if next >= end || end > size {
        let message = match size.checked_sub(1) {
            Some(newest) => format!("entries 0 to {newest} are sealed, and from is not behind to"),
            None => "nothing is sealed yet".to_owned(),
        };
        return Err(Error::invalid(if next >= size { "from" } else { "to" }, message));
    }
    Ok((next, end))
}

fn damaged(error: &dyn std::fmt::Display) -> Error {
    Error::LogDamaged(error.to_string())
}

impl EventExport {
    /// The next lines of the export, each with its newline; `None` behind the last one.
    ///
    /// # Errors
    /// The caller may not export any longer, the store cannot be read, or its log is damaged. What
    /// was given out then lacks the last line and is recognised as cut off.
    pub async fn page(&mut self) -> Result<Option<String>, Error> {
        if let Some(header) = self.header.take() {
            return Ok(Some(header.to_line() + "\n"));
        }
        if self.next >= self.end {
            let end = End::after(self.events).to_line() + "\n";
            return Ok((!std::mem::replace(&mut self.is_finished, true)).then_some(end));
        }
        // Who was shut out, demoted or limited since it began gets no more of it.
        self.context = self.engine.as_of_now(&self.context).await?;
        self.context.require(Permission::Export)?;
        if self.whole {
            self.engine.require_all_events(&self.context).await?;
            return self.whole_page().await.map(Some);
        }
        let query = EventQuery {
            filter: self.filter.clone(),
            before: Some(LogIndex(self.end)),
            from: Some(LogIndex(self.next)),
            limit: PAGE_MAX,
            oldest_first: true,
        };
        let page = self.engine.events(&self.context, query).await?;
        self.next = match page.events.last() {
            Some(last) if page.more => last.index.0 + 1,
            _ => self.end,
        };
        self.events += page.events.len() as u64;
        self.lines(page.events).await.map(Some)
    }

    /// The next entries of a whole range, those that were removed out of the archive.
    async fn whole_page(&mut self) -> Result<String, Error> {
        let (from, to) = (self.next, self.end.min(self.next + PAGE_MAX as u64));
        let query = EventQuery {
            filter: Filter::All,
            before: Some(LogIndex(to)),
            from: Some(LogIndex(from)),
            limit: PAGE_MAX,
            oldest_first: true,
        };
        let mut events = self.engine.events(&self.context, query).await?.events;
        if (events.len() as u64) < to - from {
            let present: BTreeSet<u64> = events.iter().map(|event| event.index.0).collect();
            for (index, entry) in self.engine.whole_entries(from, to).await? {
                if !present.contains(&index) {
                    events.push(SeenEvent::archived(LogIndex(index), entry, None)?);
                }
            }
            events.sort_unstable_by_key(|event| event.index);
        }
        self.next = to;
        self.events += events.len() as u64;
        self.lines(events).await
    }

    async fn lines(&self, events: Vec<SeenEvent>) -> Result<String, Error> {
        let each = !self.whole;
        let tiles = if each {
            let wanted = events.iter();
            let wanted: BTreeSet<TileId> = wanted
                .flat_map(|event| proof::tiles_for_inclusion(event.index.0, self.size))
                .collect();
            self.engine.tiles(wanted).await?
        } else {
            HashMap::new()
        };
        let mut text = String::new();
        for event in events {
            let index = event.index.0;
            let inclusion = each.then(|| proof::inclusion_proof(&tiles, index, self.size));
            let leaf = leaf_hash(&event.entry);
            let line = Line {
                log_index: index,
                leaf: Some(leaf),
                inclusion: inclusion.transpose().map_err(|error| damaged(&error))?,
                salt: event.salt.map(|salt| STANDARD.encode(salt)),
                entry: String::from_utf8(event.entry).map_err(|error| damaged(&error))?,
                event: event.event.to_json(),
            };
            text.push_str(&line.to_line());
            text.push('\n');
        }
        Ok(text)
    }
}
