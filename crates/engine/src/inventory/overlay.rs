//! Putting wishes for a placement on top of each other: what triggers want, then the request.

use super::PlacementRequest;

/// What `over` says wins; attributes one by one.
pub(crate) fn overlay(under: &mut PlacementRequest, over: PlacementRequest) {
    let PlacementRequest { owner, groups, ra_profile, path, attributes, trust_anchor } = over;
    under.owner = owner.or(under.owner.take());
    under.groups = groups.or(under.groups.take());
    under.ra_profile = ra_profile.or(under.ra_profile.take());
    under.path = path.or(under.path.take());
    under.trust_anchor = trust_anchor.or(under.trust_anchor);
    under.attributes.extend(attributes);
}
