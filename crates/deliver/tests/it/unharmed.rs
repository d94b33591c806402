//! What waits for receivers never slows an operation: uploads over the API beside a hundred
//! forwarders whose receiver takes what it is sent and never answers.

use std::time::{Duration, Instant};

use chancery_engine::delivery::{Class, DestinationEdit};
use chancery_testkit::{Authority, Manner, Receiver};
use serde_json::json;

use crate::world::World;

const RECEIVERS: usize = 100;
const UPLOADS: usize = 40;

/// How long a receiver may take to answer, in seconds.
const ANSWER: u64 = 60;

/// The fastest of so many uploads of new certificates: how long the others take is up to whatever
/// else the machine does.
async fn upload(world: &World, authority: &Authority) -> Duration {
    let now = world.server.now();
    let mut least = Duration::MAX;
    for number in 0..UPLOADS {
        let leaf = authority.leaf(&format!("{number}.example.org"), now, 90);
        let call = world.server.post("/api/v1/certificates");
        let call = call.body("application/x-pem-file", leaf.to_pem());
        let started = Instant::now();
        call.send().await.expect(201);
        least = least.min(started.elapsed());
    }
    least
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_receivers_that_hang_slow_no_upload() {
    let world = World::start().await;
    let authority = Authority::new("Unharmed CA", world.server.now());
    let ca = world.server.post("/api/v1/certificates");
    ca.body("application/x-pem-file", authority.pem()).send().await.expect(201);
    let receiver = Receiver::plain().await;
    receiver.behave(Manner::Silent);
    for number in 0..RECEIVERS {
        let settings = json!({ "url": receiver.url(), "answer_seconds": ANSWER });
        let body = json!({ "kind": "webhook", "settings": settings });
        let edit = DestinationEdit { body, ..DestinationEdit::default() };
        let (engine, name) = (world.server.engine(), format!("hangs-{number}"));
        engine.create_destination(&world.context, Class::Forwarder, &name, edit).await.unwrap();
    }
    world.group("what they all get").await;
    receiver.wait_for(RECEIVERS).await;
    // One that waited for a receiver would take as long as that may take.
    let least = upload(&world, &authority).await;
    assert!(least < Duration::from_secs(ANSWER) / 6, "{least:?}");
    world.server.finish().await;
}
