//! The command line parses as documented, and the commands that stand alone work.

use clap::CommandFactory;

use super::*;

fn parse(words: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(words.split_whitespace())
}

fn output(words: &str) -> String {
    let cli = parse(words).unwrap();
    let mut out = Vec::new();
    cli.command.run_alone(&cli.global, &mut out).unwrap().unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_and_argument_has_help() {
    fn look(command: &clap::Command) {
        let name = command.get_name();
        assert!(command.get_about().is_some(), "{name} has no help");
        for argument in command.get_arguments().filter(|a| a.get_id() != "help") {
            assert!(argument.get_help().is_some(), "{name} {} has no help", argument.get_id());
        }
        command.get_subcommands().for_each(look);
    }
    look(&Cli::command());
}

#[test]
fn commands_parse() {
    for words in [
        "chancery serve --demo",
        "chancery serve --listen 127.0.0.1:0 --data-dir d --public-url https://a.example",
        "chancery serve --tls-certificate c.pem --tls-key k.pem --set session.idle_minutes=5",
        "chancery verify",
        "chancery verify --data-dir d --from 1 --to 9 --key k",
        "chancery verify --url https://a.example/log",
        "chancery verify --export e.jsonl",
        "chancery verify --proof p",
        "chancery events list",
        "chancery events list type:certificate.* -n 5 --json",
        "chancery events tail --from 0",
        "chancery --server https://a.example --token t events export --format csv -o e.csv",
        "chancery alerts list severity>=error -n 5",
        "chancery alerts ack kind:job_failed",
        "chancery alerts resolve id:x --comment done",
        "chancery channels create mail mail.json --secret password=/run/smtp",
        "chancery channels test mail --to ada@example.org",
        "chancery notices list --decision skipped --limit 5",
        "chancery notices reset certificate/c --profile p",
        "chancery notices why e --account a",
        "chancery notices unreached --state nobody",
        "chancery forwarders list --json",
        "chancery forwarders create soc soc.json --secret token=/run/token",
        "chancery forwarders replay soc --from 0",
        "chancery monitors list --json",
        "chancery monitors list state:failed,missing",
        "chancery monitors run certificate-expiry",
        "chancery monitors pause certificate-expiry",
        "chancery schedules list job:backup.create",
        "chancery schedules run nightly --wait",
        "chancery schedules resume nightly",
        "chancery jobs list state:failed -n 5",
        "chancery jobs show j",
        "chancery jobs cancel j",
        "chancery jobs retry j --json",
        "chancery monitors forecast certificate-expiry --days 90",
        "chancery certificates upload a.pem - --path /prod",
        "chancery certs import d --dry-run",
        "chancery certificates list expires<30d",
        "chancery certificates show abc --pem",
        "chancery catalogue list certificate.",
        "chancery catalogue show certificate.upload",
        "chancery token create ci --role auditor --days 7",
        "chancery token list",
        "chancery token revoke x",
        "chancery backup dest --data-dir d",
        "chancery bench --quick",
        "chancery bench --size 10",
        "chancery config check --json",
        "chancery completions zsh",
        "chancery man",
        "chancery version",
    ] {
        assert!(parse(words).is_ok(), "{words}: {}", parse(words).unwrap_err());
    }
}

#[test]
fn contradictions_are_refused() {
    for words in [
        "chancery verify --data-dir d --url u",
        "chancery verify --export e --proof p",
        "chancery verify --proof p --from 1",
        "chancery bench --quick --size 1",
        "chancery certificates upload",
        "chancery serve --set idle",
        "chancery completions tcsh",
        "chancery",
    ] {
        assert!(parse(words).is_err(), "{words}");
    }
}

#[test]
fn flags_become_settings() {
    let words = "chancery serve --set session.idle_minutes=5 --listen 127.0.0.1:1";
    let Command::Serve(serve) = parse(words).unwrap().command else { panic!("not serve") };
    let flags = serve.settings.flags();
    let flags: Vec<_> =
        flags.iter().map(|f| (f.name.as_str(), f.key.as_str(), f.value.as_str())).collect();
    assert_eq!(
        flags,
        [("--set", "session.idle_minutes", "5"), ("--listen", "listen", "127.0.0.1:1")]
    );
}

#[test]
fn every_flag_of_a_setting_exists() {
    let command = Cli::command();
    let serve = command.find_subcommand("serve").unwrap();
    for flag in crate::config::setting::all().filter_map(|setting| setting.flag) {
        let name = flag.trim_start_matches("--");
        assert!(serve.get_arguments().any(|a| a.get_long() == Some(name)), "{flag}");
    }
}

#[test]
fn the_version_is_printed() {
    assert_eq!(output("chancery version"), format!("chancery {}\n", version::VERSION));
    let document: serde_json::Value =
        serde_json::from_str(&output("chancery version --json")).unwrap();
    assert_eq!(document["version"], version::VERSION);
}

#[test]
fn completions_and_manual_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(output(&format!("chancery completions {shell}")).contains("certificates"));
    }
    assert!(output("chancery man").contains("chancery\\-serve(1)"));
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("man1");
    output(&format!("chancery man --output {}", place.display()));
    assert!(place.join("chancery.1").is_file() && place.join("chancery-verify.1").is_file());
}

#[test]
fn the_configuration_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.toml");
    let text = "listen = \"127.0.0.1:7\"\nadmin.password = \"hunter2hunter2\"\n\
                log.allow_unencrypted_key = true\n";
    std::fs::write(&file, text).unwrap();
    let words = format!("chancery config check --config {}", file.display());
    let text = output(&words);
    assert!(text.contains("a.toml:1)") && text.contains("127.0.0.1:7"), "{text}");
    assert!(text.contains("(set)") && !text.contains("hunter2"), "{text}");

    let document: serde_json::Value =
        serde_json::from_str(&output(&format!("{words} --json"))).unwrap();
    let settings = document["settings"].as_array().unwrap();
    let listen = settings.iter().find(|setting| setting["key"] == "listen").unwrap();
    assert_eq!(listen["value"], "127.0.0.1:7");
    assert!(!document.to_string().contains("hunter2"));
}

#[test]
fn a_bad_configuration_is_an_error_with_its_place() {
    let cli = parse("chancery config check --set listen=nowhere --set sesion.x=1 --demo").unwrap();
    let error = cli.command.run_alone(&cli.global, &mut Vec::new()).unwrap().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("2 problems") && text.contains("flag --set: listen"), "{text}");
}

#[test]
fn other_commands_are_not_run_here() {
    let cli = parse("chancery serve --demo").unwrap();
    assert!(cli.command.run_alone(&cli.global, &mut Vec::new()).is_none());
}
