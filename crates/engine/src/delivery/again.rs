//! Sending again: one delivery, everything that was given up since a time, the log from any index.

use chancery_event::id::DeliveryId;
use chancery_event::types::delivery as types;
use chancery_event::{LogIndex, Timestamp};
use chancery_store::table::delivery::{self as table, search};
use chancery_store::table::destination::{self, Destination};
use chancery_store::{Tx, log};

use super::Class;
use super::receipt::{given_up_key, target};
use crate::configuration::shortened;
use crate::operation::Done;
use crate::scribe::{Draft, Scribe};
use crate::{Context, Engine, Error, Permission, alert};

/// Deliveries deleted in one transaction at most.
const SWEEP_MAX: usize = 1_000;

impl Engine {
    /// Puts a delivery back to be sent once more, under its identifier (operation
    /// `delivery.resend`).
    ///
    /// # Errors
    /// There is none, its destination is gone, or the caller may not manage it.
    pub async fn resend_delivery(&self, context: &Context, id: DeliveryId) -> Result<(), Error> {
        let attempt = types::Resend { delivery_id: Some(id), destination: None, old_state: None };
        let operation = self.operation(context, Permission::ForwarderWrite, &attempt)?;
        let checked = async {
            context.require(Permission::ForwarderWrite)?;
            let row = self.delivery_row(id).await?;
            if row.reason == "test" {
                let message = "it was a trial: try the destination out once more".to_owned();
                return Err(Error::Conflict { reason: "trial", message });
            }
            let mut link = self.link().await?;
            let found = destination::find(&mut link, &row.destination).await?;
            drop(link);
            // Another destination of the same name has nothing to do with it.
            let found = found.filter(|destination| destination.created_at <= row.created_at);
            let destination = found.ok_or_else(|| Error::Conflict {
                reason: "destination_gone",
                message: "its destination was deleted".to_owned(),
            })?;
            let class = match destination.class.as_str() {
                "forwarder" => Class::Forwarder,
                _ => Class::Channel,
            };
            self.may_carry(context, class).await?;
            self.manageable(context, class, &row.destination).await
        };
        let row = match checked.await {
            Ok(row) => row,
            Err(error) => return Err(operation.fail(error).await),
        };
        let name = row.name;
        let woken = name.clone();
        operation
            .about(target(&name))
            .run(move |tx, scribe| {
                let name = name.clone();
                Box::pin(async move {
                    let row = table::find(tx, id).await?;
                    let row = row.ok_or_else(|| Error::not_found("delivery", id))?;
                    table::resend(tx, id, scribe.now()).await?;
                    if let Some(row) = destination::find(tx, &name).await? {
                        settle(tx, scribe, &row).await?;
                    }
                    let payload = types::Resend {
                        delivery_id: Some(id),
                        destination: Some(name.clone()),
                        old_state: Some(row.state.into()),
                    };
                    Ok(Done { value: (), draft: Draft::new(&payload)?.target(target(&name)) })
                })
            })
            .await?;
        self.wake_courier_for(&woken);
        Ok(())
    }

    /// Puts back everything that was given up since a time (operation `delivery.recover`), trials
    /// left out; answers how many deliveries that is.
    ///
    /// # Errors
    /// There is no such destination, or the caller may not manage it.
    pub async fn recover_deliveries(
        &self,
        context: &Context,
        class: Class,
        name: &str,
        since: Timestamp,
    ) -> Result<u64, Error> {
        let attempt = types::Recover { destination: shortened(name), since, deliveries: None };
        let operation =
            self.operation(context, class.permission(), &attempt)?.about(target(&shortened(name)));
        let may = match self.manageable(context, class, name).await {
            Ok(_) => self.may_carry(context, class).await,
            Err(error) => Err(error),
        };
        if let Err(error) = may {
            return Err(operation.fail(error).await);
        }
        let (name, woken) = (name.to_owned(), name);
        let recovered = operation
            .run(move |tx, scribe| {
                let name = name.clone();
                Box::pin(async move {
                    let row = destination::find(tx, &name).await?;
                    let row = row.ok_or_else(|| Error::not_found(class.as_str(), &name))?;
                    // What was meant for another one of this name stays where it is.
                    let begin = since.max(row.created_at);
                    let count = table::recover(tx, &name, begin, scribe.now()).await?;
                    settle(tx, scribe, &row).await?;
                    let payload = types::Recover {
                        destination: name.clone(),
                        since,
                        deliveries: Some(count),
                    };
                    Ok(Done { value: count, draft: Draft::new(&payload)?.target(target(&name)) })
                })
            })
            .await?;
        self.wake_courier_for(woken);
        Ok(recovered)
    }

    /// Sets a forwarder back to a log index: everything from there that it selects is sent, as new
    /// deliveries (operation `forwarder.replay`). With `to`, it is everything before that
    /// index, and then it goes on where it was. A periodic one has its turn at once. Answers how
    /// many entries of that part of the log have left the database: those are not sent.
    ///
    /// # Errors
    /// There is no such forwarder, an index is not in the log or lies before the forwarder, or the
    /// caller may not manage it.
    pub async fn replay_forwarder(
        &self,
        context: &Context,
        name: &str,
        from: u64,
        to: Option<u64>,
    ) -> Result<u64, Error> {
        let attempt = types::Replay {
            destination: shortened(name),
            from_index: from,
            to_index: to,
            deliveries: None,
        };
        let operation = self
            .operation(context, Permission::ForwarderWrite, &attempt)?
            .about(target(&shortened(name)));
        let may = match self.manageable(context, Class::Forwarder, name).await {
            Ok(_) => self.require_all_events(context).await,
            Err(error) => Err(error),
        };
        if let Err(error) = may {
            return Err(operation.fail(error).await);
        }
        let name = name.to_owned();
        let removed = operation
            .run(move |tx, scribe| {
                let name = name.clone();
                Box::pin(async move {
                    let row = destination::find(tx, &name).await?;
                    let mut row = row.ok_or_else(|| Error::not_found("forwarder", &name))?;
                    let size = log::latest_index(tx).await?;
                    // One that sends again already goes on where it was before that.
                    let before = row.replay.map_or(row.next_index, |(_, resume)| resume);
                    let end = replay_end(from, to, before, size)?;
                    row.replay = (from < end.0).then_some((end, before));
                    row.next_index = LogIndex(from);
                    row.changed_at = scribe.now();
                    // One that sends every few hours has its turn at once.
                    row.batch_at = row.batch_at.map(|at| at.min(scribe.now()));
                    destination::update(tx, &row).await?;
                    let spans = log::removed_spans(tx, from, end.0.max(from)).await?;
                    let removed = spans.iter().map(|(first, last)| last - first + 1).sum();
                    let payload = types::Replay {
                        destination: name.clone(),
                        from_index: from,
                        to_index: Some(end.0),
                        deliveries: None,
                    };
                    let draft = Draft::new(&payload)?.target(target(&name));
                    Ok(Done { value: removed, draft })
                })
            })
            .await?;
        self.wake_courier();
        Ok(removed)
    }
}

/// Ends the alert that deliveries were given up, once none is.
async fn settle(tx: &mut Tx, scribe: &Scribe, row: &Destination) -> Result<(), Error> {
    if search::backlog(tx, &row.name, row.created_at).await?.1 == 0 {
        alert::resolve(tx, scribe, &given_up_key(&row.name), "sent_again").await?;
    }
    Ok(())
}

/// Where sending again ends: before `to`, or where the forwarder stood.
fn replay_end(
    from: u64,
    to: Option<u64>,
    before: LogIndex,
    size: LogIndex,
) -> Result<LogIndex, Error> {
    if LogIndex(from) > size {
        return Err(Error::invalid("from_index", format!("the log has {size} entries")));
    }
    // It would be set on, and what lies between would never be sent.
    if LogIndex(from) > before {
        let message = format!("the forwarder has come to {before}; what follows is sent anyway");
        return Err(Error::invalid("from_index", message));
    }
    match to {
        None => Ok(before),
        Some(to) if to <= from => {
            Err(Error::invalid("to_index", "it lies behind the index that it begins at"))
        }
        Some(to) if LogIndex(to) > before => {
            let message =
                format!("the forwarder has come to {before}; what follows is sent anyway");
            Err(Error::invalid("to_index", message))
        }
        Some(to) => Ok(LogIndex(to)),
    }
}

/// Deletes deliveries that are kept no longer.
pub(super) async fn sweep(engine: &Engine) -> Result<u64, Error> {
    let days = i64::from(engine.settings().keep_deliveries_days);
    let before = engine.environment().now().plus(-days * Timestamp::DAY);
    let mut gone = 0;
    loop {
        let deleted = engine
            .0
            .store
            .transaction("delivery.sweep", move |tx: &mut Tx| {
                Box::pin(
                    async move { Ok::<u64, Error>(table::sweep(tx, before, SWEEP_MAX).await?) },
                )
            })
            .await?;
        gone += deleted;
        if deleted == 0 {
            return Ok(gone);
        }
    }
}
