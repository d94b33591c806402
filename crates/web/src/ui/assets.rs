//! The embedded stylesheet, script and icon, addressed by content so that browsers keep them for
//! ever.
//!
//! Everything a page loads is in here; nothing is ever fetched from another host.

use std::borrow::Cow;

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Embedded;

/// `Cache-Control` for a request that carries the hash [`asset_url`] puts in `v`.
pub const CACHE_IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// `Cache-Control` for a request without it, or with another one.
pub const CACHE_REVALIDATE: &str = "no-cache";

/// One embedded file.
#[derive(Debug, Clone)]
pub struct Asset {
    /// The file's bytes.
    pub bytes: Cow<'static, [u8]>,
    /// `Content-Type` value.
    pub media_type: &'static str,
    /// Strong entity tag, with its quotes (RFC 9110 §8.8.3).
    pub etag: String,
}

impl Asset {
    /// `Cache-Control` for this asset when asked for with `version` (the `v` parameter).
    #[must_use]
    pub fn cache_control(&self, version: Option<&str>) -> &'static str {
        let matches = version.is_some_and(|version| self.etag.trim_matches('"') == version);
        if matches { CACHE_IMMUTABLE } else { CACHE_REVALIDATE }
    }
}

/// The asset called `name` (`app.css`), or nothing. Names are looked up, never joined to a path.
#[must_use]
pub fn lookup(name: &str) -> Option<Asset> {
    let file = Embedded::get(name)?;
    let etag = format!("\"{}\"", short_hash(&file.metadata.sha256_hash()));
    Some(Asset { bytes: file.data, media_type: media_type(name), etag })
}

/// The address of the asset: `/assets/app.css?v=<first 16 hex digits of its SHA-256>`. An unknown
/// name yields the address without `v`; a test holds that no page asks for one.
#[must_use]
pub fn asset_url(name: &str) -> String {
    match Embedded::get(name) {
        Some(file) => format!("/assets/{name}?v={}", short_hash(&file.metadata.sha256_hash())),
        None => format!("/assets/{name}"),
    }
}

/// Names of all embedded files.
pub fn names() -> impl Iterator<Item = Cow<'static, str>> {
    Embedded::iter()
}

fn short_hash(hash: &[u8; 32]) -> String {
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
