//! What other programs read, kept word for word: whoever wrote a reader of it finds it unchanged.
//! `UPDATE=1` writes the files anew.

use std::path::Path;

use axum::http::Method;
use chancery_testkit::TestServer;
use futures::StreamExt as _;

fn check_kept(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, found).expect("writable");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, kept, "UPDATE=1 writes {}", path.display());
}

#[tokio::test]
async fn the_frame_of_an_event_in_a_stream_is_the_golden_one() {
    let (server, _clock) = TestServer::start_standing(5, |_, _| {}).await;
    server.settle().await;
    let path = "/api/v1/events/stream?from=0&filter=type:bootstrap.*";
    let mut stream = server.get(path).open().await.into_body().into_data_stream();
    let mut text = String::new();
    while !text.contains("\n\n") {
        let chunk = tokio::time::timeout(std::time::Duration::from_secs(60), stream.next()).await;
        let chunk = chunk.expect("in time").expect("no end").expect("no error");
        text.push_str(std::str::from_utf8(&chunk).expect("text"));
    }
    drop(stream);
    let frame = text.split_inclusive("\n\n").next().expect("a frame");
    check_kept("event.sse", frame);
    server.finish().await;
}

#[tokio::test]
async fn names_kinds_and_texts_of_the_figures_are_the_golden_ones() {
    let server = TestServer::start().await;
    server.settle().await;
    let text = server.get("/metrics").send().await.expect(200).text();
    let described = text.lines().filter(|line| line.starts_with('#'));
    check_kept("metrics.txt", &described.map(|line| format!("{line}\n")).collect::<String>());
    server.finish().await;
}

#[tokio::test]
async fn the_header_of_events_as_a_table_is_the_golden_one() {
    let server = TestServer::start().await;
    server.settle().await;
    let path = "/api/v1/events/export?format=csv&filter=type:bootstrap.*";
    let csv = server.get(path).send().await.expect(200).text();
    check_kept("events.csv", csv.split_inclusive('\n').next().expect("a header"));
    server.finish().await;
}

#[tokio::test]
async fn problem_documents_are_the_golden_ones() {
    let server = TestServer::start().await;
    let mut found = String::new();
    for (path, status) in [
        ("/api/v1/certificates/01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4", 404),
        ("/api/v1/events?filter=tpe:x", 400),
        ("/api/v1/events/export?format=xml", 422),
    ] {
        let answer = server.get(path).send().await.expect(status);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        found += &format!("GET {path}\n{}\n", answer.text());
    }
    let path = "/api/v1/events";
    let answer = server.call(Method::GET, path).send().await.expect(401);
    found += &format!("GET {path}\n{}\n", answer.text());
    check_kept("problems.txt", &found);
    server.finish().await;
}
