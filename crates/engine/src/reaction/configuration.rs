//! One revision of the configuration, compiled: what evaluating works from.
//!
//! Compiling is also the check when something is saved: what cannot be compiled can never work.
//! Nothing here reads the store; what it needs is passed in as [`Surroundings`].

use std::sync::Arc;

use chancery_event::EventType;
use chancery_event::filter::{Compiled, Filter, FilterError, Place, Schema, contradiction};
use chancery_store::table::attribute::Attribute;
use serde_json::Value;

use super::body::Body;
use super::definition::{ScopeBody, ScopeKind, ScopeRef, TriggerBody};
use super::dispatcher::is_staged;
use super::field;
use super::possible::possible;
use super::step::{Source, Step, misfit};
use crate::Error;
use crate::automation::{Book, Class, Object, check::place};

/// What stands around the configuration and is referred to by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Surroundings {
    /// Definitions of custom attributes.
    pub(crate) attributes: Vec<Attribute>,
    /// Names of groups, lower-case.
    pub(crate) groups: Vec<String>,
    /// Names of RA profiles, lower-case.
    pub(crate) ra_profiles: Vec<String>,
    /// Login names of accounts.
    pub(crate) accounts: Vec<String>,
    /// Channels.
    pub(crate) channels: Vec<Means>,
}

/// A channel, as far as it matters to who names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Means {
    /// Its name.
    pub(crate) name: String,
    /// It has a receiver of its own, whoever a profile names.
    pub(crate) receives: bool,
}

/// A rule as a trigger uses it.
#[derive(Clone, Debug)]
pub struct UsedRule {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: i64,
    /// Its filter, for the trigger's event types.
    pub(super) filter: Compiled,
}

/// An action as a trigger uses it.
#[derive(Clone, Debug)]
pub struct UsedAction {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: i64,
    /// Its steps, in order.
    pub steps: Vec<Step>,
}

/// A trigger with all that it needs.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: i64,
    /// What it says.
    pub body: TriggerBody,
    /// Its rules.
    pub rules: Vec<UsedRule>,
    /// Its actions.
    pub actions: Vec<UsedAction>,
    /// The fields it sees.
    pub(super) schema: Schema,
}

/// One revision, compiled.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    /// The revision.
    pub revision: i64,
    /// Triggers that count: ignoring ones first, then by order and name.
    triggers: Vec<Arc<Trigger>>,
    /// Places in `triggers`, by event type.
    by_type: Vec<Vec<usize>>,
    /// Scopes whose triggers are the last that are asked.
    replacing: Vec<ScopeRef>,
}

impl Configuration {
    /// Compiles the triggers that count and all they refer to.
    ///
    /// # Errors
    /// Something can never work; the field is `class/name#pointer`.
    pub(crate) fn compile(book: &Book, around: &Surroundings) -> Result<Self, Error> {
        let mut triggers = Vec::new();
        for object in book.of_class(Class::Trigger) {
            let trigger = at(object, trigger(book, around, object))?;
            if object.enabled {
                triggers.push(Arc::new(trigger));
            }
        }
        let mut replacing = Vec::new();
        for object in book.of_class(Class::Scope) {
            let body = at(object, ScopeBody::read(&object.body))?;
            at(object, known_scope(&body.scope, "", around))?;
            if body.replace && object.enabled {
                replacing.push(body.scope);
            }
        }
        Ok(Self::of(book.revision, triggers, replacing))
    }

    /// Compiles what was saved. Something in it may have become impossible behind its back: that
    /// trigger is left out and said so, and the others work on.
    pub(crate) fn in_force(book: &Book, around: &Surroundings) -> Self {
        let mut triggers = Vec::new();
        for object in book.of_class(Class::Trigger).filter(|object| object.enabled) {
            match at(object, trigger(book, around, object)) {
                Ok(trigger) => triggers.push(Arc::new(trigger)),
                Err(error) => {
                    tracing::error!(trigger = object.name, %error, "a trigger cannot work");
                }
            }
        }
        let scopes = book.of_class(Class::Scope).filter(|object| object.enabled);
        let scopes = scopes.filter_map(|object| ScopeBody::read(&object.body).ok());
        let replacing = scopes.filter(|body| body.replace).map(|body| body.scope).collect();
        Self::of(book.revision, triggers, replacing)
    }

    /// Triggers that count and cannot do what they say any more, because what they refer to has
    /// gone behind the configuration's back; and why.
    pub(crate) fn broken(book: &Book, around: &Surroundings) -> Vec<(String, String)> {
        let counting = book.of_class(Class::Trigger).filter(|object| object.enabled);
        let why = |object: &Object| match at(object, trigger(book, around, object)) {
            Err(error) => Some(format!("it is passed over: {error}")),
            Ok(trigger) => trigger.actions.iter().find_map(|used| {
                let action = book.find(Class::Action, &used.name)?;
                let error = at(action, check_action(&action.body, around)).err()?;
                Some(format!("a step of it fails: {error}"))
            }),
        };
        counting.filter_map(|object| Some((object.name.clone(), why(object)?))).collect()
    }

    fn of(revision: i64, mut triggers: Vec<Arc<Trigger>>, replacing: Vec<ScopeRef>) -> Self {
        triggers.sort_by(|a, b| {
            let key = |t: &Trigger| (!t.body.ignore, t.body.order, t.name.clone());
            key(a).cmp(&key(b))
        });
        let mut by_type = vec![Vec::new(); EventType::ALL.len()];
        for (position, trigger) in triggers.iter().enumerate() {
            for event_type in &trigger.body.event_types {
                by_type[*event_type as usize].push(position);
            }
        }
        Self { revision, triggers, by_type, replacing }
    }

    /// The same configuration with one trigger alone, whether or not it counts.
    pub(crate) fn only(book: &Book, around: &Surroundings, name: &str) -> Result<Self, Error> {
        let object = book.find(Class::Trigger, name);
        let object = object.ok_or_else(|| Error::not_found("trigger", name))?;
        let mut alone = book.clone();
        alone.objects.retain(|(class, of), _| *class != Class::Trigger || of == name);
        let enabled = Object { enabled: true, ..object.clone() };
        alone.objects.insert((Class::Trigger, name.to_owned()), enabled);
        Self::compile(&alone, around)
    }

    /// The same with one trigger alone as far as it counts: nothing, if there is none of this name.
    pub(crate) fn saved_alone(
        book: &Book,
        around: &Surroundings,
        name: &str,
    ) -> Result<Self, Error> {
        let mut alone = book.clone();
        alone.objects.retain(|(class, of), _| *class != Class::Trigger || of == name);
        Self::compile(&alone, around)
    }

    /// Whether any trigger listens to a type: one look-up.
    pub fn concerns(&self, event_type: EventType) -> bool {
        self.by_type.get(event_type as usize).is_some_and(|list| !list.is_empty())
    }

    /// The types that triggers listen to.
    pub fn listened(&self) -> impl Iterator<Item = EventType> {
        EventType::ALL.iter().copied().filter(|event_type| self.concerns(*event_type))
    }

    /// The triggers on a type, the ignoring ones first.
    pub(super) fn on(&self, event_type: EventType) -> impl Iterator<Item = &Arc<Trigger>> {
        let places = self.by_type.get(event_type as usize).map_or(&[][..], Vec::as_slice);
        places.iter().filter_map(|place| self.triggers.get(*place))
    }

    /// Whether a scope's triggers are the last that are asked.
    pub(super) fn replaces(&self, kind: ScopeKind, name: &str) -> bool {
        self.replacing.iter().any(|scope| scope.is(kind, name))
    }

    /// Whether a trigger that counts is this object, or uses it.
    pub(super) fn asks(&self, class: Class, name: &str) -> bool {
        self.triggers.iter().any(|trigger| match class {
            Class::Trigger => trigger.name == name,
            Class::Rule => trigger.rules.iter().any(|rule| rule.name == name),
            Class::Action => trigger.actions.iter().any(|action| action.name == name),
            _ => false,
        })
    }

    /// The triggers that count.
    pub fn triggers(&self) -> &[Arc<Trigger>] {
        &self.triggers
    }
}

/// A fault of an object, with its place.
fn at<T>(object: &Object, result: Result<T, Error>) -> Result<T, Error> {
    result.map_err(|error| match error {
        // A fault that knows its object already.
        Error::Invalid { field, message } if field.contains('#') => {
            Error::Invalid { field, message }
        }
        Error::Invalid { field, message } => {
            Error::Invalid { field: place(object.class, &object.name, &field), message }
        }
        error => error,
    })
}

fn trigger(book: &Book, around: &Surroundings, object: &Object) -> Result<Trigger, Error> {
    let body = TriggerBody::read(&object.body)?;
    known_scope(&body.scope, "/scope", around)?;
    let schema = field::schema(&body.event_types, &around.attributes);
    let mut rules = Vec::with_capacity(body.rules.len());
    let mut wanted = Vec::with_capacity(body.rules.len());
    for (position, name) in body.rules.iter().enumerate() {
        let pointer = format!("/rules/{position}");
        let rule = referred(book, Class::Rule, name, &pointer)?;
        let filter = rule_filter(&rule.body, &schema).map_err(|error| in_use(error, &pointer))?;
        wanted.push(filter.clone());
        // All rules must hold: one may be possible by itself, and not beside those before it.
        possible(&Filter::And(wanted.clone()), &body.event_types, &schema)
            .map_err(|error| in_use(error, &pointer))?;
        let filter =
            filter.compile(&schema).map_err(|e| Error::invalid(&pointer, e.to_string()))?;
        rules.push(UsedRule { name: name.clone(), version: rule.version, filter });
    }
    let mut actions = Vec::with_capacity(body.actions.len());
    for (position, name) in body.actions.iter().enumerate() {
        let pointer = format!("/actions/{position}");
        let action = referred(book, Class::Action, name, &pointer)?;
        let steps = Step::read_all(&action.body).map_err(|error| in_use(error, &pointer))?;
        for step in &steps {
            usable(step, &body, &schema, around).map_err(|error| in_use(error, &pointer))?;
        }
        actions.push(UsedAction { name: name.clone(), version: action.version, steps });
    }
    let (name, version) = (object.name.clone(), object.version);
    Ok(Trigger { name, version, body, rules, actions, schema })
}

/// A fault of a rule or an action, as a fault of the trigger that uses it.
fn in_use(error: Error, pointer: &str) -> Error {
    match error {
        Error::Invalid { message, .. } => Error::invalid(pointer, message),
        Error::Filter(error) => Error::invalid(pointer, error.to_string()),
        error => error,
    }
}

fn referred<'a>(
    book: &'a Book,
    class: Class,
    name: &str,
    pointer: &str,
) -> Result<&'a Object, Error> {
    let found = book.find(class, name);
    found.ok_or_else(|| Error::invalid(pointer, format!("there is no {class} “{name}”")))
}

/// The filter of a rule's body, in either spelling.
pub(crate) fn rule_filter(json: &Value, schema: &Schema) -> Result<Filter, Error> {
    let mut body = Body::new(json, "")?;
    body.words()?;
    let filter = body.need("filter")?;
    let read = match filter {
        Value::String(text) => Filter::parse(text, schema),
        json => Filter::from_json(json, schema),
    };
    let read = read.map_err(|error| misread(&error))?;
    body.finish()?;
    Ok(read)
}

/// The filter of a rule that was found sound, read for the first events that it fits.
pub(super) fn sound_filter(json: &Value, attributes: &[Attribute]) -> Option<Filter> {
    let of = |of: &EventType| rule_filter(json, &field::schema(&[*of], attributes)).ok();
    let all = rule_filter(json, &field::all(attributes)).ok();
    all.or_else(|| EventType::ALL.iter().find_map(of))
}

fn misread(error: &FilterError) -> Error {
    let pointer = match &error.place {
        Place::Json(pointer) => format!("/filter{pointer}"),
        Place::Text { .. } | Place::Tree => "/filter".to_owned(),
    };
    Error::invalid(pointer, error.to_string())
}

/// Checks a rule by itself: some type of event must have all the fields it names.
pub(crate) fn check_rule(json: &Value, around: &Surroundings) -> Result<(), Error> {
    let all = field::all(&around.attributes);
    let sound = |filter: &Filter, schema: &Schema| -> Result<(), Error> {
        filter.compile(schema).map_err(|error| misread(&error))?;
        let impossible = contradiction(filter, schema, &field::has_one_value);
        let why = impossible.or_else(|| around.lacks(filter, "object."));
        why.map_or(Ok(()), |why| Err(Error::invalid("/filter", why)))
    };
    let whole = match rule_filter(json, &all) {
        Ok(filter) => return sound(&filter, &all),
        Err(error) => error,
    };
    let fits = |of: &EventType| -> Result<(), Error> {
        let schema = field::schema(&[*of], &around.attributes);
        sound(&rule_filter(json, &schema)?, &schema)
    };
    // Why it fits no type: of those that have its fields, otherwise of all.
    let mut why = None;
    for of in EventType::ALL {
        match fits(of) {
            Ok(()) => return Ok(()),
            Err(error) if is_impossible(&error) => why = Some(error),
            Err(_) => {}
        }
    }
    Err(why.unwrap_or(whole))
}

/// Whether a refusal says that a condition can never hold.
fn is_impossible(error: &Error) -> bool {
    matches!(error, Error::Invalid { message, .. } if message.contains("can never hold"))
}

/// Checks an action by itself: what it names must be there.
pub(crate) fn check_action(json: &Value, around: &Surroundings) -> Result<(), Error> {
    let schema = field::all(&around.attributes);
    for (position, step) in Step::read_all(json)?.iter().enumerate() {
        let pointer = |member: &str| format!("/steps/{position}/{member}");
        known_names(step, around, &pointer)?;
        known_fields(step, &schema, around, &pointer)?;
    }
    Ok(())
}

fn known_names(
    step: &Step,
    around: &Surroundings,
    pointer: &dyn Fn(&str) -> String,
) -> Result<(), Error> {
    let known = |names: &[String], noun: &str, name: &str, member: &str| {
        if name.is_empty() || names.iter().any(|one| one.to_lowercase() == name.to_lowercase()) {
            return Ok(());
        }
        Err(Error::invalid(pointer(member), format!("there is no {noun} “{name}”")))
    };
    match step {
        Step::SetGroups(Source::Fixed(Value::Array(names))) => names
            .iter()
            .filter_map(Value::as_str)
            .try_for_each(|name| known(&around.groups, "group", name, "groups")),
        Step::AddGroup(Source::Fixed(Value::String(name))) => {
            if name.trim().is_empty() {
                return Err(Error::invalid(pointer("group"), "which group it is"));
            }
            known(&around.groups, "group", name, "group")
        }
        Step::SetRaProfile(Source::Fixed(Value::String(name))) => {
            known(&around.ra_profiles, "RA profile", name, "ra_profile")
        }
        Step::SetOwner(Source::Fixed(Value::String(name))) => {
            known(&around.accounts, "account", name, "owner")
        }
        Step::Notify { to: super::step::Audience::Account(name), .. } => {
            known(&around.accounts, "account", name, "to")
        }
        Step::SetAttribute { attribute, value } => {
            let defined = around.attributes.iter().find(|one| one.name == *attribute);
            let defined = defined.ok_or_else(|| {
                let message = format!("there is no custom attribute “{attribute}”");
                Error::invalid(pointer("attribute"), message)
            })?;
            match value {
                Source::From(_) | Source::Fixed(Value::Null) => Ok(()),
                Source::Fixed(value) => {
                    let parsed = crate::configuration::attribute::parse(defined, value);
                    parsed.map(|_| ()).map_err(|error| in_use(error, &pointer("value")))
                }
            }
        }
        _ => Ok(()),
    }
}

fn known_fields(
    step: &Step,
    schema: &Schema,
    around: &Surroundings,
    pointer: &dyn Fn(&str) -> String,
) -> Result<(), Error> {
    let unknown = |field: &str| format!("events of these types have no field “{field}”");
    if let Some((member, name)) = step.copies() {
        let place = || format!("{}/from", pointer(member));
        let found = schema.field(name).ok_or_else(|| Error::invalid(place(), unknown(name)))?;
        if let Step::SetAttribute { attribute, .. } = step
            && let Some(defined) = around.attributes.iter().find(|one| one.name == *attribute)
            && let Some(message) = misfit(found, &defined.kind)
        {
            return Err(Error::invalid(place(), message));
        }
    }
    for (member, text) in step.texts() {
        if let Some(name) = text.fields().find(|name| schema.field(name).is_none()) {
            return Err(Error::invalid(pointer(member), unknown(name)));
        }
    }
    Ok(())
}

/// Whether a step can be carried out for the events of a trigger.
fn usable(
    step: &Step,
    trigger: &TriggerBody,
    schema: &Schema,
    around: &Surroundings,
) -> Result<(), Error> {
    let word = step.word();
    if trigger.ignore && step.places() {
        let message =
            format!("{word}: what is ignored does not enter, so there is nothing to place");
        return Err(Error::invalid("", message));
    }
    let is_kept_out = trigger.ignore && trigger.event_types.iter().any(|of| is_staged(*of));
    if is_kept_out && step.needs_certificate() {
        let message = format!("{word}: a certificate that is kept out has no owner and no job");
        return Err(Error::invalid("", message));
    }
    for event_type in &trigger.event_types {
        if step.places() && !field::can_place(*event_type) {
            let message = format!("{word} needs a certificate, and {event_type} is about none");
            return Err(Error::invalid("", message));
        }
        if step.needs_certificate() && !field::has_certificate(*event_type) {
            let message = format!("{word} needs a certificate, and {event_type} is about none");
            return Err(Error::invalid("", message));
        }
    }
    known_fields(step, schema, around, &|member| format!("{word}/{member}")).map_err(|error| {
        match error {
            Error::Invalid { field, message } => Error::invalid("", format!("{field}: {message}")),
            error => error,
        }
    })
}

fn known_scope(scope: &ScopeRef, pointer: &str, around: &Surroundings) -> Result<(), Error> {
    let names = match scope.kind {
        ScopeKind::Group => &around.groups,
        ScopeKind::RaProfile => &around.ra_profiles,
        // Discoveries have names of their own, and the platform has none.
        ScopeKind::Discovery | ScopeKind::Platform => return Ok(()),
    };
    if names.contains(&scope.name.to_lowercase()) {
        return Ok(());
    }
    let message = format!("there is no {} “{}”", scope.kind.noun(), scope.name);
    Err(Error::invalid(format!("{pointer}/name"), message))
}

/// The notification profiles that an action tells through, with the position of the step.
pub(crate) fn profiles_of(json: &Value) -> Vec<(usize, String)> {
    let steps = Step::read_all(json).unwrap_or_default();
    let told = |(position, step)| match step {
        Step::Tell { profile, .. } => Some((position, profile)),
        _ => None,
    };
    steps.into_iter().enumerate().filter_map(told).collect()
}
