//! Server-sent events (WHATWG HTML §9.2), as far as a reader of events needs them.

use anyhow::{Result, ensure};

/// Bytes of one frame at most.
const FRAME_BYTES_MAX: usize = 4_000_000;

/// One event of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// What to send as `Last-Event-ID` after a break.
    pub(super) id: Option<String>,
    /// The data, lines joined by newlines; empty in a frame that only has an identifier.
    pub(super) data: String,
}

/// Puts frames together out of chunks as they come.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// Bytes of a line that has not ended.
    rest: Vec<u8>,
    id: Option<String>,
    data: Vec<String>,
}

impl Frames {
    /// Takes a chunk; answers the frames that are whole by now. Comments are left out.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<Vec<Frame>> {
        let mut frames = Vec::new();
        self.rest.extend_from_slice(chunk);
        let bytes = std::mem::take(&mut self.rest);
        let mut lines = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(line) = lines.next() {
            if lines.peek().is_none() {
                self.rest = line.to_vec();
                break;
            }
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            frames.extend(self.line(&String::from_utf8_lossy(line)));
        }
        let held = self.rest.len() + self.data.iter().map(String::len).sum::<usize>();
        ensure!(held <= FRAME_BYTES_MAX, "the stream holds an event that is too long");
        Ok(frames)
    }

    fn line(&mut self, line: &str) -> Option<Frame> {
        if line.is_empty() {
            let (id, data) = (self.id.take(), std::mem::take(&mut self.data));
            let empty = data.is_empty() && id.is_none();
            return (!empty).then(|| Frame { id, data: data.join("\n") });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.id = Some(value.to_owned()),
            "data" => self.data.push(value.to_owned()),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": hello\n\nid: 7\nevent: a.b\ndata: {\"a\":\ndata: \"é\"}\n\nid:8\r\ndata:x\r\n\r\nid: 9\ndata: cut";

    #[test]
    fn frames_are_the_same_however_they_are_cut() {
        let frame = |id: &str, data: &str| Frame { id: Some(id.into()), data: data.into() };
        let expected = vec![frame("7", "{\"a\":\n\"é\"}"), frame("8", "x")];
        for size in [1, 2, 3, 7, STREAM.len()] {
            let mut frames = Frames::default();
            let mut found = Vec::new();
            for chunk in STREAM.as_bytes().chunks(size) {
                found.extend(frames.push(chunk).unwrap());
            }
            assert_eq!(found, expected, "{size}");
        }
    }

    #[test]
    fn a_frame_without_end_is_refused() {
        let mut frames = Frames::default();
        let chunk = vec![b'a'; FRAME_BYTES_MAX / 2 + 1];
        assert!(frames.push(&chunk).is_ok());
        assert!(frames.push(&chunk).is_err());
    }
}
