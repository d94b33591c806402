//! What refers to a group, RA profile, custom attribute, account or channel by its name: whoever
//! takes a name away or gives it to another asks here first.

use chancery_event::filter::{Comparison, Filter, Literal, Operand, Operator, Schema};
use chancery_store::table::attribute::Attribute;
use chancery_store::table::certificate::search as inventory;
use serde_json::Value;

use super::configuration::{Surroundings, sound_filter};
use super::definition::{ScopeBody, TriggerBody};
use super::field;
use super::step::{Audience, Source, Step};
use crate::automation::{Book, Class, Object};
use crate::notification::Template;

/// A name that something may refer to.
#[derive(Debug)]
pub(crate) struct Named<'a> {
    /// `group`, `ra_profile`, `attribute`, `account` or `channel`.
    pub(crate) noun: &'a str,
    /// The name, as it is.
    pub(crate) name: &'a str,
    /// The custom attributes that there are, the named one among them.
    pub(crate) attributes: &'a [Attribute],
}

impl Named<'_> {
    /// What of the automation refers to it, in words, in order.
    pub(crate) fn users(&self, book: &Book) -> Vec<String> {
        let all = field::all(self.attributes);
        let users = book.objects.values().filter(|object| self.is_named_by(object, &all));
        let mut users: Vec<_> =
            users.map(|object| format!("{} “{}”", object.class, object.name)).collect();
        users.sort();
        users
    }

    fn is_named_by(&self, object: &Object, all: &Schema) -> bool {
        let body = &object.body;
        match object.class {
            Class::Trigger => TriggerBody::read(body)
                .is_ok_and(|body| self.is(body.scope.kind.as_str(), &body.scope.name)),
            Class::Scope => ScopeBody::read(body)
                .is_ok_and(|body| self.is(body.scope.kind.as_str(), &body.scope.name)),
            Class::Rule => sound_filter(body, self.attributes)
                .is_some_and(|filter| self.is_asked_for(&filter, "object.")),
            Class::Action => Step::read_all(body)
                .is_ok_and(|steps| steps.iter().any(|step| self.acts(step, all))),
            Class::Monitor => body["filter"]
                .as_str()
                .and_then(|text| Filter::parse(text, &inventory::schema(self.attributes)).ok())
                .is_some_and(|filter| self.is_asked_for(&filter, "")),
            Class::Profile => {
                crate::notification::names(body, self.noun, &|other: &str| self.is_called(other))
            }
            Class::Template => self.fills(body),
            Class::Schedule => false,
        }
    }

    fn is(&self, noun: &str, name: &str) -> bool {
        noun == self.noun && self.is_called(name)
    }

    fn is_called(&self, other: &str) -> bool {
        other.to_lowercase() == self.name.to_lowercase()
    }

    /// Whether a condition compares with it, or with a custom attribute of this name at all. `of`
    /// is what its fields of a certificate begin with.
    pub(crate) fn is_asked_for(&self, filter: &Filter, of: &str) -> bool {
        let field = if self.noun == "account" { "owner" } else { self.noun };
        comparisons(filter).into_iter().any(|comparison| {
            self.is_attribute(&comparison.field, of)
                || comparison.field.strip_prefix(of) == Some(field)
                    && names(comparison).any(|name| self.is_called(name))
        })
    }

    fn is_attribute(&self, field: &str, of: &str) -> bool {
        let rest = field.strip_prefix(of).and_then(|field| field.strip_prefix("attribute."));
        self.noun == "attribute" && rest.is_some_and(|name| self.is_called(name))
    }

    /// Whether a step writes it, tells it, or reads it.
    fn acts(&self, step: &Step, all: &Schema) -> bool {
        let fixed = |source: &Source| match source {
            Source::Fixed(Value::String(text)) => self.is_called(text),
            Source::Fixed(Value::Array(items)) => {
                items.iter().filter_map(Value::as_str).any(|item| self.is_called(item))
            }
            _ => false,
        };
        let writes = match (self.noun, step) {
            ("group", Step::SetGroups(source) | Step::AddGroup(source))
            | ("ra_profile", Step::SetRaProfile(source))
            | ("account", Step::SetOwner(source)) => fixed(source),
            ("attribute", Step::SetAttribute { attribute, .. }) => self.is_called(attribute),
            ("account", Step::Notify { to: Audience::Account(account), .. }) => {
                self.is_called(account)
            }
            _ => false,
        };
        let texts = step.texts();
        let mut read = step
            .copies()
            .map(|(_, field)| field)
            .into_iter()
            .chain(texts.iter().flat_map(|(_, text)| text.fields()));
        writes
            || read.any(|field| {
                let name = all.field(field).map_or(field, |known| &known.name);
                self.is_attribute(name, "object.")
            })
    }

    /// Whether a template cannot be filled without it.
    fn fills(&self, body: &Value) -> bool {
        let mut left = self.attributes.to_vec();
        left.retain(|one| !(self.noun == "attribute" && self.is_called(&one.name)));
        left.len() < self.attributes.len()
            && Template::check(body, self.attributes).is_ok()
            && Template::check(body, &left).is_err()
    }
}

impl Surroundings {
    /// Why a condition can hold of nothing, or leave out nothing: a group, RA profile or owner that
    /// it asks for by name is not there.
    pub(crate) fn lacks(&self, filter: &Filter, of: &str) -> Option<String> {
        let of_field = |field: &str| match field.strip_prefix(of)? {
            "group" => Some(("group", &self.groups)),
            "ra_profile" => Some(("RA profile", &self.ra_profiles)),
            "owner" => Some(("account", &self.accounts)),
            _ => None,
        };
        comparisons(filter).into_iter().find_map(|comparison| {
            let (noun, known) = of_field(&comparison.field)?;
            let is_there =
                |name: &str| known.iter().any(|one| one.to_lowercase() == name.to_lowercase());
            let missing = names(comparison).find(|name| !is_there(name))?;
            Some(format!("there is no {noun} “{missing}”"))
        })
    }
}

fn comparisons(filter: &Filter) -> Vec<&Comparison> {
    match filter {
        Filter::All | Filter::Words(_) => Vec::new(),
        Filter::And(parts) | Filter::Or(parts) => parts.iter().flat_map(comparisons).collect(),
        Filter::Not(part) => comparisons(part),
        Filter::Comparison(comparison) => vec![comparison],
    }
}

/// The whole values that a comparison is with.
fn names(comparison: &Comparison) -> impl Iterator<Item = &str> {
    let is_whole =
        matches!(comparison.operator, Operator::Equals | Operator::NotEquals | Operator::In);
    let literals = match &comparison.operand {
        Operand::One(one) if is_whole => std::slice::from_ref(one),
        Operand::Many(several) if is_whole => several,
        _ => &[],
    };
    literals.iter().filter_map(|literal| match literal {
        Literal::Text(text) => Some(text.as_str()),
        _ => None,
    })
}
