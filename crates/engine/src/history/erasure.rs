//! Erasing what is about a person, and recording what was taken out.

use chancery_event::catalogue::Payload;
use chancery_event::id::EventId;
use chancery_event::types::certificate::Export as CertificateExport;
use chancery_event::types::{
    account as accounts, alert as alerts, configuration as configured, delivery as notices,
    job as jobs, log as types, trigger as triggers,
};
use chancery_event::{LogIndex, Target, TargetKind};
use chancery_store::log;
use chancery_store::table::alert;

use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission, idempotency};

/// What was exported.
#[derive(Clone, Debug)]
pub struct ExportRecord {
    /// `ndjson`, `csv`, …
    pub format: &'static str,
    /// How many objects.
    pub count: u64,
    /// The query that chose them; empty: all.
    pub query: String,
    /// For events: first and last log index.
    pub range: Option<(LogIndex, LogIndex)>,
}

/// A list that was exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exported {
    /// Alerts.
    Alerts,
    /// Jobs.
    Jobs,
    /// What triggers made of events.
    Evaluations,
    /// Accounts.
    Accounts,
    /// API tokens, without their secrets.
    Tokens,
    /// Decisions about notifications.
    Notices,
    /// Forwarders, without their secrets.
    Forwarders,
    /// Channels, or a class of automation, by its word.
    Configuration(&'static str),
}

impl Engine {
    /// Erases the personal part of an event (operation `event.erase`); every proof stays valid.
    ///
    /// # Errors
    /// There is no such sealed event, or nothing is left to erase.
    pub async fn erase_personal(
        &self,
        context: &Context,
        id: EventId,
        ground: &str,
    ) -> Result<(), Error> {
        let ground = ground.trim().to_owned();
        let payload = types::EventErase {
            count: 1,
            first_index: None,
            last_index: None,
            ground: ground.clone().into(),
            query: None,
        };
        let attempt = types::EventErase { count: 0, ..payload.clone() };
        let operation = self
            .operation(context, Permission::PersonalErase, &attempt)?
            .about(Target::new(TargetKind::Event, id));
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if ground.is_empty() || ground.len() > 50 || !ground.chars().all(word) {
            let message =
                "a word of lower-case letters, digits and _, such as request or retention";
            return Err(operation.fail(Error::invalid("ground", message)).await);
        }
        operation
            .run(move |tx, _| {
                let payload = payload.clone();
                Box::pin(async move {
                    let found = log::by_id(tx, id).await?;
                    let index = found.ok_or_else(|| Error::not_found("event", id))?.index();
                    if !log::erase(tx, index).await? {
                        return Err(Error::Conflict {
                            reason: "nothing_personal",
                            message: "nothing about a person is left in this event".to_owned(),
                        });
                    }
                    alert::erase_message(tx, id).await?;
                    crate::reaction::record::erase(tx, id).await?;
                    idempotency::forget_all(tx).await?;
                    let payload = types::EventErase {
                        first_index: Some(index.0),
                        last_index: Some(index.0),
                        ..payload
                    };
                    let target = Target::new(TargetKind::Event, id);
                    Ok(Done { value: (), draft: Draft::new(&payload)?.target(target) })
                })
            })
            .await?;
        match self.0.store.write_back().await {
            Ok(true) => {}
            Ok(false) => tracing::warn!("what was erased goes from the write-ahead log later"),
            Err(error) => tracing::warn!(%error, "the write-ahead log was not written back"),
        }
        Ok(())
    }

    /// Records that events were exported (operation `event.export`).
    ///
    /// # Errors
    /// The caller may not export.
    pub async fn record_event_export(
        &self,
        context: &Context,
        export: ExportRecord,
    ) -> Result<(), Error> {
        let payload = types::EventExport {
            format: export.format.into(),
            count: export.count,
            first_index: export.range.map(|(first, _)| first.0),
            last_index: export.range.map(|(_, last)| last.0),
            filtered: !export.query.is_empty(),
            with_personal: context.may(Permission::PersonalRead),
            query: (!export.query.is_empty()).then_some(export.query),
        };
        let target = self.log_target();
        self.operation(context, Permission::Export, &payload)?
            .run(move |_, _| {
                let (payload, target) = (payload.clone(), target.clone());
                Box::pin(async move {
                    Ok(Done { value: (), draft: Draft::new(&payload)?.target(target) })
                })
            })
            .await
    }

    /// Records that certificates were exported (operation `certificate.export`).
    ///
    /// # Errors
    /// The caller may not export.
    pub async fn record_certificate_export(
        &self,
        context: &Context,
        export: ExportRecord,
    ) -> Result<(), Error> {
        let payload = CertificateExport {
            format: export.format.into(),
            count: export.count,
            filtered: !export.query.is_empty(),
            query: (!export.query.is_empty()).then_some(export.query),
        };
        self.exported(context, payload).await
    }

    /// Records that a list was exported (operations `alert.export`, `job.export`,
    /// `evaluation.export`, `account.export`, `token.export`, `forwarder.export`,
    /// `configuration.export`).
    ///
    /// # Errors
    /// The caller may not export.
    pub async fn record_list_export(
        &self,
        context: &Context,
        list: Exported,
        export: ExportRecord,
    ) -> Result<(), Error> {
        let (format, count) = (export.format.into(), export.count);
        let (filtered, query) = (!export.query.is_empty(), Some(export.query));
        let query = query.filter(|_| filtered);
        match list {
            Exported::Alerts => {
                self.exported(context, alerts::Export { format, count, filtered, query }).await
            }
            Exported::Jobs => {
                self.exported(context, jobs::Export { format, count, filtered, query }).await
            }
            Exported::Accounts => {
                self.exported(context, accounts::Export { format, count, filtered, query }).await
            }
            Exported::Tokens => {
                self.exported(context, accounts::TokenExport { format, count, filtered, query })
                    .await
            }
            Exported::Notices => {
                self.exported(context, notices::NoticeExport { format, count, filtered, query })
                    .await
            }
            Exported::Forwarders => {
                self.exported(context, notices::ForwarderExport { format, count, filtered, query })
                    .await
            }
            Exported::Configuration(class) => {
                let class = class.into();
                self.exported(context, configured::Export { class, format, count, filtered, query })
                    .await
            }
            Exported::Evaluations => {
                self.exported(context, triggers::Export { format, count, filtered, query }).await
            }
        }
    }

    async fn exported<P>(&self, context: &Context, payload: P) -> Result<(), Error>
    where
        P: Payload + Clone + Send + Sync + 'static,
    {
        self.operation(context, Permission::Export, &payload)?
            .run(move |_, _| {
                let payload = payload.clone();
                Box::pin(async move { Ok(Done { value: (), draft: Draft::new(&payload)? }) })
            })
            .await
    }
}
