//! Parts of the log are made ahead and hold whatever comes, on a server.

use chancery_event::{Origin, Severity, Verdict};
use chancery_store::Tx;
use chancery_store::log::{self, Part};
use chancery_throwaway::{Backend, on_each_backend};

use crate::log::{NOW, Sketch, certificate, environment, seal};

on_each_backend!(parts_are_made_ahead_of_the_log);

async fn parts_are_made_ahead_of_the_log() {
    let (_place, store) = crate::store().await;
    let narrow = store.transaction("narrow", |tx: &mut Tx| {
        Box::pin(async move { log::set_width(tx, 256).await })
    });
    narrow.await.unwrap();
    let environment = environment(1);
    let sketched = |count: u64| -> Vec<_> {
        let sketch = |number: u64| Sketch {
            event_type: "certificate.uploaded",
            severity: Severity::Info,
            result: Verdict::Success,
            origin: Origin::Api,
            time: NOW + i64::try_from(number).unwrap(),
            actor: None,
            ip: None,
            targets: vec![certificate(number % 5)],
            message: None,
        };
        (0..count).map(|number| sketch(number).event(&environment, None)).collect()
    };
    seal(&store, 0, sketched(100)).await;
    let parts = async || log::parts(&mut store.read().await.unwrap()).await.unwrap();
    let first = Part { first: 0, end: 256 };
    let second = Part { first: 256, end: 512 };
    if Backend::current() == Backend::Embedded {
        assert!(parts().await.is_empty());
    } else {
        assert_eq!(parts().await, [first]);
    }
    // A quarter of the last is left: the next one is there.
    seal(&store, 100, sketched(100)).await;
    if Backend::current() == Backend::Postgres {
        assert_eq!(parts().await, [first, second]);
    }
    // More at once than a part has.
    seal(&store, 200, sketched(900)).await;
    let mut link = store.read().await.unwrap();
    assert_eq!(log::entries(&mut link, 0, 1_100).await.unwrap().len(), 1_100);
    if Backend::current() == Backend::Postgres {
        let parts = log::parts(&mut link).await.unwrap();
        assert!(parts.last().unwrap().end >= 1_164, "{parts:?}");
        assert!(parts.windows(2).all(|two| two[0].end == two[1].first), "{parts:?}");
    }
    drop(link);
    store.close().await;
}
