//! The frame of every page: head, navigation, search, menus, footer.

use maud::{DOCTYPE, Markup, html};

use super::assets::asset_url;
use super::{Icon, Tone, csrf_input, grouped, icon, seal_logo};

/// Light, dark, or as the system says; the cookie `theme`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// As the system says.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// UTC or the reader's own time; the cookie `zone`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Zone {
    /// UTC.
    #[default]
    Utc,
    /// As the browser's clock says.
    Local,
}

/// What a reader chose, from their cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Preferences {
    /// Cookie `theme`.
    pub theme: Theme,
    /// Cookie `zone`.
    pub zone: Zone,
}

impl Preferences {
    /// From the values of the cookies `theme` and `zone`; what is not understood is the default.
    #[must_use]
    pub fn from_cookies(theme: Option<&str>, zone: Option<&str>) -> Self {
        let theme = match theme {
            Some("light") => Theme::Light,
            Some("dark") => Theme::Dark,
            _ => Theme::Auto,
        };
        let zone = if zone == Some("local") { Zone::Local } else { Zone::Utc };
        Self { theme, zone }
    }
}

impl Theme {
    /// The value of the cookie and of `data-theme`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl Zone {
    /// The value of the cookie and of `data-zone`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Utc => "utc",
            Self::Local => "local",
        }
    }
}

/// The main places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nav {
    /// `/`
    Home,
    /// `/events`
    Events,
    /// `/alerts`
    Alerts,
    /// `/certificates`
    Certificates,
    /// `/catalogue`
    Catalogue,
    /// `/log-view`: what people see; the tiles themselves are served under `/log/`.
    Log,
    /// `/jobs`
    Jobs,
    /// `/automation`
    Automation,
    /// `/notifications`
    Notifications,
    /// `/forwarders`
    Forwarders,
    /// `/administration`
    Administration,
    /// None of them.
    Elsewhere,
}

const PLACES: [(Nav, &str, &str, Icon); 11] = [
    (Nav::Home, "Home", "/", Icon::Home),
    (Nav::Alerts, "Alerts", "/alerts", Icon::Bell),
    (Nav::Events, "Events", "/events", Icon::Events),
    (Nav::Certificates, "Certificates", "/certificates", Icon::Certificate),
    (Nav::Catalogue, "Catalogue", "/catalogue", Icon::Catalogue),
    (Nav::Log, "Log", "/log-view", Icon::Log),
    (Nav::Jobs, "Jobs", "/jobs", Icon::Jobs),
    (Nav::Automation, "Automation", "/automation", Icon::Automation),
    (Nav::Notifications, "Notifications", "/notifications", Icon::Mail),
    (Nav::Forwarders, "Forwarders", "/forwarders", Icon::Upload),
    (Nav::Administration, "Administration", "/administration", Icon::Administration),
];

/// Who is looking.
#[derive(Debug, Clone)]
pub struct Viewer<'a> {
    /// Their name.
    pub name: &'a str,
    /// Their role.
    pub role: &'a str,
}

/// How the system is.
#[derive(Debug, Clone)]
pub struct Health<'a> {
    /// Its meaning.
    pub tone: Tone,
    /// In words: `All watched`, `2 monitors late`.
    pub text: &'a str,
    /// The page that tells more.
    pub href: &'a str,
}

/// How the log is.
#[derive(Debug, Clone)]
pub struct SealStatus<'a> {
    /// Entries in the last checkpoint.
    pub tree_size: u64,
    /// In words: `sealed 2 s ago`.
    pub text: &'a str,
    /// Whether the last checkpoint is as young as it should be.
    pub fresh: bool,
}

/// A page and what surrounds it.
#[derive(Debug, Clone)]
pub struct PageFrame<'a> {
    /// Title of the window; the product's name is added.
    pub title: &'a str,
    /// The place that is marked as current.
    pub current: Nav,
    /// Who is looking; without one there are no menus.
    pub viewer: Option<Viewer<'a>>,
    /// What they chose.
    pub preferences: Preferences,
    /// The session's token.
    pub csrf: &'a str,
    /// How the system is.
    pub health: Option<Health<'a>>,
    /// Unread alerts; nothing hides the bell.
    pub bell: Option<Bell>,
    /// What stands in the search box of the frame.
    pub query: &'a str,
    /// How the log is.
    pub seal: Option<SealStatus<'a>>,
    /// Version of the program.
    pub version: &'a str,
    /// The page.
    pub body: Markup,
}

/// A whole page.
#[must_use]
pub fn layout(frame: PageFrame<'_>) -> Markup {
    let inner = html! {
        a.skip href="#main" { "Skip to the content" }
        div.frame {
            header.top {
                a.brand href="/" { (seal_logo()) span { "Chancery" } }
                (search(frame.query))
                div.top-tools { (tools(&frame)) }
            }
            nav.places aria-label="Main" {
                ul { @for (place, label, href, mark) in PLACES {
                    li { a href=(href) aria-current=[(place == frame.current).then_some("page")] {
                        (icon(mark)) span { (label) }
                    } }
                } }
            }
            main id="main" tabindex="-1" { (frame.body) }
            footer.foot { (foot(&frame)) }
        }
        (keys_dialog())
    };
    document(frame.title, frame.preferences, inner)
}

/// The document round a page; [`layout`] and the pages without a frame share it.
pub(super) fn document(title: &str, preferences: Preferences, inner: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en-GB" data-theme=(preferences.theme.as_str()) data-zone=(preferences.zone.as_str()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="same-origin";
                title { (title) " · Chancery" }
                link rel="icon" type="image/svg+xml" href=(asset_url("favicon.svg"));
                link rel="stylesheet" href=(asset_url("app.css"));
                script type="module" src=(asset_url("app.js")) {}
            }
            body { (inner) }
        }
    }
}

fn search(query: &str) -> Markup {
    html! {
        form.global-search role="search" method="get" action="/search" {
            label.visually-hidden for="global-search" { "Search certificates and events" }
            (icon(Icon::Search))
            input id="global-search" type="search" name="q" value=(query) data-search-global
                placeholder="Name, serial, fingerprint, event…" autocomplete="off" spellcheck="false";
            kbd aria-hidden="true" { "/" }
        }
    }
}

fn tools(frame: &PageFrame<'_>) -> Markup {
    html! {
        @if let Some(health) = &frame.health {
            @let mark = match health.tone {
                Tone::Good => Icon::CheckCircle,
                Tone::Bad | Tone::Critical => Icon::Critical,
                _ => Icon::Warning,
            };
            a class={"badge health " (health.tone.class())} href=(health.href) {
                (icon(mark)) span { (health.text) }
            }
        }
        (zone_switch(frame.preferences.zone, frame.csrf))
        @if let Some(found) = frame.bell { (bell(found)) }
        @if let Some(viewer) = &frame.viewer { (menu(viewer, frame)) }
    }
}

/// What the bell knows.
#[derive(Clone, Copy, Debug)]
pub struct Bell {
    /// Unread alerts.
    pub unread: u64,
    /// Entries of the log before they were counted: what came behind them may have changed it.
    pub log_size: u64,
}

/// The bell with the number of unread alerts. It fetches itself anew when alerts change while a page
/// stays open, and now and then without being told.
#[must_use]
pub fn bell(found: Bell) -> Markup {
    let Bell { unread, log_size } = found;
    html! {
        a.tool.bell id="bell" href="/alerts" data-refresh="60" data-refresh-from="/alerts/bell"
            data-refresh-on="alerts" data-live={"/alerts/live?from=" (log_size)} {
            (icon(Icon::Bell))
            @if unread > 0 { span.bell-count aria-hidden="true" { @if unread > 99 { "99+" } @else { (unread) } } }
            span.visually-hidden { @if unread > 99 { "More than 99" } @else { (unread) } " unread alerts" }
        }
    }
}

fn zone_switch(zone: Zone, csrf: &str) -> Markup {
    html! {
        form.zone-switch method="post" action="/preferences" data-preference="zone" {
            (csrf_input(csrf))
            fieldset.segments {
                legend.visually-hidden { "Times in" }
                button type="submit" name="zone" value="utc" aria-pressed=(zone == Zone::Utc) { "UTC" }
                button type="submit" name="zone" value="local" aria-pressed=(zone == Zone::Local) { "Local" }
            }
        }
    }
}

fn menu(viewer: &Viewer<'_>, frame: &PageFrame<'_>) -> Markup {
    let themes = [
        (Theme::Light, "Light", Icon::Sun),
        (Theme::Dark, "Dark", Icon::Moon),
        (Theme::Auto, "Auto", Icon::Auto),
    ];
    html! {
        details.menu {
            summary.tool { (icon(Icon::User)) span.menu-name { (viewer.name) } }
            div.menu-body {
                p.menu-who { strong { (viewer.name) } span.muted { (viewer.role) } }
                a href="/account" { (icon(Icon::Key)) span { "Account" } }
                form method="post" action="/preferences" data-preference="theme" {
                    (csrf_input(frame.csrf))
                    fieldset.segments {
                        legend { "Theme" }
                        @for (theme, label, mark) in themes {
                            button type="submit" name="theme" value=(theme.as_str())
                                aria-pressed=(theme == frame.preferences.theme) {
                                (icon(mark)) span { (label) }
                            }
                        }
                    }
                }
                (zone_switch(frame.preferences.zone, frame.csrf))
                button.menu-item type="button" data-opens="keys" data-script-only hidden {
                    (icon(Icon::Info)) span { "Keyboard keys" }
                }
                form method="post" action="/logout" {
                    (csrf_input(frame.csrf))
                    button.menu-item type="submit" { (icon(Icon::SignOut)) span { "Sign out" } }
                }
            }
        }
    }
}

fn foot(frame: &PageFrame<'_>) -> Markup {
    html! {
        span { "Chancery " (frame.version) }
        @if let Some(seal) = &frame.seal {
            a.foot-seal.late[!seal.fresh] href="/log-view" {
                (icon(if seal.fresh { Icon::Seal } else { Icon::Warning }))
                span { "Log of " strong.num { (grouped(seal.tree_size)) } " entries, " (seal.text) }
            }
        }
        a href="/docs/api" { "API" }
    }
}

fn keys_dialog() -> Markup {
    let keys = [
        ("/", "Search"),
        ("j", "Next row"),
        ("k", "Previous row"),
        ("Enter", "Open the row"),
        (".", "Show new rows"),
        ("?", "This help"),
        ("Esc", "Close"),
    ];
    html! {
        dialog id="keys" aria-labelledby="keys-title" {
            h2 id="keys-title" { "Keyboard keys" }
            dl.keys { @for (key, what) in keys { div { dt { kbd { (key) } } dd { (what) } } } }
            div.dialog-actions { button type="button" data-closes { "Close" } }
        }
    }
}
