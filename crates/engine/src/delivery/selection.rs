//! Which events a destination gets: compiled once for each version, asked for each event.
//!
//! Pure. What it needs to know about the object of an event is passed in.

use std::borrow::Cow;
use std::collections::HashSet;

use chancery_event::filter::{Compiled, Filter, Schema};
use chancery_event::{Event, EventType, LogIndex, Target, TargetKind, Timestamp};
use chancery_store::table::attribute::Attribute;

use super::definition::{Locations, Selection};
use crate::Error;
use crate::reaction::field;
use crate::reaction::happening::{Happening, Subject};

/// A selection, ready to be asked.
pub(super) struct Selector {
    types: HashSet<EventType>,
    severities: Vec<String>,
    filter: Option<Compiled>,
    locations: Locations,
    schema: Schema,
    needs_object: bool,
}

impl Selector {
    pub(super) fn new(selection: &Selection, attributes: &[Attribute]) -> Result<Self, Error> {
        let schema = field::all(attributes);
        let filter = match selection.filter.trim() {
            "" => None,
            text => Some(Filter::parse(text, &schema)?.compile(&schema)?),
        };
        Ok(Self {
            types: selection.types().into_iter().collect(),
            severities: selection.severities.clone(),
            needs_object: selection.filter.contains("object.") || !selection.locations.is_empty(),
            filter,
            locations: selection.locations.clone(),
            schema,
        })
    }

    /// The types it can select.
    pub(super) fn types(&self) -> impl Iterator<Item = EventType> {
        self.types.iter().copied()
    }

    /// Whether it looks at the object of events.
    pub(super) fn needs_object(&self) -> bool {
        self.needs_object
    }

    /// Whether it selects an event.
    pub(super) fn holds(
        &self,
        event: &Event,
        index: LogIndex,
        subject: Option<&Subject>,
        now: Timestamp,
    ) -> bool {
        let Some(event_type) = EventType::of(event) else { return false };
        if !self.types.contains(&event_type) {
            return false;
        }
        if !self.severities.is_empty()
            && !self.severities.iter().any(|word| word == event.severity.as_str())
        {
            return false;
        }
        if !self.locations.is_empty() && !self.is_there(event, subject) {
            return false;
        }
        let Some(filter) = &self.filter else { return true };
        let happening = Happening { event, event_type, index: Some(index), subject, now };
        filter.holds(&happening.scene(&self.schema), now.micros())
    }

    fn is_there(&self, event: &Event, subject: Option<&Subject>) -> bool {
        event.targets.iter().any(|target| {
            let list = match class_of(target.kind) {
                Some("items") => &self.locations.items,
                Some("auth_methods") => &self.locations.auth_methods,
                Some("targets") => &self.locations.targets,
                Some("gateways") => &self.locations.gateways,
                _ => return false,
            };
            let place = place_of(target, subject);
            list.iter().any(|pattern| lies_in(pattern, &place))
        })
    }
}

/// The object class that locations are given for, by the kind of a target.
fn class_of(kind: TargetKind) -> Option<&'static str> {
    Some(match kind {
        TargetKind::Certificate
        | TargetKind::Authority
        | TargetKind::Crl
        | TargetKind::RaProfile
        | TargetKind::Secret
        | TargetKind::Request => "items",
        TargetKind::Account
        | TargetKind::Token
        | TargetKind::AuthenticationMethod
        | TargetKind::Role
        | TargetKind::Team => "auth_methods",
        TargetKind::Destination | TargetKind::ThirdParty | TargetKind::Device => "targets",
        TargetKind::Gateway | TargetKind::Node => "gateways",
        _ => return None,
    })
}

/// The whole path of an object: its folder, and what it is called.
fn place_of<'a>(target: &'a Target, subject: Option<&Subject>) -> Cow<'a, str> {
    let name = target.name.as_deref().unwrap_or(&target.id);
    let folder = subject
        .filter(|subject| {
            target.kind == TargetKind::Certificate && subject.row.id.to_string() == target.id
        })
        .map_or("", |subject| subject.row.path.trim_end_matches('/'));
    Cow::Owned(format!("{folder}/{}", name.trim_start_matches('/')))
}

/// Whether a whole path is the one named, or lies in the folder named with `/*`.
pub(super) fn lies_in(pattern: &str, place: &str) -> bool {
    match pattern.strip_suffix("/*") {
        Some(folder) => {
            place.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/') && rest.len() > 1)
        }
        None => pattern == place,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_whole_paths_or_folders() {
        for (pattern, place, expected) in [
            ("/*", "/anything", true),
            ("/prod/*", "/prod/web", true),
            ("/prod/*", "/prod/web/shop", true),
            ("/prod/*", "/production/web", false),
            ("/prod/*", "/prod", false),
            ("/prod/web", "/prod/web", true),
            ("/prod/web", "/prod/web/shop", false),
        ] {
            assert_eq!(lies_in(pattern, place), expected, "{pattern} {place}");
        }
    }

    #[test]
    fn types_severities_and_filters_narrow_the_selection() {
        let event = EventType::CertificateStatusChanged.example();
        let holds = |selection: &Selection| {
            let selector = Selector::new(selection, &[]).unwrap();
            selector.holds(&event, LogIndex(1), None, event.time)
        };
        assert!(holds(&Selection::default()));
        let types =
            |name: &str| Selection { event_types: vec![name.to_owned()], ..Selection::default() };
        assert!(holds(&types("certificate.*")) && !holds(&types("token.*")));
        let severity =
            |word: &str| Selection { severities: vec![word.to_owned()], ..Selection::default() };
        assert!(holds(&severity("info")) && !holds(&severity("critical")));
        let filter = |text: &str| Selection { filter: text.to_owned(), ..Selection::default() };
        assert!(holds(&filter("type:certificate.*")) && !holds(&filter("outcome:failure")));
        assert!(!holds(&filter("object.cn:shop")), "there is no object");
        let items = |place: &str| Selection {
            locations: Locations { items: vec![place.to_owned()], ..Locations::default() },
            ..Selection::default()
        };
        assert!(holds(&items("/*")) && !holds(&items("/prod/*")));
        let gateways = Selection {
            locations: Locations { gateways: vec!["/*".to_owned()], ..Locations::default() },
            ..Selection::default()
        };
        assert!(!holds(&gateways), "another class");
    }
}
