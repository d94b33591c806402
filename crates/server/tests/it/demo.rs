//! `chancery serve --demo`: what a newcomer finds.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::installation::{Installation, PATIENCE, Server, program};

/// Where this program looks for the machine's CA certificates.
const MACHINE_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The first page is there by then.
const FIRST_PAGE: Duration = Duration::from_secs(10);

/// A demonstration that has said where it is to be found, and what it said.
fn start(installation: &Installation, bundle: &Path) -> (Child, Vec<String>) {
    let mut child = program(&["serve", "--demo"])
        .env_remove("CHANCERY_ADMIN_PASSWORD")
        .env("CHANCERY_DATA_DIR", installation.beside("demonstrations"))
        .env("SSL_CERT_FILE", bundle)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let last = line.starts_with("This is a demonstration");
        said.push(line);
        if last {
            break;
        }
    }
    (child, said)
}

fn stop(mut child: Child) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
}

/// The first line that the server answers when it is asked for its first page.
fn first_page(said: &[String]) -> String {
    let address = said.iter().find_map(|line| line.split_once(" listens on http://"));
    let (_, address) = address.unwrap_or_else(|| panic!("{said:?}"));
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line
}

#[test]
fn the_first_page_is_there_soon_and_the_machine_brought_its_authorities() {
    let installation = Installation::new();
    let started = Instant::now();
    let (child, said) = start(&installation, Path::new(MACHINE_BUNDLE));
    let answer = first_page(&said);
    let took = started.elapsed();
    stop(child);
    // A newcomer is asked to sign in.
    assert!(answer.starts_with("HTTP/1.1 303 "), "{answer}");
    assert!(took < FIRST_PAGE, "{took:?}");
    println!("the first page was there after {took:?}");
    if Path::new(MACHINE_BUNDLE).exists() {
        let count = said[0].strip_prefix("Imported ").and_then(|rest| rest.split(' ').next());
        let count: u32 = count.and_then(|count| count.parse().ok()).unwrap();
        assert!(count > 0, "{said:?}");
    }
}

#[test]
fn a_machine_whose_authorities_cannot_be_read_is_told_why() {
    let installation = Installation::new();
    let bundle = installation.beside("no-bundle.pem");
    let (child, said) = start(&installation, &bundle);
    stop(child);
    assert!(said[0].starts_with("Imported 0 CA certificates of this machine and 14 "), "{said:?}");
    let why = format!("None of this machine, because {} cannot be read: ", bundle.display());
    assert!(said[1].starts_with(&why) && said[1].contains("No such file"), "{said:?}");
}

#[test]
fn a_newcomer_finds_certificates_alerts_and_a_trigger_that_acted() {
    let installation = Installation::new();
    let (mut child, said) = start(&installation, Path::new(MACHINE_BUNDLE));
    let after = |start: &str| said.iter().find_map(|line| line.strip_prefix(start));
    let password = after("One-time password, shown only now: ").unwrap();
    assert!(password.len() >= 16, "{said:?}");
    assert!(said[0].ends_with(" and 14 demonstration certificates."), "{said:?}");
    // The monitors are hastened while the server answers already.
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut logged = String::new();
    while !logged.contains("the monitors of the demonstration run now") {
        assert!(log.read_line(&mut logged).unwrap() > 0, "{logged}");
    }
    stop(child);
    log.read_to_string(&mut logged).unwrap();
    assert!(logged.contains("schema step applied"), "{logged}");
    assert!(!logged.contains('\x1b'), "colours are for terminals: {logged:?}");

    std::fs::rename(after("Data directory: ").unwrap(), installation.data_dir()).unwrap();
    let token = installation.token("administrator");
    let server = Server::start(&installation);
    let count = |arguments: &[&str]| {
        let found = server.run(&token, arguments).well().document();
        found.as_array().unwrap_or_else(|| panic!("{found}")).len()
    };
    let group = ["certificates", "list", "group:\"Demonstration servers\"", "--json"];
    assert_eq!(count(&group), 13, "all but the authority");
    // Monitors that the stop interrupted run after the start.
    let told = ["events", "list", "type:certificate.expired", "--json"];
    let started = Instant::now();
    while count(&told) == 0 {
        assert!(started.elapsed() < PATIENCE);
    }
    server.stop();
}
