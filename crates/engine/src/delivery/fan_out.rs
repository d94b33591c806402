//! Sealed events become deliveries: rows and cursor in one transaction, so that an event is neither
//! lost nor queued twice, whenever the program dies.
//!
//! Destinations that stand at the same place of the log share one reading of it. Events that none
//! of them can select are passed over by the database, unopened, and the cursor moves for them now
//! and then only.

use std::collections::BTreeMap;
use std::sync::Arc;

use chancery_event::{EventType, LogIndex, Timestamp};
use chancery_store::Tx;
use chancery_store::log::{self, Sealed};
use chancery_store::table::delivery::{self as table, Delivery};
use chancery_store::table::destination;

use super::courier::{AHEAD_MAX, Courier, QUEUE_MAX};
use super::definition::Runner;
use super::served::Item;
use super::window::{EVENTS_MAX, WINDOW, Wanted, Window};
use crate::{Engine, Error};

/// The cursor is moved at the latest this many passed events behind.
const LAG_MAX: u64 = 65_536;
const HOUR: i64 = 3_600 * Timestamp::SECOND;

/// What one destination gets of one reading.
struct Portion {
    name: String,
    from: LogIndex,
    to: LogIndex,
    batch_at: Option<Timestamp>,
    items: Vec<Item>,
}

impl Courier {
    /// Reads the log on for the destinations; true if there may be more to read.
    pub(super) async fn fan_out(&mut self) -> Result<bool, Error> {
        let now = self.engine.environment().now();
        let mut link = self.engine.link().await?;
        let size = log::latest_index(&mut link).await?.0;
        drop(link);
        let mut places: BTreeMap<(u64, u64), Vec<String>> = BTreeMap::new();
        for (name, track) in &self.tracks {
            let due = track.row.batch_at.is_none_or(|at| at <= now);
            let is_stream = track.row.class == "forwarder";
            // What is in memory goes first, so that it need not be read again from the store.
            let has_room = !track.complete || track.queue.len() + EVENTS_MAX <= QUEUE_MAX;
            let has_room = has_room && track.waiting < AHEAD_MAX;
            if is_stream && due && has_room && track.seen < size {
                let place = (track.seen, track.reads_to(size));
                places.entry(place).or_default().push(name.clone());
            }
        }
        // Nobody comes for it before long.
        if places.is_empty() {
            self.ahead.forget();
        }
        let is_one = places.len() == 1;
        let mut more = false;
        for ((from, to), names) in places {
            more |= self.read((from, to), is_one, names, now).await? || to < size;
        }
        self.next_batches(size, now).await?;
        Ok(more)
    }

    /// Reads one window of the log for the destinations that stand at its beginning; where all
    /// stand there, the next one is read ahead.
    async fn read(
        &mut self,
        (from, size): (u64, u64),
        is_one: bool,
        names: Vec<String>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let wanted = self.wanted(from, size, &names);
        let window = self.ahead.take(&self.engine, &wanted).await?;
        let end = window.end;
        let mut portions = Vec::new();
        let mut next = None;
        for name in names {
            let portion = self.portion(&name, &window, now);
            let Some(track) = self.tracks.get_mut(&name) else { continue };
            let has_room = track.queue.len() + 2 * EVENTS_MAX <= QUEUE_MAX
                && track.waiting + EVENTS_MAX as u64 <= AHEAD_MAX;
            let place = match portion {
                Some(portion) => {
                    let place = portion.to.0;
                    portions.push(portion);
                    place
                }
                None => {
                    track.seen = track.place_after(end);
                    track.seen
                }
            };
            if is_one && has_room && place < size {
                next = Some(place);
            }
        }
        if let Some(from) = next {
            let to = size.min(from + WINDOW);
            self.ahead.begin(&self.engine, Wanted { from, to, ..wanted });
        }
        self.insert(portions).await?;
        Ok(end < size)
    }

    /// What these destinations need to know of a window.
    fn wanted(&self, from: u64, size: u64, names: &[String]) -> Wanted {
        let to = size.min(from + WINDOW);
        let mut types = vec![false; EventType::ALL.len()];
        let (mut objects, mut people, mut folders) = (false, false, false);
        for track in names.iter().filter_map(|name| self.tracks.get(name)) {
            track.selector.types().for_each(|of| types[of as usize] = true);
            objects |= track.selector.needs_object();
            folders |= track.selector.needs_folders();
            people |= track.address.definition.personal || track.selector.needs_people();
        }
        let types = EventType::ALL.iter().copied().filter(|of| types[*of as usize]).collect();
        Wanted { from, to, types, people, objects, folders }
    }

    /// The deliveries of one destination; `None` if nothing needs to be written.
    fn portion(&self, name: &str, window: &Window, now: Timestamp) -> Option<Portion> {
        let track = self.tracks.get(name)?;
        let personal = track.address.definition.personal;
        let mut selected: Vec<Arc<Sealed>> = window
            .events
            .iter()
            .filter(|(one, subject)| {
                let sealed = one.whole();
                let around = (subject.as_ref(), &window.folders);
                track.selector.holds(sealed.event(), sealed.index(), around, now)
            })
            .map(|(one, _)| one.shown(personal))
            .collect();
        // What fills no whole batch is read again with what follows it.
        let rest = selected.len() % track.batch_max;
        let end = match selected.get(selected.len() - rest) {
            Some(first) if window.is_cut && rest < selected.len() => first.index().0,
            _ => window.end,
        };
        selected.retain(|sealed| sealed.index().0 < end);
        let from = track.row.next_index;
        if selected.is_empty() && end.saturating_sub(from.0) < LAG_MAX {
            return None;
        }
        let batch_at = track.row.batch_at;
        let reason = if track.sends_again() { "replay" } else { "log" };
        let items = selected
            .chunks(track.batch_max)
            .map(|batch| item(&self.engine, name, reason, batch, now))
            .collect();
        let to = LogIndex(track.place_after(end));
        Some(Portion { name: name.to_owned(), from, to, batch_at, items })
    }

    /// Writes deliveries and moves cursors, then takes the deliveries up.
    async fn insert(&mut self, portions: Vec<Portion>) -> Result<(), Error> {
        if portions.is_empty() {
            return Ok(());
        }
        let portions = Arc::new(portions);
        let (written, token) = (portions.clone(), self.token.clone());
        let store = self.engine.0.store.clone();
        let lost: Vec<String> = store
            .transaction("delivery.fan_out", move |tx: &mut Tx| {
                let (portions, token) = (written.clone(), token.clone());
                Box::pin(async move {
                    let mut lost = Vec::new();
                    let mut rows: Vec<Delivery> = Vec::new();
                    for portion in portions.iter() {
                        let place = (portion.from, portion.to);
                        let (name, at) = (&portion.name, portion.batch_at);
                        if destination::move_cursor(tx, name, &token, place, at).await? {
                            rows.extend(portion.items.iter().map(|item| item.row.clone()));
                        } else {
                            lost.push(name.clone());
                        }
                    }
                    table::insert(tx, &rows).await?;
                    Ok::<_, Error>(lost)
                })
            })
            .await?;
        for name in &lost {
            self.tracks.remove(name);
        }
        for portion in portions.iter() {
            let Some(track) = self.tracks.get_mut(&portion.name) else { continue };
            track.moved(portion.to);
            track.waiting += portion.items.len() as u64;
            // One that fails may do so for long: the store keeps what waits for it.
            let fails = track.row.course.failures > 0 || track.failed > 0;
            let fits = track.queue.len() + portion.items.len() <= QUEUE_MAX;
            if track.complete && fits && !fails {
                track.queue.extend(portion.items.iter().cloned());
            } else {
                track.complete = false;
            }
        }
        Ok(())
    }

    /// Periodic destinations that have come to the end of the log wait for their next turn.
    async fn next_batches(&mut self, size: u64, now: Timestamp) -> Result<(), Error> {
        let token = self.token.clone();
        let mut moved = Vec::new();
        for (name, track) in &self.tracks {
            let definition = &track.address.definition;
            let hours = definition.every_hours.unwrap_or(1);
            let due = track.row.batch_at.is_some_and(|at| at <= now);
            if definition.runner == Runner::Periodic && due && track.seen >= size {
                let next = now.plus(hours * HOUR);
                moved.push((name.clone(), track.row.next_index, LogIndex(track.seen), next));
            }
        }
        if moved.is_empty() {
            return Ok(());
        }
        let rows = moved.clone();
        let store = self.engine.0.store.clone();
        store
            .transaction("delivery.batch", move |tx: &mut Tx| {
                let (token, rows) = (token.clone(), rows.clone());
                Box::pin(async move {
                    for (name, from, to, at) in rows {
                        destination::move_cursor(tx, &name, &token, (from, to), Some(at)).await?;
                    }
                    Ok::<(), Error>(())
                })
            })
            .await?;
        for (name, _, to, at) in moved {
            if let Some(track) = self.tracks.get_mut(&name) {
                track.moved(to);
                track.row.batch_at = Some(at);
            }
        }
        Ok(())
    }
}

/// A delivery of events.
pub(super) fn item(
    engine: &Engine,
    destination: &str,
    reason: &str,
    events: &[Arc<Sealed>],
    now: Timestamp,
) -> Item {
    let indexes: Vec<u64> = events.iter().map(|sealed| sealed.index().0).collect();
    let row = Delivery {
        id: engine.environment().id(),
        destination: destination.to_owned(),
        reason: reason.to_owned(),
        first_index: indexes.first().copied(),
        last_index: indexes.last().copied(),
        events: indexes.len() as u64,
        event_type: events.first().map(|sealed| sealed.event().type_name.to_string()),
        content: format!("{{\"events\":{indexes:?}}}"),
        state: "waiting".to_owned(),
        attempts: 0,
        next_at: now,
        created_at: now,
        first_attempt_at: None,
        last_attempt_at: None,
        completed_at: None,
        status: None,
        error: None,
    };
    Item { row, events: Some(events.to_vec()) }
}
