//! Saved views: a name for the query of a list, for oneself or for everybody.
//!
//! A view is its maker's own unless they share it. A shared one is seen by those who may read its
//! list, and one that searches for people by those who may search so: its query and its name would
//! tell others whom somebody looked for.
//!
//! What people search for may be about people, and so may the name they give it: both go into the
//! erasable part of events.

use chancery_event::filter::Filter;
use chancery_event::id::ViewId;
use chancery_event::types::configuration as types;
use chancery_event::{Target, TargetKind};
use chancery_store::table::view::{self, View};

use crate::automation::Class;
use crate::configuration::{Changes, name};
use crate::history::asks_for_people;
use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission};

/// The lists that have views.
pub const LISTS: [&str; 20] = [
    "events",
    "certificates",
    "jobs",
    "alerts",
    "deliveries",
    "evaluations",
    "review",
    "accounts",
    "tokens",
    "forwarders",
    "channels",
    "notices",
    "triggers",
    "rules",
    "actions",
    "scopes",
    "monitors",
    "schedules",
    "notification_profiles",
    "notification_templates",
];
/// Longest query, in bytes.
pub const QUERY_LENGTH_MAX: usize = 8_192;
/// Views of one account at most.
pub const VIEWS_MAX: i64 = 200;

/// A view to save.
#[derive(Clone, Debug)]
pub struct NewView {
    /// One of [`LISTS`].
    pub list: String,
    /// What people call it: 1 to 100 characters.
    pub name: String,
    /// The query string of the list's URL, with or without `?`.
    pub query: String,
    /// Others see it too.
    pub shared: bool,
}

/// A view as the caller sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedView {
    /// Its identifier.
    pub id: ViewId,
    /// What people call it.
    pub name: String,
    /// The query string of the list's URL, without `?`.
    pub query: String,
    /// Others see it too.
    pub shared: bool,
    /// It is the caller's own.
    pub own: bool,
}

impl Engine {
    /// The views of a list that the caller may use, by name: their own, and the shared ones of
    /// which they may make use.
    ///
    /// # Errors
    /// There is no such list.
    pub async fn views(&self, context: &Context, list: &str) -> Result<Vec<SavedView>, Error> {
        context.require(Permission::OwnWrite)?;
        known(list)?;
        // The command line has no account, and so no views.
        let Some(own) = context.account_id() else { return Ok(Vec::new()) };
        let rows = view::usable(&mut self.link().await?, own, list).await?;
        let may_see = |row: &View| row.account == own || may_use(context, list, &row.query);
        Ok(rows
            .into_iter()
            .filter(may_see)
            .map(|row| SavedView {
                id: row.id,
                name: row.name,
                query: row.query,
                shared: row.shared,
                own: row.account == own,
            })
            .collect())
    }

    /// Saves a view (operation `configuration.create`).
    ///
    /// # Errors
    /// A member cannot be accepted, the caller has no account or too many views.
    pub async fn create_view(&self, context: &Context, new: NewView) -> Result<ViewId, Error> {
        let attempt = types::Create {
            class: "view".into(),
            object_id: None,
            object_name: None,
            changes: Vec::new(),
        };
        let operation = self.operation(context, Permission::OwnWrite, &attempt)?;
        let Some(own) = context.account_id() else {
            return Err(operation.fail(Error::Unauthenticated).await);
        };
        let id = self.environment().id::<ViewId>();
        operation
            .run(move |tx, scribe| {
                let (new, attempt) = (new.clone(), attempt.clone());
                Box::pin(async move {
                    let row = View {
                        id,
                        account: own,
                        list: known(&new.list)?.to_owned(),
                        name: name("name", &new.name)?,
                        query: query(&new.query)?,
                        shared: new.shared,
                        created_at: scribe.now(),
                    };
                    if view::count(tx, own).await? >= VIEWS_MAX {
                        return Err(Error::Conflict {
                            reason: "too_many",
                            message: format!("you have {VIEWS_MAX} views already"),
                        });
                    }
                    view::insert(tx, &row).await?;
                    let mut changes = Changes::default();
                    changes.note("list", serde_json::Value::Null, row.list.into());
                    changes.note_private("query", "", &row.query);
                    changes.note("shared", serde_json::Value::Null, row.shared.into());
                    let payload = types::Create {
                        object_id: Some(id.to_string()),
                        changes: changes.sealed(),
                        ..attempt
                    };
                    let target = Target::new(TargetKind::View, id);
                    let draft = Draft::new(&payload)?.person(target, row.name);
                    Ok(Done { value: id, draft: changes.complete(draft) })
                })
            })
            .await
    }

    /// Deletes a view (operation `configuration.delete`): one's own, or a shared one with
    /// [`Permission::ConfigurationWrite`].
    ///
    /// # Errors
    /// The caller has no such view.
    pub async fn delete_view(&self, context: &Context, id: ViewId) -> Result<(), Error> {
        let attempt = types::Delete {
            class: "view".into(),
            object_id: Some(id.to_string()),
            object_name: None,
            certificates: None,
        };
        let own = context.account_id();
        let others = context.may(Permission::ConfigurationWrite);
        self.operation(context, Permission::OwnWrite, &attempt)?
            .about(Target::new(TargetKind::View, id))
            .run(move |tx, _| {
                let attempt = attempt.clone();
                Box::pin(async move {
                    let found = view::find(tx, id).await?;
                    let row = found
                        .filter(|row| Some(row.account) == own || (others && row.shared))
                        .ok_or_else(|| Error::not_found("view", id))?;
                    view::delete(tx, row.account, id).await?;
                    let target = Target::new(TargetKind::View, id);
                    let draft = Draft::new(&attempt)?.person(target, row.name);
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }
}

/// Whether somebody may do what another's view does: read its list, and search so.
fn may_use(context: &Context, list: &str, query: &str) -> bool {
    let read = match list {
        "events" => Permission::EventRead,
        "certificates" => Permission::CertificateRead,
        "jobs" => Permission::JobRead,
        "alerts" | "review" => Permission::AlertRead,
        "deliveries" | "forwarders" | "channels" => Permission::ForwarderRead,
        list if list == "evaluations" || Class::parse(list).is_some() => Permission::AutomationRead,
        // Searches of accounts, tokens and notices name people.
        _ => Permission::AccountRead,
    };
    let sees_people = context.may(Permission::PersonalRead);
    context.may(read) && (sees_people || list != "events" || !is_about_people(query))
}

/// Whether the search of a view of events asks about people. One that cannot be read may.
fn is_about_people(query: &str) -> bool {
    let mut searches = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| matches!(name.as_ref(), "q" | "filter"));
    searches.any(|(_, text)| match Filter::parse(&text, chancery_event::search::schema()) {
        Ok(filter) => asks_for_people(&filter),
        Err(_) => true,
    })
}

fn known(list: &str) -> Result<&str, Error> {
    if LISTS.contains(&list) {
        return Ok(list);
    }
    Err(Error::invalid("list", format!("one of: {}", LISTS.join(", "))))
}

fn query(text: &str) -> Result<String, Error> {
    let query = text.trim().trim_start_matches('?');
    if query.len() > QUERY_LENGTH_MAX {
        return Err(Error::invalid("query", format!("at most {QUERY_LENGTH_MAX} bytes")));
    }
    if query.chars().any(char::is_control) {
        return Err(Error::invalid("query", "no control characters"));
    }
    Ok(query.to_owned())
}
