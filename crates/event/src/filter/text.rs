//! Writing the canonical text spelling: what saved views, URLs and explanations show.

use super::{
    Comparison, Filter, Literal, Operand, Operator, Word,
    literal::plain_text,
    parse::{is_field_char, word_operator},
};

pub(super) fn to_text(filter: &Filter) -> String {
    let mut out = String::new();
    if *filter != Filter::All {
        write(filter, Around::Nothing, &mut out);
    }
    out
}

/// What a condition stands in, which decides about parentheses.
#[derive(Clone, Copy, PartialEq)]
enum Around {
    Nothing,
    Or,
    And,
    Not,
}

fn write(filter: &Filter, around: Around, out: &mut String) {
    match filter {
        Filter::All => out.push('*'),
        Filter::And(parts) if parts.is_empty() => out.push('*'),
        Filter::Or(parts) if parts.is_empty() => out.push_str("-*"),
        Filter::And(parts) => {
            let within = matches!(around, Around::And | Around::Not);
            joined(parts, " ", within, Around::And, out);
        }
        Filter::Or(parts) => {
            joined(parts, " OR ", around != Around::Nothing, Around::Or, out);
        }
        Filter::Not(part) => {
            out.push('-');
            write(part, Around::Not, out);
        }
        Filter::Comparison(comparison) => comparison_text(comparison, out),
        Filter::Words(words) if words.is_empty() => out.push('*'),
        Filter::Words(words) => {
            let within = words.len() > 1 && around == Around::Not;
            let words: Vec<String> = words.iter().map(word_text).collect();
            parenthesised(within, out, |out| out.push_str(&words.join(" ")));
        }
    }
}

fn joined(parts: &[Filter], between: &str, within: bool, around: Around, out: &mut String) {
    parenthesised(within, out, |out| {
        for (place, part) in parts.iter().enumerate() {
            if place > 0 {
                out.push_str(between);
            }
            write(part, around, out);
        }
    });
}

fn parenthesised(within: bool, out: &mut String, body: impl FnOnce(&mut String)) {
    if within {
        out.push('(');
    }
    body(out);
    if within {
        out.push(')');
    }
}

fn word_text(word: &Word) -> String {
    let star = if word.prefix { "*" } else { "" };
    let spaced = word.token.contains(|c: char| c.is_whitespace() || c.is_control());
    let operator = !word.prefix && word_operator(&word.token).is_some();
    match !spaced && !operator && !word.token.is_empty() {
        true => format!("{}{star}", word.token),
        false => format!("{}{star}", quoted(&word.token)),
    }
}

/// One comparison in the text spelling.
pub(super) fn comparison_text(comparison: &Comparison, out: &mut String) {
    let field = field_text(&comparison.field);
    let value = |literal: &Literal| value_text(&plain_text(literal));
    let text = match (&comparison.operator, &comparison.operand) {
        (Operator::Exists, _) => format!("{field}:*"),
        (Operator::Empty, _) => format!("-{field}:*"),
        (Operator::In, Operand::Many(literals)) => {
            let values: Vec<String> = literals.iter().map(value).collect();
            format!("{field}:{}", values.join(","))
        }
        (operator, Operand::One(literal)) => match operator {
            Operator::NotEquals => format!("{field}!={}", value(literal)),
            Operator::Contains => format!("{field}:*{}*", value(literal)),
            Operator::StartsWith => format!("{field}:{}*", value(literal)),
            Operator::EndsWith => format!("{field}:*{}", value(literal)),
            Operator::Matches => format!("{field}~{}", quoted(&plain_text(literal))),
            Operator::WithinNext => format!("{field}:next({})", value(literal)),
            Operator::WithinLast => format!("{field}:last({})", value(literal)),
            Operator::Count(order) => format!("count({field}){}{}", order.sign(), value(literal)),
            other => match other.order() {
                Some(order) => format!("{field}{}{}", order.sign(), value(literal)),
                None => format!("{field}:{}", value(literal)),
            },
        },
        // Only a tree built by hand gets here; it is shown, but does not parse.
        (operator, _) => format!("{field}:<{}>", operator.words()),
    };
    out.push_str(&text);
}

fn field_text(field: &str) -> String {
    let starts = field.starts_with(|c: char| c.is_alphabetic() || c == '_');
    match starts && field.chars().all(is_field_char) {
        true => field.to_owned(),
        false => quoted(field),
    }
}

fn value_text(value: &str) -> String {
    let bare = |c: char| c.is_alphanumeric() || "_./@:+-".contains(c);
    match !value.is_empty() && value.chars().all(bare) {
        true => value.to_owned(),
        false => quoted(value),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
