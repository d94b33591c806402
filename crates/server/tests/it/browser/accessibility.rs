//! Every page under axe-core: empty and full, with errors, on a wide and on a narrow screen, light
//! and dark. There may be no violation at all.
//!
//! With `PAGE_PICTURES=<folder>` each page is also kept as pictures there, for people to look
//! at.

use chancery_throwaway::on_each_backend;
use std::path::PathBuf;

use chancery_testkit::{Rules, Tab};

use super::world::World;

const WIDE: (u32, u32) = (1280, 1000);
const NARROW: (u32, u32) = (390, 844);

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
        for (width, height) in [WIDE, NARROW] {
            self.tab.screen(width, height).await;
            let too_wide =
                "document.documentElement.scrollWidth > document.documentElement.clientWidth";
            if self.tab.eval(too_wide).await == serde_json::json!(true) {
                self.found.push(format!("{} {name} at {width}: scrolls sideways", self.world));
            }
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
const PAGES: [&str; 25] = [
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
    "/forwarders",
    "/forwarders/new",
    "/forwarders/new?kind=webhook",
    "/deliveries",
    "/administration",
    "/administration/tokens",
    "/administration/groups",
    "/administration/ra-profiles",
    "/administration/attributes",
    "/administration/nodes",
    "/account",
    "/account/password",
    "/help/search",
    "/docs/api",
];

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
    for list in ["/certificates?q=owner:admin", "/events", "/jobs", "/administration/groups"] {
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
        "/events?q=outcom:failure",
        "/certificates?q=(status:valid",
        "/certificates?q=name:nothing",
        "/search?q=example",
        "/search?q=nothing-of-this-name",
        "/nothing",
        "/certificates/01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4",
        "/jobs?cursor=zzz&state=failed",
    ] {
        inspection.page(path).await;
    }
    inspection.finish(30);
    world.end();
}
