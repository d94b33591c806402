//! The proof of an event: its place in the log, and the way from its bytes to the signed root.
//!
//! The panel never claims more than was checked. What the server says stands under "as the server
//! tells"; only the script, which recomputes every hash in the reader's browser, writes the result.

use maud::{Markup, html};

use super::{Icon, fingerprint, grouped, icon, seal_state};

/// One hash on the way up.
#[derive(Debug, Clone)]
pub struct ProofStep<'a> {
    /// Hexadecimal SHA-256.
    pub hash: &'a str,
    /// Whether it stands to the left of what is known so far.
    pub left: bool,
}

/// What the panel shows.
#[derive(Debug, Clone)]
pub struct ProofPanel<'a> {
    /// Unique on the page.
    pub id: &'a str,
    /// The event; `/api/v1/events/{id}/proof` and `…/entry` must answer.
    pub event_id: &'a str,
    /// `recorded`, `sealed`, `published`, `witnessed`.
    pub state: &'a str,
    /// Its log index.
    pub index: u64,
    /// Size of the tree of the checkpoint.
    pub tree_size: u64,
    /// Leaf hash, hexadecimal.
    pub leaf: &'a str,
    /// Root of the checkpoint, hexadecimal.
    pub root: &'a str,
    /// The path.
    pub steps: &'a [ProofStep<'a>],
    /// Key of the log as signed-note verifier key; with it the browser checks the signature too.
    pub verifier_key: Option<&'a str>,
}

/// The panel.
#[must_use]
pub fn proof_panel(panel: &ProofPanel<'_>) -> Markup {
    let api = format!("/api/v1/events/{}", panel.event_id);
    html! {
        section.sheet.proof id=(panel.id) aria-labelledby={(panel.id) "-title"}
            data-verify=(panel.event_id) data-vkey=[panel.verifier_key]
            data-leaf=(panel.leaf) data-root=(panel.root) data-index=(panel.index) {
            div.sheet-head {
                h2 id={(panel.id) "-title"} { "Proof of inclusion" }
                div.sheet-aside { (seal_state(panel.state)) }
            }
            dl.kv {
                div { dt { "Log index" } dd.num { (grouped(panel.index)) } }
                div { dt { "Tree size" } dd.num { (grouped(panel.tree_size)) } }
                div { dt { "Leaf hash" } dd { (fingerprint(panel.leaf)) } }
                div { dt { "Root, as the server tells" } dd { (fingerprint(panel.root)) } }
            }
            details.proof-path {
                summary { (panel.steps.len()) " hashes from leaf to root" }
                ol { @for step in panel.steps {
                    li {
                        span.muted { @if step.left { "left" } @else { "right" } }
                        (fingerprint(step.hash))
                    }
                } }
            }
            div.proof-actions {
                button.primary.verify type="button" hidden { (icon(Icon::Seal)) span { "Verify in this browser" } }
                a.button href={(api) "/proof"} download={(panel.event_id) ".tlog-proof"} {
                    (icon(Icon::Download)) span { "Proof" }
                }
                a.button href={(api) "/entry"} download={(panel.event_id) ".entry"} {
                    (icon(Icon::Download)) span { "Sealed bytes" }
                }
            }
            p.hint.break { "Off-line: " code {
                "chancery verify --proof " (panel.event_id) ".tlog-proof --entry " (panel.event_id) ".entry --key "
                (panel.verifier_key.unwrap_or("log.vkey"))
            } }
            ol.proof-steps aria-live="polite" hidden {}
            p.proof-result role="status" hidden {}
        }
    }
}
