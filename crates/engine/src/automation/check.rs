//! What is refused when automation is saved: what can never work.
//!
//! Every class checks its own bodies; references are checked over the whole configuration, so that
//! nothing that is referred to can go. An error's field is `class/name#pointer`, a JSON pointer
//! (RFC 6901) into the body.

use chancery_store::Link;
use chancery_store::table::label::{self, Class as Label};
use chancery_store::table::{account, attribute, destination};

use super::{Book, Class, Object};
use crate::Error;
use crate::notification::{Profile, Template, check_profile, receives};
use crate::reaction::configuration::{
    Configuration, Means, Surroundings, check_action, check_rule, profiles_of,
};
use crate::reaction::reference::Named;

/// The place of a fault: an object, and a JSON pointer into its body.
pub(crate) fn place(class: Class, name: &str, pointer: &str) -> String {
    format!("{class}/{name}#{pointer}")
}

/// Refuses a configuration that cannot work as a whole. Objects of `before` that are the same in
/// `after` are known to be right in themselves.
pub(crate) async fn book(link: &mut Link, before: &Book, after: &Book) -> Result<(), Error> {
    let around = surroundings(link).await?;
    for object in after.objects.values() {
        let old = before.find(object.class, &object.name);
        if old.is_some_and(|old| old.body == object.body) {
            continue;
        }
        body(link, object, &around).await.map_err(|error| placed(error, object))?;
    }
    referred(after)?;
    Configuration::compile(after, &around).map(|_| ())
}

/// Refuses what refers to a profile or a template that is not there.
fn referred(book: &Book) -> Result<(), Error> {
    let missing = |class: Class, name: &str, user: &Object, pointer: &str| {
        if book.find(class, name).is_some() {
            return Ok(());
        }
        let message = format!("there is no {} “{name}”", class.as_str().replace('_', " "));
        Err(Error::invalid(place(user.class, &user.name, pointer), message))
    };
    for action in book.of_class(Class::Action) {
        for (position, name) in profiles_of(&action.body) {
            missing(Class::Profile, &name, action, &format!("/steps/{position}/profile"))?;
        }
    }
    for profile in book.of_class(Class::Profile) {
        let template = Profile::read(&profile.body).ok().and_then(|read| read.template);
        if let Some(name) = template {
            missing(Class::Template, &name, profile, "/template")?;
        }
    }
    Ok(())
}

/// Reads what stands around the configuration.
pub(crate) async fn surroundings(link: &mut Link) -> Result<Surroundings, Error> {
    let names = |labels: Vec<label::Label>| labels.iter().map(|l| l.name.to_lowercase()).collect();
    let mut channels = Vec::new();
    for channel in destination::all(link, Some("channel")).await? {
        let receives = receives(link, &channel).await?;
        channels.push(Means { name: channel.name, receives });
    }
    Ok(Surroundings {
        attributes: attribute::all(link).await?,
        groups: names(label::all(link, Label::Group).await?),
        ra_profiles: names(label::all(link, Label::RaProfile).await?),
        accounts: account::all(link).await?.into_iter().map(|account| account.name).collect(),
        channels,
    })
}

/// Checks the body of one object by itself; the field of an error is a JSON pointer into it.
async fn body(link: &mut Link, object: &Object, around: &Surroundings) -> Result<(), Error> {
    match object.class {
        Class::Rule => check_rule(&object.body, around),
        Class::Action => check_action(&object.body, around),
        Class::Template => Template::check(&object.body, &around.attributes),
        Class::Profile => check_profile(&object.body, around),
        // Compiling the whole configuration checks these.
        Class::Trigger | Class::Scope => Ok(()),
        Class::Monitor => crate::monitor::check(link, object, around).await,
        Class::Schedule => crate::schedule::Definition::read(&object.body).map(|_| ()),
    }
}

/// Refuses to take away or rename what automation or a forwarder refers to by its name. `noun` is
/// `group`, `ra_profile`, `attribute`, `account` or `channel`.
pub(crate) async fn unreferred(link: &mut Link, noun: &str, name: &str) -> Result<(), Error> {
    let attributes = attribute::all(link).await?;
    let named = Named { noun, name, attributes: &attributes };
    let mut users = named.users(&Book::read(link).await?);
    users.extend(crate::delivery::filtering_by(link, &named).await?);
    if users.is_empty() {
        return Ok(());
    }
    let message = format!("“{name}” is named by {}", users.join(", "));
    Err(Error::Conflict { reason: "in_use", message })
}

fn placed(error: Error, object: &Object) -> Error {
    match error {
        Error::Invalid { field, message } => {
            Error::Invalid { field: place(object.class, &object.name, &field), message }
        }
        error => error,
    }
}
