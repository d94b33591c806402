//! What a change of the configuration makes different on recorded history, and what of the change
//! history says nothing about.

use serde::{Deserialize, Serialize};

use super::configuration::Configuration;
use super::evaluate::{Evaluation, Verdict};
use super::happening::Happening;
use super::step::Effect;
use super::trial::{Sample, sample};
use crate::automation::{Book, Class};

/// A trigger that does something else about an event with the change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// With the change.
    pub after: Option<Sample>,
    /// With what is saved.
    pub before: Option<Sample>,
    /// Where both come to the same verdict: steps that follow with the change alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps_after: Vec<String>,
    /// Where both come to the same verdict: steps that follow with what is saved alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps_before: Vec<String>,
}

impl Difference {
    /// What is different between two evaluations of one trigger; `None`: nothing that is done.
    pub(super) fn of(
        before: Option<&Evaluation>,
        after: Option<&Evaluation>,
        happening: &Happening<'_>,
    ) -> Option<Self> {
        let (old, new) = (acts(before), acts(after));
        if old == new {
            return None;
        }
        let (steps_before, steps_after) = match (old, new) {
            (Some((one, old)), Some((other, new))) if one == other => apart(&old, &new),
            _ => (Vec::new(), Vec::new()),
        };
        let told = |one: &Evaluation| sample(one, happening);
        Some(Self { after: after.map(told), before: before.map(told), steps_after, steps_before })
    }
}

/// What a trigger does about an event: nothing, or its verdict with its effects.
fn acts(evaluation: Option<&Evaluation>) -> Option<(Verdict, Vec<&Effect>)> {
    let held = evaluation.filter(|one| one.verdict.held())?;
    Some((held.verdict, held.planned.iter().map(|planned| &planned.effect).collect()))
}

/// Steps that only one of two lists has. Where they are the same in another order: all of them.
fn apart(old: &[&Effect], new: &[&Effect]) -> (Vec<String>, Vec<String>) {
    let (mut gone, mut made) = (Vec::new(), new.to_vec());
    for effect in old {
        match made.iter().position(|other| other == effect) {
            Some(place) => {
                made.remove(place);
            }
            None => gone.push(*effect),
        }
    }
    if gone.is_empty() && made.is_empty() {
        let all = |list: &[&Effect]| list.iter().map(|effect| effect.told()).collect();
        return (all(old), all(new));
    }
    let told = |list: &[&Effect], others: &[&Effect]| {
        list.iter().map(|effect| distinct(effect, others)).collect()
    };
    (told(&gone, &made), told(&made, &gone))
}

/// An effect in one line that tells it from those of the other side. What a message says may be
/// about people, and is left out.
fn distinct(effect: &Effect, others: &[&Effect]) -> String {
    let line = effect.told();
    let Some(other) = others.iter().find(|other| other.told() == line) else { return line };
    let part = match (effect, other) {
        (Effect::Raise { message, .. }, Effect::Raise { message: other, .. })
        | (Effect::Notify { message, .. }, Effect::Notify { message: other, .. })
        | (Effect::Tell { message, .. }, Effect::Tell { message: other, .. })
            if message != other =>
        {
            "another message"
        }
        (Effect::Raise { kind, .. }, Effect::Raise { kind: other, .. }) if kind != other => {
            "another kind of alert"
        }
        (Effect::Raise { .. }, Effect::Raise { .. }) => "another key",
        _ => "a value of another kind",
    };
    format!("{line}, with {part}")
}

/// A changed object that was not compared on history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotCompared {
    /// Its class.
    pub class: String,
    /// Its name.
    pub name: String,
    /// Why not, as a clause.
    pub why: String,
}

/// What is different between two books and was not compared, because it does nothing about events
/// or because none of the triggers that were `asked` uses it.
pub(super) fn not_compared(
    saved: &Book,
    with: &Book,
    asked: &[&Configuration],
) -> Vec<NotCompared> {
    let keys = saved.objects.keys().chain(with.objects.keys().filter(|key| {
        // Those that both have are in the first list.
        !saved.objects.contains_key(*key)
    }));
    let mut found = Vec::new();
    for key in keys {
        let (old, new) = (saved.objects.get(key), with.objects.get(key));
        if old.map(|one| (&one.body, one.enabled)) == new.map(|one| (&one.body, one.enabled)) {
            continue;
        }
        let (class, name) = (key.0, &key.1);
        let counts = old.is_some_and(|one| one.enabled) || new.is_some_and(|one| one.enabled);
        let is_asked = asked.iter().any(|configuration| configuration.asks(class, name));
        if let Some(why) = why(class, counts, is_asked) {
            let (class, name) = (class.as_str().to_owned(), name.clone());
            found.push(NotCompared { class, name, why: why.to_owned() });
        }
    }
    found.sort_by(|one, other| (&one.class, &one.name).cmp(&(&other.class, &other.name)));
    found
}

fn why(class: Class, counts: bool, is_asked: bool) -> Option<&'static str> {
    match class {
        Class::Monitor => Some("monitors run by the clock, not on events"),
        Class::Schedule => Some("schedules run by the clock, not on events"),
        Class::Profile => Some("profiles decide about notices, not about events"),
        Class::Template => Some("templates say how notices read"),
        Class::Trigger | Class::Scope if !counts => Some("it is off"),
        Class::Trigger if !is_asked => Some("another trigger alone was asked"),
        Class::Rule | Class::Action if !is_asked => Some("no trigger that was asked uses it"),
        Class::Trigger | Class::Scope | Class::Rule | Class::Action => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raise(title: &str, message: &str, key: &str) -> Effect {
        let text = str::to_owned;
        Effect::Raise {
            key: text(key),
            kind: text("k"),
            severity: chancery_event::Severity::Warning,
            title: text(title),
            message: text(message),
        }
    }

    #[test]
    fn steps_are_told_apart_also_where_their_lines_are_the_same() {
        let (one, other) = (Effect::AddGroup("a".into()), Effect::AddGroup("b".into()));
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(apart(&[&one], &[&one, &other]), (vec![], texts(&["adds the group “b”"])));
        let (first, second) = ("adds the group “a”", "adds the group “b”");
        let turned = apart(&[&one, &other], &[&other, &one]);
        assert_eq!(turned, (texts(&[first, second]), texts(&[second, first])));
        assert_eq!(apart(&[&one, &one], &[&one]), (texts(&[first]), vec![]));
        let line = "raises an alert (warning): t, with another message";
        let written = apart(&[&raise("t", "Ada", "k")], &[&raise("t", "Bob", "k")]);
        assert_eq!(written, (texts(&[line]), texts(&[line])));
        let keyed = apart(&[&raise("t", "m", "k:1")], &[&raise("t", "m", "k:2")]);
        assert!(keyed.0[0].ends_with("with another key"), "{keyed:?}");
    }
}
