//! Precedence, messages, contradictions, and the documentation of every setting.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::config::serving::Database;
use crate::config::setting::Setting;

/// A directory with a file, and the inputs that name it.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn file(&self, text: &str) -> Inputs {
        Inputs { file: Some(self.write("chancery.toml", text)), ..Inputs::default() }
    }
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn flag(name: &str, key: &str, value: &str) -> Flag {
    Flag { name: name.into(), key: key.into(), value: value.into() }
}

fn load(inputs: &Inputs) -> Config {
    Config::load(inputs).unwrap_or_else(|error| panic!("{error}"))
}

/// The problems with the temporary directory taken out of them.
fn problems(inputs: &Inputs) -> Vec<String> {
    let Err(error) = Config::load(inputs) else { panic!("nothing was refused") };
    let text = |problem: &Problem| match problem.place.rsplit_once('/') {
        Some((_, name)) => format!("{name}: {}", problem.message),
        None => problem.to_string(),
    };
    error.problems.iter().map(text).collect()
}

fn given(pairs: &[(&str, &str)]) -> Inputs {
    Inputs { variables: variables(pairs), ..Inputs::default() }
}

fn effective<'a>(config: &'a Config, key: &str) -> &'a Effective {
    config.effective.iter().find(|effective| effective.key == key).unwrap()
}

#[test]
fn defaults_hold_when_nobody_speaks() {
    let config = load(&Inputs::default());
    assert_eq!(config.serving.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.serving.data_dir, Path::new("/var/lib/chancery"));
    assert_eq!(config.serving.public_url.as_str(), "http://127.0.0.1:8080");
    assert!(matches!(config.serving.database, Database::Sqlite));
    assert_eq!(config.log.origin, "127.0.0.1:8080/log");
    assert!(config.log.key_passphrase.is_none() && !config.log.allow_unencrypted_key);
    assert_eq!(config.admin.name, "admin");
    assert_eq!(config.limits.max_upload_bytes, 16 * 1024 * 1024);
    assert_eq!(config.rate.login_per_minute, 10);
    assert_eq!((config.session.idle_minutes, config.session.lifetime_hours), (60, 12));
    assert_eq!(config.validation.expiring_days, 30);
    assert_eq!(config.logging.format, logging::Format::Text);
    assert!(config.tls.is_none() && config.file.is_none() && !config.audit.verbose);
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn every_setting_is_read_and_shown() {
    let config = load(&Inputs::default());
    let shown: Vec<&str> = config.effective.iter().map(|effective| effective.key).collect();
    let known: Vec<&str> = setting::all().map(|setting| setting.key).collect();
    assert_eq!(shown, known);
}

#[test]
fn flags_beat_variables_beat_the_file() {
    let place = Place::new();
    let mut inputs = place.file("listen = \"127.0.0.1:1\"\n[session]\nidle_minutes = 5\n");
    assert_eq!(load(&inputs).serving.listen.port(), 1);
    assert_eq!(load(&inputs).session.idle_minutes, 5);
    inputs.variables = variables(&[("CHANCERY_LISTEN", "127.0.0.1:2")]);
    assert_eq!(load(&inputs).serving.listen.port(), 2);
    inputs.flags = vec![flag("--listen", "listen", "127.0.0.1:3")];
    let config = load(&inputs);
    assert_eq!(config.serving.listen.port(), 3);
    assert_eq!(effective(&config, "listen").source, Source::Flag("--listen".into()));
    assert_eq!(effective(&config, "session.lifetime_hours").source, Source::Default);
}

#[test]
fn an_empty_variable_is_absent() {
    assert_eq!(load(&given(&[("CHANCERY_LISTEN", "")])).serving.listen.port(), 8080);
}

#[test]
fn every_type_reads_from_the_file_and_from_text() {
    let place = Place::new();
    let inputs = place.file(
        "trusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n\
         audit.verbose = true\n\
         limits = { max_upload_bytes = 0x1000 }\n\
         logging.format = \"json\"\n\
         tls.certificate = \"chain.pem\"\n\
         tls.key = \"/keys/key.pem\"\n",
    );
    let config = load(&inputs);
    assert_eq!(config.serving.trusted_proxies.len(), 2);
    assert!(config.audit.verbose);
    assert_eq!(config.limits.max_upload_bytes, 4096);
    assert_eq!(config.logging.format, logging::Format::Json);
    let tls = config.tls.unwrap();
    assert_eq!(tls.certificate, place.folder.path().join("chain.pem"));
    assert_eq!(tls.key, Path::new("/keys/key.pem"));
    assert_eq!(config.serving.public_url.as_str(), "https://127.0.0.1:8080");

    let config = load(&given(&[
        ("CHANCERY_TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("CHANCERY_AUDIT_VERBOSE", "true"),
        ("CHANCERY_LIMITS_MAX_UPLOAD_BYTES", "4 KiB"),
        ("CHANCERY_LOGGING_FILTER", "info,chancery_engine=debug"),
    ]));
    assert_eq!(config.serving.trusted_proxies.len(), 2);
    assert!(config.audit.verbose);
    assert_eq!(config.limits.max_upload_bytes, 4096);
    assert_eq!(config.logging.filter, "info,chancery_engine=debug");
}

#[test]
fn all_problems_come_at_once_with_their_places() {
    let place = Place::new();
    let mut inputs = place.file(
        "listn = \"127.0.0.1:1\"\n\
         data_dir = 7\n\
         [session]\n\
         idle_minutes = 0\n\
         [tls]\n\
         cert = \"a.pem\"\n\
         key = \"k.pem\"\n",
    );
    inputs.variables = variables(&[
        ("CHANCERY_PUBLIC_URL", "chancery.example"),
        ("CHANCERY_ADMIN_PASWORD", "x"),
        ("PATH", "/bin"),
    ]);
    inputs.flags = vec![flag("--listen", "listen", "8080")];
    assert_eq!(
        problems(&inputs),
        [
            "chancery.toml:1: no such setting: listn; did you mean listen?",
            "chancery.toml:6: no such setting: tls.cert; did you mean tls.certificate?",
            "variable CHANCERY_ADMIN_PASWORD: no such setting; did you mean CHANCERY_ADMIN_PASSWORD?",
            "chancery.toml:7: tls.key is set and tls.certificate is not: TLS needs both",
            "flag --listen: listen = \"8080\": expected an address and a port, such as 0.0.0.0:8443 \
             (a port alone does not say which interface: 127.0.0.1:8080)",
            "chancery.toml:2: data_dir = 7: expected the path of a directory",
            "variable CHANCERY_PUBLIC_URL: public_url = \"chancery.example\": expected an address \
             such as https://chancery.example.org (relative URL without a base)",
            "chancery.toml:4: session.idle_minutes = 0: expected minutes between 1 and 43200",
        ]
    );
}

#[test]
fn bad_values_are_refused() {
    for (variable, value) in [
        ("CHANCERY_LISTEN", "localhost:80"),
        ("CHANCERY_AUDIT_VERBOSE", "yes"),
        ("CHANCERY_LIMITS_MAX_UPLOAD_BYTES", "16 MB"),
        ("CHANCERY_LIMITS_MAX_UPLOAD_BYTES", "12"),
        ("CHANCERY_RATE_LOGIN_PER_MINUTE", "-1"),
        ("CHANCERY_VALIDATION_EXPIRING_DAYS", "many"),
        ("CHANCERY_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("CHANCERY_LOG_ORIGIN", "two words"),
        ("CHANCERY_LOG_ORIGIN", "https://a.example/log"),
        ("CHANCERY_LOGGING_FORMAT", "xml"),
        ("CHANCERY_LOGGING_FILTER", "info,=,=x"),
        ("CHANCERY_DATABASE", "mysql"),
    ] {
        let found = problems(&given(&[(variable, value)]));
        assert_eq!(found.len(), 1, "{found:?}");
        let key = setting::all().find(|setting| setting.variable() == variable).unwrap().key;
        let start = format!("variable {variable}: {key} = {value:?}: expected ");
        assert!(found[0].starts_with(&start), "{found:?}");
    }
}

#[test]
fn the_address_of_a_database_is_never_shown_with_its_password() {
    let found = problems(&given(&[("CHANCERY_DATABASE", "postgres://u:hunter2@h:port/d")]));
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("variable CHANCERY_DATABASE: database = (hidden): expected sqlite")
    );
    assert!(!found[0].contains("hunter2"), "{found:?}");
    let place = Place::new();
    let file = place.folder.path().join("password");
    std::fs::write(&file, "hunter3\n").unwrap();
    let inputs = given(&[
        ("CHANCERY_DATABASE", "postgres://ada:hunter2@db.example/rolls"),
        ("CHANCERY_DATABASE_PASSWORD_FILE", file.to_str().unwrap()),
    ]);
    let config = Config::load(&inputs).unwrap();
    let shown = effective(&config, "database").value.clone();
    assert_eq!(shown.as_deref(), Some("PostgreSQL: rolls at db.example:5432 as ada"));
    let told = format!("{:?} {:?}", config.serving, config.effective);
    assert!(!told.contains("hunter"), "{told}");
}

#[test]
fn sections_are_no_settings() {
    let place = Place::new();
    assert_eq!(
        problems(&place.file("tls = true\n")),
        ["chancery.toml:1: tls is a section, not a setting; it holds tls.certificate"]
    );
    assert_eq!(
        problems(&place.file("[tsl]\n")),
        ["chancery.toml:1: no such setting: tsl; docs/CONFIGURATION.md lists all"]
    );
    assert_eq!(
        problems(&place.file("[sesion]\na = 1\n")),
        ["chancery.toml:2: no such setting: sesion.a; did you mean one of session, such as \
          session.idle_minutes?"]
    );
    load(&place.file("[tls]\n"));
}

#[test]
fn a_start_is_refused_what_it_would_refuse_later() {
    let place = Place::new();
    let inputs = place.file("admin.password = \"short\"\n");
    load(&inputs);
    let Err(error) = Config::load_to_serve(&inputs) else { panic!("nothing was refused") };
    let text = error.to_string();
    assert!(text.contains("2 problems") && text.contains("a passphrase"), "{text}");
    assert!(text.contains("admin.password = (hidden): it needs at least 12 characters"), "{text}");
    assert!(!text.contains("short"), "{text}");

    // What a file that cannot be read says of it is not known.
    for inputs in [
        place.file("log.key_passphrase_file = /run/secrets/log\n"),
        Inputs { file: Some("/no/such/file.toml".into()), ..Inputs::default() },
    ] {
        let Err(error) = Config::load_to_serve(&inputs) else { panic!("nothing was refused") };
        assert_eq!(error.problems.len(), 1, "{error}");
    }

    let well = [
        "log.key_passphrase = \"p\"\nadmin.password = \"correct horse battery\"\n",
        "log.allow_unencrypted_key = true\n",
    ];
    for text in well {
        assert!(Config::load_to_serve(&place.file(text)).is_ok(), "{text}");
    }
    assert!(Config::load_to_serve(&Inputs { demo: true, ..Inputs::default() }).is_ok());
}

#[test]
fn broken_files_are_refused_with_their_line() {
    let place = Place::new();
    let found = problems(&place.file("listen = \"127.0.0.1:1\"\ndata_dir = /var\n"));
    assert!(found[0].starts_with("chancery.toml:2: TOML: "), "{found:?}");
    let missing = Inputs { file: Some("/no/such/file.toml".into()), ..Inputs::default() };
    assert!(problems(&missing)[0].starts_with("file.toml: cannot be read: "));
}

#[test]
fn secrets_come_from_files_or_variables_and_are_never_shown() {
    let place = Place::new();
    let path = place.write("password", "hunter2\n");
    let path = path.to_str().unwrap();
    let config = load(&given(&[
        ("CHANCERY_ADMIN_PASSWORD_FILE", path),
        ("CHANCERY_LOG_KEY_PASSPHRASE", "correct horse"),
    ]));
    assert_eq!(config.admin.password.as_ref().unwrap().expose(), "hunter2");
    assert_eq!(config.log.key_passphrase.as_ref().unwrap().expose(), "correct horse");
    assert_eq!(effective(&config, "log.key_passphrase").value.as_deref(), Some("(set)"));
    assert_eq!(effective(&config, "admin.password").value, None);
    assert_eq!(effective(&config, "admin.password_file").value.as_deref(), Some(path));
    let shown = format!("{:?}", config.effective);
    assert!(!shown.contains("hunter2") && !shown.contains("horse"), "{shown}");
}

#[test]
fn secrets_of_one_source_contradict_each_other() {
    let place = Place::new();
    let path = place.write("password", "hunter2");
    let mut inputs = place.file("admin.password = \"from the file\"\n");
    inputs.variables = variables(&[("CHANCERY_ADMIN_PASSWORD_FILE", path.to_str().unwrap())]);
    assert_eq!(load(&inputs).admin.password.unwrap().expose(), "hunter2");
    inputs.variables.extend(variables(&[("CHANCERY_ADMIN_PASSWORD", "x")]));
    assert_eq!(
        problems(&inputs),
        ["variable CHANCERY_ADMIN_PASSWORD: admin.password and admin.password_file are both set: \
          keep one"]
    );
}

#[test]
fn secrets_that_cannot_be_used_are_refused_unseen() {
    let place = Place::new();
    let found = problems(&place.file("admin.password = [\"hunter2\"]\n"));
    assert_eq!(
        found,
        ["chancery.toml:1: admin.password = (hidden): expected a text that is not empty"]
    );
    let empty = place.write("empty", "\n");
    let found = problems(&given(&[("CHANCERY_ADMIN_PASSWORD_FILE", empty.to_str().unwrap())]));
    assert!(found[0].ends_with("cannot read a secret there: it is empty"), "{found:?}");
    let inputs =
        Inputs { flags: vec![flag("--set", "admin.password", "hunter2")], ..Inputs::default() };
    let found = problems(&inputs);
    assert!(found[0].contains("every user of the machine can read"), "{found:?}");
    assert!(!found[0].contains("hunter2"));
}

#[test]
fn the_file_is_looked_for_in_order() {
    let place = Place::new();
    let data_dir = place.folder.path().to_str().unwrap().to_owned();
    place.write(FILE_NAME, "listen = \"127.0.0.1:1\"\n");
    let standard = place.write("standard.toml", "listen = \"127.0.0.1:2\"\n");
    let named = place.write("named.toml", "listen = \"127.0.0.1:3\"\n");
    let port = |inputs: &Inputs| load(inputs).serving.listen.port();

    let mut inputs = given(&[("CHANCERY_DATA_DIR", &data_dir)]);
    assert_eq!(port(&inputs), 1);
    inputs.standard_file = Some(standard);
    assert_eq!(port(&inputs), 2);
    // A demonstration leaves the settings of the real server alone.
    assert_eq!(port(&Inputs { demo: true, ..inputs.clone() }), 1);
    inputs.file = Some(named);
    assert_eq!(port(&inputs), 3);
}

#[test]
fn a_file_that_moves_the_data_directory_to_another_file_is_refused() {
    let place = Place::new();
    let other = place.folder.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join(FILE_NAME), "").unwrap();
    let inputs = place.file("data_dir = \"other\"\n");
    assert!(problems(&inputs)[0].contains("keep one of the two files"));
}

#[test]
fn a_demonstration_keeps_to_a_local_directory() {
    let config = load(&Inputs { demo: true, ..Inputs::default() });
    assert_eq!(config.serving.data_dir, Path::new("chancery-data"));
}

#[test]
fn container_links_are_passed_over() {
    load(&given(&[
        ("CHANCERY_SERVICE_HOST", "10.0.0.1"),
        ("CHANCERY_SERVICE_PORT_HTTP", "80"),
        ("CHANCERY_PORT", "tcp://10.0.0.1:80"),
        ("CHANCERY_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("CHANCERY_URL", "http://a.example"),
    ]));
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    let open = load(&given(&[("CHANCERY_LISTEN", "0.0.0.0:80")]));
    assert!(open.warnings[0].contains("clear text"), "{:?}", open.warnings);
    let behind = [("CHANCERY_LISTEN", "0.0.0.0:80"), ("CHANCERY_TRUSTED_PROXIES", "10.0.0.0/8")];
    assert_eq!(load(&given(&behind)).warnings, [""; 0]);
    let mixed = load(&given(&[
        ("CHANCERY_TLS_CERTIFICATE", "c.pem"),
        ("CHANCERY_TLS_KEY", "k.pem"),
        ("CHANCERY_PUBLIC_URL", "http://a.example"),
    ]));
    assert!(mixed.warnings[0].contains("will not send the session back"));
}

#[test]
fn the_origin_follows_the_public_address() {
    let config = load(&given(&[("CHANCERY_PUBLIC_URL", "https://c.example:8443")]));
    assert_eq!(config.log.origin, "c.example:8443/log");
}

/// The rows of the tables: key, variable, command line, default, meaning.
fn documented() -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/CONFIGURATION.md");
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()
    };
    let text = fs::read_to_string(path).unwrap();
    let is_setting = |cells: &Vec<String>| cells.len() == 5 && cells[1].starts_with("CHANCERY_");
    text.lines().map(cells).filter(is_setting).collect()
}

#[test]
fn the_documentation_names_every_setting() {
    let row = |setting: &'static Setting| {
        vec![
            setting.key.to_owned(),
            setting.variable(),
            setting.flag_spelling().unwrap_or_else(|| "—".into()),
            setting.default.to_owned(),
            setting.meaning.to_owned(),
        ]
    };
    let expected: Vec<Vec<String>> = setting::all().map(row).collect();
    assert_eq!(documented(), expected);
}
