//! Lines: syslog in both of its forms, CEF, LEEF, and what stands in the message of syslog.
//!
//! A line of syslog is what is inside it: CEF, LEEF or JSON of a shape that is known is read as
//! that; our own structured data gives the type; anything else is known by its program and message
//! identifier.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::json;
use crate::catalogue::EventType;
use crate::dialect::Dialect;
use crate::dialect::foreign::{Foreign, bounded, certificates};
use crate::envelope::{Severity, Verdict};
use crate::time::Timestamp;

type Read = Result<Foreign, String>;

/// One line of `dialect`.
pub(super) fn one(dialect: Dialect, line: &str) -> Read {
    match dialect {
        Dialect::Cef => cef(after_header(line, "CEF:")),
        Dialect::Leef => leef(after_header(line, "LEEF:")),
        _ => syslog(line),
    }
}

/// What begins with `mark`, whatever header of syslog stands before it.
fn after_header<'a>(line: &'a str, mark: &str) -> &'a str {
    line.find(mark).map_or(line, |at| &line[at..])
}

/// Header fields between `|` with `\|` and `\\` undone, and the rest behind the last of `count`.
fn header(line: &str, count: usize) -> Option<(Vec<String>, &str)> {
    let mut fields = vec![String::new()];
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match c {
            c if escaped => {
                fields.last_mut()?.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '|' if fields.len() == count => return Some((fields, &line[at + 1..])),
            '|' => fields.push(String::new()),
            c => fields.last_mut()?.push(c),
        }
    }
    (fields.len() == count && !escaped).then_some((fields, ""))
}

fn cef(line: &str) -> Read {
    let (fields, rest) =
        header(line, 7).filter(|(fields, _)| fields[0].starts_with("CEF:")).ok_or(
            "not a line of CEF: expected CEF:0|vendor|product|version|signature|name|severity|",
        )?;
    let members = cef_members(rest);
    let mut event = begun(&fields[4], &fields[5], line)?;
    finish(&mut event, &members, ["externalId", "rt", "suser", "src", "msg"]);
    event.severity = event.severity.or(match fields[6].trim() {
        "0" => Some(Severity::Debug),
        "1" | "2" | "3" | "Low" => Some(Severity::Info),
        "4" | "5" | "6" | "Medium" => Some(Severity::Warning),
        "7" | "8" | "High" => Some(Severity::Error),
        "9" | "10" | "Very-High" => Some(Severity::Critical),
        _ => None,
    });
    Ok(event)
}

/// `key=value key=value`: a value goes on to the next ` key=`; `\=`, `\\`, `\n` are undone.
fn cef_members(text: &str) -> BTreeMap<String, String> {
    let mut members = BTreeMap::new();
    let mut open: Option<(String, String)> = None;
    let mut word = String::new();
    let mut escaped = false;
    for c in text.chars() {
        match c {
            c if escaped => {
                word.push(if c == 'n' { '\n' } else { c });
                escaped = false;
            }
            '\\' => escaped = true,
            '=' if is_key(&word) => {
                members.extend(open.take().map(|(key, value)| (key, value.trim().to_owned())));
                open = Some((std::mem::take(&mut word), String::new()));
            }
            ' ' => {
                if let Some((_, value)) = &mut open {
                    value.push_str(&word);
                    value.push(' ');
                }
                word.clear();
            }
            c => word.push(c),
        }
    }
    if let Some((key, value)) = open {
        members.insert(key, (value + &word).trim().to_owned());
    }
    members
}

fn is_key(word: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (1..=64).contains(&word.len()) && word.chars().all(fits)
}

fn leef(line: &str) -> Read {
    let wrong = "not a line of LEEF: expected LEEF:2.0|vendor|product|version|event|";
    let (fields, rest) =
        header(line, 5).filter(|(fields, _)| fields[0].starts_with("LEEF:")).ok_or(wrong)?;
    // Version 2 may name its delimiter; without one it is a tab, as in version 1.
    let (delimiter, rest) = match rest.split_once('|') {
        Some((named, rest)) if fields[0] == "LEEF:2.0" && named.len() <= 6 => (named, rest),
        _ => ("", rest),
    };
    let delimiter = match delimiter.trim_start_matches('0').strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16).ok().and_then(char::from_u32).unwrap_or('\t'),
        None => delimiter.chars().next().unwrap_or('\t'),
    };
    let pairs = rest.split(delimiter).filter_map(|pair| pair.split_once('='));
    let members: BTreeMap<String, String> =
        pairs.map(|(key, value)| (key.trim().to_owned(), value.to_owned())).collect();
    let mut event = begun(&fields[4], "", line)?;
    finish(&mut event, &members, ["eventId", "devTime", "usrName", "src", "msg"]);
    let severity = members.get("sev").and_then(|text| text.parse::<u8>().ok());
    event.severity = event.severity.or(severity.map(|number| match number {
        0..=1 => Severity::Debug,
        2..=3 => Severity::Info,
        4..=6 => Severity::Warning,
        7..=8 => Severity::Error,
        _ => Severity::Critical,
    }));
    Ok(event)
}

fn begun(code: &str, name: &str, line: &str) -> Read {
    let code = if code.trim().is_empty() { name } else { code };
    Foreign::new(code, EventType::parse(code), line.to_owned())
        .ok_or_else(|| "the line does not say what happened".to_owned())
}

/// Takes over the members that both formats have, under the names `[id, time, actor, ip, message]`.
fn finish(event: &mut Foreign, members: &BTreeMap<String, String>, names: [&str; 5]) {
    let own = |name: &str| members.get(name).and_then(|text| bounded(text));
    let [id, time, actor, ip, message] = names;
    event.id = own(id);
    event.time = members.get(time).and_then(|text| moment(text));
    event.actor = own(actor);
    event.client_ip = own(ip).or(own("c6a2"));
    event.message = own("reason").or(own(message));
    let result = own("outcome").and_then(|word| Verdict::parse(&word.to_lowercase()));
    event.result = result.unwrap_or(Verdict::Success);
    event.subject = own("targets").or(own("cs5"));
    let value = members.iter().map(|(key, value)| (key.clone(), value.clone().into()));
    event.certificates = certificates(&Value::Object(value.collect()));
}

fn moment(text: &str) -> Option<Timestamp> {
    match text.parse::<i64>() {
        Ok(ms) => Some(Timestamp::from_micros(ms.saturating_mul(1_000))),
        Err(_) => text.parse().ok(),
    }
}

/// RFC 5424, or the older form `<PRI>Mmm dd hh:mm:ss host tag: message`.
fn syslog(line: &str) -> Read {
    let wrong = || "not a line of syslog: expected <PRI>".to_owned();
    let (priority, rest) =
        line.strip_prefix('<').and_then(|rest| rest.split_once('>')).ok_or_else(wrong)?;
    let priority: u8 = priority.parse().ok().filter(|number| *number <= 191).ok_or_else(wrong)?;
    let severity = match priority & 7 {
        0..=2 => Severity::Critical,
        3 => Severity::Error,
        4 => Severity::Warning,
        5 | 6 => Severity::Info,
        _ => Severity::Debug,
    };
    let mut event = match rest.strip_prefix("1 ") {
        Some(rest) => rfc5424(rest, line)?,
        None => older(rest, line)?,
    };
    event.severity = event.severity.or(Some(severity));
    Ok(event)
}

fn rfc5424(rest: &str, line: &str) -> Read {
    let mut fields = rest.splitn(6, ' ');
    let mut field = || fields.next().filter(|field| !field.is_empty());
    let short = "not a line of RFC 5424: its header is too short";
    let time = field().ok_or(short)?;
    let (host, program) = (field().ok_or(short)?, field().ok_or(short)?);
    let (_process, name) = (field().ok_or(short)?, field().ok_or(short)?);
    let (data, message) =
        structured(field().ok_or(short)?).ok_or("its structured data is broken")?;
    let message = message.trim_start().trim_start_matches('\u{FEFF}');
    if let Some(mut event) = inside(message) {
        event.time = event.time.or(time.parse().ok());
        return Ok(event);
    }
    let ours = data.get("type").cloned().filter(|_| line.contains("[chancery@32473 "));
    let code = ours.unwrap_or_else(|| match name {
        "-" => program.to_owned(),
        name => format!("{program}/{name}"),
    });
    let mut event = begun(&code, program, line)?;
    finish(&mut event, &data, ["id", "time", "actor", "ip", "message"]);
    event.time = time.parse().ok();
    event.severity = data.get("severity").and_then(|word| Severity::parse(word));
    event.message = event.message.or_else(|| bounded(message));
    event.subject = event.subject.or_else(|| bounded(host));
    Ok(event)
}

/// The parameters of all elements, and what follows them (RFC 5424 §6.3).
fn structured(text: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut data = BTreeMap::new();
    if let Some(rest) = text.strip_prefix('-') {
        return Some((data, rest));
    }
    let mut rest = text;
    while let Some(inner) = rest.strip_prefix('[') {
        let mut element = inner;
        let (head, after) = element.split_at(element.find([' ', ']'])?);
        if head.is_empty() {
            return None;
        }
        element = after;
        while let Some(parameter) = element.strip_prefix(' ') {
            let (name, after) = parameter.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            data.insert(name.to_owned(), value);
            element = after;
        }
        rest = element.strip_prefix(']')?;
    }
    Some((data, rest))
}

fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => return Some((value, &text[at + 1..])),
            '\\' if !escaped => escaped = true,
            c => {
                if escaped && !matches!(c, '"' | '\\' | ']') {
                    value.push('\\');
                }
                value.push(c);
                escaped = false;
            }
        }
    }
    None
}

/// The form of RFC 3164, which has no year and no zone: its time is not taken.
fn older(rest: &str, line: &str) -> Read {
    let words: Vec<&str> = rest.splitn(5, ' ').filter(|word| !word.is_empty()).collect();
    let text =
        if words.len() >= 4 && words[2].contains(':') { rest.splitn(5, ' ').last() } else { None };
    let text = text.unwrap_or(rest);
    if let Some(event) = inside(after_tag(text).1).or_else(|| inside(rest)) {
        return Ok(event);
    }
    let (tag, message) = after_tag(text);
    let mut event = begun(tag, "syslog", line)?;
    event.message = bounded(message);
    Ok(event)
}

/// `host tag[pid]: message` or `tag: message`: the tag and the message.
fn after_tag(text: &str) -> (&str, &str) {
    let Some((head, message)) = text.split_once(": ") else { return ("syslog", text) };
    let tag = head.rsplit(' ').next().unwrap_or_default();
    let tag = tag.split('[').next().unwrap_or_default();
    (if tag.is_empty() { "syslog" } else { tag }, message)
}

/// An event of another shape that stands in the message of a line.
fn inside(message: &str) -> Option<Foreign> {
    if let Some(at) = message.find("CEF:").filter(|at| *at < 64) {
        return cef(&message[at..]).ok();
    }
    if let Some(at) = message.find("LEEF:").filter(|at| *at < 64) {
        return leef(&message[at..]).ok();
    }
    let at = message.find('{').filter(|at| *at < 64)?;
    let value: Value = serde_json::from_str(&message[at..]).ok()?;
    let has = |name: &str| value.get(name).is_some();
    let inner: Option<&Map<String, Value>> = value.get("event").and_then(Value::as_object);
    if has("specversion") {
        json::cloud_event(value).ok()
    } else if has("eventType") && has("uuid") {
        json::okta(value).into_iter().next()?.ok()
    } else if has("code")
        || inner.is_some_and(|event| event.contains_key("code") && event.contains_key("module"))
    {
        json::horizon(value).ok()
    } else if has("class_uid") {
        json::ocsf(value).ok()
    } else if has("@timestamp") {
        json::ecs(value).ok()
    } else {
        None
    }
}
