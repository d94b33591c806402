//! What is refused when automation is saved: what can never work.
//!
//! Every class checks its own bodies; references are checked over the whole configuration, so that
//! nothing that is referred to can go. An error's field is `class/name#pointer`, a JSON pointer
//! (RFC 6901) into the body.

use chancery_store::Link;

use super::{Book, Class, Object};
use crate::Error;

/// The place of a fault: an object, and a JSON pointer into its body.
pub(crate) fn place(class: Class, name: &str, pointer: &str) -> String {
    format!("{class}/{name}#{pointer}")
}

/// Refuses a configuration that cannot work as a whole. Objects of `before` that are the same in
/// `after` are known to be right in themselves.
pub(super) async fn book(link: &mut Link, before: &Book, after: &Book) -> Result<(), Error> {
    for object in after.objects.values() {
        let old = before.find(object.class, &object.name);
        if old.is_some_and(|old| old.body == object.body) {
            continue;
        }
        body(link, object).await.map_err(|error| placed(error, object))?;
    }
    Ok(())
}

/// Checks the body of one object by itself; the field of an error is a JSON pointer into it.
async fn body(link: &mut Link, object: &Object) -> Result<(), Error> {
    match object.class {
        Class::Rule | Class::Action | Class::Trigger | Class::Scope => Ok(()),
        Class::Monitor => crate::monitor::check(link, object).await,
        Class::Schedule => crate::schedule::Definition::read(&object.body).map(|_| ()),
    }
}

fn placed(error: Error, object: &Object) -> Error {
    match error {
        Error::Invalid { field, message } => {
            Error::Invalid { field: place(object.class, &object.name, &field), message }
        }
        error => error,
    }
}
