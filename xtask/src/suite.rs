//! `cargo xtask test`: everything that must hold, in one command.
//!
//! The steps stand in the order of their cost, each is announced and timed, and the first that
//! fails ends the run. Nothing is fetched except crates, the Debian packages and the script of
//! `tools`, and `cargo-deny` where it was asked for; no test may need an address outside the
//! machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{directions, tidy, tools};

/// One step: what is printed, and what is done.
struct Step {
    name: &'static str,
    run: fn(&Run) -> Result<()>,
}

/// What the steps share.
pub struct Run<'a> {
    root: &'a Path,
    /// Take the long form of the tests that have one, and check the dependencies.
    full: bool,
}

const STEPS: [Step; 8] = [
    Step { name: "programs the tests drive", run: |run| programs(run.root) },
    Step { name: "format", run: format },
    Step { name: "tidy", run: |run| tidy::run(run.root) },
    Step { name: "directions", run: directions },
    Step { name: "clippy", run: clippy },
    Step { name: "documentation", run: documentation },
    Step { name: "tests", run: tests },
    Step { name: "dependencies", run: dependencies },
];

/// Runs every step on the workspace under `root`.
pub fn run(root: &Path, full: bool) -> Result<()> {
    let run = Run { root, full };
    let start = Instant::now();
    for (index, step) in STEPS.iter().enumerate() {
        println!("[{}/{}] {}", index + 1, STEPS.len(), step.name);
        let began = Instant::now();
        (step.run)(&run).with_context(|| format!("the step \"{}\" failed", step.name))?;
        println!("      {} in {:.1} s", step.name, began.elapsed().as_secs_f64());
    }
    println!("all {} steps passed in {:.0} s", STEPS.len(), start.elapsed().as_secs_f64());
    Ok(())
}

/// What the tests drive and Rust does not bring.
pub fn programs(root: &Path) -> Result<()> {
    tools::install_packages()?;
    tools::install_axe(root)?;
    tools::install_parsers(root)?;
    tools::install_vectors(root)?;
    tools::install_store(root)?;
    tools::install_client(root)
}

fn format(run: &Run) -> Result<()> {
    run.component("fmt", "rustfmt")?;
    run.cargo(&["fmt", "--all", "--check"], &[]).context("`cargo fmt --all` puts it right")
}

fn directions(run: &Run) -> Result<()> {
    let found = directions::check(run.root)?;
    ensure!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

fn clippy(run: &Run) -> Result<()> {
    run.component("clippy", "clippy")?;
    run.cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], &[])
}

fn tests(run: &Run) -> Result<()> {
    let chosen = std::env::var_os("PROPTEST_RNG_SEED").is_some();
    let variables = variables(run.full, chosen);
    if !run.full {
        println!("      not checked: the full length of long tests, and time limits of webhooks;");
        println!("      `cargo xtask test --full` does");
    }
    run.cargo(&["test", "--workspace"], &variables)?;
    // Tests of the web do not say which engine they want: once more, on the other one.
    // Cargo would build its dependencies anew for that package alone, with other features.
    let package = run.root.join("crates/web");
    let web = run.test_program(&package)?;
    let mut command = Command::new(web);
    run.finish_in(&package, command.env("CHANCERY_TEST_BACKEND", "postgres"))
}

/// What the tests are told. Tests of properties draw the same cases in every run, so that one that
/// is rare does not refuse a change that has nothing to do with it; others in a full run, or where
/// somebody has chosen.
fn variables(full: bool, chosen: bool) -> Vec<(&'static str, &'static str)> {
    match (full, chosen) {
        (true, _) => vec![("CHANCERY_FULL", "1")],
        (false, false) => vec![("PROPTEST_RNG_SEED", "1")],
        (false, true) => Vec::new(),
    }
}

fn documentation(run: &Run) -> Result<()> {
    run.cargo(&["doc", "--workspace", "--no-deps"], &[("RUSTDOCFLAGS", "-D warnings")])
}

/// The advisory database lives on another machine and changes by the day, so advisories are not
/// part of a run that has to give the same answer twice.
fn dependencies(run: &Run) -> Result<()> {
    let in_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    let Some(deny) = tools::cargo_deny(run.root, run.full || in_ci)? else {
        println!("      skipped: cargo-deny is not installed; `cargo xtask test --full` does it");
        return Ok(());
    };
    // The check reads the sources of every platform, also those that were not built here.
    run.cargo(&["fetch", "--locked", "--quiet"], &[])?;
    let mut command = Command::new(deny);
    command.args(["--offline", "check", "bans", "licenses", "sources"]);
    run.finish(&mut command)
}

impl Run<'_> {
    fn cargo(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Result<()> {
        let mut command = Command::new(tools::cargo());
        self.finish(command.args(arguments).envs(variables.iter().copied()))
    }

    /// The program of the integration tests of a package, as the tests of the workspace built it.
    fn test_program(&self, package: &Path) -> Result<PathBuf> {
        let arguments = ["test", "--workspace", "--no-run", "--message-format=json", "--quiet"];
        let mut command = Command::new(tools::cargo());
        let output = command.args(arguments).current_dir(self.root).stderr(Stdio::inherit());
        let output = output.output().with_context(|| format!("cannot run {command:?}"))?;
        ensure!(output.status.success(), "{} {}", tools::line(&command), output.status);
        let manifest = package.join("Cargo.toml");
        let program = |line: &str| {
            let artifact: Value = serde_json::from_str(line).ok()?;
            let is_it = artifact["target"]["name"] == "it"
                && artifact["manifest_path"].as_str().map(Path::new) == Some(&*manifest);
            artifact["executable"].as_str().filter(|_| is_it).map(PathBuf::from)
        };
        let text = String::from_utf8_lossy(&output.stdout);
        let found = text.lines().find_map(program);
        found.with_context(|| format!("there are no integration tests in {}", package.display()))
    }

    fn finish(&self, command: &mut Command) -> Result<()> {
        self.finish_in(self.root, command)
    }

    fn finish_in(&self, place: &Path, command: &mut Command) -> Result<()> {
        let status = command.current_dir(place).status();
        let status = status.with_context(|| format!("cannot run {command:?}"))?;
        if !status.success() {
            bail!("{} {status}", tools::line(command));
        }
        Ok(())
    }

    /// Refuses with the line that installs a missing part of the tool chain.
    fn component(&self, subcommand: &str, component: &str) -> Result<()> {
        let answer = Command::new(tools::cargo()).args([subcommand, "--version"]).output();
        let is_there = answer.is_ok_and(|output| output.status.success());
        ensure!(is_there, "cargo {subcommand} is missing: rustup component add {component}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cheap_steps_come_first() {
        let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        let place = |name: &str| names.iter().position(|n| *n == name).unwrap();
        assert!(place("format") < place("tidy"));
        assert!(place("tidy") < place("clippy"));
        assert!(place("clippy") < place("documentation"));
        assert!(place("documentation") < place("tests"));
    }

    #[test]
    fn a_run_draws_the_same_cases_and_a_full_one_others() {
        assert_eq!(variables(false, false), [("PROPTEST_RNG_SEED", "1")]);
        assert_eq!(variables(true, false), [("CHANCERY_FULL", "1")]);
        assert_eq!(variables(false, true), []);
    }

    #[test]
    fn a_command_that_fails_is_named() {
        let root = crate::root();
        let run = Run { root: &root, full: false };
        let error = run.finish(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "sh -c exit 3 exit status: 3");
    }

    #[test]
    fn a_missing_component_comes_with_its_remedy() {
        let root = crate::root();
        let run = Run { root: &root, full: false };
        let error = run.component("no-such-subcommand", "rustfmt").unwrap_err();
        assert!(error.to_string().contains("rustup component add rustfmt"), "{error}");
        assert!(run.component("fmt", "rustfmt").is_ok());
    }
}
