//! A crash at any step, a commit that fails, a lease that is lost: each event has one effect.

use super::*;

chancery_throwaway::on_each_backend!(a_crash_anywhere_leaves_each_event_with_one_effect);

async fn a_crash_anywhere_leaves_each_event_with_one_effect() {
    // Dropped after so many polls of one round; then another node takes over.
    for polls in 0..60 {
        let world = World::new().await;
        world.forwarder("soc", groups()).await;
        for number in 0..3 {
            world.event(number).await;
        }
        world.receiver.lose_answers.store(polls % 3, Ordering::SeqCst);
        let mut first = world.courier();
        {
            let work = async {
                settle(&mut first).await;
            };
            let mut work = Box::pin(work);
            for _ in 0..polls {
                let once = futures::poll!(work.as_mut());
                if once.is_ready() {
                    break;
                }
                // What the store does goes on beside it.
                tokio::time::sleep(std::time::Duration::from_micros(200)).await;
            }
        }
        drop(first);
        let mut second = world.courier();
        settle(&mut second).await;
        world.clock.advance(2 * 60 * Timestamp::SECOND);
        settle(&mut second).await;
        world.clock.advance(2 * 60 * Timestamp::SECOND);
        settle(&mut second).await;
        let expected = world.selected().await;
        assert_eq!(world.receiver.indexes(), expected, "after {polls} polls");
        assert_eq!(world.one("soc").await.backlog.waiting, 0, "after {polls} polls");
    }
}

chancery_throwaway::on_each_backend!(a_crash_at_each_step_leaves_each_event_with_one_effect);

async fn a_crash_at_each_step_leaves_each_event_with_one_effect() {
    for step in ["leased", "made", "sending", "sent", "answered", "booked"] {
        let world = World::new().await;
        world.forwarder("soc", groups()).await;
        let receiver = &world.receiver;
        let gate = match step {
            "made" | "sending" => 1,
            "sent" => 2,
            _ => 0,
        };
        receiver.gate.store(gate, Ordering::SeqCst);
        let mut first = world.courier();
        if step == "leased" {
            first.round().await.unwrap();
        }
        for number in 0..3 {
            world.event(number).await;
        }
        let rows = async |state: Option<&str>| {
            let state = state.map(str::to_owned);
            let query = DeliveryQuery { state, ..DeliveryQuery::default() };
            world.engine().deliveries(&world.context, query, 10).await.unwrap().len()
        };
        let has_come = async || match step {
            "leased" => true,
            "made" => rows(None).await == 3,
            "sending" | "sent" => receiver.at_gate.load(Ordering::SeqCst),
            "answered" => !receiver.effects.lock().unwrap().is_empty(),
            _ => rows(Some("delivered")).await > 0,
        };
        if step != "leased" {
            let mut work = Box::pin(settle(&mut first));
            while !has_come().await {
                let _ = futures::poll!(work.as_mut());
                tokio::task::yield_now().await;
            }
        }
        drop(first);
        let before = (rows(Some("delivered")).await, receiver.effects.lock().unwrap().len());
        match step {
            "leased" | "made" | "sending" => assert_eq!(before, (0, 0), "{step}"),
            "sent" => assert!(before.0 == 0 && before.1 > 0, "sent, and not booked: {before:?}"),
            "booked" => assert!(before.0 > 0, "{before:?}"),
            _ => {}
        }
        receiver.gate.store(0, Ordering::SeqCst);
        let mut second = world.courier();
        for _ in 0..3 {
            world.clock.advance(2 * 60 * Timestamp::SECOND);
            settle(&mut second).await;
        }
        assert_eq!(receiver.indexes(), world.selected().await, "{step}");
        assert_eq!(world.one("soc").await.backlog.waiting, 0, "{step}");
        if step == "sent" {
            let calls = receiver.calls.load(Ordering::SeqCst);
            assert!(calls > 3, "what was not booked is sent again: {calls}");
        }
    }
}

chancery_throwaway::on_each_backend!(
    a_commit_that_fails_is_made_good_whether_or_not_it_was_persisted
);

async fn a_commit_that_fails_is_made_good_whether_or_not_it_was_persisted() {
    use chancery_store::Fault;
    for name in ["delivery.lease", "delivery.fan_out", "delivery.book", "delivery.place"] {
        for fault in [Fault::NotPersisted, Fault::Persisted] {
            let world = World::new().await;
            world.forwarder("soc", groups()).await;
            world.event(1).await;
            world.event(2).await;
            world.engine().0.store.inject(name, fault);
            let mut courier = world.courier();
            for _ in 0..20 {
                if courier.round().await.is_err() {
                    courier = world.courier();
                    world.clock.advance(2 * 60 * Timestamp::SECOND);
                }
                if courier.land().await.is_err() {
                    courier = world.courier();
                    world.clock.advance(2 * 60 * Timestamp::SECOND);
                }
            }
            assert_eq!(world.receiver.indexes(), world.selected().await, "{name} {fault:?}");
            assert_eq!(world.one("soc").await.backlog.waiting, 0, "{name} {fault:?}");
        }
    }
}

chancery_throwaway::on_each_backend!(a_node_that_lost_its_lease_books_nothing);

async fn a_node_that_lost_its_lease_books_nothing() {
    let world = World::new().await;
    world.forwarder("soc", groups()).await;
    world.event(1).await;
    let mut first = world.courier();
    first.round().await.unwrap();
    first.round().await.unwrap();
    world.clock.advance(2 * 60 * Timestamp::SECOND);
    let mut second = world.courier();
    settle(&mut second).await;
    let before = world.one("soc").await;
    first.land().await.unwrap();
    assert_eq!(world.one("soc").await.row, before.row, "the late receipt is not kept");
    assert_eq!(world.receiver.indexes(), world.selected().await);
}

chancery_throwaway::on_each_backend!(the_commit_of_a_turn_or_of_lag_that_fails_is_made_good);

async fn the_commit_of_a_turn_or_of_lag_that_fails_is_made_good() {
    use chancery_store::Fault;
    for name in ["delivery.batch", "delivery.lag"] {
        for fault in [Fault::NotPersisted, Fault::Persisted] {
            let world = World::new().await;
            let mut body = groups();
            if name == "delivery.batch" {
                body["runner"] = json!("periodic");
                body["every_hours"] = json!(1);
            }
            world.forwarder("soc", body).await;
            world.event(1).await;
            world.receiver.down.store(name == "delivery.lag", Ordering::SeqCst);
            world.engine().0.store.inject(name, fault);
            let mut courier = world.courier();
            let mut failed = 0;
            for _ in 0..20 {
                world.clock.advance(HOUR / 4);
                let round = courier.round().await.is_err();
                if round || courier.land().await.is_err() {
                    courier = world.courier();
                    failed += 1;
                }
            }
            assert_eq!(failed, 1, "{name} {fault:?} was met");
            if name == "delivery.lag" {
                assert_eq!(world.count(EventType::ForwarderLagging).await, 1, "{fault:?}");
                world.receiver.down.store(false, Ordering::SeqCst);
                for _ in 0..20 {
                    world.clock.advance(HOUR / 4);
                    settle(&mut courier).await;
                }
            }
            assert_eq!(world.receiver.indexes(), world.selected().await, "{name} {fault:?}");
            assert_eq!(world.one("soc").await.backlog.waiting, 0, "{name} {fault:?}");
        }
    }
}
