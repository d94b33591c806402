//! Certificates that enter the inventory per second, one by one and in bulk, beside a plain
//! insertion of the same rows.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use chancery_engine::inventory::{PlacementRequest, Source, Upload, UploadAnswer, UploadMode};
use chancery_engine::{Context, Engine, bench};
use chancery_event::Environment;
use chancery_pki::Certificate;
use chancery_pki::make::{self, Issuer, Key, Template};
use chancery_store::bench::{CertificateRow, Plain};
use chancery_store::table::certificate;

use super::{Figure, Plan, Report, concurrently};

const CALLERS: usize = 32;
/// Certificates of one import: an upload is bounded in size.
const IMPORT: usize = 5_000;
const DAY: i64 = 86_400_000_000;

/// Measures single uploads, then imports into the same inventory.
pub(super) async fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    let singles = usize::try_from((plan.size / 5).clamp(1_000, 20_000))?;
    let imported = usize::try_from((plan.size / 2).clamp(5_000, 50_000))?;
    let (ca, leaves) = tokio::task::spawn_blocking(move || make(singles + imported)).await??;
    let running = super::start(&plan.dir("inventory")?).await?;
    let engine = running.engine().clone();
    let context = Arc::new(bench::context(engine.environment()));
    let mut first = upload_of(ca, Source::Upload);
    first.placement.trust_anchor = Some(true);
    all_in(engine.upload(&context, first).await?)?;

    let leaves = Arc::new(leaves);
    let rate = upload(&engine, &context, leaves.clone(), singles).await?;
    let plain = plain(plan, "plain-single", &engine, &leaves[..singles], Some(CALLERS)).await?;
    report.add([Figure::new(format!("uploads, {CALLERS} callers"), rate, "certs/s").beside(plain)]);

    let rest = &leaves[singles..];
    let bundles: Vec<Vec<u8>> = rest.chunks(IMPORT).map(pem).collect();
    let started = Instant::now();
    for bundle in bundles {
        all_in(engine.upload(&context, upload_of(bundle, Source::Import)).await?)?;
    }
    let rate = super::per_second(rest.len() as u64, started);
    let plain = self::plain(plan, "plain-bulk", &engine, rest, None).await?;
    report.add([Figure::new("bulk import", rate, "certs/s").beside(plain)]);
    super::writing::settled(&engine).await?;
    let rate = super::per_second(rest.len() as u64, started);
    report.add([Figure::new("… sealed and searchable", rate, "certs/s")]);
    running.stop().await.context("stop")
}

async fn upload(
    engine: &Engine,
    context: &Arc<Context>,
    leaves: Arc<Vec<Vec<u8>>>,
    count: usize,
) -> Result<f64> {
    let started = Instant::now();
    let (uploading, context) = (engine.clone(), context.clone());
    concurrently(CALLERS, count as u64, move |turn| {
        let (engine, context, leaves) = (uploading.clone(), context.clone(), leaves.clone());
        async move {
            let der = leaves[usize::try_from(turn)?].clone();
            all_in(engine.upload(&context, upload_of(der, Source::Upload)).await?)
        }
    })
    .await?;
    Ok(super::per_second(count as u64, started))
}

/// Rows that the plain import commits at once, as many as the engine.
const CHUNK: usize = 512;

/// Rows per second when the rows that the engine made are inserted as they are: by so many callers,
/// or in bulk.
async fn plain(
    plan: &Plan,
    name: &str,
    engine: &Engine,
    leaves: &[Vec<u8>],
    callers: Option<usize>,
) -> Result<f64> {
    let mut rows: Vec<CertificateRow> = Vec::with_capacity(leaves.len());
    let mut link = bench::store(engine).read().await?;
    for der in leaves {
        let parsed = Certificate::parse(der)?;
        let fingerprint: String =
            parsed.fingerprint_sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        let row = certificate::by_fingerprint(&mut link, &fingerprint).await?;
        let row = row.context("an uploaded certificate is in the inventory")?;
        let names = certificate::names(&mut link, row.id).await?;
        rows.push((row, der.clone(), names));
    }
    let mut plain = Plain::open(&plan.dir(name)?).await?;
    let started = Instant::now();
    for batch in rows.chunks(callers.unwrap_or(CHUNK)) {
        match callers {
            Some(_) => plain.insert_certificates(batch).await?,
            None => plain.import_certificates(batch).await?,
        }
    }
    Ok(super::per_second(rows.len() as u64, started))
}

/// A CA and `count` leaves under it, each with its own key and two names.
pub(super) fn make(count: usize) -> Result<(Vec<u8>, Vec<Vec<u8>>)> {
    let now = Environment::system().now().micros();
    let key = Key::from_seed(b"the measured CA")?;
    let template = Template::ca("Measured Issuing CA", now - 30 * DAY, now + 3_650 * DAY);
    let ca = make::certificate(&template, &key, None)?;
    let certificate = Certificate::parse(&ca)?;
    let issuer = Issuer { certificate: &certificate, key: &key };
    let mut leaves = Vec::with_capacity(count);
    for number in 0..count {
        let host = format!("host-{number}.bench.example.com");
        let names = [host.as_str(), &format!("www.{host}")];
        let key = Key::from_seed(host.as_bytes())?;
        let template = Template::leaf(&names, now - DAY, now + 90 * DAY);
        leaves.push(make::certificate(&template, &key, Some(&issuer))?);
    }
    Ok((ca, leaves))
}

fn upload_of(bytes: Vec<u8>, source: Source) -> Upload {
    let placement = PlacementRequest::default();
    Upload { bytes, password: None, placement, mode: UploadMode::Sync, source }
}

/// Refuses an answer in which anything did not enter.
fn all_in(answer: UploadAnswer) -> Result<()> {
    let UploadAnswer::Done(items) = answer else { bail!("a synchronous upload is done") };
    for item in items {
        item.result.with_context(|| format!("certificate {}", item.position))?;
    }
    Ok(())
}

fn pem(certificates: &[Vec<u8>]) -> Vec<u8> {
    use base64::Engine as _;
    let mut text = String::new();
    for der in certificates {
        let body = base64::engine::general_purpose::STANDARD.encode(der);
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let mut rest = body.as_str();
        while !rest.is_empty() {
            let (line, more) = rest.split_at(rest.len().min(64));
            text.push_str(line);
            text.push('\n');
            rest = more;
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text.into_bytes()
}
