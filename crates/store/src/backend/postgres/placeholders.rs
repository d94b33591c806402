//! Placeholders that are not numbered, numbered: `?, ?` becomes `$1, $2`.

use std::borrow::Cow;

/// The statement with every `?` outside of quotes numbered in order. Statements of ours use either
/// `?` or `$n`, never both.
pub(super) fn numbered(sql: Cow<'static, str>) -> Cow<'static, str> {
    if !sql.contains('?') {
        return sql;
    }
    let mut text = String::with_capacity(sql.len() + 64);
    let (mut number, mut quote) = (0_usize, None);
    for c in sql.chars() {
        match (quote, c) {
            (None, '?') => {
                number += 1;
                text.push('$');
                text.push_str(&number.to_string());
                continue;
            }
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
        text.push(c);
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::numbered;

    #[test]
    fn question_marks_outside_of_quotes_are_numbered() {
        let check = |sql: &'static str, expected: &str| assert_eq!(numbered(sql.into()), expected);
        check("SELECT 1", "SELECT 1");
        check("a = $1 AND b = $2", "a = $1 AND b = $2");
        check("(?, ?), (?, ?)", "($1, $2), ($3, $4)");
        check("a = '?' AND \"?\" = ? AND b = 'it''s ?' AND c = ?", {
            "a = '?' AND \"?\" = $1 AND b = 'it''s ?' AND c = $2"
        });
    }
}
