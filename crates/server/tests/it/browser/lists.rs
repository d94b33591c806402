//! What all lists share: search, facets, histogram, order, saved views, export, live rows, keys,
//! the choices of a reader; and the address that holds it all.

use chancery_event::Environment;
use chancery_testkit::{Authority, Tab};
use chancery_throwaway::on_each_backend;
use serde_json::json;

use super::world::World;

on_each_backend!(lists_are_searched_narrowed_kept_and_taken_out, 2);

async fn lists_are_searched_narrowed_kept_and_taken_out() {
    let world = World::furnished().await;
    let tab = world.administrator().await;
    search(&tab).await;
    facets(&tab).await;
    brush(&tab).await;
    views(&tab).await;
    order(&tab).await;
    export(&tab, &world).await;
    tab.close().await;
    world.end();
}

on_each_backend!(new_rows_wait_keys_work_and_choices_stay, 2);

async fn new_rows_wait_keys_work_and_choices_stay() {
    let world = World::furnished().await;
    let tab = world.administrator().await;
    let other = world.administrator().await;
    live(&tab, &other).await;
    other.close().await;
    keys(&tab).await;
    choices(&tab).await;
    tab.close().await;
    world.end();
}

/// A fault is pointed at, with a query that works; the address keeps what was asked.
async fn search(tab: &Tab) {
    tab.go("/events").await;
    tab.fill("#event-search", "severity:warning outcom:failure").await;
    tab.keys("\u{e007}").await;
    tab.see("#event-search-error mark", "outcom").await;
    let invalid = tab.eval("document.getElementById('event-search').ariaInvalid").await;
    assert_eq!(invalid, "true");
    tab.click("#event-search-error a").await;
    tab.see("#events", "failed").await;
    let query = tab.eval("new URL(location).searchParams.get('q')").await;
    assert_eq!(query, "severity:warning outcome:failure");
    tab.reload().await;
    let kept = tab.eval("document.getElementById('event-search').value").await;
    assert_eq!(kept, "severity:warning outcome:failure");
    // The box in the frame finds certificates and events alike.
    tab.fill("#global-search", "shop.demonstration.example").await;
    tab.keys("\u{e007}").await;
    tab.arrive("/search?q=shop.demonstration.example").await;
    tab.see("main", "shop.demonstration.example").await;
}

async fn facets(tab: &Tab) {
    tab.go("/events").await;
    let all = rows(tab).await;
    tab.click(".facets a[href*='outcome:failure']").await;
    tab.see(".facets [aria-current]", "failure").await;
    let some = rows(tab).await;
    assert!(0 < some && some < all, "{some} of {all}");
    tab.web.back().await.unwrap();
    tab.until(&format!("document.querySelectorAll('#events tbody tr').length === {all}")).await;
    tab.web.forward().await.unwrap();
    tab.see(".facets [aria-current]", "failure").await;
    tab.click(".facets [aria-current]").await;
    tab.until("!new URL(location).searchParams.get('q')").await;
    tab.click(".facets a[href*='actor:']").await;
    tab.see(".facets [aria-current]", "").await;
}

async fn rows(tab: &Tab) -> usize {
    tab.count("#events tbody tr").await
}

/// Dragging over the histogram narrows the list to the span.
async fn brush(tab: &Tab) {
    tab.go("/events").await;
    let svg = tab.find("[data-brush]").await;
    let width = tab.eval("document.querySelector('[data-brush]').clientWidth").await;
    let width = width.as_i64().unwrap();
    let drag = tab.web.action_chain().move_to_element_with_offset(&svg, width / 4, 30);
    let drag = drag.click_and_hold().move_by_offset(width / 6, 0);
    drag.move_by_offset(width / 20, 0).release().perform().await.unwrap();
    tab.until("new URL(location).searchParams.get('from')").await;
    tab.see(".narrowed", "Narrowed to the time").await;
    tab.press("show all times").await;
    tab.until("!new URL(location).searchParams.get('from')").await;
    tab.see("#events", "").await;
}

async fn views(tab: &Tab) {
    tab.go("/events?q=outcome:failure").await;
    tab.press("Save this view").await;
    tab.fill("#view-name", "What went wrong").await;
    tab.click(".views form.form button").await;
    tab.see("[role=status]", "is saved").await;
    tab.go("/events").await;
    tab.press("What went wrong").await;
    tab.until("new URL(location).searchParams.get('q') === 'outcome:failure'").await;
    tab.see(".views [aria-current]", "What went wrong").await;
    tab.click(".views form.inline button").await;
    tab.see("[role=status]", "The view is deleted.").await;
}

async fn order(tab: &Tab) {
    tab.go("/certificates").await;
    tab.see("th[aria-sort=ascending]", "Expires").await;
    tab.press("Subject").await;
    tab.see("th[aria-sort=ascending]", "Subject").await;
    tab.press("Subject").await;
    tab.see("th[aria-sort=descending]", "Subject").await;
    assert!(tab.place().await.contains("sort=-subject"));
}

/// What is downloaded is what is shown.
async fn export(tab: &Tab, world: &World) {
    tab.go("/certificates?q=name:*.demonstration.example%20status:expiring").await;
    let shown = tab.count("#certificates tbody tr").await;
    assert!(shown > 1);
    tab.press("CSV").await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let text = loop {
        let files = std::fs::read_dir(world.downloads()).unwrap();
        let mut paths = files.map(|file| file.unwrap().path());
        let whole = paths.find(|path| path.extension().is_some_and(|end| end == "csv"));
        if let Some(text) = whole.and_then(|path| std::fs::read_to_string(path).ok())
            && text.lines().count() > shown
        {
            break text;
        }
        assert!(std::time::Instant::now() < deadline, "nothing was downloaded");
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    };
    assert_eq!(text.lines().count(), shown + 1, "{text}");
}

/// Rows that come in while somebody reads wait until they are asked for, and nothing moves.
async fn live(tab: &Tab, other: &Tab) {
    tab.go("/events").await;
    tab.see(".live-state", "Live").await;
    tab.until("document.querySelector('.live') && !document.querySelector('.live').hidden").await;
    let first = "document.querySelector('#events tbody .row-link').getAttribute('href')";
    let top = "document.querySelector('#events tbody tr').getBoundingClientRect().top";
    let (row, height) = (tab.eval(first).await, tab.eval(top).await);
    let now = Environment::system().now();
    let pem = Authority::new("Live CA", now).pem();
    other.go("/certificates/upload").await;
    other.fill("#files-input-text", &pem).await;
    other.click("main form.form button[type=submit]").await;
    other.see("h1", "Live CA").await;
    tab.see(".live-show", "new event").await;
    assert_eq!(tab.eval(first).await, row, "a row was put above what is being read");
    assert_eq!(tab.eval(top).await, height, "the rows moved");
    // What came first may have been something else.
    let came = "[...document.querySelectorAll('#events tbody tr.fresh')]\
         .some((row) => row.textContent.includes('Live CA'))";
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while tab.eval(came).await != json!(true) {
        assert!(std::time::Instant::now() < deadline, "the upload does not show");
        tab.keys(".").await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_ne!(tab.eval(first).await, row);
    tab.press("Pause").await;
    tab.see(".live-state", "Paused").await;
}

/// The whole way by keys alone, with the focus in sight at each step.
async fn keys(tab: &Tab) {
    let seen = "getComputedStyle(document.activeElement).outlineStyle !== 'none' \
         && document.activeElement.getBoundingClientRect().height > 0";
    tab.go("/certificates").await;
    tab.keys("\u{e004}").await;
    assert_eq!(tab.eval("document.activeElement.className").await, "skip");
    assert_eq!(tab.eval(seen).await, json!(true), "the skip link is not seen");
    tab.keys("\u{e007}").await;
    tab.until("document.activeElement.id === 'main' || location.hash === '#main'").await;
    tab.keys("/").await;
    tab.until("document.activeElement.id === 'certificate-search'").await;
    tab.keys("status:expired\u{e007}").await;
    tab.until("new URL(location).searchParams.get('q') === 'status:expired'").await;
    tab.until("document.readyState === 'complete'").await;
    tab.keys("jj").await;
    let place = "[...document.querySelectorAll('#certificates .row-link')]\
         .indexOf(document.activeElement)";
    assert_eq!(tab.eval(place).await, json!(1));
    assert_eq!(tab.eval(seen).await, json!(true), "the focus on a row is not seen");
    tab.keys("k").await;
    assert_eq!(tab.eval(place).await, json!(0));
    tab.keys("\u{e007}").await;
    tab.arrive("/certificates/").await;
    tab.see("#status", "Expired").await;
    tab.keys("?").await;
    tab.see("dialog[open]", "Next row").await;
    tab.keys("\u{e00c}").await;
    tab.until("!document.querySelector('dialog[open]')").await;
    // Tab by tab: whatever takes the focus shows it.
    for _ in 0..25 {
        tab.keys("\u{e004}").await;
        let told = tab.eval("document.activeElement.outerHTML.slice(0, 120)").await;
        assert_eq!(tab.eval(seen).await, json!(true), "the focus is not seen on {told}");
    }
}

/// Light and dark, UTC and local: chosen at once, and still so on the next page.
async fn choices(tab: &Tab) {
    let cdp = tab.web.cdp();
    let zone = json!({ "timezoneId": "Asia/Kolkata" });
    cdp.send_raw("Emulation.setTimezoneOverride", zone).await.unwrap();
    tab.go("/events").await;
    let time = "document.querySelector('#events time').textContent";
    let utc = tab.eval(time).await;
    tab.click(".top-tools > .zone-switch button[value=local]").await;
    tab.until(&format!("{time}.includes('+05:30')")).await;
    assert_ne!(tab.eval(time).await, utc);
    tab.reload().await;
    tab.until(&format!("{time}.includes('+05:30')")).await;
    tab.click(".top-tools > .zone-switch button[value=utc]").await;
    tab.until(&format!("{time}.includes('UTC')")).await;
    let ground = "getComputedStyle(document.body).backgroundColor";
    tab.click("details.menu summary").await;
    tab.click("button[name=theme][value=light]").await;
    let light = tab.eval(ground).await;
    tab.click("button[name=theme][value=dark]").await;
    assert_ne!(tab.eval(ground).await, light);
    let dark = tab.eval(ground).await;
    tab.go("/certificates").await;
    assert_eq!(tab.eval(ground).await, dark, "the choice was forgotten");
}
