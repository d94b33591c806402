//! What was held and is due: all of one profile, channel and recipient, as one message.
//!
//! [`Bundle::read`] decides again by what counts now, outside of any transaction. [`Work::release`]
//! ends the decisions first and tells only of those that it ended itself: a node that wakes after
//! it lost its lease finds nothing left to send.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use chancery_event::id::{AccountId, AlertId, DeliveryId, EventId, NoticeId, NotificationId};
use chancery_event::{Severity, Timestamp};
use chancery_store::log::{self, Sealed};
use chancery_store::table::notice::{self, Notice, Whose};
use chancery_store::table::notification::{self, Call};
use chancery_store::{Link, Tx};

use super::book::{Named, Profiles};
use super::compose::{self, Composed, DIGEST_MAX, Many};
use super::recipient::{Directory, Person, group_of};
use super::write::{self, Woken, Work};
use super::{decide, herald};
use crate::Error;
use crate::reaction::Subject;

/// Decisions read at a time.
const PAGE: usize = 500;

/// What is needed of a decision until it is sent: there may be very many of one recipient, and they
/// are one message all the same.
struct Held {
    id: NoticeId,
    call: NotificationId,
    event_id: EventId,
    severity: Option<Severity>,
    heading: Arc<str>,
    alert: Option<AlertId>,
    whom: Arc<Whom>,
}

/// Whom a chat mentions for a decision.
#[derive(PartialEq, Eq, Hash)]
struct Whom {
    account: Option<AccountId>,
    address: Option<String>,
    /// The list of this group.
    group: Option<String>,
}

/// Texts and people that many decisions share, each once.
#[derive(Default)]
struct Shared {
    headings: HashSet<Arc<str>>,
    people: HashSet<Arc<Whom>>,
}

impl Shared {
    fn held(&mut self, row: Notice) -> Held {
        let group = group_of(&paths(&row)).map(str::to_owned);
        let whom = Arc::new(Whom { account: row.account, address: row.address, group });
        Held {
            id: row.id,
            call: row.call,
            event_id: row.event_id,
            severity: Severity::parse(&row.severity),
            heading: one_of(&mut self.headings, row.heading.into()),
            alert: row.alert,
            whom: one_of(&mut self.people, whom),
        }
    }
}

fn one_of<T: ?Sized + Eq + Hash>(known: &mut HashSet<Arc<T>>, new: Arc<T>) -> Arc<T> {
    if let Some(found) = known.get(&new) {
        return found.clone();
    }
    known.insert(new.clone());
    new
}

/// An event as a digest shows it.
struct Shown {
    sealed: Sealed,
    subject: Option<Subject>,
    call: Option<Call>,
}

/// What is due of one profile, channel and recipient.
pub(crate) struct Bundle {
    profile: String,
    channel: String,
    /// Whom mail goes to; `None`: whoever reads the channel.
    person: Option<Person>,
    /// What is not sent, by reason.
    skipped: BTreeMap<&'static str, Vec<NoticeId>>,
    /// What goes to the list of a group by another address now, by that address.
    moved: BTreeMap<String, Vec<NoticeId>>,
    /// What waits on, by reason and time.
    later: BTreeMap<(&'static str, Timestamp), Vec<NoticeId>>,
    /// What is sent.
    rows: Vec<Held>,
    /// The events that are shown; the others are counted.
    shown: HashMap<EventId, Shown>,
}

impl Bundle {
    /// Reads all that belongs together with a decision that is due.
    pub(crate) async fn read(
        link: &mut Link,
        profiles: &Profiles,
        directory: &Directory,
        first: &Notice,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let whose = match (directory.is_shared(&first.channel), first.account) {
            (true, _) => Whose::Everybody,
            (false, Some(account)) => Whose::Account(account),
            (false, None) => Whose::Address(first.address.as_deref()),
        };
        let of = (first.profile.as_str(), first.channel.as_str());
        let mut bundle = Self {
            profile: first.profile.clone(),
            channel: first.channel.clone(),
            person: None,
            skipped: BTreeMap::new(),
            moved: BTreeMap::new(),
            later: BTreeMap::new(),
            rows: Vec::new(),
            shown: HashMap::new(),
        };
        let (mut after, mut shared) = (None, Shared::default());
        loop {
            let rows = notice::due(link, of, whose, now, (after, PAGE)).await?;
            let is_last = rows.len() < PAGE;
            after = rows.last().map(|row| row.id);
            bundle.decide(rows, whose, (profiles, directory), now, &mut shared);
            if is_last {
                break;
            }
        }
        bundle.show(link).await?;
        Ok(bundle)
    }

    /// Decides again: who is gone is not told, what has to wait waits on.
    fn decide(
        &mut self,
        rows: Vec<Notice>,
        whose: Whose<'_>,
        (profiles, directory): (&Profiles, &Directory),
        now: Timestamp,
        shared: &mut Shared,
    ) {
        self.person = match whose {
            Whose::Everybody => None,
            Whose::Account(account) => directory.account(account),
            Whose::Address(address) => address.map(|address| directory.address(address)),
        };
        let named = profiles.find(&self.profile).filter(|named| named.is_enabled);
        let is_gone = self.person.is_none() && matches!(whose, Whose::Account(_));
        let obstacle = match named {
            None => Some("profile_off"),
            Some(_) if is_gone => Some("disabled_account"),
            Some(_) => decide::obstacle(directory, self.person.as_ref(), &self.channel),
        };
        let own = self.person.as_ref().and_then(|person| person.quiet.as_ref());
        for row in rows {
            // The list of a group is where the group says now, as an account's address is.
            match moved(&row, directory).filter(|_| matches!(whose, Whose::Address(_))) {
                None => {}
                Some(Some(address)) => {
                    self.moved.entry(address).or_default().push(row.id);
                    continue;
                }
                Some(None) => {
                    self.skipped.entry("no_address").or_default().push(row.id);
                    continue;
                }
            }
            let severity = Severity::parse(&row.severity).unwrap_or(Severity::Info);
            let later =
                named.and_then(|named| decide::later(&named.profile, own, severity, row.at, now));
            match (obstacle, later) {
                (Some(reason), _) => self.skipped.entry(reason).or_default().push(row.id),
                (None, Some(wait)) => self.later.entry(wait).or_default().push(row.id),
                (None, None) => self.rows.push(shared.held(row)),
            }
        }
    }

    /// Reads the events that are shown: the gravest, as many as fit. What cannot be read is not
    /// told of, and says so.
    async fn show(&mut self, link: &mut Link) -> Result<(), Error> {
        let mut order: Vec<&Held> = self.rows.iter().collect();
        order.sort_by_key(|row| (Reverse(row.severity), row.id));
        let (mut shown, mut unread) = (HashMap::new(), HashMap::new());
        for row in order {
            if shown.len() == DIGEST_MAX {
                break;
            }
            if shown.contains_key(&row.event_id) || unread.contains_key(&row.event_id) {
                continue;
            }
            match read(link, row).await {
                Ok(Some(found)) => {
                    shown.insert(row.event_id, found);
                }
                Ok(None) => {
                    unread.insert(row.event_id, "event_missing");
                }
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => {
                    tracing::error!(%error, event = %row.event_id, "a held notice cannot be read");
                    unread.insert(row.event_id, "failed");
                }
            }
        }
        self.shown = shown;
        for row in std::mem::take(&mut self.rows) {
            match unread.get(&row.event_id) {
                Some(reason) => self.skipped.entry(reason).or_default().push(row.id),
                None => self.rows.push(row),
            }
        }
        Ok(())
    }

    /// Every decision of it.
    pub(crate) fn ids(&self) -> Vec<NoticeId> {
        let waiting = self.skipped.values().chain(self.later.values()).chain(self.moved.values());
        let waiting = waiting.flatten().copied();
        waiting.chain(self.rows.iter().map(|row| row.id)).collect()
    }

    /// The profile.
    pub(crate) fn profile(&self) -> &str {
        &self.profile
    }

    /// Whom a chat mentions.
    fn mentions(&self, rows: &[&Held], directory: &Directory) -> Vec<String> {
        let mut seen = HashSet::new();
        let mut people = Vec::new();
        for row in rows {
            let whom = &row.whom;
            if !seen.insert(whom) {
                continue;
            }
            let list = whom.group.as_deref().and_then(|group| directory.list(group));
            let person = match (whom.account, whom.address.as_deref()) {
                (Some(account), _) => directory.account(account),
                (None, Some(address)) => list.or_else(|| Some(directory.address(address))),
                (None, None) => list,
            };
            people.extend(person.filter(|person| !person.is_disabled));
        }
        write::mentions(&people.iter().collect::<Vec<_>>())
    }
}

fn paths(row: &Notice) -> Vec<String> {
    serde_json::from_str(&row.paths).unwrap_or_default()
}

/// Where a decision for the list of a group goes now, if that is not where it went: `Some(None)`
/// where the group has no list any more, or is gone.
fn moved(row: &Notice, directory: &Directory) -> Option<Option<String>> {
    let paths = paths(row);
    let group = group_of(&paths)?;
    let now = directory.list(group).and_then(|list| list.address);
    (now != row.address).then_some(now)
}

async fn read(link: &mut Link, row: &Held) -> Result<Option<Shown>, Error> {
    let Some(sealed) = log::by_id(link, row.event_id).await? else { return Ok(None) };
    let subject = herald::subject(link, sealed.event()).await?;
    let call = notification::find(link, row.call).await?;
    Ok(Some(Shown { sealed, subject, call }))
}

impl Work {
    /// Ends what is due for one recipient and channel, and sends it as one message.
    pub(super) async fn release(
        &self,
        tx: &mut Tx,
        bundle: &Bundle,
        woken: &mut Woken,
    ) -> Result<(), Error> {
        for (reason, ids) in &bundle.skipped {
            let settled = notice::settle(tx, ids, None, reason).await?;
            if *reason == "failed" && !settled.is_empty() {
                self.given_up(tx, &bundle.profile, "its event cannot be read").await?;
            }
        }
        for ((reason, until), ids) in &bundle.later {
            notice::hold(tx, ids, reason, *until).await?;
        }
        // Decided with what else goes there, by the next round.
        for (address, ids) in &bundle.moved {
            notice::readdress(tx, ids, address).await?;
        }
        let Some(named) = self.profiles.find(&bundle.profile) else { return Ok(()) };
        // Another profile may have told of the same event meanwhile.
        let address = bundle.person.as_ref().and_then(|person| person.address.as_deref());
        let events: HashSet<EventId> = bundle.rows.iter().map(|row| row.event_id).collect();
        let events: Vec<EventId> = events.into_iter().collect();
        let whose = match (address, self.directory.is_shared(&bundle.channel)) {
            (None, true) => Whose::Everybody,
            (address, _) => Whose::Address(address),
        };
        let told = notice::sent_of(tx, &bundle.channel, whose, &events).await?;
        let (again, due): (Vec<&Held>, Vec<&Held>) =
            bundle.rows.iter().partition(|row| told.contains(&row.event_id));
        let ids = |rows: &[&Held]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
        notice::settle(tx, &ids(&again), None, "duplicate").await?;
        let delivery = self.engine.environment().id::<DeliveryId>();
        let mine = notice::settle(tx, &ids(&due), Some(delivery), "").await?;
        let rows: Vec<&Held> = due.into_iter().filter(|row| mine.contains(&row.id)).collect();
        let Some(first) = rows.first() else { return Ok(()) };
        let Composed { mut message, problem } = self.digest(named, bundle, &rows);
        if self.is_mail(&bundle.channel) {
            message.recipients = address.map(str::to_owned).into_iter().collect();
        }
        self.send(tx, delivery, &bundle.channel, &message, woken).await?;
        if named.lacks_template || problem.is_some() {
            notice::remark(tx, delivery, "template").await?;
        }
        self.template_told(tx, named, first.event_id, problem).await
    }

    fn digest(&self, named: &Named, bundle: &Bundle, rows: &[&Held]) -> Composed {
        let mut many = Many::default();
        let mut seen = HashSet::new();
        for row in rows {
            if !seen.insert(row.event_id) {
                continue;
            }
            let Some(shown) = bundle.shown.get(&row.event_id) else {
                *many.more.entry(row.heading.to_string()).or_default() += 1;
                continue;
            };
            let call = shown.call.as_ref();
            let words = |of: fn(&Call) -> &String| call.map_or("", |call| of(call).as_str());
            let names = (named.name.as_str(), words(|call| &call.trigger), bundle.channel.as_str());
            let texts = (words(|call| &call.title), words(|call| &call.message));
            let (sealed, subject) = (&shown.sealed, shown.subject.clone());
            let person = bundle.person.as_ref();
            let mut notified = write::notified(&self.engine, names, texts, sealed, subject, person);
            notified.alert = row.alert;
            notified.candidate = call.and_then(write::candidate);
            many.shown.push((row.heading.to_string(), notified));
        }
        let kind = self.kind(&bundle.channel);
        let whom = match bundle.person {
            Some(_) => Vec::new(),
            None => bundle.mentions(rows, &self.directory),
        };
        compose::digest(&named.template, &many, kind, &whom)
    }
}
