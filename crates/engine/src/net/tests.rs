//! Forbidden addresses and tricks of names: none of them is ever connected to.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Forbidden in the older protocol; each in eight spellings below.
const V4: &str = "\
    0.0.0.0 0.0.0.1 0.1.2.3 0.255.255.255 10.0.0.0 10.0.0.1 10.1.2.3 10.255.255.255 100.64.0.0 \
    100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.0 127.0.0.1 127.0.1.1 127.1.2.3 \
    127.255.255.255 169.254.0.1 169.254.169.253 169.254.169.254 169.254.170.2 169.254.255.255 \
    172.16.0.1 172.17.0.1 172.20.10.1 172.31.255.255 192.0.0.1 192.0.0.8 192.0.0.170 \
    192.0.0.192 192.0.2.1 192.0.2.255 192.88.99.1 192.88.99.2 192.168.0.1 192.168.1.1 \
    192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.1 198.51.100.7 203.0.113.1 \
    203.0.113.254 224.0.0.1 224.0.0.251 232.1.2.3 239.255.255.250 239.255.255.255 240.0.0.1 \
    250.1.1.1 255.255.255.254 255.255.255.255 168.63.129.16";

/// Forbidden in the newer one.
const V6: &str = "\
    :: ::1 ::2 ::127.0.0.1 ::7f00:1 ::ffff:0:127.0.0.1 64:ff9b::1 64:ff9b:1::1 \
    64:ff9b:1:fffe::7f00:1 100:: 100::1 1000::1 2001::1 2001:2::1 2001:10::1 2001:20::1 \
    2001:1ff:ffff::1 2001:db8::1 2001:db8:ffff::1 2002::1 2002:7f00:1:: 3fff::1 3fff:fff::1 \
    4000::1 5f00::1 8000::1 fc00::1 fd00::1 fd00:ec2::254 fd12:3456:789a::1 fdff:ffff::1 \
    fe80::1 fe80::a00:1 febf::1 fec0::1 feff::1 ff01::1 ff02::1 ff02::fb ff05::1:3 ff0e::1 \
    ffff::1 2a00:1450:4001:800:200:5efe:c0a8:1 [::1] [fe80::1] [fd00:ec2::254]";

/// Texts that a user may type as the host, all of them forbidden.
fn literals() -> Vec<String> {
    let mut texts = Vec::new();
    for text in V4.split_whitespace() {
        let ip: std::net::Ipv4Addr = text.parse().unwrap();
        let [a, b, c, d] = ip.octets();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        texts.push(text.to_owned());
        // Mapped in both spellings, compatible, NAT64, 6to4, Teredo (inverted), ISATAP.
        texts.push(format!("::ffff:{text}"));
        texts.push(format!("::ffff:{high:x}:{low:x}"));
        texts.push(format!("64:ff9b::{high:x}:{low:x}"));
        texts.push(format!("2002:{high:x}:{low:x}::1"));
        texts.push(format!("2001:0:102:304::{:x}:{:x}", !high, !low));
        texts.push(format!("2a00:1450:4001:800:0:5efe:{high:x}:{low:x}"));
        texts.push(format!("[::ffff:{text}]"));
    }
    texts.extend(V6.split_whitespace().map(str::to_owned));
    texts
}

/// Public addresses, which must not be refused by accident.
const PUBLIC: [&str; 16] = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.167.1.1",
    "192.169.1.1",
    "198.17.1.1",
    "198.20.1.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2001:4860:4860::8888",
    "::ffff:8.8.8.8",
];

#[test]
fn forbidden_literals_are_refused_and_public_ones_are_not() {
    let texts = literals();
    assert!(texts.len() >= 250, "{}", texts.len());
    for text in texts {
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        let address: IpAddr = bare.parse().unwrap_or_else(|_| panic!("{text}"));
        assert!(judge(address, &[]).is_err(), "{text}");
    }
    for text in PUBLIC {
        assert_eq!(judge(text.parse().unwrap(), &[]), Ok(()), "{text}");
    }
}

/// A resolver that answers from a script: one answer for each time it is asked.
struct Script {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

impl Script {
    fn of(answers: &[&[&str]]) -> Arc<Self> {
        let read = |texts: &&[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self { answers: answers.iter().map(read).collect(), asked: AtomicUsize::new(0) })
    }
}

impl Resolver for Script {
    fn resolve(&self, _: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        let turn = self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers[turn.min(self.answers.len() - 1)].clone();
        Box::pin(async move { Ok(answer) })
    }
}

#[tokio::test]
async fn a_name_that_leads_to_a_forbidden_address_is_refused_wherever_it_is_asked() {
    for text in literals() {
        let bare = text.trim_start_matches('[').trim_end_matches(']').to_owned();
        for answer in [vec![bare.as_str()], vec!["8.8.8.8", &bare], vec![&bare, "8.8.8.8"]] {
            let network = Network::with_resolver(Vec::new(), Script::of(&[&answer]));
            let saved = network.addresses("rebind.example").await;
            assert!(matches!(saved, Err(NetError::Refused { .. })), "{text}: {saved:?}");
            let sent = network.connect("rebind.example", 443).await;
            assert!(matches!(sent, Err(NetError::Refused { .. })), "{text}");
            let datagram = network.datagrams("rebind.example", 514).await;
            assert!(matches!(datagram, Err(NetError::Refused { .. })), "{text}");
        }
        let literal = Network::default().connect(&text, 1).await;
        assert!(matches!(literal, Err(NetError::Refused { .. })), "{text}: {literal:?}");
    }
}

#[tokio::test]
async fn a_name_is_resolved_once_for_each_connection_and_never_again() {
    // The listener would be reached if a second resolution decided where to connect.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = Script::of(&[&["8.8.8.8"], &["127.0.0.1"], &["127.0.0.1"]]);
    let network = Network::with_resolver(Vec::new(), script.clone());
    assert!(network.addresses("rebind.example").await.is_ok(), "public when it is saved");
    let sent = network.connect("rebind.example", port).await;
    assert!(matches!(sent, Err(NetError::Refused { .. })), "{sent:?}");
    assert_eq!(script.asked.load(Ordering::SeqCst), 2, "once for saving, once for connecting");
    let accepted = tokio::time::timeout(Duration::from_millis(1), listener.accept()).await;
    assert!(accepted.is_err(), "nobody came");
}

#[tokio::test]
async fn spellings_that_only_a_resolver_understands_are_judged_by_where_they_lead() {
    // The C library reads all of these as 127.0.0.1, or does not know them.
    for text in ["localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1", "0"] {
        let reached = Network::default().connect(text, 1).await;
        assert!(
            matches!(reached, Err(NetError::Refused { .. } | NetError::Unresolved { .. })),
            "{text}: {reached:?}"
        );
    }
    for text in ["", "a b\u{0}", "\r\nHost: x", &"a".repeat(300)] {
        let reached = Network::default().addresses(text).await;
        assert!(matches!(reached, Err(NetError::Unresolved { .. })), "{text:?}: {reached:?}");
    }
}

#[tokio::test]
async fn what_is_listed_is_reached_and_nothing_beside_it() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let network = Network::new(vec!["127.0.0.1".parse().unwrap()]);
    assert!(network.connect("127.0.0.1", port).await.is_ok());
    assert!(network.connect("::ffff:127.0.0.1", port).await.is_ok(), "the same address");
    let beside = network.connect("127.0.0.2", port).await;
    assert!(matches!(beside, Err(NetError::Refused { .. })), "{beside:?}");
}

#[test]
fn ranges_are_read_and_hold_what_they_say() {
    for (range, address, expected) in [
        ("10.0.0.0/8", "10.255.0.1", true),
        ("10.1.0.0/16", "10.2.0.1", false),
        ("0.0.0.0/0", "8.8.8.8", true),
        ("0.0.0.0/0", "::1", false),
        ("::/0", "fe80::1", true),
        ("fd00::/8", "fc00::1", false),
    ] {
        let range: Range = range.parse().unwrap();
        assert_eq!(range.contains(address.parse().unwrap()), expected, "{range} {address}");
    }
    for text in ["", "10.0.0.0/33", "ten", "10.0.0.0/x", "::/129"] {
        assert!(text.parse::<Range>().is_err(), "{text}");
    }
}
