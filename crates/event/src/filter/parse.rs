//! Reading the text spelling.
//!
//! ```text
//! any      = all { "OR" all }
//! all      = one { [ "AND" ] one }
//! one      = ( "-" | "NOT" ) one | "(" any ")" | "*" | comparison | words
//! field    = name | quoted            name: letter or _, then letters, digits, _ . -
//! comparison
//!   = field ":" item { "," item }     one of; an item is [ "*" ] ( bare | quoted ) [ "*" ]:
//!                                     v equals, v* starts with, *v ends with, *v* contains
//!   | field ":*"                      has a value; -field:* has none
//!   | field ":" from ".." to          numbers and times; both included, either may be missing
//!   | field ( "<" | "<=" | ">" | ">=" | "=" | "!=" ) item        also with ":" in front
//!   | field ( "~" | ":~" | "!~" ) regex                          quoted, or without spaces
//!   | field ":next(" duration ")" | field ":last(" duration ")"
//!   | "count(" field ")" ( "<" | "<=" | ">" | ">=" | "=" | "!=" | ":" ) number
//! words    = bare [ "*" ] | quoted [ "*" ]
//! ```
//!
//! `or`, `and` and `not` in other than capitals are refused: whoever writes one means the operator.
//! As words to look for they are quoted.
//!
//! In quotes `\"` and `\\` stand for `"` and `\`; any other backslash stands for itself. The parser
//! never panics, and its recursion is bounded.

use super::{
    DEPTH_MAX, Filter, FilterError, Operator, Order, Place, Schema, TEXT_BYTES_MAX, Word,
    error::Fault, resolve, schema::Field,
};

/// Parentheses and negations that may be open at once: a tree of the allowed depth needs fewer.
const OPEN_MAX: usize = 2 * DEPTH_MAX + 2;

pub(super) fn parse(text: &str, schema: &Schema) -> Result<Filter, FilterError> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("the filter is longer than {TEXT_BYTES_MAX} bytes");
        let place = Place::Text { offset: TEXT_BYTES_MAX, length: text.len() - TEXT_BYTES_MAX };
        return Err(Fault::new(message).at(place));
    }
    let mut parser = Parser { text, at: 0, schema, open: 0 };
    parser.skip_space();
    if parser.at == text.len() {
        return Ok(Filter::All);
    }
    let filter = parser.any()?;
    if parser.at < text.len() {
        return Err(parser.fault(parser.at, 1, "this parenthesis was never opened"));
    }
    let filter = filter.normal();
    let whole = Place::Text { offset: 0, length: text.len() };
    filter.within_limits().map_err(|message| Fault::new(message).at(whole))?;
    Ok(filter)
}

/// Whether a character can stand in a field name that is not quoted.
pub(super) fn is_field_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '-')
}

/// The operator that a word is in other letters than capitals, or in capitals.
pub(super) fn word_operator(word: &str) -> Option<&'static str> {
    ["OR", "AND", "NOT"].into_iter().find(|operator| operator.eq_ignore_ascii_case(word))
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    schema: &'a Schema,
    open: usize,
}

/// What stands between a field and its value.
#[derive(Clone, Copy, PartialEq)]
enum Sign {
    Colon,
    Order(Order),
    Matches,
    NotMatches,
}

const SIGNS: [(&str, Sign); 17] = [
    (":~", Sign::Matches),
    (":!=", Sign::Order(Order::NotEqual)),
    (":<=", Sign::Order(Order::LessOrEqual)),
    (":>=", Sign::Order(Order::GreaterOrEqual)),
    (":<", Sign::Order(Order::Less)),
    (":>", Sign::Order(Order::Greater)),
    (":=", Sign::Order(Order::Equal)),
    (":", Sign::Colon),
    ("!~", Sign::NotMatches),
    ("!=", Sign::Order(Order::NotEqual)),
    ("<=", Sign::Order(Order::LessOrEqual)),
    (">=", Sign::Order(Order::GreaterOrEqual)),
    ("==", Sign::Order(Order::Equal)),
    ("<", Sign::Order(Order::Less)),
    (">", Sign::Order(Order::Greater)),
    ("=", Sign::Order(Order::Equal)),
    ("~", Sign::Matches),
];

/// One value as written.
struct Item {
    text: String,
    quoted: bool,
    star_before: bool,
    star_after: bool,
    offset: usize,
    length: usize,
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Result<Filter, FilterError> {
        let mut parts = vec![self.all()?];
        while self.keyword("OR") {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Or(parts) })
    }

    fn all(&mut self) -> Result<Filter, FilterError> {
        let mut parts = vec![self.one()?];
        loop {
            if self.keyword("AND") {
                parts.push(self.one()?);
                continue;
            }
            self.skip_space();
            if self.rest().is_empty() || self.rest().starts_with(')') || self.sees_keyword("OR") {
                break;
            }
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::And(parts) })
    }

    fn one(&mut self) -> Result<Filter, FilterError> {
        self.skip_space();
        let start = self.at;
        if self.open >= OPEN_MAX {
            let message = format!("the filter is nested more than {DEPTH_MAX} levels deep");
            return Err(self.fault(start, 1, &message));
        }
        if self.keyword("NOT") || self.eat("-") {
            self.open += 1;
            let part = self.one()?;
            self.open -= 1;
            return Ok(part.negate());
        }
        if self.eat("(") {
            self.open += 1;
            let inside = self.any()?;
            self.open -= 1;
            return match self.eat(")") {
                true => Ok(inside),
                false => Err(self.fault(start, 1, "this parenthesis is never closed")),
            };
        }
        if self.rest().starts_with('"') {
            return self.quoted_condition();
        }
        if self.rest().starts_with('*') && !self.rest()[1..].starts_with(|c| !is_boundary(c)) {
            self.at += 1;
            return Ok(Filter::All);
        }
        for keyword in ["AND", "OR"] {
            if self.sees_keyword(keyword) {
                let message = format!("a condition is missing before {keyword}");
                return Err(self.fault(start, keyword.len(), &message));
            }
        }
        self.bare_condition()
    }

    /// A quoted field name with its comparison, or quoted words.
    fn quoted_condition(&mut self) -> Result<Filter, FilterError> {
        let start = self.at;
        let text = self.quoted()?;
        if let Some(sign) = self.sign() {
            return self.comparison(&text, start, self.at, sign);
        }
        let star = self.eat("*");
        self.words(start, &text, star)
    }

    /// A comparison that begins with a bare name, a count, or a bare word.
    fn bare_condition(&mut self) -> Result<Filter, FilterError> {
        let start = self.at;
        let rest = self.rest();
        let named = rest.starts_with(|c: char| c.is_alphabetic() || c == '_');
        let length = rest.find(|c| !is_field_char(c)).unwrap_or(rest.len());
        if named {
            let name = &rest[..length];
            self.at += length;
            if name.eq_ignore_ascii_case("count") && self.eat("(") {
                return self.count(start);
            }
            if let Some(sign) = self.sign() {
                return self.comparison(name, start, start + length, sign);
            }
            self.at = start;
        }
        let end = rest.find(|c| is_boundary(c) || c == '"').unwrap_or(rest.len());
        if end == 0 {
            let message = match rest.chars().next() {
                None => "a condition is missing here",
                Some(')') => "a condition is missing before this parenthesis",
                Some(_) => "a condition is missing before this",
            };
            return Err(self.fault(start, 1, message));
        }
        self.at += end;
        let text = &rest[..end];
        if let Some(operator) = word_operator(text) {
            let message = format!(
                "operators are written in capitals; to look for the word, quote it: \"{text}\""
            );
            let place = Place::Text { offset: start, length: end };
            return Err(Fault::new(message).or_rather(Some(operator.to_owned())).at(place));
        }
        self.words(start, text, false)
    }

    fn words(&self, start: usize, text: &str, star: bool) -> Result<Filter, FilterError> {
        let starred = if star { format!("{text}*") } else { text.to_owned() };
        // A star inside quotes is no sign; one behind them or behind a bare word is.
        let quoted = self.text[start..].starts_with('"');
        let words = Word::all(&starred, star || !quoted);
        match words.is_empty() {
            true => Err(self.fault(
                start,
                self.at - start,
                "there is nothing to search for: words are made of letters and digits",
            )),
            false => Ok(Filter::Words(words)),
        }
    }

    fn count(&mut self, start: usize) -> Result<Filter, FilterError> {
        self.skip_space();
        let name_start = self.at;
        let name = match self.rest().starts_with('"') {
            true => self.quoted()?,
            false => {
                let rest = self.rest();
                let length = rest.find(|c| !is_field_char(c)).unwrap_or(rest.len());
                self.at += length;
                rest[..length].to_owned()
            }
        };
        let name_end = self.at;
        self.skip_space();
        if name.is_empty() || !self.eat(")") {
            return Err(self.fault(start, self.at - start, "write count(field)>3"));
        }
        let field = self.field(&name, name_start, name_end)?;
        let order = match self.sign() {
            Some(Sign::Colon) => Order::Equal,
            Some(Sign::Order(order)) => order,
            _ => return Err(self.fault(start, self.at - start, "write count(field)>3")),
        };
        let item = self.plain_item()?;
        resolve::count(field, order, &item.text).map_err(|fault| fault.at(item.place()))
    }

    fn comparison(
        &mut self,
        name: &str,
        start: usize,
        end: usize,
        sign: Sign,
    ) -> Result<Filter, FilterError> {
        let field = self.field(name, start, end)?;
        match sign {
            Sign::Matches | Sign::NotMatches => {
                let item = self.pattern()?;
                let filter = resolve::textual(field, Operator::Matches, &item.text)
                    .map_err(|fault| fault.at(item.place()))?;
                Ok(if sign == Sign::NotMatches { filter.negate() } else { filter })
            }
            Sign::Order(Order::Equal) | Sign::Colon => self.items(field),
            Sign::Order(Order::NotEqual) => Ok(resolve::negated(self.items(field)?.normal())),
            Sign::Order(order) => {
                let operator = match order {
                    Order::Less => Operator::Less,
                    Order::LessOrEqual => Operator::LessOrEqual,
                    Order::Greater => Operator::Greater,
                    _ => Operator::GreaterOrEqual,
                };
                let item = self.plain_item()?;
                resolve::ordered(field, operator, &item.text)
                    .map_err(|fault| fault.at(item.place()))
            }
        }
    }

    fn field(&self, name: &str, start: usize, end: usize) -> Result<&'a Field, FilterError> {
        let schema = self.schema;
        schema.require(name).map_err(|mut fault| {
            if fault.suggestion.is_none() {
                fault.message.push_str("; put text to search for in quotes");
            }
            fault.at(Place::Text { offset: start, length: end - start })
        })
    }

    /// The list of items behind a colon.
    fn items(&mut self, field: &Field) -> Result<Filter, FilterError> {
        let start = self.at;
        let mut parts = Vec::new();
        loop {
            let item = self.item()?;
            parts.push(self.item_condition(field, &item)?);
            if !self.eat(",") {
                break;
            }
        }
        if parts.len() == 1 {
            return Ok(parts.remove(0));
        }
        let place = Place::Text { offset: start, length: self.at - start };
        resolve::one_of(field, parts).map_err(|fault| fault.at(place))
    }

    fn item_condition(&mut self, field: &Field, item: &Item) -> Result<Filter, FilterError> {
        let operator = match (item.text.to_ascii_lowercase().as_str(), item.quoted) {
            ("next", false) => Some(Operator::WithinNext),
            ("last", false) => Some(Operator::WithinLast),
            _ => None,
        };
        if let Some(operator) = operator.filter(|_| self.rest().starts_with('(')) {
            self.at += 1;
            self.skip_space();
            let length = self.item()?;
            self.skip_space();
            if !self.eat(")") {
                return Err(self.fault(
                    item.offset,
                    item.length + 1,
                    "this parenthesis is never closed",
                ));
            }
            return resolve::within(field, operator, &length.text)
                .map_err(|fault| fault.at(length.place()));
        }
        if self.rest().starts_with(['(', '"']) {
            let message = "put the whole value in quotes";
            return Err(self.fault(item.offset, item.length + 1, message));
        }
        let text = item.text.as_str();
        let resolved = match (item.star_before, item.star_after) {
            (true, true) if text.is_empty() && !item.quoted => {
                Ok(resolve::bare(field, Operator::Exists))
            }
            (true, true) => resolve::textual(field, Operator::Contains, text),
            (false, true) => resolve::textual(field, Operator::StartsWith, text),
            (true, false) => resolve::textual(field, Operator::EndsWith, text),
            (false, false) => match text.split_once("..") {
                Some((from, to)) if !item.quoted && field.kind.is_ordered() => {
                    resolve::range(field, from, to)
                }
                _ => resolve::equals(field, text),
            },
        };
        resolved.map_err(|fault| fault.at(item.place()))
    }

    /// An item without stars.
    fn plain_item(&mut self) -> Result<Item, FilterError> {
        let item = self.item()?;
        match item.star_before || item.star_after {
            true => Err(self.fault(item.offset, item.length, "a * makes no sense here")),
            false => Ok(item),
        }
    }

    fn item(&mut self) -> Result<Item, FilterError> {
        let offset = self.at;
        let mut item = Item {
            text: String::new(),
            quoted: false,
            star_before: false,
            star_after: false,
            offset,
            length: 0,
        };
        if self.rest().starts_with('"') || self.rest().starts_with("*\"") {
            item.star_before = self.eat("*");
            item.quoted = true;
            item.text = self.quoted()?;
            item.star_after = self.eat("*");
            item.length = self.at - offset;
            if self.rest().starts_with(|c| !is_boundary(c) && c != ',') {
                return Err(self.fault(offset, item.length, "put the whole value in quotes"));
            }
            return Ok(item);
        }
        let rest = self.rest();
        let end = rest.find(|c| is_boundary(c) || c == ',' || c == '"').unwrap_or(rest.len());
        if end == 0 {
            return Err(self.fault(offset, 0, "a value is missing here"));
        }
        self.at += end;
        item.length = end;
        let bare = &rest[..end];
        if bare == "*" {
            (item.star_before, item.star_after) = (true, true);
            return Ok(item);
        }
        let body = bare.strip_prefix('*').unwrap_or(bare);
        item.star_before = body.len() < bare.len();
        let core = body.strip_suffix('*').unwrap_or(body);
        item.star_after = core.len() < body.len();
        if core.contains('*') || core.is_empty() {
            let message = "a * stands only at the beginning or the end of a value; \
                           write field~… for a pattern, or put the value in quotes";
            return Err(self.fault(offset, end, message));
        }
        item.text = core.to_owned();
        Ok(item)
    }

    /// A regular expression: quoted, or up to white space or a parenthesis it did not open.
    fn pattern(&mut self) -> Result<Item, FilterError> {
        let offset = self.at;
        let (text, quoted) = match self.rest().starts_with('"') {
            true => (self.quoted()?, true),
            false => (self.bare_pattern().to_owned(), false),
        };
        if text.is_empty() && !quoted {
            return Err(self.fault(offset, 0, "a regular expression is missing here"));
        }
        let length = self.at - offset;
        Ok(Item { text, quoted, star_before: false, star_after: false, offset, length })
    }

    fn bare_pattern(&mut self) -> &'a str {
        let rest = self.rest();
        let (mut open, mut escaped) = (0_usize, false);
        let end = rest.find(|c: char| {
            if c.is_whitespace() {
                return true;
            }
            match (escaped, c) {
                (true, _) => escaped = false,
                (false, '\\') => escaped = true,
                (false, '(') => open += 1,
                (false, ')') if open == 0 => return true,
                (false, ')') => open -= 1,
                _ => {}
            }
            false
        });
        let end = end.unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// A quoted text; the parser stands on its opening quote.
    fn quoted(&mut self) -> Result<String, FilterError> {
        let start = self.at;
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1).peekable();
        while let Some((place, c)) = chars.next() {
            match c {
                '"' => {
                    self.at = start + place + 1;
                    return Ok(text);
                }
                '\\' => match chars.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                    Some((_, next)) => text.push(next),
                    None => text.push('\\'),
                },
                _ => text.push(c),
            }
        }
        Err(self.fault(start, self.text.len() - start, "this quote is never closed"))
    }

    /// The sign behind a field. White space is allowed around all but the colon, which must touch
    /// the name, and whose value must touch it.
    fn sign(&mut self) -> Option<Sign> {
        let start = self.at;
        let spaced = {
            self.skip_space();
            self.at > start
        };
        let found = SIGNS.iter().find(|(sign, _)| self.rest().starts_with(sign));
        match found {
            Some((sign, meaning)) if !(spaced && sign.starts_with(':')) => {
                self.at += sign.len();
                if *meaning != Sign::Colon {
                    self.skip_space();
                }
                Some(*meaning)
            }
            _ => {
                self.at = start;
                None
            }
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn eat(&mut self, sign: &str) -> bool {
        let there = self.rest().starts_with(sign);
        self.at += if there { sign.len() } else { 0 };
        there
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn sees_keyword(&self, word: &str) -> bool {
        let after = self.rest().strip_prefix(word);
        after.is_some_and(|after| !after.starts_with(|c| !is_boundary(c) && c != '"'))
    }

    fn keyword(&mut self, word: &str) -> bool {
        self.skip_space();
        let there = self.sees_keyword(word);
        self.at += if there { word.len() } else { 0 };
        there
    }

    fn fault(&self, offset: usize, length: usize, message: &str) -> FilterError {
        Fault::new(message).at(Place::Text { offset, length: length.min(self.text.len() - offset) })
    }
}

impl Item {
    fn place(&self) -> Place {
        Place::Text { offset: self.offset, length: self.length }
    }
}

fn is_boundary(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')')
}
