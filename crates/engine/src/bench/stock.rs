//! An inventory of any size, made without uploads, and the loop that keeps it true, step by step.

use std::time::Duration;

use chancery_event::id::{AccountId, GroupId, RaProfileId};
use chancery_event::{Environment, Timestamp};
use chancery_pki::Certificate;
use chancery_store::Tx;
use chancery_store::table::account::{self, Account};
use chancery_store::table::certificate;
use chancery_store::table::label::{self, Class, Label};

use crate::inventory::{Candidate, Source, status};
use crate::tenure::Standing;
use crate::{Engine, Error};

/// Of each kind of label, so many are given to the certificates of [`stock`] by turns.
const LABELS: u64 = 20;
/// Certificates of one unit of work.
const UNIT: usize = 200;

/// Puts certificates into the tables of the inventory as uploads would leave them: judged, placed,
/// about one in ten with another kind of key in its row. Records nothing. `first` is the number of
/// the first of them; those with number 0 bring the labels along, and are trusted.
///
/// # Errors
/// One cannot be read, or the store refuses.
pub async fn stock(engine: &Engine, ders: Vec<Vec<u8>>, first: u64) -> Result<(), Error> {
    let environment = engine.environment().clone();
    let now = environment.now();
    let mut candidates = Vec::with_capacity(ders.len());
    for (number, der) in (first..).zip(ders) {
        let parsed =
            Certificate::parse(&der).map_err(|e| Error::invalid("bench", e.to_string()))?;
        let mut candidate = Candidate::new(parsed, "der", Source::Import, &environment);
        judge(&mut candidate.row, now, engine.settings().expiring_days);
        candidates.push((number, candidate));
    }
    // Each unit keeps the pages it changes until it ends: small ones, as uploads are.
    let mut rest = candidates.into_iter().peekable();
    while rest.peek().is_some() {
        unit(engine, rest.by_ref().take(UNIT).collect()).await?;
    }
    Ok(())
}

async fn unit(engine: &Engine, candidates: Vec<(u64, Candidate)>) -> Result<(), Error> {
    let environment = engine.environment().clone();
    let work = std::sync::Arc::new(candidates);
    engine
        .0
        .store
        .transaction("bench.stock", move |tx: &mut Tx| {
            let (work, environment) = (work.clone(), environment.clone());
            Box::pin(async move {
                if work.first().is_some_and(|(number, _)| *number == 0) {
                    labels(tx, &environment).await?;
                }
                let labels = Labels::read(tx).await?;
                for (number, candidate) in work.iter() {
                    let (row, group) = labels.placed(candidate, *number);
                    let der = candidate.parsed.der();
                    certificate::insert(tx, &row, der, &candidate.names, 1).await?;
                    if let Some(group) = group {
                        certificate::put_groups(tx, row.id, &[group]).await?;
                    }
                }
                Ok::<(), Error>(())
            })
        })
        .await
}

/// The status that its end gives it, and when time may change that.
fn judge(row: &mut certificate::Certificate, now: Timestamp, expiring_days: u32) {
    let soon = row.not_after.plus(-i64::from(expiring_days) * Timestamp::DAY);
    let (status, due) = match now {
        now if now > row.not_after => ("expired", now.plus(3_650 * Timestamp::DAY)),
        now if now > soon => ("expiring", row.not_after),
        _ => ("valid", soon),
    };
    row.status = status.to_owned();
    row.status_reason = format!("its end decides: {status}");
    row.status_checks =
        r#"[{"name":"dates","result":"passed","reason":"now lies between begin and end"}]"#
            .to_owned();
    row.chain = format!("[\"{}\"]", row.fingerprint_sha256);
    row.status_due_at = due.plus(1);
}

/// What certificates are given by turns.
struct Labels {
    owners: Vec<AccountId>,
    groups: Vec<GroupId>,
    profiles: Vec<RaProfileId>,
}

impl Labels {
    async fn read(tx: &mut Tx) -> Result<Self, Error> {
        let named = |name: &str| name.starts_with("bench-") || name.starts_with("measured-");
        let owners = account::all(tx).await?;
        let owners = owners.into_iter().filter(|one| named(&one.name)).map(|one| one.id).collect();
        let mut groups = Vec::new();
        for label in label::all(tx, Class::Group).await? {
            groups.extend(label.id.parse::<GroupId>());
        }
        let mut profiles = Vec::new();
        for label in label::all(tx, Class::RaProfile).await? {
            profiles.extend(label.id.parse::<RaProfileId>());
        }
        Ok(Self { owners, groups, profiles })
    }

    /// The row with its place, and the group it is in.
    fn placed(&self, of: &Candidate, number: u64) -> (certificate::Certificate, Option<GroupId>) {
        let mut row = of.row.clone();
        let turn = |every: u64| usize::try_from(number / every % LABELS).unwrap_or(0);
        row.owner =
            (!number.is_multiple_of(5)).then(|| self.owners.get(turn(1)).copied()).flatten();
        row.ra_profile =
            (!number.is_multiple_of(3)).then(|| self.profiles.get(turn(7)).copied()).flatten();
        row.path = format!("/bench/{}", number / 11 % 200);
        row.archived = number % 100 == 50;
        row.trust_anchor = row.is_ca;
        if row.is_ca {
            row.status = "valid".to_owned();
        } else if number % 10 == 3 {
            row.key_algorithm = "RSA".to_owned();
            // A few are older than anybody remembers.
            row.key_size = if number % 10_000 == 13 { 1_024 } else { 2_048 };
        }
        let group = number.is_multiple_of(2).then(|| self.groups.get(turn(3)).copied()).flatten();
        (row, group)
    }
}

async fn labels(tx: &mut Tx, environment: &Environment) -> Result<(), Error> {
    let now = environment.now();
    for number in 0..LABELS {
        let account = Account {
            id: environment.id(),
            name: format!("bench-{number}"),
            display_name: format!("Bench {number}"),
            email: None,
            role: "viewer".to_owned(),
            password_hash: None,
            must_change: false,
            password_set_at: None,
            password_ends_at: None,
            disabled: false,
            expires_at: None,
            failures: 0,
            locked_until: None,
            last_login_at: None,
            created_at: now,
            version: 1,
        };
        account::insert(tx, &account).await?;
        let group = environment.id::<GroupId>().to_string();
        let profile = environment.id::<RaProfileId>().to_string();
        for (class, id) in [(Class::Group, group), (Class::RaProfile, profile)] {
            let (name, description) = (format!("measured-{number}"), String::new());
            let label = Label { id, name, description, version: 1, created_at: now };
            label::insert(tx, class, &label).await?;
        }
    }
    Ok(())
}

/// One round of the loop that keeps every status true; answers how many certificates it judged.
///
/// # Errors
/// The store refuses.
pub async fn sweep(engine: &Engine) -> Result<usize, Error> {
    status::round(engine, &Standing::Alone).await
}

/// Waits until the loop that keeps every status true has judged all that is due.
///
/// # Errors
/// The store cannot be read.
pub async fn all_judged(engine: &Engine) -> Result<(), Error> {
    engine.0.status_waiting.notify_one();
    loop {
        let now = engine.environment().now();
        if certificate::due(&mut engine.link().await?, now, 1).await?.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
