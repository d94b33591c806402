//! Order, batches by the hour, replays, and where an event went.

use super::*;

chancery_throwaway::on_each_backend!(in_order_means_that_a_failure_holds_up_what_follows);

async fn in_order_means_that_a_failure_holds_up_what_follows() {
    let world = World::new().await;
    let mut body = groups();
    body["ordered"] = json!(true);
    world.forwarder("soc", body).await;
    for number in 0..12 {
        world.event(number).await;
    }
    let selected = world.selected().await;
    let mut courier = world.courier();
    // Each of three is refused once, without effect, and nothing behind it overtakes it.
    for refused in [selected[0], selected[3], selected[4]] {
        *world.receiver.refuses.lock().unwrap() = Some(refused);
        settle(&mut courier).await;
        let order = world.receiver.order.lock().unwrap().clone();
        assert!(order.iter().all(|index| *index < refused), "{order:?} overtook {refused}");
        *world.receiver.refuses.lock().unwrap() = None;
        world.receiver.lose_answers.store(1, Ordering::SeqCst);
        for _ in 0..2 {
            world.clock.advance(60 * Timestamp::SECOND);
            courier.round().await.unwrap();
            courier.land().await.unwrap();
        }
    }
    for _ in 0..40 {
        settle(&mut courier).await;
        world.clock.advance(60 * Timestamp::SECOND);
    }
    let order = world.receiver.order.lock().unwrap().clone();
    assert_eq!(order, selected);
}

chancery_throwaway::on_each_backend!(a_periodic_one_sends_batches_at_its_hours);

async fn a_periodic_one_sends_batches_at_its_hours() {
    let world = World::new().await;
    let mut body = groups();
    body["runner"] = json!("periodic");
    body["every_hours"] = json!(3);
    body["batch_max"] = json!(100);
    world.forwarder("soc", body).await;
    let mut courier = world.courier();
    for number in 0..5 {
        world.event(number).await;
        settle(&mut courier).await;
    }
    assert!(world.receiver.indexes().is_empty(), "not yet");
    world.clock.advance(3 * HOUR);
    settle(&mut courier).await;
    assert_eq!(world.receiver.effects.lock().unwrap().len(), 1, "one batch");
    assert_eq!(world.receiver.indexes(), world.selected().await);
    world.event(9).await;
    settle(&mut courier).await;
    assert_eq!(world.receiver.effects.lock().unwrap().len(), 1);
    world.clock.advance(3 * HOUR);
    settle(&mut courier).await;
    assert_eq!(world.receiver.effects.lock().unwrap().len(), 2);
}

chancery_throwaway::on_each_backend!(a_replay_sends_again_from_an_index);

async fn a_replay_sends_again_from_an_index() {
    let world = World::new().await;
    world.forwarder("soc", groups()).await;
    let mut courier = world.courier();
    for number in 0..4 {
        world.event(number).await;
    }
    settle(&mut courier).await;
    let selected = world.selected().await;
    let replay = async |from: u64, to: Option<u64>| {
        world.engine().replay_forwarder(&world.context, "soc", from, to).await
    };
    assert_eq!(replay(selected[2], None).await.unwrap(), 0, "nothing has left the database");
    settle(&mut courier).await;
    let mut times: HashMap<u64, usize> = HashMap::new();
    for index in world.receiver.indexes() {
        *times.entry(index).or_default() += 1;
    }
    assert_eq!(selected.iter().map(|index| times[index]).collect::<Vec<_>>(), [1, 1, 2, 2]);
    let beyond = replay(1_000_000, None).await;
    assert!(matches!(beyond, Err(Error::Invalid { field, .. }) if field == "from_index"));
    for to in [selected[1], 1_000_000] {
        let beyond = replay(selected[1], Some(to)).await;
        assert!(matches!(beyond, Err(Error::Invalid { field, .. }) if field == "to_index"));
    }
}

chancery_throwaway::on_each_backend!(a_part_of_the_log_is_sent_again_and_then_it_goes_on);

async fn a_part_of_the_log_is_sent_again_and_then_it_goes_on() {
    let world = World::new().await;
    world.forwarder("soc", groups()).await;
    let mut courier = world.courier();
    for number in 0..6 {
        world.event(number).await;
    }
    settle(&mut courier).await;
    let selected = world.selected().await;
    let (from, to) = (selected[1], selected[3]);
    world.engine().replay_forwarder(&world.context, "soc", from, Some(to)).await.unwrap();
    // What comes meanwhile is sent after it; a courier that begins anew goes on with it.
    world.event(6).await;
    let mut courier = world.courier();
    settle(&mut courier).await;
    let selected = world.selected().await;
    let sent = world.receiver.indexes();
    let times = |index: u64| sent.iter().filter(|one| **one == index).count();
    let times: Vec<usize> = selected.iter().map(|index| times(*index)).collect();
    assert_eq!(times, [1, 2, 2, 1, 1, 1, 1]);
    let view = world.one("soc").await;
    assert_eq!((view.row.replay, view.backlog.waiting), (None, 0));
    let query = DeliveryQuery { reason: Some("replay".to_owned()), ..DeliveryQuery::default() };
    assert_eq!(world.engine().deliveries(&world.context, query, 10).await.unwrap().len(), 2);
    world.event(7).await;
    settle(&mut courier).await;
    assert_eq!(world.receiver.indexes().len(), 10, "and it goes on");
}

chancery_throwaway::on_each_backend!(an_event_tells_where_it_went);

async fn an_event_tells_where_it_went() {
    let world = World::new().await;
    let mut batched = groups();
    batched["batch_max"] = json!(10);
    world.forwarder("many", batched).await;
    world.forwarder("one", groups()).await;
    for number in 0..4 {
        world.event(number).await;
        let draft = LabelDraft { name: format!("p{number}"), description: String::new() };
        let other = world.engine().create_label(&world.context, LabelClass::RaProfile, draft);
        other.await.unwrap();
    }
    settle(&mut world.courier()).await;
    let all = world.selected().await;
    let of = async |index: u64| {
        let found = world.engine().deliveries_of_event(&world.context, LogIndex(index)).await;
        let mut names: Vec<String> =
            found.unwrap().into_iter().map(|row| row.destination).collect();
        names.sort();
        names
    };
    for index in &all {
        assert_eq!(of(*index).await, ["many", "one"], "{index}");
    }
    // In between, within the span of the batch, lies what it does not carry.
    let between = (all[0]..all[3]).find(|index| !all.contains(index)).unwrap();
    assert!(of(between).await.is_empty());
}

chancery_throwaway::on_each_backend!(one_delivery_is_sent_again_under_its_identifier);

async fn one_delivery_is_sent_again_under_its_identifier() {
    let world = World::new().await;
    world.forwarder("soc", groups()).await;
    world.event(1).await;
    let mut courier = world.courier();
    settle(&mut courier).await;
    let query = DeliveryQuery::default();
    let rows = world.engine().deliveries(&world.context, query, 10).await.unwrap();
    assert_eq!((rows.len(), rows[0].state.as_str()), (1, "delivered"));
    world.engine().resend_delivery(&world.context, rows[0].id).await.unwrap();
    settle(&mut courier).await;
    assert_eq!(world.receiver.calls.load(Ordering::SeqCst), 2);
    assert_eq!(world.receiver.effects.lock().unwrap().len(), 1, "the same identifier");
    let view = world.engine().delivery(&world.context, rows[0].id).await.unwrap();
    assert_eq!((view.row.attempts, view.attempts.len()), (2, 2));
}
