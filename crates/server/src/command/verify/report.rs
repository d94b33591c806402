//! What a verification tells.

use std::ops::Range;
use std::time::Duration;

use chancery_seal::Checkpoint;
use serde_json::{Value, json};

use super::source::Finding;
use super::trust::Key;
use crate::command::text::{counted, number};

/// What is wrong, and where.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    /// The first faulty entry, where that can be said.
    pub(crate) index: Option<u64>,
    /// The entries that the fault lies in, where it is not one.
    pub(crate) entries: Option<Range<u64>>,
    /// What it is.
    pub(crate) what: String,
    /// Other faults that were seen.
    pub(crate) others: u64,
}

impl Fault {
    /// A fault of the log's bytes.
    pub(crate) fn of_log(fault: &chancery_seal::Fault) -> Self {
        let what = format!("{:#}", anyhow::Error::new(fault.kind.clone()));
        let entries = Some(fault.entries.clone()).filter(|entries| !entries.is_empty());
        Self { index: fault.index, entries, what, others: 0 }
    }

    /// The first of what is wrong with a log: a fault of its bytes, which ends the walk through
    /// them, and what was found beside the bytes until then.
    pub(super) fn first(of_log: Option<Self>, findings: &[Finding]) -> Option<Self> {
        let found = findings.first();
        let of_log = match (of_log, found) {
            (Some(fault), Some(found)) if fault.begins() > Some(found.index) => Some(fault),
            (Some(fault), _) => {
                let same = findings.iter().filter(|found| Some(found.index) == fault.index);
                let others = findings.len() as u64 - same.count() as u64;
                return Some(Self { others, ..fault });
            }
            (None, _) => None,
        };
        found.map(|found| Self {
            index: Some(found.index),
            entries: None,
            what: found.what.clone(),
            others: findings.len() as u64 - 1 + u64::from(of_log.is_some()),
        })
    }

    /// The first entry that it is about; `None`: it is about all.
    fn begins(&self) -> Option<u64> {
        self.index.or(self.entries.as_ref().map(|entries| entries.start))
    }

    /// A fault of something else.
    pub(crate) fn new(index: Option<u64>, error: impl Into<anyhow::Error>) -> Self {
        Self { index, entries: None, what: format!("{:#}", error.into()), others: 0 }
    }

    fn place(&self) -> String {
        match (self.index, &self.entries) {
            (Some(index), _) => format!("at entry {index}"),
            (None, Some(entries)) => {
                format!("within the entries {} to {}", entries.start, entries.end - 1)
            }
            (None, None) => "as a whole".to_owned(),
        }
    }
}

/// What was verified, and how it went.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// What was looked at: a directory, an address, a file.
    pub(crate) source: String,
    /// Name of the log.
    pub(crate) origin: String,
    /// The verifier key believed.
    pub(crate) key: String,
    /// Where it came from.
    pub(crate) key_source: &'static str,
    /// Entries that the checkpoint covers.
    pub(crate) size: Option<u64>,
    /// Root of the tree, base64.
    pub(crate) root: Option<String>,
    /// The part that was asked for.
    pub(crate) range: Option<Range<u64>>,
    /// Entries that were hashed.
    pub(crate) entries: u64,
    /// Entries whose personal part is not there; `None`: not looked at.
    pub(crate) erased: Option<u64>,
    /// What the reader must know beside the result.
    pub(crate) warnings: Vec<String>,
    /// What is wrong; `None`: everything holds.
    pub(crate) fault: Option<Fault>,
    /// How long it took.
    pub(crate) elapsed: Duration,
}

impl Report {
    /// A report on `source`, nothing in it yet.
    pub(crate) fn new(source: String, key: &Key) -> Self {
        Self {
            source,
            origin: key.trust.origin().to_owned(),
            key: key.verifiers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            key_source: key.source.as_str(),
            size: None,
            root: None,
            range: None,
            entries: 0,
            erased: None,
            warnings: key.source.warning().map(str::to_owned).into_iter().collect(),
            fault: None,
            elapsed: Duration::ZERO,
        }
    }

    /// Takes over what a checkpoint says.
    pub(crate) fn take_checkpoint(&mut self, checkpoint: &Checkpoint) {
        self.size = Some(checkpoint.size());
        self.root = Some(checkpoint.root().to_string());
    }

    fn rate(&self) -> u64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { (self.entries as f64 / seconds) as u64 } else { 0 }
    }

    /// The report as JSON.
    pub(crate) fn document(&self) -> Value {
        let range = |range: &Range<u64>| json!({ "from": range.start, "to": range.end - 1 });
        let fault = self.fault.as_ref().map(|fault| {
            json!({
                "index": fault.index,
                "entries": fault.entries.as_ref().map(range),
                "what": fault.what,
                "others": fault.others,
            })
        });
        json!({
            "verified": self.fault.is_none(),
            "source": self.source,
            "origin": self.origin,
            "key": self.key,
            "key_source": self.key_source,
            "size": self.size,
            "root": self.root,
            "range": self.range.as_ref().map(range),
            "entries": self.entries,
            "without_personal_part": self.erased,
            "seconds": self.elapsed.as_secs_f64(),
            "entries_per_second": self.rate(),
            "warnings": self.warnings,
            "fault": fault,
        })
    }

    /// The report for people.
    pub(crate) fn text(&self) -> String {
        let mut lines = Vec::new();
        match &self.fault {
            None => lines.push(format!("Verified: {} holds.", self.source)),
            Some(fault) => {
                lines.push(format!("FAULT {}: {}", fault.place(), fault.what));
                if fault.others > 0 {
                    lines.push(format!("and {} more", number(fault.others)));
                }
                lines.push(format!("{} does not hold.", self.source));
            }
        }
        let mut row = |name: &str, value: String| lines.push(format!("  {name:8}{value}"));
        row("log", self.origin.clone());
        if let Some(size) = self.size {
            row("size", number(size));
        }
        if let Some(root) = &self.root {
            row("root", root.clone());
        }
        row("key", self.key.clone());
        if let Some(range) = &self.range {
            row("range", format!("{} to {}", range.start, range.end - 1));
        }
        if self.fault.is_none() {
            let mut entries = counted(self.entries, "entry", "entries");
            if self.range.as_ref().is_some_and(|range| range.end - range.start < self.entries) {
                entries += ", those asked for and what shares their tiles";
            }
            if let Some(erased) = self.erased.filter(|erased| *erased > 0) {
                entries += &format!("; {} without their personal part", number(erased));
            }
            row("checked", entries);
            let seconds = self.elapsed.as_secs_f64();
            row("time", format!("{seconds:.2} s, {} entries/s", number(self.rate())));
        }
        lines.join("\n")
    }

    /// Prints the report on standard output, warnings on standard error. Fails if the former is
    /// closed or full.
    pub(crate) fn print(&self, json: bool) -> std::io::Result<()> {
        if json {
            return outln!("{:#}", self.document());
        }
        for warning in &self.warnings {
            errln!("warning: {warning}");
        }
        outln!("{}", self.text())
    }
}
