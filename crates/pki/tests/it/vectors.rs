//! A folder of foreign test vectors, named by `CHANCERY_VECTORS`: everything is read, nothing panics, and
//! the list of what was refused is printed for judgement.

use chancery_pki::container;

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
#[ignore = "needs a folder of vectors in CHANCERY_VECTORS"]
fn foreign_vectors() {
    let folder = std::env::var("CHANCERY_VECTORS").expect("CHANCERY_VECTORS");
    let mut files = Vec::new();
    walk(folder.as_ref(), &mut files);
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
    assert!(certificates > 0);
}
