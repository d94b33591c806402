//! The SCIM spelling, by table.

use super::*;

/// What SCIM says, in the text spelling.
#[track_caller]
fn check(scim: &str, text: &str) {
    let found =
        Filter::from_scim(scim, &schema()).unwrap_or_else(|error| panic!("{scim}: {error}"));
    assert_eq!(found, Filter::parse(text, &schema()).unwrap(), "{scim}: {found}");
}

#[test]
fn scim_says_what_text_says() {
    check("", "");
    check("  ", "");
    check(r#"type eq "certificate.issue""#, "type:certificate.issue");
    check(r#"EVENT EQ "LIFECYCLE-ENROLL""#, "type:certificate.issue");
    check(r#"type eq "certificate_life""#, "type:certificate.issue,certificate.expiring");
    check(r#"type ne "certificate.issue""#, "type!=certificate.issue");
    check(r#"type sw "certificate.""#, "type:certificate.*");
    check(r#"actor co "ad" and actor ew "a""#, "actor:*ad* actor:*a");
    check(r#"actor pr"#, "actor:*");
    check(r#"not (actor pr)"#, "-actor:*");
    check(r#"actor eq null"#, "-actor:*");
    check(r#"actor ne null"#, "actor:*");
    check("size gt 2048 and size le 4096", "size>2048 size<=4096");
    check(r#"size eq "2048""#, "size=2048");
    check("score lt 1.5", "score<1.5");
    check("trusted eq true", "trusted:true");
    check(r#"severity ge "warn""#, "severity>=warning");
    check(r#"time gt "2026-11-21T00:00:00Z""#, "time>2026-11-21T00:00:00Z");
    check(r#"time eq "2026-11-21""#, "time:2026-11-21");
    check(r#"urn:ietf:params:scim:schemas:x:2.0:Event:actor eq "a""#, "actor:a");
    check(r#"actor eq "a\"b\u00e9""#, r#"actor:"a\"bé""#);
    // RFC 7644 §3.4.2.2: not, then and, then or.
    check("actor pr or note pr and size pr", "actor:* OR (note:* size:*)");
    check("(actor pr or note pr) and size pr", "(actor:* OR note:*) size:*");
    check("not (actor pr or note pr) and size pr", "-(actor:* OR note:*) size:*");
    check("NOT(actor PR)AND(note pr)", "-actor:* note:*");
}

/// Where SCIM is faulty, and what is said.
#[track_caller]
fn refused(scim: &str, place: (usize, usize), message: &str) {
    let error = Filter::from_scim(scim, &schema()).unwrap_err();
    assert_eq!(error.place, Place::Text { offset: place.0, length: place.1 }, "{scim}: {error}");
    assert!(error.to_string().contains(message), "{scim}: {error}");
}

#[test]
fn faults_have_a_place() {
    refused("colour eq 1", (0, 6), "colour");
    refused("typ eq 1", (0, 3), "did you mean “type”");
    refused("actor", (5, 0), "an operator is missing");
    refused("actor is 1", (6, 2), "unknown operator “is”");
    refused("actor eqq 1", (6, 3), "did you mean “eq”");
    refused("actor eq", (8, 0), "a value is missing");
    refused("actor eq ada", (9, 3), "double quotes");
    refused("actor eq \"ada", (9, 1), "not closed");
    refused(r#"actor eq "\q""#, (9, 4), "escapes wrongly");
    refused("size gt null", (8, 4), "null");
    refused("size eq 1.5", (8, 3), "1.5");
    refused("actor gt \"a\"", (9, 3), "no order");
    refused("(actor pr", (0, 1), "not closed");
    refused("actor pr)", (8, 1), "not opened");
    refused("actor pr note pr", (9, 4), "“and” or “or”");
    refused("actor pr and", (12, 0), "is missing");
    refused("not actor pr", (0, 4), "in parentheses");
    refused("names[value eq 1]", (5, 1), "brackets");
    refused("()", (1, 1), "is missing");
    let deep = "(".repeat(100);
    refused(&deep, (DEPTH_MAX, 1), "nested");
    let long = format!("actor eq \"{}\"", "a".repeat(TEXT_BYTES_MAX));
    refused(&long, (0, long.len()), "longer");
}

#[test]
fn what_scim_cannot_say_is_refused() {
    for (text, what) in [
        ("timeout", "words"),
        ("actor~\"a.c\"", "matches"),
        ("count(names)>1", "number of values"),
        ("expires<30d", "relative to now"),
        ("time:last(7d)", "within the last"),
        ("\"attribute.Cost centre\":7", "field name"),
    ] {
        let error = Filter::parse(text, &schema()).unwrap().to_scim().unwrap_err();
        assert!(error.to_string().contains(what), "{text}: {error}");
        assert_eq!(error.place, Place::Tree);
    }
    assert_eq!(Filter::All.to_scim().unwrap(), "");
}
