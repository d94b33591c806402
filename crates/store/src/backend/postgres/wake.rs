//! Nodes tell each other that something was committed, so that loops elsewhere need not wait for
//! their timer (LISTEN, NOTIFY).
//!
//! A hint, no more: it may come late, twice or never, and every loop that waits for it has a timer
//! as well. It is sent beside the commits, not within them, because a transaction that notifies
//! makes all others that do so wait until it is on disk.
//!
//! A connection that only listens does not notice that a firewall has dropped it. So each node
//! tells a pulse now and then, its own ears included; who hears nothing for some pulses listens
//! anew.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::session::{Kind, Session};
use crate::backend::settings::DatabaseUrl;

const CHANNEL: &str = "chancery";
/// News that come together are told together.
const GATHER: Duration = Duration::from_millis(4);
/// How long a node that lost the server waits before it tries again.
const PAUSE: Duration = Duration::from_millis(500);
/// How often a node tells that it lives when there is nothing else to tell.
const PULSE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 30 });
/// Who hears nothing for so long listens anew.
const SILENCE: Duration = Duration::from_secs(if cfg!(test) { 4 } else { 100 });
/// What a pulse says.
const ALIVE: &str = "alive";

/// Starts hearing and telling. `commits` is counted up by what others tell; `news` counts what
/// they are to be told. Both end when the writers do.
pub(super) fn start(
    url: &DatabaseUrl,
    commits: Arc<watch::Sender<u64>>,
    news: watch::Receiver<u64>,
) -> [JoinHandle<()>; 2] {
    let session = Session::new(url, Kind::Plain);
    let answer_max = session.limits().connect();
    let pool = session.pool().max_connections(3).acquire_timeout(answer_max);
    let pool = pool.connect_lazy_with(session.options());
    let name = own_name();
    let done = watch::Sender::new(false);
    let ended = done.subscribe();
    [
        tokio::spawn(hear((pool.clone(), answer_max), name.clone(), commits, ended)),
        tokio::spawn(tell((pool, answer_max), name, news, done)),
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
    (pool, answer_max): (PgPool, Duration),
    name: String,
    commits: Arc<watch::Sender<u64>>,
    mut ended: watch::Receiver<bool>,
) {
    let listening = async {
        loop {
            if let Ok(Ok(mut listener)) =
                tokio::time::timeout(answer_max, PgListener::connect_with(&pool)).await
                && listener.listen(CHANNEL).await.is_ok()
            {
                // Something may have been missed before.
                commits.send_modify(|count| *count += 1);
                while let Ok(Ok(Some(heard))) =
                    tokio::time::timeout(SILENCE, listener.try_recv()).await
                {
                    if heard.payload() != name && heard.payload() != ALIVE {
                        commits.send_modify(|count| *count += 1);
                    }
                }
                tracing::info!("what other nodes tell is listened to anew");
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
    (pool, answer_max): (PgPool, Duration),
    name: String,
    mut news: watch::Receiver<u64>,
    done: watch::Sender<bool>,
) {
    loop {
        let what = match tokio::time::timeout(PULSE, news.changed()).await {
            Ok(Ok(())) => name.as_str(),
            Ok(Err(_)) => break,
            Err(_) => ALIVE,
        };
        let told = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(what);
        if !matches!(tokio::time::timeout(answer_max, told.execute(&pool)).await, Ok(Ok(_))) {
            tokio::time::sleep(PAUSE).await;
        }
        tokio::time::sleep(GATHER).await;
    }
    done.send_replace(true);
    pool.close().await;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chancery_throwaway::{Wire, server};

    use crate::table::setting;
    use crate::{Lane, Settings, Store, Tx};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_listens_on_a_dead_wire_listens_anew() {
        let name = server().database(None);
        let wire = Wire::to(server().port());
        let url = wire.url(&server().url(&name), server().port());
        let open =
            async |url: &str| Store::open(&Settings::postgres(url.parse().unwrap())).await.unwrap();
        let (here, there) = (open(&server().url(&name)).await, open(&url).await);
        let mut heard = there.committed();
        let hears = async |heard: &mut tokio::sync::watch::Receiver<u64>| {
            let told = async {
                loop {
                    heard.mark_unchanged();
                    let unit = here.transaction_in(Lane::First, "seal", |tx: &mut Tx| {
                        Box::pin(async move { setting::put(tx, "sealed", "1").await })
                    });
                    unit.await.unwrap();
                    if tokio::time::timeout(Duration::from_secs(1), heard.changed()).await.is_ok() {
                        return;
                    }
                }
            };
            tokio::time::timeout(Duration::from_secs(60), told).await.expect("it hears")
        };
        hears(&mut heard).await;
        // A firewall forgets the connection: no byte comes, and no end of it either.
        assert!(wire.go_silent() > 0);
        hears(&mut heard).await;
    }
}
