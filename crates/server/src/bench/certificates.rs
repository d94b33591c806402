//! What a reader of a large inventory waits for: lists in each order and by each kind of filter,
//! facets, expiry bars, the home page's questions; and what keeping every status true costs.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use chancery_engine::inventory::search::{CertificateQuery, Sort};
use chancery_engine::{Engine, bench};
use chancery_event::Timestamp;
use chancery_pki::Certificate;
use chancery_pki::make::{self, Issuer, Key, Template};
use chancery_store::bench as plain;

use super::sample::Sample;
use super::{Figure, Plan, Report};

/// Questions of each kind; where one takes long, fewer.
const TURNS: usize = 40;
/// How long the questions of one kind may take together.
const PATIENCE: Duration = Duration::from_secs(4);
/// Certificates that enter in one transaction.
const BATCH: u64 = 2_000;
const ISSUERS: u64 = 12;
const DUE: u64 = 10_000;

/// What people ask, `{middle}` being the number of some certificate.
const QUERIES: [&str; 26] = [
    "",
    "status:expiring",
    "status:expired replaced:false",
    "expires<7d",
    "expires>60d status:valid",
    "added>-1h",
    "name:host-{middle}.bench.example.com",
    "cn:host-{middle}.bench*",
    "subject:*host-{middle}.*",
    "subject:*ost-{middle}*",
    "serial:00*",
    "issuer_cn:\"Measured Issuing CA 3\"",
    "issuer:*\"CA 3\"*",
    "key:rsa",
    "key_size<2048",
    "ca:true",
    "owner:bench-3",
    "owner:bench-3 status:expired",
    "group:measured-3",
    "ra_profile:measured-3 -group:measured-3",
    "path:/bench/3",
    "archived:true",
    "bench",
    "\"host-{middle}\"",
    "bench status:expiring owner:bench-3",
    "-owner:* -status:valid",
];

/// What the home page counts.
const HOME: [&str; 7] = [
    "status:expired replaced:false",
    "status:expiring replaced:false",
    "status:invalid",
    "status:untrusted,incomplete",
    "expires:next(30d) replaced:false",
    "expires:next(30d) replaced:true",
    "status:unknown",
];

/// Fills an inventory to `size` certificates and asks.
pub(super) async fn measure(plan: &Plan, size: u64, report: &mut Report) -> Result<()> {
    let running = super::start(&plan.dir("certificates")?).await?;
    let engine = running.engine().clone();
    let started = Instant::now();
    let made = fill(&engine, size).await?;
    if made > 0 {
        let rate = super::per_second(made, started);
        report.add([Figure::new("certificates into the inventory's tables", rate, "/s")]);
    }
    report.note(&format!("— {size} certificates —"));
    let of = |name: &str| format!("{name} [{size}]");
    for text in QUERIES {
        let text = text.replace("{middle}", &(size / 2).to_string());
        let what = if text.is_empty() { "everything" } else { &text };
        let (mut pages, number) = pages(&engine, &text).await?;
        report.add([pages.figure(of(&format!("list, {what} ({number})")))]);
        let mut facets = facets(&engine, &text).await?;
        let figure = facets.figure(of(&format!("… count and facets, {what}")));
        let beside = if text.is_empty() { Some(counted_plainly(&engine).await?) } else { None };
        report.add([match beside {
            Some(ms) => figure.beside(ms),
            None => figure,
        }]);
        let mut bars = bars(&engine, &text).await?;
        report.add([bars.figure(of(&format!("… expiry bars, {what}")))]);
    }
    for (sort, descending) in
        [(Sort::Added, true), (Sort::Subject, false), (Sort::Status, false), (Sort::Expires, true)]
    {
        for text in ["", "status:valid", "owner:bench-3", "key_size<2048"] {
            let mut sample = sorted(&engine, text, sort, descending).await?;
            let name = format!("list by {}, “{text}”", sort.as_str());
            report.add([sample.figure(of(&name))]);
        }
    }
    let mut home = home(&engine).await?;
    report.add([home.figure(of("the home page's counts and bars"))]);
    sweep(&engine, size, report).await?;
    running.stop().await.context("stop")
}

/// Asks again and again.
async fn repeated(mut once: impl AsyncFnMut() -> Result<()>) -> Result<Sample> {
    let mut sample = Sample::default();
    once().await?;
    let begun = Instant::now();
    for _ in 0..TURNS {
        let started = Instant::now();
        once().await?;
        sample.push(started.elapsed());
        if begun.elapsed() > PATIENCE {
            break;
        }
    }
    Ok(sample)
}

async fn pages(engine: &Engine, text: &str) -> Result<(Sample, usize)> {
    let mut found = 0;
    let sample = repeated(async || {
        found = page(engine, text, Sort::Expires, false).await?;
        Ok(())
    })
    .await?;
    Ok((sample, found))
}

async fn sorted(engine: &Engine, text: &str, sort: Sort, descending: bool) -> Result<Sample> {
    repeated(async || page(engine, text, sort, descending).await.map(|_| ())).await
}

async fn page(engine: &Engine, text: &str, sort: Sort, descending: bool) -> Result<usize> {
    let context = bench::context(engine.environment());
    let filter = engine.parse_certificate_filter(text).await?;
    let query = CertificateQuery { filter, sort, descending, cursor: None, limit: 50 };
    Ok(engine.certificates(&context, &query).await?.items.len())
}

async fn facets(engine: &Engine, text: &str) -> Result<Sample> {
    let context = bench::context(engine.environment());
    let filter = engine.parse_certificate_filter(text).await?;
    repeated(async || {
        engine.certificate_facets(&context, &filter).await?;
        Ok(())
    })
    .await
}

async fn bars(engine: &Engine, text: &str) -> Result<Sample> {
    let context = bench::context(engine.environment());
    let filter = engine.parse_certificate_filter(text).await?;
    let now = engine.environment().now().micros().div_euclid(Timestamp::HOUR) * Timestamp::HOUR;
    let (from, to) = (now - 30 * Timestamp::DAY, now + 395 * Timestamp::DAY);
    let (from, to) = (Timestamp::from_micros(from), Timestamp::from_micros(to));
    repeated(async || {
        let width = 170 * Timestamp::HOUR;
        engine.certificate_expiries(&context, &filter, from, to, width).await?;
        Ok(())
    })
    .await
}

async fn home(engine: &Engine) -> Result<Sample> {
    let context = bench::context(engine.environment());
    let now = engine.environment().now().micros().div_euclid(Timestamp::DAY) * Timestamp::DAY;
    let (from, to) =
        (Timestamp::from_micros(now), Timestamp::from_micros(now + 31 * Timestamp::DAY));
    repeated(async || {
        for text in HOME {
            let filter = engine.parse_certificate_filter(text).await?;
            engine.certificate_count(&context, &filter).await?;
        }
        let coming = engine.parse_certificate_filter(HOME[4]).await?;
        engine.certificate_expiries(&context, &coming, from, to, Timestamp::DAY).await?;
        engine.figures().await?;
        Ok(())
    })
    .await
}

/// Milliseconds of a total and five facets by plain SQL.
async fn counted_plainly(engine: &Engine) -> Result<f64> {
    let mut link = bench::store(engine).read().await?;
    let started = Instant::now();
    plain::certificate_facets(&mut link).await?;
    Ok(started.elapsed().as_secs_f64() * 1e3)
}

/// What validation costs when nothing is due, and when many certificates cross a threshold.
async fn sweep(engine: &Engine, size: u64, report: &mut Report) -> Result<()> {
    let mut nothing = repeated(async || {
        let due = bench::sweep(engine).await?;
        anyhow::ensure!(due == 0, "{due} certificates are due");
        Ok(())
    })
    .await?;
    report.add([nothing.figure(format!("validation, nothing due [{size}]"))]);
    let due = plain::make_due(bench::store(engine), DUE.min(size / 10)).await?;
    let started = Instant::now();
    bench::all_judged(engine).await?;
    let took = started.elapsed().as_secs_f64() * 1e3;
    report.add([Figure::new(format!("validation, {due} cross a threshold [{size}]"), took, "ms")]);
    super::writing::settled(engine).await
}

/// Brings the inventory to `size` certificates; answers how many it made.
async fn fill(engine: &Engine, size: u64) -> Result<u64> {
    let mut have = {
        let mut link = bench::store(engine).read().await?;
        u64::try_from(chancery_store::table::certificate::count(&mut link).await?)?
    };
    let before = have;
    if have == 0 {
        let issuers = (0..ISSUERS).map(issuer).map(|made| made.map(|(_, der)| der));
        bench::stock(engine, issuers.collect::<Result<_>>()?, 0).await?;
        have = ISSUERS;
    }
    let now = engine.environment().now().micros();
    let mut next = tokio::task::spawn_blocking(move || leaves(have, BATCH.min(size - have), now));
    while have < size {
        let made = next.await??;
        let count = made.len() as u64;
        let from = have + count;
        next = tokio::task::spawn_blocking(move || leaves(from, BATCH.min(size - from), now));
        bench::stock(engine, made, have).await?;
        have += count;
    }
    next.await??;
    super::writing::settled(engine).await?;
    Ok(have - before)
}

fn issuer(number: u64) -> Result<(Key, Vec<u8>)> {
    let name = format!("Measured Issuing CA {number}");
    let key = Key::from_seed(name.as_bytes())?;
    let from = 1_700_000_000_000_000;
    let template = Template::ca(&name, from, from + 9_000 * Timestamp::DAY);
    let der = make::certificate(&template, &key, None)?;
    Ok((key, der))
}

/// Leaves that end between a month ago and in three months, from all issuers.
fn leaves(from: u64, count: u64, now: i64) -> Result<Vec<Vec<u8>>> {
    let issuers: Vec<_> = (0..ISSUERS).map(issuer).collect::<Result<_>>()?;
    let parsed: Vec<Certificate> =
        issuers.iter().map(|(_, der)| Certificate::parse(der)).collect::<Result<_, _>>()?;
    let key = Key::from_seed(b"the measured leaf")?;
    let mut made = Vec::with_capacity(usize::try_from(count)?);
    for number in from..from + count {
        let host = format!("host-{number}.bench.example.com");
        // A step that has no common divisor with the range: the ends are spread over it.
        let end = i64::try_from(number * 7_919_003 % (120 * 86_400))? - 30 * 86_400;
        let at = usize::try_from(number % ISSUERS)?;
        let issuer = Issuer { certificate: &parsed[at], key: &issuers[at].0 };
        let not_after = now + end * 1_000_000;
        let template = Template::leaf(&[host.as_str()], not_after - 90 * Timestamp::DAY, not_after);
        made.push(make::certificate(&template, &key, Some(&issuer))?);
    }
    Ok(made)
}
