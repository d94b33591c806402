//! Recipients: who is meant by a profile for one event, and how each is reached.
//!
//! A directory is read once for many calls. Nothing is decided here: somebody without an address is
//! listed as somebody without an address.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chancery_event::id::AccountId;
use chancery_event::{Event, TargetKind, Timestamp};
use chancery_store::Link;
use chancery_store::table::account::{self, Account};
use chancery_store::table::certificate::AttributeValue;
use chancery_store::table::contact::{self, Contact, Refused};
use chancery_store::table::destination::{self, Destination};
use chancery_store::table::label::{self, Class as Label};

use super::profile::{Recipient, is_address};
use super::quiet::Quiet;
use crate::Error;
use crate::reaction::Subject;

/// Addresses taken from one attribute at most.
const CONTACTS_MAX: usize = 20;

/// Whether a channel has a receiver of its own: a chat has, and mail that says where it goes.
pub(crate) async fn receives(link: &mut Link, channel: &Destination) -> Result<bool, Error> {
    if channel.kind != "email" {
        return Ok(true);
    }
    let version = destination::version(link, &channel.name, channel.version).await?;
    let body: serde_json::Value =
        version.and_then(|version| serde_json::from_str(&version.body).ok()).unwrap_or_default();
    Ok(match &body["settings"]["to"] {
        serde_json::Value::Array(list) => !list.is_empty(),
        serde_json::Value::String(text) => !text.trim().is_empty(),
        _ => false,
    })
}

/// Everybody who can be told, and every channel.
pub(crate) struct Directory {
    accounts: BTreeMap<AccountId, Account>,
    contacts: HashMap<(String, String), Contact>,
    members: HashMap<String, Vec<AccountId>>,
    /// Identifiers of groups by their name in lower case.
    groups: HashMap<String, String>,
    /// Addresses that a server refused for good.
    pub(crate) refused: HashMap<String, Refused>,
    /// Channels by name.
    pub(crate) channels: BTreeMap<String, Destination>,
    /// Channels that have a receiver of their own: chats, and mail with addresses it goes to.
    receivers: BTreeSet<String>,
    /// Channels that refused one address after the other and took none: it is not the people.
    pub(crate) suspects: BTreeSet<String>,
}

/// An address that was refused for good is tried again after so long.
const LAPSES: i64 = 7 * Timestamp::DAY;
/// So many addresses refused in a row are no accident: the server refuses us, not them.
const SUSPICIOUS: usize = 3;

/// Which refusals are about people, and which channels are to be suspected instead.
fn judged(
    refused: Vec<Refused>,
    channels: &BTreeMap<String, Destination>,
    now: Timestamp,
) -> (HashMap<String, Refused>, BTreeSet<String>) {
    let is_newest = |one: &Refused| {
        let taken = channels.get(&one.channel).and_then(|row| row.course.last_success_at);
        taken.is_none_or(|taken| one.last_at > taken)
    };
    let mut in_a_row: BTreeMap<String, usize> = BTreeMap::new();
    for one in refused.iter().filter(|one| is_newest(one)) {
        *in_a_row.entry(one.channel.clone()).or_default() += 1;
    }
    let suspects: BTreeSet<String> = in_a_row
        .into_iter()
        .filter(|(channel, count)| *count >= SUSPICIOUS && channels.contains_key(channel))
        .map(|(channel, _)| channel)
        .collect();
    let counts = |one: &Refused| {
        let is_fresh = now.since(one.last_at) < LAPSES;
        is_fresh && !(suspects.contains(&one.channel) && is_newest(one))
    };
    let counting = refused.into_iter().filter(counts);
    (counting.map(|one| (one.address.clone(), one)).collect(), suspects)
}

/// Somebody who is meant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Person {
    /// The account; `None`: an address without one.
    pub(crate) account: Option<AccountId>,
    /// What people call them.
    pub(crate) name: String,
    /// Where mail goes.
    pub(crate) address: Option<String>,
    /// How chats mention them.
    pub(crate) chat: Option<String>,
    /// Their own quiet hours.
    pub(crate) quiet: Option<Quiet>,
    /// The account is disabled.
    pub(crate) is_disabled: bool,
    /// How the profile leads to them.
    pub(crate) paths: Vec<String>,
}

impl Directory {
    /// Reads everybody and every channel. An account past its end counts as disabled.
    pub(crate) async fn read(link: &mut Link, now: Timestamp) -> Result<Self, Error> {
        let mut accounts = account::all(link).await?;
        for account in &mut accounts {
            account.disabled |= account.expires_at.is_some_and(|end| end <= now);
        }
        let contacts = contact::all(link).await?;
        let mut members: HashMap<String, Vec<AccountId>> = HashMap::new();
        for (group, account) in contact::members(link).await? {
            members.entry(group).or_default().push(account);
        }
        let groups = label::all(link, Label::Group).await?;
        let refused = contact::refused(link).await?;
        let channels = destination::all(link, Some("channel")).await?;
        let channels: BTreeMap<String, Destination> =
            channels.into_iter().map(|one| (one.name.clone(), one)).collect();
        let mut receivers = BTreeSet::new();
        for channel in channels.values() {
            if receives(link, channel).await? {
                receivers.insert(channel.name.clone());
            }
        }
        let (refused, suspects) = judged(refused, &channels, now);
        Ok(Self {
            accounts: accounts.into_iter().map(|one| (one.id, one)).collect(),
            contacts: contacts.into_iter().map(|c| ((c.kind.clone(), c.id.clone()), c)).collect(),
            members,
            groups: groups.into_iter().map(|one| (one.name.to_lowercase(), one.id)).collect(),
            refused,
            channels,
            receivers,
            suspects,
        })
    }

    /// The login name of an account.
    pub(crate) fn login_name(&self, id: AccountId) -> Option<&str> {
        self.accounts.get(&id).map(|account| account.name.as_str())
    }

    /// The people that recipients mean for an event, each once, with every path that leads to them.
    pub(crate) fn people(
        &self,
        recipients: &[Recipient],
        event: &Event,
        subject: Option<&Subject>,
    ) -> Vec<Person> {
        let mut found = People::default();
        for recipient in recipients {
            let path = recipient.spelled();
            match recipient {
                Recipient::Nobody => {}
                Recipient::Default => self.concerned(&mut found, event, subject),
                Recipient::Owner => self.owner(&mut found, subject, &path),
                Recipient::Groups => self.groups_of(&mut found, subject, &path),
                Recipient::Account(name) => {
                    let named = self.accounts.values().find(|account| account.name == *name);
                    named.into_iter().for_each(|account| found.add(self.person(account, &path)));
                }
                Recipient::Role(role) => {
                    let with = |account: &&Account| account.role == role.as_str();
                    for account in self.accounts.values().filter(with) {
                        if !account.disabled {
                            found.add(self.person(account, &path));
                        }
                    }
                }
                Recipient::Group(name) => self.group(&mut found, name, &path),
                Recipient::ObjectContact(attribute) => {
                    for address in addresses(subject, attribute) {
                        found.add(by_address(&address, &path));
                    }
                }
                Recipient::Address(address) => found.add(by_address(address, &path)),
            }
        }
        found.list
    }

    /// Whether everybody reads the same message of a channel.
    pub(crate) fn is_shared(&self, channel: &str) -> bool {
        let kind = self.channels.get(channel).map(|one| one.kind.as_str());
        channel != super::profile::BELL && kind != Some("email")
    }

    /// Whether a channel has a receiver of its own, whoever a profile names.
    pub(crate) fn receives(&self, channel: &str) -> bool {
        self.receivers.contains(channel)
    }

    /// An account as somebody who is told.
    pub(crate) fn account(&self, id: AccountId) -> Option<Person> {
        self.accounts.get(&id).map(|account| self.person(account, ""))
    }

    /// The addresses of everybody with a role who can log in, each once, without those that are
    /// refused.
    pub(crate) fn addresses_of(&self, role: crate::Role) -> Vec<String> {
        let with = |account: &&Account| account.role == role.as_str() && !account.disabled;
        let people = self.accounts.values().filter(with).map(|account| self.person(account, ""));
        let addresses: BTreeSet<String> = people
            .filter_map(|person| person.address)
            .filter(|address| !self.refused.contains_key(address))
            .collect();
        addresses.into_iter().collect()
    }

    /// An address as somebody who is told: the list of a group, if it is one.
    pub(crate) fn address(&self, address: &str) -> Person {
        let list = |contact: &&Contact| {
            contact.kind == "group" && contact.email.as_deref() == Some(address)
        };
        let group = self.contacts.values().find(list);
        let known = by_address(address, "");
        let Some(group) = group else { return known };
        Person { chat: group.chat.clone(), quiet: quiet(group), ..known }
    }

    /// Whom an event concerns by itself.
    fn concerned(&self, found: &mut People, event: &Event, subject: Option<&Subject>) {
        if subject.is_some() {
            self.owner(found, subject, "default: owner");
            self.groups_of(found, subject, "default: groups");
            return;
        }
        let ids = event
            .targets
            .iter()
            .filter(|target| target.kind == TargetKind::Account)
            .map(|target| (target.id.as_str(), "default: about them"));
        let actor = event.actor.id.as_deref().map(|id| (id, "default: did it"));
        for (id, path) in ids.chain(actor) {
            let account = id.parse().ok().and_then(|id: AccountId| self.accounts.get(&id));
            account.into_iter().for_each(|account| found.add(self.person(account, path)));
        }
    }

    fn owner(&self, found: &mut People, subject: Option<&Subject>, path: &str) {
        let owner = subject.and_then(|subject| subject.row.owner);
        let account = owner.and_then(|id| self.accounts.get(&id));
        account.into_iter().for_each(|account| found.add(self.person(account, path)));
    }

    fn groups_of(&self, found: &mut People, subject: Option<&Subject>, path: &str) {
        for name in subject.into_iter().flat_map(|subject| &subject.groups) {
            self.group(found, name, &format!("{path}: {name}"));
        }
    }

    fn group(&self, found: &mut People, name: &str, path: &str) {
        let Some(id) = self.groups.get(&name.to_lowercase()) else { return };
        for member in self.members.get(id).into_iter().flatten() {
            if let Some(account) = self.accounts.get(member) {
                found.add(self.person(account, path));
            }
        }
        if let Some(list) = self.list(name) {
            found.add(Person { paths: vec![path.to_owned()], ..list });
        }
    }

    /// The list and the chat of a group, where it has any.
    pub(crate) fn list(&self, name: &str) -> Option<Person> {
        let id = self.groups.get(&name.to_lowercase())?;
        let contact = self.contacts.get(&("group".to_owned(), id.clone()))?;
        let is_reached = contact.email.is_some() || contact.chat.is_some();
        is_reached.then(|| Person {
            account: None,
            name: name.to_owned(),
            address: contact.email.clone(),
            chat: contact.chat.clone(),
            quiet: quiet(contact),
            is_disabled: false,
            paths: Vec::new(),
        })
    }

    fn person(&self, account: &Account, path: &str) -> Person {
        let contact = self.contacts.get(&("account".to_owned(), account.id.to_string()));
        let own = contact.and_then(|contact| contact.email.clone());
        Person {
            account: Some(account.id),
            name: account.display_name.clone(),
            address: own.or_else(|| account.email.clone()).map(|address| address.to_lowercase()),
            chat: contact.and_then(|contact| contact.chat.clone()),
            quiet: contact.and_then(quiet),
            is_disabled: account.disabled,
            paths: vec![path.to_owned()],
        }
    }
}

/// The group whose list a decision is for, by the paths that led to it; `None`: it is for an
/// address as such, or an account.
pub(crate) fn group_of(paths: &[String]) -> Option<&str> {
    paths.iter().find_map(|path| {
        let path = path.strip_prefix("fallback: ").unwrap_or(path);
        let path = path.strip_prefix("escalation: ").unwrap_or(path);
        let path = path.strip_prefix("default: ").unwrap_or(path);
        path.strip_prefix("group:").or_else(|| path.strip_prefix("groups: "))
    })
}

/// An address is an address. That an account says it is its own changes nothing about it: neither
/// its quiet hours nor its end silence what others rely on.
fn by_address(address: &str, path: &str) -> Person {
    Person {
        account: None,
        name: address.to_owned(),
        address: Some(address.to_owned()),
        chat: None,
        quiet: None,
        is_disabled: false,
        paths: vec![path.to_owned()],
    }
}

fn quiet(contact: &Contact) -> Option<Quiet> {
    Quiet::parse(&contact.quiet).ok().flatten()
}

/// Mail addresses in a custom attribute of a certificate.
fn addresses(subject: Option<&Subject>, attribute: &str) -> Vec<String> {
    let values = subject.into_iter().flat_map(|subject| &subject.attributes);
    let texts = values.filter_map(|(name, _, value)| match value {
        AttributeValue::Text(text) if name == attribute => Some(text.as_str()),
        _ => None,
    });
    texts
        .flat_map(|text| text.split([',', ';', ' ', '\n']))
        .map(|part| part.trim().to_lowercase())
        .filter(|part| is_address(part))
        .take(CONTACTS_MAX)
        .collect()
}

/// People, each once: by account, else by address.
#[derive(Default)]
struct People {
    list: Vec<Person>,
}

impl People {
    fn add(&mut self, person: Person) {
        let same = |known: &&mut Person| match (known.account, person.account) {
            (Some(one), Some(other)) => one == other,
            (Some(_), None) | (None, Some(_)) => false,
            (None, None) => known.address == person.address && known.name == person.name,
        };
        match self.list.iter_mut().find(same) {
            None => self.list.push(person),
            Some(known) => {
                for path in person.paths {
                    if !known.paths.contains(&path) {
                        known.paths.push(path);
                    }
                }
            }
        }
    }
}
