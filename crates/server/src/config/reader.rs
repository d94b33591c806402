//! Collects values from the sources, hands them to the sections typed, and keeps the problems.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::Flag;
use super::effective::Effective;
use super::file;
use super::problem::Problem;
use super::raw::{Raw, Value};
use super::secret::Secret;
use super::setting::{self, Setting};
use super::source::Source;

/// Variables of this prefix that are no settings: they belong to the command line and to tests.
const OTHER_VARIABLES: [&str; 5] =
    ["CHANCERY_CONFIG", "CHANCERY_URL", "CHANCERY_TOKEN", "CHANCERY_MIGRATE_TO", "CHANCERY_FULL"];

/// The sources on the way in, the problems on the way out.
pub struct Reader {
    values: BTreeMap<&'static str, (Raw, Source)>,
    shown: BTreeMap<&'static str, (Option<String>, Source)>,
    problems: Vec<Problem>,
    /// Whether the file could not be read: what it may say is not known.
    pub is_file_lost: bool,
    /// `serve --demo`.
    pub demo: bool,
}

impl Reader {
    pub fn new(demo: bool) -> Self {
        let (values, shown) = (BTreeMap::new(), BTreeMap::new());
        Self { values, shown, problems: Vec::new(), is_file_lost: false, demo }
    }

    pub fn take_file(&mut self, path: &Path) {
        match file::read(path) {
            Ok(entries) => {
                for entry in entries {
                    self.take(&entry.key, entry.raw, entry.source);
                }
            }
            Err(problems) => {
                self.is_file_lost = true;
                self.problems.extend(problems);
            }
        }
    }

    /// An empty variable counts as absent: that is how composed environments leave one out.
    pub fn take_variables(&mut self, variables: &[(String, String)]) {
        for (name, value) in variables {
            let is_ours = name.starts_with("CHANCERY_") && !is_service_link(name);
            if !is_ours || value.is_empty() || OTHER_VARIABLES.contains(&name.as_str()) {
                continue;
            }
            let source = Source::Variable(name.clone());
            match setting::all().find(|setting| setting.variable() == *name) {
                Some(setting) => self.put(setting, Raw::Text(value.clone()), source),
                None => {
                    let hint = nearest_variable(name);
                    let hint = hint.map(|name| format!("; did you mean {name}?"));
                    let message = format!("no such setting{}", hint.unwrap_or_default());
                    self.report(Problem { place: source.to_string(), message });
                }
            }
        }
    }

    pub fn take_flags(&mut self, flags: &[Flag]) {
        for flag in flags {
            let source = Source::Flag(flag.name.clone());
            if let Some(secret) = setting::find(&flag.key).filter(|setting| setting.is_secret) {
                let message = format!(
                    "{} is a secret, and every user of the machine can read a command line: use \
                     the variable {} or {}_file",
                    secret.key,
                    secret.variable(),
                    secret.key
                );
                self.report(Problem { place: source.to_string(), message });
                continue;
            }
            self.take(&flag.key, Raw::Text(flag.value.clone()), source);
        }
    }

    fn take(&mut self, key: &str, raw: Raw, source: Source) {
        if let Some(setting) = setting::find(key) {
            return self.put(setting, raw, source);
        }
        let section = format!("{key}.");
        let mut inside = setting::all().filter(|setting| setting.key.starts_with(&section));
        if let Some(example) = inside.next() {
            if raw == Raw::Other("{}".into()) {
                return;
            }
            let message = format!("{key} is a section, not a setting; it holds {}", example.key);
            return self.report(Problem { place: source.to_string(), message });
        }
        let hint = match (setting::nearest(key), setting::nearest_section(key)) {
            (Some(near), _) => format!("did you mean {near}?"),
            (None, Some((section, example))) => {
                format!("did you mean one of {section}, such as {example}?")
            }
            (None, None) => "docs/CONFIGURATION.md lists all".to_owned(),
        };
        let message = format!("no such setting: {key}; {hint}");
        self.report(Problem { place: source.to_string(), message });
    }

    /// Sources are taken in rising precedence, so a later value replaces an earlier one.
    fn put(&mut self, setting: &'static Setting, raw: Raw, source: Source) {
        self.values.insert(setting.key, (raw, source));
    }

    /// A setting with a default.
    pub fn value<T: Value>(&mut self, key: &'static str, default: T) -> T {
        let found = self.parsed(key, T::read);
        self.settle(key, found, default, T::shown)
    }

    /// A setting that may be absent.
    pub fn optional<T: Value>(&mut self, key: &'static str) -> Option<T> {
        let found = self.parsed(key, T::read);
        let shown = found.as_ref().map(|(value, _)| value.shown());
        let source = found.as_ref().map_or(Source::Default, |(_, source)| source.clone());
        self.shown.insert(key, (shown, source));
        found.map(|(value, _)| value)
    }

    /// A whole number within limits.
    pub fn number(&mut self, key: &'static str, default: u64, range: RangeInclusive<u64>) -> u64 {
        let found = self.parsed(key, |raw, _| within(raw.number(), &range));
        self.settle(key, found, default, u64::to_string)
    }

    /// A size in bytes within limits.
    pub fn bytes(&mut self, key: &'static str, default: u64, range: RangeInclusive<u64>) -> u64 {
        let found = self.parsed(key, |raw, _| within(raw.bytes(), &range));
        self.settle(key, found, default, u64::to_string)
    }

    /// A secret that stands in `key`, or in the file that `file_key` names. The source of the
    /// higher precedence wins; both from the same one contradict each other.
    pub fn secret(&mut self, key: &'static str, file_key: &'static str) -> Option<Secret> {
        let inline =
            self.parsed(key, String::read).map(|(text, source)| (Secret::new(text), source));
        let file: Option<(PathBuf, Source)> = self.parsed(file_key, PathBuf::read);
        let source = |source: Option<&Source>| source.cloned().unwrap_or(Source::Default);
        let inline_source = source(inline.as_ref().map(|(_, source)| source));
        let file_source = source(file.as_ref().map(|(_, source)| source));
        let mark = inline.as_ref().map(|_| "(set)".to_owned());
        self.shown.insert(key, (mark, inline_source.clone()));
        let path = file.as_ref().map(|(path, _)| path.shown());
        self.shown.insert(file_key, (path, file_source.clone()));
        if inline.is_some() && inline_source.rank() == file_source.rank() {
            let message = format!("{key} and {file_key} are both set: keep one");
            self.report(Problem { place: inline_source.to_string(), message });
            return None;
        }
        match file {
            Some((path, source)) if file_source.rank() > inline_source.rank() => {
                self.secret_file(file_key, &path, &source)
            }
            _ => inline.map(|(secret, _)| secret),
        }
    }

    /// The first line end is taken off: editors put it there.
    fn secret_file(&mut self, key: &str, path: &Path, source: &Source) -> Option<Secret> {
        let reason = match std::fs::read_to_string(path) {
            Ok(text) => {
                let secret = Secret::new(text.trim_end_matches(['\n', '\r']));
                if !secret.expose().is_empty() {
                    return Some(secret);
                }
                "it is empty".to_owned()
            }
            Err(error) => error.to_string(),
        };
        let message = format!("{key} = {path:?}: cannot read a secret there: {reason}");
        self.report(Problem { place: source.to_string(), message });
        None
    }

    /// Keeps a problem for the end.
    pub fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Keeps a problem about the value of one setting.
    pub fn refuse(&mut self, key: &'static str, reason: &str) {
        if let Some((raw, source)) = self.values.get(key).cloned() {
            self.complain(key, &raw, &source, reason);
        }
    }

    /// The source of a setting that somebody gave.
    pub fn source(&self, key: &str) -> Option<Source> {
        self.values.get(key).map(|(_, source)| source.clone())
    }

    /// Every setting that was read, in the order of the documentation.
    pub fn effective(&self) -> Vec<Effective> {
        let shown = |setting: &'static Setting| {
            let (value, source) = self.shown.get(setting.key)?.clone();
            Some(Effective { key: setting.key, value, source })
        };
        setting::all().filter_map(shown).collect()
    }

    pub fn finish(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.problems)
    }

    fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&Raw, &Source) -> Result<T, String>,
    ) -> Option<(T, Source)> {
        let (raw, source) = self.values.get(key)?.clone();
        match parse(&raw, &source) {
            Ok(value) => Some((value, source)),
            Err(reason) => {
                self.complain(key, &raw, &source, &reason);
                None
            }
        }
    }

    fn settle<T>(
        &mut self,
        key: &'static str,
        found: Option<(T, Source)>,
        default: T,
        shown: impl FnOnce(&T) -> String,
    ) -> T {
        let (value, source) = found.unwrap_or((default, Source::Default));
        self.shown.insert(key, (Some(shown(&value)), source));
        value
    }

    fn complain(&mut self, key: &'static str, raw: &Raw, source: &Source, reason: &str) {
        let setting = setting::find(key);
        // The address of a database may hold a password.
        let is_hidden = setting.is_some_and(|setting| setting.is_secret)
            || key == "database" && raw.text().is_some_and(|text| text.contains("://"));
        let given = if is_hidden { "(hidden)".to_owned() } else { raw.to_string() };
        let expected = setting.map_or("", |setting| setting.expected);
        // Most settings say their range in what they expect.
        let is_said = reason.is_empty() || expected.contains(reason);
        let reason = if is_said { String::new() } else { format!(" ({reason})") };
        let message = format!("{key} = {given}: expected {expected}{reason}");
        self.problems.push(Problem { place: source.to_string(), message });
    }
}

fn within(number: Option<u64>, range: &RangeInclusive<u64>) -> Result<u64, String> {
    let number = number.ok_or_else(String::new)?;
    if range.contains(&number) {
        return Ok(number);
    }
    Err(format!("between {} and {}", range.start(), range.end()))
}

/// Container platforms put the address of a service named `chancery` into such variables.
fn is_service_link(name: &str) -> bool {
    let numbered = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    name.contains("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT")
        || name.split_once("_PORT_").is_some_and(|(_, rest)| numbered(rest))
}

fn nearest_variable(name: &str) -> Option<String> {
    let near = |setting: &'static Setting| {
        let variable = setting.variable();
        (setting::edits(name, &variable), variable)
    };
    setting::all().map(near).min().filter(|(distance, _)| *distance <= 4).map(|(_, name)| name)
}
