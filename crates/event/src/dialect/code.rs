//! The names that events have in other systems: from the catalogue, or ours in their spelling.
//!
//! Where the other system has no code for a type, or none for this outcome, our dotted name is
//! spelled as that system spells its codes, so that readers who sort by code still can. A test
//! holds that no such spelling is the code of something else.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use crate::catalogue::{DialectName, EventType, OutcomeClass, System};
use crate::envelope::Event;

/// The code of `event` in `system`, and the outcome that it is told with there.
pub(super) fn of(event: &Event, system: System) -> (Cow<'static, str>, OutcomeClass) {
    let class = OutcomeClass::of(&event.outcome, event.severity);
    if let Some(info) = EventType::of(event).map(EventType::info) {
        // A success that somebody should look at is a plain success for codes that know no warning.
        let also = if class == OutcomeClass::Warning { OutcomeClass::Success } else { class };
        for class in [class, also] {
            if let Some(name) = info.dialect(system, class) {
                return (Cow::Borrowed(name.code), class);
            }
        }
    }
    (Cow::Owned(spelled(&event.type_name, system)), class)
}

/// Our name as `system` would spell it.
pub(super) fn spelled(name: &str, system: System) -> String {
    match system {
        System::Okta => format!("chancery.{name}"),
        System::Akeyless => name.replace(['.', '_'], "-"),
        System::Czertainly => name.replace('.', "_"),
        System::Horizon => name.replace(['.', '_'], "-").to_uppercase(),
        System::Qcecuring => name.replace('.', "_").to_uppercase(),
    }
}

/// The type that `system` means by `code`: one of its codes, an alias, or our name as it spells it.
pub(super) fn meaning(code: &str, system: System) -> Option<EventType> {
    static KNOWN: LazyLock<HashMap<(System, String), EventType>> = LazyLock::new(|| {
        let mut known = HashMap::new();
        for &system in System::ALL {
            for &event_type in EventType::ALL {
                let name = spelled(event_type.name(), system);
                known.insert((system, normal(&name, system)), event_type);
            }
        }
        for &event_type in EventType::ALL {
            for name in event_type.info().dialects {
                known.insert((name.system, normal(name.code, name.system)), event_type);
            }
        }
        known
    });
    let code = ALIASES
        .iter()
        .find(|(of, alias, _)| *of == system && normal(alias, system) == normal(code, system))
        .map_or(code, |(_, _, code)| code);
    KNOWN.get(&(system, normal(code, system))).copied()
}

/// Other spellings in the field: of older versions, of kits, of a system's own documents.
const ALIASES: &[(System, &str, &str)] = &[
    (System::Okta, "pki.cert.lifecycle.crl_download_failure", "pki.cert.crl_download_failure"),
    (System::Akeyless, "usage", "usage_unused"),
    (System::Akeyless, "rotation-usage", "usage_unrotated"),
    (System::Akeyless, "Certificate About to Expire", "certificate-pending-expiration"),
    (
        System::Akeyless,
        "gateway-certificate-pending-expiration",
        "gateway-certificate-about-to-expire",
    ),
];

/// Whether `code` of `system` tells of failures alone, or of warnings alone.
pub(super) fn told_class(code: &str, system: System) -> Option<OutcomeClass> {
    let info = meaning(code, system)?.info();
    let same = |name: &&DialectName| {
        name.system == system && normal(name.code, system) == normal(code, system)
    };
    let outcomes = info.dialects.iter().find(same)?.outcomes;
    match (outcomes.success, outcomes.failure, outcomes.warning) {
        (false, true, false) => Some(OutcomeClass::Failure),
        (false, false, true) => Some(OutcomeClass::Warning),
        (true, false, false) => Some(OutcomeClass::Success),
        _ => None,
    }
}

/// What codes are compared by: Akeyless spells its own in several ways.
fn normal(code: &str, system: System) -> String {
    match system {
        System::Akeyless => code
            .chars()
            .filter(|c| !matches!(c, '-' | '_' | ' '))
            .collect::<String>()
            .to_lowercase(),
        _ => code.to_owned(),
    }
}

/// `certificate_id` as `certificateId`, or as `CertificateId`.
pub(super) fn camel(name: &str, first: bool) -> String {
    let mut text = String::with_capacity(name.len());
    let mut upper = first;
    for c in name.chars() {
        match c {
            '_' | '.' | '-' => upper = true,
            c if upper => {
                text.extend(c.to_uppercase());
                upper = false;
            }
            c => text.push(c),
        }
    }
    text
}
