//! Certificates in, looked at, moved, put away and deleted.

use chancery_event::{Environment, Timestamp};
use chancery_testkit::{Authority, Tab};
use chancery_throwaway::on_each_backend;
use serde_json::json;

use super::world::World;

/// Puts a file on the drop zone, as dragging it there from a folder does.
const DROP: &str = r"
const data = new DataTransfer();
data.items.add(new File([arguments[0]], 'dropped.pem', { type: 'application/x-pem-file' }));
document.querySelector('[data-drop]').dispatchEvent(
  new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
";

on_each_backend!(certificates_come_in_are_moved_and_go, 2);

async fn certificates_come_in_are_moved_and_go() {
    let world = World::furnished().await;
    let tab = world.administrator().await;
    let now = Environment::system().now();
    let authority = Authority::new("Browser CA", now);

    dropped(&tab, &authority, now).await;
    let pem = authority.leaf("pasted.example.org", now, 200).to_pem();
    let place = pasted(&tab, &pem).await;
    wrong(&tab, &pem).await;
    story(&tab, &place).await;
    placed(&tab, &place).await;
    put_away(&tab, &place).await;
    tab.close().await;
    world.end();
}

/// A bundle by drop: its authority and a leaf.
async fn dropped(tab: &Tab, authority: &Authority, now: Timestamp) {
    let leaf = authority.leaf("dropped.example.org", now, 200).to_pem();
    tab.go("/certificates/upload").await;
    tab.run(DROP, vec![json!(format!("{}{leaf}", authority.pem()))]).await;
    tab.see(".drop-names", "dropped.pem").await;
    tab.click("#trust-anchor").await;
    tab.click("main form.form button[type=submit]").await;
    tab.see("h1", "What became of the upload").await;
    tab.see("#uploaded", "dropped.example.org").await;
    tab.see("main", "2 entered, 0 did not.").await;
}

async fn pasted(tab: &Tab, pem: &str) -> String {
    tab.go("/certificates/upload").await;
    tab.fill("#files-input-text", pem).await;
    tab.click("main form.form button[type=submit]").await;
    tab.see("h1", "pasted.example.org").await;
    tab.see("[role=status]", "The certificate is in the inventory.").await;
    tab.place().await
}

/// Nothing, something else, and what is there already: each is said at its place.
async fn wrong(tab: &Tab, pem: &str) {
    tab.go("/certificates/upload").await;
    tab.click("main form.form button[type=submit]").await;
    tab.see("[role=alert]", "Choose a file, or paste a certificate.").await;
    tab.fill("#files-input-text", "this is a shopping list").await;
    tab.click("main form.form button[type=submit]").await;
    tab.see("[role=alert]", "certificate").await;
    let kept = tab.eval("document.getElementById('files-input-text').value").await;
    assert_eq!(kept, "this is a shopping list", "what was pasted is lost");
    tab.fill("#files-input-text", pem).await;
    tab.click("main form.form button[type=submit]").await;
    tab.see("#uploaded", "Was there already").await;
    tab.click("#uploaded .row-link").await;
    tab.see("h1", "pasted.example.org").await;
}

async fn story(tab: &Tab, place: &str) {
    // The story is sealed a moment after the upload was answered.
    loop {
        tab.go(place).await;
        let text = tab.see("#story", "").await;
        if text.contains("pasted.example.org has entered the inventory") {
            break;
        }
    }
    tab.see(".answers", "Nobody").await;
    tab.see(".answers", "Nothing has to be done.").await;
    tab.see("#status", "Valid").await;
    tab.see("#chain", "Browser CA").await;
    tab.click("#chain a[href^='/certificates/']").await;
    tab.see("h1", "Browser CA").await;
    tab.see("#chain", "name it as their issuer").await;
    tab.web.back().await.unwrap();
    tab.see("h1", "pasted.example.org").await;
    tab.click("#story .timeline a").await;
    tab.arrive("/events/").await;
}

async fn placed(tab: &Tab, place: &str) {
    tab.go(place).await;
    tab.press("Give it an owner").await;
    tab.fill("#owner", "nobody.of.this.name").await;
    tab.press("Save").await;
    tab.see("#owner-error", "").await;
    tab.fill("#owner", "admin").await;
    tab.fill("#path", "/prod/web").await;
    tab.click("#group-1").await;
    tab.press("Save").await;
    tab.see("[role=status]", "Saved.").await;
    tab.see(".answers", "admin").await;
    tab.see("#belongs", "/prod/web").await;
    // What changed stands in the event, before and after.
    loop {
        tab.go(place).await;
        let newest = tab.see("#story .timeline li:nth-child(2)", "").await;
        if newest.contains("changed") || newest.contains("updated") {
            break;
        }
    }
    tab.click("#story .timeline li:nth-child(2) a").await;
    tab.see("table.diff", "/prod/web").await;
}

async fn put_away(tab: &Tab, place: &str) {
    tab.go(place).await;
    tab.press("Archive…").await;
    tab.see("dialog[open] h2", "Archive this certificate?").await;
    // Escape leaves everything as it is.
    tab.keys("\u{e00c}").await;
    tab.until("!document.querySelector('dialog[open]')").await;
    tab.press("Archive…").await;
    tab.fill("#archive-note", "replaced by hand").await;
    tab.click("dialog[open] button.primary").await;
    tab.see("[role=status]", "Archived.").await;
    tab.go("/certificates?q=name:pasted.example.org").await;
    tab.see("main", "No certificate fits").await;
    tab.go(place).await;
    tab.press("Take back").await;
    tab.see("[role=status]", "Taken back.").await;
    tab.press("Delete…").await;
    tab.see("dialog[open] h2", "for good?").await;
    tab.click("dialog[open] button.danger").await;
    tab.see("[role=status]", "The certificate is deleted.").await;
    tab.go(place).await;
    tab.see("h1", "There is no such thing here").await;
}
