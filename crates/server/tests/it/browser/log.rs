//! The log for people: an event and its proof, the whole log, the catalogue, the API's description;
//! and all of it without scripts.

use chancery_testkit::{Authority, Tab};
use chancery_throwaway::on_each_backend;

use super::world::{PASSWORD, World, sign_in};

on_each_backend!(the_browser_itself_verifies_and_the_server_verifies_all, 2);

async fn the_browser_itself_verifies_and_the_server_verifies_all() {
    let world = World::furnished().await;
    let tab = world.administrator().await;

    tab.go("/events?q=type:certificate.upload%20outcome:success").await;
    tab.click("#events .row-link").await;
    tab.see("#targets", "its events").await;
    tab.click("[data-verify] button.verify").await;
    let told = tab.see(".proof-result.t-seal, .proof-result.t-bad", "").await;
    assert!(told.contains("Proven: these bytes are in the log"), "{told}");
    assert!(tab.count(".proof-steps li").await > 2, "the steps are not shown");

    tab.go("/log-view").await;
    tab.press("Verify now").await;
    tab.see("[role=status]", "entries were read back and hashed").await;
    tab.see("#verifications", "").await;

    tab.go("/catalogue").await;
    tab.click("main table .row-link").await;
    tab.see("main", "Meaning").await;

    tab.go("/docs/api").await;
    tab.click("#op-list_certificates > summary").await;
    let text = tab.see("#op-list_certificates", "certificate:read").await;
    assert!(text.contains("curl"), "{text}");
    tab.close().await;
    world.end();
}

on_each_backend!(everything_works_without_scripts, 2);

/// Everything that reads or changes works with forms and links alone.
async fn everything_works_without_scripts() {
    let world = World::furnished().await;
    let tab = world.tab_without_scripts().await;
    sign_in(&tab, "admin", PASSWORD).await;
    assert_eq!(tab.count("[data-script-only]:not([hidden])").await, 0, "scripts run after all");

    let now = chancery_event::Environment::system().now();
    tab.go("/certificates/upload").await;
    tab.fill("#files-input-text", &Authority::new("Plain CA", now).pem()).await;
    tab.click("main form.form button[type=submit]").await;
    tab.see("h1", "Plain CA").await;
    let place = tab.place().await;

    // The question is a page of its own.
    tab.press("Archive…").await;
    tab.arrive(&format!("{place}/archive")).await;
    tab.click("main form button[type=submit]").await;
    tab.see("[role=status]", "Archived.").await;

    tab.go("/events").await;
    tab.click(".facets a[href*='outcome:failure']").await;
    tab.see(".facets [aria-current]", "failure").await;
    tab.click("#event-histogram .as-table summary").await;
    tab.click("#event-histogram table a").await;
    tab.see(".narrowed", "Narrowed to the time").await;

    theme(&tab).await;
    tab.go("/log-view").await;
    tab.press("Verify now").await;
    tab.see("[role=status]", "entries were read back").await;
    tab.close().await;
    world.end();
}

async fn theme(tab: &Tab) {
    tab.go("/jobs").await;
    tab.click("details.menu summary").await;
    tab.click("button[name=theme][value=dark]").await;
    tab.find("html[data-theme=dark]").await;
    tab.arrive("/jobs").await;
}
