//! A server for tests: a real engine in a directory of its own, the real router, an administrator's
//! token. Finishing it holds what every test must leave behind: no pending event, and a published
//! log that verifies.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::Method;
use chancery_engine::access::{Credential, Identity, NewToken};
use chancery_engine::{Client, Context, Engine, Role, Running, Secret, Settings};
use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_event::id::AttributeId;
use chancery_event::{Environment, Origin, Timestamp};
use chancery_seal::tile::{BundleId, TILE_WIDTH, TileId};
use chancery_web::edge::{AppState, Options, RouteInfo};
use serde_json::Value;
use tempfile::TempDir;

use crate::{Call, PublishedLog};

/// Password of the first administrator, `admin`.
pub const ADMIN_PASSWORD: &str = "correct horse battery staple";

/// How long anything that comes by itself may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long one waits between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// A running server.
#[must_use = "finish it: that checks what the test left behind"]
pub struct TestServer {
    running: Option<Running>,
    router: Router,
    routes: Vec<RouteInfo>,
    admin: String,
    cookie: String,
    identity: Identity,
    finished: bool,
    _dir: TempDir,
}

impl TestServer {
    /// A server as a new installation has it.
    pub async fn start() -> Self {
        Self::start_with(|_, _| {}).await
    }

    /// A server with other settings.
    pub async fn start_with(change: impl FnOnce(&mut Settings, &mut Options)) -> Self {
        Self::start_in(Environment::system(), change).await
    }

    /// A server with other settings whose time stands still, at half past nine of a Saturday, until
    /// the test moves it: what it shows does not depend on the hour at which the test runs.
    pub async fn start_standing(
        seed: u64,
        change: impl FnOnce(&mut Settings, &mut Options),
    ) -> (Self, Arc<ManualClock>) {
        let clock = ManualClock::new("2026-11-21T09:30:00Z".parse().expect("a time"));
        let environment = Environment::new(clock.clone(), SeededEntropy::new(seed));
        (Self::start_in(environment, change).await, clock)
    }

    /// A server with other settings and its own time and randomness.
    pub async fn start_in(
        environment: Environment,
        change: impl FnOnce(&mut Settings, &mut Options),
    ) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut settings = Settings::new(dir.path());
        settings.allow_unencrypted_key = true;
        // On the engine that the test, or the whole run, is for.
        let database = chancery_throwaway::database_of(dir.path());
        settings.database = database.map(|url| url.parse().expect("an address"));
        settings.admin_password = Some(Secret::new(ADMIN_PASSWORD.to_owned()));
        settings.logins_per_minute = 0;
        // Most tests count events; those of monitors turn them on.
        settings.monitors = false;
        let mut options = Options::default();
        // Receivers of tests live on this machine.
        let ranges = ["127.0.0.1/32", "::1/128"].map(|range| range.parse().expect("a range"));
        let network = chancery_engine::net::Network::new(ranges.to_vec());
        settings.sender =
            Some(Arc::new(chancery_deliver::Senders::new(network, dir.path().join("forwarders"))));
        change(&mut settings, &mut options);
        let running = Engine::start(settings, environment).await.expect("an engine");
        let engine = running.engine().clone();
        let (router, routes) = chancery_web::router(AppState::new(engine.clone(), options));
        let password = Secret::new(ADMIN_PASSWORD.to_owned());
        let session = engine.log_in(Client::default(), "admin", password).await.expect("a session");
        let credential = Credential::Cookie(session.cookie.clone());
        let identity = engine
            .authenticate(&credential, Origin::Api, Client::default())
            .await
            .expect("an administrator");
        let mut server = Self {
            running: Some(running),
            router,
            routes,
            admin: String::new(),
            cookie: session.cookie.expose().clone(),
            identity,
            finished: false,
            _dir: dir,
        };
        server.admin = server.token(Role::Administrator).await;
        server
    }

    /// The engine behind it.
    pub fn engine(&self) -> &Engine {
        self.running.as_ref().expect("a running server").engine()
    }

    /// The time of the server.
    pub fn now(&self) -> Timestamp {
        self.engine().environment().now()
    }

    /// The router.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// The routes as they were declared.
    pub fn routes(&self) -> &[RouteInfo] {
        &self.routes
    }

    /// The administrator's token.
    pub fn admin(&self) -> &str {
        &self.admin
    }

    /// The administrator's session, on plain http: value of the `cookie` header, csrf token.
    pub fn session(&self) -> (String, String) {
        let csrf = self.identity.csrf.clone().expect("a session has one");
        (format!("chancery={}", self.cookie), csrf)
    }

    /// A token of the administrator's account with another role.
    pub async fn token(&self, role: Role) -> String {
        let (name, role) = (format!("test, {role}"), Some(role.to_string()));
        let new = NewToken { name, account: None, role, days: 1 };
        let now = self.engine().environment().now();
        let context = Context { proved_at: Some(now), ..self.identity.context.clone() };
        let made = self.engine().create_token(&context, new).await.expect("a token");
        made.secret.expose().clone()
    }

    /// A request without credentials.
    pub fn call(&self, method: Method, path: &str) -> Call {
        Call::new(self.router.clone(), method, path)
    }

    /// Gives the administrator a new token: those of before end when a test moves the clock.
    pub async fn renew(&mut self) {
        self.admin = self.token(Role::Administrator).await;
    }

    /// `GET` as the administrator.
    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path).bearer(&self.admin)
    }

    /// `POST` as the administrator.
    pub fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path).bearer(&self.admin)
    }

    /// `PATCH` as the administrator.
    pub fn patch(&self, path: &str) -> Call {
        self.call(Method::PATCH, path).bearer(&self.admin)
    }

    /// `DELETE` as the administrator.
    pub fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path).bearer(&self.admin)
    }

    /// Takes a custom attribute out of the store itself, which the program lets nobody do while
    /// something refers to it.
    pub async fn lose_attribute(&self, id: AttributeId) {
        let store = chancery_engine::bench::store(self.engine());
        let taken = store.transaction("lose", move |tx: &mut chancery_store::Tx| {
            Box::pin(async move { chancery_store::table::attribute::delete(tx, id).await })
        });
        taken.await.expect("a store that takes it away");
    }

    /// Waits until everything recorded so far is sealed.
    pub async fn settle(&self) {
        assert!(self.engine().settle(PATIENCE).await, "events are still pending");
    }

    /// What `GET` answers once that is as wanted.
    ///
    /// # Panics
    /// It is not within a minute.
    pub async fn until(&self, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path).send().await.expect(200).json();
            if holds(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{path}: {answer}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Fetches the whole published log through the router, as an auditor would.
    pub async fn published_log(&self) -> PublishedLog {
        let checkpoint = self.get("/log/checkpoint").send().await.expect(200);
        let text = checkpoint.text();
        let size: u64 =
            text.lines().nth(1).and_then(|line| line.parse().ok()).expect("a checkpoint");
        let mut log = PublishedLog { checkpoint: checkpoint.bytes, ..PublishedLog::default() };
        for level in 0..8u8 {
            let width = u64::from(TILE_WIDTH);
            let hashes = size.checked_shr(8 * u32::from(level)).unwrap_or(0);
            for index in 0..hashes.div_ceil(width) {
                let Some(id) = TileId::in_tree(level, index, size) else { continue };
                let answer = self.get(&format!("/log/{id}")).send().await.expect(200);
                log.tiles.insert(id, answer.bytes);
            }
        }
        for index in 0..size.div_ceil(u64::from(TILE_WIDTH)) {
            let Some(id) = BundleId::in_tree(index, size) else { continue };
            log.bundles.insert(id, self.get(&format!("/log/{id}")).send().await.expect(200).bytes);
        }
        log
    }

    /// Checks that nothing is pending and that the published log verifies, and stops the server.
    ///
    /// # Panics
    /// Something is not as it must be.
    pub async fn finish(mut self) {
        self.settle().await;
        let log = self.published_log().await;
        let entries = log.verify(self.engine().verifier());
        // What runs by the clock may have recorded more behind the first look.
        let waiting = Instant::now();
        while self.engine().figures().await.expect("figures").pending > 0 {
            assert!(waiting.elapsed().as_secs() < 60, "events are still pending");
            self.settle().await;
        }
        assert!(entries >= 1, "a start leaves events");
        self.finished = true;
        if let Some(running) = self.running.take() {
            running.stop().await.expect("a stop in order");
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if !self.finished && !std::thread::panicking() {
            // Unwinding out of drop is fine here: nothing else is being unwound.
            panic!("a test server was not finished");
        }
    }
}
