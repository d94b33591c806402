//! The two-stage evaluation point of uploads: what may keep a certificate out of the inventory, and
//! what may place it, before it enters.
//!
//! Stage one asks every rule whether it ignores the certificate; one that does keeps it out. Stage
//! two lets the rules place it. Values of the request come last and win. Rules are pure: they see
//! the candidate and nothing else, and they run inside the operation, so what they decide and what
//! happens commit together.

use std::sync::Arc;

use super::PlacementRequest;
use super::candidate::Candidate;
use crate::Engine;

/// A rule asked before an uploaded certificate enters the inventory.
pub trait UploadRule: Send + Sync {
    /// Its name, for the refusal and the record.
    fn name(&self) -> &str;

    /// Whether it keeps the certificate out.
    fn ignores(&self, candidate: &Candidate) -> bool {
        let _ = candidate;
        false
    }

    /// Where it wants the certificate to belong.
    fn places(&self, candidate: &Candidate) -> PlacementRequest {
        let _ = candidate;
        PlacementRequest::default()
    }
}

/// What the stages decided.
pub(crate) enum Decision {
    /// The named rule keeps it out.
    Ignored(String),
    /// It enters, placed so.
    Enters(PlacementRequest),
}

/// Runs both stages, and puts the request on top.
pub(crate) fn decide(
    rules: &[Arc<dyn UploadRule>],
    candidate: &Candidate,
    request: &PlacementRequest,
) -> Decision {
    if let Some(rule) = rules.iter().find(|rule| rule.ignores(candidate)) {
        return Decision::Ignored(rule.name().to_owned());
    }
    let mut placed = PlacementRequest::default();
    for rule in rules {
        overlay(&mut placed, rule.places(candidate));
    }
    overlay(&mut placed, request.clone());
    Decision::Enters(placed)
}

/// What `over` says wins; attributes one by one.
fn overlay(under: &mut PlacementRequest, over: PlacementRequest) {
    let PlacementRequest { owner, groups, ra_profile, path, attributes, trust_anchor } = over;
    under.owner = owner.or(under.owner.take());
    under.groups = groups.or(under.groups.take());
    under.ra_profile = ra_profile.or(under.ra_profile.take());
    under.path = path.or(under.path.take());
    under.trust_anchor = trust_anchor.or(under.trust_anchor);
    under.attributes.extend(attributes);
}

impl Engine {
    /// Adds a rule to the upload stages, behind those that are there.
    pub fn add_upload_rule(&self, rule: Arc<dyn UploadRule>) {
        if let Ok(mut rules) = self.0.rules.lock() {
            rules.push(rule);
        }
    }

    pub(crate) fn upload_rules(&self) -> Vec<Arc<dyn UploadRule>> {
        self.0.rules.lock().map(|rules| rules.clone()).unwrap_or_default()
    }
}
