//! The configuration in force, compiled once for each revision.

use std::sync::Arc;

use chancery_store::Link;
use chancery_store::table::automation as table;

use super::Configuration;
use crate::automation::{Book, check};
use crate::{Context, Engine, Error, Permission};

/// Triggers that cannot work any more, by what there is now.
pub(crate) async fn broken(link: &mut Link) -> Result<Vec<(String, String)>, Error> {
    let book = Book::read(link).await?;
    let around = check::surroundings(link).await?;
    Ok(Configuration::broken(&book, &around))
}

impl Engine {
    /// The configuration that the link sees. Reading the revision is one look-up; compiling happens
    /// when it has changed.
    pub(crate) async fn configuration(&self, link: &mut Link) -> Result<Arc<Configuration>, Error> {
        let revision = table::revision(link).await?;
        if let Some(known) = self.known_configuration()
            && known.revision == revision
        {
            return Ok(known);
        }
        let book = Book::read(link).await?;
        let around = check::surroundings(link).await?;
        let compiled = Arc::new(Configuration::in_force(&book, &around));
        if let Ok(mut known) = self.0.compiled.lock() {
            *known = Some(compiled.clone());
        }
        Ok(compiled)
    }

    /// Triggers that count and cannot do what they say any more, with what is wrong.
    ///
    /// # Errors
    /// The caller may not see automation.
    pub async fn broken_triggers(&self, context: &Context) -> Result<Vec<(String, String)>, Error> {
        context.require(Permission::AutomationRead)?;
        broken(&mut self.link().await?).await
    }

    fn known_configuration(&self) -> Option<Arc<Configuration>> {
        self.0.compiled.lock().ok()?.clone()
    }
}
