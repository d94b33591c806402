//! What is saved, kept secret, tried out and told.

use super::*;

chancery_throwaway::on_each_backend!(a_trial_tells_which_addresses_are_taken);

async fn a_trial_tells_which_addresses_are_taken() {
    let world = World::new().await;
    let (engine, context) = (world.engine(), &world.context);
    let edit = DestinationEdit { body: json!({ "kind": "email" }), ..DestinationEdit::default() };
    engine.create_destination(context, Class::Channel, "mail", edit).await.unwrap();
    let refused = async || {
        let mut link = engine.link().await.unwrap();
        let rows = chancery_store::table::contact::refused(&mut link).await.unwrap();
        rows.into_iter().map(|row| row.address).collect::<Vec<_>>()
    };
    let to = || vec!["ada@example.org".to_owned()];
    world.receiver.bounces.store(true, Ordering::SeqCst);
    assert!(engine.try_channel(context, "mail", to()).await.unwrap().failure.is_some());
    assert_eq!(refused().await, to());
    assert_eq!(world.count(EventType::RecipientRefused).await, 1);
    world.receiver.bounces.store(false, Ordering::SeqCst);
    assert!(engine.try_channel(context, "mail", to()).await.unwrap().failure.is_none());
    assert!(refused().await.is_empty(), "it takes mail again");
    let many = (0..21).map(|number| format!("a{number}@example.org")).collect();
    let before = world.count(EventType::ConfigurationTest).await;
    assert!(engine.try_channel(context, "mail", many).await.is_err());
    assert_eq!(world.count(EventType::ConfigurationTest).await, before + 1, "a failed attempt");
}

chancery_throwaway::on_each_backend!(a_trial_waits_for_the_first_event_to_be_sealed);

async fn a_trial_waits_for_the_first_event_to_be_sealed() {
    let world = World::unsealed().await;
    let (engine, context) = (world.engine(), &world.context);
    let edit = DestinationEdit { body: groups(), ..DestinationEdit::default() };
    engine.create_destination(context, Class::Forwarder, "soc", edit).await.unwrap();
    let mut trial = std::pin::pin!(engine.try_destination(context, Class::Forwarder, "soc"));
    let early = tokio::time::timeout(std::time::Duration::from_millis(200), trial.as_mut()).await;
    assert!(early.is_err(), "nothing is there to be sent: {early:?}");
    let (tried, sealed) = tokio::join!(trial, world.stepped.seal());
    sealed.unwrap();
    assert!(tried.unwrap().failure.is_none());
}

chancery_throwaway::on_each_backend!(neither_trials_nor_what_a_namesake_left_are_sent_again);

async fn neither_trials_nor_what_a_namesake_left_are_sent_again() {
    let world = World::new().await;
    let (engine, context, class) = (world.engine(), &world.context, Class::Forwarder);
    world.forwarder("soc", groups()).await;
    let mut courier = world.courier();
    world.receiver.down.store(true, Ordering::SeqCst);
    world.event(1).await;
    settle(&mut courier).await;
    let tried = engine.try_destination(context, class, "soc").await.unwrap();
    assert!(tried.failure.is_some());
    let trials = DeliveryQuery { reason: Some("test".to_owned()), ..DeliveryQuery::default() };
    let trial = engine.deliveries(context, trials, 1).await.unwrap().remove(0);
    assert_eq!(trial.first_index, world.selected().await.last().copied(), "one that it selects");
    assert_eq!(world.one("soc").await.backlog.dead, 0, "a trial is no dead letter");
    world.clock.advance(HOUR);
    engine.delete_destination(context, class, "soc").await.unwrap();
    world.clock.advance(HOUR);
    world.forwarder("soc", groups()).await;
    settle(&mut courier).await;
    world.receiver.down.store(false, Ordering::SeqCst);
    assert_eq!(world.one("soc").await.backlog.dead, 0, "what another one left");
    let since = Timestamp::from_micros(0);
    assert_eq!(engine.recover_deliveries(context, class, "soc", since).await.unwrap(), 0);
    let rows = engine.deliveries(context, DeliveryQuery::default(), 10).await.unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        let refused = engine.resend_delivery(context, row.id).await.unwrap_err();
        let expected = if row.reason == "test" { "trial" } else { "destination_gone" };
        assert_eq!(refused.reason(), expected, "{row:?}");
    }
    settle(&mut courier).await;
    assert!(world.receiver.indexes().is_empty());
}

chancery_throwaway::on_each_backend!(what_cannot_work_is_refused_when_it_is_saved);

async fn what_cannot_work_is_refused_when_it_is_saved() {
    let world = World::new().await;
    let refused = async |name: &str, body: Value| {
        let edit = DestinationEdit { body, ..DestinationEdit::default() };
        match world.engine().create_destination(&world.context, Class::Forwarder, name, edit).await
        {
            Err(Error::Invalid { field, .. }) => field,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("it was saved"),
        }
    };
    assert_eq!(refused("Bad Name", groups()).await, "name");
    assert_eq!(refused("soc", json!({ "kind": "pigeon" })).await, "kind");
    assert_eq!(
        refused("soc", json!({ "kind": "fake", "settings": { "bad": 1 } })).await,
        "settings/bad"
    );
    for host in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "::ffff:10.0.0.1"] {
        let body = json!({ "kind": "fake", "settings": { "host": host } });
        assert_eq!(refused("soc", body).await, "settings/host", "{host}");
    }
    assert_eq!(world.count(EventType::ConfigurationCreate).await, 8, "every failure is an event");
}

chancery_throwaway::on_each_backend!(secrets_are_kept_apart_and_made_ones_shown_once);

async fn secrets_are_kept_apart_and_made_ones_shown_once() {
    let world = World::new().await;
    let mut edit = DestinationEdit { body: groups(), ..DestinationEdit::default() };
    edit.secrets.insert("token".to_owned(), "very-secret-token".to_owned());
    let (engine, class) = (world.engine(), Class::Forwarder);
    let made = engine.create_destination(&world.context, class, "soc", edit).await.unwrap();
    assert_eq!(made.generated, [("signing".to_owned(), "made here".to_owned())]);
    let view = world.one("soc").await;
    assert_eq!(view.secrets, ["signing", "token"]);
    assert!(!format!("{view:?}").contains("very-secret"));
    // Changing something else keeps them; nothing is made again.
    let mut edit = DestinationEdit { body: groups(), ..DestinationEdit::default() };
    edit.body["title"] = json!("The SOC");
    let saved =
        engine.update_destination(&world.context, class, "soc", Some(1), edit).await.unwrap();
    assert_eq!((saved.version, saved.generated.len()), (2, 0));
    let stale = DestinationEdit { body: groups(), ..DestinationEdit::default() };
    let stale = engine.update_destination(&world.context, class, "soc", Some(1), stale).await;
    assert!(stale.is_err(), "somebody changed it first");
    world.stepped.seal().await.unwrap();
    let mut link = engine.link().await.unwrap();
    for sealed in log::range(&mut link, LogIndex(0), 1_000).await.unwrap() {
        let text = format!("{:?}", sealed.event());
        assert!(!text.contains("very-secret") && !text.contains("made here"), "{text}");
    }
    let versions = engine.destination_versions(&world.context, class, "soc").await.unwrap();
    assert_eq!(versions.len(), 2);
    engine.delete_destination(&world.context, class, "soc").await.unwrap();
    assert!(engine.destination(&world.context, class, "soc").await.is_err());
}

chancery_throwaway::on_each_backend!(a_secret_stays_with_the_receiver_it_was_given_for);

async fn a_secret_stays_with_the_receiver_it_was_given_for() {
    let world = World::new().await;
    let (engine, context, class) = (world.engine(), &world.context, Class::Forwarder);
    let edit = |host: &str, secret: Option<&str>| {
        let mut edit = DestinationEdit { body: groups(), ..DestinationEdit::default() };
        edit.body["settings"] = json!({ "host": host });
        edit.secrets =
            secret.map(|secret| ("token".to_owned(), secret.to_owned())).into_iter().collect();
        edit
    };
    let made = engine.create_destination(context, class, "soc", edit("8.8.8.8", Some("x")));
    made.await.unwrap();
    let update =
        async |edit| match engine.update_destination(context, class, "soc", None, edit).await {
            Err(Error::Invalid { field, .. }) => Some(field),
            Err(other) => panic!("{other:?}"),
            Ok(_) => None,
        };
    assert_eq!(update(edit("8.8.8.8", None)).await, None, "the same receiver");
    let elsewhere = update(edit("1.1.1.1", None)).await;
    assert_eq!(elsewhere.as_deref(), Some("secrets/token"));
    assert_eq!(world.one("soc").await.endpoint, "8.8.8.8");
    assert_eq!(update(edit("1.1.1.1", Some("y"))).await, None, "given once more");
    assert_eq!(update(edit("8.8.4.4", Some(""))).await, None, "or taken away");
    assert_eq!(world.one("soc").await.secrets, ["signing"]);
}

chancery_throwaway::on_each_backend!(a_message_is_delivered_and_leaves_the_event_of_a_notice);

async fn a_message_is_delivered_and_leaves_the_event_of_a_notice() {
    let world = World::new().await;
    let mut body = groups();
    body["kind"] = json!("email");
    body["settings"] = json!({ "to": ["ada@example.org"] });
    world.forwarder("mail", body).await;
    let trial = world.engine().try_destination(&world.context, Class::Forwarder, "mail").await;
    assert!(trial.unwrap().failure.is_none());
    assert_eq!(world.receiver.messages.lock().unwrap().len(), 1);
    assert_eq!(world.count(EventType::NotificationEmail).await, 1);
    assert_eq!(world.count(EventType::ConfigurationTest).await, 1);
}
