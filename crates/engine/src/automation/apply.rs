//! What somebody does with a file: sees what it would change, compares it with what counts on
//! recorded history, applies it.
//!
//! All three read and check the file in the same way. A fault names its object and, where the file
//! has it, the line.

use chancery_event::Timestamp;
use chancery_event::id::JobId;

use super::file::{Planned, plan, proposed, read};
use super::{Book, check, line};
use crate::reaction::trial::{Trial, TrialEdit, Tried};
use crate::{Context, Engine, Error, Permission};

impl Engine {
    /// What applying a file would change; it is checked as when it is applied. With `prune`, what
    /// the file does not have goes. Answers the revision that it was compared with as well.
    ///
    /// # Errors
    /// The file cannot be read, or what it says can never work.
    pub async fn plan_automation(
        &self,
        context: &Context,
        text: &str,
        prune: bool,
    ) -> Result<(i64, Vec<Planned>), Error> {
        context.require(Permission::AutomationTry)?;
        let work = async {
            let wanted = read(text)?;
            let mut link = self.link().await?;
            let book = Book::read(&mut link).await?;
            let planned = plan(&book, wanted, prune);
            let edits: Vec<_> = planned.iter().map(|planned| planned.edit.clone()).collect();
            let after = proposed(&book, &edits, self.environment().now())?;
            check::book(&mut link, &book, &after).await?;
            Ok((book.revision, planned))
        };
        work.await.map_err(|error| at_line(text, error))
    }

    /// What a file would have done differently between two times: a back-test of what counts and of
    /// the file side by side. `Err` of the answer: the stretch is long, and a job does it.
    ///
    /// # Errors
    /// As [`Engine::plan_automation`]; or the caller does not see all events.
    pub async fn compare_automation(
        &self,
        context: &Context,
        text: &str,
        prune: bool,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
    ) -> Result<Result<Tried, JobId>, Error> {
        let planned = self.plan_automation(context, text, prune).await?.1;
        let edit = |planned: Planned| TrialEdit {
            class: planned.edit.class.as_str().to_owned(),
            name: planned.edit.name,
            body: planned.edit.body,
            enabled: planned.edit.enabled,
        };
        let edits = planned.into_iter().map(edit).collect();
        self.back_test(context, Trial { edits, from, to, compare: true, ..Trial::default() }).await
    }

    /// Applies a file as one revision, or not at all. With `revision`, only if the configuration
    /// still has it. Answers the revision that counts now, and what was changed.
    ///
    /// # Errors
    /// As [`Engine::plan_automation`]; or somebody changed the configuration first.
    pub async fn apply_automation_file(
        &self,
        context: &Context,
        text: &str,
        prune: bool,
        revision: Option<i64>,
    ) -> Result<(i64, Vec<Planned>), Error> {
        context.require(Permission::AutomationWrite)?;
        let (read, planned) = self.plan_automation(context, text, prune).await?;
        let edits: Vec<_> = planned.iter().map(|planned| planned.edit.clone()).collect();
        let applied = match edits.is_empty() {
            true => read,
            false => {
                let wanted = Some(revision.unwrap_or(read));
                let applied = self.apply_automation(context, wanted, edits).await;
                applied.map_err(|error| at_line(text, error))?
            }
        };
        Ok((applied, planned))
    }
}

/// A fault of an object with the line of the file that it stands in, if the file has it.
fn at_line(text: &str, error: Error) -> Error {
    match error {
        Error::Invalid { field, message } => {
            let message = match line::of(text, &field) {
                Some(line) => format!("line {line}: {message}"),
                None => message,
            };
            Error::Invalid { field, message }
        }
        error => error,
    }
}
