//! Whom the steps of a simulated event would tell: the very decision that the herald takes, with
//! the people, channels and profiles of now. Nothing is written; what a profile counts for its
//! frequency is counted on in memory.

use std::collections::{BTreeSet, HashMap};

use chancery_event::{Event, Target, Timestamp};
use chancery_store::Link;
use chancery_store::table::account;
use chancery_store::table::notification::{self, Stream};

use crate::Error;
use crate::automation::Book;
use crate::notification::book::Profiles;
use crate::notification::decide::{self, Case, Verdict};
use crate::notification::profile::BELL;
use crate::notification::recipient::Directory;
use crate::reaction::evaluate::Evaluation;
use crate::reaction::happening::Subject;
use crate::reaction::step::{Audience, Effect};

/// Who would be told, as things are now.
pub(super) struct Reach {
    profiles: Profiles,
    directory: Directory,
    /// What profiles have told already, in the log or in the simulation: by profile, object, type
    /// and threshold.
    streams: HashMap<[String; 4], Option<Stream>>,
}

/// What came of the steps of one event.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// `account:NAME`, `role:NAME`, `address:MAIL`, `channel:NAME`.
    pub(super) whom: BTreeSet<String>,
    /// Names of channels; `bell` is one.
    pub(super) channels: BTreeSet<String>,
    /// Notices that reach nobody, and why.
    pub(super) failed: Vec<String>,
}

impl Reach {
    pub(super) async fn read(link: &mut Link, book: &Book, now: Timestamp) -> Result<Self, Error> {
        let directory = Directory::read(link, now).await?;
        Ok(Self { profiles: Profiles::of(book), directory, streams: HashMap::new() })
    }

    /// Whom the steps of an event's evaluations tell at a time.
    pub(super) async fn of(
        &mut self,
        link: &mut Link,
        event: &Event,
        subject: Option<&Subject>,
        at: Timestamp,
        evaluations: &[Evaluation],
    ) -> Result<Told, Error> {
        let mut told = Told::default();
        for planned in evaluations.iter().flat_map(|one| &one.planned) {
            match &planned.effect {
                Effect::Notify { to, .. } => match bell(link, to, subject).await? {
                    Ok(whom) => {
                        told.whom.insert(whom);
                        told.channels.insert(BELL.to_owned());
                    }
                    Err(why) => told.failed.push(why),
                },
                Effect::Tell { profile, .. } => {
                    self.through(link, profile, (event, subject, at), &mut told).await?;
                }
                Effect::Impossible(reason) => told.failed.push(reason.clone()),
                _ => {}
            }
        }
        Ok(told)
    }

    /// What a profile decides about an event.
    async fn through(
        &mut self,
        link: &mut Link,
        name: &str,
        (event, subject, at): (&Event, Option<&Subject>, Timestamp),
        told: &mut Told,
    ) -> Result<(), Error> {
        let Some(named) = self.profiles.find(name).filter(|named| named.is_enabled) else {
            told.failed.push(format!("the profile {name} is switched off, or gone"));
            return Ok(());
        };
        let profile = &named.profile;
        let counts = profile.frequency.is_some() || profile.repetitions.is_some();
        let object = event.subject().map(Target::reference).unwrap_or_default();
        let key = [name.to_owned(), object, event.type_name.to_string(), decide::threshold(event)];
        if counts && !self.streams.contains_key(&key) {
            let [profile, object, event_type, threshold] = &key;
            let known = notification::stream(link, profile, object, event_type, threshold).await?;
            self.streams.insert(key.clone(), known);
        }
        let stream = self.streams.get(&key).and_then(Option::as_ref);
        let repetition = decide::repetition(profile, stream, None, at);
        let directory = &self.directory;
        let question =
            Case { profile, directory, event, subject, now: at, repetition, is_urgent: false };
        let decisions = question.decide();
        let mut why = BTreeSet::new();
        let mut tells = false;
        for decision in &decisions {
            match &decision.verdict {
                Verdict::Skip(reason) => {
                    why.insert(*reason);
                }
                Verdict::Send | Verdict::Hold(..) => {
                    tells = true;
                    told.channels.insert(decision.channel.clone());
                    told.whom.insert(match &decision.person {
                        None => format!("channel:{}", decision.channel),
                        Some(person) => {
                            let account = person.account;
                            match account.and_then(|id| self.directory.login_name(id)) {
                                Some(name) => format!("account:{name}"),
                                None => format!("address:{}", person.name),
                            }
                        }
                    });
                }
            }
        }
        if !tells && repetition.is_none() {
            let why: Vec<_> = why.into_iter().map(|word| word.replace('_', " ")).collect();
            told.failed.push(format!("by the profile {name}: {}", why.join(", ")));
        }
        if counts {
            let forget_at = at.plus(decide::forgotten_after(&named.profile));
            let next = counted(stream, named.profile.policy(), &key, (at, forget_at), tells);
            self.streams.insert(key, next);
        }
        Ok(())
    }
}

/// The stream after an event, as the herald counts it.
fn counted(
    known: Option<&Stream>,
    policy: String,
    key: &[String; 4],
    (at, forget_at): (Timestamp, Timestamp),
    tells: bool,
) -> Option<Stream> {
    match (known.cloned(), tells) {
        (Some(known), true) if known.policy == policy => {
            Some(Stream { sent: known.sent + 1, last_at: at, seen_at: at, forget_at, ..known })
        }
        (Some(known), false) => Some(Stream { seen_at: at, forget_at, ..known }),
        (None, false) => None,
        (_, true) => {
            let [profile, object, event_type, threshold] = key.clone();
            Some(Stream {
                profile,
                object,
                event_type,
                threshold,
                policy,
                sent: 1,
                first_at: at,
                last_at: at,
                seen_at: at,
                forget_at,
            })
        }
    }
}

/// Whom a step rings the bell for.
async fn bell(
    link: &mut Link,
    to: &Audience,
    subject: Option<&Subject>,
) -> Result<Result<String, String>, Error> {
    Ok(match to {
        Audience::Role(role) => Ok(format!("role:{role}")),
        Audience::Account(name) => match account::by_name(link, name).await? {
            Some(found) => Ok(format!("account:{}", found.name)),
            None => Err(format!("there is no account “{name}”")),
        },
        Audience::Owner => match subject.and_then(|subject| subject.owner.as_ref()) {
            Some(name) => Ok(format!("account:{name}")),
            None => Err("the certificate has no owner to tell".to_owned()),
        },
    })
}
