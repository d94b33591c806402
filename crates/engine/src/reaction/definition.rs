//! What rules, triggers and scopes say, read from their bodies. Actions are in `step`.

use std::fmt;

use chancery_event::EventType;
use chancery_event::catalogue;
use serde_json::Value;

use super::body::Body;
use crate::Error;

/// Rules, actions or event types of one trigger at most.
const LIST_MAX: usize = 50;

/// What a trigger or a scope is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScopeKind {
    /// One group.
    Group,
    /// One RA profile.
    RaProfile,
    /// One discovery.
    Discovery,
    /// The whole installation.
    Platform,
}

impl ScopeKind {
    /// All kinds, in the order in which scopes are asked.
    pub const ALL: [Self; 4] = [Self::Group, Self::RaProfile, Self::Discovery, Self::Platform];

    /// The one spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::RaProfile => "ra_profile",
            Self::Discovery => "discovery",
            Self::Platform => "platform",
        }
    }

    /// The kind that `text` spells.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// What people call it.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::RaProfile => "RA profile",
            Self::Discovery => "discovery",
            Self::Platform => "platform",
        }
    }

    /// Whether the catalogue lets triggers on a type be bound so.
    pub fn allowed(self, event_type: EventType) -> bool {
        let overridden_by = event_type.info().overridden_by;
        match self {
            Self::Platform => true,
            Self::Group => overridden_by.contains(&catalogue::Scope::Group),
            Self::RaProfile => overridden_by.contains(&catalogue::Scope::RaProfile),
            Self::Discovery => overridden_by.contains(&catalogue::Scope::Discovery),
        }
    }
}

/// Where a trigger is bound: a kind, and the name of the object unless it is the platform.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeRef {
    /// The kind.
    pub kind: ScopeKind,
    /// The name of the object; empty for the platform.
    pub name: String,
}

impl ScopeRef {
    /// The whole installation.
    pub fn platform() -> Self {
        Self { kind: ScopeKind::Platform, name: String::new() }
    }

    /// Whether this is the object of that name; names of objects have no case.
    pub(super) fn is(&self, kind: ScopeKind, name: &str) -> bool {
        self.kind == kind && self.name.to_lowercase() == name.to_lowercase()
    }

    fn read(body: &mut Body<'_>) -> Result<Self, Error> {
        let kind = body.need_text("kind")?;
        let Some(kind) = ScopeKind::parse(kind) else {
            let message = "expected platform, ra_profile, group or discovery";
            return Err(body.fault("kind", message));
        };
        let name = body.text("name")?.unwrap_or_default().to_owned();
        match (kind, name.is_empty()) {
            (ScopeKind::Platform, false) => {
                Err(body.fault("name", "the platform has no name; leave it out"))
            }
            (ScopeKind::Platform, true) | (_, false) => Ok(Self { kind, name }),
            (kind, true) => Err(body.fault("name", format!("which {} it is", kind.noun()))),
        }
    }
}

impl fmt::Display for ScopeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ScopeKind::Platform => f.write_str("platform"),
            kind => write!(f, "{}/{}", kind.as_str(), self.name),
        }
    }
}

/// What a trigger says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerBody {
    /// The events it listens to.
    pub event_types: Vec<EventType>,
    /// Names of its rules; all must hold, and none holds always.
    pub rules: Vec<String>,
    /// It keeps the scope's other triggers from running, and an upload out.
    pub ignore: bool,
    /// Names of its actions, in order.
    pub actions: Vec<String>,
    /// Where it is bound.
    pub scope: ScopeRef,
    /// Its place among the triggers of its scope: the least first.
    pub order: i64,
}

impl TriggerBody {
    /// Reads a trigger.
    pub(crate) fn read(json: &Value) -> Result<Self, Error> {
        let mut body = Body::new(json, "")?;
        body.words()?;
        let types = body.texts("event_types")?;
        if types.is_empty() {
            return Err(body.fault("event_types", "name at least one type of event"));
        }
        let mut event_types = Vec::with_capacity(types.len());
        for (position, name) in types.iter().enumerate() {
            let place = format!("{}/{position}", body.at("event_types"));
            let found = EventType::parse(name).ok_or_else(|| {
                Error::invalid(&place, format!("the catalogue has no type “{name}”"))
            })?;
            if event_types.contains(&found) {
                return Err(Error::invalid(place, format!("“{name}” stands here twice")));
            }
            event_types.push(found);
        }
        let rules = body.texts("rules")?;
        let ignore = body.flag("ignore")?;
        let actions = body.texts("actions")?;
        for (name, list) in [("event_types", &types), ("rules", &rules), ("actions", &actions)] {
            if list.len() > LIST_MAX {
                return Err(body.fault(name, format!("at most {LIST_MAX}")));
            }
        }
        let scope = match body.value("scope") {
            None => ScopeRef::platform(),
            Some(json) => {
                let mut part = Body::new(json, body.at("scope"))?;
                let scope = ScopeRef::read(&mut part)?;
                part.finish()?;
                scope
            }
        };
        let order = body.number("order", 1_000_000)?;
        if !ignore && actions.is_empty() {
            return Err(body.fault("actions", "a trigger that does not ignore needs an action"));
        }
        if let Some(refused) = event_types.iter().find(|of| !scope.kind.allowed(**of)) {
            let allowed: Vec<_> =
                ScopeKind::ALL.iter().filter(|kind| kind.allowed(*refused)).collect();
            let allowed: Vec<_> = allowed.iter().map(|kind| kind.as_str()).collect();
            let message = format!("triggers on {refused} are bound to: {}", allowed.join(", "));
            return Err(body.fault("scope", message));
        }
        body.finish()?;
        Ok(Self { event_types, rules, ignore, actions, scope, order })
    }
}

/// How the triggers of a scope go together with those of the scopes behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeBody {
    /// The scope.
    pub scope: ScopeRef,
    /// Its triggers are the last that are asked, for the event types it has triggers for.
    pub replace: bool,
}

impl ScopeBody {
    /// Reads a scope.
    pub(crate) fn read(json: &Value) -> Result<Self, Error> {
        let mut body = Body::new(json, "")?;
        body.words()?;
        let scope = ScopeRef::read(&mut body)?;
        let replace = match body.need_text("mode")? {
            "add" => false,
            "replace" => true,
            _ => return Err(body.fault("mode", "expected add or replace")),
        };
        body.finish()?;
        if scope.kind == ScopeKind::Platform {
            return Err(Error::invalid(
                "/kind",
                "behind the platform there is no scope to replace",
            ));
        }
        Ok(Self { scope, replace })
    }
}
