//! axe-core in a tab: the rules of WCAG 2.2 AA that a program can check, and the good practice it
//! knows beside them.
//!
//! The script is not part of this repository: `cargo xtask tools` puts it under `target/tools`,
//! pinned by checksum.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::Tab;

/// The version that is installed and run.
pub const AXE_VERSION: &str = "4.12.1";

/// Runs the rules on the page as it is; the last argument is the callback of WebDriver.
const RUN: &str = r"
const [only, done] = [arguments[0], arguments[arguments.length - 1]];
const rules = only.type === 'tag' ? { 'target-size': { enabled: true } } : {};
axe.run(document, { runOnly: only, rules, resultTypes: ['violations'] }).then((found) => done({
  rules: found.violations.length + found.passes.length + found.incomplete.length,
  violations: found.violations.map((v) => ({
    rule: v.id, help: v.help,
    places: v.nodes.map((n) => `${n.target.join(' ')}: ${n.failureSummary}`),
  })),
}), (error) => done({ failed: String(error) }));
";

const TAGS: [&str; 7] =
    ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"];

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Everything.
    All,
    /// The contrast of colours alone.
    Colours,
}

/// A rule that a page breaks.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The rule, such as `color-contrast`.
    pub rule: String,
    /// What it asks for.
    pub help: String,
    /// The elements, each with what is wrong.
    pub places: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.rule, self.help)?;
        for place in self.places.iter().take(5) {
            write!(f, "\n      {}", place.replace('\n', "\n        "))?;
        }
        match self.places.len() {
            0..=5 => Ok(()),
            more => write!(f, "\n      and {} more", more - 5),
        }
    }
}

/// Where `cargo xtask tools` puts the script.
fn script_path() -> PathBuf {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    PathBuf::from(root).join(format!("target/tools/axe-core-{AXE_VERSION}/axe.min.js"))
}

fn script() -> String {
    let path = script_path();
    std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; `cargo xtask tools` installs axe-core", path.display())
    })
}

impl Tab {
    /// What axe-core finds on the page as it is.
    ///
    /// # Panics
    /// The tool is not installed, or does not run.
    pub async fn violations(&self, rules: Rules) -> Vec<Violation> {
        if self.eval("typeof axe").await != json!("object") {
            self.run(&script(), vec![]).await;
        }
        let only = match rules {
            Rules::All => json!({ "type": "tag", "values": TAGS }),
            Rules::Colours => json!({ "type": "rule", "values": ["color-contrast"] }),
        };
        let found = self.run_async(RUN, vec![only]).await;
        assert!(found.get("failed").is_none(), "axe-core failed: {found}");
        let least = if rules == Rules::All { 10 } else { 1 };
        assert!(found["rules"].as_u64() >= Some(least), "axe-core checked nothing: {found}");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        list(&found["violations"])
            .iter()
            .map(|one| Violation {
                rule: text(&one["rule"]),
                help: text(&one["help"]),
                places: list(&one["places"]).iter().map(text).collect(),
            })
            .collect()
    }
}
