//! What a setting is: its key, and from it the three spellings.

use super::{
    admin, archive, audit, limits, log, logging, network, rate, reaction, serving, session, syslog,
    tls, validation,
};

/// One setting. The list of all is the source of the documentation and of suggestions.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Dotted, as in the file: `tls.certificate` is `certificate` in the section `[tls]`.
    pub key: &'static str,
    /// What happens when it is absent, as the documentation says it.
    pub default: &'static str,
    /// What a value looks like; ends the sentence "expected …".
    pub expected: &'static str,
    /// What it is for, one sentence.
    pub meaning: &'static str,
    /// The flag of its own, if it has one. Every setting that is no secret also has `--set`.
    pub flag: Option<&'static str>,
    /// Never shown, never accepted on the command line.
    pub is_secret: bool,
}

impl Setting {
    /// The environment variable: `CHANCERY_TLS_CERTIFICATE` for `tls.certificate`.
    pub fn variable(&self) -> String {
        format!("CHANCERY_{}", self.key.replace('.', "_").to_uppercase())
    }

    /// The spelling on the command line; `None` for a secret.
    pub fn flag_spelling(&self) -> Option<String> {
        match self.flag {
            Some(flag) => Some(flag.to_owned()),
            None if self.is_secret => None,
            None => Some(format!("--set {}=…", self.key)),
        }
    }
}

/// Every setting, in the order of the documentation.
pub fn all() -> impl Iterator<Item = &'static Setting> {
    let sections: [&'static [Setting]; 14] = [
        serving::SETTINGS,
        tls::SETTINGS,
        log::SETTINGS,
        admin::SETTINGS,
        limits::SETTINGS,
        rate::SETTINGS,
        session::SETTINGS,
        validation::SETTINGS,
        reaction::SETTINGS,
        network::SETTINGS,
        syslog::SETTINGS,
        archive::SETTINGS,
        audit::SETTINGS,
        logging::SETTINGS,
    ];
    sections.into_iter().flatten()
}

/// The setting with this key.
pub fn find(key: &str) -> Option<&'static Setting> {
    all().find(|setting| setting.key == key)
}

/// What was probably meant by a key nobody knows: the nearest key, also without its section.
pub fn nearest(unknown: &str) -> Option<&'static str> {
    let plain = unknown.replace('-', "_").to_lowercase();
    let distance = |key: &str| {
        let last = key.rsplit('.').next().unwrap_or(key);
        let unknown_last = plain.rsplit('.').next().unwrap_or(&plain);
        // A right name in the wrong section, or one that was cut short, counts as one slip.
        let is_near = last == unknown_last || (plain.len() > 2 && key.starts_with(&plain));
        let moved = if is_near { 1 } else { usize::MAX };
        let edits = edits(&plain, key);
        // Of several names in the wrong section, the one that reads most alike.
        (edits.min(moved), edits)
    };
    let best = all().map(|setting| (distance(setting.key), setting.key)).min()?;
    (best.0.0 <= (plain.chars().count() / 3).clamp(1, 3)).then_some(best.1)
}

/// The section that was most probably meant by the one before the dot of an unknown key, with one
/// of its settings; `None` if nothing comes close.
pub fn nearest_section(unknown: &str) -> Option<(&'static str, &'static str)> {
    let section = unknown.split_once('.').map_or(unknown, |(section, _)| section);
    let section = section.replace('-', "_").to_lowercase();
    let near = |setting: &'static Setting| {
        let (known, _) = setting.key.split_once('.')?;
        Some((edits(&section, known), known, setting.key))
    };
    let (distance, known, example) = all().filter_map(near).min_by_key(|(near, _, _)| *near)?;
    (distance <= (section.chars().count() / 3).clamp(1, 3)).then_some((known, example))
}

/// Levenshtein distance in characters.
pub fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn spellings_are_unique() {
        let keys: BTreeSet<&str> = all().map(|setting| setting.key).collect();
        let variables: BTreeSet<String> = all().map(Setting::variable).collect();
        assert_eq!(keys.len(), all().count());
        assert_eq!(variables.len(), all().count());
    }

    #[test]
    fn slips_are_understood() {
        for (typed, meant) in [
            ("listn", "listen"),
            ("public-url", "public_url"),
            ("tls.cert", "tls.certificate"),
            ("tsl.key", "tls.key"),
            ("admin.pasword", "admin.password"),
            ("idle_minutes", "session.idle_minutes"),
        ] {
            assert_eq!(nearest(typed), Some(meant), "{typed}");
        }
        assert_eq!(nearest("entirely.something.else"), None);
    }

    #[test]
    fn distance_counts_edits() {
        for (a, b, distance) in [("", "", 0), ("a", "", 1), ("kitten", "sitting", 3)] {
            assert_eq!(edits(a, b), distance);
        }
    }

    #[test]
    fn secrets_have_no_flag() {
        for setting in all().filter(|setting| setting.is_secret) {
            assert_eq!(setting.flag_spelling(), None, "{}", setting.key);
        }
    }
}
