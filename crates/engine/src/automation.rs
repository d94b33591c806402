//! Objects of automation: rules, actions, triggers, scopes, monitors, schedules.
//!
//! One shape for all of them (docs/decisions/0008-reactions.md): a class, a name that is the
//! identity, versions of a body that never change, and one revision of the whole configuration.
//! What a body says is the business of the part that runs it; `check` calls it before anything is
//! saved. Nothing here acts on events.
//!
//! Read in this order: `class`, `book`, `change`, `check`, `search`, `file`, `apply` (with `line`).

mod apply;
mod book;
mod change;
pub(crate) mod check;
mod class;
pub mod file;
mod line;
mod search;

use chancery_store::table::automation as table;

pub(crate) use file::proposed;

use crate::{Context, Engine, Error, Permission};

pub use book::{Book, Object};
pub use change::Edit;
pub use class::{Class, NAME_MAX, check_name};
pub use search::{Listed, schema as search_schema};

impl Engine {
    /// The objects of a class, by name.
    ///
    /// # Errors
    /// The caller may not see them.
    pub async fn automation(&self, context: &Context, class: Class) -> Result<Vec<Object>, Error> {
        context.require(Permission::AutomationRead)?;
        let rows = table::of_class(&mut self.link().await?, class.as_str()).await?;
        rows.into_iter().map(Object::read).collect()
    }

    /// One object, in the version that counts.
    ///
    /// # Errors
    /// There is none of this name.
    pub async fn automation_object(
        &self,
        context: &Context,
        class: Class,
        name: &str,
    ) -> Result<Object, Error> {
        context.require(Permission::AutomationRead)?;
        let found = table::find(&mut self.link().await?, class.as_str(), name).await?;
        let found = found.ok_or_else(|| Error::not_found(class.as_str(), name))?;
        Object::read(found)
    }

    /// Every version of an object, newest first, also of one that was deleted.
    ///
    /// # Errors
    /// There never was one of this name.
    pub async fn automation_versions(
        &self,
        context: &Context,
        class: Class,
        name: &str,
    ) -> Result<Vec<Object>, Error> {
        context.require(Permission::AutomationRead)?;
        let rows = table::versions(&mut self.link().await?, class.as_str(), name).await?;
        if rows.is_empty() {
            return Err(Error::not_found(class.as_str(), name));
        }
        rows.into_iter().map(Object::read).collect()
    }

    /// Everything that counts now.
    ///
    /// # Errors
    /// The caller may not see it.
    pub async fn automation_book(&self, context: &Context) -> Result<Book, Error> {
        context.require(Permission::AutomationRead)?;
        Book::read(&mut self.link().await?).await
    }

    /// Everything that counted when the configuration had this revision.
    ///
    /// # Errors
    /// The caller may not see it.
    pub async fn automation_at(&self, context: &Context, revision: i64) -> Result<Book, Error> {
        context.require(Permission::AutomationRead)?;
        Book::at(&mut self.link().await?, revision).await
    }

    /// Wakes what works from the configuration.
    pub(crate) fn automation_changed(&self) {
        self.0.automation.send_modify(|changes| *changes += 1);
    }
}
