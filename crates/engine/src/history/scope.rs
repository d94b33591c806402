//! What a limited event access leaves of the lists that tell of events without being lists of
//! events: alerts, evaluations, jobs, deliveries.
//!
//! What is not in sight is as if it were not there, as with events themselves. Alerts are in sight
//! when they are about a certificate in a folder of the scope; jobs, when the caller asked for
//! them; evaluations, when the event is in sight; deliveries never are. None of this limits who
//! sees all events.

use std::collections::HashSet;

use chancery_event::filter::{Comparison, Filter, Literal, Operand, Operator};
use chancery_event::id::{AlertId, EventId};
use chancery_store::table::alert::{self, STATES};
use chancery_store::table::certificate;

use crate::alert::AlertFilter;
use crate::{Context, Engine, Error, Permission};

/// Certificates that folders may hold; of more, the newest are meant.
const CERTIFICATES_MAX: usize = 10_000;
/// Values of one list of a filter.
const LIST: usize = 1_000;

/// `field` is one of these, in lists that a filter can hold.
pub(super) fn one_of(field: &str, values: &[String]) -> Vec<Filter> {
    let list = |some: &[String]| {
        let values = some.iter().map(|value| Literal::Text(value.clone())).collect();
        Filter::Comparison(Comparison {
            field: field.to_owned(),
            operator: Operator::In,
            operand: Operand::Many(values),
        })
    };
    values.chunks(LIST).map(list).collect()
}

impl Engine {
    /// Whether nothing limits the events that the caller may see.
    pub(crate) async fn sees_all_events(&self, context: &Context) -> Result<bool, Error> {
        Ok(self.limited_access(context).await?.is_none())
    }

    /// Refuses who may not see this event, as if it were not there.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub(crate) async fn require_event(&self, context: &Context, id: EventId) -> Result<(), Error> {
        if self.sees_all_events(context).await? {
            return Ok(());
        }
        self.event(context, id).await.map(|_| ())
    }

    /// Identifiers of the certificates that live in or below folders now.
    pub(super) async fn certificates_in(&self, paths: &[String]) -> Result<Vec<String>, Error> {
        let mut link = self.link().await?;
        let mut found = Vec::new();
        for path in paths {
            let left = CERTIFICATES_MAX.saturating_sub(found.len());
            found.extend(certificate::in_folder(&mut link, path, left).await?);
        }
        Ok(found.iter().map(ToString::to_string).collect())
    }

    /// Refuses to move a certificate into or out of the folders of the caller's own scope: where it
    /// lives decides who sees what ever happened to it. `true`: the caller is limited to folders,
    /// and what was answered holds for these two places alone.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub(crate) async fn require_move(
        &self,
        context: &Context,
        from: &str,
        to: &str,
    ) -> Result<bool, Error> {
        let Some(access) = self.limited_access(context).await? else { return Ok(false) };
        if access.events != "scoped" || access.paths.is_empty() {
            return Ok(false);
        }
        let within = |place: &str| {
            let place = place.to_ascii_lowercase();
            access.paths.iter().any(|folder| {
                let folder = folder.trim_end_matches('/').to_ascii_lowercase();
                place
                    .strip_prefix(&folder)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        match context.role {
            _ if from == to || (within(from) && within(to)) => Ok(true),
            Some(role) => Err(Error::Forbidden { permission: Permission::EventRead, role }),
            None => Err(Error::Unauthenticated),
        }
    }

    /// What limits the alerts that the caller may see; `None`: nothing does.
    pub(crate) async fn alert_scope(&self, context: &Context) -> Result<Option<Filter>, Error> {
        let Some(access) = self.limited_access(context).await? else { return Ok(None) };
        let ids = match access.events.as_str() {
            "scoped" => self.certificates_in(&access.paths).await?,
            _ => Vec::new(),
        };
        Ok(Some(Filter::Or(one_of("object", &ids))))
    }

    /// Those of these alerts that the caller may see.
    pub(crate) async fn alerts_in_sight(
        &self,
        context: &Context,
        ids: &[AlertId],
    ) -> Result<HashSet<AlertId>, Error> {
        let Some(scope) = self.alert_scope(context).await? else {
            return Ok(ids.iter().copied().collect());
        };
        // Named, so that resolved ones are not left out.
        let states: Vec<String> = STATES.iter().map(|state| (*state).to_owned()).collect();
        let states = Filter::Or(one_of("state", &states));
        let mut seen = HashSet::new();
        for some in ids.chunks(LIST) {
            let texts: Vec<String> = some.iter().map(ToString::to_string).collect();
            let named = Filter::Or(one_of("id", &texts));
            let filter = AlertFilter::of(Filter::And(vec![scope.clone(), states.clone(), named]));
            let request = alert::search::PageRequest {
                sort: alert::search::Sort::Created,
                descending: true,
                after: None,
                limit: some.len(),
            };
            let mut link = self.link().await?;
            let rows = filter.search(self, context).page(&mut link, &request).await?;
            seen.extend(rows.into_iter().map(|row| row.id));
        }
        Ok(seen)
    }
}
