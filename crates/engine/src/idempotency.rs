//! Repeated requests get the first answer instead of a second effect.
//!
//! A key belongs to the account that sent it. The request it came with is kept as a keyed digest: a
//! body may hold a password, and a plain hash of one could be tried out.
//!
//! Crash between the claim and the answer: the key stays claimed for [`CLAIM_SECONDS`], then the
//! request may be sent again. What the first one did is in the events either way.

use chancery_event::Timestamp;
use chancery_event::id::AccountId;
use chancery_store::Tx;
use chancery_store::table::idempotency as table;

use crate::{Context, Engine, Error};

/// How long an answer is kept, in hours.
pub const KEPT_HOURS: i64 = 24;
/// How long a key stays claimed by a request that has not answered, in seconds.
pub const CLAIM_SECONDS: i64 = 300;

/// A stored answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// HTTP status.
    pub status: u16,
    /// Headers to repeat, as a JSON object of texts.
    pub headers: String,
    /// The body.
    pub body: Vec<u8>,
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The key is the caller's now: do the work, then finish or release it.
    Granted,
    /// The same request was answered before.
    Answered(Stored),
    /// The same request is still at work.
    InProgress,
    /// The key came with another request before.
    OtherRequest,
}

impl Engine {
    /// The digest of a request, part by part.
    pub fn request_digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = aws_lc_rs::hmac::Context::with_key(&self.0.desk.pending_key);
        mac.update(b"idempotency, version 1");
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(mac.sign().as_ref());
        digest
    }

    /// Claims a key for a request.
    ///
    /// # Errors
    /// The caller is nobody, or the store cannot be written.
    pub async fn claim_key(
        &self,
        context: &Context,
        key: &str,
        request: [u8; 32],
    ) -> Result<Claim, Error> {
        let account = owner(context)?;
        let now = self.environment().now();
        let name = key.to_owned();
        let found = self
            .0
            .store
            .transaction("idempotency.claim", move |tx: &mut Tx| {
                let (account, key) = (account.clone(), name.clone());
                Box::pin(async move {
                    table::delete_before(tx, now.plus(-KEPT_HOURS * Timestamp::HOUR)).await?;
                    if table::claim(tx, &account, &key, &request, now).await? {
                        return Ok::<_, Error>(None);
                    }
                    let found = table::find(tx, &account, &key).await?;
                    let stale = now.plus(-CLAIM_SECONDS * Timestamp::SECOND);
                    if found.as_ref().is_some_and(|a| a.status == 0 && a.created_at < stale) {
                        table::release(tx, &account, &key).await?;
                        table::claim(tx, &account, &key, &request, now).await?;
                        return Ok(None);
                    }
                    Ok(found)
                })
            })
            .await?;
        Ok(match found {
            None => Claim::Granted,
            Some(answer) if answer.request != request => Claim::OtherRequest,
            Some(answer) if answer.status == 0 => Claim::InProgress,
            Some(answer) => Claim::Answered(Stored {
                status: answer.status,
                headers: answer.headers,
                body: answer.body,
            }),
        })
    }

    /// Stores the answer to a claimed key.
    ///
    /// # Errors
    /// The caller is nobody, or the store cannot be written.
    pub async fn keep_answer(
        &self,
        context: &Context,
        key: &str,
        answer: Stored,
    ) -> Result<(), Error> {
        let (account, key) = (owner(context)?, key.to_owned());
        self.0
            .store
            .transaction("idempotency.finish", move |tx: &mut Tx| {
                let (account, key, answer) = (account.clone(), key.clone(), answer.clone());
                Box::pin(async move {
                    let Stored { status, headers, body } = &answer;
                    Ok::<(), Error>(
                        table::finish(tx, &account, &key, *status, headers, body).await?,
                    )
                })
            })
            .await
    }

    /// Gives a claimed key free: the request failed in a way worth repeating.
    ///
    /// # Errors
    /// The caller is nobody, or the store cannot be written.
    pub async fn release_key(&self, context: &Context, key: &str) -> Result<(), Error> {
        let (account, key) = (owner(context)?, key.to_owned());
        self.0
            .store
            .transaction("idempotency.release", move |tx: &mut Tx| {
                let (account, key) = (account.clone(), key.clone());
                Box::pin(async move { Ok::<(), Error>(table::release(tx, &account, &key).await?) })
            })
            .await
    }
}

/// What a repetition gets whose first answer is not kept any more: its headers and its body.
fn forgotten() -> (String, Vec<u8>) {
    let body = serde_json::json!({
        "type": "urn:chancery:problem:answer_not_repeatable",
        "title": "The request was done, and its answer is not kept any more",
        "status": 409,
    });
    let headers = serde_json::json!({ "content-type": "application/problem+json" });
    (headers.to_string(), body.to_string().into_bytes())
}

/// What was answered may name a person who is erased now: nothing of it stays.
pub(crate) async fn forget_all(tx: &mut Tx) -> Result<(), Error> {
    let (headers, body) = forgotten();
    Ok(table::forget_bodies(tx, &headers, &body).await.map(|_| ())?)
}

/// What an account was answered may be more than it may see now.
pub(crate) async fn forget_of(tx: &mut Tx, account: AccountId) -> Result<(), Error> {
    let (headers, body) = forgotten();
    Ok(table::forget_of(tx, &account.to_string(), &headers, &body).await.map(|_| ())?)
}

fn owner(context: &Context) -> Result<String, Error> {
    context.account_id().map(|id| id.to_string()).ok_or(Error::Unauthenticated)
}
