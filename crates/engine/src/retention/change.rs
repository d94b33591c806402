//! Setting up rules, placing and ending legal holds. Each is one operation.

use chancery_event::id::CertificateId;
use chancery_event::types::configuration as types;
use chancery_event::types::log as log_types;
use chancery_store::log::{self, Count};
use chancery_store::table::certificate;
use chancery_store::table::retention::{self as table, Hold, Rule};

use super::{Basis, MANY, filter_of, target};
use crate::configuration::{Changes, same_version, shortened, taken};
use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission};

/// The class of rules in events about configuration.
const CLASS: &str = "retention_rule";
const HOLD: &str = "legal_hold";
const FILTER_MAX: usize = 4_000;

/// A rule as somebody wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleDraft {
    /// 1 to 60 lower-case letters, digits and hyphens.
    pub name: String,
    /// Which events, in the condition language; empty: all.
    pub filter: String,
    /// From what its days count: `event` or `expiry`.
    pub basis: String,
    /// 1 to 36,500 days.
    pub after_days: u32,
    /// Whether it is followed.
    pub enabled: bool,
}

/// A legal hold as somebody wants it. Either a filter or a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HoldDraft {
    /// 1 to 60 lower-case letters, digits and hyphens.
    pub name: String,
    /// Which events, in the condition language; `*` for every event.
    pub filter: String,
    /// Identifier of a certificate: every event about it.
    pub certificate: String,
    /// Why; for people.
    pub reason: String,
}

/// A legal hold that was placed, and what that means at once.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The hold.
    pub hold: Hold,
    /// Events in the database that it names now; `None`: the caller may not know, or they could not
    /// be counted.
    pub events: Option<Count>,
}

fn check_name(name: &str) -> Result<(), Error> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=60).contains(&name.len()) && name.chars().all(fits) && !name.starts_with('-') {
        return Ok(());
    }
    Err(Error::invalid("name", "1 to 60 lower-case letters, digits and hyphens"))
}

fn check_filter(text: &str) -> Result<String, Error> {
    let text = text.trim();
    if text.len() > FILTER_MAX {
        return Err(Error::invalid("filter", format!("at most {FILTER_MAX} bytes")));
    }
    filter_of(text)?;
    Ok(text.to_owned())
}

impl RuleDraft {
    fn check(&self) -> Result<Self, Error> {
        check_name(&self.name)?;
        let filter = check_filter(&self.filter)?;
        if Basis::parse(&self.basis).is_none() {
            return Err(Error::invalid("basis", "event or expiry"));
        }
        self.check_days()?;
        Ok(Self { filter, ..self.clone() })
    }

    pub(super) fn check_days(&self) -> Result<(), Error> {
        if (1..=36_500).contains(&self.after_days) {
            return Ok(());
        }
        Err(Error::invalid("after_days", "days between 1 and 36500"))
    }

    fn changes(&self, before: Option<&Rule>) -> Changes {
        let mut changes = Changes::default();
        let old = |value: Option<serde_json::Value>| value.unwrap_or(serde_json::Value::Null);
        let was = |read: fn(&Rule) -> serde_json::Value| old(before.map(read));
        changes.note("basis", was(|rule| rule.basis.clone().into()), self.basis.clone().into());
        changes.note("after_days", was(|rule| rule.after_days.into()), self.after_days.into());
        changes.note("enabled", was(|rule| rule.enabled.into()), self.enabled.into());
        let filter = before.map_or("", |rule| rule.filter.as_str());
        changes.note_private("filter", filter, &self.filter);
        changes
    }
}

impl HoldDraft {
    /// The filter that is stored.
    fn check(&self) -> Result<String, Error> {
        check_name(&self.name)?;
        let reason = self.reason.trim();
        if reason.is_empty() || reason.chars().count() > 2_000 {
            return Err(Error::invalid("reason", "say why, in at most 2000 characters"));
        }
        let certificate = self.certificate.trim();
        match (certificate.is_empty(), self.filter.trim().is_empty()) {
            (true, true) => {
                Err(Error::invalid("filter", "a filter, or a certificate; * holds every event"))
            }
            (false, false) => {
                Err(Error::invalid("certificate", "a filter or a certificate, not both"))
            }
            (true, false) => check_filter(&self.filter),
            (false, true) => {
                if certificate.parse::<CertificateId>().is_err() {
                    return Err(Error::invalid("certificate", "the identifier of a certificate"));
                }
                Ok(format!("certificate:{certificate}"))
            }
        }
    }
}

impl Engine {
    /// Makes a rule (operation `configuration.create`).
    ///
    /// # Errors
    /// It cannot work, or the name is taken.
    pub async fn create_retention_rule(
        &self,
        context: &Context,
        draft: RuleDraft,
    ) -> Result<Rule, Error> {
        let attempt = types::Create {
            class: CLASS.into(),
            object_id: None,
            object_name: Some(shortened(&draft.name)),
            changes: Vec::new(),
        };
        self.operation(context, Permission::RetentionWrite, &attempt)?
            .run(move |tx, scribe| {
                let (draft, attempt) = (draft.clone(), attempt.clone());
                Box::pin(async move {
                    let draft = draft.check()?;
                    let rules = table::rules(tx).await?;
                    if rules.iter().any(|rule| rule.name == draft.name) {
                        return Err(taken("a rule")(chancery_store::Error::Exists(draft.name)));
                    }
                    if rules.len() >= MANY {
                        let message = format!("there are {MANY} rules already");
                        return Err(Error::Conflict { reason: "too_many", message });
                    }
                    let now = scribe.now();
                    let rule = Rule {
                        name: draft.name.clone(),
                        version: 1,
                        enabled: draft.enabled,
                        filter: draft.filter.clone(),
                        basis: draft.basis.clone(),
                        after_days: draft.after_days,
                        created_at: now,
                        changed_at: now,
                    };
                    table::put_rule(tx, &rule).await?;
                    let changes = draft.changes(None);
                    let payload = types::Create {
                        object_id: Some(rule.name.clone()),
                        changes: changes.sealed(),
                        ..attempt
                    };
                    let event = Draft::new(&payload)?.target(target(CLASS, &rule.name));
                    Ok(Done { value: rule, draft: changes.complete(event) })
                })
            })
            .await
    }

    /// Changes a rule (operation `configuration.update`). With `version`, only if it still has it.
    ///
    /// # Errors
    /// There is none, somebody changed it first, or it cannot work so.
    pub async fn update_retention_rule(
        &self,
        context: &Context,
        version: Option<i64>,
        draft: RuleDraft,
    ) -> Result<Rule, Error> {
        let attempt = types::Update {
            class: CLASS.into(),
            object_id: Some(shortened(&draft.name)),
            object_name: Some(shortened(&draft.name)),
            changes: Vec::new(),
        };
        self.operation(context, Permission::RetentionWrite, &attempt)?
            .about(target(CLASS, &shortened(&draft.name)))
            .run(move |tx, scribe| {
                let (draft, attempt) = (draft.clone(), attempt.clone());
                Box::pin(async move {
                    let found = table::rule(tx, &draft.name).await?;
                    let before =
                        found.ok_or_else(|| Error::not_found("retention rule", &draft.name))?;
                    same_version("the rule", before.version, version)?;
                    let draft = draft.check()?;
                    let rule = Rule {
                        version: before.version + 1,
                        enabled: draft.enabled,
                        filter: draft.filter.clone(),
                        basis: draft.basis.clone(),
                        after_days: draft.after_days,
                        changed_at: scribe.now(),
                        ..before.clone()
                    };
                    table::put_rule(tx, &rule).await?;
                    let changes = draft.changes(Some(&before));
                    let payload = types::Update { changes: changes.sealed(), ..attempt };
                    let event = Draft::new(&payload)?.target(target(CLASS, &rule.name));
                    Ok(Done { value: rule, draft: changes.complete(event) })
                })
            })
            .await
    }

    /// Deletes a rule (operation `configuration.delete`); what it removed stays removed.
    ///
    /// # Errors
    /// There is none of this name.
    pub async fn delete_retention_rule(&self, context: &Context, name: &str) -> Result<(), Error> {
        let name = shortened(name);
        let attempt = types::Delete {
            class: CLASS.into(),
            object_id: Some(name.clone()),
            object_name: Some(name.clone()),
            certificates: None,
        };
        self.operation(context, Permission::RetentionWrite, &attempt)?
            .about(target(CLASS, &name))
            .run(move |tx, _| {
                let (name, attempt) = (name.clone(), attempt.clone());
                Box::pin(async move {
                    if !table::delete_rule(tx, &name).await? {
                        return Err(Error::not_found("retention rule", &name));
                    }
                    let draft = Draft::new(&attempt)?.target(target(CLASS, &name));
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }

    /// Places a legal hold (operation `legal_hold.place`). A run that is at work stops at it.
    ///
    /// # Errors
    /// It says neither what nor why, nobody knows the certificate, or the name is taken.
    pub async fn place_legal_hold(
        &self,
        context: &Context,
        draft: HoldDraft,
    ) -> Result<Placed, Error> {
        let attempt = log_types::HoldPlace {
            hold: shortened(&draft.name),
            query: Some(shortened(&draft.filter)).filter(|text| !text.is_empty()),
            note: Some(draft.reason.clone()),
        };
        let actor = &context.actor;
        let by = match &actor.id {
            Some(id) => format!("{}/{id}", actor.kind),
            None => actor.kind.to_string(),
        };
        let operation = self.operation(context, Permission::RetentionWrite, &attempt)?;
        if context.require(Permission::RetentionWrite).is_ok()
            && let Err(error) = self.known_certificate(&draft.certificate).await
        {
            return Err(operation.fail(error).await);
        }
        let hold = operation
            .run(move |tx, scribe| {
                let (draft, attempt, by) = (draft.clone(), attempt.clone(), by.clone());
                Box::pin(async move {
                    let filter = draft.check()?;
                    let holds = table::holds(tx).await?;
                    if holds.iter().any(|hold| hold.name == draft.name) {
                        return Err(taken("a hold")(chancery_store::Error::Exists(draft.name)));
                    }
                    if holds.iter().filter(|hold| hold.released_at.is_none()).count() >= MANY {
                        let message = format!("there are {MANY} holds already");
                        return Err(Error::Conflict { reason: "too_many", message });
                    }
                    let hold = Hold {
                        name: draft.name.clone(),
                        filter: filter.clone(),
                        reason: draft.reason.trim().to_owned(),
                        placed_by: by,
                        placed_at: scribe.now(),
                        released_by: None,
                        released_at: None,
                    };
                    table::place(tx, &hold).await?;
                    let payload = log_types::HoldPlace { query: Some(filter), ..attempt };
                    let event = Draft::new(&payload)?.target(target(HOLD, &hold.name));
                    Ok(Done { value: hold, draft: event })
                })
            })
            .await?;
        // It is placed, whether they can be counted or not.
        let events = self.named_by(context, &hold).await.ok();
        Ok(Placed { hold, events })
    }

    /// Refuses a certificate that is neither in the inventory nor the subject of an event: a hold
    /// on it would hold nothing, ever. What a filter names may still come.
    async fn known_certificate(&self, text: &str) -> Result<(), Error> {
        // What is no identifier is refused with the rest of the draft.
        let Ok(id) = text.trim().parse::<CertificateId>() else { return Ok(()) };
        let mut link = self.link().await?;
        if certificate::find(&mut link, id).await?.is_some() {
            return Ok(());
        }
        let filter = filter_of(&format!("certificate:{id}"))?;
        let now = self.environment().now().micros();
        if log::count(&mut link, &filter, now).await?.value > 0 {
            return Ok(());
        }
        let what = "there is no such certificate, and no event about one: nothing would be held";
        Err(Error::invalid("certificate", what))
    }

    /// How many events in the database a hold names.
    async fn named_by(&self, context: &Context, hold: &Hold) -> Result<Count, Error> {
        self.require_all_events(context).await?;
        let now = self.environment().now().micros();
        let filter = filter_of(&hold.filter)?;
        Ok(log::count(&mut self.link().await?, &filter, now).await?)
    }

    /// Ends a legal hold (operation `legal_hold.release`).
    ///
    /// # Errors
    /// There is none of this name that lasts.
    pub async fn release_legal_hold(&self, context: &Context, name: &str) -> Result<(), Error> {
        let name = shortened(name);
        let attempt = log_types::HoldRelease { hold: name.clone(), placed_at: None };
        let actor = &context.actor;
        let by = match &actor.id {
            Some(id) => format!("{}/{id}", actor.kind),
            None => actor.kind.to_string(),
        };
        self.operation(context, Permission::RetentionWrite, &attempt)?
            .about(target(HOLD, &name))
            .run(move |tx, scribe| {
                let (name, by) = (name.clone(), by.clone());
                Box::pin(async move {
                    let released = table::release(tx, &name, &by, scribe.now()).await?;
                    let hold = released.ok_or_else(|| Error::not_found("legal hold", &name))?;
                    let payload = log_types::HoldRelease {
                        hold: name.clone(),
                        placed_at: Some(hold.placed_at),
                    };
                    let draft = Draft::new(&payload)?.target(target(HOLD, &name));
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }
}
