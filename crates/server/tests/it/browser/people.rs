//! Signing in, one's own account, other people's accounts and tokens, labels and attributes.

use super::world::{PASSWORD, World, sign_in};
use chancery_throwaway::on_each_backend;

on_each_backend!(people_sign_in_and_administrators_make_and_revoke, 2);

async fn people_sign_in_and_administrators_make_and_revoke() {
    let world = World::furnished().await;
    let tab = world.tab().await;

    // Where one wanted to go is kept through a wrong and a right password.
    tab.go("/jobs").await;
    tab.arrive("/login?next=/jobs").await;
    tab.fill("input[name=name]", "admin").await;
    tab.fill("input[name=password]", "not the password").await;
    tab.click("form.form button").await;
    tab.see("[role=alert]", "wrong").await;
    let kept = tab.eval("document.querySelector('input[name=name]').value").await;
    assert_eq!(kept, "admin");
    tab.fill("input[name=password]", PASSWORD).await;
    tab.click("form.form button").await;
    tab.arrive("/jobs").await;

    tokens(&tab).await;
    accounts(&tab).await;
    own_password(&tab).await;
    labels(&tab).await;
    tab.close().await;

    let viewer = world.tab().await;
    refusals(&viewer).await;
    viewer.close().await;
    world.end();
}

async fn tokens(tab: &chancery_testkit::Tab) {
    tab.go("/account").await;
    tab.fill("#token-days", "999").await;
    tab.fill("#token-name", "for the browser").await;
    tab.press("Make token").await;
    tab.see("#token-days-error", "366").await;
    tab.fill("#token-days", "3").await;
    tab.press("Make token").await;
    let secret = tab.see("#secret", "chy_").await;
    tab.press("To your account").await;
    tab.see("#token-list", "for the browser").await;
    assert!(!tab.see("main", "API tokens").await.contains(&secret), "it is shown again");
    tab.click("#token-list button[type=submit]").await;
    tab.see("[role=status]", "The token is revoked.").await;
    tab.see("#token-list", "Revoked").await;
}

async fn accounts(tab: &chancery_testkit::Tab) {
    tab.go("/administration").await;
    tab.fill("#name", "Not A Name").await;
    tab.press("Make account").await;
    tab.see("#name-error", "").await;
    tab.fill("#name", "otto.operator").await;
    tab.press("Make account").await;
    let first = tab.see("#secret", "").await;
    assert!(first.len() > 11, "{first}");
    tab.press("To the account").await;
    tab.see("h1", "otto.operator").await;
    tab.go("/administration").await;
    tab.see("#accounts", "otto.operator").await;
}

async fn own_password(tab: &chancery_testkit::Tab) {
    tab.go("/account/password").await;
    let filed = tab.eval("document.querySelector('input[autocomplete=username]').value").await;
    assert_eq!(filed, "admin", "password managers cannot know whose password it is");
    tab.fill("#present", "not the present one").await;
    tab.fill("#new", "a new password of some length").await;
    tab.fill("#again", "a new password of some length").await;
    tab.press("Change password").await;
    tab.see("#present-error", "not your").await;
}

async fn labels(tab: &chancery_testkit::Tab) {
    tab.go("/administration/attributes").await;
    tab.fill("#name", "cost_centre").await;
    tab.fill("#label", "Cost centre").await;
    tab.press("Make").await;
    tab.see("#attributes", "Cost centre").await;
    tab.fill("#name", "cost_centre").await;
    tab.press("Make").await;
    tab.see("main .message, main .field-error", "").await;
    tab.go("/certificates/upload").await;
    tab.see("label", "Cost centre").await;
}

/// Somebody who may only look is told so in the frame, with a way on.
async fn refusals(tab: &chancery_testkit::Tab) {
    sign_in(tab, "vera.viewer", "a first password of some length").await;
    if tab.place().await.starts_with("/account/password") {
        tab.fill("#present", "a first password of some length").await;
        tab.fill("#new", "another password of some length").await;
        tab.fill("#again", "another password of some length").await;
        tab.press("Change password").await;
        tab.arrive("/").await;
    }
    tab.go("/certificates/upload").await;
    tab.see("main", "certificate:write").await;
    tab.see("nav.places", "Certificates").await;
    tab.press("What you may do").await;
    tab.see("main", "certificate:read").await;
    tab.go("/nothing/here").await;
    tab.see("h1", "There is no such thing here").await;
    tab.click("nav.places a[href='/events']").await;
    tab.see("h1", "Events").await;
    let empty = tab.count("main a[href='/certificates/upload']").await;
    assert_eq!(empty, 0, "a page offers what the role may not do");
}
