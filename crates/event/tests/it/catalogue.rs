//! The catalogue against the codes of the systems it takes in, and against itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chancery_event::catalogue::{EventType, Kind, OutcomeClass, System};
use chancery_event::{Outcome, Severity};

use crate::{check_kept, crate_folder, updating};

/// Code → (outcomes, deprecated), as published by the makers of that system. Codes that end in `*` are patterns.
fn kept_codes(system: System) -> BTreeMap<String, (String, bool)> {
    let path = crate_folder().join(format!("tests/catalogue/{}.tsv", system.as_str()));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .skip(1)
        .map(|line| {
            let mut cells = line.split('\t');
            let mut next = || cells.next().unwrap().to_owned();
            (next(), (next(), next() == "deprecated"))
        })
        .collect()
}

#[test]
fn every_code_of_the_other_systems_has_its_type() {
    for (system, count) in [
        (System::Czertainly, 9),
        (System::Horizon, 115),
        (System::Akeyless, 33),
        (System::Okta, 15),
        (System::Qcecuring, 32),
    ] {
        let mut ours = BTreeMap::new();
        for event_type in EventType::ALL {
            for name in event_type.info().dialects.iter().filter(|name| name.system == system) {
                let known =
                    ours.insert(name.code.to_owned(), (name.outcomes.words(), name.deprecated));
                assert!(known.is_none(), "{} belongs to two types", name.code);
                assert_eq!(EventType::parse(name.code), Some(*event_type), "{}", name.code);
            }
        }
        let mut theirs = kept_codes(system);
        assert_eq!(theirs.len(), count, "{}", system.as_str());
        let patterns: Vec<_> = theirs.keys().filter(|code| code.ends_with('*')).cloned().collect();
        for pattern in patterns {
            let stem = pattern.trim_end_matches('*');
            let before = ours.len();
            ours.retain(|code, _| !code.starts_with(stem));
            assert!(ours.len() < before, "nothing matches {pattern}");
            theirs.remove(&pattern);
        }
        assert_eq!(ours, theirs, "{}", system.as_str());
    }
}

#[test]
fn names_follow_the_rule_and_are_unique() {
    let mut names = BTreeSet::new();
    for event_type in EventType::ALL {
        let info = event_type.info();
        assert!(names.insert(info.name), "{} is declared twice", info.name);
        let parts: Vec<_> = info.name.split('.').collect();
        let is_word = |part: &&str| {
            part.starts_with(|c: char| c.is_ascii_lowercase())
                && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        };
        assert!(parts.len() >= 2 && parts.iter().all(is_word), "{}", info.name);
        assert_eq!(EventType::parse(info.name), Some(*event_type));
        assert_eq!(format!("{event_type:?}"), variant(info.name));
        assert!(info.description.ends_with('.'), "{}: {}", info.name, info.description);
        assert!(info.severity_on_failure >= info.severity, "{}", info.name);
        assert_eq!(info.monitoring, info.kind == Kind::Monitoring, "{}", info.name);
    }
    assert_eq!(EventType::parse("certificate.devour"), None);
    assert_eq!(EventType::parse("CERTIFICATE.UPLOAD"), None);
}

fn variant(name: &str) -> String {
    let words = name.split(['.', '_']);
    words.map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

#[test]
fn a_deprecated_code_is_read_but_never_written() {
    let switch = EventType::parse("TEAM-SWITCH").unwrap();
    assert_eq!(switch, EventType::TeamSwitch);
    let written = switch.info().dialect(System::Horizon, OutcomeClass::Success).unwrap();
    assert_eq!(written.code, "SEC-TEAM-SWITCH");
    let issue = EventType::CertificateIssue.info();
    let code = |class| issue.dialect(System::Qcecuring, class).unwrap().code;
    assert_eq!(code(OutcomeClass::Success), "ISSUANCE_COMPLETED");
    assert_eq!(code(OutcomeClass::Failure), "ISSUANCE_FAILED");
    assert_eq!(issue.dialect(System::Horizon, OutcomeClass::Warning), None);
    let failed = Outcome::failure("denied", "no");
    assert_eq!(OutcomeClass::of(&failed, Severity::Info), OutcomeClass::Failure);
    assert_eq!(OutcomeClass::of(&Outcome::success(), Severity::Warning), OutcomeClass::Warning);
    assert_eq!(issue.severity_of(&failed), Severity::Error);
}

/// Types that no operation records yet. The list may only shrink: `max` is lowered with it.
#[test]
fn the_list_of_types_not_yet_recorded_only_shrinks() {
    let path = crate_folder().join("not-yet.txt");
    let mut names: Vec<_> = EventType::ALL
        .iter()
        .filter(|event_type| !event_type.info().produced)
        .map(|event_type| event_type.name())
        .collect();
    names.sort_unstable();
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let header = kept.lines().next().and_then(|line| line.strip_prefix("max: "));
    let max: usize = header.map_or(names.len(), |text| text.parse().unwrap());
    assert!(names.len() <= max, "{} types are not yet recorded; at most {max} may be", names.len());
    let header_now = if updating() { names.len() } else { max };
    check_kept(&path, &format!("max: {header_now}\n{}\n", names.join("\n")));
    assert_eq!(header_now, names.len(), "lower `max` in {}", Path::new("not-yet.txt").display());
}

/// The tests of the other crates, one text.
fn tests_elsewhere(folder: &Path, is_test: bool, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            tests_elsewhere(&path, is_test || name == "tests", text);
        } else if name.ends_with(".rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            let own = if is_test || name == "tests.rs" {
                Some(&*source)
            } else {
                source.split_once("#[cfg(test)]\nmod tests {").map(|(_, tests)| tests)
            };
            text.push_str(own.unwrap_or_default());
        }
    }
}

/// Whether a name stands in a text as a whole.
fn names(text: &str, name: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        !before.ends_with(|c: char| part(c) || c == '.') && !after.starts_with(part)
    })
}

/// A type that nothing outside the catalogue looks for may have stopped being recorded unnoticed.
#[test]
fn every_type_that_is_produced_is_named_by_a_test() {
    let mut text = String::new();
    for entry in std::fs::read_dir(crate_folder().join("..")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("event") {
            tests_elsewhere(&path, false, &mut text);
        }
    }
    let produced = EventType::ALL.iter().filter(|event_type| event_type.info().produced);
    let unnamed: Vec<_> = produced
        .filter(|event_type| {
            let variant = format!("EventType::{event_type:?}");
            !names(&text, event_type.name()) && !names(&text, &variant)
        })
        .map(|event_type| event_type.name())
        .collect();
    assert!(unnamed.is_empty(), "no test names {unnamed:?}");
}
