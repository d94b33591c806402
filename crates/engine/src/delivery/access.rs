//! Who besides administrators may manage forwarders: none, some, all.
//!
//! A role says what kind of thing somebody may do at all; what is set here says with which
//! forwarders: by name, or by the folder they live in. Without a setting an operator manages none.

use chancery_event::id::AccountId;
use chancery_event::types::configuration as types;
use chancery_event::{Target, TargetKind};
use chancery_store::table::{account, forwarder_access as table};

use super::definition::check_path;
use super::selection::lies_in;
use crate::configuration::{Changes, same_version};
use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission, Role};

/// The forwarders that one account may manage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwarderAccess {
    /// `none`, `named`, `all`.
    pub forwarders: String,
    /// Those that `named` means.
    pub names: Vec<String>,
    /// Folders whose forwarders `named` means as well.
    pub paths: Vec<String>,
}

impl Default for ForwarderAccess {
    fn default() -> Self {
        Self { forwarders: "none".to_owned(), names: Vec::new(), paths: Vec::new() }
    }
}

/// The forwarders that somebody may manage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All of them.
    All,
    /// Those of these names, and those in these folders.
    Some {
        /// Names.
        names: Vec<String>,
        /// Folders.
        paths: Vec<String>,
    },
}

impl Reach {
    /// Whether it covers a forwarder.
    pub fn covers(&self, name: &str, path: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some { names, paths } => {
                names.iter().any(|one| one == name)
                    || paths.iter().any(|folder| {
                        let below = format!("{}/*", folder.trim_end_matches('/'));
                        folder == path || lies_in(&below, path)
                    })
            }
        }
    }
}

impl Engine {
    /// The forwarders that an account may manage, and the version of that setting.
    ///
    /// # Errors
    /// The caller may not see accounts.
    pub async fn forwarder_access(
        &self,
        context: &Context,
        account: AccountId,
    ) -> Result<(ForwarderAccess, i64), Error> {
        if context.account_id() != Some(account) {
            context.require(Permission::AccountRead)?;
        }
        let mut link = self.link().await?;
        if account::find(&mut link, account).await?.is_none() {
            return Err(Error::not_found("account", account));
        }
        let found = table::find(&mut link, account).await?;
        let version = version_of(found.as_ref());
        Ok((found.map(read).unwrap_or_default(), version))
    }

    /// Sets the forwarders that an account may manage (operation `configuration.update` of the
    /// class `forwarder_access`). With `version`, only if the setting still has it.
    ///
    /// # Errors
    /// There is no such account, somebody changed it first, a word is unknown, or the caller has to
    /// give the password again first.
    pub async fn set_forwarder_access(
        &self,
        context: &Context,
        account: AccountId,
        version: Option<i64>,
        access: ForwarderAccess,
    ) -> Result<(), Error> {
        let attempt = types::Update {
            class: "forwarder_access".into(),
            object_id: Some(account.to_string()),
            object_name: None,
            changes: Vec::new(),
        };
        let operation = self
            .operation(context, Permission::AccountWrite, &attempt)?
            .about(Target::new(TargetKind::Account, account));
        if let Err(error) = self.confirmed(context).and_then(|()| check(&access)) {
            return Err(operation.fail(error).await);
        }
        operation
            .run(move |tx, scribe| {
                let (access, attempt) = (access.clone(), attempt.clone());
                Box::pin(async move {
                    let found = account::find(tx, account).await?;
                    let found = found.ok_or_else(|| Error::not_found("account", account))?;
                    suits(&found.role, &access)?;
                    let before = table::find(tx, account).await?;
                    let held = version_of(before.as_ref());
                    same_version("the forwarders that it may manage", held, version)?;
                    let before = before.map(read).unwrap_or_default();
                    let list = |items: &[String]| serde_json::Value::from(items.to_vec());
                    let row = table::ForwarderAccess {
                        account,
                        forwarders: access.forwarders.clone(),
                        names: list(&access.names).to_string(),
                        paths: list(&access.paths).to_string(),
                        changed_at: scribe.now(),
                    };
                    table::put(tx, &row).await?;
                    let mut changes = Changes::default();
                    let (old, new) = (&before, &access);
                    let words = (old.forwarders.clone(), new.forwarders.clone());
                    changes.note("forwarders", words.0.into(), words.1.into());
                    changes.note("names", list(&old.names), list(&new.names));
                    changes.note("paths", list(&old.paths), list(&new.paths));
                    let payload = types::Update { changes: changes.sealed(), ..attempt };
                    let target = Target::new(TargetKind::Account, account);
                    Ok(Done { value: (), draft: Draft::new(&payload)?.target(target) })
                })
            })
            .await
    }

    /// The forwarders that the caller may manage.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn forwarder_reach(&self, context: &Context) -> Result<Reach, Error> {
        if matches!(context.role, Some(Role::Administrator)) {
            return Ok(Reach::All);
        }
        let none = Reach::Some { names: Vec::new(), paths: Vec::new() };
        let Some(account) = context.account_id() else { return Ok(none) };
        let found = table::find(&mut self.link().await?, account).await?.map(read);
        Ok(match found {
            Some(access) if access.forwarders == "all" => Reach::All,
            Some(access) if access.forwarders == "named" => {
                Reach::Some { names: access.names, paths: access.paths }
            }
            _ => none,
        })
    }

    /// The forwarders that the caller may see: auditors all of them.
    pub(super) async fn forwarder_sight(&self, context: &Context) -> Result<Reach, Error> {
        match context.role {
            Some(Role::Auditor) => Ok(Reach::All),
            _ => self.forwarder_reach(context).await,
        }
    }
}

fn check(access: &ForwarderAccess) -> Result<(), Error> {
    if !matches!(access.forwarders.as_str(), "none" | "named" | "all") {
        return Err(Error::invalid("forwarders", "one of none, named, all"));
    }
    if access.names.len() > 500 || access.paths.len() > 500 {
        return Err(Error::invalid("names", "at most 500 names and folders"));
    }
    access.paths.iter().try_for_each(|path| check_path("paths", path))
}

/// Refuses what would have no effect.
fn suits(role: &str, access: &ForwarderAccess) -> Result<(), Error> {
    let is_above = [Role::Operator, Role::Administrator].iter().any(|one| one.as_str() == role);
    if is_above || access.forwarders == "none" {
        return Ok(());
    }
    let message = match Role::parse(role) {
        Some(Role::Auditor) => "an auditor sees all forwarders and manages none: operators do",
        _ => "an account of this role manages no forwarders: operators do",
    };
    Err(Error::invalid("forwarders", message))
}

/// When it was set, in microseconds; 0 as long as nothing is.
fn version_of(row: Option<&table::ForwarderAccess>) -> i64 {
    row.map_or(0, |row| row.changed_at.micros())
}

fn read(row: table::ForwarderAccess) -> ForwarderAccess {
    let list = |text: &str| serde_json::from_str(text).unwrap_or_default();
    ForwarderAccess { forwarders: row.forwarders, names: list(&row.names), paths: list(&row.paths) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reach_is_by_name_or_by_folder() {
        let reach = Reach::Some { names: vec!["soc".into()], paths: vec!["/prod".into()] };
        for (name, path, expected) in [
            ("soc", "/", true),
            ("other", "/prod", true),
            ("other", "/prod/web", true),
            ("other", "/production", false),
            ("other", "/", false),
        ] {
            assert_eq!(reach.covers(name, path), expected, "{name} {path}");
        }
        assert!(Reach::All.covers("any", "/"));
    }
}
