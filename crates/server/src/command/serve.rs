//! `chancery serve`: configuration, engine, listener, shutdown.

use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use axum::Router;
use axum::serve::ListenerExt as _;
use chancery_engine::archive::{Archive, Directory};
use chancery_engine::net::Network;
use chancery_engine::{Engine, Running, Secret, Settings, key};
use chancery_event::Environment;
use tokio::net::TcpListener;

use crate::cli::serve::ServeArguments;
use crate::config::public_url::PublicUrl;
use crate::config::{self, Config};
use crate::serving::{self, Limits};
use crate::tls::{Identity, TlsListener};

/// Where Debian keeps the machine's CA certificates. `SSL_CERT_FILE` names another file.
const MACHINE_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Runs the server until it is told to stop.
///
/// # Errors
/// The configuration, the data directory, the keys, the address or the TLS files cannot be used.
pub async fn run(arguments: &ServeArguments) -> Result<ExitCode> {
    let mut config = Config::load_to_serve(&arguments.settings.inputs(arguments.demo))?;
    crate::logging::start(&config.logging);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let data_dir = if arguments.demo {
        fresh_directory(&config.serving.data_dir)?
    } else {
        config.serving.data_dir.clone()
    };
    // The address first: a port that is taken must not leave a half-made data directory behind.
    let listener = TcpListener::bind(config.serving.listen).await.with_context(|| {
        format!("cannot listen on {}: is another program using it?", config.serving.listen)
    })?;
    let address = listener.local_addr()?;
    if config.serving.listen.port() == 0 && config.serving.public_url.as_str().ends_with(":0") {
        // Nobody can know the port before it is there; what was assumed then leads nowhere.
        config.serving.public_url = PublicUrl::of_listener(address, config.tls.is_some());
    }
    let identity = match &config.tls {
        Some(tls) => Some(Identity::load(&tls.certificate, &tls.key, SystemTime::now())?),
        None => None,
    };
    let lines = crate::syslog::bind(&config.syslog, config.tls.as_ref()).await?;
    let running =
        Engine::start(settings(&config, data_dir, arguments.demo)?, Environment::system())
            .await
            .context("the server cannot start")?;
    if arguments.demo {
        fill_demonstration(running.engine()).await?;
    }
    let stop = stop()?;
    if let Err(error) = announce(&config, address, &running, arguments.demo) {
        tracing::warn!("{error}; a password that should have been shown there is lost");
    }
    let lines = lines.listen(running.engine().clone())?;
    for (transport, address) in &lines.addresses {
        let _ = outln!("Syslog over {transport}: {address}");
    }
    let router = crate::wiring::router(running.engine().clone(), &config, arguments.demo);
    let drain = Duration::from_secs(config.serving.drain_seconds.into());
    let hastening =
        arguments.demo.then(|| tokio::spawn(hasten_demonstration(running.engine().clone())));
    let leaving = running.engine().clone();
    let stop = async move {
        stop.await;
        if !drain.is_zero() {
            tracing::info!(seconds = drain.as_secs(), "stopping; requests are still taken");
            leaving.health().leaves();
            tokio::time::sleep(drain).await;
        }
    };
    serve(listener, identity, router, stop).await?;
    if let Some(hastening) = hastening {
        hastening.abort();
        // Its end is awaited: whatever it still held is free before the engine stops.
        let _ = hastening.await;
    }
    lines.stop().await;
    running.stop().await.context("the stop could not be recorded")?;
    Ok(ExitCode::SUCCESS)
}

/// The engine's settings from the configuration.
///
/// # Errors
/// The archive cannot be used.
pub fn settings(config: &Config, data_dir: PathBuf, demo: bool) -> Result<Settings> {
    let secret = |secret: &crate::config::Secret| Secret::new(secret.expose().to_owned());
    let network = Network::new(config.network.allowed_addresses.clone());
    let senders = chancery_deliver::Senders::new(network, data_dir.join("forwarders"));
    let (archive, archive_always) = archive(config, &data_dir)?;
    // The name of a log outlives the address that it once followed.
    let begun = key::origin_of(&data_dir).filter(|_| !config.log.origin_is_given);
    let settings = Settings {
        archive: Some(archive),
        archive_always,
        backup_dir: config.serving.backup_dir.clone().unwrap_or_else(|| data_dir.join("backups")),
        data_dir,
        database: if demo { None } else { config.serving.database.url() },
        public_url: config.serving.public_url.as_str().to_owned(),
        log_origin: begun.unwrap_or_else(|| config.log.origin.clone()),
        key_passphrase: config.log.key_passphrase.as_ref().map(secret),
        allow_unencrypted_key: config.log.allow_unencrypted_key || demo,
        admin_name: config.admin.name.clone(),
        admin_password: config.admin.password.as_ref().map(secret),
        expiring_days: config.validation.expiring_days,
        keep_jobs_days: config.limits.keep_jobs_days,
        jobs_at_a_time: config.limits.jobs_at_a_time.clone(),
        verbose_audit: config.audit.verbose,
        session_idle_minutes: config.session.idle_minutes,
        session_lifetime_hours: config.session.lifetime_hours,
        session_confirm_minutes: config.session.confirm_minutes,
        password_days_max: config.session.password_max_age_days,
        logins_per_minute: config.rate.login_per_minute,
        failed_logins_per_minute: config.rate.failed_logins_per_minute,
        requests_per_second: config.rate.requests_per_second,
        monitors: true,
        sender: Some(Arc::new(senders)),
        keep_deliveries_days: config.network.keep_deliveries_days,
        keep_evaluations_days: config.reaction.keep_evaluations_days,
        keep_evaluations_max: config.reaction.keep_evaluations_max,
        restored: None,
        database_connections: config.serving.database_connections,
        takeover: Duration::from_secs(config.serving.takeover_seconds.into()),
        node_name: config.serving.node_name.clone(),
        keep_resolved_alerts_days: config.reaction.keep_resolved_alerts_days,
        consumer_lag_max: 100_000,
        room: chancery_engine::Room::default(),
    };
    Ok(settings)
}

/// Where the entries of the log are kept, and whether somebody asked for that.
///
/// # Errors
/// The bucket cannot be one.
pub(crate) fn archive(config: &Config, data_dir: &Path) -> Result<(Arc<dyn Archive>, bool)> {
    let bucket = match &config.archive {
        config::Archive::Standard => {
            return Ok((Arc::new(Directory::new(data_dir.join("archive"))), false));
        }
        config::Archive::Directory(path) => return Ok((Arc::new(Directory::new(path)), true)),
        config::Archive::S3(bucket) => bucket,
    };
    let network = Network::new(config.network.allowed_addresses.clone());
    let settings = chancery_deliver::S3Settings {
        endpoint: bucket.endpoint.clone(),
        bucket: bucket.bucket.clone(),
        region: bucket.region.clone(),
        prefix: bucket.prefix.clone(),
        path_style: bucket.path_style,
        access_key_id: bucket.access_key_id.clone(),
        secret_access_key: Secret::new(bucket.secret_access_key.expose().to_owned()),
    };
    let archive = chancery_deliver::S3::new(network, &settings).context("the archive")?;
    Ok((Arc::new(archive), true))
}

/// Brings in what a newcomer finds.
async fn fill_demonstration(engine: &Engine) -> Result<()> {
    engine.demonstrate_automation().await?;
    let path =
        std::env::var_os("SSL_CERT_FILE").map_or_else(|| MACHINE_BUNDLE.into(), PathBuf::from);
    let (bundle, why) = match tokio::fs::read(&path).await {
        Ok(bundle) => (Some(bundle), None),
        Err(error) => (None, Some(error)),
    };
    let (machine, own) = engine.load_demonstration(bundle).await?;
    // Nobody has to listen to a server.
    let _ = outln!(
        "Imported {machine} CA certificates of this machine and {own} demonstration certificates."
    );
    if let Some(why) = why {
        let _ = outln!(
            "None of this machine, because {} cannot be read: {why}. SSL_CERT_FILE names another file.",
            path.display()
        );
    }
    Ok(())
}

/// Lets the monitors of the demonstration run while somebody looks at its first page already.
async fn hasten_demonstration(engine: Engine) {
    match engine.hasten_monitors().await {
        Ok(()) => tracing::info!("the monitors of the demonstration run now"),
        Err(error) => {
            tracing::warn!(%error, "the monitors of the demonstration keep to their timetables")
        }
    }
}

/// A new directory under `parent`, named by the time.
fn fresh_directory(parent: &Path) -> Result<PathBuf> {
    let now = Environment::system().now().to_string();
    let name: String = now.chars().take(19).map(|c| if c == ':' { '-' } else { c }).collect();
    for attempt in 0..100 {
        let suffix = if attempt == 0 { String::new() } else { format!("-{attempt}") };
        let path = parent.join(format!("demo-{name}{suffix}"));
        std::fs::create_dir_all(parent)
            .with_context(|| format!("cannot make the directory {}", parent.display()))?;
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot make the directory {}", path.display()));
            }
        }
    }
    anyhow::bail!("cannot find a free name for a directory under {}", parent.display())
}

/// Tells where to go and how to get in. The password is shown here and nowhere else.
fn announce(
    config: &Config,
    address: SocketAddr,
    running: &Running,
    demo: bool,
) -> std::io::Result<()> {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    outln!("Chancery {} listens on {scheme}://{address}", env!("CARGO_PKG_VERSION"))?;
    outln!("Data directory: {}", running.engine().settings().data_dir.display())?;
    if let Some(password) = &running.one_time_password {
        outln!("Administrator: {}", running.engine().settings().admin_name)?;
        outln!("One-time password, shown only now: {}", password.expose())?;
        outln!("It opens the door once: choose your own when you sign in.")?;
    }
    if demo {
        outln!(
            "This is a demonstration: delete the data directory to forget it. Stop with Ctrl-C."
        )?;
    }
    Ok(())
}

async fn serve(
    listener: TcpListener,
    identity: Option<Identity>,
    router: Router,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let limits = Limits::of_this_process();
    match identity {
        None => {
            let listener = listener.tap_io(|stream| {
                // Without it small answers wait for the next packet.
                let _ = stream.set_nodelay(true);
            });
            serving::serve(listener, router, limits, stop).await;
        }
        Some(identity) => {
            for warning in &identity.warnings {
                tracing::warn!("{warning}");
            }
            let listener = TlsListener::start(listener, identity.config)?;
            serving::serve(listener, router, limits, stop).await;
        }
    }
    Ok(())
}

/// Ends at SIGTERM or Ctrl-C. Both are heard from this call on, not only once it is waited for.
fn stop() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot hear SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot hear SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
