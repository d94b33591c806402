//! Foreign test vectors, those of the Python package `cryptography-vectors` or of the folder that
//! `CHANCERY_VECTORS` names: everything is read, nothing panics, and the list of what was refused
//! is printed for judgement.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chancery_pki::{Certificate, container, time, validation};

/// The vectors; `None` where they are missing and nobody demands them.
fn vectors() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("CHANCERY_VECTORS") {
        return Some(folder.into());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = root.join("target/tools/vectors/cryptography_vectors");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "the test vectors are missing: run `cargo xtask tools`"
    );
    eprintln!("NOT CHECKED: the test vectors are missing; `cargo xtask tools` installs them");
    None
}

/// Folders of the package whose files certificates may come in; the others hold tables of numbers.
const WITH_CERTIFICATES: [&str; 4] = ["x509", "pkcs7", "pkcs12", "asymmetric"];

fn walk(folder: &std::path::Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.push(path);
        }
    }
}

#[test]
fn foreign_vectors() {
    let Some(folder) = vectors() else { return };
    let mut files = Vec::new();
    for part in WITH_CERTIFICATES {
        walk(&folder.join(part), &mut files);
    }
    files.sort();
    let (mut read, mut certificates, mut broken, mut warned) = (0, 0, 0, 0);
    for file in &files {
        let bytes = std::fs::read(file).unwrap();
        match ["cryptography", "password", ""]
            .into_iter()
            .map(|password| container::read(&bytes, Some(password)))
            .reduce(Result::or)
            .expect("three results")
        {
            Ok(found) => {
                read += 1;
                for item in found {
                    match item.result {
                        Ok(certificate) => {
                            certificates += 1;
                            assert!(!certificate.to_text().is_empty());
                            let _ = chancery_pki::signature::verify(&certificate, &certificate);
                            if !certificate.warnings.is_empty() {
                                warned += 1;
                                println!("odd {}: {:?}", file.display(), certificate.warnings);
                            }
                        }
                        Err(reason) => {
                            broken += 1;
                            println!("broken {} {}: {reason}", file.display(), item.index);
                        }
                    }
                }
            }
            Err(error) => println!("refused {}: {error}", file.display()),
        }
    }
    println!(
        "{} files, {read} read, {certificates} certificates ({warned} odd), {broken} broken",
        files.len()
    );
    assert!(certificates > 500, "{certificates}");
}

/// The NIST path validation suite (PKITS), as packed with those vectors: certificates whose names
/// begin with Valid and Invalid. What needs revocation lists or certificate policies is beyond this
/// crate and only counted.
#[test]
fn nist_path_validation_suite() {
    let Some(folder) = vectors() else { return };
    let mut files = Vec::new();
    walk(&folder.join("x509/PKITS_data/certs"), &mut files);
    files.sort();
    let pool: Vec<Arc<Certificate>> = files
        .iter()
        .map(|file| Arc::new(Certificate::parse(&std::fs::read(file).unwrap()).unwrap()))
        .collect();
    let anchor = pool.iter().find(|c| c.subject_cn.as_deref() == Some("Trust Anchor")).unwrap();
    let anchor = anchor.fingerprint_sha256;
    let at = time::from_parts(2011, 4, 14, 0, 0, 0).unwrap();
    let beyond = [
        "CRL",
        "Revoked",
        "olicy",
        "olicies",
        "Policy",
        "distributionPoint",
        "onlyContains",
        "onlySome",
        "cRLIssuer",
        "IDP",
        "SeparateCertificate",
        "cRLSign",
        "requireExplicit",
        "SerialNumberTest",
        "BasicSelfIssued",
    ];
    let (mut right, mut wrong, mut skipped) = (0, Vec::new(), 0);
    for (file, certificate) in files.iter().zip(&pool) {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let expected = if name.starts_with("Valid") {
            true
        } else if name.starts_with("Invalid") {
            false
        } else {
            continue;
        };
        if beyond.iter().any(|word| name.contains(word)) {
            skipped += 1;
            continue;
        }
        let verdict = validation::validate(certificate, &pool, &|f| *f == anchor, at, 0);
        if (verdict.status == validation::Status::Valid) == expected {
            right += 1;
        } else {
            wrong.push(format!("{name}: {} {}", verdict.status.as_str(), verdict.reason));
        }
    }
    println!("{right} right, {} wrong, {skipped} beyond\n{}", wrong.len(), wrong.join("\n"));
    // DSA is not supported.
    wrong.retain(|line| !line.contains("DSA"));
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(right > 60);
}
