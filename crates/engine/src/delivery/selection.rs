//! Which events a destination gets: compiled once for each version, asked for each event.
//!
//! Pure. What it needs to know about the object of an event is passed in.

use std::collections::{HashMap, HashSet};

use chancery_event::filter::{Compiled, Filter, Schema};
use chancery_event::{Event, EventType, LogIndex, Target, TargetKind, Timestamp};
use chancery_store::Link;
use chancery_store::table::attribute::Attribute;
use chancery_store::table::destination;
use serde_json::Value;

use super::definition::{Locations, Selection};
use crate::Error;
use crate::reaction::field;
use crate::reaction::happening::{Happening, Subject};

/// The folders of forwarders, by their names.
pub(super) type Folders = HashMap<String, String>;

/// Reads the folders of the forwarders that an event is about, where they are not known yet. One
/// that was deleted lies where it lay.
pub(super) async fn know_folders(
    link: &mut Link,
    event: &Event,
    folders: &mut Folders,
) -> Result<(), Error> {
    for target in event.targets.iter().filter(|one| one.kind == TargetKind::Destination) {
        if folders.contains_key(&target.id) {
            continue;
        }
        let folder = match destination::find(link, &target.id).await? {
            Some(row) => Some(row.path),
            None => destination::last_body(link, &target.id).await?.and_then(|body| {
                let body: Value = serde_json::from_str(&body).ok()?;
                body["path"].as_str().map(str::to_owned)
            }),
        };
        folders.insert(target.id.clone(), folder.unwrap_or_default());
    }
    Ok(())
}

/// A selection, ready to be asked.
pub(super) struct Selector {
    types: HashSet<EventType>,
    severities: Vec<String>,
    filter: Option<Compiled>,
    locations: Locations,
    schema: Schema,
    needs_object: bool,
    needs_people: bool,
}

impl Selector {
    pub(super) fn new(selection: &Selection, attributes: &[Attribute]) -> Result<Self, Error> {
        let schema = field::all(attributes);
        let filter = match selection.filter.trim() {
            "" => None,
            text => Some(Filter::parse(text, &schema)?.compile(&schema)?),
        };
        let looks = |filter: &Compiled| match filter.fields() {
            Some(fields) => fields.contains("actor") || fields.contains("ip"),
            None => true,
        };
        Ok(Self {
            needs_people: filter.as_ref().is_some_and(looks),
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

    /// Whether it looks at where forwarders live.
    pub(super) fn needs_folders(&self) -> bool {
        !self.locations.targets.is_empty()
    }

    /// Whether it looks at what is about people; a search for words may.
    pub(super) fn needs_people(&self) -> bool {
        self.needs_people
    }

    /// Whether it selects an event.
    pub(super) fn holds(
        &self,
        event: &Event,
        index: LogIndex,
        (subject, folders): (Option<&Subject>, &Folders),
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
        if !self.locations.is_empty() && !self.is_there(event, subject, folders) {
            return false;
        }
        let Some(filter) = &self.filter else { return true };
        let happening = Happening { event, event_type, index: Some(index), subject, now };
        filter.holds(&happening.scene(&self.schema), now.micros())
    }

    fn is_there(&self, event: &Event, subject: Option<&Subject>, folders: &Folders) -> bool {
        event.targets.iter().any(|target| {
            let list = match class_of(target.kind) {
                Some("items") => &self.locations.items,
                Some("auth_methods") => &self.locations.auth_methods,
                Some("targets") => &self.locations.targets,
                Some("gateways") => &self.locations.gateways,
                _ => return false,
            };
            let places = places_of(event, target, subject, folders);
            list.iter().any(|pattern| places.iter().any(|place| lies_in(pattern, place)))
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

/// The whole paths of an object: its folder, and what it is called or its identifier. What moves or
/// goes lies where the event says that it was, and where it is then.
fn places_of(
    event: &Event,
    target: &Target,
    subject: Option<&Subject>,
    known: &Folders,
) -> Vec<String> {
    let name = target.name.as_deref().unwrap_or(&target.id).trim_start_matches('/');
    let within = |folder: &str| {
        let folder = folder.trim_end_matches('/');
        // One object may be named by what it is called, or by its identifier, which stays.
        let mut paths = vec![format!("{folder}/{name}")];
        paths.extend((name != target.id).then(|| format!("{folder}/{}", target.id)));
        paths
    };
    if !matches!(target.kind, TargetKind::Certificate | TargetKind::Destination) {
        return within("");
    }
    let mut folders: Vec<&str> = Vec::new();
    let changes = event.detail.get("changes").and_then(Value::as_array);
    for change in changes.into_iter().flatten() {
        if change["member"] == "path" {
            folders.extend(change["before"].as_str());
            folders.extend(change["after"].as_str());
        }
    }
    if folders.is_empty() && target.kind == TargetKind::Destination {
        folders.push(known.get(&target.id).map_or("", String::as_str));
    } else if folders.is_empty() {
        let row = subject.map(|subject| &subject.row).filter(|row| row.id.to_string() == target.id);
        folders.push(row.map_or("", |row| row.path.as_str()));
    }
    folders.into_iter().flat_map(within).collect()
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
    use serde_json::json;

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
            selector.holds(&event, LogIndex(1), (None, &Folders::new()), event.time)
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

    #[test]
    fn each_class_of_objects_has_places_of_its_own() {
        let holds = |of: EventType, locations: Locations| {
            let event = of.example();
            let selector = Selector::new(&Selection { locations, ..Selection::default() }, &[]);
            selector.unwrap().holds(&event, LogIndex(1), (None, &Folders::new()), event.time)
        };
        for (of, class) in [
            (EventType::CertificateUpload, "items"),
            (EventType::AccountCreate, "auth_methods"),
            (EventType::TokenCreate, "auth_methods"),
            (EventType::ForwarderLagging, "targets"),
            (EventType::NodeVanished, "gateways"),
        ] {
            let name = of.example().targets[0].name.clone();
            let name = name.unwrap_or_else(|| of.example().targets[0].id.clone());
            for (place, is_there) in [
                ("/*".to_owned(), true),
                (format!("/{name}"), true),
                ("/other/*".to_owned(), false),
            ] {
                for asked in ["items", "auth_methods", "targets", "gateways"] {
                    let mut locations = Locations::default();
                    let list = match asked {
                        "items" => &mut locations.items,
                        "auth_methods" => &mut locations.auth_methods,
                        "targets" => &mut locations.targets,
                        _ => &mut locations.gateways,
                    };
                    list.push(place.clone());
                    let expected = is_there && asked == class;
                    assert_eq!(holds(of, locations), expected, "{of} {asked} {place}");
                }
            }
        }
    }

    #[test]
    fn a_certificate_that_moved_or_went_lies_where_the_event_says() {
        let mut event = EventType::CertificateDelete.example();
        let name = event.targets[0].name.clone().unwrap();
        let path = |before: Option<&str>, after: Option<&str>| {
            json!([{ "member": "owner", "before": "/other" },
                   { "member": "path", "before": before, "after": after }])
        };
        let lies = |event: &Event, place: &str| {
            let locations = Locations { items: vec![place.to_owned()], ..Locations::default() };
            let selection = Selection { locations, ..Selection::default() };
            let selector = Selector::new(&selection, &[]).unwrap();
            selector.holds(event, LogIndex(1), (None, &Folders::new()), event.time)
        };
        event.detail.insert("changes".to_owned(), path(Some("/prod/web"), None));
        assert!(lies(&event, "/prod/*") && lies(&event, &format!("/prod/web/{name}")));
        assert!(!lies(&event, "/test/*") && !lies(&event, "/other/*"));
        event.detail.insert("changes".to_owned(), path(Some("/prod"), Some("/test")));
        assert!(
            lies(&event, "/prod/*") && lies(&event, "/test/*"),
            "where it was, and where it is"
        );
    }
}
