//! What one run counts.

use std::collections::BTreeMap;

use chancery_store::table::task::Counts;

/// What one run counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) inventory: u64,
    pub(crate) watched: u64,
    pub(crate) evaluated: u64,
    pub(crate) fired: u64,
    pub(crate) repaired: u64,
    skipped: BTreeMap<&'static str, u64>,
    /// What was found besides, for people.
    pub(crate) findings: Vec<String>,
}

impl Tally {
    /// Counts an object that is not reported.
    pub(crate) fn skip(&mut self, reason: &'static str) {
        *self.skipped.entry(reason).or_default() += 1;
    }

    /// How many were not reported.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped.values().sum()
    }

    /// The reasons with their counts, as events spell them.
    pub(crate) fn reasons(&self) -> Vec<String> {
        self.skipped.iter().map(|(reason, count)| format!("{reason}: {count}")).collect()
    }

    /// The counts as they are stored.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            inventory: self.inventory,
            watched: self.watched,
            evaluated: self.evaluated,
            fired: self.fired,
            reasons: serde_json::to_string(&self.skipped).unwrap_or_else(|_| "{}".to_owned()),
            repaired: self.repaired,
        }
    }
}
