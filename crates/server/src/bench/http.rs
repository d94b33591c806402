//! What callers over the network get: real requests over loopback, kept-alive connections, one
//! request under way on each.
//!
//! Every request is an upload. New certificates enter the inventory (two events each); a
//! certificate that is there already is refused, which is one durable event and nothing else. The
//! callers run in this process and take their share of its processors.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use chancery_engine::access::{Credential, NewToken};
use chancery_engine::{Client, Engine, Running, Secret, Settings, bench};
use chancery_event::{Environment, Origin};
use chancery_web::edge::{AppState, Options};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Figure, Plan, Report};

/// Callers that upload new certificates.
const UPLOADERS: usize = 32;
/// Callers whose requests come to one event each.
const CALLERS: [usize; 2] = [64, 1_024];
const PASSWORD: &str = "only for this measurement";

/// Measures uploads, then requests of one event each.
pub(super) async fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    let uploads = usize::try_from((plan.size / 10).clamp(500, 10_000))?;
    let requests = plan.size.min(100_000);
    let (ca, leaves) =
        tokio::task::spawn_blocking(move || super::inventory::make(uploads)).await??;
    let running = start(&plan.dir("http")?).await?;
    let engine = running.engine().clone();
    let token = token(&engine).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await.context("loopback")?;
    let address = listener.local_addr()?;
    let (router, _) = chancery_web::router(AppState::new(engine.clone(), Options::default()));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving = tokio::spawn(async move { axum::serve(listener, service).await });

    let request = |der: &Vec<u8>| request(&token, der);
    drive(address, 1, &[request(&ca)], 1, 201).await?;
    let new: Vec<Vec<u8>> = leaves.iter().map(request).collect();
    let rate = drive(address, UPLOADERS, &new, new.len() as u64, 201).await?;
    let name = format!("uploads over HTTP, {UPLOADERS} callers");
    report.add([Figure::new(name, rate, "certs/s")]);
    super::writing::settled(&engine).await?;
    let known = [request(&ca)];
    for callers in CALLERS {
        let context = Arc::new(bench::context(engine.environment()));
        let stop = Arc::new(AtomicBool::new(false));
        let probe = super::writing::probe(engine.clone(), context, stop.clone());
        let prober = tokio::spawn(probe);
        let before = super::start::processor_seconds();
        let rate = drive(address, callers, &known, requests, 409).await?;
        let spent = super::start::processor_seconds() - before;
        stop.store(true, Ordering::Relaxed);
        let mut lag = prober.await.context("probe")??;
        let each = spent * 1e6 / super::real(requests);
        let who = format!("{callers} callers");
        report.add([
            Figure::new(format!("events over HTTP, one a request, {who}"), rate, "events/s"),
            Figure::new(format!("… processor time of a request, {who}"), each, "µs"),
            Figure::new(format!("… seal lag, median, {who}"), lag.percentile_ms(50), "ms"),
            Figure::new(format!("… seal lag, p99, {who}"), lag.percentile_ms(99), "ms"),
        ]);
        super::writing::settled(&engine).await?;
    }
    serving.abort();
    running.stop().await.context("stop")
}

async fn start(dir: &Path) -> Result<Running> {
    let settings = Settings {
        allow_unencrypted_key: true,
        admin_password: Some(Secret::new(PASSWORD.to_owned())),
        ..Settings::new(dir)
    };
    Engine::start(settings, Environment::system()).await.context("the engine does not start")
}

/// A token of the administrator.
async fn token(engine: &Engine) -> Result<String> {
    let password = Secret::new(PASSWORD.to_owned());
    let session = engine.log_in(Client::default(), "admin", password).await?;
    let credential = Credential::Cookie(session.cookie);
    let identity = engine.authenticate(&credential, Origin::Api, Client::default()).await?;
    let new = NewToken { name: "bench".to_owned(), account: None, role: None, days: 1 };
    Ok(engine.create_token(&identity.context, new).await?.secret.expose().clone())
}

/// The bytes of an upload (RFC 9112).
fn request(token: &str, der: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "POST /api/v1/certificates HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\
         content-type: application/pkix-cert\r\ncontent-length: {}\r\n\r\n",
        der.len()
    )
    .into_bytes();
    bytes.extend_from_slice(der);
    bytes
}

/// Requests per second when `callers` send `count` of them; each takes the next of `requests`, in
/// turn, and must be answered with `status`.
async fn drive(
    address: SocketAddr,
    callers: usize,
    requests: &[Vec<u8>],
    count: u64,
    status: u16,
) -> Result<f64> {
    let mut connections = Vec::with_capacity(callers);
    for _ in 0..callers {
        let stream = TcpStream::connect(address).await.context("connect")?;
        stream.set_nodelay(true)?;
        connections.push(stream);
    }
    let requests: Arc<Vec<Vec<u8>>> = Arc::new(requests.to_vec());
    let next = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for mut stream in connections {
        let (requests, next) = (requests.clone(), next.clone());
        tasks.spawn(async move {
            let mut buffer = Vec::with_capacity(8_192);
            loop {
                let turn = next.fetch_add(1, Ordering::Relaxed);
                if turn >= count {
                    return Ok::<(), anyhow::Error>(());
                }
                let at = usize::try_from(turn)? % requests.len();
                stream.write_all(requests.get(at).context("a request")?).await?;
                let answered = answer(&mut stream, &mut buffer).await?;
                ensure!(answered == status, "answered with {answered}");
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.context("a caller")??;
    }
    Ok(super::per_second(count, started))
}

/// Reads one whole answer; tells its status.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<u16> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the connection ended within an answer");
        }
        let Some(head) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(buffer.get(..head).unwrap_or_default())?;
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<usize>().ok())?
        });
        let length = length.context("an answer tells its length")?;
        if buffer.len() >= head + 4 + length {
            let status = text.split(' ').nth(1).context("an answer has a status")?;
            return Ok(status.parse()?);
        }
    }
}
