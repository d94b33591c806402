//! How many certificates a second are read and judged on one core: `cargo bench -p chancery-pki`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use chancery_pki::make::{self, Issuer, Key, Template};
use chancery_pki::{Certificate, container, signature, time, validation};

fn rate(name: &str, per_round: usize, mut round: impl FnMut()) {
    round();
    let start = Instant::now();
    let mut done = 0;
    while start.elapsed().as_millis() < 1_500 {
        round();
        done += per_round;
    }
    println!("{name}: {:.0} a second", done as f64 / start.elapsed().as_secs_f64());
}

fn main() {
    let path = "/etc/ssl/certs/ca-certificates.crt";
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return eprintln!("{path}: {error}"),
    };
    let found = match container::read(&bytes, None) {
        Ok(found) => found,
        Err(error) => return eprintln!("{path}: {error}"),
    };
    let all: Vec<Arc<Certificate>> =
        found.into_iter().filter_map(|found| found.result.ok()).map(Arc::new).collect();
    let size =
        all.iter().map(|certificate| certificate.der().len()).sum::<usize>() / all.len().max(1);
    println!("{} certificates, {size} bytes on average", all.len());
    rate("parse with all fields", all.len(), || {
        for certificate in &all {
            black_box(Certificate::parse(certificate.der()).is_ok());
        }
    });
    rate("read the PEM bundle", all.len(), || {
        black_box(container::read(&bytes, None).is_ok());
    });
    rate("verify a self-signature", all.len(), || {
        for certificate in &all {
            black_box(signature::verify(certificate, certificate).is_ok());
        }
    });
    if let Err(error) = chain() {
        eprintln!("{error}");
    }
}

/// A leaf below two CAs among a hundred other CAs; both signatures are verified each time.
fn chain() -> Result<(), Box<dyn std::error::Error>> {
    let keys: Vec<Key> = (0u8..3).map(|seed| Key::from_seed(&[seed])).collect::<Result<_, _>>()?;
    let made = |template: &Template, key, issuer: Option<&Issuer<'_>>| {
        let der = make::certificate(template, key, issuer)?;
        Ok::<_, Box<dyn std::error::Error>>(Arc::new(Certificate::parse(&der)?))
    };
    let end = 4_000 * time::DAY;
    let root = made(&Template::ca("Root", 0, end), &keys[0], None)?;
    let from_root = Issuer { certificate: &root, key: &keys[0] };
    let issuing = made(&Template::ca("Issuing", 0, end), &keys[1], Some(&from_root))?;
    let from_issuing = Issuer { certificate: &issuing, key: &keys[1] };
    let leaf = made(&Template::leaf(&["a.test"], 0, end), &keys[2], Some(&from_issuing))?;
    let mut pool = vec![issuing.clone(), root.clone()];
    for number in 0..100 {
        pool.push(made(&Template::ca(&format!("Other {number}"), 0, end), &keys[0], None)?);
    }
    let pool: validation::IssuerIndex = pool.into_iter().collect();
    let anchor = root.fingerprint_sha256;
    rate("validate a chain of three", 1, || {
        black_box(validation::validate(&leaf, &pool, &|f| *f == anchor, time::DAY, time::DAY));
    });
    Ok(())
}
