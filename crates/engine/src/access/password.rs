//! Passwords: argon2id, slow on purpose, off the threads that serve.

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, PasswordHash, Version};
use chancery_event::Environment;
use tokio::sync::Semaphore;

use crate::{Error, Secret};

/// Shortest password accepted, in characters.
pub const PASSWORD_LENGTH_MIN: usize = 12;
/// Longest password accepted, in bytes.
const LENGTH_MAX: usize = 1_024;

/// Each hash takes 19 MiB and most of a core: so many at a time, the others wait.
static AT_A_TIME: Semaphore = Semaphore::const_new(4);
/// Passwords that are checked or wait for it: more are refused, so that a flood of logins costs a
/// bounded time.
static QUEUE: Semaphore = Semaphore::const_new(64);
/// When whoever is refused may try again, in seconds.
const AGAIN_S: u64 = 5;

fn argon() -> Result<Argon2<'static>, Error> {
    // OWASP's second choice: 19 MiB, two passes.
    let parameters = Params::new(19 * 1024, 2, 1, None)
        .map_err(|error| Error::Internal(format!("argon2: {error}")))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters))
}

/// Refuses passwords that are too short, too long or that repeat the login name.
///
/// # Errors
/// [`Error::Invalid`] for the field `password`.
pub fn check(password: &Secret<String>, login_name: &str) -> Result<(), Error> {
    let text = password.expose();
    let refuse = |message: String| Err(Error::invalid("password", message));
    if text.chars().count() < PASSWORD_LENGTH_MIN {
        return refuse(format!("it needs at least {PASSWORD_LENGTH_MIN} characters"));
    }
    if text.len() > LENGTH_MAX {
        return refuse(format!("it may have at most {LENGTH_MAX} bytes"));
    }
    if text.to_lowercase().contains(&login_name.to_lowercase()) && login_name.len() >= 4 {
        return refuse("it must not contain the login name".to_owned());
    }
    let first = text.chars().next();
    if first.is_some_and(|first| text.chars().all(|c| c == first)) {
        return refuse("it must not be one character repeated".to_owned());
    }
    Ok(())
}

/// The PHC string of a password.
pub(crate) async fn hash(
    password: Secret<String>,
    environment: &Environment,
) -> Result<String, Error> {
    let salt: [u8; 16] = environment.random();
    off_thread(move || {
        argon()?
            .hash_password_with_salt(password.expose().as_bytes(), &salt)
            .map(|hash| hash.to_string())
            .map_err(|error| Error::Internal(format!("argon2: {error}")))
    })
    .await
}

/// Whether the password fits the PHC string. Without a string, the same time is spent and the
/// answer is no: an unknown name must not answer faster than a wrong password.
pub(crate) async fn fits(password: Secret<String>, stored: Option<String>) -> Result<bool, Error> {
    off_thread(move || {
        let argon = argon()?;
        let Some(stored) = stored else {
            let mut out = [0; 32];
            let salt = [0; 16];
            let _ = argon.hash_password_into(password.expose().as_bytes(), &salt, &mut out);
            return Ok(false);
        };
        let parsed = PasswordHash::new(&stored)
            .map_err(|_| Error::Internal("a stored password hash is damaged".to_owned()))?;
        Ok(argon.verify_password(password.expose().as_bytes(), &parsed).is_ok())
    })
    .await
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let place = QUEUE.try_acquire().map_err(|_| Error::RateLimited { seconds: AGAIN_S })?;
    // The semaphore is never closed; without a permit the work is done all the same.
    let permit = AT_A_TIME.acquire().await.ok();
    let work = move || {
        let done = work();
        drop((permit, place));
        done
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::Internal(format!("password: {error}")))?
}

/// A password nobody guesses, in four groups that are easy to type.
pub(crate) fn generate(environment: &Environment) -> Secret<String> {
    // No characters that look alike.
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789x";
    let bytes: [u8; 20] = environment.random();
    let text: Vec<String> = bytes
        .chunks(5)
        .map(|group| group.iter().map(|b| char::from(LETTERS[usize::from(b % 32)])).collect())
        .collect();
    Secret::new(text.join("-"))
}
