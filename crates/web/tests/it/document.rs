//! The OpenAPI description: golden, complete, and in step with the routes.

use std::collections::BTreeSet;
use std::path::Path;

use axum::http::Method;
use chancery_testkit::TestServer;
use chancery_web::edge::Access;
use serde_json::Value;

#[tokio::test]
async fn the_description_is_the_golden_one() {
    let server = TestServer::start().await;
    let answer = server.call(Method::GET, "/api/v1/openapi.json").send().await.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/openapi.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &answer.bytes).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == answer.text(), "UPDATE=1 writes {}", path.display());
    server.finish().await;
}

#[tokio::test]
async fn every_operation_is_described_with_its_permission() {
    let server = TestServer::start().await;
    let document = server.call(Method::GET, "/api/v1/openapi.json").send().await.expect(200).json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut described = 0;
    let mut ids = BTreeSet::new();
    for route in server.routes() {
        // Not operations of the API: the description itself, figures, paths OpenAPI cannot say.
        let elsewhere = ["/api/v1/openapi.json", "/metrics", "/api/v1/logs", "/api/v1/logs/"];
        let elsewhere = elsewhere.contains(&route.path.as_str());
        if elsewhere || route.path.contains("{*") || matches!(route.access, Access::Session(_)) {
            continue;
        }
        let is_page = !["/api/", "/log/", "/health/"].iter().any(|at| route.path.starts_with(at));
        if is_page {
            continue;
        }
        let method = route.method.as_str().to_lowercase();
        let operation = &document["paths"][&route.path][&method];
        assert!(operation.is_object(), "{route:?}");
        let permission = route.access.permission().map(|permission| permission.as_str());
        assert_eq!(operation["x-permission"].as_str(), permission, "{route:?}");
        let summary = operation["summary"].as_str().unwrap_or_default();
        assert!(!summary.is_empty() && !summary.ends_with('.'), "{route:?}: {summary:?}");
        let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
        assert!(ids.insert(id.clone()), "{id} is there twice");
        if permission.is_some() {
            assert!(operation["responses"]["401"].is_object(), "{route:?}");
            assert!(operation["responses"]["403"].is_object(), "{route:?}");
        }
        described += 1;
    }
    let total: usize = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .map(|item| item.as_object().unwrap().len())
        .sum();
    assert_eq!(described, total);
    server.finish().await;
}

#[tokio::test]
async fn what_was_made_can_be_read() {
    let server = TestServer::start().await;
    let document = server.call(Method::GET, "/api/v1/openapi.json").send().await.expect(200).json();
    let paths = document["paths"].as_object().unwrap();
    let made: Vec<&String> = paths
        .iter()
        .filter(|(_, item)| item["post"]["responses"]["201"].is_object())
        .map(|(path, _)| path)
        .collect();
    assert!(made.len() > 8, "{made:?}");
    for path in made {
        let one = paths.keys().find(|other| {
            let rest = other.strip_prefix(path.as_str()).unwrap_or_default();
            rest.starts_with("/{") && rest.ends_with('}') && rest.matches('/').count() == 1
        });
        let one = one.unwrap_or_else(|| panic!("{path} makes what has no address"));
        assert!(paths[one]["get"].is_object(), "{one}");
    }
    server.finish().await;
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    found.insert(reference);
                }
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let server = TestServer::start().await;
    let document = server.call(Method::GET, "/api/v1/openapi.json").send().await.expect(200).json();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap_or(reference);
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    server.finish().await;
}
