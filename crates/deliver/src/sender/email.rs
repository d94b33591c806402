//! E-mail: SMTP with STARTTLS, TLS or neither, text and HTML.
//!
//! | setting | |
//! |---|---|
//! | `server` | host and port; 587, or 465 with `tls` |
//! | `security` | `starttls`, `tls` or `none` |
//! | `from`, `to` | addresses; a message may name its own recipients |
//! | `username` | with the secret `password` |
//! | `ca` | see `wire/tls.rs` |
//!
//! `Message-ID` is made of the delivery's identifier, so that a message sent twice can be told.
//! Each recipient is put to the server; those that it takes get the mail, those that it refuses for
//! good are told of. Of what a server says, its codes are kept, never its words.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_engine::Error;
use chancery_engine::delivery::{
    Address, Checked, Content, Definition, Parcel, Secrets, SendError, Sent,
};
use chancery_engine::net::Network;
use serde_json::json;

use super::webhook::broken;
use super::{cut, notices};
use crate::settings::Settings;
use crate::wire::address::Target;
use crate::wire::limits::Limits;
use crate::wire::line::Lines;
use crate::wire::tls;

/// For each answer, in seconds, where nothing is said.
const PATIENCE: i64 = 30;

struct Read {
    target: Target,
    security: &'static str,
    from: String,
    to: Vec<String>,
    login: Option<(String, String)>,
    tls: Arc<rustls::ClientConfig>,
    limits: Limits,
}

/// Whether a text can be a mail address (RFC 5321 §4.1.2, without quoting).
fn is_address(text: &str) -> bool {
    let good = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"' | ',' | '(' | ')');
    let parts = text.rsplit_once('@');
    text.len() <= 254
        && text.chars().all(good)
        && parts.is_some_and(|(name, host)| {
            !name.is_empty() && (host == "localhost" || host.contains(['.', ':']))
        })
}

fn read(definition: &Definition, secrets: &Secrets) -> Result<Read, Error> {
    let settings = Settings::new(&definition.settings);
    let security = settings.word("security", &["starttls", "tls", "none"])?;
    let port = if security == "tls" { 465 } else { 587 };
    let text = settings.needed("server", "host and port of the mail server")?;
    let target = Target::plain("settings/server", text, port, security == "tls")?;
    let from = settings.needed("from", "the sender's address")?.to_owned();
    if !is_address(&from) {
        return Err(Error::invalid("settings/from", "an address such as chancery@example.org"));
    }
    let to: Vec<String> = settings.list("to")?.into_iter().map(str::to_owned).collect();
    if let Some(wrong) = to.iter().find(|address| !is_address(address)) {
        return Err(Error::invalid("settings/to", format!("{wrong} is no mail address")));
    }
    let login = match (settings.text("username")?, secrets.find("password")) {
        (None, None) => None,
        (Some(_), _) if security == "none" => {
            let message = "a password does not cross the network in clear: use starttls or tls";
            return Err(Error::invalid("settings/security", message));
        }
        (Some(name), Some(password)) => Some((name.to_owned(), password.to_owned())),
        (Some(_), None) => {
            return Err(Error::invalid("secrets/password", "the user name needs its password"));
        }
        (None, Some(_)) => {
            return Err(Error::invalid("settings/username", "the password needs its user name"));
        }
    };
    let tls = tls::config(&settings, secrets, security != "none")?;
    let limits = Limits::read(&settings, PATIENCE)?;
    settings.finish()?;
    Ok(Read { target, security, from, to, login, tls, limits })
}

pub(crate) fn check(definition: &Definition, secrets: &Secrets) -> Result<Checked, Error> {
    let read = read(definition, secrets)?;
    if definition.dialect.as_deref().is_some_and(|dialect| !dialect.is_empty()) {
        return Err(Error::invalid("dialect", "people read it: it has no dialect"));
    }
    let endpoint = format!("smtp://{}:{}", read.target.host, read.target.port);
    let hosts = vec![("settings/server".to_owned(), read.target.host, read.target.port)];
    Ok(Checked { hosts, endpoint, batch_max: 50 })
}

pub(crate) async fn send(network: &Network, address: &Address, parcel: &Parcel) -> Sent {
    let read = match read(&address.definition, &address.secrets) {
        Ok(read) => read,
        Err(error) => return broken(&error),
    };
    let to = match &parcel.content {
        Content::Message(message) if !message.recipients.is_empty() => message.recipients.clone(),
        _ => read.to.clone(),
    };
    // Addresses are people's: the attempt keeps how many, and the row of the delivery knows whom.
    let request = json!({
        "address": format!("smtp://{}:{}", read.target.host, read.target.port),
        "recipients": to.len(),
    });
    if to.is_empty() || !to.iter().all(|one| is_address(one)) {
        let error = SendError::new("recipients", "there is nobody to send it to");
        return Sent::failed(request, error);
    }
    let name = host_of(&parcel.public_url);
    let mut refused = Vec::new();
    match deliver(network, &read, name, &to, parcel, &mut refused).await {
        Ok(answer) => {
            let response = json!({ "answer": answer, "refused": refused.len() });
            Sent { status: Some(250), request, response, refused, ..Sent::default() }
        }
        Err((status, error)) => Sent { status, refused, ..Sent::failed(request, error) },
    }
}

/// The host of an address of HTTP, if it is a name that a mail server may be greeted by.
fn host_of(url: &str) -> Option<String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', ':', '?']).next().unwrap_or_default();
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let is_name = host.contains('.') && host.ends_with(|c: char| c.is_ascii_alphabetic());
    (is_name && host.chars().all(good)).then(|| host.to_owned())
}

/// Whether an answer to RCPT is about the recipient, for good: no such mailbox (RFC 5321 §4.2.3,
/// RFC 3463 §3.2 and §3.3). That mail may not pass (5.7.x), or anything else, is about the server.
fn is_theirs(status: u16, enhanced: Option<&str>) -> bool {
    match (status, enhanced) {
        (550 | 551 | 553, None) => true,
        (550..560, Some(code)) => code.starts_with("5.1.") || code == "5.2.1",
        _ => false,
    }
}

/// Whether an answer to RCPT is about the recipient, for now: a mailbox that is full or locked
/// (RFC 3463 §3.3, RFC 5321 §4.2.3). Whatever may be about the server or about us is not: kept
/// quiet, mail that nobody lets through would go unnoticed.
fn is_theirs_for_now(status: u16, enhanced: Option<&str>) -> bool {
    match (status, enhanced) {
        (552, None) => true,
        (400..500, Some(code)) => code.starts_with("4.2."),
        (552, Some(code)) => code == "5.2.2",
        _ => false,
    }
}

/// The status of an answer, and why that is a failure.
type Refusal = (Option<u16>, SendError);

fn broken_off(error: SendError) -> Refusal {
    (None, error)
}

/// A whole conversation; answers the codes that the server ended it with. Who is refused for good
/// while others are taken is added to `refused`.
async fn deliver(
    network: &Network,
    read: &Read,
    name: Option<String>,
    to: &[String],
    parcel: &Parcel,
    refused: &mut Vec<(String, String)>,
) -> Result<String, Refusal> {
    let (host, limits) = (&read.target.host, read.limits);
    let stream = limits.connect(network, &read.target).await.map_err(broken_off)?;
    // RFC 5321 §4.1.1.1: a name that can be resolved, or else the address in brackets.
    let name = name.unwrap_or_else(|| match stream.local_addr().map(|address| address.ip()) {
        Ok(std::net::IpAddr::V6(address)) => format!("[IPv6:{address}]"),
        Ok(std::net::IpAddr::V4(address)) => format!("[{address}]"),
        Err(_) => "localhost".to_owned(),
    });
    let mut lines = match read.security {
        "tls" => {
            let shaken = tls::wrap(stream, host, read.tls.clone(), limits.connect).await;
            let mut lines = Lines::new(shaken.map_err(broken_off)?, limits.answer);
            expect(&mut lines, "the greeting", 220).await?;
            lines
        }
        "starttls" => {
            let stream = start_tls(stream, &name, limits.answer).await?;
            let shaken = tls::wrap(stream, host, read.tls.clone(), limits.connect).await;
            Lines::new(shaken.map_err(broken_off)?, limits.answer)
        }
        _ => {
            let mut lines = Lines::new(stream, limits.answer);
            expect(&mut lines, "the greeting", 220).await?;
            lines
        }
    };
    let offered = say(&mut lines, "EHLO", &format!("EHLO {name}"), 250).await?;
    if let Some(login) = &read.login {
        log_in(&mut lines, &offered, login).await?;
    }
    say(&mut lines, "MAIL FROM", &format!("MAIL FROM:<{}>", read.from), 250).await?;
    let taken = recipients(&mut lines, to, refused).await?;
    say(&mut lines, "DATA", "DATA", 354).await?;
    // RFC 5321 §4.5.2: a line that begins with a dot gets another.
    let stuffed = mail(&read.from, &taken, parcel).replace("\r\n.", "\r\n..");
    lines.write(format!("{stuffed}\r\n.\r\n").as_bytes()).await.map_err(broken_off)?;
    let answer = expect(&mut lines, "the mail", 250).await?;
    // It is accepted; how the server parts does not matter.
    let _ = lines.write(b"QUIT\r\n").await;
    Ok(answer.codes())
}

/// Puts the recipients to the server; answers those that it took. Where it took nobody, that is
/// the failure; anything but a refusal for good fails the attempt for all: nobody gets it twice.
async fn recipients(
    lines: &mut Lines,
    to: &[String],
    refused: &mut Vec<(String, String)>,
) -> Result<Vec<String>, Refusal> {
    let mut taken = Vec::new();
    let mut last = None;
    for one in to {
        match say(lines, "RCPT TO", &format!("RCPT TO:<{one}>"), 250).await {
            Ok(_) => taken.push(one.clone()),
            Err((Some(status), mut error)) => {
                let is_code = |word: &&str| word.starts_with("5.") || word.starts_with("4.");
                let enhanced = error.message.split(' ').find(is_code);
                if is_theirs_for_now(status, enhanced) {
                    error.is_recipient_busy = true;
                    error.word = "recipient_busy";
                    return Err((Some(status), error));
                }
                if !is_theirs(status, enhanced) {
                    return Err((Some(status), error));
                }
                refused.push((one.clone(), error.message.clone()));
                error.word = "recipient_refused";
                error.refused_recipient = Some(one.clone());
                last = Some((Some(status), error));
            }
            Err(error) => return Err(error),
        }
    }
    match last {
        Some(error) if taken.is_empty() => Err(error),
        _ => Ok(taken),
    }
}

/// Logs in by what the server offers (RFC 4954); only called under TLS.
async fn log_in(
    lines: &mut Lines,
    offered: &Answer,
    (name, password): &(String, String),
) -> Result<(), Refusal> {
    let ways = offered.0.iter().filter_map(|line| {
        let line = line.get(4..)?.to_ascii_uppercase();
        line.strip_prefix("AUTH").map(|ways| ways.trim_start_matches('=').to_owned())
    });
    let ways = ways.collect::<Vec<_>>().join(" ");
    let offers = |way: &str| ways.split_whitespace().any(|one| one == way);
    if offers("PLAIN") {
        let plain = STANDARD.encode(format!("\0{name}\0{password}"));
        say(lines, "AUTH", &format!("AUTH PLAIN {plain}"), 235).await?;
    } else if offers("LOGIN") {
        say(lines, "AUTH", "AUTH LOGIN", 334).await?;
        say(lines, "AUTH", &STANDARD.encode(name), 334).await?;
        say(lines, "AUTH", &STANDARD.encode(password), 235).await?;
    } else {
        let message = "the mail server offers neither AUTH PLAIN nor AUTH LOGIN";
        return Err(broken_off(SendError::new("login", message)));
    }
    Ok(())
}

/// Goes up to STARTTLS in clear. Nothing that was said in clear is used afterwards, and nothing may
/// have been sent behind the server's consent (RFC 3207 §6).
async fn start_tls(
    stream: tokio::net::TcpStream,
    name: &str,
    limit: Duration,
) -> Result<tokio::net::TcpStream, Refusal> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = stream;
    let talk = async {
        let mut answer = async |say: &str, wanted: &str| -> Result<(), Refusal> {
            let io =
                |error: std::io::Error| broken_off(SendError::new("connection", error.to_string()));
            stream.write_all(say.as_bytes()).await.map_err(io)?;
            let mut said = Vec::new();
            loop {
                let mut part = [0; 1_024];
                let count = stream.read(&mut part).await.map_err(io)?;
                if count == 0 || said.len() > 65_536 {
                    return Err(broken_off(SendError::new("protocol", "the server hung up")));
                }
                said.extend_from_slice(&part[..count]);
                let text = String::from_utf8_lossy(&said);
                let last = text.trim_end_matches("\r\n").rsplit("\r\n").next().unwrap_or_default();
                if said.ends_with(b"\r\n") && last.as_bytes().get(3) != Some(&b'-') {
                    let lines = text.trim_end().lines().count();
                    if last.starts_with(wanted) && (wanted != "220" || lines == 1 || say.is_empty())
                    {
                        return Ok(());
                    }
                    let status: Option<u16> = last.get(..3).and_then(|code| code.parse().ok());
                    let message = match status {
                        Some(code) => format!("the mail server answered {code} before STARTTLS"),
                        None => "this is no mail server".to_owned(),
                    };
                    return Err((status, SendError::new("refused", message)));
                }
            }
        };
        answer("", "220").await?;
        answer(&format!("EHLO {name}\r\n"), "250").await?;
        answer("STARTTLS\r\n", "220").await
    };
    match tokio::time::timeout(limit, talk).await {
        Ok(Ok(())) => Ok(stream),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(broken_off(SendError::new("timeout", "the server does not answer"))),
    }
}

/// What a server said: all lines of one answer.
struct Answer(Vec<String>);

impl Answer {
    /// Its status, and its enhanced status code where it has one (RFC 3463 §2).
    fn codes(&self) -> String {
        let last = self.0.last().map(String::as_str).unwrap_or_default();
        let status = last.get(..3).unwrap_or_default();
        match enhanced(&self.0) {
            Some(enhanced) => format!("{status} {enhanced}"),
            None => status.to_owned(),
        }
    }
}

async fn say(lines: &mut Lines, what: &str, text: &str, wanted: u16) -> Result<Answer, Refusal> {
    lines.write(format!("{text}\r\n").as_bytes()).await.map_err(broken_off)?;
    expect(lines, what, wanted).await
}

/// Reads an answer of any number of lines.
async fn expect(lines: &mut Lines, what: &str, wanted: u16) -> Result<Answer, Refusal> {
    let mut said = Vec::new();
    for _ in 0..200 {
        let line = lines.line().await.map_err(broken_off)?;
        let code: Option<u16> = line.get(..3).and_then(|code| code.parse().ok());
        let Some(code) = code else {
            return Err(broken_off(SendError::new("protocol", "this is no mail server")));
        };
        let goes_on = line.as_bytes().get(3) == Some(&b'-');
        said.push(line);
        if goes_on {
            continue;
        }
        return if code == wanted || wanted == 250 && code == 251 {
            Ok(Answer(said))
        } else {
            Err((Some(code), SendError::new("refused", refusal(&said, code, what))))
        };
    }
    Err(broken_off(SendError::new("protocol", "the server answers without end")))
}

/// A refusal by its codes. What a server says may repeat an address: its words are not kept.
fn refusal(said: &[String], code: u16, what: &str) -> String {
    match enhanced(said) {
        Some(enhanced) => format!("the mail server answered {code} {enhanced} to {what}"),
        None => format!("the mail server answered {code} to {what}"),
    }
}

/// The enhanced status code of an answer (RFC 3463 §2): three numbers, the first 2, 4 or 5.
fn enhanced(said: &[String]) -> Option<&str> {
    let first = said.last().and_then(|line| line.get(4..)?.split(' ').next())?;
    let numbers = first.split('.').all(|part| part.parse::<u16>().is_ok());
    let mut parts = first.split('.');
    let is_code = numbers
        && parts.next().is_some_and(|part| matches!(part, "2" | "4" | "5"))
        && parts.count() == 2;
    is_code.then_some(first)
}

/// The message: headers, text, HTML (RFC 5322, RFC 2046).
fn mail(from: &str, to: &[String], parcel: &Parcel) -> String {
    let (subject, text, html) = parts(parcel);
    let host = from.rsplit('@').next().unwrap_or("localhost");
    let date = parcel.created_at.to_jiff().strftime("%a, %d %b %Y %H:%M:%S +0000");
    let boundary = format!("chancery-{}", parcel.id.to_string().replace('-', ""));
    let part = |kind: &str, body: &str| {
        format!(
            "--{boundary}\r\nContent-Type: {kind}; charset=utf-8\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n{}\r\n",
            folded(&STANDARD.encode(body))
        )
    };
    format!(
        "From: <{from}>\r\nTo: {}\r\nSubject: {}\r\nDate: {date}\r\n\
         Message-ID: <{}@{host}>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/alternative; boundary=\"{boundary}\"\r\n\r\n{}{}--{boundary}--",
        to.iter().map(|one| format!("<{one}>")).collect::<Vec<_>>().join(",\r\n "),
        encoded(&subject),
        parcel.id,
        part("text/plain", &text),
        part("text/html", &html),
    )
}

/// Subject, text and HTML of a parcel.
fn parts(parcel: &Parcel) -> (String, String, String) {
    let notices = notices(parcel);
    if let Content::Message(message) = &parcel.content
        && let Some(html) = &message.html
    {
        return (message.subject.clone(), message.text.clone(), html.clone());
    }
    let subject = match notices.as_slice() {
        [one] => cut(&one.title, 150),
        many => format!("{} events", many.len()),
    };
    let (mut text, mut html) = (String::new(), String::from("<!doctype html><html><body>"));
    for notice in &notices {
        text.push_str(&format!("{} ({})\n", notice.title, notice.severity));
        html.push_str(&format!("<h3>{}</h3>", escaped(&notice.title)));
        if !notice.text.is_empty() {
            text.push_str(&format!("{}\n", notice.text));
            html.push_str(&format!("<p>{}</p>", escaped(&notice.text).replace('\n', "<br>")));
        }
        html.push_str("<table>");
        for (name, value) in &notice.facts {
            text.push_str(&format!("  {name}: {value}\n"));
            let (name, value) = (escaped(name), escaped(value));
            html.push_str(&format!("<tr><th align=\"left\">{name}</th><td>{value}</td></tr>"));
        }
        html.push_str("</table>");
        if let Some(link) = &notice.link {
            text.push_str(&format!("  {link}\n"));
            html.push_str(&format!("<p><a href=\"{}\">Open in Chancery</a></p>", escaped(link)));
        }
        text.push('\n');
    }
    html.push_str("</body></html>");
    (subject, text, html)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A header's text as encoded words (RFC 2047): at most 75 characters each.
fn encoded(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean.is_ascii() && clean.len() <= 60 {
        return clean;
    }
    let mut words = Vec::new();
    let mut word = String::new();
    for c in clean.chars() {
        if word.len() + c.len_utf8() > 42 {
            words.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    words.push(word);
    let words = words.iter().map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word)));
    words.collect::<Vec<_>>().join("\r\n ")
}

/// Lines of 76 characters.
fn folded(text: &str) -> String {
    let lines: Vec<&str> =
        text.as_bytes().chunks(76).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    lines.join("\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_cannot_be_smuggled_in_and_long_ones_are_encoded() {
        assert_eq!(encoded("plain"), "plain");
        assert_eq!(encoded("a\r\nBcc: x"), "a  Bcc: x");
        let long = encoded(&"ü".repeat(60));
        assert!(long.split("\r\n ").all(|word| word.len() <= 75 && word.starts_with("=?utf-8?B?")));
    }

    #[test]
    fn addresses_are_addresses() {
        for (text, good) in [
            ("ada@example.org", true),
            ("ada@localhost", true),
            ("ada", false),
            ("@example.org", false),
            ("ada@example.org>\r\nRCPT TO:<x@y.z", false),
            ("a b@example.org", false),
            ("ada@example", false),
        ] {
            assert_eq!(is_address(text), good, "{text}");
        }
    }
}
