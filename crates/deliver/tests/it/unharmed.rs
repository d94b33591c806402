//! What waits for receivers never slows an operation: uploads over the API beside a hundred
//! forwarders whose receiver takes what it is sent and never answers.

use std::time::{Duration, Instant};

use chancery_engine::delivery::{Class, DestinationEdit};
use chancery_testkit::{Authority, Manner, Receiver};
use serde_json::json;

use crate::world::World;

const RECEIVERS: usize = 100;
const UPLOADS: usize = 40;

/// The median of so many uploads of new certificates.
async fn uploads(world: &World, authority: &Authority, what: &str) -> Duration {
    let now = world.server.now();
    let mut took = Vec::with_capacity(UPLOADS);
    for number in 0..UPLOADS {
        let leaf = authority.leaf(&format!("{what}-{number}.example.org"), now, 90);
        let call = world.server.post("/api/v1/certificates");
        let call = call.body("application/x-pem-file", leaf.to_pem());
        let started = Instant::now();
        call.send().await.expect(201);
        took.push(started.elapsed());
    }
    took.sort_unstable();
    took[UPLOADS / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_receivers_that_hang_slow_no_upload() {
    let world = World::start().await;
    let authority = Authority::new("Unharmed CA", world.server.now());
    let ca = world.server.post("/api/v1/certificates");
    ca.body("application/x-pem-file", authority.pem()).send().await.expect(201);
    let without = uploads(&world, &authority, "without").await;
    let receiver = Receiver::plain().await;
    receiver.behave(Manner::Silent);
    for number in 0..RECEIVERS {
        let body = json!({ "kind": "webhook", "settings": { "url": receiver.url() } });
        let edit = DestinationEdit { body, ..DestinationEdit::default() };
        let (engine, name) = (world.server.engine(), format!("hangs-{number}"));
        engine.create_destination(&world.context, Class::Forwarder, &name, edit).await.unwrap();
    }
    world.group("what they all get").await;
    receiver.wait_for(RECEIVERS).await;
    let with = uploads(&world, &authority, "with").await;
    // Generous: other tests share the machine. What waited for a receiver would take seconds.
    let most = without * 10 + Duration::from_millis(200);
    assert!(with < most, "an upload took {without:?} without and {with:?} with them");
    assert!(with < Duration::from_secs(2), "{with:?}");
    world.server.finish().await;
}
