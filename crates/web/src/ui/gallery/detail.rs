//! The second half of the gallery: one thing in detail, forms, messages.

use maud::{Markup, html};

use super::{DAY, LEAF, NOW, ROOT};
use crate::ui::{
    AlertKind, Change, ChoiceOption, Confirm, Field, FileDrop, Icon, ProofPanel, ProofStep, Tab,
    TimelineItem, Tone, alert_box, button, certificate_status, check_field, code, confirm, date,
    diff_table, empty_state, error_page, field, file_drop, fingerprint, icon, json_block,
    key_values, post_form, proof_panel, relative, section, select_field, submit, tabs, text_area,
    timeline, validity_bar,
};

/// One certificate.
pub(super) fn detail() -> Markup {
    let item = |days: i64, mark, sentence: &str, tone| TimelineItem {
        at: NOW + days * DAY,
        mark,
        sentence: html! { (sentence) },
        href: (days <= 0).then_some("/events/1204730"),
        tone,
        ahead: days > 0,
    };
    let tab = |label, href, count, selected| Tab { label, href, count, selected };
    html! {
        (tabs("Views of the certificate", &[
            tab("Overview", "?tab=overview", None, true),
            tab("Story", "?tab=story", Some(14), false),
            tab("Who is told", "?tab=routing", Some(3), false),
            tab("Raw", "?tab=raw", None, false),
        ]))
        div.columns {
            (section("certificate", "api.payments.example", certificate_status("expiring"), html! {
                (validity_bar(NOW - 41 * DAY, NOW + 6 * DAY, NOW, NOW - 9 * DAY))
                (key_values(&[
                    ("Issuer", html! { a href="/authorities/1" { "Example Issuing CA G4" } }),
                    ("Owner", html! { "Payments platform" }),
                    ("Path", code("/prod/web")),
                    ("Not before", date(NOW - 41 * DAY)),
                    ("Last seen", relative(NOW - 240_000_000, NOW)),
                    ("Next notice", relative(NOW + 2 * DAY, NOW)),
                    ("SHA-256", fingerprint(LEAF)),
                ]))
            }))
            (section("story", "Story", html! { a href="?tab=story" { "All 14" } }, timeline(&[
                item(6, Icon::Hourglass, "Expires", Tone::Warning),
                item(-1, Icon::CrossCircle, "Renewal failed: the order timed out at the CA", Tone::Bad),
                item(-9, Icon::Bell, "Expiry notice at 15 days went to Payments platform", Tone::Notice),
                item(-40, Icon::CheckCircle, "Served by 4 of 4 endpoints", Tone::Good),
                item(-41, Icon::Certificate, "Issued by Example Issuing CA G4 through ACME", Tone::Info),
            ])))
        }
        (section("changes", "What changed", html! {}, diff_table("Changes of the certificate", &[
            Change { field: "owner", before: Some("Web team"), after: Some("Payments platform") },
            Change { field: "group", before: None, after: Some("pci") },
            Change { field: "note", before: Some("move before May"), after: None },
            Change { field: "path", before: Some("/prod/web"), after: Some("/prod/web") },
        ])))
        (json_block("raw-json", "CloudEvents 1.0",
            "{\n  \"id\": \"019de1a4-7c1e-7b52-9a33-0d5f6b8e2c11\",\n  \"type\": \"certificate.renew\",\n  \"subject\": \"certificate/8812\",\n  \"data\": { \"outcome\": { \"result\": \"failure\", \"reason\": \"order_timeout\" } }\n}"))
    }
}

/// One proof.
pub(super) fn proof() -> Markup {
    proof_panel(&ProofPanel {
        id: "proof",
        event_id: "019de1a4-7c1e-7b52-9a33-0d5f6b8e2c11",
        state: "witnessed",
        index: 1_204_730,
        tree_size: 1_204_733,
        leaf: LEAF,
        root: ROOT,
        steps: &[ProofStep { hash: ROOT, left: false }, ProofStep { hash: LEAF, left: true }],
        verifier_key: None,
    })
}

/// Forms and a dialog.
pub(super) fn forms() -> Markup {
    let name = Field {
        id: "owner-name",
        name: "owner",
        label: "Owner",
        value: "Payments platform",
        hint: "The team that is told first.",
        required: true,
        ..Field::default()
    };
    let mail = Field {
        id: "owner-mail",
        name: "mail",
        label: "Address",
        value: "payments@",
        kind: "email",
        error: "This is not a complete address.",
        required: true,
        ..Field::default()
    };
    let profile = Field {
        id: "ra-profile",
        name: "profile",
        label: "RA profile",
        value: "web",
        required: true,
        ..Field::default()
    };
    let note = Field { id: "note", name: "note", label: "Note", ..Field::default() };
    let renew = Field {
        id: "renew",
        name: "renew",
        label: "Renew by itself",
        value: "1",
        hint: "At two thirds of its life.",
        ..Field::default()
    };
    let choice = |value, label| ChoiceOption { value, label };
    html! {
        div.columns {
            (section("form", "Edit", revoke(), post_form("/certificates/8812", "sample-token", false, html! {
                (field(&name)) (field(&mail))
                (select_field(&profile, &[choice("web", "Web servers"), choice("mesh", "Service mesh")]))
                (text_area(&note, 2, false)) (check_field(&renew, true))
                div.actions {
                    (submit("Save", Tone::Info))
                }
            })))
            (section("upload", "Upload", html! {}, post_form("/certificates", "sample-token", true, html! {
                (file_drop(&FileDrop { id: "files", name: "files", label: "Drop certificates here, or choose files",
                    hint: "PEM, DER, PKCS #7, PKCS #12; up to 10 MB.", accept: ".pem,.crt,.cer,.der,.p7b,.p12",
                    multiple: true, paste: "or paste PEM text", placeholder: "-----BEGIN CERTIFICATE-----",
                    rows: 4, text: "", error: "" }))
                (submit("Upload", Tone::Info))
            })))
        }
    }
}

fn revoke() -> Markup {
    let reason = Field {
        id: "revoke-reason",
        name: "reason",
        label: "Reason",
        value: "superseded",
        required: true,
        ..Field::default()
    };
    let choice = |value, label| ChoiceOption { value, label };
    confirm(&Confirm {
        id: "revoke-dialog",
        trigger: "Revoke…",
        fallback_href: "/certificates/8812/revoke",
        title: "Revoke api.payments.example?",
        text: "Four endpoints serve this certificate. Revocation cannot be taken back.",
        action: "/certificates/8812/revoke",
        csrf: "sample-token",
        submit: "Revoke",
        tone: Tone::Bad,
        fields: Some(select_field(
            &reason,
            &[choice("key_compromise", "Key compromise"), choice("superseded", "Superseded")],
        )),
    })
}

/// Messages and empty places.
pub(super) fn endings() -> Markup {
    html! {
        div.stack {
            (alert_box(AlertKind::Info, "Times are shown in UTC."))
            (alert_box(AlertKind::Success, "The certificate was renewed and is served by 4 of 4 endpoints."))
            (alert_box(AlertKind::Warning, "Two monitors have not run since yesterday."))
            (alert_box(AlertKind::Error, "The log cannot be written. No operation is accepted until it can."))
        }
        (section("empty", "Forwarders", html! {}, empty_state("Nothing is forwarded yet",
            "A forwarder sends events to another system as they are sealed: a webhook, syslog, a ticket system.",
            Some(button("Add a forwarder", "/forwarders/new", Some(Icon::Plus), true)))))
        (section("icons", "Icons", html! {}, html! {
            div.wrap { @for mark in Icon::ALL { (icon(*mark)) } }
        }))
        (error_page(404, "There is no such certificate", "It may have been archived, or you may not see its path.",
            Some(("Search certificates", "/certificates"))))
    }
}
