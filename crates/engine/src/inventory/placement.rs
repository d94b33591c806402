//! Turning a wish for a placement into identifiers and typed values, inside the transaction.

use chancery_event::id::{AccountId, GroupId, RaProfileId};
use chancery_event::types::Change;
use chancery_store::table::certificate::{
    AttributeValue, Certificate, Placement, put_attributes, put_groups,
};
use chancery_store::table::label::{self, Class};
use chancery_store::table::{account, attribute, certificate};
use chancery_store::{Link, Tx};
use serde_json::{Value, json};

use super::PlacementRequest;
use crate::{Error, configuration};

/// A placement that can be written.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    pub(crate) placement: Placement,
    pub(crate) groups: Option<Vec<(GroupId, String)>>,
    pub(crate) attributes: Vec<(attribute::Attribute, Vec<AttributeValue>)>,
}

/// Finds what a wish names, starting from the placement the certificate has.
pub(crate) async fn resolve(
    link: &mut Link,
    row: &Certificate,
    wish: &PlacementRequest,
) -> Result<Resolved, Error> {
    let owner = match &wish.owner {
        None => row.owner,
        Some(text) if text.is_empty() => None,
        Some(text) => Some(owner(link, text).await?),
    };
    let ra_profile = match &wish.ra_profile {
        None => row.ra_profile,
        Some(text) if text.is_empty() => None,
        Some(text) => Some(label_id::<RaProfileId>(link, Class::RaProfile, text).await?.0),
    };
    let groups = match &wish.groups {
        None => None,
        Some(texts) => {
            let mut groups = Vec::with_capacity(texts.len());
            for text in texts {
                groups.push(label_id::<GroupId>(link, Class::Group, text).await?);
            }
            groups.sort_by(|a, b| a.1.cmp(&b.1));
            groups.dedup();
            Some(groups)
        }
    };
    let mut attributes = Vec::new();
    if !wish.attributes.is_empty() {
        let defined = attribute::all(link).await?;
        for (name, value) in &wish.attributes {
            let definition = defined.iter().find(|d| d.name == *name).ok_or_else(|| {
                Error::invalid(format!("attributes.{name}"), "there is no such custom attribute")
            })?;
            let values = match value {
                Value::Null => Vec::new(),
                value => configuration::attribute::parse(definition, value)?,
            };
            if definition.required && values.is_empty() {
                return Err(missing(definition));
            }
            attributes.push((definition.clone(), values));
        }
    }
    let path = match &wish.path {
        None => row.path.clone(),
        Some(text) => path(text)?,
    };
    let trust_anchor = wish.trust_anchor.unwrap_or(row.trust_anchor);
    let placement = Placement { owner, ra_profile, path, trust_anchor };
    Ok(Resolved { placement, groups, attributes })
}

/// The definitions that every certificate that enters must have a value of.
pub(crate) async fn required(link: &mut Link) -> Result<Vec<attribute::Attribute>, Error> {
    let defined = attribute::all(link).await?;
    Ok(defined.into_iter().filter(|definition| definition.required).collect())
}

/// Refuses a wish without a value for one of these.
pub(crate) fn complete(
    required: &[attribute::Attribute],
    wish: &PlacementRequest,
) -> Result<(), Error> {
    let lacks = |definition: &&attribute::Attribute| {
        wish.attributes.get(&definition.name).is_none_or(|value| match value {
            Value::Null => true,
            Value::String(text) => text.trim().is_empty(),
            Value::Array(list) => list.is_empty(),
            _ => false,
        })
    };
    required.iter().find(lacks).map_or(Ok(()), |definition| Err(missing(definition)))
}

fn missing(definition: &attribute::Attribute) -> Error {
    let message = format!("every certificate needs a value of “{}”", definition.label);
    Error::invalid(format!("attributes.{}", definition.name), message)
}

async fn owner(link: &mut Link, text: &str) -> Result<AccountId, Error> {
    let found = match text.parse::<AccountId>() {
        Ok(id) => account::find(link, id).await?,
        Err(_) => account::by_name(link, text).await?,
    };
    found
        .map(|account| account.id)
        .ok_or_else(|| Error::invalid("owner", format!("there is no account “{text}”")))
}

async fn label_id<T: std::str::FromStr>(
    link: &mut Link,
    class: Class,
    text: &str,
) -> Result<(T, String), Error> {
    let found = match label::by_name(link, class, text).await? {
        Some(found) => Some(found),
        None => label::find(link, class, text).await?,
    };
    let (field, noun) = match class {
        Class::Group => ("groups", "group"),
        Class::RaProfile => ("ra_profile", "RA profile"),
    };
    let found =
        found.ok_or_else(|| Error::invalid(field, format!("there is no {noun} “{text}”")))?;
    let id = found.id.parse().map_err(|_| Error::Internal(format!("{noun} {}", found.id)))?;
    Ok((id, found.name))
}

/// A folder in its one spelling: `/prod/web`, without empty parts.
pub(crate) fn path(text: &str) -> Result<String, Error> {
    let refuse = |message: &str| Err(Error::invalid("path", message));
    if text.len() > 400 {
        return refuse("at most 400 bytes");
    }
    if text.chars().any(char::is_control) {
        return refuse("no control characters");
    }
    let parts: Vec<_> = text.split('/').map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.iter().any(|part| *part == "." || *part == "..") {
        return refuse("no “.” or “..”");
    }
    Ok(format!("/{}", parts.join("/")))
}

/// Writes groups and attributes of a resolved placement.
pub(crate) async fn write(
    tx: &mut Tx,
    row: &Certificate,
    resolved: &Resolved,
) -> Result<(), Error> {
    if let Some(groups) = &resolved.groups {
        let ids: Vec<_> = groups.iter().map(|(id, _)| *id).collect();
        put_groups(tx, row.id, &ids).await?;
    }
    for (definition, values) in &resolved.attributes {
        put_attributes(tx, row.id, definition.id, values).await?;
    }
    Ok(())
}

/// What a placement changes, member by member, with before and after.
pub(crate) async fn changes(
    link: &mut Link,
    row: &Certificate,
    resolved: &Resolved,
) -> Result<Vec<Change>, Error> {
    let mut changes = Vec::new();
    let mut note = |member: &str, before: Option<Value>, after: Option<Value>| {
        if before != after {
            changes.push(Change { member: member.to_owned(), before, after });
        }
    };
    let new = &resolved.placement;
    let text = |id: String| Value::from(id);
    note("owner", row.owner.map(|i| text(i.to_string())), new.owner.map(|i| text(i.to_string())));
    note(
        "ra_profile",
        row.ra_profile.map(|i| text(i.to_string())),
        new.ra_profile.map(|i| text(i.to_string())),
    );
    note("path", Some(row.path.clone().into()), Some(new.path.clone().into()));
    note("trust_anchor", Some(row.trust_anchor.into()), Some(new.trust_anchor.into()));
    if let Some(groups) = &resolved.groups {
        let names = |list: &[(GroupId, String)]| {
            let mut names: Vec<_> = list.iter().map(|(_, name)| name.clone()).collect();
            names.sort();
            (!names.is_empty()).then(|| Value::from(names))
        };
        let before = certificate::groups(link, row.id).await?;
        note("groups", names(&before), names(groups));
    }
    if !resolved.attributes.is_empty() {
        let before = certificate::attributes(link, row.id).await?;
        for (definition, values) in &resolved.attributes {
            let old: Vec<_> = before
                .iter()
                .filter(|(id, _)| *id == definition.id)
                .map(|(_, v)| v.clone())
                .collect();
            note(
                &format!("attributes.{}", definition.name),
                shown(&definition.kind, &old),
                shown(&definition.kind, values),
            );
        }
    }
    Ok(changes)
}

/// What a certificate that enters is given, member by member; there was nothing before.
pub(crate) fn given(resolved: &Resolved) -> Vec<Change> {
    let mut given = Vec::new();
    let mut note = |member: &str, after: Option<Value>| {
        if after.is_some() {
            given.push(Change { member: member.to_owned(), before: None, after });
        }
    };
    let Placement { owner, ra_profile, path, trust_anchor } = &resolved.placement;
    note("owner", owner.map(|id| id.to_string().into()));
    note("ra_profile", ra_profile.map(|id| id.to_string().into()));
    note("path", (path != "/").then(|| path.as_str().into()));
    note("trust_anchor", trust_anchor.then(|| true.into()));
    let groups = resolved.groups.iter().flatten();
    let mut groups: Vec<_> = groups.map(|(_, name)| name.clone()).collect();
    groups.sort();
    note("groups", (!groups.is_empty()).then(|| groups.into()));
    for (definition, values) in &resolved.attributes {
        note(&format!("attributes.{}", definition.name), shown(&definition.kind, values));
    }
    given
}

/// What a certificate has that goes with it when it is deleted, member by member.
pub(crate) async fn held(link: &mut Link, row: &Certificate) -> Result<Vec<Change>, Error> {
    let mut held = Vec::new();
    let mut note = |member: &str, before: Option<Value>| {
        if before.is_some() {
            held.push(Change { member: member.to_owned(), before, after: None });
        }
    };
    note("owner", row.owner.map(|id| id.to_string().into()));
    note("ra_profile", row.ra_profile.map(|id| id.to_string().into()));
    note("path", Some(row.path.clone().into()));
    note("trust_anchor", Some(row.trust_anchor.into()));
    note("archived", Some(row.archived.into()));
    note("status", Some(row.status.clone().into()));
    let groups: Vec<_> =
        certificate::groups(link, row.id).await?.into_iter().map(|(_, name)| name).collect();
    note("groups", (!groups.is_empty()).then(|| groups.into()));
    let values = certificate::attributes(link, row.id).await?;
    if !values.is_empty() {
        for definition in attribute::all(link).await? {
            let own: Vec<_> = values
                .iter()
                .filter(|(id, _)| *id == definition.id)
                .map(|(_, value)| value.clone())
                .collect();
            note(&format!("attributes.{}", definition.name), shown(&definition.kind, &own));
        }
    }
    Ok(held)
}

/// Takes the values of custom attributes out of the changes: what people write there may be about
/// people, so it belongs in the erasable part. The names of the members stay.
pub(crate) fn take_values(changes: &mut [Change]) -> Vec<Value> {
    changes
        .iter_mut()
        .filter(|change| change.member.starts_with("attributes."))
        .map(|change| {
            let (before, after) = (change.before.take(), change.after.take());
            json!({ "member": change.member, "before": before, "after": after })
        })
        .collect()
}

/// Values of an attribute for the record: texts, so that every number is whole.
fn shown(kind: &str, values: &[AttributeValue]) -> Option<Value> {
    let texts: Vec<_> =
        values.iter().map(|value| configuration::attribute::display(kind, value)).collect();
    match texts.as_slice() {
        [] => None,
        [one] if kind != "list" => Some(Value::from(one.clone())),
        _ => Some(Value::from(texts)),
    }
}
