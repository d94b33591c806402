//! The look of Chancery and the blocks its pages are built from.
//!
//! Every block is a plain function from data to [`maud::Markup`]. Blocks never query, never
//! authorise and never read a clock: the page passes `now`. They emit no inline script, no `style`
//! and no `on…` attribute, so pages live under the strict policy in [`CONTENT_SECURITY_POLICY`];
//! geometry is SVG attributes and classes. Whatever the script in `assets/app.js` adds, each block
//! works without it.
//!
//! Read `layout` first (the frame), then `tone` and `badge` (what colours and shapes mean), then
//! the rest.

pub mod assets;
mod badge;
mod block;
mod brand;
mod chart;
mod form;
pub mod gallery;
mod histogram;
mod icon;
mod layout;
mod lone;
mod moment;
mod proof;
mod record;
mod search;
mod table;
mod tone;

#[cfg(test)]
mod tests;

pub use badge::{
    alert_state, badge, certificate_status, delivery_state, job_state, outcome, seal_state,
    severity,
};
pub use block::{
    AlertKind, Answered, Crumb, Stat, Tab, alert_box, answers, breadcrumbs, button, code,
    empty_state, page_header, pager, progress, sampled, section, stat_row, stat_tile, tabs,
};
pub use brand::{favicon_svg, seal_logo};
pub use chart::{Slice, donut, sparkline, validity_bar};
pub use form::{
    ChoiceOption, Confirm, Field, FileDrop, check_field, confirm, csrf_input, field, file_drop,
    post_form, previewed_form, select_field, submit, text_area,
};
pub use histogram::{Bucket, Histogram, Series, histogram};
pub use icon::{Icon, icon};
pub use layout::{
    Bell, Health, Nav, PageFrame, Preferences, SealStatus, Theme, Viewer, Zone, bell, layout,
};
pub use lone::{LoginFrame, error_page, login_page, lone_error};
pub(crate) use moment::distance;
pub use moment::{date, grouped, relative, rfc3339, time};
pub use proof::{ProofPanel, ProofStep, proof_panel};
pub use record::{
    Change, TimelineItem, diff_table, fingerprint, json_block, key_values, live_region, timeline,
};
pub use search::{
    Facet, FacetValue, SearchBox, SearchError, facet_details, facet_panel, parted, search_box,
};
pub use table::{Align, Column, Direction, Row, Sort, Table, data_row, data_table};
pub use tone::Tone;

/// The `Content-Security-Policy` every page is served with. No block needs anything wider.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'";
