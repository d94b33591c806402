//! What simulated events cause: the alerts that monitors and steps would raise, as the events that
//! tell of them. Nothing is written; a cause that has an alert only counts it up, which is no
//! event.

use std::borrow::Cow;

use chancery_event::id::{AlertId, EventId};
use chancery_event::{Event, Origin, Severity, Target, Timestamp};
use chancery_store::Link;
use chancery_store::table::alert as table;

use super::Work;
use crate::Error;
use crate::alert::{self, NewAlert, cause};
use crate::reaction::dispatcher::DEPTH_MAX;
use crate::reaction::evaluate::Evaluation;
use crate::reaction::step::Effect;

/// The alerts that the steps of an event's evaluations would raise.
pub(super) fn alerts(event: &Event, evaluations: &[Evaluation]) -> Vec<NewAlert> {
    if event.depth >= DEPTH_MAX {
        return Vec::new();
    }
    let mut alerts = Vec::new();
    for evaluation in evaluations {
        for planned in &evaluation.planned {
            let (key, kind, severity, title, message) = match &planned.effect {
                Effect::Raise { key, kind, severity, title, message } => {
                    (key.clone(), Cow::Owned(kind.clone()), *severity, title, message)
                }
                Effect::Notify { to, title, message } => {
                    let about = event.subject().map_or_else(String::new, Target::reference);
                    let of = &evaluation.trigger.name;
                    let key = format!("notice:{}:{of}:{}:{about}", to.spelled(), event.type_name);
                    (key, Cow::Borrowed(cause::NOTICE), Severity::Info, title, message)
                }
                _ => continue,
            };
            alerts.push(NewAlert {
                message: message.clone(),
                private: true,
                object: event.subject().cloned(),
                source: format!("trigger/{}", evaluation.trigger.name),
                ..NewAlert::new(key, kind, severity, title.clone())
            });
        }
    }
    alerts
}

/// What a list shows an event as: identifier and name of what it is about.
pub(super) fn told_as(event: &Event) -> (String, Option<String>) {
    let about = event.targets.get(1).or(event.targets.first());
    about.map_or_else(Default::default, |target| (target.id.clone(), target.name.clone()))
}

impl Work {
    /// The alert that a run of a monitor raises.
    pub(super) async fn raised(
        &mut self,
        link: &mut Link,
        monitor: &str,
        at: Timestamp,
        new: &NewAlert,
    ) -> Result<(), Error> {
        let Some(mut event) = self.alert_event(link, new, None).await? else { return Ok(()) };
        event.time = at;
        let told_as = told_as(&event);
        self.follow(link, monitor, event, told_as, None).await
    }

    /// The event of an alert; none where its cause has one.
    pub(super) async fn alert_event(
        &mut self,
        link: &mut Link,
        new: &NewAlert,
        caused_by: Option<&Event>,
    ) -> Result<Option<Event>, Error> {
        if self.alerts.contains(&new.key) {
            return Ok(None);
        }
        let is_open = table::unresolved(link, &new.key).await?.is_some();
        self.alerts.insert(new.key.clone());
        if is_open {
            return Ok(None);
        }
        let environment = self.scribe.environment().clone();
        let draft = alert::raised(new, environment.id::<AlertId>(), None)?;
        let mut event = self.scribe.occurrence(environment.id::<EventId>(), draft);
        if let Some(cause) = caused_by {
            event.time = cause.time;
            event.cause = Some(cause.id);
            event.depth = cause.depth.saturating_add(1);
            event.origin = Origin::Trigger;
        }
        Ok(Some(event))
    }
}
