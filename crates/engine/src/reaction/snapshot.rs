//! The configuration in force, compiled once for each revision.

use std::sync::Arc;

use chancery_store::Link;
use chancery_store::table::automation as table;

use super::Configuration;
use crate::automation::{Book, check};
use crate::{Engine, Error};

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

    fn known_configuration(&self) -> Option<Arc<Configuration>> {
        self.0.compiled.lock().ok()?.clone()
    }
}
