//! An archive in a bucket: what is put there comes back, and what the store says is told.
//!
//! The ignored test wants a real store at `CHANCERY_S3_ENDPOINT`, with the bucket `chancery-test`
//! or the right to make it by a PUT without credentials, such as moto:
//! `pip install 'moto[s3,server]' && moto_server -p 5599`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chancery_deliver::{S3, S3Settings};
use chancery_engine::Secret;
use chancery_engine::archive::Archive;
use chancery_engine::net::Network;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

fn settings(endpoint: String) -> S3Settings {
    S3Settings {
        endpoint,
        bucket: "chancery-test".to_owned(),
        region: "us-east-1".to_owned(),
        prefix: "log/one".to_owned(),
        path_style: true,
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: Secret::new("s3cr3t-that-nobody-sees".to_owned()),
    }
}

fn loopback() -> Network {
    Network::new(vec!["127.0.0.0/8".parse().unwrap()])
}

/// A store that gives one answer after the other, the last one for ever; answers what it was asked.
async fn store(answers: Vec<String>) -> (String, Arc<std::sync::Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (heads, count) = (asked.clone(), Arc::new(AtomicUsize::new(0)));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).await.is_ok() {
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap();
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned)
            });
            let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
            stream.read_exact(&mut body).await.unwrap();
            heads.lock().unwrap().push(head);
            let place = count.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
            stream.write_all(answers[place].as_bytes()).await.unwrap();
        }
    });
    (endpoint, asked)
}

fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn requests_are_signed_and_the_secret_is_in_none() {
    let (endpoint, asked) = store(vec![answer("200 OK", "")]).await;
    let archive = S3::new(loopback(), &settings(endpoint)).unwrap();
    archive.put("tile/entries/x001/067".to_owned(), b"bytes".to_vec()).await.unwrap();
    let asked = asked.lock().unwrap().clone();
    assert!(asked[0].starts_with("PUT /chancery-test/log/one/tile/entries/x001/067?"), "{asked:?}");
    for part in
        ["X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Credential=AKIDEXAMPLE", "X-Amz-Signature="]
    {
        assert!(asked[0].contains(part), "{part}: {asked:?}");
    }
    assert!(!asked[0].contains("s3cr3t"));
    assert!(!archive.place().contains("AKID") && archive.place().ends_with("/log/one/"));
}

#[tokio::test]
async fn a_store_that_stumbles_is_asked_again_and_one_that_refuses_is_not() {
    let busy = answer("503 Slow Down", "<Error><Code>SlowDown</Code></Error>");
    let (endpoint, asked) = store(vec![busy, answer("200 OK", "there")]).await;
    let archive = S3::new(loopback(), &settings(endpoint)).unwrap();
    let got = archive.get("tile/0/000".to_owned()).await.unwrap();
    assert_eq!(got.as_deref(), Some(&b"there"[..]));
    assert_eq!(asked.lock().unwrap().len(), 2);

    let refusal = answer("403 Forbidden", "<Error><Code>SignatureDoesNotMatch</Code></Error>");
    let (endpoint, asked) = store(vec![refusal]).await;
    let archive = S3::new(loopback(), &settings(endpoint)).unwrap();
    let error = archive.put("tile/0/000".to_owned(), vec![1]).await.unwrap_err();
    assert!(error.to_string().contains("SignatureDoesNotMatch"), "{error}");
    assert_eq!(asked.lock().unwrap().len(), 1);

    let missing = answer("404 Not Found", "<Error><Code>NoSuchKey</Code></Error>");
    let (endpoint, _) = store(vec![missing]).await;
    let archive = S3::new(loopback(), &settings(endpoint)).unwrap();
    assert_eq!(archive.get("tile/0/000".to_owned()).await.unwrap(), None);
    let nowhere = answer("404 Not Found", "<Error><Code>NoSuchBucket</Code></Error>");
    let (endpoint, _) = store(vec![nowhere]).await;
    let archive = S3::new(loopback(), &settings(endpoint)).unwrap();
    archive.get("tile/0/000".to_owned()).await.unwrap_err();
    let away = answer("301 Moved", "");
    let (endpoint, asked) = store(vec![away]).await;
    let archive = S3::new(loopback(), &settings(endpoint)).unwrap();
    archive.put("tile/0/000".to_owned(), vec![1]).await.unwrap_err();
    assert_eq!(asked.lock().unwrap().len(), 1, "a redirect is not followed");
}

#[tokio::test]
async fn an_address_that_may_not_be_reached_is_refused() {
    let (endpoint, asked) = store(vec![answer("200 OK", "")]).await;
    let archive = S3::new(Network::default(), &settings(endpoint)).unwrap();
    let error = archive.put("tile/0/000".to_owned(), vec![1]).await.unwrap_err();
    assert!(error.to_string().contains("network.allowed_addresses"), "{error}");
    assert!(asked.lock().unwrap().is_empty());
    for (endpoint, bucket, prefix) in [
        ("ftp://example.org", "chancery-test", ""),
        ("https://ada:pw@example.org", "chancery-test", ""),
        ("https://example.org", "No Bucket", ""),
        ("https://example.org", "chancery-test", "a/../b"),
    ] {
        let wrong = S3Settings {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            ..settings(endpoint.to_owned())
        };
        assert!(S3::new(loopback(), &wrong).is_err(), "{endpoint} {bucket} {prefix}");
    }
}

#[tokio::test]
#[ignore = "needs an S3-compatible store at CHANCERY_S3_ENDPOINT"]
async fn what_a_real_store_keeps_comes_back() {
    let endpoint = std::env::var("CHANCERY_S3_ENDPOINT").unwrap();
    let bucket = S3Settings { prefix: String::new(), ..settings(endpoint.clone()) };
    // Makes the bucket where the store lets anybody: the path of an empty key is the bucket.
    let address = endpoint.trim_start_matches("http://").to_owned();
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "PUT /chancery-test HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let _ = stream.read_to_end(&mut Vec::new()).await;
    for archive in
        [S3::new(loopback(), &bucket).unwrap(), S3::new(loopback(), &settings(endpoint)).unwrap()]
    {
        let big = vec![7; 3 << 20];
        for (path, bytes) in [
            ("tile/0/000", vec![1, 2, 3]),
            ("tile/entries/x001/234", big),
            ("tile/1/000", Vec::new()),
        ] {
            assert_eq!(archive.get(format!("{path}-not")).await.unwrap(), None);
            archive.put(path.to_owned(), bytes.clone()).await.unwrap();
            assert_eq!(archive.get(path.to_owned()).await.unwrap(), Some(bytes));
        }
        archive.put("tile/0/000".to_owned(), vec![4]).await.unwrap();
        assert_eq!(archive.get("tile/0/000".to_owned()).await.unwrap(), Some(vec![4]));
    }
}
