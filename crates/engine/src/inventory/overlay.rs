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

/// Whether `over` leaves nothing of what `under` says.
pub(crate) fn hides(over: &PlacementRequest, under: &PlacementRequest) -> bool {
    let mut left = under.clone();
    left.owner.take_if(|_| over.owner.is_some());
    left.groups.take_if(|_| over.groups.is_some());
    left.ra_profile.take_if(|_| over.ra_profile.is_some());
    left.path.take_if(|_| over.path.is_some());
    left.trust_anchor.take_if(|_| over.trust_anchor.is_some());
    left.attributes.retain(|name, _| !over.attributes.contains_key(name));
    left.is_empty()
}
