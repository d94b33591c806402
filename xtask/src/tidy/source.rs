//! Tells code, comments and strings of a Rust file apart.
//!
//! This is a lexer of the smallest kind: it knows how comments, strings, raw strings, characters
//! and lifetimes begin and end, and nothing else. Each of the three texts it gives has the lines
//! and columns of the original, with spaces where the character belongs to another one.

/// A Rust file in three layers.
#[derive(Debug)]
pub struct Source {
    /// Code only. The quotes of a string stay, its content does not.
    pub code: Vec<String>,
    /// Comments only, with their slashes.
    pub comments: Vec<String>,
    /// The content of strings only.
    pub strings: Vec<String>,
    /// Lines that belong to a block under `#[cfg(test)]`.
    pub in_test: Vec<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layer {
    Code,
    Comment,
    Text,
}

impl Source {
    pub fn read(text: &str) -> Self {
        let characters: Vec<char> = text.chars().collect();
        let layers = layers(&characters);
        let pick = |wanted: Layer| {
            let picked: String = characters
                .iter()
                .zip(&layers)
                .map(|(&c, &layer)| if c == '\n' || layer == wanted { c } else { ' ' })
                .collect();
            picked.lines().map(str::to_owned).collect::<Vec<String>>()
        };
        let code = pick(Layer::Code);
        let in_test = test_lines(&code);
        Self { in_test, comments: pick(Layer::Comment), strings: pick(Layer::Text), code }
    }
}

fn layers(text: &[char]) -> Vec<Layer> {
    let mut layers = vec![Layer::Code; text.len()];
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let (layer, length) = match rest {
            ['/', '/', ..] => (Layer::Comment, line_length(rest)),
            ['/', '*', ..] => (Layer::Comment, comment_length(rest)),
            ['"', ..] => (Layer::Text, string_length(rest)),
            ['r', ..] if starts_word(text, at) => (Layer::Text, raw_length(rest)),
            ['\'', ..] => (Layer::Text, character_length(rest)),
            _ => (Layer::Code, 1),
        };
        // A raw string or character that turns out to be an identifier or lifetime has length 0.
        let length = length.max(1);
        if layer == Layer::Comment {
            layers[at..at + length].fill(layer);
        } else if layer == Layer::Text && length > 2 {
            let opening = rest.iter().position(|&c| c == '"' || c == '\'').unwrap_or(0) + 1;
            let hashes = opening.saturating_sub(2) * usize::from(rest[0] == 'r');
            layers[at + opening..at + length - 1 - hashes].fill(layer);
        }
        at += length;
    }
    layers
}

/// Whether the letter at `at` begins a word; `b` and `c` may stand before the `r` of a raw string.
fn starts_word(text: &[char], at: usize) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let before = |steps: usize| at.checked_sub(steps).map(|i| text[i]);
    match before(1) {
        Some('b' | 'c') => !before(2).is_some_and(part_of_word),
        Some(c) => !part_of_word(c),
        None => true,
    }
}

fn line_length(rest: &[char]) -> usize {
    rest.iter().position(|&c| c == '\n').unwrap_or(rest.len())
}

/// Block comments nest in Rust.
fn comment_length(rest: &[char]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn string_length(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// `r"…"`, `r#"…"#` and so on; zero when this is a word that begins with `r`, or `r#name`.
fn raw_length(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&c| c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let body = 2 + hashes;
    let closes = |at: usize| {
        rest[at] == '"' && rest[at + 1..].iter().take_while(|&&c| c == '#').count() >= hashes
    };
    (body..rest.len()).find(|&at| closes(at)).map_or(rest.len(), |at| at + 1 + hashes)
}

/// `'a'`, `'\n'`, `'\u{2026}'`; zero for a lifetime.
fn character_length(rest: &[char]) -> usize {
    match rest {
        [_, '\\', _, after @ ..] => after.iter().position(|&c| c == '\'').map_or(0, |end| end + 4),
        [_, _, '\'', ..] => 3,
        _ => 0,
    }
}

/// From the first opening brace at or after (`line`, `column`) to the line of its closing one.
/// `None` when a semicolon outside brackets comes first: then there is no block.
pub fn block_end(code: &[String], line: usize, column: usize) -> Option<usize> {
    let mut braces = 0_usize;
    let mut brackets = 0_usize;
    for (number, text) in code.iter().enumerate().skip(line) {
        let skipped = if number == line { column } else { 0 };
        for c in text.chars().skip(skipped) {
            match c {
                '{' => braces += 1,
                '}' if braces <= 1 => return Some(number),
                '}' => braces -= 1,
                '(' | '[' => brackets += 1,
                ')' | ']' => brackets = brackets.saturating_sub(1),
                ';' if braces == 0 && brackets == 0 => return None,
                _ => {}
            }
        }
    }
    None
}

fn test_lines(code: &[String]) -> Vec<bool> {
    let mut marked = vec![false; code.len()];
    for line in 0..code.len() {
        if !code[line].trim_start().starts_with("#[cfg(test)]") {
            continue;
        }
        // After the attribute, so that its brackets are not counted.
        let column = code[line].find(']').map_or(0, |at| at + 1);
        let end = block_end(code, line, column).unwrap_or(line);
        marked[line..=end].fill(true);
    }
    marked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        Source::read(text).code.join("\n")
    }

    #[test]
    fn comments_and_strings_are_taken_out_of_the_code() {
        assert_eq!(code("a(); // b()"), "a();       ");
        assert_eq!(code("a(/* b /* c */ d */);"), "a(                 );");
        assert_eq!(code(r#"a("b\"}", c);"#), r#"a("    ", c);"#);
        assert_eq!(code("a(r#\"b\"}\"#, c);"), "a(r#\"   \"#, c);");
        assert_eq!(code("a(br\"{\", b\"{\");"), "a(br\" \", b\" \");");
        assert_eq!(code("for r in rows { r.r#type }"), "for r in rows { r.r#type }");
    }

    #[test]
    fn characters_are_told_from_lifetimes() {
        assert_eq!(code("f('{', '\\'', '\\u{7d}', 'a')"), "f(' ', '  ', '      ', ' ')");
        assert_eq!(code("fn f<'a>(x: &'a str) {}"), "fn f<'a>(x: &'a str) {}");
        assert_eq!(code("let b = b'{';"), "let b = b' ';");
    }

    #[test]
    fn strings_keep_their_lines() {
        let source = Source::read("a(\"x\n  // y\n\");\nb();\n");
        assert_eq!(source.strings[1], "  // y");
        assert_eq!(source.comments[1].trim(), "");
        assert_eq!(source.code[3], "b();");
    }

    #[test]
    fn blocks_end_at_their_brace() {
        let source = Source::read("fn a() {\n  if b { '}' }\n}\nfn c();\n");
        assert_eq!(block_end(&source.code, 0, 0), Some(2));
        assert_eq!(block_end(&source.code, 3, 0), None);
    }

    #[test]
    fn test_modules_are_marked() {
        let source = Source::read("a();\n#[cfg(test)]\nmod tests {\n  b();\n}\nc();\n");
        assert_eq!(source.in_test, [false, true, true, true, true, false]);
        let source = Source::read("#[cfg(test)]\nmod tests;\nfn a() {}\n");
        assert_eq!(source.in_test, [true, false, false]);
    }
}
