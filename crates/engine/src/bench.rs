//! What `chancery bench` needs to measure the engine from outside: a unit that only records, and
//! the store behind the engine.
//!
//! No edge may use this: it authorises nothing. The events go the way of all events.

mod stock;

pub use stock::{all_judged, stock, sweep};

use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_event::id::{AccountId, CertificateId, EventId};
use chancery_event::types::certificate as types;
use chancery_event::{
    Authentication, Environment, Event, EventType, Origin, Target, TargetKind, Timestamp,
};
use chancery_store::{Store, Tx};

use crate::inventory::hex;
use crate::reaction::{self, Happening};
use crate::scribe::Draft;
use crate::{Client, Context, Engine, Error, Role};

/// The store behind an engine.
pub fn store(engine: &Engine) -> &Store {
    &engine.0.store
}

/// An account with a name and an address, as requests over the network have one.
pub fn context(environment: &Environment) -> Context {
    let client = Client {
        ip: Some("192.0.2.7".to_owned()),
        user_agent: Some("chancery-bench/1".to_owned()),
    };
    let authentication = Authentication { method: "password".into(), credential: None };
    let (account, name) = (environment.id::<AccountId>(), "bench".to_owned());
    let role = Role::Administrator;
    Context::account(environment, Origin::Api, client, account, name, role, authentication)
}

/// Records `count` events of a certificate's entry in one unit; answers after its durable commit.
///
/// # Errors
/// The unit was not committed.
pub async fn record(
    engine: &Engine,
    context: &Context,
    count: usize,
) -> Result<Vec<EventId>, Error> {
    let scribe = engine.scribe(context);
    let mut ids = Vec::with_capacity(count);
    let mut events = Vec::with_capacity(count);
    for _ in 0..count {
        let id = engine.environment().id();
        events.push(Arc::new(scribe.completion(id, draft(engine.environment())?)?));
        ids.push(id);
    }
    engine
        .0
        .store
        .transaction("bench.record", move |tx: &mut Tx| {
            let events = events.clone();
            Box::pin(async move {
                events.into_iter().for_each(|event| tx.record(event));
                Ok::<(), Error>(())
            })
        })
        .await?;
    Ok(ids)
}

/// What the configuration in force makes of an event, with every comparison explained as live:
/// evaluations of one round, and the time of each of `rounds`.
///
/// # Errors
/// The store cannot be read.
pub async fn evaluate(
    engine: &Engine,
    event: &Event,
    rounds: u32,
) -> Result<(usize, Duration), Error> {
    let configuration = engine.configuration(&mut engine.link().await?).await?;
    let event_type = EventType::of(event)
        .ok_or_else(|| Error::Internal(format!("{} is no type", event.type_name)))?;
    let happening = Happening { event, event_type, index: None, subject: None, now: event.time };
    let (started, mut found) = (Instant::now(), 0);
    for _ in 0..rounds {
        found = std::hint::black_box(reaction::evaluate(&configuration, &happening)).len();
    }
    Ok((found, started.elapsed() / rounds.max(1)))
}

fn draft(environment: &Environment) -> Result<Draft, Error> {
    let id = environment.id::<CertificateId>();
    let random: [u8; 32] = environment.random();
    let host = format!("host-{}.example.com", hex(&random[..4]));
    let now = environment.now();
    let summary = types::CertificateSummary {
        certificate_id: id,
        fingerprint_sha256: hex(&random),
        serial_number: hex(&random[..16]),
        subject_dn: Some(format!("CN={host}")),
        issuer_dn: Some("CN=Measured Issuing CA 1,O=Example".to_owned()),
        not_before: now,
        not_after: now.plus(90 * Timestamp::DAY),
        authority_id: None,
        ra_profile_id: None,
        ra_profile: None,
        group_ids: Vec::new(),
        person_dn: None,
        person_issuer_dn: None,
    };
    let payload = types::Uploaded {
        certificate: summary,
        format: "pem".into(),
        status: "valid".into(),
        key_algorithm: Some("EC P-256".to_owned()),
        changes: Vec::new(),
    };
    Ok(Draft::new(&payload)?.target(Target::new(TargetKind::Certificate, id).named(host)))
}
