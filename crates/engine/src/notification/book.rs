//! The profiles and templates that count, parsed: read again when automation changed.

use std::collections::HashMap;
use std::sync::Arc;

use chancery_store::Link;
use chancery_store::table::automation as table;

use super::profile::Profile;
use super::template::Template;
use crate::Error;
use crate::automation::{Book, Class, Object};

/// Profiles and templates of one revision.
pub(crate) struct Profiles {
    revision: i64,
    profiles: HashMap<String, Named>,
    templates: HashMap<String, Template>,
}

/// A profile with its name and version.
pub(crate) struct Named {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: i64,
    /// Whether it counts.
    pub(crate) is_enabled: bool,
    /// What it says.
    pub(crate) profile: Profile,
    /// The template it names, or the built-in one.
    pub(crate) template: Template,
    /// It names one that is switched off or cannot be read: the built-in one stands in.
    pub(crate) lacks_template: bool,
}

impl Profiles {
    /// Those that count now; `known` if nothing changed.
    pub(crate) async fn current(
        link: &mut Link,
        known: Option<Arc<Self>>,
    ) -> Result<Arc<Self>, Error> {
        let revision = table::revision(link).await?;
        match known.filter(|known| known.revision == revision) {
            Some(known) => Ok(known),
            None => Ok(Arc::new(Self::of(&Book::read(link).await?))),
        }
    }

    /// Those of a book. What cannot be read was refused when it was saved; it is left out.
    pub(crate) fn of(book: &Book) -> Self {
        let mut templates = HashMap::new();
        for object in book.of_class(Class::Template).filter(|object| object.enabled) {
            if let Ok(template) = Template::read(&object.body) {
                templates.insert(object.name.clone(), template);
            }
        }
        let named = |object: &Object| {
            let profile = Profile::read(&object.body).ok()?;
            let own = profile.template.as_ref().and_then(|name| templates.get(name)).cloned();
            let lacks_template = profile.template.is_some() && own.is_none();
            let named = Named {
                name: object.name.clone(),
                version: object.version,
                is_enabled: object.enabled,
                template: own.unwrap_or_else(Template::built_in),
                lacks_template,
                profile,
            };
            Some((object.name.clone(), named))
        };
        let profiles = book.of_class(Class::Profile).filter_map(named).collect();
        Self { revision: book.revision, profiles, templates }
    }

    /// One profile.
    pub(crate) fn find(&self, name: &str) -> Option<&Named> {
        self.profiles.get(name)
    }

    /// One template.
    pub(crate) fn template(&self, name: &str) -> Option<&Template> {
        self.templates.get(name)
    }
}
