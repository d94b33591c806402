//! One attempt under way: what a delivery carries is put together and handed to its sender.
//!
//! Nothing is written here, and nothing is read inside of a transaction. Whatever a sender does, an
//! attempt ends: by its answer, by a fault that is caught, or by the clock.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chancery_event::envelope::PersonalPart;
use chancery_event::{LogIndex, Timestamp};
use chancery_store::log::{self, Sealed};
use futures::FutureExt as _;
use serde_json::Value;

use super::courier::Done;
use super::served::Item;
use super::{Address, Content, Delivery, Parcel, SendError, Sender, Sent, carried};
use crate::{Engine, Error};

/// One attempt ends after this, whatever the sender does.
const ATTEMPT_MAX: Duration = Duration::from_secs(90);
/// Events that are read at once for deliveries that are about to be sent.
const AT_HAND_MAX: usize = 2_048;

/// One attempt under way.
pub(super) struct Flight {
    pub(super) engine: Engine,
    pub(super) sender: Arc<dyn Sender>,
    pub(super) address: Arc<Address>,
    pub(super) item: Item,
    pub(super) now: Timestamp,
}

impl Flight {
    pub(super) async fn fly(self) -> Done {
        let started = std::time::Instant::now();
        let Self { engine, sender, address, item, now } = self;
        let Item { row, events } = item;
        let sending = async {
            let parcel = match parcel(&engine, &address, &row, events, now).await {
                Ok(parcel) => parcel,
                Err(error) => {
                    let failure = SendError::new("content", error.to_string());
                    return Sent::failed(Value::Null, failure);
                }
            };
            sender.send(address.clone(), parcel).await
        };
        let guarded = tokio::time::timeout(ATTEMPT_MAX, AssertUnwindSafe(sending).catch_unwind());
        let sent = match guarded.await {
            Ok(Ok(sent)) => sent,
            Ok(Err(_)) => {
                tracing::error!(destination = address.name, "a sender panicked");
                let message = "the program has a fault; its log says more";
                Sent::failed(Value::Null, SendError::new("internal", message))
            }
            Err(_) => {
                Sent::failed(Value::Null, SendError::new("timeout", "the attempt took too long"))
            }
        };
        Done {
            track: address.name.clone(),
            version: address.version,
            row,
            sent,
            at: engine.environment().now(),
            took_us: i64::try_from(started.elapsed().as_micros()).unwrap_or(i64::MAX),
        }
    }
}

/// Puts together what a delivery carries.
async fn parcel(
    engine: &Engine,
    address: &Address,
    row: &Delivery,
    events: Option<Vec<Arc<Sealed>>>,
    now: Timestamp,
) -> Result<Parcel, Error> {
    let content = match events {
        Some(events) => Content::Events(events),
        None => {
            let carried = carried(row)?;
            match carried.message {
                Some(message) => Content::Message(Box::new(message)),
                None => {
                    let found = carried_events(engine, &carried.events).await?;
                    Content::Events(shown(found, address.definition.personal))
                }
            }
        }
    };
    Ok(Parcel {
        id: row.id,
        created_at: row.created_at,
        now,
        attempt: row.attempts + 1,
        content,
        public_url: engine.settings().public_url.clone(),
    })
}

/// The events at these indexes, in order. What left the database is read from the archive, without
/// what was about people; where it is not there either, nothing is sent, rather than less.
async fn carried_events(engine: &Engine, indexes: &[u64]) -> Result<Vec<Arc<Sealed>>, Error> {
    let mut link = engine.link().await?;
    let mut found = log::at_indexes(&mut link, indexes).await?;
    drop(link);
    if found.len() < indexes.len() {
        let there: HashSet<u64> = found.iter().map(|sealed| sealed.index().0).collect();
        for index in indexes.iter().filter(|index| !there.contains(index)) {
            let entry = engine.archived_entry(LogIndex(*index)).await?;
            found.push(Sealed::archived(LogIndex(*index), entry)?);
        }
        found.sort_by_key(Sealed::index);
    }
    Ok(found.into_iter().map(Arc::new).collect())
}

/// Reads the events of deliveries that are about to be sent and are not in memory: many of them at
/// once, and each of them once, however many destinations it goes to.
pub(super) async fn at_hand(
    engine: &Engine,
    starting: &mut [(Arc<Address>, Item)],
) -> Result<(), Error> {
    let mut wanted: Vec<(usize, Vec<u64>)> = Vec::new();
    let mut indexes: BTreeSet<u64> = BTreeSet::new();
    for (place, (_, item)) in starting.iter().enumerate() {
        if item.events.is_some() || item.row.first_index.is_none() {
            continue;
        }
        // What cannot be read is the attempt's to tell.
        let Ok(carried) = carried(&item.row) else { continue };
        if carried.message.is_some() || indexes.len() + carried.events.len() > AT_HAND_MAX {
            continue;
        }
        indexes.extend(&carried.events);
        wanted.push((place, carried.events));
    }
    // A single one reads for itself, beside the loop.
    if wanted.len() < 2 {
        return Ok(());
    }
    let indexes: Vec<u64> = indexes.into_iter().collect();
    let mut link = engine.link().await?;
    let found = log::at_indexes(&mut link, &indexes).await?;
    drop(link);
    let found: HashMap<u64, Readable> =
        found.into_iter().map(|one| (one.index().0, Readable::new(Arc::new(one)))).collect();
    for (place, of) in wanted {
        let Some((address, item)) = starting.get_mut(place) else { continue };
        let personal = address.definition.personal;
        let events: Option<Vec<_>> =
            of.iter().map(|index| found.get(index).map(|one| one.shown(personal))).collect();
        // What left the database is in the archive, where the attempt looks for it.
        item.events = events;
    }
    Ok(())
}

/// An event as destinations are shown it.
pub(super) struct Readable {
    whole: Arc<Sealed>,
    /// Made once, for all who are not told about people.
    bare: OnceLock<Arc<Sealed>>,
}

impl Readable {
    pub(super) fn new(whole: Arc<Sealed>) -> Self {
        Self { whole, bare: OnceLock::new() }
    }

    /// All of it.
    pub(super) fn whole(&self) -> &Arc<Sealed> {
        &self.whole
    }

    /// Without what is about people, unless that is wanted.
    pub(super) fn shown(&self, personal: bool) -> Arc<Sealed> {
        match personal {
            true => self.whole.clone(),
            false => self.bare.get_or_init(|| bare(&self.whole)).clone(),
        }
    }
}

fn bare(sealed: &Arc<Sealed>) -> Arc<Sealed> {
    match sealed.event().personal {
        PersonalPart::Clear(_) => Arc::new(sealed.without_personal()),
        PersonalPart::None | PersonalPart::Committed(_) => sealed.clone(),
    }
}

/// Events without what is about people, unless that is wanted.
fn shown(events: Vec<Arc<Sealed>>, personal: bool) -> Vec<Arc<Sealed>> {
    if personal {
        return events;
    }
    events.iter().map(bare).collect()
}
