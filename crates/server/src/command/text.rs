//! Text for people on a terminal: tables, counts, and characters that must not reach one.

use std::io::Write;

use anyhow::Result;

/// A number with its thousands apart.
pub(crate) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun.
pub(crate) fn counted(value: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(value), if value == 1 { one } else { many })
}

/// The text without what moves a terminal's cursor or colours: names in certificates and events are
/// other people's.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A time of the API without its fraction; a dash where there is none.
pub(crate) fn moment(value: &serde_json::Value) -> String {
    match value.as_str() {
        Some(text) => format!("{}Z", text.chars().take(19).collect::<String>().replace('T', " ")),
        None => "-".to_owned(),
    }
}

/// Rows under a head, columns as wide as their widest cell; the last is not padded.
pub(crate) fn table(out: &mut dyn Write, head: &[&str], rows: &[Vec<String>]) -> Result<()> {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (position, (cell, width)) in row.iter().zip(&widths).enumerate() {
            if position > 0 {
                line.push_str("  ");
            }
            line.push_str(&plain(cell));
            if position + 1 < row.len() {
                let gap = width.saturating_sub(cell.chars().count());
                line.extend(std::iter::repeat_n(' ', gap));
            }
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (value, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")]
        {
            assert_eq!(number(value), text);
        }
        assert_eq!(counted(1, "entry", "entries"), "1 entry");
        assert_eq!(counted(1_200, "entry", "entries"), "1,200 entries");
    }

    #[test]
    fn tables_line_up_and_cannot_move_the_cursor() {
        let mut out = Vec::new();
        let rows = [vec!["1".into(), "a\u{1b}[2Jb".into()], vec!["200".into(), "c".into()]];
        table(&mut out, &["id", "name"], &rows).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "id   name\n1    a\u{fffd}[2Jb\n200  c\n");
    }
}
