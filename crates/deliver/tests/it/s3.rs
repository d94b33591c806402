//! An archive in a bucket: what is put there comes back, and what the store says is told. Of a real
//! store, and of one that answers as a test wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chancery_deliver::{S3, S3Settings};
use chancery_engine::Secret;
use chancery_engine::archive::Archive;
use chancery_engine::net::Network;
use chancery_testkit::Bucket;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

fn settings(endpoint: String) -> S3Settings {
    S3Settings {
        endpoint,
        bucket: Bucket::NAME.to_owned(),
        region: "us-east-1".to_owned(),
        prefix: "log/one".to_owned(),
        path_style: true,
        access_key_id: Bucket::KEY.to_owned(),
        secret_access_key: Secret::new(Bucket::SECRET.to_owned()),
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
async fn what_a_real_store_keeps_comes_back() {
    let bucket = Bucket::start().await;
    let top = S3Settings { prefix: String::new(), ..settings(bucket.endpoint()) };
    for settings in [top, settings(bucket.endpoint())] {
        let archive = S3::new(loopback(), &settings).unwrap();
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
    assert_eq!(bucket.read("log/one/tile/0/000").await, [4]);
}

#[tokio::test]
async fn a_real_store_lets_nobody_in_whose_signature_is_wrong() {
    let bucket = Bucket::start().await;
    let right = || settings(bucket.endpoint());
    let secret = Secret::new("another-secret".to_owned());
    for (wrong, told) in [
        (S3Settings { secret_access_key: secret, ..right() }, "SignatureDoesNotMatch"),
        (S3Settings { access_key_id: "AKIDOTHER".to_owned(), ..right() }, "InvalidAccessKeyId"),
        (S3Settings { bucket: "another-bucket".to_owned(), ..right() }, "NoSuchBucket"),
    ] {
        let archive = S3::new(loopback(), &wrong).unwrap();
        let put = archive.put("tile/0/000".to_owned(), vec![1]).await.unwrap_err();
        let got = archive.get("tile/0/000".to_owned()).await.unwrap_err();
        for error in [put.to_string(), got.to_string()] {
            assert!(error.contains(told), "{error}");
            assert!(!error.contains("secret") && !error.contains("s3cr3t"), "{error}");
        }
    }
    let archive = S3::new(loopback(), &right()).unwrap();
    drop(bucket);
    archive.get("tile/0/000".to_owned()).await.expect_err("the store is away");
}
