//! The parts of a certificate's page: checks, names, chain, key, extensions, placement.

use chancery_engine::inventory::{CertificateView, ChainLink, ISSUED_COUNTED};
use chancery_pki::Certificate as Parsed;
use maud::{Markup, html};

use super::typed::sentence;
use super::{certificates, listing};
use crate::ui::{self, Icon, Tone};

/// Every check of the validation.
pub(super) fn checks(view: &CertificateView) -> Markup {
    let badge = |result: &str| match result {
        "passed" => ui::badge(Tone::Good, Icon::Check, "Passed"),
        "failed" => ui::badge(Tone::Bad, Icon::CrossCircle, "Failed"),
        "skipped" => ui::badge(Tone::Neutral, Icon::Skip, "Skipped"),
        _ => ui::badge(Tone::Neutral, Icon::Question, "Unknown"),
    };
    html! {
        @if !view.checks.is_empty() {
            details open[view.checks.iter().any(|check| check.result == "failed")] {
                summary { (view.checks.len()) " checks, last judged " (ui::time(view.row.status_at.micros())) }
                div.table-wrap tabindex="0" role="group" aria-label="Checks" { table.plain { tbody {
                    @for check in &view.checks { tr {
                        td { (badge(&check.result)) }
                        th scope="row" { (check.name.replace('_', " ")) }
                        td { (sentence(&check.reason)) }
                    } }
                } } }
            }
        }
    }
}

/// Where it belongs.
pub(super) fn placement(view: &CertificateView) -> Markup {
    let row = &view.row;
    let none = || html! { span.muted { "none" } };
    let search = |field: &str, value: &str| {
        super::address::Address::new("/certificates")
            .with("q", &format!("{field}:\"{value}\""))
            .to_string()
    };
    let groups = html! {
        @if view.groups.is_empty() { (none()) }
        @for (_, name) in &view.groups { a href=(search("group", name)) { (name) } " " }
    };
    let owner = match &view.owner_name {
        Some(name) => html! { a href=(search("owner", name)) { (name) } },
        None => none(),
    };
    let profile = match &view.ra_profile_name {
        Some(name) => html! { a href=(search("ra_profile", name)) { (name) } },
        None => none(),
    };
    let anchor = match row.trust_anchor {
        true => ui::badge(Tone::Notice, Icon::Shield, "Chains may end here"),
        false => html! { "no" },
    };
    let mut pairs = vec![
        ("Owner", owner),
        ("Groups", groups),
        ("RA profile", profile),
        ("Path", html! { a href=(search("path", &row.path)) { (ui::code(&row.path)) } }),
        ("Trust anchor", anchor),
    ];
    for attribute in &view.attributes {
        pairs.push((&attribute.label, html! { (attribute.values.join(", ")) }));
    }
    pairs.push(("Came by", html! { (row.source) " " (ui::time(row.created_at.micros())) }));
    if row.demonstration {
        pairs
            .push(("Demonstration", html! { "Made by the demonstration; it stands for nothing." }));
    }
    ui::key_values(&pairs)
}

/// Its names.
pub(super) fn names(view: &CertificateView) -> Markup {
    html! {
        @if view.names.is_empty() { p.muted { "It names nothing besides its subject." } }
        @else {
            ul.plain.short { @for name in &view.names {
                li { span.muted { (name.kind) } " " (ui::code(&name.value)) }
            } }
        }
    }
}

/// From itself upwards, and what stands beside it.
pub(super) fn chain(view: &CertificateView) -> Markup {
    let row = &view.row;
    let issued = super::address::Address::new("/certificates").with(
        "q",
        &format!("issuer:\"{}\"", row.subject_dn.replace('\\', "\\\\").replace('"', "\\\"")),
    );
    html! {
        @if view.chain.is_empty() { p.muted { "No issuer of it is in the inventory." } }
        @else { ol.chain { @for link in &view.chain { li { (chain_link(link, view)) } } } }
        @for (id, name) in &view.replaces {
            p { "Replaces " a href={"/certificates/" (id)} { (name) } }
        }
        @if let Some((id, name, kind)) = &view.replaced_by {
            p { (ui::badge(Tone::Info, Icon::Handover, "Replaced")) " by " a href={"/certificates/" (id)} { (name) } " (" (kind) ")" }
        }
        @if view.issued > 0 {
            @let many = listing::counted(view.issued.min(ISSUED_COUNTED), view.issued > ISSUED_COUNTED);
            p { a href=(issued.to_string()) { (many) " certificates of the inventory name it as their issuer" } }
        }
    }
}

fn chain_link(link: &ChainLink, view: &CertificateView) -> Markup {
    html! {
        @match link.id {
            Some(id) if id == view.row.id => strong { (link.subject) },
            Some(id) => a href={"/certificates/" (id)} { (link.subject) },
            None => span.break { (link.subject) " " span.muted { "(not in the inventory)" } },
        }
        @if let Some(status) = &link.status { " " (ui::certificate_status(status)) }
        @if link.trust_anchor { " " (ui::badge(Tone::Notice, Icon::Shield, "Trust anchor")) }
        @if let Some(end) = link.not_after { " " span.muted { "until " (ui::date(end.micros())) } }
    }
}

/// What it says of itself.
pub(super) fn identity(view: &CertificateView) -> Markup {
    let row = &view.row;
    let dn = |text: &str| match text {
        "" => html! { span.muted { "empty" } },
        text => html! { span.break { (text) } },
    };
    ui::key_values(&[
        ("Subject", dn(&row.subject_dn)),
        ("Issuer", dn(&row.issuer_dn)),
        ("Serial number", ui::fingerprint(&row.serial)),
        ("Not before", ui::time(row.not_before.micros())),
        ("Not after", ui::time(row.not_after.micros())),
        ("SHA-256", ui::fingerprint(&row.fingerprint_sha256)),
        ("SHA-1", ui::fingerprint(&row.fingerprint_sha1)),
        ("Identifier", ui::code(&row.id.to_string())),
    ])
}

/// Its key, and what the key may be used for.
pub(super) fn key(view: &CertificateView, parsed: Option<&Parsed>) -> Markup {
    let row = &view.row;
    let listed = |text: &str| match text {
        "" => html! { span.muted { "not limited" } },
        text => html! { (text.replace(',', ", ")) },
    };
    let mut pairs = vec![
        ("Key", html! { (certificates::key(row)) }),
        ("Signed with", html! { (row.signature_algorithm) }),
        ("Key usage", listed(&row.key_usage)),
        ("Extended key usage", listed(&row.extended_key_usage)),
        ("May issue certificates", html! { @if row.is_ca { "yes" } @else { "no" } }),
        ("SHA-256 of the key", ui::fingerprint(&row.spki_sha256)),
    ];
    if let Some(id) = &row.subject_key_id {
        pairs.push(("Subject key identifier", ui::fingerprint(id)));
    }
    if let Some(id) = &row.authority_key_id {
        pairs.push(("Authority key identifier", ui::fingerprint(id)));
    }
    html! {
        (ui::key_values(&pairs))
        @for warning in parsed.map(|parsed| parsed.warnings.as_slice()).unwrap_or_default() {
            p { (ui::badge(Tone::Warning, Icon::Warning, "Odd")) " " (sentence(warning)) }
        }
    }
}

/// Every extension in its order.
pub(super) fn extensions(parsed: &Parsed) -> Markup {
    let extensions = parsed.extensions();
    html! {
        @if extensions.is_empty() { p.muted { "It has none." } }
        @else {
            div.table-wrap tabindex="0" role="group" aria-label="Extensions" { table.plain {
                thead { tr { th scope="col" { "Extension" } th scope="col" { "Value" } } }
                tbody { @for extension in &extensions { tr {
                    th scope="row" {
                        (extension.name)
                        @if extension.critical { " " (ui::badge(Tone::Notice, Icon::Warning, "Critical")) }
                        @if extension.name != extension.oid { br; span.muted { (extension.oid) } }
                    }
                    td.break {
                        @match &extension.readable {
                            Some(text) => (text),
                            None => (ui::code(&extension.hex)),
                        }
                    }
                } } }
            } }
        }
    }
}
