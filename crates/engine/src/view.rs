//! Saved views: a name for the query of a list.

use chancery_event::id::ViewId;
use chancery_event::types::configuration as types;
use chancery_event::{Target, TargetKind};
use chancery_store::table::view;

use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission, configuration};

/// Lists that have views.
pub const LISTS: [&str; 3] = ["events", "certificates", "jobs"];

/// A view to save.
#[derive(Clone, Debug)]
pub struct NewView {
    /// One of [`LISTS`].
    pub list: String,
    /// What people call it.
    pub name: String,
    /// The query string of the list's URL, without `?`.
    pub query: String,
    /// Others see it too.
    pub shared: bool,
}

/// A saved view.
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
    /// Views of a list that the caller may use, by name.
    ///
    /// # Errors
    /// The caller is no account.
    pub async fn views(&self, context: &Context, list: &str) -> Result<Vec<SavedView>, Error> {
        context.require(Permission::OwnWrite)?;
        let Some(account) = context.account_id() else { return Ok(Vec::new()) };
        let views = view::usable(&mut self.link().await?, account, list).await?;
        Ok(views
            .into_iter()
            .map(|view| SavedView {
                own: view.account == account,
                id: view.id,
                name: view.name,
                query: view.query,
                shared: view.shared,
            })
            .collect())
    }

    /// Saves a view (operation `configuration.create`).
    ///
    /// # Errors
    /// The caller is no account, or the view is not usable.
    pub async fn create_view(&self, context: &Context, new: NewView) -> Result<ViewId, Error> {
        let attempt = types::Create {
            class: "view".into(),
            object_id: None,
            object_name: None,
            changes: Vec::new(),
        };
        let operation = self.operation(context, Permission::OwnWrite, &attempt)?;
        let checked = context
            .account_id()
            .ok_or(Error::Unauthenticated)
            .and_then(|account| Ok((account, check(&new)?)));
        let (account, name) = match checked {
            Ok(checked) => checked,
            Err(error) => return Err(operation.fail(error).await),
        };
        operation
            .run(move |tx, scribe| {
                let attempt = attempt.clone();
                let row = view::View {
                    id: scribe.environment().id(),
                    account,
                    list: new.list.clone(),
                    name: name.clone(),
                    query: new.query.clone(),
                    shared: new.shared,
                    created_at: scribe.now(),
                };
                Box::pin(async move {
                    view::insert(tx, &row).await?;
                    let payload = types::Create { object_id: Some(row.id.to_string()), ..attempt };
                    // What people call their views is theirs.
                    let target = Target::new(TargetKind::View, row.id);
                    let draft = Draft::new(&payload)?.person(target, &row.name);
                    Ok(Done { value: row.id, draft })
                })
            })
            .await
    }

    /// Deletes one of the caller's views (operation `configuration.delete`).
    ///
    /// # Errors
    /// There is no such view of the caller.
    pub async fn delete_view(&self, context: &Context, id: ViewId) -> Result<(), Error> {
        let attempt = types::Delete {
            class: "view".into(),
            object_id: Some(id.to_string()),
            object_name: None,
            certificates: None,
        };
        let account = context.account_id();
        self.operation(context, Permission::OwnWrite, &attempt)?
            .about(Target::new(TargetKind::View, id))
            .run(move |tx, _| {
                let attempt = attempt.clone();
                Box::pin(async move {
                    let account = account.ok_or(Error::Unauthenticated)?;
                    if !view::delete(tx, account, id).await? {
                        return Err(Error::not_found("view of yours", id));
                    }
                    let target = Target::new(TargetKind::View, id);
                    Ok(Done { value: (), draft: Draft::new(&attempt)?.target(target) })
                })
            })
            .await
    }
}

fn check(new: &NewView) -> Result<String, Error> {
    if !LISTS.contains(&new.list.as_str()) {
        return Err(Error::invalid("list", format!("one of {}", LISTS.join(", "))));
    }
    if new.query.len() > 8_192 || new.query.chars().any(char::is_control) {
        return Err(Error::invalid("query", "at most 8,192 bytes, without control characters"));
    }
    configuration::name(&new.name)
}
