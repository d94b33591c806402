//! What is about people: who is told of it, and who chooses by it.

use super::*;

chancery_throwaway::on_each_backend!(only_who_is_to_be_told_gets_what_is_about_people);

async fn only_who_is_to_be_told_gets_what_is_about_people() {
    let mut world = World::new().await;
    let mut by_ada = groups();
    by_ada["select"]["filter"] = json!("detail.class:group actor:ada");
    let mut told = groups();
    told["personal"] = json!(true);
    let mut courier = world.courier();
    // Alone, and beside others that read the same part of the log.
    for (round, others) in [(0, false), (1, true)] {
        if others {
            world.forwarder("told", told.clone()).await;
            world.forwarder("plain", groups()).await;
        } else {
            world.forwarder("by-ada", by_ada.clone()).await;
        }
        for (number, name) in ["ada", "grace"].into_iter().enumerate() {
            world.context.name = Some(name.to_owned());
            world.event(round * 2 + number).await;
        }
        settle(&mut courier).await;
    }
    let mut shown = world.receiver.shown.lock().unwrap().clone();
    shown.sort();
    let of = |name: &str| -> Vec<Option<&str>> {
        let own = shown.iter().filter(|(of, _)| of == name);
        own.map(|(_, who)| who.as_deref()).collect()
    };
    assert_eq!(of("by-ada"), [None, None], "chosen by it, and not told it");
    assert_eq!(of("told"), [Some("ada"), Some("grace")]);
    assert_eq!(of("plain"), [None, None]);
}
