//! British spelling in comments and documents.
//!
//! Only prose is looked at: comments of Rust files outside back-ticks, and Markdown outside fences,
//! back-ticks and links. Names in code follow the standards and libraries they come from. The list
//! is small on purpose; `_typos.toml` sets the same choice for the full spelling checker.

use super::Finding;
use super::files::Document;

/// American and British, in small letters. Words the trade spells one way only (`authorization` as
/// the header, `license` as the field) are not in it.
const WORDS: [(&str, &str); 45] = [
    ("color", "colour"),
    ("colors", "colours"),
    ("colored", "coloured"),
    ("behavior", "behaviour"),
    ("behaviors", "behaviours"),
    ("favor", "favour"),
    ("favorite", "favourite"),
    ("honor", "honour"),
    ("honored", "honoured"),
    ("honors", "honours"),
    ("neighbor", "neighbour"),
    ("neighbors", "neighbours"),
    ("catalog", "catalogue"),
    ("catalogs", "catalogues"),
    ("center", "centre"),
    ("centered", "centred"),
    ("labeled", "labelled"),
    ("canceled", "cancelled"),
    ("canceling", "cancelling"),
    ("modeled", "modelled"),
    ("modeling", "modelling"),
    ("signaled", "signalled"),
    ("traveled", "travelled"),
    ("gray", "grey"),
    ("defense", "defence"),
    ("fulfill", "fulfil"),
    ("analyze", "analyse"),
    ("analyzed", "analysed"),
    ("organization", "organisation"),
    ("organizations", "organisations"),
    ("organize", "organise"),
    ("recognize", "recognise"),
    ("recognized", "recognised"),
    ("recognizes", "recognises"),
    ("initialize", "initialise"),
    ("initialized", "initialised"),
    ("normalize", "normalise"),
    ("normalized", "normalised"),
    ("normalizes", "normalises"),
    ("summarize", "summarise"),
    ("customize", "customise"),
    ("optimize", "optimise"),
    ("optimized", "optimised"),
    ("minimize", "minimise"),
    ("unauthorized", "unauthorised"),
];

pub fn check(document: &Document) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, prose) in prose(document).iter().enumerate() {
        for word in prose.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-') {
            if let Some(british) = british(word) {
                let message = format!("{word}: this house writes {british}");
                findings.push(Finding::error(document, index + 1, message));
            }
        }
    }
    findings
}

/// Words with a capital inside a sentence are names (the Akeyless Event Center) and stay.
fn british(word: &str) -> Option<&'static str> {
    WORDS.iter().find(|(american, _)| *american == word).map(|(_, british)| *british)
}

/// The prose of each line, or an empty line.
fn prose(document: &Document) -> Vec<String> {
    match (&document.source, document.kind()) {
        (Some(source), _) => source.comments.iter().map(|line| unquoted(line)).collect(),
        (None, "md") => {
            let mut in_fence = false;
            let outside_fence = |line: &str| {
                in_fence ^= line.trim_start().starts_with("```");
                if in_fence { String::new() } else { unquoted(line) }
            };
            document.text.lines().map(outside_fence).collect()
        }
        _ => Vec::new(),
    }
}

/// Leaves out what stands between back-ticks or quotes, and words that are addresses or paths.
fn unquoted(line: &str) -> String {
    let outside: String = line.split('`').step_by(2).collect::<Vec<_>>().join(" ");
    let outside: String = outside.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let is_prose = |word: &&str| !word.contains(['/', '_', '=', '@']) || word.starts_with("//");
    outside.split_whitespace().filter(is_prose).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        check(&Document::new(path, text)).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn american_prose_is_refused() {
        assert_eq!(
            messages("crates/a/src/a.rs", "//! The color of it.\n"),
            ["error: crates/a/src/a.rs:1: color: this house writes colour"]
        );
        assert_eq!(messages("docs/A.md", "Its behavior, and the catalog.\n").len(), 2);
    }

    #[test]
    fn code_names_and_addresses_pass() {
        assert_eq!(messages("crates/a/src/a.rs", "let color = \"gray\"; // `color`\n"), [""; 0]);
        assert_eq!(messages("docs/A.md", "`color`, the Event Center\n"), [""; 0]);
        assert_eq!(messages("docs/A.md", "```css\ncolor: gray\n```\n"), [""; 0]);
        assert_eq!(messages("docs/A.md", "https://a.example/color/gray\n"), [""; 0]);
        assert_eq!(messages("web/page.css", "a { color: gray }\n"), [""; 0]);
    }

    #[test]
    fn the_list_holds_small_letters_only() {
        for (american, british) in WORDS {
            assert_ne!(american, british);
            assert_eq!(american, american.to_lowercase());
        }
    }
}
