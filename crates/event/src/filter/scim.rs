//! The SCIM spelling (RFC 7644 §3.4.2.2), for clients of other systems' event interfaces.
//!
//! `eventType eq "certificate.issue" and (severity ge "warning" or not (actor pr))`. Operators are
//! `eq ne co sw ew gt ge lt le pr` in either case; values are JSON strings, numbers, `true`,
//! `false` and `null` (only with `eq` and `ne`: no value, some value). `not` binds more tightly
//! than `and`, that more tightly than `or`. The schema's URN before a name is passed over; value
//! paths in brackets are refused. Names, keywords and values are resolved as in every other
//! spelling.
//!
//! SCIM says less than the tree can: what it cannot say is refused when it is to be written, never
//! weakened. `in` is written as an `or` of equalities and read back as one.

use super::{
    Comparison, DEPTH_MAX, Filter, FilterError, Literal, Operand, Operator, Place, Schema,
    TEXT_BYTES_MAX, error::Fault, literal::plain_text, resolve, schema::nearest,
};

/// Comparing operators; `pr` has no value and stands alone.
const OPERATORS: [(&str, Operator); 9] = [
    ("eq", Operator::Equals),
    ("ne", Operator::NotEquals),
    ("co", Operator::Contains),
    ("sw", Operator::StartsWith),
    ("ew", Operator::EndsWith),
    ("gt", Operator::Greater),
    ("ge", Operator::GreaterOrEqual),
    ("lt", Operator::Less),
    ("le", Operator::LessOrEqual),
];

/// The SCIM spelling of a filter, empty for everything; fails with what SCIM cannot say.
pub(super) fn to_scim(filter: &Filter) -> Result<String, FilterError> {
    let mut out = String::new();
    match filter.clone().normal() {
        Filter::All => {}
        other => write(&other, Around::Nothing, &mut out)
            .map_err(|what| Fault::new(format!("SCIM cannot say {what}")).at(Place::Tree))?,
    }
    Ok(out)
}

#[derive(Clone, Copy, PartialEq)]
enum Around {
    Nothing,
    And,
}

fn write(filter: &Filter, around: Around, out: &mut String) -> Result<(), String> {
    match filter {
        Filter::All => Err("“everything” within a condition".to_owned()),
        Filter::Words(_) => Err("a search for words".to_owned()),
        Filter::And(parts) => joined(parts, " and ", Around::And, out),
        Filter::Or(parts) => {
            within(around == Around::And, out, |out| joined(parts, " or ", Around::Nothing, out))
        }
        Filter::Not(part) => {
            out.push_str("not ");
            within(true, out, |out| write(part, Around::Nothing, out))
        }
        Filter::Comparison(comparison) => write_comparison(comparison, around, out),
    }
}

fn joined(parts: &[Filter], between: &str, around: Around, out: &mut String) -> Result<(), String> {
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            out.push_str(between);
        }
        write(part, around, out)?;
    }
    Ok(())
}

fn within(
    parenthesised: bool,
    out: &mut String,
    body: impl FnOnce(&mut String) -> Result<(), String>,
) -> Result<(), String> {
    if parenthesised {
        out.push('(');
    }
    body(out)?;
    if parenthesised {
        out.push(')');
    }
    Ok(())
}

fn write_comparison(
    comparison: &Comparison,
    around: Around,
    out: &mut String,
) -> Result<(), String> {
    let field = &comparison.field;
    if !is_name(field) {
        return Err(format!("the field name “{field}”"));
    }
    match (comparison.operator, &comparison.operand) {
        (Operator::Exists, _) => out.push_str(&format!("{field} pr")),
        (Operator::Empty, _) => out.push_str(&format!("not ({field} pr)")),
        (Operator::In, Operand::Many(literals)) => {
            let parts: Vec<Filter> = literals
                .iter()
                .map(|one| {
                    Filter::Comparison(Comparison::one(field, Operator::Equals, one.clone()))
                })
                .collect();
            return write(&Filter::Or(parts), around, out);
        }
        (operator, Operand::One(literal)) => {
            let known = OPERATORS.iter().find(|(_, known)| *known == operator);
            let (name, _) = known.ok_or_else(|| format!("“{}”", operator.words()))?;
            out.push_str(&format!("{field} {name} {}", value_text(literal)?));
        }
        (operator, _) => return Err(format!("“{}” without a value", operator.words())),
    }
    Ok(())
}

fn value_text(literal: &Literal) -> Result<String, String> {
    match literal {
        Literal::Integer(_) | Literal::Decimal(_) | Literal::Boolean(_) => {
            Ok(super::json::literal_to_json(literal).to_string())
        }
        Literal::Text(_) | Literal::Time(_) => {
            Ok(serde_json::Value::from(plain_text(literal)).to_string())
        }
        Literal::FromNow(_) | Literal::Duration(_) => Err("a time relative to now".to_owned()),
    }
}

/// An attribute name with its sub-attributes (RFC 7643 §2.1); underscores are ours.
fn is_name(text: &str) -> bool {
    let name_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '$' | '.');
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(name_char)
}

/// Reads the SCIM spelling; blank text is everything.
pub(super) fn from_scim(text: &str, schema: &Schema) -> Result<Filter, FilterError> {
    let whole = Place::Text { offset: 0, length: text.len() };
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("the filter is longer than {TEXT_BYTES_MAX} bytes");
        return Err(Fault::new(message).at(whole));
    }
    let mut reader = Reader { text, at: 0, schema };
    reader.skip_blanks();
    if reader.rest().is_empty() {
        return Ok(Filter::All);
    }
    let filter = reader.any(DEPTH_MAX)?.normal();
    if !reader.rest().is_empty() {
        let length = reader.token_length();
        let fault = match reader.rest().starts_with(')') {
            true => Fault::new("this parenthesis was not opened"),
            false => Fault::new("“and” or “or” is expected here"),
        };
        return Err(reader.fault(reader.at, length, fault));
    }
    filter.within_limits().map_err(|message| Fault::new(message).at(whole))?;
    Ok(filter)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    schema: &'a Schema,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Bytes up to the next blank or parenthesis; at least one character.
    fn token_length(&self) -> usize {
        let rest = self.rest();
        let ends = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']');
        match rest.find(ends) {
            Some(0) => rest.chars().next().map_or(0, char::len_utf8),
            Some(length) => length,
            None => rest.len(),
        }
    }

    fn token(&mut self) -> (usize, &'a str) {
        let (start, length) = (self.at, self.token_length());
        let token = self.rest().get(..length).unwrap_or_default();
        self.at += length;
        (start, token)
    }

    fn fault(&self, offset: usize, length: usize, fault: Fault) -> FilterError {
        fault.at(Place::Text { offset, length })
    }

    /// Takes a word if it comes next.
    fn takes(&mut self, word: &str) -> bool {
        let length = self.token_length();
        let is_next =
            self.rest().get(..length).is_some_and(|token| token.eq_ignore_ascii_case(word));
        if is_next {
            self.at += length;
            self.skip_blanks();
        }
        is_next
    }

    fn any(&mut self, levels: usize) -> Result<Filter, FilterError> {
        let mut parts = vec![self.every(levels)?];
        while self.takes("or") {
            parts.push(self.every(levels)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Or(parts) })
    }

    fn every(&mut self, levels: usize) -> Result<Filter, FilterError> {
        let mut parts = vec![self.one(levels)?];
        while self.takes("and") {
            parts.push(self.one(levels)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::And(parts) })
    }

    fn one(&mut self, levels: usize) -> Result<Filter, FilterError> {
        let start = self.at;
        let negated = self.takes("not");
        if self.rest().starts_with('(') {
            let open = self.at;
            let deeper = levels.checked_sub(1).ok_or_else(|| {
                let message = format!("the filter is nested more than {DEPTH_MAX} levels deep");
                self.fault(open, 1, Fault::new(message))
            })?;
            self.at += 1;
            self.skip_blanks();
            let inner = self.any(deeper)?;
            if !self.rest().starts_with(')') {
                return Err(self.fault(open, 1, Fault::new("this parenthesis is not closed")));
            }
            self.at += 1;
            self.skip_blanks();
            return Ok(if negated { Filter::Not(Box::new(inner)) } else { inner });
        }
        if negated {
            let fault = Fault::new("“not” stands before a condition in parentheses");
            return Err(self.fault(start, self.at - start, fault));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Filter, FilterError> {
        let (start, name) = self.token();
        if name.is_empty() || matches!(name, ")" | "[" | "]") {
            let fault = Fault::new("a condition such as type eq \"certificate.issue\" is missing");
            return Err(self.fault(start, name.len(), fault));
        }
        if self.rest().starts_with('[') {
            let fault = Fault::new("value paths in brackets are not understood");
            return Err(self.fault(self.at, 1, fault));
        }
        // RFC 7644 §3.10: the schema's URN may stand before the name.
        let bare = match name.get(..4) {
            Some(urn) if urn.eq_ignore_ascii_case("urn:") => {
                name.rsplit(':').next().unwrap_or(name)
            }
            _ => name,
        };
        let field =
            self.schema.require(bare).map_err(|fault| self.fault(start, name.len(), fault))?;
        self.skip_blanks();
        let (start, word) = self.token();
        if word.eq_ignore_ascii_case("pr") {
            self.skip_blanks();
            return Ok(resolve::bare(field, Operator::Exists));
        }
        let operator = OPERATORS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known));
        let Some((_, operator)) = operator else {
            let names = OPERATORS.iter().map(|(known, _)| *known).chain(["pr"]);
            let lower = word.to_ascii_lowercase();
            let fault = match word.is_empty() {
                true => {
                    Fault::new("an operator is missing: eq, ne, co, sw, ew, gt, ge, lt, le, pr")
                }
                false => Fault::new(format!("unknown operator “{word}”"))
                    .or_rather(nearest(&lower, names)),
            };
            return Err(self.fault(start, word.len(), fault));
        };
        self.skip_blanks();
        let (start, value) = (self.at, self.value()?);
        let length = self.at - start;
        self.skip_blanks();
        let resolved = match (operator, value) {
            (Operator::Equals, None) => Ok(resolve::bare(field, Operator::Empty)),
            (Operator::NotEquals, None) => Ok(resolve::bare(field, Operator::Exists)),
            (_, None) => Err(Fault::new("null is compared by eq and ne alone")),
            (Operator::Equals, Some(text)) => resolve::equals(field, &text),
            (Operator::NotEquals, Some(text)) => {
                resolve::equals(field, &text).map(resolve::negated)
            }
            (operator, Some(text)) if operator.order().is_some() => {
                resolve::ordered(field, *operator, &text)
            }
            (operator, Some(text)) => resolve::textual(field, *operator, &text),
        };
        resolved.map_err(|fault| self.fault(start, length, fault))
    }

    /// A JSON scalar as text; `None` is null.
    fn value(&mut self) -> Result<Option<String>, FilterError> {
        let start = self.at;
        let rest = self.rest();
        let length = match rest.strip_prefix('"') {
            Some(inner) => {
                1 + string_length(inner)
                    .ok_or_else(|| self.fault(start, 1, Fault::new("this string is not closed")))?
            }
            None => self.token_length(),
        };
        let token = rest.get(..length).unwrap_or_default();
        let refused = |what: &str| self.fault(start, token.len(), Fault::new(what));
        if token.is_empty() || token == ")" {
            return Err(refused("a value is missing"));
        }
        let text = match serde_json::from_str::<serde_json::Value>(token) {
            Ok(serde_json::Value::String(text)) => Some(text),
            Ok(serde_json::Value::Number(number)) => Some(number.to_string()),
            Ok(serde_json::Value::Bool(flag)) => Some(flag.to_string()),
            Ok(serde_json::Value::Null) => None,
            _ if token.starts_with('"') => {
                return Err(refused("this is no JSON string: a backslash escapes wrongly"));
            }
            _ => return Err(refused("a text stands in double quotes, as in JSON")),
        };
        self.at += length;
        Ok(text)
    }
}

/// Bytes of a JSON string behind its opening quote, the closing quote included.
fn string_length(inner: &str) -> Option<usize> {
    let mut escaped = false;
    for (place, byte) in inner.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(place + 1),
            _ => {}
        }
    }
    None
}
