//! The script proves what the library proves, and refuses what it refuses. Needs `node`; runs
//! without network.

use std::fmt::Write as _;
use std::process::Command;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

type Hash = Vec<u8>;

fn sha(parts: &[&[u8]]) -> Hash {
    digest(&SHA256, &parts.concat()).as_ref().to_vec()
}

/// RFC 6962 §2.1, straight from its recursive definition.
fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [leaf] => leaf.clone(),
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            sha(&[&[1], &root(left), &root(right)])
        }
    }
}

/// RFC 6962 §2.1.1.
fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut way, other) = if index < left.len() {
        (path(index, left), root(right))
    } else {
        (path(index - left.len(), right), root(left))
    };
    way.push(other);
    way
}

fn split(len: usize) -> usize {
    len.next_power_of_two() / 2
}

struct Log {
    key: Ed25519KeyPair,
    entries: Vec<Vec<u8>>,
}

impl Log {
    fn new(size: usize) -> Self {
        let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed of 32 bytes");
        Self {
            key,
            entries: (0..size).map(|entry| format!("entry {entry}").into_bytes()).collect(),
        }
    }

    fn key_bytes(&self) -> Vec<u8> {
        [&[1], self.key.public_key().as_ref()].concat()
    }

    fn key_id(&self) -> Hash {
        sha(&[b"log.example/one\n", &self.key_bytes()])[..4].to_vec()
    }

    fn verifier_key(&self) -> String {
        let id: String = self.key_id().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("log.example/one+{id}+{}", STANDARD.encode(self.key_bytes()))
    }

    fn proof(&self, index: usize) -> String {
        let leaves: Vec<Hash> = self.entries.iter().map(|entry| sha(&[&[0], entry])).collect();
        let body =
            format!("log.example/one\n{}\n{}\n", leaves.len(), STANDARD.encode(root(&leaves)));
        let signature = [self.key_id(), self.key.sign(body.as_bytes()).as_ref().to_vec()].concat();
        let mut text = format!("c2sp.org/tlog-proof@v1\nindex {index}\n");
        for hash in path(index, &leaves) {
            writeln!(text, "{}", STANDARD.encode(hash)).expect("a string takes it");
        }
        write!(text, "\n{body}\n— log.example/one {}\n", STANDARD.encode(signature))
            .expect("a string takes it");
        text
    }
}

/// Runs the cases through `verifyInclusion` and returns one word each.
fn verdicts(cases: &[(String, String, String)]) -> Option<Vec<String>> {
    let cases: Vec<_> =
        cases.iter().map(|(entry, proof, key)| serde_json::json!([entry, proof, key])).collect();
    let program = format!(
        "import {{ verifyInclusion, spanUrl }} from '{}';\n\
         for (const [entry, proof, verifierKey] of {}) {{\n\
           let word;\n\
           try {{\n\
             const steps = [];\n\
             const got = await verifyInclusion(new TextEncoder().encode(entry), proof, {{ verifierKey }}, (s) => steps.push(s));\n\
             word = `held=${{got.held}} signed=${{got.signed}}`;\n\
             if (steps.length < 2) word = 'silent';\n\
           }} catch (trouble) {{ word = trouble.message; }}\n\
           console.log(word);\n\
         }}\n\
         console.log(spanUrl('https://c.example/events?q=a&after=9&from=x', 2e6, 1e6));\n",
        script_url(),
        serde_json::Value::from(cases),
    );
    let output =
        Command::new("node").args(["--input-type=module", "-e", &program]).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

/// The script as a data address, so that it is read as a module wherever it lies.
fn script_url() -> String {
    format!(
        "data:text/javascript;base64,{}",
        STANDARD.encode(include_str!("../../../assets/app.js"))
    )
}

#[test]
fn the_browser_proves_inclusion_at_every_index_and_refuses_forgeries() {
    let mut cases = Vec::new();
    let mut expected = Vec::new();
    for size in [1, 2, 3, 5, 8, 13] {
        let log = Log::new(size);
        for index in 0..size {
            cases.push((format!("entry {index}"), log.proof(index), log.verifier_key()));
            expected.push("held=true signed=true".to_owned());
        }
    }
    let log = Log::new(13);
    let (proof, key) = (log.proof(6), log.verifier_key());
    let short: String = {
        let mut lines: Vec<&str> = proof.lines().collect();
        lines.remove(2);
        lines.join("\n") + "\n"
    };
    let forgeries = [
        ("entry 7", proof.clone(), "held=false signed=true"),
        ("entry 6", proof.replace("index 6\n", "index 5\n"), "held=false signed=true"),
        ("entry 6", proof.replace("index 6\n", "index 13\n"), "The index lies outside the tree."),
        ("entry 6", proof.replace("\n13\n", "\n14\n"), "held=true signed=false"),
        ("entry 6", proof.replace("\n13\n", "\n99\n"), "The proof is too short."),
        ("entry 6", short, "The proof is too short."),
        ("entry 6", proof.replace("@v1", "@v9"), "This is not a tlog-proof, version 1."),
        (
            "entry 6",
            proof.replace("— log.example/one", "— log.example/two"),
            "held=true signed=false",
        ),
        ("entry 6", proof.replace("\n\n", "\n"), "The proof has no checkpoint."),
    ];
    for (entry, proof, word) in forgeries {
        cases.push((entry.to_owned(), proof, key.clone()));
        expected.push(word.to_owned());
    }
    expected.push(
        "https://c.example/events?q=a&from=1970-01-01T00%3A00%3A01.000Z&to=1970-01-01T00%3A00%3A02.000Z".to_owned(),
    );
    match verdicts(&cases) {
        Some(got) => assert_eq!(got, expected),
        None => eprintln!("SKIPPED: node is not installed, the script's proofs were not run"),
    }
}

/// Writes the pages to the folder named by `GALLERY`, with the assets beside them, to look at in a
/// browser.
#[test]
fn gallery_can_be_written_to_a_folder() {
    let Some(folder) = std::env::var_os("GALLERY").map(std::path::PathBuf::from) else { return };
    std::fs::create_dir_all(folder.join("assets")).expect("a folder");
    for name in crate::ui::assets::names() {
        let bytes = crate::ui::assets::lookup(&name).expect("listed").bytes;
        std::fs::write(folder.join("assets").join(name.as_ref()), bytes).expect("written");
    }
    for (name, page) in ["light", "dark", "login"].iter().zip(super::pages()) {
        let page = page.replace("\"/assets/", "\"assets/");
        std::fs::write(folder.join(format!("{name}.html")), page).expect("written");
    }
}
