//! The one function: what the configuration makes of a happening.
//!
//! Pure. Live dispatch, the upload stages, dry run, back-test and forecast call it, and only it.

use std::sync::Arc;
use std::time::Instant;

use chancery_event::filter::{Explanation, Nearness};

use super::configuration::{Configuration, Trigger};
use super::definition::{ScopeKind, ScopeRef};
use super::happening::Happening;
use super::step::{Effect, Step};

/// What came of asking a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// All its rules held; its actions follow.
    Matched,
    /// All its rules held, and it ignores: its scope stops here.
    Ignored,
    /// One single comparison did not hold.
    Nearly,
    /// More than one comparison did not hold.
    NotMatched,
    /// An ignoring trigger of its scope was first.
    NotReached,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Matched, Self::Ignored, Self::Nearly, Self::NotMatched, Self::NotReached];

    /// The one spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Ignored => "ignored",
            Self::Nearly => "nearly",
            Self::NotMatched => "not_matched",
            Self::NotReached => "not_reached",
        }
    }

    /// The verdict that `text` spells.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == text)
    }

    /// Whether the trigger's rules held.
    pub fn held(self) -> bool {
        matches!(self, Self::Matched | Self::Ignored)
    }
}

/// A step that is to follow.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Its action, with the version that counts.
    pub action: (String, i64),
    /// The step's word.
    pub word: &'static str,
    /// What it comes to.
    pub effect: Effect,
}

/// One trigger that was asked, and what came of it.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The trigger.
    pub trigger: Arc<Trigger>,
    /// The scope it was asked for.
    pub scope: ScopeRef,
    /// What came of it.
    pub verdict: Verdict,
    /// What its rules found, in their order: every comparison with what was expected and what was
    /// there. Empty if it was not reached.
    pub found: Vec<Explanation>,
    /// The steps that follow, in order.
    pub planned: Vec<Planned>,
    /// Time it took, in microseconds.
    pub took_us: u64,
}

/// How much is said of what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Every comparison, and the steps that follow.
    Everything,
    /// The verdict alone: for who counts verdicts on very many events.
    Verdict,
}

/// Asks every trigger that the happening concerns: scope by scope, in order.
pub fn evaluate(configuration: &Configuration, happening: &Happening<'_>) -> Vec<Evaluation> {
    evaluate_saying(configuration, happening, Said::Everything)
}

/// As [`evaluate`], which is the same with everything said.
pub(super) fn evaluate_saying(
    configuration: &Configuration,
    happening: &Happening<'_>,
    said: Said,
) -> Vec<Evaluation> {
    if !configuration.concerns(happening.event_type) {
        return Vec::new();
    }
    let mut evaluations = Vec::new();
    for (kind, name) in happening.scopes() {
        let before = evaluations.len();
        scope(configuration, happening, said, (kind, &name), &mut evaluations);
        if evaluations.len() > before && configuration.replaces(kind, &name) {
            break;
        }
    }
    evaluations
}

fn scope(
    configuration: &Configuration,
    happening: &Happening<'_>,
    said: Said,
    (kind, name): (ScopeKind, &str),
    evaluations: &mut Vec<Evaluation>,
) {
    let mut stopped = false;
    let bound = |trigger: &&Arc<Trigger>| trigger.body.scope.is(kind, name);
    let mut started = Instant::now();
    for trigger in configuration.on(happening.event_type).filter(bound) {
        let (verdict, found) = match stopped {
            true => (Verdict::NotReached, Vec::new()),
            false => judge(trigger, happening, said),
        };
        stopped |= verdict == Verdict::Ignored;
        let planned = match verdict.held() && said == Said::Everything {
            true => plan(trigger, happening),
            false => Vec::new(),
        };
        let ended = Instant::now();
        let took = ended.duration_since(started);
        started = ended;
        evaluations.push(Evaluation {
            trigger: trigger.clone(),
            scope: ScopeRef { kind, name: name.to_owned() },
            verdict,
            found,
            planned,
            took_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        });
    }
}

/// The verdict of a trigger that is reached, and what its rules found as far as it is to be said.
fn judge(trigger: &Trigger, happening: &Happening<'_>, said: Said) -> (Verdict, Vec<Explanation>) {
    let scene = happening.scene(&trigger.schema);
    let now = happening.now.micros();
    let rules = trigger.rules.iter();
    match said {
        Said::Everything => {
            let found: Vec<_> = rules.map(|rule| rule.filter.explain(&scene, now)).collect();
            (verdict(trigger, found.iter().map(Explanation::nearness)), found)
        }
        Said::Verdict => {
            (verdict(trigger, rules.map(|rule| rule.filter.nearness(&scene, now))), Vec::new())
        }
    }
}

/// The verdict of a trigger whose rules are so near.
fn verdict(trigger: &Trigger, near: impl Iterator<Item = Nearness>) -> Verdict {
    let mut missed = near.filter(|near| *near != Nearness::Holds);
    match (missed.next(), missed.next()) {
        (None, _) if trigger.body.ignore => Verdict::Ignored,
        (None, _) => Verdict::Matched,
        (Some(Nearness::Nearly), None) => Verdict::Nearly,
        _ => Verdict::NotMatched,
    }
}

fn plan(trigger: &Trigger, happening: &Happening<'_>) -> Vec<Planned> {
    let mut planned = Vec::new();
    for action in &trigger.actions {
        planned.extend(action.steps.iter().map(|step: &Step| Planned {
            action: (action.name.clone(), action.version),
            word: step.word(),
            effect: step.plan(happening, &trigger.schema),
        }));
    }
    planned
}

#[cfg(test)]
mod tests;
