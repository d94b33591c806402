//! Years of an estate in seconds: a virtual clock, a seed, the real engine on a real store.
//!
//! Certificates, authorities and tokens are renewed in time, late or never; some are archived,
//! restored, deleted, revoked; triggers keep some out, place others, raise and resolve alerts,
//! start jobs; monitors and triggers are changed, paused and bound otherwise; the program is killed
//! between any two steps and stays down for days; the clock jumps and comes back; the store is away
//! for a while, or loses the answers of some transactions. After every run of a monitor everything
//! is held against a model that computes by itself, from dates and events alone:
//!
//! - no missed threshold: who has crossed one has been reported for it or for a more pressing one,
//!   by each monitor that looks at it;
//! - no threshold twice by one monitor for one object, however often it was named; a repetition
//!   once for each interval;
//! - no expired certificate or token without an open alert, and none for what is silent;
//! - no effect without a record: every event has been shown to exactly the triggers that listen,
//!   once, with the verdict that follows from their rules; whatever was done on behalf of a trigger
//!   has the evaluation that says so, and what an evaluation says was done was done, once; every
//!   alert, every job and every run has its event.
//!
//! Read in this order: `model` (dates), `setup` (what is configured), `world` (what happens),
//! `check` and `react` (what must hold).
//!
//! A seed that fails is printed; `CHANCERY_SEED=n` runs it alone. `CHANCERY_FULL=1` runs 200 seeds
//! of a year with 1,000 services; `CHANCERY_SEEDS=a..b` some of them. They run on the embedded
//! engine, and with `CHANCERY_TEST_BACKEND=postgres` on a server; one short run on a server is
//! always part of the suite.

mod check;
mod model;
mod react;
mod setup;
mod world;

use std::time::Instant;

use chancery_throwaway::{Backend, run};
use world::World;

/// Numbers from a seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: i64) -> i64 {
        i64::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(i64::try_from(length).unwrap())).unwrap()
    }

    fn one_in(&mut self, count: i64) -> bool {
        self.below(count) == 0
    }
}

async fn simulate(seed: u64, days: i64, services: usize) -> String {
    let mut world = World::new(seed, services).await;
    let end = world.now().plus(days * chancery_event::Timestamp::DAY);
    while world.now() < end {
        world.step().await;
    }
    world.finish().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_estate_lives_and_nothing_is_missed_or_told_twice() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let full = std::env::var_os("CHANCERY_FULL").is_some();
    let (days, services) = if full { (365, 1_000) } else { (120, 42) };
    let all = if full { 1..201 } else { 1..4 };
    let seeds = match (number("CHANCERY_SEED"), std::env::var("CHANCERY_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, Ok(text)) => {
            let (from, to) = text.split_once("..").unwrap();
            from.parse().unwrap()..to.parse().unwrap()
        }
        (None, Err(_)) => all,
    };
    for seed in seeds {
        let started = Instant::now();
        let told = simulate(seed, days, services).await;
        let took = started.elapsed().as_secs_f64();
        println!("seed {seed}: {days} days, {services} services, {told}, {took:.1} s");
    }
}

#[test]
fn an_estate_on_a_server_lives_and_nothing_is_missed_or_told_twice() {
    run(Backend::Postgres, 2, async {
        let told = simulate(3, 60, 30).await;
        println!("on a server: {told}");
    });
}
