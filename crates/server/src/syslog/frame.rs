//! Bytes of a stream become lines: RFC 6587, octet counting and newlines, each line by itself,
//! because senders mix them. Pure.

/// The longest line that is taken, in bytes.
pub(super) const LINE_MAX: usize = 64 * 1_024;

/// The most digits of a count.
const DIGITS_MAX: usize = 7;

/// A stream cannot be read on: nobody knows where its next line begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lost;

/// What is read and not yet lines. Holds at most one line and what was read behind it.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// A line without end is being skipped.
    skipping: bool,
    /// Lines that were too long.
    pub(super) too_long: u64,
}

impl Buffer {
    /// Adds what was read; answers the lines that are whole now.
    pub(super) fn push(&mut self, read: &[u8]) -> Result<Vec<String>, Lost> {
        self.bytes.extend_from_slice(read);
        let mut lines = Vec::new();
        let mut at = 0;
        while let Some((line, next)) = self.next(at)? {
            at = next;
            if let Some(line) = line.filter(|line| !line.trim().is_empty()) {
                lines.push(line);
            }
        }
        self.bytes.drain(..at);
        if self.skipping {
            self.bytes.clear();
        } else if self.bytes.len() > LINE_MAX && !is_counted(&self.bytes) {
            self.too_long += 1;
            self.skipping = true;
            self.bytes.clear();
        }
        Ok(lines)
    }

    /// Whether a line has begun and not ended.
    pub(super) fn is_half_done(&self) -> bool {
        self.skipping || !self.bytes.is_empty()
    }

    /// What is left when the stream ends: a last line that nothing ends.
    pub(super) fn rest(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.bytes);
        let whole = !self.skipping && !is_counted(&rest);
        whole.then(|| text(&rest)).filter(|line| !line.trim().is_empty())
    }

    /// The line that begins at `at`, and where the next one does; `None`: it is not whole yet.
    fn next(&mut self, at: usize) -> Result<Option<(Option<String>, usize)>, Lost> {
        let rest = &self.bytes[at..];
        if rest.is_empty() {
            return Ok(None);
        }
        if is_counted(rest) && !self.skipping {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits > DIGITS_MAX {
                return Err(Lost);
            }
            if digits == rest.len() {
                return Ok(None);
            }
            let count =
                std::str::from_utf8(&rest[..digits]).ok().and_then(|text| text.parse().ok());
            let count: usize = count.ok_or(Lost)?;
            if count > LINE_MAX {
                return Err(Lost);
            }
            let begin = at + digits + 1;
            let Some(line) = self.bytes.get(begin..begin + count) else { return Ok(None) };
            return Ok(Some((Some(text(line)), begin + count)));
        }
        Ok(self.until_newline(at))
    }

    fn until_newline(&mut self, at: usize) -> Option<(Option<String>, usize)> {
        let rest = &self.bytes[at..];
        let end = rest.iter().position(|byte| matches!(byte, b'\n' | 0))?;
        let line = text(&rest[..end]);
        let skipped = std::mem::take(&mut self.skipping);
        if !skipped && line.len() > LINE_MAX {
            self.too_long += 1;
            return Some((None, at + end + 1));
        }
        Some(((!skipped).then_some(line), at + end + 1))
    }
}

/// RFC 6587 §3.4.1: a count begins with a digit that is not 0 and ends with a space, a line begins
/// with `<`. What may still become a count is one.
fn is_counted(bytes: &[u8]) -> bool {
    let digits = bytes.iter().take(DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
    let ends = digits > DIGITS_MAX || bytes.get(digits).is_none_or(|byte| *byte == b' ');
    matches!(bytes.first(), Some(b'1'..=b'9')) && ends
}

/// What is no UTF-8 is shown as such; nothing is lost for one wrong byte.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches(['\r', '\n', '\0']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same lines, in whatever pieces they come.
    fn check(bytes: &[u8], expected: &[&str], rest: Option<&str>) {
        for size in [1, 2, 3, 7, bytes.len().max(1)] {
            let mut buffer = Buffer::default();
            let mut lines = Vec::new();
            for piece in bytes.chunks(size) {
                lines.extend(buffer.push(piece).unwrap());
            }
            assert_eq!(lines, expected, "pieces of {size}");
            assert_eq!(buffer.rest().as_deref(), rest, "pieces of {size}");
        }
    }

    #[test]
    fn a_line_that_begins_with_a_digit_is_no_longer_than_others() {
        check(b"2026-11-21 a\n4 <1>a", &["2026-11-21 a", "<1>a"], None);
        check(b"2026-11-21 a", &[], Some("2026-11-21 a"));
        let mut buffer = Buffer::default();
        assert!(buffer.push(b"2026-11-21 ").unwrap().is_empty());
        for _ in 0..10 {
            assert!(buffer.push(&[b'a'; LINE_MAX]).unwrap().is_empty());
            assert!(buffer.bytes.len() <= LINE_MAX, "it waits for no end of it");
        }
        assert_eq!(buffer.push(b"a\n<1>b\n").unwrap(), ["<1>b"]);
        assert_eq!(buffer.too_long, 1);
    }

    #[test]
    fn both_framings_are_read_and_may_be_mixed() {
        check(b"<1>a\n<2>b\r\n<3>c\0\n\n", &["<1>a", "<2>b", "<3>c"], None);
        check(b"4 <1>a5 <2>\nb<3>c\n", &["<1>a", "<2>\nb", "<3>c"], None);
        check(b"<1>a\n<2>b", &["<1>a"], Some("<2>b"));
        check(b"9 <1>a", &[], None);
        check("<1>é\n".as_bytes(), &["<1>é"], None);
        check(b"2026-11-21 no priority\n", &["2026-11-21 no priority"], None);
        check(b"", &[], None);
    }

    #[test]
    fn a_line_without_end_is_skipped_and_counted_and_memory_stays_bounded() {
        let mut buffer = Buffer::default();
        for _ in 0..100 {
            assert_eq!(buffer.push(&[b'x'; 10_000]), Ok(Vec::new()));
            assert!(buffer.bytes.len() <= LINE_MAX + 10_000);
        }
        assert_eq!(buffer.push(b"end\n<1>next\n"), Ok(vec!["<1>next".to_owned()]));
        assert_eq!(buffer.too_long, 1);
        let long = format!("<1>{}\n<2>b\n", "y".repeat(LINE_MAX));
        assert_eq!(buffer.push(long.as_bytes()), Ok(vec!["<2>b".to_owned()]));
        assert_eq!(buffer.too_long, 2);
    }

    #[test]
    fn counts_that_cannot_be_end_the_stream() {
        for bytes in [&b"65537 <1>"[..], b"99999999999 <1>", b"12345678"] {
            assert_eq!(Buffer::default().push(bytes), Err(Lost), "{bytes:?}");
        }
        let whole = format!("{LINE_MAX} {}", "z".repeat(LINE_MAX));
        assert_eq!(Buffer::default().push(whole.as_bytes()).unwrap().len(), 1);
    }
}
