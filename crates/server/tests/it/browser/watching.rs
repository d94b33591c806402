//! Whether everything is being watched, alerts that come while a page is open, and forms that show
//! what they would do while they are filled in.

use chancery_testkit::Tab;
use chancery_throwaway::on_each_backend;

use super::world::World;

on_each_backend!(the_first_page_says_whether_all_is_watched_and_forms_show_what_they_would_do, 2);

async fn the_first_page_says_whether_all_is_watched_and_forms_show_what_they_would_do() {
    let world = World::furnished().await;
    let tab = world.administrator().await;
    let other = world.administrator().await;
    bell(&tab, &other).await;
    other.close().await;
    home(&tab).await;
    rule(&tab).await;
    action(&tab).await;
    monitor(&tab).await;
    ahead(&tab).await;
    tab.close().await;
    world.end();
}

/// What somebody does elsewhere shows in the bell of a page that stays open.
async fn bell(tab: &Tab, other: &Tab) {
    tab.go("/catalogue").await;
    tab.find("#bell .bell-count").await;
    other.go("/alerts").await;
    other.press("Mark all as read").await;
    tab.until("document.querySelector('#bell .bell-count') === null").await;
}

/// One line with what was evaluated and when the next run is; red when nothing watches.
async fn home(tab: &Tab) {
    tab.go("/").await;
    let line = tab.see("#watching", "evaluated at").await;
    assert!(line.contains("Watched: certificates, ") && line.contains("next "), "{line}");
    let counts: Vec<&str> = line.split_whitespace().collect();
    let of = counts.iter().position(|word| *word == "of").unwrap();
    assert_eq!(counts[of - 1], counts[of + 1], "all of them: {line}");
    assert_eq!(tab.count("#watching.t-good").await, 1);
    tab.go("/monitors/certificate-expiry").await;
    tab.press("Pause").await;
    // The page is back and offers the opposite.
    tab.named("Resume").await;
    tab.go("/").await;
    tab.see("#watching", "Not watched").await;
    assert_eq!(tab.count("#watching.t-bad[role=alert]").await, 1);
    tab.go("/monitors/certificate-expiry").await;
    tab.press("Resume").await;
    tab.named("Pause").await;
}

/// A field that is clicked goes into the condition, and the count follows what is typed.
async fn rule(tab: &Tab) {
    tab.go("/automation/rules/new").await;
    tab.fill("#narrow-fields", "key_size").await;
    tab.click("#fields [data-item]:not([hidden]) button.insert").await;
    tab.until("document.getElementById('filter').value === 'object.key_size:'").await;
    tab.fill("#filter", "object.key_size<3000").await;
    tab.until("document.querySelector('#preview #tried') !== null").await;
    tab.fill("#filter", "object.key_size<").await;
    tab.until("document.querySelector('#preview').textContent.includes('Not yet')").await;
}

/// A name that is clicked goes into the steps, right behind what is there.
async fn action(tab: &Tab) {
    tab.go("/automation/actions/new").await;
    tab.fill("#steps", "[[steps]]\nstep = \"notify\"\ntitle = \"").await;
    tab.fill("#narrow-names", "key_size").await;
    tab.click("#names [data-item]:not([hidden]) button.insert").await;
    tab.until("document.getElementById('steps').value.endsWith('\"{object.key_size}')").await;
}

/// Only what the chosen kind knows is asked for, and what the filter selects is counted beside it.
/// What was searched among its fields stays searched.
async fn monitor(tab: &Tab) {
    tab.go("/monitors/new").await;
    tab.fill("#narrow-fields", "key_size").await;
    tab.click("#fields [data-item]:not([hidden]) button.insert").await;
    tab.until("document.getElementById('filter').value === 'key_size:'").await;
    tab.fill("#filter", "cn:(").await;
    tab.until("document.getElementById('selected').textContent.includes('Not yet')").await;
    tab.fill("#filter", "cn:*").await;
    tab.until("document.getElementById('selected').textContent.includes('choose among')").await;
    tab.until("document.querySelector('#fields [data-item][hidden]') !== null").await;
    tab.until("document.getElementById('certificates').offsetParent === null").await;
    tab.until("document.getElementById('filter').offsetParent !== null").await;
    let choose = "const kind = document.getElementById('kind'); kind.value = 'limits'; \
                  kind.dispatchEvent(new Event('change', { bubbles: true }));";
    tab.run(choose, vec![]).await;
    tab.until("document.getElementById('certificates').offsetParent !== null").await;
    tab.until("document.getElementById('filter').offsetParent === null").await;
}

/// The days to come, with whom they reach.
async fn ahead(tab: &Tab) {
    tab.go("/automation/ahead").await;
    tab.press("Look ahead").await;
    tab.see("#ahead", "to come").await;
    tab.find("#ahead-list tbody tr").await;
}
