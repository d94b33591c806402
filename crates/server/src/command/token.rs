//! `chancery token`: over the API, or directly in the data directory while no server runs there.
//!
//! The direct way is for setting up unattended: it needs no token, but the rights to the files and
//! the passphrase of the log key. What it does is recorded like everything else.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use chancery_engine::access::NewToken;
use chancery_engine::{Context, Engine, Role, StartError};
use chancery_event::Environment;
use chancery_event::id::{AccountId, TokenId};
use chancery_store::Store;
use chancery_store::table::account;
use serde_json::{Value, json};

use super::text;
use crate::cli::GlobalArguments;
use crate::cli::token::{TokenCommand, TokenCreateArguments};
use crate::client::{Body, Client};
use crate::config::Config;

/// Runs the command.
///
/// # Errors
/// The server was not reached or refused; without a server, the data directory cannot be used.
pub async fn run(global: &GlobalArguments, command: &TokenCommand) -> Result<()> {
    let answer = match &global.server {
        Some(_) => over_api(&Client::new(global)?, command).await?,
        None => directly(command).await?,
    };
    match command {
        _ if global.json => outln!("{answer:#}")?,
        TokenCommand::Create(arguments) => print_created(arguments, &answer)?,
        TokenCommand::List(_) => print_list(&answer)?,
        TokenCommand::Revoke(arguments) => outln!("Revoked {}.", text::plain(&arguments.id))?,
    }
    Ok(())
}

/// The secret alone on standard output, so that `$(chancery token create …)` takes it.
fn print_created(arguments: &TokenCreateArguments, answer: &Value) -> Result<()> {
    let member = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    let secret = member("token");
    if secret.is_empty() {
        bail!("the server made a token and did not tell it: it is {}", member("id"));
    }
    errln!(
        "Token “{}” ({}), valid until {}. It is shown only now:",
        text::plain(&arguments.name),
        text::plain(member("id")),
        text::plain(member("expires_at")),
    );
    outln!("{secret}")?;
    Ok(())
}

fn print_list(answer: &Value) -> Result<()> {
    let items = answer["items"].as_array().cloned().unwrap_or_default();
    let cell = |item: &Value, name: &str| item[name].as_str().unwrap_or("—").to_owned();
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| {
            let state = if item["revoked_at"].is_string() { "revoked" } else { "" };
            vec![
                cell(item, "id"),
                cell(item, "role"),
                cell(item, "account_name"),
                cell(item, "expires_at").chars().take(10).collect(),
                cell(item, "used_at").chars().take(16).collect(),
                state.to_owned(),
                cell(item, "name"),
            ]
        })
        .collect();
    let mut out = crate::terminal::out();
    let head = ["ID", "ROLE", "ACCOUNT", "UNTIL", "LAST USED", "STATE", "NAME"];
    text::table(&mut out, &head, &rows)?;
    Ok(out.flush()?)
}

async fn over_api(client: &Client, command: &TokenCommand) -> Result<Value> {
    match command {
        TokenCommand::Create(arguments) => {
            let mut body = json!({ "name": arguments.name, "days": arguments.days });
            if let Some(role) = &arguments.role {
                body["role"] = json!(role);
            }
            Ok(client.post("tokens", &[], Body::Json(body)).await?.1)
        }
        TokenCommand::List(_) => {
            Ok(json!({ "items": client.list("tokens", &[], u64::MAX).await? }))
        }
        TokenCommand::Revoke(arguments) => {
            let id: TokenId = arguments.id.trim().parse().context("that is no token id")?;
            client
                .send(reqwest::Method::DELETE, &format!("tokens/{id}"), &[], Body::None, &[])
                .await?;
            Ok(json!({ "revoked": id.to_string() }))
        }
    }
}

/// Starts the engine on the data directory without serving, does it, and stops.
async fn directly(command: &TokenCommand) -> Result<Value> {
    let settings = match command {
        TokenCommand::Create(arguments) => &arguments.settings,
        TokenCommand::List(arguments) => &arguments.settings,
        TokenCommand::Revoke(arguments) => &arguments.settings,
    };
    let config = Config::load_to_serve(&settings.inputs(false))?;
    let data_dir = config.serving.data_dir.clone();
    errln!("No server is named: working directly in the data directory {}.", data_dir.display());
    let settings = super::serve::settings(&config, data_dir.clone(), false)?;
    let environment = Environment::system();
    let running = Engine::start(settings, environment.clone())
        .await
        .map_err(|error| refused(error, &data_dir))?;
    if let Some(password) = &running.one_time_password {
        errln!(
            "Administrator: {}\nOne-time password, shown only now: {}",
            running.engine().settings().admin_name,
            password.expose()
        );
    }
    super::restore::tell_of_copy(&running);
    let context = Context::command_line(&environment);
    let done = work(running.engine(), &context, command).await;
    let stopped = running.stop().await.context("the stop could not be recorded");
    let answer = done?;
    stopped?;
    Ok(answer)
}

/// Why there is no working in the directory. A running server is advised where that may be the
/// cause; a key or a setting that does not fit is another's.
fn refused(error: StartError, data_dir: &Path) -> anyhow::Error {
    let place = data_dir.display();
    match error {
        StartError::Store(chancery_store::Error::Path { ref path, .. })
            if path == data_dir && data_dir.is_dir() =>
        {
            anyhow!(error).context(format!(
                "cannot work directly in {place}; while a server runs there, name it with --server \
                 URL (or CHANCERY_URL) and a token"
            ))
        }
        error => anyhow!("{:#} (working directly in {place})", anyhow!(error)),
    }
}

async fn work(engine: &Engine, context: &Context, command: &TokenCommand) -> Result<Value> {
    match command {
        TokenCommand::Create(arguments) => {
            let new = NewToken {
                name: arguments.name.clone(),
                account: Some(administrator(engine).await?.to_string()),
                role: arguments.role.clone(),
                days: arguments.days,
            };
            let made = engine.create_token(context, new).await?;
            Ok(json!({
                "id": made.id.to_string(),
                "token": made.secret.expose(),
                "expires_at": made.expires_at.to_string(),
            }))
        }
        TokenCommand::List(_) => {
            let items: Vec<Value> = engine
                .tokens(context)
                .await?
                .into_iter()
                .map(|token| {
                    json!({
                        "id": token.id.to_string(),
                        "name": token.name,
                        "account": token.account.to_string(),
                        "account_name": token.account_name,
                        "role": token.role,
                        "created_at": token.created_at.to_string(),
                        "expires_at": token.expires_at.to_string(),
                        "revoked_at": token.revoked_at.map(|at| at.to_string()),
                        "used_at": token.used_at.map(|at| at.to_string()),
                    })
                })
                .collect();
            Ok(json!({ "items": items }))
        }
        TokenCommand::Revoke(arguments) => {
            let id: TokenId = arguments.id.trim().parse().context("that is no token id")?;
            engine.revoke_token(context, id).await?;
            Ok(json!({ "revoked": id.to_string() }))
        }
    }
}

/// The account that a token made without an account acts for: the first administrator, or another
/// one if that is gone.
async fn administrator(engine: &Engine) -> Result<AccountId> {
    let settings = engine.settings().store();
    let accounts = account::all(&mut Store::open_to_read(&settings).await?.read().await?).await?;
    let first = engine.settings().admin_name.to_lowercase();
    let mut able = accounts
        .iter()
        .filter(|found| found.role == Role::Administrator.as_str() && !found.disabled);
    let found = able.clone().find(|found| found.name == first).or_else(|| able.next());
    found.map(|found| found.id).context("there is no administrator that the token could act for")
}
