//! Nodes tell each other that something was committed, so that loops elsewhere need not wait for
//! their timer (LISTEN, NOTIFY).
//!
//! A hint, no more: it may come late, twice or never, and every loop that waits for it has a timer
//! as well. It is sent beside the commits, not within them, because a transaction that notifies
//! makes all others that do so wait until it is on disk.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPool, PgPoolOptions};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::session;
use crate::backend::settings::DatabaseUrl;

const CHANNEL: &str = "chancery";
/// News that come together are told together.
const GATHER: Duration = Duration::from_millis(4);
/// How long a node that lost the server waits before it tries again.
const PAUSE: Duration = Duration::from_millis(500);
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Starts hearing and telling. `commits` is counted up by what others tell; `news` counts what
/// they are to be told. Both end when the writers do.
pub(super) fn start(
    url: &DatabaseUrl,
    commits: Arc<watch::Sender<u64>>,
    news: watch::Receiver<u64>,
) -> [JoinHandle<()>; 2] {
    let pool = PgPoolOptions::new()
        .max_connections(3)
        .acquire_timeout(ANSWER_MAX)
        .connect_lazy_with(session(url, &[]));
    let name = own_name();
    let done = watch::Sender::new(false);
    let ended = done.subscribe();
    [
        tokio::spawn(hear(pool.clone(), name.clone(), commits, ended)),
        tokio::spawn(tell(pool, name, news, done)),
    ]
}

/// Tells this store from all others, within this process and elsewhere.
fn own_name() -> String {
    let mut bytes = [0; 8];
    // Without randomness a node hears itself, which costs a look and harms nothing.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    format!("{:016x}", u64::from_be_bytes(bytes))
}

async fn hear(
    pool: PgPool,
    name: String,
    commits: Arc<watch::Sender<u64>>,
    mut ended: watch::Receiver<bool>,
) {
    let listening = async {
        loop {
            if let Ok(Ok(mut listener)) =
                tokio::time::timeout(ANSWER_MAX, PgListener::connect_with(&pool)).await
                && listener.listen(CHANNEL).await.is_ok()
            {
                // Something may have been missed before.
                commits.send_modify(|count| *count += 1);
                while let Ok(Some(heard)) = listener.try_recv().await {
                    if heard.payload() != name {
                        commits.send_modify(|count| *count += 1);
                    }
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::select! {
        () = listening => {}
        _ = ended.wait_for(|ended| *ended) => {}
    }
}

async fn tell(
    pool: PgPool,
    name: String,
    mut news: watch::Receiver<u64>,
    done: watch::Sender<bool>,
) {
    while news.changed().await.is_ok() {
        let told = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(&name);
        if !matches!(tokio::time::timeout(ANSWER_MAX, told.execute(&pool)).await, Ok(Ok(_))) {
            tokio::time::sleep(PAUSE).await;
        }
        tokio::time::sleep(GATHER).await;
    }
    done.send_replace(true);
    pool.close().await;
}
