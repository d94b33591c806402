//! Forbidden addresses by every way in: saved, tried out, and sent to by the courier. A listener
//! stands where the most of them lead; nobody ever comes.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use chancery_deliver::Senders;
use chancery_engine::delivery::{Class, DeliveryQuery, DestinationEdit};
use chancery_engine::net::{Network, Resolver};
use chancery_engine::{Context, Error};
use chancery_testkit::TestServer;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::world::{World, free_port};

/// Forbidden in the older protocol; each in seven forms.
const V4: [&str; 34] = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.0.0.2",
    "127.255.255.255",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.1",
    "203.0.113.254",
    "224.0.0.1",
    "232.1.2.3",
    "239.255.255.250",
    "240.0.0.1",
    "250.1.1.1",
    "255.255.255.254",
    "255.255.255.255",
    "168.63.129.16",
    "172.20.10.1",
];

/// Forbidden in the newer one.
const V6: [&str; 28] = [
    "::",
    "::1",
    "::2",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00::1",
    "fd00:ec2::254",
    "fd12:3456:789a::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff01::1",
    "ff02::1",
    "ff02::fb",
    "ff05::1:3",
    "ff0e::1",
    "::ffff:0:127.0.0.1",
    "1000::1",
    "8000::1",
    "ffff::1",
];

/// Every form of every address.
fn addresses() -> Vec<IpAddr> {
    let mut all: Vec<String> = V6.map(str::to_owned).into();
    for text in V4 {
        let [a, b, c, d] = text.parse::<Ipv4Addr>().unwrap().octets();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        all.push(text.to_owned());
        // Mapped, compatible, NAT64, 6to4, Teredo (inverted), ISATAP.
        all.push(format!("::ffff:{text}"));
        all.push(format!("::{high:x}:{low:x}"));
        all.push(format!("64:ff9b::{high:x}:{low:x}"));
        all.push(format!("2002:{high:x}:{low:x}::1"));
        all.push(format!("2001:0:102:304::{:x}:{:x}", !high, !low));
        all.push(format!("2a00:1450:4001:800:0:5efe:{high:x}:{low:x}"));
    }
    all.iter().map(|text| text.parse().unwrap_or_else(|_| panic!("{text}"))).collect()
}

/// Knows `f7.example`: a public address while it is looked at, the seventh forbidden one later.
struct Rebinding {
    addresses: Vec<IpAddr>,
    lies: AtomicBool,
}

impl Resolver for Rebinding {
    fn resolve(&self, host: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        let public: IpAddr = [8, 8, 8, 8].into();
        let number = host.trim_start_matches('f').trim_end_matches(".example").parse::<usize>();
        let answer = match (self.lies.load(Ordering::SeqCst), number) {
            // One good address among bad ones makes none of them good.
            (true, Ok(number)) if number % 3 == 0 => vec![public, self.addresses[number]],
            (true, Ok(number)) => vec![self.addresses[number]],
            _ => vec![public],
        };
        Box::pin(async move { Ok(answer) })
    }
}

/// Kind, settings and secrets of a destination at a host; kinds take turns.
fn destination(
    number: usize,
    host: &str,
    port: u16,
) -> (&'static str, Value, Vec<(String, String)>) {
    let secret = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    match number % 7 {
        0 => ("webhook", json!({ "url": format!("http://{host}:{port}/") }), Vec::new()),
        1 => {
            let address = format!("{host}:{port}");
            ("syslog", json!({ "address": address, "transport": "tcp" }), Vec::new())
        }
        2 => {
            let address = format!("{host}:{port}");
            ("syslog", json!({ "address": address, "transport": "udp" }), Vec::new())
        }
        3 => {
            let address = format!("{host}:{port}");
            ("nats", json!({ "address": address, "subject": "a" }), Vec::new())
        }
        4 => {
            let settings = json!({ "server": format!("{host}:{port}"), "security": "none",
                "from": "a@example.org", "to": ["b@example.org"] });
            ("email", settings, Vec::new())
        }
        5 => ("slack", json!({}), secret("url", &format!("https://{host}:{port}/x"))),
        _ => {
            let settings =
                json!({ "url": format!("https://{host}:{port}"), "username": "chancery" });
            ("servicenow", settings, secret("password", "x"))
        }
    }
}

async fn save(
    world: &World,
    name: &str,
    host: &str,
    number: usize,
    port: u16,
) -> Result<(), Error> {
    let (kind, settings, secrets) = destination(number, host, port);
    let select = json!({ "event_types": ["configuration.create"], "filter": "detail.class:group" });
    let edit = DestinationEdit {
        body: json!({ "kind": kind, "settings": settings, "select": select }),
        secrets: secrets.into_iter().collect(),
        ..DestinationEdit::default()
    };
    let engine = world.server.engine();
    engine.create_destination(&world.context, Class::Forwarder, name, edit).await.map(|_| ())
}

#[tokio::test]
async fn no_forbidden_address_is_reached_by_saving_trying_or_sending() {
    let addresses = addresses();
    assert!(addresses.len() >= 250, "{}", addresses.len());
    let (listener, datagrams) = free_port();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    datagrams.set_nonblocking(true).unwrap();
    let resolver = Arc::new(Rebinding { addresses: addresses.clone(), lies: false.into() });
    let network = Network::with_resolver(Vec::new(), resolver.clone());
    let server = TestServer::start_with(move |settings, _| {
        let directory = settings.data_dir.join("forwarders");
        settings.sender = Some(Arc::new(Senders::new(network, directory)));
    })
    .await;
    let context = Context::command_line(server.engine().environment());
    let world = World { server, context };
    // Saved: as typed, and by a name that leads there already.
    for (number, address) in addresses.iter().enumerate() {
        let typed = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        resolver.lies.store(true, Ordering::SeqCst);
        for host in [typed, format!("f{number}.example")] {
            let refused = save(&world, "never", &host, number, port).await;
            assert!(
                matches!(refused, Err(Error::Invalid { ref message, .. })
                    if message.contains("such addresses are refused")),
                "{host}: {refused:?}"
            );
        }
        resolver.lies.store(false, Ordering::SeqCst);
        save(&world, &format!("f{number}"), &format!("f{number}.example"), number, port)
            .await
            .unwrap();
    }
    // Sent: by a name that led to a good one when it was saved.
    resolver.lies.store(true, Ordering::SeqCst);
    world.group("web").await;
    let engine = world.server.engine();
    let of = |name: String| DeliveryQuery { destinations: vec![name], ..DeliveryQuery::default() };
    for number in 0..addresses.len() {
        let name = format!("f{number}");
        let error = 'attempted: {
            for _ in 0..1_500 {
                let rows = engine.deliveries(&world.context, of(name.clone()), 1).await.unwrap();
                if let Some(row) = rows.into_iter().find(|row| row.attempts > 0) {
                    assert_eq!(row.state, "waiting", "{name}");
                    break 'attempted row.error.unwrap_or_default();
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            panic!("nothing was tried for {name}");
        };
        assert!(error.contains("such addresses are refused"), "{name}: {error}");
        let tried = engine.try_destination(&world.context, Class::Forwarder, &name).await.unwrap();
        let failure = tried.failure.unwrap_or_else(|| panic!("{name} was reached"));
        assert_eq!(failure.word, "refused_address", "{name}: {failure:?}");
    }
    let nobody = |error: std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
    assert!(listener.accept().is_err_and(nobody), "somebody came");
    assert!(datagrams.recv(&mut [0; 16]).is_err_and(nobody), "somebody sent");
    world.server.finish().await;
}

/// A name that leads to a public address once, and to this machine ever after.
#[derive(Default)]
struct Turncoat(AtomicUsize);

impl Resolver for Turncoat {
    fn resolve(&self, _: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        let address: IpAddr = match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => [8, 8, 8, 8].into(),
            _ => [127, 0, 0, 1].into(),
        };
        Box::pin(async move { Ok(vec![address]) })
    }
}

#[tokio::test]
async fn a_source_whose_name_leads_here_after_it_was_saved_is_not_fetched_from() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let resolver = Arc::new(Turncoat::default());
    let network = Network::with_resolver(Vec::new(), resolver.clone());
    let server = TestServer::start_with(move |settings, _| {
        let directory = settings.data_dir.join("forwarders");
        settings.sender = Some(Arc::new(Senders::new(network, directory)));
    })
    .await;
    let poll = json!({ "url": format!("https://okta.example:{port}"), "token": "00secret" });
    let wish = json!({ "name": "okta", "dialect": "okta", "poll": poll });
    server.post("/api/v1/intake-sources").json(&wish).send().await.expect(201);
    let mut source = Value::Null;
    for _ in 0..1_500 {
        source = server.get("/api/v1/intake-sources/okta").send().await.expect(200).json();
        if source["poll"]["failures"].as_i64() >= Some(1) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let error = source["poll"]["error"].as_str().unwrap_or_default();
    assert!(error.contains("such addresses are refused"), "{source}");
    assert!(resolver.0.load(Ordering::SeqCst) >= 2, "it was asked for again when it was fetched");
    let nobody = |error: std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
    assert!(listener.accept().is_err_and(nobody), "somebody came");
    server.finish().await;
}
