//! The names that events have in other systems: from the catalogue, or ours in their spelling.
//!
//! Where the other system has no code for a type, or none for this outcome, our dotted name is
//! spelled as that system spells its codes, so that readers who sort by code still can. A test
//! holds that no such spelling is the code of something else.

use std::borrow::Cow;

use crate::catalogue::{EventType, OutcomeClass, System};
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
