//! `chancery serve --demo`: what a newcomer finds.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::installation::{Installation, PATIENCE, Server, program};

#[test]
fn a_newcomer_finds_certificates_alerts_and_a_trigger_that_acted() {
    let installation = Installation::new();
    let mut child = program(&["serve", "--demo"])
        .env_remove("CHANCERY_ADMIN_PASSWORD")
        .env("CHANCERY_DATA_DIR", installation.beside("demonstrations"))
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
    let after = |start: &str| said.iter().find_map(|line| line.strip_prefix(start));
    let password = after("One-time password, shown only now: ").unwrap();
    assert!(password.len() >= 16, "{said:?}");
    assert!(said[0].ends_with(" and 14 demonstration certificates."), "{said:?}");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    let mut logged = String::new();
    child.stderr.take().unwrap().read_to_string(&mut logged).unwrap();
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
