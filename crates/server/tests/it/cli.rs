//! The commands as people and scripts use them.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::installation::{Installation, PREPARED, Server, program};

pub(crate) fn certificate(name: &str) -> String {
    rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap().cert.pem()
}

#[test]
fn usage_is_told_with_status_two() {
    let installation = Installation::new();
    for arguments in [&["nonsense"][..], &["token"], &["verify", "--export", "a", "--proof", "b"]] {
        let run = installation.run(arguments);
        assert_eq!(run.status, 2, "{arguments:?} {run:?}");
    }
}

#[test]
fn output_that_cannot_be_written_is_an_error_and_never_a_panic() {
    let installation = Installation::prepared();
    let full = || Stdio::from(std::fs::File::options().write(true).open("/dev/full").unwrap());
    for arguments in [&["verify"][..], &["verify", "--json"], &["version"], &["token", "list"]] {
        let mut command = program(arguments);
        command.env("CHANCERY_DATA_DIR", installation.data_dir());
        let run = command.stdout(full()).output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        let expected = if arguments[0] == "verify" { 2 } else { 1 };
        assert_eq!(run.status.code(), Some(expected), "{arguments:?}: {said}");
        assert!(said.contains("cannot write to standard output"), "{arguments:?}: {said}");

        // Nobody reads, and nobody is told.
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let run = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(!said.contains("panicked") && !said.contains("Broken pipe"), "{said}");
        let run = command.stdout(Stdio::null()).stderr(full()).status().unwrap();
        assert!(run.success(), "{arguments:?}: {run}");
    }
}

#[test]
fn what_serve_refuses_leaves_nothing_behind() {
    let installation = Installation::new();
    let refused = |variables: &[(&str, &str)]| {
        for arguments in [&["serve"][..], &["config", "check"], &["token", "list"]] {
            let mut command = program(arguments);
            command.env("CHANCERY_DATA_DIR", installation.data_dir());
            let run = command.envs(variables.iter().copied()).output().unwrap();
            let said = String::from_utf8(run.stderr).unwrap();
            assert_eq!(run.status.code(), Some(1), "{arguments:?}: {said}");
            assert!(said.contains("problem"), "{arguments:?}: {said}");
            assert!(!installation.data_dir().exists(), "{arguments:?}");
        }
    };
    refused(&[("CHANCERY_LOG_ALLOW_UNENCRYPTED_KEY", "false")]);
    refused(&[("CHANCERY_ADMIN_PASSWORD", "short")]);
}

#[test]
fn what_serve_cannot_use_a_check_refuses_as_well() {
    let installation = Installation::new();
    let refused = |arguments: &[&str], setting: &str| {
        for command in [&["serve"][..], &["config", "check"]] {
            let run = installation.run(&[command, arguments].concat());
            assert_eq!(run.status, 1, "{command:?}: {run:?}");
            assert!(run.err.contains(setting), "{command:?}: {run:?}");
        }
    };
    refused(&["--tls-certificate", "/nope", "--tls-key", "/nope"], "tls.certificate");
    refused(&["--data-dir", "/proc/foo"], "/proc/foo");
    let short = installation.beside("short");
    std::fs::write(&short, "eleven long").unwrap();
    let short = format!("log.key_passphrase_file={}", short.display());
    refused(&["--set", &short], "12 characters");
    let run = installation.run(&["config", "check"]).well();
    assert!(!installation.data_dir().exists(), "{run:?}");
}

#[test]
fn a_server_must_be_named_and_be_there() {
    let installation = Installation::new();
    let run = installation.run(&["events", "list"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.err.contains("CHANCERY_URL"), "{run:?}");
    let run = installation.run(&["events", "list", "--server", "http://127.0.0.1:9"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.err.contains("cannot reach http://127.0.0.1:9"), "{run:?}");
}

#[test]
fn tokens_without_a_server() {
    let installation = Installation::new();
    let run = installation.run(&["token", "create", "first", "--role", "auditor"]).well();
    assert!(run.out.starts_with("chy_") && run.out.lines().count() == 1, "{run:?}");
    assert!(run.err.contains("working directly in the data directory"), "{run:?}");
    let run = installation.run(&["token", "create", "second", "--json"]).well();
    let second = run.document();
    let list = installation.run(&["token", "list", "--json"]).well().document();
    let names: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|item| item["name"].clone()).collect();
    assert_eq!(names, ["second", "first"]);
    assert!(!list.to_string().contains(second["token"].as_str().unwrap()));

    let id = second["id"].as_str().unwrap();
    installation.run(&["token", "revoke", id]).well();
    let run = installation.run(&["token", "revoke", id]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.err.contains("revoked already"), "{run:?}");
    let run = installation.run(&["token", "list"]).well();
    assert!(run.out.contains("revoked") && run.out.contains("auditor"), "{run:?}");

    let run = installation.run(&["token", "create", "x", "--role", "emperor"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.err.contains("administrator, operator, auditor, viewer"), "{run:?}");
    // Every one of these is in the log.
    let (status, document) = installation.verify();
    assert_eq!(status, 0, "{document:#}");
    // A log keeps its name whatever the address; another origin is no matter of a server that runs.
    installation.run(&["token", "list", "--public-url", "https://elsewhere.example"]).well();
    let origin = ["token", "list", "--set", "log.origin=other.example/log"];
    let run = installation.run(&origin);
    assert_eq!(run.status, 1, "{run:?}");
    let why = run.err.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert!(why.starts_with("error: the key ") && !why.contains("while a server"), "{run:?}");

    use std::os::unix::fs::MetadataExt as _;
    let mode =
        |path: &str| std::fs::metadata(installation.data_dir().join(path)).unwrap().mode() & 0o777;
    assert_eq!((mode(""), mode("chancery.db")), (0o700, 0o600));
}

#[test]
fn a_backup_is_a_data_directory_that_goes_on() {
    let installation = Installation::prepared();
    let copy = Installation::new();
    let destination = copy.data_dir_text();
    let running = crate::installation::Server::start(&installation);
    let run = installation.run(&["backup", &destination]).well();
    assert!(run.out.contains("Verified:"), "{run:?}");
    assert!(run.err.contains("not recorded"), "beside a running server: {run:?}");
    drop(running);

    use std::os::unix::fs::MetadataExt as _;
    let mode = |path: &str| std::fs::metadata(copy.data_dir().join(path)).unwrap().mode() & 0o777;
    assert_eq!((mode("keys/log.json"), mode("")), (0o600, 0o700));

    let before = copy.verify().1;
    // To start on it is to put it back: the same log goes on, and says that nobody knows what it
    // lacks. Once.
    let create = ["token", "create", "test", "--role", "auditor"];
    let first = copy.run(&create).well();
    assert!(first.err.contains("This is a copy of the log"), "{first:?}");
    let second = copy.run(&create).well();
    assert!(!second.err.contains("copy of the log"), "{second:?}");
    let server = Server::start(&copy);
    let told = server.run(second.out.trim(), &["events", "list", "type:log.restore", "--json"]);
    let told = told.well().document();
    assert_eq!(told.as_array().unwrap().len(), 1, "{told:#}");
    let detail = &told[0]["event"]["data"]["detail"];
    assert_eq!((&detail["log_size"], detail.get("lost")), (&before["size"], None), "{detail:#}");
    server.stop();
    let after = copy.verify().1;
    assert_eq!(before["key"], after["key"]);
    assert!(after["size"].as_u64() > before["size"].as_u64(), "{before:#} {after:#}");

    let run = installation.run(&["backup", &destination]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.err.contains("is not empty"), "{run:?}");
    let nothing = Installation::new();
    let target = nothing.beside("copy");
    let run = nothing.run(&["backup", target.to_str().unwrap()]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(!target.exists());
}

#[test]
fn an_older_database_in_place_is_refused_until_its_loss_is_recorded() {
    let installation = Installation::prepared();
    let database = installation.data_dir().join("chancery.db");
    let old = installation.beside("old.db");
    std::fs::copy(&database, &old).unwrap();
    let size = installation.verify().1["size"].as_u64().unwrap();
    // Two starts and two stops, and what they did.
    installation.token("auditor");
    let create = ["token", "create", "test", "--role", "auditor"];
    installation.run(&create).well();
    let published = installation.verify().1["size"].as_u64().unwrap();
    std::fs::copy(&old, &database).unwrap();

    let run = installation.run(&create);
    assert!(run.status != 0 && run.err.contains("chancery restore --in-place"), "{run:?}");
    let run = installation.run(&["restore", "--in-place"]).well();
    let lost = published - size;
    assert!(
        run.out.contains(&format!(
            "{lost} entries that had been published are lost, from index {size}"
        )),
        "{run:?}"
    );
    let (status, verified) = installation.verify();
    assert_eq!(status, 0, "{verified:#}");
    let token = installation.token("auditor");
    let server = Server::start(&installation);
    let told = server.run(&token, &["events", "list", "type:log.restore", "--json"]).well();
    let told = told.document();
    assert_eq!(told.as_array().unwrap().len(), 1, "{told:#}");
    let detail = &told[0]["event"]["data"]["detail"];
    assert_eq!((&detail["lost"], &detail["log_size"]), (&lost.into(), &size.into()));
    server.stop();
}

#[test]
fn a_running_server_makes_and_records_its_backup() {
    let installation = Installation::new();
    let token = installation.token("administrator");
    let server = Server::start(&installation);
    let run = server.run(&token, &["backup", "--json"]).well();
    assert_eq!(run.err, "", "progress is shown on terminals alone");
    let document = run.document();
    let directory = document["backup"]["directory"].as_str().unwrap().to_owned();
    assert!(directory.starts_with(&installation.data_dir_text()), "{run:?}");
    // The job has ended; its event is sealed behind that.
    let deadline = Instant::now() + Duration::from_secs(60);
    let made = loop {
        let made = server.run(&token, &["events", "list", "type:backup.create", "--json"]).well();
        if made.document()[0].is_object() {
            break made.document();
        }
        assert!(Instant::now() < deadline, "{made:?}");
    };
    let event = &made[0];
    assert_eq!(event["event"]["data"]["detail"]["bytes_sha256"], document["backup"]["sha256"]);
    let run = server.run(&token, &["backup", "/elsewhere"]);
    assert!(run.status != 0 && run.err.contains("leave out DEST"), "{run:?}");
    let run = installation.run(&["verify", "--data-dir", &directory, "--json"]).well();
    assert_eq!(run.document()["size"], document["backup"]["log_size"]);
}

#[test]
fn what_was_put_back_goes_on_and_says_what_is_lost() {
    let installation = Installation::prepared();
    let backup = installation.beside("backup");
    let backup = backup.to_str().unwrap();
    let run = installation.run(&["backup", backup, "--json"]).well();
    assert_eq!(run.document()["recorded"], true);
    let size = run.document()["verification"]["size"].as_u64().unwrap();
    // The log goes on, and somebody keeps its newest checkpoint.
    installation.token("auditor");
    let note = checkpoint_of(&installation.data_dir_text());
    let published: u64 = note.lines().nth(1).unwrap().parse().unwrap();
    assert!(published > size);
    let checkpoint = installation.beside("checkpoint");
    std::fs::write(&checkpoint, &note).unwrap();
    let published_at = checkpoint.to_str().unwrap();

    let run = installation.run(&["restore", backup]);
    assert!(run.status != 0 && run.err.contains("is not empty"), "{run:?}");
    let other = Installation::new();
    let wrong = other.beside("checkpoint");
    std::fs::write(&wrong, note.replacen(&published.to_string(), "1", 1)).unwrap();
    let run = other.run(&["restore", backup, "--published", wrong.to_str().unwrap()]);
    assert!(run.status != 0 && run.err.contains("is no checkpoint of the log"), "{run:?}");
    assert!(!other.data_dir().exists());

    let run = other.run(&["restore", backup, "--published", published_at]).well();
    let lost = published - size;
    assert!(
        run.out.contains(&format!("{lost} entries that had been published are lost")),
        "{run:?}"
    );
    let (status, verified) = other.verify();
    assert_eq!(status, 0, "{verified:#}");
    assert!(verified["size"].as_u64().unwrap() > size);
    let token = other.token("auditor");
    let server = Server::start(&other);
    let told = server.run(&token, &["events", "list", "type:log.restore", "--json"]).well();
    let told = told.document();
    let detail = &told[0]["event"]["data"]["detail"];
    assert_eq!((&detail["lost"], &detail["log_size"]), (&lost.into(), &size.into()));

    let whole = Installation::new();
    let own = whole.beside("own");
    std::fs::write(&own, checkpoint_of(backup)).unwrap();
    let own = own.to_str().unwrap();
    let run = whole.run(&["restore", backup, "--published", own, "--json"]).well();
    assert_eq!(run.document()["lost"], 0);
}

/// The signed checkpoint in a data directory.
fn checkpoint_of(data_dir: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let settings = chancery_store::Settings::embedded(data_dir);
        let store = chancery_store::Store::open_to_read(&settings).await.unwrap();
        let mut link = store.read().await.unwrap();
        chancery_store::log::checkpoint(&mut link).await.unwrap().unwrap().note
    })
}

#[test]
fn a_backup_of_a_damaged_log_says_so() {
    use chancery_store::tamper::{Damage, tamper};
    let installation = Installation::prepared();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(tamper(&installation.data_dir(), Damage::Entry(77))).unwrap();
    let target = installation.beside("copy");
    let run = installation.run(&["backup", target.to_str().unwrap(), "--json"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert_eq!(run.document()["verification"]["fault"]["index"], 77);
}

#[test]
fn the_catalogue_needs_no_server() {
    let installation = Installation::new();
    let run = installation.run(&["catalogue", "list", "token."]).well();
    assert!(run.out.contains("token.create"), "{run:?}");
    let run = installation.run(&["catalogue", "show", "nonsense"]);
    assert_eq!(run.status, 1, "{run:?}");
    let run = installation.run(&["catalogue", "show", "certificate.uplaod"]);
    assert!(run.err.contains("did you mean certificate.upload?"), "{run:?}");
}

#[test]
fn certificates_are_uploaded_listed_and_shown() {
    let installation = Installation::new();
    let token = installation.token("administrator");
    let server = Server::start(&installation);
    let (one, two) = (installation.beside("one.pem"), installation.beside("two.pem"));
    std::fs::write(&one, certificate("one.example")).unwrap();
    std::fs::write(&two, "no certificate").unwrap();
    let (one, two) = (one.to_str().unwrap(), two.to_str().unwrap());

    let run = server.run(&token, &["certificates", "upload", one, "--path", "/prod/web"]).well();
    let id = run.out.trim().rsplit(' ').next().unwrap().to_owned();
    let run = server.run(&token, &["certificates", "upload", one]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.err.contains(&id), "it names the one that is there: {run:?}");
    let run = server.run(&token, &["certificates", "upload", two, one, "--json"]);
    assert_eq!((run.status, run.document()["refused"].as_u64()), (1, Some(2)), "{run:?}");
    // One refused file is a document, too.
    let run = server.run(&token, &["certificates", "upload", one, "--json"]);
    let item = &run.document()["items"][0];
    assert_eq!(
        (run.status, &item["existing"], &item["code"]),
        (1, &id.clone().into(), &"duplicate".into())
    );
    assert_eq!(item["status"], 409);
    assert_eq!(item["problem"].as_str().unwrap().matches(&id).count(), 1, "{item:#}");

    let query = ["certificates", "list", "path:/prod/web", "--json"];
    let list = server.run(&token, &query).well().document();
    assert_eq!(list[0]["id"], id.as_str());
    assert_eq!(list[0]["path"], "/prod/web");
    let run = server.run(&token, &["certificates", "list", "path:/nowhere"]).well();
    assert!(!run.out.contains(&id), "{run:?}");
    let run = server.run(&token, &["certificates", "list", "nonsense:1"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.err.contains("the server refused /api/v1/certificates (4"), "{run:?}");

    let run = server.run(&token, &["certificates", "show", &id]).well();
    assert!(run.out.contains("one.example") && run.out.contains("Latest events"), "{run:?}");
    let print = list[0]["fingerprint_sha256"].as_str().unwrap();
    for shown in [&id, print, &print[..16], &print.to_uppercase()] {
        let run = server.run(&token, &["certificates", "show", shown, "--json"]).well();
        assert_eq!(run.document()["id"], id.as_str(), "{shown}");
    }
    let run = server.run(&token, &["certificates", "show", &id, "--pem"]).well();
    assert!(run.out.starts_with("-----BEGIN CERTIFICATE-----"), "{run:?}");
    let run = server.run(&token, &["certificates", "show", "0123456789abcdef"]);
    assert_eq!(run.status, 1, "{run:?}");
    server.stop();
    assert_eq!(installation.verify().0, 0);
}

#[test]
fn each_file_of_an_upload_has_its_own_outcome() {
    let installation = Installation::new();
    let token = installation.token("administrator");
    let server = Server::start(&installation);
    let three = installation.beside("three.pem");
    std::fs::write(&three, certificate("three.example")).unwrap();
    let nowhere = installation.beside("nowhere");
    let (three, nowhere) = (three.to_str().unwrap(), nowhere.to_str().unwrap());
    let upload = ["certificates", "upload", "--json", nowhere, three, "--path", "/three"];
    let run = server.run(&token, &upload);
    let document = run.document();
    assert_eq!(
        (run.status, &document["accepted"], &document["refused"]),
        (1, &1.into(), &1.into())
    );
    assert_eq!(document["items"][0]["code"], "file_unreadable");
    assert!(document["items"][1]["id"].is_string(), "{document:#}");
    let four = installation.beside("four.pem");
    std::fs::write(&four, certificate("four.example")).unwrap();
    let four = four.to_str().unwrap();
    let run = server.run(&token, &["certificates", "upload", four, "--group", "no such group"]);
    assert!(run.status == 1 && run.err.contains("groups"), "{run:?}");
    let run = server.run(&token, &["certificates", "upload", four, "--async"]).well();
    assert!(run.out.contains("queued as job"), "{run:?}");

    // How large a file may be the server says.
    let five = installation.beside("five.pem");
    let text = certificate("five.example") + "# nothing more\n".repeat(980_000).as_str();
    std::fs::write(&five, &text).unwrap();
    let five = five.to_str().unwrap();
    server.run(&token, &["certificates", "upload", five]).well();
    std::fs::write(five, text.repeat(2)).unwrap();
    let run = server.run(&token, &["certificates", "upload", five]);
    assert!(run.status == 1 && run.err.contains("at most 16777216 bytes"), "{run:?}");
    server.stop();
}

#[test]
fn a_directory_is_imported() {
    let installation = Installation::new();
    let token = installation.token("operator");
    let server = Server::start(&installation);
    let folder = installation.beside("certificates");
    std::fs::create_dir_all(folder.join("deep")).unwrap();
    let both = certificate("one.example") + certificate("two.example").as_str();
    std::fs::write(folder.join("both.pem"), &both).unwrap();
    std::fs::write(folder.join("deep/again.pem"), &both).unwrap();
    std::fs::write(folder.join("readme"), "hello").unwrap();
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    std::fs::write(folder.join("deep/secret.pem"), key).unwrap();
    std::fs::write(folder.join("nothing"), "").unwrap();
    let large = certificate("three.example") + "#\n".repeat(5 << 19).as_str();
    std::fs::write(folder.join("large.pem"), large).unwrap();
    let broken = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    std::fs::write(folder.join("deep/broken.pem"), broken).unwrap();
    let folder = folder.to_str().unwrap();

    let dry = installation.run(&["certificates", "import", folder, "--dry-run"]).well();
    assert!(dry.err.contains("deep/broken.pem") && dry.err.contains("at byte"), "{dry:?}");
    assert!(dry.out.contains("6 files") && dry.out.contains("3 certificates"), "{dry:?}");
    assert!(dry.out.contains("1 file without a byte"), "{dry:?}");
    assert!(dry.err.contains("deep/secret.pem: it holds a private key"), "{dry:?}");
    let first = server.run(&token, &["certificates", "import", folder, "--json"]).well().document();
    let counts = |document: &Value| {
        ["certificates", "accepted", "already_known", "refused", "repeated"]
            .map(|name| document[name].as_u64().unwrap())
    };
    assert_eq!(counts(&first), [3, 3, 0, 0, 2]);
    let broken = first["broken_certificates"][0]["file"].as_str().unwrap();
    assert!(broken.ends_with("deep/broken.pem"), "{first:#}");
    let again = server.run(&token, &["certificates", "import", folder, "--json"]).well().document();
    assert_eq!(counts(&again), [3, 0, 3, 0, 2]);
    let run = server.run("chy_wrong", &["certificates", "import", folder]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.err.contains("CHANCERY_TOKEN"), "{run:?}");
}

#[test]
fn a_large_import_is_a_job_of_the_server() {
    let installation = Installation::new();
    let token = installation.token("operator");
    let server = Server::start(&installation);
    let folder = installation.beside("certificates");
    std::fs::create_dir(&folder).unwrap();
    for number in 0..60 {
        let name = format!("c{number}.example");
        std::fs::write(folder.join(&name), certificate(&name)).unwrap();
    }
    let import = ["certificates", "import", folder.to_str().unwrap(), "--path", "/x", "--json"];
    let document = server.run(&token, &import).well().document();
    assert_eq!(document["accepted"], 60, "{document:#}");
    assert_eq!(document["jobs"].as_array().unwrap().len(), 1, "{document:#}");
    let again = server.run(&token, &import).well().document();
    assert_eq!(again["already_known"], 60, "{again:#}");
}

#[test]
fn events_are_listed_and_followed() {
    let installation = Installation::prepared();
    let token = installation.token("auditor");
    let server = Server::start(&installation);
    let list = ["events", "list", "type:token.create", "-n", "3", "--json"];
    let events = server.run(&token, &list).well().document();
    assert_eq!(events.as_array().unwrap().len(), 3);
    let index = |event: &Value| event["log_index"].as_u64().unwrap();
    assert!(index(&events[0]) > index(&events[2]));
    let before = index(&events[2]).to_string();
    let next = [&list[..], &["--before", &before]].concat();
    let next = server.run(&token, &next).well().document();
    assert!(index(&next[0]) < index(&events[2]), "{next:#}");
    let run = server.run(&token, &["events", "list", "-n", "2"]).well();
    assert!(run.out.starts_with("INDEX") && run.err.contains("--before"), "{run:?}");
    let run = server.run(&token, &["events", "list", "sevrity:info"]);
    assert_eq!(run.status, 1, "{run:?}");

    let mut tail = server
        .client(&token, &["events", "tail", "--from", "5", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    for (expected, line) in (5..PREPARED).zip(lines) {
        let record: Value = serde_json::from_str(&line.unwrap()).unwrap();
        assert_eq!(record["log_index"], expected);
    }
    tail.kill().unwrap();
    tail.wait().unwrap();
    let run = server.run("", &["events", "tail"]);
    assert_eq!(run.status, 1, "{run:?}");
}

#[test]
fn exports_are_verified_without_the_server() {
    let installation = Installation::prepared();
    let token = installation.token("auditor");
    let server = Server::start(&installation);
    let file = installation.beside("events.jsonl");
    let file = file.to_str().unwrap();
    server.run(&token, &["events", "export", "--output", file]).well();
    let key = std::fs::read_to_string(installation.data_dir().join("keys/log.vkey")).unwrap();
    let verify = ["verify", "--export", file, "--json", "--key", key.trim()];
    let report = installation.run(&verify).well().document();
    assert_eq!(report["entries"], report["size"]);
    assert!(report["entries"].as_u64().unwrap() > PREPARED);

    server.run(&token, &["events", "export", "-o", file, "--from", "7", "--to", "9"]).well();
    assert_eq!(installation.run(&verify).well().document()["entries"], 3);
    server.run(&token, &["events", "export", "type:token.create", "-o", file]).well();
    let report = installation.run(&verify).well().document();
    assert!(report["entries"].as_u64().unwrap() > PREPARED, "{report:#}");
    assert!(report["warnings"].to_string().contains("type:token.create"), "{report:#}");
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, text.replacen("token.create", "token.Create", 3)).unwrap();
    assert_eq!(installation.run(&verify).status, 1);

    server.run(&token, &["events", "export", "--format", "ndjson", "-o", file]).well();
    installation.run(&verify).well();
    let lines = std::fs::read_to_string(file).unwrap();
    let cut: Vec<&str> = lines.lines().take(100).collect();
    std::fs::write(file, cut.join("\n") + "\n").unwrap();
    let report = installation.run(&verify).document();
    assert_eq!(report["fault"]["index"], 99, "{report:#}");

    let run = server.run(&token, &["events", "export", "--format", "csv"]).well();
    assert!(run.out.starts_with("log_index,"), "{run:?}");
    let run = server.run(&token, &["events", "export", "--from", "99999"]);
    assert_eq!(run.status, 1, "{run:?}");
}

#[test]
fn an_event_and_its_proof_are_verified_without_the_server() {
    let installation = Installation::prepared();
    let token = installation.token("administrator");
    let server = Server::start(&installation);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let fetch = |what: &str| {
        let url = format!("{}/api/v1/events/192{what}", server.url);
        let request = reqwest::Client::new().get(url).bearer_auth(&token);
        let bytes = runtime.block_on(async {
            request.send().await.unwrap().error_for_status().unwrap().bytes().await.unwrap()
        });
        let file = installation.beside(&format!("event{}", what.replace('/', ".")));
        std::fs::write(&file, bytes).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let (shown, entry, proof) = (fetch(""), fetch("/entry"), fetch("/proof"));
    installation.run(&["verify", "--proof", &proof, "--entry", &entry]).well();
    // With its personal part in clear, there is nothing to hold the proof against.
    let run = installation.run(&["verify", "--proof", &proof, "--entry", &shown]);
    assert_eq!(run.status, 2, "{run:?}");
    assert!(run.err.contains("/api/v1/events/192/entry"), "{run:?}");
}

#[test]
fn a_running_server_is_verified_over_the_network_and_on_the_disc() {
    let installation = Installation::prepared();
    let token = installation.token("auditor");
    let server = Server::start(&installation);
    let url = format!("{}/log", server.url);
    let report = server.run(&token, &["verify", "--url", &url, "--json"]).well().document();
    assert_eq!(report["entries"], report["size"]);
    assert_eq!(report["key_source"], "fetched");
    let run = installation.run(&["verify", "--url", &url]);
    assert_eq!(run.status, 2, "{run:?}");
    assert!(run.err.contains("token of an auditor"), "{run:?}");
    // The data directory of a server that runs.
    assert_eq!(installation.verify().0, 0);
    let run = installation.run(&["token", "create", "x"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.err.contains("--server") && run.err.contains("another process"), "{run:?}");
}

#[test]
fn tokens_over_the_api() {
    let installation = Installation::new();
    let token = installation.token("administrator");
    let server = Server::start(&installation);
    let made = server.run(&token, &["token", "create", "ci", "--role", "viewer"]).well();
    let viewer = made.out.trim();
    server.run(viewer, &["events", "list"]).well();
    let list = server.run(&token, &["token", "list", "--json"]).well().document();
    let found = list["items"].as_array().unwrap().iter().find(|item| item["name"] == "ci");
    let id = found.unwrap()["id"].as_str().unwrap().to_owned();
    let run = server.run(viewer, &["certificates", "import", "/nonexistent"]);
    assert_eq!(run.status, 1, "{run:?}");
    server.run(&token, &["token", "revoke", &id]).well();
    let run = server.run(viewer, &["events", "list"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.err.contains("401"), "{run:?}");
}
