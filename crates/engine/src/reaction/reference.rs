//! Names that a filter holds: which group, RA profile or owner it asks for. They are names, so
//! whoever takes one away or gives it another asks here first.
//!
//! A filter is read as it was written, not parsed: what it means is not the question, and a filter
//! that cannot be read any more still names what it names.

use serde_json::Value;

/// Whether a filter, as text or as a tree, asks for a value of this field that `same` accepts.
pub(crate) fn names(filter: &Value, field: &str, same: &impl Fn(&str) -> bool) -> bool {
    match filter {
        Value::String(text) => in_text(text, field, same),
        Value::Array(parts) => parts.iter().any(|part| names(part, field, same)),
        Value::Object(members) => {
            let is_of = members.values().any(|value| value.as_str() == Some(field));
            let holds = |value: &Value| match value {
                Value::String(text) => same(text),
                Value::Array(all) => all.iter().filter_map(Value::as_str).any(same),
                _ => false,
            };
            let inner = |value: &&Value| value.is_array() || value.is_object();
            (is_of && members.values().any(holds))
                || members.values().filter(inner).any(|part| names(part, field, same))
        }
        _ => false,
    }
}

fn in_text(text: &str, field: &str, same: &impl Fn(&str) -> bool) -> bool {
    let text = text.to_lowercase();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once(&format!("{field}:")) {
        // `object.group:` ends in `group:`, and is another field.
        let is_whole = !before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_'));
        if is_whole && values(after).iter().any(|value| same(value)) {
            return true;
        }
        rest = after;
    }
    false
}

/// The values at the beginning of a text: `a,"b c",d` up to a space or a bracket.
fn values(text: &str) -> Vec<String> {
    let (mut values, mut value, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => is_quoted = !is_quoted,
            '\\' if is_quoted => value.extend(letters.next()),
            ',' if !is_quoted => values.push(std::mem::take(&mut value)),
            letter if !is_quoted && (letter.is_whitespace() || letter == ')') => break,
            letter => value.push(letter),
        }
    }
    values.push(value);
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_filter_tells_whom_it_names() {
        let check = |filter: Value, field: &str, name: &str| {
            names(&filter, field, &|other: &str| other.to_lowercase() == name)
        };
        assert!(check(json!("path:/a (group:Prod OR group:b)"), "group", "prod"));
        assert!(check(json!("group:a,\"b c\",d"), "group", "b c"));
        assert!(check(json!("group:a,\"b \\\"c\",d"), "group", "b \"c"));
        assert!(!check(json!("object.group:prod"), "group", "prod"));
        assert!(check(json!("-object.group:prod"), "object.group", "prod"));
        assert!(!check(json!("group:production owner:prod"), "group", "prod"));
        let tree =
            json!({ "and": [{ "field": "object.group", "op": "in", "values": ["x", "prod"] }] });
        assert!(check(tree.clone(), "object.group", "prod"));
        assert!(!check(tree, "object.owner", "prod"));
    }
}
