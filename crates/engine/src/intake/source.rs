//! Setting up sources: who may send, in which dialect, with which secret, from which addresses, and
//! what is fetched.

use chancery_event::Timestamp;
use chancery_event::dialect::Dialect;
use chancery_event::types::configuration as types;
use chancery_store::table::intake::{self as table, PollCourse, Source};
use serde_json::Value;

use super::poll::{Poll, PollWish};
use super::poller::failing_key;
use super::roster::{check_addresses, check_certificates, listed};
use super::target;
use crate::access::{random_text, sha256};
use crate::configuration::{Changes, shortened, taken};
use crate::delivery::ready;
use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission, Secret};

/// The class of sources in events about configuration.
const CLASS: &str = "intake_source";
/// Sources at most.
const SOURCES_MAX: usize = 200;

/// A source to be made.
#[derive(Clone, Default)]
pub struct NewSource {
    /// 1 to 60 lower-case letters, digits and hyphens; it stands in the address it sends to.
    pub name: String,
    /// Name of the dialect it speaks.
    pub dialect: String,
    /// Ranges of addresses it sends syslog from; with `certificates`, both must fit. Without
    /// either it may send none.
    pub addresses: Vec<String>,
    /// Client certificates it sends syslog with: SHA-256 fingerprints, or names.
    pub certificates: Vec<String>,
    /// What is fetched from it.
    pub poll: Option<PollWish>,
}

/// A change of a source. What is absent stays.
#[derive(Clone, Default)]
pub struct SourceChange {
    /// Whether it may send.
    pub enabled: Option<bool>,
    /// It gets a new secret; the old one ends at once.
    pub renew_secret: bool,
    /// As [`NewSource::addresses`].
    pub addresses: Option<Vec<String>>,
    /// As [`NewSource::certificates`].
    pub certificates: Option<Vec<String>>,
    /// What is fetched from it. With `since` it begins again there.
    pub poll: Option<PollWish>,
    /// Nothing is fetched from it any more.
    pub stop_polling: bool,
}

/// A source that was just made, or got a new secret.
pub struct CreatedSource {
    /// Its name.
    pub name: String,
    /// Its secret; never shown again.
    pub secret: Secret<String>,
}

/// A source without its secret.
#[derive(Clone, Debug)]
pub struct SourceView {
    /// Its name.
    pub name: String,
    /// The dialect it speaks.
    pub dialect: String,
    /// Whether it may send.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Events taken in.
    pub accepted: i64,
    /// Events that were there already.
    pub repeated: i64,
    /// Events taken in whose code is not known.
    pub unknown: i64,
    /// Bodies that could not be read.
    pub refused: i64,
    /// When something came last.
    pub last_at: Option<Timestamp>,
    /// What was wrong last; only with [`Permission::PersonalRead`], because it may repeat what was
    /// sent.
    pub last_problem: Option<String>,
    /// Lines of syslog for which there was no room.
    pub dropped: i64,
    /// Ranges of addresses it sends syslog from.
    pub addresses: Vec<String>,
    /// Client certificates it sends syslog with.
    pub certificates: Vec<String>,
    /// What is fetched from it.
    pub poll: Option<PollView>,
}

/// What is fetched from a source, and how that goes.
#[derive(Clone, Debug)]
pub struct PollView {
    /// The address of the other system.
    pub url: String,
    /// Its filter.
    pub filter: Option<String>,
    /// How often is asked, in seconds.
    pub every_s: u32,
    /// Since when.
    pub since: Timestamp,
    /// It has trust anchors of its own.
    pub has_ca: bool,
    /// When it is asked next.
    pub next_at: Option<Timestamp>,
    /// When the other system last answered as it should.
    pub answered_at: Option<Timestamp>,
    /// Failures in a row.
    pub failures: i64,
    /// Why it failed last.
    pub error: Option<String>,
}

impl Engine {
    /// All sources, by name.
    ///
    /// # Errors
    /// The caller may not see them.
    pub async fn intake_sources(&self, context: &Context) -> Result<Vec<SourceView>, Error> {
        context.require(Permission::IntakeRead)?;
        let people = context.may(Permission::PersonalRead);
        let rows = table::all(&mut self.link().await?).await?;
        rows.into_iter().map(|row| view(row, people)).collect()
    }

    /// Makes a source (operation `configuration.create`).
    ///
    /// # Errors
    /// The name or the dialect cannot be accepted, or the name is taken.
    pub async fn create_intake_source(
        &self,
        context: &Context,
        new: NewSource,
    ) -> Result<CreatedSource, Error> {
        let attempt = types::Create {
            class: CLASS.into(),
            object_id: None,
            object_name: Some(shortened(&new.name)),
            changes: Vec::new(),
        };
        let operation = self.operation(context, Permission::IntakeWrite, &attempt)?;
        let checked = match context.require(Permission::IntakeWrite) {
            Ok(()) => self.checked_source(&new).await,
            Err(error) => Err(error),
        };
        let (operation, row) = ready(operation, checked).await?;
        operation
            .run(move |tx, scribe| {
                let (mut row, attempt) = (row.clone(), attempt.clone());
                Box::pin(async move {
                    if table::all(tx).await?.len() >= SOURCES_MAX {
                        let message = format!("there are {SOURCES_MAX} sources already");
                        return Err(Error::Conflict { reason: "too_many", message });
                    }
                    let secret = format!("chi_{}", random_text(scribe.environment()));
                    row.secret_hash = sha256(&secret);
                    row.created_at = scribe.now();
                    table::insert(tx, &row).await.map_err(taken("a source"))?;
                    let mut changes = Changes::default();
                    changes.note("dialect", Value::Null, row.dialect.clone().into());
                    note(&mut changes, None, &row);
                    let payload = types::Create {
                        object_id: Some(row.name.clone()),
                        changes: changes.sealed(),
                        ..attempt
                    };
                    let draft = Draft::new(&payload)?.target(target(&row.name));
                    let value = CreatedSource { name: row.name, secret: Secret::new(secret) };
                    Ok(Done { value, draft: changes.complete(draft) })
                })
            })
            .await
    }

    /// Changes a source; answers its new secret, if it got one (operation `configuration.update`).
    ///
    /// # Errors
    /// There is no such source, or a member cannot be accepted.
    pub async fn update_intake_source(
        &self,
        context: &Context,
        name: &str,
        change: SourceChange,
    ) -> Result<Option<CreatedSource>, Error> {
        let name = shortened(name);
        let attempt = types::Update {
            class: CLASS.into(),
            object_id: Some(name.clone()),
            object_name: Some(name.clone()),
            changes: Vec::new(),
        };
        let operation =
            self.operation(context, Permission::IntakeWrite, &attempt)?.about(target(&name));
        let checked = match context.require(Permission::IntakeWrite) {
            Ok(()) => self.changed_source(&name, &change).await,
            Err(error) => Err(error),
        };
        let (operation, edited) = ready(operation, checked).await?;
        operation
            .run(move |tx, scribe| {
                let (name, attempt) = (name.clone(), attempt.clone());
                let (change, edited) = (change.clone(), edited.clone());
                Box::pin(async move {
                    let found = table::find(tx, &name).await?;
                    let old = found.ok_or_else(|| Error::not_found("source", &name))?;
                    let mut row = edited.onto(old.clone(), scribe.now());
                    let mut changes = Changes::default();
                    note(&mut changes, Some(&old), &row);
                    let secret = change
                        .renew_secret
                        .then(|| format!("chi_{}", random_text(scribe.environment())));
                    if let Some(secret) = &secret {
                        changes.note("secret", Value::Null, "renewed".into());
                        row.secret_hash = sha256(secret);
                    }
                    table::update(tx, &row).await?;
                    if row.poll.is_none() || !row.enabled {
                        let key = failing_key(&name);
                        crate::alert::resolve(tx, scribe, &key, "disabled").await?;
                    }
                    let payload = types::Update { changes: changes.sealed(), ..attempt };
                    let draft = Draft::new(&payload)?.target(target(&name));
                    let value =
                        secret.map(|secret| CreatedSource { name, secret: Secret::new(secret) });
                    Ok(Done { value, draft })
                })
            })
            .await
    }

    /// The row of a new source, without its secret.
    async fn checked_source(&self, new: &NewSource) -> Result<Source, Error> {
        check_name(&new.name)?;
        let dialect = readable(&new.dialect)?;
        let now = self.environment().now();
        let mut row = Source {
            name: new.name.clone(),
            dialect: dialect.name().to_owned(),
            secret_hash: [0; 32],
            enabled: true,
            created_at: now,
            accepted: 0,
            repeated: 0,
            unknown: 0,
            refused: 0,
            last_at: None,
            last_problem: None,
            dropped: 0,
            addresses: written(&check_addresses(&new.addresses)?),
            certificates: written(&check_certificates(&new.certificates)?),
            poll: None,
            poll_secrets: None,
            course: PollCourse::default(),
        };
        if let Some(wish) = &new.poll {
            let (poll, secrets) = self.checked_poll(&new.name, dialect, wish, None).await?;
            (row.poll, row.poll_secrets) = (Some(poll.written()?), Some(secrets));
            row.course.due_at = Some(now);
        }
        Ok(row)
    }

    /// What a change makes of a source.
    async fn changed_source(&self, name: &str, change: &SourceChange) -> Result<Edited, Error> {
        let found = table::find(&mut self.link().await?, name).await?;
        let row = found.ok_or_else(|| Error::not_found("source", name))?;
        type Check = fn(&[String]) -> Result<Vec<String>, Error>;
        let list = |given: &Option<Vec<String>>, check: Check| {
            given.as_deref().map(|list| check(list).map(|list| written(&list))).transpose()
        };
        let mut edited = Edited {
            enabled: change.enabled,
            addresses: list(&change.addresses, check_addresses)?,
            certificates: list(&change.certificates, check_certificates)?,
            stop_polling: change.stop_polling,
            ..Edited::default()
        };
        if let Some(wish) = &change.poll {
            let dialect = readable(&row.dialect)?;
            let mut wish = wish.clone();
            let before = row.poll.as_deref().map(Poll::read).transpose()?;
            let since_given = wish.since.is_some();
            if let Some(before) = &before {
                wish = wish.over(before);
            }
            // A token goes to the system that it was given for, and to no other.
            let same = before
                .as_ref()
                .is_some_and(|poll| poll.url == wish.url.trim().trim_end_matches('/'));
            let kept = row.poll_secrets.as_deref().filter(|_| same);
            let (poll, secrets) = self.checked_poll(name, dialect, &wish, kept).await?;
            edited.begin_again = since_given || !same;
            // The place belongs to the question that it was an answer to.
            edited.ask_again = before.is_some_and(|before| before.filter != poll.filter);
            edited.poll = Some((poll.written()?, secrets));
        }
        Ok(edited)
    }

    /// Deletes a source (operation `configuration.delete`); its events stay.
    ///
    /// # Errors
    /// There is no such source.
    pub async fn delete_intake_source(&self, context: &Context, name: &str) -> Result<(), Error> {
        let name = shortened(name);
        let attempt = types::Delete {
            class: CLASS.into(),
            object_id: Some(name.clone()),
            object_name: Some(name.clone()),
            certificates: None,
        };
        self.operation(context, Permission::IntakeWrite, &attempt)?
            .about(target(&name))
            .run(move |tx, scribe| {
                let (name, attempt) = (name.clone(), attempt.clone());
                Box::pin(async move {
                    if !table::delete(tx, &name).await? {
                        return Err(Error::not_found("source", &name));
                    }
                    crate::alert::resolve(tx, scribe, &failing_key(&name), "deleted").await?;
                    let draft = Draft::new(&attempt)?.target(target(&name));
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }
}

/// A change, checked.
#[derive(Clone, Default)]
struct Edited {
    enabled: Option<bool>,
    addresses: Option<String>,
    certificates: Option<String>,
    poll: Option<(String, Vec<u8>)>,
    begin_again: bool,
    ask_again: bool,
    stop_polling: bool,
}

impl Edited {
    fn onto(self, mut row: Source, now: Timestamp) -> Source {
        row.enabled = self.enabled.unwrap_or(row.enabled);
        row.addresses = self.addresses.unwrap_or(row.addresses);
        row.certificates = self.certificates.unwrap_or(row.certificates);
        if let Some((poll, secrets)) = self.poll {
            (row.poll, row.poll_secrets) = (Some(poll), Some(secrets));
            if self.begin_again {
                row.course = PollCourse::default();
            }
            if self.ask_again {
                row.course.next = None;
            }
            // What was wrong may be right now.
            row.course.due_at = Some(now);
        }
        if self.stop_polling {
            (row.poll, row.poll_secrets, row.course) = (None, None, PollCourse::default());
        }
        row
    }
}

/// Notes what a person set.
fn note(changes: &mut Changes, old: Option<&Source>, new: &Source) {
    let list = |text: &String| Some(text.clone()).filter(|list| list != "[]");
    let members = |row: &Source| [list(&row.addresses), list(&row.certificates), row.poll.clone()];
    let before = old.map(members).unwrap_or_default();
    let names = ["addresses", "certificates", "poll"];
    for ((name, old), new) in names.into_iter().zip(before).zip(members(new)) {
        changes.note(name, old.into(), new.into());
    }
    if let Some(old) = old {
        changes.note("enabled", old.enabled.into(), new.enabled.into());
        if old.poll_secrets != new.poll_secrets && new.poll_secrets.is_some() {
            changes.note("poll_token", Value::Null, "given".into());
        }
    }
}

fn written(list: &[String]) -> String {
    Value::from(list.to_vec()).to_string()
}

fn view(row: Source, people: bool) -> Result<SourceView, Error> {
    let (addresses, certificates) = listed(&row)?;
    let course = row.course;
    let poll = row.poll.as_deref().map(Poll::read).transpose()?.map(|poll| PollView {
        url: poll.url,
        filter: poll.filter,
        every_s: poll.every_s,
        since: poll.since,
        has_ca: poll.ca.is_some(),
        next_at: course.due_at,
        answered_at: course.done_at,
        failures: course.failing,
        error: course.error,
    });
    Ok(SourceView {
        name: row.name,
        dialect: row.dialect,
        enabled: row.enabled,
        created_at: row.created_at,
        accepted: row.accepted,
        repeated: row.repeated,
        unknown: row.unknown,
        refused: row.refused,
        last_at: row.last_at,
        last_problem: row.last_problem.filter(|_| people),
        dropped: row.dropped,
        addresses,
        certificates,
        poll,
    })
}

fn check_name(name: &str) -> Result<(), Error> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=60).contains(&name.len()) && name.chars().all(fits) && !name.starts_with('-') {
        return Ok(());
    }
    Err(Error::invalid("name", "1 to 60 lower-case letters, digits and hyphens"))
}

/// A dialect that can be read. Modes of one system are one here.
fn readable(name: &str) -> Result<Dialect, Error> {
    let found =
        Dialect::named(name).map_err(|error| Error::invalid("dialect", error.to_string()))?;
    Ok(match found {
        Dialect::CloudEventsBinary => Dialect::CloudEvents,
        Dialect::OktaHook => Dialect::Okta,
        Dialect::AkeylessTypes => Dialect::Akeyless,
        other => other,
    })
}
