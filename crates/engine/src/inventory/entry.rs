//! How a certificate enters the inventory: row, bytes, names, placement, replacement links, and the
//! occurrence that triggers hang on. All within the caller's transaction.

use chancery_event::Timestamp;
use chancery_event::types::Change;
use chancery_event::types::certificate as types;
use chancery_pki::Certificate as Parsed;
use chancery_pki::replacement::{Relation, replaces};
use chancery_store::Tx;
use chancery_store::table::certificate::{self, Certificate, NewCertificate};

use super::candidate::{self, Candidate};
use super::issuers::Issuers;
use super::overlay::overlay;
use super::{PlacementRequest, placement, with_values};
use crate::Error;
use crate::alert::cause;
use crate::reaction::stage::Staged;
use crate::scribe::{Draft, Scribe};

/// A candidate with its verdict: reached before the transaction, since checking signatures there
/// would make every other writer wait.
pub(crate) struct Judged {
    pub(crate) candidate: Candidate,
    /// Where the request wants it to belong.
    pub(crate) wish: PlacementRequest,
    /// What triggers made of it.
    pub(crate) staged: Option<Staged>,
    /// How many certificates bore the issuer's name when the verdict was reached.
    issuers_known: usize,
}

impl Judged {
    /// Judges a candidate by issuers that were read before.
    pub(crate) fn new(
        mut candidate: Candidate,
        wish: PlacementRequest,
        issuers: &Issuers,
        now: Timestamp,
        expiring_days: u32,
    ) -> Self {
        let row = &mut candidate.row;
        row.trust_anchor = wish.trust_anchor.unwrap_or(row.trust_anchor);
        issuers.judge_into(row, &candidate.parsed, now, expiring_days);
        let issuers_known = issuers.count(&candidate.row.issuer_key);
        Self { candidate, wish, staged: None, issuers_known }
    }

    /// Whether it enters as it is: nobody wishes a placement, no trigger was asked, and it is
    /// nobody's issuer.
    pub(crate) fn is_plain(&self) -> bool {
        self.wish.is_empty() && self.staged.is_none() && !self.candidate.row.is_ca
    }
}

/// Brings a candidate in. The caller has decided that it may enter.
///
/// Where the issuers have changed since it was judged, the status is computed again soon. With
/// `may_relate` false the caller knows that nothing in the inventory has any of its names.
///
/// # Errors
/// [`Error::Duplicate`] if the fingerprint is there already; [`Error::Invalid`] if the placement
/// names something that is not there.
pub(crate) async fn enter(
    tx: &mut Tx,
    scribe: &Scribe,
    judged: &Judged,
    may_relate: bool,
) -> Result<Certificate, Error> {
    let Judged { candidate, wish, staged, issuers_known } = judged;
    let mut row = candidate.row.clone();
    let mut whole = PlacementRequest::default();
    let endings = match staged {
        Some(staged) => staged.wishes(tx, &row, &mut whole, wish).await?,
        None => Vec::new(),
    };
    overlay(&mut whole, wish.clone());
    placement::complete(&placement::required(tx).await?, &whole)?;
    let resolved = if whole.is_empty() {
        None
    } else {
        let resolved = placement::resolve(tx, &row, &whole).await?;
        row.owner = resolved.placement.owner;
        row.ra_profile = resolved.placement.ra_profile;
        row.path.clone_from(&resolved.placement.path);
        Some(resolved)
    };
    let now = scribe.now();
    row.created_at = now;
    let der = candidate.parsed.der();
    match certificate::insert(tx, &row, der, &candidate.names, *issuers_known).await {
        Ok(()) => {}
        // The fingerprint: somebody else was faster.
        Err(refused @ chancery_store::Error::Exists(_)) => {
            let known = certificate::id_of(tx, &row.fingerprint_sha256).await?;
            return Err(known.map_or(refused.into(), |id| Error::Duplicate { id }));
        }
        Err(error) => return Err(error.into()),
    }
    if let Some(resolved) = &resolved {
        placement::write(tx, &row, resolved).await?;
    }
    if row.is_ca {
        certificate::make_due(tx, &row.subject_key, row.id, now, scribe.cause()).await?;
    }
    let person = candidate.parsed.names_a_person();
    let mut summary = candidate::summary(&row, person);
    summary.ra_profile = candidate::profile_name(tx, &row).await?;
    let changes = resolved.as_ref().map(placement::given).unwrap_or_default();
    if let Some(groups) = resolved.and_then(|resolved| resolved.groups) {
        summary.group_ids = groups.into_iter().map(|(id, _)| id).collect();
    }
    let draft =
        uploaded(candidate, &row, summary, changes)?.target(candidate::target(&row, person));
    match staged {
        Some(staged) => {
            scribe.record_as(tx, staged.event, draft)?;
            let target = candidate::target(&row, person);
            staged.admitted(tx, scribe, &row, target, endings).await?;
        }
        None => {
            scribe.record(tx, draft)?;
        }
    }
    if may_relate || candidate.names.is_empty() {
        link_replacements(tx, scribe, candidate, &mut row).await?;
    }
    Ok(row)
}

/// Brings candidates in that are plain ([`Judged::is_plain`]), related to nothing, and not in the
/// inventory: the caller has looked, within this transaction.
///
/// # Errors
/// Whatever the store says; then the whole unit must not be kept.
pub(crate) async fn enter_together(
    tx: &mut Tx,
    scribe: &Scribe,
    entrants: &[&Judged],
) -> Result<(), Error> {
    let now = scribe.now();
    let mut rows = Vec::with_capacity(entrants.len());
    for judged in entrants {
        rows.push(Certificate { created_at: now, ..judged.candidate.row.clone() });
    }
    let mut batch = Vec::with_capacity(entrants.len());
    for (row, judged) in rows.iter().zip(entrants) {
        let Judged { candidate, issuers_known, .. } = judged;
        batch.push(NewCertificate {
            row,
            der: candidate.parsed.der(),
            names: &candidate.names,
            issuers_known: *issuers_known,
        });
    }
    certificate::insert_all(tx, &batch).await?;
    for (row, judged) in rows.iter().zip(entrants) {
        let person = judged.candidate.parsed.names_a_person();
        let summary = candidate::summary(row, person);
        let draft = uploaded(&judged.candidate, row, summary, Vec::new())?;
        scribe.record(tx, draft.target(candidate::target(row, person)))?;
    }
    Ok(())
}

/// That the certificate has entered, and what it was given.
fn uploaded(
    candidate: &Candidate,
    row: &Certificate,
    summary: types::CertificateSummary,
    mut changes: Vec<Change>,
) -> Result<Draft, Error> {
    let values = placement::take_values(&mut changes);
    let payload = types::Uploaded {
        certificate: summary,
        format: candidate.format.into(),
        status: row.status.clone().into(),
        key_algorithm: Some(row.key_algorithm.clone()),
        changes,
    };
    Ok(with_values(Draft::new(&payload)?, values))
}

/// Finds what the certificate replaces and what replaces it.
async fn link_replacements(
    tx: &mut Tx,
    scribe: &Scribe,
    candidate: &Candidate,
    row: &mut Certificate,
) -> Result<(), Error> {
    let related = certificate::related(tx, row, &candidate.names).await?;
    for (other, der) in related {
        let Ok(parsed) = Parsed::parse(&der) else { continue };
        if let Some(relation) = replaces(&candidate.parsed, &parsed) {
            if other.replaced_by.is_none() {
                link(tx, scribe, &other, row, relation).await?;
            }
        } else if let Some(relation) = replaces(&parsed, &candidate.parsed)
            && row.replaced_by.is_none()
        {
            link(tx, scribe, row, &other, relation).await?;
            row.replaced_by = Some(other.id);
        }
    }
    Ok(())
}

async fn link(
    tx: &mut Tx,
    scribe: &Scribe,
    older: &Certificate,
    newer: &Certificate,
    relation: Relation,
) -> Result<(), Error> {
    let (kind, found_by) = match relation {
        Relation::Renewal => ("renewal", "same_names"),
        Relation::Rekey => ("rekey", "same_names"),
        Relation::Replacement => ("replacement", "same_key"),
    };
    if !certificate::link_replacement(tx, older.id, newer.id, kind).await? {
        return Ok(());
    }
    let names = certificate::names(tx, older.id).await?;
    let person = candidate::names_a_person(older, &names);
    let payload = types::Replaced {
        certificate: candidate::whole_summary(tx, older, person).await?,
        successor_id: newer.id,
        successor_fingerprint_sha256: newer.fingerprint_sha256.clone(),
        successor_not_after: newer.not_after,
        found_by: found_by.into(),
    };
    let draft = Draft::new(&payload)?
        .target(candidate::target(older, person))
        .target(candidate::target(newer, person));
    scribe.record(tx, draft)?;
    cause::certificate_replaced(tx, scribe, older).await
}
