//! The canary: a synthetic certificate that is about to end, on a schedule. The monitors find it,
//! the triggers react, the profile `canary` tells of it, the channels deliver: whatever of that
//! does not work is found out before a real certificate needs it.
//!
//! The job puts the certificate in; another loop looks whether the message arrived through every
//! channel in time. Absence is an event and an alert (the bell is one path), and a message through
//! a channel that works (the other). The certificate is deleted when it was judged.

use std::sync::Arc;

use chancery_event::id::{AlertId, CertificateId, DeliveryId};
use chancery_event::types::delivery as types;
use chancery_event::{Severity, Target, TargetKind, Timestamp};
use chancery_pki::make::{self, Key, Template};
use chancery_store::table::notice::{self, Query};
use chancery_store::table::{alert as alerts, delivery as deliveries, setting};
use chancery_store::{Link, Tx};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::profile::BELL;
use super::recipient::Directory;
use crate::alert::{self, NewAlert};
use crate::delivery::{self, Message};
use crate::inventory::{PlacementRequest, Source, Upload, UploadAnswer, UploadMode};
use crate::job::JobError;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Role};

/// The folder that canaries live in.
pub const FOLDER: &str = "/canary";
/// Name of the setting that holds the canary under way.
const CURRENT: &str = "canary.current";
/// The message has to arrive so long after the certificate came in: monitors look once an hour.
const PATIENCE: i64 = 2 * 3_600 * Timestamp::SECOND;
/// It began so long ago, so that every usual threshold is crossed at once.
const AGE: i64 = 200 * Timestamp::DAY;
/// It ends so long after it came in.
const REST: i64 = 12 * 3_600 * Timestamp::SECOND;

/// The canary under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Canary {
    certificate: CertificateId,
    /// Microseconds.
    since: i64,
}

/// How it went with one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Arrival {
    channel: String,
    /// Why it did not arrive; `None`: it did.
    missed: Option<String>,
}

/// Key of the alert that the canary did not arrive through a channel.
fn alert_key(channel: &str) -> String {
    format!("canary_missed:destination/{channel}")
}

impl Engine {
    /// Puts a canary into the inventory; the one before it goes.
    pub(crate) async fn run_canary(&self, context: &Context) -> Result<Value, JobError> {
        self.put_canary(context).await.map_err(JobError::of)
    }

    async fn put_canary(&self, context: &Context) -> Result<Value, Error> {
        let found = setting::find(&mut self.link().await?, CURRENT).await?;
        if let Some(known) = found.and_then(|text| serde_json::from_str::<Canary>(&text).ok()) {
            self.remove_canary(known.certificate).await?;
        }
        let now = self.environment().now();
        let seed = self.environment().random::<16>();
        let der =
            certificate(now, &seed).map_err(|error| Error::Internal(format!("canary: {error}")))?;
        let placement =
            PlacementRequest { path: Some(FOLDER.to_owned()), ..PlacementRequest::default() };
        let upload = Upload {
            bytes: der,
            password: None,
            placement,
            mode: UploadMode::Sync,
            source: Source::Demonstration,
        };
        let context = Context { role: Some(Role::Administrator), ..context.clone() };
        let id = match self.upload(&context, upload).await? {
            UploadAnswer::Done(items) => items.into_iter().find_map(|item| item.result.ok()),
            UploadAnswer::Queued(_) => None,
        };
        let id = id.ok_or_else(|| Error::Internal("the canary was not let in".to_owned()))?;
        let canary = Canary { certificate: id, since: now.micros() };
        let text = serde_json::to_string(&canary)
            .map_err(|error| Error::Internal(format!("canary: {error}")))?;
        self.0
            .store
            .transaction("canary.put", move |tx: &mut Tx| {
                let text = text.clone();
                Box::pin(async move { Ok::<(), Error>(setting::put(tx, CURRENT, &text).await?) })
            })
            .await?;
        Ok(json!({ "certificate": id.to_string() }))
    }

    async fn remove_canary(&self, id: CertificateId) -> Result<(), Error> {
        let context = Context::system(self.environment());
        match self.delete_certificate(&context, id, None).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn certificate(now: Timestamp, seed: &[u8; 16]) -> Result<Vec<u8>, make::MakeError> {
    let key = Key::from_seed(&[seed.as_slice(), b"canary"].concat())?;
    let (from, until) = (now.plus(-AGE).micros(), now.plus(REST).micros());
    let mut template = Template::leaf(&["canary.chancery.invalid"], from, until);
    template.serial = make::serial(&[seed.as_slice(), b"canary"].concat());
    make::certificate(&template, &key, None)
}

/// Looks whether the canary under way arrived, and judges it when it did everywhere or its time is
/// over; true if it was judged.
pub(crate) async fn look(engine: &Engine) -> Result<bool, Error> {
    let mut link = engine.link().await?;
    let Some(text) = setting::find(&mut link, CURRENT).await? else { return Ok(false) };
    let Ok(canary) = serde_json::from_str::<Canary>(&text) else { return Ok(false) };
    let now = engine.environment().now();
    let waited = now.since(Timestamp::from_micros(canary.since));
    let directory = Directory::read(&mut link, now).await?;
    let arrivals = arrivals(&mut link, &directory, &canary).await?;
    drop(link);
    let all = arrivals.iter().all(|arrival| arrival.missed.is_none());
    if !all && waited < PATIENCE {
        return Ok(false);
    }
    let work = Arc::new((arrivals, directory, text));
    let scribe = engine.scribe(&Context::system(engine.environment()));
    let public_url = engine.settings().public_url.clone();
    let woken = engine
        .0
        .store
        .transaction("canary.judge", move |tx: &mut Tx| {
            let (work, scribe) = (work.clone(), scribe.clone());
            let public_url = public_url.clone();
            Box::pin(async move {
                let (arrivals, directory, text) = &*work;
                // Another one was put in meanwhile, or somebody else judged it.
                if setting::find(tx, CURRENT).await?.as_deref() != Some(text.as_str()) {
                    return Ok::<Option<String>, Error>(None);
                }
                setting::put(tx, CURRENT, "").await?;
                judge(tx, &scribe, arrivals, directory, waited, &public_url).await
            })
        })
        .await?;
    if let Some(channel) = woken {
        engine.wake_courier_for(&channel);
    }
    engine.remove_canary(canary.certificate).await?;
    Ok(true)
}

/// How it went with every channel that is on, and with the bell.
async fn arrivals(
    link: &mut Link,
    directory: &Directory,
    canary: &Canary,
) -> Result<Vec<Arrival>, Error> {
    let object = format!("certificate/{}", canary.certificate);
    let query = Query { object: Some(object), ..Query::default() };
    let told = notice::page(link, &query, 1_000).await?;
    let on = directory.channels.values().filter(|row| row.enabled).map(|row| row.name.as_str());
    let mut arrivals = Vec::new();
    for channel in std::iter::once(BELL).chain(on) {
        let own: Vec<_> = told.iter().filter(|notice| notice.channel == channel).collect();
        let mut missed = Some("not_told".to_owned());
        for notice in own {
            missed = match (notice.decision.as_str(), notice.delivery) {
                ("sent", None) => None,
                ("sent", Some(id)) => match deliveries::find(link, id).await? {
                    Some(row) if row.state == "delivered" => None,
                    _ => Some("not_delivered".to_owned()),
                },
                ("held", _) => Some("held".to_owned()),
                _ => Some(notice.reason.clone()),
            };
            if missed.is_none() {
                break;
            }
        }
        arrivals.push(Arrival { channel: channel.to_owned(), missed });
    }
    Ok(arrivals)
}

/// Records how it went. Answers the channel that a message about it was queued for.
async fn judge(
    tx: &mut Tx,
    scribe: &crate::scribe::Scribe,
    arrivals: &[Arrival],
    directory: &Directory,
    waited: i64,
    public_url: &str,
) -> Result<Option<String>, Error> {
    let waited_s = u64::try_from(waited / Timestamp::SECOND).unwrap_or(0);
    let mut lost = Vec::new();
    for arrival in arrivals {
        let target = Target::new(TargetKind::Destination, &arrival.channel).named(&arrival.channel);
        let key = alert_key(&arrival.channel);
        let Some(why) = &arrival.missed else {
            if alerts::unresolved(tx, &key).await?.is_some() {
                let payload = types::CanaryArrived { channel: arrival.channel.clone() };
                scribe.record(tx, Draft::new(&payload)?.target(target))?;
                alert::resolve(tx, scribe, &key, "arrived").await?;
            }
            continue;
        };
        let payload = types::CanaryMissed {
            channel: arrival.channel.clone(),
            waited_s,
            because: why.clone().into(),
        };
        let cause = scribe.record(tx, Draft::new(&payload)?.target(target.clone()))?;
        let new = NewAlert {
            message: format!(
                "A synthetic certificate was about to end, and its message did not arrive through \
                 {}: {}. Notices says what was decided; the page of the channel how it goes with it.",
                arrival.channel,
                why.replace('_', " ")
            ),
            object: Some(target),
            source: "canary".to_owned(),
            cause: Some(cause),
            ..NewAlert::new(
                key,
                "canary_missed",
                Severity::Error,
                format!("The canary did not arrive through {}", arrival.channel),
            )
        };
        let raised = alert::raise(tx, scribe, &new).await?;
        lost.push((arrival.channel.as_str(), raised.id));
    }
    second_path(tx, scribe, arrivals, directory, &lost, public_url).await
}

/// Tells administrators through a channel that works.
async fn second_path(
    tx: &mut Tx,
    scribe: &crate::scribe::Scribe,
    arrivals: &[Arrival],
    directory: &Directory,
    lost: &[(&str, AlertId)],
    public_url: &str,
) -> Result<Option<String>, Error> {
    let Some((_, alert)) = lost.first() else { return Ok(None) };
    let works = |arrival: &&Arrival| arrival.missed.is_none() && arrival.channel != BELL;
    let Some(path) = arrivals.iter().find(works) else { return Ok(None) };
    let names: Vec<&str> = lost.iter().map(|(name, _)| *name).collect();
    let is_mail =
        directory.channels.get(&path.channel).is_some_and(|channel| channel.kind == "email");
    let recipients = if is_mail { directory.addresses_of(Role::Administrator) } else { Vec::new() };
    if is_mail && recipients.is_empty() {
        return Ok(None);
    }
    let subject = format!("The canary did not arrive through {}", names.join(", "));
    let message = Message {
        text: format!(
            "A synthetic certificate was about to end, and nothing told of it by: {}.\n\
             Real certificates would not be heard of there either.",
            names.join(", ")
        ),
        subject,
        recipients,
        severity: Some(Severity::Error.as_str().to_owned()),
        link: Some(format!("{}/alerts/{alert}", public_url.trim_end_matches('/'))),
        ..Message::default()
    };
    let id = scribe.environment().id::<DeliveryId>();
    delivery::enqueue(tx, id, &path.channel, "message", &message, scribe.now()).await?;
    Ok(Some(path.channel.clone()))
}
