//! One certificate, whole: what its page and its API resource show.

use chancery_event::Timestamp;
use chancery_event::id::{CertificateId, GroupId};
use chancery_store::table::certificate::{Certificate, Name};
use chancery_store::table::label::{self, Class};
use chancery_store::table::{account, attribute, certificate};
use serde_json::Value;

pub use chancery_store::table::certificate::ISSUED_COUNTED;

use super::candidate::title;
use crate::{Context, Engine, Error, Permission, configuration};

/// One certificate, whole.
#[derive(Clone, Debug)]
pub struct CertificateView {
    /// What lists show too.
    pub row: Certificate,
    /// Subject alternative names.
    pub names: Vec<Name>,
    /// Its groups, by name.
    pub groups: Vec<(GroupId, String)>,
    /// Login name of its owner.
    pub owner_name: Option<String>,
    /// Name of its RA profile.
    pub ra_profile_name: Option<String>,
    /// Values of custom attributes.
    pub attributes: Vec<AttributeEntry>,
    /// Every check of its validation.
    pub checks: Vec<CheckView>,
    /// From itself upwards, as far as the chain goes.
    pub chain: Vec<ChainLink>,
    /// What it replaces: identifier and title.
    pub replaces: Vec<(CertificateId, String)>,
    /// What replaces it: identifier, title, kind.
    pub replaced_by: Option<(CertificateId, String, String)>,
    /// Certificates of the inventory that name it as their issuer; one more than [`ISSUED_COUNTED`]
    /// are more than that.
    pub issued: u64,
    /// The original bytes.
    pub der: Vec<u8>,
}

/// The values of one custom attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeEntry {
    /// Its name.
    pub name: String,
    /// What people read.
    pub label: String,
    /// Its kind.
    pub kind: String,
    /// Its values, as text.
    pub values: Vec<String>,
    /// Its value as requests spell it: a number, a boolean, a text, or a list.
    pub json: Value,
}

/// One check of a validation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckView {
    /// Which check.
    pub name: String,
    /// `passed`, `failed`, `skipped` or `unknown`.
    pub result: String,
    /// One sentence.
    pub reason: String,
}

/// One certificate of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainLink {
    /// SHA-256, lower-case hex.
    pub fingerprint: String,
    /// Its identifier, if it is still in the inventory.
    pub id: Option<CertificateId>,
    /// What people call it.
    pub subject: String,
    /// Its own status.
    pub status: Option<String>,
    /// Its end.
    pub not_after: Option<Timestamp>,
    /// Chains may end here.
    pub trust_anchor: bool,
}

impl Engine {
    /// One certificate, whole.
    ///
    /// # Errors
    /// There is none, or the caller may not see it.
    pub async fn certificate(
        &self,
        context: &Context,
        id: CertificateId,
    ) -> Result<CertificateView, Error> {
        context.require(Permission::CertificateRead)?;
        let mut link = self.link().await?;
        let row = certificate::find(&mut link, id).await?;
        let row = row.ok_or_else(|| Error::not_found("certificate", id))?;
        let owner = match row.owner {
            Some(owner) => account::find(&mut link, owner).await?,
            None => None,
        };
        let profile = match row.ra_profile {
            Some(profile) => label::find(&mut link, Class::RaProfile, &profile.to_string()).await?,
            None => None,
        };
        let replaced_by = match (row.replaced_by, &row.replacement_kind) {
            (Some(newer), Some(kind)) => certificate::find(&mut link, newer)
                .await?
                .map(|newer| (newer.id, title(&newer).to_owned(), kind.clone())),
            _ => None,
        };
        let replaces = certificate::replaced_by(&mut link, id).await?;
        let is_own = row.issuer_key == row.subject_key;
        let issued = certificate::issued_by(&mut link, &row.subject_key, is_own).await?;
        Ok(CertificateView {
            names: certificate::names(&mut link, id).await?,
            groups: certificate::groups(&mut link, id).await?,
            owner_name: owner.map(|owner| owner.name),
            ra_profile_name: profile.map(|profile| profile.name),
            attributes: attributes(&mut link, id).await?,
            checks: checks(&row.status_checks),
            chain: chain(&mut link, &row).await?,
            replaces: replaces.iter().map(|row| (row.id, title(row).to_owned())).collect(),
            replaced_by,
            issued,
            der: certificate::der(&mut link, id).await?.unwrap_or_default(),
            row,
        })
    }

    /// The identifier behind a SHA-256 fingerprint, in any case and with or without colons.
    ///
    /// # Errors
    /// The caller may not see certificates.
    pub async fn certificate_id_by_fingerprint(
        &self,
        context: &Context,
        fingerprint: &str,
    ) -> Result<Option<CertificateId>, Error> {
        context.require(Permission::CertificateRead)?;
        let hex: String = fingerprint.chars().filter(char::is_ascii_hexdigit).collect();
        let mut link = self.link().await?;
        Ok(certificate::id_of(&mut link, &hex.to_ascii_lowercase()).await?)
    }
}

async fn attributes(
    link: &mut chancery_store::Link,
    id: CertificateId,
) -> Result<Vec<AttributeEntry>, Error> {
    let values = certificate::attributes(link, id).await?;
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let entries = attribute::all(link)
        .await?
        .into_iter()
        .map(|definition| {
            let own = values.iter().filter(|(id, _)| *id == definition.id);
            let own: Vec<_> = own.map(|(_, value)| value.clone()).collect();
            let shown = |value| configuration::attribute::display(&definition.kind, value);
            AttributeEntry {
                values: own.iter().map(shown).collect(),
                json: configuration::attribute::to_json(&definition.kind, &own),
                name: definition.name,
                label: definition.label,
                kind: definition.kind,
            }
        })
        .filter(|entry| !entry.values.is_empty());
    Ok(entries.collect())
}

fn checks(json: &str) -> Vec<CheckView> {
    let list: Vec<Value> = serde_json::from_str(json).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    list.iter()
        .map(|check| CheckView {
            name: text(&check["name"]),
            result: text(&check["result"]),
            reason: text(&check["reason"]),
        })
        .collect()
}

/// The chain that a verdict found, from the certificate itself upwards.
async fn chain(link: &mut chancery_store::Link, of: &Certificate) -> Result<Vec<ChainLink>, Error> {
    let fingerprints: Vec<String> = serde_json::from_str(&of.chain).unwrap_or_default();
    let mut chain = Vec::with_capacity(fingerprints.len());
    for fingerprint in fingerprints {
        if fingerprint == of.fingerprint_sha256 {
            chain.push(chain_link(of));
            continue;
        }
        let found = certificate::by_fingerprint(link, &fingerprint).await?;
        chain.push(found.as_ref().map(chain_link).unwrap_or_else(|| ChainLink {
            subject: fingerprint.clone(),
            fingerprint,
            id: None,
            status: None,
            not_after: None,
            trust_anchor: false,
        }));
    }
    Ok(chain)
}

fn chain_link(row: &Certificate) -> ChainLink {
    ChainLink {
        subject: title(row).to_owned(),
        id: Some(row.id),
        status: Some(row.status.clone()),
        not_after: Some(row.not_after),
        trust_anchor: row.trust_anchor,
        fingerprint: row.fingerprint_sha256.clone(),
    }
}
