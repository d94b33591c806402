//! What is evaluated: an event, the object it is about as it is now, and a time.

use std::borrow::Cow;
use std::collections::HashMap;

use chancery_event::filter::{Object, Schema, Value, Values};
use chancery_event::id::{AccountId, CertificateId, GroupId};
use chancery_event::{Event, EventType, LogIndex, TargetKind, Timestamp, search};
use chancery_store::Link;
use chancery_store::table::certificate::search as inventory;
use chancery_store::table::certificate::{self, AttributeValue, Certificate, Name};
use chancery_store::table::label::{self, Class};
use chancery_store::table::{account, attribute, monitor};

use super::definition::ScopeKind;
use super::field;
use crate::Error;

/// A certificate with all that conditions see of it.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its row.
    pub row: Certificate,
    /// Its subject alternative names.
    pub names: Vec<Name>,
    /// Identifiers of its groups, in the order of their names.
    pub group_ids: Vec<GroupId>,
    /// Names of its groups, in order.
    pub groups: Vec<String>,
    /// Login name of its owner.
    pub owner: Option<String>,
    /// Name of its RA profile.
    pub ra_profile: Option<String>,
    /// Values of its custom attributes with the attribute's name and kind.
    pub attributes: Vec<(String, String, AttributeValue)>,
}

impl Subject {
    /// A certificate that belongs nowhere yet.
    pub(crate) fn candidate(row: Certificate, names: Vec<Name>) -> Self {
        Self {
            row,
            names,
            group_ids: Vec::new(),
            groups: Vec::new(),
            owner: None,
            ra_profile: None,
            attributes: Vec::new(),
        }
    }

    /// Reads a certificate; `None` if it is not there any more.
    pub(crate) async fn read(link: &mut Link, id: CertificateId) -> Result<Option<Self>, Error> {
        let Some(row) = certificate::find(link, id).await? else { return Ok(None) };
        let owner = match row.owner {
            Some(owner) => account::find(link, owner).await?.map(|account| account.name),
            None => None,
        };
        let ra_profile = match row.ra_profile {
            Some(id) => label::find(link, Class::RaProfile, &id.to_string()).await?,
            None => None,
        };
        let mut groups = certificate::groups(link, id).await?;
        groups.sort_by_key(|(_, name)| name.to_lowercase());
        let (group_ids, groups) = groups.into_iter().unzip();
        let values = certificate::attributes(link, id).await?;
        let attributes = if values.is_empty() {
            Vec::new()
        } else {
            let defined = attribute::all(link).await?;
            let named = |(id, value)| {
                let of = defined.iter().find(|definition| definition.id == id)?;
                Some((of.name.clone(), of.kind.clone(), value))
            };
            values.into_iter().filter_map(named).collect()
        };
        let names = certificate::names(link, id).await?;
        let ra_profile = ra_profile.map(|profile| profile.name);
        Ok(Some(Self { row, names, group_ids, groups, owner, ra_profile, attributes }))
    }

    /// Reads several; those that are not there any more are left out.
    pub(crate) async fn read_many(
        link: &mut Link,
        ids: &[CertificateId],
    ) -> Result<HashMap<CertificateId, Self>, Error> {
        let texts: Vec<_> = ids.iter().map(CertificateId::to_string).collect();
        let rows = monitor::certificates(link, &texts).await?;
        let groups = label::all(link, Class::Group).await?;
        let profiles = label::all(link, Class::RaProfile).await?;
        let named = |labels: &[label::Label], id: &str| {
            labels.iter().find(|label| label.id == id).map(|label| label.name.clone())
        };
        let mut values: HashMap<CertificateId, Vec<_>> = HashMap::new();
        for (id, attribute, value) in certificate::attributes_of(link, &texts).await? {
            values.entry(id).or_default().push((attribute, value));
        }
        let defined = match values.is_empty() {
            true => Vec::new(),
            false => attribute::all(link).await?,
        };
        let mut owners: HashMap<AccountId, Option<String>> = HashMap::new();
        let mut found = HashMap::with_capacity(rows.len());
        for (row, names, group_ids) in rows.into_values() {
            let owner = match row.owner {
                None => None,
                Some(id) => match owners.get(&id) {
                    Some(known) => known.clone(),
                    None => {
                        let name = account::find(link, id).await?.map(|account| account.name);
                        owners.insert(id, name.clone());
                        name
                    }
                },
            };
            let mut within: Vec<(GroupId, String)> = group_ids
                .into_iter()
                .filter_map(|id| Some((id, named(&groups, &id.to_string())?)))
                .collect();
            within.sort_by_key(|(_, name)| name.to_lowercase());
            let (group_ids, groups) = within.into_iter().unzip();
            let of = |(id, value)| {
                let of = defined.iter().find(|definition| definition.id == id)?;
                Some((of.name.clone(), of.kind.clone(), value))
            };
            let attributes =
                values.remove(&row.id).unwrap_or_default().into_iter().filter_map(of).collect();
            let ra_profile = row.ra_profile.and_then(|id| named(&profiles, &id.to_string()));
            let subject = Self { row, names, group_ids, groups, owner, ra_profile, attributes };
            found.insert(subject.row.id, subject);
        }
        Ok(found)
    }

    pub(crate) fn searchable(&self) -> inventory::Searchable<'_> {
        inventory::Searchable {
            row: &self.row,
            names: &self.names,
            groups: &self.groups,
            owner: self.owner.as_deref(),
            ra_profile: self.ra_profile.as_deref(),
            attributes: &self.attributes,
        }
    }
}

/// The certificate that an event is about.
pub(crate) fn certificate_of(event: &Event) -> Option<CertificateId> {
    let target = event.targets.iter().find(|target| target.kind == TargetKind::Certificate)?;
    target.id.parse().ok()
}

/// An event, its object, a time.
#[derive(Clone, Copy, Debug)]
pub struct Happening<'a> {
    /// The event.
    pub event: &'a Event,
    /// Its type, which the catalogue knows.
    pub event_type: EventType,
    /// Its place in the log; none while it is not sealed.
    pub index: Option<LogIndex>,
    /// What it is about, as it is now.
    pub subject: Option<&'a Subject>,
    /// The time that conditions count from.
    pub now: Timestamp,
}

impl<'a> Happening<'a> {
    /// The scopes that its triggers are bound to, in the order in which they are asked.
    pub(super) fn scopes(&self) -> Vec<(ScopeKind, Cow<'a, str>)> {
        let mut scopes = Vec::with_capacity(2);
        if let Some(subject) = self.subject {
            let name = |name: &'a String| Cow::Borrowed(name.as_str());
            scopes.extend(subject.groups.iter().map(|group| (ScopeKind::Group, name(group))));
            let profile = subject.ra_profile.iter().map(|one| (ScopeKind::RaProfile, name(one)));
            scopes.extend(profile);
        }
        let discoveries =
            self.event.targets.iter().filter(|target| target.kind == TargetKind::Discovery);
        scopes.extend(discoveries.filter_map(|target| {
            Some((ScopeKind::Discovery, Cow::Borrowed(target.name.as_deref()?)))
        }));
        scopes.push((ScopeKind::Platform, Cow::Borrowed("")));
        scopes
    }

    /// The happening as the filter of a trigger sees it.
    pub(crate) fn scene<'s>(&'s self, schema: &'s Schema) -> Scene<'s> {
        Scene {
            event: search::Searchable {
                event: self.event,
                index: self.index.unwrap_or(LogIndex(u64::MAX)),
            },
            object: self.subject.map(Subject::searchable),
            schema,
        }
    }
}

/// A happening with the fields of one trigger.
pub(crate) struct Scene<'a> {
    event: search::Searchable<'a>,
    object: Option<inventory::Searchable<'a>>,
    schema: &'a Schema,
}

impl Object for Scene<'_> {
    fn values(&self, field: &str) -> Values<'_> {
        if let Some(path) = field.strip_prefix("detail.") {
            let kind = self.schema.field(field).map(|field| &field.kind);
            return field::detail_values(&self.event.event.detail, path, kind);
        }
        match (field.strip_prefix("object."), &self.object) {
            (Some(name), Some(object)) => object.values(name),
            (Some(_), None) => Values::None,
            (None, _) => self.event.values(field),
        }
    }

    fn texts(&self) -> Vec<Cow<'_, str>> {
        self.event.texts()
    }
}

/// A value as people read it: times in UTC.
pub(super) fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Decimal(number) => number.to_string(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Time(micros) => Timestamp::from_micros(*micros).to_string(),
    }
}
