//! The canary: a synthetic certificate that is about to end, on a schedule. The monitors find it,
//! the triggers react, the profile `canary` tells of it, the channels deliver: whatever of that
//! does not work is found out before a real certificate needs it.
//!
//! The job puts the certificate in; another loop looks whether the message arrived through every
//! channel in time. Absence is an event and an alert (the bell is one path), and a message through
//! a channel that works (the other). The certificate is deleted when it was judged. A setting says
//! how far it has come before every step, so that a crash leaves no certificate that nobody knows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_event::id::{AlertId, CertificateId, DeliveryId};
use chancery_event::types::delivery as types;
use chancery_event::{Severity, Target, TargetKind, Timestamp};
use chancery_pki::make::{self, Key, Template};
use chancery_store::table::notice::{self, Query};
use chancery_store::table::{
    alert as alerts, certificate as inventory, delivery as deliveries, setting,
};
use chancery_store::{Link, Tx, log};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::book::Profiles;
use super::decide;
use super::profile::{ALL, BELL};
use super::recipient::Directory;
use crate::alert::{self, NewAlert};
use crate::automation::Book;
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

/// One that is being put in for longer than this was left behind by a program that ended.
const ABANDONED: i64 = 600 * Timestamp::SECOND;
/// One that nobody judged for so long makes room for the next.
const STALE: i64 = Timestamp::DAY;
/// Name in its certificate: nothing else is ever deleted.
const NAME: &str = "canary.chancery.invalid";
/// So far may the dispatcher be behind, in indexes, without being behind.
const BEHIND: u64 = 256;

/// The canary under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Canary {
    /// `None`: it is being put in.
    certificate: Option<CertificateId>,
    /// Microseconds.
    since: i64,
    /// The channels that its profile names, as it was put in.
    channels: Vec<String>,
    /// How it went is told; what is left is to take it away.
    is_judged: bool,
}

impl Canary {
    fn stored(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|error| Error::Internal(format!("canary: {error}")))
    }
}

/// The canary under way, as it is stored and as it is read.
async fn current(link: &mut Link) -> Result<Option<(String, Canary)>, Error> {
    let text = setting::find(link, CURRENT).await?;
    let read = text.map(|text| (serde_json::from_str(&text).ok(), text));
    Ok(read.and_then(|(canary, text)| canary.map(|canary| (text, canary))))
}

/// Puts the setting if it still says what was read; false if somebody else changed it.
async fn exchange(
    engine: &Engine,
    name: &'static str,
    old: Option<String>,
    new: String,
) -> Result<bool, Error> {
    let work = Arc::new((old, new));
    let store = &engine.0.store;
    let exchanged = store.transaction(name, move |tx: &mut Tx| {
        let work = work.clone();
        Box::pin(async move {
            let (old, new) = &*work;
            let known = setting::find(tx, CURRENT).await?;
            if known.as_deref().unwrap_or_default() != old.as_deref().unwrap_or_default() {
                return Ok::<bool, Error>(false);
            }
            setting::put(tx, CURRENT, new).await?;
            Ok(true)
        })
    });
    exchanged.await
}

/// How it went with one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Arrival {
    channel: String,
    /// Why it did not arrive; `None`: it did.
    missed: Option<String>,
}

/// The profile that tells of it.
const PROFILE: &str = "canary";
/// Between two looks.
const TICK: Duration = Duration::from_secs(1);

/// Key of the alert that the canary did not arrive through a channel.
fn alert_key(channel: &str) -> String {
    format!("canary_missed:destination/{channel}")
}

impl Engine {
    /// Puts a canary into the inventory, unless one is under way: what does not arrive of that one
    /// is found out first.
    pub(crate) async fn run_canary(&self, context: &Context) -> Result<Value, JobError> {
        self.put_canary(context).await.map_err(JobError::of)
    }

    pub(crate) async fn put_canary(&self, context: &Context) -> Result<Value, Error> {
        let now = self.environment().now();
        let mut link = self.link().await?;
        let known = setting::find(&mut link, CURRENT).await?;
        if let Some((_, canary)) = current(&mut link).await?
            && now.since(Timestamp::from_micros(canary.since)) < STALE
        {
            return Ok(json!({ "skipped": "one is under way" }));
        }
        let directory = Directory::read(&mut link, now).await?;
        let profiles = Profiles::of(&Book::read(&mut link).await?);
        drop(link);
        let names = match profiles.find(PROFILE).filter(|named| named.is_enabled) {
            Some(named) => named.profile.channels.clone(),
            None => vec![ALL.to_owned()],
        };
        let channels = decide::channels(&names, &directory);
        let planned = Canary { certificate: None, since: now.micros(), channels, is_judged: false };
        let text = planned.stored()?;
        if !exchange(self, "canary.plan", known, text.clone()).await? {
            return Ok(json!({ "skipped": "one is under way" }));
        }
        self.remove_canaries().await?;
        match self.hatch(context, now).await {
            Ok(id) => {
                let canary = Canary { certificate: Some(id), ..planned };
                exchange(self, "canary.put", Some(text), canary.stored()?).await?;
                Ok(json!({ "certificate": id.to_string() }))
            }
            Err(error) => {
                exchange(self, "canary.clear", Some(text), String::new()).await?;
                Err(error)
            }
        }
    }

    /// Uploads the certificate of a canary.
    async fn hatch(&self, context: &Context, now: Timestamp) -> Result<CertificateId, Error> {
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
        id.ok_or_else(|| Error::Internal("the canary was not let in".to_owned()))
    }

    /// Takes every canary out of the inventory, also one that a program left behind when it ended.
    async fn remove_canaries(&self) -> Result<(), Error> {
        let context = Context::system(self.environment());
        let mut link = self.link().await?;
        let mut ids = Vec::new();
        for id in inventory::in_folder(&mut link, FOLDER, 1_000).await? {
            let row = inventory::find(&mut link, id).await?;
            if row.is_some_and(|row| is_canary(&row)) {
                ids.push(id);
            }
        }
        drop(link);
        for id in ids {
            match self.delete_certificate(&context, id, None).await {
                Ok(()) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Whether a certificate is a canary, and not one that somebody else put beside it.
pub(super) fn is_canary(row: &inventory::Certificate) -> bool {
    row.path == FOLDER && row.subject_dn.contains(NAME)
}

fn certificate(now: Timestamp, seed: &[u8; 16]) -> Result<Vec<u8>, make::MakeError> {
    let key = Key::from_seed(&[seed.as_slice(), b"canary"].concat())?;
    let (from, until) = (now.plus(-AGE).micros(), now.plus(REST).micros());
    let mut template = Template::leaf(&[NAME], from, until);
    template.serial = make::serial(&[seed.as_slice(), b"canary"].concat());
    make::certificate(&template, &key, None)
}

/// Looks after the canary under way.
#[derive(Default)]
pub(crate) struct Lookout {
    /// Since when this node looks: what happened while nobody worked is nobody's fault.
    since: Option<Timestamp>,
    looked_at: Option<Instant>,
}

impl Lookout {
    /// Looks whether the canary arrived, and judges it when it did everywhere or its time is over.
    pub(crate) async fn look(&mut self, engine: &Engine) -> Result<(), Error> {
        if self.looked_at.is_some_and(|at| at.elapsed() < TICK) {
            return Ok(());
        }
        self.looked_at = Some(Instant::now());
        self.judge(engine).await
    }

    /// As [`Lookout::look`], however short ago it looked.
    pub(crate) async fn judge(&mut self, engine: &Engine) -> Result<(), Error> {
        let now = engine.environment().now();
        let since = *self.since.get_or_insert(now);
        let mut link = engine.link().await?;
        let Some((text, canary)) = current(&mut link).await? else { return Ok(()) };
        let waited = now.since(since.max(Timestamp::from_micros(canary.since)));
        let Some(id) = canary.certificate.filter(|_| !canary.is_judged) else {
            drop(link);
            return match canary.is_judged || waited > ABANDONED {
                true => take_away(engine, text).await,
                false => Ok(()),
            };
        };
        let directory = Directory::read(&mut link, now).await?;
        let arrivals = arrivals(&mut link, &directory, &canary, id).await?;
        let patience = match is_behind(&mut link).await? {
            true => 2 * PATIENCE,
            false => PATIENCE,
        };
        drop(link);
        let all = arrivals.iter().all(|arrival| arrival.missed.is_none());
        if !all && waited < patience {
            return Ok(());
        }
        let judged = Canary { is_judged: true, ..canary }.stored()?;
        let verdict = Verdict { arrivals, directory, waited };
        if pass(engine, verdict, &text, &judged).await? {
            take_away(engine, judged).await?;
        }
        Ok(())
    }
}

/// Whether the triggers are still busy with what came before.
async fn is_behind(link: &mut Link) -> Result<bool, Error> {
    let seen = log::cursor(link, crate::reaction::dispatcher::CURSOR).await?;
    Ok(seen.0 + BEHIND < log::latest_index(link).await?.0)
}

/// Deletes the certificate, and then forgets it: not the other way round, because one that nobody
/// knows would end as a real one does.
async fn take_away(engine: &Engine, text: String) -> Result<(), Error> {
    engine.remove_canaries().await?;
    exchange(engine, "canary.clear", Some(text), String::new()).await.map(|_| ())
}

/// How it went, all in all.
struct Verdict {
    arrivals: Vec<Arrival>,
    directory: Directory,
    waited: i64,
}

/// Tells how it went; false if somebody else has.
async fn pass(engine: &Engine, verdict: Verdict, old: &str, new: &str) -> Result<bool, Error> {
    let work = Arc::new((verdict, old.to_owned(), new.to_owned()));
    let scribe = engine.scribe(&Context::system(engine.environment()));
    let public_url = engine.settings().public_url.clone();
    let store = &engine.0.store;
    let passed = store.transaction("canary.judge", move |tx: &mut Tx| {
        let (work, scribe) = (work.clone(), scribe.clone());
        let public_url = public_url.clone();
        Box::pin(async move {
            let (verdict, old, new) = &*work;
            if setting::find(tx, CURRENT).await?.as_deref() != Some(old.as_str()) {
                return Ok::<_, Error>(None);
            }
            setting::put(tx, CURRENT, new).await?;
            judge(tx, &scribe, verdict, &public_url).await.map(Some)
        })
    });
    let Some(woken) = passed.await? else { return Ok(false) };
    if let Some(channel) = woken {
        engine.wake_courier_for(&channel);
    }
    Ok(true)
}

/// How it went with every channel that was named and is still on, and with the bell.
async fn arrivals(
    link: &mut Link,
    directory: &Directory,
    canary: &Canary,
    id: CertificateId,
) -> Result<Vec<Arrival>, Error> {
    let object = format!("certificate/{id}");
    let query = Query { object: Some(object), ..Query::default() };
    let told = notice::page(link, &query, 1_000).await?;
    let is_on =
        |name: &str| name == BELL || directory.channels.get(name).is_some_and(|row| row.enabled);
    let mut arrivals = Vec::new();
    for channel in canary.channels.iter().map(String::as_str).filter(|name| is_on(name)) {
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
    Verdict { arrivals, directory, waited }: &Verdict,
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
                 {}: {}. Notices says what was decided; the page of the channel how it goes there.",
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
    // Each by itself: one address that is refused must not keep it from the others.
    let recipients: Vec<Vec<String>> = match is_mail {
        true => {
            let addresses = directory.addresses_of(Role::Administrator).into_iter();
            addresses.map(|address| vec![address]).collect()
        }
        false => vec![Vec::new()],
    };
    let subject = format!("The canary did not arrive through {}", names.join(", "));
    for recipients in &recipients {
        let message = Message {
            text: format!(
                "A synthetic certificate was about to end, and nothing told of it by: {}.\n\
                 Real certificates would not be heard of there either.",
                names.join(", ")
            ),
            subject: subject.clone(),
            recipients: recipients.clone(),
            severity: Some(Severity::Error.as_str().to_owned()),
            link: Some(format!("{}/alerts/{alert}", public_url.trim_end_matches('/'))),
            ..Message::default()
        };
        let id = scribe.environment().id::<DeliveryId>();
        delivery::enqueue(tx, id, &path.channel, "message", &message, scribe.now()).await?;
    }
    Ok((!recipients.is_empty()).then(|| path.channel.clone()))
}
