//! The macro that turns the list of types into [`EventType`](super::EventType) and its tables.

/// Whether this version of the program records a type.
pub(super) enum Stage {
    /// It does.
    Produced,
    /// It will.
    Planned,
}

impl Stage {
    /// Whether it does.
    pub(super) const fn is_produced(&self) -> bool {
        matches!(self, Self::Produced)
    }
}

macro_rules! outcomes {
    (Any) => { outcomes!(true true true) };
    (SFW) => { outcomes!(true true true) };
    (SF) => { outcomes!(true true false) };
    (FW) => { outcomes!(false true true) };
    (S) => { outcomes!(true false false) };
    (F) => { outcomes!(false true false) };
    (W) => { outcomes!(false false true) };
    ($success:literal $failure:literal $warning:literal) => {
        Outcomes { success: $success, failure: $failure, warning: $warning }
    };
}

macro_rules! severity_on_failure {
    ($severity:ident) => {
        Severity::$severity
    };
    ($severity:ident $failure:ident) => {
        Severity::$failure
    };
}

macro_rules! deprecated {
    () => {
        false
    };
    (deprecated) => {
        true
    };
}

macro_rules! catalogue {
    ($($variant:ident $name:literal $family:ident::$payload:ident {
        $kind:ident $version:literal $severity:ident $(/ $failure:ident)?
        $resource:ident $stage:ident
        $(overridden by $($scope:ident)+)?
        $(; $system:ident $code:literal $outcomes:ident $($deprecated:ident)?)*
    })*) => {
        /// A type of event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventType {
            $(
                #[doc = concat!("`", $name, "`: `types::", stringify!($family), "`.")]
                $variant,
            )*
        }

        impl EventType {
            /// All types, by family.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// What the catalogue says about it.
            pub fn info(self) -> &'static TypeInfo {
                static INFOS: &[TypeInfo] = &[$(TypeInfo {
                    name: $name,
                    kind: Kind::$kind,
                    version: $version,
                    severity: Severity::$severity,
                    severity_on_failure: severity_on_failure!($severity $($failure)?),
                    resource: TargetKind::$resource,
                    description: <types::$family::$payload as Declared>::DESCRIPTION,
                    overridden_by: &[$($(Scope::$scope),+)?],
                    monitoring: matches!(Kind::$kind, Kind::Monitoring),
                    produced: Stage::$stage.is_produced(),
                    dialects: &[$(DialectName {
                        system: System::$system,
                        code: $code,
                        outcomes: outcomes!($outcomes),
                        deprecated: deprecated!($($deprecated)?),
                    }),*],
                    personal: <types::$family::$payload as Declared>::PERSONAL,
                    shape: Shape {
                        schema: <types::$family::$payload as schemars::JsonSchema>::json_schema,
                        normalise: normalise::<types::$family::$payload>,
                    },
                }),*];
                // The order of the table is that of the variants: one repetition makes both.
                &INFOS[self as usize]
            }
        }

        $(impl Payload for types::$family::$payload {
            const TYPE: EventType = EventType::$variant;
        })*
    };
}
