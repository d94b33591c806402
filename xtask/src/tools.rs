//! Programs from outside Rust that the tests drive, and how they get onto the machine.
//!
//! The one list of Debian packages is [`PACKAGES`]. Packages are installed only where that needs no
//! question: as root, or with a sudo that asks for no password. Otherwise the line to run is
//! printed.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// A Debian package, the program of it that is looked for, and why it is needed.
struct Package {
    name: &'static str,
    program: &'static str,
    reason: &'static str,
}

const PACKAGES: [Package; 9] = [
    Package { name: "make", program: "make", reason: "the allocator is built with it" },
    Package { name: "chromium", program: "chromium", reason: "the page tests use a real browser" },
    Package {
        name: "chromium-driver",
        program: "chromedriver",
        reason: "drives that browser through WebDriver",
    },
    Package {
        name: "postgresql",
        program: "initdb",
        reason: "the tests start PostgreSQL servers of their own (version 15 or later)",
    },
    Package {
        name: "openssl",
        program: "openssl",
        reason: "second opinion on certificates, chains and signatures",
    },
    Package {
        name: "nats-server",
        program: "nats-server",
        reason: "a receiver of forwarded events, with JetStream",
    },
    Package {
        name: "rsyslog-gnutls",
        program: "rsyslogd",
        reason: "a receiver of forwarded events, with TLS",
    },
    Package {
        name: "python3-aiosmtpd",
        program: "aiosmtpd",
        reason: "a receiver of mail, with STARTTLS",
    },
    Package {
        name: "python3-pip",
        program: "pip3",
        reason: "fetches axe-core, which the page tests check accessibility with",
    },
];

/// Installs the packages whose program is not on the path.
pub fn install_packages() -> Result<()> {
    let missing: Vec<&Package> =
        PACKAGES.iter().filter(|package| !is_installed(package.program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for package in &missing {
        println!("      missing {}: {}", package.program, package.reason);
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    let prefix: &[&str] = match privilege() {
        Privilege::Root => &[],
        Privilege::Sudo => &["sudo", "-n"],
        Privilege::None => bail!("programs are missing; run:\n\n{}\n", install_line(&names)),
    };
    // The lists of a fresh machine are often too old for an install to succeed, or not there.
    if apt(prefix, &["install"], &names).is_err() {
        apt(prefix, &["update"], &[])?;
        apt(prefix, &["install"], &names)?;
    }
    let still: Vec<&str> =
        missing.iter().map(|package| package.program).filter(|p| !is_installed(p)).collect();
    ensure!(still.is_empty(), "installed, and still not found: {}", still.join(", "));
    Ok(())
}

/// The line a person runs to get the packages.
fn install_line(names: &[&str]) -> String {
    format!("sudo apt-get install -y --no-install-recommends {}", names.join(" "))
}

fn apt(prefix: &[&str], task: &[&str], names: &[&str]) -> Result<()> {
    let mut words: Vec<&str> = prefix.to_vec();
    words.push("apt-get");
    words.extend_from_slice(task);
    if !names.is_empty() {
        words.extend(["-y", "-q", "--no-install-recommends"]);
        words.extend_from_slice(names);
    }
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    let status = command.status().context("cannot run apt-get")?;
    ensure!(status.success(), "{} {status}; run it by hand:\n\n{}\n", line(&command), {
        install_line(names)
    });
    Ok(())
}

enum Privilege {
    Root,
    Sudo,
    None,
}

fn privilege() -> Privilege {
    let has_apt = is_on_path("apt-get");
    let answer = Command::new("id").arg("-u").output();
    let is_root = answer.is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    let asks_nothing = || {
        let quiet = Command::new("sudo").args(["-n", "true"]).stderr(Stdio::null()).status();
        quiet.is_ok_and(|status| status.success())
    };
    match has_apt {
        true if is_root => Privilege::Root,
        true if asks_nothing() => Privilege::Sudo,
        _ => Privilege::None,
    }
}

/// Whether a program is on the path, or among those of PostgreSQL, which Debian keeps apart.
fn is_installed(program: &str) -> bool {
    is_on_path(program) || postgresql_has(Path::new("/usr/lib/postgresql"), program)
}

fn postgresql_has(versions: &Path, program: &str) -> bool {
    let Ok(versions) = std::fs::read_dir(versions) else { return false };
    versions.flatten().any(|version| {
        let number = version.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        number >= Some(15) && version.path().join("bin").join(program).is_file()
    })
}

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// The cargo that started this program, or the one on the path.
pub fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// A Python package with the minified axe-core in it, which no Debian package and no crate has. pip
/// checks the hash, from whatever index it is configured for; only the one file is used.
const AXE: [&str; 2] = [
    "axe-playwright-python==0.1.8",
    "--hash=sha256:fdd263c998388f1a8e67cad02677e612d946248bd44d163be5e8650ea31f95f8",
];
/// Where the page tests look for it, as `crates/testkit/src/accessibility.rs` says.
const AXE_FOLDER: &str = "target/tools/axe-core-4.12.1";

/// Puts axe-core under `target/tools` when it is not there: once, half a megabyte.
pub fn install_axe(root: &Path) -> Result<()> {
    let folder = root.join(AXE_FOLDER);
    let script = folder.join("axe.min.js");
    if script.is_file() {
        return Ok(());
    }
    println!("      fetching axe-core into {AXE_FOLDER}, once");
    let work = root.join("target/tools/axe-core.part");
    let _ = std::fs::remove_dir_all(&work);
    std::fs::create_dir_all(&work).context("cannot make a folder under target/tools")?;
    let wish = work.join("wish.txt");
    std::fs::write(&wish, AXE.join(" ")).context("cannot write under target/tools")?;
    let mut fetch = Command::new("pip3");
    fetch.args(["download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    fetch.args(["--only-binary=:all:", "--require-hashes", "--dest"]).arg(&work);
    fetch.arg("--requirement").arg(&wish);
    succeed(&mut fetch)?;
    let mut files = std::fs::read_dir(&work)?.filter_map(|file| Some(file.ok()?.path()));
    let wheel = files.find(|path| path.extension().is_some_and(|end| end == "whl"));
    let wheel = wheel.context("pip3 fetched nothing")?;
    // A wheel is a zip file, and Python is there with pip.
    let mut unpack = Command::new("python3");
    unpack.args(["-m", "zipfile", "--extract"]).arg(&wheel).arg(&work);
    succeed(&mut unpack)?;
    std::fs::create_dir_all(&folder)?;
    let unpacked = work.join("axe_playwright_python/axe.min.js");
    std::fs::rename(unpacked, &script).context("the package has no axe.min.js")?;
    let _ = std::fs::remove_dir_all(&work);
    Ok(())
}

/// Python packages whose parsers read what the dialects write (`crates/event/tests/it/dialect.rs`),
/// and that verify what forwarders sign (`crates/deliver/tests/it/webhook.rs`),
/// each with the hash of its wheel. None of them has code for one platform only.
const PARSERS: [[&str; 2]; 8] = [
    [
        "cloudevents==2.2.0",
        "--hash=sha256:9ff8adff01b997d251d0fb54076557daa9906330e16afc1712a6447122f8f7a4",
    ],
    [
        "lark-parser==0.12.0",
        "--hash=sha256:0eaf30cb5ba787fe404d73a7d6e61df97b21d5a63ac26c5008c78a494373c675",
    ],
    [
        "ocsf-json-schema==1.2.0",
        "--hash=sha256:64d819042d20c3c04bc0d024c7c47c41006ebbe0209ce768ba6efa1240106708",
    ],
    [
        "pycef==1.11",
        "--hash=sha256:24e6b9a85cff9d636f18b20b15568d61f8fd7e89c66779ae8dbdbf33dfa80846",
    ],
    [
        "python-dateutil==2.9.0.post0",
        "--hash=sha256:a8b2bc7bffae282281c8140a97d3aa9c14da0b136dfe83f850eea9a5f7470427",
    ],
    [
        "six==1.17.0",
        "--hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274",
    ],
    [
        "standardwebhooks==1.1.0",
        "--hash=sha256:9a88d48a1f198be61517fc7ad328cf58ba02b73f0fbd8941d4213e9c0b6c2a61",
    ],
    [
        "syslog-rfc5424-parser==0.3.2",
        "--hash=sha256:6134ee1958da89ab7f8d32ed5370a49ddabcc99d75a950b6ec59708417f20a7a",
    ],
];
/// Where the tests of the dialects look for them.
const PARSERS_FOLDER: &str = "target/tools/dialects";

/// Puts the parsers under `target/tools` when they are not there: once, two megabytes.
pub fn install_parsers(root: &Path) -> Result<()> {
    install(root, "parsers of event formats", &wish(&PARSERS), PARSERS_FOLDER, "standardwebhooks")
}

/// Certificates, keys and containers of many makers, sound and malformed, that
/// `crates/pki/tests/it/vectors.rs` reads.
const VECTORS: [[&str; 2]; 1] = [[
    "cryptography-vectors==50.0.2",
    "--hash=sha256:51641f03a3eb4edbe9fb68e3a3574d25f86aa502d06391fffa886330d02778a0",
]];
/// Where that test looks for them.
const VECTORS_FOLDER: &str = "target/tools/vectors";

/// Puts the vectors under `target/tools` when they are not there: once, 56 megabytes.
pub fn install_vectors(root: &Path) -> Result<()> {
    install(root, "test vectors", &wish(&VECTORS), VECTORS_FOLDER, "cryptography_vectors")
}

/// An S3-compatible store, moto, with what it needs and nothing else: a line for each package with
/// the hashes of its wheels, for Python 3.11 to 3.13 on x86-64 and ARM where they differ.
const STORE: &str = include_str!("s3_store.txt");
/// Where the tests of archives look for it, as `crates/testkit/src/bucket.rs` says.
const STORE_FOLDER: &str = "target/tools/s3";

/// Puts the store under `target/tools` when it is not there: once, a hundred megabytes.
pub fn install_store(root: &Path) -> Result<()> {
    install(root, "an S3-compatible store", STORE, STORE_FOLDER, "moto")
}

/// Okta's own client for Python, which reads the log as it reads theirs; what it needs beside is
/// with the store above. Lines as there.
const CLIENT: &str = include_str!("okta_client.txt");
/// Where `crates/server/tests/it/okta.rs` looks for it.
const CLIENT_FOLDER: &str = "target/tools/okta";

/// Puts that client under `target/tools` when it is not there: once, thirty megabytes.
pub fn install_client(root: &Path) -> Result<()> {
    install(root, "a client of Okta's log", CLIENT, CLIENT_FOLDER, "okta")
}

/// One line for each package.
fn wish(packages: &[[&str; 2]]) -> String {
    packages.iter().map(|package| package.join(" ")).collect::<Vec<_>>().join("\n")
}

/// Puts Python packages into `to` below the root, unless the module `sign` is there already.
fn install(root: &Path, what: &str, packages: &str, to: &str, sign: &str) -> Result<()> {
    let folder = root.join(to);
    if folder.join(sign).is_dir() {
        return Ok(());
    }
    println!("      fetching {what} into {to}, once");
    let work = folder.with_extension("part");
    let _ = std::fs::remove_dir_all(&work);
    std::fs::create_dir_all(&work).context("cannot make a folder under target/tools")?;
    let wish = work.join("wish.txt");
    std::fs::write(&wish, packages).context("cannot write under target/tools")?;
    let mut install = Command::new("pip3");
    install.args(["install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    install.args(["--only-binary=:all:", "--require-hashes", "--target"]).arg(&work);
    install.arg("--requirement").arg(&wish);
    succeed(&mut install)?;
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::rename(&work, &folder).with_context(|| format!("cannot put the {what} in place"))
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status();
    let status = status.with_context(|| format!("cannot run {}", line(command)))?;
    ensure!(status.success(), "{} {status}", line(command));
    Ok(())
}

/// Where `cargo-deny` is, if it is. With `install`, it is built into `target/tools` when missing,
/// which takes minutes; it is kept there, so that happens once.
pub fn cargo_deny(root: &Path, install: bool) -> Result<Option<PathBuf>> {
    if is_on_path("cargo-deny") {
        return Ok(Some("cargo-deny".into()));
    }
    let tools = root.join("target/tools");
    let program = tools.join("bin/cargo-deny");
    if program.is_file() {
        return Ok(Some(program));
    }
    if !install {
        return Ok(None);
    }
    println!("      building cargo-deny into target/tools, once; this takes some minutes");
    let mut command = Command::new(cargo());
    command.args(["install", "--locked", "--quiet", "cargo-deny", "--root"]).arg(&tools);
    let status = command.status().context("cannot run cargo install")?;
    ensure!(status.success(), "{} {status}", line(&command));
    Ok(Some(program))
}

/// A command as it would be typed.
pub fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let name = |word: &OsStr| word.to_string_lossy().into_owned();
    let mut words: Vec<String> = words.map(name).collect();
    if let Some(file) = Path::new(&words[0]).file_name().map(name) {
        words[0] = file;
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_to_run_is_complete() {
        assert_eq!(
            install_line(&["chromium", "openssl"]),
            "sudo apt-get install -y --no-install-recommends chromium openssl"
        );
    }

    #[test]
    fn programs_are_found_on_the_path() {
        assert!(is_on_path("git"));
        assert!(!is_on_path("no-such-program-anywhere"));
    }

    #[test]
    fn the_page_tests_look_for_axe_core_where_it_is_put() {
        let user = crate::root().join("crates/testkit/src/accessibility.rs");
        let text = std::fs::read_to_string(user).unwrap();
        let version = AXE_FOLDER.rsplit('-').next().unwrap();
        assert!(text.contains(&format!("AXE_VERSION: &str = \"{version}\"")), "{version}");
        assert!(text.contains("target/tools/axe-core-{AXE_VERSION}/axe.min.js"));
    }

    #[test]
    fn the_tests_of_archives_look_for_the_store_where_it_is_put() {
        let user = crate::root().join("crates/testkit/src/bucket.rs");
        assert!(std::fs::read_to_string(user).unwrap().contains(&format!("\"{STORE_FOLDER}\"")));
        let user = crate::root().join("crates/server/tests/it/okta.rs");
        let text = std::fs::read_to_string(user).unwrap();
        for folder in [STORE_FOLDER, CLIENT_FOLDER] {
            assert!(text.contains(&format!("\"../../{folder}\"")), "{folder}");
        }
        for list in [STORE, CLIENT] {
            assert!(
                list.lines().all(|line| line.contains("==") && line.contains(" --hash=sha256:"))
            );
        }
    }

    #[test]
    fn every_package_says_why() {
        for package in PACKAGES {
            assert!(package.reason.len() > 10, "{}", package.name);
        }
    }

    #[test]
    fn commands_are_shown_as_typed() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["test", "--workspace"]);
        assert_eq!(line(&command), "cargo test --workspace");
    }
}
