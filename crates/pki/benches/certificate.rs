//! How many certificates a second are read and judged on one core: `cargo bench -p chancery-pki`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use chancery_pki::{Certificate, container, signature, validation};

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
    rate("validate against all roots", all.len(), || {
        for certificate in &all {
            black_box(validation::validate(
                certificate,
                &all,
                &|_| true,
                certificate.not_before,
                1,
            ));
        }
    });
}
