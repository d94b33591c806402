//! Texts with places for values: `{object.cn} expires`. A doubled brace is a brace.

use chancery_event::filter::{Object, Schema};

use super::happening::shown;

/// Longest text, in characters.
const TEXT_MAX: usize = 2_000;
/// Fields whose values name people.
pub(super) const PERSONAL: [&str; 3] = ["actor", "ip", "object.owner"];

/// A text with places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Fixed(String),
    Field(String),
}

impl Text {
    /// Reads a text; fails with one sentence.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.chars().count() > TEXT_MAX {
            return Err(format!("at most {TEXT_MAX} characters"));
        }
        let mut pieces = Vec::new();
        let mut fixed = String::new();
        let mut rest = text;
        while let Some(place) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(place);
            fixed.push_str(before);
            if brace.starts_with("{{") || brace.starts_with("}}") {
                fixed.push_str(&brace[..1]);
                rest = &brace[2..];
                continue;
            }
            let Some(end) = brace.find('}').filter(|_| brace.starts_with('{')) else {
                return Err(
                    "a brace stands for a field, such as {object.cn}; write {{ for {".into()
                );
            };
            let field = brace[1..end].trim();
            if field.is_empty() {
                return Err("which field is meant by {}?".to_owned());
            }
            if !fixed.is_empty() {
                pieces.push(Piece::Fixed(std::mem::take(&mut fixed)));
            }
            pieces.push(Piece::Field(field.to_owned()));
            rest = &brace[end + 1..];
        }
        fixed.push_str(rest);
        if !fixed.is_empty() {
            pieces.push(Piece::Fixed(fixed));
        }
        Ok(Self { pieces })
    }

    /// The fields it has places for.
    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Field(field) => Some(field.as_str()),
            Piece::Fixed(_) => None,
        })
    }

    /// Writes values into its places; several are joined by commas, none is a dash. With `discreet`
    /// no value is written.
    pub(super) fn filled(&self, object: &dyn Object, schema: &Schema, discreet: bool) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Fixed(fixed) => text.push_str(fixed),
                Piece::Field(_) if discreet => text.push('…'),
                Piece::Field(field) => {
                    let name = schema.field(field).map_or(field.as_str(), |known| &known.name);
                    let values = object.values(name);
                    let values: Vec<_> = values.as_slice().iter().map(shown).collect();
                    let joined = values.join(", ");
                    text.push_str(if joined.is_empty() { "–" } else { &joined });
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_name_fields_and_doubled_ones_are_braces() {
        let text = Text::parse("{object.cn} has {{x}} of {type}").unwrap();
        assert_eq!(text.fields().collect::<Vec<_>>(), ["object.cn", "type"]);
        for wrong in ["{", "}", "a {} b", "{a"] {
            assert!(Text::parse(wrong).is_err(), "{wrong}");
        }
    }
}
