//! The icons: 16 × 16 line drawings in the colour of the text around them, hidden from screen
//! readers because a word always stands beside them.

use maud::{Markup, html};

macro_rules! icons {
    ($($(#[$doc:meta])* $name:ident = $path:literal),* $(,)?) => {
        /// A drawing from the house set.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Icon {
            $($(#[$doc])* $name),*
        }

        impl Icon {
            /// All icons.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            fn path(self) -> &'static str {
                match self { $(Self::$name => $path),* }
            }
        }
    };
}

icons! {
    /// A house.
    Home = "M2.5 7.2 8 2.5l5.5 4.7M4 6v7.5h3V10h2v3.5h3V6",
    /// Lines of a roll.
    Events = "M2.5 4h1M6 4h7.5M2.5 8h1M6 8h7.5M2.5 12h1M6 12h7.5",
    /// A sheet with a seal.
    Certificate = "M10 13.5H3.5v-11h9V7M5.5 5.5h5M5.5 8h3M11.5 12.2a1.9 1.9 0 1 0 0-3.8 1.9 1.9 0 0 0 0 3.8Zm-1 0v2.3l1-.7 1 .7v-2.3",
    /// An open book.
    Catalogue = "M8 4.2C6.5 3 4.5 2.8 2.5 3v9.500c2-.2 4 0 5.5 1.2 1.5-1.2 3.5-1.4 5.5-1.200V3c-2-.2-4 0-5.5 1.200Zm0 0v9.5",
    /// A small hash tree.
    Log = "M8 4.500v2M8 6.5 4.5 9M8 6.5 11.5 9M6.8 2.500h2.400v2H6.800zM3.3 9h2.400v2H3.300zM10.3 9h2.400v2h-2.400zM4.5 11v2.500M11.5 11v2.5",
    /// Stacked trays.
    Jobs = "M2.5 5.5 8 2.800l5.5 2.700L8 8.200zM2.5 8.2 8 11l5.5-2.800M2.5 10.8 8 13.500l5.5-2.7",
    /// A bolt.
    Automation = "M9 2 3.500 9h4L7 14l5.500-7h-4Z",
    /// Sliders.
    Administration = "M2.5 4.500h6M11.5 4.500h2M2.5 11.500h2M7.5 11.500h6M10 3v3M6 10v3",
    /// A magnifier.
    Search = "M7 11.500a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.3 10.300l3.4 3.4",
    /// A bell.
    Bell = "M3 11.500c1-1 1.2-2 1.2-4.200C4.2 4.5 5.8 2.8 8 2.800s3.8 1.7 3.8 4.500c0 2.2.2 3.2 1.2 4.200ZM6.8 13.500h2.4",
    /// An envelope.
    Mail = "M2.5 4h11v8.500h-11zM2.5 4.500 8 9l5.5-4.5",
    /// A person.
    User = "M8 7.500a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM3 13.500c.3-2.5 2.2-4 5-4s4.7 1.5 5 4",
    /// A sun.
    Sun = "M8 10.700a2.7 2.7 0 1 0 0-5.4 2.7 2.7 0 0 0 0 5.400ZM8 1.500V3M8 13v1.500M1.5 8H3M13 8h1.500M3.4 3.400l1 1M11.6 11.600l1 1M12.6 3.400l-1 1M4.4 11.600l-1 1",
    /// A crescent.
    Moon = "M13 9.500A5.5 5.5 0 1 1 6.5 3a4.4 4.4 0 0 0 6.5 6.500Z",
    /// A half-filled disc: as the system says.
    Auto = "M8 13.500a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM8 2.500v11M8 5.500h4.700M8 8h5.500M8 10.500h4.7",
    /// A clock.
    Clock = "M8 13.500a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM8 5v3.200l2.2 1.3",
    /// A tick.
    Check = "m3 8.5 3.2 3.200L13 4.8",
    /// A tick in a circle.
    CheckCircle = "M8 13.500a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM5.5 8.2 7.3 10l3.3-3.6",
    /// A cross.
    Cross = "m4 4 8 8M12 4l-8 8",
    /// A cross in a circle.
    CrossCircle = "M8 13.500a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM6 6l4 4M10 6l-4 4",
    /// A warning triangle.
    Warning = "M8 2.5 14 13.200H2ZM8 6.500v3.200M8 11.300v.4",
    /// A filled-looking octagon with a stroke: stop.
    Critical = "M5.6 2.500h4.800l3.1 3.100v4.800l-3.1 3.100H5.600l-3.1-3.100V5.600ZM8 5v3.700M8 10.600v.5",
    /// An i in a circle.
    Info = "M8 13.500a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM8 7.300v3.500M8 5v.4",
    /// A dot in a circle.
    Dot = "M8 9.200a1.2 1.2 0 1 0 0-2.4 1.2 1.2 0 0 0 0 2.400Z",
    /// A barred circle.
    Deny = "M8 13.500a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM4.2 4.200l7.6 7.6",
    /// A step over.
    Skip = "M3 4.5 7 8l-4 3.500ZM8 4.5 12 8l-4 3.500ZM13.5 4.500v7",
    /// A question mark.
    Question = "M8 13.500a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM6.4 6.500c.1-1 .8-1.5 1.6-1.500s1.6.6 1.6 1.400C9.6 7.5 8 7.6 8 8.900M8 11v.3",
    /// A box with a lid.
    Archive = "M2.5 3h11v3h-11zM3.5 6v7h9V6M6.5 8.500h3",
    /// An hourglass.
    Hourglass = "M4 2.500h8M4 13.500h8M5 2.500c0 3 3 4 3 5.500s-3 2.5-3 5.500M11 2.500c0 3-3 4-3 5.500s3 2.5 3 5.5",
    /// A broken link.
    Broken = "M6.5 4.5 8 3a2.8 2.8 0 0 1 4 0l1 1a2.8 2.8 0 0 1 0 4l-1.5 1.500M9.5 11.5 8 13a2.8 2.8 0 0 1-4 0l-1-1a2.8 2.8 0 0 1 0-4l1.5-1.500M5 2v1.500M2 5h1.500M11 14v-1.500M14 11h-1.5",
    /// A shield.
    Shield = "M8 2.3 13 4v4c0 3-2 5-5 6-3-1-5-3-5-6V4Z",
    /// A play head.
    Run = "M5 3.200v9.600L12.8 8Z",
    /// A turned arrow.
    Refresh = "M13 8a5 5 0 1 1-1.5-3.600M13 2.500v3h-3",
    /// A seal: scalloped disc with a ring.
    Seal = "M8 2.300l1.5 1 1.8-.2.8 1.6 1.6.8-.2 1.8 1 1.5-1 1.5.2 1.8-1.6.8-.8 1.6-1.8-.2-1.5 1-1.5-1-1.8.2-.8-1.6-1.6-.8.2-1.8-1-1.5 1-1.5-.2-1.8 1.6-.8.8-1.6 1.8.2ZM8 10.800a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z",
    /// Two sheets.
    Copy = "M5.5 5.500h8v8h-8zM10.5 5.500v-3h-8v8h3",
    /// An arrow into a tray.
    Download = "M8 2.500v7.500M4.8 7 8 10.2 11.2 7M2.5 13.500h11",
    /// An arrow out of a tray.
    Upload = "M8 10.500V3M4.8 6 8 2.8 11.2 6M2.5 13.500h11",
    /// A plus.
    Plus = "M8 3v10M3 8h10",
    /// A chevron to the right.
    Next = "m6 3.5 4.5 4.500L6 12.5",
    /// A chevron to the left.
    Previous = "M10 3.5 5.5 8l4.5 4.5",
    /// An arrow up.
    Up = "M8 13V3.500M4.5 7 8 3.5 11.5 7",
    /// An arrow down.
    Down = "M8 3v9.500M4.5 9 8 12.5 11.5 9",
    /// A key.
    Key = "M5.5 13a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM7.3 8.7 13 3M10.5 5.500l2 2",
    /// A door with an arrow.
    SignOut = "M7 2.500H3v11h4M6.5 8H13.500M11 5.5 13.5 8 11 10.5",
    /// An exchange of hands.
    Handover = "M2.5 6h9M9 3.5 11.5 6 9 8.500M13.5 10.500h-9M7 8 4.5 10.5 7 13",
}

/// The drawing, hidden from assistive technology: always put a word beside it.
#[must_use]
pub fn icon(icon: Icon) -> Markup {
    html! {
        svg.icon viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false" {
            path d=(icon.path()) {}
        }
    }
}
