//! Files: one line for each event, rotated by size.
//!
//! | setting | |
//! |---|---|
//! | `file` | name of the file, in the directory for forwarders of the data directory |
//! | `max_bytes` | it is rotated at this size; 100 MB |
//! | `keep` | rotated files that are kept, 1 to 1,000; 10 |
//!
//! A delivery is written and synchronised before it counts as delivered. A crash between the two
//! writes it again: lines carry the identifier of the event.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use chancery_engine::Error;
use chancery_engine::delivery::{
    Address, Checked, Content, Definition, Parcel, Secrets, SendError, Sent,
};
use chancery_event::dialect::Dialect;
use serde_json::json;

use super::webhook::broken;
use crate::body::{check_dialect, check_key, dialect, encrypted, message_json, shown, unusable};
use crate::settings::Settings;

/// One writer at a time: forwarders may share a file.
static WRITING: Mutex<()> = Mutex::new(());

struct Read {
    name: String,
    max_bytes: u64,
    keep: i64,
}

fn read(definition: &Definition) -> Result<Read, Error> {
    let settings = Settings::new(&definition.settings);
    let name = settings.needed("file", "the name of the file")?.to_owned();
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.len() > 100 || name.starts_with('.') || !name.chars().all(good) {
        let message = "a name of letters, digits, . - and _, without folders";
        return Err(Error::invalid("settings/file", message));
    }
    let max_bytes = settings.number("max_bytes", 100_000_000, (10_000, 100_000_000_000))?;
    let keep = settings.number("keep", 10, (1, 1_000))?;
    settings.finish()?;
    Ok(Read { name, max_bytes: u64::try_from(max_bytes).unwrap_or(u64::MAX), keep })
}

pub(crate) fn check(
    definition: &Definition,
    secrets: &Secrets,
    directory: &Path,
) -> Result<Checked, Error> {
    let read = read(definition)?;
    check_dialect(definition, secrets, Dialect::CloudEvents, false)?;
    check_key(secrets)?;
    let endpoint = directory.join(&read.name).display().to_string();
    Ok(Checked { hosts: Vec::new(), endpoint, batch_max: 1_000 })
}

pub(crate) async fn send(directory: &Path, address: &Address, parcel: &Parcel) -> Sent {
    let read = match read(&address.definition) {
        Ok(read) => read,
        Err(error) => return broken(&error),
    };
    let lines = match lines(address, parcel) {
        Ok(lines) => lines,
        Err(error) => return Sent::failed(json!({ "file": read.name }), error),
    };
    let path = directory.join(&read.name);
    let request = json!({ "file": read.name, "bytes": lines.len() });
    let written =
        tokio::task::spawn_blocking(move || append(&path, &lines, read.max_bytes, read.keep)).await;
    match written {
        Ok(Ok(size)) => Sent { request, response: json!({ "size": size }), ..Sent::default() },
        Ok(Err(error)) => Sent::failed(request, SendError::new("file", error.to_string())),
        Err(error) => Sent::failed(request, SendError::new("internal", error.to_string())),
    }
}

/// Bytes of one line, about.
const LINE_SIZE: usize = 1_024;

fn lines(address: &Address, parcel: &Parcel) -> Result<Vec<u8>, SendError> {
    let dialect = dialect(&address.definition, Dialect::CloudEvents).map_err(unusable)?;
    let events = shown(&parcel.content);
    let mut lines = Vec::with_capacity(events.len() * LINE_SIZE);
    let mut add = |media_type: &str, bytes: Vec<u8>| {
        let bytes = encrypted(&address.secrets, media_type, bytes)?;
        // A line is one event, whatever the dialect makes of it.
        for piece in bytes.split(|byte| matches!(byte, b'\n' | b'\r')) {
            lines.extend_from_slice(piece);
        }
        lines.push(b'\n');
        Ok::<_, SendError>(())
    };
    for one in events {
        let rendered = dialect.render(one);
        add(rendered.media_type, rendered.bytes)?;
    }
    if let Content::Message(message) = &parcel.content {
        add("application/json", message_json(message, parcel).into_bytes())?;
    }
    Ok(lines)
}

/// Appends and synchronises; answers the size of the file.
fn append(path: &Path, bytes: &[u8], max_bytes: u64, keep: i64) -> std::io::Result<u64> {
    let _one = WRITING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut size = mended(path)?;
    let mut is_new = size == 0;
    if size > 0 && size + bytes.len() as u64 > max_bytes {
        rotate(path, keep)?;
        (size, is_new) = (0, true);
    }
    let mut file = File::options().create(true).append(true).open(path)?;
    if let Err(error) = file.write_all(bytes).and_then(|()| file.sync_data()) {
        // Half of it may be there, and is sent again: the next line begins where this one did.
        file.set_len(size)?;
        return Err(error);
    }
    if is_new && let Some(directory) = path.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(size + bytes.len() as u64)
}

/// Takes away a last line that a crash left unfinished: its delivery is written again. Answers the
/// size of the file.
fn mended(path: &Path) -> std::io::Result<u64> {
    let mut file = match File::options().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let whole = file.metadata()?.len();
    let mut end = whole;
    let mut chunk = vec![0; 65_536];
    while end > 0 {
        let from = end.saturating_sub(chunk.len() as u64);
        let wanted = usize::try_from(end - from).unwrap_or(chunk.len());
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(&mut chunk[..wanted])?;
        match chunk[..wanted].iter().rposition(|byte| *byte == b'\n') {
            Some(place) => {
                end = from + place as u64 + 1;
                break;
            }
            None => end = from,
        }
    }
    if end < whole {
        file.set_len(end)?;
    }
    Ok(end)
}

/// `name` becomes `name.1`, `name.1` becomes `name.2`, and so on.
fn rotate(path: &Path, keep: i64) -> std::io::Result<()> {
    let numbered = |number: i64| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    for number in (1..keep).rev() {
        if numbered(number).exists() {
            fs::rename(numbered(number), numbered(number + 1))?;
        }
    }
    fs::rename(path, numbered(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_rotated_by_size_and_old_ones_go() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.ndjson");
        for round in 0..8u8 {
            append(&path, &line(b'a' + round), 100, 2).unwrap();
        }
        let mut names: Vec<String> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["events.ndjson", "events.ndjson.1", "events.ndjson.2"]);
        assert_eq!(fs::read(path).unwrap(), [line(b'g'), line(b'h')].concat());
    }

    fn line(letter: u8) -> Vec<u8> {
        let mut line = vec![letter; 39];
        line.push(b'\n');
        line
    }

    #[test]
    fn what_a_crash_left_of_a_line_goes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.ndjson");
        for torn in [&b"{\"half"[..], &[b'x'; 200_000], b""] {
            fs::write(&path, [&line(b'a')[..], torn].concat()).unwrap();
            assert_eq!(append(&path, &line(b'b'), 1_000_000, 2).unwrap(), 80);
            assert_eq!(fs::read(&path).unwrap(), [line(b'a'), line(b'b')].concat());
        }
        fs::write(&path, "nothing but half a line").unwrap();
        append(&path, &line(b'b'), 1_000_000, 2).unwrap();
        assert_eq!(fs::read(&path).unwrap(), line(b'b'));
    }

    #[test]
    fn names_have_no_folders() {
        for (name, good) in
            [("soc.ndjson", true), ("../x", false), ("/etc/passwd", false), (".x", false)]
        {
            let settings = json!({ "file": name }).as_object().unwrap().clone();
            let definition = Definition { settings, ..Definition::default() };
            assert_eq!(read(&definition).is_ok(), good, "{name}");
        }
    }
}
