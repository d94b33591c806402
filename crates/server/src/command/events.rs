//! `chancery events`: the event log of a server, over its API.

mod stream;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use reqwest::Method;
use serde_json::{Value, json};

use super::{progress, text};
use crate::cli::GlobalArguments;
use crate::cli::events::{
    EventsCommand, ExportArguments, ExportFormat, ListArguments, ShowArguments, TailArguments,
};
use crate::client::{self, Body, Client};
use stream::{Frame, Frames};

/// Longest wait between two tries to continue a stream.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Runs the command.
///
/// # Errors
/// The server was not reached or refused, or the output cannot be written.
pub async fn run(global: &GlobalArguments, command: EventsCommand) -> Result<()> {
    let client = Client::new(global)?;
    match command {
        EventsCommand::List(arguments) => list(global, &client, arguments).await,
        EventsCommand::Tail(arguments) => tail(global, &client, arguments).await,
        EventsCommand::Show(arguments) => show(&client, arguments).await,
        EventsCommand::Export(arguments) => export(&client, arguments).await,
    }
}

async fn list(global: &GlobalArguments, client: &Client, arguments: ListArguments) -> Result<()> {
    let mut query = vec![("filter", arguments.filter)];
    if let Some(before) = arguments.before {
        // The cursor of the page that ends before this index.
        query.push(("cursor", format!("b{before}")));
    }
    let events = client.list("events", &query, arguments.limit).await?;
    let mut out = crate::terminal::out();
    if global.json {
        writeln!(out, "{:#}", Value::Array(events))?;
        return Ok(());
    }
    let rows: Vec<Vec<String>> = events.iter().map(|event| cells(event).to_vec()).collect();
    text::table(&mut out, &["INDEX", "TIME", "SEVERITY", "TYPE", "WHAT HAPPENED"], &rows)?;
    if let Some(last) = events.last().filter(|_| events.len() as u64 == arguments.limit) {
        errln!("There may be more: --before {}", last["log_index"]);
    }
    Ok(())
}

/// Index, time, severity, type and sentence of an event as the API tells it.
fn cells(record: &Value) -> [String; 5] {
    let member = |pointer: &str| {
        let found = record.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    let time: String = member("/event/time").chars().take(19).collect();
    [
        record["log_index"].to_string(),
        format!("{}Z", time.replace('T', " ")),
        member("/event/data/severity"),
        member("/event/type"),
        member("/sentence"),
    ]
}

/// Follows the stream; after a break it goes on behind the last event it printed.
async fn tail(global: &GlobalArguments, client: &Client, arguments: TailArguments) -> Result<()> {
    let mut last: Option<u64> = None;
    let mut wait = Duration::from_secs(1);
    let mut connected = false;
    loop {
        let query = [
            ("filter", arguments.filter.clone()),
            ("from", arguments.from.map(|from| from.to_string()).unwrap_or_default()),
        ];
        let headers: Vec<_> =
            last.map(|last| ("last-event-id", last.to_string())).into_iter().collect();
        let answer = client.send(Method::GET, "events/stream", &query, Body::None, &headers).await;
        let ended = match answer {
            // A first try that fails tells of a mistake, and so does a refusal; what else fails
            // later tells of a server that restarts.
            Err(error) if !connected || client::is_final(&error) => return Err(error),
            Err(error) => error,
            Ok(response) => {
                connected = true;
                follow(global, response, &mut last, &mut wait).await?
            }
        };
        errln!("{ended:#}; trying again in {} s", wait.as_secs());
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(WAIT_MAX);
    }
}

/// Prints what the stream brings until it breaks; answers how it ended.
async fn follow(
    global: &GlobalArguments,
    mut response: reqwest::Response,
    last: &mut Option<u64>,
    wait: &mut Duration,
) -> Result<anyhow::Error> {
    let url = response.url().clone();
    let mut frames = Frames::default();
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Ok(anyhow::anyhow!("the server ended the stream")),
            Err(error) => return Ok(client::unreachable(&url, error)),
        };
        *wait = Duration::from_secs(1);
        for Frame { id, data } in frames.push(&chunk)? {
            *last = id.and_then(|id| id.parse().ok()).or(*last);
            // The first frame tells where the stream begins, and no event.
            if data.is_empty() {
                continue;
            }
            let Ok(record) = serde_json::from_str::<Value>(&data) else {
                bail!("the stream holds what is no event: {}", text::plain(&data));
            };
            print_event(global, &record)?;
        }
    }
}

fn print_event(global: &GlobalArguments, record: &Value) -> Result<()> {
    let mut out = crate::terminal::out();
    if global.json {
        writeln!(out, "{record}")?;
    } else {
        let [index, time, severity, type_name, sentence] = cells(record).map(|c| text::plain(&c));
        writeln!(out, "{index:>8}  {time}  {severity:8}  {type_name}  {sentence}")?;
    }
    Ok(out.flush()?)
}

/// Prints an event; headers of its shape first, as a message of HTTP has them.
async fn show(client: &Client, arguments: ShowArguments) -> Result<()> {
    let path = format!("events/{}", arguments.event);
    let query = [("dialect", arguments.dialect.name().to_owned())];
    let response = client.send(Method::GET, &path, &query, Body::None, &[]).await?;
    let mut out = crate::terminal::out();
    let headers: Vec<_> = response
        .headers()
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("ce-"))
        .filter_map(|(name, value)| Some(format!("{name}: {}", value.to_str().ok()?)))
        .collect();
    for header in &headers {
        writeln!(out, "{header}")?;
    }
    let body = response.bytes().await?;
    if !headers.is_empty() {
        writeln!(out)?;
    }
    match serde_json::from_slice::<Value>(&body) {
        Ok(value) => writeln!(out, "{value:#}")?,
        Err(_) => writeln!(out, "{}", text::plain(&String::from_utf8_lossy(&body)))?,
    }
    Ok(())
}

async fn export(client: &Client, arguments: ExportArguments) -> Result<()> {
    let format = match arguments.format {
        ExportFormat::Jsonl => "jsonl",
        ExportFormat::Csv => "csv",
    };
    let index = |index: Option<u64>| index.map(|index| index.to_string()).unwrap_or_default();
    let shape = match arguments.dialect {
        Some(dialect) => ("dialect", dialect.name().to_owned()),
        None => ("format", format.to_owned()),
    };
    // The shapes of others have no last line of ours that could be checked.
    let checked = |tail: &Tail| match arguments.dialect {
        Some(_) => Ok(()),
        None => check_end(arguments.format, tail),
    };
    let query = [
        ("filter", arguments.filter),
        shape,
        ("from", index(arguments.from)),
        ("to", index(arguments.to)),
    ];
    let response = client.send(Method::GET, "events/export", &query, Body::None, &[]).await?;
    let mut tail = Tail::default();
    match &arguments.output {
        None => {
            let mut out = crate::terminal::out();
            receive(response, &mut out, &mut tail).await?;
            out.flush()?;
            checked(&tail)
        }
        Some(path) => {
            // Under another name first: a broken transfer never looks like an export.
            let part = part_of(path);
            let place = || format!("cannot write {}", part.display());
            let mut file = std::fs::File::create(&part).with_context(place)?;
            receive(response, &mut file, &mut tail).await?;
            file.sync_all().with_context(place)?;
            checked(&tail)?;
            std::fs::rename(&part, path)
                .with_context(|| format!("cannot write {}", path.display()))?;
            errln!("{}: {} bytes", path.display(), text::number(tail.bytes));
            Ok(())
        }
    }
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// The last bytes of a transfer.
#[derive(Default)]
struct Tail {
    bytes: u64,
    last: Vec<u8>,
}

impl Tail {
    fn see(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        self.last.extend_from_slice(chunk);
        let surplus = self.last.len().saturating_sub(200);
        self.last.drain(..surplus);
    }
}

async fn receive(
    mut response: reqwest::Response,
    out: &mut impl Write,
    tail: &mut Tail,
) -> Result<()> {
    let url = response.url().clone();
    let bar = progress::bytes("exporting");
    while let Some(chunk) =
        response.chunk().await.map_err(|error| client::unreachable(&url, error))?
    {
        out.write_all(&chunk).context("cannot write the export")?;
        tail.see(&chunk);
        bar.set_position(tail.bytes);
    }
    bar.finish_and_clear();
    Ok(())
}

/// An export that can be verified ends with a line that says so.
fn check_end(format: ExportFormat, tail: &Tail) -> Result<()> {
    if format == ExportFormat::Csv {
        return Ok(());
    }
    let last = String::from_utf8_lossy(&tail.last);
    let line = last.trim_end().rsplit('\n').next().unwrap_or_default();
    let end: Value = serde_json::from_str(line).unwrap_or_default();
    if end["end"] == json!(true) { Ok(()) } else { bail!("the export was cut off on its way") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_an_event() {
        let record = json!({
            "log_index": 7,
            "sentence": "alice uploaded a certificate",
            "event": {
                "type": "certificate.upload",
                "time": "2026-11-21T05:10:34.000000Z",
                "data": { "severity": "info" },
            },
        });
        let expected = [
            "7",
            "2026-11-21 05:10:34Z",
            "info",
            "certificate.upload",
            "alice uploaded a certificate",
        ];
        assert_eq!(cells(&record), expected.map(str::to_owned));
    }

    #[test]
    fn a_transfer_that_breaks_off_is_noticed() {
        let check = |chunks: &[&str], format, whole: bool| {
            let mut tail = Tail::default();
            chunks.iter().for_each(|chunk| tail.see(chunk.as_bytes()));
            assert_eq!(check_end(format, &tail).is_ok(), whole, "{chunks:?}");
        };
        check(&["{\"a\":1}\n{\"end\":tr", "ue,\"events\":1}\n"], ExportFormat::Jsonl, true);
        check(&["{\"a\":1}\n{\"end\":tr"], ExportFormat::Jsonl, false);
        check(&["{\"a\":1}\n"], ExportFormat::Jsonl, false);
        check(&[], ExportFormat::Jsonl, false);
        check(&["a,b\n"], ExportFormat::Csv, true);
    }
}
