//! Before a certificate enters the inventory: triggers on `certificate.uploaded` are asked inside
//! the operation, by the same function and with the same record as live.
//!
//! Conditions see the certificate as its request wants it. What ignores keeps it out; the others
//! may place it, and the request has the last word. Steps and evaluations share the transaction of
//! the entry or of its refusal. The dispatcher passes these types over.

use std::sync::Arc;

use aws_lc_rs::digest;
use chancery_event::id::{EvaluationId, EventId};
use chancery_event::types::certificate as types;
use chancery_event::{EventType, Origin, Target, Timestamp};
use chancery_store::table::account;
use chancery_store::table::certificate::Certificate;
use chancery_store::table::evaluation as table;
use chancery_store::table::label::{self, Class};
use chancery_store::{Link, Tx};

use super::Configuration;
use super::carry::{self, Ending, Occasion, Step};
use super::evaluate::{Evaluation, Verdict, evaluate};
use super::happening::{Happening, Subject};
use super::record::{self, Happened};
use crate::inventory::placement::{self, Resolved};
use crate::inventory::{
    Candidate, PlacementRequest, about_a_person, certificate_summary, with_values,
};
use crate::notification::compose;
use crate::scribe::{Draft, Scribe};
use crate::{Context, Error};

/// Where a request wants its certificates to belong, with the names that conditions compare.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    resolved: Resolved,
    owner: Option<String>,
    ra_profile: Option<String>,
}

impl Wanted {
    /// Finds what a request names; `row` is one of its candidates. `None` if it names nothing, or
    /// no trigger would see it.
    ///
    /// # Errors
    /// [`Error::Invalid`]: the request names something that is not there.
    pub(crate) async fn read(
        link: &mut Link,
        configuration: &Configuration,
        row: &Certificate,
        wish: &PlacementRequest,
    ) -> Result<Option<Self>, Error> {
        if wish.is_empty() || !configuration.concerns(EventType::CertificateUploaded) {
            return Ok(None);
        }
        let resolved = placement::resolve(link, row, wish).await?;
        let owner = match resolved.placement.owner {
            Some(owner) => account::find(link, owner).await?.map(|account| account.name),
            None => None,
        };
        let ra_profile = match resolved.placement.ra_profile {
            Some(id) => label::find(link, Class::RaProfile, &id.to_string()).await?,
            None => None,
        };
        Ok(Some(Self { resolved, owner, ra_profile: ra_profile.map(|label| label.name) }))
    }

    /// The candidate as it would belong.
    fn place(&self, subject: &mut Subject) {
        let placement = &self.resolved.placement;
        subject.row.owner = placement.owner;
        subject.row.ra_profile = placement.ra_profile;
        subject.row.path.clone_from(&placement.path);
        subject.owner.clone_from(&self.owner);
        subject.ra_profile.clone_from(&self.ra_profile);
        let mut groups = self.resolved.groups.clone().unwrap_or_default();
        groups.sort_by_key(|(_, name)| name.to_lowercase());
        (subject.group_ids, subject.groups) = groups.into_iter().unzip();
        let named = self.resolved.attributes.iter().flat_map(|(of, values)| {
            values.iter().map(|value| (of.name.clone(), of.kind.clone(), value.clone()))
        });
        subject.attributes = named.collect();
    }
}

/// What triggers made of a certificate that is to enter.
pub(crate) struct Staged {
    /// The event `certificate.uploaded` gets this identifier.
    pub(crate) event: EventId,
    evaluations: Vec<Evaluation>,
    revision: i64,
    at: Timestamp,
}

impl Staged {
    /// Asks the triggers; `None` if none listens.
    pub(crate) fn ask(
        configuration: &Arc<Configuration>,
        scribe: &Scribe,
        candidate: &Candidate,
        wanted: Option<&Wanted>,
    ) -> Result<Option<Self>, Error> {
        let event_type = EventType::CertificateUploaded;
        if !configuration.concerns(event_type) {
            return Ok(None);
        }
        let mut subject = Subject::candidate(candidate.row.clone(), candidate.names.clone());
        if let Some(wanted) = wanted {
            wanted.place(&mut subject);
        }
        let row = &subject.row;
        let person = about_a_person(row, &candidate.names);
        let mut certificate = certificate_summary(row, person);
        certificate.group_ids.clone_from(&subject.group_ids);
        certificate.ra_profile.clone_from(&subject.ra_profile);
        // What the request gives; the sealed event says what triggers give as well.
        let mut changes = wanted.map(|it| placement::given(&it.resolved)).unwrap_or_default();
        let values = placement::take_values(&mut changes);
        let payload = types::Uploaded {
            certificate,
            format: candidate.format.into(),
            status: row.status.clone().into(),
            key_algorithm: Some(row.key_algorithm.clone()),
            changes,
        };
        let draft = with_values(Draft::new(&payload)?, values);
        let id = scribe.environment().id::<EventId>();
        let target = crate::inventory::certificate_target(row, person);
        let event = scribe.occurrence(id, draft.target(target));
        let (index, now, subject) = (None, scribe.now(), Some(&subject));
        let happening = Happening { event: &event, event_type, index, subject, now };
        let evaluations = evaluate(configuration, &happening);
        let revision = configuration.revision;
        Ok(Some(Self { event: id, evaluations, revision, at: now }))
    }

    /// The trigger that keeps it out.
    pub(crate) fn ignored_by(&self) -> Option<&str> {
        let ignoring = self.evaluations.iter().find(|one| one.verdict == Verdict::Ignored);
        ignoring.map(|one| one.trigger.name.as_str())
    }

    /// Where the triggers want it to belong, later ones over earlier ones; `request` stands above.
    pub(crate) async fn wishes(
        &self,
        tx: &mut Tx,
        row: &Certificate,
        wish: &mut PlacementRequest,
        request: &PlacementRequest,
    ) -> Result<Vec<Vec<Option<Ending>>>, Error> {
        let mut endings = Vec::with_capacity(self.evaluations.len());
        for evaluation in &self.evaluations {
            endings.push(carry::wish(tx, row, evaluation, wish, request).await?);
        }
        Ok(endings)
    }

    /// It has entered: carries out the other steps and records everything.
    pub(crate) async fn admitted(
        &self,
        tx: &mut Tx,
        scribe: &Scribe,
        row: &Certificate,
        target: Target,
        endings: Vec<Vec<Option<Ending>>>,
    ) -> Result<(), Error> {
        let occasion = Occasion {
            event: self.event,
            certificate: Some(row.id),
            object: Some(target.clone()),
            event_type: EventType::CertificateUploaded.name(),
            log_index: None,
            appendix: None,
            about: None,
            candidate: None,
        };
        let scribe = reacting(scribe, self.event);
        let mut done = Vec::with_capacity(self.evaluations.len());
        for (evaluation, endings) in self.evaluations.iter().zip(endings) {
            let placed = endings.into_iter().map(|ending| Some((ending?, Some(self.event))));
            let placed = placed.collect();
            done.push(carry::carry(tx, &scribe, &occasion, evaluation, placed).await?);
        }
        self.record(tx, &scribe, self.event, Some(target.reference()), &done).await
    }

    /// It was kept out: carries out what does not need it in the inventory, and records the refusal
    /// without its details. `event` is the operation that failed.
    pub(crate) async fn refused(
        &self,
        tx: &mut Tx,
        scribe: &Scribe,
        event: EventId,
        candidate: &Candidate,
    ) -> Result<(), Error> {
        let occasion = Occasion {
            event,
            certificate: None,
            object: None,
            event_type: EventType::CertificateUploaded.name(),
            log_index: None,
            appendix: Some(identification(candidate)),
            about: Some(kept_out(candidate)),
            candidate: Some(compose::candidate(candidate)),
        };
        let scribe = reacting(scribe, event);
        let mut done = Vec::with_capacity(self.evaluations.len());
        for evaluation in &self.evaluations {
            let steps = carry::carry(tx, &scribe, &occasion, evaluation, Vec::new()).await?;
            done.push(steps);
        }
        self.record(tx, &scribe, event, None, &done).await
    }

    async fn record(
        &self,
        tx: &mut Tx,
        scribe: &Scribe,
        event_id: EventId,
        object: Option<String>,
        done: &[Vec<Step>],
    ) -> Result<(), Error> {
        let happened = Happened {
            log_index: None,
            event_id,
            event_type: EventType::CertificateUploaded.name(),
            discreet: object.is_none(),
            object,
            revision: self.revision,
            at: self.at,
        };
        let row = |(evaluation, steps): (&Evaluation, &Vec<Step>)| {
            let id = scribe.environment().id::<EvaluationId>();
            record::row(id, &happened, evaluation, steps)
        };
        let mut rows: Vec<_> = self.evaluations.iter().zip(done).map(row).collect();
        record::in_order(&mut rows);
        Ok(table::insert(tx, &rows).await?)
    }
}

/// On whose behalf steps run: the program's, caused by the event.
fn reacting(scribe: &Scribe, event: EventId) -> Scribe {
    let context = Context {
        origin: Origin::Trigger,
        transaction: scribe.context.transaction,
        cause: Some(event),
        depth: scribe.context.depth.saturating_add(2),
        ..Context::system(scribe.environment())
    };
    Scribe { desk: scribe.desk.clone(), context, operation: None }
}

/// What stands for a certificate that does not enter in the causes of alerts: the same however
/// often it is sent, and nothing of what is in it.
fn kept_out(candidate: &Candidate) -> String {
    let fingerprint = candidate.row.fingerprint_sha256.as_bytes();
    let hash = digest::digest(&digest::SHA256, fingerprint);
    format!("kept-out/{}", crate::inventory::hex(&hash.as_ref()[..16]))
}

/// What identifies a certificate that is not in the inventory.
fn identification(candidate: &Candidate) -> String {
    let row = &candidate.row;
    format!(
        "Subject: {}\nIssuer: {}\nSerial number: {}\nSHA-256 fingerprint: {}\nValid from {} to {}",
        row.subject_dn,
        row.issuer_dn,
        row.serial,
        row.fingerprint_sha256,
        row.not_before,
        row.not_after
    )
}
