//! What may stand behind the question mark of a database URL. What is not known is refused and not
//! passed over: a slip in `sslmode` would switch the encryption off that somebody asked for.
//!
//! Names and values may hold a password: only names are repeated, never values.

use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// Each parameter with the other spellings that the driver takes.
const KNOWN: [(&str, &[&str]); 13] = [
    ("sslmode", &["ssl-mode"]),
    ("sslrootcert", &["ssl-root-cert", "ssl-ca"]),
    ("sslcert", &["ssl-cert"]),
    ("sslkey", &["ssl-key"]),
    ("host", &[]),
    ("hostaddr", &[]),
    ("port", &[]),
    ("dbname", &[]),
    ("user", &[]),
    ("password", &[]),
    ("application_name", &[]),
    ("options", &[]),
    ("statement-cache-capacity", &[]),
];
/// The longest name that is repeated.
const LENGTH_MAX: usize = 40;

/// Whether a URL has a parameter, however it is spelled.
pub(super) fn has(url: &str, name: &str) -> bool {
    names(url).any(|found| known(&found) == Some(name))
}

/// Refuses parameters that there are none of, and those that have no effect beside the others.
pub(super) fn check(url: &str, options: &PgConnectOptions) -> Result<(), String> {
    if let Some(unknown) = names(url).find(|name| known(name).is_none()) {
        let shown: String = unknown.chars().take(LENGTH_MAX).collect();
        let hint = nearest(&unknown).map(|name| format!("; did you mean {name}?"));
        let hint = hint.unwrap_or_else(|| {
            let all: Vec<_> = KNOWN.iter().map(|(name, _)| *name).collect();
            format!("; there are {}", all.join(", "))
        });
        return Err(format!("it has the parameter {shown}, which is not known{hint}"));
    }
    let mode = options.get_ssl_mode();
    let is_verifying = matches!(mode, PgSslMode::VerifyCa | PgSslMode::VerifyFull);
    if has(url, "sslrootcert") && !is_verifying {
        let what = "sslrootcert has no effect without sslmode=verify-full (or verify-ca)";
        return Err(what.to_owned());
    }
    let (certificate, key) = (has(url, "sslcert"), has(url, "sslkey"));
    if certificate != key {
        return Err("sslcert and sslkey have an effect together only".to_owned());
    }
    if certificate && matches!(mode, PgSslMode::Disable | PgSslMode::Allow) {
        return Err("sslcert has no effect where nothing is encrypted: see sslmode".to_owned());
    }
    Ok(())
}

/// The names in a URL, without what a client is told with `options[NAME]`.
fn names(url: &str) -> impl Iterator<Item = String> {
    let url = url.split('#').next().unwrap_or_default();
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| plain(pair.split('=').next().unwrap_or_default()))
}

/// A name without its signs of percent; only brackets are ever written so.
fn plain(name: &str) -> String {
    let name = name.replace("%5B", "[").replace("%5b", "[");
    name.replace("%5D", "]").replace("%5d", "]")
}

/// What a name means, as it is spelled in the guide.
fn known(name: &str) -> Option<&'static str> {
    if name.starts_with("options[") && name.ends_with(']') {
        return Some("options");
    }
    let is_it = |(known, others): &&(&str, &[&str])| *known == name || others.contains(&name);
    KNOWN.iter().find(is_it).map(|(known, _)| *known)
}

/// The parameter that was probably meant.
fn nearest(unknown: &str) -> Option<&'static str> {
    let few = (unknown.chars().count() / 3).clamp(1, 3);
    let near = KNOWN.iter().map(|(name, _)| (edits(unknown, name), *name)).min()?;
    (near.0 <= few).then_some(near.1)
}

/// Levenshtein distance in characters.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, (y, pair)) in b.iter().zip(row.windows(2)).enumerate() {
            let changed = pair[0] + usize::from(x != *y);
            next.push(changed.min(pair[1] + 1).min(next[j] + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
