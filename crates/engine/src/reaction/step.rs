//! The steps of actions: what they say, and what they come to for one happening.
//!
//! Planning is pure: it resolves copied values and fills texts, and says why a step cannot be
//! carried out. `carry` does what was planned.

use chancery_event::filter::{Field, FieldKind, Object, Schema, Value};
use chancery_event::{Severity, Timestamp};
use serde_json::{Value as Json, json};

use super::body::Body;
use super::happening::{Happening, Scene, shown};
use super::text::{PERSONAL, Text};
use crate::Error;
use crate::inventory::{PlacementRequest, about_a_person, path};
use crate::job::Kind as JobKind;

/// Steps of one action at most.
pub const STEPS_MAX: usize = 20;

/// A value: written down, or read from a field when the trigger fires.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// This value.
    Fixed(Json),
    /// The value of this field.
    From(String),
}

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The owner of the certificate.
    Owner,
    /// Every account with this role.
    Role(crate::Role),
    /// The account with this login name.
    Account(String),
}

impl Audience {
    /// The one spelling.
    pub fn spelled(&self) -> String {
        match self {
            Self::Owner => "owner".to_owned(),
            Self::Role(role) => format!("role:{role}"),
            Self::Account(name) => format!("account:{name}"),
        }
    }
}

/// A step.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Replaces the groups.
    SetGroups(Source),
    /// Adds a group to those it has.
    AddGroup(Source),
    /// Sets or clears the RA profile.
    SetRaProfile(Source),
    /// Sets or clears the owner.
    SetOwner(Source),
    /// Moves it to a folder.
    SetPath(Text),
    /// Sets or clears a custom attribute.
    SetAttribute {
        /// Its name.
        attribute: String,
        /// Its value.
        value: Source,
    },
    /// Raises an alert, or counts it up.
    RaiseAlert {
        /// What it is about, such as `weak_key`.
        kind: String,
        /// How severe it is.
        severity: Severity,
        /// One line.
        title: Text,
        /// What happened and what to do.
        message: Option<Text>,
        /// What tells this cause from others; absent: kind and object.
        key: Option<Text>,
    },
    /// Resolves an alert that was raised for the same cause.
    ResolveAlert {
        /// Its kind.
        kind: String,
        /// What tells this cause from others; absent: kind and object.
        key: Option<Text>,
    },
    /// Tells somebody in the bell.
    Notify {
        /// Whom.
        to: Audience,
        /// One line.
        title: Text,
        /// What happened and what to do.
        message: Option<Text>,
    },
    /// Tells through a notification profile.
    Tell {
        /// The profile.
        profile: String,
        /// One line; absent: the event in one sentence.
        title: Option<Text>,
        /// What happened and what to do.
        message: Option<Text>,
    },
    /// Starts a job about the certificate.
    StartJob(JobKind),
}

/// What a step may be, for forms and documentation: word, what it does, its members.
pub const KINDS: [(&str, &str, &str); 10] = [
    ("set_groups", "Replaces the groups of the certificate", "groups"),
    ("add_group", "Adds the certificate to a group", "group"),
    ("set_ra_profile", "Sets the RA profile; an empty text clears it", "ra_profile"),
    ("set_owner", "Sets the owner by login name; an empty text clears it", "owner"),
    ("set_path", "Moves the certificate to a folder, such as /prod/{object.group}", "path"),
    ("set_attribute", "Sets a custom attribute", "attribute, value"),
    ("raise_alert", "Raises an alert, or counts it up", "kind, severity, title, message?, key?"),
    ("resolve_alert", "Resolves the alert of the same cause", "kind, key?"),
    (
        "notify",
        "Tells through a notification profile; or owner, role:NAME or account:NAME in the bell",
        "profile, title?, message? or to, title, message?",
    ),
    ("start_job", "Starts a job about the certificate", "job"),
];

impl Step {
    /// Reads the steps of an action.
    pub(crate) fn read_all(json: &Json) -> Result<Vec<Self>, Error> {
        let mut body = Body::new(json, "")?;
        body.words()?;
        let steps = body.need("steps")?.as_array();
        let steps = steps.ok_or_else(|| body.fault("steps", "expected a list of steps"))?;
        if steps.is_empty() || steps.len() > STEPS_MAX {
            return Err(body.fault("steps", format!("1 to {STEPS_MAX} steps")));
        }
        let read = |(place, json)| {
            let mut part = Body::new(json, format!("{}/{place}", body.at("steps")))?;
            let step = Self::read(&mut part)?;
            part.finish().map(|()| step)
        };
        let steps = steps.iter().enumerate().map(read).collect::<Result<_, Error>>()?;
        body.finish()?;
        Ok(steps)
    }

    fn read(body: &mut Body<'_>) -> Result<Self, Error> {
        Ok(match body.need_text("step")? {
            "set_groups" => Self::SetGroups(source(body, "groups")?),
            "add_group" => Self::AddGroup(source(body, "group")?),
            "set_ra_profile" => Self::SetRaProfile(source(body, "ra_profile")?),
            "set_owner" => Self::SetOwner(source(body, "owner")?),
            "set_path" => {
                let text = need_text(body, "path")?;
                if text.fields().next().is_none() {
                    let fixed = body.need_text("path")?;
                    path(fixed).map_err(|error| body.fault("path", without_field(error)))?;
                }
                Self::SetPath(text)
            }
            "set_attribute" => Self::SetAttribute {
                attribute: body.need_text("attribute")?.to_owned(),
                value: source(body, "value")?,
            },
            "raise_alert" => Self::RaiseAlert {
                kind: alert_kind(body)?,
                severity: severity(body)?,
                title: title(body)?,
                message: text(body, "message")?,
                key: text(body, "key")?,
            },
            "resolve_alert" => {
                Self::ResolveAlert { kind: alert_kind(body)?, key: text(body, "key")? }
            }
            "notify" if body.value("profile").is_some() => Self::Tell {
                profile: body.need_text("profile")?.to_owned(),
                title: match body.value("title") {
                    Some(_) => Some(title(body)?),
                    None => None,
                },
                message: text(body, "message")?,
            },
            "notify" => Self::Notify {
                to: audience(body)?,
                title: title(body)?,
                message: text(body, "message")?,
            },
            "start_job" => {
                let word = body.need_text("job")?;
                let kinds = JobKind::ALL.iter().filter(|kind| kind.about_a_certificate());
                let kinds: Vec<_> = kinds.map(|kind| kind.as_str()).collect();
                let kind = JobKind::parse(word).filter(|kind| kind.about_a_certificate());
                let message = format!("a trigger can start: {}", kinds.join(", "));
                Self::StartJob(kind.ok_or_else(|| body.fault("job", message))?)
            }
            other => {
                let known: Vec<_> = KINDS.iter().map(|(word, _, _)| *word).collect();
                let message =
                    format!("there is no step “{other}”; there are: {}", known.join(", "));
                return Err(body.fault("step", message));
            }
        })
    }

    /// The word of the step.
    pub fn word(&self) -> &'static str {
        match self {
            Self::SetGroups(_) => "set_groups",
            Self::AddGroup(_) => "add_group",
            Self::SetRaProfile(_) => "set_ra_profile",
            Self::SetOwner(_) => "set_owner",
            Self::SetPath(_) => "set_path",
            Self::SetAttribute { .. } => "set_attribute",
            Self::RaiseAlert { .. } => "raise_alert",
            Self::ResolveAlert { .. } => "resolve_alert",
            Self::Notify { .. } | Self::Tell { .. } => "notify",
            Self::StartJob(_) => "start_job",
        }
    }

    /// Whether it changes the certificate that the event is about.
    pub fn places(&self) -> bool {
        matches!(
            self,
            Self::SetGroups(_)
                | Self::AddGroup(_)
                | Self::SetRaProfile(_)
                | Self::SetOwner(_)
                | Self::SetPath(_)
                | Self::SetAttribute { .. }
        )
    }

    /// Whether it cannot be carried out without a certificate.
    pub(super) fn needs_certificate(&self) -> bool {
        self.places()
            || matches!(self, Self::StartJob(_) | Self::Notify { to: Audience::Owner, .. })
    }

    /// The member that a value is read into, and the field it is copied from.
    pub(super) fn copies(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::SetGroups(Source::From(field)) => Some(("groups", field)),
            Self::AddGroup(Source::From(field)) => Some(("group", field)),
            Self::SetRaProfile(Source::From(field)) => Some(("ra_profile", field)),
            Self::SetOwner(Source::From(field)) => Some(("owner", field)),
            Self::SetAttribute { value: Source::From(field), .. } => Some(("value", field)),
            _ => None,
        }
    }

    /// Its texts with places, by member.
    pub(super) fn texts(&self) -> Vec<(&'static str, &Text)> {
        match self {
            Self::SetPath(path) => vec![("path", path)],
            Self::RaiseAlert { title, message, key, .. } => {
                let mut texts = vec![("title", title)];
                texts.extend(message.iter().map(|text| ("message", text)));
                texts.extend(key.iter().map(|text| ("key", text)));
                texts
            }
            Self::Notify { title, message, .. } => {
                let mut texts = vec![("title", title)];
                texts.extend(message.iter().map(|text| ("message", text)));
                texts
            }
            Self::Tell { title, message, .. } => {
                let mut texts: Vec<_> = title.iter().map(|text| ("title", text)).collect();
                texts.extend(message.iter().map(|text| ("message", text)));
                texts
            }
            Self::ResolveAlert { key: Some(key), .. } => vec![("key", key)],
            _ => Vec::new(),
        }
    }
}

fn without_field(error: Error) -> String {
    match error {
        Error::Invalid { message, .. } => message,
        error => error.to_string(),
    }
}

fn source(body: &mut Body<'_>, name: &'static str) -> Result<Source, Error> {
    let value = match body.value(name) {
        Some(value) => value,
        None if name == "value" => return Ok(Source::Fixed(Json::Null)),
        None => return Err(body.fault(name, "is missing")),
    };
    if value.is_object() {
        let mut part = Body::new(value, body.at(name))?;
        let field = part.need_text("from")?.to_owned();
        part.finish()?;
        return Ok(Source::From(field));
    }
    let fits = match name {
        "groups" => value.as_array().is_some_and(|items| items.iter().all(Json::is_string)),
        "value" => true,
        _ => value.is_string(),
    };
    if fits {
        return Ok(Source::Fixed(value.clone()));
    }
    let wanted = if name == "groups" { "a list of names" } else { "a text" };
    Err(body.fault(name, format!("expected {wanted}, or {{\"from\": \"FIELD\"}}")))
}

fn text(body: &mut Body<'_>, name: &'static str) -> Result<Option<Text>, Error> {
    let read = body.text(name)?.map(Text::parse).transpose();
    read.map_err(|message| body.fault(name, message))
}

fn need_text(body: &mut Body<'_>, name: &'static str) -> Result<Text, Error> {
    text(body, name)?.ok_or_else(|| body.fault(name, "is missing"))
}

/// A title stands where everybody reads it: no field that names a person.
fn title(body: &mut Body<'_>) -> Result<Text, Error> {
    let text = need_text(body, "title")?;
    if let Some(field) = text.fields().find(|field| PERSONAL.contains(field)) {
        let message = format!("{field} names a person; write it into the message");
        return Err(body.fault("title", message));
    }
    Ok(text)
}

fn alert_kind(body: &mut Body<'_>) -> Result<String, Error> {
    let kind = body.need_text("kind")?;
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if kind.len() <= 50 && kind.bytes().all(fits) {
        return Ok(kind.to_owned());
    }
    Err(body.fault("kind", "a word of a-z, 0-9 and _, such as weak_key; at most 50 characters"))
}

fn severity(body: &mut Body<'_>) -> Result<Severity, Error> {
    match body.text("severity")?.map(str::to_ascii_lowercase).as_deref() {
        None | Some("warning" | "warn") => Ok(Severity::Warning),
        Some("error") => Ok(Severity::Error),
        Some("info") => Ok(Severity::Info),
        Some(_) => Err(body.fault("severity", "expected error, warning or info")),
    }
}

fn audience(body: &mut Body<'_>) -> Result<Audience, Error> {
    let to = body.need_text("to")?;
    let found = match to.split_once(':') {
        None if to == "owner" => Some(Audience::Owner),
        Some(("role", role)) => crate::Role::parse(role).map(Audience::Role),
        Some(("account", name)) if !name.is_empty() => Some(Audience::Account(name.to_owned())),
        _ => None,
    };
    let expected = "expected owner, role:administrator (operator, auditor, viewer) or account:NAME";
    found.ok_or_else(|| body.fault("to", expected))
}

/// What a step comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Changes where the certificate belongs.
    Place(PlacementRequest),
    /// Adds it to a group.
    AddGroup(String),
    /// Raises an alert.
    Raise {
        /// The cause.
        key: String,
        /// Its kind.
        kind: String,
        /// How severe it is.
        severity: Severity,
        /// One line without names of people.
        title: String,
        /// What happened and what to do.
        message: String,
    },
    /// Resolves an alert.
    Resolve {
        /// The cause.
        key: String,
    },
    /// Tells somebody.
    Notify {
        /// Whom.
        to: Audience,
        /// One line without names of people.
        title: String,
        /// What happened and what to do.
        message: String,
    },
    /// Tells through a notification profile.
    Tell {
        /// The profile.
        profile: String,
        /// One line without names of people; empty: the event in one sentence.
        title: String,
        /// What happened and what to do.
        message: String,
    },
    /// Starts a job.
    StartJob(JobKind),
    /// Nothing: it cannot be carried out, and why.
    Impossible(String),
}

impl Effect {
    /// One line for people: what would be done.
    pub fn told(&self) -> String {
        match self {
            Self::Place(wish) => placed(wish),
            Self::AddGroup(group) => format!("adds the group “{group}”"),
            Self::Raise { title, severity, .. } => {
                format!("raises an alert ({}): {title}", severity.as_str())
            }
            Self::Resolve { key } => format!("resolves the alert {key}"),
            Self::Notify { to, title, .. } => format!("tells {}: {title}", to.spelled()),
            Self::Tell { profile, title, .. } if title.is_empty() => {
                format!("tells through the profile {profile}")
            }
            Self::Tell { profile, title, .. } => {
                format!("tells through the profile {profile}: {title}")
            }
            Self::StartJob(kind) => format!("starts the job {}", kind.as_str()),
            Self::Impossible(reason) => format!("cannot be carried out: {reason}"),
        }
    }
}

fn placed(wish: &PlacementRequest) -> String {
    let mut parts = Vec::new();
    let mut set = |what: &str, value: &str| match value {
        "" => parts.push(format!("clears the {what}")),
        value => parts.push(format!("sets the {what} to “{value}”")),
    };
    wish.groups.iter().for_each(|groups| set("groups", &groups.join(", ")));
    wish.ra_profile.iter().for_each(|profile| set("RA profile", profile));
    wish.owner.iter().for_each(|owner| set("owner", owner));
    wish.path.iter().for_each(|path| set("folder", path));
    for (name, value) in &wish.attributes {
        let value = match value {
            Json::Null => String::new(),
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        set(&format!("attribute {name}"), &value);
    }
    parts.join("; ")
}

impl Step {
    /// What the step comes to for a happening.
    pub(super) fn plan(&self, happening: &Happening<'_>, schema: &Schema) -> Effect {
        let scene = happening.scene(schema);
        if self.needs_certificate() && happening.subject.is_none() {
            return Effect::Impossible("there is no certificate".to_owned());
        }
        match self.effect(happening, &scene, schema) {
            Ok(effect) => effect,
            Err(reason) => Effect::Impossible(reason),
        }
    }

    fn effect(
        &self,
        happening: &Happening<'_>,
        scene: &Scene<'_>,
        schema: &Schema,
    ) -> Result<Effect, String> {
        let place = |fill: &dyn Fn(&mut PlacementRequest)| {
            let mut wish = PlacementRequest::default();
            fill(&mut wish);
            Ok(Effect::Place(wish))
        };
        let person = happening.subject.is_some_and(|s| about_a_person(&s.row, &s.names));
        let fill = |text: &Text| text.filled(scene, schema, false);
        let message = |text: &Option<Text>| text.as_ref().map_or_else(String::new, fill);
        let titled = |text: &Text| text.filled(scene, schema, person);
        match self {
            Self::SetGroups(source) => {
                let groups = texts(source, scene, schema)?;
                place(&|wish| wish.groups = Some(groups.clone()))
            }
            Self::AddGroup(source) => Ok(Effect::AddGroup(one(source, scene, schema)?)),
            Self::SetRaProfile(source) => {
                let name = one(source, scene, schema)?;
                place(&|wish| wish.ra_profile = Some(name.clone()))
            }
            Self::SetOwner(source) => {
                let name = one(source, scene, schema)?;
                place(&|wish| wish.owner = Some(name.clone()))
            }
            Self::SetPath(text) => {
                let to = path(&fill(text)).map_err(without_field)?;
                place(&|wish| wish.path = Some(to.clone()))
            }
            Self::SetAttribute { attribute, value } => {
                let value = attribute_value(attribute, value, scene, schema)?;
                place(&|wish| {
                    wish.attributes.insert(attribute.clone(), value.clone());
                })
            }
            Self::RaiseAlert { kind, severity, title, message: text, key } => Ok(Effect::Raise {
                key: alert_key(kind, key.as_ref().map(fill), happening),
                kind: kind.clone(),
                severity: *severity,
                title: titled(title),
                message: message(text),
            }),
            Self::ResolveAlert { kind, key } => {
                Ok(Effect::Resolve { key: alert_key(kind, key.as_ref().map(fill), happening) })
            }
            Self::Notify { to, title, message: text } => {
                Ok(Effect::Notify { to: to.clone(), title: titled(title), message: message(text) })
            }
            Self::Tell { profile, title, message: text } => Ok(Effect::Tell {
                profile: profile.clone(),
                title: title.as_ref().map_or_else(String::new, titled),
                message: message(text),
            }),
            Self::StartJob(kind) => Ok(Effect::StartJob(*kind)),
        }
    }
}

/// The cause of an alert: its kind, and what was said or the object of the event.
fn alert_key(kind: &str, said: Option<String>, happening: &Happening<'_>) -> String {
    let object = match (said, happening.subject) {
        (Some(said), _) => said,
        (None, Some(subject)) => format!("certificate/{}", subject.row.id),
        (None, None) => match happening.event.subject() {
            Some(target) => target.reference(),
            None => format!("event/{}", happening.event.id),
        },
    };
    format!("{kind}:{object}")
}

fn texts(source: &Source, scene: &Scene<'_>, schema: &Schema) -> Result<Vec<String>, String> {
    match source {
        Source::Fixed(Json::Array(items)) => {
            Ok(items.iter().filter_map(Json::as_str).map(str::to_owned).collect())
        }
        Source::Fixed(value) => Ok(value.as_str().map(str::to_owned).into_iter().collect()),
        Source::From(field) => {
            let name = schema.field(field).map_or(field.as_str(), |known| &known.name);
            let values = scene.values(name);
            let found: Vec<_> = values.as_slice().iter().map(shown).collect();
            if found.is_empty() { Err(format!("{name} has no value")) } else { Ok(found) }
        }
    }
}

fn one(source: &Source, scene: &Scene<'_>, schema: &Schema) -> Result<String, String> {
    let found = texts(source, scene, schema)?;
    match (source, found.as_slice()) {
        (_, [one]) => Ok(one.clone()),
        (Source::From(field), several) => {
            Err(format!("{field} has {} values, and one is wanted", several.len()))
        }
        (Source::Fixed(_), _) => Ok(String::new()),
    }
}

fn attribute_value(
    attribute: &str,
    source: &Source,
    scene: &Scene<'_>,
    schema: &Schema,
) -> Result<Json, String> {
    let field = match source {
        Source::Fixed(value) => return Ok(value.clone()),
        Source::From(field) => field,
    };
    let name = schema.field(field).map_or(field.as_str(), |known| &known.name);
    let values = scene.values(name);
    let own = schema.field(&format!("object.attribute.{attribute}"));
    let dates = matches!(own.map(|own| &own.kind), Some(FieldKind::Timestamp));
    let spelled = |value: &Value<'_>| match value {
        Value::Time(micros) if dates => json!(Timestamp::from_micros(*micros).to_string()),
        Value::Integer(number) => json!(number),
        Value::Decimal(number) => json!(number),
        Value::Boolean(flag) => json!(flag),
        other => json!(shown(other)),
    };
    match values.as_slice() {
        [] => Err(format!("{name} has no value")),
        [value] => Ok(spelled(value)),
        several => Ok(several.iter().map(spelled).collect()),
    }
}

/// Whether values of one field fit an attribute of a kind; `None`: they do.
pub(super) fn misfit(field: &Field, kind: &str) -> Option<String> {
    let fits = match kind {
        "integer" => matches!(field.kind, FieldKind::Integer),
        "decimal" => matches!(field.kind, FieldKind::Integer | FieldKind::Decimal),
        "boolean" => matches!(field.kind, FieldKind::Boolean),
        "date" | "datetime" => matches!(field.kind, FieldKind::Timestamp),
        _ => true,
    };
    (!fits)
        .then(|| format!("{} is {}, and the attribute takes {kind}", field.name, field.kind.noun()))
}
