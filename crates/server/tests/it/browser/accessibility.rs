//! Every page under axe-core: empty and full, with errors, on a wide and on a narrow screen, light
//! and dark. There may be no violation at all.
//!
//! With `PAGE_PICTURES=<folder>` each page is also kept as pictures there, for people to look
//! at.

use chancery_throwaway::on_each_backend;
use std::path::PathBuf;

use chancery_engine::{Engine, Settings};
use chancery_event::Environment;
use chancery_testkit::{Rules, Tab};
use chancery_web::edge::{AppState, Options};

use super::world::World;

const WIDE: (u32, u32) = (1280, 1000);
const NARROW: (u32, u32) = (390, 844);
/// Where the columns beside a table come and go.
const BETWEEN: [(u32, u32); 2] = [(1100, 1000), (870, 1000)];

/// What was found, and where to put pictures.
struct Inspection<'a> {
    tab: &'a Tab,
    world: &'a str,
    pictures: Option<PathBuf>,
    found: Vec<String>,
    pages: usize,
}

impl<'a> Inspection<'a> {
    fn new(tab: &'a Tab, world: &'a str) -> Self {
        let pictures = std::env::var_os("PAGE_PICTURES").map(PathBuf::from);
        Self { tab, world, pictures, found: Vec::new(), pages: 0 }
    }

    /// A page at its address.
    async fn page(&mut self, path: &str) {
        self.tab.go(path).await;
        self.now(path).await;
    }

    /// The page as it is now, in both schemes on both screens.
    async fn now(&mut self, name: &str) {
        self.pages += 1;
        for (width, height) in BETWEEN {
            self.tab.screen(width, height).await;
            self.fits(name, width).await;
        }
        for (width, height) in [WIDE, NARROW] {
            self.tab.screen(width, height).await;
            self.fits(name, width).await;
            for theme in ["light", "dark"] {
                let choose = format!("document.documentElement.dataset.theme = '{theme}'");
                self.tab.run(&choose, vec![]).await;
                // The scheme changes colours and nothing else.
                let rules = if theme == "light" { Rules::All } else { Rules::Colours };
                let violations = self.tab.violations(rules).await;
                self.found.extend(violations.into_iter().map(|violation| {
                    format!("{} {name} at {width}, {theme}: {violation}", self.world)
                }));
                self.keep(name, width, theme).await;
            }
        }
        self.tab.screen(WIDE.0, WIDE.1).await;
    }

    /// A page is read downwards; only tables scroll to the side, within themselves.
    async fn fits(&mut self, name: &str, width: u32) {
        let too_wide =
            "document.documentElement.scrollWidth > document.documentElement.clientWidth";
        if self.tab.eval(too_wide).await == serde_json::json!(true) {
            self.found.push(format!("{} {name} at {width}: scrolls sideways", self.world));
        }
    }

    async fn keep(&self, name: &str, width: u32, theme: &str) {
        let Some(folder) = &self.pictures else { return };
        let plain: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let short: String = plain.chars().take(60).collect();
        std::fs::create_dir_all(folder).unwrap();
        let file = folder.join(format!("{}-{short}-{width}-{theme}.png", self.world));
        self.tab.picture(&file).await;
    }

    fn finish(self, pages_min: usize) {
        assert!(self.pages >= pages_min, "only {} pages", self.pages);
        assert!(self.found.is_empty(), "{}", self.found.join("\n"));
    }
}

/// Pages without parameters.
const PAGES: [&str; 62] = [
    "/",
    "/alerts",
    "/review",
    "/review?span=week",
    "/events",
    "/certificates",
    "/certificates/upload",
    "/catalogue",
    "/catalogue/certificate.upload",
    "/log-view",
    "/jobs",
    "/notifications",
    "/notifications/profiles",
    "/notifications/profiles/default",
    "/notifications/profiles/default/edit",
    "/notifications/profiles/new",
    "/notifications/templates",
    "/notifications/templates/new",
    "/notifications/notices",
    "/notifications/why",
    "/notifications/coverage",
    "/account/contact",
    "/channels",
    "/channels/new",
    "/channels/new?kind=email",
    "/forwarders",
    "/forwarders/new",
    "/forwarders/new?kind=webhook",
    "/deliveries",
    "/monitors",
    "/monitors/new",
    "/monitors/certificate-expiry",
    "/monitors/certificate-expiry/change",
    "/monitors/limits/change",
    "/schedules",
    "/schedules/new",
    "/schedules/log-verification",
    "/automation",
    "/automation/rules",
    "/automation/actions",
    "/automation/scopes",
    "/automation/history",
    "/automation/files",
    "/automation/ahead",
    "/automation/trial",
    "/automation/rules/new",
    "/automation/actions/new",
    "/automation/triggers/new",
    "/automation/scopes/new",
    "/administration",
    "/administration/tokens",
    "/administration/groups",
    "/administration/ra-profiles",
    "/administration/attributes",
    "/administration/nodes",
    "/administration/retention",
    "/administration/sources",
    "/search",
    "/account",
    "/account/password",
    "/help/search",
    "/docs/api",
];

/// What is read without parameters and is no page: a picture, streams, a part of other pages.
const NO_PAGES: [&str; 4] = ["/favicon.ico", "/events/live", "/alerts/live", "/alerts/bell"];

#[tokio::test]
async fn every_page_without_parameters_is_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { allow_unencrypted_key: true, ..Settings::new(dir.path()) };
    let running = Engine::start(settings, Environment::system()).await.unwrap();
    let state = AppState::new(running.engine().clone(), Options::default());
    let (_, declared) = chancery_web::router(state);
    running.stop().await.unwrap();
    let for_programs = ["/api/", "/okta", "/log/", "/health", "/metrics", "/assets/"];
    let missing: Vec<_> = declared
        .iter()
        .filter(|route| route.method == "GET" && !route.path.contains('{'))
        .map(|route| route.path.as_str())
        .filter(|path| !for_programs.iter().any(|start| path.starts_with(start)))
        // Looked at before somebody signs in.
        .filter(|path| *path != "/login")
        .filter(|path| !PAGES.contains(path) && !NO_PAGES.contains(path))
        .collect();
    assert!(missing.is_empty(), "nobody looks at {missing:#?}");
}

on_each_backend!(no_page_of_a_new_installation_breaks_a_rule, 2);

async fn no_page_of_a_new_installation_breaks_a_rule() {
    let world = World::new().await;
    let tab = world.tab().await;
    let mut inspection = Inspection::new(&tab, "new");
    inspection.page("/login").await;
    super::world::sign_in(&tab, "admin", super::world::PASSWORD).await;
    for path in PAGES {
        inspection.page(path).await;
    }
    inspection.finish(PAGES.len() + 1);
    world.end();
}

on_each_backend!(no_page_with_something_in_it_breaks_a_rule, 2);

async fn no_page_with_something_in_it_breaks_a_rule() {
    let world = World::furnished().await;
    let tab = world.administrator().await;
    let mut inspection = Inspection::new(&tab, "full");
    for path in PAGES {
        inspection.page(path).await;
    }
    for list in [
        "/certificates?q=owner:admin",
        "/events",
        "/jobs",
        "/alerts",
        "/automation/history",
        "/administration/groups",
    ] {
        tab.go(list).await;
        tab.click("main table .row-link").await;
        tab.until("document.readyState === 'complete'").await;
        let place = tab.place().await;
        inspection.now(&format!("one of {list}")).await;
        if place.starts_with("/certificates/") {
            inspection.page(&format!("{place}/edit")).await;
            inspection.page(&format!("{place}/archive")).await;
            inspection.page(&format!("{place}/delete")).await;
        }
    }
    for path in [
        "/administration/sources/okta/edit",
        "/automation/triggers/weak-keys",
        "/automation/triggers/weak-keys/edit",
        "/automation/rules/weak-keys",
        "/automation/rules/weak-keys/edit",
        "/automation/actions/warn",
        "/automation/actions/warn/edit",
        "/automation/history?q=verdict:nearly",
        "/automation/trial?trigger=weak-keys",
        "/automation/files?begin=present",
        "/automation/triggers/weak-keys/delete",
        "/monitors/internal",
        "/monitors/jobs",
        "/monitors/certificate-expiry/delete",
        "/schedules/log-verification/change",
        "/events?q=outcom:failure",
        "/certificates?q=(status:valid",
        "/certificates?q=name:nothing",
        "/search?q=example",
        "/search?q=nothing-of-this-name",
        "/nothing",
        "/certificates/01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4",
        "/jobs?cursor=zzz&q=state:failed",
    ] {
        inspection.page(path).await;
    }
    wrong_input(&mut inspection).await;
    forwarder(&mut inspection).await;
    inspection.finish(60);
    world.end();
}

/// A forwarder with its forms, a delivery, and the forwarders of an account.
async fn forwarder(inspection: &mut Inspection<'_>) {
    let tab = inspection.tab;
    tab.go("/forwarders/new?kind=file").await;
    tab.fill("input[name=name]", "soc").await;
    tab.fill("input[name='settings/file']", "soc.ndjson").await;
    tab.click("main form button.primary").await;
    tab.arrive("/forwarders/soc").await;
    tab.press("Try it out").await;
    tab.find("#recent-deliveries").await;
    for path in ["/forwarders", "/forwarders/soc", "/forwarders/soc/edit", "/forwarders/soc/replay"]
    {
        inspection.page(path).await;
    }
    inspection.page("/forwarders/soc/recover").await;
    tab.go("/deliveries?reason=test").await;
    tab.click("main table .row-link").await;
    tab.until("document.readyState === 'complete'").await;
    inspection.now("a delivery").await;
    tab.go("/administration").await;
    tab.click("main table .row-link").await;
    tab.find("#forwarder-access").await;
    inspection.now("an account").await;
}

/// Forms of automation and monitors as they come back when something is wrong, and with a preview.
async fn wrong_input(inspection: &mut Inspection<'_>) {
    let tab = inspection.tab;
    tab.go("/automation/rules/new").await;
    tab.fill("input[name=name]", "Not A Name").await;
    tab.fill("textarea[name=filter]", "object.colour:red").await;
    tab.click("main form button.primary").await;
    tab.find(".field-error").await;
    inspection.now("wrong rule").await;
    tab.fill("textarea[name=filter]", "object.key_size<4096").await;
    tab.click("main form button[value=preview]").await;
    tab.find("#tried").await;
    inspection.now("preview of a rule").await;
    tab.go("/automation/actions/new").await;
    tab.fill("input[name=name]", "place").await;
    tab.fill("textarea[name=steps]", "[[steps]]\nstep = \"set_ownr\"").await;
    tab.click("main form button.primary").await;
    tab.find(".field-error").await;
    inspection.now("wrong steps").await;
    tab.go("/automation/triggers/new").await;
    tab.fill("input[name=name]", "nothing-chosen").await;
    tab.click("main form button.primary").await;
    tab.find(".field-error").await;
    inspection.now("wrong trigger").await;
    tab.go("/monitors/new").await;
    tab.fill("input[name=name]", "early").await;
    tab.fill("input[name=cron]", "often").await;
    tab.click("main form button.primary").await;
    tab.find(".field-error").await;
    inspection.now("wrong monitor").await;
    tab.go("/automation/triggers/weak-keys").await;
    tab.click("form[action$=back-test] button").await;
    tab.find("#tried").await;
    inspection.now("back-test").await;
    tab.go("/automation/ahead").await;
    tab.press("Look ahead").await;
    tab.find("#ahead").await;
    inspection.now("the days to come").await;
    file(inspection).await;
}

/// A file of automation: wrong, planned, compared with history, and before it is applied.
async fn file(inspection: &mut Inspection<'_>) {
    let tab = inspection.tab;
    tab.go("/automation/files").await;
    tab.fill("#file-text", "[rule.weak-keys]\nfilter = \"object.colour:red\"").await;
    tab.press("What would it change?").await;
    tab.find("#file-error").await;
    inspection.now("a wrong file").await;
    tab.fill("#file-text", "[rule.weak-keys]\nfilter = \"object.key_size<4096\"").await;
    tab.press("What would it change?").await;
    tab.find("#plan").await;
    inspection.now("the plan of a file").await;
    tab.press("What would have gone differently?").await;
    tab.find("#tried").await;
    inspection.now("the behaviour of a file").await;
    tab.press("Apply…").await;
    tab.find("button[formaction='/automation/files']").await;
    inspection.now("a file before it is applied").await;
}
