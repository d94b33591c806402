//! The whole configuration as a file: written out, read, compared with what counts. `apply` is what
//! somebody does with one.
//!
//! A file is TOML: `[rule.weak-keys]` with the members of its body, and `enabled = false` where it
//! does not count. Names are references, so that a file can be applied to another installation.

use chancery_event::Timestamp;
use serde_json::{Map, Value};

use super::{Book, Class, Edit, Object, check, check_name};
use crate::Error;

/// Largest file, in bytes.
pub const FILE_MAX: usize = 1_048_576;

/// What a change does to one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It is new.
    Create,
    /// It says something else.
    Update,
    /// It goes.
    Delete,
}

impl Doing {
    /// The one spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// One line of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// What happens.
    pub doing: Doing,
    /// The change.
    pub edit: Edit,
    /// Members of the body that differ.
    pub members: Vec<String>,
}

/// Writes a configuration as a file.
///
/// # Errors
/// A body holds what TOML cannot say.
pub fn write(book: &Book) -> Result<String, Error> {
    let mut text = String::from("# Automation of Chancery, see docs/AUTOMATION.md\n");
    for object in book.objects.values() {
        let mut body = object.body.as_object().cloned().unwrap_or_default();
        body.retain(|_, value| !value.is_null());
        if !object.enabled {
            body.insert("enabled".to_owned(), false.into());
        }
        let body = toml::to_string(&body).map_err(|error| {
            Error::Internal(format!("{} {}: {error}", object.class, object.name))
        })?;
        text.push_str(&format!("\n[{}.{}]\n", object.class, quoted(&object.name)));
        // Tables within a body are written behind their header's name.
        let head = format!("{}.{}", object.class, quoted(&object.name));
        for line in body.lines() {
            match line.strip_prefix("[[").or_else(|| line.strip_prefix('[')) {
                Some(rest) if line.starts_with("[[") => {
                    text.push_str(&format!("[[{head}.{rest}\n"))
                }
                Some(rest) if line.ends_with(']') => text.push_str(&format!("[{head}.{rest}\n")),
                _ => text.push_str(&format!("{line}\n")),
            }
        }
    }
    Ok(text)
}

fn quoted(name: &str) -> String {
    if name.contains('.') { format!("\"{name}\"") } else { name.to_owned() }
}

/// Reads a file: every object in it as the edit that makes it so.
///
/// # Errors
/// It is no TOML, or has something in it that is no object of automation.
pub fn read(text: &str) -> Result<Vec<Edit>, Error> {
    if text.len() > FILE_MAX {
        return Err(Error::invalid("file", format!("at most {FILE_MAX} bytes")));
    }
    let classes: Map<String, Value> =
        toml::from_str(text).map_err(|error| Error::invalid("file", told(text, &error)))?;
    let mut edits = Vec::new();
    for (word, objects) in classes {
        let Some(class) = Class::parse(&word) else {
            let known: Vec<_> = Class::ALL.iter().map(|class| class.as_str()).collect();
            let message = format!("there is no class “{word}”; there are: {}", known.join(", "));
            return Err(Error::invalid("file", message));
        };
        let Value::Object(objects) = objects else {
            return Err(Error::invalid("file", format!("[{class}.NAME] is expected, a table")));
        };
        for (name, body) in objects {
            let place = check::place(class, &name, "");
            check_name(&place, &name)?;
            let Value::Object(mut body) = body else {
                return Err(Error::invalid(place, "a table is expected"));
            };
            let enabled = match body.remove("enabled") {
                None => true,
                Some(Value::Bool(enabled)) => enabled,
                Some(_) => {
                    let place = check::place(class, &name, "/enabled");
                    return Err(Error::invalid(place, "expected true or false"));
                }
            };
            edits.push(Edit { class, name, body: Some(Value::Object(body)), enabled });
        }
    }
    Ok(edits)
}

/// Reads steps of an action as a file has them: `[[steps]]` for each.
///
/// # Errors
/// It is no TOML, or has something outside of steps; the field is `/steps`.
pub fn read_steps(text: &str) -> Result<Value, Error> {
    let mut read: Map<String, Value> =
        toml::from_str(text).map_err(|error| Error::invalid("/steps", told(text, &error)))?;
    let steps = read.remove("steps").unwrap_or_else(|| Value::Array(Vec::new()));
    match read.keys().next() {
        None => Ok(steps),
        Some(other) => {
            let message = format!("“{other}” stands outside of a step; begin one with [[steps]]");
            Err(Error::invalid("/steps", message))
        }
    }
}

/// Whether a text that is no TOML is what people write elsewhere: `rule:` on a line of its own.
fn is_yaml(text: &str) -> bool {
    let lines = text.lines().map(str::trim_end).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let mut lines = lines.skip_while(|line| *line == "---");
    let class = lines.next().and_then(|line| line.strip_suffix(':'));
    text.starts_with("---\n") || class.is_some_and(|word| Class::parse(word).is_some())
}

/// What is wrong with a text, in one line that names the place.
fn told(text: &str, error: &toml::de::Error) -> String {
    if is_yaml(text) {
        return "this is YAML; files of automation are TOML ([rule.NAME] and so on): \
                `chancery config export` writes one"
            .to_owned();
    }
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return error.message().to_owned();
    };
    format!("line {}: {}", before.matches('\n').count() + 1, error.message())
}

/// What has to be done so that a configuration is as a file says. With `prune`, what the file does
/// not have goes.
pub fn plan(book: &Book, wanted: Vec<Edit>, prune: bool) -> Vec<Planned> {
    let mut planned = Vec::new();
    if prune {
        for object in book.objects.values() {
            let named = |edit: &Edit| edit.class == object.class && edit.name == object.name;
            if !wanted.iter().any(named) {
                let (class, name) = (object.class, object.name.clone());
                let edit = Edit { class, name, body: None, enabled: false };
                planned.push(Planned { doing: Doing::Delete, edit, members: Vec::new() });
            }
        }
    }
    for edit in wanted {
        let doing = match book.find(edit.class, &edit.name) {
            None => Doing::Create,
            Some(_) => Doing::Update,
        };
        let members = differing(book.find(edit.class, &edit.name), &edit);
        if doing == Doing::Create || !members.is_empty() {
            planned.push(Planned { doing, edit, members });
        }
    }
    planned
}

fn differing(old: Option<&Object>, edit: &Edit) -> Vec<String> {
    let empty = Map::new();
    let old_body = old.and_then(|old| old.body.as_object()).unwrap_or(&empty);
    let new_body = edit.body.as_ref().and_then(Value::as_object).unwrap_or(&empty);
    let mut members: Vec<String> = old_body
        .keys()
        .chain(new_body.keys())
        .filter(|name| old_body.get(*name) != new_body.get(*name))
        .cloned()
        .collect();
    members.sort();
    members.dedup();
    if old.is_some_and(|old| old.enabled != edit.enabled) {
        members.push("enabled".to_owned());
    }
    members
}

/// A configuration with changes that are not saved.
///
/// # Errors
/// Something to be deleted is not there.
pub(crate) fn proposed(book: &Book, edits: &[Edit], now: Timestamp) -> Result<Book, Error> {
    let mut proposed = book.clone();
    for edit in edits {
        check_name(&check::place(edit.class, &edit.name, "/name"), &edit.name)?;
        let key = (edit.class, edit.name.clone());
        let old = proposed.objects.remove(&key);
        match &edit.body {
            None if old.is_none() => {
                return Err(Error::not_found(edit.class.as_str(), &edit.name));
            }
            None => {}
            Some(body) => {
                let object = Object {
                    class: edit.class,
                    name: edit.name.clone(),
                    version: old.as_ref().map_or(0, |old| old.version) + 1,
                    revision: book.revision,
                    enabled: edit.enabled,
                    body: body.clone(),
                    changed_at: now,
                    changed_by: None,
                };
                proposed.objects.insert(key, object);
            }
        }
    }
    Ok(proposed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_written_out_says_the_same_when_it_is_read() {
        let text = "[rule.weak-keys]\nfilter = \"object.key_size<2048\"\n\
            [action.\"web.place\"]\nenabled = false\n[[action.\"web.place\".steps]]\n\
            step = \"set_owner\"\nowner = { from = \"object.attribute.team\" }\n\
            [[action.\"web.place\".steps]]\nstep = \"set_groups\"\ngroups = [\"a\", \"b\"]\n\
            [trigger.t]\nevent_types = [\"certificate.uploaded\"]\nactions = [\"web.place\"]\n\
            [trigger.t.scope]\nkind = \"platform\"\n";
        let wanted = read(text).unwrap();
        let book = proposed(&Book::default(), &wanted, Timestamp::from_micros(0)).unwrap();
        let again = read(&write(&book).unwrap()).unwrap();
        assert!(plan(&book, again.clone(), true).is_empty(), "{}", write(&book).unwrap());
        assert_eq!(again.len(), 3);
        let left = again.into_iter().filter(|edit| edit.class != Class::Rule).collect::<Vec<_>>();
        let plan = plan(&book, left, true);
        assert_eq!(plan.iter().map(|p| p.doing).collect::<Vec<_>>(), [Doing::Delete]);
        for wrong in
            ["x", "[nothing.a]", "rule = 1", "[rule]\na = 1", "[rule.A]\n", "[rule.a]\nenabled = 1"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let told = |text| read(text).unwrap_err().to_string();
        assert!(told("# Ours\nrule:\n  a:\n    filter: x\n").contains("YAML"));
        assert!(told("---\nmonitor: {}\n").contains("YAML"));
        assert!(!told("rule:").contains("line 1") && told("[rule").contains("line 1"));
    }
}
