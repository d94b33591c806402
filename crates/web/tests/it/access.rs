//! Every route asks for what it declared: enumerated, not sampled.

use axum::http::Method;
use chancery_engine::{Permission, Role};
use chancery_testkit::TestServer;
use chancery_web::edge::Access;

/// A path with something in place of its parameters.
fn concrete(path: &str) -> String {
    let id = "01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4";
    path.split('/')
        .map(|part| match part {
            "{*rest}" => "000",
            part if part.starts_with('{') => id,
            part => part,
        })
        .collect::<Vec<_>>()
        .join("/")
}

#[tokio::test]
async fn nobody_gets_past_a_route_that_is_not_public() {
    let server = TestServer::start().await;
    let routes = server.routes().to_vec();
    assert!(routes.len() > 40, "{}", routes.len());
    for route in &routes {
        let answer = server.call(route.method.clone(), &concrete(&route.path)).send().await;
        let status = answer.status.as_u16();
        match route.access {
            // Sources have secrets of their own.
            Access::Public if route.path.starts_with("/intake/") => {
                assert_eq!(status, if route.method == Method::OPTIONS { 400 } else { 401 });
            }
            Access::Public => assert!(!matches!(status, 401 | 403), "{route:?} {status}"),
            Access::Any(_) => {
                assert_eq!(status, 401, "{route:?}");
                if route.path.trim_end_matches('/').ends_with("/api/v1/logs") {
                    assert_eq!(answer.json()["errorCode"], "E0000011");
                    continue;
                }
                assert_eq!(answer.reason(), "unauthenticated");
                assert!(answer.header("www-authenticate").starts_with("Bearer"));
            }
            Access::Session(_) => {
                assert_eq!(status, 303, "{route:?}");
                assert!(answer.header("location").starts_with("/login"), "{route:?}");
            }
        }
    }
    server.finish().await;
}

#[tokio::test]
async fn a_viewer_writes_nothing_but_their_own() {
    let server = TestServer::start().await;
    for role in [Role::Viewer, Role::Auditor, Role::Operator] {
        let token = server.token(role).await;
        for route in server.routes().to_vec() {
            let Access::Any(permission) = route.access else { continue };
            if role.may(permission) {
                continue;
            }
            let call = server.call(route.method.clone(), &concrete(&route.path)).bearer(&token);
            let answer = call.send().await;
            assert_eq!(answer.status.as_u16(), 403, "{role} {route:?}");
            assert_eq!(answer.reason(), "forbidden", "{role} {route:?}");
        }
    }
    // Writes that a viewer may do are those on what is their own, and the searches by POST.
    let open: Vec<_> = server
        .routes()
        .iter()
        .filter(|route| route.method != Method::GET)
        .filter_map(|route| Some((route.access.permission()?, route.path.clone())))
        .filter(|(permission, _)| Role::Viewer.may(*permission))
        .filter(|(permission, _)| *permission != Permission::OwnWrite)
        .map(|(_, path)| path)
        .collect();
    assert_eq!(open, ["/api/v1/certificates/search", "/api/v1/events/search"]);
    server.finish().await;
}

#[tokio::test]
async fn wrong_credentials_are_nobodys() {
    let server = TestServer::start().await;
    for header in ["Bearer nonsense", "Bearer", "Basic YWRtaW46YWRtaW4=", ""] {
        let call = server.call(Method::GET, "/api/v1/tokens").header("authorization", header);
        assert_eq!(call.send().await.expect(401).reason(), "unauthenticated", "{header}");
    }
    // On public routes they do not matter.
    let call = server.call(Method::GET, "/health/live").header("authorization", "Bearer nonsense");
    call.send().await.expect(200);
    server.finish().await;
}
