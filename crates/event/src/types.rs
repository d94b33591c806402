//! The payloads: one struct per event type, by family.
//!
//! A payload's doc comment is the description of its type, and each field's doc comment that of the
//! member; catalogue, schemas and `docs/EVENTS.md` take them from here. Absent members are left out
//! of the JSON. What is about a person stands in the `personal` block of a payload and goes to
//! [`crate::Personal::detail`], never into the sealed detail (invariant 10). A payload never holds
//! a secret, a key or a whole certificate, and its numbers are whole (see [`crate::canonical`]).

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A stable snake_case word, such as a state or a class.
pub type Word = Cow<'static, str>;

/// What the declaration of a payload says beside its members.
pub trait Declared {
    /// What the type records: the doc comment.
    const DESCRIPTION: &'static str;
    /// Names and descriptions of the members about a person; all are strings, all are optional.
    const PERSONAL: &'static [&'static [(&'static str, &'static str)]];

    /// The members about a person, for [`crate::Personal::detail`].
    fn personal(&self) -> Map<String, Value>;
}

/// A part of a payload that may hold members about a person.
pub trait PersonalMembers {
    /// Names and descriptions of these members.
    const MEMBERS: &'static [(&'static str, &'static str)];

    /// Adds those that are there.
    fn add_personal(&self, members: &mut Map<String, Value>);
}

impl<T: PersonalMembers> PersonalMembers for Option<T> {
    const MEMBERS: &'static [(&'static str, &'static str)] = T::MEMBERS;

    fn add_personal(&self, members: &mut Map<String, Value>) {
        if let Some(part) = self {
            part.add_personal(members);
        }
    }
}

/// One member of an object before and after a change, both as in the API. Where the member is about
/// a person, both are left out and the change alone is recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Name of the member, as in the API.
    pub member: String,
    /// Its value before; absent when there was none. Any JSON whose numbers are whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// Its value after; absent when there is none. Any JSON whose numbers are whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// Declares payload structs: `Name: Base { members } personal { members }`. A base is flattened
/// into the JSON as the field `certificate`; members under `personal` are optional strings.
macro_rules! payloads {
    ($(
        $(#[doc = $doc:expr])+
        $name:ident $(: $base:ty)? {
            $($(#[$meta:meta])+ $field:ident: $type:ty,)*
        }
        $(personal { $($(#[doc = $about:expr])+ $member:ident,)* })?
    )*) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq)]
        #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        pub struct $name {
            $(
                /// The certificate it is about; its members stand among the others.
                #[serde(flatten)]
                pub certificate: $base,
            )?
            $($(#[$meta])+ pub $field: $type,)*
            $($($(#[doc = $about])+ #[serde(skip)] pub $member: Option<String>,)*)?
        }

        impl $crate::types::Declared for $name {
            const DESCRIPTION: &'static str = concat!($($doc, "\n"),+).trim_ascii();
            const PERSONAL: &'static [&'static [(&'static str, &'static str)]] = &[
                $(<$base as $crate::types::PersonalMembers>::MEMBERS,)?
                $(&[$((stringify!($member), concat!($($about, "\n"),+).trim_ascii())),*],)?
            ];

            fn personal(&self) -> serde_json::Map<String, serde_json::Value> {
                #[allow(unused_mut)]
                let mut members = serde_json::Map::new();
                $(
                    <$base as $crate::types::PersonalMembers>::add_personal(
                        &self.certificate,
                        &mut members,
                    );
                )?
                $($(if let Some(text) = &self.$member {
                    members.insert(stringify!($member).to_owned(), text.as_str().into());
                })*)?
                members
            }
        }
    )*};
}

pub mod account;
pub mod alert;
pub mod authority;
pub mod bootstrap;
pub mod certificate;
pub mod configuration;
pub mod delivery;
pub mod deployment;
pub mod discovery;
pub mod intake;
pub mod job;
pub mod lifecycle;
pub mod log;
pub mod protocol;
pub mod request;
pub mod secret;
pub mod security;
pub mod trigger;
