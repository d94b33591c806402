//! Contracts of the markup, the stylesheet and the script.

use std::collections::{HashMap, HashSet};

use maud::html;

use super::*;

fn login() -> String {
    login_page(&LoginFrame {
        preferences: Preferences::default(),
        csrf: "t",
        name: "<ines>",
        error: Some("Name or password is wrong."),
        next: "/events?q=\"a\"",
        notice: "Authorised people only.",
        version: "0.1.0",
    })
    .into_string()
}

fn pages() -> Vec<String> {
    let gallery = |theme| gallery::page(Preferences { theme, zone: Zone::Utc }).into_string();
    vec![gallery(Theme::Light), gallery(Theme::Dark), login()]
}

/// All start tags of the page, as (name, attributes). Values are left escaped; `title` texts hold
/// no `<`.
fn tags(page: &str) -> Vec<(String, Vec<(String, String)>)> {
    page.split('<')
        .skip(1)
        .filter(|part| part.starts_with(|c: char| c.is_ascii_alphabetic()))
        .map(tag)
        .collect()
}

fn tag(part: &str) -> (String, Vec<(String, String)>) {
    let name_len = part.find([' ', '>']).unwrap_or(part.len());
    let (name, mut rest) = part.split_at(name_len);
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() || rest.starts_with('>') {
            return (name.to_owned(), attributes);
        }
        let end = rest.find(['=', ' ', '>']).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        let value = match after.strip_prefix("=\"") {
            Some(quoted) => {
                let close = quoted.find('"').expect("quoted value ends");
                rest = &quoted[close + 1..];
                &quoted[..close]
            }
            None => {
                rest = after;
                ""
            }
        };
        attributes.push((key.to_owned(), value.to_owned()));
    }
}

fn value<'a>(attributes: &'a [(String, String)], key: &str) -> Option<&'a str> {
    attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

#[test]
fn no_page_needs_more_than_the_policy_allows() {
    for page in pages() {
        for (name, attributes) in tags(&page) {
            assert!(name != "style", "a style element");
            for (key, value) in &attributes {
                assert!(key != "style" && !key.starts_with("on"), "{key} on <{name}>");
                assert!(
                    !value.trim_start().starts_with("javascript:"),
                    "script address on <{name}>"
                );
                assert!(
                    !value.contains("//") || value.starts_with("http://www.w3.org/"),
                    "{value}"
                );
            }
            if name == "script" {
                assert!(value(&attributes, "src").is_some(), "an inline script");
            }
        }
    }
}

#[test]
fn ids_are_unique_and_references_lead_somewhere() {
    for page in pages() {
        let tags = tags(&page);
        let mut ids = HashSet::new();
        for id in tags.iter().filter_map(|(_, attributes)| value(attributes, "id")) {
            assert!(ids.insert(id), "id {id} twice");
        }
        let pointers = [
            "for",
            "aria-labelledby",
            "aria-describedby",
            "data-opens",
            "data-into",
            "data-copy-from",
        ];
        for (name, attributes) in &tags {
            for (key, value) in
                attributes.iter().filter(|(key, _)| pointers.contains(&key.as_str()))
            {
                for id in value.split(' ') {
                    assert!(ids.contains(id), "<{name} {key}={id}> leads nowhere");
                }
            }
            if let Some(target) = value(attributes, "href").and_then(|href| href.strip_prefix('#'))
            {
                assert!(ids.contains(target), "#{target} leads nowhere");
            }
        }
    }
}

#[test]
fn each_control_has_a_label_and_each_post_a_token() {
    for page in pages() {
        let tags = tags(&page);
        let labelled: HashSet<&str> = tags
            .iter()
            .filter(|(name, _)| name == "label")
            .filter_map(|(_, attributes)| value(attributes, "for"))
            .collect();
        for (name, attributes) in &tags {
            let hidden = value(attributes, "type") == Some("hidden");
            if ["input", "select", "textarea"].contains(&name.as_str()) && !hidden {
                let id = value(attributes, "id").expect("a control has an id");
                assert!(labelled.contains(id), "{id} has no label");
            }
        }
        for form in page.split("<form").skip(1).filter(|form| {
            form.split('>').next().is_some_and(|start| start.contains("method=\"post\""))
        }) {
            let form = form.split("</form").next().unwrap_or(form);
            assert!(form.contains("name=\"csrf\""), "a form without token: {form}");
        }
    }
}

#[test]
fn forms_are_never_nested() {
    for page in pages() {
        let mut depth = 0;
        for part in page.split('<') {
            if part.starts_with("form") {
                depth += 1;
            } else if part.starts_with("/form") {
                depth -= 1;
            }
            assert!((0..=1).contains(&depth), "nested form: {part}");
        }
    }
}

#[test]
fn texts_are_escaped() {
    let evil = "<script>alert(\"1\")</script>&'";
    let field_of = Field {
        id: "a",
        name: "a",
        label: evil,
        value: evil,
        hint: evil,
        error: evil,
        ..Field::default()
    };
    let error =
        SearchError { position: 3, len: 4, message: evil, suggestion: Some((evil, "/?q=\"<")) };
    let search = SearchBox {
        id: "s",
        action: "/e",
        query: evil,
        placeholder: evil,
        error: Some(error),
        help_href: "/h",
        keep: &[(evil, evil)],
    };
    for markup in [
        severity(evil),
        outcome(evil),
        certificate_status(evil),
        job_state(evil),
        fingerprint(evil),
        json_block("j", evil, evil),
        alert_box(AlertKind::Error, evil),
        empty_state(evil, evil, None),
        page_header(evil, evil, html! {}),
        field(&field_of),
        text_area(&field_of, 2, true),
        search_box(&search),
        diff_table(evil, &[Change { field: evil, before: Some(evil), after: None }]),
        error_page(500, evil, evil, Some((evil, "/"))),
        sparkline(evil, &[1, 2]),
        donut(evil, &[Slice { label: evil, count: 1, tone: Tone::Good, href: None }]),
    ] {
        let markup = markup.into_string();
        assert!(!markup.contains("<script"), "{markup}");
        for (name, attributes) in tags(&markup) {
            assert!(name != "script");
            assert!(attributes.iter().all(|(key, _)| !key.contains("alert")), "{attributes:?}");
        }
    }
}

#[test]
fn search_error_points_at_the_part_even_inside_a_character() {
    let echo_of = |query: &str, position, len| {
        let error = SearchError { position, len, message: "m", suggestion: None };
        let search = SearchBox {
            id: "s",
            action: "/",
            query,
            placeholder: "",
            error: Some(error),
            help_href: "/",
            keep: &[],
        };
        let page = search_box(&search).into_string();
        page.split("<mark>").nth(1).and_then(|rest| rest.split("</mark>").next()).map(str::to_owned)
    };
    assert_eq!(echo_of("a outcom:b", 2, 6).as_deref(), Some("outcom"));
    assert_eq!(echo_of("é:x", 1, 1).as_deref(), Some("é"));
    assert_eq!(echo_of("abc", 99, 5).as_deref(), Some("\u{2038}"));
    assert_eq!(echo_of("abc", 1, usize::MAX).as_deref(), Some("bc"));
}

#[test]
fn times_are_utc_and_bad_ones_do_not_break_a_page() {
    assert_eq!(rfc3339(gallery::NOW).as_deref(), Some("2026-11-21T04:10:09.250000Z"));
    assert!(time(0).into_string().contains("1970-01-01 00:00:00 <span"));
    assert_eq!(time(i64::MAX).into_string(), "<span class=\"muted\">—</span>");
    for (count, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_204_733, "1,204,733")] {
        assert_eq!(grouped(count), text);
    }
    let now = 1_000_000_000_000_000;
    for (offset_s, words) in [
        (3, "just now"),
        (-3, "just now"),
        (60, "in 60 s"),
        (-120, "2 min ago"),
        (7_200, "in 2 h"),
        (-86_400 * 47, "47 d ago"),
        (86_400 * 3_650, "in 10 y"),
    ] {
        assert_eq!(moment::distance(now + offset_s * 1_000_000, now), words);
    }
}

#[test]
fn validity_bar_says_what_it_draws() {
    let say = |now: i64| {
        validity_bar(0, 100 * 86_400_000_000, now * 86_400_000_000, 70 * 86_400_000_000)
            .into_string()
    };
    for (day, class, words) in [
        (-2, "t-info", "Starts in 2 d"),
        (50, "t-good", "Expires in 50 d"),
        (70, "t-warning", "Expires in 30 d"),
        (100, "t-bad", "Expired just now"),
        (103, "t-bad", "Expired 3 d ago"),
    ] {
        let page = say(day);
        assert!(page.contains(class) && page.contains(words), "day {day}: {page}");
    }
}

#[test]
fn empty_charts_are_still_valid() {
    let empty = Histogram { id: "h", label: "events", series: &[], buckets: &[], from: 0, to: 0 };
    for markup in [
        histogram(&empty),
        sparkline("none", &[]),
        sparkline("one", &[0]),
        donut("none", &[]),
        validity_bar(5, 5, 5, 5),
    ] {
        let page = markup.into_string();
        assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
    }
}

#[test]
fn small_shares_are_not_called_nothing() {
    let slice = |count| Slice { label: "x", count, tone: Tone::Good, href: None };
    let page = donut("all", &[slice(1), slice(9_999), slice(0)]).into_string();
    for share in ["&lt; 1 %", "&gt; 99 %", ">0 %"] {
        assert!(page.contains(share), "{share} in {page}");
    }
}

#[test]
fn preferences_come_from_cookies_and_reach_the_page() {
    assert_eq!(
        Preferences::from_cookies(Some("\"><script>"), Some("mars")),
        Preferences::default()
    );
    let chosen = Preferences::from_cookies(Some("dark"), Some("local"));
    let page = gallery::page(chosen).into_string();
    assert!(page.contains("data-theme=\"dark\" data-zone=\"local\""));
    assert!(page.contains("value=\"dark\" aria-pressed=\"true\""));
    assert!(page.contains("value=\"local\" aria-pressed=\"true\""));
}

#[test]
fn twelve_outcomes_are_known() {
    for code in [
        "SUCCESS",
        "FAILURE",
        "SKIPPED",
        "ALLOW",
        "DENY",
        "CHALLENGE",
        "RATE_LIMIT",
        "DEFERRED",
        "SCHEDULED",
        "ABANDONED",
        "UNANSWERED",
    ] {
        assert!(!outcome(code).into_string().contains(code), "{code} is shown raw");
    }
    assert!(outcome("UNKNOWN").into_string().contains("Unknown"));
}

#[test]
fn assets_exist_are_small_and_carry_their_hash() {
    for page in pages() {
        for (_, attributes) in tags(&page) {
            for key in ["src", "href"] {
                let Some(url) = value(&attributes, key).filter(|url| url.starts_with("/assets/"))
                else {
                    continue;
                };
                let (name, version) = url["/assets/".len()..].split_once("?v=").expect("a hash");
                let asset = assets::lookup(name).expect("an embedded file");
                assert_eq!(asset.cache_control(Some(version)), assets::CACHE_IMMUTABLE);
                assert_eq!(asset.cache_control(Some("other")), assets::CACHE_REVALIDATE);
            }
        }
    }
    let size = |name| assets::lookup(name).expect("an embedded file").bytes.len();
    assert!(size("app.css") < 40_000 && size("app.js") < 40_000);
    assert!(assets::lookup("../Cargo.toml").is_none() && assets::lookup("").is_none());
    let types: HashMap<_, _> = assets::names()
        .map(|name| (name.to_string(), assets::lookup(&name).expect("listed").media_type))
        .collect();
    assert_eq!(types["app.css"], "text/css; charset=utf-8");
    assert_eq!(types["app.js"], "text/javascript; charset=utf-8");
    assert_eq!(types["favicon.svg"], "image/svg+xml");
}

#[test]
fn favicon_file_is_the_mark() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/favicon.svg");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, favicon_svg()).expect("writable");
    }
    assert_eq!(std::fs::read_to_string(path).expect("readable"), favicon_svg());
}

mod script;
mod stylesheet;
