//! The courier: serves the destinations that this node has a lease on.
//!
//! The loop takes no input (invariant 7): a signal, a timer and the end of an attempt wake the same
//! code. A round renews leases, turns sealed events into deliveries, starts attempts, and books
//! what came of them. A destination is served by one node at a time; what is booked names the
//! lease, so that a node that lost it changes nothing.
//!
//! While receipts are being committed, attempts go on: a commit is shared by all that has landed
//! since the last one. A destination that keeps an order, or that fails, waits for its receipts.
//!
//! A node that meets an event which only a newer one can read gives its leases back and rests: the
//! newer one takes them.
//!
//! A crash before a receipt is booked leaves the delivery waiting: it is sent again under the same
//! identifier. Memory is bounded: [`FLIGHT_MAX`] attempts at a time, a thousand of a
//! destination that are not booked, [`QUEUE_MAX`] of its deliveries in memory, [`AHEAD_MAX`] in the
//! store before it; beyond that the log itself is the queue.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use chancery_event::{LogIndex, Timestamp};
use chancery_store::Tx;
use chancery_store::table::delivery::{self as table, Delivery};
use chancery_store::table::destination::{self, Destination};
use chancery_store::table::lease::Term;
use futures::FutureExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::flight::{Flight, at_hand};
use super::receipt::{Booked, Page};
use super::selection::Selector;
use super::served::{Item, Track, fill};
use super::window::Ahead;
use super::{Address, Sender, Sent};
use crate::{Engine, Error};

/// How long a lease lasts.
pub(super) const LEASE: i64 = 60 * Timestamp::SECOND;
/// Leases are renewed when so much of them is left.
const RENEW: i64 = 40 * Timestamp::SECOND;
/// Cursors are written at least so far apart, where nothing was found.
const PLACE: i64 = 2 * Timestamp::SECOND;
/// Destinations that one node serves at most.
const TRACKS_MAX: usize = 5_000;
/// Attempts under way at a time.
const FLIGHT_MAX: usize = 1_024;
/// Attempts under way at destinations that fail: the others never wait for them.
const FAILING_MAX: usize = FLIGHT_MAX / 2;
/// Deliveries of one destination in memory.
pub(super) const QUEUE_MAX: usize = 4_096;
/// Deliveries of one destination that wait in the store before the log is read on.
pub(super) const AHEAD_MAX: u64 = 8_192;
/// Attempts booked in one transaction.
const BOOK_MAX: usize = 512;
const TICK: Duration = Duration::from_secs(1);
/// How long a node leaves its destinations to others that it gave back because it cannot read what
/// they are to get: longer than any of them goes without looking for free ones.
const REST: Duration = Duration::from_micros((LEASE - RENEW) as u64 * 2);
/// How often deliveries that are kept no longer are deleted.
const SWEEP: Duration = Duration::from_secs(3_600);
/// How long attempts under way may take when the program stops.
const GRACE: Duration = Duration::from_secs(8);

/// What came of one attempt.
pub(super) struct Done {
    pub(super) track: String,
    pub(super) version: i64,
    pub(super) row: Delivery,
    pub(super) sent: Sent,
    pub(super) at: Timestamp,
    pub(super) took_us: i64,
}

/// What ended beside the loop.
enum Ended {
    /// An attempt.
    Attempt(Box<Done>),
    /// The commit of receipts.
    Booked(Result<Booked, Error>),
}

/// The state of the loop.
pub(crate) struct Courier {
    pub(super) engine: Engine,
    pub(super) sender: Arc<dyn Sender>,
    pub(super) token: String,
    pub(super) tracks: BTreeMap<String, Track>,
    pub(super) ahead: Ahead,
    flights: JoinSet<Ended>,
    done: Vec<Done>,
    /// Receipts that are being committed.
    booking: Option<Arc<Vec<Page>>>,
    /// What came of that.
    booked: Option<Result<Booked, Error>>,
    /// The destination whose turn comes first.
    turn: String,
    /// Destinations whose alert is known: when they were changed, and why they cannot work, if they
    /// cannot.
    told: HashMap<String, (Timestamp, Option<String>)>,
    leased_at: Option<Timestamp>,
    /// Until when it takes no lease.
    rests: Option<Instant>,
    placed_at: Option<Timestamp>,
    pub(super) lag_looked_at: Option<Timestamp>,
    changed: watch::Receiver<u64>,
}

/// Serves destinations until `stop` is set.
pub(crate) async fn run(engine: Engine, sender: Arc<dyn Sender>, mut stop: watch::Receiver<bool>) {
    let mut sealed = engine.sealed();
    if engine.settings().database.is_none()
        && let Err(error) = release_all(&engine).await
    {
        tracing::warn!(%error, "leases of a program that died are waited for");
    }
    let mut courier = Courier::new(engine, sender);
    let mut wake = courier.changed.clone();
    let mut sweeping = tokio::time::interval(SWEEP);
    let mut sweeper: Option<tokio::task::JoinHandle<()>> = None;
    loop {
        sealed.mark_unchanged();
        let mut more = false;
        let rests = courier.rests.is_some_and(|until| Instant::now() < until);
        match if rests { Ok(false) } else { courier.round().await } {
            Ok(progress) => more = progress,
            Err(error) => {
                tracing::error!(%error, "deliveries failed");
                if error.is_unreadable() {
                    courier.give_way().await;
                }
                courier.forget().await;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        if *stop.borrow() {
            courier.end().await;
            if let Some(sweeper) = sweeper {
                sweeper.abort();
            }
            return;
        }
        let idle = sweeper.as_ref().is_none_or(tokio::task::JoinHandle::is_finished);
        if idle && sweeping.tick().now_or_never().is_some() {
            // Beside the loop: leases must not wait for it.
            let engine = courier.engine.clone();
            sweeper = Some(tokio::spawn(async move {
                if let Err(error) = super::again::sweep(&engine).await {
                    tracing::error!(%error, "old deliveries were not deleted");
                }
            }));
        }
        if more {
            tokio::task::yield_now().await;
            continue;
        }
        tokio::select! {
            _ = sealed.changed() => {}
            _ = wake.changed() => {}
            _ = stop.changed() => {}
            Some(ended) = courier.flights.join_next() => courier.ended(ended),
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

impl Courier {
    pub(crate) fn new(engine: Engine, sender: Arc<dyn Sender>) -> Self {
        let token = engine.lease_token();
        let changed = engine.0.destinations.subscribe();
        Self {
            engine,
            sender,
            token,
            tracks: BTreeMap::new(),
            ahead: Ahead::default(),
            flights: JoinSet::new(),
            done: Vec::new(),
            booking: None,
            booked: None,
            turn: String::new(),
            told: HashMap::new(),
            leased_at: None,
            rests: None,
            placed_at: None,
            lag_looked_at: None,
            changed,
        }
    }

    /// Does what can be done now; true if there is more.
    pub(crate) async fn round(&mut self) -> Result<bool, Error> {
        self.hold().await?;
        self.collect();
        let booked = self.settle().await?;
        let read = match self.fan_out().await {
            // What waits already goes on, also where nobody else takes the destinations over.
            Err(error) if error.is_unreadable() => {
                self.start_attempts().await?;
                return Err(error);
            }
            read => read?,
        };
        if self.changed.has_changed().unwrap_or(false) {
            // What was read may be younger than what is known of destinations.
            return Ok(true);
        }
        self.look_for_lag().await?;
        let now = self.engine.environment().now();
        if !read && self.placed_at.is_none_or(|at| now.since(at) >= PLACE) {
            self.placed_at = Some(now);
            self.persist_places().await?;
        }
        let started = self.start_attempts().await?;
        Ok(booked || read || started)
    }

    /// Waits until every attempt under way has ended, and books them.
    pub(crate) async fn land(&mut self) -> Result<(), Error> {
        loop {
            let more = self.settle().await?;
            match self.flights.join_next().await {
                Some(ended) => self.ended(ended),
                None if more => {}
                None => return Ok(()),
            }
        }
    }

    /// Waits until no receipts are being committed: what is written about destinations next, or
    /// read of them, must not be older.
    pub(super) async fn all_booked(&mut self) -> Result<(), Error> {
        while self.booking.is_some() && self.booked.is_none() {
            match self.flights.join_next().await {
                Some(ended) => self.ended(ended),
                // Cut short: nobody knows what came of it.
                None => return Err(Error::Internal("receipts were cut short".to_owned())),
            }
        }
        self.take_up_booked().await
    }

    async fn take_up_booked(&mut self) -> Result<(), Error> {
        let Some(result) = self.booked.take() else { return Ok(()) };
        let Some(pages) = self.booking.take() else { return Ok(()) };
        self.take_up(&pages, result?);
        Ok(())
    }

    /// Takes leases and takes up what changed about destinations.
    async fn hold(&mut self) -> Result<(), Error> {
        let now = self.engine.environment().now();
        let fresh = self.leased_at.is_some_and(|at| {
            let age = now.since(at);
            (0..LEASE - RENEW).contains(&age)
        });
        if fresh && !self.changed.has_changed().unwrap_or(false) {
            return Ok(());
        }
        self.all_booked().await?;
        self.changed.mark_unchanged();
        let kicked = {
            let kicked = &self.engine.0.kicked;
            std::mem::take(&mut *kicked.lock().unwrap_or_else(PoisonError::into_inner))
        };
        self.persist_places().await?;
        self.lease(!fresh).await?;
        if !fresh {
            self.leased_at = Some(now);
        }
        let mut link = self.engine.link().await?;
        let held = destination::held(&mut link, &self.token).await?;
        let names: HashSet<&str> = held.iter().map(|row| row.name.as_str()).collect();
        self.tracks.retain(|name, _| names.contains(name.as_str()));
        self.told.retain(|name, _| names.contains(name.as_str()));
        let attributes = chancery_store::table::attribute::all(&mut link).await?;
        let mut works: Vec<(String, (Timestamp, Option<String>))> = Vec::new();
        for row in held {
            let changed_at = row.changed_at;
            let known = self.tracks.get_mut(&row.name).filter(|t| t.row.version == row.version);
            if let Some(track) = known {
                // Somebody may have put deliveries back, set it back, or switched it off and on.
                let anew = !fresh || kicked.contains(&row.name);
                if anew {
                    track.waiting = table::waiting_count(&mut link, &row.name, AHEAD_MAX).await?;
                }
                track.take_up(row, anew);
                continue;
            }
            let name = row.name.clone();
            match self.track(&mut link, row, &attributes).await {
                Ok(mut track) => {
                    // What is under way stays so, whatever version it began under.
                    if let Some(old) = self.tracks.remove(&name) {
                        track.flying = old.flying;
                        track.in_the_air = old.in_the_air;
                    }
                    self.tracks.insert(name.clone(), track);
                    works.push((name, (changed_at, None)));
                }
                Err(error) => {
                    tracing::error!(destination = name, %error, "a destination cannot work");
                    self.tracks.remove(&name);
                    works.push((name, (changed_at, Some(error.to_string()))));
                }
            }
        }
        drop(link);
        works.retain(|one| self.told.get(&one.0) != Some(&one.1));
        self.tell_whether_it_works(&works).await?;
        self.told.extend(works);
        Ok(())
    }

    /// Takes destinations that nobody serves; with `renew`, keeps those that this node serves.
    async fn lease(&self, renew: bool) -> Result<(), Error> {
        let (token, term) = (self.token.clone(), Term::of(self.engine.lease_time(), LEASE));
        let store = self.engine.0.store.clone();
        store
            .transaction("delivery.lease", move |tx: &mut Tx| {
                let token = token.clone();
                Box::pin(async move {
                    destination::lease(tx, &token, TRACKS_MAX, renew, term).await?;
                    Ok::<(), Error>(())
                })
            })
            .await
    }

    async fn track(
        &self,
        link: &mut chancery_store::Link,
        row: Destination,
        attributes: &[chancery_store::table::attribute::Attribute],
    ) -> Result<Track, Error> {
        let address = self.engine.address(link, &row).await?;
        let mut secrets = address.secrets.clone();
        let checked = self.sender.check(&address.definition, &mut secrets)?;
        let batch_max = address.definition.batch_max.unwrap_or(checked.batch_max).max(1);
        let selector = Selector::new(&address.definition.select, attributes)?;
        let waiting = table::waiting_count(link, &row.name, AHEAD_MAX).await?;
        Ok(Track::new(row, address, selector, batch_max, waiting))
    }

    /// Drops what is in memory: it may differ from what was committed.
    async fn forget(&mut self) {
        // What is on its way into the store is not sent again.
        while self.booking.is_some() && self.booked.is_none() {
            let Some(ended) = self.flights.join_next().await else { break };
            self.ended(ended);
        }
        (self.booking, self.booked) = (None, None);
        self.tracks.clear();
        self.ahead.forget();
        self.leased_at = None;
        self.done.clear();
        self.flights = JoinSet::new();
    }

    /// Takes what has ended without waiting.
    fn collect(&mut self) {
        while self.done.len() < BOOK_MAX {
            let Some(ended) = self.flights.try_join_next() else { return };
            self.ended(ended);
        }
    }

    fn ended(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        match ended {
            Ok(Ended::Attempt(done)) => {
                if let Some(track) = self.tracks.get_mut(&done.track) {
                    track.landed(done.sent.failure.is_none());
                }
                self.done.push(*done);
            }
            Ok(Ended::Booked(result)) => self.booked = Some(result),
            // Cancelled with the courier itself; a panic is caught within.
            Err(error) => tracing::error!(%error, "an attempt was cut short"),
        }
    }

    /// Takes up what was booked, and begins to book what has landed since; true if there was
    /// either.
    async fn settle(&mut self) -> Result<bool, Error> {
        let booked = self.booked.is_some();
        self.take_up_booked().await?;
        if self.booking.is_some() || self.done.is_empty() {
            return Ok(booked);
        }
        let done = std::mem::take(&mut self.done);
        let pages = Arc::new(self.pages(done));
        let writing = self.write(pages.clone());
        self.booking = Some(pages);
        self.flights.spawn(async move {
            let written = AssertUnwindSafe(writing).catch_unwind().await;
            Ended::Booked(
                written.unwrap_or_else(|_| {
                    Err(Error::Internal("writing receipts panicked".to_owned()))
                }),
            )
        });
        Ok(true)
    }

    /// Starts attempts; true if any.
    async fn start_attempts(&mut self) -> Result<bool, Error> {
        let now = self.engine.environment().now();
        let fails = |track: &Track| track.row.course.failures > 0;
        let mut failing: usize =
            self.tracks.values().filter(|track| fails(track)).map(|t| t.in_the_air).sum();
        let mut starting: Vec<(Arc<Address>, Item)> = Vec::new();
        for name in self.turns(now) {
            let under_way = self.flights.len() + starting.len();
            if under_way >= FLIGHT_MAX {
                self.turn = name;
                break;
            }
            let Some(track) = self.tracks.get_mut(&name) else { continue };
            let mut room = track.room(now).min(FLIGHT_MAX - under_way);
            if fails(track) {
                room = room.min(FAILING_MAX.saturating_sub(failing));
                failing += room;
            }
            if room == 0 {
                continue;
            }
            if track.due_at.is_some_and(|due| due <= now) {
                track.complete = false;
                track.due_at = None;
            }
            if track.row.course.open_until.is_some() && track.flying.is_empty() {
                track.queue.clear();
                track.complete = false;
            }
            if track.queue.is_empty() && !track.complete {
                fill(&self.engine, track, now).await?;
            }
            for _ in 0..room {
                let Some(item) = track.queue.pop_front() else { break };
                track.flying.insert(item.row.id);
                track.in_the_air += 1;
                starting.push((track.address.clone(), item));
            }
        }
        let started = !starting.is_empty();
        at_hand(&self.engine, &mut starting).await?;
        for (address, item) in starting {
            let (engine, sender) = (self.engine.clone(), self.sender.clone());
            let flight = Flight { engine, sender, address, item, now };
            self.flights.spawn(async move { Ended::Attempt(Box::new(flight.fly().await)) });
        }
        Ok(started)
    }

    /// The destinations that may have something to start. Whoever had no turn when the last round
    /// was full comes first in this one.
    fn turns(&self, now: Timestamp) -> Vec<String> {
        let may = |track: &Track| {
            let due = track.due_at.is_some_and(|due| due <= now);
            let probe = track.row.course.open_until.is_some();
            (due || probe || !track.complete || !track.queue.is_empty()) && track.room(now) > 0
        };
        let after = self.tracks.range(self.turn.clone()..);
        let before = self.tracks.range(..self.turn.clone());
        after.chain(before).filter(|(_, track)| may(track)).map(|(name, _)| name.clone()).collect()
    }

    /// Writes how far the log was looked through without finding anything.
    async fn persist_places(&mut self) -> Result<(), Error> {
        let moved: Vec<_> = self
            .tracks
            .values()
            .filter(|track| track.seen > track.row.next_index.0)
            .map(|track| {
                let row = &track.row;
                (row.name.clone(), row.next_index, LogIndex(track.seen), row.batch_at)
            })
            .collect();
        if moved.is_empty() {
            return Ok(());
        }
        let token = self.token.clone();
        let rows = moved.clone();
        let store = self.engine.0.store.clone();
        store
            .transaction("delivery.place", move |tx: &mut Tx| {
                let (token, rows) = (token.clone(), rows.clone());
                Box::pin(async move {
                    for (name, from, to, batch_at) in rows {
                        destination::move_cursor(tx, &name, &token, (from, to), batch_at).await?;
                    }
                    Ok::<(), Error>(())
                })
            })
            .await?;
        for (name, _, to, _) in moved {
            if let Some(track) = self.tracks.get_mut(&name) {
                track.moved(to);
            }
        }
        Ok(())
    }

    /// Leaves its destinations to others for a while: a node of a newer version can read what this
    /// one cannot.
    async fn give_way(&mut self) {
        tracing::warn!("destinations are left to a newer node: upgrade this one");
        self.end().await;
        self.rests = Some(Instant::now() + REST);
    }

    /// Ends in order: attempts under way may finish, leases are given back.
    async fn end(&mut self) {
        let landed = tokio::time::timeout(GRACE, self.land()).await;
        if !matches!(landed, Ok(Ok(()))) {
            tracing::warn!("attempts under way were left; they will be made again");
        }
        let result = async {
            self.persist_places().await?;
            let token = self.token.clone();
            let store = self.engine.0.store.clone();
            store
                .transaction("delivery.release", move |tx: &mut Tx| {
                    let token = token.clone();
                    Box::pin(async move {
                        destination::release(tx, &token).await?;
                        Ok::<(), Error>(())
                    })
                })
                .await
        };
        if let Err(error) = result.await {
            tracing::warn!(%error, "the leases of destinations were not given back");
        }
    }
}

/// Takes back leases that a program which died has left. The embedded store has one program at a
/// time, so that nobody else can hold one.
async fn release_all(engine: &Engine) -> Result<(), Error> {
    let store = engine.0.store.clone();
    store
        .transaction("delivery.release_all", |tx: &mut Tx| {
            Box::pin(async move { Ok::<(), Error>(destination::release_all(tx).await?) })
        })
        .await
}
