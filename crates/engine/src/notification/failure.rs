//! What goes wrong with notifications themselves, and is told by the bell: something could not be
//! decided at all, or went out otherwise than its template says.

use chancery_event::Severity;
use chancery_event::id::EventId;
use chancery_store::Tx;
use chancery_store::table::{notice, notification};

use super::book::Named;
use super::write::{Woken, Work};
use crate::alert::{self, NewAlert};
use crate::automation::Class;
use crate::{Context, Error};

impl Work {
    /// Ends what cannot be decided, so that it does not stand in the way, and says so.
    pub(crate) async fn give_up(&self, tx: &mut Tx, why: &str) -> Result<Woken, Error> {
        let mut profiles = Vec::new();
        for (id, _, profile) in &self.outcomes {
            notification::end(tx, *id, "failed", self.now).await?;
            profiles.push(profile.as_str());
        }
        for case in &self.cases {
            notification::end(tx, case.call.id, "failed", self.now).await?;
            profiles.push(case.call.profile.as_str());
        }
        for (level, _) in &self.escalated {
            notification::end_escalation(tx, level.id, "dropped", self.now).await?;
            profiles.push(level.profile.as_str());
        }
        if let Some(bundle) = &self.bundle {
            notice::settle(tx, &bundle.ids(), None, "failed").await?;
            profiles.push(bundle.profile());
        }
        for profile in profiles {
            self.given_up(tx, profile, why).await?;
        }
        Ok(Woken::default())
    }

    /// Raises the alert that somebody was not told.
    pub(super) async fn given_up(
        &self,
        tx: &mut Tx,
        profile: &str,
        why: &str,
    ) -> Result<(), Error> {
        let scribe = self.engine.scribe(&Context::system(self.engine.environment()));
        let new = NewAlert {
            message: format!("Somebody was not told of something: {why}."),
            private: true,
            object: Some(Class::Profile.target(profile)),
            source: "notifications".to_owned(),
            ..NewAlert::new(
                format!("notification_failed:profile/{profile}"),
                "notification_failed",
                Severity::Error,
                format!("A notification through the profile {profile} was given up"),
            )
        };
        alert::raise(tx, &scribe, &new).await.map(|_| ())
    }

    /// Says that the template of a profile could not be used, or that it can again.
    pub(super) async fn template_told(
        &self,
        tx: &mut Tx,
        named: &Named,
        event: EventId,
        problem: Option<String>,
    ) -> Result<(), Error> {
        let Some(name) = &named.profile.template else { return Ok(()) };
        let key = format!("template_failed:template/{name}");
        let scribe = self.engine.scribe(&Context::system(self.engine.environment()));
        let why = match (problem, named.lacks_template) {
            (Some(problem), _) => problem,
            (None, true) => "it is switched off".to_owned(),
            (None, false) => {
                return alert::resolve(tx, &scribe, &key, "filled").await.map(|_| ());
            }
        };
        let new = NewAlert {
            message: format!("{why}. Messages went out with the built-in text instead."),
            private: true,
            object: Some(Class::Template.target(name)),
            source: "notifications".to_owned(),
            cause: Some(event),
            ..NewAlert::new(
                key,
                "template_failed",
                Severity::Warning,
                format!("The notification template {name} could not be used"),
            )
        };
        alert::raise(tx, &scribe, &new).await.map(|_| ())
    }
}
