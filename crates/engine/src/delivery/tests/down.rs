//! What becomes of receivers that are down, refuse, cannot be set up, or are gone.

use super::*;

chancery_throwaway::on_each_backend!(a_receiver_that_is_down_for_three_days_loses_nothing);

async fn a_receiver_that_is_down_for_three_days_loses_nothing() {
    let world = World::new().await;
    world.forwarder("soc", groups()).await;
    let mut courier = world.courier();
    world.event(0).await;
    settle(&mut courier).await;
    assert_eq!(world.receiver.indexes(), world.selected().await);
    world.receiver.down.store(true, Ordering::SeqCst);
    // An event every hour for 72 hours, and the courier wakes every five minutes.
    for step in 0..72 * 12 {
        if step % 12 == 0 {
            world.event(1 + step / 12).await;
        }
        world.clock.advance(HOUR / 12);
        settle(&mut courier).await;
    }
    let calls = world.receiver.calls.load(Ordering::SeqCst);
    assert!(calls < 400, "the breaker holds calls back: {calls}");
    let view = world.one("soc").await;
    assert_eq!((view.backlog.waiting, view.backlog.dead), (72, 0));
    assert!(view.row.enabled && view.row.course.lagging);
    assert_eq!(world.count(EventType::DeliveryFailing).await, 1, "said once");
    assert_eq!(world.count(EventType::ForwarderLagging).await, 1);
    world.receiver.down.store(false, Ordering::SeqCst);
    world.clock.advance(HOUR);
    settle(&mut courier).await;
    assert_eq!(world.receiver.indexes(), world.selected().await, "everything, each once");
    assert_eq!(world.count(EventType::DeliveryRecovered).await, 1);
    world.clock.advance(HOUR);
    settle(&mut courier).await;
    assert_eq!(world.count(EventType::ForwarderCaughtUp).await, 1);
    assert_eq!(world.one("soc").await.backlog.waiting, 0);
}

chancery_throwaway::on_each_backend!(what_was_not_sent_is_as_old_as_its_event);

async fn what_was_not_sent_is_as_old_as_its_event() {
    let world = World::new().await;
    world.forwarder("soc", groups()).await;
    let switch = async |enabled| {
        let body = groups();
        let edit = DestinationEdit { body, enabled: Some(enabled), ..DestinationEdit::default() };
        let updated =
            world.engine().update_destination(&world.context, Class::Forwarder, "soc", None, edit);
        updated.await.unwrap();
        world.stepped.seal().await.unwrap();
    };
    let mut courier = world.courier();
    settle(&mut courier).await;
    switch(false).await;
    world.event(0).await;
    world.clock.advance(HOUR);
    world.receiver.down.store(true, Ordering::SeqCst);
    switch(true).await;
    settle(&mut courier).await;
    let view = world.one("soc").await;
    assert_eq!((view.backlog.waiting, view.backlog.lag_s), (1, 3_600), "its delivery is young");
    assert!(view.row.course.lagging);
    world.receiver.down.store(false, Ordering::SeqCst);
    for _ in 0..2 {
        world.clock.advance(HOUR);
        settle(&mut courier).await;
    }
    let view = world.one("soc").await;
    assert_eq!((view.backlog.lag_s, view.row.course.lagging), (0, false));
    // What is sent again was sent; what follows it was not.
    world.receiver.down.store(true, Ordering::SeqCst);
    world.engine().replay_forwarder(&world.context, "soc", 0, None).await.unwrap();
    settle(&mut courier).await;
    assert_eq!(world.one("soc").await.backlog.lag_s, 0);
    assert_eq!(world.count(EventType::ForwarderLagging).await, 1);
    assert_eq!(world.count(EventType::ForwarderCaughtUp).await, 1);
}

chancery_throwaway::on_each_backend!(one_that_is_refused_holds_up_no_other);

async fn one_that_is_refused_holds_up_no_other() {
    let world = World::new().await;
    world.forwarder("soc", groups()).await;
    let mut courier = world.courier();
    *world.receiver.refuses.lock().unwrap() = Some(world.event(0).await - 1);
    while world.one("soc").await.row.course.open_until.is_none() {
        settle(&mut courier).await;
        world.clock.advance(HOUR / 2);
    }
    world.event(1).await;
    for _ in 0..3 {
        world.clock.advance(HOUR / 2);
        settle(&mut courier).await;
    }
    assert_eq!(world.receiver.indexes().len(), 1, "the second one got through");
    let view = world.one("soc").await;
    assert_eq!((view.backlog.waiting, view.row.course.open_until), (1, None));
}

chancery_throwaway::on_each_backend!(what_an_address_of_before_said_counts_for_nothing);

async fn what_an_address_of_before_said_counts_for_nothing() {
    let world = World::new().await;
    world.forwarder("soc", groups()).await;
    let mut courier = world.courier();
    world.receiver.gone.store(true, Ordering::SeqCst);
    world.event(0).await;
    // The attempt is under way when the address is corrected, and ends with 410 after that.
    while world.receiver.calls.load(Ordering::SeqCst) == 0 {
        courier.round().await.unwrap();
        tokio::task::yield_now().await;
    }
    let edit = DestinationEdit { body: groups(), ..DestinationEdit::default() };
    let (engine, class) = (world.engine(), Class::Forwarder);
    engine.update_destination(&world.context, class, "soc", None, edit).await.unwrap();
    world.receiver.gone.store(false, Ordering::SeqCst);
    settle(&mut courier).await;
    let view = world.one("soc").await;
    assert!(view.row.enabled, "the corrected address was never gone");
    assert_eq!((world.receiver.indexes(), view.backlog.waiting), (world.selected().await, 0));
}

chancery_throwaway::on_each_backend!(what_was_taken_before_a_change_is_not_sent_again);

async fn what_was_taken_before_a_change_is_not_sent_again() {
    let world = World::new().await;
    world.forwarder("soc", groups()).await;
    let mut courier = world.courier();
    world.event(0).await;
    // The receiver has it, and the address is changed before it answers.
    world.receiver.gate.store(2, Ordering::SeqCst);
    while !world.receiver.at_gate.load(Ordering::SeqCst) {
        courier.round().await.unwrap();
        tokio::task::yield_now().await;
    }
    let edit = DestinationEdit { body: groups(), ..DestinationEdit::default() };
    let (engine, class) = (world.engine(), Class::Forwarder);
    engine.update_destination(&world.context, class, "soc", None, edit).await.unwrap();
    courier.round().await.unwrap();
    world.receiver.gate.store(0, Ordering::SeqCst);
    settle(&mut courier).await;
    let view = world.one("soc").await;
    assert_eq!((world.receiver.calls.load(Ordering::SeqCst), view.backlog.waiting), (1, 0));
    assert_eq!(view.row.course.last_success_at, None, "nothing is known of the new address");
    let rows = engine.deliveries(&world.context, DeliveryQuery::default(), 10).await.unwrap();
    assert_eq!((rows[0].state.as_str(), rows[0].attempts), ("delivered", 1));
    world.event(1).await;
    settle(&mut courier).await;
    assert_eq!(world.receiver.indexes(), world.selected().await, "it goes on");
}

chancery_throwaway::on_each_backend!(one_that_cannot_be_set_up_is_an_alert_until_it_can);

async fn one_that_cannot_be_set_up_is_an_alert_until_it_can() {
    let world = World::new().await;
    world.forwarder("soc", groups()).await;
    world.receiver.unusable.store(true, Ordering::SeqCst);
    let mut courier = world.courier();
    settle(&mut courier).await;
    let key = receipt::unusable_key("soc");
    assert!(world.is_open(&key).await);
    world.receiver.unusable.store(false, Ordering::SeqCst);
    world.clock.advance(HOUR);
    settle(&mut courier).await;
    assert!(!world.is_open(&key).await);
}

chancery_throwaway::on_each_backend!(what_is_said_of_one_that_cannot_work_ends_with_it);

async fn what_is_said_of_one_that_cannot_work_ends_with_it() {
    let world = World::new().await;
    let (engine, context, class) = (world.engine(), &world.context, Class::Forwarder);
    world.forwarder("soc", groups()).await;
    world.receiver.unusable.store(true, Ordering::SeqCst);
    let mut courier = world.courier();
    settle(&mut courier).await;
    let key = receipt::unusable_key("soc");
    assert!(world.is_open(&key).await);
    engine.switch_destination(context, class, "soc", false).await.unwrap();
    assert!(!world.is_open(&key).await, "it is not tried any more");
    // Off and on without a round of the courier between: it is told anew.
    world.clock.advance(Timestamp::SECOND);
    engine.switch_destination(context, class, "soc", true).await.unwrap();
    settle(&mut courier).await;
    assert!(world.is_open(&key).await, "it still cannot work");
    engine.delete_destination(context, class, "soc").await.unwrap();
    assert!(!world.is_open(&key).await, "it is gone");
    settle(&mut courier).await;
    world.receiver.unusable.store(false, Ordering::SeqCst);
    world.forwarder("soc", groups()).await;
    world.receiver.unusable.store(true, Ordering::SeqCst);
    settle(&mut courier).await;
    assert!(world.is_open(&key).await, "another of the same name");
}

chancery_throwaway::on_each_backend!(a_change_ends_the_alert_that_deliveries_fail);

async fn a_change_ends_the_alert_that_deliveries_fail() {
    let world = World::new().await;
    let (engine, context, class) = (world.engine(), &world.context, Class::Forwarder);
    let key = receipt::failing_key("soc");
    world.forwarder("soc", groups()).await;
    let mut courier = world.courier();
    world.receiver.down.store(true, Ordering::SeqCst);
    world.event(1).await;
    for change in 0..3 {
        // Three attempts, hours apart, each up to a fifth later.
        for _ in 0..12 {
            settle(&mut courier).await;
            world.clock.advance(HOUR);
        }
        assert!(world.is_open(&key).await, "change {change}");
        match change {
            0 => {
                let edit = DestinationEdit { body: groups(), ..DestinationEdit::default() };
                engine.update_destination(context, class, "soc", None, edit).await.map(|_| ())
            }
            1 => engine.switch_destination(context, class, "soc", false).await,
            _ => engine.delete_destination(context, class, "soc").await,
        }
        .unwrap();
        assert!(!world.is_open(&key).await, "change {change} forgets its failures");
        settle(&mut courier).await;
        if change == 1 {
            engine.switch_destination(context, class, "soc", true).await.unwrap();
        }
    }
}

chancery_throwaway::on_each_backend!(
    what_is_down_for_longer_is_switched_off_and_kept_and_can_be_recovered
);

async fn what_is_down_for_longer_is_switched_off_and_kept_and_can_be_recovered() {
    let world = World::new().await;
    world.forwarder("soc", groups()).await;
    let chat = DestinationEdit { body: json!({ "kind": "webhook" }), ..DestinationEdit::default() };
    let made = world.engine().create_destination(&world.context, Class::Channel, "chat", chat);
    made.await.unwrap();
    let mut courier = world.courier();
    world.receiver.down.store(true, Ordering::SeqCst);
    let since = world.engine().environment().now();
    world.event(1).await;
    world.event(2).await;
    for step in 0..121 * 4 {
        if step % 96 == 95 {
            world.event(3 + step).await;
        }
        world.clock.advance(HOUR / 4);
        settle(&mut courier).await;
    }
    let view = world.one("soc").await;
    assert_eq!(*world.receiver.messages.lock().unwrap(), ["The destination soc was switched off"]);
    assert!(world.is_open(&receipt::given_up_key("soc")).await);
    assert!(!view.row.enabled, "switched off after five days");
    assert_eq!(view.row.disabled_because.as_deref(), Some("failing"));
    assert_eq!(view.backlog.dead + view.backlog.waiting, 7, "nothing is gone");
    assert!(view.backlog.dead >= 1);
    assert_eq!(world.count(EventType::DestinationDisabled).await, 1);
    assert!(world.count(EventType::DeliveryExhausted).await >= 1);
    let calls = world.receiver.calls.load(Ordering::SeqCst);
    world.clock.advance(10 * HOUR);
    settle(&mut courier).await;
    assert_eq!(world.receiver.calls.load(Ordering::SeqCst), calls, "nothing is sent any more");
    world.receiver.down.store(false, Ordering::SeqCst);
    let (engine, class) = (world.engine(), Class::Forwarder);
    engine.switch_destination(&world.context, class, "soc", true).await.unwrap();
    let recover = async |since: Timestamp| {
        engine.recover_deliveries(&world.context, class, "soc", since).await.unwrap()
    };
    // Those that were made later alone, and then the others.
    let dead = world.one("soc").await.backlog.dead;
    let later = recover(since.plus(12 * HOUR)).await;
    assert!(later >= 1, "of {dead}");
    assert_eq!((world.one("soc").await.backlog.dead, later + 2), (2, dead), "two are older");
    assert!(world.is_open(&receipt::given_up_key("soc")).await, "not all of it is");
    assert_eq!(recover(since).await, 2);
    assert!(!world.is_open(&receipt::given_up_key("soc")).await, "all of it is sent again");
    settle(&mut courier).await;
    assert_eq!(world.receiver.indexes(), world.selected().await);
}

chancery_throwaway::on_each_backend!(a_receiver_that_is_gone_is_not_called_again);

async fn a_receiver_that_is_gone_is_not_called_again() {
    let world = World::new().await;
    world.forwarder("soc", groups()).await;
    world.event(1).await;
    world.receiver.gone.store(true, Ordering::SeqCst);
    let mut courier = world.courier();
    settle(&mut courier).await;
    let view = world.one("soc").await;
    assert_eq!(view.row.disabled_because.as_deref(), Some("gone"));
    assert_eq!((view.backlog.waiting, world.receiver.calls.load(Ordering::SeqCst)), (1, 1));
}

chancery_throwaway::on_each_backend!(an_event_that_is_refused_of_a_batch_is_tried_again_alone);

async fn an_event_that_is_refused_of_a_batch_is_tried_again_alone() {
    for ordered in [false, true] {
        let world = World::new().await;
        let mut body = groups();
        body["batch_max"] = json!(10);
        body["ordered"] = json!(ordered);
        world.forwarder("soc", body).await;
        for number in 0..4 {
            world.event(number).await;
        }
        let selected = world.selected().await;
        *world.receiver.refuses_of_batch.lock().unwrap() = Some(selected[2]);
        let mut courier = world.courier();
        settle(&mut courier).await;
        if ordered {
            let view = world.one("soc").await;
            assert_eq!((view.backlog.waiting, view.row.course.failures), (1, 1), "all of it");
            continue;
        }
        let taken = [selected[0], selected[1], selected[3]];
        assert_eq!(world.receiver.indexes(), taken);
        let view = world.one("soc").await;
        assert_eq!((view.backlog.waiting, view.row.course.failures), (1, 0), "it works");
        // Three days later it is given up, and nothing that was taken was sent again.
        for _ in 0..100 {
            world.clock.advance(HOUR);
            settle(&mut courier).await;
        }
        assert_eq!(world.receiver.indexes(), taken);
        let view = world.one("soc").await;
        assert_eq!((view.backlog.waiting, view.backlog.dead), (0, 1));
        let query = DeliveryQuery { state: Some("dead".to_owned()), ..DeliveryQuery::default() };
        let dead = world.engine().deliveries(&world.context, query, 10).await.unwrap();
        assert_eq!((dead[0].events, dead[0].first_index), (1, Some(selected[2])));
        assert_eq!(dead[0].error.as_deref(), Some("not this one"));
        // Recovered once the receiver takes it.
        *world.receiver.refuses_of_batch.lock().unwrap() = None;
        let since = Timestamp::from_micros(0);
        let (engine, class) = (world.engine(), Class::Forwarder);
        engine.recover_deliveries(&world.context, class, "soc", since).await.unwrap();
        world.clock.advance(HOUR);
        settle(&mut courier).await;
        assert_eq!(world.receiver.indexes(), selected);
    }
}
