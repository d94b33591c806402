//! The classes of automation, and the names of their objects.

use std::fmt;

use chancery_event::{Target, TargetKind};

use crate::Error;

/// Longest name of an object, in characters.
pub const NAME_MAX: usize = 100;

/// A class of objects of automation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A named filter.
    Rule,
    /// How a notification reads.
    Template,
    /// Who is told, by which channels, how often.
    Profile,
    /// A named list of steps.
    Action,
    /// Event types and rules that lead to actions, or keep a certificate out.
    Trigger,
    /// How the triggers bound to one object go together with those of the platform.
    Scope,
    /// A scheduled check that turns state into events.
    Monitor,
    /// A time table of a job.
    Schedule,
}

impl Class {
    /// All classes; one that refers to another stands behind it.
    pub const ALL: [Self; 8] = [
        Self::Rule,
        Self::Template,
        Self::Profile,
        Self::Action,
        Self::Trigger,
        Self::Scope,
        Self::Monitor,
        Self::Schedule,
    ];

    /// The one spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Template => "notification_template",
            Self::Profile => "notification_profile",
            Self::Action => "action",
            Self::Trigger => "trigger",
            Self::Scope => "scope",
            Self::Monitor => "monitor",
            Self::Schedule => "schedule",
        }
    }

    /// The spelling for several, as in paths and files.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Rule => "rules",
            Self::Template => "notification_templates",
            Self::Profile => "notification_profiles",
            Self::Action => "actions",
            Self::Trigger => "triggers",
            Self::Scope => "scopes",
            Self::Monitor => "monitors",
            Self::Schedule => "schedules",
        }
    }

    /// The class that `text` spells, for one or for several.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == text || class.plural() == text)
    }

    /// An object of this class as the target of events.
    pub(crate) fn target(self, name: &str) -> Target {
        match self {
            Self::Trigger => Target::new(TargetKind::Trigger, name),
            Self::Monitor => Target::new(TargetKind::Monitor, name),
            Self::Schedule => Target::new(TargetKind::Schedule, name),
            _ => Target::new(TargetKind::Configuration, format!("{self}:{name}")),
        }
        .named(name)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Refuses what cannot be the name of an object: words of `a-z` and `0-9` joined by single `-` and
/// `.`, at most [`NAME_MAX`] characters.
///
/// # Errors
/// [`Error::Invalid`] for `field`.
pub fn check_name(field: &str, name: &str) -> Result<(), Error> {
    let words = |c: char| c == '-' || c == '.';
    let fits = name.split(words).all(|word| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    });
    if fits && name.len() <= NAME_MAX {
        return Ok(());
    }
    let message = format!(
        "a name has 1 to {NAME_MAX} characters: words of a-z and 0-9 joined by “-” or “.”, such as \
         weak-keys"
    );
    Err(Error::invalid(field, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_two_spellings_and_names_are_words() {
        for class in Class::ALL {
            assert_eq!(Class::parse(class.as_str()), Some(class));
            assert_eq!(Class::parse(class.plural()), Some(class));
        }
        for name in ["a", "weak-keys", "prod.web-1", "0"] {
            assert!(check_name("name", name).is_ok(), "{name}");
        }
        for name in ["", "A", "a--b", "-a", "a.", "a b", "ä", "a/b", &"x".repeat(101)] {
            assert!(check_name("name", name).is_err(), "{name}");
        }
    }
}
