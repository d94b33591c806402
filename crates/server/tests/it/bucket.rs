//! The archive in a bucket of a real store: events leave the database once their entries are there
//! whole, and are shown and proven from there; what is wrong with the bucket removes nothing and
//! breaks nothing else.

use std::sync::Arc;
use std::time::Duration;

use chancery_deliver::{S3, S3Settings};
use chancery_engine::net::Network;
use chancery_engine::retention::{RuleDraft, Run};
use chancery_engine::{Context, Engine, Running, Secret, Settings, bench};
use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_event::{Environment, LogIndex, Timestamp};
use chancery_seal::{TlogProof, Trust};
use chancery_testkit::{Bucket, on_each_backend};

const PATIENCE: Duration = Duration::from_secs(60);
const BUNDLE: &str = "log/one/tile/entries/000";

struct World {
    bucket: Bucket,
    running: Running,
    context: Context,
    _dir: tempfile::TempDir,
}

fn archive(bucket: &Bucket, secret: &str) -> Arc<S3> {
    let settings = S3Settings {
        endpoint: bucket.endpoint(),
        bucket: Bucket::NAME.to_owned(),
        region: "us-east-1".to_owned(),
        prefix: "log/one".to_owned(),
        path_style: true,
        access_key_id: Bucket::KEY.to_owned(),
        secret_access_key: Secret::new(secret.to_owned()),
    };
    let network = Network::new(vec!["127.0.0.0/8".parse().unwrap()]);
    Arc::new(S3::new(network, &settings).unwrap())
}

impl World {
    /// An engine whose log has more than one bundle that is ten days old, and a rule for it.
    async fn new(secret: &str) -> Self {
        let bucket = Bucket::start().await;
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings {
            allow_unencrypted_key: true,
            monitors: false,
            database: chancery_throwaway::database_of(dir.path()).map(|url| url.parse().unwrap()),
            archive: Some(archive(&bucket, secret)),
            archive_always: true,
            ..Settings::new(dir.path())
        };
        let clock = ManualClock::new("2026-11-01T00:00:00Z".parse().unwrap());
        let environment = Environment::new(clock.clone(), SeededEntropy::new(5));
        let running = Engine::start(settings, environment).await.unwrap();
        let engine = running.engine();
        bench::record(engine, &bench::context(engine.environment()), 300).await.unwrap();
        assert!(engine.settle(PATIENCE).await);
        clock.advance(10 * Timestamp::DAY);
        let context = Context::command_line(engine.environment());
        engine.create_retention_rule(&context, rule()).await.unwrap();
        Self { bucket, running, context, _dir: dir }
    }

    fn engine(&self) -> &Engine {
        self.running.engine()
    }

    /// Waits until the first bundle is in the bucket, and everybody who needs it has had it.
    async fn archived(&self) {
        self.until("nothing is archived", async || {
            let preview = self.engine().preview_retention(&self.context, &rule()).await;
            preview.unwrap().events >= 256
        })
        .await;
    }

    async fn until(&self, what: &str, done: impl AsyncFn() -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !done().await {
            assert!(tokio::time::Instant::now() < deadline, "{what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Follows the rule once; answers the run.
    async fn run(&self) -> Run {
        let runs = async || self.engine().retention_runs(&self.context, 100).await.unwrap();
        // Runs that begin at the same moment are in no order.
        let before: Vec<_> = runs().await.into_iter().map(|run| run.id).collect();
        self.engine().queue_retention(&self.context).await.unwrap();
        self.until("the run does not end", async || {
            let runs = runs().await;
            runs.len() > before.len() && runs.iter().all(|run| run.ended_at.is_some())
        })
        .await;
        runs().await.into_iter().find(|run| !before.contains(&run.id)).unwrap()
    }

    /// Whether lists and counts answer.
    async fn works(&self) {
        let counted = self.engine().figures().await.unwrap();
        assert!(counted.log_size > 300);
        bench::record(self.engine(), &bench::context(self.engine().environment()), 3)
            .await
            .unwrap();
        assert!(self.engine().settle(PATIENCE).await);
    }
}

fn rule() -> RuleDraft {
    RuleDraft {
        name: "old".to_owned(),
        filter: String::new(),
        basis: "event".to_owned(),
        after_days: 5,
        enabled: true,
    }
}

on_each_backend!(what_is_in_a_bucket_alone_is_shown_and_proven_from_there, 2);

async fn what_is_in_a_bucket_alone_is_shown_and_proven_from_there() {
    let world = World::new(Bucket::SECRET).await;
    let engine = world.engine();
    world.archived().await;
    // Half an object is no reason to remove what it should hold.
    let whole = world.bucket.read(BUNDLE).await;
    let half = whole[..whole.len() / 2].to_vec();
    world.bucket.write(BUNDLE, half.clone()).await;
    let run = world.run().await;
    assert_eq!((run.state.as_str(), run.removed), ("failed", 0), "{run:?}");
    world.bucket.write(BUNDLE, whole.clone()).await;
    let run = world.run().await;
    assert_eq!((run.state.as_str(), run.removed), ("succeeded", 256), "{run:?}");

    let seen = engine.event_at(&world.context, LogIndex(9)).await.unwrap();
    assert_eq!(seen.removed.map(|removed| removed.run), Some(run.id));
    let proof = engine.proof(&world.context, seen.event.id).await.unwrap();
    let proof: TlogProof = proof.parse().unwrap();
    let trust = Trust::new(&engine.settings().log_origin, vec![engine.verifier().clone()]);
    proof.verify(&seen.entry, &trust).unwrap();
    engine.verify_log(&world.context).await.unwrap();

    // Nobody is shown what is not what was sealed.
    world.bucket.write(BUNDLE, half).await;
    engine.event_at(&world.context, LogIndex(9)).await.map(|_| ()).unwrap_err();
    engine.verify_log(&world.context).await.map(|_| ()).unwrap_err();
    world.works().await;
    world.bucket.write(BUNDLE, whole).await;
    engine.verify_log(&world.context).await.unwrap();

    // The bucket is away: what is there alone is not, everything else is.
    let World { bucket, running, context, _dir } = world;
    drop(bucket);
    let engine = running.engine();
    engine.event_at(&context, LogIndex(9)).await.map(|_| ()).unwrap_err();
    engine.event_at(&context, LogIndex(270)).await.unwrap();
    bench::record(engine, &bench::context(engine.environment()), 3).await.unwrap();
    assert!(engine.settle(PATIENCE).await);
    running.stop().await.unwrap();
}

on_each_backend!(credentials_that_are_refused_remove_nothing, 2);

async fn credentials_that_are_refused_remove_nothing() {
    let world = World::new("another-secret").await;
    let tried = async || {
        let preview = world.engine().preview_retention(&world.context, &rule()).await.unwrap();
        assert_eq!(preview.events, 0, "nothing is safe");
        preview.limits.first().is_some_and(|limit| limit.index == LogIndex(0))
    };
    world.until("it is not told what keeps events", tried).await;
    let run = world.run().await;
    assert_eq!(run.removed, 0, "{run:?}");
    world.works().await;
    assert_eq!(world.engine().event_at(&world.context, LogIndex(9)).await.unwrap().removed, None);
    world.running.stop().await.unwrap();
}
