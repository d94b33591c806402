//! `chancery catalogue`: the event types this program was built with.

use std::io::Write;

use anyhow::{Result, bail};
use chancery_event::EventType;
use chancery_event::catalogue::TypeInfo;
use serde_json::{Value, json};

use super::text;
use crate::cli::GlobalArguments;
use crate::cli::catalogue::{CatalogueCommand, CatalogueListArguments, CatalogueShowArguments};

/// Runs the command.
///
/// # Errors
/// There is no such type, or `out` cannot be written.
pub fn run(
    global: &GlobalArguments,
    command: &CatalogueCommand,
    out: &mut dyn Write,
) -> Result<()> {
    match command {
        CatalogueCommand::List(arguments) => list(global, arguments, out),
        CatalogueCommand::Show(arguments) => show(global, arguments, out),
    }
}

fn list(
    global: &GlobalArguments,
    arguments: &CatalogueListArguments,
    out: &mut dyn Write,
) -> Result<()> {
    let wanted = arguments.text.as_deref().unwrap_or_default();
    let found: Vec<EventType> =
        EventType::ALL.iter().copied().filter(|found| found.name().contains(wanted)).collect();
    if global.json {
        let documents: Vec<Value> = found.iter().map(|found| summary(found.info())).collect();
        writeln!(out, "{:#}", Value::Array(documents))?;
        return Ok(());
    }
    if found.is_empty() {
        bail!("no event type has “{wanted}” in its name");
    }
    let rows: Vec<Vec<String>> = found.iter().map(|found| row(found.info())).collect();
    text::table(out, &["TYPE", "KIND", "SEVERITY", "RECORDED", "WHAT IT RECORDS"], &rows)
}

fn row(info: &TypeInfo) -> Vec<String> {
    let recorded = if info.produced { "yes" } else { "not yet" };
    vec![
        info.name.to_owned(),
        info.kind.as_str().to_owned(),
        info.severity.as_str().to_owned(),
        recorded.to_owned(),
        first_sentence(info.description),
    ]
}

/// The description up to its first full stop, in one line.
fn first_sentence(description: &str) -> String {
    let line = description.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.split_once(". ") {
        Some((first, _)) => first.to_owned(),
        None => line.trim_end_matches('.').to_owned(),
    }
}

fn summary(info: &TypeInfo) -> Value {
    let dialects: Vec<Value> = info
        .dialects
        .iter()
        .map(|name| {
            json!({
                "system": name.system.as_str(),
                "code": name.code,
                "outcomes": name.outcomes.words(),
                "deprecated": name.deprecated,
            })
        })
        .collect();
    json!({
        "name": info.name,
        "kind": info.kind.as_str(),
        "version": info.version,
        "severity": info.severity.as_str(),
        "severity_on_failure": info.severity_on_failure.as_str(),
        "resource": info.resource.as_str(),
        "produced": info.produced,
        "description": info.description,
        "overridden_by": info.overridden_by.iter().map(|scope| scope.as_str()).collect::<Vec<_>>(),
        "monitoring": info.monitoring,
        "dialects": dialects,
    })
}

fn show(
    global: &GlobalArguments,
    arguments: &CatalogueShowArguments,
    out: &mut dyn Write,
) -> Result<()> {
    let wanted = arguments.event_type.trim();
    let Some(found) = find(wanted) else { bail!("{}", unknown(wanted)) };
    let info = found.info();
    if global.json {
        let mut document = summary(info);
        document["schema"] = found.schema();
        document["example"] = found.example().to_json();
        writeln!(out, "{document:#}")?;
        return Ok(());
    }
    writeln!(out, "{}\n", info.name)?;
    writeln!(out, "{}\n", info.description.trim())?;
    let mut line = |name: &str, value: &str| writeln!(out, "  {name:26}{value}");
    line("kind", info.kind.as_str())?;
    line("version", &info.version.to_string())?;
    line("about", info.resource.as_str())?;
    line("severity", info.severity.as_str())?;
    line("severity on failure", info.severity_on_failure.as_str())?;
    line("recorded by this version", if info.produced { "yes" } else { "not yet" })?;
    for name in info.dialects {
        let deprecated = if name.deprecated { ", deprecated" } else { "" };
        let value = format!("{} ({}{deprecated})", name.code, name.outcomes.words());
        line(name.system.as_str(), &value)?;
    }
    writeln!(out, "\nExample:\n{:#}", found.example().to_json())?;
    Ok(())
}

/// The type of that name or foreign code, whatever its case.
fn find(wanted: &str) -> Option<EventType> {
    EventType::parse(wanted).or_else(|| {
        EventType::ALL.iter().copied().find(|found| {
            let codes = found.info().dialects.iter().map(|name| name.code);
            codes.chain([found.name()]).any(|name| name.eq_ignore_ascii_case(wanted))
        })
    })
}

fn unknown(wanted: &str) -> String {
    let last = wanted.rsplit('.').next().unwrap_or(wanted).to_ascii_lowercase();
    let names = || EventType::ALL.iter().map(|found| found.name());
    if let Some(near) = chancery_event::filter::nearest(wanted, names()) {
        return format!("there is no event type {wanted}; did you mean {near}?");
    }
    let near: Vec<&str> =
        names().filter(|name| !last.is_empty() && name.contains(&last)).take(5).collect();
    match near.is_empty() {
        true => format!("there is no event type {wanted}; see `chancery catalogue list`"),
        false => format!("there is no event type {wanted}; there is {}", near.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(json: bool, command: CatalogueCommand) -> Result<String> {
        let mut out = Vec::new();
        run(&GlobalArguments { json, ..GlobalArguments::default() }, &command, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn show(name: &str) -> CatalogueCommand {
        CatalogueCommand::Show(CatalogueShowArguments { event_type: name.into() })
    }

    fn list(text: Option<&str>) -> CatalogueCommand {
        CatalogueCommand::List(CatalogueListArguments { text: text.map(Into::into) })
    }

    #[test]
    fn types_are_listed() {
        let all = output(false, list(None)).unwrap();
        assert_eq!(all.lines().count(), EventType::ALL.len() + 1);
        let some = output(true, list(Some("certificate.up"))).unwrap();
        let some: Value = serde_json::from_str(&some).unwrap();
        let names: Vec<_> = some.as_array().unwrap().iter().map(|t| &t["name"]).collect();
        assert!(names.contains(&&json!("certificate.upload")), "{names:?}");
        assert!(output(false, list(Some("nothing like it"))).is_err());
    }

    #[test]
    fn a_type_is_shown_by_its_name_and_by_foreign_codes() {
        let text = output(false, show("certificate.upload")).unwrap();
        assert!(text.starts_with("certificate.upload\n") && text.contains("Example:"), "{text}");
        assert!(text.contains("\n  recorded by this version  yes\n"), "{text}");
        let info = EventType::parse("certificate.upload").unwrap().info();
        for dialect in info.dialects {
            let document: Value =
                serde_json::from_str(&output(true, show(dialect.code)).unwrap()).unwrap();
            assert_eq!(document["name"], "certificate.upload");
            assert!(document["schema"].is_object() && document["example"].is_object());
        }
        assert!(output(false, show("CERTIFICATE.upload")).is_ok());
        let error = output(false, show("cert.upload")).unwrap_err().to_string();
        assert!(error.contains("certificate.upload"), "{error}");
    }
}
