//! Every container, good and bad.

use chancery_pki::certificate::Certificate;
use chancery_pki::container::{self, Broken, ContainerError, Found, KeyPlace, Kind};
use chancery_pki::signature::{self, Strength};

use crate::openssl::Folder;

fn names(found: &[Found]) -> Vec<String> {
    found
        .iter()
        .map(|f| f.result.as_ref().map_or("broken".to_owned(), |c| c.title().to_owned()))
        .collect()
}

fn read(bytes: &[u8]) -> Result<Vec<String>, ContainerError> {
    container::read(bytes, None).map(|found| names(&found))
}

fn refused(bytes: &[u8]) -> ContainerError {
    container::read(bytes, None).unwrap_err()
}

#[test]
fn pem_in_every_dress() {
    let folder = Folder::new();
    let (one, two, ca) = (folder.text("one.pem"), folder.text("two.pem"), folder.text("ca.pem"));
    assert_eq!(read(one.as_bytes()).unwrap(), ["one.test"]);
    let dressed = format!("# a comment\r\nsubject: x\r\n{one}\ngarbage\n\n{two}{ca}trailing");
    assert_eq!(
        read(dressed.replace('\n', "\r\n").as_bytes()).unwrap(),
        ["one.test", "two.test", "CA"]
    );
    let indented: String = one.lines().map(|line| format!("    {line}\n")).collect();
    assert_eq!(read(indented.as_bytes()).unwrap(), ["one.test"]);
    assert_eq!(read(one.trim_end().replace('\n', "").as_bytes()).unwrap(), ["one.test"]);
    assert_eq!(read(one.trim_end().replace('\n', "\\n").as_bytes()).unwrap(), ["one.test"]);
    assert_eq!(
        read(one.replace("CERTIFICATE", "X509 CERTIFICATE").as_bytes()).unwrap(),
        ["one.test"]
    );
    assert_eq!(read(format!("\u{feff}{one}").as_bytes()).unwrap(), ["one.test"]);
    let wide: Vec<u8> =
        [0xfeff].into_iter().chain(one.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    assert_eq!(read(&wide).unwrap(), ["one.test"]);
    let bare: String = one.lines().filter(|line| !line.starts_with('-')).collect();
    assert_eq!(read(bare.as_bytes()).unwrap(), ["one.test"]);
    folder.run("x509 -in one.pem -trustout -addtrust serverAuth -out trusted.pem");
    let trusted = container::read(&folder.bytes("trusted.pem"), None).unwrap();
    let plain = container::read(one.as_bytes(), None).unwrap();
    assert_eq!(trusted[0].der, plain[0].der, "the trust settings are no part of the certificate");
    let certificate = plain[0].result.as_ref().unwrap();
    assert_eq!(certificate.to_pem(), one);
}

#[test]
fn one_broken_certificate_does_not_lose_the_others() {
    let folder = Folder::new();
    let (one, two) = (folder.text("one.pem"), folder.text("two.pem"));
    let mut lines: Vec<&str> = one.lines().collect();
    lines[3] = "this is ! not base64";
    let broken = lines.join("\n");
    let found = container::read(format!("{two}{broken}\n{two}").as_bytes(), None).unwrap();
    assert_eq!(names(&found), ["two.test", "broken", "two.test"]);
    let line = two.lines().count() + 4;
    assert_eq!(found[1].result, Err(Broken::Base64 { line }));
    let alone = refused(broken.as_bytes());
    assert_eq!(alone, ContainerError::Broken { index: 0, reason: Broken::Base64 { line: 4 } });
    let cut = one.split("-----END").next().unwrap();
    let found = container::read(format!("{cut}{two}").as_bytes(), None).unwrap();
    assert_eq!(found[0].result, Err(Broken::NoEnd { line: 1 }));
    let with_request = format!("{}{two}", folder.text("one.csr"));
    let found = container::read(with_request.as_bytes(), None).unwrap();
    assert_eq!(found[0].result, Err(Broken::NotACertificate(Kind::Request)));
    assert!(found[1].result.is_ok());
}

#[test]
fn der_alone_and_in_a_row() {
    let folder = Folder::new();
    folder.run("x509 -in one.pem -outform DER -out one.der");
    folder.run("x509 -in two.pem -outform DER -out two.der");
    let (one, two) = (folder.bytes("one.der"), folder.bytes("two.der"));
    assert_eq!(read(&one).unwrap(), ["one.test"]);
    assert_eq!(read(&[one.clone(), two].concat()).unwrap(), ["one.test", "two.test"]);
    match refused(&one[..one.len() - 1]) {
        ContainerError::Broken { index: 0, reason: Broken::Parse(error) } => {
            assert_eq!(error.offset, 0)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn pkcs7_in_both_forms() {
    let folder = Folder::new();
    folder
        .run("crl2pkcs7 -nocrl -certfile one.pem -certfile two.pem -certfile ca.pem -out all.p7b");
    folder.run("crl2pkcs7 -nocrl -certfile one.pem -certfile ca.pem -outform DER -out all.p7c");
    assert_eq!(read(&folder.bytes("all.p7b")).unwrap(), ["one.test", "two.test", "CA"]);
    assert_eq!(read(&folder.bytes("all.p7c")).unwrap(), ["one.test", "CA"]);
    // Streamed CMS has indefinite lengths.
    std::fs::write(folder.path("text"), "hello").unwrap();
    folder.run(
        "cms -sign -in text -signer one.pem -inkey one.key -certfile ca.pem -nodetach -stream -binary \
         -outform DER -out streamed.p7m",
    );
    let streamed = folder.bytes("streamed.p7m");
    assert_eq!(streamed[1], 0x80, "this file should have an indefinite length");
    let found = container::read(&streamed, None).unwrap();
    let mut titles = names(&found);
    titles.sort();
    assert_eq!(titles, ["CA", "one.test"]);
    let original = container::read(&folder.bytes("one.pem"), None).unwrap();
    assert!(found.iter().any(|f| f.der == original[0].der), "the bytes stay as they were");
    assert!(matches!(refused(&folder.bytes("all.p7c")[..200]), ContainerError::Structure { .. }));
}

#[test]
fn pkcs12_with_and_without_a_key() {
    let folder = Folder::new();
    for (name, options) in [("modern", ""), ("legacy", "-legacy")] {
        folder.run(&format!(
            "pkcs12 -export {options} -nokeys -in one.pem -certfile ca.pem -passout pass:secret -out {name}.p12"
        ));
        folder.run(&format!(
            "pkcs12 -export {options} -inkey one.key -in one.pem -passout pass:secret -out {name}-key.p12"
        ));
        let bytes = folder.bytes(&format!("{name}.p12"));
        let mut titles = names(&container::read(&bytes, Some("secret")).unwrap());
        titles.sort();
        assert_eq!(titles, ["CA", "one.test"], "{name}");
        assert_eq!(container::read(&bytes, Some("wrong")), Err(ContainerError::PasswordWrong));
        assert_eq!(container::read(&bytes, None), Err(ContainerError::PasswordMissing));
        let with_key = folder.bytes(&format!("{name}-key.p12"));
        for password in [Some("secret"), Some("wrong"), None] {
            let error = container::read(&with_key, password).unwrap_err();
            assert_eq!(error, ContainerError::PrivateKey { place: KeyPlace::Pkcs12, line: None });
            assert!(error.to_string().contains("without its key"));
        }
    }
}

#[test]
fn pkcs12_in_older_and_odder_forms() {
    let folder = Folder::new();
    for options in [
        "-legacy -certpbe PBE-SHA1-3DES",
        "-legacy -certpbe PBE-SHA1-2DES",
        "-legacy -certpbe PBE-SHA1-RC2-128",
        "-certpbe AES-128-CBC -macalg sha1",
        "-certpbe AES-192-CBC -macalg sha512",
        "-certpbe DES-EDE3-CBC",
        "-certpbe NONE",
        "-nomac",
    ] {
        for password in ["pässwörd", ""] {
            folder.run(&format!(
                "pkcs12 -export {options} -nokeys -in one.pem -passout pass:{password} -out odd.p12"
            ));
            let found = container::read(&folder.bytes("odd.p12"), Some(password)).unwrap();
            assert_eq!(names(&found), ["one.test"], "{options} {password:?}");
        }
    }
    // A file may not buy work without end: 70,000 iterations become 8,388,607.
    folder
        .run("pkcs12 -export -nokeys -nomac -iter 70000 -in one.pem -passout pass:x -out slow.p12");
    let mut bytes = folder.bytes("slow.p12");
    let count = bytes.windows(5).position(|w| w == [2, 3, 0x01, 0x11, 0x70]).unwrap();
    bytes[count + 2..count + 5].copy_from_slice(&[0x7f, 0xff, 0xff]);
    let error = container::read(&bytes, Some("x")).unwrap_err();
    assert!(error.to_string().contains("too many iterations"), "{error}");
}

#[test]
fn many_pkcs12_files_in_one_text_pay_from_one_budget() {
    use base64::Engine as _;
    let folder = Folder::new();
    let block = |der: &[u8]| {
        let body = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN PKCS12-----\n{body}\n-----END PKCS12-----\n")
    };
    // Integrity alone: 300,000 iterations under the empty password, in its two forms.
    folder.run(
        "pkcs12 -export -nokeys -certpbe NONE -macalg sha1 -iter 300000 -in one.pem -passout pass: \
         -out slow.p12",
    );
    let slow = block(&folder.bytes("slow.p12"));
    assert_eq!(read(slow.as_bytes()).unwrap(), ["one.test"]);
    let error = refused(slow.repeat(4).as_bytes());
    assert!(error.to_string().contains("too many iterations"), "{error}");
    // What derives no key costs nothing, but there is an end of that as well.
    folder.run(
        "pkcs12 -export -nokeys -certpbe NONE -nomac -in one.pem -passout pass: -out plain.p12",
    );
    let plain = block(&folder.bytes("plain.p12"));
    assert_eq!(read(plain.repeat(64).as_bytes()).unwrap().len(), 64);
    let error = refused(plain.repeat(65).as_bytes());
    assert!(error.to_string().contains("at most 64"), "{error}");
    // What is read at once derives no key.
    assert!(container::read_at_once(slow.as_bytes()).is_none());
    assert_eq!(container::read_at_once(plain.as_bytes()).unwrap().unwrap().len(), 1);
    assert_eq!(container::read_at_once(b"").unwrap(), Err(ContainerError::Empty));
}

#[test]
fn private_keys_are_refused_in_every_form() {
    let folder = Folder::new();
    folder.run("pkey -in ca.key -traditional -out rsa.key");
    folder.run("pkey -in one.key -traditional -out ec.key");
    folder.run("pkcs8 -topk8 -in one.key -passout pass:x -out encrypted.key");
    for form in ["ca.key", "one.key", "rsa.key", "ec.key", "encrypted.key"] {
        let bundle = format!("{}{}", folder.text("one.pem"), folder.text(form));
        let line = Some(folder.text("one.pem").lines().count() + 1);
        let expected = ContainerError::PrivateKey { place: KeyPlace::Pem, line };
        assert_eq!(refused(bundle.as_bytes()), expected, "{form}");
    }
    folder.run("pkcs8 -topk8 -in one.key -nocrypt -outform DER -out pkcs8.der");
    folder.run("pkcs8 -topk8 -in one.key -passout pass:x -outform DER -out encrypted.der");
    folder.run("rsa -in ca.key -outform DER -traditional -out rsa.der");
    folder.run("ec -in one.key -outform DER -out ec.der");
    for form in ["pkcs8.der", "encrypted.der", "rsa.der", "ec.der"] {
        let expected = ContainerError::PrivateKey { place: KeyPlace::Der, line: None };
        assert_eq!(refused(&folder.bytes(form)), expected, "{form}");
    }
}

#[test]
fn other_things_are_named() {
    let folder = Folder::new();
    folder.run("req -in one.csr -outform DER -out csr.der");
    folder.run("pkey -in one.key -pubout -outform DER -out public.der");
    folder.run("pkey -in one.key -pubout -out public.pem");
    std::fs::write(folder.path("index.txt"), "").unwrap();
    std::fs::write(
        folder.path("ca.cnf"),
        "[ca]\ndefault_ca=x\n[x]\ndatabase=index.txt\ndefault_md=sha256\ndefault_crl_days=9\n",
    )
    .unwrap();
    folder.run("ca -config ca.cnf -gencrl -keyfile ca.key -cert ca.pem -out crl.pem");
    folder.run("crl -in crl.pem -outform DER -out crl.der");
    let cases: [(Vec<u8>, Kind); 14] = [
        (folder.bytes("csr.der"), Kind::Request),
        (folder.bytes("one.csr"), Kind::Request),
        (folder.bytes("public.der"), Kind::PublicKey),
        (folder.bytes("public.pem"), Kind::PublicKey),
        (folder.bytes("crl.pem"), Kind::Crl),
        (folder.bytes("crl.der"), Kind::Crl),
        (b"<!DOCTYPE html><html>".to_vec(), Kind::Html),
        (b"\n{\"a\":1}".to_vec(), Kind::Json),
        (b"<?xml?>".to_vec(), Kind::Xml),
        (b"PK\x03\x04rest".to_vec(), Kind::Zip),
        (b"\xfe\xed\xfe\xed\0\0".to_vec(), Kind::JavaKeyStore),
        (b"ssh-ed25519 AAAA me".to_vec(), Kind::Ssh),
        (b"Hello".to_vec(), Kind::Text),
        (b"\x1f\x8b\x08".to_vec(), Kind::Gzip),
    ];
    for (bytes, kind) in cases {
        assert_eq!(refused(&bytes), ContainerError::NotACertificate { kind });
    }
    let unknown = refused(b"\x01\x02\x03\xff");
    assert_eq!(unknown, ContainerError::UnknownFormat { first: 1 });
    assert!(unknown.to_string().contains("at byte 0") && unknown.to_string().contains("0x01"));
    assert_eq!(refused(&[0; 5_000]), ContainerError::UnknownFormat { first: 0 });
    assert_eq!(refused(b""), ContainerError::Empty);
    assert_eq!(refused(b" \r\n\t"), ContainerError::Empty);
    let big = vec![b'A'; container::INPUT_BYTES_MAX + 1];
    assert_eq!(refused(&big), ContainerError::TooLarge { bytes: big.len() });
    let many = folder.text("one.pem").repeat(container::CERTIFICATES_MAX + 1);
    assert_eq!(refused(many.as_bytes()), ContainerError::TooMany);
}

#[test]
fn signatures_of_every_algorithm_openssl_makes_verify() {
    let folder = Folder::new();
    let cases = [
        ("rsa:2048 -sha256", "RSA-SHA256", Strength::Good),
        ("rsa:2048 -sha384", "RSA-SHA384", Strength::Good),
        ("rsa:2048 -sha512", "RSA-SHA512", Strength::Good),
        ("rsa:2048 -sha1", "RSA-SHA1", Strength::Weak),
        ("rsa:1024 -sha256", "RSA-SHA256", Strength::Weak),
        (
            "rsa:2048 -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32",
            "RSA-PSS-SHA256",
            Strength::Good,
        ),
        (
            "rsa:2048 -sha512 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:64",
            "RSA-PSS-SHA512",
            Strength::Good,
        ),
        (
            "rsa-pss -pkeyopt rsa_keygen_bits:2048 -sha256 -sigopt rsa_pss_saltlen:32",
            "RSA-PSS-SHA256",
            Strength::Good,
        ),
        ("ec -pkeyopt ec_paramgen_curve:P-256 -sha256", "ECDSA-SHA256", Strength::Good),
        ("ec -pkeyopt ec_paramgen_curve:P-256 -sha512", "ECDSA-SHA512", Strength::Good),
        ("ec -pkeyopt ec_paramgen_curve:P-384 -sha384", "ECDSA-SHA384", Strength::Good),
        ("ec -pkeyopt ec_paramgen_curve:P-521 -sha512", "ECDSA-SHA512", Strength::Good),
        ("ec -pkeyopt ec_paramgen_curve:P-256 -sha1", "ECDSA-SHA1", Strength::Weak),
        ("ed25519", "Ed25519", Strength::Good),
    ];
    for (options, name, strength) in cases {
        folder.run(&format!(
            "req -x509 -newkey {options} -nodes -keyout k.pem -out c.pem -days 9 -subj /CN=x \
             -set_serial 0x0102030405060708090a0b0c0d0e0f1011121314"
        ));
        let found = container::read(&folder.bytes("c.pem"), None).unwrap();
        let certificate = found[0].result.as_ref().unwrap();
        assert_eq!(certificate.signature_algorithm, name, "{options}");
        assert_eq!(signature::verify(certificate, certificate), Ok(strength), "{options}");
        // A changed byte inside the serial number makes the signature wrong.
        let mut changed = certificate.der().to_vec();
        let serial = certificate.der().windows(2).position(|pair| pair == [2, 20]).unwrap();
        changed[serial + 10] ^= 1;
        let changed = Certificate::parse(&changed).unwrap();
        assert_eq!(
            signature::verify(&changed, certificate),
            Err(signature::SignatureError::Bad),
            "{options}"
        );
    }
    for options in ["ed448", "ec -pkeyopt ec_paramgen_curve:brainpoolP256r1", "rsa:2048 -md5"] {
        folder.run(&format!(
            "req -x509 -newkey {options} -nodes -keyout k.pem -out c.pem -days 9 -subj /CN=x \
             -set_serial 0x0102030405060708090a0b0c0d0e0f1011121314"
        ));
        let found = container::read(&folder.bytes("c.pem"), None).unwrap();
        let certificate = found[0].result.as_ref().unwrap();
        let result = signature::verify(certificate, certificate);
        assert!(
            matches!(result, Err(signature::SignatureError::Unsupported(_))),
            "{options} {result:?}"
        );
    }
}

#[test]
fn openssl_accepts_the_chains_made_here() {
    use chancery_pki::make::{self, Issuer, Key, Template};
    use chancery_pki::time::DAY;
    let folder = Folder::new();
    let write = |name: &str, der: &[u8]| {
        let certificate = Certificate::parse(der).unwrap();
        std::fs::write(folder.path(name), certificate.to_pem()).unwrap();
        certificate
    };
    let keys: Vec<Key> = (0u8..3).map(|seed| Key::from_seed(&[seed]).unwrap()).collect();
    let (start, end) = (20_000 * DAY, 40_000 * DAY);
    let root = make::certificate(&Template::ca("Root", start, end), &keys[0], None).unwrap();
    let root = write("root.pem", &root);
    let signer = Issuer { certificate: &root, key: &keys[0] };
    let mut template = Template::ca("Issuing", start, end);
    template.path_len = Some(0);
    template.permitted_dns = vec!["test".to_owned()];
    let issuing = make::certificate(&template, &keys[1], Some(&signer)).unwrap();
    let issuing = write("issuing.pem", &issuing);
    let signer = Issuer { certificate: &issuing, key: &keys[1] };
    let leaf = Template::leaf(&["www.test", "*.b.test"], start, end);
    write("leaf.pem", &make::certificate(&leaf, &keys[2], Some(&signer)).unwrap());
    folder.run("verify -x509_strict -purpose sslserver -attime 2000000000 -CAfile root.pem -untrusted issuing.pem leaf.pem");
}
