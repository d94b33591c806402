//! A monitor ready to work: its definition with the filter compiled, and what it has to do with
//! objects that are silent.

use std::collections::{HashMap, HashSet};

use chancery_event::filter::{Filter, Schema};
use chancery_event::id::{CertificateId, GroupId};
use chancery_event::{Target, Timestamp};
use chancery_store::table::attribute::{self, Attribute};
use chancery_store::table::certificate::search::{Bounds, Search, schema};
use chancery_store::table::certificate::{Certificate, Name};
use chancery_store::table::label::{self, Class};
use chancery_store::table::monitor::{self as table, Span, Watch};
use chancery_store::{Link, Tx};

use super::definition::Definition;
use super::threshold::Course;
use crate::Error;
use crate::inventory::summary_of;

/// A monitor ready to work.
#[derive(Clone, Debug)]
pub(crate) struct Active {
    pub(crate) name: String,
    pub(crate) version: i64,
    pub(crate) definition: Definition,
    filter: Option<Scope>,
}

#[derive(Clone, Debug)]
struct Scope {
    filter: Filter,
    schema: Schema,
    attributes: Vec<Attribute>,
}

/// A certificate as a look sees it.
pub(crate) struct Subject {
    pub(crate) row: Certificate,
    pub(crate) names: Vec<Name>,
    pub(crate) groups: Vec<GroupId>,
    /// The name of its RA profile, where that is told.
    pub(crate) ra_profile: Option<String>,
}

impl Subject {
    /// Its summary for events, and itself as a target.
    pub(crate) fn told(&self) -> (chancery_event::types::certificate::CertificateSummary, Target) {
        let (mut summary, target) = summary_of(&self.row, &self.names);
        summary.group_ids.clone_from(&self.groups);
        summary.ra_profile.clone_from(&self.ra_profile);
        (summary, target)
    }
}

/// Why an object is not reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Silence {
    /// A stable word: `archived`, `replaced`, `filtered`.
    pub(crate) reason: &'static str,
    /// The object that keeps it silent.
    pub(crate) held_by: Option<String>,
}

/// Why a certificate is silent that the filter leaves out.
const FILTERED: &str = "filtered";

impl Active {
    /// Makes a monitor ready; the filter needs the custom attributes of now.
    ///
    /// # Errors
    /// [`Error::Invalid`] at `/filter`.
    pub(crate) async fn new(
        link: &mut Link,
        name: &str,
        version: i64,
        definition: Definition,
    ) -> Result<Self, Error> {
        let filter = match &definition.filter {
            None => None,
            Some(text) => {
                let attributes = attribute::all(link).await?;
                let schema = schema(&attributes);
                let filter = Filter::parse(text, &schema)
                    .map_err(|error| Error::invalid("/filter", error.to_string()))?;
                Some(Scope { filter, schema, attributes })
            }
        };
        Ok(Self { name: name.to_owned(), version, definition, filter })
    }

    /// Its filter.
    pub(super) fn filter(&self) -> Option<&Filter> {
        self.filter.as_ref().map(|scope| &scope.filter)
    }

    /// When something silent is looked at again although nothing happens to it: its filter may come
    /// to hold as time passes.
    pub(super) fn looks_again(&self, silence: &Silence, now: Timestamp) -> Option<Timestamp> {
        let is_relative = self.filter().is_some_and(Filter::is_relative);
        (silence.reason == FILTERED && is_relative).then(|| now.plus(Timestamp::DAY))
    }

    /// Whether a certificate is among those it looks at, as far as its filter says at a time.
    pub(crate) fn covers(&self, subject: &crate::reaction::Subject, at: Timestamp) -> bool {
        let Some(scope) = &self.filter else { return true };
        let compiled = scope.filter.compile(&scope.schema);
        compiled.is_ok_and(|filter| filter.holds(&subject.searchable(), at.micros()))
    }

    /// The thresholds of an object.
    pub(crate) fn course(&self, start: Timestamp, end: Timestamp) -> Course {
        let repeat = self.definition.repeat.as_ref().map(|(_, micros)| *micros);
        Course::new(&self.definition.thresholds, repeat, start, end)
    }

    /// When an object is looked at next once everything up to `handled` was told. Being used
    /// records no event: what is about use is looked at again before it could be due if it were
    /// used now.
    pub(crate) fn next_look(&self, span: &Span, handled: Timestamp, now: Timestamp) -> Timestamp {
        let next = self.course(span.start, span.end).next_after(handled);
        let anew = match self.definition.kind.is_about_use() {
            true => self.course(span.start, now).next_after(now),
            false => None,
        };
        next.into_iter().chain(anew).min().unwrap_or(table::NEVER)
    }

    /// A row for an object that is watched from now on, or whose times may have changed. What was
    /// silent is looked at again at once: it may not be silent any more.
    pub(crate) fn watch(&self, span: &Span, known: Option<&Watch>, now: Timestamp) -> Watch {
        let handled = known.map_or(Timestamp::FIRST, |watch| watch.handled);
        let mut due_at = self.next_look(span, handled, now);
        if known.is_some_and(was_silent) {
            due_at = due_at.min(now);
        }
        match known {
            Some(known) => Watch { due_at, ..known.clone() },
            None => Watch {
                object: span.object.clone(),
                due_at,
                handled,
                held_by: None,
                verdict: String::new(),
                looked_at: None,
            },
        }
    }

    /// Which of these certificates are silent now, and why.
    pub(crate) async fn silences(
        &self,
        tx: &mut Link,
        subjects: &HashMap<String, Subject>,
        now: Timestamp,
    ) -> Result<HashMap<String, Silence>, Error> {
        let selected = self.selected(tx, subjects, now).await?;
        let mut silences = HashMap::new();
        for (id, subject) in subjects {
            let silent = |reason, held_by| Silence { reason, held_by };
            if subject.row.archived {
                silences.insert(id.clone(), silent("archived", None));
            } else if selected.as_ref().is_some_and(|some| !some.contains(&subject.row.id)) {
                silences.insert(id.clone(), silent(FILTERED, None));
            } else if self.definition.suppress_if_replaced
                && let Some(successor) = successor(tx, &subject.row, now).await?
            {
                silences.insert(id.clone(), silent("replaced", Some(successor.to_string())));
            }
        }
        Ok(silences)
    }

    async fn selected(
        &self,
        link: &mut Link,
        subjects: &HashMap<String, Subject>,
        now: Timestamp,
    ) -> Result<Option<HashSet<CertificateId>>, Error> {
        let Some(scope) = &self.filter else { return Ok(None) };
        let search = Search {
            filter: &scope.filter,
            schema: &scope.schema,
            attributes: &scope.attributes,
            now_us: now.micros(),
            bounds: Bounds::default(),
        };
        let mut ids: Vec<_> = subjects.values().map(|subject| subject.row.id).collect();
        ids.sort();
        Ok(Some(search.among(link, &ids).await?))
    }
}

/// Whether an object was silent at the last look.
pub(crate) fn was_silent(watch: &Watch) -> bool {
    !matches!(watch.verdict.as_str(), "" | "fired")
}

/// Reads certificates with names, groups and RA profiles.
pub(crate) async fn subjects(
    tx: &mut Tx,
    ids: &[String],
) -> Result<HashMap<String, Subject>, Error> {
    let found = table::certificates(tx, ids).await?;
    let has_profile = found.values().any(|(row, ..)| row.ra_profile.is_some());
    let profiles: HashMap<String, String> = match has_profile {
        true => {
            label::all(tx, Class::RaProfile).await?.into_iter().map(|l| (l.id, l.name)).collect()
        }
        false => HashMap::new(),
    };
    let subject = |(id, (row, names, groups)): (String, (Certificate, Vec<Name>, Vec<GroupId>))| {
        let ra_profile = row.ra_profile.and_then(|id| profiles.get(&id.to_string()).cloned());
        (id, Subject { row, names, groups, ra_profile })
    };
    Ok(found.into_iter().map(subject).collect())
}

/// The successor that keeps a certificate silent, if one does.
async fn successor(
    link: &mut Link,
    row: &Certificate,
    now: Timestamp,
) -> Result<Option<CertificateId>, Error> {
    if row.replaced_by.is_none() {
        return Ok(None);
    }
    Ok(table::successor(link, row, |successor| holds(row, successor, now)).await?)
}

/// Whether a successor takes the place of a certificate: it is watched itself, nothing says that
/// it does not work, and it leaves no gap that is still to come. One that has expired counts, for
/// it is reported itself; one that is not trusted counts if it is from the same issuer.
fn holds(row: &Certificate, successor: &Certificate, now: Timestamp) -> bool {
    let works = match successor.status.as_str() {
        "revoked" | "invalid" => false,
        "untrusted" => successor.issuer_key == row.issuer_key,
        _ => true,
    };
    works && !successor.archived && successor.not_before <= row.not_after.max(now)
}
